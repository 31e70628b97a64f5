/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/controls/plan_level.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

#include <stdio.h>
#include <string.h>

static enum plan_level wanted_level(const struct control_view *v)
{
	return v->scope->policy->plan == PLAN_P1 ? PLAN_LEVEL_P1 : PLAN_LEVEL_P2;
}

static const char *sub_plan_of(enum plan_level level)
{
	return level == PLAN_LEVEL_P1 ? "P1" : "P2";
}

static struct verdict judge_higher(const struct control_view *v)
{
	if (scope_grant(v->scope, CONTROL_SERVERS_PLAN, v->subscription, NULL, v->now) != NULL)
		return verdict_of(VERDICT_DRIFTED, REASON_PLAN_DIFFERS, "");
	return verdict_of(VERDICT_BLOCKED, REASON_PLAN_HIGHER, "");
}

/* What a plan is judged by, as remembered or as just read. */
struct plan_seen {
	enum plan_level level;
	const char *failure;     /* "" : no extension failed */
	const char *replaced_by; /* "": it is not deprecated */
	enum tri extensions[PLAN_EXTENSION_N_];
	bool ready[PLAN_EXTENSION_N_];
};

static bool is_off(const struct control_view *v, const struct plan_seen *seen, unsigned e)
{
	return v->scope->policy->plan_extensions[e] && seen->extensions[e] != TRI_YES;
}

/* Partial success is no success; an extension that the policy lists and is off is drift. */
static struct verdict judge_extensions(const struct control_view *v, const struct plan_seen *seen)
{
	struct verdict verdict = verdict_in_sync();

	if (!str_empty(seen->failure))
		return verdict_of(view_insists(v) ? VERDICT_DRIFTED : VERDICT_FAILED,
			REASON_PLAN_EXTENSION_FAILED, seen->failure);
	for (unsigned e = 0; e < PLAN_EXTENSION_N_; e++) {
		const char *name = plan_extension_name((enum plan_extension)e);

		if (is_off(v, seen, e) && seen->ready[e])
			return verdict_of(VERDICT_DRIFTED, REASON_PLAN_EXTENSION_OFF, name);
		if (is_off(v, seen, e))
			verdict = verdict_of(VERDICT_BLOCKED, REASON_PLAN_EXTENSION_UNREADY, name);
	}
	return verdict;
}

static struct verdict judge_level(const struct control_view *v, const struct plan_seen *seen)
{
	enum plan_level wanted = wanted_level(v);

	switch (seen->level) {
	case PLAN_LEVEL_UNKNOWN: return verdict_unreadable("pricingTier or subPlan");
	case PLAN_LEVEL_OFF: return verdict_of(VERDICT_DRIFTED, REASON_PLAN_OFF, "");
	case PLAN_LEVEL_P1:
	case PLAN_LEVEL_P2: break;
	}
	if (seen->level > wanted)
		return judge_higher(v);
	if (seen->level < wanted)
		return verdict_of(VERDICT_DRIFTED, REASON_PLAN_DIFFERS, "");
	return judge_extensions(v, seen);
}

/* What Azure has given up is not switched on any more. */
static struct verdict judge(const struct control_view *v, const struct plan_seen *seen)
{
	struct verdict verdict = judge_level(v, seen);

	if (!str_empty(seen->replaced_by) &&
		(verdict.kind == VERDICT_DRIFTED || verdict.kind == VERDICT_FAILED))
		return verdict_of(VERDICT_BLOCKED, REASON_PLAN_DEPRECATED, seen->replaced_by);
	return verdict;
}

static struct plan_seen seen_by(const struct subscription *s)
{
	struct plan_seen seen = {
		.level = plan_level_of(s->pricing.tier, s->pricing.sub_plan),
		.failure = s->pricing.failure,
		.replaced_by = s->pricing.replaced_by,
	};

	memcpy(seen.extensions, s->pricing.extensions, sizeof(seen.extensions));
	memcpy(seen.ready, s->pricing.ready, sizeof(seen.ready));
	return seen;
}

static struct plan_seen seen_in(const struct arm_pricing *p)
{
	struct plan_seen seen = {
		.level = plan_level_of(p->tier, p->sub_plan),
		.failure = "",
		.replaced_by = p->deprecated ? "deprecated" : "",
	};
	const char *name;

	for (unsigned e = 0; e < PLAN_EXTENSION_N_; e++) {
		seen.extensions[e] =
			arm_pricing_extension(p, plan_extension_name((enum plan_extension)e));
		seen.ready[e] = arm_pricing_extension_ready(p, (enum plan_extension)e);
	}
	if (arm_pricing_failure(p, &name, &seen.failure) && *seen.failure == '\0')
		seen.failure = name;
	return seen;
}

static enum reason unobserved(const struct control_view *v)
{
	if (v->subscription->pricing.stamp.source != SOURCE_NONE)
		return REASON_NONE;
	return provider_is_missing(v) ? REASON_UNREGISTERED : REASON_NOT_OBSERVED;
}

static struct verdict assess_plan(const struct control_view *v)
{
	struct plan_seen seen = seen_by(v->subscription);
	struct verdict verdict;

	if (v->scope->policy->plan == PLAN_UNMANAGED)
		return verdict_not_applicable();
	verdict = judge(v, &seen);
	verdict.stamp = v->subscription->pricing.stamp;
	return verdict;
}

static void add_difference(
	struct difference **at, const char *field, const char *wanted, const char *observed)
{
	**at = (struct difference){.field = field};
	str_copy((*at)->wanted, sizeof((*at)->wanted), wanted);
	str_copy((*at)->observed, sizeof((*at)->observed), observed);
	++*at;
}

static void add_extension_differences(
	const struct control_view *v, const struct plan_seen *seen, struct difference **at)
{
	static const char *const observed[] = {
		[TRI_UNKNOWN] = "not listed", [TRI_NO] = "False", [TRI_YES] = "True"};

	for (unsigned e = 0; e < PLAN_EXTENSION_N_; e++)
		if (is_off(v, seen, e))
			add_difference(at, plan_extension_name((enum plan_extension)e), "True",
				observed[seen->extensions[e]]);
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	const struct subscription *s = v->subscription;
	struct plan_seen seen = seen_by(s);
	struct difference *at = ret;
	char failed[160];

	if (seen.level < PLAN_LEVEL_P1)
		add_difference(&at, "properties.pricingTier", "Standard", s->pricing.tier);
	if (seen.level != wanted_level(v))
		add_difference(&at, "properties.subPlan", sub_plan_of(wanted_level(v)),
			seen.level == PLAN_LEVEL_P2 ? "P2" : s->pricing.sub_plan);
	if (*seen.failure != '\0') {
		snprintf(failed, sizeof(failed), "Failed: %.140s", seen.failure);
		add_difference(&at, "properties.extensions[].operationStatus", "Succeeded", failed);
	}
	add_extension_differences(v, &seen, &at);
	return (size_t)(at - ret);
}

static void read_plan(const struct control_view *v, struct arm_request *ret)
{
	arm_get_pricing(v->subscription->id, ret);
}

static json_t *document_to_send(
	const struct control_view *v, const struct compose_input *in, const struct plan_seen *seen)
{
	json_t *document =
		arm_pricing_document(in->current, "Standard", sub_plan_of(wanted_level(v)));

	for (unsigned e = 0; e < PLAN_EXTENSION_N_; e++)
		if (is_off(v, seen, e) && seen->ready[e])
			arm_pricing_switch_on(document, (enum plan_extension)e);
	return document;
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	struct arm_pricing current;
	struct plan_seen seen;
	struct verdict verdict;

	/* Without the present document its plan extensions cannot be sent back as they were. */
	if (in->current == NULL || arm_pricing_read(in->current, &current) != 0) {
		*ret_verdict = verdict_unreadable("the plan");
		return COMPOSE_WITHHELD;
	}
	seen = seen_in(&current);
	verdict = judge(v, &seen);
	if (verdict.kind != VERDICT_DRIFTED)
		return compose_instead(&verdict, ret_verdict);
	arm_put_pricing(v->subscription->id, document_to_send(v, in, &seen), ret);
	return COMPOSED;
}

static bool failed_in_part(const json_t *answer, enum reason *ret_reason, struct buf *ret_detail)
{
	const char *name, *message;
	struct arm_pricing pricing;

	if (arm_pricing_read(answer, &pricing) != 0 ||
		!arm_pricing_failure(&pricing, &name, &message))
		return false;
	*ret_reason = REASON_PLAN_EXTENSION_FAILED;
	buf_addf(ret_detail, "%.80s: %.300s", name, message);
	return true;
}

static bool may_write(const struct policy_config *policy)
{
	return policy->plan != PLAN_UNMANAGED;
}

static const char *const fields[] = {
	"properties.pricingTier",
	"properties.subPlan",
	"properties.enforce",
	"properties.enablementTime",
	"properties.extensions",
	"properties.resourcesCoverageStatus",
	"properties.deprecated",
	"properties.replacedBy",
	NULL,
};
static const char *const reads[] = {"Microsoft.Security/pricings/read", NULL};
static const char *const writes[] = {"Microsoft.Security/pricings/write", NULL};
static const enum control_id after[] = {CONTROL_PROVIDER, CONTROL_N_};

/* A registration that cannot be read is no obstacle: Azure says itself when it is missing. */
static bool needs(const struct control_view *v, enum control_id prerequisite)
{
	(void)prerequisite;
	return provider_is_missing(v);
}

const struct control servers_plan_control = {
	.id = CONTROL_SERVERS_PLAN,
	.deeds = DEED(PLAN),
	.corrects = true,
	.in_turn = true,
	.help = "Microsoft Defender for Servers is on, with the plan of the policy and the "
		"extensions that it lists.",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.after = after,
	.needs = needs,
	.may_write = may_write,
	.unobserved = unobserved,
	.assess = assess_plan,
	.differences = differences,
	.read = read_plan,
	.compose = compose,
	.failed_in_part = failed_in_part,
	/* Answered at once, after up to nine seconds; both limits are for what went wrong: Graph
	 * that lags, an answer that was lost. */
	.settle = {10 * 60 * 1000},
	.operation_limit = {15 * 60 * 1000},
};
