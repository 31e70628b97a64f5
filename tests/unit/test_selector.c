/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define A "aaaaaaaa-0000-0000-0000-000000000000"
#define B "bbbbbbbb-0000-0000-0000-000000000000"

/* A list of a selector, which holds texts that it may free. */
#define LIST(member, count, ...) \
	.member = (char **)(const char *[]){__VA_ARGS__}, \
	.count = ARRAY_LEN(((const char *[]){__VA_ARGS__}))

static const char tags[] = "env=lab\nnote=a=b\nrole=Kiosk\n";

static bool machine_matches(const struct selector *s)
{
	return selector_matches(s, A, "rg-Kiosks", "web-01", tags);
}

static bool subscription_matches(const struct selector *s)
{
	return selector_matches(s, A, NULL, NULL, NULL);
}

static void an_empty_selector_matches_everything(void **state)
{
	const struct selector any = {0};

	(void)state;
	assert_true(machine_matches(&any));
	assert_true(subscription_matches(&any));
}

static void subscriptions_match_in_any_case(void **state)
{
	const struct selector a = {LIST(subscriptions, subscription_count, B, A)};
	const struct selector b = {LIST(subscriptions, subscription_count, B)};

	(void)state;
	assert_true(machine_matches(&a));
	assert_true(subscription_matches(&a));
	assert_true(selector_matches(&a, "AAAAAAAA-0000-0000-0000-000000000000", NULL, NULL, NULL));
	assert_false(machine_matches(&b));
}

static void resource_groups_match_in_any_case(void **state)
{
	const struct selector kiosks = {LIST(groups, group_count, "other", "RG-kiosks")};
	const struct selector other = {LIST(groups, group_count, "rg-kiosk")};

	(void)state;
	assert_true(machine_matches(&kiosks));
	assert_false(machine_matches(&other));
}

static void what_is_about_machines_does_not_match_a_subscription(void **state)
{
	const struct selector groups = {LIST(groups, group_count, "rg-kiosks")};
	const struct selector machines = {LIST(machines, machine_count, "*")};
	struct selector tagged = {.tag_count = 1};

	(void)state;
	tagged.tags = calloc(1, sizeof(*tagged.tags));
	tagged.tags[0].name = (char *)"env";
	tagged.tags[0].value = (char *)"lab";
	assert_true(machine_matches(&groups));
	assert_true(machine_matches(&machines));
	assert_true(machine_matches(&tagged));
	assert_false(subscription_matches(&groups));
	assert_false(subscription_matches(&machines));
	assert_false(subscription_matches(&tagged));
	free(tagged.tags);
}

static void machine_names_match_patterns(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
		{"web-01", "web-01", true},
		{"WEB-01", "web-01", true},
		{"web-01", "web-010", false},
		{"web-01", "web-0", false},
		{"web-*", "web-01", true},
		{"web-*", "web-", true},
		{"web-*", "web", false},
		{"*-01", "web-01", true},
		{"*-01", "web-011", false},
		{"*01*", "web-01", true},
		{"w*b-*1", "web-01", true},
		{"w*b*c", "wbbbbbc", true},
		{"w*b*c", "wbbbbb", false},
		{"*", "", true},
		{"**", "web", true},
		{"?", "", false},
		{"?eb-0?", "web-01", true},
		{"web?", "web", false},
		{"?", "ä", true},
		{"w?b", "wäb", true},
		{"w??b", "wäb", false},
		{"*?", "ä", true},
		{"", "web", false},
		{"a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct selector s = {LIST(machines, machine_count, cases[i].pattern)};

		if (selector_matches(&s, A, "g", cases[i].name, "") != cases[i].matches)
			fail_msg("%s on %s", cases[i].pattern, cases[i].name);
	}
}

static void all_tags_must_be_there(void **state)
{
	static const struct {
		const char *name, *value;
		bool matches;
	} cases[] = {
		{"env", "lab", true},
		{"ENV", "lab", true},
		{"env", "Lab", false},
		{"env", "la", false},
		{"env", "lab\nnote", false},
		{"en", "v=lab", false},
		{"note", "a=b", true},
		{"role", "Kiosk", true},
		{"role", "kiosk", false},
		{"role", "", false},
		{"ole", "Kiosk", false},
		{"missing", "", false},
	};
	struct selector s = {0};

	(void)state;
	s.tags = calloc(2, sizeof(*s.tags));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		s.tag_count = 1;
		s.tags[0].name = (char *)cases[i].name;
		s.tags[0].value = (char *)cases[i].value;
		if (machine_matches(&s) != cases[i].matches)
			fail_msg("%s=%s", cases[i].name, cases[i].value);
		s.tag_count = 2;
		s.tags[1].name = (char *)"note";
		s.tags[1].value = (char *)"a=b";
		assert_int_equal(machine_matches(&s), cases[i].matches);
	}
	free(s.tags);
}

static void all_lists_must_match(void **state)
{
	struct selector s = {LIST(subscriptions, subscription_count, A),
		LIST(groups, group_count, "rg-kiosks"), LIST(machines, machine_count, "web-*")};

	(void)state;
	assert_true(machine_matches(&s));
	s.machines[0] = (char *)"db-*";
	assert_false(machine_matches(&s));
	s.machines[0] = (char *)"web-*";
	s.groups[0] = (char *)"rg";
	assert_false(machine_matches(&s));
	s.groups[0] = (char *)"rg-kiosks";
	s.subscriptions[0] = (char *)B;
	assert_false(machine_matches(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_selector_matches_everything),
		cmocka_unit_test(subscriptions_match_in_any_case),
		cmocka_unit_test(resource_groups_match_in_any_case),
		cmocka_unit_test(what_is_about_machines_does_not_match_a_subscription),
		cmocka_unit_test(machine_names_match_patterns),
		cmocka_unit_test(all_tags_must_be_there),
		cmocka_unit_test(all_lists_must_match),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
