/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Every state × every input × what the call has behind it. */

enum answer { OK, DENIED, EXPIRED_TOKEN, BROKE };

static struct arm_error error_of(enum answer a)
{
	switch (a) {
	case OK: return (struct arm_error){.class = ARM_ERROR_NONE, .status = 200};
	case DENIED:
		return (struct arm_error){
			.class = ARM_ERROR_DENIED, .status = 403, .code = "AuthorizationFailed"};
	case EXPIRED_TOKEN: return (struct arm_error){.class = ARM_ERROR_TOKEN, .status = 401};
	case BROKE: return (struct arm_error){.class = ARM_ERROR_TRANSIENT, .code = "Transport"};
	}
	return (struct arm_error){0};
}

struct row {
	enum call_want state;
	enum call_input_kind input;
	bool reads, token_renewed, sent_again;
	enum answer answer;
	enum call_want expected;
};

#define STAY(state, input) \
	{state, input, false, false, false, BROKE, state}, \
	{ \
		state, input, true, true, true, BROKE, state \
	}

#define NOTHING CALL_WANTS_NOTHING
#define TOKEN CALL_WANTS_TOKEN
#define FRESH CALL_WANTS_FRESH_TOKEN
#define QUOTA CALL_WANTS_QUOTA
#define SEND CALL_WANTS_SEND

static const struct row rows[] = {
	{NOTHING, CALL_INPUT_START, false, false, false, OK, TOKEN},
	{NOTHING, CALL_INPUT_START, true, true, true, OK, TOKEN},
	STAY(NOTHING, CALL_INPUT_TOKEN),
	STAY(NOTHING, CALL_INPUT_TOKEN_FAILED),
	STAY(NOTHING, CALL_INPUT_QUOTA),
	STAY(NOTHING, CALL_INPUT_QUOTA_FAR),
	STAY(NOTHING, CALL_INPUT_ANSWER),
	STAY(NOTHING, CALL_INPUT_UNSENT),
	STAY(NOTHING, CALL_INPUT_UNANSWERED),
	STAY(NOTHING, CALL_INPUT_BROKEN),

	STAY(TOKEN, CALL_INPUT_START),
	{TOKEN, CALL_INPUT_TOKEN, false, false, false, OK, QUOTA},
	{TOKEN, CALL_INPUT_TOKEN_FAILED, false, false, false, DENIED, NOTHING},
	STAY(TOKEN, CALL_INPUT_QUOTA),
	STAY(TOKEN, CALL_INPUT_QUOTA_FAR),
	STAY(TOKEN, CALL_INPUT_ANSWER),
	STAY(TOKEN, CALL_INPUT_UNSENT),
	STAY(TOKEN, CALL_INPUT_UNANSWERED),
	STAY(TOKEN, CALL_INPUT_BROKEN),

	STAY(FRESH, CALL_INPUT_START),
	{FRESH, CALL_INPUT_TOKEN, false, true, false, OK, QUOTA},
	{FRESH, CALL_INPUT_TOKEN_FAILED, false, true, false, DENIED, NOTHING},
	STAY(FRESH, CALL_INPUT_QUOTA),
	STAY(FRESH, CALL_INPUT_QUOTA_FAR),
	STAY(FRESH, CALL_INPUT_ANSWER),
	STAY(FRESH, CALL_INPUT_UNSENT),
	STAY(FRESH, CALL_INPUT_UNANSWERED),
	STAY(FRESH, CALL_INPUT_BROKEN),

	STAY(QUOTA, CALL_INPUT_START),
	STAY(QUOTA, CALL_INPUT_TOKEN),
	STAY(QUOTA, CALL_INPUT_TOKEN_FAILED),
	{QUOTA, CALL_INPUT_QUOTA, false, false, false, OK, SEND},
	{QUOTA, CALL_INPUT_QUOTA, true, true, true, OK, SEND},
	{QUOTA, CALL_INPUT_QUOTA_FAR, false, false, false, OK, NOTHING},
	STAY(QUOTA, CALL_INPUT_ANSWER),
	STAY(QUOTA, CALL_INPUT_UNSENT),
	STAY(QUOTA, CALL_INPUT_UNANSWERED),
	STAY(QUOTA, CALL_INPUT_BROKEN),

	STAY(SEND, CALL_INPUT_START),
	STAY(SEND, CALL_INPUT_TOKEN),
	{SEND, CALL_INPUT_TOKEN_FAILED, true, false, false, DENIED, NOTHING},
	STAY(SEND, CALL_INPUT_QUOTA),
	STAY(SEND, CALL_INPUT_QUOTA_FAR),
	{SEND, CALL_INPUT_ANSWER, false, false, false, OK, NOTHING},
	{SEND, CALL_INPUT_ANSWER, true, false, false, DENIED, NOTHING},
	{SEND, CALL_INPUT_ANSWER, false, false, false, EXPIRED_TOKEN, FRESH},
	{SEND, CALL_INPUT_ANSWER, false, false, true, EXPIRED_TOKEN, FRESH},
	{SEND, CALL_INPUT_ANSWER, true, true, false, EXPIRED_TOKEN, NOTHING},
	{SEND, CALL_INPUT_UNSENT, false, false, false, BROKE, SEND},
	{SEND, CALL_INPUT_UNSENT, true, true, false, BROKE, SEND},
	{SEND, CALL_INPUT_UNSENT, true, false, true, BROKE, NOTHING},
	{SEND, CALL_INPUT_UNANSWERED, true, false, false, BROKE, QUOTA},
	{SEND, CALL_INPUT_UNANSWERED, false, false, false, BROKE, NOTHING},
	{SEND, CALL_INPUT_UNANSWERED, true, false, true, BROKE, NOTHING},
	{SEND, CALL_INPUT_BROKEN, true, false, false, BROKE, NOTHING},
	{SEND, CALL_INPUT_BROKEN, false, false, false, BROKE, NOTHING},
};

static void every_state_answers_every_input(void **state)
{
	bool seen[CALL_WANTS_NOTHING + 1][CALL_INPUT_BROKEN + 1] = {{false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct arm_error error = error_of(r->answer);
		struct call c;

		call_init(&c, r->reads);
		c.want = r->state;
		c.token_renewed = r->token_renewed;
		c.sent_again = r->sent_again;
		if (call_step(&c, r->input, &error) != r->expected)
			fail_msg("row %zu: %d instead of %d", i, c.want, r->expected);
		assert_int_equal(c.want, r->expected);
		seen[r->state][r->input] = true;
	}
	for (unsigned s = 0; s <= CALL_WANTS_NOTHING; s++)
		for (unsigned k = 0; k <= CALL_INPUT_BROKEN; k++)
			assert_true(seen[s][k]);
}

static void the_outcome_is_the_answer(void **state)
{
	struct arm_error denied = error_of(DENIED);
	struct call c;

	(void)state;
	call_init(&c, true);
	call_step(&c, CALL_INPUT_START, NULL);
	call_step(&c, CALL_INPUT_TOKEN, NULL);
	call_step(&c, CALL_INPUT_QUOTA, NULL);
	assert_int_equal(call_step(&c, CALL_INPUT_ANSWER, &denied), CALL_WANTS_NOTHING);
	assert_int_equal(c.outcome.class, ARM_ERROR_DENIED);
	assert_string_equal(c.outcome.code, "AuthorizationFailed");
}

static void waiting_in_vain_is_throttling(void **state)
{
	struct call c;

	(void)state;
	call_init(&c, true);
	call_step(&c, CALL_INPUT_START, NULL);
	call_step(&c, CALL_INPUT_TOKEN, NULL);
	call_step(&c, CALL_INPUT_QUOTA_FAR, NULL);
	assert_int_equal(c.want, CALL_WANTS_NOTHING);
	assert_int_equal(c.outcome.class, ARM_ERROR_THROTTLED);
	assert_int_equal(c.outcome.status, 0);
}

/* Whatever happens, a call asks to be sent at most three times: first, renewed token, once more. */
static void a_call_is_never_sent_without_end(void **state)
{
	static const enum call_input_kind inputs[] = {
		CALL_INPUT_ANSWER, CALL_INPUT_UNSENT, CALL_INPUT_UNANSWERED, CALL_INPUT_BROKEN};

	(void)state;
	for (unsigned path = 0; path < 256; path++) {
		struct arm_error refused = error_of(EXPIRED_TOKEN);
		struct call c;
		unsigned sent = 0;

		call_init(&c, true);
		call_step(&c, CALL_INPUT_START, NULL);
		for (unsigned step = 0; step < 64 && c.want != CALL_WANTS_NOTHING; step++) {
			if (c.want == CALL_WANTS_SEND)
				call_step(&c, inputs[path >> (2 * (sent++ % 4)) & 3], &refused);
			else if (c.want == CALL_WANTS_QUOTA)
				call_step(&c, CALL_INPUT_QUOTA, NULL);
			else
				call_step(&c, CALL_INPUT_TOKEN, NULL);
		}
		assert_int_equal(c.want, CALL_WANTS_NOTHING);
		assert_in_range(sent, 1, 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_answers_every_input),
		cmocka_unit_test(the_outcome_is_the_answer),
		cmocka_unit_test(waiting_in_vain_is_throttling),
		cmocka_unit_test(a_call_is_never_sent_without_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
