/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reconciler.h"

#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/assess.h"

#include <string.h>

#define RECONCILER_MAGIC 0x5ec04c11u
/* Plans are cheap, but a burst of events needs only one. */
#define PLAN_DELAY DUR_MS(250)
/* Deadlines are looked at together; a second more or less does not matter to any of them. */
#define DEADLINE_GRAIN DUR_S(1)

/* What the store remembers about the items of one resource, until the resource is observed. */
struct memory {
	struct {
		bool known;
		uint8_t state, reason, attempts, corrections;
		struct wall since, due, first_drift;
		char *detail;
	} items[CONTROL_N_];
};

struct reconciler {
	uint32_t magic;
	const struct world *world;
	struct store *store;
	struct inventory *inventory;
	struct reconciler_ports ports;
	const struct config *config;
	struct map memories; /* resource id -> struct memory */
	struct loop_timer *plan_timer;
	bool plan_armed;
	struct loop_timer *deadline_timer;
	struct wall deadline_at;
	uint64_t transitions;
	struct rng rng;
	/* First sightings since the last summary. */
	uint64_t first_seen[CONTROL_N_][ITEM_STATE_N_];
	uint64_t first_seen_total;
};

struct item *item_of(const struct item_ref *ref)
{
	return inventory_item(ref->subscription, ref->machine, ref->control);
}

const char *item_resource_id(const struct item_ref *ref)
{
	return ref->machine != NULL ? ref->machine->id : ref->subscription->id;
}

struct control_view item_view(const struct item_ref *ref, const struct config *c, struct wall now)
{
	return (struct control_view){
		.config = c,
		.scope = ref->subscription->scope,
		.subscription = ref->subscription,
		.machine = ref->machine,
		.item = item_of(ref),
		.now = now,
	};
}

static const char *display_name(const struct item_ref *ref)
{
	if (ref->machine != NULL)
		return ref->machine->name;
	return str_empty(ref->subscription->name) ? ref->subscription->id : ref->subscription->name;
}

static void memory_free(void *memory)
{
	struct memory *m = memory;

	for (size_t i = 0; i < CONTROL_N_; i++)
		free(m->items[i].detail);
	free(m);
}

/* --- storing and telling --- */

static void store_item(struct reconciler *r, const struct item_ref *ref, struct item *item)
{
	struct stored_item row = {
		.control = control_word(ref->control),
		.resource_id = item_resource_id(ref),
		.state = item_state_word(item->state),
		.reason = reason_word(item->reason),
		.detail = item->detail,
		.since = item->since,
		.due = item->due,
		.first_drift = item->first_drift,
		.attempts = item->attempts,
		.corrections = item->corrections,
	};

	store_put_item(r->store, &row);
	item->stored = true;
}

static int transition_priority(enum item_state to)
{
	switch (to) {
	case ITEM_BLOCKED:
	case ITEM_BACKOFF:
	case ITEM_MANUAL: return LOG_WARNING;
	case ITEM_UNKNOWN:
	case ITEM_COMPLIANT:
	case ITEM_DRIFTED:
	case ITEM_WAITING:
	case ITEM_QUEUED:
	case ITEM_APPLYING:
	case ITEM_SETTLING:
	case ITEM_EXCLUDED:
	case ITEM_UNSUPPORTED:
	case ITEM_UNREACHABLE:
	case ITEM_STATE_N_: return LOG_NOTICE;
	}
	return LOG_NOTICE;
}

static void log_transition(struct reconciler *r, const struct item_ref *ref, enum item_state from,
	uint64_t seq, const char *correlation_id)
{
	const struct item *item = item_of(ref);
	const struct scope_config *scope = ref->subscription->scope;
	struct log_entry *e = log_begin(r->world->log, LOG_TRANSITION_MESSAGE);
	const char *sentence = reason_sentence(item->reason);
	bool detailed = !str_empty(item->detail);

	log_priority(e, transition_priority(item->state));
	log_addf(e, "MDCD_SEQ", "%llu", (unsigned long long)seq);
	log_add(e, "MDCD_CONTROL", control_word(ref->control));
	log_add(e, "MDCD_FROM", item_state_word(from));
	log_add(e, "MDCD_TO", item_state_word(item->state));
	log_add(e, "MDCD_REASON", reason_word(item->reason));
	log_add(e, "MDCD_DETAIL", item->detail);
	log_add(e, "MDCD_SUBSCRIPTION_ID", ref->subscription->id);
	log_add(e, "MDCD_RESOURCE_ID", item_resource_id(ref));
	log_add(e, "MDCD_MACHINE", ref->machine != NULL ? ref->machine->name : NULL);
	log_add(e, "MDCD_SCOPE", scope != NULL ? scope->name : NULL);
	log_add(e, "MDCD_CORRELATION_ID", correlation_id);
	log_commit(e, seq, "%s: %s %s -> %s%s%s%s%s", display_name(ref), control_word(ref->control),
		item_state_word(from), item_state_word(item->state), *sentence != '\0' ? ": " : "",
		sentence, detailed ? ": " : "", detailed ? item->detail : "");
}

static void tell_transition(struct reconciler *r, const struct item_ref *ref, enum item_state from,
	const char *correlation_id)
{
	struct item *item = item_of(ref);
	uint64_t seq;

	if (!item->summarised) {
		item->summarised = true;
		r->first_seen[ref->control][item->state]++;
		r->first_seen_total++;
		return;
	}
	seq = store_put_transition(r->store,
		&(struct stored_transition){
			.at = item->since,
			.control = control_word(ref->control),
			.resource_id = item_resource_id(ref),
			.from = item_state_word(from),
			.to = item_state_word(item->state),
			.reason = reason_word(item->reason),
			.detail = item->detail,
			.correlation_id = correlation_id,
		});
	r->transitions++;
	log_transition(r, ref, from, seq, correlation_id);
}

/* --- the one setter --- */

static void deadline_arm(struct reconciler *r, struct wall due);

static void note_drift(struct item *item, struct wall now)
{
	switch ((enum item_state)item->state) {
	case ITEM_COMPLIANT:
	case ITEM_EXCLUDED:
	case ITEM_UNSUPPORTED: item->first_drift = WALL_UNSET; break;
	case ITEM_DRIFTED:
	case ITEM_WAITING:
	case ITEM_BACKOFF:
	case ITEM_BLOCKED:
	case ITEM_MANUAL:
		if (!wall_is_set(item->first_drift))
			item->first_drift = now;
		break;
	case ITEM_UNKNOWN:
	case ITEM_QUEUED:
	case ITEM_APPLYING:
	case ITEM_SETTLING:
	case ITEM_UNREACHABLE:
	case ITEM_STATE_N_: break;
	}
}

static void run_effects(
	struct reconciler *r, const struct item_ref *ref, unsigned effects, enum item_state from)
{
	struct item *item = item_of(ref);
	bool left_flight = (from == ITEM_APPLYING || from == ITEM_SETTLING) &&
		item->state != ITEM_APPLYING && item->state != ITEM_SETTLING;

	if (effects & EFFECT_WITHDRAW)
		r->ports.withdraw(r->ports.ctx, ref);
	if (effects & EFFECT_SUCCEEDED)
		r->ports.ended(r->ports.ctx, ref, "succeeded");
	else if (left_flight && item->operation != NULL)
		r->ports.ended(r->ports.ctx, ref, reason_word(item->reason));
	if (effects & EFFECT_INQUIRE)
		r->ports.inquire(r->ports.ctx, ref);
	if (effects & EFFECT_OBSERVE)
		r->ports.observe(r->ports.ctx, ref);
	if (item->state == ITEM_DRIFTED)
		reconciler_plan_soon(r);
}

void reconciler_event(struct reconciler *r, const struct item_ref *ref,
	const struct item_event *event, const char *correlation_id)
{
	struct item *item = item_of(ref);
	struct wall now = loop_wall(r->world->loop);
	struct item_event seeded = *event;
	struct item_step step;
	enum item_state from = item->state;
	bool same_reason;

	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	seeded.random = rng_next(&r->rng);
	step = item_step(item, &seeded, now);
	if (step.ignored)
		return;
	same_reason = item->reason == step.reason;
	item->state = (uint8_t)step.state;
	item->reason = (uint8_t)step.reason;
	item->due = step.due;
	item->attempts = step.attempts;
	item->corrections = step.corrections;
	intern_set(&r->inventory->texts, &item->detail, event->detail);
	if (step.state == ITEM_COMPLIANT || step.state == ITEM_QUEUED)
		item->forced = false;
	if (step.changed) {
		item->since = now;
		note_drift(item, now);
		tell_transition(r, ref, from, correlation_id);
	}
	if (step.changed || !same_reason || !item->stored)
		store_item(r, ref, item);
	deadline_arm(r, item->due);
	run_effects(r, ref, step.effects, from);
}

/* --- judging --- */

static void restore_item(struct reconciler *r, const struct item_ref *ref, struct item *item)
{
	struct memory *m = map_get(&r->memories, item_resource_id(ref));
	struct item_event event = {
		.kind = EVENT_RESTORED, .reason = REASON_NOT_OBSERVED, .detail = ""};

	if (m == NULL || !m->items[ref->control].known)
		return;
	item->state = m->items[ref->control].state;
	item->reason = m->items[ref->control].reason;
	item->attempts = m->items[ref->control].attempts;
	item->corrections = m->items[ref->control].corrections;
	item->since = m->items[ref->control].since;
	item->due = m->items[ref->control].due;
	item->first_drift = m->items[ref->control].first_drift;
	intern_set(&r->inventory->texts, &item->detail, m->items[ref->control].detail);
	item->stored = true;
	item->summarised = true;
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

	if (item->applies)
		return;
	item->applies = true;
	item->control = (uint8_t)ref->control;
	item->due = WALL_NEVER;
	if (item->detail == NULL)
		item->detail = "";
	item->since = loop_wall(r->world->loop);
	restore_item(r, ref, item);
}

static void retire(struct reconciler *r, const struct item_ref *ref)
{
	struct item *item = item_of(ref);

	if (!item->applies)
		return;
	r->ports.withdraw(r->ports.ctx, ref);
	if (item->stored)
		store_delete_item(r->store, control_word(ref->control), item_resource_id(ref));
	intern_drop(&r->inventory->texts, item->detail);
	*item = (struct item){.control = (uint8_t)ref->control, .detail = ""};
}

/*
 * Graph can lag behind our own write. What it shows of a running operation counts when it is the
 * wanted end; a failure is believed only from ARM itself.
 */
static bool needs_a_closer_look(const struct item_ref *ref, const struct item_event *event)
{
	const struct item *item = item_of(ref);

	if (item->operation == NULL || ref->machine == NULL)
		return false;
	if (item->state != ITEM_APPLYING && item->state != ITEM_SETTLING)
		return false;
	switch (event->kind) {
	case EVENT_SEEN_FAILED:
	case EVENT_SEEN_BLOCKED:
	case EVENT_SEEN_UNSUPPORTED: return ref->machine->stamp.source != SOURCE_ARM;
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
	case EVENT_FORCED:
	case EVENT_RESTORED:
	case EVENT_RESTORED_INTENT:
	case EVENT_N_: return false;
	}
	return false;
}

static void judge(struct reconciler *r, const struct item_ref *ref)
{
	const struct control *control = control_by_id(ref->control);
	struct control_view view = item_view(ref, r->config, loop_wall(r->world->loop));
	struct verdict verdict = assess(control, &view);
	struct item_event event;

	if (verdict.kind == VERDICT_NOT_APPLICABLE) {
		retire(r, ref);
		return;
	}
	bring_to_life(r, ref);
	view.item = item_of(ref);
	verdict = assess(control, &view);
	event = item_event_from_verdict(&verdict);
	if (needs_a_closer_look(ref, &event)) {
		r->ports.inquire(r->ports.ctx, ref);
		return;
	}
	reconciler_event(r, ref, &event, NULL);
}

static void judge_subscription(struct reconciler *r, struct subscription *s)
{
	for (unsigned c = 0; c < SUBSCRIPTION_CONTROLS; c++)
		judge(r, &(struct item_ref){.subscription = s, .control = (enum control_id)c});
}

void reconciler_machine_seen(struct reconciler *r, struct machine *m)
{
	for (unsigned c = SUBSCRIPTION_CONTROLS; c < CONTROL_N_; c++)
		judge(r,
			&(struct item_ref){.subscription = m->subscription,
				.machine = m,
				.control = (enum control_id)c});
}

/* A plan or setting that comes into sync is what its machines were waiting for. */
static unsigned prerequisites_state(const struct subscription *s)
{
	unsigned mask = 0;

	for (unsigned c = 0; c < SUBSCRIPTION_CONTROLS; c++)
		if (s->items[c].applies && s->items[c].state == ITEM_COMPLIANT)
			mask |= 1u << c;
	return mask;
}

static void judge_machines(struct reconciler *r, struct subscription *s)
{
	for (uint32_t i = 0; i < s->machine_count; i++)
		reconciler_machine_seen(r, s->machines[i]);
}

void reconciler_subscription_seen(struct reconciler *r, struct subscription *s)
{
	unsigned before = prerequisites_state(s);

	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	judge_subscription(r, s);
	/* Once more: the second and third control wait for the first. */
	if (prerequisites_state(s) != before) {
		judge_subscription(r, s);
		judge_machines(r, s);
	}
}

void reconciler_machine_gone(struct reconciler *r, struct machine *m)
{
	for (unsigned c = SUBSCRIPTION_CONTROLS; c < CONTROL_N_; c++) {
		struct item_ref ref = {.subscription = m->subscription,
			.machine = m,
			.control = (enum control_id)c};

		if (item_of(&ref)->operation != NULL)
			r->ports.ended(r->ports.ctx, &ref, "machine-gone");
		retire(r, &ref);
	}
}

static void log_first_sight(struct reconciler *r, enum control_id c)
{
	struct buf text = BUF_INIT(1024);
	struct log_entry *e;

	for (unsigned s = 0; s < ITEM_STATE_N_; s++)
		if (r->first_seen[c][s] > 0)
			buf_addf(&text, "%s%llu %s", text.len > 0 ? ", " : "",
				(unsigned long long)r->first_seen[c][s],
				item_state_word((enum item_state)s));
	if (text.len > 0) {
		e = log_begin(r->world->log, LOG_FIRST_SIGHT_MESSAGE);
		log_add(e, "MDCD_CONTROL", control_word(c));
		log_commit(e, 0, "%s: first observation: %s", control_word(c), buf_str(&text));
	}
	buf_fini(&text);
}

void reconciler_pass_ended(struct reconciler *r)
{
	if (r->first_seen_total > 0)
		for (unsigned c = 0; c < CONTROL_N_; c++)
			log_first_sight(r, (enum control_id)c);
	memset(r->first_seen, 0, sizeof(r->first_seen));
	r->first_seen_total = 0;
	store_flush(r->store, NULL, NULL);
	reconciler_plan_soon(r);
}

/* --- all items, in a fixed order --- */

typedef void (*item_visit_fn)(struct reconciler *r, const struct item_ref *ref, void *ctx);

static void visit_items(struct reconciler *r, item_visit_fn visit, void *ctx)
{
	struct map_entry *entry;

	map_for_each (&r->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		for (unsigned c = 0; c < SUBSCRIPTION_CONTROLS; c++)
			if (s->items[c].applies)
				visit(r,
					&(struct item_ref){
						.subscription = s, .control = (enum control_id)c},
					ctx);
		for (uint32_t i = 0; i < s->machine_count; i++)
			for (unsigned c = SUBSCRIPTION_CONTROLS; c < CONTROL_N_; c++)
				if (s->machines[i]->items[c - SUBSCRIPTION_CONTROLS].applies)
					visit(r,
						&(struct item_ref){.subscription = s,
							.machine = s->machines[i],
							.control = (enum control_id)c},
						ctx);
	}
}

/* --- deadlines --- */

static struct mono mono_of(struct reconciler *r, struct wall at)
{
	struct dur left = wall_since(at, loop_wall(r->world->loop));

	return mono_add(loop_mono(r->world->loop), dur_max(left, DUR_MS(0)));
}

static void deadline_arm(struct reconciler *r, struct wall due)
{
	if (due.ms == WALL_NEVER.ms || !wall_before(due, r->deadline_at))
		return;
	r->deadline_at = due;
	r->world->loop->ops->timer_arm(r->deadline_timer, mono_of(r, due));
}

static void fire_if_due(struct reconciler *r, const struct item_ref *ref, void *ctx)
{
	struct item *item = item_of(ref);
	struct wall now = *(const struct wall *)ctx;

	if (!wall_before(now, item->due)) {
		struct item_event event = {
			.kind = EVENT_DEADLINE, .reason = item->reason, .detail = item->detail};

		item->due = WALL_NEVER;
		reconciler_event(r, ref, &event, NULL);
		if (item->operation == NULL)
			judge(r, ref);
	}
	if (item->applies)
		deadline_arm(r, item->due);
}

static void deadline_fired(void *ctx)
{
	struct reconciler *r = ctx;
	struct wall now = loop_wall(r->world->loop);

	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	/* Whatever is due within the grain goes now, so that a crowd wakes the loop once. */
	now = wall_add(now, DEADLINE_GRAIN);
	r->deadline_at = WALL_NEVER;
	visit_items(r, fire_if_due, &now);
	store_flush(r->store, NULL, NULL);
}

/* --- planning --- */

static void carry_out_ready(struct reconciler *r, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->steps[i];
		struct item_ref ref = {.subscription = step->subscription,
			.machine = step->machine,
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

static void plan_fired(void *ctx)
{
	struct reconciler *r = ctx;
	struct plan_limits limits = {0};
	struct plan plan;

	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	r->plan_armed = false;
	if (r->config == NULL)
		return;
	r->ports.limits(r->ports.ctx, &limits);
	plan_build(r->config, r->inventory, &limits, &plan);
	carry_out_ready(r, &plan);
	plan_fini(&plan);
	store_flush(r->store, NULL, NULL);
}

void reconciler_plan_soon(struct reconciler *r)
{
	if (r->plan_armed)
		return;
	r->plan_armed = true;
	r->world->loop->ops->timer_arm(
		r->plan_timer, mono_add(loop_mono(r->world->loop), PLAN_DELAY));
}

/* --- configuration and operators --- */

static void reconfigure(struct reconciler *r, const struct item_ref *ref, void *ctx)
{
	struct item_event event = {
		.kind = EVENT_RECONFIGURED, .reason = REASON_RELOADED, .detail = ""};

	(void)ctx;
	reconciler_event(r, ref, &event, NULL);
}

void reconciler_configure(struct reconciler *r, const struct config *c)
{
	bool first = r->config == NULL;
	struct map_entry *entry;

	r->config = c;
	scope_resolve(c, r->inventory);
	if (first)
		return;
	visit_items(r, reconfigure, NULL);
	map_for_each (&r->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		judge_subscription(r, s);
		judge_subscription(r, s);
		judge_machines(r, s);
	}
	reconciler_plan_soon(r);
	store_flush(r->store, NULL, NULL);
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
	if (item->operation == NULL)
		judge(r, ref);
}

void reconciler_force(struct reconciler *r, const struct item_ref *ref)
{
	unsigned first = ref->machine != NULL ? SUBSCRIPTION_CONTROLS : 0;
	unsigned last = ref->machine != NULL ? CONTROL_N_ : SUBSCRIPTION_CONTROLS;

	for (unsigned c = first; c < last; c++) {
		struct item_ref one = *ref;

		if (ref->control != CONTROL_N_ && ref->control != (enum control_id)c)
			continue;
		one.control = (enum control_id)c;
		force_one(r, &one);
	}
	r->ports.observe(r->ports.ctx, ref);
	reconciler_plan_soon(r);
}

/* --- memory --- */

static uint8_t saturated(unsigned n)
{
	return (uint8_t)(n > UINT8_MAX ? UINT8_MAX : n);
}

static void remember(void *ctx, const struct stored_item *row)
{
	struct reconciler *r = ctx;
	enum control_id control = control_from_word(row->control);
	enum item_state state = item_state_from_word(row->state);
	enum reason reason = reason_from_word(row->reason);
	struct memory *m;

	/* A word of a later or earlier version: the item starts anew. */
	if (control == CONTROL_N_ || state == ITEM_STATE_N_ || reason == REASON_N_)
		return;
	m = map_get(&r->memories, row->resource_id);
	if (m == NULL) {
		m = xcalloc(1, sizeof(*m));
		map_set(&r->memories, row->resource_id, m);
	}
	m->items[control].known = true;
	m->items[control].state = (uint8_t)state;
	m->items[control].reason = (uint8_t)reason;
	m->items[control].attempts = saturated(row->attempts);
	m->items[control].corrections = saturated(row->corrections);
	m->items[control].since = row->since;
	m->items[control].due = row->due;
	m->items[control].first_drift = row->first_drift;
	if (m->items[control].detail == NULL && !str_empty(row->detail))
		m->items[control].detail = xstrdup(row->detail);
}

int reconciler_restore(struct reconciler *r)
{
	return store_load_items(r->store, remember, r);
}

/* --- counting --- */

static void count_item(struct reconciler *r, const struct item_ref *ref, void *ctx)
{
	struct reconciler_counts *counts = ctx;
	const struct item *item = item_of(ref);

	(void)r;
	counts->by_state[item->state]++;
	counts->by_control[ref->control][item->state]++;
}

void reconciler_count(const struct reconciler *r, struct reconciler_counts *ret)
{
	*ret = (struct reconciler_counts){.transitions = r->transitions};
	visit_items((struct reconciler *)r, count_item, ret);
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
	r->deadline_at = WALL_NEVER;
	map_init(&r->memories, memory_free);
	r->plan_timer = loop_timer_new(w->loop, plan_fired, r);
	r->deadline_timer = loop_timer_new(w->loop, deadline_fired, r);
	w->random->fill(w->random, &seed, sizeof(seed));
	rng_seed(&r->rng, seed);
	return r;
}

struct reconciler *reconciler_free(struct reconciler *r)
{
	if (r == NULL)
		return NULL;
	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	r->world->loop->ops->timer_free(r->plan_timer);
	r->world->loop->ops->timer_free(r->deadline_timer);
	map_fini(&r->memories);
	free(r);
	return NULL;
}
