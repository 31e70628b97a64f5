/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/assigned_policy.h"

#include "lib/azure/arm_document.h"
#include "lib/azure/arm_id.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* Azure allows 400 excluded scopes. */
#define EXEMPT_MAX 1000
/* And 1000 definitions in a set. */
#define PARTS_MAX 1000

/* Microsoft's definitions, by the last segment of their ids. */
static const struct {
	const char *name;
	enum policy_deed deed;
} known[] = {
	/* Log Analytics extension on Arc machines, Windows and Linux; Defender's agent in its
	   default workspace, on Windows Arc machines and on virtual machines. */
	{"69af7d4a-7b18-4044-93a9-2651498ef203", DEED_AGENT},
	{"9d2b61b4-1d14-4a63-be30-d4498e7ad2cf", DEED_AGENT},
	{"594c1276-f44f-482d-9910-71fac2ce5ae0", DEED_AGENT},
	{"6df2fee6-a9ed-4fef-bced-e13be1b25f1c", DEED_AGENT},
	{"37c043a6-6d64-656d-6465-b362dfeb354a", DEED_SENSOR_WINDOWS},
	{"4eb909e7-6d64-656d-6465-2eeb297a1625", DEED_SENSOR_LINUX},
	{"1ec9c2c2-6d64-656d-6465-3ec3309b8579", DEED_SENSOR_VM_WINDOWS},
	{"d30025d0-6d64-656d-6465-67688881b632", DEED_SENSOR_VM_LINUX},
	/* On, with all features, and with the plan as a parameter. */
	{"8e86a5b6-b9bd-49d1-8e21-4bb8a0862222", DEED_PLAN},
	{"5eb6d64a-4086-4d7a-92da-ec51aed0332d", DEED_PLAN},
	{"5f57b753-04b4-4e5e-aa31-c8888984497a", DEED_PLAN},
	{"da56d295-2889-41ce-a4cd-6f50fb93aa68", DEED_INTEGRATION},
	{"48666c5d-cec1-4043-ab6b-1be05abb24f2", DEED_UNIFIED},
	{"f9e2bd2f-47c7-4059-8265-c5292aa62c8a", DEED_LINUX},
	{"766e621d-ba95-4e43-a6f2-e945db3d7888", DEED_VULNERABILITY},
	/* P1, and off, by tag. */
	{"9e4879d9-c2a0-4e40-8017-1a5a5327c843", DEED_MACHINE_PLAN},
	{"080fedce-9d4a-4d07-abf0-9f036afbc9c8", DEED_MACHINE_PLAN},
};

enum policy_deed policy_deed_of(const char *definition_id)
{
	const char *slash = definition_id != NULL ? strrchr(definition_id, '/') : NULL;

	for (size_t i = 0; slash != NULL && i < ARRAY_LEN(known); i++)
		if (str_equal_nocase(slash + 1, known[i].name))
			return known[i].deed;
	return DEED_N_;
}

bool policy_is_set(const char *definition_id)
{
	return definition_id != NULL &&
		str_contains_nocase(
			definition_id, "/providers/microsoft.authorization/policysetdefinitions/");
}

/* --- an assignment's document --- */

static bool is_looking(const char *effect)
{
	return str_equal_nocase(effect, "Disabled") || str_equal_nocase(effect, "Audit") ||
		str_equal_nocase(effect, "AuditIfNotExists");
}

/* An override of the effect for everything: one with selectors leaves some that it acts on. */
static bool is_overridden(const json_t *document)
{
	size_t i;
	json_t *override;

	json_array_foreach (json_path(document, "properties.overrides"), i, override)
		if (str_equal_nocase(json_text(override, "kind"), "policyEffect") &&
			json_array_size(json_object_get(override, "selectors")) == 0 &&
			is_looking(json_text(override, "value")))
			return true;
	return false;
}

/* Without a parameter it has the definition's own default, which deploys. */
bool assignment_deploys(const json_t *document)
{
	return !str_equal_nocase(
		       json_path_text(document, "properties.enforcementMode"), "DoNotEnforce") &&
		!is_looking(json_path_text(document, "properties.parameters.effect.value")) &&
		!is_overridden(document);
}

const char *assignment_definition(const json_t *document)
{
	return json_path_text(document, "properties.policyDefinitionId");
}

static char *copy_text(const char *text)
{
	return xstrdup(text != NULL ? text : "");
}

static char *name_of(const json_t *assignment)
{
	const char *name = json_path_text(assignment, "properties.displayName");

	return copy_text(name != NULL ? name : json_text(assignment, "name"));
}

static void add_part(struct assigned_policy *p, const char *definition, const char *reference)
{
	enum policy_deed deed = policy_deed_of(definition);

	if (deed == DEED_N_ || p->part_count >= PARTS_MAX)
		return;
	p->parts = xreallocarray(p->parts, p->part_count + 1, sizeof(*p->parts));
	p->parts[p->part_count++] = (struct policy_part){
		.deed = deed, .reference = reference != NULL ? xstrdup(reference) : NULL};
}

static void add_parts(struct assigned_policy *p, const json_t *set)
{
	size_t i;
	json_t *one;

	if (set == NULL) {
		add_part(p, p->definition, NULL);
		return;
	}
	json_array_foreach (json_path(set, "properties.policyDefinitions"), i, one)
		add_part(p, json_text(one, "policyDefinitionId"),
			json_text(one, "policyDefinitionReferenceId"));
}

static void add_exempt(struct assigned_policy *p, const json_t *scopes)
{
	size_t i;
	json_t *id;

	json_array_foreach (scopes, i, id) {
		if (!json_is_string(id) || p->exempt_count >= EXEMPT_MAX)
			continue;
		p->exempt = xreallocarray(p->exempt, p->exempt_count + 1, sizeof(*p->exempt));
		p->exempt[p->exempt_count++] = xstrdup(json_string_value(id));
	}
}

/* Of the system, or the one user-assigned identity that an assignment can have. */
static const char *principal_of(const json_t *assignment)
{
	const char *principal = json_path_text(assignment, "identity.principalId");
	json_t *users = (json_t *)json_path(assignment, "identity.userAssignedIdentities");
	void *first = json_object_iter(users);

	if (principal == NULL && first != NULL)
		principal = json_text(json_object_iter_value(first), "principalId");
	return principal;
}

void assigned_policies_add(struct assigned_policies *p, const json_t *assignment, const json_t *set)
{
	struct assigned_policy *one;

	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	one = &p->v[p->n++];
	*one = (struct assigned_policy){
		.id = copy_text(json_text(assignment, "id")),
		.name = name_of(assignment),
		.scope = copy_text(json_path_text(assignment, "properties.scope")),
		.definition = copy_text(assignment_definition(assignment)),
		.principal = copy_text(principal_of(assignment)),
		.deploys = assignment_deploys(assignment),
	};
	add_exempt(one, json_path(assignment, "properties.notScopes"));
	add_parts(one, set);
}

/* --- the list --- */

static void policy_fini(struct assigned_policy *p)
{
	for (size_t i = 0; i < p->exempt_count; i++)
		free(p->exempt[i]);
	for (size_t i = 0; i < p->part_count; i++)
		free(p->parts[i].reference);
	free(p->exempt);
	free(p->parts);
	free(p->id);
	free(p->name);
	free(p->scope);
	free(p->definition);
	free(p->principal);
}

void assigned_policies_fini(struct assigned_policies *p)
{
	for (size_t i = 0; i < p->n; i++)
		policy_fini(&p->v[i]);
	free(p->v);
	*p = (struct assigned_policies){0};
}

static bool is_same(const struct assigned_policy *a, const struct assigned_policy *b)
{
	bool same = str_equal(a->name, b->name) && str_equal_nocase(a->scope, b->scope) &&
		str_equal_nocase(a->id, b->id) && a->deploys == b->deploys &&
		assigned_policy_deeds(a) == assigned_policy_deeds(b) &&
		a->exempt_count == b->exempt_count;

	for (size_t i = 0; same && i < a->exempt_count; i++)
		same = str_equal_nocase(a->exempt[i], b->exempt[i]);
	return same;
}

bool assigned_policies_known(const struct assigned_policies *p, struct wall now)
{
	return wall_is_set(p->at) && p->whole &&
		wall_since(now, p->at).ms <= ASSIGNED_POLICIES_AGE.ms;
}

bool assigned_policies_equal(const struct assigned_policies *a, const struct assigned_policies *b)
{
	bool same =
		a->n == b->n && a->whole == b->whole && wall_is_set(a->at) == wall_is_set(b->at);

	for (size_t i = 0; same && i < a->n; i++)
		same = is_same(&a->v[i], &b->v[i]);
	return same;
}

bool policy_scope_is_above(const char *scope, const char *id)
{
	size_t len;

	scope += *scope == '/';
	id += *id == '/';
	len = strlen(scope);
	return str_starts_nocase(id, scope) && (id[len] == '/' || id[len] == '\0');
}

static bool is_exempt(const struct assigned_policy *p, const char *id)
{
	for (size_t i = 0; i < p->exempt_count; i++)
		if (policy_scope_is_above(p->exempt[i], id))
			return true;
	return false;
}

/* The list of a subscription has what is assigned to groups above it, and to what is inside. */
static bool reaches(const struct assigned_policy *p, const char *id)
{
	bool inside = str_starts_nocase(p->scope, "/subscriptions/");

	return (!inside || policy_scope_is_above(p->scope, id)) && !is_exempt(p, id);
}

unsigned assigned_policy_deeds(const struct assigned_policy *p)
{
	unsigned deeds = 0;

	for (size_t i = 0; i < p->part_count; i++)
		deeds |= 1u << p->parts[i].deed;
	return deeds;
}

const struct assigned_policy *assigned_policies_on(
	const struct assigned_policies *p, unsigned deeds, const char *resource_id)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].deploys && (assigned_policy_deeds(&p->v[i]) & deeds) != 0 &&
			reaches(&p->v[i], resource_id))
			return &p->v[i];
	return NULL;
}

const struct assigned_policy *assigned_policies_find(
	const struct assigned_policies *p, const char *assignment_id)
{
	for (size_t i = 0; i < p->n; i++)
		if (arm_id_same(p->v[i].id, assignment_id))
			return &p->v[i];
	return NULL;
}

const struct assigned_policy *assigned_policies_by(
	const struct assigned_policies *p, const char *principal)
{
	for (size_t i = 0; i < p->n; i++)
		if (!str_empty(principal) && str_equal_nocase(p->v[i].principal, principal))
			return &p->v[i];
	return NULL;
}
