/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces and data collection rules of an estate document, and what machines have of these. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_document.h"
#include "tests/estate/estate_tree.h"

struct workspace_spec {
	const char *name, *group, *location, *customer;
	const json_t *solutions; /* "Security", "SecurityCenterFree" */
};
struct rule_spec {
	const char *name, *group, *location;
	const json_t *destinations, *streams;
};

#define AT(member) offsetof(struct workspace_spec, member)
static const struct field workspace_fields[] = {
	{"name", FIELD_TEXT, AT(name), true},
	{"group", FIELD_TEXT, AT(group)},
	{"location", FIELD_TEXT, AT(location)},
	{"customer", FIELD_GUID, AT(customer), true},
	{"solutions", FIELD_TEXTS, AT(solutions)},
};
#undef AT
#define AT(member) offsetof(struct rule_spec, member)
static const struct field rule_fields[] = {
	{"name", FIELD_TEXT, AT(name), true},
	{"group", FIELD_TEXT, AT(group)},
	{"location", FIELD_TEXT, AT(location)},
	{"destinations", FIELD_TEXTS, AT(destinations), true},
	{"streams", FIELD_TEXTS, AT(streams)},
};
#undef AT

static void add_solution(struct document *d, struct subscription *sub,
	const struct workspace_spec *spec, const char *workspace, const char *type)
{
	mdc_autofree char *id = xasprintf("/subscriptions/%s/resourceGroups/%s/providers/"
					  "Microsoft.OperationsManagement/solutions/%s(%s)",
		sub->id, spec->group, type, spec->name);
	json_t *sent = json_pack("{s:s, s:{s:o, s:s, s:o, s:s}, s:{s:s}}", "location",
		spec->location, "plan", "name", json_sprintf("%s(%s)", type, spec->name),
		"publisher", "Microsoft", "product", json_sprintf("OMSGallery/%s", type),
		"promotionCode", "", "properties", "workspaceResourceId", workspace);

	estate_create(d->e, RESOURCE_SOLUTION, id, sub, solution_document(id, sent));
	json_decref(sent);
}

void document_read_workspace(
	struct document *d, struct subscription *sub, const char *path, const json_t *object)
{
	struct workspace_spec spec = {.group = "rg", .location = "westeurope"};
	mdc_autofree char *id = NULL;
	size_t i;
	json_t *type;

	if (!reader_struct(&d->reader, path, object, workspace_fields, &spec))
		return;
	estate_group(d->e, sub, spec.group, spec.location);
	id = xasprintf("/subscriptions/%s/resourceGroups/%s/providers/"
		       "Microsoft.OperationalInsights/workspaces/%s",
		sub->id, spec.group, spec.name);
	estate_create(d->e, RESOURCE_WORKSPACE, id, sub,
		workspace_document(id, spec.location, spec.customer));
	json_array_foreach (spec.solutions, i, type)
		add_solution(d, sub, &spec, id, json_string_value(type));
}

void document_read_rule(
	struct document *d, struct subscription *sub, const char *path, const json_t *object)
{
	struct rule_spec spec = {.group = "rg", .location = "westeurope"};
	json_t *events = json_pack("[s]", "Microsoft-SecurityEvent");
	mdc_autofree char *id = NULL;

	if (reader_struct(&d->reader, path, object, rule_fields, &spec)) {
		estate_group(d->e, sub, spec.group, spec.location);
		id = xasprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Insights/"
			       "dataCollectionRules/%s",
			sub->id, spec.group, spec.name);
		estate_create(d->e, RESOURCE_RULE, id, sub,
			rule_document(id, spec.location, spec.destinations,
				spec.streams != NULL ? spec.streams : events));
	}
	json_decref(events);
}

void document_associate(
	struct document *d, struct subscription *sub, const char *machine, const json_t *rules)
{
	size_t i;
	json_t *rule;

	json_array_foreach (rules, i, rule) {
		mdc_autofree char *id = xasprintf("%s/providers/Microsoft.Insights/"
						  "dataCollectionRuleAssociations/assoc-%zu",
			machine, i);

		estate_create(d->e, RESOURCE_ASSOCIATION, id, sub,
			association_document(id, json_string_value(rule)));
	}
}
