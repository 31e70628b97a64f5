/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_proxy: by which proxy a request leaves, if by any: what its route says, over what the
 * environment says.
 *
 * Private to transport_*.c. Nothing here opens a connection; the file with the credentials is read
 * for each request, so that a new password is used at once.
 */
#ifndef MDCD_TRANSPORT_PROXY_H
#define MDCD_TRANSPORT_PROXY_H

#include "daemon/transport.h"

/* What the environment says; all may be NULL. */
struct proxy_environment {
	const char *variable; /* the one that named the proxy */
	char *url;
	char *no_proxy;
};
void proxy_environment_read(
	struct proxy_environment *ret, const char *(*environment)(const char *name));
void proxy_environment_fini(struct proxy_environment *e);

struct proxy_choice {
	char *url;   /* NULL: no proxy */
	char *shown; /* the same without user and password */
	char *user, *password;
	bool asked; /* the credentials come from a file that the route names */
};
/*
 * For a server of that name or address. NULL, or in words why the request cannot be sent; the
 * caller frees both.
 */
char *proxy_choose(const struct proxy_environment *e, const struct transport_route *route,
	const char *host, struct proxy_choice *ret) MDC_MUST_CHECK;
/* Wipes. */
void proxy_choice_fini(struct proxy_choice *c);

/*
 * Whether a NO_PROXY list holds that host (without brackets). Its items are divided by commas or
 * blanks: "*", names, which stand for all below them as well and may begin with "." or "*.",
 * addresses, and networks as "10.0.0.0/8".
 */
bool proxy_list_has(const char *no_proxy, const char *host);

#endif
