/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_regex.h"

#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct kql_value text_of(const char *text)
{
	return kql_text(text, strlen(text));
}

struct matching {
	const char *pattern;
	unsigned group;
	const char *text;
	const char *want; /* NULL: no match */
};

static void check(const struct matching *m)
{
	struct kql_arena arena = {.cap = 1 << 20}, scratch = {.cap = 1 << 20};
	const struct kql_regex *regex;
	struct kql_value got = KQL_EMPTY_TEXT;
	const char *problem = NULL;
	enum kql_regex_outcome outcome;

	if (kql_regex_compile(&arena, text_of(m->pattern), m->group, &regex, &problem) != 0)
		fail_msg("%s: %s", m->pattern, problem);
	outcome = kql_regex_find(regex, &scratch, text_of(m->text), &got);
	if (outcome != (m->want != NULL ? KQL_REGEX_FOUND : KQL_REGEX_NONE) ||
		(m->want != NULL && !kql_text_same(got, text_of(m->want))))
		fail_msg("%s on '%s' gives '%.*s'", m->pattern, m->text, (int)got.len, got.text);
	kql_arena_fini(&arena);
	kql_arena_fini(&scratch);
}

static void patterns_match_leftmost_and_greedy(void **state)
{
	static const struct matching cases[] = {
		{"b", 0, "abc", "b"},
		{"", 0, "abc", ""},
		{"x", 0, "abc", NULL},
		{"a*", 0, "aaab", "aaa"},
		{"a*?", 0, "aaab", ""},
		{"a+", 0, "baab", "aa"},
		{"a+?", 0, "baab", "a"},
		{"ab?c", 0, "ac", "ac"},
		{"ab??c", 0, "abc", "abc"},
		{"a{2}", 0, "aaa", "aa"},
		{"a{2,}", 0, "aaaa", "aaaa"},
		{"a{1,2}", 0, "aaa", "aa"},
		{"a{1,2}?", 0, "aaa", "a"},
		{"a{0}b", 0, "ab", "b"},
		{"a{,2}", 0, "a{,2}", "a{,2}"},
		{"a{x", 0, "a{x", "a{x"},
		{"a|ab", 0, "ab", "a"},
		{"ab|a", 0, "ab", "ab"},
		{"a|b|c", 0, "xc", "c"},
		{"(a|b)*c", 0, "xabac", "abac"},
		{"(a*)*b", 0, "aab", "aab"},
		{"(a*)+", 0, "b", ""},
		{"a.c", 0, "a\nc abc", "abc"},
		{"(?s)a.c", 0, "a\nc", "a\nc"},
		{"^b", 0, "ab", NULL},
		{"^a", 0, "ab", "a"},
		{"b$", 0, "ab", "b"},
		{"a$", 0, "ab", NULL},
		{"(?m)^b$", 0, "a\nb\nc", "b"},
		{"^b$", 0, "a\nb\nc", NULL},
		{"\\Ab\\z", 0, "b", "b"},
		{"\\bcat\\b", 0, "concat cat", "cat"},
		{"\\Bcat", 0, "cat concat", "cat"},
		{".*foo", 0, "xfooyfooz", "xfooyfoo"},
		{".*?foo", 0, "xfooyfooz", "xfoo"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i]);
}

static void classes_take_what_they_name(void **state)
{
	static const struct matching cases[] = {
		{"[abc]+", 0, "xxbca", "bca"},
		{"[^abc]+", 0, "abxyc", "xy"},
		{"[a-cx-z]+", 0, "mbyx", "byx"},
		{"[]a]+", 0, "x]a", "]a"},
		{"[^]a]+", 0, "]xa", "x"},
		{"[a-]+", 0, "x-a", "-a"},
		{"[\\]\\-]+", 0, "a-]", "-]"},
		{"[\\d_]+", 0, "a1_2", "1_2"},
		{"[^\\s]+", 0, " a b", "a"},
		{"\\d+", 0, "a42b", "42"},
		{"\\D+", 0, "12ab3", "ab"},
		{"\\w+", 0, "- a_1 -", "a_1"},
		{"\\W+", 0, "a -b", " -"},
		{"\\s", 0, "a\tb", "\t"},
		{"\\S+", 0, " ab ", "ab"},
		{"[\\D]+", 0, "1ab", "ab"},
		{"\\.\\*\\+\\?\\(\\)\\[\\]\\{\\}\\|\\^\\$\\\\\\/", 0, ".*+?()[]{}|^$\\/",
			".*+?()[]{}|^$\\/"},
		{"\\x41\\t\\n\\r\\f\\v", 0, "A\t\n\r\f\v", "A\t\n\r\f\v"},
		{"[\\x41-\\x43]+", 0, "zABC", "ABC"},
		{"\xc3\xa4+", 0, "x\xc3\xa4\xc3\xa4", "\xc3\xa4\xc3\xa4"},
		{"[\xc3\xa4-\xc3\xb6]", 0, "\xc3\xa5", "\xc3\xa5"},
		{"^.$", 0, "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"(?i)abc", 0, "xAbC", "AbC"},
		{"(?i)[a-c]+", 0, "ABC", "ABC"},
		{"(?i)[^a]", 0, "A", NULL},
		{"(?i)\xc3\x84", 0, "\xc3\xa4", NULL},
		{"(?i)\xc3\xa4", 0, "\xc3\x84", "\xc3\x84"},
		{"a(?i)b", 0, "aB", "aB"},
		{"a(?i:b)c", 0, "aBC", NULL},
		{"a(?i:b)c", 0, "aBc", "aBc"},
		{"(?i)a(?-i)b", 0, "AB", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i]);
}

static void groups_give_what_they_took(void **state)
{
	static const struct matching cases[] = {
		{"User: ([^,]+)", 1, "User: James, Age: 29", "James"},
		{"Email: (\\S+),", 1, "Email: a@b.c, x", "a@b.c"},
		{"(a)(b)(c)", 2, "abc", "b"},
		{"(a(b)c)", 1, "xabc", "abc"},
		{"(a(b)c)", 2, "xabc", "b"},
		{"(a)|(b)", 1, "b", ""},
		{"(a)|(b)", 2, "b", "b"},
		{"(a)?b", 1, "b", ""},
		{"(?:x)(y)", 1, "xy", "y"},
		{"(?P<name>\\d+)", 1, "a12", "12"},
		{"(\\w)*", 1, "abc", "c"},
		{"([a-z]+)-(\\d{2})", 2, "x ab-123", "12"},
		{"(.*?),(.*)", 1, "a,b,c", "a"},
		{"(.*),(.*)", 1, "a,b,c", "a,b"},
		{"/subscriptions/([^/]+)/", 1, "/subscriptions/s1/rg", "s1"},
		{"a(b)?", 7, "ab", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i]);
}

static void patterns_that_are_not_valid_are_refused(void **state)
{
	static const struct {
		const char *pattern, *problem;
	} cases[] = {
		{"(", "a group is not closed"},
		{"(a", "a group is not closed"},
		{")", "a parenthesis closes nothing"},
		{"a)b", "a parenthesis closes nothing"},
		{"[a", "a character class is not closed"},
		{"[", "a character class is not closed"},
		{"[z-a]", "a range of a character class is empty"},
		{"[[:alpha:]]", "named classes of POSIX are not supported"},
		{"*a", "nothing to repeat"},
		{"a**", "a repeat is repeated"},
		{"a{2}{3}", "a repeat is repeated"},
		{"(+)", "nothing to repeat"},
		{"a{2,1}", "a repeat count is not valid"},
		{"a{1001}", "a repeat count is not valid"},
		{"a{99999999999}", "a repeat count is not valid"},
		{"a\\", "the pattern ends with a backslash"},
		{"\\1", "an escape sequence is not supported"},
		{"\\p{L}", "an escape sequence is not supported"},
		{"\\xzz", "\\x needs two hexadecimal digits"},
		{"(?=a)", "a flag or kind of group is not supported"},
		{"(?<n>a)", "a flag or kind of group is not supported"},
		{"(?i", "a group is not closed"},
		{"(?P<n", "the name of a group is not closed"},
		{"(((a{1000}){1000}){1000})", "the pattern is too large"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kql_arena arena = {.cap = 1 << 20};
		const struct kql_regex *regex = NULL;
		const char *problem = NULL;

		assert_int_equal(
			kql_regex_compile(&arena, text_of(cases[i].pattern), 0, &regex, &problem),
			-EINVAL);
		if (strcmp(problem, cases[i].problem) != 0)
			fail_msg("%s: %s", cases[i].pattern, problem);
		kql_arena_fini(&arena);
	}
}

static char *repeated(const char *part, size_t count)
{
	size_t len = strlen(part);
	char *text = xmalloc(len * count + 1);

	for (size_t i = 0; i < count; i++)
		memcpy(text + i * len, part, len);
	text[len * count] = '\0';
	return text;
}

/* Patterns that take a backtracking matcher longer than anyone would wait. */
static void patterns_that_explode_elsewhere_take_linear_time(void **state)
{
	mdc_autofree char *as = repeated("a", 20000), *optional = repeated("a?", 500);
	mdc_autofree char *either = repeated("a|", 1000), *nested = NULL;
	mdc_autofree char *open = repeated("(", 101), *close = repeated(")", 101);
	const struct matching cases[] = {
		{"(a*)*$b", 0, as, NULL},
		{"(a|aa)+$b", 0, as, NULL},
		{"(.*)(.*)(.*)(.*)x", 0, as, NULL},
		{optional, 0, "", ""},
		{either, 0, "b", ""},
	};
	struct kql_arena arena = {.cap = 1 << 20};
	const struct kql_regex *regex;
	const char *problem = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i]);
	nested = xasprintf("%sa%s", open, close);
	assert_int_equal(kql_regex_compile(&arena, text_of(nested), 0, &regex, &problem), -EINVAL);
	assert_string_equal(problem, "groups are nested too deep");
	kql_arena_fini(&arena);
}

static void matching_without_memory_says_so(void **state)
{
	struct kql_arena arena = {.cap = 1 << 20}, scratch = {.cap = 16};
	const struct kql_regex *regex;
	struct kql_value got;
	const char *problem;

	(void)state;
	assert_int_equal(kql_regex_compile(&arena, text_of("a+b"), 0, &regex, &problem), 0);
	assert_int_equal(
		kql_regex_find(regex, &scratch, text_of("aab"), &got), KQL_REGEX_NO_MEMORY);
	kql_arena_fini(&arena);
	kql_arena_fini(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_leftmost_and_greedy),
		cmocka_unit_test(classes_take_what_they_name),
		cmocka_unit_test(groups_give_what_they_took),
		cmocka_unit_test(patterns_that_are_not_valid_are_refused),
		cmocka_unit_test(patterns_that_explode_elsewhere_take_linear_time),
		cmocka_unit_test(matching_without_memory_says_so),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
