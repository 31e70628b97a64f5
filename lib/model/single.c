/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/single.h"

#include "lib/base/str.h"
#include "lib/model/config.h"

/* What decides nothing is not read in each pass. */
#define RETIRED_FOR DUR_DAYS(1)

static const struct single_row rows[] = {
	[SINGLE_SECURITY_PROVIDER] = {"provider Microsoft.Security", ARM_KIND_PROVIDER,
		"Microsoft.Security", "registrationState", true},
	[SINGLE_ARC_PROVIDER] = {"provider Microsoft.HybridCompute", ARM_KIND_PROVIDER,
		"Microsoft.HybridCompute", "registrationState", true},
	[SINGLE_SOLUTIONS_PROVIDER] = {"provider Microsoft.OperationsManagement", ARM_KIND_PROVIDER,
		"Microsoft.OperationsManagement", "registrationState", true},
	[SINGLE_VULNERABILITY] = {"vulnerability assessment provider", ARM_KIND_VA_SETTING,
		"azureServersSetting", "properties.selectedProvider", true},
	[SINGLE_AUTO_PROVISIONING] = {"Log Analytics agent auto-provisioning (retired)",
		ARM_KIND_AUTO_PROVISIONING, "default", "properties.autoProvision", false},
};
_Static_assert(ARRAY_LEN(rows) == SINGLE_N_, "a row for each document");

const struct single_row *single_row(enum single_id id)
{
	return &rows[id];
}

enum single_id single_of(enum arm_kind kind, const char *name)
{
	for (unsigned i = 0; i < SINGLE_N_; i++)
		if (rows[i].kind == kind && str_equal_nocase(rows[i].name, name))
			return (enum single_id)i;
	return SINGLE_N_;
}

void single_request(const char *subscription, enum single_id id, struct arm_request *ret)
{
	switch (id) {
	case SINGLE_SECURITY_PROVIDER:
	case SINGLE_ARC_PROVIDER:
	case SINGLE_SOLUTIONS_PROVIDER: arm_get_provider(subscription, rows[id].name, ret); break;
	case SINGLE_VULNERABILITY: arm_get_vulnerability_setting(subscription, ret); break;
	case SINGLE_AUTO_PROVISIONING: arm_get_auto_provisioning(subscription, ret); break;
	case SINGLE_N_: break;
	}
}

/* One that is known to be missing is watched until it is not, whoever wanted to know. */
static bool provider_matters(const struct single_facts *facts, bool wanted)
{
	bool missing =
		facts->stamp.source != SOURCE_NONE && !str_equal_nocase(facts->word, "Registered");

	return wanted || missing;
}

bool provider_of_solutions_matters(const struct subscription *s)
{
	const struct policy_config *policy = s->scope->policy;

	return policy->plan == PLAN_P2 &&
		(policy->workspaces.from_machines || policy->workspaces.list_count > 0);
}

/* Before machines were listed there may be some: whoever looks but once shall know. */
static bool may_have_machines(const struct subscription *s)
{
	return s->machine_count > 0 || s->machines_stamp.source == SOURCE_NONE;
}

static bool matters(const struct subscription *s, enum single_id id)
{
	const struct policy_config *policy = s->scope->policy;
	const struct single_facts *facts = &s->singles[id];

	switch (id) {
	case SINGLE_SECURITY_PROVIDER:
		return provider_matters(facts, policy->register_providers || s->seems_unregistered);
	case SINGLE_ARC_PROVIDER:
		return provider_matters(facts, policy->register_providers && may_have_machines(s));
	case SINGLE_SOLUTIONS_PROVIDER:
		return provider_matters(
			facts, policy->register_providers && provider_of_solutions_matters(s));
	case SINGLE_VULNERABILITY: return policy->vulnerability_management;
	case SINGLE_AUTO_PROVISIONING: return policy->legacy_replace || s->connector_count > 0;
	case SINGLE_N_: break;
	}
	return false;
}

bool single_is_worth(const struct subscription *s, enum single_id id)
{
	return rows[id].decides && matters(s, id);
}

bool single_is_due(const struct subscription *s, enum single_id id, struct wall now)
{
	const struct single_facts *facts = &s->singles[id];

	return matters(s, id) &&
		(rows[id].decides || !wall_is_set(facts->asked) ||
			wall_since(now, facts->asked).ms >= RETIRED_FOR.ms);
}
