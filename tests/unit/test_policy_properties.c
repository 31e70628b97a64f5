/* SPDX-License-Identifier: Apache-2.0 */
/* What has to hold for policy as a whole, over seeded estates in every condition. */
#include "tests/unit/estate_builder.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/assess.h"
#include "lib/engine/write_rules.h"
#include "lib/model/single.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS 40
#define SUBSCRIPTIONS 6
#define MACHINES 30

static void random_policy(struct estate *e, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, seed + 77);
	e->policy.plan = (enum servers_plan)rng_below(&rng, 3);
	e->policy.integration = rng_below(&rng, 4) != 0;
	e->policy.unified_solution = rng_below(&rng, 4) != 0;
	e->policy.deploy = rng_below(&rng, 6) == 0 ? DEPLOY_NEVER : DEPLOY_AFTER_GRACE;
	e->policy.legacy_replace = rng_below(&rng, 4) != 0;
	e->policy.linux_integration = rng_below(&rng, 4) != 0;
	e->policy.vulnerability_management = rng_below(&rng, 4) != 0;
	e->policy.register_providers = rng_below(&rng, 2) != 0;
}

static void begin(struct estate *e, uint64_t seed, bool from_end)
{
	estate_init(e);
	random_policy(e, seed);
	estate_random(e, seed, SUBSCRIPTIONS, MACHINES, from_end);
}

/* --- what ARM would answer to the read before a write --- */

static json_t *current_plan(const struct subscription *s)
{
	return json_pack("{s:o, s:{s:s, s:s*}}", "id",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Security/pricings/"
			     "VirtualMachines",
			s->id),
		"properties", "pricingTier", s->pricing.tier, "subPlan",
		*s->pricing.sub_plan != '\0' ? s->pricing.sub_plan : NULL);
}

static json_t *current_setting(const struct subscription *s, enum setting_id setting)
{
	if (s->settings[setting].enabled == TRI_UNKNOWN)
		return NULL;
	return json_pack("{s:o, s:s, s:{s:b}}", "id",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Security/settings/%s", s->id,
			setting_name(setting)),
		"name", setting_name(setting), "properties", "enabled",
		s->settings[setting].enabled == TRI_YES);
}

static json_t *current_single(const struct subscription *s, enum single_id id)
{
	const struct single_row *row = single_row(id);

	if (*s->singles[id].word == '\0')
		return NULL;
	return json_pack("{s:s, s:s, s:{s:s}}", "namespace", row->name, "registrationState",
		s->singles[id].word, "properties", "selectedProvider", s->singles[id].word);
}

static enum single_id missing_provider(const struct subscription *s)
{
	return str_equal(s->singles[SINGLE_SECURITY_PROVIDER].word, "Registered")
		? SINGLE_ARC_PROVIDER
		: SINGLE_SECURITY_PROVIDER;
}

static json_t *current_extension(const struct machine *m)
{
	if (!m->mde.present)
		return NULL;
	return estate_extension_document(m,
		&(struct estate_extension){
			.state = m->mde.state,
			.vnext = m->mde.vnext == TRI_YES ? "true"
				: m->mde.vnext == TRI_NO ? "false"
							 : NULL,
			.owner = m->mde.foreign_owner ? "/subscriptions/x/other" : NULL,
			.code = m->mde.code,
			.message = m->mde.message,
		});
}

static json_t *current_agent(const struct machine *m)
{
	return m->legacy.present ? estate_extension_document(m,
					   &(struct estate_extension){.type = os_is_windows(m->os)
							   ? "MicrosoftMonitoringAgent"
							   : "OmsAgentForLinux",
						   .state = m->legacy.state,
						   .workspace = m->legacy_workspace})
				 : NULL;
}

static json_t *current_of(const struct step *step)
{
	switch (step->control->id) {
	case CONTROL_PROVIDER:
		return current_single(step->subscription, missing_provider(step->subscription));
	case CONTROL_SERVERS_PLAN: return current_plan(step->subscription);
	case CONTROL_MDE_INTEGRATION: return current_setting(step->subscription, SETTING_WDATP);
	case CONTROL_UNIFIED_SOLUTION: return current_setting(step->subscription, SETTING_UNIFIED);
	case CONTROL_LINUX_INTEGRATION:
		return current_setting(step->subscription, SETTING_EXCLUDE_LINUX);
	case CONTROL_VULNERABILITY_MANAGEMENT:
		return current_single(step->subscription, SINGLE_VULNERABILITY);
	case CONTROL_SUBSCRIPTION_MOVE:
	case CONTROL_MDE_EXTENSION: return current_extension(step->machine);
	case CONTROL_LEGACY_REPLACED: return current_agent(step->machine);
	case CONTROL_CONNECTOR:
	case CONTROL_WORKSPACE_PLAN:
	case CONTROL_MACHINE_PLAN:
	case CONTROL_ARC_CONNECTED:
	case CONTROL_SENSOR_ONBOARDED:
	case CONTROL_N_: break;
	}
	return NULL;
}

/* What Azure would make of the write. */
static void take_effect(struct estate *e, const struct step *step)
{
	struct subscription *s = step->subscription;
	struct stamp stamp = {.at = e->now, .source = SOURCE_ARM};
	bool changed;

	switch (step->control->id) {
	case CONTROL_PROVIDER: estate_single(e, s, missing_provider(s), "Registered"); break;
	case CONTROL_SERVERS_PLAN:
		estate_plan(e, s, "Standard", e->policy.plan == PLAN_P1 ? "P1" : "P2");
		break;
	case CONTROL_MDE_INTEGRATION:
		inventory_set_setting(e->inv, s, SETTING_WDATP, TRI_YES, stamp, &changed);
		break;
	case CONTROL_UNIFIED_SOLUTION:
		inventory_set_setting(e->inv, s, SETTING_UNIFIED, TRI_YES, stamp, &changed);
		break;
	case CONTROL_LINUX_INTEGRATION: estate_setting(e, s, SETTING_EXCLUDE_LINUX, TRI_NO); break;
	case CONTROL_VULNERABILITY_MANAGEMENT:
		estate_single(e, s, SINGLE_VULNERABILITY, "MdeTvm");
		break;
	case CONTROL_MDE_EXTENSION:
		estate_extension(e, step->machine,
			&(struct estate_extension){.vnext = "true", .source = SOURCE_ARM});
		break;
	case CONTROL_SUBSCRIPTION_MOVE:
		inventory_unset_extension(e->inv, step->machine,
			os_is_windows(step->machine->os) ? EXTENSION_MDE_WINDOWS
							 : EXTENSION_MDE_LINUX,
			stamp, &changed);
		break;
	case CONTROL_LEGACY_REPLACED:
		inventory_unset_extension(e->inv, step->machine,
			os_is_windows(step->machine->os) ? EXTENSION_MMA : EXTENSION_OMS, stamp,
			&changed);
		break;
	case CONTROL_CONNECTOR:
	case CONTROL_WORKSPACE_PLAN:
	case CONTROL_MACHINE_PLAN:
	case CONTROL_ARC_CONNECTED:
	case CONTROL_SENSOR_ONBOARDED:
	case CONTROL_N_: break;
	}
}

/* --- carrying out a plan --- */

struct carried {
	struct arm_request request;
	json_t *current;
	enum compose_result result;
	enum write_refusal refusal;
};

static void compose_step(struct estate *e, const struct step *step, struct carried *ret)
{
	struct control_view view =
		estate_view(e, step->subscription, step->machine, step->control->id);
	struct compose_input input = {.package = "secret"};
	struct verdict verdict;

	*ret = (struct carried){.current = current_of(step)};
	input.current = ret->current;
	ret->result = step->control->compose(&view, &input, &ret->request, &verdict);
	if (ret->result == COMPOSED)
		ret->refusal = write_rules_check(
			&(struct write_context){
				.view = &view,
				.request = &ret->request,
				.current = ret->current,
				.read_at = e->now,
				.intent_durable = true,
				.identity_tenant = ESTATE_TENANT,
			},
			e->now);
}

static void carried_fini(struct carried *c)
{
	if (c->result == COMPOSED)
		arm_request_fini(&c->request);
	json_decref(c->current);
}

static void event(struct estate *e, const struct step *step, enum item_event_kind kind)
{
	estate_step(e, step->item,
		&(struct item_event){
			.kind = kind, .reason = REASON_SENT, .detail = "", .limit = DUR_H(1)});
}

static void carry_out(struct estate *e, const struct step *step)
{
	struct carried carried;

	event(e, step, EVENT_STEP_QUEUED);
	assert_int_equal(step->item->state, ITEM_QUEUED);
	compose_step(e, step, &carried);
	assert_int_equal(carried.result, COMPOSED);
	assert_string_equal(write_refusal_text(carried.refusal), write_refusal_text(WRITE_ALLOWED));
	carried_fini(&carried);
	event(e, step, EVENT_CALL_SENT);
	event(e, step, EVENT_CALL_ACCEPTED);
	take_effect(e, step);
	estate_judge(e, step->subscription, step->machine, step->control->id);
	assert_int_equal(step->item->state, ITEM_COMPLIANT);
}

static void fire_deadline(struct estate *e, struct item *item)
{
	struct item_event due = {.kind = EVENT_DEADLINE,
		.reason = (enum reason)item->reason,
		.detail = item->detail};

	if (item->due.ms == WALL_NEVER.ms || wall_before(e->now, item->due))
		return;
	item->due = WALL_NEVER;
	estate_step(e, item, &due);
}

static void fire_deadlines(struct estate *e)
{
	struct map_entry *entry;

	map_for_each (&e->inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		for (size_t i = 0; i < FIRST_CONNECTOR_CONTROL; i++)
			fire_deadline(e, &s->items[i]);
		for (uint32_t k = 0; k < s->machine_count; k++)
			for (size_t i = 0; i < MACHINE_CONTROLS; i++)
				fire_deadline(e, &s->machines[k]->items[i]);
	}
}

static size_t count_in_state(const struct estate *e, enum item_state state)
{
	struct map_entry *entry;
	size_t n = 0;

	map_for_each (&e->inv->subscriptions, entry) {
		const struct subscription *s = entry->value;

		for (size_t i = 0; i < FIRST_CONNECTOR_CONTROL; i++)
			n += s->items[i].applies && s->items[i].state == state;
		for (uint32_t k = 0; k < s->machine_count; k++)
			n += s->machines[k]
					->items[CONTROL_MDE_EXTENSION - FIRST_MACHINE_CONTROL]
					.state == state;
	}
	return n;
}

/* One day: look, plan, do, until nothing is ready. Returns how many steps were carried out. */
static size_t live_one_day(struct estate *e)
{
	struct plan_limits limits = {.now = e->now};
	size_t done = 0;

	estate_relist(e);
	fire_deadlines(e);
	for (unsigned rounds = 0; rounds < 10; rounds++) {
		struct plan plan;
		size_t ready;

		estate_judge_all(e);
		plan_build(&e->config, e->inv, &limits, &plan);
		ready = plan.ready;
		for (size_t i = 0; i < plan.count; i++)
			if (plan.steps[i].held == REASON_NONE)
				carry_out(e, &plan.steps[i]);
		plan_fini(&plan);
		if (ready == 0)
			return done;
		done += ready;
	}
	fail_msg("the plan does not come to an end");
	return 0;
}

static void a_plan_that_is_carried_out_leaves_an_empty_one(void **state)
{
	size_t done = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct estate e;
		struct plan_limits limits = {0};
		struct plan plan;

		print_message("# seed %llu\n", (unsigned long long)seed);
		begin(&e, seed, false);
		for (unsigned day = 0; day < 4; day++) {
			done += live_one_day(&e);
			e.now = wall_add(e.now, DUR_H(25));
		}
		live_one_day(&e);
		limits.now = e.now;
		plan_build(&e.config, e.inv, &limits, &plan);
		assert_int_equal(plan.count, 0);
		assert_int_equal(count_in_state(&e, ITEM_DRIFTED), 0);
		assert_int_equal(count_in_state(&e, ITEM_QUEUED), 0);
		plan_fini(&plan);
		estate_fini(&e);
	}
	print_message("# %zu steps\n", done);
	/* It was about something. */
	assert_true(done > SEEDS * 10);
}

static void the_order_of_the_input_does_not_matter(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct estate a, b;
		struct plan plan_a, plan_b;
		struct plan_limits limits = {.now = ESTATE_NOW};

		begin(&a, seed, false);
		begin(&b, seed, true);
		a.config.max_in_flight = b.config.max_in_flight = 7;
		estate_judge_all(&a);
		estate_judge_all(&b);
		plan_build(&a.config, a.inv, &limits, &plan_a);
		plan_build(&b.config, b.inv, &limits, &plan_b);
		assert_int_equal(plan_a.count, plan_b.count);
		assert_int_equal(plan_a.ready, plan_b.ready);
		for (size_t i = 0; i < plan_a.count; i++) {
			const struct step *x = &plan_a.steps[i], *y = &plan_b.steps[i];

			assert_ptr_equal(x->control, y->control);
			assert_int_equal(x->held, y->held);
			assert_string_equal(x->subscription->id, y->subscription->id);
			if (x->machine != NULL)
				assert_string_equal(x->machine->id, y->machine->id);
		}
		plan_fini(&plan_a);
		plan_fini(&plan_b);
		estate_fini(&a);
		estate_fini(&b);
	}
}

static void nothing_goes_in_observe_mode(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct estate e;
		struct plan_limits limits = {.now = ESTATE_NOW};
		struct plan plan;

		begin(&e, seed, false);
		e.scopes[0].mode = MODE_OBSERVE;
		estate_judge_all(&e);
		plan_build(&e.config, e.inv, &limits, &plan);
		assert_int_equal(plan.ready, 0);
		for (size_t i = 0; i < plan.count; i++) {
			struct carried carried;

			assert_int_equal(plan.steps[i].held, REASON_OBSERVE_ONLY);
			compose_step(&e, &plan.steps[i], &carried);
			assert_true(carried.result != COMPOSED ||
				carried.refusal == WRITE_REFUSED_OBSERVE_MODE);
			carried_fini(&carried);
		}
		plan_fini(&plan);
		estate_fini(&e);
	}
}

static void what_goes_rests_on_whole_facts(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct estate e;
		struct plan_limits limits = {.now = ESTATE_NOW};
		struct plan plan;

		begin(&e, seed, false);
		estate_judge_all(&e);
		plan_build(&e.config, e.inv, &limits, &plan);
		for (size_t i = 0; i < plan.count; i++) {
			const struct step *step = &plan.steps[i];

			assert_true(step->subscription->visible);
			assert_int_equal(step->subscription->state, SUBSCRIPTION_ENABLED);
			if (step->machine == NULL)
				continue;
			assert_true(step->machine->extensions_known);
			assert_true(step->machine->connected);
			assert_true(os_is_supported(step->machine->os));
			assert_false(step->machine->mde.foreign_owner);
		}
		plan_fini(&plan);
		estate_fini(&e);
	}
}

static void check_verdict(struct estate *e, const struct verdict *v)
{
	assert_true(v->kind < VERDICT_N_);
	if (v->kind == VERDICT_NOT_APPLICABLE)
		return;
	assert_int_not_equal(v->reason, REASON_NONE);
	assert_non_null(v->detail);
	if (v->kind == VERDICT_WAITING)
		assert_true(wall_before(e->now, v->until) && v->until.ms != WALL_NEVER.ms);
}

static void every_verdict_has_a_reason_and_every_wait_an_end(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct estate e;
		struct map_entry *entry;

		begin(&e, seed, false);
		map_for_each (&e.inv->subscriptions, entry) {
			struct subscription *s = entry->value;

			for (unsigned c = 0; c < CONTROL_N_; c++)
				for (uint32_t k = 0; k < s->machine_count; k++) {
					struct verdict v = estate_judge(&e, s,
						c < FIRST_MACHINE_CONTROL ? NULL : s->machines[k],
						(enum control_id)c);

					check_verdict(&e, &v);
				}
		}
		estate_fini(&e);
	}
}

static void judging_twice_changes_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct estate e;
		struct map_entry *entry;

		begin(&e, seed, false);
		estate_judge_all(&e);
		estate_judge_all(&e);
		map_for_each (&e.inv->subscriptions, entry) {
			struct subscription *s = entry->value;

			for (uint32_t k = 0; k < s->machine_count; k++)
				for (unsigned c = FIRST_MACHINE_CONTROL; c < CONTROL_N_; c++) {
					struct item before = *inventory_item(
						s, s->machines[k], (enum control_id)c);

					estate_judge(&e, s, s->machines[k], (enum control_id)c);
					assert_memory_equal(&before,
						inventory_item(
							s, s->machines[k], (enum control_id)c),
						sizeof(before));
				}
		}
		estate_fini(&e);
	}
}

/* Requests put together at random: what the rules let through is one of the few known writes. */

#define SUBSCRIPTION "/subscriptions/aaaaaaaa-0000-4000-8000-000000000001"
#define MACHINE "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m"

static const char *const methods[] = {"PUT", "PUT", "PUT", "DELETE", "POST"};
static const char *const heads[] = {
	SUBSCRIPTION, SUBSCRIPTION, "/subscriptions/aaaaaaaa-0000-4000-8000-000000000002"};
static const char *const tails[] = {
	"/providers/Microsoft.Security/pricings/VirtualMachines",
	"/providers/Microsoft.Security/settings/WDATP",
	"/providers/Microsoft.Security/settings/WDATP_UNIFIED_SOLUTION",
	"/providers/Microsoft.Security/settings/WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW",
	"/providers/Microsoft.Security/settings/MCAS",
	"/providers/Microsoft.Security/serverVulnerabilityAssessmentsSettings/azureServersSetting",
	"/providers/Microsoft.Security",
	"/providers/Microsoft.Security/register",
	"/providers/Microsoft.HybridCompute/register",
	"/providers/Microsoft.Compute/register",
	"/providers/Microsoft.Security/unregister",
	MACHINE "/extensions/MDE.Windows",
	MACHINE "/extensions/MDE.Linux",
	MACHINE,
};
static const char *const queries[] = {"?api-version=2024-01-01", "?api-version=2022-05-01",
	"?api-version=2025-01-13", "?api-version=2023-05-01", "?api-version=2024-03-01", ""};
static const struct {
	enum control_id control;
	const char *path;
	const char *method; /* NULL: PUT */
} known_writes[] = {
	{CONTROL_PROVIDER,
		SUBSCRIPTION "/providers/Microsoft.Security/register?api-version=2024-03-01",
		"POST"},
	{CONTROL_PROVIDER,
		SUBSCRIPTION "/providers/Microsoft.HybridCompute/register?api-version=2024-03-01",
		"POST"},
	{CONTROL_LINUX_INTEGRATION,
		SUBSCRIPTION "/providers/Microsoft.Security/settings/"
			     "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW?api-version=2022-05-01"},
	{CONTROL_VULNERABILITY_MANAGEMENT,
		SUBSCRIPTION "/providers/Microsoft.Security/"
			     "serverVulnerabilityAssessmentsSettings/"
			     "azureServersSetting?api-version=2023-05-01"},
	{CONTROL_SERVERS_PLAN,
		SUBSCRIPTION "/providers/Microsoft.Security/pricings/"
			     "VirtualMachines?api-version=2024-01-01"},
	{CONTROL_MDE_INTEGRATION,
		SUBSCRIPTION "/providers/Microsoft.Security/settings/WDATP?api-version=2022-05-01"},
	{CONTROL_UNIFIED_SOLUTION,
		SUBSCRIPTION "/providers/Microsoft.Security/settings/"
			     "WDATP_UNIFIED_SOLUTION?api-version=2022-05-01"},
	{CONTROL_MDE_EXTENSION,
		SUBSCRIPTION MACHINE "/extensions/MDE.Windows?api-version=2025-01-13"},
};

#define PICK(rng, list) ((list)[rng_below((rng), ARRAY_LEN(list))])

/* A sound body of some control, at a place of some other. */
static void random_request(struct rng *rng, const struct subscription *s, const struct machine *m,
	const json_t *plan, struct arm_request *ret)
{
	switch (rng_below(rng, 6)) {
	case 0: arm_put_setting(s->id, "WDATP", true, ret); break;
	case 2: arm_put_setting(s->id, "WDATP", false, ret); break;
	case 3: arm_put_vulnerability_setting(s->id, ret); break;
	case 4: arm_register_provider(s->id, "Microsoft.Security", ret); break;
	case 1: arm_put_pricing(s->id, arm_pricing_document(plan, "Standard", "P2"), ret); break;
	default: arm_put_mde_extension(m->id, "x", true, true, "secret", NULL, ret); break;
	}
	free(ret->path);
	ret->method = PICK(rng, methods);
	ret->path = xasprintf("%s%s%s", PICK(rng, heads), PICK(rng, tails), PICK(rng, queries));
}

static bool is_known_write(enum control_id control, const struct arm_request *request)
{
	for (size_t i = 0; i < ARRAY_LEN(known_writes); i++)
		if (known_writes[i].control == control &&
			str_equal(known_writes[i].path, request->path))
			return str_equal(request->method,
				known_writes[i].method != NULL ? known_writes[i].method : "PUT");
	return false;
}

static void only_the_known_writes_pass(void **state)
{
	unsigned allowed[CONTROL_N_] = {0};
	struct estate e;
	struct subscription *s;
	struct machine *m;
	json_t *plan;
	struct rng rng;

	(void)state;
	estate_init(&e);
	estate_want_everything(&e);
	s = estate_subscription(&e, 1);
	m = estate_machine(&e, s, "m", "Windows Server 2016 Datacenter");
	plan = current_plan(s);
	rng_seed(&rng, 99);
	for (unsigned i = 0; i < 200000; i++) {
		enum control_id control = (enum control_id)rng_below(&rng, CONTROL_N_);
		struct control_view view =
			estate_view(&e, s, control < FIRST_MACHINE_CONTROL ? NULL : m, control);
		struct arm_request request;
		struct write_context context = {.view = &view,
			.request = &request,
			.current = control == CONTROL_SERVERS_PLAN ? plan : NULL,
			.read_at = e.now,
			.intent_durable = true,
			.identity_tenant = ESTATE_TENANT};

		random_request(&rng, s, m, plan, &request);
		if (write_rules_check(&context, e.now) == WRITE_ALLOWED) {
			allowed[control]++;
			assert_true(is_known_write(control, &request));
		}
		arm_request_fini(&request);
	}
	/* And each of them does. */
	for (size_t i = 0; i < ARRAY_LEN(known_writes); i++)
		assert_true(allowed[known_writes[i].control] > 0);
	json_decref(plan);
	estate_fini(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_that_is_carried_out_leaves_an_empty_one),
		cmocka_unit_test(the_order_of_the_input_does_not_matter),
		cmocka_unit_test(nothing_goes_in_observe_mode),
		cmocka_unit_test(what_goes_rests_on_whole_facts),
		cmocka_unit_test(every_verdict_has_a_reason_and_every_wait_an_end),
		cmocka_unit_test(judging_twice_changes_nothing),
		cmocka_unit_test(only_the_known_writes_pass),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
