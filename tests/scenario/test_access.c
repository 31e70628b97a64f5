/* SPDX-License-Identifier: Apache-2.0 */
/* Rights that are missing or lost, locks, policies, subscriptions and machines that come and go. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define ROLES(roles) \
	"'principals': [{'tenant': '" TENANT "', 'client': '" CLIENT "', 'secret': '" SECRET \
	"', 'roles': [" roles "]}], " DEPLOYER_OFF
#define TWO_SUBSCRIPTIONS \
	SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS UNREACHED)) \
	"," SUBSCRIPTION(2, ALL_ON, SERVER("web2", WINDOWS UNREACHED))

static struct scenario *begin_with(
	const char *subscriptions, const char *document, const char *config)
{
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = document, .config = config});

	scenario_begin(s);
	return s;
}

/* --- rights --- */

static void test_a_reader_is_told_which_right_is_missing(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, NO_PLAN SETTINGS_ON, SERVER("web1", WINDOWS UNREACHED)),
			ROLES("{'scope': '/', 'role': 'Reader'}"), CONFIG_PROMPT);

	(void)state;
	scenario_run(s, DUR_MIN(30));
	scenario_item_is(s, "sub1", "servers-plan", "blocked", "denied");
	assert_non_null(strstr(scenario_item(s, "sub1", "servers-plan")->detail,
		"Microsoft.Security/pricings/write"));
	scenario_run(s, DUR_DAYS(1));
	/* Tested again now and then, not all the time. */
	scenario_writes_are(s, "/VirtualMachines", 1, 12);
	scenario_writes_are(s, "/MDE.Windows", 0, 0);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
}

static void test_rights_that_are_given_later_are_used(void **state)
{
	scenario_auto *s = begin_with(TWO_SUBSCRIPTIONS, DEPLOYER_OFF, CONFIG_PROMPT);

	(void)state;
	scenario_faults(s,
		"[{'when': {'method': 'PUT', 'until': '3h'}, 'do': {'status': 403,"
		" 'code': 'AuthorizationFailed',"
		" 'message': 'The client does not have authorization to perform the action'}}]");
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "denied");
	scenario_run(s, DUR_H(2));
	scenario_command(s, "reconcile", "{'target': 'web1'}");
	scenario_command(s, "reconcile", "{'target': 'web2'}");
	scenario_settle(s, DUR_H(6));
	assert_int_equal(scenario_protected(s), 2);
	scenario_is_good(s);
	scenario_golden(s, "right-given-later");
}

static void test_rights_on_one_of_two_subscriptions(void **state)
{
	scenario_auto *s = begin_with(TWO_SUBSCRIPTIONS,
		ROLES("{'scope': '/', 'role': 'Reader'}, {'scope': '" SUB_ID(
			1) "', 'role': 'Owner'}"),
		CONFIG_PROMPT);

	(void)state;
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_item_is(s, "web2", "mde-extension", "blocked", "denied");
	scenario_is_good(s);
}

static void test_a_subscription_that_is_written_down_and_not_visible_is_told(void **state)
{
	scenario_auto *s = begin_with(TWO_SUBSCRIPTIONS,
		ROLES("{'scope': '" SUB_ID(1) "', 'role': 'Owner'}"),
		CONFIG_POLL CONFIG_POLICY_PROMPT CONFIG_SCOPE(
			"subscriptions = { \"" SUB(1) "\", \"" SUB(2) "\" }  mode = enforce"));

	(void)state;
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_item_is(s, SUB(2), "servers-plan", "unknown", "subscription-gone");
	assert_null(scenario_item(s, "web2", "mde-extension"));
	scenario_is_good(s);
}

/* --- subscriptions --- */

/* As ARM answers when the role assignments on the second one are gone. */
#define WITHOUT_SECOND(from, to) \
	"[{'when': {'path': '^/subscriptions$', 'after': '" from "', 'until': '" to "'}," \
	"  'do': {'status': 200, 'body': '{\\u0022value\\u0022:[{\\u0022id\\u0022:" \
	"\\u0022" SUB_ID(1) "\\u0022,\\u0022subscriptionId\\u0022:\\u0022" SUB( \
		1) "\\u0022,\\u0022tenantId\\u0022:\\u0022" TENANT \
		   "\\u0022,\\u0022displayName\\u0022:\\u0022sub1\\u0022,\\u0022state\\u0022:" \
		   "\\u0022Enabled\\u0022}]}'}}," \
		   " {'when': {'path': '^" SUB_ID( \
			   2) "', 'after': '" from "', 'until': '" to \
			      "'}, 'do': {'status': 404, 'code': 'SubscriptionNotFound'}}]"

static void test_a_subscription_that_vanishes_and_comes_back(void **state)
{
	scenario_auto *s = begin_with(TWO_SUBSCRIPTIONS, DEPLOYER_OFF, CONFIG_PROMPT);
	size_t machines;

	(void)state;
	scenario_settle(s, DUR_H(1));
	machines = map_count(&s->daemon->inventory->machines);
	scenario_trace_clear(s);
	scenario_faults(s, WITHOUT_SECOND("2h", "10h"));
	scenario_run(s, DUR_H(4));
	scenario_item_is(s, "sub2", "servers-plan", "unknown", "subscription-gone");
	scenario_item_is(s, "web2", "mde-extension", "unknown", "subscription-gone");
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	assert_int_equal(map_count(&s->daemon->inventory->machines), machines);
	/* Meanwhile someone undoes what nobody can see. */
	scenario_meddle(s, PLAN_ID(2), "properties.pricingTier", "'Free'");
	scenario_run(s, DUR_H(4));
	scenario_writes_are(s, PLAN_ID(2), 0, 0);
	scenario_run(s, DUR_H(2));
	scenario_settle(s, DUR_H(1));
	scenario_golden(s, "subscription-vanishes");
	scenario_writes_are(s, PLAN_ID(2), 1, 1);
	scenario_writes_are(s, NULL, 3, 3);
	scenario_is_good(s);
}

static void test_a_disabled_subscription_is_only_read(void **state)
{
	static const char *const states[] = {"Disabled", "Warned", "PastDue", "Deleted"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		mdc_autofree char *subscriptions =
			xasprintf(SUBSCRIPTION(1, "'state': '%s', " NO_PLAN SETTINGS_OFF,
					  SERVER("web1", WINDOWS UNREACHED)),
				states[i]);
		scenario_auto *s = begin_with(subscriptions, DEPLOYER_OFF, CONFIG_PROMPT);

		print_message("# %s\n", states[i]);
		scenario_run(s, DUR_DAYS(1));
		scenario_item_is(s, "sub1", "servers-plan", "blocked", "subscription-disabled");
		scenario_item_is(s, "web1", "arc-connected", "compliant", NULL);
		scenario_writes_are(s, NULL, 0, 0);
		scenario_meddle(s, SUB_ID(1), "state", "'Enabled'");
		scenario_run(s, DUR_MIN(16));
		scenario_settle(s, DUR_H(1));
		assert_int_equal(scenario_protected(s), 1);
		scenario_is_good(s);
	}
}

static void test_a_subscription_that_is_disabled_during_the_migration(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, ALL_ON,
			SERVER("web1", WINDOWS UNREACHED) "," SERVER("web2", WINDOWS UNREACHED)),
		DEPLOYER_OFF,
		CONFIG_POLL CONFIG_POLICY_PROMPT CONFIG_SCOPE(
			"subscriptions = { \"*\" }  mode = enforce  max-in-flight = 1"));

	(void)state;
	/* One is on its way; for the other it is known only from the refusal. */
	scenario_run(s, DUR_S(2));
	scenario_meddle(s, SUB_ID(1), "state", "'Disabled'");
	scenario_run(s, DUR_H(1));
	assert_int_equal(scenario_count(s, "mde-extension", "compliant"), 1);
	assert_int_equal(scenario_count(s, "mde-extension", "blocked"), 1);
	scenario_writes_are(s, "/MDE.Windows", 1, 2);
	scenario_meddle(s, SUB_ID(1), "state", "'Enabled'");
	scenario_run(s, DUR_H(26));
	scenario_settle(s, DUR_H(1));
	assert_int_equal(scenario_protected(s), 2);
	scenario_is_good(s);
}

static void test_a_provider_that_is_not_registered_is_named(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, "'providers': ['Microsoft.HybridCompute'], " NO_PLAN,
				   SERVER("web1", WINDOWS UNREACHED)),
			DEPLOYER_OFF, CONFIG_PROMPT);

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	assert_int_equal(scenario_count(s, "servers-plan", "compliant"), 0);
	scenario_writes_are(s, NULL, 0, 40);
	scenario_writes_are(s, "/MDE.Windows", 0, 0);
	scenario_nothing_is_stuck(s);
	scenario_is_good(s);
	/* Someone registers it. */
	scenario_meddle(s, SUB_ID(1) "/providers/Microsoft.Security", NULL,
		"{'id': '" SUB_ID(1) "/providers/Microsoft.Security',"
				     " 'namespace': 'Microsoft.Security',"
				     " 'registrationState': 'Registered'}");
	scenario_command(s, "reconcile", NULL);
	scenario_run(s, DUR_MIN(20));
	scenario_settle(s, DUR_H(26));
	assert_int_equal(scenario_protected(s), 1);
	scenario_is_good(s);
}

/* --- locks and policies --- */

static void test_a_lock_is_named_and_not_run_against(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, ALL_ON "'locks': [{'name': 'freeze', 'level': 'ReadOnly'}], ",
			SERVER("web1", WINDOWS UNREACHED)),
		DEPLOYER_OFF, CONFIG_PROMPT);

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "locked");
	scenario_writes_are(s, NULL, 1, 12);
	scenario_meddle(s, SUB_ID(1) "/providers/Microsoft.Authorization/locks/freeze", NULL, NULL);
	scenario_command(s, "reconcile", "{'target': 'web1'}");
	scenario_settle(s, DUR_H(1));
	assert_int_equal(scenario_protected(s), 1);
	scenario_is_good(s);
}

static void test_a_policy_that_denies_is_named_and_not_run_against(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			ALL_ON "'policies': [{'name': 'no-extensions',"
			       " 'deny': 'Microsoft.HybridCompute/machines/extensions'}], ",
			SERVER("web1", WINDOWS UNREACHED)),
		DEPLOYER_OFF, CONFIG_PROMPT);

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "policy-denies");
	assert_non_null(strstr(scenario_item(s, "web1", "mde-extension")->detail, "no-extensions"));
	scenario_writes_are(s, NULL, 1, 3);
	scenario_is_good(s);
}

/* --- machines --- */

static struct scenario *fleet(unsigned machines, const char *config)
{
	struct buf text = BUF_INIT(1 << 20);
	mdc_autofree char *subscriptions = NULL;

	for (unsigned i = 0; i < machines; i++)
		buf_addf(&text, "%s" SERVER("m%02u", WINDOWS UNREACHED WITH_SENSOR("MDE.Windows")),
			i > 0 ? "," : "", i);
	subscriptions = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), buf_str(&text));
	buf_fini(&text);
	return begin_with(subscriptions, DEPLOYER_OFF, config);
}

static void remove_machines(struct scenario *s, unsigned from, unsigned to)
{
	for (; from < to; from++) {
		mdc_autofree char *id = xasprintf(MACHINE("m%02u"), from);

		scenario_meddle(s, id, NULL, NULL);
	}
}

static void test_a_machine_that_is_removed_is_forgotten(void **state)
{
	scenario_auto *s = fleet(3, CONFIG_PROMPT);

	(void)state;
	scenario_settle(s, DUR_MIN(10));
	remove_machines(s, 1, 2);
	scenario_run(s, DUR_MIN(6));
	assert_null(scenario_item(s, "m01", "mde-extension"));
	assert_int_equal(map_count(&s->daemon->inventory->machines), 2);
	/* Also after a restart. */
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
	scenario_run(s, DUR_MIN(6));
	assert_null(scenario_item(s, "m01", "mde-extension"));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_history_is_whole(s);
}

static void test_a_machine_that_is_made_again_starts_anew(void **state)
{
	scenario_auto *s = fleet(2, CONFIG_ENFORCE);

	(void)state;
	scenario_settle(s, DUR_MIN(10));
	remove_machines(s, 1, 2);
	scenario_run(s, DUR_MIN(20));
	scenario_meddle(s, MACHINE("m01"), NULL,
		"{'id': '" MACHINE(
			"m01") "', 'name': 'm01', 'type': 'Microsoft.HybridCompute/machines',"
			       " 'location': 'westeurope', 'properties': {'status': 'Connected',"
			       " 'lastStatusChange': '2026-11-24T14:20:00Z', 'osName': 'windows',"
			       " 'osType': 'windows', 'osSku': 'Windows Server 2022 Datacenter',"
			       " 'provisioningState': 'Succeeded'}}");
	scenario_run(s, DUR_MIN(20));
	scenario_item_is(s, "m01", "mde-extension", "waiting", "grace");
	scenario_settle(s, DUR_H(4));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

static void test_half_of_the_machines_gone_at_once_is_believed_after_a_day(void **state)
{
	scenario_auto *s = fleet(20, CONFIG_PROMPT);

	(void)state;
	scenario_settle(s, DUR_MIN(10));
	remove_machines(s, 0, 10);
	scenario_run(s, DUR_H(23));
	assert_int_equal(map_count(&s->daemon->inventory->machines), 20);
	assert_true(s->daemon->last_pass[PASS_MACHINES].problems > 0);
	scenario_run(s, DUR_H(2));
	assert_int_equal(map_count(&s->daemon->inventory->machines), 10);
	assert_int_equal(s->daemon->last_pass[PASS_MACHINES].problems, 0);
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_machines_that_were_only_hidden_are_not_written_to(void **state)
{
	scenario_auto *s = fleet(20, CONFIG_PROMPT);

	(void)state;
	scenario_settle(s, DUR_MIN(10));
	scenario_trace_clear(s);
	/* Half of the rows are not there for some hours, as when a replica lags. */
	scenario_faults(s,
		"[{'when': {'path': 'ResourceGraph', 'after': '1h', 'until': '6h'},"
		"  'do': {'status': 403, 'code': 'AuthorizationFailed'}},"
		" {'when': {'path': '/Microsoft.HybridCompute/machines$', 'after': '1h',"
		"  'until': '6h'}, 'do': {'list': 'partial'}}]");
	scenario_run(s, DUR_H(8));
	assert_int_equal(scenario_traced(s, "->"), 0);
	assert_int_equal(map_count(&s->daemon->inventory->machines), 20);
	scenario_writes_are(s, NULL, 0, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_reader_is_told_which_right_is_missing),
		cmocka_unit_test(test_rights_that_are_given_later_are_used),
		cmocka_unit_test(test_rights_on_one_of_two_subscriptions),
		cmocka_unit_test(test_a_subscription_that_is_written_down_and_not_visible_is_told),
		cmocka_unit_test(test_a_subscription_that_vanishes_and_comes_back),
		cmocka_unit_test(test_a_disabled_subscription_is_only_read),
		cmocka_unit_test(test_a_subscription_that_is_disabled_during_the_migration),
		cmocka_unit_test(test_a_provider_that_is_not_registered_is_named),
		cmocka_unit_test(test_a_lock_is_named_and_not_run_against),
		cmocka_unit_test(test_a_policy_that_denies_is_named_and_not_run_against),
		cmocka_unit_test(test_a_machine_that_is_removed_is_forgotten),
		cmocka_unit_test(test_a_machine_that_is_made_again_starts_anew),
		cmocka_unit_test(test_half_of_the_machines_gone_at_once_is_believed_after_a_day),
		cmocka_unit_test(test_machines_that_were_only_hidden_are_not_written_to),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
