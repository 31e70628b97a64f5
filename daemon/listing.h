/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing: reads a whole collection, page after page, from ARM or Resource Graph, and says whether
 * it was complete. Endless pages, repeated links and cut answers are incomplete, never "all".
 */
#ifndef MDCD_LISTING_H
#define MDCD_LISTING_H

#include "daemon/arm_client.h"
#include "lib/azure/graph_query.h"

struct listing;

/* One element: a document of an ARM list or a row of Graph. */
typedef void (*listing_row_fn)(void *ctx, const json_t *row);
/* `error` class NONE and `complete`: everything was delivered. The listing is freed afterwards. */
typedef void (*listing_done_fn)(
	void *ctx, const struct arm_error *error, bool complete, uint64_t rows);

struct listing_target {
	struct arm_client *client;
	struct loop *loop;
	const char *identity;
	listing_row_fn row;
	listing_done_fn done;
	void *ctx;
};

/* Takes the request of the first page. */
struct listing *listing_arm(const struct listing_target *t, struct arm_request *take_request);
/* `subscriptions` is copied; none: all that the identity can see. */
struct listing *listing_graph(const struct listing_target *t, enum graph_table table,
	unsigned partitions, unsigned index, const char *const *subscriptions, size_t count);
/* `done` will not be called. */
struct listing *listing_cancel(struct listing *l);

#endif
