/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_parser.h"

/* --- nodes --- */

static struct kql_node *new_node(struct kql_parser *p, enum kql_node_kind kind)
{
	struct kql_node *node = kql_parser_take(p, sizeof(*node));

	if (node != NULL)
		*node = (struct kql_node){.kind = kind, .depth = 1};
	return node;
}

/* Gives a node its parts; refuses a tree that is too deep to walk. */
static struct kql_node *with_args(
	struct kql_parser *p, struct kql_node *node, struct kql_node **args, size_t count)
{
	if (node == NULL)
		return NULL;
	node->args = args;
	node->count = count;
	for (size_t i = 0; i < count; i++)
		if (args[i]->depth >= node->depth)
			node->depth = args[i]->depth + 1;
	if (node->depth <= KQL_DEPTH_MAX)
		return node;
	kql_refuse(p->error, KQL_LIMITS, "An expression of the query is too deep.");
	return NULL;
}

static struct kql_node *pair_node(struct kql_parser *p, enum kql_node_kind kind,
	struct kql_node *left, struct kql_node *right)
{
	struct kql_node **args = kql_parser_take(p, 2 * sizeof(struct kql_node *));

	if (args == NULL || left == NULL)
		return NULL;
	args[0] = left;
	args[1] = right;
	return with_args(p, new_node(p, kind), args, right != NULL ? 2 : 1);
}

static struct kql_node *literal_node(
	struct kql_parser *p, enum kql_type type, struct kql_value value)
{
	struct kql_node *node = new_node(p, KQL_NODE_LITERAL);

	if (node != NULL) {
		node->type = type;
		node->literal = value;
	}
	return node;
}

static struct kql_node *number_literal(struct kql_parser *p)
{
	struct kql_value value = p->token.value;
	enum kql_type type = value.kind == KQL_IS_LONG ? KQL_LONG
		: value.kind == KQL_IS_REAL            ? KQL_REAL
						       : KQL_TIMESPAN;

	kql_parser_next(p);
	return literal_node(p, type, value);
}

static struct kql_node *dynamic_literal(struct kql_parser *p)
{
	struct kql_value value;

	kql_parser_next(p);
	return kql_parser_dynamic(p, &value) ? literal_node(p, KQL_DYNAMIC, value) : NULL;
}

/* --- primaries --- */

static bool read_args(struct kql_parser *p, struct kql_growing *args, const char *end)
{
	if (kql_parser_accept(p, end))
		return true;
	do {
		struct kql_node **arg = kql_growing_add(p, args, sizeof(struct kql_node *));
		struct kql_node *node;

		if (arg == NULL)
			return false;
		node = kql_parser_accept(p, "*") ? new_node(p, KQL_NODE_STAR)
						 : kql_parser_expression(p);
		if (node == NULL)
			return false;
		*arg = node;
	} while (kql_parser_accept(p, ","));
	return kql_parser_expect(p, end);
}

static struct kql_node *call_node(struct kql_parser *p, const char *name)
{
	struct kql_node *node = new_node(p, KQL_NODE_CALL);
	struct kql_growing args = {0};

	if (node == NULL || !kql_parser_expect(p, "(") || !read_args(p, &args, ")"))
		return NULL;
	node->name = name;
	return with_args(p, node, args.items, args.count);
}

static struct kql_node *name_node(struct kql_parser *p, const char *name)
{
	struct kql_node *node = name != NULL ? new_node(p, KQL_NODE_NAME) : NULL;

	if (node != NULL)
		node->name = name;
	return node;
}

static struct kql_node *typeof_node(struct kql_parser *p)
{
	struct kql_node *node = new_node(p, KQL_NODE_TYPE);

	return node != NULL && kql_parser_typeof(p, &node->type) ? node : NULL;
}

static struct kql_node *word_node(struct kql_parser *p)
{
	struct kql_token following = kql_parser_peek(p);
	bool call = kql_token_is(&following, "(");
	bool truth = kql_parser_at(p, "true");
	const char *name;

	if (call && kql_parser_at(p, "dynamic"))
		return dynamic_literal(p);
	if (call && kql_parser_at(p, "typeof"))
		return typeof_node(p);
	if (!call && (truth || kql_parser_at(p, "false"))) {
		kql_parser_next(p);
		return literal_node(p, KQL_BOOL, kql_bool(truth));
	}
	name = kql_parser_name(p);
	if (name == NULL)
		return NULL;
	return call ? call_node(p, name) : name_node(p, name);
}

static struct kql_node *primary(struct kql_parser *p)
{
	struct kql_node *node;
	struct kql_value value;
	enum kql_type type;

	switch (p->token.kind) {
	case KQL_TOKEN_NAME: return word_node(p);
	case KQL_TOKEN_QUOTED: return name_node(p, kql_parser_name(p));
	case KQL_TOKEN_NUMBER: return number_literal(p);
	case KQL_TOKEN_STRING:
		return kql_parser_string(p, &value) ? literal_node(p, KQL_STRING, value) : NULL;
	case KQL_TOKEN_RAW:
		return kql_parser_raw(p, &type, &value) ? literal_node(p, type, value) : NULL;
	case KQL_TOKEN_SIGN:
		if (!kql_parser_accept(p, "("))
			break;
		node = kql_parser_expression(p);
		return node != NULL && kql_parser_expect(p, ")") ? node : NULL;
	case KQL_TOKEN_END:
	case KQL_TOKEN_BAD: break;
	}
	return kql_parser_fail(p);
}

static struct kql_node *member_node(struct kql_parser *p, struct kql_node *of)
{
	const char *name = kql_parser_name(p);
	struct kql_node *node = name != NULL ? pair_node(p, KQL_NODE_MEMBER, of, NULL) : NULL;

	if (node != NULL)
		node->name = name;
	return node;
}

static struct kql_node *index_node(struct kql_parser *p, struct kql_node *of)
{
	struct kql_node *index = kql_parser_expression(p);

	if (index == NULL || !kql_parser_expect(p, "]"))
		return NULL;
	return pair_node(p, KQL_NODE_INDEX, of, index);
}

/* a.b, a.['b'], a['b'], a[0] */
static struct kql_node *postfix(struct kql_parser *p)
{
	struct kql_node *node = primary(p);

	while (node != NULL) {
		if (kql_parser_accept(p, ".") || p->token.kind == KQL_TOKEN_QUOTED)
			node = member_node(p, node);
		else if (kql_parser_accept(p, "["))
			node = index_node(p, node);
		else
			break;
	}
	return node;
}

static struct kql_node *unary(struct kql_parser *p)
{
	struct kql_node *node;

	if (!kql_parser_accept(p, "-"))
		return postfix(p);
	if (!kql_parser_enter(p))
		return NULL;
	node = unary(p);
	kql_parser_leave(p);
	return node != NULL ? pair_node(p, KQL_NODE_NEGATE, node, NULL) : NULL;
}

/* --- binary operators, by precedence --- */

struct binary {
	const char *sign;
	enum kql_operator op;
	bool negated, nocase;
};

static const struct binary text_operators[] = {
	{"=~", KQL_OP_EQUAL, false, true},
	{"!~", KQL_OP_EQUAL, true, true},
	{"contains", KQL_OP_CONTAINS, false, true},
	{"!contains", KQL_OP_CONTAINS, true, true},
	{"contains_cs", KQL_OP_CONTAINS, false, false},
	{"!contains_cs", KQL_OP_CONTAINS, true, false},
	{"startswith", KQL_OP_STARTS_WITH, false, true},
	{"!startswith", KQL_OP_STARTS_WITH, true, true},
	{"startswith_cs", KQL_OP_STARTS_WITH, false, false},
	{"!startswith_cs", KQL_OP_STARTS_WITH, true, false},
	{"endswith", KQL_OP_ENDS_WITH, false, true},
	{"!endswith", KQL_OP_ENDS_WITH, true, true},
	{"endswith_cs", KQL_OP_ENDS_WITH, false, false},
	{"!endswith_cs", KQL_OP_ENDS_WITH, true, false},
	{"has", KQL_OP_HAS, false, true},
	{"!has", KQL_OP_HAS, true, true},
	{"has_cs", KQL_OP_HAS, false, false},
	{"!has_cs", KQL_OP_HAS, true, false},
	{"matches", KQL_OP_MATCHES, false, false},
};
static const struct binary products[] = {
	{"*", KQL_OP_MULTIPLY, false, false},
	{"/", KQL_OP_DIVIDE, false, false},
	{"%", KQL_OP_MODULO, false, false},
};
static const struct binary sums[] = {
	{"+", KQL_OP_ADD, false, false},
	{"-", KQL_OP_SUBTRACT, false, false},
};
static const struct binary orders[] = {
	{"<", KQL_OP_LESS, false, false},
	{"<=", KQL_OP_LESS_EQUAL, false, false},
	{">", KQL_OP_GREATER, false, false},
	{">=", KQL_OP_GREATER_EQUAL, false, false},
};
static const struct binary equalities[] = {
	{"==", KQL_OP_EQUAL, false, false},
	{"!=", KQL_OP_EQUAL, true, false},
	{"<>", KQL_OP_EQUAL, true, false},
};
static const struct binary memberships[] = {
	{"in", KQL_OP_IN, false, false},
	{"in~", KQL_OP_IN, false, true},
	{"!in", KQL_OP_IN, true, false},
	{"!in~", KQL_OP_IN, true, true},
};

static const struct binary *operator_at(
	struct kql_parser *p, const struct binary *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (kql_parser_accept(p, table[i].sign))
			return &table[i];
	return NULL;
}

static struct kql_node *as_operator(struct kql_node *node, const struct binary *binary)
{
	if (node != NULL) {
		node->op = binary->op;
		node->sign = binary->sign;
		node->negated = binary->negated;
		node->nocase = binary->nocase;
	}
	return node;
}

typedef struct kql_node *(*level_fn)(struct kql_parser *p);

static struct kql_node *left_to_right(
	struct kql_parser *p, level_fn operand, const struct binary *table, size_t count)
{
	struct kql_node *left = operand(p), *right;
	const struct binary *binary;

	while (left != NULL && (binary = operator_at(p, table, count)) != NULL) {
		if (binary->op == KQL_OP_MATCHES && !kql_parser_expect(p, "regex"))
			return NULL;
		right = operand(p);
		if (right == NULL)
			return NULL;
		left = as_operator(pair_node(p, KQL_NODE_BINARY, left, right), binary);
	}
	return left;
}

static struct kql_node *text_level(struct kql_parser *p)
{
	return left_to_right(p, unary, text_operators, ARRAY_LEN(text_operators));
}

static struct kql_node *product_level(struct kql_parser *p)
{
	return left_to_right(p, text_level, products, ARRAY_LEN(products));
}

static struct kql_node *sum_level(struct kql_parser *p)
{
	return left_to_right(p, product_level, sums, ARRAY_LEN(sums));
}

static struct kql_node *order_level(struct kql_parser *p)
{
	return left_to_right(p, sum_level, orders, ARRAY_LEN(orders));
}

static struct kql_node *membership(
	struct kql_parser *p, struct kql_node *left, const struct binary *binary)
{
	struct kql_growing args = {0};
	struct kql_node **first = kql_growing_add(p, &args, sizeof(struct kql_node *));

	if (first == NULL || !kql_parser_expect(p, "("))
		return NULL;
	*first = left;
	if (kql_parser_at(p, ")") || !read_args(p, &args, ")"))
		return kql_parser_fail(p);
	return as_operator(with_args(p, new_node(p, KQL_NODE_IN), args.items, args.count), binary);
}

static struct kql_node *equality_level(struct kql_parser *p)
{
	struct kql_node *left = left_to_right(p, order_level, equalities, ARRAY_LEN(equalities));
	const struct binary *binary;

	while (left != NULL &&
		(binary = operator_at(p, memberships, ARRAY_LEN(memberships))) != NULL)
		left = membership(p, left, binary);
	return left;
}

/* Long chains of one operator become one node, so that they are not deep. */
static struct kql_node *chain(
	struct kql_parser *p, level_fn operand, const char *word, enum kql_node_kind kind)
{
	struct kql_node *node = operand(p);
	struct kql_growing args = {0};
	struct kql_node **arg;

	if (node == NULL || !kql_parser_at(p, word))
		return node;
	do {
		arg = kql_growing_add(p, &args, sizeof(struct kql_node *));
		if (arg == NULL)
			return NULL;
		*arg = node;
		if (!kql_parser_accept(p, word))
			return with_args(p, new_node(p, kind), args.items, args.count);
		node = operand(p);
	} while (node != NULL);
	return NULL;
}

static struct kql_node *all_level(struct kql_parser *p)
{
	return chain(p, equality_level, "and", KQL_NODE_ALL);
}

struct kql_node *kql_parser_expression(struct kql_parser *p)
{
	struct kql_node *node;

	if (!kql_parser_enter(p))
		return NULL;
	node = chain(p, all_level, "or", KQL_NODE_ANY);
	kql_parser_leave(p);
	return node;
}
