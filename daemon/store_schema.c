/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_schema.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The loop reads with the second one, so it hardly waits. */
#define WRITER_PATIENCE_MS 2000
#define READER_PATIENCE_MS 50
#define PIECE 65536

static const char version_1[] =
	/* The ids of resources: long, and wanted in several places. */
	"CREATE TABLE resources("
	"	id INTEGER PRIMARY KEY,"
	"	name TEXT NOT NULL UNIQUE COLLATE NOCASE);"
	"CREATE TABLE items("
	"	resource INTEGER NOT NULL,"
	"	control TEXT NOT NULL,"
	"	state TEXT, reason TEXT, detail TEXT,"
	"	since INTEGER NOT NULL, due INTEGER NOT NULL, first_drift INTEGER NOT NULL,"
	"	attempts INTEGER NOT NULL, corrections INTEGER NOT NULL,"
	"	PRIMARY KEY(resource, control)) WITHOUT ROWID;"
	/* Those without an end. */
	"CREATE TABLE operations("
	"	id INTEGER PRIMARY KEY,"
	"	control TEXT, resource_id TEXT, target_id TEXT, verb TEXT, body_hash TEXT,"
	"	correlation_id TEXT, phase TEXT,"
	"	started INTEGER NOT NULL, deadline INTEGER NOT NULL);"
	"CREATE TABLE named_values("
	"	name TEXT PRIMARY KEY,"
	"	value TEXT);"
	"CREATE TABLE history("
	"	seq INTEGER PRIMARY KEY,"
	"	previous BLOB NOT NULL,"
	"	at INTEGER NOT NULL, operation INTEGER NOT NULL, deadline INTEGER NOT NULL,"
	"	kind TEXT, control TEXT, resource INTEGER, from_state TEXT, to_state TEXT,"
	"	reason TEXT, detail TEXT, correlation_id TEXT,"
	"	target_id TEXT, verb TEXT, body_hash TEXT, phase TEXT,"
	"	outcome TEXT, code TEXT, request_id TEXT);"
	"CREATE INDEX history_by_resource ON history(resource) WHERE resource IS NOT NULL;"
	"CREATE TABLE chain("
	"	one INTEGER PRIMARY KEY CHECK(one = 1),"
	"	base_seq INTEGER NOT NULL, base_hash BLOB NOT NULL,"
	"	head_seq INTEGER NOT NULL, head_hash BLOB NOT NULL,"
	"	last_operation INTEGER NOT NULL,"
	"	condition INTEGER NOT NULL);";

static const char *const migrations[] = {version_1};
const struct schema store_schema = {.migrations = migrations, .version = ARRAY_LEN(migrations)};

/* --- what is there --- */

/* Only what SQLite says of the contents; its failures to read are ours to report. */
static int foreign_or_error(int r)
{
	return r == -EUCLEAN || r == -EINVAL ? SCHEMA_FOREIGN : r;
}

int store_schema_identify(sqlite3 *db, const struct schema *schema, unsigned *ret_version)
{
	int64_t tables = 0, application = 0, version = 0;
	int r = sql_number(db, "SELECT count(*) FROM sqlite_master", &tables);

	if (r == 0)
		r = sql_number(db, "PRAGMA application_id", &application);
	if (r == 0)
		r = sql_number(db, "PRAGMA user_version", &version);
	if (r < 0)
		return foreign_or_error(r);
	if (tables == 0 && application == 0 && version == 0)
		return SCHEMA_NONE;
	if (application != STORE_APPLICATION_ID || version < 1)
		return SCHEMA_FOREIGN;
	*ret_version = (unsigned)version;
	return version > schema->version ? SCHEMA_LATER : SCHEMA_OURS;
}

/* Reads all of a file, and with `rewrite` writes the same again. NULL is an empty one. */
static int walk_file(sqlite3_file *file, bool rewrite)
{
	mdc_autofree char *piece = xmalloc(PIECE);
	sqlite3_int64 size = 0, at = 0;
	int code = SQLITE_OK;

	if (file == NULL || file->pMethods == NULL)
		return 0;
	code = file->pMethods->xFileSize(file, &size);
	while (code == SQLITE_OK && at < size) {
		int len = size - at < PIECE ? (int)(size - at) : PIECE;

		code = file->pMethods->xRead(file, piece, len, at);
		if (code == SQLITE_OK && rewrite)
			code = file->pMethods->xWrite(file, piece, len, at);
		at += len;
	}
	if (code == SQLITE_OK && rewrite && size > 0)
		code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	return sql_errno(code);
}

static int file_of(sqlite3 *db, int which, sqlite3_file **ret)
{
	return sql_errno(sqlite3_file_control(db, "main", which, ret));
}

static int read_all(sqlite3 *db)
{
	sqlite3_file *main = NULL, *log = NULL;
	int r = file_of(db, SQLITE_FCNTL_FILE_POINTER, &main);

	if (r == 0)
		r = file_of(db, SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (r == 0)
		r = walk_file(main, false);
	return r < 0 ? r : walk_file(log, false);
}

static int check_once(sqlite3 *db, char *ret_text, size_t size)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	int r = sql_prepare(db, "PRAGMA quick_check(1)", &st);

	if (r == 0)
		r = sql_step(st);
	if (r < 0) {
		str_copy(ret_text, size, sqlite3_errmsg(db));
		return r;
	}
	str_copy(ret_text, size, r == 1 ? sql_text(st, 0) : "nothing");
	return str_equal(ret_text, "ok") ? 0 : -EUCLEAN;
}

int store_schema_check(sqlite3 *db, char *ret_text, size_t size)
{
	int r = check_once(db, ret_text, size);

	if (r != -EUCLEAN)
		return r;
	/* A page that could not be read is written down like one that is damaged. */
	r = read_all(db);
	return r < 0 ? r : check_once(db, ret_text, size);
}

/* --- from version to version --- */

static int migrate(sqlite3 *db, const struct schema *schema, unsigned version)
{
	char set_version[64];
	int r = sql_exec(db, schema->migrations[version]);

	snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %u", version + 1);
	return r < 0 ? r : sql_exec(db, set_version);
}

int store_schema_upgrade(sqlite3 *db, const struct schema *schema, unsigned version)
{
	for (; version < schema->version; version++) {
		int r = sql_exec(db, "BEGIN IMMEDIATE");

		if (r == 0)
			r = migrate(db, schema, version);
		if (r == 0)
			r = sql_exec(db, "COMMIT");
		if (r < 0) {
			sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
			return r;
		}
	}
	return 0;
}

int store_schema_create(sqlite3 *db, const struct schema *schema)
{
	char set_id[64];
	int r = 0;

	for (unsigned version = 0; r == 0 && version < schema->version; version++)
		r = migrate(db, schema, version);
	snprintf(set_id, sizeof(set_id), "PRAGMA application_id = %d", STORE_APPLICATION_ID);
	return r < 0 ? r : sql_exec(db, set_id);
}

/* --- connections --- */

static int open_with(const char *path, const char *vfs, int flags, sqlite3 **ret)
{
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, vfs);

	if (code != SQLITE_OK) {
		sqlite3_close(db);
		return sql_errno(code);
	}
	sqlite3_extended_result_codes(db, 1);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	*ret = db;
	return 0;
}

int store_db_open(const char *path, const char *vfs, bool create, sqlite3 **ret)
{
	int r = open_with(
		path, vfs, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0), ret);

	if (r == 0)
		sqlite3_busy_timeout(*ret, WRITER_PATIENCE_MS);
	return r;
}

int store_db_open_reader(const char *path, const char *vfs, sqlite3 **ret)
{
	sqlite3 *db = NULL;
	int r = open_with(path, vfs, SQLITE_OPEN_READONLY, &db);

	if (r < 0)
		return r;
	sqlite3_busy_timeout(db, READER_PATIENCE_MS);
	r = sql_exec(db, "PRAGMA cache_size = -512; PRAGMA temp_store = MEMORY");
	if (r < 0) {
		store_db_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

/* The answer comes before the change is on disk: only the end of the statement tells. */
static int use_wal(sqlite3 *db)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	bool wal;
	int r = sql_prepare(db, "PRAGMA journal_mode = WAL", &st);

	if (r == 0)
		r = sql_step(st);
	if (r < 0)
		return r;
	wal = r == 1 && str_equal(sql_text(st, 0), "wal");
	r = sql_step(st);
	if (r < 0)
		return r;
	return wal ? 0 : -EOPNOTSUPP;
}

int store_db_prepare(sqlite3 *db)
{
	int r = use_wal(db);

	if (r < 0)
		return r;
	return sql_exec(db,
		"PRAGMA synchronous = FULL;"
		"PRAGMA temp_store = MEMORY;"
		/* Nothing secret is stored, so freed pages need not be overwritten. */
		"PRAGMA secure_delete = OFF;"
		"PRAGMA journal_size_limit = 16777216");
}

int store_db_settle(sqlite3 *db)
{
	sqlite3_file *log = NULL;
	int r = file_of(db, SQLITE_FCNTL_JOURNAL_POINTER, &log);

	return r < 0 ? r : walk_file(log, true);
}

int store_db_sync_directory(sqlite3 *db, int directory)
{
	int code = sqlite3_file_control(db, "main", STORE_FCNTL_SYNC_DIRECTORY, NULL);

	if (code != SQLITE_OK && code != SQLITE_NOTFOUND)
		return sql_errno(code);
	return fsync(directory) < 0 ? -errno : 0;
}

void store_db_tidy(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}

sqlite3 *store_db_close(sqlite3 *db)
{
	int code = sqlite3_close(db);

	assert(code == SQLITE_OK && "a statement is still open");
	(void)code;
	return NULL;
}
