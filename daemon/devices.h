/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices: reads the inventory of Defender for Endpoint of each tenant, as often as poll/inventory
 * says, tells machines what is known of their sensors, and keeps the devices that have a gap
 * (lib/model/device_join.h).
 *
 * It is of no need: an identity without the permission (Machine.Read.All), or a cloud without that
 * API, leaves everything else as it is. That is told once, and what the inventory would prove stays
 * unproven. A list that fails takes nothing back until what it showed is older than it may lag.
 */
#ifndef MDCD_DEVICES_H
#define MDCD_DEVICES_H

#include "daemon/arm_client.h"
#include "daemon/observer.h"
#include "lib/model/device_join.h"

struct devices;

struct devices *devices_new(
	const struct world *w, struct arm_client *client, struct inventory *inv);
struct devices *devices_free(struct devices *d);
/* Borrowed. Begins anew where something had begun. */
void devices_configure(struct devices *d, const struct config *c);
/* The first pass over machines begins it: only then it is known whose they are. */
void devices_pass_ended(struct devices *d, const struct pass_report *report);
bool devices_are_being_read(const struct devices *d);
/* No more of it. */
void devices_stop(struct devices *d);

#define DEVICES_STATES(X) \
	X(UNREAD, "unread")   /* not yet */ \
	X(READ, "read")       /* the last list was complete */ \
	X(PARTIAL, "partial") /* it was not: nothing is concluded from what it did not show */ \
	X(DENIED, "denied")   /* no identity may */ \
	X(FAILED, "failed")

enum devices_state {
#define X(id, word) DEVICES_##id,
	DEVICES_STATES(X)
#undef X
};
const char *devices_state_word(enum devices_state s);

struct devices_tenant {
	const char *tenant, *identity; /* who read it, or tried last */
	enum devices_state state;
	struct wall read_at; /* when the list was begun that `gaps` come from; WALL_UNSET: none */
	uint64_t count;      /* servers in it */
	const char *error;   /* of the last attempt, "" if none */
	const struct device_gaps *gaps;
};
size_t devices_tenant_count(const struct devices *d);
void devices_tenant(const struct devices *d, size_t index, struct devices_tenant *ret);

#endif
