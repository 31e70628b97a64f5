/* SPDX-License-Identifier: Apache-2.0 */
/* Writes on their way: every form of operation, lost answers, operations that fail or never end. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ONE_MACHINE SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS UNREACHED))
#define NO_DEPLOYER "'behaviour': {'deployer': {'on': false}}"

/* --- forms of operations --- */

static const char *const forms[] = {
	"{'shape': 'async'}",
	"{'shape': 'location'}",
	"{'shape': 'body'}",
	"{'shape': 'bare'}",
	"{'shape': 'async', 'hideCreation': false}",
	"{'shape': 'location', 'hideCreation': false}",
	"{'shape': 'body', 'hideCreation': false}",
	"{'shape': 'bare', 'hideCreation': false}",
	"{'shape': 'location', 'movingLocation': true}",
	"{'shape': 'async', 'retryAfter': '15s'}",
	"{'shape': 'async', 'urlLife': '1s'}",
	"{'shape': 'location', 'urlLife': '1s'}",
	"{'shape': 'async', 'lost': 1}",
	"{'shape': 'location', 'lost': 1}",
	/* Longer than the watch goes on in silence. */
	"{'shape': 'async', 'create': '50m'}",
	"{'shape': 'location', 'create': '50m', 'movingLocation': true}",
	"{'shape': 'body', 'create': '50m'}",
	"{'shape': 'bare', 'create': '50m'}",
	"{'shape': 'async', 'create': '50m', 'lost': 1}",
	"{'shape': 'location', 'create': '50m', 'lost': 1}",
};

static struct scenario *with_operations(const char *operations, const char *machine)
{
	mdc_autofree char *document =
		xasprintf("'behaviour': {'deployer': {'on': false}, 'operations': %s}", operations);
	mdc_autofree char *subscriptions =
		xasprintf(SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS UNREACHED "%s")), machine);

	return scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = document, .config = CONFIG_PROMPT});
}

static void test_every_form_of_operation_is_followed_to_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		scenario_auto *s = with_operations(forms[i], "");

		print_message("# %s\n", forms[i]);
		scenario_begin(s);
		scenario_settle(s, DUR_MIN(90));
		scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
		scenario_writes_are(s, NULL, 1, 1);
		scenario_is_good(s);
		scenario_history_is_whole(s);
	}
}

static void test_every_form_tells_a_failure(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		scenario_auto *s = with_operations(forms[i], ", 'outcomes': ['13']");

		print_message("# %s\n", forms[i]);
		scenario_begin(s);
		scenario_settle(s, DUR_MIN(90));
		scenario_item_is(s, "web1", "mde-extension", "blocked", "handler-blocked");
		scenario_writes_are(s, NULL, 1, 1);
		scenario_is_good(s);
	}
}

/* --- lost answers --- */

struct lost_case {
	const char *what, *action;
	bool taken;
};

static const struct lost_case lost_cases[] = {
	{"reset after it took effect", "'delivery': 'reset', 'effect': 'taken'", true},
	{"no answer after it took effect", "'delivery': 'hang', 'effect': 'taken'", true},
	{"cut after it took effect", "'delivery': 'truncate', 'effect': 'taken'", true},
	{"500 after it took effect", "'status': 500, 'effect': 'taken'", true},
	{"502 after it took effect", "'content': 'html', 'effect': 'taken'", true},
	{"504 after it took effect", "'status': 504, 'effect': 'taken'", true},
	{"malformed answer after it took effect", "'content': 'malformed', 'effect': 'taken'",
		true},
	{"huge answer after it took effect", "'content': 'huge', 'effect': 'taken'", true},
	{"reset before it took effect", "'delivery': 'reset'", false},
	{"no answer and no effect", "'delivery': 'hang'", false},
	{"500 without effect", "'status': 500", false},
	{"502 without effect", "'content': 'html'", false},
	{"504 without effect", "'status': 504", false},
	{"503 without effect", "'status': 503", false},
	{"refused connection", "'delivery': 'refuse'", false},
};

static void lose_once(struct scenario *s, const char *path, const struct lost_case *c)
{
	mdc_autofree char *rules =
		xasprintf("[{'when': {'method': 'PUT', 'path': '%s', 'times': 1}, 'do': {%s}}]",
			path, c->action);

	print_message("# %s: %s\n", path, c->what);
	scenario_faults(s, rules);
}

/* Nothing is written twice that took effect once; what did not take effect is written again. */
static void check_lost(const char *subscription, const char *path, const struct lost_case *c)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscription, .document = NO_DEPLOYER, .config = CONFIG_PROMPT});

	lose_once(s, path, c);
	scenario_begin(s);
	scenario_settle(s, DUR_H(5));
	assert_int_equal(scenario_count(s, NULL, "compliant"), scenario_count(s, NULL, NULL));
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
	scenario_history_is_whole(s);
}

static void test_lost_answers_about_an_extension(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lost_cases); i++)
		check_lost(ONE_MACHINE, "/MDE.Windows$", &lost_cases[i]);
}

static void test_lost_answers_about_a_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lost_cases); i++)
		check_lost(SUBSCRIPTION(1, NO_PLAN SETTINGS_ON,
				   SERVER("web1", WINDOWS WITH_SENSOR("MDE.Windows"))),
			"/VirtualMachines$", &lost_cases[i]);
}

static void test_lost_answers_about_a_setting(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lost_cases); i++)
		check_lost(SUBSCRIPTION(1, PLAN_P2 SETTINGS_OFF,
				   SERVER("web1", WINDOWS WITH_SENSOR("MDE.Windows"))),
			"/WDATP$", &lost_cases[i]);
}

static void test_a_404_after_a_lost_put_leads_to_no_second_put(void **state)
{
	/* Hidden until it is done, for longer than anybody waits: rule 7. */
	scenario_auto *s = with_operations("{'create': '5h'}", "");

	(void)state;
	scenario_faults(s,
		"[{'when': {'method': 'PUT', 'times': 1},"
		"  'do': {'delivery': 'reset', 'effect': 'taken'}}]");
	scenario_begin(s);
	scenario_run(s, DUR_MIN(290));
	scenario_item_is(s, "web1", "mde-extension", "applying", "outcome-unknown");
	assert_true(transport_estate_count(s->world.transport, "GET", "/MDE.Windows") > 10);
	scenario_writes_are(s, NULL, 1, 1);
	scenario_settle(s, DUR_H(1));
	scenario_golden(s, "lost-put-hidden");
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

static void test_the_activity_log_tells_that_a_lost_put_never_arrived(void **state)
{
	scenario_auto *s = with_operations("{'create': '3m'}", "");

	(void)state;
	scenario_faults(
		s, "[{'when': {'method': 'PUT', 'times': 1}, 'do': {'delivery': 'reset'}}]");
	scenario_begin(s);
	scenario_settle(s, DUR_H(2));
	scenario_golden(s, "lost-put-never-arrived");
	scenario_writes_are(s, NULL, 2, 2);
	scenario_is_good(s);
}

static void test_without_the_activity_log_a_lost_put_is_held_until_its_deadline(void **state)
{
	scenario_auto *s = with_operations("{'create': '3m'}", "");

	(void)state;
	scenario_faults(s,
		"[{'when': {'method': 'PUT', 'times': 1}, 'do': {'delivery': 'reset'}},"
		" {'when': {'path': '/Microsoft.Insights/'}, 'do': {'status': 403,"
		"  'code': 'AuthorizationFailed'}}]");
	scenario_begin(s);
	scenario_run(s, DUR_MIN(60 * 7 - 5));
	scenario_item_is(s, "web1", "mde-extension", "applying", "outcome-unknown");
	scenario_writes_are(s, NULL, 1, 1);
	scenario_settle(s, DUR_H(3));
	scenario_writes_are(s, NULL, 2, 2);
	scenario_is_good(s);
}

static void test_an_empty_activity_log_is_not_believed_too_early(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){.subscriptions = ONE_MACHINE,
		.document = "'behaviour': {'deployer': {'on': false},"
			    " 'activity': {'delay': '20m'}, 'operations': {'create': '40m'}}",
		.config = CONFIG_PROMPT});

	(void)state;
	scenario_faults(s,
		"[{'when': {'method': 'PUT', 'times': 1},"
		"  'do': {'delivery': 'reset', 'effect': 'taken'}}]");
	scenario_begin(s);
	scenario_settle(s, DUR_H(2));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

/* --- operations that never end --- */

static void test_an_operation_that_never_ends_is_reported_and_not_repeated(void **state)
{
	scenario_auto *s = with_operations("{'shape': 'async'}", ", 'stuck': true");

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(6));
	scenario_item_is(s, "web1", "mde-extension", "applying", "running");
	scenario_run(s, DUR_DAYS(2));
	scenario_item_is(s, "web1", "mde-extension", "applying", "operation-overdue");
	scenario_writes_are(s, NULL, 1, 1);
	scenario_golden(s, "operation-never-ends");
	/* It takes nobody's turn. */
	assert_int_equal(executor_running(s->daemon->executor), 0);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
}

static void test_a_machine_that_goes_away_during_its_operation(void **state)
{
	scenario_auto *s = with_operations("{'create': '10m'}",
		", 'timeline': [{'after': '1m', 'status': 'Disconnected'},"
		" {'after': '2h', 'status': 'Connected'}]");

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "web1", "mde-extension", "applying", NULL);
	scenario_settle(s, DUR_H(2));
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

static void test_a_machine_that_stays_away_longer_than_azure_keeps_its_operation(void **state)
{
	scenario_auto *s = with_operations("{'create': '10m'}",
		", 'timeline': [{'after': '1m', 'status': 'Disconnected'},"
		" {'after': '20h', 'status': 'Connected'}]");

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(19));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_item_is(s, "web1", "mde-extension", "unreachable", "disconnected");
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(6));
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_writes_are(s, NULL, 2, 2);
	scenario_is_good(s);
}

static void test_a_machine_that_is_removed_during_its_operation(void **state)
{
	/* With another one: a list that is empty all at once is not believed. */
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON,
			SERVER("web1", WINDOWS UNREACHED) "," SERVER(
				"web2", WINDOWS UNREACHED WITH_SENSOR("MDE.Windows"))),
		.document = "'behaviour': {'deployer': {'on': false},"
			    " 'operations': {'create': '10m'}}",
		.config = CONFIG_PROMPT});

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_MIN(2));
	scenario_item_is(s, "web1", "mde-extension", "applying", NULL);
	scenario_meddle(s, MACHINE("web1"), NULL, NULL);
	scenario_run(s, DUR_H(1));
	assert_null(scenario_item(s, "web1", "mde-extension"));
	assert_int_equal(executor_running(s->daemon->executor), 0);
	scenario_run(s, DUR_H(12));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_one_operation_at_a_time_runs_on_a_machine(void **state)
{
	/* Its extension is written anew as soon as it is there: not before the first one ended. */
	scenario_auto *s = with_operations("{'create': '20m'}", ", 'outcomes': ['21', '0']");

	(void)state;
	scenario_begin(s);
	for (unsigned i = 0; i < 12; i++) {
		scenario_command(s, "reconcile", "{'target': 'web1'}");
		scenario_run(s, DUR_MIN(4));
	}
	scenario_settle(s, DUR_H(2));
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form_of_operation_is_followed_to_its_end),
		cmocka_unit_test(test_every_form_tells_a_failure),
		cmocka_unit_test(test_lost_answers_about_an_extension),
		cmocka_unit_test(test_lost_answers_about_a_plan),
		cmocka_unit_test(test_lost_answers_about_a_setting),
		cmocka_unit_test(test_a_404_after_a_lost_put_leads_to_no_second_put),
		cmocka_unit_test(test_the_activity_log_tells_that_a_lost_put_never_arrived),
		cmocka_unit_test(
			test_without_the_activity_log_a_lost_put_is_held_until_its_deadline),
		cmocka_unit_test(test_an_empty_activity_log_is_not_believed_too_early),
		cmocka_unit_test(test_an_operation_that_never_ends_is_reported_and_not_repeated),
		cmocka_unit_test(test_a_machine_that_goes_away_during_its_operation),
		cmocka_unit_test(
			test_a_machine_that_stays_away_longer_than_azure_keeps_its_operation),
		cmocka_unit_test(test_a_machine_that_is_removed_during_its_operation),
		cmocka_unit_test(test_one_operation_at_a_time_runs_on_a_machine),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
