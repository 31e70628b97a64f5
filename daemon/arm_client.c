/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/arm_client_parts.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* Calls on the wire at once; the last few only for what is urgent. */
#define WIRE_MOST 64
#define WIRE_MOST_NORMAL 56

struct identity *arm_client_identity(struct arm_client *c, const char *name)
{
	return map_get(&c->identities, name);
}

static enum quota_model model_of(const struct cloud_config *cloud)
{
	switch (cloud->quota) {
	case CLOUD_QUOTA_BUCKETS: return QUOTA_BUCKETS;
	case CLOUD_QUOTA_BUCKETS_AND_TENANT: return QUOTA_BUCKETS_AND_TENANT;
	case CLOUD_QUOTA_HOURLY: return QUOTA_HOURLY;
	}
	return QUOTA_BUCKETS;
}

static void governor_drop(void *governor)
{
	governor_free(governor);
}

struct quota_call arm_client_quota(const struct identity *id, const char *subscription,
	const char *provider, enum arm_quota quota)
{
	const struct identity_config *config = &id->config;

	return (struct quota_call){
		.tenant = config->tenant != NULL ? config->tenant : "",
		.principal = !str_empty(config->client) ? config->client : config->name,
		.subscription = subscription,
		.provider = provider,
		.quota = quota,
	};
}

struct governor *arm_client_governor(struct arm_client *c, const struct cloud_config *cloud)
{
	struct governor *g = map_get(&c->governors, cloud->name);
	struct quota_settings settings;

	if (g != NULL)
		return g;
	quota_settings_for(model_of(cloud), &settings);
	g = governor_new(&settings);
	map_set(&c->governors, cloud->name, g);
	return g;
}

void arm_client_dispatch_at(struct arm_client *c, struct mono due)
{
	if (!mono_before(due, c->dispatch_due))
		return;
	c->dispatch_due = due;
	c->world->loop->ops->timer_arm(c->dispatching, due);
}

static void begin_fresh(struct arm_client *c)
{
	struct list batch;

	/* What is added from within waits for the next turn. */
	list_init(&batch);
	while (!list_is_empty(&c->fresh)) {
		struct list *node = c->fresh.next;

		list_remove(node);
		list_append(&batch, node);
	}
	while (!list_is_empty(&batch))
		arm_call_begin(list_entry(batch.next, struct arm_call, link));
}

static void send_admitted(struct arm_client *c, struct mono now)
{
	while (c->on_wire < WIRE_MOST) {
		enum call_class lowest =
			c->on_wire < WIRE_MOST_NORMAL ? CALL_CLASS_IDLE : CALL_CLASS_URGENT;
		struct mono again;
		struct queued_call *next = call_queue_take(c->queue, lowest, now, &again);

		if (next == NULL) {
			arm_client_dispatch_at(c, again);
			return;
		}
		arm_call_admitted(container_of(next, struct arm_call, queued));
	}
}

static void dispatch(void *ctx)
{
	struct arm_client *c = ctx;
	struct mono now = loop_mono(c->world->loop);
	struct queued_call *tired;
	struct dur wait;

	MDC_MAGIC_CHECK(c, ARM_CLIENT_MAGIC);
	c->dispatch_due = MONO_NEVER;
	begin_fresh(c);
	send_admitted(c, now);
	while ((tired = call_queue_give_up(c->queue, now, &wait)) != NULL)
		arm_call_gives_up(container_of(tired, struct arm_call, queued), wait);
	arm_client_dispatch_at(c, call_queue_expiry(c->queue));
}

struct arm_client *arm_client_new(const struct world *w)
{
	struct arm_client *c = xcalloc(1, sizeof(*c));

	c->magic = ARM_CLIENT_MAGIC;
	c->world = w;
	c->credentials = credentials_new(w);
	c->queue = call_queue_new();
	identity_map_init(&c->identities);
	map_init(&c->governors, governor_drop);
	list_init(&c->fresh);
	list_init(&c->begun);
	c->dispatching = loop_timer_new(w->loop, dispatch, c);
	c->dispatch_due = MONO_NEVER;
	return c;
}

struct arm_client *arm_client_free(struct arm_client *c)
{
	if (c == NULL)
		return NULL;
	while (!list_is_empty(&c->fresh))
		arm_call_free(list_entry(c->fresh.next, struct arm_call, link));
	while (!list_is_empty(&c->begun))
		arm_call_free(list_entry(c->begun.next, struct arm_call, link));
	c->credentials = credentials_free(c->credentials);
	c->queue = call_queue_free(c->queue);
	map_fini(&c->governors);
	map_fini(&c->identities);
	c->dispatching = c->world->loop->ops->timer_free(c->dispatching);
	c->magic = 0;
	free(c);
	return NULL;
}

static void configure_governors(struct arm_client *c, const struct config *config)
{
	for (size_t i = 0; i < config->cloud_count; i++) {
		struct governor *g = map_get(&c->governors, config->clouds[i].name);
		struct quota_settings settings;

		if (g == NULL)
			continue;
		quota_settings_for(model_of(&config->clouds[i]), &settings);
		governor_configure(g, &settings, loop_mono(c->world->loop));
	}
}

void arm_client_configure(struct arm_client *c, const struct config *config)
{
	identity_map_configure(&c->identities, config);
	credentials_configure(c->credentials, config);
	configure_governors(c, config);
	list_for_each (&c->begun, node) {
		struct arm_call *call = list_entry(node, struct arm_call, link);

		if (call->transfer == NULL &&
			arm_client_identity(c, call->identity_name) != call->identity)
			arm_call_restart(call);
	}
}

static struct arm_call *add_call(struct arm_client *c, const char *identity,
	enum arm_priority priority, arm_done_fn done, void *ctx)
{
	struct arm_call *call = xcalloc(1, sizeof(*call));

	call->magic = ARM_CALL_MAGIC;
	call->client = c;
	call->identity_name = xstrdup(identity);
	call->priority = priority;
	call->done = done;
	call->ctx = ctx;
	random_guid(c->world->random, call->correlation_id);
	list_append(&c->fresh, &call->link);
	arm_client_dispatch_at(c, loop_mono(c->world->loop));
	return call;
}

struct arm_call *arm_client_call(struct arm_client *c, const char *identity,
	struct arm_request *take_request, enum arm_priority priority, const char *correlation_id,
	arm_done_fn done, void *ctx)
{
	struct arm_call *call = add_call(c, identity, priority, done, ctx);

	call->request = *take_request;
	*take_request = (struct arm_request){0};
	if (str_is_guid(correlation_id))
		str_copy(call->correlation_id, sizeof(call->correlation_id), correlation_id);
	return call;
}

struct arm_call *arm_client_write(struct arm_client *c, const char *identity,
	struct arm_request *take_request, const char *correlation_id, arm_last_look_fn last_look,
	arm_done_fn done, void *ctx)
{
	struct arm_call *call =
		arm_client_call(c, identity, take_request, ARM_URGENT, correlation_id, done, ctx);

	call->last_look = last_look;
	return call;
}

struct dur arm_client_write_wait(
	struct arm_client *c, const char *identity, const char *subscription)
{
	const struct identity *id = arm_client_identity(c, identity);
	struct mono now = loop_mono(c->world->loop), ready;
	struct quota_call quota;

	if (id == NULL)
		return DUR_MS(0);
	quota = arm_client_quota(id, subscription, "", ARM_QUOTA_WRITE);
	ready = governor_forecast(arm_client_governor(c, &id->cloud), &quota, now);
	/* MONO_NEVER: not before a call comes back, which is soon. */
	if (ready.ms == MONO_NEVER.ms || !mono_before(now, ready))
		return DUR_MS(0);
	return mono_since(ready, now);
}

struct arm_call *arm_client_poll(struct arm_client *c, const char *identity,
	const char *subscription, const char *url, arm_done_fn done, void *ctx)
{
	struct arm_call *call = add_call(c, identity, ARM_IDLE, done, ctx);

	call->request = (struct arm_request){
		.method = "GET", .quota = ARM_QUOTA_READ, .provider = "", .secret_reply = true};
	str_copy(call->request.subscription, sizeof(call->request.subscription), subscription);
	call->operation_url = xstrdup(url);
	return call;
}

void arm_client_cancel(struct arm_client *c, struct arm_call *call)
{
	assert(call->client == c);
	arm_call_free(call);
}

bool arm_call_is_unsent(const struct arm_call *call)
{
	return !call->sent;
}

bool arm_client_object_id(
	const struct arm_client *c, const char *identity, char ret[static OBJECT_ID_SIZE])
{
	return credentials_object_id(c->credentials, identity, ret);
}

void arm_client_counts(const struct arm_client *c, struct arm_client_counts *ret)
{
	*ret = c->counts;
	ret->token_requests = credentials_requests(c->credentials);
}
