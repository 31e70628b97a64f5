/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of one machine, apart from its subscription's: P1, none, or (again) the subscription's.
 * What the policy does not name is nobody's business here.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/controls/plan_level.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

static const struct machine_plan_config *wanted_of(const struct control_view *v)
{
	const struct machine *m = v->machine;

	return policy_machine_plan(v->scope->policy, m->subscription->id, m->group, m->name,
		m->tags_unknown ? NULL : m->tags);
}

static enum plan_level subscription_level(const struct control_view *v)
{
	return plan_level_of(v->subscription->pricing.tier, v->subscription->pricing.sub_plan);
}

static enum plan_level level_of(const struct control_view *v, enum machine_plan plan)
{
	switch (plan) {
	case MACHINE_PLAN_INHERITED: return subscription_level(v);
	case MACHINE_PLAN_OFF: return PLAN_LEVEL_OFF;
	case MACHINE_PLAN_P1: return PLAN_LEVEL_P1;
	case MACHINE_PLAN_UNKNOWN:
	case MACHINE_PLAN_N_: break;
	}
	return PLAN_LEVEL_UNKNOWN;
}

/* An inherited plan that is the wanted one is as good as one of its own. */
static bool is_met(const struct control_view *v, enum machine_plan wanted, enum machine_plan is)
{
	return is == wanted ||
		(is == MACHINE_PLAN_INHERITED && level_of(v, wanted) == subscription_level(v));
}

bool machine_plan_is_off(const struct control_view *v)
{
	const struct machine_plan_config *wanted = wanted_of(v);

	if (v->machine->plan == MACHINE_PLAN_OFF)
		return true;
	return wanted != NULL && wanted->plan == MACHINE_PLAN_OFF &&
		v->subscription->pricing.enforce != TRI_YES &&
		scope_grant(v->scope, CONTROL_MACHINE_PLAN, v->subscription, v->machine, v->now) !=
		NULL;
}

/* Less than it has, or than its subscription gives. */
static bool lowers(const struct control_view *v, enum machine_plan wanted, enum machine_plan is)
{
	return level_of(v, wanted) < level_of(v, is) || level_of(v, wanted) < subscription_level(v);
}

static const char *plan_text(enum machine_plan plan)
{
	static const char *const texts[] = {[MACHINE_PLAN_UNKNOWN] = "unknown",
		[MACHINE_PLAN_INHERITED] = "the subscription's",
		[MACHINE_PLAN_OFF] = "off",
		[MACHINE_PLAN_P1] = "P1"};

	return texts[plan];
}

static struct verdict judge(const struct control_view *v, const struct machine_plan_config *wanted,
	enum machine_plan is)
{
	if (is == MACHINE_PLAN_UNKNOWN || subscription_level(v) == PLAN_LEVEL_UNKNOWN)
		return verdict_unreadable("the plan");
	if (is_met(v, wanted->plan, is))
		return verdict_in_sync();
	if (v->subscription->pricing.enforce == TRI_YES)
		return verdict_of(VERDICT_BLOCKED, REASON_PLAN_ENFORCED, wanted->name);
	if (lowers(v, wanted->plan, is) &&
		scope_grant(v->scope, CONTROL_MACHINE_PLAN, v->subscription, v->machine, v->now) ==
			NULL)
		return verdict_of(VERDICT_BLOCKED, REASON_LOWERS, wanted->name);
	return verdict_of(VERDICT_DRIFTED, REASON_MACHINE_PLAN_DIFFERS, wanted->name);
}

static struct verdict assess_plan(const struct control_view *v)
{
	const struct machine *m = v->machine;
	const struct machine_plan_config *wanted = wanted_of(v);
	struct verdict verdict = verdict_not_applicable();

	if (wanted != NULL)
		verdict = judge(v, wanted, m->plan);
	else if (m->tags_unknown && v->scope->policy->machine_plan_count > 0)
		verdict = verdict_unreadable("tags");
	verdict.stamp = (struct stamp){
		.at = m->plan_at, .source = wall_is_set(m->plan_at) ? SOURCE_ARM : SOURCE_NONE};
	return verdict;
}

static enum reason unobserved(const struct control_view *v)
{
	return v->subscription->pricing.stamp.source == SOURCE_NONE ||
			!wall_is_set(v->machine->plan_at)
		? REASON_NOT_OBSERVED
		: REASON_NONE;
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	const struct machine_plan_config *wanted = wanted_of(v);

	if (wanted == NULL || is_met(v, wanted->plan, v->machine->plan))
		return 0;
	ret[0] = (struct difference){.field = "the machine's plan"};
	str_copy(ret[0].wanted, sizeof(ret[0].wanted), plan_text(wanted->plan));
	str_copy(ret[0].observed, sizeof(ret[0].observed), plan_text(v->machine->plan));
	return 1;
}

static void read_plan(const struct control_view *v, struct arm_request *ret)
{
	arm_get_machine_plan(v->machine->id, ret);
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	const struct machine_plan_config *wanted = wanted_of(v);
	enum machine_plan is =
		in->current != NULL ? arm_machine_plan_read(in->current) : MACHINE_PLAN_UNKNOWN;
	struct verdict verdict = wanted != NULL ? judge(v, wanted, is) : verdict_unreadable("tags");

	if (verdict.kind != VERDICT_DRIFTED)
		return compose_instead(&verdict, ret_verdict);
	arm_write_machine_plan(v->machine->id, wanted->plan, ret);
	return COMPOSED;
}

static bool may_write(const struct policy_config *policy)
{
	return policy->machine_plan_count > 0;
}

static const char *const fields[] = {"properties.pricingTier", "properties.subPlan",
	"properties.inherited", "properties.enforce", NULL};
static const char *const reads[] = {"Microsoft.HybridCompute/machines/read", NULL};
static const char *const writes[] = {"Microsoft.Security/pricings/read",
	"Microsoft.Security/pricings/write", "Microsoft.Security/pricings/delete", NULL};
static const enum control_id after[] = {CONTROL_N_};

const struct control machine_plan_control = {
	.id = CONTROL_MACHINE_PLAN,
	.corrects = true,
	.in_turn = true,
	.help = "Machines that the policy names have a Defender for Servers plan of their own: P1, "
		"none, or the subscription's.",
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
	/* Answered at once; both limits are for what went wrong. */
	.settle = {10 * 60 * 1000},
	.operation_limit = {15 * 60 * 1000},
};
