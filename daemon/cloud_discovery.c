/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cloud_discovery.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX (256 * 1024)
#define PATH "/metadata/endpoints?api-version=2022-09-01"
#define BOM "\xef\xbb\xbf"
#define BOM_LEN 3

/* An https URL without a path, as configurations write it. */
static bool take_origin(const char *text, char *ret, size_t size)
{
	struct http_url u;
	bool good;

	if (text == NULL || http_url_parse(text, &u) != 0)
		return false;
	good = str_equal(u.scheme, "https") && str_equal(u.path, "/") && u.query == NULL &&
		strchr(text, '#') == NULL;
	if (good) {
		size_t len = strlen(text);

		len -= text[len - 1] == '/';
		good = (size_t)snprintf(ret, size, "%.*s", (int)len, text) < size;
	}
	http_url_fini(&u);
	return good;
}

static bool same_audience(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);

	a_len -= a_len > 0 && a[a_len - 1] == '/';
	b_len -= b_len > 0 && b[b_len - 1] == '/';
	return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

static void take_audiences(const json_t *list, const char *audience, struct cloud_endpoints *ret)
{
	size_t i;
	json_t *one;

	json_array_foreach (list, i, one) {
		const char *text = json_string_value(one);
		struct http_url u;

		if (text == NULL || http_url_parse(text, &u) != 0)
			continue;
		http_url_fini(&u);
		if (*ret->audience == '\0' && !str_copy(ret->audience, sizeof(ret->audience), text))
			ret->audience[0] = '\0';
		ret->known = ret->known || same_audience(text, audience);
	}
}

int cloud_discovery_read(
	const char *body, size_t len, const char *audience, struct cloud_endpoints *ret)
{
	struct cloud_endpoints found = {.known = false};
	json_t *document, *authentication;
	bool good;

	if (len >= BOM_LEN && memcmp(body, BOM, BOM_LEN) == 0) {
		body += BOM_LEN;
		len -= BOM_LEN;
	}
	document = len <= BODY_MAX ? json_loadb(body, len, 0, NULL) : NULL;
	authentication = json_object_get(document, "authentication");
	good = take_origin(json_string_value(json_object_get(authentication, "loginEndpoint")),
		found.login, sizeof(found.login));
	take_audiences(json_object_get(authentication, "audiences"), audience, &found);
	json_decref(document);
	if (!good)
		return -EINVAL;
	*ret = found;
	return 0;
}

static void arrived(struct token_job *job, struct http_reply *reply)
{
	const char *cloud = token_job_identity(job)->cloud.name;
	struct cloud_endpoints found;
	char audience[300] = "";

	if (reply->status != 200 ||
		cloud_discovery_read(
			reply->body, reply->body_len, token_job_audience(job), &found) != 0) {
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"cloud \"%s\" has no login, and its resource-manager names none (HTTP %d); "
			"write login = \"https://HOST\" into it",
			cloud, reply->status);
		return;
	}
	if (!found.known && *found.audience != '\0')
		snprintf(audience, sizeof(audience), " and audience = \"%s\"", found.audience);
	token_job_fail(job, ARM_ERROR_IDENTITY,
		"cloud \"%s\" has no login; its resource-manager names %s: if that is where you "
		"sign "
		"in, write login = \"%s\"%s into it",
		cloud, found.login, found.login, audience);
}

void cloud_discovery_tell(struct token_job *job)
{
	const char *base = token_job_identity(job)->cloud.resource_manager;
	size_t len = strlen(base);
	struct http_request request = {.method = xstrdup("GET")};

	while (len > 0 && base[len - 1] == '/')
		len--;
	request.url = xasprintf("%.*s%s", (int)len, base, PATH);
	token_job_send(job, &request, arrived);
}
