/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_internal.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAILBOX_MAGIC 0x6d61696cu

/* --- one turn of work --- */

/* The batches that are tried stay the same until they are on disk. */
static void take_group(struct store *s)
{
	size_t records = 0;

	if (!list_is_empty(&s->writing))
		return;
	pthread_mutex_lock(&s->shared.lock);
	while (!list_is_empty(&s->shared.queue) && records < STORE_GROUP_MAX) {
		struct batch *b = list_entry(s->shared.queue.next, struct batch, link);

		records += b->records;
		list_remove(&b->link);
		list_append(&s->writing, &b->link);
	}
	pthread_mutex_unlock(&s->shared.lock);
}

static uint64_t drop_group(struct store *s)
{
	uint64_t last = 0;
	size_t bytes = 0;

	list_for_each (&s->writing, node) {
		struct batch *b = list_entry(node, struct batch, link);

		bytes += b->bytes.room;
		last = b->number;
		s->written_at = b->at;
		batch_free(b);
	}
	atomic_fetch_sub(&s->pending, bytes);
	return last;
}

static enum store_work in_trouble(struct store *s)
{
	pthread_mutex_lock(&s->shared.lock);
	str_copy(s->shared.trouble, sizeof(s->shared.trouble), store_writer_trouble(s->writer));
	pthread_mutex_unlock(&s->shared.lock);
	atomic_store(&s->healthy, false);
	return STORE_TROUBLE;
}

static void publish(struct store *s, uint64_t durable)
{
	pthread_mutex_lock(&s->shared.lock);
	if (durable != 0)
		s->shared.durable = durable;
	store_writer_extent(s->writer, &s->shared.extent);
	pthread_mutex_unlock(&s->shared.lock);
}

/* The time that it shall have, or unset when none is due. */
static struct wall checkpoint_due(struct store *s)
{
	struct wall at;

	pthread_mutex_lock(&s->shared.lock);
	at = s->shared.checkpoint_at;
	pthread_mutex_unlock(&s->shared.lock);
	if (!wall_is_set(at) && store_writer_owes_checkpoint(s->writer))
		at = s->written_at;
	return at;
}

/* 1 when one was saved, 0 when none is due. */
static int save_checkpoint(struct store *s)
{
	struct wall at = checkpoint_due(s);
	int r;

	if (!wall_is_set(at))
		return 0;
	r = store_writer_checkpoint(s->writer, at);
	if (r < 0)
		return r;
	pthread_mutex_lock(&s->shared.lock);
	s->shared.checkpoint_at = WALL_UNSET;
	pthread_mutex_unlock(&s->shared.lock);
	publish(s, 0);
	return 1;
}

static void tell_loop(struct store *s);

enum store_work store_work(struct store *s)
{
	bool commits;
	int r;

	atomic_fetch_add(&s->turns, 1);
	take_group(s);
	commits = !list_is_empty(&s->writing);
	if (commits) {
		if (store_writer_commit(s->writer, &s->writing) < 0)
			return in_trouble(s);
		publish(s, drop_group(s));
		tell_loop(s);
	}
	r = save_checkpoint(s);
	if (r < 0)
		return in_trouble(s);
	if (r > 0)
		tell_loop(s);
	atomic_store(&s->healthy, true);
	return commits ? STORE_WORKED : STORE_IDLE;
}

/* --- with a thread --- */

static void signal_event(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	/* Only a counter that is full refuses, and then it is signalled already. */
	(void)n;
}

static void drain_event(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));

	(void)n;
}

/* True when `fd` (or, where given, `other`) was signalled in time; forever for -1. */
static bool wait_event(int fd, int other, int timeout_ms)
{
	struct pollfd wait[2] = {{.fd = fd, .events = POLLIN}, {.fd = other, .events = POLLIN}};
	int n;

	do
		n = poll(wait, 2, timeout_ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static void posted(void *ctx)
{
	struct store_mailbox *mailbox = ctx;

	MDC_MAGIC_CHECK(mailbox, MAILBOX_MAGIC);
	atomic_store(&mailbox->posted, false);
	if (mailbox->store != NULL)
		store_deliver(mailbox->store);
	else
		free(mailbox);
}

static bool shall_stop(struct store *s, bool *ret_abandon)
{
	bool stop;

	pthread_mutex_lock(&s->shared.lock);
	stop = s->shared.stop;
	*ret_abandon = s->shared.abandon;
	pthread_mutex_unlock(&s->shared.lock);
	return stop;
}

/*
 * One post at a time; whatever is published before it runs is seen by it. Once the store is being
 * closed the mailbox is not touched any more.
 */
static void tell_loop(struct store *s)
{
	struct loop *loop = s->world->loop;
	bool abandon;

	if (s->threaded && !shall_stop(s, &abandon) && !atomic_exchange(&s->mailbox->posted, true))
		loop->ops->post(loop, posted, s->mailbox);
}

static void *thread_main(void *ctx)
{
	struct store *s = ctx;
	enum store_work work = STORE_IDLE;
	bool stop, abandon;

	for (;;) {
		/* Asked before working: what was handed over before the stop is still done. */
		stop = shall_stop(s, &abandon);
		if (stop && abandon)
			break;
		drain_event(s->wake);
		work = store_work(s);
		if (stop && work != STORE_WORKED)
			break;
		switch (work) {
		case STORE_IDLE: wait_event(s->wake, s->stop, -1); break;
		case STORE_WORKED: wait_event(s->stop, -1, STORE_GROUP_PAUSE_MS); break;
		case STORE_TROUBLE: wait_event(s->stop, -1, STORE_RETRY_MS); break;
		}
	}
	s->writer = store_writer_free(s->writer, stop && !abandon && work != STORE_TROUBLE);
	signal_event(s->gone);
	return NULL;
}

/* Signals are the loop's. */
static int start_thread(struct store *s)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&s->thread, NULL, thread_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		pthread_setname_np(s->thread, "store");
	/* -EAGAIN would say that another process has the directory. */
	return r == EAGAIN ? -ENOMEM : -r;
}

static void close_events(struct store *s)
{
	int *fds[] = {&s->wake, &s->stop, &s->gone};

	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int open_events(struct store *s)
{
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->gone = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s->wake < 0 || s->stop < 0 || s->gone < 0 ? -errno : 0;
}

static bool stop_thread(struct store *s)
{
	signal_event(s->stop);
	if (!wait_event(s->gone, -1, STORE_CLOSE_PATIENCE_MS)) {
		pthread_detach(s->thread);
		return false;
	}
	pthread_join(s->thread, NULL);
	close_events(s);
	return true;
}

/* --- inside the loop --- */

static void arm_work(struct store *s, struct dur after)
{
	struct loop *loop = s->world->loop;

	s->work_armed = true;
	loop->ops->timer_arm(s->work_timer, mono_add(loop_mono(loop), after));
}

static void work_fired(void *ctx)
{
	struct store *s = ctx;
	enum store_work work;

	s->work_armed = false;
	do
		work = store_work(s);
	while (work == STORE_WORKED);
	if (work == STORE_TROUBLE)
		arm_work(s, DUR_MS(STORE_RETRY_MS));
	store_deliver(s);
}

static void finish_inside(struct store *s, bool abandon)
{
	enum store_work work = STORE_TROUBLE;

	while (!abandon && (work = store_work(s)) == STORE_WORKED)
		;
	s->writer = store_writer_free(s->writer, work == STORE_IDLE);
}

/* --- either --- */

static void close_mailbox(struct store *s)
{
	if (s->mailbox == NULL)
		return;
	s->mailbox->store = NULL;
	/* A post that is still to come frees it. */
	if (!atomic_load(&s->mailbox->posted))
		free(s->mailbox);
	s->mailbox = NULL;
}

int store_worker_start(struct store *s)
{
	int r;

	s->mailbox = xcalloc(1, sizeof(*s->mailbox));
	s->mailbox->magic = MAILBOX_MAGIC;
	s->mailbox->store = s;
	if (!s->world->store_threaded) {
		s->work_timer = loop_timer_new(s->world->loop, work_fired, s);
		return 0;
	}
	r = open_events(s);
	s->threaded = r == 0;
	if (r == 0)
		r = start_thread(s);
	if (r < 0) {
		s->threaded = false;
		close_events(s);
		close_mailbox(s);
	}
	return r;
}

void store_worker_wake(struct store *s)
{
	if (s->threaded)
		signal_event(s->wake);
	else if (!s->work_armed)
		arm_work(s, DUR_MS(0));
}

bool store_worker_stop(struct store *s, bool abandon)
{
	pthread_mutex_lock(&s->shared.lock);
	s->shared.stop = true;
	s->shared.abandon = abandon;
	pthread_mutex_unlock(&s->shared.lock);
	if (s->threaded) {
		if (!stop_thread(s)) {
			s->mailbox->store = NULL;
			return false;
		}
	} else {
		if (s->work_timer != NULL)
			s->work_timer = s->world->loop->ops->timer_free(s->work_timer);
		finish_inside(s, abandon);
	}
	close_mailbox(s);
	return true;
}
