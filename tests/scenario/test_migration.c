/* SPDX-License-Identifier: Apache-2.0 */
/* First migrations: an estate of all kinds from nothing, and who deploys what in which order. */
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LAB \
	"subscriptions = { \"*\" }  mode = enforce\n" \
	"    exclude \"lab\" { tags = { \"env=lab\" }  owner = \"lab\"  reason = \"rebuilt\" }"
/* As ARM would show one that was just connected. */
#define NEW_SERVER(name, since) \
	"{'id': '" MACHINE( \
		name) "', 'name': '" name "', 'type': 'Microsoft.HybridCompute/machines'," \
		      " 'location': 'westeurope', 'properties': {'status': 'Connected'," \
		      " 'lastStatusChange': '" since \
		      "', 'agentVersion': '1.52', 'osName': 'windows'," \
		      " 'osType': 'windows', 'osSku': 'Windows Server 2022 Datacenter'," \
		      " 'provisioningState': 'Succeeded'}}"
#define CONFIG_LAB CONFIG_POLL CONFIG_POLICY CONFIG_SCOPE(LAB)

static void each_kind_ends_where_it_should(struct scenario *s)
{
	static const char *const ends[][3] = {
		{"web1", "compliant", "in-sync"},
		{"web2", "compliant", "in-sync"},
		{"lin1", "compliant", "in-sync"},
		{"old1", "compliant", "in-sync"},
		{"old2", "compliant", "in-sync"},
		{"done1", "compliant", "in-sync"},
		{"desk1", "unsupported", "unsupported-os"},
		{"new1", "unsupported", NULL},
		{"aro1", "unsupported", "unsupported-os"},
		{"off1", "unreachable", "disconnected"},
		{"exp1", "unreachable", "expired"},
		{"err1", "unreachable", "agent-error"},
		{"shell1", "unreachable", "never-connected"},
		{"aws1", "excluded", "connector-owned"},
		{"list1", "blocked", "extension-not-allowed"},
		{"shut1", "blocked", "extensions-disabled"},
		{"lab1", "excluded", "excluded"},
		{"ill1", "blocked", "handler-blocked"},
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		scenario_item_is(s, ends[i][0], "mde-extension", ends[i][1], ends[i][2]);
	scenario_item_is(s, "old1", "legacy-replaced", "compliant", "installed-unconfirmed");
	scenario_item_is(s, "old2", "legacy-replaced", "compliant", "installed-unconfirmed");
	assert_int_equal(scenario_count(s, "servers-plan", "compliant"), 2);
	assert_int_equal(scenario_count(s, "mde-integration", "compliant"), 2);
	assert_int_equal(scenario_count(s, "unified-solution", "compliant"), 1);
}

static void test_a_mixed_estate_is_migrated_from_nothing(void **state)
{
	scenario_auto *s =
		scenario_new(&(struct scenario_options){.file = "mixed", .config = CONFIG_LAB});

	(void)state;
	scenario_begin(s);
	scenario_settle(s, DUR_DAYS(2));
	scenario_golden(s, "mixed");
	each_kind_ends_where_it_should(s);
	/* Two plans, WDATP and the unified solution once, and the machines that nobody reached. */
	assert_int_equal(scenario_writes(s, "/VirtualMachines"), 2);
	assert_int_equal(scenario_writes(s, "/WDATP"), 1);
	assert_int_equal(scenario_writes(s, "/WDATP_UNIFIED_SOLUTION"), 1);
	assert_int_equal(scenario_writes(s, "/web1/extensions/MDE.Windows"), 0);
	assert_int_equal(scenario_writes(s, NULL), 2 + 1 + 1 + 5);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
	scenario_history_is_whole(s);
}

static void test_observe_mode_writes_nothing_ever(void **state)
{
	scenario_auto *s =
		scenario_new(&(struct scenario_options){.file = "mixed", .config = CONFIG_OBSERVE});
	const json_t *plan;

	(void)state;
	scenario_start(s);
	scenario_run(s, DUR_DAYS(3));
	assert_int_equal(scenario_writes(s, NULL), 0);
	scenario_item_is(s, "sub1", "servers-plan", "drifted", "plan-off");
	plan = scenario_command(s, "plan", NULL);
	assert_int_equal(json_integer_value(json_object_get(plan, "ready")), 0);
	assert_int_equal(json_integer_value(json_object_get(plan, "held")), 4);
	/* Whatever an operator says. */
	scenario_command(s, "confirm", NULL);
	scenario_command(s, "reconcile", NULL);
	scenario_command(s, "reconcile", "{'target': 'sub1'}");
	scenario_command(s, "reconcile", "{'target': 'web1'}");
	scenario_run(s, DUR_DAYS(1));
	assert_int_equal(scenario_writes(s, NULL), 0);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_nothing_is_written_before_the_first_enforce_is_confirmed(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){.file = "mixed"});

	(void)state;
	scenario_start(s);
	scenario_run(s, DUR_DAYS(1));
	assert_int_equal(scenario_writes(s, NULL), 0);
	scenario_command(s, "reconcile", NULL);
	scenario_run(s, DUR_H(1));
	assert_int_equal(scenario_writes(s, NULL), 0);
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_H(1));
	assert_int_equal(scenario_writes(s, "/VirtualMachines"), 2);
	scenario_is_good(s);
}

#define THREE SERVER("web1", WINDOWS) "," SERVER("web2", WINDOWS) "," SERVER("lin1", LINUX)

static void test_what_defender_for_cloud_deploys_in_time_is_left_to_it(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, THREE)});

	(void)state;
	scenario_begin(s);
	scenario_settle(s, DUR_H(13));
	scenario_golden(s, "defender-in-time");
	assert_int_equal(scenario_writes(s, NULL), 2);
	assert_int_equal(scenario_writes(s, "/VirtualMachines"), 1);
	assert_int_equal(scenario_writes(s, "/WDATP"), 1);
	assert_int_equal(scenario_protected(s), 3);
	scenario_is_good(s);
}

static void test_what_it_leaves_behind_is_deployed_after_the_grace(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, THREE),
		.document = "'behaviour': {'deployer': {'on': false}}"});

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(13));
	assert_int_equal(scenario_writes(s, "/MDE.Windows"), 0);
	assert_int_equal(scenario_writes(s, "/MDE.Linux"), 0);
	scenario_item_is(s, "web1", "mde-extension", "waiting", "grace");
	scenario_settle(s, DUR_H(3));
	scenario_golden(s, "defender-absent");
	assert_int_equal(scenario_writes(s, "/MDE.Windows"), 2);
	assert_int_equal(scenario_writes(s, "/MDE.Linux"), 1);
	assert_int_equal(scenario_protected(s), 3);
	scenario_is_good(s);
}

static void test_a_machine_that_comes_later_gets_the_short_grace(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions =
			SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS WITH_SENSOR("MDE.Windows"))),
		.document = "'behaviour': {'deployer': {'on': false}}"});

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(10));
	scenario_meddle(s, MACHINE("new1"), NULL, NEW_SERVER("new1", "2026-11-25T00:00:00Z"));
	scenario_run(s, DUR_MIN(30));
	scenario_item_is(s, "new1", "mde-extension", "waiting", "grace");
	scenario_run(s, DUR_H(2));
	assert_int_equal(scenario_writes(s, NULL), 0);
	scenario_settle(s, DUR_H(1));
	assert_int_equal(scenario_writes(s, "/new1/extensions/MDE.Windows"), 1);
	scenario_is_good(s);
}

static void test_a_machine_that_was_away_is_left_alone_until_it_is_back(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON,
			SERVER("off1",
				WINDOWS UNREACHED
				", 'status': 'Disconnected',"
				"'timeline': [{'after': '30h', 'status': 'Connected'}]"))});

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(29));
	scenario_item_is(s, "off1", "mde-extension", "unreachable", "disconnected");
	assert_int_equal(scenario_writes(s, NULL), 0);
	scenario_await(s, "off1", "mde-extension", "waiting", DUR_H(2));
	scenario_settle(s, DUR_H(5));
	scenario_golden(s, "machine-comes-back");
	assert_int_equal(scenario_writes(s, "/off1/extensions/MDE.Windows"), 1);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_mixed_estate_is_migrated_from_nothing),
		cmocka_unit_test(test_observe_mode_writes_nothing_ever),
		cmocka_unit_test(test_nothing_is_written_before_the_first_enforce_is_confirmed),
		cmocka_unit_test(test_what_defender_for_cloud_deploys_in_time_is_left_to_it),
		cmocka_unit_test(test_what_it_leaves_behind_is_deployed_after_the_grace),
		cmocka_unit_test(test_a_machine_that_comes_later_gets_the_short_grace),
		cmocka_unit_test(test_a_machine_that_was_away_is_left_alone_until_it_is_back),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
