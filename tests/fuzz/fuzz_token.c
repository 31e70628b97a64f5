/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of token endpoints, and of a resource-manager that is asked where its cloud signs in. The
 * first line of the input is the HTTP status, the rest the body.
 */
#include "daemon/cloud_discovery.h"
#include "daemon/token_reply.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_token(int status, const char *body, size_t len)
{
	const struct wall now = {INT64_C(1795528800000)};
	struct http_reply reply = {
		.status = status, .body = xmemdup(body, len + 1), .body_len = len};
	struct token_outcome o = {.credential_expires = {7}};

	http_headers_add(&reply.headers, "Date", "Tue, 24 Nov 2026 13:00:00 GMT");
	token_reply_read(&reply, now, &o);
	must((o.token != NULL) == (o.failure.class == ARM_ERROR_NONE));
	must(o.credential_expires.ms == 7);
	must(strnlen(o.client, sizeof(o.client)) < sizeof(o.client));
	must(strnlen(o.failure.message, sizeof(o.failure.message)) < sizeof(o.failure.message));
	if (o.token != NULL) {
		must(token_is_header_text(o.token, strlen(o.token)));
		must(strlen(o.token) <= TOKEN_MAX);
		must(o.lifetime.ms > 0 && o.lifetime.ms <= DUR_DAYS(2).ms);
	}
	secret_free(o.token);
	http_reply_fini(&reply);
}

static void check_endpoints(const char *body, size_t len)
{
	struct cloud_endpoints e;
	struct http_url u;

	if (cloud_discovery_read(body, len, "https://management.azure.com", &e) != 0)
		return;
	must(http_url_parse(e.login, &u) == 0);
	must(str_equal(u.scheme, "https") && str_equal(u.path, "/") && u.query == NULL);
	http_url_fini(&u);
	must(strnlen(e.audience, sizeof(e.audience)) < sizeof(e.audience));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mdc_autofree char *text = xmalloc(size + 1);
	char *body;

	memcpy(text, data, size);
	text[size] = '\0';
	body = memchr(text, '\n', size);
	if (body == NULL)
		return 0;
	body++;
	check_token((int)strtol(text, NULL, 10) % 1000, body, size - (size_t)(body - text));
	check_endpoints(body, size - (size_t)(body - text));
	return 0;
}
