/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_connector.h"

#include "lib/azure/arm_request.h"
#include "lib/base/rng.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ID \
	"/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/" \
	"Microsoft.Security/securityConnectors/c1"

/* `tail`: further members of properties. */
static json_t *connector(const char *cloud, const char *offerings, const char *tail)
{
	char text[4096];
	json_t *document;

	snprintf(text, sizeof(text),
		"{\"id\":\"" ID "\",\"name\":\"c1\",\"location\":\"westeurope\",\"properties\":{"
		"\"hierarchyIdentifier\":\"123456789012\",\"environmentName\":\"%s\","
		"\"offerings\":[%s]%s}}",
		cloud, offerings, tail);
	document = json_loads(text, 0, NULL);
	assert_non_null(document);
	return document;
}

#define AWS_ROLE "\"defenderForServers\":{\"cloudRoleArn\":\"arn:aws:iam::1:role/s\"}"
#define GCP_IDENTITY \
	"\"defenderForServers\":{\"workloadIdentityProviderId\":\"w\"," \
	"\"serviceAccountEmailAddress\":\"a@b\"}"
#define AWS(members) "{\"offeringType\":\"DefenderForServersAws\"" members "}"
#define GCP(members) "{\"offeringType\":\"DefenderForServersGcp\"" members "}"
#define ON(part) ",\"" part "\":{\"enabled\":true}"
#define OFF(part) ",\"" part "\":{\"enabled\":false}"
#define ROLE(part) ",\"" part "\":{\"enabled\":false,\"cloudRoleArn\":\"arn:x\"}"

/* --- reading --- */

static const struct {
	const char *cloud, *offerings;
	bool offered, doubled, identified;
	const char *plan;
	const char *parts; /* of each: y, n or ?; upper case: all that it needs is there */
} offerings[] = {
	{"AWS", "", false, false, false, NULL, "????"},
	{"AWS", "{\"offeringType\":\"CspmMonitorAws\"}", false, false, false, NULL, "????"},
	{"AWS", GCP("," GCP_IDENTITY), false, false, false, NULL, "????"},
	{"AWS", AWS(""), true, false, false, NULL, "????"},
	{"AWS", AWS("," AWS_ROLE ",\"subPlan\":{\"type\":\"P1\"}"), true, false, true, "P1",
		"?!!?"},
	{"AWS", AWS("," AWS_ROLE ",\"subPlan\":\"P2\""), true, false, true, "P2", "?!!?"},
	{"aws", AWS("," AWS_ROLE ",\"subPlan\":null"), true, false, true, NULL, "?!!?"},
	{"AWS", AWS("," AWS_ROLE ON("arcAutoProvisioning") ON("mdeAutoProvisioning")), true, false,
		true, NULL, "yY!?"},
	{"AWS", AWS("," AWS_ROLE ROLE("arcAutoProvisioning") ROLE("vmScanners")), true, false, true,
		NULL, "N!!N"},
	{"AWS", AWS(ROLE("arcAutoProvisioning") OFF("vaAutoProvisioning")), true, false, false,
		NULL, "n?n?"},
	{"AWS", AWS("," AWS_ROLE) "," AWS(""), true, true, true, NULL, "?!!?"},
	{"GCP", GCP("," GCP_IDENTITY OFF("arcAutoProvisioning") ON("vaAutoProvisioning")), true,
		false, true, NULL, "N!Y!"},
	{"GCP", GCP(",\"defenderForServers\":{\"workloadIdentityProviderId\":\"w\"}"), true, false,
		false, NULL, "????"},
	{"GCP", AWS("," AWS_ROLE), false, false, false, NULL, "????"},
	{"Github", AWS("," AWS_ROLE), false, false, false, NULL, "????"},
};

static char letter_of(enum tri on, bool ready)
{
	if (on == TRI_UNKNOWN)
		return ready ? '!' : '?';
	if (on == TRI_YES)
		return ready ? 'Y' : 'y';
	return ready ? 'N' : 'n';
}

static void offerings_are_read_by_cloud(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(offerings); i++) {
		json_t *document = connector(offerings[i].cloud, offerings[i].offerings, "");
		struct arm_connector c;

		assert_int_equal(arm_connector_read(document, &c), 0);
		assert_int_equal(c.offering.present, offerings[i].offered);
		assert_int_equal(c.offering.doubled, offerings[i].doubled);
		assert_int_equal(c.offering.identified, offerings[i].identified);
		assert_true(str_equal(c.offering.sub_plan, offerings[i].plan) ||
			c.offering.sub_plan == offerings[i].plan);
		for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
			assert_int_equal(letter_of(c.offering.parts[p], c.offering.ready[p]),
				offerings[i].parts[p]);
		json_decref(document);
	}
}

static void clouds_members_and_intervals_are_read(void **state)
{
	static const struct {
		const char *cloud, *tail;
		enum connector_cloud wanted;
		unsigned hours;
		const char *parent;
	} rows[] = {
		{"AWS", "", CONNECTOR_AWS, 24, NULL},
		{"GCP", ",\"environmentData\":{\"scanInterval\":4}", CONNECTOR_GCP, 4, NULL},
		{"AWS", ",\"environmentData\":{\"scanInterval\":0}", CONNECTOR_AWS, 24, NULL},
		{"AWS", ",\"environmentData\":{\"scanInterval\":\"6\"}", CONNECTOR_AWS, 24, NULL},
		{"AWS",
			",\"environmentData\":{\"organizationalData\":{"
			"\"organizationMembershipType\":\"Member\",\"parentHierarchyId\":\"9\"}}",
			CONNECTOR_AWS, 24, "9"},
		{"AzureDevOps", "", CONNECTOR_CLOUD_OTHER, 24, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *document = connector(rows[i].cloud, "", rows[i].tail);
		struct arm_connector c;

		assert_int_equal(arm_connector_read(document, &c), 0);
		assert_int_equal(c.cloud, rows[i].wanted);
		assert_int_equal(c.scan_hours, rows[i].hours);
		assert_string_equal(c.hierarchy, "123456789012");
		if (rows[i].parent != NULL)
			assert_string_equal(c.parent, rows[i].parent);
		else
			assert_null(c.parent);
		json_decref(document);
	}
}

static void what_is_no_connector_is_refused(void **state)
{
	static const char *const texts[] = {"{}", "[]", "null", "{\"id\":7}", "{\"id\":\"/x\"}",
		"{\"id\":\"/subscriptions/11111111-1111-4111-8111-111111111111/providers/"
		"Microsoft.Security/pricings/VirtualMachines\"}"};
	struct arm_connector c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_t *document = json_loads(texts[i], JSON_DECODE_ANY, NULL);

		assert_int_equal(arm_connector_read(document, &c), -EINVAL);
		json_decref(document);
	}
}

/* --- writing --- */

static const char full[] =
	"{\"id\":\"" ID "\",\"name\":\"c1\",\"type\":\"t\",\"systemData\":{},\"etag\":\"\","
	"\"kind\":\"\",\"location\":\"l\",\"tags\":{\"a\":\"b\"},\"newcomer\":[1],\"properties\":{"
	"\"hierarchyIdentifier\":\"1\",\"hierarchyIdentifierTrialEndDate\":\"2022-01-01\","
	"\"environmentName\":\"AWS\",\"environmentData\":{\"environmentType\":\"AwsAccount\","
	"\"accountName\":\"n\",\"scanInterval\":4,\"regions\":[\"eu\"]},\"offerings\":["
	"{\"offeringType\":\"CspmMonitorAws\",\"description\":\"d\",\"nativeCloudConnection\":{"
	"\"cloudRoleArn\":\"r\"}},"
	"{\"offeringType\":\"DefenderForServersAws\",\"description\":\"d\",\"future\":{\"x\":1},"
	"\"defenderForServers\":{\"cloudRoleArn\":\"r\"},\"subPlan\":\"P1\","
	"\"arcAutoProvisioning\":{\"enabled\":false,\"cloudRoleArn\":\"r\",\"configuration\":{"
	"\"proxy\":\"p\"}},\"vaAutoProvisioning\":{\"enabled\":true,\"configuration\":{\"type\":"
	"\"Qualys\",\"later\":2}}},"
	"{\"offeringType\":\"SomethingNew\",\"keep\":[true,null]}]}}";

static void a_document_is_sent_without_what_is_read_only(void **state)
{
	json_t *current = json_loads(full, 0, NULL);
	json_t *document = arm_connector_document(current);
	static const char *const gone[] = {"id", "name", "type", "systemData", "etag", "kind",
		"properties.hierarchyIdentifierTrialEndDate",
		"properties.environmentData.accountName"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		assert_null(json_path(document, gone[i]));
	for (size_t i = 0; i < 3; i++)
		assert_null(json_object_get(
			json_array_get(json_path(document, "properties.offerings"), i),
			"description"));
	assert_non_null(json_path(document, "newcomer"));
	assert_string_equal(json_path_text(document, "tags.a"), "b");
	assert_int_equal(json_array_size(json_path(document, "properties.offerings")), 3);
	/* What was read stays as it was. */
	assert_non_null(json_path(current, "systemData"));
	json_object_set_new(current, "etag", json_string("W/7"));
	json_decref(document);
	document = arm_connector_document(current);
	assert_string_equal(json_path_text(document, "etag"), "W/7");
	json_decref(document);
	json_decref(current);
}

static void only_the_named_leaves_change(void **state)
{
	json_t *current = json_loads(full, 0, NULL);
	json_t *document = arm_connector_document(current);
	json_t *before = json_deep_copy(document);
	json_t *servers, *others[2];

	(void)state;
	arm_connector_set_plan(document, "P2");
	arm_connector_switch(document, CONNECTOR_ARC, true);
	arm_connector_switch(document, CONNECTOR_MDE, true);
	arm_connector_switch(document, CONNECTOR_VULNERABILITY, true);
	servers = json_array_get(json_path(document, "properties.offerings"), 1);
	assert_string_equal(json_path_text(servers, "subPlan.type"), "P2");
	assert_true(json_is_true(json_path(servers, "arcAutoProvisioning.enabled")));
	assert_string_equal(
		json_path_text(servers, "arcAutoProvisioning.configuration.proxy"), "p");
	assert_true(json_is_true(json_path(servers, "mdeAutoProvisioning.enabled")));
	assert_string_equal(
		json_path_text(servers, "vaAutoProvisioning.configuration.type"), "TVM");
	assert_int_equal(
		json_integer_value(json_path(servers, "vaAutoProvisioning.configuration.later")),
		2);
	assert_null(json_path(servers, "vmScanners"));
	assert_int_equal(json_integer_value(json_path(servers, "future.x")), 1);
	for (size_t i = 0; i < 2; i++) {
		others[0] = json_array_get(json_path(before, "properties.offerings"), i * 2);
		others[1] = json_array_get(json_path(document, "properties.offerings"), i * 2);
		assert_true(json_equal(others[0], others[1]));
	}
	assert_true(arm_connector_same_besides(before, document));
	json_decref(before);
	json_decref(document);
	json_decref(current);
}

static void whatever_else_differs_is_seen(void **state)
{
	static const char *const changes[] = {"location", "tags", "newcomer",
		"properties.offerings", "properties.environmentData.regions",
		"properties.hierarchyIdentifier"};
	json_t *current = json_loads(full, 0, NULL);
	json_t *document = arm_connector_document(current), *other, *servers;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		const char *dot = strrchr(changes[i], '.');
		char parent[64] = "";

		other = json_deep_copy(document);
		if (dot != NULL)
			memcpy(parent, changes[i], (size_t)(dot - changes[i]));
		json_object_del(dot != NULL ? json_path(other, parent) : other,
			dot != NULL ? dot + 1 : changes[i]);
		assert_false(arm_connector_same_besides(document, other));
		json_decref(other);
	}
	other = json_deep_copy(document);
	servers = json_array_get(json_path(other, "properties.offerings"), 1);
	json_object_del(json_path(servers, "arcAutoProvisioning"), "cloudRoleArn");
	assert_false(arm_connector_same_besides(document, other));
	json_decref(other);
	json_decref(document);
	json_decref(current);
}

/* --- whatever there is --- */

#define SEEDS 300
#define DEPTH 4

static json_t *random_value(struct rng *rng, unsigned depth);

static json_t *random_object(struct rng *rng, unsigned depth)
{
	/* Of ours, of others, and of nobody. */
	static const char *const keys[] = {"enabled", "type", "configuration", "cloudRoleArn",
		"Proxy", "x", "", "\u00e4", "Cloudrolearn", "description2", "subPlan", "deep"};
	json_t *object = json_object();

	for (uint64_t n = rng_below(rng, 4); n > 0; n--)
		json_object_set_new(object, keys[rng_below(rng, ARRAY_LEN(keys))],
			random_value(rng, depth - 1));
	return object;
}

static json_t *random_array(struct rng *rng, unsigned depth)
{
	json_t *array = json_array();

	for (uint64_t n = rng_below(rng, 4); n > 0; n--)
		json_array_append_new(array, random_value(rng, depth - 1));
	return array;
}

static json_t *random_value(struct rng *rng, unsigned depth)
{
	switch (rng_below(rng, depth > 0 ? 8 : 6)) {
	case 0: return json_null();
	case 1: return json_true();
	case 2: return json_false();
	case 3: return json_integer((json_int_t)rng_next(rng));
	case 4: return json_real(0.1 * (double)rng_below(rng, 100));
	case 5: return json_string(rng_below(rng, 2) ? "" : "text \" \u00e4");
	case 6: return random_array(rng, depth);
	default: return random_object(rng, depth);
	}
}

/* Offerings of others around ours, which has unknown members of its own. */
static json_t *random_connector(struct rng *rng)
{
	static const char *const members[] = {"subPlan", "arcAutoProvisioning",
		"mdeAutoProvisioning", "vaAutoProvisioning", "vmScanners", "later", "other"};
	json_t *document = connector("AWS", "", ""), *list, *ours = NULL;
	uint64_t count = 1 + rng_below(rng, 4), at = rng_below(rng, count);

	list = json_path(document, "properties.offerings");
	for (uint64_t i = 0; i < count; i++) {
		json_t *one = random_object(rng, DEPTH);

		json_object_set_new(one, "offeringType",
			json_string(i == at ? "DefenderForServersAws" : "SomethingAws"));
		json_array_append_new(list, one);
		if (i == at)
			ours = one;
	}
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (rng_below(rng, 2))
			json_object_set_new(ours, members[i], random_object(rng, DEPTH));
	return document;
}

/* The bytes of the document in which the leaves that we own are as in `model`. */
static char *text_with_leaves_of(const json_t *document, const json_t *model, size_t ours)
{
	static const char *const leaves[][3] = {{"subPlan", "type"},
		{"arcAutoProvisioning", "enabled"}, {"mdeAutoProvisioning", "enabled"},
		{"vaAutoProvisioning", "enabled"}, {"vmScanners", "enabled"},
		{"vaAutoProvisioning", "configuration", "type"}};
	json_t *copy = json_deep_copy(document);
	json_t *to = json_array_get(json_path(copy, "properties.offerings"), ours);
	const json_t *from = json_array_get(json_path(model, "properties.offerings"), ours);
	char *text;

	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		json_t *object = to;
		const json_t *value = from;
		size_t k = 0;

		for (; k < 2 && leaves[i][k + 1] != NULL; k++) {
			const char *key = leaves[i][k];

			value = json_object_get(value, key);
			if (!json_is_object(json_object_get(object, key)))
				json_object_set_new(object, key, json_object());
			object = json_object_get(object, key);
		}
		json_object_set(object, leaves[i][k], json_object_get(value, leaves[i][k]));
	}
	text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(copy);
	return text;
}

static void all_that_nobody_knows_goes_back_byte_for_byte(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct rng rng;
		json_t *current, *list, *document;
		size_t ours = 0;
		char *wanted, *sent;

		rng_seed(&rng, seed);
		current = random_connector(&rng);
		list = json_path(current, "properties.offerings");
		while (!str_equal(json_text(json_array_get(list, ours), "offeringType"),
			"DefenderForServersAws"))
			ours++;
		document = arm_connector_document(current);
		arm_connector_set_plan(document, "P2");
		for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
			arm_connector_switch(document, (enum connector_part)p, true);
		json_object_del(current, "id");
		json_object_del(current, "name");
		wanted = text_with_leaves_of(current, document, ours);
		sent = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
		if (!str_equal(wanted, sent))
			fail_msg("seed %llu:\n%s\n%s", (unsigned long long)seed, wanted, sent);
		free(wanted);
		free(sent);
		json_decref(current);
		json_decref(document);
	}
}

static void requests_read_and_write_with_one_version(void **state)
{
	struct arm_request get, put, list;

	(void)state;
	arm_get_connector(ID, &get);
	arm_put_connector(ID, json_object(), &put);
	arm_list_connectors("11111111-1111-4111-8111-111111111111", &list);
	assert_string_equal(get.path, put.path);
	assert_string_equal(get.path, ID "?api-version=2024-08-01-preview");
	assert_string_equal(put.method, "PUT");
	assert_string_equal(put.subscription, "11111111-1111-4111-8111-111111111111");
	assert_string_equal(list.path,
		"/subscriptions/11111111-1111-4111-8111-111111111111/providers/Microsoft.Security/"
		"securityConnectors?api-version=2024-08-01-preview");
	arm_request_fini(&get);
	arm_request_fini(&put);
	arm_request_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offerings_are_read_by_cloud),
		cmocka_unit_test(clouds_members_and_intervals_are_read),
		cmocka_unit_test(what_is_no_connector_is_refused),
		cmocka_unit_test(a_document_is_sent_without_what_is_read_only),
		cmocka_unit_test(only_the_named_leaves_change),
		cmocka_unit_test(whatever_else_differs_is_seen),
		cmocka_unit_test(all_that_nobody_knows_goes_back_byte_for_byte),
		cmocka_unit_test(requests_read_and_write_with_one_version),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
