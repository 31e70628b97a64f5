/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_functions.h"

#include "tests/estate/kql_text.h"

static struct kql_value array_of(const struct kql_value *items, size_t count)
{
	return (struct kql_value){
		.kind = KQL_IS_ARRAY, .scratch = true, .len = (uint32_t)count, .items = items};
}

/* Null where it is no array. */
KQL_FUNCTION(array_length)
{
	(void)run;
	(void)count;
	return kql_is_array(args[0]) ? kql_long(kql_array_length(args[0])) : kql_null();
}

/* Both ends are in the slice; negative ones count from the end. */
KQL_FUNCTION(array_slice)
{
	int64_t length = kql_array_length(args[0]);
	int64_t start = args[1].number, end = args[2].number;
	struct kql_value *items;

	(void)count;
	if (!kql_is_array(args[0]) || kql_is_null(args[1]) || kql_is_null(args[2]))
		return kql_null();
	start = start < 0 ? start + length : start;
	end = end < 0 ? end + length : end;
	start = start < 0 ? 0 : start;
	end = end >= length ? length - 1 : end;
	if (start > end)
		return array_of(NULL, 0);
	if (args[0].kind == KQL_IS_ARRAY) {
		struct kql_value part = args[0];

		part.items += start;
		part.len = (uint32_t)(end - start + 1);
		return part;
	}
	items = kql_scratch(run, (size_t)(end - start + 1) * sizeof(*items));
	if (items == NULL)
		return kql_null();
	for (int64_t i = start; i <= end; i++)
		items[i - start] = kql_array_at(args[0], i);
	return array_of(items, (size_t)(end - start + 1));
}

KQL_FUNCTION(strcat_array)
{
	struct kql_out out = {.arena = &run->scratch, .max = KQL_STRING_MAX};
	ptrdiff_t length = kql_array_length(args[0]);

	(void)count;
	if (!kql_is_array(args[0]))
		return KQL_EMPTY_TEXT;
	for (ptrdiff_t i = 0; i < length && !out.full; i++) {
		if (i > 0)
			kql_out_add(&out, args[1].text, args[1].len);
		kql_out_value(&out, kql_array_at(args[0], i));
	}
	if (out.full)
		kql_run_exhausted(run);
	return out.full || out.len == 0 ? KQL_EMPTY_TEXT : kql_scratch_text(out.data, out.len);
}

KQL_FUNCTION(bag_keys)
{
	struct kql_pairs pairs = {.bag = args[0]};
	struct kql_value *items;
	size_t at = 0;

	(void)count;
	if (!kql_is_bag(args[0]))
		return kql_null();
	items = kql_scratch(run, ((size_t)kql_array_length(args[0]) + 1) * sizeof(*items));
	if (items == NULL)
		return kql_null();
	while (kql_pairs_next(&pairs))
		items[at++] = pairs.key;
	return array_of(items, at);
}

/* A key given twice keeps its place and its last value. */
KQL_FUNCTION(pack)
{
	struct kql_value *items = kql_scratch(run, count * sizeof(*items));
	uint32_t pairs = 0;

	if (items == NULL)
		return kql_null();
	for (unsigned i = 0; i < count; i += 2) {
		uint32_t at = 0;

		while (at < pairs && !kql_text_same(items[2 * at], args[i]))
			at++;
		items[2 * at] = args[i];
		items[2 * at + 1] = args[i + 1];
		pairs += at == pairs;
	}
	return (struct kql_value){
		.kind = KQL_IS_BAG, .scratch = true, .len = pairs, .items = items};
}

KQL_FUNCTION(pack_array)
{
	struct kql_value *items = kql_scratch(run, count * sizeof(*items));

	if (items == NULL)
		return kql_null();
	memcpy(items, args, count * sizeof(*items));
	return array_of(items, count);
}

/* Dynamic values are taken as they are, and so is text that is no JSON. */
KQL_FUNCTION(parse_json)
{
	struct kql_value v = args[0];
	json_t *json;
	bool copied;

	(void)count;
	if (v.kind != KQL_IS_STRING)
		return v;
	if (v.len == 0)
		return kql_null();
	json = json_loadb(v.text, v.len, JSON_DECODE_ANY, NULL);
	if (json == NULL)
		return v;
	copied = kql_copy_json(&run->scratch, json, &v);
	json_decref(json);
	if (!copied)
		kql_run_exhausted(run);
	return copied ? v : kql_null();
}
