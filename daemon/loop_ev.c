/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop.h"

#include "lib/base/heap.h"
#include "lib/base/xalloc.h"

#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define ALARM_OFF INT64_MAX

struct call {
	loop_fn fn;
	void *ctx;
};
struct calls {
	struct call *v;
	size_t n;
	size_t room;
};

struct loop_ev {
	struct loop base;
	struct ev_loop *ev;
	ev_check stamper;
	struct mono mono;
	struct wall wall;
	bool running;
	bool stopped;
	/* libev keeps time as a double and cuts it on the way to epoll; a timerfd with an absolute
	 * time fires at or after its millisecond, never before. */
	int alarm_fd;
	int64_t alarm_due;
	ev_io alarm;
	struct heap timers;
	struct calls deferred;
	struct calls deferred_now; /* the other half of a double buffer */
	ev_async wake;
	pthread_mutex_t lock; /* over `posted` alone */
	struct calls posted;
	struct calls posted_now;
	struct list signals;
};

struct loop_timer {
	struct heap_node node;
	struct loop_ev *loop;
	loop_fn fn;
	void *ctx;
};

struct loop_io {
	ev_io watcher;
	struct loop_ev *loop;
	loop_io_fn fn;
	void *ctx;
	int want;
};

struct signal_watch {
	struct list node;
	ev_signal watcher;
	loop_signal_fn fn;
	void *ctx;
};

static struct loop_ev *self(struct loop *l)
{
	return container_of(l, struct loop_ev, base);
}

/* --- clocks --- */

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct wall loop_ev_wall_now(void)
{
	return (struct wall){read_clock(CLOCK_REALTIME)};
}

/* CLOCK_MONOTONIC and not CLOCK_BOOTTIME: it is the clock that systemd compares MONOTONIC_USEC
 * with. Servers do not sleep, and a paused virtual machine stops both. */
static void stamp(struct loop_ev *l)
{
	l->mono = (struct mono){read_clock(CLOCK_MONOTONIC)};
	l->wall = loop_ev_wall_now();
}

static void stamp_turn(struct ev_loop *ev, ev_check *w, int events)
{
	(void)ev;
	(void)events;
	stamp(container_of(w, struct loop_ev, stamper));
}

static struct mono mono_now(struct loop *base)
{
	struct loop_ev *l = self(base);

	if (!l->running)
		stamp(l);
	return l->mono;
}

static struct wall wall_now(struct loop *base)
{
	struct loop_ev *l = self(base);

	if (!l->running)
		stamp(l);
	return l->wall;
}

/* --- calls: deferred and posted --- */

static void calls_add(struct calls *c, loop_fn fn, void *ctx)
{
	if (c->n == c->room) {
		c->room = c->room == 0 ? 16 : c->room * 2;
		c->v = xreallocarray(c->v, c->room, sizeof(*c->v));
	}
	c->v[c->n++] = (struct call){fn, ctx};
}

/* What the calls themselves add lands in the buffer that `from` is then. */
static void calls_swap(struct calls *from, struct calls *to)
{
	struct calls empty = *to;

	assert(empty.n == 0);
	*to = *from;
	*from = empty;
}

static void calls_run(struct calls *c)
{
	for (size_t i = 0; i < c->n; i++)
		c->v[i].fn(c->v[i].ctx);
	c->n = 0;
}

static void defer(struct loop *base, loop_fn fn, void *ctx)
{
	calls_add(&self(base)->deferred, fn, ctx);
}

static void run_deferred(struct loop_ev *l)
{
	calls_swap(&l->deferred, &l->deferred_now);
	calls_run(&l->deferred_now);
}

static void post(struct loop *base, loop_fn fn, void *ctx)
{
	struct loop_ev *l = self(base);

	pthread_mutex_lock(&l->lock);
	calls_add(&l->posted, fn, ctx);
	/* Inside the lock: the loop may end once it has run what was posted. */
	ev_async_send(l->ev, &l->wake);
	pthread_mutex_unlock(&l->lock);
}

static void woken(struct ev_loop *ev, ev_async *w, int events)
{
	struct loop_ev *l = container_of(w, struct loop_ev, wake);

	(void)ev;
	(void)events;
	pthread_mutex_lock(&l->lock);
	calls_swap(&l->posted, &l->posted_now);
	pthread_mutex_unlock(&l->lock);
	calls_run(&l->posted_now);
}

/* --- timers --- */

static struct loop_timer *timer_new(struct loop *base, loop_fn fn, void *ctx)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = self(base);
	t->fn = fn;
	t->ctx = ctx;
	return t;
}

static void timer_arm(struct loop_timer *t, struct mono due)
{
	struct mono now = mono_now(&t->loop->base);

	if (due.ms == MONO_NEVER.ms) {
		heap_remove(&t->loop->timers, &t->node);
		return;
	}
	/* A timer that is armed again and again in the past must not stay ahead of the others. */
	heap_put(&t->loop->timers, &t->node, mono_before(due, now) ? now.ms : due.ms);
}

static void timer_disarm(struct loop_timer *t)
{
	heap_remove(&t->loop->timers, &t->node);
}

static struct loop_timer *timer_free(struct loop_timer *t)
{
	if (t != NULL)
		timer_disarm(t);
	free(t);
	return NULL;
}

/* Those armed by these callbacks wait for the next turn, so that descriptors get theirs. */
static void run_timers(struct loop_ev *l)
{
	uint64_t first_new = l->timers.next_order;
	struct heap_node *node;

	while ((node = heap_first(&l->timers)) != NULL && node->due <= l->mono.ms &&
		node->order < first_new) {
		struct loop_timer *t = container_of(node, struct loop_timer, node);

		heap_remove(&l->timers, node);
		t->fn(t->ctx);
	}
}

static void alarm_set(struct loop_ev *l, int64_t due)
{
	struct itimerspec when = {0};

	if (due == l->alarm_due)
		return;
	if (due != ALARM_OFF) {
		when.it_value.tv_sec = due / 1000;
		when.it_value.tv_nsec = due % 1000 * 1000000;
	}
	l->alarm_due = due;
	if (timerfd_settime(l->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0) {
		perror("timerfd_settime");
		abort();
	}
}

static void alarm_rang(struct ev_loop *ev, ev_io *w, int events)
{
	struct loop_ev *l = container_of(w, struct loop_ev, alarm);
	uint64_t expirations;

	(void)ev;
	(void)events;
	if (read(l->alarm_fd, &expirations, sizeof(expirations)) > 0)
		l->alarm_due = ALARM_OFF;
}

/* --- descriptors --- */

static void io_event(struct ev_loop *ev, ev_io *w, int events)
{
	struct loop_io *io = container_of(w, struct loop_io, watcher);

	(void)ev;
	/* The last use of `io`: the callback may free it. */
	io->fn(io->ctx, w->fd, (events & EV_READ) != 0, (events & EV_WRITE) != 0);
}

static struct loop_io *io_new(struct loop *base, int fd, loop_io_fn fn, void *ctx)
{
	struct loop_io *io = xcalloc(1, sizeof(*io));

	io->loop = self(base);
	io->fn = fn;
	io->ctx = ctx;
	ev_io_init(&io->watcher, io_event, fd, 0);
	return io;
}

static void io_want(struct loop_io *io, int want)
{
	ev_io_stop(io->loop->ev, &io->watcher);
	io->want = want;
	if (want == 0)
		return;
	/* Set even when nothing changed: the number may stand for another file by now. */
	ev_io_set(&io->watcher, io->watcher.fd,
		((want & 1) != 0 ? EV_READ : 0) | ((want & 2) != 0 ? EV_WRITE : 0));
	ev_io_start(io->loop->ev, &io->watcher);
}

static struct loop_io *io_free(struct loop_io *io)
{
	if (io != NULL)
		ev_io_stop(io->loop->ev, &io->watcher);
	free(io);
	return NULL;
}

/* --- signals --- */

static void signal_event(struct ev_loop *ev, ev_signal *w, int events)
{
	struct signal_watch *s = container_of(w, struct signal_watch, watcher);

	(void)ev;
	(void)events;
	s->fn(s->ctx, w->signum);
}

static void on_signal(struct loop *base, int signal_number, loop_signal_fn fn, void *ctx)
{
	struct loop_ev *l = self(base);
	struct signal_watch *s;

	list_for_each (&l->signals, node) {
		s = list_entry(node, struct signal_watch, node);
		if (s->watcher.signum == signal_number) {
			s->fn = fn;
			s->ctx = ctx;
			return;
		}
	}
	s = xcalloc(1, sizeof(*s));
	s->fn = fn;
	s->ctx = ctx;
	ev_signal_init(&s->watcher, signal_event, signal_number);
	ev_signal_start(l->ev, &s->watcher);
	list_append(&l->signals, &s->node);
}

/* --- the turns --- */

static bool has_work(struct loop_ev *l)
{
	struct heap_node *first = heap_first(&l->timers);

	if (l->deferred.n > 0 || (first != NULL && first->due <= l->mono.ms))
		return true;
	alarm_set(l, first != NULL ? first->due : ALARM_OFF);
	return false;
}

static void run(struct loop *base)
{
	struct loop_ev *l = self(base);

	assert(!l->running);
	stamp(l);
	l->running = true;
	l->stopped = false;
	while (!l->stopped) {
		ev_run(l->ev, has_work(l) ? EVRUN_NOWAIT : EVRUN_ONCE);
		run_timers(l);
		run_deferred(l);
	}
	l->running = false;
}

static void stop(struct loop *base)
{
	self(base)->stopped = true;
}

static struct loop *loop_free(struct loop *base)
{
	struct loop_ev *l = self(base);

	assert(!l->running);
	list_for_each (&l->signals, node) {
		struct signal_watch *s = list_entry(node, struct signal_watch, node);

		ev_signal_stop(l->ev, &s->watcher);
		free(s);
	}
	ev_io_stop(l->ev, &l->alarm);
	ev_async_stop(l->ev, &l->wake);
	ev_check_stop(l->ev, &l->stamper);
	ev_loop_destroy(l->ev);
	close(l->alarm_fd);
	heap_fini(&l->timers);
	pthread_mutex_destroy(&l->lock);
	free(l->deferred.v);
	free(l->deferred_now.v);
	free(l->posted.v);
	free(l->posted_now.v);
	free(l);
	return NULL;
}

static const struct loop_ops loop_ev_ops = {
	.mono = mono_now,
	.wall = wall_now,
	.timer_new = timer_new,
	.timer_arm = timer_arm,
	.timer_disarm = timer_disarm,
	.timer_free = timer_free,
	.io_new = io_new,
	.io_want = io_want,
	.io_free = io_free,
	.defer = defer,
	.post = post,
	.on_signal = on_signal,
	.run = run,
	.stop = stop,
	.free = loop_free,
};

static void start_watchers(struct loop_ev *l)
{
	ev_check_init(&l->stamper, stamp_turn);
	ev_set_priority(&l->stamper, EV_MAXPRI);
	ev_check_start(l->ev, &l->stamper);
	ev_async_init(&l->wake, woken);
	ev_async_start(l->ev, &l->wake);
	ev_io_init(&l->alarm, alarm_rang, l->alarm_fd, EV_READ);
	ev_io_start(l->ev, &l->alarm);
}

struct loop *loop_ev_new(void)
{
	struct loop_ev *l = xcalloc(1, sizeof(*l));

	l->base.ops = &loop_ev_ops;
	l->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	l->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->ev == NULL || l->alarm_fd < 0) {
		perror("cannot make an event loop");
		abort();
	}
	l->alarm_due = ALARM_OFF;
	heap_init(&l->timers);
	list_init(&l->signals);
	pthread_mutex_init(&l->lock, NULL);
	start_watchers(l);
	stamp(l);
	/* A peer that hangs up is an error code, never a signal: libcurl is told not to care. */
	signal(SIGPIPE, SIG_IGN);
	return &l->base;
}
