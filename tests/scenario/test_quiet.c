/* SPDX-License-Identifier: Apache-2.0 */
/* When nothing happens, nothing is done but what is configured; and when the network is gone. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define MACHINES SERVER("web1", WINDOWS UNREACHED) "," SERVER("lin1", LINUX UNREACHED)

/* --- thirty days --- */

#define POLL(subscriptions, machines) \
	"poll { subscriptions = " subscriptions "  machines = " machines \
	"  operations = 1m  jitter = 0% }\n"
#define QUIET(poll) poll CONFIG_POLICY CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce")

struct tally {
	uint64_t tokens, graph, arm, turns, disk;
	uint64_t history;
};

static struct tally tally_of(struct scenario *s)
{
	const struct transport *t = s->world.transport;
	struct store_checkpoint checkpoint;
	struct tally n = {
		.tokens = transport_estate_count(t, NULL, "login.test"),
		.graph = transport_estate_count(t, NULL, "ResourceGraph"),
		.arm = transport_estate_count(t, "GET", "management.test"),
		.turns = loop_virtual_turns(s->world.loop),
		.disk = vfs_crash_count(s->vfs, VFS_POWER_CUT),
	};

	store_checkpoint_read(s->daemon->store, &checkpoint);
	n.history = checkpoint.seq;
	return n;
}

static void test_thirty_days_of_quiet(void **state)
{
	/* As configured by default it takes a minute of the test's own time. */
	bool full = scenario_full();
	uint64_t subscriptions = full ? 2880 : 240, machines = full ? 8640 : 720;
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON,
			SERVER("web1", WINDOWS WITH_SENSOR("MDE.Windows")) "," SERVER(
				"off1", LINUX ", 'status': 'Disconnected'") "," SERVER("desk1",
				", 'os': 'Windows 10 Enterprise'")),
		.config = full ? QUIET(POLL("15m", "5m")) : QUIET(POLL("3h", "1h"))});
	struct tally before, after;

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_DAYS(1));
	before = tally_of(s);
	scenario_trace_clear(s);
	scenario_run(s, DUR_DAYS(30));
	after = tally_of(s);
	print_message("# %llu graph, %llu ARM, %llu tokens, %llu turns, %llu disk\n",
		(unsigned long long)(after.graph - before.graph),
		(unsigned long long)(after.arm - before.arm),
		(unsigned long long)(after.tokens - before.tokens),
		(unsigned long long)(after.turns - before.turns),
		(unsigned long long)(after.disk - before.disk));
	/* Three queries a pass over machines, one a pass over subscriptions; a few more or less. */
	assert_in_range(after.graph - before.graph, 1, 3 * machines + subscriptions + 8);
	/* The list, and one of settings a subscription; the retired agent's setting once a day,
	 * what is assigned a little more often. */
	assert_in_range(after.arm - before.arm, 1, 2 * subscriptions + 30 + 36 + 4);
	/* Tokens live for an hour; nobody needs more than one at a time. */
	assert_in_range(after.tokens - before.tokens, 1, 30 * 24 + 30);
	/* It looks after its house once a minute, and wakes for what it asked. */
	assert_in_range(after.turns - before.turns, 1,
		30 * 24 * 60 + 8 * (after.graph + after.arm + after.tokens));
	/* Nothing is told, stored or written. */
	assert_string_equal(scenario_trace(s), "");
	assert_int_equal(after.history, before.history);
	assert_int_equal(after.disk, before.disk);
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

/* --- without a network --- */

static struct scenario *migration(void)
{
	return scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, MACHINES),
		.document = DEPLOYER_OFF,
		.config = CONFIG_PROMPT});
}

static void is_migrated(struct scenario *s)
{
	scenario_settle(s, DUR_H(12));
	assert_int_equal(scenario_protected(s), 2);
	assert_int_equal(scenario_count(s, NULL, "compliant"), scenario_count(s, NULL, NULL));
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
	scenario_history_is_whole(s);
}

/* A few attempts each pass, whatever is tried. */
static void unplugged_for(struct scenario *s, struct dur length)
{
	uint64_t before = transport_estate_events(s->world.transport);
	uint64_t passes = (uint64_t)length.ms / (uint64_t)DUR_MIN(5).ms + 1;

	transport_estate_unplug(s->world.transport);
	scenario_run(s, length);
	assert_in_range(transport_estate_events(s->world.transport) - before, 1, 40 * passes);
	transport_estate_plug(s->world.transport);
}

static void test_a_start_without_a_network(void **state)
{
	scenario_auto *s = migration();

	(void)state;
	scenario_start(s);
	unplugged_for(s, DUR_H(8));
	scenario_run(s, DUR_MIN(70));
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_S(1));
	is_migrated(s);
	scenario_writes_are(s, NULL, 4, 4);
}

static void test_the_network_goes_at_any_moment_of_a_migration(void **state)
{
	/* From the confirmation on: reads, intents, writes, operations. */
	static const int64_t moments_ms[] = {1, 248, 250, 251, 252, 253, 254, 255, 256, 300, 2000,
		5252, 5254, 5256, 5300, 5502, 5504, 5506, 6000, 30000, 120000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moments_ms); i++) {
		scenario_auto *s = migration();

		scenario_begin(s);
		scenario_run(s, DUR_MS(moments_ms[i]));
		unplugged_for(s, DUR_H(5));
		is_migrated(s);
		scenario_writes_are(s, NULL, 4, 4);
	}
}

static void test_nothing_is_concluded_without_a_network(void **state)
{
	scenario_auto *s = migration();

	(void)state;
	scenario_begin(s);
	is_migrated(s);
	scenario_trace_clear(s);
	unplugged_for(s, DUR_H(30));
	assert_int_equal(scenario_traced(s, "->"), 0);
	assert_int_equal(map_count(&s->daemon->inventory->machines), 2);
	/* Nor is anything written on what was known before. */
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Free'");
	scenario_run(s, DUR_H(2));
	is_migrated(s);
	scenario_writes_are(s, NULL, 5, 5);
}

static void test_the_network_comes_and_goes(void **state)
{
	scenario_auto *s = migration();

	(void)state;
	scenario_start(s);
	for (unsigned i = 0; i < 40; i++) {
		scenario_run(s, DUR_MS(50 + 400 * i));
		transport_estate_unplug(s->world.transport);
		scenario_command(s, "confirm", NULL);
		scenario_run(s, DUR_MS(200 * i));
		transport_estate_plug(s->world.transport);
	}
	scenario_run(s, DUR_H(1));
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_S(1));
	is_migrated(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thirty_days_of_quiet),
		cmocka_unit_test(test_a_start_without_a_network),
		cmocka_unit_test(test_the_network_goes_at_any_moment_of_a_migration),
		cmocka_unit_test(test_nothing_is_concluded_without_a_network),
		cmocka_unit_test(test_the_network_comes_and_goes),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
