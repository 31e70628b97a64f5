/* SPDX-License-Identifier: Apache-2.0 */
/*
 * https_server: a server on loopback whose every byte and every misbehaviour is the test's. One
 * thread a connection, blocking; the test's function serves one request at a time and says whether
 * the connection goes on.
 */
#ifndef MDC_HTTPS_SERVER_H
#define MDC_HTTPS_SERVER_H

#include "tests/harness/test_ca.h"

struct https_server;
struct https_connection;

struct https_request {
	char *head; /* request line and headers, as they came */
	char method[16];
	char path[256];
	char *body;
	size_t body_len;
};

/* False: the connection is closed. */
typedef bool (*https_serve_fn)(
	void *ctx, struct https_connection *c, const struct https_request *request);

struct https_server_options {
	const struct test_ca *ca; /* NULL: plain HTTP */
	const char *address;      /* where it listens; NULL: 127.0.0.1 */
	unsigned port;            /* 0: any free one */
	const char *names;        /* of the certificate; NULL: localhost and 127.0.0.1 */
	int days_ago;             /* that it expired */
	int newest_tls;           /* TLS1_1_VERSION, …; 0: no limit */
	bool mute;                /* accepts connections and never says anything */
	bool http2;               /* agrees on "h2": `serve` then gets no request but the bytes */
};

struct https_server *https_server_new(
	const struct https_server_options *options, https_serve_fn serve, void *ctx);
/* Closes all connections and waits for their threads. */
struct https_server *https_server_free(struct https_server *s);
unsigned https_server_port(const struct https_server *s);
/* Connections that were accepted; requests that were read whole. */
unsigned https_server_connections(const struct https_server *s);
unsigned https_server_requests(const struct https_server *s);

/* Inside `serve`. False when the peer is gone. */
bool https_send(struct https_connection *c, const void *data, size_t len);
bool https_says(struct https_connection *c, const char *text);
/* Exactly `len` bytes. */
bool https_receive(struct https_connection *c, void *data, size_t len);
/* Blocks until the peer sends something more or is gone; false when it is gone. */
bool https_wait(struct https_connection *c);
/* Passes bytes both ways until one side ends; closes the socket. */
void https_tunnel(struct https_connection *c, int take_socket);
/* Ends the connection with a reset; without TLS's goodbye; at once. */
void https_reset(struct https_connection *c);

/* A port on loopback that never takes a connection and never refuses one. */
struct black_hole {
	int fds[3];
};
/* On that address, NULL for 127.0.0.1. The port. */
unsigned black_hole_open(struct black_hole *h, const char *address);
void black_hole_close(struct black_hole *h);

#endif
