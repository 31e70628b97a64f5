/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/governor_parts.h"

/* Calls that go out on a bucket that no answer has told anything about. */
#define PROBES 4
/* What a policy's count says about its refill is unknown; published ones refill in 3 to 5 min. */
#define POLICY_REFILL_SECONDS 300
#define POLICY_SIZE_LEAST 10

static const struct {
	const char *provider;
	enum lane_kind writes;
} paced_providers[] = {
	{"Microsoft.Security", LANE_ADAPTIVE},
	{"Microsoft.HybridCompute", LANE_ADAPTIVE},
	{"Microsoft.Security/pricings", LANE_SINGLE},
};

void quota_settings_for(enum quota_model model, struct quota_settings *ret)
{
	*ret = (struct quota_settings){
		.model = model,
		.reads = {250, 25},
		.writes = {200, 10},
		.deletes = {200, 10},
		.tenant_reads = {250, 25},
		.tenant_writes = {200, 10},
		.tenant_deletes = {200, 10},
		.graph = {15, 3},
		.defender = {20, 0.4},
		.reserve_percent = 5,
		.writes_in_flight_first = 5,
		.writes_in_flight_most = 50,
	};
	if (model != QUOTA_HOURLY)
		return;
	ret->reads = ret->tenant_reads = (struct quota_rate){12000, 12000 / 3600.0};
	ret->writes = ret->tenant_writes = (struct quota_rate){1200, 1200 / 3600.0};
	ret->deletes = (struct quota_rate){15000, 15000 / 3600.0};
	ret->tenant_deletes = ret->tenant_writes;
}

static void quota_free(void *quota)
{
	struct quota *q = quota;

	free(q->tenant);
	free(q->principal);
	free(q->subscription);
	free(q->policy);
	free(q);
}

static void lane_free(void *lane)
{
	struct lane *l = lane;

	free(l->subscription);
	free(l->provider);
	free(l);
}

struct governor *governor_new(const struct quota_settings *s)
{
	struct governor *g = xcalloc(1, sizeof(*g));

	g->settings = *s;
	map_init(&g->quotas, quota_free);
	map_init(&g->lanes, lane_free);
	map_init(&g->routes, free);
	return g;
}

struct governor *governor_free(struct governor *g)
{
	if (g == NULL)
		return NULL;
	map_fini(&g->routes);
	map_fini(&g->lanes);
	map_fini(&g->quotas);
	free(g);
	return NULL;
}

struct quota_rate governor_rate(
	const struct quota_settings *s, enum quota_scope scope, enum arm_quota op)
{
	bool tenant = scope == QUOTA_TENANT;

	switch (op) {
	case ARM_QUOTA_READ: return tenant ? s->tenant_reads : s->reads;
	case ARM_QUOTA_WRITE: return tenant ? s->tenant_writes : s->writes;
	case ARM_QUOTA_DELETE: return tenant ? s->tenant_deletes : s->deletes;
	case ARM_QUOTA_DEFENDER: return s->defender;
	case ARM_QUOTA_GRAPH: break;
	}
	return s->graph;
}

static char *quota_key(
	enum quota_scope scope, const struct quota_call *c, enum arm_quota op, const char *policy)
{
	switch (scope) {
	case QUOTA_SUBSCRIPTION: return xasprintf("s %s %s %d", c->principal, c->subscription, op);
	case QUOTA_TENANT: return xasprintf("t %s %s %d", c->principal, c->tenant, op);
	case QUOTA_GRAPH: return xasprintf("g %s %s", c->principal, c->tenant);
	case QUOTA_DEFENDER: return xasprintf("d %s %s", c->principal, c->tenant);
	case QUOTA_POLICY:
		return xasprintf("p %s %s %s %s", c->principal, c->tenant, c->subscription, policy);
	}
	return NULL;
}

struct quota *governor_find_quota(struct governor *g, enum quota_scope scope,
	const struct quota_call *c, enum arm_quota op, const char *policy)
{
	mdc_autofree char *key = quota_key(scope, c, op, policy);

	return map_get(&g->quotas, key);
}

static struct quota *add_quota(struct governor *g, enum quota_scope scope,
	const struct quota_call *c, enum arm_quota op, const char *policy)
{
	mdc_autofree char *key = quota_key(scope, c, op, policy);
	struct quota *q = xcalloc(1, sizeof(*q));

	q->scope = scope;
	q->op = op;
	q->tenant = xstrdup(c->tenant);
	q->principal = xstrdup(c->principal);
	q->subscription = xstrdup(
		scope == QUOTA_SUBSCRIPTION || scope == QUOTA_POLICY ? c->subscription : "");
	q->policy = policy != NULL ? xstrdup(policy) : NULL;
	map_set(&g->quotas, key, q);
	return q;
}

static struct quota *need_quota(struct governor *g, enum quota_scope scope,
	const struct quota_call *c, enum arm_quota op, struct mono now)
{
	struct quota *q = governor_find_quota(g, scope, c, op, NULL);
	struct quota_rate rate = governor_rate(&g->settings, scope, op);

	if (q != NULL)
		return q;
	q = add_quota(g, scope, c, op, NULL);
	bucket_init(&q->bucket, rate.size, rate.refill, g->settings.reserve_percent, now);
	return q;
}

struct quota *governor_learn_policy(struct governor *g, struct route *r, const struct quota_call *c,
	const char *policy, double remaining, struct mono now)
{
	struct quota *q = governor_find_quota(g, QUOTA_POLICY, c, c->quota, policy);
	double size = remaining + 1 > POLICY_SIZE_LEAST ? remaining + 1 : POLICY_SIZE_LEAST;

	if (r->count == QUOTA_TICKET_MAX)
		return NULL;
	if (q == NULL) {
		q = add_quota(g, QUOTA_POLICY, c, c->quota, policy);
		q->proven = true;
		bucket_init(&q->bucket, size, size / POLICY_REFILL_SECONDS,
			g->settings.reserve_percent, now);
		bucket_correct(&q->bucket, 0, remaining, now);
	}
	r->quotas[r->count++] = q;
	return q;
}

static enum lane_kind lane_kind_of(const char *provider, bool writes)
{
	for (size_t i = 0; writes && i < ARRAY_LEN(paced_providers); i++)
		if (str_equal_nocase(provider, paced_providers[i].provider))
			return paced_providers[i].writes;
	return LANE_OPEN;
}

static struct lane *need_lane(struct governor *g, const struct quota_call *c)
{
	bool writes = c->quota == ARM_QUOTA_WRITE || c->quota == ARM_QUOTA_DELETE;
	mdc_autofree char *key = xasprintf(
		"%s %s %s %s %d", c->principal, c->tenant, c->subscription, c->provider, writes);
	struct lane *l = map_get(&g->lanes, key);

	if (l != NULL)
		return l;
	l = xcalloc(1, sizeof(*l));
	l->kind = lane_kind_of(c->provider, writes);
	l->subscription = xstrdup(c->subscription);
	l->provider = xstrdup(c->provider);
	l->writes = writes;
	l->limit = l->kind == LANE_SINGLE ? 1 : g->settings.writes_in_flight_first;
	map_set(&g->lanes, key, l);
	return l;
}

static void fill_route(
	struct governor *g, struct route *r, const struct quota_call *c, struct mono now)
{
	if (c->quota == ARM_QUOTA_GRAPH) {
		r->quotas[r->count++] = need_quota(g, QUOTA_GRAPH, c, c->quota, now);
		r->quotas[r->count++] = need_quota(g, QUOTA_TENANT, c, ARM_QUOTA_READ, now);
		return;
	}
	if (c->quota == ARM_QUOTA_DEFENDER) {
		r->quotas[r->count++] = need_quota(g, QUOTA_DEFENDER, c, c->quota, now);
		return;
	}
	if (*c->subscription != '\0')
		r->quotas[r->count++] = need_quota(g, QUOTA_SUBSCRIPTION, c, c->quota, now);
	r->quotas[r->count++] = need_quota(g, QUOTA_TENANT, c, c->quota, now);
	if (*c->provider != '\0')
		r->lane = need_lane(g, c);
}

struct route *governor_route(struct governor *g, const struct quota_call *c, struct mono now)
{
	mdc_autofree char *key = xasprintf(
		"%s %s %s %s %d", c->principal, c->tenant, c->subscription, c->provider, c->quota);
	struct route *r = map_get(&g->routes, key);

	if (r != NULL)
		return r;
	r = xcalloc(1, sizeof(*r));
	fill_route(g, r, c, now);
	map_set(&g->routes, key, r);
	return r;
}

void governor_configure(struct governor *g, const struct quota_settings *s, struct mono now)
{
	struct map_entry *entry;

	g->settings = *s;
	map_for_each (&g->quotas, entry) {
		struct quota *q = entry->value;
		struct quota_rate rate = governor_rate(s, q->scope, q->op);

		if (q->scope == QUOTA_POLICY)
			rate = (struct quota_rate){q->bucket.size, q->bucket.refill};
		bucket_resize(&q->bucket, rate.size, rate.refill, s->reserve_percent, now);
	}
	map_for_each (&g->lanes, entry) {
		struct lane *l = entry->value;

		if (l->kind == LANE_ADAPTIVE && l->limit > s->writes_in_flight_most)
			l->limit = s->writes_in_flight_most;
	}
}

bool governor_counts(const struct governor *g, const struct route *r, unsigned i)
{
	const struct quota *q = r->quotas[i];

	/* The first bucket of a route is its own; the tenant's behind it may or may not count. */
	return i == 0 || q->scope != QUOTA_TENANT || q->shared ||
		g->settings.model == QUOTA_BUCKETS_AND_TENANT;
}

static bool is_full(const struct governor *g, const struct route *r)
{
	if (r->lane != NULL && r->lane->kind != LANE_OPEN && r->lane->in_flight >= r->lane->limit)
		return true;
	for (unsigned i = 0; i < r->count; i++)
		if (governor_counts(g, r, i) && !r->quotas[i]->proven &&
			r->quotas[i]->in_flight >= PROBES)
			return true;
	return false;
}

static struct mono route_ready(const struct governor *g, const struct route *r, struct mono now)
{
	struct mono ready = now;

	if (r->lane != NULL && mono_before(ready, r->lane->frozen))
		ready = r->lane->frozen;
	for (unsigned i = 0; i < r->count; i++) {
		struct mono at;

		if (!governor_counts(g, r, i))
			continue;
		at = bucket_ready(&r->quotas[i]->bucket, now);
		if (mono_before(ready, at))
			ready = at;
	}
	return !mono_before(now, ready) && is_full(g, r) ? MONO_NEVER : ready;
}

struct mono governor_forecast(struct governor *g, const struct quota_call *c, struct mono now)
{
	return route_ready(g, governor_route(g, c, now), now);
}

struct mono governor_admit(
	struct governor *g, const struct quota_call *c, struct mono now, struct quota_ticket *ret)
{
	struct route *r = governor_route(g, c, now);
	struct quota_ticket ticket = {0};
	struct mono ready = route_ready(g, r, now);

	if (mono_before(now, ready))
		return ready;
	for (unsigned i = 0; i < r->count; i++) {
		struct quota *q = r->quotas[i];

		if (!governor_counts(g, r, i))
			continue;
		bucket_drain(&q->bucket, now);
		q->given++;
		ticket.certain[i] = q->given - q->in_flight++;
		ticket.drained |= 1u << i;
	}
	if (r->lane != NULL) {
		r->lane->in_flight++;
		ticket.serial = ++r->lane->serial;
	}
	*ret = ticket;
	return ready;
}
