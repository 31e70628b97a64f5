/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"

/* --- sums --- */

static void show_groups(const struct screen *s, const json_t *groups)
{
	static const char *const titles[] = {">STEPS", "CONTROL", "HELD BY", "WHAT ENDS IT", NULL};
	struct table *t = table_new(titles);
	json_t *group;
	size_t i;

	json_array_foreach (groups, i, group) {
		const char *held = text_of(group, "held_because");
		char count[COUNT_TEXT_SIZE];

		count_format(number_of(group, "count"), count);
		table_row(t,
			(const char *const[]){count, text_of(group, "control"),
				*held != '\0' ? held : "nothing: these may go now",
				text_of(group, "unblock")});
	}
	table_print(t, s);
	table_free(t);
}

#define SPAN_TEXT_SIZE (2 * AGE_TEXT_SIZE + 8)

/* "in 2 h", or "in 2 h to in 3 h 20 min" where they do not end together. */
static void due_text(const json_t *plan, const json_t *wait, char ret[static SPAN_TEXT_SIZE])
{
	char first[AGE_TEXT_SIZE], last[AGE_TEXT_SIZE];

	age_of(plan, wait, "first_due", first);
	age_of(plan, wait, "last_due", last);
	if (str_equal(first, last))
		snprintf(ret, SPAN_TEXT_SIZE, "%s", first);
	else
		snprintf(ret, SPAN_TEXT_SIZE, "%s to %s", first, last);
}

static void show_waits(const struct screen *s, const json_t *plan, const json_t *waits)
{
	static const char *const titles[] = {
		">WAIT", "CONTROL", "NEXT LOOK", "WHY", "WHAT ENDS IT", NULL};
	struct table *t = table_new(titles);
	json_t *wait;
	size_t i;

	json_array_foreach (waits, i, wait) {
		char count[COUNT_TEXT_SIZE], due[SPAN_TEXT_SIZE];

		count_format(number_of(wait, "count"), count);
		due_text(plan, wait, due);
		table_row(t,
			(const char *const[]){count, text_of(wait, "control"), due,
				text_of(wait, "sentence"), text_of(wait, "unblock")});
	}
	table_print(t, s);
	table_free(t);
}

void show_plan_summary(const struct screen *s, const json_t *plan)
{
	const json_t *groups = json_object_get(plan, "groups");
	const json_t *waits = json_object_get(plan, "waits");

	show_groups(s, groups);
	if (json_array_size(groups) > 0 && json_array_size(waits) > 0)
		putc('\n', s->out);
	show_waits(s, plan, waits);
}

/* --- steps --- */

static void show_differences(const struct screen *s, const json_t *differences)
{
	struct buf line = BUF_INIT(16384);
	json_t *d;
	size_t i;

	json_array_foreach (differences, i, d) {
		const char *observed = text_of(d, "observed");

		buf_reset(&line);
		add_text(&line, text_of(d, "field"));
		buf_adds(&line, ": ");
		add_text(&line, *observed != '\0' ? observed : "(nothing)");
		buf_adds(&line, " -> ");
		add_text(&line, text_of(d, "wanted"));
		fprintf(s->out, "      %s\n", buf_str(&line));
	}
	buf_fini(&line);
}

static void show_step(const struct screen *s, const json_t *step)
{
	const char *held = text_of(step, "held");
	enum colour colour = *held != '\0' ? COLOUR_FAINT : COLOUR_BUSY;
	struct buf line = BUF_INIT(65536);

	add_text(&line, name_of(step));
	if (s->output == OUTPUT_WIDE)
		buf_adds(&line, " ");
	if (s->output == OUTPUT_WIDE)
		add_text(&line, text_of(step, "resource_id"));
	fprintf(s->out, "%s  ~ %s: %s%s%s%s\n", colour_begin(s, colour), text_of(step, "control"),
		buf_str(&line), *held != '\0' ? "    held: " : "", held, colour_end(s, colour));
	buf_fini(&line);
	show_differences(s, json_object_get(step, "differences"));
}

static void show_steps(const struct screen *s, const json_t *plan)
{
	json_int_t total = number_of(plan, "total");
	json_t *step;
	size_t i;

	json_array_foreach (json_object_get(plan, "steps"), i, step)
		show_step(s, step);
	if (i > 0 && (json_int_t)i < total) {
		char more[COUNT_TEXT_SIZE];

		count_format(total - (json_int_t)i, more);
		fprintf(s->out, "  (%s more: --limit N, or --limit all)\n", more);
	}
	if (i > 0)
		putc('\n', s->out);
}

/* --- the last lines --- */

static void show_gaps(const struct screen *s, const json_t *partial)
{
	json_t *text;
	size_t i;

	json_array_foreach (partial, i, text) {
		struct buf line = BUF_INIT(65536);

		add_text(&line, json_string_value(text));
		fprintf(s->out, "%sNot everything is known: %s.%s\n", colour_begin(s, COLOUR_BAD),
			buf_str(&line), colour_end(s, COLOUR_BAD));
		buf_fini(&line);
	}
}

static void show_counts(const struct screen *s, const json_t *plan)
{
	const json_t *rest = json_object_get(plan, "rest");
	struct {
		const char *text;
		json_int_t n;
	} counts[] = {
		{"to correct now", number_of(plan, "ready")},
		{"held", number_of(plan, "held")},
		{"in work", number_of(plan, "running")},
		{"waiting for their time", number_of(plan, "waiting")},
		{"need a person", number_of(rest, "blocked") + number_of(rest, "manual")},
		{"left out",
			number_of(rest, "excluded") + number_of(rest, "unsupported") +
				number_of(rest, "unreachable")},
	};

	fprintf(s->out, "%sPlan: ", colour_begin(s, COLOUR_STRONG));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		char number[COUNT_TEXT_SIZE];

		count_format(counts[i].n, number);
		fprintf(s->out, "%s%s %s", i > 0 ? ", " : "", number, counts[i].text);
	}
	fprintf(s->out, "; 0 to switch off.%s\n", colour_end(s, COLOUR_STRONG));
}

static bool changes(const json_t *plan)
{
	return number_of(plan, "total") + number_of(plan, "running") + number_of(plan, "waiting") >
		0;
}

int plan_status(const json_t *plan)
{
	if (changes(plan))
		return EXIT_CHANGES;
	if (json_array_size(json_object_get(plan, "partial")) == 0)
		return 0;
	fputs("mdcctl: nothing to correct in what is known, and not everything is known\n"
	      "mdcctl: what helps: mdcctl status\n",
		stderr);
	return EXIT_TROUBLE;
}

int show_plan(const struct screen *s, const json_t *plan)
{
	show_plan_summary(s, plan);
	if (changes(plan))
		putc('\n', s->out);
	show_steps(s, plan);
	show_gaps(s, json_object_get(plan, "partial"));
	show_counts(s, plan);
	return plan_status(plan);
}
