/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plan may be and what becomes of it.
 *
 * A plan's extensions that a write leaves out keep their state, and so do their additional
 * properties; a write that turns the plan on, or changes its sub-plan, and names no extension gets
 * the server's default set.
 */
#include "tests/estate/estate_plan.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define BAD "InvalidInputJson"

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

bool plan_is_true_or_false(const json_t *value)
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
			"Extension with name '%s' is not supported for '" SERVERS_PLAN "' plan.",
			name);
	if (!plan_is_true_or_false(json_object_get(x, "isEnabled")))
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
			"Extension with name '%s' is not supported for '" SERVERS_PLAN
			"' plan and 'P1' "
			"SubPlan.",
			known->name);
	return !str_equal(known->name, "FileIntegrityMonitoring") || check_integrity_bag(c, x);
}

bool plan_check_extensions(struct call *c, const json_t *properties, const char *sub_plan)
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
		return answer_error(c, 400, BAD,
			"subPlan of the plan '" SERVERS_PLAN "' must be 'P1' or 'P2'.");
	return true;
}

bool plan_check_properties(struct call *c, const char *plan, const json_t *properties)
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
	return !str_equal_nocase(plan, SERVERS_PLAN) || check_sub_plan(c, properties);
}

/* "omitted means the full plan" */
const char *plan_wanted_sub_plan(const json_t *properties)
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

const char *plan_coverage(const struct subscription *sub, bool standard)
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
	const char *sub_plan =
		str_equal_nocase(name, SERVERS_PLAN) ? plan_wanted_sub_plan(properties) : NULL;
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
	json_object_set_new(
		p, "resourcesCoverageStatus", json_string(plan_coverage(sub, standard)));
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
void plan_settle_extensions(struct call *c, const json_t *before, json_t *doc, json_t **ret_answer)
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

/* --- one machine --- */

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
		json_sprintf("%s/providers/" PRICING_TYPE "/" SERVERS_PLAN, m->res.id), "name",
		SERVERS_PLAN, "type", PRICING_TYPE, "properties", p);
}
