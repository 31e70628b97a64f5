/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/world.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_TRIES 3
#define ROOM_TO_GROW 4096

/* --- secret files --- */

static uint64_t version_of(const struct stat *st)
{
	const int64_t parts[] = {(int64_t)st->st_dev, (int64_t)st->st_ino, st->st_size,
		st->st_mtim.tv_sec, st->st_mtim.tv_nsec};

	return str_hash(parts, sizeof(parts));
}

/* Until the end of the file or of the room. */
static ssize_t read_all(int fd, char *data, size_t room)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, data + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static void wipe(char *data, size_t len)
{
	explicit_bzero(data, len);
	free(data);
}

/* -EAGAIN: the file changed while it was read. */
static int read_open_file(int fd, size_t cap, char **ret, size_t *ret_len)
{
	struct stat before, after;
	size_t room;
	char *data;
	ssize_t len;
	int error = 0;

	if (fstat(fd, &before) != 0)
		return -errno;
	if (!S_ISREG(before.st_mode))
		return S_ISDIR(before.st_mode) ? -EISDIR : -EINVAL;
	if (before.st_size < 0 || (uint64_t)before.st_size > cap)
		return -EFBIG;
	room = (size_t)before.st_size + ROOM_TO_GROW;
	data = xmalloc(room + 1);
	len = read_all(fd, data, room);
	if (len < 0)
		error = (int)len;
	else if ((size_t)len > cap)
		error = -EFBIG;
	else if ((size_t)len == room || fstat(fd, &after) != 0 ||
		version_of(&before) != version_of(&after))
		error = -EAGAIN;
	if (error != 0) {
		wipe(data, room + 1);
		return error;
	}
	data[len] = '\0';
	*ret = data;
	*ret_len = (size_t)len;
	return 0;
}

static int read_path(const char *path, int flags, size_t cap, char **ret, size_t *ret_len)
{
	int error = -EAGAIN;

	for (unsigned i = 0; i < READ_TRIES && error == -EAGAIN; i++) {
		/* Not blocking: a FIFO in its place must not hold the loop. */
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);

		if (fd < 0)
			return -errno;
		error = read_open_file(fd, cap, ret, ret_len);
		close(fd);
	}
	return error;
}

static int system_read(
	struct secret_files *f, const char *path, size_t cap, char **ret, size_t *ret_len)
{
	(void)f;
	return read_path(path, 0, cap, ret, ret_len);
}

static int system_read_unlinked(
	struct secret_files *f, const char *path, size_t cap, char **ret, size_t *ret_len)
{
	(void)f;
	return read_path(path, O_NOFOLLOW, cap, ret, ret_len);
}

static int system_version(struct secret_files *f, const char *path, uint64_t *ret)
{
	struct stat st;

	(void)f;
	if (stat(path, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	*ret = version_of(&st);
	return 0;
}

struct secret_files *secret_files_system(void)
{
	static struct secret_files files = {.read = system_read,
		.read_unlinked = system_read_unlinked,
		.version = system_version};

	return &files;
}

/* --- random numbers --- */

static void system_fill(struct random_source *r, void *data, size_t len)
{
	char *to = data;

	(void)r;
	while (len > 0) {
		ssize_t n = getrandom(to, len, 0);

		if (n < 0 && errno != EINTR) {
			perror("getrandom");
			abort();
		}
		if (n > 0) {
			to += n;
			len -= (size_t)n;
		}
	}
}

struct random_source *random_source_system(void)
{
	static struct random_source source = {.fill = system_fill};

	return &source;
}
