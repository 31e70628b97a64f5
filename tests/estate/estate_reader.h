/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estate_reader: reading JSON objects into plain structs by a table of their members. A member that
 * is not in the table is an error that names the nearest one, and all errors are reported at once.
 */
#ifndef MDC_TEST_ESTATE_READER_H
#define MDC_TEST_ESTATE_READER_H

#include "lib/base/diag.h"
#include "lib/base/tick.h"
#include "tests/estate/estate_knobs.h"

#include <jansson.h>

enum field_type {
	FIELD_TEXT,     /* const char *, borrowed */
	FIELD_GUID,     /* const char *, borrowed */
	FIELD_BOOL,     /* bool */
	FIELD_COUNT,    /* unsigned */
	FIELD_SIZE,     /* uint64_t */
	FIELD_SHARE,    /* unsigned, in millionths: a number from 0 to 1, or "5%" */
	FIELD_DURATION, /* struct dur: "90s" */
	FIELD_SPAN,     /* struct span: "90s", or ["1m", "5m"] */
	FIELD_TIME,     /* struct wall: RFC 3339, or "-2h" and "+2h" from the estate's start */
	FIELD_WORD,     /* int: its place among `words` */
	FIELD_BUCKET,   /* struct bucket_size: {"size", "refill"} */
	FIELD_OBJECT,   /* const json_t *, borrowed */
	FIELD_ARRAY,    /* const json_t *, borrowed */
	FIELD_ANY,      /* const json_t *, borrowed */
	FIELD_TEXTS,    /* const json_t *, borrowed: an array of strings */
};

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	bool needed;
	const char *const *words; /* NULL-terminated */
};

struct reader {
	struct diags *diags;
	struct wall start;
};

/* Members that are absent or null leave what was in `out`. False when something was wrong. */
bool reader_object(const struct reader *r, const char *path, const json_t *object,
	const struct field *fields, size_t count, void *out);
#define reader_struct(r, path, object, fields, out) \
	reader_object(r, path, object, fields, ARRAY_LEN(fields), out)
/* Always false. */
bool reader_error(const struct reader *r, const char *path, const char *format, ...)
	MDC_PRINTF(3, 4);

#endif
