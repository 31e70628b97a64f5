/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many rows a second the query evaluator takes: the bulk queries over a synthetic estate.
 * Usage: bench_kql [MACHINES]
 */
#include "tests/estate/kql.h"
#include "tests/estate/test/kql_queries.h"

#include "lib/base/xalloc.h"

#include <stdio.h>
#include <time.h>

static json_t *machine_row(unsigned i)
{
	return json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:{s:s, s:s, s:s, s:s, s:s, s:{s:s}, "
			 "s:{s:s, s:s, s:[], s:[]}}}",
		"id",
		json_sprintf("/subscriptions/00000000-0000-0000-0000-%012u/resourceGroups/RG-%u/"
			     "providers/Microsoft.HybridCompute/machines/server-%06u",
			i % 100, i % 7, i),
		"name", "server", "type", "microsoft.hybridcompute/machines", "location",
		"westeurope", "subscriptionId",
		json_sprintf("00000000-0000-0000-0000-%012u", i % 100), "resourceGroup",
		json_sprintf("rg-%u", i % 7), "tags",
		i % 10 == 0 ? json_pack("{s:s}", "MDFCSecurityConnector", "true") : json_null(),
		"properties", "status", i % 9 == 0 ? "Disconnected" : "Connected", "osType",
		"windows", "osSku", "Windows Server 2019 Datacenter", "osVersion",
		"10.0.17763.6293", "agentVersion", "1.48.02881.1941", "cloudMetadata", "provider",
		"N/A", "agentConfiguration", "extensionsEnabled", "true", "configMode", "full",
		"extensionsAllowList", "extensionsBlockList");
}

static json_t *extension_row(unsigned i, unsigned which)
{
	static const char *const types[] = {
		"MDE.Windows", "AzureMonitorWindowsAgent", "MicrosoftMonitoringAgent"};
	char *machine = xasprintf("/subscriptions/00000000-0000-0000-0000-%012u/resourceGroups/"
				  "RG-%u/providers/Microsoft.HybridCompute/machines/server-%06u",
		i % 100, i % 7, i);
	json_t *row = json_pack("{s:o, s:s, s:s, s:s, s:o, s:{s:s, s:s, s:s, s:s, s:b, s:{s:s, "
				"s:s}, s:{s:{s:s, s:s}}}}",
		"id", json_sprintf("%s/extensions/%s", machine, types[which]), "name", types[which],
		"type", "microsoft.hybridcompute/machines/extensions", "location", "westeurope",
		"subscriptionId", json_sprintf("00000000-0000-0000-0000-%012u", i % 100),
		"properties", "publisher", "Microsoft.Azure.AzureDefenderForServers", "type",
		types[which], "provisioningState", i % 50 == 0 ? "Failed" : "Succeeded",
		"typeHandlerVersion", "1.0.10.7", "enableAutomaticUpgrade", 1, "settings",
		"azureResourceId", machine, "vNextEnabled", "true", "instanceView", "status",
		"code", "success", "message", "Extension operation 0 completed");

	free(machine);
	return row;
}

static json_t *make_rows(unsigned machines)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < machines; i++) {
		json_array_append_new(rows, machine_row(i));
		for (unsigned k = 0; k < 2 + (i % 5 < 2); k++)
			json_array_append_new(rows, extension_row(i, k));
	}
	return rows;
}

static const json_t *table(void *ctx, const char *name)
{
	(void)name;
	return ctx;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void measure(const char *name, const char *text, json_t *rows)
{
	struct kql_query *q;
	struct kql_error error;
	struct kql_result result;
	double start = seconds(), took;

	if (kql_parse(text, &q, &error) != 0 ||
		kql_run(q, table, rows, WALL_UNSET, &result, &error) != 0) {
		printf("%-24s %s: %s\n", name, error.code, error.text);
		return;
	}
	took = seconds() - start;
	printf("%-24s %8.3f s  %6.2f M rows/s  %7zu rows out\n", name, took,
		(double)json_array_size(rows) / took * 1e-6, json_array_size(result.rows));
	kql_result_fini(&result);
	kql_free(q);
}

int main(int argc, char **argv)
{
	unsigned machines = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
	json_t *rows = make_rows(machines);

	printf("%zu rows\n", json_array_size(rows));
	measure("machines, fingerprint",
		KQL_HEAD_MACHINES KQL_SALT_TWO KQL_TAIL_FOLDED(KQL_BY_COLUMN), rows);
	measure("machines, packed", KQL_HEAD_MACHINES KQL_SALT_TWO KQL_TAIL_PACKED(KQL_BY_COLUMN),
		rows);
	measure("extensions, fingerprint",
		KQL_HEAD_EXTENSIONS KQL_SALT_TWO KQL_TAIL_FOLDED(KQL_BY_COLUMN), rows);
	measure("extensions, packed",
		KQL_HEAD_EXTENSIONS KQL_SALT_TWO KQL_TAIL_PACKED(KQL_BY_COLUMN), rows);
	measure("extensions, 3 buckets",
		KQL_HEAD_EXTENSIONS KQL_ONLY_BUCKETS KQL_SALT_TWO KQL_TAIL_PACKED(KQL_BY_COLUMN),
		rows);
	measure("one partition of rows", KQL_MACHINES_JOINED("140", "7"), rows);
	measure("all rows, joined", KQL_MACHINES_JOINED("1", "0"), rows);
	measure("count by subscription", "resources | summarize count() by subscriptionId", rows);
	measure("everything", "resources | order by id asc", rows);
	json_decref(rows);
	return 0;
}
