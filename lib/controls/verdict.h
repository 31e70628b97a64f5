/* SPDX-License-Identifier: Apache-2.0 */
/* verdict: the small constructors that every control uses to say what it found. */
#ifndef MDC_VERDICT_H
#define MDC_VERDICT_H

#include "lib/controls/control.h"

static inline struct verdict verdict_of(
	enum verdict_kind kind, enum reason reason, const char *detail)
{
	return (struct verdict){.kind = kind, .reason = reason, .detail = detail};
}

static inline struct verdict verdict_in_sync(void)
{
	return verdict_of(VERDICT_COMPLIANT, REASON_IN_SYNC, "");
}

static inline struct verdict verdict_not_applicable(void)
{
	return verdict_of(VERDICT_NOT_APPLICABLE, REASON_NONE, "");
}

/* Azure said a word, or nothing, where the decision needs to know. */
static inline struct verdict verdict_unreadable(const char *detail)
{
	return verdict_of(VERDICT_UNKNOWN, REASON_FACT_UNKNOWN, detail);
}

static inline struct verdict verdict_waiting(
	enum reason reason, struct wall until, const char *detail)
{
	return (struct verdict){
		.kind = VERDICT_WAITING, .reason = reason, .until = until, .detail = detail};
}

/*
 * A correction has been decided on, by an operator or by the plan: what only delays or discourages
 * it does not count any more.
 */
static inline bool view_insists(const struct control_view *v)
{
	return v->item->forced || v->item->state == ITEM_QUEUED;
}

/*
 * Longest that another deployer is waited for, while the machine is connected: deployments take
 * minutes, on Linux up to 36; from 95 minutes on users report them as stuck.
 */
#define OTHER_DEPLOYER_LIMIT DUR_H(2)

/* Someone else is at work on the extension, until the limit. */
static inline struct verdict verdict_worked_on(
	const struct control_view *v, const struct extension_facts *e)
{
	struct wall since = wall_before(e->changed, v->machine->status_since)
		? v->machine->status_since
		: e->changed;
	struct wall limit = wall_add(since, OTHER_DEPLOYER_LIMIT);

	return wall_before(v->now, limit)
		? verdict_waiting(REASON_OTHER_DEPLOYER, limit, e->state)
		: verdict_of(VERDICT_BLOCKED, REASON_OPERATION_OVERDUE, e->state);
}

/* What composing answers when the fresh document calls for something else than the write. */
static inline enum compose_result compose_instead(
	const struct verdict *verdict, struct verdict *ret_verdict)
{
	*ret_verdict = *verdict;
	return verdict->kind == VERDICT_COMPLIANT ? COMPOSE_IN_SYNC : COMPOSE_WITHHELD;
}

#endif
