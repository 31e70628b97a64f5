/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_bind.h"

#include "tests/estate/kql_eval.h"
#include "tests/estate/kql_regex.h"
#include "tests/estate/kql_text.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

void *kql_bind_take(struct kql_binder *b, size_t size)
{
	void *taken = kql_arena_take(b->arena, size);

	if (taken == NULL)
		kql_refuse(b->error, KQL_LIMITS, "The query is too large.");
	else
		memset(taken, 0, size);
	return taken;
}

void *kql_bind_fail(struct kql_binder *b, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	kql_refuse(b->error, KQL_INVALID, "'%s' operator: %s", b->word, text);
	return NULL;
}

struct kql_expr *kql_bind_new(struct kql_binder *b, kql_eval_fn eval, enum kql_type type,
	struct kql_expr **args, unsigned count)
{
	struct kql_expr *e = kql_bind_take(b, sizeof(*e));

	if (e == NULL)
		return NULL;
	*e = (struct kql_expr){
		.eval = eval, .type = type, .args = args, .count = count, .depth = 1};
	for (unsigned i = 0; i < count; i++)
		if (args[i]->depth >= e->depth)
			e->depth = args[i]->depth + 1;
	if (e->depth <= KQL_DEPTH_MAX)
		return e;
	kql_refuse(b->error, KQL_LIMITS, "An expression of the query is too deep.");
	return NULL;
}

struct kql_expr *kql_bind_unary(
	struct kql_binder *b, kql_eval_fn eval, enum kql_type type, struct kql_expr *arg)
{
	struct kql_expr **args = kql_bind_take(b, sizeof(struct kql_expr *));

	if (args == NULL || arg == NULL)
		return NULL;
	args[0] = arg;
	return kql_bind_new(b, eval, type, args, 1);
}

struct kql_expr *kql_bind_slot(struct kql_binder *b, unsigned slot, enum kql_type type)
{
	struct kql_expr *e = kql_bind_new(b, kql_eval_slot, type, NULL, 0);

	if (e == NULL)
		return NULL;
	e->slot = slot;
	if (!b->aggregating && b->stage->slots[slot].kind == KQL_SLOT_EXPRESSION)
		e->depth = b->stage->slots[slot].expr->depth + 1;
	return e;
}

unsigned kql_bind_add_slot(struct kql_binder *b, struct kql_slot slot)
{
	struct kql_stage *stage = b->stage;

	if (stage->slot_count == KQL_SLOTS_MAX) {
		kql_refuse(b->error, KQL_LIMITS, "The query has too many columns.");
		return UINT_MAX;
	}
	if (stage->slot_count == b->slot_room) {
		unsigned room = b->slot_room == 0 ? 32 : b->slot_room * 2;
		struct kql_slot *slots = kql_bind_take(b, room * sizeof(*slots));

		if (slots == NULL)
			return UINT_MAX;
		if (stage->slot_count > 0)
			memcpy(slots, stage->slots, stage->slot_count * sizeof(*slots));
		stage->slots = slots;
		b->slot_room = room;
	}
	stage->slots[stage->slot_count] = slot;
	return stage->slot_count++;
}

const struct kql_column *kql_bind_find(const struct kql_schema *schema, const char *name)
{
	for (unsigned i = 0; i < schema->count; i++)
		if (strcmp(schema->columns[i].name, name) == 0)
			return &schema->columns[i];
	return NULL;
}

/* --- types --- */

struct kql_expr *kql_bind_string(struct kql_binder *b, struct kql_expr *e)
{
	return e->type == KQL_STRING ? e : kql_bind_unary(b, kql_eval_tostring, KQL_STRING, e);
}

static bool is_numeric(enum kql_type type)
{
	return type == KQL_LONG || type == KQL_REAL;
}

bool kql_bind_unify(struct kql_binder *b, struct kql_expr **left, struct kql_expr **right)
{
	struct kql_expr **whole;

	if ((*left)->type == (*right)->type)
		return true;
	if (!is_numeric((*left)->type) || !is_numeric((*right)->type))
		return false;
	whole = (*left)->type == KQL_LONG ? left : right;
	*whole = kql_bind_unary(b, kql_eval_toreal, KQL_REAL, *whole);
	return *whole != NULL;
}

bool kql_bind_scalar(struct kql_binder *b, const struct kql_expr *e, const char *what)
{
	if (e->type != KQL_DYNAMIC)
		return true;
	kql_bind_fail(b,
		"The %s is of a 'dynamic' type. Please use an explicit cast (for example, "
		"tostring()).",
		what);
	return false;
}

bool kql_bind_constant(
	struct kql_binder *b, const struct kql_node *node, int64_t min, int64_t max, int64_t *ret)
{
	if (node->kind != KQL_NODE_LITERAL || node->literal.kind != KQL_IS_LONG ||
		node->literal.number < min || node->literal.number > max) {
		kql_bind_fail(b, "expected a constant between %lld and %lld", (long long)min,
			(long long)max);
		return false;
	}
	*ret = node->literal.number;
	return true;
}

struct kql_expr *kql_bind_predicate(struct kql_binder *b, const struct kql_node *node)
{
	struct kql_expr *e = kql_bind_expression(b, node);

	if (e != NULL && e->type != KQL_BOOL)
		return kql_bind_fail(b,
			"the expression must be of type bool, and not %s. Try adding explicit "
			"casts",
			kql_type_name(e->type));
	return e;
}

/* --- columns, members, constants --- */

static struct kql_expr *bind_name(struct kql_binder *b, const struct kql_node *node)
{
	const struct kql_column *column = kql_bind_find(&b->schema, node->name);

	if (b->aggregating)
		return kql_bind_fail(b, "'%s' is not within an aggregate function", node->name);
	if (column == NULL)
		return kql_bind_fail(
			b, "Failed to resolve column or scalar expression named '%s'", node->name);
	return kql_bind_slot(b, column->slot, column->type);
}

static struct kql_expr *bind_literal(
	struct kql_binder *b, enum kql_type type, struct kql_value value)
{
	struct kql_expr *e = kql_bind_new(b, kql_eval_literal, type, NULL, 0);

	if (e != NULL)
		e->literal = value;
	return e;
}

static struct kql_expr *bind_path_source(struct kql_binder *b, const struct kql_node *node)
{
	struct kql_expr *of = kql_bind_expression(b, node);

	if (of != NULL && of->type != KQL_DYNAMIC)
		return kql_bind_fail(b,
			"Path expression source must be dynamic type. Received a source of type "
			"%s instead",
			kql_type_name(of->type));
	return of;
}

static struct kql_expr *bind_member(struct kql_binder *b, const struct kql_node *node)
{
	struct kql_expr *of = bind_path_source(b, node->args[0]);
	struct kql_expr *e = kql_bind_unary(b, kql_eval_member, KQL_DYNAMIC, of);

	if (e != NULL)
		e->key = kql_text(node->name, strlen(node->name));
	return e;
}

static struct kql_expr **two_args(
	struct kql_binder *b, struct kql_expr *left, struct kql_expr *right)
{
	struct kql_expr **args = kql_bind_take(b, 2 * sizeof(struct kql_expr *));

	if (args == NULL)
		return NULL;
	args[0] = left;
	args[1] = right;
	return args;
}

static struct kql_expr *bind_index(struct kql_binder *b, const struct kql_node *node)
{
	struct kql_expr *of = bind_path_source(b, node->args[0]);
	struct kql_expr *index = of != NULL ? kql_bind_expression(b, node->args[1]) : NULL;
	struct kql_expr **args;

	if (index == NULL)
		return NULL;
	if (index->type != KQL_LONG && index->type != KQL_STRING)
		return kql_bind_fail(b, "an index must be of type long or string, and not %s",
			kql_type_name(index->type));
	args = two_args(b, of, index);
	return args != NULL ? kql_bind_new(b, kql_eval_index, KQL_DYNAMIC, args, 2) : NULL;
}

/* --- calls --- */

static const struct {
	char letter;
	const char *name;
	unsigned types; /* bits of enum kql_type */
} params[] = {
	{'a', "scalar", ~0u},
	{'b', "bool", 1u << KQL_BOOL},
	{'c', "scalar (not dynamic)", ~(1u << KQL_DYNAMIC)},
	{'d', "dynamic", 1u << KQL_DYNAMIC},
	{'i', "long", 1u << KQL_LONG},
	{'n', "numeric", 1u << KQL_LONG | 1u << KQL_REAL | 1u << KQL_TIMESPAN},
	{'s', "string", 1u << KQL_STRING | 1u << KQL_DYNAMIC},
	{'t', "timespan", 1u << KQL_TIMESPAN},
	{'x', "scalar", ~0u},
};

static struct kql_expr *fit_arg(
	struct kql_binder *b, const char *function, unsigned index, char letter, struct kql_expr *e)
{
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		if (params[i].letter != letter)
			continue;
		if ((params[i].types & 1u << e->type) != 0)
			return letter == 's' || letter == 'x' ? kql_bind_string(b, e) : e;
		return kql_bind_fail(b, "%s(): argument #%u expects a %s expression, and not %s",
			function, index + 1, params[i].name, kql_type_name(e->type));
	}
	return NULL;
}

static bool check_count(
	struct kql_binder *b, const struct kql_node *call, unsigned min, unsigned max)
{
	if (call->count >= min && call->count <= max)
		return true;
	kql_bind_fail(b, "%s(): function expects between %u and %u arguments, and not %zu",
		call->name, min, max, call->count);
	return false;
}

/* The arguments as the letters say; `letters` starts over when it is shorter. */
static struct kql_expr **bind_args(
	struct kql_binder *b, const struct kql_node *call, const char *letters, size_t count)
{
	struct kql_expr **args = kql_bind_take(b, (count + 1) * sizeof(struct kql_expr *));

	for (size_t i = 0; args != NULL && i < count; i++) {
		args[i] = kql_bind_expression(b, call->args[i]);
		if (args[i] == NULL)
			return NULL;
		args[i] =
			fit_arg(b, call->name, (unsigned)i, letters[i % strlen(letters)], args[i]);
		if (args[i] == NULL)
			return NULL;
	}
	return args;
}

static struct kql_expr *bind_plain(
	struct kql_binder *b, const struct kql_node *call, const struct kql_function *function)
{
	struct kql_expr **args = bind_args(b, call, function->params, call->count);
	struct kql_expr *e;

	if (args == NULL)
		return NULL;
	e = kql_bind_new(b, kql_eval_call, function->type, args, (unsigned)call->count);
	if (e != NULL)
		e->apply = function->apply;
	return e;
}

/* Gives every `step`-th argument from `first` on, and the last, one type. */
static bool unify_args(struct kql_binder *b, const char *name, struct kql_expr **args,
	unsigned count, unsigned step)
{
	unsigned first = step - 1;

	/* Twice: a real at the end turns the longs before it into reals. */
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = first; i < count; i++) {
			bool value = (i - first) % step == 0 || i == count - 1;

			if (!value || kql_bind_unify(b, &args[first], &args[i]))
				continue;
			kql_bind_fail(b, "%s(): the types %s and %s must be the same", name,
				kql_type_name(args[first]->type), kql_type_name(args[i]->type));
			return false;
		}
	}
	return true;
}

/* iff(p, a, b) is case(p, a, b). */
static struct kql_expr *bind_case(
	struct kql_binder *b, const struct kql_node *call, const struct kql_function *function)
{
	struct kql_expr **args;
	unsigned count = (unsigned)call->count;

	if (count % 2 == 0)
		return kql_bind_fail(b, "%s(): the last argument must be the default", call->name);
	args = bind_args(b, call, function->params, count - 1);
	if (args == NULL)
		return NULL;
	args[count - 1] = kql_bind_expression(b, call->args[count - 1]);
	if (args[count - 1] == NULL || !unify_args(b, call->name, args, count, 2))
		return NULL;
	return kql_bind_new(b, kql_eval_case, args[1]->type, args, count);
}

static struct kql_expr *bind_coalesce(
	struct kql_binder *b, const struct kql_node *call, const struct kql_function *function)
{
	unsigned count = (unsigned)call->count;
	struct kql_expr **args = bind_args(b, call, function->params, count);

	if (args == NULL || !unify_args(b, call->name, args, count, 1))
		return NULL;
	return kql_bind_new(b, kql_eval_coalesce, args[0]->type, args, count);
}

const struct kql_regex *kql_bind_regex(
	struct kql_binder *b, const struct kql_node *node, unsigned group)
{
	const struct kql_regex *regex;
	const char *problem;

	if (node->kind != KQL_NODE_LITERAL || node->type != KQL_STRING)
		return kql_bind_fail(b, "a regular expression must be a constant string");
	if (kql_regex_compile(b->arena, node->literal, group, &regex, &problem) != 0)
		return kql_bind_fail(b, "the regular expression is not valid: %s", problem);
	return regex;
}

/* extract(regex, group, source [, typeof(type)]) */
static struct kql_expr *bind_extract(struct kql_binder *b, const struct kql_node *call)
{
	enum kql_type type = KQL_STRING;
	const struct kql_regex *regex;
	struct kql_expr *source, *e;
	int64_t group;

	if (!kql_bind_constant(b, call->args[1], 0, 1000, &group))
		return NULL;
	regex = kql_bind_regex(b, call->args[0], (unsigned)group);
	source = regex != NULL ? kql_bind_expression(b, call->args[2]) : NULL;
	source = source != NULL ? fit_arg(b, call->name, 2, 's', source) : NULL;
	if (source == NULL)
		return NULL;
	if (call->count == 4 && call->args[3]->kind != KQL_NODE_TYPE)
		return kql_bind_fail(b, "extract(): argument #4 expects typeof()");
	if (call->count == 4)
		type = call->args[3]->type;
	e = kql_bind_unary(b, kql_eval_extract, type, source);
	if (e != NULL)
		e->regex = regex;
	return e;
}

static struct kql_expr *bind_aggregate_value(struct kql_binder *b, const struct kql_node *call)
{
	struct kql_aggregate *a;

	if (!b->aggregating)
		return kql_bind_fail(b,
			"the aggregate function '%s' cannot be used in this context", call->name);
	a = kql_bind_aggregate(b, call);
	if (a == NULL)
		return NULL;
	if (a->width > 1)
		return kql_bind_fail(b, "%s() cannot be used within an expression", call->name);
	return kql_bind_slot(b, kql_bind_aggregate_slot(b), kql_bind_aggregate_type(a));
}

static struct kql_expr *bind_call(struct kql_binder *b, const struct kql_node *call)
{
	const struct kql_function *function = kql_function_find(call->name);

	if (kql_aggregate_find(call->name) != NULL)
		return bind_aggregate_value(b, call);
	if (function == NULL) {
		kql_refuse(b->error, KQL_UNKNOWN_FUNCTION, "Unknown function: '%s'.", call->name);
		return NULL;
	}
	if (!check_count(b, call, function->min, function->max))
		return NULL;
	switch (function->call) {
	case KQL_CALL_PLAIN: return bind_plain(b, call, function);
	case KQL_CALL_PAIRS:
		if (call->count % 2 == 0)
			return bind_plain(b, call, function);
		return kql_bind_fail(b, "%s(): expects pairs of a key and a value", call->name);
	case KQL_CALL_CASE: return bind_case(b, call, function);
	case KQL_CALL_COALESCE: return bind_coalesce(b, call, function);
	case KQL_CALL_EXTRACT: return bind_extract(b, call);
	}
	return NULL;
}

/* --- aggregates --- */

enum kql_type kql_bind_aggregate_type(const struct kql_aggregate *a)
{
	return a->function->type != KQL_TYPE_N_ ? a->function->type : a->args[0]->type;
}

unsigned kql_bind_aggregate_slot(const struct kql_binder *b)
{
	unsigned slot = b->stage->key_count;

	for (unsigned i = 0; i + 1 < b->stage->aggregate_count; i++)
		slot += b->stage->aggregates[i].width;
	return slot;
}

static struct kql_aggregate *new_aggregate(struct kql_binder *b)
{
	struct kql_stage *stage = b->stage;

	if (stage->aggregate_count == KQL_COLUMNS_MAX)
		return kql_bind_fail(b, "there are too many aggregates");
	if (stage->aggregate_count == b->aggregate_room) {
		unsigned room = b->aggregate_room == 0 ? 8 : b->aggregate_room * 2;
		struct kql_aggregate *aggregates = kql_bind_take(b, room * sizeof(*aggregates));

		if (aggregates == NULL)
			return NULL;
		if (stage->aggregate_count > 0)
			memcpy(aggregates, stage->aggregates,
				stage->aggregate_count * sizeof(*aggregates));
		stage->aggregates = aggregates;
		b->aggregate_room = room;
	}
	return &stage->aggregates[stage->aggregate_count++];
}

/* The last letter "#" is a constant: the size of a list, or the accuracy of a count. */
static bool bind_aggregate_args(
	struct kql_binder *b, const struct kql_node *call, struct kql_aggregate *a)
{
	const char *letters = a->function->params;
	size_t constant = strcspn(letters, "#");
	int64_t limit = KQL_LIST_MAX;

	if (letters[constant] == '#' && call->count > constant) {
		if (!kql_bind_constant(b, call->args[constant], 0, INT64_MAX, &limit))
			return false;
		if (limit > KQL_LIST_MAX)
			limit = KQL_LIST_MAX;
		a->count = (unsigned)constant;
	}
	a->limit = (uint32_t)limit;
	b->aggregating = false;
	a->args = bind_args(b, call, *letters != '\0' ? letters : "a", a->count);
	b->aggregating = true;
	return a->args != NULL;
}

struct kql_aggregate *kql_bind_aggregate(struct kql_binder *b, const struct kql_node *call)
{
	const struct kql_aggregate_function *function = kql_aggregate_find(call->name);
	struct kql_aggregate made = {
		.function = function, .width = 1, .count = (unsigned)call->count};
	struct kql_aggregate *added;

	if (!check_count(b, call, function->min, function->max) ||
		!bind_aggregate_args(b, call, &made))
		return NULL;
	if (function->wide)
		made.width = made.count;
	added = new_aggregate(b);
	if (added != NULL)
		*added = made;
	return added;
}

/* --- all kinds --- */

static struct kql_expr *bind_chain(
	struct kql_binder *b, const struct kql_node *node, kql_eval_fn eval)
{
	struct kql_expr **args = kql_bind_take(b, node->count * sizeof(struct kql_expr *));

	for (size_t i = 0; args != NULL && i < node->count; i++) {
		args[i] = kql_bind_predicate(b, node->args[i]);
		if (args[i] == NULL)
			return NULL;
	}
	return args != NULL ? kql_bind_new(b, eval, KQL_BOOL, args, (unsigned)node->count) : NULL;
}

static struct kql_expr *bind_negate(struct kql_binder *b, const struct kql_node *node)
{
	struct kql_expr *arg = kql_bind_expression(b, node->args[0]);

	if (arg != NULL && arg->type != KQL_LONG && arg->type != KQL_REAL &&
		arg->type != KQL_TIMESPAN)
		return kql_bind_fail(b, "unary '-' cannot be applied to an operand of type %s",
			kql_type_name(arg->type));
	return arg != NULL ? kql_bind_unary(b, kql_eval_negate, arg->type, arg) : NULL;
}

struct kql_expr *kql_bind_expression(struct kql_binder *b, const struct kql_node *node)
{
	switch (node->kind) {
	case KQL_NODE_LITERAL: return bind_literal(b, node->type, node->literal);
	case KQL_NODE_NAME: return bind_name(b, node);
	case KQL_NODE_MEMBER: return bind_member(b, node);
	case KQL_NODE_INDEX: return bind_index(b, node);
	case KQL_NODE_CALL: return bind_call(b, node);
	case KQL_NODE_NEGATE: return bind_negate(b, node);
	case KQL_NODE_BINARY: return kql_bind_binary(b, node);
	case KQL_NODE_IN: return kql_bind_in(b, node);
	case KQL_NODE_ALL: return bind_chain(b, node, kql_eval_all);
	case KQL_NODE_ANY: return bind_chain(b, node, kql_eval_any);
	case KQL_NODE_STAR: return kql_bind_fail(b, "'*' cannot be used in this context");
	case KQL_NODE_TYPE: return kql_bind_fail(b, "typeof() cannot be used in this context");
	}
	return NULL;
}
