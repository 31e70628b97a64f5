/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/estate_builder.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
	struct estate *e = xcalloc(1, sizeof(*e));

	estate_init(e);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	estate_fini(*state);
	free(*state);
	return 0;
}

static struct stamp at(const struct estate *e, struct dur after, enum fact_source source)
{
	return (struct stamp){.at = wall_add(e->now, after), .source = source};
}

/* --- sweeps --- */

struct gone {
	unsigned count;
	char last[64];
};

static void note_gone(void *ctx, struct machine *m)
{
	struct gone *g = ctx;

	g->count++;
	str_copy(g->last, sizeof(g->last), m->name);
}

static void add_machines(struct estate *e, struct subscription *s, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		mdc_autofree char *name = xasprintf("m%u", i);

		estate_machine(e, s, name, "Windows Server 2022 Datacenter");
	}
}

static void list_machine_only(struct estate *e, struct machine *m)
{
	mdc_autofree char *status = xstrdup(m->status);

	estate_status(e, m, status);
}

static int conclude(struct estate *e, struct subscription *s, unsigned announced,
	struct stamp stamp, struct gone *g)
{
	struct sweep_conclusion c;
	int result = inventory_sweep_check(e->inv, s, announced, 10, stamp.at);

	*g = (struct gone){0};
	if (result != 0)
		return result;
	inventory_conclude_begin(s, stamp, &c);
	while (inventory_conclude(e->inv, &c, 3, note_gone, g))
		;
	return 0;
}

/* One sweep in which the first `listed` machines were seen. */
static int sweep(struct estate *e, struct subscription *s, unsigned listed, struct stamp stamp,
	struct gone *g)
{
	inventory_sweep_begin(e->inv);
	for (uint32_t i = 0; i < s->machine_count; i++)
		if ((unsigned)atoi(s->machines[i]->name + 1) < listed)
			list_machine_only(e, s->machines[i]);
	return conclude(e, s, listed, stamp, g);
}

static void machines_not_listed_any_more_are_removed(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct gone g;

	add_machines(e, s, 40);
	assert_int_equal(sweep(e, s, 38, at(e, DUR_MS(0), SOURCE_GRAPH), &g), 0);
	assert_int_equal(g.count, 2);
	assert_int_equal(s->machine_count, 38);
	assert_int_equal(s->os_count[OS_WINDOWS_INBOX], 38);
	assert_int_equal(map_count(&e->inv->machines), 38);
	for (uint32_t i = 0; i < s->machine_count; i++)
		assert_int_equal(s->machines[i]->place, i);
}

static void a_few_machines_may_always_go(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct gone g;

	add_machines(e, s, 4);
	assert_int_equal(sweep(e, s, 1, at(e, DUR_MS(0), SOURCE_GRAPH), &g), 0);
	assert_int_equal(g.count, 3);
	assert_int_equal(s->machine_count, 1);
}

/* A principal that has lost its role is shown no rows, and no error either. */
static void that_the_last_machine_goes_is_believed_after_a_day(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct gone g;

	add_machines(e, s, 1);
	assert_int_equal(sweep(e, s, 0, at(e, DUR_H(0), SOURCE_GRAPH), &g), -ESTALE);
	assert_int_equal(sweep(e, s, 0, at(e, DUR_H(23), SOURCE_GRAPH), &g), -ESTALE);
	assert_int_equal(s->machine_count, 1);
	assert_int_equal(sweep(e, s, 0, at(e, DUR_H(24), SOURCE_GRAPH), &g), 0);
	assert_int_equal(s->machine_count, 0);
}

static void a_sudden_drop_removes_nothing(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct gone g;

	add_machines(e, s, 40);
	assert_int_equal(sweep(e, s, 20, at(e, DUR_MS(0), SOURCE_GRAPH), &g), -ESTALE);
	assert_int_equal(g.count, 0);
	assert_int_equal(s->machine_count, 40);
}

static void a_drop_that_stays_for_a_day_is_believed(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct gone g;

	add_machines(e, s, 40);
	assert_int_equal(sweep(e, s, 20, at(e, DUR_H(0), SOURCE_GRAPH), &g), -ESTALE);
	assert_int_equal(sweep(e, s, 20, at(e, DUR_H(23), SOURCE_GRAPH), &g), -ESTALE);
	assert_int_equal(sweep(e, s, 20, at(e, DUR_H(24), SOURCE_GRAPH), &g), 0);
	assert_int_equal(g.count, 20);
}

static void a_drop_that_ends_starts_anew(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct gone g;

	add_machines(e, s, 40);
	assert_int_equal(sweep(e, s, 20, at(e, DUR_H(0), SOURCE_GRAPH), &g), -ESTALE);
	assert_int_equal(sweep(e, s, 40, at(e, DUR_H(12), SOURCE_GRAPH), &g), 0);
	assert_int_equal(sweep(e, s, 20, at(e, DUR_H(25), SOURCE_GRAPH), &g), -ESTALE);
	assert_int_equal(s->machine_count, 40);
}

static void fewer_than_announced_is_incomplete_for_good(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct gone g = {0};

	add_machines(e, s, 10);
	for (int hour = 0; hour < 72; hour += 12) {
		inventory_sweep_begin(e->inv);
		for (uint32_t i = 0; i < s->machine_count; i++)
			list_machine_only(e, s->machines[i]);
		assert_int_equal(conclude(e, s, 30, at(e, DUR_H(hour), SOURCE_GRAPH), &g), -ESTALE);
	}
}

static void absence_of_an_extension_is_concluded_from_complete_lists_only(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m;
	struct gone g;

	add_machines(e, s, 10);
	m = s->machines[0];
	estate_extension(e, m, &(struct estate_extension){0});
	assert_int_equal(sweep(e, s, 5, at(e, DUR_H(1), SOURCE_GRAPH), &g), -ESTALE);
	assert_true(m->mde.present);
	m->unjudged = false;
	assert_int_equal(sweep(e, s, 10, at(e, DUR_H(2), SOURCE_GRAPH), &g), 0);
	assert_false(m->mde.present);
	assert_true(m->unjudged);
	assert_int_equal(m->mde.changed.ms, wall_add(e->now, DUR_H(2)).ms);
}

static void a_new_machine_has_unknown_extensions_until_a_complete_list(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m;
	struct gone g;

	add_machines(e, s, 1);
	m = s->machines[0];
	m->extensions_known = false;
	m->unjudged = false;
	assert_int_equal(sweep(e, s, 1, at(e, DUR_H(1), SOURCE_GRAPH), &g), 0);
	assert_true(m->extensions_known);
	assert_true(m->unjudged);
}

static void doubted_extensions_are_unknown_until_the_next_complete_list(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m;
	struct gone g;

	add_machines(e, s, 2);
	m = s->machines[0];
	estate_extension(e, m, &(struct estate_extension){0});
	inventory_sweep_begin(e->inv);
	list_machine_only(e, s->machines[0]);
	list_machine_only(e, s->machines[1]);
	inventory_doubt_extensions(m);
	assert_int_equal(conclude(e, s, 2, at(e, DUR_H(1), SOURCE_GRAPH), &g), 0);
	assert_false(m->extensions_known);
	assert_true(m->mde.present);
	assert_int_equal(sweep(e, s, 2, at(e, DUR_H(2), SOURCE_GRAPH), &g), 0);
	assert_true(m->extensions_known);
	assert_false(m->mde.present);
}

static void a_machine_listed_twice_counts_once(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct gone g;

	add_machines(e, s, 40);
	inventory_sweep_begin(e->inv);
	for (unsigned i = 0; i < 40; i++)
		list_machine_only(e, s->machines[0]);
	assert_int_equal(s->seen_count, 1);
	assert_int_equal(conclude(e, s, 40, at(e, DUR_MS(0), SOURCE_GRAPH), &g), -ESTALE);
}

static void a_quiet_sweep_leaves_nothing_to_judge(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct gone g;

	add_machines(e, s, 20);
	assert_int_equal(sweep(e, s, 20, at(e, DUR_H(1), SOURCE_GRAPH), &g), 0);
	for (uint32_t i = 0; i < 20; i++) {
		assert_true(s->machines[i]->unjudged);
		s->machines[i]->unjudged = false;
	}
	assert_int_equal(sweep(e, s, 20, at(e, DUR_H(2), SOURCE_GRAPH), &g), 0);
	for (uint32_t i = 0; i < 20; i++)
		assert_false(s->machines[i]->unjudged);
	estate_status(e, s->machines[7], "Disconnected");
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(s->machines[i]->unjudged, i == 7);
}

/* --- extensions --- */

static void set_tier(struct estate *e, struct subscription *s, const char *tier, struct stamp stamp,
	bool *ret_changed)
{
	struct arm_pricing facts = {.id = "x", .tier = tier, .sub_plan = NULL};

	inventory_set_pricing(e->inv, s, &facts, stamp, ret_changed);
}

static void absent_since_is_kept(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");
	struct wall since = wall_add(e->now, DUR_H(-24));

	assert_int_equal(m->mde.changed.ms, since.ms);
	estate_no_extension(e, m, e->now);
	assert_int_equal(m->mde.changed.ms, since.ms);
}

static void changed_follows_the_state_and_not_the_message(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");
	struct wall first = wall_add(e->now, DUR_H(1)), second = wall_add(e->now, DUR_H(2));

	estate_extension(
		e, m, &(struct estate_extension){.state = "Failed", .message = "a", .at = first});
	estate_extension(
		e, m, &(struct estate_extension){.state = "Failed", .message = "b", .at = second});
	assert_int_equal(m->mde.changed.ms, first.ms);
	assert_string_equal(m->mde.message, "b");
	estate_extension(e, m, &(struct estate_extension){.state = "Creating", .at = second});
	assert_int_equal(m->mde.changed.ms, second.ms);
}

static void the_owner_is_compared_without_case(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");
	mdc_autofree char *id = xstrdup(m->id);

	str_fold(id);
	estate_extension(e, m, &(struct estate_extension){.owner = id});
	assert_false(m->mde.foreign_owner);
	estate_extension(e, m, &(struct estate_extension){.owner = "/subscriptions/else"});
	assert_true(m->mde.foreign_owner);
}

static void an_extension_for_another_system_is_not_taken(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");

	estate_extension(e, m, &(struct estate_extension){.type = "MDE.Windows"});
	assert_false(m->mde.present);
	estate_extension(e, m, &(struct estate_extension){.type = "OmsAgentForLinux"});
	assert_true(m->legacy.present);
	assert_false(m->mde.present);
}

static void a_machine_that_turns_out_to_be_windows_forgets_linux_facts(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");

	estate_extension(e, m, &(struct estate_extension){0});
	assert_ptr_equal(estate_machine(e, s, "m", "Windows Server 2022 Datacenter"), m);
	assert_false(m->mde.present);
	assert_int_equal(s->os_count[OS_LINUX], 0);
	assert_int_equal(s->os_count[OS_WINDOWS_INBOX], 1);
}

static void graph_does_not_take_back_what_arm_has_just_shown(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");
	bool changed = false;

	estate_extension(e, m, &(struct estate_extension){.source = SOURCE_ARM});
	estate_extension(e, m,
		&(struct estate_extension){.state = "Failed", .at = wall_add(e->now, DUR_S(60))});
	assert_int_equal(m->mde.provisioning, PROVISIONING_SUCCEEDED);
	inventory_unset_extension(
		e->inv, m, EXTENSION_MDE_LINUX, at(e, DUR_S(90), SOURCE_GRAPH), &changed);
	assert_true(m->mde.present);
	assert_false(changed);
	/* Later, Graph is believed again; ARM always is. */
	estate_extension(e, m,
		&(struct estate_extension){.state = "Failed", .at = wall_add(e->now, DUR_MIN(3))});
	assert_int_equal(m->mde.provisioning, PROVISIONING_FAILED);
	inventory_unset_extension(
		e->inv, m, EXTENSION_MDE_LINUX, at(e, DUR_MIN(4), SOURCE_ARM), &changed);
	assert_false(m->mde.present);
	assert_true(changed);
}

static void progress_of_an_extension_is_taken_from_graph_at_once(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");

	estate_extension(e, m, &(struct estate_extension){.state = "Failed", .source = SOURCE_ARM});
	estate_extension(e, m, &(struct estate_extension){.at = wall_add(e->now, DUR_S(30))});
	assert_int_equal(m->mde.provisioning, PROVISIONING_SUCCEEDED);
	assert_int_equal(extension_stamp(&m->mde).source, SOURCE_GRAPH);
}

static void a_bad_or_unknown_parent_is_an_error(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = NULL;
	mdc_autofree char *id = xasprintf("/subscriptions/%s/resourceGroups/rg/providers/"
					  "Microsoft.HybridCompute/machines/none/extensions/x",
		s->id);
	struct arm_extension facts = {.id = id};
	struct arm_machine machine = {.id = "/subscriptions/none"};
	bool changed;

	assert_int_equal(
		inventory_set_extension(e->inv, &facts, at(e, DUR_MS(0), SOURCE_ARM), &m, &changed),
		-ENOENT);
	facts.id = "/no/such";
	assert_int_equal(
		inventory_set_extension(e->inv, &facts, at(e, DUR_MS(0), SOURCE_ARM), &m, &changed),
		-EINVAL);
	assert_int_equal(
		inventory_set_machine(e->inv, &machine, at(e, DUR_MS(0), SOURCE_ARM), &m, &changed),
		-EINVAL);
	assert_null(m);
}

static void graph_does_not_bring_back_what_arm_has_just_shown_as_gone(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");
	bool changed = false;

	estate_extension(e, m, &(struct estate_extension){0});
	inventory_unset_extension(
		e->inv, m, EXTENSION_MDE_LINUX, at(e, DUR_S(1), SOURCE_ARM), &changed);
	assert_true(changed);
	estate_extension(e, m, &(struct estate_extension){.at = wall_add(e->now, DUR_S(60))});
	assert_false(m->mde.present);
	estate_extension(e, m, &(struct estate_extension){.at = wall_add(e->now, DUR_MIN(3))});
	assert_true(m->mde.present);
}

/* A question asked earlier is answered later. */
static void answers_that_crossed_a_younger_one_are_not_taken(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");
	struct wall first = wall_add(e->now, DUR_S(1)), second = wall_add(e->now, DUR_S(2));
	bool changed;

	estate_extension(e, m,
		&(struct estate_extension){.state = "Failed", .source = SOURCE_ARM, .at = second});
	estate_extension(e, m, &(struct estate_extension){.at = first});
	assert_int_equal(m->mde.provisioning, PROVISIONING_FAILED);
	inventory_unset_extension(e->inv, m, EXTENSION_MDE_LINUX,
		(struct stamp){.at = first, .source = SOURCE_ARM}, &changed);
	assert_true(m->mde.present);
	assert_int_equal(m->mde.at.ms, second.ms);
	inventory_set_setting(
		e->inv, s, SETTING_WDATP, TRI_NO, at(e, DUR_S(2), SOURCE_ARM), &changed);
	inventory_set_setting(
		e->inv, s, SETTING_WDATP, TRI_YES, at(e, DUR_S(1), SOURCE_ARM), &changed);
	assert_int_equal(s->settings[SETTING_WDATP].enabled, TRI_NO);
	set_tier(e, s, "Free", at(e, DUR_S(2), SOURCE_ARM), &changed);
	set_tier(e, s, "Standard", at(e, DUR_S(1), SOURCE_ARM), &changed);
	assert_string_equal(s->pricing.tier, "Free");
}

static void a_clock_that_was_set_back_does_not_blind(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");

	estate_extension(e, m, &(struct estate_extension){.source = SOURCE_ARM});
	estate_extension(e, m,
		&(struct estate_extension){.state = "Failed",
			.source = SOURCE_ARM,
			.at = wall_add(e->now, DUR_H(-5))});
	assert_int_equal(m->mde.provisioning, PROVISIONING_FAILED);
}

static void a_complete_list_of_one_machine_tells_what_is_absent(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Windows Server 2016");

	estate_extension(e, m, &(struct estate_extension){0});
	estate_extension(e, m, &(struct estate_extension){.type = "MicrosoftMonitoringAgent"});
	m->extensions_known = false;
	inventory_extensions_complete(e->inv, m, true, false, at(e, DUR_S(1), SOURCE_ARM));
	assert_true(m->mde.present);
	assert_false(m->legacy.present);
	assert_true(m->extensions_known);
}

static void a_long_message_is_cut_between_characters(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");
	struct buf text = BUF_INIT(4096);
	json_t *json;

	buf_addc(&text, 'x');
	for (unsigned i = 0; i < 500; i++)
		buf_adds(&text, "\xe2\x82\xac");
	estate_extension(
		e, m, &(struct estate_extension){.state = "Failed", .message = buf_str(&text)});
	json = json_string(m->mde.message);
	assert_non_null(json);
	assert_int_equal(strlen(m->mde.message), 1 + 133 * 3);
	json_decref(json);
	buf_fini(&text);
}

/* --- plans and settings --- */

static void a_plan_read_from_arm_outlasts_the_lag_of_graph(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	bool changed;

	set_tier(e, s, "Free", at(e, DUR_S(60), SOURCE_GRAPH), &changed);
	assert_false(changed);
	assert_string_equal(s->pricing.tier, "Standard");
	set_tier(e, s, "Free", at(e, DUR_MIN(3), SOURCE_GRAPH), &changed);
	assert_true(changed);
	assert_string_equal(s->pricing.tier, "Free");
}

static void the_failure_of_a_plan_extension_is_kept_with_its_name(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	mdc_autofree char *json = xasprintf(
		"{\"id\": \"/subscriptions/%s/providers/Microsoft.Security/pricings/"
		"VirtualMachines\", \"properties\": {\"pricingTier\": \"Standard\", "
		"\"extensions\": "
		"[{\"name\": \"AgentlessVmScanning\", \"isEnabled\": \"True\", "
		"\"operationStatus\": {\"code\": \"Failed\", \"message\": \"no role\"}}]}}",
		s->id);

	estate_plan_document(e, s, json);
	assert_string_equal(s->pricing.failure, "AgentlessVmScanning: no role");
}

static void a_setting_first_seen_has_not_changed(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);

	assert_false(wall_is_set(s->settings[SETTING_WDATP].changed));
	e->now = wall_add(e->now, DUR_H(1));
	estate_settings(e, s, TRI_NO, TRI_YES);
	assert_int_equal(s->settings[SETTING_WDATP].changed.ms, e->now.ms);
	assert_false(wall_is_set(s->settings[SETTING_UNIFIED].changed));
}

static void a_setting_that_was_listed_and_is_not_any_more_is_absent(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);

	estate_settings(e, s, TRI_YES, TRI_UNKNOWN);
	assert_int_equal(s->settings[SETTING_UNIFIED].enabled, TRI_UNKNOWN);
}

static void a_setting_that_only_a_single_read_shows_is_kept(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	bool changed;

	estate_settings(e, s, TRI_YES, TRI_UNKNOWN);
	inventory_set_setting(
		e->inv, s, SETTING_UNIFIED, TRI_YES, at(e, DUR_MS(0), SOURCE_ARM), &changed);
	assert_true(changed);
	estate_settings(e, s, TRI_YES, TRI_UNKNOWN);
	assert_int_equal(s->settings[SETTING_UNIFIED].enabled, TRI_YES);
}

static void a_setting_that_shows_up_is_offered_after_all(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);

	estate_settings(e, s, TRI_YES, TRI_UNKNOWN);
	inventory_setting_not_offered(e->inv, s, SETTING_UNIFIED, at(e, DUR_MS(0), SOURCE_ARM));
	assert_true(wall_is_set(s->settings[SETTING_UNIFIED].not_offered));
	estate_settings(e, s, TRI_YES, TRI_NO);
	assert_false(wall_is_set(s->settings[SETTING_UNIFIED].not_offered));
}

/* --- tags, groups, times from outside --- */

static struct machine *machine_with_tags(struct estate *e, struct subscription *s, const char *tags)
{
	mdc_autofree char *json = xasprintf(
		"{\"id\": \"/subscriptions/%s/resourceGroups/rg/providers/"
		"Microsoft.HybridCompute/machines/tagged\", \"tags\": %s, \"properties\": {}}",
		s->id, tags);

	return estate_machine_document(e, json);
}

static void tags_are_one_sorted_text_with_lower_case_names(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m =
		machine_with_tags(e, s, "{\"Role\": \"Web\", \"Env\": \"Lab=1\", \"n\": null}");

	assert_string_equal(m->tags, "env=Lab=1\nn=\nrole=Web\n");
	assert_false(m->tags_unknown);
}

static void a_tag_cannot_pretend_to_be_another(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = machine_with_tags(e, s, "{\"a\": \"x\\nenv=lab\"}");

	assert_string_equal(m->tags, "a=x env=lab\n");
}

static void too_many_tags_are_unknown_tags(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct buf json = BUF_INIT(65536);
	struct machine *m;

	buf_adds(&json, "{\"first\": \"1\"");
	for (unsigned i = 0; i < 100; i++)
		buf_addf(&json, ", \"t%u\": \"1\"", i);
	buf_adds(&json, "}");
	m = machine_with_tags(e, s, buf_str(&json));
	assert_true(m->tags_unknown);
	assert_string_equal(m->tags, "");
	machine_with_tags(e, s, "{}");
	assert_false(m->tags_unknown);
	buf_fini(&json);
}

static void management_groups_are_capped(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	json_t *groups = json_array();
	struct arm_subscription facts = {.state = "Enabled", .management_groups = groups};
	bool changed;

	for (int i = 0; i < 5000; i++)
		json_array_append_new(groups, json_pack("{s:o}", "name", json_sprintf("g%d", i)));
	inventory_set_subscription(e->inv, s, &facts, at(e, DUR_MS(0), SOURCE_GRAPH), &changed);
	assert_true(s->management_group_count > 0 && s->management_group_count < 100);
	assert_string_equal(s->management_groups[0], "g0");
	json_decref(groups);
}

static void a_status_change_in_the_future_is_not_believed(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	mdc_autofree char *json = xasprintf(
		"{\"id\": \"/subscriptions/%s/resourceGroups/rg/providers/"
		"Microsoft.HybridCompute/machines/m\", \"properties\": {\"status\": \"Connected\", "
		"\"lastStatusChange\": \"2999-01-01T00:00:00Z\"}}",
		s->id);
	struct machine *m = estate_machine_document(e, json);

	assert_int_equal(m->status_since.ms, e->now.ms);
}

static void texts_of_a_removed_machine_are_given_back(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	size_t before = map_count(&e->inv->texts.strings);
	struct machine *m = estate_machine(e, s, "m", "Ubuntu 22.04.4 LTS");

	estate_extension(
		e, m, &(struct estate_extension){.state = "Failed", .message = "once only"});
	inventory_remove_machine(e->inv, m);
	assert_int_equal(map_count(&e->inv->texts.strings), before);
	assert_int_equal(map_count(&e->inv->machines), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(machines_not_listed_any_more_are_removed),
		CASE(a_few_machines_may_always_go),
		CASE(that_the_last_machine_goes_is_believed_after_a_day),
		CASE(a_sudden_drop_removes_nothing),
		CASE(a_drop_that_stays_for_a_day_is_believed),
		CASE(a_drop_that_ends_starts_anew),
		CASE(fewer_than_announced_is_incomplete_for_good),
		CASE(absence_of_an_extension_is_concluded_from_complete_lists_only),
		CASE(a_new_machine_has_unknown_extensions_until_a_complete_list),
		CASE(doubted_extensions_are_unknown_until_the_next_complete_list),
		CASE(a_machine_listed_twice_counts_once),
		CASE(a_quiet_sweep_leaves_nothing_to_judge),
		CASE(absent_since_is_kept),
		CASE(changed_follows_the_state_and_not_the_message),
		CASE(the_owner_is_compared_without_case),
		CASE(an_extension_for_another_system_is_not_taken),
		CASE(a_machine_that_turns_out_to_be_windows_forgets_linux_facts),
		CASE(graph_does_not_take_back_what_arm_has_just_shown),
		CASE(progress_of_an_extension_is_taken_from_graph_at_once),
		CASE(graph_does_not_bring_back_what_arm_has_just_shown_as_gone),
		CASE(answers_that_crossed_a_younger_one_are_not_taken),
		CASE(a_clock_that_was_set_back_does_not_blind),
		CASE(a_complete_list_of_one_machine_tells_what_is_absent),
		CASE(a_long_message_is_cut_between_characters),
		CASE(a_bad_or_unknown_parent_is_an_error),
		CASE(a_plan_read_from_arm_outlasts_the_lag_of_graph),
		CASE(the_failure_of_a_plan_extension_is_kept_with_its_name),
		CASE(a_setting_first_seen_has_not_changed),
		CASE(a_setting_that_was_listed_and_is_not_any_more_is_absent),
		CASE(a_setting_that_only_a_single_read_shows_is_kept),
		CASE(a_setting_that_shows_up_is_offered_after_all),
		CASE(tags_are_one_sorted_text_with_lower_case_names),
		CASE(a_tag_cannot_pretend_to_be_another),
		CASE(too_many_tags_are_unknown_tags),
		CASE(management_groups_are_capped),
		CASE(a_status_change_in_the_future_is_not_believed),
		CASE(texts_of_a_removed_machine_are_given_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
