/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing: reads a whole collection, page after page, from ARM or Resource Graph, and says whether
 * it was complete. Endless pages, links that go round, cut answers and pages that shifted under
 * each other are incomplete, never "all".
 *
 * A page is read in slices over several turns of the loop, row by row over the received bytes. One
 * that fails in a passing way is asked for again, twice, unless its owner asks soon anyway; one
 * that is too large in smaller parts.
 */
#ifndef MDCD_LISTING_H
#define MDCD_LISTING_H

#include "daemon/arm_client.h"
#include "lib/azure/graph_query.h"

struct listing;

struct listing_end {
	const struct arm_error *error; /* class NONE: every page arrived and could be read */
	bool complete;                 /* and they were the whole collection */
	uint64_t rows;                 /* that were delivered, whatever the end */
	unsigned pages;
};

/* One element: a document of an ARM list or a row of Graph, an object. */
typedef void (*listing_row_fn)(void *ctx, const json_t *row);
/* Called once, later. The listing is gone when it returns. */
typedef void (*listing_done_fn)(void *ctx, const struct listing_end *end);

struct listing_target {
	struct arm_client *client;
	struct loop *loop;
	const char *identity; /* copied */
	bool impatient;       /* a page that fails is not asked for again */
	bool idle;            /* after everything else that waits for quota */
	listing_row_fn row;
	listing_done_fn done;
	void *ctx;
};

/* Takes the request of the first page. */
struct listing *listing_arm(const struct listing_target *t, struct arm_request *take_request);
/* The question is copied; no subscriptions: all that the identity can see. */
struct listing *listing_graph(const struct listing_target *t, const struct graph_question *q);
/* Neither `row` nor `done` will be called any more. Allowed from inside both. */
struct listing *listing_cancel(struct listing *l);

#endif
