/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_internal.h"
#include "tests/daemon/store_workload.h"

/* --- errors at every operation --- */

/* Opening may fail, but it never believes that the store was lost. */
static void open_in_spite_of_errors(struct run *run)
{
	unsigned tries = 0;
	int r;

	while ((r = place_try_open(&run->place)) < 0) {
		assert_true(vfs_crash_struck(disk));
		assert_true(r != -ENOTSUP && r != -EAGAIN);
		assert_true(run->place.diags.errors > 0);
		/* Here that would fail too, and so look like one more error. */
		assert_null(strstr(run->place.diags.v[0].text, "another name"));
		assert_true(tries++ < 100);
	}
	assert_sound_condition(run);
}

struct outcome {
	bool struck;
	bool was_in_trouble;
};

struct trouble {
	enum vfs_fault fault;
	uint64_t times;
	unsigned stride;
	bool without_reader; /* the writer's is then the only connection, and takes its locks along
			      */
};

/* The whole workload with one kind of error; then a power cut, since memory could hide a loss. */
static struct outcome run_with_errors(const struct trouble *t, uint64_t at)
{
	struct step_ticket tickets[STEPS];
	struct outcome o = {0};
	struct run run;

	run_init(&run);
	vfs_crash_arm(disk, t->fault, at, t->times);
	open_in_spite_of_errors(&run);
	while (run.submitted < STEPS) {
		if (t->without_reader)
			run.place.store->reader = store_reader_close(run.place.store->reader);
		submit_step(&run, tickets);
		if (turns_after(run.submitted - 1))
			tiny_turn(&run.place.loop);
		if (!store_healthy(run.place.store)) {
			o.was_in_trouble = true;
			assert_true(strlen(store_trouble(run.place.store)) > 0);
			/* Long enough: steps that prune look at what is durable. */
			tiny_advance(&run.place.loop, 90000);
		}
	}
	o.struck = vfs_crash_struck(disk);
	vfs_crash_disarm(disk);
	go_on_to_the_end(&run);
	run.place.store = store_abandon(run.place.store);
	vfs_crash_restart(disk, at % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
	reopen_after_crash(&run);
	assert_int_equal(run.durable, STEPS);
	run_fini(&run);
	return o;
}

static void fail_everywhere(const struct trouble *t)
{
	struct outcome o = {.struck = true};
	unsigned troubles = 0;
	uint64_t at = 1;

	for (; o.struck; at += t->stride) {
		o = run_with_errors(t, at);
		troubles += o.was_in_trouble;
	}
	assert_true(at > 200);
	assert_true(troubles > 20);
}

static void an_io_error_anywhere_only_delays(void **state)
{
	(void)state;
	fail_everywhere(&(struct trouble){VFS_IO_ERROR, .times = 1, .stride = 1});
}

static void an_io_error_only_delays_also_when_nobody_reads(void **state)
{
	(void)state;
	fail_everywhere(
		&(struct trouble){VFS_IO_ERROR, .times = 1, .stride = 1, .without_reader = true});
}

static void io_errors_for_a_while_only_delay(void **state)
{
	(void)state;
	fail_everywhere(&(struct trouble){VFS_IO_ERROR, .times = 40, .stride = 3});
}

static void a_write_without_space_anywhere_only_delays(void **state)
{
	(void)state;
	fail_everywhere(&(struct trouble){VFS_DISK_FULL, .times = 1, .stride = 1});
}

static void a_disk_that_is_full_for_a_while_only_delays(void **state)
{
	(void)state;
	fail_everywhere(&(struct trouble){VFS_DISK_FULL, .times = 12, .stride = 3});
}

/* An error that the store gets over, but the power fails `later` operations after it. */
static bool error_then_cut(uint64_t at, uint64_t later, bool without_reader)
{
	struct step_ticket tickets[STEPS];
	struct run run;
	bool struck;

	run_init(&run);
	place_open(&run.place);
	vfs_crash_arm(disk, VFS_IO_ERROR, at, 1);
	while (run.submitted < STEPS && !vfs_crash_struck(disk)) {
		if (without_reader)
			run.place.store->reader = store_reader_close(run.place.store->reader);
		submit_step(&run, tickets);
		if (turns_after(run.submitted - 1))
			tiny_turn(&run.place.loop);
	}
	struck = vfs_crash_struck(disk);
	vfs_crash_arm(disk, VFS_POWER_CUT, later, 1);
	tiny_advance(&run.place.loop, 5000);
	run.place.store = store_abandon(run.place.store);
	vfs_crash_restart(disk, later % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
	reopen_after_crash(&run);
	go_on_to_the_end(&run);
	run_fini(&run);
	return struck;
}

static void a_power_cut_soon_after_an_io_error_loses_nothing_acknowledged(void **state)
{
	(void)state;
	for (uint64_t at = 1; error_then_cut(at, 1 + at % 13, at % 2 == 0); at += 1)
		;
}

static void an_io_error_while_opening_never_makes_a_store_look_lost(void **state)
{
	uint64_t at = 1;
	bool struck = true;

	(void)state;
	for (; struck; at++) {
		struct run run;

		run_whole_and_cut(&run);
		run.durable = STEPS;
		vfs_crash_arm(disk, VFS_IO_ERROR, at, 1 + at % 3);
		open_in_spite_of_errors(&run);
		struck = vfs_crash_struck(disk);
		vfs_crash_disarm(disk);
		assert_int_equal(run.place.condition, STORE_GOOD);
		find_where_it_is(&run);
		assert_chain(&run);
		run_fini(&run);
	}
	assert_true(at > 50);
}

/* --- when it lasts too long --- */

struct answer {
	unsigned count;
	int error;
};

static void note_answer(void *ctx, int error)
{
	struct answer *a = ctx;

	a->count++;
	a->error = error;
}

static void fill_up(struct place *p)
{
	for (unsigned i = 0; i < 100000; i++)
		if (put_transition(p, RESOURCE_A, "queued") == 0)
			return;
	fail_msg("memory has no bound");
}

static void a_disk_that_stays_full_is_given_up_on_but_not_the_chain(void **state)
{
	struct run run;
	struct answer waited = {0}, late = {0}, again = {0};
	struct store_verification v;
	json_t *rows = NULL;
	uint64_t last;

	(void)state;
	run_init(&run);
	place_open(&run.place);
	run.place.store->pending_max = 100000;
	last = put_transition(&run.place, RESOURCE_A, "queued");
	place_settle(&run.place);

	vfs_crash_arm(disk, VFS_DISK_FULL, 1, UINT64_MAX);
	put_transition(&run.place, RESOURCE_A, "applying");
	store_flush(run.place.store, note_answer, &waited);
	tiny_advance(&run.place.loop, 5000);
	assert_int_equal(waited.count, 0);
	assert_false(store_healthy(run.place.store));
	fill_up(&run.place);
	put_transition(&run.place, RESOURCE_A, "not kept");
	store_flush(run.place.store, note_answer, &late);
	assert_int_equal(waited.count + late.count, 0);
	tiny_turn(&run.place.loop);
	assert_int_equal(waited.error, -ENOBUFS);
	assert_int_equal(late.error, -ENOBUFS);

	vfs_crash_disarm(disk);
	tiny_advance(&run.place.loop, 5000);
	assert_true(store_healthy(run.place.store));
	assert_true(put_transition(&run.place, RESOURCE_B, "queued") > last);
	store_flush(run.place.store, note_answer, &again);
	tiny_turn(&run.place.loop);
	assert_int_equal(again.count, 1);
	assert_int_equal(again.error, 0);
	assert_int_equal(waited.count + late.count, 2);

	v = verified(&run.place, NULL);
	assert_int_equal(v.broken_at, 0);
	assert_int_equal(v.records, v.last);
	assert_int_equal(store_history(run.place.store, NULL, 0, 2, &rows), 0);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(rows, 1), "kind")), "unstored");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 1), "detail")),
		"2 transitions");
	json_decref(rows);
	run_fini(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_io_error_anywhere_only_delays),
		cmocka_unit_test(an_io_error_only_delays_also_when_nobody_reads),
		cmocka_unit_test(io_errors_for_a_while_only_delay),
		cmocka_unit_test(a_write_without_space_anywhere_only_delays),
		cmocka_unit_test(a_disk_that_is_full_for_a_while_only_delays),
		cmocka_unit_test(a_power_cut_soon_after_an_io_error_loses_nothing_acknowledged),
		cmocka_unit_test(an_io_error_while_opening_never_makes_a_store_look_lost),
		cmocka_unit_test(a_disk_that_stays_full_is_given_up_on_but_not_the_chain),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, remember, forget);
}
