/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_socket: the Unix socket on which mdcctl asks. One JSON object a line, one line back:
 *
 *   {"command": "explain", "arguments": {"target": "web1"}}
 *   {"ok": true, "result": {…}}
 *   {"ok": false, "error": {"code": "not-found", "message": "…", "unblock": "…"}}
 *
 * Requests may be sent ahead; they are answered in order, and the next one is begun when the answer
 * before it has been taken: who does not read cannot make the daemon hold more than one answer.
 *
 * What a command changes in the store alone is answered once it is on disk (command_is_kept());
 * after ten seconds, or with a disk in trouble, the answer says that it is not.
 *
 * Everybody may connect. Who asks is taken from the kernel (control_peer.h); who may not even look
 * is told so and let go. Lines, answers and connections are capped, and some of the connections are
 * kept for those who may change things.
 */
#ifndef MDCD_CONTROL_SOCKET_H
#define MDCD_CONTROL_SOCKET_H

#include "daemon/world.h"
#include "lib/base/diag.h"

struct control_socket;
struct daemon;

/*
 * Replaces a socket that nobody listens on. -EADDRINUSE where somebody does, -EEXIST for another
 * kind of file; why is in `diags`.
 */
int control_socket_open(const struct world *w, const char *path, struct daemon *d,
	struct diags *diags, struct control_socket **ret) MDC_MUST_CHECK;
/* Closes all connections and removes the socket. */
struct control_socket *control_socket_close(struct control_socket *s);
/* Connections that are open. */
unsigned control_socket_connections(const struct control_socket *s);

#endif
