/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/list_page.h"

#include "lib/azure/arm_document.h"
#include "lib/base/buf.h"
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

struct reading {
	int result;
	unsigned rows;
	char names[256];
	uint64_t total, count;
	bool truncated;
	char link[64];
};

/* From a copy without a terminator, so that a reader that goes too far is caught. */
static struct reading read_bytes(enum list_kind kind, const char *body, size_t len)
{
	mdc_autofree char *copy = xmemdup(body, len);
	struct reading r = {0};
	struct list_page page;
	json_t *row = NULL;

	list_page_init(&page, kind, copy, len);
	while ((r.result = list_page_next(&page, &row)) == 1) {
		const char *name = json_text(row, "n");

		r.rows++;
		assert_true(json_is_object(row));
		assert_true(list_page_read(&page) <= len);
		if (name != NULL)
			strncat(r.names, name, sizeof(r.names) - strlen(r.names) - 1);
		json_decref(row);
	}
	/* An end stays an end. */
	assert_int_equal(list_page_next(&page, &row), r.result);
	assert_int_equal(page.rows, r.rows);
	r.total = page.total;
	r.count = page.count;
	r.truncated = page.truncated;
	str_copy(r.link, sizeof(r.link), page.link);
	list_page_fini(&page);
	return r;
}

static struct reading graph(const char *body)
{
	return read_bytes(LIST_GRAPH, body, strlen(body));
}

static struct reading arm(const char *body)
{
	return read_bytes(LIST_ARM, body, strlen(body));
}

/* --- Resource Graph --- */

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
		"{" HEAD ",\"Data\":[{\"n\":\"a\"},{\"n\":\"b\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading r = graph(rows[i]);

		if (r.result != 0)
			fail_msg("%s", rows[i]);
		assert_string_equal(r.names, "ab");
		assert_int_equal(r.rows, 2);
		assert_int_equal(r.count, 2);
		assert_int_equal(r.total, 2);
		assert_false(r.truncated);
		assert_string_equal(r.link, "");
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
			false, ""},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":\"true\",\"$skipToken\":"
		 "\"t\",\"data\":[{}]}",
			false, "t"},
		{"{\"totalRecords\":5,\"count\":0,\"resultTruncated\":\"false\",\"$skipToken\":"
		 "\"t\",\"data\":[]}",
			false, "t"},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":\"true\",\"data\":[{}]}",
			true, ""},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":true,\"data\":[{}]}", true,
			""},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":\"maybe\",\"data\":[{}]}",
			true, ""},
		{"{\"totalRecords\":5,\"count\":1,\"resultTruncated\":null,\"data\":[{}]}", true,
			""},
		{"{\"totalRecords\":5,\"count\":1,\"data\":[{}]}", true, ""},
		{"{\"totalRecords\":2,\"count\":2,\"resultTruncated\":\"false\",\"data\":[{}]}",
			true, ""},
		{"{\"totalRecords\":2,\"count\":2,\"resultTruncated\":\"false\",\"$skipToken\":"
		 "\"t\",\"data\":[{}]}",
			true, "t"},
		{"{\"totalRecords\":0,\"count\":0,\"resultTruncated\":\"false\",\"data\":[{}]}",
			true, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading r = graph(rows[i].body);

		assert_int_equal(r.result, 0);
		if (r.truncated != rows[i].truncated)
			fail_msg("%s", rows[i].body);
		assert_string_equal(r.link, rows[i].token);
	}
}

static void refuses_what_resource_graph_does_not_send(void **state)
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
		"{" HEAD ",\"data\":[{\"n\":NaN},{}]}",
		/* Members that come twice. */
		"{" HEAD "," DATA "," DATA "}",
		"{" HEAD "," DATA ",\"data\":[]}",
		"{" HEAD "," DATA ",\"DATA\":[]}",
		"{" HEAD ",\"count\":2," DATA "}",
		"{" HEAD ",\"totalRecords\":2," DATA "}",
		"{" HEAD ",\"resultTruncated\":\"false\"," DATA "}",
		"{" HEAD ",\"$skipToken\":\"a\",\"$skipToken\":\"b\"," DATA "}",
		"{" HEAD ",\"$skipToken\":\"a\",\"$skipToken\":null," DATA "}",
		/* A token that nobody can send back. */
		"{" HEAD ",\"$skipToken\":5," DATA "}",
		"{" HEAD ",\"$skipToken\":{\"a\":1}," DATA "}",
		/* Numbers that are none, or too big. */
		"{\"totalRecords\":99999999999999999999,\"count\":2,\"resultTruncated\":"
		"\"false\"," DATA "}",
		"{\"totalRecords\":-1,\"count\":2,\"resultTruncated\":\"false\"," DATA "}",
		"{\"totalRecords\":2,\"count\":2.0,\"resultTruncated\":\"false\"," DATA "}",
		"{\"totalRecords\":2,\"count\":\"2\",\"resultTruncated\":\"false\"," DATA "}",
		"{\"totalRecords\":2,\"count\":1e3,\"resultTruncated\":\"false\"," DATA "}",
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
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (graph(rows[i]).result != -EBADMSG)
			fail_msg("row %zu: %s", i, rows[i]);
}

static void a_page_of_resource_graph_has_at_most_a_thousand_rows(void **state)
{
	for (unsigned n = 1000; n <= 1001; n++) {
		struct buf body = BUF_INIT(100000);
		struct reading r;

		buf_addf(&body, "{\"totalRecords\":%u,\"count\":%u,\"resultTruncated\":\"false\",",
			n, n);
		buf_adds(&body, "\"data\":[{}");
		for (unsigned i = 1; i < n; i++)
			buf_adds(&body, ",{}");
		buf_adds(&body, "]}");
		r = graph(buf_str(&body));
		assert_int_equal(r.result, n <= 1000 ? 0 : -EBADMSG);
		assert_int_equal(r.rows, 1000);
		buf_fini(&body);
	}
	(void)state;
}

/* --- ARM --- */

static void reads_lists_of_arm(void **state)
{
	static const struct {
		const char *body, *names, *link;
	} rows[] = {
		{"{\"value\":[]}", "", ""},
		{"{\"value\":[{\"n\":\"a\"},{\"n\":\"b\"}]}", "ab", ""},
		{"{\"value\":[{\"n\":\"a\"}],\"nextLink\":\"https://x/y\"}", "a", "https://x/y"},
		{"{\"nextLink\":\"https://x/y\",\"value\":[{\"n\":\"a\"}]}", "a", "https://x/y"},
		{"{\"@nextLink\":\"https://x/y\",\"value\":[]}", "", "https://x/y"},
		{"{\"value\":[],\"nextlink\":\"https://x/y\"}", "", "https://x/y"},
		{"{\"value\":[],\"nextLink\":null}", "", ""},
		{"{\"value\":[],\"nextLink\":\"\"}", "", ""},
		{"{\"count\":{\"type\":\"Total\",\"value\":1},\"value\":[{\"n\":\"a\"}]}", "a", ""},
		{"\xef\xbb\xbf{\"value\":[{\"n\":\"a\"}]}\n", "a", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading r = arm(rows[i].body);

		if (r.result != 0)
			fail_msg("%s", rows[i].body);
		assert_string_equal(r.names, rows[i].names);
		assert_string_equal(r.link, rows[i].link);
	}
}

static void refuses_what_is_no_list_of_arm(void **state)
{
	static const char *const rows[] = {
		"",
		"{}",
		"[]",
		"null",
		"{\"value\":null}",
		"{\"value\":{}}",
		"{\"value\":[null]}",
		"{\"value\":[\"a\"]}",
		"{\"value\":[{}]",
		"{\"value\":[{},]}",
		"{\"value\":[],\"value\":[]}",
		"{\"value\":[],\"Value\":[]}",
		"{\"value\":[],\"nextLink\":5}",
		"{\"value\":[],\"nextLink\":[\"https://x/y\"]}",
		"{\"value\":[],\"nextLink\":\"https://x/y\",\"@nextLink\":\"\"}",
		"{\"value\":[]}}",
		"{\"error\":{\"code\":\"x\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (arm(rows[i]).result != -EBADMSG)
			fail_msg("row %zu: %s", i, rows[i]);
}

/* --- one bad value --- */

static void one_bad_value_does_not_spoil_the_other_rows(void **state)
{
	static const struct {
		const char *row, *name;
	} rows[] = {
		{"{\"n\":\"b\",\"x\":1e999}", "b"},
		{"{\"n\":\"b\",\"x\":-123456789012345678901234567890}", "b"},
		{"{\"n\":\"b\",\"x\":\"a\\u0000b\"}", "b"},
		{"{\"n\":\"b\",\"x\":\"\\ud800\"}", "b"},
		{"{\"n\":\"b\",\"x\":\"\xff\xfe\"}", "b"},
		{"{\"n\":\"b\",\"x\":\"a\nb\"}", "b"},
		{"{\"n\":\"b\xff\",\"x\":[{\"}\":1e999},\"\\\"]}\"]}", "b?"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *body =
			xasprintf("{\"value\":[{\"n\":\"a\"},%s,{\"n\":\"c\"}]}", rows[i].row);
		mdc_autofree char *names = xasprintf("a%sc", rows[i].name);
		struct reading r = arm(body);

		if (r.result != 0)
			fail_msg("%s", rows[i].row);
		assert_string_equal(r.names, names);
	}
}

/* --- sizes --- */

/* {"value":[{"n":"xxx…"}]} */
static char *page_with_a_row_of(size_t row_len)
{
	static const char head[] = "{\"totalRecords\":1,\"count\":1,\"resultTruncated\":\"false\","
				   "\"data\":[{\"n\":\"";
	char *body = xcalloc(1, sizeof(head) + row_len + 16);

	strcpy(body, head);
	memset(body + sizeof(head) - 1, 'x', row_len - 8);
	strcat(body, "\"}]}");
	return body;
}

static void a_row_over_its_cap_is_refused(void **state)
{
	char *body = page_with_a_row_of(LIST_ROW_MAX(LIST_GRAPH));
	struct reading r = graph(body);

	(void)state;
	assert_int_equal(r.result, 0);
	assert_int_equal(r.rows, 1);
	free(body);
	body = page_with_a_row_of(LIST_ROW_MAX(LIST_GRAPH) + 1);
	r = graph(body);
	assert_int_equal(r.result, -EFBIG);
	assert_int_equal(r.rows, 0);
	free(body);
}

static void a_bad_row_in_a_big_answer_is_bad_and_not_big(void **state)
{
	char *rest = page_with_a_row_of(2 * LIST_ROW_MAX(LIST_GRAPH));
	char *body = xasprintf("{\"data\":[{\"n\" 1},%s]}", rest);

	(void)state;
	assert_int_equal(graph(body).result, -EBADMSG);
	free(rest);
	free(body);
}

static void deep_nesting_is_refused_without_harm(void **state)
{
	struct buf body = BUF_INIT(200000);
	struct reading r;

	(void)state;
	buf_adds(&body, "{" HEAD ",\"data\":[");
	for (unsigned i = 0; i < 20000; i++)
		buf_adds(&body, "{\"a\":");
	r = graph(buf_str(&body));
	assert_int_equal(r.result, -EBADMSG);
	assert_int_equal(r.rows, 0);
	buf_fini(&body);
}

/* --- damage --- */

static void an_answer_cut_at_any_byte_is_no_answer(void **state)
{
	static const struct {
		enum list_kind kind;
		const char *body;
	} rows[] = {
		{LIST_GRAPH,
			"{\"totalRecords\":3,\"count\":3,\"data\":[{\"n\":\"a\",\"t\":{"
			"\"x\":[1,true]}},{\"n\":\"\\u00e4\xc3\xa4\"},{}],\"facets\":[],"
			"\"resultTruncated\":\"false\",\"$skipToken\":\"abc\"}"},
		{LIST_ARM, "{\"value\":[{\"n\":\"a\"},{\"n\":1e999}],\"nextLink\":\"abc\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t len = 0; len <= strlen(rows[i].body); len++)
			assert_int_equal(read_bytes(rows[i].kind, rows[i].body, len).result,
				len == strlen(rows[i].body) ? 0 : -EBADMSG);
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
		mdc_autofree char *copy = xmemdup(body, sizeof(body) - 1);
		struct reading reading;

		copy[rng_below(&r, sizeof(body) - 1)] = (char)rng_below(&r, 256);
		reading = read_bytes(LIST_GRAPH, copy, sizeof(body) - 1);
		assert_true(reading.result == 0 || reading.result == -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_may_stand_before_between_and_after_the_counts),
		cmocka_unit_test(says_when_an_answer_may_not_be_whole),
		cmocka_unit_test(refuses_what_resource_graph_does_not_send),
		cmocka_unit_test(a_page_of_resource_graph_has_at_most_a_thousand_rows),
		cmocka_unit_test(reads_lists_of_arm),
		cmocka_unit_test(refuses_what_is_no_list_of_arm),
		cmocka_unit_test(one_bad_value_does_not_spoil_the_other_rows),
		cmocka_unit_test(a_row_over_its_cap_is_refused),
		cmocka_unit_test(a_bad_row_in_a_big_answer_is_bad_and_not_big),
		cmocka_unit_test(deep_nesting_is_refused_without_harm),
		cmocka_unit_test(an_answer_cut_at_any_byte_is_no_answer),
		cmocka_unit_test(damaged_answers_are_read_without_harm),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
