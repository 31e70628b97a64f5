/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/expiry.h"

/* Exclusions and grants of all scopes, one after the other; false past the last. */
static bool permission_at(const struct config *c, size_t place, struct expired *ret)
{
	for (size_t i = 0; i < c->scope_count; i++) {
		const struct scope_config *s = &c->scopes[i];

		if (place < s->exclude_count) {
			const struct exclude_config *e = &s->excludes[place];

			*ret = (struct expired){"exclude", e->name, s->name, e->owner, e->ticket,
				e->reason, e->expires, e->until};
			return true;
		}
		place -= s->exclude_count;
		if (place < s->grant_count) {
			const struct grant_config *g = &s->grants[place];

			*ret = (struct expired){"grant", g->name, s->name, g->owner, g->ticket,
				g->reason, g->expires, g->until};
			return true;
		}
		place -= s->grant_count;
	}
	return false;
}

bool expiry_next(const struct config *c, struct wall now, size_t *at, struct expired *ret)
{
	struct expired one;

	while (permission_at(c, (*at)++, &one))
		if (wall_before(one.expired, now) && !wall_before(one.until, now)) {
			*ret = one;
			return true;
		}
	return false;
}
