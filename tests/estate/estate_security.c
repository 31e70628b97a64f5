/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft.Security but for plans: settings, onboarding packages, vulnerability and agent
 * settings. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define SUBSCRIPTION_SCOPE "/subscriptions/{}/providers/Microsoft.Security/"
#define BAD "InvalidInputJson"

static char *id_of(const struct call *c, const char *type, const char *name)
{
	return xasprintf(
		"/subscriptions/%s/providers/Microsoft.Security/%s/%s", c->sub->id, type, name);
}

static bool refuse_absent(struct call *c)
{
	return answer_error(c, 404, "ResourceNotFound",
		"The Resource '%s' under subscription '%s' was not found.", c->path, c->sub->id);
}

static void get_resource(struct call *c, enum resource_kind kind)
{
	const struct resource *r = estate_find_kind(c->e, c->path, kind);

	if (r != NULL)
		answer_doc(c, 200, r);
	else
		refuse_absent(c);
}

/* Stores what was asked for and answers with it. */
static void store(struct call *c, enum resource_kind kind, json_t *take_doc, int status_if_new)
{
	const char *id = tree_text(take_doc, "id");
	struct resource *r = estate_find_kind(c->e, id, kind);
	int status = r == NULL ? status_if_new : 200;

	ledger_write(c, r, kind, id, c->body);
	activity_of_call(c, id, "Succeeded", status);
	if (r == NULL)
		r = estate_create(c->e, kind, id, c->sub, take_doc);
	else
		estate_replace(c->e, r, take_doc);
	answer_doc(c, status, r);
}

/* --- settings --- */

static const struct {
	const char *name, *kind;
} settings[] = {
	{"MCAS", "DataExportSettings"},
	{"WDATP", "DataExportSettings"},
	{"WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW", "DataExportSettings"},
	{"WDATP_UNIFIED_SOLUTION", "DataExportSettings"},
	{"Sentinel", "AlertSyncSettings"},
};

json_t *setting_document(const struct subscription *sub, const char *name, bool enabled)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (str_equal_nocase(settings[i].name, name))
			return json_pack("{s:o, s:s, s:s, s:s, s:{s:b}}", "id",
				json_sprintf("/subscriptions/%s/providers/Microsoft.Security/"
					     "settings/%s",
					sub->id, settings[i].name),
				"name", settings[i].name, "kind", settings[i].kind, "type",
				"Microsoft.Security/settings", "properties", "enabled",
				enabled ? 1 : 0);
	return NULL;
}

static void list_settings(struct call *c)
{
	answer_kind(c, RESOURCE_SETTING, c->e->knobs.paging.others);
}

static void get_setting(struct call *c)
{
	get_resource(c, RESOURCE_SETTING);
}

/* On subscriptions of today the master switch brings the two opt-ins along. */
static void bring_opt_ins(struct call *c)
{
	static const struct {
		const char *name;
		bool value;
	} opt_ins[] = {
		{"WDATP_UNIFIED_SOLUTION", true}, {"WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW", false}};

	for (size_t i = 0; i < ARRAY_LEN(opt_ins); i++) {
		mdc_autofree char *id = id_of(c, "settings", opt_ins[i].name);

		if (estate_find(c->e, id) == NULL)
			estate_create(c->e, RESOURCE_SETTING, id, c->sub,
				setting_document(c->sub, opt_ins[i].name, opt_ins[i].value));
	}
}

static void put_setting(struct call *c)
{
	const json_t *enabled = tree_get(c->body, "properties.enabled");
	const char *kind = tree_text(c->body, "kind");
	json_t *doc = setting_document(c->sub, c->args[1], json_is_true(enabled));

	if (doc == NULL)
		answer_error(c, 400, BAD, "The setting '%s' does not exist.", c->args[1]);
	else if (!str_equal(kind, tree_text(doc, "kind")))
		answer_error(c, 400, BAD, "kind of the setting '%s' must be '%s'.",
			tree_text(doc, "name"), tree_text(doc, "kind"));
	else if (!json_is_boolean(enabled))
		answer_error(c, 400, BAD, "properties.enabled must be true or false.");
	else {
		bool brings = c->sub->modern && json_is_true(enabled) &&
			str_equal(tree_text(doc, "name"), "WDATP");

		store(c, RESOURCE_SETTING, mdc_take(doc), 200);
		if (brings)
			bring_opt_ins(c);
	}
	json_decref(doc);
}

/* --- onboarding packages --- */

static json_t *onboarding(const struct call *c, const char *name, bool windows, bool linux_too)
{
	json_t *doc = json_pack("{s:o, s:s, s:s, s:{}}", "id",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Security/mdeOnboardings/%s",
			c->sub->id, name),
		"name", name, "type", "Microsoft.Security/mdeOnboardings", "properties");

	if (windows)
		tree_set(&doc, "properties.onboardingPackageWindows",
			json_string(onboarding_script(c->e, c->sub->tenant, true)));
	if (linux_too)
		tree_set(&doc, "properties.onboardingPackageLinux",
			json_string(onboarding_script(c->e, c->sub->tenant, false)));
	return doc;
}

static void list_onboardings(struct call *c)
{
	answer_json(c, 200, json_pack("{s:[o]}", "value", onboarding(c, "default", true, true)));
}

static void get_onboarding(struct call *c)
{
	const char *name = c->args[1];

	if (str_equal_nocase(name, "default"))
		answer_json(c, 200, onboarding(c, "default", true, true));
	else if (str_equal_nocase(name, "Windows"))
		answer_json(c, 200, onboarding(c, "Windows", true, false));
	else if (str_equal_nocase(name, "Linux"))
		answer_json(c, 200, onboarding(c, "Linux", false, true));
	else
		refuse_absent(c);
}

/* --- the vulnerability provider --- */

#define VA_TYPE "serverVulnerabilityAssessmentsSettings"

json_t *va_document(const struct subscription *sub, const char *by, struct wall at)
{
	char time[WALL_TEXT_SIZE];

	wall_format(at, time);
	return json_pack("{s:o, s:s, s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "id",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Security/" VA_TYPE
			     "/azureServersSetting",
			sub->id),
		"name", "azureServersSetting", "type", "Microsoft.Security/" VA_TYPE, "kind",
		"AzureServersSetting", "properties", "selectedProvider", "MdeTvm", "systemData",
		"createdBy", by, "createdByType", "Application", "createdAt", time,
		"lastModifiedBy", by, "lastModifiedByType", "Application", "lastModifiedAt", time);
}

static void list_va_settings(struct call *c)
{
	answer_kind(c, RESOURCE_VA_SETTING, c->e->knobs.paging.others);
}

static void get_va_setting(struct call *c)
{
	get_resource(c, RESOURCE_VA_SETTING);
}

static bool check_va_name(struct call *c)
{
	if (str_equal_nocase(c->args[1], "azureServersSetting"))
		return true;
	return answer_error(c, 400, BAD, "The setting kind '%s' does not exist.", c->args[1]);
}

static void put_va_setting(struct call *c)
{
	json_t *doc;
	struct resource *r;

	if (!check_va_name(c))
		return;
	if (!str_equal_nocase(tree_text(c->body, "kind"), "AzureServersSetting")) {
		answer_error(c, 400, BAD, "kind must be 'AzureServersSetting'.");
		return;
	}
	if (!str_equal_nocase(tree_text(c->body, "properties.selectedProvider"), "MdeTvm")) {
		answer_error(c, 400, BAD, "properties.selectedProvider must be 'MdeTvm'.");
		return;
	}
	doc = va_document(c->sub, c->who->client, c->now);
	r = estate_find_kind(c->e, tree_text(doc, "id"), RESOURCE_VA_SETTING);
	if (r != NULL) {
		tree_set(&doc, "systemData.createdBy",
			json_incref(tree_get(r->doc, "systemData.createdBy")));
		tree_set(&doc, "systemData.createdAt",
			json_incref(tree_get(r->doc, "systemData.createdAt")));
	}
	store(c, RESOURCE_VA_SETTING, doc, 201);
}

static void delete_va_setting(struct call *c)
{
	struct resource *r = estate_find_kind(c->e, c->path, RESOURCE_VA_SETTING);

	if (!check_va_name(c))
		return;
	if (r == NULL) {
		answer_empty(c, 204);
		return;
	}
	ledger_write(c, r, RESOURCE_VA_SETTING, r->id, NULL);
	activity_of_call(c, r->id, "Succeeded", 200);
	estate_remove(c->e, r);
	answer_empty(c, 200);
}

/* --- the retired agent's auto-provisioning --- */

json_t *auto_provisioning_document(const struct subscription *sub, bool on)
{
	return json_pack("{s:o, s:s, s:s, s:{s:s}}", "id",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Security/"
			     "autoProvisioningSettings/default",
			sub->id),
		"name", "default", "type", "Microsoft.Security/autoProvisioningSettings",
		"properties", "autoProvision", on ? "On" : "Off");
}

static void list_auto_provisioning(struct call *c)
{
	answer_kind(c, RESOURCE_AUTO_PROVISIONING, c->e->knobs.paging.others);
}

static void get_auto_provisioning(struct call *c)
{
	get_resource(c, RESOURCE_AUTO_PROVISIONING);
}

static void put_auto_provisioning(struct call *c)
{
	const char *value = tree_text(c->body, "properties.autoProvision");

	if (!str_equal_nocase(c->args[1], "default"))
		refuse_absent(c);
	else if (!str_equal_nocase(value, "On") && !str_equal_nocase(value, "Off"))
		answer_error(c, 400, BAD, "properties.autoProvision must be 'On' or 'Off'.");
	else
		store(c, RESOURCE_AUTO_PROVISIONING,
			auto_provisioning_document(c->sub, str_equal_nocase(value, "On")), 200);
}

#define READS (ROUTE_REGISTERED)
#define LISTS (ROUTE_REGISTERED | ROUTE_LIST)
#define WRITES (ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY)
#define ACTION(type, verb) "Microsoft.Security/" type "/" verb

static const char *const settings_versions[] = {"2021-06-01", "2021-07-01", "2022-05-01", NULL};
static const char *const onboarding_versions[] = {"2021-10-01-preview", NULL};
static const char *const va_versions[] = {"2023-05-01", NULL};
static const char *const auto_versions[] = {"2017-08-01-preview", NULL};
static const struct api settings_api = {
	API_SECURITY, SECURITY_NAMESPACE, "settings", settings_versions};
static const struct api onboarding_api = {
	API_SECURITY, SECURITY_NAMESPACE, "mdeOnboardings", onboarding_versions};
static const struct api va_api = {API_SECURITY, SECURITY_NAMESPACE, VA_TYPE, va_versions};
static const struct api auto_api = {
	API_SECURITY, SECURITY_NAMESPACE, "autoProvisioningSettings", auto_versions};

static const struct route routes[] = {
	{"GET", SUBSCRIPTION_SCOPE "settings", &settings_api, ACTION("settings", "read"), LISTS,
		list_settings},
	{"GET", SUBSCRIPTION_SCOPE "settings/{}", &settings_api, ACTION("settings", "read"), READS,
		get_setting},
	{"PUT", SUBSCRIPTION_SCOPE "settings/{}", &settings_api, ACTION("settings", "write"),
		WRITES, put_setting},
	{"GET", SUBSCRIPTION_SCOPE "mdeOnboardings", &onboarding_api,
		ACTION("mdeOnboardings", "read"), LISTS, list_onboardings},
	{"GET", SUBSCRIPTION_SCOPE "mdeOnboardings/{}", &onboarding_api,
		ACTION("mdeOnboardings", "read"), READS, get_onboarding},
	{"GET", SUBSCRIPTION_SCOPE VA_TYPE, &va_api, ACTION(VA_TYPE, "read"), LISTS,
		list_va_settings},
	{"GET", SUBSCRIPTION_SCOPE VA_TYPE "/{}", &va_api, ACTION(VA_TYPE, "read"), READS,
		get_va_setting},
	{"PUT", SUBSCRIPTION_SCOPE VA_TYPE "/{}", &va_api, ACTION(VA_TYPE, "write"), WRITES,
		put_va_setting},
	{"DELETE", SUBSCRIPTION_SCOPE VA_TYPE "/{}", &va_api, ACTION(VA_TYPE, "delete"),
		ROUTE_REGISTERED | ROUTE_WRITES, delete_va_setting},
	{"GET", SUBSCRIPTION_SCOPE "autoProvisioningSettings", &auto_api,
		ACTION("autoProvisioningSettings", "read"), LISTS, list_auto_provisioning},
	{"GET", SUBSCRIPTION_SCOPE "autoProvisioningSettings/{}", &auto_api,
		ACTION("autoProvisioningSettings", "read"), READS, get_auto_provisioning},
	{"PUT", SUBSCRIPTION_SCOPE "autoProvisioningSettings/{}", &auto_api,
		ACTION("autoProvisioningSettings", "write"), WRITES, put_auto_provisioning},
};
const struct route_table security_routes = {routes, ARRAY_LEN(routes)};
