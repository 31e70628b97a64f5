/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/store_fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* --- files --- */

struct contents {
	char *data;
	size_t len;
};

static struct contents read_file(const struct place *p, const char *name)
{
	mdc_autofree char *path = place_path(p, name);
	struct contents c = {0};
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	c.len = (size_t)ftell(f);
	rewind(f);
	c.data = xcalloc(1, c.len + 1);
	assert_int_equal(fread(c.data, 1, c.len, f), c.len);
	fclose(f);
	return c;
}

static void write_file(const struct place *p, const char *name, const void *data, size_t len)
{
	mdc_autofree char *path = place_path(p, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void remove_file(const struct place *p, const char *name)
{
	mdc_autofree char *path = place_path(p, name);

	assert_int_equal(unlink(path), 0);
}

static bool has_file(const struct place *p, const char *name)
{
	mdc_autofree char *path = place_path(p, name);

	return access(path, F_OK) == 0;
}

static void run_sql(const struct place *p, const char *sql)
{
	mdc_autofree char *path = place_path(p, "state.db");
	sqlite3 *db;
	char *error = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	sqlite3_close(db);
}

static void assert_says(const struct place *p, const char *part)
{
	struct buf text = BUF_INIT(1 << 16);

	assert_int_equal(diags_render(&p->diags, &text), 0);
	if (strstr(buf_str(&text), part) == NULL)
		fail_msg("'%s' is not in: %s", part, buf_str(&text));
	buf_fini(&text);
}

/* A store with three transitions and a value, closed. */
static void setup(struct place *p)
{
	place_init(p, NULL, false);
	place_open(p);
	assert_int_equal(p->condition, STORE_NEW);
	for (unsigned i = 0; i < 3; i++)
		put_transition(p, RESOURCE_A, "queued");
	store_put_value(p->store, "reach", "known");
	place_settle(p);
	p->store = store_close(p->store);
}

static void assert_condition(struct place *p, enum store_condition condition)
{
	place_open(p);
	if (p->condition != condition)
		fail_msg("the condition is %d instead of %d: %s", p->condition, condition,
			p->diags.n > 0 ? p->diags.v[0].text : "no diag");
}

/* --- the directory and its lock --- */

static void a_missing_directory_is_made_for_the_owner_alone(void **state)
{
	struct place p;
	struct stat st;

	(void)state;
	place_init(&p, NULL, false);
	rmdir(p.directory);
	assert_condition(&p, STORE_NEW);
	assert_int_equal(stat(p.directory, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	place_fini(&p);
}

static void only_the_last_part_of_the_path_is_made(void **state)
{
	struct place p;
	struct diags diags = DIAGS_INIT;
	mdc_autofree char *deep = NULL;

	(void)state;
	place_init(&p, NULL, false);
	deep = place_path(&p, "not/there");
	assert_int_equal(store_open(&p.world, deep, &diags, &p.condition, &p.store), -ENOENT);
	assert_int_equal(diags.errors, 1);
	assert_string_equal(diags.v[0].file, deep);
	diags_fini(&diags);
	place_fini(&p);
}

static void a_file_in_place_of_the_directory_is_refused(void **state)
{
	struct place p;
	struct diags diags = DIAGS_INIT;
	mdc_autofree char *file = NULL;

	(void)state;
	place_init(&p, NULL, false);
	write_file(&p, "file", "x", 1);
	file = place_path(&p, "file");
	assert_int_equal(store_open(&p.world, file, &diags, &p.condition, &p.store), -ENOTDIR);
	assert_int_equal(diags.errors, 1);
	diags_fini(&diags);
	place_fini(&p);
}

static int open_as_nobody(struct place *p)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		/* Root may write everywhere, so the question is asked by somebody else. */
		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(99);
		_exit(place_try_open(p) == -EACCES && p->diags.errors == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static void a_directory_that_cannot_be_written_to_is_refused(void **state)
{
	struct place p;

	(void)state;
	place_init(&p, NULL, false);
	assert_int_equal(chmod(p.directory, 0555), 0);
	assert_int_equal(open_as_nobody(&p), 0);
	assert_int_equal(chmod(p.directory, 0700), 0);
	place_fini(&p);
}

static void a_second_process_is_told_who_holds_the_directory(void **state)
{
	struct place p;
	struct store *second = NULL;
	enum store_condition condition;
	char name[32] = "", holder[96];
	FILE *f = fopen("/proc/self/comm", "r");

	(void)state;
	setup(&p);
	place_open(&p);
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%31[^\n]", name), 1);
	fclose(f);
	snprintf(holder, sizeof(holder), "in use by process %ld (%s)", (long)getpid(), name);
	assert_int_equal(store_open(&p.world, p.directory, &p.diags, &condition, &second), -EAGAIN);
	assert_null(second);
	assert_says(&p, holder);
	p.store = store_close(p.store);
	assert_condition(&p, STORE_GOOD);
	place_fini(&p);
}

static void others_may_not_read_what_is_stored(void **state)
{
	static const char *const names[] = {
		"state.db", "state.db-wal", "state.db-shm", "lock", "checkpoint"};
	struct place p;
	struct stat st;

	(void)state;
	setup(&p);
	place_open(&p);
	put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		mdc_autofree char *path = place_path(&p, names[i]);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0027, 0);
	}
	place_fini(&p);
}

/* --- new, lost, behind --- */

static void a_new_store_is_new_until_something_was_committed(void **state)
{
	struct place p;

	(void)state;
	place_init(&p, NULL, false);
	assert_condition(&p, STORE_NEW);
	p.store = store_abandon(p.store);
	assert_condition(&p, STORE_NEW);
	store_put_value(p.store, "reach", "");
	place_settle(&p);
	p.store = store_abandon(p.store);
	assert_condition(&p, STORE_GOOD);
	assert_int_equal(p.diags.n, 0);
	place_fini(&p);
}

/* Everything about a loss: reported until there was a commit, and admitted in the history. */
static void assert_loss(struct place *p, enum store_condition condition, uint64_t seq)
{
	struct store_verification v;
	json_t *rows = NULL;

	assert_condition(p, condition);
	assert_true(p->diags.warnings > 0);
	p->store = store_abandon(p->store);
	assert_condition(p, condition);
	assert_int_equal(store_history(p->store, NULL, 0, 1, &rows), 0);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(rows, 0), "kind")), "lost");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "seq")), seq);
	json_decref(rows);
	assert_int_equal(put_transition(p, RESOURCE_A, "queued"), seq + 1);
	place_settle(p);
	v = verified(p, NULL);
	assert_int_equal(v.broken_at, 0);
	assert_int_equal(v.losses, 1);
	assert_int_equal(v.last, seq + 1);
	p->store = store_abandon(p->store);
	assert_condition(p, STORE_GOOD);
}

static void a_lost_database_is_behind_and_numbers_go_on(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	remove_file(&p, "state.db");
	assert_loss(&p, STORE_BEHIND, 4);
	place_fini(&p);
}

static void an_emptied_database_is_behind(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	write_file(&p, "state.db", "", 0);
	assert_loss(&p, STORE_BEHIND, 4);
	place_fini(&p);
}

static void an_older_copy_of_the_database_is_behind(void **state)
{
	struct place p;
	struct contents copy;

	(void)state;
	setup(&p);
	copy = read_file(&p, "state.db");
	place_open(&p);
	put_transition(&p, RESOURCE_A, "applying");
	put_transition(&p, RESOURCE_A, "settling");
	p.store = store_close(p.store);
	write_file(&p, "state.db", copy.data, copy.len);
	free(copy.data);
	/* 4 and 5 were known outside: their numbers are not given again. */
	assert_loss(&p, STORE_BEHIND, 6);
	place_fini(&p);
}

static void another_database_with_as_many_records_is_behind(void **state)
{
	struct place p, other;
	struct contents copy;

	(void)state;
	setup(&p);
	setup(&other);
	place_open(&other);
	put_transition(&other, RESOURCE_B, "queued");
	other.store = store_close(other.store);
	place_open(&p);
	put_transition(&p, RESOURCE_A, "queued");
	p.store = store_close(p.store);
	copy = read_file(&other, "state.db");
	write_file(&p, "state.db", copy.data, copy.len);
	free(copy.data);
	assert_loss(&p, STORE_BEHIND, 5);
	place_fini(&p);
	place_fini(&other);
}

static void a_database_ahead_of_its_checkpoint_is_good(void **state)
{
	struct place p;
	struct contents copy;

	(void)state;
	setup(&p);
	copy = read_file(&p, "checkpoint");
	place_open(&p);
	put_transition(&p, RESOURCE_A, "applying");
	p.store = store_close(p.store);
	write_file(&p, "checkpoint", copy.data, copy.len);
	free(copy.data);
	assert_condition(&p, STORE_GOOD);
	place_fini(&p);
}

static void a_database_without_its_checkpoint_is_behind(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	remove_file(&p, "checkpoint");
	assert_loss(&p, STORE_BEHIND, 4);
	place_fini(&p);
}

static void a_checkpoint_that_cannot_be_read_counts_as_none(void **state)
{
	static const char *const garbage[] = {"", "mdcd-checkpoint", "mdcd-checkpoint 3 abc now\n",
		"mdcd-checkpoint 3 "
		"0000000000000000000000000000000000000000000000000000000000000000 "
		"2026-11-18T11:06:40Z more\n",
		"mdcd-checkpoint -3 "
		"0000000000000000000000000000000000000000000000000000000000000000 "
		"2026-11-18T11:06:40Z\n"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(garbage); i++) {
		struct place p;

		setup(&p);
		write_file(&p, "checkpoint", garbage[i], strlen(garbage[i]));
		assert_loss(&p, STORE_BEHIND, 4);
		place_fini(&p);
	}
}

static void a_history_cut_at_its_end_is_behind(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	run_sql(&p, "DELETE FROM history WHERE seq = 3");
	assert_condition(&p, STORE_BEHIND);
	assert_says(&p, "the end of the history is not as it was written");
	place_fini(&p);
}

/* --- replaced --- */

static char *kept_file(const struct place *p)
{
	DIR *d = opendir(p->directory);
	struct dirent *e;
	char *name = NULL;

	while ((e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "state.db.unreadable-", 20) == 0 &&
			strstr(e->d_name, "-wal") == NULL)
			name = xstrdup(e->d_name);
	closedir(d);
	return name;
}

/* It is replaced, and what was there is kept byte for byte. */
static void assert_replaced(struct place *p)
{
	struct contents before = read_file(p, "state.db"), after;
	mdc_autofree char *name = NULL;

	assert_loss(p, STORE_REPLACED, 4);
	name = kept_file(p);
	assert_non_null(name);
	after = read_file(p, name);
	assert_int_equal(after.len, before.len);
	assert_memory_equal(after.data, before.data, after.len);
	free(before.data);
	free(after.data);
}

static void a_file_that_is_no_database_is_kept_and_replaced(void **state)
{
	struct place p;
	char text[] = "this is not a database, and long enough to be looked at by anyone who "
		      "would take it for the header of one, which has a hundred bytes";

	(void)state;
	setup(&p);
	write_file(&p, "state.db", text, sizeof(text));
	assert_replaced(&p);
	place_fini(&p);
}

static void a_damaged_database_is_kept_and_replaced(void **state)
{
	struct place p;
	struct contents c;

	(void)state;
	setup(&p);
	c = read_file(&p, "state.db");
	assert_true(c.len > 8192);
	memset(c.data + 4096, 0xa5, 2048);
	write_file(&p, "state.db", c.data, c.len);
	free(c.data);
	assert_replaced(&p);
	place_fini(&p);
}

static void a_database_that_lost_its_end_is_kept_and_replaced(void **state)
{
	struct place p;
	struct contents c;

	(void)state;
	setup(&p);
	c = read_file(&p, "state.db");
	write_file(&p, "state.db", c.data, 4096 + 100);
	free(c.data);
	assert_replaced(&p);
	place_fini(&p);
}

static void a_foreign_database_is_kept_and_replaced(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	remove_file(&p, "state.db");
	run_sql(&p, "CREATE TABLE theirs(x); INSERT INTO theirs VALUES('precious')");
	assert_replaced(&p);
	place_fini(&p);
}

static void a_database_without_one_of_its_tables_is_kept_and_replaced(void **state)
{
	static const char *const tables[] = {
		"chain", "history", "items", "resources", "operations", "named_values"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(tables); i++) {
		struct place p;
		char sql[64];

		setup(&p);
		snprintf(sql, sizeof(sql), "DROP TABLE %s", tables[i]);
		run_sql(&p, sql);
		assert_loss(&p, STORE_REPLACED, 4);
		place_fini(&p);
	}
}

static void replacing_twice_in_one_second_keeps_both(void **state)
{
	struct place p;
	mdc_autofree char *first = NULL;

	(void)state;
	setup(&p);
	write_file(&p, "state.db", "first garbage", 13);
	assert_condition(&p, STORE_REPLACED);
	p.store = store_close(p.store);
	first = kept_file(&p);
	write_file(&p, "state.db", "second garbage", 14);
	assert_condition(&p, STORE_REPLACED);
	p.store = store_close(p.store);
	assert_true(has_file(&p, first));
	{
		mdc_autofree char *second = xasprintf("%s-1", first);
		struct contents c = read_file(&p, second);

		assert_string_equal(c.data, "second garbage");
		free(c.data);
	}
	place_fini(&p);
}

static void a_later_version_is_refused_and_left_as_it_is(void **state)
{
	struct place p;
	struct contents before, after;

	(void)state;
	setup(&p);
	run_sql(&p, "PRAGMA user_version = 99");
	before = read_file(&p, "state.db");
	assert_int_equal(place_try_open(&p), -ENOTSUP);
	assert_says(&p, "version 99");
	after = read_file(&p, "state.db");
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	free(before.data);
	free(after.data);
	place_fini(&p);
}

/* --- while it runs --- */

static void a_database_taken_away_stops_writing_until_it_is_back(void **state)
{
	struct place p;
	mdc_autofree char *path = NULL, *aside = NULL;
	json_t *rows = NULL;
	size_t done = 0;

	(void)state;
	setup(&p);
	place_open(&p);
	path = place_path(&p, "state.db");
	aside = place_path(&p, "aside.db");
	assert_int_equal(rename(path, aside), 0);
	put_transition(&p, RESOURCE_A, "applying");
	store_flush(p.store, count_durable, &done);
	tiny_advance(&p.loop, 5000);
	assert_false(store_healthy(p.store));
	assert_non_null(strstr(store_trouble(p.store), path));
	assert_int_equal(done, 0);
	assert_int_equal(rename(aside, path), 0);
	tiny_advance(&p.loop, 5000);
	assert_true(store_healthy(p.store));
	assert_int_equal(done, 1);
	assert_int_equal(store_history(p.store, NULL, 0, 10, &rows), 0);
	assert_int_equal(json_array_size(rows), 4);
	json_decref(rows);
	assert_int_equal(verified(&p, NULL).broken_at, 0);
	place_fini(&p);
}

static void a_database_changed_by_others_is_not_written_to(void **state)
{
	struct place p;
	size_t done = 0;

	(void)state;
	setup(&p);
	place_open(&p);
	run_sql(&p, "UPDATE chain SET head_seq = 2");
	put_transition(&p, RESOURCE_A, "applying");
	store_flush(p.store, count_durable, &done);
	tiny_advance(&p.loop, 5000);
	assert_int_equal(done, 0);
	assert_false(store_healthy(p.store));
	assert_non_null(strstr(store_trouble(p.store), "changed by another program"));
	run_sql(&p, "UPDATE chain SET head_seq = 3");
	tiny_advance(&p.loop, 5000);
	assert_int_equal(done, 1);
	assert_true(store_healthy(p.store));
	place_fini(&p);
}

static void a_checkpoint_that_cannot_be_saved_is_trouble(void **state)
{
	struct place p;
	mdc_autofree char *path = NULL;
	struct store_checkpoint c;
	size_t done = 0;

	(void)state;
	setup(&p);
	place_open(&p);
	path = place_path(&p, "checkpoint.new");
	assert_int_equal(mkdir(path, 0700), 0);
	put_transition(&p, RESOURCE_A, "applying");
	place_settle(&p);
	assert_true(store_healthy(p.store));
	tiny_advance(&p.loop, 61000);
	assert_false(store_healthy(p.store));
	assert_non_null(strstr(store_trouble(p.store), "checkpoint cannot be written"));
	store_checkpoint_read(p.store, &c);
	assert_int_equal(c.seq, 3);
	/* What is put meanwhile becomes durable all the same. */
	put_transition(&p, RESOURCE_A, "settling");
	store_flush(p.store, count_durable, &done);
	tiny_advance(&p.loop, 2000);
	assert_int_equal(done, 1);
	assert_false(store_healthy(p.store));
	assert_int_equal(rmdir(path), 0);
	tiny_advance(&p.loop, 5000);
	assert_true(store_healthy(p.store));
	store_checkpoint_read(p.store, &c);
	assert_int_equal(c.seq, 5);
	place_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_directory_is_made_for_the_owner_alone),
		cmocka_unit_test(only_the_last_part_of_the_path_is_made),
		cmocka_unit_test(a_file_in_place_of_the_directory_is_refused),
		cmocka_unit_test(a_directory_that_cannot_be_written_to_is_refused),
		cmocka_unit_test(a_second_process_is_told_who_holds_the_directory),
		cmocka_unit_test(others_may_not_read_what_is_stored),
		cmocka_unit_test(a_new_store_is_new_until_something_was_committed),
		cmocka_unit_test(a_lost_database_is_behind_and_numbers_go_on),
		cmocka_unit_test(an_emptied_database_is_behind),
		cmocka_unit_test(an_older_copy_of_the_database_is_behind),
		cmocka_unit_test(another_database_with_as_many_records_is_behind),
		cmocka_unit_test(a_database_ahead_of_its_checkpoint_is_good),
		cmocka_unit_test(a_database_without_its_checkpoint_is_behind),
		cmocka_unit_test(a_checkpoint_that_cannot_be_read_counts_as_none),
		cmocka_unit_test(a_history_cut_at_its_end_is_behind),
		cmocka_unit_test(a_file_that_is_no_database_is_kept_and_replaced),
		cmocka_unit_test(a_damaged_database_is_kept_and_replaced),
		cmocka_unit_test(a_database_that_lost_its_end_is_kept_and_replaced),
		cmocka_unit_test(a_foreign_database_is_kept_and_replaced),
		cmocka_unit_test(a_database_without_one_of_its_tables_is_kept_and_replaced),
		cmocka_unit_test(replacing_twice_in_one_second_keeps_both),
		cmocka_unit_test(a_later_version_is_refused_and_left_as_it_is),
		cmocka_unit_test(a_database_taken_away_stops_writing_until_it_is_back),
		cmocka_unit_test(a_database_changed_by_others_is_not_written_to),
		cmocka_unit_test(a_checkpoint_that_cannot_be_saved_is_trouble),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
