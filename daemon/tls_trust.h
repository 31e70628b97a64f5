/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_trust: which certificate authorities a server's certificate may come from: the system's, and
 * added to them those of a configured file. One OpenSSL store a file, made once and shared by all
 * connections, and made anew when the file changes.
 *
 * libcurl alone would read the system's bundle again for every connection, and a file given to it
 * takes the place of the system's.
 */
#ifndef MDCD_TLS_TRUST_H
#define MDCD_TLS_TRUST_H

#include "lib/base/base.h"

#include <openssl/types.h>

struct tls_trust;

struct tls_trust *tls_trust_new(void);
struct tls_trust *tls_trust_free(struct tls_trust *t);
/*
 * `ca_file` NULL: the system's alone. The caller gives the store back with X509_STORE_free().
 * -errno when the file cannot be read, -EFBIG above 1 MiB, -EBADMSG without a certificate in it.
 */
int tls_trust_get(struct tls_trust *t, const char *ca_file, X509_STORE **ret) MDC_MUST_CHECK;

#endif
