/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include "lib/base/xalloc.h"
#include "lib/engine/cost.h"

#include <stdio.h>
#include <string.h>

#define COST_STANDARD 1000

enum by { BY_SUBSCRIPTION, BY_MACHINE, BY_N_ };

/* What a row may be asked for by: how it is billed, and more. */
enum kind { KIND_TO_BILL = COST_BILLING_N_, KIND_TWICE, KIND_N_ };

/*
 * The machines in the order of their subscriptions' ids. Where it stopped is told as
 * "subscription:place"; only the first page sums up.
 */
struct walk {
	const struct command_context *command;
	enum by by;
	uint64_t kinds;
	const struct scope_config *scope;
	size_t limit;
	struct command_cursor after;
	struct cost_names names;
	struct wall now;
	json_t *rows;
	uint64_t selected;
	bool summing;
	char next[CURSOR_SIZE];
	struct cost_sum total;
	struct cost_sum *scopes; /* those of the configuration, and one for what is in none */
};

static const char *by_word(unsigned n)
{
	return n == BY_MACHINE ? "machine" : "subscription";
}

static const char *kind_word(unsigned n)
{
	if (n == KIND_TO_BILL)
		return "to-bill";
	return n == KIND_TWICE ? "twice" : cost_billing_word((enum cost_billing)n);
}

/* --- arguments --- */

static bool read_by(struct walk *w)
{
	const char *text = command_text(w->command, "by");
	char near[96];

	if (text == NULL || str_equal(text, by_word(BY_SUBSCRIPTION)))
		return true;
	w->by = BY_MACHINE;
	if (str_equal(text, by_word(BY_MACHINE)))
		return true;
	did_you_mean(text, by_word, BY_N_, near);
	command_fail(w->command, "usage", "mdcctl cost --by machine",
		"by is subscription or machine, not \"%.60s\"%s", text, near);
	return false;
}

/* Only machines are of a kind. */
static bool read_kinds(struct walk *w)
{
	if (!command_words(w->command, "kind", kind_word, KIND_N_, &w->kinds))
		return false;
	if (!command_has(w->command, "kind") || w->by == BY_MACHINE)
		return true;
	command_fail(w->command, "usage", "mdcctl cost --by machine --kind KIND",
		"only machines are of a kind");
	return false;
}

/* --- values --- */

static json_t *json_amount(bool known, int64_t amount)
{
	char text[MONEY_TEXT_SIZE];

	if (!known)
		return json_null();
	money_format(amount, text);
	return json_string(text);
}

static void add_amounts(const struct walk *w, json_t *row, const struct cost_sum *sum)
{
	const struct prices_config *p = &w->command->daemon->config->prices;
	int64_t now = 0, then = 0;
	bool priced = p->currency != NULL;
	bool now_known = priced && cost_now(sum, p, &now);
	bool then_known = priced && cost_then(sum, p, &then);

	json_object_set_new(row, "month_now", json_amount(now_known, now));
	json_object_set_new(row, "month_when_reached", json_amount(then_known, then));
	json_object_set_new(row, "month_change", json_amount(now_known && then_known, then - now));
}

static void add_count(json_t *row, const char *key, uint64_t count)
{
	json_object_set_new(row, key, json_integer((json_int_t)count));
}

static void add_sum(const struct walk *w, json_t *row, const struct cost_sum *sum)
{
	add_count(row, "machines", sum->machines);
	for (unsigned b = 0; b < COST_BILLING_N_; b++)
		add_count(row, cost_billing_word((enum cost_billing)b), sum->now[b]);
	add_count(row, "to_bill", sum->to_bill);
	add_count(row, "twice", sum->twice[COST_LICENCE] + sum->twice[COST_SAME_NAME]);
	add_count(row, "twice_licence", sum->twice[COST_LICENCE]);
	add_count(row, "twice_same_name", sum->twice[COST_SAME_NAME]);
	add_count(row, "licences", sum->licences_now);
	add_count(row, "direct", sum->direct);
	add_count(row, "p2_when_reached", sum->then[COST_P2]);
	add_count(row, "p1_when_reached", sum->then[COST_P1]);
	add_count(row, "licences_when_reached", sum->licences_then);
	add_amounts(w, row, sum);
}

static void add_subscription(json_t *row, const struct subscription *s)
{
	json_object_set_new(row, "subscription", json_plain(s->id));
	json_object_set_new(row, "subscription_name", json_or_null(s->name));
	json_object_set_new(row, "scope", json_or_null(s->scope != NULL ? s->scope->name : NULL));
}

static json_t *subscription_row(
	const struct walk *w, const struct subscription *s, const struct cost_sum *sum)
{
	json_t *row = json_object();

	add_subscription(row, s);
	json_object_set_new(row, "plan",
		json_string(cost_plan_word(plan_level_of(s->pricing.tier, s->pricing.sub_plan))));
	json_object_set_new(row, "plan_when_reached",
		json_string(cost_plan_word(cost_wanted_level(s, w->now))));
	add_sum(w, row, sum);
	return row;
}

static json_t *machine_row(
	const struct walk *w, const struct machine *m, const struct machine_cost *c)
{
	const struct machine *other =
		c->twice == COST_SAME_NAME ? cost_names_other(&w->names, m) : NULL;
	json_t *row = json_pack("{s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:b}",
		"machine", json_plain(m->name), "resource_id", json_plain(m->id), "billed",
		cost_billing_word(c->now), "sentence", cost_billing_sentence(c->now), "plan",
		cost_plan_word(c->plan), "plan_of", cost_source_word(c->source),
		"plan_when_reached", cost_plan_word(c->wanted), "billed_when_reached",
		cost_billing_word(c->then), "twice", json_or_null(cost_twice_word(c->twice)),
		"twice_sentence", json_or_null(cost_twice_sentence(c->twice)), "other",
		json_or_null(other != NULL ? other->id : NULL), "licence", c->licence);

	add_subscription(row, m->subscription);
	return row;
}

/* --- the walk --- */

/* Whether it goes on this page; what comes after it is only counted. */
static bool take(struct walk *w, const struct subscription *s, uint64_t place)
{
	w->selected++;
	if (*w->next != '\0')
		return false;
	if (json_array_size(w->rows) < w->limit)
		return true;
	snprintf(w->next, sizeof(w->next), "%s:%llu", s->id, (unsigned long long)place);
	return false;
}

static bool is_asked_for(const struct walk *w, const struct machine_cost *c)
{
	struct cost_sum one = {0};

	cost_add_machine(&one, c);
	return (w->kinds >> c->now & 1) != 0 ||
		((w->kinds >> KIND_TO_BILL & 1) != 0 && one.to_bill > 0) ||
		((w->kinds >> KIND_TWICE & 1) != 0 && c->twice != COST_ONCE);
}

static struct cost_sum *sum_of_scope(const struct walk *w, const struct scope_config *scope)
{
	const struct config *c = w->command->daemon->config;

	for (size_t i = 0; i < c->scope_count; i++)
		if (scope == &c->scopes[i])
			return &w->scopes[i];
	return &w->scopes[c->scope_count];
}

static void walk_subscription(struct walk *w, const struct subscription *s, uint64_t first)
{
	struct cost_sum sum = {0};

	for (uint64_t i = w->by == BY_MACHINE ? first : 0; i < s->machine_count; i++) {
		struct machine_cost c;

		cost_of_machine(s->machines[i], &w->names, w->now, &c);
		cost_add_machine(&sum, &c);
		if (w->by == BY_MACHINE && is_asked_for(w, &c) && take(w, s, i))
			json_array_append_new(w->rows, machine_row(w, s->machines[i], &c));
		if (*w->next != '\0' && !w->summing)
			return;
	}
	cost_add(&w->total, &sum);
	cost_add(sum_of_scope(w, s->scope), &sum);
	if (w->by == BY_SUBSCRIPTION && take(w, s, 0))
		json_array_append_new(w->rows, subscription_row(w, s, &sum));
}

static void walk_all(struct walk *w)
{
	mdc_autofree struct subscription **all =
		command_subscriptions(w->command->daemon->inventory);

	for (struct subscription **s = all; *s != NULL; s++) {
		int order = *w->after.from != '\0' ? strcmp((*s)->id, w->after.from) : 1;

		if (*w->next != '\0' && !w->summing)
			return;
		if (order >= 0 && (w->scope == NULL || (*s)->scope == w->scope))
			walk_subscription(w, *s, order == 0 ? w->after.place : 0);
	}
}

/* --- devices without a machine --- */

static bool has_direct_onboarding(const struct daemon *d, const char *tenant)
{
	struct map_entry *entry;

	map_for_each (&d->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (str_equal_nocase(s->tenant, tenant) &&
			s->pricing.extensions[PLAN_DESIGNATED_SUBSCRIPTION] == TRI_YES)
			return true;
	}
	return false;
}

/* Nobody's, and in no scope: they are in the total alone. */
static void count_devices(struct walk *w)
{
	const struct daemon *d = w->command->daemon;

	for (size_t i = 0; i < devices_tenant_count(d->devices); i++) {
		struct devices_tenant t;
		bool direct;

		devices_tenant(d->devices, i, &t);
		direct = has_direct_onboarding(d, t.tenant);
		for (size_t g = 0; g < t.gaps->n; g++) {
			if (t.gaps->v[g].kind != GAP_NOT_CONNECTED)
				continue;
			w->total.direct += direct;
			w->total.licences_now += !direct;
			w->total.licences_then += !direct;
		}
	}
}

/* --- the answer --- */

static json_t *scope_rows(const struct walk *w)
{
	const struct config *c = w->command->daemon->config;
	json_t *rows = json_array();

	for (size_t i = 0; i <= c->scope_count; i++) {
		const struct scope_config *scope = i < c->scope_count ? &c->scopes[i] : NULL;
		json_t *row;

		if ((scope == NULL && w->scopes[i].machines == 0) ||
			(w->scope != NULL && scope != w->scope))
			continue;
		row = json_object();
		json_object_set_new(row, "scope", json_or_null(scope != NULL ? scope->name : NULL));
		add_sum(w, row, &w->scopes[i]);
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *json_price(int64_t price)
{
	return json_amount(price != PRICE_UNKNOWN, price);
}

static json_t *prices_of(const struct daemon *d)
{
	const struct prices_config *p = &d->config->prices;

	return json_pack("{s:o, s:o, s:o, s:o}", "currency", json_or_null(p->currency),
		"p1_per_hour", json_price(p->p1_per_hour), "p2_per_hour",
		json_price(p->p2_per_hour), "mde_per_month", json_price(p->mde_per_month));
}

static json_t *plans(void)
{
	json_t *list = json_array();

	for (unsigned level = PLAN_LEVEL_P1; level <= PLAN_LEVEL_P2; level++)
		json_array_append_new(list,
			json_pack("{s:s, s:s}", "plan", cost_plan_word((enum plan_level)level),
				"includes", cost_plan_includes((enum plan_level)level)));
	return list;
}

static json_t *assumptions(void)
{
	json_t *list = json_array();

	for (size_t i = 0; cost_assumption(i) != NULL; i++)
		json_array_append_new(list, json_string(cost_assumption(i)));
	return list;
}

static void add_prices(const struct daemon *d, const struct cost_sum *sum, json_t *unproven)
{
	const struct prices_config *p = &d->config->prices;
	int64_t amount;

	if (p->currency == NULL)
		json_array_append_new(unproven,
			json_string("amounts: the configuration has no prices; write prices { "
				    "currency = \"EUR\" p1-per-hour = … p2-per-hour = … "
				    "mde-per-month = … }"));
	else if (!cost_now(sum, p, &amount) || !cost_then(sum, p, &amount))
		json_array_append_new(unproven,
			json_string("some amounts: the section prices of the configuration lacks "
				    "a price that they need"));
}

/* Plans of single machines are read where the policy names them: others can be there. */
static void add_coverage(const struct walk *w, json_t *unproven)
{
	struct map_entry *entry;
	uint64_t partly = 0;

	map_for_each (&w->command->daemon->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (w->scope == NULL || s->scope == w->scope)
			partly += str_equal_nocase(s->pricing.coverage, "PartiallyCovered");
	}
	if (partly > 0)
		json_array_append_new(unproven,
			json_sprintf("which machines of %llu subscriptions have a plan of their "
				     "own: Azure says that some do, and they are read where a "
				     "policy names them",
				(unsigned long long)partly));
}

static json_t *unproven_of(const struct walk *w)
{
	const struct daemon *d = w->command->daemon;
	json_t *list = command_partial(d, w->scope);
	/* What is licensed beside the plans. */
	json_t *devices = command_unproven(d);

	json_array_extend(list, devices);
	json_decref(devices);
	add_coverage(w, list);
	add_prices(d, &w->total, list);
	return list;
}

static json_t *answer(struct walk *w)
{
	json_t *result = json_pack("{s:o, s:s, s:o}", "rows", w->rows, "by", by_word(w->by), "next",
		json_or_null(w->next));
	json_t *total;

	if (!w->summing)
		return result;
	if (w->scope == NULL)
		count_devices(w);
	total = json_object();
	add_sum(w, total, &w->total);
	json_object_set_new(result, "total", total);
	json_object_set_new(result, "scopes", scope_rows(w));
	add_count(result, "selected", w->selected);
	json_object_set_new(result, "prices", prices_of(w->command->daemon));
	json_object_set_new(result, "plans", plans());
	json_object_set_new(result, "assumptions", assumptions());
	json_object_set_new(result, "unproven", unproven_of(w));
	return result;
}

json_t *command_cost(const struct command_context *c)
{
	struct walk w = {
		.command = c,
		.limit = command_count(c, "limit", COST_STANDARD, PAGE_MOST),
		.summing = !command_has(c, "after"),
		.now = loop_wall(c->daemon->world->loop),
	};
	json_t *result;

	if (!read_by(&w) || !read_kinds(&w) || !command_scope(c, &w.scope) ||
		!command_cursor(c, "mdcctl cost", str_is_guid, &w.after))
		return NULL;
	w.rows = json_array();
	w.scopes = xcalloc(c->daemon->config->scope_count + 1, sizeof(*w.scopes));
	cost_names_init(&w.names, c->daemon->inventory);
	walk_all(&w);
	result = answer(&w);
	cost_names_fini(&w.names);
	free(w.scopes);
	return result;
}
