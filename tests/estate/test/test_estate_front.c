/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define VERSION "?api-version=2022-12-01"
#define ONE_MACHINE "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]"

static const struct {
	const char *method, *path;
	int status;
	const char *code;
} refusals[] = {
	{"GET", SUB_PATH, 400, "MissingApiVersionParameter"},
	{"GET", SUB_PATH "?api-version=", 400, "MissingApiVersionParameter"},
	{"GET", SUB_PATH "?api-version=1999-01-01", 400, "InvalidApiVersionParameter"},
	{"GET", SECURITY "/settings?api-version=2024-01-01", 404, "InvalidResourceType"},
	{"GET", MACHINES "?api-version=2019-12-13", 400, "NoRegisteredProviderFound"},
	{"GET", "/garbage" VERSION, 404, "NotFound"},
	{"GET", SUB_PATH "//garbage" VERSION, 404, "NotFound"},
	{"GET", SUB_PATH "/providers/Contoso.Unknown/things" VERSION, 404,
		"InvalidResourceNamespace"},
	{"GET", SECURITY "/unknown" VERSION, 404, "InvalidResourceType"},
	{"DELETE", SETTING("WDATP"), 405, "MethodNotAllowed"},
	{"DELETE", PLAN, 405, "MethodNotAllowed"},
	{"GET", "/subscriptions/not-a-guid" VERSION, 400, "InvalidSubscriptionId"},
	{"GET", "/subscriptions/39999999-0000-4000-8000-000000000001" VERSION, 404,
		"SubscriptionNotFound"},
	{"GET", SUB_PATH "/resourceGroups/none/providers/Microsoft.HybridCompute/machines?" ARC,
		404, "ResourceGroupNotFound"},
	{"GET", MACHINES "/none?" ARC, 404, "ResourceNotFound"},
	{"GET", MACHINE "/extensions/none?" ARC, 404, "HCRP404"},
	{"GET", MACHINES "?$skipToken=made-up&" ARC, 400, "InvalidSkipToken"},
};

static void each_wrong_path_is_refused_in_arms_words(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE_MACHINE, "");
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		call(&f, refusals[i].method, refusals[i].path, NULL);
		if (f.answer.reply.status != refusals[i].status ||
			!str_equal(error_code(&f), refusals[i].code))
			fail_msg("%s: %d %s", refusals[i].path, f.answer.reply.status,
				error_code(&f));
		assert_non_null(text(&f, "error.message"));
	}
	fixture_close(&f);
}

static void a_wrong_version_is_answered_with_those_that_are_known(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE_MACHINE, "");
	get(&f, SECURITY "/pricings?api-version=2000-01-01");
	assert_non_null(strstr(text(&f, "error.message"), "2024-01-01"));
	get(&f, MACHINES "?api-version=2000-01-01");
	assert_non_null(strstr(text(&f, "error.message"), "2025-01-13"));
	fixture_close(&f);
}

static void only_the_two_hosts_are_served(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(
		send_raw(&f, "GET", "https://elsewhere.test" SUB_PATH VERSION, NULL, NULL), 421);
	assert_int_equal(
		send_raw(&f, "GET", "https://management.test:444" SUB_PATH VERSION, NULL, NULL),
		421);
	assert_int_equal(send_raw(&f, "GET", "not a url", NULL, NULL), 400);
	fixture_close(&f);
}

static void ids_go_in_in_any_case_and_come_out_canonical(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE_MACHINE, "");
	assert_int_equal(get(&f,
				 "/SUBSCRIPTIONS/" SUB
				 "/resourcegroups/RG/Providers/microsoft.hybridcompute/MACHINES/M1?"
				 "API-VERSION=2025-01-13"),
		200);
	assert_string_equal(text(&f, "id"), MACHINE);
	assert_string_equal(text(&f, "type"), "Microsoft.HybridCompute/machines");
	fixture_close(&f);
}

static void escapes_in_a_path_are_decoded(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE_MACHINE, "");
	assert_int_equal(get(&f, MACHINES "/%6d1?" ARC), 200);
	fixture_close(&f);
}

static void answers_carry_the_ids_that_support_asks_for(void **state)
{
	static const char correlation[] = "7c7c7c7c-0000-4000-8000-000000000001";
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	f.correlation = correlation;
	get(&f, SUB_PATH VERSION);
	assert_string_equal(answer_header_of(&f, "x-ms-correlation-request-id"), correlation);
	assert_true(str_is_guid(answer_header_of(&f, "x-ms-request-id")));
	assert_true(str_starts_nocase(answer_header_of(&f, "x-ms-routing-request-id"),
		"WESTEUROPE:2026-11-24T08:00:00Z:"));
	assert_string_equal(answer_header_of(&f, "Date"), "Tue, 24 Nov 2026 08:00:00 GMT");
	assert_string_equal(
		answer_header_of(&f, "Content-Type"), "application/json; charset=utf-8");
	f.correlation = "not a guid";
	get(&f, SUB_PATH VERSION);
	assert_true(str_is_guid(answer_header_of(&f, "x-ms-correlation-request-id")));
	fixture_close(&f);
}

static void the_clients_own_id_is_echoed_when_asked_for(void **state)
{
	struct fixture f;
	mdc_autofree char *bearer = NULL;

	(void)state;
	fixture_open(&f, "", "");
	bearer = xasprintf("Bearer %s", f.token);
	send_raw(&f, "GET", ARM SUB_PATH VERSION,
		(const char *const[]){"Authorization", bearer, "x-ms-client-request-id", "mine",
			"x-ms-return-client-request-id", "true", NULL},
		NULL);
	assert_string_equal(answer_header_of(&f, "x-ms-client-request-id"), "mine");
	send_raw(&f, "GET", ARM SUB_PATH VERSION,
		(const char *const[]){
			"Authorization", bearer, "x-ms-client-request-id", "mine", NULL},
		NULL);
	assert_null(answer_header_of(&f, "x-ms-client-request-id"));
	fixture_close(&f);
}

/* --- what stands before a write --- */

static void a_body_must_be_json_and_say_so(void **state)
{
	struct fixture f;
	mdc_autofree char *bearer = NULL;
	mdc_autofree char *deep = xmalloc(400);

	(void)state;
	fixture_open(&f, "", "");
	bearer = xasprintf("Bearer %s", f.token);
	put(&f, SETTING("WDATP"), "{\"kind\":");
	assert_refused(&f, 400, "InvalidRequestContent");
	put(&f, SETTING("WDATP"), "[]");
	assert_refused(&f, 400, "InvalidRequestContent");
	put(&f, SETTING("WDATP"), "{\"kind\":1,\"kind\":2}");
	assert_refused(&f, 400, "InvalidRequestContent");
	memset(deep, '[', 399);
	deep[399] = '\0';
	put(&f, SETTING("WDATP"), deep);
	assert_refused(&f, 400, "InvalidRequestContent");
	call(&f, "PUT", SETTING("WDATP"), NULL);
	assert_refused(&f, 400, "MissingRequestBody");
	send_raw(&f, "PUT", ARM SETTING("WDATP"),
		(const char *const[]){"Authorization", bearer, "Content-Type", "text/plain", NULL},
		"{}");
	assert_refused(&f, 415, "UnsupportedMediaType");
	fixture_close(&f);
}

#define ON "{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":true}}"

static void an_unregistered_provider_is_no_absent_resource(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"providers\":[\"Microsoft.HybridCompute\"]", "");
	get(&f, PLAN);
	assert_refused(&f, 404, "Subscription Not Registered");
	get(&f, SECURITY "/pricings?api-version=2024-01-01");
	assert_refused(&f, 404, "Subscription Not Registered");
	get(&f, SECURITY "/settings?api-version=2022-05-01");
	assert_refused(&f, 404, "Subscription Not Registered");
	put(&f, SETTING("WDATP"), ON);
	assert_refused(&f, 409, "MissingSubscriptionRegistration");
	fixture_close(&f);
}

static void registration_takes_its_time(void **state)
{
	static const char path[] = SUB_PATH "/providers/Microsoft.Security";
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"providers\":[]", "\"providers\":{\"registration\":\"2m\"}");
	get(&f, SUB_PATH "/providers/microsoft.security?api-version=2024-03-01");
	assert_string_equal(text(&f, "registrationState"), "NotRegistered");
	assert_string_equal(text(&f, "namespace"), "Microsoft.Security");
	assert_true(json_array_size(tree_get(f.doc, "resourceTypes")) > 3);
	call(&f, "POST", SUB_PATH "/providers/Microsoft.Security/register?api-version=2024-03-01",
		NULL);
	assert_int_equal(f.answer.reply.status, 200);
	assert_string_equal(text(&f, "registrationState"), "Registering");
	get(&f, PLAN);
	assert_refused(&f, 404, "Subscription Not Registered");
	pass(&f, DUR_MIN(2));
	assert_string_equal(peek(&f, path, "registrationState"), "Registered");
	assert_int_equal(get(&f, PLAN), 200);
	fixture_close(&f);
}

static void a_disabled_subscription_can_be_read_only(void **state)
{
	static const char *const states[] = {"Disabled", "Warned", "PastDue", "Deleted"};
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		json_t *word = json_string(states[i]);

		assert_int_equal(estate_meddle(f.e, SUB_PATH, "state", word), 0);
		json_decref(word);
		assert_int_equal(get(&f, PLAN), 200);
		put(&f, SETTING("WDATP"), ON);
		assert_refused(&f, 409, "ReadOnlyDisabledSubscription");
	}
	fixture_close(&f);
}

static void a_lock_holds_for_what_lies_below_it(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		ONE_MACHINE ",\"locks\":[{\"name\":\"keep\",\"level\":\"CanNotDelete\",\"scope\":"
			    "\"" SUB_PATH "/resourceGroups/rg\"},{\"name\":\"freeze\",\"level\":"
			    "\"ReadOnly\",\"scope\":\"" MACHINES "/m2\"}]",
		"");
	call(&f, "DELETE", MACHINE "/extensions/MDE.Windows?" ARC, NULL);
	assert_refused(&f, 409, "ScopeLocked");
	assert_non_null(strstr(text(&f, "error.message"), SUB_PATH "/resourceGroups/rg"));
	put(&f, MACHINE "/extensions/MDE.Windows?" ARC, "{\"location\":\"westeurope\"}");
	assert_refused(&f, 400, "HCRP400"); /* the lock let it pass */
	put(&f, MACHINES "/m2/extensions/MDE.Windows?" ARC, "{\"location\":\"westeurope\"}");
	assert_refused(&f, 409, "ScopeLocked");
	put(&f, SETTING("WDATP"), ON);
	assert_int_equal(f.answer.reply.status, 200);
	fixture_close(&f);
}

static void a_policy_denies_a_type_where_it_applies(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		ONE_MACHINE ",\"policies\":[{\"name\":\"no extensions\",\"deny\":"
			    "\"Microsoft.HybridCompute/machines/extensions\"}]",
		"");
	put(&f, MACHINE "/extensions/MDE.Windows?" ARC, "{\"location\":\"westeurope\"}");
	assert_refused(&f, 403, "RequestDisallowedByPolicy");
	assert_string_equal(
		tree_text(json_array_get(tree_get(f.doc, "error.additionalInfo"), 0), "type"),
		"PolicyViolation");
	put(&f, SETTING("WDATP"), ON);
	assert_int_equal(f.answer.reply.status, 200);
	fixture_close(&f);
}

static void groups_are_listed_and_looked_up(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		ONE_MACHINE ",\"groups\":[{\"name\":\"extra\",\"location\":\"eastus\","
			    "\"tags\":{\"a\":\"b\"}}]",
		"");
	assert_int_equal(get(&f, SUB_PATH "/resourcegroups?api-version=2024-03-01"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	assert_int_equal(get(&f, SUB_PATH "/resourceGroups/EXTRA?api-version=2024-03-01"), 200);
	assert_string_equal(text(&f, "tags.a"), "b");
	assert_int_equal(
		call(&f, "HEAD", SUB_PATH "/resourceGroups/extra?api-version=2024-03-01", NULL),
		204);
	assert_int_equal(
		call(&f, "HEAD", SUB_PATH "/resourceGroups/none?api-version=2024-03-01", NULL),
		404);
	fixture_close(&f);
}

static void empty_segments_of_a_path_do_not_count(void **state)
{
	static const char *const paths[] = {"/" SUB_PATH VERSION, SUB_PATH "//providers" VERSION,
		"/" SUB_PATH "///resourceGroups/" VERSION};
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE_MACHINE, "");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		assert_int_equal(get(&f, paths[i]), 200);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_wrong_path_is_refused_in_arms_words),
	cmocka_unit_test(a_wrong_version_is_answered_with_those_that_are_known),
	cmocka_unit_test(only_the_two_hosts_are_served),
	cmocka_unit_test(ids_go_in_in_any_case_and_come_out_canonical),
	cmocka_unit_test(escapes_in_a_path_are_decoded),
	cmocka_unit_test(answers_carry_the_ids_that_support_asks_for),
	cmocka_unit_test(the_clients_own_id_is_echoed_when_asked_for),
	cmocka_unit_test(a_body_must_be_json_and_say_so),
	cmocka_unit_test(an_unregistered_provider_is_no_absent_resource),
	cmocka_unit_test(registration_takes_its_time),
	cmocka_unit_test(a_disabled_subscription_can_be_read_only),
	cmocka_unit_test(a_lock_holds_for_what_lies_below_it),
	cmocka_unit_test(a_policy_denies_a_type_where_it_applies),
	cmocka_unit_test(groups_are_listed_and_looked_up),
	cmocka_unit_test(empty_segments_of_a_path_do_not_count),
};
RUN_ESTATE_TESTS(tests)
