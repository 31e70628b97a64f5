/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_headers.h"

#include "lib/base/rng.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-24T14:00:00Z */
static const struct wall now = {INT64_C(1795528800000)};

#define MONTH (INT64_C(30) * 86400000)

static void reads_how_long_to_wait(void **state)
{
	static const struct {
		const char *ms, *x_ms, *after;
		int64_t wait; /* -1: not there, or not understood */
	} rows[] = {
		{NULL, NULL, NULL, -1},
		{NULL, NULL, "0", 0},
		{NULL, NULL, "17", 17000},
		{NULL, NULL, "1200", 1200000},
		{NULL, NULL, "86400", 86400000},
		{NULL, NULL, "99999999", MONTH},
		{NULL, NULL, "9223372036854775807", MONTH},
		{NULL, NULL, "99999999999999999999999999", MONTH},
		{NULL, NULL, "", -1},
		{NULL, NULL, "-5", -1},
		{NULL, NULL, "1.5", -1},
		{NULL, NULL, "soon", -1},
		{NULL, NULL, "5, 6", -1},
		{NULL, NULL, "Tue, 24 Nov 2026 14:00:30 GMT", 30000},
		{NULL, NULL, "Tue, 24 Nov 2026 13:00:00 GMT", 0},
		{NULL, NULL, "Fri, 31 Dec 9999 23:59:59 GMT", MONTH},
		{NULL, NULL, "Tue, 24 Nov 2026 14:00:30", -1},
		{"250", NULL, "17", 250},
		{NULL, "750", "17", 750},
		{"250", "750", NULL, 250},
		{"soon", "750", "17", 750},
		{"", "x", "17", 17000},
		{"99999999999999999999999999", NULL, "17", MONTH},
		{"0", NULL, "17", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_headers h = {0};
		struct dur wait = DUR_MS(-1);
		bool found;

		if (rows[i].after != NULL)
			http_headers_add(&h, "Retry-After", rows[i].after);
		if (rows[i].x_ms != NULL)
			http_headers_add(&h, "x-ms-retry-after-ms", rows[i].x_ms);
		if (rows[i].ms != NULL)
			http_headers_add(&h, "Retry-After-Ms", rows[i].ms);
		found = arm_retry_after(&h, now, &wait);
		if (found != (rows[i].wait >= 0) || wait.ms != rows[i].wait)
			fail_msg("row %zu gave %lld", i, (long long)wait.ms);
		http_headers_fini(&h);
	}
}

static void reads_every_remaining_count(void **state)
{
	static const struct {
		const char *name;
		enum arm_limit_scope scope;
		enum arm_limit_op op;
	} rows[] = {
		{"subscription-reads", ARM_LIMIT_SUBSCRIPTION, ARM_LIMIT_READS},
		{"subscription-writes", ARM_LIMIT_SUBSCRIPTION, ARM_LIMIT_WRITES},
		{"subscription-deletes", ARM_LIMIT_SUBSCRIPTION, ARM_LIMIT_DELETES},
		{"subscription-resource-requests", ARM_LIMIT_SUBSCRIPTION, ARM_LIMIT_ANY},
		{"subscription-resource-entities-read", ARM_LIMIT_SUBSCRIPTION, ARM_LIMIT_READS},
		{"subscription-global-reads", ARM_LIMIT_SUBSCRIPTION_GLOBAL, ARM_LIMIT_READS},
		{"subscription-global-writes", ARM_LIMIT_SUBSCRIPTION_GLOBAL, ARM_LIMIT_WRITES},
		{"subscription-global-deletes", ARM_LIMIT_SUBSCRIPTION_GLOBAL, ARM_LIMIT_DELETES},
		{"tenant-reads", ARM_LIMIT_TENANT, ARM_LIMIT_READS},
		{"tenant-writes", ARM_LIMIT_TENANT, ARM_LIMIT_WRITES},
		{"tenant-resource-requests", ARM_LIMIT_TENANT, ARM_LIMIT_ANY},
		{"tenant-resource-entities-read", ARM_LIMIT_TENANT, ARM_LIMIT_READS},
	};
	struct http_headers h = {0};
	struct arm_limit limit;
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[100], value[8];

		snprintf(name, sizeof(name), "X-Ms-RateLimit-Remaining-%s", rows[i].name);
		snprintf(value, sizeof(value), "%zu", 100 + i);
		http_headers_add(&h, "date", "x");
		http_headers_add(&h, name, value);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(arm_limit_walk(&h, &at, &limit));
		assert_int_equal(limit.scope, rows[i].scope);
		assert_int_equal(limit.op, rows[i].op);
		assert_int_equal(limit.remaining, 100 + i);
		assert_null(limit.policy);
	}
	assert_false(arm_limit_walk(&h, &at, &limit));
	http_headers_fini(&h);
}

/* Each value in brackets, then the policies that should come out, e.g. "A/x=1 B/y=2". */
static void reads_policies_of_providers_also_when_joined(void **state)
{
	static const struct {
		const char *values[3];
		const char *policies;
	} rows[] = {
		{{"Microsoft.Compute/PutVM;119"}, "Microsoft.Compute/PutVM=119 "},
		{{"A/x;1", "B/y;2"}, "A/x=1 B/y=2 "},
		{{"A/x;1,B/y;2", "C/z;3"}, "A/x=1 B/y=2 C/z=3 "},
		{{"A/x;1, B/y;2 ,,C/z;0"}, "A/x=1 B/y=2 C/z=0 "},
		{{"A/x;y;7"}, "A/x;y=7 "},
		{{"A/x", "B/y;", ";5"}, ""},
		{{"A/x;-1", "A/x;1x", "A/x;99999999999999999999"}, ""},
		{{"A/x;00000000000000000000000000000001"}, ""},
		{{"", ",", ", ;,"}, ""},
		{{"bad,A/x;1"}, "A/x=1 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_headers h = {0};
		struct arm_limit limit;
		char found[200] = "";
		size_t at = 0;

		for (size_t k = 0; k < 3 && rows[i].values[k] != NULL; k++)
			http_headers_add(
				&h, "x-ms-ratelimit-remaining-resource", rows[i].values[k]);
		while (arm_limit_walk(&h, &at, &limit)) {
			assert_int_equal(limit.scope, ARM_LIMIT_RESOURCE);
			assert_int_equal(limit.op, ARM_LIMIT_ANY);
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "%.*s=%llu ",
				(int)limit.policy_len, limit.policy,
				(unsigned long long)limit.remaining);
		}
		assert_string_equal(found, rows[i].policies);
		http_headers_fini(&h);
	}
}

static void a_count_after_a_policy_names_no_policy(void **state)
{
	struct http_headers h = {0};
	struct arm_limit limit;
	size_t at = 0;

	(void)state;
	http_headers_add(&h, "x-ms-ratelimit-remaining-resource", "A/x;1");
	http_headers_add(&h, "x-ms-ratelimit-remaining-tenant-reads", "5");
	assert_true(arm_limit_walk(&h, &at, &limit));
	assert_true(arm_limit_walk(&h, &at, &limit));
	assert_int_equal(limit.scope, ARM_LIMIT_TENANT);
	assert_null(limit.policy);
	assert_int_equal(limit.policy_len, 0);
	http_headers_fini(&h);
}

static void ignores_counts_that_it_does_not_know(void **state)
{
	static const char *const rows[][2] = {
		{"x-ms-ratelimit-remaining-", "1"},
		{"x-ms-ratelimit-remaining-subscription-", "1"},
		{"x-ms-ratelimit-remaining-subscription-lists", "1"},
		{"x-ms-ratelimit-remaining-subscription-global-lists", "1"},
		{"x-ms-ratelimit-remaining-planet-reads", "1"},
		{"x-ms-ratelimit-remaining-tenant-reads-x", "1"},
		{"x-ms-ratelimit-remaining-tenant-reads", ""},
		{"x-ms-ratelimit-remaining-tenant-reads", "-1"},
		{"x-ms-ratelimit-remaining-tenant-reads", "many"},
		{"ms-ratelimit-remaining-tenant-reads", "1"},
	};
	struct http_headers h = {0};
	struct arm_limit limit;
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		http_headers_add(&h, rows[i][0], rows[i][1]);
	assert_false(arm_limit_walk(&h, &at, &limit));
	assert_int_equal(at, 0);
	http_headers_fini(&h);
}

static void an_endless_list_of_policies_ends(void **state)
{
	static char value[4096];
	struct http_headers h = {0};
	struct arm_limit limit;
	size_t at = 0, n = 0;

	(void)state;
	for (size_t i = 0; i + 5 < sizeof(value); i += 4)
		memcpy(value + i, "a;1,", 4);
	http_headers_add(&h, "x-ms-ratelimit-remaining-resource", value);
	while (arm_limit_walk(&h, &at, &limit))
		n++;
	assert_in_range(n, 10, 100);
	http_headers_fini(&h);
}

static void reads_the_quota_of_resource_graph(void **state)
{
	static const struct {
		const char *remaining, *resets;
		bool found;
		uint64_t left;
		int64_t after;
	} rows[] = {
		{"15", "00:00:05", true, 15, 5000},
		{"0", "00:00:01.5", true, 0, 2000},
		{"0", "01:02:03", true, 0, 3723000},
		{"14", NULL, true, 14, 5000},
		{"14", "999999:00:00", true, 14, MONTH},
		{NULL, "00:00:05", false, 0, 0},
		{"", "00:00:05", false, 0, 0},
		{"-1", "00:00:05", false, 0, 0},
		{"14", "", false, 0, 0},
		{"14", "5", false, 0, 0},
		{"14", "00:05", false, 0, 0},
		{"14", "00:00:05x", false, 0, 0},
		{"14", "0000000:00:05", false, 0, 0},
		{"14", "::", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_headers h = {0};
		struct graph_quota quota = {0};

		if (rows[i].remaining != NULL)
			http_headers_add(&h, "X-Ms-User-Quota-Remaining", rows[i].remaining);
		if (rows[i].resets != NULL)
			http_headers_add(&h, "x-ms-user-quota-resets-after", rows[i].resets);
		if (graph_quota_read(&h, &quota) != rows[i].found)
			fail_msg("row %zu", i);
		assert_int_equal(quota.remaining, rows[i].left);
		assert_int_equal(quota.resets_after.ms, rows[i].after);
		http_headers_fini(&h);
	}
}

static void reads_the_ids_that_support_asks_for(void **state)
{
	struct http_headers h = {0};
	struct arm_trace trace;

	(void)state;
	arm_trace_read(&h, &trace);
	assert_string_equal(trace.request_id, "");
	assert_string_equal(trace.correlation_id, "");
	assert_string_equal(trace.routing_id, "");
	http_headers_add(&h, "x-ms-request-id", "r");
	http_headers_add(&h, "x-ms-correlation-request-id", "c");
	http_headers_add(&h, "x-ms-routing-request-id", "WESTUS:20250501T143306Z:x");
	arm_trace_read(&h, &trace);
	assert_string_equal(trace.request_id, "r");
	assert_string_equal(trace.correlation_id, "c");
	assert_string_equal(trace.routing_id, "WESTUS:20250501T143306Z:x");
	http_headers_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_how_long_to_wait),
		cmocka_unit_test(reads_every_remaining_count),
		cmocka_unit_test(reads_policies_of_providers_also_when_joined),
		cmocka_unit_test(a_count_after_a_policy_names_no_policy),
		cmocka_unit_test(ignores_counts_that_it_does_not_know),
		cmocka_unit_test(an_endless_list_of_policies_ends),
		cmocka_unit_test(reads_the_quota_of_resource_graph),
		cmocka_unit_test(reads_the_ids_that_support_asks_for),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
