/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sql: SQLite in the words of this program: negative errno for its errors, one call for each
 * thing that is done often. Used by the store's files only.
 *
 * Bound texts are borrowed until the statement is reset.
 */
#ifndef MDCD_STORE_SQL_H
#define MDCD_STORE_SQL_H

#include "lib/base/base.h"

#include <sqlite3.h>

/* The negative errno for a result code. -EUCLEAN: what is on disk cannot be understood. */
int sql_errno(int code);

int sql_exec(sqlite3 *db, const char *text) MDC_MUST_CHECK;
int sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **ret) MDC_MUST_CHECK;
/* 1 with a row, 0 at the end. */
int sql_step(sqlite3_stmt *st) MDC_MUST_CHECK;
/* Carries out a statement that gives no rows and resets it. */
int sql_run(sqlite3_stmt *st) MDC_MUST_CHECK;
/* Also forgets what was bound. */
void sql_reset(sqlite3_stmt *st);
/* For mdc_cleanup(). */
void sql_finalize_p(sqlite3_stmt **st);

/* NULL and "" become NULL. */
void sql_bind_text(sqlite3_stmt *st, int at, const char *text);
void sql_bind_number(sqlite3_stmt *st, int at, int64_t number);
void sql_bind_blob(sqlite3_stmt *st, int at, const void *data, size_t len);
/* NULL is "". Valid until the next step. */
const char *sql_text(sqlite3_stmt *st, int column);

/* The one number that a query gives; -ENODATA without a row. */
int sql_number(sqlite3 *db, const char *text, int64_t *ret) MDC_MUST_CHECK;

#endif
