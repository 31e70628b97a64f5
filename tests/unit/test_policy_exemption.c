/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/policy_exemption.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SUB "/subscriptions/30000000-0000-4000-8000-000000000001"
#define GROUP SUB "/resourceGroups/rg"
#define MACHINE GROUP "/providers/Microsoft.HybridCompute/machines/m"
#define EXEMPTIONS "/providers/Microsoft.Authorization/policyExemptions/"
#define ASSIGNMENT SUB "/providers/Microsoft.Authorization/policyAssignments/mde"
#define DEFINITIONS "/providers/Microsoft.Authorization/policyDefinitions/"
#define NOW ((struct wall){1800000000000})

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *document = json_loads(text, 0, &error);

	if (document == NULL)
		fail_msg("%s: %s", error.text, text);
	return document;
}

static int add(struct policy_exemptions *p, const char *id, const char *properties,
	const struct policy_exemptions *before)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
	json_t *document;
	int error;

	buf_addf(&text,
		"{\"id\": \"%s\", \"name\": \"n\", \"properties\": {\"policyAssignmentId\": "
		"\"" ASSIGNMENT "\"%s}}",
		id, properties);
	document = parse(buf_str(&text));
	error = policy_exemptions_add(p, document, before);
	json_decref(document);
	return error;
}

static void what_cannot_be_read_is_no_exemption(void **state)
{
	static const char *const documents[] = {"{}", "[]", "{\"id\": 7}",
		"{\"id\": \"" GROUP EXEMPTIONS "x\"}",
		"{\"id\": \"" GROUP EXEMPTIONS
		"\", \"properties\": {\"policyAssignmentId\": \"/a\"}}",
		"{\"id\": \"" GROUP "\", \"properties\": {\"policyAssignmentId\": \"/a\"}}",
		/* It may have ended. */
		"{\"id\": \"" GROUP EXEMPTIONS
		"x\", \"properties\": {\"policyAssignmentId\": \"/a\", "
		"\"expiresOn\": \"soon\"}}",
		"{\"id\": \"" GROUP EXEMPTIONS
		"x\", \"properties\": {\"policyAssignmentId\": \"/a\", "
		"\"expiresOn\": 7}}"};
	struct policy_exemptions p = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		json_t *document = parse(documents[i]);

		if (policy_exemptions_add(&p, document, NULL) != -EINVAL)
			fail_msg("row %zu", i);
		json_decref(document);
	}
	assert_int_equal(p.n, 0);
}

static const struct {
	const char *id;
	bool reaches;
} scopes[] = {
	{SUB EXEMPTIONS "x", true},
	{SUB "/resourceGroups/RG" EXEMPTIONS "x", true},
	{SUB "/resourceGroups/r" EXEMPTIONS "x", false},
	{MACHINE EXEMPTIONS "x", true},
	{MACHINE "2" EXEMPTIONS "x", false},
	/* Names may look like types. */
	{MACHINE EXEMPTIONS "policyExemptions", true},
	{"/providers/Microsoft.Management/managementGroups/mg" EXEMPTIONS "x", true},
	{"/subscriptions/30000000-0000-4000-8000-000000000002" EXEMPTIONS "x", false},
};

static void an_exemption_reaches_what_is_in_its_scope(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		struct policy_exemptions p = {0};

		assert_int_equal(add(&p, scopes[i].id, "", NULL), 0);
		if (policy_exemption_reaches(&p.v[0], MACHINE) != scopes[i].reaches)
			fail_msg("%s", scopes[i].id);
		policy_exemptions_fini(&p);
	}
}

static void one_line_tells_who_why_and_until_when(void **state)
{
	struct policy_exemptions p = {0};

	(void)state;
	assert_int_equal(
		add(&p, GROUP EXEMPTIONS "x",
			", \"displayName\": \"lab\", \"exemptionCategory\": \"Waiver\", "
			"\"description\": \"rebuilt\", \"expiresOn\": "
			"\"2027-01-31T00:00:00Z\", \"metadata\": {\"requestedBy\": \"me\", "
			"\"ticketRef\": \"T-1\"}",
			NULL),
		0);
	assert_string_equal(p.v[0].text,
		"\"lab\" (Waiver) from \"mde\" by me, T-1, until 2027-01-31T00:00:00Z: rebuilt");
	assert_int_equal(policy_exemption_until(&p.v[0], DUR_H(1)).ms,
		wall_add(p.v[0].expires, DUR_H(1)).ms);
	assert_int_equal(add(&p, GROUP EXEMPTIONS "y", "", NULL), 0);
	assert_int_equal(policy_exemption_until(&p.v[1], DUR_H(1)).ms, WALL_NEVER.ms);
	policy_exemptions_fini(&p);
}

/* Resource Graph does not show it. */
static void who_made_it_is_kept_from_what_arm_told(void **state)
{
	struct policy_exemptions before = {0}, p = {0};

	(void)state;
	assert_int_equal(add(&p, GROUP EXEMPTIONS "x", "", &before), -EAGAIN);
	assert_int_equal(add(&before, GROUP EXEMPTIONS "x",
				 "}, \"systemData\": {\"createdBy\": \"her\"", NULL),
		0);
	assert_int_equal(add(&p, GROUP EXEMPTIONS "X", "", &before), 0);
	assert_string_equal(p.v[0].owner, "her");
	policy_exemptions_fini(&before);
	policy_exemptions_fini(&p);
}

static struct assigned_policies assigned(void)
{
	struct assigned_policies policies = {.at = NOW, .whole = true};
	json_t *assignment = parse(
		"{\"id\": \"" ASSIGNMENT "\", \"properties\": {\"displayName\": \"Deploy MDE\", "
		"\"policyDefinitionId\": \"/providers/Microsoft.Authorization/"
		"policySetDefinitions/both\"}}");
	json_t *set = parse("{\"properties\": {\"policyDefinitions\": [{\"policyDefinitionId\": "
			    "\"" DEFINITIONS "37c043a6-6d64-656d-6465-b362dfeb354a\", "
			    "\"policyDefinitionReferenceId\": \"w\"}, {\"policyDefinitionId\": "
			    "\"" DEFINITIONS "4eb909e7-6d64-656d-6465-2eeb297a1625\", "
			    "\"policyDefinitionReferenceId\": \"l\"}]}}");

	assigned_policies_add(&policies, assignment, set);
	json_decref(assignment);
	json_decref(set);
	return policies;
}

static void an_exemption_is_from_what_it_refers_to(void **state)
{
	struct assigned_policies policies = assigned(), none = {0};
	struct policy_exemptions p = {0};
	struct wall later = wall_add(NOW, DUR_H(25));
	unsigned windows = DEED(SENSOR_WINDOWS), linux_one = DEED(SENSOR_LINUX);

	(void)state;
	assert_int_equal(add(&p, GROUP EXEMPTIONS "x", "", NULL), 0);
	assert_int_equal(add(&p, GROUP EXEMPTIONS "y",
				 ", \"policyDefinitionReferenceIds\": [7, \"L\"]", NULL),
		0);
	assert_int_equal(policy_exemption_is_from(&p.v[0], &policies, windows, NOW), TRI_YES);
	assert_int_equal(policy_exemption_is_from(&p.v[1], &policies, windows, NOW), TRI_NO);
	assert_int_equal(policy_exemption_is_from(&p.v[1], &policies, linux_one, NOW), TRI_YES);
	assert_int_equal(policy_exemption_is_from(&p.v[0], &policies, DEED(PLAN), NOW), TRI_NO);
	/* What is known no more may be anything. */
	assert_int_equal(
		policy_exemption_is_from(&p.v[0], &policies, DEED(PLAN), later), TRI_UNKNOWN);
	assert_int_equal(policy_exemption_is_from(&p.v[0], &none, windows, NOW), TRI_UNKNOWN);
	policy_exemptions_fini(&p);
	assigned_policies_fini(&policies);
}

static void names_may_be_of_assignments_and_definitions(void **state)
{
	static char named[][160] = {"MDE", ASSIGNMENT, "deploy mde", "BOTH"};
	static char others[][160] = {"md", "other", ""};
	struct assigned_policies policies = assigned();
	struct policy_exemptions p = {0};

	(void)state;
	assert_int_equal(add(&p, GROUP EXEMPTIONS "x", "", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		char *list[] = {named[i]};

		if (!policy_exemption_is_named(&p.v[0], &policies, list, 1))
			fail_msg("%s", named[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		char *list[] = {others[i]};

		if (policy_exemption_is_named(&p.v[0], &policies, list, 1))
			fail_msg("\"%s\"", others[i]);
	}
	policy_exemptions_fini(&p);
	assigned_policies_fini(&policies);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_read_is_no_exemption),
		cmocka_unit_test(an_exemption_reaches_what_is_in_its_scope),
		cmocka_unit_test(one_line_tells_who_why_and_until_when),
		cmocka_unit_test(who_made_it_is_kept_from_what_arm_told),
		cmocka_unit_test(an_exemption_is_from_what_it_refers_to),
		cmocka_unit_test(names_may_be_of_assignments_and_definitions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
