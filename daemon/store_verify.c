/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_internal.h"

#include "daemon/store_schema.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	sqlite3 *db;
	const char *path;
	struct diags *diags;
	const struct store_checkpoint *known, *known_end; /* those not met yet */
	struct chain_point at;                            /* the record before the next */
	char base[CHAIN_BASE_TEXT_SIZE];                  /* what a record must say of the base */
	bool base_is_told;                                /* by the last one that says anything */
	struct store_verification *result;
};

static void broken(struct walk *w, uint64_t seq, const char *how)
{
	w->result->broken_at = seq;
	diag_error(w->diags, w->path, 0, "record %llu %s", (unsigned long long)seq, how);
}

static bool is_broken(const struct walk *w)
{
	return w->result->broken_at != 0;
}

/* The chain passes through `point`; what is known of earlier records cannot be compared any more.
 */
static void meet(struct walk *w, const struct chain_point *point)
{
	struct digest digest;

	for (; w->known < w->known_end && w->known->seq <= point->seq; w->known++) {
		if (w->known->seq < point->seq || digest_from_hex(w->known->hash, &digest) < 0) {
			w->result->not_compared++;
			continue;
		}
		w->result->compared++;
		if (!digest_equal(&digest, &point->digest)) {
			broken(w, point->seq, "or one before it is not as it was at a checkpoint");
			return;
		}
	}
}

/* A gap is allowed before a record that admits it; then it tells what was before. */
static void admit_gap(struct walk *w, const struct chain_record *row)
{
	struct chain_point before = {row->seq - 1, row->previous};

	w->result->losses++;
	diag_warning(w->diags, w->path, 0, "records %llu to %llu were lost: %s",
		(unsigned long long)w->at.seq + 1, (unsigned long long)row->seq - 1,
		row->text[CHAIN_DETAIL]);
	meet(w, &before);
}

/* Whoever takes the first records away can move the base, but no record tells of it. */
static void note_base(struct walk *w, const struct chain_record *row)
{
	const char *kind = row->text[CHAIN_KIND];

	if (str_equal(kind, "pruned"))
		w->base_is_told = str_equal(row->text[CHAIN_DETAIL], w->base);
	else if (str_equal(kind, "lost") && w->result->records == 0)
		w->base_is_told = str_ends_nocase(row->text[CHAIN_DETAIL], w->base);
}

static void follow(struct walk *w, const struct chain_record *row)
{
	bool admits = str_equal(row->text[CHAIN_KIND], "lost");

	if (row->seq != w->at.seq + 1 && !admits)
		broken(w, w->at.seq + 1, "is missing");
	else if (row->seq != w->at.seq + 1)
		admit_gap(w, row);
	else if (!digest_equal(&row->previous, &w->at.digest))
		broken(w, row->seq, "does not follow the one before it: one of them was changed");
	else if (admits)
		w->result->losses++;
	if (is_broken(w))
		return;
	note_base(w, row);
	w->at.seq = row->seq;
	chain_digest(row, &w->at.digest);
	if (w->result->records++ == 0)
		w->result->first = row->seq;
	w->result->last = row->seq;
	meet(w, &w->at);
}

static int follow_all(struct walk *w)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	char text[1024];
	struct chain_record row;
	int r;

	snprintf(text, sizeof(text), "%s ORDER BY seq", chain_select);
	r = sql_prepare(w->db, text, &st);
	while (r == 0 && !is_broken(w) && (r = sql_step(st)) == 1) {
		chain_row(st, &row);
		follow(w, &row);
		r = 0;
	}
	return r;
}

static void compare_end(struct walk *w, const struct chain_point *head)
{
	if (!w->base_is_told) {
		broken(w, 1, "and others were removed, and no record says so");
		return;
	}
	if (w->at.seq < head->seq)
		broken(w, w->at.seq + 1, "is missing");
	else if (w->at.seq > head->seq)
		broken(w, head->seq + 1, "was added by somebody else");
	else if (!digest_equal(&w->at.digest, &head->digest))
		broken(w, w->at.seq, "was changed");
	else if (w->known < w->known_end)
		broken(w, w->known->seq, "is missing, and a checkpoint knows it");
}

static int walk_chain(struct walk *w)
{
	struct chain_state state;
	int r = chain_load(w->db, &state);

	if (r < 0)
		return r;
	w->at = state.base;
	w->base_is_told = w->at.seq == 0;
	chain_base_text(&w->at, w->base);
	meet(w, &w->at);
	r = follow_all(w);
	if (r == 0 && !is_broken(w))
		compare_end(w, &state.head);
	return r;
}

/* One snapshot for all of it. */
static int verify(struct walk *w)
{
	int r;

	*w->result = (struct store_verification){0};
	r = sql_exec(w->db, "BEGIN");
	if (r == 0)
		r = walk_chain(w);
	if (r < 0)
		diag_error(w->diags, w->path, 0, "the history cannot be read: %s",
			sqlite3_errmsg(w->db));
	if (sqlite3_get_autocommit(w->db) == 0)
		sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int by_seq(const void *a, const void *b)
{
	const struct store_checkpoint *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Those of the caller and the one in the directory, in order; freed by the caller. */
static struct store_checkpoint *all_known(const struct store_directory *d, struct diags *diags,
	const struct store_checkpoint *known, size_t *count)
{
	struct store_checkpoint *all = xcalloc(*count + 1, sizeof(*all));
	struct chain_point point;
	int r = store_directory_checkpoint(d, &point);

	if (*count > 0)
		memcpy(all, known, *count * sizeof(*all));
	if (r == CHECKPOINT_PRESENT) {
		all[*count].seq = point.seq;
		digest_hex(&point.digest, all[*count].hash);
		++*count;
	} else {
		diag_warning(diags, d->path, 0,
			"there is no readable checkpoint beside the database to compare with");
	}
	qsort(all, *count, sizeof(*all), by_seq);
	return all;
}

static int verify_in(sqlite3 *db, const struct store_directory *d, const struct store_known *known,
	struct diags *diags, struct store_verification *ret)
{
	size_t count = known != NULL ? known->count : 0;
	/* Read before the snapshot is taken, so that it cannot be ahead of it. */
	mdc_autofree struct store_checkpoint *all =
		all_known(d, diags, known != NULL ? known->checkpoints : NULL, &count);
	struct walk w = {
		.db = db,
		.path = d->database,
		.diags = diags,
		.known = all,
		.known_end = all + count,
		.result = ret,
	};

	return verify(&w);
}

int store_verify(struct store *s, const struct store_known *known, struct diags *diags,
	struct store_verification *ret)
{
	int r = store_reader_ready(s);

	return r < 0 ? r : verify_in(s->reader, &s->directory, known, diags, ret);
}

int store_verify_directory(const char *path, const struct store_known *known, struct diags *diags,
	struct store_verification *ret)
{
	struct store_directory d = STORE_DIRECTORY_INIT;
	sqlite3 *db = NULL;
	int r = store_directory_look(&d, path, diags);

	if (r < 0)
		return r;
	r = store_db_open_reader(d.database, NULL, &db);
	if (r < 0) {
		diag_error(diags, d.database, 0, "the database cannot be opened: %s", strerror(-r));
	} else {
		r = verify_in(db, &d, known, diags, ret);
		store_db_close(db);
	}
	store_directory_close(&d);
	return r;
}
