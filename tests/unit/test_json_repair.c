/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/json_repair.h"

#include "lib/base/rng.h"
#include "lib/base/xalloc.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void repairs_single_values_and_keeps_the_length(void **state)
{
	static const struct {
		const char *bad, *good;
	} rows[] = {
		{"{\"a\":1e999}", "{\"a\":null }"},
		{"{\"a\":1E+30}", "{\"a\":null }"},
		{"{\"a\":1e9}", "{\"a\":1e9}"},
		{"[-12345678901234567890]", "[null                 ]"},
		{"[123456789012345678]", "[123456789012345678]"},
		{"\"a\\u0000b\"", "\"a\\ufffdb\""},
		{"\"\\uD800\"", "\"\\ufffd\""},
		{"\"\\udc00\\ud800\"", "\"\\ufffd\\ufffd\""},
		{"\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\""},
		{"\"\\ud83d\\u0041\"", "\"\\ufffd\\u0041\""},
		{"\"\\\\u0000\"", "\"\\\\u0000\""},
		{"\"\\\"1e999\"", "\"\\\"1e999\""},
		{"\"a\tb\"", "\"a b\""},
		{"{\n\t\"a\": 1}", "{\n\t\"a\": 1}"},
		{"\"\xff\"", "\"?\""},
		{"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
			"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"\"\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\"", "\"?????????\""},
		{"\"\xe2\x82\"", "\"??\""},
		/* Not JSON, and not made so. */
		{"{a:1", "{a:1"},
		{"\"abc", "\"abc"},
		{"\"abc\\", "\"abc\\"},
		{"\"\\u00", "\"\\u00"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].bad);
		mdc_autofree char *copy = xmemdup(rows[i].bad, len);

		json_repair(copy, len);
		assert_int_equal(len, strlen(rows[i].good));
		if (memcmp(copy, rows[i].good, len) != 0)
			fail_msg("%s is %.*s", rows[i].bad, (int)len, copy);
	}
}

static void an_extent_ends_with_the_bracket_that_closes_the_first(void **state)
{
	static const struct {
		const char *text;
		size_t extent;
	} rows[] = {
		{"{}", 2},
		{"{}}", 2},
		{"[1,[2]],3", 7},
		{"{\"a\":\"}\\\"}\"} x", 12},
		{"{\"a\":\"\\\\\"}", 10},
		{"{", 0},
		{"{\"a", 0},
		{"{\"a\\", 0},
		{"", 0},
		{"1", 0},
		{"}", 0},
		{" {}", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].text);
		mdc_autofree char *copy = xmemdup(rows[i].text, len);

		assert_int_equal(json_extent(copy, len), rows[i].extent);
	}
}

/* Whatever bytes stand in a string, the repaired document is one that the parser takes. */
static void any_string_becomes_readable(void **state)
{
	const uint64_t seed = 4711;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned round = 0; round < 20000; round++) {
		char text[40] = "{\"a\":\"";
		size_t len = strlen(text), end = len + rng_below(&r, 24);
		json_t *document;

		while (len < end) {
			char c = (char)rng_below(&r, 256);

			if (c != '"' && c != '\\')
				text[len++] = c;
		}
		memcpy(text + len, "\"}", 2);
		json_repair(text, len + 2);
		document = json_loadb(text, len + 2, 0, NULL);
		assert_non_null(document);
		json_decref(document);
	}
}

static void what_the_parser_takes_is_not_changed(void **state)
{
	static const char alphabet[] = "\\ud0800\\udc00\"\xc3\xa4\xe2\x82\xac e5a\\n";
	const uint64_t seed = 815;
	struct rng r;
	unsigned sound = 0;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned round = 0; round < 50000; round++) {
		char text[40] = "[\"", repaired[40];
		size_t len = 2, end = len + rng_below(&r, 16);
		json_t *before, *after;

		while (len < end) {
			size_t from = rng_below(&r, sizeof(alphabet) - 1);
			size_t n = 1 + rng_below(&r, 6);

			for (; n > 0 && from < sizeof(alphabet) - 1 && len < end; n--)
				text[len++] = alphabet[from++];
		}
		memcpy(text + len, "\"]", 2);
		len += 2;
		before = json_loadb(text, len, 0, NULL);
		if (before == NULL)
			continue;
		sound++;
		memcpy(repaired, text, len);
		json_repair(repaired, len);
		after = json_loadb(repaired, len, 0, NULL);
		assert_true(json_equal(before, after));
		assert_int_equal(json_extent(text, len), len);
		json_decref(before);
		json_decref(after);
	}
	assert_true(sound > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repairs_single_values_and_keeps_the_length),
		cmocka_unit_test(an_extent_ends_with_the_bracket_that_closes_the_first),
		cmocka_unit_test(any_string_becomes_readable),
		cmocka_unit_test(what_the_parser_takes_is_not_changed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
