/* SPDX-License-Identifier: Apache-2.0 */
/* Extensions of Arc machines and of VMs as they are written: PUT, PATCH and DELETE. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

#include <string.h>

#define EXTENSION_TYPE "Microsoft.HybridCompute/machines/extensions"
#define NAME_MAX_LENGTH 80

static struct machine *find_machine(struct call *c)
{
	struct machine *m = call_machine(c);

	if (m == NULL)
		answer_error(c, 404, "ParentResourceNotFound",
			"Failed to perform '%s' on resource(s) of type 'machines/extensions', "
			"because "
			"the parent resource '%s' could not be found.",
			str_equal(c->request->method, "DELETE") ? "delete" : "write", c->args[2]);
	return m;
}

static struct resource *find_extension(const struct call *c)
{
	return estate_find_kind(c->e, c->path, RESOURCE_EXTENSION);
}

/* --- validation --- */

static bool bad(struct call *c, const char *what)
{
	if (str_equal(c->route->api->provider, COMPUTE_NAMESPACE))
		return answer_error(c, 400, "InvalidParameter",
			"Required parameter '%s' is missing or invalid.", what);
	answer_error_object(c, 400,
		json_pack("{s:s, s:o, s:o}", "code", "HCRP400", "message",
			json_sprintf("The request does not have sufficient information to complete "
				     "the operation. Missing or invalid properties: %s",
				what),
			"target",
			json_sprintf(
				"%s/%s/%s/%s", c->args[0], c->args[1], c->args[2], c->args[3])));
	return false;
}

static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_LENGTH &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		len;
}

static const struct {
	const char *name;
	json_type type;
	bool needed;
} members[] = {
	{"publisher", JSON_STRING, true},
	{"type", JSON_STRING, true},
	{"typeHandlerVersion", JSON_STRING, false},
	{"forceUpdateTag", JSON_STRING, false},
	{"autoUpgradeMinorVersion", JSON_TRUE, false},
	{"enableAutomaticUpgrade", JSON_TRUE, false},
	{"settings", JSON_OBJECT, false},
	{"protectedSettings", JSON_OBJECT, false},
};

static bool has_type(const json_t *value, json_type type)
{
	return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

static bool check_properties(
	struct call *c, const json_t *properties, const json_t *current, bool patch)
{
	const char *state = tree_text(properties, "provisioningState");

	if (!json_is_object(properties))
		return bad(c, "properties");
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const json_t *value = json_object_get(properties, members[i].name);

		if (value == NULL || json_is_null(value)) {
			if (members[i].needed && !patch)
				return bad(c, members[i].name);
		} else if (!has_type(value, members[i].type)) {
			return answer_error(c, 400, "InvalidRequestContent",
				"The request content was invalid and could not be deserialized: "
				"the "
				"value of 'properties.%s' has a wrong type.",
				members[i].name);
		}
	}
	/* ARM's rule: a state that differs from the server's own is an error. */
	if (state != NULL &&
		!str_equal_nocase(state, tree_text(current, "properties.provisioningState")))
		return bad(c, "provisioningState");
	return true;
}

static bool check_identity(struct call *c, const json_t *properties, const json_t *current)
{
	static const char *const fixed[] = {"publisher", "type"};

	for (size_t i = 0; current != NULL && i < ARRAY_LEN(fixed); i++) {
		const char *wanted = tree_text(properties, fixed[i]);
		mdc_autofree char *path = xasprintf("properties.%s", fixed[i]);

		if (wanted != NULL && !str_equal_nocase(wanted, tree_text(current, path)))
			return bad(c, fixed[i]);
	}
	return true;
}

static bool check_location(struct call *c, const struct machine *m)
{
	const char *location = tree_text(c->body, "location");

	if (str_empty(location))
		return answer_error(c, 400, "LocationRequired",
			"The location property is required for this definition.");
	if (str_equal_nocase(location, tree_text(m->res.doc, "location")))
		return true;
	return answer_error(c, 409, "InvalidResourceLocation",
		"The resource '%s' must be in the location '%s' of its machine.", c->args[3],
		tree_text(m->res.doc, "location"));
}

/* --- refusals that come from the machine's state --- */

static bool check_vm(struct call *c, const struct machine *m)
{
	if (!vm_allows_extensions(m))
		return answer_error(c, 409, "OperationNotAllowed",
			"This operation cannot be performed when extension operations are "
			"disallowed. To allow, please ensure VM Agent is installed on the VM and "
			"the osProfile.allowExtensionOperations property is true.");
	if (!str_equal(machine_status(m), "running"))
		return answer_error(c, 409, "OperationNotAllowed",
			"Cannot modify extensions in the VM when the VM is not running.");
	return true;
}

static bool check_machine(struct call *c, const struct machine *m)
{
	if (m->vm)
		return check_vm(c, m);
	if (!str_equal(machine_status(m), "Expired"))
		return true;
	answer_error_object(c, 400,
		json_pack("{s:s, s:o, s:o}", "code", "HCRP400", "message",
			json_sprintf("The machine '%s' has expired and can no longer be managed. "
				     "Connect it again.",
				m->res.name),
			"target", json_sprintf("%s/%s/%s", c->args[0], c->args[1], c->args[2])));
	return false;
}

static bool refuse_busy(struct call *c, const struct operation *op)
{
	c->own_conflict = operation_is_by(op, c->who);
	if (str_equal(c->route->api->provider, COMPUTE_NAMESPACE))
		return answer_error(c, 409, "Conflict",
			"The request failed due to conflict with a concurrent request. To resolve "
			"it, please refer to https://aka.ms/activitylog to get more details on the "
			"conflicting requests.");
	answer_error_object(c, 409,
		json_pack("{s:s, s:o, s:o}", "code", "HCRP409", "message",
			json_sprintf(
				"An extension of type '%s' is still processing. Only one "
				"instance of an extension may be in progress at a time for the "
				"same resource. Please retry after sometime.",
				operation_type(op)),
			"target",
			json_sprintf(
				"%s/%s/%s/%s", c->args[0], c->args[1], c->args[2], c->args[3])));
	return false;
}

static bool check_not_busy(struct call *c, const struct machine *m, const char *type)
{
	const struct operation *op = operation_running(m, type);

	return op == NULL || refuse_busy(c, op);
}

/* --- the wanted document --- */

static void overlay(json_t *properties, const json_t *sent)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const json_t *value = json_object_get(sent, members[i].name);

		/* Protected settings are never stored with what can be read. */
		if (value != NULL && !json_is_null(value) &&
			!str_equal(members[i].name, "protectedSettings"))
			json_object_set(properties, members[i].name, (json_t *)value);
	}
}

static json_t *wanted_doc(
	const struct call *c, const struct machine *m, const json_t *current, bool patch)
{
	const char *name = current != NULL ? tree_text(current, "name") : c->args[3];
	const json_t *sent = json_object_get(c->body, "properties");
	const json_t *tags = json_object_get(c->body, "tags");
	json_t *properties = patch ? json_copy(tree_get(current, "properties")) : json_object();
	json_t *doc;

	if (json_object_get(properties, "autoUpgradeMinorVersion") == NULL)
		json_object_set_new(properties, "autoUpgradeMinorVersion", json_false());
	if (!m->vm && json_object_get(properties, "enableAutomaticUpgrade") == NULL)
		json_object_set_new(properties, "enableAutomaticUpgrade", json_true());
	overlay(properties, sent);
	doc = json_pack("{s:o, s:s, s:s, s:O, s:o}", "id",
		json_sprintf("%s/extensions/%s", m->res.id, name), "name", name, "type",
		machine_extension_type(m), "location", json_object_get(m->res.doc, "location"),
		"properties", properties);
	if (json_is_object(tags))
		json_object_set(doc, "tags", (json_t *)tags);
	else if (patch && json_object_get(current, "tags") != NULL)
		json_object_set(doc, "tags", json_object_get(current, "tags"));
	return doc;
}

static void begin(struct call *c, struct machine *m, const char *id, json_t *take_doc)
{
	const json_t *secrets = tree_get(c->body, "properties.protectedSettings");
	struct operation_request request = {
		.machine = m,
		.extension_id = id,
		.caller = c->who->client,
		.who = c->who,
		.correlation_id = c->correlation_id,
		.take_doc = take_doc,
		.take_protected = json_incref((json_t *)secrets),
	};

	activity_of_call(c, id, "Accepted", 202);
	operation_accept(c, operation_begin(c->e, &request));
}

static void write_extension(struct call *c, bool patch)
{
	struct machine *m = find_machine(c);
	struct resource *r = find_extension(c);
	const json_t *current = r != NULL ? r->doc : NULL;
	const json_t *sent = json_object_get(c->body, "properties");
	mdc_autofree char *id = NULL;
	json_t *doc;

	if (m == NULL || !check_machine(c, m) || (!patch && !check_location(c, m)))
		return;
	if (!is_name(c->args[3])) {
		bad(c, "extensionName");
		return;
	}
	if (!check_properties(c, sent, current, patch) || !check_identity(c, sent, current))
		return;
	doc = wanted_doc(c, m, current, patch);
	id = xstrdup(tree_text(doc, "id"));
	if (!check_not_busy(c, m, tree_text(doc, "properties.type"))) {
		json_decref(doc);
		return;
	}
	ledger_write(c, r, RESOURCE_EXTENSION, id, c->body);
	begin(c, m, id, doc);
}

static void put_extension(struct call *c)
{
	write_extension(c, false);
}

static void patch_extension(struct call *c)
{
	if (find_machine(c) == NULL)
		return;
	if (find_extension(c) == NULL)
		answer_error(c, 404, "HCRP404", "The requested resource was not found.");
	else if (json_object_get(c->body, "location") != NULL)
		bad(c, "location");
	else
		write_extension(c, true);
}

static void delete_extension(struct call *c)
{
	struct machine *m = find_machine(c);
	struct resource *r = find_extension(c);

	if (m == NULL || !check_machine(c, m))
		return;
	if (r == NULL && operation_creating(m, c->path) != NULL) {
		refuse_busy(c, operation_creating(m, c->path));
		return;
	}
	if (r == NULL) {
		answer_empty(c, 204);
		return;
	}
	if (!check_not_busy(c, m, tree_text(r->doc, "properties.type")))
		return;
	ledger_write(c, r, RESOURCE_EXTENSION, r->id, NULL);
	begin(c, m, r->id, NULL);
}

static const struct api api = {
	API_TRACKED, HYBRID_NAMESPACE, "machines/extensions", hybrid_versions};
#define PATH \
	"/subscriptions/{}/resourceGroups/{}/providers/Microsoft.HybridCompute/machines/{}/" \
	"extensions/{}"
static const struct api vm_api = {
	API_TRACKED, COMPUTE_NAMESPACE, "virtualMachines/extensions", compute_versions};
#define VM_PATH \
	"/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines/{}/" \
	"extensions/{}"
static const struct route routes[] = {
	{"PUT", VM_PATH, &vm_api, VM_EXTENSION_TYPE "/write",
		ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY, put_extension},
	{"PATCH", VM_PATH, &vm_api, VM_EXTENSION_TYPE "/write",
		ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY, patch_extension},
	{"DELETE", VM_PATH, &vm_api, VM_EXTENSION_TYPE "/delete", ROUTE_REGISTERED | ROUTE_WRITES,
		delete_extension},
	{"PUT", PATH, &api, EXTENSION_TYPE "/write", ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY,
		put_extension},
	{"PATCH", PATH, &api, EXTENSION_TYPE "/write", ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY,
		patch_extension},
	{"DELETE", PATH, &api, EXTENSION_TYPE "/delete", ROUTE_REGISTERED | ROUTE_WRITES,
		delete_extension},
};
const struct route_table extension_routes = {routes, ARRAY_LEN(routes)};
