/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assigned policies that install the Log Analytics agent: read only where agents are to be removed,
 * and there is one. An assignment names a definition, or a set of them; what a set holds has to be
 * read as well. What could not be read stays unknown, and keeps the agents.
 */
#include "daemon/pass.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

/* Assignments change by the day; the list is asked for no more often than this. */
#define READ_EVERY DUR_H(1)
/* Far above the 200 assignments and sets that Azure allows at one place. */
#define ASSIGNMENTS_MAX 5000
#define SETS_MAX 2000

struct policy_set {
	char *id; /* as written in the assignment */
	bool read, installs;
};

static void policy_set_free(void *value)
{
	struct policy_set *set = value;

	free(set->id);
	free(set);
}

/* Until the machines were listed for the first time, nobody knows. */
static bool may_have_agents(const struct subscription *s)
{
	if (s->machines_stamp.source == SOURCE_NONE)
		return true;
	for (uint32_t i = 0; i < s->machine_count; i++)
		if (s->machines[i]->legacy.present)
			return true;
	return false;
}

static bool is_due(const struct pass *p, const struct subscription *s)
{
	const struct policy_config *policy = s->scope != NULL ? s->scope->policy : NULL;
	struct dur age = wall_since(p->report.started, s->agent_policies.at);

	if (policy == NULL || !policy->legacy_remove_agent || !may_have_agents(s))
		return false;
	return !wall_is_set(s->agent_policies.at) || age.ms >= READ_EVERY.ms || age.ms < 0;
}

/* --- assignments --- */

static void assignment_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct progress *progress = &part->pass->progress[part->index];
	const char *definition = assignment_deploys(row);

	if (definition == NULL ||
		(!policy_is_set(definition) && !policy_installs_agent(definition)))
		return;
	if (progress->assignments == NULL)
		progress->assignments = json_array();
	if (json_array_size(progress->assignments) >= ASSIGNMENTS_MAX)
		part->unclear = true;
	else
		json_array_append(progress->assignments, (json_t *)row);
}

static void assignments_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct progress *progress = &part->pass->progress[part->index];

	progress->policies_read = part_ended_well(end) && !part->unclear;
	if (!progress->policies_read)
		pass_problem_of(part->pass, progress->subscription,
			"the assigned policies of a subscription", end->error);
	part_end(part);
}

bool start_policies(struct pass *p)
{
	struct arm_request request = {0};
	struct part *part;

	while (p->next < p->count && !is_due(p, p->progress[p->next].subscription))
		p->next++;
	if (p->next >= p->count)
		return false;
	part = part_new(p, p->next++);
	arm_list_policy_assignments(p->progress[part->index].subscription->id, &request);
	part_list_arm(part, &request, assignment_row, assignments_done);
	return true;
}

/* --- sets --- */

static void want_set(struct pass *p, const char *id)
{
	struct policy_set *set;

	if (!policy_is_set(id) || map_has(&p->policy_sets, id) ||
		map_count(&p->policy_sets) >= SETS_MAX)
		return;
	set = xcalloc(1, sizeof(*set));
	set->id = xstrdup(id);
	map_set(&p->policy_sets, id, set);
}

void policy_sets_begin(struct pass *p)
{
	map_clear(&p->policy_sets);
	for (size_t i = 0; i < p->count; i++) {
		size_t k;
		json_t *assignment;

		json_array_foreach (p->progress[i].assignments, k, assignment)
			want_set(p, assignment_deploys(assignment));
	}
}

/* The n-th one; they are only added before they are asked for. */
static struct policy_set *set_at(const struct pass *p, size_t index)
{
	return index < p->policy_sets.used ? p->policy_sets.entries[index].value : NULL;
}

static void set_read(void *ctx, struct arm_result *result)
{
	struct part *part = ctx;
	struct policy_set *set = set_at(part->pass, part->index);
	json_t *document = NULL;

	part->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	set->read = json_is_array(json_path(document, "properties.policyDefinitions"));
	set->installs = policy_set_installs_agent(document);
	if (!set->read)
		pass_problem(part->pass, "a set of assigned policies", &result->error);
	json_decref(document);
	part_end(part);
}

bool start_policy_sets(struct pass *p)
{
	struct arm_request request = {0};
	const struct policy_set *set;
	struct part *part;

	while ((set = set_at(p, p->next)) != NULL) {
		size_t index = p->next++;

		if (arm_get_policy_set(set->id, &request) != 0)
			continue;
		part = part_new(p, index);
		part->call = arm_client_call(p->observer->client, pass_identity(p)->name, &request,
			ARM_NORMAL, NULL, set_read, part);
		return true;
	}
	return false;
}

/* --- what they say --- */

/* TRI_UNKNOWN: a set that could not be read. */
static enum tri installs(const struct pass *p, const char *definition)
{
	const struct policy_set *set;

	if (!policy_is_set(definition))
		return policy_installs_agent(definition) ? TRI_YES : TRI_NO;
	set = map_get(&p->policy_sets, definition);
	if (set == NULL || !set->read)
		return TRI_UNKNOWN;
	return set->installs ? TRI_YES : TRI_NO;
}

static void conclude(const struct pass *p, const struct progress *progress)
{
	struct agent_policies policies = {.at = p->report.started};
	bool changed;
	size_t i;
	json_t *assignment;

	json_array_foreach (progress->assignments, i, assignment) {
		enum tri answer = installs(p, assignment_deploys(assignment));

		if (answer == TRI_UNKNOWN) {
			agent_policies_fini(&policies);
			return;
		}
		if (answer == TRI_YES)
			agent_policies_add(&policies, assignment);
	}
	inventory_set_agent_policies(progress->subscription, &policies, &changed);
}

void policies_conclude(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->progress[i].policies_read)
			conclude(p, &p->progress[i]);
}

void policies_free(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++) {
		json_decref(p->progress[i].assignments);
		p->progress[i].assignments = NULL;
	}
	map_clear(&p->policy_sets);
}

void policy_sets_init(struct pass *p)
{
	map_init(&p->policy_sets, policy_set_free);
}
