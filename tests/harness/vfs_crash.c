/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/vfs_crash.h"

#include "daemon/store_schema.h"
#include "lib/base/list.h"
#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/vfs_crash_file.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

struct vfs_crash {
	sqlite3_vfs vfs;
	pthread_mutex_t lock;
	struct rng rng;
	struct list files;
	uint64_t count[VFS_FAULT_N_];
	enum vfs_fault fault;
	uint64_t from, until; /* of that fault's count; 0: not armed */
	bool struck, cut;
};

/* What SQLite holds. */
struct handle {
	sqlite3_file base;
	struct vfs_crash *v;
	struct vfs_file *file;
	struct list link;
	int level; /* SQLITE_LOCK_… */
	unsigned shm_shared, shm_exclusive;
	bool shm_mapped, delete_on_close;
	bool syncs_directory; /* with its next sync */
};

/* --- faults --- */

enum access { ACCESS_LOOK, ACCESS_CHANGE, ACCESS_WRITE };

static bool strikes(struct vfs_crash *v, enum vfs_fault fault)
{
	uint64_t n = ++v->count[fault];

	if (v->fault != fault || n < v->from || n >= v->until)
		return false;
	v->struck = true;
	v->cut = v->cut || fault == VFS_POWER_CUT;
	return true;
}

/* The result code with which this access fails, or SQLITE_OK. `error` is for an I/O error. */
static int access_fails(struct vfs_crash *v, enum access access, int error)
{
	bool cut, io, full;

	if (v->cut)
		return error;
	io = strikes(v, VFS_IO_ERROR);
	full = access == ACCESS_WRITE && strikes(v, VFS_DISK_FULL);
	cut = access != ACCESS_LOOK && strikes(v, VFS_POWER_CUT);
	if (io || cut)
		return error;
	return full ? SQLITE_FULL : SQLITE_OK;
}

/* --- what SQLite calls on a file --- */

static struct handle *enter(sqlite3_file *base)
{
	struct handle *h = (struct handle *)base;

	pthread_mutex_lock(&h->v->lock);
	return h;
}

static int leave(struct handle *h, int code)
{
	pthread_mutex_unlock(&h->v->lock);
	return code;
}

static int file_close(sqlite3_file *base)
{
	struct handle *h = enter(base);
	struct vfs_file *f = h->file;

	list_remove(&h->link);
	if (f->name == NULL)
		vfs_file_free(f);
	else if (h->delete_on_close)
		vfs_file_remove(f);
	return leave(h, SQLITE_OK);
}

static int file_read(sqlite3_file *base, void *to, int len, sqlite3_int64 offset)
{
	struct handle *h = enter(base);
	const struct vfs_bytes *view = &h->file->view;
	size_t at = (size_t)offset, want = (size_t)len, have = 0;
	int code = access_fails(h->v, ACCESS_LOOK, SQLITE_IOERR_READ);

	if (code != SQLITE_OK)
		return leave(h, code);
	if (at < view->len)
		have = view->len - at < want ? view->len - at : want;
	if (have > 0)
		memcpy(to, view->data + at, have);
	memset((char *)to + have, 0, want - have);
	return leave(h, have < want ? SQLITE_IOERR_SHORT_READ : SQLITE_OK);
}

/* A write that the power cut interrupts may be there in part. */
static int file_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 offset)
{
	struct handle *h = enter(base);
	bool was_cut = h->v->cut;
	int code = access_fails(h->v, ACCESS_WRITE, SQLITE_IOERR_WRITE);

	if (code == SQLITE_OK)
		vfs_file_write(h->file, (size_t)offset, data, (size_t)len);
	else if (was_cut != h->v->cut)
		vfs_file_write_interrupted(h->file, (size_t)offset, data, (size_t)len);
	return leave(h, code);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct handle *h = enter(base);
	int code = access_fails(h->v, ACCESS_CHANGE, SQLITE_IOERR_TRUNCATE);

	if (code == SQLITE_OK)
		vfs_file_truncate(h->file, (size_t)size);
	return leave(h, code);
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct handle *h = enter(base);
	bool was_cut = h->v->cut;
	int code = access_fails(h->v, ACCESS_CHANGE, SQLITE_IOERR_FSYNC);

	(void)flags;
	if (code == SQLITE_OK) {
		vfs_file_sync(h->file);
		if (h->syncs_directory)
			vfs_file_sync_directory(&h->v->files);
		h->syncs_directory = false;
	} else if (!was_cut && !h->v->cut) {
		vfs_file_forget_changes(h->file);
	}
	return leave(h, code);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret)
{
	struct handle *h = enter(base);
	int code = access_fails(h->v, ACCESS_LOOK, SQLITE_IOERR_FSTAT);

	if (code == SQLITE_OK)
		*ret = (sqlite3_int64)h->file->view.len;
	return leave(h, code);
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
	struct handle *h;
	int code;

	(void)arg;
	if (op != STORE_FCNTL_SYNC_DIRECTORY)
		return SQLITE_NOTFOUND;
	h = enter(base);
	code = access_fails(h->v, ACCESS_CHANGE, SQLITE_IOERR_DIR_FSYNC);
	if (code == SQLITE_OK)
		vfs_file_sync_directory(&h->v->files);
	return leave(h, code);
}

static int file_sector_size(sqlite3_file *base)
{
	(void)base;
	return 4096;
}

/* As SQLite assumes of every real disk: a torn write harms nothing beside itself. */
static int file_characteristics(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- locks --- */

static int highest_level_of_others(const struct handle *h)
{
	int highest = SQLITE_LOCK_NONE;

	list_for_each (&h->file->handles, node) {
		const struct handle *other = list_entry(node, struct handle, link);

		if (other != h && other->level > highest)
			highest = other->level;
	}
	return highest;
}

static int lock_level(struct handle *h, int level)
{
	int others = highest_level_of_others(h);

	if (level == SQLITE_LOCK_SHARED && others >= SQLITE_LOCK_PENDING)
		return SQLITE_BUSY;
	if (level == SQLITE_LOCK_RESERVED && others >= SQLITE_LOCK_RESERVED)
		return SQLITE_BUSY;
	if (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
		if (others < SQLITE_LOCK_RESERVED)
			h->level = SQLITE_LOCK_PENDING;
		return SQLITE_BUSY;
	}
	h->level = level;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
	struct handle *h = enter(base);
	int code = access_fails(h->v, ACCESS_LOOK, SQLITE_IOERR_LOCK);

	if (code == SQLITE_OK && level > h->level)
		code = lock_level(h, level);
	return leave(h, code);
}

static int file_unlock(sqlite3_file *base, int level)
{
	struct handle *h = enter(base);

	if (level < h->level)
		h->level = level;
	return leave(h, SQLITE_OK);
}

static int file_check_reserved(sqlite3_file *base, int *ret)
{
	struct handle *h = enter(base);

	*ret = highest_level_of_others(h) >= SQLITE_LOCK_RESERVED;
	return leave(h, SQLITE_OK);
}

/* --- shared memory --- */

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret)
{
	struct handle *h = enter(base);
	struct vfs_file *f = h->file;
	int code = access_fails(h->v, ACCESS_LOOK, SQLITE_IOERR_SHMMAP);

	*ret = NULL;
	if (code != SQLITE_OK)
		return leave(h, code);
	if (region >= VFS_SHARED_REGIONS_MAX)
		return leave(h, SQLITE_IOERR_SHMSIZE);
	h->shm_mapped = true;
	if (f->shared[region] == NULL && extend)
		f->shared[region] = xcalloc(1, (size_t)size);
	*ret = f->shared[region];
	return leave(h, SQLITE_OK);
}

static int shm_take(struct handle *h, unsigned mask, bool exclusive)
{
	list_for_each (&h->file->handles, node) {
		const struct handle *other = list_entry(node, struct handle, link);

		if (other != h &&
			((other->shm_exclusive & mask) != 0 ||
				(exclusive && (other->shm_shared & mask) != 0)))
			return SQLITE_BUSY;
	}
	if (exclusive)
		h->shm_exclusive |= mask;
	else
		h->shm_shared |= mask;
	return SQLITE_OK;
}

static int shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
	struct handle *h = enter(base);
	unsigned mask = ((1u << n) - 1) << offset;
	int code;

	if (flags & SQLITE_SHM_UNLOCK) {
		if (flags & SQLITE_SHM_SHARED)
			h->shm_shared &= ~mask;
		else
			h->shm_exclusive &= ~mask;
		return leave(h, SQLITE_OK);
	}
	code = access_fails(h->v, ACCESS_LOOK, SQLITE_IOERR_SHMLOCK);
	if (code == SQLITE_OK)
		code = shm_take(h, mask, (flags & SQLITE_SHM_EXCLUSIVE) != 0);
	return leave(h, code);
}

static void shm_barrier(sqlite3_file *base)
{
	leave(enter(base), SQLITE_OK);
	__sync_synchronize();
}

static int shm_unmap(sqlite3_file *base, int delete)
{
	struct handle *h = enter(base);
	bool mapped = false;

	(void)delete;
	h->shm_mapped = false;
	h->shm_shared = h->shm_exclusive = 0;
	list_for_each (&h->file->handles, node)
		mapped = mapped || list_entry(node, struct handle, link)->shm_mapped;
	if (!mapped)
		vfs_file_drop_shared(h->file);
	return leave(h, SQLITE_OK);
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

/* --- what SQLite calls on the file system --- */

static struct vfs_crash *vfs_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static bool is_missing(struct vfs_crash *v, const char *name)
{
	const struct vfs_file *f = name != NULL ? vfs_file_find(&v->files, name) : NULL;

	return f == NULL || !f->exists;
}

static int open_file(struct vfs_crash *v, const char *name, int flags, struct vfs_file **ret)
{
	struct vfs_file *f = name != NULL ? vfs_file_find(&v->files, name) : NULL;
	bool creates = is_missing(v, name);
	int code;

	if (creates && (flags & SQLITE_OPEN_CREATE) == 0)
		return SQLITE_CANTOPEN;
	code = access_fails(v, creates ? ACCESS_CHANGE : ACCESS_LOOK, SQLITE_CANTOPEN);
	if (code != SQLITE_OK)
		return code;
	if (f == NULL)
		f = vfs_file_new(&v->files, name);
	f->exists = true;
	*ret = f;
	return SQLITE_OK;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret)
{
	struct vfs_crash *v = vfs_of(vfs);
	struct handle *h = (struct handle *)base;
	bool creates;
	int code;

	memset(h, 0, sizeof(*h));
	pthread_mutex_lock(&v->lock);
	creates = is_missing(v, name);
	code = open_file(v, name, flags, &h->file);
	if (code == SQLITE_OK) {
		h->base.pMethods = &file_methods;
		h->v = v;
		h->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
		/* As SQLite's own for Unix: for journals and logs, not for the database. */
		h->syncs_directory =
			creates && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
		list_append(&h->file->handles, &h->link);
		if (ret != NULL)
			*ret = flags;
	}
	pthread_mutex_unlock(&v->lock);
	return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	struct vfs_crash *v = vfs_of(vfs);
	struct vfs_file *f;
	int code;

	pthread_mutex_lock(&v->lock);
	f = vfs_file_find(&v->files, name);
	code = access_fails(v, ACCESS_CHANGE, SQLITE_IOERR_DELETE);
	if (code == SQLITE_OK && (f == NULL || !f->exists))
		code = SQLITE_IOERR_DELETE_NOENT;
	if (code == SQLITE_OK)
		vfs_file_remove(f);
	if (code == SQLITE_OK && sync_directory)
		vfs_file_sync_directory(&v->files);
	pthread_mutex_unlock(&v->lock);
	return code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	struct vfs_crash *v = vfs_of(vfs);
	const struct vfs_file *f;
	int code;

	pthread_mutex_lock(&v->lock);
	code = access_fails(v, ACCESS_LOOK, SQLITE_IOERR_ACCESS);
	f = vfs_file_find(&v->files, name);
	*ret = f != NULL && f->exists && (flags != SQLITE_ACCESS_EXISTS || f->view.len > 0);
	pthread_mutex_unlock(&v->lock);
	return code;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
	(void)vfs;
	return str_copy(ret, (size_t)size, name) ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *ret)
{
	struct vfs_crash *v = vfs_of(vfs);

	pthread_mutex_lock(&v->lock);
	for (int i = 0; i < size; i++)
		ret[i] = (char)rng_next(&v->rng);
	pthread_mutex_unlock(&v->lock);
	return size;
}

/* Nothing here takes time, so whoever waits may as well try at once. */
static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return microseconds;
}

static int vfs_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 2460000.5;
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *ret)
{
	(void)vfs;
	if (size > 0)
		*ret = '\0';
	return 0;
}

/* --- for the tests --- */

struct vfs_crash *vfs_crash_new(const char *name, uint64_t seed)
{
	struct vfs_crash *v = xcalloc(1, sizeof(*v));
	int code;

	rng_seed(&v->rng, seed);
	list_init(&v->files);
	pthread_mutex_init(&v->lock, NULL);
	v->vfs = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = sizeof(struct handle),
		.mxPathname = 1024,
		.zName = name,
		.pAppData = v,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_path,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error,
	};
	code = sqlite3_vfs_register(&v->vfs, 0);
	assert(code == SQLITE_OK);
	(void)code;
	return v;
}

struct vfs_crash *vfs_crash_free(struct vfs_crash *v)
{
	if (v == NULL)
		return NULL;
	sqlite3_vfs_unregister(&v->vfs);
	list_for_each (&v->files, node) {
		struct vfs_file *f = list_entry(node, struct vfs_file, link);

		assert(list_is_empty(&f->handles));
		vfs_file_free(f);
	}
	pthread_mutex_destroy(&v->lock);
	free(v);
	return NULL;
}

uint64_t vfs_crash_count(const struct vfs_crash *v, enum vfs_fault fault)
{
	struct vfs_crash *mine = (struct vfs_crash *)v;
	uint64_t count;

	pthread_mutex_lock(&mine->lock);
	count = v->count[fault];
	pthread_mutex_unlock(&mine->lock);
	return count;
}

void vfs_crash_arm(struct vfs_crash *v, enum vfs_fault fault, uint64_t at, uint64_t times)
{
	pthread_mutex_lock(&v->lock);
	v->fault = fault;
	v->from = v->count[fault] + at;
	v->until = times > UINT64_MAX - v->from ? UINT64_MAX : v->from + times;
	v->struck = false;
	pthread_mutex_unlock(&v->lock);
}

void vfs_crash_disarm(struct vfs_crash *v)
{
	pthread_mutex_lock(&v->lock);
	v->from = v->until = 0;
	pthread_mutex_unlock(&v->lock);
}

bool vfs_crash_struck(const struct vfs_crash *v)
{
	struct vfs_crash *mine = (struct vfs_crash *)v;
	bool struck;

	pthread_mutex_lock(&mine->lock);
	struck = v->struck;
	pthread_mutex_unlock(&mine->lock);
	return struck;
}

void vfs_crash_restart(struct vfs_crash *v, enum vfs_loss loss)
{
	vfs_crash_disarm(v);
	pthread_mutex_lock(&v->lock);
	v->cut = false;
	list_for_each (&v->files, node)
		vfs_file_restart(list_entry(node, struct vfs_file, link), loss, &v->rng);
	pthread_mutex_unlock(&v->lock);
}
