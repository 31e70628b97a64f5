/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag: what is wrong with something that came from outside, for the person who can mend it: where
 * (file and line, or the path inside a document), what is wrong, what to write instead.
 */
#ifndef MDC_DIAG_H
#define MDC_DIAG_H

#include "lib/base/base.h"
#include "lib/base/buf.h"

enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diag {
	enum diag_level level;
	char *file; /* or NULL */
	unsigned line;
	char *text;
};

/* A bounded collection; past `DIAG_MAX` entries only the count goes on. */
#define DIAG_MAX 100
struct diags {
	struct diag *v;
	size_t n;
	size_t errors; /* counted also when not kept */
	size_t warnings;
};

#define DIAGS_INIT ((struct diags){0})

void diags_fini(struct diags *d);
void diag_error(struct diags *d, const char *file, unsigned line, const char *format, ...)
	MDC_PRINTF(4, 5);
void diag_warning(struct diags *d, const char *file, unsigned line, const char *format, ...)
	MDC_PRINTF(4, 5);
/* "FILE:LINE: error: TEXT\n" for each, then "and N more" where some were not kept. */
int diags_render(const struct diags *d, struct buf *ret);

#endif
