/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect_proxy: an HTTP proxy on loopback that knows CONNECT and nothing else, and that finds
 * every host on this machine. What it is told to refuse or to do wrong, it does.
 */
#ifndef MDC_TEST_CONNECT_PROXY_H
#define MDC_TEST_CONNECT_PROXY_H

#include "tests/harness/test_ca.h"

struct connect_proxy;

struct connect_proxy_options {
	const struct test_ca
		*ca; /* an https proxy with a certificate of that authority; NULL: http */
	const char *credentials; /* in base64, as they are sent; NULL: wants none */
	const char *says;        /* in place of an answer of its own; then it hangs up */
	bool hangs;              /* takes requests and never answers */
};

struct connect_proxy *connect_proxy_new(const struct connect_proxy_options *options);
struct connect_proxy *connect_proxy_free(struct connect_proxy *p);
/* "http://127.0.0.1:…" or "https://localhost:…". */
const char *connect_proxy_url(const struct connect_proxy *p);
/* What it was asked, well or not. */
unsigned connect_proxy_requests(const struct connect_proxy *p);
/* The head of the last request; caller frees. */
char *connect_proxy_last(struct connect_proxy *p);

#endif
