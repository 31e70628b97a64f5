/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define LOG \
	SUB_PATH \
	"/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01"
#define HOURS \
	"&$filter=eventTimestamp%20ge%20'2026-11-24T07:00:00Z'%20and%20eventTimestamp%20le%20'" \
	"2026-11-24T20:00:00Z'"
#define CORRELATION "7c7c7c7c-0000-4000-8000-000000000001"
#define ON "{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":true}}"
#define ONE "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]"
#define KNOBS \
	"\"activity\":{\"delay\":\"5m\"},\"tokens\":{\"life\":\"24h\"},\"deployer\":{\"on\":" \
	"false}," \
	"\"operations\":{\"create\":\"2m\"}"

static const json_t *event(const struct fixture *f, size_t i)
{
	return json_array_get(tree_get(f->doc, "value"), i);
}

static size_t count(struct fixture *f, const char *path)
{
	assert_int_equal(get(f, path), 200);
	return json_array_size(tree_get(f->doc, "value"));
}

static void a_write_appears_minutes_later(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", KNOBS);
	f.correlation = CORRELATION;
	put(&f, SETTING("WDATP"), ON);
	f.correlation = NULL;
	assert_int_equal(count(&f, LOG HOURS), 0);
	pass(&f, DUR_S(299));
	assert_int_equal(count(&f, LOG HOURS), 0);
	pass(&f, DUR_S(1));
	assert_int_equal(count(&f, LOG HOURS), 1);
	assert_string_equal(tree_text(event(&f, 0), "correlationId"), CORRELATION);
	assert_string_equal(tree_text(event(&f, 0), "caller"), CLIENT);
	assert_string_equal(tree_text(event(&f, 0), "operationName.value"),
		"Microsoft.Security/settings/write");
	assert_string_equal(tree_text(event(&f, 0), "status.value"), "Succeeded");
	assert_string_equal(tree_text(event(&f, 0), "eventName.value"), "EndRequest");
	assert_string_equal(tree_text(event(&f, 0), "resourceId"), SECURITY "/settings/WDATP");
	assert_string_equal(tree_text(event(&f, 0), "httpRequest.method"), "PUT");
	assert_string_equal(tree_text(event(&f, 0), "claims.appid"), CLIENT);
	assert_string_equal(tree_text(event(&f, 0), "submissionTimestamp"), "2026-11-24T08:05:00Z");
	fixture_close(&f);
}

static void an_operation_has_a_beginning_and_an_end(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE, KNOBS);
	f.correlation = CORRELATION;
	put(&f, MACHINE "/extensions/Other?" ARC,
		"{\"location\":\"westeurope\",\"properties\":{\"publisher\":\"P\",\"type\":"
		"\"Other\"}}");
	pass(&f, DUR_MIN(10));
	assert_int_equal(count(&f, LOG HOURS "%20and%20correlationId%20eq%20'" CORRELATION "'"), 2);
	assert_string_equal(tree_text(event(&f, 0), "eventName.value"), "BeginRequest");
	assert_string_equal(tree_text(event(&f, 0), "status.value"), "Accepted");
	assert_string_equal(tree_text(event(&f, 1), "status.value"), "Succeeded");
	fixture_close(&f);
}

static const struct {
	const char *rest;
	int events;
} filters[] = {
	{"", 2},
	{"%20and%20resourceProvider%20eq%20'Microsoft.Security'", 1},
	{"%20and%20resourceGroupName%20eq%20'RG'", 1},
	{"%20and%20resourceUri%20eq%20'" SECURITY "/settings/wdatp'", 1},
	{"%20and%20correlationId%20eq%20'" SUB "'", 0},
	{"%20and%20caller%20eq%20'x'", -1},
	{"%20or%20resourceGroupName%20eq%20'rg'", -1},
	{"%20and%20resourceGroupName%20ne%20'rg'", -1},
	{"%20and%20resourceGroupName%20eq%20'rg'%20and%20correlationId%20eq%20'x'", -1},
	{"%20and%20resourceGroupName%20eq%20'rg", -1},
};

static void only_the_documented_filters_are_understood(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, ONE, KNOBS);
	put(&f, SETTING("WDATP"), ON);
	estate_meddle(f.e, MACHINE, "properties.status", NULL);
	pass(&f, DUR_MIN(10));
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		mdc_autofree char *path = xasprintf("%s%s", LOG HOURS, filters[i].rest);

		get(&f, path);
		if (filters[i].events < 0)
			assert_refused(&f, 400, "BadRequest");
		else if ((int)json_array_size(tree_get(f.doc, "value")) != filters[i].events)
			fail_msg("%s: %zu", filters[i].rest,
				json_array_size(tree_get(f.doc, "value")));
	}
	get(&f, LOG);
	assert_refused(&f, 400, "BadRequest");
	get(&f, LOG "&$filter=eventTimestamp%20ge%20'2026-11-24T07:00:00Z'");
	assert_refused(&f, 400, "BadRequest");
	fixture_close(&f);
}

static void times_outside_the_window_are_left_out(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", KNOBS);
	pass(&f, DUR_H(13));
	put(&f, SETTING("WDATP"), ON);
	pass(&f, DUR_MIN(10));
	assert_int_equal(count(&f, LOG HOURS), 0);
	fixture_close(&f);
}

static void selected_members_come_alone(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", KNOBS);
	put(&f, SETTING("WDATP"), ON);
	pass(&f, DUR_MIN(10));
	assert_int_equal(count(&f, LOG HOURS "&$select=caller,%20correlationId"), 1);
	assert_int_equal(json_object_size(event(&f, 0)), 2);
	fixture_close(&f);
}

static void the_deployer_and_other_hands_are_named(void **state)
{
	struct fixture f;
	json_t *off = json_false();

	(void)state;
	fixture_open(&f,
		ONE
		",\"plan\":{\"tier\":\"Standard\",\"since\":\"-9d\"},\"settings\":{\"WDATP\":true}",
		"\"activity\":{\"delay\":\"1m\"},\"tokens\":{\"life\":\"24h\"},\"deployer\":{"
		"\"later\":"
		"\"1m\"}");
	pass(&f, DUR_MIN(30));
	assert_true(count(&f, LOG HOURS) >= 1);
	assert_string_equal(
		tree_text(event(&f, 0), "caller"), "d2a590e7-6906-4a45-8f41-cecfdca9bca1");
	estate_meddle(f.e, SECURITY "/settings/WDATP", "properties.enabled", off);
	pass(&f, DUR_MIN(2));
	count(&f, LOG HOURS "%20and%20resourceProvider%20eq%20'Microsoft.Security'");
	assert_string_equal(tree_text(event(&f, 0), "caller"), "another.hand@contoso.test");
	assert_string_equal(tree_text(event(&f, 0), "authorization.action"),
		"Microsoft.Security/settings/write");
	fixture_close(&f);
}

static void times_without_quotes_or_zone_are_understood(void **state)
{
	static const char *const bare[] = {"&$filter=eventTimestamp%20ge%202026-11-24T07:00:00."
					   "145725%20and%20eventTimestamp%20le"
					   "%202026-11-24T20:00:00.145725",
		"&$filter=eventTimestamp%20ge%202026-11-24T07:00:00Z%20and%20eventTimestamp%20le"
		"%202026-11-24T20:00:00Z%20and%20resourceProvider%20eq%20'Microsoft.Security'"};
	struct fixture f;

	(void)state;
	fixture_open(&f, "", KNOBS);
	put(&f, SETTING("WDATP"), ON);
	pass(&f, DUR_MIN(5));
	for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
		mdc_autofree char *path = xasprintf(LOG "%s", bare[i]);

		assert_int_equal(count(&f, path), 1);
	}
	assert_int_equal(get(&f,
				 LOG "&$filter=eventTimestamp%20ge%20then%20and%20eventTimestamp%20"
				     "le%20now"),
		400);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_write_appears_minutes_later),
	cmocka_unit_test(an_operation_has_a_beginning_and_an_end),
	cmocka_unit_test(only_the_documented_filters_are_understood),
	cmocka_unit_test(times_outside_the_window_are_left_out),
	cmocka_unit_test(selected_members_come_alone),
	cmocka_unit_test(the_deployer_and_other_hands_are_named),
	cmocka_unit_test(times_without_quotes_or_zone_are_understood),
};
RUN_ESTATE_TESTS(tests)
