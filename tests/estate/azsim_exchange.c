/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_exchange.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/azsim_log.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define EXCHANGE_MAGIC 0x65786368u
/* A client that goes on sending is cut off here. */
#define UPLOAD_MAX (64 << 20)

struct exchange {
	unsigned magic;
	struct azsim_desk *desk;
	const char *base; /* of its door */
	struct MHD_Connection *connection;
	struct list node; /* in desk->held while asleep */
	ev_timer timer;
	char *raw_url;
	struct http_request request;
	struct buf body;
	size_t uploaded;
	bool begun;   /* the headers were read */
	bool handled; /* the estate has answered */
	bool broken;  /* the connection is to be broken, whatever the answer */
	struct estate_answer answer;
};

void azsim_desk_init(struct azsim_desk *desk, const struct azsim_face_setup *setup)
{
	*desk = (struct azsim_desk){.setup = *setup};
	list_init(&desk->held);
}

/* --- the request --- */

void *azsim_exchange_begin(void *cls, const char *raw_url, struct MHD_Connection *connection)
{
	const struct azsim_door *door = cls;
	struct exchange *x = xcalloc(1, sizeof(*x));

	x->magic = EXCHANGE_MAGIC;
	x->desk = door->desk;
	x->base = door->base;
	x->connection = connection;
	x->raw_url = xstrdup(raw_url);
	x->body = BUF_INIT(AZSIM_BODY_MAX);
	list_init(&x->node);
	return x;
}

static enum MHD_Result take_header(
	void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct exchange *x = cls;

	(void)kind;
	http_headers_add(&x->request.headers, name, value != NULL ? value : "");
	return MHD_YES;
}

/* "/{tenant}/oauth2/…", "/{tenant}/v2.0/.well-known/…", "/common/discovery/…",
 * "/metadata/identity/…" */
static bool is_login_path(const char *path)
{
	static const char *const seconds[] = {"/oauth2/", "/v2.0/", "/.well-known/", "/discovery/"};
	const char *second = *path == '/' ? strchr(path + 1, '/') : NULL;

	if (str_starts_nocase(path, "/metadata/identity/"))
		return true;
	if (second == NULL || str_starts_nocase(path, "/subscriptions/") ||
		str_starts_nocase(path, "/providers/"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(seconds); i++)
		if (str_starts_nocase(second, seconds[i]))
			return true;
	return false;
}

static const char *host_for(const struct exchange *x)
{
	const struct azsim_face_setup *setup = &x->desk->setup;
	const char *host = http_headers_get(&x->request.headers, "host");

	if (host == NULL)
		return "";
	if (setup->one_port && str_equal_nocase(host, setup->arm_host) && is_login_path(x->raw_url))
		return setup->login_host;
	return host;
}

static void take_head(struct exchange *x, const char *method)
{
	x->begun = true;
	x->request.method = xstrdup(method);
	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, take_header, x);
	if (x->base != NULL) {
		x->request.url = xasprintf("%s%s", x->base, x->raw_url);
		return;
	}
	/* A proxy's form of request line names the host itself. */
	x->request.url = x->raw_url[0] == '/' ? xasprintf("https://%s%s", host_for(x), x->raw_url)
					      : xstrdup(x->raw_url);
}

static enum MHD_Result take_upload(struct exchange *x, const char *upload, size_t len)
{
	x->uploaded += len;
	(void)buf_add(&x->body, upload, len);
	return x->uploaded <= UPLOAD_MAX ? MHD_YES : MHD_NO;
}

/* --- the answer --- */

static void refuse_size(struct exchange *x)
{
	static const char text[] =
		"{\"error\":{\"code\":\"RequestEntityTooLarge\",\"message\":\"The "
		"request is larger than 4194304 bytes.\"}}";
	struct http_reply *reply = &x->answer.reply;

	x->answer = (struct estate_answer){.delivery = ESTATE_ANSWERED};
	reply->status = 413;
	reply->body = xstrdup(text);
	reply->body_len = strlen(text);
	http_headers_add(&reply->headers, "Content-Type", "application/json; charset=utf-8");
}

static void wake(struct exchange *x)
{
	list_remove(&x->node);
	ev_timer_stop(x->desk->setup.loop, &x->timer);
	MHD_resume_connection(x->connection);
	x->desk->woken = true;
}

static void delay_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct exchange *x = timer->data;

	(void)loop;
	(void)events;
	MDC_MAGIC_CHECK(x, EXCHANGE_MAGIC);
	wake(x);
}

/* Puts the connection to sleep where the answer is due later, or never. */
static void hold(struct exchange *x)
{
	const struct azsim_face_setup *setup = &x->desk->setup;
	double seconds = azsim_clock_seconds(setup->clock, x->answer.delay);

	if (x->answer.delivery != ESTATE_HANGS && x->answer.delay.ms <= 0)
		return;
	MHD_suspend_connection(x->connection);
	list_append(&x->desk->held, &x->node);
	if (x->answer.delivery == ESTATE_HANGS)
		return;
	ev_timer_init(&x->timer, delay_over, seconds, 0.);
	x->timer.data = x;
	ev_now_update(setup->loop);
	ev_timer_start(setup->loop, &x->timer);
}

/* What is said to the token endpoint is secret all over. */
static bool is_traffic(const struct exchange *x)
{
	const struct azsim_face_setup *setup = &x->desk->setup;
	mdc_autofree char *prefix = xasprintf("https://%s/", setup->arm_host);

	return x->answer.delivery == ESTATE_ANSWERED && str_starts_nocase(x->request.url, prefix);
}

static void record(const struct exchange *x, struct wall now)
{
	const struct azsim_face_setup *setup = &x->desk->setup;

	if (setup->requests != NULL)
		azsim_lines_add(setup->requests, azsim_log_entry(now, &x->request, &x->answer));
	if (setup->traffic != NULL && is_traffic(x))
		azsim_lines_add(setup->traffic, azsim_log_pair(&x->request, &x->answer));
}

static void handle(struct exchange *x)
{
	const struct azsim_face_setup *setup = &x->desk->setup;
	struct wall now = azsim_clock_now(setup->clock);

	x->handled = true;
	if (buf_failed(&x->body)) {
		refuse_size(x);
	} else {
		if (x->body.len > 0) {
			x->request.body_len = x->body.len;
			x->request.body = buf_steal(&x->body);
		}
		estate_handle(setup->estate, &x->request, now, &x->answer);
	}
	record(x, now);
	hold(x);
}

/*
 * Sends a reset at once. Closing would first say goodbye in TLS, which looks like an orderly end:
 * dissolving the association makes the kernel break it without a word.
 */
static enum MHD_Result break_off(struct exchange *x)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	if (info != NULL)
		(void)connect(info->connect_fd, &nowhere, sizeof(nowhere));
	return MHD_NO;
}

struct cut_body {
	char *bytes;
	size_t len; /* that are sent before the break */
};

static ssize_t read_cut(void *cls, uint64_t position, char *to, size_t max)
{
	const struct cut_body *cut = cls;
	size_t len = cut->len - (size_t)position;

	if (len == 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (len > max)
		len = max;
	memcpy(to, cut->bytes + position, len);
	return (ssize_t)len;
}

static void free_cut(void *cls)
{
	struct cut_body *cut = cls;

	free(cut->bytes);
	free(cut);
}

static struct MHD_Response *cut_response(char *take_body, size_t len)
{
	struct cut_body *cut = xcalloc(1, sizeof(*cut));

	*cut = (struct cut_body){take_body, len / 2};
	return MHD_create_response_from_callback(len, 16384, read_cut, cut, free_cut);
}

static void copy_headers(const struct http_headers *headers, struct MHD_Response *response)
{
	static const char *const ours[] = {"content-length", "transfer-encoding", "connection"};

	for (size_t i = 0; i < headers->n; i++) {
		bool skip = false;

		for (size_t k = 0; k < ARRAY_LEN(ours); k++)
			skip = skip || str_equal_nocase(headers->v[i].name, ours[k]);
		if (!skip)
			MHD_add_response_header(response, headers->v[i].name, headers->v[i].value);
	}
}

static enum MHD_Result send_reply(struct exchange *x, bool cut)
{
	struct http_reply *reply = &x->answer.reply;
	struct MHD_Response *response;
	enum MHD_Result result;

	if (reply->status == 0 || (cut && reply->body_len < 2))
		return break_off(x);
	if (cut)
		response = cut_response(mdc_take(reply->body), reply->body_len);
	else
		response = MHD_create_response_from_buffer_with_free_callback(
			reply->body_len, mdc_take(reply->body), free);
	if (response == NULL)
		return MHD_NO;
	copy_headers(&reply->headers, response);
	result = MHD_queue_response(x->connection, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result deliver(struct exchange *x)
{
	if (x->broken)
		return break_off(x);
	switch (x->answer.delivery) {
	case ESTATE_ANSWERED: return send_reply(x, false);
	case ESTATE_TRUNCATES: return send_reply(x, true);
	case ESTATE_HANGS:
	case ESTATE_RESETS:
	/* The TLS handshake is over when the estate decides this: a reset is the nearest. */
	case ESTATE_REFUSED: return break_off(x);
	}
	return MHD_NO;
}

enum MHD_Result azsim_exchange_step(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_len,
	void **exchange)
{
	struct exchange *x = *exchange;
	size_t len = *upload_len;

	(void)cls;
	(void)connection;
	(void)url;
	(void)version;
	MDC_MAGIC_CHECK(x, EXCHANGE_MAGIC);
	if (!x->begun) {
		take_head(x, method);
		return MHD_YES;
	}
	if (len > 0) {
		*upload_len = 0;
		return take_upload(x, upload, len);
	}
	if (!x->handled)
		handle(x);
	return list_is_empty(&x->node) ? deliver(x) : MHD_YES;
}

void azsim_exchange_end(void *cls, struct MHD_Connection *connection, void **exchange,
	enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *exchange;

	(void)cls;
	(void)connection;
	(void)code;
	if (x == NULL)
		return;
	MDC_MAGIC_CHECK(x, EXCHANGE_MAGIC);
	list_remove(&x->node);
	ev_timer_stop(x->desk->setup.loop, &x->timer);
	http_request_fini(&x->request);
	estate_answer_fini(&x->answer);
	buf_fini(&x->body);
	free(x->raw_url);
	free(x);
	*exchange = NULL;
}

/* --- those asleep --- */

/* libmicrohttpd does not look at connections that sleep. */
static bool client_is_gone(const struct exchange *x)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct tcp_info tcp;
	socklen_t len = sizeof(tcp);

	return info == NULL ||
		getsockopt(info->connect_fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) != 0 ||
		tcp.tcpi_state != TCP_ESTABLISHED;
}

void azsim_desk_sweep(struct azsim_desk *desk)
{
	list_for_each (&desk->held, node) {
		struct exchange *x = list_entry(node, struct exchange, node);

		if (!desk->closing && !client_is_gone(x))
			continue;
		x->broken = true;
		wake(x);
	}
}
