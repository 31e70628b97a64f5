/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exemptions from assigned policies, read where a scope honours them. Resource Graph tells them for
 * many subscriptions at once, but shows nothing of what the identity may not read: a subscription
 * is believed to have none besides only where ARM has listed them lately.
 */
#include "daemon/pass.h"

#include "lib/base/str.h"

#include <string.h>

/* For how long what ARM has listed proves that they may be read. */
#define PROVEN_FOR DUR_H(23)

static bool is_concerned_by_them(const struct progress *progress)
{
	const struct subscription *s = progress->subscription;

	return s->scope != NULL && s->scope->honour_exemptions;
}

static bool is_proven(const struct pass *p, const struct progress *progress)
{
	struct wall proven = progress->subscription->exemptions.proven;
	struct dur age = wall_since(p->report.started, proven);

	return is_concerned_by_them(progress) && wall_is_set(proven) && age.ms >= 0 &&
		age.ms < PROVEN_FOR.ms;
}

/* Of an exemption that is new ARM alone tells who made it. */
static void note(struct progress *progress, const json_t *row, enum fact_source source)
{
	const struct policy_exemptions *before = &progress->subscription->exemptions;

	if (policy_exemptions_add(
		    &progress->exemptions, row, source == SOURCE_GRAPH ? before : NULL) != 0)
		progress->exemptions_unclear = true;
}

/* --- from Graph --- */

static bool is_under_group(const struct subscription *s, const char *group, size_t len)
{
	for (size_t i = 0; i < s->management_group_count; i++)
		if (strlen(s->management_groups[i]) == len &&
			str_starts_nocase(group, s->management_groups[i]))
			return true;
	return false;
}

/* Made on a management group: it reaches those of the batch that are below it. */
static void note_in_group(struct part *part, const json_t *row, const char *group, size_t len)
{
	struct pass *p = part->pass;
	const struct batch *b = &p->batches[part->index];

	for (size_t i = b->first; i < b->first + b->count; i++) {
		struct progress *progress = &p->progress[i];

		if (!progress->subscription->groups_known)
			progress->exemptions_unclear = true;
		else if (is_under_group(progress->subscription, group, len))
			note(progress, row, SOURCE_GRAPH);
	}
}

static void graph_row(void *ctx, const json_t *row)
{
	const char *id = json_text(row, "id");
	size_t len = 0;
	const char *group = id != NULL ? policy_exemption_group(id, &len) : NULL;
	struct progress *progress;

	if (group != NULL) {
		note_in_group(ctx, row, group, len);
		return;
	}
	progress = row_in_batch(ctx, row);
	if (progress != NULL)
		note(progress, row, SOURCE_GRAPH);
}

/* What Graph does not show is read from ARM next, so a failure here is no problem of its own. */
static void graph_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	const struct batch *b = &p->batches[part->index];

	for (size_t i = b->first; i < b->first + b->count; i++)
		p->progress[i].exemptions_read = part_ended_well(end) &&
			!p->progress[i].exemptions_unclear && is_proven(p, &p->progress[i]);
	part_end(part);
}

static bool any_is_proven(const struct pass *p, const struct batch *b)
{
	for (size_t i = b->first; i < b->first + b->count; i++)
		if (is_proven(p, &p->progress[i]))
			return true;
	return false;
}

bool start_exemptions(struct pass *p)
{
	while (p->next < p->batch_count &&
		(p->batches[p->next].from_arm || !any_is_proven(p, &p->batches[p->next])))
		p->next++;
	if (p->next >= p->batch_count)
		return false;
	part_list_graph(part_new(p, p->next++), GRAPH_EXEMPTIONS, 0, graph_row, graph_done);
	return true;
}

/* --- from ARM --- */

void exemptions_from_arm_begin(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (!p->progress[i].exemptions_read) {
			policy_exemptions_fini(&p->progress[i].exemptions);
			p->progress[i].exemptions_unclear = false;
		}
}

static void arm_row(void *ctx, const json_t *row)
{
	const struct part *part = ctx;

	note(&part->pass->progress[part->index], row, SOURCE_ARM);
}

static void arm_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct progress *progress = &part->pass->progress[part->index];

	progress->exemptions_read = part_ended_well(end) && !progress->exemptions_unclear;
	if (progress->exemptions_read)
		progress->exemptions.proven = part->asked;
	else
		pass_problem_of(part->pass, progress->subscription,
			"the policy exemptions of a subscription", end->error);
	part_end(part);
}

static bool is_left_to_arm(const struct pass *p, const struct progress *progress)
{
	(void)p;
	return is_concerned_by_them(progress) && !progress->exemptions_read;
}

bool start_exemptions_from_arm(struct pass *p)
{
	static const struct subscription_list list = {
		is_left_to_arm, arm_list_policy_exemptions, arm_row, arm_done};

	return pass_list_next(p, &list);
}

/* --- what they say --- */

/* Of what was not read whole the last that is known stays, until it is too old. */
void exemptions_conclude(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct progress *progress = &p->progress[i];
		struct subscription *s = progress->subscription;
		bool changed;

		if (!progress->exemptions_read)
			continue;
		if (!wall_is_set(progress->exemptions.proven))
			progress->exemptions.proven = s->exemptions.proven;
		progress->exemptions.at = p->report.started;
		inventory_set_exemptions(s, &progress->exemptions, &changed);
	}
}

void exemptions_free(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++)
		policy_exemptions_fini(&p->progress[i].exemptions);
}
