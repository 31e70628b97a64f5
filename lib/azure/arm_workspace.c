/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_workspace.h"

#include "lib/azure/arm_id.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

/* Case counts in it. */
#define PRODUCT_PREFIX "OMSGallery/"
#define SECURITY "Security"
#define SECURITY_FREE "SecurityCenterFree"
#define PUBLISHER "Microsoft"
#define SECURITY_EVENTS "Microsoft-SecurityEvent"

static bool is_of_kind(const char *text, enum arm_kind kind)
{
	struct arm_id id;
	bool fits;

	if (text == NULL || arm_id_parse(text, &id) != 0)
		return false;
	fits = id.kind == kind;
	arm_id_fini(&id);
	return fits;
}

int arm_workspace_read(const json_t *document, struct arm_workspace *ret)
{
	const char *id = json_text(document, "id");
	const char *customer = json_path_text(document, "properties.customerId");

	if (!is_of_kind(id, ARM_KIND_WORKSPACE))
		return -EINVAL;
	*ret = (struct arm_workspace){
		.id = id,
		.location = json_text(document, "location"),
		.customer = str_is_guid(customer) ? customer : NULL,
	};
	return 0;
}

static enum solution_kind kind_of(const char *product)
{
	if (str_equal_nocase(product, PRODUCT_PREFIX SECURITY))
		return SOLUTION_SECURITY;
	if (str_equal_nocase(product, PRODUCT_PREFIX SECURITY_FREE))
		return SOLUTION_SECURITY_FREE;
	return SOLUTION_OTHER;
}

int arm_solution_read(const json_t *document, struct arm_solution *ret)
{
	const char *id = json_text(document, "id");
	const char *workspace = json_path_text(document, "properties.workspaceResourceId");

	if (!is_of_kind(id, ARM_KIND_SOLUTION) || !is_of_kind(workspace, ARM_KIND_WORKSPACE))
		return -EINVAL;
	*ret = (struct arm_solution){
		.id = id,
		.workspace = workspace,
		.state = json_path_text(document, "properties.provisioningState"),
		.kind = kind_of(json_path_text(document, "plan.product")),
	};
	return 0;
}

static char *plan_name(const struct arm_id *workspace)
{
	return xasprintf(SECURITY "(%s)", workspace->name);
}

char *arm_solution_id(const char *workspace_id)
{
	mdc_autofree char *name = NULL;
	struct arm_id id;
	char *result = NULL;

	if (arm_id_parse(workspace_id, &id) != 0)
		return NULL;
	name = plan_name(&id);
	if (id.kind == ARM_KIND_WORKSPACE)
		result = xasprintf("/subscriptions/%s/resourcegroups/%s/providers/"
				   "Microsoft.OperationsManagement/solutions/%s",
			id.subscription, id.group, name);
	arm_id_fini(&id);
	return result;
}

json_t *arm_solution_document(const char *workspace_id, const char *location)
{
	mdc_autofree char *name = NULL;
	struct arm_id id;

	if (arm_id_parse(workspace_id, &id) != 0)
		return NULL;
	name = plan_name(&id);
	arm_id_fini(&id);
	return json_pack("{s:s, s:{s:s, s:s, s:s, s:s}, s:{s:s}}", "location", location, "plan",
		"name", name, "publisher", PUBLISHER, "product", PRODUCT_PREFIX SECURITY,
		"promotionCode", "", "properties", "workspaceResourceId", workspace_id);
}

/* --- data collection rules --- */

static bool has_text(const json_t *list, const char *text)
{
	size_t i;
	json_t *element;

	json_array_foreach (list, i, element)
		if (str_equal_nocase(json_string_value(element), text))
			return true;
	return false;
}

/* Some flow of security events names it. */
static bool receives_events(const json_t *document, const char *destination)
{
	size_t i;
	json_t *flow;

	json_array_foreach (json_path(document, "properties.dataFlows"), i, flow)
		if (has_text(json_path(flow, "streams"), SECURITY_EVENTS) &&
			has_text(json_path(flow, "destinations"), destination))
			return true;
	return false;
}

int arm_rule_destinations(const json_t *document, arm_destination_fn found, void *ctx)
{
	size_t i;
	json_t *destination;

	if (!is_of_kind(json_text(document, "id"), ARM_KIND_COLLECTION_RULE) ||
		!json_is_object(json_path(document, "properties")))
		return -EINVAL;
	json_array_foreach (
		json_path(document, "properties.destinations.logAnalytics"), i, destination) {
		const char *name = json_text(destination, "name");
		const char *workspace = json_text(destination, "workspaceResourceId");

		if (name != NULL && receives_events(document, name) &&
			is_of_kind(workspace, ARM_KIND_WORKSPACE))
			found(ctx, workspace);
	}
	return 0;
}
