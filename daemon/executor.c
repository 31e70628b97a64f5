/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/executor.h"

#include "daemon/flight.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

/* How soon to look whether the store is well again, while steps wait for it. */
#define STORE_LOOK DUR_S(5)
/* Steps that are read, decided and sent at the same time; the quota paces them anyway. */
#define FLIGHTS_AT_ONCE 64
#define FLIGHTS_OF_A_LANE 8

static struct lane *lane_for(struct executor *x, const struct subscription *s)
{
	struct lane *lane = map_get(&x->lane_of, s->id);

	if (lane != NULL)
		return lane;
	lane = xcalloc(1, sizeof(*lane));
	list_init(&lane->queue);
	list_append(&x->lanes, &lane->link);
	map_set(&x->lane_of, s->id, lane);
	return lane;
}

/* The lane whose turn it is goes to the end. */
static struct lane *next_lane(struct executor *x)
{
	list_for_each (&x->lanes, node) {
		struct lane *lane = list_entry(node, struct lane, link);

		if (list_is_empty(&lane->queue) || lane->flying >= FLIGHTS_OF_A_LANE)
			continue;
		list_remove(&lane->link);
		list_append(&x->lanes, &lane->link);
		return lane;
	}
	return NULL;
}

void executor_pump(struct executor *x)
{
	struct lane *lane;

	/* A step that fails at once comes back here. */
	if (x->pumping || x->stopped)
		return;
	x->pumping = true;
	while (x->queued > 0 && x->flying < FLIGHTS_AT_ONCE && store_healthy(x->store) &&
		(lane = next_lane(x)) != NULL) {
		struct flight *f = list_entry(lane->queue.next, struct flight, link);

		list_remove(&f->link);
		list_append(&x->flights, &f->link);
		flight_leave(f);
		f->queued = false;
		x->flying++;
		lane->flying++;
		flight_take_off(f);
	}
	x->pumping = false;
	if (x->queued > 0 && !store_healthy(x->store))
		executor_look_later(x);
}

void executor_carry_out(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = flight_new(x, ref);
	struct holdoff_place place = flight_place(ref);

	f->op.resource_id = xstrdup(item_resource_id(ref));
	f->op.phase = PHASE_READING;
	f->lane = lane_for(x, ref->subscription);
	f->queued = true;
	f->probe = holdoff_holds(x->holdoff, &place) != REASON_NONE;
	if (f->probe)
		holdoff_sets_out(x->holdoff, &place, loop_wall(x->world->loop));
	item_of(ref)->operation = &f->op;
	list_append(&f->lane->queue, &f->link);
	x->queued++;
	executor_pump(x);
}

void executor_inquire(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = flight_of(ref);

	if (f == NULL)
		culprits_search(x->culprits, ref);
	else if (f->op.phase >= PHASE_SENT && f->call == NULL)
		flight_inquire_soon(f);
}

void executor_ended(struct executor *x, const struct item_ref *ref, const char *outcome)
{
	struct flight *f = flight_of(ref);

	if (f == NULL || f->op.phase < PHASE_SENT)
		return;
	if (str_equal(outcome, "succeeded"))
		x->counts.succeeded++;
	flight_store_outcome(f, outcome, NULL, NULL);
	flight_end(f);
	executor_pump(x);
}

/* --- what comes by itself --- */

static struct mono mono_of(struct executor *x, struct wall at)
{
	struct loop *loop = x->world->loop;

	return mono_add(loop_mono(loop), dur_max(wall_since(at, loop_wall(loop)), DUR_MS(0)));
}

void executor_look_later(struct executor *x)
{
	struct loop *loop = x->world->loop;
	struct wall now = loop_wall(loop), due = failure_groups_due(x->failures);
	struct wall probe = holdoff_due(x->holdoff, now);

	if (wall_before(probe, due))
		due = probe;
	if (x->queued > 0 && !store_healthy(x->store) &&
		wall_before(wall_add(now, STORE_LOOK), due))
		due = wall_add(now, STORE_LOOK);
	if (due.ms == WALL_NEVER.ms)
		loop->ops->timer_disarm(x->later);
	else
		loop->ops->timer_arm(x->later, mono_of(x, due));
}

static void later_fired(void *ctx)
{
	struct executor *x = ctx;

	executor_tell_failures(x);
	if (holdoff_count(x->holdoff) > 0)
		reconciler_plan_soon(x->reconciler);
	executor_pump(x);
	executor_look_later(x);
}

/* --- withdrawing --- */

static void drop(struct flight *f)
{
	struct executor *x = f->executor;
	struct holdoff_place place = flight_place(&f->ref);

	if (f->probe)
		holdoff_says_nothing(x->holdoff, &place, loop_wall(x->world->loop));
	if (f->op.phase == PHASE_INTENDED)
		flight_store_outcome(f, "not-sent", NULL, NULL);
	if (f->op.phase == PHASE_INTENDED && f->call == NULL) {
		/* The store still holds a pointer to it, and gives it back when it is done. */
		item_of(&f->ref)->operation = NULL;
		flight_leave(f);
		f->op.phase = PHASE_ENDED;
		f->ref = (struct item_ref){.control = f->ref.control};
		list_remove(&f->link);
		list_append(&x->limbo, &f->link);
		return;
	}
	flight_end(f);
}

void executor_withdraw(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = flight_of(ref);

	culprits_forget(x->culprits, ref);
	if (f != NULL && f->op.phase < PHASE_SENT) {
		drop(f);
		executor_pump(x);
	}
}

static void withdraw_list(struct executor *x, struct list *flights, enum reason reason)
{
	list_for_each (flights, node) {
		struct flight *f = list_entry(node, struct flight, link);
		struct item_ref ref = f->ref;
		struct item_event event = {
			.kind = EVENT_STEP_WITHDRAWN, .reason = reason, .detail = ""};

		if (f->op.phase >= PHASE_SENT || ref.subscription == NULL)
			continue;
		drop(f);
		reconciler_event(x->reconciler, &ref, &event, NULL);
	}
}

void executor_withdraw_all(struct executor *x, enum reason reason)
{
	list_for_each (&x->lanes, node)
		withdraw_list(x, &list_entry(node, struct lane, link)->queue, reason);
	withdraw_list(x, &x->flights, reason);
}

void executor_go_on(struct executor *x)
{
	executor_pump(x);
}

void executor_stop(struct executor *x)
{
	x->stopped = true;
}

/* --- numbers --- */

size_t executor_on_the_wire(const struct executor *x)
{
	size_t n = 0;

	list_for_each ((struct list *)&x->flights, node) {
		const struct flight *f = list_entry(node, struct flight, link);

		n += f->on_wire;
	}
	return n;
}

size_t executor_running(const struct executor *x)
{
	return x->running;
}

size_t executor_waiting(const struct executor *x)
{
	return x->queued + x->flying;
}

const char *executor_organisation(
	const struct executor *x, const struct subscription *s, struct wall *ret_at)
{
	return onboarding_organisation(x->packages, s->id, ret_at);
}

size_t executor_watched(const struct executor *x, const struct subscription **ret, size_t room)
{
	size_t n = 0;

	list_for_each ((struct list *)&x->flights, node) {
		const struct flight *f = list_entry(node, struct flight, link);
		bool known = false;

		if (f->op.phase < PHASE_SENT || f->ref.machine == NULL)
			continue;
		for (size_t i = 0; i < n; i++)
			known = known || ret[i] == f->ref.subscription;
		if (!known && n < room)
			ret[n++] = f->ref.subscription;
	}
	return n;
}

static void count_one(struct map *counts, const char *key)
{
	uint64_t *n = map_get(counts, key);

	if (n == NULL) {
		n = xcalloc(1, sizeof(*n));
		map_set(counts, key, n);
	}
	(*n)++;
}

static void count_list(struct executor *x, struct list *flights)
{
	list_for_each (flights, node) {
		const struct flight *f = list_entry(node, struct flight, link);
		const struct subscription *s = f->ref.subscription;

		if (s == NULL || f->overdue)
			continue;
		count_one(&x->running_by_subscription, s->id);
		if (s->scope != NULL)
			count_one(&x->running_by_scope, s->scope->name);
	}
}

/* An operator's word goes ahead of what others were refused. */
static enum reason kept(void *ctx, const struct step *step)
{
	struct executor *x = ctx;
	struct item_ref ref = {.subscription = step->subscription,
		.machine = step->machine,
		.connector = step->connector,
		.workspace = step->workspace,
		.control = step->control->id};
	struct holdoff_place place;

	if (holdoff_count(x->holdoff) == 0 || step->item->forced)
		return REASON_NONE;
	place = flight_place(&ref);
	return holdoff_ask(x->holdoff, &place);
}

void executor_limits(struct executor *x, struct plan_limits *ret)
{
	map_clear(&x->running_by_scope);
	map_clear(&x->running_by_subscription);
	list_for_each (&x->lanes, node)
		count_list(x, &list_entry(node, struct lane, link)->queue);
	count_list(x, &x->flights);
	ret->running_by_scope = &x->running_by_scope;
	ret->running_by_subscription = &x->running_by_subscription;
	holdoff_round(x->holdoff, loop_wall(x->world->loop));
	ret->kept = kept;
	ret->kept_ctx = x;
}

void executor_counts(const struct executor *x, struct executor_counts *ret)
{
	*ret = x->counts;
}

void executor_bind(struct executor *x, struct reconciler *r)
{
	x->reconciler = r;
	culprits_bind(x->culprits, r);
}

void executor_configure(struct executor *x, const struct config *c)
{
	x->config = c;
	/* It may be about other identities, or whoever reloads has given them their roles. */
	holdoff_clear(x->holdoff);
}

static void reap(void *ctx)
{
	struct executor *x = ctx;

	while (!list_is_empty(&x->ended))
		flight_free(list_entry(x->ended.next, struct flight, link));
}

struct executor *executor_new(const struct world *w, struct store *store, struct arm_client *client,
	struct gate *gate, struct inventory *inv)
{
	struct executor *x = xcalloc(1, sizeof(*x));

	x->world = w;
	x->store = store;
	x->client = client;
	x->gate = gate;
	x->inventory = inv;
	x->packages = onboarding_new(w, client);
	x->culprits = culprits_new(w, client);
	x->holdoff = holdoff_new();
	x->failures = failure_groups_new();
	x->reaper = loop_timer_new(w->loop, reap, x);
	x->later = loop_timer_new(w->loop, later_fired, x);
	list_init(&x->lanes);
	list_init(&x->flights);
	list_init(&x->limbo);
	list_init(&x->ended);
	map_init(&x->lane_of, free);
	map_init(&x->recovered, NULL);
	map_init(&x->running_by_scope, free);
	map_init(&x->running_by_subscription, free);
	return x;
}

static void free_flights(struct list *flights)
{
	list_for_each (flights, node) {
		struct flight *f = list_entry(node, struct flight, link);

		if (f->call != NULL)
			arm_client_cancel(f->executor->client, f->call);
		if (f->ref.subscription != NULL && f->op.phase != PHASE_ENDED &&
			item_of(&f->ref)->operation == &f->op)
			item_of(&f->ref)->operation = NULL;
		flight_free(f);
	}
}

struct executor *executor_free(struct executor *x)
{
	const struct loop_ops *ops;

	if (x == NULL)
		return NULL;
	ops = x->world->loop->ops;
	x->packages = onboarding_free(x->packages);
	x->culprits = culprits_free(x->culprits);
	list_for_each (&x->lanes, node)
		free_flights(&list_entry(node, struct lane, link)->queue);
	free_flights(&x->flights);
	free_flights(&x->limbo);
	free_flights(&x->ended);
	x->reaper = ops->timer_free(x->reaper);
	x->later = ops->timer_free(x->later);
	x->holdoff = holdoff_free(x->holdoff);
	x->failures = failure_groups_free(x->failures);
	map_fini(&x->lane_of);
	map_fini(&x->recovered);
	map_fini(&x->running_by_scope);
	map_fini(&x->running_by_subscription);
	free(x);
	return NULL;
}
