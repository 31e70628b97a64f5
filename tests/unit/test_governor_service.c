/* SPDX-License-Identifier: Apache-2.0 */
/* The governor against a service that counts by itself: nothing refused, nothing left unused. */
#include "lib/base/heap.h"
#include "lib/base/rng.h"
#include "lib/base/xalloc.h"
#include "lib/engine/governor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define REMAINING "x-ms-ratelimit-remaining-"

enum { SUBSCRIPTIONS = 4, IN_FLIGHT_MOST = 64 };

/*
 * A service with buckets of its own, which it reports as ARM does, behind a slow network. The
 * client sends whatever the governor admits.
 */
struct service {
	enum quota_model model;
	double size, refill;
	double level[SUBSCRIPTIONS]; /* per subscription */
	double tenant;
	struct mono updated;
	struct mono window;       /* where the present one began */
	struct dur window_length; /* 0: a bucket */
	unsigned accepted[SUBSCRIPTIONS], refused;
};

struct request {
	struct heap_node node;
	struct quota_call call;
	struct quota_ticket ticket;
	unsigned subscription;
	bool arrived;
	int status;
	double left, tenant_left;
	struct dur resets_after;
	struct dur way_back;
};

struct world {
	struct governor *governor;
	struct service service;
	struct rng rng;
	struct heap events;
	struct mono now;
	enum arm_quota op;
	unsigned in_flight;
	struct dur pace; /* how often the client looks */
	uint64_t trace;  /* digest of all that happened */
};

static const char *const subscriptions[] = {"sub-a", "sub-b", "sub-c", "sub-d"};

static double capped(double value, double most)
{
	return value < most ? value : most;
}

static void service_moves(struct service *s, struct mono now)
{
	double gained = s->refill * (double)mono_since(now, s->updated).ms / 1000;

	while (s->window_length.ms > 0 && mono_since(now, s->window).ms >= s->window_length.ms) {
		s->window = mono_add(s->window, s->window_length);
		gained = s->size;
	}
	for (unsigned i = 0; i < ARRAY_LEN(s->level); i++)
		s->level[i] = capped(s->level[i] + gained, s->size);
	s->tenant = capped(s->tenant + gained, s->size);
	s->updated = now;
}

static void service_takes(struct service *s, struct request *r, struct mono now)
{
	bool tenant = s->model == QUOTA_BUCKETS_AND_TENANT;

	service_moves(s, now);
	if (s->level[r->subscription] < 1 || (tenant && s->tenant < 1)) {
		r->status = 429;
		s->refused++;
	} else {
		r->status = 200;
		s->accepted[r->subscription]++;
		s->level[r->subscription] -= 1;
		s->tenant -= tenant ? 1 : 0;
	}
	r->left = s->level[r->subscription];
	r->tenant_left = s->tenant;
	r->resets_after = mono_since(mono_add(s->window, s->window_length), now);
}

static struct dur way(struct world *w)
{
	return DUR_MS((int64_t)(10 + rng_below(&w->rng, 400)));
}

static void send_one(struct world *w, unsigned subscription)
{
	struct request *r = xcalloc(1, sizeof(*r));

	r->call = (struct quota_call){.tenant = "tenant",
		.principal = "mdcd",
		.subscription = w->op == ARM_QUOTA_GRAPH ? "" : subscriptions[subscription],
		.provider = "Microsoft.Compute",
		.quota = w->op};
	r->subscription = w->op == ARM_QUOTA_GRAPH ? 0 : subscription;
	if (w->in_flight >= IN_FLIGHT_MOST ||
		mono_before(w->now, governor_admit(w->governor, &r->call, w->now, &r->ticket))) {
		free(r);
		return;
	}
	w->in_flight++;
	w->trace = w->trace * 31 + (uint64_t)w->now.ms * 7 + subscription;
	r->way_back = way(w);
	heap_put(&w->events, &r->node, mono_add(w->now, way(w)).ms);
}

static void counts_of(const struct world *w, const struct request *r, struct http_headers *ret)
{
	mdc_autofree char *left = xasprintf("%d", (int)r->left);
	mdc_autofree char *tenant = xasprintf("%d", (int)r->tenant_left);
	mdc_autofree char *resets =
		xasprintf("00:00:%02d", (int)((r->resets_after.ms + 999) / 1000));

	if (w->op == ARM_QUOTA_GRAPH) {
		http_headers_add(ret, "x-ms-user-quota-remaining", left);
		http_headers_add(ret, "x-ms-user-quota-resets-after", resets);
		return;
	}
	http_headers_add(ret, REMAINING "subscription-writes", left);
	if (w->service.model == QUOTA_BUCKETS_AND_TENANT)
		http_headers_add(ret, REMAINING "tenant-writes", tenant);
}

static void receive(struct world *w, struct request *r)
{
	struct http_headers headers = {0};
	struct quota_answer a = {.status = r->status, .headers = &headers};

	counts_of(w, r, &headers);
	if (r->status == 429)
		a.retry_after = DUR_S(1);
	w->in_flight--;
	w->trace = w->trace * 31 + (uint64_t)r->status;
	governor_answered(w->governor, &r->call, &r->ticket, &a, w->now);
	http_headers_fini(&headers);
	free(r);
}

static void happen(struct world *w, struct request *r)
{
	heap_remove(&w->events, &r->node);
	if (r->arrived) {
		receive(w, r);
		return;
	}
	r->arrived = true;
	service_takes(&w->service, r, w->now);
	heap_put(&w->events, &r->node, mono_add(w->now, r->way_back).ms);
}

static void run_for(struct world *w, struct dur length)
{
	struct mono end = mono_add(w->now, length);

	for (; mono_before(w->now, end); w->now = mono_add(w->now, w->pace)) {
		while (heap_first(&w->events) != NULL && heap_first(&w->events)->due <= w->now.ms)
			happen(w, container_of(heap_first(&w->events), struct request, node));
		for (unsigned n = 0; n < 4 * SUBSCRIPTIONS; n++)
			send_one(w, n % SUBSCRIPTIONS);
	}
}

static void world_init(struct world *w, enum quota_model believed, enum quota_model real,
	struct quota_rate rate, uint64_t seed)
{
	struct quota_settings s;

	*w = (struct world){.pace = DUR_MS(50), .op = ARM_QUOTA_WRITE};
	quota_settings_for(believed, &s);
	w->governor = governor_new(&s);
	w->service = (struct service){
		.model = real, .size = rate.size, .refill = rate.refill, .tenant = rate.size};
	for (unsigned i = 0; i < ARRAY_LEN(w->service.level); i++)
		w->service.level[i] = rate.size;
	rng_seed(&w->rng, seed);
	heap_init(&w->events);
}

static void world_fini(struct world *w)
{
	while (heap_first(&w->events) != NULL) {
		struct request *r = container_of(heap_first(&w->events), struct request, node);

		heap_remove(&w->events, &r->node);
		free(r);
	}
	heap_fini(&w->events);
	governor_free(w->governor);
}

static unsigned accepted(const struct world *w)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < SUBSCRIPTIONS; i++)
		sum += w->service.accepted[i];
	return sum;
}

static void each_model_is_used_up_without_a_refusal(void **state)
{
	static const struct {
		enum quota_model model;
		struct quota_rate rate;
		struct dur length;
		double possible; /* calls that the service would have accepted in that time */
	} rows[] = {
		{QUOTA_BUCKETS, {200, 10}, {600000}, 4 * (200 + 10 * 600.0)},
		{QUOTA_BUCKETS_AND_TENANT, {200, 10}, {600000}, 200 + 10 * 600.0},
		{QUOTA_HOURLY, {1200, 0}, {3600000}, 4 * 1200.0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (uint64_t seed = 1; seed <= 3; seed++) {
			struct world w;

			print_message("# model %zu, seed %u\n", i, (unsigned)seed);
			world_init(&w, rows[i].model, rows[i].model, rows[i].rate, seed);
			if (rows[i].model == QUOTA_HOURLY) {
				w.pace = DUR_MS(400);
				w.service.window_length = DUR_H(1);
			}
			run_for(&w, rows[i].length);
			assert_int_equal(w.service.refused, 0);
			assert_true(accepted(&w) >= 0.95 * rows[i].possible);
			world_fini(&w);
		}
}

static void smaller_buckets_than_documented_are_found_out(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct world w;

		print_message("# seed %u\n", (unsigned)seed);
		world_init(&w, QUOTA_BUCKETS, QUOTA_BUCKETS, (struct quota_rate){60, 4}, seed);
		run_for(&w, DUR_MIN(10));
		assert_true(w.service.refused <= 0.005 * accepted(&w));
		assert_true(accepted(&w) >= 0.9 * 4 * (60 + 4 * 600));
		world_fini(&w);
	}
}

static void a_tenants_bucket_that_nobody_expected_is_found_out(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, QUOTA_BUCKETS, QUOTA_BUCKETS_AND_TENANT, (struct quota_rate){200, 10}, 5);
	run_for(&w, DUR_MIN(10));
	assert_true(w.service.refused <= 8);
	assert_true(accepted(&w) >= 0.95 * (200 + 10 * 600));
	world_fini(&w);
}

static void windows_of_resource_graph_are_used_without_a_refusal(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct world w;

		print_message("# seed %u\n", (unsigned)seed);
		world_init(&w, QUOTA_BUCKETS, QUOTA_BUCKETS, (struct quota_rate){15, 0}, seed);
		w.op = ARM_QUOTA_GRAPH;
		w.service.window_length = DUR_S(5);
		/* Somewhere within the service's window. */
		w.now.ms = (int64_t)rng_below(&w.rng, 5000);
		run_for(&w, DUR_MIN(5));
		assert_true(w.service.refused <= 1);
		assert_true(accepted(&w) >= 0.85 * 15 * 60);
		world_fini(&w);
	}
}

static void nothing_depends_on_anything_but_its_input(void **state)
{
	uint64_t traces[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world w;

		world_init(&w, QUOTA_BUCKETS, QUOTA_BUCKETS_AND_TENANT, (struct quota_rate){100, 7},
			42);
		run_for(&w, DUR_MIN(3));
		traces[i] = w.trace;
		world_fini(&w);
	}
	assert_true(traces[0] == traces[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_model_is_used_up_without_a_refusal),
		cmocka_unit_test(smaller_buckets_than_documented_are_found_out),
		cmocka_unit_test(a_tenants_bucket_that_nobody_expected_is_found_out),
		cmocka_unit_test(windows_of_resource_graph_are_used_without_a_refusal),
		cmocka_unit_test(nothing_depends_on_anything_but_its_input),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("governor_service", tests, NULL, NULL);
}
