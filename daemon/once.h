/* SPDX-License-Identifier: Apache-2.0 */
/*
 * once: `mdcd --once`: one pass, in enforce mode its corrections too, then the verdict as an exit
 * status: 0 in sync, 1 the observation was incomplete, 2 drift remains. There is no control socket
 * then: what waits for confirmation is confirmed by options.yes, or stays.
 */
#ifndef MDCD_ONCE_H
#define MDCD_ONCE_H

#include "daemon/daemon.h"

struct once;

typedef void (*once_fn)(void *ctx, int exit_status);

/* `over` is called once, when nothing moves any more or the time of options.once_limit is up. */
struct once *once_new(struct daemon *d, once_fn over, void *ctx);
struct once *once_free(struct once *o);
/* What was found, by control, state and reason, in some lines for people. */
void once_summary(const struct daemon *d, struct buf *ret);
void once_pass_ended(struct once *o, const struct pass_report *report);

#endif
