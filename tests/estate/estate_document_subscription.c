/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_document.h"
#include "tests/estate/estate_tree.h"

#include <stdio.h>
#include <string.h>

struct subscription_spec {
	const char *id, *name, *tenant, *group, *state, *provider, *auto_provision;
	bool modern;
	const json_t *tags, *delegated, *providers, *plan, *plan_failures, *settings, *groups,
		*locks, *policies, *assignments, *policy_sets, *exemptions, *denials, *connectors,
		*workspaces, *rules, *machines;
};

#define AT(member) offsetof(struct subscription_spec, member)
static const struct field subscription_fields[] = {
	{"id", FIELD_GUID, AT(id), true},
	{"name", FIELD_TEXT, AT(name)},
	{"tenant", FIELD_GUID, AT(tenant), true},
	{"managementGroup", FIELD_TEXT, AT(group)},
	{"state", FIELD_TEXT, AT(state)},
	{"tags", FIELD_OBJECT, AT(tags)},
	{"delegatedTo", FIELD_TEXTS, AT(delegated)},
	{"providers", FIELD_TEXTS, AT(providers)},
	{"modern", FIELD_BOOL, AT(modern)},
	{"plan", FIELD_OBJECT, AT(plan)},
	{"planFailures", FIELD_OBJECT, AT(plan_failures)},
	{"settings", FIELD_OBJECT, AT(settings)},
	{"vulnerabilityProvider", FIELD_TEXT, AT(provider)},
	{"autoProvision", FIELD_TEXT, AT(auto_provision)},
	{"groups", FIELD_ARRAY, AT(groups)},
	{"locks", FIELD_ARRAY, AT(locks)},
	{"policies", FIELD_ARRAY, AT(policies)},
	{"denyAssignments", FIELD_ARRAY, AT(denials)},
	{"assignments", FIELD_ARRAY, AT(assignments)},
	{"policySets", FIELD_ARRAY, AT(policy_sets)},
	{"exemptions", FIELD_ARRAY, AT(exemptions)},
	{"connectors", FIELD_ARRAY, AT(connectors)},
	{"workspaces", FIELD_ARRAY, AT(workspaces)},
	{"rules", FIELD_ARRAY, AT(rules)},
	{"machines", FIELD_ARRAY, AT(machines)},
};

/* --- the subscription itself --- */

static json_t *subscription_doc(
	const struct subscription *sub, const struct subscription_spec *spec)
{
	json_t *doc = json_pack("{s:s, s:s, s:s, s:[], s:s, s:s, s:s, s:{s:s, s:s, s:s}}", "id",
		sub->res.id, "authorizationSource", "RoleBased", "subscriptionId", sub->id,
		"managedByTenants", "tenantId", sub->tenant->id, "displayName",
		spec->name != NULL ? spec->name : sub->id, "state", spec->state,
		"subscriptionPolicies", "locationPlacementId", "Public_2014-09-01", "quotaId",
		"EnterpriseAgreement_2014-09-01", "spendingLimit", "Off");
	size_t i;
	json_t *tenant;

	if (spec->tags != NULL)
		json_object_set_new(doc, "tags", json_deep_copy(spec->tags));
	json_array_foreach (spec->delegated, i, tenant)
		json_array_append_new(json_object_get(doc, "managedByTenants"),
			json_pack("{s:O}", "tenantId", tenant));
	return doc;
}

static struct subscription *make(struct document *d, const struct subscription_spec *spec,
	struct tenant *tenant, struct management_group *group)
{
	char id[GUID_SIZE];
	mdc_autofree char *path = NULL;
	struct subscription *sub;
	struct resource *r;

	str_copy(id, sizeof(id), spec->id);
	str_fold(id);
	path = xasprintf("/subscriptions/%s", id);
	r = estate_create(d->e, RESOURCE_SUBSCRIPTION, path, NULL, json_object());
	sub = container_of(r, struct subscription, res);
	memcpy(sub->id, id, sizeof(id));
	sub->tenant = tenant;
	sub->group = group;
	sub->modern = spec->modern;
	sub->delegated_to = json_deep_copy(spec->delegated);
	sub->plan_failures = json_deep_copy(spec->plan_failures);
	vec_add(&d->e->subscriptions, sub);
	estate_replace(d->e, r, subscription_doc(sub, spec));
	return sub;
}

static void add(
	struct document *d, struct subscription *sub, enum resource_kind kind, json_t *take_doc)
{
	mdc_autofree char *id = xstrdup(tree_text(take_doc, "id"));

	estate_create(d->e, kind, id, sub, take_doc);
}

static void add_providers(struct document *d, struct subscription *sub, const json_t *registered)
{
	static const char *const all[] = {"Microsoft.Security", "Microsoft.HybridCompute",
		"Microsoft.GuestConfiguration", "Microsoft.OperationalInsights",
		"Microsoft.OperationsManagement", "Microsoft.Compute", "Microsoft.Insights",
		"Microsoft.Authorization", "Microsoft.ResourceGraph"};
	size_t n = registered != NULL ? json_array_size(registered) : ARRAY_LEN(all);

	for (size_t i = 0; i < n; i++) {
		const char *name = registered != NULL
			? json_string_value(json_array_get(registered, i))
			: all[i];

		add(d, sub, RESOURCE_PROVIDER,
			json_pack("{s:o, s:s, s:s}", "id",
				json_sprintf("/subscriptions/%s/providers/%s", sub->id, name),
				"namespace", name, "registrationState", "Registered"));
	}
}

/* --- plans and settings --- */

struct plan_spec {
	int tier, sub_plan;
	bool enforce;
	struct wall since;
	const json_t *extensions;
};

static const char *const tiers[] = {"Free", "Standard", NULL};
static const char *const sub_plans[] = {"P1", "P2", NULL};
static const struct field plan_fields[] = {
	{"tier", FIELD_WORD, offsetof(struct plan_spec, tier), .words = tiers},
	{"subPlan", FIELD_WORD, offsetof(struct plan_spec, sub_plan), .words = sub_plans},
	{"enforce", FIELD_BOOL, offsetof(struct plan_spec, enforce)},
	{"since", FIELD_TIME, offsetof(struct plan_spec, since)},
	{"extensions", FIELD_ARRAY, offsetof(struct plan_spec, extensions)},
};

static void add_servers_plan(
	struct document *d, struct subscription *sub, const char *path, const json_t *object)
{
	struct plan_spec spec = {.sub_plan = 1, .since = d->e->start};
	json_t *properties;

	if (object != NULL && !reader_struct(&d->reader, path, object, plan_fields, &spec))
		return;
	properties = json_pack("{s:s, s:s, s:s}", "pricingTier", tiers[spec.tier], "subPlan",
		sub_plans[spec.sub_plan], "enforce", spec.enforce ? "True" : "False");
	if (spec.extensions != NULL)
		json_object_set(properties, "extensions", (json_t *)spec.extensions);
	add(d, sub, RESOURCE_PRICING,
		pricing_document(sub, "VirtualMachines", NULL, properties, spec.since));
	if (spec.tier == 1)
		sub->integration_on_since = spec.since;
	json_decref(properties);
}

static void add_plans(
	struct document *d, struct subscription *sub, const char *path, const json_t *servers)
{
	static const char *const others[] = {"SqlServers", "AppServices", "StorageAccounts",
		"KeyVaults", "Arm", "Containers", "CloudPosture"};
	json_t *off = json_pack("{s:s}", "pricingTier", "Free");
	char member[300];

	snprintf(member, sizeof(member), "%.200s.plan", path);
	add_servers_plan(d, sub, member, servers);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		add(d, sub, RESOURCE_PRICING,
			pricing_document(sub, others[i], NULL, off, d->e->start));
	json_decref(off);
}

static void add_settings(
	struct document *d, struct subscription *sub, const char *path, const json_t *settings)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)settings, name, value) {
		json_t *doc = setting_document(sub, name, json_is_true(value));

		if (doc == NULL || !json_is_boolean(value)) {
			reader_error(&d->reader, path,
				"settings.%s is not a setting with true or false", name);
			json_decref(doc);
			continue;
		}
		add(d, sub, RESOURCE_SETTING, doc);
	}
}

static void add_others(
	struct document *d, struct subscription *sub, const struct subscription_spec *spec)
{
	if (spec->provider != NULL)
		add(d, sub, RESOURCE_VA_SETTING,
			va_document(sub, "user@contoso.test", d->e->start));
	add(d, sub, RESOURCE_AUTO_PROVISIONING,
		auto_provisioning_document(sub, str_equal_nocase(spec->auto_provision, "On")));
	/* The plan counts as integrated only together with its master switch. */
	if (!subscription_is_integrated(sub))
		sub->integration_on_since = WALL_UNSET;
	else if (sub->tenant->first == NULL)
		sub->tenant->first = sub;
}

/* --- groups, locks, policies, deny assignments --- */

struct part_spec {
	const char *name, *location, *level, *scope, *notes, *deny, *definition, *effect,
		*assignment, *description, *requested_by, *ticket;
	struct wall expires;
	struct dur remediates;
	bool enforced;
	const json_t *tags, *actions, *not_actions, *principals, *except, *exempt, *definitions,
		*references;
};

static const struct field group_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct part_spec, name), true},
	{"location", FIELD_TEXT, offsetof(struct part_spec, location)},
	{"tags", FIELD_OBJECT, offsetof(struct part_spec, tags)},
};
static const struct field lock_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct part_spec, name), true},
	{"level", FIELD_TEXT, offsetof(struct part_spec, level), true},
	{"scope", FIELD_TEXT, offsetof(struct part_spec, scope)},
	{"notes", FIELD_TEXT, offsetof(struct part_spec, notes)},
};
static const struct field policy_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct part_spec, name), true},
	{"deny", FIELD_TEXT, offsetof(struct part_spec, deny), true},
	{"scope", FIELD_TEXT, offsetof(struct part_spec, scope)},
};

static const struct field assignment_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct part_spec, name), true},
	{"definition", FIELD_TEXT, offsetof(struct part_spec, definition), true},
	{"scope", FIELD_TEXT, offsetof(struct part_spec, scope)},
	{"notScopes", FIELD_TEXTS, offsetof(struct part_spec, exempt)},
	{"effect", FIELD_TEXT, offsetof(struct part_spec, effect)},
	{"enforced", FIELD_BOOL, offsetof(struct part_spec, enforced)},
	{"remediates", FIELD_DURATION, offsetof(struct part_spec, remediates)},
};
static const struct field set_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct part_spec, name), true},
	{"definitions", FIELD_TEXTS, offsetof(struct part_spec, definitions)},
};

static const struct field exemption_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct part_spec, name), true},
	{"assignment", FIELD_TEXT, offsetof(struct part_spec, assignment), true},
	{"scope", FIELD_TEXT, offsetof(struct part_spec, scope)},
	{"expires", FIELD_TIME, offsetof(struct part_spec, expires)},
	{"references", FIELD_TEXTS, offsetof(struct part_spec, references)},
	{"description", FIELD_TEXT, offsetof(struct part_spec, description)},
	{"requestedBy", FIELD_TEXT, offsetof(struct part_spec, requested_by)},
	{"ticket", FIELD_TEXT, offsetof(struct part_spec, ticket)},
};

static void add_group(struct document *d, struct subscription *sub, const struct part_spec *spec)
{
	struct group *g = estate_group(d->e, sub, spec->name, spec->location);

	if (spec->tags != NULL)
		estate_replace(
			d->e, &g->res, tree_with(g->res.doc, "tags", json_deep_copy(spec->tags)));
}

static void add_lock(struct document *d, struct subscription *sub, const struct part_spec *spec)
{
	json_t *doc =
		json_pack("{s:{s:s}, s:o, s:s, s:s}", "properties", "level", spec->level, "id",
			json_sprintf("%s/providers/Microsoft.Authorization/locks/%s",
				spec->scope != NULL ? spec->scope : sub->res.id, spec->name),
			"type", "Microsoft.Authorization/locks", "name", spec->name);

	if (spec->notes != NULL)
		tree_set(&doc, "properties.notes", json_string(spec->notes));
	add(d, sub, RESOURCE_LOCK, doc);
}

static void add_policy(struct document *d, struct subscription *sub, const struct part_spec *spec)
{
	struct deny_policy *p;

	(void)d;
	sub->policies = xreallocarray(sub->policies, sub->policy_count + 1, sizeof(*sub->policies));
	p = &sub->policies[sub->policy_count++];
	p->name = xstrdup(spec->name);
	p->type = xstrdup(spec->deny);
	p->scope = spec->scope != NULL ? xstrdup(spec->scope) : NULL;
}

static const struct field denial_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct part_spec, name), true},
	{"actions", FIELD_TEXTS, offsetof(struct part_spec, actions), true},
	{"notActions", FIELD_TEXTS, offsetof(struct part_spec, not_actions)},
	{"scope", FIELD_TEXT, offsetof(struct part_spec, scope)},
	{"principals", FIELD_TEXTS, offsetof(struct part_spec, principals)},
	{"except", FIELD_TEXTS, offsetof(struct part_spec, except)},
};

static json_t *principals_of(const json_t *ids, const char *type)
{
	json_t *list = json_array();
	size_t i;
	json_t *id;

	json_array_foreach (ids, i, id)
		json_array_append_new(list, json_pack("{s:O, s:s}", "id", id, "type", type));
	return list;
}

static void add_denial(struct document *d, struct subscription *sub, const struct part_spec *spec)
{
	const char *scope = spec->scope != NULL ? spec->scope : sub->res.id;
	json_t *everybody = json_pack("[s]", "00000000-0000-0000-0000-000000000000");
	json_t *none = json_array();
	bool all = spec->principals == NULL;
	char name[GUID_SIZE];

	snprintf(name, sizeof(name), "50000000-0000-4000-8000-%012zu",
		json_array_size(sub->denials) + 1);
	if (sub->denials == NULL)
		sub->denials = json_array();
	json_array_append_new(sub->denials,
		json_pack("{s:{s:s, s:s, s:[{s:O, s:O, s:[], s:[]}], s:s, s:b, s:o, s:o, s:b}, "
			  "s:o, s:s, s:s}",
			"properties", "denyAssignmentName", spec->name, "description", "",
			"permissions", "actions", spec->actions, "notActions",
			spec->not_actions != NULL ? spec->not_actions : none, "dataActions",
			"notDataActions", "scope", scope, "doNotApplyToChildScopes", 0,
			"principals",
			principals_of(all ? everybody : spec->principals,
				all ? "SystemDefined" : "ServicePrincipal"),
			"excludePrincipals", principals_of(spec->except, "ServicePrincipal"),
			"isSystemProtected", 1, "id",
			json_sprintf("%s/providers/Microsoft.Authorization/denyAssignments/%s",
				scope, name),
			"type", "Microsoft.Authorization/denyAssignments", "name", name));
	json_decref(everybody);
	json_decref(none);
	(void)d;
}

static void add_assignment(
	struct document *d, struct subscription *sub, const struct part_spec *spec)
{
	json_t *doc = policy_assignment_document(
		spec->scope != NULL ? spec->scope : sub->res.id, spec->name, spec->definition);

	if (spec->exempt != NULL)
		tree_set(&doc, "properties.notScopes", json_deep_copy(spec->exempt));
	if (spec->effect != NULL)
		tree_set(&doc, "properties.parameters.effect.value", json_string(spec->effect));
	if (!spec->enforced)
		tree_set(&doc, "properties.enforcementMode", json_string("DoNotEnforce"));
	if (spec->remediates.ms > 0)
		json_object_set_new(doc, "identity",
			json_pack("{s:s, s:s, s:s}", "type", "SystemAssigned", "principalId",
				REMEDIATION_CALLER, "tenantId", sub->tenant->id));
	if (spec->remediates.ms > 0)
		remediation_start(d->e, sub, tree_text(doc, "id"), spec->remediates);
	add(d, sub, RESOURCE_POLICY, doc);
}

static void add_set(struct document *d, struct subscription *sub, const struct part_spec *spec)
{
	add(d, sub, RESOURCE_POLICY, policy_set_document(sub, spec->name, spec->definitions));
}

static void set_text(json_t **doc, const char *path, const char *text)
{
	if (text != NULL)
		tree_set(doc, path, json_string(text));
}

static void add_exemption(
	struct document *d, struct subscription *sub, const struct part_spec *spec)
{
	mdc_autofree char *assignment = *spec->assignment == '/'
		? xstrdup(spec->assignment)
		: xasprintf("%s/providers/Microsoft.Authorization/policyAssignments/%s",
			  sub->res.id, spec->assignment);
	json_t *doc = policy_exemption_document(
		spec->scope != NULL ? spec->scope : sub->res.id, spec->name, assignment);
	char expires[WALL_TEXT_SIZE];

	if (wall_is_set(spec->expires)) {
		wall_format(spec->expires, expires);
		set_text(&doc, "properties.expiresOn", expires);
	}
	if (spec->references != NULL)
		tree_set(&doc, "properties.policyDefinitionReferenceIds",
			json_deep_copy(spec->references));
	set_text(&doc, "properties.description", spec->description);
	set_text(&doc, "properties.metadata.requestedBy", spec->requested_by);
	set_text(&doc, "properties.metadata.ticketRef", spec->ticket);
	add(d, sub, RESOURCE_POLICY, doc);
}

struct part_kind {
	const char *name;
	const struct field *fields;
	size_t count;
	void (*add)(struct document *d, struct subscription *sub, const struct part_spec *spec);
};

static void add_parts(struct document *d, struct subscription *sub, const char *path,
	const json_t *list, const struct part_kind *kind)
{
	size_t i;
	json_t *object;

	json_array_foreach (list, i, object) {
		struct part_spec spec = {.enforced = true};
		char element[300];

		snprintf(element, sizeof(element), "%.200s.%s[%zu]", path, kind->name, i);
		if (reader_object(&d->reader, element, object, kind->fields, kind->count, &spec))
			kind->add(d, sub, &spec);
	}
}

static void add_lists(struct document *d, struct subscription *sub, const char *path,
	const struct subscription_spec *spec)
{
	static const struct part_kind groups = {
		"groups", group_fields, ARRAY_LEN(group_fields), add_group};
	static const struct part_kind locks = {
		"locks", lock_fields, ARRAY_LEN(lock_fields), add_lock};
	static const struct part_kind policies = {
		"policies", policy_fields, ARRAY_LEN(policy_fields), add_policy};
	static const struct part_kind denials = {
		"denyAssignments", denial_fields, ARRAY_LEN(denial_fields), add_denial};
	static const struct part_kind assignments = {
		"assignments", assignment_fields, ARRAY_LEN(assignment_fields), add_assignment};
	static const struct part_kind sets = {
		"policySets", set_fields, ARRAY_LEN(set_fields), add_set};
	static const struct part_kind exemptions = {
		"exemptions", exemption_fields, ARRAY_LEN(exemption_fields), add_exemption};
	size_t i;
	json_t *object;

	add_parts(d, sub, path, spec->groups, &groups);
	add_parts(d, sub, path, spec->locks, &locks);
	add_parts(d, sub, path, spec->policies, &policies);
	add_parts(d, sub, path, spec->denials, &denials);
	add_parts(d, sub, path, spec->assignments, &assignments);
	add_parts(d, sub, path, spec->policy_sets, &sets);
	add_parts(d, sub, path, spec->exemptions, &exemptions);
	json_array_foreach (spec->connectors, i, object) {
		char element[300];

		snprintf(element, sizeof(element), "%.200s.connectors[%zu]", path, i);
		document_read_connector(d, sub, element, object);
	}
	json_array_foreach (spec->workspaces, i, object) {
		char element[300];

		snprintf(element, sizeof(element), "%.200s.workspaces[%zu]", path, i);
		document_read_workspace(d, sub, element, object);
	}
	json_array_foreach (spec->rules, i, object) {
		char element[300];

		snprintf(element, sizeof(element), "%.200s.rules[%zu]", path, i);
		document_read_rule(d, sub, element, object);
	}
	json_array_foreach (spec->machines, i, object) {
		char element[300];

		snprintf(element, sizeof(element), "%.200s.machines[%zu]", path, i);
		document_read_machine(d, sub, element, object);
	}
}

static bool check(struct document *d, const char *path, const struct subscription_spec *spec)
{
	if (estate_subscription(d->e, spec->id) != NULL)
		return reader_error(&d->reader, path, "the subscription was given before");
	if (!map_has(&d->e->tenants, spec->tenant))
		return reader_error(&d->reader, path, "there is no tenant %s", spec->tenant);
	if (spec->group != NULL && !map_has(&d->e->management_groups, spec->group))
		return reader_error(
			&d->reader, path, "there is no management group %s", spec->group);
	if (spec->provider != NULL && !str_equal(spec->provider, "MdeTvm"))
		return reader_error(
			&d->reader, path, "vulnerabilityProvider can only be \"MdeTvm\"");
	return true;
}

void document_read_subscription(struct document *d, const char *path, const json_t *object)
{
	struct subscription_spec spec = {.state = "Enabled", .auto_provision = "Off"};
	struct subscription *sub;

	if (!reader_struct(&d->reader, path, object, subscription_fields, &spec) ||
		!check(d, path, &spec))
		return;
	sub = make(d, &spec, map_get(&d->e->tenants, spec.tenant),
		spec.group != NULL ? map_get(&d->e->management_groups, spec.group) : NULL);
	add_providers(d, sub, spec.providers);
	add_plans(d, sub, path, spec.plan);
	add_settings(d, sub, path, spec.settings);
	add_others(d, sub, &spec);
	add_lists(d, sub, path, &spec);
}
