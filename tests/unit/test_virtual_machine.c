/* SPDX-License-Identifier: Apache-2.0 */
/* Azure VMs in the shapes of ARM and of Resource Graph. */
#include "lib/azure/virtual_machine.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ID \
	"/subscriptions/30000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/" \
	"Microsoft.Compute/virtualMachines/vm1"

/* JSON in single quotes. */
static json_t *document(const char *properties)
{
	mdc_autofree char *text = xasprintf(
		"{'id': '" ID "', 'location': 'westeurope', 'properties': {%s}}", properties);
	json_t *doc;

	for (char *p = text; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	return doc;
}

static void systems_are_named_as_arc_names_them(void **state)
{
	static const struct {
		struct vm_system system;
		const char *text;
		enum os_class class;
	} rows[] = {
		{{.name = "Windows Server 2019 Datacenter"}, "Windows Server 2019 Datacenter",
			OS_WINDOWS_INBOX},
		{{.name = "ubuntu", .version = "22.04"}, "Ubuntu 22.04", OS_LINUX},
		{{.name = "redhat", .version = "8.6"}, "Red Hat Enterprise Linux 8.6", OS_LINUX},
		{{.name = "rhel", .version = "6.10"}, "Red Hat Enterprise Linux 6.10",
			OS_LINUX_UNSUPPORTED},
		{{.name = "sles", .version = "15.3"}, "SUSE Linux Enterprise Server 15.3",
			OS_LINUX},
		{{.name = "debian"}, "Debian GNU/Linux ", OS_LINUX_UNCERTAIN},
		{{.name = "flatcar", .version = "3"}, "flatcar", OS_LINUX_UNCERTAIN},
		{{.publisher = "MicrosoftWindowsServer",
			 .offer = "WindowsServer",
			 .plan = "2012-R2-Datacenter"},
			"Windows Server 2012 R2 Datacenter", OS_WINDOWS_UNIFIED},
		{{.publisher = "microsoftwindowsserver",
			 .offer = "windowsserver",
			 .plan = "2016-datacenter-gensecond"},
			"Windows Server 2016 datacenter gensecond", OS_WINDOWS_UNIFIED},
		{{.publisher = "MicrosoftSQLServer", .offer = "sql2016sp2-ws2016", .plan = "std"},
			"Windows Server 2016", OS_WINDOWS_UNIFIED},
		{{.publisher = "MicrosoftSQLServer", .offer = "sql2014-ws2012r2", .plan = "std"},
			"Windows Server 2012 R2", OS_WINDOWS_UNIFIED},
		{{.publisher = "MicrosoftWindowsDesktop",
			 .offer = "windows-11",
			 .plan = "win11-23h2-avd"},
			"Windows 11 Enterprise multi-session", OS_WINDOWS_MAYBE},
		{{.publisher = "MicrosoftWindowsDesktop",
			 .offer = "Windows-10",
			 .plan = "win10-22h2-pro"},
			"Windows 10 Enterprise", OS_WINDOWS_UNSUPPORTED},
		{{.publisher = "Canonical",
			 .offer = "0001-com-ubuntu-server-jammy",
			 .plan = "22_04-lts-gen2"},
			"Ubuntu 22.04", OS_LINUX},
		{{.publisher = "Canonical", .offer = "ubuntu-24_04-lts", .plan = "server"},
			"Ubuntu 24.04", OS_LINUX},
		{{.publisher = "RedHat", .offer = "RHEL", .plan = "86-gen2"},
			"Red Hat Enterprise Linux 8.6", OS_LINUX},
		{{.publisher = "RedHat", .offer = "RHEL", .plan = "10-lvm-gen2"},
			"Red Hat Enterprise Linux 10", OS_LINUX},
		{{.publisher = "SUSE", .offer = "sles-15-sp5", .plan = "gen2"},
			"SUSE Linux Enterprise Server 15", OS_LINUX},
		{{.publisher = "contoso", .offer = "thing", .plan = "1"}, "", OS_UNKNOWN},
		{{.publisher = NULL}, "", OS_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[ARM_OS_TEXT_SIZE];

		vm_system_text(&rows[i].system, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(os_classify(NULL, NULL, text), rows[i].class);
	}
}

static void nodes_and_appliances_are_told_by_their_publisher(void **state)
{
	(void)state;
	assert_int_equal(vm_image_class("AzureDatabricks", "Databricks"), OS_EXCLUDED);
	assert_int_equal(vm_image_class("microsoft-aks", "aks"), OS_EXCLUDED);
	assert_int_equal(vm_image_class("Fortinet", "fortigate"), OS_APPLIANCE);
	assert_int_equal(vm_image_class("sophos", "xg-Firewall"), OS_APPLIANCE);
	assert_int_equal(vm_image_class("Canonical", "ubuntu"), OS_UNKNOWN);
	assert_int_equal(vm_image_class(NULL, NULL), OS_UNKNOWN);
}

#define MODEL \
	"'timeCreated': '2026-01-02T03:04:05Z', 'storageProfile': {'osDisk': {'osType': " \
	"'Linux'}, 'imageReference': {'publisher': 'Canonical', 'offer': 'ubuntu', 'sku': " \
	"'22_04-lts'}}, 'osProfile': {'allowExtensionOperations': true}"

static void graph_and_arm_read_alike(void **state)
{
	static const char *const shapes[] = {
		MODEL ", 'extended': {'instanceView': {'osName': 'ubuntu', 'osVersion': '22.04', "
		      "'powerState': {'code': 'PowerState/running'}}}",
		MODEL ", 'instanceView': {'osName': 'ubuntu', 'osVersion': '22.04', 'vmAgent': "
		      "{'statuses': [{'displayStatus': 'Ready'}]}, 'statuses': [{'code': "
		      "'ProvisioningState/succeeded'}, {'code': 'PowerState/running'}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		json_t *doc = document(shapes[i]);
		struct arm_machine m;

		assert_int_equal(arm_machine_read(doc, &m), 0);
		assert_true(m.virtual && !m.status_only && !m.own_image && !m.in_scale_set);
		assert_string_equal(m.status, "running");
		assert_string_equal(m.os_sku, "Ubuntu 22.04");
		assert_string_equal(m.cloud, "Azure");
		assert_int_equal(m.extensions_enabled, TRI_YES);
		assert_true(wall_is_set(m.status_since));
		assert_int_equal(m.agent_ready, i == 0 ? TRI_UNKNOWN : TRI_YES);
		json_decref(doc);
	}
}

/* Only a generalized image leaves a profile of the system; the marketplace's have no id. */
static void own_images_are_told_by_profile_and_id(void **state)
{
	static const struct {
		const char *properties;
		bool own;
	} rows[] = {
		{"'storageProfile': {'imageReference': {'id': '/x'}}, 'osProfile': {}", true},
		{"'storageProfile': {'imageReference': {'sharedGalleryImageId': '/x'}}, "
		 "'osProfile': {}",
			true},
		{"'storageProfile': {'imageReference': {'id': '/x'}}", false},
		{"'storageProfile': {'imageReference': {'id': '/x'}}, 'osProfile': null", false},
		{"'storageProfile': {'imageReference': {'id': ''}}, 'osProfile': {}", false},
		{MODEL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *doc = document(rows[i].properties);
		struct arm_machine m;

		assert_int_equal(arm_machine_read(doc, &m), 0);
		assert_int_equal(m.own_image, rows[i].own);
		json_decref(doc);
	}
}

static void a_status_alone_says_no_more(void **state)
{
	json_t *doc =
		document("'instanceView': {'statuses': [{'code': 'PowerState/deallocated'}]}");
	struct arm_machine m;

	(void)state;
	assert_int_equal(arm_machine_read(doc, &m), 0);
	assert_true(m.status_only);
	assert_string_equal(m.status, "deallocated");
	assert_null(m.os_sku);
	assert_int_equal(m.extensions_enabled, TRI_UNKNOWN);
	json_decref(doc);
}

static void an_agent_that_is_not_ready_is_told(void **state)
{
	json_t *doc = document(MODEL ", 'instanceView': {'vmAgent': {'statuses': [{'code': "
				     "'ProvisioningState/Unavailable', 'displayStatus': 'Not "
				     "Ready'}]}, 'statuses': [{'code': 'PowerState/running'}]}");
	struct arm_machine m;

	(void)state;
	assert_int_equal(arm_machine_read(doc, &m), 0);
	assert_int_equal(m.agent_ready, TRI_NO);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(systems_are_named_as_arc_names_them),
		cmocka_unit_test(nodes_and_appliances_are_told_by_their_publisher),
		cmocka_unit_test(graph_and_arm_read_alike),
		cmocka_unit_test(own_images_are_told_by_profile_and_id),
		cmocka_unit_test(a_status_alone_says_no_more),
		cmocka_unit_test(an_agent_that_is_not_ready_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
