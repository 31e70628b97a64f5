/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/token_reply.h"

#include "lib/azure/arm_headers.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define REPLY_MAX (2 * TOKEN_MAX)
/* Managed identities get a day; nothing is believed that lasts longer than two. */
#define LIFETIME_MOST DUR_DAYS(2)
#define CLOCKS_AGREE DUR_MIN(2)

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

/* --- what to do about it --- */

/* Numbers of Entra whose text does not say where in this configuration to look. */
static const struct {
	const char *code;
	const char *advice;
} advices[] = {
	{"AADSTS7000215", "write the value of the secret into secret-file, not its id"},
	{"AADSTS7000222", "make a new secret in Entra and write it into secret-file"},
	{"AADSTS700016", "check client and tenant of the identity"},
	{"AADSTS700027",
		"add this certificate to the application in Entra, or write certificate-chain = on "
		"where it trusts a subject name"},
	{"AADSTS700213", "compare the federated credentials of the application with the token"},
	{"AADSTS70021", "compare the federated credentials of the application with the token"},
	{"AADSTS700211", "compare the federated credentials of the application with the token"},
	{"AADSTS700212", "compare the federated credentials of the application with the token"},
	{"AADSTS90002", "check tenant and cloud of the identity"},
	{"AADSTS500011", "check audience of the cloud"},
};

void token_reply_advise(struct arm_error *e, const char *advice)
{
	static const char *const marks[] = {" Trace ID:", "\r\nTrace ID:", "\nTrace ID:"};
	size_t cut = strlen(e->message), end;
	char whole[ARM_ERROR_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		const char *mark = strstr(e->message, marks[i]);

		if (mark != NULL && (size_t)(mark - e->message) < cut)
			cut = (size_t)(mark - e->message);
	}
	end = cut - (cut > 0 && e->message[cut - 1] == '.');
	snprintf(whole, sizeof(whole), "%.*s; %s%s%s", (int)end, e->message, advice,
		e->message[cut] != '\0' ? "." : "", e->message + cut);
	memcpy(e->message, whole, sizeof(whole));
}

/* An assertion that is too old or too new may be one of ours, made by a clock that is wrong. */
static void advise_about_clock(
	const struct http_headers *headers, struct wall now, struct arm_error *e)
{
	const char *date = http_headers_get(headers, "Date");
	char length[DUR_TEXT_SIZE], advice[128];
	struct wall theirs;
	int64_t ahead;

	if (date == NULL || wall_parse_http(date, &theirs) != 0)
		return;
	ahead = wall_since(now, theirs).ms;
	if (ahead > -CLOCKS_AGREE.ms && ahead < CLOCKS_AGREE.ms)
		return;
	dur_format(DUR_MS(ahead < 0 ? -ahead : ahead), length);
	snprintf(advice, sizeof(advice), "the clock of this machine is %s %s", length,
		ahead < 0 ? "behind" : "ahead");
	token_reply_advise(e, advice);
}

static void advise(const struct http_headers *headers, struct wall now, struct arm_error *e)
{
	for (size_t i = 0; i < ARRAY_LEN(advices); i++)
		if (str_equal(e->code, advices[i].code))
			token_reply_advise(e, advices[i].advice);
	if (str_equal(e->code, "AADSTS700024"))
		advise_about_clock(headers, now, e);
}

/* --- answers --- */

static void read_failure(const struct http_reply *reply, struct wall now, struct token_outcome *ret)
{
	arm_error_read(reply->status, reply->body, reply->body_len, &ret->failure);
	take_number(&ret->failure);
	/* Whatever else the endpoint finds wrong is wrong with us. */
	if (!arm_error_is_retryable(ret->failure.class) && reply->status >= 400)
		ret->failure.class = ARM_ERROR_IDENTITY;
	if (!arm_retry_after(&reply->headers, now, &ret->retry_after))
		ret->retry_after = DUR_MS(0);
	advise(&reply->headers, now, &ret->failure);
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
	*ret = seconds < UINT64_C(1) << 40 ? DUR_S((int64_t)seconds) : DUR_S(INT64_C(1) << 40);
	return true;
}

/*
 * Metadata services keep tokens, so that what `expires_in` counts from is not certain; where they
 * say when it ends, that counts as well. False when neither is said.
 */
static bool read_lifetime(const json_t *document, struct wall now, struct dur *ret)
{
	struct dur end;
	bool named = read_seconds(json_object_get(document, "expires_in"), ret);

	if (read_seconds(json_object_get(document, "expires_on"), &end)) {
		struct dur left = wall_since((struct wall){end.ms}, now);

		*ret = named ? dur_min(*ret, left) : left;
		named = true;
	}
	*ret = dur_min(*ret, LIFETIME_MOST);
	return named;
}

static void read_document(const json_t *document, struct wall now, struct token_outcome *ret)
{
	const json_t *token = json_object_get(document, "access_token");
	const json_t *type = json_object_get(document, "token_type");

	if (!json_is_string(token))
		refuse(ret, "the answer holds no access token");
	else if (json_string_length(token) > TOKEN_MAX)
		refuse(ret, "the access token is too long");
	else if (!token_is_header_text(json_string_value(token), json_string_length(token)))
		refuse(ret, "the access token holds bytes that no header may have");
	else if (json_is_string(type) && !str_equal_nocase(json_string_value(type), "Bearer"))
		refuse(ret, "the access token is not a bearer token");
	else if (!read_lifetime(document, now, &ret->lifetime))
		refuse(ret, "the answer does not say how long the access token lasts");
	else if (ret->lifetime.ms <= 0)
		refuse(ret, "the access token has run out already, by the clock of this machine");
	else
		ret->token = xstrdup(json_string_value(token));
	if (!read_seconds(json_object_get(document, "refresh_in"), &ret->refresh_in))
		ret->refresh_in = DUR_MS(0);
	if (!str_copy(ret->client, sizeof(ret->client),
		    json_string_value(json_object_get(document, "client_id"))))
		ret->client[0] = '?';
}

static void wipe_string(const json_t *value)
{
	if (json_is_string(value))
		explicit_bzero((char *)json_string_value(value), json_string_length(value));
}

void token_reply_read(struct http_reply *reply, struct wall now, struct token_outcome *ret)
{
	json_t *document;

	*ret = (struct token_outcome){.failure = {.class = ARM_ERROR_NONE, .status = reply->status},
		.credential_expires = ret->credential_expires};
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
		read_document(document, now, ret);
	else
		refuse(ret, "the answer is not one of a token endpoint");
	wipe_string(json_object_get(document, "access_token"));
	json_decref(document);
}
