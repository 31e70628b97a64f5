/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual loop keeps the promises of loop.h, since everything else is tested on it. */
#include "tests/harness/loop_virtual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char trace[64];

static void note(char c)
{
	size_t len = strlen(trace);

	assert_true(len + 1 < sizeof(trace));
	trace[len] = c;
	trace[len + 1] = '\0';
}

struct mark {
	struct loop *loop;
	struct loop_timer *timer;
	char letter;
	unsigned left; /* times that it arms itself again, at once */
};

static void mark_fires(void *ctx)
{
	struct mark *m = ctx;

	note(m->letter);
	if (m->left > 0) {
		m->left--;
		m->loop->ops->timer_arm(m->timer, loop_mono(m->loop));
	}
}

static struct mono in(struct loop *l, int64_t ms)
{
	return mono_add(loop_mono(l), DUR_MS(ms));
}

static struct loop *begin(void)
{
	trace[0] = '\0';
	return loop_virtual_new((struct wall){1000});
}

static void mark_init(struct mark *m, struct loop *l, char letter)
{
	*m = (struct mark){.loop = l, .letter = letter};
	m->timer = loop_timer_new(l, mark_fires, m);
}

static void timers_fire_in_order_and_time_jumps(void **state)
{
	struct loop *l = begin();
	struct mono start = loop_mono(l);
	struct mark m[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		mark_init(&m[i], l, (char)('a' + i));
	l->ops->timer_arm(m[0].timer, in(l, 500));
	l->ops->timer_arm(m[1].timer, in(l, 200));
	l->ops->timer_arm(m[2].timer, in(l, 500));
	l->ops->timer_arm(m[3].timer, in(l, DUR_DAYS(30).ms));
	l->ops->timer_arm(m[1].timer, in(l, 900));
	loop_virtual_run_for(l, DUR_MS(899));
	assert_string_equal(trace, "ac");
	assert_int_equal(loop_mono(l).ms, start.ms + 899);
	assert_int_equal(loop_wall(l).ms, 1000 + 899);
	l->ops->timer_disarm(m[3].timer);
	l->ops->timer_arm(m[3].timer, in(l, DUR_DAYS(40).ms));
	loop_virtual_run_for(l, DUR_DAYS(41));
	assert_string_equal(trace, "acbd");
	assert_int_equal(loop_virtual_next(l).ms, MONO_NEVER.ms);
	for (unsigned i = 0; i < 4; i++)
		l->ops->timer_free(m[i].timer);
	l->ops->free(l);
}

static void a_timer_that_is_due_waits_for_the_next_turn(void **state)
{
	struct loop *l = begin();
	struct mark a, b;

	(void)state;
	mark_init(&a, l, 'a');
	mark_init(&b, l, 'b');
	a.left = 2;
	l->ops->timer_arm(a.timer, (struct mono){0});
	l->ops->timer_arm(b.timer, (struct mono){0});
	loop_virtual_settle(l);
	assert_string_equal(trace, "abaa");
	assert_int_equal(loop_virtual_turns(l), 3);
	l->ops->timer_free(a.timer);
	l->ops->timer_free(b.timer);
	l->ops->free(l);
}

static void defer_x(void *ctx)
{
	(void)ctx;
	note('x');
}

static void defer_again(void *ctx)
{
	struct loop *l = ctx;

	note('d');
	l->ops->defer(l, defer_x, NULL);
	l->ops->post(l, defer_x, NULL);
}

static void deferred_work_runs_after_the_turn(void **state)
{
	struct loop *l = begin();
	struct mark m;

	(void)state;
	mark_init(&m, l, 't');
	l->ops->defer(l, defer_again, l);
	l->ops->timer_arm(m.timer, loop_mono(l));
	loop_virtual_settle(l);
	assert_string_equal(trace, "tdxx");
	l->ops->timer_free(m.timer);
	l->ops->free(l);
}

static void free_myself(void *ctx)
{
	struct mark *m = ctx;

	note(m->letter);
	m->timer = m->loop->ops->timer_free(m->timer);
}

static void a_timer_may_be_freed_by_its_own_callback(void **state)
{
	struct loop *l = begin();
	struct mark m = {.loop = l, .letter = 'f'};

	(void)state;
	m.timer = loop_timer_new(l, free_myself, &m);
	l->ops->timer_arm(m.timer, in(l, 5));
	loop_virtual_run_for(l, DUR_MS(5));
	assert_string_equal(trace, "f");
	assert_null(m.timer);
	l->ops->free(l);
}

static void stop_loop(void *ctx)
{
	struct loop *l = ctx;

	note('s');
	l->ops->stop(l);
}

static void run_ends_with_a_stop_or_with_nothing_to_do(void **state)
{
	struct loop *l = begin();
	struct mark m;

	(void)state;
	mark_init(&m, l, 'm');
	l->ops->timer_arm(m.timer, in(l, 10));
	l->ops->defer(l, stop_loop, l);
	l->ops->run(l);
	assert_string_equal(trace, "s");
	l->ops->run(l);
	assert_string_equal(trace, "sm");
	l->ops->timer_free(m.timer);
	l->ops->free(l);
}

static void signal_came(void *ctx, int signal_number)
{
	(void)ctx;
	note((char)('0' + signal_number));
}

static void signals_are_told_to_who_listens(void **state)
{
	struct loop *l = begin();

	(void)state;
	l->ops->on_signal(l, 1, signal_came, NULL);
	loop_virtual_signal(l, 1);
	loop_virtual_signal(l, 2);
	loop_virtual_settle(l);
	assert_string_equal(trace, "1");
	l->ops->free(l);
}

static void readable(void *ctx, int fd, bool can_read, bool can_write)
{
	char c;

	(void)ctx;
	assert_true(can_read && !can_write);
	assert_int_equal(read(fd, &c, 1), 1);
	note(c);
}

static void descriptors_are_looked_at_when_asked(void **state)
{
	struct loop *l = begin();
	struct loop_io *io;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	io = l->ops->io_new(l, fds[0], readable, NULL);
	l->ops->io_want(io, 1);
	assert_false(loop_virtual_poll(l));
	assert_int_equal(write(fds[1], "r", 1), 1);
	loop_virtual_settle(l);
	assert_string_equal(trace, "");
	assert_true(loop_virtual_poll(l));
	assert_string_equal(trace, "r");
	l->ops->io_free(io);
	close(fds[0]);
	close(fds[1]);
	l->ops->free(l);
}

static void the_wall_clock_can_be_set(void **state)
{
	struct loop *l = begin();
	struct mono before = loop_mono(l);

	(void)state;
	loop_virtual_set_wall(l, (struct wall){5});
	assert_int_equal(loop_wall(l).ms, 5);
	assert_int_equal(loop_mono(l).ms, before.ms);
	loop_virtual_run_for(l, DUR_MS(10));
	assert_int_equal(loop_wall(l).ms, 15);
	l->ops->free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_and_time_jumps),
		cmocka_unit_test(a_timer_that_is_due_waits_for_the_next_turn),
		cmocka_unit_test(deferred_work_runs_after_the_turn),
		cmocka_unit_test(a_timer_may_be_freed_by_its_own_callback),
		cmocka_unit_test(run_ends_with_a_stop_or_with_nothing_to_do),
		cmocka_unit_test(signals_are_told_to_who_listens),
		cmocka_unit_test(descriptors_are_looked_at_when_asked),
		cmocka_unit_test(the_wall_clock_can_be_set),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loop_virtual", tests, NULL, NULL);
}
