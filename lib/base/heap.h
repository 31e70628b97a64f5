/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap: a binary min-heap of deadlines. Nodes are embedded in their owner; each knows its place, so
 * that a deadline can be moved or withdrawn in O(log n). Equal deadlines leave in order of
 * insertion.
 */
#ifndef MDC_HEAP_H
#define MDC_HEAP_H

#include "lib/base/base.h"

struct heap_node {
	int64_t due;
	uint64_t order; /* set by heap_put */
	size_t place;   /* 1-based index; 0 = not in a heap */
};

struct heap {
	struct heap_node **nodes; /* nodes[1..count] */
	size_t count;
	size_t room;
	uint64_t next_order;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
/* Inserts, or moves when the node is already inside. */
void heap_put(struct heap *h, struct heap_node *node, int64_t due);
/* Does nothing when the node is not inside. */
void heap_remove(struct heap *h, struct heap_node *node);
/* The earliest node, still inside, or NULL. */
struct heap_node *heap_first(const struct heap *h);
static inline bool heap_holds(const struct heap_node *node)
{
	return node->place != 0;
}

#endif
