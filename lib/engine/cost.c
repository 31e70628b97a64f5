/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/cost.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config.h"
#include "lib/model/device_join.h"
#include "lib/model/scope.h"

#include <stdlib.h>
#include <string.h>

/* --- words --- */

static const struct {
	const char *word, *sentence;
} billings[] =
	{
#define X(id, word, sentence) [COST_##id] = {word, sentence},
		COST_BILLINGS(X)
#undef X
},
  twices[] = {[COST_ONCE] = {NULL, NULL},
#define X(id, word, sentence) [COST_##id] = {word, sentence},
	  COST_TWICES(X)
#undef X
},
  plans[] = {
	  [PLAN_LEVEL_UNKNOWN] = {"unknown", NULL},
	  [PLAN_LEVEL_OFF] = {"off", NULL},
	  [PLAN_LEVEL_P1] = {"P1", "Defender for Endpoint, with its vulnerability management"},
	  [PLAN_LEVEL_P2] = {"P2",
		  "Defender for Endpoint, with premium vulnerability management; agentless "
		  "scanning and file integrity monitoring where they are on"},
};

const char *cost_billing_word(enum cost_billing billing)
{
	return billing < COST_BILLING_N_ ? billings[billing].word : "";
}

const char *cost_billing_sentence(enum cost_billing billing)
{
	return billing < COST_BILLING_N_ ? billings[billing].sentence : "";
}

const char *cost_twice_word(enum cost_twice twice)
{
	return twice < COST_TWICE_N_ ? twices[twice].word : NULL;
}

const char *cost_twice_sentence(enum cost_twice twice)
{
	return twice < COST_TWICE_N_ ? twices[twice].sentence : NULL;
}

const char *cost_plan_word(enum plan_level level)
{
	return plans[level].word;
}

const char *cost_plan_includes(enum plan_level level)
{
	return plans[level].sentence;
}

const char *cost_source_word(enum cost_source source)
{
	static const char *const words[] = {[COST_OF_SUBSCRIPTION] = "subscription",
		[COST_OF_MACHINE] = "machine",
		[COST_OF_CONNECTOR] = "connector"};

	return words[source];
}

const char *cost_assumption(size_t index)
{
	static const char *const sentences[] = {
		"a machine is billed by the hour while it is connected, and not while it is not",
		"a month has 730 hours, in which every machine stays as it is now",
		"a machine has the plan of its subscription, that of the connector that made it "
		"where this one has Defender for Servers on, or its own where one is known",
		"Defender for Servers includes the licence of Defender for Endpoint; a server that "
		"is onboarded and billed by no plan needs one of its own",
		"prices are those of the configuration: no discount, free period or tax is known",
	};

	return index < ARRAY_LEN(sentences) ? sentences[index] : NULL;
}

/* --- plans in force --- */

static enum plan_level level_of(const struct subscription *s)
{
	return plan_level_of(s->pricing.tier, s->pricing.sub_plan);
}

/* The connector that made the machine and has the offering on, or NULL. */
static const struct connector *connector_of(const struct machine *m)
{
	const struct subscription *s = m->subscription;

	for (size_t i = 0; m->connector_made && i < s->connector_count; i++) {
		const struct connector *c = s->connectors[i];

		if (!wall_is_set(c->missing) && c->offering.present && connector_owns(c, m))
			return c;
	}
	return NULL;
}

static enum plan_level plan_of(const struct machine *m, enum cost_source *ret_source)
{
	const struct connector *c = connector_of(m);

	*ret_source = COST_OF_MACHINE;
	if (m->plan == MACHINE_PLAN_OFF)
		return PLAN_LEVEL_OFF;
	if (m->plan == MACHINE_PLAN_P1)
		return PLAN_LEVEL_P1;
	*ret_source = c != NULL ? COST_OF_CONNECTOR : COST_OF_SUBSCRIPTION;
	return c != NULL ? plan_level_of("Standard", c->offering.sub_plan)
			 : level_of(m->subscription);
}

/* --- plans once the policy is reached --- */

static enum plan_level reached(enum servers_plan wanted, enum plan_level is, bool may_lower)
{
	enum plan_level level = wanted == PLAN_P1 ? PLAN_LEVEL_P1 : PLAN_LEVEL_P2;

	return wanted == PLAN_UNMANAGED || (is > level && !may_lower) ? is : level;
}

/* The scope that decides about it; NULL: nothing will change. */
static const struct scope_config *deciding_scope(
	const struct subscription *s, const struct machine *m, struct wall now)
{
	return s->scope != NULL && scope_exclusion(s->scope, s, m, now) == NULL ? s->scope : NULL;
}

enum plan_level cost_wanted_level(const struct subscription *s, struct wall now)
{
	const struct scope_config *scope = deciding_scope(s, NULL, now);
	enum plan_level is = level_of(s);

	if (scope == NULL)
		return is;
	return reached(scope->policy->plan, is,
		scope_grant(scope, CONTROL_SERVERS_PLAN, s, NULL, now) != NULL);
}

/* Without a plan of its own. */
static enum plan_level inherited_level(const struct machine *m, struct wall now)
{
	const struct subscription *s = m->subscription;
	const struct connector *c = connector_of(m);
	const struct scope_config *scope = deciding_scope(s, NULL, now);
	enum plan_level is;

	if (c == NULL)
		return cost_wanted_level(s, now);
	is = plan_level_of("Standard", c->offering.sub_plan);
	return scope == NULL ? is
			     : reached(scope->policy->connector.plan, is,
				       scope_grant(scope, CONTROL_CONNECTOR, s, NULL, now) != NULL);
}

static const struct machine_plan_config *named_plan(const struct machine *m, struct wall now)
{
	const struct scope_config *scope = deciding_scope(m->subscription, m, now);

	return scope == NULL ? NULL
			     : policy_machine_plan(scope->policy, m->subscription->id, m->group,
				       m->name, m->tags_unknown ? NULL : m->tags);
}

static enum plan_level wanted_of(const struct machine *m, enum plan_level is, struct wall now)
{
	const struct machine_plan_config *named = named_plan(m, now);
	enum plan_level base = inherited_level(m, now), level = base;
	bool own = m->plan == MACHINE_PLAN_OFF || m->plan == MACHINE_PLAN_P1;

	if (named == NULL || m->subscription->pricing.enforce == TRI_YES)
		return own ? is : base;
	if (named->plan == MACHINE_PLAN_OFF)
		level = PLAN_LEVEL_OFF;
	else if (named->plan == MACHINE_PLAN_P1)
		level = PLAN_LEVEL_P1;
	if ((level < is || level < base) &&
		scope_grant(m->subscription->scope, CONTROL_MACHINE_PLAN, m->subscription, m,
			now) == NULL)
		return own ? is : base;
	return level;
}

/* --- twice --- */

static enum cost_billing billing_of(const struct machine *m, enum plan_level level)
{
	switch (level) {
	case PLAN_LEVEL_UNKNOWN: return COST_UNKNOWN;
	case PLAN_LEVEL_OFF: return COST_NONE;
	case PLAN_LEVEL_P1: return m->connected ? COST_P1 : COST_AWAY;
	case PLAN_LEVEL_P2: return m->connected ? COST_P2 : COST_AWAY;
	}
	return COST_UNKNOWN;
}

static bool is_billed(const struct machine *m)
{
	enum cost_source source;
	enum cost_billing now = billing_of(m, plan_of(m, &source));

	return now == COST_P1 || now == COST_P2;
}

static struct cost_name name_of(const struct machine *m)
{
	char name[256];

	device_short_name(m->name, name, sizeof(name));
	return (struct cost_name){.hash = str_hash(name, strlen(name)), .machine = m};
}

static int compare_names(const void *va, const void *vb)
{
	const struct cost_name *a = va, *b = vb;
	char name_a[256], name_b[256];
	int order = (a->hash > b->hash) - (a->hash < b->hash);

	if (order == 0)
		order = strcmp(a->machine->subscription->tenant, b->machine->subscription->tenant);
	if (order == 0)
		order = os_is_windows(a->machine->os) - os_is_windows(b->machine->os);
	if (order != 0)
		return order;
	device_short_name(a->machine->name, name_a, sizeof(name_a));
	device_short_name(b->machine->name, name_b, sizeof(name_b));
	return strcmp(name_a, name_b);
}

void cost_names_init(struct cost_names *names, const struct inventory *inv)
{
	struct map_entry *entry;

	*names =
		(struct cost_names){.v = xcalloc(map_count(&inv->machines) + 1, sizeof(*names->v))};
	map_for_each (&inv->machines, entry)
		if (is_billed(entry->value))
			names->v[names->n++] = name_of(entry->value);
	qsort(names->v, names->n, sizeof(*names->v), compare_names);
}

void cost_names_fini(struct cost_names *names)
{
	free(names->v);
	*names = (struct cost_names){0};
}

const struct machine *cost_names_other(const struct cost_names *names, const struct machine *m)
{
	struct cost_name key = name_of(m);
	size_t low = 0, high = names->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_names(&names->v[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < names->n && compare_names(&names->v[low], &key) == 0; low++)
		if (names->v[low].machine != m)
			return names->v[low].machine;
	return NULL;
}

/* --- one machine, and sums --- */

void cost_of_machine(const struct machine *m, const struct cost_names *names, struct wall now,
	struct machine_cost *ret)
{
	struct machine_cost c = {0};

	c.plan = plan_of(m, &c.source);
	c.wanted = wanted_of(m, c.plan, now);
	c.now = billing_of(m, c.plan);
	c.then = billing_of(m, c.wanted);
	c.licence = c.now == COST_NONE && m->connected && m->sensor != NULL && m->sensor->listed &&
		m->sensor->onboarded;
	if (c.now == COST_P1 || c.now == COST_P2) {
		if (machine_gap(m, now) == GAP_BILLED_TWICE)
			c.twice = COST_LICENCE;
		else if (cost_names_other(names, m) != NULL)
			c.twice = COST_SAME_NAME;
	}
	*ret = c;
}

void cost_add_machine(struct cost_sum *sum, const struct machine_cost *m)
{
	bool then_billed = m->then == COST_P1 || m->then == COST_P2;

	sum->machines++;
	sum->now[m->now]++;
	sum->then[m->then]++;
	sum->to_bill += m->now == COST_NONE && then_billed;
	sum->twice[m->twice]++;
	sum->licences_now += m->licence || m->twice == COST_LICENCE;
	sum->licences_then += m->licence && !then_billed;
}

void cost_add(struct cost_sum *sum, const struct cost_sum *other)
{
	sum->machines += other->machines;
	for (unsigned i = 0; i < COST_BILLING_N_; i++) {
		sum->now[i] += other->now[i];
		sum->then[i] += other->then[i];
	}
	sum->to_bill += other->to_bill;
	for (unsigned i = 0; i < COST_TWICE_N_; i++)
		sum->twice[i] += other->twice[i];
	sum->licences_now += other->licences_now;
	sum->licences_then += other->licences_then;
	sum->direct += other->direct;
}

/* --- amounts --- */

/* Sizes are bounded by INVENTORY_MACHINES_MAX, DEVICES_MAX and the greatest prices: no overflow. */
static bool add_amount(int64_t *sum, uint64_t count, int64_t price)
{
	if (count > 0 && price == PRICE_UNKNOWN)
		return false;
	if (count > 0)
		*sum += (int64_t)count * price;
	return true;
}

static bool amount(const uint64_t billed[static COST_BILLING_N_], uint64_t direct,
	uint64_t licences, const struct prices_config *p, int64_t *ret)
{
	int64_t hourly = 0, monthly = 0;

	if (!add_amount(&hourly, billed[COST_P1] + direct, p->p1_per_hour) ||
		!add_amount(&hourly, billed[COST_P2], p->p2_per_hour) ||
		!add_amount(&monthly, licences, p->mde_per_month))
		return false;
	*ret = hourly * COST_HOURS_PER_MONTH + monthly;
	return true;
}

bool cost_now(const struct cost_sum *sum, const struct prices_config *prices, int64_t *ret)
{
	return amount(sum->now, sum->direct, sum->licences_now, prices, ret);
}

bool cost_then(const struct cost_sum *sum, const struct prices_config *prices, int64_t *ret)
{
	return amount(sum->then, sum->direct, sum->licences_then, prices, ret);
}
