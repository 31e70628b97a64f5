/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate: what may hold writes back: the halt (a marker file outside the database), pauses, a state
 * that was lost, and the impact gate that waits for `mdcctl confirm`.
 *
 * Only the absence of the marker says "go": one that cannot be read, is a link, a directory or
 * anything else halts as well, and so does one that someone makes by hand while the daemon runs.
 *
 * Nothing is written that the confirmed reach does not cover. It grows by itself only where the
 * growth was measured and is within the limits of `impact`.
 */
#ifndef MDCD_GATE_H
#define MDCD_GATE_H

#include "daemon/store.h"
#include "daemon/world.h"
#include "lib/engine/plan.h"
#include "lib/engine/reach.h"

struct gate;

/* Reads the marker, the pauses and the confirmed reach. `lost` holds all writes until confirmed. */
struct gate *gate_new(
	const struct world *w, struct store *store, const char *state_directory, bool lost);
struct gate *gate_free(struct gate *g);

/* Halted at once in memory; -errno when the marker, without which a restart would forget it, cannot
 * be written. */
int gate_halt(struct gate *g, const char *who, const char *reason) MDC_MUST_CHECK;
int gate_unhalt(struct gate *g, const char *who) MDC_MUST_CHECK;
bool gate_is_halted(const struct gate *g);
/* Whether a marker has come to be meanwhile; right before a write. */
bool gate_is_halted_now(struct gate *g);
/* "reason (by whom, when)" or NULL. */
const char *gate_halt_reason(const struct gate *g);

/* `target`: a scope's name, a resource id, or "*". */
void gate_pause(struct gate *g, const char *target, const char *who, const char *reason);
/* -ENOENT when it was not paused. */
int gate_resume(struct gate *g, const char *target, const char *who) MDC_MUST_CHECK;
bool gate_is_paused(const struct gate *g, const char *scope, const char *resource_id);
/* {target: {"by","reason","since"}}; borrowed. */
const json_t *gate_pauses(const struct gate *g);

/* Compares what may be written now with what was confirmed; after each complete observation. */
void gate_measure(struct gate *g, const struct config *c, const struct inventory *inv);
bool gate_is_unconfirmed(const struct gate *g, const char *subscription, enum control_id control);
/* State lost: everything waits. */
bool gate_state_is_lost(const struct gate *g);
/* Anything to confirm at all? `ret` (may be NULL) is the growth; borrowed. */
bool gate_needs_confirmation(const struct gate *g, const struct reach_growth **ret);
void gate_confirm(struct gate *g, const char *who);

/* Fills in what the plan needs to know; maps are borrowed from the gate. */
void gate_limits(struct gate *g, struct plan_limits *ret);

#endif
