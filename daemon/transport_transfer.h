/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_transfer: one request on its way through libcurl: how it becomes an easy handle, how
 * the reply is collected within its caps, how the end becomes a transport_result.
 *
 * Private to transport_*.c. Nothing here touches the multi handle, the loop or other transfers.
 */
#ifndef MDCD_TRANSPORT_TRANSFER_H
#define MDCD_TRANSPORT_TRANSFER_H

#include "daemon/transport_proxy.h"
#include "lib/base/list.h"

#include <curl/curl.h>
#include <openssl/types.h>

#define TRANSFER_MAGIC 0x7472616eu

struct transfer {
	unsigned magic;
	struct list node;
	struct http_request request;
	char *ca_file, *proxy_ca_file;
	X509_STORE *trust, *proxy_trust;
	struct proxy_choice proxy;
	transport_done_fn done;
	void *ctx;

	CURL *easy; /* NULL before it starts and after it ended */
	struct curl_slist *headers;
	bool sent; /* a connection stands and the request goes out */
	size_t reply_cap;
	const char *too_large; /* which cap the reply passed */
	size_t header_bytes;
	size_t header_lines;
	bool headers_over;
	size_t body_room;
	struct http_reply reply;
	char error[CURL_ERROR_SIZE];

	enum transport_result result;
	char *detail;
};

struct transfer *transfer_new(struct http_request *take_request,
	const struct transport_route *route, transport_done_fn done, void *ctx);
struct transfer *transfer_free(struct transfer *x);

/* NULL, or why this request must not be sent; the caller frees it. Chooses the proxy. */
char *transfer_refusal(struct transfer *x, const struct proxy_environment *environment,
	const struct transport_route *route);
/* Makes `easy` carry the request; `x` must stay where it is until the handle is reset. */
void transfer_prepare(struct transfer *x, CURL *easy, const struct transport_options *options);
/* Before the handle is reset. */
void transfer_end(struct transfer *x, CURLcode code);
/* Ends it for a reason that is not libcurl's. */
void transfer_fail(struct transfer *x, enum transport_result result, const char *detail);

#endif
