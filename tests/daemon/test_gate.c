/* SPDX-License-Identifier: Apache-2.0 */
/* What holds writes back: the halt, pauses, lost state, and reach that is not confirmed. */
#include "tests/harness/acting.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SUB_1 "aaaaaaaa-0000-4000-8000-000000000001"

struct fixture {
	struct acting a;
	char *marker;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	acting_init(&f->a);
	f->a.unconfirmed = true;
	f->marker = xasprintf("%s/halt", f->a.directory);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	acting_fini(&f->a);
	free(f->marker);
	free(f);
	return 0;
}

static void restart(struct fixture *f)
{
	acting_crash(&f->a, VFS_LOSE_NOTHING);
}

static void settle(struct fixture *f)
{
	acting_run(&f->a, DUR_S(1));
}

/* --- the halt --- */

static void put_marker(struct fixture *f, const void *text, size_t len)
{
	int fd = open(f->marker, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void a_halt_outlasts_restarts_and_is_lifted_only_by_a_word(void **state)
{
	struct fixture *f = *state;

	assert_false(gate_is_halted(f->a.gate));
	assert_int_equal(gate_halt(f->a.gate, "jane", "something smells"), 0);
	assert_true(gate_is_halted(f->a.gate));
	assert_non_null(strstr(gate_halt_reason(f->a.gate), "something smells (by jane, 2026-"));
	assert_int_equal(access(f->marker, F_OK), 0);
	restart(f);
	assert_true(gate_is_halted(f->a.gate));
	assert_non_null(strstr(gate_halt_reason(f->a.gate), "something smells (by jane, 2026-"));
	assert_int_equal(gate_unhalt(f->a.gate, "jane"), 0);
	assert_false(gate_is_halted(f->a.gate));
	assert_int_equal(access(f->marker, F_OK), -1);
	restart(f);
	assert_false(gate_is_halted(f->a.gate));
}

static void without_a_reason_it_says_so(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gate_halt(f->a.gate, "jane", NULL), 0);
	assert_non_null(strstr(gate_halt_reason(f->a.gate), "no reason given (by jane"));
}

static void a_marker_that_comes_by_hand_holds_the_plan(void **state)
{
	struct fixture *f = *state;
	struct plan_limits limits = {0};

	gate_limits(f->a.gate, &limits);
	assert_false(limits.halted);
	put_marker(f, "night\n", 6);
	gate_limits(f->a.gate, &limits);
	assert_true(limits.halted);
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_HALTED_MESSAGE), 1);
}

static void whatever_is_there_halts(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *target = xasprintf("%s/elsewhere", f->a.directory);

	/* Empty; a link that leads nowhere; a link to a file; a directory; a pipe. */
	put_marker(f, "", 0);
	restart(f);
	assert_true(gate_is_halted(f->a.gate));
	assert_int_equal(unlink(f->marker), 0);

	assert_int_equal(symlink(target, f->marker), 0);
	restart(f);
	assert_true(gate_is_halted(f->a.gate));
	assert_int_equal(gate_unhalt(f->a.gate, "jane"), 0);

	close(open(target, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(symlink(target, f->marker), 0);
	restart(f);
	assert_true(gate_is_halted(f->a.gate));
	assert_int_equal(gate_unhalt(f->a.gate, "jane"), 0);
	assert_int_equal(access(target, F_OK), 0);

	assert_int_equal(mkfifo(f->marker, 0600), 0);
	restart(f);
	assert_true(gate_is_halted(f->a.gate));
	assert_int_equal(gate_unhalt(f->a.gate, "jane"), 0);

	assert_int_equal(mkdir(f->marker, 0700), 0);
	restart(f);
	assert_true(gate_is_halted(f->a.gate));
	assert_true(gate_unhalt(f->a.gate, "jane") < 0);
	assert_true(gate_is_halted(f->a.gate));
	assert_int_equal(rmdir(f->marker), 0);
	assert_int_equal(gate_unhalt(f->a.gate, "jane"), 0);
	assert_false(gate_is_halted(f->a.gate));
}

static void a_marker_that_may_not_be_read_halts(void **state)
{
	struct fixture *f = *state;

	put_marker(f, "x", 1);
	assert_int_equal(chmod(f->marker, 0), 0);
	restart(f);
	assert_true(gate_is_halted(f->a.gate));
}

static void its_text_is_fit_to_be_shown(void **state)
{
	static const char hostile[] = "\x1b[2J\xff\xfe halted\x07 \xe2\x80\xae\nsecond line";
	struct fixture *f = *state;
	char *huge = xcalloc(1, 100000);
	json_t *text;

	put_marker(f, hostile, sizeof(hostile) - 1);
	restart(f);
	assert_true(gate_is_halted(f->a.gate));
	assert_null(strchr(gate_halt_reason(f->a.gate), '\x1b'));
	assert_null(strstr(gate_halt_reason(f->a.gate), "second"));
	text = json_string(gate_halt_reason(f->a.gate));
	assert_non_null(text);
	json_decref(text);
	memset(huge, 'h', 99999);
	put_marker(f, huge, 99999);
	free(huge);
	restart(f);
	assert_true(strlen(gate_halt_reason(f->a.gate)) < 5000);
}

static void a_marker_made_by_hand_halts_at_the_next_write(void **state)
{
	struct fixture *f = *state;

	assert_false(gate_is_halted_now(f->a.gate));
	put_marker(f, "by hand", 7);
	assert_true(gate_is_halted_now(f->a.gate));
	assert_string_equal(gate_halt_reason(f->a.gate), "by hand");
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_HALTED_MESSAGE), 1);
	/* To remove it is not enough: that may be an accident. */
	assert_int_equal(unlink(f->marker), 0);
	assert_true(gate_is_halted_now(f->a.gate));
	assert_int_equal(gate_unhalt(f->a.gate, "jane"), 0);
	assert_false(gate_is_halted_now(f->a.gate));
}

static void a_halt_whose_marker_cannot_be_written_halts_all_the_same(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->marker, 0700), 0);
	assert_true(gate_halt(f->a.gate, "jane", "now") < 0);
	assert_true(gate_is_halted(f->a.gate));
	assert_int_equal(rmdir(f->marker), 0);
	assert_int_equal(symlink("/dev/null", f->marker), 0);
	assert_true(gate_halt(f->a.gate, "jane", "now") < 0);
	assert_true(gate_is_halted(f->a.gate));
	assert_int_equal(unlink(f->marker), 0);
}

/* --- pauses --- */

static void pauses_are_known_by_name_and_id_in_any_casing(void **state)
{
	struct fixture *f = *state;
	struct gate *g = f->a.gate;

	gate_pause(g, "Production", "jane", "a change");
	assert_true(gate_is_paused(g, "production", NULL));
	assert_true(gate_is_paused(g, "PRODUCTION", "/x"));
	assert_false(gate_is_paused(g, "second", "/x"));
	gate_pause(g, "/subscriptions/A/machines/M", "jane", NULL);
	assert_true(gate_is_paused(g, NULL, "/subscriptions/a/MACHINES/m"));
	settle(f);
	restart(f);
	g = f->a.gate;
	assert_true(gate_is_paused(g, "production", NULL));
	assert_true(gate_is_paused(g, NULL, "/SUBSCRIPTIONS/A/machines/m"));
	assert_string_equal(json_text(json_object_get(gate_pauses(g), "Production"), "by"), "jane");
	assert_int_equal(gate_resume(g, "pRODUCTION", "jane"), 0);
	assert_int_equal(gate_resume(g, "production", "jane"), -ENOENT);
	assert_false(gate_is_paused(g, "production", NULL));
	settle(f);
	restart(f);
	assert_false(gate_is_paused(f->a.gate, "production", NULL));
	assert_true(gate_is_paused(f->a.gate, NULL, "/subscriptions/a/machines/m"));
}

static void a_pause_of_everything_is_one_of_everything(void **state)
{
	struct fixture *f = *state;

	gate_pause(f->a.gate, "*", "jane", "");
	assert_true(gate_is_paused(f->a.gate, NULL, NULL));
	assert_true(gate_is_paused(f->a.gate, "second", "/x"));
	assert_int_equal(gate_resume(f->a.gate, "*", "jane"), 0);
	assert_false(gate_is_paused(f->a.gate, "second", "/x"));
}

static void odd_words_do_not_lose_a_pause(void **state)
{
	struct fixture *f = *state;

	gate_pause(f->a.gate, "production", "who\xff", "why\x1b[1m");
	assert_true(gate_is_paused(f->a.gate, "production", NULL));
	settle(f);
	restart(f);
	assert_true(gate_is_paused(f->a.gate, "production", NULL));
}

static void pauses_that_cannot_be_read_are_none(void **state)
{
	static const char *const texts[] = {"", "[]", "7", "{", "null"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		store_put_value(f->a.store, "paused", texts[i]);
		store_flush(f->a.store, NULL, NULL);
		settle(f);
		restart(f);
		assert_int_equal(json_object_size(gate_pauses(f->a.gate)), 0);
		gate_pause(f->a.gate, "production", "jane", "");
		assert_true(gate_is_paused(f->a.gate, "production", NULL));
	}
}

static void a_pause_that_matches_nothing_any_more_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct machine *m;

	m = acting_machine(&f->a, acting_subscription(&f->a, 1), "srv", ACTING_LINUX);
	gate_pause(f->a.gate, "production", "jane", "");
	gate_pause(f->a.gate, "*", "jane", "");
	gate_pause(f->a.gate, SUB_1, "jane", "");
	gate_pause(f->a.gate, m->id, "jane", "");
	gate_measure(f->a.gate, f->a.config, f->a.inventory);
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_TROUBLE_MESSAGE), 0);
	f->a.scopes[0].name = (char *)"renamed";
	for (unsigned i = 0; i < 3; i++)
		gate_measure(f->a.gate, f->a.config, f->a.inventory);
	assert_int_equal(log_capture_count(f->a.fake.capture, LOG_TROUBLE_MESSAGE), 1);
	assert_true(
		log_capture_holds(f->a.fake.capture, "the pause of production matches nothing"));
}

/* --- reach --- */

static bool may_write(struct fixture *f, const char *subscription)
{
	return !gate_is_unconfirmed(f->a.gate, subscription, CONTROL_SERVERS_PLAN) &&
		!gate_is_unconfirmed(f->a.gate, subscription, CONTROL_MDE_EXTENSION);
}

static void measure(struct fixture *f)
{
	gate_measure(f->a.gate, f->a.config, f->a.inventory);
}

static void add_machines(struct fixture *f, struct subscription *s, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		mdc_autofree char *name = xasprintf("m%u", i);

		acting_machine(&f->a, s, name, ACTING_LINUX);
	}
}

static size_t announcements(const struct fixture *f)
{
	return log_capture_count(f->a.fake.capture, LOG_UNCONFIRMED_MESSAGE);
}

static void the_first_enforce_of_a_scope_waits_for_a_word(void **state)
{
	struct fixture *f = *state;
	const struct reach_growth *growth;

	add_machines(f, acting_subscription(&f->a, 1), 3);
	assert_false(may_write(f, SUB_1));
	measure(f);
	assert_false(may_write(f, SUB_1));
	assert_true(gate_needs_confirmation(f->a.gate, &growth));
	assert_true(growth->first_enforce);
	assert_int_equal(growth->machines, 3);
	for (unsigned i = 0; i < 5; i++)
		measure(f);
	assert_int_equal(announcements(f), 1);
	gate_confirm(f->a.gate, "jane");
	assert_true(may_write(f, SUB_1));
	assert_false(gate_needs_confirmation(f->a.gate, NULL));
	measure(f);
	assert_true(may_write(f, SUB_1));
	assert_true(log_capture_holds(
		f->a.fake.capture, "jane confirmed: 1 subscriptions with 3 machines"));
}

static void what_was_confirmed_is_known_after_a_restart(void **state)
{
	struct fixture *f = *state;

	acting_subscription(&f->a, 1);
	measure(f);
	gate_confirm(f->a.gate, "jane");
	settle(f);
	acting_crash(&f->a, VFS_LOSE_UNSYNCED);
	/* Not before anything was measured, though. */
	assert_false(may_write(f, SUB_1));
	acting_subscription(&f->a, 1);
	measure(f);
	assert_true(may_write(f, SUB_1));
	assert_false(gate_needs_confirmation(f->a.gate, NULL));
}

static void what_is_new_is_compared_at_start_as_well(void **state)
{
	struct fixture *f = *state;

	acting_subscription(&f->a, 1);
	measure(f);
	gate_confirm(f->a.gate, "jane");
	settle(f);
	restart(f);
	for (unsigned i = 1; i < 9; i++)
		acting_subscription(&f->a, i);
	measure(f);
	assert_true(gate_needs_confirmation(f->a.gate, NULL));
	assert_true(may_write(f, SUB_1));
	assert_false(may_write(f, "aaaaaaaa-0000-4000-8000-000000000008"));
}

static void small_growth_is_taken_in_and_large_growth_waits(void **state)
{
	static const struct {
		unsigned subscriptions, machines;
		bool waits;
	} rows[] = {{1, 10, false}, {1, 101, true}, {5, 20, false}, {6, 1, true}, {5, 21, true}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f;

		setup(state);
		f = *state;
		acting_subscription(&f->a, 1);
		measure(f);
		gate_confirm(f->a.gate, "jane");
		for (unsigned n = 0; n < rows[i].subscriptions; n++)
			add_machines(f, acting_subscription(&f->a, 2 + n), rows[i].machines);
		measure(f);
		assert_int_equal(gate_needs_confirmation(f->a.gate, NULL), rows[i].waits);
		assert_int_equal(
			may_write(f, "aaaaaaaa-0000-4000-8000-000000000002"), !rows[i].waits);
		assert_true(may_write(f, SUB_1));
		teardown(state);
	}
}

/* A management group that grows shows its subscriptions before anybody has measured them. */
static void a_subscription_is_not_written_to_before_it_was_measured(void **state)
{
	struct fixture *f = *state;
	struct subscription *s;

	f->a.unconfirmed = false;
	acting_subscription(&f->a, 1);
	f->a.unconfirmed = true;
	acting_pass(&f->a);
	s = acting_subscription(&f->a, 2);
	acting_plan(&f->a, s, "Free", NULL);
	acting_saw(&f->a, s, NULL);
	reconciler_pass_ended(f->a.reconciler);
	acting_run(&f->a, DUR_MIN(1));
	acting_expect(&s->items[CONTROL_SERVERS_PLAN], ITEM_DRIFTED, REASON_PLAN_OFF);
	assert_int_equal(acting_requests(&f->a, "GET", "/pricings/"), 0);
	acting_pass(&f->a);
	acting_run(&f->a, DUR_S(5));
	assert_true(acting_requests(&f->a, "GET", "/pricings/") > 0);
}

static void a_subscription_whose_machines_cannot_be_listed_waits(void **state)
{
	struct fixture *f = *state;
	struct subscription *s;
	size_t told;

	f->a.unconfirmed = false;
	acting_subscription(&f->a, 1);
	f->a.unconfirmed = true;
	told = announcements(f);
	s = acting_subscription(&f->a, 2);
	s->machines_stamp = (struct stamp){0};
	measure(f);
	assert_false(may_write(f, s->id));
	assert_true(may_write(f, SUB_1));
	assert_int_equal(announcements(f), told);
	/* Still not with the next pass: that is told, and a word is enough. */
	measure(f);
	measure(f);
	assert_int_equal(announcements(f), told + 1);
	assert_true(gate_needs_confirmation(f->a.gate, NULL));
	gate_confirm(f->a.gate, "jane");
	assert_true(may_write(f, s->id));
	assert_false(gate_needs_confirmation(f->a.gate, NULL));
}

static void one_that_is_listed_later_is_taken_in_then(void **state)
{
	struct fixture *f = *state;
	struct subscription *s;
	size_t told;

	f->a.unconfirmed = false;
	acting_subscription(&f->a, 1);
	f->a.unconfirmed = true;
	told = announcements(f);
	s = acting_subscription(&f->a, 2);
	s->machines_stamp = (struct stamp){0};
	measure(f);
	assert_false(may_write(f, s->id));
	acting_relist(&f->a);
	measure(f);
	assert_true(may_write(f, s->id));
	assert_int_equal(announcements(f), told);
	assert_false(gate_needs_confirmation(f->a.gate, NULL));
}

static void each_scope_is_confirmed_for_itself(void **state)
{
	static char id[] = "aaaaaaaa-0000-4000-8000-000000000002", *ids[] = {id};
	struct fixture *f = *state;

	f->a.config->scope_count = 2;
	f->a.scopes[1].subscriptions = ids;
	f->a.scopes[1].subscription_count = 1;
	f->a.scopes[1].mode = MODE_OBSERVE;
	acting_subscription(&f->a, 1);
	acting_subscription(&f->a, 2);
	measure(f);
	gate_confirm(f->a.gate, "jane");
	assert_true(may_write(f, SUB_1));
	assert_false(may_write(f, id));
	f->a.scopes[1].mode = MODE_ENFORCE;
	measure(f);
	assert_true(gate_needs_confirmation(f->a.gate, NULL));
	assert_true(may_write(f, SUB_1));
	assert_false(may_write(f, id));
	assert_int_equal(announcements(f), 2);
}

static void a_control_that_is_added_waits_where_it_is_too_much(void **state)
{
	struct fixture *f = *state;

	f->a.policy.deploy = DEPLOY_NEVER;
	add_machines(f, acting_subscription(&f->a, 1), 150);
	measure(f);
	gate_confirm(f->a.gate, "jane");
	assert_false(gate_is_unconfirmed(f->a.gate, SUB_1, CONTROL_SERVERS_PLAN));
	f->a.policy.deploy = DEPLOY_AFTER_GRACE;
	measure(f);
	assert_true(gate_needs_confirmation(f->a.gate, NULL));
	assert_false(gate_is_unconfirmed(f->a.gate, SUB_1, CONTROL_SERVERS_PLAN));
	assert_true(gate_is_unconfirmed(f->a.gate, SUB_1, CONTROL_MDE_EXTENSION));
}

static void to_enforce_again_is_growth_again(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 1; i < 9; i++)
		acting_subscription(&f->a, i);
	measure(f);
	gate_confirm(f->a.gate, "jane");
	f->a.scopes[0].mode = MODE_OBSERVE;
	measure(f);
	assert_false(gate_needs_confirmation(f->a.gate, NULL));
	settle(f);
	restart(f);
	f->a.scopes[0].mode = MODE_ENFORCE;
	for (unsigned i = 1; i < 9; i++)
		acting_subscription(&f->a, i);
	measure(f);
	assert_true(gate_needs_confirmation(f->a.gate, NULL));
	assert_false(may_write(f, SUB_1));
}

/* One that is not listed for a while is no decision of anybody. */
static void what_comes_back_is_still_confirmed(void **state)
{
	struct fixture *f = *state;

	acting_subscription(&f->a, 1);
	acting_subscription(&f->a, 2);
	measure(f);
	gate_confirm(f->a.gate, "jane");
	settle(f);
	restart(f);
	acting_subscription(&f->a, 2);
	acting_subscription(&f->a, 3);
	measure(f);
	settle(f);
	restart(f);
	acting_subscription(&f->a, 1);
	measure(f);
	assert_true(may_write(f, SUB_1));
	assert_false(gate_needs_confirmation(f->a.gate, NULL));
}

static void a_reach_that_cannot_be_read_is_confirmed_anew(void **state)
{
	struct fixture *f = *state;

	acting_subscription(&f->a, 1);
	measure(f);
	gate_confirm(f->a.gate, "jane");
	store_put_value(f->a.store, "reach", "subscription nonsense");
	store_flush(f->a.store, NULL, NULL);
	settle(f);
	restart(f);
	acting_subscription(&f->a, 1);
	measure(f);
	assert_true(gate_needs_confirmation(f->a.gate, NULL));
	assert_false(may_write(f, SUB_1));
}

/* --- lost state --- */

static void lose_state(struct fixture *f)
{
	f->a.gate = gate_free(f->a.gate);
	f->a.gate = gate_new(&f->a.fake.world, f->a.store, f->a.directory, true);
	/* The executor of this world is bound to the old one: nothing is carried out here. */
	executor_stop(f->a.executor);
}

static void lost_state_holds_everything_until_a_word(void **state)
{
	struct fixture *f = *state;
	struct plan_limits limits = {0};

	acting_subscription(&f->a, 1);
	measure(f);
	gate_confirm(f->a.gate, "jane");
	lose_state(f);
	assert_true(gate_state_is_lost(f->a.gate));
	measure(f);
	assert_false(may_write(f, SUB_1));
	gate_limits(f->a.gate, &limits);
	assert_true(limits.unconfirmed_all);
	/* Nor is it forgotten by the next start, which finds the state as it is now. */
	store_flush(f->a.store, NULL, NULL);
	settle(f);
	restart(f);
	assert_true(gate_state_is_lost(f->a.gate));
	acting_subscription(&f->a, 1);
	measure(f);
	assert_false(may_write(f, SUB_1));
	gate_confirm(f->a.gate, "jane");
	assert_true(may_write(f, SUB_1));
	settle(f);
	restart(f);
	assert_false(gate_state_is_lost(f->a.gate));
}

static void a_word_before_anything_was_observed_confirms_no_reach(void **state)
{
	struct fixture *f = *state;

	lose_state(f);
	gate_confirm(f->a.gate, "jane");
	assert_false(gate_state_is_lost(f->a.gate));
	assert_false(may_write(f, SUB_1));
	acting_subscription(&f->a, 1);
	measure(f);
	assert_true(gate_needs_confirmation(f->a.gate, NULL));
	assert_false(may_write(f, SUB_1));
	settle(f);
	restart(f);
	assert_false(gate_state_is_lost(f->a.gate));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_halt_outlasts_restarts_and_is_lifted_only_by_a_word),
		CASE(without_a_reason_it_says_so),
		CASE(a_marker_that_comes_by_hand_holds_the_plan),
		CASE(whatever_is_there_halts),
		CASE(a_marker_that_may_not_be_read_halts),
		CASE(its_text_is_fit_to_be_shown),
		CASE(a_marker_made_by_hand_halts_at_the_next_write),
		CASE(a_halt_whose_marker_cannot_be_written_halts_all_the_same),
		CASE(pauses_are_known_by_name_and_id_in_any_casing),
		CASE(a_pause_of_everything_is_one_of_everything),
		CASE(odd_words_do_not_lose_a_pause),
		CASE(pauses_that_cannot_be_read_are_none),
		CASE(a_pause_that_matches_nothing_any_more_is_told_once),
		CASE(the_first_enforce_of_a_scope_waits_for_a_word),
		CASE(what_was_confirmed_is_known_after_a_restart),
		CASE(what_is_new_is_compared_at_start_as_well),
		cmocka_unit_test(small_growth_is_taken_in_and_large_growth_waits),
		CASE(a_subscription_is_not_written_to_before_it_was_measured),
		CASE(a_subscription_whose_machines_cannot_be_listed_waits),
		CASE(one_that_is_listed_later_is_taken_in_then),
		CASE(each_scope_is_confirmed_for_itself),
		CASE(a_control_that_is_added_waits_where_it_is_too_much),
		CASE(to_enforce_again_is_growth_again),
		CASE(what_comes_back_is_still_confirmed),
		CASE(a_reach_that_cannot_be_read_is_confirmed_anew),
		CASE(lost_state_holds_everything_until_a_word),
		CASE(a_word_before_anything_was_observed_confirms_no_reach),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
