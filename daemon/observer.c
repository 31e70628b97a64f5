/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pass.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>

/* Listings of one pass that run at the same time; Graph's quota is 15 in 5 s. */
#define LISTINGS_AT_ONCE 6
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

static const char *why_of(const struct arm_error *error)
{
	if (error == NULL || error->class == ARM_ERROR_NONE)
		return "incomplete";
	return *error->message != '\0' ? error->message : error->code;
}

void pass_problem(struct pass *p, const char *what, const struct arm_error *error)
{
	p->report.problems++;
	if (*p->report.first_problem == '\0')
		snprintf(p->report.first_problem, sizeof(p->report.first_problem), "%s: %.200s",
			what, why_of(error));
}

static enum unread unread_by(const struct pass *p)
{
	return p->kind == PASS_SUBSCRIPTIONS ? UNREAD_SWITCHES : UNREAD_MACHINES;
}

static void remember(const struct pass *p, struct subscription *s, const char *what,
	const struct arm_error *error)
{
	enum unread u = unread_by(p);

	/* The first one of a pass says most: others may follow from it. */
	if (s->unread[u].why != NULL && !wall_before(s->unread[u].at, p->report.started))
		return;
	free(s->unread[u].why);
	s->unread[u].why = xasprintf("%s: %.400s", what, why_of(error));
	s->unread[u].at = loop_wall(p->observer->world->loop);
}

void pass_problem_of(
	struct pass *p, struct subscription *s, const char *what, const struct arm_error *error)
{
	pass_problem(p, what, error);
	remember(p, s, what, error);
}

void pass_problem_of_batch(
	struct pass *p, const struct batch *b, const char *what, const struct arm_error *error)
{
	pass_problem(p, what, error);
	for (size_t i = 0; i < b->count; i++)
		remember(p, p->progress[b->first + i].subscription, what, error);
}

void pass_forget_problem(const struct pass *p, struct subscription *s)
{
	enum unread u = unread_by(p);

	if (s->unread[u].why == NULL || !wall_before(s->unread[u].at, p->report.started))
		return;
	free(s->unread[u].why);
	s->unread[u].why = NULL;
}

/* --- whether Graph answers --- */

static bool is_refusal(enum arm_error_class class)
{
	switch (class) {
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

bool graph_refuses(struct pass *p, const struct arm_error *error)
{
	struct observer *o = p->observer;

	if (!is_refusal(error->class))
		return false;
	o->sights[p->identity].graph_refuses = true;
	o->sights[p->identity].graph_since = loop_mono(o->world->loop);
	return true;
}

static bool identity_rests(const struct observer *o, size_t identity)
{
	struct mono now = loop_mono(o->world->loop);

	return o->sights[identity].graph_refuses &&
		mono_since(now, o->sights[identity].graph_since).ms < GRAPH_REST.ms;
}

bool graph_rests(const struct pass *p)
{
	return identity_rests(p->observer, p->identity);
}

bool observer_graph_is_refused(const struct observer *o)
{
	for (size_t i = 0; o->config != NULL && i < o->config->identity_count; i++)
		if (identity_rests(o, i))
			return true;
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

static enum stage first_stage(enum pass_kind kind)
{
	return kind == PASS_SUBSCRIPTIONS ? STAGE_SUBSCRIPTIONS : STAGE_COUNTS;
}

static bool asks_in_short(const struct pass *p)
{
	return p->in_short && p->stage == first_stage(p->kind);
}

static struct listing_target target_of(struct part *part, listing_row_fn row, listing_done_fn done)
{
	struct observer *o = part->pass->observer;

	return (struct listing_target){
		.client = o->client,
		.loop = o->world->loop,
		.identity = pass_identity(part->pass)->name,
		/* The watch comes round again before long. */
		.impatient = part->pass->kind == PASS_WATCH || asks_in_short(part->pass),
		.row = row,
		.done = done,
		.ctx = part,
	};
}

void part_list_arm(struct part *part, struct arm_request *take_request, listing_row_fn row,
	listing_done_fn done)
{
	struct listing_target target = target_of(part, row, done);

	part->listing = listing_arm(&target, take_request);
}

bool pass_list_next(struct pass *p, const struct subscription_list *list)
{
	struct arm_request request = {0};
	struct part *part;

	while (p->next < p->count && list->wanted != NULL &&
		!list->wanted(p, &p->progress[p->next]))
		p->next++;
	if (p->next >= p->count)
		return false;
	part = part_new(p, p->next++);
	list->request(p->progress[part->index].subscription->id, &request);
	part_list_arm(part, &request, list->row, list->done);
	return true;
}

void part_list_graph(struct part *part, enum graph_table table, unsigned index, listing_row_fn row,
	listing_done_fn done)
{
	struct pass *p = part->pass;
	const struct batch *b = &p->batches[part->index];
	struct listing_target target = target_of(part, row, done);
	const char *ids[BATCH_SUBSCRIPTIONS];
	struct graph_question question = {
		.table = table,
		.partitions = b->partitions,
		.index = index,
		.subscriptions = ids,
		.subscription_count = b->count,
	};

	for (size_t i = 0; i < b->count; i++)
		ids[i] = p->progress[b->first + i].subscription->id;
	part->listing = listing_graph(&target, &question);
}

void part_end(struct part *part)
{
	struct pass *p = part->pass;

	list_remove(&part->link);
	free(part);
	p->pending--;
	stage_advance(p);
}

bool part_ended_well(const struct listing_end *end)
{
	return end->error->class == ARM_ERROR_NONE && end->complete;
}

void part_heard(struct part *part, const struct arm_error *error)
{
	struct pass *p = part->pass;

	if (error->class == ARM_ERROR_TRANSIENT && error->status == 0) {
		p->unanswered++;
		return;
	}
	p->answered++;
	p->observer->sights[p->identity].is_silent = false;
}

/* --- which subscriptions the pass is about --- */

struct progress *pass_progress(struct pass *p, const char *subscription)
{
	uintptr_t place = (uintptr_t)map_get(&p->places, subscription);

	return place > 0 ? &p->progress[place - 1] : NULL;
}

bool row_is_of(const json_t *row, const struct subscription *s)
{
	const char *id = json_text(row, "id");
	char subscription[GUID_TEXT_SIZE];

	return id != NULL && arm_id_subscription(id, subscription) &&
		str_equal(subscription, s->id);
}

struct progress *row_progress(struct pass *p, const json_t *row)
{
	const char *id = json_text(row, "id");
	char subscription[GUID_TEXT_SIZE];

	return id != NULL && arm_id_subscription(id, subscription) ? pass_progress(p, subscription)
								   : NULL;
}

struct progress *row_in_batch(struct part *part, const json_t *row)
{
	struct pass *p = part->pass;
	struct batch *b = &p->batches[part->index];
	struct progress *progress = row_progress(p, row);

	if (progress != NULL && progress >= &p->progress[b->first] &&
		progress < &p->progress[b->first + b->count])
		return progress;
	b->incomplete = true;
	pass_problem(p, "a row about something else than was asked", NULL);
	return NULL;
}

bool row_is_own(struct part *part, const json_t *row)
{
	return row_progress(part->pass, row) == &part->pass->progress[part->index];
}

bool is_listed_now(const struct pass *p, const struct subscription *s)
{
	(void)p;
	return s->pass_seen;
}

bool is_concerned(const struct pass *p, const struct subscription *s)
{
	return s->scope != NULL && s->scope->identity == pass_identity(p) && s->visible;
}

bool has_operation(const struct machine *m)
{
	for (size_t i = 0; i < MACHINE_CONTROLS; i++)
		if (m->items[i].operation != NULL)
			return true;
	return false;
}

static void add_progress(struct pass *p, struct subscription *s)
{
	p->progress[p->count++] = (struct progress){.subscription = s};
	map_set(&p->places, s->id, (void *)(uintptr_t)p->count);
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
		p->batches[i].from_arm = graph_rests(p);
	}
}

static void collect_begin(struct pass *p)
{
	map_clear(&p->places);
	policies_free(p);
	exemptions_free(p);
	free(p->progress);
	p->count = 0;
	p->progress = xcalloc(
		map_count(&p->observer->inventory->subscriptions) + 1, sizeof(*p->progress));
}

void pass_collect(
	struct pass *p, bool (*concerns)(const struct pass *, const struct subscription *))
{
	struct map_entry *entry;

	collect_begin(p);
	map_for_each (&p->observer->inventory->subscriptions, entry)
		if (concerns(p, entry->value))
			add_progress(p, entry->value);
	make_batches(p);
}

static void collect_watched(struct pass *p)
{
	struct observer *o = p->observer;
	size_t room = map_count(&o->inventory->subscriptions);
	const struct subscription **watched = xcalloc(room + 1, sizeof(*watched));
	size_t n = o->ports.watched(o->ports.ctx, watched, room);

	collect_begin(p);
	for (size_t i = 0; i < n; i++)
		if (is_concerned(p, watched[i]))
			add_progress(p, inventory_subscription(o->inventory, watched[i]->id));
	free(watched);
	make_batches(p);
}

/* --- from stage to stage --- */

static enum stage next_stage(const struct pass *p)
{
	switch (p->stage) {
	case STAGE_SUBSCRIPTIONS: return STAGE_GROUPS;
	case STAGE_GROUPS: return STAGE_GROUPS_FROM_ARM;
	case STAGE_GROUPS_FROM_ARM: return STAGE_PLANS;
	case STAGE_PLANS: return STAGE_PLANS_FROM_ARM;
	case STAGE_PLANS_FROM_ARM: return STAGE_SETTINGS;
	case STAGE_SETTINGS: return STAGE_SINGLES;
	case STAGE_SINGLES: return STAGE_CONNECTORS;
	case STAGE_CONNECTORS: return STAGE_WORKSPACES;
	case STAGE_WORKSPACES: return STAGE_SOLUTIONS;
	case STAGE_SOLUTIONS: return STAGE_USES;
	case STAGE_USES: return STAGE_RULES;
	case STAGE_RULES: return STAGE_POLICIES;
	case STAGE_POLICIES: return STAGE_POLICY_SETS;
	case STAGE_POLICY_SETS: return STAGE_EXEMPTIONS;
	case STAGE_EXEMPTIONS: return STAGE_EXEMPTIONS_FROM_ARM;
	case STAGE_EXEMPTIONS_FROM_ARM: return STAGE_TELL;
	case STAGE_COUNTS: return p->kind == PASS_WATCH ? STAGE_EXTENSIONS : STAGE_MACHINES;
	case STAGE_MACHINES: return STAGE_EXTENSIONS;
	case STAGE_EXTENSIONS: return p->kind == PASS_WATCH ? STAGE_END : STAGE_MACHINE_PLANS;
	case STAGE_MACHINE_PLANS: return STAGE_CONCLUDE;
	case STAGE_CONCLUDE: return STAGE_TELL;
	case STAGE_TELL:
	case STAGE_END: break;
	}
	return STAGE_END;
}

static void begin_counts(struct pass *p)
{
	if (p->kind == PASS_WATCH) {
		collect_watched(p);
		return;
	}
	pass_collect(p, is_concerned);
	inventory_sweep_begin(p->observer->inventory);
}

static void begin_plans(struct pass *p)
{
	struct observer *o = p->observer;

	groups_conclude(p);
	o->ports.subscriptions_listed(o->ports.ctx);
	note_visible(p);
	pass_collect(p, is_concerned);
}

static void stage_enter(struct pass *p, enum stage stage)
{
	p->stage = stage;
	p->next = 0;
	p->begun = false;
	switch (stage) {
	case STAGE_GROUPS: groups_begin(p); break;
	case STAGE_GROUPS_FROM_ARM: groups_from_arm_begin(p); break;
	case STAGE_PLANS: begin_plans(p); break;
	case STAGE_COUNTS: begin_counts(p); break;
	case STAGE_WORKSPACES: workspaces_begin(p); break;
	case STAGE_USES: uses_begin(p); break;
	case STAGE_POLICIES: uses_conclude(p); break;
	case STAGE_POLICY_SETS: policy_sets_begin(p); break;
	case STAGE_CONCLUDE: look_at_vms(p); break;
	case STAGE_EXEMPTIONS_FROM_ARM: exemptions_from_arm_begin(p); break;
	case STAGE_TELL: tell_begin(p); break;
	case STAGE_SUBSCRIPTIONS:
	case STAGE_PLANS_FROM_ARM:
	case STAGE_SETTINGS:
	case STAGE_SINGLES:
	case STAGE_CONNECTORS:
	case STAGE_SOLUTIONS:
	case STAGE_RULES:
	case STAGE_EXEMPTIONS:
	case STAGE_MACHINES:
	case STAGE_EXTENSIONS:
	case STAGE_MACHINE_PLANS:
	case STAGE_END: break;
	}
}

static bool stage_start_one(struct pass *p)
{
	switch (p->stage) {
	case STAGE_SUBSCRIPTIONS: return start_subscriptions(p);
	case STAGE_GROUPS: return start_groups(p);
	case STAGE_GROUPS_FROM_ARM: return start_groups_from_arm(p);
	case STAGE_PLANS: return start_plans(p);
	case STAGE_PLANS_FROM_ARM: return start_plan_from_arm(p);
	case STAGE_SETTINGS: return start_settings(p);
	case STAGE_SINGLES: return start_singles(p);
	case STAGE_CONNECTORS: return start_connectors(p);
	case STAGE_WORKSPACES: return start_workspaces(p);
	case STAGE_SOLUTIONS: return start_solutions(p);
	case STAGE_USES: return start_uses(p);
	case STAGE_RULES: return start_rules(p);
	case STAGE_POLICIES: return start_policies(p);
	case STAGE_POLICY_SETS: return start_policy_sets(p);
	case STAGE_EXEMPTIONS: return start_exemptions(p);
	case STAGE_EXEMPTIONS_FROM_ARM: return start_exemptions_from_arm(p);
	case STAGE_COUNTS: return start_counts(p);
	case STAGE_MACHINES: return start_machines(p);
	case STAGE_EXTENSIONS: return start_extensions(p);
	case STAGE_MACHINE_PLANS: return start_machine_plans(p);
	case STAGE_CONCLUDE:
	case STAGE_TELL:
	case STAGE_END: break;
	}
	return false;
}

/* Some of what needs no answer from anybody; true when there is more. */
static bool stage_work(struct pass *p)
{
	if (p->stage == STAGE_CONCLUDE)
		return conclude_some(p);
	return p->stage == STAGE_TELL && tell_some(p);
}

static void identity_begin(struct pass *p)
{
	const struct observer *o = p->observer;
	bool others_wait = p->turn + 1 < o->config->identity_count;

	p->identity = p->order[p->turn];
	p->answered = p->unanswered = 0;
	p->in_short = others_wait || o->sights[p->identity].is_silent;
	p->gives_up = false;
	p->before = p->report;
	stage_enter(p, first_stage(p->kind));
}

static bool next_identity(struct pass *p)
{
	if (++p->turn >= p->order_count)
		return false;
	identity_begin(p);
	return true;
}

/* True where nobody answered, but may when the others have had their turn. */
static bool is_put_off(struct pass *p)
{
	struct sight *sight = &p->observer->sights[p->identity];

	if (p->stage != first_stage(p->kind) || p->unanswered == 0 || p->answered > 0)
		return false;
	if (p->in_short && !sight->is_silent) {
		p->order[p->order_count++] = p->identity;
		p->report = p->before;
		return true;
	}
	p->gives_up = sight->is_silent = true;
	return false;
}

/* Who is not answered waits for it at the expense of nobody. */
static void put_in_order(struct pass *p)
{
	const struct observer *o = p->observer;
	size_t count = o->config->identity_count;

	p->order = xcalloc(2 * count + 1, sizeof(*p->order));
	for (unsigned silent = 0; silent < 2; silent++)
		for (size_t i = 0; i < count; i++)
			if (o->sights[i].is_silent == (silent == 1))
				p->order[p->order_count++] = i;
}

static void in_another_turn(struct observer *o)
{
	struct loop *loop = o->world->loop;

	loop->ops->timer_arm(o->turn, loop_mono(loop));
}

static void stage_advance(struct pass *p)
{
	for (;;) {
		while (!p->gives_up && p->pending < LISTINGS_AT_ONCE && stage_start_one(p))
			;
		if (p->pending > 0)
			return;
		if (is_put_off(p) && next_identity(p))
			continue;
		if (stage_work(p))
			break;
		stage_enter(p, next_stage(p));
		if (p->stage != STAGE_END)
			continue;
		if (!next_identity(p))
			break;
	}
	in_another_turn(p->observer);
}

/* --- from pass to pass --- */

static void pass_free(struct pass *p)
{
	list_for_each (&p->listings, node) {
		struct part *part = list_entry(node, struct part, link);

		listing_cancel(part->listing);
		if (part->call != NULL)
			arm_client_cancel(p->observer->client, part->call);
		free(part);
	}
	groups_free(p);
	policies_free(p);
	exemptions_free(p);
	map_fini(&p->policy_sets);
	uses_free(p);
	map_fini(&p->rules);
	map_fini(&p->places);
	free(p->progress);
	free(p->batches);
	free(p->order);
	free(p);
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
	map_init(&p->places, NULL);
	policy_sets_init(p);
	rules_init(p);
	put_in_order(p);
	identity_begin(p);
	stage_advance(p);
}

static void start_wanted(struct observer *o)
{
	for (unsigned k = 0; k < PASS_KIND_N_; k++) {
		if (!o->wanted[k])
			continue;
		o->wanted[k] = false;
		pass_start(o, (enum pass_kind)k);
		return;
	}
}

static void pass_over(struct observer *o)
{
	struct pass *p = o->pass;

	if (o->ports.judging != NULL && o->ports.judging(o->ports.ctx)) {
		in_another_turn(o);
		return;
	}
	o->pass = NULL;
	p->report.ended = loop_wall(o->world->loop);
	in_another_turn(o);
	o->ports.pass_ended(o->ports.ctx, &p->report);
	pass_free(p);
}

static void next_turn(void *ctx)
{
	struct observer *o = ctx;

	MDC_MAGIC_CHECK(o, OBSERVER_MAGIC);
	refresh_resume(o);
	if (o->pass == NULL)
		start_wanted(o);
	else if (o->pass->stage == STAGE_END)
		pass_over(o);
	else
		stage_advance(o->pass);
}

void observer_pass(struct observer *o, enum pass_kind kind)
{
	MDC_MAGIC_CHECK(o, OBSERVER_MAGIC);
	if (o->config == NULL || o->config->identity_count == 0)
		return;
	o->wanted[kind] = true;
	if (o->pass == NULL)
		in_another_turn(o);
}

bool observer_is_busy(const struct observer *o)
{
	for (unsigned k = 0; k < PASS_KIND_N_; k++)
		if (o->wanted[k])
			return true;
	return o->pass != NULL || !list_is_empty(&o->waiting) || !list_is_empty(&o->running);
}

/* --- life --- */

void observer_configure(struct observer *o, const struct config *c)
{
	MDC_MAGIC_CHECK(o, OBSERVER_MAGIC);
	if (o->pass != NULL) {
		o->wanted[o->pass->kind] = true;
		pass_free(o->pass);
		o->pass = NULL;
	}
	refresh_restart(o);
	free(o->sights);
	o->sights = xcalloc(c->identity_count + 1, sizeof(*o->sights));
	o->config = c;
	for (unsigned k = 0; k < PASS_KIND_N_; k++)
		o->wanted[k] = o->wanted[k] && c->identity_count > 0;
	in_another_turn(o);
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
	o->turn = loop_timer_new(w->loop, next_turn, o);
	list_init(&o->waiting);
	list_init(&o->running);
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
	o->world->loop->ops->timer_free(o->turn);
	free(o->sights);
	free(o);
	return NULL;
}
