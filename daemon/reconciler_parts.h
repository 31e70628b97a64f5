/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconciler_parts: inside the reconciler only.
 *
 *   reconciler.c         judging, planning, what operators want
 *   reconciler_memory.c  what the store remembers, until its resource is observed or gone
 *   item_judging.c       judging the machines of whole subscriptions, some at a time
 *   item_setter.c        the one setter of an item's state; what is stored and told of it
 *   item_deadlines.c     which items are due
 */
#ifndef MDCD_RECONCILER_PARTS_H
#define MDCD_RECONCILER_PARTS_H

#include "daemon/reconciler.h"
#include "daemon/transition_teller.h"
#include "lib/base/heap.h"
#include "lib/base/list.h"
#include "lib/base/rng.h"

#define RECONCILER_MAGIC 0x5ec04c11u

struct reconciler {
	uint32_t magic;
	const struct world *world;
	struct store *store;
	struct inventory *inventory;
	struct reconciler_ports ports;
	struct transition_teller *teller;
	const struct config *config;
	struct map memories; /* resource id -> struct memory: not observed since the start */
	struct loop_timer *forget_timer;
	size_t forget_at; /* how far the search for lost memories has come */
	bool forgetting;
	struct loop_timer *plan_timer;
	bool plan_armed;
	bool crowded;        /* the last plan had steps that only waited for others */
	struct mono planned; /* when the last plan was made */
	struct heap due_subscriptions, due_machines;
	struct list judging; /* subscriptions whose machines are to be judged */
	struct loop_timer *judge_timer;
	struct loop_timer *deadline_timer;
	struct wall deadline_at;
	uint64_t transitions;
	struct rng rng;
	/* First sightings since the last summary. */
	uint64_t first_seen[CONTROL_N_][ITEM_STATE_N_];
	uint64_t first_seen_total;
};

typedef void (*item_visit_fn)(struct reconciler *r, const struct item_ref *ref, void *ctx);
/* The items that apply of a machine, or of a subscription and its connectors. */
void visit_items_of(struct reconciler *r, struct subscription *s, struct machine *m,
	item_visit_fn visit, void *ctx);
/* Judges an item by the facts as they are known. */
void judge(struct reconciler *r, const struct item_ref *ref);
void judge_subscription(struct reconciler *r, struct subscription *s);
/* All machines of the subscription, in later turns; `reconfigured`: under another configuration. */
void judge_machines_later(struct reconciler *r, struct subscription *s, bool reconfigured);
void judge_some(void *reconciler);
/* Whether its operation was sent: only its outcome ends that. */
bool item_is_in_flight(const struct item *item);

/* The setter's own part: an item comes to life, moves, and goes, and is counted on the way. */
void item_begin(const struct item_ref *ref);
void item_move(const struct item_ref *ref, enum item_state to);
void item_end(const struct item_ref *ref);

/* Tells in one entry a control what was first seen since the last one. */
void tell_first_sights(struct reconciler *r);
/* The item has no resource, or no control, any more: the last that is told of it. */
void tell_leaving(struct reconciler *r, const struct item_ref *ref, enum reason reason);
/* The same for one that was only remembered. */
struct remembered_item {
	enum control_id control;
	const char *resource_id;
	enum item_state from;
};
void tell_forgetting(struct reconciler *r, const struct remembered_item *item, enum reason reason);

void memory_free(void *memory);
/* The item takes over what is remembered of it; false when nothing is. */
bool memory_take(struct reconciler *r, const struct item_ref *ref);
/* It is certain that there is no such item (any more): its row goes. */
void memory_drop(struct reconciler *r, const struct item_ref *ref);
/* Begins to look for memories of what is not there any more; in small pieces. */
void memories_sweep(struct reconciler *r);
void memories_swept(void *reconciler);

/* An item of the resource may be due at another time now. */
void deadlines_update(struct reconciler *r, struct subscription *s, struct machine *m);
void deadlines_forget(struct reconciler *r, struct machine *m);
void deadlines_fired(void *reconciler);

#endif
