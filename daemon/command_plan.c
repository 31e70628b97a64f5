/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#define PLAN_STANDARD 1000

/* --- one step --- */

json_t *command_differences(const struct daemon *d, const struct item_ref *ref)
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
			json_pack("{s:s, s:o, s:o}", "field", differences[i].field, "observed",
				json_plain(differences[i].observed), "wanted",
				json_plain(differences[i].wanted)));
	return list;
}

static void set_hold(json_t *row, enum reason held)
{
	json_object_set_new(
		row, "held", held != REASON_NONE ? json_string(reason_word(held)) : json_null());
	json_object_set_new(row, "held_because", json_or_null(reason_sentence(held)));
	json_object_set_new(row, "unblock", json_or_null(reason_remedy(held)));
}

json_t *command_step(const struct daemon *d, const struct step *step)
{
	struct item_ref ref = {.subscription = step->subscription,
		.machine = step->machine,
		.connector = step->connector,
		.workspace = step->workspace,
		.control = step->control->id};
	const struct scope_config *scope = step->subscription->scope;
	json_t *row = json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "control",
		control_word(ref.control), "resource_id", json_plain(item_resource_id(&ref)),
		"machine", json_or_null(step->machine != NULL ? step->machine->name : NULL),
		"connector", json_or_null(step->connector != NULL ? step->connector->name : NULL),
		"workspace", json_or_null(step->workspace != NULL ? step->workspace->name : NULL),
		"subscription", step->subscription->id, "subscription_name",
		json_or_null(step->subscription->name), "scope",
		json_or_null(scope != NULL ? scope->name : NULL), "differences",
		command_differences(d, &ref));

	set_hold(row, step->held);
	return row;
}

void command_build_plan(const struct daemon *d, struct plan *ret)
{
	struct plan_limits limits = {0};

	gate_limits(d->gate, &limits);
	executor_limits(d->executor, &limits);
	plan_build(d->config, d->inventory, &limits, ret);
}

/* --- what comes to the same, in one row each --- */

struct tally {
	const struct scope_config *scope;         /* NULL: all */
	uint64_t steps[CONTROL_N_][REASON_N_];    /* by what holds them */
	uint64_t waits[CONTROL_N_][REASON_N_];    /* waiting or backing off, by reason */
	struct wall first[CONTROL_N_][REASON_N_]; /* the earliest end of these */
	struct wall last[CONTROL_N_][REASON_N_];  /* and the latest */
	uint64_t rest[ITEM_STATE_N_];
};

static bool is_asked_for(const struct tally *t, const struct subscription *s)
{
	return t->scope == NULL || s->scope == t->scope;
}

static void add_wait(struct tally *t, const struct item *item)
{
	unsigned c = item->control, r = item->reason;

	if (!item->applies || (item->state != ITEM_WAITING && item->state != ITEM_BACKOFF))
		return;
	if (t->waits[c][r]++ == 0) {
		t->first[c][r] = t->last[c][r] = item->due;
		return;
	}
	if (wall_before(item->due, t->first[c][r]))
		t->first[c][r] = item->due;
	if (wall_before(t->last[c][r], item->due))
		t->last[c][r] = item->due;
}

/* By the setter's counts: only subscriptions in which something waits are walked. */
static void add_subscription(struct tally *t, const struct subscription *s)
{
	struct reconciler_counts counts = {0};

	reconciler_count_subscription(s, &counts);
	for (unsigned state = 0; state < ITEM_STATE_N_; state++)
		t->rest[state] += counts.by_state[state];
	if (counts.by_state[ITEM_WAITING] + counts.by_state[ITEM_BACKOFF] == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(s->items); i++)
		add_wait(t, &s->items[i]);
	for (size_t c = 0; c < s->connector_count; c++)
		for (size_t i = 0; i < CONNECTOR_CONTROLS; i++)
			add_wait(t, &s->connectors[c]->items[i]);
	for (size_t w = 0; w < s->workspace_count; w++)
		for (size_t i = 0; i < WORKSPACE_CONTROLS; i++)
			add_wait(t, &s->workspaces[w]->items[i]);
	for (uint32_t m = 0; m < s->machine_count; m++)
		for (size_t i = 0; i < MACHINE_CONTROLS; i++)
			add_wait(t, &s->machines[m]->items[i]);
}

static json_t *groups_of(const struct tally *t)
{
	json_t *groups = json_array();

	for (unsigned c = 0; c < CONTROL_N_; c++)
		for (unsigned r = 0; r < REASON_N_; r++) {
			json_t *row;

			if (t->steps[c][r] == 0)
				continue;
			row = json_pack("{s:s, s:I}", "control", control_word((enum control_id)c),
				"count", (json_int_t)t->steps[c][r]);
			set_hold(row, (enum reason)r);
			json_array_append_new(groups, row);
		}
	return groups;
}

static json_t *waits_of(const struct tally *t)
{
	json_t *waits = json_array();

	for (unsigned c = 0; c < CONTROL_N_; c++)
		for (unsigned r = 0; r < REASON_N_; r++)
			if (t->waits[c][r] > 0)
				json_array_append_new(waits,
					json_pack("{s:s, s:s, s:s, s:o, s:I, s:o, s:o}", "control",
						control_word((enum control_id)c), "reason",
						reason_word((enum reason)r), "sentence",
						reason_sentence((enum reason)r), "unblock",
						json_or_null(reason_remedy((enum reason)r)),
						"count", (json_int_t)t->waits[c][r], "first_due",
						json_wall(t->first[c][r]), "last_due",
						json_wall(t->last[c][r])));
	return waits;
}

/* What the plan does not touch. */
static json_t *rest_of(const struct tally *t)
{
	static const enum item_state states[] = {ITEM_UNKNOWN, ITEM_BLOCKED, ITEM_MANUAL,
		ITEM_EXCLUDED, ITEM_UNSUPPORTED, ITEM_UNREACHABLE};
	json_t *rest = json_object();

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		json_object_set_new(rest, item_state_word(states[i]),
			json_integer((json_int_t)t->rest[states[i]]));
	return rest;
}

/* --- plan --- */

static json_t *steps_of(const struct command_context *c, struct tally *t, json_int_t *ret_total,
	json_int_t *ret_ready)
{
	uint64_t offset = command_count(c, "offset", 0, UINT32_MAX);
	uint64_t limit = command_count(c, "limit", PLAN_STANDARD, PAGE_MOST), n = 0;
	json_t *steps = json_array();
	struct plan plan;

	command_build_plan(c->daemon, &plan);
	for (size_t i = 0; i < plan.count; i++) {
		const struct step *step = &plan.steps[i];

		if (!is_asked_for(t, step->subscription))
			continue;
		t->steps[step->control->id][step->held]++;
		*ret_ready += step->held == REASON_NONE;
		if (n >= offset && n - offset < limit)
			json_array_append_new(steps, command_step(c->daemon, step));
		n++;
	}
	*ret_total = (json_int_t)n;
	plan_fini(&plan);
	return steps;
}

json_t *command_plan(const struct command_context *c)
{
	const struct daemon *d = c->daemon;
	struct tally t = {0};
	json_int_t total = 0, ready = 0, running, waiting;
	struct map_entry *entry;
	json_t *steps;

	if (!command_scope(c, &t.scope))
		return NULL;
	steps = steps_of(c, &t, &total, &ready);
	map_for_each (&d->inventory->subscriptions, entry)
		if (is_asked_for(&t, entry->value))
			add_subscription(&t, entry->value);
	running = (json_int_t)(t.rest[ITEM_QUEUED] + t.rest[ITEM_APPLYING] + t.rest[ITEM_SETTLING]);
	waiting = (json_int_t)(t.rest[ITEM_WAITING] + t.rest[ITEM_BACKOFF]);
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:b}", "steps", steps,
		"total", total, "ready", ready, "held", total - ready, "running", running,
		"waiting", waiting, "groups", groups_of(&t), "waits", waits_of(&t), "rest",
		rest_of(&t), "partial", command_partial(d, t.scope), "observed",
		wall_is_set(d->last_pass[PASS_MACHINES].ended));
}
