/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/http_client.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* --- just enough of an HTTP/2 server (RFC 9113), frame by frame --- */

enum {
	DATA = 0,
	HEADERS = 1,
	RST_STREAM = 3,
	SETTINGS = 4,
	PING = 6,
	GOAWAY = 7,
	WINDOW_UPDATE = 8
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { NO_ERROR = 0, INTERNAL_ERROR = 2, REFUSED_STREAM = 7 };

#define FRAME_MAX (1 << 24)
#define STATUS_200 "\x88" /* in HPACK's static table */

static enum {
	ANSWERS,
	ANSWERS_TEN_AT_ONCE,
	BREAKS_THE_STREAM,
	REFUSES_THE_STREAM,
	GOES_AWAY,
	HANGS_UP,
	HANGS,
	NEVER_ENDS
} behaviour;
static _Atomic unsigned asked;      /* requests that came whole */
static _Atomic size_t received_len; /* bytes of bodies */

struct frame {
	size_t len;
	unsigned type, flags, stream;
	unsigned char *payload;
};

static void put32(unsigned char *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(value >> (24 - 8 * i));
}

static bool send_frame(struct https_connection *c, unsigned type, unsigned flags, unsigned stream,
	const void *payload, size_t len)
{
	unsigned char head[9] = {(unsigned char)(len >> 16), (unsigned char)(len >> 8),
		(unsigned char)len, (unsigned char)type, (unsigned char)flags};

	put32(head + 5, stream);
	return https_send(c, head, sizeof(head)) && https_send(c, payload, len);
}

static bool send_number(struct https_connection *c, unsigned type, unsigned stream, uint32_t number)
{
	unsigned char payload[4];

	put32(payload, number);
	return send_frame(c, type, 0, stream, payload, sizeof(payload));
}

static bool receive_frame(struct https_connection *c, struct frame *f)
{
	unsigned char head[9];

	if (!https_receive(c, head, sizeof(head)))
		return false;
	f->len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
	f->type = head[3];
	f->flags = head[4];
	f->stream = (unsigned)(head[5] & 0x7f) << 24 | (unsigned)head[6] << 16 |
		(unsigned)head[7] << 8 | head[8];
	return https_receive(c, f->payload, f->len);
}

static bool send_answer(struct https_connection *c, unsigned stream)
{
	return send_frame(c, HEADERS, END_HEADERS, stream, STATUS_200, 1) &&
		send_frame(c, DATA, END_STREAM, stream, "ok", 2);
}

/* Until the client has read all that was sent. */
static bool wait_for_client(struct https_connection *c)
{
	unsigned char payload[16384]; /* the most that a frame has unless asked for more */
	struct frame f = {.payload = payload};

	if (!send_frame(c, PING, 0, 0, "12345678", 8))
		return false;
	do {
		if (!receive_frame(c, &f))
			return false;
	} while (f.type != PING || (f.flags & ACK) == 0);
	return true;
}

/* What breaks off is seen by the client after the part, not in one with it. */
static bool send_part(struct https_connection *c, unsigned stream)
{
	return send_frame(c, HEADERS, END_HEADERS, stream, STATUS_200, 1) &&
		send_frame(c, DATA, 0, stream, "part", 4) && wait_for_client(c);
}

static bool send_ten_answers(struct https_connection *c, unsigned last)
{
	bool goes_on = true;

	/* The newest first: no answer waits for one before it. */
	for (unsigned i = 0; i < 10; i++)
		goes_on = goes_on && send_answer(c, last - 2 * i);
	return goes_on;
}

static bool send_without_end(struct https_connection *c, unsigned stream)
{
	static const char zeros[16384];
	bool goes_on = send_frame(c, HEADERS, END_HEADERS, stream, STATUS_200, 1);

	while (goes_on)
		goes_on = send_frame(c, DATA, 0, stream, zeros, sizeof(zeros));
	return false;
}

static bool answer(struct https_connection *c, unsigned stream)
{
	unsigned char last_stream[8] = {0};

	switch (behaviour) {
	case ANSWERS: return send_answer(c, stream);
	case ANSWERS_TEN_AT_ONCE: return asked % 10 != 0 || send_ten_answers(c, stream);
	case BREAKS_THE_STREAM:
		return send_part(c, stream) && send_number(c, RST_STREAM, stream, INTERNAL_ERROR);
	case REFUSES_THE_STREAM: return send_number(c, RST_STREAM, stream, REFUSED_STREAM);
	case GOES_AWAY:
		put32(last_stream, stream);
		send_part(c, stream);
		send_frame(c, GOAWAY, 0, 0, last_stream, sizeof(last_stream));
		return false;
	case HANGS_UP: send_part(c, stream); return false;
	case HANGS: return send_part(c, stream);
	case NEVER_ENDS: return send_without_end(c, stream);
	}
	return false;
}

static bool serve_frame(struct https_connection *c, const struct frame *f)
{
	if (f->type == SETTINGS && (f->flags & ACK) == 0)
		return send_frame(c, SETTINGS, ACK, 0, "", 0);
	if (f->type == DATA && f->len > 0) {
		received_len += f->len;
		if (!send_number(c, WINDOW_UPDATE, 0, (uint32_t)f->len) ||
			!send_number(c, WINDOW_UPDATE, f->stream, (uint32_t)f->len))
			return false;
	}
	if ((f->type == HEADERS || f->type == DATA) && (f->flags & END_STREAM) != 0) {
		asked++;
		return answer(c, f->stream);
	}
	return true;
}

/* One call serves a whole connection. */
static bool serve(void *ctx, struct https_connection *c, const struct https_request *none)
{
	struct frame f = {.payload = xmalloc(FRAME_MAX)};
	char preface[24];

	(void)ctx;
	(void)none;
	if (https_receive(c, preface, sizeof(preface)) &&
		memcmp(preface, "PRI * HTTP/2.0\r\n", 16) == 0 &&
		send_frame(c, SETTINGS, 0, 0, "", 0))
		while (receive_frame(c, &f) && serve_frame(c, &f))
			continue;
	free(f.payload);
	return false;
}

/* --- tests --- */

static int setup(void **state)
{
	static struct http_client client;

	http_client_open(&client, serve);
	http_client_use_server(
		&client, (struct https_server_options){.ca = client.ca, .http2 = true});
	behaviour = ANSWERS;
	asked = 0;
	received_len = 0;
	*state = &client;
	return 0;
}

static int teardown(void **state)
{
	http_client_close(*state);
	return 0;
}

static void it_is_used_where_it_is_offered(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;

	for (unsigned i = 0; i < 3; i++) {
		http_client_get(c, &a, "/");
		http_answer_is(&a, 200, "ok");
	}
	assert_int_equal(https_server_connections(c->server), 1);
	assert_int_equal(asked, 3);
}

static void one_connection_carries_requests_side_by_side(void **state)
{
	struct http_client *c = *state;
	struct http_answer a[10];

	http_client_get(c, &a[0], "/");
	http_answer_is(&a[0], 200, "ok");
	behaviour = ANSWERS_TEN_AT_ONCE;
	asked = 0;
	for (unsigned i = 0; i < 10; i++)
		http_client_start(c, &a[i], "GET", "/");
	http_client_wait(c);
	for (unsigned i = 0; i < 10; i++)
		http_answer_is(&a[i], 200, "ok");
	assert_int_equal(https_server_connections(c->server), 1);
}

static void a_body_larger_than_the_window_goes_out_whole(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;
	struct http_request r = {.method = xstrdup("PUT"),
		.url = http_client_url(c, "/"),
		.body = xcalloc(1, 1000001),
		.body_len = 1000000};

	http_client_start_request(c, &a, &r, c->ca_file);
	http_client_wait(c);
	http_answer_is(&a, 200, "ok");
	assert_int_equal(received_len, 1000000);
}

static void a_reply_that_breaks_off_is_broken(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;

	behaviour = BREAKS_THE_STREAM;
	http_client_get(c, &a, "/");
	http_answer_failed(&a, TRANSPORT_BROKEN, 200);
	behaviour = GOES_AWAY;
	http_client_get(c, &a, "/");
	http_answer_failed(&a, TRANSPORT_BROKEN, 200);
	behaviour = HANGS_UP;
	http_client_get(c, &a, "/");
	http_answer_failed(&a, TRANSPORT_BROKEN, 200);
	behaviour = ANSWERS;
	http_client_get(c, &a, "/");
	http_answer_is(&a, 200, "ok");
}

static void a_refused_stream_is_not_tried_again_here(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;

	behaviour = REFUSES_THE_STREAM;
	http_client_start(c, &a, "PUT", "/");
	http_client_wait(c);
	http_answer_failed(&a, TRANSPORT_BROKEN, 0);
	assert_int_equal(asked, 1);
}

static void a_stream_without_end_meets_the_cap_and_one_that_hangs_the_time(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;

	behaviour = NEVER_ENDS;
	http_client_get(c, &a, "/");
	http_answer_failed(&a, TRANSPORT_TOO_LARGE, 200);
	behaviour = HANGS;
	http_client_use(c, (struct transport_options){.timeout = DUR_MS(1000)});
	http_client_get(c, &a, "/");
	http_answer_failed(&a, TRANSPORT_TIMEOUT, 200);
}

static bool was_asked(void *ctx)
{
	(void)ctx;
	return asked == 1;
}

static void cancelling_one_leaves_the_others(void **state)
{
	struct http_client *c = *state;
	struct http_answer a[9], victim;

	behaviour = ANSWERS_TEN_AT_ONCE;
	http_client_start(c, &victim, "GET", "/");
	http_client_cancel_when(c, &victim, was_asked, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		http_client_start(c, &a[i], "GET", "/");
	http_client_wait(c);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		http_answer_is(&a[i], 200, "ok");
	assert_int_equal(victim.calls, 0);
	assert_int_equal(https_server_connections(c->server), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_used_where_it_is_offered),
		TEST(one_connection_carries_requests_side_by_side),
		TEST(a_body_larger_than_the_window_goes_out_whole),
		TEST(a_reply_that_breaks_off_is_broken),
		TEST(a_refused_stream_is_not_tried_again_here),
		TEST(a_stream_without_end_meets_the_cap_and_one_that_hangs_the_time),
		TEST(cancelling_one_leaves_the_others),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
