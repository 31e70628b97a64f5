/* SPDX-License-Identifier: Apache-2.0 */
/*
 * culprit: who undoes what we correct. Where an item is in conflict (rule 9), the activity log of
 * its resource is asked who else wrote there last; the name becomes the item's detail and one line
 * in the journal. The log shows events some minutes late, so that it may be asked a second time.
 */
#ifndef MDCD_CULPRIT_H
#define MDCD_CULPRIT_H

#include "daemon/arm_client.h"
#include "daemon/reconciler.h"

struct culprits;

struct culprits *culprits_new(const struct world *w, struct arm_client *client);
struct culprits *culprits_free(struct culprits *c);
void culprits_bind(struct culprits *c, struct reconciler *r);

/* For an item in conflict; others are none of its business. */
void culprits_search(struct culprits *c, const struct item_ref *ref);
void culprits_forget(struct culprits *c, const struct item_ref *ref);

#endif
