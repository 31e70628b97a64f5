/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database of each version, as it was written by that version, must open, be understood and be
 * verifiable for ever. Fixtures are SQL text and never change.
 */
#include "daemon/store_schema.h"
#include "tests/daemon/store_fixture.h"

/* --- databases of earlier versions --- */

static const char version_1[] =
	"PRAGMA application_id = 1835295588;"
	"PRAGMA user_version = 1;"
	"CREATE TABLE resources(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);"
	"INSERT INTO resources VALUES(1, '" RESOURCE_A "');"
	"INSERT INTO resources VALUES(2, '" RESOURCE_B "');"
	"CREATE TABLE items(resource INTEGER NOT NULL, control TEXT NOT NULL, state TEXT, "
	"reason TEXT, detail TEXT, since INTEGER NOT NULL, due INTEGER NOT NULL, "
	"first_drift INTEGER NOT NULL, attempts INTEGER NOT NULL, corrections INTEGER NOT NULL, "
	"PRIMARY KEY(resource, control)) WITHOUT ROWID;"
	"INSERT INTO items VALUES(1, 'arc-connected', 'compliant', 'drift', NULL, 1795000000000, "
	"9223372036854775807, 0, 1, 0);"
	"INSERT INTO items VALUES(2, 'mde-extension', 'drifted', 'drift', 'it is not there', "
	"1795000000000, 9223372036854775807, 1794000000000, 2, 1);"
	"CREATE TABLE operations(id INTEGER PRIMARY KEY, control TEXT, resource_id TEXT, "
	"target_id TEXT, verb TEXT, body_hash TEXT, correlation_id TEXT, phase TEXT, "
	"started INTEGER NOT NULL, deadline INTEGER NOT NULL);"
	"INSERT INTO operations VALUES(1, 'mde-extension', '" RESOURCE_A "', '/target', 'PUT', "
	"'00ff', 'c0000000-0000-4000-8000-000000000002', 'intended', 1795000000000, "
	"1795003600000);"
	"CREATE TABLE named_values(name TEXT PRIMARY KEY, value TEXT);"
	"INSERT INTO named_values VALUES('reach', '{\"known\":true}');"
	"INSERT INTO named_values VALUES('lost', NULL);"
	"CREATE TABLE history(seq INTEGER PRIMARY KEY, previous BLOB NOT NULL, "
	"at INTEGER NOT NULL, operation INTEGER NOT NULL, deadline INTEGER NOT NULL, kind TEXT, "
	"control TEXT, resource INTEGER, from_state TEXT, to_state TEXT, reason TEXT, "
	"detail TEXT, correlation_id TEXT, target_id TEXT, verb TEXT, body_hash TEXT, phase TEXT, "
	"outcome TEXT, code TEXT, request_id TEXT);"
	"INSERT INTO history VALUES(3, "
	"X'e3c9328d633fbb55aaee4fa62722c40c83192911c6ebb052545cdf98f4de58a9', 1795000000000, 0, 0, "
	"'transition', 'mde-extension', 1, 'drifted', 'queued', 'drift', 'it is not there', "
	"'c0000000-0000-4000-8000-000000000001', NULL, NULL, NULL, NULL, NULL, NULL, NULL);"
	"INSERT INTO history VALUES(4, "
	"X'77e110f0663937512d0d96e65df0a9cff4c96a5add7ddbc07674ad4100926a69', 1795000000000, 1, "
	"1795003600000, 'write', 'mde-extension', 1, NULL, NULL, NULL, NULL, "
	"'c0000000-0000-4000-8000-000000000002', '/target', 'PUT', '00ff', 'intended', NULL, NULL, "
	"NULL);"
	"INSERT INTO history VALUES(5, "
	"X'a6c2dd2223f8d5e3be8fa3456a8bcb60abe0d89385e697ac3a8177266205463c', 1795000000000, 2, "
	"1795003600000, 'write', 'mde-extension', 2, NULL, NULL, NULL, NULL, "
	"'c0000000-0000-4000-8000-000000000002', '/target', 'PUT', '00ff', 'intended', NULL, NULL, "
	"NULL);"
	"INSERT INTO history VALUES(6, "
	"X'41283061923ac57fd953cc2258ae4aebaef6ea103863cfcfb2e639c3984840fd', 1795000000000, 2, 0, "
	"'outcome', 'mde-extension', 2, NULL, NULL, NULL, NULL, "
	"'c0000000-0000-4000-8000-000000000002', '/target', 'PUT', NULL, NULL, 'failed', "
	"'Conflict', 'r-1');"
	"INSERT INTO history VALUES(7, "
	"X'58a19865c5561706b2bb006037ef6fe38194c27659190ff8e892d2d85317eaa0', 1795000000000, 0, 0, "
	"'transition', 'mde-extension', 1, 'drifted', 'applying', 'drift', 'it is not there', "
	"'c0000000-0000-4000-8000-000000000001', NULL, NULL, NULL, NULL, NULL, NULL, NULL);"
	"INSERT INTO history VALUES(8, "
	"X'8154854b451135e5ac9fded50162bd6ad1e4fc0d13fb3a6eb6b3321ea7e0e203', 1795000000000, 0, 0, "
	"'pruned', NULL, NULL, NULL, NULL, NULL, 'the chain begins after record 2 with SHA-256 "
	"e3c9328d633fbb55aaee4fa62722c40c83192911c6ebb052545cdf98f4de58a9', NULL, NULL, NULL, "
	"NULL, "
	"NULL, NULL, NULL, NULL);"
	"CREATE INDEX history_by_resource ON history(resource) WHERE resource IS NOT NULL;"
	"CREATE TABLE chain(one INTEGER PRIMARY KEY CHECK(one = 1), base_seq INTEGER NOT NULL, "
	"base_hash BLOB NOT NULL, head_seq INTEGER NOT NULL, head_hash BLOB NOT NULL, "
	"last_operation INTEGER NOT NULL, condition INTEGER NOT NULL);"
	"INSERT INTO chain VALUES(1, 2, "
	"X'e3c9328d633fbb55aaee4fa62722c40c83192911c6ebb052545cdf98f4de58a9', 8, "
	"X'3cc28d410cb8e4ac5bb048ef82fe3f73234556861dbeed9bf5290eb6f6373574', 2, 0);";

static const char version_1_checkpoint[] =
	"mdcd-checkpoint 8 3cc28d410cb8e4ac5bb048ef82fe3f73234556861dbeed9bf5290eb6f6373574 "
	"2026-11-18T11:06:40Z\n";

/* [n] is of version n + 1. All hold the same. */
static const struct {
	const char *sql, *checkpoint;
} versions[] = {{version_1, version_1_checkpoint}};

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void make_version(struct place *p, unsigned version)
{
	mdc_autofree char *path = NULL, *checkpoint = NULL;
	sqlite3 *db;

	place_init(p, NULL, false);
	path = place_path(p, "state.db");
	checkpoint = place_path(p, "checkpoint");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, versions[version].sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	write_text(checkpoint, versions[version].checkpoint);
}

static void write_item(void *ctx, const struct stored_item *i)
{
	buf_addf(ctx, "%s %s %s %s '%s' %lld %lld %lld %u %u\n", i->control,
		strrchr(i->resource_id, '/'), i->state, i->reason, i->detail,
		(long long)i->since.ms, (long long)i->due.ms, (long long)i->first_drift.ms,
		i->attempts, i->corrections);
}

static void write_operation(void *ctx, const struct stored_operation *o)
{
	buf_addf(ctx, "%llu %s %s\n", (unsigned long long)o->id, strrchr(o->resource_id, '/'),
		o->phase);
}

static void assert_contents(struct place *p)
{
	struct buf text = BUF_INIT(1 << 16);
	mdc_autofree char *reach = store_load_value(p->store, "reach");
	mdc_autofree char *lost = store_load_value(p->store, "lost");
	json_t *rows = NULL;

	assert_int_equal(store_load_items(p->store, write_item, &text), 0);
	assert_int_equal(store_load_operations(p->store, write_operation, &text), 0);
	assert_string_equal(buf_str(&text),
		"arc-connected /Alpha compliant drift '' 1795000000000 9223372036854775807 0 1 0\n"
		"mde-extension /beta drifted drift 'it is not there' 1795000000000 "
		"9223372036854775807 1794000000000 2 1\n"
		"1 /Alpha intended\n");
	buf_fini(&text);
	assert_string_equal(reach, "{\"known\":true}");
	assert_string_equal(lost, "");
	assert_int_equal(store_history(p->store, RESOURCE_A, 0, 10, &rows), 0);
	assert_int_equal(json_array_size(rows), 3);
	json_decref(rows);
}

static void every_version_opens_and_is_understood(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(versions); i++) {
		struct place p;
		struct store_verification v;

		make_version(&p, i);
		place_open(&p);
		assert_int_equal(p.condition, STORE_GOOD);
		assert_int_equal(p.diags.n, 0);
		assert_contents(&p);
		v = verified(&p, NULL);
		assert_int_equal(v.broken_at, 0);
		assert_int_equal(v.first, 3);
		assert_int_equal(v.records, 6);
		assert_int_equal(store_next_operation_id(p.store), 3);
		assert_int_equal(put_transition(&p, RESOURCE_A, "settling"), 9);
		place_reopen(&p);
		assert_int_equal(p.condition, STORE_GOOD);
		assert_int_equal(verified(&p, NULL).records, 7);
		place_fini(&p);
	}
}

static void there_is_a_fixture_of_each_version(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(versions), store_schema.version);
}

static sqlite3 *schema_of_version(unsigned version)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	for (unsigned i = 0; i < version; i++)
		assert_int_equal(sql_exec(db, store_schema.migrations[i]), 0);
	return db;
}

static char *columns_of(sqlite3 *db)
{
	struct buf text = BUF_INIT(1 << 16);
	sqlite3_stmt *st;

	assert_int_equal(sql_prepare(db,
				 "SELECT m.name, c.name, c.type, c.\"notnull\", c.pk FROM "
				 "sqlite_master m, pragma_table_info(m.name) c ORDER BY 1, 2",
				 &st),
		0);
	while (sql_step(st) == 1)
		buf_addf(&text, "%s.%s %s %s %s\n", sql_text(st, 0), sql_text(st, 1),
			sql_text(st, 2), sql_text(st, 3), sql_text(st, 4));
	sqlite3_finalize(st);
	return buf_steal(&text);
}

static void an_upgraded_database_is_formed_like_a_new_one(void **state)
{
	sqlite3 *fresh = schema_of_version(store_schema.version);
	mdc_autofree char *expected = columns_of(fresh);

	(void)state;
	sqlite3_close(fresh);
	assert_true(strlen(expected) > 500);
	for (unsigned i = 0; i < ARRAY_LEN(versions); i++) {
		struct place p;
		mdc_autofree char *path = NULL, *columns = NULL;
		sqlite3 *db;

		make_version(&p, i);
		place_open(&p);
		p.store = store_close(p.store);
		path = place_path(&p, "state.db");
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		columns = columns_of(db);
		assert_string_equal(columns, expected);
		sqlite3_close(db);
		place_fini(&p);
	}
}

/* --- the way from version to version --- */

static const char *const steps[] = {
	"CREATE TABLE a(x); INSERT INTO a VALUES(1);",
	"ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1;",
	"CREATE TABLE b(z); INSERT INTO b SELECT x + y FROM a;",
};
static const char *const failing_steps[] = {
	"CREATE TABLE a(x); INSERT INTO a VALUES(1);",
	"ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1;",
	"INSERT INTO a VALUES(7, 8); INSERT INTO nowhere VALUES(1);",
};

static int64_t number(sqlite3 *db, const char *text)
{
	int64_t value = -1;

	assert_int_equal(sql_number(db, text, &value), 0);
	return value;
}

static sqlite3 *with_steps(const struct schema *schema)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sql_exec(db, "BEGIN"), 0);
	assert_int_equal(store_schema_create(db, schema), 0);
	assert_int_equal(sql_exec(db, "COMMIT"), 0);
	return db;
}

static void each_step_is_taken_once_from_every_version(void **state)
{
	(void)state;
	for (unsigned from = 1; from <= ARRAY_LEN(steps); from++) {
		struct schema old = {steps, from}, new = {steps, ARRAY_LEN(steps)};
		unsigned version = 0;
		sqlite3 *db = with_steps(&old);

		assert_int_equal(store_schema_identify(db, &new, &version), SCHEMA_OURS);
		assert_int_equal(version, from);
		assert_int_equal(store_schema_upgrade(db, &new, version), 0);
		assert_int_equal(number(db, "PRAGMA user_version"), ARRAY_LEN(steps));
		assert_int_equal(number(db, "SELECT count(*) FROM a"), 1);
		assert_int_equal(number(db, "SELECT sum(z) FROM b"), 3);
		assert_int_equal(store_schema_identify(db, &old, &version),
			from < ARRAY_LEN(steps) ? SCHEMA_LATER : SCHEMA_OURS);
		sqlite3_close(db);
	}
}

static void a_step_that_fails_leaves_the_version_before_it(void **state)
{
	struct schema old = {failing_steps, 1}, new = {failing_steps, 3};
	sqlite3 *db = with_steps(&old);

	(void)state;
	assert_true(store_schema_upgrade(db, &new, 1) < 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 2);
	assert_int_equal(number(db, "SELECT count(*) FROM a"), 1);
	assert_int_equal(number(db, "SELECT y FROM a"), 2);
	assert_true(sqlite3_get_autocommit(db));
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_version_opens_and_is_understood),
		cmocka_unit_test(there_is_a_fixture_of_each_version),
		cmocka_unit_test(an_upgraded_database_is_formed_like_a_new_one),
		cmocka_unit_test(each_step_is_taken_once_from_every_version),
		cmocka_unit_test(a_step_that_fails_leaves_the_version_before_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
