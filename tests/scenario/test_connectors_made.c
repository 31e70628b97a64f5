/* SPDX-License-Identifier: Apache-2.0 */
/* Connectors of AWS and GCP that the configuration describes: made once, and never over others. */
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CONNECTOR_OF(n, name) \
	SUB_ID(n) "/resourceGroups/rg/providers/Microsoft.Security/securityConnectors/" name
#define CONNECTOR(name) CONNECTOR_OF(1, name)
#define GROUP "'groups': [{'name': 'rg'}], "
#define ACCOUNT "123456789012"
#define ROLE(name) "arn:aws:iam::" ACCOUNT ":role/" name
#define GCP_ACCOUNT "microsoft-defender-for-servers@servers-prod.iam.gserviceaccount.com"
#define SERVERS(members) \
	"{'offeringType': 'DefenderForServersAws', 'defenderForServers': {'cloudRoleArn': '" ROLE( \
		"servers") "'}" members "}"
#define WHOLE \
	", 'subPlan': {'type': 'P2'}, 'mdeAutoProvisioning': {'enabled': true}," \
	" 'vaAutoProvisioning': {'enabled': true, 'configuration': {'type': 'TVM'}}"
#define CONNECTORS(name, account, members) \
	"'connectors': [{'name': '" name "', 'account': '" account "', 'scanHours': 2," \
	" 'offerings': [" SERVERS(members) "]}], "
#define ANY_SERVER SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))

#define POLICY(members) \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on\n" \
	"    extension { deploy = after-grace  grace = 0s  first-grace = 0s }\n" \
	"    connector { " members " }\n" \
	"}\n"
#define ALL_PARTS "plan = P2  mde = on  vulnerability-assessment = on"
#define AWS_IN(subscription) \
	"    aws-connector \"aws\" {\n" \
	"        subscription = \"" subscription "\"\n" \
	"        resource-group = \"rg\"  location = \"westeurope\"  scan-hours = 2\n" \
	"        account = \"" ACCOUNT \
	"\"  servers-role = \"" ROLE("servers") "\"\n" \
						"        arc-role = \"" ROLE("arc") "\"\n" \
										    "    }\n"
#define AWS AWS_IN(SUB(1))
#define GCP \
	"    gcp-connector \"gcp\" {\n" \
	"        subscription = \"" SUB( \
		1) "\"\n" \
		   "        resource-group = \"rg\"  location = \"westeurope\"\n" \
		   "        project-number = \"7788\"  project-id = \"servers-prod\"\n" \
		   "        workload-identity-provider = \"defender-for-servers\"\n" \
		   "        service-account = \"" GCP_ACCOUNT "\"\n" \
		   "    }\n"
#define CONFIG_WITH(policy, mode, connectors) \
	CONFIG_POLL POLICY(policy) \
		CONFIG_SCOPE("subscriptions = { \"*\" }  mode = " mode "\n" connectors)
#define CONFIG CONFIG_WITH(ALL_PARTS, "enforce", AWS)
#define MADE_IS_FINE "'allowedWrites': ['connector-made']"

static struct scenario *begin(const char *subscriptions, const char *config)
{
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = MADE_IS_FINE, .config = config});

	scenario_begin(s);
	return s;
}

static void member_is(struct scenario *s, const char *id, const char *path, const char *wanted)
{
	const json_t *value = json_path(estate_peek(s->estate, id), path);
	char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)
				   : xstrdup("nothing");

	if (!str_equal(text, wanted))
		scenario_fail(s, "%s of %s: %s", path, id, text);
	free(text);
}

/* Whether explain lists that among the work by hand of the connector. */
static bool is_by_hand(struct scenario *s, const char *target, const char *part)
{
	const json_t *item = scenario_explained(s, target, "connector");
	size_t i;
	json_t *line;

	json_array_foreach (json_path(item, "by_hand"), i, line)
		if (strstr(json_string_value(line), part) != NULL)
			return true;
	return false;
}

/* --- R11 --- */

static void test_described_connectors_of_both_clouds_are_made_once_as_described(void **state)
{
	static const char aws_offering[] = "[{\"arcAutoProvisioning\":{\"cloudRoleArn\":\"" ROLE(
		"arc") "\",\"enabled\":false},\"defenderForServers\":{\"cloudRoleArn\":"
		       "\"" ROLE("servers") "\"},\"description\":"
					    "\"DefenderForServersAws offering\","
					    "\"mdeAutoProvisioning\":{\"enabled\":true},"
					    "\"offeringType\":\"DefenderForServersAws\","
					    "\"subPlan\":{\"type\":\"P2\"},"
					    "\"vaAutoProvisioning\":{\"configuration\":{"
					    "\"type\":\"TVM\"},\"enabled\":true},"
					    "\"vmScanners\":{\"enabled\":false}}]";
	scenario_auto *s = begin(SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER),
		CONFIG_WITH(ALL_PARTS, "enforce", AWS GCP));
	const json_t *offerings;
	char *text;

	(void)state;
	scenario_settle(s, DUR_H(12));
	scenario_item_is(s, "aws", "connector", "compliant", "in-sync");
	scenario_item_is(s, "gcp", "connector", "compliant", "in-sync");
	scenario_run(s, DUR_DAYS(2));
	scenario_writes_are(s, NULL, 2, 2);
	member_is(s, CONNECTOR("aws"), "location", "\"westeurope\"");
	member_is(s, CONNECTOR("aws"), "properties.hierarchyIdentifier", "\"" ACCOUNT "\"");
	member_is(s, CONNECTOR("aws"), "properties.environmentData",
		"{\"environmentType\":\"AwsAccount\",\"scanInterval\":2}");
	offerings = json_path(estate_peek(s->estate, CONNECTOR("aws")), "properties.offerings");
	text = json_dumps(offerings, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, aws_offering);
	free(text);
	member_is(s, CONNECTOR("gcp"), "properties.environmentData",
		"{\"environmentType\":\"GcpProject\",\"scanInterval\":12,\"projectDetails\":"
		"{\"projectNumber\":\"7788\",\"projectId\":\"servers-prod\"}}");
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_nothing_is_made_where_nothing_is_described(void **state)
{
	scenario_auto *s = begin(
		SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER), CONFIG_WITH(ALL_PARTS, "enforce", ""));

	(void)state;
	scenario_run(s, DUR_DAYS(2));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_in_observe_mode_it_is_only_told_with_the_work_by_hand(void **state)
{
	static const char *const aws[] = {
		"CloudFormation", "OIDC", ROLE("servers"), ROLE("arc"), "SSM agent", "Owner"};
	static const char *const gcp[] = {
		"workload identity pool", GCP_ACCOUNT, "APIs", "OS Config agent"};
	scenario_auto *s = begin(SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER),
		CONFIG_WITH(ALL_PARTS "  arc = on", "observe", AWS GCP));
	const json_t *answer;

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "aws", "connector", "drifted", "connector-absent");
	scenario_item_is(s, "gcp", "connector", "drifted", "connector-absent");
	for (size_t i = 0; i < ARRAY_LEN(aws); i++)
		if (!is_by_hand(s, "aws", aws[i]))
			scenario_fail(s, "aws: no %s", aws[i]);
	for (size_t i = 0; i < ARRAY_LEN(gcp); i++)
		if (!is_by_hand(s, "gcp", gcp[i]))
			scenario_fail(s, "gcp: no %s", gcp[i]);
	answer = scenario_command(s, "plan", "{}");
	assert_int_equal(json_array_size(json_path(answer, "steps")), 2);
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

/* --- what is there already --- */

static void test_a_connector_that_is_there_is_never_made_anew(void **state)
{
	scenario_auto *s = begin(
		SUBSCRIPTION(1, ALL_ON CONNECTORS("aws", ACCOUNT, ", 'subPlan': {'type': 'P1'}"),
			ANY_SERVER),
		CONFIG);

	(void)state;
	scenario_settle(s, DUR_H(12));
	scenario_item_is(s, "aws", "connector", "compliant", "in-sync");
	/* Only the offering's own plan and switches; the interval that is described is not its. */
	scenario_writes_are(s, "/securityConnectors/aws", 1, 1);
	member_is(s, CONNECTOR("aws"), "properties.environmentData.accountName", "\"account\"");
	scenario_is_good(s);
}

static void test_another_connector_of_the_account_anywhere_blocks_and_is_named(void **state)
{
	scenario_auto *s = begin(SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER) "," SUBSCRIPTION(
					 2, ALL_ON CONNECTORS("mine", ACCOUNT, WHOLE), ),
		CONFIG);
	const json_t *item;

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "aws", "connector", "blocked", "connector-taken");
	item = scenario_explained(s, "aws", "connector");
	assert_string_equal(json_text(item, "detail"), CONNECTOR_OF(2, "mine"));
	scenario_writes_are(s, NULL, 0, 0);
	/* When it goes, the account is free. */
	scenario_meddle(s, CONNECTOR_OF(2, "mine"), NULL, NULL);
	scenario_await(s, "aws", "connector", "compliant", DUR_DAYS(2));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

static void test_what_is_there_under_the_name_but_otherwise_is_told_and_left(void **state)
{
	static const struct {
		const char *connectors, *reason;
	} rows[] = {
		{CONNECTORS("aws", "999999999999", WHOLE), "connector-other"},
		{CONNECTORS("aws", ACCOUNT,
			 WHOLE ", 'arcAutoProvisioning': {'enabled': false, 'cloudRoleArn': '" ROLE(
				 "else") "'}"),
			"connector-identity"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *members = xasprintf(ALL_ON "%s", rows[i].connectors);
		mdc_autofree char *subscription =
			xasprintf("{'id': '" SUB(1) "', 'name': 'sub1', 'tenant': '" TENANT "', "
						    "%s 'machines': [" ANY_SERVER "]}",
				members);
		scenario_auto *s = begin(subscription, CONFIG);

		scenario_run(s, DUR_DAYS(1));
		scenario_item_is(s, "aws", "connector", "blocked", rows[i].reason);
		scenario_writes_are(s, NULL, 0, 0);
		scenario_is_good(s);
	}
}

/* --- what stands in the way --- */

static void test_a_resource_group_that_is_not_there_is_told_and_not_made(void **state)
{
	scenario_auto *s = begin(SUBSCRIPTION(1, ALL_ON, ""), CONFIG);

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "aws", "connector", "blocked", "group-missing");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_each_refusal_has_its_meaning_and_heals(void **state)
{
	static const struct {
		const char *answer, *reason;
	} rows[] = {
		{"'status': 409, 'code': 'Conflict'", "connector-taken"},
		{"'status': 400, 'code': 'InvalidInputJson'", "connector-refused"},
		{"'status': 403, 'code': 'AuthorizationFailed'", "denied"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *faults =
			xasprintf("[{'when': {'method': 'PUT', 'path': '/securityConnectors/'},"
				  " 'do': {%s}}]",
				rows[i].answer);
		scenario_auto *s = begin(SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER),
			CONFIG_WITH(ALL_PARTS, "observe", AWS));

		scenario_faults(s, faults);
		scenario_reload(s, CONFIG);
		scenario_command(s, "confirm", "{}");
		scenario_await(s, "aws", "connector", "blocked", DUR_H(2));
		scenario_item_is(s, "aws", "connector", "blocked", rows[i].reason);
		scenario_faults(s, NULL);
		scenario_await(s, "aws", "connector", "compliant", DUR_DAYS(3));
		assert_true(scenario_exists(s, CONNECTOR("aws")));
	}
}

static void test_nothing_is_made_while_a_list_of_connectors_is_missing(void **state)
{
	static const char *const lists[] = {SUB(1) "/providers/Microsoft.Security/"
						   "securityConnectors$",
		SUB(2) "/providers/Microsoft.Security/securityConnectors$"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		mdc_autofree char *faults = xasprintf(
			"[{'when': {'method': 'GET', 'path': '%s'}, 'do': {'status': 500}}]",
			lists[i]);
		scenario_auto *s = scenario_new(&(struct scenario_options){
			.subscriptions = SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER) "," SUBSCRIPTION(
				2, ALL_ON, ),
			.document = MADE_IS_FINE,
			.config = CONFIG});

		scenario_faults(s, faults);
		scenario_start(s);
		scenario_run(s, DUR_H(1));
		scenario_command(s, "confirm", NULL);
		scenario_run(s, DUR_H(3));
		scenario_writes_are(s, NULL, 0, 0);
		scenario_faults(s, NULL);
		scenario_await(s, "aws", "connector", "compliant", DUR_H(3));
		scenario_writes_are(s, NULL, 1, 1);
		scenario_is_good(s);
	}
}

/* Between list and write somebody else makes it: theirs is corrected, and not replaced. */
static void test_one_that_appears_right_before_the_write_is_not_overwritten(void **state)
{
	static const char theirs[] =
		"{'location': 'northeurope', 'tags': {'by': 'hand'}, 'properties': {"
		"'hierarchyIdentifier': '" ACCOUNT "', 'environmentName': 'AWS',"
		"'environmentData': {'environmentType': 'AwsAccount', 'scanInterval': 24},"
		"'offerings': [" SERVERS(", 'subPlan': {'type': 'P1'}") "]}}";
	scenario_auto *s = begin(
		SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER), CONFIG_WITH(ALL_PARTS, "observe", AWS));

	(void)state;
	scenario_item_is(s, "aws", "connector", "drifted", "connector-absent");
	assert_int_equal(
		scenario_other_put(s, CONNECTOR("aws"), "2024-08-01-preview", theirs), 201);
	scenario_reload(s, CONFIG);
	scenario_command(s, "confirm", "{}");
	scenario_await(s, "aws", "connector", "compliant", DUR_H(2));
	member_is(s, CONNECTOR("aws"), "location", "\"northeurope\"");
	member_is(s, CONNECTOR("aws"), "tags", "{\"by\":\"hand\"}");
	member_is(s, CONNECTOR("aws"), "properties.environmentData.scanInterval", "24");
}

static void test_one_that_is_deleted_is_made_again_and_not_a_third_time(void **state)
{
	scenario_auto *s = begin(SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER), CONFIG);

	(void)state;
	scenario_settle(s, DUR_H(12));
	while (scenario_exists(s, CONNECTOR("aws"))) {
		assert_true(scenario_writes(s, "/securityConnectors/aws") <= 2);
		scenario_meddle(s, CONNECTOR("aws"), NULL, NULL);
		scenario_run(s, DUR_H(2));
	}
	scenario_writes_are(s, "/securityConnectors/aws", 2, 2);
	scenario_item_is(s, "aws", "connector", "blocked", "conflict");
}

static void test_a_description_that_is_taken_back_leaves_no_trace(void **state)
{
	scenario_auto *s = begin(
		SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER), CONFIG_WITH(ALL_PARTS, "observe", AWS));

	(void)state;
	scenario_item_is(s, "aws", "connector", "drifted", "connector-absent");
	scenario_reload(s, CONFIG_WITH(ALL_PARTS, "observe", ""));
	scenario_run(s, DUR_H(1));
	assert_null(scenario_item(s, "aws", "connector"));
	scenario_history_is_whole(s);
}

static void test_a_crash_while_it_is_made_repeats_nothing(void **state)
{
	(void)state;
	for (uint64_t at = 1; at <= 6; at++) {
		scenario_auto *s = begin(SUBSCRIPTION(1, ALL_ON GROUP, ANY_SERVER),
			CONFIG_WITH(ALL_PARTS, "observe", AWS));

		scenario_reload(s, CONFIG);
		scenario_command(s, "confirm", "{}");
		scenario_crash_within(s, at, DUR_MIN(20));
		scenario_settle(s, DUR_H(12));
		scenario_item_is(s, "aws", "connector", "compliant", "in-sync");
		scenario_writes_are(s, "/securityConnectors/aws", 1, 1);
		scenario_is_good(s);
	}
}

/* --- R12, R13 --- */

/* What was made is kept, each switch that the policy names, and the machines follow it. */
static void test_what_was_made_is_kept_and_its_machines_are_corrected_through_it(void **state)
{
	scenario_auto *s =
		begin(SUBSCRIPTION(1, ALL_ON GROUP,
			      SERVER("i-1",
				      LINUX ", 'cloud': 'AWS', 'tags': {'MDFCSecurityConnector':"
					    " 'true', 'AccountId': '" ACCOUNT "'}")),
			CONFIG);
	const json_t *offering;

	(void)state;
	scenario_settle(s, DUR_DAYS(1));
	scenario_item_is(s, "aws", "connector", "compliant", "in-sync");
	assert_int_equal(scenario_protected(s), 1);
	scenario_writes_are(s, "/MDE.Linux", 0, 0);
	scenario_meddle(s, CONNECTOR("aws"), "properties.offerings",
		"[" SERVERS(
			", 'subPlan': {'type': 'P2'}, 'mdeAutoProvisioning': {'enabled': false},"
			" 'vaAutoProvisioning': {'enabled': false}") "]");
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "aws", "connector", "compliant", "in-sync");
	scenario_writes_are(s, NULL, 2, 2);
	offering = json_array_get(
		json_path(estate_peek(s->estate, CONNECTOR("aws")), "properties.offerings"), 0);
	assert_true(json_is_true(json_path(offering, "mdeAutoProvisioning.enabled")));
	assert_string_equal(
		json_path_text(offering, "vaAutoProvisioning.configuration.type"), "TVM");
	scenario_is_good(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_described_connectors_of_both_clouds_are_made_once_as_described),
		cmocka_unit_test(test_nothing_is_made_where_nothing_is_described),
		cmocka_unit_test(test_in_observe_mode_it_is_only_told_with_the_work_by_hand),
		cmocka_unit_test(test_a_connector_that_is_there_is_never_made_anew),
		cmocka_unit_test(
			test_another_connector_of_the_account_anywhere_blocks_and_is_named),
		cmocka_unit_test(test_what_is_there_under_the_name_but_otherwise_is_told_and_left),
		cmocka_unit_test(test_a_resource_group_that_is_not_there_is_told_and_not_made),
		cmocka_unit_test(test_each_refusal_has_its_meaning_and_heals),
		cmocka_unit_test(test_nothing_is_made_while_a_list_of_connectors_is_missing),
		cmocka_unit_test(test_one_that_appears_right_before_the_write_is_not_overwritten),
		cmocka_unit_test(test_one_that_is_deleted_is_made_again_and_not_a_third_time),
		cmocka_unit_test(test_a_description_that_is_taken_back_leaves_no_trace),
		cmocka_unit_test(test_a_crash_while_it_is_made_repeats_nothing),
		cmocka_unit_test(
			test_what_was_made_is_kept_and_its_machines_are_corrected_through_it),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
