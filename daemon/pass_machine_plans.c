/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans of single machines, read only of those that a policy names: each from ARM, since Graph
 * shows no inherited ones, and as seldom as the plans of subscriptions.
 */
#include "daemon/pass.h"

bool machine_plan_matters(const struct machine *m)
{
	const struct scope_config *scope = m->subscription->scope;

	if (m->plan == MACHINE_PLAN_OFF || m->plan == MACHINE_PLAN_P1)
		return true;
	return scope != NULL && scope->policy->machine_plan_count > 0 && !m->tags_unknown &&
		policy_machine_plan(
			scope->policy, m->subscription->id, m->group, m->name, m->tags) != NULL;
}

static bool is_due(const struct pass *p, const struct machine *m)
{
	struct dur age = wall_since(p->report.started, m->plan_at);
	struct dur every = p->observer->config->poll.subscriptions;

	if (!machine_plan_matters(m))
		return false;
	return !wall_is_set(m->plan_at) || age.ms >= every.ms || age.ms < 0;
}

static void plan_read(void *ctx, struct arm_result *result)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	json_t *document = NULL;
	struct noted noted;

	part->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	if (document == NULL || !row_is_own(part, document) ||
		inventory_note(o->inventory, document, stamp_of(part->asked, SOURCE_ARM), &noted) !=
			0 ||
		noted.machine != part->machine)
		pass_problem_of(part->pass, part->machine->subscription, "the plan of a machine",
			&result->error);
	json_decref(document);
	part_end(part);
}

/* The next machine of that subscription, or NULL. */
static struct machine *next_machine(struct pass *p, struct progress *progress)
{
	struct subscription *s = progress->subscription;

	while (progress->next_plan < s->machine_count) {
		struct machine *m = s->machines[progress->next_plan++];

		if (is_due(p, m))
			return m;
	}
	return NULL;
}

bool start_machine_plans(struct pass *p)
{
	for (; p->next < p->count; p->next++) {
		struct machine *m = next_machine(p, &p->progress[p->next]);
		struct arm_request request = {0};
		struct part *part;

		if (m == NULL)
			continue;
		part = part_new(p, p->next);
		part->machine = m;
		arm_get_machine_plan(m->id, &request);
		part->call = arm_client_call(p->observer->client, pass_identity(p)->name, &request,
			ARM_NORMAL, NULL, plan_read, part);
		return true;
	}
	return false;
}
