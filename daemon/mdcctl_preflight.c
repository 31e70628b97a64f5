/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"

#include <time.h>
#include <unistd.h>

/* The daemon answers at once and goes on asking Azure: between two looks. */
#define LOOK_EVERY_MS 200

static void tell_progress(const json_t *report)
{
	if (isatty(STDERR_FILENO) != 1)
		return;
	if (json_is_true(json_object_get(report, "waiting")))
		fputs("\rwaiting for the first observation   ", stderr);
	else
		fprintf(stderr, "\r%lld of %lld subscriptions   ",
			(long long)number_of(report, "done"),
			(long long)number_of(report, "total"));
	if (json_is_true(json_object_get(report, "finished")))
		fputs("\r                                    \r", stderr);
}

static json_t *look_again(struct link *l, json_t *take_report)
{
	static const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
	json_t *arguments = json_pack("{s:O}", "run", json_object_get(take_report, "run"));
	json_t *report;

	json_decref(take_report);
	nanosleep(&pause, NULL);
	report = link_ask(l, "preflight", arguments);
	json_decref(arguments);
	return report;
}

json_t *preflight(struct link *l)
{
	json_t *report = link_ask(l, "preflight", NULL);

	while (report != NULL) {
		tell_progress(report);
		if (json_is_true(json_object_get(report, "finished")))
			break;
		report = look_again(l, report);
	}
	return report;
}

int preflight_status(const json_t *report)
{
	const char *verdict = text_of(report, "verdict");

	if (str_equal(verdict, "good"))
		return 0;
	return str_equal(verdict, "missing") ? EXIT_CHANGES : EXIT_TROUBLE;
}

/* "prod-1, prod-2 and 98 more". */
static void add_subscriptions(struct buf *b, const struct screen *s, const json_t *finding)
{
	const json_t *list = json_object_get(finding, "subscriptions");
	json_int_t count = number_of(finding, "subscription_count");
	size_t most = s->output == OUTPUT_WIDE ? json_array_size(list) : 3, i;
	json_t *one;

	json_array_foreach (list, i, one) {
		const char *name = text_of(one, "name"), *id = text_of(one, "id");

		if (i == most)
			break;
		buf_addf(b, "%s%s", i > 0 ? ", " : "",
			s->output == OUTPUT_WIDE || *name == '\0' ? id : name);
	}
	if ((json_int_t)i < count)
		buf_addf(b, " and %lld more", (long long)(count - (json_int_t)i));
}

static void show_line(const struct screen *s, const char *key, const char *value)
{
	struct buf escaped = BUF_INIT(1 << 20);

	add_text(&escaped, value);
	if (escaped.len > 0)
		fprintf(s->out, "  %-11s %s\n", key, buf_str(&escaped));
	buf_fini(&escaped);
}

/* What helps is there to be copied: it is never cut, and stands in a line of its own. */
static void show_finding(const struct screen *s, const json_t *finding, enum colour c)
{
	struct buf where = BUF_INIT(1 << 20);
	char machines[COUNT_TEXT_SIZE] = "";

	add_text(&where, text_of(finding, "what"));
	fprintf(s->out, "%s%s%s: %s\n", colour_begin(s, c), text_of(finding, "kind"),
		colour_end(s, c), buf_str(&where));
	buf_reset(&where);
	add_subscriptions(&where, s, finding);
	if (number_of(finding, "machines") > 0)
		count_format(number_of(finding, "machines"), machines);
	show_line(s, "in", buf_str(&where));
	show_line(s, "machines", machines);
	show_line(s, "identity", text_of(finding, "identity"));
	show_line(s, "what helps", text_of(finding, "help"));
	buf_fini(&where);
}

static void show_findings(const struct screen *s, const json_t *report, const char *key,
	const char *title, enum colour c)
{
	const json_t *list = json_object_get(report, key);
	json_t *finding;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	fprintf(s->out, "%s%s%s\n\n", colour_begin(s, COLOUR_STRONG), title,
		colour_end(s, COLOUR_STRONG));
	json_array_foreach (list, i, finding) {
		show_finding(s, finding, c);
		putc('\n', s->out);
	}
}

/* Nothing that is written needs it. */
static void show_not_proven(const struct screen *s, const json_t *texts)
{
	json_t *text;
	size_t i;

	if (json_array_size(texts) == 0)
		return;
	fprintf(s->out, "%sNot proven:%s\n\n", colour_begin(s, COLOUR_STRONG),
		colour_end(s, COLOUR_STRONG));
	json_array_foreach (texts, i, text)
		show_line(s, "sensors", json_string_value(text));
	putc('\n', s->out);
}

int show_preflight(const struct screen *s, const json_t *report)
{
	long long total = (long long)number_of(report, "total");
	json_int_t dropped = number_of(report, "dropped");

	show_findings(s, report, "missing", "Missing:", COLOUR_BAD);
	show_findings(s, report, "unread", "Not known:", COLOUR_BUSY);
	show_not_proven(s, json_object_get(report, "unproven"));
	if (dropped > 0)
		fprintf(s->out, "(and %lld findings that are not listed)\n", (long long)dropped);
	switch (preflight_status(report)) {
	case 0: fprintf(s->out, "Nothing is missing in %lld subscriptions.\n", total); return 0;
	case EXIT_CHANGES:
		fprintf(s->out, "%zu things are missing in %lld subscriptions.\n",
			json_array_size(json_object_get(report, "missing")), total);
		return EXIT_CHANGES;
	default:
		fprintf(s->out, "Not everything could be read in %lld subscriptions.\n", total);
		return EXIT_TROUBLE;
	}
}
