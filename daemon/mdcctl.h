/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mdcctl: the operator's command; knows nothing of the daemon but its control socket.
 *
 *   mdcctl.c           main: from the command line to the exit status
 *   mdcctl_options.c   the commands and their options; help
 *   mdcctl_link.c      the socket; answers in pages
 *   mdcctl_confirm.c   the dialogue of `confirm`
 *   mdcctl_preflight.c preflight: waits for it, shows it
 *   mdcctl_show.c      answers for people: which function shows which; the short ones
 *   mdcctl_status.c    status
 *   mdcctl_plan.c      plan
 *   mdcctl_items.c     explain, list, history
 *   mdcctl_gaps.c      gaps
 *   mdcctl_cost.c      cost
 *   mdcctl_csv.c       rows for spreadsheets
 *   mdcctl_text.c      times, colours, texts from outside
 *   mdcctl_table.c     columns
 *
 * Answers go to stdout, everything else to stderr. Texts from outside are escaped on the way.
 */
#ifndef MDCCTL_H
#define MDCCTL_H

#include "lib/base/base.h"
#include "lib/base/buf.h"
#include "lib/base/tick.h"

#include <jansson.h>
#include <stdio.h>

#define EXIT_TROUBLE 1
#define EXIT_CHANGES 2 /* of `plan` and `preflight` */

/* --- the command line --- */

enum output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_NAME, OUTPUT_JSON, OUTPUT_CSV };

struct request {
	const char *socket;
	enum output output;
	bool yes;
	bool role;           /* of `preflight`: the role instead, by the daemon's program */
	const char *command; /* as in the daemon's table, or "config-check" */
	const char *file;    /* of `config check` and `preflight --role` */
	json_t *arguments;
	uint64_t limit; /* rows; 0: as usual */
};
/* 0; 1 when all is said (help, version); -EINVAL after the reason went to stderr. */
int request_read(int argc, char **argv, struct request *ret) MDC_MUST_CHECK;
void request_fini(struct request *r);

/* --- the daemon --- */

struct link;

/* NULL after the reason went to stderr. */
struct link *link_open(const char *path);
struct link *link_close(struct link *l);
/* The result, or NULL after the refusal went to stderr. Borrows `arguments`, which may be NULL. */
json_t *link_ask(struct link *l, const char *command, json_t *arguments);
/* The same, with as many pages as the request's limit needs put together. */
json_t *link_ask_all(struct link *l, const struct request *r);

/* Begins a preflight and waits for its report; NULL as with link_ask(). */
json_t *preflight(struct link *l);

/* Shows what would be confirmed, asks, confirms. Returns the exit status. */
int confirm(struct link *l, const struct request *r);

/* --- answers for people --- */

struct screen {
	FILE *out;
	unsigned width; /* columns; 0: lines are not cut */
	bool colour;
	enum output output;
};
/* What stdout is: colour only on a terminal, and without NO_COLOR. */
void screen_init(struct screen *s, enum output output);

/* Shows the result of a command. Returns the exit status. */
int show_answer(const struct screen *s, const char *command, const json_t *result);
int show_status(const struct screen *s, const json_t *status);
int show_plan(const struct screen *s, const json_t *plan);
/* Sums by control and what holds them: the head of a plan. */
void show_plan_summary(const struct screen *s, const json_t *plan);
int show_explanation(const struct screen *s, const json_t *explanation);
int show_list(const struct screen *s, const json_t *list);
int show_inventory_gaps(const struct screen *s, const json_t *gaps);
int show_cost(const struct screen *s, const json_t *cost);
/* To stderr: what an answer says that it does not know. */
void tell_unproven(const json_t *answer);
int show_history(const struct screen *s, const json_t *history);
int show_preflight(const struct screen *s, const json_t *report);
/* The exit status of a plan, whatever its output; says so where it cannot be told. */
int plan_status(const json_t *plan);
int preflight_status(const json_t *report);

/* --- texts --- */

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BUSY, COLOUR_BAD, COLOUR_FAINT, COLOUR_STRONG };
const char *colour_begin(const struct screen *s, enum colour c);
const char *colour_end(const struct screen *s, enum colour c);
/* What a state's word looks like. */
enum colour colour_of_state(const char *word);

/* "" for what is not there. */
const char *text_of(const json_t *object, const char *key);
json_int_t number_of(const json_t *object, const char *key);
/* The name of an item's resource: the machine's, or the subscription's. */
const char *name_of(const json_t *row);
/* Appends it escaped. */
void add_text(struct buf *b, const char *text);
/* "key            value", escaped; nothing for no value. */
void say(const struct screen *s, const char *key, const char *value);
void say_coloured(const struct screen *s, enum colour c, const char *key, const char *value);

#define AGE_TEXT_SIZE 64
/*
 * A time beside the answer's "now", in words: "3 min ago", "in 2 h", or "" where there is none.
 */
void age_of(const json_t *answer, const json_t *object, const char *key,
	char ret[static AGE_TEXT_SIZE]);
/* "2026-11-24T14:00:00Z (3 min ago)". */
void time_of(const json_t *answer, const json_t *object, const char *key,
	char ret[static AGE_TEXT_SIZE]);
/* "1,204". */
#define COUNT_TEXT_SIZE 32
void count_format(json_int_t n, char ret[static COUNT_TEXT_SIZE]);

/* --- tables --- */

struct table;
/* Column titles end with NULL; a title with a leading '>' is aligned right. */
struct table *table_new(const char *const *titles);
struct table *table_free(struct table *t);
/* The cells of that column are coloured by what they say. */
void table_colour(struct table *t, const char *title, enum colour (*colour)(const char *cell));
/* As many texts as columns; NULL and "" are shown as "-". Copied, and escaped. */
void table_row(struct table *t, const char *const *texts);
/* Members of rows; `columns` ends with NULL. */
void csv_print(const struct screen *s, const char *const *columns, const json_t *rows);

/* Titles only where there are rows. */
void table_print(const struct table *t, const struct screen *s);

#endif
