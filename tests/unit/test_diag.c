/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void nothing_renders_as_nothing(void **state)
{
	struct diags d = DIAGS_INIT;
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(diags_render(&d, &b), 0);
	assert_string_equal(buf_str(&b), "");
	buf_fini(&b);
	diags_fini(&d);
}

static void says_where_and_what(void **state)
{
	struct diags d = DIAGS_INIT;
	struct buf b = BUF_INIT(1000);

	(void)state;
	diag_error(&d, "/etc/mdcd/mdcd.conf", 12, "unknown option \"%s\"", "modee");
	diag_warning(&d, "a.conf", 0, "is empty");
	diag_error(&d, NULL, 5, "no file");
	assert_int_equal(d.errors, 2);
	assert_int_equal(d.warnings, 1);
	assert_int_equal(diags_render(&d, &b), 0);
	assert_string_equal(buf_str(&b),
		"/etc/mdcd/mdcd.conf:12: error: unknown option \"modee\"\n"
		"a.conf: warning: is empty\n"
		"error: no file\n");
	buf_fini(&b);
	diags_fini(&d);
	assert_int_equal(d.errors, 0);
}

static void past_the_bound_only_the_count_goes_on(void **state)
{
	struct diags d = DIAGS_INIT;
	struct buf b = BUF_INIT(100000);

	(void)state;
	for (unsigned i = 0; i < DIAG_MAX + 7; i++)
		diag_error(&d, "f", i + 1, "x");
	diag_warning(&d, "f", 1, "x");
	assert_int_equal(d.n, DIAG_MAX);
	assert_int_equal(d.errors, DIAG_MAX + 7);
	assert_int_equal(diags_render(&d, &b), 0);
	assert_non_null(strstr(buf_str(&b), "f:100: error: x\nand 8 more\n"));
	assert_null(strstr(buf_str(&b), "f:101:"));
	buf_fini(&b);
	diags_fini(&d);
}

static void a_text_without_end_does_not_fill_the_memory(void **state)
{
	struct diags d = DIAGS_INIT;
	static char huge[100000];

	(void)state;
	memset(huge, 'x', sizeof(huge) - 1);
	diag_error(&d, "f", 1, "%s", huge);
	assert_int_equal(d.n, 1);
	assert_string_equal(d.v[0].text, "(the text is too long)");
	diags_fini(&d);
}

static void rendering_into_a_small_buffer_fails(void **state)
{
	struct diags d = DIAGS_INIT;
	struct buf b = BUF_INIT(10);

	(void)state;
	diag_error(&d, "file", 1, "something");
	assert_int_equal(diags_render(&d, &b), -EFBIG);
	buf_fini(&b);
	diags_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_renders_as_nothing),
		cmocka_unit_test(says_where_and_what),
		cmocka_unit_test(past_the_bound_only_the_count_goes_on),
		cmocka_unit_test(a_text_without_end_does_not_fill_the_memory),
		cmocka_unit_test(rendering_into_a_small_buffer_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
