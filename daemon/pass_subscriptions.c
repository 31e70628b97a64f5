/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pass.h"

/* --- which subscriptions are there --- */

static void subscription_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct inventory *inv = p->observer->inventory;
	struct stamp stamp = stamp_of(part->asked, SOURCE_ARM);
	struct arm_subscription facts;
	struct subscription *s = NULL;
	bool changed;

	if (arm_subscription_read(row, &facts) == 0)
		s = inventory_add_subscription(inv, facts.id);
	if (s == NULL) {
		part->unclear = true;
		return;
	}
	inventory_set_subscription(inv, s, &facts, stamp, &changed);
	s->pass_seen = true;
}

static void subscriptions_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;

	part_heard(part, end->error);
	p->list_complete = part_ended_well(end) && !part->unclear;
	if (!p->list_complete)
		pass_problem(p, "the list of subscriptions", end->error);
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
	struct arm_request request = {0};
	struct map_entry *entry;

	if (p->next++ > 0)
		return false;
	add_configured(p);
	map_for_each (&p->observer->inventory->subscriptions, entry)
		((struct subscription *)entry->value)->pass_seen = false;
	arm_list_subscriptions(&request);
	part_list_arm(part_new(p, 0), &request, subscription_row, subscriptions_done);
	return true;
}

/*
 * Visible is what its own identity sees: another one that sees it, too, cannot read it for us. Of a
 * subscription that has left a complete list nothing else is concluded.
 */
void note_visible(struct pass *p)
{
	struct map_entry *entry;

	map_for_each (&p->observer->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		if (s->scope != NULL && s->scope->identity != pass_identity(p))
			continue;
		if (s->pass_seen)
			s->visible = true;
		else if (p->list_complete && s->scope != NULL)
			s->visible = false;
	}
}

/* --- plans --- */

static void note_plan(const struct part *part, const json_t *document, struct progress *progress,
	enum fact_source source)
{
	struct inventory *inv = part->pass->observer->inventory;
	struct noted noted;

	/* A plan without a tier is no answer. */
	if (inventory_note(inv, document, stamp_of(part->asked, source), &noted) == 0 &&
		noted.kind == ARM_KIND_PRICING)
		progress->plan_read = *progress->subscription->pricing.tier != '\0';
}

static void plan_row(void *ctx, const json_t *row)
{
	struct progress *progress = row_in_batch(ctx, row);

	if (progress != NULL)
		note_plan(ctx, row, progress, SOURCE_GRAPH);
}

/* What Graph does not show is read from ARM next, so a failure here is no problem of its own. */
static void plans_done(void *ctx, const struct listing_end *end)
{
	(void)end;
	part_end(ctx);
}

bool start_plans(struct pass *p)
{
	while (p->next < p->batch_count && p->batches[p->next].from_arm)
		p->next++;
	if (p->next >= p->batch_count)
		return false;
	part_list_graph(part_new(p, p->next++), GRAPH_PRICINGS, 0, plan_row, plans_done);
	return true;
}

static void plan_read(void *ctx, struct arm_result *result)
{
	struct part *part = ctx;
	struct progress *progress = &part->pass->progress[part->index];
	json_t *document = NULL;

	part->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	if (document != NULL && row_is_own(part, document))
		note_plan(part, document, progress, SOURCE_ARM);
	if (!progress->plan_read)
		pass_problem_of(part->pass, progress->subscription,
			"the servers plan of a subscription", &result->error);
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
	struct inventory *inv = part->pass->observer->inventory;
	struct noted noted;

	if (!row_is_own(part, row) ||
		inventory_note(inv, row, stamp_of(part->asked, SOURCE_ARM), &noted) != 0)
		part->unclear = true;
	else if (noted.setting != SETTING_N_)
		part->pass->progress[part->index].listed[noted.setting] = true;
}

static void settings_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct progress *progress = &part->pass->progress[part->index];

	note_registration(progress->subscription, end->error);
	if (part_ended_well(end) && !part->unclear)
		inventory_settings_complete(part->pass->observer->inventory, progress->subscription,
			progress->listed, stamp_of(part->asked, SOURCE_ARM));
	else
		pass_problem_of(part->pass, progress->subscription,
			"the settings of a subscription", end->error);
	part_end(part);
}

bool start_settings(struct pass *p)
{
	static const struct subscription_list list = {
		NULL, arm_list_settings, setting_row, settings_done};

	return pass_list_next(p, &list);
}
