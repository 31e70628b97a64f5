/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/permission.h"

#include "lib/base/str.h"

#include <string.h>

/* Azure takes no more in one role. */
#define ASSIGNABLE_MAX 2000
#define GROUP_SCOPE "/providers/Microsoft.Management/managementGroups/%s"

/* --- what is needed --- */

/* Reads of subscriptions themselves, for all scopes. */
static const struct permission_need everywhere[] = {
	{"Microsoft.Resources/subscriptions/read", PERMISSION_OBSERVES, false},
	/* Where Resource Graph refuses, ARM's lists do the same work. */
	{"Microsoft.ResourceGraph/resources/read", PERMISSION_HELPS, false},
	{"Microsoft.Authorization/permissions/read", PERMISSION_HELPS, false},
	{"Microsoft.Resources/subscriptions/providers/read", PERMISSION_HELPS, false},
};
/* Resource Graph names the management groups above a subscription, too. */
static const struct permission_need in_groups[] = {
	{"Microsoft.Management/managementGroups/descendants/read", PERMISSION_HELPS, false},
};
/* Whether Defender for Cloud itself would bring the retired agent back. */
static const struct permission_need of_legacy[] = {
	{"Microsoft.Security/autoProvisioningSettings/read", PERMISSION_HELPS, false},
};
/* Azure VMs are observed as far as they may be read. */
static const struct permission_need of_vms[] = {
	{"Microsoft.Compute/virtualMachines/read", PERMISSION_HELPS, true},
	{"Microsoft.Compute/virtualMachines/extensions/read", PERMISSION_HELPS, true},
};
static const struct permission_need of_moved_vms[] = {
	{"Microsoft.Compute/virtualMachines/extensions/delete", PERMISSION_HELPS, true},
	{"Microsoft.Compute/locations/operations/read", PERMISSION_HELPS, false},
};
static const struct permission_need of_own_images[] = {
	{"Microsoft.Compute/virtualMachines/extensions/write", PERMISSION_CORRECTS, true},
};
/* What assigned policies do; without it they are not waited for. */
static const struct permission_need of_policies[] = {
	{"Microsoft.Authorization/policyAssignments/read", PERMISSION_HELPS, false},
	{"Microsoft.Authorization/policySetDefinitions/read", PERMISSION_HELPS, false},
};
/* Without them it is not known whom an exemption excludes. */
static const struct permission_need of_exemptions[] = {
	{"Microsoft.Authorization/policyExemptions/read", PERMISSION_OBSERVES, false},
	{"Microsoft.Authorization/policyAssignments/read", PERMISSION_OBSERVES, false},
	{"Microsoft.Authorization/policySetDefinitions/read", PERMISSION_OBSERVES, false},
};
static const struct permission_need when_correcting[] = {
	/* The activity log tells the outcome of a write whose answer was lost, and other writers.
	 */
	{"Microsoft.Insights/eventtypes/values/Read", PERMISSION_CORRECTS, false},
	{"Microsoft.Authorization/locks/read", PERMISSION_HELPS, false},
	{"Microsoft.Authorization/denyAssignments/read", PERMISSION_HELPS, false},
	{"Microsoft.PolicyInsights/checkPolicyRestrictions/read", PERMISSION_HELPS, false},
};

struct needs {
	struct permission_need *v;
	size_t n;
};

static void add(struct needs *needs, const struct permission_need *need)
{
	for (size_t i = 0; i < needs->n; i++)
		if (str_equal_nocase(needs->v[i].action, need->action)) {
			/* What one control needs of all machines another may need of the whole. */
			needs->v[i].on_machine = needs->v[i].on_machine && need->on_machine;
			if (need->use < needs->v[i].use)
				needs->v[i].use = need->use;
			return;
		}
	assert(needs->n < PERMISSION_NEEDS_MAX);
	needs->v[needs->n++] = *need;
}

static void add_all(struct needs *needs, const struct permission_need *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(needs, &all[i]);
}

/* An extension may be granted on a resource group, an onboarding package or a plan not. */
static bool is_on_machine(const struct control *control, const char *action)
{
	return control_resource(control->id) == ON_MACHINE &&
		str_contains_nocase(action, "/machines/");
}

static void add_actions(struct needs *needs, const struct control *control,
	const char *const *actions, enum permission_use use)
{
	for (; actions != NULL && *actions != NULL; actions++)
		add(needs,
			&(struct permission_need){*actions, use, is_on_machine(control, *actions)});
}

static bool is_wanted(const struct scope_config *scope, const struct control *control)
{
	return control->may_write != NULL && control->may_write(scope->policy);
}

static bool observes(const struct scope_config *scope, const struct control *control)
{
	return !control->read_if_wanted || is_wanted(scope, control);
}

static bool corrects(const struct scope_config *scope, const struct control *control)
{
	return scope->mode == MODE_ENFORCE && is_wanted(scope, control);
}

size_t permission_needs(
	const struct scope_config *scope, struct permission_need ret[static PERMISSION_NEEDS_MAX])
{
	struct needs needs = {.v = ret};

	add_all(&needs, everywhere, ARRAY_LEN(everywhere));
	if (scope->management_group_count > 0 || scope_excludes_by_group(scope))
		add_all(&needs, in_groups, ARRAY_LEN(in_groups));
	if (scope->policy->legacy_replace)
		add_all(&needs, of_legacy, ARRAY_LEN(of_legacy));
	if (scope->policy->policy_grace.ms > 0)
		add_all(&needs, of_policies, ARRAY_LEN(of_policies));
	if (scope->honour_exemptions)
		add_all(&needs, of_exemptions, ARRAY_LEN(of_exemptions));
	for (unsigned c = 0; c < CONTROL_N_; c++)
		if (observes(scope, control_by_id(c)))
			add_actions(&needs, control_by_id(c), control_by_id(c)->reads,
				PERMISSION_OBSERVES);
	add_all(&needs, of_vms, ARRAY_LEN(of_vms));
	if (scope->mode == MODE_ENFORCE && scope->policy->deploy != DEPLOY_NEVER) {
		add_all(&needs, of_moved_vms, ARRAY_LEN(of_moved_vms));
		if (scope->policy->own_images)
			add_all(&needs, of_own_images, ARRAY_LEN(of_own_images));
	}
	for (unsigned c = 0; c < CONTROL_N_; c++)
		if (corrects(scope, control_by_id(c)))
			add_actions(&needs, control_by_id(c), control_by_id(c)->writes,
				PERMISSION_CORRECTS);
	if (scope->mode == MODE_ENFORCE)
		add_all(&needs, when_correcting, ARRAY_LEN(when_correcting));
	return needs.n;
}

/* --- what is allowed --- */

bool permission_matches(const char *pattern, const char *action)
{
	const char *star = NULL, *back = NULL;

	while (*action != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			back = action;
		} else if (str_lower(*pattern) == str_lower(*action)) {
			pattern++;
			action++;
		} else if (star != NULL) {
			pattern = star + 1;
			action = ++back;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool any_matches(const json_t *patterns, const char *action)
{
	size_t i;
	json_t *pattern;

	json_array_foreach (patterns, i, pattern)
		if (json_is_string(pattern) &&
			permission_matches(json_string_value(pattern), action))
			return true;
	return false;
}

bool permission_allows(const json_t *entries, const char *action)
{
	size_t i;
	json_t *entry;

	json_array_foreach (entries, i, entry)
		if (any_matches(json_path(entry, "actions"), action) &&
			!any_matches(json_path(entry, "notActions"), action))
			return true;
	return false;
}

const char *permission_role(const char *action)
{
	static const struct {
		const char *pattern, *role;
	} roles[] = {
		{"*/read", "Reader"},
		{"Microsoft.Security/*", "Security Admin"},
		{"Microsoft.HybridCompute/machines/*",
			"Azure Connected Machine Resource Administrator"},
		{"Microsoft.Compute/virtualMachines/*", "Virtual Machine Contributor"},
		{"*/register/action", "Contributor"},
	};

	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (permission_matches(roles[i].pattern, action))
			return roles[i].role;
	return NULL;
}

bool permission_provider(const char *action, char ret[static PERMISSION_PROVIDER_SIZE])
{
	size_t len = strcspn(action, "/");

	if (action[len] == '\0' || len >= PERMISSION_PROVIDER_SIZE)
		return false;
	memcpy(ret, action, len);
	ret[len] = '\0';
	return true;
}

/* --- a role of one's own --- */

struct role {
	struct diags *diags;
	struct permission_need needs[PERMISSION_NEEDS_MAX];
	size_t need_count;
	json_t *scopes;
	const char *tenant; /* of the first scope that names one */
	const char *group;  /* the one management group, or NULL */
	bool whole;         /* only the tenant's root group is above all of it */
};

static void add_scope_text(struct role *role, json_t *take_scope)
{
	size_t i;
	json_t *known;

	json_array_foreach (role->scopes, i, known)
		if (json_equal(known, take_scope)) {
			json_decref(take_scope);
			return;
		}
	json_array_append_new(role->scopes, take_scope);
}

static void add_group(struct role *role, const char *group)
{
	/* Azure takes one management group in a role. */
	if (role->group != NULL && !str_equal_nocase(role->group, group))
		role->whole = true;
	role->group = group;
}

static void add_scope(struct role *role, const struct scope_config *scope)
{
	struct permission_need needs[PERMISSION_NEEDS_MAX];
	size_t n = permission_needs(scope, needs);
	struct needs all = {.v = role->needs, .n = role->need_count};
	const char *tenant = scope->identity->tenant;

	add_all(&all, needs, n);
	role->need_count = all.n;
	for (size_t i = 0; i < scope->subscription_count; i++)
		add_scope_text(role, json_sprintf("/subscriptions/%s", scope->subscriptions[i]));
	for (size_t i = 0; i < scope->management_group_count; i++)
		add_group(role, scope->management_groups[i]);
	if (scope->everything ||
		(scope->subscription_count == 0 && scope->management_group_count == 0))
		role->whole = true;
	if (role->tenant == NULL)
		role->tenant = tenant;
	else if (tenant != NULL && !str_equal_nocase(role->tenant, tenant))
		diag_error(role->diags, NULL, 0,
			"scope \"%s\" is in another tenant, and a role belongs to one: name the "
			"scope with --scope",
			scope->name);
}

static void conclude_scopes(struct role *role)
{
	if (json_array_size(role->scopes) >= ASSIGNABLE_MAX)
		role->whole = true;
	if (!role->whole && role->group != NULL)
		add_scope_text(role, json_sprintf(GROUP_SCOPE, role->group));
	if (!role->whole)
		return;
	/* The root group has the tenant's id. */
	if (role->tenant == NULL) {
		diag_error(role->diags, NULL, 0,
			"a role cannot be assignable everywhere: name the `tenant` of the "
			"identity, or the subscriptions or one management group of the scope");
		return;
	}
	json_array_clear(role->scopes);
	add_scope_text(role, json_sprintf(GROUP_SCOPE, role->tenant));
}

static json_t *role_actions(const struct role *role)
{
	json_t *actions = json_array();

	for (size_t i = 0; i < role->need_count; i++)
		json_array_append_new(actions, json_string(role->needs[i].action));
	return actions;
}

static json_t *role_document(const struct role *role, const struct scope_config *only)
{
	json_t *name = only != NULL ? json_sprintf("mdcd %s", only->name) : json_string("mdcd");

	/* A scope's name is the operator's own text. */
	if (name == NULL)
		name = json_string("mdcd");
	return json_pack("{s:o, s:b, s:s, s:o, s:[], s:[], s:[], s:O}", "Name", name, "IsCustom", 1,
		"Description",
		"What mdcd needs to keep servers protected by Microsoft Defender for Cloud, and "
		"nothing else",
		"Actions", role_actions(role), "NotActions", "DataActions", "NotDataActions",
		"AssignableScopes", role->scopes);
}

json_t *permission_custom_role(
	const struct config *config, const struct scope_config *only, struct diags *diags)
{
	struct role role = {.diags = diags, .scopes = json_array()};
	size_t errors = diags->errors;
	json_t *document = NULL;

	for (size_t i = 0; i < config->scope_count; i++)
		if (only == NULL || only == &config->scopes[i])
			add_scope(&role, &config->scopes[i]);
	if (role.need_count == 0)
		diag_error(diags, NULL, 0, "there is no scope, so nothing is needed");
	conclude_scopes(&role);
	if (diags->errors == errors)
		document = role_document(&role, only);
	json_decref(role.scopes);
	return document;
}
