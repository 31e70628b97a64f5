/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_parser: what the parts of the parser share: literals (kql_parse_literal.c), expressions
 * (kql_parse_expression.c) and tabular operators (kql_parse.c). Every function gives NULL or false
 * after an error.
 */
#ifndef MDC_TEST_KQL_PARSER_H
#define MDC_TEST_KQL_PARSER_H

#include "tests/estate/kql_ast.h"
#include "tests/estate/kql_lex.h"

struct kql_parser {
	struct kql_arena *arena;
	struct kql_lexer lexer;
	struct kql_token token; /* the one not yet taken */
	struct kql_error *error;
	unsigned nesting;
	size_t clauses; /* operators of the whole query so far */
};

void kql_parser_next(struct kql_parser *p);
/* The token after the present one. */
struct kql_token kql_parser_peek(const struct kql_parser *p);
bool kql_parser_at(const struct kql_parser *p, const char *sign);
bool kql_parser_accept(struct kql_parser *p, const char *sign);
bool kql_parser_expect(struct kql_parser *p, const char *sign);
/* The error "ParserFailure" at the present token; always NULL. */
void *kql_parser_fail(struct kql_parser *p);
/* Memory of the query; NULL with an error when there is too much of it. */
void *kql_parser_take(struct kql_parser *p, size_t size);
/* One more level of parentheses; refused beyond KQL_NESTING_MAX. */
bool kql_parser_enter(struct kql_parser *p);
static inline void kql_parser_leave(struct kql_parser *p)
{
	p->nesting--;
}

/* Takes a name, plain or in brackets. */
const char *kql_parser_name(struct kql_parser *p);
bool kql_parser_at_name(const struct kql_parser *p);
/* Takes the name of a type. */
bool kql_parser_type(struct kql_parser *p, enum kql_type *ret);
/* Takes typeof(type). */
bool kql_parser_typeof(struct kql_parser *p, enum kql_type *ret);
/* Takes a string; those that follow each other are one. */
bool kql_parser_string(struct kql_parser *p, struct kql_value *ret);
/* Takes a token such as "datetime(2015-12-31)" or "long(null)". */
bool kql_parser_raw(struct kql_parser *p, enum kql_type *ret_type, struct kql_value *ret);
/* Takes the brackets behind "dynamic" and the value in them. */
bool kql_parser_dynamic(struct kql_parser *p, struct kql_value *ret);
struct kql_node *kql_parser_expression(struct kql_parser *p);

/* A list that grows in the arena. */
struct kql_growing {
	void *items;
	size_t count, room;
};
/* A new element, cleared. */
void *kql_growing_add(struct kql_parser *p, struct kql_growing *g, size_t size);

#endif
