/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/handler_code.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
	bool windows;
	const char *code;
	enum handler_class class;
} rows[] = {
	{true, "51", HANDLER_UNSUPPORTED},
	{false, "51", HANDLER_NEEDS_PERSON},
	{true, "12", HANDLER_NEEDS_REBOOT},
	{false, "12", HANDLER_NEEDS_PERSON},
	{true, "13", HANDLER_NEEDS_PERSON},
	{false, "13", HANDLER_RETRIES},
	{true, "4", HANDLER_NEEDS_WAY},
	{false, "24", HANDLER_NEEDS_WAY},
	{true, "10", HANDLER_UNSUPPORTED},
	{false, "11", HANDLER_UNSUPPORTED},
	{true, "35", HANDLER_NEEDS_PERSON},
	{true, "39", HANDLER_NEEDS_PERSON},
	{true, "1603", HANDLER_NEEDS_PERSON},
	{true, "-310", HANDLER_NEEDS_PERSON},
	{true, "1", HANDLER_RETRIES_ONCE},
	{false, "15", HANDLER_RETRIES_ONCE},
	{true, "36", HANDLER_RETRIES},
};

static void codes_mean_what_they_mean_on_their_system(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct handler_code *c = handler_code_find(rows[i].windows, rows[i].code);

		if (c->class != rows[i].class)
			fail_msg("%s on %s", rows[i].code, rows[i].windows ? "Windows" : "Linux");
		assert_false(str_empty(c->text));
	}
}

static void what_is_no_known_code_is_tried_again(void **state)
{
	static const char *const codes[] = {"", "success", "77", "-1", "--5", "5x", " 51", "0x33",
		"99999999999999999999", "-", NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		for (int windows = 0; windows < 2; windows++)
			assert_int_equal(
				handler_code_find(windows, codes[i])->class, HANDLER_RETRIES);
}

static void each_class_has_its_own_reason(void **state)
{
	(void)state;
	for (unsigned a = 0; a < HANDLER_CLASS_N_; a++)
		for (unsigned b = 0; b < a; b++)
			assert_int_not_equal(handler_class_reason((enum handler_class)a),
				handler_class_reason((enum handler_class)b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_mean_what_they_mean_on_their_system),
		cmocka_unit_test(what_is_no_known_code_is_tried_again),
		cmocka_unit_test(each_class_has_its_own_reason),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
