/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/map.h"

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

static void an_empty_map_finds_and_gives_nothing(void **state)
{
	struct map m;
	size_t at = 0;

	(void)state;
	map_init(&m, NULL);
	assert_null(map_get(&m, "a"));
	assert_null(map_get(&m, NULL));
	assert_false(map_has(&m, "a"));
	assert_false(map_remove(&m, "a"));
	assert_null(map_walk(&m, &at));
	assert_int_equal(map_count(&m), 0);
	map_clear(&m);
	map_fini(&m);
}

static void finds_keys_without_case_and_keeps_the_first_spelling(void **state)
{
	struct map m;
	size_t at = 0;
	int one = 1, two = 2;

	(void)state;
	map_init(&m, NULL);
	map_set(&m, "/Subscriptions/A", &one);
	map_set(&m, "/subscriptions/a", &two);
	assert_int_equal(map_count(&m), 1);
	assert_ptr_equal(map_get(&m, "/SUBSCRIPTIONS/A"), &two);
	assert_string_equal(map_walk(&m, &at)->key, "/Subscriptions/A");
	assert_false(map_has(&m, "/subscriptions/\xc3\xa4"));
	map_fini(&m);
}

static void an_empty_key_and_a_null_value_are_kept(void **state)
{
	struct map m;

	(void)state;
	map_init(&m, free);
	map_set(&m, "", NULL);
	assert_true(map_has(&m, ""));
	assert_null(map_get(&m, ""));
	assert_true(map_remove(&m, ""));
	assert_false(map_has(&m, ""));
	map_fini(&m);
}

static unsigned freed;

static void count_free(void *value)
{
	freed++;
	free(value);
}

static void every_value_is_freed_once(void **state)
{
	struct map m;
	char *same;

	(void)state;
	freed = 0;
	map_init(&m, count_free);
	map_set(&m, "a", xstrdup("1"));
	map_set(&m, "A", xstrdup("2"));
	assert_int_equal(freed, 1);
	same = map_get(&m, "a");
	map_set(&m, "a", same);
	assert_int_equal(freed, 1);
	assert_true(map_remove(&m, "a"));
	assert_int_equal(freed, 2);
	assert_false(map_remove(&m, "a"));
	map_set(&m, "b", xstrdup("3"));
	map_clear(&m);
	assert_int_equal(freed, 3);
	map_set(&m, "c", xstrdup("4"));
	map_fini(&m);
	assert_int_equal(freed, 4);
	/* Usable again after fini. */
	map_set(&m, "d", xstrdup("5"));
	map_fini(&m);
	assert_int_equal(freed, 5);
}

static void walks_in_the_order_of_insertion(void **state)
{
	struct map m;
	struct map_entry *entry;
	char walked[64] = "";
	int value = 0;

	(void)state;
	map_init(&m, NULL);
	map_set(&m, "c", &value);
	map_set(&m, "a", &value);
	map_set(&m, "b", &value);
	map_set(&m, "d", &value);
	assert_true(map_remove(&m, "a"));
	map_set(&m, "C", &value);
	map_set(&m, "a", &value);
	map_for_each (&m, entry)
		strcat(walked, entry->key);
	assert_string_equal(walked, "cbda");
	map_fini(&m);
}

static void values_may_be_removed_and_replaced_while_walking(void **state)
{
	struct map m;
	struct map_entry *entry;
	unsigned seen = 0;
	char key[16];

	(void)state;
	map_init(&m, free);
	/* 96 of 128 slots, 128 of 128 entries: the next new key rebuilds, a replacement must not.
	 */
	for (unsigned i = 0; i < 128; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		map_set(&m, key, xstrdup(key));
	}
	map_for_each (&m, entry) {
		snprintf(key, sizeof(key), "k%u", seen);
		assert_string_equal(entry->key, key);
		if (seen % 4 != 0)
			assert_true(map_remove(&m, entry->key));
		else
			map_set(&m, key, xstrdup("new"));
		seen++;
	}
	assert_int_equal(seen, 128);
	assert_int_equal(map_count(&m), 32);
	assert_string_equal(map_get(&m, "K4"), "new");
	map_fini(&m);
}

static void memory_stays_bounded_while_keys_come_and_go(void **state)
{
	struct map m;
	char key[32];
	int value = 0;

	(void)state;
	map_init(&m, NULL);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "steady-%u", i);
		map_set(&m, key, &value);
	}
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "passing-%u", i);
		map_set(&m, key, &value);
		assert_true(map_remove(&m, key));
	}
	assert_int_equal(map_count(&m), 100);
	assert_in_range(m.room, 100, 512);
	assert_in_range(m.slot_count, 128, 1024);
	map_fini(&m);
}

/* An array does what the map should do. */
#define MODEL_MAX 400
struct model {
	struct {
		char key[8];
		void *value;
	} v[MODEL_MAX];
	size_t n;
};

static size_t model_find(const struct model *m, const char *key)
{
	size_t i = 0;

	while (i < m->n && str_compare_nocase(m->v[i].key, key) != 0)
		i++;
	return i;
}

static void model_set(struct model *m, const char *key, void *value)
{
	size_t i = model_find(m, key);

	if (i == m->n) {
		m->n++;
		strcpy(m->v[i].key, key);
	}
	m->v[i].value = value;
}

static bool model_remove(struct model *m, const char *key)
{
	size_t i = model_find(m, key);

	if (i == m->n)
		return false;
	memmove(&m->v[i], &m->v[i + 1], (m->n - i - 1) * sizeof(m->v[0]));
	m->n--;
	return true;
}

static void assert_same(const struct map *m, const struct model *model)
{
	struct map_entry *entry;
	size_t i = 0;

	assert_int_equal(map_count(m), model->n);
	map_for_each (m, entry) {
		assert_string_equal(entry->key, model->v[i].key);
		assert_ptr_equal(entry->value, model->v[i].value);
		i++;
	}
	assert_int_equal(i, model->n);
}

static void random_key(struct rng *r, unsigned keys, char ret[static 8])
{
	snprintf(ret, 8, rng_below(r, 2) ? "k%u" : "K%u", (unsigned)rng_below(r, keys));
}

/* Phases of growing, of churning and of emptying, so that rebuilds fall into each. */
static void agrees_with_an_array_under_random_changes(void **state)
{
	const uint64_t seed = 20266;
	struct model model = {.n = 0};
	struct rng r;
	struct map m;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	map_init(&m, NULL);
	for (unsigned phase = 0; phase < 60; phase++) {
		unsigned keys = 1 + (unsigned)rng_below(&r, MODEL_MAX - 1);
		unsigned removals = (unsigned)rng_below(&r, 11);

		for (unsigned i = 0; i < 1000; i++) {
			char key[8];
			size_t at;

			random_key(&r, keys, key);
			if (rng_below(&r, 10) < removals) {
				assert_int_equal(map_remove(&m, key), model_remove(&model, key));
			} else {
				void *value = &model.v[rng_below(&r, MODEL_MAX)];

				map_set(&m, key, value);
				model_set(&model, key, value);
			}
			random_key(&r, keys, key);
			at = model_find(&model, key);
			assert_int_equal(map_has(&m, key), at < model.n);
			assert_ptr_equal(map_get(&m, key), at < model.n ? model.v[at].value : NULL);
		}
		assert_same(&m, &model);
		if (phase % 20 == 19) {
			map_clear(&m);
			model.n = 0;
		}
	}
	map_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_finds_and_gives_nothing),
		cmocka_unit_test(finds_keys_without_case_and_keeps_the_first_spelling),
		cmocka_unit_test(an_empty_key_and_a_null_value_are_kept),
		cmocka_unit_test(every_value_is_freed_once),
		cmocka_unit_test(walks_in_the_order_of_insertion),
		cmocka_unit_test(values_may_be_removed_and_replaced_while_walking),
		cmocka_unit_test(memory_stays_bounded_while_keys_come_and_go),
		cmocka_unit_test(agrees_with_an_array_under_random_changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
