/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog: tells systemd that we live, but only while each thread of ours makes progress: the loop
 * (it runs this), the store's and the log's.
 */
#ifndef MDCD_WATCHDOG_H
#define MDCD_WATCHDOG_H

#include "daemon/store.h"
#include "daemon/world.h"

struct watchdog;

/* Does nothing where systemd watches nothing. */
struct watchdog *watchdog_new(const struct world *w, struct store *store);
struct watchdog *watchdog_free(struct watchdog *d);

#endif
