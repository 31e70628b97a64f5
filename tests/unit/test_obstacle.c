/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/obstacle.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SUB "/subscriptions/30000000-0000-4000-8000-000000000001"
#define LOCKS "/providers/Microsoft.Authorization/locks/"
#define WRITE "Microsoft.HybridCompute/machines/extensions/write"
#define DELETE "Microsoft.HybridCompute/machines/extensions/delete"

static json_t *parse(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);

	if (document == NULL)
		fail_msg("%s", text);
	return document;
}

static void locks_refuse_by_their_level(void **state)
{
	static const struct {
		const char *level;
		bool writes, deletes;
	} rows[] = {
		{"ReadOnly", true, true},
		{"CanNotDelete", false, true},
		{"cannotdelete", false, true},
		{"NotSpecified", true, true},
		{"SomethingNew", true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *document = json_pack("{s:s, s:{s:s}}", "id", SUB LOCKS "freeze",
			"properties", "level", rows[i].level);
		struct lock lock;

		assert_int_equal(lock_read(document, &lock), 0);
		assert_string_equal(lock.name, "freeze");
		assert_string_equal(lock.scope, SUB);
		assert_int_equal(lock_refuses(&lock, WRITE), rows[i].writes);
		assert_int_equal(lock_refuses(&lock, DELETE), rows[i].deletes);
		assert_false(lock_refuses(&lock, "Microsoft.Security/pricings/read"));
		lock_fini(&lock);
		json_decref(document);
	}
}

static void what_is_locked_stands_before_the_last_mark(void **state)
{
	json_t *document = parse("{\"id\": \"" SUB "/resourceGroups/rg/providers/"
				 "microsoft.authorization/LOCKS/x\", \"properties\": {\"level\": "
				 "\"ReadOnly\"}}");
	struct lock lock;

	(void)state;
	assert_int_equal(lock_read(document, &lock), 0);
	assert_string_equal(lock.scope, SUB "/resourceGroups/rg");
	lock_fini(&lock);
	json_decref(document);
}

static void what_is_no_lock_is_refused(void **state)
{
	static const char *const documents[] = {
		"{}",
		"{\"id\": 7, \"properties\": {\"level\": \"ReadOnly\"}}",
		"{\"id\": \"" SUB "\", \"properties\": {\"level\": \"ReadOnly\"}}",
		"{\"id\": \"" SUB LOCKS "x\", \"properties\": {}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		json_t *document = parse(documents[i]);
		struct lock lock;

		assert_int_equal(lock_read(document, &lock), -EINVAL);
		json_decref(document);
	}
}

static void below_is_by_whole_segments(void **state)
{
	(void)state;
	assert_true(id_is_below(SUB, SUB));
	assert_true(id_is_below(SUB "/resourceGroups/RG", SUB "/resourcegroups/rg"));
	assert_true(id_is_below(SUB "/resourceGroups/rg/x", SUB "/resourceGroups/rg/"));
	assert_false(id_is_below(SUB "/resourceGroups/rg2", SUB "/resourceGroups/rg"));
	assert_false(id_is_below(SUB, SUB "/resourceGroups/rg"));
	assert_true(id_is_below(SUB, "/"));
	assert_true(id_is_below(SUB, ""));
}

static void deny_assignments_deny_who_they_name(void **state)
{
#define EVERYBODY "{\"id\":\"00000000-0000-0000-0000-000000000000\",\"type\":\"SystemDefined\"}"
#define SOMEBODY_ID "40000000-0000-4000-8000-00000000000a"
#define OTHER_ID "40000000-0000-4000-8000-00000000000b"
#define SOMEBODY "{\"id\":\"40000000-0000-4000-8000-00000000000A\",\"type\":\"User\"}"
#define OTHER "{\"id\":\"40000000-0000-4000-8000-00000000000c\",\"type\":\"Group\"}"
	static const struct {
		const char *permissions, *principals, *excluded;
		enum denial denial;
		const char *caller;
	} rows[] = {
		{"{\"actions\":[\"*\"],\"notActions\":[\"*/read\"]}", EVERYBODY, "",
			DENIAL_FOR_CALLER},
		{"{\"actions\":[\"*/write\"]}", EVERYBODY, "", DENIAL_FOR_CALLER},
		{"{\"actions\":[\"*/delete\"]}", EVERYBODY, "", DENIAL_NONE},
		{"{\"actions\":[\"*\"],\"notActions\":[\"Microsoft.HybridCompute/*\"]}", EVERYBODY,
			"", DENIAL_NONE},
		{"{\"actions\":[\"*\"]}", EVERYBODY, SOMEBODY, DENIAL_FOR_SOME},
		{"{\"actions\":[\"*\"]}", SOMEBODY, "", DENIAL_FOR_SOME},
		{"{\"actions\":[\"*\"]}", SOMEBODY "," EVERYBODY, "", DENIAL_FOR_CALLER},
		{"", EVERYBODY, "", DENIAL_NONE},
		/* The caller is known. */
		{"{\"actions\":[\"*\"]}", SOMEBODY, "", DENIAL_FOR_CALLER, SOMEBODY_ID},
		{"{\"actions\":[\"*\"]}", EVERYBODY, SOMEBODY, DENIAL_NONE, SOMEBODY_ID},
		{"{\"actions\":[\"*\"]}", SOMEBODY, SOMEBODY, DENIAL_NONE, SOMEBODY_ID},
		{"{\"actions\":[\"*/delete\"]}", SOMEBODY, "", DENIAL_NONE, SOMEBODY_ID},
		/* It may be in a group that is named, or excepted. */
		{"{\"actions\":[\"*\"]}", SOMEBODY, "", DENIAL_FOR_SOME, OTHER_ID},
		{"{\"actions\":[\"*\"]}", EVERYBODY, SOMEBODY, DENIAL_FOR_SOME, OTHER_ID},
		{"{\"actions\":[\"*\"]}", SOMEBODY, OTHER, DENIAL_FOR_SOME, SOMEBODY_ID},
		{"{\"actions\":[\"*\"]}", EVERYBODY, "", DENIAL_FOR_CALLER, OTHER_ID},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *text = xasprintf(
			"{\"properties\": {\"denyAssignmentName\": \"stack\", \"scope\": \"" SUB
			"\", \"permissions\": [%s], \"principals\": [%s], "
			"\"excludePrincipals\": [%s]}}",
			rows[i].permissions, rows[i].principals, rows[i].excluded);
		json_t *document = parse(text);

		if (deny_assignment_denies(document, WRITE, rows[i].caller) != rows[i].denial)
			fail_msg("row %zu", i);
		assert_string_equal(deny_assignment_name(document), "stack");
		assert_string_equal(deny_assignment_scope(document), SUB);
		json_decref(document);
	}
}

static void policies_refuse_by_effect_or_by_field(void **state)
{
#define POLICY "{\"policyAssignmentId\": \"a\"}"
	static const struct {
		const char *answer, *refusal;
	} rows[] = {
		{"{}", NULL},
		{"{\"fieldRestrictions\": [], \"contentEvaluationResult\": "
		 "{\"policyEvaluations\": []}}",
			NULL},
		{"{\"contentEvaluationResult\": {\"policyEvaluations\": [{\"policyInfo\": " POLICY
		 ", \"evaluationResult\": \"NonCompliant\", \"effectDetails\": "
		 "{\"policyEffect\": \"Deny\"}}]}}",
			"a"},
		{"{\"contentEvaluationResult\": {\"policyEvaluations\": [{\"policyInfo\": " POLICY
		 ", \"evaluationResult\": \"NonCompliant\", \"effectDetails\": "
		 "{\"policyEffect\": \"Audit\"}}]}}",
			NULL},
		{"{\"contentEvaluationResult\": {\"policyEvaluations\": [{\"evaluationResult\": "
		 "\"NonCompliant\", \"effectDetails\": {\"policyEffect\": \"deny\"}}]}}",
			"an assignment without an id"},
		{"{\"fieldRestrictions\": [{\"field\": \"type\", \"restrictions\": [{\"result\": "
		 "\"Deny\", \"policy\": " POLICY "}]}]}",
			"a"},
		/* Only certain values are denied, and whether ours is among them is not asked. */
		{"{\"fieldRestrictions\": [{\"field\": \"location\", \"restrictions\": "
		 "[{\"result\": \"Deny\", \"values\": [\"westus\"], \"policy\": " POLICY "}]}]}",
			NULL},
		{"{\"fieldRestrictions\": [{\"field\": \"tags\", \"restrictions\": [{\"result\": "
		 "\"Required\", \"policy\": " POLICY "}]}]}",
			NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *answer = parse(rows[i].answer);

		if (!str_equal(policy_refusal(answer), rows[i].refusal))
			fail_msg("row %zu", i);
		json_decref(answer);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_refuse_by_their_level),
		cmocka_unit_test(what_is_locked_stands_before_the_last_mark),
		cmocka_unit_test(what_is_no_lock_is_refused),
		cmocka_unit_test(below_is_by_whole_segments),
		cmocka_unit_test(deny_assignments_deny_who_they_name),
		cmocka_unit_test(policies_refuse_by_effect_or_by_field),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
