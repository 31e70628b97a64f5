/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt: the assertion with which a client proves that it holds its certificate's key (RFC 7523, as
 * Entra wants it): PS256 over header and claims, the certificate named by x5t#S256, and sent along
 * as x5c where that is wanted.
 */
#ifndef MDCD_JWT_H
#define MDCD_JWT_H

#include "daemon/jwt_key.h"

struct jwt_claims {
	const char *audience; /* the token endpoint's URL */
	const char *client;   /* issuer and subject */
	const char *id;       /* jti: never the same twice */
	struct wall not_before;
	struct wall expires;
	bool chain; /* not a claim: the certificate and its issuers are sent along */
};
/* The compact form; a secret. A negative errno when it cannot be made. */
int jwt_sign(const struct jwt_key *key, const struct jwt_claims *claims, char **ret) MDC_MUST_CHECK;

#endif
