/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_internal: the store itself, as its own files see it.
 *
 * The loop's side numbers the batches and remembers who waits for which of them. The worker's side
 * (a thread, or the loop itself in virtual time) commits them in order and publishes the number of
 * the last one that is on disk; the loop then calls everyone who waited for it. Between the two are
 * only `shared`, under its lock, and three atomic numbers.
 *
 * While the disk is in trouble batches stay in memory, in order, and are tried once a second. At
 * `pending_max` bytes the store gives up: those who wait are told that it is not durable, what is
 * put from then on is not kept, and a record in the chain says how much, once there is room again.
 */
#ifndef MDCD_STORE_INTERNAL_H
#define MDCD_STORE_INTERNAL_H

#include "daemon/store.h"
#include "daemon/store_batch.h"
#include "daemon/store_chain.h"
#include "daemon/store_directory.h"
#include "daemon/store_writer.h"

#include <pthread.h>
#include <stdatomic.h>

#define STORE_MAGIC 0x73746f72u
#define STORE_PENDING_MAX ((size_t)256 << 20)
/* One commit takes no more than about this many records, unless one batch has more. */
#define STORE_GROUP_MAX 20000
#define STORE_GROUP_PAUSE_MS 20
#define STORE_RETRY_MS 1000
#define STORE_CLOSE_PATIENCE_MS 10000
#define STORE_CHECKPOINT_AFTER DUR_S(60)

struct store_shared {
	pthread_mutex_t lock;
	struct list queue; /* batches that were handed over */
	uint64_t durable;  /* number of the last batch on disk */
	struct store_extent extent;
	char trouble[256];
	struct wall checkpoint_at; /* set: a checkpoint is wanted, with this time */
	bool stop, abandon;
};

/* Outlives the store when the loop still holds a post to it. */
struct store_mailbox {
	uint32_t magic;
	struct store *store; /* NULL once it is closed */
	atomic_bool posted;
};

struct store {
	uint32_t magic;
	const struct world *world;
	struct store_directory directory;
	sqlite3 *reader;

	/* The loop's. */
	struct batch *present;
	uint64_t last_batch;
	uint64_t next_seq, next_operation;
	struct list waiters;
	uint64_t prune_batch; /* the batch that holds the running pruning, or 0 */
	uint64_t prune_base;  /* where the chain began when it was handed over */
	struct store_limits limits;
	size_t pending_max;
	bool overflow;
	uint64_t unstored; /* transitions that were not kept */
	struct loop_timer *deliver_timer, *checkpoint_timer;
	bool checkpoint_armed;
	char trouble[384];
	struct store_mailbox *mailbox;

	/* Both sides'. */
	struct store_shared shared;
	_Atomic size_t pending; /* bytes handed over and not yet on disk */
	atomic_bool healthy;
	_Atomic uint64_t turns;

	/* The worker's. */
	struct store_writer *writer;
	struct list writing;    /* the batches of the commit that is being tried */
	struct wall written_at; /* of the last batch on disk */
	/* With a thread: */
	pthread_t thread;
	bool threaded;
	int wake, stop, gone; /* event descriptors */
	/* Without: */
	struct loop_timer *work_timer;
	bool work_armed;
};

/* store_worker.c: commits what was handed over. */
enum store_work {
	STORE_IDLE,    /* there was nothing */
	STORE_WORKED,  /* one commit was made; there may be more */
	STORE_TROUBLE, /* to be tried again later */
};
enum store_work store_work(struct store *s);
int store_worker_start(struct store *s) MDC_MUST_CHECK;
/* There is something to do. */
void store_worker_wake(struct store *s);
/* Finishes (or, to `abandon`, not) and ends; false when it hangs and still uses the store. */
bool store_worker_stop(struct store *s, bool abandon);

/* store.c: an empty one; then, with directory and writer, it begins to work. */
struct store *store_new(const struct world *w);
int store_start(struct store *s) MDC_MUST_CHECK;
/* Once the worker has ended, or never began. */
struct store *store_free(struct store *s);
/* Batches became durable, or were given up: tells those who wait. */
void store_deliver(struct store *s);

/* store_history.c: the reader; ready: opened anew when the file is another one by now. */
int store_reader_open(struct store *s) MDC_MUST_CHECK;
int store_reader_ready(struct store *s) MDC_MUST_CHECK;
sqlite3 *store_reader_close(sqlite3 *reader);

#endif
