/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/rows.h"
#include "lib/controls/switch.h"
#include "lib/controls/verdict.h"

static bool has_linux(const struct subscription *s)
{
	for (unsigned c = 0; c < OS_CLASS_N_; c++)
		if (os_is_linux((enum os_class)c) && s->os_count[c] > 0)
			return true;
	return false;
}

static struct verdict assess_linux(const struct control_view *v)
{
	if (!v->scope->policy->linux_integration || !has_linux(v->subscription))
		return verdict_not_applicable();
	return switch_assess(v, SETTING_EXCLUDE_LINUX);
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	return switch_differences(v, SETTING_EXCLUDE_LINUX, ret);
}

static void read_setting(const struct control_view *v, struct arm_request *ret)
{
	switch_read(v, SETTING_EXCLUDE_LINUX, ret);
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	return switch_compose(v, SETTING_EXCLUDE_LINUX, in, ret, ret_verdict);
}

static bool may_write(const struct policy_config *policy)
{
	return policy->linux_integration;
}

static const char *const fields[] = {"properties.enabled", NULL};
static const char *const reads[] = {"Microsoft.Security/settings/read", NULL};
static const char *const writes[] = {"Microsoft.Security/settings/write", NULL};
static const enum control_id after[] = {CONTROL_SERVERS_PLAN, CONTROL_MDE_INTEGRATION, CONTROL_N_};

const struct control linux_integration_control = {
	.id = CONTROL_LINUX_INTEGRATION,
	.deeds = DEED(LINUX),
	.corrects = true,
	.help = "Linux machines are part of the integration: the setting that excludes them "
		"(WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW) is false. It works the other way round than "
		"its neighbours: true leaves Linux out.",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.after = after,
	.may_write = may_write,
	.unobserved = switch_unobserved,
	.assess = assess_linux,
	.differences = differences,
	.read = read_setting,
	.compose = compose,
	/* Answered at once, after up to nine seconds; both limits are for what went wrong: Graph
	 * that lags, an answer that was lost. */
	.settle = {10 * 60 * 1000},
	.operation_limit = {15 * 60 * 1000},
};
