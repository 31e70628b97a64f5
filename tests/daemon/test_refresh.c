/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/observer_fixture.h"

/* One subscription with `count` machines, observed once. */
static struct subscription *prepare(struct fixture *f, unsigned count)
{
	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, count);
	pass_both(f);
	forget_told(f);
	return inventory_subscription(f->inv, SUB_A);
}

static void refresh(struct fixture *f, struct machine *m)
{
	observer_refresh(f->observer, inventory_subscription(f->inv, SUB_A), m);
	run(f, DUR_MIN(2));
	assert_false(observer_is_busy(f->observer));
}

/* --- one machine --- */

static void a_machines_extensions_are_read_from_arm(void **state)
{
	struct fixture *f = *state;
	struct machine *m;
	struct wall asked;

	prepare(f, 2);
	m = machine(f, SUB_A, "m001");
	fake_azure_extension(f->azure, SUB_A, "m001", "MDE.Linux", "Creating");
	f->azure->latency = DUR_S(10);
	asked = loop_wall(f->fake.world.loop);
	refresh(f, m);
	assert_int_equal(f->azure->calls[AZURE_EXTENSIONS], 1);
	assert_int_equal(fake_azure_total(f->azure), 1);
	assert_int_equal(times(&f->machines, "m001"), 1);
	assert_int_equal(map_count(&f->machines), 1);
	assert_int_equal(m->mde.provisioning, PROVISIONING_RUNNING);
	assert_int_equal(m->mde.source, SOURCE_ARM);
	assert_int_equal(m->mde.at.ms, asked.ms);
	assert_int_equal(m->legacy.at.ms, asked.ms);
	fake_azure_remove(f->azure, SUB_A, "m001/extensions/MDE.Linux");
	refresh(f, m);
	assert_false(m->mde.present);
	assert_true(m->extensions_known);
}

static void a_complete_list_from_arm_makes_extensions_known(void **state)
{
	struct fixture *f = *state;
	struct machine *m;

	prepare(f, 1);
	m = machine(f, SUB_A, "m000");
	m->extensions_known = false;
	refresh(f, m);
	assert_true(m->extensions_known);
}

static void what_cannot_be_read_completely_changes_nothing(void **state)
{
#define MACHINE_PATH \
	"/subscriptions/" SUB_A "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/" \
	"m000"
	static const struct {
		int status;
		const char *body;
	} rows[] = {
		{500, ""},
		{403, ""},
		{404, ""},
		{410, ""},
		{200, "{\"value\":["},
		{200, "{}"},
		{200, "{\"value\":[],\"nextLink\":\"https://evil.test/\"}"},
		{200, "{\"value\":[{\"id\":\"x\"}]}"},
		{200, "{\"value\":[{}]}"},
		/* Of another machine, or below one of whose name this is the beginning. */
		{200, "{\"value\":[{\"id\":\"" MACHINE_PATH "1/extensions/MDE.Linux\"}]}"},
		{200, "{\"value\":[{\"id\":\"" MACHINE_PATH "\"}]}"},
		/* Which extension is it? */
		{200,
			"{\"value\":[{\"id\":\"" MACHINE_PATH "/extensions/x\",\"properties\":{"
			"\"type\":\"MDE.Linux\"}}]}"},
	};
	struct fixture *f = *state;
	struct machine *m;

	fake_azure_subscription(f->azure, SUB_A);
	fake_azure_machine(f->azure, SUB_A, "m000");
	fake_azure_extension(f->azure, SUB_A, "m000", "MDE.Linux", "Succeeded");
	pass_both(f);
	m = machine(f, SUB_A, "m000");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct spoiler spoiler = {
			.call = AZURE_EXTENSIONS, .status = rows[i].status, .body = rows[i].body};

		forget_told(f);
		spoil_with(f, &spoiler);
		refresh(f, m);
		if (!m->mde.present)
			fail_msg("row %zu", i);
		/* It is judged all the same: somebody waits for that. */
		assert_int_equal(times(&f->machines, "m000"), 1);
	}
}

static void an_extension_of_another_system_is_not_the_machines_own(void **state)
{
	struct fixture *f = *state;
	struct machine *m;

	prepare(f, 1);
	m = machine(f, SUB_A, "m000");
	fake_azure_extension(f->azure, SUB_A, "m000", "MDE.Linux", "Succeeded");
	refresh(f, m);
	assert_true(m->mde.present);
	fake_azure_remove(f->azure, SUB_A, "m000/extensions/MDE.Linux");
	fake_azure_extension(f->azure, SUB_A, "m000", "MDE.Windows", "Succeeded");
	refresh(f, m);
	assert_false(m->mde.present);
}

static void not_there_says_nothing_while_ours_is_being_created(void **state)
{
	struct fixture *f = *state;
	struct operation operation = {.phase = PHASE_SENT};
	struct machine *m;
	struct item *item;

	prepare(f, 1);
	m = machine(f, SUB_A, "m000");
	fake_azure_extension(f->azure, SUB_A, "m000", "MDE.Linux", "Failed");
	refresh(f, m);
	item = inventory_item(m->subscription, m, CONTROL_MDE_EXTENSION);
	item->operation = &operation;
	fake_azure_remove(f->azure, SUB_A, "m000/extensions/MDE.Linux");
	refresh(f, m);
	assert_true(m->mde.present);
	item->operation = NULL;
	refresh(f, m);
	assert_false(m->mde.present);
}

/* --- one subscription --- */

static void a_subscriptions_plan_and_settings_are_read_from_arm(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = prepare(f, 0);
	json_t *document = fake_azure_subscription_of(f->azure, SUB_A);

	set_property(json_object_get(document, "plan"), "pricingTier", json_string("Free"));
	json_object_set_new(document, "settings", json_pack("{s:b}", "WDATP_UNIFIED_SOLUTION", 1));
	observer_refresh(f->observer, s, NULL);
	run(f, DUR_MIN(1));
	assert_string_equal(s->pricing.tier, "Free");
	assert_int_equal(s->settings[SETTING_WDATP].enabled, TRI_UNKNOWN);
	assert_int_equal(s->settings[SETTING_UNIFIED].enabled, TRI_YES);
	assert_int_equal(times(&f->subscriptions, SUB_A), 1);
	assert_int_equal(fake_azure_total(f->azure), 2);
}

static void bad_answers_about_a_subscription_change_nothing(void **state)
{
	static const struct spoiler spoilers[] = {
		{.call = AZURE_PLAN, .status = 500},
		{.call = AZURE_PLAN, .body = "{"},
		{.call = AZURE_PLAN,
			.body = "{\"id\":\"/subscriptions/" SUB_B
				"/providers/Microsoft.Security/pricings/VirtualMachines\","
				"\"properties\":{\"pricingTier\":\"Free\"}}"},
		{.call = AZURE_SETTINGS, .status = 403},
		{.call = AZURE_SETTINGS, .body = "{\"value\":[{\"id\":7}]}"},
		{.call = AZURE_SETTINGS, .body = "[]"},
	};
	struct fixture *f = *state;
	struct subscription *s = prepare(f, 0);

	for (size_t i = 0; i < ARRAY_LEN(spoilers); i++) {
		struct spoiler spoiler = spoilers[i];

		forget_told(f);
		spoil_with(f, &spoiler);
		observer_refresh(f->observer, s, NULL);
		run(f, DUR_MIN(1));
		assert_true(spoiler.hits > 0);
		assert_string_equal(s->pricing.tier, "Standard");
		assert_int_equal(s->settings[SETTING_WDATP].enabled, TRI_YES);
		assert_int_equal(times(&f->subscriptions, SUB_A), 1);
	}
}

/* --- many --- */

static void wishes_for_the_same_are_one_until_it_is_asked(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = prepare(f, 40);
	struct machine *last = machine(f, SUB_A, "m039");

	for (uint32_t i = 0; i < 40; i++)
		for (unsigned k = 0; k < 3; k++)
			observer_refresh(f->observer, s, s->machines[i]);
	run(f, DUR_MIN(5));
	assert_int_equal(times(&f->machines, last->name), 1);
	/* Sixteen were being asked at once, about which a later wish is another one. */
	assert_int_equal(times(&f->machines, "m000"), 2);
	assert_int_equal(f->azure->calls[AZURE_EXTENSIONS], 40 + 16);
	assert_false(observer_is_busy(f->observer));
}

static void at_most_sixteen_are_asked_at_once(void **state)
{
	struct fixture *f = *state;
	struct transport *t = f->fake.world.transport;
	struct subscription *s = prepare(f, 200);
	size_t most = 0;

	f->azure->latency = DUR_S(1);
	for (uint32_t i = 0; i < 200; i++)
		observer_refresh(f->observer, s, s->machines[i]);
	while (observer_is_busy(f->observer)) {
		size_t running = t->ops->running(t);

		most = running > most ? running : most;
		loop_virtual_step(f->fake.world.loop);
	}
	assert_int_equal(most, 16);
	assert_int_equal(map_count(&f->machines), 200);
}

/* --- what goes away meanwhile --- */

static void a_machine_may_vanish_while_it_is_asked_for_or_waits(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = prepare(f, 60);
	unsigned told;

	for (uint32_t i = 0; i < 60; i++)
		observer_refresh(f->observer, s, s->machines[i]);
	loop_virtual_step(f->fake.world.loop);
	for (uint32_t i = 60; i-- > 0;) {
		struct machine *m = s->machines[i];

		observer_forget(f->observer, m);
		if (i % 2 == 0)
			inventory_remove_machine(f->inv, m);
	}
	told = (unsigned)map_count(&f->machines);
	run(f, DUR_MIN(5));
	assert_false(observer_is_busy(f->observer));
	assert_int_equal(map_count(&f->machines), told);
	/* Those that are still there can be wished for again. */
	for (uint32_t i = 0; i < s->machine_count; i++)
		observer_refresh(f->observer, s, s->machines[i]);
	run(f, DUR_MIN(5));
	assert_true(map_count(&f->machines) >= 30);
}

static void a_pass_that_concludes_their_absence_ends_their_refreshes(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = prepare(f, 40);

	fake_azure_remove(f->azure, SUB_A, "m000");
	fake_azure_remove(f->azure, SUB_A, "m020");
	observer_pass(f->observer, PASS_MACHINES);
	/* So many that some still wait when the pass ends. */
	f->azure->latency = DUR_S(2);
	for (uint32_t i = 0; i < 40; i++)
		observer_refresh(f->observer, s, s->machines[i]);
	run(f, DUR_MIN(10));
	assert_false(observer_is_busy(f->observer));
	assert_int_equal(map_count(&f->gone), 2);
	assert_int_equal(s->machine_count, 38);
}

static void a_subscription_may_leave_its_scope_at_any_time(void **state)
{
	for (unsigned turns = 0; turns < 25; turns++) {
		struct fixture f;
		struct subscription *s;

		(void)state;
		fixture_init(&f);
		s = prepare(&f, 40);
		f.azure->latency = DUR_MS(0);
		observer_refresh(f.observer, s, NULL);
		for (uint32_t i = 0; i < 40; i++)
			observer_refresh(f.observer, s, s->machines[i]);
		run_turns(&f, turns);
		s->scope = NULL;
		observer_refresh(f.observer, s, NULL);
		run(&f, DUR_MIN(5));
		assert_false(observer_is_busy(f.observer));
		fixture_fini(&f);
	}
}

static void another_configuration_asks_them_anew(void **state)
{
	unsigned again = 0;

	for (unsigned turns = 0; turns < 25; turns++) {
		struct fixture f;
		struct subscription *s;

		(void)state;
		fixture_init(&f);
		s = prepare(&f, 40);
		f.azure->latency = DUR_MS(0);
		observer_refresh(f.observer, s, NULL);
		for (uint32_t i = 0; i < 40; i++)
			observer_refresh(f.observer, s, s->machines[i]);
		run_turns(&f, turns);
		reconfigure(&f);
		run(&f, DUR_MIN(5));
		assert_false(observer_is_busy(f.observer));
		assert_int_equal(map_count(&f.machines), 40);
		assert_int_equal(times(&f.subscriptions, SUB_A), 1);
		again += f.azure->calls[AZURE_EXTENSIONS] > 40;
		fixture_fini(&f);
	}
	assert_true(again > 0);
}

static void may_be_freed_at_any_time(void **state)
{
	for (unsigned turns = 0; turns < 25; turns++) {
		struct fixture f;
		struct subscription *s;

		(void)state;
		fixture_init(&f);
		s = prepare(&f, 40);
		f.azure->latency = DUR_MS(0);
		observer_refresh(f.observer, s, NULL);
		for (uint32_t i = 0; i < 40; i++)
			observer_refresh(f.observer, s, s->machines[i]);
		run_turns(&f, turns);
		fixture_fini(&f);
	}
}

/* --- beside a pass --- */

/* Graph's answer about extensions comes late, and is older than what ARM tells meanwhile. */
static void answer_late(void *ctx, struct fake_azure *a, enum azure_call call,
	const struct http_request *request, struct azure_reply *reply)
{
	(void)ctx;
	(void)a;
	(void)request;
	if (call == AZURE_GRAPH_EXTENSIONS)
		reply->delay = DUR_S(20);
}

static void an_older_answer_of_graph_does_not_take_back_arms(void **state)
{
	struct fixture *f = *state;
	struct machine *m;

	prepare(f, 20);
	m = machine(f, SUB_A, "m003");
	fake_azure_extension(f->azure, SUB_A, "m003", "MDE.Linux", "Creating");
	f->azure->hook = answer_late;
	observer_pass(f->observer, PASS_MACHINES);
	run(f, DUR_S(5));
	/* Failed, which is no state that Graph is believed to lag behind. */
	fake_azure_extension(f->azure, SUB_A, "m003", "MDE.Linux", "Failed");
	observer_refresh(f->observer, m->subscription, m);
	run(f, DUR_S(5));
	assert_int_equal(m->mde.provisioning, PROVISIONING_FAILED);
	run(f, DUR_S(30));
	assert_int_equal(f->passes[PASS_MACHINES], 2);
	assert_int_equal(m->mde.provisioning, PROVISIONING_FAILED);
	assert_int_equal(m->mde.source, SOURCE_ARM);
	/* Then it goes, which ARM tells while Graph's answer with it is on its way. */
	observer_pass(f->observer, PASS_MACHINES);
	run(f, DUR_S(5));
	fake_azure_remove(f->azure, SUB_A, "m003/extensions/MDE.Linux");
	observer_refresh(f->observer, m->subscription, m);
	run(f, DUR_MIN(1));
	assert_int_equal(f->passes[PASS_MACHINES], 3);
	assert_false(m->mde.present);
}

static void what_arm_told_during_a_pass_is_not_concluded_absent_by_it(void **state)
{
	struct fixture *f = *state;
	struct machine *m;

	prepare(f, 20);
	m = machine(f, SUB_A, "m003");
	f->azure->hook = answer_late;
	observer_pass(f->observer, PASS_MACHINES);
	run(f, DUR_S(5));
	fake_azure_extension(f->azure, SUB_A, "m003", "MDE.Linux", "Creating");
	observer_refresh(f->observer, m->subscription, m);
	run(f, DUR_MIN(1));
	assert_int_equal(f->passes[PASS_MACHINES], 2);
	assert_true(m->mde.present);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_machines_extensions_are_read_from_arm),
		CASE(a_complete_list_from_arm_makes_extensions_known),
		CASE(what_cannot_be_read_completely_changes_nothing),
		CASE(an_extension_of_another_system_is_not_the_machines_own),
		CASE(not_there_says_nothing_while_ours_is_being_created),
		CASE(a_subscriptions_plan_and_settings_are_read_from_arm),
		CASE(bad_answers_about_a_subscription_change_nothing),
		CASE(wishes_for_the_same_are_one_until_it_is_asked),
		CASE(at_most_sixteen_are_asked_at_once),
		CASE(a_machine_may_vanish_while_it_is_asked_for_or_waits),
		CASE(a_pass_that_concludes_their_absence_ends_their_refreshes),
		cmocka_unit_test(a_subscription_may_leave_its_scope_at_any_time),
		cmocka_unit_test(another_configuration_asks_them_anew),
		cmocka_unit_test(may_be_freed_at_any_time),
		CASE(an_older_answer_of_graph_does_not_take_back_arms),
		CASE(what_arm_told_during_a_pass_is_not_concluded_absent_by_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
