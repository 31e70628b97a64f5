/* SPDX-License-Identifier: Apache-2.0 */
/* Windows Server 2012 R2 and 2016: the old sensor is replaced, and its agent goes last, or stays.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WORKSPACE "5f1c1a0e-0000-4000-8000-000000000001"
#define AGENT_OF(workspace) \
	"{'type': 'MicrosoftMonitoringAgent', 'name': 'MMAExtension', 'version': '1.0.18069.0'," \
	" 'workspace': '" workspace "', 'since': '-400d'}"
#define AGENT AGENT_OF(WORKSPACE)
#define OLD_ROUTE \
	"{'type': 'MDE.Windows', 'version': '1.0.9.4', 'unified': false, 'since': '-500d'}"
#define OLD_SERVER SERVER("old1", WINDOWS_2016 UNREACHED ", 'extensions': [" AGENT "]")
#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define AGENT_PATH "/old1/extensions/MMAExtension"
#define SENSOR_PATH "/old1/extensions/MDE.Windows"
#define INSTALLER \
	"/providers/Microsoft.Authorization/policyDefinitions/" \
	"69af7d4a-7b18-4044-93a9-2651498ef203"
#define AGENT_DOCUMENT \
	"{'id': '" SENSOR( \
		"old1", "MMAExtension") "', 'name': 'MMAExtension'," \
					" 'type': 'Microsoft.HybridCompute/machines/extensions', " \
					"'location': 'westeurope'," \
					" 'properties': {'publisher': " \
					"'Microsoft.EnterpriseCloud.Monitoring'," \
					" 'type': 'MicrosoftMonitoringAgent', " \
					"'provisioningState': 'Succeeded'," \
					" 'settings': {'workspaceId': '" WORKSPACE "'}}}"

#define CONFIG_LEGACY(legacy) \
	CONFIG_POLL_SLOW \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on\n" \
	"    extension { deploy = after-grace  grace = 0s  first-grace = 0s }\n" \
	"    legacy { replace = on  " legacy " }\n" \
	"}\n" CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce")
#define REMOVE "remove-agent = on  workspaces = { \"" WORKSPACE "\" }  "
#define REMOVE_UNPROVEN REMOVE "proof = extension  remove-after = 26h"

static struct scenario *estate_of(const char *members, const char *machines, const char *config)
{
	mdc_autofree char *subscriptions =
		xasprintf(SUBSCRIPTION(1, ALL_ON "%s", "%s"), members, machines);
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = DEPLOYER_OFF, .config = config});

	scenario_begin(s);
	return s;
}

static struct machine *machine_named(struct scenario *s, const char *id)
{
	return inventory_machine(s->daemon->inventory, id);
}

/* As a reader of Defender for Endpoint's inventory would tell it, each hour. */
static void sensor_reports(
	struct scenario *s, const char *version, enum sensor_health health, unsigned hours)
{
	for (unsigned i = 0; i < hours; i++) {
		struct sensor_facts facts = {.listed = true,
			.onboarded = true,
			.health = health,
			.version = version,
			.last_seen = scenario_wall(s),
			.at = scenario_wall(s)};
		bool changed;

		inventory_set_sensor(
			s->daemon->inventory, machine_named(s, MACHINE("old1")), &facts, &changed);
		scenario_run(s, DUR_H(1));
	}
}

static void test_the_agent_goes_after_the_new_sensor_was_seen_at_work(void **state)
{
	scenario_auto *s = estate_of("", OLD_SERVER, CONFIG_LEGACY(REMOVE "remove-after = 26h"));

	(void)state;
	scenario_settle(s, DUR_H(3));
	scenario_writes_are(s, SENSOR_PATH, 1, 1);
	scenario_item_is(s, "old1", "legacy-replaced", "compliant", "agent-unproven");
	sensor_reports(s, "10.8760.27778.1000", SENSOR_ACTIVE, 24);
	scenario_item_is(s, "old1", "legacy-replaced", "waiting", "agent-kept");
	scenario_writes_are(s, AGENT_PATH, 0, 0);
	sensor_reports(s, "10.8760.27778.1000", SENSOR_ACTIVE, 4);
	scenario_writes_are(s, AGENT_PATH, 1, 1);
	assert_false(scenario_exists(s, SENSOR("old1", "MMAExtension")));
	scenario_item_is(s, "old1", "legacy-replaced", "compliant", "in-sync");
	assert_int_equal(scenario_protected(s), 1);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
	scenario_history_is_whole(s);
}

static void test_without_proof_the_agent_stays_for_good(void **state)
{
	scenario_auto *s = estate_of("", OLD_SERVER, CONFIG_LEGACY(REMOVE "remove-after = 1h"));

	(void)state;
	scenario_settle(s, DUR_H(3));
	scenario_run(s, DUR_DAYS(5));
	scenario_writes_are(s, AGENT_PATH, 0, 0);
	scenario_item_is(s, "old1", "legacy-replaced", "compliant", "agent-unproven");
	/* A sensor that fell silent proves nothing either. */
	sensor_reports(s, "10.8760.27778.1000", SENSOR_MUTE, 2);
	scenario_item_is(s, "old1", "legacy-replaced", "compliant", "agent-unproven");
	scenario_writes_are(s, AGENT_PATH, 0, 0);
	scenario_is_good(s);
}

static void test_the_extension_is_proof_where_the_policy_says_so(void **state)
{
	scenario_auto *s = estate_of("", OLD_SERVER, CONFIG_LEGACY(REMOVE_UNPROVEN));

	(void)state;
	scenario_settle(s, DUR_H(30));
	scenario_golden(s, "legacy-agent-removed");
	scenario_writes_are(s, SENSOR_PATH, 1, 1);
	scenario_writes_are(s, AGENT_PATH, 1, 1);
	assert_false(scenario_exists(s, SENSOR("old1", "MMAExtension")));
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_a_replaced_server_without_configured_removal_keeps_its_agent(void **state)
{
	scenario_auto *s = estate_of("",
		SERVER("old1", WINDOWS_2016 UNREACHED ", 'extensions': [" AGENT ", " OLD_ROUTE "]"),
		CONFIG_LEGACY(""));

	(void)state;
	scenario_settle(s, DUR_H(3));
	scenario_run(s, DUR_DAYS(3));
	scenario_writes_are(s, SENSOR_PATH, 1, 1);
	scenario_writes_are(s, AGENT_PATH, 0, 0);
	scenario_item_is(s, "old1", "legacy-replaced", "compliant", "installed-unconfirmed");
	sensor_reports(s, "10.8760.27778.1000", SENSOR_ACTIVE, 1);
	scenario_item_is(s, "old1", "legacy-replaced", "compliant", "legacy-remains");
	scenario_is_good(s);
}

static void test_an_agent_of_another_workspace_stays(void **state)
{
	scenario_auto *s = estate_of("",
		SERVER("old1",
			WINDOWS_2016 UNREACHED
			", 'extensions': [" AGENT_OF("5f1c1a0e-0000-4000-8000-000000000002") "]"),
		CONFIG_LEGACY(REMOVE_UNPROVEN));

	(void)state;
	scenario_settle(s, DUR_H(30));
	scenario_run(s, DUR_DAYS(3));
	scenario_item_is(s, "old1", "legacy-replaced", "compliant", "agent-workspace");
	scenario_writes_are(s, AGENT_PATH, 0, 0);
	scenario_is_good(s);
}

/* Assignments, whether each of them keeps the agent. */
static const struct {
	const char *members;
	bool keeps;
} assignments[] = {
	{"'assignments': [{'name': 'agents', 'definition': '" INSTALLER "'}],", true},
	{"'assignments': [{'name': 'agents', 'definition': '" INSTALLER
	 "', 'scope': '/providers/Microsoft.Management/managementGroups/mg'}],",
		true},
	{"'assignments': [{'name': 'agents', 'definition': '" INSTALLER
	 "', 'scope': '" SUB_ID(1) "/resourceGroups/RG'}],",
		true},
	{"'policySets': [{'name': 'monitoring', 'definitions': ['" INSTALLER "']}],"
	 "'assignments': [{'name': 'all of it', 'definition': '" SUB_ID(
		 1) "/providers/Microsoft.Authorization/policySetDefinitions/monitoring'}],",
		true},
	/* A set that cannot be read may hold anything. */
	{"'assignments': [{'name': 'lost', 'definition': '" SUB_ID(
		 1) "/providers/Microsoft.Authorization/policySetDefinitions/lost'}],",
		true},
	{"'assignments': [{'name': 'agents', 'definition': '" INSTALLER
	 "', 'scope': '" SUB_ID(1) "/resourceGroups/r'}],",
		false},
	{"'assignments': [{'name': 'agents', 'definition': '" INSTALLER
	 "', 'notScopes': ['" MACHINE("OLD1") "']}],",
		false},
	{"'assignments': [{'name': 'agents', 'definition': '" INSTALLER "', 'enforced': false}],",
		false},
	{"'assignments': [{'name': 'agents', 'definition': '" INSTALLER
	 "', 'effect': 'AuditIfNotExists'}],",
		false},
	{"'policySets': [{'name': 'tags', 'definitions': ['/providers/Microsoft.Authorization/"
	 "policyDefinitions/1e30110a-5ceb-460c-a204-c1c3969c6d62']}],"
	 "'assignments': [{'name': 'tags', 'definition': '" SUB_ID(
		 1) "/providers/Microsoft.Authorization/policySetDefinitions/tags'}],",
		false},
};

static void test_an_agent_that_an_assigned_policy_installs_stays(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(assignments); i++) {
		scenario_auto *s = estate_of(
			assignments[i].members, OLD_SERVER, CONFIG_LEGACY(REMOVE_UNPROVEN));
		unsigned deletions = assignments[i].keeps ? 0 : 1;

		scenario_run(s, DUR_H(30));
		if (scenario_writes(s, AGENT_PATH) != deletions)
			scenario_fail(s, "assignments %zu: the agent was %sremoved", i,
				assignments[i].keeps ? "" : "not ");
		scenario_is_good(s);
	}
}

static void test_assignments_that_may_not_be_read_keep_the_agent(void **state)
{
	scenario_auto *s = estate_of("", OLD_SERVER, CONFIG_LEGACY(REMOVE_UNPROVEN));

	(void)state;
	/* Read well at first, and denied from then on: for a day that is known enough. */
	scenario_faults(s,
		"[{'when': {'path': 'policyAssignments'}, 'do': {'status': 403,"
		"  'code': 'AuthorizationFailed'}}]");
	scenario_run(s, DUR_H(40));
	scenario_item_is(s, "old1", "legacy-replaced", "compliant", "agent-policy-unknown");
	scenario_writes_are(s, AGENT_PATH, 0, 0);
	scenario_faults(s, NULL);
	scenario_run(s, DUR_H(3));
	scenario_writes_are(s, AGENT_PATH, 1, 1);
	scenario_is_good(s);
}

static void test_an_agent_that_comes_back_is_not_removed_again_but_told(void **state)
{
	scenario_auto *s = estate_of("", OLD_SERVER, CONFIG_LEGACY(REMOVE_UNPROVEN));
	const struct item *item;

	(void)state;
	scenario_settle(s, DUR_H(30));
	scenario_writes_are(s, AGENT_PATH, 1, 1);
	/* Longer than a quarrel about a setting would be remembered. */
	scenario_run(s, DUR_DAYS(8));
	scenario_meddle(s, SENSOR("old1", "MMAExtension"), NULL, AGENT_DOCUMENT);
	scenario_run(s, DUR_DAYS(2));
	scenario_item_is(s, "old1", "legacy-replaced", "blocked", "conflict");
	item = scenario_item(s, "old1", "legacy-replaced");
	if (strstr(item->detail, "last written by") == NULL)
		scenario_fail(s, "nobody is named: %s", item->detail);
	scenario_writes_are(s, AGENT_PATH, 1, 1);
	/* Nor after a restart. */
	scenario_stop(s);
	scenario_begin(s);
	scenario_run(s, DUR_DAYS(2));
	scenario_item_is(s, "old1", "legacy-replaced", "blocked", "conflict");
	scenario_writes_are(s, AGENT_PATH, 1, 1);
	scenario_is_good(s);
	/* An operator may have it removed once more. */
	scenario_command(s, "reconcile", "{'target': 'old1'}");
	scenario_run(s, DUR_H(2));
	scenario_writes_are(s, AGENT_PATH, 2, 2);
	assert_false(scenario_exists(s, SENSOR("old1", "MMAExtension")));
}

static void test_a_mute_old_sensor_does_not_wait_for_the_grace(void **state)
{
	static const char config[] = CONFIG_POLL_SLOW CONFIG_POLICY CONFIG_SCOPE(
		"subscriptions = { \"*\" }  mode = enforce");
	scenario_auto *s = estate_of(
		"", SERVER("old1", WINDOWS_2016 UNREACHED ", 'extensions': [" AGENT "]"), config);

	(void)state;
	/* It came back just now, so that Defender for Cloud would have its time. */
	scenario_meddle(s, MACHINE("old1"), "properties.status", "'Disconnected'");
	scenario_run(s, DUR_H(1));
	scenario_meddle(s, MACHINE("old1"), "properties.status", "'Connected'");
	scenario_meddle(
		s, MACHINE("old1"), "properties.lastStatusChange", "'2026-11-24T15:10:00Z'");
	scenario_run(s, DUR_MIN(40));
	scenario_item_is(s, "old1", "mde-extension", "waiting", "grace");
	sensor_reports(s, "10.3720.16299.2010", SENSOR_MUTE, 1);
	scenario_writes_are(s, SENSOR_PATH, 1, 1);
	assert_int_not_equal(scenario_traced(s, "legacy-mute"), 0);
	scenario_is_good(s);
}

/* Crashes at each event of the removal: it is sent once, whatever is lost. */
static struct scenario *removal(void)
{
	struct scenario *s = estate_of("",
		SERVER("old1",
			WINDOWS_2016 ", 'extensions': [" AGENT ", {'type': 'MDE.Windows',"
				     " 'unified': true, 'since': '-30d'}]"),
		CONFIG_LEGACY(REMOVE "proof = extension  remove-after = 2h"));

	scenario_run(s, DUR_MIN(119));
	scenario_writes_are(s, NULL, 0, 0);
	return s;
}

static void test_a_crash_repeats_no_removal(void **state)
{
	static const enum vfs_loss losses[] = {VFS_LOSE_NOTHING, VFS_LOSE_UNSYNCED};
	bool reached = true;

	(void)state;
	for (uint64_t n = 1; reached; n += scenario_full() ? 1 : 4) {
		scenario_auto *s = removal();

		scenario_crash_at(s, n);
		scenario_run(s, DUR_MIN(30));
		reached = s->frozen;
		scenario_crash(s, losses[n % ARRAY_LEN(losses)]);
		scenario_run(s, DUR_S(30));
		scenario_begin(s);
		scenario_run(s, DUR_H(5));
		scenario_writes_are(s, AGENT_PATH, 1, 1);
		scenario_item_is(s, "old1", "legacy-replaced", "compliant", NULL);
		scenario_is_good(s);
		scenario_history_is_whole(s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_agent_goes_after_the_new_sensor_was_seen_at_work),
		cmocka_unit_test(test_without_proof_the_agent_stays_for_good),
		cmocka_unit_test(test_the_extension_is_proof_where_the_policy_says_so),
		cmocka_unit_test(test_a_replaced_server_without_configured_removal_keeps_its_agent),
		cmocka_unit_test(test_an_agent_of_another_workspace_stays),
		cmocka_unit_test(test_an_agent_that_an_assigned_policy_installs_stays),
		cmocka_unit_test(test_assignments_that_may_not_be_read_keep_the_agent),
		cmocka_unit_test(test_an_agent_that_comes_back_is_not_removed_again_but_told),
		cmocka_unit_test(test_a_mute_old_sensor_does_not_wait_for_the_grace),
		cmocka_unit_test(test_a_crash_repeats_no_removal),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
