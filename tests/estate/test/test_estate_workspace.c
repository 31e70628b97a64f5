/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define RG SUB_PATH "/resourceGroups/rg"
#define W(name) RG "/providers/Microsoft.OperationalInsights/workspaces/" name
#define SOLUTION_IN(group, name) \
	SUB_PATH "/resourcegroups/" group \
		 "/providers/Microsoft.OperationsManagement/solutions/" name \
		 "?api-version=2015-11-01-preview"
#define SOLUTION SOLUTION_IN("rg", "Security(w1)")
#define SOLUTIONS \
	SUB_PATH "/providers/Microsoft.OperationsManagement/solutions?api-version=" \
		 "2015-11-01-preview"
#define RULE RG "/providers/Microsoft.Insights/dataCollectionRules/r1"
#define PLAN_OF(name, product) \
	"\"plan\":{\"name\":\"" name "\",\"publisher\":\"Microsoft\",\"product\":\"" product \
	"\",\"promotionCode\":\"\"}"
#define GOOD_PLAN PLAN_OF("Security(w1)", "OMSGallery/Security")
#define BODY(location, plan, workspace) \
	"{\"location\":\"" location "\"," plan ",\"properties\":{\"workspaceResourceId\":" \
	"\"" workspace "\"}}"
#define GOOD BODY("westeurope", GOOD_PLAN, W("w1"))
#define MEMBERS \
	"\"workspaces\":[{\"name\":\"w1\",\"customer\":\"" SUB "\"},{\"name\":\"w2\"," \
	"\"customer\":\"" SUB2 "\",\"solutions\":[\"SecurityCenterFree\"]}]," \
	"\"rules\":[{\"name\":\"r1\",\"destinations\":[\"" W( \
		"w1") "\"]}]," \
		      "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"rules\":[\"" RULE "\"]," \
		      "\"extensions\":[{\"type\":\"AzureMonitorWindowsAgent\"}]}]"

static void solutions_are_put_beside_their_workspace(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MEMBERS, "");
	assert_int_equal(get(&f, SOLUTION), 404);
	assert_int_equal(put(&f, SOLUTION, GOOD), 201);
	/* As the service writes it. */
	assert_string_equal(text(&f, "type"), "Microsoft.OperationsManagement/solution");
	assert_int_equal(*text(&f, "id"), 's');
	assert_int_equal(get(&f, SOLUTION), 200);
	assert_string_equal(text(&f, "properties.provisioningState"), "Succeeded");
	assert_int_equal(get(&f, SOLUTIONS), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

static const struct {
	const char *path, *body;
	int status;
} bad[] = {
	{SOLUTION, BODY("eastus", GOOD_PLAN, W("w1")), 400},
	{SOLUTION, BODY("westeurope", PLAN_OF("security(w1)", "OMSGallery/Security"), W("w1")),
		400},
	{SOLUTION, BODY("westeurope", PLAN_OF("Security(w1)", "omsgallery/Security"), W("w1")),
		400},
	{SOLUTION, BODY("westeurope", PLAN_OF("Security(w1)", "OMSGallery/security"), W("w1")),
		400},
	{SOLUTION, BODY("westeurope", GOOD_PLAN, W("w2")), 400},
	{SOLUTION, BODY("westeurope", GOOD_PLAN, W("w9")), 404},
	{SOLUTION, BODY("westeurope", "\"plan\":{}", W("w1")), 400},
	{SOLUTION_IN("rg", "security(w1)"), GOOD, 400},
	{SOLUTION_IN("other", "Security(w1)"), GOOD, 400},
};

static void what_the_service_refuses_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MEMBERS ",\"groups\":[{\"name\":\"other\"}]", "");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (put(&f, bad[i].path, bad[i].body) != bad[i].status)
			fail_msg("case %zu: %d", i, f.answer.reply.status);
	assert_int_equal(get(&f, SOLUTION), 404);
	fixture_close(&f);
}

static void what_is_removed_or_not_the_plan_is_forbidden(void **state)
{
	static const char *const forbidden[] = {"DELETE", "PUT"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
		struct fixture f;

		fixture_open(&f, MEMBERS, "");
		assert_int_equal(get(&f, SOLUTION), 404);
		assert_int_equal(put(&f, SOLUTION, GOOD), 201);
		assert_true(verdict(&f).good);
		if (i == 0)
			call(&f, "DELETE", SOLUTION, NULL);
		else
			put(&f, SOLUTION_IN("rg", "Updates(w1)"),
				BODY("westeurope", PLAN_OF("Updates(w1)", "OMSGallery/Updates"),
					W("w1")));
		assert_true(f.answer.reply.status < 300);
		assert_false(verdict(&f).good);
		fixture_close(&f);
	}
}

static void an_unregistered_provider_has_no_solutions(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		MEMBERS ",\"providers\":[\"Microsoft.Security\","
			"\"Microsoft.OperationalInsights\"]",
		"");
	assert_int_equal(get(&f, SOLUTIONS), 409);
	assert_int_equal(put(&f, SOLUTION, GOOD), 409);
	assert_string_equal(text(&f, "error.code"), "MissingSubscriptionRegistration");
	fixture_close(&f);
}

static void rules_say_where_they_send(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MEMBERS, "");
	assert_int_equal(get(&f, RULE "?api-version=2023-03-11"), 200);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(tree_get(f.doc, "properties.destinations.logAnalytics"), 0),
			"workspaceResourceId")),
		W("w1"));
	assert_int_equal(get(&f, W("w1") "?api-version=2023-09-01"), 200);
	assert_string_equal(text(&f, "properties.customerId"), SUB);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(solutions_are_put_beside_their_workspace),
	cmocka_unit_test(what_the_service_refuses_is_refused),
	cmocka_unit_test(what_is_removed_or_not_the_plan_is_forbidden),
	cmocka_unit_test(an_unregistered_provider_has_no_solutions),
	cmocka_unit_test(rules_say_where_they_send),
};
RUN_ESTATE_TESTS(tests)
