/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/item_machine.h"

#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW ((struct wall){INT64_C(1800000000000)})
#define SEED 20240721

static struct wall after(struct dur d)
{
	return wall_add(NOW, d);
}

/* --- every pair of state and event, with many kinds of memory --- */

static bool waits(enum item_state s)
{
	return s == ITEM_WAITING || s == ITEM_QUEUED || s == ITEM_APPLYING || s == ITEM_SETTLING ||
		s == ITEM_BACKOFF;
}

static struct item random_item(struct rng *rng, enum item_state state, struct operation *op)
{
	struct item item = {
		.state = (uint8_t)state,
		.reason = (uint8_t)(1 + rng_below(rng, REASON_N_ - 1)),
		.attempts = (uint8_t)rng_below(rng, 8),
		.misses = (uint8_t)rng_below(rng, 8),
		.corrections = (uint8_t)rng_below(rng, 4),
		.applies = true,
		.forced = rng_below(rng, 4) == 0,
		.since = after(DUR_MIN(-(int64_t)rng_below(rng, 20 * 24 * 60))),
		.due = waits(state) || rng_below(rng, 2) ? after(DUR_MIN(rng_below(rng, 300)))
							 : WALL_NEVER,
		.detail = rng_below(rng, 2) ? "a detail" : "",
		.operation = state == ITEM_APPLYING && rng_below(rng, 4) ? op : NULL,
	};

	if (rng_below(rng, 50) == 0)
		item.attempts = UINT8_MAX;
	return item;
}

static struct item_event random_event(struct rng *rng, enum item_event_kind kind)
{
	return (struct item_event){
		.kind = kind,
		.reason = (enum reason)(1 + rng_below(rng, REASON_N_ - 1)),
		.detail = rng_below(rng, 2) ? "a detail" : "another",
		.until = rng_below(rng, 2) ? WALL_UNSET : after(DUR_MIN(rng_below(rng, 3000) - 60)),
		.stamp = {.at = after(DUR_MIN(-(int64_t)rng_below(rng, 60 * 24))),
			.source = (enum fact_source)rng_below(rng, 3)},
		.limit = DUR_MIN(1 + rng_below(rng, 500)),
		.random = rng_next(rng),
	};
}

static bool is_seen(enum item_event_kind k)
{
	return k <= EVENT_SEEN_UNREACHABLE;
}

static void check_effects(
	const struct item *item, const struct item_event *e, const struct item_step *step)
{
	bool counted = step->corrections > item->corrections;
	bool left_queue = item->state == ITEM_QUEUED && step->state != ITEM_QUEUED;

	/* A correction counts when it is seen in effect, and then once. */
	assert_int_equal(counted, (step->effects & EFFECT_SUCCEEDED) != 0);
	if (counted) {
		assert_int_equal(step->corrections, item->corrections + 1);
		assert_int_equal(e->kind, EVENT_SEEN_COMPLIANT);
	}
	/* What is queued is dropped unless it was sent, or has just been taken out. */
	if (left_queue &&
		(is_seen(e->kind) || e->kind == EVENT_DEADLINE || e->kind == EVENT_RECONFIGURED))
		assert_true(step->effects & EFFECT_WITHDRAW);
	if (step->effects & EFFECT_WITHDRAW)
		assert_int_equal(item->state, ITEM_QUEUED);
	if (step->effects & EFFECT_INQUIRE)
		assert_true(step->state == ITEM_APPLYING || step->reason == REASON_CONFLICT);
}

static void check_moves(
	const struct item *item, const struct item_event *e, const struct item_step *step)
{
	if (!step->changed)
		return;
	switch (step->state) {
	case ITEM_COMPLIANT: assert_int_equal(e->kind, EVENT_SEEN_COMPLIANT); break;
	case ITEM_QUEUED:
		assert_int_equal(item->state, ITEM_DRIFTED);
		assert_int_equal(e->kind, EVENT_STEP_QUEUED);
		break;
	case ITEM_APPLYING:
		assert_true(e->kind == EVENT_RESTORED_INTENT ||
			(item->state == ITEM_QUEUED && e->kind == EVENT_CALL_SENT));
		break;
	case ITEM_SETTLING:
		assert_int_equal(item->state, ITEM_APPLYING);
		assert_int_equal(e->kind, EVENT_CALL_ACCEPTED);
		break;
	case ITEM_UNKNOWN:
	case ITEM_DRIFTED:
	case ITEM_WAITING:
	case ITEM_BACKOFF:
	case ITEM_BLOCKED:
	case ITEM_MANUAL:
	case ITEM_EXCLUDED:
	case ITEM_UNSUPPORTED:
	case ITEM_UNREACHABLE:
	case ITEM_STATE_N_: break;
	}
	if ((item->state == ITEM_APPLYING || item->state == ITEM_SETTLING) &&
		e->kind != EVENT_STEP_WITHDRAWN)
		assert_false(step->state == ITEM_QUEUED || step->state == ITEM_WAITING ||
			step->state == ITEM_UNREACHABLE || step->state == ITEM_MANUAL);
}

static void check_conflict(
	const struct item *item, const struct item_event *e, const struct item_step *step)
{
	bool held = item->state == ITEM_BLOCKED && item->reason == REASON_CONFLICT;

	/* Only an operator has a third correction made. */
	if (held && step->changed)
		assert_true(e->kind == EVENT_FORCED || e->kind == EVENT_RESTORED_INTENT ||
			(is_seen(e->kind) && e->kind != EVENT_SEEN_DRIFTED &&
				e->kind != EVENT_SEEN_FAILED && e->kind != EVENT_SEEN_WAITING));
	if (e->kind == EVENT_SEEN_DRIFTED && step->corrections >= 2)
		assert_int_not_equal(step->changed && step->state == ITEM_DRIFTED, true);
}

static void check_step(
	const struct item *item, const struct item_event *e, const struct item_step *step)
{
	assert_true(step->state < ITEM_STATE_N_);
	assert_int_equal(step->changed, step->state != item->state);
	assert_true(step->reason != REASON_NONE && step->reason < REASON_N_);
	if (step->ignored) {
		assert_false(step->changed);
		assert_int_equal(step->effects, EFFECT_NONE);
		assert_int_equal(step->reason, item->reason);
		assert_int_equal(step->due.ms, item->due.ms);
		assert_int_equal(step->attempts, item->attempts);
		assert_int_equal(step->misses, item->misses);
		assert_int_equal(step->corrections, item->corrections);
		return;
	}
	if (waits(step->state)) {
		assert_int_not_equal(step->due.ms, WALL_NEVER.ms);
		/* Kept over a restart, a deadline may have passed. */
		if (e->kind != EVENT_RESTORED)
			assert_false(step->changed && wall_before(step->due, NOW));
	}
	if (step->state == ITEM_COMPLIANT && is_seen(e->kind))
		assert_int_equal(step->attempts, 0);
	check_effects(item, e, step);
	check_moves(item, e, step);
	check_conflict(item, e, step);
}

static void every_pair_keeps_the_invariants(void **state)
{
	struct operation op = {.phase = PHASE_RUNNING};
	struct rng rng;

	(void)state;
	rng_seed(&rng, SEED);
	print_message("# seed %d\n", SEED);
	for (unsigned s = 0; s < ITEM_STATE_N_; s++)
		for (unsigned k = 0; k < EVENT_N_; k++)
			for (unsigned n = 0; n < 200; n++) {
				struct item item = random_item(&rng, (enum item_state)s, &op);
				struct item_event e = random_event(&rng, (enum item_event_kind)k);
				struct item_step step = item_step(&item, &e, NOW);

				check_step(&item, &e, &step);
			}
}

/* Where each pair leads, in its plain form: first failure, no conflict, ARM's fresh word. */
#define UNK ITEM_UNKNOWN
#define COM ITEM_COMPLIANT
#define DRI ITEM_DRIFTED
#define WAI ITEM_WAITING
#define QUE ITEM_QUEUED
#define APP ITEM_APPLYING
#define SET ITEM_SETTLING
#define BAC ITEM_BACKOFF
#define BLO ITEM_BLOCKED
#define MAN ITEM_MANUAL
#define EXC ITEM_EXCLUDED
#define UNS ITEM_UNSUPPORTED
#define UNR ITEM_UNREACHABLE

/* clang-format off */
static const enum item_state leads_to[ITEM_STATE_N_][EVENT_N_] = {
	/* seen:  unknown … unreachable                               | queued withdrawn | sent running accepted retryable refused lost | deadline reconfigured cured forced restored intent */
	[UNK] = { UNK, COM, DRI, WAI, BAC, BLO, MAN, EXC, UNS, UNR,     UNK, UNK,          UNK, UNK, UNK, UNK, UNK, UNK,                  UNK, UNK, UNK, UNK, UNK, APP },
	[COM] = { UNK, COM, DRI, WAI, BAC, BLO, MAN, EXC, UNS, UNR,     COM, COM,          COM, COM, COM, COM, COM, COM,                  COM, COM, COM, COM, COM, APP },
	[DRI] = { UNK, COM, DRI, WAI, BAC, BLO, MAN, EXC, UNS, UNR,     QUE, DRI,          DRI, DRI, DRI, DRI, DRI, DRI,                  DRI, DRI, DRI, DRI, DRI, APP },
	[WAI] = { UNK, COM, DRI, WAI, BAC, BLO, MAN, EXC, UNS, UNR,     WAI, WAI,          WAI, WAI, WAI, WAI, WAI, WAI,                  WAI, WAI, WAI, UNK, WAI, APP },
	[QUE] = { UNK, COM, QUE, WAI, BAC, BLO, MAN, EXC, UNS, UNR,     QUE, DRI,          APP, QUE, QUE, BAC, BLO, QUE,                  DRI, DRI, QUE, QUE, UNK, APP },
	[APP] = { APP, COM, APP, APP, BAC, BLO, APP, APP, UNS, APP,     APP, DRI,          APP, APP, SET, BAC, BLO, APP,                  APP, APP, APP, APP, UNK, APP },
	[SET] = { SET, COM, SET, SET, BAC, BLO, SET, EXC, UNS, SET,     SET, SET,          SET, SET, SET, SET, SET, SET,                  BAC, SET, SET, SET, SET, APP },
	[BAC] = { BAC, COM, BAC, BAC, BAC, BLO, MAN, EXC, UNS, UNR,     BAC, BAC,          BAC, BAC, BAC, BAC, BAC, BAC,                  DRI, BAC, BAC, UNK, BAC, APP },
	[BLO] = { BLO, COM, BLO, BLO, BLO, BLO, MAN, EXC, UNS, UNR,     BLO, BLO,          BLO, BLO, BLO, BLO, BLO, BLO,                  DRI, DRI, BLO, UNK, BLO, APP },
	[MAN] = { UNK, COM, DRI, WAI, BAC, BLO, MAN, EXC, UNS, UNR,     MAN, MAN,          MAN, MAN, MAN, MAN, MAN, MAN,                  MAN, MAN, MAN, UNK, MAN, APP },
	[EXC] = { UNK, COM, DRI, WAI, BAC, BLO, MAN, EXC, UNS, UNR,     EXC, EXC,          EXC, EXC, EXC, EXC, EXC, EXC,                  EXC, EXC, EXC, EXC, EXC, APP },
	[UNS] = { UNK, COM, DRI, WAI, BAC, BLO, MAN, EXC, UNS, UNR,     UNS, UNS,          UNS, UNS, UNS, UNS, UNS, UNS,                  UNS, UNS, UNS, UNS, UNS, APP },
	[UNR] = { UNK, COM, DRI, WAI, BAC, BLO, MAN, EXC, UNS, UNR,     UNR, UNR,          UNR, UNR, UNR, UNR, UNR, UNR,                  UNR, UNR, UNR, UNR, UNR, APP },
};
/* clang-format on */

static void every_pair_leads_where_the_table_says(void **state)
{
	struct operation op = {.phase = PHASE_RUNNING};

	(void)state;
	for (unsigned s = 0; s < ITEM_STATE_N_; s++)
		for (unsigned k = 0; k < EVENT_N_; k++) {
			struct item item = {
				.state = (uint8_t)s,
				.reason = REASON_DENIED,
				.since = after(DUR_MIN(-1)),
				.due = after(DUR_MIN(1)),
				.detail = "",
				.operation = s == ITEM_APPLYING ? &op : NULL,
			};
			struct item_event e = {
				.kind = (enum item_event_kind)k,
				.reason = REASON_HANDLER_BLOCKED,
				.detail = "",
				.until = k == EVENT_SEEN_WAITING ? after(DUR_H(1)) : WALL_UNSET,
				.stamp = {.at = NOW, .source = SOURCE_ARM},
				.limit = DUR_MIN(10),
			};
			struct item_step step = item_step(&item, &e, NOW);

			if (step.state != leads_to[s][k])
				fail_msg("%s + %s -> %s, not %s",
					item_state_word((enum item_state)s),
					item_event_word((enum item_event_kind)k),
					item_state_word(step.state),
					item_state_word(leads_to[s][k]));
		}
}

static void no_call_makes_an_item_compliant(void **state)
{
	(void)state;
	for (unsigned s = 0; s < ITEM_STATE_N_; s++)
		for (unsigned k = EVENT_CALL_SENT; k <= EVENT_CALL_LOST; k++)
			if (s != ITEM_COMPLIANT)
				assert_int_not_equal(leads_to[s][k], ITEM_COMPLIANT);
}

static void events_have_words(void **state)
{
	(void)state;
	for (unsigned k = 0; k < EVENT_N_; k++)
		assert_false(str_empty(item_event_word((enum item_event_kind)k)));
	assert_string_equal(item_event_word(EVENT_CALL_LOST), "call-lost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_keeps_the_invariants),
		cmocka_unit_test(every_pair_leads_where_the_table_says),
		cmocka_unit_test(no_call_makes_an_item_compliant),
		cmocka_unit_test(events_have_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
