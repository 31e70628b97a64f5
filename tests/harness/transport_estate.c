/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/transport_estate.h"

#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define TRANSPORT_MAGIC 0x7e57a7e0u
/* The way of a request to the estate. */
#define TRANSIT DUR_MS(1)
/* How long it takes to find that there is no network. */
#define NO_NAME_AFTER DUR_MS(500)

struct handled {
	char *method;
	char *url;
};

struct transport_estate {
	struct transport base;
	uint32_t magic;
	struct loop *loop;
	struct estate *estate;
	struct transport_options options;
	struct list transfers;
	size_t running;
	bool unplugged, frozen;
	uint64_t events, freeze_at;
	transport_frozen_fn on_frozen;
	void *frozen_ctx;
	struct transport_write *writes;
	size_t write_count;
	struct handled *handled;
	size_t handled_count;
	struct dur longest;
};

struct transfer {
	struct transport_estate *transport;
	struct list link;
	struct http_request request;
	struct http_reply reply;
	transport_done_fn done;
	void *ctx;
	struct loop_timer *timer; /* to its next step */
	struct mono started;
	enum transport_result result; /* what it ends with when the timer fires */
	bool handled;
};

static struct transport_estate *estate_of(const struct transport *t)
{
	struct transport_estate *e = container_of(t, struct transport_estate, base);

	MDC_MAGIC_CHECK(e, TRANSPORT_MAGIC);
	return e;
}

/* --- events --- */

static void count_event(struct transport_estate *t, enum transport_event event)
{
	if (t->frozen || ++t->events != t->freeze_at)
		return;
	t->frozen = true;
	t->on_frozen(t->frozen_ctx, event);
}

/* --- what reached the estate --- */

static bool is_write(const struct http_request *r)
{
	if (str_equal(r->method, "GET"))
		return false;
	return !str_equal(r->method, "POST") ||
		(strstr(r->url, "/oauth2/") == NULL &&
			!str_contains_nocase(r->url, "/Microsoft.ResourceGraph/"));
}

static void remember(struct transport_estate *t, const struct http_request *r, int status)
{
	const char *path = strchr(strstr(r->url, "://") + 3, '/');

	t->handled = xreallocarray(t->handled, t->handled_count + 1, sizeof(*t->handled));
	t->handled[t->handled_count++] =
		(struct handled){.method = xstrdup(r->method), .url = xstrdup(r->url)};
	if (!is_write(r))
		return;
	t->writes = xreallocarray(t->writes, t->write_count + 1, sizeof(*t->writes));
	t->writes[t->write_count++] = (struct transport_write){
		.at = loop_wall(t->loop),
		.method = xstrdup(r->method),
		.path = xstrndup(path, strcspn(path, "?")),
		.body = r->body != NULL ? xstrndup(r->body, r->body_len) : xstrdup(""),
		.status = status,
	};
}

/* --- the life of a transfer --- */

static void transfer_free(struct transfer *x)
{
	struct transport_estate *t = x->transport;

	list_remove(&x->link);
	t->running--;
	t->loop->ops->timer_free(x->timer);
	http_request_fini(&x->request);
	http_reply_fini(&x->reply);
	free(x);
}

static void end_after(struct transfer *x, enum transport_result result, struct dur delay)
{
	struct transport_estate *t = x->transport;
	struct mono due = mono_add(loop_mono(t->loop), delay);
	struct mono limit = mono_add(x->started, t->options.timeout);

	x->result = result;
	if (mono_before(limit, due)) {
		x->result = TRANSPORT_TIMEOUT;
		http_reply_fini(&x->reply);
		x->reply = (struct http_reply){0};
		due = limit;
	}
	t->loop->ops->timer_arm(x->timer, due);
}

/* Only status and headers count of a reply that did not arrive whole. */
static void drop_body(struct http_reply *r)
{
	free(r->body);
	r->body = NULL;
	r->body_len = 0;
}

static void arrive(struct transfer *x, struct dur delay)
{
	if (x->reply.body_len > x->transport->options.reply_cap) {
		drop_body(&x->reply);
		end_after(x, TRANSPORT_TOO_LARGE, delay);
		return;
	}
	if (x->reply.body == NULL)
		x->reply.body = xstrdup("");
	end_after(x, TRANSPORT_OK, delay);
}

static void handle(struct transfer *x)
{
	struct transport_estate *t = x->transport;
	struct estate_answer answer;

	x->handled = true;
	estate_handle(t->estate, &x->request, loop_wall(t->loop), &answer);
	if (answer.delivery != ESTATE_REFUSED)
		remember(t, &x->request, answer.reply.status);
	x->reply = answer.reply;
	answer.reply = (struct http_reply){0};
	switch (answer.delivery) {
	case ESTATE_ANSWERED: arrive(x, answer.delay); break;
	case ESTATE_HANGS: end_after(x, TRANSPORT_TIMEOUT, t->options.timeout); break;
	case ESTATE_RESETS: end_after(x, TRANSPORT_BROKEN, answer.delay); break;
	case ESTATE_TRUNCATES:
		drop_body(&x->reply);
		end_after(x, TRANSPORT_BROKEN, answer.delay);
		break;
	case ESTATE_REFUSED: end_after(x, TRANSPORT_CONNECT, DUR_MS(0)); break;
	}
	estate_answer_fini(&answer);
	count_event(t, TRANSPORT_HANDLED);
}

static const char *detail_of(enum transport_result result)
{
	switch (result) {
	case TRANSPORT_RESOLVE: return "there is no network";
	case TRANSPORT_CONNECT: return "connection refused";
	case TRANSPORT_BROKEN: return "connection reset";
	case TRANSPORT_TIMEOUT: return "no answer in time";
	case TRANSPORT_TOO_LARGE: return "the answer is too large";
	case TRANSPORT_OK:
	case TRANSPORT_TLS:
	case TRANSPORT_CANCELED: break;
	}
	return "";
}

static void deliver(struct transfer *x)
{
	struct transport_estate *t = x->transport;
	transport_done_fn done = x->done;
	void *ctx = x->ctx;
	enum transport_result result = x->result;
	struct http_reply reply = x->reply;

	t->longest = dur_max(t->longest, mono_since(loop_mono(t->loop), x->started));
	x->reply = (struct http_reply){0};
	transfer_free(x);
	done(ctx, result, detail_of(result), &reply);
	http_reply_fini(&reply);
	count_event(t, TRANSPORT_DELIVERED);
}

static void next_step(void *ctx)
{
	struct transfer *x = ctx;

	if (x->transport->frozen)
		return;
	if (!x->handled && x->result == TRANSPORT_OK)
		handle(x);
	else
		deliver(x);
}

static struct transfer *estate_start(struct transport *base, struct http_request *take_request,
	const struct transport_route *route, transport_done_fn done, void *ctx)
{
	struct transport_estate *t = estate_of(base);
	struct transfer *x = xcalloc(1, sizeof(*x));

	(void)route;
	x->transport = t;
	x->request = *take_request;
	*take_request = (struct http_request){0};
	x->done = done;
	x->ctx = ctx;
	x->started = loop_mono(t->loop);
	x->timer = loop_timer_new(t->loop, next_step, x);
	list_append(&t->transfers, &x->link);
	t->running++;
	if (t->unplugged)
		end_after(x, TRANSPORT_RESOLVE, NO_NAME_AFTER);
	else
		end_after(x, TRANSPORT_OK, TRANSIT);
	count_event(t, TRANSPORT_STARTED);
	return x;
}

static void estate_cancel(struct transport *base, struct transfer *x)
{
	assert(x->transport == estate_of(base));
	transfer_free(x);
}

static size_t estate_running(const struct transport *base)
{
	return estate_of(base)->running;
}

static struct transport *estate_transport_free(struct transport *base)
{
	struct transport_estate *t;

	if (base == NULL)
		return NULL;
	t = estate_of(base);
	list_for_each (&t->transfers, node)
		transfer_free(list_entry(node, struct transfer, link));
	for (size_t i = 0; i < t->write_count; i++) {
		free(t->writes[i].method);
		free(t->writes[i].path);
		free(t->writes[i].body);
	}
	for (size_t i = 0; i < t->handled_count; i++) {
		free(t->handled[i].method);
		free(t->handled[i].url);
	}
	free(t->writes);
	free(t->handled);
	t->magic = 0;
	free(t);
	return NULL;
}

static const struct transport_ops estate_ops = {
	.start = estate_start,
	.cancel = estate_cancel,
	.running = estate_running,
	.free = estate_transport_free,
};

struct transport *transport_estate_new(
	struct loop *l, struct estate *e, const struct transport_options *options)
{
	struct transport_estate *t = xcalloc(1, sizeof(*t));

	t->base.ops = &estate_ops;
	t->magic = TRANSPORT_MAGIC;
	t->loop = l;
	t->estate = e;
	t->options = *options;
	if (t->options.timeout.ms == 0)
		t->options.timeout = DUR_S(120);
	if (t->options.reply_cap == 0)
		t->options.reply_cap = 16 << 20;
	list_init(&t->transfers);
	return &t->base;
}

/* --- what tests do to it --- */

void transport_estate_unplug(struct transport *base)
{
	struct transport_estate *t = estate_of(base);

	t->unplugged = true;
	list_for_each (&t->transfers, node) {
		struct transfer *x = list_entry(node, struct transfer, link);

		http_reply_fini(&x->reply);
		x->reply = (struct http_reply){0};
		end_after(x, TRANSPORT_TIMEOUT, t->options.timeout);
	}
}

void transport_estate_plug(struct transport *base)
{
	estate_of(base)->unplugged = false;
}

uint64_t transport_estate_events(const struct transport *base)
{
	return estate_of(base)->events;
}

void transport_estate_freeze_at(
	struct transport *base, uint64_t n, transport_frozen_fn frozen, void *ctx)
{
	struct transport_estate *t = estate_of(base);

	t->freeze_at = n != 0 ? t->events + n : 0;
	t->on_frozen = frozen;
	t->frozen_ctx = ctx;
}

void transport_estate_freeze(struct transport *base)
{
	estate_of(base)->frozen = true;
}

void transport_estate_thaw(struct transport *base)
{
	struct transport_estate *t = estate_of(base);

	assert(t->running == 0);
	t->frozen = false;
	t->freeze_at = 0;
}

size_t transport_estate_write_count(const struct transport *base)
{
	return estate_of(base)->write_count;
}

const struct transport_write *transport_estate_write(const struct transport *base, size_t i)
{
	const struct transport_estate *t = estate_of(base);

	return i < t->write_count ? &t->writes[i] : NULL;
}

uint64_t transport_estate_count(const struct transport *base, const char *method, const char *part)
{
	const struct transport_estate *t = estate_of(base);
	uint64_t n = 0;

	for (size_t i = 0; i < t->handled_count; i++)
		n += (method == NULL || str_equal(t->handled[i].method, method)) &&
			(part == NULL || str_contains_nocase(t->handled[i].url, part));
	return n;
}

struct dur transport_estate_longest(const struct transport *base)
{
	return estate_of(base)->longest;
}
