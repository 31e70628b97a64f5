/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/controls/plan_level.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

#include <stdio.h>

static enum plan_level wanted_level(const struct control_view *v)
{
	return v->scope->policy->plan == PLAN_P1 ? PLAN_LEVEL_P1 : PLAN_LEVEL_P2;
}

static const char *sub_plan_of(enum plan_level level)
{
	return level == PLAN_LEVEL_P1 ? "P1" : "P2";
}

static struct verdict judge_higher(const struct control_view *v)
{
	if (scope_grant(v->scope, CONTROL_SERVERS_PLAN, v->subscription, NULL, v->now) != NULL)
		return verdict_of(VERDICT_DRIFTED, REASON_PLAN_DIFFERS, "");
	return verdict_of(VERDICT_BLOCKED, REASON_PLAN_HIGHER, "");
}

/* Roles are often the cause, which time does not cure: only an operator has it tried again. */
static struct verdict judge_match(const struct control_view *v, const char *failure)
{
	if (str_empty(failure))
		return verdict_in_sync();
	return verdict_of(view_insists(v) ? VERDICT_DRIFTED : VERDICT_BLOCKED,
		REASON_PLAN_EXTENSION_FAILED, failure);
}

static struct verdict judge(
	const struct control_view *v, enum plan_level observed, const char *failure)
{
	enum plan_level wanted = wanted_level(v);

	switch (observed) {
	case PLAN_LEVEL_UNKNOWN: return verdict_unreadable("pricingTier or subPlan");
	case PLAN_LEVEL_OFF: return verdict_of(VERDICT_DRIFTED, REASON_PLAN_OFF, "");
	case PLAN_LEVEL_P1:
	case PLAN_LEVEL_P2: break;
	}
	if (observed > wanted)
		return judge_higher(v);
	if (observed < wanted)
		return verdict_of(VERDICT_DRIFTED, REASON_PLAN_DIFFERS, "");
	return judge_match(v, failure);
}

static enum reason unobserved(const struct control_view *v)
{
	return v->subscription->pricing.stamp.source == SOURCE_NONE ? REASON_NOT_OBSERVED
								    : REASON_NONE;
}

static struct verdict assess_plan(const struct control_view *v)
{
	const struct subscription *s = v->subscription;
	struct verdict verdict;

	if (v->scope->policy->plan == PLAN_UNMANAGED)
		return verdict_not_applicable();
	verdict = judge(v, plan_level_of(s->pricing.tier, s->pricing.sub_plan), s->pricing.failure);
	verdict.stamp = s->pricing.stamp;
	return verdict;
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	const struct subscription *s = v->subscription;
	enum plan_level observed = plan_level_of(s->pricing.tier, s->pricing.sub_plan);
	const char *wanted = sub_plan_of(wanted_level(v));
	size_t n = 0;

	if (observed < PLAN_LEVEL_P1) {
		ret[n] = (struct difference){.field = "properties.pricingTier"};
		str_copy(ret[n].wanted, sizeof(ret[n].wanted), "Standard");
		str_copy(ret[n].observed, sizeof(ret[n].observed), s->pricing.tier);
		n++;
	}
	if (observed != wanted_level(v)) {
		ret[n] = (struct difference){.field = "properties.subPlan"};
		str_copy(ret[n].wanted, sizeof(ret[n].wanted), wanted);
		str_copy(ret[n].observed, sizeof(ret[n].observed),
			observed == PLAN_LEVEL_P2 ? "P2" : s->pricing.sub_plan);
		n++;
	}
	if (*s->pricing.failure != '\0') {
		ret[n] = (struct difference){.field = "properties.extensions[].operationStatus"};
		str_copy(ret[n].wanted, sizeof(ret[n].wanted), "Succeeded");
		snprintf(ret[n].observed, sizeof(ret[n].observed), "Failed: %.140s",
			s->pricing.failure);
		n++;
	}
	return n;
}

static void read_plan(const struct control_view *v, struct arm_request *ret)
{
	arm_get_pricing(v->subscription->id, ret);
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	const char *name, *failure = "";
	struct arm_pricing current;
	struct verdict verdict;

	/* Without the present document its plan extensions cannot be sent back as they were. */
	if (in->current == NULL || arm_pricing_read(in->current, &current) != 0) {
		*ret_verdict = verdict_unreadable("the plan");
		return COMPOSE_WITHHELD;
	}
	if (arm_pricing_failure(&current, &name, &failure) && *failure == '\0')
		failure = name;
	verdict = judge(v, plan_level_of(current.tier, current.sub_plan), failure);
	if (verdict.kind != VERDICT_DRIFTED)
		return compose_instead(&verdict, ret_verdict);
	arm_put_pricing(v->subscription->id,
		arm_pricing_document(in->current, "Standard", sub_plan_of(wanted_level(v))), ret);
	return COMPOSED;
}

static bool may_write(const struct policy_config *policy)
{
	return policy->plan != PLAN_UNMANAGED;
}

static const char *const fields[] = {
	"properties.pricingTier",
	"properties.subPlan",
	"properties.enforce",
	"properties.enablementTime",
	"properties.extensions",
	NULL,
};
static const char *const reads[] = {"Microsoft.Security/pricings/read", NULL};
static const char *const writes[] = {"Microsoft.Security/pricings/write", NULL};
static const enum control_id after[] = {CONTROL_N_};

const struct control servers_plan_control = {
	.id = CONTROL_SERVERS_PLAN,
	.corrects = true,
	.help = "Microsoft Defender for Servers is on, with the plan of the policy.",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.after = after,
	.may_write = may_write,
	.unobserved = unobserved,
	.assess = assess_plan,
	.differences = differences,
	.read = read_plan,
	.compose = compose,
	/* Answered at once, after up to nine seconds; both limits are for what went wrong: Graph
	 * that lags, an answer that was lost. */
	.settle = {10 * 60 * 1000},
	.operation_limit = {15 * 60 * 1000},
};
