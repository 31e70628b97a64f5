/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* "why: what Azure said". */
static char *why_of(const json_t *row)
{
	const char *sentence = text_of(row, "sentence"), *detail = text_of(row, "detail");

	return *detail != '\0' ? xasprintf("%s: %s", sentence, detail) : xstrdup(sentence);
}

/* --- explain --- */

static void show_items(const struct screen *s, const json_t *answer, const char *list)
{
	static const char *const titles[] = {"CONTROL", "STATE", "SINCE", "WHY", NULL};
	struct table *t = table_new(titles);
	json_t *item;
	size_t i;

	table_colour(t, "STATE", colour_of_state);
	json_array_foreach (json_object_get(answer, list), i, item) {
		const char *held = text_of(item, "held_because");
		char since[AGE_TEXT_SIZE];

		age_of(answer, item, "since", since);
		table_row(t,
			(const char *const[]){text_of(item, "control"), text_of(item, "state"),
				since, *held != '\0' ? held : text_of(item, "sentence")});
	}
	table_print(t, s);
	table_free(t);
}

static void show_differences(const struct screen *s, const json_t *differences)
{
	json_t *d;
	size_t i;

	json_array_foreach (differences, i, d) {
		mdc_autofree char *text = xasprintf("%s: %s -> %s", text_of(d, "field"),
			*text_of(d, "observed") != '\0' ? text_of(d, "observed") : "(nothing)",
			text_of(d, "wanted"));

		say(s, "  differs", text);
	}
}

static void show_operation(const struct screen *s, const json_t *answer, const json_t *operation)
{
	char time[AGE_TEXT_SIZE];

	if (operation == NULL)
		return;
	say(s, "  operation", text_of(operation, "phase"));
	say(s, "  writes to", text_of(operation, "target"));
	time_of(answer, operation, "started", time);
	say(s, "  begun", time);
	time_of(answer, operation, "deadline", time);
	say(s, "  given up", time);
	say(s, "  correlation", text_of(operation, "correlation_id"));
}

static void show_hand_work(const struct screen *s, const json_t *lines)
{
	json_t *line;
	size_t i;

	json_array_foreach (lines, i, line)
		say(s, "  by hand", json_string_value(line));
}

static void explain_item(const struct screen *s, const json_t *answer, const json_t *item)
{
	enum colour colour = colour_of_state(text_of(item, "state"));
	char time[AGE_TEXT_SIZE], failures[COUNT_TEXT_SIZE];

	time_of(answer, item, "since", time);
	fprintf(s->out, "\n%s: %s%s%s since %s\n", text_of(item, "control"),
		colour_begin(s, colour), text_of(item, "state"), colour_end(s, colour), time);
	say(s, "  keeps", text_of(item, "help"));
	say(s, "  why", text_of(item, "sentence"));
	say(s, "  message", text_of(item, "detail"));
	say(s, "  means", text_of(json_object_get(item, "failure"), "text"));
	say(s, "  not read", text_of(item, "unread"));
	say(s, "  held by", text_of(item, "held_because"));
	show_differences(s, json_object_get(item, "differences"));
	time_of(answer, item, "first_drift", time);
	say(s, "  trouble since", time);
	if (number_of(item, "attempts") > 0) {
		count_format(number_of(item, "attempts"), failures);
		say(s, "  failures", failures);
	}
	time_of(answer, item, "due", time);
	say(s, "  next look", time);
	show_operation(s, answer, json_object_get(item, "operation"));
	show_hand_work(s, json_object_get(item, "by_hand"));
	say_coloured(s, COLOUR_STRONG, "  what helps", text_of(item, "unblock"));
}

static void show_facts(const struct screen *s, const json_t *answer)
{
	static const char *const titles[] = {"FACT", "VALUE", "FROM", "OBSERVED", NULL};
	struct table *t = table_new(titles);
	json_t *fact;
	size_t i;

	json_array_foreach (json_object_get(answer, "facts"), i, fact) {
		char age[AGE_TEXT_SIZE];

		age_of(answer, fact, "observed", age);
		table_row(t,
			(const char *const[]){text_of(fact, "name"), text_of(fact, "value"),
				text_of(fact, "source"), age});
	}
	table_print(t, s);
	table_free(t);
}

static void show_where(const struct screen *s, const json_t *e)
{
	mdc_autofree char *subscription = xasprintf("%s%s%s%s", text_of(e, "subscription_name"),
		*text_of(e, "subscription_name") != '\0' ? " (" : "", text_of(e, "subscription"),
		*text_of(e, "subscription_name") != '\0' ? ")" : "");
	mdc_autofree char *scope = xasprintf("%s (%s)", text_of(e, "scope"), text_of(e, "mode"));

	if (*text_of(e, "connector") != '\0')
		say(s, "connector", text_of(e, "connector"));
	else if (*text_of(e, "workspace") != '\0')
		say(s, "workspace", text_of(e, "workspace"));
	else
		say(s, "machine", text_of(e, "machine"));
	say(s, "resource", text_of(e, "resource_id"));
	say(s, "subscription", subscription);
	if (*text_of(e, "scope") != '\0')
		say(s, "scope", scope);
	else if (*text_of(e, "scope_conflict") != '\0')
		say(s, "scope", text_of(e, "scope_conflict"));
	else
		say(s, "scope", "none: it is left alone");
}

int show_explanation(const struct screen *s, const json_t *e)
{
	json_t *item;
	size_t i;

	show_where(s, e);
	putc('\n', s->out);
	show_items(s, e, "items");
	json_array_foreach (json_object_get(e, "items"), i, item)
		if (!str_equal(text_of(item, "state"), "compliant"))
			explain_item(s, e, item);
	if (json_array_size(json_object_get(e, "subscription_items")) > 0) {
		fputs("\nIts subscription:\n", s->out);
		show_items(s, e, "subscription_items");
	}
	putc('\n', s->out);
	show_facts(s, e);
	if (json_array_size(json_object_get(e, "history")) > 0) {
		fputs("\nWhat happened last:\n", s->out);
		show_history(s, json_object_get(e, "history"));
	}
	return 0;
}

/* --- list --- */

static const char *scope_of(const json_t *item)
{
	return *text_of(item, "scope") != '\0' ? text_of(item, "scope") : "-";
}

static void list_row(
	struct table *t, const struct screen *s, const json_t *list, const json_t *item)
{
	mdc_autofree char *why = why_of(item);
	char since[AGE_TEXT_SIZE], due[AGE_TEXT_SIZE];

	if (s->output == OUTPUT_WIDE) {
		snprintf(since, sizeof(since), "%s", text_of(item, "since"));
		snprintf(due, sizeof(due), "%s", text_of(item, "due"));
		table_row(t,
			(const char *const[]){text_of(item, "resource_id"), scope_of(item),
				text_of(item, "control"), text_of(item, "state"),
				text_of(item, "reason"), since, due, why});
		return;
	}
	age_of(list, item, "since", since);
	age_of(list, item, "due", due);
	table_row(t,
		(const char *const[]){name_of(item), text_of(item, "control"),
			text_of(item, "state"), since, due, why});
}

int show_list(const struct screen *s, const json_t *list)
{
	static const char *const narrow[] = {
		"RESOURCE", "CONTROL", "STATE", "SINCE", "NEXT LOOK", "WHY", NULL};
	static const char *const wide[] = {"RESOURCE", "SCOPE", "CONTROL", "STATE", "REASON",
		"SINCE", "NEXT LOOK", "WHY", NULL};
	struct table *t = table_new(s->output == OUTPUT_WIDE ? wide : narrow);
	json_int_t total = number_of(list, "total");
	json_t *item;
	size_t i;

	table_colour(t, "STATE", colour_of_state);
	json_array_foreach (json_object_get(list, "items"), i, item)
		list_row(t, s, list, item);
	table_print(t, s);
	table_free(t);
	/* Not among the rows, which may be counted. */
	if ((json_int_t)i < total)
		fprintf(stderr, "mdcctl: %lld more: --limit N, or --limit all\n",
			(long long)(total - (json_int_t)i));
	return 0;
}

/* --- history --- */

static char *what_of(const json_t *row)
{
	const char *kind = text_of(row, "kind");

	if (str_equal(kind, "transition"))
		return xasprintf("%s -> %s", text_of(row, "from"), text_of(row, "to"));
	if (str_equal(kind, "write"))
		return xasprintf("%s %s", text_of(row, "verb"), text_of(row, "phase"));
	if (str_equal(kind, "outcome"))
		return xasprintf("outcome: %s", text_of(row, "outcome"));
	return xstrdup(kind);
}

static char *details_of(const json_t *row)
{
	static const char *const keys[] = {
		"reason", "detail", "code", "correlation_id", "request_id"};
	struct buf text = BUF_INIT(65536);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (*text_of(row, keys[i]) != '\0')
			buf_addf(&text, "%s%s", text.len > 0 ? ", " : "", text_of(row, keys[i]));
	return text.len > 0 ? buf_steal(&text) : xstrdup("");
}

/* The last segment of an id; all of it where there is room for anything. */
static const char *short_id(const struct screen *s, const char *id)
{
	const char *slash = s->output != OUTPUT_WIDE ? strrchr(id, '/') : NULL;

	return slash != NULL ? slash + 1 : id;
}

static void show_history_rows(const struct screen *s, const json_t *rows)
{
	static const char *const titles[] = {
		">SEQ", "AT", "RESOURCE", "CONTROL", "WHAT", "WHY", NULL};
	struct table *t = table_new(titles);
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		mdc_autofree char *what = what_of(row), *why = details_of(row);
		char seq[24], at[32];

		snprintf(seq, sizeof(seq), "%lld", (long long)number_of(row, "seq"));
		snprintf(at, sizeof(at), "%.19sZ", text_of(row, "at"));
		table_row(t,
			(const char *const[]){seq, at, short_id(s, text_of(row, "resource_id")),
				text_of(row, "control"), what, why});
	}
	table_print(t, s);
	table_free(t);
}

int show_history(const struct screen *s, const json_t *history)
{
	if (json_is_array(history)) {
		show_history_rows(s, history);
		return 0;
	}
	show_history_rows(s, json_object_get(history, "transitions"));
	if (json_is_integer(json_object_get(history, "next")))
		fprintf(stderr, "mdcctl: older ones: --limit N, or --before %lld\n",
			(long long)number_of(history, "next"));
	return 0;
}
