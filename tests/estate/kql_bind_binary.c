/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_bind.h"

#include "tests/estate/kql_eval.h"

/* Lists of constants longer than this are looked up by hash. */
#define LIST_SCAN_MAX 4

static struct kql_expr *refuse_pair(struct kql_binder *b, const struct kql_node *node,
	const struct kql_expr *left, const struct kql_expr *right)
{
	return kql_bind_fail(b,
		"'%s' cannot be applied to values of types %s and %s. Try adding explicit casts",
		node->sign, kql_type_name(left->type), kql_type_name(right->type));
}

static struct kql_expr *new_binary(struct kql_binder *b, const struct kql_node *node,
	kql_eval_fn eval, enum kql_type type, struct kql_expr *sides[static 2])
{
	struct kql_expr **args = kql_bind_take(b, 2 * sizeof(struct kql_expr *));
	struct kql_expr *e;

	if (args == NULL || sides[0] == NULL || sides[1] == NULL)
		return NULL;
	args[0] = sides[0];
	args[1] = sides[1];
	e = kql_bind_new(b, eval, type, args, 2);
	if (e != NULL) {
		e->op = node->op;
		e->negated = node->negated;
	}
	return e;
}

static bool is_numeric(enum kql_type type)
{
	return type == KQL_LONG || type == KQL_REAL;
}

static bool is_text(enum kql_type type)
{
	return type == KQL_STRING || type == KQL_DYNAMIC;
}

static bool comparable(enum kql_type left, enum kql_type right)
{
	return left == right || left == KQL_DYNAMIC || right == KQL_DYNAMIC ||
		(is_numeric(left) && is_numeric(right));
}

/* Operators on text; dynamic values are taken as the text that tostring() makes. */
static struct kql_expr *bind_text(
	struct kql_binder *b, const struct kql_node *node, struct kql_expr *sides[static 2])
{
	kql_eval_fn eval = node->nocase ? kql_eval_search_nocase : kql_eval_search;

	if (!is_text(sides[0]->type) || !is_text(sides[1]->type))
		return refuse_pair(b, node, sides[0], sides[1]);
	if (node->op == KQL_OP_EQUAL)
		eval = kql_eval_equal_nocase;
	sides[0] = kql_bind_string(b, sides[0]);
	sides[1] = kql_bind_string(b, sides[1]);
	return new_binary(b, node, eval, KQL_BOOL, sides);
}

static struct kql_expr *bind_equal(
	struct kql_binder *b, const struct kql_node *node, struct kql_expr *sides[static 2])
{
	if (!comparable(sides[0]->type, sides[1]->type))
		return refuse_pair(b, node, sides[0], sides[1]);
	return new_binary(b, node, kql_eval_equal, KQL_BOOL, sides);
}

static struct kql_expr *bind_order(
	struct kql_binder *b, const struct kql_node *node, struct kql_expr *sides[static 2])
{
	enum kql_type left = sides[0]->type, right = sides[1]->type;
	bool ordered = (is_numeric(left) && is_numeric(right)) ||
		(left == right && (left == KQL_DATETIME || left == KQL_TIMESPAN));

	if (!ordered)
		return refuse_pair(b, node, sides[0], sides[1]);
	return new_binary(b, node, kql_eval_order, KQL_BOOL, sides);
}

/* What arithmetic with a time gives; KQL_TYPE_N_ when it makes no sense. */
static enum kql_type time_result(enum kql_operator op, enum kql_type left, enum kql_type right)
{
	bool sum = op == KQL_OP_ADD || op == KQL_OP_SUBTRACT;

	if (left == KQL_DATETIME && right == KQL_TIMESPAN && sum)
		return KQL_DATETIME;
	if (left == KQL_TIMESPAN && right == KQL_DATETIME && op == KQL_OP_ADD)
		return KQL_DATETIME;
	if (left == KQL_DATETIME && right == KQL_DATETIME && op == KQL_OP_SUBTRACT)
		return KQL_TIMESPAN;
	if (left == KQL_TIMESPAN && right == KQL_TIMESPAN)
		return sum || op == KQL_OP_MODULO ? KQL_TIMESPAN
			: op == KQL_OP_DIVIDE     ? KQL_REAL
						  : KQL_TYPE_N_;
	if (left == KQL_TIMESPAN && is_numeric(right) &&
		(op == KQL_OP_MULTIPLY || op == KQL_OP_DIVIDE))
		return KQL_TIMESPAN;
	if (is_numeric(left) && right == KQL_TIMESPAN && op == KQL_OP_MULTIPLY)
		return KQL_TIMESPAN;
	return KQL_TYPE_N_;
}

static struct kql_expr *bind_math(
	struct kql_binder *b, const struct kql_node *node, struct kql_expr *sides[static 2])
{
	enum kql_type left = sides[0]->type, right = sides[1]->type, type;

	if (left == KQL_LONG && right == KQL_LONG)
		return new_binary(b, node, kql_eval_long_math, KQL_LONG, sides);
	if (is_numeric(left) && is_numeric(right))
		return new_binary(b, node, kql_eval_real_math, KQL_REAL, sides);
	type = time_result(node->op, left, right);
	if (type == KQL_TYPE_N_)
		return refuse_pair(b, node, sides[0], sides[1]);
	return new_binary(b, node, kql_eval_time_math, type, sides);
}

static struct kql_expr *bind_matches(struct kql_binder *b, const struct kql_node *node)
{
	struct kql_expr *text = kql_bind_expression(b, node->args[0]);
	const struct kql_regex *regex;
	struct kql_expr *e;

	if (text == NULL)
		return NULL;
	if (!is_text(text->type))
		return refuse_pair(b, node, text, text);
	regex = kql_bind_regex(b, node->args[1], 0);
	text = kql_bind_string(b, text);
	if (regex == NULL || text == NULL)
		return NULL;
	e = kql_bind_unary(b, kql_eval_matches, KQL_BOOL, text);
	if (e != NULL)
		e->regex = regex;
	return e;
}

struct kql_expr *kql_bind_binary(struct kql_binder *b, const struct kql_node *node)
{
	struct kql_expr *sides[2];

	if (node->op == KQL_OP_MATCHES)
		return bind_matches(b, node);
	sides[0] = kql_bind_expression(b, node->args[0]);
	sides[1] = sides[0] != NULL ? kql_bind_expression(b, node->args[1]) : NULL;
	if (sides[1] == NULL)
		return NULL;
	switch (node->op) {
	case KQL_OP_ADD:
	case KQL_OP_SUBTRACT:
	case KQL_OP_MULTIPLY:
	case KQL_OP_DIVIDE:
	case KQL_OP_MODULO: return bind_math(b, node, sides);
	case KQL_OP_LESS:
	case KQL_OP_LESS_EQUAL:
	case KQL_OP_GREATER:
	case KQL_OP_GREATER_EQUAL: return bind_order(b, node, sides);
	case KQL_OP_EQUAL:
		return node->nocase ? bind_text(b, node, sides) : bind_equal(b, node, sides);
	case KQL_OP_CONTAINS:
	case KQL_OP_STARTS_WITH:
	case KQL_OP_ENDS_WITH:
	case KQL_OP_HAS: return bind_text(b, node, sides);
	case KQL_OP_MATCHES:
	case KQL_OP_IN: break;
	}
	return NULL;
}

/* --- in --- */

/* The values of a list of constants: those of an array when it is the only one. */
static size_t constants_of(const struct kql_node *node, struct kql_value *ret)
{
	const struct kql_node *only = node->args[1];
	size_t count = 0;

	if (node->count == 2 && only->kind == KQL_NODE_LITERAL &&
		only->literal.kind == KQL_IS_ARRAY) {
		for (; count < only->literal.len && ret != NULL; count++)
			ret[count] = only->literal.items[count];
		return only->literal.len;
	}
	for (size_t i = 1; i < node->count; i++, count++) {
		if (node->args[i]->kind != KQL_NODE_LITERAL || kql_is_array(node->args[i]->literal))
			return 0;
		if (ret != NULL)
			ret[count] = node->args[i]->literal;
	}
	return count;
}

/* A set of the constants, or NULL where it is no such list (or after an error). */
static struct kql_set *constant_set(struct kql_binder *b, const struct kql_node *node)
{
	size_t count = constants_of(node, NULL);
	struct kql_set *set;

	if (count <= LIST_SCAN_MAX)
		return NULL;
	set = kql_bind_take(b, sizeof(*set));
	if (set == NULL)
		return NULL;
	set->items = kql_bind_take(b, count * sizeof(*set->items));
	if (set->items == NULL)
		return NULL;
	constants_of(node, set->items);
	set->nocase = node->nocase;
	set->next = b->bound.sets;
	b->bound.sets = set;
	for (size_t i = 0; i < count; i++)
		kql_set_add(set, set->items[i], (uint32_t)i);
	return set;
}

static struct kql_expr *bind_item(struct kql_binder *b, const struct kql_node *node,
	const struct kql_expr *left, const struct kql_node *item)
{
	struct kql_expr *e = kql_bind_expression(b, item);

	if (e == NULL)
		return NULL;
	if (!comparable(left->type, e->type) || (node->nocase && !is_text(e->type)))
		return refuse_pair(b, node, left, e);
	return e;
}

static struct kql_expr *bind_list(
	struct kql_binder *b, const struct kql_node *node, struct kql_expr *left)
{
	struct kql_expr **args = kql_bind_take(b, node->count * sizeof(struct kql_expr *));

	if (args == NULL)
		return NULL;
	args[0] = left;
	for (size_t i = 1; i < node->count; i++) {
		args[i] = bind_item(b, node, left, node->args[i]);
		if (args[i] == NULL)
			return NULL;
	}
	return kql_bind_new(b, node->nocase ? kql_eval_in_list_nocase : kql_eval_in_list, KQL_BOOL,
		args, (unsigned)node->count);
}

struct kql_expr *kql_bind_in(struct kql_binder *b, const struct kql_node *node)
{
	struct kql_expr *left = kql_bind_expression(b, node->args[0]);
	struct kql_expr *e;
	struct kql_set *set;

	if (left == NULL)
		return NULL;
	if (node->nocase && !is_text(left->type))
		return refuse_pair(b, node, left, left);
	if (node->nocase)
		left = kql_bind_string(b, left);
	/* Binds the items even where a set takes their place: their types are checked so. */
	e = left != NULL ? bind_list(b, node, left) : NULL;
	set = e != NULL ? constant_set(b, node) : NULL;
	if (set != NULL) {
		e = kql_bind_unary(b, kql_eval_in_set, KQL_BOOL, left);
		if (e != NULL)
			e->set = set;
	}
	if (e == NULL || b->error->code != NULL)
		return NULL;
	e->op = KQL_OP_IN;
	e->negated = node->negated;
	return e;
}
