/* SPDX-License-Identifier: Apache-2.0 */
/* The observer tells what changed, and the reconciler judges that and nothing else. */
#include "daemon/reconciler.h"
#include "lib/base/rng.h"
#include "tests/daemon/observer_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#define SUBSCRIPTIONS 3
#define MACHINES 8
#define SENSOR_ITEM (CONTROL_MDE_EXTENSION - FIRST_MACHINE_CONTROL)

struct judging {
	struct fixture f;
	struct store *store;
	struct reconciler *reconciler;
	char directory[64];
	struct exclude_config excludes[2];
	struct policy_config other_policy;
	unsigned judged; /* machines that were told */
	uint64_t turn, judged_in_turn, most_in_turn;
	struct rng rng;
};

static struct judging *of(void *ctx)
{
	return container_of((struct fixture *)ctx, struct judging, f);
}

static void see_subscription(void *ctx, struct subscription *s)
{
	reconciler_subscription_seen(of(ctx)->reconciler, s);
}

static void see_machine(void *ctx, struct machine *m)
{
	struct judging *j = of(ctx);
	uint64_t turn = loop_virtual_turns(j->f.fake.world.loop);

	j->judged++;
	j->judged_in_turn = turn == j->turn ? j->judged_in_turn + 1 : 1;
	j->turn = turn;
	if (j->judged_in_turn > j->most_in_turn)
		j->most_in_turn = j->judged_in_turn;
	reconciler_machine_seen(j->reconciler, m);
}

static void machine_is_gone(void *ctx, struct machine *m)
{
	reconciler_machine_gone(of(ctx)->reconciler, m);
}

static bool is_judging(void *ctx)
{
	return reconciler_is_judging(of(ctx)->reconciler);
}

static void observe(void *ctx, const struct item_ref *ref)
{
	observer_refresh(of(ctx)->f.observer, ref->subscription, ref->machine);
}

static void ignore_item(void *ctx, const struct item_ref *ref)
{
	(void)ctx;
	(void)ref;
}

static void ignore_end(void *ctx, const struct item_ref *ref, const char *outcome)
{
	(void)ctx;
	(void)ref;
	(void)outcome;
}

static void no_limits(void *ctx, struct plan_limits *ret)
{
	(void)ctx;
	*ret = (struct plan_limits){0};
}

static void configure_policy(struct judging *j)
{
	struct fixture *f = &j->f;
	static struct selector lab, group;
	static char *groups[] = {(char *)"other"};

	f->policy = (struct policy_config){.name = (char *)"policy",
		.plan = PLAN_P2,
		.integration = true,
		.unified_solution = true,
		.deploy = DEPLOY_AFTER_GRACE,
		.grace = DUR_H(3),
		.first_grace = DUR_H(14),
		.legacy_replace = true};
	j->other_policy = f->policy;
	j->other_policy.grace = DUR_H(30);
	j->other_policy.legacy_replace = false;
	lab.tags = xcalloc(1, sizeof(*lab.tags));
	lab.tags[0].name = (char *)"env";
	lab.tags[0].value = (char *)"lab";
	lab.tag_count = 1;
	group.groups = groups;
	group.group_count = 1;
	j->excludes[0] = (struct exclude_config){.name = (char *)"lab",
		.selector = lab,
		.reason = (char *)"lab",
		.until = wall_add(loop_wall(f->fake.world.loop), DUR_DAYS(6))};
	j->excludes[1] = (struct exclude_config){
		.name = (char *)"other", .selector = group, .until = WALL_NEVER};
	f->scopes[0].excludes = j->excludes;
	f->scopes[0].exclude_count = 2;
	f->small.config.poll.machines = DUR_MIN(5);
	f->small.config.poll.subscriptions = DUR_MIN(15);
	reconciler_configure(j->reconciler, &f->small.config);
}

static void judging_init(struct judging *j)
{
	struct observer_ports ports = {0};
	struct reconciler_ports asks = {.ctx = &j->f,
		.observe = observe,
		.inquire = ignore_item,
		.withdraw = ignore_item,
		.ended = ignore_end,
		.carry_out = ignore_item,
		.limits = no_limits};
	enum store_condition condition;
	struct diags diags = {0};

	*j = (struct judging){0};
	ports = ports_of(&j->f);
	ports.subscription_seen = see_subscription;
	ports.machine_seen = see_machine;
	ports.machine_gone = machine_is_gone;
	ports.judging = is_judging;
	fixture_init_with(&j->f, &ports);
	strcpy(j->directory, "/tmp/mdcd-judging-XXXXXX");
	assert_non_null(mkdtemp(j->directory));
	assert_int_equal(
		store_open(&j->f.fake.world, j->directory, &diags, &condition, &j->store), 0);
	diags_fini(&diags);
	j->reconciler = reconciler_new(&j->f.fake.world, j->store, j->f.inv, &asks);
	configure_policy(j);
}

static void judging_fini(struct judging *j)
{
	mdc_autofree char *clean = xasprintf("rm -rf %s", j->directory);

	observer_free(j->f.observer);
	j->f.observer = NULL;
	store_close(j->store);
	reconciler_free(j->reconciler);
	free(j->excludes[0].selector.tags);
	fixture_fini(&j->f);
	assert_int_equal(system(clean), 0);
}

/* --- changes --- */

static const char *subscription_id(unsigned i)
{
	static char id[GUID_TEXT_SIZE];

	snprintf(id, sizeof(id), "aaaaaaaa-0000-4000-8000-%012u", i);
	return id;
}

static const char *any_subscription(struct judging *j)
{
	return subscription_id((unsigned)rng_below(&j->rng, SUBSCRIPTIONS));
}

static const char *any_name(struct judging *j)
{
	static char name[16];

	snprintf(name, sizeof(name), "m%03u", (unsigned)rng_below(&j->rng, MACHINES));
	return name;
}

static const char *one_of(struct judging *j, const char *const *words, size_t count)
{
	return words[rng_below(&j->rng, count)];
}
#define ONE_OF(j, ...) \
	one_of((j), (const char *const[]){__VA_ARGS__}, \
		ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void change_machine(struct judging *j)
{
	json_t *m = fake_azure_machine(j->f.azure, any_subscription(j), any_name(j));

	if (rng_below(&j->rng, 2) == 0) {
		const char *sku = ONE_OF(j, "Windows Server 2016 Datacenter", "Ubuntu 22.04.4 LTS",
			"Windows Server 2022 Datacenter", "Debian 7");

		set_property(m, "osSku", json_string(sku));
		set_property(m, "osType",
			json_string(str_starts_nocase(sku, "Windows") ? "windows" : "linux"));
		set_property(m, "osName", json_null());
	}
	if (rng_below(&j->rng, 2) == 0)
		set_property(m, "status",
			json_string(ONE_OF(
				j, "Connected", "Connected", "Disconnected", "Expired", "Error")));
	if (rng_below(&j->rng, 4) == 0)
		json_object_set_new(m, "tags", json_pack("{s:s}", "env", ONE_OF(j, "lab", "prod")));
	if (rng_below(&j->rng, 8) == 0)
		set_property(m, "agentConfiguration",
			json_pack("{s:s}", "extensionsEnabled", ONE_OF(j, "true", "false")));
}

static void change_extension(struct judging *j)
{
	const char *subscription = any_subscription(j), *name = any_name(j);
	const char *type = ONE_OF(
		j, "MDE.Linux", "MDE.Windows", "MicrosoftMonitoringAgent", "OmsAgentForLinux");
	mdc_autofree char *all = xasprintf("%s/extensions", name);
	json_t *e;

	if (rng_below(&j->rng, 2) == 0) {
		fake_azure_remove(j->f.azure, subscription, all);
		return;
	}
	e = fake_azure_extension(j->f.azure, subscription, name, type,
		ONE_OF(j, "Succeeded", "Failed", "Creating", "Canceled", "Strange"));
	json_object_set_new(json_path(e, "properties.instanceView.status"), "code",
		json_string(ONE_OF(j, "0", "1", "12", "51", "-310")));
	if (rng_below(&j->rng, 2) == 0)
		json_object_set_new(
			json_path(e, "properties.settings"), "vNextEnabled", json_string("true"));
	if (rng_below(&j->rng, 6) == 0)
		json_object_set_new(
			json_path(e, "properties.settings"), "azureResourceId", json_string("/x"));
}

static void change_subscription(struct judging *j)
{
	json_t *s = fake_azure_subscription_of(j->f.azure, any_subscription(j));
	json_t *plan = json_object_get(s, "plan"), *settings = json_object_get(s, "settings");

	switch (rng_below(&j->rng, 5)) {
	case 0:
		set_property(plan, "pricingTier", json_string(ONE_OF(j, "Free", "Standard")));
		set_property(plan, "enablementTime", json_string("2026-11-25T00:00:00Z"));
		break;
	case 1: json_object_set_new(settings, "WDATP", json_boolean(rng_below(&j->rng, 2))); break;
	case 2:
		if (rng_below(&j->rng, 2) == 0)
			json_object_del(settings, "WDATP_UNIFIED_SOLUTION");
		else
			json_object_set_new(settings, "WDATP_UNIFIED_SOLUTION",
				json_boolean(rng_below(&j->rng, 2)));
		break;
	case 3:
		json_object_set_new(s, "state", json_string(ONE_OF(j, "Enabled", "Disabled")));
		break;
	default:
		if (json_object_get(s, "seen_by") != NULL)
			json_object_del(s, "seen_by");
		else if (rng_below(&j->rng, 3) == 0)
			json_object_set_new(s, "seen_by", json_array());
	}
}

static void change_configuration(struct judging *j)
{
	struct fixture *f = &j->f;

	f->scopes[0].policy = f->scopes[0].policy == &f->policy ? &j->other_policy : &f->policy;
	observer_configure(f->observer, &f->small.config);
	reconciler_configure(j->reconciler, &f->small.config);
}

static void change_something(struct judging *j)
{
	switch (rng_below(&j->rng, 12)) {
	case 0:
	case 1:
	case 2:
	case 3: change_machine(j); break;
	case 4:
	case 5:
	case 6:
	case 7: change_extension(j); break;
	case 8: fake_azure_remove(j->f.azure, any_subscription(j), any_name(j)); break;
	case 9:
	case 10: change_subscription(j); break;
	default:
		if (rng_below(&j->rng, 4) == 0)
			change_configuration(j);
	}
}

/* --- what is compared --- */

struct snapshot {
	const struct machine *machine;
	struct item item;
	char *detail;
};

static size_t snapshot(struct judging *j, struct snapshot **ret)
{
	size_t n = 0;
	struct map_entry *entry;

	*ret = xcalloc(map_count(&j->f.inv->machines) + 1, MACHINE_CONTROLS * sizeof(**ret));
	map_for_each (&j->f.inv->machines, entry) {
		const struct machine *m = entry->value;

		for (unsigned c = 0; c < MACHINE_CONTROLS; c++)
			(*ret)[n++] = (struct snapshot){.machine = m,
				.item = m->items[c],
				.detail = xstrdup(m->items[c].detail)};
	}
	return n;
}

static void snapshot_free(struct snapshot *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(s[i].detail);
	free(s);
}

/* A pause that begins with the judgement that saw a failure may end a moment later. */
static bool is_same(const struct snapshot *a, const struct snapshot *b)
{
	int64_t later = wall_since(b->item.due, a->item.due).ms;

	return a->machine == b->machine && a->item.applies == b->item.applies &&
		a->item.state == b->item.state && a->item.reason == b->item.reason && later >= 0 &&
		later < 1000 && str_equal(a->detail, b->detail);
}

static void tell_difference(unsigned round, const struct snapshot *a, const struct snapshot *b)
{
	fail_msg("round %u: %s %s: %s (%s) until %lld \"%s\", but %s (%s) until %lld \"%s\"", round,
		a->machine->id, control_word((enum control_id)a->item.control),
		item_state_word((enum item_state)a->item.state),
		reason_word((enum reason)a->item.reason), (long long)a->item.due.ms, a->detail,
		item_state_word((enum item_state)b->item.state),
		reason_word((enum reason)b->item.reason), (long long)b->item.due.ms, b->detail);
}

static void judge_everything(struct judging *j)
{
	struct map_entry *entry;

	map_for_each (&j->f.inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		for (uint32_t i = 0; i < s->machine_count; i++)
			reconciler_machine_seen(j->reconciler, s->machines[i]);
	}
}

static void assert_nothing_was_missed(struct judging *j, unsigned round)
{
	struct snapshot *before, *after;
	size_t n = snapshot(j, &before);

	judge_everything(j);
	assert_int_equal(snapshot(j, &after), n);
	for (size_t i = 0; i < n; i++)
		if (!is_same(&before[i], &after[i]))
			tell_difference(round, &before[i], &after[i]);
	snapshot_free(before, n);
	snapshot_free(after, n);
}

static void wait_for_rest(struct judging *j)
{
	run(&j->f, DUR_MIN(1));
	for (unsigned i = 0; i < 1000 && observer_is_busy(j->f.observer); i++)
		run(&j->f, DUR_MIN(1));
	assert_false(observer_is_busy(j->f.observer));
	assert_false(reconciler_is_judging(j->reconciler));
}

/* A failure that has just come is looked at once more by the next pass. */
static void observe_twice(struct judging *j)
{
	if (rng_below(&j->rng, 3) > 0)
		observer_pass(j->f.observer, PASS_SUBSCRIPTIONS);
	observer_pass(j->f.observer, PASS_MACHINES);
	wait_for_rest(j);
	observer_pass(j->f.observer, PASS_MACHINES);
	wait_for_rest(j);
}

static void build_estate(struct judging *j)
{
	for (unsigned i = 0; i < SUBSCRIPTIONS; i++) {
		fake_azure_subscription(j->f.azure, subscription_id(i));
		add_machines(&j->f, subscription_id(i), 0, MACHINES);
	}
}

static void judging_what_changed_is_judging_everything(void **state)
{
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct judging j;

		(void)state;
		judging_init(&j);
		print_message("# seed %llu\n", (unsigned long long)seed);
		rng_seed(&j.rng, seed);
		build_estate(&j);
		for (unsigned round = 0; round < 60; round++) {
			struct spoiler spoiler = {.call = (enum azure_call)(AZURE_GRAPH_COUNTS +
							  rng_below(&j.rng, 3)),
				.status = 500};

			for (uint64_t n = rng_below(&j.rng, 12); n > 0; n--)
				change_something(&j);
			spoil_with(&j.f, rng_below(&j.rng, 8) == 0 ? &spoiler : NULL);
			observe_twice(&j);
			assert_nothing_was_missed(&j, round);
			run(&j.f, DUR_MIN((int64_t)rng_below(&j.rng, 10 * 60)));
		}
		judging_fini(&j);
	}
}

static void a_quiet_pass_judges_nothing(void **state)
{
	struct judging j;

	(void)state;
	judging_init(&j);
	build_estate(&j);
	observer_pass(j.f.observer, PASS_SUBSCRIPTIONS);
	observer_pass(j.f.observer, PASS_MACHINES);
	wait_for_rest(&j);
	assert_int_equal(j.judged, SUBSCRIPTIONS * MACHINES);
	j.judged = 0;
	for (unsigned i = 0; i < 5; i++) {
		observer_pass(j.f.observer, PASS_SUBSCRIPTIONS);
		observer_pass(j.f.observer, PASS_MACHINES);
		wait_for_rest(&j);
	}
	assert_int_equal(j.judged, 0);
	judging_fini(&j);
}

static void many_machines_are_judged_over_many_turns(void **state)
{
	struct judging j;
	struct subscription *s;
	uint64_t turns;

	(void)state;
	judging_init(&j);
	fake_azure_subscription(j.f.azure, SUB_A);
	add_machines(&j.f, SUB_A, 0, 1000);
	observer_pass(j.f.observer, PASS_SUBSCRIPTIONS);
	observer_pass(j.f.observer, PASS_MACHINES);
	wait_for_rest(&j);
	assert_int_equal(j.judged, 1000);
	assert_in_range(j.most_in_turn, 1, 64);
	s = inventory_subscription(j.f.inv, SUB_A);
	/* What all of them wait for changes. */
	json_object_set_new(
		json_object_get(fake_azure_subscription_of(j.f.azure, SUB_A), "settings"), "WDATP",
		json_false());
	observer_refresh(j.f.observer, s, NULL);
	run(&j.f, DUR_MS(50));
	turns = loop_virtual_turns(j.f.fake.world.loop);
	assert_int_equal(s->machines[0]->items[SENSOR_ITEM].reason, REASON_PREREQUISITE);
	assert_int_equal(s->machines[999]->items[SENSOR_ITEM].reason, REASON_PREREQUISITE);
	assert_true(turns > 15);
	judging_fini(&j);
}

static void a_reload_judges_all_and_forgets_none_that_moves(void **state)
{
	struct judging j;
	struct subscription *s;

	(void)state;
	judging_init(&j);
	fake_azure_subscription(j.f.azure, SUB_A);
	add_machines(&j.f, SUB_A, 0, 500);
	observer_pass(j.f.observer, PASS_SUBSCRIPTIONS);
	observer_pass(j.f.observer, PASS_MACHINES);
	wait_for_rest(&j);
	s = inventory_subscription(j.f.inv, SUB_A);
	change_configuration(&j);
	assert_true(reconciler_is_judging(j.reconciler));
	/* Some go while the others are judged: the last one takes their place. */
	for (unsigned i = 0; i < 5; i++) {
		struct machine *m = s->machines[i * 90];

		run_turns(&j.f, 1);
		reconciler_machine_gone(j.reconciler, m);
		observer_forget(j.f.observer, m);
		inventory_remove_machine(j.f.inv, m);
	}
	wait_for_rest(&j);
	assert_int_equal(s->machine_count, 495);
	assert_nothing_was_missed(&j, 0);
	for (uint32_t i = 0; i < s->machine_count; i++)
		assert_int_equal(s->machines[i]->items[SENSOR_ITEM].reason, REASON_GRACE);
	judging_fini(&j);
}

static void an_exclusion_that_ends_is_noticed(void **state)
{
	struct judging j;
	json_t *m;

	(void)state;
	judging_init(&j);
	fake_azure_subscription(j.f.azure, SUB_A);
	m = fake_azure_machine(j.f.azure, SUB_A, "m000");
	json_object_set_new(m, "tags", json_pack("{s:s}", "env", "lab"));
	observer_pass(j.f.observer, PASS_SUBSCRIPTIONS);
	observer_pass(j.f.observer, PASS_MACHINES);
	wait_for_rest(&j);
	assert_int_equal(machine(&j.f, SUB_A, "m000")->items[SENSOR_ITEM].state, ITEM_EXCLUDED);
	run(&j.f, DUR_DAYS(7));
	observer_pass(j.f.observer, PASS_MACHINES);
	wait_for_rest(&j);
	assert_int_not_equal(machine(&j.f, SUB_A, "m000")->items[SENSOR_ITEM].state, ITEM_EXCLUDED);
	judging_fini(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judging_what_changed_is_judging_everything),
		cmocka_unit_test(a_quiet_pass_judges_nothing),
		cmocka_unit_test(many_machines_are_judged_over_many_turns),
		cmocka_unit_test(a_reload_judges_all_and_forgets_none_that_moves),
		cmocka_unit_test(an_exclusion_that_ends_is_noticed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
