/* SPDX-License-Identifier: Apache-2.0 */
/* How plans and settings are written: with what others put there, and never lowered. */
#include "tests/daemon/flight_fixture.h"

static struct item *drifted(struct fixture *f, enum control_id control)
{
	acting_extension(&f->a, f->m, "Succeeded", SOURCE_GRAPH);
	acting_pass(&f->a);
	return acting_item(f->s, NULL, control);
}

static void a_plan_is_written_back_with_what_others_put_there(void **state)
{
	struct fixture *f = *state;
	struct item *item;
	mdc_autofree char *current =
		xasprintf("{\"id\":\"/subscriptions/%s/providers/Microsoft.Security/pricings/"
			  "VirtualMachines\","
			  "\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P1\","
			  "\"enforce\":\"True\","
			  "\"extensions\":[{\"name\":\"Theirs\",\"isEnabled\":\"True\"}]}}",
			f->s->id);
	mdc_autofree char *done = acting_pricing_json(f->s, "Standard", "P2");
	const struct fake_request *put;

	acting_plan(&f->a, f->s, "Standard", "P1");
	item = drifted(f, CONTROL_SERVERS_PLAN);
	acting_answer(&f->a, "GET", "/pricings/", 200, current);
	acting_answer(&f->a, "PUT", "/pricings/", 200, done);
	acting_run(&f->a, DUR_S(5));
	acting_expect(item, ITEM_SETTLING, REASON_ACCEPTED);
	put = acting_last(&f->a, "PUT", "/pricings/");
	assert_non_null(strstr(put->request.body, "\"Theirs\""));
	assert_non_null(strstr(put->request.body, "\"P2\""));
	assert_non_null(strstr(put->request.body, "\"enforce\""));
}

static void a_plan_that_was_raised_meanwhile_is_not_lowered(void **state)
{
	struct fixture *f = *state;
	struct item *item;
	mdc_autofree char *current = acting_pricing_json(f->s, "Standard", "P2");

	f->a.policy.plan = PLAN_P1;
	acting_plan(&f->a, f->s, "Free", NULL);
	item = drifted(f, CONTROL_SERVERS_PLAN);
	acting_answer(&f->a, "GET", "/pricings/", 200, current);
	acting_run(&f->a, DUR_S(5));
	acting_expect(item, ITEM_BLOCKED, REASON_PLAN_HIGHER);
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 0);
}

static void only_the_unified_solution_may_not_be_offered(void **state)
{
	static const struct {
		enum setting_id setting;
		int get, put;
		const char *code;
		enum item_state state;
		enum reason reason;
	} rows[] = {
		{SETTING_UNIFIED, 404, 404, "ResourceNotFound", ITEM_COMPLIANT, REASON_NOT_OFFERED},
		{SETTING_UNIFIED, 404, 400, "BadRequest", ITEM_COMPLIANT, REASON_NOT_OFFERED},
		{SETTING_UNIFIED, 404, 400, "AuthorizationFailed", ITEM_BLOCKED, REASON_DENIED},
		{SETTING_UNIFIED, 200, 400, "BadRequest", ITEM_BLOCKED, REASON_REFUSED},
		{SETTING_WDATP, 404, 400, "BadRequest", ITEM_BLOCKED, REASON_REFUSED},
		{SETTING_WDATP, 404, 404, "ResourceNotFound", ITEM_BACKOFF, REASON_VANISHED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f;
		struct item *item;
		char *off;

		print_message(
			"# %s %d %s\n", setting_name(rows[i].setting), rows[i].put, rows[i].code);
		setup(state);
		f = *state;
		f->m = acting_machine(&f->a, f->s, "old", ACTING_2016);
		acting_extension(&f->a, inventory_machine(f->a.inventory, f->s->machines[0]->id),
			"Succeeded", SOURCE_GRAPH);
		acting_setting(
			&f->a, f->s, rows[i].setting, rows[i].get == 404 ? TRI_UNKNOWN : TRI_NO);
		off = acting_setting_json(f->s, setting_name(rows[i].setting), false);
		item = drifted(f,
			rows[i].setting == SETTING_WDATP ? CONTROL_MDE_INTEGRATION
							 : CONTROL_UNIFIED_SOLUTION);
		acting_answer(&f->a, "GET", "/settings/", rows[i].get,
			rows[i].get == 404 ? "{\"error\":{\"code\":\"ResourceNotFound\"}}" : off);
		acting_answer_error(&f->a, "PUT", "/settings/", rows[i].put, rows[i].code);
		acting_run(&f->a, DUR_S(5));
		acting_expect(item, rows[i].state, rows[i].reason);
		assert_int_equal(acting_open_operations(&f->a), 0);
		free(off);
		teardown(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_plan_is_written_back_with_what_others_put_there),
		CASE(a_plan_that_was_raised_meanwhile_is_not_lowered),
		CASES(only_the_unified_solution_may_not_be_offered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
