/* SPDX-License-Identifier: Apache-2.0 */
/* Another writer that fights, over everything that is written: held off, and named. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FIGHTER "fighter@contoso.test"
#define SECURITY SUB_ID(1) "/providers/Microsoft.Security"
#define EXCLUDE_LINUX "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"
#define ASSESSOR_ID SECURITY "/serverVulnerabilityAssessmentsSettings/azureServersSetting"
#define CONNECTOR_ID \
	SUB_ID(1) "/resourceGroups/rg/providers/Microsoft.Security/securityConnectors/aws"
#define KIOSK_PLAN MACHINE("kiosk1") "/providers/Microsoft.Security/pricings/VirtualMachines"
#define OFFERING(mde) \
	"[{'offeringType': 'DefenderForServersAws', 'defenderForServers': {'cloudRoleArn':" \
	" 'arn:s'}, 'subPlan': {'type': 'P2'}, 'mdeAutoProvisioning': {'enabled': " mde "}}]"
#define IN_ORDER \
	PLAN_P2 "'settings': {'WDATP': true, 'WDATP_UNIFIED_SOLUTION': true, '" EXCLUDE_LINUX \
		"': false}, 'vulnerabilityProvider': 'MdeTvm', 'connectors': [{'name': 'aws'," \
		" 'account': '1234', 'scanHours': 2, 'offerings': " OFFERING("true") "}], "
#define MACHINES \
	SERVER("web1", WINDOWS WITH_SENSOR("MDE.Windows")) \
	"," SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux")) "," SERVER("old1", \
		WINDOWS_2016 \
		", 'extensions': [{'type': 'MDE.Windows', 'unified': true}]") "," SERVER("kiosk1", \
		WINDOWS ", 'tags': {'role': 'kiosk'}, 'plan': 'P1'" WITH_SENSOR("MDE.Windows"))
#define DOCUMENT(hand) \
	"'behaviour': {'deployer': {'on': false}}, 'allowedWrites': ['machine-plan']," \
	" 'otherHands': [{" hand ", 'caller': '" FIGHTER "', 'after': '3h', 'every': '6h'}]"

#define CONFIG \
	CONFIG_POLL_SLOW \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on  linux = on\n" \
	"    vulnerability-management = on  register-providers = on\n" \
	"    extension { deploy = after-grace  grace = 0s  first-grace = 0s }\n" \
	"    connector { plan = P2  mde = on }\n" \
	"    machine-plan \"kiosks\" { plan = P1  tags = { \"role=kiosk\" } }\n" \
	"}\n" CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce\n" \
			   "    grant \"kiosks\" { control = machine-plan  tags = { " \
			   "\"role=kiosk\" }  owner = " \
			   "\"shop\"\n" \
			   "        until = 2027-01-31  reason = \"P1 is enough\" }")

/* subscription-move and legacy-replaced do what they do once: test_moves.c, test_legacy.c. */
static const struct {
	const char *target, *control;
	const char *hand; /* what the other writer does */
	const char *path; /* of our writes */
	const char *operation;
} fights[] = {
	{"sub1", "provider",
		"'resource': '" SECURITY
		"', 'member': 'registrationState', 'value': 'NotRegistered'",
		"/register", "Microsoft.Security/unregister/action"},
	{"sub1", "servers-plan",
		"'resource': '" PLAN_ID(1) "', 'member': 'properties.pricingTier', 'value': 'Free'",
		"/VirtualMachines", "Microsoft.Security/pricings/write"},
	{"sub1", "mde-integration",
		"'resource': '" SETTING_ID(
			1, "WDATP") "', 'member': 'properties.enabled', 'value': false",
		"/WDATP", "Microsoft.Security/settings/write"},
	{"sub1", "unified-solution",
		"'resource': '" SETTING_ID(1, "WDATP_UNIFIED_SOLUTION") "', 'member': "
									"'properties.enabled', "
									"'value': false",
		"/WDATP_UNIFIED_SOLUTION", "Microsoft.Security/settings/write"},
	{"sub1", "linux-integration",
		"'resource': '" SETTING_ID(
			1, EXCLUDE_LINUX) "', 'member': 'properties.enabled', 'value': true",
		"/" EXCLUDE_LINUX, "Microsoft.Security/settings/write"},
	{"sub1", "vulnerability-management", "'resource': '" ASSESSOR_ID "'",
		"/azureServersSetting",
		"Microsoft.Security/serverVulnerabilityAssessmentsSettings/delete"},
	{"aws", "connector",
		"'resource': '" CONNECTOR_ID
		"', 'member': 'properties.offerings', 'value': " OFFERING("false"),
		"/securityConnectors/aws", "Microsoft.Security/securityConnectors/write"},
	{"web1", "mde-extension", "'resource': '" SENSOR("web1", "MDE.Windows") "'",
		"/web1/extensions/MDE.Windows",
		"Microsoft.HybridCompute/machines/extensions/delete"},
	{"kiosk1", "machine-plan",
		"'resource': '" KIOSK_PLAN "', 'member': 'properties.pricingTier', 'value': 'Free'",
		"/VirtualMachines", "Microsoft.Security/pricings/write"},
};

static struct scenario *fight(const char *hand)
{
	mdc_autofree char *document = xasprintf(DOCUMENT("%s"), hand);
	struct scenario *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, IN_ORDER, MACHINES),
			.document = document,
			.config = CONFIG});

	scenario_begin(s);
	return s;
}

static bool holds(const json_t *answer, const char *text)
{
	mdc_autofree char *all = json_dumps(answer, JSON_ENCODE_ANY);

	return strstr(all, text) != NULL;
}

/* Who, what and when: and what is to be done about it. */
static void is_told(struct scenario *s, size_t i)
{
	mdc_autofree char *arguments = xasprintf("{'target': '%s'}", fights[i].target);
	mdc_autofree char *wanted = xasprintf("last written by " FIGHTER " at 2026-11-");
	mdc_autofree char *operation = xasprintf("(%s)", fights[i].operation);
	const char *detail = scenario_item(s, fights[i].target, fights[i].control)->detail;

	if (!str_starts_nocase(detail, wanted) || strstr(detail, operation) == NULL)
		scenario_fail(s, "%s: nobody is named: %s", fights[i].control, detail);
	scenario_command(s, "explain", arguments);
	if (!holds(s->answer, "another writer undoes it") || !holds(s->answer, FIGHTER) ||
		!holds(s->answer, "agree with the writer that is named"))
		scenario_fail(s, "%s: it is not explained", fights[i].control);
	if (scenario_traced(s, "was undone and is not corrected again: last written by") == 0)
		scenario_fail(s, "%s: the journal does not tell", fights[i].control);
}

static void test_whatever_is_written_is_not_fought_over_and_the_other_writer_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fights); i++) {
		scenario_auto *s = fight(fights[i].hand);

		print_message("# %s\n", fights[i].control);
		scenario_run(s, DUR_DAYS(3));
		scenario_item_is(s, fights[i].target, fights[i].control, "blocked", "conflict");
		scenario_writes_are(s, fights[i].path, 2, 2);
		is_told(s, i);
		scenario_is_good(s);
		scenario_history_is_whole(s);
	}
}

/* A fight over one thing holds nothing else. */
static void test_a_fight_over_one_machine_leaves_the_others_alone(void **state)
{
	scenario_auto *s = fight(fights[7].hand);

	(void)state;
	scenario_run(s, DUR_DAYS(2));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "conflict");
	scenario_meddle(s, SENSOR("lin1", "MDE.Linux"), NULL, NULL);
	scenario_run(s, DUR_H(3));
	scenario_item_is(s, "lin1", "mde-extension", "compliant", NULL);
	scenario_is_good(s);
}

static void test_a_log_that_may_not_be_read_says_so(void **state)
{
	mdc_autofree char *document = xasprintf(DOCUMENT("%s"), fights[1].hand);
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, IN_ORDER, MACHINES),
			.document = document,
			.config = CONFIG});

	(void)state;
	scenario_faults(s,
		"[{'when': {'path': 'Microsoft.Insights'}, 'do': {'status': 403,"
		"  'code': 'AuthorizationFailed'}}]");
	scenario_begin(s);
	scenario_run(s, DUR_DAYS(2));
	scenario_item_is(s, "sub1", "servers-plan", "blocked", "conflict");
	assert_non_null(strstr(scenario_item(s, "sub1", "servers-plan")->detail,
		"the activity log does not tell by whom"));
	scenario_writes_are(s, "/VirtualMachines", 2, 2);
	scenario_is_good(s);
}

/* The activity log shows the managed identity that an assignment deploys as. */
static void test_an_assigned_policy_that_fights_is_named(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1,
			IN_ORDER "'assignments': [{'name': 'landing-zone', 'remediates': '300d', "
				 "'definition': '/providers/Microsoft.Authorization/"
				 "policyDefinitions/5eb6d64a-4086-4d7a-92da-ec51aed0332d'}], ",
			MACHINES),
		.document = "'behaviour': {'deployer': {'on': false}}, 'otherHands': [{'resource': "
			    "'" PLAN_ID(1) "', 'member': 'properties.subPlan', 'value': 'P1', "
					   "'caller': '60000000-0000-4000-8000-000000000001', "
					   "'after': '3h', 'every': '30h'}]",
		.config = CONFIG});

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_DAYS(6));
	scenario_item_is(s, "sub1", "servers-plan", "blocked", "conflict");
	assert_non_null(strstr(scenario_item(s, "sub1", "servers-plan")->detail,
		"(the assigned policy \"landing-zone\")"));
	scenario_writes_are(s, "/VirtualMachines", 2, 2);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_whatever_is_written_is_not_fought_over_and_the_other_writer_is_named),
		cmocka_unit_test(test_a_fight_over_one_machine_leaves_the_others_alone),
		cmocka_unit_test(test_a_log_that_may_not_be_read_says_so),
		cmocka_unit_test(test_an_assigned_policy_that_fights_is_named),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
