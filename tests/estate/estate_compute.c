/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft.Compute: virtual machines and their extensions, as they are read. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

#include <string.h>

#define POWER_CODE "properties.extended.instanceView.powerState.code"

/* --- what the document says --- */

bool vm_is_of_own_image(const struct machine *m)
{
	return tree_text(m->res.doc, "properties.storageProfile.imageReference.id") != NULL &&
		tree_get(m->res.doc, "properties.osProfile") != NULL;
}

bool vm_allows_extensions(const struct machine *m)
{
	return !json_is_false(
		tree_get(m->res.doc, "properties.osProfile.allowExtensionOperations"));
}

bool vm_is_managed_by_others(const struct machine *m)
{
	static const char *const publishers[] = {"AzureDatabricks", "azureopenshift",
		"microsoft-aks", "cisco", "fortinet", "juniper-networks", "barracudanetworks",
		"checkpoint", "imperva", "qualysguard", "f5-networks", "paloaltonetworks"};
	const char *publisher =
		tree_text(m->res.doc, "properties.storageProfile.imageReference.publisher");

	for (size_t i = 0; i < ARRAY_LEN(publishers); i++)
		if (str_equal_nocase(publisher, publishers[i]))
			return true;
	return false;
}

const char *vm_power(const json_t *doc)
{
	const char *code = tree_text(doc, POWER_CODE);

	return str_starts_nocase(code, "PowerState/") ? code + strlen("PowerState/") : NULL;
}

/* --- what ARM makes of it --- */

static json_t *agent_view(const struct machine *m)
{
	return json_pack("{s:s, s:[{s:s, s:s, s:s, s:s}]}", "vmAgentVersion",
		m->agent_down        ? "Unknown"
			: m->windows ? "2.7.41491.1172"
				     : "2.11.1.4",
		"statuses", "code",
		m->agent_down ? "ProvisioningState/Unavailable" : "ProvisioningState/succeeded",
		"level", m->agent_down ? "Warning" : "Info", "displayStatus",
		m->agent_down ? "Not Ready" : "Ready", "message",
		m->agent_down ? "VM status blob is found but not yet populated."
			      : "GuestAgent is running and processing the extensions.");
}

static json_t *instance_view(const struct machine *m)
{
	json_t *view = json_copy(tree_get(m->res.doc, "properties.extended.instanceView"));
	json_t *power = json_object_get(view, "powerState");

	json_object_set_new(view, "statuses",
		json_pack("[{s:s, s:s, s:s}, O]", "code", "ProvisioningState/succeeded", "level",
			"Info", "displayStatus", "Provisioning succeeded", power));
	json_object_del(view, "powerState");
	if (str_equal(machine_status(m), "running"))
		json_object_set_new(view, "vmAgent", agent_view(m));
	return view;
}

static json_t *render_vm(const struct machine *m, bool with_view)
{
	json_t *doc = tree_with(m->res.doc, "properties.extended", NULL);

	if (with_view)
		tree_set(&doc, "properties.instanceView", instance_view(m));
	return doc;
}

/* As it is listed for its status: who it is, and how it goes. */
static json_t *render_status(const struct machine *m)
{
	json_t *doc = tree_with(m->res.doc, "properties",
		json_pack("{s:O, s:O, s:o}", "vmId", tree_get(m->res.doc, "properties.vmId"),
			"provisioningState", tree_get(m->res.doc, "properties.provisioningState"),
			"instanceView", instance_view(m)));

	tree_set(&doc, "tags", NULL);
	return doc;
}

/* --- requests --- */

static bool wants_view(struct call *c, bool *ret)
{
	const char *expand = call_parameter(c, "$expand");

	*ret = str_equal_nocase(expand, "instanceView");
	if (*ret || str_empty(expand) || str_equal_nocase(expand, "userData"))
		return true;
	return answer_error(c, 400, "InvalidParameter",
		"The value '%s' of parameter '$expand' is not allowed.", expand);
}

static json_t *listed_vm(struct call *c, const struct machine *m)
{
	if (m == NULL || !m->vm)
		return NULL;
	return str_equal_nocase(call_parameter(c, "statusOnly"), "true") ? render_status(m)
									 : render_vm(m, false);
}

static json_t *vm_of_resource(struct call *c, void *ctx, size_t place)
{
	const struct vec *all = ctx;

	return listed_vm(c, machine_of(all->v[place]));
}

static json_t *vm_of_group(struct call *c, void *ctx, size_t place)
{
	const struct vec *all = ctx;

	return listed_vm(c, all->v[place]);
}

static void list(struct call *c, struct vec *all, page_item_fn item)
{
	if (call_parameter(c, "$expand") != NULL) {
		answer_error(c, 400, "InvalidParameter",
			"$expand is only allowed together with a $filter by scale set.");
		return;
	}
	answer_page(c,
		&(struct page_source){.places = all->n,
			.item = item,
			.ctx = all,
			.size = c->e->knobs.paging.machines});
}

static void list_by_subscription(struct call *c)
{
	list(c, &c->sub->kinds[RESOURCE_MACHINE], vm_of_resource);
}

static void list_by_group(struct call *c)
{
	mdc_autofree char *id = call_container(c);
	struct resource *r = estate_find_kind(c->e, id, RESOURCE_GROUP);

	list(c, &container_of(r, struct group, res)->machines, vm_of_group);
}

static struct machine *find_vm(struct call *c)
{
	struct machine *m = call_machine(c);

	if (m == NULL)
		answer_error(c, 404, "ResourceNotFound",
			"The Resource 'Microsoft.Compute/virtualMachines/%s' under resource group "
			"'%s' was not found. For more details please go to "
			"https://aka.ms/ARMResourceNotFoundFix",
			c->args[2], c->args[1]);
	return m;
}

static void get_vm(struct call *c)
{
	const struct machine *m = find_vm(c);
	bool with_view;

	if (m != NULL && wants_view(c, &with_view))
		answer_json(c, 200, render_vm(m, with_view));
}

static void get_view(struct call *c)
{
	const struct machine *m = find_vm(c);

	if (m != NULL)
		answer_json(c, 200, instance_view(m));
}

static json_t *render_extension(struct call *c, const struct resource *r, bool with_view)
{
	json_t *doc = render_doc(c, r);

	if (!with_view)
		tree_set(&doc, "properties.instanceView", NULL);
	return doc;
}

/* All at once: Compute pages nothing here. */
static void list_extensions(struct call *c)
{
	const struct machine *m = find_vm(c);
	bool with_view;
	json_t *all;

	if (m == NULL || !wants_view(c, &with_view))
		return;
	all = json_array();
	for (size_t i = 0; i < m->extensions.n; i++)
		if (m->extensions.v[i] != NULL)
			json_array_append_new(
				all, render_extension(c, m->extensions.v[i], with_view));
	answer_json(c, 200, json_pack("{s:o}", "value", all));
}

static void get_extension(struct call *c)
{
	const struct resource *r;
	bool with_view;

	if (find_vm(c) == NULL || !wants_view(c, &with_view))
		return;
	r = estate_find_kind(c->e, c->path, RESOURCE_EXTENSION);
	if (r != NULL)
		answer_json(c, 200, render_extension(c, r, with_view));
	else
		answer_error(c, 404, "ResourceNotFound",
			"The Resource 'Microsoft.Compute/virtualMachines/%s/extensions/%s' under "
			"resource group '%s' was not found.",
			c->args[2], c->args[3], c->args[1]);
}

const char *const compute_versions[] = {
	"2020-06-01", "2022-03-01", "2023-03-01", "2024-03-01", "2024-07-01", "2024-11-01", NULL};
static const struct api api = {API_TRACKED, COMPUTE_NAMESPACE, "virtualMachines", compute_versions};
static const struct api extension_api = {
	API_TRACKED, COMPUTE_NAMESPACE, "virtualMachines/extensions", compute_versions};
#define GROUP_SCOPE "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/"
#define LISTS (ROUTE_REGISTERED | ROUTE_LIST)
static const struct route routes[] = {
	{"GET", "/subscriptions/{}/providers/Microsoft.Compute/virtualMachines", &api,
		VM_TYPE "/read", LISTS, list_by_subscription},
	{"GET", GROUP_SCOPE "virtualMachines", &api, VM_TYPE "/read", LISTS, list_by_group},
	{"GET", GROUP_SCOPE "virtualMachines/{}", &api, VM_TYPE "/read", ROUTE_REGISTERED, get_vm},
	{"GET", GROUP_SCOPE "virtualMachines/{}/instanceView", &api, VM_TYPE "/instanceView/read",
		ROUTE_REGISTERED, get_view},
	{"GET", GROUP_SCOPE "virtualMachines/{}/extensions", &extension_api,
		VM_EXTENSION_TYPE "/read", ROUTE_REGISTERED, list_extensions},
	{"GET", GROUP_SCOPE "virtualMachines/{}/extensions/{}", &extension_api,
		VM_EXTENSION_TYPE "/read", ROUTE_REGISTERED, get_extension},
};
const struct route_table compute_routes = {routes, ARRAY_LEN(routes)};
