/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of lists: read row by row, they say the same as jansson says of the whole. */
#include "lib/azure/arm_document.h"
#include "lib/azure/graph_query.h"
#include "lib/azure/list_page.h"
#include "lib/base/str.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void read_row(const json_t *row)
{
	struct arm_extension extension;
	struct arm_machine machine;
	struct graph_count count;

	must(json_is_object(row));
	(void)!arm_machine_read(row, &machine);
	(void)!arm_extension_read(row, &extension);
	(void)!graph_count_read(row, &count);
}

/* `expected`: the rows as jansson reads them, or NULL where it does not. */
static void read_page(enum list_kind kind, const char *body, size_t size, const json_t *expected)
{
	struct list_page page;
	json_t *row = NULL;
	size_t n = 0;
	int result;

	list_page_init(&page, kind, body, size);
	while ((result = list_page_next(&page, &row)) == 1) {
		read_row(row);
		must(expected == NULL || n >= json_array_size(expected) ||
			json_equal(row, json_array_get(expected, n)));
		n++;
		json_decref(row);
	}
	must(list_page_read(&page) <= size && page.rows == n);
	if (result == 0) {
		must(expected == NULL || n == json_array_size(expected));
		must(kind == LIST_ARM || page.truncated || page.count == n);
	}
	list_page_fini(&page);
}

/* NULL also where it comes twice, in whatever casing: such a page is refused. */
static const json_t *sole_member(const json_t *object, const char *name)
{
	const json_t *found = NULL;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		if (!str_equal_nocase(key, name))
			continue;
		if (found != NULL)
			return NULL;
		found = value;
	}
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *body = (const char *)data;
	/* Of members that come twice, jansson keeps the last one. */
	json_t *unique = json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL);

	read_page(LIST_GRAPH, body, size, sole_member(unique, "data"));
	read_page(LIST_ARM, body, size, sole_member(unique, "value"));
	json_decref(unique);
	return 0;
}
