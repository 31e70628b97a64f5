/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/agent_policy.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* Azure allows 400 excluded scopes. */
#define EXEMPT_MAX 1000

/* Microsoft's definitions that deploy the agent, by the last segment of their ids. */
static const char *const installers[] = {
	"69af7d4a-7b18-4044-93a9-2651498ef203", /* Log Analytics extension, Windows Arc machines */
	"9d2b61b4-1d14-4a63-be30-d4498e7ad2cf", /* the same, Linux */
	"594c1276-f44f-482d-9910-71fac2ce5ae0", /* Defender's default workspace, Windows Arc */
	"6df2fee6-a9ed-4fef-bced-e13be1b25f1c", /* Defender's agent in its default workspace */
};

bool policy_installs_agent(const char *definition_id)
{
	const char *slash = definition_id != NULL ? strrchr(definition_id, '/') : NULL;

	for (size_t i = 0; slash != NULL && i < ARRAY_LEN(installers); i++)
		if (str_equal_nocase(slash + 1, installers[i]))
			return true;
	return false;
}

bool policy_is_set(const char *definition_id)
{
	return definition_id != NULL &&
		str_contains_nocase(
			definition_id, "/providers/microsoft.authorization/policysetdefinitions/");
}

bool policy_set_installs_agent(const json_t *document)
{
	const json_t *definitions = json_path(document, "properties.policyDefinitions");
	size_t i;
	json_t *definition;

	json_array_foreach (definitions, i, definition)
		if (policy_installs_agent(json_text(definition, "policyDefinitionId")))
			return true;
	return false;
}

/* Without a parameter it has the definition's own default, which deploys. */
static bool only_looks(const json_t *document)
{
	const char *effect = json_path_text(document, "properties.parameters.effect.value");

	return str_equal_nocase(effect, "Disabled") || str_equal_nocase(effect, "Audit") ||
		str_equal_nocase(effect, "AuditIfNotExists");
}

const char *assignment_deploys(const json_t *document)
{
	if (str_equal_nocase(
		    json_path_text(document, "properties.enforcementMode"), "DoNotEnforce") ||
		only_looks(document))
		return NULL;
	return json_path_text(document, "properties.policyDefinitionId");
}

static char *name_of(const json_t *assignment)
{
	const char *name = json_path_text(assignment, "properties.displayName");

	if (name == NULL)
		name = json_text(assignment, "name");
	return xstrdup(name != NULL ? name : "");
}

void agent_policies_add(struct agent_policies *p, const json_t *assignment)
{
	const json_t *exempt = json_path(assignment, "properties.notScopes");
	const char *scope = json_path_text(assignment, "properties.scope");
	size_t i;
	json_t *id;
	struct agent_policy *one;

	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	one = &p->v[p->n++];
	*one = (struct agent_policy){
		.name = name_of(assignment), .scope = xstrdup(scope != NULL ? scope : "")};
	json_array_foreach (exempt, i, id) {
		if (!json_is_string(id) || one->exempt_count >= EXEMPT_MAX)
			continue;
		one->exempt =
			xreallocarray(one->exempt, one->exempt_count + 1, sizeof(*one->exempt));
		one->exempt[one->exempt_count++] = xstrdup(json_string_value(id));
	}
}

void agent_policies_fini(struct agent_policies *p)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->v[i].exempt_count; k++)
			free(p->v[i].exempt[k]);
		free(p->v[i].exempt);
		free(p->v[i].name);
		free(p->v[i].scope);
	}
	free(p->v);
	*p = (struct agent_policies){0};
}

static bool is_same(const struct agent_policy *a, const struct agent_policy *b)
{
	bool same = str_equal(a->name, b->name) && str_equal_nocase(a->scope, b->scope) &&
		a->exempt_count == b->exempt_count;

	for (size_t i = 0; same && i < a->exempt_count; i++)
		same = str_equal_nocase(a->exempt[i], b->exempt[i]);
	return same;
}

bool agent_policies_known(const struct agent_policies *p, struct wall now)
{
	return wall_is_set(p->at) && wall_since(now, p->at).ms <= AGENT_POLICIES_AGE.ms;
}

bool agent_policies_equal(const struct agent_policies *a, const struct agent_policies *b)
{
	bool same = a->n == b->n && wall_is_set(a->at) == wall_is_set(b->at);

	for (size_t i = 0; same && i < a->n; i++)
		same = is_same(&a->v[i], &b->v[i]);
	return same;
}

/* Segment by segment: "rg" is not above what is in "rg-2". */
static bool is_above(const char *scope, const char *id)
{
	size_t len;

	scope += *scope == '/';
	id += *id == '/';
	len = strlen(scope);
	return str_starts_nocase(id, scope) && (id[len] == '/' || id[len] == '\0');
}

static bool is_exempt(const struct agent_policy *p, const char *machine_id)
{
	for (size_t i = 0; i < p->exempt_count; i++)
		if (is_above(p->exempt[i], machine_id))
			return true;
	return false;
}

/* The list of a subscription has what is assigned to groups above it, and to what is inside. */
static bool reaches(const struct agent_policy *p, const char *machine_id)
{
	bool inside = str_starts_nocase(p->scope, "/subscriptions/");

	return (!inside || is_above(p->scope, machine_id)) && !is_exempt(p, machine_id);
}

const struct agent_policy *agent_policies_on(const struct agent_policies *p, const char *machine_id)
{
	for (size_t i = 0; i < p->n; i++)
		if (reaches(&p->v[i], machine_id))
			return &p->v[i];
	return NULL;
}
