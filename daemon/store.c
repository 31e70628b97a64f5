/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_internal.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

struct waiter {
	struct list link;
	uint64_t batch; /* it is durable when this one is */
	int error;      /* given up */
	store_durable_fn durable;
	void *ctx;
};

/* --- giving up, and coming back --- */

static void deliver_soon(struct store *s)
{
	struct loop *loop = s->world->loop;

	loop->ops->timer_arm(s->deliver_timer, loop_mono(loop));
}

static void give_up_waiting(struct store *s)
{
	s->overflow = true;
	list_for_each (&s->waiters, node)
		list_entry(node, struct waiter, link)->error = -ENOBUFS;
	deliver_soon(s);
}

static void come_back(struct store *s)
{
	s->overflow = false;
	if (s->unstored == 0)
		return;
	batch_add(s->present,
		&(struct record){.kind = RECORD_UNSTORED,
			.number = {(int64_t)s->next_seq++, loop_wall(s->world->loop).ms,
				(int64_t)s->unstored}});
	s->unstored = 0;
}

/* False when there is no room, and then a record is not kept. */
static bool has_room(struct store *s)
{
	size_t pending = atomic_load(&s->pending) + s->present->bytes.len;

	MDC_MAGIC_CHECK(s, STORE_MAGIC);
	if (s->overflow && pending < s->pending_max / 2)
		come_back(s);
	else if (!s->overflow && pending >= s->pending_max)
		give_up_waiting(s);
	return !s->overflow;
}

/* --- putting --- */

uint64_t store_put_transition(struct store *s, const struct stored_transition *t)
{
	uint64_t seq;

	if (!has_room(s)) {
		s->unstored++;
		return 0;
	}
	seq = s->next_seq++;
	batch_add(s->present,
		&(struct record){.kind = RECORD_TRANSITION,
			.number = {(int64_t)seq, t->at.ms},
			.text = {t->control, t->resource_id, t->to, t->reason, t->detail, t->from,
				t->correlation_id}});
	return seq;
}

void store_put_item(struct store *s, const struct stored_item *item)
{
	if (has_room(s))
		batch_add(s->present,
			&(struct record){.kind = RECORD_ITEM,
				.number = {item->since.ms, item->due.ms, item->first_drift.ms,
					item->attempts, item->corrections},
				.text = {item->control, item->resource_id, item->state,
					item->reason, item->detail}});
}

void store_delete_item(struct store *s, const char *control, const char *resource_id)
{
	if (has_room(s))
		batch_add(s->present,
			&(struct record){.kind = RECORD_ITEM_GONE, .text = {control, resource_id}});
}

void store_put_operation(struct store *s, const struct stored_operation *op)
{
	if (op->id >= s->next_operation)
		s->next_operation = op->id + 1;
	if (has_room(s))
		batch_add(s->present,
			&(struct record){.kind = RECORD_OPERATION,
				.number = {(int64_t)s->next_seq++, loop_wall(s->world->loop).ms,
					(int64_t)op->id, op->started.ms, op->deadline.ms},
				.text = {op->control, op->resource_id, op->phase, op->verb,
					op->target_id, op->body_hash, op->correlation_id}});
}

void store_end_operation(struct store *s, uint64_t id, struct wall at, const char *outcome,
	const char *code, const char *request_id)
{
	if (has_room(s))
		batch_add(s->present,
			&(struct record){.kind = RECORD_OUTCOME,
				.number = {(int64_t)s->next_seq++, at.ms, (int64_t)id},
				.text = {outcome, code, request_id}});
}

void store_put_value(struct store *s, const char *name, const char *value)
{
	if (has_room(s))
		batch_add(
			s->present, &(struct record){.kind = RECORD_VALUE, .text = {name, value}});
}

uint64_t store_next_operation_id(struct store *s)
{
	MDC_MAGIC_CHECK(s, STORE_MAGIC);
	return s->next_operation++;
}

/* --- handing over --- */

static struct store_extent extent_now(struct store *s, uint64_t *ret_durable)
{
	struct store_extent extent;

	pthread_mutex_lock(&s->shared.lock);
	extent = s->shared.extent;
	*ret_durable = s->shared.durable;
	pthread_mutex_unlock(&s->shared.lock);
	return extent;
}

static void hand_over(struct store *s)
{
	struct batch *b = s->present;

	s->present = batch_new();
	b->number = ++s->last_batch;
	b->at = loop_wall(s->world->loop);
	atomic_fetch_add(&s->pending, b->bytes.room);
	pthread_mutex_lock(&s->shared.lock);
	list_append(&s->shared.queue, &b->link);
	pthread_mutex_unlock(&s->shared.lock);
	store_worker_wake(s);
}

void store_flush(struct store *s, store_durable_fn durable, void *ctx)
{
	struct waiter *w;
	uint64_t done;

	MDC_MAGIC_CHECK(s, STORE_MAGIC);
	if (s->present->records > 0)
		hand_over(s);
	if (durable == NULL)
		return;
	w = xcalloc(1, sizeof(*w));
	w->batch = s->last_batch;
	w->durable = durable;
	w->ctx = ctx;
	w->error = s->overflow ? -ENOBUFS : 0;
	list_append(&s->waiters, &w->link);
	extent_now(s, &done);
	if (w->error != 0 || w->batch <= done)
		deliver_soon(s);
}

/* --- what became of it --- */

/* A callback may put and flush again; what it adds is not for this round. */
static void call_waiters(struct store *s, uint64_t durable)
{
	struct list due;

	list_init(&due);
	list_for_each (&s->waiters, node) {
		struct waiter *w = list_entry(node, struct waiter, link);

		if (w->error == 0 && w->batch > durable)
			break;
		list_remove(&w->link);
		list_append(&due, &w->link);
	}
	while (!list_is_empty(&due)) {
		struct waiter *w = list_entry(due.next, struct waiter, link);

		list_remove(&w->link);
		w->durable(w->ctx, w->error);
		free(w);
	}
}

static void arm_checkpoint(struct store *s, const struct store_extent *extent)
{
	struct loop *loop = s->world->loop;

	if (s->checkpoint_armed || extent->head.seq == extent->checkpoint.seq)
		return;
	s->checkpoint_armed = true;
	loop->ops->timer_arm(
		s->checkpoint_timer, mono_add(loop_mono(loop), STORE_CHECKPOINT_AFTER));
}

static void checkpoint_fired(void *ctx)
{
	struct store *s = ctx;

	MDC_MAGIC_CHECK(s, STORE_MAGIC);
	s->checkpoint_armed = false;
	pthread_mutex_lock(&s->shared.lock);
	s->shared.checkpoint_at = loop_wall(s->world->loop);
	pthread_mutex_unlock(&s->shared.lock);
	store_worker_wake(s);
}

static bool too_old(const struct store *s, const struct store_extent *extent, struct wall cutoff)
{
	return s->limits.age.ms > 0 && wall_is_set(extent->oldest) &&
		wall_before(extent->oldest, cutoff);
}

static bool too_many(const struct store *s, const struct store_extent *extent)
{
	return s->limits.records > 0 && extent->head.seq - extent->base > s->limits.records;
}

static void prune_if_due(struct store *s, const struct store_extent *extent)
{
	struct wall now = loop_wall(s->world->loop);
	struct wall cutoff =
		s->limits.age.ms > 0 ? wall_add(now, DUR_MS(-s->limits.age.ms)) : WALL_UNSET;
	uint64_t by_size = 0;

	if (s->prune_batch != 0 || (!too_old(s, extent, cutoff) && !too_many(s, extent)))
		return;
	if (too_many(s, extent))
		by_size = extent->head.seq - s->limits.records;
	batch_add(s->present,
		&(struct record){.kind = RECORD_PRUNE,
			.number = {(int64_t)s->next_seq++, now.ms, cutoff.ms, (int64_t)by_size}});
	hand_over(s);
	s->prune_batch = s->last_batch;
	s->prune_base = extent->base;
}

/* It goes by pieces. A full one is not the last. */
static void prune_on(struct store *s, const struct store_extent *extent, uint64_t durable)
{
	if (s->prune_batch == 0 || durable < s->prune_batch)
		return;
	s->prune_batch = 0;
	if (extent->base - s->prune_base >= STORE_PRUNE_AT_ONCE)
		prune_if_due(s, extent);
}

void store_deliver(struct store *s)
{
	uint64_t durable;
	struct store_extent extent = extent_now(s, &durable);

	MDC_MAGIC_CHECK(s, STORE_MAGIC);
	if (has_room(s))
		prune_on(s, &extent, durable);
	arm_checkpoint(s, &extent);
	call_waiters(s, durable);
}

static void deliver_fired(void *ctx)
{
	store_deliver(ctx);
}

void store_prune(struct store *s, const struct store_limits *limits)
{
	uint64_t durable;
	struct store_extent extent = extent_now(s, &durable);

	MDC_MAGIC_CHECK(s, STORE_MAGIC);
	s->limits = *limits;
	if (has_room(s))
		prune_if_due(s, &extent);
}

/* --- how it is --- */

bool store_healthy(const struct store *s)
{
	return atomic_load(&s->healthy) && !s->overflow;
}

const char *store_trouble(const struct store *s)
{
	struct store *mine = (struct store *)s;

	if (store_healthy(s))
		return "";
	pthread_mutex_lock(&mine->shared.lock);
	snprintf(mine->trouble, sizeof(mine->trouble), "%s%s",
		s->overflow ? "too much waits to be written, new records are not kept; " : "",
		s->shared.trouble);
	pthread_mutex_unlock(&mine->shared.lock);
	return s->trouble;
}

void store_checkpoint_read(const struct store *s, struct store_checkpoint *ret)
{
	uint64_t durable;
	struct store_extent extent = extent_now((struct store *)s, &durable);

	ret->seq = extent.checkpoint.seq;
	digest_hex(&extent.checkpoint.digest, ret->hash);
}

uint64_t store_heartbeat(struct store *s)
{
	MDC_MAGIC_CHECK(s, STORE_MAGIC);
	if (s->threaded)
		store_worker_wake(s);
	else
		atomic_fetch_add(&s->turns, 1);
	return atomic_load(&s->turns) + store_writer_progress(s->writer);
}

/* --- beginning and end --- */

struct store *store_new(const struct world *w)
{
	struct store *s = xcalloc(1, sizeof(*s));

	s->magic = STORE_MAGIC;
	s->world = w;
	s->directory = STORE_DIRECTORY_INIT;
	s->wake = s->stop = s->gone = -1;
	s->pending_max = STORE_PENDING_MAX;
	s->present = batch_new();
	list_init(&s->waiters);
	list_init(&s->writing);
	list_init(&s->shared.queue);
	pthread_mutex_init(&s->shared.lock, NULL);
	atomic_store(&s->healthy, true);
	return s;
}

int store_start(struct store *s)
{
	struct loop *loop = s->world->loop;
	struct store_extent extent;

	store_writer_extent(s->writer, &extent);
	s->shared.extent = extent;
	s->next_seq = extent.head.seq + 1;
	s->next_operation = extent.last_operation + 1;
	s->deliver_timer = loop_timer_new(loop, deliver_fired, s);
	s->checkpoint_timer = loop_timer_new(loop, checkpoint_fired, s);
	arm_checkpoint(s, &extent);
	return store_worker_start(s);
}

static void free_batches(struct list *batches)
{
	list_for_each (batches, node)
		batch_free(list_entry(node, struct batch, link));
}

struct store *store_free(struct store *s)
{
	struct loop *loop = s->world->loop;

	s->reader = store_reader_close(s->reader);
	s->writer = store_writer_free(s->writer, false);
	if (s->deliver_timer != NULL)
		loop->ops->timer_free(s->deliver_timer);
	if (s->checkpoint_timer != NULL)
		loop->ops->timer_free(s->checkpoint_timer);
	list_for_each (&s->waiters, node)
		free(list_entry(node, struct waiter, link));
	free_batches(&s->shared.queue);
	free_batches(&s->writing);
	batch_free(s->present);
	store_directory_close(&s->directory);
	pthread_mutex_destroy(&s->shared.lock);
	s->magic = 0;
	free(s);
	return NULL;
}

static struct store *end(struct store *s, bool abandon)
{
	struct loop *loop;

	if (s == NULL)
		return NULL;
	MDC_MAGIC_CHECK(s, STORE_MAGIC);
	loop = s->world->loop;
	s->reader = store_reader_close(s->reader);
	if (!abandon) {
		if (s->present->records > 0)
			hand_over(s);
		pthread_mutex_lock(&s->shared.lock);
		s->shared.checkpoint_at = loop_wall(loop);
		pthread_mutex_unlock(&s->shared.lock);
	}
	if (store_worker_stop(s, abandon))
		return store_free(s);
	/* A disk that hangs: the thread keeps what it uses, and the lock, until the process ends.
	 */
	loop->ops->timer_free(s->deliver_timer);
	loop->ops->timer_free(s->checkpoint_timer);
	return NULL;
}

struct store *store_close(struct store *s)
{
	return end(s, false);
}

struct store *store_abandon(struct store *s)
{
	return end(s, true);
}
