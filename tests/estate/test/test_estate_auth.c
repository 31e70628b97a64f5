/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define VERSION "?api-version=2022-12-01"
#define OTHER "20000000-0000-4000-8000-000000000002"
#define ON "{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":true}}"
#define MACHINE_BODY \
	"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"},{\"name\":\"m2\",\"group\":\"other\"}]"

/* A second principal with these roles (a JSON array), and the fixture's token is its. */
static void open_as(struct fixture *f, const char *roles)
{
	json_t *doc = fixture_document(MACHINE_BODY ",\"managementGroup\":\"mg-prod\"", "");
	json_t *principal = json_pack("{s:s, s:s, s:s, s:o}", "tenant", TENANT, "client", OTHER,
		"secret", "other", "roles", parse(roles));

	json_object_set_new(doc, "managementGroups",
		json_pack("[{s:s, s:s}, {s:s, s:s, s:s}, {s:s, s:s, s:s}]", "name", "root",
			"tenant", TENANT, "name", "mg-prod", "tenant", TENANT, "parent", "root",
			"name", "mg-lab", "tenant", TENANT, "parent", "root"));
	json_array_append_new(json_object_get(doc, "principals"), principal);
	json_array_append_new(json_object_get(doc, "subscriptions"),
		json_pack("{s:s, s:s, s:s}", "id", SUB2, "tenant", TENANT, "managementGroup",
			"mg-lab"));
	fixture_open_json(f, doc);
	assert_int_equal(log_in(f, OTHER, "other"), 200);
}

static void a_reader_reads_and_does_not_write(void **state)
{
	struct fixture f;

	(void)state;
	open_as(&f, "[{\"scope\":\"" SUB_PATH "\",\"role\":\"Reader\"}]");
	assert_int_equal(get(&f, PLAN), 200);
	put(&f, SETTING("WDATP"), ON);
	assert_refused(&f, 403, "AuthorizationFailed");
	assert_non_null(strstr(text(&f, "error.message"), "'Microsoft.Security/settings/write'"));
	assert_non_null(strstr(text(&f, "error.message"), SECURITY "/settings/WDATP'"));
	assert_non_null(strstr(text(&f, "error.message"), OTHER));
	fixture_close(&f);
}

static void what_is_not_seen_is_not_found(void **state)
{
	struct fixture f;

	(void)state;
	open_as(&f, "[{\"scope\":\"" SUB_PATH "\",\"role\":\"Reader\"}]");
	assert_int_equal(get(&f, "/subscriptions" VERSION), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	assert_string_equal(text(&f, "nextLink"), "");
	get(&f, "/subscriptions/" SUB2 VERSION);
	assert_refused(&f, 404, "SubscriptionNotFound");
	fixture_close(&f);
}

static void a_caller_without_roles_sees_nothing(void **state)
{
	struct fixture f;

	(void)state;
	open_as(&f, "[]");
	assert_int_equal(get(&f, "/subscriptions" VERSION), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 0);
	get(&f, PLAN);
	assert_refused(&f, 404, "SubscriptionNotFound");
	fixture_close(&f);
}

static void roles_of_a_management_group_are_inherited(void **state)
{
	static const char *const scopes[] = {"root", "mg-prod", "mg-lab"};
	static const int seen[] = {2, 1, 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		struct fixture f;
		mdc_autofree char *roles =
			xasprintf("[{\"scope\":\"/providers/Microsoft.Management/"
				  "managementGroups/%s\",\"role\":\"Reader\"}]",
				scopes[i]);

		open_as(&f, roles);
		get(&f, "/subscriptions" VERSION);
		assert_int_equal(json_array_size(tree_get(f.doc, "value")), seen[i]);
		get(&f, PLAN);
		assert_int_equal(f.answer.reply.status, i == 2 ? 404 : 200);
		fixture_close(&f);
	}
}

static void a_role_on_a_group_ends_at_the_group(void **state)
{
	struct fixture f;

	(void)state;
	open_as(&f, "[{\"scope\":\"" SUB_PATH "/resourceGroups/RG\",\"role\":\"Reader\"}]");
	assert_int_equal(get(&f, MACHINE "?" ARC), 200);
	assert_int_equal(get(&f, MACHINES "?" ARC), 200);
	get(&f,
		SUB_PATH
		"/resourceGroups/other/providers/Microsoft.HybridCompute/machines/m2?" ARC);
	assert_refused(&f, 403, "AuthorizationFailed");
	get(&f, SUB_PATH "/providers/Microsoft.HybridCompute/machines?" ARC);
	assert_refused(&f, 403, "AuthorizationFailed");
	assert_non_null(strstr(text(&f, "error.message"), "over scope '" SUB_PATH "'"));
	fixture_close(&f);
}

static void a_scope_covers_whole_segments_only(void **state)
{
	struct fixture f;

	(void)state;
	open_as(&f, "[{\"scope\":\"" SUB_PATH "/resourceGroups/r\",\"role\":\"Reader\"}]");
	get(&f, MACHINE "?" ARC);
	assert_refused(&f, 403, "AuthorizationFailed");
	fixture_close(&f);
}

static void not_actions_take_away_within_their_own_role(void **state)
{
	static const char without[] = "{\"scope\":\"" SUB_PATH "\",\"actions\":[\"*\"],"
				      "\"notActions\":[\"microsoft.security/*/write\"]}";
	mdc_autofree char *alone = xasprintf("[%s]", without);
	mdc_autofree char *both =
		xasprintf("[%s,{\"scope\":\"" SUB_PATH "\",\"role\":\"Security Admin\"}]", without);
	struct fixture f;

	(void)state;
	open_as(&f, alone);
	put(&f, SETTING("WDATP"), ON);
	assert_refused(&f, 403, "AuthorizationFailed");
	fixture_close(&f);
	open_as(&f, both);
	assert_int_equal(put(&f, SETTING("WDATP"), ON), 200);
	fixture_close(&f);
}

static void registering_asks_for_that_providers_right(void **state)
{
	struct fixture f;

	(void)state;
	open_as(&f,
		"[{\"scope\":\"" SUB_PATH "\",\"actions\":[\"Microsoft.Security/register/"
		"action\"]}]");
	assert_int_equal(
		call(&f, "POST",
			SUB_PATH "/providers/Microsoft.Security/register?api-version=2024-03-01",
			NULL),
		200);
	call(&f, "POST", SUB_PATH "/providers/Microsoft.Compute/register?api-version=2024-03-01",
		NULL);
	assert_refused(&f, 403, "AuthorizationFailed");
	assert_non_null(strstr(text(&f, "error.message"), "'Microsoft.Compute/register/action'"));
	fixture_close(&f);
}

static void a_caller_may_read_its_own_permissions(void **state)
{
	struct fixture f;
	const json_t *entry;

	(void)state;
	open_as(&f,
		"[{\"scope\":\"" SUB_PATH
		"\",\"role\":\"Reader\"},{\"scope\":\"/subscriptions/" SUB2
		"\",\"role\":\"Owner\"}]");
	assert_int_equal(get(&f,
				 SUB_PATH "/resourcegroups/rg/providers/Microsoft.Authorization/"
					  "permissions?api-version=2022-04-01"),
		200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	entry = json_array_get(tree_get(f.doc, "value"), 0);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(entry, "actions"), 0)), "*/read");
	fixture_close(&f);
}

static void role_assignments_are_listed_by_scope_and_principal(void **state)
{
	struct fixture f;
	mdc_autofree char *filtered = NULL;
	const char *object;

	(void)state;
	open_as(&f,
		"[{\"scope\":\"" SUB_PATH "/resourceGroups/rg\",\"role\":\"Contributor\"},"
		"{\"scope\":\"" SUB_PATH "\",\"role\":\"Reader\"}]");
#define LIST SUB_PATH "/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
	assert_int_equal(get(&f, LIST), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 3);
	assert_int_equal(get(&f, LIST "&$filter=atScope()"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	object = tree_text(json_array_get(tree_get(f.doc, "value"), 1), "properties.principalId");
	filtered = xasprintf(LIST "&$filter=principalId%%20eq%%20'%s'", object);
	assert_int_equal(get(&f, filtered), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	get(&f, LIST "&$filter=nonsense");
	assert_refused(&f, 400, "InvalidFilter");
#undef LIST
	fixture_close(&f);
}

static void locks_below_and_above_a_scope_are_listed(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		MACHINE_BODY ",\"locks\":[{\"name\":\"a\",\"level\":\"ReadOnly\"},{\"name\":\"b\","
			     "\"level\":\"CanNotDelete\",\"scope\":\"" SUB_PATH
			     "/resourceGroups/rg\"}]",
		"");
#define LOCKS "/providers/Microsoft.Authorization/locks?api-version=2020-05-01"
	assert_int_equal(get(&f, SUB_PATH LOCKS), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	assert_int_equal(get(&f, SUB_PATH LOCKS "&$filter=atScope()"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	assert_int_equal(get(&f, MACHINE LOCKS), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
#undef LOCKS
	fixture_close(&f);
}

static void a_deny_assignment_is_over_every_role(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		MACHINE_BODY
		",\"denyAssignments\":[{\"name\":\"stack\",\"actions\":[\"*\"],"
		"\"notActions\":[\"*/read\"]},{\"name\":\"others\",\"actions\":[\"*\"],"
		"\"principals\":[\"40000000-0000-4000-8000-00000000ffff\"],\"scope\":\"" SUB_PATH
		"/resourceGroups/rg\"}]",
		"");
	assert_int_equal(get(&f, PLAN), 200);
	put(&f, SETTING("WDATP"), ON);
	assert_refused(&f, 403, "DenyAssignmentAuthorizationFailed");
	assert_non_null(strstr(text(&f, "error.message"), "'stack'"));
	assert_int_equal(get(&f, MACHINE "?" ARC), 200);
#define DENIALS "/providers/Microsoft.Authorization/denyAssignments?api-version=2022-04-01"
	assert_int_equal(get(&f, SUB_PATH DENIALS), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	assert_string_equal(tree_text(json_array_get(tree_get(f.doc, "value"), 0),
				    "properties.denyAssignmentName"),
		"stack");
	assert_int_equal(get(&f, SUB_PATH DENIALS "&$filter=atScope()"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
#undef DENIALS
	fixture_close(&f);
}

static void who_is_excepted_from_a_deny_assignment_may_write(void **state)
{
	struct fixture f;
	mdc_autofree char *object = NULL, *body = NULL;

	(void)state;
	fixture_open(&f, MACHINE_BODY, "");
	put(&f, SETTING("WDATP"), ON);
	assert_int_equal(get(&f,
				 SUB_PATH "/providers/Microsoft.Authorization/"
					  "roleAssignments?api-version=2022-04-01"),
		200);
	object = xstrdup(
		tree_text(json_array_get(tree_get(f.doc, "value"), 0), "properties.principalId"));
	fixture_close(&f);
	body = xasprintf(MACHINE_BODY ",\"denyAssignments\":[{\"name\":\"stack\",\"actions\":"
				      "[\"*/write\"],\"except\":[\"%s\"]}]",
		object);
	fixture_open(&f, body, "");
	assert_int_equal(put(&f, SETTING("WDATP"), ON), 200);
	fixture_close(&f);
}

#define CHECK \
	SUB_PATH "/providers/Microsoft.PolicyInsights/" \
		 "checkPolicyRestrictions?api-version=2023-03-01"
#define EVALUATIONS "contentEvaluationResult.policyEvaluations"

static json_int_t refusals(struct fixture *f, const char *type, const char *scope)
{
	mdc_autofree char *body = xasprintf(
		"{\"resourceDetails\":{\"resourceContent\":{\"type\":\"%s\"},\"scope\":\"%s\"}}",
		type, scope);

	assert_int_equal(call(f, "POST", CHECK, body), 200);
	return (json_int_t)json_array_size(tree_get(f->doc, EVALUATIONS));
}

static void policies_that_would_deny_are_told_before_the_write(void **state)
{
	static const char extension[] = "Microsoft.HybridCompute/machines/extensions";
	struct fixture f;
	const json_t *first;

	(void)state;
	fixture_open(&f,
		MACHINE_BODY ",\"policies\":[{\"name\":\"no-extensions\",\"deny\":"
			     "\"Microsoft.HybridCompute/machines/extensions\",\"scope\":\"" SUB_PATH
			     "/resourceGroups/rg\"}]",
		"");
	assert_int_equal(refusals(&f, extension, MACHINE), 1);
	first = json_array_get(tree_get(f.doc, EVALUATIONS), 0);
	assert_string_equal(tree_text(first, "effectDetails.policyEffect"), "Deny");
	assert_string_equal(tree_text(first, "policyInfo.policyAssignmentId"),
		SUB_PATH "/resourceGroups/rg/providers/Microsoft.Authorization/policyAssignments/"
			 "no-extensions");
	assert_int_equal(refusals(&f, extension, SUB_PATH "/resourceGroups/other"), 0);
	assert_int_equal(refusals(&f, "Microsoft.Security/pricings", ""), 0);
	call(&f, "POST", CHECK, "{\"resourceDetails\":{}}");
	assert_refused(&f, 400, "InvalidCheckRestrictionsRequest");
	fixture_close(&f);
}

#define GROUPS "/providers/Microsoft.Management/managementGroups"

static void descendants_of_a_management_group_are_all_levels_flat(void **state)
{
	struct fixture f;
	const json_t *list;

	(void)state;
	open_as(&f, "[{\"scope\":\"" GROUPS "/root\",\"role\":\"Management Group Reader\"}]");
	assert_int_equal(get(&f, GROUPS "/root/descendants?api-version=2023-04-01"), 200);
	list = tree_get(f.doc, "value");
	assert_int_equal(json_array_size(list), 4);
	assert_string_equal(tree_text(json_array_get(list, 3), "id"), "/subscriptions/" SUB2);
	assert_string_equal(
		tree_text(json_array_get(list, 3), "properties.parent.id"), GROUPS "/mg-lab");
	assert_int_equal(get(&f, GROUPS "/mg-prod/descendants?api-version=2023-04-01"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	get(&f, GROUPS "/none/descendants?api-version=2023-04-01");
	assert_refused(&f, 403, "AuthorizationFailed");
	assert_int_equal(get(&f, GROUPS "/mg-prod?api-version=2023-04-01"), 200);
	assert_string_equal(text(&f, "properties.details.parent.name"), "root");
	fixture_close(&f);
}

static void subscriptions_under_a_management_group_are_those_right_below(void **state)
{
	struct fixture f;
	const json_t *first;

	(void)state;
	open_as(&f, "[{\"scope\":\"" GROUPS "/root\",\"role\":\"Management Group Reader\"}]");
	assert_int_equal(get(&f, GROUPS "/mg-lab/subscriptions?api-version=2023-04-01"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	first = json_array_get(tree_get(f.doc, "value"), 0);
	assert_string_equal(tree_text(first, "id"), GROUPS "/mg-lab/subscriptions/" SUB2);
	assert_string_equal(tree_text(first, "name"), SUB2);
	assert_string_equal(tree_text(first, "properties.parent.id"), GROUPS "/mg-lab");
	assert_string_equal(tree_text(first, "properties.state"), "Active");
	assert_int_equal(get(&f, GROUPS "/root/subscriptions?api-version=2023-04-01"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 0);
	get(&f, GROUPS "/none/subscriptions?api-version=2023-04-01");
	assert_refused(&f, 403, "AuthorizationFailed");
	fixture_close(&f);
}

static void a_subscription_may_be_moved_to_another_group(void **state)
{
	struct fixture f;
	json_t *group = json_string("mg-lab"), *none = json_string("none");

	(void)state;
	open_as(&f, "[{\"scope\":\"" GROUPS "/mg-lab\",\"role\":\"Reader\"}]");
	assert_int_equal(get(&f, PLAN), 404);
	assert_int_equal(estate_meddle(f.e, SUB_PATH, "managementGroup", none), -ENOENT);
	assert_int_equal(estate_meddle(f.e, SUB_PATH, "managementGroup", group), 0);
	assert_int_equal(get(&f, PLAN), 200);
	json_decref(group);
	json_decref(none);
	fixture_close(&f);
}

static void entities_are_what_the_caller_sees(void **state)
{
	struct fixture f;

	(void)state;
	open_as(&f, "[{\"scope\":\"" SUB_PATH "\",\"role\":\"Reader\"}]");
	assert_int_equal(
		call(&f, "POST",
			"/providers/Microsoft.Management/getEntities?api-version=2023-04-01", NULL),
		200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	assert_string_equal(tree_text(json_array_get(tree_get(f.doc, "value"), 0), "id"), SUB_PATH);
	assert_int_equal(get(&f, GROUPS "?api-version=2023-04-01"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 0);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_reader_reads_and_does_not_write),
	cmocka_unit_test(what_is_not_seen_is_not_found),
	cmocka_unit_test(a_caller_without_roles_sees_nothing),
	cmocka_unit_test(roles_of_a_management_group_are_inherited),
	cmocka_unit_test(a_role_on_a_group_ends_at_the_group),
	cmocka_unit_test(a_scope_covers_whole_segments_only),
	cmocka_unit_test(not_actions_take_away_within_their_own_role),
	cmocka_unit_test(registering_asks_for_that_providers_right),
	cmocka_unit_test(a_caller_may_read_its_own_permissions),
	cmocka_unit_test(role_assignments_are_listed_by_scope_and_principal),
	cmocka_unit_test(locks_below_and_above_a_scope_are_listed),
	cmocka_unit_test(a_deny_assignment_is_over_every_role),
	cmocka_unit_test(who_is_excepted_from_a_deny_assignment_may_write),
	cmocka_unit_test(policies_that_would_deny_are_told_before_the_write),
	cmocka_unit_test(descendants_of_a_management_group_are_all_levels_flat),
	cmocka_unit_test(subscriptions_under_a_management_group_are_those_right_below),
	cmocka_unit_test(a_subscription_may_be_moved_to_another_group),
	cmocka_unit_test(entities_are_what_the_caller_sees),
};
RUN_ESTATE_TESTS(tests)
