/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reconciler_parts.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/assess.h"

#include <string.h>

/* A burst of events needs only one plan; over 100,000 items it costs some tens of milliseconds. */
#define PLAN_DELAY DUR_MS(250)
#define PLAN_PAUSE DUR_S(1)

struct item *item_of(const struct item_ref *ref)
{
	if (ref->workspace != NULL)
		return workspace_item(ref->workspace, ref->control);
	return ref->connector != NULL
		? connector_item(ref->connector, ref->control)
		: inventory_item(ref->subscription, ref->machine, ref->control);
}

enum resource_kind item_resource(const struct item_ref *ref)
{
	return ref->machine != NULL      ? ON_MACHINE
		: ref->connector != NULL ? ON_CONNECTOR
		: ref->workspace != NULL ? ON_WORKSPACE
					 : ON_SUBSCRIPTION;
}

const char *item_resource_id(const struct item_ref *ref)
{
	if (ref->workspace != NULL)
		return ref->workspace->id;
	if (ref->connector != NULL)
		return ref->connector->id;
	return ref->machine != NULL ? ref->machine->id : ref->subscription->id;
}

const char *item_group(const struct item_ref *ref)
{
	if (ref->workspace != NULL)
		return ref->workspace->group;
	if (ref->connector != NULL)
		return ref->connector->group;
	return ref->machine != NULL ? ref->machine->group : NULL;
}

struct control_view item_view(const struct item_ref *ref, const struct config *c, struct wall now)
{
	return (struct control_view){
		.config = c,
		.scope = ref->subscription->scope,
		.subscription = ref->subscription,
		.connector = ref->connector,
		.workspace = ref->workspace,
		.machine = ref->machine,
		.item = item_of(ref),
		.now = now,
	};
}

/* --- judging --- */

static void restore_item(struct reconciler *r, const struct item_ref *ref, struct item *item)
{
	struct item_event event = {
		.kind = EVENT_RESTORED, .reason = REASON_NOT_OBSERVED, .detail = ""};

	if (!memory_take(r, ref) && item->operation == NULL)
		return;
	event.detail = item->detail;
	event.reason = item->reason;
	if (item->operation != NULL) {
		event.kind = EVENT_RESTORED_INTENT;
		event.reason = REASON_OUTCOME_UNKNOWN;
	}
	reconciler_event(r, ref, &event, NULL);
}

static void bring_to_life(struct reconciler *r, const struct item_ref *ref)
{
	struct item *item = item_of(ref);

	item_begin(ref);
	item->due = WALL_NEVER;
	if (item->detail == NULL)
		item->detail = "";
	item->since = loop_wall(r->world->loop);
	restore_item(r, ref, item);
}

bool item_is_in_flight(const struct item *item)
{
	return item->operation != NULL && item->operation->phase >= PHASE_SENT;
}

static void retire(struct reconciler *r, const struct item_ref *ref, enum reason reason)
{
	struct item *item = item_of(ref);

	/* What is under way in Azure is followed to its end first. */
	if (!item->applies || item_is_in_flight(item))
		return;
	r->ports.withdraw(r->ports.ctx, ref);
	tell_leaving(r, ref, reason);
	if (item->stored)
		store_delete_item(r->store, control_word(ref->control), item_resource_id(ref));
	intern_drop(&r->inventory->texts, item->detail);
	item_end(ref);
	*item = (struct item){.control = (uint8_t)ref->control, .detail = "", .due = WALL_NEVER};
	deadlines_update(r, ref->subscription, ref->machine);
}

/*
 * Facts that are older than our write, or Graph's, which may lag behind it, do not tell what became
 * of the write: ARM is asked.
 */
static bool needs_a_closer_look(const struct item_ref *ref, const struct item_event *event)
{
	const struct item *item = item_of(ref);

	if (!item_is_in_flight(item))
		return false;
	switch (event->kind) {
	case EVENT_SEEN_FAILED:
	case EVENT_SEEN_BLOCKED:
	case EVENT_SEEN_UNSUPPORTED:
		return event->stamp.source != SOURCE_ARM ||
			!wall_before(item->operation->started, event->stamp.at);
	case EVENT_SEEN_UNKNOWN:
	case EVENT_SEEN_COMPLIANT:
	case EVENT_SEEN_DRIFTED:
	case EVENT_SEEN_WAITING:
	case EVENT_SEEN_MANUAL:
	case EVENT_SEEN_EXCLUDED:
	case EVENT_SEEN_UNREACHABLE:
	case EVENT_STEP_QUEUED:
	case EVENT_STEP_WITHDRAWN:
	case EVENT_CALL_SENT:
	case EVENT_CALL_RUNNING:
	case EVENT_CALL_ACCEPTED:
	case EVENT_CALL_RETRYABLE:
	case EVENT_CALL_REFUSED:
	case EVENT_CALL_LOST:
	case EVENT_DEADLINE:
	case EVENT_RECONFIGURED:
	case EVENT_CURED:
	case EVENT_FORCED:
	case EVENT_RESTORED:
	case EVENT_RESTORED_INTENT:
	case EVENT_N_: return false;
	}
	return false;
}

/* Whether "does not apply" can rest on what has been observed since the start. */
static bool is_certain(const struct item_ref *ref)
{
	const struct subscription *s = ref->subscription;
	const struct machine *m = ref->machine;

	if (!s->visible || s->scope == NULL || ref->connector != NULL || ref->workspace != NULL)
		return s->visible;
	return m != NULL ? m->extensions_known : s->machines_stamp.source != SOURCE_NONE;
}

/* Waiting and failed items have a deadline; of the others each pass tells. */
static void note_what_time_changes(const struct item_ref *ref, const struct verdict *verdict)
{
	bool has_deadline = verdict->kind == VERDICT_WAITING || verdict->kind == VERDICT_FAILED;

	if (ref->machine != NULL && !has_deadline && wall_is_set(verdict->until))
		ref->machine->unjudged = true;
}

void judge(struct reconciler *r, const struct item_ref *ref)
{
	const struct control *control = control_by_id(ref->control);
	struct control_view view = item_view(ref, r->config, loop_wall(r->world->loop));
	struct verdict verdict = assess(control, &view);
	struct item_event event;

	if (verdict.kind == VERDICT_NOT_APPLICABLE) {
		retire(r, ref, REASON_NOT_WANTED);
		if (is_certain(ref))
			memory_drop(r, ref);
		return;
	}
	if (!item_of(ref)->applies) {
		bring_to_life(r, ref);
		verdict = assess(control, &view);
	}
	note_what_time_changes(ref, &verdict);
	event = item_event_from_verdict(&verdict);
	if (needs_a_closer_look(ref, &event))
		r->ports.inquire(r->ports.ctx, ref);
	else
		reconciler_event(r, ref, &event, NULL);
}

void reconciler_machine_seen(struct reconciler *r, struct machine *m)
{
	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	m->unjudged = false;
	for (unsigned c = FIRST_MACHINE_CONTROL; c < CONTROL_N_; c++)
		judge(r,
			&(struct item_ref){.subscription = m->subscription,
				.machine = m,
				.control = (enum control_id)c});
}

void reconciler_machine_gone(struct reconciler *r, struct machine *m)
{
	for (unsigned c = FIRST_MACHINE_CONTROL; c < CONTROL_N_; c++) {
		struct item_ref ref = {.subscription = m->subscription,
			.machine = m,
			.control = (enum control_id)c};

		if (item_of(&ref)->operation != NULL)
			r->ports.ended(r->ports.ctx, &ref, "machine-gone");
		retire(r, &ref, REASON_GONE);
		memory_drop(r, &ref);
		item_end(&ref);
	}
	deadlines_forget(r, m);
}

void reconciler_pass_ended(struct reconciler *r)
{
	tell_first_sights(r);
	memories_sweep(r);
	store_flush(r->store, NULL, NULL);
	reconciler_plan_soon(r);
}

/* --- all items, in a fixed order --- */

static void visit_items(
	struct reconciler *r, const struct item_ref *resource, item_visit_fn visit, void *ctx)
{
	enum resource_kind kind = item_resource(resource);

	for (unsigned c = controls_first(kind); c < controls_end(kind); c++) {
		struct item_ref ref = *resource;

		ref.control = (enum control_id)c;
		if (item_of(&ref)->applies)
			visit(r, &ref, ctx);
	}
}

void visit_items_of(struct reconciler *r, struct subscription *s, struct machine *m,
	item_visit_fn visit, void *ctx)
{
	visit_items(r, &(struct item_ref){.subscription = s, .machine = m}, visit, ctx);
	for (size_t i = 0; m == NULL && i < s->connector_count; i++)
		visit_items(r, &(struct item_ref){.subscription = s, .connector = s->connectors[i]},
			visit, ctx);
	for (size_t i = 0; m == NULL && i < s->workspace_count; i++)
		visit_items(r, &(struct item_ref){.subscription = s, .workspace = s->workspaces[i]},
			visit, ctx);
}

/* --- planning --- */

static void carry_out_ready(struct reconciler *r, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->steps[i];
		struct item_ref ref = {.subscription = step->subscription,
			.machine = step->machine,
			.connector = step->connector,
			.workspace = step->workspace,
			.control = step->control->id};
		struct item_event event = {
			.kind = EVENT_STEP_QUEUED, .reason = REASON_QUEUED, .detail = ""};

		if (step->held != REASON_NONE || step->item->state != ITEM_DRIFTED)
			continue;
		reconciler_event(r, &ref, &event, NULL);
		if (step->item->state == ITEM_QUEUED)
			r->ports.carry_out(r->ports.ctx, &ref);
	}
}

/* What waits for its turn gets it when an operation ends, and not only with the next pass. */
static bool has_waiting_steps(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].held == REASON_IN_FLIGHT_LIMIT ||
			plan->steps[i].held == REASON_PLAN_TURN ||
			plan->steps[i].held == REASON_TARGET_BUSY)
			return true;
	return false;
}

static void plan_fired(void *ctx)
{
	struct reconciler *r = ctx;
	struct plan_limits limits = {0};
	struct plan plan;

	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	r->plan_armed = false;
	r->planned = loop_mono(r->world->loop);
	if (r->config == NULL)
		return;
	r->ports.limits(r->ports.ctx, &limits);
	plan_build(r->config, r->inventory, &limits, &plan);
	r->crowded = has_waiting_steps(&plan);
	carry_out_ready(r, &plan);
	plan_fini(&plan);
	store_flush(r->store, NULL, NULL);
}

void reconciler_plan_soon(struct reconciler *r)
{
	struct mono soon = mono_add(loop_mono(r->world->loop), PLAN_DELAY);
	struct mono rested = mono_add(r->planned, PLAN_PAUSE);

	if (r->plan_armed)
		return;
	r->plan_armed = true;
	r->world->loop->ops->timer_arm(r->plan_timer, mono_before(soon, rested) ? rested : soon);
}

void reconciler_made_room(struct reconciler *r)
{
	if (r->crowded)
		reconciler_plan_soon(r);
}

static void cure(struct reconciler *r, const struct item_ref *ref, enum reason reason)
{
	struct item_event event = {.kind = EVENT_CURED, .reason = reason, .detail = ""};

	if (item_of(ref)->applies)
		reconciler_event(r, ref, &event, NULL);
}

/* The same item on all resources of that kind, or on those of one resource group. */
static void cure_kind(
	struct reconciler *r, const struct item_ref *ref, const char *group, enum reason reason)
{
	struct subscription *s = ref->subscription;

	for (uint32_t i = 0; ref->machine != NULL && i < s->machine_count; i++) {
		struct item_ref other = {
			.subscription = s, .machine = s->machines[i], .control = ref->control};

		if (group == NULL || str_equal_nocase(s->machines[i]->group, group))
			cure(r, &other, reason);
	}
	for (size_t i = 0; ref->connector != NULL && i < s->connector_count; i++) {
		struct item_ref other = {
			.subscription = s, .connector = s->connectors[i], .control = ref->control};

		if (group == NULL || str_equal_nocase(s->connectors[i]->group, group))
			cure(r, &other, reason);
	}
	for (size_t i = 0; ref->workspace != NULL && i < s->workspace_count; i++) {
		struct item_ref other = {
			.subscription = s, .workspace = s->workspaces[i], .control = ref->control};

		if (group == NULL || str_equal_nocase(s->workspaces[i]->group, group))
			cure(r, &other, reason);
	}
}

void reconciler_cured(
	struct reconciler *r, const struct item_ref *ref, bool group, enum reason reason)
{
	if (item_resource(ref) == ON_SUBSCRIPTION)
		cure(r, ref, reason);
	else
		cure_kind(r, ref, group ? item_group(ref) : NULL, reason);
	reconciler_plan_soon(r);
}

/* --- configuration and operators --- */

void reconciler_configure(struct reconciler *r, const struct config *c)
{
	bool first = r->config == NULL;
	struct map_entry *entry;

	r->config = c;
	scope_resolve(c, r->inventory);
	if (first)
		return;
	map_for_each (&r->inventory->subscriptions, entry) {
		((struct subscription *)entry->value)->rescoped = false;
		judge_machines_later(r, entry->value, true);
	}
	reconciler_plan_soon(r);
	store_flush(r->store, NULL, NULL);
}

void reconciler_resolve(struct reconciler *r)
{
	struct map_entry *entry;

	scope_resolve(r->config, r->inventory);
	map_for_each (&r->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		if (!s->rescoped)
			continue;
		s->rescoped = false;
		judge_machines_later(r, s, true);
		reconciler_plan_soon(r);
	}
}

static void force_one(struct reconciler *r, const struct item_ref *ref)
{
	struct item *item = item_of(ref);
	struct item_event event = {
		.kind = EVENT_FORCED, .reason = REASON_NOT_OBSERVED, .detail = ""};

	if (!item->applies)
		return;
	item->forced = true;
	reconciler_event(r, ref, &event, NULL);
	if (!item_is_in_flight(item))
		judge(r, ref);
}

void reconciler_force(struct reconciler *r, const struct item_ref *ref)
{
	enum resource_kind kind = item_resource(ref);

	for (unsigned c = controls_first(kind); c < controls_end(kind); c++) {
		struct item_ref one = *ref;

		if (ref->control != CONTROL_N_ && ref->control != (enum control_id)c)
			continue;
		one.control = (enum control_id)c;
		force_one(r, &one);
	}
	r->ports.observe(r->ports.ctx, ref);
	reconciler_plan_soon(r);
}

/* --- counting --- */

void reconciler_count_subscription(const struct subscription *s, struct reconciler_counts *ret)
{
	for (unsigned c = 0; c < CONTROL_N_; c++)
		for (unsigned state = 0; state < ITEM_STATE_N_; state++) {
			ret->by_control[c][state] += s->states[c][state];
			ret->by_state[state] += s->states[c][state];
		}
}

size_t reconciler_untold(const struct reconciler *r)
{
	return transition_teller_held(r->teller);
}

void reconciler_count(const struct reconciler *r, struct reconciler_counts *ret)
{
	struct map_entry *entry;

	*ret = (struct reconciler_counts){.transitions = r->transitions};
	map_for_each (&r->inventory->subscriptions, entry)
		reconciler_count_subscription(entry->value, ret);
}

struct reconciler *reconciler_new(const struct world *w, struct store *store, struct inventory *inv,
	const struct reconciler_ports *ports)
{
	struct reconciler *r = xcalloc(1, sizeof(*r));
	uint64_t seed;

	r->magic = RECONCILER_MAGIC;
	r->world = w;
	r->store = store;
	r->inventory = inv;
	r->ports = *ports;
	r->teller = transition_teller_new(w, store);
	r->deadline_at = WALL_NEVER;
	map_init(&r->memories, memory_free);
	heap_init(&r->due_subscriptions);
	heap_init(&r->due_machines);
	r->planned = (struct mono){INT64_MIN / 2};
	list_init(&r->judging);
	r->judge_timer = loop_timer_new(w->loop, judge_some, r);
	r->plan_timer = loop_timer_new(w->loop, plan_fired, r);
	r->forget_timer = loop_timer_new(w->loop, memories_swept, r);
	r->deadline_timer = loop_timer_new(w->loop, deadlines_fired, r);
	w->random->fill(w->random, &seed, sizeof(seed));
	rng_seed(&r->rng, seed);
	return r;
}

struct reconciler *reconciler_free(struct reconciler *r)
{
	if (r == NULL)
		return NULL;
	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	r->world->loop->ops->timer_free(r->judge_timer);
	r->world->loop->ops->timer_free(r->plan_timer);
	r->world->loop->ops->timer_free(r->forget_timer);
	r->world->loop->ops->timer_free(r->deadline_timer);
	transition_teller_free(r->teller);
	map_fini(&r->memories);
	heap_fini(&r->due_subscriptions);
	heap_fini(&r->due_machines);
	free(r);
	return NULL;
}
