/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define GRAPH "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
#define OTHER "20000000-0000-4000-8000-000000000002"
#define TENANTS "/tenants?api-version=2022-12-01"

static int left(const struct fixture *f, const char *header)
{
	const char *value = answer_header_of(f, header);

	return value != NULL ? atoi(value) : -1;
}

#define READS_LEFT "x-ms-ratelimit-remaining-subscription-reads"

static void reads_drain_a_bucket_that_refills(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	get(&f, PLAN);
	assert_int_equal(left(&f, READS_LEFT), 249);
	assert_int_equal(left(&f, "x-ms-ratelimit-remaining-subscription-global-reads"), 3749);
	for (int i = 0; i < 249; i++)
		assert_int_equal(get(&f, PLAN), 200);
	assert_int_equal(left(&f, READS_LEFT), 0);
	get(&f, PLAN);
	assert_refused(&f, 429, "SubscriptionRequestsThrottled");
	assert_string_equal(answer_header_of(&f, "Retry-After"), "5");
	assert_string_equal(answer_header_of(&f, "x-ms-failure-cause"), "gateway");
	pass(&f, DUR_S(5));
	assert_int_equal(get(&f, PLAN), 200);
	assert_int_equal(left(&f, READS_LEFT), 124);
	fixture_close(&f);
}

static void an_early_retry_begins_the_wait_anew(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "\"throttling\":{\"reads\":{\"size\":2,\"refill\":10}}");
	get(&f, PLAN);
	get(&f, PLAN);
	assert_int_equal(get(&f, PLAN), 429);
	pass(&f, DUR_S(4));
	assert_int_equal(get(&f, PLAN), 429);
	pass(&f, DUR_S(4));
	assert_int_equal(get(&f, PLAN), 429);
	pass(&f, DUR_S(5));
	assert_int_equal(get(&f, PLAN), 200);
	assert_int_equal(verdict(&f).throttled, 3);
	assert_int_equal(verdict(&f).refused, 2);
	fixture_close(&f);
}

static void kinds_of_requests_and_subscriptions_have_buckets_of_their_own(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document("",
		"\"throttling\":{\"reads\":{\"size\":1,\"refill\":0},\"writes\":{\"size\":1,"
		"\"refill\":0}}");

	(void)state;
	json_array_append_new(json_object_get(doc, "subscriptions"),
		json_pack("{s:s, s:s}", "id", SUB2, "tenant", TENANT));
	fixture_open_json(&f, doc);
	assert_int_equal(get(&f, PLAN), 200);
	assert_int_equal(get(&f, PLAN), 429);
	assert_int_equal(put(&f, SETTING("WDATP"), "{}"), 400);
	assert_int_equal(left(&f, "x-ms-ratelimit-remaining-subscription-writes"), 0);
	assert_int_equal(call(&f, "DELETE", SETTING("WDATP"), NULL), 405);
	assert_int_equal(left(&f, "x-ms-ratelimit-remaining-subscription-deletes"), 199);
	assert_int_equal(get(&f, "/subscriptions/" SUB2 "?api-version=2022-12-01"), 200);
	assert_int_equal(get(&f, TENANTS), 200);
	fixture_close(&f);
}

static void callers_share_only_the_global_bucket(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(
		"", "\"throttling\":{\"reads\":{\"size\":2,\"refill\":0},\"globalFactor\":1}");

	(void)state;
	json_array_append_new(json_object_get(doc, "principals"),
		json_pack("{s:s, s:s, s:s, s:[{s:s, s:s}]}", "tenant", TENANT, "client", OTHER,
			"secret", "other", "roles", "scope", "/", "role", "Reader"));
	fixture_open_json(&f, doc);
	assert_int_equal(get(&f, PLAN), 200);
	assert_int_equal(log_in(&f, OTHER, "other"), 200);
	assert_int_equal(get(&f, PLAN), 200);
	assert_int_equal(left(&f, READS_LEFT), 1);
	assert_int_equal(left(&f, "x-ms-ratelimit-remaining-subscription-global-reads"), 0);
	assert_int_equal(get(&f, PLAN), 429);
	fixture_close(&f);
}

static void in_the_second_model_subscription_calls_drain_the_tenant_too(void **state)
{
	static const char *const models[] = {"bucket", "bucket-and-tenant"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		struct fixture f;
		mdc_autofree char *knobs = xasprintf("\"throttling\":{\"model\":\"%s\","
						     "\"tenantReads\":{\"size\":2,\"refill\":0}}",
			models[i]);

		fixture_open(&f, "", knobs);
		assert_int_equal(get(&f, PLAN), 200);
		assert_int_equal(get(&f, TENANTS), 200);
		assert_int_equal(left(&f, "x-ms-ratelimit-remaining-tenant-reads"), 1 - (int)i);
		assert_int_equal(get(&f, PLAN), i == 0 ? 200 : 429);
		fixture_close(&f);
	}
}

static void the_older_model_counts_by_the_hour(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "",
		"\"tokens\":{\"life\":\"9h\"},\"throttling\":{\"model\":\"hourly\","
		"\"hourlyReads\":3}");
	get(&f, PLAN);
	assert_int_equal(left(&f, READS_LEFT), 2);
	pass(&f, DUR_MIN(20));
	get(&f, PLAN);
	get(&f, PLAN);
	get(&f, PLAN);
	assert_refused(&f, 429, "SubscriptionRequestsThrottled");
	assert_string_equal(answer_header_of(&f, "Retry-After"), "2400");
	pass(&f, DUR_MIN(40));
	assert_int_equal(get(&f, PLAN), 200);
	assert_int_equal(left(&f, READS_LEFT), 2);
	fixture_close(&f);
}

static void a_providers_own_limit_says_that_it_is_the_service(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "\"throttling\":{\"securityReads\":{\"size\":2,\"refill\":1}}");
	get(&f, PLAN);
	assert_int_equal(left(&f, "x-ms-ratelimit-remaining-subscription-resource-requests"), 1);
	get(&f, PLAN);
	get(&f, PLAN);
	assert_refused(&f, 429, "TooManyRequests");
	assert_string_equal(answer_header_of(&f, "x-ms-failure-cause"), "service");
	assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 200);
	fixture_close(&f);
}

static void headers_and_limits_can_be_off(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "\"throttling\":{\"headers\":false}");
	get(&f, PLAN);
	assert_int_equal(left(&f, READS_LEFT), -1);
	fixture_close(&f);
	fixture_open(
		&f, "", "\"throttling\":{\"model\":\"off\",\"reads\":{\"size\":1,\"refill\":0}}");
	for (int i = 0; i < 3; i++)
		assert_int_equal(get(&f, PLAN), 200);
	fixture_close(&f);
}

static int ask_graph(struct fixture *f)
{
	return call(f, "POST", GRAPH, "{\"query\":\"resources\"}");
}

static void resource_graph_has_a_quota_of_its_own(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "\"throttling\":{\"tenantWrites\":{\"size\":1,\"refill\":0}}");
	for (int i = 14; i >= 0; i--) {
		assert_int_equal(ask_graph(&f), 200);
		assert_int_equal(left(&f, "x-ms-user-quota-remaining"), i);
		pass(&f, DUR_MS(100));
	}
	assert_string_equal(answer_header_of(&f, "x-ms-user-quota-resets-after"), "00:00:04");
	ask_graph(&f);
	assert_refused(&f, 429, "RateLimiting");
	assert_int_equal(left(&f, "x-ms-user-quota-remaining"), 0);
	pass(&f, DUR_S(4));
	assert_int_equal(ask_graph(&f), 200);
	assert_int_equal(left(&f, "x-ms-user-quota-remaining"), 14);
	fixture_close(&f);
}

static void a_token_request_costs_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "",
		"\"throttling\":{\"tenantWrites\":{\"size\":1,\"refill\":0},\"tenantReads\":"
		"{\"size\":1,\"refill\":0}}");
	for (int i = 0; i < 5; i++)
		assert_int_equal(log_in(&f, CLIENT, "secret"), 200);
	assert_int_equal(get(&f, TENANTS), 200);
	assert_int_equal(get(&f, TENANTS), 429);
	assert_string_equal(error_code(&f), "TenantRequestsThrottled");
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_drain_a_bucket_that_refills),
	cmocka_unit_test(an_early_retry_begins_the_wait_anew),
	cmocka_unit_test(kinds_of_requests_and_subscriptions_have_buckets_of_their_own),
	cmocka_unit_test(callers_share_only_the_global_bucket),
	cmocka_unit_test(in_the_second_model_subscription_calls_drain_the_tenant_too),
	cmocka_unit_test(the_older_model_counts_by_the_hour),
	cmocka_unit_test(a_providers_own_limit_says_that_it_is_the_service),
	cmocka_unit_test(headers_and_limits_can_be_off),
	cmocka_unit_test(resource_graph_has_a_quota_of_its_own),
	cmocka_unit_test(a_token_request_costs_nothing),
};
RUN_ESTATE_TESTS(tests)
