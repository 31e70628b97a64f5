/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_sql.h"

int sql_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_READONLY: return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH: return -EACCES;
	case SQLITE_CANTOPEN: return -ENOENT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: return -EBUSY;
	case SQLITE_NOMEM: return -ENOMEM;
	case SQLITE_TOOBIG: return -EFBIG;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return -EUCLEAN;
	/* A table or column that should be there is not. */
	case SQLITE_ERROR:
	case SQLITE_SCHEMA: return -EINVAL;
	default: return -EIO;
	}
}

int sql_exec(sqlite3 *db, const char *text)
{
	return sql_errno(sqlite3_exec(db, text, NULL, NULL, NULL));
}

int sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **ret)
{
	return sql_errno(sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL));
}

int sql_step(sqlite3_stmt *st)
{
	int code = sqlite3_step(st);

	return code == SQLITE_ROW ? 1 : sql_errno(code);
}

void sql_reset(sqlite3_stmt *st)
{
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

int sql_run(sqlite3_stmt *st)
{
	int r = sql_step(st);

	assert(r <= 0);
	sql_reset(st);
	return r;
}

void sql_finalize_p(sqlite3_stmt **st)
{
	sqlite3_finalize(*st);
	*st = NULL;
}

void sql_bind_text(sqlite3_stmt *st, int at, const char *text)
{
	if (text != NULL && *text != '\0')
		sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(st, at);
}

void sql_bind_number(sqlite3_stmt *st, int at, int64_t number)
{
	sqlite3_bind_int64(st, at, number);
}

void sql_bind_blob(sqlite3_stmt *st, int at, const void *data, size_t len)
{
	sqlite3_bind_blob64(st, at, data, len, SQLITE_STATIC);
}

const char *sql_text(sqlite3_stmt *st, int column)
{
	const char *text = (const char *)sqlite3_column_text(st, column);

	return text != NULL ? text : "";
}

int sql_number(sqlite3 *db, const char *text, int64_t *ret)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	int r = sql_prepare(db, text, &st);

	if (r < 0)
		return r;
	r = sql_step(st);
	if (r < 0)
		return r;
	if (r == 0)
		return -ENODATA;
	*ret = sqlite3_column_int64(st, 0);
	return 0;
}
