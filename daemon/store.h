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
 * its lock and the checkpoint file.
 */
int store_open(const struct world *w, const char *directory, struct diags *diags,
	enum store_condition *ret_condition, struct store **ret) MDC_MUST_CHECK;
/* Flushes, waits (bounded), closes. */
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
/* Returns the sequence number that the record will have. */
uint64_t store_put_transition(struct store *s, const struct stored_transition *t);
void store_put_item(struct store *s, const struct stored_item *item);
void store_delete_item(struct store *s, const char *control, const char *resource_id);
void store_put_operation(struct store *s, const struct stored_operation *op);
/* `outcome` in a word ("succeeded", "failed", "unknown"), with error code and request id. */
void store_end_operation(struct store *s, uint64_t id, struct wall at, const char *outcome,
	const char *code, const char *request_id);
void store_put_value(struct store *s, const char *name, const char *value);

/* `durable` runs on the loop once everything put before is on disk. error 0 or negative errno. */
typedef void (*store_durable_fn)(void *ctx, int error);
void store_flush(struct store *s, store_durable_fn durable, void *ctx);
/* False after a write error: nothing may be written to Azure until it is true again. */
bool store_healthy(const struct store *s);
const char *store_trouble(const struct store *s);
uint64_t store_next_operation_id(struct store *s);

/* History, newest first: rows as JSON objects; `resource_id` NULL for all; before_seq 0 = newest.
 */
int store_history(struct store *s, const char *resource_id, uint64_t before_seq, unsigned limit,
	json_t **ret) MDC_MUST_CHECK;
/* Transitions after `seq`, oldest first: those to send to the journal again. */
int store_transitions_after(
	struct store *s, uint64_t seq, unsigned limit, json_t **ret) MDC_MUST_CHECK;

struct store_checkpoint {
	uint64_t seq;
	char hash[65];
};
void store_checkpoint_read(const struct store *s, struct store_checkpoint *ret);
/* Grows whenever the thread turns; for the watchdog. */
uint64_t store_heartbeat(struct store *s);

#endif
