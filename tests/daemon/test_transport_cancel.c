/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/http_client.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

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

static bool serve(void *ctx, struct https_connection *c, const struct https_request *r)
{
	(void)ctx;
	if (str_equal(r->path, "/ok"))
		return https_says(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	if (str_equal(r->path, "/hang-inside"))
		https_says(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
	(void)https_wait(c);
	return false;
}

static int setup(void **state)
{
	static struct http_client client;

	http_client_open(&client, serve);
	*state = &client;
	return 0;
}

static int teardown(void **state)
{
	http_client_close(*state);
	return 0;
}

/* --- cancelling and ending --- */

static void cancel(struct http_answer *a)
{
	a->client->waiting--;
	a->client->transport->ops->cancel(a->client->transport, a->transfer);
}

struct progress {
	struct http_client *client;
	unsigned requests;
};

static bool has_come_so_far(void *ctx)
{
	const struct progress *p = ctx;

	return https_server_connections(p->client->server) > 0 &&
		https_server_requests(p->client->server) >= p->requests;
}

static void cancel_at(struct http_client *c, const char *path, unsigned more_requests)
{
	struct http_answer a;
	struct progress p = {c, https_server_requests(c->server) + more_requests};

	http_client_start(c, &a, "GET", path);
	http_client_cancel_when(c, &a, has_come_so_far, &p);
	assert_int_equal(c->transport->ops->running(c->transport), 0);
}

static void a_transfer_can_be_cancelled_in_every_phase(void **state)
{
	struct http_client *c = *state;
	struct http_answer a, b;

	http_client_start(c, &a, "GET", "/ok");
	cancel(&a); /* not even begun */
	http_client_start(c, &a, "GET", "/ok");
	http_client_start(c, &b, "GET", "/ok");
	cancel(&a);
	http_client_wait(c);
	assert_int_equal(a.calls, 0);
	http_answer_is(&b, 200, "ok");
	cancel_at(c, "/hang", 1);
	cancel_at(c, "/hang-inside", 1);
	http_client_get(c, &a, "/ok");
	http_answer_is(&a, 200, "ok");
	http_client_use_server(c, (struct https_server_options){.ca = c->ca, .mute = true});
	cancel_at(c, "/ok", 0); /* in the handshake */
}

static void cancel_the_other(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply)
{
	struct http_answer *other = ctx;

	(void)detail;
	(void)reply;
	assert_int_equal(result, TRANSPORT_CONNECT);
	cancel(other);
	other->client->waiting--;
	other->client->loop->ops->stop(other->client->loop);
}

static void one_that_ended_can_still_be_cancelled_before_its_call(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;
	struct http_request first = {.method = xstrdup("GET"), .url = xstrdup("nowhere")};
	struct http_request second = {.method = xstrdup("GET"), .url = xstrdup("nowhere")};

	c->waiting++;
	c->transport->ops->start(c->transport, &first, NULL, cancel_the_other, &a);
	http_client_start_request(c, &a, &second, NULL);
	http_client_wait(c);
	assert_int_equal(a.calls, 0);
	assert_int_equal(c->transport->ops->running(c->transport), 0);
}

static void start_another(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply)
{
	struct http_answer *next = ctx;

	(void)detail;
	(void)reply;
	assert_int_equal(result, TRANSPORT_OK);
	http_client_start(next->client, next, "GET", "/ok");
	next->client->waiting--;
}

static void an_answer_may_start_another_request(void **state)
{
	struct http_client *c = *state;
	struct http_answer a = {.client = c};
	struct http_request r = {.method = xstrdup("GET"), .url = http_client_url(c, "/ok")};
	struct transport_route route = {.ca_file = c->ca_file};

	c->waiting++;
	c->transport->ops->start(c->transport, &r, &route, start_another, &a);
	http_client_wait(c);
	http_answer_is(&a, 200, "ok");
}

static void freeing_ends_what_runs_without_a_call(void **state)
{
	struct http_client *c = *state;
	struct http_answer a[4], b;
	struct black_hole hole;
	mdc_autofree char *url = xasprintf("https://127.0.0.1:%u/ok", black_hole_open(&hole, NULL));
	struct http_request connecting = {.method = xstrdup("GET"), .url = xstrdup(url)};
	struct http_request refused = {.method = xstrdup("GET"), .url = xstrdup("nowhere")};

	http_client_start(c, &a[0], "GET", "/hang");
	http_client_start(c, &a[1], "GET", "/hang-inside");
	http_client_start_request(c, &a[2], &connecting, c->ca_file);
	c->waiting -= 3;
	http_client_get(c, &b, "/ok");
	http_answer_is(&b, 200, "ok");
	http_client_start_request(c, &a[3], &refused, NULL);
	assert_int_equal(c->transport->ops->running(c->transport), 4);
	c->transport->ops->free(c->transport);
	c->transport = NULL;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(a[i].calls, 0);
	c->waiting = 0;
	http_client_use(c, (struct transport_options){0});
	http_client_get(c, &b, "/ok");
	http_answer_is(&b, 200, "ok");
	black_hole_close(&hole);
	assert_null(c->transport->ops->free(NULL));
}

static void break_multi(void *ctx)
{
	(void)ctx;
	multi_breaks = true;
}

static void when_libcurl_itself_fails_all_are_told_and_it_goes_on(void **state)
{
	struct http_client *c = *state;
	struct http_answer a[2];

	http_client_start(c, &a[0], "GET", "/hang");
	http_client_start(c, &a[1], "PUT", "/hang");
	c->loop->ops->defer(c->loop, break_multi, NULL);
	http_client_wait(c);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(a[i].result == TRANSPORT_CONNECT || a[i].result == TRANSPORT_BROKEN);
		assert_non_null(strstr(a[i].detail, "nternal error"));
		http_answer_fini(&a[i]);
	}
	http_client_get(c, &a[0], "/ok");
	http_answer_is(&a[0], 200, "ok");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
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
