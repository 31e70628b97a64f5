/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xalloc: the only callers of malloc. Out of memory is not an error to handle: it ends the process
 * with a message, so every size that comes from outside is capped before it gets here.
 */
#ifndef MDC_XALLOC_H
#define MDC_XALLOC_H

#include "lib/base/base.h"

#include <stdlib.h>

/* All return memory that the caller frees with free(); none returns NULL. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
/* Array growth: `count * size` is checked for overflow. */
void *xreallocarray(void *old, size_t count, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t max);
void *xmemdup(const void *data, size_t size);
char *xasprintf(const char *format, ...) MDC_PRINTF(1, 2);

/* For mdc_cleanup(): frees what the pointer variable points to. */
static inline void xfree_p(void *pointer)
{
	free(*(void **)pointer);
}
#define mdc_autofree mdc_cleanup(xfree_p)

#endif
