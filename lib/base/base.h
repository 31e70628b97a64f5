/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base: attributes, cleanup and small macros that every other file may use.
 *
 * lib/base/ is the bottom of the tree: buffers, strings, maps, heaps, time types, random numbers
 * and diagnostics. It knows nothing of Azure and includes nothing above itself.
 */
#ifndef MDC_BASE_H
#define MDC_BASE_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MDC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MDC_MUST_CHECK __attribute__((warn_unused_result))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Runs `fini` on the variable when it goes out of scope: `mdc_cleanup(buf_fini) struct buf b`. */
#define mdc_cleanup(fini) __attribute__((cleanup(fini)))

/* Moves the value out of a pointer variable, leaving NULL: `*ret = mdc_take(local)`. */
#define mdc_take(pointer) \
	({ \
		__auto_type taken_ = (pointer); \
		(pointer) = NULL; \
		taken_; \
	})

/* Word at the head of objects that pass through `void *`; checked where they come back. */
#define MDC_MAGIC_CHECK(object, word) assert((object) != NULL && (object)->magic == (word))

#endif
