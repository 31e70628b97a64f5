/* SPDX-License-Identifier: Apache-2.0 */
/* governor_parts: what governor.c, governor_answer.c and governor_report.c share. Nobody else. */
#ifndef MDC_GOVERNOR_PARTS_H
#define MDC_GOVERNOR_PARTS_H

#include "lib/base/map.h"
#include "lib/engine/bucket.h"
#include "lib/engine/governor.h"

enum quota_scope {
	QUOTA_SUBSCRIPTION,
	QUOTA_TENANT,
	QUOTA_GRAPH,
	QUOTA_DEFENDER,
	QUOTA_POLICY, /* a provider's own, known by its header only */
};

struct quota {
	enum quota_scope scope;
	enum arm_quota op;
	char *tenant, *principal, *subscription;
	char *policy; /* QUOTA_POLICY: its name */
	struct bucket bucket;
	uint64_t given; /* tokens since ever */
	unsigned in_flight;
	bool proven; /* an answer came: the level is more than a guess */
	bool shared; /* QUOTA_TENANT: calls on subscriptions drain it too */
};

enum lane_kind {
	LANE_OPEN,     /* the provider publishes its limits: only a 429 stops it */
	LANE_ADAPTIVE, /* as many at once as go well */
	LANE_SINGLE,   /* one at a time */
};

/* A provider as one subscription meets it: its reads, or its writes and deletes. */
struct lane {
	enum lane_kind kind;
	char *subscription, *provider;
	bool writes;
	unsigned limit;
	unsigned in_flight;
	unsigned successes; /* since the limit last moved */
	uint64_t serial;    /* calls admitted so far */
	uint64_t halved_at; /* answers to calls up to this one do not halve again */
	struct mono frozen;
};

/* All that calls of one (tenant, principal, subscription, provider, operation) pass through. */
struct route {
	struct quota *quotas[QUOTA_TICKET_MAX]; /* grows only: places are kept by tickets */
	unsigned count;
	struct lane *lane; /* NULL: no provider is known */
};

struct governor {
	struct quota_settings settings;
	struct map quotas;
	struct map lanes;
	struct map routes;
};

/* Tells apart the calls that wait for the same things. */
struct route *governor_route(struct governor *g, const struct quota_call *c, struct mono now);
/* Of the model; QUOTA_POLICY has none. */
struct quota_rate governor_rate(
	const struct quota_settings *s, enum quota_scope scope, enum arm_quota op);
/* NULL where it was never used. `policy` NULL but for QUOTA_POLICY. */
struct quota *governor_find_quota(struct governor *g, enum quota_scope scope,
	const struct quota_call *c, enum arm_quota op, const char *policy);
/* Another policy of the provider, counted at `remaining`; NULL when a route has enough of them. */
struct quota *governor_learn_policy(struct governor *g, struct route *r, const struct quota_call *c,
	const char *policy, double remaining, struct mono now);
/* Whether calls of that route need a token of its i-th bucket. */
bool governor_counts(const struct governor *g, const struct route *r, unsigned i);

#endif
