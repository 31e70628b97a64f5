/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/store_workload.h"

/* --- a power cut at every operation --- */

/* True when the cut came before the end. */
static bool run_until_cut(struct run *run, struct step_ticket *tickets)
{
	if (place_try_open(&run->place) < 0) {
		assert_true(vfs_crash_struck(disk));
		return true;
	}
	assert_sound_condition(run);
	while (run->submitted < STEPS && !vfs_crash_struck(disk)) {
		submit_step(run, tickets);
		if (turns_after(run->submitted - 1))
			tiny_turn(&run->place.loop);
	}
	if (!vfs_crash_struck(disk))
		tiny_turn(&run->place.loop);
	if (vfs_crash_struck(disk)) {
		run->place.store = store_abandon(run->place.store);
		return true;
	}
	/* Closing folds the log into the database: the most writing of all. */
	run->place.store = store_close(run->place.store);
	return vfs_crash_struck(disk);
}

static void cut_everywhere(enum vfs_loss loss)
{
	struct step_ticket tickets[STEPS];
	uint64_t at = 1;
	bool cut = true;

	for (; cut; at++) {
		struct run run;

		run_init(&run);
		vfs_crash_arm(disk, VFS_POWER_CUT, at, 1);
		cut = run_until_cut(&run, tickets);
		vfs_crash_restart(disk, loss);
		reopen_after_crash(&run);
		go_on_to_the_end(&run);
		run_fini(&run);
	}
	/* The workload has many places to fail at. */
	assert_true(at > 200);
}

static void nothing_acknowledged_is_lost_when_unsynced_writes_are(void **state)
{
	(void)state;
	cut_everywhere(VFS_LOSE_UNSYNCED);
}

static void nothing_acknowledged_is_lost_when_only_the_process_dies(void **state)
{
	(void)state;
	cut_everywhere(VFS_LOSE_NOTHING);
}

static void nothing_acknowledged_is_lost_when_writes_are_torn(void **state)
{
	(void)state;
	cut_everywhere(VFS_LOSE_SOME);
}

static void a_second_power_cut_while_opening_again_loses_nothing(void **state)
{
	uint64_t at = 1;
	bool cut = true;

	(void)state;
	for (; cut; at++) {
		struct run run;

		run_whole_and_cut(&run);
		vfs_crash_arm(disk, VFS_POWER_CUT, at, 1);
		if (place_try_open(&run.place) == 0)
			run.place.store = store_abandon(run.place.store);
		cut = vfs_crash_struck(disk);
		vfs_crash_restart(disk, at % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
		reopen_after_crash(&run);
		assert_int_equal(run.durable, STEPS);
		assert_int_equal(run.place.condition, STORE_GOOD);
		run_fini(&run);
	}
	assert_true(at > 5);
}

/* Enough that the log is folded into the database on the way, which else only closing does. */
static void flush_more_than_the_log_may_hold(struct run *run, size_t *done)
{
	mdc_autofree char *value = xmalloc((6 << 20) + 1);

	memset(value, 'L', 6 << 20);
	value[6 << 20] = '\0';
	store_put_value(run->place.store, "large", value);
	store_flush(run->place.store, count_durable, done);
	tiny_turn(&run->place.loop);
}

/* How many operations there were. */
static uint64_t cut_while_folding(uint64_t at, enum vfs_loss loss)
{
	mdc_autofree char *value = NULL;
	struct run run;
	uint64_t before, count;
	size_t done = 0;

	run_whole_and_cut(&run);
	place_open(&run.place);
	before = vfs_crash_count(disk, VFS_POWER_CUT);
	vfs_crash_arm(disk, VFS_POWER_CUT, at, 1);
	flush_more_than_the_log_may_hold(&run, &done);
	count = vfs_crash_count(disk, VFS_POWER_CUT) - before;
	run.place.store = store_abandon(run.place.store);
	vfs_crash_restart(disk, loss);
	reopen_after_crash(&run);
	assert_int_equal(run.place.condition, STORE_GOOD);
	assert_int_equal(run.durable, STEPS);
	value = store_load_value(run.place.store, "large");
	if (done > 0 || value != NULL)
		assert_int_equal(strlen(value), 6 << 20);
	run_fini(&run);
	return count;
}

static void nothing_is_lost_while_the_log_is_folded_in(void **state)
{
	uint64_t count = cut_while_folding(UINT32_MAX, VFS_LOSE_UNSYNCED);

	(void)state;
	/* Each page goes to the log, with its head, and from there to the database. */
	assert_true(count > 3 * (6 << 20) / 4096);
	for (uint64_t at = 1; at <= count; at += 1 + count / 16)
		cut_while_folding(at, at % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
	/* Around the syncs between these. */
	for (uint64_t at = count - 3; at <= count; at++)
		cut_while_folding(at, VFS_LOSE_UNSYNCED);
}

/* --- with the thread --- */

static void a_power_cut_under_the_thread_loses_nothing_acknowledged(void **state)
{
	(void)state;
	for (uint64_t at = 12; at < 120; at += 11) {
		struct step_ticket tickets[STEPS];
		struct run run;
		size_t turns = 0;

		run_init(&run);
		run.place.world.store_threaded = true;
		place_open(&run.place);
		vfs_crash_arm(disk, VFS_POWER_CUT, at, 1);
		while (run.submitted < 7 && !vfs_crash_struck(disk)) {
			submit_step(&run, tickets);
			/* Either this is acknowledged, or the disk is gone. */
			while (run.durable < run.submitted && store_healthy(run.place.store))
				tiny_turn(&run.place.loop);
			turns++;
		}
		assert_true(turns > 0);
		run.place.store = store_abandon(run.place.store);
		tiny_turn(&run.place.loop);
		vfs_crash_restart(disk, at % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
		run.place.world.store_threaded = false;
		reopen_after_crash(&run);
		go_on_to_the_end(&run);
		run_fini(&run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost_when_unsynced_writes_are),
		cmocka_unit_test(nothing_acknowledged_is_lost_when_only_the_process_dies),
		cmocka_unit_test(nothing_acknowledged_is_lost_when_writes_are_torn),
		cmocka_unit_test(a_second_power_cut_while_opening_again_loses_nothing),
		cmocka_unit_test(nothing_is_lost_while_the_log_is_folded_in),
		cmocka_unit_test(a_power_cut_under_the_thread_loses_nothing_acknowledged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, remember, forget);
}
