/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scripted workload is run once without trouble; what the store holds after each of its steps
 * is remembered. Then it is run again and again, with trouble at each operation in turn. Whatever
 * is found after a crash must be one of the remembered states, no older than what was acknowledged,
 * and going on from there must lead to the same end.
 */
#include "daemon/store_internal.h"
#include "tests/daemon/store_fixture.h"
#include "tests/harness/vfs_crash.h"

#define VFS "store-crash"
#define STEPS 16

static struct vfs_crash *disk;
static char *remembered[STEPS + 1]; /* [n]: after n steps */

/* --- what the store holds, as text --- */

static void dump_item(void *ctx, const struct stored_item *i)
{
	buf_addf(ctx, "item %s %s %s %s %s %lld %u %u\n", i->control, i->resource_id, i->state,
		i->reason, i->detail, (long long)i->since.ms, i->attempts, i->corrections);
}

static void dump_operation(void *ctx, const struct stored_operation *o)
{
	buf_addf(ctx, "operation %llu %s %s %s\n", (unsigned long long)o->id, o->resource_id,
		o->phase, o->correlation_id);
}

static char *dump(struct store *s)
{
	struct buf text = BUF_INIT(4 << 20);
	json_t *rows = NULL;
	mdc_autofree char *value = store_load_value(s, "reach");
	char *history;

	assert_int_equal(store_load_items(s, dump_item, &text), 0);
	assert_int_equal(store_load_operations(s, dump_operation, &text), 0);
	assert_int_equal(store_history(s, NULL, 0, STORE_HISTORY_MAX, &rows), 0);
	history = json_dumps(rows, JSON_COMPACT | JSON_SORT_KEYS);
	buf_addf(&text, "reach %s\nhistory %s\n", value != NULL ? value : "-", history);
	assert_false(buf_failed(&text));
	free(history);
	json_decref(rows);
	return buf_steal(&text);
}

/* --- the workload --- */

static void put_some_items(struct place *p, unsigned step)
{
	char id[64], detail[600];

	memset(detail, 'a' + (int)step % 26, sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	for (unsigned i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "/subscriptions/s/machines/%u", (step * 2 + i) % 9);
		store_put_item(p->store,
			&(struct stored_item){.control = "mde-extension",
				.resource_id = id,
				.state = step % 2 ? "drifted" : "compliant",
				.reason = "drift",
				.detail = detail,
				.since = loop_wall(&p->loop.base),
				.due = WALL_NEVER,
				.attempts = step});
		put_transition(p, id, step % 2 ? "drifted" : "compliant");
	}
	snprintf(id, sizeof(id), "/subscriptions/s/machines/%u", step % 9);
	if (step % 7 == 3)
		store_delete_item(p->store, "mde-extension", id);
}

/* An operation is intended, then runs, then ends; every third never ends. */
static void put_some_operations(struct place *p, unsigned step)
{
	struct stored_operation op = operation(1 + step / 3, "/subscriptions/s/machines/1");

	switch (step % 3) {
	case 0:
		op.id = store_next_operation_id(p->store);
		assert_int_equal(op.id, 1 + step / 3);
		store_put_operation(p->store, &op);
		break;
	case 1:
		op.phase = "running";
		store_put_operation(p->store, &op);
		break;
	case 2:
		if (step % 9 != 8)
			store_end_operation(p->store, op.id, loop_wall(&p->loop.base), "failed",
				"Conflict", "r");
		break;
	}
}

static void put_large_value(struct place *p, unsigned step)
{
	size_t size = 500 + 700 * (size_t)step;
	mdc_autofree char *value = xmalloc(size + 1);

	memset(value, 'a' + (int)step % 26, size);
	value[size] = '\0';
	store_put_value(p->store, "reach", value);
}

static bool step_prunes(unsigned step)
{
	return step == 7 || step == 12;
}

/* Puts what belongs to a step. The time is the step's own, whatever happened before. */
static void do_step(struct place *p, unsigned step)
{
	p->loop.now = 100000 * (int64_t)(step + 1);
	if (step_prunes(step)) {
		store_prune(p->store, &(struct store_limits){.records = 12});
		return;
	}
	put_some_items(p, step);
	put_some_operations(p, step);
	if (step % 4 == 1)
		put_large_value(p, step);
}

/* Some steps share a commit; what is pruned depends on what is durable by then. */
static bool turns_after(unsigned step)
{
	return step_prunes(step + 1) || (step % 5 != 2 && step % 5 != 3);
}

struct run {
	struct place place;
	unsigned submitted; /* steps that were put and flushed */
	unsigned durable;   /* steps that were acknowledged */
};
struct step_ticket {
	struct run *run;
	unsigned step;
};

static void step_durable(void *ctx, int error)
{
	struct step_ticket *t = ctx;

	if (error != 0 || t->run->durable != t->step)
		fail_msg("step %u is said to be durable (%d) after %u", t->step, error,
			t->run->durable);
	t->run->durable = t->step + 1;
}

static void submit_step(struct run *run, struct step_ticket *tickets)
{
	unsigned step = run->submitted++;

	tickets[step] = (struct step_ticket){run, step};
	do_step(&run->place, step);
	store_flush(run->place.store, step_durable, &tickets[step]);
}

static void run_init(struct run *run)
{
	memset(run, 0, sizeof(*run));
	place_init(&run->place, VFS, false);
	disk = vfs_crash_new(VFS, 7);
}

static void run_fini(struct run *run)
{
	place_fini(&run->place);
	disk = vfs_crash_free(disk);
}

static void remember_each_step(void)
{
	struct run run;
	struct step_ticket tickets[STEPS];

	run_init(&run);
	place_open(&run.place);
	assert_int_equal(run.place.condition, STORE_NEW);
	remembered[0] = dump(run.place.store);
	while (run.submitted < STEPS) {
		submit_step(&run, tickets);
		tiny_turn(&run.place.loop);
		assert_int_equal(run.durable, run.submitted);
		remembered[run.submitted] = dump(run.place.store);
	}
	assert_int_equal(verified(&run.place, NULL).broken_at, 0);
	run_fini(&run);
}

/* --- after trouble --- */

/* Where two states differ, and no more of them than can be read. */
static void fail_for_difference(const char *now, const char *then, unsigned step)
{
	size_t at = 0, line;

	while (now[at] == then[at])
		at++;
	for (line = at; line > 0 && at - line < 60;)
		line--;
	fail_msg("not as after step %u: '%.200s' instead of '%.200s'", step, now + line,
		then + line);
}

static void assert_chain(struct run *run)
{
	struct store_verification v = verified(&run->place, NULL);

	if (v.broken_at != 0 || v.losses != 0)
		fail_msg("the chain is broken: %s", run->place.diags.v[0].text);
	assert_int_equal(v.compared, 1);
}

static void assert_sound_condition(const struct run *run)
{
	if (run->place.condition == STORE_GOOD ||
		(run->place.condition == STORE_NEW && run->durable == 0))
		return;
	fail_msg("the store is in condition %d after %u steps: %s", run->place.condition,
		run->durable, run->place.diags.n > 0 ? run->place.diags.v[0].text : "no diag");
}

/* What is there is the state after some step that nobody could miss. */
static void find_where_it_is(struct run *run)
{
	mdc_autofree char *now = dump(run->place.store);
	unsigned submitted = run->submitted;

	for (unsigned n = run->durable; n <= submitted; n++) {
		if (strcmp(now, remembered[n]) != 0)
			continue;
		run->submitted = run->durable = n;
		return;
	}
	print_message("# after %u durable and %u submitted steps:\n", run->durable, submitted);
	fail_for_difference(now, remembered[run->durable], run->durable);
}

static void reopen_after_crash(struct run *run)
{
	place_open(&run->place);
	assert_sound_condition(run);
	find_where_it_is(run);
	assert_chain(run);
}

static void go_on_to_the_end(struct run *run)
{
	struct step_ticket tickets[STEPS];
	mdc_autofree char *now = NULL;

	while (run->submitted < STEPS) {
		submit_step(run, tickets);
		if (turns_after(run->submitted - 1))
			tiny_turn(&run->place.loop);
	}
	/* Long enough for whatever is tried again. */
	tiny_advance(&run->place.loop, 20000);
	assert_int_equal(run->durable, STEPS);
	assert_true(store_healthy(run->place.store));
	assert_string_equal(store_trouble(run->place.store), "");
	now = dump(run->place.store);
	if (strcmp(now, remembered[STEPS]) != 0)
		fail_for_difference(now, remembered[STEPS], STEPS);
	assert_chain(run);
}

/* --- a power cut at every operation --- */

/* True when the cut came before the end. */
static bool run_until_cut(struct run *run, struct step_ticket *tickets)
{
	if (place_try_open(&run->place) < 0) {
		assert_true(vfs_crash_struck(disk));
		return true;
	}
	assert_sound_condition(run);
	while (run->submitted < STEPS && !vfs_crash_struck(disk)) {
		submit_step(run, tickets);
		if (turns_after(run->submitted - 1))
			tiny_turn(&run->place.loop);
	}
	if (!vfs_crash_struck(disk))
		tiny_turn(&run->place.loop);
	if (vfs_crash_struck(disk)) {
		run->place.store = store_abandon(run->place.store);
		return true;
	}
	/* Closing folds the log into the database: the most writing of all. */
	run->place.store = store_close(run->place.store);
	return vfs_crash_struck(disk);
}

static void cut_everywhere(enum vfs_loss loss)
{
	struct step_ticket tickets[STEPS];
	uint64_t at = 1;
	bool cut = true;

	for (; cut; at++) {
		struct run run;

		run_init(&run);
		vfs_crash_arm(disk, VFS_POWER_CUT, at, 1);
		cut = run_until_cut(&run, tickets);
		vfs_crash_restart(disk, loss);
		reopen_after_crash(&run);
		go_on_to_the_end(&run);
		run_fini(&run);
	}
	/* The workload has many places to fail at. */
	assert_true(at > 200);
}

static void nothing_acknowledged_is_lost_when_unsynced_writes_are(void **state)
{
	(void)state;
	cut_everywhere(VFS_LOSE_UNSYNCED);
}

static void nothing_acknowledged_is_lost_when_only_the_process_dies(void **state)
{
	(void)state;
	cut_everywhere(VFS_LOSE_NOTHING);
}

static void nothing_acknowledged_is_lost_when_writes_are_torn(void **state)
{
	(void)state;
	cut_everywhere(VFS_LOSE_SOME);
}

/* A store with all steps in it, as a power cut leaves it: with a log to be read back. */
static void run_whole_and_cut(struct run *run)
{
	run_init(run);
	place_open(&run->place);
	go_on_to_the_end(run);
	run->place.store = store_abandon(run->place.store);
	vfs_crash_restart(disk, VFS_LOSE_UNSYNCED);
}

static void a_second_power_cut_while_opening_again_loses_nothing(void **state)
{
	uint64_t at = 1;
	bool cut = true;

	(void)state;
	for (; cut; at++) {
		struct run run;

		run_whole_and_cut(&run);
		vfs_crash_arm(disk, VFS_POWER_CUT, at, 1);
		if (place_try_open(&run.place) == 0)
			run.place.store = store_abandon(run.place.store);
		cut = vfs_crash_struck(disk);
		vfs_crash_restart(disk, at % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
		reopen_after_crash(&run);
		assert_int_equal(run.durable, STEPS);
		assert_int_equal(run.place.condition, STORE_GOOD);
		run_fini(&run);
	}
	assert_true(at > 5);
}

/* Enough that the log is folded into the database on the way, which else only closing does. */
static void flush_more_than_the_log_may_hold(struct run *run, size_t *done)
{
	mdc_autofree char *value = xmalloc((6 << 20) + 1);

	memset(value, 'L', 6 << 20);
	value[6 << 20] = '\0';
	store_put_value(run->place.store, "large", value);
	store_flush(run->place.store, count_durable, done);
	tiny_turn(&run->place.loop);
}

/* How many operations there were. */
static uint64_t cut_while_folding(uint64_t at, enum vfs_loss loss)
{
	mdc_autofree char *value = NULL;
	struct run run;
	uint64_t before, count;
	size_t done = 0;

	run_whole_and_cut(&run);
	place_open(&run.place);
	before = vfs_crash_count(disk, VFS_POWER_CUT);
	vfs_crash_arm(disk, VFS_POWER_CUT, at, 1);
	flush_more_than_the_log_may_hold(&run, &done);
	count = vfs_crash_count(disk, VFS_POWER_CUT) - before;
	run.place.store = store_abandon(run.place.store);
	vfs_crash_restart(disk, loss);
	reopen_after_crash(&run);
	assert_int_equal(run.place.condition, STORE_GOOD);
	assert_int_equal(run.durable, STEPS);
	value = store_load_value(run.place.store, "large");
	if (done > 0 || value != NULL)
		assert_int_equal(strlen(value), 6 << 20);
	run_fini(&run);
	return count;
}

static void nothing_is_lost_while_the_log_is_folded_in(void **state)
{
	uint64_t count = cut_while_folding(UINT32_MAX, VFS_LOSE_UNSYNCED);

	(void)state;
	/* Each page goes to the log, with its head, and from there to the database. */
	assert_true(count > 3 * (6 << 20) / 4096);
	for (uint64_t at = 1; at <= count; at += 1 + count / 16)
		cut_while_folding(at, at % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
	/* Around the syncs between these. */
	for (uint64_t at = count - 3; at <= count; at++)
		cut_while_folding(at, VFS_LOSE_UNSYNCED);
}

/* --- errors at every operation --- */

/* Opening may fail, but it never believes that the store was lost. */
static void open_in_spite_of_errors(struct run *run)
{
	unsigned tries = 0;
	int r;

	while ((r = place_try_open(&run->place)) < 0) {
		assert_true(vfs_crash_struck(disk));
		assert_true(r != -ENOTSUP && r != -EAGAIN);
		assert_true(run->place.diags.errors > 0);
		/* Here that would fail too, and so look like one more error. */
		assert_null(strstr(run->place.diags.v[0].text, "another name"));
		assert_true(tries++ < 100);
	}
	assert_sound_condition(run);
}

struct outcome {
	bool struck;
	bool was_in_trouble;
};

struct trouble {
	enum vfs_fault fault;
	uint64_t times;
	unsigned stride;
	bool without_reader; /* the writer's is then the only connection, and takes its locks along
			      */
};

/* The whole workload with one kind of error; then a power cut, since memory could hide a loss. */
static struct outcome run_with_errors(const struct trouble *t, uint64_t at)
{
	struct step_ticket tickets[STEPS];
	struct outcome o = {0};
	struct run run;

	run_init(&run);
	vfs_crash_arm(disk, t->fault, at, t->times);
	open_in_spite_of_errors(&run);
	while (run.submitted < STEPS) {
		if (t->without_reader)
			run.place.store->reader = store_reader_close(run.place.store->reader);
		submit_step(&run, tickets);
		if (turns_after(run.submitted - 1))
			tiny_turn(&run.place.loop);
		if (!store_healthy(run.place.store)) {
			o.was_in_trouble = true;
			assert_true(strlen(store_trouble(run.place.store)) > 0);
			/* Long enough: steps that prune look at what is durable. */
			tiny_advance(&run.place.loop, 90000);
		}
	}
	o.struck = vfs_crash_struck(disk);
	vfs_crash_disarm(disk);
	go_on_to_the_end(&run);
	run.place.store = store_abandon(run.place.store);
	vfs_crash_restart(disk, at % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
	reopen_after_crash(&run);
	assert_int_equal(run.durable, STEPS);
	run_fini(&run);
	return o;
}

static void fail_everywhere(const struct trouble *t)
{
	struct outcome o = {.struck = true};
	unsigned troubles = 0;
	uint64_t at = 1;

	for (; o.struck; at += t->stride) {
		o = run_with_errors(t, at);
		troubles += o.was_in_trouble;
	}
	assert_true(at > 200);
	assert_true(troubles > 20);
}

static void an_io_error_anywhere_only_delays(void **state)
{
	(void)state;
	fail_everywhere(&(struct trouble){VFS_IO_ERROR, .times = 1, .stride = 1});
}

static void an_io_error_only_delays_also_when_nobody_reads(void **state)
{
	(void)state;
	fail_everywhere(
		&(struct trouble){VFS_IO_ERROR, .times = 1, .stride = 1, .without_reader = true});
}

static void io_errors_for_a_while_only_delay(void **state)
{
	(void)state;
	fail_everywhere(&(struct trouble){VFS_IO_ERROR, .times = 40, .stride = 3});
}

static void a_write_without_space_anywhere_only_delays(void **state)
{
	(void)state;
	fail_everywhere(&(struct trouble){VFS_DISK_FULL, .times = 1, .stride = 1});
}

static void a_disk_that_is_full_for_a_while_only_delays(void **state)
{
	(void)state;
	fail_everywhere(&(struct trouble){VFS_DISK_FULL, .times = 12, .stride = 3});
}

/* An error that the store gets over, but the power fails `later` operations after it. */
static bool error_then_cut(uint64_t at, uint64_t later, bool without_reader)
{
	struct step_ticket tickets[STEPS];
	struct run run;
	bool struck;

	run_init(&run);
	place_open(&run.place);
	vfs_crash_arm(disk, VFS_IO_ERROR, at, 1);
	while (run.submitted < STEPS && !vfs_crash_struck(disk)) {
		if (without_reader)
			run.place.store->reader = store_reader_close(run.place.store->reader);
		submit_step(&run, tickets);
		if (turns_after(run.submitted - 1))
			tiny_turn(&run.place.loop);
	}
	struck = vfs_crash_struck(disk);
	vfs_crash_arm(disk, VFS_POWER_CUT, later, 1);
	tiny_advance(&run.place.loop, 5000);
	run.place.store = store_abandon(run.place.store);
	vfs_crash_restart(disk, later % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
	reopen_after_crash(&run);
	go_on_to_the_end(&run);
	run_fini(&run);
	return struck;
}

static void a_power_cut_soon_after_an_io_error_loses_nothing_acknowledged(void **state)
{
	(void)state;
	for (uint64_t at = 1; error_then_cut(at, 1 + at % 13, at % 2 == 0); at += 1)
		;
}

static void an_io_error_while_opening_never_makes_a_store_look_lost(void **state)
{
	uint64_t at = 1;
	bool struck = true;

	(void)state;
	for (; struck; at++) {
		struct run run;

		run_whole_and_cut(&run);
		run.durable = STEPS;
		vfs_crash_arm(disk, VFS_IO_ERROR, at, 1 + at % 3);
		open_in_spite_of_errors(&run);
		struck = vfs_crash_struck(disk);
		vfs_crash_disarm(disk);
		assert_int_equal(run.place.condition, STORE_GOOD);
		find_where_it_is(&run);
		assert_chain(&run);
		run_fini(&run);
	}
	assert_true(at > 50);
}

/* --- when it lasts too long --- */

struct answer {
	unsigned count;
	int error;
};

static void note_answer(void *ctx, int error)
{
	struct answer *a = ctx;

	a->count++;
	a->error = error;
}

static void fill_up(struct place *p)
{
	for (unsigned i = 0; i < 100000; i++)
		if (put_transition(p, RESOURCE_A, "queued") == 0)
			return;
	fail_msg("memory has no bound");
}

static void a_disk_that_stays_full_is_given_up_on_but_not_the_chain(void **state)
{
	struct run run;
	struct answer waited = {0}, late = {0}, again = {0};
	struct store_verification v;
	json_t *rows = NULL;
	uint64_t last;

	(void)state;
	run_init(&run);
	place_open(&run.place);
	run.place.store->pending_max = 100000;
	last = put_transition(&run.place, RESOURCE_A, "queued");
	place_settle(&run.place);

	vfs_crash_arm(disk, VFS_DISK_FULL, 1, UINT64_MAX);
	put_transition(&run.place, RESOURCE_A, "applying");
	store_flush(run.place.store, note_answer, &waited);
	tiny_advance(&run.place.loop, 5000);
	assert_int_equal(waited.count, 0);
	assert_false(store_healthy(run.place.store));
	fill_up(&run.place);
	put_transition(&run.place, RESOURCE_A, "not kept");
	store_flush(run.place.store, note_answer, &late);
	assert_int_equal(waited.count + late.count, 0);
	tiny_turn(&run.place.loop);
	assert_int_equal(waited.error, -ENOBUFS);
	assert_int_equal(late.error, -ENOBUFS);

	vfs_crash_disarm(disk);
	tiny_advance(&run.place.loop, 5000);
	assert_true(store_healthy(run.place.store));
	assert_true(put_transition(&run.place, RESOURCE_B, "queued") > last);
	store_flush(run.place.store, note_answer, &again);
	tiny_turn(&run.place.loop);
	assert_int_equal(again.count, 1);
	assert_int_equal(again.error, 0);
	assert_int_equal(waited.count + late.count, 2);

	v = verified(&run.place, NULL);
	assert_int_equal(v.broken_at, 0);
	assert_int_equal(v.records, v.last);
	assert_int_equal(store_history(run.place.store, NULL, 0, 2, &rows), 0);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(rows, 1), "kind")), "unstored");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 1), "detail")),
		"2 transitions");
	json_decref(rows);
	run_fini(&run);
}

/* --- with the thread --- */

static void a_power_cut_under_the_thread_loses_nothing_acknowledged(void **state)
{
	(void)state;
	for (uint64_t at = 12; at < 120; at += 11) {
		struct step_ticket tickets[STEPS];
		struct run run;
		size_t turns = 0;

		run_init(&run);
		run.place.world.store_threaded = true;
		place_open(&run.place);
		vfs_crash_arm(disk, VFS_POWER_CUT, at, 1);
		while (run.submitted < 7 && !vfs_crash_struck(disk)) {
			submit_step(&run, tickets);
			/* Either this is acknowledged, or the disk is gone. */
			while (run.durable < run.submitted && store_healthy(run.place.store))
				tiny_turn(&run.place.loop);
			turns++;
		}
		assert_true(turns > 0);
		run.place.store = store_abandon(run.place.store);
		tiny_turn(&run.place.loop);
		vfs_crash_restart(disk, at % 2 ? VFS_LOSE_UNSYNCED : VFS_LOSE_SOME);
		run.place.world.store_threaded = false;
		reopen_after_crash(&run);
		go_on_to_the_end(&run);
		run_fini(&run);
	}
}

static int remember(void **state)
{
	(void)state;
	remember_each_step();
	return 0;
}

static int forget(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= STEPS; i++)
		free(remembered[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost_when_unsynced_writes_are),
		cmocka_unit_test(nothing_acknowledged_is_lost_when_only_the_process_dies),
		cmocka_unit_test(nothing_acknowledged_is_lost_when_writes_are_torn),
		cmocka_unit_test(a_second_power_cut_while_opening_again_loses_nothing),
		cmocka_unit_test(nothing_is_lost_while_the_log_is_folded_in),
		cmocka_unit_test(an_io_error_anywhere_only_delays),
		cmocka_unit_test(an_io_error_only_delays_also_when_nobody_reads),
		cmocka_unit_test(io_errors_for_a_while_only_delay),
		cmocka_unit_test(a_write_without_space_anywhere_only_delays),
		cmocka_unit_test(a_disk_that_is_full_for_a_while_only_delays),
		cmocka_unit_test(a_power_cut_soon_after_an_io_error_loses_nothing_acknowledged),
		cmocka_unit_test(an_io_error_while_opening_never_makes_a_store_look_lost),
		cmocka_unit_test(a_disk_that_stays_full_is_given_up_on_but_not_the_chain),
		cmocka_unit_test(a_power_cut_under_the_thread_loses_nothing_acknowledged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, remember, forget);
}
