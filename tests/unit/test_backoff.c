/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/backoff.h"

#include "lib/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* The longest wait after the first failures, in minutes. */
static const struct {
	enum reason reason;
	int64_t minutes[5];
	unsigned gives_up; /* 0: never */
} rows[] = {
	{REASON_HANDLER_RETRY, {10, 60, 360, 1440, 1440}, 5},
	{REASON_EXTENSION_FAILED, {60, 360, 1440, 1440, 1440}, 2},
	{REASON_HANDLER_NETWORK, {120, 480, 1440, 1440, 1440}, 0},
	{REASON_REBOOT_PENDING, {1440, 1440, 1440, 1440, 1440}, 0},
	{REASON_TRANSIENT, {1, 2, 4, 8, 16}, 0},
	{REASON_THROTTLED, {1, 2, 4, 8, 16}, 0},
	{REASON_BUSY, {20, 40, 80, 120, 120}, 0},
	{REASON_IDENTITY, {1, 2, 4, 8, 16}, 0},
	{REASON_OPERATION_FAILED, {10, 60, 360, 1440, 1440}, 5},
	{REASON_NO_PACKAGE, {10, 40, 160, 360, 360}, 0},
	{REASON_DENIED, {60, 120, 240, 480, 960}, 0},
	{REASON_POLICY_DENIES, {1440, 1440, 1440, 1440, 1440}, 0},
	{REASON_RULE, {1440, 1440, 1440, 1440, 1440}, 0},
	{REASON_GIVEN_UP, {10080, 10080, 10080, 10080, 10080}, 0},
	{REASON_NOT_SEEN_IN_EFFECT, {10, 60, 360, 1440, 1440}, 5},
};

static void waits_grow_as_scheduled(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned n = 1; n <= 5; n++) {
			struct dur longest = backoff_delay(rows[i].reason, n, 0);

			if (longest.ms != rows[i].minutes[n - 1] * 60000)
				fail_msg("%s, failure %u: %lld ms", reason_word(rows[i].reason), n,
					(long long)longest.ms);
		}
}

static void jitter_stays_between_half_and_all(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	for (unsigned r = 0; r < REASON_N_; r++)
		for (unsigned n = 1; n < 300; n += 13) {
			int64_t most = backoff_delay((enum reason)r, n, 0).ms;
			int64_t got = backoff_delay((enum reason)r, n, rng_next(&rng)).ms;

			assert_true(got >= most / 2 && got <= most);
			assert_true(most <= backoff_schedule((enum reason)r)->most.ms);
		}
	assert_int_equal(backoff_delay(REASON_TRANSIENT, 1, 30000).ms, 30000);
}

static void only_what_does_not_help_is_given_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned n = 1; n < 300; n++)
			assert_int_equal(backoff_gives_up(rows[i].reason, n),
				rows[i].gives_up != 0 && n >= rows[i].gives_up);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_grow_as_scheduled),
		cmocka_unit_test(jitter_stays_between_half_and_all),
		cmocka_unit_test(only_what_does_not_help_is_given_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
