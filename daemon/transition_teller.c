/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/transition_teller.h"

#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define TELLER_MAGIC 0x7e11e401u
#define HELD_MAX ((size_t)16 << 20)
/* A disk that has not taken it by then: people are not to wait for it. */
#define PATIENCE DUR_S(1)

struct held {
	struct list link;
	struct transition_teller *teller;
	uint64_t seq;
	struct wall at;
	struct mono since;
	size_t size;
	bool told; /* without its number */
	struct transition what;
	char texts[];
};

/* Everything up to `seq` was put before this flush. */
struct mark {
	struct list link;
	struct transition_teller *teller;
	uint64_t seq;
};

struct transition_teller {
	uint32_t magic;
	const struct world *world;
	struct store *store;
	struct list held; /* in the order of their numbers */
	size_t count, bytes;
	struct list marks;
	uint64_t newest, flushed; /* numbers: put; and handed over */
	struct loop_timer *flush_timer, *patience_timer;
	bool waiting; /* the patience timer is armed */
};

/* --- telling --- */

static int priority_of(enum item_state to, enum reason reason)
{
	if (reason_is_urgent(reason))
		return LOG_WARNING;
	switch (to) {
	case ITEM_BLOCKED:
	case ITEM_BACKOFF:
	case ITEM_MANUAL: return LOG_WARNING;
	case ITEM_UNKNOWN:
	case ITEM_COMPLIANT:
	case ITEM_DRIFTED:
	case ITEM_WAITING:
	case ITEM_QUEUED:
	case ITEM_APPLYING:
	case ITEM_SETTLING:
	case ITEM_EXCLUDED:
	case ITEM_UNSUPPORTED:
	case ITEM_UNREACHABLE:
	case ITEM_STATE_N_: return LOG_NOTICE;
	}
	return LOG_NOTICE;
}

static void add_fields(struct log_entry *e, const struct transition *t)
{
	log_priority(e, priority_of(t->to, t->reason));
	log_add(e, "MDCD_CONTROL", control_word(t->control));
	log_add(e, "MDCD_FROM", item_state_word(t->from));
	log_add(e, "MDCD_TO", item_state_word(t->to));
	log_add(e, "MDCD_REASON", reason_word(t->reason));
	log_add(e, "MDCD_DETAIL", t->detail);
	log_add(e, "MDCD_SUBSCRIPTION_ID", t->subscription_id);
	log_add(e, "MDCD_RESOURCE_ID", t->resource_id);
	log_add(e, "MDCD_MACHINE", t->machine);
	log_add(e, "MDCD_SCOPE", t->scope);
	log_add(e, "MDCD_CORRELATION_ID", t->correlation_id);
}

static void say(
	struct log_entry *take_entry, const struct transition *t, uint64_t seq, const char *remark)
{
	const char *sentence = reason_sentence(t->reason);
	bool detailed = !str_empty(t->detail);

	log_commit(take_entry, seq, "%s: %s %s -> %s%s%s%s%s%s", t->name, control_word(t->control),
		item_state_word(t->from), item_state_word(t->to), *sentence != '\0' ? ": " : "",
		sentence, detailed ? ": " : "", detailed ? t->detail : "", remark);
}

static void tell_unstored(struct transition_teller *t, const struct transition *what)
{
	struct log_entry *e = log_begin(t->world->log, LOG_TRANSITION_MESSAGE);

	log_add(e, "MDCD_UNSTORED", "yes");
	add_fields(e, what);
	say(e, what, 0, " (not stored yet)");
}

static void tell_stored(const struct held *h)
{
	struct log_entry *e = log_begin(h->teller->world->log, LOG_TRANSITION_MESSAGE);
	char at[WALL_TEXT_SIZE], remark[WALL_TEXT_SIZE + 32] = "";

	log_addf(e, "MDCD_SEQ", "%llu", (unsigned long long)h->seq);
	if (h->told) {
		wall_format(h->at, at);
		log_add(e, "MDCD_REPLAYED", "yes");
		log_add(e, "MDCD_AT", at);
		snprintf(remark, sizeof(remark), " (at %s, told again)", at);
	}
	add_fields(e, &h->what);
	say(e, &h->what, h->seq, remark);
}

/* --- holding --- */

static const char **texts_of(struct transition *t, unsigned n)
{
	const char **slots[] = {&t->resource_id, &t->name, &t->subscription_id, &t->machine,
		&t->scope, &t->detail, &t->correlation_id};

	return n < ARRAY_LEN(slots) ? slots[n] : NULL;
}

static struct held *held_new(const struct transition *what)
{
	struct transition copy = *what;
	struct held *h;
	const char **slot;
	size_t size = sizeof(*h);
	char *at;

	for (unsigned n = 0; (slot = texts_of(&copy, n)) != NULL; n++)
		size += *slot != NULL ? strlen(*slot) + 1 : 0;
	h = xcalloc(1, size);
	h->size = size;
	h->what = copy;
	at = h->texts;
	for (unsigned n = 0; (slot = texts_of(&h->what, n)) != NULL; n++) {
		size_t len = *slot != NULL ? strlen(*slot) + 1 : 0;

		if (len == 0)
			continue;
		memcpy(at, *slot, len);
		*slot = at;
		at += len;
	}
	return h;
}

static void let_go(struct held *h)
{
	h->teller->count--;
	h->teller->bytes -= h->size;
	list_remove(&h->link);
	free(h);
}

static void arm_patience(struct transition_teller *t, struct mono since)
{
	struct loop *loop = t->world->loop;

	if (t->waiting)
		return;
	t->waiting = true;
	loop->ops->timer_arm(t->patience_timer, mono_add(since, PATIENCE));
}

static void patience_ended(void *ctx)
{
	struct transition_teller *t = ctx;
	struct mono now = loop_mono(t->world->loop);

	MDC_MAGIC_CHECK(t, TELLER_MAGIC);
	t->waiting = false;
	list_for_each (&t->held, node) {
		struct held *h = list_entry(node, struct held, link);

		if (h->told)
			continue;
		if (mono_since(now, h->since).ms < PATIENCE.ms) {
			arm_patience(t, h->since);
			return;
		}
		h->told = true;
		tell_unstored(t, &h->what);
	}
}

/* Its numbered entry will come from the store. */
static void give_up(struct held *h)
{
	if (!h->told)
		tell_unstored(h->teller, &h->what);
	log_missed(h->teller->world->log, h->seq);
	let_go(h);
}

/* --- the store's word --- */

static void durable(void *ctx, int error)
{
	struct mark *mark = ctx;
	struct transition_teller *t = mark->teller;

	MDC_MAGIC_CHECK(t, TELLER_MAGIC);
	list_for_each (&t->held, node) {
		struct held *h = list_entry(node, struct held, link);

		if (h->seq > mark->seq)
			break;
		if (error != 0) {
			give_up(h);
			continue;
		}
		tell_stored(h);
		let_go(h);
	}
	list_remove(&mark->link);
	free(mark);
}

/* Once for all that one turn of the loop has put. */
static void flush(void *ctx)
{
	struct transition_teller *t = ctx;
	struct mark *mark = xcalloc(1, sizeof(*mark));

	MDC_MAGIC_CHECK(t, TELLER_MAGIC);
	mark->teller = t;
	mark->seq = t->flushed = t->newest;
	list_append(&t->marks, &mark->link);
	store_flush(t->store, durable, mark);
}

/* --- taking --- */

static void hold(struct transition_teller *t, const struct transition *what, uint64_t seq)
{
	struct loop *loop = t->world->loop;
	struct held *h = held_new(what);

	h->teller = t;
	h->seq = seq;
	h->at = loop_wall(loop);
	h->since = loop_mono(loop);
	list_append(&t->held, &h->link);
	t->count++;
	t->bytes += h->size;
	if (!store_healthy(t->store)) {
		h->told = true;
		tell_unstored(t, what);
	}
	if (t->bytes > HELD_MAX)
		give_up(h);
	else if (!h->told)
		arm_patience(t, h->since);
	if (t->newest == t->flushed)
		loop->ops->timer_arm(t->flush_timer, loop_mono(loop));
	t->newest = seq;
}

void transition_teller_take(struct transition_teller *t, const struct transition *what)
{
	uint64_t seq = store_put_transition(t->store,
		&(struct stored_transition){
			.at = loop_wall(t->world->loop),
			.control = control_word(what->control),
			.resource_id = what->resource_id,
			.from = item_state_word(what->from),
			.to = item_state_word(what->to),
			.reason = reason_word(what->reason),
			.detail = what->detail,
			.correlation_id = what->correlation_id,
		});

	MDC_MAGIC_CHECK(t, TELLER_MAGIC);
	if (seq != 0)
		hold(t, what, seq);
	else
		tell_unstored(t, what);
}

size_t transition_teller_held(const struct transition_teller *t)
{
	return t->count;
}

struct transition_teller *transition_teller_new(const struct world *w, struct store *store)
{
	struct transition_teller *t = xcalloc(1, sizeof(*t));

	t->magic = TELLER_MAGIC;
	t->world = w;
	t->store = store;
	list_init(&t->held);
	list_init(&t->marks);
	t->flush_timer = loop_timer_new(w->loop, flush, t);
	t->patience_timer = loop_timer_new(w->loop, patience_ended, t);
	return t;
}

struct transition_teller *transition_teller_free(struct transition_teller *t)
{
	if (t == NULL)
		return NULL;
	MDC_MAGIC_CHECK(t, TELLER_MAGIC);
	list_for_each (&t->held, node)
		let_go(list_entry(node, struct held, link));
	list_for_each (&t->marks, node)
		free(list_entry(node, struct mark, link));
	t->world->loop->ops->timer_free(t->flush_timer);
	t->world->loop->ops->timer_free(t->patience_timer);
	t->magic = 0;
	free(t);
	return NULL;
}
