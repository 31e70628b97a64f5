/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_value.h"

#include "tests/estate/kql.h"

#include <math.h>

const char *kql_type_name(enum kql_type type)
{
	static const char *const names[] = {
		[KQL_BOOL] = "bool",
		[KQL_LONG] = "long",
		[KQL_REAL] = "real",
		[KQL_STRING] = "string",
		[KQL_DATETIME] = "datetime",
		[KQL_TIMESPAN] = "timespan",
		[KQL_DYNAMIC] = "dynamic",
	};
	_Static_assert(ARRAY_LEN(names) == KQL_TYPE_N_, "a name for each type");

	return names[type];
}

struct kql_value kql_from_json(const json_t *json)
{
	if (json == NULL)
		return kql_null();
	switch (json_typeof(json)) {
	case JSON_NULL: return kql_null();
	case JSON_TRUE: return kql_bool(true);
	case JSON_FALSE: return kql_bool(false);
	case JSON_INTEGER: return kql_long(json_integer_value(json));
	case JSON_REAL: return kql_real(json_real_value(json));
	case JSON_STRING: return kql_text(json_string_value(json), json_string_length(json));
	case JSON_ARRAY:
	case JSON_OBJECT: break;
	}
	return (struct kql_value){.kind = KQL_IS_JSON, .json = json};
}

bool kql_is_array(struct kql_value v)
{
	return v.kind == KQL_IS_ARRAY || (v.kind == KQL_IS_JSON && json_is_array(v.json));
}

bool kql_is_bag(struct kql_value v)
{
	return v.kind == KQL_IS_BAG || (v.kind == KQL_IS_JSON && json_is_object(v.json));
}

ptrdiff_t kql_array_length(struct kql_value v)
{
	if (v.kind == KQL_IS_ARRAY || v.kind == KQL_IS_BAG)
		return v.len;
	if (v.kind != KQL_IS_JSON)
		return -1;
	return (ptrdiff_t)(json_is_array(v.json) ? json_array_size(v.json)
						 : json_object_size(v.json));
}

struct kql_value kql_array_at(struct kql_value v, int64_t index)
{
	ptrdiff_t length = kql_array_length(v);

	if (!kql_is_array(v))
		return kql_null();
	if (index < 0)
		index += length;
	if (index < 0 || index >= length)
		return kql_null();
	return v.kind == KQL_IS_ARRAY ? v.items[index]
				      : kql_from_json(json_array_get(v.json, (size_t)index));
}

struct kql_value kql_bag_at(struct kql_value v, const char *key, size_t len)
{
	if (v.kind == KQL_IS_JSON)
		return kql_from_json(json_object_getn(v.json, key, len));
	if (v.kind != KQL_IS_BAG)
		return kql_null();
	for (uint32_t i = 0; i < v.len; i++)
		if (kql_text_same(v.items[2 * i], kql_text(key, len)))
			return v.items[2 * i + 1];
	return kql_null();
}

static bool json_pairs_next(struct kql_pairs *p)
{
	/* The iterator functions of jansson take no const, and change nothing. */
	json_t *object = (json_t *)(uintptr_t)p->bag.json;

	p->iterator = p->at++ == 0 ? json_object_iter(object)
				   : json_object_iter_next(object, p->iterator);
	if (p->iterator == NULL)
		return false;
	p->key = kql_text(json_object_iter_key(p->iterator), json_object_iter_key_len(p->iterator));
	p->value = kql_from_json(json_object_iter_value(p->iterator));
	return true;
}

bool kql_pairs_next(struct kql_pairs *p)
{
	if (p->bag.kind == KQL_IS_JSON)
		return json_pairs_next(p);
	if (p->bag.kind != KQL_IS_BAG || p->at >= p->bag.len)
		return false;
	p->key = p->bag.items[2 * p->at];
	p->value = p->bag.items[2 * p->at + 1];
	p->at++;
	return true;
}

static bool keep_items(struct kql_arena *a, struct kql_value *v)
{
	size_t count = (size_t)v->len * (v->kind == KQL_IS_BAG ? 2 : 1);
	struct kql_value *copy = kql_arena_take(a, count * sizeof(*copy));

	if (copy == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		copy[i] = v->items[i];
		if (!kql_keep(a, &copy[i]))
			return false;
	}
	v->items = copy;
	return true;
}

bool kql_keep(struct kql_arena *a, struct kql_value *v)
{
	if (!v->scratch)
		return true;
	if (v->kind == KQL_IS_STRING)
		v->text = kql_arena_text(a, v->text, v->len);
	else if (!keep_items(a, v))
		return false;
	v->scratch = false;
	return v->text != NULL;
}

static bool copy_members(struct kql_arena *a, struct kql_value json, struct kql_value *ret)
{
	struct kql_pairs pairs = {.bag = json};
	size_t count = (size_t)kql_array_length(json);
	struct kql_value *items = kql_arena_take(a, 2 * count * sizeof(*items));

	if (items == NULL)
		return false;
	for (size_t i = 0; kql_pairs_next(&pairs); i++) {
		char *key = kql_arena_text(a, pairs.key.text, pairs.key.len);

		if (key == NULL ||
			!kql_copy_json(
				a, json_object_iter_value(pairs.iterator), &items[2 * i + 1]))
			return false;
		items[2 * i] = kql_scratch_text(key, pairs.key.len);
	}
	*ret = (struct kql_value){
		.kind = KQL_IS_BAG, .scratch = true, .len = (uint32_t)count, .items = items};
	return true;
}

static bool copy_elements(struct kql_arena *a, const json_t *json, struct kql_value *ret)
{
	size_t count = json_array_size(json);
	struct kql_value *items = kql_arena_take(a, count * sizeof(*items));

	if (items == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!kql_copy_json(a, json_array_get(json, i), &items[i]))
			return false;
	*ret = (struct kql_value){
		.kind = KQL_IS_ARRAY, .scratch = true, .len = (uint32_t)count, .items = items};
	return true;
}

bool kql_copy_json(struct kql_arena *a, const json_t *json, struct kql_value *ret)
{
	struct kql_value v = kql_from_json(json);

	if (kql_is_bag(v))
		return copy_members(a, v, ret);
	if (kql_is_array(v))
		return copy_elements(a, json, ret);
	if (v.kind == KQL_IS_STRING) {
		v.text = kql_arena_text(a, v.text, v.len);
		v.scratch = true;
		if (v.text == NULL)
			return false;
	}
	*ret = v;
	return true;
}

static bool is_number(struct kql_value v)
{
	return v.kind == KQL_IS_LONG || v.kind == KQL_IS_REAL;
}

static double as_real(struct kql_value v)
{
	return v.kind == KQL_IS_LONG ? (double)v.number : v.real;
}

static int order(bool less, bool greater)
{
	return less ? -1 : greater;
}

static int compare_reals(double a, double b)
{
	if (isnan(a) || isnan(b))
		return order(isnan(a) && !isnan(b), !isnan(a) && isnan(b));
	return order(a<b, a> b);
}

static int compare_texts(struct kql_value a, struct kql_value b)
{
	int first = memcmp(a.text, b.text, a.len < b.len ? a.len : b.len);

	return first != 0 ? first : order(a.len<b.len, a.len> b.len);
}

int kql_compare(struct kql_value a, struct kql_value b)
{
	if (is_number(a) && is_number(b) && a.kind != b.kind)
		return compare_reals(as_real(a), as_real(b));
	if (a.kind != b.kind)
		return order(a.kind < b.kind, true);
	switch (a.kind) {
	case KQL_IS_BOOL: return order(!a.truth && b.truth, a.truth && !b.truth);
	case KQL_IS_LONG:
	case KQL_IS_DATETIME:
	case KQL_IS_TIMESPAN: return order(a.number<b.number, a.number> b.number);
	case KQL_IS_REAL: return compare_reals(a.real, b.real);
	case KQL_IS_STRING: return compare_texts(a, b);
	case KQL_IS_NULL:
	case KQL_IS_ARRAY:
	case KQL_IS_BAG:
	case KQL_IS_JSON: break;
	}
	return 0;
}

static bool same_elements(struct kql_value a, struct kql_value b)
{
	ptrdiff_t length = kql_array_length(a);

	if (length != kql_array_length(b))
		return false;
	for (ptrdiff_t i = 0; i < length; i++)
		if (!kql_same(kql_array_at(a, i), kql_array_at(b, i)))
			return false;
	return true;
}

static bool same_members(struct kql_value a, struct kql_value b)
{
	struct kql_pairs pairs = {.bag = a};

	if (kql_array_length(a) != kql_array_length(b))
		return false;
	while (kql_pairs_next(&pairs))
		if (!kql_same(pairs.value, kql_bag_at(b, pairs.key.text, pairs.key.len)))
			return false;
	return true;
}

bool kql_same(struct kql_value a, struct kql_value b)
{
	if (a.kind == KQL_IS_STRING && b.kind == KQL_IS_STRING)
		return kql_text_same(a, b);
	if (kql_is_array(a))
		return kql_is_array(b) && same_elements(a, b);
	if (kql_is_bag(a))
		return kql_is_bag(b) && same_members(a, b);
	return kql_compare(a, b) == 0;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * UINT64_C(0x9E3779B97F4A7C15);
	return x ^ x >> 29;
}

static uint64_t hash_real(double real)
{
	uint64_t bits;

	/* Equal to the hash of the long that compares as the same. */
	if (real >= -0x1p53 && real <= 0x1p53 && real == (double)(int64_t)real)
		return mix((uint64_t)(int64_t)real);
	if (isnan(real))
		return 1;
	memcpy(&bits, &real, sizeof(bits));
	return mix(bits);
}

static uint64_t hash_long(int64_t number)
{
	if (number < -(INT64_C(1) << 53) || number > INT64_C(1) << 53)
		return hash_real((double)number);
	return mix((uint64_t)number);
}

static uint64_t hash_elements(struct kql_value v)
{
	uint64_t hash = 7;
	ptrdiff_t length = kql_array_length(v);

	for (ptrdiff_t i = 0; i < length; i++)
		hash = mix(hash * 31 + kql_value_hash(kql_array_at(v, i)));
	return hash;
}

static uint64_t hash_members(struct kql_value v)
{
	struct kql_pairs pairs = {.bag = v};
	uint64_t hash = 11;

	/* A sum, since the order of members says nothing. */
	while (kql_pairs_next(&pairs))
		hash += mix(kql_value_hash(pairs.key) * 31 + kql_value_hash(pairs.value));
	return hash;
}

uint64_t kql_value_hash(struct kql_value v)
{
	switch (v.kind) {
	case KQL_IS_NULL: return 3;
	case KQL_IS_BOOL: return v.truth ? 5 : 4;
	case KQL_IS_LONG: return hash_long(v.number);
	case KQL_IS_DATETIME:
	case KQL_IS_TIMESPAN: return mix((uint64_t)v.number);
	case KQL_IS_REAL: return hash_real(v.real);
	case KQL_IS_STRING: return kql_xxh64(v.text, v.len);
	case KQL_IS_ARRAY: return hash_elements(v);
	case KQL_IS_BAG: return hash_members(v);
	case KQL_IS_JSON: return json_is_array(v.json) ? hash_elements(v) : hash_members(v);
	}
	return 0;
}

bool kql_rows_same(const struct kql_value *a, const struct kql_value *b, size_t width)
{
	for (size_t i = 0; i < width; i++)
		if (!kql_same(a[i], b[i]))
			return false;
	return true;
}

uint64_t kql_row_hash(const struct kql_value *row, size_t width)
{
	uint64_t hash = 1;

	for (size_t i = 0; i < width; i++)
		hash = mix(hash ^ kql_value_hash(row[i])) + i;
	return hash;
}
