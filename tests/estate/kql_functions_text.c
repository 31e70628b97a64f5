/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_functions.h"

#include "tests/estate/kql_text.h"

/* Numbers and times are hashed by their eight bytes, the lowest first; the rest as text. */
static uint64_t hash_of(struct kql_run *run, struct kql_value v)
{
	struct kql_value text;

	if (v.kind == KQL_IS_BOOL)
		return kql_xxh64(&(unsigned char){v.truth}, 1);
	if (v.kind == KQL_IS_LONG || v.kind == KQL_IS_REAL || v.kind == KQL_IS_DATETIME ||
		v.kind == KQL_IS_TIMESPAN) {
		unsigned char bytes[8];

		for (unsigned i = 0; i < 8; i++)
			bytes[i] = (unsigned char)((uint64_t)v.number >> 8 * i);
		return kql_xxh64(bytes, sizeof(bytes));
	}
	text = kql_tostring(run, v);
	return kql_xxh64(text.text, text.len);
}

/* hash(x), or hash(x, mod) as the remainder that is never negative. */
KQL_FUNCTION(hash)
{
	int64_t hash;

	if (kql_is_null(args[0]))
		return kql_null();
	hash = (int64_t)hash_of(run, args[0]);
	if (count == 1)
		return kql_long(hash);
	if (kql_is_null(args[1]) || args[1].number < 1 || args[1].number > INT32_MAX)
		return kql_null();
	return kql_modulo(hash, args[1].number);
}

KQL_FUNCTION(strlen)
{
	(void)run;
	(void)count;
	return kql_long((int64_t)kql_utf8_count(args[0]));
}

KQL_FUNCTION(string_size)
{
	(void)run;
	(void)count;
	return kql_long(args[0].len);
}

KQL_FUNCTION(tolower)
{
	char *lower = kql_scratch(run, args[0].len);

	(void)count;
	if (lower == NULL)
		return KQL_EMPTY_TEXT;
	kql_lower_text(lower, args[0].text, args[0].len);
	return kql_scratch_text(lower, args[0].len);
}

/* Room for a text of the run; NULL, with the run failed, when it would be too long. */
static char *text_room(struct kql_run *run, size_t len)
{
	if (len <= KQL_STRING_MAX)
		return kql_scratch(run, len);
	kql_run_exhausted(run);
	return NULL;
}

KQL_FUNCTION(strcat)
{
	size_t len = 0;
	char *text, *to;

	for (unsigned i = 0; i < count; i++)
		len += args[i].len;
	text = to = text_room(run, len);
	if (text == NULL)
		return KQL_EMPTY_TEXT;
	for (unsigned i = 0; i < count; i++) {
		memcpy(to, args[i].text, args[i].len);
		to += args[i].len;
	}
	return kql_scratch_text(text, len);
}

/* Part of a text, from byte to byte. */
static struct kql_value slice(struct kql_value text, size_t from, size_t to)
{
	text.text += from;
	text.len = (uint32_t)(to - from);
	return text;
}

/* Both positions count code points; a negative start counts from the end. */
KQL_FUNCTION(substring)
{
	struct kql_value text = args[0];
	int64_t start = args[1].number;
	size_t from;

	(void)run;
	if (kql_is_null(args[1]) || (count > 2 && (kql_is_null(args[2]) || args[2].number <= 0)))
		return KQL_EMPTY_TEXT;
	if (start < 0)
		start += (int64_t)kql_utf8_count(text);
	from = kql_utf8_offset(text, start > 0 ? (size_t)start : 0);
	text = slice(text, from, text.len);
	if (count > 2)
		text.len = (uint32_t)kql_utf8_offset(text, (size_t)args[2].number);
	return text;
}

static int64_t number_or(
	const struct kql_value *args, unsigned count, unsigned index, int64_t other)
{
	return index < count ? args[index].number : other;
}

/* The first occurrence at or after `from`, whole within `length` code points (-1: any). */
static ptrdiff_t find_within(
	struct kql_value text, struct kql_value part, size_t from, int64_t length)
{
	if (length >= 0 && from <= text.len)
		text.len = (uint32_t)(from +
			kql_utf8_offset(slice(text, from, text.len), (size_t)length));
	return kql_find(text, part, from);
}

/*
 * indexof(text, part [, start [, length [, occurrence]]]), in code points. Each further occurrence
 * is looked for behind the start of the one before, over the same length again.
 */
KQL_FUNCTION(indexof)
{
	struct kql_value text = args[0];
	int64_t start = number_or(args, count, 2, 0);
	int64_t length = number_or(args, count, 3, -1);
	int64_t occurrence = number_or(args, count, 4, 1);
	ptrdiff_t at;

	for (unsigned i = 2; i < count; i++)
		if (kql_is_null(args[i]))
			return kql_null();
	if (start < 0)
		start += (int64_t)kql_utf8_count(text);
	if (start < 0 || length < -1 || occurrence < 1 ||
		!kql_work(run, (uint64_t)text.len * args[1].len / 4096))
		return kql_null();
	at = find_within(text, args[1], kql_utf8_offset(text, (size_t)start), length);
	while (at >= 0 && --occurrence > 0 && kql_work(run, text.len / 4096 + 1))
		at = find_within(text, args[1], (size_t)at + 1, length);
	return kql_long(at < 0 ? -1 : (int64_t)kql_utf8_count(slice(text, 0, (size_t)at)));
}

static size_t count_parts(struct kql_value text, struct kql_value delimiter)
{
	size_t count = 1;
	ptrdiff_t at;

	for (size_t from = 0; delimiter.len > 0 && (at = kql_find(text, delimiter, from)) >= 0;
		from = (size_t)at + delimiter.len)
		count++;
	return count;
}

/* All parts of the text, or an array of the one that is asked for. */
KQL_FUNCTION(split)
{
	struct kql_value text = args[0], delimiter = args[1];
	size_t parts = count_parts(text, delimiter);
	struct kql_value *items = kql_scratch(run, parts * sizeof(*items));
	struct kql_value array = {.kind = KQL_IS_ARRAY, .scratch = true, .items = items};
	size_t from = 0;

	if (items == NULL)
		return kql_null();
	for (; array.len + 1 < parts; array.len++) {
		size_t at = (size_t)kql_find(text, delimiter, from);

		items[array.len] = slice(text, from, at);
		from = at + delimiter.len;
	}
	items[array.len++] = slice(text, from, text.len);
	if (count < 3)
		return array;
	if (kql_is_null(args[2]) || args[2].number < 0 || args[2].number >= array.len) {
		array.len = 0;
		return array;
	}
	array.items += args[2].number;
	array.len = 1;
	return array;
}

KQL_FUNCTION(replace_string)
{
	struct kql_value text = args[0], lookup = args[1], rewrite = args[2];
	struct kql_out out = {.arena = &run->scratch, .max = KQL_STRING_MAX};
	size_t from = 0;
	ptrdiff_t at;

	(void)count;
	if (lookup.len == 0 || kql_find(text, lookup, 0) < 0)
		return text;
	while ((at = kql_find(text, lookup, from)) >= 0 && !out.full) {
		kql_out_add(&out, text.text + from, (size_t)at - from);
		kql_out_add(&out, rewrite.text, rewrite.len);
		from = (size_t)at + lookup.len;
	}
	kql_out_add(&out, text.text + from, text.len - from);
	if (out.full)
		kql_run_exhausted(run);
	return out.full || out.len == 0 ? KQL_EMPTY_TEXT : kql_scratch_text(out.data, out.len);
}
