/* SPDX-License-Identifier: Apache-2.0 */
/* Other hands that want the same: assigned policies are recognised, and given their time. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEFINITION(guid) "/providers/Microsoft.Authorization/policyDefinitions/" guid
#define SENSOR_POLICY DEFINITION("37c043a6-6d64-656d-6465-b362dfeb354a")
#define SENSOR_POLICY_LINUX DEFINITION("4eb909e7-6d64-656d-6465-2eeb297a1625")
#define PLAN_POLICY DEFINITION("5eb6d64a-4086-4d7a-92da-ec51aed0332d")
#define WDATP_POLICY DEFINITION("da56d295-2889-41ce-a4cd-6f50fb93aa68")
#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define ASSIGNED(definition, members) \
	"'assignments': [{'name': 'by-policy', 'definition': '" definition "'" members "}], "
#define WEB1 SERVER("web1", WINDOWS)
#define SENSOR_PATH "/extensions/MDE.Windows"

#define CONFIG(members) \
	CONFIG_POLL_SLOW "policy \"servers\" { plan = P2  integration = on  " members \
			 "    extension { deploy = after-grace  grace = 3h  first-grace = 3h } " \
			 "}\n" CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce")
#define BY_DEFAULT CONFIG("")

static struct scenario *estate_of(const char *members, const char *machine, const char *config)
{
	mdc_autofree char *all = xasprintf(SUBSCRIPTION(1, "%s", "%s"), members, machine);
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = all, .document = DEPLOYER_OFF, .config = config});

	scenario_begin(s);
	return s;
}

static bool explains(struct scenario *s, const char *target, const char *text)
{
	mdc_autofree char *arguments = xasprintf("{'target': '%s'}", target);
	mdc_autofree char *answer =
		json_dumps(scenario_command(s, "explain", arguments), JSON_ENCODE_ANY);

	return strstr(answer, text) != NULL;
}

/* --- the sensor --- */

static void test_a_policy_that_deploys_the_sensor_is_waited_for(void **state)
{
	scenario_auto *s = estate_of(
		ALL_ON ASSIGNED(SENSOR_POLICY, ", 'remediates': '20h'"), WEB1, BY_DEFAULT);

	(void)state;
	scenario_item_is(s, "web1", "mde-extension", "waiting", "grace");
	scenario_run(s, DUR_H(10));
	scenario_item_is(s, "web1", "mde-extension", "waiting", "policy-at-work");
	assert_string_equal(scenario_item(s, "web1", "mde-extension")->detail, "by-policy");
	assert_true(explains(s, "web1", "remediation task"));
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(12));
	assert_string_equal(
		scenario_peek(s, SENSOR("web1", "MDE.Windows"), "properties.settings.installedBy"),
		"Policy");
	scenario_run(s, DUR_DAYS(3));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
}

static void test_a_policy_that_does_not_deploy_in_time_is_done_without(void **state)
{
	scenario_auto *s = estate_of(ALL_ON ASSIGNED(SENSOR_POLICY, ""), WEB1, BY_DEFAULT);

	(void)state;
	scenario_run(s, DUR_H(20));
	/* Whatever happens to the daemon, the wait ends when it was said to. */
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_begin(s);
	scenario_run(s, DUR_H(5));
	scenario_item_is(s, "web1", "mde-extension", "waiting", "policy-at-work");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(4));
	scenario_writes_are(s, SENSOR_PATH, 1, 1);
	scenario_is_good(s);
}

/* None of these will deploy to web1, or is to be waited for. */
static const struct {
	const char *members, *machine, *config;
} passed_over[] = {
	{ALL_ON ASSIGNED(SENSOR_POLICY, ", 'enforced': false"), WEB1, BY_DEFAULT},
	{ALL_ON ASSIGNED(SENSOR_POLICY, ", 'effect': 'AuditIfNotExists'"), WEB1, BY_DEFAULT},
	{ALL_ON ASSIGNED(SENSOR_POLICY, ", 'scope': '" SUB_ID(1) "/resourceGroups/r'"), WEB1,
		BY_DEFAULT},
	{ALL_ON ASSIGNED(SENSOR_POLICY, ", 'notScopes': ['" MACHINE("WEB1") "']"), WEB1,
		BY_DEFAULT},
	{ALL_ON ASSIGNED(SENSOR_POLICY_LINUX, ""), WEB1, BY_DEFAULT},
	{ALL_ON ASSIGNED(DEFINITION("1e30110a-5ceb-460c-a204-c1c3969c6d62"), ""), WEB1, BY_DEFAULT},
	/* The definition itself does not match this system. */
	{ALL_ON ASSIGNED(SENSOR_POLICY, ""),
		SERVER("web1", ", 'os': 'Windows Server 2025 Datacenter'"), BY_DEFAULT},
	{ALL_ON ASSIGNED(SENSOR_POLICY, ""), WEB1, CONFIG("policy-grace = 0s")},
};

static void test_policies_that_will_not_deploy_there_are_not_waited_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(passed_over); i++) {
		scenario_auto *s = estate_of(
			passed_over[i].members, passed_over[i].machine, passed_over[i].config);

		scenario_run(s, DUR_H(5));
		if (scenario_writes(s, SENSOR_PATH) != 1)
			scenario_fail(s, "row %zu: it was waited for", i);
		scenario_is_good(s);
	}
}

static void test_an_operator_does_not_wait_for_policies(void **state)
{
	scenario_auto *s = estate_of(ALL_ON ASSIGNED(SENSOR_POLICY, ""), WEB1, BY_DEFAULT);

	(void)state;
	scenario_run(s, DUR_H(5));
	scenario_item_is(s, "web1", "mde-extension", "waiting", "policy-at-work");
	scenario_command(s, "reconcile", "{'target': 'web1'}");
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(1));
	scenario_writes_are(s, SENSOR_PATH, 1, 1);
	scenario_is_good(s);
}

/* Nothing is assumed of what cannot be read, and it is said where somebody asks. */
static void test_assignments_that_may_not_be_read_make_nobody_wait(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON ASSIGNED(SENSOR_POLICY, ""), WEB1),
		.document = DEPLOYER_OFF,
		.config = BY_DEFAULT});

	(void)state;
	scenario_faults(s,
		"[{'when': {'path': 'policyAssignments'}, 'do': {'status': 403,"
		"  'code': 'AuthorizationFailed'}}]");
	scenario_begin(s);
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(5));
	assert_true(explains(s, "web1", "\"name\": \"assigned policies\", \"value\": null"));
	scenario_writes_are(s, SENSOR_PATH, 1, 1);
	scenario_is_good(s);
}

/* --- plan and settings --- */

static void test_a_policy_that_switches_the_integration_on_is_waited_for(void **state)
{
	scenario_auto *s =
		estate_of(PLAN_P2 SETTINGS_OFF ASSIGNED(WDATP_POLICY, ", 'remediates': '20h'"),
			WEB1, BY_DEFAULT);

	(void)state;
	scenario_item_is(s, "sub1", "mde-integration", "waiting", "policy-at-work");
	scenario_item_is(s, "web1", "mde-extension", "waiting", "prerequisite");
	scenario_await(s, "sub1", "mde-integration", "compliant", DUR_H(22));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_a_policy_that_leaves_plan_and_integration_off_is_done_without(void **state)
{
	static const char *const rows[][3] = {
		{NO_PLAN SETTINGS_ON ASSIGNED(PLAN_POLICY, ""), "servers-plan", "/VirtualMachines"},
		{PLAN_P2 SETTINGS_OFF ASSIGNED(WDATP_POLICY, ""), "mde-integration", "/WDATP"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		scenario_auto *s = estate_of(
			rows[i][0], SERVER("web1", WINDOWS WITH_SENSOR("MDE.Windows")), BY_DEFAULT);

		scenario_run(s, DUR_H(25));
		scenario_item_is(s, "sub1", rows[i][1], "waiting", "policy-at-work");
		scenario_writes_are(s, NULL, 0, 0);
		scenario_await(s, "sub1", rows[i][1], "compliant", DUR_H(3));
		scenario_writes_are(s, rows[i][2], 1, 1);
		scenario_is_good(s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_policy_that_deploys_the_sensor_is_waited_for),
		cmocka_unit_test(test_a_policy_that_does_not_deploy_in_time_is_done_without),
		cmocka_unit_test(test_policies_that_will_not_deploy_there_are_not_waited_for),
		cmocka_unit_test(test_an_operator_does_not_wait_for_policies),
		cmocka_unit_test(test_assignments_that_may_not_be_read_make_nobody_wait),
		cmocka_unit_test(test_a_policy_that_switches_the_integration_on_is_waited_for),
		cmocka_unit_test(
			test_a_policy_that_leaves_plan_and_integration_off_is_done_without),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
