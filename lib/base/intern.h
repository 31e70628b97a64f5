/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intern: one copy of each string that many records share (locations, agent versions, OS names),
 * so that a record holds a pointer and equality of equal-case strings is pointer equality.
 * Strings live as long as the pool.
 */
#ifndef MDC_INTERN_H
#define MDC_INTERN_H

#include "lib/base/map.h"

struct intern {
	struct map strings;
};

void intern_init(struct intern *pool);
void intern_fini(struct intern *pool);
/* NULL and "" both give "". Case is kept: "A" and "a" are two strings. */
const char *intern_string(struct intern *pool, const char *text);

#endif
