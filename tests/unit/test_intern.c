/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/intern.h"

#include "lib/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void equal_texts_are_one_string(void **state)
{
	char text[] = "westeurope";
	struct intern pool;
	const char *a, *b;

	(void)state;
	intern_init(&pool);
	a = intern_take(&pool, text);
	b = intern_take(&pool, "westeurope");
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, text);
	assert_string_equal(a, "westeurope");
	intern_fini(&pool);
}

static void texts_that_differ_in_case_are_two_strings(void **state)
{
	struct intern pool;
	const char *a, *b, *c;

	(void)state;
	intern_init(&pool);
	a = intern_take(&pool, "WestEurope");
	b = intern_take(&pool, "westeurope");
	c = intern_take(&pool, "WESTEUROPE");
	assert_string_equal(a, "WestEurope");
	assert_string_equal(b, "westeurope");
	assert_string_equal(c, "WESTEUROPE");
	assert_ptr_equal(intern_take(&pool, "WestEurope"), a);
	/* Dropping the one in the middle leaves the others. */
	intern_drop(&pool, b);
	assert_ptr_equal(intern_take(&pool, "WestEurope"), a);
	assert_ptr_equal(intern_take(&pool, "WESTEUROPE"), c);
	intern_fini(&pool);
}

static void nothing_is_the_empty_string(void **state)
{
	struct intern pool;

	(void)state;
	intern_init(&pool);
	assert_string_equal(intern_take(&pool, NULL), "");
	assert_string_equal(intern_take(&pool, ""), "");
	intern_drop(&pool, "");
	intern_drop(&pool, NULL);
	assert_int_equal(map_count(&pool.strings), 0);
	intern_fini(&pool);
}

static void a_string_lives_until_its_last_holder_drops_it(void **state)
{
	struct intern pool;
	const char *a;

	(void)state;
	intern_init(&pool);
	a = intern_take(&pool, "1.50.2");
	intern_take(&pool, "1.50.2");
	intern_drop(&pool, a);
	assert_string_equal(a, "1.50.2");
	assert_int_equal(map_count(&pool.strings), 1);
	intern_drop(&pool, a);
	assert_int_equal(map_count(&pool.strings), 0);
	intern_fini(&pool);
}

static void a_slot_can_be_set_to_what_it_holds(void **state)
{
	struct intern pool;
	const char *slot = NULL;

	(void)state;
	intern_init(&pool);
	intern_set(&pool, &slot, "a");
	intern_set(&pool, &slot, slot);
	assert_string_equal(slot, "a");
	intern_set(&pool, &slot, "b");
	assert_string_equal(slot, "b");
	assert_int_equal(map_count(&pool.strings), 1);
	intern_set(&pool, &slot, NULL);
	assert_string_equal(slot, "");
	assert_int_equal(map_count(&pool.strings), 0);
	intern_fini(&pool);
}

/* As a fleet's records do: many slots, few texts, constant change. */
static void slots_always_read_what_was_last_set(void **state)
{
	const uint64_t seed = 20268;
	static const char *slots[500];
	static char expected[500][16];
	struct intern pool;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	intern_init(&pool);
	for (unsigned i = 0; i < 50000; i++) {
		size_t at = rng_below(&r, ARRAY_LEN(slots));
		char text[16] = "";

		if (rng_below(&r, 10) > 0)
			snprintf(text, sizeof(text), rng_below(&r, 2) ? "t%u" : "T%u",
				(unsigned)rng_below(&r, 60));
		intern_set(&pool, &slots[at], text);
		strcpy(expected[at], text);
		at = rng_below(&r, ARRAY_LEN(slots));
		assert_string_equal(slots[at] != NULL ? slots[at] : "", expected[at]);
	}
	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		intern_set(&pool, &slots[i], NULL);
	assert_int_equal(map_count(&pool.strings), 0);
	intern_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_texts_are_one_string),
		cmocka_unit_test(texts_that_differ_in_case_are_two_strings),
		cmocka_unit_test(nothing_is_the_empty_string),
		cmocka_unit_test(a_string_lives_until_its_last_holder_drops_it),
		cmocka_unit_test(a_slot_can_be_set_to_what_it_holds),
		cmocka_unit_test(slots_always_read_what_was_last_set),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
