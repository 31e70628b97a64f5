/* SPDX-License-Identifier: Apache-2.0 */
/* azsim_clock: the estate's time: it starts with ours and runs `scale` times as fast. */
#ifndef MDC_TEST_AZSIM_CLOCK_H
#define MDC_TEST_AZSIM_CLOCK_H

#include "lib/base/tick.h"

struct azsim_clock {
	struct wall start;
	struct mono began;
	double scale;
};

void azsim_clock_init(struct azsim_clock *c, double scale);
struct wall azsim_clock_now(const struct azsim_clock *c);
/* Seconds of ours that pass while the estate lives through `d`. */
double azsim_clock_seconds(const struct azsim_clock *c, struct dur d);

#endif
