/* SPDX-License-Identifier: Apache-2.0 */
/* The plan on the Log Analytics workspaces that machines report to, or that a policy lists. */
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CUSTOMER(n) "40000000-0000-4000-8000-00000000000" #n
#define WORKSPACE_ID(sub, name) \
	SUB_ID(sub) "/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/" name
#define SOLUTION_ID(sub, name) \
	SUB_ID(sub) \
	"/resourceGroups/rg/providers/Microsoft.OperationsManagement/solutions/Security(" name ")"
#define RULE_ID(sub, name) \
	SUB_ID(sub) "/resourceGroups/rg/providers/Microsoft.Insights/dataCollectionRules/" name
#define WORKSPACE(name, n, members) "{'name': '" name "', 'customer': '" CUSTOMER(n) "'" members "}"
#define WITH(solution) ", 'solutions': ['" solution "']"
#define RULE(name, workspaces, members) \
	"{'name': '" name "', 'destinations': [" workspaces "]" members "}"
/* How the path of every plan ends; no other name ends so. */
#define ANY_PLAN "%29"
#define TO(sub, name) "'" WORKSPACE_ID(sub, name) "'"
#define WORKSPACES(list) "'workspaces': [" list "], "
#define RULES(list) "'rules': [" list "], "

#define SENSOR_EXTENSION "{'type': 'MDE.Linux', 'since': '-30d'}"
#define AMA "{'type': 'AzureMonitorLinuxAgent', 'since': '-30d'}"
#define OMS(n) "{'type': 'OmsAgentForLinux', 'workspace': '" CUSTOMER(n) "', 'since': '-30d'}"
#define WITH_RULE(name, sub, rule) \
	SERVER(name, \
		LINUX ", 'extensions': [" SENSOR_EXTENSION "," AMA "]," \
		      " 'rules': ['" RULE_ID(sub, rule) "']")
#define WITH_OMS(name, n) SERVER(name, LINUX ", 'extensions': [" SENSOR_EXTENSION "," OMS(n) "]")

#define POLICY_OF(plan, name, members) \
	"policy \"" name "\" {\n    plan = " plan "  integration = on  unified-solution = on\n" \
	"    register-providers = on\n    workspaces { " members " }\n}\n"
#define POLICY(members) POLICY_OF("P2", "servers", members)
#define ENFORCE CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce")
#define OBSERVE CONFIG_SCOPE("subscriptions = { \"*\" }  mode = observe")
#define FROM_MACHINES "from-machines = on"
#define CONFIG CONFIG_POLL POLICY(FROM_MACHINES) ENFORCE
#define ONE_RULE RULES(RULE("events", TO(1, "ws1"), ""))

static struct scenario *begin_with(const char *subscriptions, const char *config)
{
	struct scenario *s = scenario_new(
		&(struct scenario_options){.subscriptions = subscriptions, .config = config});

	scenario_begin(s);
	return s;
}

static const char *solution_text(struct scenario *s, const char *id, const char *path)
{
	const char *text = json_path_text(estate_peek(s->estate, id), path);

	return text != NULL ? text : "";
}

/* --- first correction --- */

static void test_workspaces_that_machines_report_to_get_the_plan_once(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "") "," WORKSPACE("ws2", 2,
				WITH("SecurityCenterFree")) "," WORKSPACE("idle", 3, "")) ONE_RULE,
			WITH_RULE("lin1", 1, "events") "," WITH_OMS("lin2", 2)),
		CONFIG);

	(void)state;
	scenario_settle(s, DUR_H(12));
	scenario_item_is(s, "ws1", "workspace-plan", "compliant", "in-sync");
	scenario_item_is(s, "ws2", "workspace-plan", "compliant", "in-sync");
	/* Nobody reports there. */
	assert_null(scenario_item(s, "idle", "workspace-plan"));
	scenario_writes_are(s, ANY_PLAN, 2, 2);
	assert_string_equal(
		solution_text(s, SOLUTION_ID(1, "ws1"), "plan.product"), "OMSGallery/Security");
	assert_string_equal(solution_text(s, SOLUTION_ID(1, "ws2"), "location"), "westeurope");
	scenario_run(s, DUR_DAYS(2));
	scenario_writes_are(s, ANY_PLAN, 2, 2);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_a_rule_without_agent_or_without_security_events_counts_for_nothing(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "") "," WORKSPACE("ws2", 2, ""))
				RULES(RULE("events", TO(1, "ws1"), "") "," RULE(
					"perf", TO(1, "ws2"), ", 'streams': ['Microsoft-Perf']")),
			SERVER("lin1",
				LINUX WITH_SENSOR("MDE.Linux") ", 'rules': ['" RULE_ID(
					1, "events") "']") "," WITH_RULE("lin2", 1, "perf")),
		CONFIG);

	(void)state;
	scenario_run(s, DUR_H(6));
	assert_null(scenario_item(s, "ws1", "workspace-plan"));
	assert_null(scenario_item(s, "ws2", "workspace-plan"));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_with_p1_workspaces_are_left_alone(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			"'plan': {'tier': 'Standard', 'subPlan': 'P1', 'since': "
			"'-60d'}, " SETTINGS_ON WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
			WITH_RULE("lin1", 1, "events")),
		CONFIG_POLL POLICY_OF("P1", "servers", FROM_MACHINES) ENFORCE);

	(void)state;
	scenario_run(s, DUR_H(6));
	assert_null(scenario_item(s, "ws1", "workspace-plan"));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_a_listed_workspace_gets_the_plan_whoever_reports(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "") "," WORKSPACE("ws2", 2, "")),
			SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
		CONFIG_POLL POLICY("list = { \"" WORKSPACE_ID(1, "WS1") "\" }") ENFORCE);

	(void)state;
	scenario_settle(s, DUR_H(12));
	scenario_item_is(s, "ws1", "workspace-plan", "compliant", "in-sync");
	assert_null(scenario_item(s, "ws2", "workspace-plan"));
	scenario_writes_are(s, ANY_PLAN, 1, 1);
	scenario_is_good(s);
}

static void test_a_listed_workspace_that_is_not_seen_is_told(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, ALL_ON, SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
			CONFIG_POLL POLICY("list = { \"" WORKSPACE_ID(1, "ws7") "\" }") ENFORCE);

	(void)state;
	scenario_run(s, DUR_DAYS(2));
	scenario_item_is(s, "ws7", "workspace-plan", "unknown", "not-observed");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_the_plan_of_the_subscription_comes_first(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, NO_PLAN SETTINGS_ON WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
			WITH_RULE("lin1", 1, "events")),
		CONFIG);

	(void)state;
	scenario_settle(s, DUR_H(12));
	scenario_item_is(s, "ws1", "workspace-plan", "compliant", "in-sync");
	scenario_writes_are(s, ANY_PLAN, 1, 1);
	scenario_is_good(s);
}

static void test_an_unregistered_provider_is_registered_first(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			"'providers': ['Microsoft.Security', 'Microsoft.HybridCompute',"
			" 'Microsoft.OperationalInsights', 'Microsoft.Insights'], " ALL_ON
				WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
			WITH_RULE("lin1", 1, "events")),
		CONFIG);

	(void)state;
	scenario_settle(s, DUR_H(12));
	scenario_item_is(s, "ws1", "workspace-plan", "compliant", "in-sync");
	scenario_writes_are(s, "/providers/Microsoft.OperationsManagement/register", 1, 1);
	scenario_writes_are(s, ANY_PLAN, 1, 1);
	scenario_is_good(s);
}

static void test_nothing_is_written_in_observe_mode(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
				   WITH_RULE("lin1", 1, "events")),
			CONFIG_POLL POLICY(FROM_MACHINES) OBSERVE);
	const json_t *answer;

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "ws1", "workspace-plan", "drifted", "workspace-plan");
	answer = scenario_command(s, "explain", "{'target': 'ws1'}");
	assert_string_equal(json_path_text(answer, "workspace"), "ws1");
	answer = json_array_get(json_path(answer, "items"), 0);
	assert_int_equal(json_array_size(json_path(answer, "differences")), 1);
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

/* --- what stands in the way --- */

/* Its machines would be billed for a plan that nobody wants for them. */
static void test_machines_of_a_subscription_without_p2_need_a_decision(void **state)
{
	static const char *const others[] = {NO_PLAN, PLAN_P2};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		mdc_autofree char *subscriptions =
			xasprintf("%s, {'id': '" SUB(2) "', 'name': 'sub2', 'tenant': '" TENANT
							"', %s'machines': [%s]}",
				SUBSCRIPTION(1, ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
					WITH_RULE("lin1", 1, "events")),
				others[i], WITH_OMS("lin2", 1));
		scenario_auto *s = begin_with(subscriptions,
			CONFIG_POLL POLICY(FROM_MACHINES)
				CONFIG_SCOPE("subscriptions = { \"" SUB(1) "\" }  mode = enforce"));

		scenario_run(s, DUR_H(6));
		if (i == 1) {
			scenario_item_is(s, "ws1", "workspace-plan", "compliant", "in-sync");
			continue;
		}
		scenario_item_is(s, "ws1", "workspace-plan", "blocked", "workspace-shared");
		assert_string_equal(scenario_item(s, "ws1", "workspace-plan")->detail, SUB(2));
		scenario_writes_are(s, NULL, 0, 0);
		/* Listing the workspace is the decision. */
		scenario_reload(s,
			CONFIG_POLL POLICY(
				FROM_MACHINES "  list = { \"" WORKSPACE_ID(1, "ws1") "\" }")
				CONFIG_SCOPE("subscriptions = { \"" SUB(1) "\" }  mode = enforce"));
		scenario_await(s, "ws1", "workspace-plan", "compliant", DUR_H(6));
		scenario_writes_are(s, ANY_PLAN, 1, 1);
		scenario_is_good(s);
	}
}

static void test_what_may_not_be_read_is_told_and_everything_else_works(void **state)
{
	static const struct {
		const char *path, *why;
	} rows[] = {
		{"/workspaces$", "the workspaces of a subscription"},
		{"/solutions$", "the solutions on workspaces of a subscription"},
		{"/dataCollectionRules/", "a data collection rule of its machines"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		scenario_auto *s = scenario_new(&(struct scenario_options){
			.subscriptions = SUBSCRIPTION(1,
				ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
				WITH_RULE("lin1", 1, "events") "," SERVER("lin2", LINUX UNREACHED)),
			.config = CONFIG_POLL
			"policy \"servers\" { plan = P2  integration = on\n"
			"extension { deploy = after-grace  grace = 0s  first-grace = 0s }\n"
			"workspaces { from-machines = on } }\n" ENFORCE});
		mdc_autofree char *rules =
			xasprintf("[{'when': {'method': 'GET', 'path': '%s'},"
				  " 'do': {'status': 403, 'code': 'AuthorizationFailed'}}]",
				rows[i].path);
		const json_t *answer;
		mdc_autofree char *text = NULL;

		scenario_faults(s, rules);
		scenario_begin(s);
		scenario_await(s, "lin2", "mde-extension", "compliant", DUR_DAYS(1));
		scenario_writes_are(s, ANY_PLAN, 0, 0);
		answer = scenario_command(s, "status", "{}");
		text = json_dumps(answer, 0);
		if (strstr(text, rows[i].why) == NULL)
			scenario_fail(s, "%s: not told in %s", rows[i].path, text);
		scenario_faults(s, NULL);
		scenario_await(s, "ws1", "workspace-plan", "compliant", DUR_DAYS(2));
		scenario_writes_are(s, ANY_PLAN, 1, 1);
	}
}

static void test_workspaces_that_nobody_sees_are_told(void **state)
{
	static const char *const told[] = {
		"workspace id " CUSTOMER(9), "by a rule that cannot be read"};
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
				   WITH_OMS("lin1", 9) "," WITH_RULE("lin2", 1, "gone")),
			CONFIG);
	mdc_autofree char *text = NULL;

	(void)state;
	scenario_run(s, DUR_H(1));
	text = json_dumps(scenario_command(s, "explain", "{'target': 'sub1'}"), 0);
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		if (strstr(text, told[i]) == NULL)
			scenario_fail(s, "not told: %s: %s", told[i], text);
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_without_graph_nobody_guesses_who_reports(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions =
			SUBSCRIPTION(1, ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
				WITH_RULE("lin1", 1, "events")),
		.config = CONFIG});

	(void)state;
	scenario_faults(s,
		"[{'when': {'path': 'Microsoft.ResourceGraph'},"
		" 'do': {'status': 403, 'code': 'AuthorizationFailed'}}]");
	scenario_start(s);
	scenario_run(s, DUR_H(1));
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_H(5));
	scenario_item_is(s, "ws1", "workspace-plan", "unknown", "partial-observation");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_faults(s, NULL);
	scenario_await(s, "ws1", "workspace-plan", "compliant", DUR_H(12));
	scenario_writes_are(s, ANY_PLAN, 1, 1);
}

static void test_a_missing_permission_blocks_and_heals(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
				   WITH_RULE("lin1", 1, "events")),
			CONFIG_POLL POLICY(FROM_MACHINES) OBSERVE);

	(void)state;
	scenario_faults(s,
		"[{'when': {'method': 'PUT', 'path': '/solutions/'},"
		" 'do': {'status': 403, 'code': 'AuthorizationFailed'}}]");
	scenario_reload(s, CONFIG);
	scenario_command(s, "confirm", "{}");
	scenario_await(s, "ws1", "workspace-plan", "blocked", DUR_H(2));
	scenario_item_is(s, "ws1", "workspace-plan", "blocked", "denied");
	scenario_faults(s, NULL);
	scenario_await(s, "ws1", "workspace-plan", "compliant", DUR_DAYS(2));
}

/* --- later --- */

static void test_a_plan_that_is_taken_away_is_put_back_and_not_a_third_time(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, ALL_ON WORKSPACES(WORKSPACE("ws1", 1, WITH("Security"))) ONE_RULE,
			WITH_RULE("lin1", 1, "events")),
		CONFIG);
	size_t put_back = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		if (estate_peek(s->estate, SOLUTION_ID(1, "ws1")) != NULL)
			scenario_meddle(s, SOLUTION_ID(1, "ws1"), NULL, NULL);
		scenario_run(s, DUR_H(2));
		if (scenario_writes(s, ANY_PLAN) > put_back)
			put_back++;
	}
	assert_int_equal(put_back, 2);
	scenario_item_is(s, "ws1", "workspace-plan", "blocked", "conflict");
	scenario_is_good(s);
}

static void test_a_plan_is_never_taken_away(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, ALL_ON WORKSPACES(WORKSPACE("ws1", 1, WITH("Security"))),
				   SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
			CONFIG);

	(void)state;
	scenario_run(s, DUR_DAYS(2));
	scenario_reload(s, CONFIG_POLL CONFIG_POLICY ENFORCE);
	scenario_run(s, DUR_DAYS(1));
	assert_non_null(estate_peek(s->estate, SOLUTION_ID(1, "ws1")));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_a_deleted_workspace_vanishes_before_it_is_forgotten(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, ALL_ON WORKSPACES(WORKSPACE("ws1", 1, WITH("Security"))) ONE_RULE,
			WITH_RULE("lin1", 1, "events")),
		CONFIG);

	(void)state;
	scenario_item_is(s, "ws1", "workspace-plan", "compliant", "in-sync");
	scenario_meddle(s, SOLUTION_ID(1, "ws1"), NULL, NULL);
	scenario_meddle(s, WORKSPACE_ID(1, "ws1"), NULL, NULL);
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "ws1", "workspace-plan", "unknown", "vanished");
	scenario_run(s, DUR_DAYS(1));
	assert_null(scenario_item(s, "ws1", "workspace-plan"));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_history_is_whole(s);
}

static void test_a_crash_while_it_writes_repeats_nothing(void **state)
{
	(void)state;
	for (uint64_t at = 1; at <= 6; at++) {
		scenario_auto *s = begin_with(
			SUBSCRIPTION(1, ALL_ON WORKSPACES(WORKSPACE("ws1", 1, "")) ONE_RULE,
				WITH_RULE("lin1", 1, "events")),
			CONFIG_POLL POLICY(FROM_MACHINES) OBSERVE);

		scenario_reload(s, CONFIG);
		scenario_command(s, "confirm", "{}");
		scenario_crash_within(s, at, DUR_MIN(20));
		scenario_settle(s, DUR_H(12));
		scenario_item_is(s, "ws1", "workspace-plan", "compliant", "in-sync");
		scenario_writes_are(s, ANY_PLAN, 1, 1);
		scenario_is_good(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workspaces_that_machines_report_to_get_the_plan_once),
		cmocka_unit_test(
			test_a_rule_without_agent_or_without_security_events_counts_for_nothing),
		cmocka_unit_test(test_with_p1_workspaces_are_left_alone),
		cmocka_unit_test(test_a_listed_workspace_gets_the_plan_whoever_reports),
		cmocka_unit_test(test_a_listed_workspace_that_is_not_seen_is_told),
		cmocka_unit_test(test_the_plan_of_the_subscription_comes_first),
		cmocka_unit_test(test_an_unregistered_provider_is_registered_first),
		cmocka_unit_test(test_nothing_is_written_in_observe_mode),
		cmocka_unit_test(test_machines_of_a_subscription_without_p2_need_a_decision),
		cmocka_unit_test(test_what_may_not_be_read_is_told_and_everything_else_works),
		cmocka_unit_test(test_workspaces_that_nobody_sees_are_told),
		cmocka_unit_test(test_without_graph_nobody_guesses_who_reports),
		cmocka_unit_test(test_a_missing_permission_blocks_and_heals),
		cmocka_unit_test(test_a_plan_that_is_taken_away_is_put_back_and_not_a_third_time),
		cmocka_unit_test(test_a_plan_is_never_taken_away),
		cmocka_unit_test(test_a_deleted_workspace_vanishes_before_it_is_forgotten),
		cmocka_unit_test(test_a_crash_while_it_writes_repeats_nothing),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
