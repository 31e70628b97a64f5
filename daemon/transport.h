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

/*
 * How a transfer ended, below HTTP. After RESOLVE, CONNECT and TLS no byte of the request was sent,
 * be it that something failed or took too long. After the others it may have been done. In a reply
 * that is not OK only `status` and the headers count, and they say whether a reply had begun. A
 * body of which the server did not tell the length is whole when the connection is closed.
 */
enum transport_result {
	TRANSPORT_OK,
	TRANSPORT_RESOLVE,   /* the name could not be resolved */
	TRANSPORT_CONNECT,   /* no connection, or a request that must not be sent at all */
	TRANSPORT_TLS,       /* the peer's certificate or handshake was refused */
	TRANSPORT_BROKEN,    /* the connection broke after the request was sent */
	TRANSPORT_TIMEOUT,   /* no whole reply in time after the request was sent */
	TRANSPORT_TOO_LARGE, /* the reply passed its cap */
	TRANSPORT_CANCELED,  /* given up by a caller above; never from transport_curl */
};
const char *transport_result_text(enum transport_result r);

struct transport;
struct transfer;

/*
 * How a request leaves this machine. Members are NULL where they are not given. Requests to
 * local hosts (see transport_host_is_local) never go through a proxy, whatever stands here.
 */
struct transport_route {
	const char *ca_file; /* trusted besides the system's authorities */
	/* "http://proxy:3128", "https://…", or "none"; NULL: what the environment says. Requests
	 * are tunnelled through it: it learns host and port of the server, and nothing more. */
	const char *proxy;
	const char *proxy_credentials_file; /* USER:PASSWORD, read anew for each request */
	const char *proxy_ca_file;          /* trusted besides the system's, for the proxy itself */
	const char *no_proxy; /* "10.0.0.0/8,example.com"; NULL: what the environment says */
};

/* Zero stands for the value named. */
struct transport_options {
	struct dur connect_timeout; /* 10 s, for name, connection and TLS together */
	struct dur timeout;         /* 120 s: ARM answers 504 after 60 s, plans take up to 9 s */
	size_t reply_cap;           /* 16 MiB for the body; headers have their own cap */
	/* getenv(), asked once for HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case of their
	 * letters; NULL: no environment. */
	const char *(*environment)(const char *name);
};

/*
 * `reply` is the callee's to take from (http_reply_fini is called afterwards). `detail` is a short
 * text for people, "" when there is nothing to say. The transfer is over: it cannot be cancelled
 * any more; others can, and new ones started.
 */
typedef void (*transport_done_fn)(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply);

/*
 * True for 127.0.0.0/8, ::1, "localhost" and the metadata address 169.254.169.254, without
 * brackets: what may be asked without TLS, and is never asked through a proxy.
 */
bool transport_host_is_local(const char *host);

struct transport_ops {
	/* Takes the request; borrows the route, NULL for one without anything, for the call. Never
	 * calls `done` before it returns. */
	struct transfer *(*start)(struct transport *t, struct http_request *take_request,
		const struct transport_route *route, transport_done_fn done, void *ctx);
	/* `done` will not be called. */
	void (*cancel)(struct transport *t, struct transfer *x);
	size_t (*running)(const struct transport *t);
	/* Ends what still runs without a call of `done`. Not from inside `done`. */
	struct transport *(*free)(struct transport *t);
};
struct transport {
	const struct transport_ops *ops;
};

/* https alone, TLS 1.2 or newer, and http only to local hosts (tokens of managed identities). */
struct transport *transport_curl_new(struct loop *l, const struct transport_options *options);

#endif
