/* SPDX-License-Identifier: Apache-2.0 */
/* seeded_random: the same bytes from the same seed. */
#ifndef MDC_TEST_SEEDED_RANDOM_H
#define MDC_TEST_SEEDED_RANDOM_H

#include "daemon/world.h"

struct random_source *seeded_random_new(uint64_t seed);
struct random_source *seeded_random_free(struct random_source *r);

#endif
