/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define CONNECTOR SUB_PATH "/resourceGroups/rg/providers/Microsoft.Security/securityConnectors/aws"
#define VERSION "?api-version=2024-08-01-preview"
#define SERVERS(members) \
	"{\"offeringType\":\"DefenderForServersAws\",\"defenderForServers\":{\"cloudRoleArn\":" \
	"\"arn:s\"}" members "}"
#define CSPM \
	"{\"offeringType\":\"CspmMonitorAws\",\"nativeCloudConnection\":{\"cloudRoleArn\":\"arn:" \
	"c\"}}"
#define P1 ",\"subPlan\":{\"type\":\"P1\"}"
#define P2 ",\"subPlan\":{\"type\":\"P2\"}"
#define MDE(on) ",\"mdeAutoProvisioning\":{\"enabled\":" on "}"

#define AWS(offerings) \
	"\"connectors\":[{\"name\":\"aws\",\"account\":\"1234\",\"scanHours\":2,\"offerings\":" \
	"[" offerings "]}]"
#define MEMBERS "\"plan\":{\"tier\":\"Standard\"},\"settings\":{\"WDATP\":true},"

/* `properties` replace those of the whole. */
static char *body_of(const char *offerings, const char *properties)
{
	mdc_autofree char *text = xasprintf(
		"{\"location\":\"westeurope\",\"tags\":{},\"properties\":{"
		"\"hierarchyIdentifier\":\"1234\",\"environmentName\":\"AWS\","
		"\"environmentData\":{\"environmentType\":\"AwsAccount\",\"scanInterval\":2},"
		"\"offerings\":[%s]}}",
		offerings);
	mdc_autofree char *other = xasprintf("{%s}", properties);
	json_t *body = parse(text), *replaced = parse(other);
	char *result;

	json_object_update(tree_get(body, "properties"), replaced);
	result = json_dumps(body, 0);
	json_decref(body);
	json_decref(replaced);
	return result;
}

static int put_offerings(struct fixture *f, const char *offerings)
{
	mdc_autofree char *body = body_of(offerings, "");

	get(f, CONNECTOR VERSION);
	return put(f, CONNECTOR VERSION, body);
}

static void a_connector_is_read_listed_and_replaced(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, AWS(CSPM "," SERVERS(P1)), "");
	assert_int_equal(get(&f, CONNECTOR VERSION), 200);
	assert_string_equal(text(&f, "properties.environmentData.accountName"), "account");
	assert_int_equal(get(&f, SECURITY "/securityConnectors" VERSION), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	assert_int_equal(get(&f,
				 SUB_PATH "/resourceGroups/rg/providers/Microsoft.Security/"
					  "securityConnectors" VERSION),
		200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	assert_int_equal(put_offerings(&f, CSPM "," SERVERS(P2 MDE("true"))), 200);
	/* What is read-only is kept. */
	assert_string_equal(text(&f, "properties.environmentData.accountName"), "account");
	assert_non_null(text(&f, "properties.hierarchyIdentifierTrialEndDate"));
	assert_int_equal(json_array_size(tree_get(f.doc, "properties.offerings")), 2);
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

static const struct {
	const char *offerings, *properties;
} bad[] = {
	{SERVERS(",\"subPlan\":\"P2\""), ""},
	{SERVERS(",\"subPlan\":{\"type\":\"P3\"}"), ""},
	{SERVERS(MDE("\"true\"")), ""},
	{SERVERS(",\"mdeAutoProvisioning\":true"), ""},
	{SERVERS(P1 ",\"vmScanners\":{\"enabled\":true,\"cloudRoleArn\":\"arn\"}"), ""},
	{SERVERS(",\"arcAutoProvisioning\":{\"enabled\":true}"), ""},
	{SERVERS(",\"vmScanners\":{\"enabled\":true,\"configuration\":{\"cloudRoleArn\":\"a\"}}"),
		""},
	{SERVERS(",\"vaAutoProvisioning\":{\"configuration\":{\"type\":\"Other\"}}"), ""},
	{"{\"offeringType\":\"DefenderForServersAws\"}", ""},
	{"{\"offeringType\":\"DefenderForServersGcp\"}", ""},
	{"{\"offeringType\":7}", ""},
	{CSPM "," CSPM, ""},
	{SERVERS(",\"description\":\"x\""), ""},
	{CSPM, "\"hierarchyIdentifierTrialEndDate\":\"2022-01-01T00:00:00Z\""},
	{CSPM, "\"hierarchyIdentifier\":\"999\""},
	{CSPM, "\"environmentName\":\"GCP\""},
	{CSPM, "\"environmentData\":{\"environmentType\":\"AwsAccount\",\"scanInterval\":25}"},
	{CSPM, "\"environmentData\":{\"environmentType\":\"AwsAccount\",\"accountName\":\"n\"}"},
};

static void each_flaw_of_a_connector_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, AWS(CSPM "," SERVERS(P1)), "");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		mdc_autofree char *body = body_of(bad[i].offerings, bad[i].properties);

		get(&f, CONNECTOR VERSION);
		put(&f, CONNECTOR VERSION, body);
		assert_refused(&f, 400, "InvalidInputJson");
	}
	assert_int_equal(get(&f, CONNECTOR "?api-version=2023-10-01"), 404);
	assert_int_equal(get(&f, CONNECTOR "2" VERSION), 404);
	fixture_close(&f);
}

static void unknown_offerings_of_the_cloud_are_kept(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, AWS("{\"offeringType\":\"SomethingNewAws\",\"x\":[1]}," SERVERS(P1)), "");
	put_offerings(&f, "{\"offeringType\":\"SomethingNewAws\",\"x\":[1]}," SERVERS(P2));
	assert_int_equal(f.answer.reply.status, 200);
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

static const struct {
	const char *before, *after, *rule;
} offences[] = {
	{CSPM "," SERVERS(P1), SERVERS(P1), "connector"},
	{CSPM "," SERVERS(P1), CSPM, "connector"},
	{"{\"offeringType\":\"NewAws\",\"x\":1}," SERVERS(P1),
		"{\"offeringType\":\"NewAws\",\"x\":2}," SERVERS(P2), "connector"},
	{SERVERS(P2), SERVERS(P1), "lowering"},
	{SERVERS(",\"subPlan\":\"P2\""), SERVERS(""), "lowering"},
	{SERVERS(P1 MDE("true")), SERVERS(P1 MDE("false")), "lowering"},
	{SERVERS(P1 MDE("true")), SERVERS(P1), "lowering"},
};

static void the_ledger_knows_what_a_write_takes_away(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(offences); i++) {
		mdc_autofree char *document = xasprintf("\"connectors\":[{\"name\":\"aws\","
							"\"account\":\"1234\",\"offerings\":[%s]}]",
			offences[i].before);
		json_t *ledger;
		struct fixture f;

		fixture_open(&f, document, "");
		assert_int_equal(put_offerings(&f, offences[i].after), 200);
		ledger = estate_ledger_document(f.e);
		assert_int_equal(verdict(&f).forbidden_writes, 1);
		assert_string_equal(
			tree_text(json_array_get(tree_get(ledger, "offences"), 0), "rule"),
			offences[i].rule);
		json_decref(ledger);
		fixture_close(&f);
	}
}

#define NEW_ACCOUNT "\"hierarchyIdentifier\":\"123456789012\""
#define NEW_SERVERS \
	"{\"offeringType\":\"DefenderForServersAws\",\"defenderForServers\":{\"cloudRoleArn\":" \
	"\"arn:aws:iam::123456789012:role/s\"}}"
#define GCP_SERVERS \
	"{\"offeringType\":\"DefenderForServersGcp\",\"defenderForServers\":{" \
	"\"workloadIdentityProviderId\":\"servers\",\"serviceAccountEmailAddress\":\"a@b\"}}"
#define GCP_ACCOUNT(details) \
	"\"environmentName\":\"GCP\",\"hierarchyIdentifier\":\"77\",\"environmentData\":{" \
	"\"environmentType\":\"GcpProject\"" details "}"

static const struct {
	const char *offerings, *properties;
	int status;
	const char *code;
} new_ones[] = {
	{NEW_SERVERS, "", 400, "InvalidInputJson"},
	{NEW_SERVERS, "\"hierarchyIdentifier\":\"12345678901x\"", 400, "InvalidInputJson"},
	{SERVERS(P2), NEW_ACCOUNT, 400, "InvalidInputJson"},
	{NEW_SERVERS, "\"hierarchyIdentifier\":\"111122223333\"", 409, "Conflict"},
	{NEW_SERVERS, NEW_ACCOUNT ",\"environmentName\":\"GCP\"", 400, "InvalidInputJson"},
	{GCP_SERVERS, GCP_ACCOUNT(""), 400, "InvalidInputJson"},
	{GCP_SERVERS,
		GCP_ACCOUNT(",\"projectDetails\":{\"projectNumber\":\"78\",\"projectId\":"
			    "\"p\"}"),
		400, "InvalidInputJson"},
};

static void what_is_made_has_to_be_right_and_alone(void **state)
{
	mdc_autofree char *body = NULL;
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"groups\":[{\"name\":\"rg\"}],\"connectors\":[{\"name\":\"other\","
		"\"group\":\"rg2\",\"account\":\"111122223333\",\"offerings\":[]}]",
		"");
	for (size_t i = 0; i < ARRAY_LEN(new_ones); i++) {
		mdc_autofree char *sent = body_of(new_ones[i].offerings, new_ones[i].properties);

		get(&f, CONNECTOR VERSION);
		put(&f, CONNECTOR VERSION, sent);
		assert_refused(&f, new_ones[i].status, new_ones[i].code);
		assert_null(estate_peek(f.e, CONNECTOR));
	}
	body = body_of(NEW_SERVERS, NEW_ACCOUNT);
	put(&f,
		SUB_PATH
		"/resourceGroups/none/providers/Microsoft.Security/securityConnectors/c" VERSION,
		body);
	assert_refused(&f, 404, "ResourceGroupNotFound");
	get(&f, CONNECTOR VERSION);
	assert_int_equal(put(&f, CONNECTOR VERSION, body), 201);
	fixture_close(&f);
}

static void nobody_makes_or_deletes_connectors_unnoticed(void **state)
{
	mdc_autofree char *body = body_of(CSPM, NEW_ACCOUNT);
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"groups\":[{\"name\":\"rg\"}]", "");
	get(&f, CONNECTOR VERSION);
	assert_int_equal(put(&f, CONNECTOR VERSION, body), 201);
	assert_int_equal(verdict(&f).forbidden_writes, 1);
	assert_int_equal(call(&f, "DELETE", CONNECTOR VERSION, NULL), 200);
	assert_int_equal(call(&f, "DELETE", CONNECTOR VERSION, NULL), 204);
	assert_null(estate_peek(f.e, CONNECTOR));
	fixture_close(&f);
}

static void the_same_offering_twice_is_a_repetition(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, AWS(SERVERS(P1)), "");
	put_offerings(&f, SERVERS(P2));
	assert_int_equal(verdict(&f).repeated_writes, 0);
	put_offerings(&f, SERVERS(P2));
	assert_int_equal(verdict(&f).repeated_writes, 1);
	fixture_close(&f);
}

#define MADE \
	",\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"os\":\"Ubuntu 22.04.4 LTS\"," \
	"\"cloud\":\"AWS\",\"tags\":{\"MDFCSecurityConnector\":\"true\",\"AccountId\":\"1234\"}}]"
#define DEPLOYER \
	"\"deployer\":{\"first\":\"10m\",\"later\":\"5h\"},\"operations\":{\"create\":\"5m\"}"

static void the_deployer_follows_the_connector(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, MEMBERS AWS(SERVERS(P1)) MADE, DEPLOYER);
	pass(&f, DUR_DAYS(1));
	assert_null(estate_peek(f.e, MACHINE "/extensions/MDE.Linux"));
	log_in(&f, CLIENT, "secret");
	assert_int_equal(put_offerings(&f, SERVERS(P1 MDE("true"))), 200);
	pass(&f, DUR_H(1));
	assert_null(estate_peek(f.e, MACHINE "/extensions/MDE.Linux"));
	pass(&f, DUR_H(2));
	assert_non_null(estate_peek(f.e, MACHINE "/extensions/MDE.Linux"));
	fixture_close(&f);
}

static void another_hand_reaches_connectors_too(void **state)
{
	struct fixture f;
	json_t *interval = json_integer(6);

	(void)state;
	fixture_open(&f, AWS(SERVERS(P1)), "");
	assert_int_equal(
		estate_meddle(f.e, CONNECTOR, "properties.environmentData.scanInterval", interval),
		0);
	assert_int_equal(json_integer_value(tree_get(estate_peek(f.e, CONNECTOR),
				 "properties.environmentData.scanInterval")),
		6);
	json_decref(interval);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_connector_is_read_listed_and_replaced),
	cmocka_unit_test(each_flaw_of_a_connector_is_refused),
	cmocka_unit_test(unknown_offerings_of_the_cloud_are_kept),
	cmocka_unit_test(the_ledger_knows_what_a_write_takes_away),
	cmocka_unit_test(what_is_made_has_to_be_right_and_alone),
	cmocka_unit_test(nobody_makes_or_deletes_connectors_unnoticed),
	cmocka_unit_test(the_same_offering_twice_is_a_repetition),
	cmocka_unit_test(the_deployer_follows_the_connector),
	cmocka_unit_test(another_hand_reaches_connectors_too),
};
RUN_ESTATE_TESTS(tests)
