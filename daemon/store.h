/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: what the daemon keeps, in SQLite under the state directory, written by a thread of its own
 * with synchronous=FULL and group commit (at most every 20 ms).
 *
 * The loop puts records into the present batch; store_flush() hands it over, and the callback comes
 * back on the loop when it is durable. Nothing is read back while running, but history, which has
 * its own read-only connection. One process per directory: a lock file names its holder.
 *
 * Transitions and writes carry a sequence number and the SHA-256 of the record before.
 */
#ifndef MDCD_STORE_H
#define MDCD_STORE_H

#include "daemon/world.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/model/operation.h"

#include <jansson.h>

struct store;

enum store_condition {
	STORE_GOOD,
	STORE_NEW,      /* there was none: a first start, or it was lost */
	STORE_BEHIND,   /* older than its own checkpoint outside the database */
	STORE_REPLACED, /* was unreadable; the old file was kept under another name */
};

/*
 * Opens or creates. -EAGAIN with a diag that names the holder when another process has it;
 * -ENOTSUP for a schema of a later version. Writes nothing else to the directory but the database,
 * its lock and the checkpoint file. Why a condition is not good is in `diags` as a warning.
 *
 * A condition other than STORE_GOOD is reported again at every opening until a batch was committed:
 * what follows from it has to be in the first one. No process may fork once a store is open.
 */
int store_open(const struct world *w, const char *directory, struct diags *diags,
	enum store_condition *ret_condition, struct store **ret) MDC_MUST_CHECK;
/*
 * Flushes, waits (at most ten seconds), closes. Callbacks that have not run by then never do. Not
 * to be called from one.
 */
struct store *store_close(struct store *s);
/* As a crash would: nothing more is written. For tests. */
struct store *store_abandon(struct store *s);

/* Loading, before the loop runs. */
struct stored_item {
	const char *control, *resource_id, *state, *reason, *detail;
	struct wall since, due, first_drift;
	unsigned attempts, corrections;
};
typedef void (*store_item_fn)(void *ctx, const struct stored_item *item);
int store_load_items(struct store *s, store_item_fn fn, void *ctx) MDC_MUST_CHECK;
struct stored_operation {
	uint64_t id;
	const char *control, *resource_id, *target_id, *verb, *body_hash, *correlation_id, *phase;
	struct wall started, deadline;
};
typedef void (*store_operation_fn)(void *ctx, const struct stored_operation *op);
/* Those without a stored end. */
int store_load_operations(struct store *s, store_operation_fn fn, void *ctx) MDC_MUST_CHECK;
/* Small named values: "reach", "confirmed-digest", "paused", "journal-seq", … NULL when absent. */
char *store_load_value(struct store *s, const char *name);

/* Writing: all of these only add to the present batch. */
struct stored_transition {
	struct wall at;
	const char *control, *resource_id, *from, *to, *reason, *detail, *correlation_id;
};
/* Returns the sequence number that the record will have; 0 when it is not kept (see below). */
uint64_t store_put_transition(struct store *s, const struct stored_transition *t);
void store_put_item(struct store *s, const struct stored_item *item);
void store_delete_item(struct store *s, const char *control, const char *resource_id);
/* Each phase that is put is a record of the chain. */
void store_put_operation(struct store *s, const struct stored_operation *op);
/* `outcome` in a word ("succeeded", "failed", "unknown"), with error code and request id. */
void store_end_operation(struct store *s, uint64_t id, struct wall at, const char *outcome,
	const char *code, const char *request_id);
/* NULL removes it. */
void store_put_value(struct store *s, const char *name, const char *value);

/*
 * `durable` runs on the loop, never inside this call, once everything put before is on disk, in the
 * order of the flushes. While the disk is in trouble it waits. The error is 0, or -ENOBUFS when so
 * much waits that the store gave up: then nothing may be built on what was put, though it may still
 * reach the disk, and until there is room again nothing that is put is kept.
 */
typedef void (*store_durable_fn)(void *ctx, int error);
void store_flush(struct store *s, store_durable_fn durable, void *ctx);
/* False after a write error: nothing may be written to Azure until it is true again. */
bool store_healthy(const struct store *s);
const char *store_trouble(const struct store *s);
uint64_t store_next_operation_id(struct store *s);

/*
 * History, newest first: rows as JSON objects; `resource_id` NULL for all; before_seq 0 = newest.
 * "seq", "at" and "kind" are always there ("transition", "write", "outcome", "pruned", "lost",
 * "unstored"), the rest where it is not empty. Shows only what is durable.
 */
#define STORE_HISTORY_MAX 1000 /* rows that one call gives at most */
int store_history(struct store *s, const char *resource_id, uint64_t before_seq, unsigned limit,
	json_t **ret) MDC_MUST_CHECK;
/* Transitions after `seq`, oldest first: those to send to the journal again. */
int store_transitions_after(
	struct store *s, uint64_t seq, unsigned limit, json_t **ret) MDC_MUST_CHECK;

struct store_limits {
	struct dur age;   /* 0: any */
	uint64_t records; /* 0: any */
};
/* Removes history beyond the limits, in the background and in pieces. The chain goes on. */
void store_prune(struct store *s, const struct store_limits *limits);

/* The last one that was saved beside the database: every 1000 records, or after a minute. */
struct store_checkpoint {
	uint64_t seq;
	char hash[65];
};
void store_checkpoint_read(const struct store *s, struct store_checkpoint *ret);

/* Checkpoints from elsewhere, such as the journal, in any order. */
struct store_known {
	const struct store_checkpoint *checkpoints;
	size_t count;
};
struct store_verification {
	uint64_t first, last, records; /* what was walked */
	uint64_t losses;               /* places where the daemon itself found records missing */
	uint64_t compared;             /* checkpoints that could be compared */
	uint64_t not_compared;         /* those of records that are not there any more */
	uint64_t broken_at;            /* the first record that is not as it was, or 0 */
};
/*
 * Walks the whole chain, which takes seconds for millions of records. `known` may be NULL; the
 * checkpoint beside the database is always compared. What is wrong is in `diags`.
 */
int store_verify(struct store *s, const struct store_known *known, struct diags *diags,
	struct store_verification *ret) MDC_MUST_CHECK;
/* For another process, also while the daemon runs. */
int store_verify_directory(const char *path, const struct store_known *known, struct diags *diags,
	struct store_verification *ret) MDC_MUST_CHECK;

/* Grows whenever the thread turns; for the watchdog. Asking makes it turn. */
uint64_t store_heartbeat(struct store *s);

#endif
