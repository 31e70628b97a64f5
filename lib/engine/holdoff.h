/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdoff: what one item was refused, the others of its place would be refused as well: one missing
 * role is found out once, and not once a machine. After such a refusal corrections of the same
 * control in the same place wait; now and then one of them goes as a probe, and when a call gets
 * through, all may go.
 *
 * The place is as small as the refusal allows to think: a resource group, since roles, policies and
 * locks may stand on one; the subscription once two of its groups have refused, or where the
 * refusal is the subscription's own; the identity where it gets no token.
 */
#ifndef MDC_HOLDOFF_H
#define MDC_HOLDOFF_H

#include "lib/azure/arm_error.h"
#include "lib/base/tick.h"
#include "lib/model/item.h"
#include "lib/model/reason.h"

struct holdoff;

struct holdoff_place {
	const char *identity;
	const char *subscription;
	const char *group; /* NULL or "": the subscription itself */
	enum control_id control;
};

/* How far a call got, or how far the one that was refused. */
enum holdoff_stage { HOLDOFF_TOKEN, HOLDOFF_READ, HOLDOFF_PACKAGE, HOLDOFF_WRITE };

/* First pause before a probe, doubled after each that is refused, and the longest. */
#define HOLDOFF_FIRST DUR_MIN(5)
#define HOLDOFF_MOST DUR_H(1)
/* A probe that nothing was heard of for so long is followed by another. */
#define HOLDOFF_PROBE_LIMIT DUR_MIN(10)

struct holdoff *holdoff_new(void);
struct holdoff *holdoff_free(struct holdoff *h);

/* A call at that stage was refused. Classes that concern one item alone hold nothing. */
void holdoff_refused(struct holdoff *h, const struct holdoff_place *place,
	enum arm_error_class class, enum holdoff_stage stage, enum reason reason, struct wall now);
/*
 * A call got through that stage. True when that ended a hold: *ret_reason is what it was for,
 * *ret_group whether it was the group's alone.
 */
bool holdoff_passed(struct holdoff *h, const struct holdoff_place *place, enum holdoff_stage stage,
	enum reason *ret_reason, bool *ret_group);

/*
 * For a plan: begins a round. In one round one probe is let go for each hold that is due; whoever
 * is let go and sets out says so. Of an attempt that ended without an answer either way it is said,
 * too, so that another may be made.
 */
void holdoff_round(struct holdoff *h, struct wall now);
/* Why it has to wait, or REASON_NONE. */
enum reason holdoff_ask(struct holdoff *h, const struct holdoff_place *place);
void holdoff_sets_out(struct holdoff *h, const struct holdoff_place *place, struct wall now);
void holdoff_says_nothing(struct holdoff *h, const struct holdoff_place *place, struct wall now);
/* For one that has set out before the hold began: whether it has to wait. Asks for no probe. */
enum reason holdoff_holds(const struct holdoff *h, const struct holdoff_place *place);

/* When the next probe is due after `now`; WALL_NEVER when none is. */
struct wall holdoff_due(const struct holdoff *h, struct wall now);
/* An operator, or another configuration: everything may go. */
void holdoff_clear(struct holdoff *h);
size_t holdoff_count(const struct holdoff *h);

#endif
