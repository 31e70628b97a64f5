/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bulk queries (fingerprint, folded, packed; whole, by bucket, by cell) against records written
 * out by hand; hashes and buckets are computed here by their definition.
 */
#include "tests/estate/test/kql_fixture.h"
#include "tests/estate/test/kql_queries.h"

#include "lib/base/buf.h"

#define S1 "00000000-0000-0000-0000-000000000001"
#define S2 "00000000-0000-0000-0000-000000000002"
#define BUCKETS 64
#define MODULUS 2147483647

/* One row of a head: where it belongs, and the record that it makes. */
struct record {
	const char *subscription;
	const char *place; /* group/machine, what the bucket is made of */
	const char *text;
};

static int64_t remainder_of(uint64_t hash, int64_t modulus)
{
	int64_t rest = (int64_t)hash % modulus;

	return rest < 0 ? rest + modulus : rest;
}

static int64_t bucket_of(const struct record *r)
{
	return remainder_of(kql_xxh64(r->place, strlen(r->place)), BUCKETS);
}

static int64_t salted(const char *salt, const char *text)
{
	mdc_autofree char *both = xasprintf("%s%s", salt, text);

	return remainder_of(kql_xxh64(both, strlen(both)), MODULUS);
}

/* What one (subscription, bucket) sums up to. */
static json_t *cell_of(
	const struct record *records, size_t count, const char *subscription, int64_t bucket)
{
	int64_t n = 0, z = 0, s1 = 0, s2 = 0;
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		if (strcmp(records[i].subscription, subscription) != 0 ||
			bucket_of(&records[i]) != bucket)
			continue;
		n++;
		z += (int64_t)strlen(records[i].text);
		s1 += salted("A", records[i].text);
		s2 += salted("B", records[i].text);
		json_array_append_new(list, json_string(records[i].text));
	}
	if (n == 0) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "subscriptionId", subscription, "b",
		(json_int_t)bucket, "n", (json_int_t)n, "z", (json_int_t)z, "s1", (json_int_t)s1,
		"s2", (json_int_t)s2, "l", list);
}

/* All cells in order, or the one of `only`. */
static json_t *cells_of(const struct record *records, size_t count, const struct record *only)
{
	static const char *const subscriptions[] = {S1, S2};
	json_t *cells = json_array();

	for (size_t s = 0; s < ARRAY_LEN(subscriptions); s++) {
		for (int64_t b = 0; b < BUCKETS; b++) {
			json_t *cell = cell_of(records, count, subscriptions[s], b);

			if (cell != NULL && only != NULL &&
				(strcmp(only->subscription, subscriptions[s]) != 0 ||
					bucket_of(only) != b)) {
				json_decref(cell);
				cell = NULL;
			}
			if (cell != NULL)
				json_array_append_new(cells, cell);
		}
	}
	return cells;
}

static json_t *without_lists(const json_t *cells)
{
	json_t *copy = json_deep_copy(cells);

	for (size_t i = 0; i < json_array_size(copy); i++)
		json_object_del(json_array_get(copy, i), "l");
	return copy;
}

static json_int_t number(const json_t *cell, const char *name)
{
	return json_integer_value(json_object_get(cell, name));
}

/* One row for each subscription, its cells as text. */
static json_t *folded(const json_t *cells)
{
	json_t *rows = json_array(), *row = NULL;

	for (size_t i = 0; i < json_array_size(cells); i++) {
		const json_t *cell = json_array_get(cells, i);
		json_t *subscription = json_object_get(cell, "subscriptionId");

		if (row == NULL ||
			!json_equal(json_object_get(row, "subscriptionId"), subscription)) {
			row = json_pack("{s:O, s:i, s:i, s:i, s:[]}", "subscriptionId",
				subscription, "k", 0, "n", 0, "z", 0, "cells");
			json_array_append_new(rows, row);
		}
		json_object_set_new(row, "k", json_integer(number(row, "k") + 1));
		json_object_set_new(row, "n", json_integer(number(row, "n") + number(cell, "n")));
		json_object_set_new(row, "z", json_integer(number(row, "z") + number(cell, "z")));
		json_array_append_new(json_object_get(row, "cells"),
			json_sprintf("%lld,%lld,%lld,%lld,%lld", number(cell, "b"),
				number(cell, "n"), number(cell, "z"), number(cell, "s1"),
				number(cell, "s2")));
	}
	return rows;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(
		json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

/* The order within a list is not defined: nothing is said of it here. */
static json_t *with_sorted_lists(const json_t *rows)
{
	json_t *copy = json_deep_copy(rows), *items[100];

	for (size_t i = 0; i < json_array_size(copy); i++) {
		const json_t *row = json_array_get(copy, i);
		json_t *list = json_object_get(row, "l");
		size_t count;

		if (list == NULL)
			list = json_object_get(row, "cells");
		count = json_array_size(list);
		assert_true(count < ARRAY_LEN(items));
		for (size_t k = 0; k < count; k++)
			items[k] = json_incref(json_array_get(list, k));
		qsort(items, count, sizeof(items[0]), compare_texts);
		for (size_t k = 0; k < count; k++)
			json_array_set_new(list, k, items[k]);
	}
	return copy;
}

static void assert_query(json_t *tables, const char *text, const json_t *want)
{
	struct kql_result result;
	json_t *got_sorted, *want_sorted;

	run_query(tables, text, &result);
	got_sorted = with_sorted_lists(result.rows);
	want_sorted = with_sorted_lists(want);
	assert_json(got_sorted, want_sorted, text);
	json_decref(got_sorted);
	json_decref(want_sorted);
	assert_false(result.pageable);
	kql_result_fini(&result);
}

struct tails {
	const char *fingerprint, *folded, *packed;
};
static const struct tails by_column = {KQL_TAIL_FINGERPRINT(KQL_BY_COLUMN),
	KQL_TAIL_FOLDED(KQL_BY_COLUMN), KQL_TAIL_PACKED(KQL_BY_COLUMN)};
static const struct tails by_id = {
	KQL_TAIL_FINGERPRINT(KQL_BY_ID), KQL_TAIL_FOLDED(KQL_BY_ID), KQL_TAIL_PACKED(KQL_BY_ID)};

/* Every tail and both salts behind a head and a filter. */
static void check_filtered(json_t *tables, const char *head, const char *filter,
	const struct tails *tails, const json_t *cells)
{
	static const char *const salts[] = {KQL_SALT_TWO, KQL_SALT_ONE};
	json_t *bare = without_lists(cells), *rows = folded(cells);

	for (size_t i = 0; i < ARRAY_LEN(salts); i++) {
		mdc_autofree char *fingerprint =
			xasprintf("%s%s%s%s", head, filter, salts[i], tails->fingerprint);
		mdc_autofree char *fold =
			xasprintf("%s%s%s%s", head, filter, salts[i], tails->folded);
		mdc_autofree char *packed =
			xasprintf("%s%s%s%s", head, filter, salts[i], tails->packed);

		assert_query(tables, fingerprint, bare);
		assert_query(tables, fold, rows);
		assert_query(tables, packed, cells);
	}
	json_decref(bare);
	json_decref(rows);
}

static void check_head(json_t *tables, const char *head, const struct tails *tails,
	const struct record *records, size_t count)
{
	json_t *all = cells_of(records, count, NULL), *one = cells_of(records, count, records);
	json_t *none = json_array();
	mdc_autofree char *cell =
		xasprintf("| where strcat(subscriptionId, '/', b) in ('%s/%lld', '%s/17')\n",
			records->subscription, (long long)bucket_of(records),
			"00000000-0000-0000-0000-000000000009");
	struct buf buckets = BUF_INIT(1000);

	assert_true(json_array_size(all) > 1);
	check_filtered(tables, head, "", tails, all);
	check_filtered(tables, head, cell, tails, one);
	buf_adds(&buckets, "| where b in (-1");
	for (size_t i = 0; i < count; i++)
		buf_addf(&buckets, ", %lld", (long long)bucket_of(&records[i]));
	buf_adds(&buckets, ")\n");
	check_filtered(tables, head, buf_str(&buckets), tails, all);
	check_filtered(tables, head, "| where b in (64, 65, 66)\n", tails, none);
	buf_fini(&buckets);
	json_decref(all);
	json_decref(one);
	json_decref(none);
}

#define ARC "/providers/Microsoft.HybridCompute/machines/"
#define VM "/providers/Microsoft.Compute/virtualMachines/"

static void arc_machines_are_packed_and_fingerprinted(void **state)
{
	static const struct record records[] = {
		{S1, "rg-a/m1",
			"4:rg-a2:m110:westeurope9:Connected7:windows19:Windows Server "
			"201910:10.0.1776314:1.48.02881.1943:AWS4:true4:full48:[{\"publisher\":"
			"\"P\",\"type\":\"T\"},{\"publisher\":\"Q\"}]2:[]4:true"},
		{S1, "rg-a/m2", "4:rg-a2:m210:westeurope0:0:0:0:0:0:0:0:0:0:0:"},
		{S2, "gr\xc3\xbcn/extensions",
			"5:gr\xc3\xbcn10:extensions7:eastus212:Disconnected5:linux12:Ubuntu 22.04"
			"0:0:0:5:false7:monitor0:0:0:"},
	};
	json_t *tables = json_of(
		"{'resources': ["
		"{'id': '/subscriptions/" S1 "/resourceGroups/RG-A" ARC "M1', 'type': "
		"'microsoft.hybridcompute/machines', 'location': 'westeurope', 'subscriptionId': "
		"'" S1 "', 'tags': {'MDFCSecurityConnector': 'true'}, 'properties': {'status': "
		"'Connected', 'osType': 'windows', 'osSku': 'Windows Server 2019', 'osVersion': "
		"'10.0.17763', 'agentVersion': '1.48.02881.194', 'cloudMetadata': {'provider': "
		"'AWS'}, 'agentConfiguration': {'extensionsEnabled': 'true', 'configMode': 'full', "
		"'extensionsAllowList': [{'publisher': 'P', 'type': 'T'}, {'publisher': 'Q'}], "
		"'extensionsBlockList': []}}},"
		"{'id': '/subscriptions/" S1 "/resourcegroups/rg-a" ARC "m2', 'type': "
		"'microsoft.hybridcompute/machines', 'location': 'westeurope', 'subscriptionId': "
		"'" S1 "', 'properties': {'status': null, 'osType': null}},"
		"{'id': '/subscriptions/" S2 "/resourceGroups/GR\xc3\x9cN" ARC
		"extensions', 'type': "
		"'Microsoft.HybridCompute/machines', 'location': 'eastus2', 'subscriptionId': "
		"'" S2 "', 'tags': {'mdfcsecurityconnector': 'true'}, 'properties': {'status': "
		"'Disconnected', 'osType': 'linux', 'osSku': 'Ubuntu 22.04', 'agentConfiguration': "
		"{'extensionsEnabled': 'false', 'configMode': 'monitor', 'extensionsAllowList': "
		"null}}},"
		"{'id': '/subscriptions/" S1 "/resourceGroups/RG-A" ARC "M1/extensions/x', 'type': "
		"'microsoft.hybridcompute/machines/extensions', 'properties': {}}]}");

	(void)state;
	check_head(tables, KQL_HEAD_MACHINES, &by_column, records, ARRAY_LEN(records));
	json_decref(tables);
}

#define FOREIGN \
	"/subscriptions/" S1 "/resourcegroups/old/providers/microsoft.hybridcompute/machines/m1"

static void extensions_are_packed_with_their_owner_and_failure(void **state)
{
	static const struct record records[] = {
		{S1, "rg-a/m1",
			"4:rg-a2:m111:MDE.Windows11:mde.windows39:Microsoft.Azure."
			"AzureDefenderForServers9:Succeeded8:1.0.10.74:true4:true1:=0:7:success0:"},
		{S1, "rg-a/m1",
			"4:rg-a2:m124:MicrosoftMonitoringAgent3:mma0:6:Failed0:0:0:1:-"
			"36:11111111-2222-3333-4444-5555555555552:1011:b\xc3\xb6se\nZeile"},
		{S2, "rg-b/m1",
			"4:rg-b2:m19:mde.linux9:mde.linux0:8:Creating0:5:false0:116:" FOREIGN
			"0:0:0:"},
	};
	json_t *tables = json_of(
		"{'resources': ["
		"{'id': '/subscriptions/" S1 "/resourceGroups/RG-A" ARC
		"M1/extensions/MDE.Windows', "
		"'type': 'microsoft.hybridcompute/machines/extensions', 'subscriptionId': '" S1
		"', "
		"'properties': {'type': 'MDE.Windows', 'publisher': "
		"'Microsoft.Azure.AzureDefenderForServers', 'provisioningState': 'Succeeded', "
		"'typeHandlerVersion': '1.0.10.7', 'enableAutomaticUpgrade': true, 'settings': "
		"{'azureResourceId': '/subscriptions/" S1 "/resourceGroups/RG-A" ARC "M1', "
		"'vNextEnabled': 'true'}, 'instanceView': {'status': {'code': 'success', "
		"'message': "
		"'said nothing'}}}},"
		"{'id': '/subscriptions/" S1 "/resourceGroups/RG-A" ARC
		"M1/extensions/MMA', 'type': "
		"'microsoft.hybridcompute/machines/extensions', 'subscriptionId': '" S1 "', "
		"'properties': {'type': 'MicrosoftMonitoringAgent', 'provisioningState': 'Failed', "
		"'settings': {'workspaceId': '11111111-2222-3333-4444-555555555555'}, "
		"'instanceView': {'status': {'code': 10, 'message': 'b\xc3\xb6se\\nZeile'}}}},"
		"{'id': '/subscriptions/" S2 "/resourceGroups/RG-B" ARC "M1/extensions/MDE.Linux', "
		"'type': 'microsoft.hybridcompute/machines/extensions', 'subscriptionId': '" S2
		"', "
		"'properties': {'type': 'mde.linux', 'provisioningState': 'Creating', "
		"'enableAutomaticUpgrade': false, 'settings': {'azureResourceId': "
		"'/subscriptions/" S1 "/resourceGroups/old" ARC "M1'}, 'instanceView': {'status': "
		"{}}}},"
		"{'id': '/subscriptions/" S1 "/resourceGroups/RG-A" ARC
		"M1/extensions/Other', 'type': "
		"'microsoft.hybridcompute/machines/extensions', 'subscriptionId': '" S1 "', "
		"'properties': {'type': 'CustomScript'}},"
		"{'id': 'x', 'type': 'mde.windows', 'properties': {'type': 'MDE.Windows'}}]}");

	(void)state;
	check_head(tables, KQL_HEAD_EXTENSIONS, &by_column, records, ARRAY_LEN(records));
	json_decref(tables);
}

static void extensions_of_vms_take_the_same_positions(void **state)
{
	static const struct record records[] = {
		{S1, "rg/v1", "2:rg2:v19:MDE.Linux1:e0:9:Succeeded0:4:true0:1:=0:0:0:"},
		{S2, "rg/v2", "2:rg2:v222:AzureMonitorLinuxAgent3:ama0:9:Succeeded0:0:0:1:-0:0:0:"},
	};
	json_t *tables = json_of(
		"{'resources': ["
		"{'id': '/subscriptions/" S1 "/resourceGroups/RG" VM "V1/extensions/E', 'type': "
		"'microsoft.compute/virtualmachines/extensions', 'subscriptionId': '" S1 "', "
		"'properties': {'type': 'MDE.Linux', 'provisioningState': 'Succeeded', "
		"'enableAutomaticUpgrade': true, 'settings': {'azureResourceId': "
		"'/SUBSCRIPTIONS/" S1 "/resourceGroups/rg" VM "v1'}}},"
		"{'id': '/subscriptions/" S2 "/resourceGroups/RG" VM "V2/extensions/AMA', 'type': "
		"'microsoft.compute/virtualmachines/extensions', 'subscriptionId': '" S2 "', "
		"'properties': {'type': 'AzureMonitorLinuxAgent', 'provisioningState': "
		"'Succeeded'}}]}");

	(void)state;
	check_head(tables, KQL_HEAD_VM_EXTENSIONS, &by_column, records, ARRAY_LEN(records));
	json_decref(tables);
}

static void vms_are_packed_with_their_image(void **state)
{
	static const struct record records[] = {
		{S1, "rg/v1",
			"2:rg2:v110:westeurope18:PowerState/running7:Windows22:"
			"MicrosoftWindowsServer13:WindowsServer15:2019-Datacenter0:4:true1:19:"
			"Succeeded"},
		{S1, "rg/v2", "2:rg2:v210:westeurope0:5:Linux0:0:0:9:/images/10:1:09:Succeeded"},
		{S2, "rg/v3", "2:rg2:v36:eastus0:5:Linux0:0:0:6:Attach0:1:00:"},
	};
	json_t *tables = json_of(
		"{'resources': ["
		"{'id': '/subscriptions/" S1 "/resourceGroups/rg" VM "V1', 'type': "
		"'microsoft.compute/virtualmachines', 'location': 'westeurope', 'subscriptionId': "
		"'" S1 "', 'properties': {'provisioningState': 'Succeeded', 'extended': "
		"{'instanceView': {'powerState': {'code': 'PowerState/running'}}}, "
		"'storageProfile': "
		"{'osDisk': {'osType': 'Windows', 'createOption': 'FromImage'}, 'imageReference': "
		"{'publisher': 'MicrosoftWindowsServer', 'offer': 'WindowsServer', 'sku': "
		"'2019-Datacenter'}}, 'osProfile': {'allowExtensionOperations': true}}},"
		"{'id': '/subscriptions/" S1 "/resourceGroups/rg" VM "V2', 'type': "
		"'microsoft.compute/virtualmachines', 'location': 'westeurope', 'subscriptionId': "
		"'" S1 "', 'properties': {'provisioningState': 'Succeeded', 'storageProfile': "
		"{'osDisk': {'osType': 'Linux', 'createOption': 'FromImage'}, 'imageReference': "
		"{'id': '/Images/1'}}}},"
		"{'id': '/subscriptions/" S2 "/resourceGroups/rg" VM "V3', 'type': "
		"'microsoft.compute/virtualmachines', 'location': 'eastus', 'subscriptionId': "
		"'" S2 "', 'properties': {'storageProfile': {'osDisk': {'osType': 'Linux', "
		"'createOption': 'Attach'}}}}]}");

	(void)state;
	check_head(tables, KQL_HEAD_VMS, &by_column, records, ARRAY_LEN(records));
	json_decref(tables);
}

static void rule_associations_belong_to_the_machine_in_their_id(void **state)
{
#define RULE "/providers/Microsoft.Insights/dataCollectionRuleAssociations/"
	static const struct record records[] = {
		{S1, "rg/m1", "2:rg2:m132:microsoft.hybridcompute/machines6:/dcr/1"},
		{S1, "rg/m1", "2:rg2:m132:microsoft.hybridcompute/machines6:/dcr/2"},
		{S2, "rg/v1", "2:rg2:v133:microsoft.compute/virtualmachines6:/dcr/1"},
	};
	json_t *tables = json_of(
		"{'insightsresources': ["
		"{'id': '/subscriptions/" S1 "/resourceGroups/rg" ARC "m1" RULE "a', 'type': "
		"'microsoft.insights/datacollectionruleassociations', 'subscriptionId': '" S1 "', "
		"'properties': {'dataCollectionRuleId': '/DCR/1'}},"
		"{'id': '/subscriptions/" S1 "/resourceGroups/rg" ARC "m1" RULE "b', 'type': "
		"'microsoft.insights/datacollectionruleassociations', 'subscriptionId': '" S1 "', "
		"'properties': {'dataCollectionRuleId': '/DCR/2'}},"
		"{'id': '/subscriptions/" S1 "/resourceGroups/rg" ARC "m1" RULE "c', 'type': "
		"'microsoft.insights/datacollectionruleassociations', 'properties': "
		"{'dataCollectionEndpointId': '/DCE/1'}},"
		"{'id': '/subscriptions/" S2 "/resourceGroups/rg" VM "v1" RULE "a', 'type': "
		"'microsoft.insights/datacollectionruleassociations', 'subscriptionId': '" S2 "', "
		"'properties': {'dataCollectionRuleId': '/dcr/1'}},"
		"{'id': '/subscriptions/" S2 "/resourceGroups/rg/providers/Other/kind/v1" RULE
		"a', "
		"'type': 'microsoft.insights/datacollectionruleassociations', 'properties': "
		"{'dataCollectionRuleId': '/dcr/1'}}]}");

	(void)state;
	check_head(tables, KQL_HEAD_RULES, &by_id, records, ARRAY_LEN(records));
	json_decref(tables);
#undef RULE
}

/* What decides that a change was missed: any change of a record changes both sums. */
static void a_changed_field_changes_the_fingerprint_of_its_cell_alone(void **state)
{
#define TWO(status) \
	"{'resources': [" \
	"{'id': '/subscriptions/" S1 "/resourceGroups/rg" ARC "m1', 'type': " \
	"'microsoft.hybridcompute/machines', 'subscriptionId': '" S1 \
	"', 'properties': {'status': " \
	"'" status "'}}," \
	"{'id': '/subscriptions/" S1 "/resourceGroups/rg" ARC "m2', 'type': " \
	"'microsoft.hybridcompute/machines', 'subscriptionId': '" S1 \
	"', 'properties': {'status': " \
	"'Connected', 'lastStatusChange': 'ignored " status "'}}]}"
	const char *text = KQL_HEAD_MACHINES KQL_SALT_TWO KQL_TAIL_FINGERPRINT(KQL_BY_COLUMN);
	json_t *before = json_of(TWO("Connected")), *after = json_of(TWO("Disconnected"));
	struct kql_result a, b;
	size_t changed = 0;

	(void)state;
	run_query(before, text, &a);
	run_query(after, text, &b);
	assert_int_equal(json_array_size(a.rows), 2);
	assert_int_equal(json_array_size(b.rows), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *x = json_array_get(a.rows, i), *y = json_array_get(b.rows, i);

		assert_int_equal(number(x, "b"), number(y, "b"));
		if (json_equal(x, y))
			continue;
		changed++;
		assert_int_not_equal(number(x, "s1"), number(y, "s1"));
		assert_int_not_equal(number(x, "s2"), number(y, "s2"));
	}
	assert_int_equal(changed, 1);
	kql_result_fini(&a);
	kql_result_fini(&b);
	json_decref(before);
	json_decref(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arc_machines_are_packed_and_fingerprinted),
		cmocka_unit_test(extensions_are_packed_with_their_owner_and_failure),
		cmocka_unit_test(extensions_of_vms_take_the_same_positions),
		cmocka_unit_test(vms_are_packed_with_their_image),
		cmocka_unit_test(rule_associations_belong_to_the_machine_in_their_id),
		cmocka_unit_test(a_changed_field_changes_the_fingerprint_of_its_cell_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
