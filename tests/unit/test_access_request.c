/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/access_request.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SUB "11111111-aaaa-bbbb-cccc-222222222222"
#define AUTHORIZATION "/subscriptions/" SUB "/providers/Microsoft.Authorization"

/* They take a read's quota, also the POST: it asks, and may be sent twice. */
static void expect(struct arm_request *take_r, const char *method, const char *path)
{
	assert_string_equal(take_r->method, method);
	assert_string_equal(take_r->path, path);
	assert_int_equal(take_r->quota, ARM_QUOTA_READ);
	assert_string_equal(take_r->subscription, SUB);
	assert_false(take_r->secret_reply);
	arm_request_fini(take_r);
}

static void everything_is_asked_of_one_subscription(void **state)
{
	struct arm_request r;

	(void)state;
	access_list_permissions(SUB, NULL, &r);
	expect(&r, "GET", AUTHORIZATION "/permissions?api-version=2022-04-01");
	access_list_locks(SUB, &r);
	expect(&r, "GET", AUTHORIZATION "/locks?api-version=2020-05-01");
	access_list_deny_assignments(SUB, &r);
	expect(&r, "GET", AUTHORIZATION "/denyAssignments?api-version=2022-04-01");
	access_get_registration(SUB, "Microsoft.Security", &r);
	expect(&r, "GET",
		"/subscriptions/" SUB "/providers/Microsoft.Security?api-version=2024-03-01");
}

static void names_of_groups_cannot_leave_their_segment(void **state)
{
	struct arm_request r;

	(void)state;
	access_list_permissions(SUB, "../a?b c", &r);
	expect(&r, "GET",
		"/subscriptions/" SUB
		"/resourcegroups/..%2Fa%3Fb%20c/providers/Microsoft.Authorization/permissions?"
		"api-version=2022-04-01");
}

static void policies_are_asked_about_the_resource_that_would_be_written(void **state)
{
	struct arm_request r;
	const json_t *details;

	(void)state;
	access_check_policies(SUB, "/parent", json_pack("{s:s}", "type", "a/b"), "2025-01-13", &r);
	details = json_object_get(r.body, "resourceDetails");
	assert_string_equal(json_string_value(json_object_get(details, "scope")), "/parent");
	assert_string_equal(
		json_string_value(json_object_get(details, "apiVersion")), "2025-01-13");
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(details, "resourceContent"), "type")),
		"a/b");
	expect(&r, "POST",
		"/subscriptions/" SUB "/providers/Microsoft.PolicyInsights/checkPolicyRestrictions?"
		"api-version=2023-03-01");
	access_check_policies(SUB, NULL, json_object(), "2025-01-13", &r);
	assert_null(json_object_get(json_object_get(r.body, "resourceDetails"), "scope"));
	arm_request_fini(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_asked_of_one_subscription),
		cmocka_unit_test(names_of_groups_cannot_leave_their_segment),
		cmocka_unit_test(policies_are_asked_about_the_resource_that_would_be_written),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
