/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request limits, in the three models that documents describe, those of resource providers where a
 * document sets them, and Resource Graph's own quota.
 *
 * A request that comes before its Retry-After is over is refused again, and the wait begins anew,
 * if its sender could know: not so for what was sent before the first refusal arrived.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"

#include <stdio.h>
#include <string.h>

enum op_class { OP_READS, OP_WRITES, OP_DELETES, OP_CLASS_N_ };
static const char *const op_names[] = {"reads", "writes", "deletes"};

struct bucket {
	int64_t level; /* thousandths of a request; requests used in the hourly model */
	struct wall filled_at;
	struct wall closed_until;
	struct wall told_at; /* when the first refusal of this closing arrives */
};

struct throttle {
	struct map buckets; /* "scope op" -> struct bucket */
};

struct throttle *throttle_new(void)
{
	struct throttle *t = xcalloc(1, sizeof(*t));

	map_init(&t->buckets, free);
	return t;
}

struct throttle *throttle_free(struct throttle *t)
{
	if (t != NULL)
		map_fini(&t->buckets);
	free(t);
	return NULL;
}

static enum op_class class_of(const char *method)
{
	if (str_equal(method, "GET") || str_equal(method, "HEAD"))
		return OP_READS;
	return str_equal(method, "DELETE") ? OP_DELETES : OP_WRITES;
}

/* One limit that applies to the call. */
struct limit {
	struct bucket *bucket;
	struct bucket_size size;
	char header[64]; /* x-ms-ratelimit-remaining-…; "" for none */
	const char *code;
	const char *cause;
};

#define LIMITS_MAX 6
struct limits {
	struct limit v[LIMITS_MAX];
	size_t n;
};

static struct bucket *bucket_for(struct call *c, const char *key, struct bucket_size size)
{
	struct map *all = &c->e->throttle->buckets;
	struct bucket *b = map_get(all, key);

	if (b == NULL) {
		b = xmalloc(sizeof(*b));
		*b = (struct bucket){.level = (int64_t)size.size * 1000, .filled_at = c->now};
		map_set(all, key, b);
	}
	return b;
}

static void refill(struct bucket *b, struct bucket_size size, struct wall now)
{
	int64_t full = (int64_t)size.size * 1000;

	/* refill per second = thousandths per millisecond */
	b->level += (now.ms - b->filled_at.ms) * size.refill;
	if (b->level > full)
		b->level = full;
	b->filled_at = now;
}

static void add_limit(struct call *c, struct limits *all, const char *key, struct bucket_size size,
	const char *header)
{
	struct limit *l = &all->v[all->n++];

	assert(all->n <= LIMITS_MAX);
	*l = (struct limit){.bucket = bucket_for(c, key, size),
		.size = size,
		.code = "SubscriptionRequestsThrottled",
		.cause = "gateway"};
	str_copy(l->header, sizeof(l->header), header);
	refill(l->bucket, size, c->now);
}

static void subscription_id(const struct call *c, char ret[static GUID_SIZE])
{
	static const char prefix[] = "/subscriptions/";

	ret[0] = '\0';
	if (str_starts_nocase(c->path, prefix))
		str_copy(ret, GUID_SIZE, c->path + strlen(prefix));
}

static struct bucket_size own_size(const struct knobs *k, enum op_class op, bool tenant)
{
	const struct bucket_size sizes[2][OP_CLASS_N_] = {
		{k->throttling.reads, k->throttling.writes, k->throttling.deletes},
		{k->throttling.tenant_reads, k->throttling.tenant_writes,
			k->throttling.tenant_deletes},
	};

	return sizes[tenant][op];
}

static void add_tenant_limit(struct call *c, struct limits *all, enum op_class op, bool shown)
{
	char key[128], header[64];

	snprintf(key, sizeof(key), "tenant %s %s", c->who->client, op_names[op]);
	snprintf(header, sizeof(header), "x-ms-ratelimit-remaining-tenant-%s", op_names[op]);
	add_limit(c, all, key, own_size(&c->e->knobs, op, true), shown ? header : "");
	all->v[all->n - 1].code = "TenantRequestsThrottled";
}

static void add_subscription_limits(
	struct call *c, struct limits *all, const char *sub, enum op_class op)
{
	const struct knobs *k = &c->e->knobs;
	struct bucket_size size = own_size(k, op, false);
	char key[128], header[64];

	snprintf(key, sizeof(key), "%s %s %s", sub, c->who->client, op_names[op]);
	snprintf(header, sizeof(header), "x-ms-ratelimit-remaining-subscription-%s", op_names[op]);
	add_limit(c, all, key, size, header);
	if (k->throttling.global_factor > 0) {
		size.size *= k->throttling.global_factor;
		size.refill *= k->throttling.global_factor;
		snprintf(key, sizeof(key), "%s global %s", sub, op_names[op]);
		snprintf(header, sizeof(header), "x-ms-ratelimit-remaining-subscription-global-%s",
			op_names[op]);
		add_limit(c, all, key, size, header);
	}
	if (k->throttling.model == THROTTLE_BUCKET_AND_TENANT)
		add_tenant_limit(c, all, op, false);
}

/* Limits of a resource provider: none are published, so they exist only where a document sets. */
static void add_provider_limit(
	struct call *c, struct limits *all, const char *sub, enum op_class op)
{
	const struct knobs *k = &c->e->knobs;
	const char *provider = c->route != NULL ? c->route->api->provider : "";
	struct bucket_size size = {0};
	char key[128];

	if (str_equal(provider, HYBRID_NAMESPACE))
		size = op == OP_READS ? k->throttling.hybrid_reads : k->throttling.hybrid_writes;
	else if (str_equal(provider, SECURITY_NAMESPACE))
		size = op == OP_READS ? k->throttling.security_reads
				      : k->throttling.security_writes;
	if (size.size == 0)
		return;
	snprintf(key, sizeof(key), "%s %s %d", sub, provider, op == OP_READS);
	add_limit(c, all, key, size, "x-ms-ratelimit-remaining-subscription-resource-requests");
	all->v[all->n - 1].code = "TooManyRequests";
	all->v[all->n - 1].cause = "service";
}

static void refuse(struct call *c, const char *code, const char *cause, struct dur wait)
{
	int64_t seconds = (wait.ms + 999) / 1000;
	char sub[GUID_SIZE];

	subscription_id(c, sub);
	answer_header(c, "Retry-After", "%lld", (long long)seconds);
	answer_header(c, "x-ms-failure-cause", "%s", cause);
	answer_error(c, 429, code,
		"Number of requests for %s '%s' and operation '%s%s' exceeded the backend storage "
		"limit. Please try again after '%lld' seconds.",
		sub[0] != '\0' ? "subscription" : "tenant",
		sub[0] != '\0' ? sub : c->who->tenant->id, c->request->method, c->path,
		(long long)seconds);
}

/* Closed buckets first: coming too early is what costs. */
static bool refuse_if_closed(struct call *c, struct limit *l)
{
	struct dur wait = c->e->knobs.throttling.retry_after;

	if (wall_before(c->now, l->bucket->closed_until)) {
		c->early = wall_before(l->bucket->told_at, c->now);
		if (c->early)
			l->bucket->closed_until = wall_add(c->now, wait);
		wait = wall_since(l->bucket->closed_until, c->now);
	} else if (l->bucket->level < 1000) {
		l->bucket->closed_until = wall_add(c->now, wait);
		l->bucket->told_at = wall_add(c->now, c->answer->delay);
	} else {
		return false;
	}
	refuse(c, l->code, l->cause, wait);
	return true;
}

static bool pass_buckets(struct call *c, struct limits *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (refuse_if_closed(c, &all->v[i]))
			return false;
	for (size_t i = 0; i < all->n; i++) {
		struct limit *l = &all->v[i];

		l->bucket->level -= 1000;
		if (c->e->knobs.throttling.headers && l->header[0] != '\0')
			answer_header(c, l->header, "%lld", (long long)(l->bucket->level / 1000));
	}
	return true;
}

/* So many in an hour from the first request on; then a wait until that hour is over. */
static bool pass_hourly(struct call *c, const char *sub, enum op_class op)
{
	const struct knobs *k = &c->e->knobs;
	const unsigned most[] = {k->throttling.hourly_reads, k->throttling.hourly_writes,
		k->throttling.hourly_deletes};
	struct bucket *b;
	char key[128], header[64];

	snprintf(key, sizeof(key), "hourly %s %s %s", sub, c->who->client, op_names[op]);
	b = bucket_for(c, key, (struct bucket_size){0});
	if (c->now.ms - b->filled_at.ms >= DUR_H(1).ms) {
		b->filled_at = c->now;
		b->level = 0;
	}
	if (b->level >= most[op]) {
		struct wall end = wall_add(b->filled_at, DUR_H(1));

		if (!wall_before(c->now, b->closed_until))
			b->told_at = wall_add(c->now, c->answer->delay);
		c->early = wall_before(c->now, b->closed_until) && wall_before(b->told_at, c->now);
		b->closed_until = end;
		refuse(c,
			sub[0] != '\0' ? "SubscriptionRequestsThrottled"
				       : "TenantRequestsThrottled",
			"gateway", wall_since(end, c->now));
		return false;
	}
	b->level++;
	snprintf(header, sizeof(header), "x-ms-ratelimit-remaining-%s-%s",
		sub[0] != '\0' ? "subscription" : "tenant", op_names[op]);
	if (k->throttling.headers)
		answer_header(c, header, "%lld", (long long)(most[op] - b->level));
	return true;
}

bool throttle_admit(struct call *c)
{
	const struct knobs *k = &c->e->knobs;
	enum op_class op = class_of(c->request->method);
	struct limits all = {0};
	char sub[GUID_SIZE];

	/* Resource Graph has a quota of its own. */
	if (k->throttling.model == THROTTLE_OFF ||
		(c->route != NULL && c->route->api->owner == API_GRAPH &&
			!k->throttling.graph_drains_tenant))
		return true;
	subscription_id(c, sub);
	if (k->throttling.model == THROTTLE_HOURLY)
		return pass_hourly(c, sub, op);
	if (sub[0] != '\0')
		add_subscription_limits(c, &all, sub, op);
	else
		add_tenant_limit(c, &all, op, true);
	add_provider_limit(c, &all, sub, op);
	return pass_buckets(c, &all);
}

static void format_wait(struct dur d, char ret[static 12])
{
	int64_t s = (d.ms + 999) / 1000;

	snprintf(ret, 12, "%02u:%02u:%02u", (unsigned)(s / 3600 % 100), (unsigned)(s / 60 % 60),
		(unsigned)(s % 60));
}

bool throttle_admit_graph(struct call *c)
{
	const struct knobs *k = &c->e->knobs;
	struct bucket *b;
	char key[128], wait[12];
	bool over;

	if (k->throttling.model == THROTTLE_OFF)
		return true;
	snprintf(key, sizeof(key), "graph %s", c->who->client);
	b = bucket_for(c, key, (struct bucket_size){0});
	if (c->now.ms - b->filled_at.ms >= k->throttling.graph_window.ms) {
		b->filled_at = c->now;
		b->level = 0;
	}
	over = b->level >= k->throttling.graph_queries;
	c->early = over && b->level++ > k->throttling.graph_queries;
	if (!over)
		b->level++;
	format_wait(wall_since(wall_add(b->filled_at, k->throttling.graph_window), c->now), wait);
	answer_header(c, "x-ms-user-quota-remaining", "%lld",
		over ? 0LL : (long long)(k->throttling.graph_queries - b->level));
	answer_header(c, "x-ms-user-quota-resets-after", "%s", wait);
	if (!over)
		return true;
	answer_error_object(c, 429,
		json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "code", "RateLimiting", "message",
			"Please provide below info when asking for support.", "details", "code",
			"RateLimiting", "message",
			"Client application has been throttled and should not attempt to repeat "
			"the "
			"request until an amount of time has elapsed. Please see "
			"https://aka.ms/resourcegraph-throttling for help."));
	return false;
}

void throttle_refuse(struct call *c, struct dur retry_after)
{
	answer_header(c, "Retry-After", "%lld", (long long)(retry_after.ms / 1000));
	answer_header(c, "x-ms-failure-cause", "gateway");
	answer_error(c, 429, "TooManyRequests",
		"The request is being throttled. Please try again after '%lld' seconds.",
		(long long)(retry_after.ms / 1000));
}
