/* SPDX-License-Identifier: Apache-2.0 */
/* test_ca: a certificate authority for tests, made in memory, and certificates signed by it. */
#ifndef MDC_TEST_CA_H
#define MDC_TEST_CA_H

#include "lib/base/base.h"

#include <openssl/types.h>

struct test_ca;

struct test_ca *test_ca_new(const char *name);
struct test_ca *test_ca_free(struct test_ca *ca);
/* Its own certificate in PEM; the file is replaced. */
void test_ca_write(const struct test_ca *ca, const char *path);

/*
 * A server's key and certificate. `names` is in OpenSSL's form ("DNS:localhost,IP:127.0.0.1");
 * valid for a day, or expired for `days_ago` days. The caller frees both.
 */
void test_ca_issue(const struct test_ca *ca, const char *names, int days_ago, EVP_PKEY **ret_key,
	X509 **ret_certificate);

#endif
