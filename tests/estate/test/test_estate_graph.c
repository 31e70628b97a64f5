/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define GRAPH "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
#define OFF "\"throttling\":{\"model\":\"off\"},\"deployer\":{\"on\":false}"
#define MDE MACHINE "/extensions/MDE.Windows"
#define IN_SUB "\"subscriptions\":[\"" SUB "\"]"
#define OTHER "20000000-0000-4000-8000-000000000002"
#define ONE \
	"\"machines\":[{\"name\":\"M1\",\"group\":\"RG\",\"location\":\"WestEurope\",\"tags\":{" \
	"\"a\":" \
	"\"b\"},\"extensions\":[{\"type\":\"MDE.Windows\"}]}]"

static int ask(struct fixture *f, const char *query, const char *more)
{
	mdc_autofree char *body =
		xasprintf("{\"query\":\"%s\"%s%s}", query, *more != '\0' ? "," : "", more);

	return call(f, "POST", GRAPH, body);
}

static const json_t *row(const struct fixture *f, size_t i)
{
	return json_array_get(tree_get(f->doc, "data"), i);
}

static json_int_t number(const struct fixture *f, const char *member)
{
	return json_integer_value(tree_get(f->doc, member));
}

#define assert_bad(f, code) \
	do { \
		assert_refused(f, 400, "BadRequest"); \
		assert_non_null(strstr((f)->answer.reply.body, code)); \
	} while (0)

static json_t *fleet(size_t n, const char *behaviour)
{
	json_t *doc = fixture_document("", behaviour);
	json_t *machines = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(machines,
			json_pack("{s:o, s:s}", "name", json_sprintf("m%zu", i), "group", "rg"));
	json_object_set_new(
		json_array_get(json_object_get(doc, "subscriptions"), 0), "machines", machines);
	return doc;
}

static void rows_have_the_shape_of_the_table(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE, OFF);
	assert_int_equal(
		ask(&f, "resources | where type =~ 'Microsoft.HybridCompute/machines'", ""), 200);
	assert_int_equal(number(&f, "totalRecords"), 1);
	assert_int_equal(number(&f, "count"), 1);
	assert_string_equal(text(&f, "resultTruncated"), "false");
	assert_string_equal(tree_text(row(&f, 0), "id"),
		SUB_PATH "/resourceGroups/RG/providers/Microsoft.HybridCompute/machines/M1");
	assert_string_equal(tree_text(row(&f, 0), "type"), "microsoft.hybridcompute/machines");
	assert_string_equal(tree_text(row(&f, 0), "location"), "westeurope");
	assert_string_equal(tree_text(row(&f, 0), "resourceGroup"), "rg");
	assert_string_equal(tree_text(row(&f, 0), "subscriptionId"), SUB);
	assert_string_equal(tree_text(row(&f, 0), "tenantId"), TENANT);
	assert_string_equal(tree_text(row(&f, 0), "tags.a"), "b");
	assert_string_equal(tree_text(row(&f, 0), "properties.status"), "Connected");
	assert_int_equal(
		ask(&f, "resources | where type =~ 'microsoft.hybridcompute/machines/extensions'",
			""),
		200);
	assert_string_equal(tree_text(row(&f, 0), "name"), "MDE.Windows");
	assert_string_equal(tree_text(row(&f, 0), "properties.type"), "MDE.Windows");
	fixture_close(&f);
}

static void subscriptions_and_plans_have_tables_of_their_own(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document("\"managementGroup\":\"mg\"", OFF);

	(void)state;
	json_object_set_new(doc, "managementGroups",
		json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s}]", "name", "root", "displayName",
			"Root", "tenant", TENANT, "name", "mg", "tenant", TENANT, "parent",
			"root"));
	fixture_open_json(&f, doc);
	ask(&f, "resourcecontainers | where type =~ 'microsoft.resources/subscriptions'", "");
	assert_string_equal(tree_text(row(&f, 0), "name"), "one");
	assert_string_equal(tree_text(row(&f, 0), "properties.state"), "Enabled");
	assert_string_equal(
		tree_text(json_array_get(
				  tree_get(row(&f, 0), "properties.managementGroupAncestorsChain"),
				  1),
			"displayName"),
		"Root");
	ask(&f, "securityresources | where type =~ 'microsoft.security/pricings'", "");
	assert_true(number(&f, "count") > 5);
	assert_int_equal(ask(&f, "policyresources", ""), 200);
	assert_int_equal(number(&f, "count"), 0);
	ask(&f, "madeuptable", "");
	assert_bad(&f, "InvalidQuery");
	fixture_close(&f);
}

static void pages_follow_a_token_that_fits_the_query(void **state)
{
	struct fixture f;
	mdc_autofree char *more = NULL;

	(void)state;
	fixture_open_json(&f, fleet(250, OFF));
	ask(&f, "resources", "");
	assert_int_equal(number(&f, "count"), 100);
	assert_int_equal(number(&f, "totalRecords"), 250);
	assert_string_equal(text(&f, "resultTruncated"), "true");
	more = xasprintf(
		"\"options\":{\"$skipToken\":\"%s\",\"$top\":1000}", text(&f, "$skipToken"));
	assert_int_equal(ask(&f, "resources", more), 200);
	assert_int_equal(number(&f, "count"), 150);
	assert_null(text(&f, "$skipToken"));
	ask(&f, "resources | where type =~ 'x'", more);
	assert_bad(&f, "InvalidSkipToken");
	ask(&f, "resources", "\"options\":{\"$skipToken\":\"made-up\"}");
	assert_bad(&f, "InvalidSkipToken");
	assert_int_equal(ask(&f, "resources", "\"options\":{\"$skip\":240,\"$top\":1000}"), 200);
	assert_int_equal(number(&f, "count"), 10);
	fixture_close(&f);
}

static void what_is_not_pageable_has_no_token(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open_json(&f, fleet(250, OFF));
	ask(&f, "resources | take 200", "");
	assert_int_equal(number(&f, "count"), 100);
	assert_string_equal(text(&f, "resultTruncated"), "true");
	assert_null(text(&f, "$skipToken"));
	fixture_close(&f);
}

static void groups_are_cut_at_their_limit(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document("\"machines\":[{\"name\":\"m\",\"group\":\"rg\"}]", OFF);

	(void)state;
	tree_set(&doc, "behaviour.graph.groupLimit", json_integer(2));
	for (int i = 2; i < 5; i++)
		json_array_append_new(json_object_get(doc, "subscriptions"),
			json_pack("{s:o, s:s, s:[{s:s, s:s}]}", "id",
				json_sprintf("30000000-0000-4000-8000-00000000000%d", i), "tenant",
				TENANT, "machines", "name", "m", "group", "rg"));
	fixture_open_json(&f, doc);
	ask(&f, "resources | summarize n = count() by subscriptionId", "");
	assert_int_equal(number(&f, "totalRecords"), 4);
	assert_int_equal(number(&f, "count"), 2);
	assert_string_equal(text(&f, "resultTruncated"), "true");
	fixture_close(&f);
}

static void an_answer_may_be_a_table(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE, OFF);
	ask(&f, "resources | summarize n = count() by subscriptionId",
		"\"options\":{\"resultFormat\":\"table\"}");
	assert_int_equal(json_array_size(tree_get(f.doc, "data.columns")), 2);
	assert_int_equal(json_array_size(tree_get(f.doc, "data.rows")), 1);
	assert_int_equal(json_array_size(json_array_get(tree_get(f.doc, "data.rows"), 0)), 2);
	fixture_close(&f);
}

static void too_large_an_answer_is_refused(void **state)
{
	struct fixture f;
	json_t *doc = fleet(50, OFF);

	(void)state;
	tree_set(&doc, "behaviour.graph.payloadLimit", json_integer(10000));
	fixture_open_json(&f, doc);
	ask(&f, "resources", "");
	assert_bad(&f, "ResponsePayloadTooLarge");
	assert_int_equal(verdict(&f).refused, 0);
	fixture_close(&f);
}

static const struct {
	const char *body, *code;
} bad_requests[] = {
	{"not json", "InvalidRequest"},
	{"{}", "InvalidRequest"},
	{"{\"query\":7}", "InvalidRequest"},
	{"{\"query\":\"resources !!\"}", "ParserFailure"},
	{"{\"query\":\"resources\",\"options\":{\"$top\":0}}", "InvalidPagingOptions"},
	{"{\"query\":\"resources\",\"options\":{\"$top\":1001}}", "InvalidPagingOptions"},
	{"{\"query\":\"resources\",\"options\":{\"resultFormat\":\"csv\"}}", "InvalidResultFormat"},
	{"{\"query\":\"resources\",\"options\":{\"authorizationScopeFilter\":\"x\"}}",
		"InvalidAuthorizationScopeFilter"},
	{"{\"query\":\"resources\",\"subscriptions\":\"x\"}", "InvalidRequestScope"},
	{"{\"query\":\"resources\"," IN_SUB ",\"managementGroups\":[\"x\"]}",
		"InvalidRequestScope"},
	{"{\"query\":\"resources\",\"subscriptions\":[\"" SUB2 "\"]}",
		"NoValidSubscriptionsInQueryRequest"},
	{"{\"query\":\"resources\",\"subscriptions\":[1]}", "NoValidSubscriptionsInQueryRequest"},
	{"{\"query\":\"resources\",\"facets\":[{\"expression\":\"location\"}]}", "InvalidFacets"},
};

static void each_flaw_of_a_query_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE, OFF);
	for (size_t i = 0; i < ARRAY_LEN(bad_requests); i++) {
		call(&f, "POST", GRAPH, bad_requests[i].body);
		if (f.answer.reply.status != 400 ||
			strstr(f.answer.reply.body, bad_requests[i].code) == NULL)
			fail_msg("%s: %s", bad_requests[i].body, f.answer.reply.body);
	}
	fixture_close(&f);
}

static void another_media_type_is_a_server_error(void **state)
{
	struct fixture f;
	mdc_autofree char *bearer = NULL;

	(void)state;
	fixture_open(&f, ONE, OFF);
	bearer = xasprintf("Bearer %s", f.token);
	assert_int_equal(send_raw(&f, "POST", ARM GRAPH,
				 (const char *const[]){"Authorization", bearer, "Content-Type",
					 "text/plain", NULL},
				 "{\"query\":\"resources\"}"),
		500);
	fixture_close(&f);
}

static void unknown_subscriptions_are_passed_over(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE, OFF);
	assert_int_equal(ask(&f, "resources", "\"subscriptions\":[\"" SUB2 "\",\"" SUB "\"]"), 200);
	assert_int_equal(number(&f, "count"), 2);
	fixture_close(&f);
}

static void open_as(struct fixture *f, const char *scope, const char *actions)
{
	json_t *doc = fixture_document("\"machines\":[{\"name\":\"a\",\"group\":\"rg\","
				       "\"extensions\":[{\"type\":\"MDE.Windows\"}"
				       "]},{\"name\":\"b\",\"group\":\"other\"}]",
		OFF);
	mdc_autofree char *roles = xasprintf("[{\"scope\":\"%s\",\"actions\":%s}]", scope, actions);

	json_array_append_new(json_object_get(doc, "principals"),
		json_pack("{s:s, s:s, s:s, s:o}", "tenant", TENANT, "client", OTHER, "secret",
			"other", "roles", parse(roles)));
	fixture_open_json(f, doc);
	assert_int_equal(log_in(f, OTHER, "other"), 200);
}

static const struct {
	const char *scope, *actions;
	int rows;
} rights[] = {
	{SUB_PATH, "[\"*/read\"]", 3},
	{SUB_PATH, "[\"Microsoft.HybridCompute/machines/read\"]", 2},
	{SUB_PATH "/resourceGroups/RG", "[\"*/read\"]", 2},
	{SUB_PATH "/resourceGroups/other", "[\"*/read\"]", 1},
	{SUB_PATH, "[\"Microsoft.Security/*\"]", 0},
	{"/subscriptions/" SUB2, "[\"*/read\"]", 0},
};

static void rows_are_those_that_the_caller_may_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
		struct fixture f;

		open_as(&f, rights[i].scope, rights[i].actions);
		assert_int_equal(ask(&f, "resources", ""), 200);
		if (number(&f, "totalRecords") != rights[i].rows)
			fail_msg("%s %s: %d", rights[i].scope, rights[i].actions,
				(int)number(&f, "totalRecords"));
		fixture_close(&f);
	}
}

static void management_groups_are_a_scope(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(
		"\"managementGroup\":\"mg\",\"machines\":[{\"name\":\"a\",\"group\":\"rg\"}]", OFF);

	(void)state;
	json_object_set_new(doc, "managementGroups",
		json_pack("[{s:s, s:s}, {s:s, s:s, s:s}]", "name", "root", "tenant", TENANT, "name",
			"mg", "tenant", TENANT, "parent", "root"));
	json_array_append_new(json_object_get(doc, "subscriptions"),
		json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "id", SUB2, "tenant", TENANT, "machines",
			"name", "b", "group", "rg"));
	fixture_open_json(&f, doc);
	ask(&f, "resources", "\"managementGroups\":[\"ROOT\"]");
	assert_int_equal(number(&f, "count"), 1);
	ask(&f, "resources", "");
	assert_int_equal(number(&f, "count"), 2);
	assert_string_equal(answer_header_of(&f, "x-ms-tenant-subscription-limit-hit"), "false");
	fixture_close(&f);
}

static void a_change_shows_after_its_lag(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(ONE, OFF);
	json_t *word = json_string("Disconnected");
	static const char id[] =
		SUB_PATH "/resourceGroups/RG/providers/Microsoft.HybridCompute/machines/M1";

	(void)state;
	tree_set(&doc, "behaviour.graph.lag", json_string("20s"));
	fixture_open_json(&f, doc);
	assert_int_equal(estate_meddle(f.e, id, "properties.status", word), 0);
	json_decref(word);
	pass(&f, DUR_S(19));
	ask(&f, "resources | where type =~ 'microsoft.hybridcompute/machines'", "");
	assert_string_equal(tree_text(row(&f, 0), "properties.status"), "Connected");
	pass(&f, DUR_S(1));
	ask(&f, "resources | where type =~ 'microsoft.hybridcompute/machines'", "");
	assert_string_equal(tree_text(row(&f, 0), "properties.status"), "Disconnected");
	fixture_close(&f);
}

static void a_restless_resource_still_shows_in_time(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(ONE, OFF);
	static const char *const words[] = {"Disconnected", "Error"};
	static const char id[] =
		SUB_PATH "/resourceGroups/RG/providers/Microsoft.HybridCompute/machines/M1";

	(void)state;
	tree_set(&doc, "behaviour.graph.lag", json_string("20s"));
	fixture_open_json(&f, doc);
	for (int i = 0; i < 2; i++) {
		json_t *word = json_string(words[i]);

		estate_meddle(f.e, id, "properties.status", word);
		json_decref(word);
		pass(&f, DUR_S(10));
	}
	ask(&f, "resources | where type =~ 'microsoft.hybridcompute/machines'", "");
	assert_string_equal(tree_text(row(&f, 0), "properties.status"), "Error");
	fixture_close(&f);
}

static void rows_stay_true_when_others_go(void **state)
{
	struct fixture f;
	json_t *word = json_string("Error");
	size_t i, errors = 0;
	json_t *r;

	(void)state;
	fixture_open_json(&f, fleet(5, OFF));
	ask(&f, "resources", "");
	estate_meddle(f.e, MACHINES "/m1", NULL, NULL);
	estate_meddle(f.e, MACHINES "/m4", "properties.status", word);
	estate_meddle(f.e, MACHINES "/m0", NULL, NULL);
	json_decref(word);
	ask(&f, "resources", "");
	assert_int_equal(number(&f, "count"), 3);
	json_array_foreach (tree_get(f.doc, "data"), i, r) {
		bool is_m4 = str_equal(tree_text(r, "name"), "m4");

		assert_int_equal(str_equal(tree_text(r, "properties.status"), "Error"), is_m4);
		errors += is_m4;
	}
	assert_int_equal(errors, 1);
	fixture_close(&f);
}

static void what_is_deleted_and_made_again_never_shows_twice(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(ONE, OFF);
	static const char id[] = SUB_PATH "/resourceGroups/RG/providers/Microsoft.HybridCompute/"
					  "machines/M1/extensions/MDE.Windows";
	json_t *copy;

	(void)state;
	tree_set(&doc, "behaviour.graph.lag", json_string("20s"));
	fixture_open_json(&f, doc);
	copy = json_deep_copy(estate_peek(f.e, id));
	estate_meddle(f.e, id, NULL, NULL);
	ask(&f, "resources", "");
	assert_int_equal(number(&f, "count"), 2);
	estate_meddle(f.e, id, NULL, copy);
	json_decref(copy);
	ask(&f, "resources", "");
	assert_int_equal(number(&f, "count"), 1);
	pass(&f, DUR_S(20));
	ask(&f, "resources", "");
	assert_int_equal(number(&f, "count"), 2);
	fixture_close(&f);
}

static void an_extension_being_created_is_not_in_the_graph(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]",
		OFF ",\"operations\":{\"create\":\"2m\"}");
	put(&f, MACHINE "/extensions/Other?" ARC,
		"{\"location\":\"westeurope\",\"properties\":{\"publisher\":\"P\",\"type\":"
		"\"Other\"}}");
	ask(&f, "resources", "");
	assert_int_equal(number(&f, "count"), 1);
	pass(&f, DUR_MIN(2));
	ask(&f, "resources", "");
	assert_int_equal(number(&f, "count"), 2);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(rows_have_the_shape_of_the_table),
	cmocka_unit_test(subscriptions_and_plans_have_tables_of_their_own),
	cmocka_unit_test(pages_follow_a_token_that_fits_the_query),
	cmocka_unit_test(what_is_not_pageable_has_no_token),
	cmocka_unit_test(groups_are_cut_at_their_limit),
	cmocka_unit_test(an_answer_may_be_a_table),
	cmocka_unit_test(too_large_an_answer_is_refused),
	cmocka_unit_test(each_flaw_of_a_query_is_refused),
	cmocka_unit_test(another_media_type_is_a_server_error),
	cmocka_unit_test(unknown_subscriptions_are_passed_over),
	cmocka_unit_test(rows_are_those_that_the_caller_may_read),
	cmocka_unit_test(management_groups_are_a_scope),
	cmocka_unit_test(a_change_shows_after_its_lag),
	cmocka_unit_test(a_restless_resource_still_shows_in_time),
	cmocka_unit_test(rows_stay_true_when_others_go),
	cmocka_unit_test(what_is_deleted_and_made_again_never_shows_twice),
	cmocka_unit_test(an_extension_being_created_is_not_in_the_graph),
};
RUN_ESTATE_TESTS(tests)
