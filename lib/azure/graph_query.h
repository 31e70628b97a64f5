/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_query: the questions put to Azure Resource Graph and the reading of its answers.
 *
 * Rows are asked for in the shape of ARM's own documents (pack() rebuilds `properties` from the
 * fields that some control reads), so that arm_document.h decodes both. Big collections are read in
 * hash partitions of under 1000 rows, each one query, so that no page can shift under another
 * (Resource Graph, "Paging results"). Values never enter query text: subscriptions go in the body,
 * partitions are integers.
 */
#ifndef MDC_GRAPH_QUERY_H
#define MDC_GRAPH_QUERY_H

#include "lib/azure/arm_request.h"
#include "lib/base/buf.h"

enum graph_table {
	GRAPH_SUBSCRIPTIONS,  /* with their management groups */
	GRAPH_PRICINGS,       /* servers plan of each subscription */
	GRAPH_MACHINE_COUNTS, /* per subscription: machines, and extensions that we read */
	GRAPH_MACHINES,
	GRAPH_EXTENSIONS, /* MDE.* and the legacy agents */
	GRAPH_TABLE_N_
};

/* Most rows a page may have, and the most that we want in one partition. */
#define GRAPH_PAGE_ROWS 1000
#define GRAPH_PARTITION_ROWS 700

/* The query's text; `partitions` 0 or 1 = not partitioned. Caller frees. */
char *graph_query_text(enum graph_table table, unsigned partitions, unsigned index);
/*
 * POST …/Microsoft.ResourceGraph/resources. `subscriptions` may be NULL (all that are visible);
 * `skip_token` may be NULL.
 */
void graph_request(enum graph_table table, unsigned partitions, unsigned index,
	const char *const *subscriptions, size_t subscription_count, const char *skip_token,
	struct arm_request *ret);

/* A row of GRAPH_MACHINE_COUNTS. Texts are borrowed. -EINVAL. */
struct graph_count {
	const char *subscription;
	uint64_t machines;
	uint64_t extensions;
};
int graph_count_read(const json_t *row, struct graph_count *ret) MDC_MUST_CHECK;

/* The envelope of an answer, everything but its rows. */
struct graph_page {
	uint64_t total_records;
	uint64_t count;
	bool truncated;   /* resultTruncated, or anything that makes us doubt it */
	char *skip_token; /* NULL at the end */
	uint64_t rows;    /* rows delivered to the callback */
};
void graph_page_fini(struct graph_page *p);

/* Row caps: a larger row is refused with -EFBIG. */
#define GRAPH_ROW_MAX (256 * 1024)

/*
 * Decodes the rows one at a time over the received bytes, so that the whole answer is never a tree.
 * `row` returns 0 or a negative errno that ends the reading. -EBADMSG for an answer that is not
 * what the service sends, -EFBIG for a row over its cap.
 */
typedef int (*graph_row_fn)(void *ctx, const json_t *row);
int graph_page_read(const char *body, size_t len, graph_row_fn row, void *ctx,
	struct graph_page *ret) MDC_MUST_CHECK;

#endif
