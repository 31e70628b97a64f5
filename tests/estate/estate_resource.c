/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

#include <string.h>

#define SENSOR_PUBLISHER "Microsoft.Azure.AzureDefenderForServers"

size_t vec_add(struct vec *v, void *item)
{
	if (v->n == v->room) {
		v->room = v->room == 0 ? 4 : v->room * 2;
		v->v = xreallocarray(v->v, v->room, sizeof(*v->v));
	}
	v->v[v->n] = item;
	return v->n++;
}

void vec_fini(struct vec *v)
{
	free(v->v);
	*v = (struct vec){0};
}

struct resource *estate_find(const struct estate *e, const char *id)
{
	return map_get(&e->resources, id);
}

struct resource *estate_find_kind(const struct estate *e, const char *id, enum resource_kind kind)
{
	struct resource *r = estate_find(e, id);

	return r != NULL && r->kind == kind ? r : NULL;
}

static size_t size_of(enum resource_kind kind)
{
	switch (kind) {
	case RESOURCE_SUBSCRIPTION: return sizeof(struct subscription);
	case RESOURCE_GROUP: return sizeof(struct group);
	case RESOURCE_MACHINE: return sizeof(struct machine);
	case RESOURCE_PROVIDER: return sizeof(struct provider);
	case RESOURCE_LOCK:
	case RESOURCE_PRICING:
	case RESOURCE_MACHINE_PRICING:
	case RESOURCE_SETTING:
	case RESOURCE_VA_SETTING:
	case RESOURCE_AUTO_PROVISIONING:
	case RESOURCE_CONNECTOR:
	case RESOURCE_WORKSPACE:
	case RESOURCE_SOLUTION:
	case RESOURCE_RULE:
	case RESOURCE_ASSOCIATION:
	case RESOURCE_EXTENSION:
	case RESOURCE_POLICY:
	case RESOURCE_OTHER:
	case RESOURCE_KIND_N_: break;
	}
	return sizeof(struct resource);
}

/* The id up to its "/extensions/…" or "/providers/Microsoft.Security/…": the machine's. */
static struct resource *find_parent(const struct estate *e, const char *id)
{
	const char *cut = strrchr(id, '/');
	struct resource *parent = NULL;

	for (int up = 0; up < 4 && parent == NULL && cut != NULL && cut > id; up++) {
		mdc_autofree char *shorter = xstrndup(id, (size_t)(cut - id));

		parent = estate_find_kind(e, shorter, RESOURCE_MACHINE);
		cut = memrchr(id, '/', (size_t)(cut - id));
	}
	return parent;
}

static void link_to_parent(struct resource *r)
{
	struct machine *m = machine_of(r->parent);

	if (m == NULL)
		return;
	if (r->kind == RESOURCE_EXTENSION)
		r->place = vec_add(&m->extensions, r);
	else if (r->kind == RESOURCE_MACHINE_PRICING)
		m->pricing = r;
}

static void link_to_lists(struct resource *r)
{
	if (r->kind == RESOURCE_EXTENSION || r->kind == RESOURCE_MACHINE_PRICING)
		link_to_parent(r);
	else if (r->sub != NULL && r->kind != RESOURCE_SUBSCRIPTION)
		r->place = vec_add(&r->sub->kinds[r->kind], r);
	if (r->kind == RESOURCE_MACHINE) {
		struct machine *m = machine_of(r);

		vec_add(&m->group->machines, m);
	}
}

static void unlink_from_lists(struct resource *r)
{
	struct machine *owner = machine_of(r->parent);

	if (r->kind == RESOURCE_EXTENSION && owner != NULL)
		owner->extensions.v[r->place] = NULL;
	else if (r->kind == RESOURCE_MACHINE_PRICING && owner != NULL)
		owner->pricing = NULL;
	else if (r->sub != NULL && r->kind != RESOURCE_SUBSCRIPTION)
		r->sub->kinds[r->kind].v[r->place] = NULL;
	if (r->kind == RESOURCE_MACHINE) {
		struct machine *m = machine_of(r);
		struct vec *all = &m->group->machines;

		for (size_t i = 0; i < all->n; i++)
			if (all->v[i] == m)
				all->v[i] = NULL;
	}
}

/* Whoever reacts to a change of this kind. */
static void react(struct estate *e, struct resource *r)
{
	struct machine *m = machine_of(r->kind == RESOURCE_MACHINE ? r : r->parent);

	if (e->loading || (m != NULL && m->res.gone))
		return;
	if (r->kind == RESOURCE_MACHINE) {
		handler_classify(m);
		operations_machine_changed(e, m);
	}
	if (m != NULL)
		deployer_machine_changed(e, m);
	if (r->kind == RESOURCE_PRICING || r->kind == RESOURCE_SETTING ||
		r->kind == RESOURCE_CONNECTOR)
		deployer_subscription_changed(e, r->sub);
}

static void drop_ghost(struct estate *e, const char *id)
{
	struct resource *ghost = map_get(&e->ghosts, id);

	if (ghost != NULL)
		rows_forget(e, ghost);
}

struct resource *estate_create(struct estate *e, enum resource_kind kind, const char *id,
	struct subscription *sub, json_t *take_doc)
{
	struct resource *r = xcalloc(1, size_of(kind));
	const char *slash = strrchr(id, '/');

	drop_ghost(e, id);
	*r = (struct resource){.kind = kind, .sub = sub, .doc = take_doc, .slot = SIZE_MAX};
	r->id = xstrdup(id);
	r->name = r->id + (slash - id) + 1;
	if (kind == RESOURCE_SUBSCRIPTION)
		r->sub = container_of(r, struct subscription, res);
	if (kind == RESOURCE_EXTENSION || kind == RESOURCE_MACHINE_PRICING)
		r->parent = find_parent(e, id);
	if (kind == RESOURCE_MACHINE) {
		/* /subscriptions/S/resourceGroups/G/… */
		mdc_autofree char *group =
			xstrdup(id + strlen("/subscriptions//resourceGroups/") + 36);

		*strchrnul(group, '/') = '\0';
		machine_of(r)->group = estate_group(e, sub, group, tree_text(take_doc, "location"));
	}
	map_set(&e->resources, id, r);
	link_to_lists(r);
	rows_changed(e, r);
	react(e, r);
	return r;
}

void estate_replace(struct estate *e, struct resource *r, json_t *take_doc)
{
	json_decref(r->doc);
	r->doc = take_doc;
	rows_changed(e, r);
	react(e, r);
}

static void machine_fini(struct machine *m)
{
	vec_fini(&m->extensions);
	vec_fini(&m->operations);
	json_decref(m->timeline);
	json_decref(m->outcomes);
	free(m->system);
}

static void subscription_fini(struct subscription *sub)
{
	for (size_t i = 0; i < RESOURCE_KIND_N_; i++)
		vec_fini(&sub->kinds[i]);
	for (size_t i = 0; i < GRAPH_TABLE_N_; i++)
		rows_fini(&sub->tables[i]);
	for (size_t i = 0; i < sub->policy_count; i++) {
		free(sub->policies[i].name);
		free(sub->policies[i].type);
		free(sub->policies[i].scope);
	}
	free(sub->policies);
	json_decref(sub->delegated_to);
	json_decref(sub->plan_failures);
	json_decref(sub->denials);
	json_decref(sub->plan_next);
	free(sub->plan_id);
	activity_free(sub->activity);
}

static void resource_free(struct resource *r)
{
	if (r->kind == RESOURCE_MACHINE)
		machine_fini(machine_of(r));
	if (r->kind == RESOURCE_GROUP)
		vec_fini(&container_of(r, struct group, res)->machines);
	if (r->kind == RESOURCE_SUBSCRIPTION)
		subscription_fini(container_of(r, struct subscription, res));
	json_decref(r->doc);
	json_decref(r->shown);
	free(r->id);
	free(r);
}

static void remove_children(struct estate *e, struct machine *m)
{
	for (size_t i = 0; i < m->extensions.n; i++)
		if (m->extensions.v[i] != NULL)
			estate_remove(e, m->extensions.v[i]);
	if (m->pricing != NULL)
		estate_remove(e, m->pricing);
	operations_forget(e, m);
	estate_unschedule(e, &m->deploy);
	estate_unschedule(e, &m->beat);
}

/* With a group goes what is in it. */
static void remove_machines(struct estate *e, struct group *g)
{
	for (size_t i = 0; i < g->machines.n; i++) {
		struct machine *m = g->machines.v[i];

		if (m != NULL)
			estate_remove(e, &m->res);
	}
}

/* A subscription that is removed stays in memory: machines and answers refer to it. */
void estate_remove(struct estate *e, struct resource *r)
{
	r->gone = true;
	map_remove(&e->resources, r->id);
	if (r->kind == RESOURCE_SUBSCRIPTION)
		return;
	if (r->kind == RESOURCE_MACHINE)
		remove_children(e, machine_of(r));
	if (r->kind == RESOURCE_GROUP)
		remove_machines(e, container_of(r, struct group, res));
	if (r->kind == RESOURCE_PROVIDER)
		estate_unschedule(e, &container_of(r, struct provider, res)->registration);
	unlink_from_lists(r);
	react(e, r);
	if (r->kind == RESOURCE_EXTENSION || r->kind == RESOURCE_MACHINE_PRICING)
		r->parent = NULL;
	if (r->shown == NULL && !estate_is_scheduled(&r->lag)) {
		rows_forget(e, r);
		return;
	}
	map_set(&e->ghosts, r->id, r);
	rows_changed(e, r);
}

void estate_resource_release(struct estate *e, struct resource *r)
{
	map_remove(&e->ghosts, r->id);
	resource_free(r);
}

void estate_resources_fini(struct estate *e)
{
	struct map_entry *entry;

	map_for_each (&e->resources, entry) {
		struct resource *r = entry->value;

		if (r->kind != RESOURCE_SUBSCRIPTION)
			resource_free(r);
	}
	map_for_each (&e->ghosts, entry)
		resource_free(entry->value);
	for (size_t i = 0; i < e->subscriptions.n; i++)
		resource_free(e->subscriptions.v[i]);
	map_fini(&e->resources);
	map_fini(&e->ghosts);
	vec_fini(&e->subscriptions);
}

struct machine *machine_of(struct resource *r)
{
	return r != NULL && r->kind == RESOURCE_MACHINE ? container_of(r, struct machine, res)
							: NULL;
}

const char *machine_status(const struct machine *m)
{
	const char *status =
		m->vm ? vm_power(m->res.doc) : tree_text(m->res.doc, "properties.status");

	return status != NULL ? status : "";
}

const char *machine_system(const struct machine *m)
{
	return m->vm ? m->system : tree_text(m->res.doc, "properties.osSku");
}

const char *machine_extension_type(const struct machine *m)
{
	return m->vm ? VM_EXTENSION_TYPE : "Microsoft.HybridCompute/machines/extensions";
}

struct group *estate_group(
	struct estate *e, struct subscription *sub, const char *name, const char *location)
{
	mdc_autofree char *id = xasprintf("/subscriptions/%s/resourceGroups/%s", sub->id, name);
	struct resource *r = estate_find_kind(e, id, RESOURCE_GROUP);

	if (r == NULL)
		r = estate_create(e, RESOURCE_GROUP, id, sub,
			json_pack("{s:s, s:s, s:s, s:s, s:{s:s}}", "id", id, "name", name, "type",
				"Microsoft.Resources/resourceGroups", "location",
				location != NULL ? location : "westeurope", "properties",
				"provisioningState", "Succeeded"));
	return container_of(r, struct group, res);
}

struct subscription *estate_subscription(const struct estate *e, const char *id)
{
	mdc_autofree char *path = xasprintf("/subscriptions/%s", id);
	struct resource *r = estate_find_kind(e, path, RESOURCE_SUBSCRIPTION);

	return r != NULL ? container_of(r, struct subscription, res) : NULL;
}

static struct resource *named(
	const struct subscription *sub, enum resource_kind kind, const char *name)
{
	const struct vec *all = &sub->kinds[kind];

	for (size_t i = 0; i < all->n; i++) {
		struct resource *r = all->v[i];

		if (r != NULL && str_equal_nocase(r->name, name))
			return r;
	}
	return NULL;
}

bool subscription_is_registered(const struct subscription *sub, const char *provider)
{
	const struct resource *r = named(sub, RESOURCE_PROVIDER, provider);

	return r != NULL && str_equal(tree_text(r->doc, "registrationState"), "Registered");
}

struct resource *subscription_setting(const struct subscription *sub, const char *name)
{
	return named(sub, RESOURCE_SETTING, name);
}

struct resource *subscription_plan(const struct subscription *sub)
{
	return named(sub, RESOURCE_PRICING, "VirtualMachines");
}

bool subscription_setting_is_on(const struct subscription *sub, const char *name)
{
	const struct resource *r = subscription_setting(sub, name);

	return r != NULL && tree_is_true(r->doc, "properties.enabled");
}

static bool is_standard(const struct resource *pricing)
{
	return pricing != NULL &&
		str_equal(tree_text(pricing->doc, "properties.pricingTier"), "Standard");
}

bool subscription_is_integrated(const struct subscription *sub)
{
	return !sub->res.gone && is_standard(subscription_plan(sub)) &&
		subscription_setting_is_on(sub, "WDATP");
}

bool machine_is_paid(const struct machine *m)
{
	return is_standard(m->pricing != NULL ? m->pricing : subscription_plan(m->res.sub));
}

bool extension_is_sensor(const json_t *doc)
{
	const char *type = tree_text(doc, "properties.type");

	return str_equal_nocase(tree_text(doc, "properties.publisher"), SENSOR_PUBLISHER) &&
		(str_equal_nocase(type, "MDE.Windows") || str_equal_nocase(type, "MDE.Linux"));
}

bool extension_is_unified(const json_t *doc)
{
	const json_t *flag = tree_get(doc, "properties.settings.vNextEnabled");

	return json_is_true(flag) || str_equal_nocase(json_string_value(flag), "true");
}

struct resource *machine_sensor(const struct machine *m)
{
	for (size_t i = 0; i < m->extensions.n; i++) {
		struct resource *r = m->extensions.v[i];

		if (r != NULL && extension_is_sensor(r->doc))
			return r;
	}
	return NULL;
}

bool machine_is_protected(const struct machine *m)
{
	const struct resource *sensor = machine_sensor(m);

	return sensor != NULL &&
		str_equal(tree_text(sensor->doc, "properties.provisioningState"), "Succeeded");
}
