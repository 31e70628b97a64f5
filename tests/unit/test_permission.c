/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/permission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PRICING_WRITE "Microsoft.Security/pricings/write"
#define EXTENSION_WRITE "Microsoft.HybridCompute/machines/extensions/write"

static void patterns_match_as_azure_does(void **state)
{
	static const struct {
		const char *pattern, *action;
		bool matches;
	} rows[] = {
		{"*", PRICING_WRITE, true},
		{"*/write", PRICING_WRITE, true},
		{"*/read", PRICING_WRITE, false},
		{"microsoft.security/PRICINGS/write", PRICING_WRITE, true},
		{"Microsoft.Security/*", PRICING_WRITE, true},
		{"Microsoft.Security/*/write", PRICING_WRITE, true},
		{"Microsoft.Security/*/write", "Microsoft.Security/write", false},
		{"Microsoft.Sec*ings/*", PRICING_WRITE, true},
		{"Microsoft.HybridCompute/*/write", EXTENSION_WRITE, true},
		{"Microsoft.HybridCompute/machines/write", EXTENSION_WRITE, false},
		{"Microsoft.HybridCompute/machines", EXTENSION_WRITE, false},
		{PRICING_WRITE, "Microsoft.Security/pricings/writeAll", false},
		{PRICING_WRITE "*", PRICING_WRITE, true},
		{"**write**", PRICING_WRITE, true},
		{"*/register/action", "Microsoft.Security/register/action", true},
		{"", PRICING_WRITE, false},
		{"", "", true},
		{"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (permission_matches(rows[i].pattern, rows[i].action) != rows[i].matches)
			fail_msg("%s, %s", rows[i].pattern, rows[i].action);
}

static void an_entry_takes_back_only_what_it_gave_itself(void **state)
{
	static const struct {
		const char *entries;
		bool allows;
	} rows[] = {
		{"[]", false},
		{"[{\"actions\":[\"*/read\"],\"notActions\":[]}]", false},
		{"[{\"actions\":[\"*\"],\"notActions\":[]}]", true},
		{"[{\"actions\":[\"*\"]}]", true},
		{"[{\"actions\":[\"*\"],\"notActions\":[\"Microsoft.Security/*/write\"]}]", false},
		/* Another assignment gives what the first one leaves out. */
		{"[{\"actions\":[\"*\"],\"notActions\":[\"*/write\"]},"
		 "{\"actions\":[\"microsoft.security/*\"],\"notActions\":[]}]",
			true},
		{"[{\"actions\":[\"*/read\"],\"notActions\":[]},"
		 "{\"actions\":[\"*\"],\"notActions\":[\"*\"]}]",
			false},
		/* What is no list of patterns gives nothing. */
		{"[{\"actions\":\"*\"}, {\"actions\":[7, null]}, 3]", false},
		{"{}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *entries = json_loads(rows[i].entries, JSON_DECODE_ANY, NULL);

		assert_non_null(entries);
		if (permission_allows(entries, PRICING_WRITE) != rows[i].allows)
			fail_msg("%s", rows[i].entries);
		json_decref(entries);
	}
	assert_false(permission_allows(NULL, PRICING_WRITE));
}

struct world {
	struct identity_config identity;
	struct policy_config policy;
	struct scope_config scopes[2];
	struct config config;
	char *ids[2], *groups[2];
};

static char tenant[] = "11111111-1111-1111-1111-111111111111";
static char other_tenant[] = "22222222-2222-2222-2222-222222222222";
static char first_id[] = "30000000-0000-4000-8000-000000000001";
static char second_id[] = "30000000-0000-4000-8000-000000000002";
static char first_group[] = "mg-one", second_group[] = "mg-two";
static char scope_names[2][8] = {"one", "two"};

static void world_init(struct world *w, enum scope_mode mode)
{
	*w = (struct world){
		.identity = {.tenant = tenant},
		.policy = {.plan = PLAN_P2,
			.integration = true,
			.unified_solution = true,
			.deploy = DEPLOY_AFTER_GRACE},
		.ids = {first_id, second_id},
		.groups = {first_group, second_group},
	};
	for (size_t i = 0; i < 2; i++)
		w->scopes[i] = (struct scope_config){
			.name = scope_names[i],
			.identity = &w->identity,
			.policy = &w->policy,
			.mode = mode,
			.subscriptions = &w->ids[i],
			.subscription_count = 1,
		};
	w->config = (struct config){.scopes = w->scopes, .scope_count = 1};
}

static const struct permission_need *find(
	const struct permission_need *needs, size_t n, const char *action)
{
	const struct permission_need *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (str_equal_nocase(needs[i].action, action)) {
			if (found != NULL)
				fail_msg("%s stands twice", action);
			found = &needs[i];
		}
	return found;
}

static void observing_needs_reads_alone(void **state)
{
	struct permission_need needs[PERMISSION_NEEDS_MAX];
	struct world w;
	size_t n;

	(void)state;
	world_init(&w, MODE_OBSERVE);
	n = permission_needs(&w.scopes[0], needs);
	assert_true(n > 5);
	for (size_t i = 0; i < n; i++) {
		if (!permission_matches("*/read", needs[i].action))
			fail_msg("%s is no read", needs[i].action);
		assert_int_not_equal(needs[i].use, PERMISSION_CORRECTS);
		assert_non_null(find(needs, n, needs[i].action));
	}
	assert_non_null(find(needs, n, "Microsoft.Security/settings/read"));
	assert_non_null(find(needs, n, "Microsoft.HybridCompute/machines/extensions/read"));
	assert_null(find(needs, n, "Microsoft.Security/mdeOnboardings/read"));
}

static void enforcing_needs_what_the_policy_writes(void **state)
{
	static const struct {
		bool plan, integration, unified, deploys;
		const char *needed[4], *not_needed[4];
	} rows[] = {
		{true, false, false, false, {PRICING_WRITE},
			{"Microsoft.Security/settings/write", EXTENSION_WRITE,
				"Microsoft.Security/mdeOnboardings/read"}},
		{false, true, false, false, {"Microsoft.Security/settings/write"},
			{PRICING_WRITE, EXTENSION_WRITE}},
		{false, false, true, false, {"Microsoft.Security/settings/write"},
			{PRICING_WRITE, EXTENSION_WRITE}},
		{false, false, false, true,
			{EXTENSION_WRITE, "Microsoft.Security/mdeOnboardings/read",
				"Microsoft.HybridCompute/locations/operationstatus/read",
				"Microsoft.Insights/eventtypes/values/Read"},
			{PRICING_WRITE, "Microsoft.Security/settings/write"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct permission_need needs[PERMISSION_NEEDS_MAX];
		struct world w;
		size_t n;

		world_init(&w, MODE_ENFORCE);
		w.policy.plan = rows[i].plan ? PLAN_P2 : PLAN_UNMANAGED;
		w.policy.integration = rows[i].integration;
		w.policy.unified_solution = rows[i].unified;
		w.policy.deploy = rows[i].deploys ? DEPLOY_AFTER_GRACE : DEPLOY_NEVER;
		n = permission_needs(&w.scopes[0], needs);
		for (size_t k = 0; k < 4 && rows[i].needed[k] != NULL; k++) {
			const struct permission_need *need = find(needs, n, rows[i].needed[k]);

			if (need == NULL || need->use != PERMISSION_CORRECTS)
				fail_msg("row %zu: %s", i, rows[i].needed[k]);
		}
		for (size_t k = 0; k < 4 && rows[i].not_needed[k] != NULL; k++)
			if (find(needs, n, rows[i].not_needed[k]) != NULL)
				fail_msg("row %zu: not %s", i, rows[i].not_needed[k]);
	}
}

/* What is only read where it is wanted needs no right elsewhere. */
static void what_is_wanted_decides_what_is_read(void **state)
{
	static const struct {
		const char *action;
		enum permission_use use;
	} wanted[] = {
		{"Microsoft.Security/serverVulnerabilityAssessmentsSettings/read",
			PERMISSION_OBSERVES},
		{"Microsoft.Security/serverVulnerabilityAssessmentsSettings/write",
			PERMISSION_CORRECTS},
		{"Microsoft.Resources/subscriptions/providers/read", PERMISSION_OBSERVES},
		{"Microsoft.Security/register/action", PERMISSION_CORRECTS},
		{"Microsoft.Security/autoProvisioningSettings/read", PERMISSION_HELPS},
		{"Microsoft.Management/managementGroups/descendants/read", PERMISSION_HELPS},
		{"Microsoft.Authorization/policyExemptions/read", PERMISSION_OBSERVES},
		{"Microsoft.Authorization/policyAssignments/read", PERMISSION_OBSERVES},
		{"Microsoft.Authorization/policySetDefinitions/read", PERMISSION_OBSERVES},
	};
	struct permission_need needs[PERMISSION_NEEDS_MAX];
	struct exclude_config exclude = {0};
	struct world w;
	size_t n;

	(void)state;
	world_init(&w, MODE_ENFORCE);
	n = permission_needs(&w.scopes[0], needs);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const struct permission_need *need = find(needs, n, wanted[i].action);

		if (need != NULL && need->use != PERMISSION_HELPS)
			fail_msg("%s is not wanted", wanted[i].action);
	}
	w.policy.vulnerability_management = w.policy.register_providers = true;
	w.policy.legacy_replace = true;
	w.scopes[0].honour_exemptions = true;
	exclude.selector.management_groups = w.groups;
	exclude.selector.management_group_count = 1;
	w.scopes[0].excludes = &exclude;
	w.scopes[0].exclude_count = 1;
	n = permission_needs(&w.scopes[0], needs);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const struct permission_need *need = find(needs, n, wanted[i].action);

		if (need == NULL || need->use != wanted[i].use)
			fail_msg("%s", wanted[i].action);
	}
}

/* Waiting for assigned policies works without, other writers are named with it. */
static void what_others_do_is_asked_for(void **state)
{
	struct permission_need needs[PERMISSION_NEEDS_MAX];
	const struct permission_need *need;
	struct world w;
	size_t n;

	(void)state;
	world_init(&w, MODE_ENFORCE);
	w.policy.policy_grace = DUR_H(1);
	n = permission_needs(&w.scopes[0], needs);
	need = find(needs, n, "Microsoft.Authorization/policyAssignments/read");
	assert_non_null(need);
	assert_int_equal(need->use, PERMISSION_HELPS);
	assert_null(find(needs, n, "Microsoft.Authorization/policyExemptions/read"));
	assert_non_null(find(needs, n, "Microsoft.Insights/eventtypes/values/read"));
}

/* A control whose row forgets them would be missing from every role. */
static void each_control_names_its_actions(void **state)
{
	(void)state;
	for (unsigned c = 0; c < CONTROL_N_; c++) {
		const struct control *control = control_by_id(c);

		if (control->reads == NULL || control->reads[0] == NULL)
			fail_msg("%s names nothing that it reads with", control_word(c));
		if (control->corrects && (control->writes == NULL || control->writes[0] == NULL))
			fail_msg("%s names nothing that it writes with", control_word(c));
	}
}

static void only_machines_own_actions_may_be_granted_on_groups(void **state)
{
	struct permission_need needs[PERMISSION_NEEDS_MAX];
	struct world w;
	size_t n;

	(void)state;
	world_init(&w, MODE_ENFORCE);
	n = permission_needs(&w.scopes[0], needs);
	assert_true(find(needs, n, EXTENSION_WRITE)->on_machine);
	assert_true(find(needs, n, "Microsoft.HybridCompute/machines/read")->on_machine);
	assert_false(find(needs, n, PRICING_WRITE)->on_machine);
	assert_false(find(needs, n, "Microsoft.Security/mdeOnboardings/read")->on_machine);
	assert_false(find(needs, n, "Microsoft.HybridCompute/locations/operationstatus/read")
			     ->on_machine);
}

static void each_need_has_a_built_in_role(void **state)
{
	struct permission_need needs[PERMISSION_NEEDS_MAX];
	struct world w;
	size_t n;

	(void)state;
	world_init(&w, MODE_ENFORCE);
	n = permission_needs(&w.scopes[0], needs);
	assert_string_equal(permission_role(PRICING_WRITE), "Security Admin");
	assert_string_equal(
		permission_role(EXTENSION_WRITE), "Azure Connected Machine Resource Administrator");
	assert_string_equal(permission_role("Microsoft.Insights/eventtypes/values/Read"), "Reader");
	assert_null(permission_role("Microsoft.Other/things/write"));
	for (size_t i = 0; i < n; i++)
		if (permission_role(needs[i].action) == NULL)
			fail_msg("%s", needs[i].action);
}

static void a_provider_is_what_stands_before_the_first_slash(void **state)
{
	char provider[PERMISSION_PROVIDER_SIZE] = "";

	(void)state;
	assert_true(permission_provider(EXTENSION_WRITE, provider));
	assert_string_equal(provider, "Microsoft.HybridCompute");
	assert_false(permission_provider("Microsoft.Security", provider));
	assert_false(permission_provider("Microsoft.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
					 "aaaaaaaaaaaa/read",
		provider));
}

/* --- the custom role --- */

static json_t *role_of(struct world *w, const struct scope_config *only)
{
	struct diags diags = DIAGS_INIT;
	json_t *role = permission_custom_role(&w->config, only, &diags);

	if ((role == NULL) != (diags.errors > 0))
		fail_msg("a role or errors, not both or neither");
	diags_fini(&diags);
	return role;
}

static void expect_scopes(json_t *take_role, const char *first, const char *second)
{
	const json_t *scopes = json_object_get(take_role, "AssignableScopes");

	assert_non_null(take_role);
	assert_int_equal(json_array_size(scopes), second != NULL ? 2 : 1);
	assert_string_equal(json_string_value(json_array_get(scopes, 0)), first);
	if (second != NULL)
		assert_string_equal(json_string_value(json_array_get(scopes, 1)), second);
	json_decref(take_role);
}

static bool holds(const json_t *role, const char *action)
{
	const json_t *actions = json_object_get(role, "Actions");
	size_t i;
	json_t *one;

	json_array_foreach (actions, i, one)
		if (str_equal(json_string_value(one), action))
			return true;
	return false;
}

static void a_custom_role_holds_all_that_is_needed_and_no_pattern(void **state)
{
	struct permission_need needs[PERMISSION_NEEDS_MAX];
	struct world w;
	size_t n, i;
	json_t *role, *one;

	(void)state;
	world_init(&w, MODE_ENFORCE);
	n = permission_needs(&w.scopes[0], needs);
	role = role_of(&w, NULL);
	assert_non_null(role);
	assert_string_equal(json_string_value(json_object_get(role, "Name")), "mdcd");
	assert_true(json_is_true(json_object_get(role, "IsCustom")));
	assert_true(json_string_length(json_object_get(role, "Description")) > 0);
	assert_int_equal(json_array_size(json_object_get(role, "Actions")), n);
	json_array_foreach (json_object_get(role, "Actions"), i, one)
		assert_false(str_contains_nocase(json_string_value(one), "*"));
	for (i = 0; i < n; i++)
		assert_true(holds(role, needs[i].action));
	json_decref(role);
}

static void a_custom_role_to_observe_writes_nothing(void **state)
{
	struct world w;
	json_t *role;

	(void)state;
	world_init(&w, MODE_OBSERVE);
	role = role_of(&w, NULL);
	assert_true(holds(role, "Microsoft.Security/pricings/read"));
	assert_false(holds(role, PRICING_WRITE));
	assert_false(holds(role, "Microsoft.Security/mdeOnboardings/read"));
	assert_false(holds(role, "Microsoft.Management/managementGroups/descendants/read"));
	json_decref(role);
}

static void a_custom_role_is_assignable_where_the_scopes_are(void **state)
{
	struct world w;
	json_t *role;

	(void)state;
	world_init(&w, MODE_OBSERVE);
	expect_scopes(
		role_of(&w, NULL), "/subscriptions/30000000-0000-4000-8000-000000000001", NULL);
	w.config.scope_count = 2;
	expect_scopes(role_of(&w, NULL), "/subscriptions/30000000-0000-4000-8000-000000000001",
		"/subscriptions/30000000-0000-4000-8000-000000000002");
	role = role_of(&w, &w.scopes[1]);
	assert_string_equal(json_string_value(json_object_get(role, "Name")), "mdcd two");
	expect_scopes(role, "/subscriptions/30000000-0000-4000-8000-000000000002", NULL);

	w.scopes[0].management_groups = w.groups;
	w.scopes[0].management_group_count = 1;
	role = role_of(&w, &w.scopes[0]);
	assert_true(holds(role, "Microsoft.Management/managementGroups/descendants/read"));
	expect_scopes(role, "/subscriptions/30000000-0000-4000-8000-000000000001",
		"/providers/Microsoft.Management/managementGroups/mg-one");
}

static void what_no_single_group_covers_takes_the_root_group(void **state)
{
	static const char root[] =
		"/providers/Microsoft.Management/managementGroups/11111111-1111-1111-1111-"
		"111111111111";
	struct world w;

	(void)state;
	world_init(&w, MODE_OBSERVE);
	w.scopes[0].everything = true;
	expect_scopes(role_of(&w, NULL), root, NULL);
	w.scopes[0].everything = false;
	w.scopes[0].management_groups = w.groups;
	w.scopes[0].management_group_count = 2;
	expect_scopes(role_of(&w, NULL), root, NULL);
	/* A managed identity does not say which tenant is its own. */
	w.identity.tenant = NULL;
	assert_null(role_of(&w, NULL));
	w.config.scope_count = 0;
	assert_null(role_of(&w, NULL));
}

/* Azure takes two thousand scopes in a role. */
static void too_many_subscriptions_take_the_root_group(void **state)
{
	static char texts[2001][GUID_TEXT_SIZE];
	static char *ids[2001];
	struct world w;
	json_t *role;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
		snprintf(texts[i], sizeof(texts[i]), "30000000-0000-4000-8000-%012u", i);
		ids[i] = texts[i];
	}
	world_init(&w, MODE_OBSERVE);
	w.scopes[0].subscriptions = ids;
	w.scopes[0].subscription_count = 1999;
	role = role_of(&w, NULL);
	assert_int_equal(json_array_size(json_object_get(role, "AssignableScopes")), 1999);
	json_decref(role);
	w.scopes[0].subscription_count = 2001;
	role = role_of(&w, NULL);
	assert_int_equal(json_array_size(json_object_get(role, "AssignableScopes")), 1);
	json_decref(role);
}

static void scopes_of_two_tenants_share_no_role(void **state)
{
	struct identity_config other = {.tenant = other_tenant};
	struct world w;

	(void)state;
	world_init(&w, MODE_OBSERVE);
	w.config.scope_count = 2;
	w.scopes[1].identity = &other;
	assert_null(role_of(&w, NULL));
	json_decref(role_of(&w, &w.scopes[1]));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_as_azure_does),
		cmocka_unit_test(an_entry_takes_back_only_what_it_gave_itself),
		cmocka_unit_test(observing_needs_reads_alone),
		cmocka_unit_test(enforcing_needs_what_the_policy_writes),
		cmocka_unit_test(what_is_wanted_decides_what_is_read),
		cmocka_unit_test(what_others_do_is_asked_for),
		cmocka_unit_test(each_control_names_its_actions),
		cmocka_unit_test(only_machines_own_actions_may_be_granted_on_groups),
		cmocka_unit_test(each_need_has_a_built_in_role),
		cmocka_unit_test(a_provider_is_what_stands_before_the_first_slash),
		cmocka_unit_test(a_custom_role_holds_all_that_is_needed_and_no_pattern),
		cmocka_unit_test(a_custom_role_to_observe_writes_nothing),
		cmocka_unit_test(a_custom_role_is_assignable_where_the_scopes_are),
		cmocka_unit_test(what_no_single_group_covers_takes_the_root_group),
		cmocka_unit_test(too_many_subscriptions_take_the_root_group),
		cmocka_unit_test(scopes_of_two_tenants_share_no_role),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
