/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_entry.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

/* Escaping writes at most four bytes for one, and three for the sign that something was cut. */
#define TEXT_CAP ((LOG_FIELDS_MAX + 1) * (LOG_TEXT_MAX * 4 + 8))

static const struct {
	const char *id;
	int priority;
} kinds[] = {
#define LOG_MESSAGE_KIND(name, message_id, message_priority, what) \
	[LOG_##name##_MESSAGE] = {message_id, message_priority},
	LOG_MESSAGES(LOG_MESSAGE_KIND)
#undef LOG_MESSAGE_KIND
};

const char *log_message_id(enum log_message m)
{
	assert(m < LOG_MESSAGE_N_);
	return kinds[m].id;
}

struct log_entry *log_entry_new(struct log *l, enum log_message m)
{
	struct log_entry *e = xcalloc(1, sizeof(*e));

	assert(m < LOG_MESSAGE_N_);
	list_init(&e->node);
	e->log = l;
	e->kind = m;
	e->priority = kinds[m].priority;
	e->text = BUF_INIT(TEXT_CAP);
	return e;
}

struct log_entry *log_entry_free(struct log_entry *e)
{
	if (e != NULL)
		buf_fini(&e->text);
	free(e);
	return NULL;
}

/* The journal takes no other names, and drops fields with such in silence. */
static bool is_field_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 64 && name[0] >= 'A' && name[0] <= 'Z' &&
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

static size_t add_text(struct log_entry *e, const char *text)
{
	size_t at = e->text.len;
	int error = str_escape(&e->text, text, LOG_TEXT_MAX);

	assert(error == 0);
	(void)error;
	buf_addc(&e->text, '\0');
	return at;
}

void log_add(struct log_entry *e, const char *name, const char *value)
{
	assert(is_field_name(name));
	if (str_empty(value))
		return;
	assert(e->count < LOG_FIELDS_MAX);
	e->names[e->count] = name;
	e->at[e->count++] = add_text(e, value);
}

static size_t add_formatted(struct log_entry *e, const char *format, va_list args) MDC_PRINTF(2, 0);
/* A little longer than what is kept, so that the cut shows. */
static size_t add_formatted(struct log_entry *e, const char *format, va_list args)
{
	char text[LOG_TEXT_MAX + 8];

	vsnprintf(text, sizeof(text), format, args);
	return add_text(e, text);
}

void log_addf(struct log_entry *e, const char *name, const char *format, ...)
{
	va_list args;

	assert(is_field_name(name) && e->count < LOG_FIELDS_MAX);
	va_start(args, format);
	e->names[e->count] = name;
	e->at[e->count++] = add_formatted(e, format, args);
	va_end(args);
}

void log_priority(struct log_entry *e, int priority)
{
	assert(priority >= LOG_EMERG && priority <= LOG_DEBUG);
	e->priority = priority;
}

void log_entry_say(struct log_entry *e, const char *format, va_list args)
{
	e->message_at = add_formatted(e, format, args);
}

size_t log_entry_size(const struct log_entry *e)
{
	return sizeof(*e) + e->text.room;
}

int log_entry_write(const struct log_entry *e, struct log_sink *sink)
{
	struct log_field fields[LOG_FIELDS_MAX];

	for (size_t i = 0; i < e->count; i++)
		fields[i] = (struct log_field){e->names[i], e->text.data + e->at[i]};
	return sink->write(sink, e->priority, log_message_id(e->kind), e->text.data + e->message_at,
		fields, e->count);
}
