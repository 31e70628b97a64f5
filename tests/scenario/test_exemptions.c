/* SPDX-License-Identifier: Apache-2.0 */
/* Exemptions of Azure Policy: honoured where a scope says so. It begins on 2026-11-24, 08:00 UTC.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEFINITION(guid) "/providers/Microsoft.Authorization/policyDefinitions/" guid
#define WINDOWS_SENSOR DEFINITION("37c043a6-6d64-656d-6465-b362dfeb354a")
#define LINUX_SENSOR DEFINITION("4eb909e7-6d64-656d-6465-2eeb297a1625")
#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define ASSIGNED "'assignments': [{'name': 'mde', 'definition': '" WINDOWS_SENSOR "'}], "
#define OF_SET \
	"'policySets': [{'name': 'both', 'definitions': ['" WINDOWS_SENSOR "', '" LINUX_SENSOR \
	"']}], 'assignments': [{'name': 'mde', 'definition': '" SUB_ID( \
		1) "/providers/Microsoft.Authorization/policySetDefinitions/both'}], "
#define EXEMPT(members) \
	"'exemptions': [{'name': 'lab', 'assignment': 'mde', 'requestedBy': 'lab team', " \
	"'ticket': " \
	"'CHG-9', 'description': 'rebuilt every night'" members "}], "
#define EXEMPTION_ID MACHINE("web1") "/providers/Microsoft.Authorization/policyExemptions/later"
#define LATER \
	"{'id': '" EXEMPTION_ID \
	"', 'name': 'later', 'properties': {'policyAssignmentId': '" SUB_ID( \
		1) "/providers/Microsoft.Authorization/policyAssignments/mde', " \
		   "'exemptionCategory': 'Mitigated'}, " \
		   "'type': 'Microsoft.Authorization/policyExemptions'}"
#define WEB1 SERVER("web1", WINDOWS)
#define WEB2 SERVER("web2", LINUX)
#define CONFIG(members) \
	CONFIG_POLL_SLOW "expiry-grace = 2d\n" \
			 "policy \"servers\" { plan = P2  integration = on  policy-grace = 0s\n" \
			 "    extension { deploy = after-grace  grace = 0s  first-grace = 0s } " \
			 "}\n" CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce  " members)
#define HONOURED CONFIG("honour-exemptions = on")

static struct scenario *estate_of(const char *members, const char *config)
{
	mdc_autofree char *all = xasprintf(SUBSCRIPTION(1, ALL_ON "%s", WEB1 "," WEB2), members);
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = all, .document = DEPLOYER_OFF, .config = config});

	scenario_begin(s);
	return s;
}

static void is_written_to(struct scenario *s, size_t row, bool web1, bool web2)
{
	if ((scenario_writes(s, "/web1/extensions/MDE.Windows") > 0) != web1)
		scenario_fail(s, "row %zu: web1 was %swritten to", row, web1 ? "not " : "");
	if ((scenario_writes(s, "/web2/extensions/MDE.Linux") > 0) != web2)
		scenario_fail(s, "row %zu: web2 was %swritten to", row, web2 ? "not " : "");
}

/* Which exemptions exclude, and whom. */
static const struct {
	const char *members, *config;
	bool web1, web2; /* are written to */
} exemptions[] = {
	{ASSIGNED EXEMPT(""), HONOURED, false, true},
	{ASSIGNED EXEMPT(", 'scope': '" SUB_ID(1) "/resourceGroups/RG'"), HONOURED, false, true},
	{ASSIGNED EXEMPT(", 'scope': '" MACHINE("WEB1") "'"), HONOURED, false, true},
	{ASSIGNED EXEMPT(", 'scope': '/providers/Microsoft.Management/managementGroups/mg'"),
		HONOURED, false, true},
	{ASSIGNED EXEMPT(", 'expires': '+300d'"), HONOURED, false, true},
	/* Of the set, or of one of its definitions. */
	{OF_SET EXEMPT(""), HONOURED, false, false},
	{OF_SET EXEMPT(", 'references': ['reference-1']"), HONOURED, true, false},
	/* Off is the default. */
	{ASSIGNED EXEMPT(""), CONFIG(""), true, true},
	/* Somewhere else, ended long ago, or from something that has nothing to do with it. */
	{ASSIGNED EXEMPT(", 'scope': '" SUB_ID(1) "/resourceGroups/r'"), HONOURED, true, true},
	{ASSIGNED EXEMPT(", 'expires': '-3d'"), HONOURED, true, true},
	{"'assignments': [{'name': 'mde', 'definition': '" DEFINITION(
		 "1e30110a-5ceb-460c-a204-c1c3969c6d62") "'}], " EXEMPT(""),
		HONOURED, true, true},
	{EXEMPT(""), HONOURED, true, true},
	/* One's own, by the name of the assignment. */
	{"'assignments': [{'name': 'mde', 'definition': '" DEFINITION(
		 "1e30110a-5ceb-460c-a204-c1c3969c6d62") "'}], " EXEMPT(""),
		CONFIG("honour-exemptions = on  exemptions-of = { \"MDE\" }"), false, false},
	{"'assignments': [{'name': 'mde', 'definition': '" DEFINITION(
		 "1e30110a-5ceb-460c-a204-c1c3969c6d62") "'}], " EXEMPT(""),
		CONFIG("honour-exemptions = on  exemptions-of = { "
		       "\"1e30110a-5ceb-460c-a204-c1c3969c6d62\" }"),
		false, false},
	/* An assignment that only looks says where the sensor is not missed. */
	{"'assignments': [{'name': 'mde', 'effect': 'AuditIfNotExists', 'definition': "
	 "'" WINDOWS_SENSOR "'}], " EXEMPT(""),
		HONOURED, false, true},
};

static void test_exemptions_exclude_whom_they_reach(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(exemptions); i++) {
		scenario_auto *s = estate_of(exemptions[i].members, exemptions[i].config);

		scenario_run(s, DUR_H(6));
		is_written_to(s, i, exemptions[i].web1, exemptions[i].web2);
		scenario_item_is(s, "web1", "mde-extension",
			exemptions[i].web1 ? "compliant" : "excluded",
			exemptions[i].web1 ? NULL : "exempt");
		scenario_is_good(s);
	}
}

static bool explains(struct scenario *s, const char *target, const char *text)
{
	mdc_autofree char *arguments = xasprintf("{'target': '%s'}", target);
	mdc_autofree char *answer =
		json_dumps(scenario_command(s, "explain", arguments), JSON_ENCODE_ANY);

	return strstr(answer, text) != NULL;
}

static void test_an_exemption_is_explained_with_who_and_until_when(void **state)
{
	scenario_auto *s = estate_of(ASSIGNED EXEMPT(", 'expires': '+300d'"), HONOURED);

	(void)state;
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "web1", "mde-extension", "excluded", "exempt");
	assert_true(explains(s, "web1",
		"\\\"lab\\\" (Waiver) from \\\"mde\\\" by lab team, CHG-9, until 2027-09-20T"));
	assert_true(explains(s, "web1", "rebuilt every night"));
	assert_true(explains(s, "web1", "honour-exemptions"));
	assert_false(explains(s, "web2", "CHG-9"));
}

static void test_an_exemption_that_comes_and_goes_is_followed(void **state)
{
	scenario_auto *s = estate_of(ASSIGNED, HONOURED);

	(void)state;
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(4));
	scenario_meddle(s, EXEMPTION_ID, NULL, LATER);
	scenario_await(s, "web1", "mde-extension", "excluded", DUR_H(2));
	scenario_meddle(s, SENSOR("web1", "MDE.Windows"), NULL, NULL);
	scenario_run(s, DUR_DAYS(3));
	scenario_item_is(s, "web1", "mde-extension", "excluded", "exempt");
	scenario_writes_are(s, "/web1/extensions/MDE.Windows", 1, 1);
	scenario_meddle(s, EXEMPTION_ID, NULL, NULL);
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(4));
	scenario_writes_are(s, "/web1/extensions/MDE.Windows", 2, 2);
	scenario_is_good(s);
}

#define ENDED "policy exemption \"lab\" of scope \"all\" has ended"

static void test_an_exemption_that_ended_holds_with_a_warning_and_then_no_more(void **state)
{
	scenario_auto *s = estate_of(ASSIGNED EXEMPT(", 'expires': '+33h'"), HONOURED);

	(void)state;
	scenario_run(s, DUR_H(32));
	scenario_item_is(s, "web1", "mde-extension", "excluded", "exempt");
	assert_int_equal(scenario_traced(s, ENDED), 0);
	scenario_run(s, DUR_H(2));
	assert_int_equal(scenario_traced(s, ENDED), 1);
	assert_int_not_equal(scenario_traced(s, "lab team, CHG-9 answers for it"), 0);
	scenario_run(s, DUR_H(44));
	scenario_item_is(s, "web1", "mde-extension", "excluded", "exempt");
	assert_int_equal(scenario_traced(s, ENDED), 2);
	scenario_writes_are(s, "/web1/extensions/MDE.Windows", 0, 0);
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(8));
	scenario_run(s, DUR_DAYS(2));
	assert_int_equal(scenario_traced(s, ENDED), 2);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

/* Graph would show none, which is not what the identity without the right knows. */
static void test_exemptions_that_may_not_be_read_stop_writing_and_are_told(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON ASSIGNED EXEMPT(""), WEB1 "," WEB2),
		.document = DEPLOYER_OFF,
		.config = HONOURED});

	(void)state;
	scenario_faults(s,
		"[{'when': {'path': 'policyExemptions'}, 'do': {'status': 403,"
		"  'code': 'AuthorizationFailed'}}]");
	scenario_begin(s);
	scenario_run(s, DUR_H(6));
	scenario_item_is(s, "web2", "mde-extension", "unknown", "fact-unknown");
	scenario_writes_are(s, NULL, 0, 0);
	assert_true(explains(s, "web2", "policy exemptions"));
	scenario_faults(s, NULL);
	scenario_await(s, "web2", "mde-extension", "compliant", DUR_H(4));
	scenario_item_is(s, "web1", "mde-extension", "excluded", "exempt");
	/* What was read once is good for a day, and not for longer. */
	scenario_faults(s,
		"[{'when': {'path': 'policyExemptions'}, 'do': {'status': 403,"
		"  'code': 'AuthorizationFailed'}},"
		" {'when': {'path': 'ResourceGraph'}, 'do': {'status': 403,"
		"  'code': 'AuthorizationFailed'}}]");
	scenario_run(s, DUR_H(20));
	scenario_item_is(s, "web1", "mde-extension", "excluded", "exempt");
	scenario_run(s, DUR_H(10));
	scenario_item_is(s, "web1", "mde-extension", "unknown", "fact-unknown");
	scenario_is_good(s);
}

/* The way is shown by the log of what was asked: ARM at first and day by day, Graph in between. */
static void test_exemptions_of_management_groups_are_followed_in_graph(void **state)
{
	static const char config[] = CONFIG_POLL_SLOW
		"policy \"servers\" { plan = P2  integration = on  policy-grace = 0s\n"
		"    extension { deploy = after-grace  grace = 0s  first-grace = 0s } "
		"}\n" CONFIG_SCOPE(
			"management-groups = { mg-root }  mode = enforce  honour-exemptions = on");
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1,
			"'managementGroup': 'mg-lab', " ALL_ON ASSIGNED EXEMPT(
				", 'scope': '/providers/Microsoft.Management/"
				"managementGroups/mg-root'"),
			WEB1 "," WEB2) "," SUBSCRIPTION(2, "'managementGroup': 'mg-root', " ALL_ON,
			SERVER("web3", WINDOWS)),
		.document = "'managementGroups': [{'name': 'mg-root', 'tenant': '" TENANT
			    "'}, {'name': 'mg-lab', 'tenant': '" TENANT
			    "', 'parent': 'mg-root'}], " DEPLOYER_OFF,
		.config = config});
	uint64_t arm;

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(2));
	arm = transport_estate_count(s->world.transport, "GET", "policyExemptions");
	assert_int_equal(arm, 2);
	scenario_run(s, DUR_DAYS(4));
	scenario_item_is(s, "web1", "mde-extension", "excluded", "exempt");
	scenario_item_is(s, "web2", "mde-extension", "compliant", NULL);
	arm = transport_estate_count(s->world.transport, "GET", "policyExemptions");
	assert_in_range(arm, 2 * 5, 2 * 6);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exemptions_exclude_whom_they_reach),
		cmocka_unit_test(test_exemptions_of_management_groups_are_followed_in_graph),
		cmocka_unit_test(test_an_exemption_is_explained_with_who_and_until_when),
		cmocka_unit_test(test_an_exemption_that_comes_and_goes_is_followed),
		cmocka_unit_test(
			test_an_exemption_that_ended_holds_with_a_warning_and_then_no_more),
		cmocka_unit_test(test_exemptions_that_may_not_be_read_stop_writing_and_are_told),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
