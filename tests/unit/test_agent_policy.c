/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/agent_policy.h"

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
	assert_true(policy_installs_agent(DEFINITIONS INSTALLER));
	assert_true(policy_installs_agent("/providers/microsoft.authorization/policydefinitions/"
					  "594c1276-f44f-482d-9910-71fac2ce5ae0"));
	assert_false(policy_installs_agent(DEFINITIONS "1e30110a-5ceb-460c-a204-c1c3969c6d62"));
	assert_false(policy_installs_agent(INSTALLER));
	assert_false(policy_installs_agent(NULL));
	assert_true(policy_is_set("/providers/Microsoft.Authorization/policySetDefinitions/x"));
	assert_false(policy_is_set(DEFINITIONS INSTALLER));
	assert_false(policy_is_set(NULL));
}

static void a_set_installs_what_one_of_its_definitions_does(void **state)
{
	json_t *with =
		parse("{\"properties\": {\"policyDefinitions\": [{\"policyDefinitionId\": "
		      "\"/x/y\"}, 7, {\"policyDefinitionId\": \"" DEFINITIONS INSTALLER "\"}]}}");
	json_t *without = parse("{\"properties\": {\"policyDefinitions\": [{}]}}");

	(void)state;
	assert_true(policy_set_installs_agent(with));
	assert_false(policy_set_installs_agent(without));
	assert_false(policy_set_installs_agent(NULL));
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
		assert_int_equal(assignment_deploys(document) != NULL, efforts[i].deploys);
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
		struct agent_policies policies = {0};
		mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
		json_t *document;

		buf_addf(&text,
			"{\"name\": \"n\", \"properties\": {\"scope\": \"%s\", "
			"\"notScopes\": [%s]}}",
			scopes[i].scope, scopes[i].exempt);
		document = parse(buf_str(&text));
		agent_policies_add(&policies, document);
		json_decref(document);
		if ((agent_policies_on(&policies, MACHINE) != NULL) != scopes[i].acts)
			fail_msg("row %zu", i);
		assert_string_equal(policies.v[0].name, "n");
		agent_policies_fini(&policies);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(definitions_are_known_by_their_last_segment),
		cmocka_unit_test(a_set_installs_what_one_of_its_definitions_does),
		cmocka_unit_test(only_what_is_enforced_and_deploys_counts),
		cmocka_unit_test(an_assignment_acts_inside_its_scope_but_not_where_it_is_exempt),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
