/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print_queries: every text that the daemon may send to Azure Resource Graph, as a JSON array of
 * {"name", "text"}, for a parser that nobody here wrote.
 */
#include "lib/azure/graph_query.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <stdio.h>

static const char *const names[] = {
	[GRAPH_SUBSCRIPTIONS] = "subscriptions",
	[GRAPH_PRICINGS] = "pricings",
	[GRAPH_RULES_IN_USE] = "rules-in-use",
	[GRAPH_AGENT_WORKSPACES] = "agent-workspaces",
	[GRAPH_MACHINE_COUNTS] = "machine counts",
	[GRAPH_MACHINES] = "machines",
	[GRAPH_EXTENSIONS] = "extensions",
	[GRAPH_EXEMPTIONS] = "exemptions",
};
_Static_assert(ARRAY_LEN(names) == GRAPH_TABLE_N_, "a name for each table");

/* Not partitioned; the first, one in the middle and the last of several. */
static const struct {
	unsigned partitions, index;
} shapes[] = {{1, 0}, {2, 0}, {144, 71}, {144, 143}};

int main(void)
{
	json_t *all = json_array();
	int error;

	for (unsigned t = 0; t < GRAPH_TABLE_N_; t++) {
		for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
			mdc_autofree char *text = graph_query_text(
				(enum graph_table)t, shapes[i].partitions, shapes[i].index);

			json_array_append_new(all,
				json_pack("{s:o, s:s}", "name",
					json_sprintf("%s, part %u of %u", names[t],
						shapes[i].index + 1, shapes[i].partitions),
					"text", text));
		}
	}
	error = json_dumpf(all, stdout, JSON_INDENT(1));
	json_decref(all);
	return error == 0 ? 0 : 1;
}
