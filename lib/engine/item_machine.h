/* SPDX-License-Identifier: Apache-2.0 */
/*
 * item_machine: the item's state machine: state x event -> state', effects, deadline, reason. Pure;
 * the daemon's one setter applies the result. Every pair is written out in one table.
 *
 * A 2xx never makes an item compliant: only an observation does. While a correction is under way
 * (applying, settling) what is seen may be older than it: compliance is believed, and a failure if
 * ARM itself told it after the correction began; anything else waits for the outcome or the
 * deadline.
 *
 * Deadlines: waiting, queued, applying, settling and backoff always have one. Blocked has one where
 * a call was refused: it holds against the same drift until then. The others have none, since what
 * is seen or a person ends them: unknown, compliant, drifted (the plan gives it its turn), blocked
 * by what is seen, blocked for a conflict, manual, excluded, unsupported, unreachable.
 *
 * Two counters hold failures. Attempts were carried out and did not help: after some the item is
 * given up. Misses were not carried out (throttled, denied, broken on the way): they only make the
 * pauses longer, however many there are.
 *
 * Conflict: two corrections took effect, compliance lasted under seven days each time, and the same
 * is found undone again; for what is done once, one correction, however long it lasted. It stays
 * blocked until an operator says "now".
 */
#ifndef MDC_ITEM_MACHINE_H
#define MDC_ITEM_MACHINE_H

#include "lib/controls/control.h"
#include "lib/model/item.h"

/* EVENT(NAME, "word") */
#define ITEM_EVENTS(EVENT) \
	EVENT(SEEN_UNKNOWN, "seen-unknown") \
	EVENT(SEEN_COMPLIANT, "seen-compliant") \
	EVENT(SEEN_DRIFTED, "seen-drifted") \
	EVENT(SEEN_WAITING, "seen-waiting") \
	EVENT(SEEN_FAILED, "seen-failed") \
	EVENT(SEEN_BLOCKED, "seen-blocked") \
	EVENT(SEEN_MANUAL, "seen-manual") \
	EVENT(SEEN_EXCLUDED, "seen-excluded") \
	EVENT(SEEN_UNSUPPORTED, "seen-unsupported") \
	EVENT(SEEN_UNREACHABLE, "seen-unreachable") \
	EVENT(STEP_QUEUED, "step-queued") /* the plan gave it a turn */ \
	EVENT(STEP_WITHDRAWN, \
		"step-withdrawn")             /* not allowed any more; nothing was carried out */ \
	EVENT(CALL_SENT, "call-sent")         /* intent is durable */ \
	EVENT(CALL_RUNNING, "call-running")   /* 202: the operation runs */ \
	EVENT(CALL_ACCEPTED, "call-accepted") /* done, as far as ARM's answer goes */ \
	EVENT(CALL_RETRYABLE, "call-retryable")   /* failed; time may cure it */ \
	EVENT(CALL_REFUSED, "call-refused")       /* failed; time will not */ \
	EVENT(CALL_LOST, "call-lost")             /* sent, and the outcome is not known */ \
	EVENT(DEADLINE, "deadline")               /* `due` has come */ \
	EVENT(RECONFIGURED, "reconfigured")       /* another configuration is in force */ \
	EVENT(CURED, "cured")                     /* others get through where it was refused */ \
	EVENT(FORCED, "forced")                   /* an operator said: now */ \
	EVENT(RESTORED, "restored")               /* loaded after a restart */ \
	EVENT(RESTORED_INTENT, "restored-intent") /* the same, with an intent without an answer */

enum item_event_kind {
#define ITEM_EVENT_ENUM(name, word) EVENT_##name,
	ITEM_EVENTS(ITEM_EVENT_ENUM)
#undef ITEM_EVENT_ENUM
		EVENT_N_
};
const char *item_event_word(enum item_event_kind k);

struct item_event {
	enum item_event_kind kind;
	enum reason reason;
	const char *detail; /* interned by the setter */
	/* SEEN_WAITING, STEP_WITHDRAWN: end of the wait; SEEN_FAILED, CALL_RETRYABLE: not before */
	struct wall until;
	struct stamp stamp; /* SEEN_*: of the facts; older ones do not end an operation */
	struct dur limit;   /* CALL_SENT/RUNNING: operation limit; CALL_ACCEPTED: settle time */
	uint64_t random;    /* for jitter */
};

/* Effects, besides the new state. */
enum item_effect {
	EFFECT_NONE = 0,
	EFFECT_OBSERVE = 1 << 0,   /* ask for an early observation of this resource */
	EFFECT_INQUIRE = 1 << 1,   /* ask ARM what became of the operation, or who is in conflict */
	EFFECT_WITHDRAW = 1 << 2,  /* drop its queued step */
	EFFECT_SUCCEEDED = 1 << 3, /* a correction has taken effect */
};

struct item_step {
	enum item_state state;
	enum reason reason;
	struct wall due;
	uint8_t attempts;
	uint8_t misses;
	uint8_t corrections;
	unsigned effects;
	bool changed; /* the state is another one: a transition, to be stored and logged */
	bool ignored; /* the pair is written out as "nothing happens" */
};

struct item_step item_step(
	const struct item *item, const struct item_event *event, struct wall now);
/* The event that a verdict stands for. */
struct item_event item_event_from_verdict(const struct verdict *v);

#endif
