/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scheduler.h"
#include "lib/base/xalloc.h"
#include "tests/harness/fake_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SUBSCRIPTIONS_EVERY DUR_MIN(15)
#define MACHINES_EVERY DUR_MIN(5)
#define WATCH_EVERY DUR_S(30)
#define TOOK DUR_S(2)

struct fixture {
	struct fake_world fake;
	struct config config;
	struct scheduler *scheduler;
	struct loop_timer *ending; /* of the pass that runs */
	enum pass_kind running;
	size_t operations;
	uint64_t problems; /* of each pass */
	unsigned count[PASS_KIND_N_];
	struct mono begun[PASS_KIND_N_]; /* the last one */
};

static void begin_pass(void *ctx, enum pass_kind kind)
{
	struct fixture *f = ctx;
	struct loop *loop = f->fake.world.loop;

	f->count[kind]++;
	f->begun[kind] = loop_mono(loop);
	f->running = kind;
	loop->ops->timer_arm(f->ending, mono_add(loop_mono(loop), TOOK));
}

static void end_pass(void *ctx)
{
	struct fixture *f = ctx;
	struct pass_report report = {.kind = f->running,
		.ended = loop_wall(f->fake.world.loop),
		.problems = f->problems};

	scheduler_pass_ended(f->scheduler, &report);
}

static size_t running_operations(void *ctx)
{
	return ((struct fixture *)ctx)->operations;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct scheduler_ports ports = {
		.ctx = f, .pass = begin_pass, .running = running_operations};

	fake_world_init(&f->fake, 99);
	f->config.poll.subscriptions = SUBSCRIPTIONS_EVERY;
	f->config.poll.machines = MACHINES_EVERY;
	f->config.poll.operations = WATCH_EVERY;
	f->ending = loop_timer_new(f->fake.world.loop, end_pass, f);
	f->scheduler = scheduler_new(&f->fake.world, &ports);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	scheduler_free(f->scheduler);
	f->fake.world.loop->ops->timer_free(f->ending);
	fake_world_fini(&f->fake);
	free(f);
	return 0;
}

static void run(struct fixture *f, struct dur length)
{
	loop_virtual_run_for(f->fake.world.loop, length);
}

/* Started, and both first passes are over. */
static void start(struct fixture *f)
{
	scheduler_configure(f->scheduler, &f->config);
	run(f, DUR_S(4));
}

static struct dur due_in(struct fixture *f, enum pass_kind kind)
{
	return wall_since(scheduler_due(f->scheduler, kind), loop_wall(f->fake.world.loop));
}

static void a_start_reads_subscriptions_then_machines_at_once(void **state)
{
	struct fixture *f = *state;

	scheduler_configure(f->scheduler, &f->config);
	assert_int_equal(f->count[PASS_SUBSCRIPTIONS], 1);
	assert_int_equal(f->count[PASS_MACHINES], 0);
	run(f, TOOK);
	assert_int_equal(f->count[PASS_MACHINES], 1);
	run(f, TOOK);
	assert_int_equal(f->count[PASS_SUBSCRIPTIONS] + f->count[PASS_MACHINES], 2);
	assert_int_equal(f->count[PASS_WATCH], 0);
}

static void each_kind_follows_its_own_interval_from_the_end_of_its_last_pass(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 2; i < 10; i++) {
		struct mono before = f->begun[PASS_MACHINES];

		run(f, DUR_MS(MACHINES_EVERY.ms + TOOK.ms));
		assert_int_equal(f->count[PASS_MACHINES], i);
		assert_int_equal(mono_since(f->begun[PASS_MACHINES], before).ms,
			MACHINES_EVERY.ms + TOOK.ms);
	}
	assert_int_equal(f->count[PASS_SUBSCRIPTIONS], 3);
}

static void jitter_stays_within_its_bounds_and_is_used(void **state)
{
	struct fixture *f = *state;
	int64_t shortest = INT64_MAX, longest = 0;

	f->config.poll.jitter_percent = 10;
	start(f);
	for (unsigned i = 0; i < 300; i++) {
		int64_t wait = due_in(f, PASS_MACHINES).ms;

		shortest = wait < shortest ? wait : shortest;
		longest = wait > longest ? wait : longest;
		scheduler_pass_ended(f->scheduler, &(struct pass_report){.kind = PASS_MACHINES});
	}
	assert_in_range(shortest, MACHINES_EVERY.ms * 90 / 100, MACHINES_EVERY.ms * 92 / 100);
	assert_in_range(longest, MACHINES_EVERY.ms * 108 / 100, MACHINES_EVERY.ms * 110 / 100);
}

static void a_pass_that_is_wanted_now_replaces_the_one_that_was_due(void **state)
{
	struct fixture *f = *state;

	start(f);
	run(f, DUR_MIN(4));
	scheduler_now(f->scheduler, PASS_MACHINES);
	assert_int_equal(f->count[PASS_MACHINES], 2);
	assert_false(wall_is_set(scheduler_due(f->scheduler, PASS_MACHINES)));
	run(f, DUR_MIN(4));
	assert_int_equal(f->count[PASS_MACHINES], 2);
	run(f, DUR_S(62));
	assert_int_equal(f->count[PASS_MACHINES], 3);
}

static void what_could_not_be_read_is_read_again_soon_and_then_less_often(void **state)
{
	static const int64_t waits[] = {30, 60, 120, 240, 300, 300};
	struct fixture *f = *state;

	f->problems = 1;
	start(f);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		struct mono before = f->begun[PASS_MACHINES];
		struct dur wait = DUR_S(waits[i]);

		run(f, DUR_MS(wait.ms + TOOK.ms));
		assert_int_equal(mono_since(f->begun[PASS_MACHINES], before).ms, wait.ms + TOOK.ms);
	}
	scheduler_pass_ended(f->scheduler, &(struct pass_report){.kind = PASS_MACHINES});
	assert_int_equal(due_in(f, PASS_MACHINES).ms, MACHINES_EVERY.ms);
	scheduler_pass_ended(
		f->scheduler, &(struct pass_report){.kind = PASS_MACHINES, .problems = 1});
	assert_int_equal(due_in(f, PASS_MACHINES).ms, 30000);
}

static void a_short_interval_is_never_made_longer(void **state)
{
	struct fixture *f = *state;

	f->problems = 1;
	f->config.poll.machines = DUR_S(10);
	start(f);
	run(f, DUR_S(9));
	assert_int_equal(f->count[PASS_MACHINES], 1);
	run(f, DUR_S(1));
	assert_int_equal(f->count[PASS_MACHINES], 2);
}

static void operations_are_watched_while_there_are_any(void **state)
{
	struct fixture *f = *state;

	start(f);
	run(f, DUR_MIN(2));
	assert_int_equal(f->count[PASS_WATCH], 0);
	f->operations = 3;
	scheduler_operations_began(f->scheduler);
	scheduler_operations_began(f->scheduler);
	run(f, WATCH_EVERY);
	assert_int_equal(f->count[PASS_WATCH], 1);
	run(f, DUR_MS(TOOK.ms + WATCH_EVERY.ms));
	assert_int_equal(f->count[PASS_WATCH], 2);
	f->operations = 0;
	run(f, DUR_MIN(2));
	assert_int_equal(f->count[PASS_WATCH], 2);
	/* They ended before the first look was due. */
	scheduler_operations_began(f->scheduler);
	run(f, DUR_MIN(1));
	assert_int_equal(f->count[PASS_WATCH], 2);
}

static void a_reload_reads_everything_again_and_takes_the_new_intervals(void **state)
{
	struct fixture *f = *state;
	struct config fresh = f->config;

	start(f);
	f->operations = 1;
	scheduler_operations_began(f->scheduler);
	run(f, DUR_S(10));
	fresh.poll.machines = DUR_MIN(60);
	fresh.poll.operations = DUR_S(5);
	scheduler_configure(f->scheduler, &fresh);
	assert_int_equal(f->count[PASS_SUBSCRIPTIONS], 2);
	assert_int_equal(f->count[PASS_MACHINES], 2);
	run(f, DUR_S(5));
	assert_int_equal(f->count[PASS_WATCH], 1);
	f->operations = 0;
	run(f, DUR_MIN(10));
	assert_int_equal(f->count[PASS_MACHINES], 2);
	assert_int_equal(wall_since(scheduler_due(f->scheduler, PASS_MACHINES),
				 loop_wall(f->fake.world.loop))
				 .ms /
			60000,
		49);
}

static void nothing_begins_after_a_stop(void **state)
{
	struct fixture *f = *state;

	start(f);
	f->operations = 1;
	scheduler_operations_began(f->scheduler);
	scheduler_stop(f->scheduler);
	scheduler_now(f->scheduler, PASS_MACHINES);
	scheduler_operations_began(f->scheduler);
	scheduler_configure(f->scheduler, &f->config);
	scheduler_pass_ended(f->scheduler, &(struct pass_report){.kind = PASS_MACHINES});
	run(f, DUR_H(2));
	assert_int_equal(f->count[PASS_SUBSCRIPTIONS] + f->count[PASS_MACHINES], 2);
	assert_int_equal(f->count[PASS_WATCH], 0);
}

static void a_clock_that_is_set_changes_no_interval(void **state)
{
	struct fixture *f = *state;

	start(f);
	loop_virtual_set_wall(f->fake.world.loop, (struct wall){INT64_C(1000000000000)});
	run(f, MACHINES_EVERY);
	assert_int_equal(f->count[PASS_MACHINES], 2);
	loop_virtual_set_wall(f->fake.world.loop, (struct wall){INT64_C(4000000000000)});
	run(f, DUR_MS(MACHINES_EVERY.ms + TOOK.ms));
	assert_int_equal(f->count[PASS_MACHINES], 3);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_start_reads_subscriptions_then_machines_at_once),
		CASE(each_kind_follows_its_own_interval_from_the_end_of_its_last_pass),
		CASE(jitter_stays_within_its_bounds_and_is_used),
		CASE(a_pass_that_is_wanted_now_replaces_the_one_that_was_due),
		CASE(what_could_not_be_read_is_read_again_soon_and_then_less_often),
		CASE(a_short_interval_is_never_made_longer),
		CASE(operations_are_watched_while_there_are_any),
		CASE(a_reload_reads_everything_again_and_takes_the_new_intervals),
		CASE(nothing_begins_after_a_stop),
		CASE(a_clock_that_is_set_changes_no_interval),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
