/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_records.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define NAME_LENGTH_MAX 64
#define MESSAGE_MAX 1024

struct parser {
	struct reading *reading;
	struct scanner scanner;
	struct token token; /* the present one, not yet used */
	const char *file;
};

#define error_at(p, line, ...) reading_error((p)->reading, (p)->file, line, __VA_ARGS__)

static void advance(struct parser *p)
{
	if (p->reading->stopped)
		p->token = (struct token){.kind = TOKEN_END, .line = p->token.line};
	else
		p->token = scanner_next(&p->scanner);
}

/* --- what a token may be --- */

static bool is_value(const struct token *t)
{
	return t->kind == TOKEN_WORD || t->kind == TOKEN_DOUBLE || t->kind == TOKEN_SINGLE;
}

static bool is_name(const struct token *t)
{
	if (t->kind != TOKEN_WORD || t->len > NAME_LENGTH_MAX)
		return false;
	for (size_t i = 0; i < t->len; i++) {
		char c = str_lower(t->start[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
			return false;
	}
	return true;
}

static bool is_followed_by(const struct parser *p, const char *signs)
{
	char next = scanner_peek(&p->scanner);

	return next != '\0' && strchr(signs, next) != NULL;
}

/* The part of "env=lab" before the sign, which nobody writes of an option. */
static bool is_pair(const struct parser *p)
{
	return is_value(&p->token) && *p->scanner.at == '=' && p->scanner.at[1] != ' ';
}

/* Where a statement may begin, seen from the middle of a broken one. */
static bool begins_statement(const struct parser *p)
{
	return is_name(&p->token) && (p->token.first || is_followed_by(p, "={\"'"));
}

/* After an error: on to the next statement, or to the end of this section. */
static void recover(struct parser *p)
{
	unsigned depth = 0;

	for (;; advance(p)) {
		if (p->token.kind == TOKEN_END)
			return;
		if (p->token.kind == TOKEN_OPEN)
			depth++;
		else if (p->token.kind == TOKEN_CLOSE && depth-- == 0)
			return;
		else if (depth == 0 && begins_statement(p))
			return;
	}
}

/* Tells and skips what could not even be cut into tokens. */
static bool skip_bad(struct parser *p, const char *name)
{
	if (p->token.kind != TOKEN_BAD)
		return false;
	error_at(p, p->token.line, "%s: %s", name, p->token.problem);
	advance(p);
	return true;
}

/* --- records --- */

struct name {
	char text[NAME_LENGTH_MAX + 1];
	unsigned line;
};

/* What was written as the value of an option, or as a title. */
struct values {
	struct token *tokens;
	size_t n;
	bool list;
	bool broken; /* and told */
};

static void values_fini(struct values *v)
{
	free(v->tokens);
}

static void add_value(struct parser *p, struct values *v)
{
	if (v->n < CONFIG_MEMBERS_MAX) {
		v->tokens = xreallocarray(v->tokens, v->n + 1, sizeof(*v->tokens));
		v->tokens[v->n++] = p->token;
	} else if (!v->broken) {
		v->broken = true;
		error_at(p, p->token.line, "the list has more than %d values; shorten it",
			CONFIG_MEMBERS_MAX);
	}
	advance(p);
}

/* `scope "a"`, or the top level, for messages. */
static const char *label(const struct config_section *s, struct buf *ret)
{
	if (*s->kind == '\0')
		return "the top level";
	buf_adds(ret, s->kind);
	if (s->title != NULL) {
		buf_adds(ret, " \"");
		str_escape(ret, s->title, NAME_LENGTH_MAX);
		buf_adds(ret, "\"");
	}
	return buf_str(ret);
}

static const struct config_option *same_option(const struct config_section *s, const char *name)
{
	for (size_t i = 0; i < s->option_count; i++)
		if (str_equal(s->options[i].name, name))
			return &s->options[i];
	return NULL;
}

/* Titles that differ only in case would be taken for each other by people. */
static const struct config_section *same_section(
	const struct config_section *parent, const char *kind, const char *title)
{
	for (size_t i = 0; i < parent->section_count; i++)
		if (str_equal(parent->sections[i].kind, kind) &&
			str_equal_nocase(parent->sections[i].title, title))
			return &parent->sections[i];
	return NULL;
}

static bool has_room(struct parser *p, const struct config_section *s, unsigned line)
{
	mdc_cleanup(buf_fini) struct buf where = BUF_INIT(MESSAGE_MAX);

	if (s->option_count < CONFIG_MEMBERS_MAX && s->section_count < CONFIG_MEMBERS_MAX)
		return true;
	error_at(p, line,
		"there are more than %d options or sections in %s; write fewer. What follows was "
		"not read",
		CONFIG_MEMBERS_MAX, label(s, &where));
	p->reading->stopped = p->reading->incomplete = true;
	return false;
}

static void keep_option(struct parser *p, struct config_section *s, const struct name *name,
	const struct values *v, char **take_texts)
{
	struct config_option option = {
		.name = xstrdup(name->text),
		.file = xstrdup(p->file),
		.line = name->line,
		.values = xcalloc(v->n + 1, sizeof(*option.values)),
		.list = v->list && take_texts != NULL,
	};

	for (size_t i = 0; i < v->n && take_texts != NULL; i++)
		option.values[option.n++] = (struct config_value){
			.text = mdc_take(take_texts[i]),
			.file = xstrdup(p->file),
			.line = v->tokens[i].line,
		};
	s->options = xreallocarray(s->options, s->option_count + 1, sizeof(*s->options));
	s->options[s->option_count++] = option;
}

static void add_option(
	struct parser *p, struct config_section *s, const struct name *name, const struct values *v)
{
	const struct config_option *first = same_option(s, name->text);
	mdc_cleanup(buf_fini) struct buf where = BUF_INIT(MESSAGE_MAX);
	char **texts = NULL;

	if (!v->broken)
		texts = config_values_read(p->reading, p->file, name->text, v->tokens, v->n);
	if (first != NULL)
		error_at(p, name->line, "%s is set in %s already (%s:%u); remove one of the two",
			name->text, label(s, &where), first->file, first->line);
	else if (has_room(p, s, name->line))
		keep_option(p, s, name, v, texts);
	for (size_t i = 0; i < v->n && texts != NULL; i++)
		free(texts[i]);
	free(texts);
}

/* --- values --- */

static void read_single(struct parser *p, const struct name *name, struct values *v)
{
	add_value(p, v);
	if (p->token.kind == TOKEN_COMMA) {
		v->broken = true;
		error_at(p, p->token.line,
			"%s: a comma stands only in a list; remove it, or write { \"…\", \"…\" }",
			name->text);
		advance(p);
		recover(p);
	} else if (is_value(&p->token) && !p->token.first && !begins_statement(p)) {
		v->broken = true;
		error_at(p, p->token.line,
			"%s: a second value stands here; write a text with blanks in quotes, and "
			"a list as { \"…\", \"…\" }",
			name->text);
		recover(p);
	}
}

/* Where a value belongs: "a =", and another option or section in its place. */
static bool is_next_statement(const struct parser *p)
{
	return is_name(&p->token) && is_followed_by(p, p->token.first ? "={\"'" : "=");
}

/* "env=lab" without quotes; told, and skipped. */
static void skip_pair(struct parser *p, const struct name *name, struct values *v)
{
	v->broken = true;
	error_at(p, p->token.line, "%s: a value with = stands in quotes; write \"NAME=VALUE\"",
		name->text);
	advance(p);
	advance(p);
	if (is_value(&p->token) && !p->token.first)
		advance(p);
}

struct list_state {
	bool value_before; /* a comma or the end belongs here */
	bool told;         /* the token before was an error: what follows from it is none */
};

/* Past the closing brace of what is not read. */
static void skip_body(struct parser *p)
{
	for (unsigned depth = 1; depth > 0 && p->token.kind != TOKEN_END; advance(p))
		if (p->token.kind == TOKEN_OPEN)
			depth++;
		else if (p->token.kind == TOKEN_CLOSE)
			depth--;
}

/* What is no value, in the middle of a list. */
static void skip_in_list(struct parser *p, const struct name *name, struct list_state *state)
{
	bool told = state->told, comma = p->token.kind == TOKEN_COMMA;

	*state = (struct list_state){.value_before = !comma, .told = true};
	if (skip_bad(p, name->text))
		return;
	if (!told)
		error_at(p, p->token.line, "%s: %s", name->text,
			comma ? "there is a comma too many; remove it"
			      : "a value belongs here; write \"…\"");
	if (p->token.kind == TOKEN_OPEN) {
		advance(p);
		skip_body(p);
	} else
		advance(p);
}

/* The end of the text, or an option or section that was hardly meant to be a value. */
static bool is_beyond_list(const struct parser *p)
{
	if (p->token.kind == TOKEN_END)
		return true;
	return is_name(&p->token) && is_followed_by(p, "={") && !is_pair(p);
}

/* One step through a list; false where it is over. */
static bool read_list_part(
	struct parser *p, const struct name *name, struct values *v, struct list_state *state)
{
	if (p->token.kind == TOKEN_CLOSE) {
		advance(p);
		return false;
	}
	if (is_beyond_list(p)) {
		v->broken = true;
		if (!state->told)
			error_at(p, name->line,
				"%s: the list does not end; write } after its last value",
				name->text);
		return false;
	}
	if (is_pair(p)) {
		skip_pair(p, name, v);
		*state = (struct list_state){.value_before = true, .told = true};
	} else if (p->token.kind == TOKEN_COMMA && state->value_before) {
		advance(p);
		*state = (struct list_state){0};
	} else if (is_value(&p->token)) {
		if (state->value_before && !state->told)
			error_at(p, p->token.line,
				"%s: a comma is missing before this value; write { \"…\", \"…\" }",
				name->text);
		add_value(p, v);
		*state = (struct list_state){.value_before = true};
	} else {
		v->broken = true;
		skip_in_list(p, name, state);
	}
	return true;
}

static void read_option(struct parser *p, struct config_section *s, const struct name *name)
{
	mdc_cleanup(values_fini) struct values v = {0};
	struct list_state state = {0};

	advance(p);
	if (p->token.kind == TOKEN_OPEN) {
		v.list = true;
		advance(p);
		while (read_list_part(p, name, &v, &state))
			;
	} else if (is_pair(p) && !p->token.first)
		skip_pair(p, name, &v);
	else if (is_value(&p->token) && !is_next_statement(p))
		read_single(p, name, &v);
	else {
		v.broken = true;
		if (!skip_bad(p, name->text))
			error_at(p, name->line, "%s: there is no value after the =; write one",
				name->text);
		recover(p);
	}
	add_option(p, s, name, &v);
}

/* --- statements --- */

static void read_body(struct parser *p, struct config_section *s, unsigned depth);

/* A second section of that name is read, too: there may be errors in it. */
static void read_section(struct parser *p, struct config_section *parent, const struct name *name,
	char *take_title, unsigned depth)
{
	const struct config_section *first = same_section(parent, name->text, take_title);
	struct config_section s = {
		.kind = xstrdup(name->text),
		.title = take_title,
		.file = xstrdup(p->file),
		.line = name->line,
	};
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);

	if (first != NULL)
		error_at(p, name->line,
			"there is a section %s already (%s:%u); write all into one%s",
			label(&s, &text), first->file, first->line,
			take_title != NULL ? ", or another title" : "");
	advance(p);
	read_body(p, &s, depth + 1);
	if (first != NULL || !has_room(p, parent, name->line)) {
		config_section_fini(&s);
		return;
	}
	parent->sections = xreallocarray(
		parent->sections, parent->section_count + 1, sizeof(*parent->sections));
	parent->sections[parent->section_count++] = s;
}

/* The name is followed by neither = nor {: it counts as an option without a value. */
static void missing_sign(struct parser *p, struct config_section *s, const struct name *name)
{
	const struct values none = {.broken = true};

	if (!skip_bad(p, name->text))
		error_at(p, name->line,
			"%s: neither = nor { follows; write %s = …, or %s { … } for a section",
			name->text, name->text, name->text);
	recover(p);
	add_option(p, s, name, &none);
}

static void read_title(
	struct parser *p, struct config_section *parent, const struct name *name, unsigned depth)
{
	mdc_cleanup(values_fini) struct values v = {0};
	char **texts, *title;

	add_value(p, &v);
	if (p->token.kind != TOKEN_OPEN) {
		missing_sign(p, parent, name);
		return;
	}
	texts = config_values_read(p->reading, p->file, name->text, v.tokens, v.n);
	title = texts != NULL ? texts[0] : xstrdup("?");
	free(texts);
	read_section(p, parent, name, title, depth);
}

static void read_statement(struct parser *p, struct config_section *s, unsigned depth)
{
	struct name name = {.line = p->token.line};

	memcpy(name.text, p->token.start, p->token.len);
	advance(p);
	if (p->token.kind == TOKEN_EQUALS)
		read_option(p, s, &name);
	else if (p->token.kind == TOKEN_OPEN)
		read_section(p, s, &name, NULL, depth);
	else if (is_value(&p->token) && !is_next_statement(p))
		read_title(p, s, &name, depth);
	else
		missing_sign(p, s, &name);
}

/* What is no statement at all. */
static void skip_misplaced(struct parser *p)
{
	const char *problem = "a name belongs here, of letters, digits and -, without quotes";

	if (p->token.kind == TOKEN_BAD)
		problem = p->token.problem;
	else if (p->token.kind == TOKEN_COMMA)
		problem = "options stand without commas between them; remove it";
	else if (p->token.kind == TOKEN_OPEN)
		problem = "there is no name before the {; write one";
	else if (p->token.kind == TOKEN_EQUALS)
		problem = "there is no name before the =; write one";
	else if (p->token.kind == TOKEN_CLOSE)
		problem = "no section is open here; remove the }";
	error_at(p, p->token.line, "%s", problem);
	if (p->token.kind != TOKEN_OPEN)
		advance(p);
	/* At the top level no } ends the skipping. */
	if (p->token.kind != TOKEN_CLOSE)
		recover(p);
}

/* Past the closing brace, or at the top level to the end of the text. */
static void read_body(struct parser *p, struct config_section *s, unsigned depth)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);

	if (depth > CONFIG_NESTING_MAX) {
		error_at(p, s->line, "sections stand deeper than %d in each other; remove %s",
			CONFIG_NESTING_MAX, label(s, &text));
		skip_body(p);
		return;
	}
	while (p->token.kind != TOKEN_END) {
		if (p->token.kind == TOKEN_CLOSE && depth > 0) {
			advance(p);
			return;
		}
		if (is_name(&p->token))
			read_statement(p, s, depth);
		else
			skip_misplaced(p);
	}
	if (depth > 0)
		error_at(p, s->line, "the section %s is not closed; write } at its end",
			label(s, &text));
}

void config_records_read(
	struct reading *r, const char *text, const char *file, struct config_section *root)
{
	struct parser p = {.reading = r, .file = file};

	scanner_init(&p.scanner, text);
	advance(&p);
	read_body(&p, root, 0);
}
