/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_values: the tokens of one value or list into texts. Variables are expanded here, quotes,
 * escapes and lists are read by libconfuse; no other file includes it.
 *
 * libconfuse stops at the first error, expands the environment by itself, counts comments as lines
 * and drops signs that it does not know. So it never sees a file, but one statement at a time,
 * composed of tokens that it cannot misread. It keeps the state of its lexer in globals: only the
 * thread of the loop may come here.
 */
#ifndef MDCD_CONFIG_VALUES_H
#define MDCD_CONFIG_VALUES_H

#include "daemon/config_file.h"
#include "daemon/config_tokens.h"

#define CONFIG_ERRORS_MAX 20

/* One reading, of one file or several: after CONFIG_ERRORS_MAX errors it stops. */
struct reading {
	struct diags *diags;
	environment_fn environment; /* may be NULL: nothing is set */
	size_t errors;
	bool stopped;
	bool incomplete; /* something was not read: what seems to be missing may be there */
};

/* Counts, and is silent once the reading has stopped. */
void reading_error(struct reading *r, const char *file, unsigned line, const char *format, ...)
	MDC_PRINTF(4, 5);

/*
 * The texts of `count` tokens, which belong to the option (or section) `name`. The array and the
 * texts are the caller's; NULL after an error, which is told.
 */
char **config_values_read(struct reading *r, const char *file, const char *name,
	const struct token *tokens, size_t count);

#endif
