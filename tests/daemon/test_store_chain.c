/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/store_fixture.h"

#include <sqlite3.h>

/* --- a closed store that is altered behind its back --- */

static sqlite3 *open_directly(const struct place *p)
{
	mdc_autofree char *path = place_path(p, "state.db");
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void run_sql(const struct place *p, const char *sql)
{
	sqlite3 *db = open_directly(p);
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	sqlite3_close(db);
}

static int64_t number(const struct place *p, const char *sql)
{
	sqlite3 *db = open_directly(p);
	sqlite3_stmt *st;
	int64_t value;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	value = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return value;
}

static struct store_verification verify_from_outside(struct place *p)
{
	struct store_verification v;

	diags_fini(&p->diags);
	assert_int_equal(store_verify_directory(p->directory, NULL, &p->diags, &v), 0);
	return v;
}

static void put_one_of_each(struct place *p)
{
	struct stored_operation op = operation(store_next_operation_id(p->store), RESOURCE_A);

	put_transition(p, RESOURCE_A, "queued");
	put_transition(p, RESOURCE_B, "queued");
	store_put_operation(p->store, &op);
	op.phase = "running";
	store_put_operation(p->store, &op);
	store_end_operation(p->store, op.id, loop_wall(&p->loop.base), "failed", "Conflict", "r-1");
	put_transition(p, RESOURCE_A, "backoff");
}

/* Ten records of every usual kind, the first of them pruned: 4 to 13 are there. */
static void setup_closed(struct place *p)
{
	place_init(p, NULL, false);
	place_open(p);
	put_one_of_each(p);
	put_one_of_each(p);
	place_settle(p);
	store_prune(p->store, &(struct store_limits){.records = 9});
	place_settle(p);
	p->store = store_close(p->store);
	assert_int_equal(number(p, "SELECT min(seq) FROM history"), 4);
	assert_int_equal(number(p, "SELECT max(seq) FROM history"), 13);
}

static void an_untouched_chain_is_intact(void **state)
{
	struct place p;
	struct store_verification v;

	(void)state;
	setup_closed(&p);
	v = verify_from_outside(&p);
	assert_int_equal(v.broken_at, 0);
	assert_int_equal(v.first, 4);
	assert_int_equal(v.last, 13);
	assert_int_equal(v.records, 10);
	assert_int_equal(v.losses, 0);
	assert_int_equal(v.compared, 1);
	assert_int_equal(v.not_compared, 0);
	assert_int_equal(p.diags.n, 0);
	place_fini(&p);
}

/* The change is made, noticed and undone. */
static void assert_noticed(struct place *p, const char *change)
{
	mdc_autofree char *path = place_path(p, "state.db"), *copy = place_path(p, "copy.db");
	mdc_autofree char *command = xasprintf("VACUUM INTO '%s'", copy);
	struct store_verification v;

	run_sql(p, command);
	run_sql(p, change);
	v = verify_from_outside(p);
	if (v.broken_at == 0)
		fail_msg("nobody noticed: %s", change);
	assert_true(p->diags.errors > 0);
	assert_int_equal(rename(copy, path), 0);
	assert_int_equal(verify_from_outside(p).broken_at, 0);
}

static void any_changed_field_of_any_record_is_noticed(void **state)
{
	static const char *const columns[] = {"previous", "at", "operation", "deadline", "kind",
		"control", "resource", "from_state", "to_state", "reason", "detail",
		"correlation_id", "target_id", "verb", "body_hash", "phase", "outcome", "code",
		"request_id"};
	struct place p;
	char change[256];

	(void)state;
	setup_closed(&p);
	/* As many as the table has, but its own number. */
	assert_int_equal(number(&p, "SELECT count(*) FROM pragma_table_info('history')"),
		ARRAY_LEN(columns) + 1);
	for (unsigned seq = 4; seq <= 13; seq++)
		for (unsigned i = 0; i < ARRAY_LEN(columns); i++) {
			snprintf(change, sizeof(change),
				"UPDATE history SET %s = CASE '%s' WHEN 'previous' THEN "
				"zeroblob(32) WHEN 'resource' THEN 3 - ifnull(resource, 2) ELSE "
				"ifnull(%s, '') || '1' END WHERE seq = %u",
				columns[i], columns[i], columns[i], seq);
			assert_noticed(&p, change);
		}
	place_fini(&p);
}

static void any_removed_record_is_noticed(void **state)
{
	struct place p;
	char change[256];

	(void)state;
	setup_closed(&p);
	for (unsigned seq = 4; seq <= 13; seq++) {
		snprintf(change, sizeof(change), "DELETE FROM history WHERE seq = %u", seq);
		assert_noticed(&p, change);
		/* Also when the rest moves up. */
		snprintf(change, sizeof(change),
			"DELETE FROM history WHERE seq = %u;"
			"UPDATE history SET seq = -seq WHERE seq > %u;"
			"UPDATE history SET seq = -seq - 1 WHERE seq < 0;"
			"UPDATE chain SET head_seq = head_seq - 1",
			seq, seq);
		assert_noticed(&p, change);
	}
	assert_noticed(&p, "DELETE FROM history");
	assert_noticed(&p, "DELETE FROM history WHERE seq < 8");
	place_fini(&p);
}

static void other_tampering_is_noticed(void **state)
{
	static const char *const changes[] = {
		/* a record that was never written */
		"INSERT INTO history(seq, previous, at, operation, deadline, kind) "
		"SELECT 14, head_hash, 0, 0, 0, 'transition' FROM chain",
		/* two records that change places */
		"UPDATE history SET seq = -1 WHERE seq = 6;"
		"UPDATE history SET seq = 6 WHERE seq = 7;"
		"UPDATE history SET seq = 7 WHERE seq = -1",
		/* somebody else's resource */
		"UPDATE resources SET name = '/other' WHERE id = 1",
		"DELETE FROM resources WHERE id = 1",
		/* an end that says less */
		"UPDATE chain SET head_seq = 12, head_hash = (SELECT previous FROM history WHERE "
		"seq = 13); DELETE FROM history WHERE seq = 13",
		/* a pruning that never was, right in itself */
		"UPDATE chain SET base_seq = 6, base_hash = (SELECT previous FROM history WHERE "
		"seq = 7); DELETE FROM history WHERE seq <= 6",
		"UPDATE chain SET base_seq = 13, base_hash = head_hash; DELETE FROM history",
		/* a gap admitted by somebody who is not the daemon */
		"DELETE FROM history WHERE seq = 12; UPDATE history SET kind = 'lost' WHERE seq = "
		"13",
	};
	struct place p;

	(void)state;
	setup_closed(&p);
	for (unsigned i = 0; i < ARRAY_LEN(changes); i++)
		assert_noticed(&p, changes[i]);
	place_fini(&p);
}

static void the_case_of_a_resource_does_not_matter(void **state)
{
	struct place p;

	(void)state;
	setup_closed(&p);
	run_sql(&p, "UPDATE resources SET name = upper(name)");
	assert_int_equal(verify_from_outside(&p).broken_at, 0);
	place_fini(&p);
}

static void a_break_is_reported_where_it_begins(void **state)
{
	struct place p;

	(void)state;
	setup_closed(&p);
	run_sql(&p, "DELETE FROM history WHERE seq IN (8, 11)");
	assert_int_equal(verify_from_outside(&p).broken_at, 8);
	assert_non_null(strstr(p.diags.v[0].text, "record 8 is missing"));
	place_fini(&p);
}

static void there_is_nothing_to_verify_where_there_is_no_store(void **state)
{
	struct diags diags = DIAGS_INIT;
	struct store_verification v;

	(void)state;
	assert_int_equal(store_verify_directory("/nonexistent/mdcd", NULL, &diags, &v), -ENOENT);
	assert_int_equal(diags.errors, 1);
	diags_fini(&diags);
}

static void a_store_in_use_can_be_verified_from_outside(void **state)
{
	struct place p;
	struct store_verification v;

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	put_one_of_each(&p);
	place_settle(&p);
	put_transition(&p, RESOURCE_A, "not flushed");
	v = verify_from_outside(&p);
	assert_int_equal(v.broken_at, 0);
	assert_int_equal(v.records, 6);
	place_fini(&p);
}

/* --- checkpoints --- */

static struct store_checkpoint checkpoint_of(const struct place *p)
{
	struct store_checkpoint c;

	store_checkpoint_read(p->store, &c);
	return c;
}

static void a_checkpoint_follows_within_a_minute(void **state)
{
	struct place p;
	char zeros[65];

	(void)state;
	memset(zeros, '0', 64);
	zeros[64] = '\0';
	place_init(&p, NULL, false);
	place_open(&p);
	assert_int_equal(checkpoint_of(&p).seq, 0);
	assert_string_equal(checkpoint_of(&p).hash, zeros);
	put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	tiny_advance(&p.loop, 30000);
	put_transition(&p, RESOURCE_A, "applying");
	place_settle(&p);
	assert_int_equal(checkpoint_of(&p).seq, 0);
	tiny_advance(&p.loop, 30000);
	assert_int_equal(checkpoint_of(&p).seq, 2);
	assert_string_not_equal(checkpoint_of(&p).hash, zeros);
	place_fini(&p);
}

static void a_checkpoint_follows_after_a_thousand_records(void **state)
{
	struct place p;

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	for (unsigned i = 0; i < 999; i++)
		put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	assert_int_equal(checkpoint_of(&p).seq, 0);
	put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	assert_int_equal(checkpoint_of(&p).seq, 1000);
	place_fini(&p);
}

static void closing_saves_a_checkpoint(void **state)
{
	struct place p;

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	put_transition(&p, RESOURCE_A, "queued");
	place_reopen(&p);
	assert_int_equal(checkpoint_of(&p).seq, 1);
	place_fini(&p);
}

/* Saves one after each of `n` transitions. */
static void collect_checkpoints(struct place *p, struct store_checkpoint *ret, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		put_transition(p, i % 2 ? RESOURCE_A : RESOURCE_B, "queued");
		place_settle(p);
		tiny_advance(&p->loop, 60000);
		ret[i] = checkpoint_of(p);
		assert_int_equal(ret[i].seq, i + 1);
	}
}

static void checkpoints_from_the_journal_are_compared_in_any_order(void **state)
{
	struct place p;
	struct store_checkpoint c[4], swap;
	struct store_verification v;
	struct store_known known = {c, 4};

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	collect_checkpoints(&p, c, 4);
	swap = c[0];
	c[0] = c[3];
	c[3] = swap;
	v = verified(&p, &known);
	assert_int_equal(v.broken_at, 0);
	assert_int_equal(v.compared, 5);
	assert_int_equal(v.not_compared, 0);
	place_fini(&p);
}

static void a_chain_written_anew_by_somebody_does_not_fit_the_journal(void **state)
{
	struct place p, forged;
	struct store_checkpoint journal[3], other[3];
	struct store_known known = {journal, 3};
	struct store_verification v;

	(void)state;
	place_init(&p, NULL, false);
	place_init(&forged, NULL, false);
	place_open(&p);
	place_open(&forged);
	collect_checkpoints(&p, journal, 3);
	/* The same records, but for one word in the first; sound in itself. */
	put_transition(&forged, RESOURCE_B, "compliant");
	place_settle(&forged);
	tiny_advance(&forged.loop, 60000);
	for (unsigned i = 1; i < 3; i++) {
		put_transition(&forged, i % 2 ? RESOURCE_A : RESOURCE_B, "queued");
		place_settle(&forged);
		tiny_advance(&forged.loop, 60000);
		other[i] = checkpoint_of(&forged);
	}
	assert_int_equal(verified(&forged, NULL).broken_at, 0);
	assert_string_not_equal(journal[2].hash, other[2].hash);
	v = verified(&forged, &known);
	assert_int_equal(v.broken_at, 1);
	place_fini(&p);
	place_fini(&forged);
}

static void a_checkpoint_of_a_record_that_is_not_there_is_a_break(void **state)
{
	struct place p, shorter;
	struct store_checkpoint journal[3], mine[2];
	struct store_known known = {journal, 3};

	(void)state;
	place_init(&p, NULL, false);
	place_init(&shorter, NULL, false);
	place_open(&p);
	place_open(&shorter);
	collect_checkpoints(&p, journal, 3);
	collect_checkpoints(&shorter, mine, 2);
	assert_string_equal(journal[1].hash, mine[1].hash);
	assert_int_equal(verified(&shorter, &known).broken_at, 3);
	place_fini(&p);
	place_fini(&shorter);
}

/* --- pruning --- */

static int64_t count_history(struct place *p, const char *resource)
{
	json_t *rows = NULL;
	int64_t n;

	assert_int_equal(store_history(p->store, resource, 0, STORE_HISTORY_MAX, &rows), 0);
	n = (int64_t)json_array_size(rows);
	json_decref(rows);
	return n;
}

static void pruning_by_number_keeps_the_newest_and_the_chain(void **state)
{
	struct place p;
	struct store_checkpoint c[10];
	struct store_known known = {c, 10};
	struct store_verification v;

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	collect_checkpoints(&p, c, 10);
	store_prune(p.store, &(struct store_limits){.records = 4});
	place_settle(&p);
	v = verified(&p, &known);
	assert_int_equal(v.broken_at, 0);
	assert_int_equal(v.first, 7);
	assert_int_equal(v.last, 11);
	/* 6 is the base, whose digest is kept; 1 to 5 are gone. */
	assert_int_equal(v.not_compared, 5);
	assert_int_equal(v.compared, 6);
	place_reopen(&p);
	assert_int_equal(p.condition, STORE_GOOD);
	assert_int_equal(put_transition(&p, RESOURCE_A, "applying"), 12);
	place_settle(&p);
	assert_int_equal(verified(&p, &known).broken_at, 0);
	place_fini(&p);
}

static void pruning_by_age_keeps_what_is_younger(void **state)
{
	struct place p;
	struct store_verification v;

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	for (unsigned i = 0; i < 10; i++) {
		put_transition(&p, RESOURCE_A, "queued");
		place_settle(&p);
		tiny_advance(&p.loop, 3600000);
	}
	/* The first is ten hours old by now, the last one hour. */
	store_prune(p.store, &(struct store_limits){.age = DUR_MIN(270)});
	place_settle(&p);
	v = verified(&p, NULL);
	assert_int_equal(v.broken_at, 0);
	assert_int_equal(v.first, 7);
	assert_int_equal(v.last, 11);
	place_fini(&p);
}

static void nothing_is_pruned_within_the_limits(void **state)
{
	struct place p;

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	for (unsigned i = 0; i < 10; i++)
		put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	store_prune(p.store, &(struct store_limits){.records = 10, .age = DUR_H(1)});
	place_settle(&p);
	store_prune(p.store, &(struct store_limits){0});
	place_settle(&p);
	assert_int_equal(count_history(&p, NULL), 10);
	place_fini(&p);
}

static void a_clock_that_jumped_does_not_make_young_records_old(void **state)
{
	struct place p;
	struct store_verification v;

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	tiny_advance(&p.loop, 36000000);
	put_transition(&p, RESOURCE_A, "applying");
	store_put_transition(p.store,
		&(struct stored_transition){.at = {1},
			.control = "c",
			.resource_id = RESOURCE_A,
			.from = "a",
			.to = "b",
			.reason = "r"});
	put_transition(&p, RESOURCE_A, "settling");
	place_settle(&p);
	store_prune(p.store, &(struct store_limits){.age = DUR_H(5)});
	place_settle(&p);
	v = verified(&p, NULL);
	assert_int_equal(v.broken_at, 0);
	assert_int_equal(v.first, 2);
	place_fini(&p);
}

static void many_records_are_pruned_in_pieces(void **state)
{
	struct place p;
	struct store_verification v;

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	for (unsigned i = 0; i < 25000; i++)
		put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	store_prune(p.store, &(struct store_limits){.records = 100});
	tiny_advance(&p.loop, 1000);
	v = verified(&p, NULL);
	assert_int_equal(v.broken_at, 0);
	/* Three pieces, each with a record of its own. */
	assert_int_equal(v.last, 25003);
	assert_in_range(v.records, 100, 103);
	/* And then it rests. */
	tiny_advance(&p.loop, 3600000);
	assert_int_equal(verified(&p, NULL).last, 25003);
	place_fini(&p);
}

static void count_items(void *ctx, const struct stored_item *item)
{
	(void)item;
	++*(size_t *)ctx;
}

static void count_operations(void *ctx, const struct stored_operation *op)
{
	assert_string_equal(op->resource_id, RESOURCE_A);
	++*(size_t *)ctx;
}

static void pruning_takes_neither_items_nor_operations_nor_what_they_need(void **state)
{
	struct place p;
	struct stored_operation op;
	size_t items = 0, operations = 0;

	(void)state;
	place_init(&p, NULL, false);
	place_open(&p);
	op = operation(store_next_operation_id(p.store), RESOURCE_A);
	store_put_operation(p.store, &op);
	put_item(&p, "c", RESOURCE_B, "queued");
	put_transition(&p, RESOURCE_B, "queued");
	put_transition(&p, "/only/in/history", "queued");
	put_item(&p, "c", "/gone", "queued");
	store_delete_item(p.store, "c", "/gone");
	for (unsigned i = 0; i < 5; i++)
		put_transition(&p, "/others", "queued");
	place_settle(&p);
	store_prune(p.store, &(struct store_limits){.records = 2});
	place_settle(&p);
	assert_int_equal(count_history(&p, RESOURCE_B), 0);
	assert_int_equal(store_load_items(p.store, count_items, &items), 0);
	assert_int_equal(items, 1);
	assert_int_equal(store_load_operations(p.store, count_operations, &operations), 0);
	assert_int_equal(operations, 1);
	store_end_operation(p.store, op.id, WALL_UNSET, "succeeded", "", "");
	put_item(&p, "c", "/only/in/history", "drifted");
	place_settle(&p);
	assert_int_equal(count_history(&p, RESOURCE_A), 1);
	p.store = store_close(p.store);
	/* What nothing speaks of any more is forgotten: B, the others, A and the last one stay. */
	assert_int_equal(number(&p, "SELECT count(*) FROM resources"), 4);
	place_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_untouched_chain_is_intact),
		cmocka_unit_test(any_changed_field_of_any_record_is_noticed),
		cmocka_unit_test(any_removed_record_is_noticed),
		cmocka_unit_test(other_tampering_is_noticed),
		cmocka_unit_test(the_case_of_a_resource_does_not_matter),
		cmocka_unit_test(a_break_is_reported_where_it_begins),
		cmocka_unit_test(there_is_nothing_to_verify_where_there_is_no_store),
		cmocka_unit_test(a_store_in_use_can_be_verified_from_outside),
		cmocka_unit_test(a_checkpoint_follows_within_a_minute),
		cmocka_unit_test(a_checkpoint_follows_after_a_thousand_records),
		cmocka_unit_test(closing_saves_a_checkpoint),
		cmocka_unit_test(checkpoints_from_the_journal_are_compared_in_any_order),
		cmocka_unit_test(a_chain_written_anew_by_somebody_does_not_fit_the_journal),
		cmocka_unit_test(a_checkpoint_of_a_record_that_is_not_there_is_a_break),
		cmocka_unit_test(pruning_by_number_keeps_the_newest_and_the_chain),
		cmocka_unit_test(pruning_by_age_keeps_what_is_younger),
		cmocka_unit_test(nothing_is_pruned_within_the_limits),
		cmocka_unit_test(a_clock_that_jumped_does_not_make_young_records_old),
		cmocka_unit_test(many_records_are_pruned_in_pieces),
		cmocka_unit_test(pruning_takes_neither_items_nor_operations_nor_what_they_need),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
