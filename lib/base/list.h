/* SPDX-License-Identifier: Apache-2.0 */
/* list: an intrusive, circular, doubly linked list. A node outside a list points to itself. */
#ifndef MDC_LIST_H
#define MDC_LIST_H

#include "lib/base/base.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}
static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}
static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}
/* Leaves the node pointing to itself; safe on a node that is in no list. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define list_entry(node, type, member) container_of(node, type, member)
/* The current node may be removed while walking. */
#define list_for_each(head, node) \
	for (struct list *node = (head)->next, *next_ = node->next; node != (head); \
		node = next_, next_ = node->next)

#endif
