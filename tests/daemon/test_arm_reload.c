/* SPDX-License-Identifier: Apache-2.0 */
/* The ARM client when calls are withdrawn or another configuration comes. */
#include "tests/harness/arm_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void unknown_identities_end_later_and_not_at_once(void **state)
{
	struct fixture f;
	struct outcome o = {.fixture = &f};
	struct arm_request r;

	(void)state;
	fixture_init(&f);
	arm_get_pricing(SUB_A, &r);
	arm_client_call(f.client, "nobody", &r, ARM_NORMAL, NULL, ended, &o);
	assert_int_equal(o.times, 0);
	pass(&f, DUR_S(1));
	assert_int_equal(o.times, 1);
	assert_int_equal(o.result.error.class, ARM_ERROR_IDENTITY);
	fixture_fini(&f);
}

static void a_reload_ends_what_waits_for_a_vanished_identity(void **state)
{
	struct fixture f;
	struct outcome wire[4], queued, asking;
	struct arm_request r;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", false);
	answers(&f,
		&(struct fake_answer){.url_part = SMALL_ARM,
			.always = true,
			.status = 200,
			.body = "{}",
			.delay = DUR_S(5)});
	for (unsigned i = 0; i < 4; i++)
		send_get(&f, SUB_A, &wire[i]);
	send_get(&f, SUB_A, &queued);
	pass(&f, DUR_S(1));
	answers(&f, &(struct fake_answer){.url_part = "/oauth2/", .hangs = true});
	arm_get_pricing(SUB_A, &r);
	asking = (struct outcome){.fixture = &f};
	arm_client_call(f.client, "east", &r, ARM_NORMAL, NULL, ended, &asking);
	pass(&f, DUR_S(1));
	f.small.config.identity_count = 0;
	configure(&f);
	assert_int_equal(queued.times + asking.times, 0);
	pass(&f, DUR_S(1));
	assert_int_equal(queued.result.error.class, ARM_ERROR_IDENTITY);
	assert_int_equal(asking.result.error.class, ARM_ERROR_IDENTITY);
	pass(&f, DUR_S(5));
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(wire[i].times, 1);
		assert_int_equal(wire[i].result.error.class, ARM_ERROR_NONE);
		assert_string_equal(wire[i].result.arm_origin, SMALL_ARM);
	}
	fixture_fini(&f);
}

static void a_reload_moves_what_waits_to_the_new_identity(void **state)
{
	struct fixture f;
	struct outcome wire[4], queued;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", false);
	answers_token(&f, "tok-2", false);
	answers(&f,
		&(struct fake_answer){
			.always = true, .status = 200, .body = "{}", .delay = DUR_S(5)});
	for (unsigned i = 0; i < 4; i++)
		send_get(&f, SUB_A, &wire[i]);
	send_get(&f, SUB_A, &queued);
	pass(&f, DUR_S(1));
	f.small.clouds[0].resource_manager = (char *)"https://management.usgovcloudapi.net";
	configure(&f);
	pass(&f, DUR_S(10));
	assert_int_equal(queued.result.error.class, ARM_ERROR_NONE);
	assert_string_equal(arm_header(&f, 4, "Authorization"), "Bearer tok-2");
	assert_non_null(strstr(arm_request_at(&f, 4)->request.url, "usgovcloudapi.net"));
	assert_string_equal(queued.result.arm_origin, "https://management.usgovcloudapi.net");
	fixture_fini(&f);
}

static void a_reload_does_not_send_a_new_token_to_an_old_place(void **state)
{
	struct fixture f;
	struct outcome o;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", false);
	answers_token(&f, "tok-2", true);
	answers(&f, &(struct fake_answer){.always = true, .status = 401, .delay = DUR_S(2)});
	send_get(&f, SUB_A, &o);
	pass(&f, DUR_S(1));
	f.small.clouds[0].resource_manager = (char *)"https://management.usgovcloudapi.net";
	configure(&f);
	pass(&f, DUR_S(5));
	assert_int_equal(o.times, 1);
	assert_int_equal(o.result.error.class, ARM_ERROR_IDENTITY);
	assert_int_equal(arm_requests(&f), 1);
	fixture_fini(&f);
}

/* At each moment of its life. */
static void a_cancelled_call_never_ends_and_frees_its_quota(void **state)
{
	static const struct dur moments[] = {{0}, {10}, {25}, {100}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		struct fixture f;
		struct outcome o[4], later;
		struct arm_call *calls[4];

		fixture_init(&f);
		answers_token(&f, "tok-1", true);
		for (unsigned k = 0; k < 4; k++)
			answers(&f, &(struct fake_answer){.url_part = SMALL_ARM, .hangs = true});
		for (unsigned k = 0; k < 4; k++)
			calls[k] = send_get(&f, SUB_A, &o[k]);
		pass(&f, moments[i]);
		assert_int_equal(arm_call_is_unsent(calls[0]), arm_requests(&f) == 0);
		for (unsigned k = 0; k < 4; k++)
			arm_client_cancel(f.client, calls[k]);
		fake_transport_clear(net(&f));
		answers_token(&f, "tok-1", true);
		answers(&f, &(struct fake_answer){.always = true, .status = 200, .body = "{}"});
		send_get(&f, SUB_A, &later);
		pass(&f, DUR_S(1));
		assert_int_equal(o[0].times + o[3].times, 0);
		assert_int_equal(later.times, 1);
		fixture_fini(&f);
	}
}

static struct arm_call *victim;

static void cancel_another(void *ctx, struct arm_result *result)
{
	struct outcome *o = ctx;

	ended(ctx, result);
	arm_client_cancel(o->fixture->client, victim);
}

static void a_call_may_be_cancelled_from_the_end_of_another(void **state)
{
	struct fixture f;
	struct outcome first = {.fixture = &f}, second;
	struct arm_request r;

	(void)state;
	fixture_init(&f);
	arm_get_pricing(SUB_A, &r);
	arm_client_call(f.client, "nobody", &r, ARM_NORMAL, NULL, cancel_another, &first);
	victim = send_get(&f, SUB_A, &second);
	pass(&f, DUR_S(1));
	assert_int_equal(first.times, 1);
	assert_int_equal(second.times, 0);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_identities_end_later_and_not_at_once),
		cmocka_unit_test(a_reload_ends_what_waits_for_a_vanished_identity),
		cmocka_unit_test(a_reload_moves_what_waits_to_the_new_identity),
		cmocka_unit_test(a_reload_does_not_send_a_new_token_to_an_old_place),
		cmocka_unit_test(a_cancelled_call_never_ends_and_frees_its_quota),
		cmocka_unit_test(a_call_may_be_cancelled_from_the_end_of_another),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("arm_reload", tests, NULL, NULL);
}
