/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/tick.h"

#include "lib/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void sums_stop_at_never(void **state)
{
	(void)state;
	assert_int_equal(wall_add((struct wall){1000}, DUR_S(2)).ms, 3000);
	assert_int_equal(wall_add((struct wall){1000}, DUR_S(-2)).ms, -1000);
	assert_int_equal(wall_add((struct wall){INT64_MAX - 1}, DUR_S(1)).ms, INT64_MAX);
	assert_int_equal(wall_add((struct wall){INT64_MIN + 1}, DUR_S(-1)).ms, INT64_MIN);
	assert_int_equal(wall_add(WALL_NEVER, DUR_S(-5)).ms, INT64_MAX);
	assert_int_equal(mono_add((struct mono){1000}, DUR_S(2)).ms, 3000);
	assert_int_equal(mono_add(MONO_NEVER, DUR_DAYS(-1)).ms, INT64_MAX);
}

static void differences_do_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(wall_since((struct wall){5}, (struct wall){7}).ms, -2);
	assert_int_equal(wall_since(WALL_NEVER, (struct wall){-1}).ms, INT64_MAX);
	assert_int_equal(wall_since((struct wall){0}, (struct wall){INT64_MIN}).ms, INT64_MAX);
	assert_int_equal(wall_since((struct wall){INT64_MIN}, (struct wall){1}).ms, INT64_MIN);
	assert_int_equal(mono_since((struct mono){9}, (struct mono){2}).ms, 7);
	assert_int_equal(mono_since((struct mono){INT64_MIN}, MONO_NEVER).ms, INT64_MIN);
}

static const struct {
	const char *text; /* as we write it */
	int64_t ms;
} moments[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"1970-01-01T00:00:00.001Z", 1},
	{"1969-12-31T23:59:59.999Z", -1},
	{"2000-02-29T12:00:00Z", INT64_C(951825600000)},
	{"2000-03-01T00:00:00Z", INT64_C(951868800000)},
	{"2026-11-24T14:00:00Z", INT64_C(1795528800000)},
	{"2026-11-24T14:00:00.250Z", INT64_C(1795528800250)},
	{"2100-02-28T23:59:59Z", INT64_C(4107542399000)},
	{"0000-01-01T00:00:00Z", INT64_C(-62167219200000)},
	{"0001-01-01T00:00:00Z", INT64_C(-62135596800000)},
	{"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
};

static void writes_and_reads_moments(void **state)
{
	char text[WALL_TEXT_SIZE];
	struct wall back;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		wall_format((struct wall){moments[i].ms}, text);
		assert_string_equal(text, moments[i].text);
		assert_int_equal(wall_parse(text, &back), 0);
		assert_int_equal(back.ms, moments[i].ms);
	}
}

static void moments_outside_four_digit_years_are_written_as_the_nearest_inside(void **state)
{
	char text[WALL_TEXT_SIZE];

	(void)state;
	wall_format(WALL_NEVER, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	wall_format((struct wall){INT64_MIN}, text);
	assert_string_equal(text, "0000-01-01T00:00:00Z");
	wall_format_http(WALL_NEVER, text);
	assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void reads_what_arm_writes(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"2026-11-24T14:00:00.1234567Z", INT64_C(1795528800123)},
		{"2026-11-24T14:00:00.1Z", INT64_C(1795528800100)},
		{"2026-11-24T14:00:00.99999999999999999999Z", INT64_C(1795528800999)},
		{"2026-11-24T15:00:00+01:00", INT64_C(1795528800000)},
		{"2026-11-24T08:30:00.5-05:30", INT64_C(1795528800500)},
		{"2026-11-24T14:00:00.0000000+00:00", INT64_C(1795528800000)},
		{"2026-11-24T14:00:00-00:00", INT64_C(1795528800000)},
		{"2026-11-24t14:00:00z", INT64_C(1795528800000)},
		{"2026-11-24 14:00:00Z", INT64_C(1795528800000)},
		/* A leap second counts as the second before it. */
		{"2016-12-31T23:59:60Z", INT64_C(1483228799000)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wall t;

		assert_int_equal(wall_parse(rows[i].text, &t), 0);
		assert_int_equal(t.ms, rows[i].ms);
	}
}

static void refuses_what_is_not_a_moment(void **state)
{
	static const char *const rows[] = {
		NULL,
		"",
		"2026-11-24",
		"2026-11-24T14:00:00",
		"2026-11-24T14:00Z",
		"2026-11-24T14:00:00.Z",
		"2026-11-24T14:00:00,5Z",
		"2026-11-24T24:00:00Z",
		"2026-11-24T14:60:00Z",
		"2026-11-24T14:00:61Z",
		"2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"26-11-24T14:00:00Z",
		"+2026-11-24T14:00:00Z",
		"2026-11-24T14:00:00Z ",
		" 2026-11-24T14:00:00Z",
		"2026-11-24T14:00:00+0100",
		"2026-11-24T14:00:00+01",
		"2026-11-24T14:00:00+24:00",
		"2026-11-24T14:00:00 UTC",
		"/Date(1795528800000)/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wall t = {77};

		assert_int_equal(wall_parse(rows[i], &t), -EINVAL);
		assert_int_equal(t.ms, 77);
	}
}

static void a_date_ends_with_its_last_millisecond(void **state)
{
	static const char *const bad[] = {
		NULL, "", "2027-1-31", "2027-02-29", "2027-01-31Z", "31.01.2027"};
	struct wall t;

	(void)state;
	assert_int_equal(wall_parse_date_end("2027-01-31", &t), 0);
	assert_int_equal(t.ms, INT64_C(1801439999999));
	assert_int_equal(wall_parse_date_end("2028-02-29", &t), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(wall_parse_date_end(bad[i], &t), -EINVAL);
}

static void reads_http_dates(void **state)
{
	static const char *const bad[] = {
		NULL,
		"",
		"24 Nov 2026 14:00:00 GMT",
		"Tue, 24 Nov 2026 14:00:00",
		"Tue, 24 Nov 2026 14:00:00 UTC",
		"Tue, 24 Nov 2026 14:00:00 GMT ",
		"Tue, 4 Nov 2026 14:00:00 GMT",
		"Tue, 31 Nov 2026 14:00:00 GMT",
		"Tue, 00 Nov 2026 14:00:00 GMT",
		"Tue, 24 nov 2026 14:00:00 GMT",
		"Tue, 24 Nov 2026 25:00:00 GMT",
		"Tu",
		"Tuesday, 24-Nov-26 14:00:00 GMT",
	};
	struct wall t;

	(void)state;
	assert_int_equal(wall_parse_http("Tue, 24 Nov 2026 14:00:00 GMT", &t), 0);
	assert_int_equal(t.ms, INT64_C(1795528800000));
	assert_int_equal(wall_parse_http("Thu, 29 Feb 2024 00:00:00 GMT", &t), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(wall_parse_http(bad[i], &t), -EINVAL);
}

/* The C library's calendar is the judge. */
static void agrees_with_the_calendar_of_the_c_library(void **state)
{
	const uint64_t seed = 20264;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned i = 0; i < 20000; i++) {
		int64_t seconds = (int64_t)rng_below(&r, UINT64_C(315569520000)) - 62167219200;
		struct wall t = {seconds * 1000}, back;
		time_t moment = (time_t)seconds;
		char text[WALL_TEXT_SIZE], expected[64];
		struct tm tm;

		if (t.ms > INT64_C(253402300799000))
			continue;
		gmtime_r(&moment, &tm);
		snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02dZ",
			tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			tm.tm_sec);
		wall_format(t, text);
		assert_string_equal(text, expected);
		strftime(expected, sizeof(expected), "%a, %d %b ", &tm);
		snprintf(expected + strlen(expected), 32, "%04d %02d:%02d:%02d GMT",
			tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		wall_format_http(t, text);
		assert_string_equal(text, expected);
		assert_int_equal(wall_parse_http(text, &back), 0);
		assert_int_equal(back.ms, t.ms);
	}
}

static void every_written_moment_reads_back_the_same(void **state)
{
	const uint64_t seed = 20265;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned i = 0; i < 20000; i++) {
		struct wall t = {(int64_t)rng_below(&r, UINT64_C(253402300800000))}, back;
		char text[WALL_TEXT_SIZE];

		wall_format(t, text);
		assert_int_equal(wall_parse(text, &back), 0);
		assert_int_equal(back.ms, t.ms);
	}
}

static void writes_lengths_for_people(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{0, "0 ms"},
		{-5000, "0 ms"},
		{250, "250 ms"},
		{1000, "1 s"},
		{45999, "45 s"},
		{60000, "1 min"},
		{12 * 60000 + 59000, "12 min"},
		{3 * 3600000, "3 h"},
		{3 * 3600000 + 20 * 60000, "3 h 20 min"},
		{3 * 3600000 + 59000, "3 h"},
		{INT64_C(86400000) * 2 + 4 * 3600000, "2 d 4 h"},
		{INT64_C(86400000) * 2 + 59 * 60000, "2 d"},
		{INT64_MAX, "106751991167 d 7 h"},
	};
	char text[DUR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		dur_format(DUR_MS(rows[i].ms), text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_stop_at_never),
		cmocka_unit_test(differences_do_not_overflow),
		cmocka_unit_test(writes_and_reads_moments),
		cmocka_unit_test(
			moments_outside_four_digit_years_are_written_as_the_nearest_inside),
		cmocka_unit_test(reads_what_arm_writes),
		cmocka_unit_test(refuses_what_is_not_a_moment),
		cmocka_unit_test(a_date_ends_with_its_last_millisecond),
		cmocka_unit_test(reads_http_dates),
		cmocka_unit_test(agrees_with_the_calendar_of_the_c_library),
		cmocka_unit_test(every_written_moment_reads_back_the_same),
		cmocka_unit_test(writes_lengths_for_people),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
