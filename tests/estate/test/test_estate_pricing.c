/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define PLAN_ID SECURITY "/pricings/VirtualMachines"
#define MACHINE_PLAN \
	MACHINE "/providers/Microsoft.Security/pricings/VirtualMachines?api-version=2024-01-01"
#define P2 "{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P2\"}}"
#define P1 "{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P1\"}}"
#define FREE "{\"properties\":{\"pricingTier\":\"Free\"}}"
#define ON_P2 "\"plan\":{\"tier\":\"Standard\",\"subPlan\":\"P2\",\"since\":\"-10d\"}"
#define ONE "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"},{\"name\":\"m2\",\"group\":\"rg\"}]"

static const json_t *extension_of(const json_t *doc, const char *name)
{
	size_t i;
	json_t *x;

	json_array_foreach (tree_get(doc, "properties.extensions"), i, x)
		if (str_equal(tree_text(x, "name"), name))
			return x;
	return NULL;
}

static const char *state_of(struct fixture *f, const char *name)
{
	return tree_text(extension_of(estate_peek(f->e, PLAN_ID), name), "isEnabled");
}

static void a_plan_that_is_off_says_so(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(get(&f, PLAN), 200);
	assert_string_equal(text(&f, "id"), PLAN_ID);
	assert_string_equal(text(&f, "type"), "Microsoft.Security/pricings");
	assert_string_equal(text(&f, "properties.pricingTier"), "Free");
	assert_string_equal(text(&f, "properties.resourcesCoverageStatus"), "NotCovered");
	assert_null(tree_get(f.doc, "properties.enablementTime"));
	fixture_close(&f);
}

static void a_plan_write_takes_seconds_and_effect_with_its_answer(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(put(&f, PLAN, P2), 200);
	assert_in_range(f.answer.delay.ms, 5000, 9000);
	assert_string_equal(text(&f, "properties.pricingTier"), "Standard");
	assert_string_equal(peek(&f, PLAN_ID, "properties.pricingTier"), "Free");
	arrive(&f);
	assert_string_equal(peek(&f, PLAN_ID, "properties.pricingTier"), "Standard");
	assert_string_equal(
		peek(&f, PLAN_ID, "properties.resourcesCoverageStatus"), "FullyCovered");
	assert_true(str_starts_nocase(
		peek(&f, PLAN_ID, "properties.enablementTime"), "2026-11-24T08:00:0"));
	fixture_close(&f);
}

static void a_second_plan_write_of_the_subscription_is_a_conflict(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	put(&f, PLAN, P2);
	put(&f, SECURITY "/pricings/KeyVaults?api-version=2024-01-01",
		"{\"properties\":{\"pricingTier\":\"Standard\"}}");
	assert_refused(&f, 409, "Conflict");
	assert_non_null(
		strstr(text(&f, "error.message"), "Another update operation is in progress"));
	assert_int_equal(verdict(&f).refused, 1);
	pass(&f, DUR_S(9));
	assert_int_equal(put(&f, PLAN, P2), 200);
	fixture_close(&f);
}

static void the_full_plan_comes_when_no_sub_plan_is_named(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	put(&f, PLAN, "{\"properties\":{\"pricingTier\":\"standard\"}}");
	assert_string_equal(text(&f, "properties.subPlan"), "P2");
	assert_string_equal(text(&f, "properties.pricingTier"), "Standard");
	fixture_close(&f);
}

static void turning_a_plan_on_without_extensions_brings_the_servers_own(void **state)
{
	struct fixture f;
	const json_t *scanning;

	(void)state;
	fixture_open(&f, "", "");
	put(&f, PLAN, P2);
	scanning = extension_of(f.doc, "AgentlessVmScanning");
	assert_string_equal(tree_text(scanning, "isEnabled"), "True");
	assert_string_equal(tree_text(scanning, "operationStatus.code"), "Succeeded");
	arrive(&f);
	assert_string_equal(state_of(&f, "AgentlessVmScanning"), "True");
	assert_string_equal(state_of(&f, "MdeDesignatedSubscription"), "False");
	get(&f, PLAN);
	assert_null(tree_get(extension_of(f.doc, "AgentlessVmScanning"), "operationStatus"));
	fixture_close(&f);
}

static void what_a_write_leaves_out_keeps_its_state(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ON_P2, "");
	put(&f, PLAN,
		"{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P2\",\"extensions\":[{"
		"\"name\":\"AgentlessVmScanning\",\"isEnabled\":\"true\","
		"\"additionalExtensionProperties\":{\"ExclusionTags\":\"[]\"}}]}}");
	assert_int_equal(f.answer.reply.status, 200);
	arrive(&f);
	put(&f, PLAN,
		"{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P2\",\"extensions\":[{"
		"\"name\":\"MdeDesignatedSubscription\",\"isEnabled\":\"False\"}]}}");
	arrive(&f);
	assert_string_equal(state_of(&f, "AgentlessVmScanning"), "True");
	assert_string_equal(
		tree_text(extension_of(estate_peek(f.e, PLAN_ID), "AgentlessVmScanning"),
			"additionalExtensionProperties.ExclusionTags"),
		"[]");
	fixture_close(&f);
}

static const struct {
	const char *properties, *words;
} bad_plans[] = {
	{"7", "properties"},
	{"{}", "pricingTier"},
	{"{\"pricingTier\":\"Premium\"}", "pricingTier"},
	{"{\"pricingTier\":\"Standard\",\"subPlan\":\"P3\"}", "subPlan"},
	{"{\"pricingTier\":\"Standard\",\"enforce\":true}", "enforce"},
	{"{\"pricingTier\":\"Standard\",\"enablementTime\":\"2026-01-01T00:00:00Z\"}", "read only"},
	{"{\"pricingTier\":\"Standard\",\"extensions\":{}}", "extensions"},
	{"{\"pricingTier\":\"Standard\",\"extensions\":[{\"isEnabled\":\"True\"}]}", "name"},
	{"{\"pricingTier\":\"Standard\",\"extensions\":[{\"name\":\"Unknown\",\"isEnabled\":"
	 "\"True\"}]}",
		"not supported for 'VirtualMachines' plan"},
	{"{\"pricingTier\":\"Standard\",\"extensions\":[{\"name\":\"AgentlessVmScanning\","
	 "\"isEnabled\":true}]}",
		"isEnabled"},
	{"{\"pricingTier\":\"Standard\",\"extensions\":[{\"name\":\"AgentlessVmScanning\","
	 "\"isEnabled\":\"True\",\"operationStatus\":{\"code\":\"Succeeded\"}}]}",
		"operationStatus"},
	{"{\"pricingTier\":\"Standard\",\"subPlan\":\"P1\",\"extensions\":[{\"name\":"
	 "\"AgentlessVmScanning\",\"isEnabled\":\"False\"}]}",
		"'P1' SubPlan"},
	{"{\"pricingTier\":\"Standard\",\"subPlan\":\"P1\",\"extensions\":[{\"name\":"
	 "\"FileIntegrityMonitoring\",\"isEnabled\":\"False\"}]}",
		"'P1' SubPlan"},
	{"{\"pricingTier\":\"Standard\",\"extensions\":[{\"name\":\"FileIntegrityMonitoring\","
	 "\"isEnabled\":\"True\"}]}",
		"DefinedWorkspaceId"},
	{"{\"pricingTier\":\"Standard\",\"extensions\":[{\"name\":\"FileIntegrityMonitoring\","
	 "\"isEnabled\":\"True\",\"additionalExtensionProperties\":{\"DefinedWorkspaceId\":\"/"
	 "w\"}}]"
	 "}",
		"Rules"},
	{"{\"pricingTier\":\"Standard\",\"extensions\":[{\"name\":\"FileIntegrityMonitoring\","
	 "\"isEnabled\":\"True\",\"additionalExtensionProperties\":{\"DefinedWorkspaceId\":\"/w\","
	 "\"Rules\":[]}}]}",
		"Rules"},
};

static void each_flaw_of_a_plan_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	for (size_t i = 0; i < ARRAY_LEN(bad_plans); i++) {
		mdc_autofree char *body = xasprintf("{\"properties\":%s}", bad_plans[i].properties);

		put(&f, PLAN, body);
		assert_refused(&f, 400, "InvalidInputJson");
		if (strstr(text(&f, "error.message"), bad_plans[i].words) == NULL)
			fail_msg("%s: %s", body, text(&f, "error.message"));
	}
	assert_int_equal(verdict(&f).refused, ARRAY_LEN(bad_plans));
	assert_int_equal(verdict(&f).writes, 0);
	fixture_close(&f);
}

static void file_integrity_rules_come_back_byte_for_byte(void **state)
{
	static const char rules[] = "[{\"RuleId\": \"a\\\\b\"}]";
	struct fixture f;
	json_t *body = json_pack("{s:{s:s, s:s, s:[{s:s, s:s, s:{s:s, s:s, s:s}}]}}", "properties",
		"pricingTier", "Standard", "subPlan", "P2", "extensions", "name",
		"FileIntegrityMonitoring", "isEnabled", "True", "additionalExtensionProperties",
		"DefinedWorkspaceId", "/w", "Rules", rules, "Other", "kept");
	mdc_autofree char *sent = tree_dump(body, NULL);
	const json_t *bag;

	(void)state;
	json_decref(body);
	fixture_open(&f, ON_P2, "");
	assert_int_equal(put(&f, PLAN, sent), 200);
	arrive(&f);
	bag = tree_get(extension_of(estate_peek(f.e, PLAN_ID), "FileIntegrityMonitoring"),
		"additionalExtensionProperties");
	assert_string_equal(tree_text(bag, "Rules"), rules);
	assert_string_equal(tree_text(bag, "Other"), "kept");
	fixture_close(&f);
}

static void going_to_p1_drops_what_only_p2_has(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ON_P2, "");
	assert_string_equal(state_of(&f, "AgentlessVmScanning"), "True");
	assert_int_equal(put(&f, PLAN, P1), 200);
	arrive(&f);
	assert_null(state_of(&f, "AgentlessVmScanning"));
	assert_string_equal(peek(&f, PLAN_ID, "properties.subPlan"), "P1");
	assert_true(str_starts_nocase(
		peek(&f, PLAN_ID, "properties.enablementTime"), "2026-11-14T08:00:00Z"));
	fixture_close(&f);
}

static void an_extension_may_fail_although_the_write_succeeds(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"planFailures\":{\"AgentlessVmScanning\":\"Failed for a reason\"}", "");
	assert_int_equal(put(&f, PLAN, P2), 200);
	assert_string_equal(
		tree_text(extension_of(f.doc, "AgentlessVmScanning"), "operationStatus.code"),
		"Failed");
	assert_string_equal(
		tree_text(extension_of(f.doc, "AgentlessVmScanning"), "operationStatus.message"),
		"Failed for a reason");
	arrive(&f);
	assert_string_equal(state_of(&f, "AgentlessVmScanning"), "False");
	assert_string_equal(peek(&f, PLAN_ID, "properties.pricingTier"), "Standard");
	fixture_close(&f);
}

static void extensions_that_assign_roles_need_an_owner(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document("", "");
	json_t *role = json_array_get(
		json_object_get(json_array_get(json_object_get(doc, "principals"), 0), "roles"), 0);

	(void)state;
	json_object_set_new(role, "role", json_string("Security Admin"));
	fixture_open_json(&f, doc);
	assert_int_equal(put(&f, PLAN, P2), 200);
	assert_non_null(strstr(
		tree_text(extension_of(f.doc, "AgentlessVmScanning"), "operationStatus.message"),
		"Failed assigning roles"));
	fixture_close(&f);
}

static void lists_can_be_filtered_by_name(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
#define LIST SECURITY "/pricings?api-version=2024-01-01"
	assert_int_equal(get(&f, LIST), 200);
	assert_true(json_array_size(tree_get(f.doc, "value")) > 5);
	assert_null(tree_get(f.doc, "nextLink"));
	get(&f, LIST "&$filter=name%20in%20(virtualmachines,KeyVaults)");
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	get(&f, LIST "&$filter=name%20eq%20'x'");
	assert_refused(&f, 400, "InvalidFilter");
#undef LIST
	get(&f, SECURITY "/pricings/None?api-version=2024-01-01");
	assert_refused(&f, 404, "ResourceNotFound");
	fixture_close(&f);
}

static void older_versions_hide_what_they_do_not_know(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ON_P2 "," ONE, "");
	assert_int_equal(get(&f, SECURITY "/pricings/VirtualMachines?api-version=2023-01-01"), 200);
	assert_null(tree_get(f.doc, "properties.enforce"));
	assert_null(tree_get(f.doc, "properties.resourcesCoverageStatus"));
	get(&f,
		MACHINE
		"/providers/Microsoft.Security/pricings/VirtualMachines?api-version=2023-01-01");
	assert_refused(&f, 400, "InvalidScope");
	fixture_close(&f);
}

static void a_machine_inherits_and_may_differ(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ON_P2 "," ONE, "");
	assert_int_equal(get(&f, MACHINE_PLAN), 200);
	assert_string_equal(text(&f, "properties.inherited"), "True");
	assert_string_equal(text(&f, "properties.inheritedFrom"), SUB_PATH);
	assert_string_equal(text(&f, "properties.subPlan"), "P2");
	assert_null(tree_get(f.doc, "properties.enforce"));
	assert_int_equal(call(&f, "DELETE", MACHINE_PLAN, NULL), 204);
	assert_int_equal(put(&f, MACHINE_PLAN, FREE), 201);
	assert_string_equal(text(&f, "properties.inherited"), "False");
	assert_true(json_is_null(tree_get(f.doc, "properties.inheritedFrom")));
	assert_string_equal(
		peek(&f, PLAN_ID, "properties.resourcesCoverageStatus"), "PartiallyCovered");
	assert_int_equal(put(&f, MACHINE_PLAN, P1), 200);
	assert_string_equal(text(&f, "properties.subPlan"), "P1");
	assert_int_equal(call(&f, "DELETE", MACHINE_PLAN, NULL), 200);
	get(&f, MACHINE_PLAN);
	assert_string_equal(text(&f, "properties.inherited"), "True");
	get(&f, MACHINE "/providers/Microsoft.Security/pricings?api-version=2024-01-01");
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	fixture_close(&f);
}

static void a_machine_takes_p1_or_free_only(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ON_P2 "," ONE, "");
	put(&f, MACHINE_PLAN, P2);
	assert_refused(&f, 400, "InvalidInputJson");
	put(&f, MACHINE_PLAN, "{\"properties\":{\"pricingTier\":\"Free\",\"enforce\":\"True\"}}");
	assert_refused(&f, 400, "InvalidInputJson");
	put(&f, MACHINE "/providers/Microsoft.Security/pricings/KeyVaults?api-version=2024-01-01",
		FREE);
	assert_refused(&f, 400, "InvalidInputJson");
	put(&f,
		MACHINES "/none/providers/Microsoft.Security/pricings/VirtualMachines?api-version="
			 "2024-01-01",
		FREE);
	assert_refused(&f, 404, "ResourceNotFound");
	fixture_close(&f);
}

static void an_enforced_plan_forbids_overrides(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"plan\":{\"tier\":\"Standard\",\"subPlan\":\"P2\",\"enforce\":true}," ONE, "");
	put(&f, MACHINE_PLAN, FREE);
	assert_refused(&f, 400, "PricingEnforced");
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_plan_that_is_off_says_so),
	cmocka_unit_test(a_plan_write_takes_seconds_and_effect_with_its_answer),
	cmocka_unit_test(a_second_plan_write_of_the_subscription_is_a_conflict),
	cmocka_unit_test(the_full_plan_comes_when_no_sub_plan_is_named),
	cmocka_unit_test(turning_a_plan_on_without_extensions_brings_the_servers_own),
	cmocka_unit_test(what_a_write_leaves_out_keeps_its_state),
	cmocka_unit_test(each_flaw_of_a_plan_is_refused),
	cmocka_unit_test(file_integrity_rules_come_back_byte_for_byte),
	cmocka_unit_test(going_to_p1_drops_what_only_p2_has),
	cmocka_unit_test(an_extension_may_fail_although_the_write_succeeds),
	cmocka_unit_test(extensions_that_assign_roles_need_an_owner),
	cmocka_unit_test(lists_can_be_filtered_by_name),
	cmocka_unit_test(older_versions_hide_what_they_do_not_know),
	cmocka_unit_test(a_machine_inherits_and_may_differ),
	cmocka_unit_test(a_machine_takes_p1_or_free_only),
	cmocka_unit_test(an_enforced_plan_forbids_overrides),
};
RUN_ESTATE_TESTS(tests)
