/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: the ordered, deduplicated corrections that the present facts call for, and for each why it
 * may not go yet. Built anew from facts each time, never patched; the input's order does not
 * matter.
 *
 * A scope runs at most its max-in-flight. Its subscriptions take turns: the next place goes to the
 * one with the fewest operations, so that a large subscription does not keep a small one waiting.
 */
#ifndef MDC_PLAN_H
#define MDC_PLAN_H

#include "lib/controls/control.h"
#include "lib/engine/reach.h"

struct step {
	const struct control *control;
	struct subscription *subscription;
	/* What the control is on, where that is not the subscription. */
	struct connector *connector;
	struct workspace *workspace;
	struct machine *machine;
	struct item *item;
	enum reason held; /* REASON_NONE: may go now */
};

/* What may hold every write, or those of a scope or a subscription. */
struct plan_limits {
	bool halted;
	bool paused_all;               /* by an operator, for everything */
	bool unconfirmed_all;          /* lost state, or the reach was not measured yet */
	const struct map *paused;      /* scope names and resource ids that are paused */
	const struct reach *confirmed; /* what it does not cover waits; NULL: nothing does */
	/* Why a step has to wait for others of its kind, or REASON_NONE; NULL: none has to. */
	enum reason (*kept)(void *ctx, const struct step *step);
	void *kept_ctx;
	/* Operations queued or running, as uint64_t *; NULL: none. */
	const struct map *running_by_scope;        /* by scope name */
	const struct map *running_by_subscription; /* by id */
	struct wall now;
};

struct plan {
	struct step *steps; /* subscriptions' steps before connectors' and machines', then by id */
	size_t count;
	size_t ready;
};

void plan_build(const struct config *c, const struct inventory *inv,
	const struct plan_limits *limits, struct plan *ret);
void plan_fini(struct plan *p);

#endif
