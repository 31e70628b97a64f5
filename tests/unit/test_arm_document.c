/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_document.h"

#include "lib/base/rng.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SUB "/subscriptions/11111111-aaaa-bbbb-cccc-222222222222"
#define MACHINE SUB "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m1"

static json_t *parse(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);

	if (document == NULL)
		fail_msg("not JSON: %s", text);
	return document;
}

static void bodies_may_start_with_a_byte_order_mark(void **state)
{
	static const struct {
		const char *body;
		bool is;
	} rows[] = {
		{"{}", true},
		{"[1]", true},
		{" \n{\"a\":1}\r\n", true},
		{"\xef\xbb\xbf{}", true},
		{"\xef\xbb\xbf", false},
		{"\xef\xbb", false},
		{"\xef\xbb\xbf\xef\xbb\xbf{}", false},
		{"", false},
		{"null", false},
		{"\"text\"", false},
		{"<html></html>", false},
		{"{}{}", false},
		{"{\"a\":\"\xff\"}", false},
		{"{\"a\":\"\\u0000\"}", false},
		{"{\"a\":1e999}", false},
		{"{\"a\":99999999999999999999999}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *document = json_body(rows[i].body, strlen(rows[i].body));

		if ((document != NULL) != rows[i].is)
			fail_msg("%s", rows[i].body);
		json_decref(document);
	}
	assert_null(json_body(NULL, 0));
}

static void deep_nesting_is_refused_without_harm(void **state)
{
	static char text[200000];

	(void)state;
	memset(text, '[', sizeof(text));
	assert_null(json_body(text, sizeof(text)));
	memset(text + 1000, ']', 1000);
	json_decref(json_body(text, 2000));
}

static void switches_come_as_booleans_and_as_words(void **state)
{
	static const struct {
		const char *json;
		enum tri tri;
	} rows[] = {
		{"[true]", TRI_YES},
		{"[false]", TRI_NO},
		{"[\"true\"]", TRI_YES},
		{"[\"True\"]", TRI_YES},
		{"[\"FALSE\"]", TRI_NO},
		{"[\"\"]", TRI_UNKNOWN},
		{"[\"on\"]", TRI_UNKNOWN},
		{"[\"true \"]", TRI_UNKNOWN},
		{"[1]", TRI_UNKNOWN},
		{"[null]", TRI_UNKNOWN},
		{"[{}]", TRI_UNKNOWN},
		{"[[]]", TRI_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *list = parse(rows[i].json);

		assert_int_equal(json_tri(json_array_get(list, 0)), rows[i].tri);
		json_decref(list);
	}
	assert_int_equal(json_tri(NULL), TRI_UNKNOWN);
}

static void members_are_found_in_any_casing_and_only_as_texts(void **state)
{
	json_t *o =
		parse("{\"Name\":\"n\",\"a\":{\"B\":{\"c\":\"deep\"}},\"empty\":\"\",\"nil\":null,"
		      "\"num\":5,\"list\":[{\"x\":\"y\"}],\"exact\":\"1\",\"EXACT\":\"2\"}");

	(void)state;
	assert_string_equal(json_text(o, "name"), "n");
	assert_string_equal(json_text(o, "exact"), "1");
	assert_string_equal(json_text(o, "EXACT"), "2");
	assert_null(json_text(o, "empty"));
	assert_null(json_text(o, "nil"));
	assert_null(json_text(o, "num"));
	assert_null(json_text(o, "absent"));
	assert_null(json_text(NULL, "name"));
	assert_null(json_text(json_object_get(o, "list"), "x"));
	assert_string_equal(json_path_text(o, "A.b.C"), "deep");
	assert_null(json_path(o, "a.b.c.d"));
	assert_null(json_path(o, "a.x.c"));
	assert_null(json_path(o, "nil.x"));
	assert_null(json_path(NULL, "a"));
	assert_true(json_is_object(json_path(o, "a.b")));
	json_decref(o);
}

static void reads_subscriptions_of_both_sources(void **state)
{
	json_t *arm = parse("{\"id\":\"" SUB "\",\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-"
			    "222222222222\",\"displayName\":\"Prod\",\"tenantId\":\"t\",\"state\":"
			    "\"Enabled\",\"tags\":null}");
	json_t *graph =
		parse("{\"subscriptionId\":\"11111111-aaaa-bbbb-cccc-222222222222\",\"name\":"
		      "\"Prod\",\"tenantId\":\"t\",\"properties\":{\"state\":\"Warned\","
		      "\"managementGroupAncestorsChain\":[{\"name\":\"mg\"}]}}");
	struct arm_subscription s;

	(void)state;
	assert_int_equal(arm_subscription_read(arm, &s), 0);
	assert_string_equal(s.name, "Prod");
	assert_string_equal(s.state, "Enabled");
	assert_null(s.management_groups);
	assert_int_equal(arm_subscription_read(graph, &s), 0);
	assert_string_equal(s.name, "Prod");
	assert_string_equal(s.state, "Warned");
	assert_int_equal(json_array_size(s.management_groups), 1);
	json_decref(arm);
	json_decref(graph);
}

static void a_document_without_its_id_is_refused(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		"{\"id\":null}",
		"{\"id\":5}",
		"{\"id\":\"\"}",
		"{\"id\":\"not an id?\"}",
		"{\"id\":\"" SUB "\"}",
		"{\"subscriptionId\":\"x\"}",
		"{\"id\":\"" SUB "/providers/Microsoft.Security/pricings/StorageAccounts\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *o = parse(rows[i]);

		assert_int_equal(arm_subscription_read(o, &(struct arm_subscription){0}), -EINVAL);
		assert_int_equal(arm_pricing_read(o, &(struct arm_pricing){0}), -EINVAL);
		assert_int_equal(arm_setting_read(o, &(struct arm_setting){0}), -EINVAL);
		assert_int_equal(arm_machine_read(o, &(struct arm_machine){0}), -EINVAL);
		assert_int_equal(arm_extension_read(o, &(struct arm_extension){0}), -EINVAL);
		json_decref(o);
	}
	assert_int_equal(arm_machine_read(NULL, &(struct arm_machine){0}), -EINVAL);
}

#define PRICING_ID SUB "/providers/Microsoft.Security/pricings/VirtualMachines"

static void reads_a_plan_with_its_extensions(void **state)
{
	json_t *o = parse("{\"id\":\"" PRICING_ID "\",\"name\":\"VirtualMachines\",\"type\":"
			  "\"Microsoft.Security/pricings\",\"properties\":{\"subPlan\":\"P2\","
			  "\"pricingTier\":\"Standard\",\"enforce\":\"False\","
			  "\"freeTrialRemainingTime\":\"PT0S\",\"enablementTime\":"
			  "\"2023-03-01T12:42:42.1921106Z\",\"extensions\":["
			  "{\"name\":\"MdeDesignatedSubscription\",\"isEnabled\":\"False\"},"
			  "{\"name\":\"AgentlessVmScanning\",\"isEnabled\":\"True\","
			  "\"operationStatus\":{\"code\":\"Failed\",\"message\":\"no role\"}},"
			  "null, 5, {\"name\":null,\"isEnabled\":true}]}}");
	const char *name, *message;
	struct arm_pricing p;

	(void)state;
	assert_int_equal(arm_pricing_read(o, &p), 0);
	assert_string_equal(p.tier, "Standard");
	assert_string_equal(p.sub_plan, "P2");
	assert_int_equal(p.enforce, TRI_NO);
	assert_int_equal(p.enabled_at.ms, INT64_C(1677674562192));
	assert_int_equal(arm_pricing_extension(&p, "agentlessvmscanning"), TRI_YES);
	assert_int_equal(arm_pricing_extension(&p, "MdeDesignatedSubscription"), TRI_NO);
	assert_int_equal(arm_pricing_extension(&p, "FileIntegrityMonitoring"), TRI_UNKNOWN);
	assert_true(arm_pricing_failure(&p, &name, &message));
	assert_string_equal(name, "AgentlessVmScanning");
	assert_string_equal(message, "no role");
	json_decref(o);
}

static void a_free_plan_has_no_more_than_its_tier(void **state)
{
	json_t *o = parse("{\"id\":\"" PRICING_ID "\",\"properties\":{\"pricingTier\":\"Free\","
			  "\"freeTrialRemainingTime\":\"P30D\",\"extensions\":null}}");
	const char *name = "kept", *message = "kept";
	struct arm_pricing p;

	(void)state;
	assert_int_equal(arm_pricing_read(o, &p), 0);
	assert_string_equal(p.tier, "Free");
	assert_null(p.sub_plan);
	assert_int_equal(p.enforce, TRI_UNKNOWN);
	assert_false(wall_is_set(p.enabled_at));
	assert_null(p.extensions);
	assert_int_equal(arm_pricing_extension(&p, "x"), TRI_UNKNOWN);
	assert_false(arm_pricing_failure(&p, &name, &message));
	assert_string_equal(name, "kept");
	json_decref(o);
}

static void a_failure_may_lack_its_name_and_message(void **state)
{
	json_t *o = parse("{\"id\":\"" PRICING_ID "\",\"properties\":{\"extensions\":["
			  "{\"operationStatus\":{\"code\":\"Succeeded\"}},"
			  "{\"operationStatus\":{\"code\":\"failed\",\"message\":7}}]}}");
	const char *name, *message;
	struct arm_pricing p;

	(void)state;
	assert_int_equal(arm_pricing_read(o, &p), 0);
	assert_true(arm_pricing_failure(&p, &name, &message));
	assert_string_equal(name, "");
	assert_string_equal(message, "");
	json_decref(o);
}

static void reads_settings(void **state)
{
	json_t *o = parse(
		"{\"id\":\"" SUB "/providers/Microsoft.Security/settings/WDATP\",\"name\":"
		"\"WDATP\",\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":true}}");
	json_t *bare = parse("{\"id\":\"" SUB "/providers/microsoft.security/SETTINGS/"
			     "WDATP_UNIFIED_SOLUTION\"}");
	struct arm_setting s;

	(void)state;
	assert_int_equal(arm_setting_read(o, &s), 0);
	assert_string_equal(s.name, "WDATP");
	assert_int_equal(s.enabled, TRI_YES);
	assert_int_equal(arm_setting_read(bare, &s), 0);
	assert_string_equal(s.name, "WDATP_UNIFIED_SOLUTION");
	assert_int_equal(s.enabled, TRI_UNKNOWN);
	json_decref(o);
	json_decref(bare);
}

static void reads_a_connected_machine(void **state)
{
	json_t *o = parse(
		"{\"id\":\"" MACHINE "\",\"name\":\"m1\",\"location\":\"westeurope\","
		"\"type\":\"Microsoft.HybridCompute/machines\",\"tags\":{\"env\":\"prod\"},"
		"\"properties\":{\"status\":\"Connected\",\"lastStatusChange\":"
		"\"2026-11-24T14:00:00.1234567Z\",\"osType\":\"windows\",\"osName\":\"windows\","
		"\"osSku\":\"Windows Server 2016 Datacenter\",\"osVersion\":\"10.0.14393.693\","
		"\"agentVersion\":\"1.50.02958.2\",\"cloudMetadata\":{\"provider\":\"AWS\"},"
		"\"agentConfiguration\":{\"extensionsEnabled\":\"true\",\"configMode\":\"full\","
		"\"extensionsAllowList\":[],\"extensionsBlockList\":null}}}");
	struct arm_machine m;

	(void)state;
	assert_int_equal(arm_machine_read(o, &m), 0);
	assert_string_equal(m.location, "westeurope");
	assert_string_equal(m.status, "Connected");
	assert_int_equal(m.status_since.ms, INT64_C(1795528800123));
	assert_string_equal(m.os_type, "windows");
	assert_string_equal(m.os_sku, "Windows Server 2016 Datacenter");
	assert_string_equal(m.agent_version, "1.50.02958.2");
	assert_string_equal(m.cloud, "AWS");
	assert_int_equal(m.extensions_enabled, TRI_YES);
	assert_string_equal(m.config_mode, "full");
	assert_int_equal(json_array_size(m.allow_list), 0);
	assert_non_null(m.allow_list);
	assert_null(m.block_list);
	assert_string_equal(json_text(m.tags, "env"), "prod");
	json_decref(o);
}

/* A machine made by a connector that never connected, and the example of the specification. */
static void a_machine_of_nulls_is_legal_and_says_nothing(void **state)
{
	static const char *const rows[] = {
		"{\"id\":\"" MACHINE "\"}",
		"{\"id\":\"" MACHINE "\",\"location\":null,\"tags\":null,\"properties\":null}",
		"{\"id\":\"" MACHINE
		"\",\"location\":5,\"tags\":[],\"properties\":{\"status\":null,"
		"\"lastStatusChange\":null,\"osType\":{},\"osSku\":null,\"agentVersion\":false,"
		"\"cloudMetadata\":null,\"agentConfiguration\":null}}",
		"{\"id\":\"" MACHINE
		"\",\"properties\":{\"lastStatusChange\":\"0001-01-01T00:00:00Z"
		"\",\"agentConfiguration\":{\"extensionsEnabled\":null,\"extensionsAllowList\":{},"
		"\"extensionsBlockList\":\"\"}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *o = parse(rows[i]);
		struct arm_machine m;

		assert_int_equal(arm_machine_read(o, &m), 0);
		assert_null(m.location);
		assert_null(m.status);
		assert_false(wall_is_set(m.status_since));
		assert_null(m.os_type);
		assert_null(m.os_sku);
		assert_null(m.agent_version);
		assert_null(m.cloud);
		assert_int_equal(m.extensions_enabled, TRI_UNKNOWN);
		assert_null(m.tags);
		assert_int_equal(arm_machine_allows(&m, MDE_PUBLISHER, "MDE.Linux"), TRI_UNKNOWN);
		assert_false(arm_machine_is_connector_made(&m));
		json_decref(o);
	}
}

#define MDE "{\"publisher\":\"microsoft.azure.azuredefenderforservers\",\"type\":\"mde.LINUX\"}"
#define OTHER "{\"publisher\":\"Microsoft.Azure.Monitor\",\"type\":\"AzureMonitorLinuxAgent\"}"

static void the_agents_lists_decide_what_may_be_installed(void **state)
{
	static const struct {
		const char *configuration;
		enum tri allows;
	} rows[] = {
		{"{\"configMode\":\"full\"}", TRI_YES},
		{"{\"extensionsEnabled\":\"true\"}", TRI_YES},
		{"{\"extensionsAllowList\":[],\"extensionsBlockList\":[]}", TRI_YES},
		{"{\"extensionsAllowList\":[" MDE "]}", TRI_YES},
		{"{\"extensionsAllowList\":[" OTHER "]}", TRI_NO},
		{"{\"extensionsAllowList\":[" OTHER "," MDE "]}", TRI_YES},
		{"{\"extensionsBlockList\":[" MDE "]}", TRI_NO},
		{"{\"extensionsBlockList\":[" OTHER "]}", TRI_YES},
		{"{\"extensionsAllowList\":[" MDE "],\"extensionsBlockList\":[" MDE "]}", TRI_NO},
		/* "Allow/None" */
		{"{\"extensionsAllowList\":[{\"publisher\":\"Allow\",\"type\":\"None\"}]}", TRI_NO},
		{"{\"extensionsAllowList\":[null,5,{}]}", TRI_NO},
		{"{\"configMode\":\"Monitor\",\"extensionsAllowList\":[" OTHER "]}", TRI_YES},
		{"{\"configMode\":\"monitor\",\"extensionsBlockList\":[" MDE "]}", TRI_NO},
		{"{}", TRI_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[1000];
		struct arm_machine m;
		json_t *o;

		snprintf(text, sizeof(text),
			"{\"id\":\"" MACHINE "\",\"properties\":{\"agentConfiguration\":%s}}",
			rows[i].configuration);
		o = parse(text);
		assert_int_equal(arm_machine_read(o, &m), 0);
		if (arm_machine_allows(&m, MDE_PUBLISHER, "MDE.Linux") != rows[i].allows)
			fail_msg("%s", rows[i].configuration);
		json_decref(o);
	}
}

static void a_list_without_end_is_not_read(void **state)
{
	json_t *list = json_array();
	struct arm_machine m = {.allow_list = list, .config_mode = "full"};

	(void)state;
	for (unsigned i = 0; i < 1001; i++)
		json_array_append_new(list, json_object());
	assert_int_equal(arm_machine_allows(&m, MDE_PUBLISHER, "MDE.Linux"), TRI_UNKNOWN);
	json_array_remove(list, 0);
	assert_int_equal(arm_machine_allows(&m, MDE_PUBLISHER, "MDE.Linux"), TRI_NO);
	json_decref(list);
}

static void machines_of_connectors_are_known_by_their_tag(void **state)
{
	static const struct {
		const char *tags;
		bool made;
	} rows[] = {
		{"{\"MDFCSecurityConnector\":\"true\"}", true},
		{"{\"mdfcsecurityconnector\":\"True\"}", true},
		{"{\"MDFCSecurityConnector\":\"false\"}", false},
		{"{\"MDFCSecurityConnector\":\"\"}", false},
		{"{\"other\":\"true\"}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *tags = parse(rows[i].tags);
		struct arm_machine m = {.tags = tags};

		assert_int_equal(arm_machine_is_connector_made(&m), rows[i].made);
		json_decref(tags);
	}
}

static void reads_an_extension_with_its_status(void **state)
{
	json_t *o = parse(
		"{\"id\":\"" MACHINE "/extensions/MDE.Windows\",\"name\":\"MDE.Windows\","
		"\"properties\":{\"publisher\":\"Microsoft.Azure.AzureDefenderForServers\","
		"\"type\":\"MDE.Windows\",\"typeHandlerVersion\":\"1.0.11.4\","
		"\"provisioningState\":\"Failed\",\"settings\":{\"azureResourceId\":\"" MACHINE
		"\",\"vNextEnabled\":\"true\"},\"instanceView\":{\"name\":\"MDE.Windows\","
		"\"status\":{\"code\":\"51\",\"level\":\"Error\",\"message\":\"not "
		"supported\"}}}}");
	struct arm_extension e;

	(void)state;
	assert_int_equal(arm_extension_read(o, &e), 0);
	assert_string_equal(e.name, "MDE.Windows");
	assert_string_equal(e.type, "MDE.Windows");
	assert_string_equal(e.version, "1.0.11.4");
	assert_string_equal(e.provisioning_state, "Failed");
	assert_int_equal(e.vnext, TRI_YES);
	assert_string_equal(e.owner_id, MACHINE);
	assert_null(e.workspace);
	assert_string_equal(e.status_code, "51");
	assert_string_equal(e.status_level, "Error");
	assert_string_equal(e.status_message, "not supported");
	json_decref(o);
}

static void a_name_that_leads_elsewhere_is_not_taken(void **state)
{
	json_t *o = parse("{\"id\":\"" MACHINE "/extensions/MDE.Linux\",\"name\":\"..\"}");
	struct arm_extension e;

	(void)state;
	assert_int_equal(arm_extension_read(o, &e), 0);
	assert_string_equal(e.name, "MDE.Linux");
	json_decref(o);
}

static void an_extensions_code_may_be_a_number_or_missing(void **state)
{
	static const struct {
		const char *status, *code; /* code NULL: none */
	} rows[] = {
		{"{\"code\":51}", "51"},
		{"{\"code\":-310}", "-310"},
		{"{\"code\":9223372036854775807}", "9223372036854775807"},
		{"{\"code\":\"success\"}", "success"},
		{"{\"code\":\"\"}", NULL},
		{"{\"code\":1.5}", NULL},
		{"{\"code\":null}", NULL},
		{"{}", NULL},
		{"[]", NULL},
		{"null", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[500];
		struct arm_extension e;
		json_t *o;

		snprintf(text, sizeof(text),
			"{\"id\":\"" MACHINE "/Extensions/MDE.Linux\",\"properties\":{\"settings\":"
			"null,\"instanceView\":{\"status\":%s}}}",
			rows[i].status);
		o = parse(text);
		assert_int_equal(arm_extension_read(o, &e), 0);
		assert_string_equal(e.name, "MDE.Linux");
		assert_true(str_equal(e.status_code, rows[i].code));
		assert_int_equal(e.vnext, TRI_UNKNOWN);
		assert_null(e.owner_id);
		json_decref(o);
	}
}

static void extensions_are_known_by_publisher_and_type(void **state)
{
	static const struct {
		const char *publisher, *type;
		enum extension_kind kind;
	} rows[] = {
		{"Microsoft.Azure.AzureDefenderForServers", "MDE.Windows", EXTENSION_MDE_WINDOWS},
		{"microsoft.azure.azuredefenderforservers", "mde.linux", EXTENSION_MDE_LINUX},
		{"Microsoft.EnterpriseCloud.Monitoring", "MicrosoftMonitoringAgent", EXTENSION_MMA},
		{"Microsoft.EnterpriseCloud.Monitoring", "OmsAgentForLinux", EXTENSION_OMS},
		{"Evil.Publisher", "MDE.Windows", EXTENSION_OTHER},
		{"Microsoft.EnterpriseCloud.Monitoring", "MDE.Windows", EXTENSION_OTHER},
		{"Microsoft.Azure.AzureDefenderForServers", "MDE", EXTENSION_OTHER},
		{NULL, "MDE.Windows", EXTENSION_OTHER},
		{"Microsoft.Azure.AzureDefenderForServers", NULL, EXTENSION_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(extension_kind(rows[i].publisher, rows[i].type), rows[i].kind);
		if (rows[i].kind != EXTENSION_OTHER)
			assert_true(
				str_equal_nocase(extension_kind_type(rows[i].kind), rows[i].type));
	}
	assert_string_equal(extension_kind_type(EXTENSION_OTHER), "");
	assert_string_equal(extension_kind_type(EXTENSION_KIND_N_), "");
}

static void an_unknown_provisioning_state_is_not_an_end(void **state)
{
	static const struct {
		const char *word;
		enum provisioning state;
	} rows[] = {
		{"Succeeded", PROVISIONING_SUCCEEDED},
		{"succeeded", PROVISIONING_SUCCEEDED},
		{"Failed", PROVISIONING_FAILED},
		{"Canceled", PROVISIONING_CANCELED},
		{"Creating", PROVISIONING_RUNNING},
		{"Updating", PROVISIONING_RUNNING},
		{"Deleting", PROVISIONING_RUNNING},
		{"Accepted", PROVISIONING_RUNNING},
		{"InProgress", PROVISIONING_RUNNING},
		{"Deleted", PROVISIONING_UNKNOWN},
		{"string", PROVISIONING_UNKNOWN},
		{"", PROVISIONING_UNKNOWN},
		{NULL, PROVISIONING_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(provisioning_read(rows[i].word), rows[i].state);
}

static void finds_the_onboarding_package_wherever_it_is(void **state)
{
	json_t *one =
		parse("{\"name\":\"default\",\"properties\":{\"onboardingPackageWindows\":\"W\","
		      "\"onboardingPackageLinux\":\"L\"}}");
	json_t *list = parse("{\"value\":[null,{\"name\":\"Windows\",\"properties\":{"
			     "\"onboardingPackageWindows\":\"W\"}},{\"name\":\"Linux\","
			     "\"properties\":{\"onboardingPackageLinux\":\"L\"}}]}");
	json_t *none = parse("{\"value\":[{\"properties\":{\"onboardingPackageLinux\":\"\"}}]}");

	(void)state;
	assert_string_equal(mde_onboarding_package(one, true), "W");
	assert_string_equal(mde_onboarding_package(one, false), "L");
	assert_string_equal(mde_onboarding_package(list, true), "W");
	assert_string_equal(mde_onboarding_package(list, false), "L");
	assert_null(mde_onboarding_package(none, true));
	assert_null(mde_onboarding_package(none, false));
	assert_null(mde_onboarding_package(NULL, false));
	json_decref(one);
	json_decref(list);
	json_decref(none);
}

/* Any value may stand in any place: a reader may refuse, it may not fall. */
static json_t *any_value(struct rng *r)
{
	switch (rng_below(r, 8)) {
	case 0: return json_null();
	case 1: return json_true();
	case 2: return json_integer((json_int_t)rng_next(r));
	case 3: return json_real(1e300);
	case 4: return json_array();
	case 5: return json_pack("[o]", json_object());
	case 6: return json_object();
	default: return json_string("\xc3\xa4 text");
	}
}

static void spoil(json_t *object, struct rng *r)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, key, value)
	{
		if (rng_below(r, 3) == 0)
			json_object_set_new(object, key, any_value(r));
		else if (json_is_object(value))
			spoil(value, r);
	}
}

static void values_of_wrong_types_are_read_as_absent(void **state)
{
	static const char machine[] =
		"{\"location\":\"l\",\"tags\":{\"MDFCSecurityConnector\":\"true\"},\"properties\":{"
		"\"status\":\"s\",\"lastStatusChange\":\"2026-11-24T14:00:00Z\",\"osType\":\"t\","
		"\"osSku\":\"k\",\"cloudMetadata\":{\"provider\":\"p\"},\"agentConfiguration\":{"
		"\"extensionsEnabled\":\"true\",\"configMode\":\"full\",\"extensionsAllowList\":[],"
		"\"extensionsBlockList\":[]},\"publisher\":\"p\",\"type\":\"t\",\"settings\":{"
		"\"vNextEnabled\":\"true\",\"azureResourceId\":\"x\"},\"instanceView\":{\"status\":"
		"{"
		"\"code\":\"1\",\"level\":\"l\",\"message\":\"m\"}},\"extensions\":[],"
		"\"pricingTier\":\"Free\",\"enforce\":\"True\"}}";
	const uint64_t seed = 20272;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned round = 0; round < 3000; round++) {
		json_t *o = parse(machine);
		const char *name, *message;
		struct arm_machine m;
		struct arm_extension e;
		struct arm_pricing p;

		spoil(o, &r);
		json_object_set_new(o, "id", json_string(MACHINE));
		assert_int_equal(arm_machine_read(o, &m), 0);
		assert_true(m.os_sku == NULL || strlen(m.os_sku) > 0);
		(void)arm_machine_allows(&m, MDE_PUBLISHER, "MDE.Linux");
		(void)arm_machine_is_connector_made(&m);
		json_object_set_new(o, "id", json_string(MACHINE "/extensions/e"));
		assert_int_equal(arm_extension_read(o, &e), 0);
		assert_true(e.status_code == NULL || strlen(e.status_code) > 0);
		json_object_set_new(o, "id", json_string(PRICING_ID));
		assert_int_equal(arm_pricing_read(o, &p), 0);
		(void)arm_pricing_failure(&p, &name, &message);
		(void)mde_onboarding_package(o, true);
		json_decref(o);
	}
}

#define ORGANISATION "0a1b2c3d-0000-4000-8000-00000000000f"

static void the_organisation_is_found_however_a_script_quotes_it(void **state)
{
	static const struct {
		const char *script;
		bool found;
	} rows[] = {
		{"{\"previousOrgIds\":[],\"orgId\":\"" ORGANISATION "\"}", true},
		{"/d \"{\\\"body\\\":\\\"{\\\\\\\"orgId\\\\\\\":\\\\\\\"" ORGANISATION "\\\\\\\"",
			true},
		{"'orgId' : '" ORGANISATION "'", true},
		{"orgId=5 orgId: " ORGANISATION, true},
		{"\"previousOrgIds\":[\"" ORGANISATION "\"]", false},
		{"\"orgId\":\"0a1b2c3d-0000\"}", false},
		{"orgId", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char found[GUID_TEXT_SIZE];

		assert_int_equal(mde_organisation(rows[i].script, found), rows[i].found);
		if (rows[i].found)
			assert_string_equal(found, ORGANISATION);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_may_start_with_a_byte_order_mark),
		cmocka_unit_test(deep_nesting_is_refused_without_harm),
		cmocka_unit_test(switches_come_as_booleans_and_as_words),
		cmocka_unit_test(members_are_found_in_any_casing_and_only_as_texts),
		cmocka_unit_test(reads_subscriptions_of_both_sources),
		cmocka_unit_test(a_document_without_its_id_is_refused),
		cmocka_unit_test(reads_a_plan_with_its_extensions),
		cmocka_unit_test(a_free_plan_has_no_more_than_its_tier),
		cmocka_unit_test(a_failure_may_lack_its_name_and_message),
		cmocka_unit_test(reads_settings),
		cmocka_unit_test(reads_a_connected_machine),
		cmocka_unit_test(a_machine_of_nulls_is_legal_and_says_nothing),
		cmocka_unit_test(the_agents_lists_decide_what_may_be_installed),
		cmocka_unit_test(a_list_without_end_is_not_read),
		cmocka_unit_test(machines_of_connectors_are_known_by_their_tag),
		cmocka_unit_test(reads_an_extension_with_its_status),
		cmocka_unit_test(a_name_that_leads_elsewhere_is_not_taken),
		cmocka_unit_test(an_extensions_code_may_be_a_number_or_missing),
		cmocka_unit_test(extensions_are_known_by_publisher_and_type),
		cmocka_unit_test(an_unknown_provisioning_state_is_not_an_end),
		cmocka_unit_test(finds_the_onboarding_package_wherever_it_is),
		cmocka_unit_test(values_of_wrong_types_are_read_as_absent),
		cmocka_unit_test(the_organisation_is_found_however_a_script_quotes_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
