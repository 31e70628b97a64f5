/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_request.h"

#include "lib/azure/arm_document.h"
#include "lib/base/buf.h"
#include "lib/base/http_message.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <inttypes.h>
#include <string.h>

#define AUTHORIZATION "Microsoft.Authorization"
#define SECURITY "Microsoft.Security"
#define HYBRID_COMPUTE "Microsoft.HybridCompute"
#define COMPUTE "Microsoft.Compute"
#define OPERATIONAL_INSIGHTS "Microsoft.OperationalInsights"
#define OPERATIONS_MANAGEMENT "Microsoft.OperationsManagement"
#define INSIGHTS "Microsoft.Insights"
#define SUBSCRIPTIONS_VERSION "2022-12-01"
#define GROUPS_VERSION "2023-04-01"
#define ACTIVITY_VERSION "2015-04-01"
#define POLICY_VERSION "2023-04-01"
#define EXEMPTIONS_VERSION "2022-07-01-preview"
#define LINK_MAX 16384
#define VULNERABILITY_SETTING "serverVulnerabilityAssessmentsSettings/azureServersSetting"
#define INSTALLED_BY "mdcd"
#define MARK_MAX 1000000

static const char *const versions[] = {
	[ARM_KIND_SUBSCRIPTION] = SUBSCRIPTIONS_VERSION,
	[ARM_KIND_RESOURCE_GROUP] = "2024-03-01",
	[ARM_KIND_PROVIDER] = "2024-03-01",
	[ARM_KIND_PRICING] = "2024-01-01",
	[ARM_KIND_RESOURCE_PRICING] = "2024-01-01",
	[ARM_KIND_SETTING] = "2022-05-01",
	[ARM_KIND_VA_SETTING] = "2023-05-01",
	[ARM_KIND_AUTO_PROVISIONING] = "2017-08-01-preview",
	[ARM_KIND_CONNECTOR] = "2024-08-01-preview",
	[ARM_KIND_WORKSPACE] = "2023-09-01",
	[ARM_KIND_SOLUTION] = "2015-11-01-preview",
	[ARM_KIND_COLLECTION_RULE] = "2023-03-11",
	[ARM_KIND_MDE_ONBOARDING] = "2021-10-01-preview",
	[ARM_KIND_ARC_MACHINE] = "2025-01-13",
	[ARM_KIND_ARC_EXTENSION] = "2025-01-13",
	[ARM_KIND_VIRTUAL_MACHINE] = "2024-07-01",
	[ARM_KIND_VM_EXTENSION] = "2024-07-01",
	[ARM_KIND_OTHER] = "",
};
_Static_assert(ARRAY_LEN(versions) == ARM_KIND_N_, "a version for each kind");

const char *arm_api_version(enum arm_kind kind)
{
	return versions[kind];
}

void arm_request_fini(struct arm_request *r)
{
	free(r->path);
	json_decref(r->body);
	*r = (struct arm_request){0};
}

static void read_of(
	const char *subscription, const char *provider, char *take_path, struct arm_request *ret)
{
	*ret = (struct arm_request){
		.method = "GET",
		.path = take_path,
		.quota = ARM_QUOTA_READ,
		.provider = provider,
	};
	str_copy(ret->subscription, sizeof(ret->subscription), subscription);
}

/* Ids are sent as Azure wrote them, with what a path cannot hold escaped. */
static char *encode_id(const char *id)
{
	struct buf path = BUF_INIT(ARM_ID_MAX * 3 + 16);
	const char *p = *id == '/' ? id + 1 : id;

	for (;;) {
		size_t len = strcspn(p, "/");
		mdc_autofree char *segment = xstrndup(p, len);
		mdc_autofree char *encoded = http_percent_encode(segment);

		buf_addf(&path, "/%s", encoded);
		if (p[len] == '\0')
			return buf_steal(&path);
		p += len + 1;
	}
}

static char *security_path(const char *subscription, const char *rest, enum arm_kind kind)
{
	return xasprintf("/subscriptions/%s/providers/" SECURITY "/%s?api-version=%s", subscription,
		rest, versions[kind]);
}

void arm_list_subscriptions(struct arm_request *ret)
{
	read_of("", "", xstrdup("/subscriptions?api-version=" SUBSCRIPTIONS_VERSION), ret);
}

void arm_list_descendants(const char *group, struct arm_request *ret)
{
	mdc_autofree char *name = http_percent_encode(group);

	read_of("", "Microsoft.Management",
		xasprintf("/providers/Microsoft.Management/managementGroups/%s/"
			  "descendants?api-version=" GROUPS_VERSION,
			name),
		ret);
}

void arm_get_subscription(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, "",
		xasprintf("/subscriptions/%s?api-version=" SUBSCRIPTIONS_VERSION, subscription),
		ret);
}

void arm_get_pricing(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, SECURITY,
		security_path(subscription, "pricings/VirtualMachines", ARM_KIND_PRICING), ret);
}

static void subscription_of(const char *id, char ret[static GUID_TEXT_SIZE])
{
	struct arm_id parsed;

	ret[0] = '\0';
	if (arm_id_parse(id, &parsed) == 0) {
		str_copy(ret, GUID_TEXT_SIZE, parsed.subscription);
		arm_id_fini(&parsed);
	}
}

static char *machine_plan_path(const char *machine_id)
{
	mdc_autofree char *path = encode_id(machine_id);

	return xasprintf("%s/providers/" SECURITY "/pricings/VirtualMachines?api-version=%s", path,
		versions[ARM_KIND_RESOURCE_PRICING]);
}

void arm_get_machine_plan(const char *machine_id, struct arm_request *ret)
{
	char subscription[GUID_TEXT_SIZE];

	subscription_of(machine_id, subscription);
	read_of(subscription, SECURITY, machine_plan_path(machine_id), ret);
}

void arm_list_settings(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, SECURITY, security_path(subscription, "settings", ARM_KIND_SETTING),
		ret);
}

void arm_get_setting(const char *subscription, const char *name, struct arm_request *ret)
{
	mdc_autofree char *rest = xasprintf("settings/%s", name);

	read_of(subscription, SECURITY, security_path(subscription, rest, ARM_KIND_SETTING), ret);
}

void arm_get_provider(const char *subscription, const char *name, struct arm_request *ret)
{
	read_of(subscription, "Microsoft.Resources",
		xasprintf("/subscriptions/%s/providers/%s?api-version=%s", subscription, name,
			versions[ARM_KIND_PROVIDER]),
		ret);
}

void arm_get_vulnerability_setting(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, SECURITY,
		security_path(subscription, VULNERABILITY_SETTING, ARM_KIND_VA_SETTING), ret);
}

void arm_get_auto_provisioning(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, SECURITY,
		security_path(subscription, "autoProvisioningSettings/default",
			ARM_KIND_AUTO_PROVISIONING),
		ret);
}

void arm_list_connectors(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, SECURITY,
		security_path(subscription, "securityConnectors", ARM_KIND_CONNECTOR), ret);
}

static char *connector_path(const char *connector_id)
{
	mdc_autofree char *path = encode_id(connector_id);

	return xasprintf("%s?api-version=%s", path, versions[ARM_KIND_CONNECTOR]);
}

void arm_get_connector(const char *connector_id, struct arm_request *ret)
{
	char subscription[GUID_TEXT_SIZE];

	subscription_of(connector_id, subscription);
	read_of(subscription, SECURITY, connector_path(connector_id), ret);
}

static void list_of(const char *subscription, const char *provider, const char *type,
	enum arm_kind kind, struct arm_request *ret)
{
	read_of(subscription, provider,
		xasprintf("/subscriptions/%s/providers/%s/%s?api-version=%s", subscription,
			provider, type, versions[kind]),
		ret);
}

void arm_list_workspaces(const char *subscription, struct arm_request *ret)
{
	list_of(subscription, OPERATIONAL_INSIGHTS, "workspaces", ARM_KIND_WORKSPACE, ret);
}

void arm_list_solutions(const char *subscription, struct arm_request *ret)
{
	list_of(subscription, OPERATIONS_MANAGEMENT, "solutions", ARM_KIND_SOLUTION, ret);
}

static char *path_of(const char *id, enum arm_kind kind)
{
	mdc_autofree char *path = encode_id(id);

	return xasprintf("%s?api-version=%s", path, versions[kind]);
}

void arm_get_solution(const char *solution_id, struct arm_request *ret)
{
	char subscription[GUID_TEXT_SIZE];

	subscription_of(solution_id, subscription);
	read_of(subscription, OPERATIONS_MANAGEMENT, path_of(solution_id, ARM_KIND_SOLUTION), ret);
}

int arm_get_collection_rule(const char *rule_id, struct arm_request *ret)
{
	struct arm_id id;
	bool is_rule;

	if (arm_id_parse(rule_id, &id) != 0)
		return -EINVAL;
	is_rule = id.kind == ARM_KIND_COLLECTION_RULE;
	if (is_rule)
		read_of(id.subscription, INSIGHTS, path_of(id.text, ARM_KIND_COLLECTION_RULE), ret);
	arm_id_fini(&id);
	return is_rule ? 0 : -EINVAL;
}

void arm_get_onboarding(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, SECURITY,
		security_path(subscription, "mdeOnboardings", ARM_KIND_MDE_ONBOARDING), ret);
	ret->secret_reply = true;
}

static const char *provider_of(const char *machine_id)
{
	return arm_id_is_vm(machine_id) ? COMPUTE : HYBRID_COMPUTE;
}

static const char *extension_version(const char *machine_id)
{
	return versions[arm_id_is_vm(machine_id) ? ARM_KIND_VM_EXTENSION : ARM_KIND_ARC_EXTENSION];
}

/* What a VM is doing, Compute tells only where it is asked for. */
static void read_machine(const char *machine_id, const char *rest, struct arm_request *ret)
{
	char subscription[GUID_TEXT_SIZE];
	mdc_autofree char *path = encode_id(machine_id);

	subscription_of(machine_id, subscription);
	read_of(subscription, provider_of(machine_id),
		xasprintf("%s%s?api-version=%s%s", path, rest, extension_version(machine_id),
			arm_id_is_vm(machine_id) ? "&$expand=instanceView" : ""),
		ret);
}

void arm_get_machine(const char *machine_id, struct arm_request *ret)
{
	read_machine(machine_id, "", ret);
}

void arm_list_vms(const char *subscription, bool status_only, struct arm_request *ret)
{
	read_of(subscription, COMPUTE,
		xasprintf("/subscriptions/%s/providers/" COMPUTE
			  "/virtualMachines?api-version=%s%s",
			subscription, versions[ARM_KIND_VIRTUAL_MACHINE],
			status_only ? "&statusOnly=true" : ""),
		ret);
}

void arm_list_machines(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, HYBRID_COMPUTE,
		xasprintf("/subscriptions/%s/providers/" HYBRID_COMPUTE "/machines?api-version=%s",
			subscription, versions[ARM_KIND_ARC_MACHINE]),
		ret);
}

static char *extension_rest(const char *name)
{
	mdc_autofree char *encoded = http_percent_encode(name);

	return xasprintf("/extensions/%s", encoded);
}

void arm_get_extension(const char *machine_id, const char *name, struct arm_request *ret)
{
	mdc_autofree char *rest = extension_rest(name);

	read_machine(machine_id, rest, ret);
}

void arm_list_extensions(const char *machine_id, struct arm_request *ret)
{
	read_machine(machine_id, "/extensions", ret);
}

void arm_list_policy_assignments(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, AUTHORIZATION,
		xasprintf("/subscriptions/%s/providers/" AUTHORIZATION
			  "/policyAssignments?api-version=" POLICY_VERSION,
			subscription),
		ret);
}

void arm_list_policy_exemptions(const char *subscription, struct arm_request *ret)
{
	read_of(subscription, AUTHORIZATION,
		xasprintf("/subscriptions/%s/providers/" AUTHORIZATION
			  "/policyExemptions?api-version=" EXEMPTIONS_VERSION,
			subscription),
		ret);
}

int arm_get_policy_set(const char *id, struct arm_request *ret)
{
	struct arm_id parsed;
	mdc_autofree char *path = NULL;

	if (arm_id_parse(id, &parsed) != 0)
		return -EINVAL;
	path = encode_id(parsed.text);
	read_of(parsed.subscription, AUTHORIZATION,
		xasprintf("%s?api-version=" POLICY_VERSION, path), ret);
	arm_id_fini(&parsed);
	return 0;
}

struct activity_filter {
	const char *field, *value;
	struct wall from, to;
};

/* A quote inside a value is doubled, as OData wants it. */
static char *quoted(const char *value)
{
	struct buf b = BUF_INIT(ARM_ID_MAX * 2 + 16);

	buf_addc(&b, '\'');
	for (; *value != '\0'; value++) {
		if (*value == '\'')
			buf_addc(&b, '\'');
		buf_addc(&b, *value);
	}
	buf_addc(&b, '\'');
	return buf_steal(&b);
}

static void find_activity(
	const char *subscription, const struct activity_filter *f, struct arm_request *ret)
{
	char from_text[WALL_TEXT_SIZE], to_text[WALL_TEXT_SIZE];
	mdc_autofree char *value = quoted(f->value);
	mdc_autofree char *filter = NULL;
	mdc_autofree char *encoded = NULL;

	wall_format(f->from, from_text);
	wall_format(f->to, to_text);
	filter = xasprintf("eventTimestamp ge '%s' and eventTimestamp le '%s' and %s eq %s",
		from_text, to_text, f->field, value);
	encoded = http_percent_encode(filter);
	read_of(subscription, "Microsoft.Insights",
		xasprintf("/subscriptions/%s/providers/Microsoft.Insights/eventtypes/management/"
			  "values"
			  "?api-version=" ACTIVITY_VERSION "&$filter=%s",
			subscription, encoded),
		ret);
}

void arm_find_activity(const char *subscription, const char *correlation_id, struct wall from,
	struct wall to, struct arm_request *ret)
{
	find_activity(subscription,
		&(struct activity_filter){"correlationId", correlation_id, from, to}, ret);
}

void arm_find_activity_on(const char *subscription, const char *resource_id, struct wall from,
	struct wall to, struct arm_request *ret)
{
	find_activity(
		subscription, &(struct activity_filter){"resourceUri", resource_id, from, to}, ret);
}

void defender_list_devices(unsigned top, uint64_t skip, struct arm_request *ret)
{
	*ret = (struct arm_request){
		.method = "GET",
		.path = xasprintf("/api/machines?$top=%u&$skip=%" PRIu64, top, skip),
		.quota = ARM_QUOTA_DEFENDER,
		.provider = "",
	};
}

/* The application is one in all of the public cloud, whatever host of a region is asked. */
const char *defender_audience(const char *api)
{
	return str_ends_nocase(api, ".microsoft.us") || str_ends_nocase(api, ".microsoft.us/")
		? api
		: "https://api.securitycenter.microsoft.com";
}

int arm_follow_link(const struct arm_request *first, const char *arm_base, const char *link,
	struct arm_request *ret)
{
	struct http_url url;

	if (link == NULL || strlen(link) > LINK_MAX || http_url_parse(link, &url) != 0)
		return -EINVAL;
	if (!http_url_same_origin(link, arm_base)) {
		http_url_fini(&url);
		return -EXDEV;
	}
	*ret = *first;
	ret->body = NULL;
	ret->path = url.query != NULL ? xasprintf("%s?%s", url.path, url.query) : xstrdup(url.path);
	http_url_fini(&url);
	return 0;
}

/* --- writes --- */

static void write_of(const char *method, const char *subscription, const char *provider,
	char *take_path, json_t *take_body, struct arm_request *ret)
{
	*ret = (struct arm_request){
		.method = method,
		.path = take_path,
		.body = take_body,
		.quota = str_equal(method, "DELETE") ? ARM_QUOTA_DELETE : ARM_QUOTA_WRITE,
		.provider = provider,
	};
	str_copy(ret->subscription, sizeof(ret->subscription), subscription);
}

/*
 * The members of an extension that may be sent, as they came. NULL for one that does not say
 * whether it is on: it cannot be sent, and is not ours to decide.
 */
static json_t *extension_to_send(const json_t *extension, const char *name)
{
	json_t *enabled = json_path(extension, "isEnabled");
	json_t *properties = json_path(extension, "additionalExtensionProperties");
	json_t *copy;

	if (json_tri(enabled) == TRI_UNKNOWN)
		return NULL;
	copy = json_pack("{s:s}", "name", name);
	/* Resource Graph and older answers have a real boolean; the service wants the word. */
	if (json_is_string(enabled))
		json_object_set(copy, "isEnabled", enabled);
	else
		json_object_set_new(
			copy, "isEnabled", json_string(json_is_true(enabled) ? "True" : "False"));
	if (json_is_object(properties))
		json_object_set(copy, "additionalExtensionProperties", properties);
	return copy;
}

static json_t *extensions_to_send(const json_t *current, const char *sub_plan)
{
	const json_t *extensions = json_path(current, "properties.extensions");
	json_t *list;
	size_t i;
	json_t *extension;

	if (!json_is_array(extensions))
		return NULL;
	list = json_array();
	json_array_foreach (extensions, i, extension) {
		const char *name = json_text(extension, "name");
		json_t *copy;

		if (name == NULL ||
			(str_equal_nocase(sub_plan, "P1") &&
				plan_extension_needs_p2(plan_extension_from_name(name))))
			continue;
		copy = extension_to_send(extension, name);
		if (copy != NULL)
			json_array_append_new(list, copy);
	}
	return list;
}

json_t *arm_pricing_document(const json_t *current, const char *tier, const char *sub_plan)
{
	json_t *properties = json_object();
	const char *enforce = json_path_text(current, "properties.enforce");
	json_t *extensions = extensions_to_send(current, sub_plan);

	json_object_set_new(properties, "pricingTier", json_string(tier));
	if (sub_plan != NULL)
		json_object_set_new(properties, "subPlan", json_string(sub_plan));
	if (enforce != NULL)
		json_object_set_new(properties, "enforce", json_string(enforce));
	if (json_array_size(extensions) > 0)
		json_object_set(properties, "extensions", extensions);
	json_decref(extensions);
	return json_pack("{s:o}", "properties", properties);
}

void arm_pricing_switch_on(json_t *document, enum plan_extension e)
{
	json_t *properties = json_object_get(document, "properties");
	json_t *list = json_object_get(properties, "extensions");
	const char *name = plan_extension_name(e);
	size_t i;
	json_t *extension;

	json_array_foreach (list, i, extension)
		if (str_equal_nocase(json_text(extension, "name"), name)) {
			json_object_set_new(extension, "isEnabled", json_string("True"));
			return;
		}
	if (list == NULL) {
		list = json_array();
		json_object_set_new(properties, "extensions", list);
	}
	json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "isEnabled", "True"));
}

void arm_put_pricing(const char *subscription, json_t *take_document, struct arm_request *ret)
{
	write_of("PUT", subscription, SECURITY,
		security_path(subscription, "pricings/VirtualMachines", ARM_KIND_PRICING),
		take_document, ret);
}

void arm_write_machine_plan(const char *machine_id, enum machine_plan plan, struct arm_request *ret)
{
	char subscription[GUID_TEXT_SIZE];
	json_t *body = NULL;

	if (plan == MACHINE_PLAN_P1)
		body = json_pack(
			"{s:{s:s, s:s}}", "properties", "pricingTier", "Standard", "subPlan", "P1");
	else if (plan == MACHINE_PLAN_OFF)
		body = json_pack("{s:{s:s}}", "properties", "pricingTier", "Free");
	subscription_of(machine_id, subscription);
	write_of(body != NULL ? "PUT" : "DELETE", subscription, SECURITY,
		machine_plan_path(machine_id), body, ret);
}

void arm_put_setting(
	const char *subscription, const char *name, bool enabled, struct arm_request *ret)
{
	mdc_autofree char *rest = xasprintf("settings/%s", name);

	write_of("PUT", subscription, SECURITY, security_path(subscription, rest, ARM_KIND_SETTING),
		json_pack("{s:s, s:{s:b}}", "kind", "DataExportSettings", "properties", "enabled",
			enabled ? 1 : 0),
		ret);
}

void arm_put_vulnerability_setting(const char *subscription, struct arm_request *ret)
{
	write_of("PUT", subscription, SECURITY,
		security_path(subscription, VULNERABILITY_SETTING, ARM_KIND_VA_SETTING),
		json_pack("{s:s, s:{s:s}}", "kind", "AzureServersSetting", "properties",
			"selectedProvider", "MdeTvm"),
		ret);
}

void arm_put_solution(const char *solution_id, json_t *take_document, struct arm_request *ret)
{
	char subscription[GUID_TEXT_SIZE];

	subscription_of(solution_id, subscription);
	write_of("PUT", subscription, OPERATIONS_MANAGEMENT,
		path_of(solution_id, ARM_KIND_SOLUTION), take_document, ret);
}

void arm_put_connector(const char *connector_id, json_t *take_document, struct arm_request *ret)
{
	char subscription[GUID_TEXT_SIZE];

	subscription_of(connector_id, subscription);
	write_of("PUT", subscription, SECURITY, connector_path(connector_id), take_document, ret);
}

void arm_register_provider(const char *subscription, const char *name, struct arm_request *ret)
{
	write_of("POST", subscription, "Microsoft.Resources",
		xasprintf("/subscriptions/%s/providers/%s/register?api-version=%s", subscription,
			name, versions[ARM_KIND_PROVIDER]),
		NULL, ret);
}

/*
 * The Arc agent installs a failed extension again only if its settings differ, so our mark counts:
 * "mdcd", "mdcd/2", …
 */
static json_t *next_mark(const json_t *current)
{
	const char *last = json_path_text(current, "properties.settings.installedBy");
	uint64_t n = 1;

	if (!str_starts_nocase(last, INSTALLED_BY))
		return json_string(INSTALLED_BY);
	last += strlen(INSTALLED_BY);
	if (*last == '/' && str_parse_u64(last + 1, MARK_MAX, &n) != 0)
		n = 1;
	return json_sprintf(INSTALLED_BY "/%" PRIu64, n + 1);
}

static json_t *extension_settings(const json_t *current, const char *machine_id, bool unified)
{
	const json_t *others = json_path(current, "properties.settings");
	json_t *settings = json_is_object(others) ? json_deep_copy(others) : json_object();

	json_object_set_new(settings, "azureResourceId", json_string(machine_id));
	/* A string, as Microsoft's own policy definitions write it. */
	if (unified)
		json_object_set_new(settings, "vNextEnabled", json_string("true"));
	json_object_set_new(settings, "installedBy", next_mark(current));
	return settings;
}

void arm_put_mde_extension(const char *machine_id, const char *location, bool windows, bool unified,
	const char *package, const json_t *current, struct arm_request *ret)
{
	enum extension_kind kind = windows ? EXTENSION_MDE_WINDOWS : EXTENSION_MDE_LINUX;
	const char *type = extension_kind_type(kind);
	mdc_autofree char *path = encode_id(machine_id);
	const json_t *tags = json_path(current, "tags");
	char subscription[GUID_TEXT_SIZE];
	json_t *body;

	body = json_pack("{s:s, s:{s:s, s:s, s:s, s:b, s:o, s:{s:s}}}", "location", location,
		"properties", "publisher", MDE_PUBLISHER, "type", type, "typeHandlerVersion", "1.0",
		"autoUpgradeMinorVersion", 1, "settings",
		extension_settings(current, machine_id, unified), "protectedSettings",
		"defenderForEndpointOnboardingScript", package);
	assert(body != NULL);
	if (json_is_object(tags) && json_object_size(tags) > 0)
		json_object_set(body, "tags", (json_t *)tags);
	subscription_of(machine_id, subscription);
	write_of("PUT", subscription, provider_of(machine_id),
		xasprintf("%s/extensions/%s?api-version=%s", path, type,
			extension_version(machine_id)),
		body, ret);
}

void arm_delete_extension(const char *machine_id, const char *name, struct arm_request *ret)
{
	mdc_autofree char *path = encode_id(machine_id);
	mdc_autofree char *rest = extension_rest(name);
	char subscription[GUID_TEXT_SIZE];

	subscription_of(machine_id, subscription);
	write_of("DELETE", subscription, provider_of(machine_id),
		xasprintf("%s%s?api-version=%s", path, rest, extension_version(machine_id)), NULL,
		ret);
}
