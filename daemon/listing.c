/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listing.h"

#include "lib/azure/list_page.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define LISTING_MAGIC 0x115771c6u
/* What is read in one turn of the loop; several listings may have their slice in it. */
#define SLICE_ROWS 32
#define SLICE_BYTES (64 * 1024)
/* Far above any estate, and an end to what has none. */
#define PAGES_MAX 10000
#define ROWS_MAX 2000000
/* Empty pages are legal, a long row of them is not an answer. */
#define EMPTY_PAGES_MAX 50
#define FAILURES_MAX 2
#define FIRST_PAUSE DUR_S(2)
/* Nothing is waited for longer inside a listing. */
#define LONGEST_PAUSE DUR_MIN(1)
/* Graph's answers have at most 16 MiB: a page of this many rows fits, however large they are. */
#define FEWEST_ROWS 50

struct listing {
	uint32_t magic;
	struct listing_target target;
	char *identity;
	bool graph;
	struct arm_request first;       /* ARM: the first page's request */
	struct graph_question question; /* Graph: owns its texts */
	struct arm_call *call;
	struct loop_timer *timer; /* the next slice, or the end of a pause */
	char *link;               /* of the page that is asked for or read; NULL: the first */
	char *body;
	struct list_page page; /* over the body */
	char arm_origin[256];
	uint64_t rows, total;
	unsigned pages, empty_pages, failures;
	uint64_t marked_link; /* hash of a link seen before: links that go round come to it again */
	unsigned next_mark;
	bool doubtful; /* there may be more than the pages showed */
	bool inside;   /* a callback of the owner */
	bool canceled;
};

/* --- life --- */

static void drop_body(struct listing *l)
{
	list_page_fini(&l->page);
	free(l->body);
	l->body = NULL;
}

static void drop_question(struct listing *l)
{
	for (size_t i = 0; i < l->question.subscription_count; i++)
		free((char *)l->question.subscriptions[i]);
	free((char **)(uintptr_t)l->question.subscriptions);
}

static void listing_free(struct listing *l)
{
	if (l->call != NULL)
		arm_client_cancel(l->target.client, l->call);
	l->target.loop->ops->timer_free(l->timer);
	drop_body(l);
	drop_question(l);
	arm_request_fini(&l->first);
	free(l->link);
	free(l->identity);
	l->magic = 0;
	free(l);
}

static void finish(struct listing *l, const struct arm_error *error, bool complete)
{
	struct listing_end end = {
		.error = error, .complete = complete, .rows = l->rows, .pages = l->pages};

	l->inside = true;
	l->target.done(l->target.ctx, &end);
	listing_free(l);
}

static void finish_well(struct listing *l)
{
	struct arm_error none = {.class = ARM_ERROR_NONE};

	finish(l, &none, !l->doubtful && (!l->graph || l->rows == l->total));
}

static void finish_badly(struct listing *l, const char *what)
{
	struct arm_error error;

	arm_error_transport(what, &error);
	finish(l, &error, false);
}

static void wake_in(struct listing *l, struct dur wait)
{
	struct loop *loop = l->target.loop;

	loop->ops->timer_arm(l->timer, mono_add(loop_mono(loop), wait));
}

/* --- asking --- */

static void page_arrived(void *ctx, struct arm_result *result);

static bool compose(const struct listing *l, struct arm_request *ret)
{
	if (l->graph) {
		struct graph_question q = l->question;

		q.skip_token = l->link;
		graph_request(&q, ret);
		return true;
	}
	if (l->link != NULL)
		return arm_follow_link(&l->first, l->arm_origin, l->link, ret) == 0;
	*ret = l->first;
	ret->path = xstrdup(l->first.path);
	return true;
}

static void request_page(struct listing *l)
{
	struct arm_request request = {0};

	if (compose(l, &request))
		l->call = arm_client_call(l->target.client, l->identity, &request,
			l->target.idle ? ARM_IDLE : ARM_NORMAL, NULL, page_arrived, l);
	else
		finish_badly(l, "nextLink does not point to the ARM host");
}

/* --- from page to page --- */

/*
 * Links that repeat: one is kept, and another one after twice as many pages each time, so that a
 * circle of any length is met.
 */
static bool goes_round(struct listing *l, const char *link)
{
	uint64_t hash = str_hash(link, strlen(link));

	if (l->next_mark > 0 && hash == l->marked_link)
		return true;
	if (l->pages > l->next_mark) {
		l->marked_link = hash;
		l->next_mark = l->pages * 2;
	}
	return false;
}

/* False: this will not end. */
static bool count_page(struct listing *l)
{
	l->pages++;
	l->empty_pages = l->page.rows > 0 ? 0 : l->empty_pages + 1;
	return l->pages < PAGES_MAX && l->rows < ROWS_MAX && l->empty_pages <= EMPTY_PAGES_MAX &&
		(l->page.link == NULL || !goes_round(l, l->page.link));
}

static void check_totals(struct listing *l)
{
	/* Another number of rows than on the page before: rows have moved between the pages. */
	if (l->page.truncated || (l->pages > 0 && l->page.total != l->total))
		l->doubtful = true;
	l->total = l->page.total;
}

static void page_over(struct listing *l)
{
	if (l->graph)
		check_totals(l);
	if (!count_page(l)) {
		finish_badly(
			l, l->graph ? "Resource Graph's pages do not end" : "the pages do not end");
		return;
	}
	free(l->link);
	l->link = mdc_take(l->page.link);
	drop_body(l);
	l->failures = 0;
	if (l->link != NULL)
		request_page(l);
	else
		finish_well(l);
}

static void page_refused(struct listing *l, int error)
{
	if (error == -EFBIG)
		finish_badly(l,
			l->graph ? "a row of Resource Graph is too large"
				 : "an element of the list is too large");
	else
		finish_badly(l,
			l->graph ? "the answer is not one of Resource Graph"
				 : "the answer is not a list");
}

/* --- reading --- */

/* 1: there is more for another turn; else as list_page_next(). */
static int read_slice(struct listing *l)
{
	size_t from = list_page_read(&l->page);
	int result = 1;

	for (unsigned n = 0;
		n < SLICE_ROWS && list_page_read(&l->page) - from < SLICE_BYTES && !l->canceled;
		n++) {
		json_t *row;

		result = list_page_next(&l->page, &row);
		if (result != 1)
			break;
		l->rows++;
		l->target.row(l->target.ctx, row);
		json_decref(row);
	}
	return result;
}

static void go_on(void *ctx)
{
	struct listing *l = ctx;
	int result;

	MDC_MAGIC_CHECK(l, LISTING_MAGIC);
	if (l->body == NULL) {
		request_page(l);
		return;
	}
	l->inside = true;
	result = read_slice(l);
	l->inside = false;
	if (l->canceled)
		listing_free(l);
	else if (result == 1)
		wake_in(l, DUR_MS(0));
	else if (result == 0)
		page_over(l);
	else
		page_refused(l, result);
}

static void begin_page(struct listing *l, struct arm_result *result)
{
	struct http_reply *reply = result->reply;

	/* It saw only the first ten thousand subscriptions of the tenant. */
	if (str_equal_nocase(
		    http_headers_get(&reply->headers, "x-ms-tenant-subscription-limit-hit"),
		    "true"))
		l->doubtful = true;
	str_copy(l->arm_origin, sizeof(l->arm_origin), result->arm_origin);
	l->body = mdc_take(reply->body);
	list_page_init(&l->page, l->graph ? LIST_GRAPH : LIST_ARM, l->body, reply->body_len);
	wake_in(l, DUR_MS(0));
}

/* --- failures --- */

static bool ask_for_less(struct listing *l)
{
	unsigned rows = l->question.rows > 0 ? l->question.rows : LIST_GRAPH_ROWS_MAX;

	/* Tokens belong to a size of pages. */
	if (!l->graph || l->link != NULL || rows / 4 < FEWEST_ROWS)
		return false;
	l->question.rows = rows / 4;
	request_page(l);
	return true;
}

/* A call that was throttled on the wire waits in the queue until the server's time has passed. */
static bool may_pass(const struct arm_result *result)
{
	switch (result->error.class) {
	case ARM_ERROR_TRANSIENT: return true;
	case ARM_ERROR_THROTTLED: return result->error.status == 429;
	case ARM_ERROR_NONE:
	case ARM_ERROR_BUSY:
	case ARM_ERROR_DENIED:
	case ARM_ERROR_POLICY:
	case ARM_ERROR_LOCKED:
	case ARM_ERROR_DISABLED:
	case ARM_ERROR_UNREGISTERED:
	case ARM_ERROR_NO_SUBSCRIPTION:
	case ARM_ERROR_ABSENT:
	case ARM_ERROR_TOKEN:
	case ARM_ERROR_IDENTITY:
	case ARM_ERROR_CHANGED:
	case ARM_ERROR_TOO_LARGE:
	case ARM_ERROR_REQUEST:
	case ARM_ERROR_CLASS_N_: return false;
	}
	return false;
}

static bool ask_again_later(struct listing *l, const struct arm_result *result)
{
	struct dur pause = DUR_MS(FIRST_PAUSE.ms << (2 * l->failures));

	if (result->error.class == ARM_ERROR_TRANSIENT)
		pause = dur_max(pause, result->retry_after);
	if (l->target.impatient || !may_pass(result) || l->failures >= FAILURES_MAX ||
		pause.ms > LONGEST_PAUSE.ms)
		return false;
	l->failures++;
	wake_in(l, pause);
	return true;
}

static void page_arrived(void *ctx, struct arm_result *result)
{
	struct listing *l = ctx;

	MDC_MAGIC_CHECK(l, LISTING_MAGIC);
	l->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		begin_page(l, result);
	else if (result->error.class == ARM_ERROR_TOO_LARGE ? !ask_for_less(l)
							    : !ask_again_later(l, result))
		finish(l, &result->error, false);
}

/* --- beginnings --- */

static struct listing *listing_new(const struct listing_target *t)
{
	struct listing *l = xcalloc(1, sizeof(*l));

	l->magic = LISTING_MAGIC;
	l->target = *t;
	l->identity = xstrdup(t->identity);
	l->timer = loop_timer_new(t->loop, go_on, l);
	return l;
}

struct listing *listing_arm(const struct listing_target *t, struct arm_request *take_request)
{
	struct listing *l = listing_new(t);

	l->first = *take_request;
	*take_request = (struct arm_request){0};
	request_page(l);
	return l;
}

struct listing *listing_graph(const struct listing_target *t, const struct graph_question *q)
{
	struct listing *l = listing_new(t);
	size_t n = q->subscriptions != NULL ? q->subscription_count : 0;
	char **ids = n > 0 ? xcalloc(n, sizeof(*ids)) : NULL;

	for (size_t i = 0; i < n; i++)
		ids[i] = xstrdup(q->subscriptions[i]);
	l->graph = true;
	l->question = *q;
	l->question.subscriptions = (const char *const *)ids;
	l->question.subscription_count = n;
	request_page(l);
	return l;
}

struct listing *listing_cancel(struct listing *l)
{
	if (l == NULL)
		return NULL;
	MDC_MAGIC_CHECK(l, LISTING_MAGIC);
	l->canceled = true;
	if (!l->inside)
		listing_free(l);
	return NULL;
}
