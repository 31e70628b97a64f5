/* SPDX-License-Identifier: Apache-2.0 */
/* A step on its way to the wire: read, package, decision, intent, last look, answer. */
#include "tests/daemon/flight_fixture.h"

/* --- reading --- */

static void an_absent_extension_is_put_with_its_package(void **state)
{
	struct fixture *f = *state;
	struct acting *a = &f->a;
	mdc_autofree char *done = acting_extension_json(f->m, "Succeeded", "0");
	const struct fake_request *put;
	json_t *write;

	absent(f);
	acting_answer(a, "PUT", EXTENSION, 200, done);
	acting_pass(a);
	acting_expect(f->item, ITEM_DRIFTED, REASON_EXTENSION_ABSENT);
	acting_run(a, DUR_S(5));
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
	put = acting_last(a, "PUT", EXTENSION);
	assert_non_null(put);
	assert_non_null(strstr(put->request.body, "script-windows"));
	assert_int_equal(a->unscripted, 0);
	write = acting_record(a, f->m->id, "write", 0);
	assert_string_equal(json_text(write, "correlation_id"),
		http_headers_get(&put->request.headers, "x-ms-correlation-request-id"));
	assert_int_equal(strlen(json_text(write, "body_hash")), 64);
	json_decref(write);
	outcome_is(f, "accepted");
}

static void what_is_in_sync_already_is_not_written(void **state)
{
	struct fixture *f = *state;

	shows(f, "Succeeded", "0");
	go(f, DUR_S(5));
	acting_expect(f->item, ITEM_COMPLIANT, REASON_IN_SYNC);
	assert_int_equal(f->item->corrections, 0);
	assert_true(f->m->mde.present);
	nothing_was_written(f);
}

static void another_deployer_at_work_is_waited_for(void **state)
{
	struct fixture *f = *state;
	json_t *last;

	shows(f, "Creating", "1");
	go(f, DUR_S(5));
	acting_expect(f->item, ITEM_WAITING, REASON_OTHER_DEPLOYER);
	nothing_was_written(f);
	/* Out of the queue in one move. */
	last = acting_record(&f->a, f->m->id, "transition", 0);
	assert_string_equal(json_text(last, "from"), "queued");
	assert_string_equal(json_text(last, "to"), "waiting");
	json_decref(last);
}

static const struct {
	int status;
	const char *code;
	enum item_state state;
	enum reason reason;
} refusals[] = {
	{403, "AuthorizationFailed", ITEM_BLOCKED, REASON_DENIED},
	{403, "RequestDisallowedByPolicy", ITEM_BLOCKED, REASON_POLICY_DENIES},
	{409, "ScopeLocked", ITEM_BLOCKED, REASON_LOCKED},
	{409, "ReadOnlyDisabledSubscription", ITEM_BLOCKED, REASON_SUBSCRIPTION_DISABLED},
	{409, "MissingSubscriptionRegistration", ITEM_BLOCKED, REASON_UNREGISTERED},
	{404, "SubscriptionNotFound", ITEM_BLOCKED, REASON_SUBSCRIPTION_GONE},
	{400, "HCRP400", ITEM_BLOCKED, REASON_REFUSED},
	{413, "", ITEM_BLOCKED, REASON_REFUSED},
	{409, "HCRP409", ITEM_BACKOFF, REASON_BUSY},
	{404, "ParentResourceNotFound", ITEM_BACKOFF, REASON_VANISHED},
	{404, "ResourceGroupNotFound", ITEM_BACKOFF, REASON_VANISHED},
	{412, "", ITEM_BACKOFF, REASON_TRANSIENT},
	{503, "ServiceUnavailable", ITEM_BACKOFF, REASON_TRANSIENT},
};

static void a_read_that_is_refused_leads_to_no_write(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct fixture *f;

		print_message("# %d %s\n", refusals[i].status, refusals[i].code);
		setup(state);
		f = *state;
		acting_answer_error(&f->a, "GET", EXTENSION, refusals[i].status, refusals[i].code);
		go(f, DUR_S(5));
		acting_expect(f->item, refusals[i].state, refusals[i].reason);
		assert_string_equal(f->item->detail, "why");
		assert_true(wall_before(acting_now(&f->a), f->item->due));
		assert_int_not_equal(f->item->due.ms, WALL_NEVER.ms);
		assert_int_equal(f->item->attempts, 0);
		assert_int_equal(f->item->misses, 1);
		nothing_was_written(f);
		teardown(state);
	}
}

static void a_throttled_read_waits_as_long_as_azure_says(void **state)
{
	struct fixture *f = *state;
	struct wall before = acting_now(&f->a);

	acting_script(&f->a,
		&(struct fake_answer){.method = "GET",
			.url_part = EXTENSION,
			.status = 429,
			.headers = {"Retry-After: 1000"}});
	go(f, DUR_S(5));
	acting_expect(f->item, ITEM_BACKOFF, REASON_THROTTLED);
	assert_in_range(wall_since(f->item->due, before).ms, 1000000, 1006000);
	nothing_was_written(f);
}

static void what_is_not_the_resource_is_no_answer(void **state)
{
	static const char *const bodies[] = {"", "<html>busy</html>", "[]", "{}",
		"{\"id\":\"/subscriptions/aaaaaaaa-0000-4000-8000-000000000001\"}",
		"{\"id\":\"nonsense\"}", "{\"id\":"};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct fixture *f;

		print_message("# %s\n", bodies[i]);
		setup(state);
		f = *state;
		acting_answer(&f->a, "GET", EXTENSION, 200, bodies[i]);
		go(f, DUR_S(5));
		acting_expect(f->item, ITEM_BACKOFF, REASON_TRANSIENT);
		assert_false(f->m->mde.present);
		nothing_was_written(f);
		teardown(state);
	}
}

static void the_document_of_another_machine_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct machine *other = acting_machine(&f->a, f->s, "srv-2", ACTING_WINDOWS);
	mdc_autofree char *body = acting_extension_json(other, "Succeeded", "0");

	acting_answer(&f->a, "GET", "srv-1/extensions", 200, body);
	acting_always(&f->a, "GET", "srv-2/extensions", 503, "");
	go(f, DUR_S(5));
	acting_expect(f->item, ITEM_BACKOFF, REASON_TRANSIENT);
	assert_false(f->m->mde.present);
	assert_false(other->mde.present);
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 0);
}

static void another_products_extension_is_left_alone_and_not_read_all_the_time(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *body =
		xasprintf("{\"id\":\"%s" EXTENSION "\",\"name\":\"MDE.Windows\",\"properties\":{"
			  "\"publisher\":\"Contoso\",\"type\":\"Other\","
			  "\"provisioningState\":\"Succeeded\"}}",
			f->m->id);

	acting_always(&f->a, "GET", EXTENSION, 200, body);
	for (unsigned i = 0; i < 20; i++)
		go(f, DUR_MIN(5));
	acting_expect(f->item, ITEM_BLOCKED, REASON_NAME_TAKEN);
	assert_string_equal(f->item->detail, "Contoso");
	assert_int_equal(acting_requests(&f->a, "GET", EXTENSION), 1);
	nothing_was_written(f);
}

static void names_with_odd_characters_find_their_way_there_and_back(void **state)
{
	struct fixture *f = *state;
	struct acting *a = &f->a;
	struct machine *odd =
		acting_machine_in(a, f->s, "gr\xc3\xbc(n) b", "srv-2", ACTING_WINDOWS);
	mdc_autofree char *done = acting_extension_json(odd, "Succeeded", "0");
	mdc_autofree char *target = xasprintf("%s" EXTENSION, odd->id);
	json_t *write;

	acting_extension(a, f->m, "Succeeded", SOURCE_GRAPH);
	acting_answer_error(a, "GET", "gr%C3%BC%28n%29%20b", 404, "ResourceNotFound");
	acting_answer(a, "PUT", "gr%C3%BC%28n%29%20b", 200, done);
	go(f, DUR_S(5));
	acting_expect(acting_sensor(odd), ITEM_SETTLING, REASON_ACCEPTED);
	/* What was read as absent is known as that, from ARM. */
	assert_int_equal(odd->mde.source, SOURCE_ARM);
	write = acting_record(a, odd->id, "write", 0);
	assert_string_equal(json_text(write, "target_id"), target);
	json_decref(write);
}

/* --- the package --- */

static void without_a_package_nothing_is_written(void **state)
{
	struct fixture *f = *state;

	f->a.mute = true;
	acting_answer(&f->a, "GET", "/mdeOnboardings", 200, "{\"value\":[]}");
	absent(f);
	go(f, DUR_S(5));
	acting_expect(f->item, ITEM_BACKOFF, REASON_NO_PACKAGE);
	assert_string_equal(f->item->detail, "Windows");
	nothing_was_written(f);
}

static void a_package_that_cannot_be_read_fails_all_that_wait_for_it(void **state)
{
	struct fixture *f = *state;
	struct machine *others[3];

	for (unsigned i = 0; i < 3; i++) {
		mdc_autofree char *name = xasprintf("srv-%u", i + 2);

		others[i] = acting_machine(&f->a, f->s, name, i == 0 ? ACTING_LINUX : ACTING_2016);
	}
	f->a.mute = true;
	acting_always(&f->a, "GET", "/extensions/", 404,
		"{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"\"}}");
	acting_answer_error(&f->a, "GET", "/mdeOnboardings", 403, "AuthorizationFailed");
	go(f, DUR_S(10));
	acting_expect(f->item, ITEM_BLOCKED, REASON_DENIED);
	for (unsigned i = 0; i < 3; i++)
		acting_expect(acting_sensor(others[i]), ITEM_BLOCKED, REASON_DENIED);
	assert_int_equal(acting_requests(&f->a, "GET", "/mdeOnboardings"), 1);
	nothing_was_written(f);
	/* One line tells it, a second one that there are more. */
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_WRITE_FAILED_MESSAGE), 1);
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_FAILURE_GROUP_MESSAGE), 1);
}

static void one_package_serves_many(void **state)
{
	struct fixture *f = *state;
	struct acting *a = &f->a;

	for (unsigned i = 2; i < 8; i++) {
		mdc_autofree char *name = xasprintf("srv-%u", i);

		acting_machine(a, f->s, name, i % 2 ? ACTING_LINUX : ACTING_WINDOWS);
	}
	acting_always(a, "GET", "/extensions/", 404,
		"{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"\"}}");
	acting_always(a, "PUT", "/extensions/", 202, "");
	go(f, DUR_S(30));
	assert_int_equal(acting_requests(a, "PUT", ""), 7);
	assert_int_equal(acting_requests(a, "GET", "/mdeOnboardings"), 1);
	for (uint32_t i = 0; i < f->s->machine_count; i++)
		acting_expect(acting_sensor(f->s->machines[i]), ITEM_APPLYING, REASON_RUNNING);
	assert_non_null(strstr(acting_last(a, "PUT", "MDE.Linux")->request.body, "script-linux"));
	assert_null(strstr(acting_last(a, "PUT", "MDE.Linux")->request.body, "script-windows"));
}

/* --- the intent --- */

/* The disk fails from the moment in which the intent is written. */
static void fail_the_disk_at_the_intent(struct fixture *f)
{
	absent(f);
	acting_pass(&f->a);
	acting_run(&f->a, DUR_MS(300));
	acting_expect(f->item, ITEM_QUEUED, REASON_QUEUED);
	vfs_crash_arm(f->a.vfs, VFS_IO_ERROR, 1, 1000000);
	acting_run(&f->a, DUR_S(1));
	assert_int_equal(f->item->operation->phase, PHASE_INTENDED);
	assert_false(store_healthy(f->a.store));
}

static void without_a_durable_intent_nothing_is_sent(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *done = acting_extension_json(f->m, "Succeeded", "0");

	fail_the_disk_at_the_intent(f);
	acting_run(&f->a, DUR_MIN(2));
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 0);
	acting_answer(&f->a, "PUT", EXTENSION, 200, done);
	vfs_crash_disarm(f->a.vfs);
	acting_run(&f->a, DUR_S(10));
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 1);
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
	outcome_is(f, "accepted");
}

static void what_is_withdrawn_while_its_intent_is_written_is_not_sent(void **state)
{
	struct fixture *f = *state;

	fail_the_disk_at_the_intent(f);
	executor_withdraw_all(f->a.executor, REASON_PAUSED);
	acting_expect(f->item, ITEM_DRIFTED, REASON_PAUSED);
	assert_null(f->item->operation);
	gate_pause(f->a.gate, "*", "tester", "");
	vfs_crash_disarm(f->a.vfs);
	acting_run(&f->a, DUR_MIN(1));
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 0);
	outcome_is(f, "not-sent");
}

static void a_machine_may_go_while_its_intent_is_written(void **state)
{
	struct fixture *f = *state;

	fail_the_disk_at_the_intent(f);
	acting_gone(&f->a, f->m);
	vfs_crash_disarm(f->a.vfs);
	acting_run(&f->a, DUR_MIN(1));
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 0);
	assert_int_equal(acting_open_operations(&f->a), 0);
}

static void what_waits_for_its_intent_can_be_torn_down(void **state)
{
	struct fixture *f = *state;

	fail_the_disk_at_the_intent(f);
	executor_withdraw_all(f->a.executor, REASON_STOPPING);
	acting_gone(&f->a, f->m);
	vfs_crash_disarm(f->a.vfs);
	acting_stop(&f->a, false);
}

static void steps_wait_for_a_sick_store_and_go_on_when_it_is_well(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *done = acting_extension_json(f->m, "Succeeded", "0");

	vfs_crash_arm(f->a.vfs, VFS_DISK_FULL, 1, 1000000);
	store_put_value(f->a.store, "x", "y");
	store_flush(f->a.store, NULL, NULL);
	acting_run(&f->a, DUR_S(1));
	assert_false(store_healthy(f->a.store));
	go(f, DUR_MIN(3));
	acting_expect(f->item, ITEM_QUEUED, REASON_QUEUED);
	assert_int_equal(acting_requests(&f->a, "GET", EXTENSION), 0);
	absent(f);
	acting_answer(&f->a, "PUT", EXTENSION, 200, done);
	vfs_crash_disarm(f->a.vfs);
	/* Nobody has to plan anew for that. */
	acting_run(&f->a, DUR_S(15));
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
}

/* --- the last look --- */

static void halt(struct fixture *f)
{
	assert_int_equal(gate_halt(f->a.gate, "tester", "stop"), 0);
}
static void halt_by_hand(struct fixture *f)
{
	mdc_autofree char *path = xasprintf("%s/halt", f->a.directory);
	FILE *marker = fopen(path, "w");

	assert_non_null(marker);
	fclose(marker);
}
static void pause_all(struct fixture *f)
{
	gate_pause(f->a.gate, "*", "tester", "");
}
static void pause_scope(struct fixture *f)
{
	gate_pause(f->a.gate, "PRODUCTION", "tester", "");
}
static void pause_subscription(struct fixture *f)
{
	gate_pause(f->a.gate, "AAAAAAAA-0000-4000-8000-000000000001", "tester", "");
}
static void pause_machine(struct fixture *f)
{
	mdc_autofree char *id = xstrdup(f->m->id);

	for (char *c = id; *c != '\0'; c++)
		*c = str_lower(*c);
	gate_pause(f->a.gate, id, "tester", "");
}
static void let_go_and_take_again(struct fixture *f)
{
	f->a.scopes[0].mode = MODE_OBSERVE;
	gate_measure(f->a.gate, f->a.config, f->a.inventory);
	f->a.scopes[0].mode = MODE_ENFORCE;
}
static void observe(struct fixture *f)
{
	f->a.scopes[0].mode = MODE_OBSERVE;
}
static void leave_scope(struct fixture *f)
{
	f->s->scope = NULL;
}
static void set_back(struct fixture *f)
{
	loop_virtual_set_wall(f->a.fake.world.loop, wall_add(acting_now(&f->a), DUR_MIN(-10)));
}
static void lose_sight(struct fixture *f)
{
	f->s->visible = false;
}
static void disable(struct fixture *f)
{
	f->s->state = SUBSCRIPTION_DISABLED;
}

static const struct {
	const char *what;
	void (*happens)(struct fixture *f);
	enum item_state state;
	enum reason reason;
} last_looks[] = {
	{"a halt", halt, ITEM_DRIFTED, REASON_HALTED},
	{"a marker made by hand", halt_by_hand, ITEM_DRIFTED, REASON_HALTED},
	{"everything is paused", pause_all, ITEM_DRIFTED, REASON_PAUSED},
	{"the scope is paused", pause_scope, ITEM_DRIFTED, REASON_PAUSED},
	{"the subscription is paused", pause_subscription, ITEM_DRIFTED, REASON_PAUSED},
	{"the machine is paused", pause_machine, ITEM_DRIFTED, REASON_PAUSED},
	{"the reach is not confirmed any more", let_go_and_take_again, ITEM_DRIFTED,
		REASON_UNCONFIRMED},
	{"the scope only observes", observe, ITEM_DRIFTED, REASON_OBSERVE_ONLY},
	{"the subscription is in no scope", leave_scope, ITEM_DRIFTED, REASON_RELOADED},
	{"it was read at a time that is yet to come", set_back, ITEM_WAITING, REASON_READ_TOO_OLD},
	{"the subscription is not visible", lose_sight, ITEM_DRIFTED, REASON_PARTIAL},
	{"the subscription is disabled", disable, ITEM_DRIFTED, REASON_SUBSCRIPTION_DISABLED},
};

/* Between the durable intent and the wire, which is where a slow disk or a lack of quota puts it.
 */
static void the_last_look_refuses_what_is_not_allowed_any_more(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(last_looks); i++) {
		struct fixture *f;

		print_message("# %s\n", last_looks[i].what);
		setup(state);
		f = *state;
		fail_the_disk_at_the_intent(f);
		last_looks[i].happens(f);
		vfs_crash_disarm(f->a.vfs);
		for (unsigned n = 0; f->item->operation != NULL && n < 100; n++)
			acting_run(&f->a, DUR_MS(100));
		acting_expect(f->item, last_looks[i].state, last_looks[i].reason);
		assert_int_equal(acting_requests(&f->a, "PUT", ""), 0);
		outcome_is(f, "not-sent");
		assert_false(log_capture_count(f->a.fake.capture, LOG_RULE_MESSAGE) > 0);
		teardown(state);
	}
}

static void what_has_grown_old_is_read_again_before_it_is_sent(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *done = acting_extension_json(f->m, "Succeeded", "0");
	json_t *record;

	fail_the_disk_at_the_intent(f);
	acting_run(&f->a, DUR_MIN(10));
	assert_int_equal(acting_requests(&f->a, "GET", EXTENSION), 1);
	absent(f);
	acting_answer(&f->a, "PUT", EXTENSION, 200, done);
	vfs_crash_disarm(f->a.vfs);
	acting_run(&f->a, DUR_S(10));
	assert_int_equal(acting_requests(&f->a, "GET", EXTENSION), 2);
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 1);
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
	outcome_is(f, "accepted");
	record = acting_record(&f->a, f->m->id, "outcome", 1);
	assert_string_equal(json_text(record, "outcome"), "not-sent");
	json_decref(record);
}

static void what_it_shows_then_decides(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *done = acting_extension_json(f->m, "Succeeded", "0");

	fail_the_disk_at_the_intent(f);
	acting_run(&f->a, DUR_MIN(10));
	/* Somebody else has done it meanwhile. */
	acting_answer(&f->a, "GET", EXTENSION, 200, done);
	vfs_crash_disarm(f->a.vfs);
	acting_run(&f->a, DUR_S(10));
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 0);
	acting_expect(f->item, ITEM_COMPLIANT, REASON_IN_SYNC);
	outcome_is(f, "not-sent");
}

static void a_reload_withdraws_what_is_not_sent(void **state)
{
	struct fixture *f = *state;

	fail_the_disk_at_the_intent(f);
	f->a.scopes[0].mode = MODE_OBSERVE;
	acting_reload(&f->a);
	acting_run(&f->a, DUR_MS(0));
	acting_expect(f->item, ITEM_DRIFTED, REASON_EXTENSION_ABSENT);
	vfs_crash_disarm(f->a.vfs);
	acting_run(&f->a, DUR_MIN(1));
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 0);
	outcome_is(f, "not-sent");
}

/* The token was refused: the write is asked for a second time, and that is looked at, too. */
static void the_second_way_to_the_wire_is_looked_at_again(void **state)
{
	struct fixture *f = *state;

	absent(f);
	acting_script(&f->a,
		&(struct fake_answer){.method = "PUT",
			.url_part = EXTENSION,
			.status = 401,
			.body = "{\"error\":{\"code\":\"ExpiredAuthenticationToken\"}}",
			.delay = DUR_S(2)});
	go(f, DUR_S(2));
	acting_expect(f->item, ITEM_APPLYING, REASON_SENT);
	halt(f);
	acting_run(&f->a, DUR_S(5));
	acting_expect(f->item, ITEM_DRIFTED, REASON_HALTED);
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 1);
	assert_int_equal(executor_running(f->a.executor), 0);
	assert_int_equal(executor_on_the_wire(f->a.executor), 0);
	outcome_is(f, "not-sent");
}

static void a_refused_token_is_renewed_and_the_write_sent_once_more(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *done = acting_extension_json(f->m, "Succeeded", "0");

	absent(f);
	acting_answer(&f->a, "PUT", EXTENSION, 401,
		"{\"error\":{\"code\":\"ExpiredAuthenticationToken\"}}");
	acting_answer(&f->a, "PUT", EXTENSION, 200, done);
	go(f, DUR_S(5));
	acting_expect(f->item, ITEM_SETTLING, REASON_ACCEPTED);
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_WRITE_SENT_MESSAGE), 1);
	outcome_is(f, "accepted");
}

/* --- what the answer says --- */

static void an_answer_that_is_an_error_ends_the_step(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct fixture *f;

		print_message("# %d %s\n", refusals[i].status, refusals[i].code);
		setup(state);
		f = *state;
		absent(f);
		acting_answer_error(&f->a, "PUT", EXTENSION, refusals[i].status, refusals[i].code);
		go(f, DUR_S(5));
		acting_expect(f->item, refusals[i].state, refusals[i].reason);
		assert_int_equal(f->item->attempts, 0);
		assert_int_equal(acting_requests(&f->a, "PUT", ""), 1);
		assert_int_equal(executor_running(f->a.executor), 0);
		outcome_is(f, "failed");
		teardown(state);
	}
}

static void a_connection_that_is_never_made_is_no_write(void **state)
{
	static const enum transport_result results[] = {TRANSPORT_RESOLVE, TRANSPORT_CONNECT};

	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		struct fixture *f;

		setup(state);
		f = *state;
		absent(f);
		acting_script(&f->a,
			&(struct fake_answer){.method = "PUT",
				.url_part = EXTENSION,
				.always = true,
				.result = results[i]});
		go(f, DUR_S(10));
		acting_expect(f->item, ITEM_BACKOFF, REASON_TRANSIENT);
		assert_int_equal(f->item->misses, 1);
		outcome_is(f, "failed");
		teardown(state);
	}
}

static void an_answer_that_is_lost_leaves_the_outcome_open(void **state)
{
	static const struct {
		enum transport_result result;
		int status;
		const char *body;
	} rows[] = {
		{TRANSPORT_BROKEN, 0, NULL},
		{TRANSPORT_TIMEOUT, 0, NULL},
		{TRANSPORT_TOO_LARGE, 0, NULL},
		{TRANSPORT_BROKEN, 200, "{"},
		{TRANSPORT_OK, 500, "{\"error\":{\"code\":\"InternalServerError\"}}"},
		{TRANSPORT_OK, 502, "<html>"},
		{TRANSPORT_OK, 504, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f;

		print_message("# %s %d\n", transport_result_text(rows[i].result), rows[i].status);
		setup(state);
		f = *state;
		absent(f);
		acting_script(&f->a,
			&(struct fake_answer){.method = "PUT",
				.url_part = EXTENSION,
				.result = rows[i].result,
				.status = rows[i].status,
				.body = rows[i].body});
		go(f, DUR_S(10));
		acting_expect(f->item, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
		assert_int_equal(acting_requests(&f->a, "PUT", ""), 1);
		assert_int_equal(acting_open_operations(&f->a), 1);
		assert_int_equal(executor_running(f->a.executor), 1);
		assert_int_equal(executor_on_the_wire(f->a.executor), 0);
		teardown(state);
	}
}

#define ASYNC_URL \
	"Azure-AsyncOperation: " SMALL_ARM "/subscriptions/x/operationstatus/1?s=signature-secret"
#define LOCATION_URL "Location: " SMALL_ARM "/subscriptions/x/operationresults/1?s=signature-secret"

static void acceptances_are_told_from_ends(void **state)
{
	static const struct {
		int status;
		const char *state; /* of the body; NULL: none */
		const char *header;
		enum item_state item;
		enum reason reason;
	} rows[] = {
		{200, "Succeeded", NULL, ITEM_SETTLING, REASON_ACCEPTED},
		{200, NULL, NULL, ITEM_SETTLING, REASON_ACCEPTED},
		{201, "Succeeded", NULL, ITEM_SETTLING, REASON_ACCEPTED},
		{204, NULL, NULL, ITEM_SETTLING, REASON_ACCEPTED},
		{200, "Creating", NULL, ITEM_APPLYING, REASON_RUNNING},
		{201, "Creating", ASYNC_URL, ITEM_APPLYING, REASON_RUNNING},
		{200, "Succeeded", ASYNC_URL, ITEM_APPLYING, REASON_RUNNING},
		{202, NULL, ASYNC_URL, ITEM_APPLYING, REASON_RUNNING},
		{202, NULL, LOCATION_URL, ITEM_APPLYING, REASON_RUNNING},
		{202, NULL, NULL, ITEM_APPLYING, REASON_RUNNING},
		{202, NULL, "Location: https://evil.test/", ITEM_APPLYING, REASON_RUNNING},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f;
		char *body = NULL;

		print_message("# %d %s %s\n", rows[i].status,
			rows[i].state != NULL ? rows[i].state : "-",
			rows[i].header != NULL ? "with URL" : "");
		setup(state);
		f = *state;
		if (rows[i].state != NULL)
			body = acting_extension_json(f->m, rows[i].state, "0");
		absent(f);
		acting_script(&f->a,
			&(struct fake_answer){.method = "PUT",
				.url_part = EXTENSION,
				.status = rows[i].status,
				.body = body,
				.headers = {rows[i].header}});
		go(f, DUR_S(5));
		acting_expect(f->item, rows[i].item, rows[i].reason);
		assert_int_equal(acting_open_operations(&f->a), rows[i].item == ITEM_APPLYING);
		assert_false(log_capture_holds(f->a.fake.capture, "signature-secret"));
		free(body);
		teardown(state);
	}
}

static void a_write_that_failed_at_once_is_looked_at(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *body = acting_extension_json(f->m, "Failed", "13");

	absent(f);
	acting_answer(&f->a, "PUT", EXTENSION, 200, body);
	acting_answer(&f->a, "GET", EXTENSION, 200, body);
	go(f, DUR_S(5));
	acting_expect(f->item, ITEM_BLOCKED, REASON_HANDLER_BLOCKED);
	assert_string_equal(f->item->detail, "it said something");
	outcome_is(f, "failed");
}

/* --- quota --- */

static void a_step_without_quota_goes_back_to_its_item(void **state)
{
	struct fixture *f = *state;
	struct machine *second;

	absent(f);
	acting_script(&f->a,
		&(struct fake_answer){.method = "PUT",
			.url_part = EXTENSION,
			.status = 429,
			.headers = {"Retry-After: 300",
				"x-ms-ratelimit-remaining-subscription-writes: 0"}});
	go(f, DUR_S(5));
	acting_expect(f->item, ITEM_BACKOFF, REASON_THROTTLED);
	second = acting_machine(&f->a, f->s, "srv-2", ACTING_WINDOWS);
	go(f, DUR_S(5));
	acting_expect(acting_sensor(second), ITEM_BACKOFF, REASON_THROTTLED);
	/* Not even read: what is read now would be too old by then. */
	assert_int_equal(acting_requests(&f->a, "GET", "srv-2"), 0);
	assert_in_range(
		wall_since(acting_sensor(second)->due, acting_now(&f->a)).ms, 200000, 300000);
	assert_int_equal(executor_waiting(f->a.executor), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_absent_extension_is_put_with_its_package),
		CASE(what_is_in_sync_already_is_not_written),
		CASE(another_deployer_at_work_is_waited_for),
		CASES(a_read_that_is_refused_leads_to_no_write),
		CASE(a_throttled_read_waits_as_long_as_azure_says),
		CASES(what_is_not_the_resource_is_no_answer),
		CASE(the_document_of_another_machine_is_not_believed),
		CASE(another_products_extension_is_left_alone_and_not_read_all_the_time),
		CASE(names_with_odd_characters_find_their_way_there_and_back),
		CASE(without_a_package_nothing_is_written),
		CASE(a_package_that_cannot_be_read_fails_all_that_wait_for_it),
		CASE(one_package_serves_many),
		CASE(without_a_durable_intent_nothing_is_sent),
		CASE(what_is_withdrawn_while_its_intent_is_written_is_not_sent),
		CASE(a_machine_may_go_while_its_intent_is_written),
		CASE(what_waits_for_its_intent_can_be_torn_down),
		CASE(steps_wait_for_a_sick_store_and_go_on_when_it_is_well),
		CASES(the_last_look_refuses_what_is_not_allowed_any_more),
		CASE(what_has_grown_old_is_read_again_before_it_is_sent),
		CASE(what_it_shows_then_decides),
		CASE(a_reload_withdraws_what_is_not_sent),
		CASE(the_second_way_to_the_wire_is_looked_at_again),
		CASE(a_refused_token_is_renewed_and_the_write_sent_once_more),
		CASES(an_answer_that_is_an_error_ends_the_step),
		CASES(a_connection_that_is_never_made_is_no_write),
		CASES(an_answer_that_is_lost_leaves_the_outcome_open),
		CASES(acceptances_are_told_from_ends),
		CASE(a_write_that_failed_at_once_is_looked_at),
		CASE(a_step_without_quota_goes_back_to_its_item),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
