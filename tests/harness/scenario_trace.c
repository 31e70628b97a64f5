/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace: what the daemon tells its journal, one line an entry, in few words and with the time
 * since the scenario began. Passes that went well, status and the like are left out.
 */
#include "tests/harness/scenario_parts.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>

#define TRACE_MAX (64u << 20)

struct scenario_trace {
	struct buf text;
};

struct scenario_sink {
	struct log_sink base;
	struct log_sink *capture;
	struct scenario *scenario;
};

struct scenario_trace *scenario_trace_new(void)
{
	struct scenario_trace *t = xcalloc(1, sizeof(*t));

	t->text = BUF_INIT(TRACE_MAX);
	return t;
}

struct scenario_trace *scenario_trace_free(struct scenario_trace *t)
{
	buf_fini(&t->text);
	free(t);
	return NULL;
}

/* --- lines --- */

struct entry {
	const char *message;
	const struct log_field *fields;
	size_t count;
};

static const char *field(const struct entry *e, const char *name)
{
	for (size_t i = 0; i < e->count; i++)
		if (str_equal(e->fields[i].name, name))
			return e->fields[i].value;
	return "";
}

/* "+00:03:10", and days where there are any. */
static void add_time(struct buf *b, struct dur since)
{
	int64_t s = since.ms / 1000;

	buf_addc(b, '+');
	if (s >= 86400)
		buf_addf(b, "%lldd ", (long long)(s / 86400));
	buf_addf(b, "%02lld:%02lld:%02lld ", (long long)(s / 3600 % 24), (long long)(s / 60 % 60),
		(long long)(s % 60));
}

/* Machines by name, subscriptions by the end of their id. */
static void add_name(struct buf *b, const char *id)
{
	const char *slash = strrchr(id, '/');
	const char *name = slash != NULL ? slash + 1 : id;

	if (str_is_guid(name))
		buf_addf(b, "sub%s", name + strspn(name + 24, "0") + 24);
	else
		buf_adds(b, name);
}

static void add_transition(struct buf *b, const struct entry *e)
{
	add_name(b, field(e, "MDCD_RESOURCE_ID"));
	buf_addf(b, " %s %s -> %s %s%s", field(e, "MDCD_CONTROL"), field(e, "MDCD_FROM"),
		field(e, "MDCD_TO"), field(e, "MDCD_REASON"),
		*field(e, "MDCD_UNSTORED") != '\0'           ? " (not stored)"
			: *field(e, "MDCD_REPLAYED") != '\0' ? " (again)"
							     : "");
}

static void add_first_sight(struct buf *b, const struct entry *e)
{
	const char *states = strstr(e->message, "observation: ");

	buf_addf(b, "first %s: %s", field(e, "MDCD_CONTROL"),
		states != NULL ? states + strlen("observation: ") : e->message);
}

static void add_write(struct buf *b, const struct entry *e)
{
	const char *target = field(e, "MDCD_TARGET_ID");

	add_name(b, field(e, "MDCD_RESOURCE_ID"));
	buf_addf(b, " %s %.*s ", field(e, "MDCD_CONTROL"), (int)strcspn(e->message, " "),
		e->message);
	add_name(b, target);
}

static void add_failed_write(struct buf *b, const struct entry *e)
{
	const char *code = field(e, "MDCD_ERROR_CODE");

	add_name(b, field(e, "MDCD_RESOURCE_ID"));
	buf_addf(b, " %s failed %s %s", field(e, "MDCD_CONTROL"), field(e, "MDCD_HTTP_STATUS"),
		*code != '\0' ? code : "-");
}

static void add_words(struct buf *b, const char *words, const struct entry *e)
{
	const char *target = field(e, "MDCD_COMMAND");

	buf_addf(b, "%s%s%s", words, *target != '\0' ? " " : "", target);
}

/* False: not a line of the trace. */
static bool add_line(struct buf *b, enum log_message kind, const struct entry *e)
{
	switch (kind) {
	case LOG_TRANSITION_MESSAGE: add_transition(b, e); return true;
	case LOG_FIRST_SIGHT_MESSAGE: add_first_sight(b, e); return true;
	case LOG_WRITE_SENT_MESSAGE: add_write(b, e); return true;
	case LOG_WRITE_FAILED_MESSAGE: add_failed_write(b, e); return true;
	case LOG_STARTED_MESSAGE: add_words(b, "started", e); return true;
	case LOG_STOPPING_MESSAGE: add_words(b, "stopping", e); return true;
	case LOG_HALTED_MESSAGE: add_words(b, "halted", e); return true;
	case LOG_UNHALTED_MESSAGE: add_words(b, "unhalted", e); return true;
	case LOG_UNCONFIRMED_MESSAGE: add_words(b, "unconfirmed", e); return true;
	case LOG_CONFIRMED_MESSAGE: add_words(b, "confirmed", e); return true;
	case LOG_STATE_LOST_MESSAGE: add_words(b, "state lost", e); return true;
	case LOG_STORE_FAILED_MESSAGE: add_words(b, "the store failed", e); return true;
	case LOG_STORE_RECOVERED_MESSAGE: add_words(b, "the store recovered", e); return true;
	case LOG_RELOADED_MESSAGE: add_words(b, "reloaded", e); return true;
	case LOG_RELOAD_FAILED_MESSAGE: add_words(b, "not reloaded", e); return true;
	case LOG_COMMAND_MESSAGE: add_words(b, "command", e); return true;
	case LOG_PAUSED_MESSAGE: buf_addf(b, "gate: %s", e->message); return true;
	case LOG_OBSERVATION_FAILED_MESSAGE:
	case LOG_IDENTITY_MESSAGE:
	case LOG_RULE_MESSAGE:
	case LOG_FAILURE_GROUP_MESSAGE:
	case LOG_CONFLICT_MESSAGE:
	case LOG_CREDENTIAL_MESSAGE:
	case LOG_DEVICES_MESSAGE:
	case LOG_EXPIRED_MESSAGE:
	case LOG_CONFIG_DOUBTFUL_MESSAGE:
	case LOG_NOT_STARTED_MESSAGE:
	case LOG_TROUBLE_MESSAGE: buf_adds(b, e->message); return true;
	case LOG_PASS_MESSAGE:
	case LOG_CONFIG_INVALID_MESSAGE:
	case LOG_CHECKPOINT_MESSAGE:
	case LOG_MESSAGE_N_: break;
	}
	return false;
}

static enum log_message kind_of(const char *message_id)
{
	for (unsigned k = 0; k < LOG_MESSAGE_N_; k++)
		if (str_equal(log_message_id((enum log_message)k), message_id))
			return (enum log_message)k;
	return LOG_MESSAGE_N_;
}

/* --- the sink --- */

static int sink_write(struct log_sink *base, int priority, const char *message_id,
	const char *message, const struct log_field *fields, size_t count)
{
	struct scenario_sink *sink = container_of(base, struct scenario_sink, base);
	struct scenario *s = sink->scenario;
	struct entry e = {message, fields, count};
	struct buf line = BUF_INIT(1 << 16);

	/* Lost with the process: it will be told again. */
	if (s->frozen)
		return 0;
	add_time(&line, scenario_time(s));
	if (add_line(&line, kind_of(message_id), &e))
		buf_addf(&s->trace->text, "%s\n", buf_str(&line));
	buf_fini(&line);
	assert_false(buf_failed(&s->trace->text));
	return sink->capture->write(sink->capture, priority, message_id, message, fields, count);
}

static struct log_sink *sink_free(struct log_sink *base)
{
	struct scenario_sink *sink = container_of(base, struct scenario_sink, base);

	sink->capture->free(sink->capture);
	free(sink);
	return NULL;
}

struct log_sink *scenario_sink_new(struct scenario *s)
{
	struct scenario_sink *sink = xcalloc(1, sizeof(*sink));

	sink->base = (struct log_sink){.write = sink_write, .free = sink_free};
	sink->capture = log_capture_sink(s->log);
	sink->scenario = s;
	return &sink->base;
}

/* --- comparing --- */

const char *scenario_trace(const struct scenario *s)
{
	return buf_str(&s->trace->text);
}

void scenario_trace_clear(struct scenario *s)
{
	buf_reset(&s->trace->text);
}

size_t scenario_traced(const struct scenario *s, const char *text)
{
	size_t n = 0;

	for (const char *at = strstr(scenario_trace(s), text); at != NULL;
		at = strstr(at + 1, text))
		n++;
	return n;
}

static char *read_golden(const char *path)
{
	struct buf text = BUF_INIT(TRACE_MAX);
	char piece[4096];
	FILE *f = fopen(path, "r");
	size_t n;

	if (f == NULL)
		return NULL;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&text, piece, n);
	fclose(f);
	buf_adds(&text, "");
	return buf_steal(&text);
}

static void write_golden(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		fail_msg("%s cannot be written", path);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int line_length(const char *line)
{
	return (int)strcspn(line, "\n");
}

/* Says where they part. */
static void compare(struct scenario *s, const char *path, const char *expected, const char *actual)
{
	unsigned number = 1;

	while (*expected != '\0' || *actual != '\0') {
		int a = line_length(expected), b = line_length(actual);

		if (a != b || strncmp(expected, actual, (size_t)a) != 0)
			scenario_fail(s,
				"%s:%u: expected\n  %.*s\nbut it is\n  %.*s\n"
				"UPDATE_GOLDEN=1 writes it anew",
				path, number, a, expected, b, actual);
		expected += a + (expected[a] == '\n');
		actual += b + (actual[b] == '\n');
		number++;
	}
}

void scenario_golden(struct scenario *s, const char *name)
{
	mdc_autofree char *path = xasprintf("tests/scenario/golden/%s.trace", name);
	mdc_autofree char *expected = NULL;

	if (getenv("UPDATE_GOLDEN") != NULL)
		write_golden(path, scenario_trace(s));
	expected = read_golden(path);
	if (expected == NULL)
		fail_msg("%s is not there (run from the top; UPDATE_GOLDEN=1 writes it)", path);
	compare(s, path, expected, scenario_trace(s));
}
