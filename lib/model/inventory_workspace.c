/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/inventory_internal.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

void workspace_free(struct workspace *w)
{
	free(w->id);
	free((char *)w->group);
	free(w->reporters);
	free(w);
}

struct workspace *inventory_workspace(const struct inventory *inv, const char *id)
{
	struct subscription *s = inventory_subscription_of(inv, id);

	for (size_t i = 0; s != NULL && i < s->workspace_count; i++)
		if (arm_id_same(s->workspaces[i]->id, id))
			return s->workspaces[i];
	return NULL;
}

static struct workspace *add(struct subscription *s, const struct arm_id *id)
{
	struct workspace *w;

	if (s->workspace_count >= INVENTORY_WORKSPACES_MAX)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->subscription = s;
	w->id = xstrdup(id->text);
	w->name = strrchr(w->id, '/') + 1;
	w->group = xstrdup(id->group);
	w->location = w->customer = w->plan_state = "";
	items_init(w->items, WORKSPACE_CONTROLS, FIRST_WORKSPACE_CONTROL);
	s->workspaces =
		xreallocarray(s->workspaces, s->workspace_count + 1, sizeof(*s->workspaces));
	s->workspaces[s->workspace_count++] = w;
	return w;
}

/* The one with that id, which is added where it is new. */
static int find_or_add(struct inventory *inv, const char *text, struct workspace **ret)
{
	struct subscription *s;
	struct arm_id id;
	int error;

	*ret = inventory_workspace(inv, text);
	if (*ret != NULL)
		return 0;
	error = inventory_place(inv, text, &id, &s);
	if (error != 0)
		return error;
	*ret = add(s, &id);
	arm_id_fini(&id);
	return *ret != NULL ? 0 : -ENOSPC;
}

void inventory_expect_workspace(struct inventory *inv, const char *id)
{
	struct workspace *w;

	(void)!find_or_add(inv, id, &w);
}

/* The plan is named after the workspace, and there case counts: as the service writes it. */
static void take_casing(struct workspace *w, const char *id)
{
	const char *fresh = id + (*id == '/');

	if (strlen(fresh) == strlen(w->id + 1))
		memcpy(w->id + 1, fresh, strlen(fresh));
}

int inventory_set_workspace(struct inventory *inv, const struct arm_workspace *facts,
	struct stamp stamp, struct workspace **ret, bool *ret_changed)
{
	struct workspace *w;
	bool changed = false;
	int error = find_or_add(inv, facts->id, &w);

	if (error != 0)
		return error;
	*ret = w;
	*ret_changed = false;
	if (stamp_has_crossed(w->stamp, stamp))
		return 0;
	take_casing(w, facts->id);
	inventory_set_text(inv, &w->location, facts->location, &changed);
	inventory_set_text(inv, &w->customer, facts->customer, &changed);
	*ret_changed = changed || w->stamp.source == SOURCE_NONE || wall_is_set(w->missing);
	w->missing = WALL_UNSET;
	w->stamp = stamp;
	return 0;
}

int inventory_set_solution(struct inventory *inv, const struct arm_solution *facts,
	struct stamp stamp, struct workspace **ret, bool *ret_changed)
{
	struct workspace *w = inventory_workspace(inv, facts->workspace);
	bool changed = false;

	if (w == NULL)
		return -ENOENT;
	*ret = w;
	*ret_changed = false;
	switch (facts->kind) {
	case SOLUTION_SECURITY:
		if (wall_before(stamp.at, w->plan_at))
			break;
		changed = !w->plan;
		w->plan = true;
		w->plan_at = stamp.at;
		inventory_set_text(inv, &w->plan_state, facts->state, &changed);
		break;
	case SOLUTION_SECURITY_FREE:
		changed = !w->free;
		w->free = true;
		w->free_at = stamp.at;
		break;
	case SOLUTION_OTHER: break;
	}
	*ret_changed = changed;
	return 0;
}

void inventory_workspace_missing(struct workspace *w, struct stamp stamp)
{
	if (!wall_is_set(w->missing) && !stamp_has_crossed(w->stamp, stamp))
		w->missing = stamp.at;
}

void inventory_workspaces_complete(struct subscription *s, struct stamp stamp)
{
	for (size_t i = 0; i < s->workspace_count; i++)
		if (wall_before(s->workspaces[i]->stamp.at, stamp.at))
			inventory_workspace_missing(s->workspaces[i], stamp);
}

void inventory_unset_solution(struct workspace *w, struct stamp stamp, bool *ret_changed)
{
	*ret_changed = w->plan && wall_before(w->plan_at, stamp.at);
	if (*ret_changed)
		w->plan = false;
}

void inventory_solutions_complete(struct subscription *s, struct stamp stamp)
{
	bool changed;

	for (size_t i = 0; i < s->workspace_count; i++) {
		struct workspace *w = s->workspaces[i];

		inventory_unset_solution(w, stamp, &changed);
		w->free = w->free && !wall_before(w->free_at, stamp.at);
	}
	s->workspaces_stamp = stamp;
}

/* --- who reports to them --- */

void inventory_clear_uses(struct inventory *inv, struct subscription *s)
{
	for (size_t i = 0; i < s->use_count; i++)
		intern_set(&inv->texts, &s->uses[i].target, "");
	free(s->uses);
	s->uses = NULL;
	s->use_count = 0;
}

void inventory_add_use(struct inventory *inv, struct subscription *s, enum workspace_use_kind kind,
	const char *target, uint32_t machines)
{
	struct workspace_use *use;
	bool changed;

	s->uses = xreallocarray(s->uses, s->use_count + 1, sizeof(*s->uses));
	use = &s->uses[s->use_count++];
	*use = (struct workspace_use){.kind = kind, .target = "", .machines = machines};
	inventory_set_text(inv, &use->target, target, &changed);
}

static struct workspace_reporter *reporter(struct workspace *w, const struct subscription *s)
{
	struct workspace_reporter *r;

	/* Subscriptions come one after the other. */
	if (w->reporter_count > 0 && w->reporters[w->reporter_count - 1].subscription == s)
		return &w->reporters[w->reporter_count - 1];
	w->reporters = xreallocarray(w->reporters, w->reporter_count + 1, sizeof(*w->reporters));
	r = &w->reporters[w->reporter_count++];
	*r = (struct workspace_reporter){.subscription = s};
	return r;
}

/* Workspaces by the GUID that legacy agents know, which is another one for each. */
static void collect(struct inventory *inv, struct map *by_customer)
{
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		for (size_t i = 0; i < s->workspace_count; i++) {
			struct workspace *w = s->workspaces[i];

			free(w->reporters);
			w->reporters = NULL;
			w->reporter_count = 0;
			if (*w->customer != '\0')
				map_set(by_customer, w->customer, w);
		}
	}
}

static void relate(struct inventory *inv, const struct map *by_customer,
	const struct subscription *s, struct workspace_use *use)
{
	struct workspace *w = NULL;

	switch (use->kind) {
	case USE_RULE:
		w = inventory_workspace(inv, use->target);
		if (w != NULL)
			reporter(w, s)->agents += use->machines;
		break;
	case USE_LEGACY:
		w = map_get(by_customer, use->target);
		if (w != NULL)
			reporter(w, s)->legacy += use->machines;
		break;
	case USE_UNREAD: break;
	}
	use->known = w != NULL;
}

void inventory_relate_workspaces(struct inventory *inv)
{
	struct map by_customer;
	struct map_entry *entry;

	map_init(&by_customer, NULL);
	collect(inv, &by_customer);
	map_for_each (&inv->subscriptions, entry) {
		const struct subscription *s = entry->value;

		for (size_t i = 0; s->visible && i < s->use_count; i++)
			relate(inv, &by_customer, s, &s->uses[i]);
	}
	map_fini(&by_customer);
}
