/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/call_queue.h"

#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define AT(milliseconds) ((struct mono){(milliseconds)})
#define LATER AT(INT64_C(600000))

/* Waiting calls with a name each. */
struct waiting {
	struct queued_call queued;
	struct quota_call quota;
	char subscription[16];
	unsigned name;
};

struct fixture {
	struct governor *governor;
	struct call_queue *queue;
	struct waiting calls[512];
	unsigned count;
};

static void setup(struct fixture *f, enum quota_model model)
{
	struct quota_settings s;

	*f = (struct fixture){.queue = call_queue_new()};
	quota_settings_for(model, &s);
	s.reserve_percent = 0;
	f->governor = governor_new(&s);
}

static void teardown(struct fixture *f)
{
	call_queue_free(f->queue);
	governor_free(f->governor);
}

static void put(struct fixture *f, struct waiting *w, unsigned subscription, enum arm_quota op,
	enum call_class class, struct mono until)
{
	snprintf(w->subscription, sizeof(w->subscription), "sub-%u", subscription);
	w->quota = (struct quota_call){.tenant = "t",
		.principal = "p",
		.subscription = w->subscription,
		.provider = "Microsoft.Compute",
		.quota = op};
	call_queue_add(f->queue, &w->queued, f->governor, &w->quota, class, until);
}

static struct waiting *add(struct fixture *f, unsigned subscription, enum arm_quota op,
	enum call_class class, struct mono until)
{
	struct waiting *w = &f->calls[f->count];

	assert_true(f->count < ARRAY_LEN(f->calls));
	*w = (struct waiting){.name = f->count++};
	put(f, w, subscription, op, class, until);
	return w;
}

static struct waiting *take(struct fixture *f, enum call_class lowest, struct mono now)
{
	struct mono again;
	struct queued_call *c = call_queue_take(f->queue, lowest, now, &again);

	return c != NULL ? container_of(c, struct waiting, queued) : NULL;
}

static void answered(struct fixture *f, struct waiting *w, int status, struct mono now)
{
	struct http_headers none = {0};
	struct quota_answer a = {.status = status, .headers = &none};

	governor_answered(f->governor, &w->quota, &w->queued.ticket, &a, now);
	call_queue_answered(f->queue, &w->quota);
}

/* Takes and answers at once; the names in the order of their turns. */
static void serve(struct fixture *f, struct mono now, unsigned n, unsigned *names)
{
	for (unsigned i = 0; i < n; i++) {
		struct waiting *w = take(f, CALL_CLASS_IDLE, now);

		assert_non_null(w);
		names[i] = w->name;
		answered(f, w, 200, now);
	}
}

static void one_line_is_served_in_order_of_arrival(void **state)
{
	struct fixture f;
	unsigned names[5];

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	for (unsigned i = 0; i < 5; i++)
		add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	serve(&f, AT(0), 5, names);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(names[i], i);
	assert_int_equal(call_queue_count(f.queue), 0);
	assert_null(take(&f, CALL_CLASS_IDLE, AT(0)));
	teardown(&f);
}

static void urgent_goes_before_normal_before_idle(void **state)
{
	struct fixture f;
	unsigned names[3];

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_IDLE, LATER);
	add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_URGENT, LATER);
	serve(&f, AT(0), 3, names);
	assert_int_equal(names[0], 2);
	assert_int_equal(names[1], 1);
	assert_int_equal(names[2], 0);
	teardown(&f);
}

static void a_lower_class_is_not_left_waiting_for_ever(void **state)
{
	struct fixture f;
	struct waiting *idle, *normal;

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	idle = add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_IDLE, LATER);
	normal = add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	for (unsigned i = 0; i < 40; i++) {
		unsigned name;

		add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_URGENT, LATER);
		serve(&f, AT(0), 1, &name);
	}
	assert_null(idle->queued.line);
	assert_null(normal->queued.line);
	teardown(&f);
}

static void classes_below_the_lowest_stay(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	assert_null(take(&f, CALL_CLASS_URGENT, AT(0)));
	assert_non_null(take(&f, CALL_CLASS_NORMAL, AT(0)));
	teardown(&f);
}

static void subscriptions_take_turns(void **state)
{
	struct fixture f;
	unsigned names[8];

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	for (unsigned i = 0; i < 6; i++)
		add(&f, 1, i % 2 == 0 ? ARM_QUOTA_READ : ARM_QUOTA_DELETE, CALL_CLASS_NORMAL,
			LATER);
	add(&f, 2, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	add(&f, 2, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	serve(&f, AT(0), 8, names);
	/* However many lines the first has. */
	assert_true(names[1] == 6 && names[3] == 7);
	teardown(&f);
}

static void a_blocked_subscription_does_not_block_others(void **state)
{
	struct fixture f;
	struct waiting *w;

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	add(&f, 1, ARM_QUOTA_WRITE, CALL_CLASS_URGENT, LATER);
	w = take(&f, CALL_CLASS_IDLE, AT(0));
	governor_answered(f.governor, &w->quota, &w->queued.ticket,
		&(struct quota_answer){.status = 429, .retry_after = DUR_S(60)}, AT(0));
	add(&f, 1, ARM_QUOTA_WRITE, CALL_CLASS_URGENT, LATER);
	add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	add(&f, 2, ARM_QUOTA_WRITE, CALL_CLASS_IDLE, LATER);
	assert_int_equal(take(&f, CALL_CLASS_IDLE, AT(0))->name, 2);
	assert_int_equal(take(&f, CALL_CLASS_IDLE, AT(0))->name, 3);
	assert_null(take(&f, CALL_CLASS_IDLE, AT(59999)));
	assert_int_equal(take(&f, CALL_CLASS_IDLE, AT(60000))->name, 1);
	teardown(&f);
}

static void it_says_when_to_ask_again(void **state)
{
	struct fixture f;
	struct mono again;
	struct waiting *w;

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	add(&f, 1, ARM_QUOTA_WRITE, CALL_CLASS_NORMAL, LATER);
	w = take(&f, CALL_CLASS_IDLE, AT(0));
	governor_answered(f.governor, &w->quota, &w->queued.ticket,
		&(struct quota_answer){.status = 429, .retry_after = DUR_S(60)}, AT(0));
	assert_null(call_queue_take(f.queue, CALL_CLASS_IDLE, AT(0), &again));
	assert_int_equal(again.ms, MONO_NEVER.ms);
	add(&f, 1, ARM_QUOTA_WRITE, CALL_CLASS_NORMAL, LATER);
	assert_null(call_queue_take(f.queue, CALL_CLASS_IDLE, AT(0), &again));
	assert_int_equal(again.ms, 60000);
	assert_int_equal(call_queue_expiry(f.queue).ms, LATER.ms);
	add(&f, 2, ARM_QUOTA_WRITE, CALL_CLASS_NORMAL, AT(7000));
	assert_int_equal(call_queue_expiry(f.queue).ms, 7000);
	teardown(&f);
}

static void calls_wait_for_answers_where_only_these_help(void **state)
{
	struct fixture f;
	struct waiting *first = NULL;
	struct mono again;

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	for (unsigned i = 0; i < 6; i++)
		add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	for (unsigned i = 0; i < 4; i++) {
		struct waiting *w = take(&f, CALL_CLASS_IDLE, AT(0));

		assert_non_null(w);
		first = first != NULL ? first : w;
	}
	assert_null(call_queue_take(f.queue, CALL_CLASS_IDLE, AT(0), &again));
	assert_int_equal(again.ms, MONO_NEVER.ms);
	answered(&f, first, 200, AT(0));
	assert_non_null(take(&f, CALL_CLASS_IDLE, AT(0)));
	assert_non_null(take(&f, CALL_CLASS_IDLE, AT(0)));
	teardown(&f);
}

static void patience_that_is_in_vain_ends_at_once(void **state)
{
	struct fixture f;
	struct waiting *w, *brief, *patient;
	struct queued_call *given_up;
	struct dur wait;

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	add(&f, 1, ARM_QUOTA_WRITE, CALL_CLASS_NORMAL, LATER);
	w = take(&f, CALL_CLASS_IDLE, AT(0));
	governor_answered(f.governor, &w->quota, &w->queued.ticket,
		&(struct quota_answer){.status = 429, .retry_after = DUR_MIN(5)}, AT(0));
	brief = add(&f, 1, ARM_QUOTA_WRITE, CALL_CLASS_NORMAL, AT(60000));
	patient = add(&f, 1, ARM_QUOTA_WRITE, CALL_CLASS_NORMAL, AT(300000));
	assert_null(call_queue_give_up(f.queue, AT(0), &wait));
	assert_null(take(&f, CALL_CLASS_IDLE, AT(0)));
	given_up = call_queue_give_up(f.queue, AT(0), &wait);
	assert_ptr_equal(given_up, &brief->queued);
	assert_int_equal(wait.ms, 300000);
	assert_null(call_queue_give_up(f.queue, AT(0), &wait));
	/* The line is known to be closed: the next one need not ask. */
	brief = add(&f, 1, ARM_QUOTA_WRITE, CALL_CLASS_NORMAL, AT(60000));
	assert_ptr_equal(call_queue_give_up(f.queue, AT(1000), &wait), &brief->queued);
	assert_int_equal(wait.ms, 299000);
	assert_ptr_equal(take(&f, CALL_CLASS_IDLE, AT(300000)), patient);
	teardown(&f);
}

static void patience_ends_in_a_long_line(void **state)
{
	struct fixture f;
	struct waiting *w;
	struct dur wait;

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	for (unsigned i = 0; i < 6; i++)
		w = add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_NORMAL, AT(1000 + i));
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(take(&f, CALL_CLASS_IDLE, AT(0)));
	assert_null(call_queue_give_up(f.queue, AT(1003), &wait));
	assert_ptr_equal(call_queue_give_up(f.queue, AT(1005), &wait), &(w - 1)->queued);
	assert_int_equal(wait.ms, 0);
	assert_ptr_equal(call_queue_give_up(f.queue, AT(1005), &wait), &w->queued);
	assert_int_equal(call_queue_count(f.queue), 0);
	teardown(&f);
}

static void a_call_can_be_withdrawn(void **state)
{
	struct fixture f;
	struct waiting *a, *b;

	(void)state;
	setup(&f, QUOTA_BUCKETS);
	a = add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	b = add(&f, 1, ARM_QUOTA_READ, CALL_CLASS_NORMAL, LATER);
	call_queue_remove(f.queue, &a->queued);
	call_queue_remove(f.queue, &a->queued);
	assert_ptr_equal(take(&f, CALL_CLASS_IDLE, AT(0)), b);
	assert_null(take(&f, CALL_CLASS_IDLE, AT(0)));
	teardown(&f);
}

enum { SUBSCRIPTIONS = 12 };

/* Subscriptions of very different appetite: the s-th wants 2s + 1 calls at any time. */
struct crowd {
	struct fixture f;
	struct waiting calls[SUBSCRIPTIONS][2 * SUBSCRIPTIONS];
	unsigned served[SUBSCRIPTIONS];
	unsigned passed_over[SUBSCRIPTIONS]; /* times that others were served while it waited */
};

static bool waits(const struct crowd *c, unsigned s)
{
	for (unsigned i = 0; i <= 2 * s; i++)
		if (c->calls[s][i].queued.line != NULL)
			return true;
	return false;
}

static void ask_for_more(struct crowd *c, unsigned s)
{
	for (unsigned i = 0; i <= 2 * s; i++) {
		struct waiting *w = &c->calls[s][i];

		if (w->queued.line != NULL)
			continue;
		w->name = s;
		put(&c->f, w, s, ARM_QUOTA_WRITE, CALL_CLASS_NORMAL, LATER);
	}
}

static void serve_one(struct crowd *c, struct waiting *w, struct mono now)
{
	unsigned s = w->name;

	answered(&c->f, w, 200, now);
	c->served[s]++;
	c->passed_over[s] = 0;
	for (unsigned k = 0; k < SUBSCRIPTIONS; k++) {
		c->passed_over[k] += k != s && waits(c, k);
		assert_true(c->passed_over[k] <= SUBSCRIPTIONS);
	}
}

static void nobody_starves_on_a_shared_bucket(void **state)
{
	static struct crowd c;
	struct waiting *w;

	(void)state;
	c = (struct crowd){0};
	setup(&c.f, QUOTA_BUCKETS_AND_TENANT);
	for (int64_t now = 0; now < 60000; now += 50) {
		for (unsigned s = 0; s < SUBSCRIPTIONS; s++)
			ask_for_more(&c, s);
		while ((w = take(&c.f, CALL_CLASS_NORMAL, AT(now))) != NULL)
			serve_one(&c, w, AT(now));
	}
	/* 600 came in and were shared; of the first 200 the hungry took more. */
	for (unsigned s = 0; s < SUBSCRIPTIONS; s++)
		assert_in_range(c.served[s], 45, 110);
	teardown(&c.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_is_served_in_order_of_arrival),
		cmocka_unit_test(urgent_goes_before_normal_before_idle),
		cmocka_unit_test(a_lower_class_is_not_left_waiting_for_ever),
		cmocka_unit_test(classes_below_the_lowest_stay),
		cmocka_unit_test(subscriptions_take_turns),
		cmocka_unit_test(a_blocked_subscription_does_not_block_others),
		cmocka_unit_test(it_says_when_to_ask_again),
		cmocka_unit_test(calls_wait_for_answers_where_only_these_help),
		cmocka_unit_test(patience_that_is_in_vain_ends_at_once),
		cmocka_unit_test(patience_ends_in_a_long_line),
		cmocka_unit_test(a_call_can_be_withdrawn),
		cmocka_unit_test(nobody_starves_on_a_shared_bucket),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("call_queue", tests, NULL, NULL);
}
