/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: the ordered, deduplicated corrections that the present facts call for, and for each why it
 * may not go yet. Built anew from facts each time, never patched; the input's order does not
 * matter.
 */
#ifndef MDC_PLAN_H
#define MDC_PLAN_H

#include "lib/controls/control.h"

/* What may hold every write, or those of a scope. */
struct plan_limits {
	bool halted;
	bool paused_all;               /* by an operator, for everything */
	bool unconfirmed_all;          /* lost state, or the reach was not measured yet */
	const struct map *paused;      /* scope names and resource ids that are paused */
	const struct map *unconfirmed; /* subscription ids that wait for `mdcctl confirm` */
	uint64_t running_total;
	const struct map *running_by_scope; /* scope name -> uint64_t *, or NULL */
	struct wall now;
};

struct step {
	const struct control *control;
	struct subscription *subscription;
	struct machine *machine; /* or NULL */
	struct item *item;
	enum reason held; /* REASON_NONE: may go now */
};

struct plan {
	struct step *steps; /* subscriptions' steps before machines', then by id */
	size_t count;
	size_t ready;
};

void plan_build(const struct config *c, const struct inventory *inv,
	const struct plan_limits *limits, struct plan *ret);
void plan_fini(struct plan *p);

#endif
