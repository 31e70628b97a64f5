/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a workspace is bought for whoever reports to it: it is put where all of them have P2
 * anyway, or where the policy names the workspace. It is never taken away, since others rely on its
 * tables.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/controls/plan_level.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

/* Who reports changes by the day: how old that may be where it decides, and in polls. */
#define REPORTS_KEPT DUR_H(4)
#define REPORTS_KEPT_POLLS 2

static bool is_wanted(const struct policy_config *policy)
{
	return policy->plan == PLAN_P2 &&
		(policy->workspaces.from_machines || policy->workspaces.list_count > 0);
}

static bool is_listed(const struct control_view *v)
{
	const struct policy_config *policy = v->scope->policy;

	for (size_t i = 0; i < policy->workspaces.list_count; i++)
		if (arm_id_same(policy->workspaces.list[i], v->workspace->id))
			return true;
	return false;
}

static bool has_p2(const struct subscription *s)
{
	return plan_level_of(s->pricing.tier, s->pricing.sub_plan) == PLAN_LEVEL_P2;
}

static bool wants_p2(const struct subscription *s)
{
	return s->scope != NULL && s->scope->policy->plan == PLAN_P2;
}

/* The first subscription whose machines report to it and that is of this kind, or NULL. */
static const struct subscription *find_reporter(
	const struct workspace *w, bool (*is_it)(const struct subscription *))
{
	for (size_t i = 0; i < w->reporter_count; i++)
		if (is_it(w->reporters[i].subscription))
			return w->reporters[i].subscription;
	return NULL;
}

static bool is_foreign(const struct subscription *s)
{
	return !wants_p2(s) && !has_p2(s);
}

static bool gets_p2_later(const struct subscription *s)
{
	return wants_p2(s) && !has_p2(s);
}

/* --- judging --- */

static bool reports_are_old(const struct control_view *v)
{
	struct dur most = dur_max(
		REPORTS_KEPT, DUR_MS(v->config->poll.subscriptions.ms * REPORTS_KEPT_POLLS));

	return wall_since(v->now, v->subscription->reports.at).ms > most.ms;
}

/* Where the policy does not name the workspace: by who reports to it. */
static struct verdict judge_reporters(const struct control_view *v)
{
	const struct subscription *other;

	if (v->subscription->reports.source == SOURCE_NONE)
		return verdict_of(VERDICT_UNKNOWN, REASON_PARTIAL, "who reports to it");
	if (find_reporter(v->workspace, wants_p2) == NULL)
		return verdict_not_applicable();
	/* What is there costs nothing more, whoever reports. */
	if (v->workspace->plan)
		return verdict_of(VERDICT_DRIFTED, REASON_NONE, "");
	if (reports_are_old(v))
		return verdict_of(VERDICT_UNKNOWN, REASON_PARTIAL, "who reports to it");
	other = find_reporter(v->workspace, is_foreign);
	if (other != NULL)
		return verdict_of(VERDICT_BLOCKED, REASON_WORKSPACE_SHARED, other->id);
	other = find_reporter(v->workspace, gets_p2_later);
	if (other != NULL)
		return verdict_waiting(REASON_PREREQUISITE, wall_add(v->now, DUR_H(1)), other->id);
	return verdict_of(VERDICT_DRIFTED, REASON_WORKSPACE_PLAN, "");
}

static struct verdict judge_plan(const struct control_view *v)
{
	const struct workspace *w = v->workspace;

	if (!w->plan)
		return verdict_of(VERDICT_DRIFTED, REASON_WORKSPACE_PLAN, "");
	if (str_equal_nocase(w->plan_state, "Failed") ||
		str_equal_nocase(w->plan_state, "Canceled"))
		return verdict_of(VERDICT_BLOCKED, REASON_WORKSPACE_PLAN_FAILED, w->plan_state);
	return verdict_in_sync();
}

static bool is_gone(const struct control_view *v)
{
	const struct workspace *w = v->workspace;

	return wall_is_set(w->missing) && wall_since(v->now, w->missing).ms >= WORKSPACE_KEPT.ms;
}

static struct verdict assess_workspace(const struct control_view *v)
{
	struct verdict verdict = verdict_of(VERDICT_DRIFTED, REASON_NONE, "");

	if (!is_wanted(v->scope->policy) || (is_gone(v) && !is_listed(v)))
		return verdict_not_applicable();
	if (!is_listed(v) && !v->scope->policy->workspaces.from_machines)
		return verdict_not_applicable();
	if (!is_listed(v))
		verdict = judge_reporters(v);
	if (verdict.kind == VERDICT_DRIFTED)
		verdict = judge_plan(v);
	verdict.stamp = v->workspace->stamp;
	return verdict;
}

static enum reason unobserved(const struct control_view *v)
{
	if (v->workspace->stamp.source == SOURCE_NONE ||
		v->subscription->workspaces_stamp.source == SOURCE_NONE)
		return REASON_NOT_OBSERVED;
	return wall_is_set(v->workspace->missing) ? REASON_VANISHED : REASON_NONE;
}

/* --- showing and writing --- */

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	if (v->workspace->plan)
		return 0;
	ret[0] = (struct difference){.field = "plan.product"};
	str_copy(ret[0].wanted, sizeof(ret[0].wanted), "OMSGallery/Security");
	str_copy(ret[0].observed, sizeof(ret[0].observed),
		v->workspace->free ? "OMSGallery/SecurityCenterFree" : "not there");
	return 1;
}

static void read_solution(const struct control_view *v, struct arm_request *ret)
{
	mdc_autofree char *id = arm_solution_id(v->workspace->id);

	arm_get_solution(id, ret);
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	mdc_autofree char *id = arm_solution_id(v->workspace->id);
	struct verdict verdict = verdict_in_sync();
	struct arm_solution current;

	/* What stands there under the plan's name is not written over. */
	if (in->current != NULL &&
		(arm_solution_read(in->current, &current) != 0 ||
			current.kind != SOLUTION_SECURITY))
		verdict = verdict_unreadable("plan.product");
	else if (in->current == NULL && str_empty(v->workspace->location))
		verdict = verdict_unreadable("location");
	if (in->current != NULL || verdict.kind != VERDICT_COMPLIANT)
		return compose_instead(&verdict, ret_verdict);
	arm_put_solution(id, arm_solution_document(v->workspace->id, v->workspace->location), ret);
	return COMPOSED;
}

static const char *const fields[] = {
	"plan.product",
	"properties.workspaceResourceId",
	"properties.customerId",
	"properties.settings.workspaceId",
	"properties.dataCollectionRuleId",
	"properties.dataFlows",
	"properties.destinations.logAnalytics",
	NULL,
};
static const char *const reads[] = {"Microsoft.OperationalInsights/workspaces/read",
	"Microsoft.OperationsManagement/solutions/read",
	"Microsoft.Insights/dataCollectionRules/read",
	"Microsoft.Insights/dataCollectionRuleAssociations/read", NULL};
static const char *const writes[] = {"Microsoft.OperationsManagement/solutions/write",
	"Microsoft.OperationsManagement/register/action", NULL};
static const enum control_id after[] = {CONTROL_PROVIDER, CONTROL_SERVERS_PLAN, CONTROL_N_};

static bool needs(const struct control_view *v, enum control_id prerequisite)
{
	return prerequisite != CONTROL_PROVIDER || provider_of_solutions_is_missing(v);
}

const struct control workspace_plan_control = {
	.id = CONTROL_WORKSPACE_PLAN,
	.corrects = true,
	.help = "The Log Analytics workspaces that the policy lists, and those to which only "
		"machines with P2 report, have the plan as well (the solution Security).",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.read_if_wanted = true,
	.after = after,
	.needs = needs,
	.may_write = is_wanted,
	.unobserved = unobserved,
	.assess = assess_workspace,
	.differences = differences,
	.read = read_solution,
	.compose = compose,
	/* Answered at once, or within minutes. */
	.settle = {10 * 60 * 1000},
	.operation_limit = {30 * 60 * 1000},
};
