/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft.Security/pricings: Defender plans of a subscription, and of one machine. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_plan.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define BAD "InvalidInputJson"

/* --- subscription scope --- */

/* What an older version does not know of a plan. */
static const struct {
	const char *version;
	const char *unknown[8];
} older[] = {
	{"2018-06-01",
		{"subPlan", "enablementTime", "enforce", "resourcesCoverageStatus", "extensions",
			"deprecated", "replacedBy"}},
	{"2022-03-01", {"enablementTime", "enforce", "resourcesCoverageStatus", "extensions"}},
	{"2023-01-01", {"enforce", "resourcesCoverageStatus"}},
};

static json_t *without_unknown(const struct call *c, json_t *take_properties)
{
	for (size_t i = 0; i < ARRAY_LEN(older); i++) {
		if (!str_equal(c->version, older[i].version))
			continue;
		for (size_t k = 0; older[i].unknown[k] != NULL; k++)
			tree_set(&take_properties, older[i].unknown[k], NULL);
	}
	return take_properties;
}

static json_t *render(const struct call *c, json_t *take_doc)
{
	json_t *properties = json_incref(json_object_get(take_doc, "properties"));

	tree_set(&take_doc, "properties", without_unknown(c, properties));
	return take_doc;
}

static struct resource *find_plan(struct call *c, const char *name)
{
	mdc_autofree char *id =
		xasprintf("/subscriptions/%s/providers/" PRICING_TYPE "/%s", c->sub->id, name);
	struct resource *r = estate_find_kind(c->e, id, RESOURCE_PRICING);

	if (r == NULL)
		answer_error(c, 404, "ResourceNotFound", "The pricing '%s' was not found.", name);
	return r;
}

/* "name in (A,B)" */
static bool passes_filter(const struct call *c, const char *name)
{
	static const char head[] = "name in (";
	const char *filter = call_parameter(c, "$filter");
	const char *at;

	if (filter == NULL)
		return true;
	for (at = filter + strlen(head); *at != '\0' && *at != ')';) {
		size_t len;

		at += strspn(at, " ,'");
		len = strcspn(at, " ,')");
		if (len == strlen(name) && strncasecmp(at, name, len) == 0)
			return true;
		at += len;
	}
	return false;
}

static bool check_filter(struct call *c)
{
	const char *filter = call_parameter(c, "$filter");

	if (filter == NULL ||
		(str_starts_nocase(filter, "name in (") && str_ends_nocase(filter, ")")))
		return true;
	answer_error(c, 400, "InvalidFilter",
		"Valid $filter is: 'name in ({planName1},{planName2},...)'. Given: '%s'.", filter);
	return false;
}

static void list_plans(struct call *c)
{
	const struct vec *plans = &c->sub->kinds[RESOURCE_PRICING];
	json_t *list;

	if (!check_filter(c))
		return;
	list = json_array();
	for (size_t i = 0; i < plans->n; i++) {
		const struct resource *r = plans->v[i];

		if (r != NULL && passes_filter(c, r->name))
			json_array_append_new(list, render(c, json_incref(r->doc)));
	}
	answer_json(c, 200, json_pack("{s:o}", "value", list));
}

static void get_plan(struct call *c)
{
	const struct resource *r = find_plan(c, c->args[1]);

	if (r != NULL)
		answer_json(c, 200, render(c, json_incref(r->doc)));
}

static void plan_written(struct estate *e, struct estate_event *event)
{
	struct subscription *sub = container_of(event, struct subscription, plan_write);
	struct resource *r = estate_find(e, sub->plan_id);

	free(mdc_take(sub->plan_id));
	if (r != NULL)
		estate_replace(e, r, mdc_take(sub->plan_next));
	else
		json_decref(mdc_take(sub->plan_next));
}

static bool refuse_second_write(struct call *c)
{
	if (!estate_is_scheduled(&c->sub->plan_write))
		return false;
	c->own_conflict = c->sub->plan_writer == c->who;
	answer_error(c, 409, "Conflict",
		"Another update operation is in progress. Please retry in a few minutes");
	return true;
}

static void begin_plan_write(struct call *c, struct resource *r, json_t *take_doc)
{
	struct subscription *sub = c->sub;

	sub->plan_next = take_doc;
	sub->plan_id = xstrdup(r->id);
	sub->plan_writer = c->who;
	sub->plan_write.fire = plan_written;
	estate_schedule(c->e, &sub->plan_write, wall_add(c->now, c->answer->delay));
}

/* An older version's writer cannot mean what it does not know. */
static const json_t *read_properties(struct call *c)
{
	if (json_is_object(json_object_get(c->body, "properties")))
		c->body = render(c, c->body);
	return json_object_get(c->body, "properties");
}

static void put_plan(struct call *c)
{
	struct resource *r = find_plan(c, c->args[1]);
	const json_t *properties = read_properties(c);
	const json_t *enforce = json_object_get(properties, "enforce");
	json_t *doc, *answer;

	if (r == NULL || !plan_check_properties(c, r->name, properties))
		return;
	if (enforce != NULL && !json_is_null(enforce) && !plan_is_true_or_false(enforce)) {
		answer_error(c, 400, BAD, "enforce must be the string 'True' or 'False'.");
		return;
	}
	if (str_equal_nocase(r->name, SERVERS_PLAN) &&
		!plan_check_extensions(c, properties, plan_wanted_sub_plan(properties)))
		return;
	if (refuse_second_write(c))
		return;
	ledger_write(c, r, RESOURCE_PRICING, r->id, c->body);
	c->answer->delay = estate_between(c->e, c->e->knobs.plan.write);
	doc = pricing_document(
		c->sub, r->name, r->doc, properties, wall_add(c->now, c->answer->delay));
	plan_settle_extensions(c, r->doc, doc, &answer);
	begin_plan_write(c, r, doc);
	activity_of_call(c, r->id, "Succeeded", 200);
	answer_json(c, 200, render(c, answer));
}

/* --- one machine --- */

static struct machine *find_machine(struct call *c)
{
	mdc_autofree char *id = call_container(c);
	struct machine *m = machine_of(estate_find(c->e, id));

	if (!str_equal_nocase(c->version, "2024-01-01"))
		answer_error(c, 400, "InvalidScope",
			"The api-version '%s' supports subscriptions only.", c->version);
	else if (m == NULL)
		answer_error(c, 404, "ResourceNotFound",
			"The Resource '%s' was not found. For more details please go to "
			"https://aka.ms/ARMResourceNotFoundFix",
			id);
	else
		return m;
	return NULL;
}

static bool refuse_other_plan(struct call *c, const char *name)
{
	if (str_equal_nocase(name, SERVERS_PLAN))
		return false;
	answer_error(c, 400, BAD, "The plan '%s' is not supported at the resource level.", name);
	return true;
}

static json_t *inherited_doc(const struct machine *m)
{
	const struct resource *plan = subscription_plan(m->res.sub);
	json_t *doc = json_pack("{s:o, s:s, s:s, s:O*}", "id",
		json_sprintf("%s/providers/" PRICING_TYPE "/" SERVERS_PLAN, m->res.id), "name",
		SERVERS_PLAN, "type", PRICING_TYPE, "properties",
		plan != NULL ? json_object_get(plan->doc, "properties") : NULL);

	tree_set(&doc, "properties.enforce", NULL);
	tree_set(&doc, "properties.resourcesCoverageStatus", NULL);
	tree_set(&doc, "properties.inherited", json_string("True"));
	tree_set(&doc, "properties.inheritedFrom", json_string(m->res.sub->res.id));
	return doc;
}

static json_t *effective_doc(const struct machine *m)
{
	return m->pricing != NULL ? json_incref(m->pricing->doc) : inherited_doc(m);
}

static void list_machine_plans(struct call *c)
{
	const struct machine *m = find_machine(c);

	if (m != NULL)
		answer_json(c, 200, json_pack("{s:[o]}", "value", effective_doc(m)));
}

static void get_machine_plan(struct call *c)
{
	const struct machine *m = find_machine(c);

	if (m != NULL && !refuse_other_plan(c, c->args[3]))
		answer_json(c, 200, effective_doc(m));
}

static bool check_machine_plan(struct call *c, const struct machine *m, const json_t *properties)
{
	const struct resource *plan = subscription_plan(m->res.sub);

	if (!plan_check_properties(c, SERVERS_PLAN, properties))
		return false;
	if (json_object_get(properties, "enforce") != NULL)
		return answer_error(
			c, 400, BAD, "The property 'enforce' exists for subscriptions only.");
	if (str_equal_nocase(tree_text(properties, "pricingTier"), "Standard") &&
		!str_equal_nocase(tree_text(properties, "subPlan"), "P1"))
		return answer_error(
			c, 400, BAD, "At the resource level only the subPlan 'P1' is supported.");
	if (plan == NULL || !str_equal(tree_text(plan->doc, "properties.enforce"), "True"))
		return plan_check_extensions(c, properties, "P1");
	answer_error(c, 400, "PricingEnforced",
		"The pricing configuration of the subscription '%s' is enforced and cannot be "
		"overridden.",
		m->res.sub->id);
	return false;
}

/* A machine that differs from its subscription shows in the subscription's own plan. */
static void update_coverage(struct estate *e, struct subscription *sub)
{
	struct resource *plan = subscription_plan(sub);
	bool standard;

	if (plan == NULL)
		return;
	standard = str_equal(tree_text(plan->doc, "properties.pricingTier"), "Standard");
	estate_replace(e, plan,
		tree_with(plan->doc, "properties.resourcesCoverageStatus",
			json_string(plan_coverage(sub, standard))));
}

static void put_machine_plan(struct call *c)
{
	struct machine *m = find_machine(c);
	const json_t *properties = json_object_get(c->body, "properties");
	json_t *doc;
	bool is_new;

	if (m == NULL || refuse_other_plan(c, c->args[3]) || !check_machine_plan(c, m, properties))
		return;
	doc = machine_pricing_document(
		m, str_equal_nocase(tree_text(properties, "pricingTier"), "Standard"), c->now);
	is_new = m->pricing == NULL;
	ledger_write(c, m->pricing, RESOURCE_MACHINE_PRICING, tree_text(doc, "id"), c->body);
	activity_of_call(c, tree_text(doc, "id"), "Succeeded", is_new ? 201 : 200);
	if (is_new)
		estate_create(c->e, RESOURCE_MACHINE_PRICING, tree_text(doc, "id"), c->sub,
			json_incref(doc));
	else
		estate_replace(c->e, m->pricing, json_incref(doc));
	update_coverage(c->e, c->sub);
	answer_json(c, is_new ? 201 : 200, doc);
}

static void delete_machine_plan(struct call *c)
{
	struct machine *m = find_machine(c);

	if (m == NULL || refuse_other_plan(c, c->args[3]))
		return;
	if (m->pricing == NULL) {
		answer_empty(c, 204);
		return;
	}
	ledger_write(c, m->pricing, RESOURCE_MACHINE_PRICING, m->pricing->id, NULL);
	activity_of_call(c, m->pricing->id, "Succeeded", 200);
	estate_remove(c->e, m->pricing);
	update_coverage(c->e, c->sub);
	answer_empty(c, 200);
}

static const char *const versions[] = {
	"2018-06-01", "2022-03-01", "2023-01-01", "2024-01-01", NULL};
static const struct api api = {API_SECURITY, SECURITY_NAMESPACE, "pricings", versions};
#define ON_SUBSCRIPTION "/subscriptions/{}/providers/Microsoft.Security/pricings"
#define ON_MACHINE \
	"/subscriptions/{}/resourceGroups/{}/providers/Microsoft.HybridCompute/machines/{}" \
	"/providers/Microsoft.Security/pricings"
#define ON_VM \
	"/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines/{}" \
	"/providers/Microsoft.Security/pricings"
static const struct route routes[] = {
	{"GET", ON_SUBSCRIPTION, &api, PRICING_TYPE "/read", ROUTE_LIST | ROUTE_REGISTERED,
		list_plans},
	{"GET", ON_SUBSCRIPTION "/{}", &api, PRICING_TYPE "/read", ROUTE_REGISTERED, get_plan},
	{"PUT", ON_SUBSCRIPTION "/{}", &api, PRICING_TYPE "/write",
		ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY, put_plan},
	{"GET", ON_MACHINE, &api, PRICING_TYPE "/read", ROUTE_LIST | ROUTE_REGISTERED,
		list_machine_plans},
	{"GET", ON_MACHINE "/{}", &api, PRICING_TYPE "/read", ROUTE_REGISTERED, get_machine_plan},
	{"PUT", ON_MACHINE "/{}", &api, PRICING_TYPE "/write",
		ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY, put_machine_plan},
	{"DELETE", ON_MACHINE "/{}", &api, PRICING_TYPE "/delete", ROUTE_REGISTERED | ROUTE_WRITES,
		delete_machine_plan},
	{"GET", ON_VM, &api, PRICING_TYPE "/read", ROUTE_LIST | ROUTE_REGISTERED,
		list_machine_plans},
	{"GET", ON_VM "/{}", &api, PRICING_TYPE "/read", ROUTE_REGISTERED, get_machine_plan},
	{"PUT", ON_VM "/{}", &api, PRICING_TYPE "/write",
		ROUTE_REGISTERED | ROUTE_WRITES | ROUTE_BODY, put_machine_plan},
	{"DELETE", ON_VM "/{}", &api, PRICING_TYPE "/delete", ROUTE_REGISTERED | ROUTE_WRITES,
		delete_machine_plan},
};
const struct route_table pricing_routes = {routes, ARRAY_LEN(routes)};
