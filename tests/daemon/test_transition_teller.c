/* SPDX-License-Identifier: Apache-2.0 */
/* When transitions are told, with and without their numbers, whatever the disk does. */
#include "daemon/transition_teller.h"

#include "daemon/journal_replay.h"
#include "daemon/store_internal.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/fake_world.h"
#include "tests/harness/vfs_crash.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define VFS "teller-vfs"
#define RESOURCE "/subscriptions/s/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m"
#define FOREVER (UINT64_MAX / 2)

struct fixture {
	struct fake_world fake;
	struct vfs_crash *vfs;
	char directory[64];
	struct store *store;
	struct transition_teller *teller;
};

static void start(struct fixture *f)
{
	struct diags diags = DIAGS_INIT;
	enum store_condition condition;

	assert_int_equal(
		store_open(&f->fake.world, f->directory, &diags, &condition, &f->store), 0);
	diags_fini(&diags);
	f->teller = transition_teller_new(&f->fake.world, f->store);
}

static void stop(struct fixture *f, bool crash)
{
	f->store = crash ? store_abandon(f->store) : store_close(f->store);
	f->teller = transition_teller_free(f->teller);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->vfs = vfs_crash_new(VFS, 7);
	fake_world_init(&f->fake, 11);
	f->fake.world.store_vfs = VFS;
	str_copy(f->directory, sizeof(f->directory), "/tmp/mdcd-teller-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	start(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	DIR *d = opendir(f->directory);
	struct dirent *e;

	stop(f, false);
	fake_world_fini(&f->fake);
	vfs_crash_free(f->vfs);
	while ((e = readdir(d)) != NULL) {
		mdc_autofree char *path = xasprintf("%s/%s", f->directory, e->d_name);

		if (e->d_name[0] != '.')
			assert_int_equal(remove(path), 0);
	}
	closedir(d);
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

static void take(struct fixture *f, const char *detail)
{
	/* Gone by the time it is told. */
	mdc_autofree char *mine = xstrdup(detail);
	const struct transition t = {
		.control = CONTROL_MDE_EXTENSION,
		.resource_id = RESOURCE,
		.name = "m",
		.machine = "m",
		.detail = mine,
		.from = ITEM_DRIFTED,
		.to = ITEM_QUEUED,
		.reason = REASON_QUEUED,
	};

	transition_teller_take(f->teller, &t);
}

static void pass(struct fixture *f, struct dur time)
{
	loop_virtual_run_for(f->fake.world.loop, time);
}

static size_t told(const struct fixture *f)
{
	return log_capture_count(f->fake.capture, LOG_TRANSITION_MESSAGE);
}

/* "number:detail" of an entry, with "?" for the number that it does not have. */
static void entry_is(const struct fixture *f, size_t n, const char *wanted)
{
	const struct captured_entry *e =
		log_capture_entry(f->fake.capture, LOG_TRANSITION_MESSAGE, n);
	const char *seq, *unstored, *again;
	char text[64];

	assert_non_null(e);
	seq = captured_field(e, "MDCD_SEQ");
	unstored = captured_field(e, "MDCD_UNSTORED");
	again = captured_field(e, "MDCD_REPLAYED");
	assert_int_equal(seq == NULL, unstored != NULL);
	assert_int_equal(again != NULL, captured_field(e, "MDCD_AT") != NULL);
	snprintf(text, sizeof(text), "%s:%s%s", seq != NULL ? seq : "?",
		captured_field(e, "MDCD_DETAIL"), again != NULL ? " again" : "");
	assert_string_equal(text, wanted);
	assert_non_null(strstr(captured_text(e), "m: mde-extension drifted -> queued"));
	assert_string_equal(captured_field(e, "MDCD_RESOURCE_ID"), RESOURCE);
}

static void fail_disk(struct fixture *f)
{
	vfs_crash_arm(f->vfs, VFS_IO_ERROR, 1, FOREVER);
}

/* --- a disk that works --- */

static void it_is_told_once_durable_and_in_order(void **state)
{
	struct fixture *f = *state;

	take(f, "a");
	take(f, "b");
	assert_int_equal(told(f), 0);
	assert_int_equal(transition_teller_held(f->teller), 2);
	pass(f, DUR_MS(0));
	take(f, "c");
	pass(f, DUR_MS(0));
	assert_int_equal(told(f), 3);
	entry_is(f, 0, "1:a");
	entry_is(f, 1, "2:b");
	entry_is(f, 2, "3:c");
	assert_int_equal(transition_teller_held(f->teller), 0);
	pass(f, DUR_H(1));
	assert_int_equal(told(f), 3);
	assert_int_equal(log_written_seq(f->fake.world.log), 3);
}

static void what_a_crash_takes_was_not_told_with_a_number(void **state)
{
	struct fixture *f = *state;

	take(f, "kept");
	pass(f, DUR_MS(0));
	take(f, "lost");
	stop(f, true);
	vfs_crash_restart(f->vfs, VFS_LOSE_UNSYNCED);
	start(f);
	take(f, "other");
	pass(f, DUR_MS(0));
	assert_int_equal(told(f), 2);
	entry_is(f, 0, "1:kept");
	entry_is(f, 1, "2:other");
}

/* Everything was flushed: the next start finds it in the store. */
static void what_is_held_at_the_end_is_told_at_the_next_start(void **state)
{
	struct fixture *f = *state;

	take(f, "last");
	stop(f, false);
	assert_int_equal(told(f), 0);
	start(f);
	journal_replay(f->store, f->fake.world.log);
	assert_int_equal(told(f), 1);
	assert_string_equal(
		captured_field(
			log_capture_entry(f->fake.capture, LOG_TRANSITION_MESSAGE, 0), "MDCD_SEQ"),
		"1");
}

/* --- one that does not --- */

static void while_the_disk_fails_people_see_it_at_once_and_its_number_later(void **state)
{
	struct fixture *f = *state;

	fail_disk(f);
	take(f, "first");
	pass(f, DUR_MS(500));
	assert_false(store_healthy(f->store));
	assert_int_equal(told(f), 0);
	/* Taken before that was known. */
	pass(f, DUR_MS(600));
	assert_int_equal(told(f), 1);
	entry_is(f, 0, "?:first");
	take(f, "second");
	assert_int_equal(told(f), 2);
	entry_is(f, 1, "?:second");
	pass(f, DUR_H(2));
	assert_int_equal(told(f), 2);
	vfs_crash_disarm(f->vfs);
	pass(f, DUR_S(2));
	take(f, "third");
	pass(f, DUR_MS(0));
	assert_int_equal(told(f), 5);
	entry_is(f, 2, "1:first again");
	entry_is(f, 3, "2:second again");
	entry_is(f, 4, "3:third");
	assert_int_equal(log_written_seq(f->fake.world.log), 3);
}

static void a_crash_while_the_disk_fails_gives_no_number_twice(void **state)
{
	struct fixture *f = *state;

	fail_disk(f);
	take(f, "a");
	pass(f, DUR_S(3));
	take(f, "b");
	stop(f, true);
	vfs_crash_restart(f->vfs, VFS_LOSE_UNSYNCED);
	start(f);
	take(f, "c");
	pass(f, DUR_MS(0));
	assert_int_equal(told(f), 3);
	entry_is(f, 0, "?:a");
	entry_is(f, 1, "?:b");
	entry_is(f, 2, "1:c");
}

/* --- very many --- */

static void every_number_was_told(const struct fixture *f, unsigned count)
{
	bool *seen = xcalloc(count + 1, sizeof(*seen));
	const struct captured_entry *e;

	for (size_t i = 0;
		(e = log_capture_entry(f->fake.capture, LOG_TRANSITION_MESSAGE, i)) != NULL; i++) {
		const char *seq = captured_field(e, "MDCD_SEQ");
		uint64_t n;

		if (seq == NULL)
			continue;
		assert_int_equal(str_parse_u64(seq, count, &n), 0);
		/* Details are those of the numbers. */
		assert_int_equal(strtoul(captured_field(e, "MDCD_DETAIL"), NULL, 10), n);
		seen[n] = true;
	}
	for (unsigned n = 1; n <= count; n++)
		assert_true(seen[n]);
	free(seen);
}

static void take_numbered(struct fixture *f, unsigned n, int size)
{
	mdc_autofree char *detail = xasprintf("%u %*s", n, size, "");

	take(f, detail);
}

static void send_what_is_missing(struct fixture *f)
{
	for (unsigned i = 0; i < 20; i++) {
		(void)journal_replay_dropped(f->store, f->fake.world.log);
		pass(f, DUR_S(1));
	}
}

static void more_than_is_held_comes_from_the_store(void **state)
{
	enum { MANY = 300, SIZE = 80000 };
	struct fixture *f = *state;

	fail_disk(f);
	take_numbered(f, 1, SIZE);
	pass(f, DUR_S(3));
	for (unsigned n = 2; n <= MANY; n++)
		take_numbered(f, n, SIZE);
	assert_int_equal(told(f), MANY);
	assert_in_range(transition_teller_held(f->teller), 150, 250);
	send_what_is_missing(f);
	vfs_crash_disarm(f->vfs);
	pass(f, DUR_S(2));
	assert_int_equal(transition_teller_held(f->teller), 0);
	take_numbered(f, MANY + 1, SIZE);
	pass(f, DUR_MS(0));
	send_what_is_missing(f);
	every_number_was_told(f, MANY + 1);
	assert_int_equal(log_written_seq(f->fake.world.log), MANY + 1);
}

static void what_the_store_gave_up_is_told_without_a_number_at_least(void **state)
{
	enum { MANY = 200 };
	struct fixture *f = *state;

	f->store->pending_max = 100000;
	fail_disk(f);
	for (unsigned n = 1; n <= MANY; n++) {
		take_numbered(f, n, 2000);
		pass(f, DUR_MS(100));
	}
	pass(f, DUR_S(2));
	assert_int_equal(told(f), MANY);
	assert_int_equal(transition_teller_held(f->teller), 0);
	for (size_t i = 0; i < MANY; i++)
		assert_non_null(captured_field(
			log_capture_entry(f->fake.capture, LOG_TRANSITION_MESSAGE, i),
			"MDCD_UNSTORED"));
	vfs_crash_disarm(f->vfs);
	pass(f, DUR_S(2));
	send_what_is_missing(f);
	/* Those that fitted reached the disk after all. */
	assert_in_range(told(f), MANY + 20, MANY + 60);
	assert_string_equal(
		captured_field(log_capture_entry(f->fake.capture, LOG_TRANSITION_MESSAGE, MANY),
			"MDCD_SEQ"),
		"1");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_is_told_once_durable_and_in_order),
		CASE(what_a_crash_takes_was_not_told_with_a_number),
		CASE(what_is_held_at_the_end_is_told_at_the_next_start),
		CASE(while_the_disk_fails_people_see_it_at_once_and_its_number_later),
		CASE(a_crash_while_the_disk_fails_gives_no_number_twice),
		CASE(more_than_is_held_comes_from_the_store),
		CASE(what_the_store_gave_up_is_told_without_a_number_at_least),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
