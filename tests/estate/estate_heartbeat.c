/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that lose and find their connection: by their own timeline, or by chance. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

/* As the agent's service reports it, with the time. */
static void set_status(struct estate *e, struct machine *m, const char *status)
{
	char time[WALL_TEXT_SIZE];
	json_t *doc;

	if (str_equal(machine_status(m), status))
		return;
	if (m->vm) {
		estate_replace(e, &m->res,
			tree_with(m->res.doc, "properties.extended",
				vm_extended(m->res.name, m->system, status)));
		return;
	}
	wall_format(e->now, time);
	doc = tree_with(m->res.doc, "properties.status", json_string(status));
	tree_set(&doc, "properties.lastStatusChange", json_string(time));
	estate_replace(e, &m->res, doc);
}

static struct wall next_flap(struct estate *e, const struct machine *m)
{
	return wall_add(e->now,
		estate_between(e, m->connected ? e->knobs.heartbeat.up : e->knobs.heartbeat.down));
}

/* The next thing that will happen to its connection, if anything. */
static void plan(struct estate *e, struct machine *m)
{
	const json_t *step = json_array_get(m->timeline, m->timeline_at);
	struct dur after;

	if (step != NULL && str_parse_duration(tree_text(step, "after"), &after) == 0)
		estate_schedule(e, &m->beat, wall_add(e->start, after));
	else if (m->flaps)
		estate_schedule(e, &m->beat, next_flap(e, m));
	else if (str_equal(machine_status(m), "Disconnected"))
		estate_schedule(e, &m->beat, wall_add(e->now, e->knobs.heartbeat.expiry));
}

static void fire(struct estate *e, struct estate_event *event)
{
	struct machine *m = container_of(event, struct machine, beat);
	const json_t *step = json_array_get(m->timeline, m->timeline_at);

	if (step != NULL) {
		m->timeline_at++;
		set_status(e, m, tree_text(step, "status"));
	} else if (m->flaps) {
		set_status(e, m, m->connected ? "Disconnected" : "Connected");
	} else if (str_equal(machine_status(m), "Disconnected")) {
		set_status(e, m, "Expired");
	}
	plan(e, m);
}

void heartbeat_start(struct estate *e, struct machine *m)
{
	const char *status = machine_status(m);

	m->beat.fire = fire;
	m->flaps = m->timeline == NULL &&
		(str_equal(status, "Connected") || str_equal(status, "Disconnected")) &&
		estate_share_of(e, m->res.id, "flaps") < e->knobs.heartbeat.flap_share;
	plan(e, m);
}
