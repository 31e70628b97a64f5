/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reconciler_parts.h"

#include "lib/base/str.h"

#include <string.h>

/* --- counting --- */

static uint32_t *count_of(const struct item_ref *ref)
{
	return &ref->subscription->states[ref->control][item_of(ref)->state];
}

void item_begin(const struct item_ref *ref)
{
	struct item *item = item_of(ref);

	assert(!item->applies);
	item->applies = true;
	item->control = (uint8_t)ref->control;
	++*count_of(ref);
}

void item_move(const struct item_ref *ref, enum item_state to)
{
	struct item *item = item_of(ref);

	if (item->applies)
		--*count_of(ref);
	item->state = (uint8_t)to;
	if (item->applies)
		++*count_of(ref);
}

void item_end(const struct item_ref *ref)
{
	struct item *item = item_of(ref);

	if (item->applies)
		--*count_of(ref);
	item->applies = false;
}

/* --- telling --- */

static const char *display_name(const struct item_ref *ref)
{
	if (ref->workspace != NULL)
		return ref->workspace->name;
	if (ref->connector != NULL)
		return ref->connector->name;
	if (ref->machine != NULL)
		return ref->machine->name;
	return str_empty(ref->subscription->name) ? ref->subscription->id : ref->subscription->name;
}

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

static struct transition transition_of(const struct item_ref *ref, enum item_state from)
{
	const struct item *item = item_of(ref);
	const struct subscription *s = ref->subscription;

	return (struct transition){
		.control = ref->control,
		.resource_id = item_resource_id(ref),
		.name = display_name(ref),
		.subscription_id = s->id,
		.machine = ref->machine != NULL ? ref->machine->name : NULL,
		.scope = s->scope != NULL ? s->scope->name : NULL,
		.from = from,
		.to = (enum item_state)item->state,
		.reason = (enum reason)item->reason,
		.detail = item->detail,
	};
}

/* Stored, counted and told: once for each change. */
static void record_transition(struct reconciler *r, const struct transition *t)
{
	r->transitions++;
	transition_teller_take(r->teller, t);
}

static void tell_transition(struct reconciler *r, const struct item_ref *ref, enum item_state from,
	const char *correlation_id)
{
	struct item *item = item_of(ref);
	struct transition t = transition_of(ref, from);

	if (!item->summarised) {
		item->summarised = true;
		r->first_seen[ref->control][item->state]++;
		r->first_seen_total++;
		return;
	}
	t.correlation_id = correlation_id;
	record_transition(r, &t);
}

void tell_leaving(struct reconciler *r, const struct item_ref *ref, enum reason reason)
{
	struct transition t = transition_of(ref, (enum item_state)item_of(ref)->state);

	t.to = ITEM_UNKNOWN;
	t.reason = reason;
	t.detail = "";
	if (item_of(ref)->summarised && t.from != ITEM_UNKNOWN)
		record_transition(r, &t);
}

void tell_forgetting(struct reconciler *r, const struct remembered_item *item, enum reason reason)
{
	const char *slash = strrchr(item->resource_id, '/');
	struct transition t = {.control = item->control,
		.resource_id = item->resource_id,
		.name = slash != NULL ? slash + 1 : item->resource_id,
		.machine = control_resource(item->control) == ON_MACHINE && slash != NULL
			? slash + 1
			: NULL,
		.from = item->from,
		.to = ITEM_UNKNOWN,
		.reason = reason,
		.detail = ""};

	if (t.from != ITEM_UNKNOWN)
		record_transition(r, &t);
}

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

/* Whether the row in the store would say something else than the item does. */
static bool is_stored_as(const struct item *item, const struct item *before)
{
	return item->stored && item->state == before->state && item->reason == before->reason &&
		item->attempts == before->attempts && item->corrections == before->corrections &&
		item->due.ms == before->due.ms && item->first_drift.ms == before->first_drift.ms &&
		item->detail == before->detail;
}

/* The state may be the same; that it is urgent now is told all the same. */
static bool is_urgent_news(const struct item *item, const struct item *before)
{
	return item->reason != before->reason && reason_is_urgent((enum reason)item->reason);
}

/* What a call did, or a failure that has just come, shows in how the same facts are seen next. */
static bool is_to_be_judged_again(const struct item_event *event, const struct item_step *step)
{
	return step->changed &&
		(event->kind > EVENT_SEEN_UNREACHABLE || step->state == ITEM_BACKOFF);
}

void reconciler_event(struct reconciler *r, const struct item_ref *ref,
	const struct item_event *event, const char *correlation_id)
{
	struct item *item = item_of(ref);
	struct wall now = loop_wall(r->world->loop);
	struct item_event seeded = *event;
	struct item before = *item;
	struct item_step step;
	enum item_state from = item->state;

	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	seeded.random = rng_next(&r->rng);
	step = item_step(item, &seeded, now);
	if (step.ignored)
		return;
	if (ref->machine != NULL && is_to_be_judged_again(event, &step))
		ref->machine->unjudged = true;
	item_move(ref, step.state);
	item->reason = (uint8_t)step.reason;
	item->due = step.due;
	item->attempts = step.attempts;
	item->misses = step.misses;
	item->corrections = step.corrections;
	intern_set(&r->inventory->texts, &item->detail, event->detail);
	if (step.state == ITEM_COMPLIANT || step.state == ITEM_QUEUED)
		item->forced = false;
	if (step.changed) {
		item->since = now;
		note_drift(item, now);
	}
	if (step.changed || is_urgent_news(item, &before))
		tell_transition(r, ref, from, correlation_id);
	if (!is_stored_as(item, &before))
		store_item(r, ref, item);
	deadlines_update(r, ref->subscription, ref->machine);
	run_effects(r, ref, step.effects, from);
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

void tell_first_sights(struct reconciler *r)
{
	if (r->first_seen_total > 0)
		for (unsigned c = 0; c < CONTROL_N_; c++)
			log_first_sight(r, (enum control_id)c);
	memset(r->first_seen, 0, sizeof(r->first_seen));
	r->first_seen_total = 0;
}
