/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mdcctl: the operator's command; knows nothing of the daemon but its control socket.
 *
 *   mdcctl.c         command line, the socket, exit status
 *   mdcctl_show.c    answers for people
 *   mdcctl_table.c   columns
 */
#ifndef MDCCTL_H
#define MDCCTL_H

#include "lib/base/base.h"

#include <jansson.h>

/* --- tables --- */

struct table;
/* Column titles end with NULL; a title with a leading '>' is aligned right. */
struct table *table_new(const char *const *titles);
struct table *table_free(struct table *t);
/* As many texts as columns; NULL is shown as "-". Copied, and escaped where they are not plain. */
void table_row(struct table *t, const char *const *texts);
/* Titles only where there are rows. `width` 0: lines are not cut. */
void table_print(const struct table *t, unsigned width);

/* --- answers --- */

/* Prints the result of a command. Returns the exit status of mdcctl. */
int show_answer(const char *command, const json_t *result);

#endif
