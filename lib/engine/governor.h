/* SPDX-License-Identifier: Apache-2.0 */
/*
 * governor: spends the quotas of Azure Resource Manager and Resource Graph. It is a set of token
 * buckets and not a retry loop: a call is admitted when every bucket that it would drain has a
 * token above its reserve; each answer's headers correct them; a 429 freezes the one that refused.
 *
 * Keys: (tenant, principal), (subscription, principal, reads|writes|deletes), (subscription,
 * principal, provider policy), (principal at Resource Graph). Sizes: "Understand how Azure Resource
 * Manager throttles requests"; whether calls on a subscription also drain the tenant's bucket is
 * not known, so both models work, and the hourly one that docs.azure.cn still shows; a first count
 * that fits the buckets of all other clouds is taken for one of those. Where the answers of a
 * subscription's calls count the tenant's bucket, that settles it. Policies of providers are learnt
 * from the headers that count them.
 *
 * A count in a header was true for the call that it answers; calls that were under way with it may
 * be missing from it. A bucket is therefore corrected to what the count leaves possible,
 * and not to the count (see struct quota_ticket). Before any answer a bucket's level is a guess:
 * few calls go out until one came back.
 *
 * Where a provider publishes no limit (Microsoft.Security, Microsoft.HybridCompute) the number of
 * its writes in flight per subscription adapts: up by one for a window of successes, halved on 429
 * and 503. Writes of Microsoft.Security/pricings go one at a time per subscription, since the
 * service refuses a second one; after a conflict or a lost answer none for a minute.
 */
#ifndef MDC_GOVERNOR_H
#define MDC_GOVERNOR_H

#include "lib/azure/arm_request.h"
#include "lib/base/http_message.h"
#include "lib/base/tick.h"

#include <jansson.h>

enum quota_model {
	QUOTA_BUCKETS,            /* subscription calls drain the subscription's bucket */
	QUOTA_BUCKETS_AND_TENANT, /* … and the tenant's */
	QUOTA_HOURLY,             /* counts per hour */
};

struct quota_rate {
	double size;
	double refill; /* a second */
};
struct quota_settings {
	enum quota_model model;
	struct quota_rate reads, writes, deletes;
	struct quota_rate tenant_reads, tenant_writes, tenant_deletes;
	struct quota_rate graph;    /* 15 in 5 s: size 15, refill 3 */
	struct quota_rate defender; /* 100 a minute and 1500 an hour: size 20, refill 0.4 */
	unsigned reserve_percent;
	unsigned writes_in_flight_first; /* per (subscription, provider); adapts from here */
	unsigned writes_in_flight_most;
};
/* Documented sizes for a model. */
void quota_settings_for(enum quota_model model, struct quota_settings *ret);

struct governor;

/* Who calls what. Texts are borrowed during the call. */
struct quota_call {
	const char *tenant;
	const char *principal;    /* the identity's client id, or its name where it has none */
	const char *subscription; /* "": tenant level */
	const char *provider; /* "Microsoft.Security", or with a type, see above, or "": unknown */
	enum arm_quota quota;
};

/* Remembers what an admitted call drained; plain data, given back with its answer. */
#define QUOTA_TICKET_MAX 8
struct quota_ticket {
	/* Calls that a count in its answer certainly includes: this one and all answered before. */
	uint64_t certain[QUOTA_TICKET_MAX];
	unsigned drained; /* bit set: which of them this call drained */
	uint64_t serial;  /* of the call among those of its provider */
};

struct quota_answer {
	int status;                         /* 0: no reply */
	bool unsent;                        /* and Azure cannot have seen the call */
	const struct http_headers *headers; /* NULL: no reply */
	struct dur retry_after;             /* 0: none */
	const char *code;                   /* of the error, or NULL */
};

struct governor *governor_new(const struct quota_settings *s);
struct governor *governor_free(struct governor *g);
/* New sizes; levels and freezes stay. */
void governor_configure(struct governor *g, const struct quota_settings *s, struct mono now);

/*
 * `now` or earlier: admitted, the tokens are drained and the call counts as in flight until
 * governor_answered(). Later: ask again then. MONO_NEVER: ask again when a call was answered.
 */
struct mono governor_admit(
	struct governor *g, const struct quota_call *c, struct mono now, struct quota_ticket *ret);
/*
 * What came of an admitted call. A 429 freezes the bucket whose remaining count is lowest, or the
 * provider's where `x-ms-failure-cause: service` or counts far from zero say that the provider
 * refused, or the tenant's where the error's code names it: then all calls drain that one.
 */
void governor_answered(struct governor *g, const struct quota_call *c,
	const struct quota_ticket *ticket, const struct quota_answer *answer, struct mono now);
/* When this call could be admitted, without draining; MONO_NEVER as above. */
struct mono governor_forecast(struct governor *g, const struct quota_call *c, struct mono now);

/*
 * For `status`: [{"scope","tenant","principal","subscription","provider","operation","level",
 * "size","refill","reserve","in_flight","limit","frozen_for_s"}], members as they apply.
 */
json_t *governor_report(const struct governor *g, struct mono now);

#endif
