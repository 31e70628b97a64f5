/* SPDX-License-Identifier: Apache-2.0 */
/* Policies that deny, and the question which of them would refuse a resource. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

const struct deny_policy *policy_that_denies(
	const struct subscription *sub, const char *type, const char *id)
{
	for (size_t i = 0; i < sub->policy_count; i++) {
		const struct deny_policy *p = &sub->policies[i];

		if (str_equal_nocase(p->type, type) &&
			(p->scope == NULL || id_is_under(id, p->scope)))
			return p;
	}
	return NULL;
}

static json_t *evaluations(const struct call *c, const struct deny_policy *p)
{
	json_t *info;

	if (p == NULL)
		return json_array();
	info = json_pack("{s:o, s:o}", "policyDefinitionId",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Authorization/"
			     "policyDefinitions/%s",
			c->sub->id, p->name),
		"policyAssignmentId",
		json_sprintf("%s/providers/Microsoft.Authorization/policyAssignments/%s",
			p->scope != NULL ? p->scope : c->sub->res.id, p->name));
	return json_pack("[{s:o, s:s, s:{s:[]}, s:{s:s}}]", "policyInfo", info, "evaluationResult",
		"NonCompliant", "evaluationDetails", "evaluatedExpressions", "effectDetails",
		"policyEffect", "Deny");
}

/* Only policies on types are simulated: nothing else of the content is looked at. */
static void check_restrictions(struct call *c)
{
	const char *type = tree_text(c->body, "resourceDetails.resourceContent.type");
	const char *scope = tree_text(c->body, "resourceDetails.scope");
	mdc_autofree char *container = call_container(c);

	if (!json_is_object(tree_get(c->body, "resourceDetails.resourceContent"))) {
		answer_error(c, 400, "InvalidCheckRestrictionsRequest",
			"The request must contain 'resourceDetails.resourceContent'.");
		return;
	}
	if (!str_empty(scope) && !id_is_under(scope, container)) {
		answer_error(c, 400, "InvalidCheckRestrictionsRequest",
			"The scope '%s' is not under '%s'.", scope, container);
		return;
	}
	answer_json(c, 200,
		json_pack("{s:[], s:{s:o}}", "fieldRestrictions", "contentEvaluationResult",
			"policyEvaluations",
			evaluations(c,
				policy_that_denies(c->sub, type != NULL ? type : "",
					str_empty(scope) ? container : scope))));
}

static const char *const versions[] = {"2020-07-01", "2022-03-01", "2023-03-01", NULL};
static const struct api api = {
	API_SECURITY, "Microsoft.PolicyInsights", "checkPolicyRestrictions", versions};
#define ACTION "Microsoft.PolicyInsights/checkPolicyRestrictions/read"
#define PATH "/providers/Microsoft.PolicyInsights/checkPolicyRestrictions"

static const struct route routes[] = {
	{"POST", "/subscriptions/{}" PATH, &api, ACTION, ROUTE_LIST | ROUTE_BODY,
		check_restrictions},
	{"POST", "/subscriptions/{}/resourceGroups/{}" PATH, &api, ACTION, ROUTE_LIST | ROUTE_BODY,
		check_restrictions},
};
const struct route_table policy_routes = {routes, ARRAY_LEN(routes)};
