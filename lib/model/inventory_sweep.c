/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/inventory_internal.h"

/* A handful of machines may come and go at any time without being a sign of lost access. */
#define DROP_ALWAYS_ALLOWED 3
/* Lists that were complete and short for that long are the truth. */
#define DROP_BELIEVED_AFTER DUR_H(24)

void inventory_sweep_begin(struct inventory *inv)
{
	inv->sweep++;
}

bool inventory_is_far_below(uint64_t seen, uint64_t expected, unsigned tolerance_percent)
{
	uint64_t missing = expected > seen ? expected - seen : 0;

	/* That the last ones go is told apart from lost access only by time. */
	return missing * 100 > expected * tolerance_percent &&
		(missing > DROP_ALWAYS_ALLOWED || seen == 0);
}

/* A short list that agrees with what was announced is believed in the end. */
static bool is_believed(struct subscription *s, uint64_t seen, uint64_t announced,
	unsigned tolerance_percent, struct wall now)
{
	if (inventory_is_far_below(seen, announced, tolerance_percent)) {
		s->drop_since = WALL_UNSET;
		return false;
	}
	if (!inventory_is_far_below(seen, s->machine_count, tolerance_percent))
		return true;
	if (!wall_is_set(s->drop_since))
		s->drop_since = now;
	return wall_since(now, s->drop_since).ms >= DROP_BELIEVED_AFTER.ms;
}

int inventory_sweep_check(const struct inventory *inv, struct subscription *s, uint64_t announced,
	unsigned tolerance_percent, struct wall now)
{
	uint64_t seen = s->seen == inv->sweep ? s->seen_count : 0;

	if (!is_believed(s, seen, announced, tolerance_percent, now))
		return -ESTALE;
	s->drop_since = WALL_UNSET;
	return 0;
}

void inventory_conclude_begin(
	struct subscription *s, struct stamp stamp, struct sweep_conclusion *ret)
{
	*ret = (struct sweep_conclusion){
		.subscription = s, .stamp = stamp, .left = s->machine_count};
}

static void conclude_machine(struct inventory *inv, struct machine *m, struct stamp stamp,
	inventory_gone_fn gone, void *ctx)
{
	if (m->seen != inv->sweep) {
		gone(ctx, m);
		inventory_remove_machine(inv, m);
	} else if (m->doubted) {
		machine_set_extensions_known(m, false);
	} else {
		inventory_extensions_complete(
			inv, m, m->mde_seen == inv->sweep, m->legacy_seen == inv->sweep, stamp);
	}
}

bool inventory_conclude(struct inventory *inv, struct sweep_conclusion *c, uint32_t most,
	inventory_gone_fn gone, void *ctx)
{
	struct subscription *s = c->subscription;

	/* From the end: the place of one that goes is taken by the last, which is concluded. */
	while (c->left > 0) {
		if (most-- == 0)
			return true;
		conclude_machine(inv, s->machines[--c->left], c->stamp, gone, ctx);
	}
	s->machines_stamp = c->stamp;
	return false;
}
