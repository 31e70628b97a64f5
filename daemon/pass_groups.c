/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subscription's management groups decide about its scope, so they are known for certain or not
 * at all: Graph tells the chain above each subscription; where it refuses, ARM tells what is below
 * each group of the configuration, which says the same about those groups.
 */
#include "daemon/pass.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/scope.h"

#include <string.h>

/* Whether groups of that scope can hold subscriptions that this identity sees. */
static bool is_of_tenant(const struct pass *p, const struct scope_config *scope)
{
	const char *own = pass_identity(p)->tenant, *other = scope->identity->tenant;

	return str_empty(own) || str_empty(other) || str_equal_nocase(own, other);
}

static bool uses_groups(const struct pass *p)
{
	const struct config *c = p->observer->config;

	for (size_t i = 0; i < c->scope_count; i++)
		if ((c->scopes[i].management_group_count > 0 ||
			    scope_excludes_by_group(&c->scopes[i])) &&
			is_of_tenant(p, &c->scopes[i]))
			return true;
	return false;
}

static bool is_nobody(const struct pass *p, const struct subscription *s)
{
	(void)p;
	(void)s;
	return false;
}

void groups_begin(struct pass *p)
{
	pass_collect(p, uses_groups(p) ? is_listed_now : is_nobody);
}

/* --- from Graph --- */

static void chain_row(void *ctx, const json_t *row)
{
	struct progress *progress = row_in_batch(ctx, row);
	struct arm_subscription facts;

	if (progress == NULL || arm_subscription_read(row, &facts) != 0 ||
		facts.management_groups == NULL)
		return;
	inventory_set_management_groups(progress->subscription, facts.management_groups);
	progress->groups_read = true;
}

static bool all_read(const struct pass *p, const struct batch *b)
{
	for (size_t i = b->first; i < b->first + b->count; i++)
		if (!p->progress[i].groups_read)
			return false;
	return true;
}

static void chains_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct batch *b = &p->batches[part->index];

	if (graph_refuses(p, end->error))
		b->from_arm = true;
	else if (!part_ended_well(end) || !all_read(p, b))
		pass_problem(p, "the management groups", end->error);
	part_end(part);
}

bool start_groups(struct pass *p)
{
	while (p->next < p->batch_count && p->batches[p->next].from_arm)
		p->next++;
	if (p->next >= p->batch_count)
		return false;
	part_list_graph(part_new(p, p->next++), GRAPH_SUBSCRIPTIONS, 0, chain_row, chains_done);
	return true;
}

/* --- from ARM --- */

static struct group *find_group(struct pass *p, const char *name)
{
	for (size_t i = 0; i < p->group_count; i++)
		if (str_equal_nocase(p->groups[i].name, name))
			return &p->groups[i];
	return NULL;
}

static void add_group(struct pass *p, const char *name)
{
	struct group *g;

	if (find_group(p, name) != NULL)
		return;
	p->groups = xreallocarray(p->groups, p->group_count + 1, sizeof(*p->groups));
	g = &p->groups[p->group_count++];
	*g = (struct group){.name = name};
	map_init(&g->subscriptions, NULL);
	map_init(&g->below, NULL);
}

static bool graph_was_refused(const struct pass *p)
{
	for (size_t i = 0; i < p->batch_count; i++)
		if (p->batches[i].from_arm)
			return true;
	return false;
}

static void add_groups(struct pass *p, char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_group(p, names[i]);
}

static void add_groups_of(struct pass *p, const struct scope_config *scope)
{
	add_groups(p, scope->management_groups, scope->management_group_count);
	for (size_t i = 0; i < scope->exclude_count; i++)
		add_groups(p, scope->excludes[i].selector.management_groups,
			scope->excludes[i].selector.management_group_count);
}

void groups_from_arm_begin(struct pass *p)
{
	const struct config *c = p->observer->config;

	groups_free(p);
	if (!graph_was_refused(p))
		return;
	for (size_t i = 0; i < c->scope_count; i++)
		if (is_of_tenant(p, &c->scopes[i]))
			add_groups_of(p, &c->scopes[i]);
}

void groups_free(struct pass *p)
{
	for (size_t i = 0; i < p->group_count; i++) {
		map_fini(&p->groups[i].subscriptions);
		map_fini(&p->groups[i].below);
	}
	free(p->groups);
	p->groups = NULL;
	p->group_count = 0;
}

/* Any pointer that is not NULL: the keys are the set. */
static void descendant_row(void *ctx, const json_t *row)
{
	static const char prefix[] = "/providers/Microsoft.Management/managementGroups/";
	struct part *part = ctx;
	struct group *g = &part->pass->groups[part->index];
	const char *id = json_text(row, "id");
	char subscription[GUID_TEXT_SIZE];

	if (id == NULL)
		part->unclear = true;
	else if (arm_id_subscription(id, subscription))
		map_set(&g->subscriptions, subscription, g);
	else if (str_starts_nocase(id, prefix))
		map_set(&g->below, id + sizeof(prefix) - 1, g);
}

static void descendants_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;

	part->pass->groups[part->index].listed = part_ended_well(end) && !part->unclear;
	if (!part->pass->groups[part->index].listed)
		pass_problem(part->pass, "what is below a management group", end->error);
	part_end(part);
}

bool start_groups_from_arm(struct pass *p)
{
	struct arm_request request = {0};

	if (p->next >= p->group_count)
		return false;
	arm_list_descendants(p->groups[p->next].name, &request);
	part_list_arm(part_new(p, p->next++), &request, descendant_row, descendants_done);
	return true;
}

/* --- from what is below a group to what is above a subscription --- */

static size_t depth_of(const struct pass *p, const struct group *g)
{
	size_t depth = 0;

	for (size_t i = 0; i < p->group_count; i++)
		depth += map_has(&p->groups[i].below, g->name);
	return depth;
}

/* The names of the configured groups that hold the subscription, the lowest first. */
static json_t *chain_of(const struct pass *p, const struct subscription *s)
{
	json_t *chain = json_array();

	for (size_t depth = p->group_count; depth-- > 0;)
		for (size_t i = 0; i < p->group_count; i++) {
			const struct group *g = &p->groups[i];

			if (map_has(&g->subscriptions, s->id) && depth_of(p, g) == depth)
				json_array_append_new(chain, json_pack("{s:s}", "name", g->name));
		}
	return chain;
}

static bool all_listed(const struct pass *p)
{
	for (size_t i = 0; i < p->group_count; i++)
		if (!p->groups[i].listed)
			return false;
	return p->group_count > 0;
}

void groups_conclude(struct pass *p)
{
	for (size_t i = 0; i < p->count && all_listed(p); i++) {
		const struct batch *b = &p->batches[i / BATCH_SUBSCRIPTIONS];
		struct subscription *s = p->progress[i].subscription;
		json_t *chain;

		if (!b->from_arm)
			continue;
		chain = chain_of(p, s);
		inventory_set_management_groups(s, chain);
		json_decref(chain);
	}
	groups_free(p);
}
