/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

#include "lib/engine/write_rules.h"

#include <string.h>

#define OTHER_TENANT "99999999-0000-4000-8000-000000000000"

static char *machine_in(const char *subscription, const char *group, const char *name)
{
	return xasprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.HybridCompute/"
			 "machines/%s",
		subscription, group, name);
}

static void move_from(struct fixture *f, const char *subscription, const char *state)
{
	mdc_autofree char *owner = machine_in(subscription, "rg", "m");

	if (f->m == NULL)
		f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	estate_extension(&f->e, f->m, EXTENSION(.owner = owner, .state = state));
}

static struct verdict judged(struct fixture *f)
{
	return own(f, CONTROL_SUBSCRIPTION_MOVE);
}

static void what_names_its_own_machine_is_no_move(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *same = NULL;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	expect_verdict(judged(f), VERDICT_NOT_APPLICABLE, REASON_NONE);
	same = machine_in(f->s->id, "RG", "M");
	estate_extension(&f->e, f->m, EXTENSION(.owner = same));
	expect_verdict(judged(f), VERDICT_NOT_APPLICABLE, REASON_NONE);
}

static void a_move_within_the_tenant_is_corrected(void **state)
{
	struct fixture *f = *state;
	struct subscription *old = estate_subscription(&f->e, 2);
	struct verdict verdict;

	move_from(f, old->id, NULL);
	verdict = judged(f);
	expect_verdict(verdict, VERDICT_DRIFTED, REASON_MOVED);
	assert_non_null(strstr(verdict.detail, old->id));
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_WAITING, REASON_PREREQUISITE);
	/* Whatever became of the installation there. */
	move_from(f, old->id, "Failed");
	expect_verdict(judged(f), VERDICT_DRIFTED, REASON_MOVED);
}

static void a_move_between_groups_of_the_subscription_is_one_too(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *owner = machine_in(f->s->id, "old-group", "m");

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_extension(&f->e, f->m, EXTENSION(.owner = owner));
	expect_verdict(judged(f), VERDICT_DRIFTED, REASON_MOVED);
}

static void what_came_from_elsewhere_needs_a_person(void **state)
{
	struct fixture *f = *state;
	struct subscription *old = estate_subscription(&f->e, 2);

	str_copy(old->tenant, sizeof(old->tenant), OTHER_TENANT);
	move_from(f, old->id, NULL);
	expect_verdict(judged(f), VERDICT_MANUAL, REASON_MOVED_FROM_TENANT);
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_MANUAL, REASON_FOREIGN_OWNER);
	/* Of the tenant nobody says "now" about. */
	inventory_item(f->s, f->m, CONTROL_SUBSCRIPTION_MOVE)->forced = true;
	expect_verdict(judged(f), VERDICT_MANUAL, REASON_MOVED_FROM_TENANT);
}

static void an_operator_may_know_where_it_came_from(void **state)
{
	static const char *const owners[] = {"/x/y", "no id at all",
		"/subscriptions/bbbbbbbb-0000-4000-8000-000000000009/resourceGroups/rg/providers/"
		"Microsoft.HybridCompute/machines/m"};
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		struct item *item = inventory_item(f->s, f->m, CONTROL_SUBSCRIPTION_MOVE);

		item->forced = false;
		estate_extension(&f->e, f->m, EXTENSION(.owner = owners[i]));
		expect_verdict(judged(f), VERDICT_MANUAL, REASON_MOVED_FROM_UNKNOWN);
		item->forced = true;
		expect_verdict(judged(f), VERDICT_DRIFTED, REASON_MOVED);
	}
}

static void nothing_is_deleted_that_would_not_come_back(void **state)
{
	struct fixture *f = *state;
	struct subscription *old = estate_subscription(&f->e, 2);
	struct item *item;

	move_from(f, old->id, "Updating");
	expect_verdict(judged(f), VERDICT_WAITING, REASON_OTHER_DEPLOYER);
	move_from(f, old->id, NULL);
	f->e.policy.deploy = DEPLOY_NEVER;
	expect_verdict(judged(f), VERDICT_EXCLUDED, REASON_DEPLOY_NEVER);
	f->e.policy.deploy = DEPLOY_AFTER_GRACE;
	f->m->extensions_enabled = TRI_NO;
	expect_verdict(judged(f), VERDICT_BLOCKED, REASON_EXTENSIONS_DISABLED);
	f->m->extensions_enabled = TRI_YES;
	f->m->connector_made = true;
	expect_verdict(judged(f), VERDICT_EXCLUDED, REASON_CONNECTOR_OWNED);
	f->m->connector_made = false;
	estate_status(&f->e, f->m, "Disconnected");
	expect_verdict(judged(f), VERDICT_UNREACHABLE, REASON_DISCONNECTED);
	estate_status(&f->e, f->m, "Connected");
	/* While the plan or the integration is off, nobody would deploy it. */
	estate_settings(&f->e, f->s, TRI_NO, TRI_YES);
	estate_judge(&f->e, f->s, f->m, CONTROL_SUBSCRIPTION_MOVE);
	item = inventory_item(f->s, f->m, CONTROL_SUBSCRIPTION_MOVE);
	assert_int_equal(item->state, ITEM_WAITING);
	assert_int_equal(item->reason, REASON_PREREQUISITE);
}

static enum compose_result compose_deletion(struct fixture *f, const struct estate_extension *x,
	struct arm_request *ret, struct verdict *verdict)
{
	json_t *document = x != NULL ? estate_extension_document(f->m, x) : NULL;
	enum compose_result result =
		compose(f, CONTROL_SUBSCRIPTION_MOVE, document, NULL, ret, verdict);

	json_decref(document);
	return result;
}

static void only_what_names_another_machine_is_deleted(void **state)
{
	struct fixture *f = *state;
	struct subscription *old = estate_subscription(&f->e, 2);
	mdc_autofree char *owner = machine_in(old->id, "rg", "m");
	struct arm_request request;
	struct verdict verdict;

	move_from(f, old->id, NULL);
	assert_int_equal(
		compose_deletion(f, EXTENSION(.owner = owner), &request, &verdict), COMPOSED);
	assert_string_equal(request.method, "DELETE");
	assert_non_null(strstr(request.path, "/extensions/MDE.Windows?"));
	arm_request_fini(&request);
	assert_int_equal(
		compose_deletion(f, EXTENSION(.owner = NULL), &request, &verdict), COMPOSE_IN_SYNC);
	assert_int_equal(compose_deletion(f, NULL, &request, &verdict), COMPOSE_IN_SYNC);
	assert_int_equal(
		compose_deletion(f,
			EXTENSION(.type = "MicrosoftMonitoringAgent", .name = "MDE.Windows"),
			&request, &verdict),
		COMPOSE_WITHHELD);
}

static enum write_refusal rules_on(struct fixture *f, const struct estate_extension *current)
{
	json_t *document = current != NULL ? estate_extension_document(f->m, current) : NULL;
	struct control_view view = estate_view(&f->e, f->s, f->m, CONTROL_SUBSCRIPTION_MOVE);
	struct arm_request request;
	struct write_context context = {.view = &view,
		.request = &request,
		.current = document,
		.read_at = f->e.now,
		.intent_durable = true,
		.identity_tenant = ESTATE_TENANT};
	enum write_refusal refusal;

	arm_delete_extension(f->m->id, "MDE.Windows", &request);
	refusal = write_rules_check(&context, f->e.now);
	arm_request_fini(&request);
	json_decref(document);
	return refusal;
}

static void the_rules_let_no_sensor_of_the_machines_own_be_deleted(void **state)
{
	struct fixture *f = *state;
	struct subscription *old = estate_subscription(&f->e, 2);

	move_from(f, old->id, NULL);
	assert_int_equal(rules_on(f, EXTENSION(.owner = "/x/y")), WRITE_ALLOWED);
	assert_int_equal(rules_on(f, EXTENSION(.owner = NULL)), WRITE_REFUSED_LOWERS);
	assert_int_equal(rules_on(f, NULL), WRITE_REFUSED_NOT_READ);
	assert_int_equal(rules_on(f, EXTENSION(.type = "MicrosoftMonitoringAgent")),
		WRITE_REFUSED_NOT_LISTED);
	str_copy(f->s->home, sizeof(f->s->home), OTHER_TENANT);
	assert_int_equal(rules_on(f, EXTENSION(.owner = "/x/y")), WRITE_REFUSED_TENANT_CHANGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_names_its_own_machine_is_no_move),
		CASE(a_move_within_the_tenant_is_corrected),
		CASE(a_move_between_groups_of_the_subscription_is_one_too),
		CASE(what_came_from_elsewhere_needs_a_person),
		CASE(an_operator_may_know_where_it_came_from),
		CASE(nothing_is_deleted_that_would_not_come_back),
		CASE(only_what_names_another_machine_is_deleted),
		CASE(the_rules_let_no_sensor_of_the_machines_own_be_deleted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
