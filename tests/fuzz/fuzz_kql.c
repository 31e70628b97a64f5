/* SPDX-License-Identifier: Apache-2.0 */
/* A query of any bytes: refused with a reason, or run with the same rows each time. */
#include "tests/estate/kql.h"

#include "lib/base/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rows_text[] =
	"[{\"id\": \"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/RG/"
	"providers/Microsoft.HybridCompute/machines/M1\", \"name\": \"M1\", \"type\": "
	"\"microsoft.hybridcompute/machines\", \"location\": \"eu\", \"subscriptionId\": \"s\", "
	"\"tags\": {\"A\": \"b\"}, \"properties\": {\"status\": \"Connected\", \"n\": 7, \"r\": "
	"1.5, \"b\": true, \"list\": [1, \"two\", null, {\"k\": [9]}], \"bag\": {\"p\": 1, \"q\": "
	"{}}, \"when\": \"2026-11-24T11:55:00Z\"}}, "
	"{\"id\": \"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/RG/"
	"providers/Microsoft.HybridCompute/machines/M1/extensions/MDE.Windows\", \"name\": "
	"\"MDE.Windows\", \"type\": \"microsoft.hybridcompute/machines/extensions\", \"location\": "
	"\"eu\", \"properties\": {\"type\": \"MDE.Windows\", \"provisioningState\": \"Failed\", "
	"\"settings\": {\"vNextEnabled\": \"true\"}, \"instanceView\": {\"status\": {\"message\": "
	"\"b\\u00f6se\"}}}}, "
	"{\"id\": \"/x\", \"name\": \"\\u00c4\", \"properties\": {\"n\": null, \"list\": []}}, 5]";

static const json_t *table(void *ctx, const char *name)
{
	(void)name;
	return ctx;
}

static bool run(const struct kql_query *q, json_t *rows, struct kql_result *ret)
{
	struct kql_error error;
	int failed = kql_run(q, table, rows, (struct wall){INT64_C(1795521600000)}, ret, &error);

	assert(failed == 0 || (failed < 0 && error.code != NULL && error.text[0] != '\0'));
	return failed == 0;
}

static void check_result(const struct kql_result *r)
{
	size_t width = json_array_size(r->columns);

	assert(json_is_array(r->columns) && json_is_array(r->rows));
	for (size_t i = 0; i < json_array_size(r->rows); i++)
		assert(json_object_size(json_array_get(r->rows, i)) == width);
}

static void run_twice(const struct kql_query *q, json_t *rows)
{
	struct kql_result first, second;

	if (!run(q, rows, &first))
		return;
	check_result(&first);
	if (run(q, rows, &second)) {
		char *a = json_dumps(first.rows, JSON_COMPACT);
		char *b = json_dumps(second.rows, JSON_COMPACT);

		/* Text that is not UTF-8 cannot be written. */
		assert(a != NULL && b != NULL && strcmp(a, b) == 0);
		free(a);
		free(b);
		kql_result_fini(&second);
	}
	kql_result_fini(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static json_t *rows;
	struct kql_query *q;
	struct kql_error error;
	char *text = xstrndup((const char *)data, size);

	if (rows == NULL)
		rows = json_loads(rows_text, 0, NULL);
	assert(rows != NULL);
	if (kql_parse(text, &q, &error) == 0) {
		run_twice(q, rows);
		kql_free(q);
	} else {
		assert(error.code != NULL && error.text[0] != '\0');
	}
	free(text);
	return 0;
}
