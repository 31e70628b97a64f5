/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

#include "lib/engine/assess.h"
#include "lib/engine/write_rules.h"

#include <string.h>

#define OWN "\"inherited\": \"False\""
#define INHERITED "\"inherited\": \"True\""

/* One section that names every machine. */
static struct machine_plan_config section;

static void want(struct fixture *f, enum machine_plan plan)
{
	static char name[] = "kiosks";

	section = (struct machine_plan_config){.name = name, .plan = plan};
	f->e.policy.machine_plans = &section;
	f->e.policy.machine_plan_count = 1;
}

static void grant_it(struct fixture *f, bool granted)
{
	static char control[] = "machine-plan";

	f->grant.control = control;
	f->e.scopes[0].grants = &f->grant;
	f->e.scopes[0].grant_count = granted;
}

static void show(struct fixture *f, enum machine_plan plan)
{
	bool changed;

	inventory_set_machine_plan(
		f->m, plan, (struct stamp){.at = f->e.now, .source = SOURCE_ARM}, &changed);
}

static const struct {
	const char *tier, *sub_plan; /* the subscription's */
	enum machine_plan is, wanted;
	bool granted;
	enum verdict_kind kind;
	enum reason reason;
} plans[] = {
	{"Standard", "P2", MACHINE_PLAN_INHERITED, MACHINE_PLAN_P1, false, VERDICT_BLOCKED,
		REASON_LOWERS},
	{"Standard", "P2", MACHINE_PLAN_INHERITED, MACHINE_PLAN_P1, true, VERDICT_DRIFTED,
		REASON_MACHINE_PLAN_DIFFERS},
	{"Standard", "P2", MACHINE_PLAN_INHERITED, MACHINE_PLAN_OFF, false, VERDICT_BLOCKED,
		REASON_LOWERS},
	{"Standard", "P2", MACHINE_PLAN_P1, MACHINE_PLAN_P1, false, VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	{"Standard", "P2", MACHINE_PLAN_OFF, MACHINE_PLAN_OFF, false, VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	{"Standard", "P2", MACHINE_PLAN_OFF, MACHINE_PLAN_P1, false, VERDICT_BLOCKED,
		REASON_LOWERS},
	{"Standard", "P2", MACHINE_PLAN_P1, MACHINE_PLAN_OFF, true, VERDICT_DRIFTED,
		REASON_MACHINE_PLAN_DIFFERS},
	{"Standard", "P2", MACHINE_PLAN_P1, MACHINE_PLAN_INHERITED, false, VERDICT_DRIFTED,
		REASON_MACHINE_PLAN_DIFFERS},
	{"Standard", "P2", MACHINE_PLAN_OFF, MACHINE_PLAN_INHERITED, false, VERDICT_DRIFTED,
		REASON_MACHINE_PLAN_DIFFERS},
	/* What is inherited and the wanted one is as good as one of its own. */
	{"Standard", "P1", MACHINE_PLAN_INHERITED, MACHINE_PLAN_P1, false, VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	{"Free", NULL, MACHINE_PLAN_INHERITED, MACHINE_PLAN_OFF, false, VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	{"Standard", "P1", MACHINE_PLAN_INHERITED, MACHINE_PLAN_INHERITED, false, VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	/* More than before needs nobody's leave; less does. */
	{"Free", NULL, MACHINE_PLAN_INHERITED, MACHINE_PLAN_P1, false, VERDICT_DRIFTED,
		REASON_MACHINE_PLAN_DIFFERS},
	{"Free", NULL, MACHINE_PLAN_P1, MACHINE_PLAN_INHERITED, false, VERDICT_BLOCKED,
		REASON_LOWERS},
	{"Standard", "P2", MACHINE_PLAN_UNKNOWN, MACHINE_PLAN_P1, true, VERDICT_UNKNOWN,
		REASON_FACT_UNKNOWN},
	{"Standard", "P3", MACHINE_PLAN_P1, MACHINE_PLAN_P1, true, VERDICT_UNKNOWN,
		REASON_FACT_UNKNOWN},
};

static void plans_of_machines_are_judged_by_what_they_amount_to(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		struct verdict verdict;

		estate_plan(&f->e, f->s, plans[i].tier, plans[i].sub_plan);
		want(f, plans[i].wanted);
		grant_it(f, plans[i].granted);
		show(f, plans[i].is);
		verdict = own(f, CONTROL_MACHINE_PLAN);
		if (verdict.kind != plans[i].kind || verdict.reason != plans[i].reason)
			fail_msg("row %zu: %s", i, reason_word(verdict.reason));
	}
}

static void only_machines_that_the_policy_names_are_concerned(void **state)
{
	static char kiosk[] = "kiosk-*", *patterns[] = {kiosk};
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "web", WINDOWS_2022);
	show(f, MACHINE_PLAN_OFF);
	expect_verdict(own(f, CONTROL_MACHINE_PLAN), VERDICT_NOT_APPLICABLE, REASON_NONE);
	want(f, MACHINE_PLAN_P1);
	section.selector = (struct selector){.machines = patterns, .machine_count = 1};
	expect_verdict(own(f, CONTROL_MACHINE_PLAN), VERDICT_NOT_APPLICABLE, REASON_NONE);
	f->m = estate_machine(&f->e, f->s, "kiosk-7", WINDOWS_2022);
	show(f, MACHINE_PLAN_P1);
	expect_verdict(own(f, CONTROL_MACHINE_PLAN), VERDICT_COMPLIANT, REASON_IN_SYNC);
}

static void an_enforced_plan_is_not_overridden(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	want(f, MACHINE_PLAN_P1);
	grant_it(f, true);
	show(f, MACHINE_PLAN_INHERITED);
	f->s->pricing.enforce = TRI_YES;
	expect_verdict(own(f, CONTROL_MACHINE_PLAN), VERDICT_BLOCKED, REASON_PLAN_ENFORCED);
	f->s->pricing.enforce = TRI_NO;
	expect_verdict(own(f, CONTROL_MACHINE_PLAN), VERDICT_DRIFTED, REASON_MACHINE_PLAN_DIFFERS);
}

static void what_was_not_read_is_not_judged(void **state)
{
	struct fixture *f = *state;
	struct control_view view;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	want(f, MACHINE_PLAN_P1);
	view = estate_view(&f->e, f->s, f->m, CONTROL_MACHINE_PLAN);
	expect_verdict(assess(control_by_id(CONTROL_MACHINE_PLAN), &view), VERDICT_UNKNOWN,
		REASON_NOT_OBSERVED);
}

static void a_machine_without_a_plan_gets_no_sensor(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	show(f, MACHINE_PLAN_OFF);
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_EXCLUDED, REASON_MACHINE_PLAN_OFF);
	show(f, MACHINE_PLAN_P1);
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	/* Nor one that is about to lose it; without a grant it does not. */
	want(f, MACHINE_PLAN_OFF);
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	grant_it(f, true);
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_EXCLUDED, REASON_MACHINE_PLAN_OFF);
	f->s->pricing.enforce = TRI_YES;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
}

/* --- reading and writing --- */

static json_t *plan_document(const struct fixture *f, const char *properties)
{
	return json_pack("{s:o, s:o}", "id",
		json_sprintf("%s/providers/Microsoft.Security/pricings/VirtualMachines", f->m->id),
		"properties", json_loads(properties, 0, NULL));
}

static const struct {
	const char *properties;
	enum machine_plan plan;
} documents[] = {
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", " OWN "}", MACHINE_PLAN_P1},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", " INHERITED "}",
		MACHINE_PLAN_INHERITED},
	{"{\"pricingTier\": \"free\", " OWN "}", MACHINE_PLAN_OFF},
	{"{\"pricingTier\": \"Free\"}", MACHINE_PLAN_OFF},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", " OWN "}", MACHINE_PLAN_UNKNOWN},
	{"{\"pricingTier\": 7}", MACHINE_PLAN_UNKNOWN},
	{"{}", MACHINE_PLAN_UNKNOWN},
};

static void documents_tell_own_plans_from_inherited_ones(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		json_t *document = plan_document(f, documents[i].properties);

		assert_int_equal(arm_machine_plan_read(document), documents[i].plan);
		json_decref(document);
	}
}

static const struct {
	enum machine_plan wanted;
	const char *current, *method, *body;
} writes[] = {
	{MACHINE_PLAN_P1, "{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", " INHERITED "}",
		"PUT", "{\"properties\": {\"pricingTier\": \"Standard\", \"subPlan\": \"P1\"}}"},
	{MACHINE_PLAN_OFF, "{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", " INHERITED "}",
		"PUT", "{\"properties\": {\"pricingTier\": \"Free\"}}"},
	{MACHINE_PLAN_INHERITED, "{\"pricingTier\": \"Free\", " OWN "}", "DELETE", NULL},
};

static enum write_refusal rules_on(
	struct fixture *f, const struct arm_request *request, const json_t *current)
{
	struct control_view view = estate_view(&f->e, f->s, f->m, CONTROL_MACHINE_PLAN);
	struct write_context context = {.view = &view,
		.request = request,
		.current = current,
		.read_at = f->e.now,
		.intent_durable = true,
		.identity_tenant = ESTATE_TENANT};

	return write_rules_check(&context, f->e.now);
}

static void what_is_written_says_no_more_than_the_plan(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
		json_t *current = plan_document(f, writes[i].current);
		json_t *body = writes[i].body != NULL ? json_loads(writes[i].body, 0, NULL) : NULL;
		struct arm_request request;
		struct verdict verdict;

		want(f, writes[i].wanted);
		grant_it(f, true);
		show(f, arm_machine_plan_read(current));
		assert_int_equal(
			compose(f, CONTROL_MACHINE_PLAN, current, NULL, &request, &verdict),
			COMPOSED);
		assert_string_equal(request.method, writes[i].method);
		assert_true(body == NULL ? request.body == NULL : json_equal(request.body, body));
		assert_int_equal(rules_on(f, &request, current), WRITE_ALLOWED);
		assert_int_equal(rules_on(f, &request, NULL), WRITE_REFUSED_NOT_READ);
		/* Less than the subscription gives needs the grant until the very end. */
		grant_it(f, false);
		assert_int_equal(rules_on(f, &request, current),
			writes[i].wanted == MACHINE_PLAN_INHERITED ? WRITE_ALLOWED
								   : WRITE_REFUSED_LOWERS);
		f->e.policy.machine_plan_count = 0;
		assert_int_equal(rules_on(f, &request, current), WRITE_REFUSED_NOT_LISTED);
		arm_request_fini(&request);
		json_decref(current);
		json_decref(body);
	}
}

static void what_is_read_decides_again(void **state)
{
	struct fixture *f = *state;
	struct arm_request request;
	struct verdict verdict;
	json_t *current;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	want(f, MACHINE_PLAN_P1);
	grant_it(f, true);
	current = plan_document(f, "{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", " OWN "}");
	assert_int_equal(compose(f, CONTROL_MACHINE_PLAN, current, NULL, &request, &verdict),
		COMPOSE_IN_SYNC);
	assert_int_equal(
		compose(f, CONTROL_MACHINE_PLAN, NULL, NULL, &request, &verdict), COMPOSE_WITHHELD);
	json_decref(current);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(plans_of_machines_are_judged_by_what_they_amount_to),
		CASE(only_machines_that_the_policy_names_are_concerned),
		CASE(an_enforced_plan_is_not_overridden),
		CASE(what_was_not_read_is_not_judged),
		CASE(a_machine_without_a_plan_gets_no_sensor),
		CASE(documents_tell_own_plans_from_inherited_ones),
		CASE(what_is_written_says_no_more_than_the_plan),
		CASE(what_is_read_decides_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
