/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of Resource Graph: read row by row, they say the same as jansson says of the whole. */
#include "lib/azure/arm_document.h"
#include "lib/azure/graph_query.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

struct rows {
	const json_t *expected; /* or NULL where the whole could not be read */
	size_t n;
};

static int take_row(void *ctx, const json_t *row)
{
	struct rows *rows = ctx;
	struct arm_extension extension;
	struct arm_machine machine;
	struct graph_count count;

	must(json_is_object(row));
	if (rows->expected != NULL && rows->n < json_array_size(rows->expected))
		must(json_equal(row, json_array_get(rows->expected, rows->n)));
	rows->n++;
	(void)!arm_machine_read(row, &machine);
	(void)!arm_extension_read(row, &extension);
	(void)!graph_count_read(row, &count);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *whole = json_body((const char *)data, size);
	json_t *unique = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	/* Of members that come twice, jansson keeps the last one. */
	struct rows rows = {.expected = json_object_get(unique, "data")};
	struct graph_page page;

	if (graph_page_read((const char *)data, size, take_row, &rows, &page) == 0) {
		must(json_is_object(whole));
		must(page.rows == rows.n);
		must(page.count == (uint64_t)json_integer_value(json_object_get(whole, "count")));
		must(unique == NULL || rows.n == json_array_size(rows.expected));
		must(page.truncated || page.count == page.rows);
		graph_page_fini(&page);
	}
	json_decref(whole);
	json_decref(unique);
	return 0;
}
