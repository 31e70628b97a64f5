/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_virtual: loop.h in virtual time. Time stands still while there is anything to do and then
 * jumps to the next timer; the same calls give the same run, and thirty days take seconds.
 *
 * Descriptors are only looked at when a test asks for it. Posts from other threads are taken, but
 * never waited for.
 */
#ifndef MDC_TEST_LOOP_VIRTUAL_H
#define MDC_TEST_LOOP_VIRTUAL_H

#include "daemon/loop.h"

/* `start`: the wall clock at the beginning. The monotonic clock begins at one hour. */
struct loop *loop_virtual_new(struct wall start);

/* Runs turns until nothing is left to do at the present time. */
void loop_virtual_settle(struct loop *l);
/* Settles, and moves from timer to timer up to `end`, where it settles once more. */
void loop_virtual_run_until(struct loop *l, struct mono end);
void loop_virtual_run_for(struct loop *l, struct dur length);
/* Settles, and moves to the next timer; false when there is none. */
bool loop_virtual_step(struct loop *l);
/* When the next timer is due, or MONO_NEVER. */
struct mono loop_virtual_next(const struct loop *l);

/* Someone set the clock. */
void loop_virtual_set_wall(struct loop *l, struct wall now);
void loop_virtual_signal(struct loop *l, int signal_number);
/* One look at the real descriptors, without waiting: their callbacks run. False: nothing there. */
bool loop_virtual_poll(struct loop *l);

/* Turns in which something ran. */
uint64_t loop_virtual_turns(const struct loop *l);

#endif
