/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_parser.h"

#include "tests/estate/kql_text.h"

#include <math.h>

bool kql_parser_string(struct kql_parser *p, struct kql_value *ret)
{
	*ret = p->token.value;
	for (kql_parser_next(p); p->token.kind == KQL_TOKEN_STRING; kql_parser_next(p)) {
		struct kql_value more = p->token.value;
		char *joined = kql_parser_take(p, (size_t)ret->len + more.len);

		if (joined == NULL)
			return false;
		memcpy(joined, ret->text, ret->len);
		memcpy(joined + ret->len, more.text, more.len);
		*ret = kql_text(joined, (size_t)ret->len + more.len);
	}
	return true;
}

static bool text_is(struct kql_value text, const char *word)
{
	return kql_same_nocase(text, kql_text(word, strlen(word)));
}

/* Digits within "long(…)"; the lexer takes nothing from an arena for them. */
static bool raw_long(struct kql_value inside, struct kql_value *ret)
{
	struct kql_lexer lexer;
	struct kql_token token;
	bool negative = inside.len > 0 && inside.text[0] == '-';

	if (inside.len == negative || inside.text[negative] < '0' || inside.text[negative] > '9')
		return false;
	kql_lex_init(&lexer, NULL, inside.text + negative, inside.len - negative);
	kql_lex_next(&lexer, &token);
	*ret = token.value;
	if (negative && ret->kind == KQL_IS_LONG)
		ret->number = -ret->number;
	if (negative && ret->kind == KQL_IS_REAL)
		ret->real = -ret->real;
	return token.kind == KQL_TOKEN_NUMBER && lexer.at == lexer.end;
}

static bool raw_real(struct kql_value inside, struct kql_value *ret)
{
	if (text_is(inside, "nan"))
		*ret = kql_real(NAN);
	else if (text_is(inside, "+inf") || text_is(inside, "-inf"))
		*ret = kql_real(inside.text[0] == '-' ? -INFINITY : INFINITY);
	else if (!raw_long(inside, ret))
		return false;
	if (ret->kind == KQL_IS_LONG)
		*ret = kql_real((double)ret->number);
	return ret->kind == KQL_IS_REAL;
}

static bool raw_value(enum kql_type type, struct kql_value inside, struct kql_value *ret)
{
	*ret = kql_null();
	if (text_is(inside, "null"))
		return true;
	switch (type) {
	case KQL_BOOL:
		*ret = kql_bool(text_is(inside, "true"));
		return ret->truth || text_is(inside, "false");
	case KQL_LONG: return raw_long(inside, ret) && ret->kind == KQL_IS_LONG;
	case KQL_REAL: return raw_real(inside, ret);
	case KQL_DATETIME:
		*ret = kql_datetime(0);
		return kql_parse_datetime(inside.text, inside.len, &ret->number);
	case KQL_TIMESPAN:
		*ret = kql_timespan(0);
		return kql_parse_timespan(inside.text, inside.len, &ret->number);
	case KQL_STRING:
	case KQL_DYNAMIC:
	case KQL_TYPE_N_: break;
	}
	return false;
}

bool kql_parser_raw(struct kql_parser *p, enum kql_type *ret_type, struct kql_value *ret)
{
	struct kql_value inside = p->token.value;
	struct kql_token whole = p->token;

	/* The name of a raw literal is the name of its type. */
	p->token.kind = KQL_TOKEN_NAME;
	if (p->token.len > 0 && kql_parser_type(p, ret_type) && raw_value(*ret_type, inside, ret))
		return true;
	p->token = whole;
	kql_parser_fail(p);
	return false;
}

/* --- dynamic(…) --- */

static bool read_dynamic(struct kql_parser *p, struct kql_value *ret);

static bool refuse(struct kql_parser *p)
{
	kql_parser_fail(p);
	return false;
}

static bool read_dynamic_array(struct kql_parser *p, struct kql_value *ret)
{
	struct kql_growing items = {0};

	if (!kql_parser_accept(p, "]")) {
		do {
			struct kql_value *item = kql_growing_add(p, &items, sizeof(*item));
			struct kql_value value;

			if (item == NULL || !read_dynamic(p, &value))
				return false;
			*item = value;
		} while (kql_parser_accept(p, ","));
		if (!kql_parser_expect(p, "]"))
			return false;
	}
	*ret = (struct kql_value){
		.kind = KQL_IS_ARRAY, .len = (uint32_t)items.count, .items = items.items};
	return true;
}

static bool read_dynamic_bag(struct kql_parser *p, struct kql_value *ret)
{
	struct kql_growing items = {0};

	if (!kql_parser_accept(p, "}")) {
		do {
			struct kql_value *key = kql_growing_add(p, &items, sizeof(*key));
			struct kql_value text, value;

			if (key == NULL)
				return false;
			if (p->token.kind != KQL_TOKEN_STRING)
				return refuse(p);
			if (!kql_parser_string(p, &text) || !kql_parser_expect(p, ":"))
				return false;
			*key = text;
			if (!read_dynamic(p, &value) ||
				(key = kql_growing_add(p, &items, sizeof(*key))) == NULL)
				return false;
			*key = value;
		} while (kql_parser_accept(p, ","));
		if (!kql_parser_expect(p, "}"))
			return false;
	}
	*ret = (struct kql_value){
		.kind = KQL_IS_BAG, .len = (uint32_t)items.count / 2, .items = items.items};
	return true;
}

static bool read_dynamic_scalar(struct kql_parser *p, struct kql_value *ret)
{
	enum kql_type type;
	bool negative = kql_parser_accept(p, "-");

	*ret = p->token.value;
	if (p->token.kind == KQL_TOKEN_NUMBER) {
		if (negative && ret->kind == KQL_IS_REAL)
			ret->real = -ret->real;
		else if (negative)
			ret->number = -ret->number;
		kql_parser_next(p);
		return true;
	}
	if (negative)
		return refuse(p);
	if (p->token.kind == KQL_TOKEN_STRING)
		return kql_parser_string(p, ret);
	if (p->token.kind == KQL_TOKEN_RAW)
		return kql_parser_raw(p, &type, ret);
	if (kql_parser_at(p, "true") || kql_parser_at(p, "false"))
		*ret = kql_bool(kql_parser_at(p, "true"));
	else if (kql_parser_at(p, "null"))
		*ret = kql_null();
	else
		return refuse(p);
	kql_parser_next(p);
	return true;
}

static bool read_dynamic(struct kql_parser *p, struct kql_value *ret)
{
	bool good;

	/* ['a'] looks like a name in brackets. */
	if (p->token.kind == KQL_TOKEN_QUOTED) {
		struct kql_value *item = kql_parser_take(p, sizeof(*item));

		if (item == NULL)
			return false;
		*item = p->token.value;
		*ret = (struct kql_value){.kind = KQL_IS_ARRAY, .len = 1, .items = item};
		kql_parser_next(p);
		return true;
	}
	if (!kql_parser_enter(p))
		return false;
	if (kql_parser_accept(p, "["))
		good = read_dynamic_array(p, ret);
	else if (kql_parser_accept(p, "{"))
		good = read_dynamic_bag(p, ret);
	else
		good = read_dynamic_scalar(p, ret);
	kql_parser_leave(p);
	return good;
}

bool kql_parser_dynamic(struct kql_parser *p, struct kql_value *ret)
{
	return kql_parser_expect(p, "(") && read_dynamic(p, ret) && kql_parser_expect(p, ")");
}
