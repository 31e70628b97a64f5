/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight: asks Azure whether everything that the configuration needs is there: tokens,
 * permissions, resource providers, and no lock, deny assignment or policy in the way.
 *
 * One run at a time, whoever asks; it only reads, after everything else that waits for quota, a few
 * subscriptions at once. What it found is kept in memory until the next run begins, and forgotten
 * with the configuration that it was about.
 */
#ifndef MDCD_PREFLIGHT_H
#define MDCD_PREFLIGHT_H

#include "daemon/arm_client.h"
#include "daemon/observer.h"
#include "daemon/world.h"
#include "lib/model/config.h"
#include "lib/model/inventory.h"

struct preflight;

struct preflight *preflight_new(
	const struct world *w, struct arm_client *client, struct inventory *inv);
struct preflight *preflight_free(struct preflight *p);
/* Borrowed until the next call. A run is given up. */
void preflight_configure(struct preflight *p, const struct config *c);
/* A run waits until subscriptions and machines have been observed once. */
void preflight_pass_ended(struct preflight *p, const struct pass_report *report);

/* Begins a run, or joins the one that is going on; returns its number. */
uint64_t preflight_begin(struct preflight *p);
/*
 * "run", "finished", "waiting" (for the first observation), "done" and "total" (subscriptions);
 * once it is finished also "missing" and "unread" (see finding.h), "dropped" and "verdict" ("good",
 * "missing", "unread"). NULL for a run that is not known any more. Caller owns.
 */
json_t *preflight_report(const struct preflight *p, uint64_t run);

#endif
