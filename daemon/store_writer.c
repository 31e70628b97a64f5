/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_writer.h"

#include "daemon/store_schema.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* So many records may be newer than the checkpoint before it is saved again. */
#define CHECKPOINT_EVERY 1000

#define STATEMENTS(STATEMENT) \
	STATEMENT(RESOURCE_FIND, "SELECT id FROM resources WHERE name = ?") \
	STATEMENT(RESOURCE_ADD, "INSERT INTO resources(name) VALUES(?)") \
	STATEMENT(RESOURCE_SWEEP, \
		"DELETE FROM resources WHERE " \
		"NOT EXISTS(SELECT 1 FROM items WHERE items.resource = resources.id) AND " \
		"NOT EXISTS(SELECT 1 FROM history WHERE history.resource = resources.id)") \
	STATEMENT(ITEM_PUT, \
		"INSERT OR REPLACE INTO items(resource, control, state, reason, detail, since, " \
		"due, first_drift, attempts, corrections) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)") \
	STATEMENT(ITEM_DELETE, "DELETE FROM items WHERE resource = ? AND control = ?") \
	STATEMENT(OPERATION_PUT, \
		"INSERT OR REPLACE INTO operations(id, control, resource_id, target_id, verb, " \
		"body_hash, correlation_id, phase, started, deadline) " \
		"VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)") \
	STATEMENT(OPERATION_FIND, \
		"SELECT control, resource_id, target_id, verb, correlation_id FROM operations " \
		"WHERE id = ?") \
	STATEMENT(OPERATION_END, "DELETE FROM operations WHERE id = ?") \
	STATEMENT(VALUE_PUT, "INSERT OR REPLACE INTO named_values(name, value) VALUES(?, ?)") \
	STATEMENT(VALUE_DELETE, "DELETE FROM named_values WHERE name = ?") \
	STATEMENT(HISTORY_ADD, chain_insert) \
	STATEMENT(HISTORY_FIRST, "SELECT seq, at FROM history ORDER BY seq LIMIT ?") \
	STATEMENT(HISTORY_PRUNE, "DELETE FROM history WHERE seq <= ?") \
	STATEMENT(CHAIN_BASE, "UPDATE chain SET base_seq = ?, base_hash = ?") \
	STATEMENT(CHAIN_HEAD, \
		"UPDATE chain SET head_seq = ?, head_hash = ?, last_operation = ?, condition = 0")

enum statement {
#define STATEMENT_ENUM(name, text) STATEMENT_##name,
	STATEMENTS(STATEMENT_ENUM)
#undef STATEMENT_ENUM
		STATEMENT_N_
};

struct store_writer {
	const struct store_directory *directory;
	const char *vfs;
	sqlite3 *db; /* NULL after an error */
	sqlite3_stmt *statement[STATEMENT_N_];
	struct store_extent extent; /* as of the last commit */
	/* Inside a transaction. */
	struct chain_point next; /* the head that it leads to */
	struct chain_point base;
	uint64_t last_operation;
	bool pruned;
	/* Where the commit that failed last would have led, if one did. */
	struct chain_point tried;
	bool has_tried;
	/* The resource asked for last: a machine's items come together. */
	char *resource;
	int64_t resource_id;
	char trouble[256];
	_Atomic uint64_t progress;
};

static bool point_equal(const struct chain_point *a, const struct chain_point *b)
{
	return a->seq == b->seq && digest_equal(&a->digest, &b->digest);
}

/* --- the connection --- */

static void forget_resource(struct store_writer *w)
{
	free(w->resource);
	w->resource = NULL;
}

static void finalize_statements(sqlite3_stmt **statements)
{
	for (unsigned i = 0; i < STATEMENT_N_; i++)
		sql_finalize_p(&statements[i]);
}

static void disconnect(struct store_writer *w)
{
	forget_resource(w);
	finalize_statements(w->statement);
	if (w->db != NULL)
		w->db = store_db_close(w->db);
}

static int prepare_statements(sqlite3 *db, sqlite3_stmt **ret)
{
	static const char *const texts[] = {
#define STATEMENT_TEXT(name, text) [STATEMENT_##name] = text,
		STATEMENTS(STATEMENT_TEXT)
#undef STATEMENT_TEXT
	};
	int r = 0;

	for (unsigned i = 0; r == 0 && i < STATEMENT_N_; i++)
		r = sql_prepare(db, texts[i], &ret[i]);
	return r;
}

static int changed_by_others(struct store_writer *w, const char *how)
{
	snprintf(w->trouble, sizeof(w->trouble), "%s was %s while in use", w->directory->database,
		how);
	return -ESTALE;
}

static int reconnect(struct store_writer *w)
{
	unsigned version;
	int r = store_db_open(w->directory->database, w->vfs, false, &w->db);

	if (r == 0)
		r = store_schema_identify(w->db, &store_schema, &version);
	if (r < 0)
		return r;
	if (r != SCHEMA_OURS || version != store_schema.version)
		return changed_by_others(w, "replaced");
	r = store_db_settle(w->db);
	if (r == 0)
		r = store_db_prepare(w->db);
	if (r == 0)
		r = store_db_sync_directory(w->db, w->directory->fd);
	return r < 0 ? r : prepare_statements(w->db, w->statement);
}

/* Writing on into a file that has no name any more would lose everything at the end. */
static int still_there(struct store_writer *w)
{
	int moved = 0;

	if (sqlite3_file_control(w->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
		moved)
		return changed_by_others(w, "removed or replaced");
	return 0;
}

/* The connection is given up: what it knows may not be what the disk has. */
static int give_up(struct store_writer *w, int r)
{
	if (w->trouble[0] == '\0')
		snprintf(w->trouble, sizeof(w->trouble), "%s cannot be written: %s",
			w->directory->database,
			w->db != NULL ? sqlite3_errmsg(w->db) : strerror(-r));
	disconnect(w);
	return r;
}

/* --- the chain --- */

static int append(struct store_writer *w, struct chain_record *row, int64_t resource)
{
	sqlite3_stmt *st = w->statement[STATEMENT_HISTORY_ADD];
	int r;

	assert(row->seq == w->next.seq + 1);
	row->previous = w->next.digest;
	chain_bind(st, row, resource);
	r = sql_run(st);
	if (r < 0)
		return r;
	w->next.seq = row->seq;
	chain_digest(row, &w->next.digest);
	return 0;
}

static struct chain_record chain_record_of(const struct record *in, const char *kind)
{
	struct chain_record row = {.seq = (uint64_t)in->number[0], .at = in->number[1]};

	row.text[CHAIN_KIND] = kind;
	return row;
}

/* --- resources --- */

static int remember_resource(struct store_writer *w, const char *name, int64_t id, int64_t *ret)
{
	forget_resource(w);
	w->resource = xstrdup(name);
	w->resource_id = id;
	*ret = id;
	return 0;
}

/* 0 for none. Makes it known when `add`. */
static int find_resource(struct store_writer *w, const char *name, bool add, int64_t *ret)
{
	sqlite3_stmt *find = w->statement[STATEMENT_RESOURCE_FIND];
	int64_t id;
	int r;

	*ret = 0;
	if (str_empty(name))
		return 0;
	if (w->resource != NULL && str_equal_nocase(w->resource, name)) {
		*ret = w->resource_id;
		return 0;
	}
	sql_bind_text(find, 1, name);
	r = sql_step(find);
	id = r == 1 ? sqlite3_column_int64(find, 0) : 0;
	sql_reset(find);
	if (r < 0 || (r == 0 && !add))
		return r;
	if (r == 1)
		return remember_resource(w, name, id, ret);
	sql_bind_text(w->statement[STATEMENT_RESOURCE_ADD], 1, name);
	r = sql_run(w->statement[STATEMENT_RESOURCE_ADD]);
	return r < 0 ? r : remember_resource(w, name, sqlite3_last_insert_rowid(w->db), ret);
}

/* --- records, one kind each --- */

static int put_item(struct store_writer *w, const struct record *in)
{
	sqlite3_stmt *st = w->statement[STATEMENT_ITEM_PUT];
	int64_t resource;
	int r = find_resource(w, in->text[1], true, &resource);

	if (r < 0)
		return r;
	sql_bind_number(st, 1, resource);
	sql_bind_text(st, 2, in->text[0]);
	for (int i = 2; i < 5; i++)
		sql_bind_text(st, i + 1, in->text[i]);
	for (int i = 0; i < 5; i++)
		sql_bind_number(st, i + 6, in->number[i]);
	return sql_run(st);
}

static int delete_item(struct store_writer *w, const struct record *in)
{
	sqlite3_stmt *st = w->statement[STATEMENT_ITEM_DELETE];
	int64_t resource;
	int r = find_resource(w, in->text[1], false, &resource);

	if (r < 0 || resource == 0)
		return r;
	sql_bind_number(st, 1, resource);
	sql_bind_text(st, 2, in->text[0]);
	return sql_run(st);
}

static int put_value(struct store_writer *w, const struct record *in)
{
	sqlite3_stmt *st = w->statement[STATEMENT_VALUE_PUT];

	if (in->text[1] == NULL)
		st = w->statement[STATEMENT_VALUE_DELETE];
	else
		sql_bind_text(st, 2, in->text[1]);
	sql_bind_text(st, 1, in->text[0]);
	return sql_run(st);
}

static int put_transition(struct store_writer *w, const struct record *in)
{
	struct chain_record row = chain_record_of(in, "transition");
	int64_t resource;
	int r = find_resource(w, in->text[1], true, &resource);

	if (r < 0)
		return r;
	row.text[CHAIN_CONTROL] = in->text[0];
	row.text[CHAIN_RESOURCE] = in->text[1];
	row.text[CHAIN_TO] = in->text[2];
	row.text[CHAIN_REASON] = in->text[3];
	row.text[CHAIN_DETAIL] = in->text[4];
	row.text[CHAIN_FROM] = in->text[5];
	row.text[CHAIN_CORRELATION] = in->text[6];
	return append(w, &row, resource);
}

static int put_operation_row(struct store_writer *w, const struct record *in)
{
	sqlite3_stmt *st = w->statement[STATEMENT_OPERATION_PUT];

	sql_bind_number(st, 1, in->number[2]);
	sql_bind_text(st, 2, in->text[0]);
	sql_bind_text(st, 3, in->text[1]);
	sql_bind_text(st, 4, in->text[4]);
	sql_bind_text(st, 5, in->text[3]);
	sql_bind_text(st, 6, in->text[5]);
	sql_bind_text(st, 7, in->text[6]);
	sql_bind_text(st, 8, in->text[2]);
	sql_bind_number(st, 9, in->number[3]);
	sql_bind_number(st, 10, in->number[4]);
	return sql_run(st);
}

static int put_operation(struct store_writer *w, const struct record *in)
{
	struct chain_record row = chain_record_of(in, "write");
	int64_t resource;
	int r = find_resource(w, in->text[1], true, &resource);

	if (r == 0)
		r = put_operation_row(w, in);
	if (r < 0)
		return r;
	row.operation = in->number[2];
	row.deadline = in->number[4];
	row.text[CHAIN_CONTROL] = in->text[0];
	row.text[CHAIN_RESOURCE] = in->text[1];
	row.text[CHAIN_PHASE] = in->text[2];
	row.text[CHAIN_VERB] = in->text[3];
	row.text[CHAIN_TARGET] = in->text[4];
	row.text[CHAIN_BODY_HASH] = in->text[5];
	row.text[CHAIN_CORRELATION] = in->text[6];
	if ((uint64_t)row.operation > w->last_operation)
		w->last_operation = (uint64_t)row.operation;
	return append(w, &row, resource);
}

/* The record repeats what was written, so that it can be read alone. */
static int end_operation(struct store_writer *w, const struct record *in)
{
	static const enum chain_text repeated[] = {
		CHAIN_CONTROL, CHAIN_RESOURCE, CHAIN_TARGET, CHAIN_VERB, CHAIN_CORRELATION};
	struct chain_record row = chain_record_of(in, "outcome");
	sqlite3_stmt *find = w->statement[STATEMENT_OPERATION_FIND];
	sqlite3_stmt *end = w->statement[STATEMENT_OPERATION_END];
	int64_t resource;
	int r;

	row.operation = in->number[2];
	row.text[CHAIN_OUTCOME] = in->text[0];
	row.text[CHAIN_CODE] = in->text[1];
	row.text[CHAIN_REQUEST] = in->text[2];
	sql_bind_number(find, 1, row.operation);
	r = sql_step(find);
	for (int i = 0; r == 1 && i < (int)ARRAY_LEN(repeated); i++)
		row.text[repeated[i]] = sql_text(find, i);
	if (r >= 0)
		r = find_resource(w, row.text[CHAIN_RESOURCE], true, &resource);
	if (r == 0)
		r = append(w, &row, resource);
	sql_reset(find);
	if (r < 0)
		return r;
	sql_bind_number(end, 1, row.operation);
	return sql_run(end);
}

static int note_unstored(struct store_writer *w, const struct record *in)
{
	struct chain_record row = chain_record_of(in, "unstored");
	char detail[64];

	snprintf(detail, sizeof(detail), "%lld transitions", (long long)in->number[2]);
	row.text[CHAIN_DETAIL] = detail;
	return append(w, &row, 0);
}

/* --- pruning --- */

/*
 * The last record to go: from the oldest on, what is too old or too many, up to the first that is
 * neither. Nothing after the checkpoint, so that it can always be compared.
 */
static int prune_until(
	struct store_writer *w, const struct record *in, uint64_t *ret, bool *ret_all)
{
	sqlite3_stmt *st = w->statement[STATEMENT_HISTORY_FIRST];
	int64_t cutoff = in->number[2], by_size = in->number[3];
	int64_t checkpoint = (int64_t)w->extent.checkpoint.seq;
	size_t n = 0;
	int r;

	sql_bind_number(st, 1, STORE_PRUNE_AT_ONCE);
	while ((r = sql_step(st)) == 1) {
		int64_t seq = sqlite3_column_int64(st, 0);

		if (seq > checkpoint || (sqlite3_column_int64(st, 1) >= cutoff && seq > by_size))
			break;
		*ret = (uint64_t)seq;
		n++;
	}
	sql_reset(st);
	*ret_all = n < STORE_PRUNE_AT_ONCE;
	return r < 0 ? r : 0;
}

static int remove_until(struct store_writer *w, uint64_t last)
{
	sqlite3_stmt *remove = w->statement[STATEMENT_HISTORY_PRUNE];
	sqlite3_stmt *base = w->statement[STATEMENT_CHAIN_BASE];
	int r = chain_digest_at(w->db, last, &w->base.digest);

	if (r < 0)
		return r;
	assert(r == 1);
	w->base.seq = last;
	sql_bind_number(remove, 1, (int64_t)last);
	r = sql_run(remove);
	if (r < 0)
		return r;
	sql_bind_number(base, 1, (int64_t)last);
	sql_bind_blob(base, 2, w->base.digest.byte, sizeof(w->base.digest.byte));
	return sql_run(base);
}

static int sweep_resources(struct store_writer *w)
{
	forget_resource(w);
	return sql_run(w->statement[STATEMENT_RESOURCE_SWEEP]);
}

static int prune(struct store_writer *w, const struct record *in)
{
	struct chain_record row = chain_record_of(in, "pruned");
	uint64_t last = 0;
	bool all;
	char detail[CHAIN_BASE_TEXT_SIZE];
	int r = prune_until(w, in, &last, &all);

	if (r == 0 && last > 0)
		r = remove_until(w, last);
	if (r == 0 && all)
		r = sweep_resources(w);
	if (r < 0)
		return r;
	w->pruned = true;
	chain_base_text(&w->base, detail);
	row.text[CHAIN_DETAIL] = detail;
	return append(w, &row, 0);
}

/* --- transactions --- */

static int apply(struct store_writer *w, const struct record *in)
{
	switch (in->kind) {
	case RECORD_ITEM: return put_item(w, in);
	case RECORD_ITEM_GONE: return delete_item(w, in);
	case RECORD_VALUE: return put_value(w, in);
	case RECORD_TRANSITION: return put_transition(w, in);
	case RECORD_OPERATION: return put_operation(w, in);
	case RECORD_OUTCOME: return end_operation(w, in);
	case RECORD_PRUNE: return prune(w, in);
	case RECORD_UNSTORED: return note_unstored(w, in);
	case RECORD_N_: break;
	}
	return -EINVAL;
}

static int apply_batch(struct store_writer *w, const struct batch *b)
{
	struct batch_reader reader;
	struct record in;
	int r = 0;

	batch_read(b, &reader);
	while (r == 0 && batch_next(&reader, &in)) {
		r = apply(w, &in);
		atomic_fetch_add_explicit(&w->progress, 1, memory_order_relaxed);
	}
	return r;
}

/* 1: the transaction is open. 0: it is in the database already. */
static int begin(struct store_writer *w)
{
	struct chain_state state;
	bool had_tried = w->has_tried && !point_equal(&w->tried, &w->extent.head);
	int r = w->db == NULL ? reconnect(w) : 0;

	if (r == 0)
		r = still_there(w);
	if (r == 0)
		r = sql_exec(w->db, "BEGIN IMMEDIATE");
	if (r == 0)
		r = chain_load(w->db, &state);
	if (r < 0)
		return r;
	if (had_tried && point_equal(&state.head, &w->tried)) {
		r = sql_exec(w->db, "ROLLBACK");
		w->next = state.head;
		w->base = state.base;
		w->last_operation = state.last_operation;
		return r;
	}
	if (!point_equal(&state.head, &w->extent.head))
		return changed_by_others(w, "changed by another program");
	w->next = state.head;
	w->base = state.base;
	w->last_operation = state.last_operation;
	w->pruned = false;
	return 1;
}

static int finish(struct store_writer *w)
{
	sqlite3_stmt *st = w->statement[STATEMENT_CHAIN_HEAD];
	int r;

	sql_bind_number(st, 1, (int64_t)w->next.seq);
	sql_bind_blob(st, 2, w->next.digest.byte, sizeof(w->next.digest.byte));
	sql_bind_number(st, 3, (int64_t)w->last_operation);
	r = sql_run(st);
	if (r < 0)
		return r;
	w->tried = w->next;
	w->has_tried = true;
	return sql_exec(w->db, "COMMIT");
}

/* Only tells when to prune again; if it cannot be read now, it can the next time. */
static void find_oldest(struct store_writer *w)
{
	int64_t at;

	w->extent.oldest = WALL_UNSET;
	if (w->extent.head.seq > w->extent.base &&
		sql_number(w->db, "SELECT at FROM history ORDER BY seq LIMIT 1", &at) == 0)
		w->extent.oldest.ms = at;
}

static void accept(struct store_writer *w)
{
	w->has_tried = false;
	w->extent.head = w->next;
	w->extent.base = w->base.seq;
	w->extent.last_operation = w->last_operation;
	if (w->pruned || !wall_is_set(w->extent.oldest))
		find_oldest(w);
	w->trouble[0] = '\0';
}

static bool any_prunes(const struct list *batches)
{
	list_for_each ((struct list *)batches, node)
		if (list_entry(node, struct batch, link)->prunes)
			return true;
	return false;
}

int store_writer_commit(struct store_writer *w, const struct list *batches)
{
	int r = 0;

	w->trouble[0] = '\0';
	if (any_prunes(batches))
		r = store_writer_checkpoint(w, list_entry(batches->next, struct batch, link)->at);
	if (r < 0)
		return r;
	r = begin(w);
	if (r == 1) {
		r = 0;
		list_for_each ((struct list *)batches, node)
			if (r == 0)
				r = apply_batch(w, list_entry(node, struct batch, link));
		if (r == 0)
			r = finish(w);
	}
	if (r < 0)
		return give_up(w, r);
	accept(w);
	return 0;
}

/* --- the checkpoint --- */

bool store_writer_owes_checkpoint(const struct store_writer *w)
{
	return w->extent.head.seq - w->extent.checkpoint.seq >= CHECKPOINT_EVERY;
}

int store_writer_checkpoint(struct store_writer *w, struct wall at)
{
	int r;

	if (point_equal(&w->extent.head, &w->extent.checkpoint))
		return 0;
	r = store_directory_save_checkpoint(w->directory, &w->extent.head, at);
	if (r < 0) {
		snprintf(w->trouble, sizeof(w->trouble), "%s/checkpoint cannot be written: %s",
			w->directory->path, strerror(-r));
		return r;
	}
	w->extent.checkpoint = w->extent.head;
	return 0;
}

/* --- beginning and end --- */

int store_writer_probe(sqlite3 *db)
{
	sqlite3_stmt *statements[STATEMENT_N_] = {NULL};
	struct chain_state state;
	int r = prepare_statements(db, statements);

	finalize_statements(statements);
	return r < 0 ? r : chain_load(db, &state);
}

struct store_writer *store_writer_new(
	sqlite3 *take_db, const struct store_directory *directory, const char *vfs)
{
	struct store_writer *w = xcalloc(1, sizeof(*w));

	w->directory = directory;
	w->vfs = vfs;
	w->db = take_db;
	return w;
}

int store_writer_start(struct store_writer *w, const struct chain_point *checkpoint)
{
	struct chain_state state;
	int r = prepare_statements(w->db, w->statement);

	if (r == 0)
		r = chain_load(w->db, &state);
	if (r < 0)
		return r;
	w->extent = (struct store_extent){
		.head = state.head,
		.checkpoint = *checkpoint,
		.base = state.base.seq,
		.last_operation = state.last_operation,
	};
	find_oldest(w);
	return 0;
}

struct store_writer *store_writer_free(struct store_writer *w, bool tidy)
{
	if (w == NULL)
		return NULL;
	if (tidy && w->db != NULL)
		store_db_tidy(w->db);
	disconnect(w);
	free(w);
	return NULL;
}

void store_writer_extent(const struct store_writer *w, struct store_extent *ret)
{
	*ret = w->extent;
}

const char *store_writer_trouble(const struct store_writer *w)
{
	return w->trouble;
}

uint64_t store_writer_progress(const struct store_writer *w)
{
	return atomic_load_explicit(&w->progress, memory_order_relaxed);
}
