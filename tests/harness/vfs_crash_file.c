/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/vfs_crash_file.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define SECTOR 512

/* Something done to a file that is not on disk yet. */
struct change {
	struct list link;
	size_t offset;
	struct vfs_bytes written; /* or, with data NULL, the file was cut to `offset` */
};

/* --- contents --- */

static void bytes_resize(struct vfs_bytes *b, size_t len)
{
	if (len > b->room) {
		b->room = len < 2 * b->room ? 2 * b->room : len;
		b->data = xrealloc(b->data, b->room);
	}
	if (len > b->len)
		memset(b->data + b->len, 0, len - b->len);
	b->len = len;
}

static void bytes_write(struct vfs_bytes *b, size_t offset, const char *data, size_t len)
{
	if (offset + len > b->len)
		bytes_resize(b, offset + len);
	memcpy(b->data + offset, data, len);
}

static void bytes_copy(struct vfs_bytes *to, const struct vfs_bytes *from)
{
	bytes_resize(to, from->len);
	if (from->len > 0)
		memcpy(to->data, from->data, from->len);
}

static void change_free(struct change *c)
{
	list_remove(&c->link);
	free(c->written.data);
	free(c);
}

void vfs_file_forget_changes(struct vfs_file *f)
{
	list_for_each (&f->changes, node)
		change_free(list_entry(node, struct change, link));
}

static void note_change(struct vfs_file *f, size_t offset, const char *data, size_t len)
{
	struct change *c = xcalloc(1, sizeof(*c));

	c->offset = offset;
	if (data != NULL)
		c->written = (struct vfs_bytes){xmemdup(data, len), len, len};
	list_append(&f->changes, &c->link);
}

static void change_apply(const struct change *c, struct vfs_bytes *to)
{
	if (c->written.data == NULL)
		bytes_resize(to, c->offset < to->len ? c->offset : to->len);
	else
		bytes_write(to, c->offset, c->written.data, c->written.len);
}

static void change_apply_torn(struct rng *rng, const struct change *c, struct vfs_bytes *to)
{
	for (size_t at = 0; at < c->written.len;) {
		size_t piece = SECTOR - (c->offset + at) % SECTOR;

		if (piece > c->written.len - at)
			piece = c->written.len - at;
		if (rng_below(rng, 2) == 0)
			bytes_write(to, c->offset + at, c->written.data + at, piece);
		at += piece;
	}
}

void vfs_file_sync(struct vfs_file *f)
{
	list_for_each (&f->changes, node)
		change_apply(list_entry(node, struct change, link), &f->disk);
	vfs_file_forget_changes(f);
	f->exists_on_disk = f->exists;
}

void vfs_file_sync_directory(struct list *files)
{
	list_for_each ((struct list *)files, node) {
		struct vfs_file *f = list_entry(node, struct vfs_file, link);

		/* A file that is gone for good never gives its contents to a new one. */
		if (!f->exists)
			vfs_file_sync(f);
		f->exists_on_disk = f->exists;
	}
}

static void save_some_changes(struct rng *rng, struct vfs_file *f)
{
	list_for_each (&f->changes, node) {
		const struct change *c = list_entry(node, struct change, link);

		switch (rng_below(rng, 3)) {
		case 0: break;
		case 1: change_apply(c, &f->disk); break;
		case 2: change_apply_torn(rng, c, &f->disk); break;
		}
	}
	if (f->exists != f->exists_on_disk && rng_below(rng, 2) == 0)
		f->exists_on_disk = f->exists;
}

/* --- files --- */

struct vfs_file *vfs_file_find(const struct list *files, const char *name)
{
	list_for_each ((struct list *)files, node) {
		struct vfs_file *f = list_entry(node, struct vfs_file, link);

		if (f->name != NULL && str_equal(f->name, name))
			return f;
	}
	return NULL;
}

struct vfs_file *vfs_file_new(struct list *files, const char *name)
{
	struct vfs_file *f = xcalloc(1, sizeof(*f));

	f->name = name != NULL ? xstrdup(name) : NULL;
	list_init(&f->changes);
	list_init(&f->handles);
	list_append(files, &f->link);
	return f;
}

void vfs_file_drop_shared(struct vfs_file *f)
{
	for (unsigned i = 0; i < VFS_SHARED_REGIONS_MAX; i++) {
		free(f->shared[i]);
		f->shared[i] = NULL;
	}
}

struct vfs_file *vfs_file_free(struct vfs_file *f)
{
	vfs_file_forget_changes(f);
	vfs_file_drop_shared(f);
	list_remove(&f->link);
	free(f->view.data);
	free(f->disk.data);
	free(f->name);
	free(f);
	return NULL;
}

void vfs_file_write_interrupted(struct vfs_file *f, size_t offset, const void *data, size_t len)
{
	note_change(f, offset, data, len);
}

void vfs_file_write(struct vfs_file *f, size_t offset, const void *data, size_t len)
{
	note_change(f, offset, data, len);
	bytes_write(&f->view, offset, data, len);
}

void vfs_file_truncate(struct vfs_file *f, size_t len)
{
	if (len >= f->view.len)
		return;
	note_change(f, len, NULL, 0);
	bytes_resize(&f->view, len);
}

void vfs_file_remove(struct vfs_file *f)
{
	f->exists = false;
	vfs_file_truncate(f, 0);
}

void vfs_file_restart(struct vfs_file *f, enum vfs_loss loss, struct rng *rng)
{
	assert(list_is_empty(&f->handles));
	switch (loss) {
	case VFS_LOSE_UNSYNCED: break;
	case VFS_LOSE_NOTHING:
		/* The view, since a failed sync only takes what a power cut would take. */
		bytes_copy(&f->disk, &f->view);
		f->exists_on_disk = f->exists;
		break;
	case VFS_LOSE_SOME: save_some_changes(rng, f); break;
	case VFS_LOSS_N_: break;
	}
	vfs_file_forget_changes(f);
	vfs_file_drop_shared(f);
	f->exists = f->exists_on_disk;
	if (!f->exists)
		bytes_resize(&f->disk, 0);
	bytes_copy(&f->view, &f->disk);
}
