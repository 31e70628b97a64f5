/* SPDX-License-Identifier: Apache-2.0 */
/* Queries and rows made to exhaust or confuse: every one ends in rows or in an error. */
#include "tests/estate/test/kql_fixture.h"

#include "lib/base/buf.h"
#include "lib/base/rng.h"

static char *repeated(const char *before, const char *part, size_t count, const char *after)
{
	struct buf b = BUF_INIT((size_t)8 << 20);

	buf_adds(&b, before);
	for (size_t i = 0; i < count; i++)
		buf_adds(&b, part);
	buf_adds(&b, after);
	assert_false(buf_failed(&b));
	return buf_steal(&b);
}

static json_t *one_row(void)
{
	return json_of("{'resources': [{'id': '/1', 'name': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', "
		       "'properties': {'l': [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}]}");
}

static void refuse(const char *text, const char *code, const char *part)
{
	json_t *tables = one_row();

	assert_refused(tables, text, code, part);
	json_decref(tables);
}

static void deep_nesting_is_refused(void **state)
{
	static const struct {
		const char *before, *part, *after;
	} cases[] = {
		{"", "(", "resources"},
		{"resources | where ", "(", "true"},
		{"resources | where ", "not(", "true"},
		{"resources | extend a = ", "-", "1"},
		{"resources | extend a = tags", "[tags", ""},
		{"resources | extend a = dynamic(", "[", ""},
		{"resources | extend a = dynamic(", "{'a':", ""},
		{"resources | extend a = ", "strcat(1,", ""},
		{"resources | extend a = ", "iff(true,", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		mdc_autofree char *text =
			repeated(cases[i].before, cases[i].part, 20000, cases[i].after);

		refuse(text, "QueryLimitsExceeded", "nested too deep");
	}
}

static void long_chains_of_one_operator_are_refused_or_flat(void **state)
{
	mdc_autofree char *sum = repeated("resources | extend a = 1", " + 1", 100000, "");
	mdc_autofree char *path = repeated("resources | extend a = tags", ".a", 100000, "");
	mdc_autofree char *ors =
		repeated("resources | where name == 'b'", " or name == 'c'", 20000, " | count");
	mdc_autofree char *ands =
		repeated("resources | where true", " and true", 100000, " | count");
	json_t *tables = one_row();

	(void)state;
	refuse(sum, "QueryLimitsExceeded", "too deep");
	refuse(path, "QueryLimitsExceeded", "too deep");
	assert_rows(tables, ors, "[{'Count': 0}]");
	assert_rows(tables, ands, "[{'Count': 1}]");
	json_decref(tables);
}

static void columns_that_build_on_each_other_stay_within_the_depth(void **state)
{
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	/* 90 operators, each with 9 levels over the column of the one before. */
	buf_adds(&b, "resources | extend c0 = 1");
	for (int i = 1; i < 90; i++)
		buf_addf(&b, " | extend c%d = c%d + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1", i, i - 1);
	refuse(buf_str(&b), "QueryLimitsExceeded", "too deep");
	buf_fini(&b);
}

static void too_many_operators_and_columns_are_refused(void **state)
{
	mdc_autofree char *operators = repeated("resources", " | take 1", 101, "");
	mdc_autofree char *columns = repeated("resources | extend ", "1, ", 1000, "1");
	mdc_autofree char *aggregates =
		repeated("resources | summarize ", "count(), ", 1000, "count()");
	mdc_autofree char *keys = repeated("resources | summarize by ", "id, ", 1000, "id");
	mdc_autofree char *join = repeated("resources | join (resources) on id", ", id", 1000, "");
	mdc_autofree char *joins = repeated("resources", " | join (resources", 20000, "");
	struct buf slots = BUF_INIT(1 << 20);

	(void)state;
	refuse(operators, "QueryLimitsExceeded", "too many operators");
	refuse(joins, "QueryLimitsExceeded", "too many operators");
	refuse(columns, "InvalidQuery", "too many columns");
	refuse(aggregates, "InvalidQuery", "too many");
	refuse(keys, "InvalidQuery", "too many columns");
	refuse(join, "InvalidQuery", "too many conditions");
	/* Columns that are replaced over and over. */
	buf_adds(&slots, "resources");
	for (int i = 0; i < 50; i++) {
		buf_adds(&slots, " | extend x = 1");
		for (int k = 0; k < 60; k++)
			buf_addf(&slots, ", y%d = strlen(id)", k);
	}
	refuse(buf_str(&slots), "QueryLimitsExceeded", "too many columns");
	buf_fini(&slots);
}

static void text_of_a_megabyte_is_read_and_more_is_refused(void **state)
{
	mdc_autofree char *list =
		repeated("resources | where name in ('x'", ", 'abcdefghijkl'", 60000, ") | count");
	mdc_autofree char *string =
		repeated("resources | project n = strlen('", "0123456789", 100000, "')");
	mdc_autofree char *comment = repeated("resources // ", "x", 1000000, "");
	mdc_autofree char *longer = repeated("resources | where ", "          ", 105000, "true");
	mdc_autofree char *name = repeated("resources | extend ", "a", 1025, " = 1");
	mdc_autofree char *garbage = repeated("", "}{", 500000, "");
	json_t *tables = one_row();
	struct kql_result result;

	(void)state;
	assert_rows(tables, list, "[{'Count': 0}]");
	assert_rows(tables, string, "[{'n': 1000000}]");
	run_query(tables, comment, &result);
	assert_int_equal(json_array_size(result.rows), 1);
	kql_result_fini(&result);
	json_decref(tables);
	refuse(longer, "QueryLimitsExceeded", "longer than 1048576 bytes");
	refuse(name, "ParserFailure", "token 'aaaaaaaa");
	refuse(garbage, "ParserFailure", "token '}'");
}

static void lists_of_many_values_are_looked_up(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	json_t *rows = json_array(), *tables;

	(void)state;
	for (int i = 0; i < 20000; i++)
		json_array_append_new(rows, json_pack("{s:o}", "id", json_sprintf("/ID/%d", i)));
	tables = json_pack("{s:o}", "resources", rows);
	buf_adds(&b, "resources | where id in~ ('/id/x'");
	for (int i = 0; i < 40000; i += 2)
		buf_addf(&b, ",'/id/%d'", i);
	buf_adds(&b, ") | count");
	assert_rows(tables, buf_str(&b), "[{'Count': 10000}]");
	buf_fini(&b);
	json_decref(tables);
}

static void texts_that_grow_without_bound_end_the_run(void **state)
{
	mdc_autofree char *sixteen = repeated("strcat(name", ", name", 15, ")");
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	buf_addf(&b, "resources | extend name = %s", sixteen);
	for (int i = 0; i < 6; i++)
		buf_addf(&b, " | extend name = %s", sixteen);
	buf_adds(&b, " | project n = strlen(name)");
	refuse(buf_str(&b), "QueryLimitsExceeded", "needs more memory or time");
	buf_reset(&b);
	buf_adds(&b, "resources");
	for (int i = 0; i < 12; i++)
		buf_adds(&b, " | extend name = replace_string(name, 'a', 'aaaaaaaa')");
	buf_adds(&b, " | project n = strlen(name)");
	refuse(buf_str(&b), "QueryLimitsExceeded", "needs more memory or time");
	buf_fini(&b);
}

static void values_that_grow_without_bound_end_the_run(void **state)
{
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	buf_adds(&b, "resources | extend p = properties.l");
	for (int i = 0; i < 30; i++)
		buf_adds(&b, " | extend p = pack_array(p, p)");
	buf_adds(&b, " | project n = string_size(tostring(p))");
	refuse(buf_str(&b), "QueryLimitsExceeded", "needs more memory or time");
	buf_fini(&b);
}

static void rows_that_multiply_end_the_run(void **state)
{
	json_t *rows = json_array(), *tables;

	(void)state;
	for (int i = 0; i < 30000; i++)
		json_array_append_new(rows, json_pack("{s:s}", "name", "same"));
	tables = json_pack("{s:o}", "resources", rows);
	assert_refused(tables, "resources | join kind=inner (resources) on name | count",
		"QueryLimitsExceeded", "needs more memory or time");
	json_decref(tables);
}

static void a_slow_pattern_over_long_text_ends_the_run(void **state)
{
	mdc_autofree char *text = repeated("", "a", 2000000, "");
	json_t *tables = json_pack("{s:[{s:o}]}", "resources", "name", json_string(text));

	(void)state;
	assert_refused(tables, "resources | where name matches regex '(a{900}|b){4}$' | count",
		"QueryLimitsExceeded", "needs more memory or time");
	assert_refused(tables, "resources | project n = indexof(name, 'a', 0, -1, 900000000000)",
		"QueryLimitsExceeded", "needs more memory or time");
	json_decref(tables);
}

static void deep_json_is_walked(void **state)
{
	mdc_autofree char *deep = repeated("", "[", 2000, "");
	mdc_autofree char *json = repeated(deep, "]", 2000, "");
	json_t *value = json_loads(json, 0, NULL), *tables;

	(void)state;
	assert_non_null(value);
	tables = json_pack("{s:[{s:o, s:s}]}", "resources", "properties", value, "name", json);
	assert_rows(tables,
		"resources | extend t = tostring(properties), q = parse_json(name) | project a = "
		"strlen(t), b = q == properties, c = hash(tostring(q)) == hash(t)",
		"[{'a': 4000, 'b': true, 'c': true}]");
	json_decref(tables);
}

/* Every prefix of a good query, and every query with one byte changed, gives an answer. */
static void damaged_queries_are_refused_or_run(void **state)
{
	static const char text[] =
		"resources // c\n| where type =~ 'a' and id !in~ ('x', \"y\") or "
		"not(isempty(name))\n"
		"| extend p = split(tolower(id), '/')[0], n = 0x1F + 1.5e2 % 3, t = now() - "
		"10m\n| mv-expand x = properties.l limit 9 | summarize c = count(), "
		"make_list(strcat(name, x), 5) by name, bool(true)\n| join kind=leftouter "
		"(resources | project name, ['q r'] = @'v''w') on $left.name == $right.name\n"
		"| project-away n*, c | order by ['q r'] asc nulls last | top 3 by ['q r']";
	json_t *tables = one_row();
	struct rng rng;
	char damaged[sizeof(text)];

	(void)state;
	rng_seed(&rng, 7);
	for (size_t i = 0; i < 2 * sizeof(text); i++) {
		struct kql_query *q;
		struct kql_error error;
		struct kql_result result;

		memcpy(damaged, text, sizeof(text));
		if (i < sizeof(text))
			damaged[i] = '\0';
		else
			damaged[rng_below(&rng, sizeof(text) - 1)] =
				(char)(' ' + rng_below(&rng, 95));
		if (kql_parse(damaged, &q, &error) != 0) {
			assert_non_null(error.code);
			assert_true(error.text[0] != '\0');
			continue;
		}
		if (kql_run(q, fixture_table, tables, FIXTURE_NOW, &result, &error) == 0)
			kql_result_fini(&result);
		kql_free(q);
	}
	json_decref(tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(long_chains_of_one_operator_are_refused_or_flat),
		cmocka_unit_test(columns_that_build_on_each_other_stay_within_the_depth),
		cmocka_unit_test(too_many_operators_and_columns_are_refused),
		cmocka_unit_test(text_of_a_megabyte_is_read_and_more_is_refused),
		cmocka_unit_test(lists_of_many_values_are_looked_up),
		cmocka_unit_test(texts_that_grow_without_bound_end_the_run),
		cmocka_unit_test(values_that_grow_without_bound_end_the_run),
		cmocka_unit_test(rows_that_multiply_end_the_run),
		cmocka_unit_test(a_slow_pattern_over_long_text_ends_the_run),
		cmocka_unit_test(deep_json_is_walked),
		cmocka_unit_test(damaged_queries_are_refused_or_run),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
