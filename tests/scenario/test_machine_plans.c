/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of single machines: under a grant, never over an enforced plan, and back again. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PLAN_OF(name) MACHINE(name) "/providers/Microsoft.Security/pricings/VirtualMachines"
#define KIOSK_TAG ", 'tags': {'role': 'kiosk'}"
#define SENSOR_THERE ", 'extensions': [{'type': 'MDE.Windows', 'since': '-30d'}]"
#define THREE \
	SERVER("kiosk1", WINDOWS KIOSK_TAG SENSOR_THERE) \
	"," SERVER("kiosk2", WINDOWS KIOSK_TAG SENSOR_THERE) "," SERVER( \
		"web1", WINDOWS SENSOR_THERE)
#define ALLOWED "'allowedWrites': ['machine-plan'], 'behaviour': {'deployer': {'on': false}}"

#define POLICY_KIOSKS(plan) \
	CONFIG_POLL_SLOW \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on\n" \
	"    extension { deploy = after-grace  grace = 0s  first-grace = 0s }\n" \
	"    machine-plan \"kiosks\" { plan = " plan "  tags = { \"role=kiosk\" } }\n" \
	"}\n"
#define GRANT(until) \
	"    grant \"kiosks\" { control = machine-plan  tags = { \"role=kiosk\" }  owner = " \
	"\"shop\"\n" \
	"        until = " until "  reason = \"P1 is enough\" }"
#define ENFORCED "subscriptions = { \"*\" }  mode = enforce\n"
#define CONFIG_KIOSKS(plan, until) POLICY_KIOSKS(plan) CONFIG_SCOPE(ENFORCED GRANT(until))

static struct scenario *kiosks(const char *subscription, const char *config)
{
	mdc_autofree char *subscriptions =
		xasprintf(SUBSCRIPTION(1, "%s" SETTINGS_ON, THREE), subscription);
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = ALLOWED, .config = config});

	scenario_begin(s);
	return s;
}

static void has_plan(struct scenario *s, const char *name_id, const char *tier)
{
	const char *is = scenario_peek(s, name_id, "properties.pricingTier");

	if (!str_equal(is, tier))
		scenario_fail(s, "%s has %s, not %s", name_id, is != NULL ? is : "none",
			tier != NULL ? tier : "none");
}

static void test_machines_get_the_plan_that_a_grant_allows(void **state)
{
	scenario_auto *s = kiosks(PLAN_P2, CONFIG_KIOSKS("P1", "2027-01-31"));

	(void)state;
	scenario_settle(s, DUR_H(2));
	has_plan(s, PLAN_OF("kiosk1"), "Standard");
	has_plan(s, PLAN_OF("kiosk2"), "Standard");
	has_plan(s, PLAN_OF("web1"), NULL);
	scenario_writes_are(s, NULL, 2, 2);
	scenario_item_is(s, "kiosk1", "machine-plan", "compliant", "in-sync");
	/* Nothing more is to be done, whatever passes by. */
	scenario_run(s, DUR_DAYS(2));
	scenario_writes_are(s, NULL, 2, 2);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

/* One after the other, as each has been answered, and not one a minute. */
static void test_many_plans_in_one_subscription_go_quickly_and_one_at_a_time(void **state)
{
	enum { KIOSKS = 40 };
	struct buf machines = BUF_INIT(1 << 16);
	mdc_autofree char *subscription = NULL;
	struct scenario *s;

	(void)state;
	for (unsigned i = 0; i < KIOSKS; i++)
		buf_addf(&machines,
			"%s{'name': 'kiosk%u', 'group': 'rg', 'since': '-30d', 'created': "
			"'-300d'" WINDOWS KIOSK_TAG SENSOR_THERE "}",
			i > 0 ? "," : "", i);
	subscription = xasprintf(SUBSCRIPTION(1, PLAN_P2 SETTINGS_ON, "%s"), buf_str(&machines));
	buf_fini(&machines);
	s = scenario_new(&(struct scenario_options){.subscriptions = subscription,
		.document = ALLOWED,
		.config = CONFIG_KIOSKS("P1", "2027-01-31")});
	scenario_begin(s);
	assert_true(scenario_count(s, "machine-plan", "drifted") >= KIOSKS - 1);
	assert_true(scenario_count(s, "machine-plan", "queued") +
			scenario_count(s, "machine-plan", "applying") <=
		1);
	scenario_run(s, DUR_MIN(2));
	scenario_writes_are(s, "/pricings/VirtualMachines", KIOSKS, KIOSKS);
	assert_int_equal(scenario_count(s, "machine-plan", "compliant"), KIOSKS);
	scenario_is_good(s);
	scenario_free(s);
}

static void test_without_a_grant_nothing_is_lowered(void **state)
{
	scenario_auto *s = kiosks(PLAN_P2, POLICY_KIOSKS("off") CONFIG_SCOPE(ENFORCED));

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "kiosk1", "machine-plan", "blocked", "lowers");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_an_enforced_plan_is_respected(void **state)
{
	scenario_auto *s = kiosks("'plan': {'tier': 'Standard', 'subPlan': 'P2', 'enforce': true,"
				  " 'since': '-60d'}, ",
		CONFIG_KIOSKS("P1", "2027-01-31"));

	(void)state;
	scenario_run(s, DUR_DAYS(1));
	scenario_item_is(s, "kiosk1", "machine-plan", "blocked", "plan-enforced");
	scenario_writes_are(s, NULL, 0, 0);
	/* Once it is enforced no more it goes on by itself. */
	scenario_meddle(s, PLAN_ID(1), "properties.enforce", "'False'");
	scenario_await(s, "kiosk1", "machine-plan", "compliant", DUR_H(3));
	scenario_is_good(s);
}

static void test_what_is_inherited_and_right_is_not_written(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1,
			"'plan': {'tier': 'Standard', 'subPlan': 'P1', 'since': "
			"'-60d'}," SETTINGS_ON,
			THREE),
		.document = ALLOWED,
		.config = CONFIG_POLL_SLOW
		"policy \"servers\" { machine-plan \"kiosks\" { plan = P1  machines = { \"kiosk*\" "
		"} } }\n" CONFIG_SCOPE(ENFORCED)});

	(void)state;
	scenario_begin(s);
	scenario_settle(s, DUR_H(2));
	scenario_item_is(s, "kiosk1", "machine-plan", "compliant", "in-sync");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_a_machine_is_switched_off_and_gets_its_subscriptions_plan_again(void **state)
{
	scenario_auto *s = kiosks(PLAN_P2, CONFIG_KIOSKS("off", "2027-01-31"));

	(void)state;
	scenario_settle(s, DUR_H(2));
	has_plan(s, PLAN_OF("kiosk1"), "Free");
	/* Its sensor is removed by someone, and not put back: nobody pays for it. */
	scenario_meddle(s, SENSOR("kiosk1", "MDE.Windows"), NULL, NULL);
	scenario_run(s, DUR_H(4));
	scenario_item_is(s, "kiosk1", "mde-extension", "excluded", "machine-plan-off");
	scenario_writes_are(s, NULL, 2, 2);
	scenario_reload(s, POLICY_KIOSKS("inherit") CONFIG_SCOPE(ENFORCED));
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_H(2));
	scenario_settle(s, DUR_H(2));
	has_plan(s, PLAN_OF("kiosk1"), NULL);
	has_plan(s, PLAN_OF("kiosk2"), NULL);
	/* Two deletions, and the sensor again. */
	scenario_writes_are(s, NULL, 5, 5);
	scenario_item_is(s, "kiosk1", "mde-extension", "compliant", "in-sync");
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

/* --- whom it names, and who is protected by something else --- */

#define SHOP_ID SUB_ID(1) "/resourceGroups/rg-shop/providers/Microsoft.HybridCompute/machines/till1"
#define PLAN_WAY "/providers/Microsoft.Security/pricings/VirtualMachines"
#define TILL \
	"{'name': 'till1', 'group': 'rg-shop', 'since': '-30d', 'created': '-300d'" WINDOWS \
		SENSOR_THERE "}"

/* Which machines have P1 in the end, as the policy and its grant name them. */
static const struct {
	const char *plan, *grant; /* selectors */
	bool kiosk, till, web;
	const char *blocked; /* one that the policy names and the grant does not */
} named[] = {
	{"resource-groups = { \"RG-Shop\" }", "resource-groups = { \"rg-shop\" }", false, true,
		false, NULL},
	{"machines = { \"kiosk*\" }", "machines = { \"kiosk1\" }", true, false, false, NULL},
	{"machines = { \"*\" }", "resource-groups = { \"rg-shop\" }", false, true, false, "web1"},
	{"resource-groups = { \"rg\" }", "tags = { \"role=kiosk\" }", true, false, false, "web1"},
	{"machines = { \"*\" }", "subscriptions = { \"*\" }", true, true, true, NULL},
};

static void only_these_have_p1(struct scenario *s, size_t i)
{
	has_plan(s, PLAN_OF("kiosk1"), named[i].kiosk ? "Standard" : NULL);
	has_plan(s, SHOP_ID PLAN_WAY, named[i].till ? "Standard" : NULL);
	has_plan(s, PLAN_OF("web1"), named[i].web ? "Standard" : NULL);
	if (named[i].blocked != NULL)
		scenario_item_is(s, named[i].blocked, "machine-plan", "blocked", "lowers");
}

static void test_a_plan_goes_to_what_both_policy_and_grant_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		mdc_autofree char *config = xasprintf(
			"%s"
			"policy \"servers\" { plan = P2  integration = on  unified-solution = on\n"
			"    machine-plan \"some\" { plan = P1  %s } }\n" CONFIG_SCOPE(
				ENFORCED "    grant \"some\" { control = machine-plan  %s  owner "
					 "= \"shop\"\n        until = 2027-01-31  reason = \"P1 is "
					 "enough\" }"),
			CONFIG_POLL_SLOW, named[i].plan, named[i].grant);
		scenario_auto *s = scenario_new(&(struct scenario_options){
			.subscriptions = SUBSCRIPTION(1, ALL_ON,
				SERVER("kiosk1",
					WINDOWS KIOSK_TAG SENSOR_THERE) "," TILL "," SERVER("web1",
					WINDOWS SENSOR_THERE)),
			.document = ALLOWED,
			.config = config});

		scenario_begin(s);
		scenario_run(s, DUR_H(3));
		only_these_have_p1(s, i);
		scenario_is_good(s);
	}
}

#define OTHER_EDR ", 'tags': {'edr': 'falcon'}"
#define WORKSPACE_AGENT ", 'extensions': [{'type': 'MicrosoftMonitoringAgent', 'since': '-400d'}]"
#define CONFIG_EDR(plans, grants) \
	CONFIG_POLL_SLOW \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on\n" \
	"    extension { deploy = after-grace  grace = 0s  first-grace = 0s\n" \
	"        other-edr = { \"edr=falcon\", \"edr=other\" } }\n" \
	"    legacy { replace = on }\n" plans "}\n" CONFIG_SCOPE(ENFORCED grants)

static void test_a_machine_with_another_product_is_not_given_a_second_one(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON,
			SERVER("edr1", WINDOWS OTHER_EDR) "," SERVER(
				"edr2", LINUX OTHER_EDR) "," SERVER("old1",
				WINDOWS_2016 OTHER_EDR WORKSPACE_AGENT) "," SERVER("web1",
				WINDOWS)),
		.document = "'behaviour': {'deployer': {'on': false}}",
		.config = CONFIG_EDR("", "")});

	(void)state;
	scenario_begin(s);
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(3));
	scenario_run(s, DUR_DAYS(2));
	scenario_item_is(s, "edr1", "mde-extension", "excluded", "other-edr");
	scenario_item_is(s, "edr2", "mde-extension", "excluded", "other-edr");
	scenario_item_is(s, "old1", "mde-extension", "excluded", "other-edr");
	scenario_item_is(s, "old1", "legacy-replaced", "excluded", "other-edr");
	scenario_writes_are(s, NULL, 1, 1);
	/* The other product goes, and with it the tag. */
	scenario_meddle(s, MACHINE("edr1"), "tags", "{}");
	scenario_await(s, "edr1", "mde-extension", "compliant", DUR_H(3));
	scenario_writes_are(s, NULL, 2, 2);
	scenario_is_good(s);
}

/* Defender for Cloud knows no tags: what keeps it away as well is that there is no plan. */
static void test_without_a_plan_of_its_own_nobody_deploys_beside_another_product(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF,
			SERVER("edr1", WINDOWS OTHER_EDR) "," SERVER("web1", WINDOWS)),
		.document = "'allowedWrites': ['machine-plan']",
		.config = CONFIG_EDR("    machine-plan \"edr\" { plan = off  tags = { "
				     "\"edr=falcon\" } }\n",
			"    grant \"edr\" { control = machine-plan  tags = { \"edr=falcon\" }  "
			"owner "
			"= \"soc\"\n        until = 2027-01-31  reason = \"Falcon\" }")});

	(void)state;
	scenario_begin(s);
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_DAYS(2));
	scenario_run(s, DUR_DAYS(2));
	has_plan(s, PLAN_OF("edr1"), "Free");
	assert_false(scenario_exists(s, SENSOR("edr1", "MDE.Windows")));
	scenario_item_is(s, "edr1", "mde-extension", "excluded", "other-edr");
	scenario_item_is(s, "edr1", "machine-plan", "compliant", "in-sync");
	scenario_is_good(s);
}

static void test_who_sets_it_back_twice_is_named(void **state)
{
	scenario_auto *s = kiosks(PLAN_P2, CONFIG_KIOSKS("P1", "2027-01-31"));

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		scenario_settle(s, DUR_H(6));
		scenario_meddle(s, PLAN_OF("kiosk1"), "properties.pricingTier", "'Free'");
		scenario_run(s, DUR_H(3));
	}
	scenario_item_is(s, "kiosk1", "machine-plan", "blocked", "conflict");
	scenario_writes_are(
		s, "/kiosk1/providers/Microsoft.Security/pricings/VirtualMachines", 2, 2);
	scenario_is_good(s);
}

static void test_a_machine_that_is_to_have_no_plan_gets_no_sensor_before(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(
			1, ALL_ON, SERVER("kiosk1", WINDOWS KIOSK_TAG) "," SERVER("web1", WINDOWS)),
		.document = ALLOWED,
		.config = CONFIG_KIOSKS("off", "2027-01-31")});

	(void)state;
	scenario_begin(s);
	scenario_settle(s, DUR_H(2));
	has_plan(s, PLAN_OF("kiosk1"), "Free");
	scenario_item_is(s, "kiosk1", "mde-extension", "excluded", "machine-plan-off");
	scenario_writes_are(s, "/extensions/MDE.Windows", 1, 1);
	scenario_writes_are(s, "/web1/extensions/MDE.Windows", 1, 1);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machines_get_the_plan_that_a_grant_allows),
		cmocka_unit_test(test_many_plans_in_one_subscription_go_quickly_and_one_at_a_time),
		cmocka_unit_test(test_without_a_grant_nothing_is_lowered),
		cmocka_unit_test(test_an_enforced_plan_is_respected),
		cmocka_unit_test(test_what_is_inherited_and_right_is_not_written),
		cmocka_unit_test(
			test_a_machine_is_switched_off_and_gets_its_subscriptions_plan_again),
		cmocka_unit_test(test_a_machine_that_is_to_have_no_plan_gets_no_sensor_before),
		cmocka_unit_test(test_a_plan_goes_to_what_both_policy_and_grant_name),
		cmocka_unit_test(test_a_machine_with_another_product_is_not_given_a_second_one),
		cmocka_unit_test(
			test_without_a_plan_of_its_own_nobody_deploys_beside_another_product),
		cmocka_unit_test(test_who_sets_it_back_twice_is_named),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
