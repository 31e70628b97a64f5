/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/once.h"

#include "lib/base/xalloc.h"

/* Longer than the reconciler takes to plan after an observation. */
#define LOOK_EVERY DUR_MS(500)

struct once {
	struct daemon *daemon;
	once_fn over;
	void *ctx;
	struct loop_timer *timer;
	struct mono until;
	bool observed;
	uint64_t problems;
	bool ended;
};

static bool moves(const struct daemon *d, const struct reconciler_counts *counts)
{
	return observer_is_busy(d->observer) || executor_waiting(d->executor) > 0 ||
		executor_running(d->executor) > 0 || counts->by_state[ITEM_QUEUED] > 0 ||
		counts->by_state[ITEM_APPLYING] > 0 || counts->by_state[ITEM_SETTLING] > 0;
}

static bool is_settled(enum item_state s)
{
	switch (s) {
	case ITEM_COMPLIANT:
	case ITEM_EXCLUDED:
	case ITEM_UNSUPPORTED:
	case ITEM_UNREACHABLE: return true;
	case ITEM_UNKNOWN:
	case ITEM_DRIFTED:
	case ITEM_WAITING:
	case ITEM_QUEUED:
	case ITEM_APPLYING:
	case ITEM_SETTLING:
	case ITEM_BACKOFF:
	case ITEM_BLOCKED:
	case ITEM_MANUAL:
	case ITEM_STATE_N_: return false;
	}
	return false;
}

static int verdict(const struct once *o, const struct reconciler_counts *counts)
{
	if (!o->observed || o->problems > 0)
		return EXIT_ERROR;
	for (unsigned s = 0; s < ITEM_STATE_N_; s++)
		if (!is_settled((enum item_state)s) && counts->by_state[s] > 0)
			return EXIT_DRIFT;
	return 0;
}

static void look(void *ctx)
{
	struct once *o = ctx;
	struct loop *loop = o->daemon->world->loop;
	struct reconciler_counts counts;
	bool late = !mono_before(loop_mono(loop), o->until);

	if (o->ended)
		return;
	reconciler_count(o->daemon->reconciler, &counts);
	if (!late && (!o->observed || moves(o->daemon, &counts))) {
		loop->ops->timer_arm(o->timer, mono_add(loop_mono(loop), LOOK_EVERY));
		return;
	}
	o->ended = true;
	o->over(o->ctx, verdict(o, &counts));
}

void once_pass_ended(struct once *o, const struct pass_report *report)
{
	/* The last pass counts: what was incomplete at first may have become complete. */
	if (report->kind == PASS_WATCH)
		return;
	o->problems = report->problems;
	if (report->kind == PASS_MACHINES)
		o->observed = true;
}

struct once *once_new(struct daemon *d, once_fn over, void *ctx)
{
	struct once *o = xcalloc(1, sizeof(*o));
	struct loop *loop = d->world->loop;

	o->daemon = d;
	o->over = over;
	o->ctx = ctx;
	o->until = mono_add(loop_mono(loop), d->options.once_limit);
	o->timer = loop_timer_new(loop, look, o);
	loop->ops->timer_arm(o->timer, mono_add(loop_mono(loop), LOOK_EVERY));
	return o;
}

struct once *once_free(struct once *o)
{
	if (o == NULL)
		return NULL;
	o->daemon->world->loop->ops->timer_free(o->timer);
	free(o);
	return NULL;
}
