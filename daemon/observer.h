/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observer: fills the inventory. Passes read whole collections (Resource Graph in paged rows, ARM
 * for what Graph lacks or refuses); a refresh reads one resource from ARM.
 *
 * One pass runs at a time; a pass that is asked for while another runs follows it, once. What could
 * not be read completely stays as it was, and says so. A machine is told when a fact of it has
 * changed (struct machine, `unjudged`) or an operation runs on it: a quiet pass tells of none.
 */
#ifndef MDCD_OBSERVER_H
#define MDCD_OBSERVER_H

#include "daemon/arm_client.h"
#include "daemon/world.h"
#include "lib/model/config.h"
#include "lib/model/inventory.h"

struct observer;

enum pass_kind {
	PASS_SUBSCRIPTIONS, /* which there are, plans, settings */
	PASS_MACHINES,      /* machines and extensions, with conclusions about absence */
	PASS_WATCH,         /* extensions where operations run; concludes no absence */
	PASS_KIND_N_
};
const char *pass_kind_word(enum pass_kind k);

struct pass_report {
	enum pass_kind kind;
	struct wall started, ended;
	uint64_t subscriptions, machines;
	uint64_t problems; /* lists that failed or were incomplete */
	char first_problem[256];
};

struct observer_ports {
	void *ctx;
	/* The list of subscriptions is in: resolve scopes. */
	void (*subscriptions_listed)(void *ctx);
	void (*subscription_seen)(void *ctx, struct subscription *s);
	/* Judge it, and clear `unjudged`. */
	void (*machine_seen)(void *ctx, struct machine *m);
	void (*machine_gone)(void *ctx, struct machine *m);
	/* What was told is still being judged: the pass ends after that. NULL: never. */
	bool (*judging)(void *ctx);
	void (*pass_ended)(void *ctx, const struct pass_report *report);
	/* For PASS_WATCH: the subscriptions to look at. */
	size_t (*watched)(void *ctx, const struct subscription **ret, size_t room);
};

struct observer *observer_new(const struct world *w, struct arm_client *client,
	struct inventory *inv, const struct observer_ports *ports);
struct observer *observer_free(struct observer *o);
/*
 * Borrowed until the next call. A running pass is given up and begins again in a later turn, when
 * scopes have been resolved anew; so do refreshes.
 */
void observer_configure(struct observer *o, const struct config *c);

void observer_pass(struct observer *o, enum pass_kind kind);
bool observer_is_busy(const struct observer *o);
/* Resource Graph refuses an identity; ARM lists do its work, more slowly. */
bool observer_graph_is_refused(const struct observer *o);
/* Reads one subscription's plan and settings, or one machine's extensions, from ARM. */
void observer_refresh(struct observer *o, struct subscription *s, struct machine *m);
/* The machine's memory is going away. */
void observer_forget(struct observer *o, struct machine *m);

#endif
