/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/fake_azure.h"

#include "lib/azure/arm_document.h"
#include "lib/azure/arm_id.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/kql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN "https://management.azure.com"
#define ARC "providers/Microsoft.HybridCompute/machines"
#define TOKEN_PREFIX "tok-"

/* --- the documents --- */

static char *machine_id(const char *subscription, const char *name)
{
	return xasprintf("/subscriptions/%s/resourceGroups/rg/" ARC "/%s", subscription, name);
}

void fake_azure_subscription(struct fake_azure *a, const char *id)
{
	json_object_set_new(a->subscriptions, id,
		json_pack("{s:s, s:s, s:s, s:[], s:{s:o, s:s, s:{s:s, s:s}}, s:{s:b}}", "name",
			"sub", "tenant", "11111111-1111-1111-1111-111111111111", "state", "Enabled",
			"groups", "plan", "id",
			json_sprintf("/subscriptions/%s/providers/Microsoft.Security/pricings/"
				     "VirtualMachines",
				id),
			"name", "VirtualMachines", "properties", "pricingTier", "Standard",
			"subPlan", "P2", "settings", "WDATP", 1));
}

json_t *fake_azure_subscription_of(struct fake_azure *a, const char *id)
{
	return json_object_get(a->subscriptions, id);
}

static json_t *put_resource(struct fake_azure *a, const char *id, json_t *document)
{
	mdc_autofree char *key = arm_id_key(id);

	if (document == NULL)
		abort();
	json_object_set_new(a->resources, key, document);
	return document;
}

json_t *fake_azure_machine(struct fake_azure *a, const char *subscription, const char *name)
{
	mdc_autofree char *id = machine_id(subscription, name);

	return put_resource(a, id,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}, s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "id",
			id, "name", name, "type", "Microsoft.HybridCompute/machines",
			"subscriptionId", subscription, "location", "westeurope", "tags",
			"properties", "status", "Connected", "lastStatusChange",
			"2026-11-20T08:00:00Z", "osType", "linux", "osName", "linux", "osSku",
			"Ubuntu 22.04.4 LTS", "agentVersion", "1.47"));
}

json_t *fake_azure_extension(struct fake_azure *a, const char *subscription, const char *machine,
	const char *type, const char *state)
{
	mdc_autofree char *parent = machine_id(subscription, machine);
	mdc_autofree char *id = xasprintf("%s/extensions/%s", parent, type);
	bool legacy = !str_starts_nocase(type, "MDE.");

	return put_resource(a, id,
		json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:{s:s}, s:{s:{s:s, s:s}}}}",
			"id", id, "name", type, "type",
			"Microsoft.HybridCompute/machines/extensions", "subscriptionId",
			subscription, "properties", "publisher",
			legacy ? "Microsoft.EnterpriseCloud.Monitoring"
			       : "Microsoft.Azure.AzureDefenderForServers",
			"type", type, "provisioningState", state, "typeHandlerVersion", "1.0",
			"settings", "azureResourceId", parent, "instanceView", "status", "code",
			"0", "message", "fine"));
}

void fake_azure_remove(struct fake_azure *a, const char *subscription, const char *name)
{
	mdc_autofree char *id = machine_id(subscription, name);
	mdc_autofree char *key = arm_id_key(id);
	const char *other;
	json_t *value;
	void *next;

	json_object_foreach_safe(
		a->resources, next, other, value) if (str_starts_nocase(other, key) &&
		(other[strlen(key)] == '\0' || other[strlen(key)] == '/'))
		json_object_del(a->resources, other);
}

/* --- who sees what --- */

static bool sees(const struct fake_azure *a, const char *client, const char *subscription)
{
	const json_t *s = json_object_get(a->subscriptions, subscription);
	const json_t *list = json_object_get(s, "seen_by");
	size_t i;
	json_t *one;

	if (list == NULL)
		return s != NULL;
	json_array_foreach (list, i, one)
		if (str_equal(json_string_value(one), client))
			return true;
	return false;
}

static const char *client_of(const struct http_request *r)
{
	const char *token = http_headers_get(&r->headers, "Authorization");

	token = token != NULL ? strstr(token, TOKEN_PREFIX) : NULL;
	return token != NULL ? token + strlen(TOKEN_PREFIX) : "";
}

/* --- lists of ARM --- */

static json_t *subscription_document(const char *id, const json_t *s)
{
	return json_pack("{s:o, s:s, s:s, s:s, s:s}", "id", json_sprintf("/subscriptions/%s", id),
		"subscriptionId", id, "displayName", json_text(s, "name"), "tenantId",
		json_text(s, "tenant"), "state", json_text(s, "state"));
}

static json_t *list_subscriptions(struct fake_azure *a, const char *client)
{
	json_t *list = json_array();
	const char *id;
	json_t *s;

	json_object_foreach (a->subscriptions, id, s)
		if (sees(a, client, id))
			json_array_append_new(list, subscription_document(id, s));
	return list;
}

static json_t *list_settings(struct fake_azure *a, const char *subscription)
{
	json_t *list = json_array(), *value;
	const char *name;

	json_object_foreach (
		json_object_get(json_object_get(a->subscriptions, subscription), "settings"), name,
		value)
		json_array_append_new(list,
			json_pack("{s:o, s:s, s:s, s:{s:O}}", "id",
				json_sprintf("/subscriptions/%s/providers/Microsoft.Security/"
					     "settings/%s",
					subscription, name),
				"name", name, "kind", "DataExportSettings", "properties", "enabled",
				value));
	return list;
}

/* Children of `prefix`, itself a folded id, with one more segment or pair of them. */
static json_t *list_resources(struct fake_azure *a, const char *prefix, const char *type)
{
	json_t *list = json_array(), *document;
	const char *key;

	json_object_foreach (a->resources, key, document)
		if (str_starts_nocase(key, prefix) &&
			str_equal_nocase(json_text(document, "type"), type))
			json_array_append(list, document);
	return list;
}

static json_t *list_descendants(struct fake_azure *a, const char *group)
{
	json_t *list = json_array(), *s;
	json_t *below = json_object();
	const char *id;

	json_object_foreach (a->subscriptions, id, s) {
		const json_t *chain = json_object_get(s, "groups");
		size_t i, at;
		json_t *name;

		json_array_foreach (chain, at, name)
			if (str_equal_nocase(json_string_value(name), group))
				break;
		if (at == json_array_size(chain))
			continue;
		json_array_append_new(list,
			json_pack("{s:o, s:s, s:s}", "id", json_sprintf("/subscriptions/%s", id),
				"type", "/subscriptions", "name", id));
		for (i = 0; i < at; i++)
			json_object_set_new(
				below, json_string_value(json_array_get(chain, i)), json_true());
	}
	json_object_foreach (below, id, s)
		json_array_append_new(list,
			json_pack("{s:o, s:s, s:s}", "id",
				json_sprintf(
					"/providers/Microsoft.Management/managementGroups/%s", id),
				"type", "Microsoft.Management/managementGroups", "name", id));
	json_decref(below);
	return list;
}

/* The page that the URL asks for ("&page=N"), with a link to the next one. */
static json_t *page_of(const struct fake_azure *a, const char *url, json_t *take_list)
{
	const char *at = strstr(url, "&page=");
	size_t first = at != NULL ? strtoul(at + 6, NULL, 10) : 0;
	size_t size = a->arm_page > 0 ? a->arm_page : json_array_size(take_list) + 1;
	json_t *value = json_array();
	json_t *body = json_pack("{s:o}", "value", value);

	for (size_t i = first; i < first + size && i < json_array_size(take_list); i++)
		json_array_append(value, json_array_get(take_list, i));
	if (first + size < json_array_size(take_list))
		json_object_set_new(body, "nextLink",
			json_sprintf("%.*s&page=%zu", (int)strcspn(url, "&"), url, first + size));
	json_decref(take_list);
	return body;
}

/* --- Resource Graph --- */

struct asker {
	struct fake_azure *a;
	const char *client;
	const json_t *subscriptions;
	json_t *table; /* made for this query */
};

static bool is_asked(const struct asker *q, const char *subscription)
{
	size_t i;
	json_t *one;

	if (!sees(q->a, q->client, subscription))
		return false;
	json_array_foreach (q->subscriptions, i, one)
		if (str_equal_nocase(json_string_value(one), subscription))
			return true;
	return q->subscriptions == NULL;
}

static void add_containers(struct asker *q)
{
	const char *id;
	json_t *s;

	json_object_foreach (q->a->subscriptions, id, s) {
		json_t *chain = json_array(), *row, *name;
		size_t i;

		json_array_foreach (json_object_get(s, "groups"), i, name)
			json_array_append_new(chain, json_pack("{s:O}", "name", name));
		row = subscription_document(id, s);
		json_object_set_new(row, "type", json_string("microsoft.resources/subscriptions"));
		json_object_set_new(row, "properties",
			json_pack("{s:o}", "managementGroupAncestorsChain", chain));
		if (is_asked(q, id))
			json_array_append(q->table, row);
		json_decref(row);
	}
}

static void add_plans(struct asker *q)
{
	const char *id;
	json_t *s;

	json_object_foreach (q->a->subscriptions, id, s) {
		json_t *row = json_copy(json_object_get(s, "plan"));

		json_object_set_new(row, "type", json_string("microsoft.security/pricings"));
		if (is_asked(q, id))
			json_array_append(q->table, row);
		json_decref(row);
	}
}

static void add_resources(struct asker *q)
{
	const char *key;
	json_t *document;

	json_object_foreach (q->a->resources, key, document)
		if (is_asked(q, json_text(document, "subscriptionId")))
			json_array_append(q->table, document);
}

static const json_t *table_of(void *ctx, const char *name)
{
	struct asker *q = ctx;

	json_array_clear(q->table);
	if (str_equal(name, "resources"))
		add_resources(q);
	else if (str_equal(name, "securityresources"))
		add_plans(q);
	else if (str_equal(name, "resourcecontainers"))
		add_containers(q);
	return q->table;
}

static json_t *cut_page(const json_t *rows, const json_t *options)
{
	const char *token = json_text(options, "$skipToken");
	size_t total = json_array_size(rows), first = token != NULL ? strtoul(token, NULL, 10) : 0;
	size_t top = (size_t)json_integer_value(json_object_get(options, "$top"));
	json_t *data = json_array(), *body;

	for (size_t i = first; i < first + top && i < total; i++)
		json_array_append(data, json_array_get(rows, i));
	body = json_pack("{s:I, s:I, s:s, s:o}", "totalRecords", (json_int_t)total, "count",
		(json_int_t)json_array_size(data), "resultTruncated",
		first + top < total ? "true" : "false", "data", data);
	if (first + top < total)
		json_object_set_new(body, "$skipToken", json_sprintf("%zu", first + top));
	return body;
}

static json_t *run_query(struct asker *q, const json_t *body, int *ret_status)
{
	struct kql_query *query;
	struct kql_result result;
	struct kql_error error;
	json_t *page;

	q->subscriptions = json_object_get(body, "subscriptions");
	if (kql_parse(json_text(body, "query"), &query, &error) != 0 ||
		kql_run(query, table_of, q, (struct wall){1}, &result, &error) != 0) {
		fprintf(stderr, "fake_azure: %s: %s\n", error.code, error.text);
		abort();
	}
	page = cut_page(result.rows, json_object_get(body, "options"));
	kql_result_fini(&result);
	kql_free(query);
	*ret_status = 200;
	return page;
}

static enum azure_call graph_call(const char *query)
{
	if (str_starts_nocase(query, "resourcecontainers"))
		return AZURE_GRAPH_GROUPS;
	if (str_starts_nocase(query, "securityresources"))
		return AZURE_GRAPH_PLANS;
	if (strstr(query, "summarize") != NULL)
		return AZURE_GRAPH_COUNTS;
	return strstr(query, "'agentConfiguration'") != NULL ? AZURE_GRAPH_MACHINES
							     : AZURE_GRAPH_EXTENSIONS;
}

static enum azure_call serve_graph(
	struct fake_azure *a, const struct http_request *r, struct azure_reply *reply)
{
	json_t *body = json_loadb(r->body, r->body_len, 0, NULL);
	struct asker q = {.a = a, .client = client_of(r), .table = json_array()};
	enum azure_call call = graph_call(json_text(body, "query"));

	reply->body = run_query(&q, body, &reply->status);
	json_decref(q.table);
	json_decref(body);
	return call;
}

/* --- requests --- */

static enum azure_call serve_token(const struct http_request *r, struct azure_reply *reply)
{
	const char *client = strstr(r->body, "client_id=");

	client = client != NULL ? client + strlen("client_id=") : "";
	reply->body = json_pack("{s:o, s:i}", "access_token",
		json_sprintf(TOKEN_PREFIX "%.*s", (int)strcspn(client, "&"), client), "expires_in",
		3599);
	return AZURE_TOKEN;
}

static enum azure_call serve_below_machine(
	struct fake_azure *a, const struct http_request *r, struct azure_reply *reply)
{
	const char *path = r->url + strlen(ORIGIN);
	size_t len = (size_t)(strstr(path, "/extensions") - path);
	mdc_autofree char *parent = xstrndup(path, len);
	mdc_autofree char *key = arm_id_key(parent);
	mdc_autofree char *prefix = xasprintf("%s/", key);

	if (json_object_get(a->resources, key) == NULL) {
		reply->status = 404;
		reply->body = json_pack("{s:{s:s}}", "error", "code", "ResourceNotFound");
	} else {
		reply->body = page_of(a, r->url,
			list_resources(a, prefix, "Microsoft.HybridCompute/machines/extensions"));
	}
	return AZURE_EXTENSIONS;
}

static enum azure_call serve_below_subscription(struct fake_azure *a, const struct http_request *r,
	const char *subscription, struct azure_reply *reply)
{
	mdc_autofree char *prefix = xasprintf("/subscriptions/%s/", subscription);

	if (!sees(a, client_of(r), subscription)) {
		reply->status = 404;
		reply->body = json_pack("{s:{s:s}}", "error", "code", "SubscriptionNotFound");
		return AZURE_OTHER;
	}
	if (strstr(r->url, "/pricings/") != NULL) {
		reply->body = json_incref(
			json_object_get(json_object_get(a->subscriptions, subscription), "plan"));
		return AZURE_PLAN;
	}
	if (strstr(r->url, "/settings?") != NULL) {
		reply->body = page_of(a, r->url, list_settings(a, subscription));
		return AZURE_SETTINGS;
	}
	if (strstr(r->url, "/extensions?") != NULL)
		return serve_below_machine(a, r, reply);
	if (strstr(r->url, "/Microsoft.Compute/virtualMachines?") != NULL) {
		reply->body = json_pack("{s:[]}", "value");
		return AZURE_OTHER;
	}
	reply->body =
		page_of(a, r->url, list_resources(a, prefix, "Microsoft.HybridCompute/machines"));
	return AZURE_MACHINES;
}

static enum azure_call serve_group(
	struct fake_azure *a, const struct http_request *r, struct azure_reply *reply)
{
	const char *name = strstr(r->url, "/managementGroups/") + strlen("/managementGroups/");
	mdc_autofree char *group = xstrndup(name, strcspn(name, "/"));

	reply->body = page_of(a, r->url, list_descendants(a, group));
	return AZURE_DESCENDANTS;
}

static enum azure_call answer(
	struct fake_azure *a, const struct http_request *r, struct azure_reply *reply)
{
	char subscription[GUID_TEXT_SIZE];

	if (strstr(r->url, "/oauth2/") != NULL)
		return serve_token(r, reply);
	if (strstr(r->url, "/Microsoft.ResourceGraph/") != NULL)
		return serve_graph(a, r, reply);
	if (strstr(r->url, "/managementGroups/") != NULL)
		return serve_group(a, r, reply);
	if (arm_id_subscription(r->url + strlen(ORIGIN), subscription))
		return serve_below_subscription(a, r, subscription, reply);
	if (strstr(r->url, "/subscriptions?") != NULL) {
		reply->body = page_of(a, r->url, list_subscriptions(a, client_of(r)));
		return AZURE_SUBSCRIPTIONS;
	}
	reply->status = 404;
	return AZURE_OTHER;
}

static void serve(
	void *ctx, const struct http_request *request, struct mono now, struct fake_answer *ret)
{
	struct fake_azure *a = ctx;
	struct azure_reply reply = {.status = 200, .delay = a->latency};
	enum azure_call call = answer(a, request, &reply);

	(void)now;
	a->calls[call]++;
	if (a->hook != NULL)
		a->hook(a->hook_ctx, a, call, request, &reply);
	if (reply.raw == NULL)
		reply.raw = reply.body != NULL ? json_dumps(reply.body, JSON_COMPACT) : xstrdup("");
	json_decref(reply.body);
	free((char *)a->answer.body);
	a->answer = (struct fake_answer){.status = reply.status,
		.body = reply.raw,
		.headers = {reply.header},
		.delay = reply.delay,
		.hangs = reply.hangs,
		.result = reply.result};
	*ret = a->answer;
}

unsigned fake_azure_total(const struct fake_azure *a)
{
	unsigned n = 0;

	for (unsigned c = AZURE_TOKEN + 1; c < AZURE_CALL_N_; c++)
		n += a->calls[c];
	return n;
}

void fake_azure_forget_calls(struct fake_azure *a)
{
	memset(a->calls, 0, sizeof(a->calls));
}

struct fake_azure *fake_azure_new(struct transport *t)
{
	struct fake_azure *a = xcalloc(1, sizeof(*a));

	a->subscriptions = json_object();
	a->resources = json_object();
	a->latency = DUR_MS(20);
	fake_transport_serve(t, serve, a);
	return a;
}

struct fake_azure *fake_azure_free(struct fake_azure *a)
{
	json_decref(a->subscriptions);
	json_decref(a->resources);
	free((char *)a->answer.body);
	free(a);
	return NULL;
}
