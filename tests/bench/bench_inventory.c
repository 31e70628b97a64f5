/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_inventory: what a machine costs in memory, and a row of it in time: rows in the form of
 * Resource Graph's are decoded into the inventory, as a full sweep does, for estates of 1,000 and
 * more machines with names of their own.
 *
 *   bench_inventory [MACHINES]   (100000)
 */
#include "lib/azure/list_page.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/inventory_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SUBSCRIPTIONS 100
#define PAGE 1000
#define SMALL 1000

static long resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, pages;

	if (f == NULL || fscanf(f, "%ld %ld", &size, &pages) != 2)
		abort();
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_id(struct buf *b, unsigned n)
{
	buf_addf(b,
		"\"id\":\"/subscriptions/aaaaaaaa-0000-4000-8000-%012u/resourceGroups/rg-%u/"
		"providers/Microsoft.HybridCompute/machines/srv-%08x",
		n % SUBSCRIPTIONS, n % 1500, n * 2654435761u);
}

/* One machine in twenty has an odd agent, one in ten is Windows Server 2016, half are Linux. */
static void add_machine(struct buf *b, unsigned n)
{
	const char *sku = n % 10 == 0 ? "Windows Server 2016 Datacenter"
		: n % 2 == 0          ? "Windows Server 2022 Datacenter"
				      : "Ubuntu 22.04.4 LTS";

	buf_adds(b, "{");
	add_id(b, n);
	buf_addf(b,
		"\",\"location\":\"%s\",\"tags\":{\"env\":\"%s\",\"owner\":\"team-%u\"},"
		"\"properties\":{\"status\":\"%s\",\"lastStatusChange\":\"2026-11-%02uT08:%02u:"
		"00Z\","
		"\"osType\":\"%s\",\"osName\":\"%s\",\"osSku\":\"%s\",\"agentVersion\":\"1.4%u."
		"02\","
		"\"cloudMetadata\":{\"provider\":\"N/A\"},\"agentConfiguration\":{"
		"\"extensionsEnabled\":\"true\",\"configMode\":\"full\",\"extensionsAllowList\":[],"
		"\"extensionsBlockList\":[]}}}",
		n % 3 == 0 ? "westeurope" : "northeurope", n % 4 == 0 ? "prod" : "test", n % 50,
		n % 17 == 0 ? "Disconnected" : "Connected", 1 + n % 28, n % 60,
		n % 2 == 0 ? "windows" : "linux", n % 2 == 0 ? "windows" : "linux", sku,
		n % 20 == 0 ? 1 : 7);
}

/* Nine in ten have the sensor, of which one in twenty failed in words of its own. */
static bool add_extension(struct buf *b, unsigned n)
{
	bool failed = n % 20 == 0;

	if (n % 10 == 5)
		return false;
	buf_adds(b, "{");
	add_id(b, n);
	buf_addf(b,
		"/extensions/MDE.%s\",\"properties\":{\"publisher\":"
		"\"Microsoft.Azure.AzureDefenderForServers\",\"type\":\"MDE.%s\","
		"\"provisioningState\":\"%s\",\"typeHandlerVersion\":\"1.0.11.%u\",\"settings\":{"
		"\"vNextEnabled\":\"true\",\"azureResourceId\":\"\"},\"instanceView\":{\"status\":{"
		"\"code\":\"%s\",\"message\":\"%s %u\"}}}}",
		n % 2 == 0 ? "Windows" : "Linux", n % 2 == 0 ? "Windows" : "Linux",
		failed ? "Failed" : "Succeeded", n % 3, failed ? "51" : "0",
		failed ? "the installer failed on machine" : "Extension status: provisioned", n);
	return true;
}

/* A page of rows; how many machines it is about. */
static unsigned make_page(struct buf *b, unsigned first, unsigned count, bool extensions)
{
	unsigned n = 0, rows = 0;

	buf_reset(b);
	buf_adds(b, "{\"data\":[");
	for (; n < PAGE && first + n < count; n++) {
		size_t before = b->len;

		if (rows > 0)
			buf_addc(b, ',');
		if (!extensions)
			add_machine(b, first + n);
		else if (!add_extension(b, first + n)) {
			b->len = before;
			continue;
		}
		rows++;
	}
	buf_addf(
		b, "],\"totalRecords\":%u,\"count\":%u,\"resultTruncated\":\"false\"}", rows, rows);
	return n;
}

static void read_page(struct inventory *inv, const struct buf *b)
{
	static const struct stamp stamp = {{INT64_C(1795528800000)}, SOURCE_GRAPH};
	struct list_page page;
	struct noted noted;
	json_t *row;
	int result;

	list_page_init(&page, LIST_GRAPH, buf_str(b), b->len);
	while ((result = list_page_next(&page, &row)) == 1) {
		if (inventory_note(inv, row, stamp, &noted) != 0)
			abort();
		json_decref(row);
	}
	if (result != 0 || page.truncated)
		abort();
	list_page_fini(&page);
}

static void nobody_goes(void *ctx, struct machine *m)
{
	(void)ctx;
	(void)m;
	abort();
}

static void conclude(struct inventory *inv)
{
	struct stamp stamp = {{INT64_C(1795528800000)}, SOURCE_GRAPH};
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry) {
		struct sweep_conclusion c;

		inventory_conclude_begin(entry->value, stamp, &c);
		while (inventory_conclude(inv, &c, 512, nobody_goes, NULL))
			;
	}
}

/* CPU time of the decoding alone. */
static double sweep(struct inventory *inv, unsigned count)
{
	struct buf b = BUF_INIT(16 << 20);
	double spent = 0;

	inventory_sweep_begin(inv);
	for (unsigned extensions = 0; extensions < 2; extensions++)
		for (unsigned first = 0; first < count;) {
			double before;

			first += make_page(&b, first, count, extensions == 1);
			before = cpu_seconds();
			read_page(inv, &b);
			spent += cpu_seconds() - before;
		}
	buf_fini(&b);
	conclude(inv);
	return spent;
}

static struct inventory *observe(unsigned count, double *ret_first, double *ret_next)
{
	struct inventory *inv = inventory_new();
	char id[GUID_TEXT_SIZE];

	for (unsigned i = 0; i < SUBSCRIPTIONS; i++) {
		snprintf(id, sizeof(id), "aaaaaaaa-0000-4000-8000-%012u", i);
		inventory_add_subscription(inv, id);
	}
	*ret_first = sweep(inv, count);
	*ret_next = sweep(inv, count);
	return inv;
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
	double first, next;
	struct inventory *inv = observe(SMALL, &first, &next);
	long small = resident(), large;

	printf("struct machine:          %zu bytes\n", sizeof(struct machine));
	inventory_free(inv);
	inv = observe(count, &first, &next);
	large = resident();
	printf("resident at %u:        %.1f MiB\n", SMALL, (double)small / (1 << 20));
	printf("resident at %u:      %.1f MiB\n", count, (double)large / (1 << 20));
	printf("a machine:               %.0f bytes\n",
		(double)(large - small) / (double)(count - SMALL));
	printf("CPU of a first sweep:    %.2f us a machine\n", first * 1e6 / count);
	printf("CPU of the next sweep:   %.2f us a machine\n", next * 1e6 / count);
	inventory_free(inv);
	return 0;
}
