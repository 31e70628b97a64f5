/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/executor.h"

#include "daemon/flight.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

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
}

void executor_carry_out(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = flight_new(x, ref);

	f->op.resource_id = xstrdup(item_resource_id(ref));
	f->op.phase = PHASE_READING;
	f->lane = lane_for(x, ref->subscription);
	f->queued = true;
	item_of(ref)->operation = &f->op;
	list_append(&f->lane->queue, &f->link);
	x->queued++;
	executor_pump(x);
}

void executor_inquire(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = flight_of(ref);

	(void)x;
	if (f != NULL && f->op.phase >= PHASE_SENT && f->call == NULL)
		flight_inquire(f);
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

/* --- withdrawing --- */

static void drop(struct flight *f)
{
	struct executor *x = f->executor;

	item_of(&f->ref)->operation = NULL;
	if (f->op.phase == PHASE_INTENDED)
		flight_store_outcome(f, "not-sent", NULL, NULL);
	if (f->op.phase == PHASE_INTENDED && f->call == NULL) {
		/* The store still holds a pointer to it, and gives it back when it is done. */
		flight_leave(f);
		f->op.phase = PHASE_ENDED;
		list_remove(&f->link);
		list_append(&x->limbo, &f->link);
		return;
	}
	if (f->waits_for_package)
		onboarding_forget(x->packages, f);
	flight_end(f);
}

void executor_withdraw(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = flight_of(ref);

	if (f != NULL && f->op.phase < PHASE_SENT) {
		drop(f);
		executor_pump(x);
	}
}

static void withdraw_list(struct list *flights, enum reason reason)
{
	list_for_each (flights, node) {
		struct flight *f = list_entry(node, struct flight, link);
		struct item_event event = {
			.kind = EVENT_STEP_WITHDRAWN, .reason = reason, .detail = ""};

		if (f->op.phase >= PHASE_SENT || f->ref.subscription == NULL)
			continue;
		drop(f);
		reconciler_event(f->executor->reconciler, &f->ref, &event, NULL);
	}
}

void executor_withdraw_all(struct executor *x, enum reason reason)
{
	list_for_each (&x->lanes, node)
		withdraw_list(&list_entry(node, struct lane, link)->queue, reason);
	withdraw_list(&x->flights, reason);
}

void executor_stop(struct executor *x)
{
	x->stopped = true;
}

/* --- after a restart --- */

static char *recovered_key(const char *control, const char *resource_id)
{
	return xasprintf("%s %s", control, resource_id);
}

static void recover(void *ctx, const struct stored_operation *row)
{
	struct executor *x = ctx;
	struct flight *f;
	struct item_ref nothing = {.control = control_from_word(row->control)};
	mdc_autofree char *key = NULL;

	if (nothing.control == CONTROL_N_)
		return;
	f = flight_new(x, &nothing);
	f->op.id = row->id;
	f->op.resource_id = xstrdup(row->resource_id);
	f->op.target_id = xstrdup(row->target_id);
	f->op.verb = str_equal(row->verb, "DELETE") ? "DELETE" : "PUT";
	str_copy(f->op.body_hash, sizeof(f->op.body_hash), row->body_hash);
	str_copy(f->op.correlation_id, sizeof(f->op.correlation_id), row->correlation_id);
	f->op.started = row->started;
	f->op.deadline = row->deadline;
	f->op.phase = PHASE_SENT;
	f->op.recovered = true;
	list_append(&x->flights, &f->link);
	x->running++;
	key = recovered_key(row->control, row->resource_id);
	map_set(&x->recovered, key, f);
}

int executor_restore(struct executor *x)
{
	return store_load_operations(x->store, recover, x);
}

static void adopt(struct executor *x, const struct item_ref *ref)
{
	mdc_autofree char *key = recovered_key(control_word(ref->control), item_resource_id(ref));
	struct flight *f = map_get(&x->recovered, key);

	if (f == NULL)
		return;
	map_remove(&x->recovered, key);
	f->ref = *ref;
	item_of(ref)->operation = &f->op;
	flight_follow_in(f, DUR_S(1));
}

void executor_adopt(struct executor *x, struct subscription *s, struct machine *m)
{
	unsigned first = m != NULL ? SUBSCRIPTION_CONTROLS : 0;
	unsigned last = m != NULL ? CONTROL_N_ : SUBSCRIPTION_CONTROLS;

	for (unsigned c = first; c < last && map_count(&x->recovered) > 0; c++)
		adopt(x,
			&(struct item_ref){
				.subscription = s, .machine = m, .control = (enum control_id)c});
}

void executor_expire(struct executor *x)
{
	struct wall now = loop_wall(x->world->loop);
	struct map_entry *entry;

	map_for_each (&x->recovered, entry) {
		struct flight *f = entry->value;

		if (wall_before(now, f->op.deadline))
			continue;
		flight_store_outcome(f, "unknown", NULL, NULL);
		flight_end(f);
		map_remove(&x->recovered, entry->key);
	}
}

/* --- numbers --- */

size_t executor_on_the_wire(const struct executor *x)
{
	size_t n = 0;

	list_for_each ((struct list *)&x->flights, node) {
		const struct flight *f = list_entry(node, struct flight, link);

		n += f->op.phase == PHASE_SENT && f->call != NULL && !f->op.recovered;
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
		const struct subscription *s =
			list_entry(node, struct flight, link)->ref.subscription;

		if (s == NULL)
			continue;
		count_one(&x->running_by_subscription, s->id);
		if (s->scope != NULL)
			count_one(&x->running_by_scope, s->scope->name);
	}
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
}

void executor_counts(const struct executor *x, struct executor_counts *ret)
{
	*ret = x->counts;
}

void executor_bind(struct executor *x, struct reconciler *r)
{
	x->reconciler = r;
}

void executor_configure(struct executor *x, const struct config *c)
{
	x->config = c;
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
	list_init(&x->lanes);
	list_init(&x->flights);
	list_init(&x->limbo);
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
		if (f->ref.subscription != NULL && item_of(&f->ref)->operation == &f->op)
			item_of(&f->ref)->operation = NULL;
		flight_free(f);
	}
}

struct executor *executor_free(struct executor *x)
{
	if (x == NULL)
		return NULL;
	x->packages = onboarding_free(x->packages);
	list_for_each (&x->lanes, node)
		free_flights(&list_entry(node, struct lane, link)->queue);
	free_flights(&x->flights);
	free_flights(&x->limbo);
	map_fini(&x->lane_of);
	map_fini(&x->recovered);
	map_fini(&x->running_by_scope);
	map_fini(&x->running_by_subscription);
	free(x);
	return NULL;
}
