/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials: access tokens, one a (identity, audience), fetched once for all who wait, renewed
 * ahead of time when somebody asks, kept in memory only and wiped.
 *
 * Signing in is token_job.h's, one file a method; here is what is kept of it: the token, or for a
 * while the failure. A failed renewal does not matter while the present token is good. An identity
 * that begins to fail is logged once, and once when it gets tokens again. Tokens go to nobody but
 * the transport.
 */
#ifndef MDCD_CREDENTIALS_H
#define MDCD_CREDENTIALS_H

#include "daemon/jwt_claims.h"
#include "daemon/world.h"
#include "lib/azure/arm_error.h"
#include "lib/model/config.h"

struct credentials;
struct credential_waiter;

struct credentials *credentials_new(const struct world *w);
struct credentials *credentials_free(struct credentials *c);
/* Tokens of identities that did not change stay. Copies what it needs of `config`. */
void credentials_configure(struct credentials *c, const struct config *config);

/* Exactly one of the two is given; both are borrowed for the call. */
typedef void (*credentials_fn)(void *ctx, const struct arm_error *failure, const char *token);
/*
 * `audience` is a resource such as "https://management.azure.com". Never calls `fn` before it
 * returns. A refusal is answered from memory for 60 s (the token endpoint's own pace), trouble on
 * the way for 10 s, either for the time that a Retry-After names; a refusal no longer than the
 * files stay as they are that the identity signs in with.
 */
struct credential_waiter *credentials_get(struct credentials *c, const char *identity,
	const char *audience, credentials_fn fn, void *ctx);
/* `fn` will not be called. */
void credentials_cancel(struct credentials *c, struct credential_waiter *w);
/*
 * The token was refused: it is not given again. Does nothing when another is there already, or when
 * this one has just replaced a refused one: a third would be refused too. `claims` is what the next
 * one is to say, or NULL (jwt_claims.h).
 */
void credentials_refuse(struct credentials *c, const char *identity, const char *audience,
	const char *token, const char *claims);

/* Who the identity is, as a token that it has tells (jwt_claims.h); false where none does. */
bool credentials_object_id(const struct credentials *c, const char *identity,
	char ret[static OBJECT_ID_SIZE]) MDC_MUST_CHECK;

uint64_t credentials_requests(const struct credentials *c);
/*
 * [{"identity","method","audience","state","expires","credential_expires","warning","code",
 * "error"}], never a token; members from "expires" on as they apply. A warning says that the
 * certificate or the secret ends within 30 days, or has ended; the journal tells it 30, 7 and 1
 * days ahead. Caller owns.
 */
json_t *credentials_report(struct credentials *c);

#endif
