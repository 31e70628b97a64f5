/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log.h"
#include "daemon/log_sequence.h"
#include "lib/base/buf.h"
#include "lib/base/rng.h"
#include "lib/base/xalloc.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A sink that remembers what it was given: "PRIORITY ID-TAIL message|NAME=value|…\n" an entry. */
struct recorder {
	struct log_sink sink;
	pthread_mutex_t lock;
	struct buf text;
	unsigned writes; /* calls, refused ones included */
	int answer;      /* what the next calls answer */
	unsigned answers;
	bool gated;           /* each call waits for `gate` */
	sem_t gate;           /* posted by the test */
	sem_t called;         /* posted by each call before it waits */
	sem_t taken;          /* posted by each call at its end */
	unsigned *ret_writes; /* set when the sink is freed */
};

static int recorder_write(struct log_sink *sink, int priority, const char *message_id,
	const char *message, const struct log_field *fields, size_t count)
{
	struct recorder *r = container_of(sink, struct recorder, sink);
	int answer = 0;
	bool gated;

	pthread_mutex_lock(&r->lock);
	gated = r->gated;
	pthread_mutex_unlock(&r->lock);
	sem_post(&r->called);
	if (gated)
		sem_wait(&r->gate);
	pthread_mutex_lock(&r->lock);
	r->writes++;
	if (r->answers > 0) {
		r->answers--;
		answer = r->answer;
	}
	if (answer == 0) {
		buf_addf(&r->text, "%d %s %s", priority, message_id + 29, message);
		for (size_t i = 0; i < count; i++)
			buf_addf(&r->text, "|%s=%s", fields[i].name, fields[i].value);
		buf_addc(&r->text, '\n');
	}
	pthread_mutex_unlock(&r->lock);
	sem_post(&r->taken);
	return answer;
}

static struct log_sink *recorder_free(struct log_sink *sink)
{
	struct recorder *r = container_of(sink, struct recorder, sink);

	if (r->ret_writes != NULL)
		*r->ret_writes = r->writes;
	buf_fini(&r->text);
	pthread_mutex_destroy(&r->lock);
	sem_destroy(&r->gate);
	sem_destroy(&r->called);
	sem_destroy(&r->taken);
	free(r);
	return NULL;
}

static struct recorder *recorder_new(void)
{
	struct recorder *r = xcalloc(1, sizeof(*r));

	r->sink = (struct log_sink){.write = recorder_write, .free = recorder_free};
	pthread_mutex_init(&r->lock, NULL);
	sem_init(&r->gate, 0, 0);
	sem_init(&r->called, 0, 0);
	sem_init(&r->taken, 0, 0);
	r->text = BUF_INIT(64 << 20);
	return r;
}

static void answer_next(struct recorder *r, unsigned times, int answer)
{
	pthread_mutex_lock(&r->lock);
	r->answer = answer;
	r->answers = times;
	pthread_mutex_unlock(&r->lock);
}

static void close_gate(struct recorder *r)
{
	pthread_mutex_lock(&r->lock);
	r->gated = true;
	pthread_mutex_unlock(&r->lock);
}

static void open_gate(struct recorder *r)
{
	pthread_mutex_lock(&r->lock);
	r->gated = false;
	pthread_mutex_unlock(&r->lock);
	sem_post(&r->gate);
}

/* Until the sink has taken that text. */
static void wait_for(struct recorder *r, const char *message)
{
	for (;;) {
		bool found;

		pthread_mutex_lock(&r->lock);
		found = strstr(buf_str(&r->text), message) != NULL;
		pthread_mutex_unlock(&r->lock);
		if (found)
			return;
		sem_wait(&r->taken);
	}
}

/* What was recorded so far, as a copy. */
static char *recorded(struct recorder *r)
{
	char *text;

	pthread_mutex_lock(&r->lock);
	text = xstrdup(buf_str(&r->text));
	pthread_mutex_unlock(&r->lock);
	return text;
}

static void assert_recorded(struct recorder *r, const char *wanted)
{
	mdc_autofree char *text = recorded(r);

	assert_string_equal(text, wanted);
}

static void transition(struct log *l, uint64_t seq)
{
	log_commit(log_begin(l, LOG_TRANSITION_MESSAGE), seq, "t%llu", (unsigned long long)seq);
}

/* --- entries --- */

static void message_ids_are_well_formed_and_unique(void **state)
{
	(void)state;
	for (int a = 0; a < LOG_MESSAGE_N_; a++) {
		const char *id = log_message_id((enum log_message)a);

		assert_int_equal(strlen(id), 32);
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		for (int b = 0; b < a; b++)
			assert_string_not_equal(id, log_message_id((enum log_message)b));
	}
}

static void an_entry_has_its_kind_fields_and_message(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, false);
	struct log_entry *e = log_begin(l, LOG_WRITE_FAILED_MESSAGE);

	(void)state;
	log_add(e, "MDCD_CONTROL", "servers-plan");
	log_add(e, "MDCD_DETAIL", NULL);
	log_add(e, "MDCD_RING", "");
	log_addf(e, "MDCD_HTTP_STATUS", "%d", 409);
	log_commit(e, 0, "%s failed", "it");
	assert_recorded(r, "4 306 it failed|MDCD_CONTROL=servers-plan|MDCD_HTTP_STATUS=409\n");
	log_free(l);
}

static void text_from_outside_is_escaped_wherever_it_stands(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, false);
	struct log_entry *e = log_begin(l, LOG_PASS_MESSAGE);

	(void)state;
	log_add(e, "MDCD_MACHINE", "a\nPRIORITY=0\x1b[31mü\xff");
	log_addf(e, "MDCD_DETAIL", "%s", "tab\there");
	log_commit(e, 0, "%s", "two\nlines");
	assert_recorded(r,
		"6 309 two\\x0alines|MDCD_MACHINE=a\\x0aPRIORITY=0\\x1b[31mü\\xff"
		"|MDCD_DETAIL=tab\\x09here\n");
	log_free(l);
}

static void a_long_value_is_cut_and_says_so(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, false);
	struct log_entry *e = log_begin(l, LOG_PASS_MESSAGE);
	char longer[5000], whole[2049], wanted[2 * 2100 + 64];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memset(whole, 'x', sizeof(whole) - 1);
	whole[sizeof(whole) - 1] = '\0';
	log_add(e, "MDCD_DETAIL", longer);
	log_commit(e, 0, "%s", longer);
	snprintf(wanted, sizeof(wanted), "6 309 %s…|MDCD_DETAIL=%s…\n", whole, whole);
	assert_recorded(r, wanted);
	log_free(l);
}

static void the_worst_text_in_every_field_fits(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, false);
	struct log_entry *e = log_begin(l, LOG_PASS_MESSAGE);
	char worst[3000];

	(void)state;
	memset(worst, 0x01, sizeof(worst) - 1);
	worst[sizeof(worst) - 1] = '\0';
	for (int i = 0; i < 32; i++)
		log_add(e, "MDCD_DETAIL", worst);
	log_commit(e, 0, "%s", worst);
	assert_int_equal(r->text.len,
		strlen("6 309 \n") + 33 * (2048 * 4 + strlen("…")) + 32 * strlen("|MDCD_DETAIL="));
	log_free(l);
}

static void priorities_are_by_kind_unless_overridden_and_filtered_by_level(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, false);
	struct log_entry *e = log_begin(l, LOG_TRANSITION_MESSAGE);

	(void)state;
	log_say(l, LOG_HALTED_MESSAGE, "halted");
	log_priority(e, LOG_DEBUG);
	log_commit(e, 0, "too fine");
	log_set_level(l, LOG_WARNING);
	log_say(l, LOG_PASS_MESSAGE, "not wanted");
	log_say(l, LOG_TROUBLE_MESSAGE, "trouble");
	transition(l, 1);
	assert_recorded(r, "2 313 halted\n4 324 trouble\n5 303 t1\n");
	assert_int_equal(log_written_seq(l), 1);
	log_free(l);
}

/* --- the thread --- */

static void a_blocked_sink_does_not_hold_the_caller(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, true);
	struct buf wanted = BUF_INIT(1 << 20);

	(void)state;
	close_gate(r);
	for (unsigned i = 1; i <= 500; i++) {
		transition(l, i);
		buf_addf(&wanted, "5 303 t%u\n", i);
	}
	assert_int_equal(log_written_seq(l), 0);
	open_gate(r);
	wait_for(r, "t500\n");
	assert_recorded(r, buf_str(&wanted));
	log_free(l);
	buf_fini(&wanted);
}

static void freeing_writes_what_is_left(void **state)
{
	unsigned writes = 0;
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, true);

	(void)state;
	r->ret_writes = &writes;
	for (unsigned i = 0; i < 1000; i++)
		log_say(l, LOG_PASS_MESSAGE, "%u", i);
	assert_null(log_free(l));
	assert_int_equal(writes, 1000);
	assert_null(log_free(NULL));
}

static void the_heartbeat_grows_when_asked(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, true);
	uint64_t first = log_heartbeat(l);

	(void)state;
	while (log_heartbeat(l) == first)
		sched_yield();
	log_free(l);
}

static void a_sink_that_says_not_now_is_asked_again_with_the_same_entry(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, true);

	(void)state;
	answer_next(r, 3, -EAGAIN);
	transition(l, 1);
	transition(l, 2);
	wait_for(r, "t2\n");
	assert_recorded(r, "5 303 t1\n5 303 t2\n");
	log_free(l);
}

static void without_a_thread_the_caller_asks_again(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, false);

	(void)state;
	answer_next(r, 3, -EAGAIN);
	transition(l, 1);
	assert_recorded(r, "5 303 t1\n");
	log_free(l);
}

/* --- what is dropped --- */

/* Fills what may wait while the sink is blocked; returns the first number that was dropped. */
static uint64_t overflow(struct recorder *r, struct log *l, uint64_t seq)
{
	close_gate(r);
	transition(l, seq++);
	sem_wait(&r->called);
	while (log_dropped(l) == 0)
		transition(l, seq++);
	return seq - 1;
}

static void what_does_not_fit_is_dropped_counted_and_told(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, true);

	(void)state;
	overflow(r, l, 1);
	log_say(l, LOG_PASS_MESSAGE, "dropped too");
	assert_int_equal(log_dropped(l), 2);
	open_gate(r);
	wait_for(r, "4 324 2 log entries were dropped");
	wait_for(r, "|MDCD_DROPPED=2\n");
	log_say(l, LOG_PASS_MESSAGE, "later");
	wait_for(r, "later\n");
	assert_int_equal(log_dropped(l), 2);
	log_free(l);
}

static void written_stops_before_what_was_dropped_until_it_was_sent_again(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, true);
	uint64_t first = overflow(r, l, 1), after = 0;

	(void)state;
	transition(l, first + 1);
	open_gate(r);
	wait_for(r, "log entries were dropped");
	transition(l, first + 2);
	log_say(l, LOG_PASS_MESSAGE, "mark");
	wait_for(r, "mark\n");
	assert_int_equal(log_written_seq(l), first - 1);

	while (!log_resend_wanted(l, &after))
		sched_yield();
	assert_int_equal(after, first - 1);
	for (uint64_t seq = after + 1; seq <= first + 2; seq++)
		transition(l, seq);
	assert_false(log_resend_wanted(l, &after));
	transition(l, first + 3);
	log_say(l, LOG_PASS_MESSAGE, "end");
	wait_for(r, "end\n");
	assert_int_equal(log_written_seq(l), first + 3);
	log_free(l);
}

static void what_the_sink_refuses_is_sent_again_when_it_works(void **state)
{
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, false);
	uint64_t after = 0;

	(void)state;
	transition(l, 5);
	answer_next(r, 2, -ECONNREFUSED);
	transition(l, 7);
	assert_false(log_resend_wanted(l, &after));
	log_say(l, LOG_PASS_MESSAGE, "refused too");
	assert_int_equal(log_written_seq(l), 5);
	assert_int_equal(log_dropped(l), 0);
	log_say(l, LOG_PASS_MESSAGE, "works");
	assert_true(log_resend_wanted(l, &after));
	assert_int_equal(after, 5);
	transition(l, 7);
	assert_int_equal(log_written_seq(l), 7);
	assert_recorded(r, "5 303 t5\n6 309 works\n5 303 t7\n");
	log_free(l);
}

/*
 * Against a model: after any series of commits, drops and refusals, nothing up to `written` was
 * lost, and sending again until nothing is missing brings it to the newest.
 */
static void no_series_of_losses_leaves_a_hole_behind_the_mark(void **state)
{
	enum { N = 40 };
	const uint64_t seed = 12345;
	struct rng rng;

	(void)state;
	rng_seed(&rng, seed);
	print_message("# seed %llu\n", (unsigned long long)seed);
	for (int run = 0; run < 4000; run++) {
		struct log_sequence s = {0};
		bool arrived[N + 1] = {false};
		uint64_t next = 1, after;

		for (int step = 0; step < 60; step++) {
			bool again = log_sequence_resend(&s, &after);
			uint64_t from = again ? after + 1 : next;
			uint64_t last = again ? s.newest : next;

			for (uint64_t seq = from; seq <= last && seq <= N; seq++) {
				bool counts = log_sequence_commit(&s, seq);
				unsigned round = s.round;
				/* Nothing goes wrong in the last steps. */
				uint64_t dice = step < 50 ? rng_below(&rng, 256) : 255;

				if (dice < 20) {
					log_sequence_dropped(&s, seq);
					continue;
				}
				log_sequence_queued(&s, seq, counts);
				if (dice < 40) {
					log_sequence_refused(&s, seq);
					continue;
				}
				arrived[seq] = true;
				log_sequence_written(&s, seq, counts, round);
			}
			if (!again && next < N)
				next++;
			for (uint64_t seq = 1; seq <= s.written; seq++)
				assert_true(arrived[seq]);
		}
		assert_int_equal(s.written, s.newest);
		assert_false(s.behind);
	}
}

/*
 * Whoever commits once a store has them may have let some go meanwhile: those come from the store,
 * as far as it has got.
 */
static void what_was_missed_leaves_no_hole_either(void **state)
{
	enum { N = 60 };
	const uint64_t seed = 54321;
	struct rng rng;

	(void)state;
	rng_seed(&rng, seed);
	print_message("# seed %llu\n", (unsigned long long)seed);
	for (int run = 0; run < 4000; run++) {
		struct log_sequence s = {0};
		bool arrived[N + 1] = {false}, missed[N + 1] = {false};
		uint64_t put = 0, durable = 0, after;

		for (int step = 0; step < 400; step++) {
			bool new = put < N &&rng_below(&rng, 2) == 0;

			if (new &&rng_below(&rng, 4) == 0 && step < 200) {
				missed[put + 1] = true;
				log_sequence_missed(&s, put + 1);
			}
			put += new;
			/* The store gets on, and what was held for it is committed. */
			for (uint64_t n = rng_below(&rng, 4); n > 0 && durable < put; n--) {
				bool counts;

				if (missed[++durable])
					continue;
				counts = log_sequence_commit(&s, durable);
				log_sequence_queued(&s, durable, counts);
				arrived[durable] = true;
				log_sequence_written(&s, durable, counts, s.round);
			}
			if (rng_below(&rng, 3) == 0 && log_sequence_resend(&s, &after))
				for (uint64_t seq = after + 1; seq <= durable; seq++) {
					bool counts = log_sequence_commit(&s, seq);

					log_sequence_queued(&s, seq, counts);
					arrived[seq] = true;
					log_sequence_written(&s, seq, counts, s.round);
				}
			for (uint64_t seq = 1; seq <= s.written; seq++)
				assert_true(arrived[seq]);
		}
		assert_int_equal(s.written, N);
		assert_false(s.behind);
	}
}

static void a_sink_that_hangs_for_ever_does_not_hold_the_end(void **state)
{
	unsigned writes = 99;
	struct recorder *r = recorder_new();
	struct log *l = log_new(&r->sink, true);

	(void)state;
	r->ret_writes = &writes;
	close_gate(r);
	log_say(l, LOG_PASS_MESSAGE, "never written");
	sem_wait(&r->called);
	assert_null(log_free(l));
	/* The thread still sits in the sink, which therefore was not freed. */
	assert_int_equal(writes, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_ids_are_well_formed_and_unique),
		cmocka_unit_test(an_entry_has_its_kind_fields_and_message),
		cmocka_unit_test(text_from_outside_is_escaped_wherever_it_stands),
		cmocka_unit_test(a_long_value_is_cut_and_says_so),
		cmocka_unit_test(the_worst_text_in_every_field_fits),
		cmocka_unit_test(priorities_are_by_kind_unless_overridden_and_filtered_by_level),
		cmocka_unit_test(a_blocked_sink_does_not_hold_the_caller),
		cmocka_unit_test(freeing_writes_what_is_left),
		cmocka_unit_test(the_heartbeat_grows_when_asked),
		cmocka_unit_test(a_sink_that_says_not_now_is_asked_again_with_the_same_entry),
		cmocka_unit_test(without_a_thread_the_caller_asks_again),
		cmocka_unit_test(what_does_not_fit_is_dropped_counted_and_told),
		cmocka_unit_test(written_stops_before_what_was_dropped_until_it_was_sent_again),
		cmocka_unit_test(what_the_sink_refuses_is_sent_again_when_it_works),
		cmocka_unit_test(no_series_of_losses_leaves_a_hole_behind_the_mark),
		cmocka_unit_test(what_was_missed_leaves_no_hole_either),
		cmocka_unit_test(a_sink_that_hangs_for_ever_does_not_hold_the_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120); /* a lost wake-up is a failure, not a wait for ever */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
