/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front door: every request passes here, in the order in which ARM refuses.
 *
 * When a request has its effect: what it reads and whether it is refused is decided when it
 * arrives. A plan write (pricings) takes as long as its answer and has its effect at that moment,
 * `now + delay`; until then reads show the old plan, and a second plan write of the subscription is
 * a conflict. Every other write has its effect at arrival; what it begins (an operation) runs from
 * then.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <stdio.h>
#include <string.h>

#define URL_MAX (64 * 1024)

static void take_ids(struct call *c)
{
	const char *sent = http_headers_get(&c->request->headers, "x-ms-correlation-request-id");

	estate_guid(c->e, c->request_id);
	if (str_is_guid(sent))
		str_copy(c->correlation_id, sizeof(c->correlation_id), sent);
	else
		estate_guid(c->e, c->correlation_id);
}

static void add_standard_headers(struct call *c)
{
	const struct http_headers *sent = &c->request->headers;
	const char *client_id = http_headers_get(sent, "x-ms-client-request-id");
	const char *wants = http_headers_get(sent, "x-ms-return-client-request-id");
	struct wall sent_at = wall_add(c->now, c->answer->delay);
	char date[WALL_TEXT_SIZE];

	wall_format_http(sent_at, date);
	answer_header(c, "Cache-Control", "no-cache");
	answer_header(c, "Pragma", "no-cache");
	answer_header(c, "Expires", "-1");
	answer_header(c, "Date", "%s", date);
	answer_header(c, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
	answer_header(c, "X-Content-Type-Options", "nosniff");
	if (c->login)
		return;
	wall_format(sent_at, date);
	answer_header(c, "x-ms-request-id", "%s", c->request_id);
	answer_header(c, "x-ms-correlation-request-id", "%s", c->correlation_id);
	answer_header(c, "x-ms-routing-request-id", "WESTEUROPE:%.19sZ:%s", date, c->request_id);
	if (client_id != NULL && str_equal_nocase(wants, "true"))
		answer_header(c, "x-ms-client-request-id", "%.200s", client_id);
}

static char *decode_value(const char *text, size_t len)
{
	mdc_autofree char *raw = xstrndup(text, len);

	for (char *p = raw; *p != '\0'; p++)
		if (*p == '+')
			*p = ' ';
	return url_decode(raw, len);
}

static void read_parameters(struct call *c)
{
	const char *rest = c->query != NULL ? c->query : "";

	map_init(&c->parameters, free);
	while (*rest != '\0') {
		size_t len = strcspn(rest, "&");
		size_t name = strcspn(rest, "=&");
		mdc_autofree char *key = url_decode(rest, name);
		size_t skip = name < len ? name + 1 : name;

		map_set(&c->parameters, key, decode_value(rest + skip, len - skip));
		rest += len + (rest[len] == '&');
	}
	c->version = call_parameter(c, "api-version");
}

static bool check_version(struct call *c)
{
	const struct api *api = c->route->api;
	struct buf known = BUF_INIT(4096);
	const char *joint = api->owner == API_ARM || api->owner == API_SECURITY ? "," : ", ";

	for (size_t i = 0; api->versions[i] != NULL; i++) {
		if (str_equal_nocase(api->versions[i], c->version)) {
			buf_fini(&known);
			return true;
		}
		buf_addf(&known, "%s%s", i > 0 ? joint : "", api->versions[i]);
	}
	switch (api->owner) {
	case API_ARM:
		answer_error(c, 400, "InvalidApiVersionParameter",
			"The api-version '%s' is invalid. The supported versions are '%s'.",
			c->version, buf_str(&known));
		break;
	case API_SECURITY:
		answer_error(c, 404, "InvalidResourceType",
			"The resource type '%s' could not be found in the namespace '%s' for api "
			"version '%s'. The supported api-versions are '%s'.",
			api->type, api->provider, c->version, buf_str(&known));
		break;
	case API_GRAPH:
	case API_TRACKED:
		answer_error(c, 400, "NoRegisteredProviderFound",
			"No registered resource provider found for location 'westeurope' and API "
			"version '%s' for type '%s'. The supported api-versions are '%s'. The "
			"supported locations are 'westeurope, northeurope, eastus, westus2'.",
			c->version, api->type, buf_str(&known));
		break;
	}
	buf_fini(&known);
	return false;
}

/* The subscription in the path: there, of the token's tenant, and visible to the caller. */
static bool find_subscription(struct call *c)
{
	static const char prefix[] = "/subscriptions/";
	char id[GUID_SIZE + 64];

	if (!str_starts_nocase(c->path, prefix))
		return true;
	str_copy(id, sizeof(id), c->path + strlen(prefix));
	*strchrnul(id, '/') = '\0';
	if (!str_is_guid(id)) {
		answer_error(c, 400, "InvalidSubscriptionId",
			"The provided subscription identifier '%s' is malformed or invalid.", id);
		return false;
	}
	c->sub = estate_subscription(c->e, id);
	if (c->sub != NULL && !auth_is_of_tenant(c->who, c->sub)) {
		answer_error(c, 401, "InvalidAuthenticationTokenTenant",
			"The access token is from the wrong issuer 'https://sts.windows.net/%s/'. "
			"It "
			"must match the tenant 'https://sts.windows.net/%s/' associated with this "
			"subscription.",
			c->who->tenant->id, c->sub->tenant->id);
		return false;
	}
	if (c->sub != NULL && auth_sees(c->who, c->sub))
		return true;
	c->sub = NULL;
	answer_error(
		c, 404, "SubscriptionNotFound", "The subscription '%s' could not be found.", id);
	return false;
}

static void find_management_group(struct call *c)
{
	static const char prefix[] = "/providers/Microsoft.Management/managementGroups/";
	mdc_autofree char *name = NULL;

	if (!str_starts_nocase(c->path, prefix))
		return;
	name = xstrdup(c->path + strlen(prefix));
	*strchrnul(name, '/') = '\0';
	c->group = map_get(&c->e->management_groups, name);
}

/* A list in a group that is not there is an error of ARM's, not an empty list. */
static bool find_group(struct call *c)
{
	static const char mark[] = "/resourceGroups/";
	const char *at;
	char path[1024];
	char *end;

	if (c->sub == NULL)
		return true;
	at = strcasestr(c->path, mark);
	if (at == NULL || !str_copy(path, sizeof(path), c->path))
		return true;
	end = strchrnul(path + (at - c->path) + strlen(mark), '/');
	if (*end == '\0')
		return true;
	*end = '\0';
	if (estate_find_kind(c->e, path, RESOURCE_GROUP) != NULL)
		return true;
	answer_error(c, 404, "ResourceGroupNotFound", "Resource group '%s' could not be found.",
		strrchr(path, '/') + 1);
	return false;
}

static void arm_handle(struct call *c)
{
	if (str_empty(c->version)) {
		answer_error(c, 400, "MissingApiVersionParameter",
			"The api-version query parameter (?api-version=) is required for all "
			"requests.");
		return;
	}
	if (router_find(c) && (c->route->flags & ROUTE_ANONYMOUS) != 0) {
		c->route->handle(c);
		return;
	}
	if (!auth_identify(c) || !throttle_admit(c))
		return;
	if (c->route == NULL) {
		router_refuse(c);
		return;
	}
	if (!check_version(c) || !find_subscription(c))
		return;
	find_management_group(c);
	if (!auth_permit(c) || !find_group(c) || !guard_provider(c) || !guard_write(c) ||
		!guard_body(c))
		return;
	c->route->handle(c);
}

static struct dur latency(struct call *c)
{
	const struct knobs *k = &c->e->knobs;

	if (c->login)
		return estate_between(c->e, k->latency.token);
	if (strcasestr(c->path, "/Microsoft.ResourceGraph/") != NULL)
		return estate_between(c->e, k->latency.graph);
	return estate_between(
		c->e, str_equal(c->request->method, "GET") ? k->latency.read : k->latency.write);
}

static bool same_host(const struct http_url *url, const char *host)
{
	char text[300];

	snprintf(text, sizeof(text), "%.255s:%u", url->host, url->port);
	if (str_equal_nocase(text, host))
		return true;
	return url->port == 443 && str_equal_nocase(url->host, host);
}

static enum managed_kind metadata_of(const struct http_url *url)
{
	if (str_equal(url->scheme, "http") && same_host(url, ESTATE_VM_METADATA ":80"))
		return MANAGED_VM;
	if (str_equal(url->scheme, "http") &&
		(same_host(url, ESTATE_ARC_METADATA) || same_host(url, "localhost:40342")))
		return MANAGED_ARC;
	return MANAGED_NOT;
}

/* Empty segments are as good as absent: clients join scopes that begin with a slash. */
static void tidy_path(char *path)
{
	char *to = path;

	for (const char *from = path; *from != '\0'; from++)
		if (*from != '/' || to == path || to[-1] != '/')
			*to++ = *from;
	if (to > path + 1 && to[-1] == '/')
		to--;
	*to = '\0';
}

static void dispatch(struct call *c)
{
	if (c->metadata != MANAGED_NOT)
		managed_handle(c);
	else if (c->login)
		token_handle(c);
	else if (c->defender)
		devices_handle(c);
	else
		arm_handle(c);
}

static bool open_call(struct call *c, struct http_url *url)
{
	const char *raw = c->request->url;

	if (raw == NULL || strlen(raw) > URL_MAX || http_url_parse(raw, url) != 0) {
		answer_error(c, 400, "InvalidRequestUri", "The request URI is not valid.");
		return false;
	}
	c->path = url_decode(url->path, strlen(url->path));
	c->query = url->query != NULL ? xstrdup(url->query) : NULL;
	tidy_path(c->path);
	read_parameters(c);
	c->metadata = metadata_of(url);
	c->login = c->metadata != MANAGED_NOT || same_host(url, c->e->login_host);
	c->defender = !c->login && c->e->defender_host != NULL &&
		same_host(url, c->e->defender_host) && str_starts_nocase(c->path, "/api/");
	if (c->login || c->defender || same_host(url, c->e->arm_host))
		return true;
	answer_error(c, 421, "MisdirectedRequest", "The host '%s' is not served here.", url->host);
	return false;
}

static void close_call(struct call *c)
{
	for (size_t i = 0; i < CALL_ARGS; i++)
		free(c->args[i]);
	free(c->path);
	free(c->query);
	free(c->scope);
	free(c->target);
	json_decref(c->body);
	map_fini(&c->parameters);
}

void estate_handle(struct estate *e, const struct http_request *request, struct wall now,
	struct estate_answer *ret)
{
	struct call c = {.e = e, .request = request, .answer = ret};
	struct fault_plan *plan = NULL;
	struct http_url url = {0};

	*ret = (struct estate_answer){.delivery = ESTATE_ANSWERED};
	estate_advance(e, now);
	c.now = e->now;
	take_ids(&c);
	if (open_call(&c, &url)) {
		ret->delay = latency(&c);
		plan = fault_choose(&c);
		if (plan == NULL || !fault_before(&c, plan))
			dispatch(&c);
		if (plan != NULL)
			fault_after(&c, plan);
	}
	if (ret->reply.status != 0)
		add_standard_headers(&c);
	ledger_request(&c);
	fault_plan_free(plan);
	http_url_fini(&url);
	close_call(&c);
}
