/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void either_alphabet_and_any_padding_is_read(void **state)
{
	static const struct {
		const char *text, *decoded; /* NULL: it is none */
	} rows[] = {
		{"", ""},
		{"YQ==", "a"},
		{"YQ", "a"},
		{"YWI=", "ab"},
		{"YWJj", "abc"},
		{"fn5-", "~~~"},
		{"fn5+", "~~~"},
		{"Pz8_", "\?\?\?"},
		{"Pz8/", "\?\?\?"},
		{"Y", NULL},
		{"YW!j", NULL},
		{"YW=j", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = 0;
		char *decoded = base64_decode(rows[i].text, strlen(rows[i].text), &len);

		if ((decoded == NULL) != (rows[i].decoded == NULL))
			fail_msg("\"%s\"", rows[i].text);
		if (decoded != NULL) {
			assert_string_equal(decoded, rows[i].decoded);
			assert_int_equal(len, strlen(rows[i].decoded));
		}
		free(decoded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_alphabet_and_any_padding_is_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
