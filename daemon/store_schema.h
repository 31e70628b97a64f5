/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_schema: the database's form: its tables, its version (`user_version`), the way from each
 * version to the next, and how a connection to it is set up.
 *
 * A file belongs to mdcd when it has its `application_id`. Versions only grow; the SQL of a version
 * that was released never changes.
 *
 * It keeps a write-ahead log (WAL), not a rollback journal: one sync a commit instead of three; a
 * torn frame is found by its checksum; a commit whose sync failed is written again as a whole,
 * where a page of the database itself would be believed clean by the kernel; no commit depends on
 * whether the deletion of a journal is on disk; and a reader of the history never makes the writer
 * wait. With synchronous=FULL a commit is on disk when it returns, and readers see only that.
 */
#ifndef MDCD_STORE_SCHEMA_H
#define MDCD_STORE_SCHEMA_H

#include "daemon/store_sql.h"

#define STORE_APPLICATION_ID 0x6d646364 /* "mdcd" */

struct schema {
	const char *const *migrations; /* [n] leads from version n to n + 1 */
	unsigned version;
};
/* The present one. */
extern const struct schema store_schema;

enum schema_found {
	SCHEMA_NONE,    /* an empty file */
	SCHEMA_OURS,    /* of this or an earlier version */
	SCHEMA_LATER,   /* of a version that is not known here */
	SCHEMA_FOREIGN, /* something else, or not to be understood */
};
/* One of enum schema_found, or -errno. Reads only. `ret_version` is set for our own. */
int store_schema_identify(
	sqlite3 *db, const struct schema *schema, unsigned *ret_version) MDC_MUST_CHECK;
/* 0, or -EUCLEAN with what SQLite says of it in `ret_text`; other errors say nothing about it. */
int store_schema_check(sqlite3 *db, char *ret_text, size_t size) MDC_MUST_CHECK;
/* From `version` to the present one. Each step is one transaction. */
int store_schema_upgrade(sqlite3 *db, const struct schema *schema, unsigned version) MDC_MUST_CHECK;
/* All steps from nothing, inside the caller's transaction. */
int store_schema_create(sqlite3 *db, const struct schema *schema) MDC_MUST_CHECK;

/* Nothing is copied back and nothing deleted when these are closed, unless store_db_tidy(). */
int store_db_open(const char *path, const char *vfs, bool create, sqlite3 **ret) MDC_MUST_CHECK;
int store_db_open_reader(const char *path, const char *vfs, sqlite3 **ret) MDC_MUST_CHECK;
/* Sets a writing connection up; converts an empty file. */
int store_db_prepare(sqlite3 *db) MDC_MUST_CHECK;
/*
 * Makes it certain that the log is on disk, by writing it again as it is. After a failed sync it
 * may read well and yet not be there, and later syncs do not help; so nothing that was found in a
 * log is built upon before. Only while nobody else writes.
 */
int store_db_settle(sqlite3 *db) MDC_MUST_CHECK;
/* The log is folded into the database when the last connection closes. */
void store_db_tidy(sqlite3 *db);
/*
 * Makes it certain that a log which SQLite has just made is found again, and a journal that it has
 * deleted is not: a journal that comes back would undo everything. SQLite does so only for some of
 * them. `directory` is a descriptor; a file system of its own is asked by this file control.
 */
#define STORE_FCNTL_SYNC_DIRECTORY 0x6d64
int store_db_sync_directory(sqlite3 *db, int directory) MDC_MUST_CHECK;
/* Closes and returns NULL. */
sqlite3 *store_db_close(sqlite3 *db);

#endif
