/* SPDX-License-Identifier: Apache-2.0 */
/* The controls of documents that are read one by one: resource providers, vulnerability management.
 */
#include "tests/unit/control_fixture.h"

#include "lib/model/inventory_document.h"
#include "lib/model/single.h"

#include <string.h>

static int setup_all(void **state)
{
	setup(state);
	estate_want_everything(&((struct fixture *)*state)->e);
	return 0;
}
#define WITH_ALL(test) cmocka_unit_test_setup_teardown(test, setup_all, teardown)

static json_t *provider_document(const struct fixture *f, const char *name, const char *state)
{
	return json_pack("{s:o, s:s, s:s*}", "id",
		json_sprintf("/subscriptions/%s/providers/%s", f->s->id, name), "namespace", name,
		"registrationState", state);
}

static json_t *vulnerability_document(const struct fixture *f, const char *provider)
{
	return json_pack("{s:o, s:s, s:{s:s*}}", "id",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Security/"
			     "serverVulnerabilityAssessmentsSettings/AzureServersSetting",
			f->s->id),
		"kind", "AzureServersSetting", "properties", "selectedProvider", provider);
}

/* --- the documents --- */

static void documents_are_noted_by_their_ids(void **state)
{
	struct fixture *f = *state;
	json_t *documents[] = {
		provider_document(f, "microsoft.security", "Registering"),
		provider_document(f, "Microsoft.HybridCompute", "Registered"),
		provider_document(f, "microsoft.operationsManagement", "Unregistered"),
		vulnerability_document(f, "MdeTvm"),
		json_pack("{s:o, s:{s:s}}", "id",
			json_sprintf("/subscriptions/%s/providers/Microsoft.Security/"
				     "autoProvisioningSettings/default",
				f->s->id),
			"properties", "autoProvision", "On"),
	};
	static const char *const words[] = {
		"Registering", "Registered", "Unregistered", "MdeTvm", "On"};

	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		struct noted noted;

		assert_int_equal(inventory_note(f->e.inv, documents[i],
					 (struct stamp){f->e.now, SOURCE_ARM}, &noted),
			0);
		assert_int_equal(noted.single, i);
		assert_true(noted.changed);
		assert_string_equal(f->s->singles[i].word, words[i]);
		json_decref(documents[i]);
	}
}

static void what_says_nothing_is_no_fact(void **state)
{
	struct fixture *f = *state;
	json_t *documents[] = {
		provider_document(f, "Microsoft.Security", NULL),
		vulnerability_document(f, NULL),
	};
	struct noted noted;

	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		assert_int_equal(inventory_note(f->e.inv, documents[i],
					 (struct stamp){f->e.now, SOURCE_ARM}, &noted),
			-EINVAL);
		json_decref(documents[i]);
	}
	for (size_t i = 0; i < SINGLE_N_; i++)
		assert_int_equal(f->s->singles[i].stamp.source, SOURCE_NONE);
}

static void an_answer_that_crossed_another_is_not_taken(void **state)
{
	struct fixture *f = *state;
	bool changed;

	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "Registered");
	inventory_set_single(f->e.inv, f->s, SINGLE_SECURITY_PROVIDER, "Registering",
		(struct stamp){wall_add(f->e.now, DUR_S(-5)), SOURCE_ARM}, &changed);
	assert_false(changed);
	assert_string_equal(f->s->singles[SINGLE_SECURITY_PROVIDER].word, "Registered");
}

/* --- when they are read --- */

static void nothing_is_read_that_the_policy_does_not_want(void **state)
{
	struct fixture *f = *state;

	f->e.policy.legacy_replace = false;
	estate_machine(&f->e, f->s, "m", UBUNTU);
	for (unsigned i = 0; i < SINGLE_N_; i++)
		assert_false(single_is_due(f->s, (enum single_id)i, f->e.now));
	/* Only where Azure itself says that the provider may be the cause. */
	f->s->seems_unregistered = true;
	assert_true(single_is_due(f->s, SINGLE_SECURITY_PROVIDER, f->e.now));
	assert_false(single_is_due(f->s, SINGLE_ARC_PROVIDER, f->e.now));
	/* And until it is there, whoever registers it. */
	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "NotRegistered");
	f->s->seems_unregistered = false;
	assert_true(single_is_due(f->s, SINGLE_SECURITY_PROVIDER, f->e.now));
	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "Registered");
	f->e.now = wall_add(f->e.now, DUR_DAYS(3));
	assert_false(single_is_due(f->s, SINGLE_SECURITY_PROVIDER, f->e.now));
}

static void what_decides_is_read_in_each_pass_and_what_is_retired_once_a_day(void **state)
{
	static const struct {
		enum single_id id;
		const char *word;
		int64_t minutes;
		bool due;
	} rows[] = {
		{SINGLE_SECURITY_PROVIDER, "Registered", 1, true},
		{SINGLE_SECURITY_PROVIDER, "Registering", 1, true},
		{SINGLE_VULNERABILITY, "MdeTvm", 1, true},
		{SINGLE_AUTO_PROVISIONING, "On", 23 * 60, false},
		{SINGLE_AUTO_PROVISIONING, "On", 24 * 60, true},
	};
	struct fixture *f = *state;

	assert_false(single_is_due(f->s, SINGLE_ARC_PROVIDER, f->e.now));
	estate_machine(&f->e, f->s, "m", UBUNTU);
	for (unsigned i = 0; i < SINGLE_N_; i++)
		assert_true(single_is_due(f->s, (enum single_id)i, f->e.now));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		estate_single(&f->e, f->s, rows[i].id, rows[i].word);
		assert_int_equal(single_is_due(f->s, rows[i].id,
					 wall_add(f->e.now, DUR_MIN(rows[i].minutes))),
			rows[i].due);
	}
}

/* --- provider --- */

static const struct {
	bool wanted;
	const char *security, *arc; /* NULL: not read */
	bool machines;
	enum verdict_kind kind;
	enum reason reason;
	const char *detail;
} providers[] = {
	{false, NULL, NULL, true, VERDICT_NOT_APPLICABLE, REASON_NONE, ""},
	{false, "Registered", NULL, true, VERDICT_NOT_APPLICABLE, REASON_NONE, ""},
	{false, "NotRegistered", NULL, true, VERDICT_BLOCKED, REASON_UNREGISTERED,
		"Microsoft.Security"},
	{true, "Registered", NULL, false, VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{true, "registered", "Registered", true, VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{true, "NotRegistered", "Registered", true, VERDICT_DRIFTED, REASON_UNREGISTERED,
		"Microsoft.Security"},
	{true, "Unregistered", NULL, false, VERDICT_DRIFTED, REASON_UNREGISTERED,
		"Microsoft.Security"},
	{true, "Registered", "NotRegistered", true, VERDICT_DRIFTED, REASON_UNREGISTERED,
		"Microsoft.HybridCompute"},
	{true, "Registered", "NotRegistered", false, VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{true, "NotRegistered", "NotRegistered", true, VERDICT_DRIFTED, REASON_UNREGISTERED,
		"Microsoft.Security"},
	{true, "Registering", "Registered", true, VERDICT_WAITING, REASON_REGISTRATION_PENDING,
		"Microsoft.Security"},
	{true, "Unregistering", NULL, false, VERDICT_WAITING, REASON_REGISTRATION_PENDING,
		"Microsoft.Security"},
	{true, "Strange", NULL, false, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN, "Strange"},
};

static void providers_are_judged_by_their_states(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
		struct fixture *f = *state;
		struct verdict verdict;

		f->e.policy.register_providers = providers[i].wanted;
		f->s = estate_subscription(&f->e, 10 + (unsigned)i);
		if (providers[i].machines)
			estate_machine(&f->e, f->s, "m", UBUNTU);
		if (providers[i].security != NULL)
			estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, providers[i].security);
		if (providers[i].arc != NULL)
			estate_single(&f->e, f->s, SINGLE_ARC_PROVIDER, providers[i].arc);
		verdict = own(f, CONTROL_PROVIDER);
		expect_verdict(verdict, providers[i].kind, providers[i].reason);
		assert_string_equal(verdict.detail, providers[i].detail);
	}
}

static void a_registration_that_never_ends_is_told(void **state)
{
	struct fixture *f = *state;
	struct verdict verdict;

	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "Registering");
	verdict = own(f, CONTROL_PROVIDER);
	assert_int_equal(wall_since(verdict.until, f->e.now).ms, DUR_H(1).ms);
	f->e.now = wall_add(f->e.now, DUR_H(1));
	/* To see it again is no change. */
	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "Registering");
	expect_verdict(own(f, CONTROL_PROVIDER), VERDICT_BLOCKED, REASON_REGISTRATION_OVERDUE);
}

static void a_registration_is_decided_again_on_the_fresh_document(void **state)
{
	static const struct {
		const char *name, *state; /* name NULL: 404 */
		enum compose_result result;
	} rows[] = {
		{"Microsoft.Security", "NotRegistered", COMPOSED},
		{"microsoft.security", "Unregistered", COMPOSED},
		{"Microsoft.Security", "Registered", COMPOSE_IN_SYNC},
		{"Microsoft.Security", "Registering", COMPOSE_WITHHELD},
		{"Microsoft.Security", NULL, COMPOSE_WITHHELD},
		{"Microsoft.Compute", "NotRegistered", COMPOSE_WITHHELD},
		{NULL, NULL, COMPOSE_WITHHELD},
	};
	struct fixture *f = *state;

	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "NotRegistered");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *current = rows[i].name != NULL
			? provider_document(f, rows[i].name, rows[i].state)
			: NULL;
		struct arm_request request = {0};
		struct verdict verdict;

		assert_int_equal(compose(f, CONTROL_PROVIDER, current, NULL, &request, &verdict),
			rows[i].result);
		if (rows[i].result == COMPOSED) {
			assert_string_equal(request.method, "POST");
			assert_non_null(
				strstr(request.path, "/providers/Microsoft.Security/register?"));
			assert_null(request.body);
		}
		arm_request_fini(&request);
		json_decref(current);
	}
}

static void the_second_provider_comes_after_the_first(void **state)
{
	struct fixture *f = *state;
	json_t *security = provider_document(f, "Microsoft.Security", "Registered");
	json_t *arc = provider_document(f, "Microsoft.HybridCompute", "NotRegistered");
	struct arm_request request = {0};
	struct control_view view;
	struct verdict verdict;

	estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_single(&f->e, f->s, SINGLE_SECURITY_PROVIDER, "Registered");
	estate_single(&f->e, f->s, SINGLE_ARC_PROVIDER, "NotRegistered");
	view = estate_view(&f->e, f->s, NULL, CONTROL_PROVIDER);
	control_by_id(CONTROL_PROVIDER)->read(&view, &request);
	assert_non_null(strstr(request.path, "/providers/Microsoft.HybridCompute?"));
	arm_request_fini(&request);
	/* The first one was read, and is there by now. */
	assert_int_equal(
		compose(f, CONTROL_PROVIDER, security, NULL, &request, &verdict), COMPOSE_WITHHELD);
	expect_verdict(verdict, VERDICT_WAITING, REASON_REGISTRATION_PENDING);
	assert_int_equal(compose(f, CONTROL_PROVIDER, arc, NULL, &request, &verdict), COMPOSED);
	assert_non_null(strstr(request.path, "/providers/Microsoft.HybridCompute/register?"));
	arm_request_fini(&request);
	json_decref(security);
	json_decref(arc);
}

/* --- vulnerability-management --- */

static const struct {
	bool wanted;
	const char *word; /* NULL: the setting is not there */
	enum verdict_kind kind;
	enum reason reason;
} assessors[] = {
	{false, NULL, VERDICT_NOT_APPLICABLE, REASON_NONE},
	{true, NULL, VERDICT_DRIFTED, REASON_VULNERABILITY_PROVIDER},
	{true, "Qualys", VERDICT_DRIFTED, REASON_VULNERABILITY_PROVIDER},
	{true, "MdeTvm", VERDICT_COMPLIANT, REASON_IN_SYNC},
	{true, "mdetvm", VERDICT_COMPLIANT, REASON_IN_SYNC},
};

static void the_assessor_is_judged_by_its_name(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(assessors); i++) {
		f->e.policy.vulnerability_management = assessors[i].wanted;
		estate_single(&f->e, f->s, SINGLE_VULNERABILITY, assessors[i].word);
		expect_verdict(own(f, CONTROL_VULNERABILITY_MANAGEMENT), assessors[i].kind,
			assessors[i].reason);
	}
}

static void the_assessor_is_decided_again_on_the_fresh_document(void **state)
{
	static const struct {
		bool present;
		const char *provider;
		enum compose_result result;
	} rows[] = {
		{false, NULL, COMPOSED},
		{true, "Other", COMPOSED},
		{true, "MdeTvm", COMPOSE_IN_SYNC},
		{true, NULL, COMPOSE_WITHHELD},
	};
	struct fixture *f = *state;

	estate_single(&f->e, f->s, SINGLE_VULNERABILITY, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *current =
			rows[i].present ? vulnerability_document(f, rows[i].provider) : NULL;
		struct arm_request request = {0};
		struct verdict verdict;

		assert_int_equal(compose(f, CONTROL_VULNERABILITY_MANAGEMENT, current, NULL,
					 &request, &verdict),
			rows[i].result);
		if (rows[i].result == COMPOSED)
			assert_string_equal(
				json_path_text(request.body, "properties.selectedProvider"),
				"MdeTvm");
		arm_request_fini(&request);
		json_decref(current);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ALL(documents_are_noted_by_their_ids),
		WITH_ALL(what_says_nothing_is_no_fact),
		WITH_ALL(an_answer_that_crossed_another_is_not_taken),
		CASE(nothing_is_read_that_the_policy_does_not_want),
		WITH_ALL(what_decides_is_read_in_each_pass_and_what_is_retired_once_a_day),
		WITH_ALL(providers_are_judged_by_their_states),
		WITH_ALL(a_registration_that_never_ends_is_told),
		WITH_ALL(a_registration_is_decided_again_on_the_fresh_document),
		WITH_ALL(the_second_provider_comes_after_the_first),
		WITH_ALL(the_assessor_is_judged_by_its_name),
		WITH_ALL(the_assessor_is_decided_again_on_the_fresh_document),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
