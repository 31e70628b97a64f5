/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are cut, empty, endless, foreign or wrong: nothing is concluded from them. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MACHINES 12
#define NO_GRAPH \
	"{'when': {'path': '/Microsoft.ResourceGraph/'}, 'do': {'status': 403," \
	" 'code': 'AuthorizationFailed', 'message': 'no'}}"

/* All of them have the sensor, and Defender for Cloud would not bring it back. */
static char *quiet_machines(void)
{
	struct buf text = BUF_INIT(1 << 20);

	for (unsigned i = 0; i < MACHINES; i++)
		buf_addf(&text, "%s" SERVER("m%02u", WINDOWS UNREACHED WITH_SENSOR("MDE.Windows")),
			i > 0 ? "," : "", i);
	return buf_steal(&text);
}

static struct scenario *quiet_estate(const char *behaviour)
{
	mdc_autofree char *machines = quiet_machines();
	mdc_autofree char *subscriptions = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), machines);
	mdc_autofree char *document =
		xasprintf("'behaviour': {'deployer': {'on': false}%s}", behaviour);

	return scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = document, .config = CONFIG_PROMPT});
}

static void nothing_was_concluded(struct scenario *s)
{
	assert_int_equal(map_count(&s->daemon->inventory->machines), MACHINES);
	assert_int_equal(scenario_count(s, "mde-extension", "compliant"), MACHINES);
	assert_int_equal(scenario_count(s, "arc-connected", "compliant"), MACHINES);
	assert_int_equal(scenario_count(s, "servers-plan", "compliant"), 1);
	assert_int_equal(scenario_count(s, "mde-integration", "compliant"), 1);
	scenario_writes_are(s, NULL, 0, 0);
	assert_int_equal(scenario_traced(s, "->"), 0);
	scenario_is_good(s);
}

/* `problem`: the passes have to say that something is missing. */
static void check(const char *behaviour, const char *rules, bool problem)
{
	scenario_auto *s = quiet_estate(behaviour);

	print_message("# %s %s\n", behaviour, rules);
	scenario_begin(s);
	scenario_settle(s, DUR_MIN(10));
	scenario_faults(s, rules);
	scenario_run(s, DUR_MIN(100));
	if (problem && scenario_traced(s, "incomplete") == 0)
		fail_msg("the passes say nothing");
	nothing_was_concluded(s);
	scenario_faults(s, NULL);
	scenario_run(s, DUR_MIN(61));
	nothing_was_concluded(s);
	assert_int_equal(s->daemon->last_pass[PASS_MACHINES].problems, 0);
}

/* --- Resource Graph --- */

#define GRAPH "'when': {'path': '/Microsoft.ResourceGraph/'}"
#define EMPTY_ANSWER \
	"{\\u0022totalRecords\\u0022:0,\\u0022count\\u0022:0,\\u0022data\\u0022:[]," \
	"\\u0022facets\\u0022:[],\\u0022resultTruncated\\u0022:\\u0022false\\u0022}"
#define CUT_ANSWER \
	"{\\u0022totalRecords\\u0022:12,\\u0022count\\u0022:0,\\u0022data\\u0022:[]," \
	"\\u0022facets\\u0022:[],\\u0022resultTruncated\\u0022:\\u0022true\\u0022}"

static void test_answers_of_graph_that_are_no_answers(void **state)
{
	static const char *const troubles[] = {
		"'content': 'html'",
		"'content': 'malformed'",
		"'content': 'huge'",
		"'delivery': 'truncate'",
		"'delivery': 'reset'",
		"'delivery': 'hang'",
		"'delivery': 'refuse'",
		"'status': 500",
		"'status': 503",
		"'status': 504",
		"'status': 429, 'retryAfter': '60s'",
		"'status': 200, 'body': '" CUT_ANSWER "'",
		"'status': 200, 'body': '{}'",
		"'status': 200, 'body': '[]'",
		"'status': 200, 'body': 'null'",
		"'status': 204",
		"'status': 302, 'headers': {'Location': 'https://elsewhere.test/'}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(troubles); i++) {
		mdc_autofree char *rules = xasprintf("[{" GRAPH ", 'do': {%s}}]", troubles[i]);

		check("", rules, true);
	}
}

static void test_graph_that_answers_with_nothing_at_all(void **state)
{
	/* Complete, as it looks, and empty: a sudden drop is no truth. */
	(void)state;
	check("", "[{" GRAPH ", 'do': {'status': 200, 'body': '" EMPTY_ANSWER "'}}]", true);
}

static void test_graph_that_fails_now_and_then(void **state)
{
	(void)state;
	/* What is asked once more at once, or in the next pass, need not be told. */
	check("", "[{'when': {'path': 'ResourceGraph', 'every': 2}, 'do': {'status': 500}}]",
		false);
	check("", "[{'when': {'path': 'ResourceGraph', 'every': 3}, 'do': {'delivery': 'reset'}}]",
		false);
	check("",
		"[{'when': {'path': 'ResourceGraph', 'every': 5}, 'do': {'content': 'malformed'}}]",
		false);
}

static void test_graph_that_refuses_large_answers(void **state)
{
	scenario_auto *s = quiet_estate(", 'graph': {'payloadLimit': 2000}");
	size_t seen;

	(void)state;
	scenario_start(s);
	scenario_run(s, DUR_H(2));
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_H(2));
	/* Either it finds another way, or it says that it sees nothing. */
	seen = map_count(&s->daemon->inventory->machines);
	assert_true(seen == MACHINES || (seen == 0 && scenario_traced(s, "incomplete") > 0));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

/* --- lists of ARM --- */

static const char *const lists[] = {
	"/providers/Microsoft.HybridCompute/machines$",
	"/extensions$",
	"/settings$",
	"^/subscriptions$",
};

static void check_lists(const char *trouble, size_t first)
{
	for (size_t i = first; i < ARRAY_LEN(lists); i++) {
		mdc_autofree char *rules = xasprintf("[{'when': {'method': 'GET', 'path': '%s'},"
						     " 'do': {%s}}, " NO_GRAPH "]",
			lists[i], trouble);

		check(", 'paging': {'machines': 5}", rules, true);
	}
}

static void test_lists_that_are_no_lists(void **state)
{
	static const char *const troubles[] = {
		"'content': 'html'",
		"'content': 'malformed'",
		"'content': 'huge'",
		"'delivery': 'truncate'",
		"'delivery': 'reset'",
		"'delivery': 'hang'",
		"'status': 500",
		"'status': 403, 'code': 'AuthorizationFailed'",
		"'status': 200, 'body': '{}'",
		"'status': 200, 'body': '[]'",
		"'status': 200, 'body': '{\\u0022value\\u0022:{}}'",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(troubles); i++)
		check_lists(troubles[i], 0);
}

static void test_lists_without_end(void **state)
{
	(void)state;
	check_lists("'list': 'endless'", 0);
	check_lists("'list': 'empty'", 0);
}

static void test_lists_that_go_on_at_another_host(void **state)
{
	(void)state;
	check_lists("'list': 'foreign'", 0);
}

static void test_half_of_the_machines(void **state)
{
	(void)state;
	check(", 'paging': {'machines': 100}",
		"[{'when': {'method': 'GET', 'path': '/Microsoft.HybridCompute/machines$'},"
		" 'do': {'list': 'partial'}}, " NO_GRAPH "]",
		true);
}

static void test_empty_pages_in_between_are_legal(void **state)
{
	(void)state;
	check(", 'paging': {'machines': 2, 'extensions': 1, 'others': 1, 'emptyEvery': 2}",
		"[" NO_GRAPH "]", false);
}

/* --- Graph is refused, and lags --- */

#define MIGRATED_LATER \
	SERVER("web1", WINDOWS UNREACHED) \
	"," SERVER("lin1", LINUX UNREACHED) "," SERVER("old1", \
		WINDOWS_2016 UNREACHED ", 'extensions': [{'type': 'MicrosoftMonitoringAgent'," \
				       " 'name': 'MMAExtension'}]")

static char *migrate(const char *rules, const char *lag)
{
	mdc_autofree char *document = xasprintf("'behaviour': {'deployer': {'on': false},"
						" 'graph': {'lag': '%s'}}",
		lag);
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, MIGRATED_LATER),
		.document = document,
		.config = CONFIG_PROMPT});

	scenario_faults(s, rules);
	scenario_begin(s);
	scenario_settle(s, DUR_H(2));
	scenario_run(s, DUR_H(1));
	/* Once for everything: the plan, two settings, three machines. */
	scenario_writes_are(s, NULL, 6, 6);
	assert_int_equal(scenario_protected(s), 3);
	scenario_is_good(s);
	return scenario_states(s);
}

static void test_graph_that_is_refused_changes_nothing_but_the_way(void **state)
{
	mdc_autofree char *with = migrate(NULL, "0s");
	mdc_autofree char *without = migrate("[" NO_GRAPH "]", "0s");

	(void)state;
	assert_string_equal(with, without);
}

static void test_graph_that_lags_for_five_minutes_costs_no_write(void **state)
{
	static const char *const lags[] = {"30s", "119s", "2m", "3m", "5m"};
	mdc_autofree char *expected = migrate(NULL, "0s");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lags); i++) {
		mdc_autofree char *states = NULL;

		print_message("# lag %s\n", lags[i]);
		states = migrate(NULL, lags[i]);
		assert_string_equal(states, expected);
	}
}

static void test_graph_is_asked_again_after_an_hour(void **state)
{
	scenario_auto *s = quiet_estate("");
	uint64_t graph;

	(void)state;
	scenario_faults(s, "[" NO_GRAPH "]");
	scenario_begin(s);
	scenario_settle(s, DUR_MIN(10));
	assert_true(json_is_true(
		json_object_get(scenario_command(s, "status", NULL), "graph_refused")));
	graph = transport_estate_count(s->world.transport, "POST", "ResourceGraph");
	scenario_run(s, DUR_MIN(45));
	assert_int_equal(
		transport_estate_count(s->world.transport, "POST", "ResourceGraph"), graph);
	scenario_faults(s, NULL);
	scenario_run(s, DUR_MIN(30));
	assert_true(transport_estate_count(s->world.transport, "POST", "ResourceGraph") > graph);
	assert_false(json_is_true(
		json_object_get(scenario_command(s, "status", NULL), "graph_refused")));
	nothing_was_concluded(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_of_graph_that_are_no_answers),
		cmocka_unit_test(test_graph_that_answers_with_nothing_at_all),
		cmocka_unit_test(test_graph_that_fails_now_and_then),
		cmocka_unit_test(test_graph_that_refuses_large_answers),
		cmocka_unit_test(test_lists_that_are_no_lists),
		cmocka_unit_test(test_lists_without_end),
		cmocka_unit_test(test_lists_that_go_on_at_another_host),
		cmocka_unit_test(test_half_of_the_machines),
		cmocka_unit_test(test_empty_pages_in_between_are_legal),
		cmocka_unit_test(test_graph_that_is_refused_changes_nothing_but_the_way),
		cmocka_unit_test(test_graph_that_lags_for_five_minutes_costs_no_write),
		cmocka_unit_test(test_graph_is_asked_again_after_an_hour),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
