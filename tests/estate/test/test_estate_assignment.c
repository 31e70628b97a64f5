/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define VERSION "?api-version=2023-04-01"
#define AUTHORIZATION "/providers/Microsoft.Authorization"
#define SET "/providers/Microsoft.Authorization/policySetDefinitions/monitoring"
#define MEMBERS \
	"\"assignments\":[{\"name\":\"one\",\"definition\":\"/d/1\"},{\"name\":\"two\"," \
	"\"definition\":\"/d/2\",\"scope\":\"" SUB_PATH \
	"/resourceGroups/rg\",\"notScopes\":[\"/x\"]," \
	"\"effect\":\"Disabled\",\"enforced\":false}],\"policySets\":[{\"name\":\"monitoring\"," \
	"\"definitions\":[\"/d/1\",\"/d/2\"]}],"

static const char *of(const struct fixture *f, size_t place, const char *member)
{
	return tree_text(json_array_get(tree_get(f->doc, "value"), place), member);
}

static void assignments_are_listed_with_what_limits_them(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MEMBERS "\"machines\":[]", "");
	assert_int_equal(get(&f, SUB_PATH AUTHORIZATION "/policyAssignments" VERSION), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	assert_string_equal(of(&f, 0, "properties.policyDefinitionId"), "/d/1");
	assert_string_equal(of(&f, 0, "properties.scope"), SUB_PATH);
	assert_string_equal(of(&f, 0, "properties.enforcementMode"), "Default");
	assert_string_equal(of(&f, 1, "properties.scope"), SUB_PATH "/resourceGroups/rg");
	assert_string_equal(of(&f, 1, "properties.enforcementMode"), "DoNotEnforce");
	assert_string_equal(of(&f, 1, "properties.parameters.effect.value"), "Disabled");
	get(&f, SUB_PATH AUTHORIZATION "/policyAssignments" VERSION "&$filter=nonsense()");
	assert_refused(&f, 400, "InvalidFilterInQueryString");
	fixture_close(&f);
}

static void sets_tell_their_definitions_and_unknown_ones_are_absent(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MEMBERS "\"machines\":[]", "");
	assert_int_equal(get(&f, SUB_PATH SET VERSION), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "properties.policyDefinitions")), 2);
	get(&f, SUB_PATH SET "s" VERSION);
	assert_refused(&f, 404, "PolicySetDefinitionNotFound");
	get(&f, SET VERSION);
	assert_refused(&f, 404, "PolicySetDefinitionNotFound");
	fixture_close(&f);
}

#define EXEMPTIONS \
	"\"exemptions\":[{\"name\":\"lab\",\"assignment\":\"one\",\"scope\":\"" SUB_PATH \
	"/resourceGroups/rg\",\"expires\":\"2027-01-31T00:00:00Z\",\"references\":[\"r\"]," \
	"\"requestedBy\":\"lab team\"},{\"name\":\"above\",\"assignment\":\"/a/b\",\"scope\":" \
	"\"/providers/Microsoft.Management/managementGroups/mg\"}],"
#define QUERY \
	"policyresources | where type =~ 'microsoft.authorization/policyexemptions' | project id"

static size_t graph_rows(struct fixture *f, const char *options)
{
	char body[1024];

	snprintf(body, sizeof(body),
		"{\"query\":\"" QUERY "\",\"options\":{%s},\"subscriptions\":[\"" SUB "\"]}",
		options);
	assert_int_equal(
		call(f, "POST",
			"/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01",
			body),
		200);
	return json_array_size(tree_get(f->doc, "data"));
}

static void exemptions_are_listed_whole_and_in_graph_only_from_below_unless_asked(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MEMBERS EXEMPTIONS "\"machines\":[]", "");
	assert_int_equal(
		get(&f, SUB_PATH AUTHORIZATION "/policyExemptions?api-version=2022-07-01-preview"),
		200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	assert_string_equal(of(&f, 0, "properties.policyAssignmentId"),
		SUB_PATH AUTHORIZATION "/policyAssignments/one");
	assert_string_equal(of(&f, 0, "properties.metadata.requestedBy"), "lab team");
	assert_int_equal(wall_parse(of(&f, 0, "properties.expiresOn"), &(struct wall){0}), 0);
	assert_null(of(&f, 1, "properties.expiresOn"));
	assert_int_equal(graph_rows(&f, ""), 1);
	assert_int_equal(
		graph_rows(&f, "\"authorizationScopeFilter\":\"AtScopeAboveAndBelow\""), 2);
	fixture_close(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			exemptions_are_listed_whole_and_in_graph_only_from_below_unless_asked),
		cmocka_unit_test(assignments_are_listed_with_what_limits_them),
		cmocka_unit_test(sets_tell_their_definitions_and_unknown_ones_are_absent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
