/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_tokens.h"

#include <string.h>

void scanner_init(struct scanner *s, const char *text)
{
	*s = (struct scanner){.at = text, .line = 1, .line_start = true};
	/* The mark that some editors put before UTF-8. */
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		s->at += 3;
}

static bool ends_line(const char *p)
{
	return *p == '\0' || *p == '\n' || (p[0] == '\r' && p[1] == '\n');
}

static struct token bad(struct scanner *s, struct token t, const char *problem)
{
	t.kind = TOKEN_BAD;
	t.problem = problem;
	t.len = (size_t)(s->at - t.start);
	return t;
}

static void skip_line(struct scanner *s)
{
	while (!ends_line(s->at))
		s->at++;
}

/* False where the comment does not end; the scanner is then at the end of the text, and its line
 * is where the comment began. */
static bool skip_block(struct scanner *s)
{
	unsigned line = s->line;

	for (s->at += 2; *s->at != '\0'; s->at++) {
		if (s->at[0] == '*' && s->at[1] == '/') {
			s->at += 2;
			return true;
		}
		if (*s->at == '\n') {
			s->line++;
			s->line_start = true;
		}
	}
	s->line = line;
	return false;
}

/* Blanks, ends of lines and comments; false where a comment does not end. */
static bool skip_blanks(struct scanner *s)
{
	for (;;) {
		if (*s->at == '\n') {
			s->at++;
			s->line++;
			s->line_start = true;
		} else if (*s->at == ' ' || *s->at == '\t' || (*s->at == '\r' && s->at[1] == '\n'))
			s->at++;
		else if (*s->at == '#' || (s->at[0] == '/' && s->at[1] == '/'))
			skip_line(s);
		else if (s->at[0] != '/' || s->at[1] != '*')
			return true;
		else if (!skip_block(s))
			return false;
	}
}

static struct token scan_double(struct scanner *s, struct token t)
{
	for (s->at++; *s->at != '"'; s->at++) {
		if (ends_line(s->at))
			return bad(s, t,
				"the text in quotes does not end on its line; write \" at its end");
		if (*s->at != '\\')
			continue;
		s->at++;
		if (ends_line(s->at) || strchr("\"\\$", *s->at) == NULL) {
			skip_line(s);
			return bad(s, t,
				"a backslash stands only before \", \\ or $; write \\\\ for a "
				"backslash");
		}
	}
	s->at++;
	t.kind = TOKEN_DOUBLE;
	t.len = (size_t)(s->at - t.start);
	return t;
}

static struct token scan_single(struct scanner *s, struct token t)
{
	for (s->at++; *s->at != '\''; s->at++) {
		if (s->at[0] == '\\' && (s->at[1] == '\\' || s->at[1] == '\''))
			s->at++;
		if (ends_line(s->at))
			return bad(s, t,
				"the text in quotes does not end on its line; write ' at its end");
	}
	s->at++;
	t.kind = TOKEN_SINGLE;
	t.len = (size_t)(s->at - t.start);
	return t;
}

static bool in_word(char c)
{
	return (unsigned char)c > ' ' && c != '\x7f' && strchr("#\"'={},", c) == NULL;
}

/* Past "${NAME}"; false where the brace is not closed on the line. */
static bool skip_variable(struct scanner *s)
{
	while (*s->at != '}') {
		if (ends_line(s->at))
			return false;
		s->at++;
	}
	s->at++;
	return true;
}

static const char *word_problem(const char *word, size_t len)
{
	if (len >= 8 && strncmp(word, "include(", 8) == 0)
		return "other files are not included; put them into the directory conf.d";
	if (word[0] == '[')
		return "a list stands in braces; write { \"…\", \"…\" }";
	if (word[len - 1] == ';')
		return "no ; stands after an option; remove it";
	for (size_t i = 0; i < len; i++)
		if (strchr("*+()", word[i]) != NULL)
			return "* + ( and ) stand only in quotes; write \"…\"";
	return NULL;
}

static struct token scan_word(struct scanner *s, struct token t)
{
	while (in_word(*s->at))
		if (s->at[0] != '$' || s->at[1] != '{')
			s->at++;
		else if (!skip_variable(s))
			return bad(s, t, "a variable is not closed; write ${NAME}");
	t.kind = TOKEN_WORD;
	t.len = (size_t)(s->at - t.start);
	t.problem = word_problem(t.start, t.len);
	if (t.problem != NULL)
		t.kind = TOKEN_BAD;
	return t;
}

static struct token sign(struct scanner *s, struct token t, enum token_kind kind)
{
	s->at++;
	t.kind = kind;
	t.len = 1;
	return t;
}

struct token scanner_next(struct scanner *s)
{
	bool closed = skip_blanks(s);
	struct token t = {.start = s->at, .line = s->line, .first = s->line_start};

	if (!closed)
		return bad(s, t, "a comment begins here and does not end; write */ at its end");
	s->line_start = false;
	switch (*s->at) {
	case '\0': t.kind = TOKEN_END; return t;
	case '=': return sign(s, t, TOKEN_EQUALS);
	case '{': return sign(s, t, TOKEN_OPEN);
	case '}': return sign(s, t, TOKEN_CLOSE);
	case ',': return sign(s, t, TOKEN_COMMA);
	case '"': return scan_double(s, t);
	case '\'': return scan_single(s, t);
	}
	if (s->at[0] == '+' && s->at[1] == '=') {
		s->at += 2;
		return bad(s, t, "nothing is added to an option with +=; write all with =");
	}
	if (in_word(*s->at))
		return scan_word(s, t);
	s->at++;
	return bad(s, t, "a control character stands here; remove it");
}

char scanner_peek(const struct scanner *s)
{
	const char *p = s->at;

	while (*p == ' ' || *p == '\t')
		p++;
	return ends_line(p) || *p == '#' ? '\0' : *p;
}
