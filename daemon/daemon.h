/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: all parts put together in one visible order, and what concerns all of them: start,
 * reload, the watchdog, the end. main.c gives it the real world, tests/harness/ a virtual one.
 */
#ifndef MDCD_DAEMON_H
#define MDCD_DAEMON_H

#include "daemon/arm_client.h"
#include "daemon/config_file.h"
#include "daemon/devices.h"
#include "daemon/executor.h"
#include "daemon/gate.h"
#include "daemon/observer.h"
#include "daemon/preflight.h"
#include "daemon/reconciler.h"
#include "daemon/scheduler.h"
#include "daemon/store.h"
#include "daemon/tenants.h"
#include "daemon/world.h"

/* Exit statuses of mdcd. With --once: 0 in sync, 1 error, 2 drift remains. */
#define EXIT_ERROR 1
#define EXIT_DRIFT 2
#define EXIT_CONFIG 78 /* EX_CONFIG: the unit does not restart on it */

struct daemon_options {
	const char *config_path;
	bool once;             /* one pass, its corrections, and out */
	bool yes;              /* with `once`: what waits for confirmation is confirmed */
	struct dur once_limit; /* how long --once waits for what it began */
};

/* The parts; commands (commands.h) look at them, nothing else outside daemon.c changes them. */
struct daemon {
	uint32_t magic;
	const struct world *world;
	struct daemon_options options;
	struct config *config;
	char config_digest[65];
	struct wall started, configured;
	struct store *store;
	struct inventory *inventory;
	struct arm_client *client;
	struct gate *gate;
	struct tenants *tenants;
	struct reconciler *reconciler;
	struct observer *observer;
	struct devices *devices;
	struct executor *executor;
	struct scheduler *scheduler;
	struct preflight *preflight;
	struct control_socket *control;
	struct pass_report last_pass[PASS_KIND_N_];
	struct daemon_life *life; /* daemon_parts.h */
	int exit_status;
	bool stopping;
};

/*
 * Opens the store and puts everything together; takes the configuration. -errno with diags when it
 * cannot start. The world must outlive it.
 */
int daemon_new(const struct world *w, const struct daemon_options *options,
	struct config *take_config, struct diags *diags, struct daemon **ret) MDC_MUST_CHECK;
/* Begins to observe; then run the loop. */
void daemon_start(struct daemon *d);
/* Stops politely: nothing new is sent, what is on the wire is waited for, for some seconds. */
void daemon_stop(struct daemon *d);
struct daemon *daemon_free(struct daemon *d);
/* As a crash would: nothing is waited for, written down or sent any more. For tests. */
struct daemon *daemon_abandon(struct daemon *d);

struct reload_result {
	struct diags diags; /* why not, or warnings */
	struct buf changes; /* "poll/machines: 5m -> 1m" a line; empty: nothing changed */
	bool needs_restart; /* some changes wait for a restart */
};
void reload_result_fini(struct reload_result *r);
/* Reads and checks the whole configuration anew; on any error the old one stays, and -EINVAL. */
int daemon_reload(struct daemon *d, struct reload_result *ret) MDC_MUST_CHECK;

/* Options that take effect at a start only. */
enum daemon_fixed { DAEMON_FIXED_STATE, DAEMON_FIXED_SOCKET, DAEMON_FIXED_LOG, DAEMON_FIXED_N_ };
/* Those that a reload has changed and that wait for a restart; returns how many. */
size_t daemon_restart_options(const struct daemon *d, const char *ret[static DAEMON_FIXED_N_]);

/*
 * The first identity of a scope that sees no subscription of any scope, though the list was read:
 * a role is missing, or the scope names what is not there. NULL when there is none.
 */
const struct identity_config *daemon_blind_identity(const struct daemon *d);

/* In one line for people: what it is doing. */
void daemon_status_line(const struct daemon *d, struct buf *ret);
/* Gives that line to the service manager. */
void daemon_update_status(struct daemon *d);

#endif
