/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pass.h"

/* Fewer machines than announced or than before, in percent, makes a list incomplete. */
#define COUNT_TOLERANCE 10
/* What is done in one turn of the loop. */
#define CONCLUDED_AT_ONCE 512
#define LOOKED_AT_ONCE 4096
#define JUDGED_AT_ONCE 64

/* --- what complete lists say --- */

static void gone(void *ctx, struct machine *m)
{
	struct observer *o = ctx;

	observer_forget(o, m);
	o->ports.machine_gone(o->ports.ctx, m);
}

/* Graph may have lost extensions while it knows how many there are. */
static bool extensions_are_short(const struct batch *b, const struct progress *progress)
{
	return !b->from_arm &&
		inventory_is_far_below(
			progress->extension_rows, progress->extensions, COUNT_TOLERANCE);
}

static bool may_conclude(struct pass *p, const struct batch *b, const struct progress *progress)
{
	struct observer *o = p->observer;
	struct subscription *s = progress->subscription;

	if (b->incomplete || progress->incomplete)
		return false;
	if (extensions_are_short(b, progress)) {
		pass_problem_of(p, s, "the list of extensions", NULL);
		return false;
	}
	s->announced_machines = progress->machines;
	if (inventory_sweep_check(
		    o->inventory, s, progress->machines, COUNT_TOLERANCE, p->report.started) == 0)
		return true;
	pass_problem_of(p, s, "the list of machines", NULL);
	return false;
}

/* True when there is more. */
static bool conclude_one(struct pass *p)
{
	const struct progress *progress = &p->progress[p->next];
	const struct batch *b = &p->batches[p->next / BATCH_SUBSCRIPTIONS];
	struct observer *o = p->observer;
	struct stamp stamp = stamp_of(p->report.started, b->from_arm ? SOURCE_ARM : SOURCE_GRAPH);

	if (!p->begun) {
		if (!may_conclude(p, b, progress))
			return false;
		p->begun = true;
		inventory_conclude_begin(progress->subscription, stamp, &p->conclusion);
	}
	if (inventory_conclude(o->inventory, &p->conclusion, CONCLUDED_AT_ONCE, gone, o))
		return true;
	p->report.machines += progress->subscription->machine_count;
	return false;
}

bool conclude_some(struct pass *p)
{
	uint32_t done = 0;

	for (; p->next < p->count && done < CONCLUDED_AT_ONCE; p->next++, p->begun = false) {
		if (conclude_one(p))
			return true;
		done += p->progress[p->next].subscription->machine_count + 1;
	}
	return p->next < p->count;
}

/* --- telling what was seen --- */

/*
 * Subscriptions that are configured and cannot be seen have something to tell, too, and so do those
 * that have left their scope.
 */
static bool is_told(const struct pass *p, const struct subscription *s)
{
	return s->scope != NULL ? s->scope->identity == pass_identity(p) : p->identity == 0;
}

void tell_begin(struct pass *p)
{
	p->report.subscriptions += p->count;
	if (p->kind != PASS_SUBSCRIPTIONS)
		return;
	policies_conclude(p);
	exemptions_conclude(p);
	pass_collect(p, is_told);
}

/* Those of which something changed, and those whose operation waits for news. */
static void tell_machines(
	struct pass *p, struct subscription *s, unsigned *looked, unsigned *judged)
{
	struct observer *o = p->observer;

	while (p->machine < s->machine_count && *looked < LOOKED_AT_ONCE &&
		*judged < JUDGED_AT_ONCE) {
		struct machine *m = s->machines[p->machine++];

		++*looked;
		if (!m->unjudged && !has_operation(m))
			continue;
		++*judged;
		o->ports.machine_seen(o->ports.ctx, m);
	}
}

bool tell_some(struct pass *p)
{
	struct observer *o = p->observer;
	unsigned looked = 0, judged = 0;

	for (; p->next < p->count; p->next++, p->begun = false) {
		struct subscription *s = p->progress[p->next].subscription;

		if (judged >= JUDGED_AT_ONCE || looked >= LOOKED_AT_ONCE)
			return true;
		if (!p->begun) {
			p->begun = true;
			p->machine = 0;
			if (p->kind != PASS_WATCH)
				pass_forget_problem(p, s);
			judged++;
			o->ports.subscription_seen(o->ports.ctx, s);
		}
		if (p->kind == PASS_MACHINES)
			tell_machines(p, s, &looked, &judged);
		if (p->kind == PASS_MACHINES && p->machine < s->machine_count)
			return true;
	}
	return false;
}
