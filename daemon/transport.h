/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport: the seam to HTTP. One request, one completion, always asynchronous.
 *
 * transport_curl.c is the real one (libcurl multi on the loop); tests/harness/transport_estate.c
 * asks the in-process estate. Redirects are never followed, bodies are capped, and nothing is
 * retried here.
 */
#ifndef MDCD_TRANSPORT_H
#define MDCD_TRANSPORT_H

#include "daemon/loop.h"
#include "lib/base/http_message.h"

/* How a transfer ended, below HTTP. */
enum transport_result {
	TRANSPORT_OK,
	TRANSPORT_RESOLVE, /* the name could not be resolved */
	TRANSPORT_CONNECT, /* no connection: no byte of the request was sent */
	TRANSPORT_TLS,     /* the peer's certificate or handshake was refused */
	TRANSPORT_BROKEN,  /* the connection broke after the request was sent */
	TRANSPORT_TIMEOUT,
	TRANSPORT_TOO_LARGE, /* the reply passed its cap */
	TRANSPORT_CANCELED,  /* the transport is shutting down */
};
const char *transport_result_text(enum transport_result r);

struct transport;
struct transfer;

struct transport_options {
	struct dur connect_timeout; /* 10 s */
	struct dur timeout;         /* 120 s: ARM answers 504 after 60 s, plans take up to 9 s */
	size_t reply_cap;           /* 16 MiB + headers */
};

/* `reply` is the callee's to take from (http_reply_fini is called afterwards). */
typedef void (*transport_done_fn)(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply);

struct transport_ops {
	/* Takes the request. `ca_file` may be NULL. Never calls `done` before it returns. */
	struct transfer *(*start)(struct transport *t, struct http_request *take_request,
		const char *ca_file, transport_done_fn done, void *ctx);
	/* `done` will not be called. */
	void (*cancel)(struct transport *t, struct transfer *x);
	size_t (*running)(const struct transport *t);
	struct transport *(*free)(struct transport *t);
};
struct transport {
	const struct transport_ops *ops;
};

struct transport *transport_curl_new(struct loop *l, const struct transport_options *options);

#endif
