/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_batch.h"
#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20
#define RECORDS 5000

static const struct {
	unsigned numbers, texts;
} shapes[] = {
#define SHAPE(name, numbers, texts) [RECORD_##name] = {numbers, texts},
	STORE_RECORDS(SHAPE)
#undef SHAPE
};

static int64_t any_number(struct rng *rng)
{
	static const int64_t edges[] = {
		0, 1, -1, 63, 64, -64, -65, INT64_MAX, INT64_MIN, UINT32_MAX};

	if (rng_below(rng, 2) == 0)
		return edges[rng_below(rng, ARRAY_LEN(edges))];
	return (int64_t)(rng_next(rng) >> rng_below(rng, 64));
}

static const char *any_text(struct rng *rng)
{
	static const char *const texts[] = {NULL, "", "a", "A", "ab", "abc", "ab",
		"/subscriptions/s/machines/1", "/subscriptions/s/machines/10", "\xff\x01"};

	return texts[rng_below(rng, ARRAY_LEN(texts))];
}

static void any_record(struct rng *rng, struct record *ret)
{
	*ret = (struct record){.kind = (enum record_kind)rng_below(rng, RECORD_N_)};
	for (unsigned i = 0; i < shapes[ret->kind].numbers; i++)
		ret->number[i] = any_number(rng);
	for (unsigned i = 0; i < shapes[ret->kind].texts; i++)
		ret->text[i] = any_text(rng);
}

static void whatever_is_packed_comes_out_again(void **state)
{
	struct batch *b = batch_new();
	struct batch_reader reader;
	struct rng rng, again;
	struct record in, out;

	(void)state;
	print_message("# seed %d\n", SEED);
	rng_seed(&rng, SEED);
	again = rng;
	for (unsigned i = 0; i < RECORDS; i++) {
		any_record(&rng, &in);
		batch_add(b, &in);
	}
	assert_int_equal(b->records, RECORDS);
	batch_read(b, &reader);
	for (unsigned i = 0; i < RECORDS; i++) {
		any_record(&again, &in);
		assert_true(batch_next(&reader, &out));
		assert_int_equal(out.kind, in.kind);
		assert_memory_equal(out.number, in.number, sizeof(in.number));
		for (unsigned t = 0; t < RECORD_TEXTS; t++)
			assert_true(str_equal(out.text[t], in.text[t]));
	}
	assert_false(batch_next(&reader, &out));
	batch_free(b);
}

static void an_empty_batch_has_no_records(void **state)
{
	struct batch *b = batch_new();
	struct batch_reader reader;
	struct record out;

	(void)state;
	batch_read(b, &reader);
	assert_false(batch_next(&reader, &out));
	batch_free(b);
}

static void the_items_of_one_machine_share_its_id(void **state)
{
	struct batch *b = batch_new();
	struct record in = {.kind = RECORD_ITEM,
		.text = {"arc-connected",
			"/subscriptions/0a000000-0000-0000-0000-000000000001/resourceGroups/rg/"
			"providers/Microsoft.HybridCompute/machines/a-long-name",
			"compliant", "none", ""}};
	size_t first;

	(void)state;
	batch_add(b, &in);
	first = b->bytes.len;
	in.text[0] = "mde-extension";
	batch_add(b, &in);
	assert_in_range(b->bytes.len - first, 1, 30);
	batch_free(b);
}

static void endless_text_is_cut_between_characters(void **state)
{
	struct batch *b = batch_new();
	struct batch_reader reader;
	mdc_autofree char *endless = xmalloc(30001);
	struct record in = {.kind = RECORD_ITEM_GONE, .text = {"c", endless}}, out;

	(void)state;
	/* Three bytes each, which do not end at the limit. */
	for (unsigned i = 0; i < 10000; i++)
		memcpy(endless + 3 * i, "\xe2\x82\xac", 3);
	endless[30000] = '\0';
	batch_add(b, &in);
	batch_read(b, &reader);
	assert_true(batch_next(&reader, &out));
	assert_int_equal(strlen(out.text[1]), RECORD_TEXT_MAX / 3 * 3);
	assert_memory_equal(out.text[1], endless, strlen(out.text[1]));
	batch_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_packed_comes_out_again),
		cmocka_unit_test(an_empty_batch_has_no_records),
		cmocka_unit_test(the_items_of_one_machine_share_its_id),
		cmocka_unit_test(endless_text_is_cut_between_characters),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
