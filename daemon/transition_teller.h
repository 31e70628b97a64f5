/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transition_teller: stores each transition and tells the journal of it, with the number that the
 * store gave it, once it is durable: what has a number in the journal is in the history, after any
 * crash, and no number ever stands for two transitions. Usually that is some milliseconds later, in
 * the order in which they came.
 *
 * People see what happens while it happens, whatever the disk does. A transition that is not
 * durable within a second, or that comes while the store fails, is told at once without a number
 * (MDCD_UNSTORED=yes), and once more with it (MDCD_REPLAYED=yes, MDCD_AT) when it has become
 * durable. If the process dies before, only the entry without a number tells of it: nothing that
 * was acknowledged is lost by that, for nothing is written to Azure on a state that is not stored.
 *
 * What is held is bounded in bytes. Of what is beyond that, and of what the store gave up, the
 * entries with numbers come from the store itself (journal_replay_dropped()) when it has them.
 */
#ifndef MDCD_TRANSITION_TELLER_H
#define MDCD_TRANSITION_TELLER_H

#include "daemon/store.h"
#include "daemon/world.h"
#include "lib/model/item.h"

/* A change of an item, or of one that is only remembered. All texts are copied. */
struct transition {
	enum control_id control;
	const char *resource_id, *name; /* for people */
	/* NULL where there is none: */
	const char *subscription_id, *machine, *scope, *detail, *correlation_id;
	enum item_state from, to;
	enum reason reason;
};

struct transition_teller;

struct transition_teller *transition_teller_new(const struct world *w, struct store *store);
/* After the store is closed. What is still held is told at the next start. */
struct transition_teller *transition_teller_free(struct transition_teller *t);

void transition_teller_take(struct transition_teller *t, const struct transition *transition);
/* How many wait for the store. */
size_t transition_teller_held(const struct transition_teller *t);

#endif
