/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"
#include "lib/model/single.h"

/* Minutes are usual. */
#define REGISTERING_LIMIT DUR_H(1)

static const enum single_id providers[] = {
	SINGLE_SECURITY_PROVIDER, SINGLE_ARC_PROVIDER, SINGLE_SOLUTIONS_PROVIDER};

static const struct single_facts *facts_of(const struct control_view *v, enum single_id id)
{
	return &v->subscription->singles[id];
}

static bool is_known(const struct control_view *v, enum single_id id)
{
	return facts_of(v, id)->stamp.source != SOURCE_NONE;
}

static bool is_registered(const struct control_view *v, enum single_id id)
{
	return str_equal_nocase(facts_of(v, id)->word, "Registered");
}

static bool is_missing(const struct control_view *v, enum single_id id)
{
	return is_known(v, id) && !is_registered(v, id);
}

bool provider_is_missing(const struct control_view *v)
{
	return is_missing(v, SINGLE_SECURITY_PROVIDER);
}

bool provider_of_solutions_is_missing(const struct control_view *v)
{
	return is_missing(v, SINGLE_SOLUTIONS_PROVIDER);
}

static bool is_wanted(const struct control_view *v, enum single_id id)
{
	if (id == SINGLE_SOLUTIONS_PROVIDER)
		return v->subscription->workspace_count > 0 &&
			provider_of_solutions_matters(v->subscription);
	return id == SINGLE_SECURITY_PROVIDER || v->subscription->machine_count > 0;
}

/* The first one that is not registered, or SINGLE_N_: one is registered after the other. */
static enum single_id next_missing(const struct control_view *v)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (is_wanted(v, providers[i]) && is_missing(v, providers[i]))
			return providers[i];
	return SINGLE_N_;
}

/* The one that was registered in the present trouble, or SINGLE_N_. */
static enum single_id registered_now(const struct control_view *v)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (is_registered(v, providers[i]) &&
			wall_before(v->item->first_drift, facts_of(v, providers[i])->changed))
			return providers[i];
	return SINGLE_N_;
}

/* What the settling correction was about; the other provider, if it is missing as well, is next. */
static enum single_id current(const struct control_view *v)
{
	enum single_id id = SINGLE_N_;

	if (v->item != NULL && v->item->state == ITEM_SETTLING)
		id = registered_now(v);
	return id != SINGLE_N_ ? id : next_missing(v);
}

/* Azure changes it, on somebody's word: that ends by itself, or never. */
static struct verdict judge_changing(
	const struct control_view *v, const struct single_facts *facts, const char *name)
{
	struct wall end = wall_add(facts->changed, REGISTERING_LIMIT);

	if (wall_before(v->now, end))
		return verdict_waiting(REASON_REGISTRATION_PENDING, end, name);
	return verdict_of(VERDICT_BLOCKED, REASON_REGISTRATION_OVERDUE, name);
}

static struct verdict judge(
	const struct control_view *v, enum single_id id, const struct single_facts *facts)
{
	const char *name = single_row(id)->name;

	if (str_equal_nocase(facts->word, "Registered"))
		return verdict_in_sync();
	if (str_equal_nocase(facts->word, "Registering") ||
		str_equal_nocase(facts->word, "Unregistering"))
		return judge_changing(v, facts, name);
	if (!str_equal_nocase(facts->word, "NotRegistered") &&
		!str_equal_nocase(facts->word, "Unregistered"))
		return verdict_unreadable(facts->word);
	return verdict_of(v->scope->policy->register_providers ? VERDICT_DRIFTED : VERDICT_BLOCKED,
		REASON_UNREGISTERED, name);
}

/* Where nobody wants it kept, it is told only where it is in the way. */
static struct verdict assess_providers(const struct control_view *v)
{
	enum single_id id = current(v);
	struct verdict verdict = verdict_in_sync();

	if (id == SINGLE_N_ && !v->scope->policy->register_providers)
		return verdict_not_applicable();
	if (id != SINGLE_N_)
		verdict = judge(v, id, facts_of(v, id));
	verdict.stamp = facts_of(v, id != SINGLE_N_ ? id : SINGLE_SECURITY_PROVIDER)->stamp;
	return verdict;
}

static enum reason unobserved(const struct control_view *v)
{
	if (next_missing(v) != SINGLE_N_)
		return REASON_NONE;
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (is_wanted(v, providers[i]) && !is_known(v, providers[i]))
			return REASON_NOT_OBSERVED;
	return REASON_NONE;
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
		if (!is_wanted(v, providers[i]) || !is_missing(v, providers[i]))
			continue;
		ret[n] = (struct difference){.field = single_row(providers[i])->label};
		str_copy(ret[n].wanted, sizeof(ret[n].wanted), "Registered");
		str_copy(ret[n].observed, sizeof(ret[n].observed), facts_of(v, providers[i])->word);
		n++;
	}
	return n;
}

static void read_provider(const struct control_view *v, struct arm_request *ret)
{
	enum single_id id = next_missing(v);

	single_request(v->subscription->id, id != SINGLE_N_ ? id : SINGLE_SECURITY_PROVIDER, ret);
}

/* The other provider, if it is missing as well, comes next. */
static struct verdict judge_other(const struct control_view *v, enum single_id read)
{
	enum single_id id = next_missing(v);

	if (id == SINGLE_N_ || id == read)
		return verdict_in_sync();
	return verdict_waiting(
		REASON_REGISTRATION_PENDING, wall_add(v->now, DUR_MIN(1)), single_row(id)->name);
}

static enum compose_result compose(const struct control_view *v, const struct compose_input *in,
	struct arm_request *ret, struct verdict *ret_verdict)
{
	enum single_id read = single_of(ARM_KIND_PROVIDER, json_text(in->current, "namespace"));
	struct verdict verdict = verdict_unreadable("registrationState");
	struct single_facts fresh;

	if (read != SINGLE_N_) {
		const char *word = json_path_text(in->current, single_row(read)->path);

		fresh = *facts_of(v, read);
		fresh.word = word != NULL ? word : "";
		verdict = judge(v, read, &fresh);
	}
	if (verdict.kind == VERDICT_COMPLIANT)
		verdict = judge_other(v, read);
	if (verdict.kind != VERDICT_DRIFTED)
		return compose_instead(&verdict, ret_verdict);
	arm_register_provider(v->subscription->id, single_row(read)->name, ret);
	return COMPOSED;
}

static bool may_write(const struct policy_config *policy)
{
	return policy->register_providers;
}

static const char *const fields[] = {"registrationState", NULL};
static const char *const reads[] = {"Microsoft.Resources/subscriptions/providers/read", NULL};
static const char *const writes[] = {
	"Microsoft.Security/register/action", "Microsoft.HybridCompute/register/action", NULL};
static const enum control_id after[] = {CONTROL_N_};

const struct control provider_control = {
	.id = CONTROL_PROVIDER,
	.corrects = true,
	.help = "The resource providers Microsoft.Security and, where Arc machines exist, "
		"Microsoft.HybridCompute are registered, and Microsoft.OperationsManagement where "
		"workspaces get the plan.",
	.fields = fields,
	.reads = reads,
	.writes = writes,
	.read_if_wanted = true,
	.after = after,
	.may_write = may_write,
	.unobserved = unobserved,
	.assess = assess_providers,
	.differences = differences,
	.read = read_provider,
	.compose = compose,
	.settle = {10 * 60 * 1000},
	.operation_limit = {60 * 60 * 1000},
};
