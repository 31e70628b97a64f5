/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/transport_transfer.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#define HEADER_BYTES_MAX (64 * 1024)
#define HEADER_LINES_MAX 256
#define BODY_ROOM_FIRST 4096

/* --- its life --- */

static char *copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

struct transfer *transfer_new(struct http_request *take_request,
	const struct transport_route *route, transport_done_fn done, void *ctx)
{
	struct transfer *x = xcalloc(1, sizeof(*x));

	x->magic = TRANSFER_MAGIC;
	list_init(&x->node);
	x->request = *take_request;
	*take_request = (struct http_request){0};
	x->ca_file = copy(route->ca_file);
	x->proxy_ca_file = copy(route->proxy_ca_file);
	x->done = done;
	x->ctx = ctx;
	return x;
}

/* Authorization is among them. */
static void headers_free(struct curl_slist *headers)
{
	for (struct curl_slist *h = headers; h != NULL; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(headers);
}

struct transfer *transfer_free(struct transfer *x)
{
	if (x == NULL)
		return NULL;
	assert(x->easy == NULL);
	list_remove(&x->node);
	http_request_fini(&x->request);
	http_reply_fini(&x->reply);
	headers_free(x->headers);
	X509_STORE_free(x->trust);
	X509_STORE_free(x->proxy_trust);
	proxy_choice_fini(&x->proxy);
	free(x->ca_file);
	free(x->proxy_ca_file);
	free(x->detail);
	x->magic = 0;
	free(x);
	return NULL;
}

/* --- what may be sent --- */

static bool is_header_safe(const struct http_header *h)
{
	if (*h->name == '\0')
		return false;
	for (const char *p = h->name; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == ':')
			return false;
	for (const char *p = h->value; *p != '\0'; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return false;
	return true;
}

static char *url_refusal(struct transfer *x, const struct proxy_environment *environment,
	const struct transport_route *route)
{
	struct http_url u;
	char *why = NULL;

	if (http_url_parse(x->request.url, &u) != 0)
		return xstrdup("not an http or https URL");
	if (str_equal(u.scheme, "http") && !transport_host_is_local(u.host))
		why = xstrdup("http without TLS is only for this machine and the metadata address");
	else
		why = proxy_choose(environment, route, u.host, &x->proxy);
	http_url_fini(&u);
	return why;
}

char *transfer_refusal(struct transfer *x, const struct proxy_environment *environment,
	const struct transport_route *route)
{
	const struct http_request *r = &x->request;

	if (str_empty(r->method) ||
		strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(r->method))
		return xstrdup("not an HTTP method");
	for (size_t i = 0; i < r->headers.n; i++)
		if (!is_header_safe(&r->headers.v[i]))
			return xstrdup("a header holds a control character");
	return url_refusal(x, environment, route);
}

/* --- the reply --- */

static size_t refuse_reply(struct transfer *x, const char *cap)
{
	x->too_large = cap;
	return 0;
}

static void header_line(struct transfer *x, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	mdc_autofree char *name = NULL, *value = NULL;

	if (colon == NULL || colon == line || memchr(line, ' ', (size_t)(colon - line)) != NULL)
		return;
	name = xstrndup(line, (size_t)(colon - line));
	len -= (size_t)(++colon - line);
	while (len > 0 && (*colon == ' ' || *colon == '\t')) {
		colon++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", colon[len - 1]) != NULL)
		len--;
	value = xstrndup(colon, len);
	http_headers_add(&x->reply.headers, name, value);
}

/* A new block of headers: those before it were of an interim reply. */
static void status_line(struct transfer *x, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	int status = 0;

	if (space != NULL)
		for (const char *p = space + 1;
			p < line + len && p < space + 4 && *p >= '0' && *p <= '9'; p++)
			status = status * 10 + (*p - '0');
	http_headers_fini(&x->reply.headers);
	x->headers_over = false;
	x->reply.status = status >= 200 ? status : 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
	struct transfer *x = ctx;
	size_t len = size * count;
	bool is_status = len >= 5 && memcmp(line, "HTTP/", 5) == 0;

	MDC_MAGIC_CHECK(x, TRANSFER_MAGIC);
	x->header_bytes += len;
	x->header_lines++;
	if (x->header_bytes > HEADER_BYTES_MAX || x->header_lines > HEADER_LINES_MAX)
		return refuse_reply(x, "the reply has too many headers");
	if (is_status && x->reply.status == 0 && (x->header_lines == 1 || x->headers_over))
		status_line(x, line, len);
	else if (x->headers_over)
		return len; /* trailers: nobody asked for them */
	else if (len <= 2 && (*line == '\r' || *line == '\n'))
		x->headers_over = true;
	else
		header_line(x, line, len);
	return len;
}

/* Not realloc(): it may leave parts of a token behind. */
static void body_reserve(struct transfer *x, size_t need)
{
	size_t room = x->body_room < BODY_ROOM_FIRST ? BODY_ROOM_FIRST : x->body_room;
	curl_off_t announced = -1;
	char *body;

	if (x->reply.body == NULL)
		(void)curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	if (announced > 0 && (uint64_t)announced <= x->reply_cap)
		room = (size_t)announced;
	while (room < need)
		room *= 2;
	if (x->reply.body != NULL && room <= x->body_room)
		return;
	body = xmalloc(room + 1);
	if (x->reply.body != NULL) {
		memcpy(body, x->reply.body, x->reply.body_len);
		explicit_bzero(x->reply.body, x->reply.body_len);
		free(x->reply.body);
	}
	x->reply.body = body;
	x->body_room = room;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct transfer *x = ctx;
	size_t len = size * count;

	MDC_MAGIC_CHECK(x, TRANSFER_MAGIC);
	if (len > x->reply_cap - x->reply.body_len)
		return refuse_reply(x, "the reply is too large");
	body_reserve(x, x->reply.body_len + len);
	memcpy(x->reply.body + x->reply.body_len, data, len);
	x->reply.body_len += len;
	return len;
}

/* --- the request --- */

/* Right before the request goes out. libcurl sends a request again by itself when a connection that
 * it used before turns out to be dead; what was sent once is for our caller to decide. */
static int on_connected(void *ctx, char *address, char *local, int port, int local_port)
{
	struct transfer *x = ctx;

	(void)address;
	(void)local;
	(void)port;
	(void)local_port;
	MDC_MAGIC_CHECK(x, TRANSFER_MAGIC);
	if (x->sent)
		return CURL_PREREQFUNC_ABORT;
	x->sent = true;
	return CURL_PREREQFUNC_OK;
}

/*
 * For an https proxy and for the server behind it, one after the other. libcurl does not say which;
 * the highest version that was allowed does (see prepare_proxy()).
 */
static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *ctx)
{
	struct transfer *x = ctx;
	bool proxy = SSL_CTX_get_max_proto_version(ssl_ctx) == TLS1_3_VERSION;

	(void)easy;
	MDC_MAGIC_CHECK(x, TRANSFER_MAGIC);
	if (proxy && x->proxy_trust == NULL)
		return CURLE_SSL_CONNECT_ERROR;
	SSL_CTX_set1_cert_store(ssl_ctx, proxy ? x->proxy_trust : x->trust);
	return CURLE_OK;
}

static void must(CURLcode code)
{
	if (code == CURLE_OK)
		return;
	fprintf(stderr, "libcurl does not do what it must: %s\n", curl_easy_strerror(code));
	abort();
}

static void prepare_connection(struct transfer *x, CURL *e, const struct transport_options *o)
{
	bool plain = str_starts_nocase(x->request.url, "http:");

	/* What was checked is what is sent: no squashing of dots, no other scheme. */
	must(curl_easy_setopt(e, CURLOPT_URL, x->request.url));
	must(curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L));
	must(curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https"));
	must(curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L));
	must(curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L));
	must(curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L));
	/* Without this, removing a handle whose name is being resolved waits for the resolver. */
	must(curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L));
	must(curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout.ms));
	must(curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)o->timeout.ms));
	/* Nothing at all for three quarters of the time: nothing will come. */
	must(curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L));
	must(curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)(o->timeout.ms * 3 / 4000 + 1)));
	must(curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L));
	/* A burst of connections shares one answer. Beyond that the system's resolver decides, who
	 * knows how long an answer holds: a private endpoint may come and go. */
	must(curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 5L));
	/* Or a connection that is always in use would never see that a name has moved. */
	must(curl_easy_setopt(e, CURLOPT_MAXLIFETIME_CONN, 3600L));
	must(curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS));
	/* Not CURLOPT_PIPEWAIT: where a name or a connection hangs, transfers would wait for it one
	 * after the other, each for the whole of its time. */
}

static void prepare_proxy(struct transfer *x, CURL *e)
{
	/* Never libcurl's own look into the environment. */
	must(curl_easy_setopt(e, CURLOPT_PROXY, x->proxy.url != NULL ? x->proxy.url : ""));
	must(curl_easy_setopt(e, CURLOPT_NOPROXY, ""));
	if (x->proxy.url == NULL)
		return;
	/* A tunnel and nothing else: our headers are for the server behind it. */
	must(curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, 1L));
	must(curl_easy_setopt(e, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE));
	must(curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L));
	must(curl_easy_setopt(e, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC));
	if (x->proxy.user != NULL) {
		must(curl_easy_setopt(e, CURLOPT_PROXYUSERNAME, x->proxy.user));
		must(curl_easy_setopt(e, CURLOPT_PROXYPASSWORD, x->proxy.password));
	}
	must(curl_easy_setopt(e, CURLOPT_PROXY_SSLVERSION,
		(long)CURL_SSLVERSION_TLSv1_2 | (long)CURL_SSLVERSION_MAX_TLSv1_3));
	must(curl_easy_setopt(e, CURLOPT_PROXY_SSL_VERIFYPEER, 1L));
	must(curl_easy_setopt(e, CURLOPT_PROXY_SSL_VERIFYHOST, 2L));
	must(curl_easy_setopt(e, CURLOPT_PROXY_CAPATH, NULL));
	must(curl_easy_setopt(e, CURLOPT_PROXY_CAINFO, x->proxy_ca_file));
}

static void prepare_tls(struct transfer *x, CURL *e)
{
	must(curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
	must(curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L));
	must(curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L));
	/* The store is ours. The name of the file keeps connections that were made with it apart
	 * from those of others; libcurl adds its certificates to the same store once more. */
	must(curl_easy_setopt(e, CURLOPT_CAPATH, NULL));
	must(curl_easy_setopt(e, CURLOPT_CAINFO, x->ca_file));
	must(curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, 0L));
	must(curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx));
	must(curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, x));
}

static void add_header(struct transfer *x, const char *line)
{
	struct curl_slist *longer = curl_slist_append(x->headers, line);

	assert(longer != NULL && "out of memory");
	x->headers = longer;
}

static void prepare_headers(struct transfer *x, CURL *e)
{
	const struct http_headers *h = &x->request.headers;

	for (size_t i = 0; i < h->n; i++) {
		/* An empty value is written with a semicolon, or libcurl leaves the header out. */
		char *line = *h->v[i].value != '\0'
			? xasprintf("%s: %s", h->v[i].name, h->v[i].value)
			: xasprintf("%s;", h->v[i].name);

		add_header(x, line);
		explicit_bzero(line, strlen(line));
		free(line);
	}
	add_header(x, "Expect:");
	if (http_headers_get(h, "Content-Type") == NULL)
		add_header(x, "Content-Type:");
	must(curl_easy_setopt(e, CURLOPT_HTTPHEADER, x->headers));
	if (http_headers_get(h, "User-Agent") == NULL)
		must(curl_easy_setopt(e, CURLOPT_USERAGENT, "mdcd/" MDC_VERSION));
}

static void prepare_body(struct transfer *x, CURL *e)
{
	const struct http_request *r = &x->request;
	bool takes_body = !str_equal(r->method, "GET") && !str_equal(r->method, "HEAD") &&
		!str_equal(r->method, "DELETE");

	if (r->body != NULL || takes_body) {
		must(curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len));
		must(curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body != NULL ? r->body : ""));
	}
	if (str_equal(r->method, "HEAD"))
		must(curl_easy_setopt(e, CURLOPT_NOBODY, 1L));
	else
		must(curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method));
}

void transfer_prepare(struct transfer *x, CURL *easy, const struct transport_options *options)
{
	x->easy = easy;
	x->reply_cap = options->reply_cap;
	prepare_connection(x, easy, options);
	prepare_proxy(x, easy);
	prepare_tls(x, easy);
	prepare_headers(x, easy);
	prepare_body(x, easy);
	must(curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)options->reply_cap));
	must(curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header));
	must(curl_easy_setopt(easy, CURLOPT_HEADERDATA, x));
	must(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
	must(curl_easy_setopt(easy, CURLOPT_WRITEDATA, x));
	must(curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected));
	must(curl_easy_setopt(easy, CURLOPT_PREREQDATA, x));
	must(curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->error));
	must(curl_easy_setopt(easy, CURLOPT_PRIVATE, x));
}

/* --- the end --- */

static enum transport_result unsent_timeout(CURL *easy)
{
	curl_off_t resolved = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
	return resolved > 0 ? TRANSPORT_CONNECT : TRANSPORT_RESOLVE;
}

/* Once the request is out only three ends remain: what was sent may have been done. */
static enum transport_result sent_result(CURLcode code)
{
	return code == CURLE_OPERATION_TIMEDOUT ? TRANSPORT_TIMEOUT : TRANSPORT_BROKEN;
}

static bool is_whole(const struct transfer *x)
{
	return x->reply.status != 0 && x->headers_over;
}

static enum transport_result result_of(const struct transfer *x, CURLcode code)
{
	/* To libcurl, headers that end in the middle are the end of a reply. */
	if (code == CURLE_OK)
		return is_whole(x) ? TRANSPORT_OK : TRANSPORT_BROKEN;
	if (x->too_large != NULL || code == CURLE_FILESIZE_EXCEEDED)
		return TRANSPORT_TOO_LARGE;
	if (x->sent)
		return sent_result(code);
	/* By its number: libcurl has a hundred codes, and newer ones have more. */
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY: return TRANSPORT_RESOLVE;
	case CURLE_OPERATION_TIMEDOUT: return unsent_timeout(x->easy);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_USE_SSL_FAILED:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_SHUTDOWN_FAILED:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT: return TRANSPORT_TLS;
	}
	return TRANSPORT_CONNECT;
}

static char *own_detail(const struct transfer *x, CURLcode code)
{
	if (x->too_large != NULL)
		return xstrdup(x->too_large);
	if (code == CURLE_OK)
		return xstrdup(is_whole(x) ? "" : "the headers of the reply are not complete");
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return xstrdup("the connection was closed before a reply came");
	return xstrdup(x->error[0] != '\0' ? x->error : curl_easy_strerror(code));
}

static char *refused_by_proxy(const struct transfer *x, long status)
{
	const char *shown = x->proxy.shown;

	if (status == 407 && x->proxy.asked)
		return xasprintf("the proxy %s does not take the user and password of its "
				 "credentials-file (407)",
			shown);
	if (status == 407)
		return xasprintf("the proxy %s wants a user and a password (407); name a file with "
				 "USER:PASSWORD as credentials-file in the section proxy",
			shown);
	if (status == 403 || status == 405)
		return xasprintf("the proxy %s does not let this host through (%ld); it has to be "
				 "allowed there",
			shown, status);
	if (status >= 500)
		return xasprintf("the proxy %s does not reach the host (%ld)", shown, status);
	return xasprintf("the proxy %s refuses the connection (%ld)", shown, status);
}

/* Before the tunnel stands, trouble is most often the proxy's. */
static char *detail_of(const struct transfer *x, CURLcode code)
{
	mdc_autofree char *detail = NULL;
	long status = 0;

	if (x->proxy.url == NULL || x->sent || code == CURLE_OK)
		return own_detail(x, code);
	(void)curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	if (status >= 300)
		return refused_by_proxy(x, status);
	detail = own_detail(x, code);
	return xasprintf("%s (by the proxy %s)", detail, x->proxy.shown);
}

/* A reply that is not whole is not given; that it had begun is. */
static void drop_body(struct transfer *x)
{
	if (x->reply.body != NULL)
		explicit_bzero(x->reply.body, x->reply.body_len);
	free(x->reply.body);
	x->reply.body = NULL;
	x->reply.body_len = x->body_room = 0;
}

void transfer_end(struct transfer *x, CURLcode code)
{
	x->result = result_of(x, code);
	x->detail = detail_of(x, code);
	if (x->result != TRANSPORT_OK) {
		drop_body(x);
		return;
	}
	if (x->reply.body == NULL)
		body_reserve(x, 0);
	x->reply.body[x->reply.body_len] = '\0';
}

void transfer_fail(struct transfer *x, enum transport_result result, const char *detail)
{
	drop_body(x);
	x->result = result;
	free(x->detail);
	x->detail = xstrdup(detail);
}
