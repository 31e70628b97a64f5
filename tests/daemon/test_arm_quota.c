/* SPDX-License-Identifier: Apache-2.0 */
/* The ARM client under quota: who waits, for how long, and who goes first. */
#include "lib/azure/graph_query.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/arm_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MACHINE \
	"/subscriptions/" SUB_A "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m"
#define SIGNED \
	"/subscriptions/" SUB_A "/providers/Microsoft.HybridCompute/locations/westeurope/" \
	"operationstatus/1?api-version=2025-01-13&t=1&c=2&s=signature-secret&h=3"

static void a_throttled_call_ends_and_its_bucket_waits(void **state)
{
	struct fixture f;
	struct outcome first, second, other;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f,
		&(struct fake_answer){.url_part = "/WDATP?",
			.status = 429,
			.headers = {"Retry-After: 20", REMAINING "subscription-writes: 0"}});
	answers(&f, &(struct fake_answer){.always = true, .status = 200, .body = "{}"});
	send_put(&f, "WDATP", &first);
	pass(&f, DUR_S(1));
	assert_int_equal(first.result.error.class, ARM_ERROR_THROTTLED);
	assert_int_equal(first.result.retry_after.ms, 20000);
	send_put(&f, "WDATP_UNIFIED_SOLUTION", &second);
	send_get(&f, SUB_A, &other);
	pass(&f, DUR_S(18));
	assert_int_equal(other.times, 1);
	assert_int_equal(second.times, 0);
	pass(&f, DUR_S(3));
	assert_int_equal(second.times, 1);
	assert_int_equal(second.result.error.class, ARM_ERROR_NONE);
	fixture_fini(&f);
}

static void a_call_does_not_wait_for_what_is_too_far(void **state)
{
	struct fixture f;
	struct outcome first, second;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f,
		&(struct fake_answer){.status = 429,
			.headers = {"Retry-After: 7200", REMAINING "subscription-writes: 0"}});
	send_put(&f, "WDATP", &first);
	pass(&f, DUR_S(1));
	send_put(&f, "WDATP", &second);
	pass(&f, DUR_S(1));
	assert_int_equal(second.times, 1);
	assert_int_equal(second.result.error.class, ARM_ERROR_THROTTLED);
	assert_int_equal(second.result.error.status, 0);
	assert_in_range(second.result.retry_after.ms, 7190000, 7200000);
	assert_int_equal(arm_requests(&f), 1);
	fixture_fini(&f);
}

static void writes_have_less_patience_than_reads(void **state)
{
	struct fixture f;
	struct outcome read[6], write[6];

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	/* Four go out to a bucket that nothing is known of, and never come back. */
	answers(&f, &(struct fake_answer){.always = true, .hangs = true});
	for (unsigned i = 0; i < 6; i++) {
		send_get(&f, SUB_A, &read[i]);
		send_put(&f, "WDATP", &write[i]);
	}
	pass(&f, DUR_S(119));
	assert_int_equal(arm_requests(&f), 8);
	assert_int_equal(write[5].times, 0);
	pass(&f, DUR_S(3));
	assert_int_equal(write[4].times + write[5].times, 2);
	assert_int_equal(write[5].result.error.class, ARM_ERROR_THROTTLED);
	assert_true(write[5].result.retry_after.ms > 0);
	assert_int_equal(read[5].times, 0);
	pass(&f, DUR_MIN(9));
	assert_int_equal(read[5].result.error.class, ARM_ERROR_THROTTLED);
	assert_int_equal(read[0].times, 0);
	fixture_fini(&f);
}

static void plans_of_one_subscription_are_written_one_after_the_other(void **state)
{
	struct fixture f;
	struct outcome o[3];

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f,
		&(struct fake_answer){
			.always = true, .status = 200, .body = "{}", .delay = DUR_S(9)});
	for (unsigned i = 0; i < 3; i++) {
		struct arm_request r;

		arm_put_pricing(i < 2 ? SUB_A : SUB_B, json_pack("{s:{}}", "properties"), &r);
		send_request(&f, &r, ARM_URGENT, &o[i]);
	}
	pass(&f, DUR_S(30));
	assert_true(o[0].times == 1 && o[1].times == 1 && o[2].times == 1);
	assert_true(mono_since(o[1].at, o[0].at).ms >= 9000);
	assert_int_equal(o[2].at.ms, o[0].at.ms);
	fixture_fini(&f);
}

static void urgent_calls_overtake(void **state)
{
	struct fixture f;
	struct outcome o[40];
	struct outcome urgent;
	struct arm_request r;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f,
		&(struct fake_answer){
			.always = true, .status = 200, .body = "{}", .delay = DUR_MS(100)});
	for (unsigned i = 0; i < 40; i++) {
		arm_list_settings(SUB_A, &r);
		send_request(&f, &r, ARM_IDLE, &o[i]);
	}
	arm_get_setting(SUB_A, "WDATP", &r);
	send_request(&f, &r, ARM_URGENT, &urgent);
	pass(&f, DUR_S(5));
	assert_int_equal(o[39].times, 1);
	assert_true(urgent.at.ms <= o[1].at.ms);
	fixture_fini(&f);
}

static void the_wire_has_room_for_so_many_and_some_for_urgent_ones(void **state)
{
	struct fixture f;
	struct outcome o[30][4], urgent[20];
	struct arm_request r;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.always = true, .hangs = true});
	for (unsigned s = 0; s < 30; s++)
		for (unsigned i = 0; i < 4; i++) {
			char subscription[GUID_TEXT_SIZE];

			snprintf(subscription, sizeof(subscription),
				"aaaaaaaa-0000-0000-0000-%012u", s);
			send_get(&f, subscription, &o[s][i]);
		}
	pass(&f, DUR_S(1));
	assert_int_equal(arm_requests(&f), 56);
	for (unsigned i = 0; i < 20; i++) {
		char subscription[GUID_TEXT_SIZE];

		snprintf(subscription, sizeof(subscription), "bbbbbbbb-0000-0000-0000-%012u", i);
		arm_get_setting(subscription, "WDATP", &r);
		send_request(&f, &r, ARM_URGENT, &urgent[i]);
	}
	pass(&f, DUR_S(1));
	assert_int_equal(arm_requests(&f), 64);
	fixture_fini(&f);
}

static void subscriptions_share_what_graph_gives(void **state)
{
	struct fixture f;
	struct outcome o[60];

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.always = true, .status = 200, .body = "{}"});
	for (unsigned i = 0; i < 60; i++) {
		struct arm_request r;

		graph_request(&(struct graph_question){.table = GRAPH_SUBSCRIPTIONS}, &r);
		send_request(&f, &r, ARM_NORMAL, &o[i]);
	}
	pass(&f, DUR_S(5));
	/* 15 at once less the reserve, and three a second. */
	assert_in_range(arm_requests(&f), 26, 30);
	pass(&f, DUR_S(15));
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(o[i].times, 1);
	fixture_fini(&f);
}

static void a_throttled_poll_is_its_providers_affair(void **state)
{
	struct fixture f;
	struct outcome o = {.fixture = &f};

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f,
		&(struct fake_answer){.status = 429,
			.headers = {"Retry-After: 60", "x-ms-failure-cause: service"}});
	answers(&f, &(struct fake_answer){.always = true, .status = 200, .body = "{}"});
	send_poll(&f, SMALL_ARM SIGNED, &o);
	pass(&f, DUR_S(1));
	assert_int_equal(o.result.error.class, ARM_ERROR_THROTTLED);
	/* Microsoft.Security is read all the same. */
	assert_int_equal(got(&f).result.error.class, ARM_ERROR_NONE);
	fixture_fini(&f);
}

static void clouds_have_models_and_quotas_of_their_own(void **state)
{
	struct fixture f;
	struct outcome o = {.fixture = &f};
	struct arm_request r;
	json_t *report, *row;
	bool china = false;
	size_t i;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.always = true, .status = 200, .body = "{}"});
	got(&f);
	arm_put_setting(SUB_A, "WDATP", true, &r);
	arm_client_call(f.client, "east", &r, ARM_URGENT, NULL, ended, &o);
	pass(&f, DUR_S(1));
	assert_non_null(strstr(arm_request_at(&f, 1)->request.url, "chinacloudapi.cn"));
	report = arm_client_report(f.client);
	json_array_foreach (json_object_get(report, "quotas"), i, row)
		if (str_equal(json_string_value(json_object_get(row, "cloud")), "china") &&
			str_equal(
				json_string_value(json_object_get(row, "scope")), "subscription")) {
			china = true;
			assert_true(json_number_value(json_object_get(row, "size")) == 1200);
		}
	assert_true(china);
	json_decref(report);
	fixture_fini(&f);
}

static void a_long_wait_for_quota_ends_with_a_token_that_is_good(void **state)
{
	struct fixture f;
	struct outcome o, waits;

	(void)state;
	fixture_init(&f);
	answers(&f,
		&(struct fake_answer){.url_part = "/oauth2/",
			.status = 200,
			.body = "{\"access_token\":\"tok-old\",\"expires_in\":120}"});
	answers_token(&f, "tok-new", true);
	answers(&f,
		&(struct fake_answer){.status = 429,
			.headers = {"Retry-After: 300", REMAINING "subscription-reads: 0"}});
	answers(&f, &(struct fake_answer){.always = true, .status = 200, .body = "{}"});
	o = got(&f);
	assert_int_equal(o.result.error.class, ARM_ERROR_THROTTLED);
	send_get(&f, SUB_A, &waits);
	pass(&f, DUR_S(310));
	assert_int_equal(waits.result.error.class, ARM_ERROR_NONE);
	assert_string_equal(arm_header(&f, 1, "Authorization"), "Bearer tok-new");
	fixture_fini(&f);
}

/* ARM's write bucket of one subscription, and a provider behind it that takes its time. */
struct service {
	double level;
	struct mono updated;
	unsigned accepted, refused;
	char count[64];
};

static void serve(
	void *ctx, const struct http_request *request, struct mono now, struct fake_answer *ret)
{
	struct service *s = ctx;
	double gained = 10.0 * (double)mono_since(now, s->updated).ms / 1000;

	(void)request;
	s->level = s->level + gained < 200 ? s->level + gained : 200;
	s->updated = now;
	ret->delay = DUR_MS(600);
	if (s->level < 1) {
		s->refused++;
		ret->status = 429;
		ret->headers[1] = "Retry-After: 1";
	} else {
		s->accepted++;
		s->level -= 1;
		ret->status = 202;
	}
	snprintf(s->count, sizeof(s->count), REMAINING "subscription-writes: %d", (int)s->level);
	ret->headers[0] = s->count;
}

/* Sends the next one whenever one ended, as the executor does with so many in flight. */
struct campaign {
	struct fixture *fixture;
	unsigned left;
	struct mono last;
};

static void send_next(struct campaign *c);
static void one_done(void *ctx, struct arm_result *result)
{
	struct campaign *c = ctx;

	assert_int_equal(result->error.class, ARM_ERROR_NONE);
	c->last = loop_mono(c->fixture->fake.world.loop);
	send_next(c);
}

static void send_next(struct campaign *c)
{
	struct arm_request r;

	if (c->left == 0)
		return;
	c->left--;
	arm_put_mde_extension(MACHINE, "westeurope", false, false, "package", NULL, &r);
	arm_client_call(c->fixture->client, "main", &r, ARM_URGENT, NULL, one_done, c);
}

static void a_thousand_writes_take_what_the_bucket_allows(void **state)
{
	struct fixture f;
	struct service service = {.level = 200};
	struct campaign campaign = {.fixture = &f, .left = 1000};
	struct mono start;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	service.updated = start = loop_mono(f.fake.world.loop);
	fake_transport_serve(net(&f), serve, &service);
	for (unsigned i = 0; i < 200; i++)
		send_next(&campaign);
	pass(&f, DUR_MIN(3));
	assert_int_equal(service.accepted, 1000);
	assert_int_equal(service.refused, 0);
	/* (1000 - 200) / 10, and one in twenty on top. */
	assert_true(mono_since(campaign.last, start).ms <= 84000);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_throttled_call_ends_and_its_bucket_waits),
		cmocka_unit_test(a_call_does_not_wait_for_what_is_too_far),
		cmocka_unit_test(writes_have_less_patience_than_reads),
		cmocka_unit_test(plans_of_one_subscription_are_written_one_after_the_other),
		cmocka_unit_test(urgent_calls_overtake),
		cmocka_unit_test(the_wire_has_room_for_so_many_and_some_for_urgent_ones),
		cmocka_unit_test(subscriptions_share_what_graph_gives),
		cmocka_unit_test(a_throttled_poll_is_its_providers_affair),
		cmocka_unit_test(clouds_have_models_and_quotas_of_their_own),
		cmocka_unit_test(a_long_wait_for_quota_ends_with_a_token_that_is_good),
		cmocka_unit_test(a_thousand_writes_take_what_the_bucket_allows),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("arm_quota", tests, NULL, NULL);
}
