/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flight: one step on its way from its turn to its outcome; inside the executor only.
 *
 *   flight.c         its life, what it tells the reconciler and the store
 *   flight_write.c   read the exact resource, decide again, make the intent durable, send
 *   flight_follow.c  find out what became of what was sent
 *   executor.c       the queue of flights, withdrawals, recovery after a restart
 */
#ifndef MDCD_FLIGHT_H
#define MDCD_FLIGHT_H

#include "daemon/executor.h"
#include "daemon/onboarding.h"
#include "lib/base/list.h"

#define FLIGHT_MAGIC 0xf1167001u

/* The flights of one subscription: lanes take turns, so that none waits for another's quota. */
struct lane {
	struct list link; /* in executor.lanes, next turn first */
	struct list queue;
	size_t flying; /* reading or intended */
};

struct flight {
	uint32_t magic;
	struct executor *executor;
	struct lane *lane; /* NULL: recovered */
	struct operation op;
	struct item_ref ref; /* subscription NULL: recovered, resource not observed yet */
	struct arm_call *call;
	char *read_id;     /* the resource that is read before and after the write */
	json_t *current;   /* as last read; NULL: it is not there */
	struct wall asked; /* when the reading was asked for: it is no younger than that */
	struct wall read_at;
	struct arm_error failure; /* why the operation failed, until the resource was looked at */
	struct arm_request request;
	struct operation_poll poll;
	struct loop_timer *timer;
	bool queued;
	bool waits_for_package;
	struct list link;
};

struct executor {
	const struct world *world;
	struct store *store;
	struct arm_client *client;
	struct gate *gate;
	struct inventory *inventory;
	struct reconciler *reconciler;
	const struct config *config;
	struct onboarding *packages;
	struct list lanes;
	struct map lane_of;  /* subscription id -> struct lane */
	struct list flights; /* reading, intended, sent, running, recovered */
	struct list limbo;   /* withdrawn while the store was writing down their intent */
	size_t queued, flying, running;
	bool pumping, stopped;
	struct map recovered;        /* "control resource-id" -> struct flight, not yet bound */
	struct map running_by_scope, running_by_subscription; /* name or id -> uint64_t * */
	struct executor_counts counts;
};

/* Starts the next flights that there is room for. */
void executor_pump(struct executor *x);

struct flight *flight_new(struct executor *x, const struct item_ref *ref);
void flight_free(void *flight);
/* Gives up its place among the queued, the flying or the running. */
void flight_leave(struct flight *f);
/* Takes it out of the air; its memory goes when the loop's turn is over. */
void flight_end(struct flight *f);
struct flight *flight_of(const struct item_ref *ref);
void flight_tell(struct flight *f, const struct item_event *event);
void flight_store(struct flight *f);
void flight_store_outcome(
	struct flight *f, const char *outcome, const char *code, const char *request_id);
void flight_log_failure(struct flight *f, const struct arm_result *result);
/* The call failed for certain: stored, told, ended. */
void flight_fail(struct flight *f, const struct arm_result *result);
/* The reply as JSON, or NULL. */
json_t *flight_document(const struct arm_result *result);
/* The scope's identity by name; NULL where no scope has the subscription any more. */
const char *flight_identity(const struct flight *f);

/*
 * Reads the exact resource from ARM, notes what it shows in the inventory (so that what is decided
 * is also what is remembered), then calls `done`. False: there is nobody to read it as.
 */
bool flight_read(struct flight *f, enum arm_priority priority, arm_done_fn done);
/* In `done`: takes the reply over into f->current. -EBADMSG: neither a document nor a 404. */
int flight_take_reading(struct flight *f, const struct arm_result *result) MDC_MUST_CHECK;

void flight_take_off(struct flight *f);

/* Asks later what became of it; operations with a URL are watched in bulk first. */
void flight_follow(struct flight *f);
void flight_follow_in(struct flight *f, struct dur delay);
void flight_inquire(struct flight *f);
/* The write took effect as far as ARM's answers go. */
void flight_succeed(struct flight *f, const char *request_id);
/* The operation failed: the resource itself says more than the operation does. */
void flight_look_why(struct flight *f, const struct arm_error *failure);

#endif
