/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/jwt_claims.h"

#include "daemon/base64.h"
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <openssl/crypto.h>
#include <string.h>

/* Tokens of members of hundreds of groups have some 20 kB. */
#define CLAIMS_MAX (64 * 1024)
#define WANTED_MAX (8 * 1024)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";

static json_t *read_claims(const char *text, size_t len)
{
	size_t decoded_len = 0;
	char *decoded = base64_decode(text, len, &decoded_len);
	json_t *claims = decoded != NULL ? json_body(decoded, decoded_len) : NULL;

	if (decoded != NULL)
		OPENSSL_cleanse(decoded, decoded_len);
	free(decoded);
	return claims;
}

bool token_object_id(const char *token, char ret[static OBJECT_ID_SIZE])
{
	const char *text = strchr(token, '.'), *end = text != NULL ? strchr(++text, '.') : NULL;
	json_t *claims = NULL;
	bool is_told;

	if (end == NULL || (size_t)(end - text) > CLAIMS_MAX)
		return false;
	claims = read_claims(text, (size_t)(end - text));
	is_told = str_is_guid(json_text(claims, "oid"));
	if (is_told)
		str_copy(ret, OBJECT_ID_SIZE, json_text(claims, "oid"));
	json_decref(claims);
	return is_told;
}

static const char *claims_of(const char *challenge, size_t *ret_len)
{
	static const char name[] = "claims=";
	const char *value;

	if (!str_starts_nocase(challenge, "Bearer") ||
		!str_contains_nocase(challenge, "insufficient_claims"))
		return NULL;
	for (value = challenge; *value != '\0'; value++)
		if (str_starts_nocase(value, name) && strchr(" ,", value[-1]) != NULL)
			break;
	if (*value == '\0')
		return NULL;
	value += strlen(name);
	value += *value == '"';
	*ret_len = strspn(value, alphabet);
	return value;
}

char *jwt_claims_wanted(const struct http_headers *headers)
{
	const char *challenge, *text;
	size_t at = 0, len = 0;

	while ((challenge = http_headers_walk(headers, "WWW-Authenticate", &at)) != NULL) {
		json_t *claims;
		char *wanted;

		text = claims_of(challenge, &len);
		if (text == NULL || len > WANTED_MAX)
			continue;
		claims = read_claims(text, len);
		wanted = claims != NULL ? json_dumps(claims, JSON_COMPACT) : NULL;
		json_decref(claims);
		if (wanted != NULL)
			return wanted;
	}
	return NULL;
}
