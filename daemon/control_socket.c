/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control_socket.h"

#include "daemon/commands.h"
#include "daemon/control_peer.h"
#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTION_MAGIC 0xc0117201u
#define CONNECTIONS_MOST 64
/* Of these, for who may change things: nobody can lock them out by staying connected. */
#define CONNECTIONS_KEPT 16
#define LINE_MOST (64 * 1024)
#define ANSWER_MOST (8u << 20)
/* Requests of one client in one turn of the loop. */
#define REQUESTS_A_TURN 4
#define ACCEPTED_A_TURN 16
/* Until descriptors are free again. */
#define ACCEPT_PAUSE DUR_S(1)
/* Refusals that are worth an entry in the journal. */
#define DENIALS_EVERY DUR_S(10)

/* How long an answer waits for the disk before it says that nothing is certain. */
#define KEPT_PATIENCE DUR_S(10)

struct control_socket {
	const struct world *world;
	struct daemon *daemon;
	struct control_peers *peers;
	char *path;
	dev_t device;
	ino_t inode;
	int fd;
	struct loop_io *io;
	struct loop_timer *pause;
	struct list connections;
	struct list kept; /* answers that wait for the store, also those that nobody wants now */
	unsigned count;
	struct mono denied; /* when a refusal was last told to the journal */
	uint64_t denials;   /* since then */
};

/* An answer that is true once what the command changed is on disk. */
struct kept {
	struct list link;
	struct control_socket *socket;
	struct connection *connection; /* NULL: it has left, or was told not to wait */
	json_t *reply;
	struct loop_timer *limit;
};

struct connection {
	uint32_t magic;
	struct control_socket *socket;
	struct list link;
	int fd;
	struct loop_io *io;
	struct loop_timer *again; /* more is to be done without anything new from the peer */
	struct buf in;
	char *out; /* the answer that is being taken, or NULL */
	size_t out_len, out_sent;
	struct kept *kept; /* the answer that waits for the store, or NULL */
	struct control_peer peer;
	struct command_caller caller;
	char name[CONTROL_PEER_NAME];
	bool named;
	bool ended;  /* the peer says nothing more */
	bool broken; /* to be closed at once */
};

/* --- answers --- */

static char *answer_text(json_t *take_reply, size_t *ret_len)
{
	char *text = json_dumps(take_reply, JSON_COMPACT);
	size_t len;

	json_decref(take_reply);
	if (text == NULL)
		return NULL;
	len = strlen(text);
	if (len > ANSWER_MOST) {
		free(text);
		return NULL;
	}
	text = xrealloc(text, len + 2);
	text[len++] = '\n';
	text[len] = '\0';
	*ret_len = len;
	return text;
}

/* What was escaped at its source is ASCII or valid; anything else would be our own mistake. */
static json_t *refusal(const struct command_error *error)
{
	json_t *message = json_string(error->message);

	if (message == NULL)
		message = json_string("refused");
	return json_pack("{s:b, s:{s:s, s:o, s:s}}", "ok", 0, "error", "code", error->code,
		"message", message, "unblock", error->unblock);
}

static void answer(struct connection *c, json_t *take_reply)
{
	static const struct command_error too_long = {.code = "failed",
		.message = "the answer is too long",
		.unblock = "ask for less with --limit"};

	assert(c->out == NULL);
	c->out = answer_text(take_reply, &c->out_len);
	if (c->out == NULL)
		c->out = answer_text(refusal(&too_long), &c->out_len);
	c->out_sent = 0;
}

/* --- requests --- */

/* A user without rights must not be able to fill the journal. */
static void tell_denial(struct connection *c, const struct command_error *error)
{
	struct control_socket *s = c->socket;
	struct mono now = loop_mono(s->world->loop);
	struct log_entry *e;

	s->denials++;
	if (s->denied.ms != 0 && mono_since(now, s->denied).ms < DENIALS_EVERY.ms)
		return;
	e = log_begin(s->world->log, LOG_COMMAND_MESSAGE);
	log_priority(e, LOG_WARNING);
	log_add(e, "MDCD_WHO", c->name);
	if (s->denials > 1)
		log_commit(e, 0, "refused: %s (and %llu more)", error->message,
			(unsigned long long)(s->denials - 1));
	else
		log_commit(e, 0, "refused: %s", error->message);
	s->denied = now;
	s->denials = 0;
}

static void serve(struct connection *c);
static void send_out(struct connection *c);

static struct kept *kept_free(struct kept *k)
{
	if (k->connection != NULL)
		k->connection->kept = NULL;
	list_remove(&k->link);
	k->socket->world->loop->ops->timer_free(k->limit);
	json_decref(k->reply);
	free(k);
	return NULL;
}

/* The connection may be gone after this. */
static void answer_kept(struct kept *k, json_t *take_reply)
{
	struct connection *c = mdc_take(k->connection);

	c->kept = NULL;
	answer(c, take_reply);
	send_out(c);
	serve(c);
}

static json_t *not_stored(const struct control_socket *s)
{
	struct command_error error = {.code = "failed", .unblock = "mdcctl status"};
	const struct store *store = s->daemon->store;

	snprintf(error.message, sizeof(error.message),
		"this is in force, but not stored yet: a restart would undo it%s%.200s",
		store_healthy(store) ? "" : ": ", store_healthy(store) ? "" : store_trouble(store));
	return refusal(&error);
}

static void on_stored(void *ctx, int error)
{
	struct kept *k = ctx;

	if (k->connection != NULL)
		answer_kept(k, error == 0 ? mdc_take(k->reply) : not_stored(k->socket));
	kept_free(k);
}

static void on_kept_too_long(void *ctx)
{
	struct kept *k = ctx;

	if (k->connection != NULL)
		answer_kept(k, not_stored(k->socket));
}

static void keep(struct connection *c, json_t *take_reply)
{
	struct control_socket *s = c->socket;
	struct loop *loop = s->world->loop;
	struct kept *k = xcalloc(1, sizeof(*k));

	k->socket = s;
	k->connection = c;
	k->reply = take_reply;
	k->limit = loop_timer_new(loop, on_kept_too_long, k);
	list_append(&s->kept, &k->link);
	c->kept = k;
	loop->ops->timer_arm(k->limit,
		store_healthy(s->daemon->store) ? mono_add(loop_mono(loop), KEPT_PATIENCE)
						: loop_mono(loop));
	store_flush(s->daemon->store, on_stored, k);
}

static void run_line(struct connection *c, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	struct command_error error = {
		.code = "usage", .message = "the request is not a JSON object in one line"};
	const char *command = json_string_value(json_object_get(request, "command"));
	bool kept = command_is_kept(command);
	json_t *result = NULL;

	if (json_is_object(request))
		result = command_run(c->socket->daemon, &c->caller, command,
			json_object_get(request, "arguments"), &error);
	json_decref(request);
	if (result == NULL && str_equal(error.code, "denied"))
		tell_denial(c, &error);
	if (result == NULL)
		answer(c, refusal(&error));
	else if (kept)
		keep(c, json_pack("{s:b, s:o}", "ok", 1, "result", result));
	else
		answer(c, json_pack("{s:b, s:o}", "ok", 1, "result", result));
}

/* The length of the first request, its newline included; 0 while it is not complete. */
static size_t first_request(const struct connection *c)
{
	const char *end = c->in.len > 0 ? memchr(c->in.data, '\n', c->in.len) : NULL;

	if (end != NULL)
		return (size_t)(end - c->in.data) + 1;
	return c->ended ? c->in.len : 0;
}

static void run_first(struct connection *c)
{
	struct command_error too_long = {.code = "usage", .message = "the request is too long"};
	size_t len = first_request(c);

	if (len > 0) {
		run_line(c, c->in.data, len);
		buf_consume(&c->in, len);
	} else if (c->in.len >= LINE_MOST) {
		answer(c, refusal(&too_long));
		buf_reset(&c->in);
		c->ended = true;
	}
}

/* --- one connection --- */

static void connection_free(struct connection *c)
{
	const struct loop_ops *ops = c->socket->world->loop->ops;

	MDC_MAGIC_CHECK(c, CONNECTION_MAGIC);
	c->magic = 0;
	if (c->kept != NULL)
		c->kept->connection = NULL;
	list_remove(&c->link);
	c->socket->count--;
	ops->io_free(c->io);
	ops->timer_free(c->again);
	close(c->fd);
	buf_fini(&c->in);
	free(c->out);
	free(c);
}

static bool is_transient(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void send_out(struct connection *c)
{
	while (c->out != NULL && !c->broken) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && is_transient(errno))
			return;
		c->broken = n <= 0;
		c->out_sent += n > 0 ? (size_t)n : 0;
		if (c->out_sent == c->out_len) {
			free(c->out);
			c->out = NULL;
		}
	}
}

/* An answer is being taken, or waits for the store. */
static bool is_busy(const struct connection *c)
{
	return c->out != NULL || c->kept != NULL;
}

/* Only while nothing is left to be done: the rest waits in the kernel, and so does the peer. */
static void read_in(struct connection *c)
{
	char chunk[4096];
	ssize_t n;

	if (c->ended || is_busy(c) || first_request(c) > 0)
		return;
	n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (n > 0)
		buf_add(&c->in, chunk, (size_t)n);
	else if (n == 0)
		c->ended = true;
	else
		c->broken = !is_transient(errno);
}

static bool has_more(const struct connection *c)
{
	return c->named && !is_busy(c) && (first_request(c) > 0 || c->in.len >= LINE_MOST);
}

static void want(struct connection *c)
{
	struct loop *loop = c->socket->world->loop;
	int reads = c->named && !c->ended && !is_busy(c) && !has_more(c);

	loop->ops->io_want(c->io, (reads ? 1 : 0) | (c->out != NULL ? 2 : 0));
	if (has_more(c))
		loop->ops->timer_arm(c->again, loop_mono(loop));
}

static void serve(struct connection *c)
{
	for (unsigned i = 0; i < REQUESTS_A_TURN && has_more(c) && !c->broken; i++) {
		run_first(c);
		send_out(c);
	}
	if (c->broken || (c->ended && !is_busy(c) && !has_more(c)))
		connection_free(c);
	else
		want(c);
}

static void connection_ready(void *ctx, int fd, bool readable, bool writable)
{
	struct connection *c = ctx;

	(void)fd;
	(void)writable;
	MDC_MAGIC_CHECK(c, CONNECTION_MAGIC);
	send_out(c);
	if (readable)
		read_in(c);
	serve(c);
}

static void connection_again(void *ctx)
{
	struct connection *c = ctx;

	MDC_MAGIC_CHECK(c, CONNECTION_MAGIC);
	serve(c);
}

/* Nothing of it is served before its name is known: the journal tells who did what. */
static void connection_name(struct connection *c)
{
	if (c->named || !control_peer_name(c->socket->peers, c->peer.uid, c->name))
		return;
	c->named = true;
	want(c);
}

static void on_name_known(void *ctx, uid_t uid)
{
	struct control_socket *s = ctx;

	list_for_each (&s->connections, node) {
		struct connection *c = list_entry(node, struct connection, link);

		if (c->peer.uid == uid)
			connection_name(c);
	}
}

static void connection_new(struct control_socket *s, int fd, const struct control_peer *peer)
{
	struct connection *c = xcalloc(1, sizeof(*c));

	c->magic = CONNECTION_MAGIC;
	c->socket = s;
	c->fd = fd;
	c->peer = *peer;
	c->caller = (struct command_caller){
		.name = c->name, .may_read = peer->may_read, .may_change = peer->may_change};
	buf_init(&c->in, LINE_MOST + 4096);
	list_append(&s->connections, &c->link);
	s->count++;
	c->io = s->world->loop->ops->io_new(s->world->loop, fd, connection_ready, c);
	c->again = loop_timer_new(s->world->loop, connection_again, c);
	connection_name(c);
}

/* --- the socket --- */

static void turn_away(int fd, const char *code, const char *message, const char *unblock)
{
	struct command_error error = {.code = code};
	mdc_autofree char *text = NULL;
	size_t len = 0;

	str_copy(error.message, sizeof(error.message), message);
	str_copy(error.unblock, sizeof(error.unblock), unblock);
	text = answer_text(refusal(&error), &len);
	/* Into an empty buffer: it fits, or the peer is gone. */
	(void)!send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void welcome(struct control_socket *s, int fd)
{
	struct control_peer peer;
	unsigned most;

	if (control_peer_identify(s->peers, fd, &peer) != 0) {
		close(fd);
		return;
	}
	most = peer.may_change ? CONNECTIONS_MOST : CONNECTIONS_MOST - CONNECTIONS_KEPT;
	if (!peer.may_read)
		turn_away(fd, "denied", "you are not a member of the group mdcd or mdcd-admin",
			"sudo usermod --append --groups mdcd USER");
	else if (s->count >= most)
		turn_away(fd, "busy", "too many connections are open", "try again");
	else
		connection_new(s, fd, &peer);
}

static void accept_some(void *ctx, int fd, bool readable, bool writable)
{
	struct control_socket *s = ctx;
	struct loop *loop = s->world->loop;

	(void)readable;
	(void)writable;
	for (unsigned i = 0; i < ACCEPTED_A_TURN; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client >= 0) {
			welcome(s, client);
			continue;
		}
		if (is_transient(errno) || errno == ECONNABORTED)
			return;
		/* No descriptor, or no memory: the socket stays ready, and we would turn here. */
		loop->ops->io_want(s->io, 0);
		loop->ops->timer_arm(s->pause, mono_add(loop_mono(loop), ACCEPT_PAUSE));
		return;
	}
}

static void accept_again(void *ctx)
{
	struct control_socket *s = ctx;

	s->world->loop->ops->io_want(s->io, 1);
}

/* A listener whose queue is full is one all the same. */
static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool listens = fd >= 0 &&
		(connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
			errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return listens;
}

static int refuse(struct diags *diags, const char *path, int error, const char *why)
{
	diag_error(diags, path, 0, "the control socket cannot be opened: %s",
		why != NULL ? why : strerror(-error));
	return error;
}

static int make_room(const struct sockaddr_un *address, struct diags *diags)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : refuse(diags, path, -errno, NULL);
	if (!S_ISSOCK(st.st_mode))
		return refuse(diags, path, -EEXIST, "a file that is no socket is there");
	if (somebody_listens(address))
		return refuse(diags, path, -EADDRINUSE, "another process listens there");
	return unlink(path) == 0 || errno == ENOENT ? 0 : refuse(diags, path, -errno, NULL);
}

/* Everybody may connect; who may ask what is decided by who it is. */
static int bind_and_listen(int fd, const struct sockaddr_un *address)
{
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
		chmod(address->sun_path, 0666) != 0 || listen(fd, CONNECTIONS_MOST) != 0)
		return -errno;
	return 0;
}

static int listen_at(const char *path, struct diags *diags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error, fd;

	if (!str_copy(address.sun_path, sizeof(address.sun_path), path))
		return refuse(diags, path, -ENAMETOOLONG, "its path is too long");
	error = make_room(&address, diags);
	if (error != 0)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	error = fd < 0 ? -errno : bind_and_listen(fd, &address);
	if (error == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return refuse(diags, path, error, NULL);
}

int control_socket_open(const struct world *w, const char *path, struct daemon *d,
	struct diags *diags, struct control_socket **ret)
{
	struct control_socket *s;
	struct stat st = {0};
	int fd = listen_at(path, diags);

	if (fd < 0)
		return fd;
	s = xcalloc(1, sizeof(*s));
	s->world = w;
	s->daemon = d;
	s->path = xstrdup(path);
	if (lstat(path, &st) == 0) {
		s->device = st.st_dev;
		s->inode = st.st_ino;
	}
	s->fd = fd;
	list_init(&s->connections);
	list_init(&s->kept);
	s->peers = control_peers_new(w, on_name_known, s);
	s->pause = loop_timer_new(w->loop, accept_again, s);
	s->io = w->loop->ops->io_new(w->loop, fd, accept_some, s);
	w->loop->ops->io_want(s->io, 1);
	*ret = s;
	return 0;
}

static void remove_socket(const struct control_socket *s)
{
	struct stat st;

	/* Not one that has taken the place of ours. */
	if (lstat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode)
		unlink(s->path);
}

struct control_socket *control_socket_close(struct control_socket *s)
{
	if (s == NULL)
		return NULL;
	list_for_each (&s->connections, node)
		connection_free(list_entry(node, struct connection, link));
	list_for_each (&s->kept, node)
		kept_free(list_entry(node, struct kept, link));
	s->world->loop->ops->io_free(s->io);
	s->world->loop->ops->timer_free(s->pause);
	control_peers_free(s->peers);
	remove_socket(s);
	close(s->fd);
	free(s->path);
	free(s);
	return NULL;
}

unsigned control_socket_connections(const struct control_socket *s)
{
	return s->count;
}
