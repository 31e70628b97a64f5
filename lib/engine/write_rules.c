/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/write_rules.h"

#include "lib/base/http_message.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/controls/plan_level.h"
#include "lib/controls/rows.h"

#include <string.h>

/* Facts that no pass has renewed for this long, or for this many polls, are stale. */
#define STALE_AFTER DUR_H(1)
#define STALE_AFTER_POLLS 4

const char *write_refusal_text(enum write_refusal r)
{
	static const char *const texts[] = {[WRITE_ALLOWED] = "allowed",
#define WRITE_REFUSAL_TEXT(name, text) [WRITE_REFUSED_##name] = text,
		WRITE_REFUSALS(WRITE_REFUSAL_TEXT)
#undef WRITE_REFUSAL_TEXT
	};

	return r < WRITE_REFUSAL_N_ ? texts[r] : "refused";
}

enum reason write_refusal_reason(enum write_refusal r)
{
	switch (r) {
	case WRITE_ALLOWED: return REASON_NONE;
	case WRITE_REFUSED_OBSERVE_MODE: return REASON_OBSERVE_ONLY;
	case WRITE_REFUSED_SCOPE_CONFLICT: return REASON_SCOPE_CONFLICT;
	case WRITE_REFUSED_NO_SELECTOR: return REASON_NO_SELECTOR;
	case WRITE_REFUSED_FOREIGN_TENANT: return REASON_FOREIGN_TENANT;
	case WRITE_REFUSED_TENANT_CHANGED: return REASON_TENANT_CHANGED;
	case WRITE_REFUSED_HALTED: return REASON_HALTED;
	case WRITE_REFUSED_PAUSED: return REASON_PAUSED;
	case WRITE_REFUSED_UNCONFIRMED: return REASON_UNCONFIRMED;
	case WRITE_REFUSED_LOWERS: return REASON_LOWERS;
	case WRITE_REFUSED_NOT_READ: return REASON_READ_TOO_OLD;
	case WRITE_REFUSED_INCOMPLETE: return REASON_PARTIAL;
	case WRITE_REFUSED_SUBSCRIPTION_STATE: return REASON_SUBSCRIPTION_DISABLED;
	case WRITE_REFUSED_TARGET_BUSY: return REASON_TARGET_BUSY;
	case WRITE_REFUSED_NO_INTENT: return REASON_NOT_STORED;
	case WRITE_REFUSED_NOT_LISTED:
	case WRITE_REFUSAL_N_: break;
	}
	return REASON_RULE;
}

/* --- the scope and the subscription --- */

static bool is_listed_by_id(const struct scope_config *scope, const char *subscription)
{
	for (size_t i = 0; i < scope->subscription_count; i++)
		if (str_equal_nocase(scope->subscriptions[i], subscription))
			return true;
	return false;
}

/* A tenant that is not known may be another one. */
static bool is_foreign(const struct control_view *v, const char *identity_tenant)
{
	const char *tenant = v->subscription->tenant;
	bool ours = !str_empty(tenant) && !str_empty(identity_tenant) &&
		str_equal_nocase(tenant, identity_tenant);

	return !ours && !is_listed_by_id(v->scope, v->subscription->id);
}

static enum write_refusal check_scope(const struct control_view *v, const char *identity_tenant)
{
	const struct scope_config *scope = v->scope;

	if (scope == NULL || scope->mode != MODE_ENFORCE)
		return WRITE_REFUSED_OBSERVE_MODE;
	if (v->subscription->scope_conflict != NULL)
		return WRITE_REFUSED_SCOPE_CONFLICT;
	if (scope->subscription_count == 0 && scope->management_group_count == 0 &&
		!scope->everything)
		return WRITE_REFUSED_NO_SELECTOR;
	if (is_foreign(v, identity_tenant))
		return WRITE_REFUSED_FOREIGN_TENANT;
	if (subscription_has_moved(v->subscription))
		return WRITE_REFUSED_TENANT_CHANGED;
	return WRITE_ALLOWED;
}

static bool is_fresh(struct stamp stamp, struct dur poll, struct wall now)
{
	struct dur most = dur_max(STALE_AFTER, DUR_MS(poll.ms * STALE_AFTER_POLLS));

	return stamp.source != SOURCE_NONE && wall_since(now, stamp.at).ms <= most.ms;
}

static bool is_observed(const struct control_view *v)
{
	const struct subscription *s = v->subscription;
	const struct config *c = v->config;
	struct dur subscriptions = c != NULL ? c->poll.subscriptions : DUR_MS(0);
	struct dur machines = c != NULL ? c->poll.machines : DUR_MS(0);

	if (!s->visible || !is_fresh(s->stamp, subscriptions, v->now))
		return false;
	if (v->workspace != NULL)
		return !wall_is_set(v->workspace->missing) &&
			is_fresh(s->workspaces_stamp, subscriptions, v->now);
	if (v->connector != NULL)
		return (!wall_is_set(v->connector->missing) ||
			       scope_connector(v->scope, v->connector->id) != NULL) &&
			is_fresh(s->connectors_stamp, subscriptions, v->now);
	return v->machine == NULL ||
		(v->machine->extensions_known && !v->machine->tags_unknown &&
			is_fresh(s->machines_stamp, machines, v->now));
}

static enum write_refusal check_facts(const struct control_view *v)
{
	if (!is_observed(v))
		return WRITE_REFUSED_INCOMPLETE;
	if (v->subscription->state != SUBSCRIPTION_ENABLED)
		return WRITE_REFUSED_SUBSCRIPTION_STATE;
	return WRITE_ALLOWED;
}

enum write_refusal write_rules_check_target(
	const struct control_view *view, const char *identity_tenant)
{
	enum write_refusal refusal = check_scope(view, identity_tenant);

	return refusal != WRITE_ALLOWED ? refusal : check_facts(view);
}

/* --- the request: what it is about --- */

/* A POST asks a resource for the action that its path ends in: only that one is known. */
static bool cut_action(char *path)
{
	static const char action[] = "/register";

	if (!str_ends_nocase(path, action))
		return false;
	path[strlen(path) - strlen(action)] = '\0';
	return true;
}

/* The resource that the request would write; its api-version has to be the one it is read with. */
static bool read_target(const struct arm_request *request, struct arm_id *ret)
{
	size_t len = strcspn(request->path, "?");
	mdc_autofree char *path = xstrndup(request->path, len);
	const char *query = request->path + len;
	static const char version[] = "?api-version=";

	if (str_equal(request->method, "POST") && !cut_action(path))
		return false;
	if (*path != '/' || !http_percent_decode(path) || arm_id_parse(path, ret) != 0)
		return false;
	if (strncmp(query, version, strlen(version)) == 0 &&
		str_equal(query + strlen(version), arm_api_version(ret->kind)))
		return true;
	arm_id_fini(ret);
	return false;
}

static bool is_plan_of(const struct arm_id *target, const struct workspace *w)
{
	mdc_autofree char *id = arm_solution_id(w->id);

	return arm_id_same(target->text, id);
}

static bool is_of_view(const struct arm_id *target, const struct control_view *v)
{
	mdc_autofree char *parent = arm_id_parent(target);

	if (!str_equal_nocase(target->subscription, v->subscription->id))
		return false;
	if (v->workspace != NULL)
		return is_plan_of(target, v->workspace);
	if (v->connector != NULL)
		return arm_id_same(target->text, v->connector->id);
	if (v->machine == NULL)
		return parent == NULL && target->group == NULL;
	return arm_id_same(parent, v->machine->id);
}

/* --- the request: what it says --- */

static bool has_only(const json_t *object, const char *const *members)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return false;
	json_object_foreach ((json_t *)object, key, value) {
		const char *const *member = members;

		while (*member != NULL && !str_equal(*member, key))
			member++;
		if (*member == NULL)
			return false;
	}
	return true;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool is_granted(const struct write_context *c)
{
	const struct control_view *v = c->view;

	return scope_grant(v->scope, (enum control_id)v->item->control, v->subscription, v->machine,
		       v->now) != NULL;
}

/* A plan extension that is on has to be sent, and sent on. */
static bool switches_extension_off(const struct arm_pricing *current, const json_t *extensions)
{
	struct arm_pricing sent = {.extensions = extensions};
	size_t i;
	json_t *extension;

	json_array_foreach (current->extensions, i, extension) {
		const char *name = json_text(extension, "name");

		if (name != NULL && arm_pricing_extension(current, name) == TRI_YES &&
			arm_pricing_extension(&sent, name) != TRI_YES)
			return true;
	}
	return false;
}

static enum write_refusal check_plan(const struct write_context *c)
{
	static const char *const body_members[] = {"properties", NULL};
	static const char *const members[] = {
		"pricingTier", "subPlan", "enforce", "extensions", NULL};
	const json_t *sent = json_object_get(c->request->body, "properties");
	enum plan_level level =
		plan_level_of(text_of(sent, "pricingTier"), text_of(sent, "subPlan"));
	enum plan_level before;
	struct arm_pricing current;
	bool lowers;

	if (!has_only(c->request->body, body_members) || !has_only(sent, members) ||
		level == PLAN_LEVEL_UNKNOWN)
		return WRITE_REFUSED_NOT_LISTED;
	if (c->current == NULL || arm_pricing_read(c->current, &current) != 0)
		return WRITE_REFUSED_NOT_READ;
	before = plan_level_of(current.tier, current.sub_plan);
	if (before == PLAN_LEVEL_UNKNOWN)
		return WRITE_REFUSED_NOT_READ;
	lowers = level < before ||
		(before > PLAN_LEVEL_OFF &&
			switches_extension_off(&current, json_object_get(sent, "extensions"))) ||
		(current.enforce == TRI_YES &&
			json_tri(json_object_get(sent, "enforce")) != TRI_YES);
	return lowers && !is_granted(c) ? WRITE_REFUSED_LOWERS : WRITE_ALLOWED;
}

static enum write_refusal check_setting(const struct write_context *c, const char *name)
{
	static const char *const body_members[] = {"kind", "properties", NULL};
	static const char *const members[] = {"enabled", NULL};
	const json_t *sent = json_object_get(c->request->body, "properties");
	const json_t *enabled = json_object_get(sent, "enabled");

	if (!has_only(c->request->body, body_members) || !has_only(sent, members) ||
		!str_equal(text_of(c->request->body, "kind"), "DataExportSettings") ||
		!json_is_boolean(enabled))
		return WRITE_REFUSED_NOT_LISTED;
	return json_is_true(enabled) != setting_protects_on(setting_from_name(name)) &&
			!is_granted(c)
		? WRITE_REFUSED_LOWERS
		: WRITE_ALLOWED;
}

/* Nothing is said but what the path says. */
static enum write_refusal check_registration(const struct write_context *c)
{
	return c->request->body == NULL ? WRITE_ALLOWED : WRITE_REFUSED_NOT_LISTED;
}

static enum write_refusal check_vulnerability(const struct write_context *c)
{
	static const char *const body_members[] = {"kind", "properties", NULL};
	static const char *const members[] = {"selectedProvider", NULL};
	const json_t *sent = json_object_get(c->request->body, "properties");

	return has_only(c->request->body, body_members) && has_only(sent, members) &&
			str_equal(text_of(c->request->body, "kind"), "AzureServersSetting") &&
			str_equal(text_of(sent, "selectedProvider"), "MdeTvm")
		? WRITE_ALLOWED
		: WRITE_REFUSED_NOT_LISTED;
}

/* Ours by publisher and type, for this machine, with the onboarding package. */
static bool is_sensor_extension(const struct write_context *c, const char *name)
{
	static const char *const body_members[] = {"location", "tags", "properties", NULL};
	static const char *const members[] = {"publisher", "type", "typeHandlerVersion",
		"autoUpgradeMinorVersion", "settings", "protectedSettings", NULL};
	static const char *const secrets[] = {"defenderForEndpointOnboardingScript", NULL};
	const json_t *body = c->request->body;
	const json_t *sent = json_object_get(body, "properties");
	const json_t *settings = json_object_get(sent, "settings");
	const json_t *secret = json_object_get(sent, "protectedSettings");

	return has_only(body, body_members) && has_only(sent, members) &&
		has_only(secret, secrets) && !str_empty(text_of(body, "location")) &&
		str_equal(text_of(sent, "publisher"), MDE_PUBLISHER) &&
		str_equal(text_of(sent, "type"), name) && !str_empty(text_of(secret, secrets[0])) &&
		arm_id_same(text_of(settings, "azureResourceId"), c->view->machine->id);
}

static enum write_refusal check_extension(const struct write_context *c, const char *name)
{
	bool unified = json_tri(json_path(c->request->body, "properties.settings.vNextEnabled")) ==
		TRI_YES;
	struct arm_extension current;

	if (!is_sensor_extension(c, name) || !extension_is_ours(c->view))
		return WRITE_REFUSED_NOT_LISTED;
	if (c->current == NULL)
		return WRITE_ALLOWED;
	if (arm_extension_read(c->current, &current) != 0)
		return WRITE_REFUSED_NOT_READ;
	/* Another product's extension that stands under this name is not ours to overwrite. */
	if (!str_equal_nocase(current.publisher, MDE_PUBLISHER))
		return WRITE_REFUSED_NOT_LISTED;
	return current.vnext == TRI_YES && !unified && !is_granted(c) ? WRITE_REFUSED_LOWERS
								      : WRITE_ALLOWED;
}

/* Of a machine that has its sensor from elsewhere: the unified extension is provisioned. */
static bool has_new_sensor(const struct machine *m)
{
	return m->mde.present && m->mde.provisioning == PROVISIONING_SUCCEEDED &&
		(m->os != OS_WINDOWS_UNIFIED || m->mde.vnext == TRI_YES);
}

/* The old sensor lives on the agent: without a new one its removal offboards the machine. */
static enum write_refusal check_agent_removal(const struct write_context *c)
{
	const struct machine *m = c->view->machine;
	struct arm_extension current;
	enum extension_kind kind;

	if (c->request->body != NULL)
		return WRITE_REFUSED_NOT_LISTED;
	if (c->current == NULL || arm_extension_read(c->current, &current) != 0)
		return WRITE_REFUSED_NOT_READ;
	kind = extension_kind(current.publisher, current.type);
	if (kind != EXTENSION_MMA && kind != EXTENSION_OMS)
		return WRITE_REFUSED_NOT_LISTED;
	return has_new_sensor(m) ? WRITE_ALLOWED : WRITE_REFUSED_LOWERS;
}

/* A sensor's extension goes only where it names another machine than the one that it is on. */
static enum write_refusal check_move(const struct write_context *c)
{
	struct arm_extension current;
	enum extension_kind kind;

	if (c->request->body != NULL)
		return WRITE_REFUSED_NOT_LISTED;
	if (c->current == NULL || arm_extension_read(c->current, &current) != 0)
		return WRITE_REFUSED_NOT_READ;
	kind = extension_kind(current.publisher, current.type);
	if (kind != EXTENSION_MDE_WINDOWS && kind != EXTENSION_MDE_LINUX)
		return WRITE_REFUSED_NOT_LISTED;
	return current.owner_id == NULL || arm_id_same(current.owner_id, c->view->machine->id)
		? WRITE_REFUSED_LOWERS
		: WRITE_ALLOWED;
}

/* What the machine has, by its own document or its subscription's facts. */
static enum plan_level machine_level(const struct write_context *c, enum machine_plan plan)
{
	const struct subscription *s = c->view->subscription;

	if (plan == MACHINE_PLAN_OFF)
		return PLAN_LEVEL_OFF;
	if (plan == MACHINE_PLAN_P1)
		return PLAN_LEVEL_P1;
	return plan == MACHINE_PLAN_INHERITED ? plan_level_of(s->pricing.tier, s->pricing.sub_plan)
					      : PLAN_LEVEL_UNKNOWN;
}

static enum write_refusal check_machine_plan(const struct write_context *c)
{
	static const char *const body_members[] = {"properties", NULL};
	static const char *const members[] = {"pricingTier", "subPlan", NULL};
	enum plan_level all = machine_level(c, MACHINE_PLAN_INHERITED), level, before;

	if (str_equal(c->request->method, "DELETE")) {
		if (c->request->body != NULL)
			return WRITE_REFUSED_NOT_LISTED;
		level = all;
	} else {
		if (!has_only(c->request->body, body_members) ||
			!has_only(json_object_get(c->request->body, "properties"), members))
			return WRITE_REFUSED_NOT_LISTED;
		level = machine_level(c, arm_machine_plan_read(c->request->body));
	}
	before = c->current != NULL ? machine_level(c, arm_machine_plan_read(c->current))
				    : PLAN_LEVEL_UNKNOWN;
	if (level == PLAN_LEVEL_UNKNOWN)
		return WRITE_REFUSED_NOT_LISTED;
	if (before == PLAN_LEVEL_UNKNOWN || all == PLAN_LEVEL_UNKNOWN)
		return WRITE_REFUSED_NOT_READ;
	return (level < before || level < all) && !is_granted(c) ? WRITE_REFUSED_LOWERS
								 : WRITE_ALLOWED;
}

/* A switch that is on has to be sent, and sent on; so has the plan. */
static bool lowers_connector(
	const struct connector_offering *before, const struct connector_offering *after)
{
	if (plan_level_of("Standard", after->sub_plan) <
			plan_level_of("Standard", before->sub_plan) ||
		(str_empty(after->sub_plan) && !str_empty(before->sub_plan)))
		return true;
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		if (before->parts[p] == TRI_YES && after->parts[p] != TRI_YES)
			return true;
	return before->by_defender && !after->by_defender;
}

/* As whom it acts is what was written down, and nothing is on that the policy does not list. */
static bool is_offering_as_described(
	const struct control_view *v, const struct connector_config *described, const json_t *body)
{
	static const char *const members[] = {"offeringType", "subPlan", "defenderForServers",
		"arcAutoProvisioning", "mdeAutoProvisioning", "vaAutoProvisioning", "vmScanners",
		NULL};
	const json_t *offerings = json_path(body, "properties.offerings");
	struct arm_connector sent;

	if (json_array_size(offerings) != 1 || !has_only(json_array_get(offerings, 0), members) ||
		arm_connector_read(body, &sent) != 0 || sent.cloud != described->is.cloud ||
		!str_equal(sent.hierarchy, described->is.hierarchy) || !sent.offering.present ||
		!sent.offering.identified)
		return false;
	for (unsigned i = 0; i < CONNECTOR_IDENTITY_N_; i++)
		if (!str_empty(sent.offering.identities[i]) &&
			!str_equal(sent.offering.identities[i], described->is.identities[i]))
			return false;
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		if (sent.offering.parts[p] == TRI_YES && !v->scope->policy->connector.parts[p])
			return false;
	return true;
}

/* Nothing was there; what is made has been described, and nobody else has the account. */
static enum write_refusal check_new_connector(const struct write_context *c)
{
	static const char *const body_members[] = {"location", "properties", NULL};
	static const char *const members[] = {
		"hierarchyIdentifier", "environmentName", "environmentData", "offerings", NULL};
	const struct control_view *v = c->view;
	const struct connector_config *described = scope_connector(v->scope, v->connector->id);
	const json_t *body = c->request->body;
	json_t *named;
	bool same;

	if (described == NULL || !wall_is_set(v->connector->missing))
		return WRITE_REFUSED_NOT_READ;
	if (!has_only(body, body_members) || !has_only(json_path(body, "properties"), members) ||
		inventory_connector_of_account(v->subscription->inventory, described->is.cloud,
			described->is.hierarchy, v->connector) != NULL)
		return WRITE_REFUSED_NOT_LISTED;
	named = json_deep_copy(body);
	json_object_set_new(named, "id", json_string(described->id));
	same = is_offering_as_described(v, described, named);
	json_decref(named);
	return same ? WRITE_ALLOWED : WRITE_REFUSED_NOT_LISTED;
}

/* The document as it was read, but for the plan and the switches of the one offering. */
static enum write_refusal check_connector(const struct write_context *c)
{
	struct arm_connector before, after;
	json_t *stripped, *named;
	bool same, lowers;

	if (c->current == NULL)
		return check_new_connector(c);
	if (arm_connector_read(c->current, &before) != 0 || !before.offering.present ||
		before.offering.doubled)
		return WRITE_REFUSED_NOT_READ;
	stripped = arm_connector_document(c->current);
	/* What is sent bears no id; with it, it reads as a connector's document does. */
	named = json_deep_copy(c->request->body);
	same = json_is_object(named) && arm_connector_same_besides(stripped, named);
	json_object_set_new(named, "id", json_string(before.id));
	same = same && arm_connector_read(named, &after) == 0;
	lowers = same && lowers_connector(&before.offering, &after.offering);
	json_decref(stripped);
	json_decref(named);
	if (!same)
		return WRITE_REFUSED_NOT_LISTED;
	return lowers && !is_granted(c) ? WRITE_REFUSED_LOWERS : WRITE_ALLOWED;
}

/* Only where there is none yet, and nothing but the plan. */
static enum write_refusal check_workspace_plan(const struct write_context *c)
{
	const struct workspace *w = c->view->workspace;
	json_t *plan;
	bool same;

	if (c->current != NULL)
		return WRITE_REFUSED_NOT_LISTED;
	plan = arm_solution_document(w->id, w->location);
	same = json_equal(c->request->body, plan);
	json_decref(plan);
	return same ? WRITE_ALLOWED : WRITE_REFUSED_NOT_LISTED;
}

/* Every write of the program; a name of NULL: whatever it is called, its type decides. */
static const struct {
	enum control_id control;
	const char *method;
	enum arm_kind kind;
	const char *name;
} writes[] = {
	{CONTROL_PROVIDER, "POST", ARM_KIND_PROVIDER, "Microsoft.Security"},
	{CONTROL_PROVIDER, "POST", ARM_KIND_PROVIDER, "Microsoft.HybridCompute"},
	{CONTROL_PROVIDER, "POST", ARM_KIND_PROVIDER, "Microsoft.OperationsManagement"},
	{CONTROL_SERVERS_PLAN, "PUT", ARM_KIND_PRICING, "VirtualMachines"},
	{CONTROL_MDE_INTEGRATION, "PUT", ARM_KIND_SETTING, "WDATP"},
	{CONTROL_UNIFIED_SOLUTION, "PUT", ARM_KIND_SETTING, "WDATP_UNIFIED_SOLUTION"},
	{CONTROL_LINUX_INTEGRATION, "PUT", ARM_KIND_SETTING, "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"},
	{CONTROL_VULNERABILITY_MANAGEMENT, "PUT", ARM_KIND_VA_SETTING, "azureServersSetting"},
	{CONTROL_CONNECTOR, "PUT", ARM_KIND_CONNECTOR, NULL},
	{CONTROL_WORKSPACE_PLAN, "PUT", ARM_KIND_SOLUTION, NULL},
	{CONTROL_MDE_EXTENSION, "PUT", ARM_KIND_ARC_EXTENSION, "MDE.Windows"},
	{CONTROL_MDE_EXTENSION, "PUT", ARM_KIND_ARC_EXTENSION, "MDE.Linux"},
	{CONTROL_SUBSCRIPTION_MOVE, "DELETE", ARM_KIND_ARC_EXTENSION, NULL},
	{CONTROL_LEGACY_REPLACED, "DELETE", ARM_KIND_ARC_EXTENSION, NULL},
	{CONTROL_MDE_EXTENSION, "PUT", ARM_KIND_VM_EXTENSION, "MDE.Windows"},
	{CONTROL_MDE_EXTENSION, "PUT", ARM_KIND_VM_EXTENSION, "MDE.Linux"},
	{CONTROL_SUBSCRIPTION_MOVE, "DELETE", ARM_KIND_VM_EXTENSION, NULL},
	{CONTROL_LEGACY_REPLACED, "DELETE", ARM_KIND_VM_EXTENSION, NULL},
	{CONTROL_MACHINE_PLAN, "PUT", ARM_KIND_RESOURCE_PRICING, "VirtualMachines"},
	{CONTROL_MACHINE_PLAN, "DELETE", ARM_KIND_RESOURCE_PRICING, "VirtualMachines"},
};

static bool is_on_list(const struct write_context *c, const struct arm_id *target)
{
	for (size_t i = 0; i < ARRAY_LEN(writes); i++)
		if (writes[i].control == c->view->item->control && writes[i].kind == target->kind &&
			(writes[i].name == NULL || str_equal(writes[i].name, target->name)) &&
			str_equal(writes[i].method, c->request->method))
			return true;
	return false;
}

static bool policy_allows(const struct control_view *v)
{
	const struct control *control = control_by_id((enum control_id)v->item->control);

	return control != NULL && control->may_write != NULL &&
		control->may_write(v->scope->policy);
}

static enum write_refusal check_body(const struct write_context *c, const struct arm_id *target)
{
	switch ((enum control_id)c->view->item->control) {
	case CONTROL_PROVIDER: return check_registration(c);
	case CONTROL_SERVERS_PLAN: return check_plan(c);
	case CONTROL_MDE_INTEGRATION:
	case CONTROL_UNIFIED_SOLUTION:
	case CONTROL_LINUX_INTEGRATION: return check_setting(c, target->name);
	case CONTROL_VULNERABILITY_MANAGEMENT: return check_vulnerability(c);
	case CONTROL_CONNECTOR: return check_connector(c);
	case CONTROL_WORKSPACE_PLAN: return check_workspace_plan(c);
	case CONTROL_MDE_EXTENSION: return check_extension(c, target->name);
	case CONTROL_SUBSCRIPTION_MOVE: return check_move(c);
	case CONTROL_LEGACY_REPLACED: return check_agent_removal(c);
	case CONTROL_MACHINE_PLAN: return check_machine_plan(c);
	case CONTROL_ARC_CONNECTED:
	case CONTROL_SENSOR_ONBOARDED:
	case CONTROL_N_: break;
	}
	return WRITE_REFUSED_NOT_LISTED;
}

static enum write_refusal check_request(const struct write_context *c)
{
	enum write_refusal refusal = WRITE_REFUSED_NOT_LISTED;
	struct arm_id target;

	if (!policy_allows(c->view) || c->request->path == NULL ||
		!read_target(c->request, &target))
		return refusal;
	if (is_on_list(c, &target) && is_of_view(&target, c->view))
		refusal = check_body(c, &target);
	arm_id_fini(&target);
	return refusal;
}

/* --- all rules --- */

static enum write_refusal check_holds(const struct write_context *c)
{
	if (c->halted)
		return WRITE_REFUSED_HALTED;
	if (c->paused)
		return WRITE_REFUSED_PAUSED;
	return c->unconfirmed ? WRITE_REFUSED_UNCONFIRMED : WRITE_ALLOWED;
}

static enum write_refusal check_reading(const struct write_context *c, struct wall now)
{
	struct dur age = wall_since(now, c->read_at);

	return wall_is_set(c->read_at) && age.ms >= 0 && age.ms <= WRITE_READ_AGE.ms
		? WRITE_ALLOWED
		: WRITE_REFUSED_NOT_READ;
}

enum write_refusal write_rules_check(const struct write_context *c, struct wall now)
{
	enum write_refusal refusal = check_scope(c->view, c->identity_tenant);

	if (refusal == WRITE_ALLOWED)
		refusal = check_holds(c);
	if (refusal == WRITE_ALLOWED)
		refusal = check_request(c);
	if (refusal == WRITE_ALLOWED)
		refusal = check_reading(c, now);
	if (refusal == WRITE_ALLOWED)
		refusal = check_facts(c->view);
	if (refusal == WRITE_ALLOWED && c->target_busy)
		refusal = WRITE_REFUSED_TARGET_BUSY;
	if (refusal == WRITE_ALLOWED && !c->intent_durable)
		refusal = WRITE_REFUSED_NO_INTENT;
	return refusal;
}
