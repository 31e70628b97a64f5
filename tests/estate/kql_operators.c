/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_eval.h"

#include "lib/base/xalloc.h"

#include <limits.h>

/* --- streaming rows through a stage --- */

struct stream {
	struct kql_frame frame;
	kql_sink_fn sink;
	void *ctx;
	bool enough; /* no row more can come out */
};

static void run_steps(struct stream *s, unsigned from);

/* The member of that index as a bag, or as [key, value]; null beyond the last. */
static struct kql_value member_at(
	struct kql_run *run, struct kql_value bag, int64_t index, bool pairs)
{
	struct kql_pairs walk = {.bag = bag};
	struct kql_value *items;

	do {
		if (!kql_pairs_next(&walk))
			return kql_null();
	} while (index-- > 0);
	items = kql_scratch(run, 2 * sizeof(*items));
	if (items == NULL)
		return kql_null();
	items[0] = walk.key;
	items[1] = walk.value;
	return (struct kql_value){.kind = pairs ? KQL_IS_ARRAY : KQL_IS_BAG,
		.scratch = true,
		.len = pairs ? 2 : 1,
		.items = items};
}

/* A scalar is its own first element. */
static struct kql_value element_at(
	struct kql_run *run, struct kql_value v, int64_t index, bool pairs)
{
	if (kql_is_bag(v))
		return member_at(run, v, index, pairs);
	if (kql_is_array(v))
		return kql_array_at(v, index);
	return index == 0 ? v : kql_null();
}

static bool has_type(struct kql_value v, enum kql_type type)
{
	static const enum kql_kind kinds[] = {
		[KQL_BOOL] = KQL_IS_BOOL,
		[KQL_LONG] = KQL_IS_LONG,
		[KQL_REAL] = KQL_IS_REAL,
		[KQL_STRING] = KQL_IS_STRING,
		[KQL_DATETIME] = KQL_IS_DATETIME,
		[KQL_TIMESPAN] = KQL_IS_TIMESPAN,
	};

	return type == KQL_DYNAMIC || v.kind == kinds[type];
}

/* "to typeof(…)" only casts: an element of another type becomes null. */
static struct kql_value cast(struct kql_value v, enum kql_type type)
{
	return has_type(v, type) ? v : kql_nothing(type);
}

static void set_slot(struct kql_frame *f, unsigned slot, struct kql_value v)
{
	f->values[slot] = v;
	f->known[slot] = true;
}

/* Rows that the arrays give together; null gives one row, an empty array none. */
static int64_t expanded_length(const struct kql_value *arrays, unsigned count)
{
	int64_t longest = 0;

	for (unsigned i = 0; i < count; i++) {
		ptrdiff_t length = kql_array_length(arrays[i]);

		if (length < 0)
			length = 1;
		if (length > longest)
			longest = length;
	}
	return longest;
}

static void expand(struct stream *s, const struct kql_expansion *x, unsigned next)
{
	struct kql_frame *f = &s->frame;
	struct kql_value *arrays = kql_scratch(f->run, x->count * sizeof(*arrays));
	size_t later = f->stage->slot_count - x->first_slot;
	int64_t length;

	if (arrays == NULL)
		return;
	for (unsigned i = 0; i < x->count; i++)
		arrays[i] = kql_eval(f, x->items[i].expr);
	length = expanded_length(arrays, x->count);
	for (int64_t at = 0; at < length && at < x->limit && !s->enough; at++) {
		memset(f->known + x->first_slot, 0, later);
		for (unsigned i = 0; i < x->count; i++)
			set_slot(f, x->items[i].slot,
				cast(element_at(f->run, arrays[i], at, x->pairs),
					x->items[i].type));
		if (x->index_slot != UINT_MAX)
			set_slot(f, x->index_slot, kql_long(at));
		run_steps(s, next);
	}
}

static void run_steps(struct stream *s, unsigned from)
{
	const struct kql_stage *stage = s->frame.stage;

	for (unsigned i = from; i < stage->step_count; i++) {
		const struct kql_step *step = &stage->steps[i];

		switch (step->kind) {
		case KQL_STEP_FILTER:
			if (!kql_is_true(kql_eval(&s->frame, step->filter)))
				return;
			break;
		case KQL_STEP_EXPAND: expand(s, step->expansion, i + 1); return;
		case KQL_STEP_TAKE:
			if (s->frame.taken[i]++ >= step->take) {
				s->enough = true;
				return;
			}
			break;
		}
	}
	if (kql_work(s->frame.run, 1))
		s->sink(s->ctx, &s->frame);
}

static void stream_row(struct stream *s)
{
	memset(s->frame.known, 0, s->frame.stage->slot_count);
	run_steps(s, 0);
	kql_arena_reset(&s->frame.run->scratch);
	if (!kql_work(s->frame.run, 1))
		s->enough = true;
}

static void stream_table(struct stream *s, const char *name)
{
	struct kql_run *run = s->frame.run;
	const json_t *rows = run->table(run->ctx, name);

	if (!json_is_array(rows)) {
		kql_refuse(run->error, KQL_TABLE_NAME,
			"Table %s is invalid, unsupported or disallowed.", name);
		return;
	}
	for (size_t i = 0; i < json_array_size(rows) && !s->enough; i++) {
		s->frame.row = json_array_get(rows, i);
		stream_row(s);
	}
}

void kql_stage_stream(struct kql_run *run, const struct kql_stage *stage,
	const struct kql_rows *input, kql_sink_fn sink, void *ctx)
{
	mdc_autofree struct kql_value *values = xcalloc(stage->slot_count, sizeof(*values));
	mdc_autofree bool *known = xcalloc(stage->slot_count, sizeof(*known));
	mdc_autofree uint64_t *taken = xcalloc(stage->step_count, sizeof(*taken));
	struct stream s = {
		.frame = {.run = run,
			.stage = stage,
			.values = values,
			.known = known,
			.taken = taken},
		.sink = sink,
		.ctx = ctx,
	};

	if (kql_failed(run))
		return;
	if (stage->table != NULL) {
		stream_table(&s, stage->table);
		return;
	}
	for (size_t i = 0; i < input->count && !s.enough; i++) {
		s.frame.stored = kql_rows_at(input, i);
		stream_row(&s);
	}
}

/* --- collecting and sorting --- */

void kql_collect_row(struct kql_frame *f, struct kql_value *ret)
{
	const struct kql_schema *schema = &f->stage->schema;

	for (unsigned i = 0; i < schema->count; i++)
		ret[i] = kql_kept(f->run, kql_slot_value(f, schema->columns[i].slot));
}

struct collector {
	struct kql_rows rows;
	struct kql_rows keys; /* of a sort */
};

static void collect(void *ctx, struct kql_frame *f)
{
	struct collector *c = ctx;
	struct kql_value *row = kql_rows_add(&c->rows);
	struct kql_value *keys;

	if (row == NULL) {
		kql_run_exhausted(f->run);
		return;
	}
	kql_collect_row(f, row);
	if (f->stage->finish != KQL_FINISH_SORT)
		return;
	keys = kql_rows_add(&c->keys);
	if (keys == NULL) {
		/* Rows and keys stay of one number. */
		c->rows.count--;
		kql_run_exhausted(f->run);
		return;
	}
	for (unsigned i = 0; i < f->stage->sort_count; i++)
		keys[i] = kql_kept(f->run, kql_eval(f, f->stage->sort[i].expr));
}

struct sorting {
	const struct kql_stage *stage;
	const struct kql_rows *keys;
};

static bool sorts_as_null(struct kql_value v)
{
	return kql_is_null(v) || (v.kind == KQL_IS_REAL && v.real != v.real);
}

static int compare_keys(struct kql_value a, struct kql_value b, const struct kql_sort_key *key)
{
	bool a_null = sorts_as_null(a), b_null = sorts_as_null(b);
	int order = kql_compare(a, b);

	/* Null is farther out than NaN. */
	if (a_null && b_null)
		return key->nulls_first ? order : -order;
	if (a_null || b_null)
		return a_null == key->nulls_first ? -1 : 1;
	return key->descending ? -order : order;
}

/* Rows that are alike stay in their order. */
static int compare_rows(const void *a, const void *b, void *ctx)
{
	const struct sorting *s = ctx;
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	for (unsigned i = 0; i < s->stage->sort_count; i++) {
		int order = compare_keys(kql_rows_at(s->keys, left)[i],
			kql_rows_at(s->keys, right)[i], &s->stage->sort[i]);

		if (order != 0)
			return order;
	}
	return left < right ? -1 : left > right;
}

static struct kql_rows sort_rows(
	struct kql_run *run, const struct kql_stage *stage, struct collector *c)
{
	size_t count = c->rows.count;
	mdc_autofree uint32_t *order = xcalloc(count, sizeof(*order));
	struct sorting sorting = {.stage = stage, .keys = &c->keys};
	struct kql_rows sorted = {.width = c->rows.width};

	for (size_t i = 0; i < count; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, count, sizeof(*order), compare_rows, &sorting);
	if (stage->sort_limit >= 0 && (uint64_t)stage->sort_limit < count)
		count = (size_t)stage->sort_limit;
	for (size_t i = 0; i < count && !kql_failed(run); i++) {
		struct kql_value *row = kql_rows_add(&sorted);

		if (row == NULL)
			kql_run_exhausted(run);
		else
			memcpy(row, kql_rows_at(&c->rows, order[i]), sorted.width * sizeof(*row));
	}
	return sorted;
}

/* The rows that come out of the streaming part of a stage, in the order of its sort. */
static struct kql_rows collected_rows(
	struct kql_run *run, const struct kql_stage *stage, const struct kql_rows *input)
{
	struct collector c = {
		.rows = {.width = stage->schema.count}, .keys = {.width = stage->sort_count}};
	struct kql_rows sorted;

	kql_stage_stream(run, stage, input, collect, &c);
	if (stage->finish != KQL_FINISH_SORT)
		return c.rows;
	sorted = sort_rows(run, stage, &c);
	kql_rows_fini(&c.rows);
	kql_rows_fini(&c.keys);
	return sorted;
}

/* --- union --- */

static void add_leg_rows(struct kql_run *run, const struct kql_stage *stage,
	const struct kql_leg *leg, const struct kql_rows *from, struct kql_rows *to)
{
	unsigned columns = stage->width - stage->with_source;

	for (size_t i = 0; i < from->count && kql_work(run, 1); i++) {
		struct kql_value *row = kql_rows_add(to);

		if (row == NULL) {
			kql_run_exhausted(run);
			return;
		}
		for (unsigned k = 0; k < columns; k++)
			row[k] = leg->from[k] >= 0 ? kql_rows_at(from, i)[leg->from[k]]
						   : kql_nothing(stage->types[k]);
		if (stage->with_source)
			row[columns] = kql_text(leg->name, strlen(leg->name));
	}
}

static struct kql_rows union_rows(
	struct kql_run *run, const struct kql_stage *stage, const struct kql_rows *input)
{
	struct kql_rows all = {.width = stage->width};

	for (unsigned i = 0; i < stage->leg_count; i++) {
		const struct kql_leg *leg = &stage->legs[i];
		struct kql_rows rows = leg->plan != NULL ? kql_plan_rows(run, leg->plan)
							 : collected_rows(run, stage, input);

		add_leg_rows(run, stage, leg, &rows, &all);
		kql_rows_fini(&rows);
	}
	return all;
}

/* --- plans --- */

static struct kql_rows join_rows(
	struct kql_run *run, const struct kql_stage *stage, const struct kql_rows *input)
{
	struct kql_rows left = collected_rows(run, stage, input);
	struct kql_rows right = kql_plan_rows(run, stage->right);
	struct kql_rows joined = kql_join_rows(run, stage, &left, &right);

	kql_rows_fini(&left);
	kql_rows_fini(&right);
	return joined;
}

static struct kql_rows stage_rows(
	struct kql_run *run, const struct kql_stage *stage, const struct kql_rows *input)
{
	switch (stage->finish) {
	case KQL_FINISH_NONE:
	case KQL_FINISH_SORT: return collected_rows(run, stage, input);
	case KQL_FINISH_GROUP: return kql_group_rows(run, stage, input);
	case KQL_FINISH_JOIN: return join_rows(run, stage, input);
	case KQL_FINISH_UNION: return union_rows(run, stage, input);
	}
	return (struct kql_rows){0};
}

/* The rows that the last stage starts from, and that stage. */
static struct kql_rows rows_before_last(
	struct kql_run *run, const struct kql_plan *plan, const struct kql_stage **ret_last)
{
	struct kql_rows rows = {0};
	const struct kql_stage *stage = plan->first;

	for (; stage->next != NULL; stage = stage->next) {
		struct kql_rows next = stage_rows(run, stage, &rows);

		kql_rows_fini(&rows);
		rows = next;
	}
	*ret_last = stage;
	return rows;
}

struct kql_rows kql_plan_rows(struct kql_run *run, const struct kql_plan *plan)
{
	const struct kql_stage *last;
	struct kql_rows input = rows_before_last(run, plan, &last);
	struct kql_rows rows = collected_rows(run, last, &input);

	kql_rows_fini(&input);
	return rows;
}

void kql_plan_stream(struct kql_run *run, const struct kql_plan *plan, kql_sink_fn sink, void *ctx)
{
	const struct kql_stage *last;
	struct kql_rows input = rows_before_last(run, plan, &last);

	kql_stage_stream(run, last, &input, sink, ctx);
	kql_rows_fini(&input);
}
