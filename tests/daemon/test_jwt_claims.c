/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that tell whose they are, and all the others. */
#include "daemon/jwt_claims.h"

#include "lib/base/base.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_object_id_is_read(void **state)
{
	/* {"oid":"40000000-0000-4000-8000-00000000abcd"} and members before it: each padding. */
	static const char *const tokens[] = {
		"e30.eyJvaWQiOiI0MDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMGFiY2QifQ.sig",
		"e30.eyJ4IjoiIiwib2lkIjoiNDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDBhYmNkIn0.sig",
		"e30.eyJ4IjoiMTIiLCJvaWQiOiI0MDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMGFiY2QifQ."
		"sig",
		"e30.eyJ4IjoiMSIsIm9pZCI6IjQwMDAwMDAwLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwYWJjZCJ9.sig",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		char id[OBJECT_ID_SIZE] = "";

		if (!token_object_id(tokens[i], id))
			fail_msg("token %zu", i);
		assert_string_equal(id, "40000000-0000-4000-8000-00000000abcd");
	}
}

static void what_does_not_tell_tells_nothing(void **state)
{
	static const char *const tokens[] = {
		"", ".", "..", "opaque", "a.b", "e30..sig", "e30.e30.sig", "e30.=.sig",
		"e30.!!!!.sig", "e30.W10.sig", /* [] */
		"e30.eyJvaWQiOjd9.sig",        /* {"oid":7} */
		"e30.eyJvaWQiOiJtZSJ9.sig",    /* {"oid":"me"} */
		"e30.eyJvaWQiOiI0MDAw.sig",    /* cut */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		char id[OBJECT_ID_SIZE] = "untouched";

		if (token_object_id(tokens[i], id))
			fail_msg("token %zu", i);
		assert_string_equal(id, "untouched");
	}
}

static void a_huge_one_is_not_looked_into(void **state)
{
	size_t len = 1 << 20;
	char *token = xmalloc(len + 1), id[OBJECT_ID_SIZE];

	(void)state;
	memset(token, 'e', len);
	token[1] = token[len - 1] = '.';
	token[len] = '\0';
	assert_false(token_object_id(token, id));
	free(token);
}

static void a_challenge_says_what_is_wanted(void **state)
{
#define ERROR "error=\"insufficient_claims\", "
	static const struct {
		const char *challenge, *wanted;
	} rows[] = {
		{"Bearer " ERROR "claims=\"eyJhIjp7fX0\"", "{\"a\":{}}"},
		{"bearer realm=\"\", " ERROR "claims=\"eyJhIjp7fX0=\"", "{\"a\":{}}"},
		{"Bearer " ERROR "claims=eyJhIjp7fX0=", "{\"a\":{}}"},
		{"Bearer claims=\"eyJhIjp7fX0=\", error=\"insufficient_claims\"", "{\"a\":{}}"},
		{"Bearer error=\"invalid_token\", claims=\"eyJhIjp7fX0=\"", NULL},
		{"Basic " ERROR "claims=\"eyJhIjp7fX0=\"", NULL},
		{"Bearer " ERROR "claims=\"bm8ganNvbg==\"", NULL},
		{"Bearer " ERROR "claims=\"", NULL},
		{"Bearer " ERROR "claims=", NULL},
		{"Bearer " ERROR "noclaims=\"eyJhIjp7fX0=\"", NULL},
		{"Bearer " ERROR, NULL},
		{"Bearer", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_headers headers = {0};
		char *wanted;

		http_headers_add(&headers, "WWW-Authenticate", "Basic realm=x");
		http_headers_add(&headers, "WWW-Authenticate", rows[i].challenge);
		wanted = jwt_claims_wanted(&headers);
		if ((wanted == NULL) != (rows[i].wanted == NULL))
			fail_msg("row %zu", i);
		if (wanted != NULL)
			assert_string_equal(wanted, rows[i].wanted);
		free(wanted);
		http_headers_fini(&headers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_object_id_is_read),
		cmocka_unit_test(what_does_not_tell_tells_nothing),
		cmocka_unit_test(a_challenge_says_what_is_wanted),
		cmocka_unit_test(a_huge_one_is_not_looked_into),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
