/* SPDX-License-Identifier: Apache-2.0 */
/* Golden walks: what an item goes through, step by step, from one trouble to its end. */
#include "lib/engine/item_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW ((struct wall){INT64_C(1800000000000)})

static struct wall after(struct dur d)
{
	return wall_add(NOW, d);
}

struct walk {
	struct item item;
	struct wall now;
	unsigned effects; /* of the last step */
};

static struct walk walk_from(enum item_state state, enum reason reason)
{
	return (struct walk){
		.item = {.state = (uint8_t)state,
			.reason = (uint8_t)reason,
			.due = WALL_NEVER,
			.since = NOW,
			.detail = ""},
		.now = NOW,
	};
}

static struct item_step walk_event(struct walk *w, struct item_event e)
{
	struct item_step step;

	e.detail = e.detail != NULL ? e.detail : "";
	step = item_step(&w->item, &e, w->now);
	w->effects = step.effects;
	if (step.ignored)
		return step;
	w->item.state = (uint8_t)step.state;
	w->item.reason = (uint8_t)step.reason;
	w->item.due = step.due;
	w->item.attempts = step.attempts;
	w->item.misses = step.misses;
	w->item.corrections = step.corrections;
	w->item.detail = e.detail;
	if (step.changed)
		w->item.since = w->now;
	return step;
}

static struct item_step walk(struct walk *w, enum item_event_kind kind, enum reason reason)
{
	return walk_event(w, (struct item_event){.kind = kind, .reason = reason});
}

static void expect_at(const struct walk *w, enum item_state state, enum reason reason)
{
	assert_string_equal(
		item_state_word((enum item_state)w->item.state), item_state_word(state));
	assert_string_equal(reason_word((enum reason)w->item.reason), reason_word(reason));
}

static void pass(struct walk *w, struct dur d)
{
	w->now = wall_add(w->now, d);
}

/* To the item's deadline, which fires. */
static void pass_to_deadline(struct walk *w)
{
	assert_int_not_equal(w->item.due.ms, WALL_NEVER.ms);
	if (wall_before(w->now, w->item.due))
		w->now = w->item.due;
	/* The daemon clears it before it tells the item. */
	w->item.due = WALL_NEVER;
	walk(w, EVENT_DEADLINE, (enum reason)w->item.reason);
}

static void correct(struct walk *w)
{
	walk(w, EVENT_STEP_QUEUED, REASON_QUEUED);
	walk_event(w,
		(struct item_event){
			.kind = EVENT_CALL_SENT, .reason = REASON_SENT, .limit = DUR_H(7)});
	walk_event(w,
		(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.limit = DUR_MIN(10)});
	walk(w, EVENT_SEEN_COMPLIANT, REASON_IN_SYNC);
}

static void a_correction_from_drift_to_compliance(void **state)
{
	struct walk w = walk_from(ITEM_UNKNOWN, REASON_NOT_OBSERVED);

	(void)state;
	walk(&w, EVENT_SEEN_DRIFTED, REASON_PLAN_OFF);
	expect_at(&w, ITEM_DRIFTED, REASON_PLAN_OFF);
	walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
	expect_at(&w, ITEM_QUEUED, REASON_QUEUED);
	walk_event(&w,
		(struct item_event){
			.kind = EVENT_CALL_SENT, .reason = REASON_SENT, .limit = DUR_H(7)});
	expect_at(&w, ITEM_APPLYING, REASON_SENT);
	assert_int_equal(w.item.due.ms, after(DUR_H(7)).ms);
	walk_event(&w,
		(struct item_event){
			.kind = EVENT_CALL_RUNNING, .reason = REASON_RUNNING, .limit = DUR_H(7)});
	expect_at(&w, ITEM_APPLYING, REASON_RUNNING);
	walk(&w, EVENT_SEEN_DRIFTED, REASON_PLAN_OFF);
	expect_at(&w, ITEM_APPLYING, REASON_RUNNING);
	walk_event(&w,
		(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.limit = DUR_MIN(10)});
	expect_at(&w, ITEM_SETTLING, REASON_ACCEPTED);
	assert_int_equal(w.effects, EFFECT_OBSERVE);
	walk(&w, EVENT_SEEN_COMPLIANT, REASON_IN_SYNC);
	expect_at(&w, ITEM_COMPLIANT, REASON_IN_SYNC);
	assert_int_equal(w.effects, EFFECT_SUCCEEDED);
	assert_int_equal(w.item.corrections, 1);
}

static void what_someone_undoes_twice_is_a_conflict(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_SETTING_OFF);

	(void)state;
	correct(&w);
	pass(&w, DUR_DAYS(1));
	walk(&w, EVENT_SEEN_DRIFTED, REASON_SETTING_OFF);
	expect_at(&w, ITEM_DRIFTED, REASON_SETTING_OFF);
	correct(&w);
	pass(&w, DUR_DAYS(1));
	walk(&w, EVENT_SEEN_DRIFTED, REASON_SETTING_OFF);
	expect_at(&w, ITEM_BLOCKED, REASON_CONFLICT);
	assert_int_equal(w.effects, EFFECT_INQUIRE);
	assert_int_equal(w.item.due.ms, WALL_NEVER.ms);
	pass(&w, DUR_DAYS(30));
	assert_true(walk(&w, EVENT_SEEN_DRIFTED, REASON_SETTING_OFF).ignored);
	assert_true(walk(&w, EVENT_RECONFIGURED, REASON_RELOADED).ignored);
	/* By way of another state it is still a conflict. */
	walk(&w, EVENT_SEEN_UNREACHABLE, REASON_DISCONNECTED);
	walk(&w, EVENT_SEEN_DRIFTED, REASON_SETTING_OFF);
	expect_at(&w, ITEM_BLOCKED, REASON_CONFLICT);
	walk(&w, EVENT_FORCED, REASON_NOT_OBSERVED);
	walk(&w, EVENT_SEEN_DRIFTED, REASON_SETTING_OFF);
	expect_at(&w, ITEM_DRIFTED, REASON_SETTING_OFF);
	assert_int_equal(w.item.corrections, 0);
}

static void a_conflict_is_found_behind_a_grace_too(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_EXTENSION_ABSENT);

	(void)state;
	correct(&w);
	walk(&w, EVENT_SEEN_DRIFTED, REASON_EXTENSION_ABSENT);
	correct(&w);
	walk_event(&w,
		(struct item_event){.kind = EVENT_SEEN_WAITING,
			.reason = REASON_GRACE,
			.until = after(DUR_H(3))});
	expect_at(&w, ITEM_WAITING, REASON_GRACE);
	pass(&w, DUR_H(4));
	walk(&w, EVENT_SEEN_DRIFTED, REASON_EXTENSION_ABSENT);
	expect_at(&w, ITEM_BLOCKED, REASON_CONFLICT);
}

static void lasting_compliance_ends_a_quarrel(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_SETTING_OFF);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		correct(&w);
		pass(&w, DUR_DAYS(7));
		walk(&w, EVENT_SEEN_DRIFTED, REASON_SETTING_OFF);
		expect_at(&w, ITEM_DRIFTED, REASON_SETTING_OFF);
	}
}

static void an_accepted_change_that_never_shows_backs_off(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_SETTING_OFF);

	(void)state;
	walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
	walk_event(&w,
		(struct item_event){
			.kind = EVENT_CALL_SENT, .reason = REASON_SENT, .limit = DUR_MIN(15)});
	walk_event(&w,
		(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.limit = DUR_MIN(10)});
	pass_to_deadline(&w);
	expect_at(&w, ITEM_BACKOFF, REASON_NOT_SEEN_IN_EFFECT);
	assert_int_equal(w.effects, EFFECT_OBSERVE);
	assert_int_equal(w.item.attempts, 1);
	assert_true(walk(&w, EVENT_SEEN_DRIFTED, REASON_SETTING_OFF).ignored);
	/* It shows after all: that was our correction. */
	walk(&w, EVENT_SEEN_COMPLIANT, REASON_IN_SYNC);
	expect_at(&w, ITEM_COMPLIANT, REASON_IN_SYNC);
	assert_int_equal(w.item.corrections, 1);
	assert_int_equal(w.item.attempts, 0);
}

static void a_retryable_call_backs_off_and_tries_again(void **state)
{
	struct walk w = walk_from(ITEM_QUEUED, REASON_QUEUED);

	(void)state;
	walk(&w, EVENT_CALL_RETRYABLE, REASON_TRANSIENT);
	expect_at(&w, ITEM_BACKOFF, REASON_TRANSIENT);
	assert_int_equal(w.item.due.ms, after(DUR_MIN(1)).ms);
	pass_to_deadline(&w);
	expect_at(&w, ITEM_DRIFTED, REASON_TRANSIENT);
	assert_int_equal(w.effects, EFFECT_OBSERVE);
	walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
	walk(&w, EVENT_CALL_RETRYABLE, REASON_TRANSIENT);
	assert_int_equal(wall_since(w.item.due, w.now).ms, DUR_MIN(2).ms);
}

static void the_servers_time_is_honoured_up_to_a_day(void **state)
{
	struct walk w = walk_from(ITEM_QUEUED, REASON_QUEUED);

	(void)state;
	walk_event(&w,
		(struct item_event){.kind = EVENT_CALL_RETRYABLE,
			.reason = REASON_THROTTLED,
			.until = after(DUR_H(20))});
	expect_at(&w, ITEM_BACKOFF, REASON_THROTTLED);
	assert_int_equal(w.item.due.ms, after(DUR_H(20)).ms);
	w = walk_from(ITEM_QUEUED, REASON_QUEUED);
	walk_event(&w,
		(struct item_event){.kind = EVENT_CALL_RETRYABLE,
			.reason = REASON_THROTTLED,
			.until = after(DUR_H(30))});
	expect_at(&w, ITEM_BLOCKED, REASON_THROTTLED);
	assert_true(walk(&w, EVENT_SEEN_DRIFTED, REASON_PLAN_OFF).ignored);
	pass_to_deadline(&w);
	expect_at(&w, ITEM_DRIFTED, REASON_THROTTLED);
	assert_int_equal(w.now.ms, after(DUR_H(30)).ms);
}

static void a_refused_call_holds_until_it_is_tested_again(void **state)
{
	struct walk w = walk_from(ITEM_QUEUED, REASON_QUEUED);

	(void)state;
	walk(&w, EVENT_CALL_REFUSED, REASON_DENIED);
	expect_at(&w, ITEM_BLOCKED, REASON_DENIED);
	assert_int_equal(w.item.due.ms, after(DUR_H(1)).ms);
	assert_true(walk(&w, EVENT_SEEN_DRIFTED, REASON_PLAN_OFF).ignored);
	assert_true(walk(&w, EVENT_SEEN_UNKNOWN, REASON_PARTIAL).ignored);
	assert_true(walk(&w, EVENT_SEEN_FAILED, REASON_HANDLER_RETRY).ignored);
	pass_to_deadline(&w);
	expect_at(&w, ITEM_DRIFTED, REASON_DENIED);
	walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
	walk(&w, EVENT_CALL_REFUSED, REASON_DENIED);
	assert_int_equal(wall_since(w.item.due, w.now).ms, DUR_H(2).ms);
	/* Another configuration, an operator, or something else that is seen. */
	walk(&w, EVENT_RECONFIGURED, REASON_RELOADED);
	expect_at(&w, ITEM_DRIFTED, REASON_RELOADED);
	walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
	walk(&w, EVENT_CALL_REFUSED, REASON_DENIED);
	assert_true(walk(&w, EVENT_CURED, REASON_LOCKED).ignored);
	walk(&w, EVENT_CURED, REASON_DENIED);
	expect_at(&w, ITEM_DRIFTED, REASON_DENIED);
	walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
	walk(&w, EVENT_CALL_REFUSED, REASON_DENIED);
	walk(&w, EVENT_SEEN_BLOCKED, REASON_EXTENSIONS_DISABLED);
	expect_at(&w, ITEM_BLOCKED, REASON_EXTENSIONS_DISABLED);
	walk(&w, EVENT_SEEN_DRIFTED, REASON_EXTENSION_ABSENT);
	expect_at(&w, ITEM_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void what_is_seen_as_blocked_follows_what_is_seen(void **state)
{
	struct walk w = walk_from(ITEM_UNKNOWN, REASON_NOT_OBSERVED);

	(void)state;
	walk(&w, EVENT_SEEN_BLOCKED, REASON_AGENT_ERROR);
	expect_at(&w, ITEM_BLOCKED, REASON_AGENT_ERROR);
	assert_true(walk(&w, EVENT_SEEN_BLOCKED, REASON_AGENT_ERROR).ignored);
	assert_false(walk_event(&w,
		(struct item_event){
			.kind = EVENT_SEEN_BLOCKED, .reason = REASON_AGENT_ERROR, .detail = "new"})
			     .changed);
	assert_string_equal(w.item.detail, "new");
	walk(&w, EVENT_SEEN_DRIFTED, REASON_EXTENSION_ABSENT);
	expect_at(&w, ITEM_DRIFTED, REASON_EXTENSION_ABSENT);
}

static struct item_event failed(enum reason reason, struct wall at)
{
	return (struct item_event){.kind = EVENT_SEEN_FAILED,
		.reason = reason,
		.stamp = {.at = at, .source = SOURCE_ARM}};
}

static void apply(struct walk *w)
{
	walk(w, EVENT_STEP_QUEUED, REASON_QUEUED);
	walk_event(w,
		(struct item_event){
			.kind = EVENT_CALL_SENT, .reason = REASON_SENT, .limit = DUR_H(7)});
}

static void a_failing_installer_is_given_up_and_looked_at_weekly(void **state)
{
	static const int64_t minutes[] = {10, 60, 360, 1440};
	struct walk w = walk_from(ITEM_UNKNOWN, REASON_NOT_OBSERVED);

	(void)state;
	walk_event(&w, failed(REASON_HANDLER_RETRY, w.now));
	for (unsigned i = 0; i < 4; i++) {
		expect_at(&w, ITEM_BACKOFF, REASON_HANDLER_RETRY);
		assert_int_equal(wall_since(w.item.due, w.now).ms, minutes[i] * 60000);
		assert_int_equal(w.item.attempts, i + 1);
		pass_to_deadline(&w);
		/* The old failure is still seen: that is what is corrected next. */
		walk_event(&w, failed(REASON_HANDLER_RETRY, w.now));
		expect_at(&w, ITEM_DRIFTED, REASON_HANDLER_RETRY);
		apply(&w);
		pass(&w, DUR_MIN(5));
		walk_event(&w, failed(REASON_HANDLER_RETRY, w.now));
	}
	expect_at(&w, ITEM_BLOCKED, REASON_GIVEN_UP);
	assert_true(walk_event(&w, failed(REASON_HANDLER_RETRY, w.now)).ignored);
	assert_int_equal(wall_since(w.item.due, w.now).ms, DUR_DAYS(7).ms);
	pass_to_deadline(&w);
	walk_event(&w, failed(REASON_HANDLER_RETRY, w.now));
	expect_at(&w, ITEM_DRIFTED, REASON_HANDLER_RETRY);
}

static void what_fails_again_and_again_after_success_is_given_up(void **state)
{
	struct walk w = walk_from(ITEM_UNKNOWN, REASON_NOT_OBSERVED);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		walk_event(&w, failed(REASON_HANDLER_RETRY, w.now));
		expect_at(&w, ITEM_BACKOFF, REASON_HANDLER_RETRY);
		pass_to_deadline(&w);
		correct(&w);
		expect_at(&w, ITEM_COMPLIANT, REASON_IN_SYNC);
		pass(&w, DUR_H(1));
	}
	walk_event(&w, failed(REASON_HANDLER_RETRY, w.now));
	expect_at(&w, ITEM_BLOCKED, REASON_GIVEN_UP);
}

static void a_failure_from_before_the_correction_is_not_its_outcome(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_EXTENSION_FAILED);
	struct item_event old = failed(REASON_HANDLER_RETRY, after(DUR_S(-1)));
	struct item_event graph = failed(REASON_HANDLER_RETRY, after(DUR_H(1)));

	(void)state;
	graph.stamp.source = SOURCE_GRAPH;
	apply(&w);
	assert_true(walk_event(&w, old).ignored);
	assert_true(walk_event(&w, graph).ignored);
	walk_event(&w,
		(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.limit = DUR_MIN(10)});
	assert_true(walk_event(&w, old).ignored);
	assert_true(walk_event(&w, graph).ignored);
	walk_event(&w, failed(REASON_HANDLER_RETRY, NOW));
	expect_at(&w, ITEM_BACKOFF, REASON_HANDLER_RETRY);
	assert_int_equal(w.item.attempts, 1);
}

static void trouble_beside_the_correction_does_not_end_it(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_EXTENSION_ABSENT);
	struct item_event e = {.kind = EVENT_SEEN_BLOCKED,
		.reason = REASON_SUBSCRIPTION_DISABLED,
		.stamp = {.at = after(DUR_H(1)), .source = SOURCE_ARM}};

	(void)state;
	apply(&w);
	assert_true(walk_event(&w, e).ignored);
	e.reason = REASON_HANDLER_BLOCKED;
	walk_event(&w, e);
	expect_at(&w, ITEM_BLOCKED, REASON_HANDLER_BLOCKED);
}

static void the_handlers_word_refines_a_backoff(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_EXTENSION_ABSENT);
	struct item_event e = failed(REASON_HANDLER_NETWORK, NOW);

	(void)state;
	apply(&w);
	walk(&w, EVENT_CALL_RETRYABLE, REASON_OPERATION_FAILED);
	walk_event(&w, e);
	expect_at(&w, ITEM_BACKOFF, REASON_HANDLER_NETWORK);
	assert_int_equal(w.item.due.ms, after(DUR_H(2)).ms);
	assert_true(walk_event(&w, e).ignored);
	e.until = after(DUR_H(5));
	walk_event(&w, e);
	assert_int_equal(w.item.due.ms, after(DUR_H(5)).ms);
	assert_int_equal(w.item.attempts, 1);
	/* A throttled call says nothing of the handler. */
	w = walk_from(ITEM_QUEUED, REASON_QUEUED);
	walk(&w, EVENT_CALL_RETRYABLE, REASON_THROTTLED);
	assert_true(walk_event(&w, e).ignored);
}

static void a_refusal_without_a_cause_gives_way_to_the_handler(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_EXTENSION_ABSENT);

	(void)state;
	apply(&w);
	walk(&w, EVENT_CALL_REFUSED, REASON_REFUSED);
	expect_at(&w, ITEM_BLOCKED, REASON_REFUSED);
	walk_event(&w, failed(REASON_HANDLER_RETRY, NOW));
	expect_at(&w, ITEM_BACKOFF, REASON_HANDLER_RETRY);
	assert_int_equal(w.item.attempts, 1);
}

static void a_failure_that_must_rest_goes_back_from_drifted(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_HANDLER_RETRY);
	struct item_event e = failed(REASON_HANDLER_RETRY, NOW);

	(void)state;
	w.item.attempts = 1;
	e.until = after(DUR_MIN(45));
	walk_event(&w, e);
	expect_at(&w, ITEM_BACKOFF, REASON_HANDLER_RETRY);
	assert_int_equal(w.item.due.ms, after(DUR_MIN(45)).ms);
	assert_int_equal(w.item.attempts, 1);
}

static void a_lost_answer_is_inquired_about(void **state)
{
	struct operation op = {.phase = PHASE_SENT};
	struct walk w = walk_from(ITEM_DRIFTED, REASON_EXTENSION_ABSENT);

	(void)state;
	apply(&w);
	w.item.operation = &op;
	walk_event(&w,
		(struct item_event){.kind = EVENT_CALL_LOST,
			.reason = REASON_OUTCOME_UNKNOWN,
			.limit = DUR_MIN(15)});
	expect_at(&w, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
	pass_to_deadline(&w);
	expect_at(&w, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
	assert_int_equal(w.effects, EFFECT_INQUIRE);
	assert_true(wall_before(w.now, w.item.due));
	w.item.operation = NULL;
	pass_to_deadline(&w);
	expect_at(&w, ITEM_UNKNOWN, REASON_OUTCOME_UNKNOWN);
	assert_int_equal(w.effects, EFFECT_OBSERVE);
}

static void a_step_that_never_gets_its_turn_is_planned_anew(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_EXTENSION_ABSENT);

	(void)state;
	walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
	pass_to_deadline(&w);
	assert_int_equal(w.item.state, ITEM_DRIFTED);
	assert_int_equal(w.effects, EFFECT_WITHDRAW);
	walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
	walk(&w, EVENT_STEP_WITHDRAWN, REASON_HALTED);
	expect_at(&w, ITEM_DRIFTED, REASON_HALTED);
}

static void what_a_rule_held_back_rests_as_long_as_it_says(void **state)
{
	struct walk w = walk_from(ITEM_QUEUED, REASON_QUEUED);

	(void)state;
	walk_event(&w,
		(struct item_event){.kind = EVENT_STEP_WITHDRAWN,
			.reason = REASON_TARGET_BUSY,
			.until = after(DUR_MIN(1))});
	expect_at(&w, ITEM_WAITING, REASON_TARGET_BUSY);
	assert_int_equal(w.item.due.ms, after(DUR_MIN(1)).ms);
	pass_to_deadline(&w);
	walk(&w, EVENT_SEEN_DRIFTED, REASON_EXTENSION_ABSENT);
	expect_at(&w, ITEM_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void what_is_refused_on_its_second_way_to_the_wire_is_planned_anew(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_EXTENSION_ABSENT);

	(void)state;
	apply(&w);
	walk(&w, EVENT_STEP_WITHDRAWN, REASON_HALTED);
	expect_at(&w, ITEM_DRIFTED, REASON_HALTED);
	assert_int_equal(w.item.due.ms, WALL_NEVER.ms);
}

static void calls_that_never_got_through_do_not_count_against_the_item(void **state)
{
	static const enum reason misses[] = {
		REASON_THROTTLED, REASON_TRANSIENT, REASON_BUSY, REASON_IDENTITY};
	struct walk w = walk_from(ITEM_DRIFTED, REASON_EXTENSION_ABSENT);

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
		walk(&w, EVENT_CALL_RETRYABLE, misses[i % ARRAY_LEN(misses)]);
		assert_int_equal(w.item.state, ITEM_BACKOFF);
		assert_int_equal(w.item.attempts, 0);
		assert_int_equal(w.item.misses, i + 1);
		pass_to_deadline(&w);
	}
	walk(&w, EVENT_STEP_QUEUED, REASON_QUEUED);
	walk(&w, EVENT_CALL_REFUSED, REASON_DENIED);
	assert_int_equal(w.item.attempts, 0);
	pass_to_deadline(&w);
	/* Carried out at last, and failed: that is the first failure, not the last. */
	apply(&w);
	walk_event(&w, failed(REASON_HANDLER_RETRY, w.now));
	expect_at(&w, ITEM_BACKOFF, REASON_HANDLER_RETRY);
	assert_int_equal(w.item.attempts, 1);
	assert_int_equal(wall_since(w.item.due, w.now).ms, DUR_MIN(10).ms);
	pass_to_deadline(&w);
	apply(&w);
	walk_event(&w,
		(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.limit = DUR_MIN(10)});
	assert_int_equal(w.item.misses, 0);
}

static void what_settles_goes_on_to_settle_after_a_restart(void **state)
{
	struct walk w = walk_from(ITEM_SETTLING, REASON_ACCEPTED);

	(void)state;
	w.item.due = after(DUR_MIN(7));
	walk(&w, EVENT_RESTORED, REASON_ACCEPTED);
	expect_at(&w, ITEM_SETTLING, REASON_ACCEPTED);
	assert_true(walk(&w, EVENT_SEEN_DRIFTED, REASON_SETTING_OFF).ignored);
	/* What was corrected before the restart counts when it shows after it. */
	walk(&w, EVENT_SEEN_COMPLIANT, REASON_IN_SYNC);
	assert_int_equal(w.item.corrections, 1);
	w = walk_from(ITEM_SETTLING, REASON_ACCEPTED);
	w.item.due = WALL_UNSET;
	walk(&w, EVENT_RESTORED, REASON_ACCEPTED);
	assert_true(wall_before(w.now, w.item.due));
	assert_int_not_equal(w.item.due.ms, WALL_NEVER.ms);
}

static void an_offer_that_is_missing_is_no_correction(void **state)
{
	struct walk w = walk_from(ITEM_DRIFTED, REASON_SETTING_ABSENT);

	(void)state;
	apply(&w);
	walk(&w, EVENT_SEEN_COMPLIANT, REASON_NOT_OFFERED);
	expect_at(&w, ITEM_COMPLIANT, REASON_NOT_OFFERED);
	assert_int_equal(w.item.corrections, 0);
	assert_int_equal(w.effects, EFFECT_NONE);
}

static void a_restart_keeps_what_holds_and_forgets_what_was_under_way(void **state)
{
	struct walk w = walk_from(ITEM_BACKOFF, REASON_TRANSIENT);

	(void)state;
	w.item.due = after(DUR_MIN(7));
	assert_false(walk(&w, EVENT_RESTORED, REASON_TRANSIENT).ignored);
	expect_at(&w, ITEM_BACKOFF, REASON_TRANSIENT);
	assert_int_equal(w.item.due.ms, after(DUR_MIN(7)).ms);
	w = walk_from(ITEM_BACKOFF, REASON_TRANSIENT);
	w.item.due = WALL_UNSET;
	walk(&w, EVENT_RESTORED, REASON_TRANSIENT);
	assert_true(wall_before(w.now, w.item.due));
	assert_int_not_equal(w.item.due.ms, WALL_NEVER.ms);
	w = walk_from(ITEM_APPLYING, REASON_SENT);
	walk(&w, EVENT_RESTORED, REASON_SENT);
	expect_at(&w, ITEM_UNKNOWN, REASON_NOT_OBSERVED);
	w = walk_from(ITEM_QUEUED, REASON_QUEUED);
	walk(&w, EVENT_RESTORED_INTENT, REASON_OUTCOME_UNKNOWN);
	expect_at(&w, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN);
	assert_true(walk(&w, EVENT_SEEN_DRIFTED, REASON_EXTENSION_ABSENT).ignored);
}

static void an_operators_word_clears_the_record(void **state)
{
	static const enum item_state states[] = {
		ITEM_WAITING, ITEM_BACKOFF, ITEM_BLOCKED, ITEM_MANUAL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct walk w = walk_from(states[i], REASON_GIVEN_UP);

		w.item.attempts = 5;
		w.item.corrections = 2;
		w.item.due = after(DUR_H(1));
		walk(&w, EVENT_FORCED, REASON_NOT_OBSERVED);
		expect_at(&w, ITEM_UNKNOWN, REASON_NOT_OBSERVED);
		assert_int_equal(w.item.attempts, 0);
		assert_int_equal(w.item.corrections, 0);
		assert_int_equal(w.item.due.ms, WALL_NEVER.ms);
		assert_int_equal(w.effects, EFFECT_OBSERVE);
	}
}

static void each_verdict_has_its_event(void **state)
{
	struct verdict v = {.reason = REASON_GRACE,
		.detail = "d",
		.until = NOW,
		.stamp = {.at = NOW, .source = SOURCE_ARM}};
	struct item_event e;

	(void)state;
	v.kind = VERDICT_WAITING;
	e = item_event_from_verdict(&v);
	assert_int_equal(e.kind, EVENT_SEEN_WAITING);
	assert_int_equal(e.reason, REASON_GRACE);
	assert_int_equal(e.until.ms, NOW.ms);
	assert_int_equal(e.stamp.source, SOURCE_ARM);
	assert_string_equal(e.detail, "d");
	v = (struct verdict){.kind = VERDICT_NOT_APPLICABLE, .detail = ""};
	e = item_event_from_verdict(&v);
	assert_int_equal(e.kind, EVENT_SEEN_UNKNOWN);
	assert_int_not_equal(e.reason, REASON_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_correction_from_drift_to_compliance),
		cmocka_unit_test(what_someone_undoes_twice_is_a_conflict),
		cmocka_unit_test(a_conflict_is_found_behind_a_grace_too),
		cmocka_unit_test(lasting_compliance_ends_a_quarrel),
		cmocka_unit_test(an_accepted_change_that_never_shows_backs_off),
		cmocka_unit_test(a_retryable_call_backs_off_and_tries_again),
		cmocka_unit_test(the_servers_time_is_honoured_up_to_a_day),
		cmocka_unit_test(a_refused_call_holds_until_it_is_tested_again),
		cmocka_unit_test(what_is_seen_as_blocked_follows_what_is_seen),
		cmocka_unit_test(a_failing_installer_is_given_up_and_looked_at_weekly),
		cmocka_unit_test(what_fails_again_and_again_after_success_is_given_up),
		cmocka_unit_test(a_failure_from_before_the_correction_is_not_its_outcome),
		cmocka_unit_test(trouble_beside_the_correction_does_not_end_it),
		cmocka_unit_test(the_handlers_word_refines_a_backoff),
		cmocka_unit_test(a_refusal_without_a_cause_gives_way_to_the_handler),
		cmocka_unit_test(a_failure_that_must_rest_goes_back_from_drifted),
		cmocka_unit_test(a_lost_answer_is_inquired_about),
		cmocka_unit_test(a_step_that_never_gets_its_turn_is_planned_anew),
		cmocka_unit_test(what_a_rule_held_back_rests_as_long_as_it_says),
		cmocka_unit_test(what_is_refused_on_its_second_way_to_the_wire_is_planned_anew),
		cmocka_unit_test(calls_that_never_got_through_do_not_count_against_the_item),
		cmocka_unit_test(what_settles_goes_on_to_settle_after_a_restart),
		cmocka_unit_test(an_offer_that_is_missing_is_no_correction),
		cmocka_unit_test(a_restart_keeps_what_holds_and_forgets_what_was_under_way),
		cmocka_unit_test(an_operators_word_clears_the_record),
		cmocka_unit_test(each_verdict_has_its_event),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
