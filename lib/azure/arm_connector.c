/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_connector.h"

#include "lib/azure/arm_id.h"
#include "lib/base/str.h"

#include <string.h>

#define SCAN_HOURS_MAX 24
#define DEFENDER_ASSESSMENT "TVM"

static const struct {
	const char *word;        /* properties.environmentName */
	const char *offering;    /* offeringType */
	const char *environment; /* environmentData.environmentType */
} clouds[] = {
	[CONNECTOR_AWS] = {"AWS", "DefenderForServersAws", "AwsAccount"},
	[CONNECTOR_GCP] = {"GCP", "DefenderForServersGcp", "GcpProject"},
};

static const struct {
	const char *name;
	enum connector_identity role; /* on AWS it acts by a role of its own */
} parts[] = {
	[CONNECTOR_ARC] = {"arcAutoProvisioning", CONNECTOR_ARC_ROLE},
	[CONNECTOR_MDE] = {"mdeAutoProvisioning", CONNECTOR_IDENTITY_N_},
	[CONNECTOR_VULNERABILITY] = {"vaAutoProvisioning", CONNECTOR_IDENTITY_N_},
	[CONNECTOR_AGENTLESS] = {"vmScanners", CONNECTOR_AGENTLESS_ROLE},
};

static const struct {
	enum connector_cloud cloud;
	const char *object, *member;
	const char *path;
} identities[] = {
#define IDENTITY(cloud, object, member) \
	{ \
		cloud, object, member, object "." member \
	}
	[CONNECTOR_SERVERS_ROLE] = IDENTITY(CONNECTOR_AWS, "defenderForServers", "cloudRoleArn"),
	[CONNECTOR_ARC_ROLE] = IDENTITY(CONNECTOR_AWS, "arcAutoProvisioning", "cloudRoleArn"),
	[CONNECTOR_AGENTLESS_ROLE] = IDENTITY(CONNECTOR_AWS, "vmScanners", "cloudRoleArn"),
	[CONNECTOR_WORKLOAD_PROVIDER] =
		IDENTITY(CONNECTOR_GCP, "defenderForServers", "workloadIdentityProviderId"),
	[CONNECTOR_SERVICE_ACCOUNT] =
		IDENTITY(CONNECTOR_GCP, "defenderForServers", "serviceAccountEmailAddress"),
#undef IDENTITY
};

const char *connector_cloud_word(enum connector_cloud cloud)
{
	return cloud == CONNECTOR_CLOUD_OTHER ? "other" : clouds[cloud].word;
}

const char *connector_part_name(enum connector_part part)
{
	return part < CONNECTOR_PART_N_ ? parts[part].name : "";
}

const char *connector_identity_path(enum connector_identity identity)
{
	return identity < CONNECTOR_IDENTITY_N_ ? identities[identity].path : "";
}

enum connector_cloud connector_identity_cloud(enum connector_identity identity)
{
	return identity < CONNECTOR_IDENTITY_N_ ? identities[identity].cloud
						: CONNECTOR_CLOUD_OTHER;
}

enum connector_identity connector_part_role(enum connector_cloud cloud, enum connector_part part)
{
	return cloud == CONNECTOR_AWS && part < CONNECTOR_PART_N_ ? parts[part].role
								  : CONNECTOR_IDENTITY_N_;
}

static enum connector_cloud cloud_of(const json_t *document)
{
	const char *word = json_path_text(document, "properties.environmentName");

	for (unsigned c = CONNECTOR_AWS; c < ARRAY_LEN(clouds); c++)
		if (str_equal_nocase(word, clouds[c].word))
			return (enum connector_cloud)c;
	return CONNECTOR_CLOUD_OTHER;
}

/* --- reading --- */

/* The Defender for Servers offering of this cloud, or NULL. */
static json_t *find_offering(const json_t *document, size_t *ret_count)
{
	enum connector_cloud cloud = cloud_of(document);
	json_t *offerings = json_path(document, "properties.offerings");
	json_t *offering, *found = NULL;
	size_t i, count = 0;

	json_array_foreach (offerings, i, offering) {
		if (cloud == CONNECTOR_CLOUD_OTHER ||
			!str_equal_nocase(
				json_text(offering, "offeringType"), clouds[cloud].offering))
			continue;
		count++;
		if (found == NULL)
			found = offering;
	}
	if (ret_count != NULL)
		*ret_count = count;
	return found;
}

/* An object by the contract; services have been seen to answer with the bare word. */
static const char *sub_plan_of(const json_t *offering)
{
	const char *word = json_text(offering, "subPlan");

	return word != NULL ? word : json_path_text(offering, "subPlan.type");
}

/* What its cloud needs for the offering as such. */
static bool is_identified(const struct arm_connector *c)
{
	const char *const *found = c->offering.identities;

	if (c->cloud == CONNECTOR_AWS)
		return found[CONNECTOR_SERVERS_ROLE] != NULL;
	return found[CONNECTOR_WORKLOAD_PROVIDER] != NULL &&
		found[CONNECTOR_SERVICE_ACCOUNT] != NULL;
}

static void read_identities(const json_t *offering, struct arm_connector *ret)
{
	for (unsigned i = 0; i < CONNECTOR_IDENTITY_N_; i++)
		if (identities[i].cloud == ret->cloud)
			ret->offering.identities[i] = json_path_text(offering, identities[i].path);
	ret->offering.identified = is_identified(ret);
}

static void read_part(const json_t *offering, enum connector_part part, struct arm_connector *ret)
{
	enum connector_identity role = connector_part_role(ret->cloud, part);

	ret->offering.parts[part] =
		json_tri(json_path(json_path(offering, parts[part].name), "enabled"));
	ret->offering.ready[part] = ret->offering.identified &&
		(role == CONNECTOR_IDENTITY_N_ || ret->offering.identities[role] != NULL);
}

static void read_offering(const json_t *document, struct arm_connector *ret)
{
	size_t count;
	const json_t *offering = find_offering(document, &count);

	ret->offering.present = count > 0;
	ret->offering.doubled = count > 1;
	read_identities(offering, ret);
	ret->offering.sub_plan = sub_plan_of(offering);
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		read_part(offering, (enum connector_part)p, ret);
	ret->offering.by_defender =
		str_equal_nocase(json_path_text(offering, "vaAutoProvisioning.configuration.type"),
			DEFENDER_ASSESSMENT);
}

int arm_connector_read(const json_t *document, struct arm_connector *ret)
{
	static const char organization[] = "properties.environmentData.organizationalData";
	const char *text = json_text(document, "id");
	const json_t *member = json_path(document, organization);
	json_int_t hours =
		json_integer_value(json_path(document, "properties.environmentData.scanInterval"));
	struct arm_id id;
	bool fits;

	if (text == NULL || arm_id_parse(text, &id) != 0)
		return -EINVAL;
	fits = id.kind == ARM_KIND_CONNECTOR;
	arm_id_fini(&id);
	if (!fits)
		return -EINVAL;
	*ret = (struct arm_connector){
		.id = text,
		.location = json_text(document, "location"),
		.cloud = cloud_of(document),
		.hierarchy = json_path_text(document, "properties.hierarchyIdentifier"),
		.parent = json_text(member, "parentHierarchyId"),
		.scan_hours =
			hours >= 1 && hours <= SCAN_HOURS_MAX ? (unsigned)hours : SCAN_HOURS_MAX,
	};
	read_offering(document, ret);
	return 0;
}

/* --- what is sent --- */

/* The key as it stands there, in whatever casing, or `key` itself. */
static const char *key_in(const json_t *object, const char *key)
{
	const char *other;
	json_t *value;

	json_object_foreach ((json_t *)object, other, value)
		if (str_equal_nocase(other, key))
			return other;
	return key;
}

static void put(json_t *object, const char *key, json_t *take_value)
{
	json_object_set_new(object, key_in(object, key), take_value);
}

static void drop(json_t *object, const char *key)
{
	if (json_is_object(object))
		json_object_del(object, key_in(object, key));
}

/* The member, which becomes an object where it is none. */
static json_t *object_in(json_t *object, const char *key)
{
	const char *found = key_in(object, key);
	json_t *value = json_object_get(object, found);

	if (json_is_object(value))
		return value;
	value = json_object();
	json_object_set_new(object, found, value);
	return value;
}

/* An empty text says nothing, and as an ETag it would be compared. */
static void drop_empty(json_t *object, const char *key)
{
	if (json_text(object, key) == NULL)
		drop(object, key);
}

json_t *arm_connector_document(const json_t *current)
{
	static const char *const read_only[] = {"id", "name", "type", "systemData"};
	json_t *document = json_deep_copy(current);
	json_t *environment = json_path(document, "properties.environmentData");
	json_t *offering;
	size_t i;

	for (i = 0; i < ARRAY_LEN(read_only); i++)
		drop(document, read_only[i]);
	drop_empty(document, "etag");
	drop_empty(document, "kind");
	drop(json_path(document, "properties"), "hierarchyIdentifierTrialEndDate");
	drop(environment, "accountName");
	drop(json_path(environment, "projectDetails"), "workloadIdentityPoolId");
	drop(json_path(environment, "projectDetails"), "projectName");
	drop(json_path(environment, "organizationalData"), "organizationName");
	json_array_foreach (json_path(document, "properties.offerings"), i, offering)
		drop(offering, "description");
	return document;
}

void arm_connector_set_plan(json_t *document, const char *sub_plan)
{
	put(object_in(find_offering(document, NULL), "subPlan"), "type", json_string(sub_plan));
}

void arm_connector_switch(json_t *document, enum connector_part part, bool on)
{
	json_t *object = object_in(find_offering(document, NULL), parts[part].name);

	put(object, "enabled", json_boolean(on));
	if (part == CONNECTOR_VULNERABILITY && on)
		put(object_in(object, "configuration"), "type", json_string(DEFENDER_ASSESSMENT));
}

/* --- creating --- */

static void set_text(json_t *object, const char *key, const char *text)
{
	if (!str_empty(text))
		json_object_set_new(object, key, json_string(text));
}

static json_t *new_offering(const struct connector_description *d, const char *sub_plan,
	const bool wanted[static CONNECTOR_PART_N_])
{
	json_t *offering = json_pack("{s:s, s:{s:s}}", "offeringType", clouds[d->cloud].offering,
		"subPlan", "type", sub_plan);

	for (unsigned i = 0; i < CONNECTOR_IDENTITY_N_; i++)
		if (identities[i].cloud == d->cloud && !str_empty(d->identities[i]))
			set_text(object_in(offering, identities[i].object), identities[i].member,
				d->identities[i]);
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++) {
		json_t *object;

		/* P1 does not know it at all. */
		if (p == CONNECTOR_AGENTLESS && str_equal(sub_plan, "P1")) {
			drop(offering, parts[p].name);
			continue;
		}
		object = object_in(offering, parts[p].name);
		put(object, "enabled", json_boolean(wanted[p]));
		if (p == CONNECTOR_VULNERABILITY && wanted[p])
			put(object_in(object, "configuration"), "type",
				json_string(DEFENDER_ASSESSMENT));
	}
	return offering;
}

static void add_excluded(const struct connector_description *d, const char *key, json_t *object)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->excluded_count; i++)
		json_array_append_new(list, json_string(d->excluded[i]));
	json_object_set_new(object, key, list);
}

/* NULL: it is not an organization's. */
static json_t *new_organization(const struct connector_description *d)
{
	bool aws = d->cloud == CONNECTOR_AWS;
	json_t *object;

	if (str_empty(aws ? d->stackset : d->organization_account))
		return NULL;
	object = json_pack("{s:s}", "organizationMembershipType", "Organization");
	set_text(object, "stacksetName", aws ? d->stackset : NULL);
	set_text(object, "workloadIdentityProviderId", aws ? NULL : d->organization_provider);
	set_text(object, "serviceAccountEmailAddress", aws ? NULL : d->organization_account);
	add_excluded(d, aws ? "excludedAccountIds" : "excludedProjectNumbers", object);
	return object;
}

static json_t *new_environment(const struct connector_description *d)
{
	json_t *environment = json_pack("{s:s, s:i}", "environmentType",
		clouds[d->cloud].environment, "scanInterval", (int)d->scan_hours);
	json_t *organization = new_organization(d);

	if (d->cloud == CONNECTOR_GCP)
		json_object_set_new(environment, "projectDetails",
			json_pack("{s:s, s:s}", "projectNumber", d->hierarchy, "projectId",
				d->project));
	if (organization != NULL)
		json_object_set_new(environment, "organizationalData", organization);
	return environment;
}

json_t *arm_connector_new(const struct connector_description *d, const char *sub_plan,
	const bool wanted[static CONNECTOR_PART_N_])
{
	return json_pack("{s:s, s:{s:s, s:s, s:o, s:[o]}}", "location", d->location, "properties",
		"hierarchyIdentifier", d->hierarchy, "environmentName", clouds[d->cloud].word,
		"environmentData", new_environment(d), "offerings",
		new_offering(d, sub_plan, wanted));
}

/* --- comparing --- */

/* Without what we set; an object that held nothing else is as good as none. */
static json_t *without_owned(const json_t *document)
{
	json_t *copy = json_deep_copy(document);
	json_t *offering = find_offering(copy, NULL);
	json_t *plan = json_path(offering, "subPlan");

	drop(plan, "type");
	if (json_object_size(plan) == 0)
		drop(offering, "subPlan");
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++) {
		json_t *object = json_path(offering, parts[p].name);
		json_t *configuration = json_path(object, "configuration");

		drop(object, "enabled");
		if (p == CONNECTOR_VULNERABILITY)
			drop(configuration, "type");
		if (json_is_object(configuration) && json_object_size(configuration) == 0)
			drop(object, "configuration");
		if (json_is_null(object) ||
			(json_is_object(object) && json_object_size(object) == 0))
			drop(offering, parts[p].name);
	}
	return copy;
}

bool arm_connector_same_besides(const json_t *a, const json_t *b)
{
	json_t *left = without_owned(a), *right = without_owned(b);
	bool same = json_equal(left, right);

	json_decref(left);
	json_decref(right);
	return same;
}
