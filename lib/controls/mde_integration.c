/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/rows.h"
#include "lib/controls/switch.h"
#include "lib/controls/verdict.h"

static struct verdict assess_integration(const struct control_view *v)
{
	if (!v->scope->policy->integration)
		return verdict_not_applicable();
	return switch_assess(v, SETTING_WDATP);
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	return switch_differences(v, SETTING_WDATP, ret);
}

static void read_setting(const struct control_view *v, struct arm_request *ret)
{
	switch_read(v, SETTING_WDATP, ret);
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	return switch_compose(v, SETTING_WDATP, in, ret, ret_verdict);
}

static bool may_write(const struct policy_config *policy)
{
	return policy->integration;
}

static const char *const fields[] = {"properties.enabled", NULL};
static const char *const reads[] = {"Microsoft.Security/settings/read", NULL};
static const char *const writes[] = {"Microsoft.Security/settings/write", NULL};
static const enum control_id after[] = {CONTROL_SERVERS_PLAN, CONTROL_N_};

const struct control mde_integration_control = {
	.id = CONTROL_MDE_INTEGRATION,
	.deeds = DEED(INTEGRATION),
	.corrects = true,
	.help = "The subscription's integration with Defender for Endpoint (WDATP) is on.",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.after = after,
	.may_write = may_write,
	.unobserved = switch_unobserved,
	.assess = assess_integration,
	.differences = differences,
	.read = read_setting,
	.compose = compose,
	/* Answered at once, after up to nine seconds; both limits are for what went wrong: Graph
	 * that lags, an answer that was lost. */
	.settle = {10 * 60 * 1000},
	.operation_limit = {15 * 60 * 1000},
};
