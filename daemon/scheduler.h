/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler: when passes are due: subscriptions, then machines at once after a start, later each on
 * its own timer with jitter; running operations are watched while there are any. After a pass that
 * could not read everything the next one comes sooner, a little later each time, until that is the
 * interval.
 */
#ifndef MDCD_SCHEDULER_H
#define MDCD_SCHEDULER_H

#include "daemon/observer.h"

struct scheduler;

struct scheduler_ports {
	void *ctx;
	void (*pass)(void *ctx, enum pass_kind kind);
	/* Operations that are running. */
	size_t (*running)(void *ctx);
};

struct scheduler *scheduler_new(const struct world *w, const struct scheduler_ports *ports);
struct scheduler *scheduler_free(struct scheduler *s);
/* After a start and after a reload everything is due. Borrowed. */
void scheduler_configure(struct scheduler *s, const struct config *c);
/* No more passes. */
void scheduler_stop(struct scheduler *s);

/* A pass of that kind is wanted now, whatever its timer says. */
void scheduler_now(struct scheduler *s, enum pass_kind kind);
/* A pass ended: its next one is scheduled. */
void scheduler_pass_ended(struct scheduler *s, const struct pass_report *report);
/* Operations may have begun: they are watched from now on. */
void scheduler_operations_began(struct scheduler *s);

/* When the next pass is due; WALL_UNSET while one runs or before the first. */
struct wall scheduler_due(const struct scheduler *s, enum pass_kind kind);

#endif
