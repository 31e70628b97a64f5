/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

#include "lib/engine/plan.h"

static void build(struct fixture *f, struct plan_limits *limits, struct plan *ret)
{
	limits->now = f->e.now;
	plan_build(&f->e.config, f->e.inv, limits, ret);
}

static enum reason held_of(const struct plan *plan, const void *resource, enum control_id control)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->steps[i];

		if (step->control->id == control &&
			(step->machine == resource ||
				(step->machine == NULL && step->subscription == resource)))
			return step->held;
	}
	return REASON_N_;
}

static void what_is_in_sync_gives_an_empty_plan(void **state)
{
	struct fixture *f = *state;
	struct plan_limits limits = {0};
	struct plan plan;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_extension(&f->e, f->m, EXTENSION(.state = "Succeeded"));
	estate_judge_all(&f->e);
	build(f, &limits, &plan);
	assert_int_equal(plan.count, 0);
	assert_int_equal(plan.ready, 0);
	plan_fini(&plan);
}

static void steps_go_by_kind_control_and_id(void **state)
{
	static const char *const wanted[] = {
		"servers-plan aaaaaaaa-0000-4000-8000-000000000002",
		"mde-integration aaaaaaaa-0000-4000-8000-000000000001",
		"mde-extension alpha",
		"mde-extension Beta",
		"mde-extension gamma",
	};
	struct fixture *f = *state;
	struct plan_limits limits = {0};
	struct subscription *second = estate_subscription(&f->e, 2);
	struct plan plan;

	estate_machine(&f->e, f->s, "gamma", UBUNTU);
	estate_machine(&f->e, f->s, "Beta", UBUNTU);
	estate_machine(&f->e, f->s, "alpha", UBUNTU);
	estate_judge_all(&f->e);
	estate_settings(&f->e, f->s, TRI_NO, TRI_YES);
	estate_plan(&f->e, second, "Free", NULL);
	estate_judge(&f->e, f->s, NULL, CONTROL_MDE_INTEGRATION);
	estate_judge(&f->e, second, NULL, CONTROL_SERVERS_PLAN);
	build(f, &limits, &plan);
	assert_int_equal(plan.count, ARRAY_LEN(wanted));
	for (size_t i = 0; i < plan.count; i++) {
		const struct step *step = &plan.steps[i];
		mdc_autofree char *text = xasprintf("%s %s", control_word(step->control->id),
			step->machine != NULL ? step->machine->name : step->subscription->id);

		assert_string_equal(text, wanted[i]);
	}
	plan_fini(&plan);
}

static enum reason keep_all(void *ctx, const struct step *step)
{
	(void)ctx;
	(void)step;
	return REASON_DENIED;
}

static void confirm_all(struct fixture *f, struct reach *confirmed)
{
	reach_fini(confirmed);
	reach_build(f->e.inv, confirmed);
}

/* Every hold at once; taken away one after the other, the next one shows. */
static void holds_are_told_by_precedence(void **state)
{
	struct fixture *f = *state;
	struct map paused;
	struct reach confirmed;
	struct plan_limits limits = {
		.halted = true, .paused = &paused, .confirmed = &confirmed, .kept = keep_all};
	struct plan plan;
	struct item *other;
	static const enum reason wanted[] = {REASON_HALTED, REASON_OBSERVE_ONLY, REASON_NO_SELECTOR,
		REASON_PARTIAL, REASON_PAUSED, REASON_PAUSED, REASON_PAUSED, REASON_UNCONFIRMED,
		REASON_TARGET_BUSY, REASON_DENIED, REASON_IN_FLIGHT_LIMIT, REASON_NONE};
	struct wall stamp;

	map_init(&paused, NULL);
	reach_init(&confirmed);
	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_judge(&f->e, f->s, f->m, CONTROL_MDE_EXTENSION);
	stamp = f->s->machines_stamp.at;
	f->e.scopes[0].mode = MODE_OBSERVE;
	f->e.scopes[0].everything = false;
	f->s->machines_stamp.at = wall_add(stamp, DUR_DAYS(-1));
	map_set(&paused, "all", f);
	map_set(&paused, f->s->id, f);
	map_set(&paused, f->m->id, f);
	other = inventory_item(f->s, f->m, CONTROL_ARC_CONNECTED);
	other->state = ITEM_APPLYING;
	f->e.scopes[0].max_in_flight = 0;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		build(f, &limits, &plan);
		assert_int_equal(plan.count, 1);
		assert_string_equal(reason_word(plan.steps[0].held), reason_word(wanted[i]));
		assert_int_equal(plan.ready, wanted[i] == REASON_NONE);
		plan_fini(&plan);
		switch (i) {
		case 0: limits.halted = false; break;
		case 1: f->e.scopes[0].mode = MODE_ENFORCE; break;
		case 2: f->e.scopes[0].everything = true; break;
		case 3: f->s->machines_stamp.at = stamp; break;
		case 4: map_remove(&paused, "all"); break;
		case 5: map_remove(&paused, f->s->id); break;
		case 6: map_remove(&paused, f->m->id); break;
		case 7: confirm_all(f, &confirmed); break;
		case 8: other->state = ITEM_COMPLIANT; break;
		case 9: limits.kept = NULL; break;
		case 10: f->e.scopes[0].max_in_flight = 1; break;
		default: break;
		}
	}
	map_fini(&paused);
	reach_fini(&confirmed);
}

static void holds_of_everything_hold_everything(void **state)
{
	struct fixture *f = *state;
	struct plan_limits paused = {.paused_all = true}, lost = {.unconfirmed_all = true};
	struct plan plan;

	estate_plan(&f->e, f->s, "Free", NULL);
	estate_judge_all(&f->e);
	build(f, &paused, &plan);
	assert_int_equal(plan.steps[0].held, REASON_PAUSED);
	plan_fini(&plan);
	build(f, &lost, &plan);
	assert_int_equal(plan.steps[0].held, REASON_UNCONFIRMED);
	plan_fini(&plan);
}

static void a_subscription_has_one_step_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct plan_limits limits = {0};
	struct plan plan;

	estate_plan(&f->e, f->s, "Standard", "P1");
	estate_settings(&f->e, f->s, TRI_NO, TRI_YES);
	estate_judge(&f->e, f->s, NULL, CONTROL_SERVERS_PLAN);
	estate_judge(&f->e, f->s, NULL, CONTROL_MDE_INTEGRATION);
	build(f, &limits, &plan);
	assert_int_equal(plan.count, 2);
	assert_int_equal(plan.ready, 1);
	assert_int_equal(held_of(&plan, f->s, CONTROL_SERVERS_PLAN), REASON_NONE);
	assert_int_equal(held_of(&plan, f->s, CONTROL_MDE_INTEGRATION), REASON_TARGET_BUSY);
	plan_fini(&plan);
}

static void a_running_operation_keeps_its_target_busy(void **state)
{
	struct fixture *f = *state;
	struct plan_limits limits = {0};
	struct operation op = {.phase = PHASE_RUNNING};
	struct plan plan;

	estate_settings(&f->e, f->s, TRI_NO, TRI_YES);
	estate_judge(&f->e, f->s, NULL, CONTROL_MDE_INTEGRATION);
	f->s->items[CONTROL_SERVERS_PLAN].operation = &op;
	build(f, &limits, &plan);
	assert_int_equal(held_of(&plan, f->s, CONTROL_MDE_INTEGRATION), REASON_TARGET_BUSY);
	plan_fini(&plan);
	f->s->items[CONTROL_SERVERS_PLAN].operation = NULL;
}

static void running_operations_count_against_the_limit(void **state)
{
	struct fixture *f = *state;
	uint64_t running = 3;
	struct map by_scope;
	struct plan_limits limits = {.running_by_scope = &by_scope};
	struct plan plan;

	map_init(&by_scope, NULL);
	map_set(&by_scope, "all", &running);
	f->e.config.max_in_flight = 1;
	f->e.scopes[0].max_in_flight = 5;
	for (unsigned i = 0; i < 10; i++) {
		mdc_autofree char *name = xasprintf("m%u", i);

		estate_machine(&f->e, f->s, name, UBUNTU);
	}
	estate_judge_all(&f->e);
	build(f, &limits, &plan);
	assert_int_equal(plan.count, 10);
	assert_int_equal(plan.ready, 2);
	assert_int_equal(plan.steps[1].held, REASON_NONE);
	assert_int_equal(plan.steps[2].held, REASON_IN_FLIGHT_LIMIT);
	plan_fini(&plan);
	running = 9;
	build(f, &limits, &plan);
	assert_int_equal(plan.ready, 0);
	plan_fini(&plan);
	map_fini(&by_scope);
}

static void confirmation_is_by_control(void **state)
{
	struct fixture *f = *state;
	struct reach confirmed;
	struct plan_limits limits = {.confirmed = &confirmed};
	struct plan plan;

	f->e.policy.integration = false;
	reach_build(f->e.inv, &confirmed);
	f->e.policy.integration = true;
	estate_settings(&f->e, f->s, TRI_NO, TRI_YES);
	estate_judge_all(&f->e);
	build(f, &limits, &plan);
	assert_int_equal(held_of(&plan, f->s, CONTROL_MDE_INTEGRATION), REASON_UNCONFIRMED);
	plan_fini(&plan);
	estate_plan(&f->e, f->s, "Free", NULL);
	estate_judge_all(&f->e);
	build(f, &limits, &plan);
	assert_int_equal(held_of(&plan, f->s, CONTROL_SERVERS_PLAN), REASON_NONE);
	plan_fini(&plan);
	reach_fini(&confirmed);
}

static unsigned ready_in(const struct plan *plan, const struct subscription *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < plan->count; i++)
		n += plan->steps[i].subscription == s && plan->steps[i].held == REASON_NONE;
	return n;
}

static void add_machines(struct fixture *f, struct subscription *s, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		mdc_autofree char *name = xasprintf("m%u", i);

		estate_machine(&f->e, s, name, UBUNTU);
	}
}

static void subscriptions_take_turns(void **state)
{
	struct fixture *f = *state;
	uint64_t busy = 7;
	struct map running;
	struct plan_limits limits = {.running_by_subscription = &running};
	struct subscription *second = estate_subscription(&f->e, 2);
	struct subscription *third = estate_subscription(&f->e, 3);
	struct plan plan;

	map_init(&running, NULL);
	add_machines(f, f->s, 30);
	add_machines(f, second, 2);
	add_machines(f, third, 30);
	estate_judge_all(&f->e);
	f->e.scopes[0].max_in_flight = 12;
	build(f, &limits, &plan);
	assert_int_equal(plan.ready, 12);
	assert_int_equal(ready_in(&plan, f->s), 5);
	assert_int_equal(ready_in(&plan, second), 2);
	assert_int_equal(ready_in(&plan, third), 5);
	plan_fini(&plan);
	/* Whoever has operations running already comes after the others. */
	map_set(&running, f->s->id, &busy);
	build(f, &limits, &plan);
	assert_int_equal(ready_in(&plan, f->s), 2);
	assert_int_equal(ready_in(&plan, second), 2);
	assert_int_equal(ready_in(&plan, third), 8);
	plan_fini(&plan);
	busy = 1000;
	build(f, &limits, &plan);
	assert_int_equal(ready_in(&plan, f->s), 0);
	assert_int_equal(ready_in(&plan, third), 10);
	plan_fini(&plan);
	map_fini(&running);
}

static void each_scope_has_its_own_limit(void **state)
{
	struct fixture *f = *state;
	static char id[] = "aaaaaaaa-0000-4000-8000-000000000002", *ids[] = {id};
	struct plan_limits limits = {0};
	struct subscription *second;
	struct plan plan;

	f->e.config.scope_count = 2;
	f->e.scopes[1].subscriptions = ids;
	f->e.scopes[1].subscription_count = 1;
	f->e.scopes[0].max_in_flight = 3;
	f->e.scopes[1].max_in_flight = 4;
	second = estate_subscription(&f->e, 2);
	add_machines(f, f->s, 10);
	add_machines(f, second, 10);
	estate_judge_all(&f->e);
	build(f, &limits, &plan);
	assert_ptr_equal(second->scope, &f->e.scopes[1]);
	assert_int_equal(ready_in(&plan, f->s), 3);
	assert_int_equal(ready_in(&plan, second), 4);
	for (size_t i = 0; i < plan.count; i++)
		assert_true(plan.steps[i].held == REASON_NONE ||
			plan.steps[i].held == REASON_IN_FLIGHT_LIMIT);
	plan_fini(&plan);
}

static void only_drift_that_is_ours_is_planned(void **state)
{
	struct fixture *f = *state;
	struct plan_limits limits = {0};
	struct plan plan;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	for (unsigned s = 0; s < ITEM_STATE_N_; s++) {
		struct item *item = inventory_item(f->s, f->m, CONTROL_MDE_EXTENSION);

		item->applies = true;
		item->state = (uint8_t)s;
		build(f, &limits, &plan);
		assert_int_equal(plan.count, s == ITEM_DRIFTED);
		plan_fini(&plan);
		/* Reported only. */
		item->state = ITEM_COMPLIANT;
		item = inventory_item(f->s, f->m, CONTROL_ARC_CONNECTED);
		item->applies = true;
		item->state = (uint8_t)s;
		build(f, &limits, &plan);
		assert_int_equal(plan.count, 0);
		plan_fini(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_in_sync_gives_an_empty_plan),
		CASE(steps_go_by_kind_control_and_id),
		CASE(holds_are_told_by_precedence),
		CASE(holds_of_everything_hold_everything),
		CASE(a_subscription_has_one_step_at_a_time),
		CASE(a_running_operation_keeps_its_target_busy),
		CASE(running_operations_count_against_the_limit),
		CASE(confirmation_is_by_control),
		CASE(subscriptions_take_turns),
		CASE(each_scope_has_its_own_limit),
		CASE(only_drift_that_is_ours_is_planned),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
