/* SPDX-License-Identifier: Apache-2.0 */
/* The API of Defender for Endpoint: who may read it, how often, its pages, and what it shows. */
#include "tests/estate/test/estate_fixture.h"

#define DEVICES "https://defender.test/api/machines"
#define BLIND "20000000-0000-4000-8000-000000000009"
#define DOCUMENT \
	"{\"tenants\":[{\"id\":\"" TENANT "\"}]," \
	"\"principals\":[{\"tenant\":\"" TENANT "\",\"client\":\"" CLIENT "\"," \
	"\"secret\":\"secret\",\"applicationPermissions\":[\"Machine.Read.All\"]," \
	"\"roles\":[{\"scope\":\"/\",\"role\":\"Owner\"}]}," \
	"{\"tenant\":\"" TENANT "\",\"client\":\"" BLIND "\",\"secret\":\"secret\"}]," \
	"\"subscriptions\":[{\"id\":\"" SUB "\",\"tenant\":\"" TENANT "\",\"machines\":[%s]}]," \
	"\"devices\":[%s]," \
	"\"behaviour\":{\"deployer\":{\"on\":false},\"latency\":{\"read\":\"1ms\",\"token\":" \
	"\"1ms\"}," \
	"\"devices\":{\"lag\":\"5h\"%s}}}"
#define MACHINE_OF(name, rest) \
	"{\"name\":\"" name "\",\"group\":\"rg\",\"os\":\"Windows Server 2016 Datacenter\"" rest "}"
#define EXTENSION(type) ",\"extensions\":[{\"type\":\"" type "\",\"since\":\"-9d\"}]"

static void open_estate(
	struct fixture *f, const char *machines, const char *devices, const char *knobs)
{
	mdc_autofree char *document = xasprintf(DOCUMENT, machines, devices, knobs);

	fixture_open_json(f, parse(document));
}

/* A token for this API in place of the one for Resource Manager. */
static void sign_in(struct fixture *f, const char *client)
{
	static const char *const form[] = {
		"Content-Type", "application/x-www-form-urlencoded", NULL};
	mdc_autofree char *body =
		xasprintf("grant_type=client_credentials&client_id=%s&client_secret=secret"
			  "&scope=https%%3A%%2F%%2Fapi.securitycenter.microsoft.com%%2F.default",
			client);

	assert_int_equal(
		send_raw(f, "POST", LOGIN "/" TENANT "/oauth2/v2.0/token", form, body), 200);
	free(f->token);
	f->token = xstrdup(tree_text(f->doc, "access_token"));
}

static const json_t *row(const struct fixture *f, size_t i)
{
	return json_array_get(tree_get(f->doc, "value"), i);
}

static size_t rows(const struct fixture *f)
{
	return json_array_size(tree_get(f->doc, "value"));
}

static void it_wants_a_token_of_its_own_and_a_permission_of_its_own(void **state)
{
	struct fixture f;

	(void)state;
	open_estate(&f, "", "{\"name\":\"a\"}", "");
	get(&f, DEVICES);
	assert_refused(&f, 401, "Unauthorized");
	sign_in(&f, BLIND);
	get(&f, DEVICES);
	assert_refused(&f, 403, "Forbidden");
	sign_in(&f, CLIENT);
	assert_int_equal(get(&f, DEVICES), 200);
	assert_int_equal(rows(&f), 1);
	/* Nor is it good for Resource Manager. */
	assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 401);
	pass(&f, DUR_H(2));
	get(&f, DEVICES);
	assert_refused(&f, 401, "Unauthorized");
	fixture_close(&f);
}

static void pages_link_to_the_next_one_and_have_a_limit(void **state)
{
	struct fixture f;
	mdc_autofree char *link = NULL;

	(void)state;
	open_estate(
		&f, "", "{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}", ",\"pageLimit\":2");
	sign_in(&f, CLIENT);
	assert_int_equal(get(&f, DEVICES), 200);
	assert_int_equal(rows(&f), 2);
	link = xstrdup(json_string_value(json_object_get(f.doc, "@odata.nextLink")));
	assert_int_equal(get(&f, link), 200);
	assert_int_equal(rows(&f), 1);
	assert_string_equal(tree_text(row(&f, 0), "computerDnsName"), "c");
	assert_null(json_object_get(f.doc, "@odata.nextLink"));
	get(&f, DEVICES "?$top=3");
	assert_refused(&f, 400, "BadRequest");
	assert_int_equal(get(&f, DEVICES "?$top=1&$skip=1"), 200);
	assert_string_equal(tree_text(row(&f, 0), "computerDnsName"), "b");
	assert_int_equal(get(&f, DEVICES "?$skip=3"), 200);
	assert_int_equal(rows(&f), 0);
	fixture_close(&f);
}

static void an_inventory_without_devices_is_not_found(void **state)
{
	struct fixture f;

	(void)state;
	open_estate(&f, MACHINE_OF("m1", ""), "", "");
	sign_in(&f, CLIENT);
	get(&f, DEVICES);
	assert_refused(&f, 404, "ResourceNotFound");
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

static void calls_beyond_the_limit_are_refused_until_the_window_ends(void **state)
{
	struct fixture f;

	(void)state;
	open_estate(&f, "", "{\"name\":\"a\"}", ",\"perMinute\":2");
	sign_in(&f, CLIENT);
	assert_int_equal(get(&f, DEVICES), 200);
	pass(&f, DUR_S(20));
	assert_int_equal(get(&f, DEVICES), 200);
	get(&f, DEVICES);
	assert_refused(&f, 429, "TooManyRequests");
	assert_string_equal(answer_header_of(&f, "Retry-After"), "40");
	assert_true(verdict(&f).good);
	get(&f, DEVICES);
	assert_false(verdict(&f).good); /* it came before Retry-After was over */
	pass(&f, DUR_S(40));
	assert_int_equal(get(&f, DEVICES), 200);
	fixture_close(&f);
}

static void machines_become_devices_some_hours_after_their_sensor(void **state)
{
	struct fixture f;
	json_t *sensor = parse("{\"name\":\"MDE.Windows\",\"properties\":{\"publisher\":"
			       "\"Microsoft.Azure.AzureDefenderForServers\",\"type\":"
			       "\"MDE.Windows\",\"provisioningState\":\"Succeeded\"}}");

	(void)state;
	open_estate(
		&f, MACHINE_OF("m1", EXTENSION("MDE.Windows")) "," MACHINE_OF("m2", ""), "", "");
	sign_in(&f, CLIENT);
	assert_int_equal(get(&f, DEVICES), 200);
	assert_int_equal(rows(&f), 1);
	assert_string_equal(tree_text(row(&f, 0), "agentVersion"), "10.8760.20348.2461");
	assert_string_equal(tree_text(row(&f, 0), "osPlatform"), "WindowsServer2016");
	assert_string_equal(tree_text(row(&f, 0), "onboardingStatus"), "Onboarded");
	assert_true(
		str_ends_nocase(tree_text(row(&f, 0), "vmMetadata.resourceId"), "/machines/m1"));
	assert_string_equal(tree_text(row(&f, 0), "vmMetadata.subscriptionId"), SUB);
	pass(&f, DUR_MIN(1));
	assert_int_equal(
		estate_meddle(f.e, MACHINES "/m2/extensions/MDE.Windows", NULL, sensor), 0);
	json_decref(sensor);
	pass(&f, DUR_MIN(4 * 60 + 59));
	sign_in(&f, CLIENT);
	assert_int_equal(get(&f, DEVICES), 200);
	assert_int_equal(rows(&f), 1);
	pass(&f, DUR_MIN(2));
	assert_int_equal(get(&f, DEVICES), 200);
	assert_int_equal(rows(&f), 2);
	fixture_close(&f);
}

static void an_old_agent_is_a_device_of_the_old_version_that_names_no_machine(void **state)
{
	struct fixture f;

	(void)state;
	open_estate(&f, MACHINE_OF("m1", EXTENSION("MicrosoftMonitoringAgent")), "", "");
	sign_in(&f, CLIENT);
	assert_int_equal(get(&f, DEVICES), 200);
	assert_string_equal(tree_text(row(&f, 0), "agentVersion"), "10.3720.16299.2010");
	assert_true(json_is_null(json_object_get(row(&f, 0), "vmMetadata")));
	fixture_close(&f);
}

static void a_generated_estate_has_devices_without_machines_and_twice(void **state)
{
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	json_t *document;

	(void)state;
	assert_int_equal(estate_generate("machines=20,direct=3,duplicates=10%", 1,
				 (struct wall){INT64_C(1800000000000)}, &diags, &document),
		0);
	assert_int_equal(json_array_size(json_object_get(document, "devices")), 5);
	json_decref(document);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_wants_a_token_of_its_own_and_a_permission_of_its_own),
		cmocka_unit_test(pages_link_to_the_next_one_and_have_a_limit),
		cmocka_unit_test(an_inventory_without_devices_is_not_found),
		cmocka_unit_test(calls_beyond_the_limit_are_refused_until_the_window_ends),
		cmocka_unit_test(machines_become_devices_some_hours_after_their_sensor),
		cmocka_unit_test(an_old_agent_is_a_device_of_the_old_version_that_names_no_machine),
		cmocka_unit_test(a_generated_estate_has_devices_without_machines_and_twice),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
