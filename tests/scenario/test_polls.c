/* SPDX-License-Identifier: Apache-2.0 */
/* What status URLs of operations answer: trouble, other places, other times, no end. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define POLL_PATH "/locations/westeurope/operation(status|results)/"

static struct scenario *with_operations(const char *operations, const char *machine)
{
	mdc_autofree char *document =
		xasprintf("'behaviour': {'deployer': {'on': false}, 'operations': %s}", operations);
	mdc_autofree char *subscriptions =
		xasprintf(SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS UNREACHED "%s")), machine);

	return scenario_new(&(struct scenario_options){.subscriptions = subscriptions,
		.document = document,
		.config = CONFIG_PROMPT_SLOW});
}

static uint64_t polls(const struct scenario *s)
{
	const struct transport *t = s->world.transport;

	return transport_estate_count(t, "GET", "/operationstatus/") +
		transport_estate_count(t, "GET", "/operationresults/");
}

/* --- trouble --- */

/* The first ones of status documents alone: from a Location they would be the operation's end. */
#define OF_STATUS_URLS 3
static const char *const answers[] = {
	"'status': 200, 'body': '{\\u0022status\\u0022:\\u0022Verifying\\u0022}'",
	"'status': 200, 'body': '{\\u0022status\\u0022:17}'",
	"'status': 400, 'code': 'BadRequest'",
	"'status': 500",
	"'status': 502",
	"'status': 503, 'retryAfter': '2m'",
	"'retryAfter': '5m'",
	"'status': 401, 'code': 'InvalidAuthenticationToken'",
	"'status': 403, 'code': 'AuthorizationFailed'",
	"'status': 404, 'code': 'NotFound'",
	"'status': 410, 'code': 'Gone'",
	"'content': 'html'",
	"'content': 'malformed'",
	"'content': 'huge'",
	"'delivery': 'hang'",
	"'delivery': 'reset'",
	"'delivery': 'truncate'",
	"'status': 202, 'headers': {'Location': 'https://management.foreign.test/stolen'}",
	"'status': 202, 'headers': {'Azure-AsyncOperation': 'https://foreign.test/stolen'}",
	"'status': 302, 'headers': {'Location': 'https://management.foreign.test/stolen'}",
};

/* It lasts longer than they do, and is followed to its end: nothing is written a second time. */
static void check_answer(const char *shape, const char *answer, const char *code)
{
	mdc_autofree char *operations = xasprintf("{'shape': '%s', 'create': '50m'}", shape);
	mdc_autofree char *outcome = xasprintf(", 'outcomes': ['%s']", code);
	mdc_autofree char *rules = xasprintf(
		"[{'when': {'path': '" POLL_PATH "', 'until': '45m'}, 'do': {%s}}]", answer);
	bool succeeds = str_equal(code, "0");
	scenario_auto *s = with_operations(operations, outcome);

	print_message("# %s, code %s: %s\n", shape, code, answer);
	scenario_faults(s, rules);
	scenario_begin(s);
	scenario_run(s, DUR_MIN(45));
	scenario_item_is(s, "web1", "mde-extension", "applying", NULL);
	assert_true(polls(s) > 0);
	scenario_settle(s, DUR_MIN(45));
	if (succeeds)
		scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	else
		scenario_item_is(s, "web1", "mde-extension", "blocked", "handler-blocked");
	scenario_writes_are(s, NULL, 1, 1);
	assert_int_equal(transport_estate_count(s->world.transport, NULL, "foreign.test"), 0);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_a_status_that_cannot_be_read_says_nothing_of_the_operation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		check_answer("async", answers[i], i % 2 == 0 ? "0" : "13");
		if (i >= OF_STATUS_URLS)
			check_answer("location", answers[i], i % 2 == 0 ? "13" : "0");
	}
}

/* --- other times --- */

#define STILL_RUNNING(after, times) \
	"{'when': {'path': '" POLL_PATH "', 'times': " #times \
	"}, 'do': {'status': 200, 'headers': {'Retry-After': '" after "'}," \
	" 'body': '{\\u0022status\\u0022:\\u0022InProgress\\u0022}'}}"

static void test_each_answer_says_when_to_ask_again(void **state)
{
	scenario_auto *s = with_operations("{'shape': 'async', 'create': '59m'}", "");

	(void)state;
	scenario_faults(s,
		"[" STILL_RUNNING("600", 1) ", " STILL_RUNNING("240", 1) ", " STILL_RUNNING(
			"1", 3) "]");
	scenario_begin(s);
	/* What ends soon is seen in bulk. */
	scenario_run(s, DUR_MIN(9));
	assert_int_equal(polls(s), 0);
	scenario_run(s, DUR_MIN(2));
	assert_int_equal(polls(s), 1);
	scenario_run(s, DUR_MIN(8));
	assert_int_equal(polls(s), 1);
	scenario_run(s, DUR_MIN(2));
	assert_int_equal(polls(s), 2);
	scenario_run(s, DUR_MIN(2));
	assert_int_equal(polls(s), 2);
	scenario_run(s, DUR_MIN(2));
	assert_int_equal(polls(s), 3);
	/* Never all the time, even if it is told to. */
	scenario_run(s, DUR_MIN(10));
	assert_in_range(polls(s), 5, 13);
	scenario_settle(s, DUR_H(1));
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

static void test_a_location_that_moves_is_followed_and_the_old_one_forgotten(void **state)
{
	scenario_auto *s =
		with_operations("{'shape': 'location', 'movingLocation': true, 'retryAfter': '90s',"
				" 'create': '40m'}",
			"");

	(void)state;
	scenario_begin(s);
	scenario_settle(s, DUR_H(1));
	/* None of them was asked twice: an older one is not known any more. */
	assert_in_range(polls(s), 5, 25);
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

/* --- no end --- */

static const struct {
	const char *operations;
	bool shows; /* Azure goes on saying that it is at work */
} endless[] = {
	{"{'shape': 'async'}", true},
	{"{'shape': 'location'}", true},
	{"{'shape': 'body'}", true},
	{"{'shape': 'async', 'hideCreation': false}", true},
	{"{'shape': 'location', 'hideCreation': false, 'movingLocation': true}", true},
	{"{'shape': 'bare', 'hideCreation': false}", true},
	{"{'shape': 'location', 'lost': 1, 'hideCreation': false}", true},
	{"{'shape': 'bare'}", false},
	{"{'shape': 'async', 'lost': 1}", false},
};

/* Its intent holds it no longer than to its deadline: then Azure itself refuses a second write. */
static void is_tried_now_and_then(struct scenario *s)
{
	const struct transport *t = s->world.transport;

	scenario_item_is(s, "web1", "mde-extension", "backoff", "busy");
	for (size_t i = 1; i < transport_estate_write_count(t); i++) {
		struct wall at = transport_estate_write(t, i)->at;

		assert_int_equal(transport_estate_write(t, i)->status, 409);
		assert_true(
			wall_since(at, transport_estate_write(t, i - 1)->at).ms >= DUR_MIN(10).ms);
	}
	scenario_writes_are(s, NULL, 2, 60);
}

static void test_no_form_of_operation_is_waited_for_in_silence_or_repeated(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(endless); i++) {
		scenario_auto *s = with_operations(endless[i].operations, ", 'stuck': true");

		print_message("# %s\n", endless[i].operations);
		scenario_begin(s);
		scenario_run(s, DUR_H(6));
		scenario_item_is(s, "web1", "mde-extension", "applying", NULL);
		scenario_writes_are(s, NULL, 1, 1);
		scenario_run(s, DUR_H(12));
		scenario_nothing_is_stuck(s);
		assert_int_equal(executor_running(s->daemon->executor), 0);
		if (!endless[i].shows) {
			is_tried_now_and_then(s);
			continue;
		}
		scenario_item_is(s, "web1", "mde-extension", "applying", "operation-overdue");
		scenario_writes_are(s, NULL, 1, 1);
		scenario_is_good(s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_status_that_cannot_be_read_says_nothing_of_the_operation),
		cmocka_unit_test(test_each_answer_says_when_to_ask_again),
		cmocka_unit_test(test_a_location_that_moves_is_followed_and_the_old_one_forgotten),
		cmocka_unit_test(test_no_form_of_operation_is_waited_for_in_silence_or_repeated),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
