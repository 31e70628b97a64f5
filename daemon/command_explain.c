/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include "lib/base/xalloc.h"
#include "lib/controls/arc_agent.h"
#include "lib/controls/assigned.h"
#include "lib/controls/handler_code.h"
#include "lib/controls/legacy.h"
#include "lib/model/single.h"

#include <stdio.h>
#include <string.h>

#define HISTORY_SHOWN 5
#define BY_HAND_MOST (16 << 10)
#define UNKNOWN_WORKSPACES_SHOWN 20

/* --- the controls of the resource --- */

static json_t *operation_of(const struct operation *op)
{
	return json_pack("{s:s, s:o, s:s, s:o, s:o}", "phase", operation_phase_word(op->phase),
		"target", json_or_null(op->target_id), "correlation_id", op->correlation_id,
		"started", json_wall(op->started), "deadline", json_wall(op->deadline));
}

/* What the installer's failure means, in place of what is said of its whole class. */
static void explain_failure(const struct item_ref *ref, json_t *row)
{
	const struct extension_facts *e = &ref->machine->mde;
	const struct handler_code *meaning;
	const char *remedy;

	if (e->provisioning != PROVISIONING_FAILED && e->provisioning != PROVISIONING_CANCELED)
		return;
	meaning = handler_failure_find(os_is_windows(ref->machine->os), e->code, e->message);
	remedy = handler_remedy(meaning);
	json_object_set_new(row, "failure",
		json_pack("{s:o, s:s, s:s}", "code", json_or_null(e->code), "class",
			handler_class_word(meaning->class), "text", meaning->text));
	if (item_of(ref)->reason == handler_class_reason(meaning->class) && *remedy != '\0')
		json_object_set_new(row, "unblock", json_string(remedy));
}

/* Of what is unknown: what could not be read. What is below a subscription may wait for it. */
static const char *unread_of(const struct item_ref *ref)
{
	const struct subscription *s = ref->subscription;
	const char *why = NULL;

	if (item_of(ref)->state != ITEM_UNKNOWN)
		return NULL;
	if (ref->machine != NULL)
		why = s->unread[UNREAD_MACHINES].why;
	return why != NULL ? why : s->unread[UNREAD_SWITCHES].why;
}

/* What only a person can do, a line each. */
static json_t *by_hand_of(const struct daemon *d, const struct item_ref *ref)
{
	const struct control *control = control_by_id(ref->control);
	struct control_view view = item_view(ref, d->config, loop_wall(d->world->loop));
	struct buf text = BUF_INIT(BY_HAND_MOST);
	json_t *lines = json_array();

	if (control->by_hand != NULL && view.scope != NULL)
		control->by_hand(&view, &text);
	for (const char *line = buf_str(&text); *line != '\0';) {
		size_t len = strcspn(line, "\n");

		json_array_append_new(lines, json_stringn(line, len));
		line += len + (line[len] == '\n');
	}
	buf_fini(&text);
	return lines;
}

static json_t *explain_item(const struct daemon *d, const struct item_ref *ref)
{
	const struct item *item = item_of(ref);
	const struct control *control = control_by_id(ref->control);
	json_t *row = command_item(ref);

	json_object_set_new(row, "help", json_string(control->help));
	json_object_set_new(
		row, "meaning", json_string(item_state_meaning((enum item_state)item->state)));
	json_object_set_new(row, "unblock", json_or_null(reason_remedy((enum reason)item->reason)));
	json_object_set_new(row, "unread", json_or_null(unread_of(ref)));
	json_object_set_new(row, "held", json_null());
	json_object_set_new(row, "held_because", json_null());
	json_object_set_new(row, "differences", command_differences(d, ref));
	json_object_set_new(row, "by_hand", by_hand_of(d, ref));
	json_object_set_new(row, "first_drift", json_wall(item->first_drift));
	json_object_set_new(row, "corrections", json_integer(item->corrections));
	if (ref->control == CONTROL_MDE_EXTENSION)
		explain_failure(ref, row);
	if (item->operation != NULL)
		json_object_set_new(row, "operation", operation_of(item->operation));
	return row;
}

static json_t *explain_items(const struct daemon *d, const struct item_ref *resource)
{
	enum resource_kind kind = item_resource(resource);
	json_t *items = json_array();

	for (unsigned i = controls_first(kind); i < controls_end(kind); i++) {
		struct item_ref ref = *resource;

		ref.control = (enum control_id)i;
		if (item_of(&ref)->applies)
			json_array_append_new(items, explain_item(d, &ref));
	}
	return items;
}

static json_t *row_of(json_t *items, enum control_id control)
{
	json_t *row;
	size_t i;

	json_array_foreach (items, i, row)
		if (str_equal(json_string_value(json_object_get(row, "control")),
			    control_word(control)))
			return row;
	return NULL;
}

static bool has_drifted(json_t *items)
{
	json_t *row;
	size_t i;

	json_array_foreach (items, i, row)
		if (str_equal(json_string_value(json_object_get(row, "state")),
			    item_state_word(ITEM_DRIFTED)))
			return true;
	return false;
}

/* Drift that is not corrected now: what holds it is known only where all steps are. */
static void add_holds(const struct daemon *d, const struct item_ref *resource, json_t *items)
{
	struct plan plan;

	if (!has_drifted(items))
		return;
	command_build_plan(d, &plan);
	for (size_t i = 0; i < plan.count; i++) {
		const struct step *step = &plan.steps[i];
		json_t *row;

		if (step->subscription != resource->subscription ||
			step->machine != resource->machine ||
			step->connector != resource->connector ||
			step->workspace != resource->workspace || step->held == REASON_NONE)
			continue;
		row = row_of(items, step->control->id);
		json_object_set_new(row, "held", json_string(reason_word(step->held)));
		json_object_set_new(row, "held_because", json_or_null(reason_sentence(step->held)));
		json_object_set_new(row, "unblock", json_or_null(reason_remedy(step->held)));
	}
	plan_fini(&plan);
}

/* --- facts --- */

static void fact(json_t *facts, const char *name, const char *value, const struct stamp *stamp)
{
	static const char *const sources[] = {[SOURCE_NONE] = "none",
		[SOURCE_GRAPH] = "graph",
		[SOURCE_ARM] = "arm",
		[SOURCE_DEFENDER] = "defender"};

	json_array_append_new(facts,
		json_pack("{s:s, s:o, s:s, s:o}", "name", name, "value", json_or_null(value),
			"source", sources[stamp->source], "observed", json_wall(stamp->at)));
}

static const char *tri_word(enum tri t)
{
	return t == TRI_YES ? "yes" : t == TRI_NO ? "no" : NULL;
}

static void extension_facts(json_t *facts, const struct machine *m)
{
	struct stamp at = extension_stamp(&m->mde);

	fact(facts, "MDE extension",
		m->mde.present                ? m->mde.state
			: m->extensions_known ? "absent"
					      : NULL,
		&at);
	if (m->mde.present) {
		fact(facts, "MDE extension version", m->mde.version, &at);
		fact(facts, "MDE unified solution", tri_word(m->mde.vnext), &at);
		fact(facts, "MDE status code", m->mde.code, &at);
		fact(facts, "MDE message", m->mde.message, &at);
	}
	at = extension_stamp(&m->legacy);
	fact(facts, "Log Analytics agent",
		m->legacy.present             ? m->legacy.state
			: m->extensions_known ? "absent"
					      : NULL,
		&at);
}

/* Which assigned policy would bring the agent back. */
static void agent_policy_fact(json_t *facts, const struct machine *m)
{
	const struct assigned_policies *policies = &m->subscription->policies;
	const struct assigned_policy *policy = assigned_policies_on(policies, DEED(AGENT), m->id);
	struct stamp at = {
		.at = policies->at, .source = wall_is_set(policies->at) ? SOURCE_ARM : SOURCE_NONE};

	fact(facts, "agent's workspace", m->legacy_workspace, &m->stamp);
	fact(facts, "policy that installs the agent",
		policy != NULL               ? policy->name
			: wall_is_set(at.at) ? "none"
					     : NULL,
		&at);
}

static void sensor_facts(json_t *facts, const struct machine *m)
{
	static const char *const health[] = {[SENSOR_HEALTH_UNKNOWN] = NULL,
		[SENSOR_ACTIVE] = "active",
		[SENSOR_IMPAIRED] = "impaired",
		[SENSOR_MUTE] = "mute"};
	const struct sensor_facts *s = m->sensor;
	struct stamp at = {.source = SOURCE_NONE};
	enum legacy_signal signal = legacy_signal(m);

	if (s != NULL)
		at = (struct stamp){.at = s->at, .source = SOURCE_DEFENDER};
	fact(facts, "sensor version", s != NULL ? s->version : NULL, &at);
	fact(facts, "sensor health", s != NULL ? health[s->health] : NULL, &at);
	if (signal != LEGACY_NONE)
		fact(facts, "old sensor", legacy_signal_text(signal), &m->stamp);
}

/* "env=lab, owner=x" of what is kept as lines. */
static void tags_fact(json_t *facts, const struct machine *m)
{
	struct buf text = BUF_INIT(2 * strlen(m->tags) + 1);

	for (const char *line = m->tags; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		buf_addf(&text, "%s%.*s", text.len > 0 ? ", " : "", (int)len, line);
		line += len + (line[len] == '\n');
	}
	fact(facts, "tags", m->tags_unknown ? "too many to be read" : buf_str(&text), &m->stamp);
	buf_fini(&text);
}

/* That of a machine's sensor is to be the same. */
static void organisation_fact(json_t *facts, const struct daemon *d, const struct subscription *s)
{
	struct stamp at = {.source = SOURCE_ARM};
	const char *organisation = executor_organisation(d->executor, s, &at.at);

	if (organisation != NULL)
		fact(facts, "organisation of Defender for Endpoint", organisation, &at);
}

static void arc_facts(json_t *facts, const struct machine *m)
{
	const struct arc_agent_flaw *flaw = arc_agent_flaw(m->agent_version);

	fact(facts, "agent version", m->agent_version, &m->stamp);
	if (flaw != NULL)
		fact(facts, "agent's flaw", flaw->text, &m->stamp);
	fact(facts, "agent uses a proxy", m->proxied ? "yes" : "no", &m->stamp);
}

static void vm_facts(json_t *facts, const struct machine *m)
{
	if (m->in_scale_set)
		fact(facts, "scale set", "an instance of a flexible one", &m->stamp);
	fact(facts, "VM agent",
		m->agent_ready == TRI_UNKNOWN       ? NULL
			: m->agent_ready == TRI_YES ? "ready"
						    : "not ready",
		&m->stamp);
	if (m->own_image)
		fact(facts, "image", "an own generalized one", &m->stamp);
}

static json_t *machine_facts(const struct daemon *d, const struct machine *m)
{
	json_t *facts = json_array();
	const struct stamp *at = &m->stamp;

	fact(facts, "status", m->status, at);
	fact(facts, "operating system", m->os_sku, at);
	fact(facts, "system class", os_class_text(m->os), at);
	if (m->azure_vm)
		vm_facts(facts, m);
	else
		arc_facts(facts, m);
	fact(facts, "location", m->location, at);
	fact(facts, "cloud", m->cloud, at);
	fact(facts, "path", machine_path_text(machine_path(m)), at);
	tags_fact(facts, m);
	fact(facts, "extensions enabled", tri_word(m->extensions_enabled), at);
	extension_facts(facts, m);
	if (m->legacy.present)
		agent_policy_fact(facts, m);
	sensor_facts(facts, m);
	organisation_fact(facts, d, m->subscription);
	return facts;
}

static void single_fact(json_t *facts, const struct subscription *s, enum single_id id)
{
	const struct single_facts *single = &s->singles[id];

	if (single->stamp.source != SOURCE_NONE)
		fact(facts, single_row(id)->label,
			str_empty(single->word) ? "not set" : single->word, &single->stamp);
}

/* Where nobody can tell what the workspace has, or which one it is. */
static void add_unknown_workspaces(const struct subscription *s, json_t *facts)
{
	static const char *const by[] = {
		[USE_RULE] = "",
		[USE_LEGACY] = "workspace id ",
		[USE_UNREAD] = "by a rule that cannot be read, ",
	};
	unsigned shown = 0;

	for (size_t i = 0; i < s->use_count && shown < UNKNOWN_WORKSPACES_SHOWN; i++) {
		const struct workspace_use *use = &s->uses[i];
		mdc_autofree char *value = NULL;

		if (use->known)
			continue;
		value = xasprintf("%u machines: %s%s", use->machines, by[use->kind], use->target);
		fact(facts, "reports to an unknown workspace", value, &s->reports);
		shown++;
	}
}

static json_t *subscription_facts(const struct daemon *d, const struct subscription *s)
{
	static const char *const states[] = {[SUBSCRIPTION_STATE_UNKNOWN] = NULL,
		[SUBSCRIPTION_ENABLED] = "enabled",
		[SUBSCRIPTION_WARNED] = "warned",
		[SUBSCRIPTION_DISABLED] = "disabled"};
	char machines[24];
	json_t *facts = json_array();

	fact(facts, "visible", s->visible ? "yes" : "no", &s->stamp);
	fact(facts, "tenant", s->tenant, &s->stamp);
	if (subscription_has_moved(s))
		fact(facts, "tenant when first seen", s->home, &s->stamp);
	fact(facts, "state", states[s->state], &s->stamp);
	fact(facts, "plan", s->pricing.tier, &s->pricing.stamp);
	fact(facts, "sub-plan", s->pricing.sub_plan, &s->pricing.stamp);
	fact(facts, "plan extension failed", s->pricing.failure, &s->pricing.stamp);
	for (unsigned i = 0; i < PLAN_EXTENSION_N_; i++)
		fact(facts, plan_extension_name((enum plan_extension)i),
			tri_word(s->pricing.extensions[i]), &s->pricing.stamp);
	fact(facts, "coverage", s->pricing.coverage, &s->pricing.stamp);
	if (*s->pricing.replaced_by != '\0')
		fact(facts, "plan replaced by", s->pricing.replaced_by, &s->pricing.stamp);
	for (unsigned i = 0; i < SETTING_N_; i++)
		fact(facts, setting_name((enum setting_id)i), tri_word(s->settings[i].enabled),
			wall_is_set(s->settings[i].stamp.at) ? &s->settings[i].stamp
							     : &s->settings_stamp);
	for (unsigned i = 0; i < SINGLE_N_; i++)
		single_fact(facts, s, (enum single_id)i);
	organisation_fact(facts, d, s);
	snprintf(machines, sizeof(machines), "%u", s->machine_count);
	fact(facts, "machines", machines, &s->machines_stamp);
	add_unknown_workspaces(s, facts);
	return facts;
}

static json_t *connector_facts(const struct connector *c)
{
	const struct connector_offering *o = &c->offering;
	json_t *facts = json_array();
	char hours[24];

	fact(facts, "cloud", connector_cloud_word(c->cloud), &c->stamp);
	fact(facts, "account or project", c->hierarchy, &c->stamp);
	if (*c->parent != '\0')
		fact(facts, "organization", c->parent, &c->stamp);
	snprintf(hours, sizeof(hours), "%uh", c->scan_hours);
	fact(facts, "scan interval", hours, &c->stamp);
	fact(facts, "Defender for Servers offering", o->present ? "yes" : "no", &c->stamp);
	fact(facts, "role or identity", o->identified ? "yes" : "no", &c->stamp);
	fact(facts, "sub-plan", str_empty(o->sub_plan) ? "not set" : o->sub_plan, &c->stamp);
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		fact(facts, connector_part_name((enum connector_part)p),
			o->parts[p] == TRI_UNKNOWN ? "not there" : tri_word(o->parts[p]),
			&c->stamp);
	for (unsigned i = 0; i < CONNECTOR_IDENTITY_N_; i++)
		if (*o->identities[i] != '\0')
			fact(facts, connector_identity_path((enum connector_identity)i),
				o->identities[i], &c->stamp);
	/* Machines of all clouds get it by the subscription's switch. */
	single_fact(facts, c->subscription, SINGLE_AUTO_PROVISIONING);
	return facts;
}

static json_t *workspace_facts(const struct workspace *w)
{
	json_t *facts = json_array();

	fact(facts, "location", w->location, &w->stamp);
	fact(facts, "workspace id", w->customer, &w->stamp);
	fact(facts, "plan",
		w->plan           ? "Security"
			: w->free ? "SecurityCenterFree"
				  : "not there",
		&w->subscription->workspaces_stamp);
	for (size_t i = 0; i < w->reporter_count; i++) {
		const struct workspace_reporter *r = &w->reporters[i];
		const struct subscription *s = r->subscription;
		mdc_autofree char *value =
			xasprintf("%s, plan %s %s: %u by rules, %u by the old agent", s->id,
				*s->pricing.tier != '\0' ? s->pricing.tier : "not known",
				s->pricing.sub_plan, r->agents, r->legacy);

		fact(facts, "reporting machines of", value, &w->subscription->reports);
	}
	return facts;
}

/* Which assigned policies make the same corrections there. */
static void policy_facts(json_t *facts, const struct control_view *v)
{
	const struct assigned_policies *policies = &v->subscription->policies;
	struct stamp at = {
		.at = policies->at, .source = wall_is_set(policies->at) ? SOURCE_ARM : SOURCE_NONE};
	enum resource_kind kind = v->machine != NULL ? ON_MACHINE : ON_SUBSCRIPTION;

	if (at.source == SOURCE_NONE && v->scope->policy->policy_grace.ms > 0)
		fact(facts, "assigned policies", NULL, &at);
	for (unsigned c = controls_first(kind); c < controls_end(kind); c++) {
		const struct assigned_policy *policy = assigned_at_work(control_by_id(c), v);

		if (policy != NULL)
			fact(facts, "assigned policy that does the same", policy->name, &at);
	}
}

static void exemption_fact(json_t *facts, const struct control_view *v)
{
	struct wall at = v->subscription->exemptions.at;
	struct stamp stamp = {.at = at, .source = wall_is_set(at) ? SOURCE_ARM : SOURCE_NONE};
	const struct policy_exemption *exemption;
	const char *missing;

	if (!v->scope->honour_exemptions || v->machine == NULL)
		return;
	switch (assigned_exempts(control_by_id(CONTROL_MDE_EXTENSION), v, &exemption, &missing)) {
	case TRI_YES: fact(facts, "policy exemption", exemption->text, &stamp); break;
	case TRI_NO: fact(facts, "policy exemption", "none", &stamp); break;
	case TRI_UNKNOWN: fact(facts, "policy exemption", NULL, &stamp); break;
	}
}

static json_t *facts_of(const struct daemon *d, const struct item_ref *ref)
{
	switch (item_resource(ref)) {
	case ON_MACHINE: return machine_facts(d, ref->machine);
	case ON_CONNECTOR: return connector_facts(ref->connector);
	case ON_WORKSPACE: return workspace_facts(ref->workspace);
	case ON_SUBSCRIPTION:
	case RESOURCE_KIND_N_: break;
	}
	return subscription_facts(d, ref->subscription);
}

/* --- explain --- */

static json_t *latest_history(const struct daemon *d, const struct item_ref *ref)
{
	json_t *rows = NULL;

	if (store_history(d->store, item_resource_id(ref), 0, HISTORY_SHOWN, &rows) != 0)
		rows = json_array();
	return rows;
}

json_t *command_explain(const struct command_context *c)
{
	const struct daemon *d = c->daemon;
	struct item_ref ref;
	struct subscription *s;
	json_t *items, *facts, *result;

	if (!command_target(c, command_text(c, "target"), &ref))
		return NULL;
	s = ref.subscription;
	facts = facts_of(d, &ref);
	if (s->scope != NULL && ref.connector == NULL) {
		struct control_view view = {.config = d->config,
			.scope = s->scope,
			.subscription = s,
			.machine = ref.machine,
			.now = loop_wall(d->world->loop)};

		policy_facts(facts, &view);
		exemption_fact(facts, &view);
	}
	items = explain_items(d, &ref);
	add_holds(d, &ref, items);
	result = json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "resource_id",
		json_plain(item_resource_id(&ref)), "machine",
		json_or_null(ref.machine != NULL ? ref.machine->name : NULL), "connector",
		json_or_null(ref.connector != NULL ? ref.connector->name : NULL), "workspace",
		json_or_null(ref.workspace != NULL ? ref.workspace->name : NULL), "subscription",
		s->id, "subscription_name", json_or_null(s->name), "scope",
		json_or_null(s->scope != NULL ? s->scope->name : NULL), "mode",
		s->scope != NULL
			? json_string(s->scope->mode == MODE_ENFORCE ? "enforce" : "observe")
			: json_null(),
		"facts", facts, "items", items, "history", latest_history(d, &ref));
	/* What it waits for is often its subscription's. */
	if (item_resource(&ref) != ON_SUBSCRIPTION)
		json_object_set_new(result, "subscription_items",
			explain_items(
				d, &(struct item_ref){.subscription = s, .control = CONTROL_N_}));
	json_object_set_new(result, "scope_conflict", json_or_null(s->scope_conflict));
	return result;
}
