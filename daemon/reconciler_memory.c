/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reconciler_parts.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define SUBSCRIPTIONS "/subscriptions/"
/* Searched in one turn of the loop. */
#define SWEPT_AT_ONCE 500
/*
 * What a complete list lacks after a restart is remembered for another day (less what a daily run
 * may be early): the list before the restart, against which a sudden drop would show, is not there
 * any more.
 */
#define KEPT_MACHINE DUR_H(23)
/* Azure keeps a cancelled subscription for 90 days; one that cannot be seen may come back. */
#define KEPT_SUBSCRIPTION DUR_DAYS(90)

/* What the store remembers about the items of one resource, until the resource is observed. */
struct memory {
	struct remembered {
		bool known;
		uint8_t state, reason, attempts, corrections;
		struct wall since, due, first_drift;
		char *detail;
	} items[CONTROL_N_];
};

void memory_free(void *memory)
{
	struct memory *m = memory;

	for (size_t i = 0; i < CONTROL_N_; i++)
		free(m->items[i].detail);
	free(m);
}

static bool is_empty(const struct memory *m)
{
	for (size_t i = 0; i < CONTROL_N_; i++)
		if (m->items[i].known)
			return false;
	return true;
}

static void clear(struct remembered *item)
{
	free(item->detail);
	*item = (struct remembered){0};
}

/* --- loading --- */

static uint8_t saturated(unsigned n)
{
	return (uint8_t)(n > UINT8_MAX ? UINT8_MAX : n);
}

static void remember(void *ctx, const struct stored_item *row)
{
	struct reconciler *r = ctx;
	enum control_id control = control_from_word(row->control);
	enum item_state state = item_state_from_word(row->state);
	enum reason reason = reason_from_word(row->reason);
	struct memory *m;
	struct remembered *item;

	/* A word of a later or earlier version: the item starts anew. */
	if (control == CONTROL_N_ || state == ITEM_STATE_N_ || reason == REASON_N_)
		return;
	m = map_get(&r->memories, row->resource_id);
	if (m == NULL) {
		m = xcalloc(1, sizeof(*m));
		map_set(&r->memories, row->resource_id, m);
	}
	item = &m->items[control];
	clear(item);
	*item = (struct remembered){
		.known = true,
		.state = (uint8_t)state,
		.reason = (uint8_t)reason,
		.attempts = saturated(row->attempts),
		.corrections = saturated(row->corrections),
		.since = row->since,
		.due = row->due,
		.first_drift = row->first_drift,
		.detail = str_empty(row->detail) ? NULL : xstrdup(row->detail),
	};
}

int reconciler_restore(struct reconciler *r)
{
	return store_load_items(r->store, remember, r);
}

/* --- as resources are observed --- */

bool memory_take(struct reconciler *r, const struct item_ref *ref)
{
	struct memory *m = map_get(&r->memories, item_resource_id(ref));
	struct item *item = item_of(ref);
	struct remembered *known;

	if (m == NULL || !m->items[ref->control].known)
		return false;
	known = &m->items[ref->control];
	item_move(ref, (enum item_state)known->state);
	item->reason = known->reason;
	item->attempts = known->attempts;
	item->corrections = known->corrections;
	item->since = known->since;
	item->due = known->due;
	item->first_drift = known->first_drift;
	intern_set(&r->inventory->texts, &item->detail, known->detail);
	item->stored = true;
	item->summarised = true;
	clear(known);
	if (is_empty(m))
		map_remove(&r->memories, item_resource_id(ref));
	return true;
}

static void drop(struct reconciler *r, const char *resource_id, enum control_id control,
	struct remembered *item, enum reason reason)
{
	tell_forgetting(r,
		&(struct remembered_item){.control = control,
			.resource_id = resource_id,
			.from = (enum item_state)item->state},
		reason);
	store_delete_item(r->store, control_word(control), resource_id);
	clear(item);
}

void memory_drop(struct reconciler *r, const struct item_ref *ref)
{
	const char *id = item_resource_id(ref);
	struct memory *m = map_count(&r->memories) > 0 ? map_get(&r->memories, id) : NULL;

	if (m == NULL || !m->items[ref->control].known)
		return;
	drop(r, id, ref->control, &m->items[ref->control], REASON_NOT_WANTED);
	if (is_empty(m))
		map_remove(&r->memories, id);
}

/* --- what is not observed again --- */

static bool is_vanished(const struct remembered *item)
{
	return item->state == ITEM_UNKNOWN && item->reason == REASON_VANISHED;
}

/* Told and written down, so that the time runs on over restarts. */
static void vanish(struct reconciler *r, const char *resource_id, enum control_id control,
	struct remembered *item)
{
	tell_forgetting(r,
		&(struct remembered_item){.control = control,
			.resource_id = resource_id,
			.from = (enum item_state)item->state},
		REASON_VANISHED);
	item->state = ITEM_UNKNOWN;
	item->reason = REASON_VANISHED;
	item->since = loop_wall(r->world->loop);
	item->due = WALL_NEVER;
	store_put_item(r->store,
		&(struct stored_item){
			.control = control_word(control),
			.resource_id = resource_id,
			.state = item_state_word(ITEM_UNKNOWN),
			.reason = reason_word(REASON_VANISHED),
			.detail = "",
			.since = item->since,
			.due = item->due,
			.first_drift = item->first_drift,
			.attempts = item->attempts,
			.corrections = item->corrections,
		});
}

static void miss(struct reconciler *r, const char *resource_id, struct memory *m, struct dur kept)
{
	struct wall now = loop_wall(r->world->loop);

	for (unsigned c = 0; c < CONTROL_N_; c++) {
		struct remembered *item = &m->items[c];

		if (!item->known)
			continue;
		if (!is_vanished(item))
			vanish(r, resource_id, (enum control_id)c, item);
		else if (wall_since(now, item->since).ms >= kept.ms)
			drop(r, resource_id, (enum control_id)c, item, REASON_GONE);
	}
}

static void forget(struct reconciler *r, const char *resource_id, struct memory *m)
{
	for (unsigned c = 0; c < CONTROL_N_; c++)
		if (m->items[c].known)
			drop(r, resource_id, (enum control_id)c, &m->items[c], REASON_NOT_WANTED);
}

/* The subscription's own id is its resource id. */
static struct subscription *subscription_of(const struct reconciler *r, const char *resource_id)
{
	char id[GUID_TEXT_SIZE];
	const char *at = str_starts_nocase(resource_id, SUBSCRIPTIONS)
		? resource_id + strlen(SUBSCRIPTIONS)
		: resource_id;

	str_copy(id, sizeof(id), at);
	return inventory_subscription(r->inventory, id);
}

/* All that is remembered of a resource is of controls on its kind. */
static enum resource_kind kind_of(const struct memory *m)
{
	unsigned c = 0;

	while (c + 1 < CONTROL_N_ && !m->items[c].known)
		c++;
	return control_resource((enum control_id)c);
}

static bool is_kept(const struct subscription *s, enum control_id control)
{
	return control_by_id(control)->may_write(s->scope->policy);
}

/* A complete list lacks it. */
static bool is_missing(
	const struct reconciler *r, const struct subscription *s, const char *id, struct memory *m)
{
	switch (kind_of(m)) {
	case ON_MACHINE:
		return s->machines_stamp.source != SOURCE_NONE &&
			inventory_machine(r->inventory, id) == NULL;
	case ON_CONNECTOR:
		return s->connectors_stamp.source != SOURCE_NONE &&
			inventory_connector(r->inventory, id) == NULL;
	case ON_WORKSPACE:
		return s->workspaces_stamp.source != SOURCE_NONE &&
			inventory_workspace(r->inventory, id) == NULL;
	case ON_SUBSCRIPTION:
	case RESOURCE_KIND_N_: break;
	}
	return false;
}

static void look_at(struct reconciler *r, const char *resource_id, struct memory *m)
{
	const struct subscription *s = subscription_of(r, resource_id);
	enum resource_kind kind = kind_of(m);

	if (s == NULL || !s->visible)
		miss(r, resource_id, m, KEPT_SUBSCRIPTION);
	else if (kind != ON_SUBSCRIPTION && s->scope == NULL)
		forget(r, resource_id, m);
	else if (kind == ON_CONNECTOR && !is_kept(s, CONTROL_CONNECTOR))
		forget(r, resource_id, m);
	else if (kind == ON_WORKSPACE && !is_kept(s, CONTROL_WORKSPACE_PLAN))
		forget(r, resource_id, m);
	else if (is_missing(r, s, resource_id, m))
		miss(r, resource_id, m, KEPT_MACHINE);
}

/* Without any subscription nothing was listed: that says nothing of all of them. */
static bool anything_is_visible(const struct reconciler *r)
{
	struct map_entry *entry;

	map_for_each (&r->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (s->visible)
			return true;
	}
	return false;
}

void memories_swept(void *ctx)
{
	struct reconciler *r = ctx;
	struct loop *loop = r->world->loop;
	struct map_entry *entry;

	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	for (unsigned n = 0; n < SWEPT_AT_ONCE; n++) {
		entry = map_walk(&r->memories, &r->forget_at);
		if (entry == NULL) {
			r->forgetting = false;
			break;
		}
		look_at(r, entry->key, entry->value);
		if (is_empty(entry->value))
			map_remove(&r->memories, entry->key);
	}
	store_flush(r->store, NULL, NULL);
	if (r->forgetting)
		loop->ops->timer_arm(r->forget_timer, loop_mono(loop));
}

void memories_sweep(struct reconciler *r)
{
	struct loop *loop = r->world->loop;

	if (r->forgetting || map_count(&r->memories) == 0 || !anything_is_visible(r))
		return;
	r->forgetting = true;
	r->forget_at = 0;
	loop->ops->timer_arm(r->forget_timer, loop_mono(loop));
}
