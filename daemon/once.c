/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/once.h"

#include "lib/base/xalloc.h"

/*
 * What an observation calls for is planned within a second and a half of it: when nothing has moved
 * for longer than that, nothing will.
 */
#define LOOK_EVERY DUR_MS(500)
#define QUIET_FOR DUR_S(2)
/* An inventory that does not come proves nothing and keeps nobody. */
#define DEVICES_WAIT DUR_MIN(2)

struct once {
	struct daemon *daemon;
	once_fn over;
	void *ctx;
	struct loop_timer *timer;
	struct mono until;
	struct mono quiet_since; /* when something was last seen to move */
	uint64_t transitions;
	bool observed;
	struct mono observed_at;
	bool reads_devices;
	bool ended;
};

/* What their inventory told of machines is judged in the next pass over these. */
static void look_at_devices(struct once *o)
{
	struct mono now = loop_mono(o->daemon->world->loop);
	bool read_before = o->reads_devices;

	o->reads_devices = devices_are_being_read(o->daemon->devices) &&
		mono_since(now, o->observed_at).ms < DEVICES_WAIT.ms;
	if (!read_before || o->reads_devices)
		return;
	o->quiet_since = now;
	scheduler_now(o->daemon->scheduler, PASS_MACHINES);
}

static bool moves(const struct once *o, const struct reconciler_counts *counts)
{
	const struct daemon *d = o->daemon;

	return counts->transitions != o->transitions || executor_waiting(d->executor) > 0 ||
		executor_running(d->executor) > 0 || counts->by_state[ITEM_QUEUED] > 0 ||
		counts->by_state[ITEM_APPLYING] > 0 || counts->by_state[ITEM_SETTLING] > 0;
}

static bool is_settled(enum item_state s)
{
	switch (s) {
	case ITEM_COMPLIANT:
	case ITEM_EXCLUDED:
	case ITEM_UNSUPPORTED:
	case ITEM_UNREACHABLE: return true;
	case ITEM_UNKNOWN:
	case ITEM_DRIFTED:
	case ITEM_WAITING:
	case ITEM_QUEUED:
	case ITEM_APPLYING:
	case ITEM_SETTLING:
	case ITEM_BACKOFF:
	case ITEM_BLOCKED:
	case ITEM_MANUAL:
	case ITEM_STATE_N_: return false;
	}
	return false;
}

static int verdict(const struct once *o, const struct reconciler_counts *counts)
{
	const struct pass_report *last = o->daemon->last_pass;

	/* Of each kind the last pass counts: what was incomplete may have become complete. */
	if (!o->observed || last[PASS_SUBSCRIPTIONS].problems + last[PASS_MACHINES].problems > 0)
		return EXIT_ERROR;
	/* Of nothing, everything would be in sync. */
	if (daemon_blind_identity(o->daemon) != NULL)
		return EXIT_ERROR;
	for (unsigned s = 0; s < ITEM_STATE_N_; s++)
		if (!is_settled((enum item_state)s) && counts->by_state[s] > 0)
			return EXIT_DRIFT;
	return 0;
}

static bool is_over(struct once *o, const struct reconciler_counts *counts, struct mono now)
{
	if (!mono_before(now, o->until))
		return true;
	if (!o->observed || moves(o, counts))
		o->quiet_since = now;
	o->transitions = counts->transitions;
	/* A pass that begins by its timer, and finds nothing, is no movement. */
	return mono_since(now, o->quiet_since).ms >= QUIET_FOR.ms &&
		!observer_is_busy(o->daemon->observer) && !o->reads_devices;
}

static void look(void *ctx)
{
	struct once *o = ctx;
	struct loop *loop = o->daemon->world->loop;
	struct reconciler_counts counts;

	if (o->ended)
		return;
	look_at_devices(o);
	reconciler_count(o->daemon->reconciler, &counts);
	if (!is_over(o, &counts, loop_mono(loop))) {
		loop->ops->timer_arm(o->timer, mono_add(loop_mono(loop), LOOK_EVERY));
		return;
	}
	o->ended = true;
	o->over(o->ctx, verdict(o, &counts));
}

static void confirm(struct daemon *d)
{
	if (!d->options.yes || !gate_needs_confirmation(d->gate, NULL))
		return;
	gate_confirm(d->gate, "mdcd --once --yes");
	reconciler_plan_soon(d->reconciler);
}

void once_pass_ended(struct once *o, const struct pass_report *report)
{
	if (report->kind != PASS_MACHINES)
		return;
	if (!o->observed)
		o->observed_at = loop_mono(o->daemon->world->loop);
	o->observed = true;
	confirm(o->daemon);
}

struct once *once_new(struct daemon *d, once_fn over, void *ctx)
{
	struct once *o = xcalloc(1, sizeof(*o));
	struct loop *loop = d->world->loop;

	o->daemon = d;
	o->over = over;
	o->ctx = ctx;
	o->until = mono_add(loop_mono(loop), d->options.once_limit);
	o->quiet_since = loop_mono(loop);
	o->timer = loop_timer_new(loop, look, o);
	loop->ops->timer_arm(o->timer, mono_add(loop_mono(loop), LOOK_EVERY));
	return o;
}

struct once *once_free(struct once *o)
{
	if (o == NULL)
		return NULL;
	o->daemon->world->loop->ops->timer_free(o->timer);
	free(o);
	return NULL;
}

/* --- the summary --- */

struct tally {
	uint64_t counts[CONTROL_N_][ITEM_STATE_N_][REASON_N_];
};

static void add(struct tally *t, const struct item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].applies)
			t->counts[items[i].control][items[i].state][items[i].reason]++;
}

static void add_all(struct tally *t, const struct inventory *inv)
{
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry) {
		const struct subscription *s = entry->value;

		add(t, s->items, ARRAY_LEN(s->items));
		for (size_t i = 0; i < s->connector_count; i++)
			add(t, s->connectors[i]->items, CONNECTOR_CONTROLS);
		for (size_t i = 0; i < s->workspace_count; i++)
			add(t, s->workspaces[i]->items, WORKSPACE_CONTROLS);
		for (uint32_t i = 0; i < s->machine_count; i++)
			add(t, s->machines[i]->items, MACHINE_CONTROLS);
	}
}

static void add_rows(const struct tally *t, enum control_id c, enum item_state s, struct buf *ret)
{
	if (s == ITEM_COMPLIANT)
		return;
	for (unsigned r = 0; r < REASON_N_; r++)
		if (t->counts[c][s][r] > 0)
			buf_addf(ret, "  %7llu %s %s: %s\n", (unsigned long long)t->counts[c][s][r],
				control_word(c), item_state_word(s),
				reason_sentence((enum reason)r));
}

void once_summary(const struct daemon *d, struct buf *ret)
{
	const struct identity_config *blind = daemon_blind_identity(d);
	struct tally *t = xcalloc(1, sizeof(*t));

	daemon_status_line(d, ret);
	buf_adds(ret, "\n");
	add_all(t, d->inventory);
	for (unsigned c = 0; c < CONTROL_N_; c++)
		for (unsigned s = 0; s < ITEM_STATE_N_; s++)
			add_rows(t, (enum control_id)c, (enum item_state)s, ret);
	if (blind != NULL)
		buf_addf(ret,
			"Identity \"%s\" sees no subscription of its scopes: it has no role there "
			"(README, \"The right to look\"), or they name what is not there.\n",
			blind->name);
	if (gate_needs_confirmation(d->gate, NULL))
		buf_adds(ret,
			"Nothing was written where confirmation is needed: look at this, "
			"then run it with --once --yes.\n");
	free(t);
}
