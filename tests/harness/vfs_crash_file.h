/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfs_crash_file: one file of vfs_crash: what reads back, what is on disk, and what lies between.
 * Knows nothing of SQLite.
 */
#ifndef HARNESS_VFS_CRASH_FILE_H
#define HARNESS_VFS_CRASH_FILE_H

#include "lib/base/list.h"
#include "lib/base/rng.h"
#include "tests/harness/vfs_crash.h"

#define VFS_SHARED_REGIONS_MAX 64

struct vfs_bytes {
	char *data;
	size_t len, room;
};

struct vfs_file {
	struct list link;
	char *name; /* NULL: a temporary one */
	struct vfs_bytes view, disk;
	struct list changes; /* those that are not on disk */
	bool exists, exists_on_disk;
	struct list handles;
	char *shared[VFS_SHARED_REGIONS_MAX];
};

struct vfs_file *vfs_file_new(struct list *files, const char *name);
struct vfs_file *vfs_file_free(struct vfs_file *f);
/* NULL when there never was one; it may have been removed. */
struct vfs_file *vfs_file_find(const struct list *files, const char *name);

void vfs_file_write(struct vfs_file *f, size_t offset, const void *data, size_t len);
/* Does not read back, but may have reached the disk. */
void vfs_file_write_interrupted(struct vfs_file *f, size_t offset, const void *data, size_t len);
void vfs_file_truncate(struct vfs_file *f, size_t len);
void vfs_file_remove(struct vfs_file *f);
void vfs_file_sync(struct vfs_file *f);
/* A failed sync: what was not on disk will not be by a later one. */
void vfs_file_forget_changes(struct vfs_file *f);
void vfs_file_sync_directory(struct list *files);
void vfs_file_drop_shared(struct vfs_file *f);
/* Afterwards only what is on disk is there. */
void vfs_file_restart(struct vfs_file *f, enum vfs_loss loss, struct rng *rng);

#endif
