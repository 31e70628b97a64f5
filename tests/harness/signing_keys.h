/* SPDX-License-Identifier: Apache-2.0 */
/* signing_keys: keys with self-signed certificates, made on the spot, and what they verify. */
#ifndef MDC_TEST_SIGNING_KEYS_H
#define MDC_TEST_SIGNING_KEYS_H

#include "lib/base/base.h"

#include <jansson.h>

struct signing_keys;

struct signing_keys *signing_keys_new(unsigned rsa_bits);
struct signing_keys *signing_keys_new_ec(void);
/* Of that name; signed by `issuer`, or by itself where that is NULL; good for so many days. */
struct signing_keys *signing_keys_issue(
	const char *name, const struct signing_keys *issuer, int days);
struct signing_keys *signing_keys_free(struct signing_keys *k);

/* In PEM form: key and certificate in one, or each alone. */
const char *signing_keys_pem(const struct signing_keys *k);
const char *signing_keys_private(const struct signing_keys *k);
const char *signing_keys_certificate(const struct signing_keys *k);
/* The key encrypted, and the certificate; caller frees. */
char *signing_keys_encrypted_pem(const struct signing_keys *k, const char *password);
/*
 * Key and certificate as PKCS#12, with the issuer's certificate where one is given; `password` may
 * be NULL; caller frees.
 */
char *signing_keys_pkcs12(const struct signing_keys *k, const struct signing_keys *issuer,
	const char *password, size_t *ret_len);
/* The certificate as it stands in x5c; caller frees. */
char *signing_keys_der_base64(const struct signing_keys *k);
/* Another certificate of the same key in PEM, good for so many days; caller frees. */
char *signing_keys_renewed(const struct signing_keys *k, int days);
/* The public key in PEM; caller frees. */
char *signing_keys_public(const struct signing_keys *k);
/* A JWT with those claims, signed as others do it (RS256); caller frees. */
char *signing_keys_jwt(const struct signing_keys *k, json_t *take_claims);
/* x5t#S256 of the certificate. */
const char *signing_keys_thumbprint(const struct signing_keys *k);
/* Whether the signature of a compact JWT is PS256 with a salt of 32 bytes by this key. */
bool signing_keys_verify(const struct signing_keys *k, const char *jwt);

/* NUL-terminated; caller frees. */
char *signing_keys_decode(const char *text, size_t len, size_t *ret_len);

#endif
