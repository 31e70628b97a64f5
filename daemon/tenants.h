/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants: in which tenant each subscription was first seen, over restarts. One that turns up in
 * another tenant has been moved by somebody: it keeps its first tenant as its home, and is left to
 * a person, until an operator accepts where it is now.
 */
#ifndef MDCD_TENANTS_H
#define MDCD_TENANTS_H

#include "daemon/store.h"
#include "lib/model/inventory.h"

struct tenants;

struct tenants *tenants_new(struct store *store);
struct tenants *tenants_free(struct tenants *t);

/* The list of subscriptions is in: gives each its home, and remembers those that are new. */
void tenants_listed(struct tenants *t, struct inventory *inv);
/* An operator's word: it is at home where it is now. */
void tenants_accept(struct tenants *t, struct subscription *s);

#endif
