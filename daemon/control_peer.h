/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_peer: who is at the other end of a Unix socket, as the kernel tells it, and what that
 * one may do: root, the daemon's own user and members of mdcd-admin may change things, members of
 * mdcd may look.
 *
 * The groups are looked up once. Names of users may come from a directory service that takes its
 * time: they are asked for in a child process (getent) and remembered; until then, and without an
 * answer, a user is a number.
 */
#ifndef MDCD_CONTROL_PEER_H
#define MDCD_CONTROL_PEER_H

#include "daemon/world.h"

#include <sys/types.h>

struct control_peers;

struct control_peer {
	uid_t uid;
	bool may_read, may_change;
};

/* `known` is called when the name of a user was found, or will not be. */
struct control_peers *control_peers_new(
	const struct world *w, void (*known)(void *ctx, uid_t uid), void *ctx);
struct control_peers *control_peers_free(struct control_peers *p);

int control_peer_identify(
	const struct control_peers *p, int fd, struct control_peer *ret) MDC_MUST_CHECK;

#define CONTROL_PEER_NAME 96
/* "alice (uid 1000)"; false while the name is being looked up, which this begins. */
bool control_peer_name(
	struct control_peers *p, uid_t uid, char ret[static CONTROL_PEER_NAME]) MDC_MUST_CHECK;

#endif
