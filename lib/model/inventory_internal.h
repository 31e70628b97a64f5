/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory_internal: inside the inventory only.
 *
 *   inventory.c            life, subscriptions, plans and settings
 *   inventory_machine.c    machines
 *   inventory_extension.c  their extensions
 *   inventory_sensor.c     Defender for Endpoint's inventory, policies, machines' plans
 *   inventory_connector.c  connectors of AWS and GCP
 *   inventory_workspace.c  Log Analytics workspaces, and who reports to them
 *   inventory_sweep.c      what complete lists say
 */
#ifndef MDC_INVENTORY_INTERNAL_H
#define MDC_INVENTORY_INTERNAL_H

#include "lib/model/inventory.h"

/* Sets an interned text; *changed becomes true where it is another one. */
void inventory_set_text(struct inventory *inv, const char **fact, const char *text, bool *changed);
void items_init(struct item *items, size_t count, unsigned first);

/* The subscription that the resource is in, or NULL. */
struct subscription *inventory_subscription_of(
	const struct inventory *inv, const char *resource_id);
/* The same with the parsed id, which is the caller's. -EINVAL: no id; -ENOENT: no subscription. */
int inventory_place(const struct inventory *inv, const char *resource_id, struct arm_id *ret_id,
	struct subscription **ret) MDC_MUST_CHECK;

/* The known fact was asked for later: the answers have crossed. */
bool stamp_has_crossed(struct stamp known, struct stamp fresh);
/* Graph may still show what ARM has just told otherwise. */
bool stamp_may_lag(const struct inventory *inv, struct stamp known, struct stamp fresh);
/* ARM told something new: Graph may not know it yet. What ARM only confirms, Graph knows. */
bool stamp_is_ahead(bool ahead, struct stamp stamp, bool changed);

void extension_drop_texts(struct inventory *inv, struct extension_facts *e);
/* Back to "never seen". */
void extension_drop(struct inventory *inv, struct extension_facts *e);
void connector_free(struct connector *c);
void workspace_free(struct workspace *w);
void inventory_drop_sensor(struct inventory *inv, struct machine *m);
void machine_set_extensions_known(struct machine *m, bool known);

#endif
