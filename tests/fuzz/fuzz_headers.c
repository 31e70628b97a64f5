/* SPDX-License-Identifier: Apache-2.0 */
/* Response headers, one "Name: value" a line, and the dates, numbers and URLs in their values. */
#include "lib/azure/arm_headers.h"
#include "lib/azure/long_running.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_times(const char *value)
{
	char text[WALL_TEXT_SIZE];
	struct wall t, again;

	if (wall_parse(value, &t) == 0 && t.ms >= INT64_C(-62167219200000) &&
		t.ms <= INT64_C(253402300799999)) {
		wall_format(t, text);
		must(wall_parse(text, &again) == 0 && again.ms == t.ms);
	}
	if (wall_parse_http(value, &t) == 0) {
		wall_format_http(t, text);
		must(wall_parse_http(text, &again) == 0 && again.ms == t.ms);
	}
	if (wall_parse_date_end(value, &t) == 0) {
		wall_format(t, text);
		must(strncmp(text, value, 10) == 0);
	}
}

static void check_texts(const char *value)
{
	mdc_cleanup(buf_fini) struct buf escaped = BUF_INIT(1 << 20);
	struct dur d, again;
	struct http_url url;
	uint64_t number;
	char text[32];

	if (str_parse_duration(value, &d) == 0) {
		str_format_duration(d, text, sizeof(text));
		must(str_parse_duration(text, &again) == 0 && again.ms == d.ms);
	}
	(void)!str_parse_u64(value, 1000, &number);
	if (http_url_parse(value, &url) == 0) {
		must(http_url_same_origin(value, value));
		http_url_fini(&url);
	} else {
		must(!http_url_same_origin(value, value));
	}
	(void)str_escape(&escaped, value, 1000);
	for (size_t i = 0; i < escaped.len; i++)
		must((unsigned char)escaped.data[i] >= 0x20);
}

static void take_line(struct http_headers *h, char *line)
{
	char *colon = strchr(line, ':');

	if (colon == NULL || colon == line)
		return;
	*colon = '\0';
	http_headers_add(h, line, colon + 1 + strspn(colon + 1, " "));
}

static void check_limits(const struct http_headers *h)
{
	const struct wall now = {INT64_C(1795528800000)};
	struct graph_quota quota;
	struct arm_limit limit;
	struct arm_trace trace;
	struct dur wait;
	size_t at = 0;

	if (arm_retry_after(h, now, &wait))
		must(wait.ms >= 0 && wait.ms <= DUR_DAYS(30).ms);
	if (graph_quota_read(h, &quota))
		must(quota.resets_after.ms >= 0 && quota.resets_after.ms <= DUR_DAYS(30).ms);
	while (arm_limit_walk(h, &at, &limit))
		must((limit.scope == ARM_LIMIT_RESOURCE) == (limit.policy != NULL) &&
			(limit.policy == NULL || limit.policy_len > 0));
	arm_trace_read(h, &trace);
	must(trace.request_id != NULL);
}

static void check_operation(struct http_headers *h)
{
	struct http_reply reply = {.status = 202, .headers = *h};
	const struct wall now = {INT64_C(1795528800000)};
	struct operation_poll poll;
	struct arm_error error;

	must(operation_started(&reply, "PUT", "https://h", now, &poll, &error) ==
		OPERATION_RUNNING);
	must(poll.url == NULL || http_url_same_origin(poll.url, "https://h"));
	must(poll.after.ms >= 1000 && poll.after.ms <= 600000);
	operation_poll_fini(&poll);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mdc_autofree char *text = xstrndup((const char *)data, size);
	struct http_headers h = {0};
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		take_line(&h, line);
	for (size_t i = 0; i < h.n; i++) {
		check_times(h.v[i].value);
		check_texts(h.v[i].value);
	}
	check_limits(&h);
	check_operation(&h);
	http_headers_fini(&h);
	return 0;
}
