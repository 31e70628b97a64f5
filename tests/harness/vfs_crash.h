/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfs_crash: a file system for SQLite that lives in memory and keeps apart what was written from
 * what would be found after a power cut. It stays while the program under test is "restarted" in
 * the same process.
 *
 * A write reaches the disk at the file's next sync; until then a cut may lose it, keep it, or keep
 * some of its sectors. A new file is found again once it was synced, as on the usual file systems;
 * that others were made or deleted is on disk once the directory is synced, which the first sync of
 * a new journal or log does too. A sync that fails takes its writes with it: they still read back,
 * and a later sync does not save them, as Linux does. Several connections may have a file open,
 * also in several threads; locks and shared memory work as on a real system.
 */
#ifndef HARNESS_VFS_CRASH_H
#define HARNESS_VFS_CRASH_H

#include "lib/base/base.h"

struct vfs_crash;

/* Registers under `name`, which outlives it. `seed` decides what a cut keeps. */
struct vfs_crash *vfs_crash_new(const char *name, uint64_t seed);
struct vfs_crash *vfs_crash_free(struct vfs_crash *v);

enum vfs_fault {
	VFS_POWER_CUT, /* counts what changes something: writes, syncs, deletions, … */
	VFS_IO_ERROR,  /* counts every access, also reads, locks and openings */
	VFS_DISK_FULL, /* counts writes */
	VFS_FAULT_N_
};
/* How many of the operations that `fault` counts there were. */
uint64_t vfs_crash_count(const struct vfs_crash *v, enum vfs_fault fault);
/*
 * The `at`-th such operation from now on (1 is the next) and the times - 1 after it fail. After a
 * power cut everything fails until vfs_crash_restart().
 */
void vfs_crash_arm(struct vfs_crash *v, enum vfs_fault fault, uint64_t at, uint64_t times);
void vfs_crash_disarm(struct vfs_crash *v);
/* Whether an operation has failed since the fault was armed. */
bool vfs_crash_struck(const struct vfs_crash *v);

enum vfs_loss {
	VFS_LOSE_UNSYNCED, /* all of it */
	VFS_LOSE_NOTHING,  /* only the process died */
	VFS_LOSE_SOME,     /* each write, or each of its sectors, by chance */
	VFS_LOSS_N_
};
/* Whatever was open must be closed. Also heals every fault. */
void vfs_crash_restart(struct vfs_crash *v, enum vfs_loss loss);

#endif
