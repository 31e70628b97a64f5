/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scheduler.h"

#include "lib/base/rng.h"
#include "lib/base/xalloc.h"

#define SCHEDULER_MAGIC 0x5c4ed01eu
#define FIRST_REPEAT DUR_S(30)

struct slot {
	struct scheduler *scheduler;
	enum pass_kind kind;
	struct loop_timer *timer;
	struct wall due;
	bool ran;          /* a pass has ended */
	unsigned troubled; /* passes with problems, one after the other */
};

struct scheduler {
	uint32_t magic;
	const struct world *world;
	struct scheduler_ports ports;
	const struct config *config;
	struct slot slots[PASS_KIND_N_];
	struct rng rng;
	bool stopped;
};

static struct dur interval_of(const struct scheduler *s, enum pass_kind kind)
{
	switch (kind) {
	case PASS_SUBSCRIPTIONS: return s->config->poll.subscriptions;
	case PASS_MACHINES: return s->config->poll.machines;
	case PASS_WATCH:
	case PASS_KIND_N_: break;
	}
	return s->config->poll.operations;
}

/* Up to the jitter earlier or later, so that many hosts with one configuration spread. */
static struct dur jittered(struct scheduler *s, struct dur interval)
{
	int64_t spread = interval.ms * (int64_t)s->config->poll.jitter_percent / 100;

	return rng_between(&s->rng, DUR_MS(interval.ms - spread), DUR_MS(interval.ms + spread));
}

static void arm(struct slot *slot, struct dur wait)
{
	struct loop *loop = slot->scheduler->world->loop;

	slot->due = wall_add(loop_wall(loop), wait);
	loop->ops->timer_arm(slot->timer, mono_add(loop_mono(loop), wait));
}

static void disarm(struct slot *slot)
{
	slot->due = WALL_UNSET;
	slot->scheduler->world->loop->ops->timer_disarm(slot->timer);
}

static void fired(void *ctx)
{
	struct slot *slot = ctx;
	struct scheduler *s = slot->scheduler;

	MDC_MAGIC_CHECK(s, SCHEDULER_MAGIC);
	slot->due = WALL_UNSET;
	if (s->stopped || (slot->kind == PASS_WATCH && s->ports.running(s->ports.ctx) == 0))
		return;
	s->ports.pass(s->ports.ctx, slot->kind);
}

void scheduler_now(struct scheduler *s, enum pass_kind kind)
{
	if (s->stopped)
		return;
	disarm(&s->slots[kind]);
	s->ports.pass(s->ports.ctx, kind);
}

void scheduler_operations_began(struct scheduler *s)
{
	struct slot *slot = &s->slots[PASS_WATCH];

	if (!s->stopped && !wall_is_set(slot->due))
		arm(slot, jittered(s, s->config->poll.operations));
}

/* What was not read may be readable soon; what stays so costs no more than the usual passes. */
static struct dur wait_after(struct slot *slot, const struct pass_report *report)
{
	struct dur interval = interval_of(slot->scheduler, slot->kind);
	struct dur repeat = FIRST_REPEAT;

	slot->troubled = report->problems > 0 ? slot->troubled + 1 : 0;
	if (slot->troubled == 0 || slot->kind == PASS_WATCH)
		return interval;
	for (unsigned i = 1; i < slot->troubled && repeat.ms < interval.ms; i++)
		repeat.ms *= 2;
	return dur_min(repeat, interval);
}

void scheduler_pass_ended(struct scheduler *s, const struct pass_report *report)
{
	struct slot *slot = &s->slots[report->kind];
	bool first = !slot->ran;

	slot->ran = true;
	if (s->stopped)
		return;
	if (report->kind != PASS_WATCH || s->ports.running(s->ports.ctx) > 0)
		arm(slot, jittered(s, wait_after(slot, report)));
	/* Machines can be read once it is known whose they are. */
	if (report->kind == PASS_SUBSCRIPTIONS && first)
		scheduler_now(s, PASS_MACHINES);
}

void scheduler_configure(struct scheduler *s, const struct config *c)
{
	struct slot *watch = &s->slots[PASS_WATCH];
	bool first = s->config == NULL;

	s->config = c;
	if (s->stopped)
		return;
	if (wall_is_set(watch->due))
		arm(watch, jittered(s, c->poll.operations));
	/* Other scopes may be about other subscriptions. */
	scheduler_now(s, PASS_SUBSCRIPTIONS);
	if (!first)
		scheduler_now(s, PASS_MACHINES);
}

void scheduler_stop(struct scheduler *s)
{
	s->stopped = true;
	for (unsigned k = 0; k < PASS_KIND_N_; k++)
		disarm(&s->slots[k]);
}

struct wall scheduler_due(const struct scheduler *s, enum pass_kind kind)
{
	return s->slots[kind].due;
}

struct scheduler *scheduler_new(const struct world *w, const struct scheduler_ports *ports)
{
	struct scheduler *s = xcalloc(1, sizeof(*s));
	uint64_t seed;

	s->magic = SCHEDULER_MAGIC;
	s->world = w;
	s->ports = *ports;
	w->random->fill(w->random, &seed, sizeof(seed));
	rng_seed(&s->rng, seed);
	for (unsigned k = 0; k < PASS_KIND_N_; k++) {
		s->slots[k].scheduler = s;
		s->slots[k].kind = (enum pass_kind)k;
		s->slots[k].timer = loop_timer_new(w->loop, fired, &s->slots[k]);
	}
	return s;
}

struct scheduler *scheduler_free(struct scheduler *s)
{
	if (s == NULL)
		return NULL;
	MDC_MAGIC_CHECK(s, SCHEDULER_MAGIC);
	for (unsigned k = 0; k < PASS_KIND_N_; k++)
		s->world->loop->ops->timer_free(s->slots[k].timer);
	free(s);
	return NULL;
}
