/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flight: one step on its way from its turn to its outcome; inside the executor only.
 *
 *   flight.c          its life, what it tells the reconciler and the store, reading the resource
 *   flight_failure.c  what a failed call means, for the item and for others of its place
 *   flight_write.c    read the exact resource, decide again, make the intent durable, send
 *   flight_follow.c   find out what became of what was sent
 *   executor.c        the queue of flights, withdrawals, numbers
 *   executor_recovery.c  operations that were under way when the process ended
 *
 * A flight ends once: it leaves the item, its list and its counter, is reaped when the loop turns,
 * and nothing that was asked for it calls back any more.
 */
#ifndef MDCD_FLIGHT_H
#define MDCD_FLIGHT_H

#include "daemon/culprit.h"
#include "daemon/executor.h"
#include "daemon/onboarding.h"
#include "lib/base/list.h"
#include "lib/engine/failure_groups.h"
#include "lib/engine/holdoff.h"

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
	char *identity;    /* that it was sent as; NULL: not sent in this process */
	char *read_id;     /* the resource that is read before and after the write */
	json_t *current;   /* as last read; NULL: it is not there */
	struct wall asked; /* when the reading was asked for: it is no younger than that */
	struct wall read_at;
	struct arm_error failure; /* why the operation failed, until the resource was looked at */
	struct arm_request request;
	struct operation_poll poll;
	struct loop_timer *timer;
	struct mono rests_until;  /* not asked about before that */
	enum holdoff_stage stage; /* how far it has got */
	bool probe;               /* goes although others of its place wait */
	bool queued;
	bool waits_for_package;
	bool on_wire; /* the write itself, and not a question about it */
	bool overdue; /* known to run on past its limit; counted no more among the running */
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
	struct culprits *culprits;
	struct holdoff *holdoff;
	struct failure_groups *failures;
	struct list lanes;
	struct map lane_of;  /* subscription id -> struct lane */
	struct list flights; /* reading, intended, sent, running, recovered */
	struct list limbo;   /* withdrawn while the store was writing down their intent */
	struct list ended;   /* to be freed when the loop turns */
	struct loop_timer *reaper;
	struct loop_timer *later; /* for what comes by time: probes, groups to tell, the store */
	size_t queued, flying, running;
	bool pumping, stopped;
	struct map recovered; /* "control resource-id" -> struct flight, not yet bound */
	struct map running_by_scope, running_by_subscription; /* name or id -> uint64_t * */
	struct executor_counts counts;
};

/* Starts the next flights that there is room for. */
void executor_pump(struct executor *x);
/* Sets the timer for what comes next by itself. */
void executor_look_later(struct executor *x);

struct flight *flight_new(struct executor *x, const struct item_ref *ref);
void flight_free(struct flight *f);
/* Gives up its place among the queued, the flying or the running. */
void flight_leave(struct flight *f);
/* Takes it out of the air; its memory goes when the loop turns. */
void flight_end(struct flight *f);
struct flight *flight_of(const struct item_ref *ref);
void flight_tell(struct flight *f, const struct item_event *event);
/* The item's last word of this flight: it lets go of it first. */
void flight_part(struct flight *f, const struct item_event *event);
void flight_store(struct flight *f);
void flight_store_outcome(
	struct flight *f, const char *outcome, const char *code, const char *request_id);
/* The reply as JSON, or NULL. */
json_t *flight_document(const struct arm_result *result);
/*
 * The scope's identity by name; where no scope has the subscription any more, the one that it was
 * sent as, or NULL.
 */
const char *flight_identity(const struct flight *f);
/* Not before this may the same be written again. */
struct wall flight_rests_until(const struct flight *f);

/*
 * Reads the exact resource from ARM, notes what it shows in the inventory (so that what is decided
 * is also what is remembered), then calls `done`. False: there is nobody to read it as.
 */
bool flight_read(struct flight *f, enum arm_priority priority, arm_done_fn done);
/*
 * In `done`: takes the reply over into f->current. -EBADMSG: neither a 404 nor the document that
 * was asked for.
 */
int flight_take_reading(struct flight *f, const struct arm_result *result) MDC_MUST_CHECK;

/* Tells the journal, by groups of failures with one cause. */
void flight_log_failure(struct flight *f, const struct arm_result *result);
/* The fields that say what it is about: the same ones as those of its transitions. */
void flight_log_about(const struct flight *f, struct log_entry *e);
/* The call failed for certain: stored, told, ended. */
void flight_fail(struct flight *f, const struct arm_result *result);
/* The calls up to that stage got through: what others were refused there is over. */
void flight_passed(struct flight *f, enum holdoff_stage stage);
struct holdoff_place flight_place(const struct item_ref *ref);
void executor_tell_failures(struct executor *x);

void flight_take_off(struct flight *f);
/* Held back before anything was sent: planned anew, at once or (wait > 0) later. */
void flight_withdraw(struct flight *f, enum reason reason, const char *detail, struct dur wait);

/* Asks later what became of it; operations with a URL are watched in bulk first. */
void flight_follow(struct flight *f);
void flight_follow_in(struct flight *f, struct dur delay);
void flight_inquire(struct flight *f);
/* As soon as the server's own pace allows. */
void flight_inquire_soon(struct flight *f);
/* The write took effect as far as ARM's answers go. */
void flight_succeed(struct flight *f, const char *request_id);
/* Judges its resource by the facts as they are known. */
void flight_judge_again(struct flight *f);
/* The operation failed: the resource itself says more than the operation does. */
void flight_look_why(struct flight *f, const struct arm_error *failure);

#endif
