/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_headers.h"

#include "lib/base/str.h"

#include <string.h>

/* Each step of a walk starts at the front; no service sends more than a handful. */
#define LIMITS_MAX 64
#define REMAINING "x-ms-ratelimit-remaining-"

static struct dur cap_wait(struct dur d)
{
	return dur_min(dur_max(d, DUR_MS(0)), DUR_DAYS(30));
}

/* A number of units of `unit_ms`; one that is too big for the type is a long wait, not none. */
static bool read_wait(const char *value, int64_t unit_ms, struct dur *ret)
{
	uint64_t most = (uint64_t)(INT64_MAX / unit_ms);
	uint64_t n = most;
	int error = value != NULL ? str_parse_u64(value, most, &n) : -EINVAL;

	if (error != 0 && error != -ERANGE)
		return false;
	*ret = cap_wait(DUR_MS((int64_t)n * unit_ms));
	return true;
}

bool arm_retry_after(const struct http_headers *h, struct wall now, struct dur *ret)
{
	const char *value = http_headers_get(h, "retry-after");
	struct wall date;

	if (read_wait(http_headers_get(h, "retry-after-ms"), 1, ret) ||
		read_wait(http_headers_get(h, "x-ms-retry-after-ms"), 1, ret) ||
		read_wait(value, 1000, ret))
		return true;
	if (wall_parse_http(value, &date) != 0)
		return false;
	*ret = cap_wait(wall_since(date, now));
	return true;
}

static const struct {
	const char *prefix;
	enum arm_limit_scope scope;
} limit_scopes[] = {
	{"subscription-global-", ARM_LIMIT_SUBSCRIPTION_GLOBAL},
	{"subscription-", ARM_LIMIT_SUBSCRIPTION},
	{"tenant-", ARM_LIMIT_TENANT},
};

static const struct {
	const char *word;
	enum arm_limit_op op;
} limit_ops[] = {
	{"reads", ARM_LIMIT_READS},
	{"writes", ARM_LIMIT_WRITES},
	{"deletes", ARM_LIMIT_DELETES},
	{"resource-requests", ARM_LIMIT_ANY},
	{"resource-entities-read", ARM_LIMIT_READS},
};

/*
 * "Microsoft.Compute/PutVM;119". The header repeats, and whoever forwards it may have joined the
 * values with commas: *value moves behind the one that was read.
 */
static bool read_policy(const char **value, struct arm_limit *ret)
{
	const char *policy = *value + strspn(*value, " \t,");
	const char *end = policy + strcspn(policy, ",");
	const char *digits;
	char count[24];
	uint64_t remaining;

	*value = end;
	while (end > policy && end[-1] == ' ')
		end--;
	for (digits = end; digits > policy && digits[-1] != ';';)
		digits--;
	if (digits - policy < 2 || (size_t)(end - digits) >= sizeof(count))
		return false;
	memcpy(count, digits, (size_t)(end - digits));
	count[end - digits] = '\0';
	if (str_parse_u64(count, UINT64_MAX, &remaining) != 0)
		return false;
	*ret = (struct arm_limit){
		.scope = ARM_LIMIT_RESOURCE,
		.op = ARM_LIMIT_ANY,
		.remaining = remaining,
		.policy = policy,
		.policy_len = (size_t)(digits - 1 - policy),
	};
	return true;
}

static bool read_count(const char *name, const char *value, struct arm_limit *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(limit_scopes); i++) {
		if (!str_starts_nocase(name, limit_scopes[i].prefix))
			continue;
		name += strlen(limit_scopes[i].prefix);
		for (size_t k = 0; k < ARRAY_LEN(limit_ops); k++)
			if (str_equal_nocase(name, limit_ops[k].word)) {
				*ret = (struct arm_limit){
					.scope = limit_scopes[i].scope,
					.op = limit_ops[k].op,
				};
				return str_parse_u64(value, UINT64_MAX, &ret->remaining) == 0;
			}
		return false;
	}
	return false;
}

/* The limits of one header; true when the one numbered *skip is among them, else *skip is lowered.
 */
static bool nth_limit(const struct http_header *header, size_t *skip, struct arm_limit *ret)
{
	const char *name = header->name, *value = header->value;

	if (!str_starts_nocase(name, REMAINING))
		return false;
	name += strlen(REMAINING);
	if (!str_equal_nocase(name, "resource"))
		return read_count(name, value, ret) && (*skip)-- == 0;
	while (*value != '\0')
		if (read_policy(&value, ret) && (*skip)-- == 0)
			return true;
	return false;
}

bool arm_limit_walk(const struct http_headers *h, size_t *at, struct arm_limit *ret)
{
	struct arm_limit limit;
	size_t skip = *at;

	for (size_t i = 0; i < h->n && *at < LIMITS_MAX; i++)
		if (nth_limit(&h->v[i], &skip, &limit)) {
			(*at)++;
			*ret = limit;
			return true;
		}
	return false;
}

/* "hh:mm:ss", possibly with a fraction that is rounded up. */
static bool read_clock(const char *text, struct dur *ret)
{
	uint64_t parts[3] = {0};

	for (unsigned i = 0; i < 3; i++) {
		unsigned digits = 0;

		for (; *text >= '0' && *text <= '9' && digits < 6; text++, digits++)
			parts[i] = parts[i] * 10 + (uint64_t)(*text - '0');
		if (digits == 0 || (i < 2 && *text++ != ':'))
			return false;
	}
	if (*text != '\0' && *text != '.')
		return false;
	*ret = cap_wait(DUR_S(
		(int64_t)(parts[0] * 3600 + parts[1] * 60 + parts[2] + (*text == '.' ? 1 : 0))));
	return true;
}

bool graph_quota_read(const struct http_headers *h, struct graph_quota *ret)
{
	const char *remaining = http_headers_get(h, "x-ms-user-quota-remaining");
	const char *resets = http_headers_get(h, "x-ms-user-quota-resets-after");
	struct graph_quota quota = {.resets_after = DUR_S(5)};

	if (remaining == NULL || str_parse_u64(remaining, UINT64_MAX, &quota.remaining) != 0)
		return false;
	if (resets != NULL && !read_clock(resets, &quota.resets_after))
		return false;
	*ret = quota;
	return true;
}

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

void arm_trace_read(const struct http_headers *h, struct arm_trace *ret)
{
	ret->request_id = or_empty(http_headers_get(h, "x-ms-request-id"));
	ret->correlation_id = or_empty(http_headers_get(h, "x-ms-correlation-request-id"));
	ret->routing_id = or_empty(http_headers_get(h, "x-ms-routing-request-id"));
}
