/* SPDX-License-Identifier: Apache-2.0 */
/* From a few words about a machine to the document that ARM would answer for it. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_document.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

#include <stdio.h>
#include <string.h>

struct machine_spec {
	const char *name, *group, *location, *os, *os_type, *os_version, *status, *agent, *fqdn,
		*cloud, *kind, *config_mode;
	struct wall since, created;
	bool extensions_enabled, reached, onboarded, stuck;
	int plan; /* 0: none of its own */
	struct dur reboot_after;
	const json_t *tags, *allow, *block, *properties, *extensions, *rules, *outcomes, *timeline;
	const json_t *vm;
};

static const char *const machine_plans[] = {"", "P1", "Free", NULL};

#define AT(member) offsetof(struct machine_spec, member)
static const struct field machine_fields[] = {
	{"name", FIELD_TEXT, AT(name), true},
	{"group", FIELD_TEXT, AT(group), true},
	{"location", FIELD_TEXT, AT(location)},
	{"os", FIELD_TEXT, AT(os)},
	{"osType", FIELD_TEXT, AT(os_type)},
	{"osVersion", FIELD_TEXT, AT(os_version)},
	{"status", FIELD_TEXT, AT(status)},
	{"since", FIELD_TIME, AT(since)},
	{"created", FIELD_TIME, AT(created)},
	{"agent", FIELD_TEXT, AT(agent)},
	{"fqdn", FIELD_TEXT, AT(fqdn)},
	{"cloud", FIELD_TEXT, AT(cloud)},
	{"kind", FIELD_TEXT, AT(kind)},
	{"configMode", FIELD_TEXT, AT(config_mode)},
	{"tags", FIELD_OBJECT, AT(tags)},
	{"extensionsEnabled", FIELD_BOOL, AT(extensions_enabled)},
	{"allow", FIELD_ARRAY, AT(allow)},
	{"block", FIELD_ARRAY, AT(block)},
	{"plan", FIELD_WORD, AT(plan), .words = machine_plans},
	{"properties", FIELD_OBJECT, AT(properties)},
	{"extensions", FIELD_ARRAY, AT(extensions)},
	{"rules", FIELD_TEXTS, AT(rules)},
	{"outcomes", FIELD_TEXTS, AT(outcomes)},
	{"rebootAfter", FIELD_DURATION, AT(reboot_after)},
	{"onboarded", FIELD_BOOL, AT(onboarded)},
	{"reached", FIELD_BOOL, AT(reached)},
	{"stuck", FIELD_BOOL, AT(stuck)},
	{"timeline", FIELD_ARRAY, AT(timeline)},
	{"vm", FIELD_OBJECT, AT(vm)},
};
#undef AT

/* One JSON string for all who say the same; a new reference. */
static json_t *shared_text(struct document *d, const char *text)
{
	json_t *value;

	if (text == NULL)
		return json_null();
	/* The map folds its keys, and casing matters here. */
	value = map_get(&d->shared, text);
	if (value == NULL || !str_equal(json_string_value(value), text)) {
		value = json_string(text);
		map_set(&d->shared, text, value);
	}
	return json_incref(value);
}

static json_t *shared_object(struct document *d, const char *name, json_t *(*make)(void))
{
	json_t *value = map_get(&d->shared, name);

	if (value == NULL) {
		value = make();
		map_set(&d->shared, name, value);
	}
	return json_incref(value);
}

static json_t *make_services(void)
{
	return json_pack("{s:{s:s, s:s}, s:{s:s, s:s}}", "extensionService", "status", "running",
		"startupType", "automatic", "guestConfigurationService", "status", "running",
		"startupType", "automatic");
}

static json_t *make_detected(void)
{
	return json_pack("{s:s, s:s, s:s}", "cloudprovider", "N/A", "manufacturer",
		"Microsoft Corporation", "model", "Virtual Machine");
}

static json_t *make_agent(void)
{
	return json_pack("{s:s, s:[], s:[], s:[], s:[], s:s, s:s, s:s}", "proxyUrl", "",
		"incomingConnectionsPorts", "extensionsAllowList", "extensionsBlockList",
		"proxyBypass", "extensionsEnabled", "true", "guestConfigurationEnabled", "true",
		"configMode", "full");
}

static json_t *agent_configuration(struct document *d, const struct machine_spec *spec)
{
	json_t *agent = shared_object(d, "\001 agent", make_agent);

	if (spec->allow != NULL)
		tree_set(&agent, "extensionsAllowList", json_deep_copy(spec->allow));
	if (spec->block != NULL)
		tree_set(&agent, "extensionsBlockList", json_deep_copy(spec->block));
	if (!spec->extensions_enabled)
		tree_set(&agent, "extensionsEnabled", json_string("false"));
	if (!str_equal(spec->config_mode, "full"))
		tree_set(&agent, "configMode", json_string(spec->config_mode));
	return agent;
}

static const char *system_type(const struct machine_spec *spec)
{
	if (spec->os_type != NULL)
		return spec->os_type;
	return str_starts_nocase(spec->os, "Windows") || str_starts_nocase(spec->os, "Azure ")
		? "windows"
		: "linux";
}

/* What the agent reports with its first heartbeat; a resource that never connected has none. */
static void add_reported(struct document *d, const struct machine_spec *spec, json_t *p)
{
	const char *type = system_type(spec);
	char since[WALL_TEXT_SIZE], guid[GUID_SIZE];

	wall_format(spec->since, since);
	estate_guid(d->e, guid);
	json_object_set_new(p, "status", shared_text(d, spec->status));
	json_object_set_new(p, "lastStatusChange", json_string(since));
	json_object_set_new(p, "agentVersion", shared_text(d, spec->agent));
	json_object_set_new(p, "osName", shared_text(d, type));
	json_object_set_new(p, "osType", shared_text(d, type));
	json_object_set_new(p, "osSku", shared_text(d, spec->os));
	json_object_set_new(p, "osVersion", shared_text(d, spec->os_version));
	json_object_set_new(p, "vmUuid", json_string(guid));
	json_object_set_new(p, "displayName", json_string(spec->name));
	json_object_set_new(p, "machineFqdn", json_string(spec->fqdn));
	json_object_set_new(p, "dnsFqdn", json_string(spec->fqdn));
	json_object_set_new(
		p, "cloudMetadata", json_pack("{s:o}", "provider", shared_text(d, spec->cloud)));
	json_object_set_new(
		p, "detectedProperties", shared_object(d, "\001 detected", make_detected));
	json_object_set_new(p, "agentConfiguration", agent_configuration(d, spec));
	json_object_set_new(p, "serviceStatuses", shared_object(d, "\001 services", make_services));
	json_object_set_new(p, "mssqlDiscovered", shared_text(d, "false"));
}

static json_t *machine_properties(struct document *d, const struct machine_spec *spec)
{
	json_t *p = json_object();
	char guid[GUID_SIZE];
	const char *key;
	json_t *value;

	estate_guid(d->e, guid);
	json_object_set_new(p, "provisioningState", shared_text(d, "Succeeded"));
	json_object_set_new(p, "vmId", json_string(guid));
	if (!str_equal(spec->status, "NeverConnected"))
		add_reported(d, spec, p);
	json_object_foreach ((json_t *)spec->properties, key, value)
		json_object_set_new(p, key, json_deep_copy(value));
	return p;
}

static json_t *machine_doc(
	struct document *d, const struct subscription *sub, const struct machine_spec *spec)
{
	json_t *doc = json_object();
	char guid[GUID_SIZE], created[WALL_TEXT_SIZE];

	estate_guid(d->e, guid);
	wall_format(spec->created, created);
	json_object_set_new(doc, "id",
		json_sprintf(
			"/subscriptions/%s/resourceGroups/%s/providers/Microsoft.HybridCompute/"
			"machines/%s",
			sub->id, spec->group, spec->name));
	json_object_set_new(doc, "name", json_string(spec->name));
	json_object_set_new(doc, "type", shared_text(d, "Microsoft.HybridCompute/machines"));
	json_object_set_new(doc, "location", shared_text(d, spec->location));
	if (spec->tags != NULL)
		json_object_set_new(doc, "tags", json_deep_copy(spec->tags));
	if (spec->kind != NULL)
		json_object_set_new(doc, "kind", shared_text(d, spec->kind));
	json_object_set_new(doc, "identity",
		json_pack("{s:o, s:s, s:o}", "type", shared_text(d, "SystemAssigned"),
			"principalId", guid, "tenantId", shared_text(d, sub->tenant->id)));
	json_object_set_new(doc, "properties", machine_properties(d, spec));
	json_object_set_new(doc, "systemData",
		json_pack("{s:o, s:o, s:s}", "createdBy", shared_text(d, "onboarding@contoso.test"),
			"createdByType", shared_text(d, "Application"), "createdAt", created));
	return doc;
}

static json_t *vm_of(struct document *d, const struct subscription *sub,
	const struct machine_spec *spec, const struct vm_spec *vm)
{
	return vm_doc(d->e, sub->id, vm,
		&(struct vm_facts){.name = spec->name,
			.group = spec->group,
			.location = spec->location,
			.os = spec->os,
			.status = spec->status,
			.windows = str_equal(system_type(spec), "windows"),
			.created = spec->created,
			.tags = spec->tags});
}

/* --- extensions --- */

struct extension_spec {
	const char *type, *publisher, *name, *version, *state, *owner, *workspace, *code, *level,
		*message;
	bool unified;
	struct wall since;
	const json_t *settings, *tags;
};

#define AT(member) offsetof(struct extension_spec, member)
static const struct field extension_fields[] = {
	{"type", FIELD_TEXT, AT(type), true},
	{"publisher", FIELD_TEXT, AT(publisher)},
	{"name", FIELD_TEXT, AT(name)},
	{"version", FIELD_TEXT, AT(version)},
	{"state", FIELD_TEXT, AT(state)},
	{"unified", FIELD_BOOL, AT(unified)},
	{"owner", FIELD_TEXT, AT(owner)},
	{"workspace", FIELD_TEXT, AT(workspace)},
	{"settings", FIELD_OBJECT, AT(settings)},
	{"tags", FIELD_OBJECT, AT(tags)},
	{"code", FIELD_TEXT, AT(code)},
	{"level", FIELD_TEXT, AT(level)},
	{"message", FIELD_TEXT, AT(message)},
	{"since", FIELD_TIME, AT(since)},
};
#undef AT

static const char *publisher_of(const char *type)
{
	if (str_starts_nocase(type, "MDE."))
		return "Microsoft.Azure.AzureDefenderForServers";
	if (str_equal_nocase(type, "MicrosoftMonitoringAgent") ||
		str_equal_nocase(type, "OmsAgentForLinux"))
		return "Microsoft.EnterpriseCloud.Monitoring";
	return "Microsoft.Azure.Monitor";
}

static json_t *extension_settings(const struct machine *m, const struct extension_spec *spec)
{
	const char *owner = spec->owner != NULL ? spec->owner : m->res.id;

	if (spec->settings != NULL)
		return json_deep_copy(spec->settings);
	if (str_starts_nocase(spec->type, "MDE."))
		return json_pack("{s:s, s:b, s:b, s:b}", "azureResourceId", owner,
			"forceReOnboarding", 0, "vNextEnabled", spec->unified ? 1 : 0, "autoUpdate",
			1);
	if (spec->workspace != NULL)
		return json_pack("{s:s, s:b}", "workspaceId", spec->workspace,
			"stopOnMultipleConnections", 1);
	return json_object();
}

static json_t *extension_status(struct document *d, const struct extension_spec *spec)
{
	bool good = str_equal_nocase(spec->state, "Succeeded");
	bool bad = str_equal_nocase(spec->state, "Failed");
	char time[WALL_TEXT_SIZE];

	if (!good && !bad)
		return json_object();
	wall_format(spec->since, time);
	return json_pack("{s:o, s:o, s:o, s:o, s:s}", "code",
		shared_text(d,
			spec->code != NULL ? spec->code
				: good     ? "0"
					   : "1"),
		"level",
		shared_text(d,
			spec->level != NULL ? spec->level
				: good      ? "Information"
					    : "Error"),
		"displayStatus",
		shared_text(d, good ? "Provisioning succeeded" : "Provisioning failed"), "message",
		shared_text(d,
			spec->message != NULL ? spec->message
				: good        ? "Extension Message: the extension is enabled."
					      : "Extension Message: the extension failed."),
		"time", time);
}

static json_t *extension_properties(
	struct document *d, const struct machine *m, const struct extension_spec *spec)
{
	const char *publisher =
		spec->publisher != NULL ? spec->publisher : publisher_of(spec->type);
	json_t *p;

	p = json_pack("{s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:{s:s, s:o, s:o, s:o}}", "publisher",
		shared_text(d, publisher), "type", shared_text(d, spec->type), "typeHandlerVersion",
		shared_text(d, spec->version), "autoUpgradeMinorVersion", 0,
		"enableAutomaticUpgrade", 1, "settings", extension_settings(m, spec),
		"provisioningState", shared_text(d, spec->state), "instanceView", "name",
		spec->name != NULL ? spec->name : spec->type, "type", shared_text(d, spec->type),
		"typeHandlerVersion", shared_text(d, spec->version), "status",
		extension_status(d, spec));
	if (m->vm)
		handler_vm_view(p);
	return p;
}

static void add_extension(
	struct document *d, struct machine *m, const char *path, const json_t *object)
{
	struct extension_spec spec = {
		.version = "1.0.11.2", .state = "Succeeded", .since = d->e->start};
	const char *name;
	json_t *doc;

	if (!reader_struct(&d->reader, path, object, extension_fields, &spec))
		return;
	name = spec.name != NULL ? spec.name : spec.type;
	doc = json_pack("{s:o, s:s, s:o, s:O, s:o}", "id",
		json_sprintf("%s/extensions/%s", m->res.id, name), "name", name, "type",
		shared_text(d, machine_extension_type(m)), "location",
		json_object_get(m->res.doc, "location"), "properties",
		extension_properties(d, m, &spec));
	if (spec.tags != NULL)
		json_object_set_new(doc, "tags", json_deep_copy(spec.tags));
	estate_create(d->e, RESOURCE_EXTENSION, tree_text(doc, "id"), m->res.sub, doc);
}

/* --- the machine --- */

static const struct field step_fields[] = {
	{"after", FIELD_DURATION, 0, true},
	{"status", FIELD_TEXT, sizeof(struct dur), true},
};

static void check_timeline(struct document *d, const char *path, const json_t *timeline)
{
	size_t i;
	json_t *step;

	json_array_foreach (timeline, i, step) {
		struct {
			struct dur after;
			const char *status;
		} spec = {0};
		char element[300];

		snprintf(element, sizeof(element), "%.200s.timeline[%zu]", path, i);
		reader_struct(&d->reader, element, step, step_fields, &spec);
	}
}

static void add_plan(struct document *d, struct machine *m, int plan)
{
	json_t *doc;

	if (plan == 0)
		return;
	doc = machine_pricing_document(m, plan == 1, d->e->start);
	estate_create(d->e, RESOURCE_MACHINE_PRICING, tree_text(doc, "id"), m->res.sub, doc);
}

static void configure(
	struct document *d, struct machine *m, const char *path, const struct machine_spec *spec)
{
	size_t i;
	json_t *object;

	m->never_deployed = !spec->reached;
	m->onboarded = spec->onboarded;
	m->stuck = spec->stuck;
	m->reboot_after = spec->reboot_after;
	m->outcomes = json_deep_copy(spec->outcomes);
	m->timeline = json_deep_copy(spec->timeline);
	check_timeline(d, path, spec->timeline);
	add_plan(d, m, spec->plan);
	json_array_foreach (spec->extensions, i, object) {
		char element[300];

		snprintf(element, sizeof(element), "%.200s.extensions[%zu]", path, i);
		add_extension(d, m, element, object);
	}
	document_associate(d, m->res.sub, m->res.id, spec->rules);
}

static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 54 &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		len;
}

void document_read_machine(
	struct document *d, struct subscription *sub, const char *path, const json_t *object)
{
	struct machine_spec spec = {
		.location = "westeurope",
		.os = "Windows Server 2019 Datacenter",
		.os_version = "10.0.17763.3650",
		.status = "Connected",
		.agent = "1.52.02927.1937",
		.cloud = "N/A",
		.config_mode = "full",
		.since = d->e->start,
		.created = d->e->start,
		.extensions_enabled = true,
		.reached = true,
	};
	mdc_autofree char *fqdn = NULL;
	struct vm_spec vm = {0};
	struct machine *m;
	json_t *doc;

	if (json_object_get(object, "vm") != NULL)
		spec.status = "running";
	if (!reader_struct(&d->reader, path, object, machine_fields, &spec) ||
		(spec.vm != NULL && !vm_spec_read(&d->reader, path, spec.vm, &vm)))
		return;
	if (!is_name(spec.name) || strchr(spec.group, '/') != NULL) {
		reader_error(&d->reader, path, "\"%s\" in \"%s\" is not a machine's name",
			spec.name, spec.group);
		return;
	}
	fqdn = xasprintf("%s.contoso.test", spec.name);
	if (spec.fqdn == NULL)
		spec.fqdn = fqdn;
	doc = spec.vm != NULL ? vm_of(d, sub, &spec, &vm) : machine_doc(d, sub, &spec);
	if (estate_find(d->e, tree_text(doc, "id")) != NULL) {
		reader_error(&d->reader, path, "the machine was given before");
		json_decref(doc);
		return;
	}
	m = machine_of(estate_create(d->e, RESOURCE_MACHINE, tree_text(doc, "id"), sub, doc));
	m->vm = spec.vm != NULL;
	if (m->vm) {
		m->agent_down = !vm.agent;
		m->system = xstrdup(spec.os);
	}
	configure(d, m, path, &spec);
}
