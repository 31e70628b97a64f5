/* SPDX-License-Identifier: Apache-2.0 */
/* Crashes at every event of a migration, disks that fill or fail, and states that are lost. */
#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DOWN DUR_S(30)
#define MACHINES SERVER("web1", WINDOWS UNREACHED) "," SERVER("lin1", LINUX UNREACHED)
/* The plan, WDATP, and two machines. */
#define WRITES 4
#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"

static struct scenario *migration(const char *document)
{
	return scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, MACHINES),
		.document = document,
		.config = CONFIG_PROMPT});
}

/* What it comes to without any crash. */
struct reference {
	char *states;
	uint64_t events;
};

static struct reference reference_of(const char *document)
{
	scenario_auto *s = migration(document);

	scenario_begin(s);
	scenario_settle(s, DUR_H(3));
	scenario_writes_are(s, NULL, WRITES, WRITES);
	return (struct reference){.states = scenario_states(s),
		.events = transport_estate_events(s->world.transport)};
}

/* Starts again, and on to the end, as long as it takes. */
static void go_on(struct scenario *s)
{
	scenario_run(s, DOWN);
	scenario_begin(s);
	scenario_run(s, DUR_S(1));
	if (!s->frozen)
		scenario_settle(s, DUR_H(10));
}

static void is_as_if_nothing_had_been(struct scenario *s, const struct reference *r)
{
	mdc_autofree char *states = scenario_states(s);

	assert_string_equal(states, r->states);
	scenario_writes_are(s, NULL, WRITES, WRITES);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
	scenario_history_is_whole(s);
	assert_int_equal(executor_running(s->daemon->executor), 0);
}

static void run_on(struct scenario *s)
{
	scenario_begin(s);
	scenario_run(s, DUR_S(1));
	if (!s->frozen)
		scenario_settle(s, DUR_H(3));
}

static void crash_at(
	uint64_t n, enum vfs_loss loss, const char *document, const struct reference *r)
{
	scenario_auto *s = migration(document);

	scenario_crash_at(s, n);
	run_on(s);
	assert_true(s->frozen);
	scenario_crash(s, loss);
	go_on(s);
	assert_int_equal(scenario_traced(s, "started"), 2);
	is_as_if_nothing_had_been(s, r);
}

/* Each kind of loss at each event, or the kinds in turn. */
static void sweep(const char *document)
{
	struct reference r = reference_of(document);
	unsigned losses = scenario_full() ? VFS_LOSS_N_ : 1;

	print_message("# %llu events: %s\n", (unsigned long long)r.events, document);
	for (uint64_t n = 1; n <= r.events; n++)
		for (unsigned i = 0; i < losses; i++)
			crash_at(n, (enum vfs_loss)((n + i) % VFS_LOSS_N_), document, &r);
	free(r.states);
}

#define WITH(operations) "'behaviour': {'deployer': {'on': false}, 'operations': " operations "}"

static void test_a_crash_at_every_event(void **state)
{
	(void)state;
	sweep(WITH("{'shape': 'async'}"));
}

static void test_a_crash_at_every_event_whatever_operations_look_like(void **state)
{
	(void)state;
	sweep(WITH("{'shape': 'body', 'hideCreation': false}"));
	if (!scenario_full())
		return;
	sweep(WITH("{'shape': 'location', 'create': '40m'}"));
	sweep(WITH("{'shape': 'bare', 'create': '40m'}"));
	sweep(WITH("{'shape': 'async', 'create': '40m', 'lost': 1}"));
}

static void test_crashes_again_and_again(void **state)
{
	struct reference r = reference_of(DEPLOYER_OFF);
	struct seed_range seeds = scenario_seeds(12);

	(void)state;
	for (unsigned seed = seeds.first; seed <= seeds.last; seed++) {
		scenario_auto *s = migration(DEPLOYER_OFF);
		struct rng rng;

		print_message("# seed %u\n", seed);
		rng_seed(&rng, seed);
		for (unsigned i = 0; i < 8; i++) {
			scenario_crash_at(s, 1 + rng_below(&rng, r.events / 2));
			run_on(s);
			scenario_run(s, DUR_MIN(10));
			scenario_crash(s, (enum vfs_loss)rng_below(&rng, VFS_LOSS_N_));
			scenario_run(s, rng_between(&rng, DUR_S(1), DUR_MIN(20)));
		}
		go_on(s);
		is_as_if_nothing_had_been(s, &r);
	}
	free(r.states);
}

/* --- the disk --- */

static uint64_t operations_of_disk(enum vfs_fault fault)
{
	scenario_auto *s = migration(DEPLOYER_OFF);

	run_on(s);
	return vfs_crash_count(s->vfs, fault);
}

static void run_until_struck(struct scenario *s)
{
	for (unsigned i = 0; i < 100000 && !vfs_crash_struck(s->vfs); i++)
		if (!loop_virtual_step(s->world.loop))
			break;
}

static bool start_on_bad_disk(struct scenario *s)
{
	mdc_autofree char *why = NULL;

	/* One that it cannot even be opened on is said, and tried again by systemd. */
	return scenario_try_start(s, &why) == 0;
}

static void cut_power_at(uint64_t n, const struct reference *r)
{
	scenario_auto *s = migration(DEPLOYER_OFF);

	vfs_crash_arm(s->vfs, VFS_POWER_CUT, n, 1);
	if (start_on_bad_disk(s)) {
		scenario_run(s, DUR_S(2));
		if (!vfs_crash_struck(s->vfs))
			scenario_command(s, "confirm", NULL);
		run_until_struck(s);
		scenario_crash(s, (enum vfs_loss)(n % VFS_LOSS_N_));
	} else {
		vfs_crash_restart(s->vfs, (enum vfs_loss)(n % VFS_LOSS_N_));
	}
	go_on(s);
	is_as_if_nothing_had_been(s, r);
}

static void test_a_power_cut_at_each_operation_of_the_disk(void **state)
{
	struct reference r = reference_of(DEPLOYER_OFF);
	uint64_t most = operations_of_disk(VFS_POWER_CUT);
	uint64_t stride = scenario_full() ? 1 : 7;

	(void)state;
	print_message("# %llu operations\n", (unsigned long long)most);
	for (uint64_t n = 1; n <= most; n += stride)
		cut_power_at(n, &r);
	free(r.states);
}

static void check_failing_disk(enum vfs_fault fault, uint64_t n, const struct reference *r)
{
	scenario_auto *s = migration(DEPLOYER_OFF);
	size_t writes;

	/* Long enough that the daemon has to live with it. */
	scenario_start(s);
	scenario_run(s, DUR_S(2));
	vfs_crash_arm(s->vfs, fault, n, UINT64_MAX / 2);
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_MIN(20));
	writes = scenario_writes(s, NULL);
	if (vfs_crash_struck(s->vfs)) {
		assert_false(store_healthy(s->daemon->store));
		assert_true(scenario_traced(s, "the store failed") > 0);
		scenario_run(s, DUR_H(2));
		/* Nothing is written to Azure whose intent is not on disk. */
		scenario_writes_are(s, NULL, writes, writes);
	}
	vfs_crash_disarm(s->vfs);
	scenario_run(s, DUR_MIN(5));
	assert_true(store_healthy(s->daemon->store));
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_S(1));
	scenario_settle(s, DUR_H(10));
	is_as_if_nothing_had_been(s, r);
	/* And it is all there after a restart. */
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
	scenario_run(s, DUR_MIN(20));
	is_as_if_nothing_had_been(s, r);
}

static void test_a_disk_that_is_full_for_hours(void **state)
{
	struct reference r = reference_of(DEPLOYER_OFF);
	uint64_t most = scenario_full() ? 60 : 24;

	(void)state;
	for (uint64_t n = 1; n <= most; n += scenario_full() ? 1 : 4)
		check_failing_disk(VFS_DISK_FULL, n, &r);
	free(r.states);
}

static void test_a_disk_that_fails_for_hours(void **state)
{
	struct reference r = reference_of(DEPLOYER_OFF);
	uint64_t most = scenario_full() ? 120 : 48;

	(void)state;
	for (uint64_t n = 1; n <= most; n += scenario_full() ? 1 : 8)
		check_failing_disk(VFS_IO_ERROR, n, &r);
	free(r.states);
}

static void test_a_single_error_of_the_disk_is_survived(void **state)
{
	struct reference r = reference_of(DEPLOYER_OFF);
	uint64_t most = operations_of_disk(VFS_IO_ERROR);
	uint64_t stride = scenario_full() ? 1 : most / 16;

	(void)state;
	for (uint64_t n = 40; n <= most; n += stride) {
		scenario_auto *s = migration(DEPLOYER_OFF);

		scenario_start(s);
		vfs_crash_arm(s->vfs, VFS_IO_ERROR, n, 1);
		scenario_run(s, DUR_S(10));
		scenario_command(s, "confirm", NULL);
		scenario_run(s, DUR_S(1));
		scenario_settle(s, DUR_H(3));
		vfs_crash_disarm(s->vfs);
		is_as_if_nothing_had_been(s, &r);
	}
	free(r.states);
}

/* --- lost states --- */

static void check_lost_state(void (*lose)(struct scenario *s), bool told)
{
	scenario_auto *s = migration(DEPLOYER_OFF);

	run_on(s);
	scenario_stop(s);
	lose(s);
	scenario_start(s);
	assert_int_equal(scenario_traced(s, "state lost") > 0, told);
	scenario_run(s, DUR_MIN(10));
	/* It does not know any more what was flipped twice, halted or confirmed. */
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Free'");
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "sub1", "servers-plan", "drifted", NULL);
	scenario_writes_are(s, NULL, WRITES, WRITES);
	/* Nor does a restart lift that. */
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
	scenario_run(s, DUR_H(1));
	scenario_writes_are(s, NULL, WRITES, WRITES);
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_S(1));
	scenario_settle(s, DUR_H(1));
	scenario_writes_are(s, NULL, WRITES + 1, WRITES + 1);
	scenario_is_good(s);
}

static void test_a_state_directory_that_is_lost_waits_for_confirmation(void **state)
{
	(void)state;
	check_lost_state(scenario_lose_state, false);
}

static void test_a_database_that_is_lost_waits_for_confirmation(void **state)
{
	(void)state;
	check_lost_state(scenario_lose_database, true);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_crash_at_every_event),
		cmocka_unit_test(test_a_crash_at_every_event_whatever_operations_look_like),
		cmocka_unit_test(test_crashes_again_and_again),
		cmocka_unit_test(test_a_power_cut_at_each_operation_of_the_disk),
		cmocka_unit_test(test_a_disk_that_is_full_for_hours),
		cmocka_unit_test(test_a_disk_that_fails_for_hours),
		cmocka_unit_test(test_a_single_error_of_the_disk_is_survived),
		cmocka_unit_test(test_a_state_directory_that_is_lost_waits_for_confirmation),
		cmocka_unit_test(test_a_database_that_is_lost_waits_for_confirmation),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
