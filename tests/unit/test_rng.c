/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_same_seed_gives_the_same_numbers(void **state)
{
	struct rng a, b, c;
	bool differs = false;

	(void)state;
	rng_seed(&a, 1);
	rng_seed(&b, 1);
	rng_seed(&c, 2);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t x = rng_next(&a);

		assert_int_equal(x, rng_next(&b));
		differs = differs || x != rng_next(&c);
	}
	assert_true(differs);
}

/* The published first values of xoshiro256** for the state 1, 2, 3, 4. */
static void is_xoshiro256_starstar(void **state)
{
	static const uint64_t expected[] = {UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240),
		UINT64_C(1215971899390074240), UINT64_C(1216172134540287360),
		UINT64_C(607988272756665600)};
	struct rng r = {{1, 2, 3, 4}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(rng_next(&r), expected[i]);
}

static void seeding_with_zero_does_not_give_zeros(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 0);
	assert_int_not_equal(r.s[0] | r.s[1] | r.s[2] | r.s[3], 0);
	assert_int_not_equal(rng_next(&r) | rng_next(&r), 0);
}

static void below_stays_below_and_is_even(void **state)
{
	const uint64_t seed = 20269;
	unsigned seen[10] = {0};
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t x = rng_below(&r, ARRAY_LEN(seen));

		assert_in_range(x, 0, ARRAY_LEN(seen) - 1);
		seen[x]++;
	}
	/* 10000 each; five standard deviations are 475. */
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		assert_in_range(seen[i], 9500, 10500);
}

static void below_works_at_its_ends(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 3);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(rng_below(&r, 1), 0);
		assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
		assert_true(rng_below(&r, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
	}
}

static void between_reaches_both_ends(void **state)
{
	bool low = false, high = false;
	struct rng r;

	(void)state;
	rng_seed(&r, 4);
	for (unsigned i = 0; i < 1000; i++) {
		struct dur d = rng_between(&r, DUR_MS(-2), DUR_MS(2));

		assert_true(d.ms >= -2 && d.ms <= 2);
		low = low || d.ms == -2;
		high = high || d.ms == 2;
	}
	assert_true(low && high);
	assert_int_equal(rng_between(&r, DUR_S(5), DUR_S(5)).ms, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_numbers),
		cmocka_unit_test(is_xoshiro256_starstar),
		cmocka_unit_test(seeding_with_zero_does_not_give_zeros),
		cmocka_unit_test(below_stays_below_and_is_even),
		cmocka_unit_test(below_works_at_its_ends),
		cmocka_unit_test(between_reaches_both_ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
