/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/transport_transfer.h"

#include "daemon/tls_trust.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

/*
 * libcurl's callbacks only set watchers and one timer; nothing in them calls libcurl. What ended is
 * gathered when libcurl has returned, and `done` is called from a timer of its own: so `done` may
 * start and cancel as it likes.
 */

#define IDLE_EASY_MAX 32
#define CONNECTIONS_PER_HOST 64L
/* Or a burst to one host would close and open connections all the time. */
#define CONNECTIONS_KEPT 128L

struct transport_curl {
	struct transport base;
	struct loop *loop;
	struct transport_options options;
	CURLM *multi;
	struct loop_timer *alarm;  /* libcurl's */
	struct loop_timer *finish; /* calls `done` */
	struct list active;        /* transfers in the multi handle */
	struct list ended;         /* those whose `done` is to be called */
	size_t running;            /* both */
	struct list sockets;
	CURL *idle[IDLE_EASY_MAX];
	size_t idle_count;
	struct tls_trust *trust;
	struct proxy_environment environment;
	bool calling; /* inside `done` */
};

struct socket_watch {
	struct list node;
	struct transport_curl *transport;
	struct loop_io *io;
};

static struct transport_curl *self(struct transport *t)
{
	return container_of(t, struct transport_curl, base);
}

const char *transport_result_text(enum transport_result r)
{
	switch (r) {
	case TRANSPORT_OK: return "answered";
	case TRANSPORT_RESOLVE: return "the name could not be resolved";
	case TRANSPORT_CONNECT: return "no connection";
	case TRANSPORT_TLS: return "the certificate or the TLS handshake was refused";
	case TRANSPORT_BROKEN: return "the connection broke";
	case TRANSPORT_TIMEOUT: return "no answer in time";
	case TRANSPORT_TOO_LARGE: return "the reply was too large";
	case TRANSPORT_CANCELED: return "shutting down";
	}
	return "unknown";
}

/* --- easy handles: used again, because making one costs more than most requests --- */

static CURL *easy_take(struct transport_curl *t)
{
	CURL *easy = t->idle_count > 0 ? t->idle[--t->idle_count] : curl_easy_init();

	assert(easy != NULL && "out of memory");
	return easy;
}

static void easy_drop(struct transport_curl *t, struct transfer *x)
{
	CURL *easy = mdc_take(x->easy);

	curl_easy_reset(easy);
	if (t->idle_count < IDLE_EASY_MAX)
		t->idle[t->idle_count++] = easy;
	else
		curl_easy_cleanup(easy);
}

/* --- the ends of transfers --- */

static void move_to_ended(struct transport_curl *t, struct transfer *x)
{
	list_remove(&x->node);
	list_append(&t->ended, &x->node);
	t->loop->ops->timer_arm(t->finish, loop_mono(t->loop));
}

static void leave_multi(struct transport_curl *t, struct transfer *x)
{
	curl_multi_remove_handle(t->multi, x->easy);
	easy_drop(t, x);
}

/* All of them: libcurl does not tell again. */
static void gather(struct transport_curl *t)
{
	struct CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(t->multi, &left)) != NULL) {
		CURLcode code = message->data.result;
		struct transfer *x;
		char *private;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		x = (struct transfer *)(void *)private;
		MDC_MAGIC_CHECK(x, TRANSFER_MAGIC);
		transfer_end(x, code);
		leave_multi(t, x);
		move_to_ended(t, x);
	}
}

static void forget(struct transport_curl *t, struct transfer *x)
{
	t->running--;
	transfer_free(x);
}

/* Those that end meanwhile wait for the next turn. */
static void call_done(void *ctx)
{
	struct transport_curl *t = ctx;
	struct list now;

	list_init(&now);
	list_for_each (&t->ended, node) {
		list_remove(node);
		list_append(&now, node);
	}
	t->calling = true;
	while (!list_is_empty(&now)) {
		struct transfer *x = list_entry(now.next, struct transfer, node);

		list_remove(&x->node);
		x->done(x->ctx, x->result, x->detail, &x->reply);
		forget(t, x);
	}
	t->calling = false;
}

/* --- libcurl on the loop --- */

static struct socket_watch *watch_free(struct socket_watch *w)
{
	list_remove(&w->node);
	w->transport->loop->ops->io_free(w->io);
	free(w);
	return NULL;
}

static CURLM *multi_new(struct transport_curl *t);

/* After an error of the multi handle its transfers are of no use any more. */
static void start_over(struct transport_curl *t, CURLMcode code)
{
	list_for_each (&t->active, node) {
		struct transfer *x = list_entry(node, struct transfer, node);

		leave_multi(t, x);
		transfer_fail(x, x->sent ? TRANSPORT_BROKEN : TRANSPORT_CONNECT,
			curl_multi_strerror(code));
		move_to_ended(t, x);
	}
	curl_multi_cleanup(t->multi);
	list_for_each (&t->sockets, node)
		watch_free(list_entry(node, struct socket_watch, node));
	t->loop->ops->timer_disarm(t->alarm);
	t->multi = multi_new(t);
}

static void drive(struct transport_curl *t, curl_socket_t fd, int events)
{
	int running;
	CURLMcode code = curl_multi_socket_action(t->multi, fd, events, &running);

	gather(t);
	if (code != CURLM_OK)
		start_over(t, code);
}

static void alarm_rang(void *ctx)
{
	drive(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void socket_ready(void *ctx, int fd, bool readable, bool writable)
{
	struct socket_watch *w = ctx;

	/* The last use of `w`: libcurl may close the socket. */
	drive(w->transport, fd,
		(readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0));
}

static int set_alarm(CURLM *multi, long ms, void *ctx)
{
	struct transport_curl *t = ctx;

	(void)multi;
	if (ms < 0)
		t->loop->ops->timer_disarm(t->alarm);
	else
		t->loop->ops->timer_arm(t->alarm, mono_add(loop_mono(t->loop), DUR_MS(ms)));
	return 0;
}

static struct socket_watch *watch_new(struct transport_curl *t, int fd)
{
	struct socket_watch *w = xcalloc(1, sizeof(*w));

	w->transport = t;
	w->io = t->loop->ops->io_new(t->loop, fd, socket_ready, w);
	list_append(&t->sockets, &w->node);
	return w;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *watch)
{
	struct transport_curl *t = ctx;
	struct socket_watch *w = watch;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			watch_free(w);
		return 0;
	}
	if (w == NULL) {
		w = watch_new(t, fd);
		curl_multi_assign(t->multi, fd, w);
	}
	t->loop->ops->io_want(w->io,
		((what & CURL_POLL_IN) != 0 ? 1 : 0) | ((what & CURL_POLL_OUT) != 0 ? 2 : 0));
	return 0;
}

static CURLM *multi_new(struct transport_curl *t)
{
	CURLM *multi = curl_multi_init();

	assert(multi != NULL && "out of memory");
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, t);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_alarm);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, t);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, CONNECTIONS_PER_HOST);
#if LIBCURL_VERSION_NUM >= 0x081400
	curl_multi_setopt(multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
	return multi;
}

/* --- the seam --- */

static void send_off(struct transport_curl *t, struct transfer *x)
{
	CURLMcode code;

	transfer_prepare(x, easy_take(t), &t->options);
	code = curl_multi_add_handle(t->multi, x->easy);
	if (code == CURLM_OK) {
		list_append(&t->active, &x->node);
		return;
	}
	easy_drop(t, x);
	transfer_fail(x, TRANSPORT_CONNECT, curl_multi_strerror(code));
	move_to_ended(t, x);
}

/* False: it has ended. */
static bool get_trust(
	struct transport_curl *t, struct transfer *x, const char *ca_file, X509_STORE **ret)
{
	int error = tls_trust_get(t->trust, ca_file, ret);
	mdc_autofree char *text = NULL;

	if (error == 0)
		return true;
	text = xasprintf("cannot use the CA file %s: %s", ca_file,
		error == -EBADMSG ? "no certificate in it" : strerror(-error));
	transfer_fail(x, TRANSPORT_TLS, text);
	return false;
}

static bool may_leave(
	struct transport_curl *t, struct transfer *x, const struct transport_route *route)
{
	mdc_autofree char *refusal = transfer_refusal(x, &t->environment, route);

	if (refusal != NULL) {
		transfer_fail(x, TRANSPORT_CONNECT, refusal);
		return false;
	}
	if (str_starts_nocase(x->request.url, "http:"))
		return true;
	if (x->proxy.url != NULL && str_starts_nocase(x->proxy.url, "https:") &&
		!get_trust(t, x, x->proxy_ca_file, &x->proxy_trust))
		return false;
	return get_trust(t, x, x->ca_file, &x->trust);
}

static struct transfer *start(struct transport *base, struct http_request *take_request,
	const struct transport_route *route, transport_done_fn done, void *ctx)
{
	static const struct transport_route straight;
	struct transport_curl *t = self(base);
	struct transfer *x;

	route = route != NULL ? route : &straight;
	x = transfer_new(take_request, route, done, ctx);
	t->running++;
	if (may_leave(t, x, route))
		send_off(t, x);
	else
		move_to_ended(t, x);
	return x;
}

static void cancel(struct transport *base, struct transfer *x)
{
	struct transport_curl *t = self(base);

	MDC_MAGIC_CHECK(x, TRANSFER_MAGIC);
	/* Not the one whose `done` is being called: that one is over. */
	assert(!list_is_empty(&x->node));
	if (x->easy != NULL)
		leave_multi(t, x);
	forget(t, x);
}

static size_t running(const struct transport *base)
{
	return container_of(base, const struct transport_curl, base)->running;
}

static void cancel_all(struct transport_curl *t, struct list *transfers)
{
	list_for_each (transfers, node)
		cancel(&t->base, list_entry(node, struct transfer, node));
}

static struct transport *transport_free(struct transport *base)
{
	struct transport_curl *t;

	if (base == NULL)
		return NULL;
	t = self(base);
	assert(!t->calling);
	cancel_all(t, &t->active);
	cancel_all(t, &t->ended);
	while (t->idle_count > 0)
		curl_easy_cleanup(t->idle[--t->idle_count]);
	curl_multi_cleanup(t->multi);
	list_for_each (&t->sockets, node)
		watch_free(list_entry(node, struct socket_watch, node));
	t->loop->ops->timer_free(t->alarm);
	t->loop->ops->timer_free(t->finish);
	tls_trust_free(t->trust);
	proxy_environment_fini(&t->environment);
	free(t);
	return NULL;
}

static const struct transport_ops transport_curl_ops = {
	.start = start,
	.cancel = cancel,
	.running = running,
	.free = transport_free,
};

/* The certificates are handed over in OpenSSL's own form. */
static void check_libcurl(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
		str_starts_nocase(info->ssl_version, "OpenSSL/") &&
		(info->features & CURL_VERSION_ASYNCHDNS) != 0)
		return;
	fprintf(stderr,
		"libcurl %s with %s cannot be used: OpenSSL and threaded names are needed\n",
		info->version, info->ssl_version != NULL ? info->ssl_version : "no TLS");
	abort();
}

static struct transport_options with_defaults(const struct transport_options *o)
{
	return (struct transport_options){
		.connect_timeout = o->connect_timeout.ms > 0 ? o->connect_timeout : DUR_S(10),
		.timeout = o->timeout.ms > 0 ? o->timeout : DUR_S(120),
		.reply_cap = o->reply_cap > 0 ? o->reply_cap : (size_t)16 << 20,
	};
}

struct transport *transport_curl_new(struct loop *l, const struct transport_options *options)
{
	struct transport_curl *t = xcalloc(1, sizeof(*t));

	check_libcurl();
	t->base.ops = &transport_curl_ops;
	t->loop = l;
	t->options = with_defaults(options);
	list_init(&t->active);
	list_init(&t->ended);
	list_init(&t->sockets);
	t->alarm = loop_timer_new(l, alarm_rang, t);
	t->finish = loop_timer_new(l, call_done, t);
	t->trust = tls_trust_new();
	proxy_environment_read(&t->environment, options->environment);
	t->multi = multi_new(t);
	return &t->base;
}
