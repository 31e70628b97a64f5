/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defender for Cloud's own deployer. Once a subscription has the plan and the integration, it
 * installs the sensor on every machine that is connected, paid for and supported: within half a day
 * in the first subscription of a tenant, within the hour after that. It does not repair what
 * failed.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

#define CALLER "d2a590e7-6906-4a45-8f41-cecfdca9bca1"

enum deployment { DEPLOY_NOTHING, DEPLOY_SENSOR, DEPLOY_UNIFIED };

static bool reaches(const struct estate *e, const struct machine *m)
{
	if (m->vm && (vm_is_of_own_image(m) || !vm_allows_extensions(m)))
		return false;
	return !m->never_deployed &&
		estate_share_of(e, m->res.id, "unreached") >= e->knobs.deployer.unreached_share;
}

static bool is_candidate(const struct estate *e, const struct machine *m)
{
	const struct subscription *sub = m->res.sub;

	if (!e->knobs.deployer.on || m->res.gone || !m->connected || m->os == OS_PATH_NONE)
		return false;
	if (!machine_is_paid(m) || !subscription_setting_is_on(sub, "WDATP"))
		return false;
	if (m->os == OS_PATH_LINUX &&
		subscription_setting_is_on(sub, "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"))
		return false;
	/* Machines that a connector made are the connector's to deploy to. */
	if (machine_connector(m) != NULL && !connector_provisions_sensor(machine_connector(m)))
		return false;
	return reaches(e, m);
}

static enum deployment wanted(const struct estate *e, const struct machine *m)
{
	const struct resource *sensor = machine_sensor(m);

	if (!is_candidate(e, m))
		return DEPLOY_NOTHING;
	if (sensor == NULL)
		return DEPLOY_SENSOR;
	if (m->os == OS_PATH_UNIFIED && !extension_is_unified(sensor->doc) &&
		subscription_setting_is_on(m->res.sub, "WDATP_UNIFIED_SOLUTION") &&
		str_equal(tree_text(sensor->doc, "properties.provisioningState"), "Succeeded"))
		return DEPLOY_UNIFIED;
	return DEPLOY_NOTHING;
}

/* As exports of real environments show what it writes. */
static json_t *sensor_doc(const struct machine *m)
{
	const char *type = m->windows ? "MDE.Windows" : "MDE.Linux";
	bool unified = m->os == OS_PATH_UNIFIED &&
		subscription_setting_is_on(m->res.sub, "WDATP_UNIFIED_SOLUTION");

	return json_pack(
		"{s:o, s:s, s:s, s:O, s:{s:s, s:s, s:s, s:b, s:b, s:{s:s, s:b, s:b, s:b}}}", "id",
		json_sprintf("%s/extensions/%s", m->res.id, type), "name", type, "type",
		machine_extension_type(m), "location", json_object_get(m->res.doc, "location"),
		"properties", "publisher", "Microsoft.Azure.AzureDefenderForServers", "type", type,
		"typeHandlerVersion", m->windows ? "1.0.11.2" : "1.0.10.4",
		"autoUpgradeMinorVersion", 0, "enableAutomaticUpgrade", 1, "settings",
		"azureResourceId", m->res.id, "forceReOnboarding", 0, "vNextEnabled",
		unified ? 1 : 0, "autoUpdate", 1);
}

void sensor_deploy(struct estate *e, struct machine *m, const char *caller, json_t *take_doc)
{
	struct resource *sensor = machine_sensor(m);
	char correlation[GUID_SIZE];
	struct operation_request request = {
		.machine = m,
		.caller = caller,
		.take_doc = take_doc,
		.take_protected = json_pack("{s:s}", "defenderForEndpointOnboardingScript",
			onboarding_script(e, m->res.sub->tenant, m->windows)),
	};

	estate_guid(e, correlation);
	request.correlation_id = correlation;
	request.extension_id = sensor != NULL ? sensor->id : tree_text(request.take_doc, "id");
	operation_begin(e, &request);
}

static void fire(struct estate *e, struct estate_event *event)
{
	struct machine *m = container_of(event, struct machine, deploy);

	if (wanted(e, m) == DEPLOY_NOTHING)
		return;
	if (operation_running(m, NULL) != NULL)
		estate_schedule(e, event, wall_add(e->now, e->knobs.deployer.busy_wait));
	else
		sensor_deploy(e, m, CALLER, sensor_doc(m));
}

/*
 * The tenant's first subscription takes long, but only at first. A connector deploys when it next
 * looks at the other cloud, at the latest after its interval.
 */
static struct wall due(struct estate *e, const struct machine *m)
{
	const struct subscription *sub = m->res.sub;
	const struct resource *connector = machine_connector(m);
	struct span first = e->knobs.deployer.first;
	struct wall early_days = wall_add(sub->integration_on_since, first.high);
	bool slow = sub->tenant->first == sub && wall_before(e->now, early_days);
	struct dur after =
		estate_between(e, slow && connector == NULL ? first : e->knobs.deployer.later);

	if (connector != NULL && connector_interval(connector).ms < after.ms)
		after = connector_interval(connector);
	return wall_add(e->now, after);
}

void deployer_machine_changed(struct estate *e, struct machine *m)
{
	m->deploy.fire = fire;
	if (wanted(e, m) == DEPLOY_NOTHING)
		estate_unschedule(e, &m->deploy);
	else if (!estate_is_scheduled(&m->deploy) && operation_running(m, NULL) == NULL)
		estate_schedule(e, &m->deploy, due(e, m));
}

static void note_integration(struct estate *e, struct subscription *sub)
{
	bool on = subscription_is_integrated(sub);

	if (!on)
		sub->integration_on_since = WALL_UNSET;
	else if (!wall_is_set(sub->integration_on_since))
		sub->integration_on_since = e->now;
	if (on && sub->tenant->first == NULL)
		sub->tenant->first = sub;
}

void deployer_subscription_changed(struct estate *e, struct subscription *sub)
{
	const struct vec *machines = &sub->kinds[RESOURCE_MACHINE];

	note_integration(e, sub);
	for (size_t i = 0; i < machines->n; i++)
		if (machines->v[i] != NULL)
			deployer_machine_changed(e, machine_of(machines->v[i]));
}
