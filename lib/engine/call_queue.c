/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/call_queue.h"

#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

/* One turn in so many goes to the lower classes first. */
#define TURNS_PER_LOWER_CLASS 8

/* A subscription's place in the round of one class. Lives as long as it has lines. */
struct turn {
	struct list ring;
	struct list lines;
	unsigned line_count;
	char *key;
	enum call_class class;
};

/* Lives as long as it has calls. */
struct call_line {
	struct list ring;
	struct turn *turn;
	struct list calls;
	char *key;
	struct governor *governor;
	struct quota_call quota; /* its texts are owned */
	struct mono not_before;  /* the governor's last word; MONO_NEVER: until an answer */
};

struct round {
	struct list turns;
	unsigned turn_count;
};

struct call_queue {
	struct round rounds[CALL_CLASS_N_];
	struct map turns;
	struct map lines;
	struct heap expiries;
	unsigned taken;
};

struct call_queue *call_queue_new(void)
{
	struct call_queue *q = xcalloc(1, sizeof(*q));

	for (unsigned i = 0; i < CALL_CLASS_N_; i++)
		list_init(&q->rounds[i].turns);
	map_init(&q->turns, NULL);
	map_init(&q->lines, NULL);
	heap_init(&q->expiries);
	return q;
}

static void end_turn(struct call_queue *q, struct turn *t)
{
	list_remove(&t->ring);
	q->rounds[t->class].turn_count--;
	map_remove(&q->turns, t->key);
	free(t->key);
	free(t);
}

static void end_line(struct call_queue *q, struct call_line *l)
{
	struct turn *t = l->turn;

	list_remove(&l->ring);
	map_remove(&q->lines, l->key);
	free((char *)l->quota.tenant);
	free((char *)l->quota.principal);
	free((char *)l->quota.subscription);
	free((char *)l->quota.provider);
	free(l->key);
	free(l);
	if (--t->line_count == 0)
		end_turn(q, t);
}

void call_queue_remove(struct call_queue *q, struct queued_call *c)
{
	struct call_line *l = c->line;

	if (l == NULL)
		return;
	list_remove(&c->link);
	heap_remove(&q->expiries, &c->expiry);
	c->line = NULL;
	if (list_is_empty(&l->calls))
		end_line(q, l);
}

struct call_queue *call_queue_free(struct call_queue *q)
{
	if (q == NULL)
		return NULL;
	while (heap_first(&q->expiries) != NULL)
		call_queue_remove(
			q, container_of(heap_first(&q->expiries), struct queued_call, expiry));
	heap_fini(&q->expiries);
	map_fini(&q->lines);
	map_fini(&q->turns);
	free(q);
	return NULL;
}

static struct turn *turn_of(
	struct call_queue *q, const struct quota_call *quota, enum call_class class)
{
	mdc_autofree char *key =
		xasprintf("%d %s %s", class, quota->principal, quota->subscription);
	struct turn *t = map_get(&q->turns, key);

	if (t != NULL)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->class = class;
	list_init(&t->lines);
	list_append(&q->rounds[class].turns, &t->ring);
	q->rounds[class].turn_count++;
	map_set(&q->turns, key, t);
	t->key = mdc_take(key);
	return t;
}

static struct call_line *line_of(struct call_queue *q, struct governor *g,
	const struct quota_call *quota, enum call_class class)
{
	mdc_autofree char *key =
		xasprintf("%d %p %s %s %s %s %d", class, (void *)g, quota->principal, quota->tenant,
			quota->subscription, quota->provider, quota->quota);
	struct call_line *l = map_get(&q->lines, key);

	if (l != NULL)
		return l;
	l = xcalloc(1, sizeof(*l));
	l->governor = g;
	l->quota = (struct quota_call){
		.tenant = xstrdup(quota->tenant),
		.principal = xstrdup(quota->principal),
		.subscription = xstrdup(quota->subscription),
		.provider = xstrdup(quota->provider),
		.quota = quota->quota,
	};
	list_init(&l->calls);
	l->turn = turn_of(q, quota, class);
	l->turn->line_count++;
	list_append(&l->turn->lines, &l->ring);
	map_set(&q->lines, key, l);
	l->key = mdc_take(key);
	return l;
}

static bool in_vain(const struct call_line *l, int64_t until)
{
	return l->not_before.ms != MONO_NEVER.ms && until < l->not_before.ms;
}

/* In the past: it leaves with the next call_queue_give_up(). */
static void expire(struct call_queue *q, struct queued_call *c)
{
	heap_put(&q->expiries, &c->expiry, INT64_MIN);
}

void call_queue_add(struct call_queue *q, struct queued_call *c, struct governor *g,
	const struct quota_call *quota, enum call_class class, struct mono until)
{
	assert(c->line == NULL);
	c->line = line_of(q, g, quota, class);
	list_append(&c->line->calls, &c->link);
	heap_put(&q->expiries, &c->expiry, until.ms);
	if (in_vain(c->line, until.ms))
		expire(q, c);
}

static struct queued_call *first_of(const struct call_line *l)
{
	return list_entry(l->calls.next, struct queued_call, link);
}

/* Patience ends in order of arrival, as callers of one line have the same. */
static void expire_in_vain(struct call_queue *q, struct call_line *l)
{
	list_for_each (&l->calls, node) {
		struct queued_call *c = list_entry(node, struct queued_call, link);

		if (!in_vain(l, c->expiry.due))
			break;
		expire(q, c);
	}
}

static struct queued_call *ask_line(
	struct call_queue *q, struct call_line *l, struct mono now, struct mono *again)
{
	struct queued_call *c = first_of(l);

	if (!mono_before(now, l->not_before)) {
		l->not_before = governor_admit(l->governor, &l->quota, now, &c->ticket);
		if (!mono_before(now, l->not_before))
			return c;
		expire_in_vain(q, l);
	}
	if (mono_before(l->not_before, *again))
		*again = l->not_before;
	return NULL;
}

static void to_the_back(struct list *head, struct list *node)
{
	list_remove(node);
	list_append(head, node);
}

/* Whoever was asked goes to the back, admitted or not: all are asked before one is asked again. */
static struct queued_call *ask_turn(
	struct call_queue *q, struct turn *t, struct mono now, struct mono *again)
{
	for (unsigned n = t->line_count; n > 0; n--) {
		struct call_line *l = list_entry(t->lines.next, struct call_line, ring);
		struct queued_call *c = ask_line(q, l, now, again);

		to_the_back(&t->lines, &l->ring);
		if (c != NULL)
			return c;
	}
	return NULL;
}

static struct queued_call *ask_round(
	struct call_queue *q, struct round *r, struct mono now, struct mono *again)
{
	for (unsigned n = r->turn_count; n > 0; n--) {
		struct turn *t = list_entry(r->turns.next, struct turn, ring);
		struct queued_call *c = ask_turn(q, t, now, again);

		to_the_back(&r->turns, &t->ring);
		if (c != NULL)
			return c;
	}
	return NULL;
}

static unsigned first_class(const struct call_queue *q, enum call_class lowest)
{
	if (q->taken % TURNS_PER_LOWER_CLASS != TURNS_PER_LOWER_CLASS - 1)
		return CALL_CLASS_URGENT;
	return q->taken / TURNS_PER_LOWER_CLASS % (lowest + 1);
}

struct queued_call *call_queue_take(
	struct call_queue *q, enum call_class lowest, struct mono now, struct mono *ret_again)
{
	unsigned first = first_class(q, lowest);
	struct mono again = MONO_NEVER;

	for (unsigned i = 0; i <= (unsigned)lowest; i++) {
		struct round *r = &q->rounds[(first + i) % (lowest + 1)];
		struct queued_call *c = ask_round(q, r, now, &again);

		if (c != NULL) {
			q->taken++;
			call_queue_remove(q, c);
			return c;
		}
	}
	*ret_again = again;
	return NULL;
}

struct queued_call *call_queue_give_up(struct call_queue *q, struct mono now, struct dur *ret_wait)
{
	struct heap_node *node = heap_first(&q->expiries);
	struct queued_call *c;
	struct mono ready;

	if (node == NULL || node->due > now.ms)
		return NULL;
	c = container_of(node, struct queued_call, expiry);
	ready = governor_forecast(c->line->governor, &c->line->quota, now);
	*ret_wait =
		ready.ms == MONO_NEVER.ms ? DUR_MS(0) : dur_max(mono_since(ready, now), DUR_MS(0));
	call_queue_remove(q, c);
	return c;
}

void call_queue_answered(struct call_queue *q, const struct quota_call *quota)
{
	struct map_entry *entry;

	map_for_each (&q->lines, entry) {
		struct call_line *l = entry->value;

		if (l->not_before.ms == MONO_NEVER.ms ||
			str_equal(l->quota.subscription, quota->subscription))
			l->not_before = (struct mono){INT64_MIN};
	}
}

struct mono call_queue_expiry(const struct call_queue *q)
{
	const struct heap_node *first = heap_first(&q->expiries);

	return first != NULL ? (struct mono){first->due} : MONO_NEVER;
}

size_t call_queue_count(const struct call_queue *q)
{
	return q->expiries.count;
}
