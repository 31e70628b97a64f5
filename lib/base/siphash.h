/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siphash: SipHash-1-3 of a text with ASCII letters folded to lower case, so that names which Azure
 * takes as the same have the same hash. Keyed, so that whoever chooses the names of machines cannot
 * choose names that collide.
 */
#ifndef MDC_SIPHASH_H
#define MDC_SIPHASH_H

#include "lib/base/base.h"

struct siphash_key {
	uint64_t k[2];
};

uint64_t siphash_folded(const struct siphash_key *key, const char *text, size_t len);

#endif
