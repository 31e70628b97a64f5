/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ARM client among random answers, breaks, withdrawals and reloads: every call ends exactly
 * once, nothing stays counted as in flight, and the same seed gives the same run.
 */
#include "lib/base/rng.h"
#include "tests/harness/arm_fixture.h"

#include <stdio.h>

#define CALLS 1500

struct sent {
	struct chaos *chaos;
	struct arm_call *call; /* NULL: it ended or was withdrawn */
	unsigned ended;
};

struct chaos {
	struct fixture f;
	struct rng rng;
	struct sent sent[CALLS];
	unsigned count;
	char header[96];
	uint64_t trace;
};

static uint64_t below(struct chaos *c, uint64_t bound)
{
	return rng_below(&c->rng, bound);
}

static void serve_token(struct chaos *c, struct fake_answer *ret)
{
	if (below(c, 5) == 0) {
		ret->status = below(c, 2) == 0 ? 401 : 503;
		ret->body = "{\"error\":\"invalid_client\"}";
	} else {
		ret->body = below(c, 2) == 0 ? "{\"access_token\":\"tok-1\",\"expires_in\":3600}"
					     : "{\"access_token\":\"tok-2\",\"expires_in\":30}";
	}
}

static void serve_arm(struct chaos *c, struct fake_answer *ret)
{
	static const int statuses[] = {200, 200, 200, 202, 401, 403, 404, 409, 429, 500, 503};

	ret->status = statuses[below(c, ARRAY_LEN(statuses))];
	ret->body = "{\"error\":{\"code\":\"Whatever\"}}";
	snprintf(c->header, sizeof(c->header), REMAINING "%s: %u",
		below(c, 2) == 0 ? "subscription-reads" : "tenant-writes", (unsigned)below(c, 300));
	ret->headers[0] = c->header;
	if (ret->status == 429)
		ret->headers[1] = below(c, 8) == 0 ? "Retry-After: 900" : "Retry-After: 2";
	if (below(c, 6) == 0) {
		ret->result = TRANSPORT_RESOLVE + (int)below(c, TRANSPORT_CANCELED);
		ret->status = below(c, 2) == 0 ? 0 : ret->status;
	}
}

static void serve(
	void *ctx, const struct http_request *request, struct mono now, struct fake_answer *ret)
{
	struct chaos *c = ctx;

	ret->delay = DUR_MS((int64_t)below(c, 3000));
	if (strstr(request->url, "/oauth2/") != NULL)
		serve_token(c, ret);
	else
		serve_arm(c, ret);
	c->trace = c->trace * 31 + (uint64_t)now.ms * 7 + (uint64_t)ret->status;
}

static void withdraw_one(struct chaos *c)
{
	struct sent *s = c->count > 0 ? &c->sent[below(c, c->count)] : NULL;

	if (s == NULL || s->call == NULL)
		return;
	arm_client_cancel(c->f.client, s->call);
	s->call = NULL;
}

static void send_one(struct chaos *c);

static void call_ended(void *ctx, struct arm_result *result)
{
	struct sent *s = ctx;
	struct chaos *c = s->chaos;

	assert_non_null(s->call);
	assert_true((result->reply != NULL) >= (result->error.class == ARM_ERROR_NONE));
	s->call = NULL;
	s->ended++;
	c->trace = c->trace * 31 + (uint64_t)result->error.class;
	/* Whatever a caller may do from here. */
	if (below(c, 4) == 0)
		withdraw_one(c);
	if (below(c, 4) == 0)
		send_one(c);
}

static void build(struct chaos *c, const char *subscription, struct arm_request *ret)
{
	switch (below(c, 4)) {
	case 0: arm_get_pricing(subscription, ret); break;
	case 1: arm_put_setting(subscription, "WDATP", true, ret); break;
	case 2: arm_put_pricing(subscription, json_pack("{}"), ret); break;
	default: arm_list_subscriptions(ret); break;
	}
}

static void send_one(struct chaos *c)
{
	static const char *const subscriptions[] = {SUB_A, SUB_B};
	static const char *const identities[] = {"main", "main", "east", "nobody"};
	const char *subscription = subscriptions[below(c, 2)];
	const char *identity = identities[below(c, 4)];
	struct arm_request r;
	struct sent *s;

	if (c->count == CALLS)
		return;
	s = &c->sent[c->count++];
	s->chaos = c;
	if (below(c, 5) == 0) {
		s->call = arm_client_poll(c->f.client, identity, subscription,
			SMALL_ARM "/subscriptions/" SUB_A "/providers/P.Q/x?s=signature-secret",
			call_ended, s);
		return;
	}
	build(c, subscription, &r);
	s->call = arm_client_call(
		c->f.client, identity, &r, (enum arm_priority)below(c, 3), NULL, call_ended, s);
}

static void reload(struct chaos *c)
{
	c->f.small.config.identity_count = 1 + below(c, 2);
	if (below(c, 2) == 0)
		c->f.small.identities[0].client = (char *)(below(c, 2) == 0 ? SMALL_CLIENT : SUB_B);
	configure(&c->f);
}

static void act(struct chaos *c)
{
	uint64_t what = below(c, 100);

	if (what < 70)
		send_one(c);
	else if (what < 80)
		withdraw_one(c);
	else if (what < 82)
		reload(c);
	else
		pass(&c->f, DUR_MS((int64_t)below(c, 2000)));
}

static void check_at_rest(struct chaos *c)
{
	json_t *report = arm_client_report(c->f.client);
	json_t *row;
	size_t i;

	for (unsigned k = 0; k < c->count; k++) {
		assert_null(c->sent[k].call);
		assert_true(c->sent[k].ended <= 1);
	}
	json_array_foreach (json_object_get(report, "quotas"), i, row)
		assert_int_equal(json_integer_value(json_object_get(row, "in_flight")), 0);
	row = json_object_get(report, "calls");
	assert_int_equal(json_integer_value(json_object_get(row, "waiting")), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "running")), 0);
	assert_int_equal(net(&c->f)->ops->running(net(&c->f)), 0);
	json_decref(report);
}

static uint64_t run(uint64_t seed, bool to_the_end)
{
	static struct chaos c;

	c = (struct chaos){0};
	rng_seed(&c.rng, seed);
	fixture_init(&c.f);
	fake_transport_serve(net(&c.f), serve, &c);
	while (c.count < CALLS)
		act(&c);
	if (to_the_end) {
		pass(&c.f, DUR_H(2));
		check_at_rest(&c);
	}
	fixture_fini(&c.f);
	return c.trace;
}

static void every_call_ends_once(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		print_message("# seed %u\n", (unsigned)seed);
		run(seed, true);
	}
}

static void it_can_be_freed_in_the_middle(void **state)
{
	(void)state;
	for (uint64_t seed = 101; seed <= 104; seed++) {
		print_message("# seed %u\n", (unsigned)seed);
		run(seed, false);
	}
}

static void the_same_seed_gives_the_same_run(void **state)
{
	(void)state;
	assert_true(run(7, true) == run(7, true));
	assert_true(run(7, true) != run(8, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_ends_once),
		cmocka_unit_test(it_can_be_freed_in_the_middle),
		cmocka_unit_test(the_same_seed_gives_the_same_run),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("arm_chaos", tests, NULL, NULL);
}
