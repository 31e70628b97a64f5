/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_ast: what a query says, before anything is known of its tables and types. All of it lies in
 * the arena of the query; names are NUL-terminated.
 */
#ifndef MDC_TEST_KQL_AST_H
#define MDC_TEST_KQL_AST_H

#include "tests/estate/kql_internal.h"

enum kql_operator {
	KQL_OP_ADD,
	KQL_OP_SUBTRACT,
	KQL_OP_MULTIPLY,
	KQL_OP_DIVIDE,
	KQL_OP_MODULO,
	KQL_OP_LESS,
	KQL_OP_LESS_EQUAL,
	KQL_OP_GREATER,
	KQL_OP_GREATER_EQUAL,
	KQL_OP_EQUAL,
	KQL_OP_CONTAINS,
	KQL_OP_STARTS_WITH,
	KQL_OP_ENDS_WITH,
	KQL_OP_HAS,
	KQL_OP_MATCHES,
	KQL_OP_IN,
};

enum kql_node_kind {
	KQL_NODE_LITERAL,
	KQL_NODE_NAME,
	KQL_NODE_MEMBER, /* args[0].name */
	KQL_NODE_INDEX,  /* args[0][args[1]] */
	KQL_NODE_CALL,   /* name(args…) */
	KQL_NODE_NEGATE, /* -args[0] */
	KQL_NODE_BINARY, /* args[0] op args[1] */
	KQL_NODE_ALL,    /* args joined by "and" */
	KQL_NODE_ANY,    /* by "or" */
	KQL_NODE_IN,     /* args[0] in (args[1]…) */
	KQL_NODE_STAR,   /* "*" as an argument */
	KQL_NODE_TYPE,   /* typeof(type) */
};

struct kql_node {
	enum kql_node_kind kind;
	enum kql_operator op;
	bool negated; /* of "!=", "!in" … */
	bool nocase;
	unsigned depth;
	const char *name;
	const char *sign; /* the operator as written */
	enum kql_type type;
	struct kql_value literal;
	struct kql_node **args;
	size_t count;
};

/* `name = node`; name NULL where none is given. */
struct kql_named {
	const char *name;
	struct kql_node *node;
	enum kql_type type; /* mv-expand: to typeof(type); KQL_TYPE_N_ when not given */
};
struct kql_list {
	struct kql_named *items;
	size_t count;
};

struct kql_order {
	struct kql_node *node;
	bool descending;
	bool nulls_first;
};

/* One piece of what stands behind "parse … with". */
struct kql_pattern {
	enum { KQL_PATTERN_STAR, KQL_PATTERN_TEXT, KQL_PATTERN_COLUMN } kind;
	struct kql_value text;
	const char *column;
	enum kql_type type;
};

enum kql_clause_kind {
	KQL_CLAUSE_COUNT,
	KQL_CLAUSE_DISTINCT,
	KQL_CLAUSE_EXPAND,
	KQL_CLAUSE_EXTEND,
	KQL_CLAUSE_JOIN,
	KQL_CLAUSE_ORDER,
	KQL_CLAUSE_PARSE,
	KQL_CLAUSE_PROJECT,
	KQL_CLAUSE_PROJECT_AWAY,
	KQL_CLAUSE_PROJECT_RENAME,
	KQL_CLAUSE_SUMMARIZE,
	KQL_CLAUSE_TAKE,
	KQL_CLAUSE_TOP,
	KQL_CLAUSE_UNION,
	KQL_CLAUSE_WHERE,
};

struct kql_pipe;

struct kql_clause {
	enum kql_clause_kind kind;
	const char *word;      /* the operator as written */
	struct kql_list items; /* expressions, columns, aggregates */
	struct kql_list keys;  /* behind "by" or "on" */
	struct kql_order *orders;
	size_t order_count;
	int64_t limit;      /* take, top, mv-expand; -1 when not given */
	const char *option; /* of "kind="; NULL when not given */
	const char *column; /* of "with_itemindex=" and "withsource=" */
	struct kql_pattern *patterns;
	size_t pattern_count;
	struct kql_pipe **legs; /* of join and union */
	size_t leg_count;
};

/* A table and what is done to its rows. */
struct kql_pipe {
	const char *table;      /* NULL: `inner`, or the first clause is a union */
	struct kql_pipe *inner; /* in parentheses */
	struct kql_clause *clauses;
	size_t count;
};

/* NULL with the error filled. */
struct kql_pipe *kql_parse_text(struct kql_arena *arena, const char *text, size_t len,
	struct kql_error *error) MDC_MUST_CHECK;

#endif
