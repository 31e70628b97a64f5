/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/log_capture.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

struct captured_entry {
	int priority;
	char *id;
	char *text;
	struct log_field *fields; /* names and values are copies */
	size_t count;
};

struct log_capture {
	struct captured_entry *entries;
	size_t count;
};

struct capture_sink {
	struct log_sink base;
	struct log_capture *capture;
};

static int capture(struct log_sink *s, int priority, const char *message_id, const char *message,
	const struct log_field *fields, size_t count)
{
	struct log_capture *c = container_of(s, struct capture_sink, base)->capture;
	struct captured_entry *e;

	c->entries = xreallocarray(c->entries, c->count + 1, sizeof(*c->entries));
	e = &c->entries[c->count++];
	*e = (struct captured_entry){.priority = priority,
		.id = xstrdup(message_id),
		.text = xstrdup(message),
		.fields = xcalloc(count + 1, sizeof(*fields)),
		.count = count};
	for (size_t i = 0; i < count; i++)
		e->fields[i] = (struct log_field){
			.name = xstrdup(fields[i].name), .value = xstrdup(fields[i].value)};
	return 0;
}

static struct log_sink *sink_free(struct log_sink *s)
{
	if (s != NULL)
		free(container_of(s, struct capture_sink, base));
	return NULL;
}

struct log_capture *log_capture_new(void)
{
	return xcalloc(1, sizeof(struct log_capture));
}

struct log_capture *log_capture_free(struct log_capture *c)
{
	if (c == NULL)
		return NULL;
	for (size_t i = 0; i < c->count; i++) {
		struct captured_entry *e = &c->entries[i];

		for (size_t k = 0; k < e->count; k++) {
			free((char *)e->fields[k].name);
			free(e->fields[k].value);
		}
		free(e->fields);
		free(e->id);
		free(e->text);
	}
	free(c->entries);
	free(c);
	return NULL;
}

struct log_sink *log_capture_sink(struct log_capture *c)
{
	struct capture_sink *s = xcalloc(1, sizeof(*s));

	s->base = (struct log_sink){.write = capture, .free = sink_free};
	s->capture = c;
	return &s->base;
}

size_t log_capture_total(const struct log_capture *c)
{
	return c->count;
}

const struct captured_entry *log_capture_entry(
	const struct log_capture *c, enum log_message m, size_t n)
{
	for (size_t i = 0; i < c->count; i++)
		if (str_equal(c->entries[i].id, log_message_id(m)) && n-- == 0)
			return &c->entries[i];
	return NULL;
}

size_t log_capture_count(const struct log_capture *c, enum log_message m)
{
	size_t n = 0;

	while (log_capture_entry(c, m, n) != NULL)
		n++;
	return n;
}

const char *captured_text(const struct captured_entry *e)
{
	return e->text;
}

int captured_priority(const struct captured_entry *e)
{
	return e->priority;
}

const char *captured_field(const struct captured_entry *e, const char *name)
{
	for (size_t i = 0; i < e->count; i++)
		if (str_equal(e->fields[i].name, name))
			return e->fields[i].value;
	return NULL;
}

bool log_capture_holds(const struct log_capture *c, const char *text)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct captured_entry *e = &c->entries[i];

		if (strstr(e->text, text) != NULL)
			return true;
		for (size_t k = 0; k < e->count; k++)
			if (strstr(e->fields[k].value, text) != NULL)
				return true;
	}
	return false;
}
