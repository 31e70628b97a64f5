/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define VA SECURITY "/serverVulnerabilityAssessmentsSettings"
#define VA_VERSION "?api-version=2023-05-01"
#define ONBOARDING "?api-version=2021-10-01-preview"
#define AUTO SECURITY "/autoProvisioningSettings/default?api-version=2017-08-01-preview"

static int put_setting(struct fixture *f, const char *name, const char *kind, const char *enabled)
{
	mdc_autofree char *path = xasprintf(SECURITY "/settings/%s?api-version=2022-05-01", name);
	mdc_autofree char *body =
		xasprintf("{\"kind\":\"%s\",\"properties\":{\"enabled\":%s}}", kind, enabled);

	return put(f, path, body);
}

static void a_setting_that_was_never_set_is_absent(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"settings\":{\"WDATP\":false}", "");
	get(&f, SETTING("WDATP_UNIFIED_SOLUTION"));
	assert_refused(&f, 404, "ResourceNotFound");
	assert_int_equal(get(&f, SECURITY "/settings?api-version=2022-05-01"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	fixture_close(&f);
}

static void a_setting_is_stored_under_its_own_name(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(put_setting(&f, "wdatp", "DataExportSettings", "true"), 200);
	assert_string_equal(text(&f, "id"), SECURITY "/settings/WDATP");
	assert_string_equal(text(&f, "name"), "WDATP");
	assert_string_equal(text(&f, "kind"), "DataExportSettings");
	assert_true(tree_is_true(f.doc, "properties.enabled"));
	assert_int_equal(get(&f, SETTING("WDATP")), 200);
	assert_int_equal(put_setting(&f, "Sentinel", "AlertSyncSettings", "false"), 200);
	fixture_close(&f);
}

static const struct {
	const char *name, *kind, *enabled;
} bad_settings[] = {
	{"UNKNOWN", "DataExportSettings", "true"},
	{"WDATP", "AlertSyncSettings", "true"},
	{"Sentinel", "DataExportSettings", "true"},
	{"WDATP", "", "true"},
	{"WDATP", "DataExportSettings", "\"true\""},
	{"WDATP", "DataExportSettings", "1"},
	{"WDATP", "DataExportSettings", "null"},
};

static void each_flaw_of_a_setting_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	for (size_t i = 0; i < ARRAY_LEN(bad_settings); i++) {
		put_setting(
			&f, bad_settings[i].name, bad_settings[i].kind, bad_settings[i].enabled);
		assert_refused(&f, 400, "InvalidInputJson");
	}
	assert_null(estate_peek(f.e, SECURITY "/settings/WDATP"));
	fixture_close(&f);
}

static void on_a_modern_subscription_the_master_switch_brings_its_opt_ins(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"modern\":true", "");
	put_setting(&f, "WDATP", "DataExportSettings", "true");
	assert_true(tree_is_true(estate_peek(f.e, SECURITY "/settings/WDATP_UNIFIED_SOLUTION"),
		"properties.enabled"));
	assert_false(tree_is_true(
		estate_peek(f.e, SECURITY "/settings/WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"),
		"properties.enabled"));
	fixture_close(&f);
	fixture_open(&f, "", "");
	put_setting(&f, "WDATP", "DataExportSettings", "true");
	assert_null(estate_peek(f.e, SECURITY "/settings/WDATP_UNIFIED_SOLUTION"));
	fixture_close(&f);
}

static void onboarding_packages_come_by_each_name(void **state)
{
	struct fixture f;
	mdc_autofree char *windows = NULL;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(get(&f, SECURITY "/mdeOnboardings" ONBOARDING), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	assert_int_equal(get(&f, SECURITY "/mdeOnboardings/default" ONBOARDING), 200);
	windows = xstrdup(text(&f, "properties.onboardingPackageWindows"));
	assert_true(strlen(windows) > 8000);
	assert_string_not_equal(windows, text(&f, "properties.onboardingPackageLinux"));
	assert_int_equal(get(&f, SECURITY "/mdeOnboardings/windows" ONBOARDING), 200);
	assert_string_equal(text(&f, "properties.onboardingPackageWindows"), windows);
	assert_null(tree_get(f.doc, "properties.onboardingPackageLinux"));
	assert_int_equal(get(&f, SECURITY "/mdeOnboardings/Linux" ONBOARDING), 200);
	assert_null(tree_get(f.doc, "properties.onboardingPackageWindows"));
	assert_int_equal(get(&f, SECURITY "/mdeOnboardings/other" ONBOARDING), 404);
	fixture_close(&f);
}

static void the_vulnerability_provider_is_created_replaced_and_deleted(void **state)
{
	static const char body[] = "{\"kind\":\"AzureServersSetting\",\"properties\":{"
				   "\"selectedProvider\":\"MdeTvm\"}}";
	struct fixture f;

	(void)state;
	fixture_open(&f, "", "");
	assert_int_equal(get(&f, VA "/azureServersSetting" VA_VERSION), 404);
	assert_int_equal(get(&f, VA VA_VERSION), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 0);
	assert_int_equal(put(&f, VA "/AzureServersSetting" VA_VERSION, body), 201);
	assert_string_equal(text(&f, "name"), "azureServersSetting");
	assert_string_equal(text(&f, "systemData.createdBy"), CLIENT);
	assert_int_equal(put(&f, VA "/azureServersSetting" VA_VERSION, body), 200);
	assert_int_equal(get(&f, VA "/azureServersSetting" VA_VERSION), 200);
	assert_string_equal(text(&f, "properties.selectedProvider"), "MdeTvm");
	assert_int_equal(call(&f, "DELETE", VA "/azureServersSetting" VA_VERSION, NULL), 200);
	assert_int_equal(call(&f, "DELETE", VA "/azureServersSetting" VA_VERSION, NULL), 204);
	put(&f, VA "/other" VA_VERSION, body);
	assert_refused(&f, 400, "InvalidInputJson");
	put(&f, VA "/azureServersSetting" VA_VERSION,
		"{\"kind\":\"AzureServersSetting\",\"properties\":{\"selectedProvider\":\"Qualys\"}"
		"}");
	assert_refused(&f, 400, "InvalidInputJson");
	put(&f, VA "/azureServersSetting" VA_VERSION,
		"{\"properties\":{\"selectedProvider\":\"MdeTvm\"}}");
	assert_refused(&f, 400, "InvalidInputJson");
	fixture_close(&f);
}

static void some_ids_come_without_their_slash(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"vulnerabilityProvider\":\"MdeTvm\"", "\"casing\":\"odd\"");
	assert_int_equal(get(&f, VA "/azureServersSetting" VA_VERSION), 200);
	assert_true(str_starts_nocase(text(&f, "id"), "subscriptions/"));
	fixture_close(&f);
}

static void auto_provisioning_is_on_or_off(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"autoProvision\":\"On\"", "");
	assert_int_equal(get(&f, AUTO), 200);
	assert_string_equal(text(&f, "properties.autoProvision"), "On");
	assert_int_equal(put(&f, AUTO, "{\"properties\":{\"autoProvision\":\"Off\"}}"), 200);
	put(&f, AUTO, "{\"properties\":{\"autoProvision\":\"Maybe\"}}");
	assert_refused(&f, 400, "InvalidInputJson");
	assert_int_equal(
		get(&f, SECURITY "/autoProvisioningSettings?api-version=2017-08-01-preview"), 200);
	assert_string_equal(
		tree_text(json_array_get(tree_get(f.doc, "value"), 0), "properties.autoProvision"),
		"Off");
	fixture_close(&f);
}

static void settings_are_served_in_the_versions_that_have_them(void **state)
{
	static const char *const versions[] = {"2021-06-01", "2021-07-01", "2022-05-01"};
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"settings\":{\"WDATP\":true}", "");
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		mdc_autofree char *path =
			xasprintf(SECURITY "/settings/WDATP?api-version=%s", versions[i]);

		assert_int_equal(get(&f, path), 200);
		assert_true(tree_is_true(f.doc, "properties.enabled"));
	}
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_setting_that_was_never_set_is_absent),
	cmocka_unit_test(a_setting_is_stored_under_its_own_name),
	cmocka_unit_test(each_flaw_of_a_setting_is_refused),
	cmocka_unit_test(on_a_modern_subscription_the_master_switch_brings_its_opt_ins),
	cmocka_unit_test(onboarding_packages_come_by_each_name),
	cmocka_unit_test(the_vulnerability_provider_is_created_replaced_and_deleted),
	cmocka_unit_test(some_ids_come_without_their_slash),
	cmocka_unit_test(auto_provisioning_is_on_or_off),
	cmocka_unit_test(settings_are_served_in_the_versions_that_have_them),
};
RUN_ESTATE_TESTS(tests)
