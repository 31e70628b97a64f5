/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconciler: owns the items. It turns observations into verdicts, verdicts and calls into events,
 * and holds the one setter of an item's state, which stores, logs and counts every transition.
 *
 * It plans (lib/engine/plan.c) and hands the steps that may go to the executor; it never calls
 * Azure itself.
 */
#ifndef MDCD_RECONCILER_H
#define MDCD_RECONCILER_H

#include "daemon/gate.h"
#include "daemon/store.h"
#include "daemon/world.h"
#include "lib/engine/item_machine.h"
#include "lib/engine/plan.h"
#include "lib/model/inventory.h"

struct reconciler;

/* An item by what it is about; no machine, connector or workspace: the subscription itself. */
struct item_ref {
	struct subscription *subscription;
	struct machine *machine;
	enum control_id control;
	struct connector *connector;
	struct workspace *workspace;
};
struct item *item_of(const struct item_ref *ref);
/* The kind of the resource, whatever the control. */
enum resource_kind item_resource(const struct item_ref *ref);
const char *item_resource_id(const struct item_ref *ref);
/* The resource group that it is in, or NULL. */
const char *item_group(const struct item_ref *ref);
struct control_view item_view(const struct item_ref *ref, const struct config *c, struct wall now);

/* Whom the reconciler asks to act. */
struct reconciler_ports {
	void *ctx;
	/* Look at this resource soon. */
	void (*observe)(void *ctx, const struct item_ref *ref);
	/* Find out what became of the item's operation, or who is in conflict with it. */
	void (*inquire)(void *ctx, const struct item_ref *ref);
	/* Drop what is queued but not sent. */
	void (*withdraw)(void *ctx, const struct item_ref *ref);
	/* The item's operation has shown its outcome ("succeeded", "failed", …). */
	void (*ended)(void *ctx, const struct item_ref *ref, const char *outcome);
	/* Carry out this step; its item is QUEUED. */
	void (*carry_out)(void *ctx, const struct item_ref *ref);
	/* The plan's limits as they are now; freed by the reconciler's caller-owned maps. */
	void (*limits)(void *ctx, struct plan_limits *ret);
};

struct reconciler *reconciler_new(const struct world *w, struct store *store, struct inventory *inv,
	const struct reconciler_ports *ports);
struct reconciler *reconciler_free(struct reconciler *r);

/* Loads the items' memory; they come to life when their resource is observed. */
int reconciler_restore(struct reconciler *r) MDC_MUST_CHECK;
/* Another configuration is in force; borrowed until the next call. */
void reconciler_configure(struct reconciler *r, const struct config *c);

/* The list of subscriptions is in: what is in another scope than before is planned anew. */
void reconciler_resolve(struct reconciler *r);

/*
 * Facts were read: judge again. Where its machines wait for something else than before, or are
 * selected otherwise, they are judged as well, some in each turn of the loop.
 */
void reconciler_subscription_seen(struct reconciler *r, struct subscription *s);
void reconciler_machine_seen(struct reconciler *r, struct machine *m);
void reconciler_machine_gone(struct reconciler *r, struct machine *m);
/* Some machines are still to be judged in later turns. */
bool reconciler_is_judging(const struct reconciler *r);
/* A pass over `s` ended: what was first seen in it is summarised in one entry. */
void reconciler_pass_ended(struct reconciler *r);

/* What happened to an item, from the executor or an operator. */
void reconciler_event(struct reconciler *r, const struct item_ref *ref,
	const struct item_event *event, const char *correlation_id);
/* Plans anew soon (at most once a second). */
void reconciler_plan_soon(struct reconciler *r);
/* An operation ended: whatever waited for its place may get a turn. */
void reconciler_made_room(struct reconciler *r);
/*
 * What the item of `ref` was refused is over: others that it blocked go on, those of its resource
 * group or (group false) of its subscription.
 */
void reconciler_cured(
	struct reconciler *r, const struct item_ref *ref, bool group, enum reason reason);
/* An operator wants it now: the item, or (control CONTROL_N_) all items of the resource. */
void reconciler_force(struct reconciler *r, const struct item_ref *ref);

struct reconciler_counts {
	uint64_t by_state[ITEM_STATE_N_];
	uint64_t by_control[CONTROL_N_][ITEM_STATE_N_];
	uint64_t transitions; /* since start */
};
/* Transitions that are not told with their numbers yet, for they are not durable. */
size_t reconciler_untold(const struct reconciler *r);
/* By what the setter counted: takes time by the subscriptions, not by the machines. */
void reconciler_count(const struct reconciler *r, struct reconciler_counts *ret);
/* Adds the items of one subscription and its machines. */
void reconciler_count_subscription(const struct subscription *s, struct reconciler_counts *ret);

#endif
