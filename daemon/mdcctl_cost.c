/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"

#include <string.h>

/* --- amounts --- */

#define AMOUNT_TEXT_SIZE 64
/* "1,234.57", rounded for people; exact ones are in JSON and CSV. "" where it is not known. */
static void amount_of(const json_t *row, const char *key, char ret[static AMOUNT_TEXT_SIZE])
{
	const char *text = text_of(row, key), *point = strchr(text, '.');
	char digits[24], whole[COUNT_TEXT_SIZE];
	uint64_t hundredths = 0;
	size_t len;

	*ret = '\0';
	if (point == NULL || strlen(point) < 3)
		return;
	len = (size_t)(point - text) - (*text == '-');
	snprintf(digits, sizeof(digits), "%.*s%.2s", (int)len, text + (*text == '-'), point + 1);
	if (len > 16 || str_parse_u64(digits, INT64_MAX / 10, &hundredths) != 0)
		return;
	hundredths += point[3] >= '5';
	count_format((json_int_t)(hundredths / 100), whole);
	snprintf(ret, AMOUNT_TEXT_SIZE, "%s%s.%02u", *text == '-' && hundredths > 0 ? "-" : "",
		whole, (unsigned)(hundredths % 100));
}

/* --- tables --- */

#define SUM_TITLES \
	">MACHINES", ">P2", ">P1", ">NO PLAN", ">DISCONNECTED", ">UNKNOWN", ">TWICE", ">TO BILL", \
		">LICENCES", ">A MONTH", ">WHEN REACHED"
#define SUMS 11

struct sum_cells {
	char text[SUMS][AMOUNT_TEXT_SIZE];
};

static void read_sum(const json_t *row, struct sum_cells *ret)
{
	static const char *const counts[] = {"machines", "p2", "p1", "none", "disconnected",
		"unknown", "twice", "to_bill", "licences"};

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		char count[COUNT_TEXT_SIZE];

		count_format(number_of(row, counts[i]), count);
		snprintf(ret->text[i], sizeof(ret->text[i]), "%s",
			number_of(row, counts[i]) > 0 || i == 0 ? count : "");
	}
	amount_of(row, "month_now", ret->text[SUMS - 2]);
	amount_of(row, "month_when_reached", ret->text[SUMS - 1]);
}

static void sum_row(struct table *t, const char *name, const json_t *row)
{
	struct sum_cells c;

	read_sum(row, &c);
	table_row(t,
		(const char *const[]){name, c.text[0], c.text[1], c.text[2], c.text[3], c.text[4],
			c.text[5], c.text[6], c.text[7], c.text[8], c.text[9], c.text[10]});
}

static void show_scopes(const struct screen *s, const json_t *cost)
{
	static const char *const titles[] = {"SCOPE", SUM_TITLES, NULL};
	struct table *t = table_new(titles);
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(cost, "scopes"), i, row)
		sum_row(t, *text_of(row, "scope") != '\0' ? text_of(row, "scope") : "(none)", row);
	sum_row(t, "total", json_object_get(cost, "total"));
	table_print(t, s);
	table_free(t);
}

static void show_subscriptions(const struct screen *s, const json_t *rows)
{
	static const char *const titles[] = {
		"SUBSCRIPTION", "SCOPE", "PLAN", "POLICY", SUM_TITLES, NULL};
	struct table *t = table_new(titles);
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		struct sum_cells c;

		read_sum(row, &c);
		table_row(t,
			(const char *const[]){s->output == OUTPUT_WIDE
					? text_of(row, "subscription")
					: name_of(row),
				text_of(row, "scope"), text_of(row, "plan"),
				text_of(row, "plan_when_reached"), c.text[0], c.text[1], c.text[2],
				c.text[3], c.text[4], c.text[5], c.text[6], c.text[7], c.text[8],
				c.text[9], c.text[10]});
	}
	table_print(t, s);
	table_free(t);
}

static const char *why_of(const json_t *row)
{
	return *text_of(row, "twice_sentence") != '\0' ? text_of(row, "twice_sentence")
						       : text_of(row, "sentence");
}

static void show_machines(const struct screen *s, const json_t *rows)
{
	static const char *const narrow[] = {
		"MACHINE", "SUBSCRIPTION", "BILLED", "PLAN OF", "POLICY", "TWICE", "WHY", NULL};
	static const char *const wide[] = {
		"RESOURCE", "SCOPE", "BILLED", "PLAN OF", "POLICY", "TWICE", "OTHER", "WHY", NULL};
	struct table *t = table_new(s->output == OUTPUT_WIDE ? wide : narrow);
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (s->output == OUTPUT_WIDE)
			table_row(t,
				(const char *const[]){text_of(row, "resource_id"),
					text_of(row, "scope"), text_of(row, "billed"),
					text_of(row, "plan_of"),
					text_of(row, "billed_when_reached"), text_of(row, "twice"),
					text_of(row, "other"), why_of(row)});
		else
			table_row(t,
				(const char *const[]){text_of(row, "machine"),
					text_of(row, "subscription_name"), text_of(row, "billed"),
					text_of(row, "plan_of"),
					text_of(row, "billed_when_reached"), text_of(row, "twice"),
					why_of(row)});
	table_print(t, s);
	table_free(t);
}

/* --- what stands below --- */

static void show_change(const struct screen *s, const json_t *cost)
{
	const json_t *total = json_object_get(cost, "total");
	const char *currency = text_of(json_object_get(cost, "prices"), "currency");
	char change[AMOUNT_TEXT_SIZE], line[256];

	amount_of(total, "month_change", change);
	if (*change == '\0')
		return;
	snprintf(line, sizeof(line), "%s%s %s a month, once every policy is reached",
		*change == '-' ? "" : "+", change, currency);
	say(s, "change", line);
}

static void show_prices(const struct screen *s, const json_t *prices)
{
	static const struct {
		const char *key, *what;
	} rows[] = {{"p1_per_hour", "an hour of P1"}, {"p2_per_hour", "an hour of P2"},
		{"mde_per_month", "a month of Defender for Endpoint"}};
	struct buf line = BUF_INIT(1024);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (*text_of(prices, rows[i].key) != '\0')
			buf_addf(&line, "%s%s %s for %s", line.len > 0 ? ", " : "",
				text_of(prices, rows[i].key), text_of(prices, "currency"),
				rows[i].what);
	say(s, "prices", buf_str(&line));
	buf_fini(&line);
}

static void show_plans(const struct screen *s, const json_t *plans)
{
	json_t *plan;
	size_t i;

	json_array_foreach (plans, i, plan)
		say(s, text_of(plan, "plan"), text_of(plan, "includes"));
}

static void show_below(const struct screen *s, const json_t *cost)
{
	json_t *text;
	size_t i;

	putc('\n', s->out);
	show_change(s, cost);
	show_prices(s, json_object_get(cost, "prices"));
	show_plans(s, json_object_get(cost, "plans"));
	json_array_foreach (json_object_get(cost, "assumptions"), i, text)
		say(s, "assumed", json_string_value(text));
	if (number_of(json_object_get(cost, "total"), "twice") > 0)
		say(s, "next", "mdcctl cost --by machine --kind twice");
}

/* --- for spreadsheets --- */

static void show_csv(const struct screen *s, const json_t *cost)
{
	static const char *const machines[] = {"machine", "resource_id", "subscription",
		"subscription_name", "scope", "billed", "plan", "plan_of", "billed_when_reached",
		"plan_when_reached", "twice", "other", "sentence", "twice_sentence", NULL};
	static const char *const subscriptions[] = {"subscription", "subscription_name", "scope",
		"plan", "plan_when_reached", "machines", "p2", "p1", "none", "disconnected",
		"unknown", "to_bill", "twice_licence", "twice_same_name", "licences",
		"p2_when_reached", "p1_when_reached", "licences_when_reached", "month_now",
		"month_when_reached", "month_change", NULL};

	csv_print(s, str_equal(text_of(cost, "by"), "machine") ? machines : subscriptions,
		json_object_get(cost, "rows"));
}

int show_cost(const struct screen *s, const json_t *cost)
{
	const json_t *rows = json_object_get(cost, "rows");
	json_int_t more = number_of(cost, "selected") - (json_int_t)json_array_size(rows);

	if (s->output == OUTPUT_CSV) {
		show_csv(s, cost);
	} else if (str_equal(text_of(cost, "by"), "machine")) {
		show_machines(s, rows);
	} else {
		show_scopes(s, cost);
		putc('\n', s->out);
		show_subscriptions(s, rows);
		show_below(s, cost);
	}
	tell_unproven(cost);
	/* Not among the rows, which may be counted. */
	if (more > 0)
		fprintf(stderr, "mdcctl: %lld more: --limit N, or --limit all\n", (long long)more);
	return 0;
}
