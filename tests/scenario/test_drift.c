/* SPDX-License-Identifier: Apache-2.0 */
/* What others undo, and what fails on machines: corrected, given up, or called a conflict. */
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/base/xalloc.h"

#define OTHER_SENSOR \
	"{'location': 'westeurope', 'properties': {" \
	" 'publisher': 'Microsoft.Azure.AzureDefenderForServers', 'type': 'MDE.Windows'," \
	" 'settings': {'azureResourceId': '" MACHINE( \
		"web1") "', 'vNextEnabled': false}," \
			" 'protectedSettings': {'defenderForEndpointOnboardingScript': 'x'}}}"
#define FREE "'Free'"
#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define GOOD_SERVER SERVER("web1", WINDOWS WITH_SENSOR("MDE.Windows"))
#define OLD_SERVER \
	SERVER("old1", WINDOWS_2016 ", 'extensions': [{'type': 'MDE.Windows', 'unified': true}]")

static struct scenario *quiet_estate(const char *machines, const char *config)
{
	mdc_autofree char *subscriptions = NULL;
	struct scenario *s;

	subscriptions = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), machines);
	s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = DEPLOYER_OFF, .config = config});
	scenario_begin(s);
	scenario_settle(s, DUR_MIN(10));
	assert_int_equal(scenario_writes(s, NULL), 0);
	return s;
}

static void set_free(struct scenario *s)
{
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", FREE);
}

static void test_a_plan_that_is_set_back_is_corrected(void **state)
{
	scenario_auto *s = quiet_estate(GOOD_SERVER, CONFIG_ENFORCE);

	(void)state;
	scenario_trace_clear(s);
	set_free(s);
	scenario_run(s, DUR_MIN(16));
	scenario_settle(s, DUR_MIN(5));
	scenario_golden(s, "plan-set-back");
	assert_string_equal(scenario_peek(s, PLAN_ID(1), "properties.pricingTier"), "Standard");
	assert_string_equal(scenario_peek(s, PLAN_ID(1), "properties.subPlan"), "P2");
	assert_int_equal(scenario_writes(s, NULL), 1);
	scenario_is_good(s);
}

static void test_settings_that_are_switched_off_are_corrected(void **state)
{
	scenario_auto *s = quiet_estate(OLD_SERVER, CONFIG_ENFORCE);

	(void)state;
	scenario_trace_clear(s);
	scenario_meddle(s, SETTING_ID(1, "WDATP"), "properties.enabled", "false");
	scenario_meddle(s, SETTING_ID(1, "WDATP_UNIFIED_SOLUTION"), "properties.enabled", "false");
	scenario_run(s, DUR_MIN(20));
	scenario_settle(s, DUR_MIN(20));
	scenario_golden(s, "settings-switched-off");
	assert_int_equal(scenario_writes(s, "/WDATP"), 1);
	assert_int_equal(scenario_writes(s, "/WDATP_UNIFIED_SOLUTION"), 1);
	scenario_is_good(s);
}

static void test_a_setting_that_vanishes_is_set_again(void **state)
{
	scenario_auto *s = quiet_estate(GOOD_SERVER, CONFIG_ENFORCE);

	(void)state;
	scenario_meddle(s, SETTING_ID(1, "WDATP"), NULL, NULL);
	scenario_run(s, DUR_MIN(16));
	scenario_settle(s, DUR_MIN(20));
	assert_int_equal(scenario_writes(s, "/WDATP"), 1);
	scenario_is_good(s);
}

static void test_an_extension_that_is_deleted_is_deployed_again_after_its_grace(void **state)
{
	scenario_auto *s = quiet_estate(GOOD_SERVER, CONFIG_ENFORCE);

	(void)state;
	scenario_trace_clear(s);
	scenario_meddle(s, SENSOR("web1", "MDE.Windows"), NULL, NULL);
	scenario_run(s, DUR_MIN(10));
	scenario_item_is(s, "web1", "mde-extension", "waiting", "grace");
	scenario_settle(s, DUR_H(4));
	scenario_golden(s, "extension-deleted");
	assert_int_equal(scenario_writes(s, NULL), 1);
	assert_int_equal(scenario_protected(s), 1);
	scenario_is_good(s);
}

/* --- conflicts --- */

static void undo_and_wait(struct scenario *s)
{
	scenario_run(s, DUR_H(5));
	set_free(s);
	scenario_run(s, DUR_H(2));
}

static void test_what_is_undone_twice_is_not_corrected_a_third_time(void **state)
{
	scenario_auto *s = quiet_estate(GOOD_SERVER, CONFIG_SLOW);

	(void)state;
	scenario_trace_clear(s);
	for (unsigned i = 0; i < 2; i++) {
		undo_and_wait(s);
		scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	}
	undo_and_wait(s);
	scenario_item_is(s, "sub1", "servers-plan", "blocked", "conflict");
	/* Not later either, and not after a restart. */
	scenario_run(s, DUR_DAYS(8));
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "sub1", "servers-plan", "blocked", "conflict");
	assert_int_equal(scenario_writes(s, NULL), 2);
	scenario_golden(s, "conflict");
	scenario_is_good(s);
}

static void test_an_operator_lifts_a_conflict(void **state)
{
	scenario_auto *s = quiet_estate(GOOD_SERVER, CONFIG_SLOW);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		undo_and_wait(s);
	scenario_item_is(s, "sub1", "servers-plan", "blocked", "conflict");
	scenario_command(s, "reconcile", "{'target': 'sub1'}");
	scenario_run(s, DUR_MIN(5));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	assert_int_equal(scenario_writes(s, NULL), 3);
}

static void test_compliance_that_lasts_a_week_ends_the_quarrel(void **state)
{
	scenario_auto *s = quiet_estate(GOOD_SERVER, CONFIG_SLOW);

	(void)state;
	undo_and_wait(s);
	scenario_run(s, DUR_DAYS(7));
	undo_and_wait(s);
	scenario_run(s, DUR_DAYS(7));
	undo_and_wait(s);
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	assert_int_equal(scenario_writes(s, NULL), 3);
}

static void test_a_conflict_over_an_extension(void **state)
{
	scenario_auto *s = quiet_estate(GOOD_SERVER, CONFIG_SLOW);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		scenario_meddle(s, SENSOR("web1", "MDE.Windows"), NULL, NULL);
		scenario_run(s, DUR_H(5));
	}
	scenario_item_is(s, "web1", "mde-extension", "blocked", "conflict");
	assert_int_equal(scenario_writes(s, NULL), 2);
	scenario_is_good(s);
}

/* --- codes of handlers --- */

struct outcome_case {
	const char *os, *type, *codes; /* of the attempts, in JSON */
	const char *state, *reason;    /* after three days */
	unsigned writes;               /* at most */
};

static const struct outcome_case outcome_cases[] = {
	/* Another try may help, and does. */
	{WINDOWS, "MDE.Windows", "'21', '0'", "compliant", NULL, 2},
	{WINDOWS, "MDE.Windows", "'36', '36', '36', '0'", "compliant", NULL, 4},
	{LINUX, "MDE.Linux", "'21', '0'", "compliant", NULL, 2},
	/* Or does not. */
	{WINDOWS, "MDE.Windows", "'21'", "blocked", "given-up", 5},
	{WINDOWS, "MDE.Windows", "'1'", "blocked", "given-up", 2},
	{WINDOWS, "MDE.Windows", "'1', '0'", "compliant", NULL, 2},
	/* The way to the internet may come at any time. */
	{WINDOWS, "MDE.Windows", "'4', '4', '0'", "compliant", NULL, 3},
	{LINUX, "MDE.Linux", "'24', '0'", "compliant", NULL, 2},
	/* A person has to act; nothing is tried again and again. */
	{WINDOWS, "MDE.Windows", "'13'", "blocked", "handler-blocked", 1},
	{WINDOWS, "MDE.Windows", "'39'", "blocked", "handler-blocked", 1},
	{LINUX, "MDE.Linux", "'5'", "blocked", "other-edr", 1},
	{LINUX, "MDE.Linux", "'12'", "blocked", "handler-blocked", 1},
	/* The machine will never have it. */
	{WINDOWS, "MDE.Windows", "'51'", "unsupported", "handler-unsupported", 1},
	{LINUX, "MDE.Linux", "'10'", "unsupported", "handler-unsupported", 1},
	/* A code that nobody has written down. */
	{WINDOWS, "MDE.Windows", "'4711', '0'", "compliant", NULL, 2},
};

static void check_outcome(const struct outcome_case *c)
{
	mdc_autofree char *subscriptions = xasprintf(
		SUBSCRIPTION(1, ALL_ON, SERVER("m1", "%s" UNREACHED ", 'outcomes': [%s]")), c->os,
		c->codes);
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = subscriptions, .config = CONFIG_SLOW});

	print_message("# %s %s\n", c->type, c->codes);
	scenario_begin(s);
	scenario_run(s, DUR_DAYS(3));
	scenario_item_is(s, "m1", "mde-extension", c->state, c->reason);
	scenario_writes_are(s, NULL, 1, c->writes);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
}

static void test_each_class_of_handler_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(outcome_cases); i++)
		check_outcome(&outcome_cases[i]);
}

static void test_a_pending_restart_is_waited_for(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON,
			SERVER("m1",
				WINDOWS UNREACHED ", 'outcomes': ['12'], 'rebootAfter': '3d'"))});

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(12));
	scenario_item_is(s, "m1", "mde-extension", "backoff", "reboot-pending");
	scenario_settle(s, DUR_DAYS(6));
	scenario_item_is(s, "m1", "mde-extension", "compliant", NULL);
	assert_in_range(scenario_writes(s, NULL), 2, 6);
	scenario_is_good(s);
}

static void test_an_operator_has_a_blocked_machine_tried_again(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(
			1, ALL_ON, SERVER("m1", WINDOWS UNREACHED ", 'outcomes': ['13', '0']"))});

	(void)state;
	scenario_begin(s);
	scenario_await(s, "m1", "mde-extension", "blocked", DUR_H(5));
	scenario_run(s, DUR_DAYS(1));
	assert_int_equal(scenario_writes(s, NULL), 1);
	scenario_command(s, "reconcile", "{'target': 'm1'}");
	scenario_settle(s, DUR_MIN(30));
	scenario_item_is(s, "m1", "mde-extension", "compliant", NULL);
	assert_int_equal(scenario_writes(s, NULL), 2);
	scenario_golden(s, "blocked-then-reconciled");
	scenario_is_good(s);
}

/* --- others at work --- */

#define CREATING \
	"{'id': '" SENSOR( \
		"web1", "MDE.Windows") "', 'name': 'MDE.Windows'," \
				       " 'type': 'Microsoft.HybridCompute/machines/extensions', " \
				       "'location': 'westeurope'," \
				       " 'properties': {'publisher': " \
				       "'Microsoft.Azure.AzureDefenderForServers'," \
				       " 'type': 'MDE.Windows', 'provisioningState': '%s'," \
				       " 'settings': {'azureResourceId': '" MACHINE( \
					       "web1") "', 'vNextEnabled': false}}}"

static void another_deployer_is(struct scenario *s, const char *state)
{
	mdc_autofree char *document = xasprintf(CREATING, state);

	scenario_meddle(s, SENSOR("web1", "MDE.Windows"), NULL, document);
}

static void test_another_deployer_at_work_is_waited_for(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS UNREACHED)),
		.document = DEPLOYER_OFF});

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(2));
	another_deployer_is(s, "Creating");
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "web1", "mde-extension", "waiting", "other-deployer");
	scenario_run(s, DUR_MIN(40));
	scenario_item_is(s, "web1", "mde-extension", "waiting", "other-deployer");
	another_deployer_is(s, "Succeeded");
	scenario_settle(s, DUR_MIN(10));
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	assert_int_equal(scenario_writes(s, NULL), 0);
	scenario_is_good(s);
}

static void test_another_deployer_that_never_ends_is_reported(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS UNREACHED)),
		.document = DEPLOYER_OFF});

	(void)state;
	another_deployer_is(s, "Updating");
	scenario_begin(s);
	scenario_run(s, DUR_H(3));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "operation-overdue");
	scenario_run(s, DUR_DAYS(3));
	assert_int_equal(scenario_writes(s, NULL), 0);
	scenario_is_good(s);
}

static void test_another_client_that_creates_at_the_same_time_is_waited_for(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS UNREACHED)),
		.document = DEPLOYER_OFF});

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_MIN(178));
	/* Hidden until it is done: our own PUT runs into it. */
	assert_int_equal(
		scenario_other_put(s, SENSOR("web1", "MDE.Windows"), "2025-01-13", OTHER_SENSOR),
		202);
	scenario_run(s, DUR_MIN(5));
	scenario_settle(s, DUR_H(2));
	scenario_golden(s, "another-client");
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_is_good(s);
}

static void test_what_changed_since_it_was_observed_is_seen_before_writing(void **state)
{
	scenario_auto *s = quiet_estate(GOOD_SERVER, CONFIG_SLOW);

	(void)state;
	/* Resource Graph lags: what it shows as Free is on again when we read it. */
	scenario_faults(s, "[{'do': {'lag': '40m'}}]");
	scenario_trace_clear(s);
	set_free(s);
	scenario_run(s, DUR_MIN(61));
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Standard'");
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	assert_true(scenario_writes(s, NULL) <= 1);
	scenario_is_good(s);
}

static const char *plan_extension(struct scenario *s, const char *name, const char *path)
{
	const json_t *list = json_path(estate_peek(s->estate, PLAN_ID(1)), "properties.extensions");
	size_t i;
	json_t *x;

	json_array_foreach (list, i, x)
		if (str_equal(json_text(x, "name"), name))
			return json_path_text(x, path);
	fail_msg("the plan has no extension %s", name);
	return NULL;
}

static void test_plan_extensions_of_others_are_sent_back_as_they_were(void **state)
{
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1,
						   "'plan': {'tier': 'Standard', 'subPlan': 'P1', "
						   "'since': '-60d'}, " SETTINGS_ON,
						   GOOD_SERVER)});

	(void)state;
	scenario_begin(s);
	scenario_settle(s, DUR_MIN(30));
	scenario_meddle(s, PLAN_ID(1), "properties.extensions",
		"[{'name': 'AgentlessVmScanning', 'isEnabled': 'True',"
		"  'additionalExtensionProperties': {'ExclusionTags': 'a=b'}},"
		" {'name': 'FileIntegrityMonitoring', 'isEnabled': 'False'}]");
	scenario_meddle(s, PLAN_ID(1), "properties.subPlan", "'P1'");
	scenario_run(s, DUR_MIN(20));
	assert_string_equal(scenario_peek(s, PLAN_ID(1), "properties.subPlan"), "P2");
	assert_string_equal(plan_extension(s, "AgentlessVmScanning", "isEnabled"), "True");
	assert_string_equal(plan_extension(s, "AgentlessVmScanning",
				    "additionalExtensionProperties.ExclusionTags"),
		"a=b");
	assert_string_equal(plan_extension(s, "FileIntegrityMonitoring", "isEnabled"), "False");
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plan_that_is_set_back_is_corrected),
		cmocka_unit_test(test_settings_that_are_switched_off_are_corrected),
		cmocka_unit_test(test_a_setting_that_vanishes_is_set_again),
		cmocka_unit_test(
			test_an_extension_that_is_deleted_is_deployed_again_after_its_grace),
		cmocka_unit_test(test_what_is_undone_twice_is_not_corrected_a_third_time),
		cmocka_unit_test(test_an_operator_lifts_a_conflict),
		cmocka_unit_test(test_compliance_that_lasts_a_week_ends_the_quarrel),
		cmocka_unit_test(test_a_conflict_over_an_extension),
		cmocka_unit_test(test_each_class_of_handler_code),
		cmocka_unit_test(test_a_pending_restart_is_waited_for),
		cmocka_unit_test(test_an_operator_has_a_blocked_machine_tried_again),
		cmocka_unit_test(test_another_deployer_at_work_is_waited_for),
		cmocka_unit_test(test_another_deployer_that_never_ends_is_reported),
		cmocka_unit_test(test_another_client_that_creates_at_the_same_time_is_waited_for),
		cmocka_unit_test(test_what_changed_since_it_was_observed_is_seen_before_writing),
		cmocka_unit_test(test_plan_extensions_of_others_are_sent_back_as_they_were),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
