/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/backoff.h"

#define MINUTE (INT64_C(60) * 1000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/*
 * Microsoft publishes no schedule for any of these; what it says of their causes is behind each
 * row. A delay is jittered down to its half, so a shortest pause is half of what stands here.
 */
/* clang-format off */
static const struct {
	enum reason reason;
	struct backoff_schedule schedule;
} rows[] = {
	/* Azure and the network: for as long as it takes. */
	{REASON_THROTTLED,             {{MINUTE},       2, {HOUR}, 0}},
	{REASON_TRANSIENT,             {{MINUTE},       2, {HOUR}, 0}},
	{REASON_IDENTITY,              {{MINUTE},       2, {HOUR}, 0}},
	{REASON_OUTCOME_UNKNOWN,       {{10 * MINUTE},  2, {HOUR}, 0}},
	/* "Still processing", "retry in a few minutes": at least ten. */
	{REASON_BUSY,                  {{20 * MINUTE},  2, {2 * HOUR}, 0}},
	{REASON_VANISHED,              {{10 * MINUTE},  4, {DAY}, 0}},
	{REASON_FACT_UNKNOWN,          {{10 * MINUTE},  4, {DAY}, 0}},
	/* Made with the integration, which takes Defender for Cloud up to a day. */
	{REASON_NO_PACKAGE,            {{10 * MINUTE},  4, {6 * HOUR}, 0}},
	/* What was done and did not help: 10 min, 1 h, 6 h, 24 h, then a person. */
	{REASON_OPERATION_FAILED,      {{10 * MINUTE},  6, {DAY}, 5}},
	{REASON_HANDLER_RETRY,         {{10 * MINUTE},  6, {DAY}, 5}},
	{REASON_EXTENSION_FAILED,      {{HOUR},         6, {DAY}, 2}},
	/* Most often a right to assign roles that is missing, as in REASON_DENIED. */
	{REASON_PLAN_EXTENSION_FAILED, {{HOUR},         2, {DAY}, 0}},
	{REASON_HANDLER_NETWORK,       {{2 * HOUR},     4, {DAY}, 0}},
	{REASON_REBOOT_PENDING,        {{DAY},          1, {DAY}, 0}},
	{REASON_NOT_SEEN_IN_EFFECT,    {{10 * MINUTE},  6, {DAY}, 5}},
	{REASON_OPERATION_OVERDUE,     {{HOUR},         6, {DAY}, 5}},
	/* Refusals: how long until they are tested again. New roles take minutes to take effect. */
	{REASON_DENIED,                {{HOUR},         2, {DAY}, 0}},
	{REASON_LOCKED,                {{HOUR},         2, {DAY}, 0}},
	{REASON_SUBSCRIPTION_DISABLED, {{HOUR},         2, {DAY}, 0}},
	{REASON_SUBSCRIPTION_GONE,     {{HOUR},         2, {DAY}, 0}},
	{REASON_UNREGISTERED,          {{HOUR},         2, {DAY}, 0}},
	{REASON_NAME_TAKEN,            {{6 * HOUR},     2, {DAY}, 0}},
	{REASON_GROUP_MISSING,         {{HOUR},         2, {DAY}, 0}},
	{REASON_CONNECTOR_TAKEN,       {{6 * HOUR},     2, {DAY}, 0}},
	{REASON_CONNECTOR_REFUSED,     {{DAY},          1, {DAY}, 0}},
	{REASON_POLICY_DENIES,         {{DAY},          1, {DAY}, 0}},
	{REASON_REFUSED,               {{DAY},          1, {DAY}, 0}},
	{REASON_LOWERS,                {{DAY},          1, {DAY}, 0}},
	{REASON_RULE,                  {{DAY},          1, {DAY}, 0}},
	{REASON_GIVEN_UP,              {{7 * DAY},      1, {7 * DAY}, 0}},
};
/* clang-format on */

static const struct backoff_schedule unlisted = {{10 * MINUTE}, 6, {DAY}, 5};

const struct backoff_schedule *backoff_schedule(enum reason r)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].reason == r)
			return &rows[i].schedule;
	return &unlisted;
}

static struct dur scheduled(const struct backoff_schedule *s, unsigned attempt)
{
	struct dur delay = s->first;

	for (; attempt > 1 && delay.ms < s->most.ms && s->factor > 1; attempt--)
		delay.ms *= s->factor;
	return dur_min(delay, s->most);
}

struct dur backoff_delay(enum reason r, unsigned attempt, uint64_t random)
{
	struct dur most = scheduled(backoff_schedule(r), attempt);
	uint64_t half = (uint64_t)most.ms / 2;

	return DUR_MS(most.ms - (int64_t)(random % (half + 1)));
}

bool backoff_gives_up(enum reason r, unsigned attempt)
{
	unsigned tries = backoff_schedule(r)->tries;

	return tries > 0 && attempt >= tries;
}
