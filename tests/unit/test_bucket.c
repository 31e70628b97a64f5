/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/rng.h"
#include "lib/engine/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define AT(milliseconds) ((struct mono){(milliseconds)})

static struct bucket writes(unsigned reserve_percent)
{
	struct bucket b;

	bucket_init(&b, 200, 10, reserve_percent, AT(0));
	return b;
}

static unsigned drain_all(struct bucket *b, struct mono now)
{
	unsigned drained = 0;

	for (; !mono_before(now, bucket_ready(b, now)); drained++)
		bucket_drain(b, now);
	return drained;
}

static void starts_full_and_refills(void **state)
{
	struct bucket b = writes(0);

	(void)state;
	assert_int_equal(drain_all(&b, AT(0)), 200);
	assert_int_equal(drain_all(&b, AT(50)), 0);
	assert_in_range(bucket_ready(&b, AT(50)).ms, 100, 101);
	assert_int_equal(drain_all(&b, AT(101)), 1);
	assert_int_equal(drain_all(&b, AT(1001)), 9);
	/* Never more than its size, however long it rests. */
	assert_int_equal(drain_all(&b, AT(100000000)), 200);
}

static void keeps_its_reserve_for_others(void **state)
{
	struct bucket b = writes(10);

	(void)state;
	assert_int_equal(drain_all(&b, AT(0)), 180);
	assert_true(bucket_level(&b, AT(0)) >= 20);
	assert_int_equal(drain_all(&b, AT(1001)), 10);
}

static void a_reserve_never_closes_a_bucket(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 200, 10, 100, AT(0));
	assert_int_equal(drain_all(&b, AT(0)), 1);
	bucket_init(&b, 0.2, 1, 50, AT(0));
	assert_int_equal(drain_all(&b, AT(0)), 1);
	assert_in_range(bucket_ready(&b, AT(0)).ms, 1000, 1001);
}

static void without_refill_it_is_never_ready_again(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 3, 0, 0, AT(0));
	assert_int_equal(drain_all(&b, AT(0)), 3);
	assert_int_equal(bucket_ready(&b, AT(0)).ms, MONO_NEVER.ms);
}

static void believes_a_lower_count_at_once(void **state)
{
	struct bucket b = writes(0);

	(void)state;
	bucket_correct(&b, 5, 5, AT(0));
	assert_int_equal(drain_all(&b, AT(0)), 5);
}

static void believes_a_higher_count_up_to_its_size(void **state)
{
	struct bucket b = writes(0);

	(void)state;
	drain_all(&b, AT(0));
	bucket_correct(&b, 40, 44, AT(0));
	assert_int_equal(drain_all(&b, AT(0)), 40);
	bucket_correct(&b, 749, 749, AT(0));
	assert_int_equal(drain_all(&b, AT(0)), 200);
}

static void leaves_a_level_alone_that_the_count_allows(void **state)
{
	struct bucket b = writes(0);

	(void)state;
	bucket_correct(&b, 100, 100, AT(0));
	bucket_correct(&b, 80, 120, AT(0));
	assert_int_equal(drain_all(&b, AT(0)), 100);
}

static void a_freeze_is_exactly_as_long_as_asked(void **state)
{
	struct bucket b = writes(0);

	(void)state;
	bucket_freeze(&b, AT(5000), AT(0));
	assert_int_equal(bucket_ready(&b, AT(0)).ms, 5000);
	assert_int_equal(drain_all(&b, AT(4999)), 0);
	/* What flowed in meanwhile, and not a full bucket. */
	assert_int_equal(drain_all(&b, AT(5000)), 50);
}

static void a_shorter_freeze_does_not_replace_a_longer_one(void **state)
{
	struct bucket b = writes(0);

	(void)state;
	bucket_freeze(&b, AT(60000), AT(0));
	bucket_freeze(&b, AT(2000), AT(1000));
	assert_int_equal(bucket_ready(&b, AT(1000)).ms, 60000);
	bucket_correct(&b, 200, 200, AT(1000));
	assert_int_equal(bucket_ready(&b, AT(1000)).ms, 60000);
}

static void nothing_flows_into_a_held_bucket(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 15, 3, 0, AT(0));
	bucket_correct(&b, 2, 2, AT(0));
	bucket_hold(&b, AT(4000), AT(0));
	assert_int_equal(drain_all(&b, AT(3999)), 2);
	assert_in_range(bucket_ready(&b, AT(3999)).ms, 4333, 4335);
	assert_int_equal(drain_all(&b, AT(9001)), 15);
}

static void another_size_keeps_level_and_freeze(void **state)
{
	struct bucket b = writes(0);

	(void)state;
	bucket_correct(&b, 30, 30, AT(0));
	bucket_resize(&b, 1200, 1, 0, AT(0));
	assert_int_equal(drain_all(&b, AT(0)), 30);
	bucket_freeze(&b, AT(9000), AT(0));
	bucket_resize(&b, 4, 10, 0, AT(0));
	assert_int_equal(bucket_ready(&b, AT(0)).ms, 9000);
	assert_int_equal(drain_all(&b, AT(9000)), 4);
}

/* One random life of a bucket; all that it admits is checked against what it may. */
struct life {
	struct bucket bucket;
	struct rng rng;
	struct mono now;
	struct mono admitted[20000];
	size_t count;
	struct mono frozen;
};

static void live_a_moment(struct life *l)
{
	struct bucket *b = &l->bucket;
	double before;

	l->now = mono_add(l->now, DUR_MS((int64_t)rng_below(&l->rng, 300)));
	switch (rng_below(&l->rng, 40)) {
	case 0:
		l->frozen = mono_add(l->now, DUR_MS((int64_t)rng_below(&l->rng, 20000)));
		bucket_freeze(b, l->frozen, l->now);
		l->frozen = b->frozen;
		break;
	case 1:
		before = bucket_level(b, l->now);
		bucket_correct(b, 0, (double)rng_below(&l->rng, 250), l->now);
		assert_true(bucket_level(b, l->now) <= before);
		break;
	case 2:
		bucket_hold(b, mono_add(l->now, DUR_MS((int64_t)rng_below(&l->rng, 5000))), l->now);
		break;
	default: break;
	}
	for (uint64_t n = rng_below(&l->rng, 12); n > 0; n--) {
		if (mono_before(l->now, bucket_ready(b, l->now)))
			break;
		assert_false(mono_before(l->now, l->frozen));
		bucket_drain(b, l->now);
		assert_true(bucket_level(b, l->now) >= b->floor - 0.001);
		if (l->count < 20000)
			l->admitted[l->count++] = l->now;
	}
}

static void check_windows(const struct life *l)
{
	const struct bucket *b = &l->bucket;

	for (size_t i = 0; i < l->count; i += 7)
		for (size_t k = i; k < l->count; k += 13) {
			double window =
				(double)mono_since(l->admitted[k], l->admitted[i]).ms / 1000;

			assert_true((double)(k - i + 1) <=
				b->size - b->floor + b->refill * window + 0.01);
		}
}

static void no_window_admits_more_than_size_and_refill(void **state)
{
	static struct life life;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		life = (struct life){0};
		print_message("# seed %u\n", (unsigned)seed);
		rng_seed(&life.rng, seed);
		bucket_init(&life.bucket, 1 + (double)rng_below(&life.rng, 200),
			0.5 + (double)rng_below(&life.rng, 20), (unsigned)rng_below(&life.rng, 50),
			life.now);
		for (unsigned i = 0; i < 2000; i++)
			live_a_moment(&life);
		assert_true(life.count > 0);
		check_windows(&life);
	}
}

static void it_is_ready_when_it_says_so(void **state)
{
	struct rng rng;
	struct bucket b;
	struct mono now = AT(0);

	(void)state;
	rng_seed(&rng, 7);
	bucket_init(&b, 3, 0.37, 30, now);
	for (unsigned i = 0; i < 5000; i++) {
		now = bucket_ready(&b, now);
		assert_int_equal(bucket_ready(&b, now).ms, now.ms);
		bucket_drain(&b, now);
		now = mono_add(now, DUR_MS((int64_t)rng_below(&rng, 2000)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_full_and_refills),
		cmocka_unit_test(keeps_its_reserve_for_others),
		cmocka_unit_test(a_reserve_never_closes_a_bucket),
		cmocka_unit_test(without_refill_it_is_never_ready_again),
		cmocka_unit_test(believes_a_lower_count_at_once),
		cmocka_unit_test(believes_a_higher_count_up_to_its_size),
		cmocka_unit_test(leaves_a_level_alone_that_the_count_allows),
		cmocka_unit_test(a_freeze_is_exactly_as_long_as_asked),
		cmocka_unit_test(a_shorter_freeze_does_not_replace_a_longer_one),
		cmocka_unit_test(nothing_flows_into_a_held_bucket),
		cmocka_unit_test(another_size_keeps_level_and_freeze),
		cmocka_unit_test(no_window_admits_more_than_size_and_refill),
		cmocka_unit_test(it_is_ready_when_it_says_so),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
