/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim_socket: the listening sockets of one address: a host name may stand for several, IPv4 and
 * IPv6, which then share one port.
 */
#ifndef MDC_TEST_AZSIM_SOCKET_H
#define MDC_TEST_AZSIM_SOCKET_H

#include "tests/estate/azsim_options.h"

#define AZSIM_SOCKETS_MAX 8

struct azsim_sockets {
	int v[AZSIM_SOCKETS_MAX];
	size_t n;
	unsigned port; /* the one that was taken */
};

/* Says on stderr what is wrong and returns a negative errno. */
int azsim_sockets_open(
	const struct azsim_address *address, struct azsim_sockets *ret) MDC_MUST_CHECK;
void azsim_sockets_close(struct azsim_sockets *s);

#endif
