/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_log.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/azsim_redact.h"

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

json_t *azsim_log_entry(
	struct wall now, const struct http_request *request, const struct estate_answer *answer)
{
	char time[WALL_TEXT_SIZE];
	struct http_url url = {0};
	mdc_autofree char *query = NULL;
	json_t *entry;

	wall_format(now, time);
	if (http_url_parse(request->url, &url) == 0 && url.query != NULL)
		query = azsim_redact_query(url.query);
	entry = json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:I, s:s, s:I}", "time", time, "method",
		azsim_text(request->method), "host", azsim_text(url.host), "path",
		azsim_text(url.path), "query", azsim_text(query), "status", answer->reply.status,
		"delay_ms", (json_int_t)answer->delay.ms, "delivery",
		delivery_word(answer->delivery), "bytes", (json_int_t)answer->reply.body_len);
	json_object_set_new(entry, "correlation",
		azsim_text(http_headers_get(&request->headers, "x-ms-correlation-request-id")));
	http_url_fini(&url);
	return entry;
}

static void add_body(json_t *half, const char *body, size_t len)
{
	json_t *doc = azsim_redact_body(body, len);

	if (doc != NULL)
		json_object_set_new(half, "body", doc);
}

json_t *azsim_log_pair(const struct http_request *request, const struct estate_answer *answer)
{
	mdc_autofree char *url = azsim_redact_url(request->url);
	json_t *asked = json_pack("{s:o, s:o, s:o}", "method", azsim_text(request->method), "url",
		azsim_text(url), "headers", azsim_redact_headers(&request->headers));
	json_t *said =
		json_pack("{s:o, s:o}", "statusCode", json_sprintf("%d", answer->reply.status),
			"headers", azsim_redact_headers(&answer->reply.headers));

	add_body(asked, request->body, request->body_len);
	add_body(said, answer->reply.body, answer->reply.body_len);
	return json_pack("{s:o, s:o}", "liveRequest", asked, "liveResponse", said);
}
