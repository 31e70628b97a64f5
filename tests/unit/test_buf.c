/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buf.h"

#include "lib/base/rng.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

static void is_empty_text_before_the_first_append(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(b.len, 0);
	assert_false(buf_failed(&b));
	buf_fini(&b);
}

static void keeps_a_terminator_behind_the_contents(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(buf_adds(&b, "ab"), 0);
	assert_int_equal(buf_addc(&b, 'c'), 0);
	assert_int_equal(buf_add(&b, "d\0e", 3), 0);
	assert_int_equal(buf_addf(&b, "%d-%s", 7, "x"), 0);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.data, "abcd\0e7-x", 10);
	buf_fini(&b);
}

static void holds_exactly_its_cap(void **state)
{
	struct buf b = BUF_INIT(4);

	(void)state;
	assert_int_equal(buf_adds(&b, "abcd"), 0);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_false(buf_failed(&b));
	assert_int_equal(buf_addc(&b, 'e'), -EFBIG);
	assert_string_equal(buf_str(&b), "abcd");
	buf_fini(&b);
}

static void an_append_past_the_cap_changes_nothing_and_fails_the_later_ones(void **state)
{
	struct buf b = BUF_INIT(4);

	(void)state;
	assert_int_equal(buf_adds(&b, "ab"), 0);
	assert_int_equal(buf_adds(&b, "cde"), -EFBIG);
	assert_string_equal(buf_str(&b), "ab");
	assert_true(buf_failed(&b));
	assert_int_equal(buf_addc(&b, 'c'), -EFBIG);
	assert_int_equal(buf_addf(&b, "%s", "c"), -EFBIG);
	assert_string_equal(buf_str(&b), "ab");
	buf_fini(&b);
}

static void a_huge_length_does_not_overflow_the_check(void **state)
{
	struct buf b = BUF_INIT(8);

	(void)state;
	assert_int_equal(buf_adds(&b, "abc"), 0);
	assert_int_equal(buf_add(&b, "x", SIZE_MAX), -EFBIG);
	assert_int_equal(buf_add(&b, "x", SIZE_MAX - 2), -EFBIG);
	buf_fini(&b);
}

static void a_format_that_cannot_be_written_fails_the_buffer(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	/* Not representable in the C locale. */
	assert_int_equal(buf_addf(&b, "%lc", (wint_t)0x20ac), -EINVAL);
	assert_true(buf_failed(&b));
	assert_string_equal(buf_str(&b), "");
	buf_fini(&b);
}

static void reset_empties_and_forgives(void **state)
{
	struct buf b = BUF_INIT(3);

	(void)state;
	assert_int_equal(buf_adds(&b, "abcd"), -EFBIG);
	buf_reset(&b);
	assert_int_equal(buf_adds(&b, "xyz"), 0);
	buf_reset(&b);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_adds(&b, "new"), 0);
	assert_string_equal(buf_str(&b), "new");
	buf_fini(&b);
}

static void consume_takes_from_the_front(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	buf_consume(&b, 0);
	assert_int_equal(buf_adds(&b, "abcdef"), 0);
	buf_consume(&b, 2);
	assert_string_equal(buf_str(&b), "cdef");
	buf_consume(&b, 4);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_adds(&b, "0123456789"), 0);
	buf_fini(&b);
}

static void steal_gives_the_contents_away(void **state)
{
	struct buf b = BUF_INIT(10);
	char *text;

	(void)state;
	text = buf_steal(&b);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(buf_adds(&b, "abc"), 0);
	text = buf_steal(&b);
	assert_string_equal(text, "abc");
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_adds(&b, "0123456789"), 0);
	free(text);
	buf_fini(&b);
}

/* A fixed array does what the buffer should do. */
struct model {
	char bytes[300];
	size_t len, cap;
	bool failed;
};

static void model_add(struct model *m, const char *data, size_t len)
{
	if (m->failed || m->len + len > m->cap) {
		m->failed = true;
		return;
	}
	memcpy(m->bytes + m->len, data, len);
	m->len += len;
}

static void random_step(struct rng *r, struct buf *b, struct model *m)
{
	char data[40];
	size_t len = rng_below(r, sizeof(data));

	for (size_t i = 0; i < len; i++)
		data[i] = (char)('a' + rng_below(r, 26));
	switch (rng_below(r, 8)) {
	case 0:
		buf_reset(b);
		m->len = 0;
		m->failed = false;
		break;
	case 1:
		len = rng_below(r, b->len + 1);
		buf_consume(b, len);
		memmove(m->bytes, m->bytes + len, m->len - len);
		m->len -= len;
		break;
	case 2:
		(void)buf_addf(b, "%.*s", (int)len, data);
		model_add(m, data, len);
		break;
	default:
		(void)buf_add(b, data, len);
		model_add(m, data, len);
		break;
	}
}

static void agrees_with_a_fixed_array_under_random_changes(void **state)
{
	const uint64_t seed = 20261;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned round = 0; round < 200; round++) {
		struct model m = {.cap = rng_below(&r, 200)};
		struct buf b = BUF_INIT(m.cap);

		for (unsigned i = 0; i < 100; i++) {
			random_step(&r, &b, &m);
			assert_int_equal(b.len, m.len);
			assert_int_equal(buf_failed(&b), m.failed);
			assert_memory_equal(buf_str(&b), m.bytes, m.len);
			assert_int_equal(buf_str(&b)[b.len], '\0');
		}
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_empty_text_before_the_first_append),
		cmocka_unit_test(keeps_a_terminator_behind_the_contents),
		cmocka_unit_test(holds_exactly_its_cap),
		cmocka_unit_test(an_append_past_the_cap_changes_nothing_and_fails_the_later_ones),
		cmocka_unit_test(a_huge_length_does_not_overflow_the_check),
		cmocka_unit_test(a_format_that_cannot_be_written_fails_the_buffer),
		cmocka_unit_test(reset_empties_and_forgives),
		cmocka_unit_test(consume_takes_from_the_front),
		cmocka_unit_test(steal_gives_the_contents_away),
		cmocka_unit_test(agrees_with_a_fixed_array_under_random_changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
