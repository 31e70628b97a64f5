/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of sensors on machines that had one, cannot have one, or have one of somebody
 * else's: by Defender for Endpoint's inventory, and by what the extension says.
 */
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}, 'devices': {'lag': '2h'}}"
#define OBSERVE_SLOWLY \
	CONFIG_POLL_SLOW CONFIG_POLICY CONFIG_SCOPE("subscriptions = { \"*\" }  mode = observe")

static struct scenario *estate_of(const char *machines, const char *config)
{
	mdc_autofree char *subscriptions = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), machines);

	return scenario_new(&(struct scenario_options){.subscriptions = subscriptions,
		.document = DEPLOYER_OFF,
		.config = config,
		.defender = true});
}

static json_int_t total(struct scenario *s, const char *kind)
{
	const json_t *answer = scenario_command(s, "gaps", "{}");

	return json_integer_value(json_object_get(json_object_get(answer, "totals"), kind));
}

/* The device is recognised by its id: there is one before, and one after. */
static void test_a_server_that_was_onboarded_before_stays_one_device(void **state)
{
	scenario_auto *s =
		estate_of(SERVER("web1", WINDOWS ", 'onboarded': true"), CONFIG_PROMPT_SLOW);

	(void)state;
	scenario_configure(s, OBSERVE_SLOWLY);
	scenario_begin(s);
	scenario_run(s, DUR_H(1));
	assert_int_equal(total(s, "billed-twice"), 1);
	assert_null(scenario_item(s, "web1", "sensor-onboarded"));
	scenario_reload(s, CONFIG_PROMPT_SLOW);
	scenario_command(s, "confirm", "{}");
	scenario_run(s, DUR_H(4));
	scenario_item_is(s, "web1", "sensor-onboarded", "compliant", "in-sync");
	assert_int_equal(total(s, "billed-twice"), 0);
	assert_int_equal(total(s, "duplicate"), 0);
	assert_int_equal(total(s, "not-connected"), 0);
	scenario_writes_are(s, "/extensions/MDE.Windows", 1, 1);
	scenario_is_good(s);
}

/* 51: the installer's own word for a system that it does not support. */
static void test_what_cannot_be_protected_is_told_once_and_quietly(void **state)
{
	scenario_auto *s = estate_of(SERVER("desk1", ", 'os': 'Windows 7 Enterprise'") "," SERVER(
					     "web1", WINDOWS ", 'outcomes': ['51']"),
		CONFIG_PROMPT_SLOW);

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_DAYS(14));
	scenario_item_is(s, "desk1", "mde-extension", "unsupported", NULL);
	scenario_item_is(s, "web1", "mde-extension", "unsupported", "handler-unsupported");
	assert_in_range(scenario_traced(s, "desk1 mde-extension"), 0, 1);
	assert_int_equal(scenario_traced(s, "-> unsupported"), 1);
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

static void test_a_sensor_that_falls_silent_is_told_and_so_is_its_return(void **state)
{
	scenario_auto *s = estate_of(SERVER("web1", WINDOWS WITH_SENSOR("MDE.Windows")) "," SERVER(
					     "web2", WINDOWS WITH_SENSOR("MDE.Windows")),
		CONFIG_PROMPT_SLOW);

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "web1", "sensor-onboarded", "compliant", "in-sync");
	scenario_meddle(s, MACHINE("web1"), "sensor", "'silent'");
	scenario_await(s, "web1", "sensor-onboarded", "blocked", DUR_DAYS(9));
	scenario_item_is(s, "web1", "sensor-onboarded", "blocked", "sensor-silent");
	scenario_item_is(s, "web2", "sensor-onboarded", "compliant", "in-sync");
	scenario_help_holds(s, "web1", "sensor-onboarded", "sensor on the machine");
	scenario_meddle(s, MACHINE("web1"), "sensor", "'reporting'");
	scenario_await(s, "web1", "sensor-onboarded", "compliant", DUR_DAYS(2));
	scenario_writes_are(s, NULL, 0, 0); /* no call makes it speak */
	scenario_is_good(s);
}

/* The installer on Linux finds a sensor of another organisation and calls that success. */
static void test_a_sensor_of_another_organisation_is_explained(void **state)
{
	scenario_auto *s = estate_of(SERVER("web1", LINUX), CONFIG_PROMPT_SLOW);
	const char *organisation;

	(void)state;
	scenario_meddle(s, MACHINE("web1"), "sensor", "'foreign'");
	scenario_begin(s);
	scenario_await(s, "web1", "sensor-onboarded", "blocked", DUR_DAYS(3));
	scenario_item_is(s, "web1", "mde-extension", "compliant", "in-sync");
	scenario_item_is(s, "web1", "sensor-onboarded", "blocked", "sensor-absent");
	scenario_help_holds(s, "web1", "sensor-onboarded", "mdatp health --field org_id");
	organisation = scenario_fact(s, "web1", "organisation of Defender for Endpoint");
	assert_non_null(organisation);
	assert_true(str_is_guid(organisation));
	assert_int_equal(total(s, "no-device"), 1);
	scenario_run(s, DUR_DAYS(7));
	scenario_writes_are(s, NULL, 1, 1); /* nothing is installed anew or deleted for it */
	scenario_is_good(s);
}

/* The text of a tenant whose workspace Defender for Endpoint has given to another one. */
static void test_what_only_support_can_release_is_told_and_not_tried_on(void **state)
{
	scenario_auto *s = estate_of(
		SERVER("web1",
			WINDOWS_2016 ", 'extensions': [{'type': 'MDE.Windows', 'state': 'Failed',"
				     " 'code': '1', 'message': 'Workspace already assigned to "
				     "another WDATP tenant', 'since': '-5d'}]"),
		CONFIG_PROMPT_SLOW);

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_DAYS(7));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "not-offboarded");
	scenario_help_holds(s, "web1", "mde-extension", "Microsoft support");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_server_that_was_onboarded_before_stays_one_device),
		cmocka_unit_test(test_what_cannot_be_protected_is_told_once_and_quietly),
		cmocka_unit_test(test_a_sensor_that_falls_silent_is_told_and_so_is_its_return),
		cmocka_unit_test(test_a_sensor_of_another_organisation_is_explained),
		cmocka_unit_test(test_what_only_support_can_release_is_told_and_not_tried_on),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
