/* SPDX-License-Identifier: Apache-2.0 */
/* Which scope a subscription belongs to: ids, management groups, tenants, and when they change. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define OTHER_TENANT "10000000-0000-4000-8000-000000000002"
#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define TENANTS \
	"'tenants': [{'id': '" TENANT "', 'name': 'Contoso'}," \
	" {'id': '" OTHER_TENANT "', 'name': 'Fabrikam'}]"
/* mg-lab is below mg-prod, which is below mg-root. */
#define TREE \
	"'managementGroups': [{'name': 'mg-root', 'tenant': '" TENANT "'}," \
	" {'name': 'mg-prod', 'tenant': '" TENANT "', 'parent': 'mg-root'}," \
	" {'name': 'mg-lab', 'tenant': '" TENANT "', 'parent': 'mg-prod'}], " DEPLOYER_OFF
#define BELOW(group) "'managementGroup': '" group "', "
#define NO_GRAPH \
	"[{'when': {'path': '/Microsoft.ResourceGraph/'}, 'do': {'status': 403," \
	" 'code': 'AuthorizationFailed'}}]"

#define POLICY "policy \"servers\" { plan = P2 }\n"
#define SCOPE(name, members) \
	"scope \"" name "\" { identity = \"main\"  policy = \"servers\"  " members " }\n"
#define PROD SCOPE("prod", "management-groups = { mg-prod }  mode = enforce")
#define EXCLUDE(members) \
	"exclude \"lab\" { " members "  owner = \"lab team\"  reason = \"rebuilt every night\" }"

static struct scenario *observed(
	const char *subscriptions, const char *document, const char *config, const char *faults)
{
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = document, .config = config});

	scenario_faults(s, faults);
	scenario_begin(s);
	return s;
}

static struct subscription *subscription(struct scenario *s, unsigned n)
{
	mdc_autofree char *id = xasprintf("30000000-0000-4000-8000-00000000000%u", n);
	struct subscription *found = inventory_subscription(s->daemon->inventory, id);

	assert_non_null(found);
	return found;
}

static void is_in(struct scenario *s, unsigned n, const char *scope)
{
	const struct subscription *found = subscription(s, n);

	if (scope == NULL)
		assert_null(found->scope);
	else
		assert_string_equal(found->scope->name, scope);
}

/* --- one scope each --- */

static void test_the_closest_scope_has_the_subscription(void **state)
{
	static const char *const ways[] = {NULL, NO_GRAPH};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		scenario_auto *s =
			observed(SUBSCRIPTION(1, BELOW("mg-lab") NO_PLAN, "") "," SUBSCRIPTION(
					 2, BELOW("mg-lab") NO_PLAN, "") "," SUBSCRIPTION(3,
					 BELOW("mg-prod") NO_PLAN,
					 "") "," SUBSCRIPTION(4, BELOW("mg-root") NO_PLAN, ""),
				TREE,
				CONFIG_POLL POLICY PROD SCOPE("rest", "subscriptions = { \"*\" }")
					SCOPE("lab", "management-groups = { mg-lab }")
						SCOPE("one", "subscriptions = { \"" SUB(1) "\" }"),
				ways[i]);

		is_in(s, 1, "one");
		is_in(s, 2, "lab");
		is_in(s, 3, "prod");
		is_in(s, 4, "rest");
		/* Written to is only where its own scope enforces. */
		scenario_run(s, DUR_H(1));
		scenario_writes_are(s, PLAN_ID(3), 1, 1);
		scenario_writes_are(s, NULL, 1, 1);
		scenario_is_good(s);
	}
}

/* --- from one to another --- */

static void test_a_subscription_that_is_moved_changes_its_scope_at_the_next_pass(void **state)
{
	scenario_auto *s = observed(SUBSCRIPTION(1, BELOW("mg-lab") NO_PLAN, ""), TREE,
		CONFIG_POLL POLICY PROD SCOPE("lab", "management-groups = { mg-lab }"), NULL);

	(void)state;
	scenario_run(s, DUR_H(1));
	is_in(s, 1, "lab");
	scenario_item_is(s, "sub1", "servers-plan", "drifted", "plan-off");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_meddle(s, SUB_ID(1), "managementGroup", "'mg-prod'");
	scenario_run(s, DUR_MIN(16));
	is_in(s, 1, "prod");
	/* The first one that this scope enforces on is confirmed by somebody. */
	scenario_writes_are(s, NULL, 0, 0);
	scenario_command(s, "confirm", NULL);
	scenario_settle(s, DUR_H(1));
	scenario_writes_are(s, PLAN_ID(1), 1, 1);
	/* Out of every scope it is left alone. */
	scenario_meddle(s, SUB_ID(1), "managementGroup", "'mg-root'");
	scenario_run(s, DUR_MIN(16));
	is_in(s, 1, NULL);
	assert_null(scenario_item(s, "sub1", "servers-plan"));
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Free'");
	scenario_run(s, DUR_H(2));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_what_was_queued_in_the_old_scope_is_planned_anew(void **state)
{
	scenario_auto *s = observed(
		SUBSCRIPTION(1, BELOW("mg-prod") ALL_ON,
			SERVER("web1", WINDOWS UNREACHED) "," SERVER(
				"web2", WINDOWS UNREACHED) "," SERVER("web3",
				WINDOWS UNREACHED) "," SERVER("web4", WINDOWS UNREACHED)),
		"'managementGroups': [{'name': 'mg-prod', 'tenant': '" TENANT "'},"
		" {'name': 'mg-lab', 'tenant': '" TENANT "'}],"
		" 'behaviour': {'deployer': {'on': false}, 'operations': {'create': '10m'}}",
		CONFIG_POLL CONFIG_POLICY_PROMPT SCOPE("prod",
			"management-groups = { mg-prod }  mode = enforce  max-in-flight = 1")
			SCOPE("lab", "management-groups = { mg-lab }"),
		NULL);
	size_t written;

	(void)state;
	scenario_run(s, DUR_MIN(1));
	scenario_writes_are(s, "/MDE.Windows", 1, 1);
	scenario_meddle(s, SUB_ID(1), "managementGroup", "'mg-lab'");
	scenario_run(s, DUR_MIN(16));
	is_in(s, 1, "lab");
	written = scenario_writes(s, "/MDE.Windows");
	scenario_run(s, DUR_H(3));
	/* What was sent comes to its end; nothing more goes. */
	scenario_writes_are(s, "/MDE.Windows", written, written);
	assert_int_equal(scenario_count(s, "mde-extension", "compliant"), written);
	assert_int_equal(scenario_count(s, "mde-extension", "drifted"), 4 - written);
	scenario_is_good(s);
}

/* --- exclusions --- */

static void test_what_is_below_an_excluded_group_is_left_alone(void **state)
{
	static const char *const ways[] = {NULL, NO_GRAPH};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		scenario_auto *s =
			observed(SUBSCRIPTION(1, BELOW("mg-lab") NO_PLAN,
					 SERVER("web1", WINDOWS UNREACHED)) "," SUBSCRIPTION(2,
					 BELOW("mg-root") NO_PLAN, ""),
				TREE,
				CONFIG_POLL POLICY SCOPE("all",
					"subscriptions = { \"*\" }  mode = enforce\n" EXCLUDE(
						"management-groups = { MG-prod }")),
				ways[i]);

		scenario_run(s, DUR_H(1));
		scenario_item_is(s, "sub1", "servers-plan", "excluded", "excluded");
		scenario_item_is(s, "web1", "arc-connected", "excluded", "excluded");
		scenario_item_is(s, "sub2", "servers-plan", "compliant", NULL);
		scenario_writes_are(s, NULL, 1, 1);
		/* It holds no longer where it is moved away. */
		scenario_meddle(s, SUB_ID(1), "managementGroup", "'mg-root'");
		scenario_run(s, DUR_MIN(21));
		scenario_item_is(s, "web1", "arc-connected", "compliant", NULL);
		scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
		scenario_is_good(s);
	}
}

static void test_nothing_is_written_while_an_exclusion_cannot_be_judged(void **state)
{
	scenario_auto *s = observed(SUBSCRIPTION(1, BELOW("mg-lab") NO_PLAN, ""), TREE,
		CONFIG_POLL POLICY SCOPE("all",
			"subscriptions = { \"" SUB(1) "\" }  mode = enforce\n" EXCLUDE(
				"management-groups = { mg-other }")),
		"[{'when': {'path': '/Microsoft.ResourceGraph/', 'until': '3h'},"
		"  'do': {'status': 403, 'code': 'AuthorizationFailed'}},"
		" {'when': {'path': '/descendants', 'until': '3h'}, 'do': {'status': 403,"
		"  'code': 'AuthorizationFailed'}}]");

	(void)state;
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "sub1", "servers-plan", "unknown", "fact-unknown");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_run(s, DUR_H(3));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_is_good(s);
}

static void test_an_excluded_subscription_is_left_alone(void **state)
{
	scenario_auto *s = observed(SUBSCRIPTION(1, NO_PLAN, "") "," SUBSCRIPTION(2, NO_PLAN, ""),
		DEPLOYER_OFF,
		CONFIG_POLL POLICY SCOPE("all",
			"subscriptions = { \"*\" }  mode = enforce\n" EXCLUDE(
				"subscriptions = { \"" SUB(2) "\" }")),
		NULL);

	(void)state;
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_item_is(s, "sub2", "servers-plan", "excluded", "excluded");
	scenario_writes_are(s, PLAN_ID(2), 0, 0);
	scenario_is_good(s);
}

/* --- other tenants --- */

#define DELEGATED(n, members) \
	"{'id': '" SUB(n) "', 'name': 'sub" #n "', 'tenant': '" OTHER_TENANT \
			  "', 'delegatedTo': ['" TENANT "'], " members "'machines': []}"

static void test_a_delegated_subscription_is_only_written_to_where_it_is_listed(void **state)
{
	scenario_auto *s = observed(SUBSCRIPTION(1, NO_PLAN, "") "," DELEGATED(2, NO_PLAN),
		TENANTS ", " DEPLOYER_OFF,
		CONFIG_POLL POLICY SCOPE("all", "subscriptions = { \"*\" }  mode = enforce"), NULL);
	const json_t *answer;

	(void)state;
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_item_is(s, "sub2", "servers-plan", "drifted", "plan-off");
	scenario_writes_are(s, PLAN_ID(2), 0, 0);
	answer = scenario_command(s, "explain", "{'target': 'sub2'}");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(answer, "items"), 0), "held")),
		"foreign-tenant");
	scenario_reload(s,
		CONFIG_POLL POLICY SCOPE(
			"all", "subscriptions = { \"*\", \"" SUB(2) "\" }  mode = enforce"));
	scenario_command(s, "confirm", NULL);
	scenario_settle(s, DUR_H(1));
	scenario_writes_are(s, PLAN_ID(2), 1, 1);
	scenario_is_good(s);
}

/* A provider of services, a customer with an identity of its own, and one who delegated. */
#define THIRD_TENANT "10000000-0000-4000-8000-000000000003"
#define OTHER_CLIENT "20000000-0000-4000-8000-0000000000ff"
#define OWNER(tenant, client) \
	"{'tenant': '" tenant "', 'client': '" client "', 'secret': '" SECRET "', 'roles': [" \
	"{'scope': '/', 'role': 'Owner'}]}"
#define IN_TENANT(n, tenant, members) \
	"{'id': '" SUB(n) "', 'name': 'sub" #n "', 'tenant': '" tenant "', " members NO_PLAN \
			  "'machines': []}"

static void test_each_identity_has_all_that_it_sees(void **state)
{
	scenario_auto *s = observed(
		IN_TENANT(1, TENANT, "") "," IN_TENANT(
			2, OTHER_TENANT, "'delegatedTo': ['" TENANT "'], ") "," IN_TENANT(3,
			THIRD_TENANT, "'delegatedTo': ['" TENANT "'], ") "," IN_TENANT(4,
			THIRD_TENANT, "'delegatedTo': ['" TENANT "', '" OTHER_TENANT "'], "),
		"'tenants': [{'id': '" TENANT "', 'name': 'Contoso'}, {'id': '" OTHER_TENANT
		"', 'name': 'Fabrikam'}, {'id': '" THIRD_TENANT "', 'name': 'Tailspin'}], "
		"'principals': [" OWNER(TENANT, CLIENT) ", " OWNER(
			OTHER_TENANT, OTHER_CLIENT) "], " DEPLOYER_OFF,
		CONFIG_POLL POLICY
		"identity \"customer\" { cloud = simulated  tenant = \"" OTHER_TENANT
		"\"  client = \"" OTHER_CLIENT
		"\"  method = client-secret  secret-file = \"/secret\" }\n" SCOPE("all",
			"subscriptions = { \"*\" }  mode = enforce") "scope \"customer\" { "
								     "identity = \"customer\"  "
								     "policy = \"servers\""
								     "  subscriptions = { \"*\" }  "
								     "mode = enforce }\n",
		NULL);

	(void)state;
	scenario_run(s, DUR_H(2));
	is_in(s, 1, "all");
	is_in(s, 2, "customer");
	is_in(s, 3, "all");
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	/* It is the customer's own, whoever else it is delegated to. */
	scenario_item_is(s, "sub2", "servers-plan", "compliant", NULL);
	scenario_item_is(s, "sub3", "servers-plan", "drifted", "plan-off");
	scenario_item_is(s, "sub4", "servers-plan", "blocked", "scope-conflict");
	assert_string_equal(
		scenario_item(s, "sub4", "servers-plan")->detail, "\"all\" and \"customer\"");
	scenario_writes_are(s, NULL, 2, 2);
	scenario_is_good(s);
}

static void test_a_group_of_another_tenant_with_the_same_name_names_nothing(void **state)
{
	scenario_auto *s = observed(
		DELEGATED(1, BELOW("mg-prod") NO_PLAN) "," SUBSCRIPTION(2, NO_PLAN, ""),
		TENANTS ", 'managementGroups': [{'name': 'mg-prod', 'tenant': '" OTHER_TENANT
			"'}], " DEPLOYER_OFF,
		CONFIG_POLL POLICY PROD, NULL);

	(void)state;
	scenario_run(s, DUR_H(1));
	is_in(s, 1, NULL);
	scenario_writes_are(s, NULL, 0, 0);
}

static void test_a_subscription_that_was_moved_to_another_tenant_waits_for_a_person(void **state)
{
	scenario_auto *s = observed(SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS UNREACHED)),
		TENANTS ", " DEPLOYER_OFF,
		CONFIG_POLL CONFIG_POLICY SCOPE(
			"all", "subscriptions = { \"" SUB(1) "\" }  mode = enforce"),
		NULL);

	(void)state;
	scenario_meddle(s, SUB_ID(1), "tenantId", "'" OTHER_TENANT "'");
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Free'");
	scenario_run(s, DUR_H(5));
	scenario_item_is(s, "sub1", "servers-plan", "manual", "tenant-changed");
	assert_string_equal(scenario_item(s, "sub1", "servers-plan")->detail, OTHER_TENANT);
	scenario_item_is(s, "web1", "mde-extension", "manual", "tenant-changed");
	/* It is not forgotten over a restart. */
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "sub1", "servers-plan", "manual", "tenant-changed");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_command(s, "reconcile", "{'target': 'sub1'}");
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_writes_are(s, PLAN_ID(1), 1, 1);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_one_that_comes_back_to_its_tenant_goes_on(void **state)
{
	scenario_auto *s = observed(SUBSCRIPTION(1, NO_PLAN, ""), TENANTS ", " DEPLOYER_OFF,
		CONFIG_POLL POLICY SCOPE("all", "subscriptions = { \"*\" }  mode = enforce"), NULL);

	(void)state;
	scenario_settle(s, DUR_H(1));
	scenario_meddle(s, SUB_ID(1), "tenantId", "'" OTHER_TENANT "'");
	scenario_run(s, DUR_MIN(16));
	scenario_item_is(s, "sub1", "servers-plan", "manual", "tenant-changed");
	scenario_meddle(s, SUB_ID(1), "tenantId", "'" TENANT "'");
	scenario_run(s, DUR_MIN(16));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_closest_scope_has_the_subscription),
		cmocka_unit_test(
			test_a_subscription_that_is_moved_changes_its_scope_at_the_next_pass),
		cmocka_unit_test(test_what_was_queued_in_the_old_scope_is_planned_anew),
		cmocka_unit_test(test_what_is_below_an_excluded_group_is_left_alone),
		cmocka_unit_test(test_nothing_is_written_while_an_exclusion_cannot_be_judged),
		cmocka_unit_test(test_an_excluded_subscription_is_left_alone),
		cmocka_unit_test(
			test_a_delegated_subscription_is_only_written_to_where_it_is_listed),
		cmocka_unit_test(test_each_identity_has_all_that_it_sees),
		cmocka_unit_test(test_a_group_of_another_tenant_with_the_same_name_names_nothing),
		cmocka_unit_test(
			test_a_subscription_that_was_moved_to_another_tenant_waits_for_a_person),
		cmocka_unit_test(test_one_that_comes_back_to_its_tenant_goes_on),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
