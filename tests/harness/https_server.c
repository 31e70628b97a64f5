/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/https_server.h"

#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX (1024 * 1024)

struct https_connection {
	struct list node;
	struct https_server *server;
	pthread_t thread;
	int fd;
	SSL *ssl;    /* NULL: plain */
	bool broken; /* no goodbye */
};

struct https_server {
	struct https_server_options options;
	https_serve_fn serve;
	void *ctx;
	SSL_CTX *tls;
	int fd;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock; /* over the list and `stopping` */
	struct list connections;
	bool stopping;
	_Atomic unsigned accepted;
	_Atomic unsigned requests;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

/* --- bytes --- */

static ssize_t receive_some(struct https_connection *c, void *data, size_t len)
{
	return c->ssl != NULL ? SSL_read(c->ssl, data, (int)len) : recv(c->fd, data, len, 0);
}

bool https_send(struct https_connection *c, const void *data, size_t len)
{
	const char *from = data;

	while (len > 0) {
		int part = len > 65536 ? 65536 : (int)len;
		ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, from, part)
					   : send(c->fd, from, (size_t)part, MSG_NOSIGNAL);

		if (n <= 0) {
			c->broken = true;
			return false;
		}
		from += n;
		len -= (size_t)n;
	}
	return true;
}

bool https_says(struct https_connection *c, const char *text)
{
	return https_send(c, text, strlen(text));
}

bool https_receive(struct https_connection *c, void *data, size_t len)
{
	char *to = data;

	while (len > 0) {
		ssize_t n = receive_some(c, to, len);

		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

bool https_wait(struct https_connection *c)
{
	char byte;

	if (c->ssl == NULL)
		return recv(c->fd, &byte, 1, MSG_PEEK) > 0;
	return SSL_peek(c->ssl, &byte, 1) > 0;
}

static bool send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* False at the end of either side. */
static bool pass_on(struct https_connection *c, int fd)
{
	struct pollfd ends[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	bool pending = c->ssl != NULL && SSL_pending(c->ssl) > 0;
	char data[16384];
	ssize_t n;

	if (poll(ends, 2, pending ? 0 : -1) < 0)
		return errno == EINTR;
	if (pending || ends[0].revents != 0) {
		n = receive_some(c, data, sizeof(data));
		if (n <= 0 || !send_all(fd, data, (size_t)n))
			return false;
	}
	if (ends[1].revents != 0) {
		n = recv(fd, data, sizeof(data), 0);
		if (n <= 0 || !https_send(c, data, (size_t)n))
			return false;
	}
	return true;
}

void https_tunnel(struct https_connection *c, int take_socket)
{
	while (pass_on(c, take_socket))
		continue;
	close(take_socket);
}

void https_reset(struct https_connection *c)
{
	struct linger at_once = {.l_onoff = 1};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	c->broken = true;
}

/* --- requests --- */

/* Up to and with the empty line. */
static char *read_head(struct https_connection *c)
{
	struct buf head = BUF_INIT(HEAD_MAX);
	char byte;

	while (https_receive(c, &byte, 1) && buf_addc(&head, byte) == 0)
		if (str_ends_nocase(buf_str(&head), "\r\n\r\n"))
			return buf_steal(&head);
	buf_fini(&head);
	return NULL;
}

static bool read_request(struct https_connection *c, struct https_request *ret)
{
	const char *length;

	*ret = (struct https_request){.head = read_head(c)};
	if (ret->head == NULL || sscanf(ret->head, "%15s %255s", ret->method, ret->path) != 2)
		return false;
	length = strcasestr(ret->head, "\r\nContent-Length:");
	if (length != NULL)
		ret->body_len = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	ret->body = xcalloc(1, ret->body_len + 1);
	return https_receive(c, ret->body, ret->body_len);
}

static bool serve_one(struct https_connection *c)
{
	struct https_server *s = c->server;
	struct https_request request = {0};
	bool goes_on = false;

	if (s->options.http2) {
		goes_on = s->serve(s->ctx, c, NULL);
	} else if (read_request(c, &request)) {
		atomic_fetch_add(&s->requests, 1);
		goes_on = s->serve(s->ctx, c, &request);
	}
	free(request.head);
	free(request.body);
	return goes_on;
}

static bool shake_hands(struct https_connection *c)
{
	if (c->server->tls == NULL)
		return true;
	c->ssl = SSL_new(c->server->tls);
	SSL_set_fd(c->ssl, c->fd);
	return SSL_accept(c->ssl) == 1;
}

/* The list still holds it: who stops the server needs its number. */
static void hang_up(struct https_connection *c)
{
	if (c->ssl != NULL && !c->broken)
		SSL_shutdown(c->ssl);
	pthread_mutex_lock(&c->server->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&c->server->lock);
	SSL_free(c->ssl);
}

static void *connection_thread(void *ctx)
{
	struct https_connection *c = ctx;

	if (c->server->options.mute) {
		char bytes[4096];

		while (recv(c->fd, bytes, sizeof(bytes), 0) > 0)
			continue;
	} else if (shake_hands(c)) {
		while (serve_one(c))
			continue;
	}
	hang_up(c);
	return NULL;
}

/* --- the server --- */

static void adopt(struct https_server *s, int fd)
{
	struct https_connection *c = xcalloc(1, sizeof(*c));

	c->server = s;
	c->fd = fd;
	pthread_mutex_lock(&s->lock);
	list_append(&s->connections, &c->node);
	must(pthread_create(&c->thread, NULL, connection_thread, c) == 0, "pthread_create");
	if (s->stopping)
		shutdown(fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->lock);
}

static void *server_thread(void *ctx)
{
	struct https_server *s = ctx;

	for (;;) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return NULL;
		atomic_fetch_add(&s->accepted, 1);
		adopt(s, fd);
	}
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *ctx)
{
	static const unsigned char h2[] = "\x02h2";

	(void)ssl;
	(void)ctx;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, h2, sizeof(h2) - 1,
		       in, in_len) == OPENSSL_NPN_NEGOTIATED
		? SSL_TLSEXT_ERR_OK
		: SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *tls_new(const struct https_server_options *o)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key;
	X509 *certificate;

	test_ca_issue(o->ca, o->names != NULL ? o->names : "DNS:localhost,IP:127.0.0.1",
		o->days_ago, &key, &certificate);
	must(SSL_CTX_use_certificate(tls, certificate) == 1 &&
			SSL_CTX_use_PrivateKey(tls, key) == 1,
		"a certificate");
	X509_free(certificate);
	EVP_PKEY_free(key);
	if (o->newest_tls != 0) {
		/* Or OpenSSL would not offer the old ones at all. */
		SSL_CTX_set_security_level(tls, 0);
		SSL_CTX_set_min_proto_version(tls, 0);
		SSL_CTX_set_max_proto_version(tls, o->newest_tls);
	}
	if (o->http2)
		SSL_CTX_set_alpn_select_cb(tls, choose_h2, NULL);
	return tls;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* NULL stands for 127.0.0.1. */
static socklen_t address_of(const char *text, unsigned port, union address *ret)
{
	*ret = (union address){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)}};
	if (text != NULL && inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1)
		return sizeof(ret->v6);
	*ret = (union address){.v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}};
	must(inet_pton(AF_INET, text != NULL ? text : "127.0.0.1", &ret->v4.sin_addr) == 1, text);
	return sizeof(ret->v4);
}

/* Any free port where `port` is 0. */
static int listen_on(const char *text, unsigned port, int backlog, unsigned *ret_port)
{
	union address address;
	socklen_t len = address_of(text, port, &address);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, &address.any, len) == 0 && listen(fd, backlog) == 0 &&
			getsockname(fd, &address.any, &len) == 0,
		"a listening socket");
	/* Both families have it at the same place. */
	*ret_port = ntohs(address.v4.sin_port);
	return fd;
}

struct https_server *https_server_new(
	const struct https_server_options *options, https_serve_fn serve, void *ctx)
{
	struct https_server *s = xcalloc(1, sizeof(*s));

	s->options = *options;
	s->serve = serve;
	s->ctx = ctx;
	s->tls = options->ca != NULL ? tls_new(options) : NULL;
	list_init(&s->connections);
	pthread_mutex_init(&s->lock, NULL);
	s->fd = listen_on(options->address, options->port, 1024, &s->port);
	must(pthread_create(&s->thread, NULL, server_thread, s) == 0, "pthread_create");
	return s;
}

struct https_server *https_server_free(struct https_server *s)
{
	if (s == NULL)
		return NULL;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	shutdown(s->fd, SHUT_RDWR);
	list_for_each (&s->connections, node) {
		struct https_connection *c = list_entry(node, struct https_connection, node);

		if (c->fd >= 0)
			shutdown(c->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	list_for_each (&s->connections, node) {
		struct https_connection *c = list_entry(node, struct https_connection, node);

		pthread_join(c->thread, NULL);
		free(c);
	}
	close(s->fd);
	SSL_CTX_free(s->tls);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}

unsigned https_server_port(const struct https_server *s)
{
	return s->port;
}

unsigned https_server_connections(const struct https_server *s)
{
	return atomic_load(&s->accepted);
}

unsigned https_server_requests(const struct https_server *s)
{
	return atomic_load(&s->requests);
}

/* A listening socket whose queue is full: the kernel drops what asks to connect. */
unsigned black_hole_open(struct black_hole *h, const char *text)
{
	union address address;
	unsigned port;

	h->fds[0] = listen_on(text, 0, 0, &port);
	for (int i = 1; i < 3; i++) {
		socklen_t len = address_of(text, port, &address);

		h->fds[i] = socket(
			address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(h->fds[i], &address.any, len);
	}
	return port;
}

void black_hole_close(struct black_hole *h)
{
	for (int i = 0; i < 3; i++)
		close(h->fds[i]);
}
