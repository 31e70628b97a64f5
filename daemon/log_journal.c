/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <endian.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define ENTRY_MAX_BYTES (1024 * 1024)
#define SEND_BUFFER (8 * 1024 * 1024)
#define PAUSE_MS 250

/*
 * sd_journal_send() would do, but it blocks for as long as journald is stopped, and reports success
 * when there is no journal at all. So the datagrams are our own; the protocol is journald's
 * documented native one.
 */
struct log_sink_journal {
	struct log_sink base;
	struct sockaddr_un address;
	int fd; /* -1: not connected */
	bool was_there;
	uint64_t diverted; /* entries that went to stderr since the journal went away */
	struct log_sink *fallback;
	struct buf entry;
};

/* --- one entry in the native form --- */

static void add_field(struct buf *b, const char *name, const char *value)
{
	uint64_t len;

	if (strchr(value, '\n') == NULL) {
		buf_addf(b, "%s=%s\n", name, value);
		return;
	}
	len = htole64(strlen(value));
	buf_addf(b, "%s\n", name);
	buf_add(b, &len, sizeof(len));
	buf_addf(b, "%s\n", value);
}

static void compose(struct buf *b, int priority, const char *message_id, const char *message)
{
	buf_reset(b);
	add_field(b, "MESSAGE", message);
	buf_addf(b, "PRIORITY=%d\n", priority);
	add_field(b, "MESSAGE_ID", message_id);
	buf_adds(b, "SYSLOG_IDENTIFIER=mdcd\nSYSLOG_FACILITY=3\n");
}

/* --- the socket --- */

static int connect_journal(struct log_sink_journal *s)
{
	int size = SEND_BUFFER;

	if (s->fd >= 0)
		return 0;
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	(void)setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (connect(s->fd, (struct sockaddr *)&s->address, sizeof(s->address)) != 0) {
		int error = -errno;

		close(s->fd);
		s->fd = -1;
		return error;
	}
	return 0;
}

static void disconnect_journal(struct log_sink_journal *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Too large for a datagram: journald takes a sealed memory file in its place. */
static int make_memfd(const struct buf *entry)
{
	int fd = memfd_create("mdcd-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (write(fd, entry->data, entry->len) != (ssize_t)entry->len ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) !=
			0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

static int send_memfd(int fd, const struct buf *entry)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control)};
	int file = make_memfd(entry);
	int error = 0;

	if (file < 0)
		return file;
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &file, sizeof(file));
	if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		error = -errno;
	close(file);
	return error;
}

static int send_entry(int fd, const struct buf *entry)
{
	if (send(fd, entry->data, entry->len, MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == EMSGSIZE ? send_memfd(fd, entry) : -errno;
}

static bool is_full(int error)
{
	return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM || error == -EINTR;
}

/* 0, -EAGAIN when journald does not read, or why there is no journal. */
static int deliver(struct log_sink_journal *s)
{
	int error = 0;

	/* The second time for a journald that was restarted on a new socket, or that has read. */
	for (unsigned i = 0; i < 2; i++) {
		error = connect_journal(s);
		if (error != 0)
			return error;
		error = send_entry(s->fd, &s->entry);
		if (error == 0)
			return 0;
		if (!is_full(error)) {
			disconnect_journal(s);
		} else if (i == 0) {
			struct pollfd p = {.fd = s->fd, .events = POLLOUT};

			(void)poll(&p, 1, PAUSE_MS);
		}
	}
	return is_full(error) ? -EAGAIN : error;
}

/* --- the sink --- */

static void tell_diverted(struct log_sink_journal *s)
{
	char message[96];

	if (s->diverted == 0)
		return;
	snprintf(message, sizeof(message),
		"the journal is back; %llu log entries went to stderr in the meantime",
		(unsigned long long)s->diverted);
	compose(&s->entry, LOG_WARNING, log_message_id(LOG_TROUBLE_MESSAGE), message);
	if (deliver(s) == 0)
		s->diverted = 0;
}

static int journal_write(struct log_sink *base, int priority, const char *message_id,
	const char *message, const struct log_field *fields, size_t count)
{
	struct log_sink_journal *s = container_of(base, struct log_sink_journal, base);
	int error, shown;

	compose(&s->entry, priority, message_id, message);
	for (size_t i = 0; i < count; i++)
		add_field(&s->entry, fields[i].name, fields[i].value);
	/* log.c's caps are well below this one. */
	assert(!buf_failed(&s->entry));
	error = deliver(s);
	if (error == -EAGAIN)
		return error;
	if (error == 0) {
		s->was_there = true;
		tell_diverted(s);
		return 0;
	}
	shown = s->fallback->write(s->fallback, priority, message_id, message, fields, count);
	if (!s->was_there)
		return shown;
	s->diverted += shown == 0 ? 1 : 0;
	return error;
}

static struct log_sink *journal_free(struct log_sink *base)
{
	struct log_sink_journal *s = container_of(base, struct log_sink_journal, base);

	disconnect_journal(s);
	s->fallback->free(s->fallback);
	buf_fini(&s->entry);
	free(s);
	return NULL;
}

struct log_sink *log_sink_journal_at(const char *socket_path)
{
	struct log_sink_journal *s = xcalloc(1, sizeof(*s));
	bool fits;

	s->base = (struct log_sink){.write = journal_write, .free = journal_free};
	s->fd = -1;
	s->entry = BUF_INIT(ENTRY_MAX_BYTES);
	s->fallback = log_sink_stderr();
	s->address.sun_family = AF_UNIX;
	fits = str_copy(s->address.sun_path, sizeof(s->address.sun_path), socket_path);
	assert(fits);
	(void)fits;
	return &s->base;
}

struct log_sink *log_sink_journal(void)
{
	return log_sink_journal_at(JOURNAL_SOCKET);
}
