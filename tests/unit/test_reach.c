/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/estate_builder.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
	struct estate e;
	struct reach confirmed, wanted;
	struct reach_growth growth;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	estate_init(&f->e);
	reach_init(&f->confirmed);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	reach_growth_fini(&f->growth);
	reach_fini(&f->wanted);
	reach_fini(&f->confirmed);
	estate_fini(&f->e);
	free(f);
	return 0;
}

static void measure(struct fixture *f, uint64_t machines, uint64_t subscriptions)
{
	estate_resolve(&f->e);
	reach_growth_fini(&f->growth);
	reach_fini(&f->wanted);
	reach_build(f->e.inv, &f->wanted);
	reach_compare(&f->confirmed, &f->wanted, f->e.inv, machines, subscriptions, &f->growth);
}

/* What is wanted now is confirmed, by the way of the store. */
static void confirm(struct fixture *f)
{
	struct buf text = BUF_INIT(1 << 20);

	measure(f, 0, 0);
	assert_int_equal(reach_render(&f->wanted, &text), 0);
	reach_fini(&f->confirmed);
	assert_int_equal(reach_parse(buf_str(&text), &f->confirmed), 0);
	buf_fini(&text);
}

static void observing_scopes_reach_nothing(void **state)
{
	struct fixture *f = *state;

	estate_subscription(&f->e, 1);
	f->e.scopes[0].mode = MODE_OBSERVE;
	measure(f, 0, 0);
	assert_int_equal(map_count(&f->wanted.subscriptions), 0);
	assert_int_equal(map_count(&f->wanted.scopes), 0);
	assert_false(f->growth.gated);
}

static void the_first_enforce_of_a_scope_waits(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = estate_subscription(&f->e, 1);

	measure(f, 1000, 1000);
	assert_true(f->growth.first_enforce);
	assert_true(f->growth.gated);
	assert_true(map_has(&f->growth.unconfirmed, s->id));
	confirm(f);
	measure(f, 0, 0);
	assert_false(f->growth.gated);
	assert_int_equal(f->growth.subscriptions, 0);
}

static void growth_is_gated_above_the_limits_only(void **state)
{
	struct fixture *f = *state;
	struct subscription *s;

	estate_subscription(&f->e, 1);
	confirm(f);
	s = estate_subscription(&f->e, 2);
	estate_machine(&f->e, s, "a", "Ubuntu 22.04.4 LTS");
	estate_machine(&f->e, s, "b", "Ubuntu 22.04.4 LTS");
	measure(f, 2, 1);
	assert_false(f->growth.gated);
	assert_int_equal(f->growth.subscriptions, 1);
	assert_int_equal(f->growth.machines, 2);
	assert_int_equal(map_count(&f->growth.unconfirmed), 0);
	measure(f, 1, 1);
	assert_true(f->growth.gated);
	measure(f, 2, 0);
	assert_true(f->growth.gated);
	assert_int_equal(map_count(&f->growth.unconfirmed), 1);
}

static void machines_count_only_where_machines_are_newly_written(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = estate_subscription(&f->e, 1);

	estate_machine(&f->e, s, "a", "Ubuntu 22.04.4 LTS");
	f->e.policy.integration = false;
	confirm(f);
	f->e.policy.integration = true;
	measure(f, 0, 5);
	assert_int_equal(f->growth.subscriptions, 1);
	assert_int_equal(f->growth.machines, 0);
	assert_false(f->growth.gated);
}

static void announced_machines_count_before_they_are_listed(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = estate_subscription(&f->e, 1);

	s->announced_machines = 500;
	measure(f, 0, 0);
	assert_int_equal(f->growth.machines, 500);
}

static void machines_that_could_not_be_listed_are_told_apart(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = estate_subscription(&f->e, 1), *second;

	confirm(f);
	second = estate_subscription(&f->e, 2);
	second->machines_stamp = (struct stamp){0};
	measure(f, 100, 100);
	assert_false(f->growth.gated);
	assert_int_equal(map_count(&f->growth.unmeasured), 1);
	assert_true(map_has(&f->growth.unmeasured, second->id));
	assert_false(map_has(&f->growth.unmeasured, s->id));
	/* What writes to no machine needs no list of them. */
	f->e.policy.deploy = DEPLOY_NEVER;
	measure(f, 100, 100);
	assert_int_equal(map_count(&f->growth.unmeasured), 0);
	assert_int_equal(f->growth.subscriptions, 1);
}

static void the_confirmed_reach_takes_in_what_is_not_held(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = estate_subscription(&f->e, 1),
			    *second = estate_subscription(&f->e, 2);
	struct map held;

	map_init(&held, NULL);
	map_set(&held, second->id, f);
	measure(f, 0, 0);
	assert_false(reach_covers(&f->confirmed, s->id, CONTROL_SERVERS_PLAN));
	assert_true(reach_widen(&f->confirmed, &f->wanted, &held));
	assert_true(reach_covers(&f->confirmed, s->id, CONTROL_SERVERS_PLAN));
	assert_true(reach_covers(&f->confirmed, s->id, CONTROL_MDE_EXTENSION));
	assert_false(reach_covers(&f->confirmed, s->id, CONTROL_ARC_CONNECTED));
	assert_false(reach_covers(&f->confirmed, second->id, CONTROL_SERVERS_PLAN));
	assert_false(reach_widen(&f->confirmed, &f->wanted, &held));
	assert_true(reach_widen(&f->confirmed, &f->wanted, NULL));
	assert_true(reach_covers(&f->confirmed, second->id, CONTROL_SERVERS_PLAN));
	map_fini(&held);
}

static void what_is_let_go_and_taken_again_is_growth(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = estate_subscription(&f->e, 1);

	confirm(f);
	f->e.scopes[0].mode = MODE_OBSERVE;
	measure(f, 0, 0);
	assert_true(reach_narrow(&f->confirmed, &f->wanted, f->e.inv));
	assert_false(reach_narrow(&f->confirmed, &f->wanted, f->e.inv));
	assert_false(reach_covers(&f->confirmed, s->id, CONTROL_SERVERS_PLAN));
	f->e.scopes[0].mode = MODE_ENFORCE;
	measure(f, 0, 0);
	assert_true(f->growth.gated);
	assert_false(f->growth.first_enforce);
	assert_int_equal(f->growth.subscriptions, 1);
}

static void a_control_that_is_let_go_leaves_the_others(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = estate_subscription(&f->e, 1);

	confirm(f);
	f->e.policy.deploy = DEPLOY_NEVER;
	measure(f, 0, 0);
	assert_true(reach_narrow(&f->confirmed, &f->wanted, f->e.inv));
	assert_false(reach_covers(&f->confirmed, s->id, CONTROL_MDE_EXTENSION));
	assert_true(reach_covers(&f->confirmed, s->id, CONTROL_SERVERS_PLAN));
}

/* A missing answer is no decision. */
static void what_is_not_seen_is_not_let_go(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = estate_subscription(&f->e, 1);

	confirm(f);
	s->visible = false;
	f->e.scopes[0].mode = MODE_OBSERVE;
	measure(f, 0, 0);
	assert_false(reach_narrow(&f->confirmed, &f->wanted, f->e.inv));
	s->visible = true;
	f->e.config.scope_count = 0;
	measure(f, 0, 0);
	assert_false(reach_narrow(&f->confirmed, &f->wanted, f->e.inv));
	assert_true(reach_covers(&f->confirmed, s->id, CONTROL_SERVERS_PLAN));
}

static void a_scope_without_subscriptions_is_not_confirmed_by_the_way(void **state)
{
	struct fixture *f = *state;
	static char id[] = "aaaaaaaa-0000-4000-8000-000000000002", *ids[] = {id};

	estate_subscription(&f->e, 1);
	f->e.config.scope_count = 2;
	f->e.scopes[1].subscriptions = ids;
	f->e.scopes[1].subscription_count = 1;
	confirm(f);
	estate_subscription(&f->e, 2);
	measure(f, 1000, 1000);
	assert_true(f->growth.first_enforce);
}

static void less_reach_never_waits(void **state)
{
	struct fixture *f = *state;

	estate_subscription(&f->e, 1);
	confirm(f);
	f->e.policy.deploy = DEPLOY_NEVER;
	f->e.policy.plan = PLAN_UNMANAGED;
	measure(f, 0, 0);
	assert_false(f->growth.gated);
	assert_int_equal(f->growth.subscriptions, 0);
}

static void new_machines_of_a_confirmed_subscription_are_no_growth(void **state)
{
	struct fixture *f = *state;
	struct subscription *s = estate_subscription(&f->e, 1);

	confirm(f);
	for (unsigned i = 0; i < 50; i++) {
		mdc_autofree char *name = xasprintf("m%u", i);

		estate_machine(&f->e, s, name, "Windows Server 2016 Standard");
	}
	measure(f, 0, 0);
	assert_int_equal(f->growth.subscriptions, 0);
}

static void a_renamed_scope_is_no_growth(void **state)
{
	struct fixture *f = *state;
	static char other[] = "other name";

	estate_subscription(&f->e, 1);
	confirm(f);
	f->e.scopes[0].name = other;
	measure(f, 0, 0);
	assert_false(f->growth.gated);
}

static void two_scopes_that_tie_reach_nothing(void **state)
{
	struct fixture *f = *state;

	estate_subscription(&f->e, 1);
	f->e.config.scope_count = 2;
	f->e.scopes[1].everything = true;
	measure(f, 0, 0);
	assert_int_equal(map_count(&f->wanted.subscriptions), 0);
}

static void the_text_is_sorted_and_comes_back(void **state)
{
	struct fixture *f = *state;
	static char strange[] = "two words\nand \"a line\"";
	struct buf text = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
	struct reach parsed;

	estate_subscription(&f->e, 7);
	estate_subscription(&f->e, 3);
	f->e.scopes[0].name = strange;
	f->e.policy.unified_solution = false;
	measure(f, 0, 0);
	assert_int_equal(reach_render(&f->wanted, &text), 0);
	assert_string_equal(buf_str(&text),
		"subscription aaaaaaaa-0000-4000-8000-000000000003 "
		"servers-plan,mde-integration,subscription-move,mde-extension\n"
		"subscription aaaaaaaa-0000-4000-8000-000000000007 "
		"servers-plan,mde-integration,subscription-move,mde-extension\n"
		"scope \"two words\\nand \\\"a line\\\"\"\n");
	assert_int_equal(reach_parse(buf_str(&text), &parsed), 0);
	assert_int_equal(reach_render(&parsed, &again), 0);
	assert_string_equal(buf_str(&text), buf_str(&again));
	reach_fini(&parsed);
	buf_fini(&text);
	buf_fini(&again);
}

static void a_text_that_does_not_fit_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct buf text = BUF_INIT(40);

	estate_subscription(&f->e, 1);
	measure(f, 0, 0);
	assert_int_equal(reach_render(&f->wanted, &text), -EFBIG);
	buf_fini(&text);
}

static void broken_text_is_refused(void **state)
{
	static const char *const texts[] = {
		"subscription\n",
		"subscription x servers-plan\n",
		"subscription aaaaaaaa-0000-4000-8000-000000000003\n",
		"subscription aaaaaaaa-0000-4000-8000-000000000003 \n",
		"subscription aaaaaaaa-0000-4000-8000-000000000003 no-such-control\n",
		"subscription aaaaaaaa-0000-4000-8000-000000000003 servers-plan,\n",
		"scope name\n",
		"scope \"name\n",
		"scope 5\n",
		"other\n",
	};
	struct reach reach;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (reach_parse(texts[i], &reach) != -EINVAL)
			fail_msg("accepted: %s", texts[i]);
	assert_int_equal(reach_parse("", &reach), 0);
	assert_int_equal(map_count(&reach.subscriptions), 0);
	reach_fini(&reach);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(observing_scopes_reach_nothing),
		CASE(the_first_enforce_of_a_scope_waits),
		CASE(growth_is_gated_above_the_limits_only),
		CASE(machines_count_only_where_machines_are_newly_written),
		CASE(announced_machines_count_before_they_are_listed),
		CASE(machines_that_could_not_be_listed_are_told_apart),
		CASE(the_confirmed_reach_takes_in_what_is_not_held),
		CASE(what_is_let_go_and_taken_again_is_growth),
		CASE(a_control_that_is_let_go_leaves_the_others),
		CASE(what_is_not_seen_is_not_let_go),
		CASE(a_scope_without_subscriptions_is_not_confirmed_by_the_way),
		CASE(less_reach_never_waits),
		CASE(new_machines_of_a_confirmed_subscription_are_no_growth),
		CASE(a_renamed_scope_is_no_growth),
		CASE(two_scopes_that_tie_reach_nothing),
		CASE(the_text_is_sorted_and_comes_back),
		CASE(a_text_that_does_not_fit_is_an_error),
		CASE(broken_text_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
