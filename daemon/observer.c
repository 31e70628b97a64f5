/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pass.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

/* Listings of one pass that run at the same time; Graph's quota is 15 in 5 s. */
#define LISTINGS_AT_ONCE 6
/* Machines that are judged in one turn of the loop. */
#define TELL_AT_ONCE 256
/* How long Graph is left alone once it has refused. */
#define GRAPH_REST DUR_H(1)

const char *pass_kind_word(enum pass_kind k)
{
	switch (k) {
	case PASS_SUBSCRIPTIONS: return "subscriptions";
	case PASS_MACHINES: return "machines";
	case PASS_WATCH: return "watch";
	case PASS_KIND_N_: break;
	}
	return "unknown";
}

const struct identity_config *pass_identity(const struct pass *p)
{
	return &p->observer->config->identities[p->identity];
}

void pass_problem(struct pass *p, const char *what, const struct arm_error *error)
{
	const char *why = error == NULL   ? "incomplete"
		: *error->message != '\0' ? error->message
					  : error->code;

	p->report.problems++;
	if (*p->report.first_problem != '\0')
		return;
	snprintf(p->report.first_problem, sizeof(p->report.first_problem), "%s: %.200s", what, why);
}

bool graph_refuses(const struct arm_error *error)
{
	switch (error->class) {
	case ARM_ERROR_DENIED:
	case ARM_ERROR_POLICY:
	case ARM_ERROR_REQUEST:
	case ARM_ERROR_ABSENT:
	case ARM_ERROR_UNREGISTERED: return true;
	case ARM_ERROR_NONE:
	case ARM_ERROR_THROTTLED:
	case ARM_ERROR_TRANSIENT:
	case ARM_ERROR_BUSY:
	case ARM_ERROR_LOCKED:
	case ARM_ERROR_DISABLED:
	case ARM_ERROR_NO_SUBSCRIPTION:
	case ARM_ERROR_TOKEN:
	case ARM_ERROR_IDENTITY:
	case ARM_ERROR_CHANGED:
	case ARM_ERROR_TOO_LARGE:
	case ARM_ERROR_CLASS_N_: return false;
	}
	return false;
}

/* --- the parts of a stage --- */

static void stage_advance(struct pass *p);

struct part *part_new(struct pass *p, size_t index)
{
	struct part *part = xcalloc(1, sizeof(*part));

	part->pass = p;
	part->index = index;
	part->asked = loop_wall(p->observer->world->loop);
	list_append(&p->listings, &part->link);
	p->pending++;
	return part;
}

struct listing_target part_target(struct part *part, listing_row_fn row, listing_done_fn done)
{
	struct observer *o = part->pass->observer;

	return (struct listing_target){
		.client = o->client,
		.loop = o->world->loop,
		.identity = pass_identity(part->pass)->name,
		.row = row,
		.done = done,
		.ctx = part,
	};
}

void part_end(struct part *part)
{
	struct pass *p = part->pass;

	list_remove(&part->link);
	free(part);
	p->pending--;
	stage_advance(p);
}

struct progress *pass_progress(struct pass *p, const char *subscription)
{
	for (size_t i = 0; i < p->count; i++)
		if (str_equal_nocase(p->progress[i].subscription->id, subscription))
			return &p->progress[i];
	return NULL;
}

struct listing *list_batch(struct part *part, enum graph_table table, unsigned index,
	listing_row_fn row, listing_done_fn done)
{
	struct pass *p = part->pass;
	const struct batch *b = &p->batches[part->index];
	struct listing_target target = part_target(part, row, done);
	unsigned partitions = b->partitions > 0 ? b->partitions : 1;
	const char *ids[BATCH_SUBSCRIPTIONS];

	for (size_t i = 0; i < b->count; i++)
		ids[i] = p->progress[b->first + i].subscription->id;
	return listing_graph(&target, table, partitions, index, ids, b->count);
}

/* --- which subscriptions the pass is about --- */

static bool pass_concerns(const struct pass *p, const struct subscription *s)
{
	return s->scope != NULL && s->scope->identity == pass_identity(p) && s->visible;
}

static void add_progress(struct pass *p, struct subscription *s)
{
	p->progress = xreallocarray(p->progress, p->count + 1, sizeof(*p->progress));
	p->progress[p->count++] = (struct progress){.subscription = s};
}

static void collect_all(struct pass *p)
{
	struct map_entry *entry;

	map_for_each (&p->observer->inventory->subscriptions, entry)
		if (pass_concerns(p, entry->value))
			add_progress(p, entry->value);
}

static void collect_watched(struct pass *p)
{
	const struct subscription *watched[BATCH_SUBSCRIPTIONS];
	struct observer *o = p->observer;
	size_t n = o->ports.watched(o->ports.ctx, watched, ARRAY_LEN(watched));

	for (size_t i = 0; i < n; i++)
		if (pass_concerns(p, watched[i]))
			add_progress(p, inventory_subscription(o->inventory, watched[i]->id));
}

static bool graph_rests(const struct observer *o)
{
	return wall_is_set(o->graph_refused) &&
		wall_since(loop_wall(o->world->loop), o->graph_refused).ms < GRAPH_REST.ms;
}

static void make_batches(struct pass *p)
{
	p->batch_count = (p->count + BATCH_SUBSCRIPTIONS - 1) / BATCH_SUBSCRIPTIONS;
	free(p->batches);
	p->batches = xcalloc(p->batch_count + 1, sizeof(*p->batches));
	for (size_t i = 0; i < p->batch_count; i++) {
		size_t first = i * BATCH_SUBSCRIPTIONS, left = p->count - first;

		p->batches[i].first = first;
		p->batches[i].count = left < BATCH_SUBSCRIPTIONS ? left : BATCH_SUBSCRIPTIONS;
		p->batches[i].from_arm = graph_rests(p->observer);
	}
}

static void collect(struct pass *p)
{
	p->count = 0;
	if (p->kind == PASS_WATCH)
		collect_watched(p);
	else
		collect_all(p);
	make_batches(p);
}

/* --- telling what was seen --- */

/* Subscriptions that are configured and cannot be seen have something to tell, too. */
static void tell_invisible(struct pass *p)
{
	struct observer *o = p->observer;
	struct map_entry *entry;

	map_for_each (&o->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		if (!s->visible && s->scope != NULL && s->scope->identity == pass_identity(p))
			o->ports.subscription_seen(o->ports.ctx, s);
	}
}

/* Some machines, then back to the loop; false when all are told. */
static bool tell_some(struct pass *p)
{
	struct observer *o = p->observer;
	unsigned told = 0;

	for (; p->next < p->count; p->next++, p->machine = 0) {
		struct subscription *s = p->progress[p->next].subscription;

		if (p->machine == 0)
			o->ports.subscription_seen(o->ports.ctx, s);
		while (p->kind == PASS_MACHINES && p->machine < s->machine_count) {
			if (told++ == TELL_AT_ONCE)
				return true;
			o->ports.machine_seen(o->ports.ctx, s->machines[p->machine++]);
		}
	}
	p->report.subscriptions += p->count;
	return false;
}

static void tell_more(void *ctx)
{
	struct observer *o = ctx;

	/* Given up meanwhile: another configuration came. */
	if (o->pass != NULL && o->pass->stage == STAGE_TELL)
		stage_advance(o->pass);
}

/* --- the end of a pass --- */

static void pass_free(struct pass *p)
{
	list_for_each (&p->listings, node) {
		struct part *part = list_entry(node, struct part, link);

		listing_cancel(part->listing);
		if (part->call != NULL)
			arm_client_cancel(p->observer->client, part->call);
		free(part);
	}
	free(p->progress);
	free(p->batches);
	free(p);
}

static void start_wanted(struct observer *o);

static void pass_over(void *ctx)
{
	struct observer *o = ctx;
	struct pass *p = o->pass;

	if (p == NULL || p->stage != STAGE_END)
		return;
	o->pass = NULL;
	p->report.ended = loop_wall(o->world->loop);
	o->ports.pass_ended(o->ports.ctx, &p->report);
	pass_free(p);
	start_wanted(o);
}

/* --- from stage to stage --- */

static enum stage first_stage(enum pass_kind kind)
{
	return kind == PASS_SUBSCRIPTIONS ? STAGE_SUBSCRIPTIONS : STAGE_COUNTS;
}

static enum stage next_stage(const struct pass *p)
{
	switch (p->stage) {
	case STAGE_SUBSCRIPTIONS: return STAGE_GROUPS;
	case STAGE_GROUPS: return STAGE_PLANS;
	case STAGE_PLANS: return STAGE_PLANS_FROM_ARM;
	case STAGE_PLANS_FROM_ARM: return STAGE_SETTINGS;
	case STAGE_SETTINGS: return STAGE_TELL;
	case STAGE_COUNTS: return p->kind == PASS_WATCH ? STAGE_EXTENSIONS : STAGE_MACHINES;
	case STAGE_MACHINES: return STAGE_EXTENSIONS;
	case STAGE_EXTENSIONS: return p->kind == PASS_WATCH ? STAGE_END : STAGE_TELL;
	case STAGE_TELL:
	case STAGE_END: return STAGE_END;
	}
	return STAGE_END;
}

static void stage_enter(struct pass *p, enum stage stage)
{
	struct observer *o = p->observer;

	p->stage = stage;
	p->next = 0;
	p->machine = 0;
	switch (stage) {
	case STAGE_PLANS:
		o->ports.subscriptions_listed(o->ports.ctx);
		note_invisible(p);
		collect(p);
		break;
	case STAGE_COUNTS:
		collect(p);
		if (p->kind == PASS_MACHINES)
			inventory_sweep_begin(o->inventory);
		break;
	case STAGE_TELL:
		conclude_machines(p);
		if (p->kind == PASS_SUBSCRIPTIONS)
			tell_invisible(p);
		break;
	case STAGE_SUBSCRIPTIONS:
	case STAGE_GROUPS:
	case STAGE_PLANS_FROM_ARM:
	case STAGE_SETTINGS:
	case STAGE_MACHINES:
	case STAGE_EXTENSIONS:
	case STAGE_END: break;
	}
}

static bool stage_start_one(struct pass *p)
{
	switch (p->stage) {
	case STAGE_SUBSCRIPTIONS: return start_subscriptions(p);
	case STAGE_GROUPS: return start_groups(p);
	case STAGE_PLANS: return start_plans(p);
	case STAGE_PLANS_FROM_ARM: return start_plan_from_arm(p);
	case STAGE_SETTINGS: return start_settings(p);
	case STAGE_COUNTS: return start_counts(p);
	case STAGE_MACHINES: return start_machines(p);
	case STAGE_EXTENSIONS: return start_extensions(p);
	case STAGE_TELL:
	case STAGE_END: return false;
	}
	return false;
}

static void stage_advance(struct pass *p)
{
	struct loop *loop = p->observer->world->loop;

	for (;;) {
		while (p->pending < LISTINGS_AT_ONCE && stage_start_one(p))
			;
		if (p->pending > 0)
			return;
		if (p->stage == STAGE_TELL && tell_some(p)) {
			loop->ops->defer(loop, tell_more, p->observer);
			return;
		}
		stage_enter(p, next_stage(p));
		if (p->stage != STAGE_END)
			continue;
		if (++p->identity >= p->observer->config->identity_count) {
			loop->ops->defer(loop, pass_over, p->observer);
			return;
		}
		stage_enter(p, first_stage(p->kind));
	}
}

static void pass_start(struct observer *o, enum pass_kind kind)
{
	struct pass *p = xcalloc(1, sizeof(*p));

	o->pass = p;
	p->observer = o;
	p->kind = kind;
	p->report.kind = kind;
	p->report.started = loop_wall(o->world->loop);
	list_init(&p->listings);
	stage_enter(p, first_stage(kind));
	stage_advance(p);
}

static void start_wanted(struct observer *o)
{
	for (unsigned k = 0; k < PASS_KIND_N_ && o->pass == NULL; k++) {
		if (!o->wanted[k])
			continue;
		o->wanted[k] = false;
		pass_start(o, (enum pass_kind)k);
	}
}

void observer_pass(struct observer *o, enum pass_kind kind)
{
	MDC_MAGIC_CHECK(o, OBSERVER_MAGIC);
	if (o->config == NULL || o->config->identity_count == 0)
		return;
	o->wanted[kind] = true;
	if (o->pass == NULL)
		start_wanted(o);
}

bool observer_is_busy(const struct observer *o)
{
	return o->pass != NULL || !list_is_empty(&o->refreshes);
}

bool observer_graph_is_refused(const struct observer *o)
{
	return graph_rests(o);
}

/* --- life --- */

void observer_configure(struct observer *o, const struct config *c)
{
	enum pass_kind kind = PASS_SUBSCRIPTIONS;
	bool again = o->pass != NULL;

	if (again) {
		kind = o->pass->kind;
		pass_free(o->pass);
		o->pass = NULL;
	}
	refresh_cancel_all(o);
	o->graph_refused = WALL_UNSET;
	o->config = c;
	if (again)
		observer_pass(o, kind);
}

struct observer *observer_new(const struct world *w, struct arm_client *client,
	struct inventory *inv, const struct observer_ports *ports)
{
	struct observer *o = xcalloc(1, sizeof(*o));

	o->magic = OBSERVER_MAGIC;
	o->world = w;
	o->client = client;
	o->inventory = inv;
	o->ports = *ports;
	list_init(&o->refreshes);
	return o;
}

struct observer *observer_free(struct observer *o)
{
	if (o == NULL)
		return NULL;
	MDC_MAGIC_CHECK(o, OBSERVER_MAGIC);
	refresh_cancel_all(o);
	if (o->pass != NULL)
		pass_free(o->pass);
	free(o);
	return NULL;
}
