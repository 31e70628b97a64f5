/* SPDX-License-Identifier: Apache-2.0 */
/* Management groups: who belongs where. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define GROUP_ID "/providers/Microsoft.Management/managementGroups/%s"
#define GROUP_TYPE "Microsoft.Management/managementGroups"
#define GROUP_READ GROUP_TYPE "/read"

static json_t *group_id(const struct management_group *g)
{
	return g != NULL ? json_sprintf(GROUP_ID, g->name) : json_null();
}

static bool may_read(const struct call *c, const struct management_group *g)
{
	mdc_autofree char *id = xasprintf(GROUP_ID, g->name);

	return g->tenant == c->who->tenant && auth_allows(c->who, GROUP_READ, id, g);
}

static bool is_below(const struct management_group *g, const struct management_group *top)
{
	for (; g != NULL; g = g->parent)
		if (g == top)
			return true;
	return false;
}

/* --- one flat list of groups, then subscriptions, picked by a test --- */

struct entry {
	const struct management_group *group; /* itself, or the subscription's */
	const struct subscription *sub;
};

static bool entry_at(const struct call *c, size_t place, struct entry *ret)
{
	size_t groups = c->e->management_groups.used;

	if (place >= groups) {
		ret->sub = c->e->subscriptions.v[place - groups];
		ret->group = ret->sub->group;
		return !ret->sub->res.gone;
	}
	ret->sub = NULL;
	ret->group = c->e->management_groups.entries[place].value;
	return c->e->management_groups.entries[place].key != NULL;
}

static size_t entry_places(const struct call *c)
{
	return c->e->management_groups.used + c->e->subscriptions.n;
}

static json_t *describe(const struct entry *x)
{
	const struct management_group *parent = x->sub != NULL ? x->group : x->group->parent;
	json_t *properties = json_object();

	json_object_set_new(properties, "displayName",
		json_string(x->sub != NULL ? tree_text(x->sub->res.doc, "displayName")
					   : x->group->display_name));
	json_object_set_new(properties, "parent", json_pack("{s:o}", "id", group_id(parent)));
	if (x->sub != NULL)
		return json_pack("{s:s, s:s, s:s, s:o}", "id", x->sub->res.id, "type",
			GROUP_TYPE "/subscriptions", "name", x->sub->id, "properties", properties);
	return json_pack("{s:o, s:s, s:s, s:o}", "id", group_id(x->group), "type", GROUP_TYPE,
		"name", x->group->name, "properties", properties);
}

static json_t *descendant(struct call *c, void *ctx, size_t place)
{
	const struct management_group *top = ctx;
	struct entry x;

	if (!entry_at(c, place, &x) || x.group == NULL || !is_below(x.group, top) ||
		(x.sub == NULL && x.group == top))
		return NULL;
	return describe(&x);
}

static bool refuse_unknown_group(struct call *c)
{
	if (c->group != NULL && c->group->tenant == c->who->tenant)
		return false;
	answer_error(c, 404, "NotFound", "Management group '%s' was not found.", c->args[0]);
	return true;
}

static void list_descendants(struct call *c)
{
	struct page_source source = {.places = entry_places(c),
		.item = descendant,
		.ctx = c->group,
		.size = c->e->knobs.paging.others};

	if (!refuse_unknown_group(c))
		answer_page(c, &source);
}

/* Those right under a group, under ids of that group. */
static json_t *subscription_under(struct call *c, void *ctx, size_t place)
{
	const struct management_group *group = ctx;
	struct entry x;
	const char *state;

	if (!entry_at(c, place, &x) || x.sub == NULL || x.group != group)
		return NULL;
	state = tree_text(x.sub->res.doc, "state");
	return json_pack("{s:o, s:s, s:s, s:{s:s, s:s, s:{s:o}, s:s}}", "id",
		json_sprintf(GROUP_ID "/subscriptions/%s", group->name, x.sub->id), "type",
		GROUP_TYPE "/subscriptions", "name", x.sub->id, "properties", "tenant",
		x.sub->tenant->id, "displayName", tree_text(x.sub->res.doc, "displayName"),
		"parent", "id", group_id(group), "state",
		str_equal(state, "Enabled") ? "Active" : state);
}

static void list_subscriptions_under(struct call *c)
{
	struct page_source source = {.places = entry_places(c),
		.item = subscription_under,
		.ctx = c->group,
		.size = c->e->knobs.paging.others};

	if (!refuse_unknown_group(c))
		answer_page(c, &source);
}

static json_t *describe_group(const struct management_group *g)
{
	return json_pack("{s:o, s:s, s:s, s:{s:s, s:s}}", "id", group_id(g), "type", GROUP_TYPE,
		"name", g->name, "properties", "tenantId", g->tenant->id, "displayName",
		g->display_name);
}

static void get_group(struct call *c)
{
	json_t *doc;

	if (refuse_unknown_group(c))
		return;
	doc = describe_group(c->group);
	if (c->group->parent != NULL)
		tree_set(&doc, "properties.details.parent",
			json_pack("{s:o, s:s, s:s}", "id", group_id(c->group->parent), "name",
				c->group->parent->name, "displayName",
				c->group->parent->display_name));
	answer_json(c, 200, doc);
}

/* This list names its link "@nextLink", and all fit on one page here. */
static void list_groups(struct call *c)
{
	json_t *list = json_array();
	struct map_entry *entry;

	map_for_each (&c->e->management_groups, entry)
		if (may_read(c, entry->value))
			json_array_append_new(list, describe_group(entry->value));
	answer_json(c, 200, json_pack("{s:o, s:n}", "value", list, "@nextLink"));
}

static json_t *entity(struct call *c, void *ctx, size_t place)
{
	struct entry x;
	json_t *doc;

	(void)ctx;
	if (!entry_at(c, place, &x))
		return NULL;
	if (x.sub != NULL ? !auth_sees(c->who, x.sub) : !may_read(c, x.group))
		return NULL;
	doc = describe(&x);
	tree_set(&doc, "properties.tenantId", json_string(c->who->tenant->id));
	if (x.sub != NULL)
		json_object_set_new(doc, "type", json_string("/subscriptions"));
	return doc;
}

static void get_entities(struct call *c)
{
	struct page_source source = {
		.places = entry_places(c), .item = entity, .size = c->e->knobs.paging.others};

	answer_page(c, &source);
}

static const char *const versions[] = {"2020-05-01", "2021-04-01", "2023-04-01", NULL};
static const struct api api = {API_SECURITY, "Microsoft.Management", "managementGroups", versions};
static const struct route routes[] = {
	{"GET", "/providers/Microsoft.Management/managementGroups", &api, NULL, 0, list_groups},
	{"GET", "/providers/Microsoft.Management/managementGroups/{}", &api, GROUP_READ, 0,
		get_group},
	{"GET", "/providers/Microsoft.Management/managementGroups/{}/descendants", &api,
		GROUP_TYPE "/descendants/read", 0, list_descendants},
	{"GET", "/providers/Microsoft.Management/managementGroups/{}/subscriptions", &api,
		GROUP_TYPE "/subscriptions/read", 0, list_subscriptions_under},
	{"POST", "/providers/Microsoft.Management/getEntities", &api, NULL, ROUTE_OPTIONAL_BODY,
		get_entities},
};
const struct route_table management_routes = {routes, ARRAY_LEN(routes)};
