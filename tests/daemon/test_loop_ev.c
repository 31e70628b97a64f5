/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop.h"
#include "lib/base/buf.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Takes the place of libc's for libev too: how often does the loop wake? */
static unsigned waits;
int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
	static int (*real)(int, struct epoll_event *, int, int);

	if (real == NULL)
		real = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
	waits++;
	return real(fd, events, count, timeout);
}

struct fixture {
	struct loop *loop;
	struct buf trace; /* one letter a call */
	int pipe[2];
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){.loop = loop_ev_new(), .trace = BUF_INIT(1 << 20)};
	assert_int_equal(pipe2(f.pipe, O_CLOEXEC | O_NONBLOCK), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->loop->ops->free(f->loop);
	buf_fini(&f->trace);
	close(f->pipe[0]);
	close(f->pipe[1]);
	return 0;
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
}

/* A call that leaves its letter, and perhaps does something more. */
struct mark {
	struct fixture *f;
	char letter;
	loop_fn also;
	void *also_ctx;
	struct loop_timer *timer;
};

static void leave_mark(void *ctx)
{
	struct mark *m = ctx;

	buf_addc(&m->f->trace, m->letter);
	if (m->also != NULL)
		m->also(m->also_ctx);
}

static void stop(void *ctx)
{
	struct fixture *f = ctx;

	f->loop->ops->stop(f->loop);
}

static void defer(struct fixture *f, loop_fn fn, void *ctx)
{
	f->loop->ops->defer(f->loop, fn, ctx);
}

static struct mono in_ms(struct fixture *f, int64_t ms)
{
	return mono_add(loop_mono(f->loop), DUR_MS(ms));
}

static void io_mark(void *ctx, int fd, bool readable, bool writable)
{
	struct mark *m = ctx;

	(void)fd;
	assert_true(readable || writable);
	leave_mark(m);
}

/* --- deferred --- */

static void defer_mark(void *ctx)
{
	struct mark *m = ctx;

	defer(m->f, leave_mark, m);
}

static void deferred_runs_in_order_and_its_own_in_the_next_turn(void **state)
{
	struct fixture *f = *state;
	struct mark last = {f, 'c', stop, f, NULL};
	struct mark first = {f, 'a', defer_mark, &last, NULL}, second = {f, 'b', NULL, NULL, NULL};
	struct mark turn = {f, '.', NULL, NULL, NULL};
	struct loop_io *io = f->loop->ops->io_new(f->loop, f->pipe[1], io_mark, &turn);

	f->loop->ops->io_want(io, 2);
	defer(f, leave_mark, &first);
	defer(f, leave_mark, &second);
	f->loop->ops->run(f->loop);
	assert_string_equal(buf_str(&f->trace), ".ab.c");
	f->loop->ops->io_free(io);
}

static void what_is_deferred_when_the_loop_ends_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct mark never = {f, 'x', NULL, NULL, NULL};

	defer(f, stop, f);
	defer(f, defer_mark, &never);
	f->loop->ops->run(f->loop);
	f->loop->ops->free(f->loop);
	assert_string_equal(buf_str(&f->trace), "");
	f->loop = loop_ev_new();
}

/* --- timers --- */

static void arm(struct mark *m, struct mono due)
{
	if (m->timer == NULL)
		m->timer = loop_timer_new(m->f->loop, leave_mark, m);
	m->f->loop->ops->timer_arm(m->timer, due);
}

static void disarm_all(struct mark *marks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		marks[i].timer = marks[i].f->loop->ops->timer_free(marks[i].timer);
}

static void timers_fire_by_time_then_by_order_of_arming(void **state)
{
	struct fixture *f = *state;
	struct mark m[] = {{f, 'e', stop, f, NULL}, {f, 'c', NULL, NULL, NULL},
		{f, 'd', NULL, NULL, NULL}, {f, 'b', NULL, NULL, NULL}, {f, 'a', NULL, NULL, NULL}};
	struct mono now = loop_mono(f->loop);

	arm(&m[0], mono_add(now, DUR_MS(6)));
	arm(&m[1], mono_add(now, DUR_MS(4)));
	arm(&m[2], mono_add(now, DUR_MS(4)));
	arm(&m[3], mono_add(now, DUR_MS(2)));
	arm(&m[4], (struct mono){0});
	f->loop->ops->run(f->loop);
	assert_string_equal(buf_str(&f->trace), "abcde");
	disarm_all(m, ARRAY_LEN(m));
}

struct early {
	struct fixture *f;
	struct mono due;
	unsigned left;
	struct loop_timer *timer;
};

static void not_early(void *ctx)
{
	struct early *e = ctx;

	assert_false(mono_before(loop_mono(e->f->loop), e->due));
	if (--e->left == 0) {
		stop(e->f);
		return;
	}
	e->due = in_ms(e->f, 1);
	e->f->loop->ops->timer_arm(e->timer, e->due);
}

static void a_timer_never_fires_early_and_the_loop_sleeps_until_then(void **state)
{
	struct fixture *f = *state;
	struct early e = {.f = f, .left = 20};

	e.timer = loop_timer_new(f->loop, not_early, &e);
	e.due = in_ms(f, 1);
	f->loop->ops->timer_arm(e.timer, e.due);
	waits = 0;
	f->loop->ops->run(f->loop);
	/* One wake a timer, and room for chance: a loop that spins makes thousands. */
	assert_in_range(waits, 1, 45);
	f->loop->ops->timer_free(e.timer);
}

static void rearm_in_the_past(void *ctx)
{
	arm(ctx, (struct mono){0});
}

static void a_timer_that_is_always_due_starves_nobody(void **state)
{
	struct fixture *f = *state;
	struct mark greedy = {f, 'g', NULL, NULL, NULL}, other = {f, 't', stop, f, NULL};
	struct mark turn = {f, '.', NULL, NULL, NULL};
	struct loop_io *io = f->loop->ops->io_new(f->loop, f->pipe[1], io_mark, &turn);
	size_t len;

	f->loop->ops->io_want(io, 2);
	greedy.also = rearm_in_the_past;
	greedy.also_ctx = &greedy;
	arm(&greedy, (struct mono){0});
	arm(&other, in_ms(f, 3));
	f->loop->ops->run(f->loop);
	len = f->trace.len;
	assert_int_equal(strncmp(buf_str(&f->trace), ".g.g", 4), 0);
	assert_true(len > 1 && strchr(buf_str(&f->trace), 't') != NULL);
	disarm_all(&greedy, 1);
	disarm_all(&other, 1);
	f->loop->ops->io_free(io);
}

static void free_own_timer(void *ctx)
{
	struct mark *m = ctx;

	m->timer = m->f->loop->ops->timer_free(m->timer);
}

static void arming_replaces_and_disarming_withdraws(void **state)
{
	struct fixture *f = *state;
	struct mark twice = {f, 't', NULL, NULL, NULL}, withdrawn = {f, 'w', NULL, NULL, NULL};
	struct mark never = {f, 'n', NULL, NULL, NULL}, end = {f, 'e', stop, f, NULL};

	twice.also = free_own_timer;
	twice.also_ctx = &twice;
	arm(&twice, in_ms(f, 1));
	arm(&twice, in_ms(f, 2));
	arm(&withdrawn, in_ms(f, 1));
	f->loop->ops->timer_disarm(withdrawn.timer);
	arm(&never, in_ms(f, 1));
	arm(&never, MONO_NEVER);
	arm(&end, in_ms(f, 4));
	f->loop->ops->run(f->loop);
	assert_string_equal(buf_str(&f->trace), "te");
	assert_null(twice.timer);
	assert_null(f->loop->ops->timer_free(NULL));
	disarm_all(&withdrawn, 1);
	disarm_all(&never, 1);
	disarm_all(&end, 1);
}

/* --- clocks --- */

static void time_stands_still(void *ctx)
{
	struct fixture *f = ctx;
	struct mono mono = loop_mono(f->loop);
	struct wall wall = loop_wall(f->loop);

	nap();
	assert_int_equal(loop_mono(f->loop).ms, mono.ms);
	assert_int_equal(loop_wall(f->loop).ms, wall.ms);
	stop(f);
}

static void time_stands_still_within_a_turn_and_flows_outside(void **state)
{
	struct fixture *f = *state;
	struct mono before = loop_mono(f->loop);

	nap();
	assert_true(mono_before(before, loop_mono(f->loop)));
	assert_true(wall_is_set(loop_wall(f->loop)));
	defer(f, time_stands_still, f);
	f->loop->ops->run(f->loop);
}

/* --- posts --- */

#define POSTERS 4
#define POSTS 2000

struct poster {
	struct fixture *f;
	pthread_t thread;
	unsigned next; /* the post that must come next; on the loop's thread */
	struct posted {
		struct poster *poster;
		unsigned number;
	} posts[POSTS];
	unsigned *left;
};

static void arrived(void *ctx)
{
	struct posted *p = ctx;

	assert_int_equal(p->number, p->poster->next++);
	if (--*p->poster->left == 0)
		stop(p->poster->f);
}

static void *post_many(void *ctx)
{
	struct poster *p = ctx;

	for (unsigned i = 0; i < POSTS; i++) {
		p->posts[i] = (struct posted){p, i};
		p->f->loop->ops->post(p->f->loop, arrived, &p->posts[i]);
	}
	return NULL;
}

static void posts_of_many_threads_all_arrive_in_their_order(void **state)
{
	static struct poster posters[POSTERS];
	struct fixture *f = *state;
	unsigned left = POSTERS * POSTS;

	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i].f = f;
		posters[i].next = 0;
		posters[i].left = &left;
		assert_int_equal(
			pthread_create(&posters[i].thread, NULL, post_many, &posters[i]), 0);
	}
	f->loop->ops->run(f->loop);
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_join(posters[i].thread, NULL);
	assert_int_equal(left, 0);
}

static void a_post_before_the_loop_runs_is_kept(void **state)
{
	struct fixture *f = *state;

	f->loop->ops->post(f->loop, stop, f);
	f->loop->ops->run(f->loop);
}

/* --- signals --- */

static void signal_mark(void *ctx, int signal_number)
{
	assert_int_equal(signal_number, SIGUSR1);
	leave_mark(ctx);
}

static void send_signal(void *ctx)
{
	(void)ctx;
	raise(SIGUSR1);
}

static void a_signal_is_an_event_and_its_last_handler_counts(void **state)
{
	struct fixture *f = *state;
	struct mark old = {f, 'o', NULL, NULL, NULL}, new = {f, 'n', stop, f, NULL};
	struct mark trigger = {f, 's', send_signal, NULL, NULL};

	f->loop->ops->on_signal(f->loop, SIGUSR1, signal_mark, &old);
	f->loop->ops->on_signal(f->loop, SIGUSR1, signal_mark, &new);
	defer(f, leave_mark, &trigger);
	f->loop->ops->run(f->loop);
	assert_string_equal(buf_str(&f->trace), "sn");
}

static void a_pipe_without_reader_is_an_error_and_no_signal(void **state)
{
	struct fixture *f = *state;

	close(f->pipe[0]);
	f->pipe[0] = -1;
	assert_int_equal(write(f->pipe[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
}

/* --- descriptors --- */

static void a_reused_descriptor_number_is_watched_anew(void **state)
{
	struct fixture *f = *state;
	struct mark first = {f, '1', stop, f, NULL}, second = {f, '2', stop, f, NULL};
	struct loop_io *io = f->loop->ops->io_new(f->loop, f->pipe[0], io_mark, &first);
	int number = f->pipe[0], other[2];

	f->loop->ops->io_want(io, 1);
	assert_int_equal(write(f->pipe[1], "x", 1), 1);
	f->loop->ops->run(f->loop);
	f->loop->ops->io_free(io);

	assert_int_equal(pipe2(other, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(dup3(other[0], number, O_CLOEXEC), number);
	close(other[0]);
	io = f->loop->ops->io_new(f->loop, number, io_mark, &second);
	f->loop->ops->io_want(io, 1);
	assert_int_equal(write(other[1], "x", 1), 1);
	f->loop->ops->run(f->loop);
	assert_string_equal(buf_str(&f->trace), "12");
	f->loop->ops->io_free(io);
	close(other[1]);
}

struct rival {
	struct mark mark;
	struct loop_io **victim;
};

static void free_victim(void *ctx, int fd, bool readable, bool writable)
{
	struct rival *r = ctx;

	(void)fd;
	(void)readable;
	(void)writable;
	leave_mark(&r->mark);
	*r->victim = r->mark.f->loop->ops->io_free(*r->victim);
	stop(r->mark.f);
}

static void a_watcher_freed_by_another_in_the_same_turn_is_not_called(void **state)
{
	struct fixture *f = *state;
	struct loop_io *a, *b;
	struct rival one = {{f, 'r', NULL, NULL, NULL}, &b}, two = {{f, 'r', NULL, NULL, NULL}, &a};

	assert_int_equal(write(f->pipe[1], "x", 1), 1);
	a = f->loop->ops->io_new(f->loop, f->pipe[0], free_victim, &one);
	b = f->loop->ops->io_new(f->loop, f->pipe[1], free_victim, &two);
	f->loop->ops->io_want(a, 1);
	f->loop->ops->io_want(b, 3);
	f->loop->ops->run(f->loop);
	assert_string_equal(buf_str(&f->trace), "r");
	f->loop->ops->io_free(a);
	f->loop->ops->io_free(b);
}

static void a_watcher_may_be_freed_in_its_own_callback(void **state)
{
	struct fixture *f = *state;
	struct loop_io *io;
	struct rival own = {{f, 'o', NULL, NULL, NULL}, &io};

	io = f->loop->ops->io_new(f->loop, f->pipe[1], free_victim, &own);
	f->loop->ops->io_want(io, 2);
	f->loop->ops->run(f->loop);
	assert_null(io);
}

static void a_watcher_that_wants_nothing_is_silent(void **state)
{
	struct fixture *f = *state;
	struct mark silent = {f, 'x', NULL, NULL, NULL}, end = {f, 'e', stop, f, NULL};
	struct loop_io *io = f->loop->ops->io_new(f->loop, f->pipe[1], io_mark, &silent);

	f->loop->ops->io_want(io, 2);
	f->loop->ops->io_want(io, 0);
	arm(&end, in_ms(f, 2));
	f->loop->ops->run(f->loop);
	assert_string_equal(buf_str(&f->trace), "e");
	disarm_all(&end, 1);
	f->loop->ops->io_free(io);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(deferred_runs_in_order_and_its_own_in_the_next_turn),
		TEST(what_is_deferred_when_the_loop_ends_is_dropped),
		TEST(timers_fire_by_time_then_by_order_of_arming),
		TEST(a_timer_never_fires_early_and_the_loop_sleeps_until_then),
		TEST(a_timer_that_is_always_due_starves_nobody),
		TEST(arming_replaces_and_disarming_withdraws),
		TEST(time_stands_still_within_a_turn_and_flows_outside),
		TEST(posts_of_many_threads_all_arrive_in_their_order),
		TEST(a_post_before_the_loop_runs_is_kept),
		TEST(a_signal_is_an_event_and_its_last_handler_counts),
		TEST(a_pipe_without_reader_is_an_error_and_no_signal),
		TEST(a_reused_descriptor_number_is_watched_anew),
		TEST(a_watcher_freed_by_another_in_the_same_turn_is_not_called),
		TEST(a_watcher_may_be_freed_in_its_own_callback),
		TEST(a_watcher_that_wants_nothing_is_silent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
