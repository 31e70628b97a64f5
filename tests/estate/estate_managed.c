/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Managed identities: the instance metadata service of an Azure VM, and that of the Arc agent,
 * which first wants to see that the caller may read a file of its own. The estate knows one machine
 * that asks: whoever does is on it.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <stdio.h>
#include <string.h>

#define KEY_LIFE DUR_MIN(5)

static const char *const vm_versions[] = {
	"2018-02-01", "2019-08-01", "2020-06-01", "2021-02-01", NULL};
static const char *const arc_versions[] = {"2019-11-01", "2020-06-01", NULL};

static void refuse(struct call *c, const char *error, const char *mark, const char *description)
{
	str_copy(c->error_code, sizeof(c->error_code), mark);
	answer_json(
		c, 400, json_pack("{s:s, s:s}", "error", error, "error_description", description));
}

/* --- what both want --- */

static bool check_request(struct call *c)
{
	const struct http_headers *h = &c->request->headers;
	const char *const *versions = c->metadata == MANAGED_VM ? vm_versions : arc_versions;
	const char *resource = call_parameter(c, "resource");
	bool known = false;

	for (; *versions != NULL; versions++)
		known = known || str_equal(*versions, c->version);
	if (!str_equal_nocase(http_headers_get(h, "Metadata"), "true"))
		refuse(c, "invalid_request", "NoMetadataHeader",
			"Required metadata header not specified");
	else if (http_headers_get(h, "X-Forwarded-For") != NULL)
		refuse(c, "invalid_request", "Forwarded",
			"X-Forwarded-For header is not allowed: the request came through a proxy");
	else if (!known)
		refuse(c, "invalid_request", "WrongVersion", "Invalid api-version");
	else if (str_empty(resource) || !token_is_for_known_resource(c->e, resource))
		refuse(c, "invalid_resource", "UnknownResource",
			"AADSTS500011: The resource principal was not found in the tenant.");
	else
		return true;
	return false;
}

static const struct principal *choose(struct call *c, const char *client)
{
	const struct principal *found = NULL, *own = NULL;
	struct map_entry *entry;
	unsigned count = 0;

	map_for_each (&c->e->principals, entry) {
		const struct principal *p = entry->value;

		if (p->managed != c->metadata)
			continue;
		if (client != NULL ? str_equal_nocase(p->client, client) : p->system_assigned)
			own = p;
		found = p;
		count++;
	}
	if (own != NULL)
		return own;
	if (client == NULL && count == 1 && c->metadata == MANAGED_VM)
		return found;
	if (client == NULL && count > 1 && c->metadata == MANAGED_VM)
		refuse(c, "invalid_request", "SeveralIdentities",
			"Multiple user assigned identities exist, please specify the clientId / "
			"resourceId of the identity in the token request");
	else
		refuse(c, "invalid_request", "IdentityNotFound", "Identity not found");
	return NULL;
}

/* Numbers as text, as both write them. */
static void give(struct call *c, const struct principal *who)
{
	const char *resource = call_parameter(c, "resource");
	mdc_autofree char *token = token_make(c, who, resource);
	json_int_t life = c->e->knobs.tokens.life.ms / 1000;
	json_int_t now = c->now.ms / 1000;

	answer_json(c, 200,
		json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s}", "access_token", token,
			"client_id", who->client, "expires_in",
			json_sprintf("%" JSON_INTEGER_FORMAT, life), "expires_on",
			json_sprintf("%" JSON_INTEGER_FORMAT, now + life), "ext_expires_in",
			json_sprintf("%" JSON_INTEGER_FORMAT, life), "not_before",
			json_sprintf("%" JSON_INTEGER_FORMAT, now), "resource", resource,
			"token_type", "Bearer", "refresh_token", ""));
}

/* --- the Arc agent's own --- */

static void challenge(struct call *c)
{
	char name[GUID_SIZE], content[GUID_SIZE];
	struct wall *until = xmalloc(sizeof(*until));
	mdc_autofree char *file = NULL, *key = NULL;

	estate_guid(c->e, name);
	estate_guid(c->e, content);
	file = xasprintf("%s.key", name);
	key = base64url_encode(content, strlen(content));
	*until = wall_add(c->now, KEY_LIFE);
	map_set(&c->e->agent_keys, key, until);
	if (c->e->put_key != NULL)
		c->e->put_key(c->e->put_key_ctx, file, key);
	str_copy(c->error_code, sizeof(c->error_code), "Challenge");
	answer_json(c, 401,
		json_pack("{s:s, s:s}", "error", "unauthorized_client", "error_description",
			"Missing Basic Authorization header"));
	answer_header(c, "WWW-Authenticate", "Basic realm=" ESTATE_ARC_KEYS "/%s", file);
}

/* Each key is good once. */
static bool knows_key(struct call *c, const char *authorization)
{
	const char *key = authorization + strlen("Basic ");
	const struct wall *until;
	bool good;

	if (!str_starts_nocase(authorization, "Basic "))
		return false;
	until = map_get(&c->e->agent_keys, key);
	good = until != NULL && wall_before(c->now, *until);
	if (until != NULL)
		map_remove(&c->e->agent_keys, key);
	return good;
}

static void handle_arc(struct call *c)
{
	const char *authorization = http_headers_get(&c->request->headers, "Authorization");
	const char *client = c->e->knobs.tokens.arc_selects ? call_parameter(c, "client_id") : NULL;
	const struct principal *who;

	if (authorization == NULL) {
		challenge(c);
		return;
	}
	if (!knows_key(c, authorization)) {
		str_copy(c->error_code, sizeof(c->error_code), "WrongKey");
		answer_json(c, 401,
			json_pack("{s:s, s:s}", "error", "unauthorized_client", "error_description",
				"Invalid Basic Authorization header"));
		return;
	}
	who = choose(c, client);
	if (who != NULL)
		give(c, who);
}

void managed_handle(struct call *c)
{
	const struct principal *who;

	if (!str_equal(c->path, "/metadata/identity/oauth2/token") ||
		!str_equal(c->request->method, "GET")) {
		answer_error(c, 404, "NotFound", "The requested path '%s' was not found.", c->path);
		return;
	}
	if (!check_request(c))
		return;
	if (c->metadata == MANAGED_ARC) {
		handle_arc(c);
		return;
	}
	who = choose(c, call_parameter(c, "client_id"));
	if (who != NULL)
		give(c, who);
}
