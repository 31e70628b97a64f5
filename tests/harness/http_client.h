/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client: the real transport on the real loop against an https_server, for tests that ask one
 * thing after the other and look at the answers. Its asserts are cmocka's.
 */
#ifndef MDC_HTTP_CLIENT_H
#define MDC_HTTP_CLIENT_H

#include "daemon/transport.h"
#include "tests/harness/https_server.h"

#define HTTP_CLIENT_CAP 100000

struct http_client {
	struct loop *loop;
	struct transport *transport;
	struct test_ca *ca;
	struct https_server *server;
	https_serve_fn serve;
	char ca_file[64];
	struct transport_route route; /* of all requests, with the ca_file that each names */
	unsigned waiting;             /* answers still to come */
};

struct http_answer {
	struct http_client *client;
	unsigned calls;
	enum transport_result result;
	char detail[512];
	struct http_reply reply;
	struct transfer *transfer;
};

void http_client_open(struct http_client *c, https_serve_fn serve);
void http_client_close(struct http_client *c);
/* Another transport, or another server, in place of the present one. */
void http_client_use(struct http_client *c, struct transport_options options);
void http_client_use_server(struct http_client *c, struct https_server_options options);

/* A URL of the server. Caller frees. */
char *http_client_url(struct http_client *c, const char *path);
void http_client_start_request(struct http_client *c, struct http_answer *a,
	struct http_request *take_request, const char *ca_file);
void http_client_start(
	struct http_client *c, struct http_answer *a, const char *method, const char *path);
/* Until all that was started is answered. */
void http_client_wait(struct http_client *c);
/* Start and wait. */
void http_client_get(struct http_client *c, struct http_answer *a, const char *path);
void http_client_get_url(
	struct http_client *c, struct http_answer *a, const char *url, const char *ca_file);

/* Runs until `there`, cancels that one, and sees that it is never called. */
void http_client_cancel_when(
	struct http_client *c, struct http_answer *a, bool (*there)(void *ctx), void *ctx);

/* All of these free the reply. */
void http_answer_fini(struct http_answer *a);
void http_answer_is(struct http_answer *a, int status, const char *body);
/* A failure says so in words, and gives no part of a body. */
void http_answer_failed(struct http_answer *a, enum transport_result result, int status);

#endif
