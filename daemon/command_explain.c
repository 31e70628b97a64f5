/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include "lib/engine/assess.h"

#define PLAN_STANDARD 1000
#define PLAN_MOST 1000000

/* --- what differs --- */

static json_t *differences_of(const struct daemon *d, const struct item_ref *ref)
{
	const struct control *control = control_by_id(ref->control);
	struct control_view view = item_view(ref, d->config, loop_wall(d->world->loop));
	struct difference differences[DIFFERENCES_MAX];
	json_t *list = json_array();
	size_t n = 0;

	if (view.scope != NULL && control->differences != NULL)
		n = control->differences(&view, differences);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s}", "field", differences[i].field, "observed",
				differences[i].observed, "wanted", differences[i].wanted));
	return list;
}

/* --- plan --- */

static json_t *plan_step(const struct daemon *d, const struct step *step)
{
	struct item_ref ref = {.subscription = step->subscription,
		.machine = step->machine,
		.control = step->control->id};
	const struct scope_config *scope = step->subscription->scope;

	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "control",
		control_word(ref.control), "resource_id", item_resource_id(&ref), "machine",
		json_or_null(step->machine != NULL ? step->machine->name : NULL), "subscription",
		step->subscription->id, "scope", json_or_null(scope != NULL ? scope->name : NULL),
		"held",
		step->held != REASON_NONE ? json_string(reason_word(step->held)) : json_null(),
		"held_because", json_or_null(reason_sentence(step->held)), "unblock",
		json_or_null(reason_remedy(step->held)), "differences", differences_of(d, &ref));
}

static bool step_is_wanted(const struct step *step, const char *scope)
{
	return scope == NULL ||
		(step->subscription->scope != NULL &&
			str_equal_nocase(step->subscription->scope->name, scope));
}

/* What waits for its time is no step yet, and belongs into the picture. */
static json_int_t count_waiting(const struct daemon *d)
{
	struct reconciler_counts counts;

	reconciler_count(d->reconciler, &counts);
	return (json_int_t)(counts.by_state[ITEM_WAITING] + counts.by_state[ITEM_BACKOFF]);
}

json_t *command_plan(const struct command_context *c)
{
	const struct daemon *d = c->daemon;
	const char *scope = command_text(c, "scope");
	unsigned limit = command_count(c, "limit", PLAN_STANDARD, PLAN_MOST);
	struct plan_limits limits = {0};
	json_int_t total = 0, ready = 0;
	json_t *steps = json_array();
	struct plan plan;

	gate_limits(d->gate, &limits);
	executor_limits(d->executor, &limits);
	plan_build(d->config, d->inventory, &limits, &plan);
	for (size_t i = 0; i < plan.count; i++) {
		if (!step_is_wanted(&plan.steps[i], scope))
			continue;
		total++;
		ready += plan.steps[i].held == REASON_NONE;
		if (json_array_size(steps) < limit)
			json_array_append_new(steps, plan_step(d, &plan.steps[i]));
	}
	plan_fini(&plan);
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:b}", "steps", steps, "total", total,
		"ready", ready, "held", total - ready, "running",
		(json_int_t)(executor_running(d->executor) + executor_waiting(d->executor)),
		"waiting", count_waiting(d), "observed",
		wall_is_set(d->last_pass[PASS_MACHINES].ended));
}

/* --- explain --- */

static json_t *explain_item(const struct daemon *d, const struct item_ref *ref)
{
	const struct item *item = item_of(ref);
	const struct control *control = control_by_id(ref->control);
	json_t *row = command_item(d, ref);

	json_object_set_new(row, "help", json_string(control->help));
	json_object_set_new(row, "unblock", json_or_null(reason_remedy((enum reason)item->reason)));
	json_object_set_new(row, "differences", differences_of(d, ref));
	json_object_set_new(row, "first_drift", json_wall(item->first_drift));
	json_object_set_new(row, "corrections", json_integer(item->corrections));
	if (item->operation != NULL)
		json_object_set_new(row, "operation",
			json_pack("{s:s, s:o, s:s, s:o, s:o}", "phase",
				operation_phase_word(item->operation->phase), "target",
				json_or_null(item->operation->target_id), "correlation_id",
				item->operation->correlation_id, "started",
				json_wall(item->operation->started), "deadline",
				json_wall(item->operation->deadline)));
	return row;
}

static void fact(json_t *facts, const char *name, const char *value, const struct stamp *stamp)
{
	static const char *const sources[] = {
		[SOURCE_NONE] = "none", [SOURCE_GRAPH] = "graph", [SOURCE_ARM] = "arm"};

	json_array_append_new(facts,
		json_pack("{s:s, s:o, s:s, s:o}", "name", name, "value", json_or_null(value),
			"source", sources[stamp->source], "observed", json_wall(stamp->at)));
}

static const char *tri_word(enum tri t)
{
	return t == TRI_YES ? "yes" : t == TRI_NO ? "no" : NULL;
}

static json_t *machine_facts(const struct machine *m)
{
	json_t *facts = json_array();
	const struct stamp *at = &m->stamp;

	fact(facts, "status", m->status, at);
	fact(facts, "operating system", m->os_sku, at);
	fact(facts, "system class", os_class_text(m->os), at);
	fact(facts, "agent version", m->agent_version, at);
	fact(facts, "location", m->location, at);
	fact(facts, "cloud", m->cloud, at);
	fact(facts, "extensions enabled", tri_word(m->extensions_enabled), at);
	fact(facts, "MDE extension", m->mde.present ? m->mde.state : "absent", at);
	if (m->mde.present) {
		fact(facts, "MDE extension version", m->mde.version, at);
		fact(facts, "MDE unified solution", tri_word(m->mde.vnext), at);
		fact(facts, "MDE status code", m->mde.code, at);
		fact(facts, "MDE message", m->mde.message, at);
	}
	fact(facts, "Log Analytics agent", m->legacy.present ? m->legacy.state : "absent", at);
	return facts;
}

static json_t *subscription_facts(const struct subscription *s)
{
	static const char *const states[] = {[SUBSCRIPTION_STATE_UNKNOWN] = NULL,
		[SUBSCRIPTION_ENABLED] = "enabled",
		[SUBSCRIPTION_WARNED] = "warned",
		[SUBSCRIPTION_DISABLED] = "disabled"};
	json_t *facts = json_array();

	fact(facts, "visible", s->visible ? "yes" : "no", &s->stamp);
	fact(facts, "state", states[s->state], &s->stamp);
	fact(facts, "plan", s->pricing.tier, &s->pricing.stamp);
	fact(facts, "sub-plan", s->pricing.sub_plan, &s->pricing.stamp);
	fact(facts, "plan extension failed", s->pricing.failure, &s->pricing.stamp);
	for (unsigned i = 0; i < SETTING_N_; i++)
		fact(facts, setting_name((enum setting_id)i), tri_word(s->settings[i].enabled),
			&s->settings_stamp);
	return facts;
}

json_t *command_explain(const struct command_context *c)
{
	const struct daemon *d = c->daemon;
	struct item_ref ref;
	struct subscription *s;
	json_t *items = json_array();
	unsigned first, last;

	if (!command_target(c, command_text(c, "target"), &ref)) {
		json_decref(items);
		return NULL;
	}
	s = ref.subscription;
	first = ref.machine != NULL ? SUBSCRIPTION_CONTROLS : 0;
	last = ref.machine != NULL ? CONTROL_N_ : SUBSCRIPTION_CONTROLS;
	for (unsigned i = first; i < last; i++) {
		ref.control = (enum control_id)i;
		if (item_of(&ref)->applies)
			json_array_append_new(items, explain_item(d, &ref));
	}
	return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o}", "resource_id",
		item_resource_id(&ref), "machine",
		json_or_null(ref.machine != NULL ? ref.machine->name : NULL), "subscription", s->id,
		"subscription_name", s->name, "scope",
		json_or_null(s->scope != NULL ? s->scope->name : NULL), "facts",
		ref.machine != NULL ? machine_facts(ref.machine) : subscription_facts(s), "items",
		items);
}
