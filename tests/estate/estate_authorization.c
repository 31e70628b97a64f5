/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may find out about permissions, role assignments and locks. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <stdio.h>
#include <string.h>

static const struct management_group *group_above(const struct call *c)
{
	return c->sub != NULL ? c->sub->group : NULL;
}

static void list_permissions(struct call *c)
{
	answer_json(c, 200,
		json_pack("{s:o}", "value", auth_permissions(c->who, c->scope, group_above(c))));
}

/* --- role assignments --- */

/* Names are GUIDs that stay the same as long as the assignment does. */
static void assignment_name(
	const struct estate *e, const struct principal *p, size_t index, char ret[static GUID_SIZE])
{
	mdc_autofree char *text = xasprintf("assignment %s %zu", p->client, index);
	char hex[33];

	estate_sign(e, text, hex, 16);
	snprintf(ret, GUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		hex + 20);
}

static json_t *describe_assignment(const struct estate *e, const struct principal *p, size_t index)
{
	const struct role *role = &p->roles[index];
	const char *scope = str_equal(role->scope, "/") ? "" : role->scope;
	char name[GUID_SIZE];

	assignment_name(e, p, index, name);
	return json_pack("{s:{s:o, s:s, s:s, s:s}, s:o, s:s, s:s}", "properties",
		"roleDefinitionId",
		json_sprintf("/providers/Microsoft.Authorization/roleDefinitions/%s",
			auth_role_guid(role->name)),
		"principalId", p->object, "principalType", "ServicePrincipal", "scope", role->scope,
		"id",
		json_sprintf(
			"%s/providers/Microsoft.Authorization/roleAssignments/%s", scope, name),
		"type", "Microsoft.Authorization/roleAssignments", "name", name);
}

enum assignment_filter { FILTER_ALL, FILTER_AT_SCOPE, FILTER_PRINCIPAL, FILTER_BAD };

static enum assignment_filter read_filter(const struct call *c, char ret_principal[GUID_SIZE])
{
	static const char form[] = "principalId eq '";
	const char *filter = call_parameter(c, "$filter");

	if (str_empty(filter))
		return FILTER_ALL;
	if (str_equal_nocase(filter, "atScope()"))
		return FILTER_AT_SCOPE;
	if (!str_starts_nocase(filter, form) || strlen(filter) != strlen(form) + GUID_SIZE)
		return FILTER_BAD;
	str_copy(ret_principal, GUID_SIZE, filter + strlen(form));
	return str_is_guid(ret_principal) && str_ends_nocase(filter, "'") ? FILTER_PRINCIPAL
									  : FILTER_BAD;
}

static void list_assignments(struct call *c)
{
	char principal[GUID_SIZE] = "";
	enum assignment_filter filter = read_filter(c, principal);
	json_t *list = json_array();
	struct map_entry *entry;

	map_for_each (&c->e->principals, entry) {
		const struct principal *p = entry->value;

		if (p->tenant != c->who->tenant ||
			(filter == FILTER_PRINCIPAL && !str_equal_nocase(p->object, principal)))
			continue;
		for (size_t i = 0; i < p->role_count; i++)
			if (auth_covers(&p->roles[i], c->scope, group_above(c)) ||
				(filter != FILTER_AT_SCOPE &&
					id_is_under(p->roles[i].scope, c->scope)))
				json_array_append_new(list, describe_assignment(c->e, p, i));
	}
	if (filter == FILTER_BAD) {
		json_decref(list);
		answer_error(c, 400, "InvalidFilter", "The filter '%s' is not supported.",
			call_parameter(c, "$filter"));
		return;
	}
	answer_json(c, 200, json_pack("{s:o}", "value", list));
}

/* --- deny assignments --- */

static json_t *denial_item(struct call *c, void *ctx, size_t place)
{
	json_t *denial = json_array_get(ctx, place);
	const char *scope = tree_text(denial, "properties.scope");
	bool below = id_is_under(scope, c->scope) &&
		!str_equal_nocase(call_parameter(c, "$filter"), "atScope()");

	return below || id_is_under(c->scope, scope) ? json_incref(denial) : NULL;
}

static void list_deny_assignments(struct call *c)
{
	json_t *denials = c->sub != NULL ? c->sub->denials : NULL;

	answer_page(c,
		&(struct page_source){.places = json_array_size(denials),
			.item = denial_item,
			.ctx = denials,
			.size = c->e->knobs.paging.others});
}

/* --- locks --- */

static json_t *lock_item(struct call *c, void *ctx, size_t place)
{
	const struct vec *locks = ctx;
	const struct resource *lock = locks->v[place];
	mdc_autofree char *scope = NULL;
	bool below;

	if (lock == NULL)
		return NULL;
	scope = xstrdup(lock->id);
	*strcasestr(scope, "/providers/Microsoft.Authorization/locks/") = '\0';
	below = id_is_under(scope, c->scope) &&
		!str_equal_nocase(call_parameter(c, "$filter"), "atScope()");
	return below || id_is_under(c->scope, scope) ? json_incref(lock->doc) : NULL;
}

static void list_locks(struct call *c)
{
	struct vec *locks;

	if (c->sub == NULL) {
		answer_json(c, 200, json_pack("{s:[]}", "value"));
		return;
	}
	locks = &c->sub->kinds[RESOURCE_LOCK];
	answer_page(c,
		&(struct page_source){.places = locks->n,
			.item = lock_item,
			.ctx = locks,
			.size = c->e->knobs.paging.others});
}

static const char *const permission_versions[] = {"2015-07-01", "2018-07-01", "2022-04-01", NULL};
static const char *const assignment_versions[] = {
	"2015-07-01", "2020-04-01-preview", "2022-04-01", NULL};
static const char *const deny_versions[] = {"2022-04-01", NULL};
static const char *const lock_versions[] = {"2016-09-01", "2020-05-01", NULL};
#define AUTHORIZATION "Microsoft.Authorization"
static const struct api permissions_api = {
	API_SECURITY, AUTHORIZATION, "permissions", permission_versions};
static const struct api assignments_api = {
	API_SECURITY, AUTHORIZATION, "roleAssignments", assignment_versions};
static const struct api deny_api = {API_SECURITY, AUTHORIZATION, "denyAssignments", deny_versions};
static const struct api locks_api = {API_SECURITY, AUTHORIZATION, "locks", lock_versions};

static const struct route routes[] = {
	{"GET", "{scope}/providers/Microsoft.Authorization/permissions", &permissions_api,
		"Microsoft.Authorization/permissions/read", ROUTE_LIST, list_permissions},
	{"GET", "{scope}/providers/Microsoft.Authorization/roleAssignments", &assignments_api,
		"Microsoft.Authorization/roleAssignments/read", ROUTE_LIST, list_assignments},
	{"GET", "{scope}/providers/Microsoft.Authorization/denyAssignments", &deny_api,
		"Microsoft.Authorization/denyAssignments/read", ROUTE_LIST, list_deny_assignments},
	{"GET", "{scope}/providers/Microsoft.Authorization/locks", &locks_api,
		"Microsoft.Authorization/locks/read", ROUTE_LIST, list_locks},
};
const struct route_table authorization_routes = {routes, ARRAY_LEN(routes)};
