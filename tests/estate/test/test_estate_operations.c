/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define MDE MACHINE "/extensions/MDE.Windows"
#define PATH MDE "?" ARC
#define ONE "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]"
#define WITH_SENSOR \
	"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"extensions\":[{\"type\":\"MDE." \
	"Windows\"}]" \
	"}]"

static void open_with(struct fixture *f, const char *subscription, const char *knobs)
{
	mdc_autofree char *behaviour = xasprintf(
		"\"deployer\":{\"on\":false},\"operations\":{\"create\":\"2m\",\"update\":"
		"\"1m\",\"delete\":\"3m\"%s%s}",
		*knobs != '\0' ? "," : "", knobs);

	fixture_open(f, subscription, behaviour);
}

static int put_sensor(struct fixture *f)
{
	mdc_autofree char *body = NULL;

	get(f, SECURITY "/mdeOnboardings/Windows?api-version=2021-10-01-preview");
	body = xasprintf("{\"location\":\"westeurope\",\"properties\":{\"publisher\":"
			 "\"Microsoft.Azure.AzureDefenderForServers\",\"type\":\"MDE.Windows\","
			 "\"protectedSettings\":{\"defenderForEndpointOnboardingScript\":\"%s\"}}}",
		text(f, "properties.onboardingPackageWindows"));
	return put(f, PATH, body);
}

static char *header_copy(const struct fixture *f, const char *name)
{
	const char *value = answer_header_of(f, name);

	return value != NULL ? xstrdup(value) : NULL;
}

static void the_status_url_is_long_signed_and_tells_the_progress(void **state)
{
	struct fixture f;
	mdc_autofree char *url = NULL;
	mdc_autofree char *newer = NULL;

	(void)state;
	open_with(&f, ONE, "");
	assert_int_equal(put_sensor(&f), 202);
	url = header_copy(&f, "Azure-AsyncOperation");
	assert_in_range(strlen(url), 3000, 4096);
	assert_true(str_starts_nocase(url, ARM SUB_PATH "/providers/Microsoft.HybridCompute/"));
	assert_non_null(answer_header_of(&f, "Location"));
	assert_null(answer_header_of(&f, "Retry-After"));
	assert_int_equal(get(&f, url), 200);
	assert_string_equal(text(&f, "status"), "InProgress");
	assert_string_equal(text(&f, "startTime"), "2026-11-24T08:00:00Z");
	assert_null(tree_get(f.doc, "endTime"));
	newer = header_copy(&f, "Azure-AsyncOperation");
	assert_string_not_equal(url, newer);
	pass(&f, DUR_MIN(2));
	assert_int_equal(get(&f, newer), 200);
	assert_string_equal(text(&f, "status"), "Succeeded");
	assert_int_equal(get(&f, url), 200);
	assert_string_equal(text(&f, "endTime"), "2026-11-24T08:02:00Z");
	fixture_close(&f);
}

static void a_url_that_was_tampered_with_is_not_known(void **state)
{
	struct fixture f;
	mdc_autofree char *url = NULL;
	char *sign;

	(void)state;
	open_with(&f, ONE, "");
	put_sensor(&f);
	url = header_copy(&f, "Azure-AsyncOperation");
	sign = strstr(url, "&s=") + 3;
	*sign = *sign == '0' ? '1' : '0';
	get(&f, url);
	assert_refused(&f, 404, "NotFound");
	fixture_close(&f);
}

static void reading_a_status_takes_a_right_of_its_own(void **state)
{
	struct fixture f;
	mdc_autofree char *url = NULL;
	json_t *doc = fixture_document(ONE, "\"deployer\":{\"on\":false}");

	(void)state;
	json_object_set_new(json_array_get(json_object_get(doc, "principals"), 0), "roles",
		json_pack("[{s:s, s:[s, s, s, s]}]", "scope", SUB_PATH, "actions",
			"Microsoft.HybridCompute/machines/read",
			"Microsoft.HybridCompute/machines/extensions/read",
			"Microsoft.HybridCompute/machines/extensions/write",
			"Microsoft.Security/mdeOnboardings/read"));
	fixture_open_json(&f, doc);
	assert_int_equal(put_sensor(&f), 202);
	url = header_copy(&f, "Azure-AsyncOperation");
	get(&f, url);
	assert_refused(&f, 403, "AuthorizationFailed");
	fixture_close(&f);
}

static void a_location_answers_202_and_then_as_if_synchronous(void **state)
{
	struct fixture f;
	mdc_autofree char *url = NULL;

	(void)state;
	open_with(&f, ONE, "\"shape\":\"location\",\"retryAfter\":\"15s\"");
	assert_int_equal(put_sensor(&f), 202);
	assert_null(answer_header_of(&f, "Azure-AsyncOperation"));
	assert_string_equal(answer_header_of(&f, "Retry-After"), "15");
	url = header_copy(&f, "Location");
	assert_int_equal(get(&f, url), 202);
	assert_int_equal(f.answer.reply.body_len, 0);
	pass(&f, DUR_MIN(2));
	assert_int_equal(get(&f, url), 200);
	assert_string_equal(text(&f, "name"), "MDE.Windows");
	call(&f, "DELETE", PATH, NULL);
	free(url);
	url = header_copy(&f, "Location");
	pass(&f, DUR_MIN(3));
	assert_int_equal(get(&f, url), 204);
	fixture_close(&f);
}

static void the_location_may_move(void **state)
{
	struct fixture f;
	mdc_autofree char *first = NULL;
	mdc_autofree char *second = NULL;

	(void)state;
	open_with(&f, ONE, "\"shape\":\"location\",\"movingLocation\":true");
	put_sensor(&f);
	first = header_copy(&f, "Location");
	assert_int_equal(get(&f, first), 202);
	second = header_copy(&f, "Location");
	assert_int_equal(get(&f, first), 404);
	assert_int_equal(get(&f, second), 202);
	fixture_close(&f);
}

static void in_the_body_shape_the_resource_itself_tells(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, ONE, "\"shape\":\"body\"");
	assert_int_equal(put_sensor(&f), 200);
	assert_string_equal(text(&f, "properties.provisioningState"), "Creating");
	assert_null(answer_header_of(&f, "Location"));
	assert_int_equal(get(&f, PATH), 200);
	assert_string_equal(text(&f, "properties.provisioningState"), "Creating");
	pass(&f, DUR_MIN(2));
	get(&f, PATH);
	assert_string_equal(text(&f, "properties.provisioningState"), "Succeeded");
	fixture_close(&f);
}

static void an_acceptance_may_come_without_any_url(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, WITH_SENSOR, "\"shape\":\"bare\"");
	assert_int_equal(call(&f, "DELETE", PATH, NULL), 202);
	assert_null(answer_header_of(&f, "Location"));
	assert_null(answer_header_of(&f, "Azure-AsyncOperation"));
	pass(&f, DUR_MIN(3));
	assert_int_equal(get(&f, PATH), 404);
	fixture_close(&f);
}

static void creation_can_be_shown(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, ONE, "\"hideCreation\":false");
	assert_int_equal(put_sensor(&f), 202);
	assert_int_equal(get(&f, PATH), 200);
	assert_string_equal(text(&f, "properties.provisioningState"), "Creating");
	fixture_close(&f);
}

static void a_failure_is_told_with_its_reason(void **state)
{
	struct fixture f;
	mdc_autofree char *status = NULL;
	mdc_autofree char *result = NULL;

	(void)state;
	open_with(
		&f, "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"outcomes\":[\"13\"]}]", "");
	put_sensor(&f);
	status = header_copy(&f, "Azure-AsyncOperation");
	result = header_copy(&f, "Location");
	pass(&f, DUR_MIN(2));
	assert_int_equal(get(&f, status), 200);
	assert_string_equal(text(&f, "status"), "Failed");
	assert_non_null(strstr(text(&f, "error.message"), "exit code 13"));
	assert_int_equal(get(&f, result), 400);
	get(&f, PATH);
	assert_string_equal(text(&f, "properties.provisioningState"), "Failed");
	assert_string_equal(text(&f, "properties.instanceView.status.code"), "13");
	assert_string_equal(text(&f, "properties.instanceView.status.level"), "Error");
	fixture_close(&f);
}

static void status_urls_expire_or_are_never_known(void **state)
{
	struct fixture f;
	mdc_autofree char *url = NULL;

	(void)state;
	open_with(&f, ONE, "\"urlLife\":\"10m\"");
	put_sensor(&f);
	url = header_copy(&f, "Azure-AsyncOperation");
	pass(&f, DUR_MIN(12));
	assert_int_equal(get(&f, url), 200);
	pass(&f, DUR_S(1));
	assert_int_equal(get(&f, url), 404);
	fixture_close(&f);
	open_with(&f, ONE, "\"lost\":1");
	put_sensor(&f);
	free(url);
	url = header_copy(&f, "Azure-AsyncOperation");
	assert_int_equal(get(&f, url), 404);
	pass(&f, DUR_MIN(2));
	assert_int_equal(get(&f, PATH), 200);
	fixture_close(&f);
}

static void some_operations_never_end(void **state)
{
	static const char *const machines[] = {
		ONE, "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"stuck\":true}]"};
	static const char *const knobs[] = {"\"endless\":1", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		struct fixture f;
		mdc_autofree char *url = NULL;

		open_with(&f, machines[i], knobs[i]);
		put_sensor(&f);
		url = header_copy(&f, "Azure-AsyncOperation");
		pass(&f, DUR_DAYS(2));
		log_in(&f, CLIENT, "secret");
		assert_int_equal(get(&f, url), 200);
		assert_string_equal(text(&f, "status"), "InProgress");
		put_sensor(&f);
		assert_refused(&f, 409, "HCRP409");
		fixture_close(&f);
	}
}

#define TIMELINE(steps) \
	"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"status\":\"Disconnected\"," \
	"\"timeline\":[" steps "]}]"

static void a_disconnected_machine_begins_when_it_connects(void **state)
{
	struct fixture f;
	mdc_autofree char *url = NULL;

	(void)state;
	open_with(&f, TIMELINE("{\"after\":\"3h\",\"status\":\"Connected\"}"), "");
	put_sensor(&f);
	url = header_copy(&f, "Azure-AsyncOperation");
	pass(&f, DUR_MIN(59));
	get(&f, url);
	assert_string_equal(text(&f, "status"), "Queued");
	pass(&f, DUR_MIN(121));
	log_in(&f, CLIENT, "secret");
	get(&f, url);
	assert_string_equal(text(&f, "status"), "InProgress");
	pass(&f, DUR_MIN(2));
	get(&f, url);
	assert_string_equal(text(&f, "status"), "Succeeded");
	fixture_close(&f);
}

static void what_waits_too_long_for_its_machine_is_dropped(void **state)
{
	struct fixture f;
	mdc_autofree char *url = NULL;

	(void)state;
	open_with(&f, TIMELINE("{\"after\":\"7h\",\"status\":\"Connected\"}"), "");
	put_sensor(&f);
	url = header_copy(&f, "Azure-AsyncOperation");
	pass(&f, DUR_H(6));
	log_in(&f, CLIENT, "secret");
	get(&f, url);
	assert_string_equal(text(&f, "status"), "Failed");
	assert_string_equal(text(&f, "error.code"), "ExtensionOperationTimeout");
	pass(&f, DUR_H(2));
	log_in(&f, CLIENT, "secret");
	assert_int_equal(get(&f, PATH), 404);
	fixture_close(&f);
}

static void work_pauses_while_the_machine_is_away(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"timeline\":[{\"after\":\"90s\","
		"\"status\":\"Disconnected\"},{\"after\":\"10m\",\"status\":\"Connected\"}]}]",
		"");
	put_sensor(&f);
	pass(&f, DUR_MIN(10));
	assert_null(estate_peek(f.e, MDE));
	pass(&f, DUR_S(30));
	assert_string_equal(peek(&f, MDE, "properties.provisioningState"), "Succeeded");
	fixture_close(&f);
}

static void removing_the_machine_ends_its_operation(void **state)
{
	struct fixture f;
	mdc_autofree char *url = NULL;

	(void)state;
	open_with(&f, ONE, "");
	put_sensor(&f);
	url = header_copy(&f, "Azure-AsyncOperation");
	assert_int_equal(estate_meddle(f.e, MACHINE, NULL, NULL), 0);
	get(&f, url);
	assert_string_equal(text(&f, "status"), "Failed");
	pass(&f, DUR_MIN(5));
	assert_null(estate_peek(f.e, MDE));
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_status_url_is_long_signed_and_tells_the_progress),
	cmocka_unit_test(a_url_that_was_tampered_with_is_not_known),
	cmocka_unit_test(reading_a_status_takes_a_right_of_its_own),
	cmocka_unit_test(a_location_answers_202_and_then_as_if_synchronous),
	cmocka_unit_test(the_location_may_move),
	cmocka_unit_test(in_the_body_shape_the_resource_itself_tells),
	cmocka_unit_test(an_acceptance_may_come_without_any_url),
	cmocka_unit_test(creation_can_be_shown),
	cmocka_unit_test(a_failure_is_told_with_its_reason),
	cmocka_unit_test(status_urls_expire_or_are_never_known),
	cmocka_unit_test(some_operations_never_end),
	cmocka_unit_test(a_disconnected_machine_begins_when_it_connects),
	cmocka_unit_test(what_waits_too_long_for_its_machine_is_dropped),
	cmocka_unit_test(work_pauses_while_the_machine_is_away),
	cmocka_unit_test(removing_the_machine_ends_its_operation),
};
RUN_ESTATE_TESTS(tests)
