/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_parser.h"

void kql_parser_next(struct kql_parser *p)
{
	kql_lex_next(&p->lexer, &p->token);
}

struct kql_token kql_parser_peek(const struct kql_parser *p)
{
	struct kql_lexer ahead = p->lexer;
	struct kql_token token;

	kql_lex_next(&ahead, &token);
	return token;
}

bool kql_parser_at(const struct kql_parser *p, const char *sign)
{
	return kql_token_is(&p->token, sign);
}

bool kql_parser_accept(struct kql_parser *p, const char *sign)
{
	if (!kql_parser_at(p, sign))
		return false;
	kql_parser_next(p);
	return true;
}

bool kql_parser_expect(struct kql_parser *p, const char *sign)
{
	if (kql_parser_accept(p, sign))
		return true;
	kql_parser_fail(p);
	return false;
}

void *kql_parser_fail(struct kql_parser *p)
{
	const struct kql_token *t = &p->token;
	bool end = t->kind == KQL_TOKEN_END;
	int len = t->len < 60 ? (int)t->len : 60;

	kql_refuse(p->error, KQL_PARSER_FAILURE,
		"ParserFailure at line %u, characterPositionInLine %u, token '%.*s'", t->line,
		t->column, end ? 5 : len, end ? "<EOF>" : t->text);
	return NULL;
}

void *kql_parser_take(struct kql_parser *p, size_t size)
{
	void *taken = kql_arena_take(p->arena, size);

	if (taken == NULL)
		kql_refuse(p->error, KQL_LIMITS, "The query is too large.");
	return taken;
}

bool kql_parser_enter(struct kql_parser *p)
{
	if (++p->nesting <= KQL_NESTING_MAX)
		return true;
	kql_refuse(p->error, KQL_LIMITS, "The query is nested too deep.");
	return false;
}

void *kql_growing_add(struct kql_parser *p, struct kql_growing *g, size_t size)
{
	void *added;

	if (g->count == g->room) {
		size_t room = g->room == 0 ? 4 : g->room * 2;
		void *items = kql_parser_take(p, room * size);

		if (items == NULL)
			return NULL;
		if (g->count > 0)
			memcpy(items, g->items, g->count * size);
		g->items = items;
		g->room = room;
	}
	added = (char *)g->items + g->count++ * size;
	memset(added, 0, size);
	return added;
}

bool kql_parser_at_name(const struct kql_parser *p)
{
	return p->token.kind == KQL_TOKEN_NAME || p->token.kind == KQL_TOKEN_QUOTED;
}

const char *kql_parser_name(struct kql_parser *p)
{
	bool quoted = p->token.kind == KQL_TOKEN_QUOTED;
	const char *text = quoted ? p->token.value.text : p->token.text;
	size_t len = quoted ? p->token.value.len : p->token.len;
	char *name;

	if (!kql_parser_at_name(p))
		return kql_parser_fail(p);
	name = kql_parser_take(p, len + 1);
	if (name == NULL)
		return NULL;
	memcpy(name, text, len);
	name[len] = '\0';
	kql_parser_next(p);
	return name;
}

bool kql_parser_type(struct kql_parser *p, enum kql_type *ret)
{
	static const struct {
		const char *name;
		enum kql_type type;
	} types[] = {
		{"bool", KQL_BOOL},
		{"boolean", KQL_BOOL},
		{"int", KQL_LONG},
		{"long", KQL_LONG},
		{"real", KQL_REAL},
		{"double", KQL_REAL},
		{"string", KQL_STRING},
		{"datetime", KQL_DATETIME},
		{"date", KQL_DATETIME},
		{"timespan", KQL_TIMESPAN},
		{"time", KQL_TIMESPAN},
		{"dynamic", KQL_DYNAMIC},
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (kql_parser_accept(p, types[i].name)) {
			*ret = types[i].type;
			return true;
		}
	}
	kql_parser_fail(p);
	return false;
}

bool kql_parser_typeof(struct kql_parser *p, enum kql_type *ret)
{
	return kql_parser_expect(p, "typeof") && kql_parser_expect(p, "(") &&
		kql_parser_type(p, ret) && kql_parser_expect(p, ")");
}
