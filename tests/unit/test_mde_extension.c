/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

static const struct {
	const char *sku, *status;                 /* NULL: Connected */
	const struct estate_extension *extension; /* NULL: absent for two days */
	enum verdict_kind kind;
	enum reason reason;
} extensions[] = {
	/* systems that get none */
	{"Windows Server 2012 Datacenter", NULL, NULL, VERDICT_UNSUPPORTED, REASON_UNSUPPORTED_OS},
	{"Windows 11 Enterprise", NULL, EXTENSION(.state = "Failed", .code = "51"),
		VERDICT_UNSUPPORTED, REASON_UNSUPPORTED_OS},
	{"Red Hat Enterprise Linux 6.10", "Disconnected", NULL, VERDICT_UNSUPPORTED,
		REASON_UNSUPPORTED_OS},
	{"Red Hat Enterprise Linux CoreOS 4.12", NULL, NULL, VERDICT_UNSUPPORTED,
		REASON_UNSUPPORTED_OS},
	{"", "", NULL, VERDICT_UNREACHABLE, REASON_NEVER_CONNECTED},
	{"", "Connected", NULL, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN},
	/* systems that are never forced */
	{"Windows 10 Enterprise multi-session", NULL, NULL, VERDICT_UNSUPPORTED,
		REASON_UNCERTAIN_OS},
	{"Windows 10 Enterprise multi-session", NULL, EXTENSION(.state = "Succeeded"),
		VERDICT_COMPLIANT, REASON_IN_SYNC},
	{"Ubuntu 26.04 LTS", NULL, EXTENSION(.state = "Failed", .code = "1"), VERDICT_UNSUPPORTED,
		REASON_UNCERTAIN_OS},
	{"Ubuntu 26.04 LTS", NULL, EXTENSION(.state = "Succeeded"), VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	/* deployed */
	{UBUNTU, NULL, EXTENSION(.vnext = "false"), VERDICT_COMPLIANT, REASON_IN_SYNC},
	{UBUNTU, "Disconnected", EXTENSION(.state = "Succeeded"), VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	{WINDOWS_2022, NULL, EXTENSION(.vnext = "false"), VERDICT_COMPLIANT, REASON_IN_SYNC},
	{WINDOWS_2016, NULL, EXTENSION(.vnext = "true"), VERDICT_COMPLIANT, REASON_IN_SYNC},
	{WINDOWS_2016, NULL, EXTENSION(.vnext = "\"True\""), VERDICT_COMPLIANT, REASON_IN_SYNC},
	{WINDOWS_2016, NULL, EXTENSION(.vnext = "false"), VERDICT_DRIFTED,
		REASON_EXTENSION_NOT_UNIFIED},
	{WINDOWS_2016, NULL, EXTENSION(.vnext = NULL), VERDICT_DRIFTED,
		REASON_EXTENSION_NOT_UNIFIED},
	{UBUNTU, NULL, EXTENSION(.owner = "/subscriptions/x/other"), VERDICT_MANUAL,
		REASON_FOREIGN_OWNER},
	/* no clock of a machine that is away runs */
	{UBUNTU, "Disconnected", NULL, VERDICT_UNREACHABLE, REASON_DISCONNECTED},
	{UBUNTU, "Expired", NULL, VERDICT_UNREACHABLE, REASON_EXPIRED},
	{UBUNTU, "Error", EXTENSION(.state = "Failed", .code = "1"), VERDICT_UNREACHABLE,
		REASON_AGENT_ERROR},
	{UBUNTU, "Disconnected", EXTENSION(.state = "Creating"), VERDICT_UNREACHABLE,
		REASON_DISCONNECTED},
	{UBUNTU, "Odd", NULL, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN},
	/* someone is at work */
	{UBUNTU, NULL, EXTENSION(.state = "Creating"), VERDICT_WAITING, REASON_OTHER_DEPLOYER},
	{UBUNTU, NULL, EXTENSION(.state = "Deleting"), VERDICT_WAITING, REASON_OTHER_DEPLOYER},
	{UBUNTU, NULL, EXTENSION(.state = "SomethingNew"), VERDICT_WAITING, REASON_OTHER_DEPLOYER},
	/* failures */
	{UBUNTU, NULL, EXTENSION(.state = "Failed", .code = "77"), VERDICT_FAILED,
		REASON_HANDLER_RETRY},
	{UBUNTU, NULL, EXTENSION(.state = "Canceled"), VERDICT_FAILED, REASON_HANDLER_RETRY},
	{UBUNTU, NULL, EXTENSION(.state = "Failed", .code = "24"), VERDICT_FAILED,
		REASON_HANDLER_NETWORK},
	{UBUNTU, NULL, EXTENSION(.state = "Failed", .code = "12"), VERDICT_BLOCKED,
		REASON_HANDLER_BLOCKED},
	{UBUNTU, NULL, EXTENSION(.state = "Failed", .code = "51"), VERDICT_BLOCKED,
		REASON_HANDLER_BLOCKED},
	{WINDOWS_2022, NULL, EXTENSION(.state = "Failed", .code = "51"), VERDICT_UNSUPPORTED,
		REASON_HANDLER_UNSUPPORTED},
	{WINDOWS_2022, "Disconnected", EXTENSION(.state = "Failed", .code = "51"),
		VERDICT_UNSUPPORTED, REASON_HANDLER_UNSUPPORTED},
	{WINDOWS_2016, NULL, EXTENSION(.state = "Failed", .code = "12"), VERDICT_FAILED,
		REASON_REBOOT_PENDING},
	{WINDOWS_2016, NULL, EXTENSION(.state = "Failed", .code = "13"), VERDICT_BLOCKED,
		REASON_HANDLER_BLOCKED},
	{WINDOWS_2016, NULL, EXTENSION(.state = "Failed", .code = "31"), VERDICT_FAILED,
		REASON_EXTENSION_FAILED},
	{UBUNTU, NULL, EXTENSION(.state = "Failed", .name = "sensor"), VERDICT_BLOCKED,
		REASON_EXTENSION_MISNAMED},
	{UBUNTU, NULL, EXTENSION(.name = "sensor"), VERDICT_COMPLIANT, REASON_IN_SYNC},
	/* absent, and every grace over */
	{UBUNTU, NULL, NULL, VERDICT_DRIFTED, REASON_EXTENSION_ABSENT},
	{WINDOWS_2016, NULL, NULL, VERDICT_DRIFTED, REASON_EXTENSION_ABSENT},
};

static void extensions_are_judged_by_system_agent_and_state(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		struct verdict verdict;

		f->m = estate_machine(&f->e, f->s, "m", extensions[i].sku);
		if (extensions[i].extension != NULL)
			estate_extension(&f->e, f->m, extensions[i].extension);
		if (extensions[i].status != NULL)
			estate_status(&f->e, f->m, extensions[i].status);
		verdict = own(f, CONTROL_MDE_EXTENSION);
		if (verdict.kind != extensions[i].kind || verdict.reason != extensions[i].reason)
			fail_msg("row %zu: kind %d, %s", i, verdict.kind,
				reason_word(verdict.reason));
		inventory_remove_machine(f->e.inv, f->m);
	}
}

static void what_policy_and_connectors_leave_to_others_is_excluded(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	f->e.policy.deploy = DEPLOY_NEVER;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_EXCLUDED, REASON_DEPLOY_NEVER);
	f->e.policy.deploy = DEPLOY_AFTER_GRACE;
	f->m->connector_made = true;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_EXCLUDED, REASON_CONNECTOR_OWNED);
	estate_extension(&f->e, f->m, EXTENSION(.state = "Succeeded"));
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_COMPLIANT, REASON_IN_SYNC);
	f->e.policy.deploy = DEPLOY_NEVER;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_COMPLIANT, REASON_IN_SYNC);
}

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

static void the_agents_lists_block_only_what_is_not_there_yet(void **state)
{
	struct fixture *f = *state;

	set_agent(f, "Connected", UBUNTU, "{\"extensionsEnabled\": \"false\"}");
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_BLOCKED, REASON_EXTENSIONS_DISABLED);
	estate_extension(&f->e, f->m, EXTENSION(.state = "Succeeded"));
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_COMPLIANT, REASON_IN_SYNC);
}

/* When each clock of the grace started, in hours before now (0: not known), and what is left. */
static const struct {
	int connected, absent, plan, integration;
	int64_t minutes_left; /* 0: over */
} graces[] = {
	{24, 24, 0, 0, 0},
	{1, 24, 0, 0, 120},
	{24, 2, 0, 0, 60},
	{24, 24, 10, 0, 240},
	{24, 24, 0, 13, 60},
	{24, 24, 14, 0, 0},
	{1, 1, 13, 2, 720},
	{3, 3, 0, 0, 0},
};

static void a_grace_ends_with_the_last_of_its_clocks(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	for (size_t i = 0; i < ARRAY_LEN(graces); i++) {
		struct verdict verdict;
		struct wall now = f->e.now;

		f->m->status_since = wall_add(now, DUR_H(-graces[i].connected));
		f->m->mde.changed = wall_add(now, DUR_H(-graces[i].absent));
		f->s->pricing.enabled_at =
			graces[i].plan ? wall_add(now, DUR_H(-graces[i].plan)) : WALL_UNSET;
		f->s->settings[SETTING_WDATP].changed = graces[i].integration
			? wall_add(now, DUR_H(-graces[i].integration))
			: WALL_UNSET;
		verdict = own(f, CONTROL_MDE_EXTENSION);
		if (graces[i].minutes_left == 0) {
			expect_verdict(verdict, VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
			continue;
		}
		expect_verdict(verdict, VERDICT_WAITING, REASON_GRACE);
		assert_int_equal(wall_since(verdict.until, now).ms / 60000, graces[i].minutes_left);
	}
}

static void a_grace_of_nothing_is_over_at_once(void **state)
{
	struct fixture *f = *state;

	f->e.policy.grace = f->e.policy.first_grace = DUR_MS(0);
	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	f->m->status_since = f->m->mde.changed = f->s->pricing.enabled_at = f->e.now;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void an_operator_ends_the_grace(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	f->m->mde.changed = f->e.now;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_WAITING, REASON_GRACE);
	extension_item(f)->forced = true;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	/* Its turn has come: nothing takes that back. */
	extension_item(f)->forced = false;
	extension_item(f)->state = ITEM_QUEUED;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void a_restart_gives_no_second_grace(void **state)
{
	struct fixture *f = *state;
	struct item *item;
	struct verdict verdict;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	f->m->mde.changed = f->e.now; /* first seen after the restart */
	item = extension_item(f);
	item->state = ITEM_WAITING;
	item->reason = REASON_GRACE;
	item->due = wall_add(f->e.now, DUR_MIN(20));
	verdict = own(f, CONTROL_MDE_EXTENSION);
	expect_verdict(verdict, VERDICT_WAITING, REASON_GRACE);
	assert_int_equal(verdict.until.ms, item->due.ms);
	item->due = f->e.now;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	item->state = ITEM_DRIFTED;
	item->reason = REASON_EXTENSION_ABSENT;
	item->due = WALL_NEVER;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void what_was_tried_before_needs_no_second_grace(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	f->m->mde.changed = f->e.now;
	extension_item(f)->state = ITEM_BACKOFF;
	extension_item(f)->attempts = 1;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void another_deployer_has_two_hours_of_connected_time(void **state)
{
	struct fixture *f = *state;
	struct verdict verdict;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_extension(&f->e, f->m,
		EXTENSION(.state = "Creating", .at = wall_add(f->e.now, DUR_MIN(-119))));
	verdict = own(f, CONTROL_MDE_EXTENSION);
	expect_verdict(verdict, VERDICT_WAITING, REASON_OTHER_DEPLOYER);
	assert_int_equal(wall_since(verdict.until, f->e.now).ms, DUR_MIN(1).ms);
	f->e.now = verdict.until;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_BLOCKED, REASON_OPERATION_OVERDUE);
	/* The machine was away meanwhile. */
	f->m->status_since = wall_add(f->e.now, DUR_MIN(-30));
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_WAITING, REASON_OTHER_DEPLOYER);
}

static void our_own_operation_is_no_other_deployer(void **state)
{
	struct fixture *f = *state;
	struct operation ours = {.phase = PHASE_RUNNING};
	struct verdict verdict;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_extension(
		&f->e, f->m, EXTENSION(.state = "Creating", .at = wall_add(f->e.now, DUR_H(-5))));
	ours.deadline = wall_add(f->e.now, DUR_H(2));
	extension_item(f)->operation = &ours;
	verdict = own(f, CONTROL_MDE_EXTENSION);
	expect_verdict(verdict, VERDICT_WAITING, REASON_RUNNING);
	assert_int_equal(verdict.until.ms, ours.deadline.ms);
	/* Not sent yet: what is at work is someone else's. */
	ours.phase = PHASE_READING;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_BLOCKED, REASON_OPERATION_OVERDUE);
}

static void the_old_route_gets_its_time_after_the_switch(void **state)
{
	struct fixture *f = *state;
	struct verdict verdict;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	estate_extension(&f->e, f->m, EXTENSION(.vnext = "false"));
	f->s->settings[SETTING_UNIFIED].changed = wall_add(f->e.now, DUR_H(-1));
	verdict = own(f, CONTROL_MDE_EXTENSION);
	expect_verdict(verdict, VERDICT_WAITING, REASON_GRACE);
	assert_int_equal(wall_since(verdict.until, f->e.now).ms, DUR_H(2).ms);
	f->e.now = verdict.until;
	expect_verdict(
		own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_NOT_UNIFIED);
	f->e.policy.legacy_replace = false;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_EXCLUDED, REASON_REPLACE_OFF);
}

static void linux_is_not_tried_again_within_45_minutes(void **state)
{
	struct fixture *f = *state;
	struct verdict verdict;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_extension(&f->e, f->m, EXTENSION(.state = "Failed", .code = "21"));
	verdict = own(f, CONTROL_MDE_EXTENSION);
	assert_int_equal(wall_since(verdict.until, f->e.now).ms, DUR_MIN(45).ms);
	/* Not even when an operator insists: it could only fail. */
	extension_item(f)->forced = true;
	verdict = own(f, CONTROL_MDE_EXTENSION);
	expect_verdict(verdict, VERDICT_FAILED, REASON_HANDLER_RETRY);
	f->e.now = verdict.until;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_FAILED);
	/* A correction that just failed counts from now, whatever the facts missed. */
	extension_item(f)->forced = false;
	extension_item(f)->state = ITEM_APPLYING;
	verdict = own(f, CONTROL_MDE_EXTENSION);
	assert_int_equal(wall_since(verdict.until, f->e.now).ms, DUR_MIN(45).ms);
}

static void an_operator_has_any_failure_tried_again(void **state)
{
	static const char *const codes[] = {"13", "51", "12", "35", "77"};
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		estate_extension(&f->e, f->m, EXTENSION(.state = "Failed", .code = codes[i]));
		extension_item(f)->forced = true;
		expect_verdict(
			own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_FAILED);
	}
}

static void a_failure_is_told_in_its_own_words(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	estate_extension(&f->e, f->m,
		EXTENSION(.state = "Failed", .code = "13", .message = "what the handler said"));
	assert_string_equal(own(f, CONTROL_MDE_EXTENSION).detail, "what the handler said");
	estate_extension(&f->e, f->m, EXTENSION(.state = "Failed", .code = "13"));
	assert_true(str_contains_nocase(own(f, CONTROL_MDE_EXTENSION).detail, "prerequisites"));
}

static const json_t *settings_of(const struct arm_request *r)
{
	return json_path(r->body, "properties.settings");
}

static void the_extension_is_composed_for_this_machine(void **state)
{
	struct fixture *f = *state;
	struct arm_request request;
	struct verdict verdict;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	assert_int_equal(
		compose(f, CONTROL_MDE_EXTENSION, NULL, "secret", &request, &verdict), COMPOSED);
	assert_string_equal(
		json_string_value(json_object_get(settings_of(&request), "azureResourceId")),
		f->m->id);
	assert_string_equal(
		json_string_value(json_object_get(settings_of(&request), "vNextEnabled")), "true");
	arm_request_fini(&request);
	f->m = estate_machine(&f->e, f->s, "n", WINDOWS_2022);
	assert_int_equal(
		compose(f, CONTROL_MDE_EXTENSION, NULL, "secret", &request, &verdict), COMPOSED);
	assert_null(json_object_get(settings_of(&request), "vNextEnabled"));
	arm_request_fini(&request);
}

static void each_try_differs_from_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct arm_request request;
	struct verdict verdict;
	json_t *current, *settings;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	estate_extension(&f->e, f->m, EXTENSION(.state = "Failed", .code = "21"));
	current = estate_extension_document(f->m, EXTENSION(.state = "Failed", .code = "21"));
	settings = json_path(current, "properties.settings");
	json_object_set_new(settings, "installedBy", json_string("Policy"));
	json_object_set_new(settings, "others", json_string("kept"));
	extension_item(f)->state = ITEM_QUEUED;
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(
			compose(f, CONTROL_MDE_EXTENSION, current, "secret", &request, &verdict),
			COMPOSED);
		assert_false(json_equal(settings_of(&request), settings));
		assert_string_equal(
			json_string_value(json_object_get(settings_of(&request), "others")),
			"kept");
		json_object_update(settings, (json_t *)settings_of(&request));
		arm_request_fini(&request);
	}
	assert_string_equal(json_string_value(json_object_get(settings, "installedBy")), "mdcd/12");
	json_decref(current);
}

static const struct {
	const struct estate_extension *current; /* NULL: 404 */
	enum compose_result result;
	enum verdict_kind kind;
	enum reason reason;
} fresh[] = {
	{NULL, COMPOSED, 0, REASON_NONE},
	{EXTENSION(.state = "Succeeded"), COMPOSE_IN_SYNC, VERDICT_COMPLIANT, REASON_IN_SYNC},
	{EXTENSION(.state = "Creating"), COMPOSE_WITHHELD, VERDICT_WAITING, REASON_OTHER_DEPLOYER},
	{EXTENSION(.state = "Odd"), COMPOSE_WITHHELD, VERDICT_WAITING, REASON_OTHER_DEPLOYER},
	{EXTENSION(.owner = "/subscriptions/x/other"), COMPOSE_WITHHELD, VERDICT_MANUAL,
		REASON_FOREIGN_OWNER},
	{EXTENSION(.type = "MicrosoftMonitoringAgent", .name = "MDE.Windows"), COMPOSE_WITHHELD,
		VERDICT_BLOCKED, REASON_NAME_TAKEN},
	{EXTENSION(.type = "MDE.Linux", .name = "MDE.Windows"), COMPOSE_WITHHELD, VERDICT_BLOCKED,
		REASON_NAME_TAKEN},
	{EXTENSION(.state = "Failed", .code = "21"), COMPOSED, 0, REASON_NONE},
	{EXTENSION(.state = "Failed", .code = "13"), COMPOSED, 0, REASON_NONE},
};

static void an_extension_is_decided_again_on_the_fresh_document(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	extension_item(f)->state = ITEM_QUEUED;
	for (size_t i = 0; i < ARRAY_LEN(fresh); i++) {
		struct arm_request request = {0};
		struct verdict verdict = {0};
		json_t *current = fresh[i].current != NULL
			? estate_extension_document(f->m, fresh[i].current)
			: NULL;

		assert_int_equal(
			compose(f, CONTROL_MDE_EXTENSION, current, "secret", &request, &verdict),
			fresh[i].result);
		if (fresh[i].result != COMPOSED)
			expect_verdict(verdict, fresh[i].kind, fresh[i].reason);
		arm_request_fini(&request);
		json_decref(current);
	}
}

static void without_a_package_nothing_is_composed(void **state)
{
	struct fixture *f = *state;
	struct arm_request request;
	struct verdict verdict;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	assert_int_equal(compose(f, CONTROL_MDE_EXTENSION, NULL, NULL, &request, &verdict),
		COMPOSE_WITHHELD);
}

/* A machine document may lack it, and the body of the write may not. */
static void without_a_location_nothing_is_composed(void **state)
{
	struct fixture *f = *state;
	struct arm_request request;
	struct verdict verdict;

	f->m = estate_machine_document(&f->e,
		"{\"id\": \"/subscriptions/aaaaaaaa-0000-4000-8000-000000000001/resourceGroups/rg/"
		"providers/Microsoft.HybridCompute/machines/nowhere\", \"location\": null,"
		"\"properties\": {\"status\": \"Connected\", \"osType\": \"linux\","
		"\"osSku\": \"Ubuntu 22.04.4 LTS\"}}");
	estate_no_extension(&f->e, f->m, wall_add(f->e.now, DUR_H(-24)));
	f->m->status_since = wall_add(f->e.now, DUR_H(-24));
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_UNKNOWN, REASON_FACT_UNKNOWN);
	extension_item(f)->state = ITEM_QUEUED;
	assert_int_equal(compose(f, CONTROL_MDE_EXTENSION, NULL, "secret", &request, &verdict),
		COMPOSE_WITHHELD);
	expect_verdict(verdict, VERDICT_UNKNOWN, REASON_FACT_UNKNOWN);
}

static void linux_rests_between_two_writes(void **state)
{
	struct fixture *f = *state;
	const struct control *c = control_by_id(CONTROL_MDE_EXTENSION);
	struct control_view view;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	view = estate_view(&f->e, f->s, f->m, CONTROL_MDE_EXTENSION);
	assert_int_equal(c->pause(&view).ms, DUR_MIN(45).ms);
	assert_true(c->settle.ms >= DUR_MIN(45).ms);
	f->m = estate_machine(&f->e, f->s, "w", WINDOWS_2022);
	view = estate_view(&f->e, f->s, f->m, CONTROL_MDE_EXTENSION);
	assert_int_equal(c->pause(&view).ms, 0);
}

static void a_machine_with_another_product_gets_no_second_one(void **state)
{
	static char name[] = "EDR", value[] = "falcon", other[] = "sentinel";
	struct fixture *f = *state;
	struct selector *tags = &f->e.policy.other_edr;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2022);
	tags->tags = xcalloc(2, sizeof(*tags->tags));
	tags->tags[0].name = tags->tags[1].name = name;
	tags->tags[0].value = other;
	tags->tags[1].value = value;
	tags->tag_count = 2;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	f->m->tags = "edr=falcon\nenv=prod\n";
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_EXCLUDED, REASON_OTHER_EDR);
	/* The old sensor is not replaced there either. */
	f->m->os = OS_WINDOWS_UNIFIED;
	estate_extension(&f->e, f->m, EXTENSION(.type = "MicrosoftMonitoringAgent"));
	expect_verdict(own(f, CONTROL_LEGACY_REPLACED), VERDICT_EXCLUDED, REASON_OTHER_EDR);
	f->m->os = OS_WINDOWS_INBOX;
	/* What is there is there. */
	estate_extension(&f->e, f->m, EXTENSION(.state = "Succeeded"));
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_COMPLIANT, REASON_IN_SYNC);
	estate_no_extension(&f->e, f->m, wall_add(f->e.now, DUR_H(-24)));
	f->m->tags = "";
	f->m->tags_unknown = true;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_UNKNOWN, REASON_FACT_UNKNOWN);
	free(tags->tags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(extensions_are_judged_by_system_agent_and_state),
		CASE(what_policy_and_connectors_leave_to_others_is_excluded),
		CASE(the_agents_lists_block_only_what_is_not_there_yet),
		CASE(a_grace_ends_with_the_last_of_its_clocks),
		CASE(a_grace_of_nothing_is_over_at_once),
		CASE(an_operator_ends_the_grace),
		CASE(a_restart_gives_no_second_grace),
		CASE(what_was_tried_before_needs_no_second_grace),
		CASE(another_deployer_has_two_hours_of_connected_time),
		CASE(our_own_operation_is_no_other_deployer),
		CASE(the_old_route_gets_its_time_after_the_switch),
		CASE(linux_is_not_tried_again_within_45_minutes),
		CASE(an_operator_has_any_failure_tried_again),
		CASE(a_failure_is_told_in_its_own_words),
		CASE(the_extension_is_composed_for_this_machine),
		CASE(each_try_differs_from_what_is_there),
		CASE(an_extension_is_decided_again_on_the_fresh_document),
		CASE(without_a_package_nothing_is_composed),
		CASE(without_a_location_nothing_is_composed),
		CASE(linux_rests_between_two_writes),
		CASE(a_machine_with_another_product_gets_no_second_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
