/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

/* How soon to look again at what only mde-extension can bring about. */
#define LOOK_AGAIN DUR_H(1)

static bool is_unified(const struct extension_facts *e)
{
	return e->present && e->provisioning == PROVISIONING_SUCCEEDED && e->vnext == TRI_YES &&
		!e->foreign_owner;
}

static bool shows_legacy(const struct machine *m)
{
	return m->legacy.present || (m->mde.present && m->mde.vnext != TRI_YES);
}

/* The agent may have other work, and removing it before the new sensor reports offboards. */
static struct verdict judge_replaced(const struct control_view *v)
{
	if (!v->machine->legacy.present)
		return verdict_in_sync();
	return verdict_of(VERDICT_COMPLIANT, REASON_LEGACY_REMAINS,
		"the unified extension is provisioned; whether the new sensor reports is not "
		"checked");
}

/* The replacement comes with the extension: what holds that holds this. */
static struct verdict judge_by_extension(const struct control_view *v)
{
	struct control_view of_extension = *v;
	struct verdict extension;

	of_extension.item = &v->machine->items[CONTROL_MDE_EXTENSION - SUBSCRIPTION_CONTROLS];
	extension = mde_extension_control.assess(&of_extension);
	switch (extension.kind) {
	case VERDICT_DRIFTED:
	case VERDICT_FAILED:
		return verdict_waiting(REASON_PREREQUISITE, wall_add(v->now, LOOK_AGAIN),
			control_word(CONTROL_MDE_EXTENSION));
	case VERDICT_WAITING:
		return verdict_waiting(
			REASON_PREREQUISITE, extension.until, control_word(CONTROL_MDE_EXTENSION));
	case VERDICT_UNKNOWN:
	case VERDICT_EXCLUDED:
	case VERDICT_UNSUPPORTED:
	case VERDICT_UNREACHABLE: return extension;
	case VERDICT_NOT_APPLICABLE:
	case VERDICT_COMPLIANT:
	case VERDICT_BLOCKED:
	case VERDICT_MANUAL:
	case VERDICT_N_: break;
	}
	return verdict_of(VERDICT_BLOCKED, REASON_LEGACY_AGENT, reason_sentence(extension.reason));
}

static struct verdict judge(const struct control_view *v)
{
	if (v->machine->os != OS_WINDOWS_UNIFIED || !shows_legacy(v->machine))
		return verdict_not_applicable();
	if (is_unified(&v->machine->mde))
		return judge_replaced(v);
	if (!v->scope->policy->legacy_replace)
		return verdict_of(VERDICT_EXCLUDED, REASON_REPLACE_OFF, "");
	return judge_by_extension(v);
}

static struct verdict assess_replaced(const struct control_view *v)
{
	struct verdict verdict = judge(v);

	verdict.stamp = extension_stamp(&v->machine->mde);
	return verdict;
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	const struct machine *m = v->machine;
	size_t n = 0;

	if (!is_unified(&m->mde)) {
		ret[n] = (struct difference){
			.field = "MDE.Windows", .wanted = "provisioned with vNextEnabled"};
		str_copy(ret[n].observed, sizeof(ret[n].observed),
			!m->mde.present                   ? "not installed"
				: m->mde.vnext == TRI_YES ? m->mde.state
							  : "without vNextEnabled");
		n++;
	}
	if (m->legacy.present && v->scope->policy->legacy_remove_agent) {
		ret[n] = (struct difference){.field = "MicrosoftMonitoringAgent",
			.wanted = "removed after the new sensor is proven"};
		str_copy(ret[n].observed, sizeof(ret[n].observed), m->legacy.state);
		n++;
	}
	return n;
}

static const char *const fields[] = {
	"properties.publisher",
	"properties.type",
	"properties.provisioningState",
	"properties.settings.vNextEnabled",
	NULL,
};
static const char *const reads[] = {"Microsoft.HybridCompute/machines/read",
	"Microsoft.HybridCompute/machines/extensions/read", NULL};
static const enum control_id after[] = {CONTROL_N_};

const struct control legacy_replaced_control = {
	.id = CONTROL_LEGACY_REPLACED,
	.on_machine = true,
	.help = "Windows Server 2012 R2 and 2016 run the unified solution in place of the Log "
		"Analytics based sensor.",
	.fields = fields,
	.reads = reads,
	.after = after,
	.unobserved = extensions_unobserved,
	.assess = assess_replaced,
	.differences = differences,
};
