/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/expiry.h"

static const struct {
	const char *word, *sentence, *helps;
} phases[] = {[EXPIRY_FAR] = {"", "", ""},
#define X(id, word, sentence, helps) [EXPIRY_##id] = {word, sentence, helps},
	EXPIRY_PHASES(X)
#undef X
};

const char *expiry_word(enum expiry_phase phase)
{
	return phases[phase].word;
}

const char *expiry_sentence(enum expiry_phase phase)
{
	return phases[phase].sentence;
}

const char *expiry_helps(enum expiry_phase phase)
{
	return phases[phase].helps;
}

/* Exclusions and grants of all scopes, one after the other; false past the last. */
static bool permission_at(const struct config *c, size_t place, struct expired *ret)
{
	for (size_t i = 0; i < c->scope_count; i++) {
		const struct scope_config *s = &c->scopes[i];

		if (place < s->exclude_count) {
			const struct exclude_config *e = &s->excludes[place];

			*ret = (struct expired){"exclude", e->name, s->name, e->owner, e->ticket,
				e->reason, e->expires, e->until, EXPIRY_FAR};
			return true;
		}
		place -= s->exclude_count;
		if (place < s->grant_count) {
			const struct grant_config *g = &s->grants[place];

			*ret = (struct expired){"grant", g->name, s->name, g->owner, g->ticket,
				g->reason, g->expires, g->until, EXPIRY_FAR};
			return true;
		}
		place -= s->grant_count;
	}
	return false;
}

static enum expiry_phase phase_of(const struct expired *x, struct wall now)
{
	if (wall_before(x->until, now))
		return EXPIRY_ABSENT;
	if (wall_before(x->expired, now))
		return EXPIRY_ENDED;
	return wall_since(x->expired, now).ms <= EXPIRY_BEFORE.ms ? EXPIRY_SOON : EXPIRY_FAR;
}

bool expiry_next(const struct config *c, struct wall now, size_t *at, struct expired *ret)
{
	struct expired one;

	while (permission_at(c, (*at)++, &one)) {
		one.phase = phase_of(&one, now);
		if (one.phase != EXPIRY_FAR) {
			*ret = one;
			return true;
		}
	}
	return false;
}
