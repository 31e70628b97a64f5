/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listing.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define LISTING_MAGIC 0x115771c6u
/* 1000 rows a page: ten million rows, far above any estate. */
#define PAGES_MAX 10000
/* Empty pages are legal, a long row of them is not an answer. */
#define EMPTY_PAGES_MAX 50

struct listing {
	uint32_t magic;
	struct listing_target target;
	char *identity;
	struct arm_call *call;
	struct arm_request proto; /* ARM: the first page's request without its body */
	bool graph;
	enum graph_table table;
	unsigned partitions, index;
	char **subscriptions;
	size_t subscription_count;
	uint64_t rows;
	unsigned pages, empty_pages;
	char *last_link;
};

static void page_arrived(void *ctx, struct arm_result *result);

static void listing_release(void *ctx)
{
	struct listing *l = ctx;

	for (size_t i = 0; i < l->subscription_count; i++)
		free(l->subscriptions[i]);
	free(l->subscriptions);
	free(l->last_link);
	free(l->identity);
	arm_request_fini(&l->proto);
	l->magic = 0;
	free(l);
}

static void finish(struct listing *l, const struct arm_error *error, bool complete)
{
	l->target.done(l->target.ctx, error, complete, l->rows);
	l->target.loop->ops->defer(l->target.loop, listing_release, l);
}

static void finish_badly(struct listing *l, const char *what)
{
	struct arm_error error;

	arm_error_transport(what, &error);
	finish(l, &error, false);
}

static void request_page(struct listing *l, struct arm_request *take_request)
{
	l->call = arm_client_call(
		l->target.client, l->identity, take_request, ARM_NORMAL, NULL, page_arrived, l);
}

static void request_graph(struct listing *l, const char *skip_token)
{
	struct arm_request request = {0};

	/* None named: all that the identity can see. */
	graph_request(l->table, l->partitions, l->index,
		l->subscription_count > 0 ? (const char *const *)(void *)l->subscriptions : NULL,
		l->subscription_count, skip_token, &request);
	request_page(l, &request);
}

/* False: enough. */
static bool count_page(struct listing *l, uint64_t rows)
{
	l->rows += rows;
	l->pages++;
	l->empty_pages = rows > 0 ? 0 : l->empty_pages + 1;
	return l->pages < PAGES_MAX && l->empty_pages <= EMPTY_PAGES_MAX;
}

static bool same_link_again(struct listing *l, const char *link)
{
	bool same = str_equal(l->last_link, link);

	free(l->last_link);
	l->last_link = xstrdup(link);
	return same;
}

static int deliver(void *ctx, const json_t *row)
{
	struct listing *l = ctx;

	l->target.row(l->target.ctx, row);
	return 0;
}

static void read_graph_page(struct listing *l, const struct arm_result *result)
{
	struct graph_page page = {0};
	struct arm_error none = {.class = ARM_ERROR_NONE};
	int error =
		graph_page_read(result->reply->body, result->reply->body_len, deliver, l, &page);

	if (error != 0) {
		finish_badly(l,
			error == -EFBIG ? "a row of Resource Graph is too large"
					: "the answer is not one of Resource Graph");
		return;
	}
	if (!count_page(l, page.rows) ||
		(page.skip_token != NULL && same_link_again(l, page.skip_token)))
		finish_badly(l, "Resource Graph's pages do not end");
	else if (page.skip_token != NULL)
		request_graph(l, page.skip_token);
	else
		finish(l, &none, !page.truncated && l->rows == page.total_records);
	graph_page_fini(&page);
}

static void read_arm_page(struct listing *l, const struct arm_result *result)
{
	json_t *page = json_body(result->reply->body, result->reply->body_len);
	const json_t *value = json_object_get(page, "value");
	const char *link = json_text(page, "nextLink");
	struct arm_error none = {.class = ARM_ERROR_NONE};
	struct arm_request next = {0};
	size_t i;
	json_t *row;

	if (!json_is_array(value)) {
		json_decref(page);
		finish_badly(l, "the answer is not a list");
		return;
	}
	json_array_foreach (value, i, row)
		deliver(l, row);
	if (!count_page(l, json_array_size(value)) || (link != NULL && same_link_again(l, link)))
		finish_badly(l, "the pages do not end");
	else if (link == NULL)
		finish(l, &none, true);
	else if (arm_follow_link(&l->proto, result->arm_origin, link, &next) != 0)
		finish_badly(l, "nextLink does not point to the ARM host");
	else
		request_page(l, &next);
	json_decref(page);
}

static void page_arrived(void *ctx, struct arm_result *result)
{
	struct listing *l = ctx;

	MDC_MAGIC_CHECK(l, LISTING_MAGIC);
	l->call = NULL;
	if (result->error.class != ARM_ERROR_NONE)
		finish(l, &result->error, false);
	else if (l->graph)
		read_graph_page(l, result);
	else
		read_arm_page(l, result);
}

static struct listing *listing_new(const struct listing_target *t)
{
	struct listing *l = xcalloc(1, sizeof(*l));

	l->magic = LISTING_MAGIC;
	l->target = *t;
	l->identity = xstrdup(t->identity);
	return l;
}

struct listing *listing_arm(const struct listing_target *t, struct arm_request *take_request)
{
	struct listing *l = listing_new(t);

	l->proto = (struct arm_request){
		.method = take_request->method,
		.quota = take_request->quota,
		.provider = take_request->provider,
	};
	str_copy(l->proto.subscription, sizeof(l->proto.subscription), take_request->subscription);
	request_page(l, take_request);
	return l;
}

struct listing *listing_graph(const struct listing_target *t, enum graph_table table,
	unsigned partitions, unsigned index, const char *const *subscriptions, size_t count)
{
	struct listing *l = listing_new(t);

	l->graph = true;
	l->table = table;
	l->partitions = partitions;
	l->index = index;
	l->subscriptions = xcalloc(count + 1, sizeof(*l->subscriptions));
	l->subscription_count = count;
	for (size_t i = 0; i < count; i++)
		l->subscriptions[i] = xstrdup(subscriptions[i]);
	request_graph(l, NULL);
	return l;
}

struct listing *listing_cancel(struct listing *l)
{
	if (l == NULL)
		return NULL;
	MDC_MAGIC_CHECK(l, LISTING_MAGIC);
	if (l->call != NULL)
		arm_client_cancel(l->target.client, l->call);
	listing_release(l);
	return NULL;
}
