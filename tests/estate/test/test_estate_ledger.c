/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define KNOBS \
	"\"deployer\":{\"on\":false},\"operations\":{\"create\":\"1m\",\"update\":\"1m\"," \
	"\"delete\":" \
	"\"1m\"},\"tokens\":{\"life\":\"24h\"}"
#define DEPLOYING_KNOBS \
	"\"deployer\":{\"first\":\"1m\",\"later\":\"1m\",\"unreached\":0},\"operations\":" \
	"{\"create\":\"1m\",\"update\":\"1m\"},\"tokens\":{\"life\":\"24h\"}"
#define ON_P2 "\"plan\":{\"tier\":\"Standard\",\"subPlan\":\"P2\"}"
#define MACHINE_WITH(extensions, os) \
	"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"os\":\"" os \
	"\",\"extensions\":[" extensions "]}]"
#define SERVER "Windows Server 2019 Datacenter"
#define OLD_SERVER "Windows Server 2016 Datacenter"
#define SENSOR "{\"type\":\"MDE.Windows\"}"
#define MOVED "{\"type\":\"MDE.Windows\",\"owner\":\"/subscriptions/old\"}"
#define UNIFIED "{\"type\":\"MDE.Windows\",\"unified\":true}"
#define AGENT "{\"type\":\"MicrosoftMonitoringAgent\",\"name\":\"MMA\"}"
#define MDE MACHINE "/extensions/MDE.Windows?" ARC
#define SENSOR_ID MACHINE "/extensions/MDE.Windows"
#define SENSOR_STATE "properties.provisioningState"
#define MMA MACHINE "/extensions/MMA?" ARC
#define BODY(properties) "{\"properties\":{" properties "}}"
#define SWITCH(value) "{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":" value "}}"
#define MDE_BODY(more) \
	"{\"location\":\"westeurope\",\"properties\":{\"publisher\":" \
	"\"Microsoft.Azure.AzureDefenderForServers\",\"type\":\"MDE.Windows\"" more "}}"
#define OTHER_BODY \
	"{\"location\":\"westeurope\",\"properties\":{\"publisher\":\"P\",\"type\":\"Other\"}}"
#define VA \
	SECURITY "/serverVulnerabilityAssessmentsSettings/" \
		 "azureServersSetting?api-version=2023-05-01"
#define AUTO SECURITY "/autoProvisioningSettings/default?api-version=2017-08-01-preview"

static const char *first_rule(struct fixture *f)
{
	static char rule[64];
	json_t *doc = estate_ledger_document(f->e);
	const char *found = tree_text(json_array_get(tree_get(doc, "offences"), 0), "rule");

	str_copy(rule, sizeof(rule), found != NULL ? found : "");
	json_decref(doc);
	return rule;
}

/* Reads, then writes, as a client should; a NULL body deletes. */
static void write_after_read(struct fixture *f, const char *path, const char *body)
{
	get(f, path);
	call(f, body != NULL ? "PUT" : "DELETE", path, body);
	assert_true(f->answer.reply.status < 300);
	arrive(f);
}

static const struct {
	const char *subscription, *path, *body;
	const char *rule; /* "" for a write that is within the rules */
} writes[] = {
	{"", PLAN, BODY("\"pricingTier\":\"Standard\",\"subPlan\":\"P2\""), ""},
	{ON_P2, PLAN, BODY("\"pricingTier\":\"Free\""), "lowering"},
	{ON_P2, PLAN, BODY("\"pricingTier\":\"Standard\",\"subPlan\":\"P1\""), "lowering"},
	{ON_P2, PLAN,
		BODY("\"pricingTier\":\"Standard\",\"subPlan\":\"P2\",\"extensions\":[{\"name\":"
		     "\"AgentlessVmScanning\",\"isEnabled\":\"False\"}]"),
		"lowering"},
	{"", SECURITY "/pricings/KeyVaults?api-version=2024-01-01",
		BODY("\"pricingTier\":\"Standard\""), "plan"},
	{"", SETTING("WDATP"), SWITCH("true"), ""},
	{"\"settings\":{\"WDATP\":true}", SETTING("WDATP"), SWITCH("false"), "lowering"},
	{"\"settings\":{\"WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW\":true}",
		SETTING("WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"), SWITCH("false"), ""},
	{"", SETTING("WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"), SWITCH("true"), "lowering"},
	{"", SETTING("MCAS"), SWITCH("true"), "setting"},
	{"", VA,
		"{\"kind\":\"AzureServersSetting\",\"properties\":{\"selectedProvider\":\"MdeTvm\"}"
		"}",
		""},
	{"\"vulnerabilityProvider\":\"MdeTvm\"", VA, NULL, "lowering"},
	{"", AUTO, BODY("\"autoProvision\":\"On\""), "auto-provisioning"},
	{MACHINE_WITH("", SERVER), MDE, MDE_BODY(""), ""},
	{MACHINE_WITH("", SERVER), MACHINE "/extensions/Other?" ARC, OTHER_BODY, "extension"},
	{MACHINE_WITH("", SERVER), MDE,
		MDE_BODY(",\"settings\":{\"azureResourceId\":\"/elsewhere\"}"), "lowering"},
	{MACHINE_WITH(UNIFIED, OLD_SERVER), MDE, MDE_BODY(""), "lowering"},
	{MACHINE_WITH(MOVED, SERVER), MDE, NULL, ""},
	{MACHINE_WITH(SENSOR, SERVER), MDE, NULL, "sensor-delete"},
	{MACHINE_WITH(AGENT, OLD_SERVER), MMA, NULL, "agent-delete"},
	{MACHINE_WITH(SENSOR "," AGENT, OLD_SERVER), MMA, NULL, "agent-delete"},
	{MACHINE_WITH(UNIFIED "," AGENT, OLD_SERVER), MMA, NULL, ""},
	{MACHINE_WITH("{\"type\":\"AzureMonitorWindowsAgent\",\"name\":\"MMA\"}", SERVER), MMA,
		NULL, "extension"},
	{ON_P2 "," MACHINE_WITH("", SERVER),
		MACHINE
		"/providers/Microsoft.Security/pricings/VirtualMachines?api-version=2024-01-01",
		BODY("\"pricingTier\":\"Free\""), "machine-plan"},
};

static void each_write_is_judged_by_the_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
		struct fixture f;

		fixture_open(&f, writes[i].subscription, KNOBS);
		write_after_read(&f, writes[i].path, writes[i].body);
		if (!str_equal(first_rule(&f), writes[i].rule))
			fail_msg("write %zu: \"%s\" in place of \"%s\"", i, first_rule(&f),
				writes[i].rule);
		assert_int_equal(verdict(&f).writes, 1);
		assert_int_equal(verdict(&f).forbidden_writes, *writes[i].rule != '\0');
		assert_int_equal(verdict(&f).good, *writes[i].rule == '\0');
		fixture_close(&f);
	}
}

static void a_document_may_permit_what_is_forbidden(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(ON_P2, KNOBS);

	(void)state;
	json_object_set_new(doc, "allowedWrites", json_pack("[s]", "lowering"));
	fixture_open_json(&f, doc);
	write_after_read(&f, PLAN, BODY("\"pricingTier\":\"Free\""));
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

static void a_resource_is_read_before_it_is_written(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "", KNOBS);
	put(&f, SETTING("WDATP"), SWITCH("true"));
	assert_string_equal(first_rule(&f), "unread");
	fixture_close(&f);
	/* The list that it is in will do, but not for long. */
	fixture_open(&f, "", KNOBS);
	get(&f, SECURITY "/settings?api-version=2022-05-01");
	put(&f, SETTING("WDATP"), SWITCH("true"));
	assert_true(verdict(&f).good);
	pass(&f, DUR_MIN(11));
	put(&f, SETTING("WDATP_UNIFIED_SOLUTION"), SWITCH("true"));
	assert_string_equal(first_rule(&f), "unread");
	fixture_close(&f);
	/* One machine shows its extensions. */
	fixture_open(&f, MACHINE_WITH("", SERVER), KNOBS);
	get(&f, MACHINE "?" ARC);
	put(&f, MDE, MDE_BODY(""));
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

static void a_write_that_is_in_effect_is_a_repetition(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MACHINE_WITH(SENSOR, SERVER), KNOBS);
	for (int i = 0; i < 2; i++) {
		write_after_read(&f, SETTING("WDATP"), SWITCH("true"));
		assert_int_equal(verdict(&f).repeated_writes, i);
	}
	for (int i = 0; i < 2; i++) {
		write_after_read(&f, PLAN, BODY("\"pricingTier\":\"Standard\",\"subPlan\":\"P2\""));
		assert_int_equal(verdict(&f).repeated_writes, 1 + i);
	}
	write_after_read(&f, MDE, MDE_BODY(",\"settings\":{\"azureResourceId\":\"" MACHINE "\"}"));
	assert_int_equal(verdict(&f).repeated_writes, 3);
	assert_string_equal(first_rule(&f), "in-effect");
	assert_false(verdict(&f).good);
	fixture_close(&f);
}

/* Between reading and writing Defender for Cloud brought it about. */
static void what_another_hand_did_meanwhile_is_no_repetition(void **state)
{
	mdc_autofree char *body = NULL;
	struct fixture f;

	(void)state;
	fixture_open(&f, ON_P2 ",\"settings\":{\"WDATP\":true}," MACHINE_WITH("", SERVER),
		DEPLOYING_KNOBS);
	assert_int_equal(
		get(&f, SECURITY "/mdeOnboardings/Windows?api-version=2021-10-01-preview"), 200);
	body = xasprintf(
		MDE_BODY(",\"settings\":{\"azureResourceId\":\"" MACHINE "\"},"
			 "\"protectedSettings\":{\"defenderForEndpointOnboardingScript\":\"%s\"}"),
		text(&f, "properties.onboardingPackageWindows"));
	assert_int_equal(get(&f, MDE), 404);
	pass(&f, DUR_MIN(5));
	assert_string_equal(peek(&f, SENSOR_ID, SENSOR_STATE), "Succeeded");
	put(&f, MDE, body);
	assert_int_equal(verdict(&f).repeated_writes, 0);
	arrive(&f);
	pass(&f, DUR_MIN(2));
	assert_string_equal(peek(&f, SENSOR_ID, SENSOR_STATE), "Succeeded");
	/* Who wrote there himself knows what he wrote. */
	put(&f, MDE, body);
	assert_int_equal(verdict(&f).repeated_writes, 1);
	fixture_close(&f);
}

static void a_failed_extension_may_be_written_again(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(
		&f, MACHINE_WITH("{\"type\":\"MDE.Windows\",\"state\":\"Failed\"}", SERVER), KNOBS);
	write_after_read(&f, MDE, MDE_BODY(",\"settings\":{\"azureResourceId\":\"" MACHINE "\"}"));
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

static void a_second_operation_on_a_machine_is_forbidden(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MACHINE_WITH(UNIFIED "," AGENT, OLD_SERVER), KNOBS);
	get(&f, MACHINE "?" ARC);
	put(&f, MDE, MDE_BODY(",\"settings\":{\"vNextEnabled\":\"true\",\"x\":1}"));
	call(&f, "DELETE", MMA, NULL);
	assert_int_equal(f.answer.reply.status, 202);
	assert_int_equal(verdict(&f).forbidden_writes, 2); /* and the sensor is not proven */
	fixture_close(&f);
}

static void fighting_another_hand_is_forbidden_at_the_third_time(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"settings\":{\"WDATP\":true}", KNOBS);
	for (int i = 0; i < 3; i++) {
		estate_meddle(f.e, SECURITY "/settings/WDATP", "properties.enabled", json_false());
		write_after_read(&f, SETTING("WDATP"), SWITCH("true"));
		assert_int_equal(verdict(&f).forbidden_writes, i == 2);
	}
	assert_string_equal(first_rule(&f), "fight");
	fixture_close(&f);
}

static void some_errors_are_nobodys_fault(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document(MACHINE_WITH("", SERVER), KNOBS);

	(void)state;
	json_object_set_new(json_array_get(json_object_get(doc, "principals"), 0), "roles",
		json_pack("[{s:s, s:s}]", "scope", SUB_PATH, "role", "Reader"));
	fixture_open_json(&f, doc);
	assert_int_equal(get(&f, MDE), 404);
	assert_int_equal(get(&f, "/subscriptions/" SUB2 "?api-version=2022-12-01"), 404);
	assert_int_equal(put(&f, SETTING("WDATP"), SWITCH("true")), 403);
	assert_int_equal(log_in(&f, CLIENT, "wrong"), 401);
	assert_int_equal(verdict(&f).refused, 0);
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

static void others_a_correct_client_does_not_meet(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MACHINE_WITH("", SERVER), KNOBS);
	get(&f, PLAN);
	put(&f, PLAN, BODY("\"pricingTier\":\"Standard\""));
	put(&f, PLAN, BODY("\"pricingTier\":\"Standard\""));
	assert_int_equal(f.answer.reply.status, 409);
	assert_int_equal(verdict(&f).refused, 1);
	get(&f, SUB_PATH);
	get(&f, SUB_PATH "?api-version=1999-01-01");
	get(&f, SUB_PATH "/providers/Unknown/x?api-version=2022-12-01");
	call(&f, "DELETE", SETTING("WDATP"), NULL);
	assert_int_equal(verdict(&f).refused, 5);
	pass(&f, DUR_H(24));
	get(&f, PLAN);
	assert_int_equal(f.answer.reply.status, 401);
	assert_int_equal(verdict(&f).refused, 6);
	fixture_close(&f);
}

static void faults_are_counted_against_nobody(void **state)
{
	struct fixture f;
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	json_t *faults = parse("[{\"do\":{\"status\":400}}]");

	(void)state;
	fixture_open(&f, "", KNOBS);
	assert_int_equal(estate_set_faults(f.e, faults, &diags), 0);
	json_decref(faults);
	assert_int_equal(get(&f, PLAN), 400);
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

static void machines_are_counted_before_and_after(void **state)
{
	struct fixture f;
	struct estate_verdict v;

	(void)state;
	fixture_open(&f,
		"\"machines\":["
		"{\"name\":\"a\",\"group\":\"rg\",\"extensions\":[" SENSOR "]},"
		"{\"name\":\"b\",\"group\":\"rg\",\"os\":\"" OLD_SERVER "\",\"extensions\":[" SENSOR
		"]},"
		"{\"name\":\"c\",\"group\":\"rg\",\"os\":\"" OLD_SERVER
		"\",\"extensions\":[" UNIFIED "]},"
		"{\"name\":\"d\",\"group\":\"rg\"},"
		"{\"name\":\"e\",\"group\":\"rg\",\"os\":\"Windows 10 Enterprise\"},"
		"{\"name\":\"f\",\"group\":\"rg\",\"status\":\"Expired\"},"
		"{\"name\":\"g\",\"group\":\"rg\",\"status\":\"NeverConnected\"}]",
		KNOBS);
	v = verdict(&f);
	assert_int_equal(v.machines, 4);
	assert_int_equal(v.protected_before, 3);
	assert_int_equal(v.legacy_before, 1);
	estate_meddle(f.e, MACHINES "/a/extensions/MDE.Windows", NULL, NULL);
	v = verdict(&f);
	assert_int_equal(v.protected_before, 3);
	assert_int_equal(v.protected_after, 2);
	fixture_close(&f);
}

static void the_document_and_the_text_agree_with_the_verdict(void **state)
{
	struct fixture f;
	struct buf rendered = BUF_INIT(65536);
	json_t *doc;

	(void)state;
	fixture_open(&f, "", KNOBS);
	get(&f, SUB_PATH);
	doc = estate_ledger_document(f.e);
	assert_true(json_is_false(tree_get(doc, "good")));
	assert_int_equal(json_integer_value(tree_get(doc, "refused")), 1);
	assert_int_equal(json_integer_value(tree_get(doc, "requests.all")), 2);
	assert_int_equal(json_integer_value(tree_get(doc, "requests.byStatus.400")), 1);
	assert_string_equal(
		tree_text(json_array_get(tree_get(doc, "offences"), 0), "path"), SUB_PATH);
	json_decref(doc);
	assert_int_equal(estate_verdict_render(f.e, &rendered), 0);
	assert_non_null(strstr(buf_str(&rendered), "verdict:   bad"));
	assert_non_null(strstr(buf_str(&rendered), "MissingApiVersionParameter"));
	buf_fini(&rendered);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_write_is_judged_by_the_rules),
	cmocka_unit_test(a_document_may_permit_what_is_forbidden),
	cmocka_unit_test(a_resource_is_read_before_it_is_written),
	cmocka_unit_test(a_write_that_is_in_effect_is_a_repetition),
	cmocka_unit_test(what_another_hand_did_meanwhile_is_no_repetition),
	cmocka_unit_test(a_failed_extension_may_be_written_again),
	cmocka_unit_test(a_second_operation_on_a_machine_is_forbidden),
	cmocka_unit_test(fighting_another_hand_is_forbidden_at_the_third_time),
	cmocka_unit_test(some_errors_are_nobodys_fault),
	cmocka_unit_test(others_a_correct_client_does_not_meet),
	cmocka_unit_test(faults_are_counted_against_nobody),
	cmocka_unit_test(machines_are_counted_before_and_after),
	cmocka_unit_test(the_document_and_the_text_agree_with_the_verdict),
};
RUN_ESTATE_TESTS(tests)
