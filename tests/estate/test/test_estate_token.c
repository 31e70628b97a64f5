/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

static void a_secret_gives_a_token_that_arm_accepts(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(f.answer.reply.status, 200);
	assert_string_equal(text(&f, "token_type"), "Bearer");
	assert_int_equal(json_integer_value(tree_get(f.doc, "expires_in")), 3599);
	assert_int_equal(get(&f, "/subscriptions?api-version=2022-12-01"), 200);
	assert_string_equal(
		tree_text(json_array_get(tree_get(f.doc, "value"), 0), "displayName"), "one");
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_secret_gives_a_token_that_arm_accepts),
};
RUN_ESTATE_TESTS(tests)
