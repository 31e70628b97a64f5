/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/reach.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <string.h>

_Static_assert(CONTROL_N_ < 32, "a bit for each control");

#define MACHINE_BITS (((1u << CONTROL_N_) - 1) & ~((1u << FIRST_MACHINE_CONTROL) - 1))
#define SUBSCRIPTION_WORD "subscription "
#define SCOPE_WORD "scope "

void reach_init(struct reach *r)
{
	map_init(&r->subscriptions, NULL);
	map_init(&r->scopes, NULL);
}

void reach_fini(struct reach *r)
{
	map_fini(&r->subscriptions);
	map_fini(&r->scopes);
}

static unsigned mask_of(const struct reach *r, const char *subscription)
{
	return (unsigned)(uintptr_t)map_get(&r->subscriptions, subscription);
}

static void set_mask(struct reach *r, const char *subscription, unsigned mask)
{
	if (mask != 0)
		map_set(&r->subscriptions, subscription, (void *)(uintptr_t)mask);
}

/* Any pointer that is not NULL: the keys are the set. */
static void set_scope(struct reach *r, const char *name)
{
	map_set(&r->scopes, name, (void *)(uintptr_t)1);
}

bool reach_covers(const struct reach *r, const char *subscription, enum control_id control)
{
	return (mask_of(r, subscription) & (1u << control)) != 0;
}

/* --- building --- */

/* By the policy and not by what is found there: a new machine is no new permission. */
static unsigned controls_of(const struct policy_config *policy)
{
	unsigned mask = 0;

	for (unsigned id = 0; id < CONTROL_N_; id++) {
		const struct control *control = control_by_id((enum control_id)id);

		if (control->may_write != NULL && control->may_write(policy))
			mask |= 1u << id;
	}
	return mask;
}

void reach_build(const struct inventory *inv, struct reach *ret)
{
	struct map_entry *entry;

	reach_init(ret);
	map_for_each (&inv->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (s->scope == NULL || s->scope_conflict != NULL || s->scope->mode != MODE_ENFORCE)
			continue;
		set_mask(ret, s->id, controls_of(s->scope->policy));
		set_scope(ret, s->scope->name);
	}
}

/* --- comparing --- */

void reach_growth_fini(struct reach_growth *g)
{
	map_fini(&g->unconfirmed);
	map_fini(&g->unmeasured);
	*g = (struct reach_growth){0};
}

static uint64_t machines_of(const struct subscription *s)
{
	if (s == NULL)
		return 0;
	return s->announced_machines > s->machine_count ? s->announced_machines : s->machine_count;
}

static void add_growth(const struct reach *confirmed, const struct subscription *s, const char *id,
	unsigned gained, struct reach_growth *g)
{
	g->subscriptions++;
	if (gained & MACHINE_BITS)
		g->machines += machines_of(s);
	if ((gained & MACHINE_BITS) && (s == NULL || s->machines_stamp.source == SOURCE_NONE))
		map_set(&g->unmeasured, id, (void *)(uintptr_t)1);
	if (s != NULL && s->scope != NULL && !map_has(&confirmed->scopes, s->scope->name))
		g->first_enforce = true;
	map_set(&g->unconfirmed, id, (void *)(uintptr_t)1);
}

void reach_compare(const struct reach *confirmed, const struct reach *wanted,
	const struct inventory *inv, uint64_t limit_machines, uint64_t limit_subscriptions,
	struct reach_growth *ret)
{
	struct map_entry *entry;

	*ret = (struct reach_growth){0};
	map_init(&ret->unconfirmed, NULL);
	map_init(&ret->unmeasured, NULL);
	map_for_each (&wanted->subscriptions, entry) {
		unsigned gained =
			(unsigned)(uintptr_t)entry->value & ~mask_of(confirmed, entry->key);

		if (gained != 0)
			add_growth(confirmed, inventory_subscription(inv, entry->key), entry->key,
				gained, ret);
	}
	ret->gated = ret->first_enforce || ret->machines > limit_machines ||
		ret->subscriptions > limit_subscriptions;
	if (!ret->gated)
		map_clear(&ret->unconfirmed);
}

/* --- following --- */

bool reach_narrow(struct reach *confirmed, const struct reach *wanted, const struct inventory *inv)
{
	struct map_entry *entry;
	bool changed = false;

	map_for_each (&confirmed->subscriptions, entry) {
		const struct subscription *s = inventory_subscription(inv, entry->key);
		unsigned mask = (unsigned)(uintptr_t)entry->value;
		unsigned left = mask & mask_of(wanted, entry->key);

		if (s == NULL || !s->visible || s->scope == NULL || s->scope_conflict != NULL ||
			left == mask)
			continue;
		changed = true;
		if (left == 0)
			map_remove(&confirmed->subscriptions, entry->key);
		else
			entry->value = (void *)(uintptr_t)left;
	}
	return changed;
}

static bool take_in_scopes(struct reach *confirmed, const struct reach *wanted)
{
	struct map_entry *entry;
	bool changed = false;

	map_for_each (&wanted->scopes, entry) {
		changed = changed || !map_has(&confirmed->scopes, entry->key);
		set_scope(confirmed, entry->key);
	}
	return changed;
}

bool reach_widen(struct reach *confirmed, const struct reach *wanted, const struct map *held)
{
	bool changed = take_in_scopes(confirmed, wanted);
	struct map_entry *entry;

	map_for_each (&wanted->subscriptions, entry) {
		unsigned before = mask_of(confirmed, entry->key);
		unsigned mask = before | (unsigned)(uintptr_t)entry->value;

		if (mask == before || (held != NULL && map_has(held, entry->key)))
			continue;
		changed = true;
		set_mask(confirmed, entry->key, mask);
	}
	return changed;
}

/* --- as text --- */

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted_keys(const struct map *m)
{
	const char **keys = xcalloc(map_count(m) + 1, sizeof(*keys));
	struct map_entry *entry;
	size_t n = 0;

	map_for_each (m, entry)
		keys[n++] = entry->key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	return keys;
}

static void render_controls(unsigned mask, struct buf *ret)
{
	const char *separator = "";

	for (unsigned id = 0; id < CONTROL_N_; id++)
		if (mask & (1u << id)) {
			buf_addf(ret, "%s%s", separator, control_word((enum control_id)id));
			separator = ",";
		}
}

/* Names may hold blanks and worse: they are written as JSON strings. */
static void render_name(const char *name, struct buf *ret)
{
	json_t *text = json_string(name);
	char *quoted = text != NULL ? json_dumps(text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

	/* A name that is not UTF-8 is not confirmed for good: it asks again each time. */
	if (quoted != NULL)
		buf_addf(ret, SCOPE_WORD "%s\n", quoted);
	free(quoted);
	json_decref(text);
}

int reach_render(const struct reach *r, struct buf *ret)
{
	mdc_autofree const char **subscriptions = sorted_keys(&r->subscriptions);
	mdc_autofree const char **scopes = sorted_keys(&r->scopes);

	for (const char **id = subscriptions; *id != NULL; id++) {
		buf_addf(ret, SUBSCRIPTION_WORD "%s ", *id);
		render_controls(mask_of(r, *id), ret);
		buf_addc(ret, '\n');
	}
	for (const char **name = scopes; *name != NULL; name++)
		render_name(*name, ret);
	return buf_failed(ret) ? -EFBIG : 0;
}

static bool parse_controls(char *words, unsigned *ret_mask)
{
	unsigned mask = 0;
	char *word;

	while ((word = strsep(&words, ",")) != NULL) {
		enum control_id id = control_from_word(word);

		if (id == CONTROL_N_)
			return false;
		mask |= 1u << id;
	}
	*ret_mask = mask;
	return true;
}

static bool parse_subscription(char *rest, struct reach *ret)
{
	char *id = strsep(&rest, " ");
	unsigned mask;

	if (rest == NULL || !str_is_guid(id) || !parse_controls(rest, &mask))
		return false;
	set_mask(ret, id, mask);
	return true;
}

static bool parse_scope(const char *rest, struct reach *ret)
{
	json_t *name = json_loads(rest, JSON_DECODE_ANY, NULL);
	bool sound = json_is_string(name);

	if (sound)
		set_scope(ret, json_string_value(name));
	json_decref(name);
	return sound;
}

static bool parse_line(char *line, struct reach *ret)
{
	if (strncmp(line, SUBSCRIPTION_WORD, strlen(SUBSCRIPTION_WORD)) == 0)
		return parse_subscription(line + strlen(SUBSCRIPTION_WORD), ret);
	if (strncmp(line, SCOPE_WORD, strlen(SCOPE_WORD)) == 0)
		return parse_scope(line + strlen(SCOPE_WORD), ret);
	return false;
}

int reach_parse(const char *text, struct reach *ret)
{
	mdc_autofree char *copy = xstrdup(text);
	char *rest = copy, *line;
	struct reach reach;

	reach_init(&reach);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0' && !parse_line(line, &reach)) {
			reach_fini(&reach);
			return -EINVAL;
		}
	*ret = reach;
	return 0;
}
