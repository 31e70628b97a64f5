/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that were moved with their extension, and subscriptions that change their tenant. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SENSOR_PATH "/web1/extensions/MDE.Windows"
#define UNSEEN \
	"/subscriptions/40000000-0000-4000-8000-000000000009/resourceGroups/rg/providers/" \
	"Microsoft.HybridCompute/machines/web1"
#define MOVED_FROM(owner) \
	SERVER("web1", \
		WINDOWS ", 'extensions': [{'type': 'MDE.Windows', 'owner': '" owner \
			"', 'since': '-30d'}]")
#define OLD_HOME SUBSCRIPTION(2, ALL_ON, SERVER("old1", WINDOWS WITH_SENSOR("MDE.Windows")))
#define NEW_TENANT "10000000-0000-4000-8000-000000000009"

static struct scenario *moved_from(const char *machine, const char *document)
{
	mdc_autofree char *subscriptions =
		xasprintf(SUBSCRIPTION(1, ALL_ON, "%s") "," OLD_HOME, machine);
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = document, .config = CONFIG_SLOW});

	scenario_begin(s);
	return s;
}

static void is_redeployed(struct scenario *s)
{
	assert_string_equal(scenario_peek(s, SENSOR("web1", "MDE.Windows"),
				    "properties.settings.azureResourceId"),
		MACHINE("web1"));
	scenario_item_is(s, "web1", "subscription-move", "compliant", "in-sync");
	scenario_item_is(s, "web1", "mde-extension", "compliant", "in-sync");
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
	scenario_history_is_whole(s);
}

static void test_a_moved_machine_gets_its_extension_anew_from_defender(void **state)
{
	scenario_auto *s = moved_from(MOVED_FROM(MACHINE_OF(2, "web1")), NULL);

	(void)state;
	scenario_settle(s, DUR_H(2));
	scenario_golden(s, "moved-machine");
	/* Deleted by us, deployed by Defender for Cloud. */
	scenario_writes_are(s, SENSOR_PATH, 1, 1);
	is_redeployed(s);
}

static void test_where_defender_does_not_come_it_is_deployed_after_the_grace(void **state)
{
	scenario_auto *s = moved_from(
		MOVED_FROM(MACHINE_OF(2, "web1")), "'behaviour': {'deployer': {'on': false}}");

	(void)state;
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "web1", "mde-extension", "waiting", "grace");
	scenario_settle(s, DUR_H(3));
	scenario_writes_are(s, SENSOR_PATH, 2, 2);
	is_redeployed(s);
}

static void test_one_that_is_moved_again_is_left_to_a_person(void **state)
{
	scenario_auto *s = moved_from(MOVED_FROM(MACHINE_OF(2, "web1")), NULL);

	(void)state;
	scenario_settle(s, DUR_H(2));
	scenario_run(s, DUR_DAYS(9));
	scenario_meddle(s, SENSOR("web1", "MDE.Windows"), "properties.settings.azureResourceId",
		"'" MACHINE_OF(2, "web1") "'");
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "web1", "subscription-move", "blocked", "conflict");
	assert_non_null(
		strstr(scenario_item(s, "web1", "subscription-move")->detail, "last written by"));
	scenario_writes_are(s, SENSOR_PATH, 1, 1);
	scenario_is_good(s);
	scenario_command(s, "reconcile", "{'target': 'web1'}");
	scenario_run(s, DUR_H(2));
	is_redeployed(s);
}

static void test_a_machine_from_where_nobody_sees_is_left_to_a_person(void **state)
{
	scenario_auto *s = moved_from(MOVED_FROM(UNSEEN), NULL);

	(void)state;
	scenario_run(s, DUR_DAYS(2));
	scenario_item_is(s, "web1", "subscription-move", "manual", "moved-from-unknown");
	scenario_item_is(s, "web1", "mde-extension", "manual", "foreign-owner");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_command(s, "reconcile", "{'target': 'web1'}");
	scenario_settle(s, DUR_H(3));
	/* "Now" also means that Defender for Cloud is not waited for. */
	scenario_writes_are(s, SENSOR_PATH, 2, 2);
	is_redeployed(s);
}

static void is_told_what_to_prepare(struct scenario *s)
{
	mdc_autofree char *answer =
		json_dumps(scenario_command(s, "explain", "{'target': 'sub1'}"), JSON_ENCODE_ANY);

	assert_non_null(strstr(answer, "tenant when first seen"));
	assert_non_null(strstr(answer, TENANT));
	assert_non_null(strstr(answer, NEW_TENANT));
	assert_non_null(strstr(answer, "let Microsoft support release that tenant"));
}

static void test_a_subscription_that_changes_its_tenant_is_left_alone(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS)),
		.config = CONFIG_POLL_SLOW CONFIG_POLICY_PROMPT CONFIG_SCOPE(
			"subscriptions = { \"" SUB(1) "\" }  mode = enforce")});

	(void)state;
	scenario_begin(s);
	scenario_settle(s, DUR_H(2));
	/* It is listed by id, so that a foreign tenant alone would not stop it. */
	scenario_meddle(s, SUB_ID(1), "tenantId", "'" NEW_TENANT "'");
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Free'");
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "sub1", "servers-plan", "manual", "tenant-changed");
	scenario_item_is(s, "sub1", "mde-integration", "manual", "tenant-changed");
	is_told_what_to_prepare(s);
	assert_string_equal(scenario_peek(s, PLAN_ID(1), "properties.pricingTier"), "Free");
	/* Nor after a restart, which knows no more than what was stored. */
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_begin(s);
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "sub1", "servers-plan", "manual", "tenant-changed");
	scenario_writes_are(s, "/VirtualMachines", 0, 0);
	/* When a person has carried it over. */
	scenario_command(s, "reconcile", "{'target': 'sub1'}");
	scenario_run(s, DUR_H(2));
	scenario_writes_are(s, "/VirtualMachines", 1, 1);
	scenario_item_is(s, "sub1", "servers-plan", "compliant", "in-sync");
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_moved_machine_gets_its_extension_anew_from_defender),
		cmocka_unit_test(test_where_defender_does_not_come_it_is_deployed_after_the_grace),
		cmocka_unit_test(test_one_that_is_moved_again_is_left_to_a_person),
		cmocka_unit_test(test_a_machine_from_where_nobody_sees_is_left_to_a_person),
		cmocka_unit_test(test_a_subscription_that_changes_its_tenant_is_left_alone),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
