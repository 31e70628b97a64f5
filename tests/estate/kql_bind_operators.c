/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_bind_stage.h"

#include "tests/estate/kql_eval.h"

#include <limits.h>
#include <stdio.h>

/* --- where, take --- */

static bool bind_where(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_expr *filter = kql_bind_predicate(b, clause->items.items[0].node);

	return filter != NULL &&
		kql_bind_add_step(b, (struct kql_step){.kind = KQL_STEP_FILTER, .filter = filter});
}

static bool bind_take(struct kql_binder *b, const struct kql_clause *clause)
{
	b->bound.limited = true;
	return kql_bind_add_step(
		b, (struct kql_step){.kind = KQL_STEP_TAKE, .take = (uint64_t)clause->limit});
}

/* --- extend, project and their kin --- */

/* The name an item gets: its own, or an implied one that is new in `schema`. */
static const char *item_name(
	struct kql_binder *b, const struct kql_schema *schema, const struct kql_named *item)
{
	const char *name;
	char number[16];

	if (item->name != NULL)
		return item->name;
	name = kql_implied_name(b, item->node);
	if (name != NULL)
		return kql_unique_name(b, schema, name);
	/* Column1, Column2 … */
	snprintf(number, sizeof(number), "Column%u", 1);
	for (unsigned i = 2; kql_bind_find(schema, number) != NULL; i++)
		snprintf(number, sizeof(number), "Column%u", i);
	return kql_arena_text(b->arena, number, strlen(number));
}

/* Adds an item to the columns of `to`; two of one name are refused. */
static bool add_item(struct kql_binder *b, struct kql_schema *to, const struct kql_named *item,
	struct kql_expr *e)
{
	const char *name = e != NULL ? item_name(b, to, item) : NULL;
	unsigned slot;

	if (name == NULL)
		return false;
	if (kql_bind_find(to, name) != NULL)
		return kql_bind_refuse(b, "a column named '%s' already exists", name);
	slot = kql_bind_slot_of(b, e);
	return slot != UINT_MAX &&
		kql_bind_add_column(b, to, (struct kql_column){name, e->type, slot});
}

/* The items as columns, all bound to the schema before the operator. */
static bool bind_items(struct kql_binder *b, const struct kql_list *items, struct kql_schema *ret)
{
	for (size_t i = 0; i < items->count; i++) {
		struct kql_expr *e = kql_bind_expression(b, items->items[i].node);

		if (!add_item(b, ret, &items->items[i], e))
			return false;
	}
	return true;
}

static bool bind_project(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_schema made = {0};

	if (!bind_items(b, &clause->items, &made))
		return false;
	b->schema = made;
	return true;
}

/* Columns that exist are removed, and appended with their new value. */
static bool replace_columns(struct kql_binder *b, const struct kql_schema *made)
{
	struct kql_schema all = {0};

	for (unsigned i = 0; i < b->schema.count; i++)
		if (kql_bind_find(made, b->schema.columns[i].name) == NULL &&
			!kql_bind_add_column(b, &all, b->schema.columns[i]))
			return false;
	for (unsigned i = 0; i < made->count; i++)
		if (!kql_bind_add_column(b, &all, made->columns[i]))
			return false;
	b->schema = all;
	return true;
}

static bool bind_extend(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_schema made = {0};

	return bind_items(b, &clause->items, &made) && replace_columns(b, &made);
}

static bool away(const struct kql_list *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (kql_name_matches(patterns->items[i].name, name))
			return true;
	return false;
}

static bool bind_project_away(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_schema kept = {0};

	for (size_t i = 0; i < clause->items.count; i++) {
		const char *name = clause->items.items[i].name;

		if (strchr(name, '*') == NULL && !kql_bind_resolve(b, &b->schema, name))
			return false;
	}
	for (unsigned i = 0; i < b->schema.count; i++)
		if (!away(&clause->items, b->schema.columns[i].name) &&
			!kql_bind_add_column(b, &kept, b->schema.columns[i]))
			return false;
	b->schema = kept;
	return true;
}

static bool bind_project_rename(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_schema renamed = {0};

	for (unsigned i = 0; i < b->schema.count; i++)
		if (!kql_bind_add_column(b, &renamed, b->schema.columns[i]))
			return false;
	for (size_t i = 0; i < clause->items.count; i++) {
		const struct kql_named *item = &clause->items.items[i];
		const struct kql_column *old;

		if (item->name == NULL || item->node->kind != KQL_NODE_NAME)
			return kql_bind_refuse(b, "expected NewName = ColumnName");
		old = kql_bind_resolve(b, &b->schema, item->node->name);
		if (old == NULL)
			return false;
		if (kql_bind_find(&renamed, item->name) != NULL)
			return kql_bind_refuse(b, "a column named '%s' already exists", item->name);
		renamed.columns[old - b->schema.columns].name = item->name;
	}
	b->schema = renamed;
	return true;
}

/* --- summarize, distinct, count --- */

static bool bind_keys(struct kql_binder *b, const struct kql_list *keys, struct kql_schema *ret)
{
	struct kql_expr **exprs = kql_bind_take(b, (keys->count + 1) * sizeof(struct kql_expr *));

	if (exprs == NULL)
		return false;
	for (size_t i = 0; i < keys->count; i++) {
		exprs[i] = kql_bind_expression(b, keys->items[i].node);
		if (exprs[i] == NULL || !kql_bind_scalar(b, exprs[i], "group key") ||
			!add_item(b, ret, &keys->items[i], exprs[i]))
			return false;
		/* Its slot is a place in the rows of the next stage. */
		exprs[i] = kql_bind_slot(b, ret->columns[i].slot, exprs[i]->type);
		if (exprs[i] == NULL)
			return false;
		ret->columns[i].slot = (unsigned)i;
	}
	b->stage->keys = exprs;
	b->stage->key_count = (unsigned)keys->count;
	return true;
}

/* An item of summarize: an expression over aggregates, or a call that gives several columns. */
struct aggregate_item {
	struct kql_expr *expr;
	const struct kql_aggregate *wide;
	const struct kql_node *call;
	unsigned first; /* place of the first of several values */
};

/* arg_max(x, *): the star stands for every column that is neither x nor a key. */
static struct kql_node *spell_out_star(
	struct kql_binder *b, const struct kql_node *call, const struct kql_list *keys)
{
	struct kql_node *spelled = kql_bind_take(b, sizeof(*spelled));
	struct kql_node **args =
		kql_bind_take(b, (b->schema.count + 1) * sizeof(struct kql_node *));
	size_t count = 1;

	if (spelled == NULL || args == NULL)
		return NULL;
	args[0] = call->args[0];
	for (unsigned i = 0; i < b->schema.count; i++) {
		const char *name = b->schema.columns[i].name;
		bool known = args[0]->kind == KQL_NODE_NAME && strcmp(args[0]->name, name) == 0;

		for (size_t k = 0; k < keys->count && !known; k++) {
			const char *key = kql_implied_name(b, keys->items[k].node);

			known = key != NULL && strcmp(key, name) == 0;
		}
		if (known)
			continue;
		args[count] = kql_bind_take(b, sizeof(struct kql_node));
		if (args[count] == NULL)
			return NULL;
		*args[count++] = (struct kql_node){.kind = KQL_NODE_NAME, .name = name, .depth = 1};
	}
	*spelled = *call;
	spelled->args = args;
	spelled->count = count;
	return spelled;
}

static bool is_wide(const struct kql_node *node)
{
	const struct kql_aggregate_function *function =
		node->kind == KQL_NODE_CALL ? kql_aggregate_find(node->name) : NULL;

	return function != NULL && function->wide && node->count > 0;
}

static bool bind_aggregate_item(struct kql_binder *b, const struct kql_node *node,
	const struct kql_list *keys, struct aggregate_item *ret)
{
	if (!is_wide(node)) {
		ret->expr = kql_bind_expression(b, node);
		return ret->expr != NULL;
	}
	ret->call = node;
	if (node->count == 2 && node->args[1]->kind == KQL_NODE_STAR)
		ret->call = spell_out_star(b, node, keys);
	ret->wide = ret->call != NULL ? kql_bind_aggregate(b, ret->call) : NULL;
	if (ret->wide == NULL)
		return false;
	ret->first = kql_bind_aggregate_slot(b);
	return true;
}

static struct aggregate_item *bind_aggregate_items(
	struct kql_binder *b, const struct kql_clause *clause)
{
	size_t count = clause->items.count;
	struct aggregate_item *items = kql_bind_take(b, (count + 1) * sizeof(*items));

	b->aggregate_room = 0;
	b->aggregating = true;
	for (size_t i = 0; items != NULL && i < count; i++)
		if (!bind_aggregate_item(b, clause->items.items[i].node, &clause->keys, &items[i]))
			items = NULL;
	b->aggregating = false;
	return items;
}

/* The slots of the groups: keys, then the values of the aggregates. */
static bool start_group_stage(struct kql_binder *b)
{
	const struct kql_stage *stage = b->stage;
	unsigned width = stage->key_count, at = stage->key_count;
	enum kql_type *types;

	for (unsigned i = 0; i < stage->aggregate_count; i++)
		width += stage->aggregates[i].width;
	types = kql_bind_take(b, (width + 1) * sizeof(*types));
	if (types == NULL)
		return false;
	for (unsigned i = 0; i < stage->key_count; i++)
		types[i] = stage->keys[i]->type;
	for (unsigned i = 0; i < stage->aggregate_count; i++) {
		const struct kql_aggregate *a = &stage->aggregates[i];

		for (unsigned k = 0; k < a->width; k++)
			types[at++] = a->width > 1 ? a->args[k]->type : kql_bind_aggregate_type(a);
	}
	return kql_bind_finish(b, KQL_FINISH_GROUP, types, width);
}

static bool add_wide_item(struct kql_binder *b, struct kql_schema *to,
	const struct kql_named *named, const struct aggregate_item *item)
{
	for (unsigned i = 0; i < item->wide->width; i++) {
		const struct kql_named part = {
			.name = i == 0 ? named->name : NULL, .node = item->call->args[i]};

		if (!add_item(b, to, &part,
			    kql_bind_slot(b, item->first + i, item->wide->args[i]->type)))
			return false;
	}
	return true;
}

static bool bind_summarize(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_schema made = {0};
	struct aggregate_item *items;

	if (!bind_keys(b, &clause->keys, &made))
		return false;
	items = bind_aggregate_items(b, clause);
	if (items == NULL || !start_group_stage(b))
		return false;
	for (size_t i = 0; i < clause->items.count; i++) {
		const struct kql_named *named = &clause->items.items[i];
		bool good = items[i].wide != NULL ? add_wide_item(b, &made, named, &items[i])
						  : add_item(b, &made, named, items[i].expr);

		if (!good)
			return false;
	}
	b->schema = made;
	b->bound.grouped = true;
	return true;
}

/* "*" stands for all columns. */
static bool bind_distinct(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_list keys = clause->items;
	struct kql_schema made = {0};

	if (keys.count == 1 && keys.items[0].node == NULL) {
		keys = kql_bind_all_columns(b);
		if (keys.items == NULL)
			return false;
	}
	for (size_t i = 0; i < keys.count; i++)
		if (keys.items[i].node == NULL)
			return kql_bind_refuse(b, "'*' must stand alone");
	if (!bind_keys(b, &keys, &made) || !start_group_stage(b))
		return false;
	b->schema = made;
	b->bound.grouped = true;
	return true;
}

static bool bind_count(struct kql_binder *b)
{
	struct kql_node call = {.kind = KQL_NODE_CALL, .name = "count", .depth = 1};
	struct kql_named item = {.name = "Count", .node = &call, .type = KQL_TYPE_N_};
	const struct kql_clause summarize = {
		.word = "count", .items = {.items = &item, .count = 1}};

	return bind_summarize(b, &summarize);
}

/* --- order, top --- */

static bool bind_order(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_sort_key *keys = kql_bind_take(b, clause->order_count * sizeof(*keys));

	if (keys == NULL)
		return false;
	for (size_t i = 0; i < clause->order_count; i++) {
		const struct kql_order *order = &clause->orders[i];

		keys[i] = (struct kql_sort_key){
			.expr = kql_bind_expression(b, order->node),
			.descending = order->descending,
			.nulls_first = order->nulls_first,
		};
		if (keys[i].expr == NULL || !kql_bind_scalar(b, keys[i].expr, "sort key"))
			return false;
	}
	b->stage->sort = keys;
	b->stage->sort_count = (unsigned)clause->order_count;
	b->stage->sort_limit = clause->kind == KQL_CLAUSE_TOP ? clause->limit : -1;
	b->bound.limited |= clause->kind == KQL_CLAUSE_TOP;
	return kql_bind_finish_columns(b, KQL_FINISH_SORT);
}

/* --- mv-expand --- */

static bool check_expand(struct kql_binder *b, const struct kql_clause *clause)
{
	if (++b->expands > KQL_EXPANDS_MAX)
		return kql_bind_refuse(
			b, "the query has more than %d mv-expand operators", KQL_EXPANDS_MAX);
	if (clause->limit == 0 || clause->limit > KQL_EXPAND_ROWS_MAX)
		return kql_bind_refuse(
			b, "the row limit must be between 1 and %d", KQL_EXPAND_ROWS_MAX);
	if (clause->option != NULL && strcmp(clause->option, "bag") != 0 &&
		strcmp(clause->option, "array") != 0)
		return kql_bind_refuse(b, "kind '%s' is not supported", clause->option);
	return true;
}

/* A column keeps its place when it is expanded into itself. */
static bool place_expanded(struct kql_binder *b, struct kql_schema *to, struct kql_column column)
{
	for (unsigned i = 0; i < to->count; i++) {
		if (strcmp(to->columns[i].name, column.name) == 0) {
			to->columns[i] = column;
			return true;
		}
	}
	return kql_bind_add_column(b, to, column);
}

static bool expand_item(struct kql_binder *b, struct kql_schema *to, const struct kql_named *item,
	struct kql_expanded *ret)
{
	const char *name = item->name;
	struct kql_expr *e = kql_bind_expression(b, item->node);

	if (e == NULL)
		return false;
	if (e->type != KQL_DYNAMIC)
		return kql_bind_refuse(b, "the expression must be of type dynamic, and not %s",
			kql_type_name(e->type));
	if (name == NULL && item->node->kind == KQL_NODE_NAME)
		name = item->node->name;
	if (name == NULL)
		name = item_name(b, to, item);
	ret->expr = e;
	ret->type = item->type == KQL_TYPE_N_ ? KQL_DYNAMIC : item->type;
	ret->slot = kql_bind_add_slot(
		b, (struct kql_slot){.kind = KQL_SLOT_EXPANDED, .type = ret->type});
	return name != NULL && ret->slot != UINT_MAX &&
		place_expanded(b, to, (struct kql_column){name, ret->type, ret->slot});
}

static bool expand_items(struct kql_binder *b, const struct kql_clause *clause,
	struct kql_schema *to, struct kql_expansion *expansion)
{
	for (size_t i = 0; i < clause->items.count; i++)
		if (!expand_item(b, to, &clause->items.items[i], &expansion->items[i]))
			return false;
	if (clause->column == NULL)
		return true;
	expansion->index_slot = kql_bind_add_slot(
		b, (struct kql_slot){.kind = KQL_SLOT_EXPANDED, .type = KQL_LONG});
	return expansion->index_slot != UINT_MAX &&
		place_expanded(b, to,
			(struct kql_column){clause->column, KQL_LONG, expansion->index_slot});
}

static bool bind_expand(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_expansion *expansion = kql_bind_take(b, sizeof(*expansion));
	struct kql_schema made = {0};

	if (expansion == NULL || !check_expand(b, clause))
		return false;
	*expansion = (struct kql_expansion){
		.items = kql_bind_take(b, clause->items.count * sizeof(struct kql_expanded)),
		.count = (unsigned)clause->items.count,
		.first_slot = b->stage->slot_count,
		.index_slot = UINT_MAX,
		.limit = clause->limit < 0 ? KQL_EXPAND_ROWS : clause->limit,
		.pairs = clause->option != NULL && strcmp(clause->option, "array") == 0,
	};
	for (unsigned i = 0; i < b->schema.count; i++)
		if (!kql_bind_add_column(b, &made, b->schema.columns[i]))
			return false;
	if (expansion->items == NULL || !expand_items(b, clause, &made, expansion))
		return false;
	b->schema = made;
	return kql_bind_add_step(
		b, (struct kql_step){.kind = KQL_STEP_EXPAND, .expansion = expansion});
}

/* --- parse --- */

static bool check_patterns(struct kql_binder *b, const struct kql_clause *clause)
{
	if (clause->option != NULL && strcmp(clause->option, "simple") != 0) {
		kql_refuse(b->error, KQL_DISALLOWED_LANGUAGE,
			"InvalidQueryLanguage: parse kind=%s is not supported", clause->option);
		return false;
	}
	for (size_t i = 1; i < clause->pattern_count; i++) {
		const struct kql_pattern *before = &clause->patterns[i - 1];
		/* A number ends where its digits end. */
		bool ends = before->kind == KQL_PATTERN_TEXT ||
			(before->kind == KQL_PATTERN_COLUMN &&
				(before->type == KQL_LONG || before->type == KQL_REAL));

		if (clause->patterns[i].kind != KQL_PATTERN_TEXT && !ends)
			return kql_bind_refuse(b, "a string must stand between two columns");
	}
	return true;
}

/* The text is taken apart once, into a value that each of the columns takes its part of. */
static bool add_parsed(struct kql_binder *b, const struct kql_clause *clause, unsigned slot)
{
	struct kql_schema made = {0};
	unsigned index = 0;

	for (size_t i = 0; i < clause->pattern_count; i++) {
		const struct kql_pattern *pattern = &clause->patterns[i];
		const struct kql_named item = {.name = pattern->column};
		struct kql_expr *e;

		if (pattern->kind != KQL_PATTERN_COLUMN)
			continue;
		e = kql_bind_slot(b, slot, KQL_DYNAMIC);
		e = e != NULL ? kql_bind_unary(b, kql_eval_element, pattern->type, e) : NULL;
		if (e == NULL)
			return false;
		e->slot = index++;
		if (!add_item(b, &made, &item, e))
			return false;
	}
	return replace_columns(b, &made);
}

static bool bind_parse(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_patterns *patterns = kql_bind_take(b, sizeof(*patterns));
	struct kql_expr *e = kql_bind_expression(b, clause->items.items[0].node);
	unsigned slot;

	if (patterns == NULL || e == NULL || !check_patterns(b, clause))
		return false;
	if (e->type != KQL_STRING && e->type != KQL_DYNAMIC)
		return kql_bind_refuse(b, "the expression must be of type string, and not %s",
			kql_type_name(e->type));
	*patterns =
		(struct kql_patterns){.items = clause->patterns, .count = clause->pattern_count};
	for (size_t i = 0; i < patterns->count; i++)
		patterns->columns += patterns->items[i].kind == KQL_PATTERN_COLUMN;
	e = kql_bind_unary(b, kql_eval_parse, KQL_DYNAMIC, kql_bind_string(b, e));
	if (e == NULL)
		return false;
	e->patterns = patterns;
	slot = kql_bind_slot_of(b, e);
	return slot != UINT_MAX && add_parsed(b, clause, slot);
}

/* --- all of them --- */

bool kql_bind_clause(struct kql_binder *b, const struct kql_clause *clause)
{
	b->word = clause->word;
	switch (clause->kind) {
	case KQL_CLAUSE_COUNT: return bind_count(b);
	case KQL_CLAUSE_DISTINCT: return bind_distinct(b, clause);
	case KQL_CLAUSE_EXPAND: return bind_expand(b, clause);
	case KQL_CLAUSE_EXTEND: return bind_extend(b, clause);
	case KQL_CLAUSE_JOIN: return kql_bind_join(b, clause);
	case KQL_CLAUSE_ORDER:
	case KQL_CLAUSE_TOP: return bind_order(b, clause);
	case KQL_CLAUSE_PARSE: return bind_parse(b, clause);
	case KQL_CLAUSE_PROJECT: return bind_project(b, clause);
	case KQL_CLAUSE_PROJECT_AWAY: return bind_project_away(b, clause);
	case KQL_CLAUSE_PROJECT_RENAME: return bind_project_rename(b, clause);
	case KQL_CLAUSE_SUMMARIZE: return bind_summarize(b, clause);
	case KQL_CLAUSE_TAKE: return bind_take(b, clause);
	case KQL_CLAUSE_UNION: return kql_bind_union(b, clause);
	case KQL_CLAUSE_WHERE: return bind_where(b, clause);
	}
	return false;
}
