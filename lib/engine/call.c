/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/call.h"

void call_init(struct call *c, bool reads)
{
	*c = (struct call){.reads = reads, .want = CALL_WANTS_NOTHING};
}

static enum call_want done(struct call *c, const struct arm_error *outcome)
{
	c->outcome = *outcome;
	return CALL_WANTS_NOTHING;
}

static enum call_want done_waiting(struct call *c)
{
	c->outcome = (struct arm_error){
		.class = ARM_ERROR_THROTTLED,
		.code = "QuotaWait",
		.message = "no quota within the time that the call may wait",
	};
	return CALL_WANTS_NOTHING;
}

static enum call_want answered(struct call *c, const struct arm_error *answer)
{
	if (answer->class != ARM_ERROR_TOKEN || c->token_renewed)
		return done(c, answer);
	c->token_renewed = true;
	return CALL_WANTS_FRESH_TOKEN;
}

/* Azure has not seen the request: what was drained for it still stands. */
static enum call_want unsent(struct call *c, const struct arm_error *error)
{
	if (c->sent_again)
		return done(c, error);
	c->sent_again = true;
	return CALL_WANTS_SEND;
}

static enum call_want unanswered(struct call *c, const struct arm_error *error)
{
	if (c->sent_again || !c->reads)
		return done(c, error);
	c->sent_again = true;
	return CALL_WANTS_QUOTA;
}

static enum call_want step_idle(struct call *c, enum call_input_kind input)
{
	switch (input) {
	case CALL_INPUT_START: call_init(c, c->reads); return CALL_WANTS_TOKEN;
	case CALL_INPUT_TOKEN:
	case CALL_INPUT_TOKEN_FAILED:
	case CALL_INPUT_QUOTA:
	case CALL_INPUT_QUOTA_FAR:
	case CALL_INPUT_ANSWER:
	case CALL_INPUT_UNSENT:
	case CALL_INPUT_UNANSWERED:
	case CALL_INPUT_BROKEN: break;
	}
	return c->want;
}

static enum call_want step_token(
	struct call *c, enum call_input_kind input, const struct arm_error *error)
{
	switch (input) {
	case CALL_INPUT_TOKEN: return CALL_WANTS_QUOTA;
	case CALL_INPUT_TOKEN_FAILED: return done(c, error);
	case CALL_INPUT_START:
	case CALL_INPUT_QUOTA:
	case CALL_INPUT_QUOTA_FAR:
	case CALL_INPUT_ANSWER:
	case CALL_INPUT_UNSENT:
	case CALL_INPUT_UNANSWERED:
	case CALL_INPUT_BROKEN: break;
	}
	return c->want;
}

static enum call_want step_quota(struct call *c, enum call_input_kind input)
{
	switch (input) {
	case CALL_INPUT_QUOTA: return CALL_WANTS_SEND;
	case CALL_INPUT_QUOTA_FAR: return done_waiting(c);
	case CALL_INPUT_START:
	case CALL_INPUT_TOKEN:
	case CALL_INPUT_TOKEN_FAILED:
	case CALL_INPUT_ANSWER:
	case CALL_INPUT_UNSENT:
	case CALL_INPUT_UNANSWERED:
	case CALL_INPUT_BROKEN: break;
	}
	return c->want;
}

static enum call_want step_send(
	struct call *c, enum call_input_kind input, const struct arm_error *error)
{
	switch (input) {
	case CALL_INPUT_ANSWER: return answered(c, error);
	case CALL_INPUT_UNSENT: return unsent(c, error);
	case CALL_INPUT_UNANSWERED: return unanswered(c, error);
	case CALL_INPUT_BROKEN: return done(c, error);
	/* The token ran out while the call waited for its quota. */
	case CALL_INPUT_TOKEN_FAILED: return done(c, error);
	case CALL_INPUT_START:
	case CALL_INPUT_TOKEN:
	case CALL_INPUT_QUOTA:
	case CALL_INPUT_QUOTA_FAR: break;
	}
	return c->want;
}

enum call_want call_step(struct call *c, enum call_input_kind input, const struct arm_error *error)
{
	switch (c->want) {
	case CALL_WANTS_NOTHING: c->want = step_idle(c, input); break;
	case CALL_WANTS_TOKEN:
	case CALL_WANTS_FRESH_TOKEN: c->want = step_token(c, input, error); break;
	case CALL_WANTS_QUOTA: c->want = step_quota(c, input); break;
	case CALL_WANTS_SEND: c->want = step_send(c, input, error); break;
	}
	return c->want;
}
