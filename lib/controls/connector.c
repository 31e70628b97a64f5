/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connector's offering is switched on with what is there already or described: roles and
 * identities of the other cloud are made by people, and never invented here.
 */
#include "lib/base/str.h"
#include "lib/controls/connector_described.h"
#include "lib/controls/plan_level.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

static enum plan_level wanted_level(const struct control_view *v)
{
	switch (v->scope->policy->connector.plan) {
	case PLAN_P1: return PLAN_LEVEL_P1;
	case PLAN_P2: return PLAN_LEVEL_P2;
	case PLAN_UNMANAGED: break;
	}
	return PLAN_LEVEL_UNKNOWN;
}

static bool is_wanted(const struct policy_config *policy)
{
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		if (policy->connector.parts[p])
			return true;
	return policy->connector.plan != PLAN_UNMANAGED;
}

/* Without a sub-plan the service gives the full one; that is not counted on. */
static enum plan_level level_of(const struct connector_offering *o)
{
	return plan_level_of("Standard", o->sub_plan);
}

static bool plan_differs(const struct control_view *v, const struct connector_offering *o)
{
	enum plan_level wanted = wanted_level(v);

	return wanted != PLAN_LEVEL_UNKNOWN && (str_empty(o->sub_plan) || level_of(o) != wanted);
}

static bool is_off(const struct control_view *v, const struct connector_offering *o, unsigned part)
{
	if (!v->scope->policy->connector.parts[part])
		return false;
	return o->parts[part] != TRI_YES || (part == CONNECTOR_VULNERABILITY && !o->by_defender);
}

/* --- judging --- */

static struct verdict judge_plan(const struct control_view *v, const struct connector_offering *o)
{
	enum plan_level wanted = wanted_level(v), level = level_of(o);

	if (wanted == PLAN_LEVEL_UNKNOWN)
		return verdict_in_sync();
	if (level == PLAN_LEVEL_UNKNOWN)
		return verdict_unreadable("subPlan");
	if (level > wanted &&
		scope_grant(v->scope, CONTROL_CONNECTOR, v->subscription, NULL, v->now) == NULL)
		return verdict_of(VERDICT_BLOCKED, REASON_PLAN_HIGHER,
			o->sub_plan != NULL ? o->sub_plan : "");
	return plan_differs(v, o) ? verdict_of(VERDICT_DRIFTED, REASON_CONNECTOR_PLAN, "")
				  : verdict_in_sync();
}

/* Agentless scanning belongs to P2: a plan that the policy leaves alone may be another. */
static bool lacks_p2(const struct connector_offering *o, unsigned part)
{
	return part == CONNECTOR_AGENTLESS && level_of(o) == PLAN_LEVEL_P1;
}

static struct verdict judge_parts(const struct control_view *v, const struct connector_offering *o)
{
	struct verdict verdict = verdict_in_sync();

	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++) {
		const char *name = connector_part_name((enum connector_part)p);

		if (!is_off(v, o, p))
			continue;
		if (lacks_p2(o, p))
			verdict = verdict_of(VERDICT_BLOCKED, REASON_CONNECTOR_NEEDS_P2, name);
		else if (o->ready[p])
			return verdict_of(VERDICT_DRIFTED, REASON_CONNECTOR_PART_OFF, name);
		else
			verdict = verdict_of(VERDICT_BLOCKED, REASON_CONNECTOR_ROLE, name);
	}
	return verdict;
}

static struct verdict judge_offering(
	const struct control_view *v, const struct connector_offering *o)
{
	struct verdict plan, parts;

	if (o->doubled)
		return verdict_unreadable("offerings");
	if (!o->present)
		return verdict_of(VERDICT_BLOCKED, REASON_CONNECTOR_NOT_OFFERED,
			connector_cloud_word(v->connector->cloud));
	if (!o->identified)
		return verdict_of(VERDICT_BLOCKED, REASON_CONNECTOR_ROLE, "defenderForServers");
	plan = judge_plan(v, o);
	if (plan.kind == VERDICT_DRIFTED || plan.kind == VERDICT_UNKNOWN)
		return plan;
	/* A plan that stays as it is keeps nothing from being switched on. */
	parts = judge_parts(v, o);
	return parts.kind == VERDICT_COMPLIANT ? plan : parts;
}

/* As it is known, or as it was just read. */
struct seen {
	enum connector_cloud cloud;
	const char *hierarchy;
	const struct connector_offering *offering;
};

static struct verdict judge(const struct control_view *v, const struct seen *seen)
{
	const struct connector_config *described = connector_description(v);
	struct verdict verdict = connector_judge_account(described, seen->cloud, seen->hierarchy);

	if (verdict.kind == VERDICT_COMPLIANT)
		verdict = judge_offering(v, seen->offering);
	return verdict.kind == VERDICT_COMPLIANT
		? connector_judge_identities(described, seen->offering)
		: verdict;
}

static struct verdict judge_known(const struct control_view *v)
{
	const struct connector *c = v->connector;

	return judge(v, &(struct seen){c->cloud, c->hierarchy, &c->offering});
}

/* The connector of the organization that it is a member of, or NULL. */
static const struct connector *parent_of(const struct control_view *v)
{
	const struct subscription *s = v->subscription;

	for (size_t i = 0; *v->connector->parent != '\0' && i < s->connector_count; i++) {
		const struct connector *c = s->connectors[i];

		if (c != v->connector && c->cloud == v->connector->cloud && *c->parent == '\0' &&
			!wall_is_set(c->missing) && str_equal(c->hierarchy, v->connector->parent))
			return c;
	}
	return NULL;
}

/* What an organization's connector says, Defender for Cloud takes over to its members. */
static struct verdict after_parent(const struct control_view *v, struct verdict own)
{
	struct control_view of_parent = *v;

	of_parent.connector = parent_of(v);
	if (own.kind != VERDICT_DRIFTED || of_parent.connector == NULL ||
		judge_known(&of_parent).kind != VERDICT_DRIFTED)
		return own;
	return verdict_waiting(
		REASON_PREREQUISITE, wall_add(v->now, DUR_H(1)), of_parent.connector->name);
}

/* What was only described once was never there. */
static bool is_gone(const struct control_view *v)
{
	const struct connector *c = v->connector;

	return wall_is_set(c->missing) &&
		(c->stamp.source == SOURCE_NONE ||
			wall_since(v->now, c->missing).ms >= CONNECTOR_KEPT.ms);
}

static struct verdict assess_connector(const struct control_view *v)
{
	const struct connector_config *described = connector_description(v);
	struct verdict verdict;

	if (!is_wanted(v->scope->policy) || (described == NULL && is_gone(v)))
		return verdict_not_applicable();
	if (described != NULL && wall_is_set(v->connector->missing)) {
		verdict = connector_judge_absent(v, described);
		verdict.stamp = v->subscription->connectors_stamp;
	} else {
		verdict = after_parent(v, judge_known(v));
		verdict.stamp = v->connector->stamp;
	}
	return verdict;
}

static enum reason unobserved(const struct control_view *v)
{
	if (wall_is_set(v->connector->missing))
		return connector_description(v) != NULL ? REASON_NONE : REASON_VANISHED;
	return v->connector->stamp.source == SOURCE_NONE ? REASON_NOT_OBSERVED : REASON_NONE;
}

/* --- showing --- */

static void add_part(const struct connector_offering *o, unsigned part, struct difference *ret)
{
	static const char *const fields[] = {
		[CONNECTOR_ARC] = "offerings[].arcAutoProvisioning.enabled",
		[CONNECTOR_MDE] = "offerings[].mdeAutoProvisioning.enabled",
		[CONNECTOR_VULNERABILITY] = "offerings[].vaAutoProvisioning.enabled",
		[CONNECTOR_AGENTLESS] = "offerings[].vmScanners.enabled",
	};
	static const char *const observed[] = {
		[TRI_UNKNOWN] = "not there", [TRI_NO] = "false", [TRI_YES] = "not TVM"};

	*ret = (struct difference){.field = fields[part]};
	str_copy(ret->wanted, sizeof(ret->wanted),
		part == CONNECTOR_VULNERABILITY ? "true, TVM" : "true");
	str_copy(ret->observed, sizeof(ret->observed), observed[o->parts[part]]);
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	const struct connector_config *described = connector_description(v);
	const struct connector_offering *o = &v->connector->offering;
	size_t n = 0;

	if (described != NULL && wall_is_set(v->connector->missing))
		return connector_absent_differences(v, described, ret);
	if (plan_differs(v, o)) {
		ret[n] = (struct difference){.field = "offerings[].subPlan"};
		str_copy(ret[n].wanted, sizeof(ret[n].wanted),
			wanted_level(v) == PLAN_LEVEL_P1 ? "P1" : "P2");
		str_copy(ret[n].observed, sizeof(ret[n].observed),
			str_empty(o->sub_plan) ? "not set" : o->sub_plan);
		n++;
	}
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		if (is_off(v, o, p))
			add_part(o, p, &ret[n++]);
	return n;
}

/* --- writing --- */

static void read_connector(const struct control_view *v, struct arm_request *ret)
{
	arm_get_connector(v->connector->id, ret);
}

static json_t *document_to_send(const struct control_view *v, const struct compose_input *in,
	const struct connector_offering *o)
{
	json_t *document = arm_connector_document(in->current);
	bool plan_goes = judge_plan(v, o).kind == VERDICT_DRIFTED;
	bool to_p1 = plan_goes && wanted_level(v) == PLAN_LEVEL_P1;

	if (plan_goes)
		arm_connector_set_plan(document, to_p1 ? "P1" : "P2");
	/* What P1 does not have would be refused with it. */
	if (to_p1 && o->parts[CONNECTOR_AGENTLESS] == TRI_YES)
		arm_connector_switch(document, CONNECTOR_AGENTLESS, false);
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		if (is_off(v, o, p) && o->ready[p] &&
			(!lacks_p2(o, p) || wanted_level(v) == PLAN_LEVEL_P2))
			arm_connector_switch(document, (enum connector_part)p, true);
	return document;
}

/* Nothing is there: it is made, where it is described and nothing speaks against it. */
static enum compose_result compose_new(
	const struct control_view *v, struct arm_request *ret, struct verdict *ret_verdict)
{
	const struct connector_config *described = connector_description(v);
	struct verdict verdict = described != NULL ? connector_judge_absent(v, described)
						   : verdict_unreadable("the connector");

	if (verdict.kind != VERDICT_DRIFTED)
		return compose_instead(&verdict, ret_verdict);
	arm_put_connector(described->id, connector_new_document(v, described), ret);
	return COMPOSED;
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	struct arm_connector current;
	struct verdict verdict;

	if (in->current == NULL)
		return compose_new(v, ret, ret_verdict);
	if (arm_connector_read(in->current, &current) != 0)
		verdict = verdict_unreadable("the connector");
	else
		verdict = judge(
			v, &(struct seen){current.cloud, current.hierarchy, &current.offering});
	if (verdict.kind != VERDICT_DRIFTED)
		return compose_instead(&verdict, ret_verdict);
	arm_put_connector(v->connector->id, document_to_send(v, in, &current.offering), ret);
	return COMPOSED;
}

static const char *const fields[] = {
	"properties.environmentName",
	"properties.hierarchyIdentifier",
	"properties.environmentData.scanInterval",
	"properties.environmentData.organizationalData.parentHierarchyId",
	"properties.offerings",
	NULL,
};
static const char *const reads[] = {"Microsoft.Security/securityConnectors/read", NULL};
static const char *const writes[] = {"Microsoft.Security/securityConnectors/write", NULL};
static const enum control_id after[] = {CONTROL_PROVIDER, CONTROL_N_};

static bool needs(const struct control_view *v, enum control_id prerequisite)
{
	(void)prerequisite;
	return provider_is_missing(v);
}

const struct control connector_control = {
	.id = CONTROL_CONNECTOR,
	.corrects = true,
	.help = "The AWS or GCP connector is there where the configuration describes it, has the "
		"Defender for Servers plan of the policy, and what the policy lists is switched on "
		"for its machines: the Arc agent, Defender for "
		"Endpoint, the vulnerability assessment, agentless scanning.",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.read_if_wanted = true,
	.after = after,
	.needs = needs,
	.may_write = is_wanted,
	.unobserved = unobserved,
	.assess = assess_connector,
	.differences = differences,
	.read = read_connector,
	.compose = compose,
	.refusal = connector_refusal,
	.by_hand = connector_by_hand,
	/* Answered at once; both limits are for what went wrong: an answer that was lost. */
	.settle = {10 * 60 * 1000},
	.operation_limit = {15 * 60 * 1000},
};
