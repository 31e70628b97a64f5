/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/holdoff.h"

#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

/* Groups that have not refused yet are probed first: one of them may well get through. */
#define OTHERS_FIRST DUR_MIN(1)

/* The places of one call, from the widest. */
enum level { LEVEL_IDENTITY, LEVEL_SUBSCRIPTION, LEVEL_GROUP, LEVEL_N_ };

struct hold {
	enum holdoff_stage stage;
	enum reason reason;
	struct dur pause;
	struct wall due;   /* of the next probe */
	bool probing;      /* one has set out, and `due` is when it is not waited for any more */
	uint64_t asked_in; /* the round that let a probe go */
};

struct holdoff {
	struct map holds; /* by key */
	uint64_t round;
	struct wall now;
};

struct holdoff *holdoff_new(void)
{
	struct holdoff *h = xcalloc(1, sizeof(*h));

	map_init(&h->holds, free);
	return h;
}

struct holdoff *holdoff_free(struct holdoff *h)
{
	if (h == NULL)
		return NULL;
	map_fini(&h->holds);
	free(h);
	return NULL;
}

/* NULL where the place has no such level. No name holds a line feed that could make two keys one.
 */
static char *key_of(const struct holdoff_place *p, enum level level)
{
	const char *control = control_word(p->control);

	switch (level) {
	case LEVEL_IDENTITY: return xasprintf("identity\n%s", p->identity);
	case LEVEL_SUBSCRIPTION: return xasprintf("%s\n%s", p->subscription, control);
	case LEVEL_GROUP:
		return str_empty(p->group)
			? NULL
			: xasprintf("%s\n%s\n%s", p->subscription, control, p->group);
	case LEVEL_N_: break;
	}
	return NULL;
}

static struct hold *hold_at(
	const struct holdoff *h, const struct holdoff_place *p, enum level level)
{
	mdc_autofree char *key = NULL;

	if (map_count(&h->holds) == 0)
		return NULL;
	key = key_of(p, level);
	return key != NULL ? map_get(&h->holds, key) : NULL;
}

/* --- what was heard --- */

/* LEVEL_N_: a trouble of that item alone, or of all Azure, which others deal with. */
static enum level level_of(enum arm_error_class class, const struct holdoff_place *p)
{
	switch (class) {
	case ARM_ERROR_TOKEN:
	case ARM_ERROR_IDENTITY: return LEVEL_IDENTITY;
	case ARM_ERROR_DISABLED:
	case ARM_ERROR_UNREGISTERED:
	case ARM_ERROR_NO_SUBSCRIPTION: return LEVEL_SUBSCRIPTION;
	case ARM_ERROR_DENIED:
	case ARM_ERROR_POLICY:
	case ARM_ERROR_LOCKED: return str_empty(p->group) ? LEVEL_SUBSCRIPTION : LEVEL_GROUP;
	case ARM_ERROR_NONE:
	case ARM_ERROR_THROTTLED:
	case ARM_ERROR_TRANSIENT:
	case ARM_ERROR_BUSY:
	case ARM_ERROR_ABSENT:
	case ARM_ERROR_CHANGED:
	case ARM_ERROR_TOO_LARGE:
	case ARM_ERROR_REQUEST:
	case ARM_ERROR_CLASS_N_: break;
	}
	return LEVEL_N_;
}

static void hold(struct holdoff *h, const struct holdoff_place *p, enum level level,
	const struct hold *fresh)
{
	struct hold *known = hold_at(h, p, level);
	mdc_autofree char *key = key_of(p, level);

	if (known == NULL) {
		known = xcalloc(1, sizeof(*known));
		*known = *fresh;
		map_set(&h->holds, key, known);
		return;
	}
	/* Of several that were on their way together only one makes the pause longer. */
	if (known->probing)
		known->pause = dur_min(DUR_MS(known->pause.ms * 2), HOLDOFF_MOST);
	else if (wall_before(fresh->due, known->due))
		return;
	known->probing = false;
	known->stage = fresh->stage;
	known->reason = fresh->reason;
	known->due = wall_add(h->now, known->pause);
}

static void end_hold(struct holdoff *h, const struct holdoff_place *p, enum level level)
{
	mdc_autofree char *key = key_of(p, level);

	if (key != NULL)
		map_remove(&h->holds, key);
}

static bool another_group_refused(const struct holdoff *h, const struct holdoff_place *p)
{
	mdc_autofree char *own = key_of(p, LEVEL_GROUP);
	mdc_autofree char *prefix =
		xasprintf("%s\n%s\n", p->subscription, control_word(p->control));
	struct map_entry *entry;

	map_for_each (&h->holds, entry)
		if (str_starts_nocase(entry->key, prefix) && !str_equal_nocase(entry->key, own))
			return true;
	return false;
}

void holdoff_refused(struct holdoff *h, const struct holdoff_place *place,
	enum arm_error_class class, enum holdoff_stage stage, enum reason reason, struct wall now)
{
	enum level level = level_of(class, place);
	struct hold fresh = {.stage = level == LEVEL_IDENTITY ? HOLDOFF_TOKEN : stage,
		.reason = reason,
		.pause = HOLDOFF_FIRST,
		.due = wall_add(now, HOLDOFF_FIRST)};

	h->now = now;
	if (level == LEVEL_N_) {
		holdoff_says_nothing(h, place, now);
		return;
	}
	if (level != LEVEL_IDENTITY)
		end_hold(h, place, LEVEL_IDENTITY);
	hold(h, place, level, &fresh);
	if (level == LEVEL_GROUP &&
		(hold_at(h, place, LEVEL_SUBSCRIPTION) != NULL || another_group_refused(h, place)))
		hold(h, place, LEVEL_SUBSCRIPTION, &fresh);
}

bool holdoff_passed(struct holdoff *h, const struct holdoff_place *place, enum holdoff_stage stage,
	enum reason *ret_reason, bool *ret_group)
{
	bool ended = false;

	for (unsigned level = 0; level < LEVEL_N_; level++) {
		const struct hold *known = hold_at(h, place, (enum level)level);

		if (known == NULL || known->stage > stage)
			continue;
		if (!ended) {
			*ret_reason = known->reason;
			*ret_group = level == LEVEL_GROUP;
		}
		ended = true;
		end_hold(h, place, (enum level)level);
	}
	return ended;
}

/* --- who may go --- */

void holdoff_round(struct holdoff *h, struct wall now)
{
	h->round++;
	h->now = now;
}

static bool lets_one_go(const struct holdoff *h, const struct hold *known, struct dur later)
{
	return !wall_before(h->now, wall_add(known->due, later)) && known->asked_in != h->round;
}

enum reason holdoff_ask(struct holdoff *h, const struct holdoff_place *place)
{
	struct hold *holds[LEVEL_N_];
	struct dur later;

	if (map_count(&h->holds) == 0)
		return REASON_NONE;
	for (unsigned level = 0; level < LEVEL_N_; level++)
		holds[level] = hold_at(h, place, (enum level)level);
	later = holds[LEVEL_GROUP] != NULL && holds[LEVEL_SUBSCRIPTION] != NULL ? OTHERS_FIRST
										: DUR_MS(0);
	for (unsigned level = 0; level < LEVEL_N_; level++)
		if (holds[level] != NULL && !lets_one_go(h, holds[level], later))
			return holds[level]->reason;
	for (unsigned level = 0; level < LEVEL_N_; level++)
		if (holds[level] != NULL)
			holds[level]->asked_in = h->round;
	return REASON_NONE;
}

enum reason holdoff_holds(const struct holdoff *h, const struct holdoff_place *place)
{
	for (unsigned level = 0; level < LEVEL_N_; level++) {
		const struct hold *known = hold_at(h, place, (enum level)level);

		if (known != NULL)
			return known->reason;
	}
	return REASON_NONE;
}

void holdoff_sets_out(struct holdoff *h, const struct holdoff_place *place, struct wall now)
{
	for (unsigned level = 0; level < LEVEL_N_; level++) {
		struct hold *known = hold_at(h, place, (enum level)level);

		if (known == NULL)
			continue;
		known->probing = true;
		known->due = wall_add(now, HOLDOFF_PROBE_LIMIT);
	}
}

void holdoff_says_nothing(struct holdoff *h, const struct holdoff_place *place, struct wall now)
{
	for (unsigned level = 0; level < LEVEL_N_; level++) {
		struct hold *known = hold_at(h, place, (enum level)level);

		if (known == NULL || !known->probing)
			continue;
		known->probing = false;
		known->due = wall_add(now, HOLDOFF_FIRST);
	}
}

struct wall holdoff_due(const struct holdoff *h, struct wall now)
{
	struct wall due = WALL_NEVER;
	struct map_entry *entry;

	map_for_each (&h->holds, entry) {
		const struct hold *known = entry->value;

		if (wall_before(now, known->due) && wall_before(known->due, due))
			due = known->due;
	}
	return due;
}

void holdoff_clear(struct holdoff *h)
{
	map_clear(&h->holds);
}

size_t holdoff_count(const struct holdoff *h)
{
	return map_count(&h->holds);
}
