/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID "30000000-0000-4000-8000-000000000001"
#define ID_2 "30000000-0000-4000-8000-000000000002"

static const struct finding role = {
	.kind = FINDING_ROLE,
	.identity = "main",
	.what = "Microsoft.Security/pricings/write",
	.help = "assign at /subscriptions/" FINDING_PLACE " now",
};

static const json_t *row(const json_t *list, size_t i, const char *key)
{
	return json_object_get(json_array_get(list, i), key);
}

static const char *text(const json_t *list, size_t i, const char *key)
{
	return json_string_value(row(list, i, key));
}

static void the_same_in_many_subscriptions_is_one_finding(void **state)
{
	struct findings f;
	json_t *list;

	(void)state;
	findings_init(&f);
	for (unsigned i = 0; i < 100; i++) {
		char id[64];

		snprintf(id, sizeof(id), "30000000-0000-4000-8000-%012u", i);
		findings_add(&f, &role, id, "prod");
	}
	list = findings_list(&f, false);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(json_integer_value(row(list, 0, "subscription_count")), 100);
	assert_int_equal(json_array_size(row(list, 0, "subscriptions")), 100);
	assert_string_equal(text(list, 0, "kind"), "role");
	/* What to do holds for each of them. */
	assert_string_equal(text(list, 0, "help"), role.help);
	assert_int_equal(f.missing, 100);
	json_decref(list);
	findings_fini(&f);
}

static void the_help_of_one_subscription_names_it(void **state)
{
	struct findings f;
	json_t *list;

	(void)state;
	findings_init(&f);
	findings_add(&f, &role, ID, "prod");
	list = findings_list(&f, false);
	assert_string_equal(text(list, 0, "help"), "assign at /subscriptions/" ID " now");
	json_decref(list);
	findings_fini(&f);
}

static void doubts_and_other_texts_are_findings_of_their_own(void **state)
{
	struct finding other = role, doubt = role;
	struct findings f;
	json_t *list;

	(void)state;
	other.what = "Microsoft.Security/settings/write";
	doubt.doubt = true;
	findings_init(&f);
	findings_add(&f, &role, ID, "");
	findings_add(&f, &other, ID, "");
	findings_add(&f, &doubt, ID_2, "");
	list = findings_list(&f, false);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text(list, 0, "what"), role.what);
	assert_string_equal(text(list, 1, "what"), other.what);
	json_decref(list);
	list = findings_list(&f, true);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(row(list, 0, "subscriptions"), 0), "id")),
		ID_2);
	assert_int_equal(f.missing, 2);
	assert_int_equal(f.doubts, 1);
	json_decref(list);
	findings_fini(&f);
}

/* Whoever answered first. */
static void the_order_is_by_kind_and_text_and_name(void **state)
{
	struct finding lock = role, later = role;
	struct findings f;
	json_t *list, *subscriptions;

	(void)state;
	lock.kind = FINDING_LOCK;
	later.what = "Zz";
	findings_init(&f);
	findings_add(&f, &lock, ID, "");
	findings_add(&f, &later, ID, "");
	findings_add(&f, &role, ID_2, "b");
	findings_add(&f, &role, ID_2, "A");
	findings_add(&f, &role, ID, "b");
	list = findings_list(&f, false);
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(text(list, 0, "what"), role.what);
	assert_string_equal(text(list, 1, "what"), "Zz");
	assert_string_equal(text(list, 2, "kind"), "lock");
	subscriptions = json_object_get(json_array_get(list, 0), "subscriptions");
	assert_string_equal(text(subscriptions, 0, "name"), "A");
	assert_string_equal(text(subscriptions, 1, "id"), ID);
	assert_string_equal(text(subscriptions, 2, "id"), ID_2);
	json_decref(list);
	findings_fini(&f);
}

static void machines_are_summed(void **state)
{
	struct finding agent = {.kind = FINDING_AGENT,
		.identity = "main",
		.what = "extensions off",
		.help = "switch them on",
		.machines = 3};
	struct findings f;
	json_t *list;

	(void)state;
	findings_init(&f);
	findings_add(&f, &agent, ID, "a");
	agent.machines = 4;
	findings_add(&f, &agent, ID_2, "b");
	list = findings_list(&f, false);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(json_integer_value(row(list, 0, "machines")), 7);
	json_decref(list);
	findings_fini(&f);
}

static void without_a_subscription_none_is_named(void **state)
{
	struct findings f;
	json_t *list;

	(void)state;
	findings_init(&f);
	findings_add(&f, &role, "", "");
	list = findings_list(&f, false);
	assert_int_equal(json_integer_value(row(list, 0, "subscription_count")), 0);
	assert_int_equal(json_array_size(row(list, 0, "subscriptions")), 0);
	json_decref(list);
	findings_fini(&f);
}

static void what_is_kept_is_bounded_and_what_is_not_is_counted(void **state)
{
	struct findings f;
	json_t *list;

	(void)state;
	findings_init(&f);
	for (unsigned i = 0; i < FINDINGS_MAX + 7; i++) {
		mdc_autofree char *what = xasprintf("lock %u", i);
		struct finding lock = role;

		lock.what = what;
		findings_add(&f, &lock, ID, "");
	}
	for (unsigned i = 0; i < FINDING_SUBSCRIPTIONS_MAX + 5; i++)
		findings_add(&f,
			&(struct finding){.kind = FINDING_ROLE,
				.identity = role.identity,
				.what = "lock 0",
				.help = role.help},
			ID_2, "");
	list = findings_list(&f, false);
	assert_int_equal(json_array_size(list), FINDINGS_MAX);
	assert_int_equal(f.dropped, 7);
	assert_int_equal(json_array_size(row(list, 0, "subscriptions")), FINDING_SUBSCRIPTIONS_MAX);
	assert_int_equal(json_integer_value(row(list, 0, "subscription_count")),
		FINDING_SUBSCRIPTIONS_MAX + 6);
	json_decref(list);
	findings_fini(&f);
}

static void texts_from_outside_are_escaped_and_cut(void **state)
{
	char *long_text = xcalloc(1, 100001);
	struct finding hostile = role;
	struct findings f;
	json_t *list;

	(void)state;
	memset(long_text, 'x', 100000);
	hostile.what = "\x1b[2J\xff";
	hostile.help = long_text;
	findings_init(&f);
	findings_add(&f, &hostile, ID, "name\n\x1b");
	list = findings_list(&f, false);
	assert_string_equal(text(list, 0, "what"), "\\x1b[2J\\xff");
	assert_true(strlen(text(list, 0, "help")) < 2000);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(row(list, 0, "subscriptions"), 0), "name")),
		"name\\x0a\\x1b");
	json_decref(list);
	findings_fini(&f);
	free(long_text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_in_many_subscriptions_is_one_finding),
		cmocka_unit_test(the_help_of_one_subscription_names_it),
		cmocka_unit_test(doubts_and_other_texts_are_findings_of_their_own),
		cmocka_unit_test(the_order_is_by_kind_and_text_and_name),
		cmocka_unit_test(machines_are_summed),
		cmocka_unit_test(without_a_subscription_none_is_named),
		cmocka_unit_test(what_is_kept_is_bounded_and_what_is_not_is_counted),
		cmocka_unit_test(texts_from_outside_are_escaped_and_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
