/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log.h"

#include "daemon/log_entry.h"
#include "daemon/log_sequence.h"
#include "lib/base/xalloc.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Some thousand entries. */
#define WAITING_MAX ((size_t)8 << 20)
#define FLUSH_MS 1500
/* After FLUSH_MS the thread ends as soon as the sink returns, which takes a quarter of a second. */
#define GIVE_UP_MS 500
/* Without a thread the caller itself waits; the sink pauses before each -EAGAIN. */
#define INLINE_TRIES 8

struct log {
	struct log_sink *sink;
	int level;
	pthread_mutex_t lock; /* over all that follows and is not atomic */
	struct list waiting;
	size_t waiting_bytes;
	uint64_t dropped_told;
	struct log_sequence sequence;
	bool sink_works; /* the last write succeeded */
	_Atomic uint64_t written_seq;
	_Atomic uint64_t dropped;
	_Atomic uint64_t heartbeat;

	bool threaded;
	pthread_t thread;
	pthread_cond_t work;
	bool poked;
	bool ending;  /* write what is left */
	bool abandon; /* leave what is left */
	int ended_fd; /* an eventfd: the thread has ended */
};

/* --- what waits; all under the lock --- */

static bool has_room(const struct log *l, size_t size)
{
	return size <= WAITING_MAX && l->waiting_bytes <= WAITING_MAX - size;
}

static void enqueue(struct log *l, struct log_entry *take_entry)
{
	list_append(&l->waiting, &take_entry->node);
	l->waiting_bytes += log_entry_size(take_entry);
}

static void dequeue(struct log *l, struct log_entry *e)
{
	list_remove(&e->node);
	l->waiting_bytes -= log_entry_size(e);
}

static void note_written(struct log *l, const struct log_entry *e, int error)
{
	l->sink_works = error == 0;
	if (e->seq == 0)
		return;
	if (error == 0)
		log_sequence_written(&l->sequence, e->seq, e->counts, e->round);
	else
		log_sequence_refused(&l->sequence, e->seq);
	atomic_store(&l->written_seq, l->sequence.written);
}

static void entry_sayf(struct log_entry *e, const char *format, ...) MDC_PRINTF(2, 3);
static void entry_sayf(struct log_entry *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_entry_say(e, format, args);
	va_end(args);
}

/* Once the worst is over: one entry for all that were dropped. */
static void tell_dropped(struct log *l)
{
	uint64_t dropped = atomic_load(&l->dropped);
	unsigned long long new = dropped - l->dropped_told;
	struct log_entry *e;

	if (new == 0 || l->waiting_bytes > WAITING_MAX / 2)
		return;
	e = log_entry_new(l, LOG_TROUBLE_MESSAGE);
	log_addf(e, "MDCD_DROPPED", "%llu", new);
	entry_sayf(e,
		"%llu log entries were dropped because they could not be written fast enough; "
		"transitions among them are sent again",
		new);
	l->dropped_told = dropped;
	enqueue(l, e);
}

/* The first entry stays in its place while it is written: only this thread takes from the list. */
static void write_first(struct log *l)
{
	struct log_entry *e = list_entry(l->waiting.next, struct log_entry, node);
	int error;

	pthread_mutex_unlock(&l->lock);
	error = log_entry_write(e, l->sink);
	pthread_mutex_lock(&l->lock);
	if (error == -EAGAIN)
		return;
	note_written(l, e, error);
	dequeue(l, e);
	log_entry_free(e);
	tell_dropped(l);
}

/* --- the thread --- */

static void *log_thread(void *ctx)
{
	struct log *l = ctx;
	uint64_t one = 1;

	pthread_setname_np(pthread_self(), "mdcd-log");
	pthread_mutex_lock(&l->lock);
	while (!l->abandon) {
		atomic_fetch_add(&l->heartbeat, 1);
		l->poked = false;
		if (!list_is_empty(&l->waiting))
			write_first(l);
		else if (l->ending)
			break;
		else
			while (list_is_empty(&l->waiting) && !l->poked && !l->ending)
				pthread_cond_wait(&l->work, &l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	if (write(l->ended_fd, &one, sizeof(one)) != sizeof(one))
		perror("eventfd");
	return NULL;
}

static void start_thread(struct log *l)
{
	sigset_t all, old;
	int error;

	l->ended_fd = eventfd(0, EFD_CLOEXEC);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&l->thread, NULL, log_thread, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (l->ended_fd < 0 || error != 0) {
		fprintf(stderr, "cannot start the log's thread: %s\n", strerror(error));
		abort();
	}
}

static bool thread_ends_within(struct log *l, int ms)
{
	struct pollfd ended = {.fd = l->ended_fd, .events = POLLIN};

	return poll(&ended, 1, ms) == 1;
}

/* False: the thread hangs in its sink, and everything it may touch has to stay. */
static bool end_thread(struct log *l)
{
	bool ended;

	pthread_mutex_lock(&l->lock);
	l->ending = true;
	pthread_cond_signal(&l->work);
	pthread_mutex_unlock(&l->lock);
	ended = thread_ends_within(l, FLUSH_MS);
	if (!ended) {
		pthread_mutex_lock(&l->lock);
		l->abandon = true;
		pthread_mutex_unlock(&l->lock);
		ended = thread_ends_within(l, GIVE_UP_MS);
	}
	if (ended)
		pthread_join(l->thread, NULL);
	else
		pthread_detach(l->thread);
	return ended;
}

/* --- for everybody --- */

struct log *log_new(struct log_sink *take_sink, bool threaded)
{
	struct log *l = xcalloc(1, sizeof(*l));

	l->sink = take_sink;
	l->level = LOG_INFO;
	l->sink_works = true;
	l->threaded = threaded;
	l->ended_fd = -1;
	list_init(&l->waiting);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->work, NULL);
	if (threaded)
		start_thread(l);
	return l;
}

struct log *log_free(struct log *l)
{
	if (l == NULL)
		return NULL;
	if (l->threaded && !end_thread(l))
		return NULL;
	list_for_each (&l->waiting, node)
		log_entry_free(list_entry(node, struct log_entry, node));
	if (l->ended_fd >= 0)
		close(l->ended_fd);
	l->sink->free(l->sink);
	pthread_cond_destroy(&l->work);
	pthread_mutex_destroy(&l->lock);
	free(l);
	return NULL;
}

void log_set_level(struct log *l, int priority)
{
	pthread_mutex_lock(&l->lock);
	l->level = priority;
	pthread_mutex_unlock(&l->lock);
}

struct log_entry *log_begin(struct log *l, enum log_message m)
{
	return log_entry_new(l, m);
}

static void write_inline(struct log *l)
{
	for (unsigned i = 0; i < INLINE_TRIES && !list_is_empty(&l->waiting); i++) {
		struct list *first = l->waiting.next;

		write_first(l);
		if (l->waiting.next != first)
			i = 0;
	}
}

/* Under the lock. Takes the entry. */
static void submit(struct log *l, struct log_entry *e, uint64_t seq)
{
	if (seq != 0) {
		e->seq = seq;
		e->counts = log_sequence_commit(&l->sequence, seq);
		e->round = l->sequence.round;
	}
	if (!has_room(l, log_entry_size(e))) {
		atomic_fetch_add(&l->dropped, 1);
		if (seq != 0)
			log_sequence_dropped(&l->sequence, seq);
		log_entry_free(e);
		return;
	}
	if (seq != 0)
		log_sequence_queued(&l->sequence, seq, e->counts);
	enqueue(l, e);
	if (l->threaded)
		pthread_cond_signal(&l->work);
	else
		write_inline(l);
}

static void commit(struct log_entry *e, uint64_t seq, const char *format, va_list args)
	MDC_PRINTF(3, 0);
static void commit(struct log_entry *e, uint64_t seq, const char *format, va_list args)
{
	struct log *l = e->log;

	log_entry_say(e, format, args);
	pthread_mutex_lock(&l->lock);
	if (e->priority > l->level && seq == 0)
		log_entry_free(e);
	else
		submit(l, e, seq);
	pthread_mutex_unlock(&l->lock);
}

void log_commit(struct log_entry *take_entry, uint64_t seq, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	commit(take_entry, seq, format, args);
	va_end(args);
}

void log_say(struct log *l, enum log_message m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	commit(log_entry_new(l, m), 0, format, args);
	va_end(args);
}

uint64_t log_written_seq(const struct log *l)
{
	return atomic_load(&l->written_seq);
}

bool log_resend_wanted(struct log *l, uint64_t *ret_after)
{
	bool wanted;

	pthread_mutex_lock(&l->lock);
	wanted = l->sink_works && l->waiting_bytes <= WAITING_MAX / 2 &&
		log_sequence_resend(&l->sequence, ret_after);
	pthread_mutex_unlock(&l->lock);
	return wanted;
}

void log_missed(struct log *l, uint64_t seq)
{
	pthread_mutex_lock(&l->lock);
	log_sequence_missed(&l->sequence, seq);
	pthread_mutex_unlock(&l->lock);
}

uint64_t log_dropped(const struct log *l)
{
	return atomic_load(&l->dropped);
}

uint64_t log_heartbeat(struct log *l)
{
	if (!l->threaded)
		return atomic_fetch_add(&l->heartbeat, 1);
	pthread_mutex_lock(&l->lock);
	l->poked = true;
	pthread_cond_signal(&l->work);
	pthread_mutex_unlock(&l->lock);
	return atomic_load(&l->heartbeat);
}
