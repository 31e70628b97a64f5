/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/graph_query.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* --- questions --- */

static void a_partition_filter_stands_before_the_projection(void **state)
{
	(void)state;
	for (unsigned t = 0; t < GRAPH_TABLE_N_; t++) {
		char *whole = graph_query_text((enum graph_table)t, 1, 0);
		char *part = graph_query_text((enum graph_table)t, 143, 142);
		const char *filter = strstr(part, "| where hash(tolower(id)) % 143 == 142\n");

		assert_null(strstr(whole, "hash("));
		assert_non_null(filter);
		assert_true(
			strstr(part, "| project") > filter || strstr(part, "| summarize") > filter);
		assert_int_equal(strlen(part), strlen(whole) + 39);
		free(whole);
		free(part);
	}
}

static void no_partition_and_one_partition_ask_the_same(void **state)
{
	char *none = graph_query_text(GRAPH_MACHINES, 0, 0);
	char *one = graph_query_text(GRAPH_MACHINES, 1, 0);

	(void)state;
	assert_string_equal(none, one);
	free(none);
	free(one);
}

static void values_travel_in_the_body_and_not_in_the_query(void **state)
{
	static const char *const subscriptions[] = {
		"11111111-aaaa-bbbb-cccc-222222222222", "'; drop"};
	struct arm_request r;

	(void)state;
	graph_request(&(struct graph_question){.table = GRAPH_EXTENSIONS,
			      .partitions = 7,
			      .index = 3,
			      .subscriptions = subscriptions,
			      .subscription_count = 2,
			      .skip_token = "token=="},
		&r);
	assert_string_equal(r.method, "POST");
	assert_string_equal(
		r.path, "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01");
	assert_int_equal(r.quota, ARM_QUOTA_GRAPH);
	assert_string_equal(r.subscription, "");
	assert_null(strstr(json_text(r.body, "query"), "drop"));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(r.body, "subscriptions"), 1)),
		"'; drop");
	assert_string_equal(json_path_text(r.body, "options.$skipToken"), "token==");
	assert_string_equal(json_path_text(r.body, "options.resultFormat"), "objectArray");
	assert_int_equal(json_integer_value(json_path(r.body, "options.$top")), 1000);
	arm_request_fini(&r);
	graph_request(&(struct graph_question){.table = GRAPH_SUBSCRIPTIONS, .rows = 62}, &r);
	assert_int_equal(json_integer_value(json_path(r.body, "options.$top")), 62);
	assert_null(json_object_get(r.body, "subscriptions"));
	assert_null(json_path(r.body, "options.$skipToken"));
	arm_request_fini(&r);
}

static void reads_rows_of_counts(void **state)
{
	static const struct {
		const char *row;
		int result;
	} rows[] = {
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":5,"
		 "\"extensions\":0}",
			0},
		{"{\"subscriptionId\":\"x\",\"machines\":5,\"extensions\":0}", -EINVAL},
		{"{\"subscriptionId\":null,\"machines\":5,\"extensions\":0}", -EINVAL},
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":-1,"
		 "\"extensions\":0}",
			-EINVAL},
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":\"5\","
		 "\"extensions\":0}",
			-EINVAL},
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":5.0,"
		 "\"extensions\":0}",
			-EINVAL},
		{"{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"machines\":5}",
			-EINVAL},
		{"[]", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *row = json_loads(rows[i].row, 0, NULL);
		struct graph_count c = {.machines = 77};

		assert_int_equal(graph_count_read(row, &c), rows[i].result);
		assert_int_equal(c.machines, rows[i].result == 0 ? 5 : 77);
		json_decref(row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_partition_filter_stands_before_the_projection),
		cmocka_unit_test(no_partition_and_one_partition_ask_the_same),
		cmocka_unit_test(values_travel_in_the_body_and_not_in_the_query),
		cmocka_unit_test(reads_rows_of_counts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
