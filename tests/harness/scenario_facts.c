/* SPDX-License-Identifier: Apache-2.0 */
/* What was observed, as text: without who told it and when, so that ways of observing compare. */
#include "tests/harness/scenario_parts.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/single.h"

#include <stdlib.h>

static void add_time(struct buf *b, const char *name, struct wall at)
{
	char text[WALL_TEXT_SIZE];

	if (!wall_is_set(at))
		return;
	wall_format(at, text);
	buf_addf(b, " %s=%s", name, text);
}

static void add_subscription(struct buf *b, const struct subscription *s)
{
	buf_addf(b, "%s %s tenant=%s state=%d visible=%d plan=%s %s enforce=%d failure=%s", s->id,
		s->name, s->tenant, s->state, s->visible, s->pricing.tier, s->pricing.sub_plan,
		s->pricing.enforce, s->pricing.failure);
	buf_addf(b, " coverage=%s replaced=%s", s->pricing.coverage, s->pricing.replaced_by);
	for (unsigned i = 0; i < PLAN_EXTENSION_N_; i++)
		buf_addf(b, " %s=%d", plan_extension_name((enum plan_extension)i),
			s->pricing.extensions[i]);
	add_time(b, "enabled", s->pricing.enabled_at);
	for (unsigned i = 0; i < SETTING_N_; i++)
		buf_addf(b, " %s=%d", setting_name((enum setting_id)i), s->settings[i].enabled);
	for (unsigned i = 0; i < SINGLE_N_; i++)
		buf_addf(b, " %s=%s", single_row((enum single_id)i)->name, s->singles[i].word);
	buf_addc(b, '\n');
}

static void add_extension(struct buf *b, const char *what, const struct extension_facts *e)
{
	if (!e->present) {
		buf_addf(b, " %s=absent", what);
		return;
	}
	buf_addf(b, " %s=%s %s %s unified=%d foreign=%d code=%s message=%s", what, e->name,
		e->version, e->state, e->vnext, e->foreign_owner, e->code, e->message);
}

static void add_machine(struct buf *b, const struct machine *m)
{
	mdc_autofree char *id = xstrdup(m->id);

	str_fold(id);
	buf_addf(b, "%s %s %s os=%s %s %d agent=%s cloud=%s tags=%s", id, m->location, m->status,
		m->os_sku, m->os_type, m->os, m->agent_version, m->cloud, m->tags);
	buf_addf(b, " extensions=%d allowed=%d connector=%d known=%d", m->extensions_enabled,
		m->mde_allowed, m->connector_made, m->extensions_known);
	add_time(b, "since", m->status_since);
	add_extension(b, "mde", &m->mde);
	add_extension(b, "legacy", &m->legacy);
	buf_addf(b, " workspace=%s owner=%s plan=%d", m->legacy_workspace, m->mde_owner, m->plan);
	buf_addc(b, '\n');
}

static void add_connector(struct buf *b, const struct connector *c)
{
	const struct connector_offering *o = &c->offering;

	buf_addf(b, "connector %s %s of=%s under=%s hours=%u missing=%d", c->id,
		connector_cloud_word(c->cloud), c->hierarchy, c->parent, c->scan_hours,
		wall_is_set(c->missing));
	buf_addf(b, " offered=%d twice=%d identified=%d plan=%s tvm=%d", o->present, o->doubled,
		o->identified, o->sub_plan, o->by_defender);
	for (unsigned i = 0; i < CONNECTOR_PART_N_; i++)
		buf_addf(b, " %s=%d/%d", connector_part_name((enum connector_part)i), o->parts[i],
			o->ready[i]);
	buf_addc(b, '\n');
}

static void add_connectors(struct buf *b, const struct subscription *s)
{
	for (size_t i = 0; i < s->connector_count; i++)
		add_connector(b, s->connectors[i]);
}

static void add_workspaces(struct buf *b, const struct subscription *s)
{
	for (size_t i = 0; i < s->workspace_count; i++) {
		const struct workspace *w = s->workspaces[i];

		buf_addf(b, "workspace %s %s %s plan=%d %s free=%d missing=%d", w->id, w->location,
			w->customer, w->plan, w->plan_state, w->free, wall_is_set(w->missing));
		for (size_t r = 0; r < w->reporter_count; r++)
			buf_addf(b, " from=%s:%u/%u", w->reporters[r].subscription->id,
				w->reporters[r].agents, w->reporters[r].legacy);
		buf_addc(b, '\n');
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *scenario_facts(struct scenario *s)
{
	const struct inventory *inv = s->daemon->inventory;
	size_t room = map_count(&inv->subscriptions) + map_count(&inv->machines), n = 0;
	char **lines = xcalloc(room + 1, sizeof(*lines));
	struct buf line = BUF_INIT(1 << 20), text = BUF_INIT(256 << 20);
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry) {
		add_subscription(&line, entry->value);
		add_connectors(&line, entry->value);
		add_workspaces(&line, entry->value);
		lines[n++] = buf_steal(&line);
	}
	map_for_each (&inv->machines, entry) {
		add_machine(&line, entry->value);
		lines[n++] = buf_steal(&line);
	}
	qsort(lines, n, sizeof(*lines), compare);
	for (size_t i = 0; i < n; i++) {
		buf_adds(&text, lines[i]);
		free(lines[i]);
	}
	free(lines);
	buf_adds(&text, "");
	return buf_steal(&text);
}
