/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/seeded_random.h"

#include "lib/base/rng.h"
#include "lib/base/xalloc.h"

struct seeded_random {
	struct random_source base;
	struct rng rng;
};

static void fill(struct random_source *r, void *data, size_t len)
{
	struct seeded_random *s = container_of(r, struct seeded_random, base);
	unsigned char *to = data;

	for (size_t i = 0; i < len; i++)
		to[i] = (unsigned char)(rng_next(&s->rng) >> 56);
}

struct random_source *seeded_random_new(uint64_t seed)
{
	struct seeded_random *s = xcalloc(1, sizeof(*s));

	s->base.fill = fill;
	rng_seed(&s->rng, seed);
	return &s->base;
}

struct random_source *seeded_random_free(struct random_source *r)
{
	if (r != NULL)
		free(container_of(r, struct seeded_random, base));
	return NULL;
}
