/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/inventory_internal.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config.h"

#include <string.h>

void connector_free(struct connector *c)
{
	free(c->id);
	free((char *)c->group);
	free(c);
}

/* There are few of them. */
struct connector *inventory_connector(const struct inventory *inv, const char *id)
{
	struct subscription *s = inventory_subscription_of(inv, id);

	for (size_t i = 0; s != NULL && i < s->connector_count; i++)
		if (arm_id_same(s->connectors[i]->id, id))
			return s->connectors[i];
	return NULL;
}

static struct connector *add(struct subscription *s, const struct arm_id *id)
{
	struct connector *c;

	if (s->connector_count >= INVENTORY_CONNECTORS_MAX)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->subscription = s;
	c->id = xstrdup(id->text);
	c->name = strrchr(c->id, '/') + 1;
	c->group = xstrdup(id->group);
	c->hierarchy = c->parent = c->offering.sub_plan = "";
	for (unsigned i = 0; i < CONNECTOR_IDENTITY_N_; i++)
		c->offering.identities[i] = "";
	items_init(c->items, CONNECTOR_CONTROLS, FIRST_CONNECTOR_CONTROL);
	s->connectors =
		xreallocarray(s->connectors, s->connector_count + 1, sizeof(*s->connectors));
	s->connectors[s->connector_count++] = c;
	return c;
}

/* The one with that id, which is added where it is new. */
static int find_or_add(struct inventory *inv, const char *text, struct connector **ret)
{
	struct subscription *s;
	struct arm_id id;
	int error;

	*ret = inventory_connector(inv, text);
	if (*ret != NULL)
		return 0;
	error = inventory_place(inv, text, &id, &s);
	if (error != 0)
		return error;
	*ret = add(s, &id);
	arm_id_fini(&id);
	return *ret != NULL ? 0 : -ENOSPC;
}

static bool set_offering(
	struct inventory *inv, struct connector *c, const struct connector_offering *fresh)
{
	struct connector_offering *known = &c->offering;
	struct connector_offering next = *fresh;
	bool changed = known->present != fresh->present || known->doubled != fresh->doubled ||
		known->identified != fresh->identified || known->by_defender != fresh->by_defender;

	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		changed = changed || known->parts[p] != fresh->parts[p] ||
			known->ready[p] != fresh->ready[p];
	next.sub_plan = known->sub_plan;
	memcpy(next.identities, known->identities, sizeof(next.identities));
	*known = next;
	inventory_set_text(inv, &known->sub_plan, fresh->sub_plan, &changed);
	for (unsigned i = 0; i < CONNECTOR_IDENTITY_N_; i++)
		inventory_set_text(inv, &known->identities[i], fresh->identities[i], &changed);
	return changed;
}

int inventory_set_connector(struct inventory *inv, const struct arm_connector *facts,
	struct stamp stamp, struct connector **ret, bool *ret_changed)
{
	struct connector *c;
	bool first, changed;
	int error;

	if (facts->cloud == CONNECTOR_CLOUD_OTHER)
		return -ENOTSUP;
	error = find_or_add(inv, facts->id, &c);
	if (error != 0)
		return error;
	*ret = c;
	*ret_changed = false;
	if (stamp_has_crossed(c->stamp, stamp))
		return 0;
	first = c->stamp.source == SOURCE_NONE;
	changed = c->cloud != facts->cloud || c->scan_hours != facts->scan_hours;
	c->cloud = facts->cloud;
	c->scan_hours = facts->scan_hours;
	inventory_set_text(inv, &c->hierarchy, facts->hierarchy, &changed);
	inventory_set_text(inv, &c->parent, facts->parent, &changed);
	/* What was so when first seen may have been so for long. */
	if (set_offering(inv, c, &facts->offering)) {
		changed = true;
		c->changed = first && !wall_is_set(c->missing) ? WALL_UNSET : stamp.at;
	}
	*ret_changed = first || changed || wall_is_set(c->missing);
	c->missing = WALL_UNSET;
	c->stamp = stamp;
	return 0;
}

void inventory_connector_missing(struct connector *c, struct stamp stamp)
{
	if (!wall_is_set(c->missing) && !stamp_has_crossed(c->stamp, stamp))
		c->missing = stamp.at;
}

/* What the configuration describes is looked after although it is not there. */
static void describe(struct subscription *s, struct stamp stamp)
{
	for (size_t i = 0; s->scope != NULL && i < s->scope->connector_count; i++) {
		const struct connector_config *d = &s->scope->connectors[i];
		struct connector *c;
		bool changed = false;

		if (!str_equal(d->subscription, s->id))
			continue;
		if (find_or_add(s->inventory, d->id, &c) != 0 || c->stamp.source != SOURCE_NONE)
			continue;
		c->cloud = d->is.cloud;
		c->scan_hours = d->is.scan_hours;
		inventory_set_text(s->inventory, &c->hierarchy, d->is.hierarchy, &changed);
		inventory_connector_missing(c, stamp);
	}
}

const struct connector *inventory_connector_of_account(const struct inventory *inv,
	enum connector_cloud cloud, const char *hierarchy, const struct connector *besides)
{
	struct map_entry *entry;

	map_for_each ((struct map *)&inv->subscriptions, entry) {
		const struct subscription *s = entry->value;

		for (size_t i = 0; s->visible && i < s->connector_count; i++) {
			const struct connector *c = s->connectors[i];

			if (c != besides && c->cloud == cloud && !wall_is_set(c->missing) &&
				str_equal(c->hierarchy, hierarchy))
				return c;
		}
	}
	return NULL;
}

void inventory_connectors_complete(struct subscription *s, struct stamp stamp)
{
	for (size_t i = 0; i < s->connector_count; i++)
		if (wall_before(s->connectors[i]->stamp.at, stamp.at))
			inventory_connector_missing(s->connectors[i], stamp);
	describe(s, stamp);
	s->connectors_stamp = stamp;
}

/* The value of a tag, by its lower-case name; *ret_len is 0 where there is none. */
static const char *tag_value(const char *tags, const char *name, size_t *ret_len)
{
	size_t len = strlen(name);

	*ret_len = 0;
	while (*tags != '\0') {
		size_t line = strcspn(tags, "\n");

		if (line > len && strncmp(tags, name, len) == 0 && tags[len] == '=') {
			*ret_len = line - len - 1;
			return tags + len + 1;
		}
		tags += line + (tags[line] == '\n');
	}
	return "";
}

bool connector_owns(const struct connector *c, const struct machine *m)
{
	static const char *const names[] = {[CONNECTOR_CLOUD_OTHER] = "",
		[CONNECTOR_AWS] = "accountid",
		[CONNECTOR_GCP] = "projectnumber"};
	size_t len;
	const char *value = tag_value(m->tags, names[c->cloud], &len);

	if (!m->connector_made || m->subscription != c->subscription ||
		c->stamp.source == SOURCE_NONE)
		return false;
	if (len > 0)
		return len == strlen(c->hierarchy) && strncmp(value, c->hierarchy, len) == 0;
	return str_equal_nocase(m->cloud, connector_cloud_word(c->cloud));
}
