/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/plan.h"

#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/write_rules.h"

struct builder {
	const struct config *config;
	const struct plan_limits *limits;
	struct plan *plan;
	size_t room;
	struct map in_turn; /* subscriptions, by id, in which such a write runs or is ready */
};

/* --- which steps there are --- */

static struct control_view view_of(const struct builder *b, const struct step *step)
{
	return (struct control_view){
		.config = b->config,
		.scope = step->subscription->scope,
		.subscription = step->subscription,
		.connector = step->connector,
		.workspace = step->workspace,
		.machine = step->machine,
		.item = step->item,
		.now = b->limits->now,
	};
}

static bool is_paused(const struct builder *b, const struct step *step)
{
	const struct map *paused = b->limits->paused;

	if (b->limits->paused_all)
		return true;
	return paused != NULL &&
		(map_has(paused, step->subscription->scope->name) ||
			map_has(paused, step->subscription->id) ||
			(step->connector != NULL && map_has(paused, step->connector->id)) ||
			(step->workspace != NULL && map_has(paused, step->workspace->id)) ||
			(step->machine != NULL && map_has(paused, step->machine->id)));
}

static bool is_unconfirmed(const struct builder *b, const struct step *step)
{
	return b->limits->unconfirmed_all ||
		(b->limits->confirmed != NULL &&
			!reach_covers(
				b->limits->confirmed, step->subscription->id, step->control->id));
}

static bool needs_step(const struct item *item)
{
	const struct control *control = control_by_id((enum control_id)item->control);

	return item->applies && item->state == ITEM_DRIFTED && control != NULL && control->corrects;
}

static bool is_under_way(const struct item *item)
{
	return item->operation != NULL || item->state == ITEM_QUEUED ||
		item->state == ITEM_APPLYING;
}

/* Another correction of the same target is on its way, or comes first. */
static bool is_busy(const struct step *step)
{
	enum resource_kind kind = control_resource(step->control->id);
	const struct item *items = step->item - (step->control->id - controls_first(kind));
	size_t count = controls_end(kind) - controls_first(kind);

	for (size_t i = 0; i < count; i++)
		if (is_under_way(&items[i]) || (&items[i] < step->item && needs_step(&items[i])))
			return true;
	return false;
}

/* What holds the step whatever the other steps are; the first that an operator would undo. */
static enum reason held_by_itself(const struct builder *b, const struct step *step)
{
	struct control_view view = view_of(b, step);
	const struct identity_config *identity;
	enum write_refusal refusal;

	if (b->limits->halted)
		return REASON_HALTED;
	if (view.scope == NULL)
		return REASON_OBSERVE_ONLY;
	identity = view.scope->identity;
	refusal = write_rules_check_target(&view, identity != NULL ? identity->tenant : NULL);
	if (refusal != WRITE_ALLOWED)
		return write_refusal_reason(refusal);
	if (is_paused(b, step))
		return REASON_PAUSED;
	if (is_unconfirmed(b, step))
		return REASON_UNCONFIRMED;
	if (is_busy(step))
		return REASON_TARGET_BUSY;
	return b->limits->kept != NULL ? b->limits->kept(b->limits->kept_ctx, step) : REASON_NONE;
}

static void add_step(struct builder *b, const struct step *target)
{
	struct plan *plan = b->plan;
	struct step *step;

	if (!needs_step(target->item))
		return;
	if (plan->count == b->room) {
		b->room = b->room == 0 ? 64 : b->room * 2;
		plan->steps = xreallocarray(plan->steps, b->room, sizeof(*plan->steps));
	}
	step = &plan->steps[plan->count++];
	*step = *target;
	step->control = control_by_id((enum control_id)target->item->control);
	step->held = held_by_itself(b, step);
}

/* --- in order: by control, subscription, group and name --- */

static int compare_subscriptions(const void *left, const void *right)
{
	const struct subscription *const *a = left, *const *b = right;

	return str_compare_nocase((*a)->id, (*b)->id);
}

static struct subscription **sorted_subscriptions(const struct inventory *inv)
{
	size_t count = map_count(&inv->subscriptions), n = 0;
	struct subscription **list = xcalloc(count + 1, sizeof(struct subscription *));
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry)
		list[n++] = entry->value;
	qsort(list, n, sizeof(struct subscription *), compare_subscriptions);
	return list;
}

static int compare_machine_steps(const void *left, const void *right)
{
	const struct machine *a = ((const struct step *)left)->machine;
	const struct machine *b = ((const struct step *)right)->machine;
	int order = a->group != b->group ? str_compare_nocase(a->group, b->group) : 0;

	return order != 0 ? order : str_compare_nocase(a->name, b->name);
}

/* Sorted one subscription at a time: that is faster than all machines together. */
static void add_machines(struct builder *b, struct subscription *s, enum control_id control)
{
	size_t first = b->plan->count;

	for (uint32_t i = 0; i < s->machine_count; i++)
		add_step(b,
			&(struct step){.subscription = s,
				.machine = s->machines[i],
				.item = inventory_item(s, s->machines[i], control)});
	if (b->plan->count > first)
		qsort(b->plan->steps + first, b->plan->count - first, sizeof(*b->plan->steps),
			compare_machine_steps);
}

static int compare_connector_steps(const void *left, const void *right)
{
	const struct step *a = left, *b = right;

	return str_compare_nocase(a->connector->id, b->connector->id);
}

static void add_connectors(struct builder *b, struct subscription *s, enum control_id control)
{
	size_t first = b->plan->count;

	for (size_t i = 0; i < s->connector_count; i++)
		add_step(b,
			&(struct step){.subscription = s,
				.connector = s->connectors[i],
				.item = connector_item(s->connectors[i], control)});
	if (b->plan->count > first)
		qsort(b->plan->steps + first, b->plan->count - first, sizeof(*b->plan->steps),
			compare_connector_steps);
}

static int compare_workspace_steps(const void *left, const void *right)
{
	const struct step *a = left, *b = right;

	return str_compare_nocase(a->workspace->id, b->workspace->id);
}

static void add_workspaces(struct builder *b, struct subscription *s, enum control_id control)
{
	size_t first = b->plan->count;

	for (size_t i = 0; i < s->workspace_count; i++)
		add_step(b,
			&(struct step){.subscription = s,
				.workspace = s->workspaces[i],
				.item = workspace_item(s->workspaces[i], control)});
	if (b->plan->count > first)
		qsort(b->plan->steps + first, b->plan->count - first, sizeof(*b->plan->steps),
			compare_workspace_steps);
}

static void add_steps_of(struct builder *b, struct subscription *s, enum control_id control)
{
	switch (control_resource(control)) {
	case ON_SUBSCRIPTION:
		add_step(b, &(struct step){.subscription = s, .item = &s->items[control]});
		break;
	case ON_CONNECTOR: add_connectors(b, s, control); break;
	case ON_WORKSPACE: add_workspaces(b, s, control); break;
	case ON_MACHINE: add_machines(b, s, control); break;
	case RESOURCE_KIND_N_: break;
	}
}

static void add_steps(struct builder *b, const struct inventory *inv)
{
	mdc_autofree struct subscription **subscriptions = sorted_subscriptions(inv);

	for (unsigned c = 0; c < CONTROL_N_; c++) {
		if (!control_by_id((enum control_id)c)->corrects)
			continue;
		for (struct subscription **s = subscriptions; *s != NULL; s++)
			add_steps_of(b, *s, (enum control_id)c);
	}
}

/* --- turns --- */

/* How many operations each scope may begin, by its place in the configuration. */
static uint64_t *rooms_new(const struct builder *b)
{
	const struct config *c = b->config;
	uint64_t *rooms = xcalloc(c->scope_count + 1, sizeof(*rooms));

	for (size_t i = 0; i < c->scope_count; i++) {
		const uint64_t *running = b->limits->running_by_scope != NULL
			? map_get(b->limits->running_by_scope, c->scopes[i].name)
			: NULL;

		rooms[i] = c->scopes[i].max_in_flight;
		if (running != NULL)
			rooms[i] -= *running < rooms[i] ? *running : rooms[i];
	}
	return rooms;
}

/* The steps of one control in one subscription, which stand together. */
struct turns {
	const struct scope_config *scope;
	size_t next, end;
	uint64_t running;
};

static uint64_t running_in(const struct builder *b, const struct subscription *s)
{
	const struct map *running = b->limits->running_by_subscription;
	const uint64_t *n = running != NULL ? map_get(running, s->id) : NULL;

	return n != NULL ? *n : 0;
}

static struct turns turns_at(const struct builder *b, size_t first)
{
	const struct step *steps = b->plan->steps;
	struct turns turns = {.scope = steps[first].subscription->scope,
		.next = first,
		.end = first,
		.running = running_in(b, steps[first].subscription)};

	while (turns.end < b->plan->count && steps[turns.end].control == steps[first].control &&
		steps[turns.end].subscription == steps[first].subscription)
		turns.end++;
	return turns;
}

/* The next step that only lacks its turn, or NULL. */
static struct step *next_step(const struct builder *b, struct turns *turns)
{
	while (turns->next < turns->end && b->plan->steps[turns->next].held != REASON_NONE)
		turns->next++;
	return turns->next < turns->end ? &b->plan->steps[turns->next] : NULL;
}

static bool runs_in_turn(const struct subscription *s)
{
	for (unsigned c = 0; c < CONTROL_N_; c++)
		if (control_by_id((enum control_id)c)->in_turn &&
			s->states[c][ITEM_QUEUED] + s->states[c][ITEM_APPLYING] > 0)
			return true;
	return false;
}

/* Whether the step has to let another one end first; else it is the one that others wait for. */
static bool waits_for_turn(struct builder *b, const struct step *step)
{
	struct subscription *s = step->subscription;

	if (!step->control->in_turn)
		return false;
	if (map_has(&b->in_turn, s->id))
		return true;
	map_set(&b->in_turn, s->id, s);
	return runs_in_turn(s);
}

static void give_turn(struct builder *b, struct turns *turns, struct step *step, uint64_t *rooms)
{
	size_t scope = (size_t)(turns->scope - b->config->scopes);

	assert(scope < b->config->scope_count);
	turns->next++;
	if (rooms[scope] == 0) {
		step->held = REASON_IN_FLIGHT_LIMIT;
		return;
	}
	if (waits_for_turn(b, step)) {
		step->held = REASON_PLAN_TURN;
		return;
	}
	rooms[scope]--;
	turns->running++;
	b->plan->ready++;
}

/* One control: those that run the least come first, until there is no room or no step left. */
static void give_turns_to(struct builder *b, struct turns *all, size_t count, uint64_t *rooms)
{
	uint64_t level = UINT64_MAX, above;
	struct step *step;

	for (size_t i = 0; i < count; i++)
		if (all[i].running < level)
			level = all[i].running;
	for (; count > 0; level = above) {
		above = UINT64_MAX;
		for (size_t i = 0; i < count; i++) {
			if (all[i].running <= level && (step = next_step(b, &all[i])) != NULL)
				give_turn(b, &all[i], step, rooms);
			if (next_step(b, &all[i]) != NULL && all[i].running < above)
				above = all[i].running;
		}
		if (above == UINT64_MAX)
			break;
	}
}

static void give_turns(struct builder *b)
{
	mdc_autofree uint64_t *rooms = rooms_new(b);
	struct plan *plan = b->plan;
	mdc_autofree struct turns *all = xcalloc(plan->count + 1, sizeof(*all));
	size_t at = 0;

	while (at < plan->count) {
		const struct control *control = plan->steps[at].control;
		size_t n = 0;

		for (; at < plan->count && plan->steps[at].control == control; at = all[n - 1].end)
			all[n++] = turns_at(b, at);
		give_turns_to(b, all, n, rooms);
	}
}

void plan_build(const struct config *c, const struct inventory *inv,
	const struct plan_limits *limits, struct plan *ret)
{
	struct builder b = {.config = c, .limits = limits, .plan = ret};

	*ret = (struct plan){0};
	map_init(&b.in_turn, NULL);
	add_steps(&b, inv);
	give_turns(&b);
	map_fini(&b.in_turn);
}

void plan_fini(struct plan *p)
{
	free(p->steps);
	*p = (struct plan){0};
}
