/* SPDX-License-Identifier: Apache-2.0 */
/*
 * near_miss: which known word somebody meant who wrote another one. ASCII case does not count, and
 * a word that is far from all candidates has no near miss.
 */
#ifndef MDC_NEAR_MISS_H
#define MDC_NEAR_MISS_H

#include "lib/base/base.h"

/* Longer words are not compared. */
#define NEAR_MISS_MAX 64

struct near_miss {
	const char *written;
	const char *best; /* borrowed candidate, not terminated: `best_len` bytes; NULL: none */
	size_t best_len;
	size_t distance;
};

void near_miss_begin(struct near_miss *m, const char *written);
void near_miss_offer(struct near_miss *m, const char *candidate, size_t len);

#endif
