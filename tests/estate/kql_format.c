/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

size_t kql_format_long(int64_t number, char ret[static KQL_LONG_SIZE])
{
	char digits[KQL_LONG_SIZE];
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	size_t count = 0, len = 0;

	do {
		digits[count++] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (number < 0)
		ret[len++] = '-';
	while (count > 0)
		ret[len++] = digits[--count];
	return len;
}

size_t kql_format_real(double real, char ret[static KQL_REAL_SIZE])
{
	if (isnan(real))
		return (size_t)snprintf(ret, KQL_REAL_SIZE, "NaN");
	if (isinf(real))
		return (size_t)snprintf(ret, KQL_REAL_SIZE, real < 0 ? "-Infinity" : "Infinity");
	/* The shortest form that reads back as the same number. */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(ret, KQL_REAL_SIZE, "%.*g", digits, real);
		if (strtod(ret, NULL) == real)
			break;
	}
	if (strpbrk(ret, ".e") == NULL)
		strcat(ret, ".0");
	return strlen(ret);
}

void kql_out_add(struct kql_out *out, const char *text, size_t len)
{
	if (len == 0)
		return;
	if (out->full || len > out->max - out->len) {
		out->full = true;
		return;
	}
	if (out->len + len > out->room) {
		size_t room = out->room * 2 > out->len + len ? out->room * 2 : out->len + len + 32;
		char *data = kql_arena_take(out->arena, room);

		if (data == NULL) {
			out->full = true;
			return;
		}
		if (out->len > 0)
			memcpy(data, out->data, out->len);
		out->data = data;
		out->room = room;
	}
	memcpy(out->data + out->len, text, len);
	out->len += len;
}

static void add_escape(struct kql_out *out, char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	const char *found = c != '\0' ? strchr(plain, c) : NULL;
	char escape[8];

	if (found != NULL)
		snprintf(escape, sizeof(escape), "\\%c", letters[found - plain]);
	else
		snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)c);
	kql_out_add(out, escape, strlen(escape));
}

static void add_quoted(struct kql_out *out, struct kql_value text)
{
	size_t start = 0;

	kql_out_add(out, "\"", 1);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.text[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		kql_out_add(out, text.text + start, i - start);
		add_escape(out, text.text[i]);
		start = i + 1;
	}
	kql_out_add(out, text.text + start, text.len - start);
	kql_out_add(out, "\"", 1);
}

static void add_elements(struct kql_out *out, struct kql_value array)
{
	ptrdiff_t length = kql_array_length(array);

	kql_out_add(out, "[", 1);
	for (ptrdiff_t i = 0; i < length && !out->full; i++) {
		if (i > 0)
			kql_out_add(out, ",", 1);
		kql_out_json(out, kql_array_at(array, i));
	}
	kql_out_add(out, "]", 1);
}

static void add_members(struct kql_out *out, struct kql_value bag)
{
	struct kql_pairs pairs = {.bag = bag};
	const char *between = "{";

	while (kql_pairs_next(&pairs) && !out->full) {
		kql_out_add(out, between, 1);
		between = ",";
		add_quoted(out, pairs.key);
		kql_out_add(out, ":", 1);
		kql_out_json(out, pairs.value);
	}
	if (*between == '{')
		kql_out_add(out, "{", 1);
	kql_out_add(out, "}", 1);
}

static size_t format_scalar(struct kql_value v, char ret[static KQL_TIME_SIZE])
{
	switch (v.kind) {
	case KQL_IS_BOOL: return (size_t)snprintf(ret, KQL_TIME_SIZE, v.truth ? "true" : "false");
	case KQL_IS_LONG: return kql_format_long(v.number, ret);
	case KQL_IS_REAL: return kql_format_real(v.real, ret);
	case KQL_IS_DATETIME: return kql_format_datetime(v.number, false, ret);
	case KQL_IS_TIMESPAN: return kql_format_timespan(v.number, ret);
	case KQL_IS_NULL:
	case KQL_IS_STRING:
	case KQL_IS_ARRAY:
	case KQL_IS_BAG:
	case KQL_IS_JSON: break;
	}
	return 0;
}

void kql_out_value(struct kql_out *out, struct kql_value v)
{
	char text[KQL_TIME_SIZE];

	if (v.kind == KQL_IS_STRING)
		kql_out_add(out, v.text, v.len);
	else if (kql_is_array(v))
		add_elements(out, v);
	else if (kql_is_bag(v))
		add_members(out, v);
	else
		kql_out_add(out, text, format_scalar(v, text));
}

void kql_out_json(struct kql_out *out, struct kql_value v)
{
	char text[KQL_TIME_SIZE];
	bool finite = v.kind != KQL_IS_REAL || isfinite(v.real);

	if (v.kind == KQL_IS_NULL)
		kql_out_add(out, "null", 4);
	else if (v.kind == KQL_IS_STRING)
		add_quoted(out, v);
	else if (v.kind == KQL_IS_DATETIME || v.kind == KQL_IS_TIMESPAN || !finite)
		add_quoted(out, kql_text(text, format_scalar(v, text)));
	else
		kql_out_value(out, v);
}

static json_t *array_to_json(struct kql_value v)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < v.len; i++)
		json_array_append_new(array, kql_to_json(v.items[i]));
	return array;
}

static json_t *bag_to_json(struct kql_value v)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < v.len; i++)
		json_object_setn_new_nocheck(object, v.items[2 * i].text, v.items[2 * i].len,
			kql_to_json(v.items[2 * i + 1]));
	return object;
}

static json_t *text_to_json(const char *text, size_t len)
{
	return json_stringn_nocheck(text, len);
}

json_t *kql_to_json(struct kql_value v)
{
	char text[KQL_TIME_SIZE];

	switch (v.kind) {
	case KQL_IS_NULL: return json_null();
	case KQL_IS_BOOL: return json_boolean(v.truth);
	case KQL_IS_LONG: return json_integer(v.number);
	case KQL_IS_REAL:
		if (isfinite(v.real))
			return json_real(v.real);
		return text_to_json(text, kql_format_real(v.real, text));
	case KQL_IS_STRING: return text_to_json(v.text, v.len);
	case KQL_IS_DATETIME: return text_to_json(text, kql_format_datetime(v.number, true, text));
	case KQL_IS_TIMESPAN: return text_to_json(text, kql_format_timespan(v.number, text));
	case KQL_IS_ARRAY: return array_to_json(v);
	case KQL_IS_BAG: return bag_to_json(v);
	case KQL_IS_JSON: break;
	}
	/* Counting a holder changes nothing that the caller sees. */
	return json_incref((json_t *)(uintptr_t)v.json);
}
