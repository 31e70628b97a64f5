/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/controls/arc_agent.h"
#include "lib/controls/handler_code.h"
#include "lib/controls/legacy.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

/* The Linux extension locks itself for about 36 minutes: never sooner than this after a write. */
#define LINUX_RETRY_PAUSE DUR_MIN(45)
/* A connector looks at the other cloud once in its interval, and may just have done so. */
#define CONNECTOR_SCANS 2

static bool is_unified_system(const struct control_view *v)
{
	return v->machine->os == OS_WINDOWS_UNIFIED;
}

static enum extension_kind wanted_kind(const struct control_view *v)
{
	return os_is_windows(v->machine->os) ? EXTENSION_MDE_WINDOWS : EXTENSION_MDE_LINUX;
}

static struct wall later(struct wall a, struct wall b)
{
	return wall_before(a, b) ? b : a;
}

/* --- the states of an extension --- */

static bool is_deployed(const struct control_view *v, const struct extension_facts *e)
{
	return e->present && e->provisioning == PROVISIONING_SUCCEEDED && !e->foreign_owner &&
		(!is_unified_system(v) || e->vnext == TRI_YES);
}

/* A state word that is not known is taken for one that passes. */
static bool is_worked_on(const struct extension_facts *e)
{
	return e->present &&
		(e->provisioning == PROVISIONING_RUNNING ||
			e->provisioning == PROVISIONING_UNKNOWN);
}

static bool has_failed(const struct extension_facts *e)
{
	return e->present &&
		(e->provisioning == PROVISIONING_FAILED ||
			e->provisioning == PROVISIONING_CANCELED);
}

static const struct handler_code *handler_of(
	const struct control_view *v, const struct extension_facts *e)
{
	return handler_failure_find(os_is_windows(v->machine->os), e->code, e->message);
}

static const char *failure_text(const struct control_view *v, const struct extension_facts *e)
{
	return *e->message != '\0' ? e->message : handler_of(v, e)->text;
}

/* --- judging --- */

static struct verdict judge_worked_on(const struct control_view *v, const struct extension_facts *e)
{
	const struct operation *ours = v->item->operation;
	struct verdict others = verdict_worked_on(v, e);

	if (ours != NULL && ours->phase >= PHASE_SENT)
		return verdict_waiting(REASON_RUNNING, ours->deadline, "");
	if (others.kind == VERDICT_BLOCKED && arc_agent_hangs(v->machine->agent_version))
		return verdict_of(VERDICT_BLOCKED, REASON_AGENT_TOO_OLD,
			arc_agent_flaw(v->machine->agent_version)->text);
	return others;
}

/*
 * When the failure came. The state may have gone from failed to failed between two looks: an item
 * whose correction has just ended knows better than the facts.
 */
static struct wall failed_since(const struct control_view *v, const struct extension_facts *e)
{
	const struct item *item = v->item;

	if (item->state == ITEM_APPLYING || item->state == ITEM_SETTLING)
		return v->now;
	if (item->state == ITEM_BACKOFF || item->state == ITEM_BLOCKED)
		return later(e->changed, item->since);
	return e->changed;
}

static struct verdict judge_failed(const struct control_view *v, const struct extension_facts *e)
{
	enum handler_class class = handler_of(v, e)->class;
	bool on_linux = wanted_kind(v) == EXTENSION_MDE_LINUX;
	struct wall pause = wall_add(failed_since(v, e), LINUX_RETRY_PAUSE);
	struct verdict verdict =
		verdict_of(VERDICT_FAILED, handler_class_reason(class), failure_text(v, e));

	if (on_linux && wall_before(v->now, pause))
		verdict.until = pause;
	else if (view_insists(v))
		return verdict_of(VERDICT_DRIFTED, REASON_EXTENSION_FAILED, verdict.detail);
	if (handler_class_needs_person(class) && !view_insists(v))
		verdict.kind = VERDICT_BLOCKED;
	return verdict;
}

/* A grace that was announced before a restart ends when it was said to. */
static struct wall promised(const struct control_view *v, struct wall until)
{
	const struct item *item = v->item;
	bool waits = item->state == ITEM_WAITING && item->reason == REASON_GRACE;

	return waits && wall_before(item->due, until) ? item->due : until;
}

/* Of a machine that a connector made: the last of its connectors' own times to deploy. */
static struct wall connector_end(const struct control_view *v)
{
	struct wall end = WALL_UNSET;

	for (size_t i = 0; i < v->subscription->connector_count; i++) {
		const struct connector *c = v->subscription->connectors[i];
		struct wall from = later(v->machine->status_since, c->changed);

		if (connector_owns(c, v->machine))
			end = later(end,
				wall_add(from, DUR_H(CONNECTOR_SCANS * (int64_t)c->scan_hours)));
	}
	return end;
}

/* Defender for Cloud deploys by itself: to new machines, and after a switch was turned on. */
static struct wall grace_end(const struct control_view *v, const struct extension_facts *e)
{
	const struct policy_config *policy = v->scope->policy;
	const struct subscription *s = v->subscription;
	struct wall end =
		promised(v, wall_add(later(v->machine->status_since, e->changed), policy->grace));
	const struct setting_facts *integration = &s->settings[SETTING_WDATP];
	const struct setting_facts *exclusion = &s->settings[SETTING_EXCLUDE_LINUX];

	if (v->machine->connector_made)
		end = later(end, connector_end(v));
	if (wall_is_set(s->pricing.enabled_at))
		end = later(end, wall_add(s->pricing.enabled_at, policy->first_grace));
	if (wall_is_set(integration->changed))
		end = later(end, wall_add(integration->changed, policy->first_grace));
	if (policy->linux_integration && os_is_linux(v->machine->os) &&
		exclusion->enabled == TRI_NO && wall_is_set(exclusion->changed))
		end = later(end, wall_add(exclusion->changed, policy->first_grace));
	return end;
}

/* Once it was over, or a correction has been tried, there is no second one. */
static bool grace_is_over(const struct control_view *v)
{
	const struct item *item = v->item;

	/* Each hour with an old sensor that is mute is an hour without protection. */
	return view_insists(v) || legacy_is_mute(v->machine) || item->attempts > 0 ||
		item->misses > 0 ||
		(item->state == ITEM_DRIFTED && item->reason == REASON_EXTENSION_ABSENT);
}

static struct verdict judge_absent(const struct control_view *v, const struct extension_facts *e)
{
	/* To a VM that it leaves out it would not come later either. */
	struct wall end = v->machine->azure_vm ? WALL_UNSET : grace_end(v, e);

	if (!grace_is_over(v) && wall_before(v->now, end))
		return verdict_waiting(REASON_GRACE, end, "");
	return verdict_of(VERDICT_DRIFTED, REASON_EXTENSION_ABSENT, "");
}

/* Deployed the old way: Defender for Cloud may still put that right by itself. */
static struct verdict judge_not_unified(const struct control_view *v)
{
	const struct policy_config *policy = v->scope->policy;
	struct wall switched = v->subscription->settings[SETTING_UNIFIED].changed;

	if (!policy->legacy_replace)
		return verdict_of(VERDICT_EXCLUDED, REASON_REPLACE_OFF, "");
	if (wall_is_set(switched) && !view_insists(v) && !legacy_is_mute(v->machine) &&
		wall_before(v->now, wall_add(switched, policy->grace)))
		return verdict_waiting(REASON_GRACE, wall_add(switched, policy->grace), "");
	return verdict_of(VERDICT_DRIFTED, REASON_EXTENSION_NOT_UNIFIED, "");
}

/* Left to others by configuration; what they made of it is told all the same. */
static struct verdict judge_left_alone(
	const struct control_view *v, const struct extension_facts *e, enum reason reason)
{
	return verdict_of(VERDICT_EXCLUDED, reason, has_failed(e) ? failure_text(v, e) : e->state);
}

/* Of a machine that was moved the extension is deleted first, by a control of its own. */
static struct verdict judge_foreign(const struct control_view *v)
{
	struct control_view of_move = *v;
	struct verdict move;

	of_move.item = &v->machine->items[CONTROL_SUBSCRIPTION_MOVE - FIRST_MACHINE_CONTROL];
	move = subscription_move_control.assess(&of_move);
	if (move.kind == VERDICT_DRIFTED || move.kind == VERDICT_WAITING)
		return verdict_waiting(REASON_PREREQUISITE, wall_add(v->now, DUR_H(1)),
			control_word(CONTROL_SUBSCRIPTION_MOVE));
	return verdict_of(VERDICT_MANUAL, REASON_FOREIGN_OWNER, v->machine->mde_owner);
}

/* Ours to bring about, now that nothing speaks against writing. */
static struct verdict judge_correctable(
	const struct control_view *v, const struct extension_facts *e)
{
	if (is_worked_on(e))
		return judge_worked_on(v, e);
	if (e->foreign_owner)
		return judge_foreign(v);
	if (has_failed(e))
		return judge_failed(v, e);
	return e->present ? judge_not_unified(v) : judge_absent(v, e);
}

/*
 * A VM that Defender for Cloud deploys to by itself: whether it has, within its time. It does not
 * mend what failed.
 */
static struct verdict judge_deployers(const struct control_view *v, const struct extension_facts *e)
{
	struct wall switched = v->subscription->settings[SETTING_UNIFIED].changed;
	struct wall end = grace_end(v, e);

	if (is_worked_on(e))
		return judge_worked_on(v, e);
	if (e->foreign_owner)
		return judge_foreign(v);
	if (has_failed(e))
		return verdict_of(VERDICT_BLOCKED, REASON_DEPLOYER_FAILED, failure_text(v, e));
	if (v->machine->own_image && !e->present)
		return verdict_of(VERDICT_MANUAL, REASON_VM_OWN_IMAGE, "");
	if (e->present && !v->scope->policy->legacy_replace)
		return verdict_of(VERDICT_EXCLUDED, REASON_REPLACE_OFF, "");
	if (e->present)
		end = wall_add(later(switched, e->changed), v->scope->policy->grace);
	return wall_before(v->now, end)
		? verdict_waiting(REASON_GRACE, end, "")
		: verdict_of(VERDICT_BLOCKED, REASON_DEPLOYER_OVERDUE,
			  e->present ? "it is not the unified solution yet" : "");
}

/* What we would write has to be possible: under its own name, at a place. */
static struct verdict check_writable(
	const struct control_view *v, const struct extension_facts *e, struct verdict verdict)
{
	if (verdict.kind != VERDICT_DRIFTED && verdict.kind != VERDICT_FAILED)
		return verdict;
	if (e->present && !str_equal_nocase(e->name, extension_kind_type(wanted_kind(v))))
		return verdict_of(VERDICT_BLOCKED, REASON_EXTENSION_MISNAMED, e->name);
	if (*v->machine->location == '\0')
		return verdict_unreadable("location");
	return verdict;
}

/* Connected, and the agent would install it. */
static struct verdict judge_agent(const struct control_view *v)
{
	struct verdict connection = machine_connection(v);

	if (connection.kind == VERDICT_COMPLIANT)
		return machine_can_install(v);
	if (connection.kind != VERDICT_UNKNOWN)
		connection.kind = VERDICT_UNREACHABLE;
	return connection;
}

/* The policy has a connector keep Defender for Endpoint on, and that connector is known. */
static bool is_kept_by_connector(const struct control_view *v)
{
	const struct subscription *s = v->subscription;

	for (size_t i = 0; i < s->connector_count; i++)
		if (connector_owns(s->connectors[i], v->machine) &&
			!wall_is_set(s->connectors[i]->missing))
			return v->scope->policy->connector.parts[CONNECTOR_MDE];
	return false;
}

static struct verdict judge_supported(const struct control_view *v, const struct extension_facts *e)
{
	struct verdict agent;

	if (is_deployed(v, e))
		return verdict_in_sync();
	if (has_failed(e) && handler_of(v, e)->class == HANDLER_UNSUPPORTED && !view_insists(v))
		return verdict_of(
			VERDICT_UNSUPPORTED, REASON_HANDLER_UNSUPPORTED, failure_text(v, e));
	/* Where nobody deploys by itself, that is the policy's choice; else it is a promise. */
	if (v->scope->policy->deploy == DEPLOY_NEVER &&
		(!v->machine->azure_vm || v->machine->own_image))
		return judge_left_alone(v, e, REASON_DEPLOY_NEVER);
	if (v->machine->connector_made && !is_kept_by_connector(v))
		return judge_left_alone(v, e, REASON_CONNECTOR_OWNED);
	if (selector_has_any_tag(&v->scope->policy->other_edr, v->machine->tags))
		return judge_left_alone(v, e, REASON_OTHER_EDR);
	if (v->machine->tags_unknown && v->scope->policy->other_edr.tag_count > 0)
		return verdict_unreadable("tags");
	if (machine_plan_is_off(v))
		return judge_left_alone(v, e, REASON_MACHINE_PLAN_OFF);
	agent = judge_agent(v);
	if (agent.kind != VERDICT_COMPLIANT)
		return agent;
	if (!extension_is_ours(v))
		return judge_deployers(v, e);
	return check_writable(v, e, judge_correctable(v, e));
}

/* Never forced: Microsoft does not say that it works. */
static struct verdict judge_uncertain(const struct control_view *v, const struct extension_facts *e)
{
	if (is_deployed(v, e))
		return verdict_in_sync();
	return verdict_of(VERDICT_UNSUPPORTED, REASON_UNCERTAIN_OS,
		has_failed(e) ? failure_text(v, e) : v->machine->os_sku);
}

static struct verdict judge(const struct control_view *v, const struct extension_facts *e)
{
	switch (v->machine->os) {
	case OS_UNKNOWN:
		/* A VM of an own image tells it only while it runs. */
		return *v->machine->status == '\0' ||
				(v->machine->azure_vm && !v->machine->connected)
			? machine_connection(v)
			: verdict_unreadable("osSku");
	case OS_WINDOWS_UNSUPPORTED:
	case OS_LINUX_UNSUPPORTED:
		return verdict_of(VERDICT_UNSUPPORTED, REASON_UNSUPPORTED_OS, v->machine->os_sku);
	case OS_EXCLUDED:
	case OS_APPLIANCE:
		return verdict_of(
			VERDICT_UNSUPPORTED, REASON_UNSUPPORTED_OS, os_class_text(v->machine->os));
	case OS_WINDOWS_MAYBE:
	case OS_LINUX_UNCERTAIN: return judge_uncertain(v, e);
	case OS_WINDOWS_UNIFIED:
	case OS_WINDOWS_INBOX:
	case OS_LINUX:
	case OS_CLASS_N_: break;
	}
	return judge_supported(v, e);
}

static struct verdict assess_extension(const struct control_view *v)
{
	struct verdict verdict = judge(v, &v->machine->mde);

	verdict.stamp = extension_stamp(&v->machine->mde);
	return verdict;
}

enum reason extensions_unobserved(const struct control_view *v)
{
	if (v->machine->stamp.source == SOURCE_NONE)
		return REASON_NOT_OBSERVED;
	return v->machine->extensions_known ? REASON_NONE : REASON_PARTIAL;
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	const struct extension_facts *e = &v->machine->mde;
	size_t n = 0;

	if (!e->present || e->provisioning != PROVISIONING_SUCCEEDED) {
		ret[n] = (struct difference){
			.field = "properties.provisioningState", .wanted = "Succeeded"};
		str_copy(ret[n].observed, sizeof(ret[n].observed),
			e->present ? e->state : "not installed");
		n++;
	}
	if (e->present && is_unified_system(v) && e->vnext != TRI_YES) {
		ret[n] = (struct difference){
			.field = "properties.settings.vNextEnabled", .wanted = "true"};
		str_copy(ret[n].observed, sizeof(ret[n].observed),
			e->vnext == TRI_NO ? "false" : "not set");
		n++;
	}
	if (e->present && e->foreign_owner)
		ret[n++] = (struct difference){.field = "properties.settings.azureResourceId",
			.wanted = "this machine",
			.observed = "another machine"};
	return n;
}

/* --- writing --- */

static void read_extension(const struct control_view *v, struct arm_request *ret)
{
	arm_get_extension(v->machine->id, extension_kind_type(wanted_kind(v)), ret);
}

/* Whether the document is our extension and not another product's that stands under its name. */
static bool is_wanted_extension(const struct control_view *v, const struct arm_extension *extension)
{
	return extension_kind(extension->publisher, extension->type) == wanted_kind(v);
}

/* The facts borrow from the extension, which borrows from its document. NULL: it is not there. */
static struct extension_facts facts_of(
	const struct control_view *v, const struct arm_extension *extension)
{
	const struct extension_facts *known = &v->machine->mde;
	struct extension_facts facts = {
		.name = "", .version = "", .state = "", .code = "", .message = ""};

	if (extension != NULL) {
		const char *state = extension->provisioning_state;

		facts.present = true;
		facts.provisioning = provisioning_read(state);
		facts.vnext = extension->vnext;
		facts.foreign_owner = extension->owner_id != NULL &&
			!arm_id_same(extension->owner_id, v->machine->id);
		facts.name = extension->name != NULL ? extension->name : "";
		facts.state = state != NULL ? state : "";
		facts.code = extension->status_code != NULL ? extension->status_code : "";
		facts.message = extension->status_message != NULL ? extension->status_message : "";
	}
	facts.changed = known->present == facts.present && known->provisioning == facts.provisioning
		? known->changed
		: v->now;
	return facts;
}

static struct verdict judge_again(const struct control_view *v, const struct compose_input *in,
	struct arm_extension *extension)
{
	struct extension_facts facts;

	if (in->current != NULL && arm_extension_read(in->current, extension) != 0)
		return verdict_unreadable("the extension");
	if (in->current != NULL && !is_wanted_extension(v, extension))
		return verdict_of(VERDICT_BLOCKED, REASON_NAME_TAKEN,
			extension->publisher != NULL ? extension->publisher : "");
	if (in->package == NULL)
		return verdict_unreadable("the onboarding package");
	facts = facts_of(v, in->current != NULL ? extension : NULL);
	return judge(v, &facts);
}

static bool may_go(const struct control_view *v, const struct verdict *verdict)
{
	return verdict->kind == VERDICT_DRIFTED ||
		(verdict->kind == VERDICT_FAILED && !wall_before(v->now, verdict->until));
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	struct arm_extension extension;
	struct verdict verdict = judge_again(v, in, &extension);

	if (!may_go(v, &verdict))
		return compose_instead(&verdict, ret_verdict);
	arm_put_mde_extension(v->machine->id, v->machine->location, os_is_windows(v->machine->os),
		is_unified_system(v), in->package, in->current, ret);
	return COMPOSED;
}

static bool needs(const struct control_view *v, enum control_id prerequisite)
{
	if (prerequisite == CONTROL_CONNECTOR)
		return v->machine->connector_made;
	if (prerequisite == CONTROL_LINUX_INTEGRATION)
		return os_is_linux(v->machine->os);
	return prerequisite != CONTROL_UNIFIED_SOLUTION || is_unified_system(v);
}

static bool may_write(const struct policy_config *policy)
{
	return policy->deploy != DEPLOY_NEVER;
}

static struct dur pause_between(const struct control_view *v)
{
	return wanted_kind(v) == EXTENSION_MDE_LINUX ? LINUX_RETRY_PAUSE : DUR_MS(0);
}

static const char *const fields[] = {
	"properties.provisioningState",
	"properties.settings.azureResourceId",
	"properties.settings.vNextEnabled",
	"properties.instanceView.status.code",
	"properties.instanceView.status.message",
	NULL,
};
static const char *const reads[] = {"Microsoft.HybridCompute/machines/read",
	"Microsoft.HybridCompute/machines/extensions/read", NULL};
static const char *const writes[] = {"Microsoft.Security/mdeOnboardings/read",
	"Microsoft.HybridCompute/machines/extensions/write",
	"Microsoft.HybridCompute/locations/operationstatus/read",
	"Microsoft.HybridCompute/locations/operationresults/read", NULL};
static const enum control_id after[] = {CONTROL_SERVERS_PLAN, CONTROL_MDE_INTEGRATION,
	CONTROL_UNIFIED_SOLUTION, CONTROL_LINUX_INTEGRATION, CONTROL_CONNECTOR, CONTROL_N_};

const struct control mde_extension_control = {
	.id = CONTROL_MDE_EXTENSION,
	.exempted = true,
	.deeds = DEEDS_SENSOR,
	.corrects = true,
	.needs_package = true,
	.help = "MDE.Windows or MDE.Linux is provisioned, on Windows Server 2012 R2 and 2016 with "
		"the unified solution.",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.after = after,
	.needs = needs,
	.may_write = may_write,
	.unobserved = extensions_unobserved,
	.assess = assess_extension,
	.differences = differences,
	.read = read_extension,
	.compose = compose,
	/* No shorter than LINUX_RETRY_PAUSE: what never shows is written again only after that. */
	.settle = {45 * 60 * 1000},
	/* Azure keeps an operation for a machine that has gone offline for six hours (Azure Arc,
	 * "Troubleshoot connectivity"). */
	.operation_limit = {7 * 60 * 60 * 1000},
	.pause = pause_between,
};
