/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"

#include "lib/base/rng.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void compares_ascii_letters_without_case(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
	} rows[] = {
		{"", "", 0},
		{"Microsoft.Security", "microsoft.SECURITY", 0},
		{"a", "B", -1},
		{"B", "a", 1},
		{"ab", "a", 1},
		{"a", "ab", -1},
		/* '[' and '{' are not letters; 'Z' < '[' but 'z' > '['. */
		{"[", "{", -1},
		{"Z", "[", 1},
		/* Bytes above ASCII compare as they are, and above all letters. */
		{"\xc3\xa4", "\xc3\x84", 1},
		{"z", "\xc3\xa4", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(str_compare_nocase(rows[i].a, rows[i].b), rows[i].order);
		assert_int_equal(str_compare_nocase(rows[i].b, rows[i].a), -rows[i].order);
		assert_int_equal(str_equal_nocase(rows[i].a, rows[i].b), rows[i].order == 0);
	}
}

static void null_equals_only_null(void **state)
{
	(void)state;
	assert_true(str_equal(NULL, NULL));
	assert_false(str_equal(NULL, ""));
	assert_false(str_equal("", NULL));
	assert_true(str_equal("a", "a"));
	assert_false(str_equal("a", "A"));
	assert_true(str_equal_nocase(NULL, NULL));
	assert_false(str_equal_nocase(NULL, ""));
	assert_false(str_equal_nocase("", NULL));
	assert_true(str_empty(NULL));
	assert_true(str_empty(""));
	assert_false(str_empty(" "));
}

static void finds_prefixes_suffixes_and_parts_without_case(void **state)
{
	(void)state;
	assert_true(str_starts_nocase("Windows Server 2016", "windows SERVER"));
	assert_true(str_starts_nocase("x", ""));
	assert_false(str_starts_nocase("Win", "Windows"));
	assert_false(str_starts_nocase(NULL, ""));
	assert_true(str_ends_nocase("pricings/VirtualMachines", "/virtualmachines"));
	assert_true(str_ends_nocase("x", ""));
	assert_false(str_ends_nocase("es", "machines"));
	assert_false(str_ends_nocase(NULL, "x"));
	assert_true(str_contains_nocase("Red Hat Enterprise Linux CoreOS 4", "coreos"));
	assert_true(str_contains_nocase("abab", "BAB"));
	assert_true(str_contains_nocase("", ""));
	assert_false(str_contains_nocase("ab", "abc"));
	assert_false(str_contains_nocase(NULL, "x"));
}

static void folds_in_place(void **state)
{
	char text[] = "AZaz@[`{09\xc3\x84";

	(void)state;
	str_fold(text);
	assert_string_equal(text, "azaz@[`{09\xc3\x84");
}

static void copies_are_always_terminated(void **state)
{
	char to[4];

	(void)state;
	assert_true(str_copy(to, sizeof(to), "abc"));
	assert_string_equal(to, "abc");
	assert_false(str_copy(to, sizeof(to), "abcd"));
	assert_string_equal(to, "abc");
	assert_false(str_copy(to, 1, "x"));
	assert_string_equal(to, "");
	assert_true(str_copy(to, sizeof(to), NULL));
	assert_string_equal(to, "");
}

static void parses_numbers_or_says_what_is_wrong(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int result;
		uint64_t value;
	} rows[] = {
		{"0", 0, 0, 0},
		{"007", 10, 0, 7},
		{"10", 10, 0, 10},
		{"11", 10, -ERANGE, 0},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, -ERANGE, 0},
		{"18446744073709551620", UINT64_MAX, -ERANGE, 0},
		{"184467440737095516150", UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999999", 10, -ERANGE, 0},
		{"99999999999999999999999999x", 10, -EINVAL, 0},
		{"", 10, -EINVAL, 0},
		{NULL, 10, -EINVAL, 0},
		{"-1", 10, -EINVAL, 0},
		{"+1", 10, -EINVAL, 0},
		{" 1", 10, -EINVAL, 0},
		{"1 ", 10, -EINVAL, 0},
		{"1.0", 10, -EINVAL, 0},
		{"0x1", 10, -EINVAL, 0},
		{"\xd9\xa1", 10, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 42;

		assert_int_equal(str_parse_u64(rows[i].text, rows[i].max, &value), rows[i].result);
		assert_int_equal(value, rows[i].result == 0 ? rows[i].value : 42);
	}
}

static void parses_switches(void **state)
{
	static const struct {
		const char *text;
		int result;
		bool value;
	} rows[] = {
		{"on", 0, true},
		{"TRUE", 0, true},
		{"Yes", 0, true},
		{"off", 0, false},
		{"false", 0, false},
		{"nO", 0, false},
		{"", -EINVAL, false},
		{NULL, -EINVAL, false},
		{"1", -EINVAL, false},
		{"on ", -EINVAL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool value = !rows[i].value;

		assert_int_equal(str_parse_bool(rows[i].text, &value), rows[i].result);
		assert_int_equal(value, rows[i].result == 0 ? rows[i].value : !rows[i].value);
	}
}

static void parses_durations_with_a_unit(void **state)
{
	static const struct {
		const char *text;
		int result;
		int64_t ms;
	} rows[] = {
		{"0s", 0, 0},
		{"250ms", 0, 250},
		{"30s", 0, 30000},
		{"5m", 0, 300000},
		{"3h", 0, 10800000},
		{"2d", 0, 172800000},
		{"3650d", 0, INT64_C(315360000000)},
		{"3651d", -ERANGE, 0},
		{"315360000000ms", 0, INT64_C(315360000000)},
		{"315360000001ms", -ERANGE, 0},
		{"99999999999999999999999h", -ERANGE, 0},
		{"99999999999999999999999x", -EINVAL, 0},
		{"5", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"", -EINVAL, 0},
		{NULL, -EINVAL, 0},
		{"5 m", -EINVAL, 0},
		{"5min", -EINVAL, 0},
		{"5M", -EINVAL, 0},
		{"-5m", -EINVAL, 0},
		{"1.5h", -EINVAL, 0},
		{"1h30m", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dur d = DUR_MS(-7);

		assert_int_equal(str_parse_duration(rows[i].text, &d), rows[i].result);
		assert_int_equal(d.ms, rows[i].result == 0 ? rows[i].ms : -7);
	}
}

static void writes_durations_in_the_largest_exact_unit(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{0, "0s"},
		{1500, "1500ms"},
		{90000, "90s"},
		{5400000, "90m"},
		{INT64_C(129600000), "36h"},
		{86400000, "1d"},
		{INT64_C(315360000000), "3650d"},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		str_format_duration(DUR_MS(rows[i].ms), text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

static void every_written_duration_reads_back_the_same(void **state)
{
	static const int64_t units[] = {1, 1000, 60000, 3600000, 86400000};
	const uint64_t seed = 20262;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned i = 0; i < 20000; i++) {
		int64_t unit = units[rng_below(&r, ARRAY_LEN(units))];
		int64_t ms = unit * (int64_t)rng_below(&r, UINT64_C(315360000000) / unit + 1);
		struct dur back;
		char text[32];

		str_format_duration(DUR_MS(ms), text, sizeof(text));
		assert_int_equal(str_parse_duration(text, &back), 0);
		assert_int_equal(back.ms, ms);
	}
}

static void knows_guids(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} rows[] = {
		{"00000000-0000-0000-0000-000000000000", true},
		{"A0b1c2D3-e4F5-6789-abcd-EF0123456789", true},
		{"A0b1c2D3-e4F5-6789-abcd-EF012345678", false},
		{"A0b1c2D3-e4F5-6789-abcd-EF01234567890", false},
		{"A0b1c2D3e-4F5-6789-abcd-EF0123456789", false},
		{"G0b1c2D3-e4F5-6789-abcd-EF0123456789", false},
		{"{0b1c2D3-e4F5-6789-abcd-EF012345678}", false},
		{"A0b1c2D3_e4F5_6789_abcd_EF0123456789", false},
		{"A0b1c2D3-e4F5-6789-abcd-EF01234567/9", false},
		{"", false},
		{NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(str_is_guid(rows[i].text), rows[i].is);
}

static void escapes_what_could_forge_a_line_or_a_screen(void **state)
{
	static const struct {
		const char *text, *escaped;
	} rows[] = {
		{"plain text, with Windows\\path", "plain text, with Windows\\path"},
		{"r\xc3\xa4ger \xe2\x82\xac \xf0\x9f\x90\xa7",
			"r\xc3\xa4ger \xe2\x82\xac \xf0\x9f\x90\xa7"},
		{"a\nb\tc\rd\x7f", "a\\x0ab\\x09c\\x0dd\\x7f"},
		{"\x1b[31mred", "\\x1b[31mred"},
		/* C1: CSI as one character. */
		{"\xc2\x9b", "\\xc2\\x9b"},
		{"\xc2\xa0", "\xc2\xa0"},
		/* Right-to-left override, isolates, marks. */
		{"a\xe2\x80\xae"
		 "b",
			"a\\xe2\\x80\\xaeb"},
		{"\xe2\x81\xa6x\xe2\x81\xa9", "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9"},
		{"\xe2\x80\x8f\xd8\x9c", "\\xe2\\x80\\x8f\\xd8\\x9c"},
		/* Line and paragraph separators, zero width space, BOM, tags. */
		{"\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9"},
		{"\xe2\x80\x8b\xef\xbb\xbf", "\\xe2\\x80\\x8b\\xef\\xbb\\xbf"},
		{"\xf3\xa0\x81\xa1", "\\xf3\\xa0\\x81\\xa1"},
		/* Dash and ellipsis stand right beside them and are text. */
		{"\xe2\x80\x93\xe2\x80\xa6", "\xe2\x80\x93\xe2\x80\xa6"},
		/* Malformed: lone continuation, overlong, surrogate, beyond U+10FFFF, cut. */
		{"\x80", "\\x80"},
		{"\xc0\xaf", "\\xc0\\xaf"},
		{"\xc1\xbf", "\\xc1\\xbf"},
		{"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
		{"\xf5\x80\x80\x80\xff\xfe", "\\xf5\\x80\\x80\\x80\\xff\\xfe"},
		{"\xe2\x82", "\\xe2\\x82"},
		{"\xe2\x82"
		 "a",
			"\\xe2\\x82"
			"a"},
		{"\xf0\x9f\x90", "\\xf0\\x9f\\x90"},
		{"", ""},
		{NULL, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT(200);

		assert_int_equal(str_escape(&b, rows[i].text, SIZE_MAX), 0);
		assert_string_equal(buf_str(&b), rows[i].escaped);
		buf_fini(&b);
	}
}

static void cuts_long_text_at_a_character(void **state)
{
	static const struct {
		size_t max;
		const char *escaped;
	} rows[] = {
		{0, "…"},
		{1, "a…"},
		{2, "a…"},
		{3, "aä…"},
		{4, "aäb"},
		{5, "aäb"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT(100);

		assert_int_equal(str_escape(&b, "aäb", rows[i].max), 0);
		assert_string_equal(buf_str(&b), rows[i].escaped);
		buf_fini(&b);
	}
}

static void escaping_into_a_full_buffer_fails(void **state)
{
	struct buf b = BUF_INIT(3);

	(void)state;
	assert_int_equal(str_escape(&b, "\n", 10), -EFBIG);
	buf_fini(&b);
}

/* Whatever comes in, only printable UTF-8 comes out. */
static void escaped_bytes_hold_no_control_characters(void **state)
{
	const uint64_t seed = 20263;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned round = 0; round < 20000; round++) {
		struct buf first = BUF_INIT(1000), second = BUF_INIT(1000);
		char text[13] = "";

		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = (char)(rng_below(&r, 4) > 0 ? 0x80 + rng_below(&r, 128)
							      : rng_below(&r, 128));
		assert_int_equal(str_escape(&first, text, sizeof(text)), 0);
		for (size_t i = 0; i < first.len; i++)
			assert_true((unsigned char)first.data[i] >= 0x20);
		/* What is safe already stays as it is. */
		assert_int_equal(str_escape(&second, buf_str(&first), SIZE_MAX), 0);
		assert_string_equal(buf_str(&first), buf_str(&second));
		buf_fini(&first);
		buf_fini(&second);
	}
}

static void hashes_as_fnv_1a_does(void **state)
{
	(void)state;
	assert_int_equal(str_hash("", 0), UINT64_C(0xcbf29ce484222325));
	assert_int_equal(str_hash("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
	assert_int_equal(str_hash("foobar", 6), UINT64_C(0x85944171f73967e8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_ascii_letters_without_case),
		cmocka_unit_test(null_equals_only_null),
		cmocka_unit_test(finds_prefixes_suffixes_and_parts_without_case),
		cmocka_unit_test(folds_in_place),
		cmocka_unit_test(copies_are_always_terminated),
		cmocka_unit_test(parses_numbers_or_says_what_is_wrong),
		cmocka_unit_test(parses_switches),
		cmocka_unit_test(parses_durations_with_a_unit),
		cmocka_unit_test(writes_durations_in_the_largest_exact_unit),
		cmocka_unit_test(every_written_duration_reads_back_the_same),
		cmocka_unit_test(knows_guids),
		cmocka_unit_test(escapes_what_could_forge_a_line_or_a_screen),
		cmocka_unit_test(cuts_long_text_at_a_character),
		cmocka_unit_test(escaping_into_a_full_buffer_fails),
		cmocka_unit_test(escaped_bytes_hold_no_control_characters),
		cmocka_unit_test(hashes_as_fnv_1a_does),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
