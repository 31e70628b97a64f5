/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/fake_transport.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define FAKE_MAGIC 0xfa4e7a01u

struct scripted {
	struct list link;
	struct fake_answer answer; /* its texts are copies */
};

struct transfer {
	struct list link;
	struct fake_transport *fake;
	struct loop_timer *timer;
	struct scripted *scripted; /* a copy of its own */
	struct fake_request *seen;
	transport_done_fn done;
	void *ctx;
};

struct fake_transport {
	struct transport base;
	uint32_t magic;
	struct loop *loop;
	struct list script;
	struct list running;
	fake_serve_fn serve;
	void *serve_ctx;
	struct fake_request **requests;
	size_t count;
	size_t unexpected;
};

static struct fake_transport *fake_of(const struct transport *t)
{
	struct fake_transport *f = container_of(t, struct fake_transport, base);

	MDC_MAGIC_CHECK(f, FAKE_MAGIC);
	return f;
}

static const char *copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

static struct scripted *scripted_new(const struct fake_answer *a)
{
	struct scripted *s = xcalloc(1, sizeof(*s));

	s->answer = *a;
	s->answer.method = copy(a->method);
	s->answer.url_part = copy(a->url_part);
	s->answer.body = copy(a->body);
	for (size_t i = 0; i < ARRAY_LEN(a->headers); i++)
		s->answer.headers[i] = copy(a->headers[i]);
	return s;
}

static void scripted_free(struct scripted *s)
{
	free((char *)s->answer.method);
	free((char *)s->answer.url_part);
	free((char *)s->answer.body);
	for (size_t i = 0; i < ARRAY_LEN(s->answer.headers); i++)
		free((char *)s->answer.headers[i]);
	free(s);
}

static bool fits(const struct fake_answer *a, const struct http_request *r)
{
	return (a->method == NULL || str_equal(a->method, r->method)) &&
		(a->url_part == NULL || strstr(r->url, a->url_part) != NULL);
}

static struct scripted *find_answer(struct fake_transport *f, const struct http_request *r)
{
	list_for_each (&f->script, node) {
		struct scripted *s = list_entry(node, struct scripted, link);

		if (!fits(&s->answer, r))
			continue;
		if (s->answer.always)
			return scripted_new(&s->answer);
		list_remove(node);
		return s;
	}
	if (f->serve != NULL) {
		struct fake_answer made = {.status = 200};

		f->serve(f->serve_ctx, r, loop_mono(f->loop), &made);
		return scripted_new(&made);
	}
	f->unexpected++;
	return scripted_new(&(struct fake_answer){.result = TRANSPORT_CONNECT});
}

static void build_reply(const struct fake_answer *a, struct http_reply *ret)
{
	const char *body = a->body != NULL ? a->body : "";

	*ret = (struct http_reply){.status = a->status};
	if (a->status == 0)
		return;
	ret->body = xstrdup(body);
	ret->body_len = strlen(body);
	for (size_t i = 0; i < ARRAY_LEN(a->headers) && a->headers[i] != NULL; i++) {
		const char *colon = strchr(a->headers[i], ':');
		mdc_autofree char *name = xstrndup(a->headers[i], (size_t)(colon - a->headers[i]));

		http_headers_add(&ret->headers, name, colon + 2);
	}
}

static void transfer_free(struct transfer *x)
{
	list_remove(&x->link);
	x->timer = x->fake->loop->ops->timer_free(x->timer);
	scripted_free(x->scripted);
	free(x);
}

static void finish(void *ctx)
{
	struct transfer *x = ctx;
	struct http_reply reply;
	enum transport_result result = x->scripted->answer.result;
	transport_done_fn done = x->done;
	void *done_ctx = x->ctx;

	build_reply(&x->scripted->answer, &reply);
	transfer_free(x);
	done(done_ctx, result, result == TRANSPORT_OK ? "" : transport_result_text(result), &reply);
	http_reply_fini(&reply);
}

static struct transfer *fake_start(struct transport *t, struct http_request *take_request,
	const struct transport_route *route, transport_done_fn done, void *ctx)
{
	struct fake_transport *f = fake_of(t);
	struct transfer *x = xcalloc(1, sizeof(*x));

	x->fake = f;
	x->done = done;
	x->ctx = ctx;
	x->seen = xcalloc(1, sizeof(*x->seen));
	x->seen->request = *take_request;
	*take_request = (struct http_request){0};
	if (route != NULL) {
		x->seen->ca_file = (char *)copy(route->ca_file);
		x->seen->proxy = (char *)copy(route->proxy);
	}
	x->seen->at = loop_mono(f->loop);
	f->requests = xreallocarray(f->requests, f->count + 1, sizeof(*f->requests));
	f->requests[f->count++] = x->seen;
	x->scripted = find_answer(f, &x->seen->request);
	x->timer = loop_timer_new(f->loop, finish, x);
	list_append(&f->running, &x->link);
	if (!x->scripted->answer.hangs)
		f->loop->ops->timer_arm(
			x->timer, mono_add(loop_mono(f->loop), x->scripted->answer.delay));
	return x;
}

static void fake_cancel(struct transport *t, struct transfer *x)
{
	(void)t;
	x->seen->canceled = true;
	transfer_free(x);
}

static size_t fake_running(const struct transport *t)
{
	size_t n = 0;

	list_for_each (&fake_of(t)->running, node)
		n++;
	return n;
}

void fake_transport_clear(struct transport *t)
{
	list_for_each (&fake_of(t)->script, node) {
		list_remove(node);
		scripted_free(list_entry(node, struct scripted, link));
	}
}

static struct transport *fake_free(struct transport *t)
{
	struct fake_transport *f;

	if (t == NULL)
		return NULL;
	f = fake_of(t);
	fake_transport_clear(t);
	list_for_each (&f->running, node)
		transfer_free(list_entry(node, struct transfer, link));
	for (size_t i = 0; i < f->count; i++) {
		http_request_fini(&f->requests[i]->request);
		free(f->requests[i]->ca_file);
		free(f->requests[i]->proxy);
		free(f->requests[i]);
	}
	free(f->requests);
	f->magic = 0;
	free(f);
	return NULL;
}

static const struct transport_ops fake_ops = {
	.start = fake_start,
	.cancel = fake_cancel,
	.running = fake_running,
	.free = fake_free,
};

struct transport *fake_transport_new(struct loop *l)
{
	struct fake_transport *f = xcalloc(1, sizeof(*f));

	f->base.ops = &fake_ops;
	f->magic = FAKE_MAGIC;
	f->loop = l;
	list_init(&f->script);
	list_init(&f->running);
	return &f->base;
}

void fake_transport_answer(struct transport *t, const struct fake_answer *a)
{
	list_append(&fake_of(t)->script, &scripted_new(a)->link);
}

void fake_transport_serve(struct transport *t, fake_serve_fn serve, void *ctx)
{
	fake_of(t)->serve = serve;
	fake_of(t)->serve_ctx = ctx;
}

size_t fake_transport_count(const struct transport *t)
{
	return fake_of(t)->count;
}

const struct fake_request *fake_transport_request(const struct transport *t, int i)
{
	const struct fake_transport *f = fake_of(t);
	size_t at = i < 0 ? f->count - (size_t)-i : (size_t)i;

	assert(at < f->count);
	return f->requests[at];
}

const char *fake_transport_header(const struct transport *t, int i, const char *name)
{
	return http_headers_get(&fake_transport_request(t, i)->request.headers, name);
}

size_t fake_transport_unexpected(const struct transport *t)
{
	return fake_of(t)->unexpected;
}
