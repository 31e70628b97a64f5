/* SPDX-License-Identifier: Apache-2.0 */
/* Azure Policy, as far as it is read here: what is assigned, what sets consist of, what is exempt.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define AUTHORIZATION "Microsoft.Authorization"
#define ASSIGNMENTS "/providers/" AUTHORIZATION "/policyAssignments"
#define EXEMPTIONS "/providers/" AUTHORIZATION "/policyExemptions"
#define SETS "/providers/" AUTHORIZATION "/policySetDefinitions"

json_t *policy_assignment_document(const char *scope, const char *name, const char *definition)
{
	return json_pack("{s:o, s:s, s:s, s:{s:s, s:s, s:s, s:[], s:{}, s:s}}", "id",
		json_sprintf("%s" ASSIGNMENTS "/%s", scope, name), "type",
		AUTHORIZATION "/policyAssignments", "name", name, "properties", "displayName", name,
		"policyDefinitionId", definition, "scope", scope, "notScopes", "parameters",
		"enforcementMode", "Default");
}

json_t *policy_set_document(
	const struct subscription *sub, const char *name, const json_t *definitions)
{
	json_t *list = json_array();
	size_t i;
	json_t *id;

	json_array_foreach (definitions, i, id)
		json_array_append_new(list,
			json_pack("{s:O, s:o}", "policyDefinitionId", id,
				"policyDefinitionReferenceId", json_sprintf("reference-%zu", i)));
	return json_pack("{s:o, s:s, s:s, s:{s:s, s:s, s:o}}", "id",
		json_sprintf("%s" SETS "/%s", sub->res.id, name), "type",
		AUTHORIZATION "/policySetDefinitions", "name", name, "properties", "displayName",
		name, "policyType", "Custom", "policyDefinitions", list);
}

json_t *policy_exemption_document(const char *scope, const char *name, const char *assignment)
{
	return json_pack("{s:o, s:s, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "id",
		json_sprintf("%s" EXEMPTIONS "/%s", scope, name), "type",
		AUTHORIZATION "/policyExemptions", "name", name, "properties", "policyAssignmentId",
		assignment, "exemptionCategory", "Waiver", "assignmentScopeValidation", "Default",
		"systemData", "createdBy", "architect@contoso.test", "createdByType", "User");
}

/* Everything that applies to the subscription, and what was made inside of it. */
static json_t *policy_item(struct call *c, void *ctx, size_t place)
{
	const struct resource *r = c->sub->kinds[RESOURCE_POLICY].v[place];

	return r != NULL && strcasestr(r->id, ctx) != NULL ? json_incref(r->doc) : NULL;
}

static void list_policies(struct call *c, const char *mark)
{
	const char *filter = call_parameter(c, "$filter");
	mdc_autofree char *type = xasprintf("%s/", mark);

	if (filter != NULL) {
		answer_error(c, 400, "InvalidFilterInQueryString",
			"The filter '%s' is not supported.", filter);
		return;
	}
	answer_page(c,
		&(struct page_source){.places = c->sub->kinds[RESOURCE_POLICY].n,
			.item = policy_item,
			.ctx = type,
			.size = c->e->knobs.paging.others});
}

static void list_assignments(struct call *c)
{
	list_policies(c, ASSIGNMENTS);
}

static void list_exemptions(struct call *c)
{
	list_policies(c, EXEMPTIONS);
}

static void get_set(struct call *c)
{
	const struct resource *r = estate_find_kind(c->e, c->path, RESOURCE_POLICY);

	if (r != NULL)
		answer_json(c, 200, json_incref(r->doc));
	else
		answer_error(c, 404, "PolicySetDefinitionNotFound",
			"The policy set definition '%s' could not be found.",
			strrchr(c->path, '/') + 1);
}

static const char *const versions[] = {
	"2021-06-01", "2022-06-01", "2023-04-01", "2024-05-01", "2025-01-01", NULL};
static const struct api assignments_api = {
	API_SECURITY, AUTHORIZATION, "policyAssignments", versions};
static const struct api sets_api = {API_SECURITY, AUTHORIZATION, "policySetDefinitions", versions};
static const char *const exemption_versions[] = {"2020-07-01-preview", "2022-07-01-preview", NULL};
static const struct api exemptions_api = {
	API_SECURITY, AUTHORIZATION, "policyExemptions", exemption_versions};
#define READ_SET AUTHORIZATION "/policySetDefinitions/read"
static const struct route routes[] = {
	{"GET", "/subscriptions/{}" ASSIGNMENTS, &assignments_api,
		AUTHORIZATION "/policyAssignments/read", ROUTE_LIST, list_assignments},
	{"GET", "/subscriptions/{}" EXEMPTIONS, &exemptions_api,
		AUTHORIZATION "/policyExemptions/read", ROUTE_LIST, list_exemptions},
	{"GET", "/subscriptions/{}" SETS "/{}", &sets_api, READ_SET, 0, get_set},
	/* Built-in ones need no right, and those of a group are its readers'. */
	{"GET", SETS "/{}", &sets_api, NULL, 0, get_set},
	{"GET", "/providers/Microsoft.Management/managementGroups/{}" SETS "/{}", &sets_api,
		READ_SET, 0, get_set},
};
const struct route_table assignment_routes = {routes, ARRAY_LEN(routes)};
