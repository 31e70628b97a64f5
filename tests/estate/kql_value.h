/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_value: the values that a query computes, the arenas they live in, and the rows made of them.
 *
 * A value is 16 bytes and owns nothing: its text and elements lie in the query's text, in a JSON
 * row of the caller, or in an arena. `scratch` marks what lies in the arena that is emptied for
 * every row; kql_keep() copies such a value to where it stays.
 *
 * Texts are UTF-8 with a length, never NUL-terminated. Strings are never null in Kusto: a column of
 * static type KQL_STRING holds "" where nothing is.
 */
#ifndef MDC_TEST_KQL_VALUE_H
#define MDC_TEST_KQL_VALUE_H

#include "lib/base/base.h"

#include <jansson.h>
#include <string.h>

/* What the binder knows of an expression. */
enum kql_type {
	KQL_BOOL,
	KQL_LONG,
	KQL_REAL,
	KQL_STRING,
	KQL_DATETIME,
	KQL_TIMESPAN,
	KQL_DYNAMIC,
	KQL_TYPE_N_
};
const char *kql_type_name(enum kql_type type);

/* What a value is at run time. The elements of a bag are its keys and values in turn. */
enum kql_kind {
	KQL_IS_NULL,
	KQL_IS_BOOL,
	KQL_IS_LONG,
	KQL_IS_REAL,
	KQL_IS_STRING,
	KQL_IS_DATETIME, /* ticks of 100 ns since 0001-01-01 */
	KQL_IS_TIMESPAN, /* ticks */
	KQL_IS_ARRAY,
	KQL_IS_BAG,
	KQL_IS_JSON, /* an array or object of the caller; scalars are taken out of it */
};

struct kql_value {
	enum kql_kind kind : 8;
	bool scratch : 1;
	uint32_t len; /* bytes of a string, elements of an array, pairs of a bag */
	union {
		bool truth;
		int64_t number;
		double real;
		const char *text;
		const struct kql_value *items;
		const json_t *json;
	};
};

static inline struct kql_value kql_null(void)
{
	return (struct kql_value){.kind = KQL_IS_NULL};
}
static inline struct kql_value kql_bool(bool truth)
{
	return (struct kql_value){.kind = KQL_IS_BOOL, .truth = truth};
}
static inline struct kql_value kql_long(int64_t number)
{
	return (struct kql_value){.kind = KQL_IS_LONG, .number = number};
}
static inline struct kql_value kql_real(double real)
{
	return (struct kql_value){.kind = KQL_IS_REAL, .real = real};
}
static inline struct kql_value kql_datetime(int64_t ticks)
{
	return (struct kql_value){.kind = KQL_IS_DATETIME, .number = ticks};
}
static inline struct kql_value kql_timespan(int64_t ticks)
{
	return (struct kql_value){.kind = KQL_IS_TIMESPAN, .number = ticks};
}
/* Text that outlives the run, or at least the row. */
static inline struct kql_value kql_text(const char *text, size_t len)
{
	return (struct kql_value){.kind = KQL_IS_STRING, .len = (uint32_t)len, .text = text};
}
static inline struct kql_value kql_scratch_text(const char *text, size_t len)
{
	return (struct kql_value){
		.kind = KQL_IS_STRING, .scratch = true, .len = (uint32_t)len, .text = text};
}
#define KQL_EMPTY_TEXT kql_text("", 0)

/* What a column of that type holds where there is nothing. */
static inline struct kql_value kql_nothing(enum kql_type type)
{
	return type == KQL_STRING ? KQL_EMPTY_TEXT : kql_null();
}

static inline bool kql_is_true(struct kql_value v)
{
	return v.kind == KQL_IS_BOOL && v.truth;
}
static inline bool kql_is_null(struct kql_value v)
{
	return v.kind == KQL_IS_NULL;
}
static inline bool kql_text_same(struct kql_value a, struct kql_value b)
{
	return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

/* --- arenas --- */

struct kql_chunk;
/* Memory that is given back all at once. Nothing is taken past `cap` bytes. */
struct kql_arena {
	struct kql_chunk *chunks;
	char *at, *end;
	size_t used;
	size_t cap;
};
void kql_arena_fini(struct kql_arena *a);
/* Empties it and keeps one chunk. */
void kql_arena_reset(struct kql_arena *a);
/* 8-byte aligned, not cleared. NULL when the cap would be passed. */
void *kql_arena_take(struct kql_arena *a, size_t size);
/* A NUL-terminated copy, or NULL. */
char *kql_arena_text(struct kql_arena *a, const char *text, size_t len);

/* --- looking into values --- */

/* What a JSON value is to a query: scalars become values, arrays and objects stay in place. */
struct kql_value kql_from_json(const json_t *json);
/* Elements of an array or members of a bag; -1 when it is neither. */
ptrdiff_t kql_array_length(struct kql_value v);
/* Null when absent, or when `v` is no array. */
struct kql_value kql_array_at(struct kql_value v, int64_t index);
struct kql_value kql_bag_at(struct kql_value v, const char *key, size_t len);
bool kql_is_bag(struct kql_value v);
bool kql_is_array(struct kql_value v);

/* Walks the members of a bag in their order: `struct kql_pairs p = {.bag = v}`. */
struct kql_pairs {
	struct kql_value bag;
	struct kql_value key, value; /* of the member reached */
	uint32_t at;
	void *iterator;
};
bool kql_pairs_next(struct kql_pairs *p);

/* Copies what is scratch into the arena. False when the arena is full. */
bool kql_keep(struct kql_arena *a, struct kql_value *v) MDC_MUST_CHECK;
/* A whole copy of a JSON value in the arena. False when it is full. */
bool kql_copy_json(struct kql_arena *a, const json_t *json, struct kql_value *ret) MDC_MUST_CHECK;

/* --- comparing --- */

/* Nulls and NaN come first, then numbers and times by size, text by bytes. */
int kql_compare(struct kql_value a, struct kql_value b);
/* Same value: what `==`, groups and sets mean by it. Numbers of both kinds compare by size. */
bool kql_same(struct kql_value a, struct kql_value b);
/* Equal for values that are the same. */
uint64_t kql_value_hash(struct kql_value v);
bool kql_rows_same(const struct kql_value *a, const struct kql_value *b, size_t width);
uint64_t kql_row_hash(const struct kql_value *row, size_t width);

/* --- rows --- */

struct kql_rows {
	struct kql_value *values;
	size_t width;
	size_t count;
	size_t room; /* in rows */
};
void kql_rows_fini(struct kql_rows *r);
/* A new row to fill, not cleared; NULL when there would be too much of them. */
struct kql_value *kql_rows_add(struct kql_rows *r);
static inline struct kql_value *kql_rows_at(const struct kql_rows *r, size_t index)
{
	return r->values + index * r->width;
}

/* --- an index from hashes to ordinals --- */

struct kql_index_slot {
	uint64_t hash;
	uint32_t ordinal; /* + 1; 0 marks an empty slot */
};
struct kql_index {
	struct kql_index_slot *slots;
	size_t slot_count;
	size_t count;
};
#define KQL_NOT_FOUND UINT32_MAX
typedef bool (*kql_index_same_fn)(const void *ctx, uint32_t ordinal);
void kql_index_fini(struct kql_index *x);
uint32_t kql_index_find(
	const struct kql_index *x, uint64_t hash, kql_index_same_fn same, const void *ctx);
void kql_index_add(struct kql_index *x, uint64_t hash, uint32_t ordinal);

#endif
