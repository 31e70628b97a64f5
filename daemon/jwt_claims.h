/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_claims: what an access token says of whom it is for. It is meant for Azure's eyes, its form
 * may change at any time, and nobody here checks its signature: good for better advice, and for no
 * decision.
 */
#ifndef MDCD_JWT_CLAIMS_H
#define MDCD_JWT_CLAIMS_H

#include "lib/base/http_message.h"

#include <stdbool.h>

#define OBJECT_ID_SIZE 37

/* The principal's object id; false where the token does not tell. */
bool token_object_id(const char *token, char ret[static OBJECT_ID_SIZE]) MDC_MUST_CHECK;

/*
 * The claims that a refusal asks the next token to have, as JSON text; the caller's. NULL where it
 * asks for none: `Bearer …, error="insufficient_claims", claims="…"` in WWW-Authenticate.
 */
char *jwt_claims_wanted(const struct http_headers *headers);

#endif
