/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/observer.h"

#include "daemon/listing.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/scope.h"

#include <string.h>

#define OBSERVER_MAGIC 0x0b5e2be2u
/* Subscriptions in one Graph query: Microsoft recommends groups under 300. */
#define BATCH_SUBSCRIPTIONS 200
/* Listings of one pass that run at the same time; Graph's quota is 15 in 5 s. */
#define LISTINGS_AT_ONCE 6
#define REFRESHES_AT_ONCE 16
/* Fewer machines than told or than before, in percent, makes a list incomplete. */
#define COUNT_TOLERANCE 10

/* The stages of a pass, in order; each ends when its listings have. */
enum stage {
	STAGE_SUBSCRIPTIONS,
	STAGE_GROUPS,
	STAGE_PLANS,
	STAGE_PLANS_FROM_ARM,
	STAGE_SETTINGS,
	STAGE_COUNTS,
	STAGE_MACHINES,
	STAGE_EXTENSIONS,
	STAGE_END,
};

/* What was learnt about one subscription in the present pass. */
struct progress {
	struct subscription *subscription;
	bool plan_read, settings_failed, counted;
	uint64_t machines, extensions;
	bool listed[SETTING_N_];
};

/* A batch of subscriptions that share their Graph queries. */
struct batch {
	size_t first, count; /* in pass->progress */
	uint64_t machines, extensions;
	unsigned partitions, next;
	bool incomplete;
};

struct pass {
	struct observer *observer;
	enum pass_kind kind;
	enum stage stage;
	size_t identity; /* index into the configuration's */
	struct progress *progress;
	size_t count;
	struct batch *batches;
	size_t batch_count;
	size_t next; /* next listing of the stage to start */
	unsigned pending;
	bool list_complete; /* of subscriptions */
	struct list listings;
	struct pass_report report;
};

/* One listing of a pass, and which part it reads. */
struct part {
	struct pass *pass;
	struct list link;
	struct listing *listing;
	struct arm_call *call;
	size_t index; /* of the progress or the batch */
};

struct refresh {
	struct observer *observer;
	struct list link;
	struct subscription *subscription;
	struct machine *machine;
	struct arm_call *call;
	struct listing *listing;
	bool settings_listed[SETTING_N_];
	bool mde_seen, legacy_seen;
	bool started;
};

struct observer {
	uint32_t magic;
	const struct world *world;
	struct arm_client *client;
	struct inventory *inventory;
	struct observer_ports ports;
	const struct config *config;
	struct pass *pass;
	bool wanted[PASS_KIND_N_];
	struct list refreshes;
	unsigned refreshing;
};

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

static struct stamp stamp_now(const struct observer *o, enum fact_source source)
{
	return (struct stamp){.at = loop_wall(o->world->loop), .source = source};
}

static const struct identity_config *identity_of(const struct pass *p)
{
	return &p->observer->config->identities[p->identity];
}

static void problem(struct pass *p, const char *what, const struct arm_error *error)
{
	const char *why = error == NULL   ? "incomplete"
		: *error->message != '\0' ? error->message
					  : error->code;

	p->report.problems++;
	if (*p->report.first_problem != '\0')
		return;
	snprintf(p->report.first_problem, sizeof(p->report.first_problem), "%s: %.200s", what, why);
}

/* --- running the listings of a stage --- */

static void stage_advance(struct pass *p);

static struct part *part_new(struct pass *p, size_t index)
{
	struct part *part = xcalloc(1, sizeof(*part));

	part->pass = p;
	part->index = index;
	list_append(&p->listings, &part->link);
	p->pending++;
	return part;
}

static struct listing_target target_of(struct part *part, listing_row_fn row, listing_done_fn done)
{
	struct observer *o = part->pass->observer;

	return (struct listing_target){.client = o->client,
		.loop = o->world->loop,
		.identity = identity_of(part->pass)->name,
		.row = row,
		.done = done,
		.ctx = part};
}

static void part_end(struct part *part)
{
	struct pass *p = part->pass;

	list_remove(&part->link);
	free(part);
	p->pending--;
	stage_advance(p);
}

/* --- stage: which subscriptions are there --- */

static void subscription_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	struct arm_subscription facts;
	struct subscription *s;
	bool changed;

	if (arm_subscription_read(row, &facts) != 0 || !str_is_guid(facts.id))
		return;
	s = inventory_add_subscription(o->inventory, facts.id);
	inventory_set_subscription(o->inventory, s, &facts,
		stamp_now(o, part->pass->stage == STAGE_GROUPS ? SOURCE_GRAPH : SOURCE_ARM),
		&changed);
	s->visible = true;
	s->pass_seen = true;
}

/* A subscription that left a complete list is not visible any more; nothing else is concluded. */
static void note_invisible(struct pass *p)
{
	struct map_entry *entry;

	map_for_each (&p->observer->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		if (!s->pass_seen && s->scope != NULL && s->scope->identity == identity_of(p))
			s->visible = false;
	}
}

static void subscriptions_done(
	void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;
	struct pass *p = part->pass;

	(void)rows;
	p->list_complete = error->class == ARM_ERROR_NONE && complete;
	if (!p->list_complete)
		problem(p, "the list of subscriptions",
			error->class != ARM_ERROR_NONE ? error : NULL);
	part_end(part);
}

static void add_configured(struct pass *p)
{
	const struct config *c = p->observer->config;

	for (size_t i = 0; i < c->scope_count; i++)
		for (size_t k = 0; k < c->scopes[i].subscription_count; k++)
			inventory_add_subscription(
				p->observer->inventory, c->scopes[i].subscriptions[k]);
}

static void start_subscriptions(struct pass *p)
{
	struct part *part = part_new(p, 0);
	struct listing_target target = target_of(part, subscription_row, subscriptions_done);
	struct arm_request request = {0};
	struct map_entry *entry;

	map_for_each (&p->observer->inventory->subscriptions, entry)
		((struct subscription *)entry->value)->pass_seen = false;
	arm_list_subscriptions(&request);
	part->listing = listing_arm(&target, &request);
}

static bool identity_uses_groups(const struct pass *p)
{
	const struct config *c = p->observer->config;

	for (size_t i = 0; i < c->scope_count; i++)
		if (c->scopes[i].identity == identity_of(p) &&
			c->scopes[i].management_group_count > 0)
			return true;
	return false;
}

static void groups_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;

	(void)rows;
	if (error->class != ARM_ERROR_NONE || !complete)
		problem(part->pass, "the management groups",
			error->class != ARM_ERROR_NONE ? error : NULL);
	part_end(part);
}

static void start_groups(struct pass *p)
{
	struct part *part = part_new(p, 0);
	struct listing_target target = target_of(part, subscription_row, groups_done);

	part->listing = listing_graph(&target, GRAPH_SUBSCRIPTIONS, 1, 0, NULL, 0);
}

/* --- which subscriptions the pass is about --- */

static bool pass_concerns(const struct pass *p, const struct subscription *s)
{
	return s->scope != NULL && s->scope->identity == identity_of(p) && s->visible;
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

static void collect(struct pass *p)
{
	p->count = 0;
	if (p->kind == PASS_WATCH)
		collect_watched(p);
	else
		collect_all(p);
	p->batch_count = (p->count + BATCH_SUBSCRIPTIONS - 1) / BATCH_SUBSCRIPTIONS;
	free(p->batches);
	p->batches = xcalloc(p->batch_count + 1, sizeof(*p->batches));
	for (size_t i = 0; i < p->batch_count; i++) {
		p->batches[i].first = i * BATCH_SUBSCRIPTIONS;
		p->batches[i].count = p->count - p->batches[i].first < BATCH_SUBSCRIPTIONS
			? p->count - p->batches[i].first
			: BATCH_SUBSCRIPTIONS;
	}
}

static struct progress *progress_of(struct pass *p, const char *subscription)
{
	for (size_t i = 0; i < p->count; i++)
		if (str_equal_nocase(p->progress[i].subscription->id, subscription))
			return &p->progress[i];
	return NULL;
}

static struct listing *list_batch(struct part *part, enum graph_table table, unsigned partitions,
	unsigned index, listing_row_fn row, listing_done_fn done)
{
	struct pass *p = part->pass;
	const struct batch *b = &p->batches[part->index];
	struct listing_target target = target_of(part, row, done);
	const char *ids[BATCH_SUBSCRIPTIONS];

	for (size_t i = 0; i < b->count; i++)
		ids[i] = p->progress[b->first + i].subscription->id;
	return listing_graph(&target, table, partitions, index, ids, b->count);
}

/* --- stage: plans --- */

static struct subscription *subscription_of_id(struct pass *p, const char *id)
{
	struct arm_id parsed;
	struct progress *progress;

	if (id == NULL || arm_id_parse(id, &parsed) != 0)
		return NULL;
	progress = progress_of(p, parsed.subscription);
	arm_id_fini(&parsed);
	return progress != NULL ? progress->subscription : NULL;
}

static void set_plan(struct pass *p, const json_t *row, enum fact_source source)
{
	struct observer *o = p->observer;
	struct arm_pricing facts;
	struct subscription *s;
	bool changed;

	if (arm_pricing_read(row, &facts) != 0)
		return;
	s = subscription_of_id(p, facts.id);
	if (s == NULL)
		return;
	inventory_set_pricing(o->inventory, s, &facts, stamp_now(o, source), &changed);
	progress_of(p, s->id)->plan_read = true;
}

static void plan_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;

	set_plan(part->pass, row, SOURCE_GRAPH);
}

static void plans_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;

	(void)rows;
	/* What Graph does not show is read from ARM next, so this is no problem of its own. */
	(void)error;
	(void)complete;
	part_end(part);
}

static void plan_read(void *ctx, struct arm_result *result)
{
	struct part *part = ctx;
	json_t *document = NULL;

	if (result->error.class == ARM_ERROR_NONE)
		document = json_loadb(result->reply->body, result->reply->body_len, 0, NULL);
	if (document != NULL)
		set_plan(part->pass, document, SOURCE_ARM);
	if (!part->pass->progress[part->index].plan_read)
		problem(part->pass, "the servers plan of a subscription",
			result->error.class != ARM_ERROR_NONE ? &result->error : NULL);
	json_decref(document);
	part_end(part);
}

static void start_plan_from_arm(struct pass *p, size_t index)
{
	struct part *part;
	struct arm_request request = {0};

	if (p->progress[index].plan_read)
		return;
	part = part_new(p, index);
	arm_get_pricing(p->progress[index].subscription->id, &request);
	part->call = arm_client_call(p->observer->client, identity_of(p)->name, &request,
		ARM_NORMAL, NULL, plan_read, part);
}

/* --- stage: settings --- */

static void setting_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	struct progress *progress = &part->pass->progress[part->index];
	struct arm_setting facts;
	enum setting_id setting;
	bool changed;

	if (arm_setting_read(row, &facts) != 0 || facts.name == NULL)
		return;
	setting = setting_from_name(facts.name);
	if (setting == SETTING_N_)
		return;
	inventory_set_setting(o->inventory, progress->subscription, setting, facts.enabled,
		stamp_now(o, SOURCE_ARM), &changed);
	progress->listed[setting] = true;
}

static void settings_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	struct progress *progress = &part->pass->progress[part->index];

	(void)rows;
	if (error->class == ARM_ERROR_NONE && complete)
		inventory_settings_complete(o->inventory, progress->subscription, progress->listed,
			stamp_now(o, SOURCE_ARM));
	else
		problem(part->pass, "the settings of a subscription",
			error->class != ARM_ERROR_NONE ? error : NULL);
	part_end(part);
}

static void start_settings(struct pass *p, size_t index)
{
	struct part *part = part_new(p, index);
	struct listing_target target = target_of(part, setting_row, settings_done);
	struct arm_request request = {0};

	arm_list_settings(p->progress[index].subscription->id, &request);
	part->listing = listing_arm(&target, &request);
}

/* --- stages: machines and extensions --- */

static void count_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct progress *progress;
	struct graph_count count;

	if (graph_count_read(row, &count) != 0)
		return;
	progress = progress_of(p, count.subscription);
	if (progress == NULL)
		return;
	progress->machines = count.machines;
	progress->extensions = count.extensions;
	p->batches[part->index].machines += count.machines;
	p->batches[part->index].extensions += count.extensions;
}

static void counts_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;
	struct batch *b = &part->pass->batches[part->index];

	(void)rows;
	if (error->class != ARM_ERROR_NONE || !complete) {
		problem(part->pass, "the count of machines",
			error->class != ARM_ERROR_NONE ? error : NULL);
		b->incomplete = true;
	}
	part_end(part);
}

static void machine_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	struct arm_machine facts;
	struct machine *m;
	bool changed;

	if (arm_machine_read(row, &facts) != 0 ||
		inventory_set_machine(
			o->inventory, &facts, stamp_now(o, SOURCE_GRAPH), &m, &changed) != 0)
		part->pass->batches[part->index].incomplete = true;
}

static void extension_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct observer *o = p->observer;
	struct arm_extension facts;
	struct machine *m = NULL;
	bool changed = false;

	/* An extension may be there before its machine is listed: the next pass has both. */
	if (arm_extension_read(row, &facts) != 0 ||
		inventory_set_extension(
			o->inventory, &facts, stamp_now(o, SOURCE_GRAPH), &m, &changed) != 0)
		return;
	if (p->kind == PASS_WATCH && changed)
		o->ports.machine_seen(o->ports.ctx, m);
}

static void rows_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;
	struct batch *b = &part->pass->batches[part->index];
	bool machines = part->pass->stage == STAGE_MACHINES;

	(void)rows;
	if (error->class != ARM_ERROR_NONE || !complete) {
		b->incomplete = true;
		problem(part->pass, machines ? "the list of machines" : "the list of extensions",
			error->class != ARM_ERROR_NONE ? error : NULL);
	}
	part_end(part);
}

static unsigned partitions_for(uint64_t rows)
{
	uint64_t n = (rows + GRAPH_PARTITION_ROWS - 1) / GRAPH_PARTITION_ROWS;

	return n == 0 ? 1 : n > 1000000 ? 1000000 : (unsigned)n;
}

/* Starts the next partition of some batch; false when all are started. */
static bool start_partition(struct pass *p)
{
	bool machines = p->stage == STAGE_MACHINES;

	for (; p->next < p->batch_count; p->next++) {
		struct batch *b = &p->batches[p->next];
		struct part *part;

		if (b->next == 0)
			b->partitions = partitions_for(machines ? b->machines : b->extensions);
		if (b->next >= b->partitions || b->incomplete) {
			b->next = 0;
			continue;
		}
		part = part_new(p, p->next);
		part->listing = list_batch(part, machines ? GRAPH_MACHINES : GRAPH_EXTENSIONS,
			b->partitions, b->next++, machines ? machine_row : extension_row,
			rows_done);
		return true;
	}
	return false;
}

/* --- the end of a pass over one identity --- */

static void gone(void *ctx, struct machine *m)
{
	struct observer *o = ctx;

	observer_forget(o, m);
	o->ports.machine_gone(o->ports.ctx, m);
}

static void conclude_batch(struct pass *p, const struct batch *b)
{
	struct observer *o = p->observer;

	for (size_t i = b->first; i < b->first + b->count; i++) {
		struct progress *progress = &p->progress[i];
		struct subscription *s = progress->subscription;

		if (b->incomplete)
			continue;
		s->announced_machines = progress->machines;
		if (inventory_sweep_end(o->inventory, s, progress->machines, COUNT_TOLERANCE,
			    stamp_now(o, SOURCE_GRAPH), gone, o) != 0)
			problem(p, "the list of machines", NULL);
		p->report.machines += s->machine_count;
	}
}

/* Subscriptions that are configured and cannot be seen have something to tell, too. */
static void tell_invisible(struct pass *p)
{
	struct observer *o = p->observer;
	struct map_entry *entry;

	map_for_each (&o->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		if (!s->visible && s->scope != NULL && s->scope->identity == identity_of(p))
			o->ports.subscription_seen(o->ports.ctx, s);
	}
}

static void tell_all(struct pass *p)
{
	struct observer *o = p->observer;

	if (p->kind == PASS_SUBSCRIPTIONS)
		tell_invisible(p);
	for (size_t i = 0; i < p->count; i++) {
		struct subscription *s = p->progress[i].subscription;

		o->ports.subscription_seen(o->ports.ctx, s);
		if (p->kind == PASS_MACHINES)
			for (uint32_t k = 0; k < s->machine_count; k++)
				o->ports.machine_seen(o->ports.ctx, s->machines[k]);
	}
	p->report.subscriptions += p->count;
}

static void conclude(struct pass *p)
{
	if (p->kind == PASS_MACHINES)
		for (size_t i = 0; i < p->batch_count; i++)
			conclude_batch(p, &p->batches[i]);
	if (p->kind != PASS_WATCH)
		tell_all(p);
}

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

	/* Given up meanwhile: another configuration came. */
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
	switch (kind) {
	case PASS_SUBSCRIPTIONS: return STAGE_SUBSCRIPTIONS;
	case PASS_MACHINES:
	case PASS_WATCH:
	case PASS_KIND_N_: return STAGE_COUNTS;
	}
	return STAGE_END;
}

static enum stage next_stage(const struct pass *p)
{
	switch (p->stage) {
	case STAGE_SUBSCRIPTIONS: return identity_uses_groups(p) ? STAGE_GROUPS : STAGE_PLANS;
	case STAGE_GROUPS: return STAGE_PLANS;
	case STAGE_PLANS: return STAGE_PLANS_FROM_ARM;
	case STAGE_PLANS_FROM_ARM: return STAGE_SETTINGS;
	case STAGE_SETTINGS: return STAGE_END;
	case STAGE_COUNTS: return p->kind == PASS_WATCH ? STAGE_EXTENSIONS : STAGE_MACHINES;
	case STAGE_MACHINES: return STAGE_EXTENSIONS;
	case STAGE_EXTENSIONS:
	case STAGE_END: return STAGE_END;
	}
	return STAGE_END;
}

static void stage_enter(struct pass *p)
{
	struct observer *o = p->observer;

	p->next = 0;
	switch (p->stage) {
	case STAGE_SUBSCRIPTIONS: add_configured(p); break;
	case STAGE_PLANS:
		o->ports.subscriptions_listed(o->ports.ctx);
		if (p->list_complete)
			note_invisible(p);
		collect(p);
		break;
	case STAGE_COUNTS:
		collect(p);
		if (p->kind == PASS_MACHINES)
			inventory_sweep_begin(o->inventory);
		break;
	case STAGE_GROUPS:
	case STAGE_PLANS_FROM_ARM:
	case STAGE_SETTINGS:
	case STAGE_MACHINES:
	case STAGE_EXTENSIONS:
	case STAGE_END: break;
	}
}

/* Starts one more listing of the stage; false when there is none left. */
static bool stage_start_one(struct pass *p)
{
	struct part *part;

	switch (p->stage) {
	case STAGE_SUBSCRIPTIONS:
		if (p->next++ > 0)
			return false;
		start_subscriptions(p);
		return true;
	case STAGE_GROUPS:
		if (p->next++ > 0)
			return false;
		start_groups(p);
		return true;
	case STAGE_PLANS:
	case STAGE_COUNTS:
		if (p->next >= p->batch_count)
			return false;
		part = part_new(p, p->next++);
		if (p->stage == STAGE_PLANS)
			part->listing =
				list_batch(part, GRAPH_PRICINGS, 1, 0, plan_row, plans_done);
		else
			part->listing = list_batch(
				part, GRAPH_MACHINE_COUNTS, 1, 0, count_row, counts_done);
		return true;
	case STAGE_PLANS_FROM_ARM:
		if (p->next >= p->count)
			return false;
		start_plan_from_arm(p, p->next++);
		return true;
	case STAGE_SETTINGS:
		if (p->next >= p->count)
			return false;
		start_settings(p, p->next++);
		return true;
	case STAGE_MACHINES:
	case STAGE_EXTENSIONS: return start_partition(p);
	case STAGE_END: return false;
	}
	return false;
}

static void stage_advance(struct pass *p)
{
	struct observer *o = p->observer;

	for (;;) {
		while (p->pending < LISTINGS_AT_ONCE && stage_start_one(p))
			;
		if (p->pending > 0)
			return;
		p->stage = next_stage(p);
		if (p->stage == STAGE_END) {
			conclude(p);
			if (++p->identity >= o->config->identity_count) {
				o->world->loop->ops->defer(o->world->loop, pass_over, o);
				return;
			}
			p->stage = first_stage(p->kind);
		}
		stage_enter(p);
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
	p->stage = first_stage(kind);
	stage_enter(p);
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

/* --- refreshing one resource from ARM --- */

static void refresh_pump(struct observer *o);

static void refresh_end(struct refresh *f)
{
	struct observer *o = f->observer;
	struct subscription *s = f->subscription;
	struct machine *m = f->machine;

	list_remove(&f->link);
	free(f);
	o->refreshing--;
	if (m != NULL)
		o->ports.machine_seen(o->ports.ctx, m);
	else
		o->ports.subscription_seen(o->ports.ctx, s);
	refresh_pump(o);
}

static void refreshed_extension(void *ctx, const json_t *row)
{
	struct refresh *f = ctx;
	struct observer *o = f->observer;
	struct arm_extension facts;
	enum extension_kind kind;
	struct machine *m;
	bool changed;

	if (arm_extension_read(row, &facts) != 0 ||
		inventory_set_extension(
			o->inventory, &facts, stamp_now(o, SOURCE_ARM), &m, &changed) != 0)
		return;
	kind = extension_kind(facts.publisher, facts.type);
	f->mde_seen = f->mde_seen || kind == EXTENSION_MDE_WINDOWS || kind == EXTENSION_MDE_LINUX;
	f->legacy_seen = f->legacy_seen || kind == EXTENSION_MMA || kind == EXTENSION_OMS;
}

static void refreshed_extensions(
	void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct refresh *f = ctx;
	struct observer *o = f->observer;
	bool windows = os_is_windows(f->machine->os);
	struct stamp stamp = stamp_now(o, SOURCE_ARM);
	bool changed;

	(void)rows;
	f->listing = NULL;
	if (error->class == ARM_ERROR_NONE && complete) {
		/* While an operation of ours creates it, "not there" says nothing. */
		if (!f->mde_seen &&
			inventory_item(f->subscription, f->machine, CONTROL_MDE_EXTENSION)
					->operation == NULL)
			inventory_unset_extension(o->inventory, f->machine,
				windows ? EXTENSION_MDE_WINDOWS : EXTENSION_MDE_LINUX, stamp,
				&changed);
		if (!f->legacy_seen)
			inventory_unset_extension(o->inventory, f->machine,
				windows ? EXTENSION_MMA : EXTENSION_OMS, stamp, &changed);
	}
	refresh_end(f);
}

static void refreshed_setting(void *ctx, const json_t *row)
{
	struct refresh *f = ctx;
	struct observer *o = f->observer;
	struct arm_setting facts;
	enum setting_id setting;
	bool changed;

	if (arm_setting_read(row, &facts) != 0 || facts.name == NULL)
		return;
	setting = setting_from_name(facts.name);
	if (setting == SETTING_N_)
		return;
	inventory_set_setting(o->inventory, f->subscription, setting, facts.enabled,
		stamp_now(o, SOURCE_ARM), &changed);
	f->settings_listed[setting] = true;
}

static void refreshed_settings(
	void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct refresh *f = ctx;
	struct observer *o = f->observer;

	(void)rows;
	f->listing = NULL;
	if (error->class == ARM_ERROR_NONE && complete)
		inventory_settings_complete(o->inventory, f->subscription, f->settings_listed,
			stamp_now(o, SOURCE_ARM));
	refresh_end(f);
}

static void refresh_settings(struct refresh *f)
{
	struct observer *o = f->observer;
	struct listing_target target = {.client = o->client,
		.loop = o->world->loop,
		.identity = f->subscription->scope->identity->name,
		.row = refreshed_setting,
		.done = refreshed_settings,
		.ctx = f};
	struct arm_request request = {0};

	arm_list_settings(f->subscription->id, &request);
	f->listing = listing_arm(&target, &request);
}

static void refreshed_plan(void *ctx, struct arm_result *result)
{
	struct refresh *f = ctx;
	struct observer *o = f->observer;
	struct arm_pricing facts;
	json_t *document = NULL;
	bool changed;

	f->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_loadb(result->reply->body, result->reply->body_len, 0, NULL);
	if (document != NULL && arm_pricing_read(document, &facts) == 0)
		inventory_set_pricing(
			o->inventory, f->subscription, &facts, stamp_now(o, SOURCE_ARM), &changed);
	json_decref(document);
	if (f->subscription->scope != NULL)
		refresh_settings(f);
	else
		refresh_end(f);
}

static void refresh_machine(struct refresh *f)
{
	struct observer *o = f->observer;
	struct listing_target target = {.client = o->client,
		.loop = o->world->loop,
		.identity = f->subscription->scope->identity->name,
		.row = refreshed_extension,
		.done = refreshed_extensions,
		.ctx = f};
	struct arm_request request = {0};

	arm_list_extensions(f->machine->id, &request);
	f->listing = listing_arm(&target, &request);
}

static void refresh_start(struct refresh *f)
{
	struct observer *o = f->observer;
	struct arm_request request = {0};

	f->started = true;
	o->refreshing++;
	if (f->subscription->scope == NULL) {
		refresh_end(f);
		return;
	}
	if (f->machine != NULL) {
		refresh_machine(f);
		return;
	}
	arm_get_pricing(f->subscription->id, &request);
	f->call = arm_client_call(o->client, f->subscription->scope->identity->name, &request,
		ARM_NORMAL, NULL, refreshed_plan, f);
}

static struct refresh *next_refresh(struct observer *o)
{
	list_for_each (&o->refreshes, node) {
		struct refresh *f = list_entry(node, struct refresh, link);

		if (!f->started)
			return f;
	}
	return NULL;
}

static void refresh_pump(struct observer *o)
{
	struct refresh *f;

	while (o->refreshing < REFRESHES_AT_ONCE && (f = next_refresh(o)) != NULL)
		refresh_start(f);
}

void observer_refresh(struct observer *o, struct subscription *s, struct machine *m)
{
	struct refresh *f;

	MDC_MAGIC_CHECK(o, OBSERVER_MAGIC);
	if (s->scope == NULL)
		return;
	list_for_each (&o->refreshes, node) {
		f = list_entry(node, struct refresh, link);
		if (f->subscription == s && f->machine == m && !f->started)
			return;
	}
	f = xcalloc(1, sizeof(*f));
	f->observer = o;
	f->subscription = s;
	f->machine = m;
	list_append(&o->refreshes, &f->link);
	refresh_pump(o);
}

static void refresh_cancel(struct refresh *f)
{
	struct observer *o = f->observer;

	if (f->call != NULL)
		arm_client_cancel(o->client, f->call);
	listing_cancel(f->listing);
	if (f->started)
		o->refreshing--;
	list_remove(&f->link);
	free(f);
}

void observer_forget(struct observer *o, const struct machine *m)
{
	list_for_each (&o->refreshes, node) {
		struct refresh *f = list_entry(node, struct refresh, link);

		if (f->machine == m)
			refresh_cancel(f);
	}
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
	list_for_each (&o->refreshes, node)
		refresh_cancel(list_entry(node, struct refresh, link));
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
	list_for_each (&o->refreshes, node)
		refresh_cancel(list_entry(node, struct refresh, link));
	if (o->pass != NULL)
		pass_free(o->pass);
	free(o);
	return NULL;
}
