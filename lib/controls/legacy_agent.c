/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent goes last, once, and only where it is certain that nothing is lost: without it the old
 * sensor is offboarded, and its workspace gets no more data.
 */
#include "lib/base/str.h"
#include "lib/controls/legacy.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

/* How soon to look again at what only mde-extension can bring about. */
#define LOOK_AGAIN DUR_H(1)

static struct verdict keep(enum reason reason, const char *detail)
{
	return verdict_of(VERDICT_COMPLIANT, reason, detail);
}

static bool is_listed(const struct policy_config *policy, const char *workspace)
{
	if (policy->legacy_any_workspace)
		return true;
	for (size_t i = 0; i < policy->legacy_workspace_count; i++)
		if (str_equal_nocase(policy->legacy_workspaces[i], workspace))
			return true;
	return false;
}

/* Kind VERDICT_N_: nobody needs it. */
static struct verdict judge_need(const struct control_view *v)
{
	const struct assigned_policies *policies = &v->subscription->policies;
	const struct assigned_policy *policy =
		assigned_policies_on(policies, DEED(AGENT), v->machine->id);
	const char *workspace = v->machine->legacy_workspace;

	if (!is_listed(v->scope->policy, workspace))
		return keep(REASON_AGENT_WORKSPACE,
			*workspace != '\0' ? workspace : "Azure does not tell which one");
	if (policy != NULL)
		return keep(REASON_AGENT_POLICY, policy->name);
	if (!assigned_policies_known(policies, v->now))
		return keep(REASON_AGENT_POLICY_UNKNOWN, "");
	return verdict_of(VERDICT_N_, REASON_NONE, "");
}

/* A deadline that was announced before a restart holds: when the sensor came is seen anew. */
static struct wall kept_until(const struct control_view *v)
{
	const struct item *item = v->item;
	struct wall until =
		wall_add(v->machine->mde.changed, v->scope->policy->legacy_remove_after);
	bool waits = item->state == ITEM_WAITING && item->reason == REASON_AGENT_KEPT;

	return waits && wall_before(item->due, until) ? item->due : until;
}

/* Once it was over, it does not begin again. */
static bool is_kept(const struct control_view *v)
{
	const struct item *item = v->item;
	bool was_over = item->state == ITEM_DRIFTED && item->reason == REASON_AGENT_IDLE;

	return !view_insists(v) && !was_over && item->attempts == 0 && item->misses == 0 &&
		wall_before(v->now, kept_until(v));
}

static struct verdict judge_removal(const struct control_view *v)
{
	struct verdict connection = machine_connection(v);

	if (connection.kind != VERDICT_COMPLIANT) {
		if (connection.kind != VERDICT_UNKNOWN)
			connection.kind = VERDICT_UNREACHABLE;
		return connection;
	}
	if (is_kept(v))
		return verdict_waiting(REASON_AGENT_KEPT, kept_until(v), "");
	return verdict_of(VERDICT_DRIFTED, REASON_AGENT_IDLE, v->machine->legacy_workspace);
}

struct verdict legacy_agent_judge(const struct control_view *v)
{
	const struct extension_facts *agent = &v->machine->legacy;
	enum sensor_proof proof = sensor_proof(v);
	struct verdict need;

	if (!agent->present)
		return verdict_not_applicable();
	if (!v->scope->policy->legacy_remove_agent)
		return proof == SENSOR_PROVEN
			? keep(REASON_LEGACY_REMAINS, "")
			: keep(REASON_INSTALLED_UNCONFIRMED,
				  "the Log Analytics agent is still installed");
	if (proof == SENSOR_NOT_KNOWN || proof == SENSOR_NOT_SEEN)
		return keep(REASON_AGENT_UNPROVEN,
			proof == SENSOR_NOT_SEEN ? "Defender for Endpoint does not show it at work"
						 : "");
	if (agent->provisioning == PROVISIONING_RUNNING ||
		agent->provisioning == PROVISIONING_UNKNOWN)
		return verdict_worked_on(v, agent);
	need = judge_need(v);
	return need.kind != VERDICT_N_ ? need : judge_removal(v);
}

/* --- writing --- */

static enum extension_kind agent_kind(const struct control_view *v)
{
	return os_is_windows(v->machine->os) ? EXTENSION_MMA : EXTENSION_OMS;
}

static const char *agent_name(const struct control_view *v)
{
	const char *name = v->machine->legacy.name;

	return *name != '\0' ? name : extension_kind_type(agent_kind(v));
}

void legacy_agent_read(const struct control_view *v, struct arm_request *ret)
{
	arm_get_extension(v->machine->id, agent_name(v), ret);
}

/* The facts were renewed by the very reading, so that they decide; the document has to agree. */
static struct verdict judge_document(const struct control_view *v, const json_t *current)
{
	struct arm_extension extension;

	if (current == NULL)
		return verdict_in_sync();
	if (arm_extension_read(current, &extension) != 0)
		return verdict_unreadable("the extension");
	if (extension_kind(extension.publisher, extension.type) != agent_kind(v))
		return verdict_of(VERDICT_BLOCKED, REASON_NAME_TAKEN,
			extension.publisher != NULL ? extension.publisher : "");
	if (!str_equal_nocase(extension.workspace != NULL ? extension.workspace : "",
		    v->machine->legacy_workspace))
		return verdict_unreadable("the agent's workspace");
	return legacy_agent_judge(v);
}

enum compose_result legacy_agent_compose(const struct control_view *v,
	const struct compose_input *in, struct arm_request *ret, struct verdict *ret_verdict)
{
	struct verdict verdict = judge_document(v, in->current);

	if (verdict.kind == VERDICT_DRIFTED && !legacy_is_over(v->machine))
		verdict = verdict_waiting(REASON_PREREQUISITE, wall_add(v->now, LOOK_AGAIN),
			control_word(CONTROL_MDE_EXTENSION));
	if (verdict.kind != VERDICT_DRIFTED)
		return compose_instead(&verdict, ret_verdict);
	arm_delete_extension(v->machine->id, agent_name(v), ret);
	return COMPOSED;
}
