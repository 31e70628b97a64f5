/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/loop_virtual.h"

#include "lib/base/heap.h"
#include "lib/base/xalloc.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#define LOOP_MAGIC 0x1009001cu
/* So many turns at one moment are a loop without end. */
#define RESTLESS_TURNS 1000000

struct task {
	struct list link;
	loop_fn fn;
	void *ctx;
};

struct handler {
	struct list link;
	int signal_number;
	unsigned pending;
	loop_signal_fn fn;
	void *ctx;
};

struct loop_timer {
	struct loop_virtual *loop;
	struct heap_node node;
	loop_fn fn;
	void *ctx;
};

struct loop_io {
	struct list link;
	int fd;
	int want;
	loop_io_fn fn;
	void *ctx;
};

struct loop_virtual {
	struct loop base;
	uint32_t magic;
	struct mono now;
	struct dur wall_ahead; /* of the monotonic clock */
	struct heap timers;
	struct list deferred;
	pthread_mutex_t lock; /* of posted */
	struct list posted;
	struct list handlers;
	struct list ios;
	bool stopped;
	uint64_t turns;
};

static struct loop_virtual *virtual_of(const struct loop *l)
{
	struct loop_virtual *v = container_of(l, struct loop_virtual, base);

	MDC_MAGIC_CHECK(v, LOOP_MAGIC);
	return v;
}

static struct mono virtual_mono(struct loop *l)
{
	return virtual_of(l)->now;
}

static struct wall virtual_wall(struct loop *l)
{
	struct loop_virtual *v = virtual_of(l);

	return (struct wall){v->now.ms + v->wall_ahead.ms};
}

static struct loop_timer *virtual_timer_new(struct loop *l, loop_fn fn, void *ctx)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = virtual_of(l);
	t->fn = fn;
	t->ctx = ctx;
	return t;
}

static void virtual_timer_arm(struct loop_timer *t, struct mono due)
{
	/* Not before what is due already, so that what a turn arms waits for the next one. */
	if (mono_before(due, t->loop->now))
		due = t->loop->now;
	heap_put(&t->loop->timers, &t->node, due.ms);
}

static void virtual_timer_disarm(struct loop_timer *t)
{
	heap_remove(&t->loop->timers, &t->node);
}

static struct loop_timer *virtual_timer_free(struct loop_timer *t)
{
	if (t == NULL)
		return NULL;
	virtual_timer_disarm(t);
	free(t);
	return NULL;
}

static struct loop_io *virtual_io_new(struct loop *l, int fd, loop_io_fn fn, void *ctx)
{
	struct loop_io *io = xcalloc(1, sizeof(*io));

	io->fd = fd;
	io->fn = fn;
	io->ctx = ctx;
	list_append(&virtual_of(l)->ios, &io->link);
	return io;
}

static void virtual_io_want(struct loop_io *io, int want)
{
	io->want = want;
}

static struct loop_io *virtual_io_free(struct loop_io *io)
{
	if (io == NULL)
		return NULL;
	list_remove(&io->link);
	free(io);
	return NULL;
}

static struct task *task_new(loop_fn fn, void *ctx)
{
	struct task *t = xcalloc(1, sizeof(*t));

	t->fn = fn;
	t->ctx = ctx;
	return t;
}

static void virtual_defer(struct loop *l, loop_fn fn, void *ctx)
{
	list_append(&virtual_of(l)->deferred, &task_new(fn, ctx)->link);
}

static void virtual_post(struct loop *l, loop_fn fn, void *ctx)
{
	struct loop_virtual *v = virtual_of(l);
	struct task *t = task_new(fn, ctx);

	pthread_mutex_lock(&v->lock);
	list_append(&v->posted, &t->link);
	pthread_mutex_unlock(&v->lock);
}

static struct handler *handler_of(struct loop_virtual *v, int signal_number)
{
	struct handler *h;

	list_for_each (&v->handlers, node)
		if (list_entry(node, struct handler, link)->signal_number == signal_number)
			return list_entry(node, struct handler, link);
	h = xcalloc(1, sizeof(*h));
	h->signal_number = signal_number;
	list_append(&v->handlers, &h->link);
	return h;
}

static void virtual_on_signal(struct loop *l, int signal_number, loop_signal_fn fn, void *ctx)
{
	struct handler *h = handler_of(virtual_of(l), signal_number);

	h->fn = fn;
	h->ctx = ctx;
}

static void move_all(struct list *from, struct list *to)
{
	list_init(to);
	while (!list_is_empty(from)) {
		struct list *node = from->next;

		list_remove(node);
		list_append(to, node);
	}
}

static bool run_tasks(struct list *tasks)
{
	bool ran = false;

	while (!list_is_empty(tasks)) {
		struct task *t = list_entry(tasks->next, struct task, link);
		loop_fn fn = t->fn;
		void *ctx = t->ctx;

		list_remove(&t->link);
		free(t);
		fn(ctx);
		ran = true;
	}
	return ran;
}

static bool run_signals(struct loop_virtual *v)
{
	bool ran = false;

	list_for_each (&v->handlers, node) {
		struct handler *h = list_entry(node, struct handler, link);

		for (; h->pending > 0; ran = true) {
			h->pending--;
			h->fn(h->ctx, h->signal_number);
		}
	}
	return ran;
}

static bool run_timers(struct loop_virtual *v)
{
	uint64_t before = v->timers.next_order;
	struct heap_node *node;
	bool ran = false;

	while ((node = heap_first(&v->timers)) != NULL && node->due <= v->now.ms &&
		node->order < before) {
		struct loop_timer *t = container_of(node, struct loop_timer, node);

		heap_remove(&v->timers, node);
		t->fn(t->ctx);
		ran = true;
	}
	return ran;
}

static bool turn(struct loop_virtual *v)
{
	struct list posted, deferred;
	bool ran = run_signals(v);

	ran |= run_timers(v);
	pthread_mutex_lock(&v->lock);
	move_all(&v->posted, &posted);
	pthread_mutex_unlock(&v->lock);
	ran |= run_tasks(&posted);
	move_all(&v->deferred, &deferred);
	ran |= run_tasks(&deferred);
	v->turns += ran;
	return ran;
}

static void settle(struct loop_virtual *v)
{
	for (unsigned i = 0; !v->stopped && turn(v); i++)
		if (i == RESTLESS_TURNS) {
			fprintf(stderr, "loop_virtual: it does not come to rest\n");
			abort();
		}
}

void loop_virtual_settle(struct loop *l)
{
	struct loop_virtual *v = virtual_of(l);

	v->stopped = false;
	settle(v);
}

struct mono loop_virtual_next(const struct loop *l)
{
	const struct heap_node *first = heap_first(&virtual_of(l)->timers);

	return first != NULL ? (struct mono){first->due} : MONO_NEVER;
}

static bool step(struct loop_virtual *v, struct mono end)
{
	struct mono next;

	settle(v);
	next = loop_virtual_next(&v->base);
	if (v->stopped || next.ms == MONO_NEVER.ms || mono_before(end, next))
		return false;
	v->now = next;
	return true;
}

void loop_virtual_run_until(struct loop *l, struct mono end)
{
	struct loop_virtual *v = virtual_of(l);

	v->stopped = false;
	while (step(v, end))
		;
	if (v->stopped)
		return;
	if (mono_before(v->now, end))
		v->now = end;
	settle(v);
}

void loop_virtual_run_for(struct loop *l, struct dur length)
{
	loop_virtual_run_until(l, mono_add(virtual_of(l)->now, length));
}

bool loop_virtual_step(struct loop *l)
{
	struct loop_virtual *v = virtual_of(l);

	v->stopped = false;
	if (!step(v, MONO_NEVER))
		return false;
	settle(v);
	return true;
}

/* Until it is stopped, or nothing will ever happen again. */
static void virtual_run(struct loop *l)
{
	struct loop_virtual *v = virtual_of(l);

	v->stopped = false;
	while (step(v, MONO_NEVER))
		;
}

static void virtual_stop(struct loop *l)
{
	virtual_of(l)->stopped = true;
}

void loop_virtual_set_wall(struct loop *l, struct wall now)
{
	struct loop_virtual *v = virtual_of(l);

	v->wall_ahead = DUR_MS(now.ms - v->now.ms);
}

void loop_virtual_signal(struct loop *l, int signal_number)
{
	list_for_each (&virtual_of(l)->handlers, node) {
		struct handler *h = list_entry(node, struct handler, link);

		h->pending += h->signal_number == signal_number;
	}
}

static bool is_ready(const struct loop_io *io, bool *ret_readable, bool *ret_writable)
{
	struct pollfd p = {.fd = io->fd,
		.events = (short)((io->want & 1 ? POLLIN : 0) | (io->want & 2 ? POLLOUT : 0))};

	if (io->want == 0 || poll(&p, 1, 0) <= 0)
		return false;
	*ret_readable = (p.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && (io->want & 1) != 0;
	*ret_writable = (p.revents & (POLLOUT | POLLERR)) != 0 && (io->want & 2) != 0;
	return *ret_readable || *ret_writable;
}

bool loop_virtual_poll(struct loop *l)
{
	struct loop_virtual *v = virtual_of(l);
	struct list waiting;
	bool ran = false;

	/* A callback may free its own descriptor or another one. */
	move_all(&v->ios, &waiting);
	while (!list_is_empty(&waiting)) {
		struct loop_io *io = list_entry(waiting.next, struct loop_io, link);
		bool readable, writable;

		list_remove(&io->link);
		list_append(&v->ios, &io->link);
		if (!is_ready(io, &readable, &writable))
			continue;
		io->fn(io->ctx, io->fd, readable, writable);
		ran = true;
	}
	v->stopped = false;
	settle(v);
	return ran;
}

uint64_t loop_virtual_turns(const struct loop *l)
{
	return virtual_of(l)->turns;
}

static void forget_all(struct list *nodes, size_t link_offset)
{
	while (!list_is_empty(nodes)) {
		struct list *node = nodes->next;

		list_remove(node);
		free((char *)node - link_offset);
	}
}

static struct loop *virtual_free(struct loop *l)
{
	struct loop_virtual *v;

	if (l == NULL)
		return NULL;
	v = virtual_of(l);
	forget_all(&v->deferred, offsetof(struct task, link));
	forget_all(&v->posted, offsetof(struct task, link));
	forget_all(&v->handlers, offsetof(struct handler, link));
	/* Their owners free them, before the loop. */
	assert(list_is_empty(&v->ios) && heap_first(&v->timers) == NULL);
	heap_fini(&v->timers);
	pthread_mutex_destroy(&v->lock);
	v->magic = 0;
	free(v);
	return NULL;
}

static const struct loop_ops virtual_ops = {
	.mono = virtual_mono,
	.wall = virtual_wall,
	.timer_new = virtual_timer_new,
	.timer_arm = virtual_timer_arm,
	.timer_disarm = virtual_timer_disarm,
	.timer_free = virtual_timer_free,
	.io_new = virtual_io_new,
	.io_want = virtual_io_want,
	.io_free = virtual_io_free,
	.defer = virtual_defer,
	.post = virtual_post,
	.on_signal = virtual_on_signal,
	.run = virtual_run,
	.stop = virtual_stop,
	.free = virtual_free,
};

struct loop *loop_virtual_new(struct wall start)
{
	struct loop_virtual *v = xcalloc(1, sizeof(*v));

	v->base.ops = &virtual_ops;
	v->magic = LOOP_MAGIC;
	v->now = (struct mono){DUR_H(1).ms};
	v->wall_ahead = DUR_MS(start.ms - v->now.ms);
	heap_init(&v->timers);
	list_init(&v->deferred);
	list_init(&v->posted);
	list_init(&v->handlers);
	list_init(&v->ios);
	pthread_mutex_init(&v->lock, NULL);
	return &v->base;
}
