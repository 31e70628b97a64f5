/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define KNOBS \
	"\"operations\":{\"create\":\"2m\",\"update\":\"2m\",\"delete\":\"2m\"},\"deployer\":{" \
	"\"first\":[\"5h\",\"6h\"],\"later\":[\"20m\",\"40m\"]}"
#define PLAN_ON "\"plan\":{\"tier\":\"Standard\",\"since\":\"-30d\"}"
#define ALL_ON \
	"\"settings\":{\"WDATP\":true,\"WDATP_UNIFIED_SOLUTION\":true," \
	"\"WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW\":false}"
#define ON PLAN_ON "," ALL_ON
#define P2 "{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P2\"}}"
#define SETTING_BODY(value) \
	"{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":" value "}}"
#define WINDOWS MACHINE "/extensions/MDE.Windows"
#define LINUX MACHINE "/extensions/MDE.Linux"
#define STATE "properties.provisioningState"

static char *machine(const char *os, const char *more)
{
	return xasprintf("\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"os\":\"%s\"%s%s}]", os,
		*more != '\0' ? "," : "", more);
}

static void open_machine(
	struct fixture *f, const char *subscription, const char *os, const char *more)
{
	mdc_autofree char *machines = machine(os, more);
	mdc_autofree char *all =
		xasprintf("%s%s%s", subscription, *subscription != '\0' ? "," : "", machines);

	fixture_open(f, all, KNOBS);
}

static bool is_installed(struct fixture *f, const char *id)
{
	return str_equal(peek(f, id, STATE), "Succeeded");
}

static void nothing_is_deployed_without_plan_and_integration(void **state)
{
	static const char *const subscriptions[] = {"", PLAN_ON, ALL_ON};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(subscriptions); i++) {
		struct fixture f;

		open_machine(&f, subscriptions[i], "Windows Server 2019 Datacenter", "");
		pass(&f, DUR_DAYS(2));
		assert_null(estate_peek(f.e, WINDOWS));
		fixture_close(&f);
	}
}

static void the_first_subscription_of_a_tenant_takes_long(void **state)
{
	struct fixture f;

	(void)state;
	open_machine(&f, "", "Windows Server 2019 Datacenter", "");
	put(&f, PLAN, P2);
	pass(&f, DUR_S(10));
	put(&f, SETTING("WDATP"), SETTING_BODY("true"));
	pass(&f, DUR_MIN(299));
	assert_null(estate_peek(f.e, WINDOWS));
	pass(&f, DUR_MIN(64));
	assert_true(is_installed(&f, WINDOWS));
	fixture_close(&f);
}

static void later_subscriptions_take_less(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(ON, KNOBS);

	(void)state;
	json_array_append_new(json_object_get(doc, "subscriptions"),
		json_pack("{s:s, s:s, s:{s:b}, s:[{s:s, s:s}]}", "id", SUB2, "tenant", TENANT,
			"settings", "WDATP", 1, "machines", "name", "m1", "group", "rg"));
	fixture_open_json(&f, doc);
	put(&f,
		"/subscriptions/" SUB2
		"/providers/Microsoft.Security/pricings/VirtualMachines?api-version=2024-01-01",
		P2);
	pass(&f, DUR_MIN(43));
	assert_true(is_installed(&f,
		"/subscriptions/" SUB2
		"/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/"
		"m1/extensions/MDE.Windows"));
	fixture_close(&f);
}

static void what_it_writes_is_not_what_others_write(void **state)
{
	struct fixture f;
	const json_t *doc;

	(void)state;
	open_machine(&f, ON, "Windows Server 2019 Datacenter", "");
	pass(&f, DUR_MIN(45));
	doc = estate_peek(f.e, WINDOWS);
	assert_string_equal(tree_text(doc, "properties.settings.azureResourceId"), MACHINE);
	assert_true(json_is_false(tree_get(doc, "properties.settings.vNextEnabled")));
	assert_true(json_is_true(tree_get(doc, "properties.settings.autoUpdate")));
	assert_true(json_is_true(tree_get(doc, "properties.enableAutomaticUpgrade")));
	fixture_close(&f);
}

static void older_servers_get_the_unified_solution_only_where_it_is_on(void **state)
{
	struct fixture f;

	(void)state;
	open_machine(
		&f, PLAN_ON ",\"settings\":{\"WDATP\":true}", "Windows Server 2016 Datacenter", "");
	pass(&f, DUR_MIN(45));
	assert_true(is_installed(&f, WINDOWS));
	assert_true(json_is_false(
		tree_get(estate_peek(f.e, WINDOWS), "properties.settings.vNextEnabled")));
	put(&f, SETTING("WDATP_UNIFIED_SOLUTION"), SETTING_BODY("true"));
	pass(&f, DUR_MIN(45));
	assert_true(json_is_true(
		tree_get(estate_peek(f.e, WINDOWS), "properties.settings.vNextEnabled")));
	assert_true(is_installed(&f, WINDOWS));
	fixture_close(&f);
}

static void linux_is_left_alone_where_it_is_excluded(void **state)
{
	struct fixture f;

	(void)state;
	open_machine(&f,
		PLAN_ON
		",\"settings\":{\"WDATP\":true,\"WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW\":true}",
		"Ubuntu 22.04.4 LTS", "");
	pass(&f, DUR_H(5));
	assert_null(estate_peek(f.e, LINUX));
	log_in(&f, CLIENT, "secret");
	put(&f, SETTING("WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"), SETTING_BODY("false"));
	pass(&f, DUR_MIN(45));
	assert_true(is_installed(&f, LINUX));
	fixture_close(&f);
}

static const struct {
	const char *os, *more;
} left_alone[] = {
	{"Windows 10 Enterprise", ""},
	{"Windows Server 2012 Datacenter", ""},
	{"Red Hat Enterprise Linux CoreOS 416", ""},
	{"Windows Server 2019 Datacenter", "\"status\":\"Disconnected\""},
	{"Windows Server 2019 Datacenter", "\"status\":\"NeverConnected\""},
	{"Windows Server 2019 Datacenter", "\"reached\":false"},
	{"Windows Server 2019 Datacenter", "\"plan\":\"Free\""},
};

static void some_machines_it_does_not_touch(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(left_alone); i++) {
		struct fixture f;

		open_machine(&f, ON, left_alone[i].os, left_alone[i].more);
		pass(&f, DUR_DAYS(1));
		assert_null(estate_peek(f.e, WINDOWS));
		assert_null(estate_peek(f.e, LINUX));
		fixture_close(&f);
	}
}

static void it_can_be_off(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ON ",\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]",
		"\"deployer\":{\"on\":false}");
	assert_int_equal(estate_next_change(f.e).ms, WALL_NEVER.ms);
	fixture_close(&f);
}

static void a_deleted_sensor_comes_back(void **state)
{
	struct fixture f;

	(void)state;
	open_machine(&f, ON, "Windows Server 2019 Datacenter",
		"\"extensions\":[{\"type\":\"MDE.Windows\",\"owner\":\"/subscriptions/old\"}]");
	assert_int_equal(call(&f, "DELETE", WINDOWS "?" ARC, NULL), 202);
	pass(&f, DUR_MIN(3));
	assert_null(estate_peek(f.e, WINDOWS));
	pass(&f, DUR_MIN(42));
	assert_true(is_installed(&f, WINDOWS));
	assert_string_equal(peek(&f, WINDOWS, "properties.settings.azureResourceId"), MACHINE);
	fixture_close(&f);
}

static void a_machine_that_connects_is_served_then(void **state)
{
	struct fixture f;

	(void)state;
	open_machine(&f, ON, "Windows Server 2019 Datacenter",
		"\"status\":\"Disconnected\",\"timeline\":[{\"after\":\"30h\",\"status\":"
		"\"Connected\"}]");
	pass(&f, DUR_H(30));
	assert_null(estate_peek(f.e, WINDOWS));
	pass(&f, DUR_MIN(45));
	assert_true(is_installed(&f, WINDOWS));
	fixture_close(&f);
}

static void it_waits_for_another_operation_on_the_machine(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ON ",\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]",
		"\"operations\":{\"create\":\"25m\"},\"deployer\":{\"later\":\"10m\",\"busyWait\":"
		"\"5m\"}");
	put(&f, MACHINE "/extensions/Other?" ARC,
		"{\"location\":\"westeurope\",\"properties\":{\"publisher\":\"P\",\"type\":"
		"\"Other\"}}");
	pass(&f, DUR_MIN(40));
	assert_null(estate_peek(f.e, WINDOWS));
	pass(&f, DUR_MIN(16));
	assert_true(is_installed(&f, WINDOWS));
	fixture_close(&f);
}

static void what_failed_it_does_not_repair(void **state)
{
	struct fixture f;

	(void)state;
	open_machine(&f, ON, "Windows Server 2019 Datacenter", "\"outcomes\":[\"4\",\"0\"]");
	pass(&f, DUR_DAYS(3));
	assert_string_equal(peek(&f, WINDOWS, STATE), "Failed");
	fixture_close(&f);
}

static void turning_the_integration_off_ends_what_was_planned(void **state)
{
	struct fixture f;

	(void)state;
	open_machine(&f, ON, "Windows Server 2019 Datacenter", "");
	put(&f, SETTING("WDATP"), SETTING_BODY("false"));
	pass(&f, DUR_DAYS(1));
	assert_null(estate_peek(f.e, WINDOWS));
	fixture_close(&f);
}

static void a_share_of_machines_is_never_reached(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(ON, "\"deployer\":{\"later\":\"1m\",\"unreached\":\"50%\"}");
	json_t *machines = json_array();

	(void)state;
	for (int i = 0; i < 100; i++)
		json_array_append_new(machines,
			json_pack("{s:o, s:s}", "name", json_sprintf("m%d", i), "group", "rg"));
	json_object_set_new(
		json_array_get(json_object_get(doc, "subscriptions"), 0), "machines", machines);
	fixture_open_json(&f, doc);
	pass(&f, DUR_DAYS(1));
	assert_in_range(verdict(&f).protected_after, 30, 70);
	fixture_close(&f);
}

static void machines_come_go_and_expire(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"timeline\":[{\"after\":\"1h\","
		"\"status\":\"Disconnected\"},{\"after\":\"2h\",\"status\":\"Connected\"},{"
		"\"after\":"
		"\"3h\",\"status\":\"Disconnected\"}]}]",
		"");
	pass(&f, DUR_H(1));
	assert_string_equal(peek(&f, MACHINE, "properties.status"), "Disconnected");
	assert_string_equal(
		peek(&f, MACHINE, "properties.lastStatusChange"), "2026-11-24T09:00:00Z");
	pass(&f, DUR_H(1));
	assert_string_equal(peek(&f, MACHINE, "properties.status"), "Connected");
	pass(&f, DUR_H(1));
	assert_string_equal(peek(&f, MACHINE, "properties.status"), "Disconnected");
	pass(&f, DUR_DAYS(45));
	assert_string_equal(peek(&f, MACHINE, "properties.status"), "Expired");
	assert_int_equal(estate_next_change(f.e).ms, WALL_NEVER.ms);
	fixture_close(&f);
}

static void flapping_machines_change_within_their_spans(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]",
		"\"heartbeat\":{\"flapping\":1,\"up\":[\"1h\",\"2h\"],\"down\":\"10m\"}");
	pass(&f, DUR_MIN(59));
	assert_string_equal(peek(&f, MACHINE, "properties.status"), "Connected");
	f.now = estate_next_change(f.e);
	pass(&f, DUR_MS(0));
	assert_string_equal(peek(&f, MACHINE, "properties.status"), "Disconnected");
	pass(&f, DUR_MIN(10));
	assert_string_equal(peek(&f, MACHINE, "properties.status"), "Connected");
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_is_deployed_without_plan_and_integration),
	cmocka_unit_test(the_first_subscription_of_a_tenant_takes_long),
	cmocka_unit_test(later_subscriptions_take_less),
	cmocka_unit_test(what_it_writes_is_not_what_others_write),
	cmocka_unit_test(older_servers_get_the_unified_solution_only_where_it_is_on),
	cmocka_unit_test(linux_is_left_alone_where_it_is_excluded),
	cmocka_unit_test(some_machines_it_does_not_touch),
	cmocka_unit_test(it_can_be_off),
	cmocka_unit_test(a_deleted_sensor_comes_back),
	cmocka_unit_test(a_machine_that_connects_is_served_then),
	cmocka_unit_test(it_waits_for_another_operation_on_the_machine),
	cmocka_unit_test(what_failed_it_does_not_repair),
	cmocka_unit_test(turning_the_integration_off_ends_what_was_planned),
	cmocka_unit_test(a_share_of_machines_is_never_reached),
	cmocka_unit_test(machines_come_go_and_expire),
	cmocka_unit_test(flapping_machines_change_within_their_spans),
};
RUN_ESTATE_TESTS(tests)
