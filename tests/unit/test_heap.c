/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/heap.h"

#include "lib/base/rng.h"
#include "lib/base/tick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_empty_heap_has_no_first(void **state)
{
	struct heap_node node = {0};
	struct heap h;

	(void)state;
	heap_init(&h);
	assert_null(heap_first(&h));
	assert_false(heap_holds(&node));
	heap_remove(&h, &node);
	heap_fini(&h);
}

static void the_earliest_comes_first(void **state)
{
	struct heap_node a = {0}, b = {0}, c = {0};
	struct heap h;

	(void)state;
	heap_init(&h);
	heap_put(&h, &a, 5);
	heap_put(&h, &b, INT64_MIN);
	heap_put(&h, &c, INT64_MAX);
	assert_ptr_equal(heap_first(&h), &b);
	assert_true(heap_holds(&b));
	heap_remove(&h, &b);
	assert_false(heap_holds(&b));
	assert_ptr_equal(heap_first(&h), &a);
	heap_remove(&h, &a);
	heap_remove(&h, &a);
	assert_ptr_equal(heap_first(&h), &c);
	heap_fini(&h);
	assert_false(heap_holds(&c));
}

static void equal_deadlines_leave_in_the_order_they_came(void **state)
{
	struct heap_node nodes[50] = {0};
	struct heap h;

	(void)state;
	heap_init(&h);
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		heap_put(&h, &nodes[i], 7);
	/* One that is put again goes to the end, although its deadline is the same. */
	heap_put(&h, &nodes[3], 7);
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		size_t expected = i < 3 ? i : i < ARRAY_LEN(nodes) - 1 ? i + 1 : 3;

		assert_ptr_equal(heap_first(&h), &nodes[expected]);
		heap_remove(&h, heap_first(&h));
	}
	assert_null(heap_first(&h));
	heap_fini(&h);
}

static void a_deadline_can_be_moved_both_ways(void **state)
{
	struct heap_node a = {0}, b = {0};
	struct heap h;

	(void)state;
	heap_init(&h);
	heap_put(&h, &a, 10);
	heap_put(&h, &b, 20);
	heap_put(&h, &b, 5);
	assert_ptr_equal(heap_first(&h), &b);
	heap_put(&h, &b, 15);
	assert_ptr_equal(heap_first(&h), &a);
	assert_int_equal(h.count, 2);
	heap_fini(&h);
}

#define NODES 300

static const struct heap_node *earliest_by_search(const struct heap_node *nodes)
{
	const struct heap_node *best = NULL;

	for (size_t i = 0; i < NODES; i++)
		if (heap_holds(&nodes[i]) &&
			(best == NULL || nodes[i].due < best->due ||
				(nodes[i].due == best->due && nodes[i].order < best->order)))
			best = &nodes[i];
	return best;
}

static void the_first_is_the_earliest_after_every_change(void **state)
{
	const uint64_t seed = 20267;
	struct heap_node nodes[NODES] = {0};
	struct rng r;
	struct heap h;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	heap_init(&h);
	for (unsigned i = 0; i < 20000; i++) {
		struct heap_node *node = &nodes[rng_below(&r, NODES)];

		if (rng_below(&r, 3) == 0)
			heap_remove(&h, node);
		else
			/* Few values, so that equal deadlines are common. */
			heap_put(&h, node, (int64_t)rng_below(&r, 40) - 20);
		assert_ptr_equal(heap_first(&h), earliest_by_search(nodes));
	}
	heap_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_heap_has_no_first),
		cmocka_unit_test(the_earliest_comes_first),
		cmocka_unit_test(equal_deadlines_leave_in_the_order_they_came),
		cmocka_unit_test(a_deadline_can_be_moved_both_ways),
		cmocka_unit_test(the_first_is_the_earliest_after_every_change),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
