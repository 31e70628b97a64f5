/* SPDX-License-Identifier: Apache-2.0 */
/* token_reply: reads what token endpoints answer (Entra's, and those of managed identities). */
#ifndef MDCD_TOKEN_REPLY_H
#define MDCD_TOKEN_REPLY_H

#include "daemon/token_job.h"

/*
 * Never fails: what is not a usable token becomes a failure that says why, and what to do about it
 * where that is known. Wipes what it read. Leaves `credential_expires` as it was.
 */
void token_reply_read(struct http_reply *reply, struct wall now, struct token_outcome *ret);
/* Adds to the text of a failure what somebody may do, before the ids that only support needs. */
void token_reply_advise(struct arm_error *e, const char *advice);

#endif
