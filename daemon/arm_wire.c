/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/arm_wire.h"

#include "daemon/user_agent.h"
#include "lib/azure/long_running.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "https://"
#define PROVIDERS "/providers/"
#define PRICINGS "Microsoft.Security/pricings"

const char *arm_wire_base(const struct cloud_config *cloud, enum arm_quota quota)
{
	return quota == ARM_QUOTA_DEFENDER ? cloud->defender : cloud->resource_manager;
}

const char *arm_wire_audience(const struct cloud_config *cloud, enum arm_quota quota)
{
	return quota == ARM_QUOTA_DEFENDER ? defender_audience(cloud->defender) : cloud->audience;
}

bool arm_wire_origin(const char *base, char *ret, size_t size)
{
	mdc_autofree char *origin = NULL;

	if (base == NULL || !str_starts_nocase(base, SCHEME) || !http_url_same_origin(base, base))
		return false;
	origin = xstrndup(base, strlen(SCHEME) + strcspn(base + strlen(SCHEME), "/?#"));
	return str_copy(ret, size, origin);
}

char *arm_wire_url(const char *base, const char *path_or_url)
{
	size_t len = strlen(base);
	char *url;

	if (str_starts_nocase(path_or_url, SCHEME)) {
		if (strlen(path_or_url) > OPERATION_URL_MAX)
			return NULL;
		url = xstrdup(path_or_url);
	} else if (*path_or_url != '/') {
		return NULL;
	} else {
		while (len > 0 && base[len - 1] == '/')
			len--;
		url = xasprintf("%.*s%s", (int)len, base, path_or_url);
	}
	if (http_url_same_origin(url, base))
		return url;
	free(url);
	return NULL;
}

static const char *last_provider(const char *url)
{
	const char *found = NULL;
	size_t path = strcspn(url, "?");

	for (size_t i = 0; i + strlen(PROVIDERS) < path; i++)
		if (str_starts_nocase(url + i, PROVIDERS))
			found = url + i + strlen(PROVIDERS);
	return found;
}

/* The provider of a plan's path, "/subscriptions/<id>/providers/Microsoft.Security/pricings/…". */
static bool is_plan(const struct arm_request *r)
{
	mdc_autofree char *prefix =
		xasprintf("/subscriptions/%s" PROVIDERS PRICINGS "/", r->subscription);

	return r->path != NULL && *r->subscription != '\0' && str_starts_nocase(r->path, prefix);
}

void arm_wire_provider(
	const struct arm_request *r, const char *url, char ret[static ARM_PROVIDER_SIZE])
{
	const char *name = r->provider != NULL ? r->provider : "";
	size_t len = 0;

	ret[0] = '\0';
	if ((r->quota == ARM_QUOTA_WRITE || r->quota == ARM_QUOTA_DELETE) && is_plan(r))
		name = PRICINGS;
	if (*name != '\0') {
		str_copy(ret, ARM_PROVIDER_SIZE, name);
		return;
	}
	name = last_provider(url);
	while (name != NULL && (isalnum((unsigned char)name[len]) || name[len] == '.'))
		len++;
	if (len > 0 && len < ARM_PROVIDER_SIZE)
		snprintf(ret, ARM_PROVIDER_SIZE, "%.*s", (int)len, name);
}

/* One allocation of the right size: a body may hold a secret. */
static int add_body(const json_t *document, struct http_request *ret)
{
	size_t len = json_dumpb(document, NULL, 0, JSON_COMPACT);

	if (len == 0 || len > ARM_BODY_MAX)
		return -EFBIG;
	ret->body = xmalloc(len + 1);
	ret->body_len = json_dumpb(document, ret->body, len, JSON_COMPACT);
	ret->body[len] = '\0';
	http_headers_add(&ret->headers, "Content-Type", "application/json");
	return 0;
}

static void add_token(struct http_headers *h, const char *token)
{
	size_t size = sizeof("Bearer ") + strlen(token);
	char *value = xmalloc(size);

	snprintf(value, size, "Bearer %s", token);
	http_headers_add(h, "Authorization", value);
	explicit_bzero(value, size);
	free(value);
}

int arm_wire_request(
	const struct arm_request *r, const struct arm_wire *w, struct http_request *ret)
{
	struct http_request request = {.method = xstrdup(r->method), .url = xstrdup(w->url)};

	add_token(&request.headers, w->token);
	http_headers_add(&request.headers, "Accept", "application/json");
	/* The texts of errors are read and shown. */
	http_headers_add(&request.headers, "Accept-Language", "en-US");
	http_headers_add(&request.headers, "User-Agent", USER_AGENT);
	http_headers_add(&request.headers, "x-ms-client-request-id", w->client_request_id);
	http_headers_add(&request.headers, "x-ms-return-client-request-id", "true");
	http_headers_add(&request.headers, "x-ms-correlation-request-id", w->correlation_id);
	if (r->body != NULL && add_body(r->body, &request) != 0) {
		http_request_fini(&request);
		return -EFBIG;
	}
	*ret = request;
	return 0;
}
