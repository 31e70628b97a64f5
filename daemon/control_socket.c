/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control_socket.h"

#include "daemon/commands.h"
#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTION_MAGIC 0xc0117201u
#define CONNECTIONS_MOST 64
#define LINE_MOST (64 * 1024)
/* A list of 100,000 machines with all their items. */
#define ANSWER_MOST (256u << 20)
#define GROUPS_MOST 1024
#define READ_GROUP "mdcd"
#define CHANGE_GROUP "mdcd-admin"

struct control_socket {
	const struct world *world;
	struct daemon *daemon;
	char *path;
	int fd;
	struct loop_io *io;
	struct list connections;
	unsigned count;
};

struct connection {
	uint32_t magic;
	struct control_socket *socket;
	struct list link;
	int fd;
	struct loop_io *io;
	struct buf in, out;
	struct command_caller caller;
	char name[96];
	bool closing; /* once everything is written */
};

/* --- who asks --- */

static bool group_is(gid_t gid, const char *name)
{
	char text[1024];
	struct group group, *found = NULL;

	return getgrgid_r(gid, &group, text, sizeof(text), &found) == 0 && found != NULL &&
		str_equal(found->gr_name, name);
}

static void allow_group(struct command_caller *caller, gid_t gid)
{
	if (group_is(gid, CHANGE_GROUP))
		caller->may_read = caller->may_change = true;
	else if (group_is(gid, READ_GROUP))
		caller->may_read = true;
}

static void name_caller(struct connection *c, uid_t uid)
{
	char text[1024];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(uid, &entry, text, sizeof(text), &found) == 0 && found != NULL)
		snprintf(c->name, sizeof(c->name), "%.60s (uid %u)", found->pw_name, uid);
	else
		snprintf(c->name, sizeof(c->name), "uid %u", uid);
	c->caller.name = c->name;
}

static int identify(struct connection *c)
{
	struct ucred peer;
	gid_t groups[GROUPS_MOST];
	socklen_t len = sizeof(peer), groups_len = sizeof(groups);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return -errno;
	name_caller(c, peer.uid);
	if (peer.uid == 0 || peer.uid == geteuid())
		c->caller.may_read = c->caller.may_change = true;
	allow_group(&c->caller, peer.gid);
	/* Supplementary groups as they were when it connected. */
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) == 0)
		for (size_t i = 0; i < groups_len / sizeof(*groups); i++)
			allow_group(&c->caller, groups[i]);
	return 0;
}

/* --- one connection --- */

static void connection_free(void *ctx)
{
	struct connection *c = ctx;

	MDC_MAGIC_CHECK(c, CONNECTION_MAGIC);
	c->magic = 0;
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

static void connection_end(struct connection *c)
{
	struct control_socket *s = c->socket;

	if (c->fd < 0)
		return;
	s->world->loop->ops->io_free(c->io);
	close(c->fd);
	c->fd = -1;
	list_remove(&c->link);
	s->count--;
	s->world->loop->ops->defer(s->world->loop, connection_free, c);
}

static void answer(struct connection *c, json_t *take_reply)
{
	char *text = json_dumps(take_reply, JSON_COMPACT);

	json_decref(take_reply);
	if (text == NULL || buf_adds(&c->out, text) != 0 || buf_addc(&c->out, '\n') != 0)
		connection_end(c);
	free(text);
}

static json_t *refusal(const struct command_error *error)
{
	return json_pack("{s:b, s:{s:s, s:s, s:s}}", "ok", 0, "error", "code", error->code,
		"message", error->message, "unblock", error->unblock);
}

static void run_line(struct connection *c, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, 0, NULL);
	const char *command = json_string_value(json_object_get(request, "command"));
	struct command_error error = {.code = "usage", .message = "the request is not valid JSON"};
	json_t *result = NULL;

	if (json_is_object(request))
		result = command_run(c->socket->daemon, &c->caller, command,
			json_object_get(request, "arguments"), &error);
	json_decref(request);
	answer(c,
		result != NULL ? json_pack("{s:b, s:o}", "ok", 1, "result", result)
			       : refusal(&error));
}

static void run_lines(struct connection *c)
{
	char *end;

	while (c->fd >= 0 && c->in.len > 0 && (end = memchr(c->in.data, '\n', c->in.len)) != NULL) {
		size_t len = (size_t)(end - c->in.data);

		run_line(c, c->in.data, len);
		buf_consume(&c->in, len + 1);
	}
}

static void write_out(struct connection *c)
{
	while (c->fd >= 0 && c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			connection_end(c);
			return;
		}
		buf_consume(&c->out, (size_t)n);
	}
	if (c->fd >= 0 && c->out.len == 0 && c->closing)
		connection_end(c);
}

static void read_in(struct connection *c)
{
	char chunk[4096];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		c->closing = true;
		return;
	}
	if (buf_add(&c->in, chunk, (size_t)n) != 0) {
		struct command_error error = {
			.code = "usage", .message = "the request is too long"};

		answer(c, refusal(&error));
		buf_reset(&c->in);
		c->closing = true;
	}
}

static void connection_ready(void *ctx, int fd, bool readable, bool writable)
{
	struct connection *c = ctx;
	struct loop *loop = c->socket->world->loop;

	(void)fd;
	(void)writable;
	MDC_MAGIC_CHECK(c, CONNECTION_MAGIC);
	if (readable && !c->closing)
		read_in(c);
	run_lines(c);
	write_out(c);
	if (c->fd >= 0)
		loop->ops->io_want(c->io, (c->closing ? 0 : 1) | (c->out.len > 0 ? 2 : 0));
}

/* --- the socket --- */

static void connection_ready_to_ask(void *ctx, int fd, bool readable, bool writable)
{
	struct control_socket *s = ctx;
	struct connection *c;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)readable;
	(void)writable;
	if (client < 0)
		return;
	if (s->count >= CONNECTIONS_MOST) {
		close(client);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->magic = CONNECTION_MAGIC;
	c->socket = s;
	c->fd = client;
	buf_init(&c->in, LINE_MOST);
	buf_init(&c->out, ANSWER_MOST);
	list_append(&s->connections, &c->link);
	s->count++;
	c->io = s->world->loop->ops->io_new(s->world->loop, client, connection_ready, c);
	if (identify(c) != 0)
		connection_end(c);
	else
		s->world->loop->ops->io_want(c->io, 1);
}

static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool listens =
		fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		close(fd);
	return listens;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, bound;

	if (!str_copy(address.sun_path, sizeof(address.sun_path), path))
		return -ENAMETOOLONG;
	if (somebody_listens(&address))
		return -EADDRINUSE;
	if (unlink(path) != 0 && errno != ENOENT)
		return -errno;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Everybody may connect; who may ask what is decided by who it is. */
	mask = umask(0111);
	bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (bound != 0 || listen(fd, 16) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

int control_socket_open(
	const struct world *w, const char *path, struct daemon *d, struct control_socket **ret)
{
	struct control_socket *s;
	int fd = listen_at(path);

	if (fd < 0)
		return fd;
	s = xcalloc(1, sizeof(*s));
	s->world = w;
	s->daemon = d;
	s->path = xstrdup(path);
	s->fd = fd;
	list_init(&s->connections);
	s->io = w->loop->ops->io_new(w->loop, fd, connection_ready_to_ask, s);
	w->loop->ops->io_want(s->io, 1);
	*ret = s;
	return 0;
}

struct control_socket *control_socket_close(struct control_socket *s)
{
	if (s == NULL)
		return NULL;
	list_for_each (&s->connections, node) {
		struct connection *c = list_entry(node, struct connection, link);

		s->world->loop->ops->io_free(c->io);
		close(c->fd);
		list_remove(&c->link);
		connection_free(c);
	}
	s->world->loop->ops->io_free(s->io);
	close(s->fd);
	unlink(s->path);
	free(s->path);
	free(s);
	return NULL;
}
