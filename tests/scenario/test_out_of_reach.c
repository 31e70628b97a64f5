/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no call to Azure can make true, and is reported instead: machines that Arc does not reach,
 * and troubles of the Defender for Endpoint tenant.
 */
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"

static struct scenario *estate_of(const char *machines, const char *faults)
{
	mdc_autofree char *subscriptions = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), machines);
	struct scenario *s = scenario_new(&(struct scenario_options){.subscriptions = subscriptions,
		.document = DEPLOYER_OFF,
		.config = CONFIG_PROMPT_SLOW});

	scenario_faults(s, faults);
	scenario_begin(s);
	return s;
}

/* --- the Arc agent (R6) --- */

static const struct {
	const char *machine;
	const char *state, *reason; /* of arc-connected */
	const char *help;
} agents[] = {
	{SERVER("web1", WINDOWS), "compliant", "in-sync", NULL},
	{SERVER("web1", WINDOWS ", 'status': 'Disconnected'"), "unreachable", "disconnected",
		"start the machine"},
	{SERVER("web1", WINDOWS ", 'status': 'Expired'"), "manual", "expired", "azcmagent connect"},
	{SERVER("web1", WINDOWS ", 'status': 'Error'"), "blocked", "agent-error", "azcmagent show"},
	{SERVER("web1", WINDOWS ", 'status': 'NeverConnected'"), "unreachable", "never-connected",
		"Arc onboarding"},
	{SERVER("web1", WINDOWS ", 'extensionsEnabled': false"), "blocked", "extensions-disabled",
		"azcmagent config set extensions.enabled true"},
};

static void test_a_machine_that_arc_does_not_reach_is_told_with_what_helps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(agents); i++) {
		scenario_auto *s = estate_of(agents[i].machine, NULL);

		scenario_run(s, DUR_H(3));
		scenario_item_is(s, "web1", "arc-connected", agents[i].state, agents[i].reason);
		if (agents[i].help != NULL) {
			scenario_help_holds(s, "web1", "arc-connected", agents[i].help);
			scenario_writes_are(s, NULL, 0, 0);
		}
		scenario_is_good(s);
	}
}

/* --- the tenant of Defender for Endpoint (R22) --- */

static void test_a_sensor_of_another_tenant_is_left_to_its_owner_or_to_support(void **state)
{
	scenario_auto *s = estate_of(
		SERVER("web1",
			WINDOWS ", 'extensions': [{'type': 'MDE.Windows', 'state': 'Failed',"
				" 'since': '-30d', 'code': '1', 'level': 'Error', 'message':"
				" 'Workspace already assigned to another WDATP tenant'}]"),
		NULL);

	(void)state;
	scenario_run(s, DUR_DAYS(3));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "not-offboarded");
	scenario_help_holds(s, "web1", "mde-extension", "let Microsoft support release it");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_a_tenant_that_is_not_ready_yet_is_waited_for(void **state)
{
	scenario_auto *s = estate_of(SERVER("web1", WINDOWS),
		"[{'when': {'path': 'mdeOnboardings', 'until': '20h'}, 'do': {'status': 200,"
		"  'body': '{\\\"value\\\": []}'}}]");

	(void)state;
	scenario_run(s, DUR_H(12));
	scenario_item_is(s, "web1", "mde-extension", "backoff", "no-package");
	scenario_help_holds(s, "web1", "mde-extension", "Defender for Endpoint is on and licensed");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(16));
	scenario_writes_are(s, "/extensions/MDE.Windows", 1, 1);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_machine_that_arc_does_not_reach_is_told_with_what_helps),
		cmocka_unit_test(
			test_a_sensor_of_another_tenant_is_left_to_its_owner_or_to_support),
		cmocka_unit_test(test_a_tenant_that_is_not_ready_yet_is_waited_for),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
