/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands: what an operator may ask or tell the daemon. One row a command in one table; each is a
 * function of the daemon and its arguments, so that tests need no socket.
 */
#ifndef MDCD_COMMANDS_H
#define MDCD_COMMANDS_H

#include "daemon/daemon.h"

#include <jansson.h>

struct command_caller {
	const char *name; /* for the journal: "alice (uid 1000)" */
	bool may_read, may_change;
};

/* Why a command was refused, and the command that would unblock it ("" if there is none). */
struct command_error {
	/* "usage", "denied", "not-found", "ambiguous", "changed", "failed"; "busy" by the socket */
	const char *code;
	char message[8192];
	char unblock[256];
};

/* The result, owned by the caller, or NULL with *error filled in. Never blocks. */
json_t *command_run(struct daemon *d, const struct command_caller *caller, const char *command,
	const json_t *arguments, struct command_error *error);
/*
 * What it changes is in the store alone, and in force at once: its answer has to wait until that is
 * durable, for a restart must not undo what was answered.
 */
bool command_is_kept(const char *command);

#endif
