/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/finding.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define TEXT_MAX 1024

struct group {
	enum finding_kind kind;
	bool doubt;
	char *identity, *what, *help;
	uint64_t machines, count;
	json_t *subscriptions;
};

const char *finding_kind_word(enum finding_kind kind)
{
	static const char *const words[] = {
#define FINDING_WORD(name, word) word,
		FINDING_KINDS(FINDING_WORD)
#undef FINDING_WORD
	};

	return words[kind];
}

static void group_free(void *ctx)
{
	struct group *g = ctx;

	free(g->identity);
	free(g->what);
	free(g->help);
	json_decref(g->subscriptions);
	free(g);
}

void findings_init(struct findings *f)
{
	*f = (struct findings){0};
	map_init(&f->groups, group_free);
}

void findings_fini(struct findings *f)
{
	map_fini(&f->groups);
}

/* From outside: cut, and without what a terminal would act on. */
static char *safe(const char *text)
{
	struct buf b = BUF_INIT((size_t)TEXT_MAX * 5);

	str_escape(&b, text, TEXT_MAX);
	return buf_steal(&b);
}

static struct group *group_of(struct findings *f, const struct finding *finding)
{
	mdc_autofree char *key = xasprintf("%d\n%d\n%s\n%s\n%s", (int)finding->doubt,
		(int)finding->kind, finding->identity, finding->what, finding->help);
	struct group *g = map_get(&f->groups, key);

	if (g != NULL)
		return g;
	if (map_count(&f->groups) >= FINDINGS_MAX) {
		f->dropped++;
		return NULL;
	}
	g = xcalloc(1, sizeof(*g));
	g->kind = finding->kind;
	g->doubt = finding->doubt;
	g->identity = safe(finding->identity);
	g->what = safe(finding->what);
	g->help = safe(finding->help);
	g->subscriptions = json_array();
	map_set(&f->groups, key, g);
	return g;
}

void findings_add(struct findings *f, const struct finding *finding, const char *subscription,
	const char *name)
{
	struct group *g = group_of(f, finding);
	mdc_autofree char *shown = safe(name);

	if (finding->doubt)
		f->doubts++;
	else
		f->missing++;
	if (g == NULL)
		return;
	g->machines += finding->machines;
	if (str_empty(subscription))
		return;
	g->count++;
	if (json_array_size(g->subscriptions) >= FINDING_SUBSCRIPTIONS_MAX ||
		f->named >= FINDINGS_SUBSCRIPTIONS_MAX)
		return;
	f->named++;
	json_array_append_new(
		g->subscriptions, json_pack("{s:s, s:s}", "id", subscription, "name", shown));
}

/* The last one: before it may stand names from outside. */
static const char *place_in(const char *help)
{
	const char *place = NULL;

	for (const char *p = help; (p = strstr(p, FINDING_PLACE)) != NULL; p++)
		place = p;
	return place;
}

/* With the id where it is one subscription's. */
static json_t *help_of(const struct group *g)
{
	const json_t *first = json_array_get(g->subscriptions, 0);
	const char *id = json_string_value(json_object_get(first, "id"));
	const char *at = place_in(g->help);

	if (g->count != 1 || at == NULL)
		return json_string(g->help);
	return json_sprintf(
		"%.*s%s%s", (int)(at - g->help), g->help, id, at + sizeof(FINDING_PLACE) - 1);
}

/* --- lists: in an order that does not depend on who answered first --- */

static int by_name(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int order = str_compare_nocase(json_string_value(json_object_get(x, "name")),
		json_string_value(json_object_get(y, "name")));

	if (order != 0)
		return order;
	return str_compare_nocase(json_string_value(json_object_get(x, "id")),
		json_string_value(json_object_get(y, "id")));
}

static json_t *sorted_subscriptions(const struct group *g)
{
	size_t n = json_array_size(g->subscriptions), i;
	mdc_autofree json_t **all = xcalloc(n + 1, sizeof(*all));
	json_t *list = json_array(), *one;

	json_array_foreach (g->subscriptions, i, one)
		all[i] = one;
	qsort(all, n, sizeof(*all), by_name);
	for (i = 0; i < n; i++)
		json_array_append(list, all[i]);
	return list;
}

static int by_text(const void *a, const void *b)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
	int order;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	order = str_compare_nocase(x->what, y->what);
	return order != 0 ? order : str_compare_nocase(x->help, y->help);
}

static json_t *describe(const struct group *g)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:o}", "kind", finding_kind_word(g->kind),
		"identity", g->identity, "what", g->what, "help", help_of(g), "machines",
		(json_int_t)g->machines, "subscription_count", (json_int_t)g->count,
		"subscriptions", sorted_subscriptions(g));
}

json_t *findings_list(const struct findings *f, bool doubts)
{
	mdc_autofree struct group **groups = xcalloc(map_count(&f->groups) + 1, sizeof(*groups));
	json_t *list = json_array();
	struct map_entry *entry;
	size_t n = 0;

	map_for_each (&f->groups, entry)
		if (((struct group *)entry->value)->doubt == doubts)
			groups[n++] = entry->value;
	qsort(groups, n, sizeof(struct group *), by_text);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, describe(groups[i]));
	return list;
}
