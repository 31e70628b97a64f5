/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/holdoff.h"

#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define START ((struct wall){INT64_C(1800000000000)})
#define SUB_A "aaaaaaaa-0000-4000-8000-000000000001"
#define SUB_B "bbbbbbbb-0000-4000-8000-000000000002"

struct fixture {
	struct holdoff *h;
	struct wall now;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->h = holdoff_new();
	f->now = START;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	holdoff_free(f->h);
	free(f);
	return 0;
}

static struct holdoff_place at(const char *subscription, const char *group)
{
	return (struct holdoff_place){.identity = "main",
		.subscription = subscription,
		.group = group,
		.control = CONTROL_MDE_EXTENSION};
}

static void refuse(struct fixture *f, struct holdoff_place place, enum arm_error_class class)
{
	holdoff_refused(f->h, &place, class, HOLDOFF_WRITE, REASON_DENIED, f->now);
}

static bool passes(struct fixture *f, struct holdoff_place place, enum holdoff_stage stage)
{
	enum reason reason;
	bool group;

	return holdoff_passed(f->h, &place, stage, &reason, &group);
}

/* One plan: which of these may go. */
static unsigned may_go(struct fixture *f, const struct holdoff_place *places, unsigned count)
{
	unsigned n = 0;

	holdoff_round(f->h, f->now);
	for (unsigned i = 0; i < count; i++)
		if (holdoff_ask(f->h, &places[i]) == REASON_NONE) {
			holdoff_sets_out(f->h, &places[i], f->now);
			n++;
		}
	return n;
}

static bool may(struct fixture *f, struct holdoff_place place)
{
	return may_go(f, &place, 1) == 1;
}

static void pass(struct fixture *f, struct dur d)
{
	f->now = wall_add(f->now, d);
}

static void one_denial_holds_its_resource_group(void **state)
{
	struct fixture *f = *state;
	struct holdoff_place same[5];

	for (unsigned i = 0; i < 5; i++)
		same[i] = at(SUB_A, i % 2 ? "rg" : "RG");
	assert_int_equal(may_go(f, same, 5), 5);
	refuse(f, same[0], ARM_ERROR_DENIED);
	assert_int_equal(may_go(f, same, 5), 0);
	holdoff_round(f->h, f->now);
	assert_int_equal(holdoff_ask(f->h, &same[0]), REASON_DENIED);
	assert_true(may(f, at(SUB_A, "other")));
	assert_true(may(f, at(SUB_B, "rg")));
	same[0].control = CONTROL_SERVERS_PLAN;
	assert_true(may(f, same[0]));
}

static void a_probe_goes_now_and_then_and_alone(void **state)
{
	static const int64_t minutes[] = {5, 10, 20, 40, 60, 60};
	struct fixture *f = *state;
	struct holdoff_place same[3] = {at(SUB_A, "rg"), at(SUB_A, "rg"), at(SUB_A, "rg")};

	refuse(f, same[0], ARM_ERROR_DENIED);
	for (unsigned i = 0; i < ARRAY_LEN(minutes); i++) {
		assert_int_equal(
			wall_since(holdoff_due(f->h, f->now), f->now).ms, minutes[i] * 60000);
		pass(f, DUR_MS(minutes[i] * 60000 - 1));
		assert_int_equal(may_go(f, same, 3), 0);
		pass(f, DUR_MS(1));
		assert_int_equal(may_go(f, same, 3), 1);
		pass(f, DUR_S(1));
		assert_int_equal(may_go(f, same, 3), 0);
		refuse(f, same[0], ARM_ERROR_DENIED);
	}
}

static void asking_without_setting_out_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct holdoff_place place = at(SUB_A, "rg");

	refuse(f, place, ARM_ERROR_DENIED);
	pass(f, DUR_MIN(5));
	for (unsigned i = 0; i < 10; i++) {
		holdoff_round(f->h, f->now);
		assert_int_equal(holdoff_ask(f->h, &place), REASON_NONE);
		assert_int_equal(holdoff_ask(f->h, &place), REASON_DENIED);
	}
	assert_int_equal(holdoff_due(f->h, wall_add(f->now, DUR_MS(-1))).ms, f->now.ms);
	assert_int_equal(holdoff_due(f->h, f->now).ms, WALL_NEVER.ms);
}

static void what_gets_through_lets_all_go(void **state)
{
	struct fixture *f = *state;
	struct holdoff_place same[3] = {at(SUB_A, "rg"), at(SUB_A, "rg"), at(SUB_A, "rg")};
	enum reason reason;
	bool group;

	assert_false(passes(f, same[0], HOLDOFF_WRITE));
	refuse(f, same[0], ARM_ERROR_DENIED);
	pass(f, DUR_MIN(5));
	assert_int_equal(may_go(f, same, 3), 1);
	/* That it could be read says nothing of writing. */
	assert_false(passes(f, same[0], HOLDOFF_READ));
	assert_true(holdoff_passed(f->h, &same[0], HOLDOFF_WRITE, &reason, &group));
	assert_int_equal(reason, REASON_DENIED);
	assert_true(group);
	assert_int_equal(may_go(f, same, 3), 3);
	assert_int_equal(holdoff_count(f->h), 0);
	assert_int_equal(holdoff_due(f->h, f->now).ms, WALL_NEVER.ms);
}

static void what_was_refused_to_a_read_is_over_with_a_read(void **state)
{
	struct fixture *f = *state;
	struct holdoff_place place = at(SUB_A, "rg");

	holdoff_refused(f->h, &place, ARM_ERROR_DENIED, HOLDOFF_READ, REASON_DENIED, f->now);
	assert_false(may(f, place));
	assert_true(passes(f, place, HOLDOFF_READ));
	assert_true(may(f, place));
}

static void two_groups_that_refuse_hold_the_subscription(void **state)
{
	struct fixture *f = *state;

	refuse(f, at(SUB_A, "rg-1"), ARM_ERROR_DENIED);
	assert_true(may(f, at(SUB_A, "rg-3")));
	refuse(f, at(SUB_A, "rg-2"), ARM_ERROR_DENIED);
	assert_false(may(f, at(SUB_A, "rg-3")));
	assert_true(may(f, at(SUB_B, "rg-3")));
}

/* Roles on some groups only: those that have them are found, and go on. */
static void groups_that_have_not_refused_are_probed_first(void **state)
{
	struct fixture *f = *state;
	const struct holdoff_place places[] = {
		at(SUB_A, "rg-1"), at(SUB_A, "rg-2"), at(SUB_A, "rg-3"), at(SUB_A, "rg-3")};

	refuse(f, places[0], ARM_ERROR_DENIED);
	refuse(f, places[1], ARM_ERROR_DENIED);
	pass(f, DUR_MIN(5));
	holdoff_round(f->h, f->now);
	assert_int_equal(holdoff_ask(f->h, &places[0]), REASON_DENIED);
	assert_int_equal(holdoff_ask(f->h, &places[1]), REASON_DENIED);
	assert_int_equal(holdoff_ask(f->h, &places[2]), REASON_NONE);
	holdoff_sets_out(f->h, &places[2], f->now);
	assert_int_equal(holdoff_ask(f->h, &places[3]), REASON_DENIED);
	assert_true(passes(f, places[2], HOLDOFF_WRITE));
	holdoff_round(f->h, f->now);
	assert_int_equal(holdoff_ask(f->h, &places[3]), REASON_NONE);
	/* The others are still held, and probed by themselves. */
	assert_int_equal(holdoff_ask(f->h, &places[0]), REASON_NONE);
	assert_int_equal(holdoff_ask(f->h, &places[0]), REASON_DENIED);
}

static void where_all_groups_refused_one_of_them_is_probed(void **state)
{
	struct fixture *f = *state;
	const struct holdoff_place places[] = {at(SUB_A, "rg-1"), at(SUB_A, "rg-2")};

	refuse(f, places[0], ARM_ERROR_DENIED);
	refuse(f, places[1], ARM_ERROR_DENIED);
	pass(f, DUR_MIN(5));
	assert_int_equal(may_go(f, places, 2), 0);
	pass(f, DUR_MIN(1));
	assert_int_equal(may_go(f, places, 2), 1);
}

static void a_probe_that_is_not_heard_of_is_followed_by_another(void **state)
{
	struct fixture *f = *state;
	struct holdoff_place place = at(SUB_A, "rg");

	refuse(f, place, ARM_ERROR_DENIED);
	pass(f, DUR_MIN(5));
	assert_true(may(f, place));
	pass(f, DUR_MIN(9));
	assert_false(may(f, place));
	pass(f, DUR_MIN(1));
	assert_true(may(f, place));
	holdoff_says_nothing(f->h, &place, f->now);
	assert_false(may(f, place));
	pass(f, DUR_MIN(5));
	assert_true(may(f, place));
}

static void those_on_their_way_together_make_one_pause(void **state)
{
	struct fixture *f = *state;
	struct holdoff_place place = at(SUB_A, "rg");

	for (unsigned i = 0; i < 8; i++)
		refuse(f, place, ARM_ERROR_DENIED);
	assert_int_equal(holdoff_due(f->h, f->now).ms, wall_add(f->now, DUR_MIN(5)).ms);
	assert_int_equal(holdoff_holds(f->h, &place), REASON_DENIED);
}

static void an_identity_without_a_token_holds_all_that_is_its_own(void **state)
{
	struct fixture *f = *state;
	struct holdoff_place east = at(SUB_A, "rg"), plan = at(SUB_B, NULL);

	plan.control = CONTROL_SERVERS_PLAN;
	holdoff_refused(f->h, &plan, ARM_ERROR_IDENTITY, HOLDOFF_READ, REASON_IDENTITY, f->now);
	assert_false(may(f, at(SUB_A, "rg")));
	assert_false(may(f, plan));
	east.identity = "east";
	assert_true(may(f, east));
	/* Whatever ARM answers, it took the token. */
	refuse(f, at(SUB_A, "rg"), ARM_ERROR_DENIED);
	assert_true(may(f, plan));
	assert_false(may(f, at(SUB_A, "rg")));
}

static void troubles_of_one_item_hold_nothing(void **state)
{
	static const enum arm_error_class classes[] = {ARM_ERROR_THROTTLED, ARM_ERROR_TRANSIENT,
		ARM_ERROR_BUSY, ARM_ERROR_ABSENT, ARM_ERROR_CHANGED, ARM_ERROR_TOO_LARGE,
		ARM_ERROR_REQUEST};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		refuse(f, at(SUB_A, "rg"), classes[i]);
		assert_true(may(f, at(SUB_A, "rg")));
	}
	assert_int_equal(holdoff_count(f->h), 0);
}

static void what_is_the_subscriptions_own_holds_it_at_once(void **state)
{
	static const enum arm_error_class classes[] = {
		ARM_ERROR_DISABLED, ARM_ERROR_UNREGISTERED, ARM_ERROR_NO_SUBSCRIPTION};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		refuse(f, at(SUB_A, "rg"), classes[i]);
		assert_false(may(f, at(SUB_A, "other")));
		holdoff_clear(f->h);
		assert_true(may(f, at(SUB_A, "other")));
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_denial_holds_its_resource_group),
		CASE(a_probe_goes_now_and_then_and_alone),
		CASE(asking_without_setting_out_changes_nothing),
		CASE(what_gets_through_lets_all_go),
		CASE(what_was_refused_to_a_read_is_over_with_a_read),
		CASE(two_groups_that_refuse_hold_the_subscription),
		CASE(groups_that_have_not_refused_are_probed_first),
		CASE(where_all_groups_refused_one_of_them_is_probed),
		CASE(a_probe_that_is_not_heard_of_is_followed_by_another),
		CASE(those_on_their_way_together_make_one_pause),
		CASE(an_identity_without_a_token_holds_all_that_is_its_own),
		CASE(troubles_of_one_item_hold_nothing),
		CASE(what_is_the_subscriptions_own_holds_it_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
