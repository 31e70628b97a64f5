/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_eval.h"

static struct kql_value argument(struct kql_frame *f, const struct kql_aggregate *a, unsigned index)
{
	return kql_eval(f, a->args[index]);
}

/* --- counting and summing --- */

static void add_count(struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c)
{
	(void)f;
	(void)a;
	c->number++;
}

static void add_countif(
	struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c)
{
	c->number += kql_is_true(argument(f, a, 0));
}

static void finish_count(struct kql_run *run, const struct kql_aggregate *a,
	struct kql_accumulator *c, struct kql_value *ret)
{
	(void)run;
	(void)a;
	*ret = kql_long(c->number);
}

/* Nulls are skipped; longs wrap around. */
static void add_sum(struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c)
{
	struct kql_value v = argument(f, a, 0);

	if (v.kind == KQL_IS_REAL)
		c->real += v.real;
	else if (!kql_is_null(v))
		c->number = (int64_t)((uint64_t)c->number + (uint64_t)v.number);
}

static void finish_sum(struct kql_run *run, const struct kql_aggregate *a,
	struct kql_accumulator *c, struct kql_value *ret)
{
	enum kql_type type = a->args[0]->type;

	(void)run;
	*ret = type == KQL_REAL        ? kql_real(c->real)
		: type == KQL_TIMESPAN ? kql_timespan(c->number)
				       : kql_long(c->number);
}

/* --- lists and sets --- */

static bool append(struct kql_run *run, struct kql_accumulator *c, struct kql_value v)
{
	if (c->count == c->room) {
		uint32_t room = c->room == 0 ? 4 : c->room * 2;
		struct kql_value *items = kql_arena_take(&run->keep, room * sizeof(*items));

		if (items == NULL)
			return kql_run_exhausted(run);
		if (c->count > 0)
			memcpy(items, c->items, c->count * sizeof(*items));
		c->items = items;
		c->room = room;
	}
	c->items[c->count++] = kql_kept(run, v);
	return true;
}

static void add_to_list(
	struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c)
{
	struct kql_value v;

	if (c->count >= a->limit)
		return;
	v = argument(f, a, 0);
	if (!kql_is_null(v))
		append(f->run, c, v);
}

static void add_to_list_if(
	struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c)
{
	if (kql_is_true(argument(f, a, 1)))
		add_to_list(f, a, c);
}

struct member {
	const struct kql_accumulator *of;
	struct kql_value value;
};

static bool is_member(const void *ctx, uint32_t ordinal)
{
	const struct member *m = ctx;

	return kql_same(m->of->items[ordinal], m->value);
}

static void add_member(
	struct kql_run *run, struct kql_accumulator *c, struct kql_value v, uint32_t limit)
{
	const struct member member = {c, v};
	uint64_t hash;

	if (kql_is_null(v) || c->count >= limit)
		return;
	hash = kql_value_hash(v);
	if (kql_index_find(&c->set, hash, is_member, &member) == KQL_NOT_FOUND && append(run, c, v))
		kql_index_add(&c->set, hash, c->count - 1);
}

/* An array gives its elements to a set, not itself. */
static void add_to_set(
	struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c)
{
	struct kql_value v = argument(f, a, 0);
	ptrdiff_t length = kql_array_length(v);

	if (!kql_is_array(v)) {
		add_member(f->run, c, v, a->limit);
		return;
	}
	for (ptrdiff_t i = 0; i < length; i++)
		add_member(f->run, c, kql_array_at(v, i), a->limit);
}

static void finish_list(struct kql_run *run, const struct kql_aggregate *a,
	struct kql_accumulator *c, struct kql_value *ret)
{
	(void)run;
	(void)a;
	*ret = (struct kql_value){.kind = KQL_IS_ARRAY, .len = c->count, .items = c->items};
}

/* An estimate in Kusto, exact here. */
static void add_distinct(
	struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c)
{
	add_member(f->run, c, argument(f, a, 0), UINT32_MAX);
}

static void finish_distinct(struct kql_run *run, const struct kql_aggregate *a,
	struct kql_accumulator *c, struct kql_value *ret)
{
	(void)run;
	(void)a;
	*ret = kql_long(c->count);
}

/* --- extremes --- */

/* Takes the row's values as the best so far; those of all arguments where there are several. */
static void take_row(struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c,
	struct kql_value first)
{
	c->count = 0;
	append(f->run, c, first);
	for (unsigned i = 1; i < a->width; i++)
		append(f->run, c, argument(f, a, i));
	c->started = true;
}

static void add_extreme(
	struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c, int sign)
{
	struct kql_value v = argument(f, a, 0);

	/* The first row counts even where its value is null, so that the others have something. */
	if (kql_is_null(v) && (c->started || a->width == 1))
		return;
	if (!c->started || kql_is_null(c->items[0]) || sign * kql_compare(v, c->items[0]) > 0)
		take_row(f, a, c, v);
}

static void add_max(struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c)
{
	add_extreme(f, a, c, 1);
}

static void add_min(struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c)
{
	add_extreme(f, a, c, -1);
}

static void finish_extreme(struct kql_run *run, const struct kql_aggregate *a,
	struct kql_accumulator *c, struct kql_value *ret)
{
	(void)run;
	for (unsigned i = 0; i < a->width; i++)
		ret[i] = c->started ? c->items[i] : kql_nothing(a->args[i]->type);
}

static const struct kql_aggregate_function aggregates[] = {
	{"arg_max", "ca", 2, KQL_COLUMNS_MAX, KQL_TYPE_N_, true, "", false, add_max,
		finish_extreme},
	{"count", "", 0, 0, KQL_LONG, false, "count_", true, add_count, finish_count},
	{"countif", "b", 1, 1, KQL_LONG, false, "countif_", true, add_countif, finish_count},
	{"dcount", "a#", 1, 2, KQL_LONG, false, "dcount_", false, add_distinct, finish_distinct},
	{"make_list", "a#", 1, 2, KQL_DYNAMIC, false, "list_", false, add_to_list, finish_list},
	{"make_list_if", "ab#", 2, 3, KQL_DYNAMIC, false, "list_", false, add_to_list_if,
		finish_list},
	{"make_set", "a#", 1, 2, KQL_DYNAMIC, false, "set_", false, add_to_set, finish_list},
	{"max", "c", 1, 1, KQL_TYPE_N_, false, "max_", false, add_max, finish_extreme},
	{"min", "c", 1, 1, KQL_TYPE_N_, false, "min_", false, add_min, finish_extreme},
	{"sum", "n", 1, 1, KQL_TYPE_N_, false, "sum_", false, add_sum, finish_sum},
};

const struct kql_aggregate_function *kql_aggregate_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(aggregates); i++)
		if (strcmp(aggregates[i].name, name) == 0)
			return &aggregates[i];
	return NULL;
}
