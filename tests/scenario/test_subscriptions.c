/* SPDX-License-Identifier: Apache-2.0 */
/* The controls of a subscription: resource providers, plan and extensions, settings, assessor. */
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define SECURITY_PROVIDER SUB_ID(1) "/providers/Microsoft.Security"
#define REGISTER "/providers/Microsoft.Security/register"
#define EXCLUDE_LINUX "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"
#define ASSESSOR_ID \
	SUB_ID(1) \
	"/providers/Microsoft.Security/serverVulnerabilityAssessmentsSettings/azureServersSetting"
#define SETTINGS(wdatp, unified, exclude_linux) \
	"'settings': {'WDATP': " wdatp ", 'WDATP_UNIFIED_SOLUTION': " unified ", '" EXCLUDE_LINUX \
	"': " exclude_linux "}, "
#define IN_ORDER \
	"'plan': {'tier': 'Standard', 'subPlan': 'P2', 'since': '-60d', 'extensions':" \
	" [{'name': 'AgentlessVmScanning', 'isEnabled': 'True'}]}, " SETTINGS( \
		"true", "true", "false") "'vulnerabilityProvider': 'MdeTvm', "
#define PROTECTED SERVER("lin1", LINUX UNREACHED WITH_SENSOR("MDE.Linux"))

#define POLICY(members) \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on  linux = on\n" \
	"    vulnerability-management = on  " members "\n" \
	"    extension { deploy = after-grace  grace = 0s  first-grace = 0s }\n" \
	"}\n"
#define REGISTERS "register-providers = on"
#define SCANS "plan-extensions = { AgentlessVmScanning }"
#define ENFORCE CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce")
#define EVERYTHING CONFIG_POLL POLICY(REGISTERS "  " SCANS) ENFORCE

static struct scenario *begin_with(
	const char *subscriptions, const char *document, const char *config)
{
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = document, .config = config});

	scenario_begin(s);
	return s;
}

static const char *const controls[] = {"provider", "servers-plan", "mde-integration",
	"unified-solution", "linux-integration", "vulnerability-management"};

static void all_are(struct scenario *s, const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(controls); i++)
		scenario_item_is(s, "sub1", controls[i], state, NULL);
}

/* --- first correction, in the order of what needs what --- */

static void test_a_subscription_from_nothing(void **state)
{
	static const char *const order[] = {"sub1 provider POST", "sub1 servers-plan PUT",
		"sub1 mde-integration PUT", "sub1 linux-integration PUT", "lin1 mde-extension PUT"};
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			"'providers': ['Microsoft.HybridCompute'], " NO_PLAN SETTINGS(
				"false", "false", "true"),
			SERVER("lin1", LINUX UNREACHED) "," SERVER("old1", WINDOWS_2016 UNREACHED)),
		DEPLOYER_OFF, EVERYTHING);
	const char *at = scenario_trace(s);

	(void)state;
	scenario_settle(s, DUR_H(26));
	all_are(s, "compliant");
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		const char *next = strstr(i == 0 ? scenario_trace(s) : at, order[i]);

		if (next == NULL)
			scenario_fail(s, "not in its order: %s", order[i]);
		at = next;
	}
	scenario_writes_are(s, REGISTER, 1, 1);
	scenario_writes_are(s, "/VirtualMachines", 1, 1);
	scenario_writes_are(s, EXCLUDE_LINUX, 1, 1);
	scenario_writes_are(s, "/azureServersSetting", 1, 1);
	assert_string_equal(scenario_peek(s, SECURITY_PROVIDER, "registrationState"), "Registered");
	assert_string_equal(scenario_peek(s, ASSESSOR_ID, "properties.selectedProvider"), "MdeTvm");
	assert_int_equal(scenario_protected(s), 2);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_what_is_in_order_is_left_alone(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, IN_ORDER, PROTECTED), DEPLOYER_OFF, EVERYTHING);

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "sub1", "provider", "compliant", NULL);
	scenario_item_is(s, "sub1", "linux-integration", "compliant", NULL);
	scenario_item_is(s, "sub1", "vulnerability-management", "compliant", NULL);
	/* No such machine is there. */
	assert_null(scenario_item(s, "sub1", "unified-solution"));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_nothing_is_written_in_observe_mode(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			PLAN_P2 SETTINGS("true", "true", "true") "'providers': "
								 "['Microsoft.Security'], ",
			SERVER("lin1", LINUX UNREACHED)),
		DEPLOYER_OFF,
		CONFIG_POLL POLICY(REGISTERS "  " SCANS)
			CONFIG_SCOPE("subscriptions = { \"*\" }  mode = observe"));

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "sub1", "linux-integration", "drifted", "setting-excludes");
	scenario_item_is(
		s, "sub1", "vulnerability-management", "drifted", "vulnerability-provider");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

/* --- drift --- */

static void test_what_others_undo_is_put_back_once(void **state)
{
	static const struct {
		const char *control, *resource, *member, *value, *written;
	} rows[] = {
		{"linux-integration", SETTING_ID(1, EXCLUDE_LINUX), "properties.enabled", "true",
			EXCLUDE_LINUX},
		{"vulnerability-management", ASSESSOR_ID, NULL, NULL, "/azureServersSetting"},
		{"servers-plan", PLAN_ID(1), "properties.extensions",
			"[{'name': 'AgentlessVmScanning', 'isEnabled': 'False'},"
			" {'name': 'MdeDesignatedSubscription', 'isEnabled': 'True'}]",
			"/VirtualMachines"},
		{"provider", SECURITY_PROVIDER, "registrationState", "'NotRegistered'", REGISTER},
	};
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, IN_ORDER, PROTECTED), DEPLOYER_OFF, EVERYTHING);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("# %s\n", rows[i].control);
		scenario_meddle(s, rows[i].resource, rows[i].member, rows[i].value);
		scenario_run(s, DUR_H(1));
		scenario_item_is(s, "sub1", rows[i].control, "compliant", NULL);
		scenario_writes_are(s, rows[i].written, 1, 1);
	}
	scenario_writes_are(s, NULL, ARRAY_LEN(rows), ARRAY_LEN(rows));
	scenario_is_good(s);
}

static void test_a_quarrel_is_told_and_not_gone_on_with(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, IN_ORDER, PROTECTED), DEPLOYER_OFF, EVERYTHING);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		scenario_meddle(s, SETTING_ID(1, EXCLUDE_LINUX), "properties.enabled", "true");
		scenario_run(s, DUR_H(1));
	}
	scenario_item_is(s, "sub1", "linux-integration", "blocked", "conflict");
	scenario_writes_are(s, EXCLUDE_LINUX, 2, 2);
	scenario_is_good(s);
}

/* --- refusals --- */

static void test_rights_that_are_missing_are_told(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, PLAN_P2 SETTINGS("true", "true", "true"), PROTECTED),
		"'principals': [{'tenant': '" TENANT "', 'client': '" CLIENT "', 'secret': '" SECRET
		"', 'roles': [{'scope': '/', 'role': 'Reader'}]}], " DEPLOYER_OFF,
		CONFIG_POLL POLICY("") ENFORCE);

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "sub1", "linux-integration", "blocked", "denied");
	scenario_item_is(s, "sub1", "vulnerability-management", "blocked", "denied");
	assert_non_null(strstr(scenario_item(s, "sub1", "vulnerability-management")->detail,
		"serverVulnerabilityAssessmentsSettings/write"));
	scenario_writes_are(s, NULL, 2, 24);
	scenario_nothing_is_stuck(s);
	scenario_is_good(s);
}

static void test_a_registration_that_is_refused_is_told(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, "'providers': ['Microsoft.HybridCompute'], " NO_PLAN, PROTECTED),
		"'principals': [{'tenant': '" TENANT "', 'client': '" CLIENT "', 'secret': '" SECRET
		"', 'roles': [{'scope': '/', 'role': 'Reader'}]}], " DEPLOYER_OFF,
		EVERYTHING);

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "sub1", "provider", "blocked", "denied");
	scenario_item_is(s, "sub1", "servers-plan", "waiting", "prerequisite");
	scenario_writes_are(s, REGISTER, 1, 12);
	scenario_writes_are(s, "/VirtualMachines", 0, 0);
	scenario_nothing_is_stuck(s);
	scenario_is_good(s);
}

/* --- registrations --- */

static void test_a_missing_provider_is_only_told_where_nobody_wants_it_registered(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, "'providers': ['Microsoft.HybridCompute'], " NO_PLAN, PROTECTED),
		DEPLOYER_OFF, CONFIG_POLL POLICY("") ENFORCE);

	(void)state;
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "sub1", "provider", "blocked", "unregistered");
	assert_string_equal(scenario_item(s, "sub1", "provider")->detail, "Microsoft.Security");
	scenario_item_is(s, "sub1", "servers-plan", "waiting", "prerequisite");
	scenario_writes_are(s, NULL, 0, 0);
	/* Somebody does it. */
	scenario_meddle(s, SECURITY_PROVIDER, NULL,
		"{'id': '" SECURITY_PROVIDER "', 'namespace': 'Microsoft.Security',"
		" 'registrationState': 'Registered'}");
	scenario_run(s, DUR_MIN(31));
	assert_null(scenario_item(s, "sub1", "provider"));
	scenario_settle(s, DUR_H(2));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_writes_are(s, REGISTER, 0, 0);
	scenario_is_good(s);
}

static void test_a_registration_by_others_is_waited_for_and_not_for_ever(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, IN_ORDER, PROTECTED), DEPLOYER_OFF, EVERYTHING);

	(void)state;
	scenario_run(s, DUR_H(5));
	scenario_meddle(s, SECURITY_PROVIDER, "registrationState", "'Registering'");
	scenario_await(s, "sub1", "provider", "waiting", DUR_H(2));
	scenario_item_is(s, "sub1", "provider", "waiting", "registration-pending");
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "sub1", "provider", "blocked", "registration-overdue");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_meddle(s, SECURITY_PROVIDER, "registrationState", "'Registered'");
	scenario_run(s, DUR_MIN(16));
	scenario_item_is(s, "sub1", "provider", "compliant", NULL);
	scenario_is_good(s);
}

static void test_a_slow_registration_is_followed_to_its_end(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, "'providers': ['Microsoft.HybridCompute'], " NO_PLAN, PROTECTED),
		"'behaviour': {'deployer': {'on': false}, 'providers': {'registration': '40m'}}",
		EVERYTHING);

	(void)state;
	scenario_await(s, "sub1", "provider", "applying", DUR_MIN(16));
	scenario_run(s, DUR_MIN(20));
	scenario_item_is(s, "sub1", "provider", "applying", "running");
	scenario_run(s, DUR_MIN(25));
	scenario_settle(s, DUR_H(2));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_item_is(s, "sub1", "linux-integration", "compliant", NULL);
	scenario_writes_are(s, REGISTER, 1, 1);
	scenario_is_good(s);
}

static void test_two_missing_providers_are_registered_one_after_the_other(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, "'providers': [], " NO_PLAN, PROTECTED), DEPLOYER_OFF, EVERYTHING);

	(void)state;
	scenario_settle(s, DUR_MIN(30));
	scenario_item_is(s, "sub1", "provider", "compliant", NULL);
	assert_int_equal(scenario_traced(s, "not-seen-in-effect"), 0);
	scenario_writes_are(s, REGISTER, 1, 1);
	scenario_writes_are(s, "/providers/Microsoft.HybridCompute/register", 1, 1);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_a_registration_is_not_asked_for_twice_over_a_crash(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, "'providers': ['Microsoft.HybridCompute'], " NO_PLAN, PROTECTED),
		"'behaviour': {'deployer': {'on': false}, 'providers': {'registration': '10m'}}",
		EVERYTHING);

	(void)state;
	scenario_await(s, "sub1", "provider", "applying", DUR_MIN(16));
	scenario_run(s, DUR_S(30));
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
	scenario_settle(s, DUR_H(3));
	scenario_item_is(s, "sub1", "provider", "compliant", NULL);
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_writes_are(s, REGISTER, 1, 1);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

/* --- the plan and its extensions --- */

static void test_a_part_of_the_plan_that_fails_is_no_success(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			NO_PLAN SETTINGS("false", "false",
				"true") "'planFailures': {'AgentlessVmScanning': 'no right'}, ",
			SERVER("lin1", LINUX UNREACHED)),
		DEPLOYER_OFF, EVERYTHING);

	(void)state;
	scenario_run(s, DUR_MIN(40));
	scenario_item_is(s, "sub1", "servers-plan", "backoff", "plan-extension-failed");
	assert_string_equal(
		scenario_item(s, "sub1", "servers-plan")->detail, "AgentlessVmScanning: no right");
	/* The plan itself is on: it holds nobody up. */
	scenario_item_is(s, "sub1", "mde-integration", "compliant", NULL);
	scenario_item_is(s, "sub1", "linux-integration", "compliant", NULL);
	scenario_run(s, DUR_DAYS(3));
	scenario_item_is(s, "sub1", "servers-plan", "backoff", "plan-extension-failed");
	scenario_writes_are(s, "/VirtualMachines", 4, 12);
	assert_int_equal(scenario_traced(s, "sub1 servers-plan applying -> compliant"), 0);
	assert_int_equal(scenario_traced(s, "sub1 servers-plan backoff -> compliant"), 0);
	/* Somebody with the right does it. */
	scenario_meddle(s, PLAN_ID(1), "properties.extensions",
		"[{'name': 'AgentlessVmScanning', 'isEnabled': 'True'}]");
	scenario_run(s, DUR_MIN(16));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_history_is_whole(s);
}

static void test_what_others_set_in_a_plan_is_sent_back_as_it_was(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			"'plan': {'tier': 'Standard', 'subPlan': 'P2', 'since': '-60d',"
			" 'enforce': true, 'extensions': [{'name': 'FileIntegrityMonitoring',"
			" 'isEnabled': 'True', 'additionalExtensionProperties':"
			" {'DefinedWorkspaceId': '/w', 'Rules': '[{}]', 'Other': 'x'}},"
			" {'name': 'AgentlessVmScanning', 'isEnabled': 'False',"
			" 'additionalExtensionProperties': {'ExclusionTags': '[]'}}]}, " SETTINGS(
				"true", "true", "false") "'vulnerabilityProvider': 'MdeTvm', ",
			PROTECTED),
		DEPLOYER_OFF, EVERYTHING);

	(void)state;
	scenario_settle(s, DUR_H(1));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	assert_string_equal(scenario_peek(s, PLAN_ID(1), "properties.enforce"), "True");
	scenario_command(s, "explain", "{'target': 'sub1'}");
	scenario_is_good(s);
}

static void test_a_lower_plan_brings_its_extension_and_no_other(void **state)
{
	scenario_auto *s = begin_with(SUBSCRIPTION(1, NO_PLAN, PROTECTED), DEPLOYER_OFF,
		CONFIG_POLL "policy \"servers\" { plan = P1  plan-extensions = { "
			    "MdeDesignatedSubscription } }\n" ENFORCE);

	(void)state;
	scenario_settle(s, DUR_H(1));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	assert_string_equal(scenario_peek(s, PLAN_ID(1), "properties.subPlan"), "P1");
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

static void test_an_extension_that_needs_settings_is_left_to_a_person(void **state)
{
	scenario_auto *s = begin_with(SUBSCRIPTION(1, IN_ORDER, PROTECTED), DEPLOYER_OFF,
		CONFIG_POLL POLICY("plan-extensions = { FileIntegrityMonitoring }") ENFORCE);

	(void)state;
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "sub1", "servers-plan", "blocked", "plan-extension-unready");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_meddle(s, PLAN_ID(1), "properties.extensions",
		"[{'name': 'FileIntegrityMonitoring', 'isEnabled': 'True',"
		" 'additionalExtensionProperties': {'DefinedWorkspaceId': '/w', 'Rules': '[]'}}]");
	scenario_run(s, DUR_MIN(16));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_is_good(s);
}

static void test_a_plan_that_azure_has_replaced_is_not_switched_on(void **state)
{
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, NO_PLAN, PROTECTED),
			.document = DEPLOYER_OFF,
			.config = EVERYTHING});

	(void)state;
	scenario_meddle(s, PLAN_ID(1), "properties.deprecated", "true");
	scenario_meddle(s, PLAN_ID(1), "properties.replacedBy", "['CloudPosture']");
	scenario_begin(s);
	scenario_run(s, DUR_H(3));
	scenario_item_is(s, "sub1", "servers-plan", "blocked", "plan-deprecated");
	assert_string_equal(scenario_item(s, "sub1", "servers-plan")->detail, "CloudPosture");
	scenario_writes_are(s, "/VirtualMachines", 0, 0);
	scenario_is_good(s);
}

/* --- what is only told --- */

static void test_retired_auto_provisioning_is_told_and_never_written(void **state)
{
	scenario_auto *s = begin_with(SUBSCRIPTION(1, "'autoProvision': 'On', " ALL_ON,
					      SERVER("old1", WINDOWS_2016 UNREACHED)),
		DEPLOYER_OFF, CONFIG_PROMPT);

	(void)state;
	scenario_settle(s, DUR_H(1));
	assert_string_equal(
		scenario_fact(s, "sub1", "Log Analytics agent auto-provisioning (retired)"), "On");
	scenario_meddle(s,
		SUB_ID(1) "/providers/Microsoft.Security/autoProvisioningSettings/default",
		"properties.autoProvision", "'Off'");
	scenario_run(s, DUR_H(25));
	assert_string_equal(
		scenario_fact(s, "sub1", "Log Analytics agent auto-provisioning (retired)"), "Off");
	scenario_writes_are(s, "/autoProvisioningSettings/default", 0, 0);
	scenario_is_good(s);
}

static void test_coverage_and_extensions_of_the_plan_are_told(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, IN_ORDER, PROTECTED), DEPLOYER_OFF, EVERYTHING);

	(void)state;
	assert_string_equal(scenario_fact(s, "sub1", "coverage"), "FullyCovered");
	assert_string_equal(scenario_fact(s, "sub1", "AgentlessVmScanning"), "yes");
	assert_string_equal(scenario_fact(s, "sub1", "provider Microsoft.Security"), "Registered");
	assert_string_equal(
		scenario_fact(s, "sub1", "vulnerability assessment provider"), "MdeTvm");
	/* A machine with a plan of its own is no business of this control. */
	scenario_meddle(s, PLAN_ID(1), "properties.resourcesCoverageStatus", "'PartiallyCovered'");
	scenario_run(s, DUR_H(1));
	assert_string_equal(scenario_fact(s, "sub1", "coverage"), "PartiallyCovered");
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_writes_are(s, NULL, 0, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_subscription_from_nothing),
		cmocka_unit_test(test_what_is_in_order_is_left_alone),
		cmocka_unit_test(test_nothing_is_written_in_observe_mode),
		cmocka_unit_test(test_what_others_undo_is_put_back_once),
		cmocka_unit_test(test_a_quarrel_is_told_and_not_gone_on_with),
		cmocka_unit_test(test_rights_that_are_missing_are_told),
		cmocka_unit_test(test_a_registration_that_is_refused_is_told),
		cmocka_unit_test(
			test_a_missing_provider_is_only_told_where_nobody_wants_it_registered),
		cmocka_unit_test(test_a_registration_by_others_is_waited_for_and_not_for_ever),
		cmocka_unit_test(test_a_slow_registration_is_followed_to_its_end),
		cmocka_unit_test(test_two_missing_providers_are_registered_one_after_the_other),
		cmocka_unit_test(test_a_registration_is_not_asked_for_twice_over_a_crash),
		cmocka_unit_test(test_a_part_of_the_plan_that_fails_is_no_success),
		cmocka_unit_test(test_what_others_set_in_a_plan_is_sent_back_as_it_was),
		cmocka_unit_test(test_a_lower_plan_brings_its_extension_and_no_other),
		cmocka_unit_test(test_an_extension_that_needs_settings_is_left_to_a_person),
		cmocka_unit_test(test_a_plan_that_azure_has_replaced_is_not_switched_on),
		cmocka_unit_test(test_retired_auto_provisioning_is_told_and_never_written),
		cmocka_unit_test(test_coverage_and_extensions_of_the_plan_are_told),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
