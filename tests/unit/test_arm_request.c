/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_request.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SUB "11111111-aaaa-bbbb-cccc-222222222222"
#define MACHINE \
	"/subscriptions/" SUB "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m1"

static json_t *parse(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);

	if (document == NULL)
		fail_msg("not JSON: %s", text);
	return document;
}

static void assert_read(struct arm_request *r, const char *path, const char *subscription)
{
	assert_string_equal(r->method, "GET");
	assert_string_equal(r->path, path);
	assert_null(r->body);
	assert_int_equal(r->quota, ARM_QUOTA_READ);
	assert_string_equal(r->subscription, subscription);
	arm_request_fini(r);
	assert_null(r->path);
}

static void reads_ask_for_the_right_paths(void **state)
{
	struct arm_request r;

	(void)state;
	arm_list_subscriptions(&r);
	assert_read(&r, "/subscriptions?api-version=2022-12-01", "");
	arm_get_subscription(SUB, &r);
	assert_read(&r, "/subscriptions/" SUB "?api-version=2022-12-01", SUB);
	arm_get_pricing(SUB, &r);
	assert_string_equal(r.provider, "Microsoft.Security");
	assert_read(&r,
		"/subscriptions/" SUB
		"/providers/Microsoft.Security/pricings/VirtualMachines?api-version=2024-01-01",
		SUB);
	arm_get_machine_plan(MACHINE, &r);
	assert_read(&r,
		MACHINE "/providers/Microsoft.Security/pricings/VirtualMachines?api-version="
			"2024-01-01",
		SUB);
	arm_list_policy_assignments(SUB, &r);
	assert_read(&r,
		"/subscriptions/" SUB
		"/providers/Microsoft.Authorization/policyAssignments?api-version=2023-04-01",
		SUB);
	arm_list_policy_exemptions(SUB, &r);
	assert_read(&r,
		"/subscriptions/" SUB "/providers/Microsoft.Authorization/policyExemptions?"
		"api-version=2022-07-01-preview",
		SUB);
	assert_int_equal(
		arm_get_policy_set("/subscriptions/" SUB "/providers/Microsoft.Authorization/"
				   "policySetDefinitions/my set",
			&r),
		0);
	assert_read(&r,
		"/subscriptions/" SUB
		"/providers/Microsoft.Authorization/policySetDefinitions/my%20set?api-version="
		"2023-04-01",
		SUB);
	assert_int_equal(
		arm_get_policy_set("/providers/Microsoft.Authorization/policySetDefinitions/x", &r),
		0);
	assert_read(&r,
		"/providers/Microsoft.Authorization/policySetDefinitions/x?api-version=2023-04-01",
		"");
	/* What is no id is not asked for. */
	assert_int_equal(arm_get_policy_set("/providers/../x", &r), -EINVAL);
	assert_int_equal(arm_get_policy_set("https://evil.example/x?y", &r), -EINVAL);
	arm_list_settings(SUB, &r);
	assert_read(&r,
		"/subscriptions/" SUB
		"/providers/Microsoft.Security/settings?api-version=2022-05-01",
		SUB);
	arm_get_setting(SUB, "WDATP", &r);
	assert_read(&r,
		"/subscriptions/" SUB
		"/providers/Microsoft.Security/settings/WDATP?api-version=2022-05-01",
		SUB);
	arm_get_machine(MACHINE, &r);
	assert_string_equal(r.provider, "Microsoft.HybridCompute");
	assert_read(&r, MACHINE "?api-version=2025-01-13", SUB);
	arm_list_machines(SUB, &r);
	assert_read(&r,
		"/subscriptions/" SUB
		"/providers/Microsoft.HybridCompute/machines?api-version=2025-01-13",
		SUB);
	arm_get_extension(MACHINE, "MDE.Windows", &r);
	assert_read(&r, MACHINE "/extensions/MDE.Windows?api-version=2025-01-13", SUB);
	arm_list_extensions(MACHINE, &r);
	assert_read(&r, MACHINE "/extensions?api-version=2025-01-13", SUB);
}

static void the_onboarding_package_is_marked_as_secret(void **state)
{
	struct arm_request r;

	(void)state;
	arm_get_onboarding(SUB, &r);
	assert_true(r.secret_reply);
	assert_read(&r,
		"/subscriptions/" SUB
		"/providers/Microsoft.Security/mdeOnboardings?api-version=2021-10-01-preview",
		SUB);
	arm_get_pricing(SUB, &r);
	assert_false(r.secret_reply);
	arm_request_fini(&r);
}

static void the_activity_log_is_asked_in_its_only_syntax(void **state)
{
	struct arm_request r;

	(void)state;
	arm_find_activity(SUB, "c0", (struct wall){INT64_C(1795528800000)},
		(struct wall){INT64_C(1795532400000)}, &r);
	assert_read(&r,
		"/subscriptions/" SUB
		"/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&"
		"$filter=eventTimestamp%20ge%20%272026-11-24T14%3A00%3A00Z%27%20and%20"
		"eventTimestamp%20le%20%272026-11-24T15%3A00%3A00Z%27%20and%20correlationId%20eq%20"
		"%27c0%27",
		SUB);
	arm_find_activity_on(SUB, MACHINE "/extensions/o'neil",
		(struct wall){INT64_C(1795528800000)}, (struct wall){INT64_C(1795532400000)}, &r);
	assert_non_null(strstr(r.path, "%20and%20resourceUri%20eq%20%27%2Fsubscriptions%2F"));
	assert_non_null(strstr(r.path, "%2Fextensions%2Fo%27%27neil%27"));
	arm_request_fini(&r);
}

static void names_cannot_leave_their_segment(void **state)
{
	struct arm_request r;

	(void)state;
	arm_get_extension(MACHINE, "../../x?y#z", &r);
	assert_read(&r, MACHINE "/extensions/..%2F..%2Fx%3Fy%23z?api-version=2025-01-13", SUB);
	arm_delete_extension(MACHINE, "a/b c", &r);
	assert_string_equal(r.path, MACHINE "/extensions/a%2Fb%20c?api-version=2025-01-13");
	arm_request_fini(&r);
	arm_get_machine(MACHINE "\xc3\xa4 (x)", &r);
	assert_read(&r, MACHINE "%C3%A4%20%28x%29?api-version=2025-01-13", SUB);
	/* As Azure sometimes writes them: without the slash, in another casing. */
	arm_get_machine("SUBSCRIPTIONS/" SUB "/x", &r);
	assert_read(&r, "/SUBSCRIPTIONS/" SUB "/x?api-version=2025-01-13", SUB);
}

static void links_are_followed_only_at_home(void **state)
{
	static const struct {
		const char *link;
		int result;
		const char *path;
	} rows[] = {
		{"https://management.example/subscriptions?api-version=1&$skiptoken=a%2Bb", 0,
			"/subscriptions?api-version=1&$skiptoken=a%2Bb"},
		{"https://MANAGEMENT.example:443/x", 0, "/x"},
		{"https://evil.example/x", -EXDEV, NULL},
		{"http://management.example/x", -EXDEV, NULL},
		{"https://management.example:444/x", -EXDEV, NULL},
		{"https://management.example.evil.example/x", -EXDEV, NULL},
		{"https://management.example@evil.example/x", -EINVAL, NULL},
		{"/subscriptions?x", -EINVAL, NULL},
		{"", -EINVAL, NULL},
		{NULL, -EINVAL, NULL},
	};
	struct arm_request first, next;

	(void)state;
	arm_list_machines(SUB, &first);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		next = (struct arm_request){.path = NULL};
		assert_int_equal(
			arm_follow_link(&first, "https://management.example", rows[i].link, &next),
			rows[i].result);
		assert_true(str_equal(next.path, rows[i].path));
		if (rows[i].result != 0)
			continue;
		assert_string_equal(next.method, "GET");
		assert_int_equal(next.quota, first.quota);
		assert_string_equal(next.subscription, SUB);
		assert_string_equal(next.provider, first.provider);
		arm_request_fini(&next);
	}
	arm_request_fini(&first);
}

static void an_endless_link_is_refused(void **state)
{
	static char link[20000] = "https://management.example/";
	struct arm_request first, next;

	(void)state;
	memset(link + strlen(link), 'a', sizeof(link) - strlen(link) - 1);
	arm_list_subscriptions(&first);
	assert_int_equal(
		arm_follow_link(&first, "https://management.example", link, &next), -EINVAL);
	arm_request_fini(&first);
}

static void a_link_keeps_an_answer_secret(void **state)
{
	struct arm_request first, next;

	(void)state;
	arm_get_onboarding(SUB, &first);
	assert_int_equal(arm_follow_link(&first, "https://h", "https://h/next", &next), 0);
	assert_true(next.secret_reply);
	arm_request_fini(&first);
	arm_request_fini(&next);
}

#define EXTENSIONS \
	"[{\"name\":\"MdeDesignatedSubscription\",\"isEnabled\":\"False\"}," \
	"{\"name\":\"AgentlessVmScanning\",\"isEnabled\":\"True\"," \
	"\"additionalExtensionProperties\":{\"ExclusionTags\":\"[]\"}," \
	"\"operationStatus\":{\"code\":\"Failed\",\"message\":\"m\"}}," \
	"{\"name\":\"FileIntegrityMonitoring\",\"isEnabled\":\"False\"}]"

static void a_plan_document_keeps_what_others_own(void **state)
{
	static const struct {
		const char *current, *tier, *sub_plan, *expected;
	} rows[] = {
		{"{\"id\":\"x\",\"name\":\"VirtualMachines\",\"type\":\"t\",\"properties\":{"
		 "\"pricingTier\":\"Standard\",\"subPlan\":\"P1\",\"enforce\":\"True\","
		 "\"freeTrialRemainingTime\":\"PT0S\",\"enablementTime\":\"x\",\"deprecated\":"
		 "false,"
		 "\"resourcesCoverageStatus\":\"FullyCovered\",\"extensions\":" EXTENSIONS "}}",
			"Standard", "P2",
			"{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P2\","
			"\"enforce\":"
			"\"True\",\"extensions\":[{\"name\":\"MdeDesignatedSubscription\","
			"\"isEnabled\":\"False\"},{\"name\":\"AgentlessVmScanning\",\"isEnabled\":"
			"\"True\",\"additionalExtensionProperties\":{\"ExclusionTags\":\"[]\"}},"
			"{\"name\":\"FileIntegrityMonitoring\",\"isEnabled\":\"False\"}]}}"},
		/* P1 has no agentless scanning and no file integrity monitoring. */
		{"{\"properties\":{\"pricingTier\":\"Free\",\"extensions\":" EXTENSIONS "}}",
			"Standard", "P1",
			"{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P1\","
			"\"extensions\":[{\"name\":\"MdeDesignatedSubscription\",\"isEnabled\":"
			"\"False\"}]}}"},
		{"{\"properties\":{\"pricingTier\":\"Free\",\"enforce\":null,\"extensions\":null}}",
			"Standard", "P1",
			"{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P1\"}}"},
		{"{\"properties\":{\"extensions\":[]}}", "Free", NULL,
			"{\"properties\":{\"pricingTier\":\"Free\"}}"},
		/* What does not say whether it is on cannot be sent; words are kept as they came.
		 */
		{"{\"properties\":{\"extensions\":[null,{\"isEnabled\":\"True\"},{\"name\":\"A\"},"
		 "{\"name\":\"B\",\"isEnabled\":true},{\"Name\":\"C\",\"IsEnabled\":\"false\"},"
		 "{\"name\":\"D\",\"isEnabled\":\"maybe\"}]}}",
			"Standard", "P2",
			"{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P2\","
			"\"extensions\":[{\"name\":\"B\",\"isEnabled\":\"True\"},{\"name\":\"C\","
			"\"isEnabled\":\"false\"}]}}"},
		{"{}", "Standard", "P2",
			"{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P2\"}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *current = parse(rows[i].current);
		json_t *before = json_deep_copy(current);
		json_t *expected = parse(rows[i].expected);
		json_t *document = arm_pricing_document(current, rows[i].tier, rows[i].sub_plan);

		if (!json_equal(document, expected)) {
			char *text = json_dumps(document, 0);

			fail_msg("row %zu: %s", i, text);
		}
		/* What was read stays as it was. */
		assert_true(json_equal(current, before));
		json_decref(document);
		json_decref(expected);
		json_decref(before);
		json_decref(current);
	}
	json_decref(arm_pricing_document(NULL, "Standard", "P2"));
}

static void plans_and_settings_are_put(void **state)
{
	struct arm_request r;

	(void)state;
	arm_put_pricing(SUB, arm_pricing_document(NULL, "Standard", "P2"), &r);
	assert_string_equal(r.method, "PUT");
	assert_int_equal(r.quota, ARM_QUOTA_WRITE);
	assert_string_equal(r.path,
		"/subscriptions/" SUB
		"/providers/Microsoft.Security/pricings/VirtualMachines?api-version=2024-01-01");
	assert_string_equal(json_path_text(r.body, "properties.subPlan"), "P2");
	arm_request_fini(&r);
	for (unsigned on = 0; on < 2; on++) {
		json_t *expected = json_pack("{s:s, s:{s:b}}", "kind", "DataExportSettings",
			"properties", "enabled", on);

		arm_put_setting(SUB, "WDATP_UNIFIED_SOLUTION", on, &r);
		assert_string_equal(r.path,
			"/subscriptions/" SUB
			"/providers/Microsoft.Security/settings/WDATP_UNIFIED_SOLUTION"
			"?api-version=2022-05-01");
		assert_true(json_equal(r.body, expected));
		assert_string_equal(r.subscription, SUB);
		json_decref(expected);
		arm_request_fini(&r);
	}
}

static void the_sensors_extension_is_put_with_the_package_protected(void **state)
{
	json_t *current =
		parse("{\"tags\":{\"a\":\"b\"},\"properties\":{\"provisioningState\":"
		      "\"Failed\",\"instanceView\":{},\"settings\":{\"forceReOnboarding\":true,"
		      "\"azureResourceId\":\"/old\"},\"protectedSettings\":{}}}");
	struct arm_request r;

	(void)state;
	arm_put_mde_extension(MACHINE, "westeurope", true, true, "UEFDS0FHRQ==", current, &r);
	assert_string_equal(r.method, "PUT");
	assert_string_equal(r.path, MACHINE "/extensions/MDE.Windows?api-version=2025-01-13");
	assert_int_equal(r.quota, ARM_QUOTA_WRITE);
	assert_string_equal(r.subscription, SUB);
	assert_string_equal(json_text(r.body, "location"), "westeurope");
	assert_string_equal(json_path_text(r.body, "tags.a"), "b");
	assert_string_equal(json_path_text(r.body, "properties.publisher"), MDE_PUBLISHER);
	assert_string_equal(json_path_text(r.body, "properties.type"), "MDE.Windows");
	assert_string_equal(json_path_text(r.body, "properties.settings.azureResourceId"), MACHINE);
	assert_string_equal(json_path_text(r.body, "properties.settings.vNextEnabled"), "true");
	assert_true(json_is_true(json_path(r.body, "properties.settings.forceReOnboarding")));
	assert_string_equal(json_path_text(r.body,
				    "properties.protectedSettings."
				    "defenderForEndpointOnboardingScript"),
		"UEFDS0FHRQ==");
	assert_null(json_path(r.body, "properties.provisioningState"));
	assert_null(json_path(r.body, "properties.instanceView"));
	arm_request_fini(&r);
	assert_string_equal(json_path_text(current, "properties.settings.azureResourceId"), "/old");
	json_decref(current);
	arm_put_mde_extension(MACHINE, "westeurope", false, false, "UEFDS0FHRQ==", NULL, &r);
	assert_string_equal(r.path, MACHINE "/extensions/MDE.Linux?api-version=2025-01-13");
	assert_null(json_path(r.body, "properties.settings.vNextEnabled"));
	assert_null(json_object_get(r.body, "tags"));
	arm_request_fini(&r);
}

static void extensions_are_deleted_by_name(void **state)
{
	struct arm_request r;

	(void)state;
	arm_delete_extension(MACHINE, "MicrosoftMonitoringAgent", &r);
	assert_string_equal(r.method, "DELETE");
	assert_string_equal(
		r.path, MACHINE "/extensions/MicrosoftMonitoringAgent?api-version=2025-01-13");
	assert_null(r.body);
	assert_int_equal(r.quota, ARM_QUOTA_DELETE);
	assert_string_equal(r.subscription, SUB);
	arm_request_fini(&r);
}

static void every_kind_but_the_unknown_has_a_version(void **state)
{
	(void)state;
	for (unsigned k = 0; k < ARM_KIND_OTHER; k++)
		assert_true(strlen(arm_api_version((enum arm_kind)k)) >= 10);
	assert_string_equal(arm_api_version(ARM_KIND_OTHER), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_ask_for_the_right_paths),
		cmocka_unit_test(the_onboarding_package_is_marked_as_secret),
		cmocka_unit_test(the_activity_log_is_asked_in_its_only_syntax),
		cmocka_unit_test(names_cannot_leave_their_segment),
		cmocka_unit_test(links_are_followed_only_at_home),
		cmocka_unit_test(an_endless_link_is_refused),
		cmocka_unit_test(a_link_keeps_an_answer_secret),
		cmocka_unit_test(a_plan_document_keeps_what_others_own),
		cmocka_unit_test(plans_and_settings_are_put),
		cmocka_unit_test(the_sensors_extension_is_put_with_the_package_protected),
		cmocka_unit_test(extensions_are_deleted_by_name),
		cmocka_unit_test(every_kind_but_the_unknown_has_a_version),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
