/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define MDE MACHINE "/extensions/MDE.Windows"
#define PATH MDE "?" ARC
#define MDE_TYPE \
	"\"publisher\":\"Microsoft.Azure.AzureDefenderForServers\",\"type\":\"MDE.Windows\""
#define ONE "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]"
#define WITH_SENSOR \
	"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"extensions\":[{\"type\":\"MDE." \
	"Windows\"}]" \
	"}]"
#define QUICK \
	"\"operations\":{\"create\":\"2m\",\"update\":\"1m\",\"delete\":\"3m\"},\"deployer\":{" \
	"\"on\":false}"

static char *body_of(struct fixture *f, const char *properties)
{
	mdc_autofree char *package = NULL;

	assert_int_equal(
		get(f, SECURITY "/mdeOnboardings/Windows?api-version=2021-10-01-preview"), 200);
	package = xstrdup(text(f, "properties.onboardingPackageWindows"));
	return xasprintf(
		"{\"location\":\"westeurope\",\"properties\":{" MDE_TYPE
		",\"protectedSettings\":{\"defenderForEndpointOnboardingScript\":\"%s\"}%s%s}"
		"}",
		package, *properties != '\0' ? "," : "", properties);
}

static void a_put_is_accepted_and_hidden_until_it_is_done(void **state)
{
	struct fixture f;
	mdc_autofree char *body = NULL;

	(void)state;
	fixture_open(&f, ONE, QUICK);
	body = body_of(&f,
		"\"typeHandlerVersion\":\"1.0\",\"autoUpgradeMinorVersion\":true,"
		"\"settings\":{\"azureResourceId\":\"" MACHINE "\"}");
	assert_int_equal(put(&f, PATH, body), 202);
	assert_int_equal(f.answer.reply.body_len, 0);
	assert_int_equal(get(&f, PATH), 404);
	get(&f, MACHINE "/extensions?" ARC);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 0);
	get(&f, MACHINE "?" ARC);
	assert_int_equal(json_array_size(tree_get(f.doc, "resources")), 0);
	pass(&f, DUR_S(119));
	assert_int_equal(get(&f, PATH), 404);
	pass(&f, DUR_S(1));
	assert_int_equal(get(&f, PATH), 200);
	assert_string_equal(text(&f, "properties.provisioningState"), "Succeeded");
	assert_string_equal(text(&f, "properties.typeHandlerVersion"), "1.0.11.2");
	assert_string_equal(text(&f, "properties.settings.azureResourceId"), MACHINE);
	assert_string_equal(
		text(&f, "properties.instanceView.status.time"), "2026-11-24T08:02:00Z");
	assert_null(tree_get(f.doc, "properties.protectedSettings"));
	fixture_close(&f);
}

static void an_update_shows_that_it_is_under_way(void **state)
{
	struct fixture f;
	mdc_autofree char *body = NULL;

	(void)state;
	fixture_open(&f, WITH_SENSOR, QUICK);
	body = body_of(&f, "\"settings\":{\"vNextEnabled\":\"true\"}");
	assert_int_equal(put(&f, PATH, body), 202);
	assert_int_equal(get(&f, PATH), 200);
	assert_string_equal(text(&f, "properties.provisioningState"), "Updating");
	pass(&f, DUR_MIN(1));
	assert_string_equal(peek(&f, MDE, "properties.provisioningState"), "Succeeded");
	assert_string_equal(peek(&f, MDE, "properties.settings.vNextEnabled"), "true");
	assert_null(peek(&f, MDE, "properties.settings.azureResourceId"));
	fixture_close(&f);
}

static void a_patch_changes_only_what_it_names(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, WITH_SENSOR, QUICK);
	call(&f, "PATCH", PATH,
		"{\"properties\":{\"forceUpdateTag\":\"1\",\"protectedSettings\":{}}}");
	assert_int_equal(f.answer.reply.status, 202);
	assert_string_equal(peek(&f, MDE, "properties.forceUpdateTag"), "1");
	assert_string_equal(peek(&f, MDE, "properties.settings.azureResourceId"), MACHINE);
	pass(&f, DUR_MIN(2));
	call(&f, "PATCH", PATH, "{\"location\":\"westeurope\",\"properties\":{}}");
	assert_refused(&f, 400, "HCRP400");
	call(&f, "PATCH", MACHINE "/extensions/none?" ARC, "{\"properties\":{}}");
	assert_refused(&f, 404, "HCRP404");
	fixture_close(&f);
}

static void a_deletion_shows_until_it_is_done(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, WITH_SENSOR, QUICK);
	assert_int_equal(call(&f, "DELETE", PATH, NULL), 202);
	get(&f, PATH);
	assert_string_equal(text(&f, "properties.provisioningState"), "Deleting");
	pass(&f, DUR_MIN(3));
	assert_int_equal(get(&f, PATH), 404);
	assert_int_equal(call(&f, "DELETE", PATH, NULL), 204);
	fixture_close(&f);
}

static void one_operation_at_a_time_for_each_type(void **state)
{
	struct fixture f;
	mdc_autofree char *body = NULL;

	(void)state;
	fixture_open(&f, ONE, QUICK);
	body = body_of(&f, "");
	put(&f, PATH, body);
	put(&f, PATH, body);
	assert_refused(&f, 409, "HCRP409");
	assert_non_null(strstr(text(&f, "error.message"),
		"An extension of type 'MDE.Windows' is still processing"));
	put(&f, MACHINE "/extensions/OtherName?" ARC, body);
	assert_refused(&f, 409, "HCRP409");
	call(&f, "DELETE", PATH, NULL);
	assert_refused(&f, 409, "HCRP409");
	put(&f, MACHINE "/extensions/Ama?" ARC,
		"{\"location\":\"westeurope\",\"properties\":{\"publisher\":\"P\",\"type\":"
		"\"Other\"}}");
	assert_int_equal(f.answer.reply.status, 202);
	pass(&f, DUR_MIN(2));
	assert_int_equal(call(&f, "DELETE", PATH, NULL), 202);
	fixture_close(&f);
}

static const struct {
	const char *path, *body;
	int status;
	const char *code;
} refusals[] = {
	{MACHINES "/none/extensions/MDE.Windows", "{\"location\":\"westeurope\"}", 404,
		"ParentResourceNotFound"},
	{MDE, "{\"properties\":{}}", 400, "LocationRequired"},
	{MDE, "{\"location\":\"eastus\",\"properties\":{" MDE_TYPE "}}", 409,
		"InvalidResourceLocation"},
	{MDE, "{\"location\":\"westeurope\"}", 400, "HCRP400"},
	{MDE, "{\"location\":\"westeurope\",\"properties\":[]}", 400, "HCRP400"},
	{MDE, "{\"location\":\"westeurope\",\"properties\":{\"type\":\"MDE.Windows\"}}", 400,
		"HCRP400"},
	{MDE, "{\"location\":\"westeurope\",\"properties\":{\"publisher\":\"P\"}}", 400, "HCRP400"},
	{MDE, "{\"location\":\"westeurope\",\"properties\":{\"publisher\":\"P\",\"type\":7}}", 400,
		"InvalidRequestContent"},
	{MDE, "{\"location\":\"westeurope\",\"properties\":{" MDE_TYPE ",\"settings\":\"{}\"}}",
		400, "InvalidRequestContent"},
	{MDE,
		"{\"location\":\"westeurope\",\"properties\":{" MDE_TYPE
		",\"autoUpgradeMinorVersion\":\"true\"}}",
		400, "InvalidRequestContent"},
	{MDE,
		"{\"location\":\"westeurope\",\"properties\":{" MDE_TYPE
		",\"provisioningState\":\"Succeeded\"}}",
		400, "HCRP400"},
	{MACHINE "/extensions/with%20blank", "{\"location\":\"westeurope\"}", 400, "HCRP400"},
};

static void each_flaw_of_an_extension_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE, QUICK);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		mdc_autofree char *path = xasprintf("%s?" ARC, refusals[i].path);

		put(&f, path, refusals[i].body);
		if (f.answer.reply.status != refusals[i].status ||
			!str_equal(error_code(&f), refusals[i].code))
			fail_msg("%s: %d %s", refusals[i].body, f.answer.reply.status,
				error_code(&f));
	}
	assert_int_equal(verdict(&f).writes, 0);
	fixture_close(&f);
}

static void publisher_and_type_cannot_change(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, WITH_SENSOR, QUICK);
	put(&f, PATH,
		"{\"location\":\"westeurope\",\"properties\":{\"publisher\":"
		"\"Microsoft.Azure.AzureDefenderForServers\",\"type\":\"MDE.Linux\"}}");
	assert_refused(&f, 400, "HCRP400");
	fixture_close(&f);
}

static void an_expired_machine_cannot_be_managed(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"status\":\"Expired\"}]",
		QUICK);
	put(&f, PATH, "{\"location\":\"westeurope\",\"properties\":{" MDE_TYPE "}}");
	assert_refused(&f, 400, "HCRP400");
	fixture_close(&f);
}

static void writes_ask_for_their_rights(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(WITH_SENSOR, QUICK);
	json_t *principal = json_array_get(json_object_get(doc, "principals"), 0);

	(void)state;
	json_object_set_new(
		principal, "roles", json_pack("[{s:s, s:s}]", "scope", SUB_PATH, "role", "Reader"));
	fixture_open_json(&f, doc);
	call(&f, "DELETE", PATH, NULL);
	assert_refused(&f, 403, "AuthorizationFailed");
	assert_non_null(strstr(
		text(&f, "error.message"), "'Microsoft.HybridCompute/machines/extensions/delete'"));
	put(&f, PATH, "{}");
	assert_refused(&f, 403, "AuthorizationFailed");
	assert_non_null(strstr(
		text(&f, "error.message"), "'Microsoft.HybridCompute/machines/extensions/write'"));
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_put_is_accepted_and_hidden_until_it_is_done),
	cmocka_unit_test(an_update_shows_that_it_is_under_way),
	cmocka_unit_test(a_patch_changes_only_what_it_names),
	cmocka_unit_test(a_deletion_shows_until_it_is_done),
	cmocka_unit_test(one_operation_at_a_time_for_each_type),
	cmocka_unit_test(each_flaw_of_an_extension_is_refused),
	cmocka_unit_test(publisher_and_type_cannot_change),
	cmocka_unit_test(an_expired_machine_cannot_be_managed),
	cmocka_unit_test(writes_ask_for_their_rights),
};
RUN_ESTATE_TESTS(tests)
