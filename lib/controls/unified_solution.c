/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/rows.h"
#include "lib/controls/switch.h"
#include "lib/controls/verdict.h"

/* Elsewhere the setting does nothing, and some subscriptions have never had it. */
static struct verdict assess_unified(const struct control_view *v)
{
	if (!v->scope->policy->unified_solution ||
		v->subscription->os_count[OS_WINDOWS_UNIFIED] == 0)
		return verdict_not_applicable();
	return switch_assess(v, SETTING_UNIFIED);
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	return switch_differences(v, SETTING_UNIFIED, ret);
}

static void read_setting(const struct control_view *v, struct arm_request *ret)
{
	switch_read(v, SETTING_UNIFIED, ret);
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	return switch_compose(v, SETTING_UNIFIED, in, ret, ret_verdict);
}

static bool may_write(const struct policy_config *policy)
{
	return policy->unified_solution;
}

static const char *const fields[] = {"properties.enabled", NULL};
static const char *const reads[] = {"Microsoft.Security/settings/read", NULL};
static const char *const writes[] = {"Microsoft.Security/settings/write", NULL};
static const enum control_id after[] = {CONTROL_SERVERS_PLAN, CONTROL_MDE_INTEGRATION, CONTROL_N_};

const struct control unified_solution_control = {
	.id = CONTROL_UNIFIED_SOLUTION,
	.deeds = DEED(UNIFIED),
	.corrects = true,
	.help = "Windows Server 2012 R2 and 2016 get the unified solution "
		"(WDATP_UNIFIED_SOLUTION is on).",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.after = after,
	.may_write = may_write,
	.unobserved = switch_unobserved,
	.assess = assess_unified,
	.differences = differences,
	.read = read_setting,
	.compose = compose,
	/* Answered at once, after up to nine seconds; both limits are for what went wrong: Graph
	 * that lags, an answer that was lost. */
	.settle = {10 * 60 * 1000},
	.operation_limit = {15 * 60 * 1000},
};
