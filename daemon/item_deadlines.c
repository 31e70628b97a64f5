/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reconciler_parts.h"

/* Deadlines are looked at together; a second more or less does not matter to any of them. */
#define DEADLINE_GRAIN DUR_S(1)
/* Resources whose deadlines are met in one turn of the loop. */
#define FIRED_AT_ONCE 64

static struct mono mono_of(struct reconciler *r, struct wall at)
{
	struct dur left = wall_since(at, loop_wall(r->world->loop));

	return mono_add(loop_mono(r->world->loop), dur_max(left, DUR_MS(0)));
}

static void earlier(struct reconciler *r, const struct item_ref *ref, void *ctx)
{
	struct wall *due = ctx;

	(void)r;
	if (wall_before(item_of(ref)->due, *due))
		*due = item_of(ref)->due;
}

static void arm(struct reconciler *r)
{
	const struct heap_node *s = heap_first(&r->due_subscriptions);
	const struct heap_node *m = heap_first(&r->due_machines);
	struct wall due = WALL_NEVER;

	if (s != NULL)
		due = (struct wall){s->due};
	if (m != NULL && m->due < due.ms)
		due = (struct wall){m->due};
	if (due.ms == r->deadline_at.ms)
		return;
	r->deadline_at = due;
	if (due.ms == WALL_NEVER.ms)
		r->world->loop->ops->timer_disarm(r->deadline_timer);
	else
		r->world->loop->ops->timer_arm(r->deadline_timer, mono_of(r, due));
}

static void place(struct reconciler *r, struct subscription *s, struct machine *m)
{
	struct heap *heap = m != NULL ? &r->due_machines : &r->due_subscriptions;
	struct heap_node *node = m != NULL ? &m->deadline : &s->deadline;
	struct wall due = WALL_NEVER;

	visit_items_of(r, s, m, earlier, &due);
	if (due.ms == WALL_NEVER.ms)
		heap_remove(heap, node);
	else if (!heap_holds(node) || node->due != due.ms)
		heap_put(heap, node, due.ms);
}

void deadlines_update(struct reconciler *r, struct subscription *s, struct machine *m)
{
	place(r, s, m);
	arm(r);
}

void deadlines_forget(struct reconciler *r, struct machine *m)
{
	heap_remove(&r->due_machines, &m->deadline);
	arm(r);
}

static void fire_if_due(struct reconciler *r, const struct item_ref *ref, void *ctx)
{
	struct item *item = item_of(ref);
	struct wall now = *(const struct wall *)ctx;
	struct item_event event = {
		.kind = EVENT_DEADLINE, .reason = item->reason, .detail = item->detail};

	if (wall_before(now, item->due))
		return;
	item->due = WALL_NEVER;
	reconciler_event(r, ref, &event, NULL);
	if (!item_is_in_flight(item))
		judge(r, ref);
}

/* The earliest one that is due, out of its heap; false when there is none. */
static bool take_due(struct reconciler *r, struct wall now, struct item_ref *ret)
{
	struct heap_node *s = heap_first(&r->due_subscriptions);
	struct heap_node *m = heap_first(&r->due_machines);

	if (s != NULL && s->due <= now.ms) {
		heap_remove(&r->due_subscriptions, s);
		*ret = (struct item_ref){
			.subscription = container_of(s, struct subscription, deadline)};
		return true;
	}
	if (m == NULL || m->due > now.ms)
		return false;
	heap_remove(&r->due_machines, m);
	ret->machine = container_of(m, struct machine, deadline);
	ret->subscription = ret->machine->subscription;
	return true;
}

void deadlines_fired(void *ctx)
{
	struct reconciler *r = ctx;
	struct item_ref ref;
	struct wall now;

	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	/* Whatever is due within the grain goes now, so that a crowd wakes the loop once. */
	now = wall_add(loop_wall(r->world->loop), DEADLINE_GRAIN);
	r->deadline_at = WALL_NEVER;
	for (size_t i = 0; i < FIRED_AT_ONCE && take_due(r, now, &ref); i++) {
		visit_items_of(r, ref.subscription, ref.machine, fire_if_due, &now);
		place(r, ref.subscription, ref.machine);
	}
	store_flush(r->store, NULL, NULL);
	arm(r);
}
