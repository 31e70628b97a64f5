/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_socket: the Unix socket on which mdcctl asks. One JSON object a line, one line back:
 *
 *   {"command": "explain", "arguments": {"target": "web1"}}
 *   {"ok": true, "result": {…}}
 *   {"ok": false, "error": {"code": "not-found", "message": "…", "unblock": "…"}}
 *
 * Who asks is taken from the kernel: root, the daemon's own user and the group mdcd-admin may
 * change things, the group mdcd may read. Lines, connections and answers are capped.
 */
#ifndef MDCD_CONTROL_SOCKET_H
#define MDCD_CONTROL_SOCKET_H

#include "daemon/world.h"

struct control_socket;
struct daemon;

/* Replaces a socket that nobody listens on; -EADDRINUSE where somebody does. */
int control_socket_open(const struct world *w, const char *path, struct daemon *d,
	struct control_socket **ret) MDC_MUST_CHECK;
/* Closes all connections and removes the socket. */
struct control_socket *control_socket_close(struct control_socket *s);

#endif
