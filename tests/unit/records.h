/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records: configuration records from a text, one statement a line, for tests of what follows the
 * reading: `kind "title" {`, `}`, `name = value`, `name = [first, second]`. Quotes and blanks
 * around values are dropped. It is no reader of configurations: whatever it does not know, it
 * asserts.
 */
#ifndef TESTS_RECORDS_H
#define TESTS_RECORDS_H

#include "lib/base/xalloc.h"
#include "lib/model/config.h"

#include <string.h>

#define RECORDS_FILE "t.conf"

static char *records_trim(const char *from, size_t len)
{
	while (len > 0 && (*from == ' ' || *from == '\t')) {
		from++;
		len--;
	}
	while (len > 0 && (from[len - 1] == ' ' || from[len - 1] == '\t'))
		len--;
	if (len >= 2 && *from == '"' && from[len - 1] == '"') {
		from++;
		len -= 2;
	}
	return xstrndup(from, len);
}

static void records_add_value(struct config_option *o, const char *from, size_t len, unsigned line)
{
	o->values = xreallocarray(o->values, o->n + 1, sizeof(*o->values));
	o->values[o->n++] = (struct config_value){
		.text = records_trim(from, len),
		.file = xstrdup(RECORDS_FILE),
		.line = line,
	};
}

static void records_add_list(struct config_option *o, const char *text, unsigned line)
{
	o->list = true;
	while (*text != ']' && *text != '\0') {
		size_t len = strcspn(text, ",]");

		records_add_value(o, text, len, line);
		text += len;
		if (*text == ',')
			text++;
	}
}

static void records_add_option(
	struct config_section *s, const char *line, const char *equals, unsigned number)
{
	const char *value = equals + 1 + strspn(equals + 1, " ");
	struct config_option *o;

	s->options = xreallocarray(s->options, s->option_count + 1, sizeof(*s->options));
	o = &s->options[s->option_count++];
	*o = (struct config_option){
		.name = records_trim(line, (size_t)(equals - line)),
		.file = xstrdup(RECORDS_FILE),
		.line = number,
	};
	if (*value == '[')
		records_add_list(o, value + 1, number);
	else if (*value != '\0')
		records_add_value(o, value, strlen(value), number);
}

static struct config_section *records_add_section(
	struct config_section *parent, const char *line, unsigned number)
{
	size_t kind_len = strcspn(line, " {"), len = strlen(line) - 1;
	struct config_section *s;

	parent->sections = xreallocarray(
		parent->sections, parent->section_count + 1, sizeof(*parent->sections));
	s = &parent->sections[parent->section_count++];
	*s = (struct config_section){
		.kind = xstrndup(line, kind_len),
		.file = xstrdup(RECORDS_FILE),
		.line = number,
	};
	if (strchr(line, '"') != NULL)
		s->title = records_trim(line + kind_len, len - kind_len);
	return s;
}

/* The caller owns the records. */
static struct config_section records_of(const char *text)
{
	struct config_section root = {.kind = xstrdup(""), .file = xstrdup(RECORDS_FILE)};
	struct config_section *open[8] = {&root};
	unsigned depth = 0;

	for (unsigned number = 1; *text != '\0'; number++) {
		size_t len = strcspn(text, "\n");
		char *line = records_trim(text, len);
		const char *equals = strchr(line, '=');

		if (strcmp(line, "}") == 0) {
			assert(depth > 0);
			depth--;
		} else if (*line != '\0' && line[strlen(line) - 1] == '{') {
			assert(depth + 1 < ARRAY_LEN(open));
			open[depth + 1] = records_add_section(open[depth], line, number);
			depth++;
		} else if (*line != '\0') {
			assert(equals != NULL);
			records_add_option(open[depth], line, equals, number);
		}
		free(line);
		text += len + (text[len] == '\n');
	}
	assert(depth == 0);
	return root;
}

#endif
