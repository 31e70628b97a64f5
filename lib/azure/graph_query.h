/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_query: the questions put to Azure Resource Graph.
 *
 * Rows are asked for in the shape of ARM's own documents (pack() rebuilds `properties` from the
 * fields that some control reads), so that arm_document.h decodes both; list_page.h reads the
 * answers. Fields that others can fill with anything are asked for as text: a number that no reader
 * takes cannot spoil a page. Big collections are read in hash partitions of under 1000 rows, each
 * one query, so that no page can shift under another (Resource Graph, "Paging results"). Values
 * never enter query text: subscriptions go in the body, partitions are integers.
 */
#ifndef MDC_GRAPH_QUERY_H
#define MDC_GRAPH_QUERY_H

#include "lib/azure/arm_request.h"
#include "lib/azure/list_page.h"

enum graph_table {
	GRAPH_SUBSCRIPTIONS,  /* their management groups */
	GRAPH_PRICINGS,       /* servers plan of each subscription */
	GRAPH_MACHINE_COUNTS, /* per subscription: machines, and extensions that we read */
	GRAPH_MACHINES,
	GRAPH_EXTENSIONS,       /* MDE.* and the legacy agents */
	GRAPH_RULES_IN_USE,     /* per subscription: data collection rules of its machines */
	GRAPH_AGENT_WORKSPACES, /* per subscription: workspaces of its legacy agents */
	GRAPH_EXEMPTIONS,       /* from assigned policies, those of management groups above, too */
	GRAPH_TABLE_N_
};

/* The most that we want in one partition: every one of them is then one page. */
#define GRAPH_PARTITION_ROWS 700

/* The query's text; `partitions` 0 or 1 = not partitioned. Caller frees. */
char *graph_query_text(enum graph_table table, unsigned partitions, unsigned index);

struct graph_question {
	enum graph_table table;
	unsigned partitions, index;
	const char *const *subscriptions; /* NULL: all that are visible */
	size_t subscription_count;
	const char *skip_token; /* NULL: the first page */
	unsigned rows;          /* in a page; 0: as many as there may be */
};
/* POST …/Microsoft.ResourceGraph/resources. */
void graph_request(const struct graph_question *q, struct arm_request *ret);

/* A row of GRAPH_MACHINE_COUNTS. Texts are borrowed. -EINVAL. */
struct graph_count {
	const char *subscription;
	uint64_t machines;
	uint64_t extensions;
};
int graph_count_read(const json_t *row, struct graph_count *ret) MDC_MUST_CHECK;

/*
 * A row of GRAPH_RULES_IN_USE or GRAPH_AGENT_WORKSPACES: of one subscription, what its machines use
 * and how many of them, as "12 /subscriptions/…" or "3 GUID". -EINVAL.
 */
struct graph_uses {
	const char *subscription;
	const json_t *uses;
};
int graph_uses_read(const json_t *row, struct graph_uses *ret) MDC_MUST_CHECK;
/* One of them; `*ret_target` is borrowed. -EINVAL. */
int graph_use_read(
	const json_t *use, uint32_t *ret_machines, const char **ret_target) MDC_MUST_CHECK;
/* As many as one row holds: there may be more. */
#define GRAPH_USES_MAX 10000

#endif
