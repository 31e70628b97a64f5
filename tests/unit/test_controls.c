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
		assert_int_equal(control_resource((enum control_id)id),
			id >= CONTROL_ARC_CONNECTED            ? ON_MACHINE
				: id == CONTROL_WORKSPACE_PLAN ? ON_WORKSPACE
				: id == CONTROL_CONNECTOR      ? ON_CONNECTOR
							       : ON_SUBSCRIPTION);
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

static void a_failed_plan_extension_is_tried_again_in_its_time(void **state)
{
	struct fixture *f = *state;
	json_t *document = plan_document(f, failed_extension);
	char *text = json_dumps(document, 0);
	struct verdict verdict;
	struct arm_request request;

	estate_plan_document(&f->e, f->s, text);
	verdict = own(f, CONTROL_SERVERS_PLAN);
	expect_verdict(verdict, VERDICT_FAILED, REASON_PLAN_EXTENSION_FAILED);
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

static void an_answer_tells_of_a_part_that_failed(void **state)
{
	static const struct {
		const char *properties;
		const char *detail; /* NULL: nothing failed */
	} rows[] = {
		{failed_extension, "AgentlessVmScanning: no role"},
		{"{\"pricingTier\": \"Standard\"}", NULL},
		{"{\"pricingTier\": \"Standard\", \"extensions\": [{\"name\": \"A\", "
		 "\"isEnabled\": \"True\", \"operationStatus\": {\"code\": \"Succeeded\"}}, "
		 "{\"name\": \"B\", \"isEnabled\": \"True\", \"operationStatus\": {\"code\": "
		 "\"failed\"}}]}",
			"B: "},
		{"7", NULL},
	};
	struct fixture *f = *state;
	const struct control *control = control_by_id(CONTROL_SERVERS_PLAN);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *properties = json_loads(rows[i].properties, JSON_DECODE_ANY, NULL);
		json_t *answer = plan_document(f, "{}");
		struct buf detail = BUF_INIT(400);
		enum reason reason = REASON_NONE;

		json_object_set_new(answer, "properties", properties);
		assert_int_equal(
			control->failed_in_part(answer, &reason, &detail), rows[i].detail != NULL);
		if (rows[i].detail != NULL) {
			assert_int_equal(reason, REASON_PLAN_EXTENSION_FAILED);
			assert_string_equal(buf_str(&detail), rows[i].detail);
		}
		buf_fini(&detail);
		json_decref(answer);
	}
}

/* --- its extensions --- */

#define AGENTLESS(on) "{\"name\": \"AgentlessVmScanning\", \"isEnabled\": " on "}"
#define DESIGNATED(on) "{\"name\": \"mdedesignatedsubscription\", \"isEnabled\": " on "}"
#define INTEGRITY(on, bag) "{\"name\": \"FileIntegrityMonitoring\", \"isEnabled\": " on bag "}"
#define BAG \
	", \"additionalExtensionProperties\": {\"DefinedWorkspaceId\": \"/w\", \"Rules\": " \
	"\"[{\\\"a\\\": 1}]\"}"

static const struct {
	unsigned wanted; /* bits */
	const char *extensions;
	enum verdict_kind kind;
	enum reason reason;
	const char *detail;
} extension_rows[] = {
	{0, "", VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{0, AGENTLESS("\"False\""), VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{1, AGENTLESS("\"True\""), VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{1, AGENTLESS("true"), VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{1, AGENTLESS("\"False\""), VERDICT_DRIFTED, REASON_PLAN_EXTENSION_OFF,
		"AgentlessVmScanning"},
	{1, DESIGNATED("\"True\""), VERDICT_DRIFTED, REASON_PLAN_EXTENSION_OFF,
		"AgentlessVmScanning"},
	{3, AGENTLESS("\"True\"") ", " DESIGNATED("\"False\""), VERDICT_DRIFTED,
		REASON_PLAN_EXTENSION_OFF, "MdeDesignatedSubscription"},
	{4, INTEGRITY("\"True\"", BAG), VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{4, INTEGRITY("\"False\"", BAG), VERDICT_DRIFTED, REASON_PLAN_EXTENSION_OFF,
		"FileIntegrityMonitoring"},
	{4, INTEGRITY("\"False\"", ""), VERDICT_BLOCKED, REASON_PLAN_EXTENSION_UNREADY,
		"FileIntegrityMonitoring"},
	{4, "", VERDICT_BLOCKED, REASON_PLAN_EXTENSION_UNREADY, "FileIntegrityMonitoring"},
	/* What can be done is done first. */
	{6, "", VERDICT_DRIFTED, REASON_PLAN_EXTENSION_OFF, "MdeDesignatedSubscription"},
};

static void want_extensions(struct fixture *f, unsigned wanted)
{
	for (unsigned e = 0; e < PLAN_EXTENSION_N_; e++)
		f->e.policy.plan_extensions[e] = wanted & (1u << e);
}

static void plan_extensions_of_the_policy_are_on(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(extension_rows); i++) {
		mdc_autofree char *properties =
			xasprintf("{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", "
				  "\"extensions\": [%s]}",
				extension_rows[i].extensions);
		json_t *document = plan_document(f, properties);
		mdc_autofree char *text = json_dumps(document, 0);
		struct arm_request request = {0};
		struct verdict verdict;

		want_extensions(f, extension_rows[i].wanted);
		estate_plan_document(&f->e, f->s, text);
		verdict = own(f, CONTROL_SERVERS_PLAN);
		expect_verdict(verdict, extension_rows[i].kind, extension_rows[i].reason);
		assert_string_equal(verdict.detail, extension_rows[i].detail);
		/* The fresh document says the same. */
		if (compose(f, CONTROL_SERVERS_PLAN, document, NULL, &request, &verdict) !=
			COMPOSED)
			assert_int_equal(verdict.kind, extension_rows[i].kind);
		else
			assert_int_equal(extension_rows[i].kind, VERDICT_DRIFTED);
		arm_request_fini(&request);
		json_decref(document);
	}
}

static void a_plan_is_written_with_the_extensions_of_the_policy(void **state)
{
	struct fixture *f = *state;
	json_t *document = plan_document(f,
		"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", \"enforce\": \"True\", "
		"\"freeTrialRemainingTime\": \"P12D\", \"enablementTime\": "
		"\"2026-01-01T00:00:00Z\", \"resourcesCoverageStatus\": \"PartiallyCovered\", "
		"\"deprecated\": false, \"extensions\": [" DESIGNATED("\"False\"") ", " INTEGRITY(
			"\"True\"", BAG) ", {\"name\": \"SomethingNew\", \"isEnabled\": "
					 "\"False\", \"additionalExtensionProperties\": {\"x\": "
					 "1}, \"operationStatus\": {\"code\": \"Succeeded\"}}]}");
	json_t *wanted = json_loads(
		"{\"properties\": {\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", "
		"\"enforce\": \"True\", \"extensions\": [" DESIGNATED("\"True\"") ", " INTEGRITY(
			"\"True\"", BAG) ", {\"name\": \"SomethingNew\", \"isEnabled\": "
					 "\"False\", \"additionalExtensionProperties\": {\"x\": "
					 "1}}, " AGENTLESS("\"True\"") "]}}",
		0, NULL);
	struct arm_request request;
	struct verdict verdict;

	want_extensions(f, 3);
	assert_int_equal(
		compose(f, CONTROL_SERVERS_PLAN, document, NULL, &request, &verdict), COMPOSED);
	assert_true(json_equal(request.body, wanted));
	arm_request_fini(&request);
	json_decref(wanted);
	json_decref(document);
}

static void a_plan_that_azure_has_replaced_is_not_written(void **state)
{
	static const struct {
		const char *tier;
		enum verdict_kind kind;
		enum reason reason;
		const char *detail;
	} rows[] = {
		{"Free", VERDICT_BLOCKED, REASON_PLAN_DEPRECATED, "A, B"},
		{"Standard", VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *properties =
			xasprintf("{\"pricingTier\": \"%s\", \"subPlan\": \"P2\", "
				  "\"deprecated\": true, \"replacedBy\": [\"A\", \"B\"]}",
				rows[i].tier);
		json_t *document = plan_document(f, properties);
		mdc_autofree char *text = json_dumps(document, 0);
		struct arm_request request = {0};
		struct verdict verdict;

		estate_plan_document(&f->e, f->s, text);
		verdict = own(f, CONTROL_SERVERS_PLAN);
		expect_verdict(verdict, rows[i].kind, rows[i].reason);
		assert_string_equal(verdict.detail, rows[i].detail);
		assert_int_not_equal(
			compose(f, CONTROL_SERVERS_PLAN, document, NULL, &request, &verdict),
			COMPOSED);
		expect_verdict(verdict, rows[i].kind, rows[i].reason);
		json_decref(document);
	}
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
	enum tri wdatp, unified; /* for linux-integration `unified` is the exclusion */
	const char *sku;         /* of the one machine */
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
	{CONTROL_LINUX_INTEGRATION, true, TRI_YES, TRI_YES, WINDOWS_2016, VERDICT_NOT_APPLICABLE,
		REASON_NONE},
	{CONTROL_LINUX_INTEGRATION, false, TRI_YES, TRI_YES, UBUNTU, VERDICT_NOT_APPLICABLE,
		REASON_NONE},
	{CONTROL_LINUX_INTEGRATION, true, TRI_YES, TRI_YES, UBUNTU, VERDICT_DRIFTED,
		REASON_SETTING_EXCLUDES},
	{CONTROL_LINUX_INTEGRATION, true, TRI_YES, TRI_UNKNOWN, UBUNTU, VERDICT_DRIFTED,
		REASON_SETTING_ABSENT},
	{CONTROL_LINUX_INTEGRATION, true, TRI_YES, TRI_NO, UBUNTU, VERDICT_COMPLIANT,
		REASON_IN_SYNC},
};

static void settings_are_wanted_on_where_they_matter(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(wanted_settings); i++) {
		f->e.policy.integration = f->e.policy.unified_solution =
			f->e.policy.linux_integration = wanted_settings[i].wanted;
		estate_setting(&f->e, f->s, SETTING_EXCLUDE_LINUX, wanted_settings[i].unified);
		estate_machine(&f->e, f->s, "m", wanted_settings[i].sku);
		estate_settings(&f->e, f->s, wanted_settings[i].wdatp, wanted_settings[i].unified);
		expect_verdict(own(f, wanted_settings[i].control), wanted_settings[i].kind,
			wanted_settings[i].reason);
	}
}

/* The exclusion of Linux machines works the other way round than its neighbours. */
static void linux_is_let_in_by_writing_false(void **state)
{
	struct fixture *f = *state;
	struct difference differences[DIFFERENCES_MAX];
	struct control_view view;
	struct arm_request request;
	struct verdict verdict;
	json_t *excluded = json_pack("{s:o, s:s, s:{s:b}}", "id",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Security/settings/"
			     "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW",
			f->s->id),
		"name", "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW", "properties", "enabled", 1);

	f->e.policy.linux_integration = true;
	estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_setting(&f->e, f->s, SETTING_EXCLUDE_LINUX, TRI_YES);
	view = estate_view(&f->e, f->s, NULL, CONTROL_LINUX_INTEGRATION);
	assert_int_equal(
		control_by_id(CONTROL_LINUX_INTEGRATION)->differences(&view, differences), 1);
	assert_string_equal(differences[0].wanted, "false");
	assert_string_equal(differences[0].observed, "true");
	assert_int_equal(compose(f, CONTROL_LINUX_INTEGRATION, excluded, NULL, &request, &verdict),
		COMPOSED);
	assert_true(json_is_false(json_path(request.body, "properties.enabled")));
	assert_true(str_ends_nocase(request.path,
		"/settings/WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW?api-version=2022-05-01"));
	arm_request_fini(&request);
	json_object_set_new(json_object_get(excluded, "properties"), "enabled", json_false());
	assert_int_equal(compose(f, CONTROL_LINUX_INTEGRATION, excluded, NULL, &request, &verdict),
		COMPOSE_IN_SYNC);
	json_decref(excluded);
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
		CASE(a_failed_plan_extension_is_tried_again_in_its_time),
		CASE(an_answer_tells_of_a_part_that_failed),
		CASE(plan_extensions_of_the_policy_are_on),
		CASE(a_plan_that_azure_has_replaced_is_not_written),
		CASE(a_plan_is_written_with_the_extensions_of_the_policy),
		CASE(a_plan_is_written_as_it_was_read_but_for_its_level),
		CASE(a_plan_is_decided_again_on_the_fresh_document),
		CASE(a_higher_plan_is_not_lowered_on_the_fresh_document_either),
		CASE(settings_are_wanted_on_where_they_matter),
		CASE(linux_is_let_in_by_writing_false),
		CASE(a_setting_that_is_not_offered_is_in_order_for_a_week),
		CASE(a_listed_setting_that_cannot_be_read_is_not_absent),
		CASE(a_setting_is_decided_again_on_the_fresh_document),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
