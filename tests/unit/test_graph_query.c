/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/graph_query.h"

#include "lib/azure/arm_document.h"
#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- questions --- */

static void a_partition_filter_stands_before_the_projection(void **state)
{
	(void)state;
	for (unsigned t = 0; t < GRAPH_TABLE_N_; t++) {
		char *whole = graph_query_text((enum graph_table)t, 1, 0);
		char *part = graph_query_text((enum graph_table)t, 143, 142);
		const char *filter = strstr(part, "| where hash(tolower(id)) % 143 == 142\n");

		assert_null(strstr(whole, "hash("));
		assert_non_null(filter);
		assert_true(
			strstr(part, "| project") > filter || strstr(part, "| summarize") > filter);
		assert_int_equal(strlen(part), strlen(whole) + 39);
		free(whole);
		free(part);
	}
}

static void no_partition_and_one_partition_ask_the_same(void **state)
{
	char *none = graph_query_text(GRAPH_MACHINES, 0, 0);
	char *one = graph_query_text(GRAPH_MACHINES, 1, 0);

	(void)state;
	assert_string_equal(none, one);
	free(none);
	free(one);
}

static void values_travel_in_the_body_and_not_in_the_query(void **state)
{
	static const char *const subscriptions[] = {
		"11111111-aaaa-bbbb-cccc-222222222222", "'; drop"};
	struct arm_request r;

	(void)state;
	graph_request(GRAPH_EXTENSIONS, 7, 3, subscriptions, 2, "token==", &r);
	assert_string_equal(r.method, "POST");
	assert_string_equal(
		r.path, "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01");
	assert_int_equal(r.quota, ARM_QUOTA_GRAPH);
	assert_string_equal(r.subscription, "");
	assert_null(strstr(json_text(r.body, "query"), "drop"));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(r.body, "subscriptions"), 1)),
		"'; drop");
	assert_string_equal(json_path_text(r.body, "options.$skipToken"), "token==");
	assert_string_equal(json_path_text(r.body, "options.resultFormat"), "objectArray");
	assert_int_equal(json_integer_value(json_path(r.body, "options.$top")), GRAPH_PAGE_ROWS);
	arm_request_fini(&r);
	graph_request(GRAPH_SUBSCRIPTIONS, 0, 0, NULL, 0, NULL, &r);
	assert_null(json_object_get(r.body, "subscriptions"));
	assert_null(json_path(r.body, "options.$skipToken"));
	arm_request_fini(&r);
}

static void reads_rows_of_counts(void **state)
{
	static const struct {
		const char *row;
		int result;
	} rows[] = {
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":5,"
		 "\"extensions\":0}",
			0},
		{"{\"subscriptionId\":\"x\",\"machines\":5,\"extensions\":0}", -EINVAL},
		{"{\"subscriptionId\":null,\"machines\":5,\"extensions\":0}", -EINVAL},
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":-1,"
		 "\"extensions\":0}",
			-EINVAL},
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":\"5\","
		 "\"extensions\":0}",
			-EINVAL},
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":5.0,"
		 "\"extensions\":0}",
			-EINVAL},
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":5}",
			-EINVAL},
		{"[]", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *row = json_loads(rows[i].row, 0, NULL);
		struct graph_count c = {.machines = 77};

		assert_int_equal(graph_count_read(row, &c), rows[i].result);
		assert_int_equal(c.machines, rows[i].result == 0 ? 5 : 77);
		json_decref(row);
	}
}

/* --- answers --- */

struct seen {
	unsigned rows;
	unsigned stop_at; /* 0: never */
	char names[256];
};

static int take_row(void *ctx, const json_t *row)
{
	struct seen *seen = ctx;
	const char *name = json_text(row, "n");

	seen->rows++;
	if (name != NULL)
		strncat(seen->names, name, sizeof(seen->names) - strlen(seen->names) - 1);
	return seen->rows == seen->stop_at ? -ECANCELED : 0;
}

static int read_page(const char *body, struct seen *seen, struct graph_page *ret)
{
	/* A copy without a terminator, so that a reader that goes too far is caught. */
	size_t len = strlen(body);
	char *copy = xmemdup(body, len);
	int result = graph_page_read(copy, len, take_row, seen, ret);

	free(copy);
	return result;
}

#define HEAD "\"totalRecords\":2,\"count\":2,\"resultTruncated\":\"false\""
#define DATA "\"data\":[{\"n\":\"a\"},{\"n\":\"b\"}]"

static void rows_may_stand_before_between_and_after_the_counts(void **state)
{
	static const char *const rows[] = {
		"{" HEAD "," DATA "}",
		"{" DATA "," HEAD "}",
		"{\"totalRecords\":2," DATA ",\"count\":2,\"resultTruncated\":\"false\"}",
		" {\n" HEAD " , " DATA ",\"facets\":[]\t}\r\n",
		"\xef\xbb\xbf{" HEAD "," DATA "}",
		"{" HEAD ",\"$skipToken\":null," DATA "}",
		"{" HEAD ",\"$skipToken\":\"\"," DATA "}",
		"{" HEAD ",\"new\":{\"deep\":[[1,2],{\"data\":[]}]}," DATA "}",
		"{" HEAD ",\"da\\u0074a\":[{\"n\":\"a\"},{\"n\":\"b\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen seen = {0};
		struct graph_page page;

		if (read_page(rows[i], &seen, &page) != 0)
			fail_msg("%s", rows[i]);
		assert_string_equal(seen.names, "ab");
		assert_int_equal(page.rows, 2);
		assert_int_equal(page.count, 2);
		assert_int_equal(page.total_records, 2);
		assert_false(page.truncated);
		assert_null(page.skip_token);
		graph_page_fini(&page);
	}
}

static void says_when_an_answer_may_not_be_whole(void **state)
{
	static const struct {
		const char *body;
		bool truncated;
		const char *token;
	} rows[] = {
		{"{\"totalRecords\":0,\"count\":0,\"resultTruncated\":\"false\",\"data\":[]}",
			false, NULL},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":\"true\",\"$skipToken\":"
		 "\"t\","
		 "\"data\":[{}]}",
			false, "t"},
		{"{\"totalRecords\":5,\"count\":0,\"resultTruncated\":\"false\",\"$skipToken\":"
		 "\"t\","
		 "\"data\":[]}",
			false, "t"},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":\"true\",\"data\":[{}]}",
			true, NULL},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":true,\"data\":[{}]}", true,
			NULL},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":\"maybe\",\"data\":[{}]}",
			true, NULL},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":null,\"data\":[{}]}", true,
			NULL},
		{"{\"totalRecords\":5,\"count\":1,\"data\":[{}]}", true, NULL},
		{"{\"totalRecords\":2,\"count\":2,\"resultTruncated\":\"false\",\"data\":[{}]}",
			true, NULL},
		{"{\"totalRecords\":2,\"count\":2,\"resultTruncated\":\"false\",\"$skipToken\":"
		 "\"t\","
		 "\"data\":[{}]}",
			true, "t"},
		{"{\"totalRecords\":0,\"count\":0,\"resultTruncated\":\"false\",\"data\":[{}]}",
			true, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen seen = {0};
		struct graph_page page;

		assert_int_equal(read_page(rows[i].body, &seen, &page), 0);
		if (page.truncated != rows[i].truncated)
			fail_msg("%s", rows[i].body);
		assert_true(str_equal(page.skip_token, rows[i].token));
		graph_page_fini(&page);
	}
}

static void refuses_what_the_service_does_not_send(void **state)
{
	static const char *const rows[] = {
		"",
		"   ",
		"\xef\xbb\xbf",
		"null",
		"[]",
		"{}",
		"<html>",
		"{" HEAD "}",
		"{" DATA "}",
		"{\"count\":2,\"resultTruncated\":\"false\"," DATA "}",
		"{\"totalRecords\":2,\"resultTruncated\":\"false\"," DATA "}",
		/* The table format. */
		"{" HEAD
		",\"data\":{\"columns\":[{\"name\":\"n\",\"type\":\"string\"}],\"rows\":[[\"a\"]"
		"]}}",
		"{" HEAD ",\"data\":null}",
		"{" HEAD ",\"data\":\"\"}",
		"{" HEAD ",\"data\":[[\"a\"],[\"b\"]]}",
		"{" HEAD ",\"data\":[{},null]}",
		"{" HEAD ",\"data\":[{},]}",
		"{" HEAD ",\"data\":[,{}]}",
		"{" HEAD ",\"data\":[{}{}]}",
		"{" HEAD ",\"data\":[{}}",
		/* Members that come twice. */
		"{" HEAD "," DATA "," DATA "}",
		"{" HEAD "," DATA ",\"data\":[]}",
		"{" HEAD ",\"count\":2," DATA "}",
		"{" HEAD ",\"totalRecords\":2," DATA "}",
		"{" HEAD ",\"resultTruncated\":\"false\"," DATA "}",
		"{" HEAD ",\"$skipToken\":\"a\",\"$skipToken\":\"b\"," DATA "}",
		/* Numbers that are none, or too big. */
		"{\"totalRecords\":99999999999999999999,\"count\":2,\"resultTruncated\":"
		"\"false\"," DATA "}",
		"{\"totalRecords\":-1,\"count\":2,\"resultTruncated\":\"false\"," DATA "}",
		"{\"totalRecords\":2,\"count\":2.0,\"resultTruncated\":\"false\"," DATA "}",
		"{\"totalRecords\":2,\"count\":\"2\",\"resultTruncated\":\"false\"," DATA "}",
		"{\"totalRecords\":2,\"count\":1e3,\"resultTruncated\":\"false\"," DATA "}",
		"{" HEAD ",\"data\":[{\"n\":1e999},{}]}",
		"{" HEAD ",\"data\":[{\"n\":\"\xff\"},{}]}",
		/* What follows. */
		"{" HEAD "," DATA "}x",
		"{" HEAD "," DATA "}{}",
		"{" HEAD "," DATA ",}",
		"{," HEAD "," DATA "}",
		"{" HEAD "," DATA "]",
		"{" HEAD " " DATA "}",
		"{count:2}",
		"{5:2}",
		"{\"count\" 2}",
		"{\"count\":}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen seen = {0};
		struct graph_page page = {.rows = 77};

		if (read_page(rows[i], &seen, &page) != -EBADMSG)
			fail_msg("row %zu: %s", i, rows[i]);
		assert_int_equal(page.rows, 77);
	}
}

static void an_answer_cut_at_any_byte_is_no_answer(void **state)
{
	static const char body[] = "{\"totalRecords\":3,\"count\":3,\"data\":[{\"n\":\"a\",\"t\":{"
				   "\"x\":[1,true]}},{\"n\":"
				   "\"\\u00e4\xc3\xa4\"},{}],\"facets\":[],\"resultTruncated\":"
				   "\"false\",\"$skipToken\":"
				   "\"abc\"}";

	(void)state;
	for (size_t len = 0; len < sizeof(body); len++) {
		struct seen seen = {0};
		struct graph_page page;
		char *copy = xmemdup(body, len);
		int result = graph_page_read(copy, len, take_row, &seen, &page);

		assert_int_equal(result, len == sizeof(body) - 1 ? 0 : -EBADMSG);
		assert_true(seen.rows <= 3);
		if (result == 0)
			graph_page_fini(&page);
		free(copy);
	}
}

/* {"totalRecords":1,"count":1,"resultTruncated":"false","data":[{"n":"xxx…"}]} */
static char *page_with_a_row_of(size_t row_len)
{
	static const char head[] =
		"{\"totalRecords\":1,\"count\":1,\"resultTruncated\":\"false\",\"data\":[{\"n\":\"";
	char *body = xcalloc(1, sizeof(head) + row_len + 16);

	strcpy(body, head);
	memset(body + sizeof(head) - 1, 'x', row_len - 8);
	strcat(body, "\"}]}");
	return body;
}

static void a_row_over_its_cap_is_refused(void **state)
{
	struct seen seen = {0};
	struct graph_page page;
	char *body = page_with_a_row_of(GRAPH_ROW_MAX);

	(void)state;
	assert_int_equal(read_page(body, &seen, &page), 0);
	graph_page_fini(&page);
	free(body);
	body = page_with_a_row_of(GRAPH_ROW_MAX + 1);
	assert_int_equal(read_page(body, &seen, &page), -EFBIG);
	free(body);
	assert_int_equal(seen.rows, 1);
}

static void a_bad_row_in_a_big_answer_is_bad_and_not_big(void **state)
{
	struct seen seen = {0};
	struct graph_page page;
	char *rest = page_with_a_row_of(2 * GRAPH_ROW_MAX);
	char *body = xasprintf("{\"data\":[{\"n\" 1},%s]}", rest);

	(void)state;
	assert_int_equal(read_page(body, &seen, &page), -EBADMSG);
	free(rest);
	free(body);
}

static void a_page_has_at_most_a_thousand_rows(void **state)
{
	for (unsigned n = GRAPH_PAGE_ROWS; n <= GRAPH_PAGE_ROWS + 1; n++) {
		struct buf body = BUF_INIT(100000);
		struct graph_page page;
		struct seen seen = {0};

		buf_addf(&body, "{\"totalRecords\":%u,\"count\":%u,\"resultTruncated\":\"false\",",
			n, n);
		buf_adds(&body, "\"data\":[{}");
		for (unsigned i = 1; i < n; i++)
			buf_adds(&body, ",{}");
		buf_adds(&body, "]}");
		assert_int_equal(read_page(buf_str(&body), &seen, &page),
			n <= GRAPH_PAGE_ROWS ? 0 : -EBADMSG);
		assert_int_equal(seen.rows, GRAPH_PAGE_ROWS);
		buf_fini(&body);
	}
	(void)state;
}

static void deep_nesting_is_refused_without_harm(void **state)
{
	struct buf body = BUF_INIT(200000);
	struct graph_page page;
	struct seen seen = {0};

	(void)state;
	buf_adds(&body, "{" HEAD ",\"data\":[");
	for (unsigned i = 0; i < 20000; i++)
		buf_adds(&body, "{\"a\":");
	assert_int_equal(read_page(buf_str(&body), &seen, &page), -EBADMSG);
	assert_int_equal(seen.rows, 0);
	buf_fini(&body);
}

static void the_receiver_of_rows_may_end_the_reading(void **state)
{
	struct seen seen = {.stop_at = 1};
	struct graph_page page;

	(void)state;
	assert_int_equal(
		read_page("{\"$skipToken\":\"t\"," HEAD "," DATA "}", &seen, &page), -ECANCELED);
	assert_string_equal(seen.names, "a");
}

/* Any single wrong byte gives a whole answer or a refusal, never a reading past the end. */
static void damaged_answers_are_read_without_harm(void **state)
{
	static const char body[] =
		"{" HEAD ",\"$skipToken\":\"t\",\"facets\":[{\"a\":[]}]," DATA "}";
	const uint64_t seed = 20274;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = sizeof(body) - 1;
		char *copy = xmemdup(body, len);
		struct graph_page page;
		struct seen seen = {0};
		int result;

		copy[rng_below(&r, len)] = (char)rng_below(&r, 256);
		result = graph_page_read(copy, len, take_row, &seen, &page);
		assert_true(result == 0 || result == -EBADMSG);
		if (result == 0) {
			assert_int_equal(page.rows, seen.rows);
			graph_page_fini(&page);
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_partition_filter_stands_before_the_projection),
		cmocka_unit_test(no_partition_and_one_partition_ask_the_same),
		cmocka_unit_test(values_travel_in_the_body_and_not_in_the_query),
		cmocka_unit_test(reads_rows_of_counts),
		cmocka_unit_test(rows_may_stand_before_between_and_after_the_counts),
		cmocka_unit_test(says_when_an_answer_may_not_be_whole),
		cmocka_unit_test(refuses_what_the_service_does_not_send),
		cmocka_unit_test(an_answer_cut_at_any_byte_is_no_answer),
		cmocka_unit_test(a_row_over_its_cap_is_refused),
		cmocka_unit_test(a_bad_row_in_a_big_answer_is_bad_and_not_big),
		cmocka_unit_test(a_page_has_at_most_a_thousand_rows),
		cmocka_unit_test(deep_nesting_is_refused_without_harm),
		cmocka_unit_test(the_receiver_of_rows_may_end_the_reading),
		cmocka_unit_test(damaged_answers_are_read_without_harm),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
