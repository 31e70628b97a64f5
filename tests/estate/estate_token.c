/* SPDX-License-Identifier: Apache-2.0 */
/* The login host: tokens for applications, by secret or assertion, and its metadata. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SIGNATURE_SIZE 256
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* Resources that tokens may be asked for; the first two, and the estate's own host, are ARM. */
static const char *const resources[] = {"https://management.azure.com",
	"https://management.core.windows.net", "https://api.securitycenter.microsoft.com",
	"https://graph.microsoft.com"};

/* --- the token itself --- */

/* A signature as long as RS256 gives; only the estate can make it. */
static char *signature_of(const struct estate *e, const char *signed_part)
{
	unsigned char bytes[SIGNATURE_SIZE];

	estate_mac(e, signed_part, bytes);
	for (size_t i = 32; i < SIGNATURE_SIZE; i += 32)
		SHA256(bytes + i - 32, 32, bytes + i);
	return base64url_encode(bytes, sizeof(bytes));
}

static char *encode_json(json_t *take_doc)
{
	size_t len;
	mdc_autofree char *text = tree_dump(take_doc, &len);

	json_decref(take_doc);
	return base64url_encode(text, len);
}

char *token_make(struct call *c, const struct principal *who, const char *audience)
{
	json_int_t issued = c->now.ms / 1000;
	json_int_t expires = issued + c->e->knobs.tokens.life.ms / 1000;
	char uti[GUID_SIZE];
	mdc_autofree char *issuer = xasprintf("https://sts.windows.net/%s/", who->tenant->id);
	mdc_autofree char *head = encode_json(json_pack("{s:s, s:s, s:s, s:s}", "typ", "JWT", "alg",
		"RS256", "x5t", "estate", "kid", "estate"));
	mdc_autofree char *claims = NULL;
	mdc_autofree char *signed_part = NULL;
	mdc_autofree char *signature = NULL;

	estate_guid(c->e, uti);
	claims = encode_json(json_pack(
		"{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, "
		"s:s}",
		"aud", audience, "iss", issuer, "iat", issued, "nbf", issued, "exp", expires,
		"appid", who->client, "appidacr", "1", "idp", issuer, "oid", who->object, "sub",
		who->object, "tid", who->tenant->id, "uti", uti, "ver", "1.0"));
	signed_part = xasprintf("%s.%s", head, claims);
	signature = signature_of(c->e, signed_part);
	return xasprintf("%s.%s", signed_part, signature);
}

static bool is_arm_audience(const struct estate *e, const char *audience)
{
	char plain[300];
	size_t len;

	str_copy(plain, sizeof(plain), audience);
	for (len = strlen(plain); len > 0 && plain[len - 1] == '/'; len--)
		plain[len - 1] = '\0';
	if (str_starts_nocase(plain, "https://") && str_equal_nocase(plain + 8, e->arm_host))
		return true;
	return str_equal_nocase(plain, resources[0]) || str_equal_nocase(plain, resources[1]);
}

static json_t *read_claims(struct estate *e, const char *token)
{
	const char *first = strchr(token, '.');
	const char *second = first != NULL ? strchr(first + 1, '.') : NULL;
	mdc_autofree char *signed_part = NULL;
	mdc_autofree char *signature = NULL;
	mdc_autofree unsigned char *claims = NULL;
	size_t len;

	if (second == NULL)
		return NULL;
	signed_part = xstrndup(token, (size_t)(second - token));
	signature = signature_of(e, signed_part);
	if (!str_equal(signature, second + 1))
		return NULL;
	claims = base64url_decode(first + 1, (size_t)(second - first - 1), &len);
	return claims != NULL ? json_loadb((const char *)claims, len, 0, NULL) : NULL;
}

enum token_state token_read(
	struct estate *e, const char *token, struct wall now, struct token_facts *ret)
{
	json_t *claims = read_claims(e, token);
	enum token_state state = TOKEN_GOOD;

	if (claims == NULL)
		return TOKEN_MALFORMED;
	str_copy(ret->tenant, sizeof(ret->tenant), tree_text(claims, "tid"));
	str_copy(ret->audience, sizeof(ret->audience), tree_text(claims, "aud"));
	ret->expires.ms = json_integer_value(tree_get(claims, "exp")) * 1000;
	ret->who = map_get(&e->principals, tree_text(claims, "appid"));
	if (ret->who == NULL)
		state = TOKEN_UNKNOWN;
	else if (!is_arm_audience(e, ret->audience))
		state = TOKEN_AUDIENCE;
	else if (ret->expires.ms <= now.ms)
		state = TOKEN_EXPIRED;
	json_decref(claims);
	return state;
}

/* --- refusals --- */

static void format_time(struct wall t, char ret[static 24])
{
	time_t seconds = (time_t)(t.ms / 1000);
	struct tm parts;

	gmtime_r(&seconds, &parts);
	strftime(ret, 24, "%Y-%m-%d %H:%M:%SZ", &parts);
}

static void refuse(struct call *c, const char *error, unsigned number, const char *text)
{
	int status = str_equal(error, "invalid_client") ? 401 : 400;
	mdc_autofree char *description = NULL;
	char stamp[24];
	json_t *body;

	format_time(c->now, stamp);
	description = xasprintf("AADSTS%u: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
		number, text, c->request_id, c->correlation_id, stamp);
	body = json_pack("{s:s, s:s, s:[i], s:s, s:s, s:s}", "error", error, "error_description",
		description, "error_codes", (int)number, "timestamp", stamp, "trace_id",
		c->request_id, "correlation_id", c->correlation_id);
	json_object_set_new(body, "error_uri",
		json_sprintf("https://%s/error?code=%u", c->e->login_host, number));
	snprintf(c->error_code, sizeof(c->error_code), "AADSTS%u", number);
	answer_json(c, status, body);
}

/* --- the token endpoint --- */

void token_read_form(const struct http_request *r, struct map *form)
{
	const char *rest = r->body != NULL ? r->body : "";

	map_init(form, free);
	while (*rest != '\0') {
		size_t len = strcspn(rest, "&");
		size_t name = strcspn(rest, "=&");
		mdc_autofree char *key = url_decode(rest, name);
		mdc_autofree char *raw = xstrndup(rest, len);
		char *value = name < len ? raw + name + 1 : raw + len;

		for (char *p = value; *p != '\0'; p++)
			if (*p == '+')
				*p = ' ';
		map_set(form, key, url_decode(value, strlen(value)));
		rest += len + (rest[len] == '&');
	}
}

static const struct tenant *find_tenant(const struct estate *e, const char *name)
{
	const struct tenant *t = map_get(&e->tenants, name);
	struct map_entry *entry;

	if (t != NULL)
		return t;
	map_for_each (&e->tenants, entry) {
		t = entry->value;
		if (t->domain != NULL && str_equal_nocase(t->domain, name))
			return t;
	}
	return NULL;
}

char *token_resource(const char *scope)
{
	static const char end[] = "/.default";

	return str_ends_nocase(scope, end) ? xstrndup(scope, strlen(scope) - strlen(end)) : NULL;
}

bool token_is_for_known_resource(const struct estate *e, const char *resource)
{
	size_t len = strlen(resource);

	if (is_arm_audience(e, resource))
		return true;
	while (len > 0 && resource[len - 1] == '/')
		len--;
	for (size_t i = 2; i < ARRAY_LEN(resources); i++)
		if (strlen(resources[i]) == len && strncasecmp(resources[i], resource, len) == 0)
			return true;
	return false;
}

static bool check_secret(struct call *c, const struct principal *who, const char *secret)
{
	if (who->secret == NULL || !str_equal(who->secret, secret)) {
		mdc_autofree char *text = xasprintf("Invalid client secret provided. Ensure the "
						    "secret being sent in the request "
						    "is the client secret value, not the client "
						    "secret ID, for a secret added to "
						    "app '%s'.",
			who->client);

		refuse(c, "invalid_client", 7000215, text);
		return false;
	}
	if (wall_is_set(who->secret_expires) && !wall_before(c->now, who->secret_expires)) {
		refuse(c, "invalid_client", 7000222,
			"The provided client secret keys for app are expired. Visit the Azure "
			"portal "
			"to create new keys for your app.");
		return false;
	}
	return true;
}

static bool check_credential(struct call *c, const struct principal *who, const struct map *form)
{
	const char *secret = map_get(form, "client_secret");
	const char *assertion = map_get(form, "client_assertion");
	struct assertion_failure failure;

	if (secret != NULL)
		return check_secret(c, who, secret);
	if (assertion == NULL) {
		refuse(c, "invalid_client", 7000216,
			"'client_assertion', 'client_secret' or 'request' is required for the "
			"'client_credentials' grant type.");
		return false;
	}
	if (!str_equal(map_get(form, "client_assertion_type"), ASSERTION_TYPE)) {
		refuse(c, "invalid_request", 50027,
			"JWT token is invalid or malformed: unsupported client_assertion_type.");
		return false;
	}
	if (assertion_check(c, who, assertion, &failure))
		return true;
	refuse(c, "invalid_client", failure.number, failure.text);
	return false;
}

static bool check_scope(struct call *c, const struct map *form, char **ret_resource)
{
	const char *scope = map_get(form, "scope");
	mdc_autofree char *text = NULL;

	if (str_empty(scope)) {
		refuse(c, "invalid_request", 900144,
			"The request body must contain the following parameter: 'scope'.");
		return false;
	}
	*ret_resource = token_resource(scope);
	if (*ret_resource == NULL) {
		text = xasprintf(
			"The provided value for scope %.200s is not valid. Client credential "
			"flows must have a scope value with /.default suffixed to the resource "
			"identifier (application ID URI).",
			scope);
		refuse(c, "invalid_scope", 1002012, text);
		return false;
	}
	if (token_is_for_known_resource(c->e, *ret_resource))
		return true;
	text = xasprintf(
		"The resource principal named %.200s was not found in the tenant.", *ret_resource);
	refuse(c, "invalid_resource", 500011, text);
	return false;
}

static const struct principal *find_client(
	struct call *c, const struct tenant *tenant, const struct map *form)
{
	const char *client = map_get(form, "client_id");
	const struct principal *who;
	mdc_autofree char *text = NULL;

	if (str_empty(client)) {
		refuse(c, "invalid_request", 900144,
			"The request body must contain the following parameter: 'client_id'.");
		return NULL;
	}
	who = map_get(&c->e->principals, client);
	if (who != NULL && who->tenant == tenant)
		return who;
	text = xasprintf(
		"Application with identifier '%.100s' was not found in the directory '%s'. "
		"This can happen if the application has not been installed by the "
		"administrator of the tenant or consented to by any user in the tenant.",
		client, tenant->name);
	refuse(c, "unauthorized_client", 700016, text);
	return NULL;
}

static void grant(struct call *c, const struct tenant *tenant, const struct map *form)
{
	const char *type = map_get(form, "grant_type");
	const struct principal *who;
	mdc_autofree char *resource = NULL;
	mdc_autofree char *token = NULL;
	json_int_t life = c->e->knobs.tokens.life.ms / 1000 - 1;

	if (str_empty(type)) {
		refuse(c, "invalid_request", 900144,
			"The request body must contain the following parameter: 'grant_type'.");
		return;
	}
	if (!str_equal(type, "client_credentials")) {
		refuse(c, "unsupported_grant_type", 70003,
			"The app requested an unsupported grant type.");
		return;
	}
	who = find_client(c, tenant, form);
	if (who == NULL || !check_scope(c, form, &resource) || !check_credential(c, who, form))
		return;
	token = token_make(c, who, resource);
	answer_json(c, 200,
		json_pack("{s:s, s:I, s:I, s:s}", "token_type", "Bearer", "expires_in", life,
			"ext_expires_in", life, "access_token", token));
}

static void token_endpoint(struct call *c, const char *name)
{
	const struct tenant *tenant = find_tenant(c->e, name);
	mdc_autofree char *text = NULL;
	struct map form;

	if (tenant == NULL) {
		text = xasprintf(
			"Tenant '%.100s' not found. Check to make sure you have the correct "
			"tenant ID and are signing into the correct cloud.",
			name);
		refuse(c, "invalid_request", 90002, text);
		return;
	}
	token_read_form(c->request, &form);
	grant(c, tenant, &form);
	map_fini(&form);
}

/* --- metadata of the login host --- */

static json_t *host_url(const struct call *c, const char *rest, const char *tenant)
{
	return json_sprintf("https://%s/%s%s", c->e->login_host, tenant, rest);
}

static void openid_configuration(struct call *c, const char *tenant)
{
	answer_json(c, 200,
		json_pack("{s:o, s:[s,s,s], s:o, s:[s,s], s:[s], s:[s], s:o, s:o, s:o, s:s, s:s}",
			"token_endpoint", host_url(c, "/oauth2/v2.0/token", tenant),
			"token_endpoint_auth_methods_supported", "client_secret_post",
			"private_key_jwt", "client_secret_basic", "jwks_uri",
			host_url(c, "/discovery/v2.0/keys", tenant), "response_types_supported",
			"code", "id_token", "subject_types_supported", "pairwise",
			"id_token_signing_alg_values_supported", "RS256", "issuer",
			host_url(c, "/v2.0", tenant), "authorization_endpoint",
			host_url(c, "/oauth2/v2.0/authorize", tenant),
			"device_authorization_endpoint",
			host_url(c, "/oauth2/v2.0/devicecode", tenant), "tenant_region_scope", "EU",
			"cloud_instance_name", c->e->login_host));
}

static void instance_discovery(struct call *c)
{
	answer_json(c, 200,
		json_pack("{s:o, s:s, s:[{s:s, s:s, s:[s]}]}", "tenant_discovery_endpoint",
			host_url(c, "/v2.0/.well-known/openid-configuration", "common"),
			"api-version", "1.1", "metadata", "preferred_network", c->e->login_host,
			"preferred_cache", c->e->login_host, "aliases", c->e->login_host));
}

void token_handle(struct call *c)
{
	const char *path = c->path + 1;
	mdc_autofree char *tenant = xstrndup(path, strcspn(path, "/"));
	const char *rest = path + strlen(tenant);
	const char *client_id = http_headers_get(&c->request->headers, "client-request-id");
	bool gets = str_equal(c->request->method, "GET");

	if (str_is_guid(client_id)) {
		str_copy(c->correlation_id, sizeof(c->correlation_id), client_id);
		answer_header(c, "client-request-id", "%s", client_id);
	}
	answer_header(c, "x-ms-request-id", "%s", c->request_id);
	if (str_equal_nocase(tenant, "adfs"))
		adfs_handle(c, rest);
	else if (str_equal_nocase(rest, "/oauth2/v2.0/token") &&
		str_equal(c->request->method, "POST"))
		token_endpoint(c, tenant);
	else if (gets && str_equal_nocase(rest, "/v2.0/.well-known/openid-configuration"))
		openid_configuration(c, tenant);
	else if (gets && str_equal_nocase(c->path, "/common/discovery/instance"))
		instance_discovery(c);
	else if (gets && str_equal_nocase(rest, "/discovery/v2.0/keys"))
		answer_json(c, 200, json_pack("{s:[]}", "keys"));
	else
		answer_error(c, 404, "NotFound", "The requested path '%s' was not found.", c->path);
}
