/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_headers.h"

#include "lib/base/str.h"

#include <string.h>

#define REMAINING "x-ms-ratelimit-remaining-"

static struct dur cap_wait(struct dur d)
{
	return dur_min(dur_max(d, DUR_MS(0)), DUR_DAYS(30));
}

static bool milliseconds(const char *value, struct dur *ret)
{
	uint64_t ms;

	if (value == NULL || str_parse_u64(value, UINT64_MAX / 2, &ms) != 0)
		return false;
	*ret = cap_wait(DUR_MS((int64_t)(ms > INT64_MAX ? INT64_MAX : ms)));
	return true;
}

bool arm_retry_after(const struct http_headers *h, struct wall now, struct dur *ret)
{
	const char *value = http_headers_get(h, "retry-after");
	uint64_t seconds;
	struct wall date;

	if (milliseconds(http_headers_get(h, "retry-after-ms"), ret) ||
		milliseconds(http_headers_get(h, "x-ms-retry-after-ms"), ret))
		return true;
	if (value == NULL)
		return false;
	if (str_parse_u64(value, INT64_MAX / 1000, &seconds) == 0)
		*ret = cap_wait(DUR_S((int64_t)seconds));
	else if (wall_parse_http(value, &date) == 0)
		*ret = cap_wait(wall_since(date, now));
	else
		return false;
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

/* "Microsoft.Compute/PutVM;119" */
static bool read_policy(const char *value, struct arm_limit *ret)
{
	const char *semicolon = strrchr(value, ';');

	if (semicolon == NULL || str_parse_u64(semicolon + 1, UINT64_MAX, &ret->remaining) != 0)
		return false;
	ret->scope = ARM_LIMIT_RESOURCE;
	ret->op = ARM_LIMIT_ANY;
	ret->policy = value;
	ret->policy_len = (size_t)(semicolon - value);
	return true;
}

static bool read_limit(const struct http_header *header, struct arm_limit *ret)
{
	const char *name = header->name;

	if (!str_starts_nocase(name, REMAINING))
		return false;
	name += strlen(REMAINING);
	*ret = (struct arm_limit){0};
	if (str_equal_nocase(name, "resource"))
		return read_policy(header->value, ret);
	for (size_t i = 0; i < ARRAY_LEN(limit_scopes); i++) {
		if (!str_starts_nocase(name, limit_scopes[i].prefix))
			continue;
		name += strlen(limit_scopes[i].prefix);
		for (size_t k = 0; k < ARRAY_LEN(limit_ops); k++)
			if (str_equal_nocase(name, limit_ops[k].word)) {
				ret->scope = limit_scopes[i].scope;
				ret->op = limit_ops[k].op;
				return str_parse_u64(header->value, UINT64_MAX, &ret->remaining) ==
					0;
			}
		return false;
	}
	return false;
}

bool arm_limit_walk(const struct http_headers *h, size_t *at, struct arm_limit *ret)
{
	while (*at < h->n)
		if (read_limit(&h->v[(*at)++], ret))
			return true;
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
