/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_message: a request and its reply as plain data, the currency between the ARM client, the
 * transport and the simulated estate. Nothing here opens a connection.
 */
#ifndef MDC_HTTP_MESSAGE_H
#define MDC_HTTP_MESSAGE_H

#include "lib/base/base.h"

struct http_header {
	char *name;
	char *value;
};

/* In the order they came; names may repeat. */
struct http_headers {
	struct http_header *v;
	size_t n;
};

void http_headers_fini(struct http_headers *h);
void http_headers_add(struct http_headers *h, const char *name, const char *value);
/* The first value of that name (without case), or NULL. */
const char *http_headers_get(const struct http_headers *h, const char *name);
/* The first value at or after index *at; *at then points behind it. For headers that repeat. */
const char *http_headers_walk(const struct http_headers *h, const char *name, size_t *at);

struct http_request {
	char *method; /* "GET" */
	char *url;    /* absolute */
	struct http_headers headers;
	char *body; /* NULL for none; NUL-terminated beyond body_len */
	size_t body_len;
};

struct http_reply {
	int status; /* 0: no reply arrived */
	struct http_headers headers;
	char *body; /* never NULL after a reply; NUL-terminated beyond body_len */
	size_t body_len;
};

/* Bodies may hold secrets: both overwrite the body before freeing it. */
void http_request_fini(struct http_request *r);
void http_reply_fini(struct http_reply *r);

/* Percent-encodes everything but unreserved characters (RFC 3986). Caller frees. */
char *http_percent_encode(const char *text);
/* Decodes a path in place. False for a bad escape, and for an escaped slash or NUL, which would
 * make other segments of it. */
bool http_percent_decode(char *path);

/* The parts of an absolute http(s) URL; borrowed slices are copied. -EINVAL. */
struct http_url {
	char *scheme;  /* lower case */
	char *host;    /* lower case, without brackets */
	unsigned port; /* explicit, or the scheme's default */
	char *path;    /* starts with '/', not decoded */
	char *query;   /* without '?', not decoded; NULL when absent */
};
int http_url_parse(const char *url, struct http_url *ret) MDC_MUST_CHECK;
void http_url_fini(struct http_url *u);
/* True when both URLs have the same scheme, host and port: the guard before a token is sent. */
bool http_url_same_origin(const char *a, const char *b);

#endif
