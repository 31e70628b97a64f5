/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intern: one copy of each string that many records share (locations, agent versions, messages), so
 * that a record holds a pointer and equality of equal-case strings is pointer equality.
 *
 * Strings are counted: what no record holds any more is freed, so that messages which name a time
 * or an id do not pile up over months.
 */
#ifndef MDC_INTERN_H
#define MDC_INTERN_H

#include "lib/base/map.h"

struct intern {
	struct map strings;
};

void intern_init(struct intern *pool);
/* Frees every string, held or not. */
void intern_fini(struct intern *pool);
/* NULL and "" both give "". Case is kept: "A" and "a" are two strings. Give it back with drop. */
const char *intern_take(struct intern *pool, const char *text);
/* NULL and "" are allowed. */
void intern_drop(struct intern *pool, const char *text);
/* Makes the slot hold that text; the slot may be NULL before, and `text` may be what it holds. */
void intern_set(struct intern *pool, const char **slot, const char *text);

#endif
