/* SPDX-License-Identifier: Apache-2.0 */
/* Exclusions and grants that end: warned of for a while, then absent. It begins on 2026-11-24. */
#include "lib/base/str.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ONE SERVER("web1", WINDOWS ", 'tags': {'env': 'lab'}")
#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define LAB(until) \
	CONFIG_POLL_SLOW "expiry-grace = 2d\n" CONFIG_POLICY_PROMPT CONFIG_SCOPE( \
		"subscriptions = { \"*\" }  mode = enforce\n" \
		"    exclude \"lab\" { tags = { \"env=lab\" }  owner = \"lab team\"  ticket = " \
		"\"CHG-7\"\n" \
		"        until = " until "  reason = \"rebuilt\" }")
#define ENDED "exclude \"lab\" of scope \"all\" has ended"

static void test_an_exclusion_that_ended_holds_with_a_warning_and_then_no_more(void **state)
{
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, ALL_ON, ONE),
			.document = DEPLOYER_OFF,
			.config = LAB("2026-11-25")});

	(void)state;
	scenario_begin(s);
	/* Until midnight of the 25th nobody is bothered. */
	scenario_run(s, DUR_H(33));
	scenario_item_is(s, "web1", "mde-extension", "excluded", "excluded");
	assert_int_equal(scenario_traced(s, ENDED), 0);
	scenario_run(s, DUR_H(2));
	assert_int_equal(scenario_traced(s, ENDED), 1);
	assert_int_not_equal(scenario_traced(s, "lab team, CHG-7 answers for it"), 0);
	scenario_run(s, DUR_H(40));
	scenario_item_is(s, "web1", "mde-extension", "excluded", "excluded");
	assert_int_equal(scenario_traced(s, ENDED), 2);
	scenario_writes_are(s, NULL, 0, 0);
	/* From the 28th on it is as if it were not there. */
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(10));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_run(s, DUR_DAYS(2));
	assert_int_equal(scenario_traced(s, ENDED), 2);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

/* Of the status: what is said of the first one that ends; NULL: none is told. */
static const char *first_expiry(struct scenario *s, const char *member)
{
	const json_t *all = json_object_get(scenario_command(s, "status", NULL), "expiries");

	return json_string_value(json_object_get(json_array_get(all, 0), member));
}

static void test_the_status_tells_what_ends_has_ended_and_is_over(void **state)
{
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, ALL_ON, ONE),
			.document = DEPLOYER_OFF,
			.config = LAB("2026-12-24")});

	(void)state;
	scenario_begin(s);
	assert_null(first_expiry(s, "phase"));
	scenario_reload(s, LAB("2026-11-25"));
	assert_string_equal(first_expiry(s, "phase"), "expiring");
	assert_string_equal(first_expiry(s, "name"), "lab");
	assert_string_equal(first_expiry(s, "owner"), "lab team");
	assert_string_equal(first_expiry(s, "ticket"), "CHG-7");
	scenario_run(s, DUR_H(40));
	assert_string_equal(first_expiry(s, "phase"), "expired");
	scenario_item_is(s, "web1", "mde-extension", "excluded", "excluded");
	scenario_run(s, DUR_H(48));
	assert_string_equal(first_expiry(s, "phase"), "absent");
	assert_non_null(strstr(first_expiry(s, "unblock"), "mdcctl reload"));
	scenario_item_is(s, "web1", "mde-extension", "compliant", "in-sync");
	scenario_reload(s, CONFIG_PROMPT_SLOW);
	assert_null(first_expiry(s, "phase"));
	scenario_is_good(s);
}

static void test_a_later_day_ends_the_warnings(void **state)
{
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, ALL_ON, ONE),
			.document = DEPLOYER_OFF,
			.config = LAB("2026-11-24")});

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(12));
	assert_int_equal(scenario_traced(s, ENDED), 1);
	/* What is in force is told again with each configuration. */
	scenario_reload(s, LAB("2026-11-24") "# again\n");
	scenario_run(s, DUR_MIN(5));
	assert_int_equal(scenario_traced(s, ENDED), 2);
	scenario_reload(s, LAB("2026-12-24"));
	scenario_run(s, DUR_DAYS(6));
	assert_int_equal(scenario_traced(s, ENDED), 2);
	scenario_item_is(s, "web1", "mde-extension", "excluded", "excluded");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_an_exclusion_that_ended_holds_with_a_warning_and_then_no_more),
		cmocka_unit_test(test_the_status_tells_what_ends_has_ended_and_is_over),
		cmocka_unit_test(test_a_later_day_ends_the_warnings),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
