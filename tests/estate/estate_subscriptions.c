/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions, tenants, resource providers and resource groups. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

static const char *const arm_versions[] = {"2014-04-01", "2015-01-01", "2015-11-01", "2016-02-01",
	"2016-06-01", "2016-07-01", "2016-09-01", "2017-05-10", "2018-02-01", "2018-05-01",
	"2019-05-01", "2019-05-10", "2019-06-01", "2019-07-01", "2019-08-01", "2019-10-01",
	"2019-11-01", "2020-01-01", "2020-06-01", "2020-08-01", "2020-10-01", "2021-01-01",
	"2021-04-01", "2022-01-01", "2022-05-01", "2022-06-01", "2022-09-01", "2022-12-01",
	"2023-07-01", "2024-03-01", "2024-08-01", NULL};
static const struct api arm_api = {API_ARM, "Microsoft.Resources", "subscriptions", arm_versions};

/* --- subscriptions and tenants --- */

static json_t *visible_subscription(struct call *c, void *ctx, size_t place)
{
	const struct subscription *sub = c->e->subscriptions.v[place];

	(void)ctx;
	return auth_sees(c->who, sub) ? json_incref(sub->res.doc) : NULL;
}

static void list_subscriptions(struct call *c)
{
	struct page_source source = {
		.places = c->e->subscriptions.n,
		.item = visible_subscription,
		.size = c->e->knobs.paging.subscriptions,
		.always_link = true,
	};

	answer_page(c, &source);
}

static void get_subscription(struct call *c)
{
	answer_doc(c, 200, &c->sub->res);
}

static void list_tenants(struct call *c)
{
	const struct tenant *t = c->who->tenant;
	const char *domain = t->domain != NULL ? t->domain : "";

	answer_json(c, 200,
		json_pack("{s:[{s:o, s:s, s:s, s:s, s:[s], s:s, s:s, s:s}], s:s}", "value", "id",
			json_sprintf("/tenants/%s", t->id), "tenantId", t->id, "countryCode", "DE",
			"displayName", t->name, "domains", domain, "tenantCategory", "Home",
			"defaultDomain", domain, "tenantType", "AAD", "nextLink", ""));
}

/* --- resource providers --- */

static json_t *render_provider(const struct call *c, const char *name)
{
	mdc_autofree char *id = xasprintf("/subscriptions/%s/providers/%s", c->sub->id, name);
	const struct resource *r = estate_find_kind(c->e, id, RESOURCE_PROVIDER);
	const char *state = r != NULL ? tree_text(r->doc, "registrationState") : "NotRegistered";

	if (r != NULL)
		name = r->name;
	return json_pack("{s:o, s:s, s:s, s:s, s:o}", "id",
		json_sprintf("/subscriptions/%s/providers/%s", c->sub->id, name), "namespace", name,
		"registrationPolicy", "RegistrationRequired", "registrationState", state,
		"resourceTypes", router_types(name));
}

static const char *const known_providers[] = {"Microsoft.Security", "Microsoft.HybridCompute",
	"Microsoft.GuestConfiguration", "Microsoft.OperationalInsights",
	"Microsoft.OperationsManagement", "Microsoft.Compute", "Microsoft.Insights",
	"Microsoft.Authorization", "Microsoft.ResourceGraph", "Microsoft.PolicyInsights",
	"Microsoft.Management", "Microsoft.Resources"};

static const char *known_provider(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(known_providers); i++)
		if (str_equal_nocase(known_providers[i], name))
			return known_providers[i];
	return NULL;
}

static bool refuse_unknown_provider(struct call *c)
{
	if (known_provider(c->args[1]) != NULL)
		return false;
	answer_error(c, 404, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.",
		c->args[1]);
	return true;
}

static void get_provider(struct call *c)
{
	if (!refuse_unknown_provider(c))
		answer_json(c, 200, render_provider(c, known_provider(c->args[1])));
}

static json_t *provider_item(struct call *c, void *ctx, size_t place)
{
	(void)ctx;
	return render_provider(c, known_providers[place]);
}

static void list_providers(struct call *c)
{
	struct page_source source = {.places = ARRAY_LEN(known_providers),
		.item = provider_item,
		.size = c->e->knobs.paging.others};

	answer_page(c, &source);
}

static void registered(struct estate *e, struct estate_event *event)
{
	struct provider *p = container_of(event, struct provider, registration);

	estate_replace(
		e, &p->res, tree_with(p->res.doc, "registrationState", json_string("Registered")));
}

static struct provider *provider_for(struct call *c, const char *name)
{
	mdc_autofree char *id = xasprintf("/subscriptions/%s/providers/%s", c->sub->id, name);
	struct resource *r = estate_find_kind(c->e, id, RESOURCE_PROVIDER);

	if (r == NULL)
		r = estate_create(c->e, RESOURCE_PROVIDER, id, c->sub,
			json_pack("{s:s, s:s, s:s}", "id", id, "namespace", name,
				"registrationState", "NotRegistered"));
	return container_of(r, struct provider, res);
}

static void register_provider(struct call *c)
{
	struct provider *p;
	const char *state;

	if (refuse_unknown_provider(c))
		return;
	p = provider_for(c, known_provider(c->args[1]));
	state = tree_text(p->res.doc, "registrationState");
	ledger_write(c, &p->res, RESOURCE_PROVIDER, p->res.id, NULL);
	if (!str_equal(state, "Registered") && !str_equal(state, "Registering")) {
		p->registration.fire = registered;
		estate_replace(c->e, &p->res,
			tree_with(p->res.doc, "registrationState", json_string("Registering")));
		estate_schedule(c->e, &p->registration,
			wall_add(c->now, estate_between(c->e, c->e->knobs.providers.registration)));
	}
	answer_json(c, 200, render_provider(c, p->res.name));
}

/* --- resource groups --- */

static bool refuse_filter(struct call *c)
{
	const char *filter = call_parameter(c, "$filter");

	if (filter == NULL)
		return false;
	answer_error(c, 400, "InvalidFilterInQueryString",
		"Invalid $filter '%s' specified in the query string.", filter);
	return true;
}

static void list_groups(struct call *c)
{
	if (!refuse_filter(c))
		answer_kind(c, RESOURCE_GROUP, c->e->knobs.paging.others);
}

static void get_group(struct call *c)
{
	const struct resource *r = estate_find_kind(c->e, c->path, RESOURCE_GROUP);

	if (r != NULL)
		answer_doc(c, 200, r);
	else
		answer_error(c, 404, "ResourceGroupNotFound",
			"Resource group '%s' could not be found.", c->args[1]);
}

static void head_group(struct call *c)
{
	answer_empty(c, estate_find_kind(c->e, c->path, RESOURCE_GROUP) != NULL ? 204 : 404);
}

static const struct route routes[] = {
	{"GET", "/subscriptions", &arm_api, NULL, 0, list_subscriptions},
	{"GET", "/subscriptions/{}", &arm_api, "Microsoft.Resources/subscriptions/read", 0,
		get_subscription},
	{"GET", "/tenants", &arm_api, NULL, 0, list_tenants},
	{"GET", "/subscriptions/{}/providers", &arm_api,
		"Microsoft.Resources/subscriptions/providers/read", ROUTE_LIST, list_providers},
	{"GET", "/subscriptions/{}/providers/{}", &arm_api,
		"Microsoft.Resources/subscriptions/providers/read", ROUTE_LIST, get_provider},
	{"POST", "/subscriptions/{}/providers/{}/register", &arm_api, "{}/register/action",
		ROUTE_LIST | ROUTE_WRITES | ROUTE_OPTIONAL_BODY, register_provider},
	{"GET", "/subscriptions/{}/resourceGroups", &arm_api,
		"Microsoft.Resources/subscriptions/resourceGroups/read", 0, list_groups},
	{"GET", "/subscriptions/{}/resourceGroups/{}", &arm_api,
		"Microsoft.Resources/subscriptions/resourceGroups/read", 0, get_group},
	{"HEAD", "/subscriptions/{}/resourceGroups/{}", &arm_api,
		"Microsoft.Resources/subscriptions/resourceGroups/read", 0, head_group},
};
const struct route_table subscription_routes = {routes, ARRAY_LEN(routes)};

/* --- what clients read before they have a token --- */

static json_t *authentication(const struct call *c)
{
	return json_pack("{s:o, s:[s,s,o], s:s, s:s}", "loginEndpoint",
		json_sprintf("https://%s/", c->e->login_host), "audiences",
		"https://management.core.windows.net/", "https://management.azure.com/",
		json_sprintf("https://%s/", c->e->arm_host), "tenant", "common", "identityProvider",
		"AAD");
}

static json_t *describe_cloud(const struct call *c)
{
	return json_pack("{s:s, s:o, s:o, s:{s:s}, s:s, s:s, s:s, s:s}", "name", "AzureCloud",
		"resourceManager", json_sprintf("https://%s/", c->e->arm_host), "authentication",
		authentication(c), "suffixes", "acrLoginServer", "azurecr.test", "graph",
		"https://graph.test/", "portal", "https://portal.test", "gallery",
		"https://gallery.test/", "logAnalyticsResourceId", "https://api.loganalytics.test");
}

/* First with few words, then for all clouds in a list, today for this one. */
static void get_endpoints(struct call *c)
{
	if (str_equal(c->version, "2015-01-01"))
		answer_json(c, 200,
			json_pack("{s:s, s:s, s:s, s:o}", "galleryEndpoint",
				"https://gallery.test/", "graphEndpoint", "https://graph.test/",
				"portalEndpoint", "https://portal.test", "authentication",
				authentication(c)));
	else if (str_equal(c->version, "2022-09-01"))
		answer_json(c, 200, describe_cloud(c));
	else
		answer_json(c, 200, json_pack("[o]", describe_cloud(c)));
}

static const char *const metadata_versions[] = {
	"2015-01-01", "2019-05-01", "2020-06-01", "2022-09-01", NULL};
static const struct api metadata_api = {API_ARM, "", "metadata", metadata_versions};
static const struct route anonymous[] = {
	{"GET", "/metadata/endpoints", &metadata_api, NULL, ROUTE_ANONYMOUS, get_endpoints},
};
const struct route_table metadata_routes = {anonymous, ARRAY_LEN(anonymous)};
