/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_fixture: what the store's tests share: a loop in virtual time that takes posts from a real
 * thread, a directory that goes away, and a store opened in it.
 */
#ifndef TEST_STORE_FIXTURE_H
#define TEST_STORE_FIXTURE_H

#include "daemon/store.h"
#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <dirent.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* --- a loop --- */

struct loop_timer {
	struct list link;
	struct tiny_loop *loop;
	loop_fn fn;
	void *ctx;
	int64_t due;
	bool armed;
};

struct tiny_post {
	struct list link;
	loop_fn fn;
	void *ctx;
};

struct tiny_loop {
	struct loop base;
	int64_t now;
	struct list timers;
	pthread_mutex_t lock;
	pthread_cond_t posted;
	struct list posts;
};

#define TINY_EPOCH_MS INT64_C(1795000000000)

static inline struct tiny_loop *tiny(struct loop *l)
{
	return container_of(l, struct tiny_loop, base);
}

static inline struct mono tiny_mono(struct loop *l)
{
	return (struct mono){tiny(l)->now};
}

static inline struct wall tiny_wall(struct loop *l)
{
	return (struct wall){TINY_EPOCH_MS + tiny(l)->now};
}

static inline struct loop_timer *tiny_timer_new(struct loop *l, loop_fn fn, void *ctx)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = tiny(l);
	t->fn = fn;
	t->ctx = ctx;
	list_append(&t->loop->timers, &t->link);
	return t;
}

static inline void tiny_timer_arm(struct loop_timer *t, struct mono due)
{
	t->due = due.ms;
	t->armed = true;
}

static inline void tiny_timer_disarm(struct loop_timer *t)
{
	t->armed = false;
}

static inline struct loop_timer *tiny_timer_free(struct loop_timer *t)
{
	list_remove(&t->link);
	free(t);
	return NULL;
}

static inline void tiny_post(struct loop *l, loop_fn fn, void *ctx)
{
	struct tiny_post *p = xcalloc(1, sizeof(*p));

	p->fn = fn;
	p->ctx = ctx;
	pthread_mutex_lock(&tiny(l)->lock);
	list_append(&tiny(l)->posts, &p->link);
	pthread_cond_signal(&tiny(l)->posted);
	pthread_mutex_unlock(&tiny(l)->lock);
}

static inline struct tiny_post *tiny_take_post(struct tiny_loop *l)
{
	struct tiny_post *p = NULL;

	pthread_mutex_lock(&l->lock);
	if (!list_is_empty(&l->posts)) {
		p = list_entry(l->posts.next, struct tiny_post, link);
		list_remove(&p->link);
	}
	pthread_mutex_unlock(&l->lock);
	return p;
}

static inline bool tiny_run_post(struct tiny_loop *l)
{
	struct tiny_post *p = tiny_take_post(l);

	if (p == NULL)
		return false;
	p->fn(p->ctx);
	free(p);
	return true;
}

static inline struct loop_timer *tiny_next_timer(struct tiny_loop *l)
{
	struct loop_timer *next = NULL;

	list_for_each (&l->timers, node) {
		struct loop_timer *t = list_entry(node, struct loop_timer, link);

		if (t->armed && (next == NULL || t->due < next->due))
			next = t;
	}
	return next;
}

/* Everything that is due within `ms` from now, in order; then that is the time. */
static inline void tiny_advance(struct tiny_loop *l, int64_t ms)
{
	int64_t until = l->now + ms;
	struct loop_timer *t;

	for (;;) {
		if (tiny_run_post(l))
			continue;
		t = tiny_next_timer(l);
		if (t == NULL || t->due > until)
			break;
		l->now = t->due > l->now ? t->due : l->now;
		t->armed = false;
		t->fn(t->ctx);
	}
	l->now = until;
}

static inline void tiny_turn(struct tiny_loop *l)
{
	tiny_advance(l, 0);
}

/* Turns until `*counter` is at least `want`, waiting for the other thread's posts. */
static inline void tiny_run_until(struct tiny_loop *l, const size_t *counter, size_t want)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 60;
	for (tiny_turn(l); *counter < want; tiny_turn(l)) {
		pthread_mutex_lock(&l->lock);
		while (list_is_empty(&l->posts))
			if (pthread_cond_timedwait(&l->posted, &l->lock, &limit) != 0)
				fail_msg("the store's thread says nothing");
		pthread_mutex_unlock(&l->lock);
	}
}

static const struct loop_ops tiny_ops = {
	.mono = tiny_mono,
	.wall = tiny_wall,
	.timer_new = tiny_timer_new,
	.timer_arm = tiny_timer_arm,
	.timer_disarm = tiny_timer_disarm,
	.timer_free = tiny_timer_free,
	.post = tiny_post,
};

static inline void tiny_init(struct tiny_loop *l)
{
	*l = (struct tiny_loop){.base.ops = &tiny_ops};
	list_init(&l->timers);
	list_init(&l->posts);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->posted, NULL);
}

static inline void tiny_fini(struct tiny_loop *l)
{
	while (tiny_run_post(l))
		;
	assert_true(list_is_empty(&l->timers));
	pthread_cond_destroy(&l->posted);
	pthread_mutex_destroy(&l->lock);
}

/* --- a place for a store --- */

struct place {
	struct tiny_loop loop;
	struct world world;
	char directory[64];
	struct store *store;
	enum store_condition condition;
	struct diags diags;
};

static inline void place_init(struct place *p, const char *vfs, bool threaded)
{
	memset(p, 0, sizeof(*p));
	tiny_init(&p->loop);
	p->world =
		(struct world){.loop = &p->loop.base, .store_vfs = vfs, .store_threaded = threaded};
	/* In memory where there is such a place: a sync then costs nothing. */
	str_copy(p->directory, sizeof(p->directory),
		access("/dev/shm", W_OK) == 0 ? "/dev/shm/mdcd-store-XXXXXX"
					      : "/tmp/mdcd-store-XXXXXX");
	assert_non_null(mkdtemp(p->directory));
}

static inline char *place_path(const struct place *p, const char *name)
{
	return xasprintf("%s/%s", p->directory, name);
}

static inline void place_empty(struct place *p)
{
	DIR *d = opendir(p->directory);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		mdc_autofree char *path = place_path(p, e->d_name);

		if (e->d_name[0] != '.')
			assert_int_equal(unlink(path), 0);
	}
	closedir(d);
}

static inline void place_fini(struct place *p)
{
	p->store = store_close(p->store);
	tiny_fini(&p->loop);
	place_empty(p);
	rmdir(p->directory);
	diags_fini(&p->diags);
}

static inline int place_try_open(struct place *p)
{
	diags_fini(&p->diags);
	return store_open(&p->world, p->directory, &p->diags, &p->condition, &p->store);
}

static inline void place_open(struct place *p)
{
	int r = place_try_open(p);

	if (r < 0)
		fail_msg("store_open: %s (%s)", strerror(-r),
			p->diags.n > 0 ? p->diags.v[0].text : "no diag");
}

static inline void place_reopen(struct place *p)
{
	p->store = store_close(p->store);
	place_open(p);
}

/* Counts the callbacks that said "durable"; any error fails the test. */
static inline void count_durable(void *ctx, int error)
{
	assert_int_equal(error, 0);
	++*(size_t *)ctx;
}

/* Flushes and waits until it is on disk. */
static inline void place_settle(struct place *p)
{
	size_t done = 0;

	store_flush(p->store, count_durable, &done);
	if (p->world.store_threaded)
		tiny_run_until(&p->loop, &done, 1);
	else
		tiny_turn(&p->loop);
	assert_int_equal(done, 1);
}

/* --- records --- */

#define RESOURCE_A \
	"/subscriptions/0A000000-0000-0000-0000-000000000001/resourceGroups/RG/providers/" \
	"Microsoft.HybridCompute/machines/Alpha"
#define RESOURCE_B \
	"/subscriptions/0a000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/" \
	"Microsoft.HybridCompute/machines/beta"

static inline uint64_t put_transition(struct place *p, const char *resource, const char *to)
{
	return store_put_transition(p->store,
		&(struct stored_transition){
			.at = loop_wall(&p->loop.base),
			.control = "mde-extension",
			.resource_id = resource,
			.from = "drifted",
			.to = to,
			.reason = "drift",
			.detail = "it is not there",
			.correlation_id = "c0000000-0000-4000-8000-000000000001",
		});
}

static inline void put_item(
	struct place *p, const char *control, const char *resource, const char *state)
{
	store_put_item(p->store,
		&(struct stored_item){
			.control = control,
			.resource_id = resource,
			.state = state,
			.reason = "drift",
			.detail = "",
			.since = loop_wall(&p->loop.base),
			.due = WALL_NEVER,
			.attempts = 1,
		});
}

static inline struct stored_operation operation(uint64_t id, const char *resource)
{
	return (struct stored_operation){
		.id = id,
		.control = "mde-extension",
		.resource_id = resource,
		.target_id = "/target",
		.verb = "PUT",
		.body_hash = "00ff",
		.correlation_id = "c0000000-0000-4000-8000-000000000002",
		.phase = "intended",
		.started = {TINY_EPOCH_MS},
		.deadline = {TINY_EPOCH_MS + 3600000},
	};
}

static inline struct store_verification verified(struct place *p, const struct store_known *known)
{
	struct store_verification v;

	diags_fini(&p->diags);
	assert_int_equal(store_verify(p->store, known, &p->diags, &v), 0);
	return v;
}

#endif
