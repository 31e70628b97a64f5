/* SPDX-License-Identifier: Apache-2.0 */
/* Azure VMs as Compute shows them, what it refuses, and how its operations are followed. */
#include "tests/estate/test/estate_fixture.h"

#define VMS SUB_PATH "/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines"
#define COMPUTE "api-version=2024-07-01"
#define SENSOR(vm) VMS "/" vm "/extensions/MDE.Windows?" COMPUTE
#define ON \
	"\"plan\":{\"tier\":\"Standard\",\"subPlan\":\"P2\"}," \
	"\"settings\":{\"WDATP\":true,\"WDATP_UNIFIED_SOLUTION\":true},"
#define FLEET \
	ON "\"machines\":[{\"name\":\"vm1\",\"group\":\"rg\",\"vm\":{}}," \
	   "{\"name\":\"off\",\"group\":\"rg\",\"status\":\"deallocated\",\"vm\":{}}," \
	   "{\"name\":\"own\",\"group\":\"rg\",\"vm\":{\"ownImage\":true}}," \
	   "{\"name\":\"closed\",\"group\":\"rg\",\"vm\":{\"allowExtensions\":false}}," \
	   "{\"name\":\"arc1\",\"group\":\"rg\"}]"
#define BODY \
	"{\"location\":\"westeurope\",\"properties\":{\"publisher\":" \
	"\"Microsoft.Azure.AzureDefenderForServers\",\"type\":\"MDE.Windows\"}}"

static void lists_show_one_kind_of_machine_each(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, FLEET, "\"deployer\":{\"on\":false}");
	assert_int_equal(
		get(&f, SUB_PATH "/providers/Microsoft.Compute/virtualMachines?" COMPUTE), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 4);
	assert_int_equal(get(&f, SUB_PATH "/providers/Microsoft.HybridCompute/machines?" ARC), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	fixture_close(&f);
}

static void the_state_of_a_vm_is_told_where_it_is_asked_for(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, FLEET, "\"deployer\":{\"on\":false}");
	assert_int_equal(get(&f, VMS "/off?" COMPUTE), 200);
	assert_null(tree_get(f.doc, "properties.instanceView"));
	assert_null(tree_get(f.doc, "properties.extended"));
	assert_int_equal(get(&f, VMS "/vm1?" COMPUTE "&$expand=instanceView"), 200);
	assert_non_null(tree_get(f.doc, "properties.instanceView.vmAgent"));
	assert_int_equal(get(&f, VMS "/off?" COMPUTE "&$expand=everything"), 400);
	fixture_close(&f);
}

static void compute_refuses_extensions_where_a_vm_cannot_take_them(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, FLEET, "\"deployer\":{\"on\":false}");
	assert_int_equal(put(&f, SENSOR("off"), BODY), 409);
	assert_string_equal(error_code(&f), "OperationNotAllowed");
	assert_int_equal(put(&f, SENSOR("closed"), BODY), 409);
	assert_string_equal(error_code(&f), "OperationNotAllowed");
	assert_int_equal(put(&f, SENSOR("none"), BODY), 404);
	assert_int_equal(put(&f, SENSOR("own"), "{\"location\":\"westeurope\"}"), 400);
	fixture_close(&f);
}

static void an_extension_is_shown_while_its_operation_runs(void **state)
{
	struct fixture f;
	mdc_autofree char *url = NULL;

	(void)state;
	fixture_open(&f, FLEET, "\"deployer\":{\"on\":false},\"tokens\":{\"life\":\"24h\"}");
	assert_int_equal(put(&f, SENSOR("own"), BODY), 201);
	assert_string_equal(text(&f, "properties.provisioningState"), "Creating");
	url = xstrdup(answer_header_of(&f, "Azure-AsyncOperation"));
	assert_non_null(strstr(url, "/providers/Microsoft.Compute/locations/"));
	assert_int_equal(get(&f, SENSOR("own")), 200);
	assert_int_equal(put(&f, SENSOR("own"), BODY), 409);
	assert_string_equal(error_code(&f), "Conflict");
	assert_int_equal(get(&f, url), 200);
	assert_string_equal(text(&f, "status"), "InProgress");
	pass(&f, DUR_H(1));
	assert_int_equal(get(&f, url), 200);
	assert_string_not_equal(text(&f, "status"), "InProgress");
	fixture_close(&f);
}

/* All but those of own images, that are off, or that allow no extensions. */
static void the_deployer_comes_to_vms_of_the_marketplace(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, FLEET, "\"deployer\":{\"on\":true},\"tokens\":{\"life\":\"24h\"}");
	pass(&f, DUR_H(16));
	assert_int_equal(get(&f, SENSOR("vm1")), 200);
	assert_string_equal(text(&f, "type"), "Microsoft.Compute/virtualMachines/extensions");
	assert_string_equal(text(&f, "properties.provisioningState"), "Succeeded");
	assert_null(tree_get(f.doc, "properties.instanceView"));
	assert_int_equal(get(&f, SENSOR("own")), 404);
	assert_int_equal(get(&f, SENSOR("off")), 404);
	assert_int_equal(get(&f, SENSOR("closed")), 404);
	fixture_close(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_show_one_kind_of_machine_each),
		cmocka_unit_test(the_state_of_a_vm_is_told_where_it_is_asked_for),
		cmocka_unit_test(compute_refuses_extensions_where_a_vm_cannot_take_them),
		cmocka_unit_test(an_extension_is_shown_while_its_operation_runs),
		cmocka_unit_test(the_deployer_comes_to_vms_of_the_marketplace),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
