/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_document.h"

#include "lib/azure/virtual_machine.h"
#include "lib/base/str.h"

#include <stdio.h>
#include <string.h>

#define PATH_KEY_MAX 64
/* An agent's list that is longer than this is not read to its end: "not known". */
#define AGENT_LIST_MAX 1000

json_t *json_body(const char *body, size_t len)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t skip = sizeof(mark) - 1;

	if (len < skip || memcmp(body, mark, skip) != 0)
		skip = 0;
	return len > skip ? json_loadb(body + skip, len - skip, 0, NULL) : NULL;
}

enum tri json_tri(const json_t *value)
{
	const char *text;

	if (json_is_boolean(value))
		return json_is_true(value) ? TRI_YES : TRI_NO;
	text = json_string_value(value);
	if (str_equal_nocase(text, "true"))
		return TRI_YES;
	if (str_equal_nocase(text, "false"))
		return TRI_NO;
	return TRI_UNKNOWN;
}

/* Azure's own services differ in the casing of members. */
static json_t *member(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	const char *other;

	if (value != NULL || !json_is_object(object))
		return value;
	json_object_foreach ((json_t *)object, other, value)
		if (str_equal_nocase(other, key))
			return value;
	return NULL;
}

const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(member(object, key));

	return str_empty(text) ? NULL : text;
}

json_t *json_path(const json_t *object, const char *path)
{
	char key[PATH_KEY_MAX];
	json_t *at = (json_t *)object;

	while (at != NULL) {
		size_t len = strcspn(path, ".");

		assert(len < sizeof(key));
		memcpy(key, path, len);
		key[len] = '\0';
		at = member(at, key);
		if (path[len] == '\0')
			return at;
		path += len + 1;
	}
	return NULL;
}

const char *json_path_text(const json_t *object, const char *path)
{
	const char *text = json_string_value(json_path(object, path));

	return str_empty(text) ? NULL : text;
}

static struct wall path_time(const json_t *object, const char *path)
{
	struct wall time;

	/* Services write "0001-01-01T00:00:00Z" for a time that they do not know. */
	if (wall_parse(json_path_text(object, path), &time) != 0 || time.ms < 0)
		return WALL_UNSET;
	return time;
}

static const json_t *path_array(const json_t *object, const char *path)
{
	const json_t *value = json_path(object, path);

	return json_is_array(value) ? value : NULL;
}

static enum arm_kind kind_of_id(const char *text)
{
	enum arm_kind kind;
	struct arm_id id;

	if (text == NULL || arm_id_parse(text, &id) != 0)
		return ARM_KIND_N_;
	kind = id.kind;
	arm_id_fini(&id);
	return kind;
}

/* The id, if it is one of that kind. */
static const char *id_of_kind(const json_t *document, enum arm_kind kind)
{
	const char *text = json_text(document, "id");

	return kind_of_id(text) == kind ? text : NULL;
}

int arm_subscription_read(const json_t *document, struct arm_subscription *ret)
{
	const char *id = json_text(document, "subscriptionId");
	const char *state = json_text(document, "state");
	const char *name = json_text(document, "displayName");

	if (!str_is_guid(id))
		return -EINVAL;
	*ret = (struct arm_subscription){
		.id = id,
		.name = name != NULL ? name : json_text(document, "name"),
		.tenant = json_text(document, "tenantId"),
		.state = state != NULL ? state : json_path_text(document, "properties.state"),
		.management_groups =
			path_array(document, "properties.managementGroupAncestorsChain"),
		.managed_by = path_array(document, "managedByTenants"),
	};
	return 0;
}

int arm_pricing_read(const json_t *document, struct arm_pricing *ret)
{
	const char *id = id_of_kind(document, ARM_KIND_PRICING);

	if (id == NULL || !str_ends_nocase(id, "/VirtualMachines"))
		return -EINVAL;
	*ret = (struct arm_pricing){
		.id = id,
		.tier = json_path_text(document, "properties.pricingTier"),
		.sub_plan = json_path_text(document, "properties.subPlan"),
		.enforce = json_tri(json_path(document, "properties.enforce")),
		.enabled_at = path_time(document, "properties.enablementTime"),
		.extensions = path_array(document, "properties.extensions"),
		.coverage = json_path_text(document, "properties.resourcesCoverageStatus"),
		.deprecated = json_tri(json_path(document, "properties.deprecated")) == TRI_YES,
		.replaced_by = path_array(document, "properties.replacedBy"),
	};
	/* Only a deprecated plan says what replaces it. */
	ret->deprecated = ret->deprecated || json_array_size(ret->replaced_by) > 0;
	return 0;
}

enum machine_plan arm_machine_plan_read(const json_t *document)
{
	const char *tier = json_path_text(document, "properties.pricingTier");

	if (json_tri(json_path(document, "properties.inherited")) == TRI_YES)
		return MACHINE_PLAN_INHERITED;
	if (str_equal_nocase(tier, "Free"))
		return MACHINE_PLAN_OFF;
	return str_equal_nocase(tier, "Standard") &&
			str_equal_nocase(json_path_text(document, "properties.subPlan"), "P1")
		? MACHINE_PLAN_P1
		: MACHINE_PLAN_UNKNOWN;
}

static const struct {
	const char *name;
	bool needs_p2;
} plan_extensions[] = {
	[PLAN_AGENTLESS_SCANNING] = {"AgentlessVmScanning", true},
	[PLAN_DESIGNATED_SUBSCRIPTION] = {"MdeDesignatedSubscription", false},
	[PLAN_FILE_INTEGRITY] = {"FileIntegrityMonitoring", true},
};

const char *plan_extension_name(enum plan_extension e)
{
	return e < PLAN_EXTENSION_N_ ? plan_extensions[e].name : "";
}

enum plan_extension plan_extension_from_name(const char *name)
{
	for (unsigned e = 0; e < PLAN_EXTENSION_N_; e++)
		if (str_equal_nocase(name, plan_extensions[e].name))
			return (enum plan_extension)e;
	return PLAN_EXTENSION_N_;
}

bool plan_extension_needs_p2(enum plan_extension e)
{
	return e < PLAN_EXTENSION_N_ && plan_extensions[e].needs_p2;
}

static const json_t *find_extension(const struct arm_pricing *p, const char *name)
{
	size_t i;
	json_t *extension;

	json_array_foreach (p->extensions, i, extension)
		if (str_equal_nocase(json_text(extension, "name"), name))
			return extension;
	return NULL;
}

bool arm_pricing_extension_ready(const struct arm_pricing *p, enum plan_extension e)
{
	const json_t *bag = json_path(
		find_extension(p, plan_extension_name(e)), "additionalExtensionProperties");

	return e != PLAN_FILE_INTEGRITY ||
		(json_text(bag, "DefinedWorkspaceId") != NULL && json_text(bag, "Rules") != NULL);
}

enum tri arm_pricing_extension(const struct arm_pricing *p, const char *name)
{
	return json_tri(member(find_extension(p, name), "isEnabled"));
}

bool arm_pricing_failure(
	const struct arm_pricing *p, const char **ret_name, const char **ret_message)
{
	size_t i;
	json_t *extension;

	json_array_foreach (p->extensions, i, extension) {
		const char *message = json_path_text(extension, "operationStatus.message");
		const char *name = json_text(extension, "name");

		if (!str_equal_nocase(json_path_text(extension, "operationStatus.code"), "Failed"))
			continue;
		*ret_name = name != NULL ? name : "";
		*ret_message = message != NULL ? message : "";
		return true;
	}
	return false;
}

/* The `name` member says the same, but only the id has been checked to be safe in a path. */
static const char *name_in(const char *id)
{
	return strrchr(id, '/') + 1;
}

int arm_setting_read(const json_t *document, struct arm_setting *ret)
{
	const char *id = id_of_kind(document, ARM_KIND_SETTING);

	if (id == NULL)
		return -EINVAL;
	*ret = (struct arm_setting){
		.id = id,
		.name = name_in(id),
		.enabled = json_tri(json_path(document, "properties.enabled")),
	};
	return 0;
}

static const json_t *tags_of(const json_t *document)
{
	const json_t *tags = member(document, "tags");

	return json_is_object(tags) ? tags : NULL;
}

int arm_machine_read(const json_t *document, struct arm_machine *ret)
{
	const char *id = json_text(document, "id");
	enum arm_kind kind = kind_of_id(id);
	const json_t *p = member(document, "properties");

	if (kind == ARM_KIND_VIRTUAL_MACHINE)
		virtual_machine_read(document, id, ret);
	if (kind != ARM_KIND_ARC_MACHINE)
		return kind == ARM_KIND_VIRTUAL_MACHINE ? 0 : -EINVAL;
	*ret = (struct arm_machine){
		.id = id,
		.location = json_text(document, "location"),
		.status = json_text(p, "status"),
		.status_since = path_time(p, "lastStatusChange"),
		.os_type = json_text(p, "osType"),
		.os_name = json_text(p, "osName"),
		.os_sku = json_text(p, "osSku"),
		.os_version = json_text(p, "osVersion"),
		.agent_version = json_text(p, "agentVersion"),
		.cloud = json_path_text(p, "cloudMetadata.provider"),
		.extensions_enabled =
			json_tri(json_path(p, "agentConfiguration.extensionsEnabled")),
		.proxied = json_path_text(p, "agentConfiguration.proxyUrl") != NULL,
		.config_mode = json_path_text(p, "agentConfiguration.configMode"),
		.allow_list = path_array(p, "agentConfiguration.extensionsAllowList"),
		.block_list = path_array(p, "agentConfiguration.extensionsBlockList"),
		.tags = tags_of(document),
	};
	return 0;
}

static bool list_holds(const json_t *list, const char *publisher, const char *type)
{
	size_t i;
	json_t *entry;

	json_array_foreach (list, i, entry)
		if (str_equal_nocase(json_text(entry, "publisher"), publisher) &&
			str_equal_nocase(json_text(entry, "type"), type))
			return true;
	return false;
}

enum tri arm_machine_allows(const struct arm_machine *m, const char *publisher, const char *type)
{
	if (m->allow_list == NULL && m->block_list == NULL && m->config_mode == NULL &&
		m->extensions_enabled == TRI_UNKNOWN)
		return TRI_UNKNOWN;
	if (json_array_size(m->allow_list) > AGENT_LIST_MAX ||
		json_array_size(m->block_list) > AGENT_LIST_MAX)
		return TRI_UNKNOWN;
	if (list_holds(m->block_list, publisher, type))
		return TRI_NO;
	/* Monitor mode admits Microsoft's monitoring and security extensions by itself. */
	if (json_array_size(m->allow_list) > 0 && !str_equal_nocase(m->config_mode, "monitor"))
		return list_holds(m->allow_list, publisher, type) ? TRI_YES : TRI_NO;
	return TRI_YES;
}

bool arm_machine_is_connector_made(const struct arm_machine *m)
{
	return json_tri(member(m->tags, "MDFCSecurityConnector")) == TRI_YES;
}

static const char *code_of(const json_t *status, char text[static 24])
{
	/* So the VM agent says it; what follows is what the Arc agent says. */
	static const char failed[] = "ProvisioningState/failed/";
	const json_t *code = member(status, "code");
	const char *word = json_text(status, "code");

	if (!json_is_integer(code))
		return word != NULL && str_starts_nocase(word, failed) ? word + sizeof(failed) - 1
								       : word;
	snprintf(text, 24, "%lld", (long long)json_integer_value(code));
	return text;
}

int arm_extension_read(const json_t *document, struct arm_extension *ret)
{
	const char *id = json_text(document, "id");
	enum arm_kind kind = kind_of_id(id);
	const json_t *p = member(document, "properties");
	const json_t *status = json_path(p, "instanceView.status");

	if (kind != ARM_KIND_ARC_EXTENSION && kind != ARM_KIND_VM_EXTENSION)
		return -EINVAL;
	/* A VM's are an array. */
	if (status == NULL)
		status = json_array_get(json_path(p, "instanceView.statuses"), 0);
	*ret = (struct arm_extension){
		.id = id,
		.name = name_in(id),
		.publisher = json_text(p, "publisher"),
		.type = json_text(p, "type"),
		.provisioning_state = json_text(p, "provisioningState"),
		.version = json_text(p, "typeHandlerVersion"),
		.vnext = json_tri(json_path(p, "settings.vNextEnabled")),
		.owner_id = json_path_text(p, "settings.azureResourceId"),
		.workspace = json_path_text(p, "settings.workspaceId"),
		.status_level = json_text(status, "level"),
		.status_message = json_text(status, "message"),
	};
	ret->status_code = code_of(status, ret->code_text);
	return 0;
}

static const struct {
	const char *publisher, *type;
} extension_kinds[] = {
	[EXTENSION_MDE_WINDOWS] = {MDE_PUBLISHER, "MDE.Windows"},
	[EXTENSION_MDE_LINUX] = {MDE_PUBLISHER, "MDE.Linux"},
	[EXTENSION_MMA] = {MMA_PUBLISHER, "MicrosoftMonitoringAgent"},
	[EXTENSION_OMS] = {MMA_PUBLISHER, "OmsAgentForLinux"},
};

enum extension_kind extension_kind(const char *publisher, const char *type)
{
	for (unsigned k = EXTENSION_MDE_WINDOWS; k < EXTENSION_KIND_N_; k++)
		if (publisher != NULL && type != NULL &&
			str_equal_nocase(publisher, extension_kinds[k].publisher) &&
			str_equal_nocase(type, extension_kinds[k].type))
			return (enum extension_kind)k;
	return EXTENSION_OTHER;
}

const char *extension_kind_type(enum extension_kind kind)
{
	return kind > EXTENSION_OTHER && kind < EXTENSION_KIND_N_ ? extension_kinds[kind].type : "";
}

enum provisioning provisioning_read(const char *state)
{
	static const char *const running[] = {"Creating", "Updating", "Deleting", "Accepted",
		"Running", "InProgress", "Queued", "Registering"};

	if (str_equal_nocase(state, "Succeeded"))
		return PROVISIONING_SUCCEEDED;
	if (str_equal_nocase(state, "Failed"))
		return PROVISIONING_FAILED;
	if (str_equal_nocase(state, "Canceled"))
		return PROVISIONING_CANCELED;
	for (size_t i = 0; i < ARRAY_LEN(running); i++)
		if (str_equal_nocase(state, running[i]))
			return PROVISIONING_RUNNING;
	return PROVISIONING_UNKNOWN;
}

const char *arm_document_state(const json_t *document)
{
	const char *registration = json_text(document, "registrationState");

	if (str_equal_nocase(registration, "Registered"))
		return "Succeeded";
	return registration != NULL ? registration
				    : json_path_text(document, "properties.provisioningState");
}

const char *mde_onboarding_package(const json_t *document, bool windows)
{
	const char *path = windows ? "properties.onboardingPackageWindows"
				   : "properties.onboardingPackageLinux";
	const json_t *list = member(document, "value");
	const char *text = json_path_text(document, path);
	size_t i;
	json_t *one;

	if (text != NULL)
		return text;
	json_array_foreach (list, i, one) {
		text = json_path_text(one, path);
		if (text != NULL)
			return text;
	}
	return NULL;
}

bool mde_organisation(const char *script, char ret[static GUID_TEXT_SIZE])
{
	static const char name[] = "orgId";

	for (const char *at = strstr(script, name); at != NULL; at = strstr(at, name)) {
		at += strlen(name);
		at += strspn(at, "\\\"' :");
		snprintf(ret, GUID_TEXT_SIZE, "%.*s", GUID_TEXT_SIZE - 1, at);
		if (str_is_guid(ret))
			return true;
	}
	return false;
}
