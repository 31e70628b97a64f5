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

json_t *findings_list(const struct findings *f, bool doubts)
{
	json_t *list = json_array();
	struct map_entry *entry;

	map_for_each (&f->groups, entry) {
		const struct group *g = entry->value;

		if (g->doubt == doubts)
			json_array_append_new(list,
				json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:O}", "kind",
					finding_kind_word(g->kind), "identity", g->identity, "what",
					g->what, "help", help_of(g), "machines",
					(json_int_t)g->machines, "subscription_count",
					(json_int_t)g->count, "subscriptions", g->subscriptions));
	}
	return list;
}
