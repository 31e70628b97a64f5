/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_lex: the tokens of a query. A lexer is a plain value: a copy of it looks ahead.
 */
#ifndef MDC_TEST_KQL_LEX_H
#define MDC_TEST_KQL_LEX_H

#include "tests/estate/kql_value.h"

enum kql_token_kind {
	KQL_TOKEN_END,
	KQL_TOKEN_BAD,    /* nothing that the language knows */
	KQL_TOKEN_NAME,   /* identifier, or an operator with a dash behind "|" */
	KQL_TOKEN_QUOTED, /* a name in brackets: ['a name'] */
	KQL_TOKEN_STRING, /* `value` is its text without quotes and escapes */
	KQL_TOKEN_NUMBER, /* `value` is a long, a real or a timespan */
	KQL_TOKEN_RAW,    /* "datetime(…)" and the like: `text` is the name, `value` the inside */
	KQL_TOKEN_SIGN,   /* an operator or a bracket, as in `text`; also "in~", "!in", "!has" */
};

struct kql_token {
	enum kql_token_kind kind;
	const char *text; /* as written */
	size_t len;
	struct kql_value value;
	unsigned line;   /* from 1 */
	unsigned column; /* from 0 */
};

struct kql_lexer {
	struct kql_arena *arena; /* of the values of tokens */
	const char *at, *end;
	const char *line_start;
	unsigned line;
	bool word; /* whether a word here may have dashes: at the start, behind "|" and "(" */
};

void kql_lex_init(struct kql_lexer *l, struct kql_arena *arena, const char *text, size_t len);
void kql_lex_next(struct kql_lexer *l, struct kql_token *ret);
bool kql_token_is(const struct kql_token *t, const char *sign);

#endif
