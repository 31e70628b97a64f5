/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define SEGMENTS_MAX 24

static const struct route_table *const tables[] = {
	&subscription_routes,
	&pricing_routes,
	&security_routes,
	&connector_routes,
	&workspace_routes,
	&machine_routes,
	&compute_routes,
	&extension_routes,
	&operation_routes,
	&graph_routes,
	&activity_routes,
	&authorization_routes,
	&policy_routes,
	&assignment_routes,
	&management_routes,
	&metadata_routes,
	&generic_routes,
};

struct segments {
	const char *at[SEGMENTS_MAX];
	size_t len[SEGMENTS_MAX];
	size_t n;
};

/* False for an empty segment or too many. */
static bool split(const char *path, struct segments *ret)
{
	ret->n = 0;
	while (*path == '/') {
		size_t len = strcspn(++path, "/");

		if (len == 0 || ret->n == SEGMENTS_MAX)
			return false;
		ret->at[ret->n] = path;
		ret->len[ret->n++] = len;
		path += len;
	}
	return *path == '\0' && ret->n > 0;
}

static bool same_segment(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++)
		if (str_lower(a[i]) != str_lower(b[i]))
			return false;
	return true;
}

/* Compares pattern segments with those of the path from `from` on. */
static bool matches_from(const char *pattern, const struct segments *path, size_t from)
{
	size_t at = from;

	while (*pattern == '/') {
		size_t len = strcspn(++pattern, "/");

		if (at == path->n)
			return false;
		if (strncmp(pattern, "{}", 2) != 0 &&
			!same_segment(pattern, len, path->at[at], path->len[at]))
			return false;
		at++;
		pattern += len;
	}
	return at == path->n;
}

static size_t count_segments(const char *pattern)
{
	size_t n = 0;

	for (; *pattern != '\0'; pattern++)
		n += *pattern == '/';
	return n;
}

static bool matches(const struct route *r, const struct segments *path, size_t *ret_from)
{
	const char *pattern = r->path;
	size_t from = 0;

	if (str_starts_nocase(pattern, "{scope}")) {
		size_t tail = count_segments(pattern);

		pattern += strlen("{scope}");
		if (path->n <= tail)
			return false;
		from = path->n - tail;
	}
	*ret_from = from;
	return matches_from(pattern, path, from);
}

static void capture(struct call *c, const struct route *r, const struct segments *path, size_t from)
{
	const char *pattern = strchr(r->path, '/');
	size_t arg = 0, at = from;

	if (from > 0)
		c->scope = xstrndup(path->at[0] - 1, (size_t)(path->at[from] - path->at[0]));
	while (*pattern == '/') {
		size_t len = strcspn(++pattern, "/");

		if (strncmp(pattern, "{}", 2) == 0 && arg < CALL_ARGS)
			c->args[arg++] = xstrndup(path->at[at], path->len[at]);
		at++;
		pattern += len;
	}
}

static void refuse_method(struct call *c)
{
	answer_error(c, 405, "MethodNotAllowed",
		"The requested resource does not support http method '%s'.", c->request->method);
}

static bool is_known_namespace(const char *name)
{
	static const char *const known[] = {"Microsoft.Security", "Microsoft.HybridCompute",
		"Microsoft.ResourceGraph", "Microsoft.Authorization", "Microsoft.PolicyInsights",
		"Microsoft.Insights", "Microsoft.Management", "Microsoft.Resources",
		"Microsoft.GuestConfiguration", "Microsoft.Compute",
		"Microsoft.OperationalInsights", "Microsoft.OperationsManagement"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_equal_nocase(name, known[i]))
			return true;
	return false;
}

static void refuse_path(struct call *c, const struct segments *path)
{
	mdc_autofree char *name = NULL;
	mdc_autofree char *type = NULL;

	for (size_t i = path->n; i-- > 0;) {
		if (!same_segment(path->at[i], path->len[i], "providers", 9) || i + 1 >= path->n)
			continue;
		name = xstrndup(path->at[i + 1], path->len[i + 1]);
		if (i + 2 < path->n)
			type = xstrndup(path->at[i + 2], path->len[i + 2]);
		break;
	}
	if (name == NULL)
		answer_error(c, 404, "NotFound", "The requested path '%s' was not found.", c->path);
	else if (!is_known_namespace(name))
		answer_error(c, 404, "InvalidResourceNamespace",
			"The resource namespace '%s' is invalid.", name);
	else
		answer_error(c, 404, "InvalidResourceType",
			"The resource type '%s' could not be found in the namespace '%s' for api "
			"version '%s'.",
			type != NULL ? type : "", name, c->version);
}

bool router_find(struct call *c)
{
	struct segments path;

	if (!split(c->path, &path))
		return false;
	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct route *r = &tables[t]->routes[i];
			size_t from;

			if (!matches(r, &path, &from))
				continue;
			c->path_known = true;
			if (!str_equal(r->method, c->request->method))
				continue;
			c->route = r;
			capture(c, r, &path, from);
			return true;
		}
	}
	return false;
}

void router_refuse(struct call *c)
{
	struct segments path;

	if (c->path_known)
		refuse_method(c);
	else if (split(c->path, &path))
		refuse_path(c, &path);
	else
		answer_error(c, 404, "NotFound", "The requested path '%s' was not found.", c->path);
}

static json_t *list_type(const struct api *api)
{
	json_t *versions = json_array();
	size_t n = 0;

	while (api->versions[n] != NULL)
		n++;
	while (n-- > 0)
		json_array_append_new(versions, json_string(api->versions[n]));
	return json_pack("{s:s, s:[s,s,s,s], s:o, s:s}", "resourceType", api->type, "locations",
		"West Europe", "North Europe", "East US", "West US 2", "apiVersions", versions,
		"capabilities", "None");
}

json_t *router_types(const char *provider)
{
	json_t *types = json_array();
	const struct api *last = NULL;

	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct api *api = tables[t]->routes[i].api;

			if (api != last && str_equal_nocase(api->provider, provider))
				json_array_append_new(types, list_type(api));
			last = api;
		}
	}
	return types;
}

const char *call_parameter(const struct call *c, const char *name)
{
	return map_get(&c->parameters, name);
}

char *call_container(const struct call *c)
{
	char *container = xstrdup(c->path);
	char *cut = strcasestr(container, "/providers/");

	for (char *next = cut; next != NULL; next = strcasestr(next + 1, "/providers/"))
		cut = next;
	if (cut != NULL && cut != container)
		*cut = '\0';
	return container;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = str_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *url_decode(const char *text, size_t len)
{
	char *plain = xmalloc(len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%' && i + 2 < len && hex_digit(text[i + 1]) >= 0 &&
			hex_digit(text[i + 2]) >= 0) {
			int byte = hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]);

			plain[n++] = (char)(byte != 0 ? byte : '?');
			i += 2;
		} else {
			plain[n++] = text[i];
		}
	}
	plain[n] = '\0';
	text_make_clean(plain);
	return plain;
}

bool id_is_under(const char *id, const char *scope)
{
	size_t len = strlen(scope);

	while (len > 0 && scope[len - 1] == '/')
		len--;
	return strncasecmp(id, scope, len) == 0 && (id[len] == '\0' || id[len] == '/');
}
