/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/assigned_policy.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SUB "/subscriptions/30000000-0000-4000-8000-000000000001"
#define MACHINE SUB "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m"
#define DEFINITIONS "/providers/Microsoft.Authorization/policyDefinitions/"
#define INSTALLER "69AF7D4A-7b18-4044-93a9-2651498ef203"

static json_t *parse(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);

	assert_non_null(document);
	return document;
}

static void definitions_are_known_by_their_last_segment(void **state)
{
	(void)state;
	assert_int_equal(policy_deed_of(DEFINITIONS INSTALLER), DEED_AGENT);
	assert_int_equal(policy_deed_of("/providers/microsoft.authorization/policydefinitions/"
					"4EB909e7-6d64-656d-6465-2eeb297a1625"),
		DEED_SENSOR_LINUX);
	assert_int_equal(
		policy_deed_of(DEFINITIONS "1e30110a-5ceb-460c-a204-c1c3969c6d62"), DEED_N_);
	assert_int_equal(policy_deed_of(INSTALLER), DEED_N_);
	assert_int_equal(policy_deed_of(NULL), DEED_N_);
	assert_true(policy_is_set("/providers/Microsoft.Authorization/policySetDefinitions/x"));
	assert_false(policy_is_set(DEFINITIONS INSTALLER));
	assert_false(policy_is_set(NULL));
}

static void a_set_does_what_its_definitions_do(void **state)
{
	struct assigned_policies policies = {0};
	json_t *assignment = parse("{\"id\": \"/a/b\", \"name\": \"n\"}");
	json_t *with = parse(
		"{\"properties\": {\"policyDefinitions\": [{\"policyDefinitionId\": \"/x/y\"}, 7, "
		"{\"policyDefinitionId\": \"" DEFINITIONS INSTALLER "\"}, "
		"{\"policyDefinitionId\": \"" DEFINITIONS
		"37c043a6-6d64-656d-6465-b362dfeb354a\", \"policyDefinitionReferenceId\": "
		"\"r\"}]}}");
	json_t *without = parse("{\"properties\": {\"policyDefinitions\": [{}]}}");

	(void)state;
	assigned_policies_add(&policies, assignment, with);
	assigned_policies_add(&policies, assignment, without);
	assert_int_equal(assigned_policy_deeds(&policies.v[0]), DEED(AGENT) | DEED(SENSOR_WINDOWS));
	assert_string_equal(policies.v[0].parts[1].reference, "r");
	assert_int_equal(assigned_policy_deeds(&policies.v[1]), 0);
	assert_non_null(assigned_policies_find(&policies, "/A/B"));
	assert_null(assigned_policies_find(&policies, "/a/c"));
	assert_null(assigned_policies_by(&policies, ""));
	assert_null(assigned_policies_on(&policies, DEED(SENSOR_LINUX), MACHINE));
	assigned_policies_fini(&policies);
	json_decref(assignment);
	json_decref(with);
	json_decref(without);
}

static const struct {
	const char *members;
	bool deploys;
} efforts[] = {
	{"", true},
	{"\"enforcementMode\": \"Default\",", true},
	{"\"enforcementMode\": \"DoNotEnforce\",", false},
	{"\"parameters\": {\"effect\": {\"value\": \"DeployIfNotExists\"}},", true},
	{"\"parameters\": {\"effect\": {\"value\": \"disabled\"}},", false},
	{"\"parameters\": {\"effect\": {\"value\": \"AuditIfNotExists\"}},", false},
	{"\"parameters\": [],", true},
	{"\"overrides\": [{\"kind\": \"policyEffect\", \"value\": \"Disabled\"}],", false},
	/* Only for some of what it is assigned to. */
	{"\"overrides\": [{\"kind\": \"policyEffect\", \"value\": \"Disabled\", \"selectors\": "
	 "[{\"kind\": \"resourceLocation\", \"in\": [\"westeurope\"]}]}],",
		true},
};

static void only_what_is_enforced_and_deploys_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(efforts); i++) {
		json_t *document;
		mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);

		buf_addf(&text, "{\"properties\": {%s \"policyDefinitionId\": \"/d\"}}",
			efforts[i].members);
		document = parse(buf_str(&text));
		assert_int_equal(assignment_deploys(document), efforts[i].deploys);
		json_decref(document);
	}
}

static const struct {
	const char *scope, *exempt;
	bool acts;
} scopes[] = {
	{"/providers/Microsoft.Management/managementGroups/mg", "", true}, {SUB, "", true},
	{SUB "/resourceGroups/RG", "", true}, {SUB "/resourceGroups/r", "", false},
	{SUB "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/M", "", true},
	{"/subscriptions/30000000-0000-4000-8000-000000000002", "", false},
	{SUB, "\"" SUB "/resourceGroups/rg\"", false},
	{SUB, "\"" SUB "/resourceGroups/other\"", true}, {SUB, "7, \"" SUB "\"", false},
	{"", "", true}, /* whatever it is, it may act */
};

static void an_assignment_acts_inside_its_scope_but_not_where_it_is_exempt(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		struct assigned_policies policies = {0};
		mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
		json_t *document;

		buf_addf(&text,
			"{\"name\": \"n\", \"properties\": {\"scope\": \"%s\", "
			"\"policyDefinitionId\": \"" DEFINITIONS INSTALLER "\", "
			"\"notScopes\": [%s]}}",
			scopes[i].scope, scopes[i].exempt);
		document = parse(buf_str(&text));
		assigned_policies_add(&policies, document, NULL);
		json_decref(document);
		if ((assigned_policies_on(&policies, DEED(AGENT), MACHINE) != NULL) !=
			scopes[i].acts)
			fail_msg("row %zu", i);
		assert_string_equal(policies.v[0].name, "n");
		assigned_policies_fini(&policies);
	}
}

static void the_identity_of_an_assignment_tells_which_one_writes(void **state)
{
	static const char *const identities[] = {"{\"principalId\": \"P\"}",
		"{\"userAssignedIdentities\": {\"/u/1\": {\"principalId\": \"P\"}}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
		struct assigned_policies policies = {0};
		mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
		json_t *document;

		buf_addf(&text, "{\"name\": \"n\", \"identity\": %s}", identities[i]);
		document = parse(buf_str(&text));
		assigned_policies_add(&policies, document, NULL);
		assert_non_null(assigned_policies_by(&policies, "p"));
		assert_null(assigned_policies_by(&policies, "q"));
		assert_null(assigned_policies_by(&policies, NULL));
		json_decref(document);
		assigned_policies_fini(&policies);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(definitions_are_known_by_their_last_segment),
		cmocka_unit_test(a_set_does_what_its_definitions_do),
		cmocka_unit_test(only_what_is_enforced_and_deploys_counts),
		cmocka_unit_test(the_identity_of_an_assignment_tells_which_one_writes),
		cmocka_unit_test(an_assignment_acts_inside_its_scope_but_not_where_it_is_exempt),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
