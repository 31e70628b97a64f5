/* SPDX-License-Identifier: Apache-2.0 */
/* kql_regex_internal: the program that the compiler of patterns writes and the matcher runs. */
#ifndef MDC_TEST_KQL_REGEX_INTERNAL_H
#define MDC_TEST_KQL_REGEX_INTERNAL_H

#include "tests/estate/kql_regex.h"

#define REGEX_PROGRAM_MAX 4000

struct regex_range {
	uint32_t first, last;
};

/* Which code points one step of the pattern takes. */
struct regex_class {
	struct regex_range *ranges;
	unsigned count;
	bool negated;
	bool nocase;
};

enum regex_assertion {
	REGEX_TEXT_START,
	REGEX_TEXT_END,
	REGEX_LINE_START,
	REGEX_LINE_END,
	REGEX_WORD_BOUNDARY,
	REGEX_NO_WORD_BOUNDARY,
};

enum regex_op {
	REGEX_TAKE,        /* one code point of `class` */
	REGEX_FORK,        /* goes on at `next`, and with less right at `other` */
	REGEX_JUMP,        /* goes on at `next` */
	REGEX_GROUP_START, /* of the wanted group */
	REGEX_GROUP_END,
	REGEX_ASSERT,
	REGEX_MATCH,
};

struct regex_step {
	enum regex_op op;
	enum regex_assertion assertion;
	uint32_t next, other;
	const struct regex_class *class;
};

struct kql_regex {
	struct regex_step *steps;
	uint32_t count;
};

#endif
