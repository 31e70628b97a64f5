/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/near_miss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *nearest(const char *written)
{
	static const char *const words[] = {
		"subscriptions", "machines", "full-sweep", "mode", "plan", "P1"};
	struct near_miss m;

	near_miss_begin(&m, written);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		near_miss_offer(&m, words[i], strlen(words[i]));
	return m.best != NULL ? m.best : "";
}

static void the_word_that_was_meant_is_found(void **state)
{
	static const struct {
		const char *written, *meant;
	} cases[] = {
		{"machines", "machines"},
		{"machine", "machines"},
		{"machiness", "machines"},
		{"mahcines", "machines"},
		{"MACHINES", "machines"},
		{"machanes", "machines"},
		{"subscription", "subscriptions"},
		{"suscripton", "subscriptions"},
		{"full_sweep", "full-sweep"},
		{"fullsweep", "full-sweep"},
		{"mdoe", "mode"},
		{"model", "mode"},
		{"p1", "P1"},
		{"plain", "plan"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(nearest(cases[i].written), cases[i].meant);
}

static void a_word_far_from_all_has_no_near_miss(void **state)
{
	static const char *const words[] = {"", "x", "no", "moon", "grace", "mcahinse-of",
		"subscriptions-of-mine", "planetary"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_string_equal(nearest(words[i]), "");
}

static void the_first_of_equally_near_words_is_taken(void **state)
{
	struct near_miss m;

	(void)state;
	near_miss_begin(&m, "plat");
	near_miss_offer(&m, "plan", 4);
	near_miss_offer(&m, "play", 4);
	assert_int_equal(m.best_len, 4);
	assert_memory_equal(m.best, "plan", 4);
}

static void long_words_are_not_compared(void **state)
{
	char text[NEAR_MISS_MAX + 2];
	struct near_miss m;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[NEAR_MISS_MAX] = '\0';
	near_miss_begin(&m, text);
	near_miss_offer(&m, text, NEAR_MISS_MAX);
	assert_ptr_equal(m.best, text);
	text[NEAR_MISS_MAX] = 'x';
	text[NEAR_MISS_MAX + 1] = '\0';
	near_miss_begin(&m, text);
	near_miss_offer(&m, text, NEAR_MISS_MAX);
	near_miss_offer(&m, text, NEAR_MISS_MAX + 1);
	assert_null(m.best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_word_that_was_meant_is_found),
		cmocka_unit_test(a_word_far_from_all_has_no_near_miss),
		cmocka_unit_test(the_first_of_equally_near_words_is_taken),
		cmocka_unit_test(long_words_are_not_compared),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
