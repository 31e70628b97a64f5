/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/scenario_parts.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>

/* Lines of the trace that are shown. */
#define SHOWN 60

static const char *tail(const char *text)
{
	const char *at = text + strlen(text);

	for (unsigned n = 0; at > text; at--)
		if (at[-1] == '\n' && n++ == SHOWN)
			break;
	return at;
}

static void show(const char *text)
{
	for (; *text != '\0'; text += strcspn(text, "\n") + (strchr(text, '\n') != NULL))
		print_message("# %.*s\n", (int)strcspn(text, "\n"), text);
}

void scenario_fail(struct scenario *s, const char *format, ...)
{
	mdc_autofree char *states = s->daemon != NULL ? scenario_states(s) : xstrdup("");
	struct buf why = BUF_INIT(1 << 20);
	va_list args;

	va_start(args, format);
	buf_addv(&why, format, args);
	va_end(args);
	print_message("# seed %llu\n", (unsigned long long)s->options.seed);
	show(tail(scenario_trace(s)));
	show(states);
	show(buf_str(&why));
	buf_fini(&why);
	fail();
	abort();
}

/* --- items --- */

typedef void (*visit_fn)(void *ctx, const char *name, const struct item *item);

static void visit_resource(
	struct item *items, size_t count, const char *name, visit_fn fn, void *ctx)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].applies)
			fn(ctx, name, &items[i]);
}

static void visit_items(struct scenario *s, visit_fn fn, void *ctx)
{
	struct map_entry *entry;

	map_for_each (&s->daemon->inventory->subscriptions, entry) {
		struct subscription *sub = entry->value;

		visit_resource(sub->items, FIRST_CONNECTOR_CONTROL, sub->name, fn, ctx);
		for (size_t i = 0; i < sub->connector_count; i++)
			visit_resource(sub->connectors[i]->items, CONNECTOR_CONTROLS,
				sub->connectors[i]->id, fn, ctx);
		for (size_t i = 0; i < sub->workspace_count; i++)
			visit_resource(sub->workspaces[i]->items, WORKSPACE_CONTROLS,
				sub->workspaces[i]->id, fn, ctx);
		for (uint32_t i = 0; i < sub->machine_count; i++)
			visit_resource(sub->machines[i]->items, MACHINE_CONTROLS,
				sub->machines[i]->id, fn, ctx);
	}
}

static bool is_called(const struct subscription *sub, const struct machine *m, const char *target)
{
	if (m == NULL)
		return str_equal_nocase(sub->name, target) || str_equal_nocase(sub->id, target);
	return str_equal_nocase(m->name, target) || str_equal_nocase(m->id, target);
}

/* --- what explain says --- */

static const json_t *explained(struct scenario *s, const char *target, const char *list,
	const char *member, const char *name)
{
	mdc_autofree char *arguments = xasprintf("{'target': '%s'}", target);
	const json_t *rows = json_object_get(scenario_command(s, "explain", arguments), list);
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row)
		if (str_equal(json_text(row, member), name))
			return row;
	return NULL;
}

const json_t *scenario_explained(struct scenario *s, const char *target, const char *control)
{
	const json_t *row = explained(s, target, "items", "control", control);

	if (row == NULL)
		scenario_fail(s, "%s has no %s", target, control);
	return row;
}

void scenario_help_holds(
	struct scenario *s, const char *target, const char *control, const char *text)
{
	const char *help = json_text(scenario_explained(s, target, control), "unblock");

	if (help == NULL || strstr(help, text) == NULL)
		scenario_fail(s, "%s %s: what helps is \"%s\"", target, control,
			help != NULL ? help : "nothing");
}

const char *scenario_fact(struct scenario *s, const char *target, const char *name)
{
	const json_t *row = explained(s, target, "facts", "name", name);

	return row != NULL ? json_text(row, "value") : NULL;
}

const struct item *scenario_item(struct scenario *s, const char *target, const char *control)
{
	enum control_id id = control_from_word(control);
	struct map_entry *entry;

	assert_int_not_equal(id, CONTROL_N_);
	map_for_each (&s->daemon->inventory->subscriptions, entry) {
		struct subscription *sub = entry->value;
		struct item *item = NULL;

		if (id < FIRST_CONNECTOR_CONTROL && is_called(sub, NULL, target))
			item = inventory_item(sub, NULL, id);
		for (size_t i = 0; control_resource(id) == ON_CONNECTOR && i < sub->connector_count;
			i++)
			if (str_equal_nocase(sub->connectors[i]->name, target))
				item = connector_item(sub->connectors[i], id);
		for (size_t i = 0; control_resource(id) == ON_WORKSPACE && i < sub->workspace_count;
			i++)
			if (str_equal_nocase(sub->workspaces[i]->name, target))
				item = workspace_item(sub->workspaces[i], id);
		for (uint32_t i = 0; id >= FIRST_MACHINE_CONTROL && i < sub->machine_count; i++)
			if (is_called(sub, sub->machines[i], target))
				item = inventory_item(sub, sub->machines[i], id);
		if (item != NULL)
			return item->applies ? item : NULL;
	}
	return NULL;
}

void scenario_item_is(struct scenario *s, const char *target, const char *control,
	const char *state, const char *reason)
{
	const struct item *item = scenario_item(s, target, control);
	const char *is = item != NULL ? item_state_word((enum item_state)item->state) : "not there";
	const char *why = item != NULL ? reason_word((enum reason)item->reason) : "";

	if (!str_equal(is, state) || (reason != NULL && !str_equal(why, reason)))
		scenario_fail(s, "%s %s is %s %s (%s), not %s %s", target, control, is, why,
			item != NULL ? item->detail : "", state, reason != NULL ? reason : "");
}

struct counting {
	enum control_id control;
	enum item_state state;
	size_t n;
};

static void count_item(void *ctx, const char *name, const struct item *item)
{
	struct counting *c = ctx;

	(void)name;
	c->n += (c->control == CONTROL_N_ || item->control == c->control) &&
		(c->state == ITEM_STATE_N_ || item->state == c->state);
}

size_t scenario_count(struct scenario *s, const char *control, const char *state)
{
	struct counting c = {
		.control = control != NULL ? control_from_word(control) : CONTROL_N_,
		.state = state != NULL ? item_state_from_word(state) : ITEM_STATE_N_,
	};

	visit_items(s, count_item, &c);
	return c.n;
}

/* --- all states as text --- */

struct lines {
	char **v;
	size_t n;
};

static void add_state(void *ctx, const char *name, const struct item *item)
{
	struct lines *l = ctx;

	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = xasprintf("%s %s %s %s", name, control_word((enum control_id)item->control),
		item_state_word((enum item_state)item->state),
		reason_word((enum reason)item->reason));
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *scenario_states(struct scenario *s)
{
	struct lines l = {0};
	struct buf text = BUF_INIT(16 << 20);

	visit_items(s, add_state, &l);
	if (l.n > 0)
		qsort(l.v, l.n, sizeof(*l.v), compare_lines);
	for (size_t i = 0; i < l.n; i++) {
		buf_addf(&text, "%s\n", l.v[i]);
		free(l.v[i]);
	}
	free(l.v);
	buf_adds(&text, "");
	return buf_steal(&text);
}

/* --- nothing waits for ever, and nothing is bad without a reason --- */

static bool needs_deadline(enum item_state state)
{
	switch (state) {
	case ITEM_WAITING:
	case ITEM_QUEUED:
	case ITEM_APPLYING:
	case ITEM_SETTLING:
	case ITEM_BACKOFF: return true;
	case ITEM_UNKNOWN:
	case ITEM_COMPLIANT:
	case ITEM_DRIFTED:
	case ITEM_BLOCKED:
	case ITEM_MANUAL:
	case ITEM_EXCLUDED:
	case ITEM_UNSUPPORTED:
	case ITEM_UNREACHABLE:
	case ITEM_STATE_N_: break;
	}
	return false;
}

static void check_item(void *ctx, const char *name, const struct item *item)
{
	struct scenario *s = ctx;
	enum item_state state = item->state;
	struct wall now = scenario_wall(s);
	bool overdue = wall_before(item->due, wall_add(now, DUR_MIN(-1)));

	if (needs_deadline(state) &&
		(!wall_is_set(item->due) || item->due.ms == WALL_NEVER.ms || overdue))
		fail_msg("%s %s is %s %s without a deadline to come (seed %llu):\n%s", name,
			control_word((enum control_id)item->control), item_state_word(state),
			reason_word((enum reason)item->reason), (unsigned long long)s->options.seed,
			scenario_trace(s));
	if (state != ITEM_COMPLIANT && item->reason == REASON_NONE)
		scenario_fail(s, "%s %s is %s without a reason", name,
			control_word((enum control_id)item->control), item_state_word(state));
}

void scenario_nothing_is_stuck(struct scenario *s)
{
	visit_items(s, check_item, s);
}

/* --- what was written --- */

size_t scenario_writes(const struct scenario *s, const char *path_end)
{
	const struct transport *t = s->world.transport;
	size_t n = 0;

	for (size_t i = 0; i < transport_estate_write_count(t); i++)
		n += path_end == NULL ||
			str_ends_nocase(transport_estate_write(t, i)->path, path_end);
	return n;
}

void scenario_is_good(struct scenario *s)
{
	struct estate_verdict verdict;
	struct buf text = BUF_INIT(1 << 20);

	estate_advance(s->estate, scenario_wall(s));
	estate_verdict(s->estate, &verdict);
	if (!verdict.good) {
		estate_verdict_render(s->estate, &text);
		scenario_fail(s, "%s", buf_str(&text));
	}
}

unsigned scenario_protected(struct scenario *s)
{
	struct estate_verdict verdict;

	estate_advance(s->estate, scenario_wall(s));
	estate_verdict(s->estate, &verdict);
	return verdict.protected_after;
}

/* --- the history --- */

static bool entry_fits(const struct captured_entry *e, const json_t *row)
{
	const char *seq = captured_field(e, "MDCD_SEQ");
	mdc_autofree char *number =
		xasprintf("%lld", (long long)json_integer_value(json_object_get(row, "seq")));

	return str_equal(seq, number) &&
		str_equal(captured_field(e, "MDCD_CONTROL"), json_text(row, "control")) &&
		str_equal(captured_field(e, "MDCD_FROM"), json_text(row, "from")) &&
		str_equal(captured_field(e, "MDCD_TO"), json_text(row, "to")) &&
		str_equal_nocase(
			captured_field(e, "MDCD_RESOURCE_ID"), json_text(row, "resource_id"));
}

/* Entries stand mostly in the order of the history: looked for from `*place` on, and around. */
static bool was_told(const struct scenario *s, const json_t *row, size_t *place)
{
	size_t count = log_capture_count(s->log, LOG_TRANSITION_MESSAGE);

	for (size_t i = 0; i < count; i++) {
		size_t at = (*place + i) % count;

		if (entry_fits(log_capture_entry(s->log, LOG_TRANSITION_MESSAGE, at), row)) {
			*place = at + 1;
			return true;
		}
	}
	return false;
}

static void check_told(struct scenario *s)
{
	json_t *rows = NULL, *row;
	uint64_t after = 0;
	size_t i, place = 0;

	for (;;) {
		assert_int_equal(store_transitions_after(s->daemon->store, after, 1000, &rows), 0);
		json_array_foreach (rows, i, row) {
			after = (uint64_t)json_integer_value(json_object_get(row, "seq"));
			if (!was_told(s, row, &place))
				fail_msg(
					"transition %llu of the history is not in the journal:\n%s",
					(unsigned long long)after, scenario_trace(s));
		}
		if (json_array_size(rows) == 0)
			break;
		json_decref(rows);
	}
	json_decref(rows);
}

static bool is_the_same(const struct captured_entry *a, const struct captured_entry *b)
{
	static const char *const fields[] = {
		"MDCD_RESOURCE_ID", "MDCD_CONTROL", "MDCD_FROM", "MDCD_TO", "MDCD_REASON"};
	bool same = true;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		same = same &&
			str_equal_nocase(
				captured_field(a, fields[i]), captured_field(b, fields[i]));
	return same;
}

/* A number may be told again, but never for something else. */
static void check_numbers(const struct scenario *s)
{
	const struct captured_entry *e, *first;
	struct map by_number;

	map_init(&by_number, NULL);
	for (size_t i = 0; (e = log_capture_entry(s->log, LOG_TRANSITION_MESSAGE, i)) != NULL;
		i++) {
		const char *seq = captured_field(e, "MDCD_SEQ");

		assert_int_equal(seq == NULL, captured_field(e, "MDCD_UNSTORED") != NULL);
		if (seq == NULL)
			continue;
		first = map_get(&by_number, seq);
		if (first != NULL && !is_the_same(first, e))
			fail_msg("number %s was told twice: %s; %s", seq, captured_text(first),
				captured_text(e));
		if (first == NULL)
			map_set(&by_number, seq, (void *)(uintptr_t)e);
	}
	map_fini(&by_number);
}

void scenario_history_is_whole(struct scenario *s)
{
	struct store_verification v;
	struct diags diags = DIAGS_INIT;

	store_flush(s->daemon->store, NULL, NULL);
	loop_virtual_settle(s->world.loop);
	assert_int_equal(store_verify(s->daemon->store, NULL, &diags, &v), 0);
	if (v.broken_at != 0 || diags.errors > 0 || (v.losses > 0 && !s->lost))
		scenario_fail(s, "the history is broken at %llu, with %llu losses",
			(unsigned long long)v.broken_at, (unsigned long long)v.losses);
	diags_fini(&diags);
	check_told(s);
	/* Numbers begin anew with a state that was lost. */
	if (!s->lost)
		check_numbers(s);
}

void scenario_writes_are(struct scenario *s, const char *path_end, size_t least, size_t most)
{
	size_t n = scenario_writes(s, path_end);

	if (n < least || n > most)
		scenario_fail(s, "%zu writes to %s, not %zu to %zu", n,
			path_end != NULL ? path_end : "anything", least, most);
}
