/* SPDX-License-Identifier: Apache-2.0 */
/*
 * executor: carries out steps: reads the exact resource from ARM, decides again, makes the intent
 * durable, sends, and follows the operation until its outcome is known. One operation at a time per
 * target; every request passes lib/engine/write_rules.c right before it is sent.
 *
 * What it learns goes to the reconciler as events; it changes no item itself.
 */
#ifndef MDCD_EXECUTOR_H
#define MDCD_EXECUTOR_H

#include "daemon/arm_client.h"
#include "daemon/gate.h"
#include "daemon/reconciler.h"

struct executor;

struct executor *executor_new(const struct world *w, struct store *store, struct arm_client *client,
	struct gate *gate, struct inventory *inv);
struct executor *executor_free(struct executor *x);
/* Both are bound once, before the loop runs. */
void executor_bind(struct executor *x, struct reconciler *r);
/* Borrowed until the next call. */
void executor_configure(struct executor *x, const struct config *c);

/* Loads the operations that were under way when the process ended. */
int executor_restore(struct executor *x) MDC_MUST_CHECK;
/* Gives items of a resource that was observed for the first time the operations that hold them. */
void executor_adopt(struct executor *x, struct subscription *s, struct machine *m);

/* Queues a step; its item is QUEUED. */
void executor_carry_out(struct executor *x, const struct item_ref *ref);
/* Drops a step that was not sent yet. */
void executor_withdraw(struct executor *x, const struct item_ref *ref);
/* All that are not sent yet: a halt, a pause, another configuration. */
void executor_withdraw_all(struct executor *x, enum reason reason);
/* Asks ARM what became of the item's operation. */
void executor_inquire(struct executor *x, const struct item_ref *ref);
/* The outcome has shown: the operation is over. */
void executor_ended(struct executor *x, const struct item_ref *ref, const char *outcome);
/* Recovered operations whose resource was never seen again by their deadline. */
void executor_expire(struct executor *x);

/* The store is well again: what waits for it goes on at once. */
void executor_go_on(struct executor *x);
/* Nothing is sent any more. */
void executor_stop(struct executor *x);
/* Writes whose answer has not come. */
size_t executor_on_the_wire(const struct executor *x);
/* Operations sent and not ended; steps queued or being read. */
size_t executor_running(const struct executor *x);
size_t executor_waiting(const struct executor *x);
/* Subscriptions with running operations, for the watch; returns how many (at most `room`). */
size_t executor_watched(const struct executor *x, const struct subscription **ret, size_t room);
/* Fills in the plan's running counts; maps are borrowed until the next call. */
void executor_limits(struct executor *x, struct plan_limits *ret);

/* See onboarding_organisation(). */
const char *executor_organisation(
	const struct executor *x, const struct subscription *s, struct wall *ret_at);

struct executor_counts {
	uint64_t sent, succeeded, failed;
	/* Never sent: what is read before failed, the decision was another one then, a rule. */
	uint64_t unsent, withheld, refused_by_rule;
};
void executor_counts(const struct executor *x, struct executor_counts *ret);

#endif
