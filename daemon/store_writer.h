/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_writer: batches into the database, one transaction for several of them, and the checkpoint
 * of the chain beside it. Used by one thread at a time.
 *
 * After any error the connection is closed; the next try opens the database anew and looks where
 * its chain ends. A commit that reported an error and is there nevertheless is recognised by that,
 * so trying the same batches again leaves neither hole nor double. A chain that ends anywhere else
 * was changed by somebody else, and nothing is written any more.
 */
#ifndef MDCD_STORE_WRITER_H
#define MDCD_STORE_WRITER_H

#include "daemon/store_batch.h"
#include "daemon/store_chain.h"
#include "daemon/store_directory.h"

/* Records that one pruning removes, so that no transaction takes long. */
#define STORE_PRUNE_AT_ONCE 10000

struct store_writer;

/* What the rest of the store needs to know of the database. */
struct store_extent {
	struct chain_point head, checkpoint;
	uint64_t base;      /* the last pruned record */
	struct wall oldest; /* of the first record that is kept; not set without any */
	uint64_t last_operation;
};

/* Takes the connection. `directory` and `vfs` are borrowed. */
struct store_writer *store_writer_new(
	sqlite3 *take_db, const struct store_directory *directory, const char *vfs);
/* `tidy`: folds the log into the database. */
struct store_writer *store_writer_free(struct store_writer *w, bool tidy);

/* -EINVAL or -ENODATA when the tables are not as they should be. */
int store_writer_probe(sqlite3 *db) MDC_MUST_CHECK;
/* Reads where the chain stands; `checkpoint` is the one in the directory. */
int store_writer_start(struct store_writer *w, const struct chain_point *checkpoint) MDC_MUST_CHECK;
/* All batches of the list in one transaction. They must be the same ones until it succeeds. */
int store_writer_commit(struct store_writer *w, const struct list *batches) MDC_MUST_CHECK;
/* Whether a checkpoint should be saved by now. */
bool store_writer_owes_checkpoint(const struct store_writer *w);
int store_writer_checkpoint(struct store_writer *w, struct wall at) MDC_MUST_CHECK;

void store_writer_extent(const struct store_writer *w, struct store_extent *ret);
/* What the last error was; a sentence. */
const char *store_writer_trouble(const struct store_writer *w);
/* Grows while it works. */
uint64_t store_writer_progress(const struct store_writer *w);

#endif
