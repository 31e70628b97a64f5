/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_internal.h"

#include "daemon/store_schema.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

/* What is found on the way, until it is known what the store is worth. */
struct opening {
	struct store *store;
	struct diags *diags;
	const char *path; /* of the database */
	const char *vfs;
	sqlite3 *db;
	enum checkpoint_file file;
	struct chain_point checkpoint; /* zeros unless the file has one */
	enum store_condition condition;
	char *why; /* of a condition that is not good */
};

static void opening_fini(struct opening *o)
{
	if (o->db != NULL)
		store_db_close(o->db);
	free(o->why);
}

/* --- errors --- */

static int refuse(struct opening *o, int r, const char *what)
{
	const char *how = r == -EBUSY ? "another program has it locked"
		: o->db != NULL       ? sqlite3_errmsg(o->db)
				      : strerror(-r);

	diag_error(o->diags, o->path, 0, "%s: %s", what, how);
	return r;
}

static void condition(struct opening *o, enum store_condition c, char *take_why)
{
	o->condition = c;
	free(o->why);
	o->why = take_why;
}

/* --- a new database --- */

static int insert_chain(struct opening *o)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	int r = sql_prepare(o->db, "INSERT INTO chain VALUES(1, ?1, ?2, ?1, ?2, 0, ?3)", &st);

	if (r < 0)
		return r;
	sql_bind_number(st, 1, (int64_t)o->checkpoint.seq);
	sql_bind_blob(st, 2, o->checkpoint.digest.byte, sizeof(o->checkpoint.digest.byte));
	sql_bind_number(st, 3, o->condition);
	return sql_run(st);
}

static int insert_record(struct opening *o, struct chain_record *row)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	int r = sql_prepare(o->db, chain_insert, &st);

	if (r < 0)
		return r;
	chain_bind(st, row, 0);
	return sql_run(st);
}

static int update_head(struct opening *o, const struct chain_point *head)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	int r = sql_prepare(
		o->db, "UPDATE chain SET head_seq = ?, head_hash = ?, condition = ?", &st);

	if (r < 0)
		return r;
	sql_bind_number(st, 1, (int64_t)head->seq);
	sql_bind_blob(st, 2, head->digest.byte, sizeof(head->digest.byte));
	sql_bind_number(st, 3, o->condition);
	return sql_run(st);
}

/* The chain says itself where it was lost, and goes on after whatever was known last. */
static int record_loss(struct opening *o, const struct chain_point *head)
{
	const struct chain_point *after = head->seq >= o->checkpoint.seq ? head : &o->checkpoint;
	struct chain_record row = {
		.seq = after->seq + 1,
		.previous = after->digest,
		.at = loop_wall(o->store->world->loop).ms,
		.text = {[CHAIN_KIND] = "lost", [CHAIN_DETAIL] = o->why},
	};
	struct chain_point now = {.seq = row.seq};
	int r = insert_record(o, &row);

	if (r < 0)
		return r;
	chain_digest(&row, &now.digest);
	return update_head(o, &now);
}

static int transact(struct opening *o, int (*work)(struct opening *o))
{
	int r = sql_exec(o->db, "BEGIN IMMEDIATE");

	if (r == 0)
		r = work(o);
	return r < 0 ? r : sql_exec(o->db, "COMMIT");
}

/* One transaction: a database that exists always knows what it is worth. */
static int fill(struct opening *o)
{
	char begins[CHAIN_BASE_TEXT_SIZE];
	int r = store_schema_create(o->db, &store_schema);

	if (r == 0)
		r = insert_chain(o);
	if (r < 0 || o->condition == STORE_NEW)
		return r;
	chain_base_text(&o->checkpoint, begins);
	condition(o, o->condition, xasprintf("%s; %s", o->why, begins));
	return record_loss(o, &o->checkpoint);
}

static int create(struct opening *o)
{
	int r;

	if (o->condition == STORE_GOOD && o->file == CHECKPOINT_ABSENT) {
		condition(o, STORE_NEW, NULL);
	} else if (o->condition == STORE_GOOD) {
		condition(o, STORE_BEHIND, xstrdup("there is a checkpoint, but no database"));
		diag_warning(o->diags, o->path, 0, "the stored state is lost: %s", o->why);
	}
	r = store_db_prepare(o->db);
	if (r == 0)
		r = transact(o, fill);
	return r < 0 ? refuse(o, r, "the database cannot be made") : 0;
}

/* --- one that is there --- */

/* 1: it cannot be used and is to be set aside. */
static int examine(struct opening *o)
{
	unsigned version = 0;
	char text[256];
	int r = store_schema_identify(o->db, &store_schema, &version);

	if (r < 0)
		return refuse(o, r, "the database cannot be read");
	switch ((enum schema_found)r) {
	case SCHEMA_NONE: return create(o);
	case SCHEMA_FOREIGN:
		condition(o, STORE_REPLACED, xstrdup("the database was not one of mdcd"));
		return 1;
	case SCHEMA_LATER:
		diag_error(o->diags, o->path, 0,
			"the database has version %u, and this mdcd knows only up to %u: install "
			"the later mdcd again",
			version, store_schema.version);
		return -ENOTSUP;
	case SCHEMA_OURS: break;
	}
	r = store_schema_check(o->db, text, sizeof(text));
	if (r == -EUCLEAN) {
		condition(o, STORE_REPLACED, xasprintf("the database was damaged: %s", text));
		return 1;
	}
	if (r == 0)
		r = store_db_settle(o->db);
	if (r == 0)
		r = store_db_prepare(o->db);
	if (r == 0)
		r = store_schema_upgrade(o->db, &store_schema, version);
	if (r < 0)
		return refuse(o, r, "the database cannot be used");
	r = store_writer_probe(o->db);
	if (r == -EINVAL || r == -ENODATA) {
		condition(o, STORE_REPLACED, xstrdup("the database lacks some of its tables"));
		return 1;
	}
	return r < 0 ? refuse(o, r, "the database cannot be used") : 0;
}

static int set_aside(struct opening *o)
{
	struct wall now = loop_wall(o->store->world->loop);
	mdc_autofree char *name = NULL;
	int r;

	o->db = store_db_close(o->db);
	r = store_directory_set_aside(&o->store->directory, now, &name);
	if (r < 0)
		return refuse(o, r, "the unreadable database cannot be given another name");
	diag_warning(o->diags, o->path, 0, "%s; it was kept as %s", o->why, name);
	return 0;
}

static int connect(struct opening *o)
{
	int r = o->vfs == NULL ? store_directory_touch(&o->store->directory) : 0;

	if (r == 0)
		r = store_db_open(o->path, o->vfs, true, &o->db);
	return r < 0 ? refuse(o, r, "the database cannot be opened") : 0;
}

/* --- what it is worth --- */

/* NULL when nothing speaks against it; the caller frees it. */
static int doubts(struct opening *o, const struct chain_state *state, char **ret)
{
	struct chain_point last;
	int r = chain_last(o->db, state, &last);

	*ret = NULL;
	if (r < 0)
		return r;
	if (last.seq != state->head.seq || !digest_equal(&last.digest, &state->head.digest)) {
		*ret = xstrdup("the end of the history is not as it was written");
		return 0;
	}
	if (o->file != CHECKPOINT_PRESENT) {
		/* Only a database that nothing was committed to since may have none. */
		if (state->condition == STORE_GOOD)
			*ret = xstrdup(o->file == CHECKPOINT_ABSENT
					? "there is no checkpoint to compare it with"
					: "its checkpoint cannot be read");
		return 0;
	}
	r = chain_passes(o->db, state, &o->checkpoint);
	if (r == 0)
		*ret = xasprintf("the history ends at record %llu and does not contain the "
				 "checkpoint at %llu",
			(unsigned long long)last.seq, (unsigned long long)o->checkpoint.seq);
	return r < 0 ? r : 0;
}

static int admit_loss(struct opening *o)
{
	struct chain_state state;
	int r = chain_load(o->db, &state);

	return r < 0 ? r : record_loss(o, &state.head);
}

static int judge(struct opening *o)
{
	struct chain_state state;
	char *why = NULL;
	int r = chain_load(o->db, &state);

	if (r == 0)
		r = doubts(o, &state, &why);
	if (r < 0)
		return refuse(o, r, "the history cannot be read");
	if (why == NULL) {
		o->condition = state.condition;
		return 0;
	}
	condition(o, STORE_BEHIND, why);
	diag_warning(o->diags, o->path, 0, "the stored state may be too old: %s", why);
	r = transact(o, admit_loss);
	return r < 0 ? refuse(o, r, "the history cannot be written") : 0;
}

/* From now on the condition is kept in the database, and the checkpoint may follow it. */
static int save_checkpoint(struct opening *o)
{
	struct wall now = loop_wall(o->store->world->loop);
	struct chain_state state;
	int r = chain_load(o->db, &state);

	if (r < 0)
		return refuse(o, r, "the history cannot be read");
	if (o->file == CHECKPOINT_PRESENT && chain_passes(o->db, &state, &o->checkpoint) == 1)
		return 0;
	r = store_directory_save_checkpoint(&o->store->directory, &state.head, now);
	o->checkpoint = state.head;
	if (r < 0)
		diag_error(o->diags, o->store->directory.path, 0,
			"the checkpoint cannot be written: %s", strerror(-r));
	return r;
}

/* --- all of it --- */

static int sync_directory(struct opening *o)
{
	int r = store_db_sync_directory(o->db, o->store->directory.fd);

	return r < 0 ? refuse(o, r, "the state directory cannot be synced") : 0;
}

static int open_database(struct opening *o)
{
	int r = connect(o);

	if (r == 0)
		r = examine(o);
	if (r == 1) {
		r = set_aside(o);
		if (r == 0)
			r = connect(o);
		if (r == 0)
			r = create(o);
	}
	if (r == 0)
		r = sync_directory(o);
	if (r == 0)
		r = judge(o);
	return r < 0 ? r : save_checkpoint(o);
}

static int read_checkpoint(struct opening *o)
{
	int r = store_directory_checkpoint(&o->store->directory, &o->checkpoint);

	if (r < 0) {
		diag_error(o->diags, o->store->directory.path, 0,
			"the checkpoint cannot be read: %s", strerror(-r));
		return r;
	}
	o->file = (enum checkpoint_file)r;
	return 0;
}

static int begin(struct opening *o)
{
	struct store *s = o->store;
	int r;

	s->writer = store_writer_new(mdc_take(o->db), &s->directory, o->vfs);
	r = store_writer_start(s->writer, &o->checkpoint);
	if (r == 0)
		r = store_reader_open(s);
	if (r == 0)
		r = store_start(s);
	return r < 0 ? refuse(o, r, "the database cannot be used") : 0;
}

int store_open(const struct world *w, const char *directory, struct diags *diags,
	enum store_condition *ret_condition, struct store **ret)
{
	mdc_cleanup(opening_fini) struct opening o = {
		.store = store_new(w), .diags = diags, .vfs = w->store_vfs};
	int r = store_directory_open(&o.store->directory, directory, diags);

	o.path = o.store->directory.database;
	if (r == 0)
		r = read_checkpoint(&o);
	if (r == 0)
		r = open_database(&o);
	if (r == 0)
		r = begin(&o);
	if (r < 0) {
		if (o.db != NULL)
			o.db = store_db_close(o.db);
		store_free(o.store);
		return r;
	}
	*ret_condition = o.condition;
	*ret = o.store;
	return 0;
}
