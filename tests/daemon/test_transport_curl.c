/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/tls_trust.h"
#include "daemon/transport.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/https_server.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define CAP 100000

/* Takes the place of libcurl's: fails once where the test says so. */
static bool multi_breaks;
CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int events, int *running)
{
	static CURLMcode (*real)(CURLM *, curl_socket_t, int, int *);

	if (real == NULL)
		real = (CURLMcode(*)(CURLM *, curl_socket_t, int, int *))dlsym(
			RTLD_NEXT, "curl_multi_socket_action");
	if (multi_breaks) {
		multi_breaks = false;
		return CURLM_INTERNAL_ERROR;
	}
	return real(multi, fd, events, running);
}

/* --- the server's side --- */

static bool send_zeros(struct https_connection *c, size_t len)
{
	static const char zeros[65536];

	while (len > 0) {
		size_t part = len < sizeof(zeros) ? len : sizeof(zeros);

		if (!https_send(c, zeros, part))
			return false;
		len -= part;
	}
	return true;
}

static bool serve_sized(struct https_connection *c, const struct https_request *r)
{
	size_t len = strtoul(r->path + strlen("/sized?"), NULL, 10);
	char head[128];

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
	return https_says(c, head) && send_zeros(c, len);
}

static bool serve_echo(struct https_connection *c, const struct https_request *r)
{
	char head[128];

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
		strlen(r->head) + r->body_len);
	return https_says(c, head) && https_says(c, r->head) && https_send(c, r->body, r->body_len);
}

static bool serve_chunks(struct https_connection *c, unsigned count)
{
	if (!https_says(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!https_says(c, "2000\r\n") || !send_zeros(c, 8192) || !https_says(c, "\r\n"))
			return false;
	return true;
}

static bool serve_flood(struct https_connection *c, const char *begin, const char *again)
{
	bool goes_on = https_says(c, begin);

	while (goes_on)
		goes_on = https_says(c, again);
	return false;
}

static bool hang(struct https_connection *c)
{
	(void)https_wait(c);
	return false;
}

static bool reset(struct https_connection *c)
{
	https_reset(c);
	return false;
}

static const struct {
	const char *path;
	const char *says;
	enum { GOES_ON, HANGS_UP, HANGS, RESETS } then;
} routes[] = {
	{"/ok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", GOES_ON},
	{"/empty", "HTTP/1.1 204 No Content\r\n\r\n", GOES_ON},
	{"/error", "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy", GOES_ON},
	{"/headers",
		"HTTP/1.1 200 OK\r\nx-ms-Request-Id:  a b\t\r\nX-Twice: 1\r\nEmpty:\r\n"
		"x-twice: 2\r\nContent-Length: 0\r\n\r\n",
		GOES_ON},
	{"/interim",
		"HTTP/1.1 103 Early Hints\r\nLink: early\r\n\r\n"
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		GOES_ON},
	{"/trailers",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Azure\r\n\r\n"
		"2\r\nok\r\n0\r\nAzure-AsyncOperation: https://elsewhere/\r\n\r\n",
		GOES_ON},
	{"/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", GOES_ON},
	{"/until-the-end", "HTTP/1.1 200 OK\r\n\r\nall of it", HANGS_UP},
	{"/short", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", HANGS_UP},
	{"/short-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort",
		HANGS_UP},
	{"/no-last-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
		HANGS_UP},
	{"/half-a-head", "HTTP/1.1 200 OK\r\nContent-", HANGS_UP},
	{"/no-colon", "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", HANGS_UP},
	{"/not-http", "SSH-2.0-OpenSSH_9.2\r\n", HANGS_UP},
	{"/reset-before", "", RESETS},
	{"/close-before", "", HANGS_UP},
	{"/reset-inside", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", RESETS},
	{"/hang", "", HANGS},
	{"/hang-inside", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", HANGS},
	{"/negative", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", HANGS_UP},
	{"/huge", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", HANGS},
};

static bool serve(void *ctx, struct https_connection *c, const struct https_request *r)
{
	(void)ctx;
	if (r == NULL)
		return https_says(c, "HTTP/1.1 400 Bad Request\r\n\r\n") && false;
	if (str_starts_nocase(r->path, "/sized?"))
		return serve_sized(c, r);
	if (str_equal(r->path, "/echo"))
		return serve_echo(c, r);
	if (str_equal(r->path, "/endless"))
		return serve_chunks(c, UINT32_MAX);
	if (str_equal(r->path, "/header-flood"))
		return serve_flood(c, "HTTP/1.1 200 OK\r\n", "X-Flood: drop\r\n");
	if (str_equal(r->path, "/header-line-flood"))
		return serve_flood(c, "HTTP/1.1 200 OK\r\nX-Flood: ", "drop");
	if (str_equal(r->path, "/interim-flood"))
		return serve_flood(c, "", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
	/* Answers, and hangs up when it is asked once more. */
	if (str_equal(r->path, "/last-words")) {
		https_says(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
		return https_wait(c) && reset(c);
	}
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!str_equal(r->path, routes[i].path))
			continue;
		https_says(c, routes[i].says);
		switch (routes[i].then) {
		case GOES_ON: return true;
		case HANGS_UP: return false;
		case HANGS: return hang(c);
		case RESETS: return reset(c);
		}
	}
	https_says(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	return true;
}

/* --- our side --- */

struct fixture {
	struct loop *loop;
	struct transport *transport;
	struct test_ca *ca;
	struct https_server *server;
	char ca_file[64];
	unsigned waiting; /* answers still to come */
};

struct answer {
	struct fixture *f;
	unsigned calls;
	enum transport_result result;
	char detail[512];
	struct http_reply reply;
	struct transfer *transfer;
};

static void use_options(struct fixture *f, struct transport_options options)
{
	if (f->transport != NULL)
		f->transport->ops->free(f->transport);
	if (options.reply_cap == 0)
		options.reply_cap = CAP;
	f->transport = transport_curl_new(f->loop, &options);
}

static void use_server(struct fixture *f, struct https_server_options options)
{
	https_server_free(f->server);
	f->server = https_server_new(&options, serve, NULL);
}

static int setup(void **state)
{
	static struct fixture f;
	int fd;

	f = (struct fixture){.loop = loop_ev_new(), .ca_file = "/tmp/mdcd-ca-XXXXXX"};
	fd = mkstemp(f.ca_file);
	assert_true(fd >= 0);
	close(fd);
	f.ca = test_ca_new("a test authority");
	test_ca_write(f.ca, f.ca_file);
	use_options(&f, (struct transport_options){0});
	use_server(&f, (struct https_server_options){.ca = f.ca});
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->transport->ops->free(f->transport);
	https_server_free(f->server);
	f->loop->ops->free(f->loop);
	test_ca_free(f->ca);
	unlink(f->ca_file);
	return 0;
}

static void answered(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply)
{
	struct answer *a = ctx;

	a->calls++;
	a->result = result;
	str_copy(a->detail, sizeof(a->detail), detail);
	a->reply = *reply;
	*reply = (struct http_reply){0};
	if (--a->f->waiting == 0)
		a->f->loop->ops->stop(a->f->loop);
}

static void start_request(
	struct fixture *f, struct answer *a, struct http_request *take_request, const char *ca_file)
{
	*a = (struct answer){.f = f};
	f->waiting++;
	a->transfer = f->transport->ops->start(f->transport, take_request, ca_file, answered, a);
	assert_int_equal(a->calls, 0);
}

static char *url_of(struct fixture *f, const char *path)
{
	return xasprintf("https://localhost:%u%s", https_server_port(f->server), path);
}

static void start(struct fixture *f, struct answer *a, const char *method, const char *path)
{
	struct http_request r = {.method = xstrdup(method), .url = url_of(f, path)};

	start_request(f, a, &r, f->ca_file);
}

static void wait_all(struct fixture *f)
{
	f->loop->ops->run(f->loop);
	assert_int_equal(f->waiting, 0);
}

static void get(struct fixture *f, struct answer *a, const char *path)
{
	start(f, a, "GET", path);
	wait_all(f);
	assert_int_equal(a->calls, 1);
}

static void get_url(struct fixture *f, struct answer *a, const char *url, const char *ca_file)
{
	struct http_request r = {.method = xstrdup("GET"), .url = xstrdup(url)};

	start_request(f, a, &r, ca_file);
	wait_all(f);
	assert_int_equal(a->calls, 1);
}

static void answer_fini(struct answer *a)
{
	http_reply_fini(&a->reply);
}

static void assert_ok(struct answer *a, int status, const char *body)
{
	assert_string_equal(a->detail, "");
	assert_int_equal(a->result, TRANSPORT_OK);
	assert_int_equal(a->reply.status, status);
	assert_int_equal(a->reply.body_len, strlen(body));
	assert_string_equal(a->reply.body, body);
	answer_fini(a);
}

/* A failure says so in words, and gives no part of a body. */
static void assert_failed(struct answer *a, enum transport_result result, int status)
{
	if (a->result != result)
		print_message("# %s: %s\n", transport_result_text(a->result), a->detail);
	assert_int_equal(a->result, result);
	assert_true(a->detail[0] != '\0');
	assert_int_equal(a->reply.status, status);
	assert_null(a->reply.body);
	assert_int_equal(a->reply.body_len, 0);
	answer_fini(a);
}

/* --- requests and replies --- */

static void an_answer_comes_with_status_and_body(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	get(f, &a, "/ok");
	assert_ok(&a, 200, "ok");
	get(f, &a, "/empty");
	assert_ok(&a, 204, "");
	get(f, &a, "/error");
	assert_string_equal(http_headers_get(&a.reply.headers, "retry-after"), "7");
	assert_ok(&a, 503, "busy");
	get(f, &a, "/until-the-end");
	assert_ok(&a, 200, "all of it");
}

static void headers_come_in_order_as_received(void **state)
{
	static const struct {
		const char *name;
		const char *value;
	} wanted[] = {{"x-ms-Request-Id", "a b"}, {"X-Twice", "1"}, {"Empty", ""}, {"x-twice", "2"},
		{"Content-Length", "0"}};
	struct fixture *f = *state;
	struct answer a;

	get(f, &a, "/headers");
	assert_int_equal(a.reply.headers.n, ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_string_equal(a.reply.headers.v[i].name, wanted[i].name);
		assert_string_equal(a.reply.headers.v[i].value, wanted[i].value);
	}
	assert_ok(&a, 200, "");
}

static void only_the_final_reply_counts_and_no_trailers(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	get(f, &a, "/interim");
	assert_null(http_headers_get(&a.reply.headers, "Link"));
	assert_ok(&a, 200, "ok");
	get(f, &a, "/trailers");
	assert_null(http_headers_get(&a.reply.headers, "Azure-AsyncOperation"));
	assert_ok(&a, 200, "ok");
}

static void a_request_goes_out_as_given(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	struct http_request r = {.method = xstrdup("PUT"),
		.url = url_of(f, "/echo"),
		.body = xmemdup("{\0}", 4),
		.body_len = 3};
	mdc_autofree char *wanted = xasprintf("PUT /echo HTTP/1.1\r\nHost: localhost:%u\r\n"
					      "User-Agent: mdcd/" MDC_VERSION "\r\nAccept: */*\r\n"
					      "Content-Type: application/json\r\nX-Empty:\r\n"
					      "Content-Length: 3\r\n\r\n",
		https_server_port(f->server));
	size_t len = strlen(wanted);

	http_headers_add(&r.headers, "Content-Type", "application/json");
	http_headers_add(&r.headers, "X-Empty", "");
	start_request(f, &a, &r, f->ca_file);
	assert_null(r.body);
	wait_all(f);
	assert_int_equal(a.reply.body_len, len + 3);
	assert_memory_equal(a.reply.body, wanted, len);
	assert_memory_equal(a.reply.body + len, "{\0}", 4);
	answer_fini(&a);
}

static void methods_without_a_body_say_so(void **state)
{
	static const struct {
		const char *method;
		const char *first_line;
		bool length;
	} cases[] = {{"GET", "GET /echo HTTP/1.1\r\n", false},
		{"DELETE", "DELETE /echo HTTP/1.1\r\n", false},
		{"POST", "POST /echo HTTP/1.1\r\n", true}, {"PUT", "PUT /echo HTTP/1.1\r\n", true}};
	struct fixture *f = *state;
	struct answer a;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start(f, &a, cases[i].method, "/echo");
		wait_all(f);
		assert_true(str_starts_nocase(a.reply.body, cases[i].first_line));
		assert_int_equal(str_contains_nocase(a.reply.body, "\r\nContent-Length: 0\r\n"),
			cases[i].length);
		assert_false(str_contains_nocase(a.reply.body, "Content-Type"));
		assert_false(str_contains_nocase(a.reply.body, "Expect"));
		answer_fini(&a);
	}
	start(f, &a, "HEAD", "/ok");
	wait_all(f);
	assert_ok(&a, 200, "");
}

static void a_path_is_sent_as_it_was_checked(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	get(f, &a, "/subscriptions/../ok");
	assert_ok(&a, 404, "");
}

static void a_large_body_arrives_whole(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	struct http_request r = {.method = xstrdup("PUT"),
		.url = url_of(f, "/echo"),
		.body = xcalloc(1, 3000001),
		.body_len = 3000000};

	use_options(f, (struct transport_options){.reply_cap = 4000000});
	start_request(f, &a, &r, f->ca_file);
	wait_all(f);
	assert_int_equal(a.result, TRANSPORT_OK);
	assert_in_range(a.reply.body_len, 3000000, 3001000);
	answer_fini(&a);
}

static void redirects_are_answers(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	get(f, &a, "/redirect");
	assert_string_equal(http_headers_get(&a.reply.headers, "Location"), "/ok");
	assert_ok(&a, 302, "");
	assert_int_equal(https_server_requests(f->server), 1);
}

/* --- connections --- */

static void one_connection_serves_many_requests(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	for (unsigned i = 0; i < 10; i++) {
		get(f, &a, "/ok");
		assert_ok(&a, 200, "ok");
	}
	assert_int_equal(https_server_connections(f->server), 1);
	assert_int_equal(https_server_requests(f->server), 10);
}

static void many_requests_in_parallel_are_all_answered(void **state)
{
	enum { N = 300 };
	struct fixture *f = *state;
	static struct answer a[N];

	for (unsigned i = 0; i < N; i++)
		start(f, &a[i], "GET", i % 2 == 0 ? "/ok" : "/sized?20000");
	assert_int_equal(f->transport->ops->running(f->transport), N);
	wait_all(f);
	assert_int_equal(f->transport->ops->running(f->transport), 0);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(a[i].calls, 1);
		assert_int_equal(a[i].result, TRANSPORT_OK);
		assert_int_equal(a[i].reply.body_len, i % 2 == 0 ? 2 : 20000);
		answer_fini(&a[i]);
	}
	assert_in_range(https_server_connections(f->server), 1, 64);
}

static void nothing_is_sent_twice_when_an_old_connection_dies(void **state)
{
	static const char *const methods[] = {"GET", "PUT", "POST", "DELETE"};
	struct fixture *f = *state;
	struct answer a;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		unsigned before = https_server_requests(f->server);

		get(f, &a, "/last-words");
		assert_ok(&a, 200, "ok");
		start(f, &a, methods[i], "/ok");
		wait_all(f);
		assert_failed(&a, TRANSPORT_BROKEN, 0);
		assert_int_equal(https_server_requests(f->server), before + 1);
	}
}

/* --- caps --- */

static void a_body_up_to_the_cap_is_taken_and_none_above(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	get(f, &a, "/sized?100000");
	assert_int_equal(a.result, TRANSPORT_OK);
	assert_int_equal(a.reply.body_len, CAP);
	answer_fini(&a);
	get(f, &a, "/sized?100001");
	assert_failed(&a, TRANSPORT_TOO_LARGE, 200);
	get(f, &a, "/endless");
	assert_failed(&a, TRANSPORT_TOO_LARGE, 200);
}

static void floods_of_headers_end_the_transfer(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	get(f, &a, "/header-flood");
	assert_failed(&a, TRANSPORT_TOO_LARGE, 200);
	get(f, &a, "/interim-flood");
	assert_failed(&a, TRANSPORT_TOO_LARGE, 0);
	/* libcurl's own cap for one line comes first, and says something else. */
	get(f, &a, "/header-line-flood");
	assert_true(a.result == TRANSPORT_BROKEN || a.result == TRANSPORT_TOO_LARGE);
	answer_fini(&a);
}

/* --- what breaks --- */

static void a_broken_reply_is_told_from_none_at_all(void **state)
{
	static const struct {
		const char *path;
		int status;
	} cases[] = {{"/reset-before", 0}, {"/close-before", 0}, {"/not-http", 0},
		{"/half-a-head", 200}, {"/short", 200}, {"/short-chunk", 200},
		{"/no-last-chunk", 200}, {"/negative", 200}, {"/no-colon", 200}};
	struct fixture *f = *state;
	struct answer a;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("# %s\n", cases[i].path);
		get(f, &a, cases[i].path);
		assert_failed(&a, TRANSPORT_BROKEN, cases[i].status);
	}
	/* A reset may overtake what was sent before it. */
	get(f, &a, "/reset-inside");
	assert_failed(&a, TRANSPORT_BROKEN, a.reply.status);
	get(f, &a, "/huge");
	assert_failed(&a, TRANSPORT_TOO_LARGE, 200);
}

static void a_reply_that_does_not_come_is_a_timeout(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	use_options(f, (struct transport_options){.timeout = DUR_MS(300)});
	get(f, &a, "/hang");
	assert_failed(&a, TRANSPORT_TIMEOUT, 0);
	get(f, &a, "/hang-inside");
	assert_failed(&a, TRANSPORT_TIMEOUT, 200);
}

/* A listening socket whose queue is full: the kernel drops what asks to connect. */
static unsigned black_hole(int fds[3])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fds[0], (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fds[0], 0), 0);
	assert_int_equal(getsockname(fds[0], (struct sockaddr *)&address, &len), 0);
	for (int i = 1; i < 3; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(fds[i], (struct sockaddr *)&address, sizeof(address));
	}
	return ntohs(address.sin_port);
}

static void close_three(int fds[3])
{
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void without_a_connection_nothing_was_sent(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	int fds[3];
	unsigned port = black_hole(fds);
	mdc_autofree char *hole = xasprintf("https://127.0.0.1:%u/ok", port);

	use_options(f, (struct transport_options){.connect_timeout = DUR_MS(300)});
	get_url(f, &a, hole, f->ca_file);
	assert_failed(&a, TRANSPORT_CONNECT, 0);
	close_three(fds);
	get_url(f, &a, hole, f->ca_file);
	assert_failed(&a, TRANSPORT_CONNECT, 0);
	use_server(f, (struct https_server_options){.ca = f->ca, .mute = true});
	get(f, &a, "/ok");
	assert_failed(&a, TRANSPORT_CONNECT, 0);
	get_url(f, &a, "https://no-such-name.invalid/", f->ca_file);
	assert_failed(&a, TRANSPORT_RESOLVE, 0);
}

/* --- TLS --- */

static void only_a_certificate_of_a_trusted_authority_will_do(void **state)
{
	struct fixture *f = *state;
	struct test_ca *other = test_ca_new("another authority");
	mdc_autofree char *url = url_of(f, "/ok");
	struct answer a;

	get_url(f, &a, url, NULL);
	assert_failed(&a, TRANSPORT_TLS, 0);
	test_ca_write(other, f->ca_file);
	get_url(f, &a, url, f->ca_file);
	assert_failed(&a, TRANSPORT_TLS, 0);
	assert_int_equal(https_server_requests(f->server), 0);
	/* A file that is replaced is read again. */
	test_ca_write(f->ca, f->ca_file);
	get_url(f, &a, url, f->ca_file);
	assert_ok(&a, 200, "ok");
	test_ca_free(other);
}

static void a_connection_is_not_shared_with_who_would_not_trust_it(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *url = url_of(f, "/ok");
	struct answer a;

	get_url(f, &a, url, f->ca_file);
	assert_ok(&a, 200, "ok");
	get_url(f, &a, url, NULL);
	assert_failed(&a, TRANSPORT_TLS, 0);
	get_url(f, &a, url, f->ca_file);
	assert_ok(&a, 200, "ok");
	assert_int_equal(https_server_requests(f->server), 2);
}

static void a_wrong_certificate_is_refused(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	use_server(
		f, (struct https_server_options){.ca = f->ca, .names = "DNS:management.azure.com"});
	get(f, &a, "/ok");
	assert_failed(&a, TRANSPORT_TLS, 0);
	use_server(f, (struct https_server_options){.ca = f->ca, .days_ago = 2});
	get(f, &a, "/ok");
	assert_failed(&a, TRANSPORT_TLS, 0);
	/* Plain text where TLS should be. */
	use_server(f, (struct https_server_options){.http2 = true});
	get(f, &a, "/ok");
	assert_failed(&a, TRANSPORT_TLS, 0);
}

static void old_tls_is_refused_and_1_2_will_do(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	use_server(f, (struct https_server_options){.ca = f->ca, .newest_tls = TLS1_1_VERSION});
	get(f, &a, "/ok");
	assert_failed(&a, TRANSPORT_TLS, 0);
	use_server(f, (struct https_server_options){.ca = f->ca, .newest_tls = TLS1_2_VERSION});
	get(f, &a, "/ok");
	assert_ok(&a, 200, "ok");
}

static void a_useless_ca_file_is_named(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *url = url_of(f, "/ok");
	struct answer a;
	FILE *file;

	get_url(f, &a, url, "/nonexistent/ca.pem");
	assert_non_null(strstr(a.detail, "/nonexistent/ca.pem: No such file"));
	assert_failed(&a, TRANSPORT_TLS, 0);
	file = fopen(f->ca_file, "we");
	assert_non_null(file);
	fputs("not a certificate\n", file);
	fclose(file);
	get_url(f, &a, url, f->ca_file);
	assert_non_null(strstr(a.detail, "no certificate in it"));
	assert_failed(&a, TRANSPORT_TLS, 0);
	assert_int_equal(https_server_connections(f->server), 0);
}

static bool trusts(struct tls_trust *t, const char *ca_file, X509 *certificate)
{
	X509_STORE *store;
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	bool good;

	assert_int_equal(tls_trust_get(t, ca_file, &store), 0);
	assert_int_equal(X509_STORE_CTX_init(check, store, certificate, NULL), 1);
	good = X509_verify_cert(check) == 1;
	X509_STORE_CTX_free(check);
	X509_STORE_free(store);
	return good;
}

static void a_ca_file_is_added_to_the_authorities_of_the_system(void **state)
{
	struct fixture *f = *state;
	const char *bundle = curl_version_info(CURLVERSION_NOW)->cainfo;
	FILE *file = bundle != NULL ? fopen(bundle, "re") : NULL;
	struct tls_trust *t;
	X509 *root;

	if (file == NULL)
		skip(); /* no authorities on this system */
	root = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	t = tls_trust_new();
	assert_true(trusts(t, NULL, root));
	assert_true(trusts(t, f->ca_file, root));
	tls_trust_free(t);
	X509_free(root);
}

/* --- what must not be sent --- */

static void plain_http_is_for_this_machine_alone(void **state)
{
	static const char *const refused[] = {"http://management.azure.com/",
		"http://127.0.0.1.example.com/", "http://localhost.example.com/", "http://127.1/",
		"http://0x7f000001/", "http://2130706433/", "http://0.0.0.0/", "http://10.0.0.1/",
		"http://169.254.169.253/", "http://[::ffff:127.0.0.1]/", "http://[::]/",
		"http://localhost./", "http://user@127.0.0.1/", "http://127.0.0.1@example.com/",
		"ftp://127.0.0.1/", "file:///etc/passwd", "https:/localhost", "localhost", ""};
	struct fixture *f = *state;
	struct answer a;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		get_url(f, &a, refused[i], NULL);
		assert_failed(&a, TRANSPORT_CONNECT, 0);
	}
	use_server(f, (struct https_server_options){.ca = NULL});
	for (unsigned i = 0; i < 2; i++) {
		mdc_autofree char *url = xasprintf("http://%s:%u/ok",
			i == 0 ? "127.0.0.1" : "localhost", https_server_port(f->server));

		get_url(f, &a, url, NULL);
		assert_ok(&a, 200, "ok");
	}
}

static void a_header_cannot_smuggle_in_another(void **state)
{
	static const struct {
		const char *name;
		const char *value;
	} bad[] = {{"Authorization", "Bearer x\r\nX-Evil: 1"}, {"X-A\nX-B", "1"}, {"X A", "1"},
		{"X:A", "1"}, {"", "1"}, {"X", "\x7f"}};
	struct fixture *f = *state;
	struct answer a;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct http_request r = {.method = xstrdup("GET"), .url = url_of(f, "/ok")};

		http_headers_add(&r.headers, bad[i].name, bad[i].value);
		start_request(f, &a, &r, f->ca_file);
		wait_all(f);
		assert_failed(&a, TRANSPORT_CONNECT, 0);
	}
	start(f, &a, "GET / HTTP/1.1\r\nX-Evil: 1\r\n", "/ok");
	wait_all(f);
	assert_failed(&a, TRANSPORT_CONNECT, 0);
	assert_int_equal(https_server_connections(f->server), 0);
}

static void proxies_of_the_environment_are_not_asked(void **state)
{
	static const char *const names[] = {
		"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	struct fixture *f = *state;
	struct answer a;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	get(f, &a, "/ok");
	assert_ok(&a, 200, "ok");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

/* --- cancelling and ending --- */

static void cancel(struct answer *a)
{
	a->f->waiting--;
	a->f->transport->ops->cancel(a->f->transport, a->transfer);
}

struct moment {
	struct answer *victim;
	struct loop_timer *timer;
	unsigned wanted_requests;
};

/* Looks every millisecond whether the server has got that far. */
static void cancel_when_there(void *ctx)
{
	struct moment *m = ctx;
	struct fixture *f = m->victim->f;

	if (https_server_requests(f->server) < m->wanted_requests ||
		https_server_connections(f->server) == 0) {
		f->loop->ops->timer_arm(m->timer, mono_add(loop_mono(f->loop), DUR_MS(1)));
		return;
	}
	cancel(m->victim);
	f->loop->ops->stop(f->loop);
}

static void cancel_at(struct fixture *f, const char *path, unsigned wanted_requests)
{
	struct answer a;
	struct moment m = {.victim = &a, .wanted_requests = wanted_requests};

	start(f, &a, "GET", path);
	m.timer = loop_timer_new(f->loop, cancel_when_there, &m);
	f->loop->ops->timer_arm(m.timer, loop_mono(f->loop));
	wait_all(f);
	f->loop->ops->timer_free(m.timer);
	assert_int_equal(a.calls, 0);
	assert_int_equal(f->transport->ops->running(f->transport), 0);
}

static void a_transfer_can_be_cancelled_in_every_phase(void **state)
{
	struct fixture *f = *state;
	struct answer a, b;

	start(f, &a, "GET", "/ok");
	cancel(&a); /* not even begun */
	start(f, &a, "GET", "/ok");
	start(f, &b, "GET", "/ok");
	cancel(&a);
	wait_all(f);
	assert_int_equal(a.calls, 0);
	assert_ok(&b, 200, "ok");
	cancel_at(f, "/hang", https_server_requests(f->server) + 1);
	cancel_at(f, "/hang-inside", https_server_requests(f->server) + 1);
	get(f, &a, "/ok");
	assert_ok(&a, 200, "ok");
	use_server(f, (struct https_server_options){.ca = f->ca, .mute = true});
	cancel_at(f, "/ok", 0); /* in the handshake */
}

static void cancel_the_other(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply)
{
	struct answer *other = ctx;

	(void)detail;
	(void)reply;
	assert_int_equal(result, TRANSPORT_CONNECT);
	cancel(other);
	other->f->waiting--;
	other->f->loop->ops->stop(other->f->loop);
}

static void one_that_ended_can_still_be_cancelled_before_its_call(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	struct http_request first = {.method = xstrdup("GET"), .url = xstrdup("nowhere")};
	struct http_request second = {.method = xstrdup("GET"), .url = xstrdup("nowhere")};

	f->waiting++;
	f->transport->ops->start(f->transport, &first, NULL, cancel_the_other, &a);
	start_request(f, &a, &second, NULL);
	wait_all(f);
	assert_int_equal(a.calls, 0);
	assert_int_equal(f->transport->ops->running(f->transport), 0);
}

static void start_another(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply)
{
	struct answer *next = ctx;

	(void)detail;
	(void)reply;
	assert_int_equal(result, TRANSPORT_OK);
	start(next->f, next, "GET", "/ok");
	next->f->waiting--;
}

static void an_answer_may_start_another_request(void **state)
{
	struct fixture *f = *state;
	struct answer a = {.f = f};
	struct http_request r = {.method = xstrdup("GET"), .url = url_of(f, "/ok")};

	f->waiting++;
	f->transport->ops->start(f->transport, &r, f->ca_file, start_another, &a);
	wait_all(f);
	assert_ok(&a, 200, "ok");
}

static void freeing_ends_what_runs_without_a_call(void **state)
{
	struct fixture *f = *state;
	struct answer a[4], b;
	int fds[3];
	mdc_autofree char *hole = xasprintf("https://127.0.0.1:%u/ok", black_hole(fds));
	struct http_request connecting = {.method = xstrdup("GET"), .url = xstrdup(hole)};
	struct http_request refused = {.method = xstrdup("GET"), .url = xstrdup("nowhere")};

	start(f, &a[0], "GET", "/hang");
	start(f, &a[1], "GET", "/hang-inside");
	start_request(f, &a[2], &connecting, f->ca_file);
	f->waiting -= 3;
	get(f, &b, "/ok");
	assert_ok(&b, 200, "ok");
	start_request(f, &a[3], &refused, NULL);
	assert_int_equal(f->transport->ops->running(f->transport), 4);
	f->transport->ops->free(f->transport);
	f->transport = NULL;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(a[i].calls, 0);
	f->waiting = 0;
	use_options(f, (struct transport_options){0});
	get(f, &b, "/ok");
	assert_ok(&b, 200, "ok");
	close_three(fds);
	assert_null(f->transport->ops->free(NULL));
}

static void break_multi(void *ctx)
{
	(void)ctx;
	multi_breaks = true;
}

static void when_libcurl_itself_fails_all_are_told_and_it_goes_on(void **state)
{
	struct fixture *f = *state;
	struct answer a[2];

	start(f, &a[0], "GET", "/hang");
	start(f, &a[1], "PUT", "/hang");
	f->loop->ops->defer(f->loop, break_multi, NULL);
	wait_all(f);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(a[i].result == TRANSPORT_CONNECT || a[i].result == TRANSPORT_BROKEN);
		assert_non_null(strstr(a[i].detail, "nternal error"));
		answer_fini(&a[i]);
	}
	get(f, &a[0], "/ok");
	assert_ok(&a[0], 200, "ok");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_comes_with_status_and_body),
		TEST(headers_come_in_order_as_received),
		TEST(only_the_final_reply_counts_and_no_trailers),
		TEST(a_request_goes_out_as_given),
		TEST(methods_without_a_body_say_so),
		TEST(a_path_is_sent_as_it_was_checked),
		TEST(a_large_body_arrives_whole),
		TEST(redirects_are_answers),
		TEST(one_connection_serves_many_requests),
		TEST(many_requests_in_parallel_are_all_answered),
		TEST(nothing_is_sent_twice_when_an_old_connection_dies),
		TEST(a_body_up_to_the_cap_is_taken_and_none_above),
		TEST(floods_of_headers_end_the_transfer),
		TEST(a_broken_reply_is_told_from_none_at_all),
		TEST(a_reply_that_does_not_come_is_a_timeout),
		TEST(without_a_connection_nothing_was_sent),
		TEST(only_a_certificate_of_a_trusted_authority_will_do),
		TEST(a_connection_is_not_shared_with_who_would_not_trust_it),
		TEST(a_wrong_certificate_is_refused),
		TEST(old_tls_is_refused_and_1_2_will_do),
		TEST(a_useless_ca_file_is_named),
		TEST(a_ca_file_is_added_to_the_authorities_of_the_system),
		TEST(plain_http_is_for_this_machine_alone),
		TEST(a_header_cannot_smuggle_in_another),
		TEST(proxies_of_the_environment_are_not_asked),
		TEST(a_transfer_can_be_cancelled_in_every_phase),
		TEST(one_that_ended_can_still_be_cancelled_before_its_call),
		TEST(an_answer_may_start_another_request),
		TEST(freeing_ends_what_runs_without_a_call),
		TEST(when_libcurl_itself_fails_all_are_told_and_it_goes_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
