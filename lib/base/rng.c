/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/rng.h"

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void rng_seed(struct rng *r, uint64_t seed)
{
	for (size_t i = 0; i < ARRAY_LEN(r->s); i++)
		r->s[i] = splitmix(&seed);
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return (x << bits) | (x >> (64 - bits));
}

uint64_t rng_next(struct rng *r)
{
	uint64_t result = rotate(r->s[1] * 5, 7) * 9;
	uint64_t t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rotate(r->s[3], 45);
	return result;
}

uint64_t rng_below(struct rng *r, uint64_t bound)
{
	uint64_t limit;
	uint64_t x;

	assert(bound > 0);
	limit = UINT64_MAX - UINT64_MAX % bound;
	do
		x = rng_next(r);
	while (x >= limit);
	return x % bound;
}

struct dur rng_between(struct rng *r, struct dur low, struct dur high)
{
	assert(low.ms <= high.ms);
	return DUR_MS(low.ms + (int64_t)rng_below(r, (uint64_t)(high.ms - low.ms) + 1));
}
