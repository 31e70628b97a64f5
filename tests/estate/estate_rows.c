/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

#include <string.h>

enum graph_table_kind rows_table(enum resource_kind kind)
{
	switch (kind) {
	case RESOURCE_MACHINE:
	case RESOURCE_WORKSPACE:
	case RESOURCE_SOLUTION:
	case RESOURCE_RULE:
	case RESOURCE_EXTENSION:
	case RESOURCE_OTHER: return GRAPH_RESOURCES;
	case RESOURCE_ASSOCIATION: return GRAPH_INSIGHTS;
	case RESOURCE_SUBSCRIPTION:
	case RESOURCE_GROUP: return GRAPH_CONTAINERS;
	case RESOURCE_PRICING:
	case RESOURCE_CONNECTOR:
	case RESOURCE_MACHINE_PRICING: return GRAPH_SECURITY;
	case RESOURCE_POLICY: return GRAPH_POLICY;
	case RESOURCE_PROVIDER:
	case RESOURCE_LOCK:
	case RESOURCE_SETTING:
	case RESOURCE_VA_SETTING:
	case RESOURCE_AUTO_PROVISIONING:
	case RESOURCE_KIND_N_: break;
	}
	return GRAPH_TABLE_N_;
}

static struct graph_rows *table_of(const struct resource *r)
{
	return &r->sub->tables[rows_table(r->kind)];
}

static void mark_stale(struct resource *r)
{
	if (!r->stale) {
		r->stale = true;
		vec_add(&table_of(r)->stale, r);
	}
}

/* The last row takes the place of the one that goes. */
static void drop_row(struct resource *r)
{
	struct graph_rows *t = table_of(r);
	struct resource *last;

	if (r->stale)
		for (size_t i = 0; i < t->stale.n; i++)
			if (t->stale.v[i] == r)
				t->stale.v[i] = NULL;
	r->stale = false;
	if (r->slot == SIZE_MAX)
		return;
	last = t->owners.v[t->owners.n - 1];
	json_array_set(t->rows, r->slot, json_array_get(t->rows, t->owners.n - 1));
	json_array_remove(t->rows, t->owners.n - 1);
	t->owners.v[r->slot] = last;
	last->slot = r->slot;
	t->owners.n--;
	r->slot = SIZE_MAX;
}

void rows_forget(struct estate *e, struct resource *r)
{
	estate_unschedule(e, &r->lag);
	if (rows_table(r->kind) != GRAPH_TABLE_N_)
		drop_row(r);
	estate_resource_release(e, r);
}

static void show(struct estate *e, struct resource *r)
{
	if (r->gone) {
		rows_forget(e, r);
		return;
	}
	if (r->shown == r->doc)
		return;
	json_decref(r->shown);
	r->shown = json_incref(r->doc);
	mark_stale(r);
}

static void lag_over(struct estate *e, struct estate_event *event)
{
	show(e, container_of(event, struct resource, lag));
}

void rows_changed(struct estate *e, struct resource *r)
{
	struct dur lag;

	r->changed = e->now;
	if (r->sub == NULL || rows_table(r->kind) == GRAPH_TABLE_N_)
		return;
	if (estate_is_scheduled(&r->lag))
		return;
	lag = e->loading ? DUR_MS(0) : dur_max(estate_between(e, e->knobs.graph.lag), fault_lag(e));
	if (lag.ms == 0) {
		show(e, r);
		return;
	}
	r->lag.fire = lag_over;
	estate_schedule(e, &r->lag, wall_add(e->now, lag));
}

static json_t *lower(const char *text)
{
	mdc_autofree char *copy = xstrdup(text != NULL ? text : "");

	str_fold(copy);
	return json_string(copy);
}

static const char *type_of(const struct resource *r)
{
	const char *type = tree_text(r->shown, "type");

	if (r->kind == RESOURCE_SUBSCRIPTION)
		return "microsoft.resources/subscriptions";
	if (r->kind == RESOURCE_GROUP)
		return "microsoft.resources/subscriptions/resourcegroups";
	return type != NULL ? type : "";
}

static json_t *group_of(const struct resource *r)
{
	static const char mark[] = "/resourcegroups/";
	const char *at = strcasestr(r->id, mark);
	mdc_autofree char *group = xstrdup(at != NULL ? at + strlen(mark) : "");

	*strchrnul(group, '/') = '\0';
	return lower(group);
}

static json_t *ancestors(const struct subscription *sub)
{
	json_t *chain = json_array();

	for (const struct management_group *g = sub->group; g != NULL; g = g->parent)
		json_array_append_new(chain,
			json_pack("{s:s, s:s}", "displayName", g->display_name, "name", g->name));
	return chain;
}

static json_t *subscription_properties(const struct resource *r)
{
	json_t *properties = json_pack("{s:O?, s:O?}", "state", tree_get(r->shown, "state"),
		"subscriptionPolicies", tree_get(r->shown, "subscriptionPolicies"));

	json_object_set_new(properties, "managementGroupAncestorsChain", ancestors(r->sub));
	return properties;
}

static void copy_member(json_t *row, const char *key, const json_t *doc)
{
	json_t *value = json_object_get(doc, key);

	if (value != NULL && !json_is_null(value))
		json_object_set(row, key, value);
}

/* Policies of management groups are listed in the subscriptions below, and are in none. */
bool is_above_subscriptions(const struct resource *r)
{
	return str_starts_nocase(r->id, "/providers/");
}

static json_t *make_row(const struct resource *r)
{
	const char *name =
		r->kind == RESOURCE_SUBSCRIPTION ? tree_text(r->shown, "displayName") : r->name;
	json_t *row = json_object();

	json_object_set_new(row, "id", json_string(r->id));
	json_object_set_new(row, "name", json_string(name));
	json_object_set_new(row, "type", lower(type_of(r)));
	json_object_set_new(row, "tenantId", json_string(r->sub->tenant->id));
	json_object_set_new(
		row, "subscriptionId", json_string(is_above_subscriptions(r) ? "" : r->sub->id));
	json_object_set_new(row, "resourceGroup", group_of(r));
	json_object_set_new(row, "location", lower(tree_text(r->shown, "location")));
	if (r->kind == RESOURCE_SUBSCRIPTION)
		json_object_set_new(row, "properties", subscription_properties(r));
	else
		copy_member(row, "properties", r->shown);
	/* Of a VM's extension it has no instance view. */
	if (str_equal(tree_text(r->shown, "type"), VM_EXTENSION_TYPE))
		tree_set(&row, "properties.instanceView", NULL);
	copy_member(row, "tags", r->shown);
	copy_member(row, "kind", r->shown);
	copy_member(row, "identity", r->shown);
	copy_member(row, "plan", r->shown);
	copy_member(row, "systemData", r->shown);
	return row;
}

const json_t *rows_of(struct subscription *sub, enum graph_table_kind table)
{
	struct graph_rows *t = &sub->tables[table];

	if (t->rows == NULL)
		t->rows = json_array();
	for (size_t i = 0; i < t->stale.n; i++) {
		struct resource *r = t->stale.v[i];

		if (r == NULL)
			continue;
		r->stale = false;
		if (r->slot == SIZE_MAX) {
			r->slot = vec_add(&t->owners, r);
			json_array_append_new(t->rows, make_row(r));
		} else {
			json_array_set_new(t->rows, r->slot, make_row(r));
		}
	}
	t->stale.n = 0;
	return t->rows;
}

void rows_fini(struct graph_rows *rows)
{
	json_decref(rows->rows);
	vec_fini(&rows->owners);
	vec_fini(&rows->stale);
}
