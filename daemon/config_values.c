/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_values.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <confuse.h>
#include <stdarg.h>
#include <string.h>

#define STATEMENT_MAX (2u << 20)
#define MESSAGE_MAX 1024

void reading_error(struct reading *r, const char *file, unsigned line, const char *format, ...)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);
	va_list args;

	if (r->stopped)
		return;
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	diag_error(r->diags, file, line, "%s", buf_str(&text));
	if (++r->errors < CONFIG_ERRORS_MAX)
		return;
	r->stopped = r->incomplete = true;
	diag_warning(r->diags, file, line,
		"these are %d errors, and what follows was not read; correct them first",
		CONFIG_ERRORS_MAX);
}

/* --- variables --- */

static bool is_variable_name(const char *name)
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
					 "0123456789";

	return *name != '\0' && (*name < '0' || *name > '9') &&
		name[strspn(name, characters)] == '\0';
}

/* The text between "${" and "}"; NULL after an error. */
static const char *look_up(struct reading *r, const char *file, unsigned line, const char *name)
{
	const char *value = NULL;

	if (!is_variable_name(name)) {
		reading_error(r, file, line,
			"a variable is written ${NAME}, its name of letters, digits and _");
		return NULL;
	}
	if (r->environment != NULL)
		value = r->environment(name);
	if (value == NULL)
		reading_error(r, file, line,
			"${%s} is not set in the environment; set it, or write the value itself",
			name);
	return value;
}

static void add_escaped(struct buf *ret, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("\"\\$", *text) != NULL)
			buf_addc(ret, '\\');
		buf_addc(ret, *text);
	}
}

/* --- what libconfuse shall see --- */

/* What stands at `at` in a token, into text for double quotes; returns how much that was. */
static size_t compose_part(
	struct reading *r, const char *file, const struct token *t, size_t at, struct buf *ret)
{
	const char *p = t->start + at, *close, *value;
	size_t left = t->len - at;
	mdc_autofree char *name = NULL;

	if (t->kind == TOKEN_DOUBLE && *p == '\\') {
		buf_add(ret, p, 2);
		return 2;
	}
	if (left < 2 || memcmp(p, "${", 2) != 0) {
		add_escaped(ret, (char[]){*p, '\0'});
		return 1;
	}
	close = memchr(p, '}', left);
	name = xstrndup(p + 2, close != NULL ? (size_t)(close - p) - 2 : 0);
	value = look_up(r, file, t->line, name);
	if (value != NULL)
		add_escaped(ret, value);
	return close != NULL ? (size_t)(close - p) + 1 : left;
}

static void compose(struct reading *r, const char *file, const struct token *t, struct buf *ret)
{
	/* The quotes that stand there are not part of the text. */
	size_t quote = t->kind == TOKEN_DOUBLE ? 1 : 0;
	struct token inner = *t;

	if (t->kind == TOKEN_SINGLE) {
		buf_add(ret, t->start, t->len);
		return;
	}
	inner.start += quote;
	inner.len -= 2 * quote;
	buf_addc(ret, '"');
	for (size_t at = 0; at < inner.len;)
		at += compose_part(r, file, &inner, at, ret);
	buf_addc(ret, '"');
}

static void silent(cfg_t *cfg, const char *format, va_list args)
{
	(void)cfg;
	(void)format;
	(void)args;
}

/* The texts of the statement "value = { … }"; false unless they are `count`. */
static bool read_statement(const char *statement, size_t count, char **ret)
{
	cfg_opt_t options[] = {CFG_STR_LIST("value", NULL, CFGF_NODEFAULT), CFG_END()};
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	bool good;

	if (cfg == NULL)
		return false;
	cfg_set_error_function(cfg, silent);
	good = cfg_parse_buf(cfg, statement) == CFG_SUCCESS && cfg_size(cfg, "value") == count;
	for (size_t i = 0; i < count && good; i++)
		ret[i] = xstrdup(cfg_getnstr(cfg, "value", (unsigned)i));
	cfg_free(cfg);
	return good;
}

char **config_values_read(struct reading *r, const char *file, const char *name,
	const struct token *tokens, size_t count)
{
	mdc_cleanup(buf_fini) struct buf statement = BUF_INIT(STATEMENT_MAX);
	size_t errors = r->errors;
	char **texts;

	buf_adds(&statement, "value = {");
	for (size_t i = 0; i < count; i++) {
		buf_adds(&statement, i == 0 ? " " : ", ");
		compose(r, file, &tokens[i], &statement);
	}
	buf_adds(&statement, " }");
	if (r->errors > errors || r->stopped)
		return NULL;
	texts = xcalloc(count + 1, sizeof(*texts));
	if (!buf_failed(&statement) && read_statement(buf_str(&statement), count, texts))
		return texts;
	free(texts);
	reading_error(r, file, count > 0 ? tokens[0].line : 0,
		"%s: the value cannot be read; write it shorter, in double quotes", name);
	return NULL;
}
