/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft.HybridCompute: machines and their extensions, as they are read. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

static bool check_expand(struct call *c)
{
	const char *expand = call_parameter(c, "$expand");

	if (str_empty(expand) || str_equal_nocase(expand, "instanceView"))
		return true;
	return answer_error(
		c, 400, "HCRP400", "The value '%s' of $expand is not supported.", expand);
}

static json_t *machine_item(struct call *c, void *ctx, size_t place)
{
	const struct vec *machines = ctx;
	const struct machine *m = machines->v[place];

	(void)c;
	return m != NULL && !m->vm ? json_incref(m->res.doc) : NULL;
}

static json_t *resource_item(struct call *c, void *ctx, size_t place)
{
	const struct vec *resources = ctx;
	const struct resource *r = resources->v[place];

	return r != NULL && !machine_of((struct resource *)r)->vm ? render_doc(c, r) : NULL;
}

static void list_by_subscription(struct call *c)
{
	if (call_parameter(c, "$expand") != NULL) {
		answer_error(c, 400, "HCRP400",
			"$expand is not supported when machines of a subscription are listed.");
		return;
	}
	answer_page(c,
		&(struct page_source){.places = c->sub->kinds[RESOURCE_MACHINE].n,
			.item = resource_item,
			.ctx = &c->sub->kinds[RESOURCE_MACHINE],
			.size = c->e->knobs.paging.machines});
}

static void list_by_group(struct call *c)
{
	mdc_autofree char *id = call_container(c);
	struct resource *r = estate_find_kind(c->e, id, RESOURCE_GROUP);
	struct group *g = container_of(r, struct group, res);

	if (!check_expand(c))
		return;
	answer_page(c,
		&(struct page_source){.places = g->machines.n,
			.item = machine_item,
			.ctx = &g->machines,
			.size = c->e->knobs.paging.machines});
}

struct machine *call_machine(const struct call *c)
{
	bool vm = strcasestr(c->path, "/providers/Microsoft.Compute/virtualMachines/") != NULL;
	mdc_autofree char *id = xasprintf("/subscriptions/%s/resourceGroups/%s/providers/%s/%s",
		c->args[0], c->args[1],
		vm ? "Microsoft.Compute/virtualMachines" : "Microsoft.HybridCompute/machines",
		c->args[2]);

	return machine_of(estate_find(c->e, id));
}

static struct machine *find_machine(struct call *c)
{
	struct machine *m = call_machine(c);

	if (m == NULL)
		answer_error(c, 404, "ResourceNotFound",
			"The Resource 'Microsoft.HybridCompute/machines/%s' under resource group "
			"'%s' "
			"was not found. For more details please go to "
			"https://aka.ms/ARMResourceNotFoundFix",
			c->args[2], c->args[1]);
	return m;
}

/* One machine shows its extensions; lists do not. */
static void get_machine(struct call *c)
{
	const struct machine *m = find_machine(c);
	json_t *children, *doc;

	if (m == NULL || !check_expand(c))
		return;
	children = json_array();
	for (size_t i = 0; i < m->extensions.n; i++)
		if (m->extensions.v[i] != NULL)
			json_array_append_new(children, render_doc(c, m->extensions.v[i]));
	doc = json_copy(m->res.doc);
	json_object_set_new(doc, "resources", children);
	answer_json(c, 200, doc);
}

static json_t *extension_item(struct call *c, void *ctx, size_t place)
{
	const struct vec *extensions = ctx;

	return extensions->v[place] != NULL ? render_doc(c, extensions->v[place]) : NULL;
}

static void list_extensions(struct call *c)
{
	struct machine *m = find_machine(c);

	if (m == NULL || !check_expand(c))
		return;
	answer_page(c,
		&(struct page_source){.places = m->extensions.n,
			.item = extension_item,
			.ctx = &m->extensions,
			.size = c->e->knobs.paging.extensions});
}

static void get_extension(struct call *c)
{
	const struct resource *r;

	if (find_machine(c) == NULL)
		return;
	r = estate_find_kind(c->e, c->path, RESOURCE_EXTENSION);
	if (r != NULL)
		answer_doc(c, 200, r);
	else
		answer_error_object(c, 404,
			json_pack("{s:s, s:s, s:o}", "code", "HCRP404", "message",
				"The requested resource was not found.", "target",
				json_sprintf("%s/%s/%s/%s", c->args[0], c->args[1], c->args[2],
					c->args[3])));
}

/* Machines and extensions are the same in all of them, as far as they are served here. */
const char *const hybrid_versions[] = {"2019-12-12", "2020-08-02", "2021-05-20", "2022-03-10",
	"2022-12-27", "2023-10-03-preview", "2024-07-10", "2024-11-10-preview", "2025-01-13",
	"2025-06-01", NULL};
static const struct api api = {API_TRACKED, HYBRID_NAMESPACE, "machines", hybrid_versions};
static const struct api extension_api = {
	API_TRACKED, HYBRID_NAMESPACE, "machines/extensions", hybrid_versions};
#define GROUP_SCOPE "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.HybridCompute/"
#define LISTS (ROUTE_REGISTERED | ROUTE_LIST)
static const struct route routes[] = {
	{"GET", "/subscriptions/{}/providers/Microsoft.HybridCompute/machines", &api,
		"Microsoft.HybridCompute/machines/read", LISTS, list_by_subscription},
	{"GET", GROUP_SCOPE "machines", &api, "Microsoft.HybridCompute/machines/read", LISTS,
		list_by_group},
	{"GET", GROUP_SCOPE "machines/{}", &api, "Microsoft.HybridCompute/machines/read",
		ROUTE_REGISTERED, get_machine},
	{"GET", GROUP_SCOPE "machines/{}/extensions", &extension_api,
		"Microsoft.HybridCompute/machines/extensions/read", ROUTE_REGISTERED,
		list_extensions},
	{"GET", GROUP_SCOPE "machines/{}/extensions/{}", &extension_api,
		"Microsoft.HybridCompute/machines/extensions/read", ROUTE_REGISTERED,
		get_extension},
};
const struct route_table machine_routes = {routes, ARRAY_LEN(routes)};
