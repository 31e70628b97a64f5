/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Microsoft.Security/securityConnectors: connectors of AWS, GCP and other environments. A PUT
 * replaces `offerings` as a whole: what is left out is off. What is read-only may not be sent.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define BAD "InvalidInputJson"
#define TYPE "Microsoft.Security/securityConnectors"
#define SCAN_HOURS 24

static const struct {
	const char *name, *environment, *suffix; /* of its offerings */
} environments[] = {
	{"AWS", "AwsAccount", "Aws"},
	{"GCP", "GcpProject", "Gcp"},
	{"Github", "GithubScope", "Github"},
	{"AzureDevOps", "AzureDevOpsScope", "AzureDevOps"},
	{"GitLab", "GitlabScope", "GitLab"},
	{"DockerHub", "DockerHubOrganization", "DockerHub"},
	{"JFrog", "JFrogArtifactory", "JFrog"},
};

static size_t environment_of(const json_t *doc)
{
	const char *name = tree_text(doc, "properties.environmentName");
	size_t i = 0;

	while (i < ARRAY_LEN(environments) && !str_equal(name, environments[i].name))
		i++;
	return i;
}

/* The Defender for Servers offering, or NULL. */
json_t *connector_servers(const json_t *doc)
{
	size_t i;
	json_t *offering;

	json_array_foreach (tree_get(doc, "properties.offerings"), i, offering) {
		const char *type = tree_text(offering, "offeringType");

		if (str_equal(type, "DefenderForServersAws") ||
			str_equal(type, "DefenderForServersGcp"))
			return offering;
	}
	return NULL;
}

bool connector_provisions_sensor(const struct resource *r)
{
	return tree_is_true(connector_servers(r->doc), "mdeAutoProvisioning.enabled");
}

struct dur connector_interval(const struct resource *r)
{
	json_int_t hours =
		json_integer_value(tree_get(r->doc, "properties.environmentData.scanInterval"));

	return DUR_H(hours > 0 ? hours : SCAN_HOURS);
}

const struct resource *machine_connector(const struct machine *m)
{
	const struct vec *all = &m->res.sub->kinds[RESOURCE_CONNECTOR];
	const char *account = tree_text(m->res.doc, "tags.AccountId");
	const char *project = tree_text(m->res.doc, "tags.ProjectNumber");

	if (!str_equal_nocase(tree_text(m->res.doc, "tags.MDFCSecurityConnector"), "true"))
		return NULL;
	for (size_t i = 0; i < all->n; i++) {
		const struct resource *r = all->v[i];

		if (r != NULL &&
			str_equal(tree_text(r->doc, "properties.hierarchyIdentifier"),
				account != NULL ? account : project))
			return r;
	}
	return NULL;
}

/* --- what is sent --- */

static bool refuse(struct call *c, const char *what)
{
	return answer_error(c, 400, BAD, "The security connector is not valid: %s.", what);
}

static const char *const read_only[] = {"systemData", "properties.hierarchyIdentifierTrialEndDate",
	"properties.environmentData.accountName",
	"properties.environmentData.projectDetails.workloadIdentityPoolId",
	"properties.environmentData.projectDetails.projectName",
	"properties.environmentData.organizationalData.organizationName"};

static bool check_read_only(struct call *c)
{
	size_t i;
	json_t *offering;

	for (i = 0; i < ARRAY_LEN(read_only); i++)
		if (tree_get(c->body, read_only[i]) != NULL)
			return answer_error(
				c, 400, BAD, "The member '%s' is read-only.", read_only[i]);
	json_array_foreach (tree_get(c->body, "properties.offerings"), i, offering)
		if (json_object_get(offering, "description") != NULL)
			return refuse(c, "the description of an offering is read-only");
	return true;
}

static bool check_environment(struct call *c, const struct resource *current)
{
	size_t at = environment_of(c->body);
	const char *hierarchy = tree_text(c->body, "properties.hierarchyIdentifier");
	const json_t *interval = tree_get(c->body, "properties.environmentData.scanInterval");

	if (at == ARRAY_LEN(environments))
		return refuse(c, "environmentName is not one of those that there are");
	if (!str_equal(tree_text(c->body, "properties.environmentData.environmentType"),
		    environments[at].environment))
		return refuse(c, "environmentData.environmentType does not fit environmentName");
	if (str_empty(hierarchy))
		return refuse(c, "hierarchyIdentifier is missing");
	if (interval != NULL &&
		(!json_is_integer(interval) || json_integer_value(interval) < 1 ||
			json_integer_value(interval) > 24))
		return refuse(c, "scanInterval must be between 1 and 24");
	if (current != NULL &&
		(!str_equal(hierarchy, tree_text(current->doc, "properties.hierarchyIdentifier")) ||
			environment_of(current->doc) != at))
		return refuse(c, "hierarchyIdentifier and environmentName cannot be changed");
	return true;
}

/* --- what is new --- */

static const struct resource *find_same_account(const struct call *c)
{
	const char *hierarchy = tree_text(c->body, "properties.hierarchyIdentifier");
	size_t environment = environment_of(c->body);

	for (size_t i = 0; i < c->e->subscriptions.n; i++) {
		const struct subscription *sub = c->e->subscriptions.v[i];
		const struct vec *all = &sub->kinds[RESOURCE_CONNECTOR];

		for (size_t k = 0; k < all->n; k++) {
			const struct resource *r = all->v[k];

			if (r != NULL && environment_of(r->doc) == environment &&
				str_equal(hierarchy,
					tree_text(r->doc, "properties.hierarchyIdentifier")))
				return r;
		}
	}
	return NULL;
}

static bool has_digits(const char *text, size_t least, size_t most)
{
	size_t n = strspn(text, "0123456789");

	return text[n] == '\0' && n >= least && n <= most;
}

static bool check_account(struct call *c)
{
	const char *hierarchy = tree_text(c->body, "properties.hierarchyIdentifier");
	const json_t *project = tree_get(c->body, "properties.environmentData.projectDetails");
	const char *name = environments[environment_of(c->body)].name;

	if (str_equal(name, "AWS") && !has_digits(hierarchy, 12, 12))
		return refuse(c, "hierarchyIdentifier is not the id of an AWS account");
	if (!str_equal(name, "GCP"))
		return true;
	if (!has_digits(hierarchy, 1, 20))
		return refuse(c, "hierarchyIdentifier is not the number of a GCP project");
	if (!str_equal(tree_text(project, "projectNumber"), hierarchy) ||
		str_empty(tree_text(project, "projectId")))
		return refuse(c, "projectDetails do not name the project");
	return true;
}

/* An account has one connector; which region and roles it gets is said when it is made. */
static bool check_new(struct call *c)
{
	const struct resource *other = find_same_account(c);
	const json_t *roles = tree_get(c->body, "properties.offerings");
	size_t i;
	json_t *offering;

	if (str_empty(tree_text(c->body, "location")))
		return answer_error(c, 400, "LocationRequired",
			"The location property is required for this definition.");
	if (other != NULL)
		return answer_error(c, 409, "Conflict",
			"A security connector for this hierarchy identifier exists already: '%s'.",
			other->id);
	/* Microsoft's own example of another offering has no account's id. */
	if (connector_servers(c->body) != NULL && !check_account(c))
		return false;
	json_array_foreach (roles, i, offering) {
		const char *role = tree_text(offering, "defenderForServers.cloudRoleArn");

		if (role != NULL && strncmp(role, "arn:aws", 7) != 0)
			return refuse(c, "a cloudRoleArn is not the ARN of a role");
	}
	return true;
}

static bool is_text_or_absent(const json_t *object, const char *path)
{
	const json_t *value = tree_get(object, path);

	return value == NULL || (json_is_string(value) && *json_string_value(value) != '\0');
}

static const char *const parts[] = {
	"arcAutoProvisioning", "mdeAutoProvisioning", "vaAutoProvisioning", "vmScanners"};

/* Each switch is an object with a real true or false. */
static bool check_parts(struct call *c, const json_t *offering, bool aws)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const json_t *part = json_object_get(offering, parts[i]);
		const json_t *enabled = json_object_get(part, "enabled");
		bool needs_role = aws && (i == 0 || i == 3);

		if (part == NULL)
			continue;
		if (!json_is_object(part) || (enabled != NULL && !json_is_boolean(enabled)))
			return answer_error(
				c, 400, BAD, "%s.enabled must be true or false.", parts[i]);
		if (needs_role && json_is_true(enabled) &&
			str_empty(tree_text(part, "cloudRoleArn")))
			return answer_error(c, 400, BAD, "%s.cloudRoleArn is missing.", parts[i]);
	}
	return true;
}

static bool check_servers(struct call *c, const json_t *offering)
{
	bool aws = str_equal(tree_text(offering, "offeringType"), "DefenderForServersAws");
	const json_t *plan = json_object_get(offering, "subPlan");
	const char *type = tree_text(plan, "type");
	const char *assessor = tree_text(offering, "vaAutoProvisioning.configuration.type");

	if (plan != NULL && !str_equal(type, "P1") && !str_equal(type, "P2"))
		return refuse(c, "subPlan.type must be 'P1' or 'P2'");
	if (!check_parts(c, offering, aws))
		return false;
	if (assessor != NULL && !str_equal(assessor, "TVM") && !str_equal(assessor, "Qualys"))
		return refuse(c, "vaAutoProvisioning.configuration.type must be 'TVM' or 'Qualys'");
	if (str_equal(type, "P1") && tree_is_true(offering, "vmScanners.enabled"))
		return refuse(c, "vmScanners is not supported for the 'P1' SubPlan");
	if (!is_text_or_absent(offering, "defenderForServers.cloudRoleArn") ||
		(aws && tree_get(offering, "defenderForServers.cloudRoleArn") == NULL))
		return refuse(c, "defenderForServers.cloudRoleArn is missing");
	if (!aws &&
		(str_empty(tree_text(offering, "defenderForServers.workloadIdentityProviderId")) ||
			str_empty(tree_text(
				offering, "defenderForServers.serviceAccountEmailAddress"))))
		return refuse(c, "defenderForServers names no workload identity");
	return true;
}

static bool fits_environment(const char *type, size_t environment)
{
	return str_ends_nocase(type, environments[environment].suffix);
}

static bool check_offerings(struct call *c)
{
	const json_t *offerings = tree_get(c->body, "properties.offerings");
	size_t environment = environment_of(c->body), i;
	json_t *offering;

	if (offerings != NULL && !json_is_array(offerings))
		return refuse(c, "offerings must be an array");
	json_array_foreach (offerings, i, offering) {
		const char *type = tree_text(offering, "offeringType");

		if (str_empty(type) || !fits_environment(type, environment))
			return refuse(c, "an offeringType is not one of the environment's");
		for (size_t k = 0; k < i; k++)
			if (str_equal(
				    type, tree_text(json_array_get(offerings, k), "offeringType")))
				return refuse(c, "an offering is there twice");
		if (str_starts_nocase(type, "DefenderForServers") && !check_servers(c, offering))
			return false;
	}
	return true;
}

/* --- what is stored --- */

static void keep(json_t **doc, const json_t *current, const char *path)
{
	json_t *value = current != NULL ? tree_get(current, path) : NULL;

	if (value != NULL)
		tree_set(doc, path, json_incref(value));
}

static json_t *with_descriptions(const json_t *offerings)
{
	json_t *list = json_array();
	size_t i;
	json_t *offering;

	json_array_foreach (offerings, i, offering) {
		json_t *copy = json_copy(offering);

		json_object_set_new(copy, "description",
			json_sprintf("%s offering", tree_text(offering, "offeringType")));
		json_array_append_new(list, copy);
	}
	return list;
}

json_t *connector_document(
	const char *id, const json_t *sent, const json_t *current, struct wall at)
{
	json_t *doc = json_copy((json_t *)sent);
	char time[WALL_TEXT_SIZE];

	wall_format(at, time);
	json_object_set_new(doc, "id", json_string(id));
	json_object_set_new(doc, "name", json_string(strrchr(id, '/') + 1));
	json_object_set_new(doc, "type", json_string(TYPE));
	json_object_set_new(doc, "systemData",
		json_pack(
			"{s:s, s:s}", "lastModifiedByType", "Application", "lastModifiedAt", time));
	if (json_object_get(doc, "location") == NULL)
		keep(&doc, current, "location");
	tree_set(&doc, "properties.offerings",
		with_descriptions(tree_get(sent, "properties.offerings")));
	for (size_t i = 1; i < ARRAY_LEN(read_only); i++)
		keep(&doc, current, read_only[i]);
	return doc;
}

static bool check_group(struct call *c, const struct resource *current)
{
	mdc_autofree char *group =
		xasprintf("/subscriptions/%s/resourceGroups/%s", c->sub->id, c->args[1]);

	if (current != NULL || estate_find_kind(c->e, group, RESOURCE_GROUP) != NULL)
		return true;
	return answer_error(c, 404, "ResourceGroupNotFound",
		"Resource group '%s' could not be found.", c->args[1]);
}

static void put_connector(struct call *c)
{
	struct resource *r = estate_find_kind(c->e, c->path, RESOURCE_CONNECTOR);
	int status = r != NULL ? 200 : 201;
	mdc_autofree char *id = xstrdup(r != NULL ? r->id : c->path);
	json_t *doc;

	if (!check_group(c, r) || !check_read_only(c) || !check_environment(c, r) ||
		!check_offerings(c) || (r == NULL && !check_new(c)))
		return;
	ledger_write(c, r, RESOURCE_CONNECTOR, id, c->body);
	activity_of_call(c, id, "Succeeded", status);
	doc = connector_document(id, c->body, r != NULL ? r->doc : NULL, c->now);
	if (r != NULL)
		estate_replace(c->e, r, doc);
	else
		r = estate_create(c->e, RESOURCE_CONNECTOR, id, c->sub, doc);
	answer_doc(c, status, r);
}

static void delete_connector(struct call *c)
{
	struct resource *r = estate_find_kind(c->e, c->path, RESOURCE_CONNECTOR);

	if (r == NULL) {
		answer_empty(c, 204);
		return;
	}
	ledger_write(c, r, RESOURCE_CONNECTOR, r->id, NULL);
	activity_of_call(c, r->id, "Succeeded", 200);
	estate_remove(c->e, r);
	answer_empty(c, 200);
}

/* --- reading --- */

static void get_connector(struct call *c)
{
	const struct resource *r = estate_find_kind(c->e, c->path, RESOURCE_CONNECTOR);

	if (r != NULL)
		answer_doc(c, 200, r);
	else
		answer_error(c, 404, "ResourceNotFound",
			"The Resource '%s' under resource group '%s' was not found.", TYPE,
			c->args[1]);
}

static void list_connectors(struct call *c)
{
	answer_kind(c, RESOURCE_CONNECTOR, c->e->knobs.paging.others);
}

static json_t *connector_in_group(struct call *c, void *ctx, size_t place)
{
	const struct resource *r = c->sub->kinds[RESOURCE_CONNECTOR].v[place];

	return r != NULL && id_is_under(r->id, ctx) ? render_doc(c, r) : NULL;
}

static void list_group_connectors(struct call *c)
{
	mdc_autofree char *group = call_container(c);
	struct page_source source = {.places = c->sub->kinds[RESOURCE_CONNECTOR].n,
		.item = connector_in_group,
		.ctx = group,
		.size = c->e->knobs.paging.others};

	answer_page(c, &source);
}

static const char *const versions[] = {"2024-08-01-preview", NULL};
static const struct api api = {API_SECURITY, SECURITY_NAMESPACE, "securityConnectors", versions};

#define IN_SUBSCRIPTION "/subscriptions/{}/providers/" TYPE
#define IN_GROUP "/subscriptions/{}/resourceGroups/{}/providers/" TYPE

static const struct route routes[] = {
	{"GET", IN_SUBSCRIPTION, &api, TYPE "/read", ROUTE_REGISTERED | ROUTE_LIST,
		list_connectors},
	{"GET", IN_GROUP, &api, TYPE "/read", ROUTE_REGISTERED | ROUTE_LIST, list_group_connectors},
	{"GET", IN_GROUP "/{}", &api, TYPE "/read", ROUTE_REGISTERED, get_connector},
	{"PUT", IN_GROUP "/{}", &api, TYPE "/write", ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY,
		put_connector},
	{"DELETE", IN_GROUP "/{}", &api, TYPE "/delete", ROUTE_REGISTERED | ROUTE_WRITES,
		delete_connector},
};
const struct route_table connector_routes = {routes, ARRAY_LEN(routes)};
