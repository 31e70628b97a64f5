/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pass.h"

#include "lib/base/str.h"

/* --- which subscriptions are there --- */

static void subscription_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	enum fact_source source = part->pass->stage == STAGE_GROUPS ? SOURCE_GRAPH : SOURCE_ARM;
	struct arm_subscription facts;
	struct subscription *s;
	bool changed;

	if (arm_subscription_read(row, &facts) != 0)
		return;
	s = inventory_add_subscription(o->inventory, facts.id);
	inventory_set_subscription(
		o->inventory, s, &facts, stamp_of(part->asked, source), &changed);
	s->visible = true;
	s->pass_seen = true;
}

static void subscriptions_done(
	void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;
	struct pass *p = part->pass;

	(void)rows;
	p->list_complete = error->class == ARM_ERROR_NONE && complete;
	if (!p->list_complete)
		pass_problem(p, "the list of subscriptions",
			error->class != ARM_ERROR_NONE ? error : NULL);
	part_end(part);
}

/* Subscriptions that are written down are reported even where they cannot be seen. */
static void add_configured(struct pass *p)
{
	const struct config *c = p->observer->config;

	for (size_t i = 0; i < c->scope_count; i++)
		for (size_t k = 0; k < c->scopes[i].subscription_count; k++)
			inventory_add_subscription(
				p->observer->inventory, c->scopes[i].subscriptions[k]);
}

bool start_subscriptions(struct pass *p)
{
	struct part *part;
	struct listing_target target;
	struct arm_request request = {0};
	struct map_entry *entry;

	if (p->next++ > 0)
		return false;
	add_configured(p);
	map_for_each (&p->observer->inventory->subscriptions, entry)
		((struct subscription *)entry->value)->pass_seen = false;
	part = part_new(p, 0);
	target = part_target(part, subscription_row, subscriptions_done);
	arm_list_subscriptions(&request);
	part->listing = listing_arm(&target, &request);
	return true;
}

void note_invisible(struct pass *p)
{
	struct map_entry *entry;

	if (!p->list_complete)
		return;
	map_for_each (&p->observer->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		if (!s->pass_seen && s->scope != NULL && s->scope->identity == pass_identity(p))
			s->visible = false;
	}
}

/* --- their management groups --- */

static bool identity_uses_groups(const struct pass *p)
{
	const struct config *c = p->observer->config;

	for (size_t i = 0; i < c->scope_count; i++)
		if (c->scopes[i].identity == pass_identity(p) &&
			c->scopes[i].management_group_count > 0)
			return true;
	return false;
}

static void groups_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;

	(void)rows;
	if (error->class != ARM_ERROR_NONE || !complete)
		pass_problem(part->pass, "the management groups",
			error->class != ARM_ERROR_NONE ? error : NULL);
	part_end(part);
}

bool start_groups(struct pass *p)
{
	struct part *part;
	struct listing_target target;

	if (p->next++ > 0 || !identity_uses_groups(p))
		return false;
	part = part_new(p, 0);
	target = part_target(part, subscription_row, groups_done);
	part->listing = listing_graph(&target, GRAPH_SUBSCRIPTIONS, 1, 0, NULL, 0);
	return true;
}

/* --- plans --- */

static void note_plan(const struct part *part, const json_t *document, enum fact_source source)
{
	struct pass *p = part->pass;
	struct observer *o = p->observer;
	struct progress *progress;
	struct noted noted;

	if (inventory_note(o->inventory, document, stamp_of(part->asked, source), &noted) != 0 ||
		noted.kind != ARM_KIND_PRICING)
		return;
	progress = pass_progress(p, noted.subscription->id);
	if (progress != NULL)
		progress->plan_read = true;
}

static void plan_row(void *ctx, const json_t *row)
{
	note_plan(ctx, row, SOURCE_GRAPH);
}

/* What Graph does not show is read from ARM next, so a failure here is no problem of its own. */
static void plans_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	(void)error;
	(void)complete;
	(void)rows;
	part_end(ctx);
}

bool start_plans(struct pass *p)
{
	struct part *part;

	if (p->next >= p->batch_count || p->batches[p->next].from_arm)
		return false;
	part = part_new(p, p->next++);
	part->listing = list_batch(part, GRAPH_PRICINGS, 0, plan_row, plans_done);
	return true;
}

static void plan_read(void *ctx, struct arm_result *result)
{
	struct part *part = ctx;
	json_t *document = NULL;

	part->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	if (document != NULL)
		note_plan(part, document, SOURCE_ARM);
	if (!part->pass->progress[part->index].plan_read)
		pass_problem(part->pass, "the servers plan of a subscription",
			result->error.class != ARM_ERROR_NONE ? &result->error : NULL);
	json_decref(document);
	part_end(part);
}

bool start_plan_from_arm(struct pass *p)
{
	struct part *part;
	struct arm_request request = {0};

	while (p->next < p->count && p->progress[p->next].plan_read)
		p->next++;
	if (p->next >= p->count)
		return false;
	part = part_new(p, p->next++);
	arm_get_pricing(p->progress[part->index].subscription->id, &request);
	part->call = arm_client_call(p->observer->client, pass_identity(p)->name, &request,
		ARM_NORMAL, NULL, plan_read, part);
	return true;
}

/* --- settings: not in Resource Graph --- */

static void setting_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	struct noted noted;

	if (inventory_note(o->inventory, row, stamp_of(part->asked, SOURCE_ARM), &noted) == 0 &&
		noted.setting != SETTING_N_)
		part->pass->progress[part->index].listed[noted.setting] = true;
}

static void settings_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	struct progress *progress = &part->pass->progress[part->index];

	(void)rows;
	if (error->class == ARM_ERROR_NONE && complete)
		inventory_settings_complete(o->inventory, progress->subscription, progress->listed,
			stamp_of(part->asked, SOURCE_ARM));
	else
		pass_problem(part->pass, "the settings of a subscription",
			error->class != ARM_ERROR_NONE ? error : NULL);
	part_end(part);
}

bool start_settings(struct pass *p)
{
	struct part *part;
	struct listing_target target;
	struct arm_request request = {0};

	if (p->next >= p->count)
		return false;
	part = part_new(p, p->next++);
	target = part_target(part, setting_row, settings_done);
	arm_list_settings(p->progress[part->index].subscription->id, &request);
	part->listing = listing_arm(&target, &request);
	return true;
}
