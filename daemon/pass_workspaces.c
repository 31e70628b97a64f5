/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log Analytics workspaces and the solutions on them, from ARM; and who reports to them: rules in
 * use and legacy agents as Graph counts them over all subscriptions of the identity, since machines
 * of any may report to a workspace, and each rule in use as ARM has it.
 */
#include "daemon/pass.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/controls/control.h"

/* Far above what is in use anywhere. */
#define RULES_MAX 5000
#define USES_MAX 1000000

bool workspaces_matter(const struct subscription *s)
{
	return s->scope != NULL &&
		control_by_id(CONTROL_WORKSPACE_PLAN)->may_write(s->scope->policy);
}

/* --- workspaces --- */

bool note_workspace(
	struct observer *o, const struct subscription *s, const json_t *row, struct wall asked)
{
	struct noted noted;
	int error;

	if (!row_is_of(row, s))
		return false;
	error = inventory_note(o->inventory, row, stamp_of(asked, SOURCE_ARM), &noted);
	/* A solution may be on a workspace that is new, or was deleted. */
	return error == 0 ? noted.workspace != NULL : error == -ENOENT;
}

bool note_solution(
	struct observer *o, const struct subscription *s, const json_t *row, struct wall asked)
{
	struct arm_solution facts;

	/* Those without a workspace, or on one of another subscription, are nothing to us. */
	if (arm_solution_read(row, &facts) != 0 || facts.kind == SOLUTION_OTHER)
		return json_is_object(row) && json_text(row, "id") != NULL;
	return note_workspace(o, s, row, asked);
}

/* Where the provider was never registered there is none. */
bool workspaces_ended_well(const struct listing_end *end, bool unclear)
{
	return end->error->class == ARM_ERROR_UNREGISTERED || (part_ended_well(end) && !unclear);
}

static void workspace_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;

	if (!note_workspace(p->observer, p->progress[part->index].subscription, row, part->asked))
		part->unclear = true;
}

static void workspaces_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct progress *progress = &part->pass->progress[part->index];

	progress->workspaces_read = workspaces_ended_well(end, part->unclear);
	if (progress->workspaces_read)
		inventory_workspaces_complete(
			progress->subscription, stamp_of(part->asked, SOURCE_ARM));
	else
		pass_problem_of(part->pass, progress->subscription,
			"the workspaces of a subscription", end->error);
	part_end(part);
}

/* Those that the policy lists are told of even where they cannot be seen. */
static void expect_listed(struct pass *p, const struct subscription *s)
{
	const struct policy_config *policy = s->scope->policy;

	for (size_t i = 0; i < policy->workspaces.list_count; i++) {
		char subscription[GUID_TEXT_SIZE];

		if (arm_id_subscription(policy->workspaces.list[i], subscription) &&
			str_equal(subscription, s->id))
			inventory_expect_workspace(
				p->observer->inventory, policy->workspaces.list[i]);
	}
}

void workspaces_begin(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (workspaces_matter(p->progress[i].subscription))
			expect_listed(p, p->progress[i].subscription);
}

static bool has_workspaces_to_list(const struct pass *p, const struct progress *progress)
{
	(void)p;
	return workspaces_matter(progress->subscription);
}

bool start_workspaces(struct pass *p)
{
	static const struct subscription_list list = {
		has_workspaces_to_list, arm_list_workspaces, workspace_row, workspaces_done};

	return pass_list_next(p, &list);
}

static void solution_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;

	if (!note_solution(p->observer, p->progress[part->index].subscription, row, part->asked))
		part->unclear = true;
}

static void solutions_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct subscription *s = part->pass->progress[part->index].subscription;

	if (workspaces_ended_well(end, part->unclear))
		inventory_solutions_complete(s, stamp_of(part->asked, SOURCE_ARM));
	else
		pass_problem_of(
			part->pass, s, "the solutions on workspaces of a subscription", end->error);
	part_end(part);
}

static bool has_solutions_to_list(const struct pass *p, const struct progress *progress)
{
	(void)p;
	return progress->workspaces_read;
}

bool start_solutions(struct pass *p)
{
	static const struct subscription_list list = {
		has_solutions_to_list, arm_list_solutions, solution_row, solutions_done};

	return pass_list_next(p, &list);
}

/* --- who reports to them --- */

struct rule {
	char *id;
	bool read;
	char **workspaces;
	size_t workspace_count;
	struct arm_error error;
};

struct found_use {
	struct subscription *subscription;
	bool by_rule; /* else by a legacy agent */
	char *target;
	uint32_t machines;
};

static void rule_free(void *value)
{
	struct rule *rule = value;

	for (size_t i = 0; i < rule->workspace_count; i++)
		free(rule->workspaces[i]);
	free(rule->workspaces);
	free(rule->id);
	free(rule);
}

void rules_init(struct pass *p)
{
	map_init(&p->rules, rule_free);
}

/* Some scope of this identity follows machines to their workspaces. */
static bool follows_machines(const struct pass *p)
{
	const struct config *c = p->observer->config;

	for (size_t i = 0; i < c->scope_count; i++)
		if (c->scopes[i].identity == pass_identity(p) &&
			c->scopes[i].policy->plan == PLAN_P2 &&
			c->scopes[i].policy->workspaces.from_machines)
			return true;
	return false;
}

void uses_begin(struct pass *p)
{
	map_clear(&p->rules);
	uses_free(p);
	p->uses_unread = false;
	if (!follows_machines(p))
		return;
	pass_collect(p, is_listed_now);
}

void uses_free(struct pass *p)
{
	for (size_t i = 0; i < p->use_count; i++)
		free(p->uses[i].target);
	free(p->uses);
	p->uses = NULL;
	p->use_count = 0;
}

static void want_rule(struct pass *p, const char *id)
{
	struct rule *rule;

	if (map_has(&p->rules, id))
		return;
	if (map_count(&p->rules) >= RULES_MAX) {
		p->uses_unread = true;
		return;
	}
	rule = xcalloc(1, sizeof(*rule));
	rule->id = xstrdup(id);
	map_set(&p->rules, id, rule);
}

static void note_use(struct part *part, struct subscription *s, const json_t *use)
{
	struct pass *p = part->pass;
	bool by_rule = part->table == GRAPH_RULES_IN_USE;
	const char *target;
	uint32_t machines;

	if (graph_use_read(use, &machines, &target) != 0) {
		part->unclear = true;
		return;
	}
	if (p->use_count >= USES_MAX) {
		part->unclear = true;
		return;
	}
	if (by_rule)
		want_rule(p, target);
	p->uses = xreallocarray(p->uses, p->use_count + 1, sizeof(*p->uses));
	p->uses[p->use_count++] = (struct found_use){.subscription = s,
		.by_rule = by_rule,
		.target = xstrdup(target),
		.machines = machines};
}

static void use_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct progress *progress = NULL;
	struct graph_uses uses;
	size_t i;
	json_t *use;

	if (graph_uses_read(row, &uses) == 0)
		progress = pass_progress(part->pass, uses.subscription);
	if (progress == NULL || json_array_size(uses.uses) >= GRAPH_USES_MAX) {
		part->unclear = true;
		return;
	}
	json_array_foreach (uses.uses, i, use)
		note_use(part, progress->subscription, use);
}

static void uses_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;

	if (!part_ended_well(end) || part->unclear) {
		p->uses_unread = true;
		pass_problem_of_batch(p, &p->batches[part->index],
			"which workspaces machines report to", end->error);
	}
	part_end(part);
}

/* The plan of a subscription in no scope decides, too, once its machines report here. */
static void foreign_plan_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct progress *progress = row_in_batch(part, row);
	struct noted noted;

	if (progress != NULL && progress->subscription->scope == NULL)
		(void)!inventory_note(part->pass->observer->inventory, row,
			stamp_of(part->asked, SOURCE_GRAPH), &noted);
}

/* What is not known of a plan counts as none. */
static void foreign_plans_done(void *ctx, const struct listing_end *end)
{
	(void)end;
	part_end(ctx);
}

bool start_uses(struct pass *p)
{
	static const enum graph_table tables[] = {
		GRAPH_RULES_IN_USE, GRAPH_AGENT_WORKSPACES, GRAPH_PRICINGS};
	struct part *part;

	if (!follows_machines(p) || p->next >= p->batch_count * ARRAY_LEN(tables))
		return false;
	part = part_new(p, p->next / ARRAY_LEN(tables));
	part->table = tables[p->next++ % ARRAY_LEN(tables)];
	if (part->table == GRAPH_PRICINGS)
		part_list_graph(part, part->table, 0, foreign_plan_row, foreign_plans_done);
	else
		part_list_graph(part, part->table, 0, use_row, uses_done);
	return true;
}

/* --- rules in use --- */

/* The n-th one; they are only added before they are asked for. */
static struct rule *rule_at(const struct pass *p, size_t index)
{
	return index < p->rules.used ? p->rules.entries[index].value : NULL;
}

static void add_workspace(void *ctx, const char *workspace_id)
{
	struct rule *rule = ctx;

	rule->workspaces = xreallocarray(
		rule->workspaces, rule->workspace_count + 1, sizeof(*rule->workspaces));
	rule->workspaces[rule->workspace_count++] = xstrdup(workspace_id);
}

static void rule_read(void *ctx, struct arm_result *result)
{
	struct part *part = ctx;
	struct rule *rule = rule_at(part->pass, part->index);
	json_t *document = NULL;

	part->call = NULL;
	rule->error = result->error;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	rule->read = document != NULL && arm_id_same(json_text(document, "id"), rule->id) &&
		arm_rule_destinations(document, add_workspace, rule) == 0;
	json_decref(document);
	part_end(part);
}

bool start_rules(struct pass *p)
{
	struct arm_request request = {0};
	const struct rule *rule;
	struct part *part;

	while ((rule = rule_at(p, p->next)) != NULL) {
		size_t index = p->next++;

		if (arm_get_collection_rule(rule->id, &request) != 0)
			continue;
		part = part_new(p, index);
		part->call = arm_client_call(p->observer->client, pass_identity(p)->name, &request,
			ARM_NORMAL, NULL, rule_read, part);
		return true;
	}
	return false;
}

/* --- what they say --- */

/* In place of a rule, the workspaces that it sends to. */
static void conclude_use(struct pass *p, const struct found_use *use)
{
	struct inventory *inv = p->observer->inventory;
	struct subscription *s = use->subscription;
	const struct rule *rule = use->by_rule ? map_get(&p->rules, use->target) : NULL;

	if (!use->by_rule) {
		inventory_add_use(inv, s, USE_LEGACY, use->target, use->machines);
	} else if (rule == NULL || !rule->read) {
		inventory_add_use(inv, s, USE_UNREAD, use->target, use->machines);
		pass_problem_of(p, s, "a data collection rule of its machines",
			rule != NULL ? &rule->error : NULL);
	} else {
		for (size_t i = 0; i < rule->workspace_count; i++)
			inventory_add_use(inv, s, USE_RULE, rule->workspaces[i], use->machines);
	}
}

static void conclude_uses(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++)
		inventory_clear_uses(p->observer->inventory, p->progress[i].subscription);
	for (size_t i = 0; i < p->use_count; i++)
		conclude_use(p, &p->uses[i]);
}

void uses_conclude(struct pass *p)
{
	struct stamp stamp = stamp_of(p->report.started, SOURCE_GRAPH);
	struct inventory *inv = p->observer->inventory;
	struct map_entry *entry;

	if (!follows_machines(p))
		return;
	/* What was known stays, and grows old. */
	if (!p->uses_unread) {
		conclude_uses(p);
		map_for_each (&inv->subscriptions, entry) {
			struct subscription *s = entry->value;

			if (s->scope != NULL && s->scope->identity == pass_identity(p))
				s->reports = stamp;
		}
	}
	inventory_relate_workspaces(inv);
	pass_collect(p, is_concerned);
}
