/* SPDX-License-Identifier: Apache-2.0 */
/* notify: what systemd is told (sd_notify); does nothing when not started by it. */
#ifndef MDCD_NOTIFY_H
#define MDCD_NOTIFY_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

struct notify {
	/* `state` in sd_notify's form. Test implementations record it. */
	void (*send)(struct notify *n, const char *state);
	/* Half of WATCHDOG_USEC; 0: no watchdog. */
	struct dur watchdog;
	struct notify *(*free)(struct notify *n);
};
struct notify *notify_systemd_new(void);
void notify_ready(struct notify *n, const char *status);
void notify_reloading(struct notify *n, struct mono now);
void notify_status(struct notify *n, const char *status);
void notify_stopping(struct notify *n);
void notify_alive(struct notify *n);

#endif
