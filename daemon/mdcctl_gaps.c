/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"

/* --- for people --- */

static void gap_row(struct table *t, const struct screen *s, const json_t *gaps, const json_t *row)
{
	char seen[AGE_TEXT_SIZE];
	const char *device = text_of(row, "device"), *machine = text_of(row, "machine");

	if (s->output == OUTPUT_WIDE) {
		snprintf(seen, sizeof(seen), "%s", text_of(row, "last_seen"));
		table_row(t,
			(const char *const[]){text_of(row, "gap"), device,
				text_of(row, "device_id"), text_of(row, "resource_id"),
				text_of(row, "scope"), text_of(row, "platform"),
				text_of(row, "sensor_version"), seen, text_of(row, "sentence")});
		return;
	}
	age_of(gaps, row, "last_seen", seen);
	table_row(t,
		(const char *const[]){text_of(row, "gap"),
			*device != '\0' ? device : text_of(row, "device_id"), machine,
			text_of(row, "subscription_name"), seen, text_of(row, "sentence")});
}

void tell_unproven(const json_t *gaps)
{
	json_t *text;
	size_t i;

	json_array_foreach (json_object_get(gaps, "unproven"), i, text) {
		struct buf line = BUF_INIT(65536);

		add_text(&line, json_string_value(text));
		fprintf(stderr, "mdcctl: not known: %s\n", buf_str(&line));
		buf_fini(&line);
	}
}

static json_int_t sum_of(const json_t *totals)
{
	json_int_t sum = 0;
	const char *kind;
	json_t *n;

	json_object_foreach ((json_t *)totals, kind, n)
		sum += json_integer_value(n);
	return sum;
}

static void show_rows(const struct screen *s, const json_t *gaps)
{
	static const char *const narrow[] = {
		"GAP", "DEVICE", "MACHINE", "SUBSCRIPTION", "SEEN", "WHY", NULL};
	static const char *const wide[] = {"GAP", "DEVICE", "DEVICE ID", "RESOURCE", "SCOPE",
		"PLATFORM", "SENSOR", "SEEN", "WHY", NULL};
	struct table *t = table_new(s->output == OUTPUT_WIDE ? wide : narrow);
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(gaps, "gaps"), i, row)
		gap_row(t, s, gaps, row);
	table_print(t, s);
	table_free(t);
}

int show_inventory_gaps(const struct screen *s, const json_t *gaps)
{
	static const char *const columns[] = {"gap", "device", "device_id", "platform",
		"sensor_version", "last_seen", "machine", "resource_id", "subscription",
		"subscription_name", "scope", "tenant", "sentence", NULL};
	json_int_t shown = (json_int_t)json_array_size(json_object_get(gaps, "gaps"));
	json_int_t total = sum_of(json_object_get(gaps, "totals"));

	if (s->output == OUTPUT_CSV)
		csv_print(s, columns, json_object_get(gaps, "gaps"));
	else
		show_rows(s, gaps);
	tell_unproven(gaps);
	/* Not among the rows, which may be counted. */
	if (shown < total)
		fprintf(stderr, "mdcctl: %lld more: --limit N, or --limit all\n",
			(long long)(total - shown));
	return 0;
}
