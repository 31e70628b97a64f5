/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_internal.h"

#include "daemon/store_schema.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

/* --- the connection --- */

sqlite3 *store_reader_close(sqlite3 *reader)
{
	return reader != NULL ? store_db_close(reader) : NULL;
}

int store_reader_open(struct store *s)
{
	s->reader = store_reader_close(s->reader);
	return store_db_open_reader(s->directory.database, s->world->store_vfs, &s->reader);
}

/* The file may have been taken away and put back while the writer waited for it. */
int store_reader_ready(struct store *s)
{
	int moved = 0;

	MDC_MAGIC_CHECK(s, STORE_MAGIC);
	if (s->reader == NULL)
		return store_reader_open(s);
	if (sqlite3_file_control(s->reader, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
		moved)
		return store_reader_open(s);
	return 0;
}

static int prepare(struct store *s, const char *text, sqlite3_stmt **ret)
{
	int r = store_reader_ready(s);

	return r < 0 ? r : sql_prepare(s->reader, text, ret);
}

/* --- loading --- */

static void read_item(sqlite3_stmt *st, struct stored_item *ret)
{
	*ret = (struct stored_item){
		.control = sql_text(st, 0),
		.resource_id = sql_text(st, 1),
		.state = sql_text(st, 2),
		.reason = sql_text(st, 3),
		.detail = sql_text(st, 4),
		.since = {sqlite3_column_int64(st, 5)},
		.due = {sqlite3_column_int64(st, 6)},
		.first_drift = {sqlite3_column_int64(st, 7)},
		.attempts = (unsigned)sqlite3_column_int64(st, 8),
		.corrections = (unsigned)sqlite3_column_int64(st, 9),
	};
}

int store_load_items(struct store *s, store_item_fn fn, void *ctx)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	struct stored_item item;
	int r = prepare(s,
		"SELECT control, name, state, reason, detail, since, due, first_drift, attempts, "
		"corrections FROM items JOIN resources ON resources.id = items.resource "
		"ORDER BY resource, control",
		&st);

	while (r == 0 && (r = sql_step(st)) == 1) {
		read_item(st, &item);
		fn(ctx, &item);
		r = 0;
	}
	return r;
}

static void read_operation(sqlite3_stmt *st, struct stored_operation *ret)
{
	*ret = (struct stored_operation){
		.id = (uint64_t)sqlite3_column_int64(st, 0),
		.control = sql_text(st, 1),
		.resource_id = sql_text(st, 2),
		.target_id = sql_text(st, 3),
		.verb = sql_text(st, 4),
		.body_hash = sql_text(st, 5),
		.correlation_id = sql_text(st, 6),
		.phase = sql_text(st, 7),
		.started = {sqlite3_column_int64(st, 8)},
		.deadline = {sqlite3_column_int64(st, 9)},
	};
}

int store_load_operations(struct store *s, store_operation_fn fn, void *ctx)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	struct stored_operation op;
	int r = prepare(s,
		"SELECT id, control, resource_id, target_id, verb, body_hash, correlation_id, "
		"phase, started, deadline FROM operations ORDER BY id",
		&st);

	while (r == 0 && (r = sql_step(st)) == 1) {
		read_operation(st, &op);
		fn(ctx, &op);
		r = 0;
	}
	return r;
}

char *store_load_value(struct store *s, const char *name)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;

	if (prepare(s, "SELECT value FROM named_values WHERE name = ?", &st) < 0)
		return NULL;
	sql_bind_text(st, 1, name);
	return sql_step(st) == 1 ? xstrdup(sql_text(st, 0)) : NULL;
}

/* --- history --- */

static const char *const json_names[] = {
#define HISTORY_NAME(name, column, select, json) [CHAIN_##name] = json,
	CHAIN_TEXTS(HISTORY_NAME)
#undef HISTORY_NAME
};

/* JSON is UTF-8; other bytes, which Azure should not send, are shown as \xNN. */
static json_t *json_text(const char *text)
{
	struct buf escaped = BUF_INIT(8 * RECORD_TEXT_MAX);
	json_t *value = json_string(text);

	if (value == NULL && str_escape(&escaped, text, RECORD_TEXT_MAX) == 0)
		value = json_string(buf_str(&escaped));
	buf_fini(&escaped);
	return value != NULL ? value : json_string("");
}

static json_t *json_time(int64_t ms)
{
	char text[WALL_TEXT_SIZE];

	wall_format((struct wall){ms}, text);
	return json_string(text);
}

static json_t *json_row(sqlite3_stmt *st)
{
	json_t *row = json_object();
	struct chain_record record;

	chain_row(st, &record);
	json_object_set_new(row, "seq", json_integer((json_int_t)record.seq));
	json_object_set_new(row, "at", json_time(record.at));
	for (unsigned i = 0; i < CHAIN_TEXT_N_; i++)
		if (!str_empty(record.text[i]))
			json_object_set_new(row, json_names[i], json_text(record.text[i]));
	if (record.operation != 0)
		json_object_set_new(row, "operation", json_integer(record.operation));
	if (record.deadline != 0 && record.deadline != WALL_NEVER.ms)
		json_object_set_new(row, "deadline", json_time(record.deadline));
	return row;
}

static int read_rows(sqlite3_stmt *st, json_t **ret)
{
	json_t *rows = json_array();
	int r;

	while ((r = sql_step(st)) == 1)
		json_array_append_new(rows, json_row(st));
	if (r < 0) {
		json_decref(rows);
		return r;
	}
	*ret = rows;
	return 0;
}

struct history_query {
	const char *where;
	uint64_t seq;
	unsigned limit;
	const char *resource_id;
};

static int query_history(struct store *s, const struct history_query *q, json_t **ret)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	char text[1024];
	int r;

	snprintf(text, sizeof(text), "%s %s LIMIT ?2", chain_select, q->where);
	r = prepare(s, text, &st);
	if (r < 0)
		return r;
	sql_bind_number(st, 1, (int64_t)q->seq);
	sql_bind_number(
		st, 2, q->limit < STORE_HISTORY_MAX ? (int64_t)q->limit : STORE_HISTORY_MAX);
	if (q->resource_id != NULL)
		sql_bind_text(st, 3, q->resource_id);
	return read_rows(st, ret);
}

int store_history(
	struct store *s, const char *resource_id, uint64_t before_seq, unsigned limit, json_t **ret)
{
	struct history_query q = {
		.where = resource_id == NULL ? "WHERE seq < ?1 ORDER BY seq DESC"
					     : "WHERE seq < ?1 AND resource = (SELECT id FROM "
					       "resources WHERE name = ?3) "
					       "ORDER BY seq DESC",
		.seq = before_seq == 0 || before_seq > INT64_MAX ? INT64_MAX : before_seq,
		.limit = limit,
		.resource_id = resource_id,
	};

	return query_history(s, &q, ret);
}

int store_transitions_after(struct store *s, uint64_t seq, unsigned limit, json_t **ret)
{
	struct history_query q = {
		.where = "WHERE seq > ?1 AND kind = 'transition' ORDER BY seq",
		.seq = seq > INT64_MAX ? INT64_MAX : seq,
		.limit = limit,
	};

	return query_history(s, &q, ret);
}
