/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_parser.h"

/* --- lists --- */

/* `name = expression` or an expression alone. */
static bool read_named(struct kql_parser *p, struct kql_named *ret)
{
	struct kql_token following = kql_parser_peek(p);

	*ret = (struct kql_named){.type = KQL_TYPE_N_};
	if (kql_parser_at_name(p) && kql_token_is(&following, "=")) {
		ret->name = kql_parser_name(p);
		kql_parser_next(p);
		if (ret->name == NULL)
			return false;
	}
	ret->node = kql_parser_expression(p);
	return ret->node != NULL;
}

typedef bool (*item_fn)(struct kql_parser *p, struct kql_named *ret);

static bool read_list(struct kql_parser *p, item_fn item, struct kql_list *ret)
{
	struct kql_growing items = {0};

	do {
		struct kql_named *added = kql_growing_add(p, &items, sizeof(*added));

		if (added == NULL || !item(p, added))
			return false;
	} while (kql_parser_accept(p, ","));
	*ret = (struct kql_list){.items = items.items, .count = items.count};
	return true;
}

/* A column, or a pattern such as "a*"; only the name is set. */
static bool read_column_pattern(struct kql_parser *p, struct kql_named *ret)
{
	const char *start = p->token.text, *end = start;
	char *name;

	if (p->token.kind == KQL_TOKEN_QUOTED) {
		ret->name = kql_parser_name(p);
		return ret->name != NULL;
	}
	while (p->token.text == end && (p->token.kind == KQL_TOKEN_NAME || kql_parser_at(p, "*"))) {
		end = p->token.text + p->token.len;
		kql_parser_next(p);
	}
	name = end > start ? kql_parser_take(p, (size_t)(end - start) + 1) : kql_parser_fail(p);
	if (name == NULL)
		return false;
	memcpy(name, start, (size_t)(end - start));
	name[end - start] = '\0';
	ret->name = name;
	return true;
}

static bool read_distinct_item(struct kql_parser *p, struct kql_named *ret)
{
	/* "*" stands for all columns; an item without name and node says so. */
	*ret = (struct kql_named){.type = KQL_TYPE_N_};
	return kql_parser_accept(p, "*") || read_named(p, ret);
}

/* --- orders and limits --- */

static bool read_nulls(struct kql_parser *p, struct kql_order *order)
{
	if (!kql_parser_accept(p, "nulls"))
		return true;
	order->nulls_first = kql_parser_at(p, "first");
	return kql_parser_accept(p, "first") || kql_parser_expect(p, "last");
}

static bool read_orders(struct kql_parser *p, struct kql_clause *clause)
{
	struct kql_growing orders = {0};

	if (!kql_parser_expect(p, "by"))
		return false;
	do {
		struct kql_order *order = kql_growing_add(p, &orders, sizeof(*order));

		if (order == NULL)
			return false;
		order->node = kql_parser_expression(p);
		if (order->node == NULL)
			return false;
		order->descending = !kql_parser_accept(p, "asc");
		if (order->descending)
			kql_parser_accept(p, "desc");
		order->nulls_first = !order->descending;
		if (!read_nulls(p, order))
			return false;
	} while (kql_parser_accept(p, ","));
	clause->orders = orders.items;
	clause->order_count = orders.count;
	return true;
}

static bool read_limit(struct kql_parser *p, struct kql_clause *clause)
{
	if (p->token.kind != KQL_TOKEN_NUMBER || p->token.value.kind != KQL_IS_LONG) {
		kql_parser_fail(p);
		return false;
	}
	clause->limit = p->token.value.number;
	kql_parser_next(p);
	return true;
}

static bool read_order_clause(struct kql_parser *p, struct kql_clause *clause)
{
	return read_orders(p, clause);
}

static bool read_top(struct kql_parser *p, struct kql_clause *clause)
{
	return read_limit(p, clause) && read_orders(p, clause);
}

/* --- expressions and columns --- */

static bool read_nothing(struct kql_parser *p, struct kql_clause *clause)
{
	(void)p;
	(void)clause;
	return true;
}

static bool read_where(struct kql_parser *p, struct kql_clause *clause)
{
	struct kql_named *item = kql_parser_take(p, sizeof(*item));

	if (item == NULL)
		return false;
	*item = (struct kql_named){.node = kql_parser_expression(p)};
	clause->items = (struct kql_list){.items = item, .count = 1};
	return item->node != NULL;
}

static bool read_expressions(struct kql_parser *p, struct kql_clause *clause)
{
	return read_list(p, read_named, &clause->items);
}

static bool read_column_patterns(struct kql_parser *p, struct kql_clause *clause)
{
	return read_list(p, read_column_pattern, &clause->items);
}

static bool read_distinct(struct kql_parser *p, struct kql_clause *clause)
{
	return read_list(p, read_distinct_item, &clause->items);
}

static bool read_summarize(struct kql_parser *p, struct kql_clause *clause)
{
	if (!kql_parser_at(p, "by") && !read_list(p, read_named, &clause->items))
		return false;
	return !kql_parser_accept(p, "by") || read_list(p, read_named, &clause->keys);
}

/* --- mv-expand --- */

static bool read_expand_item(struct kql_parser *p, struct kql_named *ret)
{
	if (!read_named(p, ret))
		return false;
	return !kql_parser_accept(p, "to") || kql_parser_typeof(p, &ret->type);
}

/* `name=`, with the value to follow. */
static bool accept_parameter(struct kql_parser *p, const char *name)
{
	struct kql_token following = kql_parser_peek(p);

	if (!kql_parser_at(p, name) || !kql_token_is(&following, "="))
		return false;
	kql_parser_next(p);
	kql_parser_next(p);
	return true;
}

static bool read_expand(struct kql_parser *p, struct kql_clause *clause)
{
	for (;;) {
		if (accept_parameter(p, "kind") || accept_parameter(p, "bagexpansion"))
			clause->option = kql_parser_name(p);
		else if (accept_parameter(p, "with_itemindex"))
			clause->column = kql_parser_name(p);
		else
			break;
	}
	if (p->error->code != NULL || !read_list(p, read_expand_item, &clause->items))
		return false;
	return !kql_parser_accept(p, "limit") || read_limit(p, clause);
}

/* --- parse --- */

static bool read_pattern(struct kql_parser *p, struct kql_pattern *ret)
{
	if (kql_parser_accept(p, "*")) {
		ret->kind = KQL_PATTERN_STAR;
		return true;
	}
	if (p->token.kind == KQL_TOKEN_STRING) {
		ret->kind = KQL_PATTERN_TEXT;
		ret->text = p->token.value;
		kql_parser_next(p);
		return true;
	}
	ret->kind = KQL_PATTERN_COLUMN;
	ret->type = KQL_STRING;
	ret->column = kql_parser_name(p);
	return ret->column != NULL &&
		(!kql_parser_accept(p, ":") || kql_parser_type(p, &ret->type));
}

static bool at_clause_end(const struct kql_parser *p)
{
	return p->token.kind == KQL_TOKEN_END || kql_parser_at(p, "|") || kql_parser_at(p, ")") ||
		kql_parser_at(p, ",") || kql_parser_at(p, ";");
}

static bool read_parse(struct kql_parser *p, struct kql_clause *clause)
{
	struct kql_growing patterns = {0};

	if (accept_parameter(p, "kind") && (clause->option = kql_parser_name(p)) == NULL)
		return false;
	if (!read_where(p, clause) || !kql_parser_expect(p, "with"))
		return false;
	do {
		struct kql_pattern *pattern = kql_growing_add(p, &patterns, sizeof(*pattern));

		if (pattern == NULL || !read_pattern(p, pattern))
			return false;
	} while (!at_clause_end(p));
	clause->patterns = patterns.items;
	clause->pattern_count = patterns.count;
	return true;
}

/* --- join and union --- */

static struct kql_pipe *read_pipe(struct kql_parser *p);

/* A table's name, or a query in parentheses. */
static struct kql_pipe *read_leg(struct kql_parser *p)
{
	struct kql_pipe *pipe;

	if (kql_parser_accept(p, "(")) {
		if (!kql_parser_enter(p))
			return NULL;
		pipe = read_pipe(p);
		kql_parser_leave(p);
		return pipe != NULL && kql_parser_expect(p, ")") ? pipe : NULL;
	}
	pipe = kql_parser_take(p, sizeof(*pipe));
	if (pipe == NULL)
		return NULL;
	*pipe = (struct kql_pipe){.table = kql_parser_name(p)};
	return pipe->table != NULL ? pipe : NULL;
}

static bool add_leg(struct kql_parser *p, struct kql_growing *legs)
{
	struct kql_pipe *leg = read_leg(p);
	struct kql_pipe **added =
		leg != NULL ? kql_growing_add(p, legs, sizeof(struct kql_pipe *)) : NULL;

	if (added != NULL)
		*added = leg;
	return added != NULL;
}

static void set_legs(struct kql_clause *clause, const struct kql_growing *legs)
{
	clause->legs = legs->items;
	clause->leg_count = legs->count;
}

/* "hint.strategy=broadcast" */
static bool refuse_hint(struct kql_parser *p)
{
	struct kql_token following = kql_parser_peek(p);

	if (!kql_parser_at(p, "hint") || !kql_token_is(&following, "."))
		return false;
	kql_refuse(p->error, KQL_DISALLOWED_LANGUAGE,
		"InvalidQueryLanguage: custom join strategies are not allowed, token 'hint'");
	return true;
}

static bool read_join(struct kql_parser *p, struct kql_clause *clause)
{
	struct kql_growing legs = {0};

	if (accept_parameter(p, "kind") && (clause->option = kql_parser_name(p)) == NULL)
		return false;
	if (refuse_hint(p) || !add_leg(p, &legs) || !kql_parser_expect(p, "on"))
		return false;
	set_legs(clause, &legs);
	return read_list(p, read_named, &clause->keys);
}

static bool read_union(struct kql_parser *p, struct kql_clause *clause)
{
	struct kql_growing legs = {0};

	for (;;) {
		if (accept_parameter(p, "kind"))
			clause->option = kql_parser_name(p);
		else if (accept_parameter(p, "withsource"))
			clause->column = kql_parser_name(p);
		else
			break;
	}
	if (p->error->code != NULL || refuse_hint(p))
		return false;
	if (accept_parameter(p, "isfuzzy")) {
		kql_refuse(p->error, KQL_DISALLOWED_LANGUAGE,
			"InvalidQueryLanguage: fuzzy resolution of union legs is not allowed");
		return false;
	}
	do {
		if (!add_leg(p, &legs))
			return false;
	} while (kql_parser_accept(p, ","));
	set_legs(clause, &legs);
	return true;
}

/* --- operators --- */

static const struct operator
{
	const char *word;
	enum kql_clause_kind kind;
	bool (*read)(struct kql_parser * p, struct kql_clause * clause);
}
operators[] = {
	{"count", KQL_CLAUSE_COUNT, read_nothing},
	{"distinct", KQL_CLAUSE_DISTINCT, read_distinct},
	{"extend", KQL_CLAUSE_EXTEND, read_expressions},
	{"join", KQL_CLAUSE_JOIN, read_join},
	{"limit", KQL_CLAUSE_TAKE, read_limit},
	{"mv-expand", KQL_CLAUSE_EXPAND, read_expand},
	{"mvexpand", KQL_CLAUSE_EXPAND, read_expand},
	{"order", KQL_CLAUSE_ORDER, read_order_clause},
	{"parse", KQL_CLAUSE_PARSE, read_parse},
	{"project", KQL_CLAUSE_PROJECT, read_expressions},
	{"project-away", KQL_CLAUSE_PROJECT_AWAY, read_column_patterns},
	{"project-rename", KQL_CLAUSE_PROJECT_RENAME, read_expressions},
	{"sample", KQL_CLAUSE_TAKE, read_limit},
	{"sort", KQL_CLAUSE_ORDER, read_order_clause},
	{"summarize", KQL_CLAUSE_SUMMARIZE, read_summarize},
	{"take", KQL_CLAUSE_TAKE, read_limit},
	{"top", KQL_CLAUSE_TOP, read_top},
	{"union", KQL_CLAUSE_UNION, read_union},
	{"where", KQL_CLAUSE_WHERE, read_where},
};

/* Parts of the language that Resource Graph does not have. */
static const char *const disallowed[] = {"alias", "as", "assert", "consume", "datatable", "declare",
	"evaluate", "externaldata", "facet", "filter", "find", "fork", "getschema",
	"graph-mark-components", "graph-match", "graph-shortest-paths", "graph-to-table", "invoke",
	"let", "lookup", "macro-expand", "make-graph", "make-series", "materialize", "mv-apply",
	"parse-kv", "parse-where", "partition", "pattern", "print", "project-by-names",
	"project-keep", "project-reorder", "range", "reduce", "render", "restrict",
	"sample-distinct", "scan", "search", "serialize", "set", "top-hitters", "top-nested"};

/* Refuses the present word if it is one of those. */
static bool refuse_disallowed(struct kql_parser *p)
{
	for (size_t i = 0; i < ARRAY_LEN(disallowed); i++) {
		if (p->token.kind == KQL_TOKEN_NAME && kql_parser_at(p, disallowed[i])) {
			kql_refuse(p->error, KQL_DISALLOWED_LANGUAGE,
				"InvalidQueryLanguage at line %u, characterPositionInLine %u, "
				"token '%s'",
				p->token.line, p->token.column, disallowed[i]);
			return true;
		}
	}
	return false;
}

static const struct operator* operator_at(const struct kql_parser *p)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (p->token.kind == KQL_TOKEN_NAME && kql_parser_at(p, operators[i].word))
			return &operators[i];
	return NULL;
}

static bool read_clause(struct kql_parser *p, struct kql_growing *clauses)
{
	const struct operator* operator= operator_at(p);
	struct kql_clause *clause;

	if (operator== NULL) {
		if (!refuse_disallowed(p))
			kql_parser_fail(p);
		return false;
	}
	if (++p->clauses > KQL_CLAUSES_MAX) {
		kql_refuse(p->error, KQL_LIMITS, "The query has too many operators.");
		return false;
	}
	clause = kql_growing_add(p, clauses, sizeof(*clause));
	if (clause == NULL)
		return false;
	*clause = (struct kql_clause){.kind = operator->kind, .word = operator->word, .limit = -1};
	kql_parser_next(p);
	return operator->read(p, clause);
}

/* Where the rows come from; Resources is the table when none is named. */
static bool read_source(struct kql_parser *p, struct kql_pipe *pipe, struct kql_growing *clauses)
{
	if (operator_at(p) != NULL) {
		if (!kql_parser_at(p, "union"))
			pipe->table = "resources";
		return read_clause(p, clauses);
	}
	if (kql_parser_at(p, "(")) {
		pipe->inner = read_leg(p);
		return pipe->inner != NULL;
	}
	/* "let x = …", "print x", "datatable (…)" */
	if (refuse_disallowed(p))
		return false;
	pipe->table = kql_parser_name(p);
	return pipe->table != NULL;
}

static struct kql_pipe *read_pipe(struct kql_parser *p)
{
	struct kql_pipe *pipe = kql_parser_take(p, sizeof(*pipe));
	struct kql_growing clauses = {0};

	if (pipe == NULL)
		return NULL;
	*pipe = (struct kql_pipe){0};
	if (!read_source(p, pipe, &clauses))
		return NULL;
	while (kql_parser_accept(p, "|"))
		if (!read_clause(p, &clauses))
			return NULL;
	pipe->clauses = clauses.items;
	pipe->count = clauses.count;
	return pipe;
}

struct kql_pipe *kql_parse_text(
	struct kql_arena *arena, const char *text, size_t len, struct kql_error *error)
{
	struct kql_parser p = {.arena = arena, .error = error};
	struct kql_pipe *pipe;

	kql_lex_init(&p.lexer, arena, text, len);
	kql_parser_next(&p);
	pipe = read_pipe(&p);
	if (pipe == NULL)
		return NULL;
	kql_parser_accept(&p, ";");
	return p.token.kind == KQL_TOKEN_END ? pipe : kql_parser_fail(&p);
}
