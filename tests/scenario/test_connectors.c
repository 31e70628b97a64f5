/* SPDX-License-Identifier: Apache-2.0 */
/* Connectors of AWS and GCP, and the machines that they made. */
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CONNECTOR_ID(name) \
	SUB_ID(1) "/resourceGroups/rg/providers/Microsoft.Security/securityConnectors/" name
#define CSPM \
	"{'offeringType': 'CspmMonitorAws', 'nativeCloudConnection': {'cloudRoleArn': 'arn:c'}}"
#define LATER "{'offeringType': 'SomethingLaterAws', 'deep': [{'er': null}, 7]}"
#define AWS_SERVERS(members) \
	"{'offeringType': 'DefenderForServersAws', 'defenderForServers': {'cloudRoleArn':" \
	" 'arn:s'}, 'unknown': {'kept': [1]}" members "}"
#define GCP_SERVERS(members) \
	"{'offeringType': 'DefenderForServersGcp', 'defenderForServers':" \
	" {'workloadIdentityProviderId': 'w', 'serviceAccountEmailAddress': 'a@b'}" members "}"
#define AWS(offerings) \
	"{'name': 'aws', 'account': '1234', 'scanHours': 2, 'offerings': [" offerings "]}"
#define GCP(offerings) \
	"{'name': 'gcp', 'cloud': 'GCP', 'account': '99', 'scanHours': 2, 'offerings': " \
	"[" offerings "]}"
#define CONNECTORS(list) "'connectors': [" list "], "
#define P1 ", 'subPlan': {'type': 'P1'}"
#define P1_WORD ", 'subPlan': 'P1'"
#define P2 ", 'subPlan': {'type': 'P2'}"
#define ARC(on) ", 'arcAutoProvisioning': {'enabled': " on ", 'cloudRoleArn': 'arn:a'}"
#define MDE(on) ", 'mdeAutoProvisioning': {'enabled': " on "}"
#define TVM ", 'vaAutoProvisioning': {'enabled': true, 'configuration': {'type': 'TVM'}}"
#define MADE(name, cloud, tag, account) \
	SERVER(name, \
		LINUX ", 'cloud': '" cloud "', 'tags': {'MDFCSecurityConnector': 'true', '" tag \
		      "': '" account "'}")

#define POLICY(members) \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on\n" \
	"    extension { deploy = after-grace  grace = 0s  first-grace = 0s }\n" \
	"    connector { " members " }\n" \
	"}\n"
#define ENFORCE CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce")
#define OBSERVE CONFIG_SCOPE("subscriptions = { \"*\" }  mode = observe")
#define WHOLE "plan = P2  mde = on  vulnerability-assessment = on"
#define CONFIG \
	CONFIG_POLL POLICY(WHOLE) \
	ENFORCE

static struct scenario *begin_with(const char *subscription, const char *config)
{
	struct scenario *s = scenario_new(
		&(struct scenario_options){.subscriptions = subscription, .config = config});

	scenario_begin(s);
	return s;
}

/* A member of the n-th offering, as JSON text; caller frees. */
static char *offering_text(struct scenario *s, const char *id, size_t n, const char *path)
{
	const json_t *doc = estate_peek(s->estate, id);
	const json_t *value =
		json_path(json_array_get(json_path(doc, "properties.offerings"), n), path);

	return value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : xstrdup("");
}

static void offering_is(
	struct scenario *s, const char *name, size_t n, const char *path, const char *wanted)
{
	mdc_autofree char *id = xasprintf(CONNECTOR_ID("%s"), name);
	char *text = offering_text(s, id, n, path);

	if (!str_equal(text, wanted))
		scenario_fail(s, "%s, offering %zu, %s: %s", name, n, path, text);
	free(text);
}

/* --- first correction --- */

static void test_both_clouds_are_corrected_once_and_their_machines_follow(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			ALL_ON CONNECTORS(AWS(CSPM "," AWS_SERVERS(P1 ARC(
				"false")) "," LATER) "," GCP(GCP_SERVERS(P1_WORD MDE("false")))),
			MADE("i-1", "AWS", "AccountId", "1234") "," MADE(
				"g-1", "GCP", "ProjectNumber", "99")),
		CONFIG);

	(void)state;
	scenario_item_is(s, "i-1", "mde-extension", "waiting", "prerequisite");
	scenario_settle(s, DUR_H(12));
	scenario_item_is(s, "aws", "connector", "compliant", "in-sync");
	scenario_item_is(s, "gcp", "connector", "compliant", "in-sync");
	scenario_writes_are(s, "/securityConnectors/aws", 1, 1);
	scenario_writes_are(s, "/securityConnectors/gcp", 1, 1);
	offering_is(s, "aws", 1, "subPlan", "{\"type\":\"P2\"}");
	offering_is(s, "aws", 1, "mdeAutoProvisioning", "{\"enabled\":true}");
	offering_is(s, "aws", 1, "vaAutoProvisioning.configuration.type", "\"TVM\"");
	/* What the policy does not name stays as it is, and so does what nobody knows. */
	offering_is(s, "aws", 1, "arcAutoProvisioning.enabled", "false");
	offering_is(s, "aws", 1, "vmScanners", "");
	offering_is(s, "aws", 1, "unknown", "{\"kept\":[1]}");
	offering_is(s, "aws", 0, "nativeCloudConnection.cloudRoleArn", "\"arn:c\"");
	offering_is(s, "aws", 2, "deep", "[{\"er\":null},7]");
	offering_is(s, "gcp", 0, "subPlan", "{\"type\":\"P2\"}");
	/* The connectors deployed, not we. */
	assert_int_equal(scenario_protected(s), 2);
	scenario_writes_are(s, "/MDE.Linux", 0, 0);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

/* The Arc agent, Defender for Endpoint, the assessment, scanning; the retired agent is only told.
 */
static void test_every_switch_that_the_policy_names_is_on_in_both_clouds(void **state)
{
	static const char *const parts[] = {"arcAutoProvisioning.enabled",
		"mdeAutoProvisioning.enabled", "vaAutoProvisioning.enabled", "vmScanners.enabled"};
	static const struct {
		const char *name;
		size_t offering;
	} both[] = {{"aws", 1}, {"gcp", 0}};
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			ALL_ON "'autoProvision': 'On', " CONNECTORS(AWS(CSPM "," AWS_SERVERS(
				P2 ARC("false") ", 'vmScanners': {'enabled': false,"
						" 'cloudRoleArn': 'arn:v', "
						"'configuration': {'scanningMode': "
						"'Default'}}")) "," GCP(GCP_SERVERS(P2))),
			SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
		CONFIG_POLL POLICY(WHOLE "  arc = on  agentless = on") ENFORCE);

	(void)state;
	scenario_settle(s, DUR_H(12));
	scenario_run(s, DUR_H(1));
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		scenario_item_is(s, both[i].name, "connector", "compliant", "in-sync");
		for (size_t k = 0; k < ARRAY_LEN(parts); k++)
			offering_is(s, both[i].name, both[i].offering, parts[k], "true");
		assert_string_equal(scenario_fact(s, both[i].name,
					    "Log Analytics agent auto-provisioning (retired)"),
			"On");
	}
	assert_string_equal(scenario_fact(s, "aws", "arcAutoProvisioning.cloudRoleArn"), "arn:a");
	offering_is(s, "aws", 1, "vmScanners.cloudRoleArn", "\"arn:v\"");
	offering_is(s, "aws", 1, "vmScanners.configuration.scanningMode", "\"Default\"");
	scenario_writes_are(s, NULL, 2, 2);
	scenario_is_good(s);
}

static void test_a_machine_that_the_connector_leaves_out_is_ours_after_two_scans(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, ALL_ON CONNECTORS(AWS(AWS_SERVERS(P2 MDE("false") TVM))),
				   SERVER("i-1",
					   LINUX UNREACHED
					   ", 'cloud': 'AWS', 'tags': {'MDFCSecurityConnector':"
					   " 'true', 'AccountId': '1234'}")),
			CONFIG);

	(void)state;
	scenario_await(s, "i-1", "mde-extension", "waiting", DUR_H(1));
	scenario_run(s, DUR_H(3));
	scenario_item_is(s, "i-1", "mde-extension", "waiting", "grace");
	scenario_writes_are(s, "/MDE.Linux", 0, 0);
	scenario_settle(s, DUR_H(6));
	scenario_item_is(s, "i-1", "mde-extension", "compliant", NULL);
	scenario_writes_are(s, "/MDE.Linux", 1, 1);
	scenario_is_good(s);
}

static void test_what_is_in_order_or_not_named_is_left_alone(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			ALL_ON CONNECTORS(AWS(AWS_SERVERS(P2 MDE("true") TVM ARC("false"))) "," GCP(
				GCP_SERVERS(P2 MDE("true") TVM))),
			SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
		CONFIG);

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "aws", "connector", "compliant", "in-sync");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_reload(s, CONFIG_POLL CONFIG_POLICY ENFORCE);
	scenario_run(s, DUR_H(1));
	assert_null(scenario_item(s, "aws", "connector"));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_nothing_is_written_in_observe_mode(void **state)
{
	scenario_auto *s = begin_with(SUBSCRIPTION(1, ALL_ON CONNECTORS(AWS(AWS_SERVERS(P1))),
					      SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
		CONFIG_POLL POLICY(WHOLE) OBSERVE);
	const json_t *answer;

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "aws", "connector", "drifted", "connector-plan");
	answer = scenario_command(s, "explain", "{'target': 'aws'}");
	assert_string_equal(json_path_text(answer, "connector"), "aws");
	assert_int_equal(json_array_size(json_path(
				 json_array_get(json_path(answer, "items"), 0), "differences")),
		3);
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

/* --- drift --- */

static void test_a_switch_that_is_turned_off_is_put_back_and_not_a_third_time(void **state)
{
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1, ALL_ON CONNECTORS(AWS(CSPM "," AWS_SERVERS(P2 MDE("true") TVM))),
			SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
		CONFIG);
	size_t put_back = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		scenario_meddle(s, CONNECTOR_ID("aws"), "properties.offerings",
			"[" CSPM "," AWS_SERVERS(P2 MDE("false") TVM) "]");
		scenario_run(s, DUR_H(2));
		if (scenario_writes(s, "/securityConnectors/aws") > put_back)
			put_back++;
	}
	assert_int_equal(put_back, 2);
	scenario_item_is(s, "aws", "connector", "blocked", "conflict");
	scenario_is_good(s);
}

/* --- what stands in the way --- */

static void test_what_only_a_person_can_do_is_told(void **state)
{
	static const struct {
		const char *connector, *reason, *remedy;
	} rows[] = {
		{"bare", "connector-not-offered", "CloudFormation"},
		{"aws", "connector-role", "CloudFormation"},
	};
	scenario_auto *s = begin_with(
		SUBSCRIPTION(1,
			ALL_ON CONNECTORS("{'name': 'bare', 'account': '5', 'offerings': [" CSPM
					  "]}, " AWS("{'offeringType': 'DefenderForServersAws', "
						     "'subPlan': {'type': 'P2'}}")),
			SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
		CONFIG);

	(void)state;
	scenario_run(s, DUR_H(12));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		scenario_item_is(s, rows[i].connector, "connector", "blocked", rows[i].reason);
		scenario_help_holds(s, rows[i].connector, "connector", rows[i].remedy);
	}
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_a_missing_permission_blocks_and_heals(void **state)
{
	scenario_auto *s = begin_with(SUBSCRIPTION(1, ALL_ON CONNECTORS(AWS(AWS_SERVERS(P1))),
					      SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
		CONFIG_POLL POLICY(WHOLE) OBSERVE);

	(void)state;
	scenario_faults(s,
		"[{'when': {'method': 'PUT', 'path': '/securityConnectors/'},"
		" 'do': {'status': 403, 'code': 'AuthorizationFailed'}}]");
	scenario_reload(s, CONFIG);
	scenario_command(s, "confirm", "{}");
	scenario_await(s, "aws", "connector", "blocked", DUR_H(2));
	scenario_item_is(s, "aws", "connector", "blocked", "denied");
	scenario_faults(s, NULL);
	scenario_await(s, "aws", "connector", "compliant", DUR_DAYS(2));
	offering_is(s, "aws", 0, "subPlan", "{\"type\":\"P2\"}");
}

static void test_nothing_is_written_while_the_list_is_cut(void **state)
{
	static const char *const cuts[] = {"'status': 500", "'delivery': 'truncate'",
		"'content': 'malformed'", "'list': 'endless'", "'list': 'foreign'"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		scenario_auto *s = scenario_new(&(struct scenario_options){
			.subscriptions = SUBSCRIPTION(1, ALL_ON CONNECTORS(AWS(AWS_SERVERS(P1))),
				SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
			.config = CONFIG});
		mdc_autofree char *rules =
			xasprintf("[{'when': {'method': 'GET', 'path': '/securityConnectors$'},"
				  " 'do': {%s}}]",
				cuts[i]);

		scenario_faults(s, rules);
		scenario_start(s);
		scenario_run(s, DUR_H(1));
		scenario_command(s, "confirm", NULL);
		scenario_run(s, DUR_H(2));
		scenario_writes_are(s, NULL, 0, 0);
		scenario_faults(s, NULL);
		scenario_await(s, "aws", "connector", "compliant", DUR_H(2));
		scenario_writes_are(s, "/securityConnectors/aws", 1, 1);
	}
}

static void test_a_deleted_connector_vanishes_before_it_is_forgotten(void **state)
{
	scenario_auto *s =
		begin_with(SUBSCRIPTION(1, ALL_ON CONNECTORS(AWS(AWS_SERVERS(P2 MDE("true") TVM))),
				   SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
			CONFIG);

	(void)state;
	scenario_meddle(s, CONNECTOR_ID("aws"), NULL, NULL);
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "aws", "connector", "unknown", "vanished");
	scenario_run(s, DUR_DAYS(1));
	assert_null(scenario_item(s, "aws", "connector"));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_history_is_whole(s);
}

static void test_a_crash_while_it_writes_repeats_nothing(void **state)
{
	(void)state;
	for (uint64_t at = 1; at <= 6; at++) {
		scenario_auto *s =
			begin_with(SUBSCRIPTION(1, ALL_ON CONNECTORS(AWS(CSPM "," AWS_SERVERS(P1))),
					   SERVER("lin1", LINUX WITH_SENSOR("MDE.Linux"))),
				CONFIG_POLL POLICY(WHOLE) OBSERVE);

		scenario_reload(s, CONFIG);
		scenario_command(s, "confirm", "{}");
		scenario_crash_within(s, at, DUR_MIN(20));
		scenario_settle(s, DUR_H(12));
		scenario_item_is(s, "aws", "connector", "compliant", "in-sync");
		scenario_writes_are(s, "/securityConnectors/aws", 1, 1);
		scenario_is_good(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_clouds_are_corrected_once_and_their_machines_follow),
		cmocka_unit_test(test_every_switch_that_the_policy_names_is_on_in_both_clouds),
		cmocka_unit_test(
			test_a_machine_that_the_connector_leaves_out_is_ours_after_two_scans),
		cmocka_unit_test(test_what_is_in_order_or_not_named_is_left_alone),
		cmocka_unit_test(test_nothing_is_written_in_observe_mode),
		cmocka_unit_test(test_a_switch_that_is_turned_off_is_put_back_and_not_a_third_time),
		cmocka_unit_test(test_what_only_a_person_can_do_is_told),
		cmocka_unit_test(test_a_missing_permission_blocks_and_heals),
		cmocka_unit_test(test_nothing_is_written_while_the_list_is_cut),
		cmocka_unit_test(test_a_deleted_connector_vanishes_before_it_is_forgotten),
		cmocka_unit_test(test_a_crash_while_it_writes_repeats_nothing),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
