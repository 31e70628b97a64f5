/* SPDX-License-Identifier: Apache-2.0 */
/* Connectors of an estate document: in short for AWS and GCP, their offerings as ARM has them. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_document.h"
#include "tests/estate/estate_tree.h"

struct connector_spec {
	const char *name, *group, *location, *account, *organization;
	int cloud;
	unsigned scan_hours;
	const json_t *offerings;
};

static const char *const clouds[] = {"AWS", "GCP", "Github", NULL};
static const char *const environments[] = {"AwsAccount", "GcpProject", "GithubScope"};

#define AT(member) offsetof(struct connector_spec, member)
static const struct field fields[] = {
	{"name", FIELD_TEXT, AT(name), true},
	{"group", FIELD_TEXT, AT(group)},
	{"location", FIELD_TEXT, AT(location)},
	{"cloud", FIELD_WORD, AT(cloud), .words = clouds},
	{"account", FIELD_TEXT, AT(account), true},
	{"organization", FIELD_TEXT, AT(organization)},
	{"scanHours", FIELD_COUNT, AT(scan_hours)},
	{"offerings", FIELD_ARRAY, AT(offerings)},
};

static json_t *environment_data(const struct connector_spec *spec)
{
	json_t *data = json_pack("{s:s, s:i}", "environmentType", environments[spec->cloud],
		"scanInterval", (int)spec->scan_hours);

	if (spec->organization != NULL)
		json_object_set_new(data, "organizationalData",
			json_pack("{s:s, s:s}", "organizationMembershipType", "Member",
				"parentHierarchyId", spec->organization));
	if (spec->cloud == 0)
		json_object_set_new(data, "accountName", json_string("account"));
	return data;
}

void document_read_connector(
	struct document *d, struct subscription *sub, const char *path, const json_t *object)
{
	struct connector_spec spec = {.group = "rg", .location = "westeurope", .scan_hours = 24};
	mdc_autofree char *id = NULL;
	json_t *sent, *doc;

	if (!reader_struct(&d->reader, path, object, fields, &spec))
		return;
	estate_group(d->e, sub, spec.group, spec.location);
	id = xasprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Security/"
		       "securityConnectors/%s",
		sub->id, spec.group, spec.name);
	sent = json_pack("{s:s, s:{}, s:{s:s, s:s, s:s, s:o, s:O?}}", "location", spec.location,
		"tags", "properties", "hierarchyIdentifier", spec.account,
		"hierarchyIdentifierTrialEndDate", "2022-01-01T00:00:00Z", "environmentName",
		clouds[spec.cloud], "environmentData", environment_data(&spec), "offerings",
		spec.offerings);
	doc = connector_document(id, sent, sent, d->e->start);
	estate_create(d->e, RESOURCE_CONNECTOR, id, sub, doc);
	json_decref(sent);
}
