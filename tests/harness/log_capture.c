/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/log_capture.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

struct captured_entry {
	int priority;
	char *text;
	struct log_field *fields; /* names and values are copies */
	size_t count;
};

/* Places of the entries of one kind. */
struct captured_kind {
	size_t *places;
	size_t count;
};

struct log_capture {
	struct captured_entry *entries;
	size_t count;
	struct captured_kind kinds[LOG_MESSAGE_N_];
};

struct capture_sink {
	struct log_sink base;
	struct log_capture *capture;
};

static void add_place(struct log_capture *c, const char *id, size_t place)
{
	for (unsigned m = 0; m < LOG_MESSAGE_N_; m++) {
		struct captured_kind *kind = &c->kinds[m];

		if (!str_equal(id, log_message_id((enum log_message)m)))
			continue;
		kind->places = xreallocarray(kind->places, kind->count + 1, sizeof(*kind->places));
		kind->places[kind->count++] = place;
	}
}

static int capture(struct log_sink *s, int priority, const char *message_id, const char *message,
	const struct log_field *fields, size_t count)
{
	struct log_capture *c = container_of(s, struct capture_sink, base)->capture;
	struct captured_entry *e;

	c->entries = xreallocarray(c->entries, c->count + 1, sizeof(*c->entries));
	add_place(c, message_id, c->count);
	e = &c->entries[c->count++];
	*e = (struct captured_entry){.priority = priority,
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
		free(e->text);
	}
	for (unsigned m = 0; m < LOG_MESSAGE_N_; m++)
		free(c->kinds[m].places);
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
	return n < c->kinds[m].count ? &c->entries[c->kinds[m].places[n]] : NULL;
}

size_t log_capture_count(const struct log_capture *c, enum log_message m)
{
	return c->kinds[m].count;
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
