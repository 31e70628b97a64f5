/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/governor.h"

#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define AT(milliseconds) ((struct mono){(milliseconds)})
#define TENANT "11111111-1111-1111-1111-111111111111"
#define SUB_A "aaaaaaaa-0000-0000-0000-000000000001"
#define SUB_B "bbbbbbbb-0000-0000-0000-000000000002"
#define REMAINING "x-ms-ratelimit-remaining-"

static struct quota_call call_of(const char *subscription, const char *provider, enum arm_quota op)
{
	return (struct quota_call){.tenant = TENANT,
		.principal = "mdcd",
		.subscription = subscription,
		.provider = provider,
		.quota = op};
}

static struct governor *governor_for(enum quota_model model, unsigned reserve)
{
	struct quota_settings s;

	quota_settings_for(model, &s);
	s.reserve_percent = reserve;
	return governor_new(&s);
}

static bool admits(
	struct governor *g, const struct quota_call *c, struct mono now, struct quota_ticket *ret)
{
	struct quota_ticket ignored;

	return !mono_before(now, governor_admit(g, c, now, ret != NULL ? ret : &ignored));
}

static void answer(struct governor *g, const struct quota_call *c, const struct quota_ticket *t,
	int status, struct mono now)
{
	struct http_headers none = {0};
	struct quota_answer a = {.status = status, .headers = &none};

	governor_answered(g, c, t, &a, now);
}

/* "name: value" lines after the status. */
static void answer_with(struct governor *g, const struct quota_call *c,
	const struct quota_ticket *t, struct quota_answer a, const char *const *lines)
{
	struct http_headers headers = {0};

	for (; *lines != NULL; lines++) {
		const char *colon = strchr(*lines, ':');
		mdc_autofree char *name = xstrndup(*lines, (size_t)(colon - *lines));

		http_headers_add(&headers, name, colon + 2);
	}
	a.headers = &headers;
	governor_answered(g, c, t, &a, AT(0));
	http_headers_fini(&headers);
}
#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* One call to and fro, so that the buckets on its way are no guess any more. */
static void prove(struct governor *g, const struct quota_call *c, struct mono now)
{
	struct quota_ticket t;

	assert_true(admits(g, c, now, &t));
	answer(g, c, &t, 200, now);
}

/* Calls admitted at once, each answered, until no more are. */
static unsigned burst(struct governor *g, const struct quota_call *c, struct mono now)
{
	struct quota_ticket t;
	unsigned n = 0;

	for (; n < 100000 && admits(g, c, now, &t); n++)
		answer(g, c, &t, 200, now);
	return n;
}

static void a_model_has_its_documented_sizes(void **state)
{
	static const struct {
		enum quota_model model;
		unsigned reads, writes, deletes;
	} rows[] = {
		{QUOTA_BUCKETS, 250, 200, 200},
		{QUOTA_BUCKETS_AND_TENANT, 250, 200, 200},
		{QUOTA_HOURLY, 12000, 1200, 15000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct governor *g = governor_for(rows[i].model, 0);
		struct quota_settings s;

		struct quota_call reads = call_of(SUB_A, "", ARM_QUOTA_READ);
		struct quota_call writes = call_of(SUB_A, "", ARM_QUOTA_WRITE);
		struct quota_call deletes = call_of(SUB_A, "", ARM_QUOTA_DELETE);

		assert_int_equal(burst(g, &reads, AT(0)), rows[i].reads);
		assert_int_equal(burst(g, &writes, AT(0)), rows[i].writes);
		assert_int_equal(burst(g, &deletes, AT(0)), rows[i].deletes);
		quota_settings_for(rows[i].model, &s);
		assert_in_range(governor_forecast(g, &writes, AT(0)).ms, 1,
			(int64_t)(1000 / s.writes.refill) + 1);
		governor_free(g);
	}
}

static void few_calls_go_out_before_an_answer_came(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "", ARM_QUOTA_READ);
	struct quota_ticket tickets[10];
	unsigned n = 0;

	(void)state;
	while (admits(g, &c, AT(0), &tickets[n]))
		n++;
	assert_int_equal(n, 4);
	assert_int_equal(governor_forecast(g, &c, AT(0)).ms, MONO_NEVER.ms);
	/* A lost call proves nothing, an answer does. */
	answer(g, &c, &tickets[0], 0, AT(0));
	assert_true(admits(g, &c, AT(0), &tickets[0]));
	assert_false(admits(g, &c, AT(0), &tickets[5]));
	answer(g, &c, &tickets[0], 404, AT(0));
	for (unsigned i = 0; i < 100; i++)
		assert_true(admits(g, &c, AT(0), NULL));
	governor_free(g);
}

static void subscriptions_have_buckets_of_their_own(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call a = call_of(SUB_A, "", ARM_QUOTA_READ);
	struct quota_call b = call_of(SUB_B, "", ARM_QUOTA_READ);

	(void)state;
	assert_int_equal(burst(g, &a, AT(0)), 250);
	assert_int_equal(burst(g, &b, AT(0)), 250);
	governor_free(g);
}

static void with_the_tenants_bucket_subscriptions_share(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS_AND_TENANT, 0);
	struct quota_call a = call_of(SUB_A, "", ARM_QUOTA_READ);
	struct quota_call b = call_of(SUB_B, "", ARM_QUOTA_READ);

	(void)state;
	assert_int_equal(burst(g, &a, AT(0)), 250);
	assert_int_equal(burst(g, &b, AT(0)), 0);
	/* Whatever is admitted in a second goes to both together. */
	assert_int_equal(burst(g, &a, AT(1001)) + burst(g, &b, AT(1001)), 25);
	governor_free(g);
}

static void a_count_of_the_tenant_settles_that_calls_drain_it(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call a = call_of(SUB_A, "", ARM_QUOTA_READ);
	struct quota_call b = call_of(SUB_B, "", ARM_QUOTA_READ);
	struct quota_ticket t;

	(void)state;
	prove(g, &a, AT(0));
	assert_true(admits(g, &a, AT(0), &t));
	answer_with(g, &a, &t, (struct quota_answer){.status = 200},
		LINES(REMAINING "tenant-reads: 3"));
	prove(g, &b, AT(0));
	assert_int_equal(burst(g, &b, AT(0)), 2);
	governor_free(g);
}

static void the_reserve_is_left_to_others(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 10);
	struct quota_call c = call_of(SUB_A, "", ARM_QUOTA_WRITE);

	(void)state;
	assert_int_equal(burst(g, &c, AT(0)), 180);
	assert_int_equal(burst(g, &c, AT(1001)), 10);
	governor_free(g);
}

static void a_lower_count_slows_down_at_once(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "", ARM_QUOTA_WRITE);
	struct quota_ticket t;

	(void)state;
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 200},
		LINES(REMAINING "subscription-writes: 7"));
	assert_int_equal(burst(g, &c, AT(0)), 7);
	governor_free(g);
}

/* docs.azure.cn shows counts per hour; what answers may be the buckets of all other clouds. */
static void counts_of_the_other_model_are_gone_on_with(void **state)
{
	struct governor *g = governor_for(QUOTA_HOURLY, 5);
	struct quota_call c = call_of(SUB_A, "", ARM_QUOTA_READ);
	struct quota_ticket t;

	(void)state;
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 200},
		LINES(REMAINING "subscription-reads: 249"));
	assert_int_equal(burst(g, &c, AT(0)), 236); /* 5% of 250 are left */
	governor_free(g);
}

static void the_count_of_all_principals_binds_too(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "", ARM_QUOTA_WRITE);
	struct quota_ticket t;

	(void)state;
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 200},
		LINES(REMAINING "subscription-writes: 199",
			REMAINING "subscription-global-writes: 5"));
	assert_int_equal(burst(g, &c, AT(0)), 5);
	governor_free(g);
}

static void a_count_says_nothing_of_calls_that_it_has_not_seen(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "", ARM_QUOTA_WRITE);
	struct quota_ticket first, later[60];

	(void)state;
	prove(g, &c, AT(0));
	assert_true(admits(g, &c, AT(0), &first));
	for (unsigned i = 0; i < 60; i++)
		assert_true(admits(g, &c, AT(0), &later[i]));
	/* The 60 others may not have arrived yet: 198 are not to be had. */
	answer_with(g, &c, &first, (struct quota_answer){.status = 200},
		LINES(REMAINING "subscription-writes: 198"));
	assert_int_equal(burst(g, &c, AT(0)), 138);
	governor_free(g);
}

static void a_higher_count_is_believed_as_far_as_it_goes(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "", ARM_QUOTA_WRITE);
	struct quota_ticket t;

	(void)state;
	burst(g, &c, AT(0));
	assert_true(admits(g, &c, AT(101), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 200},
		LINES(REMAINING "subscription-writes: 150"));
	assert_int_equal(burst(g, &c, AT(101)), 150);
	governor_free(g);
}

static void a_429_freezes_its_bucket_for_exactly_its_time(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call reads = call_of(SUB_A, "Microsoft.Security", ARM_QUOTA_READ);
	struct quota_call writes = call_of(SUB_A, "Microsoft.Security", ARM_QUOTA_WRITE);
	struct quota_call other = call_of(SUB_B, "Microsoft.Security", ARM_QUOTA_READ);
	struct quota_ticket t;

	(void)state;
	assert_true(admits(g, &reads, AT(0), &t));
	answer_with(g, &reads, &t, (struct quota_answer){.status = 429, .retry_after = DUR_S(17)},
		LINES(REMAINING "subscription-reads: 0"));
	assert_int_equal(governor_forecast(g, &reads, AT(0)).ms, 17000);
	assert_false(admits(g, &reads, AT(16999), NULL));
	assert_true(admits(g, &reads, AT(17000), NULL));
	assert_true(admits(g, &writes, AT(0), NULL));
	assert_true(admits(g, &other, AT(0), NULL));
	governor_free(g);
}

static void a_429_without_counts_freezes_the_subscription(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "Microsoft.Security", ARM_QUOTA_READ);
	struct quota_call same = call_of(SUB_A, "Microsoft.HybridCompute", ARM_QUOTA_READ);
	struct quota_ticket t;

	(void)state;
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 429, .retry_after = DUR_S(3)},
		LINES("x-ms-failure-cause: gateway"));
	assert_int_equal(governor_forecast(g, &same, AT(0)).ms, 3000);
	governor_free(g);
}

static void a_429_of_the_provider_freezes_the_provider(void **state)
{
	const char *const *const answers[] = {
		LINES("x-ms-failure-cause: service", REMAINING "subscription-reads: 1"),
		LINES(REMAINING "subscription-reads: 199"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct governor *g = governor_for(QUOTA_BUCKETS, 0);
		struct quota_call c = call_of(SUB_A, "Microsoft.Compute", ARM_QUOTA_READ);
		struct quota_call same = call_of(SUB_A, "Microsoft.Security", ARM_QUOTA_READ);
		struct quota_ticket t;

		assert_true(admits(g, &c, AT(0), &t));
		answer_with(g, &c, &t,
			(struct quota_answer){.status = 429, .retry_after = DUR_S(1200)},
			answers[i]);
		assert_int_equal(governor_forecast(g, &c, AT(0)).ms, 1200000);
		assert_true(admits(g, &same, AT(0), NULL));
		governor_free(g);
	}
}

static void a_429_freezes_the_bucket_whose_count_is_lowest(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call a = call_of(SUB_A, "Microsoft.Security", ARM_QUOTA_READ);
	struct quota_call b = call_of(SUB_B, "", ARM_QUOTA_READ);
	struct quota_ticket t;

	(void)state;
	assert_true(admits(g, &a, AT(0), &t));
	answer_with(g, &a, &t, (struct quota_answer){.status = 429, .retry_after = DUR_S(9)},
		LINES(REMAINING "subscription-reads: 88", REMAINING "tenant-reads: 0"));
	/* The tenant's: the other subscription waits as well. */
	assert_int_equal(governor_forecast(g, &b, AT(0)).ms, 9000);
	governor_free(g);
}

static void a_day_long_freeze_is_kept(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "", ARM_QUOTA_WRITE);
	struct quota_ticket t[2];

	(void)state;
	assert_true(admits(g, &c, AT(0), &t[0]));
	assert_true(admits(g, &c, AT(0), &t[1]));
	answer_with(g, &c, &t[0], (struct quota_answer){.status = 429, .retry_after = DUR_H(24)},
		LINES(REMAINING "subscription-writes: 0"));
	answer_with(g, &c, &t[1], (struct quota_answer){.status = 429, .retry_after = DUR_S(1)},
		LINES(REMAINING "subscription-writes: 0"));
	assert_int_equal(governor_forecast(g, &c, AT(0)).ms, DUR_H(24).ms);
	governor_free(g);
}

static void a_providers_policy_is_learnt_from_its_count(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "Microsoft.Compute", ARM_QUOTA_WRITE);
	struct quota_call same = call_of(SUB_A, "Microsoft.Security", ARM_QUOTA_READ);
	struct quota_ticket t;

	(void)state;
	prove(g, &c, AT(0));
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 202},
		LINES(REMAINING "subscription-writes: 198",
			REMAINING "resource: Microsoft.Compute/UpdateVM;3"));
	assert_int_equal(burst(g, &c, AT(0)), 3);
	assert_true(admits(g, &same, AT(0), NULL));
	/* It comes back in a while, since nobody says how fast. */
	assert_in_range(governor_forecast(g, &c, AT(0)).ms, 1, 60000);
	governor_free(g);
}

static void counts_that_replace_the_subscriptions_are_a_policy(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "Microsoft.HybridCompute", ARM_QUOTA_READ);
	struct quota_ticket t;

	(void)state;
	prove(g, &c, AT(0));
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 200},
		LINES(REMAINING "subscription-resource-requests: 4"));
	assert_int_equal(burst(g, &c, AT(0)), 4);
	governor_free(g);
}

static void invented_policies_are_not_collected_without_end(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "Microsoft.Compute", ARM_QUOTA_READ);
	json_t *report;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		mdc_autofree char *line = xasprintf(REMAINING "resource: x/%u;900", i);
		struct quota_ticket t;

		assert_true(admits(g, &c, AT(0), &t));
		answer_with(g, &c, &t, (struct quota_answer){.status = 200}, LINES(line));
	}
	report = governor_report(g, AT(0));
	assert_in_range(json_array_size(report), 1, 12);
	json_decref(report);
	governor_free(g);
}

static void hostile_counts_do_no_harm(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "Microsoft.Compute", ARM_QUOTA_READ);
	struct quota_ticket t;
	char text[4096];

	(void)state;
	memset(text, 'p', sizeof(text));
	memcpy(text, REMAINING "resource: ", strlen(REMAINING "resource: "));
	strcpy(text + sizeof(text) - 4, ";12");
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 200},
		LINES(text, REMAINING "resource: \x01/\xff;3",
			REMAINING "subscription-reads: 18446744073709551615",
			REMAINING "resource: big/count;18446744073709551615",
			REMAINING "tenant-resource-requests: 1000",
			REMAINING "subscription-reads: -4", REMAINING "resource: ;"));
	assert_in_range(burst(g, &c, AT(0)), 249, 250);
	governor_free(g);
}

static void graph_counts_last_until_their_window_ends(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of("", "Microsoft.ResourceGraph", ARM_QUOTA_GRAPH);
	struct quota_ticket t;

	(void)state;
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 200},
		LINES("x-ms-user-quota-remaining: 2", "x-ms-user-quota-resets-after: 00:00:04"));
	assert_int_equal(burst(g, &c, AT(0)), 2);
	assert_false(admits(g, &c, AT(3999), NULL));
	assert_in_range(governor_forecast(g, &c, AT(3999)).ms, 4000, 4400);
	governor_free(g);
}

static void graph_waits_for_its_reset_after_a_429_without_a_time(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of("", "", ARM_QUOTA_GRAPH);
	struct quota_call reads = call_of("", "", ARM_QUOTA_READ);
	struct quota_ticket t;

	(void)state;
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 429},
		LINES("x-ms-user-quota-remaining: 0", "x-ms-user-quota-resets-after: 00:00:03"));
	assert_false(admits(g, &c, AT(2999), NULL));
	assert_in_range(governor_forecast(g, &c, AT(0)).ms, 3000, 3400);
	assert_true(admits(g, &reads, AT(0), NULL));
	governor_free(g);
}

static unsigned fill_lane(
	struct governor *g, const struct quota_call *c, struct quota_ticket *tickets, unsigned max)
{
	unsigned n = 0;

	while (n < max && admits(g, c, AT(0), &tickets[n]))
		n++;
	return n;
}

static void writes_in_flight_adapt_where_no_limit_is_published(void **state)
{
	static const char *const providers[] = {"Microsoft.Security", "microsoft.hybridcompute"};
	struct quota_ticket t[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
		struct governor *g = governor_for(QUOTA_BUCKETS, 0);
		struct quota_call c = call_of(SUB_A, providers[i], ARM_QUOTA_WRITE);

		prove(g, &c, AT(0));
		assert_int_equal(fill_lane(g, &c, t, 64), 5);
		assert_int_equal(governor_forecast(g, &c, AT(0)).ms, MONO_NEVER.ms);
		/* A window of successes under full load: one more. */
		for (unsigned k = 0; k < 5; k++) {
			answer(g, &c, &t[k], 202, AT(0));
			assert_true(admits(g, &c, AT(0), &t[k]));
		}
		assert_int_equal(fill_lane(g, &c, t + 5, 59), 1);
		/* Halved once for one window of refusals. */
		for (unsigned k = 0; k < 6; k++)
			answer(g, &c, &t[k], k < 3 ? 503 : 202, AT(0));
		assert_int_equal(fill_lane(g, &c, t, 64), 3);
		answer(g, &c, &t[0], 503, AT(0));
		answer(g, &c, &t[1], 200, AT(0));
		answer(g, &c, &t[2], 200, AT(0));
		assert_int_equal(fill_lane(g, &c, t, 64), 1);
		answer(g, &c, &t[0], 503, AT(0));
		assert_int_equal(fill_lane(g, &c, t, 64), 1);
		governor_free(g);
	}
}

static void without_load_the_limit_does_not_grow(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call c = call_of(SUB_A, "Microsoft.Security", ARM_QUOTA_WRITE);
	struct quota_ticket t[64];

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		prove(g, &c, AT(0));
	assert_int_equal(fill_lane(g, &c, t, 64), 5);
	governor_free(g);
}

static void reads_and_other_providers_are_not_held_in_lanes(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call reads = call_of(SUB_A, "Microsoft.Security", ARM_QUOTA_READ);
	struct quota_call compute = call_of(SUB_A, "Microsoft.Compute", ARM_QUOTA_WRITE);
	struct quota_ticket t[64];

	(void)state;
	prove(g, &reads, AT(0));
	prove(g, &compute, AT(0));
	assert_int_equal(fill_lane(g, &reads, t, 64), 64);
	assert_int_equal(fill_lane(g, &compute, t, 64), 64);
	governor_free(g);
}

static void plans_of_a_subscription_are_written_one_at_a_time(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call a = call_of(SUB_A, "Microsoft.Security/pricings", ARM_QUOTA_WRITE);
	struct quota_call b = call_of(SUB_B, "Microsoft.Security/pricings", ARM_QUOTA_WRITE);
	struct quota_ticket t;

	(void)state;
	assert_true(admits(g, &a, AT(0), &t));
	assert_int_equal(governor_forecast(g, &a, AT(0)).ms, MONO_NEVER.ms);
	assert_true(admits(g, &b, AT(0), NULL));
	answer(g, &a, &t, 200, AT(9000));
	assert_true(admits(g, &a, AT(9000), &t));
	/* Another one is at work, or this one may still be. */
	answer(g, &a, &t, 409, AT(10000));
	assert_int_equal(governor_forecast(g, &a, AT(10000)).ms, 70000);
	assert_true(admits(g, &a, AT(70000), &t));
	answer(g, &a, &t, 0, AT(80000));
	assert_int_equal(governor_forecast(g, &a, AT(80000)).ms, 140000);
	/* It never left. */
	assert_true(admits(g, &a, AT(140000), &t));
	governor_answered(g, &a, &t, &(struct quota_answer){.unsent = true}, AT(140000));
	assert_true(admits(g, &a, AT(140000), &t));
	governor_free(g);
}

static void another_configuration_keeps_levels_and_freezes(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 0);
	struct quota_call reads = call_of(SUB_A, "", ARM_QUOTA_READ);
	struct quota_call writes = call_of(SUB_A, "", ARM_QUOTA_WRITE);
	struct quota_settings s;
	struct quota_ticket t;

	(void)state;
	assert_int_equal(burst(g, &writes, AT(0)), 200);
	assert_true(admits(g, &reads, AT(0), &t));
	answer_with(g, &reads, &t, (struct quota_answer){.status = 429, .retry_after = DUR_S(50)},
		LINES(REMAINING "subscription-reads: 0"));
	quota_settings_for(QUOTA_HOURLY, &s);
	governor_configure(g, &s, AT(0));
	assert_int_equal(burst(g, &writes, AT(0)), 0);
	assert_false(admits(g, &reads, AT(49999), NULL));
	governor_free(g);
}

static void the_report_names_levels_and_freezes(void **state)
{
	struct governor *g = governor_for(QUOTA_BUCKETS, 10);
	struct quota_call c = call_of(SUB_A, "Microsoft.Security", ARM_QUOTA_WRITE);
	struct quota_ticket t;
	json_t *report, *row;
	bool subscription = false, provider = false;
	size_t i;

	(void)state;
	assert_true(admits(g, &c, AT(0), &t));
	answer_with(g, &c, &t, (struct quota_answer){.status = 429, .retry_after = DUR_MS(2500)},
		LINES("x-ms-failure-cause: service", REMAINING "subscription-writes: 150"));
	report = governor_report(g, AT(0));
	json_array_foreach (report, i, row) {
		const char *scope = json_string_value(json_object_get(row, "scope"));

		if (strcmp(scope, "subscription") == 0) {
			subscription = true;
			assert_true(json_number_value(json_object_get(row, "level")) == 150);
			assert_true(json_number_value(json_object_get(row, "reserve")) == 20);
		}
		if (strcmp(scope, "provider") == 0) {
			provider = true;
			assert_int_equal(
				json_integer_value(json_object_get(row, "frozen_for_s")), 3);
			assert_int_equal(json_integer_value(json_object_get(row, "limit")), 2);
		}
	}
	assert_true(subscription && provider);
	json_decref(report);
	governor_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_has_its_documented_sizes),
		cmocka_unit_test(few_calls_go_out_before_an_answer_came),
		cmocka_unit_test(subscriptions_have_buckets_of_their_own),
		cmocka_unit_test(with_the_tenants_bucket_subscriptions_share),
		cmocka_unit_test(a_count_of_the_tenant_settles_that_calls_drain_it),
		cmocka_unit_test(the_reserve_is_left_to_others),
		cmocka_unit_test(counts_of_the_other_model_are_gone_on_with),
		cmocka_unit_test(a_lower_count_slows_down_at_once),
		cmocka_unit_test(the_count_of_all_principals_binds_too),
		cmocka_unit_test(a_count_says_nothing_of_calls_that_it_has_not_seen),
		cmocka_unit_test(a_higher_count_is_believed_as_far_as_it_goes),
		cmocka_unit_test(a_429_freezes_its_bucket_for_exactly_its_time),
		cmocka_unit_test(a_429_without_counts_freezes_the_subscription),
		cmocka_unit_test(a_429_of_the_provider_freezes_the_provider),
		cmocka_unit_test(a_429_freezes_the_bucket_whose_count_is_lowest),
		cmocka_unit_test(a_day_long_freeze_is_kept),
		cmocka_unit_test(a_providers_policy_is_learnt_from_its_count),
		cmocka_unit_test(counts_that_replace_the_subscriptions_are_a_policy),
		cmocka_unit_test(invented_policies_are_not_collected_without_end),
		cmocka_unit_test(hostile_counts_do_no_harm),
		cmocka_unit_test(graph_counts_last_until_their_window_ends),
		cmocka_unit_test(graph_waits_for_its_reset_after_a_429_without_a_time),
		cmocka_unit_test(writes_in_flight_adapt_where_no_limit_is_published),
		cmocka_unit_test(without_load_the_limit_does_not_grow),
		cmocka_unit_test(reads_and_other_providers_are_not_held_in_lanes),
		cmocka_unit_test(plans_of_a_subscription_are_written_one_at_a_time),
		cmocka_unit_test(another_configuration_keeps_levels_and_freezes),
		cmocka_unit_test(the_report_names_levels_and_freezes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("governor", tests, NULL, NULL);
}
