/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/estate_knobs.h"

#include "tests/estate/estate_document.h"
#include "tests/estate/estate_reader.h"

#include <stdio.h>

#define SPAN(a, b) ((struct span){a, b})

static void default_limits(struct knobs *k)
{
	k->throttling.model = THROTTLE_BUCKET;
	k->throttling.headers = true;
	k->throttling.reads = k->throttling.tenant_reads = (struct bucket_size){250, 25};
	k->throttling.writes = k->throttling.tenant_writes = (struct bucket_size){200, 10};
	k->throttling.deletes = k->throttling.tenant_deletes = (struct bucket_size){200, 10};
	k->throttling.global_factor = 15;
	k->throttling.hourly_reads = 12000;
	k->throttling.hourly_writes = 1200;
	k->throttling.hourly_deletes = 15000;
	k->throttling.retry_after = DUR_S(5);
	k->throttling.graph_queries = 15;
	k->throttling.graph_window = DUR_S(5);
}

static void default_operations(struct knobs *k)
{
	k->operations.shape = SHAPE_ASYNC;
	k->operations.create = SPAN(DUR_S(130), DUR_MIN(5));
	k->operations.update = SPAN(DUR_MIN(1), DUR_MIN(4));
	k->operations.remove = SPAN(DUR_MIN(2), DUR_MIN(5));
	k->operations.hide_creation = true;
	k->operations.queue_limit = DUR_H(6);
	k->operations.retry_needs_change = true;
}

void knobs_default(struct knobs *k)
{
	*k = (struct knobs){0};
	k->latency.read = SPAN(DUR_MS(60), DUR_MS(250));
	k->latency.write = SPAN(DUR_MS(150), DUR_MS(900));
	k->latency.token = SPAN(DUR_MS(80), DUR_MS(300));
	k->latency.graph = SPAN(DUR_MS(150), DUR_MS(700));
	default_limits(k);
	default_operations(k);
	k->paging.subscriptions = 1000;
	k->paging.machines = 200;
	k->paging.extensions = 100;
	k->paging.others = 200;
	k->plan.write = SPAN(DUR_S(5), DUR_S(9));
	k->plan.owner_needed = true;
	k->deployer.on = true;
	k->deployer.first = SPAN(DUR_MIN(30), DUR_H(12));
	k->deployer.later = SPAN(DUR_MIN(5), DUR_H(1));
	k->deployer.busy_wait = DUR_MIN(10);
	k->heartbeat.up = SPAN(DUR_H(4), DUR_DAYS(3));
	k->heartbeat.down = SPAN(DUR_MIN(20), DUR_H(8));
	k->heartbeat.expiry = DUR_DAYS(45);
	k->graph.lag = SPAN(DUR_S(2), DUR_S(30));
	k->graph.payload_limit = 16777216;
	k->graph.group_limit = 500;
	k->graph.subscription_limit = 1000;
	k->activity.delay = SPAN(DUR_MIN(3), DUR_MIN(20));
	k->providers.registration = SPAN(DUR_S(30), DUR_MIN(4));
	k->tokens.life = DUR_S(3600);
	k->tokens.refuse_replay = true;
	k->tokens.arc_selects = true;
	k->devices.lag = SPAN(DUR_H(1), DUR_H(26));
	k->devices.id_share = 1000000;
	k->devices.page_limit = 10000;
	k->devices.per_minute = 100;
	k->devices.per_hour = 1500;
	k->ledger.read_within = DUR_MIN(10);
}

#define AT(member) offsetof(struct knobs, member)

static const char *const casings[] = {"canonical", "odd", NULL};
static const char *const models[] = {"off", "bucket", "bucket-and-tenant", "hourly", NULL};
static const char *const shapes[] = {"async", "location", "body", "bare", NULL};

static const struct field latency_fields[] = {
	{"read", FIELD_SPAN, AT(latency.read)},
	{"write", FIELD_SPAN, AT(latency.write)},
	{"token", FIELD_SPAN, AT(latency.token)},
	{"graph", FIELD_SPAN, AT(latency.graph)},
};
static const struct field throttling_fields[] = {
	{"model", FIELD_WORD, AT(throttling.model), .words = models},
	{"headers", FIELD_BOOL, AT(throttling.headers)},
	{"reads", FIELD_BUCKET, AT(throttling.reads)},
	{"writes", FIELD_BUCKET, AT(throttling.writes)},
	{"deletes", FIELD_BUCKET, AT(throttling.deletes)},
	{"tenantReads", FIELD_BUCKET, AT(throttling.tenant_reads)},
	{"tenantWrites", FIELD_BUCKET, AT(throttling.tenant_writes)},
	{"tenantDeletes", FIELD_BUCKET, AT(throttling.tenant_deletes)},
	{"globalFactor", FIELD_COUNT, AT(throttling.global_factor)},
	{"hourlyReads", FIELD_COUNT, AT(throttling.hourly_reads)},
	{"hourlyWrites", FIELD_COUNT, AT(throttling.hourly_writes)},
	{"hourlyDeletes", FIELD_COUNT, AT(throttling.hourly_deletes)},
	{"retryAfter", FIELD_DURATION, AT(throttling.retry_after)},
	{"graphQueries", FIELD_COUNT, AT(throttling.graph_queries)},
	{"graphWindow", FIELD_DURATION, AT(throttling.graph_window)},
	{"graphDrainsTenant", FIELD_BOOL, AT(throttling.graph_drains_tenant)},
	{"hybridReads", FIELD_BUCKET, AT(throttling.hybrid_reads)},
	{"hybridWrites", FIELD_BUCKET, AT(throttling.hybrid_writes)},
	{"securityReads", FIELD_BUCKET, AT(throttling.security_reads)},
	{"securityWrites", FIELD_BUCKET, AT(throttling.security_writes)},
};
static const struct field paging_fields[] = {
	{"subscriptions", FIELD_COUNT, AT(paging.subscriptions)},
	{"machines", FIELD_COUNT, AT(paging.machines)},
	{"extensions", FIELD_COUNT, AT(paging.extensions)},
	{"others", FIELD_COUNT, AT(paging.others)},
	{"emptyEvery", FIELD_COUNT, AT(paging.empty_every)},
};
static const struct field operations_fields[] = {
	{"shape", FIELD_WORD, AT(operations.shape), .words = shapes},
	{"create", FIELD_SPAN, AT(operations.create)},
	{"update", FIELD_SPAN, AT(operations.update)},
	{"delete", FIELD_SPAN, AT(operations.remove)},
	{"retryAfter", FIELD_DURATION, AT(operations.retry_after)},
	{"hideCreation", FIELD_BOOL, AT(operations.hide_creation)},
	{"movingLocation", FIELD_BOOL, AT(operations.moving_location)},
	{"urlLife", FIELD_DURATION, AT(operations.url_life)},
	{"lost", FIELD_SHARE, AT(operations.lost_share)},
	{"endless", FIELD_SHARE, AT(operations.endless_share)},
	{"queueLimit", FIELD_DURATION, AT(operations.queue_limit)},
	{"retryNeedsChange", FIELD_BOOL, AT(operations.retry_needs_change)},
};
static const struct field plan_fields[] = {
	{"write", FIELD_SPAN, AT(plan.write)},
	{"ownerNeeded", FIELD_BOOL, AT(plan.owner_needed)},
};
static const struct field deployer_fields[] = {
	{"on", FIELD_BOOL, AT(deployer.on)},
	{"first", FIELD_SPAN, AT(deployer.first)},
	{"later", FIELD_SPAN, AT(deployer.later)},
	{"busyWait", FIELD_DURATION, AT(deployer.busy_wait)},
	{"unreached", FIELD_SHARE, AT(deployer.unreached_share)},
};
static const struct field heartbeat_fields[] = {
	{"flapping", FIELD_SHARE, AT(heartbeat.flap_share)},
	{"up", FIELD_SPAN, AT(heartbeat.up)},
	{"down", FIELD_SPAN, AT(heartbeat.down)},
	{"expiry", FIELD_DURATION, AT(heartbeat.expiry)},
};
static const struct field graph_fields[] = {
	{"lag", FIELD_SPAN, AT(graph.lag)},
	{"payloadLimit", FIELD_SIZE, AT(graph.payload_limit)},
	{"groupLimit", FIELD_COUNT, AT(graph.group_limit)},
	{"subscriptionLimit", FIELD_COUNT, AT(graph.subscription_limit)},
};
static const struct field activity_fields[] = {{"delay", FIELD_SPAN, AT(activity.delay)}};
static const struct field provider_fields[] = {
	{"registration", FIELD_SPAN, AT(providers.registration)}};
static const struct field token_fields[] = {
	{"life", FIELD_DURATION, AT(tokens.life)},
	{"refuseReplay", FIELD_BOOL, AT(tokens.refuse_replay)},
	{"arcSelects", FIELD_BOOL, AT(tokens.arc_selects)},
};
static const struct field device_fields[] = {
	{"lag", FIELD_SPAN, AT(devices.lag)},
	{"resourceIds", FIELD_SHARE, AT(devices.id_share)},
	{"pageLimit", FIELD_COUNT, AT(devices.page_limit)},
	{"perMinute", FIELD_COUNT, AT(devices.per_minute)},
	{"perHour", FIELD_COUNT, AT(devices.per_hour)},
};
static const struct field ledger_fields[] = {
	{"readWithin", FIELD_DURATION, AT(ledger.read_within)}};

#define GROUP(name, fields) \
	{ \
		name, fields, ARRAY_LEN(fields) \
	}
static const struct {
	const char *name;
	const struct field *fields;
	size_t count;
} groups[] = {
	GROUP("latency", latency_fields),
	GROUP("throttling", throttling_fields),
	GROUP("paging", paging_fields),
	GROUP("operations", operations_fields),
	GROUP("plan", plan_fields),
	GROUP("deployer", deployer_fields),
	GROUP("heartbeat", heartbeat_fields),
	GROUP("graph", graph_fields),
	GROUP("activity", activity_fields),
	GROUP("providers", provider_fields),
	GROUP("tokens", token_fields),
	GROUP("devices", device_fields),
	GROUP("ledger", ledger_fields),
};

/* Where reader_object() leaves the groups' own objects. */
struct behaviour {
	int casing;
	const json_t *groups[ARRAY_LEN(groups)];
};

static void check_sizes(const struct reader *r, const char *path, const struct knobs *k)
{
	if (k->paging.subscriptions == 0 || k->paging.machines == 0 || k->paging.extensions == 0 ||
		k->paging.others == 0 || k->paging.empty_every == 1)
		reader_error(
			r, path, "a page must hold at least 1, and not every page can be empty");
}

void knobs_read(const struct reader *r, const char *path, const json_t *object, struct knobs *ret)
{
	struct behaviour b = {.casing = ret->odd_casing};
	struct field fields[ARRAY_LEN(groups) + 1] = {
		{"casing", FIELD_WORD, offsetof(struct behaviour, casing), .words = casings}};

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		fields[i + 1] = (struct field){groups[i].name, FIELD_OBJECT,
			offsetof(struct behaviour, groups) + i * sizeof(b.groups[0])};
	reader_struct(r, path, object, fields, &b);
	ret->odd_casing = b.casing == 1;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		char member[100];

		snprintf(member, sizeof(member), "%.60s.%s", path, groups[i].name);
		if (b.groups[i] != NULL)
			reader_object(
				r, member, b.groups[i], groups[i].fields, groups[i].count, ret);
	}
	check_sizes(r, path, ret);
}
