/* SPDX-License-Identifier: Apache-2.0 */
/* Many steps at once: turns, limits, what one refusal spares the others, what the journal is told.
 */
#include "tests/harness/acting.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MISSING "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"\"}}"
#define DENIED \
	"{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"no action write over " \
	"scope\"}}"
#define EXTENSIONS "/extensions/"

struct fixture {
	struct acting a;
	struct subscription *s;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	acting_init(&f->a);
	f->s = acting_subscription(&f->a, 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	acting_fini(&f->a);
	free(f);
	return 0;
}

static void add_in(struct fixture *f, struct subscription *s, const char *group, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		mdc_autofree char *name = xasprintf("%s-%u", group, i);

		acting_machine_in(&f->a, s, group, name, ACTING_WINDOWS);
	}
}

static void go(struct fixture *f, struct dur time)
{
	acting_pass(&f->a);
	acting_run(&f->a, time);
}

static unsigned in_state(const struct subscription *s, enum item_state state)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < s->machine_count; i++)
		n += acting_sensor(s->machines[i])->state == state;
	return n;
}

static size_t puts_in(const struct fixture *f, const struct subscription *s)
{
	return acting_requests(&f->a, "PUT", s->id);
}

/* Every extension is absent, and writes are answered so. */
static void azure_is(struct fixture *f, int status, const char *body)
{
	acting_always(&f->a, "GET", EXTENSIONS, 404, MISSING);
	acting_always(&f->a, "PUT", EXTENSIONS, status, body);
}

/* --- turns and limits --- */

static void no_more_run_than_the_scope_allows(void **state)
{
	struct fixture *f = *state;

	f->a.scopes[0].max_in_flight = 7;
	add_in(f, f->s, "rg", 30);
	azure_is(f, 202, "");
	go(f, DUR_MIN(5));
	assert_int_equal(puts_in(f, f->s), 7);
	assert_int_equal(executor_running(f->a.executor), 7);
	assert_int_equal(in_state(f->s, ITEM_APPLYING), 7);
	assert_int_equal(in_state(f->s, ITEM_DRIFTED), 23);
}

static void the_next_goes_when_one_has_ended(void **state)
{
	struct fixture *f = *state;

	f->a.scopes[0].max_in_flight = 4;
	add_in(f, f->s, "rg", 20);
	azure_is(f, 200, "{\"properties\":{\"provisioningState\":\"Succeeded\"}}");
	/* Without any further pass. */
	go(f, DUR_S(30));
	assert_int_equal(puts_in(f, f->s), 20);
	assert_int_equal(in_state(f->s, ITEM_SETTLING), 20);
}

static void subscriptions_share_the_places(void **state)
{
	struct fixture *f = *state;
	struct subscription *small = acting_subscription(&f->a, 2);
	struct subscription *third = acting_subscription(&f->a, 3);

	f->a.scopes[0].max_in_flight = 12;
	add_in(f, f->s, "rg", 40);
	add_in(f, small, "rg", 2);
	add_in(f, third, "rg", 40);
	azure_is(f, 202, "");
	go(f, DUR_MIN(1));
	assert_int_equal(puts_in(f, small), 2);
	assert_int_equal(puts_in(f, f->s), 5);
	assert_int_equal(puts_in(f, third), 5);
}

/* A subscription whose answers do not come holds its own lane and nobody else's. */
static void a_subscription_that_hangs_does_not_hold_the_others(void **state)
{
	struct fixture *f = *state;
	struct subscription *other = acting_subscription(&f->a, 2);

	add_in(f, f->s, "rg", 30);
	add_in(f, other, "rg", 15);
	for (unsigned i = 0; i < 30; i++)
		acting_script(&f->a,
			&(struct fake_answer){.method = "GET",
				.url_part = "000000000001/resourceGroups",
				.hangs = true});
	acting_always(&f->a, "GET", EXTENSIONS, 404, MISSING);
	acting_always(&f->a, "PUT", EXTENSIONS, 202, "");
	go(f, DUR_MIN(1));
	assert_in_range(acting_requests(&f->a, "GET", "000000000001/resourceGroups"), 1, 8);
	assert_int_equal(puts_in(f, other), 15);
}

static void no_more_than_64_are_read_at_the_same_time(void **state)
{
	struct fixture *f = *state;

	f->a.scopes[0].max_in_flight = 1000;
	for (unsigned i = 2; i < 14; i++)
		add_in(f, acting_subscription(&f->a, i), "rg", 10);
	for (unsigned i = 0; i < 200; i++)
		acting_script(&f->a,
			&(struct fake_answer){
				.method = "GET", .url_part = EXTENSIONS, .hangs = true});
	f->a.config->impact.machines = 1000;
	f->a.config->impact.subscriptions = 100;
	go(f, DUR_MIN(1));
	assert_in_range(acting_requests(&f->a, "GET", EXTENSIONS), 1, 64);
	assert_int_equal(executor_waiting(f->a.executor), 120);
}

static void one_operation_runs_on_a_target(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *plan = acting_pricing_json(f->s, "Standard", "P1");
	mdc_autofree char *set = acting_setting_json(f->s, "WDATP", false);

	acting_plan(&f->a, f->s, "Standard", "P1");
	acting_setting(&f->a, f->s, SETTING_WDATP, TRI_NO);
	acting_always(&f->a, "GET", "/pricings/", 200, plan);
	acting_always(&f->a, "GET", "/settings/", 200, set);
	acting_script(&f->a,
		&(struct fake_answer){.method = "PUT", .url_part = "/pricings/", .hangs = true});
	go(f, DUR_MIN(1));
	acting_expect(&f->s->items[CONTROL_SERVERS_PLAN], ITEM_APPLYING, REASON_SENT);
	acting_expect(&f->s->items[CONTROL_MDE_INTEGRATION], ITEM_DRIFTED, REASON_SETTING_OFF);
	assert_int_equal(acting_requests(&f->a, "PUT", "/settings/"), 0);
	assert_int_equal(acting_requests(&f->a, "GET", "/settings/"), 0);
}

/* A crowd that fails without ever leaving the turn. */
static void a_crowd_that_goes_back_at_once_needs_no_stack(void **state)
{
	struct fixture *f = *state;

	f->a.scopes[0].max_in_flight = 10000;
	f->a.config->impact.machines = 100000;
	add_in(f, f->s, "rg", 800);
	acting_always(&f->a, "GET", EXTENSIONS, 404, MISSING);
	acting_script(&f->a,
		&(struct fake_answer){.method = "PUT",
			.url_part = EXTENSIONS,
			.always = true,
			.status = 429,
			.headers = {"Retry-After: 3600",
				"x-ms-ratelimit-remaining-subscription-writes: 0"}});
	go(f, DUR_MIN(1));
	assert_int_equal(in_state(f->s, ITEM_BACKOFF), 800);
	assert_true(acting_requests(&f->a, "GET", EXTENSIONS) < 30);
	assert_int_equal(executor_waiting(f->a.executor), 0);
}

static void numbers_add_up(void **state)
{
	struct fixture *f = *state;
	struct executor_counts n;

	add_in(f, f->s, "rg", 3);
	acting_always(&f->a, "GET", EXTENSIONS, 404, MISSING);
	acting_answer(&f->a, "PUT", EXTENSIONS, 200, "");
	acting_answer_error(&f->a, "PUT", EXTENSIONS, 400, "Bad");
	acting_answer(&f->a, "PUT", EXTENSIONS, 202, "");
	go(f, DUR_S(10));
	executor_counts(f->a.executor, &n);
	assert_int_equal(n.sent, 3);
	assert_int_equal(n.succeeded, 1);
	assert_int_equal(n.failed, 1);
	assert_int_equal(n.unsent, 0);
	assert_int_equal(n.refused_by_rule, 0);
	assert_int_equal(executor_running(f->a.executor), 1);
}

static void what_was_never_sent_has_not_failed(void **state)
{
	struct fixture *f = *state;
	struct executor_counts n;

	add_in(f, f->s, "rg", 3);
	acting_answer_error(&f->a, "GET", EXTENSIONS, 500, "Broken");
	acting_answer_error(&f->a, "GET", EXTENSIONS, 400, "Bad");
	acting_always(&f->a, "GET", EXTENSIONS, 404, MISSING);
	acting_answer_error(&f->a, "PUT", EXTENSIONS, 400, "Bad");
	go(f, DUR_S(10));
	executor_counts(f->a.executor, &n);
	assert_int_equal(n.sent, 1);
	assert_int_equal(n.failed, 1);
	assert_int_equal(n.unsent, 2);
}

/* One query by machine, subscription or scope finds the whole story. */
static void entries_say_what_they_are_about(void **state)
{
	static const enum log_message kinds[] = {
		LOG_WRITE_SENT_MESSAGE, LOG_WRITE_FAILED_MESSAGE, LOG_TRANSITION_MESSAGE};
	static const char *const fields[] = {"MDCD_CONTROL", "MDCD_RESOURCE_ID", "MDCD_SCOPE",
		"MDCD_SUBSCRIPTION_ID", "MDCD_MACHINE"};
	struct fixture *f = *state;

	add_in(f, f->s, "rg", 1);
	acting_always(&f->a, "GET", EXTENSIONS, 404, MISSING);
	acting_answer_error(&f->a, "PUT", EXTENSIONS, 400, "Bad");
	go(f, DUR_S(10));
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		size_t n = log_capture_count(f->a.fake.capture, kinds[k]);
		const struct captured_entry *e;

		assert_true(n > 0);
		e = log_capture_entry(f->a.fake.capture, kinds[k], n - 1);
		for (size_t i = 0; i < ARRAY_LEN(fields); i++)
			if (captured_field(e, fields[i]) == NULL)
				fail_msg("%s: no %s", captured_text(e), fields[i]);
	}
}

/* --- what one refusal spares the others --- */

static const struct step *step_of(const struct plan *plan, const struct machine *m)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].machine == m)
			return &plan->steps[i];
	return NULL;
}

static enum reason held(struct fixture *f, const struct machine *m)
{
	struct plan_limits limits = {0};
	struct plan plan;
	const struct step *step;
	enum reason reason;

	gate_limits(f->a.gate, &limits);
	executor_limits(f->a.executor, &limits);
	plan_build(f->a.config, f->a.inventory, &limits, &plan);
	step = step_of(&plan, m);
	reason = step != NULL ? step->held : REASON_N_;
	plan_fini(&plan);
	return reason;
}

static struct machine *first_drifted(const struct subscription *s)
{
	for (uint32_t i = 0; i < s->machine_count; i++)
		if (acting_sensor(s->machines[i])->state == ITEM_DRIFTED)
			return s->machines[i];
	return NULL;
}

static void one_missing_role_is_found_out_by_a_few_machines(void **state)
{
	struct fixture *f = *state;
	unsigned denied;

	add_in(f, f->s, "rg", 150);
	azure_is(f, 403, DENIED);
	go(f, DUR_MIN(1));
	denied = in_state(f->s, ITEM_BLOCKED);
	/* Those that were on their way together. */
	assert_in_range(denied, 1, 8);
	assert_int_equal(puts_in(f, f->s), denied);
	assert_int_equal(in_state(f->s, ITEM_DRIFTED), 150 - denied);
	assert_int_equal(held(f, first_drifted(f->s)), REASON_DENIED);
	/* One line for the first, one that there are more. */
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_WRITE_FAILED_MESSAGE), 1);
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_FAILURE_GROUP_MESSAGE), 1);
	/* For a whole day: a probe now and then, and a handful of lines. */
	for (unsigned i = 0; i < 24 * 4; i++)
		go(f, DUR_MIN(15));
	assert_in_range(puts_in(f, f->s), denied + 15, denied + 60);
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_WRITE_FAILED_MESSAGE), 1);
	assert_in_range(log_capture_count(f->a.fake.capture, LOG_FAILURE_GROUP_MESSAGE), 3, 6);
	assert_int_equal(acting_open_operations(&f->a), 0);
}

static void when_the_role_is_there_all_go_on(void **state)
{
	struct fixture *f = *state;

	add_in(f, f->s, "rg", 40);
	azure_is(f, 403, DENIED);
	go(f, DUR_MIN(1));
	assert_true(in_state(f->s, ITEM_BLOCKED) > 0);
	fake_transport_clear(f->a.fake.world.transport);
	azure_is(f, 200, "");
	for (unsigned i = 0; i < 3; i++)
		go(f, DUR_MIN(5));
	/* Those that were denied, too, and not an hour later. */
	assert_int_equal(in_state(f->s, ITEM_SETTLING), 40);
	assert_true(log_capture_holds(f->a.fake.capture,
		"resource group rg: denied is over, what waited for it goes on"));
}

static void an_operators_word_goes_ahead_of_the_hold(void **state)
{
	struct fixture *f = *state;
	struct machine *m;

	add_in(f, f->s, "rg", 40);
	azure_is(f, 403, DENIED);
	go(f, DUR_MIN(1));
	m = first_drifted(f->s);
	assert_int_equal(held(f, m), REASON_DENIED);
	fake_transport_clear(f->a.fake.world.transport);
	azure_is(f, 200, "");
	reconciler_force(f->a.reconciler, &(struct item_ref){f->s, m, CONTROL_N_});
	acting_run(&f->a, DUR_MIN(1));
	acting_expect(acting_sensor(m), ITEM_SETTLING, REASON_ACCEPTED);
	/* It was the probe, as it were. */
	assert_int_equal(in_state(f->s, ITEM_SETTLING), 40);
}

static void a_role_on_some_groups_lets_those_go(void **state)
{
	struct fixture *f = *state;

	add_in(f, f->s, "a-denied", 30);
	add_in(f, f->s, "b-denied", 30);
	add_in(f, f->s, "c-granted", 30);
	acting_always(&f->a, "GET", EXTENSIONS, 404, MISSING);
	acting_always(&f->a, "PUT", "-denied/", 403, DENIED);
	acting_always(&f->a, "PUT", "c-granted/", 200, "");
	for (unsigned i = 0; i < 6; i++)
		go(f, DUR_MIN(5));
	assert_int_equal(acting_requests(&f->a, "PUT", "c-granted/"), 30);
	assert_true(acting_requests(&f->a, "PUT", "-denied/") < 40);
	assert_int_equal(in_state(f->s, ITEM_SETTLING), 30);
}

static void other_subscriptions_are_not_held(void **state)
{
	struct fixture *f = *state;
	struct subscription *other = acting_subscription(&f->a, 2);

	add_in(f, f->s, "rg", 20);
	add_in(f, other, "rg", 20);
	acting_always(&f->a, "GET", EXTENSIONS, 404, MISSING);
	acting_always(&f->a, "PUT", "000000000001/", 403, DENIED);
	acting_always(&f->a, "PUT", "000000000002/", 200, "");
	go(f, DUR_MIN(1));
	assert_int_equal(in_state(other, ITEM_SETTLING), 20);
	assert_true(puts_in(f, f->s) <= 8);
}

static void a_credential_that_is_refused_is_not_tried_by_each_machine(void **state)
{
	struct fixture *f = *state;

	add_in(f, f->s, "rg", 400);
	acting_always(&f->a, "POST", "/oauth2/", 401,
		"{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215\"}");
	go(f, DUR_S(10));
	assert_in_range(in_state(f->s, ITEM_BACKOFF), 1, 16);
	acting_run(&f->a, DUR_MIN(2));
	assert_int_equal(acting_requests(&f->a, "GET", EXTENSIONS), 0);
	assert_int_equal(held(f, first_drifted(f->s)), REASON_IDENTITY);
	assert_true(log_capture_count(f->a.fake.capture, LOG_TRANSITION_MESSAGE) < 200);
}

static void another_configuration_tries_anew(void **state)
{
	struct fixture *f = *state;

	add_in(f, f->s, "rg", 20);
	azure_is(f, 403, DENIED);
	go(f, DUR_MIN(1));
	fake_transport_clear(f->a.fake.world.transport);
	azure_is(f, 200, "");
	acting_reload(&f->a);
	acting_run(&f->a, DUR_MIN(1));
	assert_int_equal(in_state(f->s, ITEM_SETTLING), 20);
}

static void a_group_tells_what_it_is_about(void **state)
{
	struct fixture *f = *state;
	const struct captured_entry *e;

	add_in(f, f->s, "rg", 40);
	azure_is(f, 403, DENIED);
	go(f, DUR_MIN(1));
	e = log_capture_entry(f->a.fake.capture, LOG_FAILURE_GROUP_MESSAGE, 0);
	assert_non_null(e);
	assert_string_equal(captured_field(e, "MDCD_CONTROL"), "mde-extension");
	assert_string_equal(captured_field(e, "MDCD_SCOPE"), "production");
	assert_string_equal(captured_field(e, "MDCD_ERROR_CODE"), "AuthorizationFailed");
	assert_string_equal(captured_field(e, "MDCD_ERROR_CLASS"), "denied");
	assert_string_equal(captured_field(e, "MDCD_COUNT"), "2");
	assert_non_null(strstr(captured_text(e), "no action write over scope"));
	e = log_capture_entry(f->a.fake.capture, LOG_WRITE_FAILED_MESSAGE, 0);
	assert_string_equal(captured_field(e, "MDCD_HTTP_STATUS"), "403");
	assert_true(str_is_guid(captured_field(e, "MDCD_CORRELATION_ID")));
	assert_int_equal(captured_priority(e), LOG_WARNING);
}

/* --- stopping --- */

static void nothing_is_begun_after_a_stop(void **state)
{
	struct fixture *f = *state;

	add_in(f, f->s, "rg", 10);
	azure_is(f, 200, "");
	acting_pass(&f->a);
	executor_withdraw_all(f->a.executor, REASON_STOPPING);
	executor_stop(f->a.executor);
	acting_run(&f->a, DUR_MIN(5));
	assert_int_equal(acting_requests(&f->a, "GET", EXTENSIONS), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(no_more_run_than_the_scope_allows),
		CASE(the_next_goes_when_one_has_ended),
		CASE(subscriptions_share_the_places),
		CASE(a_subscription_that_hangs_does_not_hold_the_others),
		CASE(no_more_than_64_are_read_at_the_same_time),
		CASE(one_operation_runs_on_a_target),
		CASE(a_crowd_that_goes_back_at_once_needs_no_stack),
		CASE(numbers_add_up),
		CASE(what_was_never_sent_has_not_failed),
		CASE(entries_say_what_they_are_about),
		CASE(one_missing_role_is_found_out_by_a_few_machines),
		CASE(when_the_role_is_there_all_go_on),
		CASE(an_operators_word_goes_ahead_of_the_hold),
		CASE(a_role_on_some_groups_lets_those_go),
		CASE(other_subscriptions_are_not_held),
		CASE(a_credential_that_is_refused_is_not_tried_by_each_machine),
		CASE(another_configuration_tries_anew),
		CASE(a_group_tells_what_it_is_about),
		CASE(nothing_is_begun_after_a_stop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
