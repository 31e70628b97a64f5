/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine that was moved takes its MDE extension along, with the id that it had before in it, and
 * Defender for Cloud takes it for that other machine. Deleted, the extension is deployed again with
 * the right id; the sensor goes on running all the time.
 */
#include "lib/base/str.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

static bool is_worked_on(const struct extension_facts *e)
{
	return e->provisioning == PROVISIONING_RUNNING || e->provisioning == PROVISIONING_UNKNOWN;
}

/* Deletions are always admitted; what comes after has to be as well. */
static struct verdict judge_agent(const struct control_view *v)
{
	struct verdict connection = machine_connection(v);

	if (connection.kind == VERDICT_COMPLIANT)
		return machine_admits_extension(v);
	if (connection.kind != VERDICT_UNKNOWN)
		connection.kind = VERDICT_UNREACHABLE;
	return connection;
}

/* Whether it came from the same tenant; an operator may know more than can be seen. */
static struct verdict judge_origin(const struct control_view *v)
{
	const char *owner = v->machine->mde_owner;

	switch (v->machine->owner_in_tenant) {
	case TRI_YES: return verdict_of(VERDICT_DRIFTED, REASON_MOVED, owner);
	case TRI_NO: return verdict_of(VERDICT_MANUAL, REASON_MOVED_FROM_TENANT, owner);
	case TRI_UNKNOWN: break;
	}
	if (view_insists(v))
		return verdict_of(VERDICT_DRIFTED, REASON_MOVED, owner);
	return verdict_of(VERDICT_MANUAL, REASON_MOVED_FROM_UNKNOWN, owner);
}

static struct verdict judge_moved(const struct control_view *v)
{
	const struct extension_facts *e = &v->machine->mde;
	struct verdict agent;

	if (v->machine->connector_made)
		return verdict_of(VERDICT_EXCLUDED, REASON_CONNECTOR_OWNED, v->machine->mde_owner);
	if (v->scope->policy->deploy == DEPLOY_NEVER)
		return verdict_of(VERDICT_EXCLUDED, REASON_DEPLOY_NEVER, v->machine->mde_owner);
	if (is_worked_on(e))
		return verdict_worked_on(v, e);
	agent = judge_agent(v);
	return agent.kind == VERDICT_COMPLIANT ? judge_origin(v) : agent;
}

static struct verdict assess_move(const struct control_view *v)
{
	const struct extension_facts *e = &v->machine->mde;
	struct verdict verdict = verdict_not_applicable();

	if (e->present && e->foreign_owner)
		verdict = judge_moved(v);
	/* That it was deleted once is remembered. */
	else if (v->item->corrections > 0)
		verdict = verdict_in_sync();
	verdict.stamp = extension_stamp(e);
	return verdict;
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	if (!v->machine->mde.foreign_owner)
		return 0;
	ret[0] = (struct difference){
		.field = "properties.settings.azureResourceId", .wanted = "this machine"};
	str_copy(ret[0].observed, sizeof(ret[0].observed), v->machine->mde_owner);
	return 1;
}

static enum extension_kind sensor_kind(const struct control_view *v)
{
	return os_is_windows(v->machine->os) ? EXTENSION_MDE_WINDOWS : EXTENSION_MDE_LINUX;
}

static const char *sensor_name(const struct control_view *v)
{
	const char *name = v->machine->mde.name;

	return *name != '\0' ? name : extension_kind_type(sensor_kind(v));
}

static void read_extension(const struct control_view *v, struct arm_request *ret)
{
	arm_get_extension(v->machine->id, sensor_name(v), ret);
}

/* The facts were renewed by the very reading; the document has to say the same. */
static struct verdict judge_document(const struct control_view *v, const json_t *current)
{
	struct arm_extension extension;

	if (current == NULL)
		return verdict_in_sync();
	if (arm_extension_read(current, &extension) != 0 || extension.owner_id == NULL)
		return verdict_unreadable("the extension");
	if (extension_kind(extension.publisher, extension.type) != sensor_kind(v))
		return verdict_of(VERDICT_BLOCKED, REASON_NAME_TAKEN,
			extension.publisher != NULL ? extension.publisher : "");
	if (arm_id_same(extension.owner_id, v->machine->id))
		return verdict_in_sync();
	return assess_move(v);
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	struct verdict verdict = judge_document(v, in->current);

	if (verdict.kind != VERDICT_DRIFTED)
		return compose_instead(&verdict, ret_verdict);
	arm_delete_extension(v->machine->id, sensor_name(v), ret);
	return COMPOSED;
}

static bool may_write(const struct policy_config *policy)
{
	return policy->deploy != DEPLOY_NEVER;
}

static const char *const fields[] = {
	"properties.settings.azureResourceId", "properties.provisioningState", NULL};
static const char *const reads[] = {"Microsoft.HybridCompute/machines/read",
	"Microsoft.HybridCompute/machines/extensions/read", NULL};
static const char *const writes[] = {"Microsoft.HybridCompute/machines/extensions/delete",
	"Microsoft.HybridCompute/locations/operationstatus/read",
	"Microsoft.HybridCompute/locations/operationresults/read", NULL};
/* Nothing is deleted that would not be deployed again. */
static const enum control_id after[] = {CONTROL_SERVERS_PLAN, CONTROL_MDE_INTEGRATION, CONTROL_N_};

const struct control subscription_move_control = {
	.id = CONTROL_SUBSCRIPTION_MOVE,
	.exempted = true,
	.corrects = true,
	.once = true,
	.help = "The MDE extension of a machine that was moved names the machine as it is now: it "
		"is "
		"deleted once, and deployed again.",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.after = after,
	.may_write = may_write,
	.unobserved = extensions_unobserved,
	.assess = assess_move,
	.differences = differences,
	.read = read_extension,
	.compose = compose,
	.settle = {45 * 60 * 1000},
	.operation_limit = {7 * 60 * 60 * 1000},
};
