/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_log.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define QUERY_MAX (1 << 20)

struct azsim_log {
	FILE *file; /* NULL: nothing is kept */
	bool dirty;
	bool broken; /* said once */
};

int azsim_log_open(const char *name, struct azsim_log **ret)
{
	struct azsim_log log = {0};

	if (name != NULL) {
		log.file = fopen(name, "ae");
		if (log.file == NULL) {
			int error = -errno;

			fprintf(stderr, "azsim: %s: %s\n", name, strerror(-error));
			return error;
		}
	}
	*ret = xmemdup(&log, sizeof(log));
	return 0;
}

struct azsim_log *azsim_log_close(struct azsim_log *log)
{
	if (log == NULL)
		return NULL;
	azsim_log_flush(log);
	if (log->file != NULL)
		fclose(log->file);
	free(log);
	return NULL;
}

static bool may_be_shown(const char *name, size_t len)
{
	static const char *const names[] = {"api-version", "$filter", "%24filter", "$expand",
		"%24expand", "$select", "%24select", "$top", "%24top", "t"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == len && str_starts_nocase(name, names[i]))
			return true;
	return false;
}

static char *redact(const char *query)
{
	struct buf text = BUF_INIT(QUERY_MAX);

	for (;;) {
		size_t len = strcspn(query, "&");
		size_t name = strcspn(query, "=&");

		if (name == len || may_be_shown(query, name))
			buf_add(&text, query, len);
		else
			buf_addf(&text, "%.*s=***", (int)name, query);
		if (query[len] == '\0')
			return buf_steal(&text);
		buf_addc(&text, '&');
		query += len + 1;
	}
}

static const char *delivery_word(enum estate_delivery delivery)
{
	switch (delivery) {
	case ESTATE_ANSWERED: return "answered";
	case ESTATE_HANGS: return "hangs";
	case ESTATE_RESETS: return "resets";
	case ESTATE_TRUNCATES: return "truncates";
	case ESTATE_REFUSED: return "refused";
	}
	return "unknown";
}

static json_t *text_of(const char *text)
{
	mdc_cleanup(buf_fini) struct buf safe = BUF_INIT(QUERY_MAX);
	json_t *value = text != NULL ? json_string(text) : json_null();

	if (value != NULL)
		return value;
	/* Not UTF-8. */
	(void)str_escape(&safe, text, QUERY_MAX / 8);
	return json_string(buf_str(&safe));
}

static json_t *entry_of(
	struct wall now, const struct http_request *request, const struct estate_answer *answer)
{
	char time[WALL_TEXT_SIZE];
	struct http_url url = {0};
	mdc_autofree char *query = NULL;
	json_t *entry;

	wall_format(now, time);
	if (http_url_parse(request->url, &url) == 0 && url.query != NULL)
		query = redact(url.query);
	entry = json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:I, s:s, s:I}", "time", time, "method",
		text_of(request->method), "host", text_of(url.host), "path", text_of(url.path),
		"query", text_of(query), "status", answer->reply.status, "delay_ms",
		(json_int_t)answer->delay.ms, "delivery", delivery_word(answer->delivery), "bytes",
		(json_int_t)answer->reply.body_len);
	json_object_set_new(entry, "correlation",
		text_of(http_headers_get(&request->headers, "x-ms-correlation-request-id")));
	http_url_fini(&url);
	return entry;
}

static void say_broken(struct azsim_log *log)
{
	if (!log->broken)
		perror("azsim: the request log cannot be written");
	log->broken = true;
}

void azsim_log_add(struct azsim_log *log, struct wall now, const struct http_request *request,
	const struct estate_answer *answer)
{
	json_t *entry;

	if (log->file == NULL)
		return;
	entry = entry_of(now, request, answer);
	if (json_dumpf(entry, log->file, JSON_COMPACT | JSON_ENSURE_ASCII) != 0 ||
		fputc('\n', log->file) == EOF)
		say_broken(log);
	log->dirty = true;
	json_decref(entry);
}

void azsim_log_flush(struct azsim_log *log)
{
	if (log->dirty && fflush(log->file) != 0)
		say_broken(log);
	log->dirty = false;
}
