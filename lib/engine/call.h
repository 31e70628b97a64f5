/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: the life of one ARM call as a state machine: token, quota, send, and what an answer asks
 * for next. daemon/arm_client.c is its only interpreter.
 *
 *   START -> token -> quota -> send -> answer -> DONE
 *   answer 401: a new token once, then quota and send again
 *   no connection: once more, at once where no byte of the request was sent, and with new quota
 *     where the call only reads and no byte of the reply arrived
 *
 * A write that broke may have been accepted unseen, and only a read tells (design, section 4, rule
 * 7). An input that a state does not expect changes nothing.
 *
 * Nothing else is sent twice: what failed goes back to the item, which decides (design, section 6).
 */
#ifndef MDC_CALL_H
#define MDC_CALL_H

#include "lib/azure/arm_error.h"
#include "lib/base/base.h"

enum call_want {
	CALL_WANTS_TOKEN,
	CALL_WANTS_FRESH_TOKEN, /* the one that was used is refused: do not give it again */
	CALL_WANTS_QUOTA,
	CALL_WANTS_SEND,
	CALL_WANTS_NOTHING, /* done: `outcome` */
};

enum call_input_kind {
	CALL_INPUT_START,
	CALL_INPUT_TOKEN,        /* there is a token */
	CALL_INPUT_TOKEN_FAILED, /* `error` says why */
	CALL_INPUT_QUOTA,        /* admitted */
	CALL_INPUT_QUOTA_FAR,    /* no quota within the caller's patience */
	CALL_INPUT_ANSWER,       /* `error` is the classified answer */
	CALL_INPUT_UNSENT,       /* no connection: nothing was sent */
	CALL_INPUT_UNANSWERED,   /* sent, and the connection broke before any byte of the reply */
	CALL_INPUT_BROKEN,       /* broke later, timed out, was too large, TLS was refused */
};

struct call {
	bool reads; /* GETs, and POSTs that only ask: may be sent twice */
	bool token_renewed;
	bool sent_again;
	enum call_want want;
	struct arm_error outcome;
};

void call_init(struct call *c, bool reads);
/* `error` for TOKEN_FAILED, ANSWER, UNSENT, UNANSWERED and BROKEN; else NULL. */
enum call_want call_step(struct call *c, enum call_input_kind input, const struct arm_error *error);

#endif
