/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *a, *b;
	int order;
} pairs[] = {
	{"1.46", "1.46", 0},
	{"1.46", "1.46.0", 0},
	{"1.9", "1.46", -1},
	{"1.52.02927.1937", "1.46", 1},
	{"10.8560.25364.1036", "10.8560", 1},
	{"30.101.23052.009", "30.101.23052.9", 0},
	{"", "", 0},
	{"", "1", -1},
	{"none", "0.1", -1},
	{"1.x", "1", 0},
	{"1..2", "1", 0},
	{"99999999999999999999999", "1", 1},
};

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void versions_compare_number_by_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_int_equal(sign(version_compare(pairs[i].a, pairs[i].b)), pairs[i].order);
		assert_int_equal(sign(version_compare(pairs[i].b, pairs[i].a)), -pairs[i].order);
	}
}

static void a_version_is_of_a_line_by_whole_numbers(void **state)
{
	(void)state;
	assert_true(version_is_of("10.3720.16299.2010", "10.3720"));
	assert_true(version_is_of("10.3720", "10.3720"));
	assert_false(version_is_of("10.37201", "10.3720"));
	assert_false(version_is_of("10", "10.3720"));
	assert_false(version_is_of("", "10"));
}

static void what_begins_with_a_number_is_a_version(void **state)
{
	(void)state;
	assert_true(version_is_one("1.52"));
	assert_false(version_is_one("v1.52"));
	assert_false(version_is_one(""));
	assert_false(version_is_one(NULL));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_compare_number_by_number),
		cmocka_unit_test(a_version_is_of_a_line_by_whole_numbers),
		cmocka_unit_test(what_begins_with_a_number_is_a_version),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
