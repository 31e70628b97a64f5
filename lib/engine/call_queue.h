/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_queue: calls that wait for the governor, and who is next.
 *
 * Urgent calls go before normal ones and these before idle ones, but for every eighth, which a
 * lower class may take, so that no class waits for ever. Within a class subscriptions take turns,
 * and so do the lines of one subscription; a line is a row of calls that wait for the same buckets
 * and is served in order of arrival. A call that will not be admitted within its patience leaves at
 * once where the governor can tell, and at the end of its patience otherwise.
 */
#ifndef MDC_CALL_QUEUE_H
#define MDC_CALL_QUEUE_H

#include "lib/base/heap.h"
#include "lib/base/list.h"
#include "lib/engine/governor.h"

enum call_class { CALL_CLASS_URGENT, CALL_CLASS_NORMAL, CALL_CLASS_IDLE, CALL_CLASS_N_ };

struct call_queue;
struct call_line;

/* Embedded in what waits. */
struct queued_call {
	struct list link;
	struct call_line *line;     /* NULL: not waiting */
	struct heap_node expiry;    /* of its patience */
	struct quota_ticket ticket; /* set by call_queue_take() */
};

struct call_queue *call_queue_new(void);
/* The calls are left alone. */
struct call_queue *call_queue_free(struct call_queue *q);

/* `quota` is copied. The governor is asked for it and must live as long as the call waits. */
void call_queue_add(struct call_queue *q, struct queued_call *c, struct governor *g,
	const struct quota_call *quota, enum call_class class, struct mono until);
/* Does nothing when it does not wait. */
void call_queue_remove(struct call_queue *q, struct queued_call *c);

/*
 * The next call, admitted by its governor, out of the classes up to `lowest`. NULL: none now;
 * *ret_again is then when to ask again (MONO_NEVER: after call_queue_answered() or an addition).
 */
struct queued_call *call_queue_take(
	struct call_queue *q, enum call_class lowest, struct mono now, struct mono *ret_again);
/*
 * A call whose patience is over or will be in vain, or NULL; *ret_wait is how long the governor
 * would have it wait from now (0: it cannot tell).
 */
struct queued_call *call_queue_give_up(struct call_queue *q, struct mono now, struct dur *ret_wait);
/* The governor was told of an answer: lines that may be admitted earlier now are asked again. */
void call_queue_answered(struct call_queue *q, const struct quota_call *quota);
/* When the first patience ends, possibly in the past; MONO_NEVER: nobody waits. */
struct mono call_queue_expiry(const struct call_queue *q);

size_t call_queue_count(const struct call_queue *q);

#endif
