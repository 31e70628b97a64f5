/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log.h"

#include "daemon/loop.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64 * 1024)
#define PAUSE_MS 250

/* What a sentence does not say and a reader at a terminal wants: for the fields of log.h's users.
 */
static const struct {
	const char *field;
	const char *label;
} shown[] = {{"MDCD_SCOPE", "scope"}, {"MDCD_RING", "ring"}, {"MDCD_ERROR_CODE", "code"},
	{"MDCD_HTTP_STATUS", "status"}, {"MDCD_CORRELATION_ID", "correlation"},
	{"MDCD_REQUEST_ID", "request"}};

enum stderr_style {
	STYLE_PLAIN,
	STYLE_COLOUR,
	STYLE_STREAM, /* journald reads it: it adds the time and takes the priority from "<N>" */
};

struct log_sink_stderr {
	struct log_sink base;
	enum stderr_style style;
	struct buf line;
};

/* "device:inode" of the stream that systemd gave us as stderr. */
bool log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	return str_equal(stream, ours);
}

static enum stderr_style pick_style(void)
{
	if (log_stderr_is_journal())
		return STYLE_STREAM;
	if (isatty(STDERR_FILENO) == 1 && str_empty(getenv("NO_COLOR")) &&
		!str_equal(getenv("TERM"), "dumb"))
		return STYLE_COLOUR;
	return STYLE_PLAIN;
}

static const char *colour_of(int priority)
{
	switch (priority) {
	case LOG_EMERG:
	case LOG_ALERT:
	case LOG_CRIT:
	case LOG_ERR: return "\x1b[31m";
	case LOG_WARNING: return "\x1b[33m";
	case LOG_NOTICE: return "\x1b[1m";
	}
	return "";
}

static void add_time(struct buf *line)
{
	time_t now = loop_ev_wall_now().ms / 1000;
	struct tm local;
	char text[16];

	localtime_r(&now, &local);
	strftime(text, sizeof(text), "%H:%M:%S ", &local);
	buf_adds(line, text);
}

static void add_fields(struct buf *line, const struct log_field *fields, size_t count)
{
	const char *open = " (";

	for (size_t s = 0; s < ARRAY_LEN(shown); s++)
		for (size_t i = 0; i < count; i++) {
			if (strcmp(fields[i].name, shown[s].field) != 0)
				continue;
			buf_addf(line, "%s%s %s", open, shown[s].label, fields[i].value);
			open = ", ";
		}
	if (*open == ',')
		buf_addc(line, ')');
}

static void compose(struct log_sink_stderr *s, int priority, const char *message,
	const struct log_field *fields, size_t count)
{
	const char *colour = s->style == STYLE_COLOUR ? colour_of(priority) : "";

	buf_reset(&s->line);
	if (s->style == STYLE_STREAM)
		buf_addf(&s->line, "<%d>", priority);
	else
		add_time(&s->line);
	buf_addf(&s->line, "%s%s%s", colour, message, *colour != '\0' ? "\x1b[0m" : "");
	add_fields(&s->line, fields, count);
	buf_addc(&s->line, '\n');
}

static bool writable_soon(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, PAUSE_MS) > 0;
}

/* Nobody may read stderr; the line that is begun is given up rather than repeated. */
static int stderr_write(struct log_sink *base, int priority, const char *message_id,
	const char *message, const struct log_field *fields, size_t count)
{
	struct log_sink_stderr *s = container_of(base, struct log_sink_stderr, base);
	size_t done = 0;

	(void)message_id;
	if (!writable_soon())
		return -EAGAIN;
	compose(s, priority, message, fields, count);
	while (done < s->line.len) {
		ssize_t n = write(STDERR_FILENO, s->line.data + done, s->line.len - done);

		if (n > 0)
			done += (size_t)n;
		else if (errno == EAGAIN && done == 0)
			return -EAGAIN;
		else if (errno != EINTR && (errno != EAGAIN || !writable_soon()))
			return errno == EAGAIN ? 0 : -errno;
	}
	return 0;
}

static struct log_sink *stderr_free(struct log_sink *base)
{
	struct log_sink_stderr *s = container_of(base, struct log_sink_stderr, base);

	buf_fini(&s->line);
	free(s);
	return NULL;
}

struct log_sink *log_sink_stderr(void)
{
	struct log_sink_stderr *s = xcalloc(1, sizeof(*s));

	s->base = (struct log_sink){.write = stderr_write, .free = stderr_free};
	s->style = pick_style();
	s->line = BUF_INIT(LINE_MAX_BYTES);
	tzset();
	return &s->base;
}
