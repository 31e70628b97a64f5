/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_tokens: cuts the text of a configuration file into words, quoted texts and signs, with
 * their lines. It knows comments and quotes, and decodes nothing: a token is the text as it stands
 * there. It never fails: what cannot be a token is a TOKEN_BAD that says why.
 */
#ifndef MDCD_CONFIG_TOKENS_H
#define MDCD_CONFIG_TOKENS_H

#include "lib/base/base.h"

enum token_kind {
	TOKEN_WORD,   /* without quotes; may hold ${NAME} */
	TOKEN_DOUBLE, /* "…", quotes included; may hold ${NAME} and escapes */
	TOKEN_SINGLE, /* '…' */
	TOKEN_EQUALS,
	TOKEN_OPEN,  /* { */
	TOKEN_CLOSE, /* } */
	TOKEN_COMMA,
	TOKEN_BAD,
	TOKEN_END,
};

struct token {
	enum token_kind kind;
	const char *start;
	size_t len;
	unsigned line;
	bool first;          /* on its line */
	const char *problem; /* of TOKEN_BAD: what is wrong; what to write */
};

struct scanner {
	const char *at; /* NUL-terminated text */
	unsigned line;
	bool line_start;
};

void scanner_init(struct scanner *s, const char *text);
struct token scanner_next(struct scanner *s);
/* The character that follows on the same line, after blanks; '\0' at the end of the line. */
char scanner_peek(const struct scanner *s);

#endif
