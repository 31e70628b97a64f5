/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RED "\033[1;31m"
#define STRONG "\033[1m"
#define END "\033[0m"

static const char *const titles[] = {"NAME", ">COUNT", "STATE", NULL};

/* Prints and frees it. */
static void prints(struct table *take_table, struct screen screen, const char *expected)
{
	mdc_autofree char *text = NULL;
	size_t len;

	screen.out = open_memstream(&text, &len);
	assert_non_null(screen.out);
	table_print(take_table, &screen);
	fclose(screen.out);
	table_free(take_table);
	assert_string_equal(text, expected);
}

static struct table *two_rows(void)
{
	struct table *t = table_new(titles);

	table_row(t, (const char *const[]){"web1", "7", "compliant"});
	table_row(t, (const char *const[]){"a longer name", "1,204", "blocked"});
	return t;
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	(void)state;
	prints(two_rows(), (struct screen){0},
		"NAME           COUNT  STATE\n"
		"web1               7  compliant\n"
		"a longer name  1,204  blocked\n");
}

static void a_table_without_rows_is_not_there(void **state)
{
	(void)state;
	prints(table_new(titles), (struct screen){0}, "");
}

static void what_is_not_there_is_a_dash(void **state)
{
	struct table *t = table_new(titles);

	(void)state;
	table_row(t, (const char *const[]){NULL, "", "x"});
	prints(t, (struct screen){0}, "NAME  COUNT  STATE\n-         -  x\n");
}

static void letters_count_and_not_bytes(void **state)
{
	struct table *t = table_new(titles);

	(void)state;
	table_row(t, (const char *const[]){"zürich-λ", "1", "x"});
	table_row(t, (const char *const[]){"a", "2", "y"});
	prints(t, (struct screen){0},
		"NAME      COUNT  STATE\n"
		"zürich-λ      1  x\n"
		"a             2  y\n");
}

static void lines_are_cut_to_the_terminal_between_letters(void **state)
{
	static const char *const one[] = {"N", NULL};
	struct table *t;

	(void)state;
	prints(two_rows(), (struct screen){.width = 24},
		"NAME           COUNT  ST\n"
		"web1               7  co\n"
		"a longer name  1,204  bl\n");
	prints(two_rows(), (struct screen){.width = 4}, "NAME\nweb1\na lo\n");
	for (unsigned width = 1; width < 6; width++) {
		mdc_autofree char *expected = NULL;

		t = table_new(one);
		table_row(t, (const char *const[]){"äöü€x"});
		expected = xasprintf("N\n%.*s\n",
			(int)(width < 4              ? 2 * width
					: width == 4 ? 9
						     : 10),
			"äöü€x");
		prints(t, (struct screen){.width = width}, expected);
	}
}

static void texts_cannot_control_the_terminal(void **state)
{
	struct table *t = table_new(titles);

	(void)state;
	table_row(t, (const char *const[]){"\033[2J\r\n", "\t", "\xff\xe2\x80\xae"});
	prints(t, (struct screen){0},
		"NAME             COUNT  STATE\n"
		"\\x1b[2J\\x0d\\x0a   \\x09  \\xff\\xe2\\x80\\xae\n");
}

static void endless_texts_are_cut(void **state)
{
	static const char *const one[] = {"N", NULL};
	struct table *t = table_new(one);
	mdc_autofree char *text = NULL;
	struct screen screen = {0};
	char endless[10001];
	size_t len;

	(void)state;
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	table_row(t, (const char *const[]){endless});
	screen.out = open_memstream(&text, &len);
	table_print(t, &screen);
	fclose(screen.out);
	table_free(t);
	assert_int_equal(len, 2 + 2048 + strlen("…") + 1);
}

static enum colour bad_when_blocked(const char *cell)
{
	return strcmp(cell, "blocked") == 0 ? COLOUR_BAD : COLOUR_NONE;
}

static void colours_do_not_move_columns_and_need_a_screen_that_has_them(void **state)
{
	struct table *t = two_rows();

	(void)state;
	table_colour(t, "STATE", bad_when_blocked);
	prints(t, (struct screen){0},
		"NAME           COUNT  STATE\n"
		"web1               7  compliant\n"
		"a longer name  1,204  blocked\n");
	t = two_rows();
	table_colour(t, "STATE", bad_when_blocked);
	prints(t, (struct screen){.colour = true, .width = 26},
		STRONG "NAME" END "           " STRONG "COUNT" END "  " STRONG "STAT" END "\n"
		       "web1               7  comp\n"
		       "a longer name  1,204  " RED "bloc" END "\n");
}

static void many_rows_are_no_matter(void **state)
{
	static const char *const one[] = {"N", NULL};
	struct table *t = table_new(one);
	mdc_autofree char *text = NULL;
	struct screen screen = {0};
	size_t len;

	(void)state;
	for (int i = 0; i < 100000; i++)
		table_row(t, (const char *const[]){"x"});
	screen.out = open_memstream(&text, &len);
	table_print(t, &screen);
	fclose(screen.out);
	table_free(t);
	assert_int_equal(len, 2 + 2 * 100000);
}

/* --- times and numbers --- */

static void ages_are_words_beside_the_answers_own_clock(void **state)
{
	static const struct {
		const char *time, *age;
	} rows[] = {
		{"2026-11-24T14:00:00Z", "now"},
		{"2026-11-24T13:59:59.500Z", "now"},
		{"2026-11-24T13:59:15Z", "45 s ago"},
		{"2026-11-24T10:40:00Z", "3 h 20 min ago"},
		{"2026-11-22T10:00:00Z", "2 d 4 h ago"},
		{"2026-11-24T14:12:00Z", "in 12 min"},
		{"2027-11-24T14:00:00Z", "in 365 d"},
		{"", ""},
		{"yesterday", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *answer =
			json_pack("{s:s, s:s}", "now", "2026-11-24T14:00:00Z", "at", rows[i].time);
		char age[AGE_TEXT_SIZE];

		age_of(answer, answer, "at", age);
		assert_string_equal(age, rows[i].age);
		json_decref(answer);
	}
}

static void numbers_are_grouped(void **state)
{
	static const struct {
		json_int_t n;
		const char *text;
	} rows[] = {{0, "0"}, {7, "7"}, {999, "999"}, {1000, "1,000"}, {123456, "123,456"},
		{1234567, "1,234,567"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[COUNT_TEXT_SIZE];

		count_format(rows[i].n, text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(a_table_without_rows_is_not_there),
		cmocka_unit_test(what_is_not_there_is_a_dash),
		cmocka_unit_test(letters_count_and_not_bytes),
		cmocka_unit_test(lines_are_cut_to_the_terminal_between_letters),
		cmocka_unit_test(texts_cannot_control_the_terminal),
		cmocka_unit_test(endless_texts_are_cut),
		cmocka_unit_test(colours_do_not_move_columns_and_need_a_screen_that_has_them),
		cmocka_unit_test(many_rows_are_no_matter),
		cmocka_unit_test(ages_are_words_beside_the_answers_own_clock),
		cmocka_unit_test(numbers_are_grouped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mdcctl_table", tests, NULL, NULL);
}
