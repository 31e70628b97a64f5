/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: the seam to time and events: timers, descriptors, deferred work, signals, and the clocks.
 *
 * daemon/ is everything that touches the world; each way out is a seam with a real and a test
 * implementation. loop_ev.c is the real loop and the only file that includes libev and reads
 * clocks; tests/harness/loop_virtual.c runs the same daemon in virtual time.
 *
 * Everything is called on the loop's thread but `post`. Both clocks are stamped once a turn: within
 * one turn time stands still; outside of `run` it flows. Timers follow the monotonic clock alone.
 *
 * A timer or a watcher may be freed in its own callback. The loop is freed last: what is deferred
 * or posted then is dropped, not run. A second on_signal() for one signal replaces the first.
 */
#ifndef MDCD_LOOP_H
#define MDCD_LOOP_H

#include "lib/base/base.h"
#include "lib/base/list.h"
#include "lib/base/tick.h"

struct loop;
struct loop_timer;
struct loop_io;

typedef void (*loop_fn)(void *ctx);
typedef void (*loop_io_fn)(void *ctx, int fd, bool readable, bool writable);
typedef void (*loop_signal_fn)(void *ctx, int signal_number);

struct loop_ops {
	struct mono (*mono)(struct loop *l);
	struct wall (*wall)(struct loop *l);
	/* One-shot; arming replaces. A timer that is due in the past fires in the next turn. */
	struct loop_timer *(*timer_new)(struct loop *l, loop_fn fn, void *ctx);
	void (*timer_arm)(struct loop_timer *t, struct mono due);
	void (*timer_disarm)(struct loop_timer *t);
	struct loop_timer *(*timer_free)(struct loop_timer *t);
	/* `want` 1 = read, 2 = write, 3 = both, 0 = none. */
	struct loop_io *(*io_new)(struct loop *l, int fd, loop_io_fn fn, void *ctx);
	void (*io_want)(struct loop_io *io, int want);
	struct loop_io *(*io_free)(struct loop_io *io);
	/* Runs after the callbacks of this turn; deferred work of deferred work in the next turn.
	 */
	void (*defer)(struct loop *l, loop_fn fn, void *ctx);
	/* From any thread: makes `fn` run on the loop. Never lost; ctx must stay valid. */
	void (*post)(struct loop *l, loop_fn fn, void *ctx);
	void (*on_signal)(struct loop *l, int signal_number, loop_signal_fn fn, void *ctx);
	/* Returns after loop_stop(). */
	void (*run)(struct loop *l);
	void (*stop)(struct loop *l);
	struct loop *(*free)(struct loop *l);
};

/* First member of every implementation. */
struct loop {
	const struct loop_ops *ops;
};

static inline struct mono loop_mono(struct loop *l)
{
	return l->ops->mono(l);
}
static inline struct wall loop_wall(struct loop *l)
{
	return l->ops->wall(l);
}
static inline struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *ctx)
{
	return l->ops->timer_new(l, fn, ctx);
}
/* The real loop. Makes the process ignore SIGPIPE. */
struct loop *loop_ev_new(void);
/* The wall clock at once, from any thread: for the time on lines of a log and nothing else. */
struct wall loop_ev_wall_now(void);

#endif
