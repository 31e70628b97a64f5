/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_regex: the regular expressions of extract() and `matches regex`, in the syntax of RE2 as far
 * as queries use it: classes, groups, alternatives, repeats (greedy and lazy), anchors, word
 * boundaries and the flags i, s and m. No back-references, so matching takes time linear in text
 * times pattern, whatever the pattern.
 */
#ifndef MDC_TEST_KQL_REGEX_H
#define MDC_TEST_KQL_REGEX_H

#include "tests/estate/kql_value.h"

struct kql_regex;

/*
 * Compiles into the arena; matches will tell where `group` lies (0 is the whole). -EINVAL with a
 * static text in *ret_problem.
 */
int kql_regex_compile(struct kql_arena *a, struct kql_value pattern, unsigned group,
	const struct kql_regex **ret, const char **ret_problem) MDC_MUST_CHECK;
/* Instructions of the program: what one byte of text costs at most. */
size_t kql_regex_size(const struct kql_regex *regex);

enum kql_regex_outcome { KQL_REGEX_NONE, KQL_REGEX_FOUND, KQL_REGEX_NO_MEMORY };
/* The leftmost match. *ret_group is the group's text, "" where it took no part. */
enum kql_regex_outcome kql_regex_find(const struct kql_regex *regex, struct kql_arena *scratch,
	struct kql_value text, struct kql_value *ret_group) MDC_MUST_CHECK;

#endif
