/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that may happen to a flight, in each of its phases. */
#include "tests/harness/acting.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EXTENSION "/extensions/MDE.Windows"
#define ASYNC "Azure-AsyncOperation: " SMALL_ARM "/subscriptions/x/operationstatus/1?s=1"

struct fixture {
	struct acting a;
	struct subscription *s;
	struct machine *m;
	struct item *item;
};

static void start(struct fixture *f)
{
	*f = (struct fixture){0};
	acting_init(&f->a);
	f->s = acting_subscription(&f->a, 1);
	f->m = acting_machine(&f->a, f->s, "srv-1", ACTING_WINDOWS);
	f->item = acting_sensor(f->m);
}

/* --- bringing a flight into a phase --- */

static void hang(struct fixture *f, const char *method, const char *part)
{
	acting_script(
		&f->a, &(struct fake_answer){.method = method, .url_part = part, .hangs = true});
}

static void absent(struct fixture *f)
{
	acting_answer_error(&f->a, "GET", EXTENSION, 404, "ResourceNotFound");
}

static void go(struct fixture *f, struct dur time)
{
	acting_pass(&f->a);
	acting_run(&f->a, time);
}

static void break_disk(struct fixture *f)
{
	vfs_crash_arm(f->a.vfs, VFS_DISK_FULL, 1, UINT32_MAX);
	store_put_value(f->a.store, "x", "y");
	store_flush(f->a.store, NULL, NULL);
	acting_run(&f->a, DUR_S(1));
}

static void to_queued(struct fixture *f)
{
	break_disk(f);
	go(f, DUR_S(2));
}

static void to_reading(struct fixture *f)
{
	hang(f, "GET", EXTENSION);
	go(f, DUR_S(2));
}

static void to_package(struct fixture *f)
{
	f->a.mute = true;
	absent(f);
	hang(f, "GET", "/mdeOnboardings");
	go(f, DUR_S(2));
}

static void to_intended(struct fixture *f)
{
	absent(f);
	go(f, DUR_MS(300));
	break_disk(f);
}

/* Durable, and waits for the quota that another write has used up. */
static void to_admission(struct fixture *f)
{
	struct machine *other = acting_machine(&f->a, f->s, "other", ACTING_WINDOWS);

	acting_script(&f->a,
		&(struct fake_answer){.method = "GET",
			.url_part = "other" EXTENSION,
			.status = 404,
			.body = "{\"error\":{\"code\":\"ResourceNotFound\"}}"});
	acting_script(&f->a,
		&(struct fake_answer){.method = "PUT",
			.url_part = "other" EXTENSION,
			.status = 429,
			.headers = {"Retry-After: 40"}});
	acting_saw(&f->a, f->s, other);
	reconciler_plan_soon(f->a.reconciler);
	acting_run(&f->a, DUR_S(2));
	acting_expect(acting_sensor(other), ITEM_BACKOFF, REASON_THROTTLED);
	absent(f);
	go(f, DUR_S(2));
}

static void to_wire(struct fixture *f)
{
	absent(f);
	hang(f, "PUT", EXTENSION);
	go(f, DUR_S(2));
}

static void to_lost(struct fixture *f)
{
	absent(f);
	acting_script(&f->a,
		&(struct fake_answer){
			.method = "PUT", .url_part = EXTENSION, .result = TRANSPORT_BROKEN});
	go(f, DUR_S(2));
}

static void to_running(struct fixture *f)
{
	absent(f);
	acting_script(&f->a,
		&(struct fake_answer){
			.method = "PUT", .url_part = EXTENSION, .status = 202, .headers = {ASYNC}});
	go(f, DUR_S(2));
}

static void to_polling(struct fixture *f)
{
	to_running(f);
	hang(f, "GET", "/operationstatus/");
	acting_run(&f->a, DUR_MIN(11));
}

static void to_looking(struct fixture *f)
{
	to_lost(f);
	hang(f, "GET", EXTENSION);
	acting_run(&f->a, DUR_MIN(2));
}

static void to_activity(struct fixture *f)
{
	to_lost(f);
	absent(f);
	hang(f, "GET", "/Microsoft.Insights/");
	acting_run(&f->a, DUR_MIN(2));
}

static void to_overdue(struct fixture *f)
{
	to_running(f);
	acting_always(&f->a, "GET", "/operationstatus/", 200, "{\"status\":\"InProgress\"}");
	acting_run(&f->a, DUR_H(8));
}

static const struct phase {
	const char *name;
	void (*reach)(struct fixture *f);
	enum item_state state;
	enum operation_phase phase;
	bool asking; /* a call is under way */
} phases[] = {
	{"queued", to_queued, ITEM_QUEUED, PHASE_READING, false},
	{"reading", to_reading, ITEM_QUEUED, PHASE_READING, true},
	{"waiting for the package", to_package, ITEM_QUEUED, PHASE_READING, false},
	{"writing the intent", to_intended, ITEM_QUEUED, PHASE_INTENDED, false},
	{"waiting for quota", to_admission, ITEM_QUEUED, PHASE_INTENDED, true},
	{"on the wire", to_wire, ITEM_APPLYING, PHASE_SENT, true},
	{"lost", to_lost, ITEM_APPLYING, PHASE_SENT, false},
	{"running", to_running, ITEM_APPLYING, PHASE_RUNNING, false},
	{"polling", to_polling, ITEM_APPLYING, PHASE_RUNNING, true},
	{"looking", to_looking, ITEM_APPLYING, PHASE_SENT, true},
	{"reading the activity log", to_activity, ITEM_APPLYING, PHASE_SENT, true},
	{"overdue", to_overdue, ITEM_APPLYING, PHASE_RUNNING, false},
};

static void reach(struct fixture *f, const struct phase *phase)
{
	print_message("# %s\n", phase->name);
	start(f);
	phase->reach(f);
	assert_non_null(f->item->operation);
	assert_string_equal(operation_phase_word(f->item->operation->phase),
		operation_phase_word(phase->phase));
	assert_string_equal(
		item_state_word((enum item_state)f->item->state), item_state_word(phase->state));
	assert_int_equal(f->a.unscripted, 0);
}

static bool is_sent(const struct phase *phase)
{
	return phase->phase >= PHASE_SENT;
}

static void finish(struct fixture *f)
{
	vfs_crash_disarm(f->a.vfs);
	acting_fini(&f->a);
}

/* Nothing is left of it, and nothing of it comes back. */
static void nothing_is_left(struct fixture *f, size_t puts)
{
	/* Scripts that hang would hold later questions, too. */
	fake_transport_clear(f->a.fake.world.transport);
	vfs_crash_disarm(f->a.vfs);
	acting_run(&f->a, DUR_H(9));
	assert_int_equal(executor_running(f->a.executor), 0);
	assert_int_equal(executor_on_the_wire(f->a.executor), 0);
	assert_int_equal(acting_open_operations(&f->a), 0);
	assert_int_equal(acting_requests(&f->a, "PUT", "srv-1"), puts);
}

/* --- what happens then --- */

static void each_phase_looks_as_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		struct fixture f;
		bool unsent = !is_sent(&phases[i]);

		reach(&f, &phases[i]);
		assert_int_equal(executor_waiting(f.a.executor), unsent);
		assert_int_equal(executor_running(f.a.executor),
			!unsent && !str_equal(phases[i].name, "overdue"));
		assert_int_equal(executor_on_the_wire(f.a.executor),
			str_equal(phases[i].name, "on the wire"));
		if (phases[i].phase != PHASE_INTENDED)
			assert_int_equal(acting_open_operations(&f.a), !unsent);
		finish(&f);
	}
}

static void a_machine_may_go_in_any_phase(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		struct fixture f;

		reach(&f, &phases[i]);
		acting_gone(&f.a, f.m);
		assert_int_equal(executor_waiting(f.a.executor), 0);
		assert_int_equal(executor_running(f.a.executor), 0);
		nothing_is_left(&f, is_sent(&phases[i]));
		finish(&f);
	}
}

static void everything_may_be_torn_down_in_any_phase(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++)
		for (unsigned politely = 0; politely < 2; politely++) {
			struct fixture f;

			reach(&f, &phases[i]);
			vfs_crash_disarm(f.a.vfs);
			acting_stop(&f.a, politely == 1);
			acting_fini(&f.a);
		}
}

static void it_may_be_torn_down_in_the_turn_in_which_it_ended(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		struct fixture f;

		reach(&f, &phases[i]);
		vfs_crash_disarm(f.a.vfs);
		if (is_sent(&phases[i]))
			acting_gone(&f.a, f.m);
		else
			executor_withdraw_all(f.a.executor, REASON_STOPPING);
		acting_stop(&f.a, false);
		acting_fini(&f.a);
	}
}

static void only_what_was_not_sent_is_withdrawn(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		struct fixture f;
		struct item_ref ref;

		for (unsigned all = 0; all < 2; all++) {
			reach(&f, &phases[i]);
			ref = (struct item_ref){f.s, f.m, CONTROL_MDE_EXTENSION};
			if (all == 1)
				executor_withdraw_all(f.a.executor, REASON_HALTED);
			else
				executor_withdraw(f.a.executor, &ref);
			if (is_sent(&phases[i])) {
				assert_non_null(f.item->operation);
				assert_int_equal(f.item->state, ITEM_APPLYING);
			} else {
				assert_null(f.item->operation);
				if (all == 1)
					acting_expect(f.item, ITEM_DRIFTED, REASON_HALTED);
				gate_pause(f.a.gate, "*", "tester", "");
				nothing_is_left(&f, 0);
			}
			finish(&f);
		}
	}
}

/* The subscription leaves the scope: nobody is left to write, and nobody to ask as. */
static void a_scope_may_be_lost_in_any_phase(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		struct fixture f;

		reach(&f, &phases[i]);
		f.a.scopes[0].everything = false;
		acting_reload(&f.a);
		assert_null(f.s->scope);
		/* Machines are judged anew in turns of their own. */
		acting_run(&f.a, DUR_MS(0));
		if (is_sent(&phases[i])) {
			/* Followed to its end first. */
			assert_true(f.item->applies);
			assert_int_equal(executor_running(f.a.executor),
				!str_equal(phases[i].name, "overdue"));
		} else {
			assert_false(f.item->applies);
			assert_null(f.item->operation);
		}
		fake_transport_clear(f.a.fake.world.transport);
		vfs_crash_disarm(f.a.vfs);
		acting_run(&f.a, DUR_H(9));
		acting_pass(&f.a);
		acting_run(&f.a, DUR_MIN(1));
		assert_int_equal(acting_requests(&f.a, "PUT", "srv-1"), is_sent(&phases[i]));
		if (!str_equal(phases[i].name, "on the wire") &&
			!str_equal(phases[i].name, "polling") &&
			!str_equal(phases[i].name, "looking") &&
			!str_equal(phases[i].name, "reading the activity log")) {
			assert_false(f.item->applies);
			assert_int_equal(acting_open_operations(&f.a), 0);
			assert_int_equal(executor_running(f.a.executor), 0);
		}
		finish(&f);
	}
}

static void an_operators_word_interrupts_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		struct fixture f;
		struct item_ref ref;

		reach(&f, &phases[i]);
		ref = (struct item_ref){f.s, f.m, CONTROL_N_};
		for (unsigned n = 0; n < 3; n++)
			reconciler_force(f.a.reconciler, &ref);
		assert_non_null(f.item->operation);
		assert_int_equal(f.item->operation->phase, phases[i].phase);
		assert_int_equal(f.item->state, phases[i].state);
		acting_run(&f.a, DUR_S(1));
		assert_int_equal(acting_requests(&f.a, "PUT", "srv-1"), is_sent(&phases[i]));
		finish(&f);
	}
}

/* Whatever is seen meanwhile. */
static void sights_in_any_phase_lead_to_no_second_write(void **state)
{
	static const char *const sights[] = {"Creating", "Failed", "Odd", "Canceled"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++)
		for (size_t n = 0; n < ARRAY_LEN(sights); n++) {
			struct fixture f;

			reach(&f, &phases[i]);
			acting_extension(&f.a, f.m, sights[n], SOURCE_GRAPH);
			acting_saw(&f.a, f.s, f.m);
			acting_status(&f.a, f.m, "Disconnected");
			acting_saw(&f.a, f.s, f.m);
			acting_status(&f.a, f.m, "Connected");
			acting_saw(&f.a, f.s, f.m);
			acting_run(&f.a, DUR_S(3));
			if (is_sent(&phases[i]))
				assert_int_equal(acting_requests(&f.a, "PUT", "srv-1"), 1);
			else
				assert_int_equal(acting_requests(&f.a, "PUT", "srv-1"), 0);
			finish(&f);
		}
}

/* --- restarts --- */

/* 0 repeated operations: what was sent, or may have been, is followed and not sent again. */
static void a_crash_in_any_phase_repeats_nothing(void **state)
{
	static const enum vfs_loss losses[] = {VFS_LOSE_NOTHING, VFS_LOSE_UNSYNCED, VFS_LOSE_SOME};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++)
		for (size_t n = 0; n < ARRAY_LEN(losses); n++) {
			struct fixture f;
			mdc_autofree char *done = NULL, *creating = NULL;
			bool sent = is_sent(&phases[i]);
			bool overdue = str_equal(phases[i].name, "overdue");
			/* Written down, and not known whether it was sent. */
			bool held;

			reach(&f, &phases[i]);
			done = acting_extension_json(f.m, "Succeeded", "0");
			acting_crash(&f.a, losses[n]);
			f.a.mute = false;
			fake_transport_clear(f.a.fake.world.transport);
			held = acting_open_operations(&f.a) > 0;
			assert_true(held || !sent);
			f.s = acting_subscription(&f.a, 1);
			f.m = acting_machine(&f.a, f.s, "srv-1", ACTING_WINDOWS);
			f.item = acting_sensor(f.m);
			creating = acting_extension_json(f.m, "Creating", "1");
			acting_always(&f.a, "GET", EXTENSION, overdue ? 200 : 404,
				overdue ? creating : "{\"error\":{\"code\":\"ResourceNotFound\"}}");
			acting_always(&f.a, "GET", "/Microsoft.Insights/", 200, "{\"value\":[{}]}");
			acting_always(&f.a, "PUT", EXTENSION, 200, done);
			acting_pass(&f.a);
			acting_run(&f.a, DUR_MIN(20));
			if (held) {
				acting_expect(f.item, ITEM_APPLYING,
					overdue ? REASON_OPERATION_OVERDUE
						: REASON_OUTCOME_UNKNOWN);
				assert_int_equal(acting_requests(&f.a, "PUT", "srv-1"), sent);
				assert_true(acting_requests(&f.a, "GET", EXTENSION) > 1);
			} else {
				acting_expect(f.item, ITEM_SETTLING, REASON_ACCEPTED);
				assert_int_equal(acting_requests(&f.a, "PUT", "srv-1"), 1);
			}
			finish(&f);
		}
}

static void what_ended_before_the_crash_is_not_followed(void **state)
{
	struct fixture f;
	mdc_autofree char *done = NULL;

	(void)state;
	start(&f);
	done = acting_extension_json(f.m, "Succeeded", "0");
	absent(&f);
	acting_answer(&f.a, "PUT", EXTENSION, 200, done);
	go(&f, DUR_S(3));
	acting_expect(f.item, ITEM_SETTLING, REASON_ACCEPTED);
	acting_crash(&f.a, VFS_LOSE_UNSYNCED);
	assert_int_equal(acting_open_operations(&f.a), 0);
	f.s = acting_subscription(&f.a, 1);
	f.m = acting_machine(&f.a, f.s, "srv-1", ACTING_WINDOWS);
	acting_pass(&f.a);
	/* Still settling: it is not written a second time because Graph lags. */
	acting_expect(acting_sensor(f.m), ITEM_SETTLING, REASON_ACCEPTED);
	acting_run(&f.a, DUR_MIN(5));
	acting_extension(&f.a, f.m, "Succeeded", SOURCE_GRAPH);
	acting_pass(&f.a);
	acting_expect(acting_sensor(f.m), ITEM_COMPLIANT, REASON_IN_SYNC);
	assert_int_equal(acting_sensor(f.m)->corrections, 1);
	assert_int_equal(acting_requests(&f.a, "PUT", ""), 1);
	finish(&f);
}

static void recovered(struct fixture *f)
{
	start(f);
	to_lost(f);
	acting_crash(&f->a, VFS_LOSE_UNSYNCED);
	fake_transport_clear(f->a.fake.world.transport);
}

static void a_recovered_operation_waits_for_its_resource_to_be_observed(void **state)
{
	struct fixture f;
	mdc_autofree char *done = NULL;

	(void)state;
	recovered(&f);
	assert_int_equal(executor_running(f.a.executor), 1);
	acting_run(&f.a, DUR_H(1));
	f.s = acting_subscription(&f.a, 1);
	f.m = acting_machine(&f.a, f.s, "srv-1", ACTING_WINDOWS);
	done = acting_extension_json(f.m, "Succeeded", "0");
	acting_answer(&f.a, "GET", EXTENSION, 200, done);
	acting_pass(&f.a);
	acting_expect(acting_sensor(f.m), ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
	acting_run(&f.a, DUR_S(5));
	acting_expect(acting_sensor(f.m), ITEM_COMPLIANT, REASON_IN_SYNC);
	assert_int_equal(executor_running(f.a.executor), 0);
	assert_int_equal(acting_open_operations(&f.a), 0);
	finish(&f);
}

static void a_recovered_operation_whose_resource_is_never_seen_expires(void **state)
{
	struct fixture f;

	(void)state;
	recovered(&f);
	acting_subscription(&f.a, 1);
	acting_run(&f.a, DUR_H(6));
	acting_pass(&f.a);
	assert_int_equal(executor_running(f.a.executor), 1);
	acting_run(&f.a, DUR_H(2));
	acting_pass(&f.a);
	acting_run(&f.a, DUR_S(1));
	assert_int_equal(executor_running(f.a.executor), 0);
	assert_int_equal(acting_open_operations(&f.a), 0);
	finish(&f);
}

static void without_a_scope_a_recovered_operation_is_held_to_its_deadline(void **state)
{
	struct fixture f;

	(void)state;
	recovered(&f);
	f.a.scopes[0].everything = false;
	f.a.unconfirmed = true;
	f.s = acting_subscription(&f.a, 1);
	f.m = acting_machine(&f.a, f.s, "srv-1", ACTING_WINDOWS);
	acting_pass(&f.a);
	acting_run(&f.a, DUR_H(6));
	assert_int_equal(executor_running(f.a.executor), 1);
	acting_run(&f.a, DUR_H(2));
	assert_int_equal(executor_running(f.a.executor), 0);
	assert_null(acting_sensor(f.m)->operation);
	assert_int_equal(acting_open_operations(&f.a), 0);
	finish(&f);
}

/* The row of the item was lost: its operation holds it all the same. */
static void an_intent_holds_an_item_that_is_not_remembered(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	to_lost(&f);
	store_delete_item(f.a.store, "mde-extension", f.m->id);
	acting_open_operations(&f.a);
	acting_crash(&f.a, VFS_LOSE_UNSYNCED);
	fake_transport_clear(f.a.fake.world.transport);
	f.s = acting_subscription(&f.a, 1);
	f.m = acting_machine(&f.a, f.s, "srv-1", ACTING_WINDOWS);
	acting_pass(&f.a);
	acting_expect(acting_sensor(f.m), ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
	finish(&f);
}

/* Two rows without an end, as a full store may leave them: one operation, not an orphan. */
static void of_two_recovered_operations_the_newer_counts(void **state)
{
	struct fixture f;
	struct stored_operation op = {.control = "mde-extension",
		.target_id = "/t",
		.verb = "PUT",
		.body_hash = "00",
		.correlation_id = "c0000000-0000-4000-8000-000000000001",
		.phase = "intended"};

	(void)state;
	start(&f);
	op.resource_id = f.m->id;
	op.started = acting_now(&f.a);
	op.deadline = wall_add(op.started, DUR_H(7));
	for (unsigned i = 0; i < 2; i++) {
		op.id = store_next_operation_id(f.a.store);
		store_put_operation(f.a.store, &op);
	}
	assert_int_equal(acting_open_operations(&f.a), 2);
	acting_crash(&f.a, VFS_LOSE_UNSYNCED);
	assert_int_equal(executor_running(f.a.executor), 1);
	assert_int_equal(acting_open_operations(&f.a), 1);
	f.s = acting_subscription(&f.a, 1);
	f.m = acting_machine(&f.a, f.s, "srv-1", ACTING_WINDOWS);
	acting_pass(&f.a);
	acting_expect(acting_sensor(f.m), ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
	acting_gone(&f.a, f.m);
	acting_run(&f.a, DUR_S(1));
	assert_int_equal(executor_running(f.a.executor), 0);
	assert_int_equal(acting_open_operations(&f.a), 0);
	finish(&f);
}

static void what_waits_for_the_store_goes_on_with_it(void **state)
{
	struct fixture f;

	(void)state;
	reach(&f, &phases[0]);
	hang(&f, "GET", EXTENSION);
	vfs_crash_disarm(f.a.vfs);
	for (unsigned i = 0; i < 100 && !store_healthy(f.a.store); i++)
		acting_run(&f.a, DUR_MS(20));
	assert_true(store_healthy(f.a.store));
	assert_int_equal(acting_requests(&f.a, "GET", EXTENSION), 0);
	executor_go_on(f.a.executor);
	acting_run(&f.a, DUR_MS(100));
	assert_int_equal(acting_requests(&f.a, "GET", EXTENSION), 1);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_phase_looks_as_it_should),
		cmocka_unit_test(a_machine_may_go_in_any_phase),
		cmocka_unit_test(everything_may_be_torn_down_in_any_phase),
		cmocka_unit_test(it_may_be_torn_down_in_the_turn_in_which_it_ended),
		cmocka_unit_test(only_what_was_not_sent_is_withdrawn),
		cmocka_unit_test(a_scope_may_be_lost_in_any_phase),
		cmocka_unit_test(an_operators_word_interrupts_nothing),
		cmocka_unit_test(sights_in_any_phase_lead_to_no_second_write),
		cmocka_unit_test(a_crash_in_any_phase_repeats_nothing),
		cmocka_unit_test(what_ended_before_the_crash_is_not_followed),
		cmocka_unit_test(what_waits_for_the_store_goes_on_with_it),
		cmocka_unit_test(a_recovered_operation_waits_for_its_resource_to_be_observed),
		cmocka_unit_test(a_recovered_operation_whose_resource_is_never_seen_expires),
		cmocka_unit_test(without_a_scope_a_recovered_operation_is_held_to_its_deadline),
		cmocka_unit_test(an_intent_holds_an_item_that_is_not_remembered),
		cmocka_unit_test(of_two_recovered_operations_the_newer_counts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
