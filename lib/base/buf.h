/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf: a growable byte buffer with a mandatory cap.
 *
 * The contents are always followed by a NUL that is not counted. An append that would pass the cap
 * changes nothing, returns -EFBIG and makes the buffer "failed": later appends fail too, so a
 * series of appends may be checked once at its end with buf_failed().
 */
#ifndef MDC_BUF_H
#define MDC_BUF_H

#include "lib/base/base.h"

#include <stdarg.h>

struct buf {
	char *data; /* NULL until the first append */
	size_t len;
	size_t room; /* allocated bytes */
	size_t cap;  /* most bytes that may be held */
	bool failed;
};

#define BUF_INIT(max) ((struct buf){.cap = (max)})

void buf_init(struct buf *b, size_t cap);
void buf_fini(struct buf *b);
/* Empties the buffer and clears its failure; keeps the memory. */
void buf_reset(struct buf *b);

int buf_add(struct buf *b, const void *data, size_t len);
int buf_adds(struct buf *b, const char *text);
int buf_addc(struct buf *b, char c);
int buf_addf(struct buf *b, const char *format, ...) MDC_PRINTF(2, 3);
int buf_addv(struct buf *b, const char *format, va_list args) MDC_PRINTF(2, 0);
bool buf_failed(const struct buf *b);
/* Removes `len` bytes from the front. */
void buf_consume(struct buf *b, size_t len);

/* The contents as a string, "" when empty. Valid until the next change. */
const char *buf_str(const struct buf *b);
/* Gives the contents to the caller, who frees them, and empties the buffer. */
char *buf_steal(struct buf *b);

#endif
