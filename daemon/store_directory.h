/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_directory: the state directory: made if it is missing, locked for one process, and the two
 * things in it that are not the database: the lock file and the chain's checkpoint.
 *
 * The checkpoint is one line, "mdcd-checkpoint SEQ SHA256 TIME", replaced whole: written aside,
 * synced, renamed, and the directory synced.
 */
#ifndef MDCD_STORE_DIRECTORY_H
#define MDCD_STORE_DIRECTORY_H

#include "daemon/store_chain.h"
#include "lib/base/diag.h"
#include "lib/base/tick.h"

struct store_directory {
	char *path;
	char *database; /* the path of the database in it */
	int fd;
	int lock;
};
#define STORE_DIRECTORY_INIT ((struct store_directory){.fd = -1, .lock = -1})

/* -EAGAIN with the holder named in `diags` when another process has it. */
int store_directory_open(
	struct store_directory *d, const char *path, struct diags *diags) MDC_MUST_CHECK;
/* The same without the lock and without making anything, for one who only reads. */
int store_directory_look(
	struct store_directory *d, const char *path, struct diags *diags) MDC_MUST_CHECK;
void store_directory_close(struct store_directory *d);

/* The database file with the owner's and group's rights; its contents are SQLite's. */
int store_directory_touch(const struct store_directory *d) MDC_MUST_CHECK;
/* Gives the database another name, so that a new one can be made; `ret_name` is freed by caller. */
int store_directory_set_aside(
	const struct store_directory *d, struct wall now, char **ret_name) MDC_MUST_CHECK;

enum checkpoint_file { CHECKPOINT_ABSENT, CHECKPOINT_PRESENT, CHECKPOINT_UNREADABLE };
/* One of enum checkpoint_file, or -errno when it exists but cannot be opened. */
int store_directory_checkpoint(
	const struct store_directory *d, struct chain_point *ret) MDC_MUST_CHECK;
int store_directory_save_checkpoint(const struct store_directory *d,
	const struct chain_point *point, struct wall at) MDC_MUST_CHECK;

#endif
