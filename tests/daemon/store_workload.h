/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scripted workload is run once without trouble; what the store holds after each of its steps
 * is remembered. Then it is run again and again, with trouble at each operation in turn. Whatever
 * is found after a crash must be one of the remembered states, no older than what was acknowledged,
 * and going on from there must lead to the same end.
 */
#ifndef TEST_STORE_WORKLOAD_H
#define TEST_STORE_WORKLOAD_H

#include "tests/daemon/store_fixture.h"
#include "tests/harness/vfs_crash.h"

#define VFS "store-crash"
#define STEPS 16

static struct vfs_crash *disk;
static char *remembered[STEPS + 1]; /* [n]: after n steps */

/* --- what the store holds, as text --- */

static inline void dump_item(void *ctx, const struct stored_item *i)
{
	buf_addf(ctx, "item %s %s %s %s %s %lld %u %u\n", i->control, i->resource_id, i->state,
		i->reason, i->detail, (long long)i->since.ms, i->attempts, i->corrections);
}

static inline void dump_operation(void *ctx, const struct stored_operation *o)
{
	buf_addf(ctx, "operation %llu %s %s %s\n", (unsigned long long)o->id, o->resource_id,
		o->phase, o->correlation_id);
}

static inline char *dump(struct store *s)
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

static inline void put_some_items(struct place *p, unsigned step)
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
static inline void put_some_operations(struct place *p, unsigned step)
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

static inline void put_large_value(struct place *p, unsigned step)
{
	size_t size = 500 + 700 * (size_t)step;
	mdc_autofree char *value = xmalloc(size + 1);

	memset(value, 'a' + (int)step % 26, size);
	value[size] = '\0';
	store_put_value(p->store, "reach", value);
}

static inline bool step_prunes(unsigned step)
{
	return step == 7 || step == 12;
}

/* Puts what belongs to a step. The time is the step's own, whatever happened before. */
static inline void do_step(struct place *p, unsigned step)
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
static inline bool turns_after(unsigned step)
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

static inline void step_durable(void *ctx, int error)
{
	struct step_ticket *t = ctx;

	if (error != 0 || t->run->durable != t->step)
		fail_msg("step %u is said to be durable (%d) after %u", t->step, error,
			t->run->durable);
	t->run->durable = t->step + 1;
}

static inline void submit_step(struct run *run, struct step_ticket *tickets)
{
	unsigned step = run->submitted++;

	tickets[step] = (struct step_ticket){run, step};
	do_step(&run->place, step);
	store_flush(run->place.store, step_durable, &tickets[step]);
}

static inline void run_init(struct run *run)
{
	memset(run, 0, sizeof(*run));
	place_init(&run->place, VFS, false);
	disk = vfs_crash_new(VFS, 7);
}

static inline void run_fini(struct run *run)
{
	place_fini(&run->place);
	disk = vfs_crash_free(disk);
}

static inline void remember_each_step(void)
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
static inline void fail_for_difference(const char *now, const char *then, unsigned step)
{
	size_t at = 0, line;

	while (now[at] == then[at])
		at++;
	for (line = at; line > 0 && at - line < 60;)
		line--;
	fail_msg("not as after step %u: '%.200s' instead of '%.200s'", step, now + line,
		then + line);
}

static inline void assert_chain(struct run *run)
{
	struct store_verification v = verified(&run->place, NULL);

	if (v.broken_at != 0 || v.losses != 0)
		fail_msg("the chain is broken: %s", run->place.diags.v[0].text);
	assert_int_equal(v.compared, 1);
}

static inline void assert_sound_condition(const struct run *run)
{
	if (run->place.condition == STORE_GOOD ||
		(run->place.condition == STORE_NEW && run->durable == 0))
		return;
	fail_msg("the store is in condition %d after %u steps: %s", run->place.condition,
		run->durable, run->place.diags.n > 0 ? run->place.diags.v[0].text : "no diag");
}

/* What is there is the state after some step that nobody could miss. */
static inline void find_where_it_is(struct run *run)
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

static inline void reopen_after_crash(struct run *run)
{
	place_open(&run->place);
	assert_sound_condition(run);
	find_where_it_is(run);
	assert_chain(run);
}

static inline void go_on_to_the_end(struct run *run)
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

/* A store with all steps in it, as a power cut leaves it: with a log to be read back. */
static inline void run_whole_and_cut(struct run *run)
{
	run_init(run);
	place_open(&run->place);
	go_on_to_the_end(run);
	run->place.store = store_abandon(run->place.store);
	vfs_crash_restart(disk, VFS_LOSE_UNSYNCED);
}

static inline int remember(void **state)
{
	(void)state;
	remember_each_step();
	return 0;
}

static inline int forget(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= STEPS; i++)
		free(remembered[i]);
	return 0;
}

#endif
