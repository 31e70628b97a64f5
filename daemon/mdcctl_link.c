/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MOST (64u << 20)
/* Of one answer; the daemon has the same. */
#define PAGE_MOST 1000
#define PATIENCE_S 60

struct link {
	int fd;
	const char *path;
};

/* --- the socket --- */

static void tell_trouble(const char *path, int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		fprintf(stderr,
			"mdcctl: nobody listens on %s: mdcd is not running, or has another "
			"control-socket\n"
			"mdcctl: what helps: systemctl status mdcd; or name the socket with "
			"--socket\n",
			path);
		break;
	case EACCES:
	case EPERM:
		fprintf(stderr, "mdcctl: %s: you may not connect to it (%s)\n", path,
			strerror(error));
		break;
	case EAGAIN:
		fprintf(stderr,
			"mdcctl: mdcd has not answered for %d seconds\n"
			"mdcctl: what helps: systemctl status mdcd; journalctl -u mdcd\n",
			PATIENCE_S);
		break;
	case EPIPE:
	case ECONNRESET:
		fprintf(stderr, "mdcctl: mdcd has closed the connection; it may be stopping\n");
		break;
	case EBADMSG: fprintf(stderr, "mdcctl: %s: what came is no answer of mdcd\n", path); break;
	default: fprintf(stderr, "mdcctl: %s: %s\n", path, strerror(error)); break;
	}
}

static int connect_to(const char *path, int *ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd;

	if (!str_copy(address.sun_path, sizeof(address.sun_path), path))
		return ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		int error = errno;

		close(fd);
		return error;
	}
	*ret = fd;
	return 0;
}

struct link *link_open(const char *path)
{
	struct link *l;
	int fd = -1, error = connect_to(path, &fd);

	if (error != 0) {
		tell_trouble(path, error);
		return NULL;
	}
	l = xcalloc(1, sizeof(*l));
	l->fd = fd;
	l->path = path;
	return l;
}

struct link *link_close(struct link *l)
{
	if (l == NULL)
		return NULL;
	close(l->fd);
	free(l);
	return NULL;
}

/* --- one request --- */

static int send_line(const struct link *l, const char *command, json_t *arguments)
{
	json_t *line = json_pack("{s:s, s:O*}", "command", command, "arguments", arguments);
	mdc_autofree char *text = json_dumps(line, JSON_COMPACT);
	size_t len = strlen(text), sent = 0;

	json_decref(line);
	text[len++] = '\n'; /* over the NUL: only the length counts from here */
	while (sent < len) {
		ssize_t n = send(l->fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* Whoever was turned away has an answer to read. */
		if (n < 0 && errno == EPIPE)
			return 0;
		if (n <= 0)
			return errno;
		sent += (size_t)n;
	}
	return 0;
}

static int read_line(const struct link *l, struct buf *ret)
{
	char chunk[65536];

	for (;;) {
		ssize_t n = recv(l->fd, chunk, sizeof(chunk), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EPIPE;
		if (buf_add(ret, chunk, (size_t)n) != 0)
			return EFBIG;
		if (chunk[n - 1] == '\n')
			return 0;
	}
}

static json_t *read_reply(const struct link *l)
{
	struct buf answer = BUF_INIT(ANSWER_MOST);
	int error = read_line(l, &answer);
	json_t *reply = error == 0 ? json_loadb(answer.data, answer.len, 0, NULL) : NULL;

	buf_fini(&answer);
	if (reply == NULL)
		tell_trouble(l->path, error != 0 ? error : EBADMSG);
	return reply;
}

static void tell_refusal(const json_t *reply)
{
	const json_t *error = json_object_get(reply, "error");
	const char *message = text_of(error, "message"), *unblock = text_of(error, "unblock");
	size_t len = strlen(message);

	while (len > 0 && message[len - 1] == '\n')
		len--;
	fprintf(stderr, "mdcctl: %.*s\n", (int)len, message);
	if (!str_empty(unblock))
		fprintf(stderr, "mdcctl: what helps: %s\n", unblock);
}

json_t *link_ask(struct link *l, const char *command, json_t *arguments)
{
	int error = send_line(l, command, arguments);
	json_t *reply, *result;

	if (error != 0) {
		tell_trouble(l->path, error);
		return NULL;
	}
	reply = read_reply(l);
	if (reply == NULL)
		return NULL;
	result = json_object_get(reply, "result");
	if (!json_is_true(json_object_get(reply, "ok")) || !json_is_object(result)) {
		tell_refusal(reply);
		result = NULL;
	}
	json_incref(result);
	json_decref(reply);
	return result;
}

/* --- pages --- */

/* How the rows of a command are called, and how it is asked for more of them. */
static const struct pages {
	const char *command, *rows, *cursor;
	uint64_t standard;
} pages[] = {
	{"list", "items", "after", 1000},
	{"gaps", "gaps", "after", 1000},
	{"cost", "rows", "after", 1000},
	{"history", "transitions", "before", 50},
	{"plan", "steps", NULL, 100},
};

static const struct pages *pages_of(const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (str_equal(command, pages[i].command))
			return &pages[i];
	return NULL;
}

static void ask_for(json_t *arguments, const struct pages *p, const json_t *whole, uint64_t rows)
{
	json_object_set_new(arguments, "limit",
		json_integer((json_int_t)(rows < PAGE_MOST ? rows : PAGE_MOST)));
	if (whole == NULL)
		return;
	if (p->cursor != NULL)
		json_object_set(arguments, p->cursor, json_object_get(whole, "next"));
	else
		json_object_set_new(arguments, "offset",
			json_integer((json_int_t)json_array_size(json_object_get(whole, p->rows))));
}

static bool has_more(const struct pages *p, const json_t *whole)
{
	const json_t *rows = json_object_get(whole, p->rows);

	if (p->cursor != NULL)
		return !json_is_null(json_object_get(whole, "next"));
	return (json_int_t)json_array_size(rows) < number_of(whole, "total");
}

/* Moves the rows of a page to those that are there; false when it had none. */
static bool append(const struct pages *p, json_t *whole, json_t *take_page)
{
	json_t *rows = json_object_get(take_page, p->rows);
	bool grew = json_array_size(rows) > 0;

	json_array_extend(json_object_get(whole, p->rows), rows);
	if (p->cursor != NULL)
		json_object_set(whole, "next", json_object_get(take_page, "next"));
	json_decref(take_page);
	return grew;
}

json_t *link_ask_all(struct link *l, const struct request *r)
{
	const struct pages *p = pages_of(r->command);
	json_t *arguments = json_deep_copy(r->arguments), *whole = NULL, *page;
	uint64_t wanted = p == NULL ? 0 : r->limit != 0 ? r->limit : p->standard, have = 0;

	if (p != NULL)
		ask_for(arguments, p, NULL, wanted);
	whole = link_ask(l, r->command, arguments);
	while (p != NULL && whole != NULL && has_more(p, whole) &&
		(have = json_array_size(json_object_get(whole, p->rows))) < wanted) {
		ask_for(arguments, p, whole, wanted - have);
		page = link_ask(l, r->command, arguments);
		if (page == NULL) {
			json_decref(whole);
			whole = NULL;
		} else if (!append(p, whole, page)) {
			break;
		}
	}
	json_decref(arguments);
	return whole;
}
