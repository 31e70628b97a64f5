/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_parts: inside the daemon only.
 *
 *   daemon.c         the parts and who asks whom, the beginning, the end
 *   daemon_reload.c  another configuration
 *   daemon_house.c   what is done once a minute; the status line
 */
#ifndef MDCD_DAEMON_PARTS_H
#define MDCD_DAEMON_PARTS_H

#include "daemon/daemon.h"

#define DAEMON_MAGIC 0xdae301c1u

struct daemon_life {
	struct watchdog *watchdog;
	struct once *once;
	struct loop_timer *housekeeping;
	struct loop_timer *stop_timer;
	struct mono stop_until;
	struct store_checkpoint checkpoint; /* last one told to the journal */
	struct wall checkpoint_at;
	bool store_was_healthy;
	struct wall expired_told; /* when it was last told what has ended; WALL_UNSET: tell it */
	bool reload_failed;       /* the last one did: what is in force is not what is written */
	/* As they were at the start: what these options say now waits for a restart. */
	char *fixed[DAEMON_FIXED_N_];
};

/* Every part lets go of the old configuration before it is freed by the caller. */
void daemon_apply_config(struct daemon *d);
/* Remembers the options that take effect at a start only. */
void daemon_fix_options(struct daemon *d);
/* An entry of that kind for each warning. */
void daemon_tell_warnings(struct daemon *d, enum log_message kind, const struct diags *diags);

/* A timer's: again every minute. */
void daemon_keep_house(void *daemon);
/* Tells the journal when the store fails, and when it works again. */
void daemon_look_at_store(struct daemon *d);
/* The checkpoint of the history, where it is not the last one told. */
void daemon_tell_checkpoint(struct daemon *d);

#endif
