/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: all ways out of the daemon in one place. main.c fills it with the real implementations,
 * tests/harness/ with virtual ones.
 */
#ifndef MDCD_WORLD_H
#define MDCD_WORLD_H

#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/transport.h"

struct sqlite3_vfs;

/*
 * Reads a whole file that may be a secret. Regular files only (-EINVAL), links to them are
 * followed; -EFBIG above `cap` bytes; -EAGAIN when it is being written all the time. NUL-terminated
 * beyond *ret_len. Caller wipes and frees.
 */
struct secret_files {
	int (*read)(
		struct secret_files *f, const char *path, size_t cap, char **ret, size_t *ret_len);
	/* The same for a path that somebody else named: -ELOOP where it is a link. */
	int (*read_unlinked)(
		struct secret_files *f, const char *path, size_t cap, char **ret, size_t *ret_len);
	/* Something that changes when the file does; -errno. */
	int (*version)(struct secret_files *f, const char *path, uint64_t *ret);
};

/* Random bytes for ids, jti and salts; the test one is seeded. */
struct random_source {
	void (*fill)(struct random_source *r, void *data, size_t len);
};
/* A version 4 GUID. */
void random_guid(struct random_source *r, char ret[static 37]);

/*
 * Child processes (the Azure CLI): run without a shell, found in PATH, with nothing to read, in a
 * process group of their own, which dies with them. `run` gives -errno when it cannot start one.
 * `cancel` kills one of which `done` was not called yet, and it never will be.
 * `done` is called exactly once, later, with one of
 *   0            and what it wrote to stdout
 *   1 to 255     its exit status (128 + signal), and the beginning of what it wrote to stderr
 *   -ETIMEDOUT   not done within `limit`, killed; output as above
 *   -EFBIG       more than `cap` bytes on stdout, killed; output as above
 * The output is wiped after the call.
 */
struct child_process;
struct child_order {
	const char *const *argv; /* borrowed for the call */
	struct dur limit;
	size_t cap;
	void (*done)(void *ctx, int exit_status, const char *output);
	void *ctx;
};
struct child_processes {
	int (*run)(struct child_processes *c, const struct child_order *order,
		struct child_process **ret);
	void (*cancel)(struct child_processes *c, struct child_process *child);
};

struct world {
	struct loop *loop;
	struct transport *transport;
	struct log *log;
	struct notify *notify;
	struct secret_files *secrets;
	struct random_source *random;
	struct child_processes *children;
	const char *store_vfs; /* name of the SQLite VFS, or NULL for the system's */
	bool store_threaded;   /* false: the store works inside the loop (virtual time) */
	const char *(*environment)(const char *name); /* getenv */
};

/* The real ones for what has no header of its own. */
struct secret_files *secret_files_system(void);
struct random_source *random_source_system(void);
struct child_processes *child_processes_system(struct loop *l);
/* Kills those that run; `done` is not called for them. Only for what child_processes_system gave.
 */
struct child_processes *child_processes_system_free(struct child_processes *c);

#endif
