/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a write: operations of every shape, lost answers, and nothing at all. */
#include "tests/harness/acting.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EXTENSION "/extensions/MDE.Windows"
#define STATUS "/operationstatus/"
#define RESULTS "/operationresults/"
#define ACTIVITY "/Microsoft.Insights/"
#define ASYNC(n) \
	"Azure-AsyncOperation: " SMALL_ARM "/subscriptions/x" STATUS n "?s=signature-secret"
#define LOCATION(n) "Location: " SMALL_ARM "/subscriptions/x" RESULTS n "?s=signature-secret"

struct fixture {
	struct acting a;
	struct subscription *s;
	struct machine *m;
	struct item *item;
};

static int setup_with(void **state, const char *sku)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	acting_init(&f->a);
	f->s = acting_subscription(&f->a, 1);
	f->m = acting_machine(&f->a, f->s, "srv-1", sku);
	f->item = acting_sensor(f->m);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, ACTING_WINDOWS);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_false(log_capture_holds(f->a.fake.capture, "signature-secret"));
	acting_fini(&f->a);
	free(f);
	return 0;
}

static void answer_put(struct fixture *f, struct fake_answer answer)
{
	acting_answer_error(&f->a, "GET", "/extensions/MDE.", 404, "ResourceNotFound");
	answer.method = "PUT";
	answer.url_part = "/extensions/MDE.";
	answer.delay = DUR_MS(100);
	acting_script(&f->a, &answer);
	acting_pass(&f->a);
	acting_run(&f->a, DUR_S(2));
}

/* It runs in Azure, with a status URL. */
static void begin(struct fixture *f)
{
	answer_put(f, (struct fake_answer){.status = 202, .headers = {ASYNC("1")}});
	acting_expect(f->item, ITEM_APPLYING, REASON_RUNNING);
}

/* It was sent, and no answer came. */
static void lose(struct fixture *f)
{
	answer_put(f, (struct fake_answer){.result = TRANSPORT_BROKEN});
	acting_expect(f->item, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
}

static void shows(struct fixture *f, const char *state, const char *code)
{
	mdc_autofree char *body = acting_extension_json(f->m, state, code);

	acting_answer(&f->a, "GET", "/extensions/MDE.", 200, body);
}

static void is_absent(struct fixture *f)
{
	acting_answer_error(&f->a, "GET", "/extensions/MDE.", 404, "ResourceNotFound");
}

static void polls(struct fixture *f, const char *status)
{
	mdc_autofree char *body = xasprintf("{\"status\":\"%s\"}", status);

	acting_answer(&f->a, "GET", STATUS, 200, body);
}

static void outcome_is(struct fixture *f, const char *word)
{
	json_t *record = acting_record(&f->a, f->m->id, "outcome", 0);

	assert_non_null(record);
	assert_string_equal(json_text(record, "outcome"), word);
	json_decref(record);
	assert_int_equal(acting_open_operations(&f->a), 0);
	assert_int_equal(executor_running(f->a.executor), 0);
	assert_null(f->item->operation);
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 1);
}

/* --- watched in bulk --- */

static void what_the_watch_shows_ends_the_operation(void **state)
{
	struct fixture *f = *state;
	const struct subscription *watched[4];

	begin(f);
	assert_int_equal(executor_watched(f->a.executor, watched, 4), 1);
	assert_ptr_equal(watched[0], f->s);
	acting_run(&f->a, DUR_MIN(3));
	assert_int_equal(acting_requests(&f->a, "GET", STATUS), 0);
	acting_extension(&f->a, f->m, "Succeeded", SOURCE_GRAPH);
	acting_saw(&f->a, f->s, f->m);
	acting_expect(f->item, ITEM_COMPLIANT, REASON_IN_SYNC);
	assert_int_equal(f->item->corrections, 1);
	outcome_is(f, "succeeded");
	assert_int_equal(executor_watched(f->a.executor, watched, 4), 0);
	/* Nothing is asked afterwards. */
	acting_run(&f->a, DUR_H(1));
	assert_int_equal(acting_requests(&f->a, "GET", STATUS), 0);
}

static void a_failure_in_graph_is_asked_about_before_it_is_believed(void **state)
{
	struct fixture *f = *state;

	begin(f);
	acting_run(&f->a, DUR_MIN(2));
	/* From before the write: Graph lags. */
	acting_extension(&f->a, f->m, "Failed", SOURCE_GRAPH);
	polls(f, "InProgress");
	acting_saw(&f->a, f->s, f->m);
	acting_run(&f->a, DUR_S(5));
	acting_expect(f->item, ITEM_APPLYING, REASON_RUNNING);
	assert_int_equal(acting_requests(&f->a, "GET", STATUS), 1);
	/* However often that is seen, Azure is not asked more often than it wants. */
	for (unsigned i = 0; i < 10; i++)
		acting_saw(&f->a, f->s, f->m);
	acting_run(&f->a, DUR_S(5));
	assert_int_equal(acting_requests(&f->a, "GET", STATUS), 1);
	polls(f, "Succeeded");
	acting_run(&f->a, DUR_MIN(1));
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
	outcome_is(f, "accepted");
}

/* --- polled --- */

static void what_takes_long_is_polled_at_the_servers_pace(void **state)
{
	struct fixture *f = *state;

	begin(f);
	acting_script(&f->a,
		&(struct fake_answer){.method = "GET",
			.url_part = STATUS "1",
			.status = 200,
			.body = "{\"status\":\"InProgress\"}",
			.headers = {"Retry-After: 300"}});
	polls(f, "Updating");
	acting_run(&f->a, DUR_MIN(9));
	assert_int_equal(acting_requests(&f->a, "GET", STATUS), 0);
	acting_run(&f->a, DUR_MIN(5));
	assert_int_equal(acting_requests(&f->a, "GET", STATUS), 1);
	acting_run(&f->a, DUR_S(90));
	assert_int_equal(acting_requests(&f->a, "GET", STATUS), 2);
	polls(f, "succeeded");
	acting_run(&f->a, DUR_S(61));
	assert_int_equal(acting_requests(&f->a, "GET", STATUS), 3);
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
	outcome_is(f, "accepted");
}

static void the_newest_location_is_asked(void **state)
{
	struct fixture *f = *state;

	answer_put(f, (struct fake_answer){.status = 202, .headers = {LOCATION("1")}});
	for (unsigned i = 1; i < 4; i++) {
		mdc_autofree char *part = xasprintf(RESULTS "%u", i);
		mdc_autofree char *next = xasprintf(
			"Location: " SMALL_ARM "/subscriptions/x" RESULTS "%u?s=signature-secret",
			i + 1);

		acting_script(&f->a,
			&(struct fake_answer){.method = "GET",
				.url_part = part,
				.status = 202,
				.headers = {next}});
	}
	acting_answer(&f->a, "GET", RESULTS "4", 204, "");
	acting_run(&f->a, DUR_MIN(15));
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
	assert_int_equal(acting_requests(&f->a, "GET", RESULTS), 4);
	outcome_is(f, "accepted");
	assert_int_equal(f->a.unscripted, 0);
}

static void a_status_that_cannot_be_read_says_nothing(void **state)
{
	static const struct fake_answer answers[] = {
		{.status = 500, .body = ""},
		{.status = 200, .body = "<html>"},
		{.status = 200, .body = "{}"},
		{.status = 429, .body = "", .headers = {"Retry-After: 90"}},
		{.status = 403, .body = "{\"error\":{\"code\":\"AuthorizationFailed\"}}"},
		{.result = TRANSPORT_BROKEN},
	};
	struct fixture *f = *state;

	begin(f);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct fake_answer answer = answers[i];

		answer.method = "GET";
		answer.url_part = STATUS;
		acting_script(&f->a, &answer);
	}
	polls(f, "Succeeded");
	acting_run(&f->a, DUR_MIN(25));
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
	outcome_is(f, "accepted");
}

static void an_operation_that_failed_is_explained_by_its_resource(void **state)
{
	struct fixture *f = *state;

	begin(f);
	acting_answer(&f->a, "GET", STATUS, 200,
		"{\"status\":\"Failed\",\"error\":{\"code\":\"HandlerFailed\",\"message\":\"exit "
		"13\"}}");
	shows(f, "Failed", "13");
	acting_run(&f->a, DUR_MIN(11));
	acting_expect(f->item, ITEM_BLOCKED, REASON_HANDLER_BLOCKED);
	assert_string_equal(f->item->detail, "it said something");
	outcome_is(f, "failed");
}

static void without_an_explanation_the_operations_own_error_counts(void **state)
{
	struct fixture *f = *state;

	begin(f);
	acting_answer(&f->a, "GET", STATUS, 200,
		"{\"status\":\"Canceled\",\"error\":{\"code\":\"Odd\",\"message\":\"it did not "
		"work\"}}");
	is_absent(f);
	acting_run(&f->a, DUR_MIN(11));
	acting_expect(f->item, ITEM_BACKOFF, REASON_OPERATION_FAILED);
	assert_string_equal(f->item->detail, "it did not work");
	assert_int_equal(f->item->attempts, 1);
	outcome_is(f, "failed");
}

static void an_expired_url_leads_to_the_resource(void **state)
{
	static const struct {
		const char *state;
		enum item_state item;
		enum reason reason;
		const char *outcome; /* NULL: it runs on */
	} rows[] = {
		{"Succeeded", ITEM_COMPLIANT, REASON_IN_SYNC, "seen"},
		{"Failed", ITEM_BLOCKED, REASON_HANDLER_BLOCKED, "failed"},
		{"Canceled", ITEM_BLOCKED, REASON_HANDLER_BLOCKED, "failed"},
		{"Creating", ITEM_APPLYING, REASON_RUNNING, NULL},
		{"Odd", ITEM_APPLYING, REASON_RUNNING, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f;

		print_message("# %s\n", rows[i].state);
		setup(state);
		f = *state;
		begin(f);
		acting_answer(&f->a, "GET", STATUS, i % 2 ? 410 : 404, "");
		shows(f, rows[i].state, "13");
		acting_run(&f->a, DUR_MIN(10));
		acting_run(&f->a, DUR_S(10));
		acting_expect(f->item, rows[i].item, rows[i].reason);
		if (rows[i].outcome != NULL)
			outcome_is(f, rows[i].outcome);
		else
			assert_int_equal(acting_open_operations(&f->a), 1);
		teardown(state);
	}
}

/* --- without an end --- */

static void an_operation_without_an_end_holds_its_machine_and_nobody_else(void **state)
{
	struct fixture *f = *state;
	struct plan_limits limits = {0};

	begin(f);
	acting_always(&f->a, "GET", STATUS, 200, "{\"status\":\"InProgress\"}");
	acting_run(&f->a, DUR_H(6));
	acting_expect(f->item, ITEM_APPLYING, REASON_RUNNING);
	executor_limits(f->a.executor, &limits);
	assert_int_equal(*(uint64_t *)map_get(limits.running_by_scope, "production"), 1);
	acting_run(&f->a, DUR_H(2));
	acting_expect(f->item, ITEM_APPLYING, REASON_OPERATION_OVERDUE);
	executor_limits(f->a.executor, &limits);
	assert_null(map_get(limits.running_by_scope, "production"));
	assert_int_equal(executor_running(f->a.executor), 0);
	/* For days, and each hour asked once. */
	for (unsigned i = 0; i < 48; i++) {
		acting_relist(&f->a);
		acting_saw_all(&f->a);
		acting_run(&f->a, DUR_H(1));
	}
	acting_expect(f->item, ITEM_APPLYING, REASON_OPERATION_OVERDUE);
	assert_in_range(acting_requests(&f->a, "GET", STATUS), 400, 500);
	assert_int_equal(acting_open_operations(&f->a), 1);
	fake_transport_clear(f->a.fake.world.transport);
	polls(f, "Succeeded");
	for (unsigned n = 0; f->item->state == ITEM_APPLYING && n < 61; n++)
		acting_run(&f->a, DUR_MIN(1));
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
	outcome_is(f, "accepted");
}

static void what_nothing_can_be_said_of_is_given_up_at_its_deadline(void **state)
{
	struct fixture *f = *state;

	lose(f);
	acting_always(&f->a, "GET", "/extensions/", 403,
		"{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"no\"}}");
	acting_run(&f->a, DUR_MIN(7 * 60 - 5));
	acting_expect(f->item, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
	acting_run(&f->a, DUR_MIN(7));
	acting_expect(f->item, ITEM_BACKOFF, REASON_OPERATION_OVERDUE);
	outcome_is(f, "unknown");
}

/* --- lost answers --- */

static void what_the_resource_shows_is_what_became_of_a_lost_write(void **state)
{
	struct fixture *f = *state;

	lose(f);
	shows(f, "Succeeded", "0");
	acting_run(&f->a, DUR_MIN(1));
	acting_expect(f->item, ITEM_COMPLIANT, REASON_IN_SYNC);
	assert_int_equal(f->item->corrections, 1);
	outcome_is(f, "seen");
}

static void a_lost_write_that_failed_says_why(void **state)
{
	struct fixture *f = *state;

	lose(f);
	shows(f, "Creating", "1");
	acting_run(&f->a, DUR_S(59));
	acting_expect(f->item, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
	shows(f, "Failed", "21");
	acting_run(&f->a, DUR_S(61));
	acting_expect(f->item, ITEM_BACKOFF, REASON_HANDLER_RETRY);
	outcome_is(f, "failed");
}

#define EVENTS(status) \
	"{\"value\":[{\"operationName\":{\"value\":\"Microsoft.HybridCompute/machines/extensions/" \
	"write\"}," \
	"\"status\":{\"value\":\"" status "\"}}]}"

static void a_404_alone_ends_nothing(void **state)
{
	struct fixture *f = *state;

	lose(f);
	acting_always(&f->a, "GET", "/extensions/", 404,
		"{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"\"}}");
	acting_always(&f->a, "GET", ACTIVITY, 200, EVENTS("Started"));
	acting_run(&f->a, DUR_H(6));
	acting_expect(f->item, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 1);
	acting_run(&f->a, DUR_MIN(65));
	acting_expect(f->item, ITEM_BACKOFF, REASON_OPERATION_OVERDUE);
	outcome_is(f, "unknown");
}

static const struct {
	const char *log;
	int status;
	unsigned minutes; /* until it is believed; 0: not before the deadline */
	enum item_state state;
	enum reason reason;
	const char *outcome;
} logs[] = {
	{EVENTS("Failed"), 200, 2, ITEM_BACKOFF, REASON_OPERATION_FAILED, "failed"},
	{EVENTS("Succeeded"), 200, 2, ITEM_SETTLING, REASON_ACCEPTED, "succeeded"},
	{"{\"value\":[]}", 200, 26, ITEM_BACKOFF, REASON_TRANSIENT, "never-arrived"},
	{"{\"value\":[],\"nextLink\":\"https://management.azure.com/next\"}", 200, 0, 0, 0, NULL},
	{EVENTS("Accepted"), 200, 0, 0, 0, NULL},
	{"<html>", 200, 0, 0, 0, NULL},
	{"{\"error\":{\"code\":\"AuthorizationFailed\"}}", 403, 0, 0, 0, NULL},
};

static void the_activity_log_tells_what_became_of_it(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
		struct fixture *f;

		print_message("# %d %s\n", logs[i].status, logs[i].log);
		setup(state);
		f = *state;
		lose(f);
		acting_always(&f->a, "GET", "/extensions/", 404,
			"{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"\"}}");
		acting_always(&f->a, "GET", ACTIVITY, logs[i].status, logs[i].log);
		if (logs[i].outcome == NULL) {
			acting_run(&f->a, DUR_MIN(6 * 60));
			acting_expect(f->item, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
		} else {
			acting_run(&f->a, DUR_MIN(logs[i].minutes - 1));
			if (logs[i].minutes > 2)
				acting_expect(f->item, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
			acting_run(&f->a, DUR_S(30));
			acting_run(&f->a, DUR_S(10));
			acting_expect(f->item, logs[i].state, logs[i].reason);
			outcome_is(f, logs[i].outcome);
		}
		assert_non_null(strstr(acting_last(&f->a, "GET", ACTIVITY)->request.url,
			http_headers_get(&acting_last(&f->a, "PUT", "")->request.headers,
				"x-ms-correlation-request-id")));
		teardown(state);
	}
}

/* --- Linux --- */

static void linux_is_never_written_again_within_45_minutes(void **state)
{
	static const char *const ends[] = {
		"failed with the resource", "failed without", "activity"};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct fixture *f;
		struct wall ended;

		print_message("# %s\n", ends[i]);
		setup_with(state, ACTING_LINUX);
		f = *state;
		if (i < 2) {
			begin(f);
			polls(f, "Failed");
			if (i == 0)
				shows(f, "Failed", "21");
			else
				is_absent(f);
		} else {
			lose(f);
			is_absent(f);
			acting_answer(&f->a, "GET", ACTIVITY, 200, EVENTS("Failed"));
		}
		acting_run(&f->a, DUR_MIN(11));
		assert_int_equal(f->item->state, ITEM_BACKOFF);
		ended = f->item->since;
		assert_true(wall_since(f->item->due, ended).ms >= DUR_MIN(45).ms);
		assert_true(wall_since(f->item->due, ended).ms <= DUR_MIN(90).ms);
		/* Not even by force. */
		reconciler_force(
			f->a.reconciler, &(struct item_ref){f->s, f->m, CONTROL_MDE_EXTENSION});
		acting_always(&f->a, "GET", "/extensions/", 404,
			"{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"\"}}");
		if (i == 0)
			for (unsigned n = 0; n < 8; n++) {
				acting_pass(&f->a);
				acting_run(&f->a, DUR_MIN(5));
				assert_int_equal(acting_requests(&f->a, "PUT", ""), 1);
			}
		teardown(state);
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define CASES(test) cmocka_unit_test(test) /* sets up by itself, a row at a time */

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_the_watch_shows_ends_the_operation),
		CASE(a_failure_in_graph_is_asked_about_before_it_is_believed),
		CASE(what_takes_long_is_polled_at_the_servers_pace),
		CASE(the_newest_location_is_asked),
		CASE(a_status_that_cannot_be_read_says_nothing),
		CASE(an_operation_that_failed_is_explained_by_its_resource),
		CASE(without_an_explanation_the_operations_own_error_counts),
		CASES(an_expired_url_leads_to_the_resource),
		CASE(an_operation_without_an_end_holds_its_machine_and_nobody_else),
		CASE(what_nothing_can_be_said_of_is_given_up_at_its_deadline),
		CASE(what_the_resource_shows_is_what_became_of_a_lost_write),
		CASE(a_lost_write_that_failed_says_why),
		CASE(a_404_alone_ends_nothing),
		CASES(the_activity_log_tells_what_became_of_it),
		CASES(linux_is_never_written_again_within_45_minutes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
