/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

#include "lib/controls/switch.h"

/* --- the table --- */

static void every_control_is_whole(void **state)
{
	(void)state;
	for (unsigned id = 0; id < CONTROL_N_; id++) {
		const struct control *c = control_by_id((enum control_id)id);

		assert_int_equal(c->id, id);
		assert_int_equal(c->on_machine, id >= SUBSCRIPTION_CONTROLS);
		assert_false(str_empty(c->help));
		assert_non_null(c->fields);
		assert_non_null(c->assess);
		assert_non_null(c->unobserved);
		assert_non_null(c->differences);
		assert_int_equal(c->corrects, c->compose != NULL);
		assert_int_equal(c->corrects, c->read != NULL);
		assert_int_equal(c->corrects, c->may_write != NULL);
		if (c->corrects)
			assert_true(c->settle.ms > 0 && c->operation_limit.ms >= c->settle.ms);
		/* What comes first stands first: the order of correction. */
		for (const enum control_id *after = c->after; *after != CONTROL_N_; after++)
			assert_true(*after < id);
	}
	assert_null(control_by_id(CONTROL_N_));
	assert_true(control_by_id(CONTROL_MDE_EXTENSION)->operation_limit.ms > DUR_H(6).ms);
}

/* --- servers-plan --- */

static const struct {
	enum servers_plan wanted;
	const char *tier, *sub_plan;
	bool granted;
	enum verdict_kind kind;
	enum reason reason;
} plans[] = {
	{PLAN_UNMANAGED, "Free", NULL, false, VERDICT_NOT_APPLICABLE, REASON_NONE},
	{PLAN_P2, "Free", NULL, false, VERDICT_DRIFTED, REASON_PLAN_OFF},
	{PLAN_P1, "Free", NULL, false, VERDICT_DRIFTED, REASON_PLAN_OFF},
	{PLAN_P1, "free", "P2", false, VERDICT_DRIFTED, REASON_PLAN_OFF},
	{PLAN_P2, "Standard", "P2", false, VERDICT_COMPLIANT, REASON_IN_SYNC},
	{PLAN_P2, "standard", "p2", false, VERDICT_COMPLIANT, REASON_IN_SYNC},
	{PLAN_P2, "Standard", NULL, false, VERDICT_COMPLIANT, REASON_IN_SYNC},
	{PLAN_P2, "Standard", "P1", false, VERDICT_DRIFTED, REASON_PLAN_DIFFERS},
	{PLAN_P1, "Standard", "P1", false, VERDICT_COMPLIANT, REASON_IN_SYNC},
	{PLAN_P1, "Standard", "P2", false, VERDICT_BLOCKED, REASON_PLAN_HIGHER},
	{PLAN_P1, "Standard", NULL, false, VERDICT_BLOCKED, REASON_PLAN_HIGHER},
	{PLAN_P1, "Standard", "P2", true, VERDICT_DRIFTED, REASON_PLAN_DIFFERS},
	{PLAN_P2, "Standard", "P3", false, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN},
	{PLAN_P2, "Premium", "P2", false, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN},
	{PLAN_P2, "", NULL, false, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN},
};

static void plans_are_judged_by_level(void **state)
{
	struct fixture *f = *state;

	f->e.scopes[0].grants = &f->grant;
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		f->e.policy.plan = plans[i].wanted;
		f->e.scopes[0].grant_count = plans[i].granted;
		estate_plan(&f->e, f->s, plans[i].tier, plans[i].sub_plan);
		expect_verdict(own(f, CONTROL_SERVERS_PLAN), plans[i].kind, plans[i].reason);
	}
}

static json_t *plan_document(const struct fixture *f, const char *properties)
{
	return json_pack("{s:o, s:s, s:o}", "id",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Security/pricings/"
			     "VirtualMachines",
			f->s->id),
		"name", "VirtualMachines", "properties", json_loads(properties, 0, NULL));
}

static const char failed_extension[] =
	"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", \"extensions\": [{\"name\": "
	"\"AgentlessVmScanning\", \"isEnabled\": \"True\", \"operationStatus\": {\"code\": "
	"\"Failed\", \"message\": \"no role\"}}]}";

static void a_failed_plan_extension_blocks_until_an_operator_says_now(void **state)
{
	struct fixture *f = *state;
	json_t *document = plan_document(f, failed_extension);
	char *text = json_dumps(document, 0);
	struct verdict verdict;
	struct arm_request request;

	estate_plan_document(&f->e, f->s, text);
	verdict = own(f, CONTROL_SERVERS_PLAN);
	expect_verdict(verdict, VERDICT_BLOCKED, REASON_PLAN_EXTENSION_FAILED);
	assert_string_equal(verdict.detail, "AgentlessVmScanning: no role");
	assert_int_equal(compose(f, CONTROL_SERVERS_PLAN, document, NULL, &request, &verdict),
		COMPOSE_WITHHELD);
	f->s->items[CONTROL_SERVERS_PLAN].forced = true;
	expect_verdict(own(f, CONTROL_SERVERS_PLAN), VERDICT_DRIFTED, REASON_PLAN_EXTENSION_FAILED);
	assert_int_equal(
		compose(f, CONTROL_SERVERS_PLAN, document, NULL, &request, &verdict), COMPOSED);
	arm_request_fini(&request);
	free(text);
	json_decref(document);
}

static void a_plan_is_written_as_it_was_read_but_for_its_level(void **state)
{
	struct fixture *f = *state;
	json_t *document = plan_document(f,
		"{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", \"enforce\": \"False\", "
		"\"resourcesCoverageStatus\": \"FullyCovered\", \"extensions\": [{\"name\": "
		"\"MdeDesignatedSubscription\", \"isEnabled\": \"True\"}]}");
	json_t *wanted =
		json_loads("{\"properties\": {\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", "
			   "\"enforce\": "
			   "\"False\", \"extensions\": [{\"name\": \"MdeDesignatedSubscription\", "
			   "\"isEnabled\": \"True\"}]}}",
			0, NULL);
	struct arm_request request;
	struct verdict verdict;

	assert_int_equal(
		compose(f, CONTROL_SERVERS_PLAN, document, NULL, &request, &verdict), COMPOSED);
	assert_string_equal(request.method, "PUT");
	assert_true(json_equal(request.body, wanted));
	arm_request_fini(&request);
	json_decref(wanted);
	json_decref(document);
}

static void a_plan_is_decided_again_on_the_fresh_document(void **state)
{
	struct fixture *f = *state;
	json_t *right = plan_document(f, "{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\"}");
	json_t *odd = plan_document(f, "{\"pricingTier\": \"Odd\"}");
	struct arm_request request;
	struct verdict verdict;

	estate_plan(&f->e, f->s, "Free", NULL);
	assert_int_equal(
		compose(f, CONTROL_SERVERS_PLAN, right, NULL, &request, &verdict), COMPOSE_IN_SYNC);
	assert_int_equal(
		compose(f, CONTROL_SERVERS_PLAN, odd, NULL, &request, &verdict), COMPOSE_WITHHELD);
	expect_verdict(verdict, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN);
	assert_int_equal(
		compose(f, CONTROL_SERVERS_PLAN, NULL, NULL, &request, &verdict), COMPOSE_WITHHELD);
	json_decref(right);
	json_decref(odd);
}

static void a_higher_plan_is_not_lowered_on_the_fresh_document_either(void **state)
{
	struct fixture *f = *state;
	json_t *higher = plan_document(f, "{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\"}");
	struct arm_request request;
	struct verdict verdict;

	f->e.policy.plan = PLAN_P1;
	estate_plan(&f->e, f->s, "Free", NULL);
	assert_int_equal(compose(f, CONTROL_SERVERS_PLAN, higher, NULL, &request, &verdict),
		COMPOSE_WITHHELD);
	expect_verdict(verdict, VERDICT_BLOCKED, REASON_PLAN_HIGHER);
	json_decref(higher);
}

/* --- settings --- */

static const struct {
	enum control_id control;
	bool wanted;
	enum tri wdatp, unified;
	const char *sku; /* of the one machine */
	enum verdict_kind kind;
	enum reason reason;
} wanted_settings[] = {
	{CONTROL_MDE_INTEGRATION, true, TRI_YES, TRI_YES, UBUNTU, VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	{CONTROL_MDE_INTEGRATION, true, TRI_NO, TRI_YES, UBUNTU, VERDICT_DRIFTED,
		REASON_SETTING_OFF},
	{CONTROL_MDE_INTEGRATION, true, TRI_UNKNOWN, TRI_YES, UBUNTU, VERDICT_DRIFTED,
		REASON_SETTING_ABSENT},
	{CONTROL_MDE_INTEGRATION, false, TRI_NO, TRI_YES, UBUNTU, VERDICT_NOT_APPLICABLE,
		REASON_NONE},
	{CONTROL_UNIFIED_SOLUTION, true, TRI_YES, TRI_NO, UBUNTU, VERDICT_NOT_APPLICABLE,
		REASON_NONE},
	{CONTROL_UNIFIED_SOLUTION, true, TRI_YES, TRI_NO, WINDOWS_2022, VERDICT_NOT_APPLICABLE,
		REASON_NONE},
	{CONTROL_UNIFIED_SOLUTION, true, TRI_YES, TRI_NO, WINDOWS_2016, VERDICT_DRIFTED,
		REASON_SETTING_OFF},
	{CONTROL_UNIFIED_SOLUTION, true, TRI_YES, TRI_UNKNOWN, "Windows Server 2012 R2 Standard",
		VERDICT_DRIFTED, REASON_SETTING_ABSENT},
	{CONTROL_UNIFIED_SOLUTION, true, TRI_YES, TRI_YES, WINDOWS_2016, VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	{CONTROL_UNIFIED_SOLUTION, false, TRI_YES, TRI_NO, WINDOWS_2016, VERDICT_NOT_APPLICABLE,
		REASON_NONE},
};

static void settings_are_wanted_on_where_they_matter(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(wanted_settings); i++) {
		f->e.policy.integration = f->e.policy.unified_solution = wanted_settings[i].wanted;
		estate_machine(&f->e, f->s, "m", wanted_settings[i].sku);
		estate_settings(&f->e, f->s, wanted_settings[i].wdatp, wanted_settings[i].unified);
		expect_verdict(own(f, wanted_settings[i].control), wanted_settings[i].kind,
			wanted_settings[i].reason);
	}
}

static void a_setting_that_is_not_offered_is_in_order_for_a_week(void **state)
{
	struct fixture *f = *state;
	struct stamp stamp = {.at = f->e.now, .source = SOURCE_ARM};

	estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	estate_settings(&f->e, f->s, TRI_YES, TRI_UNKNOWN);
	inventory_setting_not_offered(f->e.inv, f->s, SETTING_UNIFIED, stamp);
	expect_verdict(own(f, CONTROL_UNIFIED_SOLUTION), VERDICT_COMPLIANT, REASON_NOT_OFFERED);
	f->e.now = wall_add(f->e.now, SWITCH_NOT_OFFERED_FOR);
	expect_verdict(own(f, CONTROL_UNIFIED_SOLUTION), VERDICT_DRIFTED, REASON_SETTING_ABSENT);
	/* What Azure says later of the setting itself counts more. */
	estate_settings(&f->e, f->s, TRI_YES, TRI_NO);
	expect_verdict(own(f, CONTROL_UNIFIED_SOLUTION), VERDICT_DRIFTED, REASON_SETTING_OFF);
}

static void a_listed_setting_that_cannot_be_read_is_not_absent(void **state)
{
	struct fixture *f = *state;
	bool listed[SETTING_N_] = {true, true, true};

	estate_settings(&f->e, f->s, TRI_UNKNOWN, TRI_YES);
	inventory_settings_complete(
		f->e.inv, f->s, listed, (struct stamp){.at = f->e.now, .source = SOURCE_ARM});
	expect_verdict(own(f, CONTROL_MDE_INTEGRATION), VERDICT_UNKNOWN, REASON_FACT_UNKNOWN);
}

static void a_setting_is_decided_again_on_the_fresh_document(void **state)
{
	static const struct {
		const char *properties; /* NULL: 404 */
		enum compose_result result;
	} rows[] = {
		{NULL, COMPOSED},
		{"{\"enabled\": false}", COMPOSED},
		{"{\"enabled\": true}", COMPOSE_IN_SYNC},
		{"{}", COMPOSE_WITHHELD},
		{"{\"enabled\": 7}", COMPOSE_WITHHELD},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arm_request request = {0};
		struct verdict verdict;
		json_t *current = rows[i].properties == NULL
			? NULL
			: json_pack("{s:o, s:s, s:o}", "id",
				  json_sprintf("/subscriptions/%s/providers/Microsoft.Security/"
					       "settings/WDATP",
					  f->s->id),
				  "name", "WDATP", "properties",
				  json_loads(rows[i].properties, 0, NULL));

		assert_int_equal(
			compose(f, CONTROL_MDE_INTEGRATION, current, NULL, &request, &verdict),
			rows[i].result);
		if (rows[i].result == COMPOSED)
			assert_true(json_is_true(json_path(request.body, "properties.enabled")));
		arm_request_fini(&request);
		json_decref(current);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_control_is_whole),
		CASE(plans_are_judged_by_level),
		CASE(a_failed_plan_extension_blocks_until_an_operator_says_now),
		CASE(a_plan_is_written_as_it_was_read_but_for_its_level),
		CASE(a_plan_is_decided_again_on_the_fresh_document),
		CASE(a_higher_plan_is_not_lowered_on_the_fresh_document_either),
		CASE(settings_are_wanted_on_where_they_matter),
		CASE(a_setting_that_is_not_offered_is_in_order_for_a_week),
		CASE(a_listed_setting_that_cannot_be_read_is_not_absent),
		CASE(a_setting_is_decided_again_on_the_fresh_document),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
