/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

#include "lib/controls/legacy.h"
#include "lib/engine/write_rules.h"

#include <string.h>

#define AGENT EXTENSION(.type = "MicrosoftMonitoringAgent", .workspace = WORKSPACE)
#define WORKSPACE "5f1c1a0e-0000-4000-8000-000000000001"
#define OTHER_WORKSPACE "5f1c1a0e-0000-4000-8000-000000000002"
#define OLD_SENSOR "10.3720.16299.2010"
#define NEW_SENSOR "10.8760.27778.1000"

static void later(struct fixture *f, struct dur d)
{
	f->e.now = wall_add(f->e.now, d);
	estate_relist(&f->e);
	estate_agent_policy(&f->e, f->s, NULL);
}

static struct machine *server(struct fixture *f, const char *sku)
{
	f->m = estate_machine(&f->e, f->s, "m", sku);
	return f->m;
}

static struct verdict judged(struct fixture *f)
{
	return own(f, CONTROL_LEGACY_REPLACED);
}

/* --- signals --- */

static const struct {
	const char *sku;
	bool agent;
	const struct estate_extension *mde;
	const char *sensor;
	enum legacy_signal signal;
} signals[] = {
	{WINDOWS_2016, false, NULL, NULL, LEGACY_NONE},
	{WINDOWS_2016, true, NULL, NULL, LEGACY_AGENT},
	{WINDOWS_2016, true, EXTENSION(.state = "Failed", .vnext = "true"), NULL, LEGACY_AGENT},
	{WINDOWS_2016, true, EXTENSION(.vnext = "true"), NULL, LEGACY_NONE},
	{WINDOWS_2016, true, EXTENSION(.vnext = "false"), NULL, LEGACY_ROUTE},
	{WINDOWS_2016, false, EXTENSION(.vnext = NULL), NULL, LEGACY_ROUTE},
	{WINDOWS_2016, false, NULL, OLD_SENSOR, LEGACY_SENSOR},
	{WINDOWS_2016, true, EXTENSION(.vnext = "true"), OLD_SENSOR, LEGACY_SENSOR},
	{WINDOWS_2016, true, EXTENSION(.vnext = "false"), NEW_SENSOR, LEGACY_ROUTE},
	{WINDOWS_2016, true, NULL, NEW_SENSOR, LEGACY_AGENT},
	{WINDOWS_2022, true, NULL, OLD_SENSOR, LEGACY_NONE},
	{UBUNTU, false, EXTENSION(.vnext = "false"), NULL, LEGACY_NONE},
};

static void the_strongest_sign_of_the_old_sensor_counts(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		server(f, signals[i].sku);
		if (signals[i].agent)
			estate_extension(&f->e, f->m, AGENT);
		if (signals[i].mde != NULL)
			estate_extension(&f->e, f->m, signals[i].mde);
		if (signals[i].sensor != NULL)
			estate_sensor(&f->e, f->m, signals[i].sensor, SENSOR_ACTIVE);
		if (legacy_signal(f->m) != signals[i].signal)
			fail_msg("row %zu: %s", i, legacy_signal_text(legacy_signal(f->m)));
		inventory_remove_machine(f->e.inv, f->m);
	}
}

static void versions_tell_the_old_sensor_from_the_new_one(void **state)
{
	(void)state;
	assert_int_equal(sensor_generation("10.3720.16299.2010"), SENSOR_LEGACY);
	assert_int_equal(sensor_generation("10.3720"), SENSOR_LEGACY);
	assert_int_equal(sensor_generation("10.37201.1"), SENSOR_OTHER);
	assert_int_equal(sensor_generation("10.8048.22439.1065"), SENSOR_CURRENT);
	assert_int_equal(sensor_generation("10.8799.1"), SENSOR_CURRENT);
	assert_int_equal(sensor_generation("30.124032.5"), SENSOR_OTHER);
	assert_int_equal(sensor_generation(""), SENSOR_GENERATION_UNKNOWN);
	assert_int_equal(sensor_generation("n/a"), SENSOR_GENERATION_UNKNOWN);
	assert_int_equal(sensor_generation(NULL), SENSOR_GENERATION_UNKNOWN);
	assert_true(sensor_is_outdated("10.8048.1", true, true));
	assert_true(sensor_is_outdated("10.8559", true, true));
	assert_false(sensor_is_outdated("10.8560", true, true));
	assert_false(sensor_is_outdated("10.8555", true, false));
	assert_true(sensor_is_outdated("30.101.23052.8", false, false));
	assert_false(sensor_is_outdated("30.101.23052.009", false, false));
	assert_false(sensor_is_outdated("", true, true));
}

/* --- until it is replaced --- */

static const struct {
	const char *sku;
	bool legacy;
	const struct estate_extension *mde;
	enum verdict_kind kind;
	enum reason reason;
} legacies[] = {
	{WINDOWS_2022, true, NULL, VERDICT_NOT_APPLICABLE, REASON_NONE},
	{UBUNTU, false, NULL, VERDICT_NOT_APPLICABLE, REASON_NONE},
	{WINDOWS_2016, false, NULL, VERDICT_NOT_APPLICABLE, REASON_NONE},
	{WINDOWS_2016, false, EXTENSION(.vnext = "true"), VERDICT_COMPLIANT,
		REASON_INSTALLED_UNCONFIRMED},
	{WINDOWS_2016, true, NULL, VERDICT_WAITING, REASON_PREREQUISITE},
	{WINDOWS_2016, true, EXTENSION(.vnext = "false"), VERDICT_WAITING, REASON_PREREQUISITE},
	{WINDOWS_2016, false, EXTENSION(.vnext = "false"), VERDICT_WAITING, REASON_PREREQUISITE},
	{WINDOWS_2016, true, EXTENSION(.state = "Creating", .vnext = "true"), VERDICT_WAITING,
		REASON_PREREQUISITE},
	{WINDOWS_2016, true, EXTENSION(.vnext = "true"), VERDICT_COMPLIANT,
		REASON_INSTALLED_UNCONFIRMED},
	{WINDOWS_2016, true, EXTENSION(.state = "Failed", .code = "13"), VERDICT_BLOCKED,
		REASON_LEGACY_AGENT},
};

static void the_legacy_sensor_is_reported_until_it_is_replaced(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(legacies); i++) {
		server(f, legacies[i].sku);
		if (legacies[i].legacy)
			estate_extension(&f->e, f->m, AGENT);
		if (legacies[i].mde != NULL)
			estate_extension(&f->e, f->m, legacies[i].mde);
		expect_verdict(judged(f), legacies[i].kind, legacies[i].reason);
		inventory_remove_machine(f->e.inv, f->m);
	}
}

static void replacement_is_a_choice_of_the_policy(void **state)
{
	struct fixture *f = *state;

	f->e.policy.legacy_replace = false;
	server(f, WINDOWS_2016);
	estate_extension(&f->e, f->m, AGENT);
	expect_verdict(judged(f), VERDICT_EXCLUDED, REASON_REPLACE_OFF);
	f->e.policy.legacy_replace = true;
	estate_status(&f->e, f->m, "Disconnected");
	expect_verdict(judged(f), VERDICT_UNREACHABLE, REASON_DISCONNECTED);
}

static void a_mute_old_sensor_is_urgent_and_not_gone(void **state)
{
	struct fixture *f = *state;

	server(f, WINDOWS_2016);
	estate_extension(&f->e, f->m, AGENT);
	estate_sensor(&f->e, f->m, OLD_SENSOR, SENSOR_ACTIVE);
	expect_verdict(judged(f), VERDICT_WAITING, REASON_PREREQUISITE);
	/* Defender for Cloud has its grace, but not at this price. */
	f->e.now = wall_add(f->m->mde.changed, DUR_H(1));
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_WAITING, REASON_GRACE);
	estate_sensor(&f->e, f->m, OLD_SENSOR, SENSOR_MUTE);
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	expect_verdict(judged(f), VERDICT_WAITING, REASON_LEGACY_MUTE);
	estate_extension(&f->e, f->m, EXTENSION(.state = "Failed", .code = "13"));
	expect_verdict(judged(f), VERDICT_BLOCKED, REASON_LEGACY_MUTE);
	estate_status(&f->e, f->m, "Disconnected");
	expect_verdict(judged(f), VERDICT_UNREACHABLE, REASON_DISCONNECTED);
}

/* --- proof --- */

static void the_inventory_confirms_what_the_extension_says(void **state)
{
	struct fixture *f = *state;

	server(f, WINDOWS_2016);
	estate_extension(&f->e, f->m, EXTENSION(.vnext = "true"));
	later(f, DUR_H(2));
	estate_sensor(&f->e, f->m, NEW_SENSOR, SENSOR_ACTIVE);
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_IN_SYNC);
	estate_sensor(&f->e, f->m, "10.8048.22439.1065", SENSOR_ACTIVE);
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_SENSOR_OUTDATED);
	estate_sensor(&f->e, f->m, NEW_SENSOR, SENSOR_MUTE);
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_INSTALLED_UNCONFIRMED);
	/* For a day the inventory may be older than the sensor. */
	estate_sensor(&f->e, f->m, OLD_SENSOR, SENSOR_ACTIVE);
	expect_verdict(judged(f), VERDICT_WAITING, REASON_SENSOR_AWAITED);
	later(f, DUR_H(25));
	expect_verdict(judged(f), VERDICT_BLOCKED, REASON_LEGACY_SENSOR);
}

static void what_was_seen_before_the_new_sensor_came_proves_nothing(void **state)
{
	struct fixture *f = *state;
	struct control_view view;
	bool changed;

	server(f, WINDOWS_2016);
	estate_extension(&f->e, f->m, EXTENSION(.vnext = "true"));
	/* Seen a minute before it was provisioned. */
	estate_sensor(&f->e, f->m, NEW_SENSOR, SENSOR_ACTIVE);
	view = estate_view(&f->e, f->s, f->m, CONTROL_LEGACY_REPLACED);
	assert_int_equal(sensor_proof(&view), SENSOR_NOT_SEEN);
	later(f, DUR_H(1));
	estate_sensor(&f->e, f->m, NEW_SENSOR, SENSOR_ACTIVE);
	view = estate_view(&f->e, f->s, f->m, CONTROL_LEGACY_REPLACED);
	assert_int_equal(sensor_proof(&view), SENSOR_PROVEN);
	/* Not seen for two days, whatever its health was then. */
	f->m->sensor->at = wall_add(f->m->sensor->last_seen, DUR_DAYS(2));
	assert_int_equal(sensor_proof(&view), SENSOR_NOT_SEEN);
	inventory_set_sensor(f->e.inv, f->m, NULL, &changed);
	assert_true(changed);
	assert_int_equal(sensor_proof(&view), SENSOR_NOT_KNOWN);
	f->e.policy.legacy_proof = PROOF_BY_EXTENSION;
	assert_int_equal(sensor_proof(&view), SENSOR_ACCEPTED);
}

/* --- the agent --- */

/* Everything that has to be so before the agent may go. */
static void make_removable(struct fixture *f, const char *sku)
{
	bool windows = str_starts_nocase(sku, "Windows");

	f->e.policy.legacy_remove_agent = true;
	f->e.policy.legacy_any_workspace = true;
	f->e.policy.legacy_remove_after = DUR_H(26);
	server(f, sku);
	estate_extension(&f->e, f->m,
		EXTENSION(.type = windows ? "MicrosoftMonitoringAgent" : "OmsAgentForLinux",
			.name = "MMAExtension", .workspace = WORKSPACE));
	estate_extension(&f->e, f->m, EXTENSION(.vnext = "true"));
	later(f, DUR_H(27));
	estate_sensor(&f->e, f->m, windows ? NEW_SENSOR : "30.124032.0005.0000", SENSOR_ACTIVE);
}

static void an_agent_that_nothing_needs_is_removed(void **state)
{
	static const char *const skus[] = {WINDOWS_2016, WINDOWS_2022, UBUNTU};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(skus); i++) {
		make_removable(f, skus[i]);
		expect_verdict(judged(f), VERDICT_DRIFTED, REASON_AGENT_IDLE);
		inventory_remove_machine(f->e.inv, f->m);
	}
}

static void it_is_kept_as_long_as_the_policy_says(void **state)
{
	struct fixture *f = *state;
	struct verdict verdict;

	make_removable(f, WINDOWS_2016);
	f->e.now = wall_add(f->m->mde.changed, DUR_H(25));
	estate_sensor(&f->e, f->m, NEW_SENSOR, SENSOR_ACTIVE);
	verdict = judged(f);
	expect_verdict(verdict, VERDICT_WAITING, REASON_AGENT_KEPT);
	assert_int_equal(verdict.until.ms, wall_add(f->m->mde.changed, DUR_H(26)).ms);
	inventory_item(f->s, f->m, CONTROL_LEGACY_REPLACED)->forced = true;
	expect_verdict(judged(f), VERDICT_DRIFTED, REASON_AGENT_IDLE);
}

static void a_promised_end_of_keeping_survives_a_restart(void **state)
{
	struct fixture *f = *state;
	struct item *item;
	struct verdict verdict;

	make_removable(f, WINDOWS_2016);
	item = inventory_item(f->s, f->m, CONTROL_LEGACY_REPLACED);
	item->state = ITEM_WAITING;
	item->reason = REASON_AGENT_KEPT;
	item->due = wall_add(f->e.now, DUR_H(1));
	f->m->mde.changed = wall_add(f->e.now, DUR_MIN(-2));
	verdict = judged(f);
	expect_verdict(verdict, VERDICT_WAITING, REASON_AGENT_KEPT);
	assert_int_equal(verdict.until.ms, item->due.ms);
}

static void without_proof_it_is_never_removed(void **state)
{
	struct fixture *f = *state;
	bool changed;

	make_removable(f, WINDOWS_2016);
	inventory_set_sensor(f->e.inv, f->m, NULL, &changed);
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_AGENT_UNPROVEN);
	later(f, DUR_DAYS(30));
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_AGENT_UNPROVEN);
	f->e.policy.legacy_proof = PROOF_BY_EXTENSION;
	expect_verdict(judged(f), VERDICT_DRIFTED, REASON_AGENT_IDLE);
	/* What the inventory does show is not overruled by that. */
	estate_sensor(&f->e, f->m, NEW_SENSOR, SENSOR_MUTE);
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_AGENT_UNPROVEN);
	estate_sensor(&f->e, f->m, OLD_SENSOR, SENSOR_ACTIVE);
	expect_verdict(judged(f), VERDICT_BLOCKED, REASON_LEGACY_SENSOR);
}

static void a_workspace_that_is_not_listed_keeps_it(void **state)
{
	static char listed[] = WORKSPACE, *workspaces[] = {listed};
	struct fixture *f = *state;
	struct verdict verdict;

	make_removable(f, WINDOWS_2016);
	f->e.policy.legacy_any_workspace = false;
	verdict = judged(f);
	expect_verdict(verdict, VERDICT_COMPLIANT, REASON_AGENT_WORKSPACE);
	assert_string_equal(verdict.detail, WORKSPACE);
	f->e.policy.legacy_workspaces = workspaces;
	f->e.policy.legacy_workspace_count = 1;
	expect_verdict(judged(f), VERDICT_DRIFTED, REASON_AGENT_IDLE);
	estate_extension(&f->e, f->m,
		EXTENSION(.type = "MicrosoftMonitoringAgent", .workspace = OTHER_WORKSPACE));
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_AGENT_WORKSPACE);
	estate_extension(&f->e, f->m, EXTENSION(.type = "MicrosoftMonitoringAgent"));
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_AGENT_WORKSPACE);
}

static void an_assigned_policy_keeps_it(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *group = NULL;
	struct assigned_policies none = {0};
	struct verdict verdict;
	bool changed;

	make_removable(f, WINDOWS_2016);
	estate_agent_policy(
		&f->e, f->s, "/providers/Microsoft.Management/managementGroups/everything");
	verdict = judged(f);
	expect_verdict(verdict, VERDICT_COMPLIANT, REASON_AGENT_POLICY);
	assert_string_equal(verdict.detail, "agents everywhere");
	group = xasprintf("/subscriptions/%s/resourceGroups/RG", f->s->id);
	estate_agent_policy(&f->e, f->s, group);
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_AGENT_POLICY);
	free(group);
	group = xasprintf("/subscriptions/%s/resourceGroups/r", f->s->id);
	estate_agent_policy(&f->e, f->s, group);
	expect_verdict(judged(f), VERDICT_DRIFTED, REASON_AGENT_IDLE);
	/* Assignments that could not be read, or not for a day, are not "none". */
	f->s->policies.at = wall_add(f->e.now, DUR_H(-25));
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_AGENT_POLICY_UNKNOWN);
	inventory_set_policies(f->s, &none, &changed);
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_AGENT_POLICY_UNKNOWN);
}

static void an_agent_that_is_worked_on_or_out_of_reach_is_left_alone(void **state)
{
	struct fixture *f = *state;

	make_removable(f, WINDOWS_2016);
	estate_extension(&f->e, f->m,
		EXTENSION(.type = "MicrosoftMonitoringAgent", .state = "Updating",
			.workspace = WORKSPACE));
	expect_verdict(judged(f), VERDICT_WAITING, REASON_OTHER_DEPLOYER);
	estate_extension(&f->e, f->m, AGENT);
	estate_status(&f->e, f->m, "Disconnected");
	expect_verdict(judged(f), VERDICT_UNREACHABLE, REASON_DISCONNECTED);
}

/* --- removing it --- */

static enum compose_result compose_removal(struct fixture *f, const struct estate_extension *x,
	struct arm_request *ret, struct verdict *verdict)
{
	json_t *document = x != NULL ? estate_extension_document(f->m, x) : NULL;
	enum compose_result result =
		compose(f, CONTROL_LEGACY_REPLACED, document, NULL, ret, verdict);

	json_decref(document);
	return result;
}

static void the_agent_is_deleted_under_the_name_that_it_has(void **state)
{
	struct fixture *f = *state;
	struct arm_request request;
	struct verdict verdict;

	make_removable(f, WINDOWS_2016);
	assert_int_equal(compose_removal(f,
				 EXTENSION(.type = "MicrosoftMonitoringAgent",
					 .name = "MMAExtension", .workspace = WORKSPACE),
				 &request, &verdict),
		COMPOSED);
	assert_string_equal(request.method, "DELETE");
	assert_non_null(strstr(request.path, "/extensions/MMAExtension?api-version="));
	assert_null(request.body);
	arm_request_fini(&request);
	assert_int_equal(compose_removal(f, NULL, &request, &verdict), COMPOSE_IN_SYNC);
	assert_int_equal(
		compose_removal(f, EXTENSION(.type = "MDE.Windows", .name = "MMAExtension"),
			&request, &verdict),
		COMPOSE_WITHHELD);
	expect_verdict(verdict, VERDICT_BLOCKED, REASON_NAME_TAKEN);
	assert_int_equal(compose_removal(f,
				 EXTENSION(.type = "MicrosoftMonitoringAgent",
					 .name = "MMAExtension", .workspace = OTHER_WORKSPACE),
				 &request, &verdict),
		COMPOSE_WITHHELD);
}

static enum write_refusal rules_on(struct fixture *f, const struct estate_extension *current)
{
	json_t *document = current != NULL ? estate_extension_document(f->m, current) : NULL;
	struct control_view view = estate_view(&f->e, f->s, f->m, CONTROL_LEGACY_REPLACED);
	struct arm_request request;
	struct write_context context = {.view = &view,
		.request = &request,
		.current = document,
		.read_at = f->e.now,
		.intent_durable = true,
		.identity_tenant = ESTATE_TENANT};
	enum write_refusal refusal;

	arm_delete_extension(f->m->id, "MMAExtension", &request);
	refusal = write_rules_check(&context, f->e.now);
	arm_request_fini(&request);
	json_decref(document);
	return refusal;
}

static void the_rules_let_only_agents_go_and_only_after_the_new_sensor(void **state)
{
	struct fixture *f = *state;
	const struct estate_extension *agent = EXTENSION(.type = "MicrosoftMonitoringAgent",
		.name = "MMAExtension", .workspace = WORKSPACE);

	make_removable(f, WINDOWS_2016);
	assert_int_equal(rules_on(f, agent), WRITE_ALLOWED);
	assert_int_equal(rules_on(f, NULL), WRITE_REFUSED_NOT_READ);
	assert_int_equal(rules_on(f, EXTENSION(.type = "MDE.Windows", .name = "MMAExtension")),
		WRITE_REFUSED_NOT_LISTED);
	estate_extension(&f->e, f->m, EXTENSION(.vnext = "false"));
	assert_int_equal(rules_on(f, agent), WRITE_REFUSED_LOWERS);
	estate_extension(&f->e, f->m, EXTENSION(.vnext = "true", .state = "Failed"));
	assert_int_equal(rules_on(f, agent), WRITE_REFUSED_LOWERS);
	estate_extension(&f->e, f->m, EXTENSION(.vnext = "true"));
	f->e.policy.legacy_remove_agent = false;
	assert_int_equal(rules_on(f, agent), WRITE_REFUSED_NOT_LISTED);
}

/* Steps through a removal that Azure carries out. */
static void remove_agent(struct fixture *f)
{
	struct item *item = inventory_item(f->s, f->m, CONTROL_LEGACY_REPLACED);
	static const enum item_event_kind events[] = {
		EVENT_STEP_QUEUED, EVENT_CALL_SENT, EVENT_CALL_RUNNING, EVENT_CALL_ACCEPTED};

	estate_judge(&f->e, f->s, f->m, CONTROL_LEGACY_REPLACED);
	assert_int_equal(item->state, ITEM_DRIFTED);
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		estate_step(&f->e, item,
			&(struct item_event){.kind = events[i], .detail = "", .limit = DUR_H(1)});
	assert_int_equal(item->state, ITEM_SETTLING);
}

static void one_that_comes_back_is_not_removed_again(void **state)
{
	struct fixture *f = *state;
	struct item *item;

	make_removable(f, WINDOWS_2016);
	item = inventory_item(f->s, f->m, CONTROL_LEGACY_REPLACED);
	remove_agent(f);
	estate_no_extension(&f->e, f->m, f->e.now);
	estate_extension(&f->e, f->m, EXTENSION(.vnext = "true"));
	f->m->mde.changed = wall_add(f->e.now, DUR_H(-27));
	estate_judge(&f->e, f->s, f->m, CONTROL_LEGACY_REPLACED);
	assert_int_equal(item->state, ITEM_COMPLIANT);
	assert_int_equal(item->corrections, 1);
	/* However long that lasted. */
	later(f, DUR_DAYS(60));
	estate_sensor(&f->e, f->m, NEW_SENSOR, SENSOR_ACTIVE);
	estate_extension(&f->e, f->m, AGENT);
	estate_judge(&f->e, f->s, f->m, CONTROL_LEGACY_REPLACED);
	assert_int_equal(item->state, ITEM_BLOCKED);
	assert_int_equal(item->reason, REASON_CONFLICT);
	/* An operator may say otherwise. */
	estate_step(&f->e, item, &(struct item_event){.kind = EVENT_FORCED, .detail = ""});
	estate_judge(&f->e, f->s, f->m, CONTROL_LEGACY_REPLACED);
	assert_int_equal(item->state, ITEM_DRIFTED);
}

static void one_that_is_back_before_its_end_was_seen_is_not_removed_again(void **state)
{
	struct fixture *f = *state;
	struct item *item;

	make_removable(f, WINDOWS_2016);
	item = inventory_item(f->s, f->m, CONTROL_LEGACY_REPLACED);
	remove_agent(f);
	assert_int_equal(item->corrections, 1);
	f->e.now = item->due;
	estate_step(&f->e, item, &(struct item_event){.kind = EVENT_DEADLINE, .detail = ""});
	assert_int_equal(item->state, ITEM_BACKOFF);
	f->e.now = item->due;
	estate_relist(&f->e);
	estate_sensor(&f->e, f->m, NEW_SENSOR, SENSOR_ACTIVE);
	estate_agent_policy(&f->e, f->s, NULL);
	estate_step(&f->e, item, &(struct item_event){.kind = EVENT_DEADLINE, .detail = ""});
	estate_judge(&f->e, f->s, f->m, CONTROL_LEGACY_REPLACED);
	assert_int_equal(item->state, ITEM_BLOCKED);
	assert_int_equal(item->reason, REASON_CONFLICT);
}

static void a_removal_is_remembered_on_systems_that_have_nothing_else_of_it(void **state)
{
	struct fixture *f = *state;

	make_removable(f, UBUNTU);
	remove_agent(f);
	estate_no_extension(&f->e, f->m, f->e.now);
	estate_extension(&f->e, f->m, EXTENSION(.type = "MDE.Linux"));
	expect_verdict(judged(f), VERDICT_COMPLIANT, REASON_INSTALLED_UNCONFIRMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_strongest_sign_of_the_old_sensor_counts),
		cmocka_unit_test(versions_tell_the_old_sensor_from_the_new_one),
		CASE(the_legacy_sensor_is_reported_until_it_is_replaced),
		CASE(replacement_is_a_choice_of_the_policy),
		CASE(a_mute_old_sensor_is_urgent_and_not_gone),
		CASE(the_inventory_confirms_what_the_extension_says),
		CASE(what_was_seen_before_the_new_sensor_came_proves_nothing),
		CASE(an_agent_that_nothing_needs_is_removed),
		CASE(it_is_kept_as_long_as_the_policy_says),
		CASE(a_promised_end_of_keeping_survives_a_restart),
		CASE(without_proof_it_is_never_removed),
		CASE(a_workspace_that_is_not_listed_keeps_it),
		CASE(an_assigned_policy_keeps_it),
		CASE(an_agent_that_is_worked_on_or_out_of_reach_is_left_alone),
		CASE(the_agent_is_deleted_under_the_name_that_it_has),
		CASE(the_rules_let_only_agents_go_and_only_after_the_new_sensor),
		CASE(one_that_comes_back_is_not_removed_again),
		CASE(one_that_is_back_before_its_end_was_seen_is_not_removed_again),
		CASE(a_removal_is_remembered_on_systems_that_have_nothing_else_of_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
