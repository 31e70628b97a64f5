/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

/* Built-in roles, as far as their actions concern what is simulated. */
static const struct {
	const char *name;
	const char *guid;
	const char *actions[12];
	const char *not_actions[6];
} builtin_roles[] = {
	{"Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", {"*"}, {NULL}},
	{"Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c", {"*"},
		{"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write",
			"Microsoft.Authorization/elevateAccess/Action"}},
	{"Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", {"*/read"}, {NULL}},
	{"Security Admin", "fb1c8493-542b-48eb-b624-b4c8fea62acd",
		{"Microsoft.Authorization/*/read", "Microsoft.Authorization/policyAssignments/*",
			"Microsoft.Management/managementGroups/read",
			"Microsoft.operationalInsights/workspaces/*/read",
			"Microsoft.Resources/subscriptions/resourceGroups/read",
			"Microsoft.Resources/subscriptions/read", "Microsoft.Security/*",
			"Microsoft.Insights/eventtypes/values/Read"},
		{NULL}},
	{"Security Reader", "39bc4728-0917-49c7-9d2c-d95423bc2eb4",
		{"Microsoft.Authorization/*/read", "Microsoft.Management/managementGroups/read",
			"Microsoft.Resources/subscriptions/resourceGroups/read",
			"Microsoft.Resources/subscriptions/read", "Microsoft.Security/*/read"},
		{NULL}},
	{"Azure Connected Machine Resource Administrator", "cd570a14-e51a-42ad-bac8-bafd67325302",
		{"Microsoft.HybridCompute/machines/read", "Microsoft.HybridCompute/machines/write",
			"Microsoft.HybridCompute/machines/delete",
			"Microsoft.HybridCompute/machines/extensions/read",
			"Microsoft.HybridCompute/machines/extensions/write",
			"Microsoft.HybridCompute/machines/extensions/delete",
			"Microsoft.HybridCompute/*/read",
			"Microsoft.HybridCompute/machines/UpgradeExtensions/action",
			"Microsoft.Resources/subscriptions/resourceGroups/read",
			"Microsoft.Resources/subscriptions/read"},
		{NULL}},
	{"Management Group Reader", "ac63b705-f282-497d-ac71-919bf39d939d",
		{"Microsoft.Management/managementGroups/read",
			"Microsoft.Management/managementGroups/descendants/read",
			"Microsoft.Management/managementGroups/subscriptions/read"},
		{NULL}},
};

static json_t *text_list(const char *const *texts, size_t max)
{
	json_t *list = json_array();

	for (size_t i = 0; i < max && texts[i] != NULL; i++)
		json_array_append_new(list, json_string(texts[i]));
	return list;
}

bool auth_read_role(const char *name, struct role *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin_roles); i++) {
		if (!str_equal_nocase(builtin_roles[i].name, name))
			continue;
		ret->name = xstrdup(builtin_roles[i].name);
		ret->actions =
			text_list(builtin_roles[i].actions, ARRAY_LEN(builtin_roles[i].actions));
		ret->not_actions = text_list(
			builtin_roles[i].not_actions, ARRAY_LEN(builtin_roles[i].not_actions));
		return true;
	}
	return false;
}

const char *auth_role_guid(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin_roles); i++)
		if (str_equal_nocase(builtin_roles[i].name, name))
			return builtin_roles[i].guid;
	return "00000000-0000-0000-0000-000000000000";
}

/* '*' stands for any run of characters, slashes too; case does not matter. */
static bool action_matches(const char *pattern, const char *action)
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
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool list_matches(const json_t *patterns, const char *action)
{
	size_t i;
	json_t *pattern;

	json_array_foreach (patterns, i, pattern)
		if (action_matches(json_string_value(pattern), action))
			return true;
	return false;
}

static bool group_holds(const char *scope, const struct management_group *group)
{
	static const char prefix[] = "/providers/Microsoft.Management/managementGroups/";

	if (!str_starts_nocase(scope, prefix))
		return false;
	for (; group != NULL; group = group->parent)
		if (str_equal_nocase(scope + strlen(prefix), group->name))
			return true;
	return false;
}

bool auth_covers(const struct role *role, const char *target, const struct management_group *group)
{
	return id_is_under(target, role->scope) || group_holds(role->scope, group);
}

bool auth_allows(const struct principal *who, const char *action, const char *target,
	const struct management_group *group)
{
	for (size_t i = 0; i < who->role_count; i++) {
		const struct role *role = &who->roles[i];

		if (auth_covers(role, target, group) && list_matches(role->actions, action) &&
			!list_matches(role->not_actions, action))
			return true;
	}
	return false;
}

bool auth_is_of_tenant(const struct principal *who, const struct subscription *sub)
{
	size_t i;
	json_t *tenant;

	json_array_foreach (sub->delegated_to, i, tenant)
		if (str_equal_nocase(json_string_value(tenant), who->tenant->id))
			return true;
	return who->tenant == sub->tenant;
}

bool auth_sees(const struct principal *who, const struct subscription *sub)
{
	if (sub->res.gone || !auth_is_of_tenant(who, sub))
		return false;
	for (size_t i = 0; i < who->role_count; i++)
		if (auth_covers(&who->roles[i], sub->res.id, sub->group) ||
			id_is_under(who->roles[i].scope, sub->res.id))
			return true;
	return false;
}

json_t *auth_permissions(
	const struct principal *who, const char *target, const struct management_group *group)
{
	json_t *list = json_array();

	for (size_t i = 0; i < who->role_count; i++)
		if (auth_covers(&who->roles[i], target, group))
			json_array_append_new(list,
				json_pack("{s:O, s:O, s:[], s:[]}", "actions",
					who->roles[i].actions, "notActions",
					who->roles[i].not_actions, "dataActions",
					"notDataActions"));
	return list;
}

static void challenge(struct call *c, const char *code, const char *text)
{
	answer_header(c, "WWW-Authenticate",
		"Bearer authorization_uri=\"https://%s/%s\", error=\"invalid_token\", "
		"error_description=\"%s\"",
		c->e->login_host, c->sub != NULL ? c->sub->tenant->id : "common", text);
	answer_error(c, 401, code, "%s", text);
}

static void refuse_token(struct call *c, enum token_state state, const struct token_facts *facts)
{
	mdc_autofree char *text = NULL;
	char expiry[WALL_TEXT_SIZE], now[WALL_TEXT_SIZE];

	switch (state) {
	case TOKEN_EXPIRED:
		wall_format(facts->expires, expiry);
		wall_format(c->now, now);
		text = xasprintf(
			"The access token expiry UTC time '%s' is earlier than current UTC "
			"time '%s'.",
			expiry, now);
		challenge(c, "ExpiredAuthenticationToken", text);
		return;
	case TOKEN_AUDIENCE:
		text = xasprintf(
			"The access token has been obtained for wrong audience or resource "
			"'%s'. It should exactly match with one of the allowed audiences "
			"'https://management.core.windows.net/',"
			"'https://management.azure.com/','https://%s/'.",
			facts->audience, c->e->arm_host);
		challenge(c, "InvalidAuthenticationTokenAudience", text);
		return;
	case TOKEN_GOOD:
	case TOKEN_MALFORMED:
	case TOKEN_UNKNOWN: break;
	}
	challenge(c, "InvalidAuthenticationToken", "The access token is invalid.");
}

bool auth_identify(struct call *c)
{
	const char *header = http_headers_get(&c->request->headers, "Authorization");
	struct token_facts facts = {0};
	enum token_state state;

	if (str_empty(header)) {
		challenge(c, "AuthenticationFailed",
			"Authentication failed. The 'Authorization' header is missing.");
		return false;
	}
	if (!str_starts_nocase(header, "Bearer ")) {
		challenge(c, "AuthenticationFailed",
			"Authentication failed. The 'Authorization' header is provided in an "
			"invalid "
			"format.");
		return false;
	}
	state = token_read(c->e, header + strlen("Bearer "), c->now, &facts);
	if (state != TOKEN_GOOD) {
		refuse_token(c, state, &facts);
		return false;
	}
	c->who = facts.who;
	return true;
}

/* --- deny assignments --- */

static bool names(const json_t *principals, const char *id)
{
	size_t i;
	json_t *one;

	json_array_foreach (principals, i, one)
		if (str_equal_nocase(tree_text(one, "id"), id))
			return true;
	return false;
}

static bool denies(
	const json_t *denial, const struct principal *who, const char *action, const char *target)
{
	static const char everybody[] = "00000000-0000-0000-0000-000000000000";
	const json_t *principals = tree_get(denial, "properties.principals");
	const json_t *permission = json_array_get(tree_get(denial, "properties.permissions"), 0);

	return id_is_under(target, tree_text(denial, "properties.scope")) &&
		(names(principals, everybody) || names(principals, who->object)) &&
		!names(tree_get(denial, "properties.excludePrincipals"), who->object) &&
		list_matches(tree_get(permission, "actions"), action) &&
		!list_matches(tree_get(permission, "notActions"), action);
}

/* Over every role. */
static bool refuse_denied(struct call *c, const char *action)
{
	size_t i;
	json_t *denial;

	if (c->sub == NULL)
		return false;
	json_array_foreach (c->sub->denials, i, denial)
		if (denies(denial, c->who, action, c->target)) {
			answer_error(c, 403, "DenyAssignmentAuthorizationFailed",
				"The client '%s' with object id '%s' has permission to perform "
				"action '%s' on scope '%s'; however, the access is denied because "
				"of the deny assignment with name '%s' and Id '%s' at scope '%s'.",
				c->who->client, c->who->object, action, c->target,
				tree_text(denial, "properties.denyAssignmentName"),
				tree_text(denial, "name"), tree_text(denial, "properties.scope"));
			return true;
		}
	return false;
}

/* "{}/register/action": the namespace comes from the path. */
static char *action_of(const struct call *c)
{
	const char *action = c->route->action;

	if (!str_starts_nocase(action, "{}"))
		return xstrdup(action);
	return xasprintf("%s%s", c->args[1], action + strlen("{}"));
}

bool auth_permit(struct call *c)
{
	const struct management_group *group = c->sub != NULL ? c->sub->group : c->group;
	mdc_autofree char *action = NULL;

	if (c->route->action == NULL)
		return true;
	action = action_of(c);
	c->target = (c->route->flags & ROUTE_LIST) != 0 ? call_container(c) : xstrdup(c->path);
	if (auth_allows(c->who, action, c->target, group))
		return !refuse_denied(c, action);
	answer_error(c, 403, "AuthorizationFailed",
		"The client '%s' with object id '%s' does not have authorization to perform action "
		"'%s' over scope '%s' or the scope is invalid. If access was recently granted, "
		"please refresh your credentials.",
		c->who->client, c->who->object, action, c->target);
	return false;
}
