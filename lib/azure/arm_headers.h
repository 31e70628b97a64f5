/* SPDX-License-Identifier: Apache-2.0 */
/* arm_headers: what the response headers of ARM, Resource Graph and Entra say. */
#ifndef MDC_ARM_HEADERS_H
#define MDC_ARM_HEADERS_H

#include "lib/base/http_message.h"
#include "lib/base/tick.h"

/*
 * How long the server asks to wait: retry-after-ms, x-ms-retry-after-ms, then Retry-After (seconds
 * or an HTTP date relative to `now`). False when absent or not understood. Capped at 30 days.
 */
bool arm_retry_after(const struct http_headers *h, struct wall now, struct dur *ret);

enum arm_limit_scope {
	ARM_LIMIT_SUBSCRIPTION,        /* x-ms-ratelimit-remaining-subscription-{reads,…} */
	ARM_LIMIT_SUBSCRIPTION_GLOBAL, /* …-subscription-global-… */
	ARM_LIMIT_TENANT,              /* …-tenant-… */
	ARM_LIMIT_RESOURCE,            /* …-resource: provider/policy;count */
};
enum arm_limit_op { ARM_LIMIT_READS, ARM_LIMIT_WRITES, ARM_LIMIT_DELETES, ARM_LIMIT_ANY };

struct arm_limit {
	enum arm_limit_scope scope;
	enum arm_limit_op op;
	uint64_t remaining;
	const char *policy; /* ARM_LIMIT_RESOURCE: borrowed, up to policy_len bytes */
	size_t policy_len;
};
/* Walks the limits in the headers; *at starts at 0 and counts them. False at the end. */
bool arm_limit_walk(const struct http_headers *h, size_t *at, struct arm_limit *ret);

/* x-ms-user-quota-remaining and x-ms-user-quota-resets-after (hh:mm:ss) of Resource Graph. */
struct graph_quota {
	uint64_t remaining;
	struct dur resets_after;
};
bool graph_quota_read(const struct http_headers *h, struct graph_quota *ret);

/* The ids that support asks for; borrowed, "" when absent. */
struct arm_trace {
	const char *request_id;
	const char *correlation_id;
	const char *routing_id;
};
void arm_trace_read(const struct http_headers *h, struct arm_trace *ret);

#endif
