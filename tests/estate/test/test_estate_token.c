/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define OTHER_TENANT "10000000-0000-4000-8000-000000000002"
#define OTHER_CLIENT "20000000-0000-4000-8000-000000000002"
#define ENDPOINT LOGIN "/" TENANT "/oauth2/v2.0/token"
#define SCOPE "&scope=https%3A%2F%2Fmanagement.test%2F.default"

static int ask(struct fixture *f, const char *url, const char *form)
{
	static const char *const headers[] = {"Content-Type", "application/x-www-form-urlencoded",
		"client-request-id", "5a5a5a5a-0000-4000-8000-000000000001", NULL};

	return send_raw(f, "POST", url, headers, form);
}

static void a_secret_gives_a_token_that_arm_accepts(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(f.answer.reply.status, 200);
	assert_string_equal(text(&f, "token_type"), "Bearer");
	assert_int_equal(json_integer_value(tree_get(f.doc, "expires_in")), 3599);
	assert_int_equal(get(&f, "/subscriptions?api-version=2022-12-01"), 200);
	assert_string_equal(
		tree_text(json_array_get(tree_get(f.doc, "value"), 0), "displayName"), "one");
	fixture_close(&f);
}

static const struct {
	const char *form, *error;
	int number, status;
} refusals[] = {
	{"", "invalid_request", 900144, 400},
	{"grant_type=password&client_id=" CLIENT SCOPE, "unsupported_grant_type", 70003, 400},
	{"grant_type=client_credentials" SCOPE, "invalid_request", 900144, 400},
	{"grant_type=client_credentials&client_id=99999999-0000-4000-8000-000000000001" SCOPE,
		"unauthorized_client", 700016, 400},
	{"grant_type=client_credentials&client_id=" CLIENT "&client_secret=secret",
		"invalid_request", 900144, 400},
	{"grant_type=client_credentials&client_id=" CLIENT
	 "&client_secret=secret&scope=https%3A%2F%2Fmanagement.test",
		"invalid_scope", 1002012, 400},
	{"grant_type=client_credentials&client_id=" CLIENT
	 "&client_secret=secret&scope=https%3A%2F%2Felsewhere.test%2F.default",
		"invalid_resource", 500011, 400},
	{"grant_type=client_credentials&client_id=" CLIENT "&client_secret=wrong" SCOPE,
		"invalid_client", 7000215, 401},
	{"grant_type=client_credentials&client_id=" CLIENT SCOPE, "invalid_client", 7000216, 401},
	{"grant_type=client_credentials&client_id=" CLIENT "&client_assertion=a.b.c" SCOPE,
		"invalid_request", 50027, 400},
};

static void what_is_wrong_with_a_token_request_is_said_by_number(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		int number;

		assert_int_equal(ask(&f, ENDPOINT, refusals[i].form), refusals[i].status);
		assert_string_equal(text(&f, "error"), refusals[i].error);
		number = (int)json_integer_value(json_array_get(tree_get(f.doc, "error_codes"), 0));
		assert_int_equal(number, refusals[i].number);
		assert_true(str_starts_nocase(text(&f, "error_description"), "AADSTS"));
		assert_non_null(text(&f, "trace_id"));
		assert_string_equal(
			text(&f, "correlation_id"), "5a5a5a5a-0000-4000-8000-000000000001");
	}
	fixture_close(&f);
}

static void an_unknown_tenant_is_named(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(ask(&f, LOGIN "/" OTHER_TENANT "/oauth2/v2.0/token", ""), 400);
	assert_non_null(strstr(text(&f, "error_description"), "AADSTS90002"));
	assert_non_null(strstr(text(&f, "error_description"), OTHER_TENANT));
	fixture_close(&f);
}

static void a_tenant_may_be_named_by_its_domain(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(ask(&f, LOGIN "/contoso.test/oauth2/v2.0/token",
				 "grant_type=client_credentials&client_id=" CLIENT
				 "&client_secret=secret" SCOPE),
		200);
	fixture_close(&f);
}

static void a_secret_expires(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document("", "");
	json_t *principal = json_array_get(json_object_get(doc, "principals"), 0);

	(void)state;
	json_object_set_new(principal, "secretExpires", json_string("+1h"));
	fixture_open_json(&f, doc);
	pass(&f, DUR_H(1));
	assert_int_equal(log_in(&f, CLIENT, "secret"), 401);
	assert_non_null(strstr(text(&f, "error_description"), "AADSTS7000222"));
	fixture_close(&f);
}

static void a_token_expires_after_its_life(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "\"tokens\":{\"life\":\"10m\"}");
	pass(&f, DUR_S(599));
	assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 200);
	pass(&f, DUR_S(1));
	assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 401);
	assert_string_equal(error_code(&f), "ExpiredAuthenticationToken");
	assert_non_null(strstr(answer_header_of(&f, "WWW-Authenticate"), "login.test"));
	fixture_close(&f);
}

static void a_changed_token_is_invalid(void **state)
{
	struct fixture f;
	size_t middle;

	(void)state;
	fixture_open(&f, "", "");
	middle = (size_t)(strchr(f.token, '.') - f.token) + 10;
	f.token[middle] = f.token[middle] == 'A' ? 'B' : 'A';
	assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 401);
	assert_string_equal(error_code(&f), "InvalidAuthenticationToken");
	fixture_close(&f);
}

static void a_token_for_another_resource_has_the_wrong_audience(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(
		ask(&f, ENDPOINT,
			"grant_type=client_credentials&client_id=" CLIENT "&client_secret=secret"
			"&scope=https%3A%2F%2Fapi.securitycenter.microsoft.com%2F.default"),
		200);
	free(f.token);
	f.token = xstrdup(text(&f, "access_token"));
	assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 401);
	assert_string_equal(error_code(&f), "InvalidAuthenticationTokenAudience");
	fixture_close(&f);
}

static void the_public_audiences_of_arm_are_accepted(void **state)
{
	static const char *const scopes[] = {"https%3A%2F%2Fmanagement.azure.com%2F.default",
		"https%3A%2F%2Fmanagement.core.windows.net%2F%2F.default"};
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		mdc_autofree char *form =
			xasprintf("grant_type=client_credentials&client_id=" CLIENT
				  "&client_secret=secret&scope=%s",
				scopes[i]);

		assert_int_equal(ask(&f, ENDPOINT, form), 200);
		free(f.token);
		f.token = xstrdup(text(&f, "access_token"));
		assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 200);
	}
	fixture_close(&f);
}

static void a_request_without_a_token_is_told_where_to_get_one(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(
		send_raw(&f, "GET", ARM SUB_PATH "?api-version=2022-12-01", NULL, NULL), 401);
	assert_string_equal(error_code(&f), "AuthenticationFailed");
	assert_non_null(strstr(answer_header_of(&f, "WWW-Authenticate"), "authorization_uri"));
	fixture_close(&f);
}

static void another_tenants_subscription_wants_that_tenants_token(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document("", "");

	(void)state;
	json_array_append_new(
		json_object_get(doc, "tenants"), json_pack("{s:s}", "id", OTHER_TENANT));
	json_array_append_new(json_object_get(doc, "subscriptions"),
		json_pack("{s:s, s:s}", "id", SUB2, "tenant", OTHER_TENANT));
	fixture_open_json(&f, doc);
	assert_int_equal(get(&f, "/subscriptions/" SUB2 "?api-version=2022-12-01"), 401);
	assert_string_equal(error_code(&f), "InvalidAuthenticationTokenTenant");
	assert_int_equal(get(&f, "/subscriptions?api-version=2022-12-01"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	fixture_close(&f);
}

static void a_delegated_subscription_takes_the_other_tenants_token(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document("", "");

	(void)state;
	json_array_append_new(
		json_object_get(doc, "tenants"), json_pack("{s:s}", "id", OTHER_TENANT));
	json_array_append_new(json_object_get(doc, "subscriptions"),
		json_pack("{s:s, s:s, s:[s]}", "id", SUB2, "tenant", OTHER_TENANT, "delegatedTo",
			TENANT));
	fixture_open_json(&f, doc);
	assert_int_equal(get(&f, "/subscriptions/" SUB2 "?api-version=2022-12-01"), 200);
	assert_string_equal(text(&f, "tenantId"), OTHER_TENANT);
	assert_string_equal(
		tree_text(json_array_get(tree_get(f.doc, "managedByTenants"), 0), "tenantId"),
		TENANT);
	fixture_close(&f);
}

static void the_login_host_describes_itself(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(
		send_raw(&f, "GET", LOGIN "/" TENANT "/v2.0/.well-known/openid-configuration", NULL,
			NULL),
		200);
	assert_string_equal(text(&f, "token_endpoint"), ENDPOINT);
	assert_int_equal(
		send_raw(&f, "GET", LOGIN "/common/discovery/instance?api-version=1.1", NULL, NULL),
		200);
	assert_non_null(text(&f, "tenant_discovery_endpoint"));
	assert_int_equal(
		send_raw(&f, "GET", LOGIN "/" TENANT "/discovery/v2.0/keys", NULL, NULL), 200);
	assert_int_equal(send_raw(&f, "GET", LOGIN "/" TENANT "/unknown", NULL, NULL), 404);
	fixture_close(&f);
}

static void arm_says_where_to_log_in(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(
		send_raw(&f, "GET", ARM "/metadata/endpoints?api-version=2022-09-01", NULL, NULL),
		200);
	assert_string_equal(text(&f, "authentication.loginEndpoint"), "https://login.test/");
	assert_string_equal(text(&f, "resourceManager"), "https://management.test/");
	send_raw(&f, "GET", ARM "/metadata/endpoints?api-version=2019-05-01", NULL, NULL);
	assert_string_equal(tree_text(json_array_get(f.doc, 0), "authentication.loginEndpoint"),
		"https://login.test/");
	send_raw(&f, "GET", ARM "/metadata/endpoints?api-version=2015-01-01", NULL, NULL);
	assert_string_equal(text(&f, "authentication.loginEndpoint"), "https://login.test/");
	assert_string_equal(text(&f, "graphEndpoint"), "https://graph.test/");
	fixture_close(&f);
}

#define ADFS LOGIN "/adfs"
#define ADFS_TOKEN ADFS "/oauth2/token/"
#define BY_SECRET "grant_type=client_credentials&client_id=" CLIENT "&client_secret="

static void federation_services_name_their_own_token_endpoint(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(
		send_raw(&f, "GET", ADFS "/.well-known/openid-configuration", NULL, NULL), 200);
	assert_string_equal(text(&f, "token_endpoint"), ADFS_TOKEN);
	assert_string_equal(text(&f, "issuer"), ADFS);
	assert_int_equal(send_raw(&f, "GET", ADFS "/discovery/keys", NULL, NULL), 200);
	assert_int_equal(send_raw(&f, "GET", ADFS "/v2.0/anything", NULL, NULL), 404);
	fixture_close(&f);
}

static void federation_services_give_tokens_by_scope_or_by_resource(void **state)
{
	static const char *const asked[] = {"&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
		"&resource=https%3A%2F%2Fmanagement.azure.com"};
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		mdc_autofree char *form = xasprintf(BY_SECRET "secret%s", asked[i]);

		assert_int_equal(ask(&f, ADFS_TOKEN, form), 200);
		free(f.token);
		f.token = xstrdup(text(&f, "access_token"));
		assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 200);
	}
	fixture_close(&f);
}

static const struct {
	const char *form, *error, *code;
} federation_refusals[] = {
	{"grant_type=password", "unsupported_grant_type", "MSIS9611"},
	{"grant_type=client_credentials&client_id=nobody" SCOPE, "invalid_client", "MSIS9607"},
	{BY_SECRET "wrong" SCOPE, "invalid_client", "MSIS9622"},
	{"grant_type=client_credentials&client_id=" CLIENT SCOPE, "invalid_client", "MSIS9622"},
	{BY_SECRET "secret&resource=https%3A%2F%2Felsewhere.test", "invalid_resource", "MSIS9602"},
	{BY_SECRET "secret", "invalid_resource", "MSIS9602"},
};

static void federation_services_have_their_own_words_for_what_is_wrong(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	for (size_t i = 0; i < ARRAY_LEN(federation_refusals); i++) {
		assert_int_equal(ask(&f, ADFS_TOKEN, federation_refusals[i].form), 400);
		assert_string_equal(text(&f, "error"), federation_refusals[i].error);
		assert_true(str_starts_nocase(
			text(&f, "error_description"), federation_refusals[i].code));
	}
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_secret_gives_a_token_that_arm_accepts),
	cmocka_unit_test(what_is_wrong_with_a_token_request_is_said_by_number),
	cmocka_unit_test(an_unknown_tenant_is_named),
	cmocka_unit_test(a_tenant_may_be_named_by_its_domain),
	cmocka_unit_test(a_secret_expires),
	cmocka_unit_test(a_token_expires_after_its_life),
	cmocka_unit_test(a_changed_token_is_invalid),
	cmocka_unit_test(a_token_for_another_resource_has_the_wrong_audience),
	cmocka_unit_test(the_public_audiences_of_arm_are_accepted),
	cmocka_unit_test(a_request_without_a_token_is_told_where_to_get_one),
	cmocka_unit_test(another_tenants_subscription_wants_that_tenants_token),
	cmocka_unit_test(a_delegated_subscription_takes_the_other_tenants_token),
	cmocka_unit_test(the_login_host_describes_itself),
	cmocka_unit_test(arm_says_where_to_log_in),
	cmocka_unit_test(federation_services_name_their_own_token_endpoint),
	cmocka_unit_test(federation_services_give_tokens_by_scope_or_by_resource),
	cmocka_unit_test(federation_services_have_their_own_words_for_what_is_wrong),
};
RUN_ESTATE_TESTS(tests)
