/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/controls/arc_agent.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

/* The words of `properties.status`; Expired is in no published enumeration. */
static const struct {
	const char *status;
	enum verdict_kind kind;
	enum reason reason;
} connections[] = {
	{"", VERDICT_UNREACHABLE, REASON_NEVER_CONNECTED},
	{"AwaitingConnection", VERDICT_UNREACHABLE, REASON_NEVER_CONNECTED},
	{"Connected", VERDICT_COMPLIANT, REASON_IN_SYNC},
	{"Disconnected", VERDICT_UNREACHABLE, REASON_DISCONNECTED},
	{"Expired", VERDICT_MANUAL, REASON_EXPIRED},
	{"Error", VERDICT_BLOCKED, REASON_AGENT_ERROR},
};

struct verdict arc_connection(const struct control_view *v)
{
	for (size_t i = 0; i < ARRAY_LEN(connections); i++)
		if (str_equal_nocase(v->machine->status, connections[i].status))
			return verdict_of(connections[i].kind, connections[i].reason, "");
	return verdict_unreadable(v->machine->status);
}

struct verdict arc_admits_extension(const struct control_view *v)
{
	/* What an agent does not tell is no obstacle: it enforces its lists itself. */
	if (v->machine->extensions_enabled == TRI_NO)
		return verdict_of(VERDICT_BLOCKED, REASON_EXTENSIONS_DISABLED, "");
	if (v->machine->mde_allowed == TRI_NO)
		return verdict_of(VERDICT_BLOCKED, REASON_EXTENSION_NOT_ALLOWED, "");
	return verdict_in_sync();
}

struct verdict arc_can_install(const struct control_view *v)
{
	const struct arc_agent_flaw *flaw = arc_agent_flaw(v->machine->agent_version);
	struct verdict admits = arc_admits_extension(v);

	if (admits.kind == VERDICT_COMPLIANT && flaw != NULL && flaw->prevents && !view_insists(v))
		return verdict_of(VERDICT_BLOCKED, REASON_AGENT_TOO_OLD, flaw->text);
	return admits;
}

/* An old agent with a sensor that is in place has done its work. */
static bool has_sensor(const struct machine *m)
{
	return m->mde.present && m->mde.provisioning == PROVISIONING_SUCCEEDED;
}

static bool wants_sensor(const struct control_view *v)
{
	return v->scope->policy->deploy != DEPLOY_NEVER && os_is_supported(v->machine->os);
}

static struct verdict judge(const struct control_view *v)
{
	struct verdict connection = arc_connection(v);

	if (connection.kind != VERDICT_COMPLIANT || !wants_sensor(v))
		return connection;
	return has_sensor(v->machine) ? arc_admits_extension(v) : arc_can_install(v);
}

static struct verdict assess_connected(const struct control_view *v)
{
	struct verdict verdict = v->machine->azure_vm ? verdict_not_applicable() : judge(v);

	verdict.stamp = v->machine->stamp;
	return verdict;
}

static enum reason unobserved(const struct control_view *v)
{
	return v->machine->stamp.source == SOURCE_NONE ? REASON_NOT_OBSERVED : REASON_NONE;
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	const struct machine *m = v->machine;
	size_t n = 0;

	if (!m->connected) {
		ret[n] = (struct difference){.field = "properties.status", .wanted = "Connected"};
		str_copy(ret[n].observed, sizeof(ret[n].observed), m->status);
		n++;
	}
	if (wants_sensor(v) && !has_sensor(m) &&
		arc_can_install(v).reason == REASON_AGENT_TOO_OLD) {
		ret[n] = (struct difference){.field = "properties.agentVersion"};
		str_copy(ret[n].wanted, sizeof(ret[n].wanted), "a recent release");
		str_copy(ret[n].observed, sizeof(ret[n].observed), m->agent_version);
		n++;
	}
	if (m->extensions_enabled == TRI_NO && wants_sensor(v))
		ret[n++] = (struct difference){
			.field = "properties.agentConfiguration.extensionsEnabled",
			.wanted = "true",
			.observed = "false"};
	if (m->mde_allowed == TRI_NO && wants_sensor(v))
		ret[n++] = (struct difference){
			.field = "properties.agentConfiguration.extensionsAllowList",
			.wanted = "allows the MDE extension",
			.observed = "refuses it"};
	return n;
}

static const char *const fields[] = {
	"properties.status",
	"properties.lastStatusChange",
	"properties.agentVersion",
	"properties.agentConfiguration.extensionsEnabled",
	"properties.agentConfiguration.extensionsAllowList",
	"properties.agentConfiguration.extensionsBlockList",
	"properties.agentConfiguration.configMode",
	NULL,
};
static const char *const reads[] = {"Microsoft.HybridCompute/machines/read", NULL};
static const enum control_id after[] = {CONTROL_N_};

const struct control arc_connected_control = {
	.id = CONTROL_ARC_CONNECTED,
	.help = "The Arc agent is connected, and would let the sensor be installed.",
	.fields = fields,
	.reads = reads,
	.after = after,
	.unobserved = unobserved,
	.assess = assess_connected,
	.differences = differences,
};
