/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/watchdog.h"

#include "lib/base/xalloc.h"

struct watchdog {
	const struct world *world;
	struct store *store;
	struct loop_timer *timer;
	uint64_t store_turns, log_turns;
};

/* Asking for the count also wakes the thread, so that it has turned by the next time. */
static bool threads_turned(struct watchdog *d)
{
	uint64_t store_turns = store_heartbeat(d->store);
	uint64_t log_turns = log_heartbeat(d->world->log);
	bool turned = store_turns != d->store_turns && log_turns != d->log_turns;

	d->store_turns = store_turns;
	d->log_turns = log_turns;
	return turned;
}

static void arm(struct watchdog *d)
{
	struct loop *loop = d->world->loop;

	loop->ops->timer_arm(d->timer, mono_add(loop_mono(loop), d->world->notify->watchdog));
}

static void fired(void *ctx)
{
	struct watchdog *d = ctx;

	if (threads_turned(d))
		notify_alive(d->world->notify);
	arm(d);
}

struct watchdog *watchdog_new(const struct world *w, struct store *store)
{
	struct watchdog *d = xcalloc(1, sizeof(*d));

	d->world = w;
	d->store = store;
	d->timer = loop_timer_new(w->loop, fired, d);
	if (w->notify->watchdog.ms > 0) {
		(void)threads_turned(d);
		arm(d);
	}
	return d;
}

struct watchdog *watchdog_free(struct watchdog *d)
{
	if (d == NULL)
		return NULL;
	d->world->loop->ops->timer_free(d->timer);
	free(d);
	return NULL;
}
