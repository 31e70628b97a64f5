/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_key: what a client proves itself with: a private key, its certificate, and the issuers of
 * that as far as they are there. Keys are RSA.
 *
 * A file is PEM, the key possibly encrypted, in any order; or PKCS#12 (.pfx). Of several
 * certificates of the key the one that ends last counts. Others are issuers, or skipped.
 */
#ifndef MDCD_JWT_KEY_H
#define MDCD_JWT_KEY_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

#include <openssl/types.h>

struct jwt_key;

/*
 * `password` may be NULL. -EINVAL, with *ret_why a static text, for what is not a usable key with
 * its certificate. `text` has a NUL behind its `len` bytes.
 */
int jwt_key_read(const char *text, size_t len, const char *password, struct jwt_key **ret,
	const char **ret_why) MDC_MUST_CHECK;
/* Overwrites the key. */
struct jwt_key *jwt_key_free(struct jwt_key *key);

/* When the certificate ends. */
struct wall jwt_key_expires(const struct jwt_key *key);
/* Borrowed. */
EVP_PKEY *jwt_key_private(const struct jwt_key *key);
/* The certificate, then its issuers one after the other; borrowed, NULL past the last. */
const X509 *jwt_key_certificate(const struct jwt_key *key, size_t index);

#endif
