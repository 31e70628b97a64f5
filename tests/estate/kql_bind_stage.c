/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_bind_stage.h"

#include "tests/estate/kql_eval.h"

#include <limits.h>

bool kql_bind_add_step(struct kql_binder *b, struct kql_step step)
{
	struct kql_stage *stage = b->stage;

	if (stage->step_count == b->step_room) {
		unsigned room = b->step_room == 0 ? 8 : b->step_room * 2;
		struct kql_step *steps = kql_bind_take(b, room * sizeof(*steps));

		if (steps == NULL)
			return false;
		if (stage->step_count > 0)
			memcpy(steps, stage->steps, stage->step_count * sizeof(*steps));
		stage->steps = steps;
		b->step_room = room;
	}
	stage->steps[stage->step_count++] = step;
	return true;
}

bool kql_bind_add_column(struct kql_binder *b, struct kql_schema *schema, struct kql_column column)
{
	/* Room for all at once: a schema is small, and there is one for each operator. */
	if (schema->columns == NULL)
		schema->columns = kql_bind_take(b, KQL_COLUMNS_MAX * sizeof(*schema->columns));
	if (schema->columns == NULL)
		return false;
	if (schema->count == KQL_COLUMNS_MAX) {
		kql_bind_fail(b, "there are too many columns");
		return false;
	}
	schema->columns[schema->count++] = column;
	return true;
}

const struct kql_column *kql_bind_resolve(
	struct kql_binder *b, const struct kql_schema *schema, const char *name)
{
	const struct kql_column *column = kql_bind_find(schema, name);

	if (column == NULL)
		kql_bind_fail(b, "Failed to resolve column or scalar expression named '%s'", name);
	return column;
}

unsigned kql_bind_slot_of(struct kql_binder *b, struct kql_expr *e)
{
	if (e->eval == kql_eval_slot)
		return e->slot;
	return kql_bind_add_slot(
		b, (struct kql_slot){.kind = KQL_SLOT_EXPRESSION, .type = e->type, .expr = e});
}

struct kql_list kql_bind_all_columns(struct kql_binder *b)
{
	struct kql_list list = {.count = b->schema.count};

	list.items = kql_bind_take(b, (list.count + 1) * sizeof(*list.items));
	for (size_t i = 0; list.items != NULL && i < list.count; i++) {
		struct kql_node *node = kql_bind_take(b, sizeof(*node));

		if (node == NULL)
			return (struct kql_list){0};
		*node = (struct kql_node){
			.kind = KQL_NODE_NAME, .name = b->schema.columns[i].name, .depth = 1};
		list.items[i] = (struct kql_named){.node = node, .type = KQL_TYPE_N_};
	}
	return list;
}

/* --- stages --- */

static bool start_stage(struct kql_binder *b)
{
	struct kql_stage *stage = kql_bind_take(b, sizeof(*stage));

	if (stage == NULL)
		return false;
	stage->sort_limit = -1;
	if (b->stage != NULL)
		b->stage->next = stage;
	else
		b->bound.plan->first = stage;
	b->stage = stage;
	b->slot_room = b->step_room = b->aggregate_room = 0;
	return true;
}

bool kql_bind_start_empty(struct kql_binder *b)
{
	return start_stage(b);
}

bool kql_bind_finish(
	struct kql_binder *b, enum kql_finish finish, enum kql_type *types, unsigned width)
{
	b->stage->schema = b->schema;
	b->stage->finish = finish;
	b->stage->types = types;
	b->stage->width = width;
	if (!start_stage(b))
		return false;
	for (unsigned i = 0; i < width; i++)
		if (kql_bind_add_slot(b,
			    (struct kql_slot){
				    .kind = KQL_SLOT_STORED, .type = types[i], .stored = i}) ==
			UINT_MAX)
			return false;
	return true;
}

bool kql_bind_finish_columns(struct kql_binder *b, enum kql_finish finish)
{
	struct kql_schema moved = {0};
	unsigned width = b->schema.count;
	enum kql_type *types = kql_bind_take(b, (width + 1) * sizeof(*types));

	if (types == NULL)
		return false;
	for (unsigned i = 0; i < width; i++) {
		struct kql_column column = b->schema.columns[i];

		types[i] = column.type;
		column.slot = i;
		if (!kql_bind_add_column(b, &moved, column))
			return false;
	}
	if (!kql_bind_finish(b, finish, types, width))
		return false;
	b->schema = moved;
	return true;
}

/* --- pipes --- */

static bool among_default_tables(const char *table)
{
	return strcmp(table, "resources") == 0 || strcmp(table, "resourcecontainers") == 0;
}

/* One join may reach another table, more only between Resources and ResourceContainers. */
static bool count_table(struct kql_binder *b, const char *table)
{
	if (b->table == NULL)
		b->table = table;
	b->foreign += strcmp(b->table, table) != 0;
	b->beyond |= !among_default_tables(table);
	if (b->foreign == 0 || !b->beyond || (b->foreign == 1 && !b->in_union))
		return true;
	kql_refuse(b->error, KQL_REMOTE_TABLES,
		b->in_union ? "Union legs of more than one table ('%s') are not allowed."
			    : "The query joins more tables than allowed ('%s').",
		table);
	return false;
}

static bool start_table(struct kql_binder *b, const char *name)
{
	const char *table = kql_table_find(name);

	if (table == NULL) {
		kql_refuse(b->error, KQL_TABLE_NAME,
			"Table %s is invalid, unsupported or disallowed.", name);
		return false;
	}
	if (!count_table(b, table) || !start_stage(b))
		return false;
	b->stage->table = table;
	b->schema = (struct kql_schema){0};
	for (size_t i = 0; i < KQL_TABLE_COLUMNS; i++) {
		const struct kql_table_column *column = &kql_table_columns[i];
		unsigned slot = kql_bind_add_slot(b,
			(struct kql_slot){.kind = KQL_SLOT_MEMBER,
				.type = column->type,
				.key = kql_text(column->name, strlen(column->name))});

		if (slot == UINT_MAX ||
			!kql_bind_add_column(b, &b->schema,
				(struct kql_column){column->name, column->type, slot}))
			return false;
	}
	return true;
}

static bool bind_clauses(struct kql_binder *b, const struct kql_pipe *pipe)
{
	if (pipe->inner != NULL && !bind_clauses(b, pipe->inner))
		return false;
	if (pipe->table != NULL && !start_table(b, pipe->table))
		return false;
	for (size_t i = 0; i < pipe->count; i++)
		if (!kql_bind_clause(b, &pipe->clauses[i]))
			return false;
	return true;
}

static struct kql_plan *bind_plan(struct kql_binder *b, const struct kql_pipe *pipe)
{
	struct kql_plan *plan = kql_bind_take(b, sizeof(*plan));

	if (plan == NULL)
		return NULL;
	b->bound.plan = plan;
	b->bound.grouped = false;
	b->stage = NULL;
	b->schema = (struct kql_schema){0};
	if (!bind_clauses(b, pipe))
		return NULL;
	b->stage->schema = plan->schema = b->schema;
	return plan;
}

struct kql_plan *kql_bind_leg(struct kql_binder *b, const struct kql_pipe *pipe)
{
	struct kql_binder outer = *b;
	struct kql_plan *plan = bind_plan(b, pipe);

	b->word = outer.word;
	b->stage = outer.stage;
	b->schema = outer.schema;
	b->slot_room = outer.slot_room;
	b->step_room = outer.step_room;
	b->aggregate_room = outer.aggregate_room;
	b->bound.plan = outer.bound.plan;
	b->bound.grouped = outer.bound.grouped;
	return plan;
}

int kql_bind_pipe(struct kql_arena *arena, const struct kql_pipe *pipe, struct kql_error *error,
	struct kql_bound *ret)
{
	struct kql_binder b = {.arena = arena, .error = error, .word = "query"};
	struct kql_plan *plan = bind_plan(&b, pipe);

	/* Sets are handed over in any case: their owner frees their indexes. */
	*ret = b.bound;
	ret->plan = plan;
	return plan != NULL ? 0 : -EINVAL;
}
