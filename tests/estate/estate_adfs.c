/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The login host as Active Directory Federation Services, which clouds of one's own run in place of
 * Microsoft Entra: one directory for all clients, no tenant in any path, other words for what is
 * wrong. Clients that would ask the public cloud about an authority they do not know ask only the
 * authority itself when its path is "/adfs".
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"

#include <string.h>

static void refuse(struct call *c, const char *error, const char *code, const char *text)
{
	str_copy(c->error_code, sizeof(c->error_code), code);
	answer_json(c, 400,
		json_pack("{s:s, s:o}", "error", error, "error_description",
			json_sprintf("%s: %s", code, text)));
}

static bool is_authentic(struct call *c, const struct principal *who, const struct map *form)
{
	const char *secret = map_get(form, "client_secret");
	const char *assertion = map_get(form, "client_assertion");
	struct assertion_failure failure;

	if (secret != NULL)
		return str_equal(who->secret, secret) &&
			(!wall_is_set(who->secret_expires) ||
				wall_before(c->now, who->secret_expires));
	return assertion != NULL && assertion_check(c, who, assertion, &failure);
}

/* Older clients name the resource itself. */
static char *find_resource(const struct map *form)
{
	const char *resource = map_get(form, "resource");
	const char *scope = map_get(form, "scope");

	if (!str_empty(resource))
		return xstrdup(resource);
	return scope != NULL ? token_resource(scope) : NULL;
}

static void give(struct call *c, const struct principal *who, const char *resource)
{
	mdc_autofree char *token = token_make(c, who, resource);
	json_int_t life = c->e->knobs.tokens.life.ms / 1000;

	answer_json(c, 200,
		json_pack("{s:s, s:s, s:I}", "access_token", token, "token_type", "bearer",
			"expires_in", life));
}

static void grant(struct call *c, const struct map *form)
{
	const char *client = map_get(form, "client_id");
	const struct principal *who = client != NULL ? map_get(&c->e->principals, client) : NULL;
	mdc_autofree char *resource = find_resource(form);

	if (!str_equal(map_get(form, "grant_type"), "client_credentials"))
		refuse(c, "unsupported_grant_type", "MSIS9611",
			"The authorization server does not support the requested "
			"'grant_type'.");
	else if (who == NULL)
		refuse(c, "invalid_client", "MSIS9607",
			"The 'client_id' parameter in the request is invalid. No registered "
			"client is found with this identifier.");
	else if (!is_authentic(c, who, form))
		refuse(c, "invalid_client", "MSIS9622",
			"Client authentication failed. Please verify the credential provided for "
			"client authentication is valid.");
	else if (resource == NULL || !token_is_for_known_resource(c->e, resource))
		refuse(c, "invalid_resource", "MSIS9602",
			"The received 'resource' parameter is invalid. The authorization server "
			"can not find a registered resource with the specified identifier.");
	else
		give(c, who, resource);
}

static void token_endpoint(struct call *c)
{
	struct map form;

	token_read_form(c->request, &form);
	grant(c, &form);
	map_fini(&form);
}

static json_t *here(const struct call *c, const char *rest)
{
	return json_sprintf("https://%s/adfs%s", c->e->login_host, rest);
}

static void openid_configuration(struct call *c)
{
	answer_json(c, 200,
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:[s,s,s], s:[s,s], s:[s,s], s:[s], s:[s]}",
			"issuer", here(c, ""), "authorization_endpoint",
			here(c, "/oauth2/authorize/"), "token_endpoint", here(c, "/oauth2/token/"),
			"jwks_uri", here(c, "/discovery/keys"), "device_authorization_endpoint",
			here(c, "/oauth2/devicecode"), "token_endpoint_auth_methods_supported",
			"client_secret_post", "client_secret_basic", "private_key_jwt",
			"response_types_supported", "code", "id_token", "grant_types_supported",
			"authorization_code", "client_credentials", "subject_types_supported",
			"pairwise", "id_token_signing_alg_values_supported", "RS256"));
}

void adfs_handle(struct call *c, const char *rest)
{
	bool gets = str_equal(c->request->method, "GET");

	if (str_equal_nocase(rest, "/oauth2/token") && str_equal(c->request->method, "POST"))
		token_endpoint(c);
	else if (gets && str_equal_nocase(rest, "/.well-known/openid-configuration"))
		openid_configuration(c);
	else if (gets && str_equal_nocase(rest, "/discovery/keys"))
		answer_json(c, 200, json_pack("{s:[]}", "keys"));
	else
		answer_error(c, 404, "NotFound", "The requested path '%s' was not found.", c->path);
}
