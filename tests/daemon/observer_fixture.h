/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observer_fixture: an observer over a fake Azure, and what it told. For test files only: all of it
 * is static.
 */
#ifndef MDC_TEST_OBSERVER_FIXTURE_H
#define MDC_TEST_OBSERVER_FIXTURE_H

#include "daemon/observer.h"
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/operation.h"
#include "lib/model/scope.h"
#include "tests/harness/fake_azure.h"
#include "tests/harness/fake_world.h"
#include "tests/harness/small_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UNUSED __attribute__((unused))
#define SUB_A "aaaaaaaa-0000-4000-8000-000000000001"
#define SUB_B "bbbbbbbb-0000-4000-8000-000000000002"
#define SUB_C "cccccccc-0000-4000-8000-000000000003"
#define OTHER_CLIENT "33333333-3333-3333-3333-333333333333"
#define OTHER_TENANT "44444444-4444-4444-4444-444444444444"
#define SCOPES 4

struct fixture {
	struct fake_world fake;
	struct small_config small;
	struct scope_config scopes[SCOPES];
	struct policy_config policy;
	struct fake_azure *azure;
	struct arm_client *client;
	struct inventory *inv;
	struct observer *observer;
	/* What was told. */
	struct map machines; /* name -> how often */
	struct map subscriptions;
	struct map gone;
	unsigned listed, passes[PASS_KIND_N_];
	struct pass_report report; /* of the last pass */
	unsigned judging;          /* turns that judging still takes */
	unsigned turns;            /* of run_turns() */
	const struct subscription *watched[8];
	size_t watched_count;
};

static void count_in(struct map *m, const char *key)
{
	map_set(m, key, (void *)((uintptr_t)map_get(m, key) + 1));
}

UNUSED static unsigned times(const struct map *m, const char *key)
{
	return (unsigned)(uintptr_t)map_get(m, key);
}

static void on_listed(void *ctx)
{
	struct fixture *f = ctx;

	f->listed++;
	scope_resolve(&f->small.config, f->inv);
}

static void on_subscription(void *ctx, struct subscription *s)
{
	count_in(&((struct fixture *)ctx)->subscriptions, s->id);
}

static void on_machine(void *ctx, struct machine *m)
{
	m->unjudged = false;
	count_in(&((struct fixture *)ctx)->machines, m->name);
}

static void on_gone(void *ctx, struct machine *m)
{
	count_in(&((struct fixture *)ctx)->gone, m->name);
}

static bool on_judging(void *ctx)
{
	struct fixture *f = ctx;

	return f->judging > 0 && f->judging-- > 0;
}

static void on_pass_ended(void *ctx, const struct pass_report *report)
{
	struct fixture *f = ctx;

	f->passes[report->kind]++;
	f->report = *report;
}

static size_t on_watched(void *ctx, const struct subscription **ret, size_t room)
{
	struct fixture *f = ctx;
	size_t n = f->watched_count < room ? f->watched_count : room;

	for (size_t i = 0; i < n; i++)
		ret[i] = f->watched[i];
	return n;
}

static struct observer_ports ports_of(struct fixture *f)
{
	return (struct observer_ports){.ctx = f,
		.subscriptions_listed = on_listed,
		.subscription_seen = on_subscription,
		.machine_seen = on_machine,
		.machine_gone = on_gone,
		.judging = on_judging,
		.pass_ended = on_pass_ended,
		.watched = on_watched};
}

/* One identity, one scope over everything. */
static void fixture_init_with(struct fixture *f, const struct observer_ports *ports)
{
	*f = (struct fixture){0};
	fake_world_init(&f->fake, 5);
	small_config_init(&f->small);
	memory_files_put(f->fake.world.secrets, SMALL_SECRET_FILE, "the-secret");
	f->policy.name = (char *)"policy";
	for (unsigned i = 0; i < SCOPES; i++)
		f->scopes[i] = (struct scope_config){.name = (char *)"scope",
			.identity = &f->small.identities[0],
			.policy = &f->policy};
	f->scopes[0].everything = true;
	f->small.identities[1].cloud = &f->small.clouds[0];
	f->small.identities[1].client = (char *)OTHER_CLIENT;
	f->small.config.identity_count = 1;
	f->small.config.scopes = f->scopes;
	f->small.config.scope_count = 1;
	map_init(&f->machines, NULL);
	map_init(&f->subscriptions, NULL);
	map_init(&f->gone, NULL);
	f->azure = fake_azure_new(f->fake.world.transport);
	f->client = arm_client_new(&f->fake.world);
	arm_client_configure(f->client, &f->small.config);
	f->inv = inventory_new();
	f->observer = observer_new(&f->fake.world, f->client, f->inv, ports);
	observer_configure(f->observer, &f->small.config);
}

UNUSED static void fixture_init(struct fixture *f)
{
	struct observer_ports ports = ports_of(f);

	fixture_init_with(f, &ports);
}

static void fixture_fini(struct fixture *f)
{
	observer_free(f->observer);
	arm_client_free(f->client);
	inventory_free(f->inv);
	fake_world_fini(&f->fake);
	fake_azure_free(f->azure);
	map_fini(&f->machines);
	map_fini(&f->subscriptions);
	map_fini(&f->gone);
}

UNUSED static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	fixture_init(f);
	*state = f;
	return 0;
}

UNUSED static int teardown(void **state)
{
	fixture_fini(*state);
	free(*state);
	return 0;
}

UNUSED static void run(struct fixture *f, struct dur time)
{
	loop_virtual_run_for(f->fake.world.loop, time);
}

static void count_turn(void *ctx)
{
	struct fixture *f = ctx;
	struct loop *loop = f->fake.world.loop;

	if (f->turns-- > 0)
		loop->ops->defer(loop, count_turn, f);
	else
		loop->ops->stop(loop);
}

/* Turns of the loop in which no time passes: for calls without latency. */
UNUSED static void run_turns(struct fixture *f, unsigned count)
{
	struct loop *loop = f->fake.world.loop;

	f->turns = count;
	loop->ops->defer(loop, count_turn, f);
	loop_virtual_settle(loop);
}

/* As the daemon does on a reload. */
UNUSED static void reconfigure(struct fixture *f)
{
	arm_client_configure(f->client, &f->small.config);
	observer_configure(f->observer, &f->small.config);
	scope_resolve(&f->small.config, f->inv);
}

UNUSED static void forget_told(struct fixture *f)
{
	map_clear(&f->machines);
	map_clear(&f->subscriptions);
	map_clear(&f->gone);
	fake_azure_forget_calls(f->azure);
}

/* One pass from its beginning to its end. */
UNUSED static struct pass_report pass(struct fixture *f, enum pass_kind kind)
{
	unsigned before = f->passes[kind];

	forget_told(f);
	observer_pass(f->observer, kind);
	assert_true(observer_is_busy(f->observer));
	for (unsigned i = 0; f->passes[kind] == before && i < 5000; i++)
		run(f, DUR_S(1));
	assert_int_equal(f->passes[kind], before + 1);
	return f->report;
}

/* Both, and nothing went wrong. */
UNUSED static void pass_both(struct fixture *f)
{
	struct pass_report r = pass(f, PASS_SUBSCRIPTIONS);

	if (r.problems != 0)
		fail_msg("%s", r.first_problem);
	r = pass(f, PASS_MACHINES);
	if (r.problems != 0)
		fail_msg("%s", r.first_problem);
}

UNUSED static struct machine *machine(struct fixture *f, const char *subscription, const char *name)
{
	mdc_autofree char *id = xasprintf("/subscriptions/%s/resourceGroups/rg/providers/"
					  "Microsoft.HybridCompute/machines/%s",
		subscription, name);

	return inventory_machine(f->inv, id);
}

/* "m000" … */
UNUSED static void add_machines(
	struct fixture *f, const char *subscription, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "m%03u", i);
		fake_azure_machine(f->azure, subscription, name);
	}
}

UNUSED static void set_property(json_t *document, const char *name, json_t *take_value)
{
	json_object_set_new(json_object_get(document, "properties"), name, take_value);
}

/* What spoils the answers of one kind of call. */
struct spoiler {
	enum azure_call call;
	unsigned from, to; /* the n-th such call, counted from 1; to 0: all after */
	int status;        /* 0: as it was */
	const char *body;  /* with `status`, or instead of the body */
	void (*change)(struct spoiler *s, json_t *body);
	unsigned argument;
	unsigned hits;
};

static void spoil(void *ctx, struct fake_azure *a, enum azure_call call,
	const struct http_request *request, struct azure_reply *reply)
{
	struct spoiler *s = ctx;

	(void)request;
	if (call != s->call || a->calls[call] < s->from || (s->to > 0 && a->calls[call] > s->to))
		return;
	s->hits++;
	if (s->status != 0)
		reply->status = s->status;
	if (s->body != NULL || s->status != 0)
		reply->raw = xstrdup(s->body != NULL ? s->body : "");
	else if (s->change != NULL)
		s->change(s, reply->body);
}

UNUSED static void spoil_with(struct fixture *f, struct spoiler *s)
{
	f->azure->hook = s != NULL ? spoil : NULL;
	f->azure->hook_ctx = s;
}

/* 40 machines with extensions, all known; m000 and its extension then leave. */
UNUSED static void prepare_forty(struct fixture *f)
{
	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, 40);
	for (unsigned i = 0; i < 40; i++) {
		char name[8];

		snprintf(name, sizeof(name), "m%03u", i);
		fake_azure_extension(f->azure, SUB_A, name, "MDE.Linux", "Succeeded");
	}
	pass_both(f);
	fake_azure_remove(f->azure, SUB_A, "m000");
	fake_azure_remove(f->azure, SUB_A, "m001/extensions/MDE.Linux");
}

/* The rows of `argument` machines are not there, and the envelope does not tell. */
UNUSED static void lose_rows(struct spoiler *s, json_t *body)
{
	json_t *data = json_object_get(body, "data");

	for (unsigned i = 0; i < s->argument; i++)
		json_array_remove(data, 0);
	json_object_set_new(body, "count", json_integer((json_int_t)json_array_size(data)));
	json_object_set_new(body, "totalRecords", json_integer((json_int_t)json_array_size(data)));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
