/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/controls/legacy.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

/* How soon to look again at what only mde-extension can bring about. */
#define LOOK_AGAIN DUR_H(1)
/* A new sensor shows in the inventory within a day (Microsoft: 12 h, a full report every 24 h). */
#define REPORT_LIMIT DUR_H(26)

static bool is_unified_system(const struct control_view *v)
{
	return v->machine->os == OS_WINDOWS_UNIFIED;
}

/* --- the replacement is there: is it at work? --- */

/* The inventory still has the old version: for a day it may be older than the new sensor. */
static struct verdict judge_old_sensor(const struct control_view *v)
{
	struct wall limit = wall_add(v->machine->mde.changed, REPORT_LIMIT);

	if (wall_before(v->now, limit))
		return verdict_waiting(REASON_SENSOR_AWAITED, limit, v->machine->sensor->version);
	return verdict_of(VERDICT_BLOCKED, REASON_LEGACY_SENSOR, v->machine->sensor->version);
}

static struct verdict judge_without_agent(const struct control_view *v)
{
	const struct machine *m = v->machine;

	switch (sensor_proof(v)) {
	case SENSOR_PROVEN: break;
	case SENSOR_NOT_SEEN:
		return verdict_of(VERDICT_COMPLIANT, REASON_INSTALLED_UNCONFIRMED,
			"Defender for Endpoint does not show it at work");
	case SENSOR_NOT_KNOWN:
	case SENSOR_ACCEPTED:
		return is_unified_system(v)
			? verdict_of(VERDICT_COMPLIANT, REASON_INSTALLED_UNCONFIRMED, "")
			: verdict_in_sync();
	}
	if (sensor_is_outdated(m->sensor->version, os_is_windows(m->os), is_unified_system(v)))
		return verdict_of(VERDICT_COMPLIANT, REASON_SENSOR_OUTDATED, m->sensor->version);
	return verdict_in_sync();
}

static struct verdict judge_replaced(const struct control_view *v)
{
	struct verdict agent;

	if (legacy_signal(v->machine) == LEGACY_SENSOR)
		return judge_old_sensor(v);
	agent = legacy_agent_judge(v);
	return agent.kind != VERDICT_NOT_APPLICABLE ? agent : judge_without_agent(v);
}

/* --- the replacement is still to come --- */

static struct verdict by_extension(const struct control_view *v)
{
	struct control_view of_extension = *v;
	struct verdict extension;

	of_extension.item = &v->machine->items[CONTROL_MDE_EXTENSION - FIRST_MACHINE_CONTROL];
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

/* What holds the extension holds the replacement. An old sensor that is mute is urgent. */
static struct verdict judge_by_extension(const struct control_view *v)
{
	struct verdict verdict = by_extension(v);
	bool open = verdict.kind == VERDICT_WAITING || verdict.kind == VERDICT_BLOCKED;

	if (open && legacy_is_mute(v->machine)) {
		verdict.detail = verdict.kind == VERDICT_BLOCKED
			? verdict.detail
			: legacy_signal_text(LEGACY_SENSOR);
		verdict.reason = REASON_LEGACY_MUTE;
	}
	return verdict;
}

/* --- judging --- */

/* On other systems the agent is all that there is of the old; once removed, it is remembered. */
static bool concerns(const struct control_view *v)
{
	const struct machine *m = v->machine;
	bool wants_removal = v->scope->policy->legacy_remove_agent && m->legacy.present;

	if (is_unified_system(v))
		return m->mde.present || m->legacy.present || v->item->corrections > 0 ||
			legacy_signal(m) != LEGACY_NONE;
	return os_is_supported(m->os) && (wants_removal || v->item->corrections > 0);
}

static struct verdict judge(const struct control_view *v)
{
	if (!concerns(v))
		return verdict_not_applicable();
	if (legacy_is_over(v->machine))
		return judge_replaced(v);
	if (!v->scope->policy->legacy_replace)
		return verdict_of(VERDICT_EXCLUDED, REASON_REPLACE_OFF, "");
	return judge_by_extension(v);
}

static struct verdict assess_replaced(const struct control_view *v)
{
	struct verdict verdict = judge(v);

	verdict.stamp = verdict.kind == VERDICT_DRIFTED ? extension_stamp(&v->machine->legacy)
							: extension_stamp(&v->machine->mde);
	return verdict;
}

static struct difference sensor_difference(const struct machine *m)
{
	struct difference d = {.field = os_is_windows(m->os) ? "MDE.Windows" : "MDE.Linux",
		.wanted = "provisioned"};

	if (m->os == OS_WINDOWS_UNIFIED)
		str_copy(d.wanted, sizeof(d.wanted), "provisioned with vNextEnabled");
	str_copy(d.observed, sizeof(d.observed),
		!m->mde.present                                                  ? "not installed"
			: m->mde.vnext == TRI_YES || m->os != OS_WINDOWS_UNIFIED ? m->mde.state
										 : "without "
										   "vNextEnabled");
	return d;
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	const struct machine *m = v->machine;
	size_t n = 0;

	if (!legacy_is_over(m))
		ret[n++] = sensor_difference(m);
	if (legacy_signal(m) == LEGACY_SENSOR) {
		ret[n] = (struct difference){
			.field = "agentVersion of the sensor", .wanted = "10.8"};
		str_copy(ret[n].observed, sizeof(ret[n].observed), m->sensor->version);
		n++;
	}
	if (m->legacy.present && v->scope->policy->legacy_remove_agent) {
		ret[n] = (struct difference){.field = os_is_windows(m->os)
				? "MicrosoftMonitoringAgent"
				: "OmsAgentForLinux",
			.wanted = "removed after the new sensor is proven"};
		str_copy(ret[n].observed, sizeof(ret[n].observed), m->legacy.state);
		n++;
	}
	return n;
}

static bool may_write(const struct policy_config *policy)
{
	return policy->legacy_remove_agent;
}

static const char *const fields[] = {
	"properties.publisher",
	"properties.type",
	"properties.provisioningState",
	"properties.settings.vNextEnabled",
	"properties.settings.workspaceId",
	NULL,
};
static const char *const reads[] = {"Microsoft.HybridCompute/machines/read",
	"Microsoft.HybridCompute/machines/extensions/read", NULL};
static const char *const writes[] = {"Microsoft.Authorization/policyAssignments/read",
	"Microsoft.Authorization/policySetDefinitions/read",
	"Microsoft.HybridCompute/machines/extensions/delete",
	"Microsoft.HybridCompute/locations/operationstatus/read",
	"Microsoft.HybridCompute/locations/operationresults/read", NULL};
static const enum control_id after[] = {CONTROL_N_};

const struct control legacy_replaced_control = {
	.id = CONTROL_LEGACY_REPLACED,
	.exempted = true,
	.corrects = true,
	.once = true,
	.help = "Windows Server 2012 R2 and 2016 run the unified solution in place of the Log "
		"Analytics based sensor; where configured, the agent itself is removed at last.",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.after = after,
	.may_write = may_write,
	.unobserved = extensions_unobserved,
	.assess = assess_replaced,
	.differences = differences,
	.read = legacy_agent_read,
	.compose = legacy_agent_compose,
	.settle = {45 * 60 * 1000},
	.operation_limit = {7 * 60 * 60 * 1000},
};
