/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/store_fixture.h"

#include "tests/harness/vfs_crash.h"

#include <sched.h>

/* Each test runs with the store inside the loop and with its thread. */
static bool threaded;

static void setup(struct place *p)
{
	place_init(p, NULL, threaded);
	place_open(p);
}

/* --- items --- */

struct seen {
	size_t count;
	struct buf text;
};

static void write_item(void *ctx, const struct stored_item *i)
{
	struct seen *seen = ctx;

	seen->count++;
	buf_addf(&seen->text, "%s %s %s %s '%s' %lld %lld %lld %u %u\n", i->control, i->resource_id,
		i->state, i->reason, i->detail, (long long)i->since.ms, (long long)i->due.ms,
		(long long)i->first_drift.ms, i->attempts, i->corrections);
}

static void assert_items(struct place *p, const char *expected)
{
	struct seen seen = {.text = BUF_INIT(1 << 20)};

	assert_int_equal(store_load_items(p->store, write_item, &seen), 0);
	assert_string_equal(buf_str(&seen.text), expected);
	buf_fini(&seen.text);
}

static void items_come_back_as_they_were_put(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	assert_items(&p, "");
	store_put_item(p.store,
		&(struct stored_item){.control = "mde-extension",
			.resource_id = "/subscriptions/S/x",
			.state = "backoff",
			.reason = "busy",
			.detail = "an operation is running",
			.since = {1700000000123},
			.due = WALL_NEVER,
			.first_drift = {1600000000000},
			.attempts = 3,
			.corrections = 2});
	store_put_item(p.store,
		&(struct stored_item){.control = "arc-connected",
			.resource_id = "/subscriptions/S/x",
			.state = "compliant",
			.reason = "none",
			.detail = NULL,
			.since = {-5},
			.due = {0},
			.attempts = UINT32_MAX,
			.corrections = 0});
	place_settle(&p);
	place_reopen(&p);
	assert_int_equal(p.condition, STORE_GOOD);
	assert_items(&p,
		"arc-connected /subscriptions/S/x compliant none '' -5 0 0 4294967295 0\n"
		"mde-extension /subscriptions/S/x backoff busy 'an operation is running' "
		"1700000000123 9223372036854775807 1600000000000 3 2\n");
	place_fini(&p);
}

static void the_last_item_put_counts_whatever_the_case_of_its_resource(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	put_item(&p, "c", "/Subscriptions/S/Machine", "drifted");
	put_item(&p, "c", "/subscriptions/s/machine", "queued");
	put_item(&p, "d", "/SUBSCRIPTIONS/S/MACHINE", "drifted");
	put_item(&p, "d", "/subscriptions/s/other", "drifted");
	place_settle(&p);
	put_item(&p, "c", "/subscriptions/S/MACHINE", "applying");
	store_delete_item(p.store, "d", "/subscriptions/S/machine");
	store_delete_item(p.store, "d", "/subscriptions/S/never-seen");
	place_settle(&p);
	place_reopen(&p);
	assert_items(&p,
		"c /Subscriptions/S/Machine applying drift '' 1795000000000 9223372036854775807 0 "
		"1 0\n"
		"d /subscriptions/s/other drifted drift '' 1795000000000 9223372036854775807 0 1 "
		"0\n");
	place_fini(&p);
}

static void count_item(void *ctx, const struct stored_item *item)
{
	assert_int_equal(strlen(item->control), 1);
	++*(size_t *)ctx;
}

static void a_hundred_thousand_items_come_back(void **state)
{
	struct place p;
	char id[128], state_word[16];
	size_t count = 0;

	(void)state;
	setup(&p);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(id, sizeof(id), "/subscriptions/%u/machines/machine-%06u", i % 97, i / 5);
		snprintf(state_word, sizeof(state_word), "state%u", i % 11);
		put_item(&p, (const char *[]){"a", "b", "c", "d", "e"}[i % 5], id, state_word);
	}
	place_settle(&p);
	place_reopen(&p);
	assert_int_equal(store_load_items(p.store, count_item, &count), 0);
	assert_int_equal(count, 100000);
	place_fini(&p);
}

/* --- operations --- */

static void write_operation(void *ctx, const struct stored_operation *o)
{
	struct buf *text = ctx;

	buf_addf(text, "%llu %s %s %s %s %s %s %s %lld %lld\n", (unsigned long long)o->id,
		o->control, o->resource_id, o->target_id, o->verb, o->body_hash, o->correlation_id,
		o->phase, (long long)o->started.ms, (long long)o->deadline.ms);
}

static void only_operations_without_an_end_are_loaded(void **state)
{
	struct place p;
	struct stored_operation first, second, third;
	struct buf text = BUF_INIT(4096);

	(void)state;
	setup(&p);
	first = operation(store_next_operation_id(p.store), "/s/1");
	second = operation(store_next_operation_id(p.store), "/s/2");
	third = operation(store_next_operation_id(p.store), "/s/3");
	store_put_operation(p.store, &first);
	store_put_operation(p.store, &second);
	store_put_operation(p.store, &third);
	place_settle(&p);
	second.phase = "running";
	store_put_operation(p.store, &second);
	store_end_operation(p.store, first.id, WALL_UNSET, "succeeded", "", "r-1");
	store_end_operation(p.store, 4711, WALL_UNSET, "unknown", "", "");
	place_settle(&p);
	place_reopen(&p);
	assert_int_equal(store_load_operations(p.store, write_operation, &text), 0);
	assert_string_equal(buf_str(&text),
		"2 mde-extension /s/2 /target PUT 00ff c0000000-0000-4000-8000-000000000002 "
		"running 1795000000000 1795003600000\n"
		"3 mde-extension /s/3 /target PUT 00ff c0000000-0000-4000-8000-000000000002 "
		"intended 1795000000000 1795003600000\n");
	buf_fini(&text);
	place_fini(&p);
}

static void operation_ids_never_come_twice(void **state)
{
	struct place p;
	struct stored_operation op;

	(void)state;
	setup(&p);
	assert_int_equal(store_next_operation_id(p.store), 1);
	assert_int_equal(store_next_operation_id(p.store), 2);
	op = operation(store_next_operation_id(p.store), "/s/1");
	store_put_operation(p.store, &op);
	store_end_operation(p.store, op.id, WALL_UNSET, "succeeded", "", "");
	place_settle(&p);
	place_reopen(&p);
	assert_int_equal(store_next_operation_id(p.store), 4);
	place_fini(&p);
}

/* --- values --- */

static void assert_value(struct place *p, const char *name, const char *expected)
{
	mdc_autofree char *value = store_load_value(p->store, name);

	if (expected == NULL)
		assert_null(value);
	else
		assert_string_equal(value, expected);
}

static void values_are_replaced_emptied_and_removed(void **state)
{
	struct place p;
	mdc_autofree char *large = xmalloc((1 << 20) + 1);

	(void)state;
	memset(large, 'x', 1 << 20);
	large[1 << 20] = '\0';
	setup(&p);
	assert_value(&p, "reach", NULL);
	store_put_value(p.store, "reach", "first");
	store_put_value(p.store, "paused", "{}");
	store_put_value(p.store, "lost", "yes");
	store_put_value(p.store, "large", large);
	place_settle(&p);
	assert_value(&p, "reach", "first");
	store_put_value(p.store, "reach", "second");
	store_put_value(p.store, "paused", NULL);
	store_put_value(p.store, "lost", "");
	place_settle(&p);
	place_reopen(&p);
	assert_value(&p, "reach", "second");
	assert_value(&p, "paused", NULL);
	assert_value(&p, "lost", "");
	assert_value(&p, "large", large);
	place_fini(&p);
}

/* --- when it is durable --- */

struct order {
	struct place *place;
	size_t next;
	size_t more; /* flushes that the first callback adds */
};
struct ticket {
	struct order *order;
	size_t number;
};

static void check_order(void *ctx, int error)
{
	struct ticket *t = ctx;

	assert_int_equal(error, 0);
	assert_int_equal(t->number, t->order->next);
	t->order->next++;
}

static void callbacks_come_later_and_in_the_order_of_the_flushes(void **state)
{
	struct place p;
	struct order order = {.place = &p};
	struct ticket tickets[50];

	(void)state;
	setup(&p);
	for (unsigned i = 0; i < ARRAY_LEN(tickets); i++) {
		tickets[i] = (struct ticket){&order, i};
		/* Some flushes have nothing of their own to wait for. */
		if (i % 3 != 0)
			put_transition(&p, RESOURCE_A, "queued");
		store_flush(p.store, check_order, &tickets[i]);
		assert_int_equal(order.next, 0);
	}
	tiny_run_until(&p.loop, &order.next, ARRAY_LEN(tickets));
	assert_int_equal(order.next, ARRAY_LEN(tickets));
	place_fini(&p);
}

static void flush_again(void *ctx, int error)
{
	struct order *order = ctx;

	assert_int_equal(error, 0);
	order->next++;
	if (order->next == 5)
		return;
	put_transition(order->place, RESOURCE_A, "queued");
	store_flush(order->place->store, flush_again, order);
}

static void a_callback_may_put_and_flush_again(void **state)
{
	struct place p;
	struct order order = {.place = &p};

	(void)state;
	setup(&p);
	store_flush(p.store, flush_again, &order);
	tiny_run_until(&p.loop, &order.next, 5);
	assert_int_equal(order.next, 5);
	place_fini(&p);
}

static void flushes_close_together_share_one_commit(void **state)
{
	struct vfs_crash *v = vfs_crash_new("store-commits", 1);
	struct place p;
	uint64_t before, single;

	(void)state;
	place_init(&p, "store-commits", false);
	place_open(&p);
	before = vfs_crash_count(v, VFS_POWER_CUT);
	put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	single = vfs_crash_count(v, VFS_POWER_CUT) - before;
	before = vfs_crash_count(v, VFS_POWER_CUT);
	for (unsigned i = 0; i < 50; i++) {
		put_transition(&p, RESOURCE_A, "queued");
		store_flush(p.store, NULL, NULL);
	}
	place_settle(&p);
	assert_in_range(vfs_crash_count(v, VFS_POWER_CUT) - before, 1, single * 5);
	place_fini(&p);
	vfs_crash_free(v);
}

static void closing_writes_what_was_not_flushed(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	put_item(&p, "c", "/s/1", "drifted");
	store_flush(p.store, NULL, NULL);
	put_item(&p, "c", "/s/2", "drifted");
	place_reopen(&p);
	assert_items(&p,
		"c /s/1 drifted drift '' 1795000000000 9223372036854775807 0 1 0\n"
		"c /s/2 drifted drift '' 1795000000000 9223372036854775807 0 1 0\n");
	place_fini(&p);
}

static void abandoning_writes_nothing_more(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	put_item(&p, "c", "/s/1", "drifted");
	place_settle(&p);
	put_item(&p, "c", "/s/2", "drifted");
	p.store = store_abandon(p.store);
	place_open(&p);
	assert_int_equal(p.condition, STORE_GOOD);
	assert_items(&p, "c /s/1 drifted drift '' 1795000000000 9223372036854775807 0 1 0\n");
	place_fini(&p);
}

static void the_heartbeat_grows_also_when_there_is_nothing_to_do(void **state)
{
	struct place p;
	uint64_t first;

	(void)state;
	setup(&p);
	first = store_heartbeat(p.store);
	/* A thread that hangs would never get out of this. */
	while (store_heartbeat(p.store) <= first)
		sched_yield();
	assert_true(store_healthy(p.store));
	assert_string_equal(store_trouble(p.store), "");
	place_fini(&p);
}

/* --- history --- */

static json_t *history(struct place *p, const char *resource, uint64_t before, unsigned limit)
{
	json_t *rows = NULL;

	assert_int_equal(store_history(p->store, resource, before, limit, &rows), 0);
	assert_true(json_is_array(rows));
	return rows;
}

static void assert_seqs(json_t *take_rows, const char *expected)
{
	struct buf text = BUF_INIT(4096);
	size_t i;
	json_t *row;

	json_array_foreach (take_rows, i, row)
		buf_addf(&text, "%s%lld", i > 0 ? " " : "",
			(long long)json_integer_value(json_object_get(row, "seq")));
	assert_string_equal(buf_str(&text), expected);
	buf_fini(&text);
	json_decref(take_rows);
}

static void history_is_newest_first_and_bounded(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	assert_seqs(history(&p, NULL, 0, 10), "");
	for (unsigned i = 1; i <= 6; i++)
		assert_int_equal(put_transition(&p, i % 2 ? RESOURCE_A : RESOURCE_B, "queued"), i);
	place_settle(&p);
	assert_seqs(history(&p, NULL, 0, 10), "6 5 4 3 2 1");
	assert_seqs(history(&p, NULL, 0, 2), "6 5");
	assert_seqs(history(&p, NULL, 5, 2), "4 3");
	assert_seqs(history(&p, NULL, 1, 2), "");
	assert_seqs(history(&p, RESOURCE_A, 0, 10), "5 3 1");
	assert_seqs(history(&p, RESOURCE_A, 5, 1), "3");
	assert_seqs(history(&p, "/nobody", 0, 10), "");
	place_fini(&p);
}

static void history_never_gives_more_rows_than_its_cap(void **state)
{
	struct place p;
	json_t *rows;

	(void)state;
	setup(&p);
	for (unsigned i = 0; i < STORE_HISTORY_MAX + 5; i++)
		put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	rows = history(&p, NULL, 0, UINT32_MAX);
	assert_int_equal(json_array_size(rows), STORE_HISTORY_MAX);
	json_decref(rows);
	place_fini(&p);
}

static void history_finds_a_resource_in_any_case(void **state)
{
	struct place p;
	mdc_autofree char *folded = xstrdup(RESOURCE_A);

	(void)state;
	str_fold(folded);
	setup(&p);
	put_transition(&p, RESOURCE_A, "queued");
	put_transition(&p, folded, "queued");
	place_settle(&p);
	assert_seqs(history(&p, folded, 0, 10), "2 1");
	place_fini(&p);
}

static void history_shows_only_what_is_durable(void **state)
{
	struct place p;

	(void)state;
	setup(&p);
	put_transition(&p, RESOURCE_A, "queued");
	place_settle(&p);
	put_transition(&p, RESOURCE_A, "applying");
	assert_seqs(history(&p, NULL, 0, 10), "1");
	place_settle(&p);
	assert_seqs(history(&p, NULL, 0, 10), "2 1");
	place_fini(&p);
}

static void assert_json(json_t *take_value, const char *expected)
{
	char *text = json_dumps(take_value, JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
	json_decref(take_value);
}

static void history_rows_say_what_happened(void **state)
{
	struct place p;
	struct stored_operation op;

	(void)state;
	setup(&p);
	store_put_transition(p.store,
		&(struct stored_transition){.at = {TINY_EPOCH_MS},
			.control = "servers-plan",
			.resource_id = "/subscriptions/s",
			.from = "drifted",
			.to = "queued",
			.reason = "drift",
			.detail = "",
			.correlation_id = NULL});
	op = operation(store_next_operation_id(p.store), "/subscriptions/s");
	store_put_operation(p.store, &op);
	store_end_operation(
		p.store, op.id, (struct wall){TINY_EPOCH_MS + 1500}, "failed", "Conflict", "r-1");
	place_settle(&p);
	assert_json(history(&p, NULL, 0, 10),
		"[{\"seq\":3,\"at\":\"2026-11-18T11:06:41.500Z\",\"kind\":\"outcome\",\"control\":"
		"\"mde-extension\",\"resource_id\":\"/subscriptions/s\",\"correlation_id\":"
		"\"c0000000-0000-4000-8000-000000000002\",\"target_id\":\"/target\",\"verb\":"
		"\"PUT\",\"outcome\":\"failed\",\"code\":\"Conflict\",\"request_id\":\"r-1\","
		"\"operation\":1},"
		"{\"seq\":2,\"at\":\"2026-11-18T11:06:40Z\",\"kind\":\"write\",\"control\":"
		"\"mde-extension\",\"resource_id\":\"/subscriptions/s\",\"correlation_id\":"
		"\"c0000000-0000-4000-8000-000000000002\",\"target_id\":\"/target\",\"verb\":"
		"\"PUT\",\"body_hash\":\"00ff\",\"phase\":\"intended\",\"operation\":1,"
		"\"deadline\":\"2026-11-18T12:06:40Z\"},"
		"{\"seq\":1,\"at\":\"2026-11-18T11:06:40Z\",\"kind\":\"transition\",\"control\":"
		"\"servers-plan\",\"resource_id\":\"/subscriptions/s\",\"from\":\"drifted\","
		"\"to\":\"queued\",\"reason\":\"drift\"}]");
	place_fini(&p);
}

static void only_transitions_are_sent_again_oldest_first(void **state)
{
	struct place p;
	struct stored_operation op;
	json_t *rows = NULL;

	(void)state;
	setup(&p);
	put_transition(&p, RESOURCE_A, "queued");
	op = operation(store_next_operation_id(p.store), RESOURCE_A);
	store_put_operation(p.store, &op);
	put_transition(&p, RESOURCE_A, "applying");
	store_end_operation(p.store, op.id, WALL_UNSET, "accepted", "", "");
	put_transition(&p, RESOURCE_A, "settling");
	place_settle(&p);
	assert_int_equal(store_transitions_after(p.store, 0, 10, &rows), 0);
	assert_seqs(rows, "1 3 5");
	assert_int_equal(store_transitions_after(p.store, 1, 1, &rows), 0);
	assert_seqs(rows, "3");
	assert_int_equal(store_transitions_after(p.store, 5, 10, &rows), 0);
	assert_seqs(rows, "");
	place_fini(&p);
}

static void text_that_is_not_utf8_or_endless_does_no_harm(void **state)
{
	struct place p;
	json_t *rows;
	mdc_autofree char *endless = xmalloc(100001);
	const char *detail;

	(void)state;
	memset(endless, 'y', 100000);
	endless[100000] = '\0';
	setup(&p);
	put_transition(&p, "/a\xff\xfe'; DROP TABLE history; --\n", "queued");
	put_transition(&p, endless, "queued");
	place_settle(&p);
	rows = history(&p, NULL, 0, 10);
	assert_int_equal(json_array_size(rows), 2);
	detail = json_string_value(json_object_get(json_array_get(rows, 1), "resource_id"));
	assert_non_null(strstr(detail, "\\xff\\xfe'; DROP TABLE"));
	json_decref(rows);
	assert_int_equal(verified(&p, NULL).broken_at, 0);
	place_fini(&p);
}

static int with_thread(void **state)
{
	(void)state;
	threaded = true;
	return 0;
}

static int without_thread(void **state)
{
	(void)state;
	threaded = false;
	return 0;
}

#define BOTH(test) \
	{#test, test, without_thread, NULL, NULL}, \
	{ \
#test " (thread)", test, with_thread, NULL, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(items_come_back_as_they_were_put),
		BOTH(the_last_item_put_counts_whatever_the_case_of_its_resource),
		BOTH(a_hundred_thousand_items_come_back),
		BOTH(only_operations_without_an_end_are_loaded),
		BOTH(operation_ids_never_come_twice),
		BOTH(values_are_replaced_emptied_and_removed),
		BOTH(callbacks_come_later_and_in_the_order_of_the_flushes),
		BOTH(a_callback_may_put_and_flush_again),
		cmocka_unit_test(flushes_close_together_share_one_commit),
		BOTH(closing_writes_what_was_not_flushed),
		BOTH(abandoning_writes_nothing_more),
		BOTH(the_heartbeat_grows_also_when_there_is_nothing_to_do),
		BOTH(history_is_newest_first_and_bounded),
		BOTH(history_never_gives_more_rows_than_its_cap),
		BOTH(history_finds_a_resource_in_any_case),
		BOTH(history_shows_only_what_is_durable),
		BOTH(history_rows_say_what_happened),
		BOTH(only_transitions_are_sent_again_oldest_first),
		BOTH(text_that_is_not_utf8_or_endless_does_no_harm),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
