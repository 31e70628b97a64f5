/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/observer_fixture.h"

/* --- what there is --- */

static void subscriptions_with_their_plans_and_settings_are_read(void **state)
{
	struct fixture *f = *state;
	struct subscription *s;
	struct pass_report r;

	fake_azure_subscription(f->azure, SUB_A);
	fake_azure_subscription(f->azure, SUB_B);
	json_object_set_new(
		fake_azure_subscription_of(f->azure, SUB_B), "state", json_string("Disabled"));
	r = pass(f, PASS_SUBSCRIPTIONS);
	assert_int_equal(r.problems, 0);
	assert_int_equal(r.subscriptions, 2);
	assert_int_equal(f->listed, 1);
	s = inventory_subscription(f->inv, SUB_A);
	assert_true(s->visible);
	assert_int_equal(s->state, SUBSCRIPTION_ENABLED);
	assert_string_equal(s->pricing.tier, "Standard");
	assert_int_equal(s->settings[SETTING_WDATP].enabled, TRI_YES);
	assert_int_equal(s->settings_stamp.source, SOURCE_ARM);
	assert_int_equal(inventory_subscription(f->inv, SUB_B)->state, SUBSCRIPTION_DISABLED);
	assert_int_equal(times(&f->subscriptions, SUB_A), 1);
	assert_int_equal(times(&f->subscriptions, SUB_B), 1);
}

static void machines_with_their_extensions_are_read_from_graph(void **state)
{
	struct fixture *f = *state;
	struct machine *m;

	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, 3);
	fake_azure_extension(f->azure, SUB_A, "m001", "MDE.Linux", "Succeeded");
	fake_azure_extension(f->azure, SUB_A, "m002", "OmsAgentForLinux", "Succeeded");
	pass_both(f);
	assert_int_equal(f->report.machines, 3);
	assert_int_equal(f->azure->calls[AZURE_MACHINES] + f->azure->calls[AZURE_EXTENSIONS], 0);
	m = machine(f, SUB_A, "m001");
	assert_true(m->connected);
	assert_int_equal(m->os, OS_LINUX);
	assert_true(m->extensions_known);
	assert_true(m->mde.present);
	assert_int_equal(m->mde.provisioning, PROVISIONING_SUCCEEDED);
	assert_false(m->legacy.present);
	assert_true(machine(f, SUB_A, "m002")->legacy.present);
	assert_false(machine(f, SUB_A, "m000")->mde.present);
	assert_true(wall_is_set(machine(f, SUB_A, "m000")->mde.changed));
	assert_int_equal(inventory_subscription(f->inv, SUB_A)->announced_machines, 3);
	for (unsigned i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "m%03u", i);
		assert_int_equal(times(&f->machines, name), 1);
	}
}

static void facts_are_as_old_as_the_question(void **state)
{
	struct fixture *f = *state;
	struct wall before;

	fake_azure_subscription(f->azure, SUB_A);
	fake_azure_machine(f->azure, SUB_A, "m");
	fake_azure_extension(f->azure, SUB_A, "m", "MDE.Linux", "Succeeded");
	f->azure->latency = DUR_S(20);
	before = loop_wall(f->fake.world.loop);
	pass(f, PASS_SUBSCRIPTIONS);
	/* Token, list, plans, settings: each takes 20 s. */
	assert_in_range(
		wall_since(inventory_subscription(f->inv, SUB_A)->stamp.at, before).ms, 0, 1000);
	assert_in_range(
		wall_since(inventory_subscription(f->inv, SUB_A)->settings_stamp.at, before).ms,
		60000, 62000);
	pass(f, PASS_MACHINES);
	assert_in_range(
		wall_since(f->report.ended, machine(f, SUB_A, "m")->mde.at).ms, 20000, 21000);
	assert_in_range(
		wall_since(f->report.ended, machine(f, SUB_A, "m")->stamp.at).ms, 40000, 41000);
	/* Absence is concluded as of the beginning. */
	assert_int_equal(machine(f, SUB_A, "m")->legacy.at.ms, f->report.started.ms);
	assert_int_equal(
		inventory_subscription(f->inv, SUB_A)->machines_stamp.at.ms, f->report.started.ms);
}

static void many_machines_are_read_in_partitions_of_one_page(void **state)
{
	struct fixture *f = *state;

	fake_azure_subscription(f->azure, SUB_A);
	fake_azure_subscription(f->azure, SUB_B);
	add_machines(f, SUB_A, 0, 900);
	add_machines(f, SUB_B, 900, 900);
	for (unsigned i = 0; i < 900; i += 2) {
		char name[8];

		snprintf(name, sizeof(name), "m%03u", i);
		fake_azure_extension(f->azure, SUB_A, name, "MDE.Linux", "Succeeded");
	}
	pass_both(f);
	assert_int_equal(f->report.machines, 1800);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_COUNTS], 1);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_MACHINES], 3);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_EXTENSIONS], 1);
	assert_int_equal(map_count(&f->machines), 1800);
	assert_true(machine(f, SUB_A, "m898")->mde.present);
	assert_false(machine(f, SUB_A, "m899")->mde.present);
}

static void many_subscriptions_share_questions_of_two_hundred(void **state)
{
	struct fixture *f = *state;
	char id[64];

	for (unsigned i = 0; i < 450; i++) {
		snprintf(id, sizeof(id), "aaaaaaaa-0000-4000-8000-%012u", i);
		fake_azure_subscription(f->azure, id);
		fake_azure_machine(f->azure, id, "m");
	}
	f->azure->arm_page = 100;
	pass_both(f);
	assert_int_equal(f->report.subscriptions, 450);
	assert_int_equal(f->report.machines, 450);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_COUNTS], 3);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_MACHINES], 3);
	pass(f, PASS_SUBSCRIPTIONS);
	assert_int_equal(f->azure->calls[AZURE_SUBSCRIPTIONS], 5);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_PLANS], 3);
	assert_int_equal(f->azure->calls[AZURE_PLAN], 0);
	assert_int_equal(f->azure->calls[AZURE_SETTINGS], 450);
}

static void a_configured_subscription_that_nobody_sees_is_told(void **state)
{
	struct fixture *f = *state;
	char *ids[] = {(char *)SUB_C};

	f->scopes[0].everything = false;
	f->scopes[0].subscriptions = ids;
	f->scopes[0].subscription_count = 1;
	fake_azure_subscription(f->azure, SUB_A);
	pass(f, PASS_SUBSCRIPTIONS);
	assert_int_equal(times(&f->subscriptions, SUB_C), 1);
	assert_false(inventory_subscription(f->inv, SUB_C)->visible);
	assert_int_equal(f->report.subscriptions, 0);
	assert_int_equal(f->azure->calls[AZURE_SETTINGS], 0);
}

/* --- only what changed --- */

static void a_quiet_pass_tells_of_no_machine(void **state)
{
	struct fixture *f = *state;

	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, 50);
	fake_azure_extension(f->azure, SUB_A, "m007", "MDE.Linux", "Failed");
	pass_both(f);
	assert_int_equal(map_count(&f->machines), 50);
	for (unsigned i = 0; i < 3; i++) {
		pass_both(f);
		assert_int_equal(map_count(&f->machines), 0);
		assert_int_equal(times(&f->subscriptions, SUB_A), 1);
	}
}

static void what_moves_by_itself_is_no_change(void **state)
{
	struct fixture *f = *state;
	json_t *m, *e;

	fake_azure_subscription(f->azure, SUB_A);
	m = fake_azure_machine(f->azure, SUB_A, "m");
	e = fake_azure_extension(f->azure, SUB_A, "m", "MDE.Linux", "Succeeded");
	pass_both(f);
	set_property(m, "lastStatusChange", json_string("2026-11-24T13:00:00Z"));
	set_property(m, "vmId", json_string("x"));
	json_object_set_new(
		json_path(e, "properties.instanceView.status"), "message", json_string("fine 2"));
	pass_both(f);
	assert_int_equal(map_count(&f->machines), 0);
}

static void each_change_is_told_once(void **state)
{
	struct fixture *f = *state;
	json_t *gone_away, *tagged, *failed;

	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, 30);
	failed = fake_azure_extension(f->azure, SUB_A, "m003", "MDE.Linux", "Succeeded");
	fake_azure_extension(f->azure, SUB_A, "m004", "MDE.Linux", "Succeeded");
	pass_both(f);
	gone_away = fake_azure_machine(f->azure, SUB_A, "m001");
	set_property(gone_away, "status", json_string("Disconnected"));
	tagged = fake_azure_machine(f->azure, SUB_A, "m002");
	json_object_set_new(tagged, "tags", json_pack("{s:s}", "env", "lab"));
	set_property(failed, "provisioningState", json_string("Failed"));
	fake_azure_remove(f->azure, SUB_A, "m004/extensions/MDE.Linux");
	fake_azure_extension(f->azure, SUB_A, "m005", "MDE.Linux", "Creating");
	fake_azure_remove(f->azure, SUB_A, "m006");
	fake_azure_machine(f->azure, SUB_A, "new");
	pass_both(f);
	assert_int_equal(map_count(&f->machines), 6);
	assert_int_equal(times(&f->machines, "m001"), 1);
	assert_int_equal(times(&f->machines, "m002"), 1);
	assert_int_equal(times(&f->machines, "m003"), 1);
	assert_int_equal(times(&f->machines, "m004"), 1);
	assert_int_equal(times(&f->machines, "m005"), 1);
	assert_int_equal(times(&f->machines, "new"), 1);
	assert_int_equal(map_count(&f->gone), 1);
	assert_int_equal(times(&f->gone, "m006"), 1);
	pass_both(f);
	assert_int_equal(map_count(&f->machines) + map_count(&f->gone), 0);
}

static void a_machine_with_an_operation_is_always_told(void **state)
{
	struct fixture *f = *state;
	struct operation operation = {.phase = PHASE_SENT};
	struct item *item;

	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, 5);
	pass_both(f);
	item = inventory_item(inventory_subscription(f->inv, SUB_A), machine(f, SUB_A, "m002"),
		CONTROL_MDE_EXTENSION);
	item->operation = &operation;
	pass_both(f);
	assert_int_equal(map_count(&f->machines), 1);
	assert_int_equal(times(&f->machines, "m002"), 1);
	item->operation = NULL;
}

static void the_pass_ends_after_the_judging(void **state)
{
	struct fixture *f = *state;

	fake_azure_subscription(f->azure, SUB_A);
	f->judging = 500;
	observer_pass(f->observer, PASS_SUBSCRIPTIONS);
	for (unsigned i = 0; i < 20 && f->judging == 500; i++)
		loop_virtual_step(f->fake.world.loop);
	assert_int_equal(f->judging, 0);
	assert_int_equal(f->passes[PASS_SUBSCRIPTIONS], 1);
}

/* --- passes after each other, and configurations between them --- */

static void a_pass_wanted_while_one_runs_follows_once(void **state)
{
	struct fixture *f = *state;

	fake_azure_subscription(f->azure, SUB_A);
	observer_pass(f->observer, PASS_SUBSCRIPTIONS);
	loop_virtual_step(f->fake.world.loop);
	for (unsigned i = 0; i < 10; i++) {
		observer_pass(f->observer, PASS_MACHINES);
		observer_pass(f->observer, PASS_WATCH);
		observer_pass(f->observer, PASS_SUBSCRIPTIONS);
	}
	run(f, DUR_MIN(5));
	assert_int_equal(f->passes[PASS_SUBSCRIPTIONS], 2);
	assert_int_equal(f->passes[PASS_MACHINES], 1);
	assert_int_equal(f->passes[PASS_WATCH], 1);
	assert_false(observer_is_busy(f->observer));
}

/* A pass of each kind, stopped after some turns of the loop. False: it was over before. */
static bool begin_both(struct fixture *f, unsigned turns)
{
	fixture_init(f);
	prepare_forty(f);
	forget_told(f);
	f->azure->latency = DUR_MS(0);
	observer_pass(f->observer, PASS_SUBSCRIPTIONS);
	observer_pass(f->observer, PASS_MACHINES);
	run_turns(f, turns);
	return observer_is_busy(f->observer);
}

static void a_configuration_in_the_middle_begins_the_pass_again(void **state)
{
	bool busy = true;
	unsigned turns = 0;

	for (; busy; turns++) {
		struct fixture f;

		(void)state;
		busy = begin_both(&f, turns);
		reconfigure(&f);
		run(&f, DUR_MIN(5));
		assert_false(observer_is_busy(f.observer));
		assert_int_equal(f.passes[PASS_SUBSCRIPTIONS], 2);
		assert_int_equal(f.passes[PASS_MACHINES], 2);
		assert_int_equal(f.report.problems, 0);
		/* And it was about the subscriptions, not about none. */
		assert_int_equal(f.report.subscriptions, 1);
		assert_int_equal(times(&f.gone, "m000"), 1);
		assert_int_equal(times(&f.machines, "m001"), 1);
		fixture_fini(&f);
	}
	assert_true(turns > 30);
}

static void may_be_freed_at_any_time(void **state)
{
	bool busy = true;

	(void)state;
	for (unsigned turns = 1; busy; turns++) {
		struct fixture f;

		busy = begin_both(&f, turns);
		fixture_fini(&f);
	}
}

static void without_an_identity_nothing_is_asked(void **state)
{
	struct fixture *f = *state;

	fake_azure_subscription(f->azure, SUB_A);
	f->small.config.identity_count = 0;
	reconfigure(f);
	observer_pass(f->observer, PASS_SUBSCRIPTIONS);
	run(f, DUR_MIN(5));
	assert_false(observer_is_busy(f->observer));
	assert_int_equal(fake_azure_total(f->azure), 0);
}

/* --- the watch --- */

static void the_watch_tells_news_and_machines_with_operations(void **state)
{
	struct fixture *f = *state;
	struct operation operation = {.phase = PHASE_SENT};
	struct item *item;

	fake_azure_subscription(f->azure, SUB_B);
	fake_azure_machine(f->azure, SUB_B, "other");
	prepare_forty(f);
	item = inventory_item(inventory_subscription(f->inv, SUB_A), machine(f, SUB_A, "m005"),
		CONTROL_MDE_EXTENSION);
	item->operation = &operation;
	fake_azure_extension(f->azure, SUB_A, "m006", "MDE.Linux", "Updating");
	fake_azure_extension(f->azure, SUB_B, "other", "MDE.Linux", "Succeeded");
	f->watched[0] = inventory_subscription(f->inv, SUB_A);
	f->watched_count = 1;
	pass(f, PASS_WATCH);
	assert_int_equal(map_count(&f->machines), 2);
	assert_int_equal(times(&f->machines, "m005"), 1);
	assert_int_equal(times(&f->machines, "m006"), 1);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_MACHINES], 0);
	/* It concludes no absence. */
	assert_int_equal(map_count(&f->gone), 0);
	assert_true(machine(f, SUB_A, "m001")->mde.present);
	item->operation = NULL;
}

/* It comes round again before long. */
static void the_watch_asks_nothing_a_second_time(void **state)
{
	struct fixture *f = *state;
	struct spoiler broken = {.call = AZURE_GRAPH_EXTENSIONS, .status = 503};

	prepare_forty(f);
	f->watched[0] = inventory_subscription(f->inv, SUB_A);
	f->watched_count = 1;
	spoil_with(f, &broken);
	pass(f, PASS_WATCH);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_EXTENSIONS], 1);
	assert_int_not_equal(f->report.problems, 0);
	pass(f, PASS_MACHINES);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_EXTENSIONS], 3);
}

static void the_watch_of_nothing_asks_nothing(void **state)
{
	struct fixture *f = *state;

	prepare_forty(f);
	pass(f, PASS_WATCH);
	assert_int_equal(fake_azure_total(f->azure), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(subscriptions_with_their_plans_and_settings_are_read),
		CASE(machines_with_their_extensions_are_read_from_graph),
		CASE(facts_are_as_old_as_the_question),
		CASE(many_machines_are_read_in_partitions_of_one_page),
		CASE(many_subscriptions_share_questions_of_two_hundred),
		CASE(a_configured_subscription_that_nobody_sees_is_told),
		CASE(a_quiet_pass_tells_of_no_machine),
		CASE(what_moves_by_itself_is_no_change),
		CASE(each_change_is_told_once),
		CASE(a_machine_with_an_operation_is_always_told),
		CASE(the_pass_ends_after_the_judging),
		CASE(a_pass_wanted_while_one_runs_follows_once),
		cmocka_unit_test(a_configuration_in_the_middle_begins_the_pass_again),
		cmocka_unit_test(may_be_freed_at_any_time),
		CASE(without_an_identity_nothing_is_asked),
		CASE(the_watch_tells_news_and_machines_with_operations),
		CASE(the_watch_asks_nothing_a_second_time),
		CASE(the_watch_of_nothing_asks_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
