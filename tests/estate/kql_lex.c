/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_lex.h"

#include "tests/estate/kql_internal.h"
#include "tests/estate/kql_text.h"

#include <stdlib.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool starts_name(char c)
{
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '$';
}

static bool in_name(char c)
{
	return starts_name(c) || is_digit(c);
}

static size_t left_of(const struct kql_lexer *l)
{
	return (size_t)(l->end - l->at);
}

static bool looks_at(const struct kql_lexer *l, const char *text)
{
	size_t len = strlen(text);

	return left_of(l) >= len && memcmp(l->at, text, len) == 0;
}

void kql_lex_init(struct kql_lexer *l, struct kql_arena *arena, const char *text, size_t len)
{
	*l = (struct kql_lexer){.arena = arena,
		.at = text,
		.end = text + len,
		.line_start = text,
		.line = 1,
		.word = true};
}

/* Blanks, line breaks and comments to the end of the line. */
static void skip_blanks(struct kql_lexer *l)
{
	for (; l->at < l->end; l->at++) {
		if (looks_at(l, "//")) {
			while (l->at < l->end && *l->at != '\n')
				l->at++;
			if (l->at == l->end)
				return;
		}
		if (*l->at == '\n') {
			l->line++;
			l->line_start = l->at + 1;
		} else if (*l->at != ' ' && *l->at != '\t' && *l->at != '\r') {
			return;
		}
	}
}

/* --- words --- */

/* Operators of the language that have a dash, whether they are supported or not. */
static const char *const dashed[] = {"graph-match", "graph-mark-components", "graph-shortest-paths",
	"graph-to-table", "macro-expand", "make-graph", "make-series", "mv-apply", "mv-expand",
	"parse-kv", "parse-where", "project-away", "project-by-names", "project-keep",
	"project-rename", "project-reorder", "sample-distinct", "top-hitters", "top-nested"};

static size_t dashed_length(const struct kql_lexer *l)
{
	for (size_t i = 0; i < ARRAY_LEN(dashed); i++) {
		size_t len = strlen(dashed[i]);

		if (looks_at(l, dashed[i]) && (left_of(l) == len || !in_name(l->at[len])))
			return len;
	}
	return 0;
}

static size_t name_length(const struct kql_lexer *l)
{
	size_t len = 1;

	while (len < left_of(l) && in_name(l->at[len]))
		len++;
	return len;
}

static void take(struct kql_lexer *l, struct kql_token *t, enum kql_token_kind kind, size_t len)
{
	t->kind = kind;
	t->len = len;
	l->at += len;
}

static bool is_raw_literal(const char *name, size_t len)
{
	static const char *const names[] = {"datetime", "date", "timespan", "time", "bool",
		"boolean", "long", "int", "real", "double"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return true;
	return false;
}

/* The inside of "datetime(2015-12-31)", without blanks around it and quotes. */
static void take_raw(struct kql_lexer *l, struct kql_token *t)
{
	const char *open = memchr(l->at, '(', left_of(l));
	const char *close = memchr(l->at, ')', left_of(l));
	const char *from = open + 1, *to = close;

	if (close == NULL || memchr(l->at, '\n', (size_t)(close - l->at)) != NULL) {
		take(l, t, KQL_TOKEN_BAD, t->len);
		return;
	}
	while (from < to && *from == ' ')
		from++;
	while (to > from && to[-1] == ' ')
		to--;
	if (to - from >= 2 && (*from == '"' || *from == '\'') && to[-1] == *from) {
		from++;
		to--;
	}
	t->kind = KQL_TOKEN_RAW;
	t->value = kql_text(from, (size_t)(to - from));
	l->at = close + 1;
}

static void lex_name(struct kql_lexer *l, struct kql_token *t)
{
	size_t len = l->word ? dashed_length(l) : 0;

	if (len == 0)
		len = name_length(l);
	t->len = len;
	if (left_of(l) > len && l->at[len] == '(' && is_raw_literal(l->at, len)) {
		take_raw(l, t);
		return;
	}
	if (len == 2 && memcmp(l->at, "in", 2) == 0 && left_of(l) > 2 && l->at[2] == '~') {
		take(l, t, KQL_TOKEN_SIGN, 3);
		return;
	}
	take(l, t, len > KQL_NAME_MAX ? KQL_TOKEN_BAD : KQL_TOKEN_NAME, len);
}

/* "!=", "!~", "!in", "!in~", "!contains" … */
static void lex_negated(struct kql_lexer *l, struct kql_token *t)
{
	size_t len = 1;

	if (left_of(l) > 1 && (l->at[1] == '=' || l->at[1] == '~')) {
		take(l, t, KQL_TOKEN_SIGN, 2);
		return;
	}
	while (len < left_of(l) && in_name(l->at[len]))
		len++;
	if (len == 3 && left_of(l) > 3 && l->at[3] == '~')
		len++;
	take(l, t, len > 1 ? KQL_TOKEN_SIGN : KQL_TOKEN_BAD, len);
}

/* --- numbers --- */

static size_t digits_at(const struct kql_lexer *l, size_t at)
{
	size_t len = 0;

	while (at + len < left_of(l) && is_digit(l->at[at + len]))
		len++;
	return len;
}

static size_t exponent_length(const struct kql_lexer *l, size_t at)
{
	size_t sign;

	if (at >= left_of(l) || (l->at[at] | 0x20) != 'e')
		return 0;
	sign = at + 1 < left_of(l) && (l->at[at + 1] == '-' || l->at[at + 1] == '+');
	return digits_at(l, at + 1 + sign) > 0 ? 1 + sign + digits_at(l, at + 1 + sign) : 0;
}

static bool read_long(const char *text, size_t len, int base, struct kql_value *ret)
{
	char digits[32];
	char *end;
	long long number;

	if (len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	errno = 0;
	number = strtoll(digits, &end, base);
	*ret = kql_long(number);
	return errno == 0 && *end == '\0' && end > digits;
}

static bool read_real(const char *text, size_t len, struct kql_value *ret)
{
	char digits[64];

	if (len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	*ret = kql_real(strtod(digits, NULL));
	return true;
}

static bool lex_hexadecimal(struct kql_lexer *l, struct kql_token *t)
{
	size_t len = 2;

	if (!looks_at(l, "0x") && !looks_at(l, "0X"))
		return false;
	while (len < left_of(l) && in_name(l->at[len]))
		len++;
	take(l, t, KQL_TOKEN_NUMBER, len);
	if (!read_long(t->text + 2, len - 2, 16, &t->value))
		t->kind = KQL_TOKEN_BAD;
	return true;
}

/* 12, 1.5, 1e3, and with a unit behind them 10m, 1.5h. */
static void lex_number(struct kql_lexer *l, struct kql_token *t)
{
	size_t len = digits_at(l, 0);
	size_t exponent, unit = 0;
	bool real = false, good;

	if (lex_hexadecimal(l, t))
		return;
	if (len + 1 < left_of(l) && l->at[len] == '.' && is_digit(l->at[len + 1])) {
		len += 1 + digits_at(l, len + 1);
		real = true;
	}
	exponent = exponent_length(l, len);
	real |= exponent > 0;
	len += exponent;
	while (len + unit < left_of(l) && in_name(l->at[len + unit]))
		unit++;
	take(l, t, KQL_TOKEN_NUMBER, len + unit);
	if (unit > 0) {
		t->value = kql_timespan(0);
		good = exponent == 0 && kql_time_unit(t->text + len, unit) > 0 &&
			kql_parse_timespan(t->text, t->len, &t->value.number);
	} else {
		good = real ? read_real(t->text, len, &t->value)
			    : read_long(t->text, len, 10, &t->value);
	}
	if (!good)
		t->kind = KQL_TOKEN_BAD;
}

/* --- strings --- */

static bool read_hex(const char *at, const char *end, uint32_t *ret)
{
	*ret = 0;
	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = (char)(at[i] | 0x20);
		uint32_t digit = is_digit(at[i]) ? (uint32_t)(at[i] - '0')
			: c >= 'a' && c <= 'f'   ? (uint32_t)(c - 'a' + 10)
						 : 16;

		if (digit > 15)
			return false;
		*ret = *ret * 16 + digit;
	}
	return true;
}

/* "\u00A0", with two of them for code points beyond the first plane. */
static bool read_unicode(const char **at, const char *end, uint32_t *ret)
{
	uint32_t low;

	if (!read_hex(*at, end, ret))
		return false;
	*at += 4;
	if (*ret >= 0xD800 && *ret <= 0xDBFF) {
		if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' ||
			!read_hex(*at + 2, end, &low) || low < 0xDC00 || low > 0xDFFF)
			return false;
		*at += 6;
		*ret = 0x10000 + ((*ret - 0xD800) << 10) + (low - 0xDC00);
	}
	return *ret != 0 && (*ret < 0xD800 || *ret > 0xDFFF);
}

static bool unescape(const char **at, const char *end, char *to, size_t *len)
{
	static const char letters[] = "abfnrtv\\'\"";
	static const char plain[] = "\a\b\f\n\r\t\v\\'\"";
	char letter = *at < end ? *(*at)++ : '\0';
	const char *found = letter != '\0' ? strchr(letters, letter) : NULL;
	uint32_t code;

	if (found != NULL) {
		to[(*len)++] = plain[found - letters];
		return true;
	}
	if (letter != 'u' || !read_unicode(at, end, &code))
		return false;
	*len += kql_utf8_encode(code, to + *len);
	return true;
}

/* The end of the literal that starts at `at` with its quote; NULL when it is not closed. */
static const char *closing_quote(const char *at, const char *end, bool verbatim)
{
	char quote = *at;

	for (at++; at < end && *at != '\n'; at++) {
		if (*at == '\\' && !verbatim && at + 1 < end && at[1] != '\n') {
			at++;
		} else if (*at == quote) {
			if (!verbatim || at + 1 == end || at[1] != quote)
				return at;
			at++;
		}
	}
	return NULL;
}

static bool copy_literal(const char *at, const char *end, bool verbatim, struct kql_value *ret)
{
	char *to = (char *)(uintptr_t)ret->text;
	char quote = at[-1];
	size_t len = 0;

	while (at < end) {
		if (*at == '\\' && !verbatim) {
			at++;
			if (!unescape(&at, end, to, &len))
				return false;
			continue;
		}
		if (*at == quote)
			at++;
		to[len++] = *at++;
	}
	ret->len = (uint32_t)len;
	return true;
}

/* No escape is longer than what stands for it, so the text has room for its value. */
static void lex_string(struct kql_lexer *l, struct kql_token *t)
{
	bool verbatim = *l->at == '@';
	const char *open = l->at + verbatim;
	const char *close = closing_quote(open, l->end, verbatim);
	char *room = close != NULL ? kql_arena_take(l->arena, (size_t)(close - open)) : NULL;

	t->value = kql_text(room, 0);
	if (room == NULL || !copy_literal(open + 1, close, verbatim, &t->value)) {
		take(l, t, KQL_TOKEN_BAD, 1);
		return;
	}
	take(l, t, KQL_TOKEN_STRING, (size_t)(close + 1 - l->at));
}

/* ['name'] or ["name"] where a name is expected; a bracket alone otherwise. */
static bool lex_quoted_name(struct kql_lexer *l, struct kql_token *t)
{
	const char *open = l->at + 1;
	const char *close, *bracket;

	if (left_of(l) < 4 || (*open != '\'' && *open != '"'))
		return false;
	close = closing_quote(open, l->end, false);
	bracket = close != NULL && close + 1 < l->end ? close + 1 : NULL;
	if (bracket == NULL || *bracket != ']' || close == open + 1 || close - open > KQL_NAME_MAX)
		return false;
	t->value = kql_text(kql_arena_take(l->arena, (size_t)(close - open)), 0);
	if (t->value.text == NULL || !copy_literal(open + 1, close, false, &t->value))
		return false;
	take(l, t, KQL_TOKEN_QUOTED, (size_t)(bracket + 1 - l->at));
	return true;
}

static void lex_sign(struct kql_lexer *l, struct kql_token *t)
{
	static const char *const doubles[] = {"==", "=~", "<=", ">=", "<>", ".."};

	for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
		if (looks_at(l, doubles[i])) {
			take(l, t, KQL_TOKEN_SIGN, 2);
			return;
		}
	}
	take(l, t,
		strchr("|,()[]{}.:;=<>+-*/%", *l->at) != NULL && *l->at != '\0' ? KQL_TOKEN_SIGN
										: KQL_TOKEN_BAD,
		1);
}

void kql_lex_next(struct kql_lexer *l, struct kql_token *ret)
{
	struct kql_token t = {.kind = KQL_TOKEN_END};

	skip_blanks(l);
	t.text = l->at;
	t.line = l->line;
	t.column = (unsigned)(l->at - l->line_start);
	if (l->at < l->end) {
		char c = *l->at;
		char following = left_of(l) > 1 ? l->at[1] : '\0';

		if (starts_name(c))
			lex_name(l, &t);
		else if (is_digit(c))
			lex_number(l, &t);
		else if (c == '"' || c == '\'' ||
			(c == '@' && (following == '"' || following == '\'')))
			lex_string(l, &t);
		else if (c == '!')
			lex_negated(l, &t);
		else if (c != '[' || !lex_quoted_name(l, &t))
			lex_sign(l, &t);
	}
	l->word = t.kind == KQL_TOKEN_SIGN && t.len == 1 && (*t.text == '|' || *t.text == '(');
	*ret = t;
}

bool kql_token_is(const struct kql_token *t, const char *sign)
{
	return (t->kind == KQL_TOKEN_SIGN || t->kind == KQL_TOKEN_NAME) && t->len == strlen(sign) &&
		memcmp(t->text, sign, t->len) == 0;
}
