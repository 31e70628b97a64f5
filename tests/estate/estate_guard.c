/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define BODY_MAX (4 * 1024 * 1024)
/* Deeper documents are refused by the service's reader. */
#define BODY_DEPTH_MAX 64

bool guard_provider(struct call *c)
{
	const char *provider = c->route->api->provider;

	if ((c->route->flags & ROUTE_REGISTERED) == 0 ||
		subscription_is_registered(c->sub, provider))
		return true;
	if (str_equal(provider, SECURITY_NAMESPACE) && str_equal(c->request->method, "GET"))
		answer_error(c, 404, "Subscription Not Registered",
			"Please register to Microsoft.Security in order to view your security "
			"status");
	else
		answer_error_object(c, 409,
			json_pack("{s:s, s:o, s:[{s:s, s:s, s:s}]}", "code",
				"MissingSubscriptionRegistration", "message",
				json_sprintf("The subscription is not registered to use namespace "
					     "'%s'. See https://aka.ms/rps-not-found for how to "
					     "register subscriptions.",
					provider),
				"details", "code", "MissingSubscriptionRegistration", "target",
				provider, "message",
				"The subscription is not registered to use this namespace."));
	return false;
}

/* ReadOnly forbids every write, CanNotDelete deletions; at or above what is written. */
static const struct resource *find_lock(const struct call *c)
{
	static const char mark[] = "/providers/Microsoft.Authorization/locks/";
	const struct vec *locks = &c->sub->kinds[RESOURCE_LOCK];
	bool deletes = str_equal(c->request->method, "DELETE");

	for (size_t i = 0; i < locks->n; i++) {
		const struct resource *lock = locks->v[i];
		char scope[1024];

		if (lock == NULL || !str_copy(scope, sizeof(scope), lock->id))
			continue;
		*strcasestr(scope, mark) = '\0';
		if (id_is_under(c->path, scope) &&
			(deletes ||
				str_equal(tree_text(lock->doc, "properties.level"), "ReadOnly")))
			return lock;
	}
	return NULL;
}

static bool refuse_locked(struct call *c)
{
	const struct resource *lock = find_lock(c);
	char scope[1024];

	if (lock == NULL)
		return false;
	str_copy(scope, sizeof(scope), lock->id);
	*strcasestr(scope, "/providers/Microsoft.Authorization/locks/") = '\0';
	answer_error(c, 409, "ScopeLocked",
		"The scope '%s' cannot perform %s operation because following scope(s) are locked: "
		"'%s'. Please remove the lock and try again.",
		c->path, str_equal(c->request->method, "DELETE") ? "delete" : "write", scope);
	return true;
}

static bool refuse_policy(struct call *c)
{
	const struct api *api = c->route->api;
	mdc_autofree char *type = xasprintf("%s/%s", api->provider, api->type);
	const char *name = strrchr(c->path, '/') + 1;
	const struct deny_policy *p;

	if (str_equal(c->request->method, "DELETE"))
		return false;
	p = policy_that_denies(c->sub, type, c->path);
	if (p == NULL)
		return false;
	answer_error_object(c, 403,
		json_pack("{s:s, s:s, s:o, s:[{s:s, s:{s:s, s:s, s:s}}]}", "code",
			"RequestDisallowedByPolicy", "target", name, "message",
			json_sprintf("Resource '%s' was disallowed by policy. Policy "
				     "identifiers: '%s'.",
				name, p->name),
			"additionalInfo", "type", "PolicyViolation", "info",
			"policyDefinitionDisplayName", p->name, "policyDefinitionEffect", "deny",
			"policyAssignmentName", p->name));
	return true;
}

bool guard_write(struct call *c)
{
	const char *state;

	if ((c->route->flags & ROUTE_WRITES) == 0 || c->sub == NULL)
		return true;
	state = tree_text(c->sub->res.doc, "state");
	if (!str_equal(state, "Enabled")) {
		answer_error(c, 409, "ReadOnlyDisabledSubscription",
			"The subscription '%s' is disabled and therefore marked as read only. You "
			"cannot perform any write actions on this subscription until it is "
			"re-enabled.",
			c->sub->id);
		return false;
	}
	return !refuse_locked(c) && !refuse_policy(c);
}

static size_t depth_of(const char *text, size_t len)
{
	size_t depth = 0, most = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '[') && ++depth > most)
			most = depth;
		else if (!quoted && (text[i] == '}' || text[i] == ']'))
			depth--;
	}
	return most;
}

static bool read_body(struct call *c)
{
	json_error_t error = {.text = "the document is nested too deeply"};
	const struct http_request *r = c->request;

	if (r->body_len > BODY_MAX) {
		answer_error(c, 413, "RequestEntityTooLarge",
			"The request content size exceeds the maximum size of 4 MB.");
		return false;
	}
	if (depth_of(r->body, r->body_len) <= BODY_DEPTH_MAX)
		c->body = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(c->body))
		return true;
	answer_error(c, 400, "InvalidRequestContent",
		"The request content was invalid and could not be deserialized: '%s'.",
		c->body != NULL ? "a JSON object is expected" : error.text);
	return false;
}

bool guard_body(struct call *c)
{
	const struct http_request *r = c->request;
	const char *type = http_headers_get(&r->headers, "Content-Type");

	if ((c->route->flags & (ROUTE_BODY | ROUTE_OPTIONAL_BODY)) == 0)
		return true;
	if (r->body == NULL || r->body_len == 0) {
		if ((c->route->flags & ROUTE_BODY) == 0)
			return true;
		answer_error(c, 400, "MissingRequestBody",
			"The request body is missing. It must contain a JSON document.");
		return false;
	}
	if (!str_starts_nocase(type != NULL ? type : "", "application/json")) {
		answer_error(c, 415, "UnsupportedMediaType",
			"The content media type '%s' is not supported. Only 'application/json' is "
			"supported.",
			type != NULL ? type : "<null>");
		return false;
	}
	return read_body(c);
}
