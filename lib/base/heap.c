/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/heap.h"

#include "lib/base/xalloc.h"

void heap_init(struct heap *h)
{
	*h = (struct heap){0};
}

void heap_fini(struct heap *h)
{
	for (size_t i = 1; i <= h->count; i++)
		h->nodes[i]->place = 0;
	free(h->nodes);
	*h = (struct heap){0};
}

static bool earlier(const struct heap_node *a, const struct heap_node *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void place(struct heap *h, struct heap_node *node, size_t at)
{
	h->nodes[at] = node;
	node->place = at;
}

static void sift_up(struct heap *h, struct heap_node *node)
{
	size_t at = node->place;

	for (; at > 1 && earlier(node, h->nodes[at / 2]); at /= 2)
		place(h, h->nodes[at / 2], at);
	place(h, node, at);
}

static void sift_down(struct heap *h, struct heap_node *node)
{
	size_t at = node->place;

	for (;;) {
		size_t child = at * 2;

		if (child > h->count)
			break;
		if (child < h->count && earlier(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (!earlier(h->nodes[child], node))
			break;
		place(h, h->nodes[child], at);
		at = child;
	}
	place(h, node, at);
}

void heap_put(struct heap *h, struct heap_node *node, int64_t due)
{
	if (heap_holds(node))
		heap_remove(h, node);
	if (h->count + 1 >= h->room) {
		h->room = h->room == 0 ? 16 : h->room * 2;
		h->nodes = xreallocarray(h->nodes, h->room, sizeof(struct heap_node *));
	}
	node->due = due;
	node->order = h->next_order++;
	place(h, node, ++h->count);
	sift_up(h, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	struct heap_node *last;
	size_t at = node->place;

	if (!heap_holds(node))
		return;
	assert(at <= h->count && h->nodes[at] == node);
	last = h->nodes[h->count--];
	node->place = 0;
	if (last == node)
		return;
	place(h, last, at);
	sift_up(h, last);
	sift_down(h, last);
}

struct heap_node *heap_first(const struct heap *h)
{
	return h->count > 0 ? h->nodes[1] : NULL;
}
