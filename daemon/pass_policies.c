/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assigned policies that do what controls do, or undo it. An assignment names a definition, or a
 * set of them; what a set holds has to be read as well. What could not be read stays unknown: that
 * keeps old agents and holds exemptions open, and makes nobody wait.
 */
#include "daemon/pass.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/controls/control.h"

/* Assignments change by the day; the list is asked for no more often than this. */
#define READ_EVERY DUR_H(1)
/* And where everything is as it should be, only lest it be too old when something is not. */
#define READ_AT_REST DUR_H(20)
/* Far above the 200 assignments and sets that Azure allows at one place. */
#define ASSIGNMENTS_MAX 5000
#define SETS_MAX 2000

struct policy_set {
	char *id;      /* as written in the assignment */
	json_t *parts; /* a set's document of those definitions that are known; NULL: not read */
	bool matters;  /* to somebody who does nothing without */
};

static void policy_set_free(void *value)
{
	struct policy_set *set = value;

	json_decref(set->parts);
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

/* Without knowing them something is left undone. */
static bool depends_on_them(const struct subscription *s)
{
	const struct policy_config *policy = s->scope->policy;

	return s->scope->honour_exemptions || (policy->legacy_remove_agent && may_have_agents(s));
}

/* Something that an assigned policy might correct, too. */
static bool has_trouble(const struct subscription *s)
{
	static const enum item_state open[] = {ITEM_UNKNOWN, ITEM_DRIFTED, ITEM_WAITING};

	if (s->machines_stamp.source == SOURCE_NONE)
		return true;
	for (unsigned c = 0; c < CONTROL_N_; c++)
		for (size_t i = 0; i < ARRAY_LEN(open); i++)
			if (control_by_id(c)->deeds != 0 && s->states[c][open[i]] > 0)
				return true;
	return false;
}

static bool is_due(const struct pass *p, const struct progress *progress)
{
	const struct subscription *s = progress->subscription;
	struct dur age = wall_since(p->report.started, s->policies.at);
	struct dur every = READ_EVERY;

	if (s->scope == NULL)
		return false;
	if (!depends_on_them(s)) {
		if (s->scope->policy->policy_grace.ms == 0)
			return false;
		if (!has_trouble(s))
			every = READ_AT_REST;
	}
	return !wall_is_set(s->policies.at) || age.ms >= every.ms || age.ms < 0;
}

/* --- assignments --- */

/* Those that only look have exemptions, too, and so have all that a scope names. */
static bool is_of_interest(const struct scope_config *scope, const json_t *row)
{
	const char *definition = assignment_definition(row);
	bool known = policy_is_set(definition) || policy_deed_of(definition) != DEED_N_;

	if (scope->honour_exemptions)
		return known || scope->exemptions_of_count > 0;
	return known && assignment_deploys(row);
}

static void assignment_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct progress *progress = &part->pass->progress[part->index];

	if (!is_of_interest(progress->subscription->scope, row))
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
	if (!progress->policies_read && depends_on_them(progress->subscription))
		pass_problem_of(part->pass, progress->subscription,
			"the assigned policies of a subscription", end->error);
	part_end(part);
}

bool start_policies(struct pass *p)
{
	static const struct subscription_list list = {
		is_due, arm_list_policy_assignments, assignment_row, assignments_done};

	return pass_list_next(p, &list);
}

/* --- sets --- */

static void want_set(struct pass *p, const char *id, bool matters)
{
	struct policy_set *set = id != NULL ? map_get(&p->policy_sets, id) : NULL;

	if (set == NULL) {
		if (!policy_is_set(id) || map_count(&p->policy_sets) >= SETS_MAX)
			return;
		set = xcalloc(1, sizeof(*set));
		set->id = xstrdup(id);
		map_set(&p->policy_sets, id, set);
	}
	set->matters = set->matters || matters;
}

void policy_sets_begin(struct pass *p)
{
	map_clear(&p->policy_sets);
	for (size_t i = 0; i < p->count; i++) {
		size_t k;
		json_t *assignment;

		json_array_foreach (p->progress[i].assignments, k, assignment)
			want_set(p, assignment_definition(assignment),
				depends_on_them(p->progress[i].subscription));
	}
}

/* The n-th one; they are only added before they are asked for. */
static struct policy_set *set_at(const struct pass *p, size_t index)
{
	return index < p->policy_sets.used ? p->policy_sets.entries[index].value : NULL;
}

/* Sets hold up to a thousand definitions, of which hardly any is known here. */
static json_t *known_parts(const json_t *document)
{
	const json_t *all = json_path(document, "properties.policyDefinitions");
	json_t *kept = json_array();
	size_t i;
	json_t *one;

	json_array_foreach (all, i, one)
		if (policy_deed_of(json_text(one, "policyDefinitionId")) != DEED_N_)
			json_array_append(kept, one);
	return json_pack("{s:{s:o}}", "properties", "policyDefinitions", kept);
}

static void set_read(void *ctx, struct arm_result *result)
{
	struct part *part = ctx;
	struct policy_set *set = set_at(part->pass, part->index);
	json_t *document = NULL;

	part->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	if (json_is_array(json_path(document, "properties.policyDefinitions")))
		set->parts = known_parts(document);
	else if (set->matters)
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

/* True where nothing is missing. */
static bool add_policy(
	const struct pass *p, const json_t *assignment, struct assigned_policies *policies)
{
	const char *definition = assignment_definition(assignment);
	const struct policy_set *set;

	if (!policy_is_set(definition)) {
		assigned_policies_add(policies, assignment, NULL);
		return true;
	}
	set = map_get(&p->policy_sets, definition);
	if (set == NULL || set->parts == NULL)
		return false;
	assigned_policies_add(policies, assignment, set->parts);
	return true;
}

static void conclude(const struct pass *p, const struct progress *progress)
{
	struct subscription *s = progress->subscription;
	struct assigned_policies policies = {.at = p->report.started, .whole = true};
	bool changed;
	size_t i;
	json_t *assignment;

	json_array_foreach (progress->assignments, i, assignment)
		if (!add_policy(p, assignment, &policies))
			policies.whole = false;
	/* What is known of all of them says more, for a while, than what is known of some. */
	if (!policies.whole && assigned_policies_known(&s->policies, p->report.started))
		assigned_policies_fini(&policies);
	else
		inventory_set_policies(s, &policies, &changed);
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
