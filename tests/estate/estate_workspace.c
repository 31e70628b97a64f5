/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log Analytics workspaces, the solutions on them, and data collection rules with their
 * associations to machines. A solution of Microsoft's is named after its type and its workspace, by
 * case, and stands in the resource group and place of the workspace.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define BAD "InvalidParameter"
#define WORKSPACES "Microsoft.OperationalInsights/workspaces"
#define SOLUTIONS "Microsoft.OperationsManagement/solutions"
#define RULES "Microsoft.Insights/dataCollectionRules"
#define ASSOCIATIONS "Microsoft.Insights/dataCollectionRuleAssociations"

/* --- documents --- */

static json_t *document_of(const char *id, const char *type, json_t *take_properties)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "id", id, "name", strrchr(id, '/') + 1, "type",
		type, "properties", take_properties);
}

json_t *workspace_document(const char *id, const char *location, const char *customer)
{
	json_t *doc = document_of(id, WORKSPACES,
		json_pack("{s:s, s:s, s:{s:s}, s:i}", "customerId", customer, "provisioningState",
			"Succeeded", "sku", "name", "PerGB2018", "retentionInDays", 30));

	json_object_set_new(doc, "location", json_string(location));
	return doc;
}

json_t *solution_document(const char *id, const json_t *sent)
{
	json_t *doc = document_of(id, SOLUTIONS, json_deep_copy(tree_get(sent, "properties")));

	json_object_set(doc, "plan", tree_get(sent, "plan"));
	json_object_set(doc, "location", tree_get(sent, "location"));
	if (tree_get(sent, "tags") != NULL)
		json_object_set(doc, "tags", tree_get(sent, "tags"));
	tree_set(&doc, "properties.provisioningState", json_string("Succeeded"));
	return doc;
}

json_t *rule_document(
	const char *id, const char *location, const json_t *destinations, const json_t *streams)
{
	json_t *analytics = json_array(), *names = json_array(), *doc;
	size_t i;
	json_t *workspace;

	json_array_foreach (destinations, i, workspace) {
		json_t *name = json_sprintf("destination%zu", i);

		json_array_append_new(analytics,
			json_pack("{s:O, s:O}", "workspaceResourceId", workspace, "name", name));
		json_array_append_new(names, name);
	}
	doc = document_of(id, RULES,
		json_pack("{s:s, s:{s:o}, s:[{s:O, s:o}]}", "provisioningState", "Succeeded",
			"destinations", "logAnalytics", analytics, "dataFlows", "streams", streams,
			"destinations", names));
	json_object_set_new(doc, "location", json_string(location));
	return doc;
}

json_t *association_document(const char *id, const char *rule)
{
	return document_of(id, ASSOCIATIONS, json_pack("{s:s}", "dataCollectionRuleId", rule));
}

/* --- putting a solution --- */

static bool check_plan(struct call *c, const char *workspace)
{
	const char *name = tree_text(c->body, "plan.name");
	const char *product = tree_text(c->body, "plan.product");
	static const char gallery[] = "OMSGallery/";
	mdc_autofree char *expected = NULL;

	if (product == NULL || strncmp(product, gallery, strlen(gallery)) != 0)
		return answer_error(c, 400, BAD, "The plan's product is not one of the gallery.");
	expected = xasprintf("%s(%s)", product + strlen(gallery), workspace);
	if (!str_equal(name, expected) || !str_equal(c->args[2], expected))
		return answer_error(c, 400, BAD,
			"The solution and its plan must be called '%s', not '%s' and '%s'.",
			expected, c->args[2], name != NULL ? name : "");
	if (!str_equal(tree_text(c->body, "plan.publisher"), "Microsoft") ||
		!json_is_string(tree_get(c->body, "plan.promotionCode")))
		return answer_error(
			c, 400, BAD, "The plan needs a publisher and a promotion code.");
	return true;
}

static bool check_solution(struct call *c)
{
	const char *id = tree_text(c->body, "properties.workspaceResourceId");
	const struct resource *workspace =
		id != NULL ? estate_find_kind(c->e, id, RESOURCE_WORKSPACE) : NULL;
	mdc_autofree char *group =
		xasprintf("/subscriptions/%s/resourceGroups/%s/providers/", c->sub->id, c->args[1]);

	if (tree_get(c->body, "properties.provisioningState") != NULL)
		return answer_error(c, 400, BAD, "provisioningState is read-only.");
	if (workspace == NULL)
		return answer_error(c, 404, "ResourceNotFound", "The workspace '%s' was not found.",
			id != NULL ? id : "");
	if (!str_starts_nocase(workspace->id, group))
		return answer_error(c, 400, BAD,
			"The solution must be in the resource group of its workspace.");
	if (!str_equal_nocase(
		    tree_text(c->body, "location"), tree_text(workspace->doc, "location")))
		return answer_error(
			c, 400, "InvalidLocation", "The solution must be where its workspace is.");
	return check_plan(c, workspace->name);
}

/* Answers name it without the leading slash, and by a type in the singular. */
static void answer_solution(struct call *c, const struct resource *r)
{
	json_t *doc = json_copy(r->doc);

	json_object_set_new(doc, "id", json_string(r->id + 1));
	json_object_set_new(doc, "type", json_string("Microsoft.OperationsManagement/solution"));
	answer_json(c, 201, doc);
}

static void put_solution(struct call *c)
{
	struct resource *r = estate_find_kind(c->e, c->path, RESOURCE_SOLUTION);
	mdc_autofree char *id = xstrdup(r != NULL ? r->id : c->path);

	if (!check_solution(c))
		return;
	ledger_write(c, r, RESOURCE_SOLUTION, id, c->body);
	activity_of_call(c, id, "Succeeded", 201);
	if (r != NULL)
		estate_replace(c->e, r, solution_document(id, c->body));
	else
		r = estate_create(
			c->e, RESOURCE_SOLUTION, id, c->sub, solution_document(id, c->body));
	answer_solution(c, r);
}

static void delete_solution(struct call *c)
{
	struct resource *r = estate_find_kind(c->e, c->path, RESOURCE_SOLUTION);

	if (r == NULL) {
		answer_empty(c, 204);
		return;
	}
	ledger_write(c, r, RESOURCE_SOLUTION, r->id, NULL);
	activity_of_call(c, r->id, "Succeeded", 200);
	estate_remove(c->e, r);
	answer_empty(c, 200);
}

/* --- reading --- */

static void get_one(struct call *c, enum resource_kind kind, const char *type)
{
	const struct resource *r = estate_find_kind(c->e, c->path, kind);

	if (r != NULL)
		answer_doc(c, 200, r);
	else
		answer_error(c, 404, "ResourceNotFound",
			"The Resource '%s' under resource group '%s' was not found.", type,
			c->args[1]);
}

static void get_workspace(struct call *c)
{
	get_one(c, RESOURCE_WORKSPACE, WORKSPACES);
}

static void get_solution(struct call *c)
{
	get_one(c, RESOURCE_SOLUTION, SOLUTIONS);
}

static void get_rule(struct call *c)
{
	get_one(c, RESOURCE_RULE, RULES);
}

/* One page, however many there are. */
static void list_whole(struct call *c, enum resource_kind kind)
{
	const struct vec *all = &c->sub->kinds[kind];
	json_t *value = json_array();

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i] != NULL)
			json_array_append_new(value, render_doc(c, all->v[i]));
	answer_json(c, 200, json_pack("{s:o}", "value", value));
}

static void list_workspaces(struct call *c)
{
	list_whole(c, RESOURCE_WORKSPACE);
}

static void list_solutions(struct call *c)
{
	list_whole(c, RESOURCE_SOLUTION);
}

static void list_rules(struct call *c)
{
	answer_kind(c, RESOURCE_RULE, c->e->knobs.paging.others);
}

static const char *const workspace_versions[] = {"2023-09-01", NULL};
static const char *const solution_versions[] = {"2015-11-01-preview", NULL};
static const char *const rule_versions[] = {"2023-03-11", "2022-06-01", NULL};
static const struct api workspace_api = {
	API_TRACKED, "Microsoft.OperationalInsights", "workspaces", workspace_versions};
static const struct api solution_api = {
	API_TRACKED, "Microsoft.OperationsManagement", "solutions", solution_versions};
static const struct api rule_api = {
	API_TRACKED, "Microsoft.Insights", "dataCollectionRules", rule_versions};

#define IN_SUBSCRIPTION(type) "/subscriptions/{}/providers/" type
#define ONE(type) "/subscriptions/{}/resourceGroups/{}/providers/" type "/{}"

static const struct route routes[] = {
	{"GET", IN_SUBSCRIPTION(WORKSPACES), &workspace_api, WORKSPACES "/read",
		ROUTE_REGISTERED | ROUTE_LIST, list_workspaces},
	{"GET", ONE(WORKSPACES), &workspace_api, WORKSPACES "/read", ROUTE_REGISTERED,
		get_workspace},
	{"GET", IN_SUBSCRIPTION(SOLUTIONS), &solution_api, SOLUTIONS "/read",
		ROUTE_REGISTERED | ROUTE_LIST, list_solutions},
	{"GET", ONE(SOLUTIONS), &solution_api, SOLUTIONS "/read", ROUTE_REGISTERED, get_solution},
	{"PUT", ONE(SOLUTIONS), &solution_api, SOLUTIONS "/write",
		ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY, put_solution},
	{"DELETE", ONE(SOLUTIONS), &solution_api, SOLUTIONS "/delete",
		ROUTE_REGISTERED | ROUTE_WRITES, delete_solution},
	{"GET", IN_SUBSCRIPTION(RULES), &rule_api, RULES "/read", ROUTE_REGISTERED | ROUTE_LIST,
		list_rules},
	{"GET", ONE(RULES), &rule_api, RULES "/read", ROUTE_REGISTERED, get_rule},
};
const struct route_table workspace_routes = {routes, ARRAY_LEN(routes)};
