/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void azsim_clock_init(struct azsim_clock *c, double scale)
{
	*c = (struct azsim_clock){
		.start = {read_clock(CLOCK_REALTIME)},
		.began = {read_clock(CLOCK_MONOTONIC)},
		.scale = scale,
	};
}

struct wall azsim_clock_now(const struct azsim_clock *c)
{
	double elapsed = (double)(read_clock(CLOCK_MONOTONIC) - c->began.ms);

	return wall_add(c->start, DUR_MS((int64_t)(elapsed * c->scale)));
}

double azsim_clock_seconds(const struct azsim_clock *c, struct dur d)
{
	return (double)d.ms / 1000.0 / c->scale;
}
