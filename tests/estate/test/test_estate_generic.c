/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define VERSION "api-version=2024-03-01"
#define TWO \
	"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"extensions\":[{\"name\":\"x\"," \
	"\"publisher\":\"p\",\"type\":\"t\"}]},{\"name\":\"m2\",\"group\":\"other\"}]"
#define TYPE_IS(type) "&$filter=resourceType%20eq%20'Microsoft.HybridCompute/" type "'"

static size_t list(struct fixture *f, const char *path)
{
	assert_int_equal(get(f, path), 200);
	return json_array_size(tree_get(f->doc, "value"));
}

static const char *first(const struct fixture *f, const char *member)
{
	return tree_text(json_array_get(tree_get(f->doc, "value"), 0), member);
}

static void machines_and_their_extensions_are_in_one_list(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, TWO, "");
	assert_int_equal(list(&f, SUB_PATH "/resources?" VERSION), 3);
	assert_int_equal(list(&f, SUB_PATH "/resourceGroups/RG/resources?" VERSION), 2);
	assert_string_equal(first(&f, "id"), MACHINE);
	assert_null(first(&f, "provisioningState"));
	assert_int_equal(get(&f, SUB_PATH "/resourceGroups/none/resources?" VERSION), 404);
	fixture_close(&f);
}

static void filters_are_equalities_that_all_hold(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, TWO, "");
	assert_int_equal(list(&f, SUB_PATH "/resources?" VERSION TYPE_IS("machines")), 2);
	assert_int_equal(
		list(&f, SUB_PATH "/resources?" VERSION TYPE_IS("machines/extensions")), 1);
	assert_string_equal(first(&f, "name"), "m1/x");
	assert_int_equal(list(&f,
				 SUB_PATH "/resources?" VERSION TYPE_IS("machines") "%20and%20name"
										    "%20eq%20'M2'"),
		1);
	assert_int_equal(
		list(&f, SUB_PATH "/resources?" VERSION "&$filter=resourceGroup%20eq%20'other'"),
		1);
	get(&f, SUB_PATH "/resources?" VERSION "&$filter=name%20gt%20'm1'");
	assert_refused(&f, 400, "InvalidFilterInQueryString");
	get(&f, SUB_PATH "/resources?" VERSION "&$filter=sku%20eq%20'm1'");
	assert_refused(&f, 400, "InvalidFilterInQueryString");
	fixture_close(&f);
}

static void the_state_is_there_when_it_is_asked_for(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, TWO, "");
	list(&f, SUB_PATH "/resources?" VERSION "&$expand=createdTime,provisioningState");
	assert_string_equal(first(&f, "provisioningState"), "Succeeded");
	get(&f, SUB_PATH "/resources?" VERSION "&$expand=everything");
	assert_refused(&f, 400, "InvalidExpandInQueryString");
	fixture_close(&f);
}

static void a_caller_sees_what_it_may_read(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(TWO, "");

	(void)state;
	json_object_set_new(json_array_get(json_object_get(doc, "principals"), 0), "roles",
		json_pack("[{s:s, s:s}]", "scope", SUB_PATH "/resourceGroups/other", "role",
			"Reader"));
	fixture_open_json(&f, doc);
	assert_int_equal(list(&f, SUB_PATH "/resources?" VERSION), 1);
	assert_string_equal(first(&f, "name"), "m2");
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(machines_and_their_extensions_are_in_one_list),
	cmocka_unit_test(filters_are_equalities_that_all_hold),
	cmocka_unit_test(the_state_is_there_when_it_is_asked_for),
	cmocka_unit_test(a_caller_sees_what_it_may_read),
};
RUN_ESTATE_TESTS(tests)
