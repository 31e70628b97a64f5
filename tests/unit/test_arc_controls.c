/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

/* --- arc-connected --- */

static const struct {
	const char *status, *sku, *agent;
	enum extension_deploy deploy;
	enum verdict_kind kind;
	enum reason reason;
} agents[] = {
	{"Connected", UBUNTU, "{}", DEPLOY_AFTER_GRACE, VERDICT_COMPLIANT, REASON_IN_SYNC},
	{"connected", UBUNTU, "null", DEPLOY_AFTER_GRACE, VERDICT_COMPLIANT, REASON_IN_SYNC},
	{"Disconnected", UBUNTU, "{}", DEPLOY_AFTER_GRACE, VERDICT_UNREACHABLE,
		REASON_DISCONNECTED},
	{"Expired", UBUNTU, "{}", DEPLOY_AFTER_GRACE, VERDICT_MANUAL, REASON_EXPIRED},
	{"Error", UBUNTU, "{}", DEPLOY_AFTER_GRACE, VERDICT_BLOCKED, REASON_AGENT_ERROR},
	{"", UBUNTU, "{}", DEPLOY_AFTER_GRACE, VERDICT_UNREACHABLE, REASON_NEVER_CONNECTED},
	{"AwaitingConnection", "", "{}", DEPLOY_AFTER_GRACE, VERDICT_UNREACHABLE,
		REASON_NEVER_CONNECTED},
	{"Hibernating", UBUNTU, "{}", DEPLOY_AFTER_GRACE, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN},
	{"Connected", UBUNTU, "{\"extensionsEnabled\": \"false\"}", DEPLOY_AFTER_GRACE,
		VERDICT_BLOCKED, REASON_EXTENSIONS_DISABLED},
	{"Connected", UBUNTU, "{\"extensionsEnabled\": \"false\"}", DEPLOY_NEVER, VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	{"Connected", "Windows 11 Enterprise", "{\"extensionsEnabled\": \"false\"}",
		DEPLOY_AFTER_GRACE, VERDICT_COMPLIANT, REASON_IN_SYNC},
	{"Connected", WINDOWS_2022,
		"{\"extensionsBlockList\": [{\"publisher\": "
		"\"microsoft.azure.azuredefenderforservers\", \"type\": \"mde.windows\"}]}",
		DEPLOY_AFTER_GRACE, VERDICT_BLOCKED, REASON_EXTENSION_NOT_ALLOWED},
	{"Connected", UBUNTU,
		"{\"extensionsAllowList\": [{\"publisher\": \"Allow\", \"type\": \"None\"}]}",
		DEPLOY_AFTER_GRACE, VERDICT_BLOCKED, REASON_EXTENSION_NOT_ALLOWED},
	{"Disconnected", UBUNTU, "{\"extensionsEnabled\": \"false\"}", DEPLOY_AFTER_GRACE,
		VERDICT_UNREACHABLE, REASON_DISCONNECTED},
};

static void set_agent(struct fixture *f, const char *status, const char *sku, const char *agent)
{
	mdc_autofree char *json = xasprintf(
		"{\"id\": \"/subscriptions/%s/resourceGroups/rg/providers/"
		"Microsoft.HybridCompute/machines/m\", \"location\": \"x\", \"properties\": "
		"{\"status\": \"%s\", \"osSku\": \"%s\", \"agentConfiguration\": %s}}",
		f->s->id, status, sku, agent);

	f->m = estate_machine_document(&f->e, json);
	f->m->extensions_known = true;
}

static void agents_are_reported_by_their_state_and_lists(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(agents); i++) {
		f->e.policy.deploy = agents[i].deploy;
		set_agent(f, agents[i].status, agents[i].sku, agents[i].agent);
		expect_verdict(own(f, CONTROL_ARC_CONNECTED), agents[i].kind, agents[i].reason);
	}
}

/* --- differences --- */

static void differences_name_what_is_wanted_and_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct difference d[DIFFERENCES_MAX];
	struct control_view view = estate_view(&f->e, f->s, NULL, CONTROL_SERVERS_PLAN);

	assert_int_equal(control_by_id(CONTROL_SERVERS_PLAN)->differences(&view, d), 0);
	estate_plan(&f->e, f->s, "Free", NULL);
	assert_int_equal(control_by_id(CONTROL_SERVERS_PLAN)->differences(&view, d), 2);
	assert_string_equal(d[0].wanted, "Standard");
	assert_string_equal(d[0].observed, "Free");
	assert_string_equal(d[1].wanted, "P2");
	estate_settings(&f->e, f->s, TRI_NO, TRI_UNKNOWN);
	assert_int_equal(control_by_id(CONTROL_MDE_INTEGRATION)->differences(&view, d), 1);
	assert_string_equal(d[0].observed, "false");
	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	view = estate_view(&f->e, f->s, f->m, CONTROL_MDE_EXTENSION);
	assert_int_equal(control_by_id(CONTROL_MDE_EXTENSION)->differences(&view, d), 1);
	assert_string_equal(d[0].observed, "not installed");
	estate_extension(&f->e, f->m, EXTENSION(.vnext = "false", .owner = "/x/y"));
	assert_int_equal(control_by_id(CONTROL_MDE_EXTENSION)->differences(&view, d), 2);
	assert_int_equal(control_by_id(CONTROL_LEGACY_REPLACED)->differences(&view, d), 1);
	assert_int_equal(control_by_id(CONTROL_ARC_CONNECTED)->differences(&view, d), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(agents_are_reported_by_their_state_and_lists),
		CASE(differences_name_what_is_wanted_and_what_is_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
