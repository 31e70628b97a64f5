/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/failure_groups.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define START ((struct wall){INT64_C(1800000000000)})

struct fixture {
	struct failure_groups *g;
	struct wall now;
	const struct failure_group *group;
	enum failure_news news;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->g = failure_groups_new();
	f->now = START;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	failure_groups_free(f->g);
	free(f);
	return 0;
}

static struct failure denied_on(const char *resource_id)
{
	return (struct failure){.control = CONTROL_MDE_EXTENSION,
		.class = ARM_ERROR_DENIED,
		.code = "AuthorizationFailed",
		.scope = "production",
		.resource_id = resource_id,
		.message = "the client lacks the action"};
}

static enum failure_news add(struct fixture *f, struct failure failure)
{
	return failure_groups_add(f->g, &failure, f->now, &f->group);
}

static bool next(struct fixture *f)
{
	return failure_groups_next(f->g, f->now, &f->news, &f->group);
}

static void pass(struct fixture *f, struct dur d)
{
	f->now = wall_add(f->now, d);
}

static void a_hundred_thousand_failures_are_a_handful_of_lines(void **state)
{
	struct fixture *f = *state;
	unsigned lines = 0;

	for (unsigned i = 0; i < 100000; i++) {
		mdc_autofree char *id = xasprintf("/machines/m%u", i);
		enum failure_news news = add(f, denied_on(id));

		assert_int_equal(news,
			i == 0           ? FAILURE_FIRST
				: i == 1 ? FAILURE_SECOND
					 : FAILURE_COUNTED);
		lines += news != FAILURE_COUNTED;
		pass(f, DUR_MS(36));
		while (next(f)) {
			assert_int_equal(f->news, FAILURE_MORE);
			lines++;
		}
	}
	/* In one hour: the first two, after one minute, after ten more. */
	assert_int_equal(lines, 4);
	assert_int_equal(failure_groups_at(f->g, 0)->count, 100000);
	assert_string_equal(failure_groups_at(f->g, 0)->resource_id, "/machines/m99999");
	assert_int_equal(failure_groups_at(f->g, 0)->began.ms, START.ms);
}

static void counts_are_told_less_and_less_often(void **state)
{
	static const int64_t minutes[] = {1, 10, 60, 360, 1440, 1440, 1440};
	struct fixture *f = *state;
	unsigned told = 0;
	struct wall last;

	add(f, denied_on("/a"));
	add(f, denied_on("/a"));
	last = f->now;
	while (told < ARRAY_LEN(minutes)) {
		pass(f, DUR_MIN(1));
		add(f, denied_on("/a"));
		while (next(f)) {
			assert_int_equal(f->news, FAILURE_MORE);
			assert_int_equal(wall_since(f->now, last).ms, minutes[told] * 60000);
			last = f->now;
			told++;
		}
	}
}

static void nothing_is_told_when_nothing_was_added(void **state)
{
	struct fixture *f = *state;

	add(f, denied_on("/a"));
	add(f, denied_on("/b"));
	pass(f, DUR_H(24));
	assert_false(next(f));
	pass(f, DUR_H(1));
	assert_true(next(f));
	assert_int_equal(f->news, FAILURE_OVER);
}

static void groups_are_apart_by_control_class_code_and_scope(void **state)
{
	struct fixture *f = *state;
	struct failure other = denied_on("/a");

	assert_int_equal(add(f, denied_on("/a")), FAILURE_FIRST);
	other.code = "authorizationfailed";
	assert_int_equal(add(f, other), FAILURE_SECOND);
	other.code = "LinkedAuthorizationFailed";
	assert_int_equal(add(f, other), FAILURE_FIRST);
	other = denied_on("/a");
	other.scope = "lab";
	assert_int_equal(add(f, other), FAILURE_FIRST);
	other = denied_on("/a");
	other.class = ARM_ERROR_POLICY;
	assert_int_equal(add(f, other), FAILURE_FIRST);
	other = denied_on("/a");
	other.control = CONTROL_SERVERS_PLAN;
	assert_int_equal(add(f, other), FAILURE_FIRST);
	assert_int_equal(failure_groups_count(f->g), 5);
}

static void a_single_failure_ends_in_silence(void **state)
{
	struct fixture *f = *state;

	add(f, denied_on("/a"));
	assert_int_equal(failure_groups_due(f->g).ms, wall_add(f->now, DUR_H(25)).ms);
	pass(f, DUR_H(25));
	assert_false(next(f));
	assert_int_equal(failure_groups_count(f->g), 0);
	assert_int_equal(failure_groups_due(f->g).ms, WALL_NEVER.ms);
	assert_int_equal(add(f, denied_on("/a")), FAILURE_FIRST);
}

static void what_time_cures_is_over_sooner(void **state)
{
	struct fixture *f = *state;
	struct failure broken = denied_on("/a");

	broken.class = ARM_ERROR_TRANSIENT;
	add(f, broken);
	add(f, broken);
	pass(f, wall_since(wall_add(START, DUR_H(2)), wall_add(START, DUR_MS(1))));
	assert_false(next(f));
	pass(f, DUR_MS(1));
	assert_true(next(f));
	assert_int_equal(f->news, FAILURE_OVER);
	assert_int_equal(f->group->count, 2);
	assert_string_equal(f->group->code, "AuthorizationFailed");
}

static void a_write_that_gets_through_shows_that_it_is_over(void **state)
{
	struct fixture *f = *state;

	add(f, denied_on("/a"));
	add(f, denied_on("/b"));
	pass(f, DUR_MIN(10));
	failure_groups_passed(f->g, CONTROL_SERVERS_PLAN, "production", f->now);
	failure_groups_passed(f->g, CONTROL_MDE_EXTENSION, "lab", f->now);
	pass(f, DUR_H(1));
	assert_false(next(f));
	failure_groups_passed(f->g, CONTROL_MDE_EXTENSION, "production", f->now);
	assert_true(next(f));
	assert_int_equal(f->news, FAILURE_OVER);
	assert_false(next(f));
}

static void failures_that_go_on_beside_successes_are_not_over(void **state)
{
	struct fixture *f = *state;

	add(f, denied_on("/a"));
	add(f, denied_on("/b"));
	for (unsigned i = 0; i < 60; i++) {
		pass(f, DUR_MIN(10));
		failure_groups_passed(f->g, CONTROL_MDE_EXTENSION, "production", f->now);
		pass(f, DUR_MIN(1));
		add(f, denied_on("/c"));
		while (next(f))
			assert_int_equal(f->news, FAILURE_MORE);
	}
}

static void codes_from_outside_are_capped(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3 * FAILURE_GROUPS_MAX; i++) {
		mdc_autofree char *code = xasprintf("Code%u", i);
		struct failure failure = denied_on("/a");

		failure.code = code;
		pass(f, DUR_S(1));
		assert_int_equal(add(f, failure), FAILURE_FIRST);
		/* The one that goes on is not the quietest. */
		add(f, denied_on("/b"));
	}
	assert_int_equal(failure_groups_count(f->g), FAILURE_GROUPS_MAX);
	assert_int_equal(add(f, denied_on("/b")), FAILURE_COUNTED);
	assert_int_equal(f->group->count, 3 * FAILURE_GROUPS_MAX + 1);
}

static void it_is_due_when_there_is_something_to_tell(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(failure_groups_due(f->g).ms, WALL_NEVER.ms);
	add(f, denied_on("/a"));
	add(f, denied_on("/b"));
	assert_int_equal(failure_groups_due(f->g).ms, wall_add(f->now, DUR_H(25)).ms);
	add(f, denied_on("/c"));
	assert_int_equal(failure_groups_due(f->g).ms, wall_add(f->now, DUR_MIN(1)).ms);
	f->now = failure_groups_due(f->g);
	assert_true(next(f));
	assert_int_equal(f->group->count, 3);
	assert_true(wall_before(f->now, failure_groups_due(f->g)));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_hundred_thousand_failures_are_a_handful_of_lines),
		CASE(counts_are_told_less_and_less_often),
		CASE(nothing_is_told_when_nothing_was_added),
		CASE(groups_are_apart_by_control_class_code_and_scope),
		CASE(a_single_failure_ends_in_silence),
		CASE(what_time_cures_is_over_sooner),
		CASE(a_write_that_gets_through_shows_that_it_is_over),
		CASE(failures_that_go_on_beside_successes_are_not_over),
		CASE(codes_from_outside_are_capped),
		CASE(it_is_due_when_there_is_something_to_tell),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
