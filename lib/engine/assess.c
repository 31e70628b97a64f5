/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/assess.h"

#include "lib/controls/assigned.h"
#include "lib/controls/legacy.h"
#include "lib/controls/verdict.h"

/* When to look again at what waits for another control, if nothing is seen before. */
#define LOOK_AGAIN DUR_H(1)

/* --- desired --- */

static bool selects_by_tag(const struct scope_config *scope)
{
	for (size_t i = 0; i < scope->exclude_count; i++)
		if (scope->excludes[i].selector.tag_count > 0)
			return true;
	return false;
}

/* Kind VERDICT_N_: not excluded. What decides about it and is not known may exclude it. */
static struct verdict check_exclusion(const struct control_view *v)
{
	const struct exclude_config *exclude =
		scope_exclusion(v->scope, v->subscription, v->machine, v->now);

	if (exclude != NULL)
		return verdict_of(VERDICT_EXCLUDED, REASON_EXCLUDED,
			exclude->reason != NULL ? exclude->reason : exclude->name);
	if (v->machine != NULL && v->machine->tags_unknown && selects_by_tag(v->scope))
		return verdict_unreadable("tags");
	if (scope_exclusion_is_open(v->scope, v->subscription))
		return verdict_unreadable("management groups");
	return verdict_of(VERDICT_N_, REASON_NONE, "");
}

static struct verdict check_exemption(const struct control *control, const struct control_view *v)
{
	const struct policy_exemption *exemption;
	const char *missing;

	switch (assigned_exempts(control, v, &exemption, &missing)) {
	case TRI_YES: return verdict_of(VERDICT_EXCLUDED, REASON_EXEMPT, exemption->text);
	case TRI_UNKNOWN: return verdict_unreadable(missing);
	case TRI_NO: break;
	}
	return verdict_of(VERDICT_N_, REASON_NONE, "");
}

/* --- around the control's own verdict --- */

static bool wants_a_write(enum verdict_kind kind)
{
	return kind == VERDICT_DRIFTED || kind == VERDICT_WAITING || kind == VERDICT_FAILED;
}

/* A disabled subscription can be read, so what needs no write is told as it is. */
static struct verdict check_subscription_state(const struct subscription *s, struct verdict own)
{
	struct verdict verdict = own;

	if (!wants_a_write(own.kind))
		return own;
	switch (s->state) {
	case SUBSCRIPTION_ENABLED: return own;
	case SUBSCRIPTION_WARNED:
	case SUBSCRIPTION_DISABLED:
		verdict = verdict_of(VERDICT_BLOCKED, REASON_SUBSCRIPTION_DISABLED, "");
		break;
	case SUBSCRIPTION_STATE_UNKNOWN:
		verdict = verdict_unreadable("the subscription's state");
		break;
	}
	/* What waits no more may need no write. */
	verdict.until = own.until;
	return verdict;
}

/* A plan that is on, though not exactly as configured, lets the others go on. */
static bool is_in_effect(const struct verdict *v)
{
	switch (v->kind) {
	case VERDICT_NOT_APPLICABLE:
	case VERDICT_COMPLIANT:
	case VERDICT_EXCLUDED: return true;
	case VERDICT_DRIFTED:
	case VERDICT_FAILED:
	case VERDICT_BLOCKED:
		return v->reason == REASON_PLAN_DIFFERS || v->reason == REASON_PLAN_HIGHER ||
			v->reason == REASON_PLAN_EXTENSION_FAILED ||
			v->reason == REASON_PLAN_EXTENSION_OFF ||
			v->reason == REASON_PLAN_EXTENSION_UNREADY ||
			v->reason == REASON_CONNECTOR_NEEDS_P2 ||
			v->reason == REASON_CONNECTOR_IDENTITY;
	case VERDICT_UNKNOWN:
	case VERDICT_WAITING:
	case VERDICT_MANUAL:
	case VERDICT_UNSUPPORTED:
	case VERDICT_UNREACHABLE:
	case VERDICT_N_: break;
	}
	return false;
}

/* From facts and not from the other item's state, so that the order of judging does not matter. */
static bool is_met_on(const struct control_view *v, enum control_id id, struct connector *connector)
{
	struct control_view of_other = *v;
	struct verdict verdict;

	of_other.machine = NULL;
	of_other.connector = connector;
	of_other.workspace = NULL;
	of_other.item =
		connector != NULL ? connector_item(connector, id) : &v->subscription->items[id];
	verdict = control_by_id(id)->assess(&of_other);
	return is_in_effect(&verdict);
}

static bool is_met(const struct control_view *v, enum control_id id)
{
	const struct subscription *s = v->subscription;

	if (control_resource(id) == ON_SUBSCRIPTION)
		return is_met_on(v, id, NULL);
	/* A machine's, by every connector that may have made it. */
	for (size_t i = 0; i < s->connector_count; i++)
		if (connector_owns(s->connectors[i], v->machine) &&
			!is_met_on(v, id, s->connectors[i]))
			return false;
	return true;
}

static bool waits_for_others(const struct verdict *own)
{
	return own->kind == VERDICT_DRIFTED || own->kind == VERDICT_FAILED ||
		(own->kind == VERDICT_WAITING && own->reason == REASON_GRACE) ||
		own->reason == REASON_DEPLOYER_OVERDUE;
}

static struct verdict check_prerequisites(
	const struct control *control, const struct control_view *v, struct verdict own)
{
	if (!waits_for_others(&own))
		return own;
	for (const enum control_id *id = control->after; *id != CONTROL_N_; id++)
		if ((control->needs == NULL || control->needs(v, *id)) && !is_met(v, *id))
			return verdict_waiting(REASON_PREREQUISITE, wall_add(v->now, LOOK_AGAIN),
				control_word(*id));
	return own;
}

/* Once it was over, or a correction has been made, there is no second one. */
static bool policy_grace_is_over(const struct control_view *v)
{
	const struct item *item = v->item;

	if (view_insists(v) || item->attempts > 0 || item->misses > 0 || item->corrections > 0)
		return true;
	if (v->machine != NULL && legacy_is_mute(v->machine))
		return true;
	return item->state == ITEM_DRIFTED || item->state == ITEM_APPLYING ||
		item->state == ITEM_SETTLING;
}

/* From the beginning of the trouble: what else was waited for counts. */
static struct wall policy_grace_end(const struct control_view *v)
{
	const struct item *item = v->item;
	struct wall since = wall_is_set(item->first_drift) ? item->first_drift : v->now;

	return wall_add(since, v->scope->policy->policy_grace);
}

static struct verdict check_assigned(
	const struct control *control, const struct control_view *v, struct verdict own)
{
	const struct assigned_policy *policy;
	struct wall end;

	if (own.kind != VERDICT_DRIFTED || policy_grace_is_over(v))
		return own;
	policy = assigned_at_work(control, v);
	end = policy_grace_end(v);
	if (policy == NULL || !wall_before(v->now, end))
		return own;
	return verdict_waiting(REASON_POLICY_AT_WORK, end, policy->name);
}

/* A deadline that only says "look again" does not move each time that it is looked at. */
static struct verdict steady_deadline(const struct control_view *v, struct verdict own)
{
	const struct item *item = v->item;
	bool same = item->state == ITEM_WAITING && item->reason == own.reason;

	if (own.kind != VERDICT_WAITING)
		return own;
	if (!wall_before(v->now, own.until))
		own.until = wall_add(v->now, LOOK_AGAIN);
	if (own.reason == REASON_PREREQUISITE && same && wall_before(v->now, item->due) &&
		wall_before(item->due, own.until))
		own.until = item->due;
	return own;
}

static struct verdict assess_observed(
	const struct control *control, const struct control_view *v, struct verdict own)
{
	struct verdict verdict = check_subscription_state(v->subscription, own);

	verdict = check_prerequisites(control, v, verdict);
	verdict = check_assigned(control, v, verdict);
	verdict = steady_deadline(v, verdict);
	verdict.stamp = own.stamp;
	return verdict;
}

struct verdict assess(const struct control *control, const struct control_view *v)
{
	const struct subscription *s = v->subscription;
	struct verdict own, exclusion;
	enum reason unobserved;

	if (v->scope == NULL)
		return verdict_not_applicable();
	/* Whether it applies at all is asked first: what is not wanted has no troubles. */
	own = control->assess(v);
	if (own.kind == VERDICT_NOT_APPLICABLE)
		return own;
	if (s->scope_conflict != NULL)
		return verdict_of(VERDICT_BLOCKED, REASON_SCOPE_CONFLICT, s->scope_conflict);
	if (subscription_has_moved(s))
		return verdict_of(VERDICT_MANUAL, REASON_TENANT_CHANGED, s->tenant);
	if (!s->visible)
		return verdict_of(VERDICT_UNKNOWN, REASON_SUBSCRIPTION_GONE, "");
	unobserved = control->unobserved(v);
	if (unobserved != REASON_NONE)
		return verdict_of(VERDICT_UNKNOWN, unobserved, "");
	exclusion = check_exclusion(v);
	if (exclusion.kind == VERDICT_N_)
		exclusion = check_exemption(control, v);
	if (exclusion.kind != VERDICT_N_)
		return exclusion;
	return assess_observed(control, v, own);
}
