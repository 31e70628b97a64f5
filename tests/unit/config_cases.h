/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_cases: configurations as text, built, and what was said about them. For test files only:
 * all of it is static.
 */
#ifndef MDC_TEST_CONFIG_CASES_H
#define MDC_TEST_CONFIG_CASES_H

#include "tests/unit/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ID1 "11111111-1111-1111-1111-111111111111"
#define ID2 "22222222-2222-2222-2222-222222222222"
#define ID3 "33333333-3333-3333-3333-333333333333"

#define CREDENTIALS \
	"	tenant = " ID1 "\n" \
	"	client = " ID2 "\n" \
	"	method = client-secret\n" \
	"	secret-file = /etc/mdcd/secret\n"
/* These stand behind what a case is about, so that its lines begin at 1. */
#define IDENTITY "identity \"main\" {\n" CREDENTIALS "}\n"
#define POLICY "policy \"servers\" {\n}\n"
#define REFERENCES "	identity = main\n	policy = servers\n"
#define SCOPE "scope \"rest\" {\n" REFERENCES "}\n"
#define BASE IDENTITY POLICY SCOPE

/* Builds, and puts what was said into `said`; NULL where it was refused. */
static inline struct config *build(const char *text, struct buf *said)
{
	mdc_cleanup(config_section_fini) struct config_section root = records_of(text);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;
	int result = config_build(&root, &diags, &config);

	assert_int_equal(diags_render(&diags, said), 0);
	assert_int_equal(result, diags.errors > 0 ? -EINVAL : 0);
	assert_int_equal(config != NULL, diags.errors == 0);
	return config;
}

static inline struct config *build_well(const char *text)
{
	mdc_cleanup(buf_fini) struct buf said = BUF_INIT(1 << 20);
	struct config *config = build(text, &said);

	assert_string_equal(buf_str(&said), "");
	assert_non_null(config);
	return config;
}

struct trouble {
	const char *text;
	const char *said;
};

static inline void assert_said(const struct trouble *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		mdc_cleanup(buf_fini) struct buf said = BUF_INIT(1 << 20);

		config_free(build(cases[i].text, &said));
		if (strcmp(buf_str(&said), cases[i].said) != 0)
			fail_msg("case %zu:\n%s\nsaid:\n%sinstead of:\n%s", i, cases[i].text,
				buf_str(&said), cases[i].said);
	}
}

#endif
