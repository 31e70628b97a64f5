/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_directory.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE "state.db"
#define LOCK "lock"
#define CHECKPOINT "checkpoint"
#define CHECKPOINT_NEW "checkpoint.new"
#define CHECKPOINT_MAX 256

static void close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- the directory --- */

static int refuse(struct diags *diags, const char *path, int error, const char *what)
{
	diag_error(diags, path, 0, "%s: %s", what, strerror(error));
	return -error;
}

int store_directory_look(struct store_directory *d, const char *path, struct diags *diags)
{
	struct store_directory found = STORE_DIRECTORY_INIT;

	found.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (found.fd < 0)
		return refuse(diags, path, errno, "the state directory cannot be opened");
	found.path = xstrdup(path);
	found.database = xasprintf("%s/%s", path, DATABASE);
	*d = found;
	return 0;
}

static int sync_directory(int fd, const char *name)
{
	mdc_cleanup(close_p) int directory = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return directory < 0 || fsync(directory) < 0 ? -errno : 0;
}

static int make_and_look(struct store_directory *d, const char *path, struct diags *diags)
{
	bool made = mkdir(path, 0700) == 0;
	int r;

	if (!made && errno != EEXIST)
		return refuse(diags, path, errno, "the state directory cannot be made");
	r = store_directory_look(d, path, diags);
	if (r < 0)
		return r;
	if (made)
		r = sync_directory(d->fd, "..");
	if (r < 0)
		refuse(diags, path, -r, "the state directory cannot be made for good");
	else if (faccessat(d->fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		r = refuse(diags, path, errno, "the state directory cannot be written to");
	if (r < 0)
		store_directory_close(d);
	return r;
}

void store_directory_close(struct store_directory *d)
{
	close_p(&d->lock);
	close_p(&d->fd);
	free(d->path);
	free(d->database);
	*d = STORE_DIRECTORY_INIT;
}

/* --- the lock --- */

static ssize_t read_some(int directory, const char *name, char *ret, size_t size)
{
	mdc_cleanup(close_p) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : -1;

	if (fd < 0)
		return -errno;
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return n;
}

static void name_holder(const struct store_directory *d, struct diags *diags)
{
	char text[32] = "", proc[64], name[64] = "";
	uint64_t pid;

	if (read_some(d->fd, LOCK, text, sizeof(text)) > 0)
		text[strcspn(text, "\n")] = '\0';
	if (str_parse_u64(text, INT32_MAX, &pid) < 0) {
		diag_error(diags, d->path, 0, "the state directory is in use by another process");
		return;
	}
	snprintf(proc, sizeof(proc), "/proc/%llu/comm", (unsigned long long)pid);
	if (read_some(AT_FDCWD, proc, name, sizeof(name)) > 0)
		name[strcspn(name, "\n")] = '\0';
	diag_error(diags, d->path, 0, "the state directory is in use by process %llu%s%s%s",
		(unsigned long long)pid, *name != '\0' ? " (" : "", name, *name != '\0' ? ")" : "");
}

/* The text only serves people; the lock itself ends with the process. */
static void write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return;
}

static int take_lock(struct store_directory *d, struct diags *diags)
{
	d->lock = openat(d->fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (d->lock < 0)
		return refuse(diags, d->path, errno, "the lock file cannot be opened");
	if (flock(d->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return refuse(
				diags, d->path, errno, "the state directory cannot be locked");
		name_holder(d, diags);
		return -EAGAIN;
	}
	write_pid(d->lock);
	return 0;
}

int store_directory_open(struct store_directory *d, const char *path, struct diags *diags)
{
	int r = make_and_look(d, path, diags);

	if (r < 0)
		return r;
	r = take_lock(d, diags);
	if (r < 0)
		store_directory_close(d);
	return r;
}

/* --- the database file --- */

int store_directory_touch(const struct store_directory *d)
{
	/* Before SQLite has it open: closing a descriptor drops the process's locks on the file. */
	mdc_cleanup(close_p) int fd = openat(
		d->fd, DATABASE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);

	return fd < 0 ? -errno : 0;
}

static int free_name(const struct store_directory *d, struct wall now, char **ret)
{
	char at[WALL_TEXT_SIZE], compact[WALL_TEXT_SIZE];
	size_t n = 0;

	wall_format(now, at);
	for (const char *c = at; *c != '\0'; c++)
		if (*c != ':' && *c != '-' && *c != '.')
			compact[n++] = *c;
	compact[n] = '\0';
	for (unsigned i = 0; i < 100; i++) {
		mdc_autofree char *name = i == 0
			? xasprintf(DATABASE ".unreadable-%s", compact)
			: xasprintf(DATABASE ".unreadable-%s-%u", compact, i);

		if (faccessat(d->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		*ret = mdc_take(name);
		return 0;
	}
	return -EEXIST;
}

/* Logs first: without their database they are still lost state, never another one's logs. */
static int move_logs(const struct store_directory *d, const char *name)
{
	static const char *const logs[] = {"-wal", "-journal"};

	for (unsigned i = 0; i < ARRAY_LEN(logs); i++) {
		mdc_autofree char *from = xasprintf("%s%s", DATABASE, logs[i]);
		mdc_autofree char *to = xasprintf("%s%s", name, logs[i]);

		if (renameat(d->fd, from, d->fd, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

int store_directory_set_aside(const struct store_directory *d, struct wall now, char **ret_name)
{
	mdc_autofree char *name = NULL;
	int r = free_name(d, now, &name);

	if (r == 0)
		r = move_logs(d, name);
	if (r < 0)
		return r;
	if (renameat(d->fd, DATABASE, d->fd, name) < 0)
		return -errno;
	if (unlinkat(d->fd, DATABASE "-shm", 0) < 0 && errno != ENOENT)
		return -errno;
	if (fsync(d->fd) < 0)
		return -errno;
	*ret_name = mdc_take(name);
	return 0;
}

/* --- the checkpoint --- */

static int parse_checkpoint(char *line, struct chain_point *ret)
{
	struct chain_point point;
	char *save = NULL;
	const char *word = strtok_r(line, " \n", &save);
	const char *seq = strtok_r(NULL, " \n", &save);
	const char *hash = strtok_r(NULL, " \n", &save);
	const char *at = strtok_r(NULL, " \n", &save);
	struct wall time;

	if (!str_equal(word, "mdcd-checkpoint") || seq == NULL || hash == NULL || at == NULL ||
		strtok_r(NULL, "", &save) != NULL)
		return -EINVAL;
	if (str_parse_u64(seq, INT64_MAX, &point.seq) < 0 ||
		digest_from_hex(hash, &point.digest) < 0 || wall_parse(at, &time) < 0)
		return -EINVAL;
	*ret = point;
	return 0;
}

int store_directory_checkpoint(const struct store_directory *d, struct chain_point *ret)
{
	char line[CHECKPOINT_MAX];
	ssize_t n = read_some(d->fd, CHECKPOINT, line, sizeof(line));

	if (n == -ENOENT)
		return CHECKPOINT_ABSENT;
	if (n < 0)
		return (int)n;
	return parse_checkpoint(line, ret) == 0 ? CHECKPOINT_PRESENT : CHECKPOINT_UNREADABLE;
}

static int write_synced(int directory, const char *name, const char *text, size_t len)
{
	mdc_cleanup(close_p) int fd = openat(
		directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	ssize_t n = fd >= 0 ? write(fd, text, len) : -1;

	if (fd < 0 || n < 0)
		return -errno;
	if ((size_t)n != len)
		return -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

int store_directory_save_checkpoint(
	const struct store_directory *d, const struct chain_point *point, struct wall at)
{
	char line[CHECKPOINT_MAX], hash[65], time[WALL_TEXT_SIZE];
	int len, r;

	digest_hex(&point->digest, hash);
	wall_format(at, time);
	len = snprintf(line, sizeof(line), "mdcd-checkpoint %llu %s %s\n",
		(unsigned long long)point->seq, hash, time);
	r = write_synced(d->fd, CHECKPOINT_NEW, line, (size_t)len);
	if (r < 0)
		return r;
	if (renameat(d->fd, CHECKPOINT_NEW, d->fd, CHECKPOINT) < 0 || fsync(d->fd) < 0)
		return -errno;
	return 0;
}
