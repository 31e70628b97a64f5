/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Microsoft.Security/pricings: Defender plans of a subscription, and of one machine.
 *
 * A plan's extensions that a write leaves out keep their state, and so do their additional
 * properties; a write that turns the plan on, or changes its sub-plan, and names no extension gets
 * the server's default set.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define PRICING_TYPE "Microsoft.Security/pricings"
#define SERVERS "VirtualMachines"

/* Extensions of the servers plan. */
static const struct plan_extension {
	const char *name;
	bool p2_only;
	const char *by_default; /* "True" where a plan comes with it */
	bool assigns_roles;
} servers_extensions[] = {
	{"MdeDesignatedSubscription", false, "False", false},
	{"AgentlessVmScanning", true, "True", true},
	{"FileIntegrityMonitoring", true, "False", false},
};

static const char *const read_only[] = {"freeTrialRemainingTime", "enablementTime", "inherited",
	"inheritedFrom", "resourcesCoverageStatus", "deprecated", "replacedBy"};

static const struct plan_extension *find_extension(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(servers_extensions); i++)
		if (str_equal_nocase(servers_extensions[i].name, name))
			return &servers_extensions[i];
	return NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* --- validation --- */

#define BAD "InvalidInputJson"

static bool is_true_or_false(const json_t *value)
{
	const char *text = json_string_value(value);

	return str_equal_nocase(text, "True") || str_equal_nocase(text, "False");
}

static bool check_integrity_bag(struct call *c, const json_t *x)
{
	const json_t *bag = json_object_get(x, "additionalExtensionProperties");
	const json_t *rules = json_object_get(bag, "Rules");

	if (str_equal_nocase(text_of(x, "isEnabled"), "False") && bag == NULL)
		return true;
	if (str_empty(text_of(bag, "DefinedWorkspaceId")))
		return answer_error(c, 400, BAD,
			"Extension 'FileIntegrityMonitoring' needs 'DefinedWorkspaceId'.");
	if (!json_is_string(rules))
		return answer_error(c, 400, BAD,
			"Extension 'FileIntegrityMonitoring' needs 'Rules', a string that contains "
			"JSON.");
	return true;
}

static bool check_extension(struct call *c, const json_t *x, const char *sub_plan)
{
	const char *name = text_of(x, "name");
	const struct plan_extension *known = name != NULL ? find_extension(name) : NULL;
	const json_t *bag = json_object_get(x, "additionalExtensionProperties");

	if (name == NULL)
		return answer_error(c, 400, BAD, "An extension needs a name.");
	if (known == NULL)
		return answer_error(c, 400, BAD,
			"Extension with name '%s' is not supported for '" SERVERS "' plan.", name);
	if (!is_true_or_false(json_object_get(x, "isEnabled")))
		return answer_error(c, 400, BAD,
			"isEnabled of extension '%s' must be the string 'True' or 'False'.",
			known->name);
	if (json_object_get(x, "operationStatus") != NULL)
		return answer_error(c, 400, BAD, "The property 'operationStatus' is read only.");
	if (bag != NULL && !json_is_null(bag) && !json_is_object(bag))
		return answer_error(c, 400, BAD,
			"additionalExtensionProperties of extension '%s' must be an object.",
			known->name);
	if (known->p2_only && str_equal_nocase(sub_plan, "P1"))
		return answer_error(c, 400, BAD,
			"Extension with name '%s' is not supported for '" SERVERS "' plan and 'P1' "
			"SubPlan.",
			known->name);
	return !str_equal(known->name, "FileIntegrityMonitoring") || check_integrity_bag(c, x);
}

static bool check_extensions(struct call *c, const json_t *properties, const char *sub_plan)
{
	const json_t *list = json_object_get(properties, "extensions");
	size_t i;
	json_t *x;

	if (list == NULL || json_is_null(list))
		return true;
	if (!json_is_array(list))
		return answer_error(c, 400, BAD, "'extensions' must be an array.");
	json_array_foreach (list, i, x)
		if (!check_extension(c, x, sub_plan))
			return false;
	return true;
}

static bool check_sub_plan(struct call *c, const json_t *properties)
{
	const json_t *sub_plan = json_object_get(properties, "subPlan");

	if (sub_plan == NULL || json_is_null(sub_plan))
		return true;
	if (!str_equal_nocase(json_string_value(sub_plan), "P1") &&
		!str_equal_nocase(json_string_value(sub_plan), "P2"))
		return answer_error(
			c, 400, BAD, "subPlan of the plan '" SERVERS "' must be 'P1' or 'P2'.");
	return true;
}

static bool check_properties(struct call *c, const char *plan, const json_t *properties)
{
	const char *tier = text_of(properties, "pricingTier");

	if (!json_is_object(properties))
		return answer_error(c, 400, BAD, "'properties' must be an object.");
	if (!str_equal_nocase(tier, "Free") && !str_equal_nocase(tier, "Standard"))
		return answer_error(c, 400, BAD, "pricingTier must be 'Free' or 'Standard'.");
	for (size_t i = 0; i < ARRAY_LEN(read_only); i++)
		if (json_object_get(properties, read_only[i]) != NULL)
			return answer_error(
				c, 400, BAD, "The property '%s' is read only.", read_only[i]);
	return !str_equal_nocase(plan, SERVERS) || check_sub_plan(c, properties);
}

/* "omitted means the full plan" */
static const char *wanted_sub_plan(const json_t *properties)
{
	const char *sub_plan = text_of(properties, "subPlan");

	if (!str_equal_nocase(text_of(properties, "pricingTier"), "Standard"))
		return NULL;
	return str_equal_nocase(sub_plan, "P1") ? "P1" : "P2";
}

/* --- the new document --- */

static const json_t *find_in(const json_t *list, const char *name)
{
	size_t i;
	json_t *x;

	json_array_foreach (list, i, x)
		if (str_equal_nocase(text_of(x, "name"), name))
			return x;
	return NULL;
}

/* One extension as it will be: what was sent over what was there. */
static json_t *merge_extension(
	const struct plan_extension *known, const json_t *sent, const json_t *before, bool fresh)
{
	const json_t *bag = json_object_get(sent, "additionalExtensionProperties");
	const char *on = text_of(sent, "isEnabled");
	json_t *x = json_object();

	if (on == NULL)
		on = fresh || before == NULL ? known->by_default : text_of(before, "isEnabled");
	if (!json_is_object(bag))
		bag = json_object_get(before, "additionalExtensionProperties");
	json_object_set_new(x, "name", json_string(known->name));
	json_object_set_new(
		x, "isEnabled", json_string(str_equal_nocase(on, "True") ? "True" : "False"));
	if (json_is_object(bag))
		json_object_set(x, "additionalExtensionProperties", (json_t *)bag);
	return x;
}

static json_t *merge_extensions(
	const json_t *before, const json_t *properties, const char *sub_plan)
{
	const json_t *sent = json_object_get(properties, "extensions");
	const json_t *old = tree_get(before, "properties.extensions");
	const char *old_plan = tree_text(before, "properties.subPlan");
	bool fresh = !str_equal_nocase(old_plan, sub_plan) && json_array_size(sent) == 0;
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(servers_extensions); i++) {
		const struct plan_extension *known = &servers_extensions[i];
		const json_t *was = find_in(old, known->name);
		const json_t *now = find_in(sent, known->name);

		if (known->p2_only && str_equal(sub_plan, "P1"))
			continue;
		/* One that nobody ever named is not listed unless it is on by default. */
		if (was == NULL && now == NULL && str_equal(known->name, "FileIntegrityMonitoring"))
			continue;
		json_array_append_new(list, merge_extension(known, now, was, fresh));
	}
	return list;
}

static const char *coverage(const struct subscription *sub, bool standard)
{
	const struct vec *machines = &sub->kinds[RESOURCE_MACHINE];
	bool some_differ = false;

	for (size_t i = 0; i < machines->n; i++) {
		const struct machine *m = machine_of(machines->v[i]);

		if (m != NULL && m->pricing != NULL && machine_is_paid(m) != standard)
			some_differ = true;
	}
	if (some_differ)
		return "PartiallyCovered";
	return standard ? "FullyCovered" : "NotCovered";
}

json_t *pricing_document(const struct subscription *sub, const char *name, const json_t *before,
	const json_t *properties, struct wall at)
{
	const char *sub_plan = str_equal_nocase(name, SERVERS) ? wanted_sub_plan(properties) : NULL;
	bool standard = str_equal_nocase(text_of(properties, "pricingTier"), "Standard");
	bool was_standard = str_equal(tree_text(before, "properties.pricingTier"), "Standard");
	const char *enforce = text_of(properties, "enforce");
	const json_t *since = tree_get(before, "properties.enablementTime");
	char time[WALL_TEXT_SIZE];
	json_t *p = json_object();

	wall_format(at, time);
	if (enforce == NULL)
		enforce = tree_text(before, "properties.enforce");
	json_object_set_new(p, "pricingTier", json_string(standard ? "Standard" : "Free"));
	if (sub_plan != NULL)
		json_object_set_new(p, "subPlan", json_string(sub_plan));
	json_object_set_new(p, "freeTrialRemainingTime", json_string("PT0S"));
	if (standard)
		json_object_set_new(p, "enablementTime",
			was_standard && since != NULL ? json_incref((json_t *)since)
						      : json_string(time));
	json_object_set_new(
		p, "enforce", json_string(str_equal_nocase(enforce, "True") ? "True" : "False"));
	json_object_set_new(p, "resourcesCoverageStatus", json_string(coverage(sub, standard)));
	if (sub_plan != NULL)
		json_object_set_new(
			p, "extensions", merge_extensions(before, properties, sub_plan));
	return json_pack("{s:o, s:s, s:s, s:o}", "id",
		json_sprintf("/subscriptions/%s/providers/" PRICING_TYPE "/%s", sub->id, name),
		"name", name, "type", PRICING_TYPE, "properties", p);
}

/* --- partial success --- */

/* Why an extension that is being turned on fails, or NULL. */
static const char *failure_of(const struct call *c, const struct plan_extension *known)
{
	const char *told = text_of(c->sub->plan_failures, known->name);

	if (told != NULL)
		return told;
	if (known->assigns_roles && c->e->knobs.plan.owner_needed &&
		!auth_allows(c->who, "Microsoft.Authorization/roleAssignments/write",
			c->sub->res.id, c->sub->group))
		return "Failed assigning roles {d5a2ae44-610b-4500-93be-660a0c5f5ca6} to "
		       "{identityName} for plan";
	return NULL;
}

/* The answer shows how each enabled extension fared; what failed is then not on. */
static void settle_extensions(
	struct call *c, const json_t *before, json_t *doc, json_t **ret_answer)
{
	const json_t *old = tree_get(before, "properties.extensions");
	json_t *list = tree_get(doc, "properties.extensions");
	json_t *shown = json_array();
	size_t i;
	json_t *x;

	json_array_foreach (list, i, x) {
		const struct plan_extension *known = find_extension(text_of(x, "name"));
		const json_t *was = find_in(old, known->name);
		bool on = str_equal(text_of(x, "isEnabled"), "True");
		bool was_on = was != NULL && str_equal(text_of(was, "isEnabled"), "True");
		const char *failure = on && !was_on ? failure_of(c, known) : NULL;
		json_t *copy = json_copy(x);

		if (on)
			json_object_set_new(copy, "operationStatus",
				json_pack("{s:s, s:s}", "code",
					failure != NULL ? "Failed" : "Succeeded", "message",
					failure != NULL ? failure
							: "Successfully enabled extension"));
		json_array_append_new(shown, copy);
		if (failure != NULL)
			json_object_set_new(x, "isEnabled", json_string("False"));
	}
	*ret_answer = list != NULL ? tree_with(doc, "properties.extensions", shown)
				   : (json_decref(shown), json_incref(doc));
}

/* --- subscription scope --- */

/* The older version knows neither enforcement nor coverage. */
static json_t *render(const struct call *c, json_t *take_doc)
{
	if (str_equal(c->version, "2023-01-01")) {
		tree_set(&take_doc, "properties.enforce", NULL);
		tree_set(&take_doc, "properties.resourcesCoverageStatus", NULL);
	}
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

static void put_plan(struct call *c)
{
	struct resource *r = find_plan(c, c->args[1]);
	const json_t *properties = json_object_get(c->body, "properties");
	const json_t *enforce = json_object_get(properties, "enforce");
	json_t *doc, *answer;

	if (r == NULL || !check_properties(c, r->name, properties))
		return;
	if (enforce != NULL && !json_is_null(enforce) && !is_true_or_false(enforce)) {
		answer_error(c, 400, BAD, "enforce must be the string 'True' or 'False'.");
		return;
	}
	if (str_equal_nocase(r->name, SERVERS) &&
		!check_extensions(c, properties, wanted_sub_plan(properties)))
		return;
	if (refuse_second_write(c))
		return;
	ledger_write(c, r, RESOURCE_PRICING, r->id, c->body);
	c->answer->delay = estate_between(c->e, c->e->knobs.plan.write);
	doc = pricing_document(
		c->sub, r->name, r->doc, properties, wall_add(c->now, c->answer->delay));
	settle_extensions(c, r->doc, doc, &answer);
	begin_plan_write(c, r, doc);
	activity_of_call(c, r->id, "Succeeded", 200);
	answer_json(c, 200, render(c, answer));
}

/* --- one machine --- */

static struct machine *find_machine(struct call *c)
{
	mdc_autofree char *id = call_container(c);
	struct machine *m = machine_of(estate_find(c->e, id));

	if (str_equal_nocase(c->version, "2023-01-01"))
		answer_error(c, 400, "InvalidScope",
			"The api-version '2023-01-01' supports subscriptions only.");
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
	if (str_equal_nocase(name, SERVERS))
		return false;
	answer_error(c, 400, BAD, "The plan '%s' is not supported at the resource level.", name);
	return true;
}

static json_t *inherited_doc(const struct machine *m)
{
	const struct resource *plan = subscription_plan(m->res.sub);
	json_t *doc = json_pack("{s:o, s:s, s:s, s:O}", "id",
		json_sprintf("%s/providers/" PRICING_TYPE "/" SERVERS, m->res.id), "name", SERVERS,
		"type", PRICING_TYPE, "properties", json_object_get(plan->doc, "properties"));

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

	if (!check_properties(c, SERVERS, properties))
		return false;
	if (json_object_get(properties, "enforce") != NULL)
		return answer_error(
			c, 400, BAD, "The property 'enforce' exists for subscriptions only.");
	if (str_equal_nocase(text_of(properties, "pricingTier"), "Standard") &&
		!str_equal_nocase(text_of(properties, "subPlan"), "P1"))
		return answer_error(
			c, 400, BAD, "At the resource level only the subPlan 'P1' is supported.");
	if (!str_equal(tree_text(plan->doc, "properties.enforce"), "True"))
		return check_extensions(c, properties, "P1");
	answer_error(c, 400, "PricingEnforced",
		"The pricing configuration of the subscription '%s' is enforced and cannot be "
		"overridden.",
		m->res.sub->id);
	return false;
}

json_t *machine_pricing_document(const struct machine *m, bool standard, struct wall at)
{
	char time[WALL_TEXT_SIZE];
	json_t *p = json_pack("{s:s}", "pricingTier", standard ? "Standard" : "Free");

	wall_format(at, time);
	if (standard) {
		json_object_set_new(p, "subPlan", json_string("P1"));
		json_object_set_new(p, "freeTrialRemainingTime", json_string("PT0S"));
		json_object_set_new(p, "enablementTime", json_string(time));
	}
	json_object_set_new(p, "inherited", json_string("False"));
	json_object_set_new(p, "inheritedFrom", json_null());
	return json_pack("{s:o, s:s, s:s, s:o}", "id",
		json_sprintf("%s/providers/" PRICING_TYPE "/" SERVERS, m->res.id), "name", SERVERS,
		"type", PRICING_TYPE, "properties", p);
}

/* A machine that differs from its subscription shows in the subscription's own plan. */
static void update_coverage(struct estate *e, struct subscription *sub)
{
	struct resource *plan = subscription_plan(sub);
	bool standard = str_equal(tree_text(plan->doc, "properties.pricingTier"), "Standard");

	estate_replace(e, plan,
		tree_with(plan->doc, "properties.resourcesCoverageStatus",
			json_string(coverage(sub, standard))));
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
		m, str_equal_nocase(text_of(properties, "pricingTier"), "Standard"), c->now);
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

static const char *const versions[] = {"2023-01-01", "2024-01-01", NULL};
static const struct api api = {API_SECURITY, SECURITY_NAMESPACE, "pricings", versions};
#define ON_SUBSCRIPTION "/subscriptions/{}/providers/Microsoft.Security/pricings"
#define ON_MACHINE \
	"/subscriptions/{}/resourceGroups/{}/providers/Microsoft.HybridCompute/machines/{}" \
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
};
const struct route_table pricing_routes = {routes, ARRAY_LEN(routes)};
