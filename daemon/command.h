/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: inside the commands only.
 *
 *   commands.c         the table, who may, argument checks
 *   command_view.c     status, list, history, config
 *   command_explain.c  plan, explain
 *   command_change.c   reconcile, pause, resume, halt, unhalt, confirm, reload
 */
#ifndef MDCD_COMMAND_H
#define MDCD_COMMAND_H

#include "daemon/commands.h"
#include "lib/base/str.h"

struct command_context {
	struct daemon *daemon;
	const struct command_caller *caller;
	const json_t *arguments;
	struct command_error *error;
};
typedef json_t *(*command_fn)(const struct command_context *c);

/* Fills in the error and returns NULL, to be returned. */
json_t *command_fail(const struct command_context *c, const char *code, const char *unblock,
	const char *format, ...) MDC_PRINTF(4, 5);
/* The argument as text, or NULL. */
const char *command_text(const struct command_context *c, const char *name);
/* A number up to `most`, or `standard` where it is absent. */
unsigned command_count(
	const struct command_context *c, const char *name, unsigned standard, unsigned most);

/* "2026-11-24T14:00:00Z", or null for a time that is not set or never. */
json_t *json_wall(struct wall t);
json_t *json_or_null(const char *text);

/*
 * What an argument names: a resource id, a subscription's id or name, or a machine's name that only
 * one machine has. False with the error filled in.
 */
bool command_target(const struct command_context *c, const char *text, struct item_ref *ret);

/* One item as the lists show it. */
json_t *command_item(const struct daemon *d, const struct item_ref *ref);

json_t *command_status(const struct command_context *c);
json_t *command_list(const struct command_context *c);
json_t *command_history(const struct command_context *c);
json_t *command_config(const struct command_context *c);
json_t *command_plan(const struct command_context *c);
json_t *command_explain(const struct command_context *c);
json_t *command_reconcile(const struct command_context *c);
json_t *command_pause(const struct command_context *c);
json_t *command_resume(const struct command_context *c);
json_t *command_halt(const struct command_context *c);
json_t *command_unhalt(const struct command_context *c);
json_t *command_confirm(const struct command_context *c);
json_t *command_reload(const struct command_context *c);

#endif
