/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define ALL SUB_PATH "/providers/Microsoft.HybridCompute/machines?" ARC

/* `n` machines, every other one in the group "other". */
static json_t *fleet(size_t n, const char *behaviour)
{
	json_t *doc = fixture_document("", behaviour);
	json_t *machines = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(machines,
			json_pack("{s:o, s:s}", "name", json_sprintf("m%zu", i), "group",
				i % 2 == 0 ? "rg" : "other"));
	json_object_set_new(
		json_array_get(json_object_get(doc, "subscriptions"), 0), "machines", machines);
	return doc;
}

static void a_machine_is_answered_as_its_agent_reported_it(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"location\":\"eastus\",\"os\":"
		"\"Ubuntu 22.04.4 "
		"LTS\",\"osVersion\":\"6.5.0\",\"status\":\"Disconnected\",\"since\":"
		"\"-2h\",\"agent\":\"1.50\",\"cloud\":\"AWS\",\"kind\":\"AWS\",\"tags\":{\"a\":"
		"\"b\"},"
		"\"allow\":[{\"publisher\":\"P\",\"type\":\"T\"}],\"extensionsEnabled\":false,"
		"\"configMode\":\"monitor\",\"extensions\":[{\"type\":\"MDE.Linux\"}]}]",
		"");
	assert_int_equal(get(&f, MACHINE "?" ARC "&$expand=instanceView"), 200);
	assert_string_equal(text(&f, "location"), "eastus");
	assert_string_equal(text(&f, "kind"), "AWS");
	assert_string_equal(text(&f, "tags.a"), "b");
	assert_string_equal(text(&f, "properties.status"), "Disconnected");
	assert_string_equal(text(&f, "properties.lastStatusChange"), "2026-11-24T06:00:00Z");
	assert_string_equal(text(&f, "properties.osSku"), "Ubuntu 22.04.4 LTS");
	assert_string_equal(text(&f, "properties.osType"), "linux");
	assert_string_equal(text(&f, "properties.agentVersion"), "1.50");
	assert_string_equal(text(&f, "properties.cloudMetadata.provider"), "AWS");
	assert_string_equal(text(&f, "properties.agentConfiguration.extensionsEnabled"), "false");
	assert_string_equal(text(&f, "properties.agentConfiguration.configMode"), "monitor");
	assert_int_equal(json_array_size(tree_get(f.doc, "resources")), 1);
	fixture_close(&f);
}

static void a_machine_that_never_connected_reports_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"status\":\"NeverConnected\"}]",
		"");
	get(&f, MACHINE "?" ARC);
	assert_null(tree_get(f.doc, "properties.status"));
	assert_null(tree_get(f.doc, "properties.osSku"));
	assert_null(tree_get(f.doc, "properties.agentVersion"));
	fixture_close(&f);
}

/* Follows the links of a list; returns the items, and counts pages. */
static size_t walk(struct fixture *f, const char *path, size_t *ret_pages, size_t *ret_empty)
{
	mdc_autofree char *next = xstrdup(path);
	size_t items = 0;

	*ret_pages = *ret_empty = 0;
	while (next != NULL) {
		const char *link;
		size_t n;

		assert_int_equal(get(f, next), 200);
		n = json_array_size(tree_get(f->doc, "value"));
		items += n;
		*ret_empty += n == 0;
		assert_true(++*ret_pages < 1000);
		link = text(f, "nextLink");
		free(next);
		next = link != NULL ? xstrdup(link) : NULL;
		if (next != NULL)
			assert_true(str_starts_nocase(next, ARM "/subscriptions/"));
	}
	return items;
}

static void lists_come_in_pages_with_absolute_links(void **state)
{
	struct fixture f;
	size_t pages, empty;

	(void)state;
	fixture_open_json(&f, fleet(25, "\"paging\":{\"machines\":10}"));
	assert_int_equal(walk(&f, ALL, &pages, &empty), 25);
	assert_int_equal(pages, 3);
	assert_int_equal(walk(&f, MACHINES "?" ARC, &pages, &empty), 13);
	assert_int_equal(pages, 2);
	assert_int_equal(empty, 0);
	fixture_close(&f);
}

static void a_page_that_is_just_full_has_no_link(void **state)
{
	struct fixture f;
	size_t pages, empty;

	(void)state;
	fixture_open_json(&f, fleet(20, "\"paging\":{\"machines\":10}"));
	assert_int_equal(walk(&f, ALL, &pages, &empty), 20);
	assert_int_equal(pages, 2);
	fixture_close(&f);
}

static void pages_may_be_empty_and_still_have_a_link(void **state)
{
	struct fixture f;
	size_t pages, empty;

	(void)state;
	fixture_open_json(&f, fleet(25, "\"paging\":{\"machines\":10,\"emptyEvery\":2}"));
	assert_int_equal(walk(&f, ALL, &pages, &empty), 25);
	assert_true(empty >= 2);
	fixture_close(&f);
}

static void a_token_of_one_list_does_not_open_another(void **state)
{
	struct fixture f;
	mdc_autofree char *token = NULL;
	mdc_autofree char *stolen = NULL;

	(void)state;
	fixture_open_json(&f, fleet(25, "\"paging\":{\"machines\":10}"));
	get(&f, ALL);
	token = xstrdup(strstr(text(&f, "nextLink"), "skiptoken=") + strlen("skiptoken="));
	stolen = xasprintf(MACHINES "?" ARC "&$skiptoken=%s", token);
	get(&f, stolen);
	assert_refused(&f, 400, "InvalidSkipToken");
	fixture_close(&f);
}

static void lists_leave_out_extensions_and_do_not_expand(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"extensions\":[{\"type\":"
		"\"MDE.Windows\"}]}]",
		"");
	get(&f, ALL);
	assert_null(json_object_get(json_array_get(tree_get(f.doc, "value"), 0), "resources"));
	get(&f, ALL "&$expand=instanceView");
	assert_refused(&f, 400, "HCRP400");
	get(&f, MACHINES "?" ARC "&$expand=everything");
	assert_refused(&f, 400, "HCRP400");
	fixture_close(&f);
}

static void extensions_are_listed_and_read_one_by_one(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"extensions\":[{\"type\":"
		"\"MDE.Windows\",\"unified\":true},{\"type\":\"MicrosoftMonitoringAgent\",\"name\":"
		"\"MMA\",\"workspace\":\"w\",\"state\":\"Failed\",\"code\":\"7\",\"message\":"
		"\"why\"}]}"
		"]",
		"");
	assert_int_equal(get(&f, MACHINE "/extensions?" ARC), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	assert_int_equal(get(&f, MACHINE "/extensions/mde.windows?" ARC), 200);
	assert_string_equal(text(&f, "id"), MACHINE "/extensions/MDE.Windows");
	assert_string_equal(text(&f, "properties.settings.azureResourceId"), MACHINE);
	assert_true(tree_is_true(f.doc, "properties.settings.vNextEnabled"));
	assert_string_equal(text(&f, "properties.provisioningState"), "Succeeded");
	assert_string_equal(text(&f, "properties.instanceView.status.level"), "Information");
	assert_int_equal(get(&f, MACHINE "/extensions/MMA?" ARC), 200);
	assert_string_equal(
		text(&f, "properties.publisher"), "Microsoft.EnterpriseCloud.Monitoring");
	assert_string_equal(text(&f, "properties.settings.workspaceId"), "w");
	assert_string_equal(text(&f, "properties.instanceView.status.code"), "7");
	assert_string_equal(text(&f, "properties.instanceView.status.message"), "why");
	fixture_close(&f);
}

static void ids_of_extensions_may_come_in_odd_casing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"extensions\":[{\"type\":"
		"\"MDE.Windows\"}]}]",
		"\"casing\":\"odd\"");
	get(&f, MACHINE "/extensions/MDE.Windows?" ARC);
	assert_string_equal(text(&f, "id"),
		SUB_PATH
		"/resourceGroups/rg/providers/Microsoft.HybridCompute/Machines/m1/Extensions/"
		"MDE.Windows");
	get(&f, MACHINE "?" ARC);
	assert_non_null(strstr(
		tree_text(json_array_get(tree_get(f.doc, "resources"), 0), "id"), "/Extensions/"));
	fixture_close(&f);
}

static void names_that_look_like_types_lead_nobody_astray(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"extensions\",\"group\":\"machines\",\"extensions\":[{"
		"\"type\":\"MDE.Windows\",\"name\":\"machines\"}]}]",
		"");
#define ODD \
	SUB_PATH "/resourceGroups/machines/providers/Microsoft.HybridCompute/machines/extensions"
	assert_int_equal(get(&f, ODD "?" ARC), 200);
	assert_string_equal(text(&f, "name"), "extensions");
	assert_int_equal(json_array_size(tree_get(f.doc, "resources")), 1);
	assert_int_equal(get(&f, ODD "/extensions/machines?" ARC), 200);
	call(&f, "DELETE", ODD "/extensions/machines?" ARC, NULL);
	assert_int_equal(f.answer.reply.status, 202);
#undef ODD
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_machine_is_answered_as_its_agent_reported_it),
	cmocka_unit_test(a_machine_that_never_connected_reports_nothing),
	cmocka_unit_test(lists_come_in_pages_with_absolute_links),
	cmocka_unit_test(a_page_that_is_just_full_has_no_link),
	cmocka_unit_test(pages_may_be_empty_and_still_have_a_link),
	cmocka_unit_test(a_token_of_one_list_does_not_open_another),
	cmocka_unit_test(lists_leave_out_extensions_and_do_not_expand),
	cmocka_unit_test(extensions_are_listed_and_read_one_by_one),
	cmocka_unit_test(ids_of_extensions_may_come_in_odd_casing),
	cmocka_unit_test(names_that_look_like_types_lead_nobody_astray),
};
RUN_ESTATE_TESTS(tests)
