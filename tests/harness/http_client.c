/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/http_client.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void http_client_use(struct http_client *c, struct transport_options options)
{
	if (c->transport != NULL)
		c->transport->ops->free(c->transport);
	if (options.reply_cap == 0)
		options.reply_cap = HTTP_CLIENT_CAP;
	c->transport = transport_curl_new(c->loop, &options);
}

void http_client_use_server(struct http_client *c, struct https_server_options options)
{
	https_server_free(c->server);
	c->server = https_server_new(&options, c->serve, NULL);
}

void http_client_open(struct http_client *c, https_serve_fn serve)
{
	int fd;

	*c = (struct http_client){
		.loop = loop_ev_new(), .serve = serve, .ca_file = "/tmp/mdcd-ca-XXXXXX"};
	fd = mkstemp(c->ca_file);
	assert_true(fd >= 0);
	close(fd);
	c->ca = test_ca_new("a test authority");
	test_ca_write(c->ca, c->ca_file);
	http_client_use(c, (struct transport_options){0});
	http_client_use_server(c, (struct https_server_options){.ca = c->ca});
}

void http_client_close(struct http_client *c)
{
	c->transport->ops->free(c->transport);
	https_server_free(c->server);
	c->loop->ops->free(c->loop);
	test_ca_free(c->ca);
	unlink(c->ca_file);
}

static void answered(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply)
{
	struct http_answer *a = ctx;

	a->calls++;
	a->result = result;
	str_copy(a->detail, sizeof(a->detail), detail);
	a->reply = *reply;
	*reply = (struct http_reply){0};
	if (--a->client->waiting == 0)
		a->client->loop->ops->stop(a->client->loop);
}

void http_client_start_request(struct http_client *c, struct http_answer *a,
	struct http_request *take_request, const char *ca_file)
{
	struct transport_route route = c->route;

	route.ca_file = ca_file;
	*a = (struct http_answer){.client = c};
	c->waiting++;
	a->transfer = c->transport->ops->start(c->transport, take_request, &route, answered, a);
	assert_int_equal(a->calls, 0);
}

char *http_client_url(struct http_client *c, const char *path)
{
	return xasprintf("https://localhost:%u%s", https_server_port(c->server), path);
}

void http_client_start(
	struct http_client *c, struct http_answer *a, const char *method, const char *path)
{
	struct http_request r = {.method = xstrdup(method), .url = http_client_url(c, path)};

	http_client_start_request(c, a, &r, c->ca_file);
}

void http_client_wait(struct http_client *c)
{
	c->loop->ops->run(c->loop);
	assert_int_equal(c->waiting, 0);
}

void http_client_get(struct http_client *c, struct http_answer *a, const char *path)
{
	http_client_start(c, a, "GET", path);
	http_client_wait(c);
	assert_int_equal(a->calls, 1);
}

void http_client_get_url(
	struct http_client *c, struct http_answer *a, const char *url, const char *ca_file)
{
	struct http_request r = {.method = xstrdup("GET"), .url = xstrdup(url)};

	http_client_start_request(c, a, &r, ca_file);
	http_client_wait(c);
	assert_int_equal(a->calls, 1);
}

struct moment {
	struct http_answer *victim;
	struct loop_timer *timer;
	bool (*there)(void *ctx);
	void *ctx;
};

/* Looks every millisecond how far the server has got. */
static void cancel_when_there(void *ctx)
{
	struct moment *m = ctx;
	struct http_client *c = m->victim->client;

	if (!m->there(m->ctx)) {
		c->loop->ops->timer_arm(m->timer, mono_add(loop_mono(c->loop), DUR_MS(1)));
		return;
	}
	c->waiting--;
	c->transport->ops->cancel(c->transport, m->victim->transfer);
	c->loop->ops->stop(c->loop);
}

void http_client_cancel_when(
	struct http_client *c, struct http_answer *a, bool (*there)(void *ctx), void *ctx)
{
	struct moment m = {.victim = a, .there = there, .ctx = ctx};

	m.timer = loop_timer_new(c->loop, cancel_when_there, &m);
	c->loop->ops->timer_arm(m.timer, loop_mono(c->loop));
	c->loop->ops->run(c->loop);
	c->loop->ops->timer_free(m.timer);
	assert_int_equal(a->calls, 0);
}

void http_answer_fini(struct http_answer *a)
{
	http_reply_fini(&a->reply);
}

void http_answer_is(struct http_answer *a, int status, const char *body)
{
	assert_string_equal(a->detail, "");
	assert_int_equal(a->result, TRANSPORT_OK);
	assert_int_equal(a->reply.status, status);
	assert_int_equal(a->reply.body_len, strlen(body));
	assert_string_equal(a->reply.body, body);
	http_answer_fini(a);
}

void http_answer_failed(struct http_answer *a, enum transport_result result, int status)
{
	if (a->result != result)
		print_message("# %s: %s\n", transport_result_text(a->result), a->detail);
	assert_int_equal(a->result, result);
	assert_true(a->detail[0] != '\0');
	assert_int_equal(a->reply.status, status);
	assert_null(a->reply.body);
	assert_int_equal(a->reply.body_len, 0);
	http_answer_fini(a);
}
