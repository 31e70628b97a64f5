/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt: the assertion with which a client proves that it holds its certificate's key (RFC 7523, as
 * Entra wants it): PS256 over header and claims, the certificate named by x5t#S256.
 *
 * Keys are RSA. A file holds the private key and its certificate in PEM form, the key possibly
 * encrypted; other certificates in it are skipped.
 */
#ifndef MDCD_JWT_H
#define MDCD_JWT_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

struct jwt_key;

/*
 * `password` may be NULL. -EINVAL, with *ret_why a static text, for what is not a usable key with
 * its certificate.
 */
int jwt_key_read(const char *text, size_t len, const char *password, struct jwt_key **ret,
	const char **ret_why) MDC_MUST_CHECK;
/* Overwrites the key. */
struct jwt_key *jwt_key_free(struct jwt_key *key);

struct jwt_claims {
	const char *audience; /* the token endpoint's URL */
	const char *client;   /* issuer and subject */
	const char *id;       /* jti: never the same twice */
	struct wall not_before;
	struct wall expires;
};
/* The compact form; a secret. A negative errno when it cannot be made. */
int jwt_sign(const struct jwt_key *key, const struct jwt_claims *claims, char **ret) MDC_MUST_CHECK;

#endif
