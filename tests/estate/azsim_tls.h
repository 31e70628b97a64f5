/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim_tls: a test authority of our own and the server's certificate. Both are made on the first
 * start and used again while they are valid, so that clients keep trusting the same authority. A
 * server certificate that lacks a name is made anew by the same authority.
 *
 * In the directory: ca.pem (what clients trust), ca-key.pem, server.pem, server-key.pem; keys are
 * readable by their owner alone.
 */
#ifndef MDC_TEST_AZSIM_TLS_H
#define MDC_TEST_AZSIM_TLS_H

#include "lib/base/base.h"

struct azsim_tls {
	char *certificate; /* PEM, for the server */
	char *key;
	char *ca_file;
};

/* Names are host names or addresses in text. Says on stderr what is wrong; -EIO and others. */
int azsim_tls_open(const char *dir, const char *const *names, size_t count,
	struct azsim_tls *ret) MDC_MUST_CHECK;
void azsim_tls_fini(struct azsim_tls *t);

#endif
