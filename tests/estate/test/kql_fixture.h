/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_fixture: runs a query over JSON tables and compares its rows. JSON is written with single
 * quotes, which become double ones.
 */
#ifndef MDC_TEST_KQL_FIXTURE_H
#define MDC_TEST_KQL_FIXTURE_H

#include "tests/estate/kql.h"

#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAYBE_UNUSED __attribute__((unused))

/* 2026-11-24T12:00:00Z */
#define FIXTURE_NOW ((struct wall){INT64_C(1795521600000)})

MAYBE_UNUSED static json_t *json_of(const char *text)
{
	char *copy = xstrdup(text);
	json_error_t error;
	json_t *json;

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(copy, JSON_DECODE_ANY, &error);
	if (json == NULL)
		fail_msg("%s in %s", error.text, text);
	free(copy);
	return json;
}

/* `ctx` is an object of tables. */
MAYBE_UNUSED static const json_t *fixture_table(void *ctx, const char *name)
{
	return json_object_get(ctx, name);
}

/* Runs what must parse and run. */
MAYBE_UNUSED static void run_query(json_t *tables, const char *text, struct kql_result *ret)
{
	struct kql_query *q;
	struct kql_error error;

	if (kql_parse(text, &q, &error) != 0)
		fail_msg("%s: %s\n%s", error.code, error.text, text);
	if (kql_run(q, fixture_table, tables, FIXTURE_NOW, ret, &error) != 0)
		fail_msg("%s: %s\n%s", error.code, error.text, text);
	assert_null(kql_free(q));
}

MAYBE_UNUSED static void assert_json(const json_t *got, const json_t *want, const char *about)
{
	char *got_text, *want_text;

	if (json_equal(got, want))
		return;
	got_text = json_dumps(got, JSON_ENCODE_ANY | JSON_COMPACT);
	want_text = json_dumps(want, JSON_ENCODE_ANY | JSON_COMPACT);
	print_message("# got  %s\n# want %s\n", got_text, want_text);
	free(got_text);
	free(want_text);
	fail_msg("%s", about);
}

/* The query gives these rows in this order. */
MAYBE_UNUSED static void assert_rows(json_t *tables, const char *text, const char *want)
{
	json_t *rows = json_of(want);
	struct kql_result result;

	run_query(tables, text, &result);
	assert_json(result.rows, rows, text);
	json_decref(rows);
	kql_result_fini(&result);
}

/* The query is refused, when it is parsed or when it is run, with that code and text. */
MAYBE_UNUSED static void assert_refused(
	json_t *tables, const char *text, const char *code, const char *part)
{
	struct kql_query *q;
	struct kql_error error;
	struct kql_result result;
	int failed = kql_parse(text, &q, &error);

	if (failed == 0) {
		failed = kql_run(q, fixture_table, tables, FIXTURE_NOW, &result, &error);
		kql_free(q);
	}
	if (failed == 0) {
		kql_result_fini(&result);
		fail_msg("not refused: %.200s", text);
	}
	assert_int_equal(failed, -EINVAL);
	if (strcmp(error.code, code) != 0 || strstr(error.text, part) == NULL)
		fail_msg("%s: %s\nof %.200s", error.code, error.text, text);
}

#endif
