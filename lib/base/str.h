/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str: strings from outside: comparison as Azure does it (ASCII, without case), bounded parsing of
 * numbers, switches and durations, escaping of text that is shown to people.
 */
#ifndef MDC_STR_H
#define MDC_STR_H

#include "lib/base/base.h"
#include "lib/base/buf.h"
#include "lib/base/tick.h"

/* ASCII only and independent of the locale. NULL equals only NULL. */
bool str_equal(const char *a, const char *b);
bool str_equal_nocase(const char *a, const char *b);
int str_compare_nocase(const char *a, const char *b);
bool str_starts_nocase(const char *text, const char *prefix);
bool str_ends_nocase(const char *text, const char *suffix);
bool str_contains_nocase(const char *text, const char *part);
static inline bool str_empty(const char *text)
{
	return text == NULL || *text == '\0';
}
char str_lower(char c);
/* Lower-cases in place. */
void str_fold(char *text);

/* Copies at most size-1 bytes and always terminates. Returns false when cut. */
bool str_copy(char *to, size_t size, const char *text);

/*
 * Decimal digits only, no sign, no blanks, the whole text. -EINVAL when it is not a number,
 * -ERANGE when it is above `max`.
 */
int str_parse_u64(const char *text, uint64_t max, uint64_t *ret) MDC_MUST_CHECK;
/* "on", "off", "true", "false", "yes", "no", without case. -EINVAL otherwise. */
int str_parse_bool(const char *text, bool *ret) MDC_MUST_CHECK;
/* "30s", "5m", "3h", "2d", "250ms"; the unit is required. -EINVAL, -ERANGE above 10 years. */
int str_parse_duration(const char *text, struct dur *ret) MDC_MUST_CHECK;
/* Writes the shortest exact form ("90m", "36h", "1500ms"). */
void str_format_duration(struct dur d, char *ret, size_t size);

/* True for 8-4-4-4-12 hexadecimal digits in either case. */
bool str_is_guid(const char *text);

/*
 * Appends text from outside so that it is safe on a terminal and in a log line: control characters,
 * marks that change the direction of text, invisible characters and bytes that are not UTF-8 become
 * \xNN, byte by byte, and it is cut after `max` bytes with "…".
 */
int str_escape(struct buf *b, const char *text, size_t max);

/* 64-bit FNV-1a; for hash tables and stable percentages, not for security. */
uint64_t str_hash(const void *data, size_t len);

#endif
