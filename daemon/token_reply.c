/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/token_reply.h"

#include "lib/azure/arm_headers.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <string.h>

#define REPLY_MAX (2 * TOKEN_MAX)
/* Managed identities get a day; nothing is believed that lasts longer than two. */
#define LIFETIME_MOST DUR_DAYS(2)

static void refuse(struct token_outcome *ret, const char *why)
{
	ret->failure = (struct arm_error){.class = ARM_ERROR_TRANSIENT, .status = 200};
	str_copy(ret->failure.code, sizeof(ret->failure.code), "TokenReply");
	str_copy(ret->failure.message, sizeof(ret->failure.message), why);
}

/* "AADSTS7000222: The provided client secret keys are expired…": its number says most. */
static void take_number(struct arm_error *e)
{
	size_t len = strspn(e->message, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

	if (!str_starts_nocase(e->message, "AADSTS") || e->message[len] != ':' ||
		len >= sizeof(e->code))
		return;
	memcpy(e->code, e->message, len);
	e->code[len] = '\0';
}

static void read_failure(const struct http_reply *reply, struct wall now, struct token_outcome *ret)
{
	arm_error_read(reply->status, reply->body, reply->body_len, &ret->failure);
	take_number(&ret->failure);
	/* Whatever else the endpoint finds wrong is wrong with us. */
	if (!arm_error_is_retryable(ret->failure.class) && reply->status >= 400)
		ret->failure.class = ARM_ERROR_IDENTITY;
	if (!arm_retry_after(&reply->headers, now, &ret->retry_after))
		ret->retry_after = DUR_MS(0);
}

/* A number, or a number as text (IMDS). False when it is neither or absurd. */
static bool read_seconds(const json_t *value, struct dur *ret)
{
	uint64_t seconds;

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		seconds = (uint64_t)json_integer_value(value);
	else if (!json_is_string(value) ||
		str_parse_u64(json_string_value(value), UINT64_MAX, &seconds) != 0)
		return false;
	*ret = seconds < UINT64_C(1) << 31 ? DUR_S((int64_t)seconds) : LIFETIME_MOST;
	*ret = dur_min(*ret, LIFETIME_MOST);
	return true;
}

/* It becomes a header: visible ASCII and nothing else. */
static bool is_header_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	return len > 0;
}

static void read_document(const json_t *document, struct token_outcome *ret)
{
	const json_t *token = json_object_get(document, "access_token");
	const json_t *type = json_object_get(document, "token_type");

	if (!json_is_string(token))
		refuse(ret, "the answer holds no access token");
	else if (json_string_length(token) > TOKEN_MAX)
		refuse(ret, "the access token is too long");
	else if (!is_header_text(json_string_value(token), json_string_length(token)))
		refuse(ret, "the access token holds bytes that no header may have");
	else if (json_is_string(type) && !str_equal_nocase(json_string_value(type), "Bearer"))
		refuse(ret, "the access token is not a bearer token");
	else if (!read_seconds(json_object_get(document, "expires_in"), &ret->lifetime) ||
		ret->lifetime.ms == 0)
		refuse(ret, "the answer does not say how long the access token lasts");
	else
		ret->token = xstrdup(json_string_value(token));
	if (!read_seconds(json_object_get(document, "refresh_in"), &ret->refresh_in))
		ret->refresh_in = DUR_MS(0);
}

static void wipe_string(const json_t *value)
{
	if (json_is_string(value))
		explicit_bzero((char *)json_string_value(value), json_string_length(value));
}

void token_reply_read(struct http_reply *reply, struct wall now, struct token_outcome *ret)
{
	json_t *document;

	*ret = (struct token_outcome){
		.failure = {.class = ARM_ERROR_NONE, .status = reply->status}};
	if (reply->status < 200 || reply->status >= 300) {
		read_failure(reply, now, ret);
		return;
	}
	if (reply->status != 200 || reply->body_len > REPLY_MAX) {
		refuse(ret, "the answer is not one of a token endpoint");
		return;
	}
	document = json_loadb(reply->body, reply->body_len, 0, NULL);
	if (json_is_object(document))
		read_document(document, ret);
	else
		refuse(ret, "the answer is not one of a token endpoint");
	wipe_string(json_object_get(document, "access_token"));
	json_decref(document);
}
