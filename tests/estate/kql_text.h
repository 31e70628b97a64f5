/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_text: UTF-8 text as Kusto counts and compares it, times as text, and values as JSON text.
 *
 * Lower case covers ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic, which are the letters
 * that names of Azure resources may have; a letter never changes its length in bytes.
 */
#ifndef MDC_TEST_KQL_TEXT_H
#define MDC_TEST_KQL_TEXT_H

#include "tests/estate/kql_value.h"

/* The code point at the start of `left` > 0 bytes; gives its length. Bad bytes count as one each.
 */
size_t kql_utf8_decode(const char *at, size_t left, uint32_t *ret);
/* Up to 4 bytes; gives their number. */
size_t kql_utf8_encode(uint32_t code, char ret[static 4]);
bool kql_utf8_valid(const char *text, size_t len);
size_t kql_utf8_count(struct kql_value text);
/* Bytes before the code point of that index; the whole length when there are fewer. */
size_t kql_utf8_offset(struct kql_value text, size_t index);

uint32_t kql_lower(uint32_t code);
/* `to` has room for `len` bytes. */
void kql_lower_text(char *to, const char *from, size_t len);
bool kql_same_nocase(struct kql_value a, struct kql_value b);
uint64_t kql_hash_nocase(struct kql_value text);
/* The byte offset of the first occurrence at or after `from`, or -1. */
ptrdiff_t kql_find(struct kql_value text, struct kql_value part, size_t from);
/* Whether `part` is there as whole terms: not in the middle of a run of letters and digits. */
bool kql_has_term(struct kql_value text, struct kql_value part);

/* Decimal digits with a sign; gives the length. */
#define KQL_LONG_SIZE 24
size_t kql_format_long(int64_t number, char ret[static KQL_LONG_SIZE]);
#define KQL_REAL_SIZE 40
size_t kql_format_real(double real, char ret[static KQL_REAL_SIZE]);

#define KQL_TIME_SIZE 40
/* "2015-12-31T23:59:59.9000000Z"; `brief` leaves out the zeros at the end of the fraction. */
size_t kql_format_datetime(int64_t ticks, bool brief, char ret[static KQL_TIME_SIZE]);
/* "1.02:03:04.5000000". */
size_t kql_format_timespan(int64_t ticks, char ret[static KQL_TIME_SIZE]);
/* ISO 8601 as the documentation lists it. */
bool kql_parse_datetime(const char *text, size_t len, int64_t *ret) MDC_MUST_CHECK;
/* "0.12:34:56.7", or the number and unit of a literal ("90m"). */
bool kql_parse_timespan(const char *text, size_t len, int64_t *ret) MDC_MUST_CHECK;
/* Ticks of a unit of time ("ms", "d"); 0 when it is none. */
int64_t kql_time_unit(const char *unit, size_t len);
#define KQL_TICKS_PER_MS INT64_C(10000)
#define KQL_TICKS_PER_S (1000 * KQL_TICKS_PER_MS)
#define KQL_TICKS_PER_DAY (86400 * KQL_TICKS_PER_S)
/* 1970-01-01 */
#define KQL_TICKS_AT_EPOCH INT64_C(621355968000000000)

/* Text that grows in an arena. After a failed append it stays as it is and `full` is set. */
struct kql_out {
	struct kql_arena *arena;
	size_t max;
	char *data;
	size_t len, room;
	bool full;
};
void kql_out_add(struct kql_out *out, const char *text, size_t len);
/* As compact JSON. */
void kql_out_json(struct kql_out *out, struct kql_value v);
/* As tostring() writes it: strings bare, null as nothing. */
void kql_out_value(struct kql_out *out, struct kql_value v);

/* The same value for an answer; shares arrays and objects of the caller. Never NULL. */
json_t *kql_to_json(struct kql_value v);

#endif
