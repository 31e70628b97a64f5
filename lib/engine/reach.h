/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach: what a configuration may write to, compared with what was confirmed last (rule 11, the
 * impact gate). The unit is (subscription, set of controls that may write there). What the
 * confirmed reach does not cover is not written to, whether it was measured yet or not.
 */
#ifndef MDC_REACH_H
#define MDC_REACH_H

#include "lib/base/map.h"
#include "lib/controls/control.h"

struct reach {
	struct map subscriptions; /* id -> controls, a bit mask stored as a pointer-sized number */
	struct map scopes;        /* names of the scopes in enforce mode that have any of these */
};
void reach_init(struct reach *r);
void reach_fini(struct reach *r);

/* What may be written to, from what is observed and the scopes that are resolved for it. */
void reach_build(const struct inventory *inv, struct reach *ret);
bool reach_covers(const struct reach *r, const char *subscription, enum control_id control);

struct reach_growth {
	uint64_t machines;      /* in subscriptions that gained a control on machines */
	uint64_t subscriptions; /* that gained any control */
	bool first_enforce;     /* of some scope */
	bool gated;             /* writing there waits for confirmation */
	struct map unconfirmed; /* ids of the subscriptions that gained, filled when gated */
	/* Ids of those among them whose machines were never listed completely: how much would be
	 * written to there is not known, so they wait, too. */
	struct map unmeasured;
};
void reach_growth_fini(struct reach_growth *g);
/* `confirmed` may be empty. Subscriptions that only lost controls never gate. */
void reach_compare(const struct reach *confirmed, const struct reach *wanted,
	const struct inventory *inv, uint64_t limit_machines, uint64_t limit_subscriptions,
	struct reach_growth *ret);

/*
 * The confirmed reach follows the wanted one. It takes in what was gained, but for the ids that
 * `held` (or NULL) names.
 */
bool reach_widen(struct reach *confirmed, const struct reach *wanted, const struct map *held);
/*
 * It lets go of what the scope that is in force does not want any more: to gain that again is
 * growth. What is not visible or in no scope stays as it is. Both are true when it is another one
 * now.
 */
bool reach_narrow(struct reach *confirmed, const struct reach *wanted, const struct inventory *inv);

/* One line a subscription and scope, sorted, for the store; and back. -EINVAL. */
int reach_render(const struct reach *r, struct buf *ret);
int reach_parse(const char *text, struct reach *ret) MDC_MUST_CHECK;

#endif
