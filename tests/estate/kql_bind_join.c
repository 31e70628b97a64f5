/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_bind_stage.h"

#include <limits.h>

/* --- join --- */

static bool join_kind(struct kql_binder *b, const char *option, enum kql_join_kind *ret)
{
	static const struct {
		const char *name;
		enum kql_join_kind kind;
	} kinds[] = {
		{"innerunique", KQL_JOIN_INNER_UNIQUE},
		{"inner", KQL_JOIN_INNER},
		{"leftouter", KQL_JOIN_LEFT_OUTER},
		{"fullouter", KQL_JOIN_FULL_OUTER},
	};

	*ret = KQL_JOIN_INNER_UNIQUE;
	if (option == NULL)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, option) == 0) {
			*ret = kinds[i].kind;
			return true;
		}
	}
	kql_refuse(b->error, KQL_JOIN_FLAVOR,
		"The join kind \"%s\" is not supported or not allowed.", option);
	return false;
}

/* $left.a or $right.b: the name of the column, or NULL when it is not that side. */
static const char *side_column(const struct kql_node *node, const char *side)
{
	if (node->kind != KQL_NODE_MEMBER || node->args[0]->kind != KQL_NODE_NAME ||
		strcmp(node->args[0]->name, side) != 0)
		return NULL;
	return node->name;
}

struct condition {
	const char *left, *right;
};

static bool read_condition(struct kql_binder *b, const struct kql_node *node, struct condition *ret)
{
	*ret = (struct condition){0};
	if (node->kind == KQL_NODE_NAME) {
		*ret = (struct condition){node->name, node->name};
		return true;
	}
	if (node->kind == KQL_NODE_BINARY && node->op == KQL_OP_EQUAL && !node->negated &&
		!node->nocase) {
		ret->left = side_column(node->args[0], "$left");
		ret->right = side_column(node->args[1], "$right");
		if (ret->left == NULL && ret->right == NULL) {
			ret->left = side_column(node->args[1], "$left");
			ret->right = side_column(node->args[0], "$right");
		}
	}
	if (ret->left != NULL && ret->right != NULL)
		return true;
	kql_bind_fail(b, "a condition must be a column or $left.a == $right.b");
	return false;
}

static bool add_condition(
	struct kql_binder *b, const struct kql_node *node, const struct kql_schema *right)
{
	struct kql_stage *stage = b->stage;
	const struct kql_column *l, *r;
	struct condition condition;

	if (!read_condition(b, node, &condition))
		return false;
	l = kql_bind_resolve(b, &b->schema, condition.left);
	r = l != NULL ? kql_bind_resolve(b, right, condition.right) : NULL;
	if (r == NULL)
		return false;
	if (l->type == KQL_DYNAMIC || r->type == KQL_DYNAMIC || l->type != r->type) {
		kql_bind_fail(b, "join keys '%s' and '%s' of types %s and %s cannot be compared",
			l->name, r->name, kql_type_name(l->type), kql_type_name(r->type));
		return false;
	}
	if (stage->key_count == KQL_COLUMNS_MAX) {
		kql_bind_fail(b, "there are too many conditions");
		return false;
	}
	stage->left_keys[stage->key_count] = (unsigned)(l - b->schema.columns);
	stage->right_keys[stage->key_count++] = (unsigned)(r - right->columns);
	return true;
}

static bool add_conditions(
	struct kql_binder *b, const struct kql_list *keys, const struct kql_schema *right)
{
	struct kql_stage *stage = b->stage;

	stage->left_keys = kql_bind_take(b, KQL_COLUMNS_MAX * sizeof(unsigned));
	stage->right_keys = kql_bind_take(b, KQL_COLUMNS_MAX * sizeof(unsigned));
	if (stage->left_keys == NULL || stage->right_keys == NULL)
		return false;
	for (size_t i = 0; i < keys->count; i++) {
		const struct kql_node *node = keys->items[i].node;

		if (node->kind != KQL_NODE_ALL) {
			if (!add_condition(b, node, right))
				return false;
			continue;
		}
		for (size_t k = 0; k < node->count; k++)
			if (!add_condition(b, node->args[k], right))
				return false;
	}
	return true;
}

/* The columns of both sides; those of the right get a number where their name is taken. */
static bool joined_schema(
	struct kql_binder *b, const struct kql_schema *right, struct kql_schema *ret)
{
	for (unsigned i = 0; i < b->schema.count + right->count; i++) {
		bool from_left = i < b->schema.count;
		struct kql_column column =
			from_left ? b->schema.columns[i] : right->columns[i - b->schema.count];

		column.slot = i;
		if (!from_left)
			column.name = kql_unique_name(b, ret, column.name);
		if (column.name == NULL || !kql_bind_add_column(b, ret, column))
			return false;
	}
	return true;
}

bool kql_bind_join(struct kql_binder *b, const struct kql_clause *clause)
{
	struct kql_schema made = {0};
	struct kql_plan *right;
	enum kql_type *types;

	if (!join_kind(b, clause->option, &b->stage->join))
		return false;
	if (++b->joins > KQL_JOINS_MAX) {
		kql_refuse(b->error, KQL_REMOTE_TABLES,
			"The query has more than %d join operators.", KQL_JOINS_MAX);
		return false;
	}
	right = kql_bind_leg(b, clause->legs[0]);
	if (right == NULL || !add_conditions(b, &clause->keys, &right->schema) ||
		!joined_schema(b, &right->schema, &made))
		return false;
	types = kql_bind_take(b, (made.count + 1) * sizeof(*types));
	if (types == NULL)
		return false;
	for (unsigned i = 0; i < made.count; i++)
		types[i] = made.columns[i].type;
	b->stage->right = right;
	if (!kql_bind_finish(b, KQL_FINISH_JOIN, types, made.count))
		return false;
	b->schema = made;
	return true;
}

/* --- union --- */

struct union_builder {
	const struct kql_schema **schemas; /* of the legs */
	struct kql_leg *legs;
	unsigned count;
	struct kql_schema columns; /* slot: the leg that has it first */
};

static const struct kql_column *find_typed(
	const struct kql_schema *schema, const char *name, enum kql_type type)
{
	const struct kql_column *column = kql_bind_find(schema, name);

	return column != NULL && column->type == type ? column : NULL;
}

static bool in_all_legs(const struct union_builder *u, const struct kql_column *column)
{
	for (unsigned i = 0; i < u->count; i++)
		if (find_typed(u->schemas[i], column->name, column->type) == NULL)
			return false;
	return true;
}

static bool known_column(const struct kql_schema *schema, const struct kql_column *column)
{
	for (unsigned i = 0; i < schema->count; i++)
		if (strcmp(schema->columns[i].name, column->name) == 0 &&
			schema->columns[i].type == column->type)
			return true;
	return false;
}

/* One column for each name and type; only those that all legs have when `inner`. */
static bool union_columns(struct kql_binder *b, struct union_builder *u, bool inner)
{
	for (unsigned i = 0; i < u->count; i++) {
		for (unsigned k = 0; k < u->schemas[i]->count; k++) {
			struct kql_column column = u->schemas[i]->columns[k];

			if (known_column(&u->columns, &column) ||
				(inner && !in_all_legs(u, &column)))
				continue;
			if (!kql_bind_add_column(b, &u->columns, column))
				return false;
		}
	}
	return true;
}

static bool map_leg(struct kql_binder *b, struct union_builder *u, unsigned leg)
{
	int *from = kql_bind_take(b, (u->columns.count + 1) * sizeof(*from));

	if (from == NULL)
		return false;
	for (unsigned i = 0; i < u->columns.count; i++) {
		const struct kql_column *wanted = &u->columns.columns[i];
		const struct kql_column *column =
			find_typed(u->schemas[leg], wanted->name, wanted->type);

		from[i] = column != NULL ? (int)(column - u->schemas[leg]->columns) : -1;
	}
	u->legs[leg].from = from;
	return true;
}

/* A name with several types gets the type behind it: "x_long", "x_string". */
static const char *union_name(
	struct kql_binder *b, const struct kql_schema *columns, unsigned index)
{
	const struct kql_column *column = &columns->columns[index];

	for (unsigned i = 0; i < columns->count; i++) {
		char *name;
		size_t len;

		if (i == index || strcmp(columns->columns[i].name, column->name) != 0)
			continue;
		len = strlen(column->name);
		name = kql_bind_take(b, len + 16);
		if (name == NULL)
			return NULL;
		memcpy(name, column->name, len);
		name[len] = '_';
		strcpy(name + len + 1, kql_type_name(column->type));
		return name;
	}
	return column->name;
}

static bool finish_union(struct kql_binder *b, struct union_builder *u, const char *source_column)
{
	struct kql_schema made = {0};
	enum kql_type *types = kql_bind_take(b, (u->columns.count + 2) * sizeof(*types));

	if (types == NULL)
		return false;
	for (unsigned i = 0; i < u->columns.count; i++) {
		const char *name = union_name(b, &u->columns, i);

		types[i] = u->columns.columns[i].type;
		name = name != NULL ? kql_unique_name(b, &made, name) : NULL;
		if (name == NULL ||
			!kql_bind_add_column(b, &made, (struct kql_column){name, types[i], i}))
			return false;
	}
	if (source_column != NULL) {
		types[made.count] = KQL_STRING;
		source_column = kql_unique_name(b, &made, source_column);
		if (source_column == NULL ||
			!kql_bind_add_column(b, &made,
				(struct kql_column){source_column, KQL_STRING, made.count}))
			return false;
	}
	b->stage->with_source = source_column != NULL;
	b->stage->legs = u->legs;
	b->stage->leg_count = u->count;
	if (!kql_bind_finish(b, KQL_FINISH_UNION, types, made.count))
		return false;
	b->schema = made;
	return true;
}

static const char *leg_name(struct kql_binder *b, const struct kql_pipe *pipe, unsigned index)
{
	char name[] = "union_arg0";

	if (pipe != NULL && pipe->table != NULL && pipe->count == 0)
		return pipe->table;
	name[sizeof(name) - 2] = (char)('0' + index);
	return kql_arena_text(b->arena, name, sizeof(name) - 1);
}

static bool bind_union_leg(
	struct kql_binder *b, struct union_builder *u, const struct kql_pipe *pipe)
{
	struct kql_leg *leg = &u->legs[u->count];

	leg->name = leg_name(b, pipe, u->count);
	if (pipe == NULL) {
		struct kql_schema *own = kql_bind_take(b, sizeof(*own));

		if (own == NULL)
			return false;
		*own = b->schema;
		u->schemas[u->count++] = own;
		return true;
	}
	b->in_union = true;
	leg->plan = kql_bind_leg(b, pipe);
	b->in_union = false;
	if (leg->plan == NULL)
		return false;
	u->schemas[u->count++] = &leg->plan->schema;
	return true;
}

/* `T | union A` has T as its first leg; `union A, B` starts with no rows of its own. */
static bool bind_union_legs(
	struct kql_binder *b, struct union_builder *u, const struct kql_clause *clause)
{
	bool own = b->stage != NULL;
	size_t count = clause->leg_count + own;

	b->legs += (unsigned)count - (b->legs > 0);
	if (b->legs > KQL_UNION_LEGS_MAX) {
		kql_refuse(b->error, KQL_REMOTE_TABLES, "The query has more than %d union legs.",
			KQL_UNION_LEGS_MAX);
		return false;
	}
	u->legs = kql_bind_take(b, count * sizeof(*u->legs));
	u->schemas = kql_bind_take(b, count * sizeof(const struct kql_schema *));
	if (u->legs == NULL || u->schemas == NULL)
		return false;
	if (own && !bind_union_leg(b, u, NULL))
		return false;
	for (size_t i = 0; i < clause->leg_count; i++)
		if (!bind_union_leg(b, u, clause->legs[i]))
			return false;
	return own || kql_bind_start_empty(b);
}

bool kql_bind_union(struct kql_binder *b, const struct kql_clause *clause)
{
	struct union_builder u = {0};
	bool inner = clause->option != NULL && strcmp(clause->option, "inner") == 0;

	if (clause->option != NULL && !inner && strcmp(clause->option, "outer") != 0)
		return kql_bind_refuse(b, "kind '%s' is not supported", clause->option);
	if (!bind_union_legs(b, &u, clause) || !union_columns(b, &u, inner))
		return false;
	for (unsigned i = 0; i < u.count; i++)
		if (!map_leg(b, &u, i))
			return false;
	return finish_union(b, &u, clause->column);
}
