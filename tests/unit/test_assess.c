/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

#include "lib/engine/assess.h"

static struct verdict judge(struct fixture *f, enum control_id control)
{
	struct control_view view =
		estate_view(&f->e, f->s, control < FIRST_MACHINE_CONTROL ? NULL : f->m, control);

	return assess(control_by_id(control), &view);
}

static void expect_all(struct fixture *f, enum verdict_kind kind, enum reason reason)
{
	for (unsigned c = 0; c < CONTROL_N_; c++) {
		struct verdict verdict;

		if (c == CONTROL_LEGACY_REPLACED || c == CONTROL_UNIFIED_SOLUTION ||
			c == CONTROL_SUBSCRIPTION_MOVE || c == CONTROL_MACHINE_PLAN ||
			c == CONTROL_SENSOR_ONBOARDED)
			continue; /* not of this machine */
		verdict = judge(f, (enum control_id)c);
		if (verdict.kind != kind || verdict.reason != reason)
			fail_msg("%s: kind %d, %s", control_word((enum control_id)c), verdict.kind,
				reason_word(verdict.reason));
	}
}

static void exclude_everything(struct fixture *f)
{
	static char name[] = "later";
	static struct exclude_config exclude;

	exclude = (struct exclude_config){.name = name, .until = WALL_NEVER};
	f->e.scopes[0].excludes = &exclude;
	f->e.scopes[0].exclude_count = 1;
}

static const char whole_offering[] =
	"\"subPlan\":{\"type\":\"P2\"},\"arcAutoProvisioning\":{\"enabled\":true},"
	"\"mdeAutoProvisioning\":{\"enabled\":true},\"vmScanners\":{\"enabled\":true},"
	"\"vaAutoProvisioning\":{\"enabled\":true,\"configuration\":{\"type\":\"TVM\"}}";

/* Each trouble is made on top of the next one: the first in order is what is told. */
static void the_common_checks_come_in_order(void **state)
{
	struct fixture *f = *state;
	const struct scope_config *scope = f->s->scope;

	estate_want_everything(&f->e);
	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_extension(&f->e, f->m, EXTENSION(.state = "Succeeded"));
	estate_setting(&f->e, f->s, SETTING_EXCLUDE_LINUX, TRI_NO);
	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "Registered");
	estate_single(&f->e, f->s, SINGLE_ARC_PROVIDER, "registered");
	estate_single(&f->e, f->s, SINGLE_SOLUTIONS_PROVIDER, "Registered");
	estate_single(&f->e, f->s, SINGLE_VULNERABILITY, "MdeTvm");
	estate_connector(&f->e, f->s, &(struct estate_connector){.offering = whole_offering});
	estate_reports(&f->e, f->s,
		estate_workspace(&f->e, f->s, &(struct estate_workspace){.solution = "Security"}));
	expect_all(f, VERDICT_COMPLIANT, REASON_IN_SYNC);
	exclude_everything(f);
	expect_all(f, VERDICT_EXCLUDED, REASON_EXCLUDED);
	f->s->pricing.stamp.source = f->s->settings_stamp.source = f->m->stamp.source = SOURCE_NONE;
	for (size_t i = 0; i < SINGLE_N_; i++)
		f->s->singles[i].stamp.source = SOURCE_NONE;
	f->s->connectors[0]->stamp.source = f->s->workspaces[0]->stamp.source = SOURCE_NONE;
	expect_all(f, VERDICT_UNKNOWN, REASON_NOT_OBSERVED);
	f->s->visible = false;
	expect_all(f, VERDICT_UNKNOWN, REASON_SUBSCRIPTION_GONE);
	f->s->scope_conflict = "two of them";
	expect_all(f, VERDICT_BLOCKED, REASON_SCOPE_CONFLICT);
	assert_string_equal(judge(f, CONTROL_SERVERS_PLAN).detail, "two of them");
	f->s->scope = NULL;
	expect_all(f, VERDICT_NOT_APPLICABLE, REASON_NONE);
	f->s->scope = scope;
	f->s->scope_conflict = NULL;
}

static void what_was_moved_to_another_tenant_is_left_to_a_person(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	str_copy(f->s->home, sizeof(f->s->home), f->s->tenant);
	expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_COMPLIANT, REASON_IN_SYNC);
	str_copy(f->s->tenant, sizeof(f->s->tenant), "22222222-0000-4000-8000-000000000000");
	expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_MANUAL, REASON_TENANT_CHANGED);
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_MANUAL, REASON_TENANT_CHANGED);
	/* Where it was first seen is not known yet. */
	f->s->home[0] = '\0';
	expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_COMPLIANT, REASON_IN_SYNC);
}

static void what_is_not_wanted_has_no_troubles(void **state)
{
	struct fixture *f = *state;

	f->e.policy.plan = PLAN_UNMANAGED;
	f->e.policy.integration = false;
	f->s->visible = false;
	f->s->scope_conflict = "x";
	assert_int_equal(judge(f, CONTROL_SERVERS_PLAN).kind, VERDICT_NOT_APPLICABLE);
	assert_int_equal(judge(f, CONTROL_MDE_INTEGRATION).kind, VERDICT_NOT_APPLICABLE);
	f->s->scope_conflict = NULL;
}

static void an_incomplete_list_of_extensions_concludes_nothing(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	f->m->extensions_known = false;
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_UNKNOWN, REASON_PARTIAL);
	expect_verdict(judge(f, CONTROL_ARC_CONNECTED), VERDICT_COMPLIANT, REASON_IN_SYNC);
}

static void a_disabled_subscription_blocks_what_wants_a_write(void **state)
{
	static const struct {
		enum subscription_state state;
		enum verdict_kind kind;
		enum reason reason;
	} rows[] = {
		{SUBSCRIPTION_DISABLED, VERDICT_BLOCKED, REASON_SUBSCRIPTION_DISABLED},
		{SUBSCRIPTION_WARNED, VERDICT_BLOCKED, REASON_SUBSCRIPTION_DISABLED},
		{SUBSCRIPTION_STATE_UNKNOWN, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN},
		{SUBSCRIPTION_ENABLED, VERDICT_DRIFTED, REASON_PLAN_OFF},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		f->s->state = rows[i].state;
		estate_plan(&f->e, f->s, "Free", NULL);
		expect_verdict(judge(f, CONTROL_SERVERS_PLAN), rows[i].kind, rows[i].reason);
		estate_plan(&f->e, f->s, "Standard", "P2");
		expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_COMPLIANT, REASON_IN_SYNC);
	}
}

/* Plan and settings, and what the extension of a drifted machine then waits for. */
static const struct {
	const char *sku, *tier, *sub_plan;
	enum tri wdatp, unified;
	const char *waits_for; /* NULL: goes */
} prerequisites[] = {
	{UBUNTU, "Standard", "P2", TRI_YES, TRI_YES, NULL},
	{UBUNTU, "Free", NULL, TRI_YES, TRI_YES, "servers-plan"},
	{UBUNTU, "Free", NULL, TRI_NO, TRI_YES, "servers-plan"},
	{UBUNTU, "Standard", "P2", TRI_NO, TRI_YES, "mde-integration"},
	{UBUNTU, "Standard", "P2", TRI_UNKNOWN, TRI_YES, "mde-integration"},
	/* A plan that is on, though another one, protects. */
	{UBUNTU, "Standard", "P1", TRI_YES, TRI_YES, NULL},
	{UBUNTU, "Odd", NULL, TRI_YES, TRI_YES, "servers-plan"},
	/* The unified solution is for 2012 R2 and 2016 alone. */
	{WINDOWS_2016, "Standard", "P2", TRI_YES, TRI_NO, "unified-solution"},
	{WINDOWS_2022, "Standard", "P2", TRI_YES, TRI_NO, NULL},
};

static void drift_waits_for_what_comes_first(void **state)
{
	struct fixture *f = *state;

	/* Also elsewhere in the subscription there is a 2016. */
	estate_machine(&f->e, f->s, "other", WINDOWS_2016);
	for (size_t i = 0; i < ARRAY_LEN(prerequisites); i++) {
		struct verdict verdict;

		f->m = estate_machine(&f->e, f->s, "m", prerequisites[i].sku);
		estate_plan(&f->e, f->s, prerequisites[i].tier, prerequisites[i].sub_plan);
		estate_settings(&f->e, f->s, prerequisites[i].wdatp, prerequisites[i].unified);
		f->s->settings[SETTING_WDATP].changed = WALL_UNSET;
		verdict = judge(f, CONTROL_MDE_EXTENSION);
		if (prerequisites[i].waits_for == NULL) {
			expect_verdict(verdict, VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
		} else {
			expect_verdict(verdict, VERDICT_WAITING, REASON_PREREQUISITE);
			assert_string_equal(verdict.detail, prerequisites[i].waits_for);
			assert_true(wall_before(f->e.now, verdict.until));
		}
	}
}

static void what_the_policy_does_not_want_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_plan(&f->e, f->s, "Free", NULL);
	estate_settings(&f->e, f->s, TRI_NO, TRI_NO);
	f->s->settings[SETTING_WDATP].changed = WALL_UNSET;
	f->e.policy.plan = PLAN_UNMANAGED;
	f->e.policy.integration = false;
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void a_higher_plan_or_a_failed_part_of_it_holds_no_machine(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	f->e.policy.plan = PLAN_P1;
	expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_BLOCKED, REASON_PLAN_HIGHER);
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	f->e.policy.plan = PLAN_P2;
	intern_set(&f->e.inv->texts, &f->s->pricing.failure, "AgentlessVmScanning: no role");
	expect_verdict(
		judge(f, CONTROL_SERVERS_PLAN), VERDICT_FAILED, REASON_PLAN_EXTENSION_FAILED);
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	intern_set(&f->e.inv->texts, &f->s->pricing.failure, "");
	f->e.policy.plan_extensions[PLAN_AGENTLESS_SCANNING] = true;
	f->s->pricing.ready[PLAN_AGENTLESS_SCANNING] = true;
	expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_DRIFTED, REASON_PLAN_EXTENSION_OFF);
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void settings_wait_for_the_plan(void **state)
{
	struct fixture *f = *state;

	estate_plan(&f->e, f->s, "Free", NULL);
	estate_settings(&f->e, f->s, TRI_NO, TRI_NO);
	expect_verdict(judge(f, CONTROL_MDE_INTEGRATION), VERDICT_WAITING, REASON_PREREQUISITE);
	estate_plan(&f->e, f->s, "Standard", "P2");
	expect_verdict(judge(f, CONTROL_MDE_INTEGRATION), VERDICT_DRIFTED, REASON_SETTING_OFF);
}

static void a_linux_machine_waits_until_linux_is_not_excluded(void **state)
{
	struct fixture *f = *state;

	f->e.policy.linux_integration = true;
	f->m = estate_machine(&f->e, f->s, "win", WINDOWS_2022);
	estate_setting(&f->e, f->s, SETTING_EXCLUDE_LINUX, TRI_YES);
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	f->m = estate_machine(&f->e, f->s, "lin", UBUNTU);
	expect_verdict(
		judge(f, CONTROL_LINUX_INTEGRATION), VERDICT_DRIFTED, REASON_SETTING_EXCLUDES);
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_WAITING, REASON_PREREQUISITE);
	assert_string_equal(judge(f, CONTROL_MDE_EXTENSION).detail, "linux-integration");
	/* Then Defender for Cloud has its time. */
	f->e.now = wall_add(f->e.now, DUR_MIN(1));
	estate_setting(&f->e, f->s, SETTING_EXCLUDE_LINUX, TRI_NO);
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_WAITING, REASON_GRACE);
	f->e.now = wall_add(f->e.now, DUR_H(15));
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void the_plan_waits_for_its_resource_provider(void **state)
{
	struct fixture *f = *state;

	f->e.policy.register_providers = true;
	estate_plan(&f->e, f->s, "Free", NULL);
	/* Not known is no obstacle: a right to read it may be missing. */
	expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_DRIFTED, REASON_PLAN_OFF);
	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "Registering");
	expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_WAITING, REASON_PREREQUISITE);
	assert_string_equal(judge(f, CONTROL_SERVERS_PLAN).detail, "provider");
	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "Registered");
	expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_DRIFTED, REASON_PLAN_OFF);
	/* Without it there is no plan to be seen. */
	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "NotRegistered");
	f->s->pricing.stamp.source = SOURCE_NONE;
	expect_verdict(judge(f, CONTROL_SERVERS_PLAN), VERDICT_UNKNOWN, REASON_UNREGISTERED);
}

static void a_grace_is_not_told_while_nothing_could_deploy(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	f->m->mde.changed = f->e.now;
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_WAITING, REASON_GRACE);
	estate_plan(&f->e, f->s, "Free", NULL);
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_WAITING, REASON_PREREQUISITE);
}

static void a_failed_extension_waits_for_what_comes_first_too(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	estate_extension(&f->e, f->m, EXTENSION(.state = "Failed", .code = "21"));
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_FAILED, REASON_HANDLER_RETRY);
	estate_plan(&f->e, f->s, "Free", NULL);
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_WAITING, REASON_PREREQUISITE);
}

static void looking_again_does_not_move_the_deadline(void **state)
{
	struct fixture *f = *state;
	struct item *item = &f->s->items[CONTROL_MDE_INTEGRATION];
	struct wall due;

	estate_plan(&f->e, f->s, "Free", NULL);
	estate_settings(&f->e, f->s, TRI_NO, TRI_NO);
	estate_judge(&f->e, f->s, NULL, CONTROL_MDE_INTEGRATION);
	due = item->due;
	assert_true(wall_before(f->e.now, due));
	f->e.now = wall_add(f->e.now, DUR_MIN(30));
	estate_judge(&f->e, f->s, NULL, CONTROL_MDE_INTEGRATION);
	assert_int_equal(item->due.ms, due.ms);
	f->e.now = wall_add(f->e.now, DUR_MIN(31));
	estate_judge(&f->e, f->s, NULL, CONTROL_MDE_INTEGRATION);
	assert_true(wall_before(f->e.now, item->due));
}

static void unknown_tags_hold_where_tags_exclude(void **state)
{
	static char name[] = "lab", tag[] = "env", value[] = "lab";
	static struct exclude_config exclude;
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	f->m->tags_unknown = true;
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	exclude = (struct exclude_config){.name = name, .until = WALL_NEVER};
	exclude.selector.tags = xcalloc(1, sizeof(*exclude.selector.tags));
	exclude.selector.tags[0].name = tag;
	exclude.selector.tags[0].value = value;
	exclude.selector.tag_count = 1;
	f->e.scopes[0].excludes = &exclude;
	f->e.scopes[0].exclude_count = 1;
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_UNKNOWN, REASON_FACT_UNKNOWN);
	f->m->tags_unknown = false;
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	intern_set(&f->e.inv->texts, &f->m->tags, "env=lab\n");
	expect_verdict(judge(f, CONTROL_MDE_EXTENSION), VERDICT_EXCLUDED, REASON_EXCLUDED);
	free(exclude.selector.tags);
}

static void a_verdict_says_who_told_the_facts_and_when(void **state)
{
	struct fixture *f = *state;
	struct verdict verdict;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_extension(
		&f->e, f->m, EXTENSION(.state = "Failed", .code = "21", .source = SOURCE_ARM));
	verdict = judge(f, CONTROL_MDE_EXTENSION);
	assert_int_equal(verdict.stamp.source, SOURCE_ARM);
	assert_int_equal(verdict.stamp.at.ms, f->e.now.ms);
	estate_plan(&f->e, f->s, "Free", NULL);
	verdict = judge(f, CONTROL_SERVERS_PLAN);
	assert_int_equal(verdict.stamp.source, SOURCE_ARM);
}

/* --- assigned policies --- */

static void assign(struct fixture *f, const char *definition)
{
	struct assigned_policies policies = {.at = f->e.now, .whole = true};
	json_t *id =
		json_sprintf("/providers/Microsoft.Authorization/policyDefinitions/%s", definition);
	json_t *assignment = json_pack("{s:s, s:{s:s, s:s, s:o}}", "id", "/a", "properties",
		"displayName", "by policy", "scope", "", "policyDefinitionId", id);
	bool changed;

	assigned_policies_add(&policies, assignment, NULL);
	json_decref(assignment);
	inventory_set_policies(f->s, &policies, &changed);
	f->e.policy.policy_grace = DUR_H(26);
}

static const struct {
	enum item_state state;
	int64_t trouble; /* hours ago; 0: it begins now */
	uint8_t attempts, corrections;
	bool forced;
	enum verdict_kind kind;
} waits[] = {
	{ITEM_UNKNOWN, 0, 0, 0, false, VERDICT_WAITING},
	{ITEM_WAITING, 25, 0, 0, false, VERDICT_WAITING},
	{ITEM_BACKOFF, 25, 0, 0, false, VERDICT_WAITING},
	{ITEM_WAITING, 26, 0, 0, false, VERDICT_DRIFTED},
	{ITEM_UNKNOWN, 40, 0, 0, false, VERDICT_DRIFTED},
	{ITEM_DRIFTED, 1, 0, 0, false, VERDICT_DRIFTED},
	{ITEM_QUEUED, 1, 0, 0, false, VERDICT_DRIFTED},
	{ITEM_WAITING, 1, 1, 0, false, VERDICT_DRIFTED},
	{ITEM_WAITING, 1, 0, 1, false, VERDICT_DRIFTED},
	{ITEM_WAITING, 1, 0, 0, true, VERDICT_DRIFTED},
};

/* From the beginning of the trouble, whatever came between. */
static void assigned_policies_have_their_time_once(void **state)
{
	struct fixture *f = *state;
	struct item *item = &f->s->items[CONTROL_SERVERS_PLAN];

	estate_plan(&f->e, f->s, "Free", NULL);
	assign(f, "8e86a5b6-b9bd-49d1-8e21-4bb8a0862222");
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		struct wall trouble = wall_add(f->e.now, DUR_H(-waits[i].trouble));
		struct verdict verdict;

		item->state = (uint8_t)waits[i].state;
		item->attempts = waits[i].attempts;
		item->corrections = waits[i].corrections;
		item->forced = waits[i].forced;
		item->first_drift = waits[i].trouble > 0 ? trouble : WALL_UNSET;
		verdict = judge(f, CONTROL_SERVERS_PLAN);
		if (verdict.kind != waits[i].kind)
			fail_msg("row %zu: %s", i, reason_word(verdict.reason));
		if (verdict.kind == VERDICT_WAITING &&
			verdict.until.ms != wall_add(trouble, DUR_H(26)).ms)
			fail_msg("row %zu: the time is another", i);
	}
}

static void policies_of_something_else_are_not_waited_for(void **state)
{
	struct fixture *f = *state;

	estate_plan(&f->e, f->s, "Free", NULL);
	assign(f, "da56d295-2889-41ce-a4cd-6f50fb93aa68");
	assert_int_equal(judge(f, CONTROL_SERVERS_PLAN).kind, VERDICT_DRIFTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_common_checks_come_in_order),
		CASE(what_was_moved_to_another_tenant_is_left_to_a_person),
		CASE(what_is_not_wanted_has_no_troubles),
		CASE(an_incomplete_list_of_extensions_concludes_nothing),
		CASE(a_disabled_subscription_blocks_what_wants_a_write),
		CASE(drift_waits_for_what_comes_first),
		CASE(what_the_policy_does_not_want_is_not_waited_for),
		CASE(a_higher_plan_or_a_failed_part_of_it_holds_no_machine),
		CASE(settings_wait_for_the_plan),
		CASE(a_linux_machine_waits_until_linux_is_not_excluded),
		CASE(the_plan_waits_for_its_resource_provider),
		CASE(a_grace_is_not_told_while_nothing_could_deploy),
		CASE(a_failed_extension_waits_for_what_comes_first_too),
		CASE(looking_again_does_not_move_the_deadline),
		CASE(unknown_tags_hold_where_tags_exclude),
		CASE(a_verdict_says_who_told_the_facts_and_when),
		CASE(assigned_policies_have_their_time_once),
		CASE(policies_of_something_else_are_not_waited_for),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
