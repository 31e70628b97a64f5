/* SPDX-License-Identifier: Apache-2.0 */
/* backoff: how long an item waits after a failure, by what failed and how often. */
#ifndef MDC_BACKOFF_H
#define MDC_BACKOFF_H

#include "lib/base/tick.h"
#include "lib/model/reason.h"

/*
 * One row a kind of failure. After `tries` failures in a row the item is blocked
 * (REASON_GIVEN_UP); 0 = never. Refusals have a schedule, too: how long until they are tested
 * again.
 */
struct backoff_schedule {
	struct dur first; /* after the first failure */
	unsigned factor;  /* for each further one */
	struct dur most;
	unsigned tries;
};
/* Handler failures wait 10 min, 1 h, 6 h, 24 h (facts: mde.md §11); busy plans minutes. */
const struct backoff_schedule *backoff_schedule(enum reason r);

/* After the `attempt`-th failure (1, 2, …), between half and all of the scheduled time. */
struct dur backoff_delay(enum reason r, unsigned attempt, uint64_t random);
/* True when the `attempt`-th failure was the last that is tried by itself. */
bool backoff_gives_up(enum reason r, unsigned attempt);

#endif
