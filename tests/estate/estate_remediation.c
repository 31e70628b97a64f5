/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure Policy's own hand: an assignment of a definition that deploys if not exists looks at its
 * scope from time to time and, where nothing is exempt, writes what it finds missing as its own
 * managed identity. Served are the definitions of the sensor on Arc machines, and those of the
 * settings of the integration.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define CALLER REMEDIATION_CALLER

struct remediation {
	struct estate_event event;
	struct subscription *sub;
	char *assignment;
	struct dur every;
};

enum target { TARGET_WINDOWS, TARGET_LINUX, TARGET_SETTING };
static const struct {
	const char *definition;
	enum target target;
	const char *setting;
	bool enabled;
} definitions[] = {
	{"37c043a6-6d64-656d-6465-b362dfeb354a", TARGET_WINDOWS, NULL, false},
	{"4eb909e7-6d64-656d-6465-2eeb297a1625", TARGET_LINUX, NULL, false},
	{"da56d295-2889-41ce-a4cd-6f50fb93aa68", TARGET_SETTING, "WDATP", true},
	{"48666c5d-cec1-4043-ab6b-1be05abb24f2", TARGET_SETTING, "WDATP_UNIFIED_SOLUTION", true},
	{"f9e2bd2f-47c7-4059-8265-c5292aa62c8a", TARGET_SETTING,
		"WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW", false},
};

/* --- where it acts --- */

static bool is_left_out(const json_t *assignment, const char *id)
{
	size_t i;
	json_t *scope;

	json_array_foreach (tree_get(assignment, "properties.notScopes"), i, scope)
		if (id_is_under(id, json_string_value(scope)))
			return true;
	return false;
}

static bool has_ended(const struct estate *e, const json_t *exemption)
{
	const char *text = tree_text(exemption, "properties.expiresOn");
	struct wall end;

	return text != NULL && wall_parse(text, &end) == 0 && wall_before(end, e->now);
}

static bool is_exempt(const struct estate *e, const struct remediation *r, const char *id)
{
	const struct vec *all = &r->sub->kinds[RESOURCE_POLICY];
	static const char mark[] = "/providers/Microsoft.Authorization/policyExemptions/";

	for (size_t i = 0; i < all->n; i++) {
		const struct resource *x = all->v[i];
		const char *at = x != NULL ? strcasestr(x->id, mark) : NULL;
		mdc_autofree char *scope =
			at != NULL ? xstrndup(x->id, (size_t)(at - x->id)) : NULL;

		if (scope != NULL &&
			str_equal_nocase(tree_text(x->doc, "properties.policyAssignmentId"),
				r->assignment) &&
			!has_ended(e, x->doc) &&
			(str_starts_nocase(scope, "/providers/") || id_is_under(id, scope)))
			return true;
	}
	return false;
}

static bool reaches(const struct estate *e, const struct remediation *r, const json_t *assignment,
	const char *id)
{
	const char *scope = tree_text(assignment, "properties.scope");

	return (str_starts_nocase(scope, "/providers/") || id_is_under(id, scope)) &&
		!is_left_out(assignment, id) && !is_exempt(e, r, id);
}

/* --- what it writes --- */

static json_t *sensor_doc(const struct machine *m)
{
	const char *type = m->windows ? "MDE.Windows" : "MDE.Linux";
	json_t *doc = json_pack("{s:o, s:s, s:s, s:O, s:{s:s, s:s, s:s, s:b, s:{s:s, s:s}}}", "id",
		json_sprintf("%s/extensions/%s", m->res.id, type), "name", type, "type",
		machine_extension_type(m), "location", json_object_get(m->res.doc, "location"),
		"properties", "publisher", "Microsoft.Azure.AzureDefenderForServers", "type", type,
		"typeHandlerVersion", "1.0", "autoUpgradeMinorVersion", 1, "settings",
		"azureResourceId", m->res.id, "installedBy", "Policy");

	if (m->windows)
		tree_set(&doc, "properties.settings.vNextEnabled", json_string("true"));
	return doc;
}

static bool lacks_sensor(const struct machine *m, enum target target)
{
	const struct resource *sensor = machine_sensor(m);

	return !m->res.gone && m->connected && m->os != OS_PATH_NONE &&
		m->windows == (target == TARGET_WINDOWS) &&
		!str_equal_nocase(tree_text(m->res.doc, "tags.MDFCSecurityConnector"), "true") &&
		operation_running(m, NULL) == NULL &&
		(sensor == NULL ||
			!str_equal(tree_text(sensor->doc, "properties.provisioningState"),
				"Succeeded"));
}

static void deploy_sensors(
	struct estate *e, const struct remediation *r, const json_t *assignment, enum target target)
{
	const struct vec *machines = &r->sub->kinds[RESOURCE_MACHINE];

	for (size_t i = 0; i < machines->n; i++) {
		struct machine *m = machines->v[i] != NULL ? machine_of(machines->v[i]) : NULL;

		if (m != NULL && lacks_sensor(m, target) && reaches(e, r, assignment, m->res.id))
			sensor_deploy(e, m, CALLER, sensor_doc(m));
	}
}

static void set_setting(struct estate *e, const struct remediation *r, const json_t *assignment,
	const char *name, bool enabled)
{
	const struct resource *setting = subscription_setting(r->sub, name);
	mdc_autofree char *id =
		xasprintf("%s/providers/Microsoft.Security/settings/%s", r->sub->res.id, name);
	json_t *doc;

	if (!reaches(e, r, assignment, r->sub->res.id) ||
		(setting != NULL && subscription_setting_is_on(r->sub, name) == enabled))
		return;
	doc = setting_document(r->sub, name, enabled);
	if (meddle_as(e, CALLER, id, NULL, doc) == 0)
		deployer_subscription_changed(e, r->sub);
	json_decref(doc);
}

static void fire(struct estate *e, struct estate_event *event)
{
	struct remediation *r = container_of(event, struct remediation, event);
	const struct resource *assignment = estate_find_kind(e, r->assignment, RESOURCE_POLICY);
	const char *definition = assignment != NULL
		? tree_text(assignment->doc, "properties.policyDefinitionId")
		: NULL;

	estate_schedule(e, event, wall_add(e->now, r->every));
	if (assignment == NULL ||
		!str_equal(tree_text(assignment->doc, "properties.enforcementMode"), "Default"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(definitions); i++) {
		if (!str_ends_nocase(definition, definitions[i].definition))
			continue;
		if (definitions[i].target == TARGET_SETTING)
			set_setting(e, r, assignment->doc, definitions[i].setting,
				definitions[i].enabled);
		else
			deploy_sensors(e, r, assignment->doc, definitions[i].target);
	}
}

void remediation_start(
	struct estate *e, struct subscription *sub, const char *assignment_id, struct dur every)
{
	struct remediation *r = xcalloc(1, sizeof(*r));

	r->event.fire = fire;
	r->sub = sub;
	r->assignment = xstrdup(assignment_id);
	r->every = every;
	vec_add(&e->remediations, r);
	estate_schedule(e, &r->event, wall_add(e->start, every));
}

void remediation_free(struct remediation *r)
{
	free(r->assignment);
	free(r);
}
