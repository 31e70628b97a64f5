/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/item_machine.h"

#include "lib/base/str.h"
#include "lib/engine/backoff.h"

/* A step that the executor has not sent by then is planned anew. */
#define QUEUED_LIMIT DUR_H(1)
/* How often to ask for an outcome that is late. */
#define INQUIRE_EVERY DUR_MIN(10)
/* For waiting states that were stored without a deadline. */
#define LOOK_AGAIN DUR_H(1)
/* Longer than this is not waited for in silence. */
#define LONGEST_BACKOFF DUR_H(24)
#define CONFLICT_CORRECTIONS 2
#define LASTING_COMPLIANCE DUR_DAYS(7)
/* What fails again after so many corrections took effect is not helped by one more. */
#define FLAPPING_CORRECTIONS 4

const char *item_event_word(enum item_event_kind k)
{
	static const char *const words[] = {
#define ITEM_EVENT_WORD(name, word) [EVENT_##name] = word,
		ITEM_EVENTS(ITEM_EVENT_WORD)
#undef ITEM_EVENT_WORD
	};

	return k < EVENT_N_ ? words[k] : "none";
}

/* --- small steps --- */

static struct item_step keep(const struct item *item)
{
	return (struct item_step){
		.state = item->state,
		.reason = item->reason,
		.due = item->due,
		.attempts = item->attempts,
		.misses = item->misses,
		.corrections = item->corrections,
	};
}

static struct item_step to(
	const struct item *item, enum item_state state, enum reason reason, struct wall due)
{
	struct item_step step = keep(item);

	step.state = state;
	step.reason = reason;
	step.due = due;
	return step;
}

static struct wall later(struct wall a, struct wall b)
{
	return wall_before(a, b) ? b : a;
}

static uint8_t one_more(uint8_t n)
{
	return n < UINT8_MAX ? (uint8_t)(n + 1) : n;
}

static struct item_step give_up(
	const struct item *item, const struct item_event *e, struct wall now)
{
	return to(item, ITEM_BLOCKED, REASON_GIVEN_UP,
		wall_add(now, backoff_delay(REASON_GIVEN_UP, 1, e->random)));
}

/* A failure that says nothing about the correction: it was not carried out. */
static bool is_miss(enum reason reason)
{
	return reason == REASON_THROTTLED || reason == REASON_TRANSIENT || reason == REASON_BUSY ||
		reason == REASON_IDENTITY || reason == REASON_VANISHED ||
		reason == REASON_FACT_UNKNOWN || reason == REASON_NO_PACKAGE;
}

/* The item's counters include the failure that is backed off from. */
static struct item_step back_off(
	const struct item *item, const struct item_event *e, enum reason reason, struct wall now)
{
	uint8_t failures = is_miss(reason) ? item->misses : item->attempts;
	struct wall due = wall_add(now, backoff_delay(reason, failures, e->random));

	if (backoff_gives_up(reason, failures))
		return give_up(item, e, now);
	due = later(due, e->until);
	return to(item,
		wall_before(wall_add(now, LONGEST_BACKOFF), due) ? ITEM_BLOCKED : ITEM_BACKOFF,
		reason, due);
}

/* A refused call, or a conflict, holds the item although the drift is still seen. */
static bool is_held(const struct item *item)
{
	return item->state == ITEM_BLOCKED &&
		(item->due.ms != WALL_NEVER.ms || item->reason == REASON_CONFLICT);
}

static bool is_done_once(const struct item *item)
{
	const struct control *control = control_by_id((enum control_id)item->control);

	return control != NULL && control->once;
}

/* --- what is seen --- */

typedef struct item_step (*action_fn)(
	const struct item *item, const struct item_event *e, struct wall now);

static struct item_step ignore(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = keep(item);

	(void)e;
	(void)now;
	step.ignored = true;
	return step;
}

static enum item_state seen_state(enum item_event_kind k)
{
	static const enum item_state states[] = {
		[EVENT_SEEN_UNKNOWN] = ITEM_UNKNOWN,
		[EVENT_SEEN_COMPLIANT] = ITEM_COMPLIANT,
		[EVENT_SEEN_DRIFTED] = ITEM_DRIFTED,
		[EVENT_SEEN_WAITING] = ITEM_WAITING,
		[EVENT_SEEN_FAILED] = ITEM_BACKOFF,
		[EVENT_SEEN_BLOCKED] = ITEM_BLOCKED,
		[EVENT_SEEN_MANUAL] = ITEM_MANUAL,
		[EVENT_SEEN_EXCLUDED] = ITEM_EXCLUDED,
		[EVENT_SEEN_UNSUPPORTED] = ITEM_UNSUPPORTED,
		[EVENT_SEEN_UNREACHABLE] = ITEM_UNREACHABLE,
	};

	assert(k < ARRAY_LEN(states));
	return states[k];
}

static bool is_same(const struct item *item, const struct item_event *e, const struct item_step *s)
{
	return s->state == item->state && s->reason == item->reason && s->due.ms == item->due.ms &&
		s->attempts == item->attempts && s->misses == item->misses &&
		str_equal(item->detail, e->detail);
}

/* The state is what is seen; seeing the same again is nothing new. */
static struct item_step enter(const struct item *item, const struct item_event *e, struct wall now)
{
	enum item_state state = seen_state(e->kind);
	struct item_step step = to(item, state, e->reason, WALL_NEVER);

	if (state == ITEM_WAITING)
		step.due = wall_before(now, e->until) ? e->until : wall_add(now, LOOK_AGAIN);
	if (state == ITEM_COMPLIANT)
		step.attempts = step.misses = 0;
	step.ignored = is_same(item, e, &step);
	return step;
}

static unsigned corrections_allowed(const struct item *item)
{
	return is_done_once(item) ? 1 : CONFLICT_CORRECTIONS;
}

/* Rule 9: what someone undoes again and again is not done a third time. */
static struct item_step drift(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = to(item, ITEM_BLOCKED, REASON_CONFLICT, WALL_NEVER);

	if (item->corrections < corrections_allowed(item))
		return enter(item, e, now);
	step.effects = EFFECT_INQUIRE;
	return step;
}

/* A failure that was not ours counts as the first one. */
static struct item_step fail(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item counted = *item;

	if (counted.attempts == 0)
		counted.attempts = 1;
	if (item->corrections >= FLAPPING_CORRECTIONS)
		return give_up(&counted, e, now);
	return back_off(&counted, e, e->reason, now);
}

/* Drifted: the failure that is to be corrected next, or one that came meanwhile. */
static struct item_step refail(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step;

	if (wall_before(now, e->until) || (item->attempts == 0 && !item->forced))
		return fail(item, e, now);
	step = to(item, ITEM_DRIFTED, e->reason, WALL_NEVER);
	step.ignored = is_same(item, e, &step);
	return step;
}

static struct item_step leave(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = enter(item, e, now);

	step.effects = EFFECT_WITHDRAW;
	return step;
}

static struct item_step leave_failed(
	const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = fail(item, e, now);

	step.effects = EFFECT_WITHDRAW;
	return step;
}

static struct item_step succeed(
	const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = enter(item, e, now);

	/* A setting that is not offered is in order, but nothing was corrected. */
	if (e->reason == REASON_NOT_OFFERED)
		return step;
	/* What is done once counted when it was accepted: it may be undone before it is seen. */
	if (!is_done_once(item) || item->state == ITEM_APPLYING)
		step.corrections = one_more(item->corrections);
	step.effects = EFFECT_SUCCEEDED;
	return step;
}

/* An accepted correction may show after its settle time; other failures had no effect. */
static struct item_step succeed_late(
	const struct item *item, const struct item_event *e, struct wall now)
{
	return item->reason == REASON_NOT_SEEN_IN_EFFECT ? succeed(item, e, now)
							 : enter(item, e, now);
}

static bool tells_outcome(const struct item_event *e)
{
	return e->kind == EVENT_SEEN_FAILED || e->kind == EVENT_SEEN_UNSUPPORTED ||
		e->reason == REASON_HANDLER_BLOCKED || e->reason == REASON_NOT_OFFBOARDED ||
		e->reason == REASON_OTHER_EDR || e->reason == REASON_AGENT_TOO_OLD ||
		e->reason == REASON_PLAN_EXTENSION_FAILED;
}

/* How the correction ended, if ARM said so after it had begun; else it may be how it was before. */
static struct item_step outcome(
	const struct item *item, const struct item_event *e, struct wall now)
{
	struct item counted = *item;

	if (e->stamp.source != SOURCE_ARM || wall_before(e->stamp.at, item->since) ||
		!tells_outcome(e))
		return ignore(item, e, now);
	if (e->kind != EVENT_SEEN_FAILED)
		return enter(item, e, now);
	counted.attempts = one_more(item->attempts);
	return back_off(&counted, e, e->reason, now);
}

/* The handler says more than the call did, and may need longer. */
static struct item_step refine(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = to(item, ITEM_BACKOFF, e->reason, later(item->due, e->until));

	if (is_miss((enum reason)item->reason))
		return ignore(item, e, now);
	if (item->reason != e->reason)
		step.due = later(step.due,
			wall_add(now, backoff_delay(e->reason, item->attempts, e->random)));
	step.ignored = is_same(item, e, &step);
	return step;
}

static struct item_step enter_unless_held(
	const struct item *item, const struct item_event *e, struct wall now)
{
	return is_held(item) ? ignore(item, e, now) : enter(item, e, now);
}

static struct item_step drift_unless_held(
	const struct item *item, const struct item_event *e, struct wall now)
{
	return is_held(item) ? ignore(item, e, now) : drift(item, e, now);
}

/* "Refused" without a known cause gives way to what the handler itself says. */
static struct item_step fail_unless_held(
	const struct item *item, const struct item_event *e, struct wall now)
{
	return is_held(item) && item->reason != REASON_REFUSED ? ignore(item, e, now)
							       : fail(item, e, now);
}

/* --- steps and calls --- */

static struct item_step queue(const struct item *item, const struct item_event *e, struct wall now)
{
	return to(item, ITEM_QUEUED, e->reason, wall_add(now, QUEUED_LIMIT));
}

/* What was held back is not read, and held back again, at once. */
static struct item_step unqueue(
	const struct item *item, const struct item_event *e, struct wall now)
{
	if (wall_before(now, e->until))
		return to(item, ITEM_WAITING, e->reason, e->until);
	return to(item, ITEM_DRIFTED, e->reason, WALL_NEVER);
}

static struct item_step apply(const struct item *item, const struct item_event *e, struct wall now)
{
	return to(item, ITEM_APPLYING, e->reason, wall_add(now, e->limit));
}

static struct item_step settle(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = to(item, ITEM_SETTLING, e->reason, wall_add(now, e->limit));

	step.misses = 0;
	if (is_done_once(item))
		step.corrections = one_more(item->corrections);
	step.effects = EFFECT_OBSERVE;
	return step;
}

static struct item_step retry(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item counted = *item;

	if (is_miss(e->reason)) {
		counted.misses = one_more(item->misses);
	} else {
		counted.attempts = one_more(item->attempts);
		counted.misses = 0;
	}
	return back_off(&counted, e, e->reason, now);
}

static struct item_step refuse(const struct item *item, const struct item_event *e, struct wall now)
{
	uint8_t misses = one_more(item->misses);
	struct item_step step = to(item, ITEM_BLOCKED, e->reason,
		wall_add(now, backoff_delay(e->reason, misses, e->random)));

	step.misses = misses;
	return step;
}

/* --- deadlines --- */

/* The wait is over: the judgement that follows says what is true now. */
static struct item_step wait_over(
	const struct item *item, const struct item_event *e, struct wall now)
{
	(void)e;
	return to(item, ITEM_WAITING, item->reason, now);
}

static struct item_step replan(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = unqueue(item, e, now);

	step.effects = EFFECT_WITHDRAW;
	return step;
}

static struct item_step inquire(
	const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = to(item, ITEM_APPLYING, item->reason, wall_add(now, INQUIRE_EVERY));

	(void)e;
	step.effects = EFFECT_INQUIRE;
	if (item->operation != NULL)
		return step;
	/* Nobody left to ask: the resource itself tells. */
	step = to(item, ITEM_UNKNOWN, REASON_OUTCOME_UNKNOWN, WALL_NEVER);
	step.effects = EFFECT_OBSERVE;
	return step;
}

static struct item_step not_seen(
	const struct item *item, const struct item_event *e, struct wall now)
{
	struct item counted = *item;
	struct item_step step;

	counted.attempts = one_more(item->attempts);
	step = back_off(&counted, e, REASON_NOT_SEEN_IN_EFFECT, now);
	step.effects = EFFECT_OBSERVE;
	return step;
}

static struct item_step try_again(
	const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = to(item, ITEM_DRIFTED, item->reason, WALL_NEVER);

	if (item->reason == REASON_CONFLICT)
		return ignore(item, e, now);
	step.effects = EFFECT_OBSERVE;
	return step;
}

/* --- configuration, operators, restarts --- */

static struct item_step release(
	const struct item *item, const struct item_event *e, struct wall now)
{
	if (!is_held(item) || item->reason == REASON_CONFLICT)
		return ignore(item, e, now);
	return to(item, ITEM_DRIFTED, e->reason, WALL_NEVER);
}

static struct item_step cure(const struct item *item, const struct item_event *e, struct wall now)
{
	if (!is_held(item) || item->reason != e->reason)
		return ignore(item, e, now);
	return to(item, ITEM_DRIFTED, e->reason, WALL_NEVER);
}

/* An operator's word clears what was remembered against the item. */
static struct item_step look(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = keep(item);

	(void)e;
	(void)now;
	step.attempts = step.misses = step.corrections = 0;
	step.effects = EFFECT_OBSERVE;
	return step;
}

static struct item_step anew(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = to(item, ITEM_UNKNOWN, e->reason, WALL_NEVER);

	(void)now;
	step.attempts = step.misses = step.corrections = 0;
	step.effects = EFFECT_OBSERVE;
	return step;
}

static struct item_step ask(const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = keep(item);

	(void)e;
	(void)now;
	step.effects = item->state == ITEM_APPLYING ? EFFECT_INQUIRE : EFFECT_OBSERVE;
	return step;
}

static struct item_step restore(
	const struct item *item, const struct item_event *e, struct wall now)
{
	struct item_step step = keep(item);

	(void)e;
	if (wall_is_set(item->due) && item->due.ms != WALL_NEVER.ms)
		return step;
	step.due = WALL_NEVER;
	if (item->state == ITEM_WAITING || item->state == ITEM_BACKOFF ||
		item->state == ITEM_SETTLING)
		step.due = wall_add(now, LOOK_AGAIN);
	return step;
}

/* What was under way without a stored intent did not get as far as the wire, or has ended. */
static struct item_step restore_anew(
	const struct item *item, const struct item_event *e, struct wall now)
{
	(void)e;
	(void)now;
	return to(item, ITEM_UNKNOWN, REASON_NOT_OBSERVED, WALL_NEVER);
}

/* Rule 7: held until the outcome is known. */
static struct item_step restore_sent(
	const struct item *item, const struct item_event *e, struct wall now)
{
	(void)e;
	return to(item, ITEM_APPLYING, REASON_OUTCOME_UNKNOWN, wall_add(now, INQUIRE_EVERY));
}

/* --- every pair --- */

#define SEEN_N_ (EVENT_SEEN_UNREACHABLE + 1)
#define OTHERS_N_ (EVENT_N_ - SEEN_N_)

/* clang-format off */
#define unheld(action) action##_unless_held
static const action_fn seen[ITEM_STATE_N_][SEEN_N_] = {
	/* seen:               unknown  compliant     drifted  waiting  failed        blocked  manual   excluded unsupported unreachable */
	[ITEM_UNKNOWN]     = { enter,   enter,        drift,   enter,   fail,         enter,   enter,   enter,   enter,      enter },
	[ITEM_COMPLIANT]   = { enter,   enter,        drift,   enter,   fail,         enter,   enter,   enter,   enter,      enter },
	[ITEM_DRIFTED]     = { enter,   enter,        drift,   enter,   refail,       enter,   enter,   enter,   enter,      enter },
	[ITEM_WAITING]     = { enter,   enter,        drift,   enter,   fail,         enter,   enter,   enter,   enter,      enter },
	[ITEM_QUEUED]      = { leave,   leave,        ignore,  leave,   leave_failed, leave,   leave,   leave,   leave,      leave },
	[ITEM_APPLYING]    = { ignore,  succeed,      ignore,  ignore,  outcome,      outcome, ignore,  ignore,  outcome,    ignore },
	[ITEM_SETTLING]    = { ignore,  succeed,      ignore,  ignore,  outcome,      outcome, ignore,  enter,   outcome,    ignore },
	[ITEM_BACKOFF]     = { ignore,  succeed_late, ignore,  ignore,  refine,       enter,   enter,   enter,   enter,      enter },
	[ITEM_BLOCKED]     = { unheld(enter), enter,  unheld(drift), unheld(enter), unheld(fail), enter, enter, enter, enter, enter },
	[ITEM_MANUAL]      = { enter,   enter,        drift,   enter,   fail,         enter,   enter,   enter,   enter,      enter },
	[ITEM_EXCLUDED]    = { enter,   enter,        drift,   enter,   fail,         enter,   enter,   enter,   enter,      enter },
	[ITEM_UNSUPPORTED] = { enter,   enter,        drift,   enter,   fail,         enter,   enter,   enter,   enter,      enter },
	[ITEM_UNREACHABLE] = { enter,   enter,        drift,   enter,   fail,         enter,   enter,   enter,   enter,      enter },
};

static const action_fn others[ITEM_STATE_N_][OTHERS_N_] = {
	/*                     queued  withdrawn  sent    running accepted retryable refused lost    deadline   reconfigured cured   forced  restored      intent */
	[ITEM_UNKNOWN]     = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, ignore,    ignore,      ignore, look,   restore,      restore_sent },
	[ITEM_COMPLIANT]   = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, ignore,    ignore,      ignore, look,   restore,      restore_sent },
	[ITEM_DRIFTED]     = { queue,  ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, ignore,    ignore,      ignore, look,   restore,      restore_sent },
	[ITEM_WAITING]     = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, wait_over, ignore,      ignore, anew,   restore,      restore_sent },
	[ITEM_QUEUED]      = { ignore, unqueue,   apply,  ignore, ignore,  retry,    refuse, ignore, replan,    replan,      ignore, ignore, restore_anew, restore_sent },
	[ITEM_APPLYING]    = { ignore, unqueue,   ignore, apply,  settle,  retry,    refuse, apply,  inquire,   ignore,      ignore, ask,     restore_anew, restore_sent },
	[ITEM_SETTLING]    = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, not_seen,  ignore,      ignore, ask,     restore,      restore_sent },
	[ITEM_BACKOFF]     = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, try_again, ignore,      ignore, anew,   restore,      restore_sent },
	[ITEM_BLOCKED]     = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, try_again, release,     cure,   anew,   restore,      restore_sent },
	[ITEM_MANUAL]      = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, ignore,    ignore,      ignore, anew,   restore,      restore_sent },
	[ITEM_EXCLUDED]    = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, ignore,    ignore,      ignore, look,   restore,      restore_sent },
	[ITEM_UNSUPPORTED] = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, ignore,    ignore,      ignore, look,   restore,      restore_sent },
	[ITEM_UNREACHABLE] = { ignore, ignore,    ignore, ignore, ignore,  ignore,   ignore, ignore, ignore,    ignore,      ignore, look,   restore,      restore_sent },
};
#undef unheld
/* clang-format on */

/* Compliance that lasted ends a quarrel, but makes nothing that is done once a second time. */
static struct item without_old_corrections(const struct item *item, struct wall now)
{
	struct item copy = *item;

	if (item->state == ITEM_COMPLIANT && !is_done_once(item) &&
		wall_since(now, item->since).ms >= LASTING_COMPLIANCE.ms)
		copy.corrections = 0;
	return copy;
}

struct item_step item_step(const struct item *item, const struct item_event *event, struct wall now)
{
	struct item judged = without_old_corrections(item, now);
	action_fn action;
	struct item_step step;

	assert(item->state < ITEM_STATE_N_ && event->kind < EVENT_N_);
	action = event->kind < SEEN_N_ ? seen[item->state][event->kind]
				       : others[item->state][event->kind - SEEN_N_];
	step = action(&judged, event, now);
	if (step.ignored)
		step.corrections = item->corrections;
	step.changed = step.state != item->state;
	return step;
}

struct item_event item_event_from_verdict(const struct verdict *v)
{
	static const enum item_event_kind kinds[] = {
		/* Does not apply any more, which the next judgement settles. */
		[VERDICT_NOT_APPLICABLE] = EVENT_SEEN_UNKNOWN,
		[VERDICT_UNKNOWN] = EVENT_SEEN_UNKNOWN,
		[VERDICT_COMPLIANT] = EVENT_SEEN_COMPLIANT,
		[VERDICT_DRIFTED] = EVENT_SEEN_DRIFTED,
		[VERDICT_WAITING] = EVENT_SEEN_WAITING,
		[VERDICT_FAILED] = EVENT_SEEN_FAILED,
		[VERDICT_BLOCKED] = EVENT_SEEN_BLOCKED,
		[VERDICT_MANUAL] = EVENT_SEEN_MANUAL,
		[VERDICT_EXCLUDED] = EVENT_SEEN_EXCLUDED,
		[VERDICT_UNSUPPORTED] = EVENT_SEEN_UNSUPPORTED,
		[VERDICT_UNREACHABLE] = EVENT_SEEN_UNREACHABLE,
	};
	_Static_assert(ARRAY_LEN(kinds) == VERDICT_N_, "an event for each verdict");

	return (struct item_event){
		.kind = kinds[v->kind],
		.reason = v->kind == VERDICT_NOT_APPLICABLE ? REASON_RELOADED : v->reason,
		.detail = v->detail,
		.until = v->until,
		.stamp = v->stamp,
	};
}
