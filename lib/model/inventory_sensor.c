/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/inventory_internal.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

void inventory_drop_sensor(struct inventory *inv, struct machine *m)
{
	if (m->sensor == NULL)
		return;
	intern_set(&inv->texts, &m->sensor->version, "");
	free(m->sensor);
	m->sensor = NULL;
}

/* That it was seen again is no change: it is seen all the time. */
static bool says_the_same(const struct sensor_facts *a, const struct sensor_facts *b)
{
	return a->listed == b->listed && a->onboarded == b->onboarded && a->health == b->health &&
		str_equal(a->version, b->version != NULL ? b->version : "");
}

void inventory_set_sensor(struct inventory *inv, struct machine *m,
	const struct sensor_facts *facts, bool *ret_changed)
{
	*ret_changed = facts == NULL ? m->sensor != NULL
				     : m->sensor == NULL || !says_the_same(m->sensor, facts);
	if (*ret_changed)
		m->unjudged = true;
	if (facts == NULL) {
		inventory_drop_sensor(inv, m);
		return;
	}
	if (m->sensor == NULL) {
		m->sensor = xcalloc(1, sizeof(*m->sensor));
		m->sensor->version = "";
	}
	intern_set(&inv->texts, &m->sensor->version, facts->version != NULL ? facts->version : "");
	m->sensor->listed = facts->listed;
	m->sensor->onboarded = facts->onboarded;
	m->sensor->health = facts->health;
	m->sensor->last_seen = facts->last_seen;
	m->sensor->at = facts->at;
}

void inventory_set_machine_plan(
	struct machine *m, enum machine_plan plan, struct stamp stamp, bool *ret_changed)
{
	struct stamp known = {
		.at = m->plan_at, .source = wall_is_set(m->plan_at) ? SOURCE_ARM : SOURCE_NONE};

	*ret_changed = false;
	if (stamp_has_crossed(known, stamp))
		return;
	*ret_changed = !wall_is_set(m->plan_at) || m->plan != plan;
	if (*ret_changed)
		m->unjudged = true;
	m->plan = plan;
	m->plan_at = stamp.at;
}

void inventory_set_policies(
	struct subscription *s, struct assigned_policies *take, bool *ret_changed)
{
	*ret_changed = !assigned_policies_equal(&s->policies, take);
	assigned_policies_fini(&s->policies);
	s->policies = *take;
	*take = (struct assigned_policies){0};
}

void inventory_set_exemptions(
	struct subscription *s, struct policy_exemptions *take, bool *ret_changed)
{
	*ret_changed = !policy_exemptions_equal(&s->exemptions, take);
	policy_exemptions_fini(&s->exemptions);
	s->exemptions = *take;
	*take = (struct policy_exemptions){0};
}
