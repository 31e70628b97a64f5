/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reconciler_parts.h"

#include "lib/base/str.h"

#include <string.h>

/* Machines that are judged in one turn of the loop. */
#define JUDGED_AT_ONCE 64

/* --- what the machines of a subscription are judged under --- */

static void add_scope(const struct scope_config *scope, struct wall now, struct buf *facts)
{
	buf_addf(facts, "%.200s ", scope->name);
	/* Exclusions and grants end without anything else to tell of it. */
	for (size_t i = 0; i < scope->exclude_count; i++)
		buf_addc(facts, wall_before(scope->excludes[i].until, now) ? '-' : '+');
	for (size_t i = 0; i < scope->grant_count; i++)
		buf_addc(facts, wall_before(scope->grants[i].until, now) ? '-' : '+');
}

static void add_verdict(
	const struct reconciler *r, const struct item_ref *ref, struct wall now, struct buf *facts)
{
	struct control_view view = item_view(ref, r->config, now);
	struct verdict verdict = control_by_id(ref->control)->assess(&view);

	buf_addf(facts, " %d %d", verdict.kind, verdict.reason);
}

/* Whether the controls of the subscription and its connectors let those of its machines go on. */
static void add_verdicts(
	const struct reconciler *r, struct subscription *s, struct wall now, struct buf *facts)
{
	for (unsigned c = 0; c < FIRST_CONNECTOR_CONTROL; c++)
		add_verdict(r, &(struct item_ref){.subscription = s, .control = (enum control_id)c},
			now, facts);
	for (size_t i = 0; i < s->connector_count; i++) {
		struct connector *connector = s->connectors[i];

		buf_addf(facts, " %.100s %u %lld %d", connector->hierarchy, connector->scan_hours,
			(long long)connector->changed.ms, wall_is_set(connector->missing));
		for (unsigned c = FIRST_CONNECTOR_CONTROL; c < FIRST_WORKSPACE_CONTROL; c++)
			add_verdict(r,
				&(struct item_ref){.subscription = s,
					.connector = connector,
					.control = (enum control_id)c},
				now, facts);
	}
}

/* Which assigned policies do or undo something. */
static void add_policies(const struct subscription *s, struct wall now, struct buf *facts)
{
	buf_addf(facts, " %d", assigned_policies_known(&s->policies, now));
	for (size_t i = 0; i < s->policies.n; i++)
		buf_addf(facts, " %.300s %.300s %u %d", s->policies.v[i].name,
			s->policies.v[i].scope, assigned_policy_deeds(&s->policies.v[i]),
			s->policies.v[i].deploys);
}

/* They end, too, without anything else to tell of it. */
static void add_exemptions(const struct reconciler *r, const struct subscription *s,
	struct wall now, struct buf *facts)
{
	struct dur grace = r->config->expiry_grace;

	if (!s->scope->honour_exemptions)
		return;
	buf_addf(facts, " %d", policy_exemptions_known(&s->exemptions, now));
	for (size_t i = 0; i < s->exemptions.n; i++)
		buf_addf(facts, " %.300s %llu %zu%c", s->exemptions.v[i].id,
			(unsigned long long)str_hash(
				s->exemptions.v[i].text, strlen(s->exemptions.v[i].text)),
			s->exemptions.v[i].reference_count,
			wall_before(policy_exemption_until(&s->exemptions.v[i], grace), now) ? '-'
											     : '+');
}

/* From when on Defender for Cloud is given its time. */
static void add_switches(const struct subscription *s, struct buf *facts)
{
	buf_addf(facts, " %lld %s %s %d", (long long)s->pricing.enabled_at.ms, s->pricing.tier,
		s->pricing.sub_plan, s->pricing.enforce);
	for (unsigned i = 0; i < SETTING_N_; i++)
		buf_addf(facts, " %lld", (long long)s->settings[i].changed.ms);
}

static uint64_t conditions_of(const struct reconciler *r, struct subscription *s)
{
	struct wall now = loop_wall(r->world->loop);
	struct buf facts = BUF_INIT(4 * 1024 * 1024);
	uint64_t hash;

	buf_addf(&facts, "%d %d %d %d ", s->visible, s->state, s->scope_conflict != NULL,
		subscription_has_moved(s));
	for (size_t i = 0; i < s->management_group_count; i++)
		buf_addf(&facts, "%.100s ", s->management_groups[i]);
	if (s->scope != NULL) {
		add_scope(s->scope, now, &facts);
		add_verdicts(r, s, now, &facts);
		add_switches(s, &facts);
		add_policies(s, now, &facts);
		add_exemptions(r, s, now, &facts);
	}
	hash = str_hash(buf_str(&facts), facts.len);
	buf_fini(&facts);
	return hash;
}

/* --- some at a time --- */

static void reconfigure(struct reconciler *r, const struct item_ref *ref, void *ctx)
{
	struct item_event event = {
		.kind = EVENT_RECONFIGURED, .reason = REASON_RELOADED, .detail = ""};

	(void)ctx;
	reconciler_event(r, ref, &event, NULL);
}

static void soon(struct reconciler *r)
{
	struct loop *loop = r->world->loop;

	loop->ops->timer_arm(r->judge_timer, loop_mono(loop));
}

void judge_subscription(struct reconciler *r, struct subscription *s)
{
	for (unsigned c = 0; c < FIRST_CONNECTOR_CONTROL; c++)
		judge(r, &(struct item_ref){.subscription = s, .control = (enum control_id)c});
	for (size_t i = 0; i < s->connector_count; i++)
		for (unsigned c = FIRST_CONNECTOR_CONTROL; c < FIRST_WORKSPACE_CONTROL; c++)
			judge(r,
				&(struct item_ref){.subscription = s,
					.connector = s->connectors[i],
					.control = (enum control_id)c});
	for (size_t i = 0; i < s->workspace_count; i++)
		for (unsigned c = FIRST_WORKSPACE_CONTROL; c < FIRST_MACHINE_CONTROL; c++)
			judge(r,
				&(struct item_ref){.subscription = s,
					.workspace = s->workspaces[i],
					.control = (enum control_id)c});
}

void judge_machines_later(struct reconciler *r, struct subscription *s, bool reconfigured)
{
	if (reconfigured) {
		visit_items_of(r, s, NULL, reconfigure, NULL);
		judge_subscription(r, s);
		s->reconfigured = true;
	}
	s->judged = conditions_of(r, s);
	s->to_judge = s->machine_count;
	if (s->machine_count == 0)
		return;
	list_remove(&s->judging);
	list_append(&r->judging, &s->judging);
	soon(r);
}

/* The next machine, or NULL when those of the subscription are done. */
static struct machine *next_machine(struct subscription *s)
{
	/* From the end: where a machine has gone, one from behind has taken its place. */
	if (s->to_judge > s->machine_count)
		s->to_judge = s->machine_count;
	return s->to_judge > 0 ? s->machines[--s->to_judge] : NULL;
}

void judge_some(void *ctx)
{
	struct reconciler *r = ctx;

	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	for (unsigned n = 0; n < JUDGED_AT_ONCE && !list_is_empty(&r->judging);) {
		struct subscription *s = list_entry(r->judging.next, struct subscription, judging);
		struct machine *m = next_machine(s);

		if (m == NULL) {
			s->reconfigured = false;
			list_remove(&s->judging);
			continue;
		}
		n++;
		if (s->reconfigured)
			visit_items_of(r, s, m, reconfigure, NULL);
		reconciler_machine_seen(r, m);
	}
	store_flush(r->store, NULL, NULL);
	if (!list_is_empty(&r->judging))
		soon(r);
	else
		reconciler_plan_soon(r);
}

bool reconciler_is_judging(const struct reconciler *r)
{
	return !list_is_empty(&r->judging);
}

void reconciler_subscription_seen(struct reconciler *r, struct subscription *s)
{
	MDC_MAGIC_CHECK(r, RECONCILER_MAGIC);
	judge_subscription(r, s);
	if (conditions_of(r, s) != s->judged)
		judge_machines_later(r, s, false);
}
