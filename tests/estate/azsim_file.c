/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_file.h"

#include "lib/base/buf.h"
#include "lib/base/xalloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int complain(const char *name, int error)
{
	fprintf(stderr, "azsim: %s: %s\n", name, strerror(-error));
	return error;
}

static int read_all(int fd, struct buf *ret)
{
	char block[16384];
	ssize_t got;

	while ((got = read(fd, block, sizeof(block))) != 0) {
		if (got < 0)
			return -errno;
		if (buf_add(ret, block, (size_t)got) != 0)
			return -EFBIG;
	}
	return 0;
}

int azsim_file_read(const char *name, size_t max, char **ret)
{
	struct buf text = BUF_INIT(max);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : complain(name, -errno);
	error = read_all(fd, &text);
	close(fd);
	if (error == 0)
		*ret = buf_steal(&text);
	buf_fini(&text);
	return error != 0 ? complain(name, error) : 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, data, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		data += put;
		len -= (size_t)put;
	}
	return 0;
}

int azsim_file_write(const char *name, const char *data, size_t len, mode_t mode)
{
	mdc_autofree char *fresh = xasprintf("%s.new", name);
	int fd, error;

	/* A leftover may be readable by others. */
	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return complain(fresh, -errno);
	error = write_all(fd, data, len);
	if (close(fd) != 0 && error == 0)
		error = -errno;
	if (error == 0 && rename(fresh, name) != 0)
		error = -errno;
	if (error == 0)
		return 0;
	(void)unlink(fresh);
	return complain(name, error);
}
