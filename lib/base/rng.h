/* SPDX-License-Identifier: Apache-2.0 */
/* rng: a small seeded generator (xoshiro256**) for jitter and tests; never for secrets. */
#ifndef MDC_RNG_H
#define MDC_RNG_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
/* Evenly in [0, bound); bound > 0. */
uint64_t rng_below(struct rng *r, uint64_t bound);
/* Evenly in [low, high]. */
struct dur rng_between(struct rng *r, struct dur low, struct dur high);

#endif
