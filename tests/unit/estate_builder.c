/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/estate_builder.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/assess.h"
#include "lib/model/inventory_document.h"

#include <string.h>

void estate_init(struct estate *e)
{
	static char identity[] = "main", tenant[] = ESTATE_TENANT, policy[] = "servers";
	static char names[][8] = {"all", "second", "third"};

	*e = (struct estate){.inv = inventory_new(), .now = ESTATE_NOW};
	e->identity = (struct identity_config){.name = identity, .tenant = tenant};
	e->policy = (struct policy_config){
		.name = policy,
		.plan = PLAN_P2,
		.integration = true,
		.unified_solution = true,
		.deploy = DEPLOY_AFTER_GRACE,
		.grace = DUR_H(3),
		.first_grace = DUR_H(14),
		.legacy_replace = true,
	};
	for (size_t i = 0; i < ARRAY_LEN(e->scopes); i++)
		e->scopes[i] = (struct scope_config){
			.name = names[i],
			.identity = &e->identity,
			.policy = &e->policy,
			.mode = MODE_ENFORCE,
			.max_in_flight = 1000000,
		};
	e->scopes[0].everything = true;
	e->config = (struct config){
		.scopes = e->scopes,
		.scope_count = 1,
		.max_in_flight = 1000000,
		.poll = {.subscriptions = DUR_MIN(15), .machines = DUR_MIN(5)},
	};
}

void estate_fini(struct estate *e)
{
	e->inv = inventory_free(e->inv);
}

static struct stamp stamp_of(const struct estate *e, enum fact_source source)
{
	return (struct stamp){.at = e->now, .source = source};
}

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *document = json_loads(text, 0, &error);

	if (document == NULL) {
		fprintf(stderr, "bad JSON in a test: %s\n%s\n", error.text, text);
		abort();
	}
	return document;
}

/* --- subscriptions --- */

void estate_plan_document(struct estate *e, struct subscription *s, const char *json)
{
	json_t *document = parse(json);
	struct arm_pricing facts;
	bool changed;

	if (arm_pricing_read(document, &facts) != 0)
		abort();
	inventory_set_pricing(e->inv, s, &facts, stamp_of(e, SOURCE_ARM), &changed);
	json_decref(document);
}

void estate_plan(struct estate *e, struct subscription *s, const char *tier, const char *sub_plan)
{
	mdc_autofree char *sub = sub_plan != NULL ? xasprintf("\"%s\"", sub_plan) : xstrdup("null");
	mdc_autofree char *json = xasprintf(
		"{\"id\": \"/subscriptions/%s/providers/Microsoft.Security/pricings/"
		"VirtualMachines\", \"properties\": {\"pricingTier\": \"%s\", \"subPlan\": %s}}",
		s->id, tier, sub);

	estate_plan_document(e, s, json);
}

void estate_settings(struct estate *e, struct subscription *s, enum tri wdatp, enum tri unified)
{
	struct stamp stamp = stamp_of(e, SOURCE_ARM);
	bool listed[SETTING_N_] = {
		[SETTING_WDATP] = wdatp != TRI_UNKNOWN,
		[SETTING_UNIFIED] = unified != TRI_UNKNOWN,
	};
	bool changed;

	if (wdatp != TRI_UNKNOWN)
		inventory_set_setting(e->inv, s, SETTING_WDATP, wdatp, stamp, &changed);
	if (unified != TRI_UNKNOWN)
		inventory_set_setting(e->inv, s, SETTING_UNIFIED, unified, stamp, &changed);
	inventory_settings_complete(e->inv, s, listed, stamp);
}

void estate_setting(
	struct estate *e, struct subscription *s, enum setting_id setting, enum tri enabled)
{
	bool changed;

	inventory_set_setting(e->inv, s, setting, enabled, stamp_of(e, SOURCE_ARM), &changed);
}

void estate_single(struct estate *e, struct subscription *s, enum single_id id, const char *word)
{
	bool changed;

	inventory_set_single(e->inv, s, id, word, stamp_of(e, SOURCE_ARM), &changed);
}

void estate_want_everything(struct estate *e)
{
	e->policy.linux_integration = true;
	e->policy.vulnerability_management = true;
	e->policy.register_providers = true;
	e->policy.workspaces.from_machines = true;
	e->policy.connector.plan = PLAN_P2;
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		e->policy.connector.parts[p] = true;
}

void estate_resolve(struct estate *e)
{
	scope_resolve(&e->config, e->inv);
}

struct subscription *estate_subscription(struct estate *e, unsigned number)
{
	mdc_autofree char *id = xasprintf("aaaaaaaa-0000-4000-8000-%012u", number);
	struct subscription *s = inventory_add_subscription(e->inv, id);
	struct arm_subscription facts = {
		.id = id, .name = "sub", .tenant = ESTATE_TENANT, .state = "Enabled"};
	bool changed;

	inventory_set_subscription(e->inv, s, &facts, stamp_of(e, SOURCE_ARM), &changed);
	s->visible = true;
	s->machines_stamp = stamp_of(e, SOURCE_GRAPH);
	estate_plan(e, s, "Standard", "P2");
	estate_settings(e, s, TRI_YES, TRI_YES);
	estate_resolve(e);
	return s;
}

/* --- machines --- */

struct machine *estate_machine_document(struct estate *e, const char *json)
{
	json_t *document = parse(json);
	struct arm_machine facts;
	struct machine *m;
	bool changed;

	if (arm_machine_read(document, &facts) != 0 ||
		inventory_set_machine(e->inv, &facts, stamp_of(e, SOURCE_GRAPH), &m, &changed) != 0)
		abort();
	json_decref(document);
	return m;
}

static struct machine *put_machine(struct estate *e, const struct subscription *s, const char *name,
	const char *sku, const char *status)
{
	struct wall since = wall_add(e->now, DUR_H(-24));
	char since_text[WALL_TEXT_SIZE];
	json_t *document;
	struct arm_machine facts;
	struct machine *m;
	bool changed;

	wall_format(since, since_text);
	document = json_pack("{s:o, s:s, s:{s:s, s:s, s:s, s:s}}", "id",
		json_sprintf("/subscriptions/%s/resourceGroups/rg/providers/"
			     "Microsoft.HybridCompute/machines/%s",
			s->id, name),
		"location", "westeurope", "properties", "status", status, "lastStatusChange",
		since_text, "osSku", sku, "osType",
		str_starts_nocase(sku, "Windows") ? "windows" : "linux");
	if (arm_machine_read(document, &facts) != 0 ||
		inventory_set_machine(e->inv, &facts, stamp_of(e, SOURCE_GRAPH), &m, &changed) != 0)
		abort();
	json_decref(document);
	return m;
}

struct machine *estate_machine(
	struct estate *e, struct subscription *s, const char *name, const char *sku)
{
	struct machine *m = put_machine(e, s, name, sku, "Connected");

	estate_no_extension(e, m, wall_add(e->now, DUR_H(-24)));
	return m;
}

void estate_status(struct estate *e, struct machine *m, const char *status)
{
	mdc_autofree char *name = xstrdup(m->name);
	mdc_autofree char *sku = xstrdup(m->os_sku);

	put_machine(e, m->subscription, name, sku, status);
}

json_t *estate_extension_document(const struct machine *m, const struct estate_extension *x)
{
	const char *type = x->type != NULL ? x->type
		: os_is_windows(m->os)     ? "MDE.Windows"
					   : "MDE.Linux";
	bool legacy = !str_starts_nocase(type, "MDE.");
	json_t *settings = json_object();
	json_t *document;

	if (!legacy)
		json_object_set_new(settings, "azureResourceId",
			json_string(x->owner != NULL ? x->owner : m->id));
	if (x->workspace != NULL)
		json_object_set_new(settings, "workspaceId", json_string(x->workspace));
	if (x->vnext != NULL)
		json_object_set_new(
			settings, "vNextEnabled", json_loads(x->vnext, JSON_DECODE_ANY, NULL));
	document = json_pack("{s:o, s:s, s:{s:s, s:s, s:s, s:o, s:{s:{s:s*, s:s*}}}}", "id",
		json_sprintf("%s/extensions/%s", m->id, x->name != NULL ? x->name : type), "name",
		x->name != NULL ? x->name : type, "properties", "publisher",
		legacy ? MMA_PUBLISHER : MDE_PUBLISHER, "type", type, "provisioningState",
		x->state != NULL ? x->state : "Succeeded", "settings", settings, "instanceView",
		"status", "code", x->code, "message", x->message);
	assert(document != NULL);
	return document;
}

void estate_extension(struct estate *e, struct machine *m, const struct estate_extension *x)
{
	json_t *document = estate_extension_document(m, x);
	struct stamp stamp = {.at = wall_is_set(x->at) ? x->at : e->now,
		.source = x->source != SOURCE_NONE ? x->source : SOURCE_GRAPH};
	struct arm_extension facts;
	bool changed;

	if (arm_extension_read(document, &facts) != 0 ||
		inventory_set_extension(e->inv, &facts, stamp, &m, &changed) != 0)
		abort();
	m->extensions_known = true;
	json_decref(document);
}

void estate_sensor(
	struct estate *e, struct machine *m, const char *version, enum sensor_health health)
{
	struct sensor_facts facts = {.listed = true,
		.onboarded = true,
		.health = health,
		.version = version,
		.last_seen = wall_add(e->now, DUR_MIN(-1)),
		.at = e->now};
	bool changed;

	inventory_set_sensor(e->inv, m, &facts, &changed);
}

void estate_agent_policy(struct estate *e, struct subscription *s, const char *scope)
{
	struct assigned_policies policies = {.at = e->now, .whole = true};
	json_t *assignment;
	bool changed;

	if (scope != NULL) {
		assignment = json_pack("{s:{s:s, s:s, s:s}}", "properties", "displayName",
			"agents everywhere", "scope", scope, "policyDefinitionId",
			"/providers/Microsoft.Authorization/policyDefinitions/"
			"69af7d4a-7b18-4044-93a9-2651498ef203");
		assigned_policies_add(&policies, assignment, NULL);
		json_decref(assignment);
	}
	inventory_set_policies(s, &policies, &changed);
}

void estate_no_extension(struct estate *e, struct machine *m, struct wall since)
{
	struct stamp stamp = {.at = since, .source = SOURCE_GRAPH};
	bool windows = os_is_windows(m->os), changed;

	inventory_unset_extension(
		e->inv, m, windows ? EXTENSION_MDE_WINDOWS : EXTENSION_MDE_LINUX, stamp, &changed);
	inventory_unset_extension(
		e->inv, m, windows ? EXTENSION_MMA : EXTENSION_OMS, stamp, &changed);
	m->extensions_known = true;
}

/* --- connectors --- */

json_t *estate_connector_document(
	const struct subscription *s, const struct estate_connector *connector)
{
	const char *cloud = connector->cloud != NULL ? connector->cloud : "AWS";
	bool aws = str_equal(cloud, "AWS");
	mdc_autofree char *offering = connector->offering == NULL
		? xstrdup("")
		: xasprintf(",{\"offeringType\":\"DefenderForServers%s\",\"defenderForServers\":%s"
			    "%s%s}",
			  aws ? "Aws" : "Gcp",
			  aws ? "{\"cloudRoleArn\":\"arn:aws:iam::1:role/servers\"}"
			      : "{\"workloadIdentityProviderId\":\"p\","
				"\"serviceAccountEmailAddress\":\"a@b\"}",
			  *connector->offering != '\0' ? "," : "", connector->offering);
	mdc_autofree char *text = xasprintf(
		"{\"id\":\"/subscriptions/%s/resourceGroups/rg/providers/Microsoft.Security/"
		"securityConnectors/%s\",\"location\":\"westeurope\",\"properties\":{"
		"\"hierarchyIdentifier\":\"111122223333\",\"environmentName\":\"%s\","
		"\"environmentData\":{\"scanInterval\":6%s},\"offerings\":[{\"offeringType\":"
		"\"CspmMonitor\",\"keep\":7}%s]}}",
		s->id, connector->name != NULL ? connector->name : "c1", cloud,
		connector->properties != NULL ? connector->properties : "", offering);
	json_t *document = json_loads(text, 0, NULL);

	assert(document != NULL);
	return document;
}

struct connector *estate_connector(
	struct estate *e, struct subscription *s, const struct estate_connector *connector)
{
	json_t *document = estate_connector_document(s, connector);
	struct noted noted;
	int error = inventory_note(e->inv, document, stamp_of(e, SOURCE_ARM), &noted);

	assert(error == 0);
	json_decref(document);
	s->connectors_stamp = stamp_of(e, SOURCE_ARM);
	return noted.connector;
}

static struct connector *first_connector(struct estate *e, struct subscription *s)
{
	if (s->connector_count > 0)
		return s->connectors[0];
	return estate_connector(e, s, &(struct estate_connector){.offering = ""});
}

/* --- workspaces --- */

static void note(struct estate *e, json_t *take_document)
{
	struct noted noted;
	int error = inventory_note(e->inv, take_document, stamp_of(e, SOURCE_ARM), &noted);

	assert(error == 0);
	(void)error;
	json_decref(take_document);
}

struct workspace *estate_workspace(
	struct estate *e, struct subscription *s, const struct estate_workspace *workspace)
{
	const char *name = workspace->name != NULL ? workspace->name : "w1";
	mdc_autofree char *id = xasprintf("/subscriptions/%s/resourceGroups/rg/providers/"
					  "Microsoft.OperationalInsights/workspaces/%s",
		s->id, name);

	note(e,
		json_pack("{s:s, s:s, s:{s:s}}", "id", id, "location", "westeurope", "properties",
			"customerId", "bbbbbbbb-0000-4000-8000-000000000001"));
	if (workspace->solution != NULL)
		note(e,
			json_pack("{s:o, s:{s:o}, s:{s:s, s:s}}", "id",
				json_sprintf("subscriptions/%s/resourcegroups/rg/providers/"
					     "Microsoft.OperationsManagement/solutions/%s(%s)",
					s->id, workspace->solution, name),
				"plan", "product",
				json_sprintf("OMSGallery/%s", workspace->solution), "properties",
				"workspaceResourceId", id, "provisioningState",
				workspace->state != NULL ? workspace->state : "Succeeded"));
	inventory_workspaces_complete(s, stamp_of(e, SOURCE_ARM));
	inventory_solutions_complete(s, stamp_of(e, SOURCE_ARM));
	s->reports = stamp_of(e, SOURCE_GRAPH);
	return inventory_workspace(e->inv, id);
}

void estate_reports(struct estate *e, struct subscription *s, const struct workspace *w)
{
	inventory_add_use(e->inv, s, USE_RULE, w->id, 1);
	inventory_relate_workspaces(e->inv);
}

static struct workspace *first_workspace(struct estate *e, struct subscription *s)
{
	struct workspace *w;

	if (s->workspace_count > 0)
		return s->workspaces[0];
	w = estate_workspace(e, s, &(struct estate_workspace){0});
	estate_reports(e, s, w);
	return w;
}

/* The machine is only used where the control is on one. */
static struct item *item_for(
	struct estate *e, struct subscription *s, struct machine *m, enum control_id control)
{
	if (control_resource(control) == ON_CONNECTOR)
		return connector_item(first_connector(e, s), control);
	if (control_resource(control) == ON_WORKSPACE)
		return workspace_item(first_workspace(e, s), control);
	return inventory_item(s, m, control);
}

/* --- judging as the daemon does --- */

struct control_view estate_view(
	struct estate *e, struct subscription *s, struct machine *m, enum control_id control)
{
	bool on_connector = control_resource(control) == ON_CONNECTOR;
	bool on_workspace = control_resource(control) == ON_WORKSPACE;

	return (struct control_view){
		.config = &e->config,
		.scope = s->scope,
		.subscription = s,
		.connector = on_connector ? first_connector(e, s) : NULL,
		.workspace = on_workspace ? first_workspace(e, s) : NULL,
		.machine = m,
		.item = item_for(e, s, m, control),
		.now = e->now,
	};
}

void estate_step(struct estate *e, struct item *item, const struct item_event *event)
{
	struct item_step step = item_step(item, event, e->now);

	if (step.ignored)
		return;
	item->state = (uint8_t)step.state;
	item->reason = (uint8_t)step.reason;
	item->due = step.due;
	item->attempts = step.attempts;
	item->misses = step.misses;
	item->corrections = step.corrections;
	intern_set(&e->inv->texts, &item->detail, event->detail);
	if (step.state == ITEM_COMPLIANT || step.state == ITEM_QUEUED)
		item->forced = false;
	if (step.changed)
		item->since = e->now;
}

struct verdict estate_judge(
	struct estate *e, struct subscription *s, struct machine *m, enum control_id control)
{
	struct control_view view = estate_view(e, s, m, control);
	struct item *item = item_for(e, s, m, control);
	struct verdict verdict = assess(control_by_id(control), &view);
	struct item_event event = item_event_from_verdict(&verdict);

	item->applies = verdict.kind != VERDICT_NOT_APPLICABLE;
	if (item->applies)
		estate_step(e, item, &event);
	return verdict;
}

void estate_judge_all(struct estate *e)
{
	struct map_entry *entry;

	map_for_each (&e->inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		for (unsigned c = 0; c < FIRST_CONNECTOR_CONTROL; c++)
			estate_judge(e, s, NULL, (enum control_id)c);
		for (uint32_t i = 0; i < s->machine_count; i++)
			for (unsigned c = FIRST_MACHINE_CONTROL; c < CONTROL_N_; c++)
				estate_judge(e, s, s->machines[i], (enum control_id)c);
	}
}

/* --- random estates --- */

static const char *pick(struct rng *rng, const char *const *words, size_t count)
{
	return words[rng_below(rng, count)];
}

static void random_extension(struct estate *e, struct rng *rng, struct machine *m)
{
	static const char *const states[] = {
		"Succeeded", "Succeeded", "Failed", "Creating", "Canceled", "Odd"};
	static const char *const vnext[] = {"true", "\"true\"", "false", NULL};
	static const char *const codes[] = {"0", "1", "12", "13", "51", "77", "success"};
	struct estate_extension x = {
		.state = pick(rng, states, ARRAY_LEN(states)),
		.vnext = pick(rng, vnext, ARRAY_LEN(vnext)),
		.code = pick(rng, codes, ARRAY_LEN(codes)),
		.message = rng_below(rng, 2) ? "it said something" : NULL,
		.owner = rng_below(rng, 10) ? NULL : "/subscriptions/x/resourceGroups/y/other",
		.at = wall_add(e->now, DUR_H(-(int64_t)rng_below(rng, 48))),
	};

	estate_extension(e, m, &x);
}

static void random_machine(struct estate *e, struct rng *rng, struct subscription *s, unsigned n)
{
	static const char *const skus[] = {"Windows Server 2016 Datacenter",
		"Windows Server 2012 R2 Standard", "Windows Server 2022 Datacenter",
		"Windows Server 2012 Standard", "Windows 11 Enterprise",
		"Windows 10 Enterprise multi-session", "Ubuntu 22.04.4 LTS", "Ubuntu 26.04 LTS",
		"Red Hat Enterprise Linux 6.10", "Red Hat Enterprise Linux CoreOS 4.12", ""};
	static const char *const statuses[] = {"Connected", "Connected", "Connected", "Connected",
		"Connected", "Connected", "Disconnected", "Expired", "Error", "", "Strange"};
	mdc_autofree char *name = xasprintf("m%05u", n);
	struct machine *m = estate_machine(e, s, name, pick(rng, skus, ARRAY_LEN(skus)));

	estate_status(e, m, pick(rng, statuses, ARRAY_LEN(statuses)));
	estate_no_extension(e, m, wall_add(e->now, DUR_H(-(int64_t)rng_below(rng, 48))));
	if (rng_below(rng, 2))
		random_extension(e, rng, m);
	if (rng_below(rng, 4) == 0)
		estate_extension(e, m,
			&(struct estate_extension){.type = os_is_windows(m->os)
					? "MicrosoftMonitoringAgent"
					: "OmsAgentForLinux"});
	m->extensions_known = rng_below(rng, 10) != 0;
}

static void random_subscription(struct estate *e, struct rng *rng, struct subscription *s)
{
	static const char *const tiers[] = {
		"Standard", "Free", "Standard", "Free", "Standard", "Free", "Standard", "Odd"};
	static const char *const plans[] = {"P1", "P2", NULL};
	static const char *const registrations[] = {"Registered", "Registered", "NotRegistered",
		"Registering", "Unregistered", "Strange"};
	static const char *const assessors[] = {"MdeTvm", "Other", NULL};
	static const enum subscription_state bad[] = {
		SUBSCRIPTION_WARNED, SUBSCRIPTION_DISABLED, SUBSCRIPTION_STATE_UNKNOWN};

	/* One draw a statement: the order of arguments is the compiler's. */
	const char *tier = pick(rng, tiers, ARRAY_LEN(tiers));
	const char *plan = pick(rng, plans, ARRAY_LEN(plans));
	enum tri wdatp = (enum tri)rng_below(rng, 3);
	enum tri unified = (enum tri)rng_below(rng, 3);
	enum single_id provider;

	estate_plan(e, s, tier, plan);
	estate_settings(e, s, wdatp, unified);
	if (rng_below(rng, 6) == 0)
		s->state = bad[rng_below(rng, ARRAY_LEN(bad))];
	s->visible = rng_below(rng, 10) != 0;
	estate_setting(e, s, SETTING_EXCLUDE_LINUX, (enum tri)rng_below(rng, 3));
	/* At most one of them is missing. */
	provider = rng_below(rng, 2) ? SINGLE_SECURITY_PROVIDER : SINGLE_ARC_PROVIDER;
	estate_single(e, s, SINGLE_SECURITY_PROVIDER, "Registered");
	estate_single(e, s, SINGLE_ARC_PROVIDER, "Registered");
	estate_single(e, s, provider, pick(rng, registrations, ARRAY_LEN(registrations)));
	estate_single(e, s, SINGLE_VULNERABILITY, pick(rng, assessors, ARRAY_LEN(assessors)));
}

/* Each resource has luck of its own, whenever it is listed. */
static struct rng rng_for(uint64_t seed, unsigned subscription, unsigned machine)
{
	struct rng rng;

	rng_seed(&rng, seed * 1000003 + subscription * 1009 + machine);
	return rng;
}

void estate_random(
	struct estate *e, uint64_t seed, unsigned subscriptions, unsigned machines, bool from_end)
{
	for (unsigned i = 0; i < subscriptions; i++) {
		unsigned number = from_end ? subscriptions - 1 - i : i;
		struct subscription *s = estate_subscription(e, number);
		struct rng rng;

		for (unsigned k = 1; k <= machines; k++) {
			unsigned machine = from_end ? machines + 1 - k : k;

			rng = rng_for(seed, number, machine);
			random_machine(e, &rng, s, machine);
		}
		rng = rng_for(seed, number, 0);
		random_subscription(e, &rng, s);
	}
	estate_resolve(e);
}

void estate_relist(struct estate *e)
{
	struct map_entry *entry;

	map_for_each (&e->inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		s->stamp.at = s->machines_stamp.at = e->now;
	}
}
