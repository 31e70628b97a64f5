/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_headers.h"
#include "lib/base/str.h"
#include "lib/engine/governor_parts.h"

#include <stdio.h>

/* A 429 that names no time. ARM always does; this is for others. */
#define FREEZE_UNNAMED DUR_S(5)
/* "Another update operation is in progress. Please retry in a few minutes" */
#define CONFLICT_PAUSE DUR_MIN(1)
/* Windows are 5 s; a longer one is believed this far. */
#define GRAPH_WINDOW_MAX DUR_H(1)
#define POLICY_NAME_MAX 96
/* Counts at or below this part of the size are what a 429 is about. */
#define NEARLY_EMPTY 0.05

/* One answer on its way through the governor. */
struct answering {
	struct governor *governor;
	struct route *route;
	const struct quota_call *call;
	const struct quota_ticket *ticket;
	const struct quota_answer *answer;
	struct mono now;
};

/*
 * A provider's policy is known by its name. Where a provider only replaces ARM's counts by its own,
 * reads and writes were seen with different ones.
 */
static bool policy_name(
	const struct answering *a, const struct arm_limit *limit, char ret[static POLICY_NAME_MAX])
{
	int len;

	if (limit->scope != ARM_LIMIT_RESOURCE)
		len = snprintf(ret, POLICY_NAME_MAX, "%s/resource-requests/%d", a->call->provider,
			a->call->quota);
	else
		len = snprintf(ret, POLICY_NAME_MAX, "%.*s",
			limit->policy_len < POLICY_NAME_MAX ? (int)limit->policy_len
							    : POLICY_NAME_MAX,
			limit->policy);
	if (len <= 0 || len >= POLICY_NAME_MAX)
		return false;
	for (const char *c = ret; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return true;
}

static bool place_of(const struct route *r, const struct quota *q, unsigned *ret)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->quotas[i] == q) {
			*ret = i;
			return true;
		}
	return false;
}

static struct quota *quota_of_policy(const struct answering *a, const struct arm_limit *limit)
{
	char name[POLICY_NAME_MAX];
	struct quota *q;
	unsigned place;

	if (!policy_name(a, limit, name))
		return NULL;
	q = governor_find_quota(a->governor, QUOTA_POLICY, a->call, a->call->quota, name);
	if (q != NULL && place_of(a->route, q, &place))
		return q;
	return governor_learn_policy(
		a->governor, a->route, a->call, name, (double)limit->remaining, a->now);
}

/* Which quota of ours a limit speaks of; policies are learnt on the way. NULL: none. */
static struct quota *quota_of_limit(const struct answering *a, const struct arm_limit *limit)
{
	enum quota_scope scope =
		limit->scope == ARM_LIMIT_TENANT ? QUOTA_TENANT : QUOTA_SUBSCRIPTION;
	enum arm_quota op = ARM_QUOTA_READ;

	switch (limit->op) {
	case ARM_LIMIT_ANY: return quota_of_policy(a, limit);
	case ARM_LIMIT_READS: break;
	case ARM_LIMIT_WRITES: op = ARM_QUOTA_WRITE; break;
	case ARM_LIMIT_DELETES: op = ARM_QUOTA_DELETE; break;
	}
	return governor_find_quota(a->governor, scope, a->call, op, NULL);
}

/* What a count leaves possible: calls under way with the answered one may be missing from it. */
static void believe(const struct answering *a, struct quota *q, uint64_t remaining, bool ours_alone)
{
	double most = (double)remaining;
	double least = 0;
	unsigned i;

	if (ours_alone && place_of(a->route, q, &i) && (a->ticket->drained >> i & 1) != 0)
		least = most - (double)(q->given - a->ticket->certain[i]);
	bucket_correct(&q->bucket, least, most, a->now);
	if (q->scope == QUOTA_TENANT && *a->call->subscription != '\0')
		q->shared = true;
}

static void grow_policy(struct quota *q, double remaining, unsigned reserve, struct mono now)
{
	double grown = (remaining + 1) / q->bucket.size;

	if (q->scope == QUOTA_POLICY && grown > 1)
		bucket_resize(
			&q->bucket, q->bucket.size * grown, q->bucket.refill * grown, reserve, now);
}

/* A first count within the buckets of all other clouds is one of those, and not an hour's. */
static void doubt_hours(const struct answering *a, struct quota *q, uint64_t remaining)
{
	struct quota_settings buckets;
	struct quota_rate rate;

	if (a->governor->settings.model != QUOTA_HOURLY || q->proven || q->scope == QUOTA_POLICY)
		return;
	quota_settings_for(QUOTA_BUCKETS, &buckets);
	rate = governor_rate(&buckets, q->scope, q->op);
	if ((double)remaining < rate.size)
		bucket_resize(&q->bucket, rate.size, rate.refill,
			a->governor->settings.reserve_percent, a->now);
}

struct suspect {
	struct quota *quota;
	uint64_t remaining;
};

static void read_limits(const struct answering *a, struct suspect *ret_lowest)
{
	struct arm_limit limit;
	size_t at = 0;

	while (arm_limit_walk(a->answer->headers, &at, &limit)) {
		struct quota *q = quota_of_limit(a, &limit);

		if (q == NULL)
			continue;
		grow_policy(
			q, (double)limit.remaining, a->governor->settings.reserve_percent, a->now);
		doubt_hours(a, q, limit.remaining);
		believe(a, q, limit.remaining, limit.scope != ARM_LIMIT_SUBSCRIPTION_GLOBAL);
		if (ret_lowest->quota == NULL || limit.remaining < ret_lowest->remaining)
			*ret_lowest = (struct suspect){q, limit.remaining};
	}
}

/* Resource Graph counts in windows: what is left has to last until the window ends. */
static void read_graph_quota(const struct answering *a)
{
	struct quota *q = a->route->quotas[0];
	struct graph_quota seen;

	if (!graph_quota_read(a->answer->headers, &seen))
		return;
	believe(a, q, seen.remaining, true);
	bucket_hold(
		&q->bucket, mono_add(a->now, dur_min(seen.resets_after, GRAPH_WINDOW_MAX)), a->now);
}

static struct mono frozen_until(const struct answering *a)
{
	struct graph_quota seen;

	if (a->answer->retry_after.ms > 0)
		return mono_add(a->now, a->answer->retry_after);
	if (a->call->quota == ARM_QUOTA_GRAPH && a->answer->headers != NULL &&
		graph_quota_read(a->answer->headers, &seen) && seen.resets_after.ms > 0)
		return mono_add(a->now, dur_min(seen.resets_after, GRAPH_WINDOW_MAX));
	return mono_add(a->now, FREEZE_UNNAMED);
}

static bool provider_refused(const struct answering *a, const struct suspect *lowest)
{
	const char *cause = a->answer->headers != NULL
		? http_headers_get(a->answer->headers, "x-ms-failure-cause")
		: NULL;

	if (a->route->lane == NULL)
		return false;
	if (cause != NULL)
		return str_equal_nocase(cause, "service");
	return lowest->quota != NULL && lowest->remaining > 1 &&
		(double)lowest->remaining > lowest->quota->bucket.size * NEARLY_EMPTY;
}

static void halve(struct lane *l, uint64_t serial)
{
	/* Calls that were under way when it was halved tell nothing new. */
	if (l->kind != LANE_ADAPTIVE || serial <= l->halved_at)
		return;
	l->limit = l->limit > 1 ? l->limit / 2 : 1;
	l->successes = 0;
	l->halved_at = l->serial;
}

static void freeze_lane(struct lane *l, struct mono until)
{
	if (mono_before(l->frozen, until))
		l->frozen = until;
}

/* The tenant's bucket, where the refusal of a call on a subscription speaks of it. */
static struct quota *named_tenant(const struct answering *a)
{
	struct quota *q;

	if (*a->call->subscription == '\0' || a->answer->code == NULL ||
		!str_contains_nocase(a->answer->code, "tenant"))
		return NULL;
	q = governor_find_quota(a->governor, QUOTA_TENANT, a->call, a->call->quota, NULL);
	if (q != NULL)
		q->shared = true;
	return q;
}

static void throttled(const struct answering *a, const struct suspect *lowest)
{
	struct mono until = frozen_until(a);
	struct quota *tenant = named_tenant(a);
	struct quota *q = tenant != NULL ? tenant : lowest->quota;

	if (tenant == NULL && provider_refused(a, lowest)) {
		freeze_lane(a->route->lane, until);
		halve(a->route->lane, a->ticket->serial);
		return;
	}
	if (q == NULL || a->call->quota == ARM_QUOTA_GRAPH || a->call->quota == ARM_QUOTA_DEFENDER)
		q = a->route->quotas[0];
	bucket_freeze(&q->bucket, until, a->now);
}

static void adapt(const struct answering *a, struct lane *l)
{
	int status = a->answer->status;

	if (status == 503)
		halve(l, a->ticket->serial);
	if (l->kind == LANE_SINGLE && ((status == 0 && !a->answer->unsent) || status == 409))
		freeze_lane(l, mono_add(a->now, CONFLICT_PAUSE));
	if (l->kind != LANE_ADAPTIVE || status < 200 || status >= 300)
		return;
	if (l->in_flight < l->limit || a->ticket->serial <= l->halved_at)
		return;
	if (++l->successes < l->limit)
		return;
	l->successes = 0;
	if (l->limit < a->governor->settings.writes_in_flight_most)
		l->limit++;
}

static void land(const struct answering *a)
{
	for (unsigned i = 0; i < a->route->count; i++) {
		struct quota *q = a->route->quotas[i];

		if ((a->ticket->drained >> i & 1) == 0)
			continue;
		assert(q->in_flight > 0);
		q->in_flight--;
		q->proven = q->proven || a->answer->status != 0;
	}
	if (a->route->lane != NULL) {
		assert(a->route->lane->in_flight > 0);
		a->route->lane->in_flight--;
	}
}

void governor_answered(struct governor *g, const struct quota_call *c,
	const struct quota_ticket *ticket, const struct quota_answer *answer, struct mono now)
{
	struct answering a = {g, governor_route(g, c, now), c, ticket, answer, now};
	struct suspect lowest = {0};

	if (answer->headers != NULL) {
		read_limits(&a, &lowest);
		if (c->quota == ARM_QUOTA_GRAPH)
			read_graph_quota(&a);
	}
	if (answer->status == 429)
		throttled(&a, &lowest);
	if (a.route->lane != NULL)
		adapt(&a, a.route->lane);
	land(&a);
}
