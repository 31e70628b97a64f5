/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: inside the commands only.
 *
 *   commands.c         the table, who may, checks of arguments, running
 *   command_target.c   what an argument names: a resource, a scope, a state, …
 *   command_status.c   status, config
 *   command_partial.c  what of the estate is not known now
 *   command_devices.c  what is known of the inventories of Defender for Endpoint
 *   command_list.c     list, history
 *   command_gaps.c     gaps
 *   command_cost.c     cost
 *   command_plan.c     plan
 *   command_explain.c  explain
 *   command_preflight.c  preflight
 *   command_change.c   reconcile, pause, resume, halt, unhalt, confirm, reload
 *
 * Every answer is bounded, so that none holds the loop for long: who wants more asks for the next
 * page. Texts from outside may be anything and go through json_or_null() or json_plain().
 */
#ifndef MDCD_COMMAND_H
#define MDCD_COMMAND_H

#include "daemon/commands.h"
#include "lib/base/str.h"

/* Rows of one answer. */
#define PAGE_MOST 1000

struct command_context {
	struct daemon *daemon;
	const struct command_caller *caller;
	const json_t *arguments; /* checked against the command's table */
	struct command_error *error;
};
typedef json_t *(*command_fn)(const struct command_context *c);

/* Fills in the error and returns NULL, to be returned. */
json_t *command_fail(const struct command_context *c, const char *code, const char *unblock,
	const char *format, ...) MDC_PRINTF(4, 5);
/* The argument as text, or NULL where it was not given. */
const char *command_text(const struct command_context *c, const char *name);
/* The argument as a number, at most `most`; `standard` where it was not given. */
uint64_t command_count(
	const struct command_context *c, const char *name, uint64_t standard, uint64_t most);
bool command_has(const struct command_context *c, const char *name);

/* "2026-11-24T14:00:00Z", or null for a time that is not set or never. */
json_t *json_wall(struct wall t);
/* Bytes that are not UTF-8 are shown as \xNN. */
json_t *json_plain(const char *text);
/* The same; null for no text. */
json_t *json_or_null(const char *text);

/*
 * What an argument names: a resource id, a subscription's id or name, or a machine's name that only
 * one machine has. False with the error filled in.
 */
bool command_target(const struct command_context *c, const char *text, struct item_ref *ret);
/* The scope of an argument; *ret is NULL where it was not given. False with the error filled in. */
bool command_scope(const struct command_context *c, const struct scope_config **ret);
/*
 * Where the page before stopped: "from:place" of the argument "after", as its "next" said; "" and 0
 * where it was not given. `is_place` says what "from" may be, `command` is what to ask instead.
 * False with the error filled in.
 */
#define CURSOR_SIZE 64
struct command_cursor {
	char from[GUID_TEXT_SIZE];
	uint64_t place;
};
bool command_cursor(const struct command_context *c, const char *command,
	bool (*is_place)(const char *from), struct command_cursor *ret);
/* "a,b" as a mask of words; all of them where it was not given. False with the error filled in. */
typedef const char *(*word_fn)(unsigned n);
bool command_words(const struct command_context *c, const char *name, word_fn word, unsigned count,
	uint64_t *ret);
const char *state_word_of(unsigned n);
const char *control_word_of(unsigned n);
const char *reason_word_of(unsigned n);
/* " (did you mean \"x\"?)", or "". */
void did_you_mean(const char *written, word_fn word, unsigned count, char ret[static 96]);

/* The subscriptions in the order of their ids, NULL at the end; the caller frees the array. */
struct subscription **command_subscriptions(const struct inventory *inv);

/* One item as the lists show it. */
json_t *command_item(const struct item_ref *ref);
/* The fields in which it differs from what is wanted. */
json_t *command_differences(const struct daemon *d, const struct item_ref *ref);
/* A step of the plan, and the plan as it is now. */
json_t *command_step(const struct daemon *d, const struct step *step);
void command_build_plan(const struct daemon *d, struct plan *ret);
/* Sentences that say what is not known of a scope (NULL: of all); empty when all is. */
json_t *command_partial(const struct daemon *d, const struct scope_config *scope);
/* The inventory of Defender for Endpoint of each tenant: by whom it was read, when, how many. */
json_t *command_devices(const struct daemon *d);
/* Sentences that say which of them prove nothing now, and why; empty when all are read. */
json_t *command_unproven(const struct daemon *d);
/* What waits for `confirm`, with a token that stands for exactly that; null when nothing does. */
json_t *command_unconfirmed(const struct daemon *d);

json_t *command_status(const struct command_context *c);
json_t *command_list(const struct command_context *c);
json_t *command_gaps(const struct command_context *c);
json_t *command_cost(const struct command_context *c);
json_t *command_history(const struct command_context *c);
json_t *command_config(const struct command_context *c);
json_t *command_plan(const struct command_context *c);
json_t *command_explain(const struct command_context *c);
json_t *command_preflight(const struct command_context *c);
json_t *command_reconcile(const struct command_context *c);
json_t *command_pause(const struct command_context *c);
json_t *command_resume(const struct command_context *c);
json_t *command_halt(const struct command_context *c);
json_t *command_unhalt(const struct command_context *c);
json_t *command_confirm(const struct command_context *c);
json_t *command_reload(const struct command_context *c);

#endif
