/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include <stdarg.h>

static void add(json_t *list, const char *format, ...) MDC_PRINTF(2, 3);
static void add(json_t *list, const char *format, ...)
{
	struct buf text = BUF_INIT(4096);
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	json_array_append_new(list, json_plain(buf_str(&text)));
	buf_fini(&text);
}

static void add_passes(json_t *list, const struct daemon *d)
{
	static const enum pass_kind whole[] = {PASS_SUBSCRIPTIONS, PASS_MACHINES};

	for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
		const struct pass_report *r = &d->last_pass[whole[i]];

		if (!wall_is_set(r->ended))
			add(list, "%s have not been observed yet", pass_kind_word(whole[i]));
		else if (r->problems > 0)
			add(list, "the last pass over %s was incomplete: %s",
				pass_kind_word(r->kind), r->first_problem);
	}
}

struct gaps {
	uint64_t not_listed; /* subscriptions whose machines have never been listed completely */
	uint64_t not_visible;
	uint64_t unknown; /* items */
};

static void look_at(struct gaps *g, const struct subscription *s)
{
	if (!s->visible)
		g->not_visible++;
	else if (!wall_is_set(s->machines_stamp.at))
		g->not_listed++;
	for (unsigned c = 0; c < CONTROL_N_; c++)
		g->unknown += s->states[c][ITEM_UNKNOWN];
}

json_t *command_partial(const struct daemon *d, const struct scope_config *scope)
{
	json_t *list = json_array();
	const struct identity_config *blind = daemon_blind_identity(d);
	struct gaps gaps = {0};
	struct map_entry *entry;

	add_passes(list, d);
	if (blind != NULL && (scope == NULL || scope->identity == blind))
		add(list,
			"identity \"%s\" sees no subscription of its scopes: it has no role there, "
			"or they name what is not there",
			blind->name);
	map_for_each (&d->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (s->scope != NULL && (scope == NULL || s->scope == scope))
			look_at(&gaps, s);
	}
	if (gaps.not_visible > 0)
		add(list, "%llu subscriptions are not visible to the identity any more",
			(unsigned long long)gaps.not_visible);
	if (gaps.not_listed > 0 && wall_is_set(d->last_pass[PASS_MACHINES].ended))
		add(list, "the machines of %llu subscriptions have never been listed completely",
			(unsigned long long)gaps.not_listed);
	if (gaps.unknown > 0)
		add(list, "%llu items are unknown: mdcctl list --state unknown",
			(unsigned long long)gaps.unknown);
	return list;
}
