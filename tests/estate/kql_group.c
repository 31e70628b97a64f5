/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_eval.h"

#include "lib/base/xalloc.h"

struct grouping {
	const struct kql_stage *stage;
	struct kql_rows keys;
	struct kql_index index;               /* of keys */
	struct kql_accumulator *accumulators; /* of each group in turn */
	size_t room;
	struct kql_value *row; /* the keys of the row at hand */
};

static bool same_keys(const void *ctx, uint32_t ordinal)
{
	const struct grouping *g = ctx;

	return kql_rows_same(kql_rows_at(&g->keys, ordinal), g->row, g->keys.width);
}

static bool grow(struct grouping *g)
{
	size_t aggregates = g->stage->aggregate_count;

	if (g->keys.count < g->room)
		return true;
	g->room = g->room == 0 ? 16 : g->room * 2;
	if (g->room * aggregates > KQL_KEEP_MAX / sizeof(*g->accumulators))
		return false;
	g->accumulators =
		xreallocarray(g->accumulators, g->room * aggregates, sizeof(*g->accumulators));
	return true;
}

/* A new group with the keys of the row at hand; KQL_NOT_FOUND when there is no room. */
static uint32_t add_group(struct grouping *g, struct kql_run *run, uint64_t hash)
{
	size_t aggregates = g->stage->aggregate_count;
	uint32_t ordinal = (uint32_t)g->keys.count;
	struct kql_value *keys;

	if (!grow(g) || (keys = kql_rows_add(&g->keys)) == NULL) {
		kql_run_exhausted(run);
		return KQL_NOT_FOUND;
	}
	for (size_t i = 0; i < g->keys.width; i++)
		keys[i] = kql_kept(run, g->row[i]);
	memset(g->accumulators + ordinal * aggregates, 0, aggregates * sizeof(*g->accumulators));
	kql_index_add(&g->index, hash, ordinal);
	return ordinal;
}

static void add_row(void *ctx, struct kql_frame *f)
{
	struct grouping *g = ctx;
	const struct kql_stage *stage = g->stage;
	uint32_t group;
	uint64_t hash;

	for (unsigned i = 0; i < stage->key_count; i++)
		g->row[i] = kql_eval(f, stage->keys[i]);
	hash = kql_row_hash(g->row, stage->key_count);
	group = kql_index_find(&g->index, hash, same_keys, g);
	if (group == KQL_NOT_FOUND)
		group = add_group(g, f->run, hash);
	if (group == KQL_NOT_FOUND)
		return;
	for (unsigned i = 0; i < stage->aggregate_count; i++) {
		const struct kql_aggregate *a = &stage->aggregates[i];

		a->function->add(
			f, a, &g->accumulators[(size_t)group * stage->aggregate_count + i]);
	}
}

static void finish_group(
	struct kql_run *run, const struct grouping *g, size_t group, struct kql_value *ret)
{
	const struct kql_stage *stage = g->stage;

	if (stage->key_count > 0)
		memcpy(ret, kql_rows_at(&g->keys, group), stage->key_count * sizeof(*ret));
	ret += stage->key_count;
	for (unsigned i = 0; i < stage->aggregate_count; i++) {
		const struct kql_aggregate *a = &stage->aggregates[i];

		a->function->finish(
			run, a, &g->accumulators[group * stage->aggregate_count + i], ret);
		ret += a->width;
	}
}

static struct kql_rows finished_rows(struct kql_run *run, const struct grouping *g)
{
	struct kql_rows rows = {.width = g->stage->width};

	for (size_t i = 0; i < g->keys.count && !kql_failed(run); i++) {
		struct kql_value *row = kql_rows_add(&rows);

		if (row == NULL)
			kql_run_exhausted(run);
		else
			finish_group(run, g, i, row);
	}
	return rows;
}

static void grouping_fini(struct grouping *g)
{
	size_t count = g->keys.count * g->stage->aggregate_count;

	for (size_t i = 0; i < count; i++)
		kql_index_fini(&g->accumulators[i].set);
	free(g->accumulators);
	free(g->row);
	kql_rows_fini(&g->keys);
	kql_index_fini(&g->index);
}

/* Groups come in the order of their first rows. Without keys there is one, even of no rows. */
struct kql_rows kql_group_rows(
	struct kql_run *run, const struct kql_stage *stage, const struct kql_rows *input)
{
	struct grouping g = {
		.stage = stage,
		.keys = {.width = stage->key_count},
		.row = xcalloc(stage->key_count, sizeof(*g.row)),
	};
	struct kql_rows rows;

	if (stage->key_count == 0)
		add_group(&g, run, kql_row_hash(g.row, 0));
	kql_stage_stream(run, stage, input, add_row, &g);
	rows = finished_rows(run, &g);
	grouping_fini(&g);
	return rows;
}
