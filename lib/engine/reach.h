/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach: what a configuration may write to, compared with what was confirmed last (rule 11, the
 * impact gate). The unit is (subscription, set of controls that may write there).
 */
#ifndef MDC_REACH_H
#define MDC_REACH_H

#include "lib/base/map.h"
#include "lib/controls/control.h"

struct reach {
	struct map subscriptions; /* id -> controls, a bit mask stored as a pointer-sized number */
	struct map scopes;        /* names of scopes in enforce mode */
};
void reach_init(struct reach *r);
void reach_fini(struct reach *r);

/* What may be written to under this configuration, from what is observed. */
void reach_build(const struct config *c, const struct inventory *inv, struct reach *ret);

struct reach_growth {
	uint64_t machines;      /* in subscriptions that gained a control on machines */
	uint64_t subscriptions; /* that gained any control */
	bool first_enforce;     /* of some scope */
	bool gated;             /* writing there waits for confirmation */
	struct map unconfirmed; /* ids of the subscriptions that gained, filled when gated */
};
void reach_growth_fini(struct reach_growth *g);
/* `confirmed` may be empty. Subscriptions that only lost controls never gate. */
void reach_compare(const struct reach *confirmed, const struct reach *wanted,
	const struct inventory *inv, uint64_t limit_machines, uint64_t limit_subscriptions,
	struct reach_growth *ret);

/* One line a subscription and scope, sorted, for the store; and back. -EINVAL. */
int reach_render(const struct reach *r, struct buf *ret);
int reach_parse(const char *text, struct reach *ret) MDC_MUST_CHECK;

#endif
