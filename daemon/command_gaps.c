/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define GAPS_STANDARD 1000

/*
 * First the devices of each tenant, then the machines in the order of their subscriptions' ids.
 * Where it stopped is told as "tenant's number:place" or "subscription:place".
 */
struct walk {
	const struct command_context *command;
	uint64_t kinds;
	const struct scope_config *scope;
	size_t limit;
	struct command_cursor after;
	json_t *rows;
	uint64_t totals[GAP_KIND_N_];
	bool counting; /* the first page tells how many there are in all */
	char next[CURSOR_SIZE];
	struct wall now;
};

static const char *gap_word_of(unsigned n)
{
	return gap_word((enum gap_kind)n);
}

/* The number of a tenant, or a subscription's id. */
static bool is_place(const char *from)
{
	uint64_t tenant;

	return str_is_guid(from) || str_parse_u64(from, UINT32_MAX, &tenant) == 0;
}

/* --- rows --- */

static json_t *begin_row(enum gap_kind kind)
{
	return json_pack("{s:s, s:s}", "gap", gap_word(kind), "sentence", gap_sentence(kind));
}

static void add_machine(json_t *row, const struct machine *m)
{
	const struct subscription *s = m != NULL ? m->subscription : NULL;

	json_object_set_new(row, "machine", json_or_null(m != NULL ? m->name : NULL));
	json_object_set_new(row, "subscription", json_or_null(s != NULL ? s->id : NULL));
	json_object_set_new(row, "subscription_name", json_or_null(s != NULL ? s->name : NULL));
	json_object_set_new(
		row, "scope", json_or_null(s != NULL && s->scope != NULL ? s->scope->name : NULL));
}

static json_t *device_row(
	const struct device_gap *gap, const struct machine *m, const struct devices_tenant *tenant)
{
	json_t *row = begin_row(gap->kind);
	const struct device *d = gap->device;

	json_object_set_new(row, "device", json_or_null(d->name));
	json_object_set_new(row, "device_id", json_plain(d->id));
	json_object_set_new(row, "platform", json_or_null(d->platform));
	json_object_set_new(row, "sensor_version", json_or_null(d->version));
	json_object_set_new(row, "last_seen", json_wall(d->last_seen));
	json_object_set_new(row, "tenant", json_plain(tenant->tenant));
	json_object_set_new(row, "resource_id", json_or_null(gap->machine));
	add_machine(row, m);
	return row;
}

static json_t *machine_row(enum gap_kind kind, const struct machine *m)
{
	json_t *row = begin_row(kind);

	json_object_set_new(row, "device", json_null());
	json_object_set_new(row, "device_id", json_null());
	json_object_set_new(row, "platform", json_or_null(m->os_sku));
	json_object_set_new(row, "sensor_version", json_or_null(m->sensor->version));
	json_object_set_new(row, "last_seen", json_wall(m->sensor->last_seen));
	json_object_set_new(row, "tenant", json_or_null(m->subscription->tenant));
	json_object_set_new(row, "resource_id", json_plain(m->id));
	add_machine(row, m);
	return row;
}

/* --- the walk --- */

/* Whether the gap goes on this page; what comes after it is only counted. */
static bool take(struct walk *w, enum gap_kind kind, const char *of, uint64_t place)
{
	w->totals[kind]++;
	if (*w->next != '\0')
		return false;
	if (json_array_size(w->rows) < w->limit)
		return true;
	snprintf(w->next, sizeof(w->next), "%s:%llu", of, (unsigned long long)place);
	return false;
}

static bool is_asked_for(const struct walk *w, enum gap_kind kind, const struct machine *m)
{
	if (kind == GAP_KIND_N_ || (w->kinds >> kind & 1) == 0)
		return false;
	/* A device that is nobody's is in no scope. */
	return w->scope == NULL || (m != NULL && m->subscription->scope == w->scope);
}

static void walk_tenant(struct walk *w, size_t number, uint64_t first)
{
	const struct daemon *d = w->command->daemon;
	struct devices_tenant t;
	char name[24];

	devices_tenant(d->devices, number, &t);
	snprintf(name, sizeof(name), "%zu", number);
	for (uint64_t i = first; i < t.gaps->n; i++) {
		const struct device_gap *gap = &t.gaps->v[i];
		const struct machine *m = *gap->machine != '\0'
			? inventory_machine(d->inventory, gap->machine)
			: NULL;

		if (is_asked_for(w, gap->kind, m) && take(w, gap->kind, name, i))
			json_array_append_new(w->rows, device_row(gap, m, &t));
	}
}

static void walk_subscription(struct walk *w, const struct subscription *s, uint64_t first)
{
	for (uint64_t i = first; i < s->machine_count; i++) {
		const struct machine *m = s->machines[i];
		enum gap_kind kind = machine_gap(m, w->now);

		if (*w->next != '\0' && !w->counting)
			return;
		if (is_asked_for(w, kind, m) && take(w, kind, s->id, i))
			json_array_append_new(w->rows, machine_row(kind, m));
	}
}

static void walk_all(struct walk *w)
{
	const struct daemon *d = w->command->daemon;
	mdc_autofree struct subscription **all = command_subscriptions(d->inventory);
	bool in_machines = str_is_guid(w->after.from);
	uint64_t tenant = 0;

	if (*w->after.from != '\0' && !in_machines &&
		str_parse_u64(w->after.from, UINT32_MAX, &tenant) != 0)
		return;
	for (size_t i = tenant; !in_machines && i < devices_tenant_count(d->devices); i++)
		walk_tenant(w, i, i == tenant ? w->after.place : 0);
	for (struct subscription **s = all; *s != NULL; s++) {
		int order = in_machines ? strcmp((*s)->id, w->after.from) : 1;

		if (order >= 0)
			walk_subscription(w, *s, order == 0 ? w->after.place : 0);
	}
}

static void add_sources(const struct daemon *d, json_t *result)
{
	json_object_set_new(result, "sources", command_devices(d));
	json_object_set_new(result, "unproven", command_unproven(d));
}

static json_t *totals_of(const struct walk *w)
{
	json_t *totals = json_object();

	for (unsigned kind = 0; kind < GAP_KIND_N_; kind++)
		json_object_set_new(totals, gap_word((enum gap_kind)kind),
			json_integer((json_int_t)w->totals[kind]));
	return totals;
}

json_t *command_gaps(const struct command_context *c)
{
	struct walk w = {
		.command = c,
		.limit = command_count(c, "limit", GAPS_STANDARD, PAGE_MOST),
		.counting = !command_has(c, "after"),
		.now = loop_wall(c->daemon->world->loop),
	};
	json_t *result;

	if (!command_words(c, "kind", gap_word_of, GAP_KIND_N_, &w.kinds) ||
		!command_scope(c, &w.scope) ||
		!command_cursor(c, "mdcctl gaps", is_place, &w.after))
		return NULL;
	w.rows = json_array();
	walk_all(&w);
	result = json_pack("{s:o, s:o}", "gaps", w.rows, "next", json_or_null(w.next));
	if (w.counting)
		json_object_set_new(result, "totals", totals_of(&w));
	add_sources(c->daemon, result);
	return result;
}
