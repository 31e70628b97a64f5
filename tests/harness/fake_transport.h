/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_transport: a transport that answers from a script and remembers what it was asked.
 *
 * A request takes the first answer of the script that fits its method and URL. It is used up by
 * that, unless it is for `always`. A request that nothing fits finds no connection and is counted.
 */
#ifndef MDC_TEST_FAKE_TRANSPORT_H
#define MDC_TEST_FAKE_TRANSPORT_H

#include "daemon/transport.h"

struct fake_answer {
	const char *method;   /* NULL: any */
	const char *url_part; /* NULL: any */
	bool always;
	enum transport_result result;
	int status;              /* 0: no reply */
	const char *body;        /* NULL: empty */
	const char *headers[16]; /* "name: value", up to NULL */
	struct dur delay;
	bool hangs; /* never ends by itself */
};

/* What the transport was asked; lives until the transport is freed. */
struct fake_request {
	struct http_request request;
	char *ca_file, *proxy; /* of its route */
	struct mono at;
	bool canceled;
};

struct transport *fake_transport_new(struct loop *l);
/* Texts are copied. */
void fake_transport_answer(struct transport *t, const struct fake_answer *a);
/*
 * For requests that no answer of the script fits: a service that makes its own. What *ret points to
 * is copied when it returns.
 */
typedef void (*fake_serve_fn)(
	void *ctx, const struct http_request *request, struct mono now, struct fake_answer *ret);
void fake_transport_serve(struct transport *t, fake_serve_fn serve, void *ctx);
/* Forgets what was not used. */
void fake_transport_clear(struct transport *t);

size_t fake_transport_count(const struct transport *t);
/* The i-th request; counted from the end where negative. */
const struct fake_request *fake_transport_request(const struct transport *t, int i);
/* A header of it, or NULL. */
const char *fake_transport_header(const struct transport *t, int i, const char *name);
/* Requests that no answer fitted. */
size_t fake_transport_unexpected(const struct transport *t);

#endif
