/* SPDX-License-Identifier: Apache-2.0 */
/* Who is billed, under which plan, perhaps twice, and what a policy would come to. */
#include "lib/engine/cost.h"

#include "tests/unit/control_fixture.h"

#include <string.h>

static struct machine_cost cost(struct fixture *f, const struct machine *m)
{
	struct cost_names names;
	struct machine_cost c;

	cost_names_init(&names, f->e.inv);
	cost_of_machine(m, &names, f->e.now, &c);
	cost_names_fini(&names);
	return c;
}

static void plan_is(struct fixture *f, const char *tier, const char *sub_plan)
{
	estate_plan(&f->e, f->s, tier, sub_plan);
}

static void a_machine_is_billed_under_its_subscriptions_plan_while_connected(void **state)
{
	static const struct {
		const char *tier, *sub_plan, *status;
		enum cost_billing now;
	} rows[] = {
		{"Standard", "P2", "Connected", COST_P2},
		{"Standard", "P1", "Connected", COST_P1},
		{"Standard", NULL, "Connected", COST_P2},
		{"Free", NULL, "Connected", COST_NONE},
		{"Free", NULL, "Disconnected", COST_NONE},
		{"Standard", "P2", "Disconnected", COST_AWAY},
		{"Standard", "P1", "Expired", COST_AWAY},
		{"Standard", "P3", "Connected", COST_UNKNOWN},
	};
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m1", WINDOWS_2022);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		plan_is(f, rows[i].tier, rows[i].sub_plan);
		estate_status(&f->e, f->m, rows[i].status);
		if (cost(f, f->m).now != rows[i].now)
			fail_msg("row %zu: %s", i, cost_billing_word(cost(f, f->m).now));
		assert_int_equal(cost(f, f->m).source, COST_OF_SUBSCRIPTION);
	}
}

static void a_plan_of_its_own_goes_before_the_subscriptions(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m1", WINDOWS_2022);
	f->m->plan = MACHINE_PLAN_P1;
	assert_int_equal(cost(f, f->m).now, COST_P1);
	assert_int_equal(cost(f, f->m).source, COST_OF_MACHINE);
	f->m->plan = MACHINE_PLAN_OFF;
	assert_int_equal(cost(f, f->m).now, COST_NONE);
	f->m->plan = MACHINE_PLAN_INHERITED;
	assert_int_equal(cost(f, f->m).now, COST_P2);
	assert_int_equal(cost(f, f->m).source, COST_OF_SUBSCRIPTION);
}

/* The plan of the policy, what there is, whether there is a grant; what it comes to. */
static void the_forecast_is_what_the_policy_would_reach(void **state)
{
	static const struct {
		enum servers_plan wanted;
		const char *tier, *sub_plan;
		bool granted;
		enum plan_level then;
	} rows[] = {
		{PLAN_P2, "Free", NULL, false, PLAN_LEVEL_P2},
		{PLAN_P1, "Free", NULL, false, PLAN_LEVEL_P1},
		{PLAN_P2, "Standard", "P1", false, PLAN_LEVEL_P2},
		{PLAN_P1, "Standard", "P2", false, PLAN_LEVEL_P2},
		{PLAN_P1, "Standard", "P2", true, PLAN_LEVEL_P1},
		{PLAN_UNMANAGED, "Free", NULL, true, PLAN_LEVEL_OFF},
		{PLAN_UNMANAGED, "Standard", "P1", true, PLAN_LEVEL_P1},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		plan_is(f, rows[i].tier, rows[i].sub_plan);
		f->e.policy.plan = rows[i].wanted;
		f->e.scopes[0].grants = &f->grant;
		f->e.scopes[0].grant_count = rows[i].granted;
		if (cost_wanted_level(f->s, f->e.now) != rows[i].then)
			fail_msg("row %zu: %s", i,
				cost_plan_word(cost_wanted_level(f->s, f->e.now)));
	}
	f->e.scopes[0].grants = NULL;
	f->e.scopes[0].grant_count = 0;
}

static void what_is_in_no_scope_stays_as_it_is(void **state)
{
	struct fixture *f = *state;

	plan_is(f, "Free", NULL);
	f->m = estate_machine(&f->e, f->s, "m1", WINDOWS_2022);
	f->s->scope = NULL;
	assert_int_equal(cost(f, f->m).then, COST_NONE);
}

static void machines_that_the_policy_names_are_forecast_with_a_grant_only(void **state)
{
	static char name[] = "kiosks", pattern[] = "kiosk*", control[] = "machine-plan";
	char *patterns[] = {pattern};
	struct fixture *f = *state;
	struct machine_plan_config plan = {.name = name,
		.plan = MACHINE_PLAN_P1,
		.selector = {.machines = patterns, .machine_count = 1}};

	f->e.policy.machine_plans = &plan;
	f->e.policy.machine_plan_count = 1;
	f->m = estate_machine(&f->e, f->s, "kiosk1", WINDOWS_2022);
	assert_int_equal(cost(f, f->m).then, COST_P2);
	f->grant.control = control;
	f->e.scopes[0].grants = &f->grant;
	f->e.scopes[0].grant_count = 1;
	assert_int_equal(cost(f, f->m).then, COST_P1);
	plan.plan = MACHINE_PLAN_OFF;
	assert_int_equal(cost(f, f->m).then, COST_NONE);
	/* An enforced plan goes over all. */
	f->s->pricing.enforce = TRI_YES;
	assert_int_equal(cost(f, f->m).then, COST_P2);
	assert_int_equal(cost(f, estate_machine(&f->e, f->s, "web1", WINDOWS_2022)).then, COST_P2);
	f->e.scopes[0].grants = NULL;
	f->e.scopes[0].grant_count = 0;
	f->e.policy.machine_plans = NULL;
	f->e.policy.machine_plan_count = 0;
}

static void a_connectors_machine_has_the_connectors_plan(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "i-0abc", UBUNTU);
	f->m->connector_made = true;
	f->m->cloud = "AWS";
	plan_is(f, "Free", NULL);
	assert_int_equal(cost(f, f->m).now, COST_NONE);
	estate_connector(
		&f->e, f->s, &(struct estate_connector){.offering = "\"subPlan\": \"P1\""});
	assert_int_equal(cost(f, f->m).now, COST_P1);
	assert_int_equal(cost(f, f->m).source, COST_OF_CONNECTOR);
	f->e.policy.connector.plan = PLAN_P2;
	assert_int_equal(cost(f, f->m).then, COST_P2);
}

static void who_is_onboarded_without_an_extension_may_pay_twice(void **state)
{
	struct fixture *f = *state;
	struct cost_sum sum = {0};
	struct machine_cost c;

	f->m = estate_machine(&f->e, f->s, "m1", WINDOWS_2022);
	estate_no_extension(&f->e, f->m, f->e.now);
	estate_sensor(&f->e, f->m, "10.8760.1", SENSOR_ACTIVE);
	c = cost(f, f->m);
	assert_int_equal(c.twice, COST_LICENCE);
	cost_add_machine(&sum, &c);
	assert_int_equal(sum.licences_now, 1);
	assert_int_equal(sum.licences_then, 0);
	estate_extension(&f->e, f->m, &(struct estate_extension){0});
	assert_int_equal(cost(f, f->m).twice, COST_ONCE);
	/* Without a plan it is licensed once, there; the plan ends that. */
	plan_is(f, "Free", NULL);
	c = cost(f, f->m);
	assert_int_equal(c.twice, COST_ONCE);
	assert_true(c.licence);
	sum = (struct cost_sum){0};
	cost_add_machine(&sum, &c);
	assert_int_equal(sum.licences_now, 1);
	assert_int_equal(sum.licences_then, 0);
	assert_int_equal(sum.to_bill, 1);
}

static void two_billed_machines_of_one_name_may_be_one_host(void **state)
{
	struct fixture *f = *state;
	struct subscription *other = estate_subscription(&f->e, 2);
	struct machine *a, *b;

	a = estate_machine(&f->e, f->s, "web1", WINDOWS_2022);
	estate_machine(&f->e, f->s, "web2", WINDOWS_2022);
	b = estate_machine(&f->e, other, "WEB1", WINDOWS_2022);
	assert_int_equal(cost(f, a).twice, COST_SAME_NAME);
	assert_int_equal(cost(f, b).twice, COST_SAME_NAME);
	/* The one that is left behind by a move is not connected, and not billed. */
	estate_status(&f->e, a, "Disconnected");
	assert_int_equal(cost(f, a).twice, COST_ONCE);
	assert_int_equal(cost(f, b).twice, COST_ONCE);
}

static void one_name_with_two_systems_is_two_hosts(void **state)
{
	struct fixture *f = *state;
	struct machine *a = estate_machine(&f->e, f->s, "web1", WINDOWS_2022);

	estate_machine(&f->e, estate_subscription(&f->e, 2), "web1", UBUNTU);
	assert_int_equal(cost(f, a).twice, COST_ONCE);
}

static void of_many_machines_of_one_name_each_is_told_another(void **state)
{
	struct fixture *f = *state;
	struct machine *m[9];
	struct cost_names names;

	for (unsigned i = 0; i < 9; i++)
		m[i] = estate_machine(
			&f->e, estate_subscription(&f->e, 2 + i), "localhost", UBUNTU);
	cost_names_init(&names, f->e.inv);
	for (unsigned i = 0; i < 9; i++) {
		assert_non_null(cost_names_other(&names, m[i]));
		assert_ptr_not_equal(cost_names_other(&names, m[i]), m[i]);
	}
	cost_names_fini(&names);
}

static void amounts_are_exact_and_never_invented(void **state)
{
	struct cost_sum sum = {.licences_now = 2, .direct = 1};
	struct prices_config p = {.p1_per_hour = 6849, .p2_per_hour = 20547, .mde_per_month = 1};
	int64_t amount = 0;

	(void)state;
	sum.now[COST_P2] = 3;
	sum.now[COST_P1] = 1;
	sum.now[COST_AWAY] = 1000;
	assert_true(cost_now(&sum, &p, &amount));
	assert_int_equal(amount, (3 * 20547 + 2 * 6849) * 730 + 2);
	/* All that could ever be, at the highest prices. */
	sum.now[COST_P2] = INVENTORY_MACHINES_MAX;
	sum.licences_now = INVENTORY_MACHINES_MAX;
	p = (struct prices_config){.p1_per_hour = MONEY_PER_HOUR_MAX,
		.p2_per_hour = MONEY_PER_HOUR_MAX,
		.mde_per_month = MONEY_UNIT};
	assert_true(cost_now(&sum, &p, &amount));
	assert_true(amount > INT64_C(4000000) * 1000 * 730 * MONEY_UNIT / 2);
	/* A price that is needed and not written. */
	p.p2_per_hour = PRICE_UNKNOWN;
	assert_false(cost_now(&sum, &p, &amount));
	assert_true(cost_then(&sum, &p, &amount));
	assert_int_equal(amount, 730 * MONEY_PER_HOUR_MAX);
}

static void sums_are_the_sums_of_their_parts(void **state)
{
	struct fixture *f = *state;
	struct cost_sum whole = {0}, a = {0}, b = {0};
	struct machine_cost c;

	for (unsigned i = 0; i < 6; i++) {
		char name[8];

		snprintf(name, sizeof(name), "m%u", i);
		f->m = estate_machine(&f->e, f->s, name, WINDOWS_2022);
		if (i % 3 == 0)
			f->m->plan = MACHINE_PLAN_OFF;
		c = cost(f, f->m);
		cost_add_machine(&whole, &c);
		cost_add_machine(i % 2 == 0 ? &a : &b, &c);
	}
	cost_add(&a, &b);
	assert_memory_equal(&a, &whole, sizeof(a));
	assert_int_equal(whole.now[COST_P2], 4);
	assert_int_equal(whole.now[COST_NONE], 2);
}

static void the_higher_plan_includes_premium_vulnerability_management(void **state)
{
	(void)state;
	assert_non_null(strstr(cost_plan_includes(PLAN_LEVEL_P2), "premium vulnerability"));
	assert_null(strstr(cost_plan_includes(PLAN_LEVEL_P1), "premium vulnerability"));
	assert_null(cost_plan_includes(PLAN_LEVEL_OFF));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_machine_is_billed_under_its_subscriptions_plan_while_connected),
		CASE(a_plan_of_its_own_goes_before_the_subscriptions),
		CASE(the_forecast_is_what_the_policy_would_reach),
		CASE(what_is_in_no_scope_stays_as_it_is),
		CASE(machines_that_the_policy_names_are_forecast_with_a_grant_only),
		CASE(a_connectors_machine_has_the_connectors_plan),
		CASE(who_is_onboarded_without_an_extension_may_pay_twice),
		CASE(two_billed_machines_of_one_name_may_be_one_host),
		CASE(one_name_with_two_systems_is_two_hosts),
		CASE(of_many_machines_of_one_name_each_is_told_another),
		CASE(amounts_are_exact_and_never_invented),
		CASE(sums_are_the_sums_of_their_parts),
		CASE(the_higher_plan_includes_premium_vulnerability_management),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
