/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

/* The diagnostics for a document; "" when it is accepted. */
static void read_document(json_t *take_document, struct buf *ret)
{
	struct estate_options options = {.seed = 1,
		.start = {1795507200000},
		.arm_host = "management.test",
		.login_host = "login.test"};
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct estate *e = NULL;

	*ret = BUF_INIT(65536);
	if (estate_new(&options, take_document, &diags, &e) != 0) {
		assert_null(e);
		diags_render(&diags, ret);
	}
	estate_free(e);
	json_decref(take_document);
}

static const struct {
	const char *subscription, *behaviour, *words;
} flaws[] = {
	{"\"unknown\":1", "", "subscriptions[0]: unknown member \"unknown\""},
	{"\"setings\":{}", "", "did you mean \"settings\""},
	{"\"state\":7", "", "subscriptions[0].state: must be a string"},
	{"\"managementGroup\":\"none\"", "", "there is no management group none"},
	{"\"plan\":{\"tier\":\"Premium\"}", "", "plan.tier: must be one of \"Free\", \"Standard\""},
	{"\"plan\":{\"since\":\"yesterday\"}", "", "must be a time"},
	{"\"settings\":{\"WDATP\":\"true\"}", "", "settings.WDATP"},
	{"\"settings\":{\"OTHER\":true}", "", "settings.OTHER"},
	{"\"vulnerabilityProvider\":\"Qualys\"", "", "MdeTvm"},
	{"\"locks\":[{\"name\":\"x\"}]", "", "locks[0]: \"level\" is missing"},
	{"\"machines\":[{\"name\":\"a\"}]", "", "machines[0]: \"group\" is missing"},
	{"\"machines\":[{\"name\":\"a b\",\"group\":\"rg\"}]", "", "is not a machine's name"},
	{"\"machines\":[{\"name\":\"a\",\"group\":\"rg\"},{\"name\":\"A\",\"group\":\"RG\"}]", "",
		"was given before"},
	{"\"machines\":[{\"name\":\"a\",\"group\":\"rg\",\"outcomes\":[12]}]", "",
		"must be an array of strings"},
	{"\"machines\":[{\"name\":\"a\",\"group\":\"rg\",\"timeline\":[{\"after\":\"x\",\"status\":"
	 "\"Connected\"}]}]",
		"", "timeline[0].after: must be a duration"},
	{"\"machines\":[{\"name\":\"a\",\"group\":\"rg\",\"extensions\":[{\"tpye\":\"x\"}]}]", "",
		"extensions[0]: \"type\" is missing"},
	{"", "\"throtling\":{}", "did you mean \"throttling\""},
	{"", "\"throttling\":{\"model\":\"none\"}", "behaviour.throttling.model"},
	{"", "\"throttling\":{\"reads\":{\"size\":1}}", "\"refill\" is missing"},
	{"", "\"deployer\":{\"first\":[\"2h\",\"1h\"]}", "must not be the longer one"},
	{"", "\"deployer\":{\"unreached\":\"150%\"}", "between 0 and 1"},
	{"", "\"paging\":{\"machines\":0}", "a page must hold at least 1"},
};

static void each_flaw_of_a_document_is_named_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(flaws); i++) {
		mdc_cleanup(buf_fini) struct buf said;

		read_document(fixture_document(flaws[i].subscription, flaws[i].behaviour), &said);
		if (strstr(buf_str(&said), flaws[i].words) == NULL)
			fail_msg("\"%s\" is not in: %s", flaws[i].words, buf_str(&said));
	}
}

static void flaws_of_the_whole_are_named_too(void **state)
{
	static const char *const documents[] = {
		"[]",
		"{}",
		"{\"tenants\":[],\"principals\":[],\"subscriptions\":[],\"more\":1}",
		"{\"tenants\":[{\"id\":\"x\"}],\"principals\":[],\"subscriptions\":[]}",
		("{\"tenants\":[],\"principals\":[],\"subscriptions\":[{\"id\":\"" SUB
		 "\",\"tenant\":\"" TENANT "\"}]}"),
		"{\"tenants\":[{\"id\":\"" TENANT "\"}],\"principals\":[{\"tenant\":\"" TENANT
		"\",\"client\":\"" CLIENT
		"\",\"roles\":[{\"scope\":\"/\",\"role\":\"King\"}]}],\"subscriptions\":[]}",
		"{\"tenants\":[{\"id\":\"" TENANT "\"}],\"principals\":[{\"tenant\":\"" TENANT
		"\",\"client\":\"" CLIENT
		"\",\"certificates\":[\"not PEM\"]}],\"subscriptions\":[]}",
		"{\"tenants\":[{\"id\":\"" TENANT "\"}],\"principals\":[],\"subscriptions\":[],"
		"\"managementGroups\":[{\"name\":\"a\",\"tenant\":\"" TENANT
		"\",\"parent\":\"b\"}]}",
		"{\"tenants\":[],\"principals\":[],\"subscriptions\":[],\"faults\":[{\"do\":{\"x\":"
		"1}}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		mdc_cleanup(buf_fini) struct buf said;

		read_document(parse(documents[i]), &said);
		if (said.len == 0)
			fail_msg("%s was accepted", documents[i]);
	}
}

static void all_flaws_are_reported_at_once(void **state)
{
	mdc_cleanup(buf_fini) struct buf said;

	(void)state;
	read_document(
		fixture_document("\"one\":1,\"two\":2", "\"three\":{},\"latencies\":{}"), &said);
	assert_non_null(strstr(buf_str(&said), "\"one\""));
	assert_non_null(strstr(buf_str(&said), "\"two\""));
	assert_non_null(strstr(buf_str(&said), "\"three\""));
	assert_non_null(strstr(buf_str(&said), "\"latencies\""));
}

static void the_smallest_document_will_do(void **state)
{
	mdc_cleanup(buf_fini) struct buf said;

	(void)state;
	read_document(parse("{\"tenants\":[],\"principals\":[],\"subscriptions\":[]}"), &said);
	assert_string_equal(buf_str(&said), "");
}

static void members_can_be_overlaid_as_they_are(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"properties\":{\"osSku\":null,"
		"\"errorDetails\":[{\"code\":\"X\"}]}}]",
		"");
	get(&f, MACHINE "?" ARC);
	assert_true(json_is_null(tree_get(f.doc, "properties.osSku")));
	assert_int_equal(json_array_size(tree_get(f.doc, "properties.errorDetails")), 1);
	fixture_close(&f);
}

/* --- another hand --- */

static void another_hand_can_set_replace_and_delete(void **state)
{
	struct fixture f;
	json_t *value = json_string("Error");
	json_t *extension = NULL;

	(void)state;
	fixture_open(&f, "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]", "");
	assert_int_equal(estate_meddle(f.e, MACHINE, "properties.status", value), 0);
	assert_string_equal(peek(&f, MACHINE, "properties.status"), "Error");
	json_decref(value);
	assert_int_equal(estate_meddle(f.e, MACHINE, "properties.osSku", NULL), 0);
	assert_null(peek(&f, MACHINE, "properties.osSku"));
	extension = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "id", MACHINE "/extensions/X",
		"name", "X", "properties", "type", "MDE.Windows", "publisher",
		"Microsoft.Azure.AzureDefenderForServers", "provisioningState", "Succeeded");
	assert_int_equal(estate_meddle(f.e, MACHINE "/extensions/X", NULL, extension), 0);
	assert_int_equal(verdict(&f).protected_after, 0); /* no system, no protection */
	assert_int_equal(get(&f, MACHINE "/extensions/X?" ARC), 200);
	assert_int_equal(estate_meddle(f.e, MACHINE, NULL, NULL), 0);
	assert_int_equal(get(&f, MACHINE "?" ARC), 404);
	assert_null(estate_peek(f.e, MACHINE "/extensions/X"));
	assert_int_equal(estate_meddle(f.e, MACHINE "/extensions/X", NULL, extension), -ENOENT);
	assert_int_equal(estate_meddle(f.e, MACHINE, "properties.status", extension), -ENOENT);
	assert_int_equal(estate_meddle(f.e, "/subscriptions/" SUB2, NULL, extension), -ENOENT);
	json_decref(extension);
	fixture_close(&f);
}

static void another_hand_can_bring_a_machine(void **state)
{
	struct fixture f;
	json_t *machine;

	(void)state;
	fixture_open(&f, "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]", "");
	machine = json_deep_copy(estate_peek(f.e, MACHINE));
	json_object_set_new(machine, "id", json_string(MACHINES "/new"));
	json_object_set_new(machine, "name", json_string("new"));
	assert_int_equal(estate_meddle(f.e, MACHINES "/new", NULL, machine), 0);
	json_decref(machine);
	assert_int_equal(verdict(&f).machines, 2);
	get(&f, MACHINES "?" ARC);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	fixture_close(&f);
}

static void other_hands_strike_by_themselves(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document("\"settings\":{\"WDATP\":true}", "");

	(void)state;
	json_object_set_new(doc, "otherHands",
		json_pack("[{s:s, s:s, s:b, s:s, s:s, s:i}]", "resource",
			SECURITY "/settings/WDATP", "member", "properties.enabled", "value", 0,
			"after", "1h", "every", "2h", "times", 2));
	fixture_open_json(&f, doc);
	assert_true(
		tree_is_true(estate_peek(f.e, SECURITY "/settings/WDATP"), "properties.enabled"));
	pass(&f, DUR_H(1));
	for (int i = 0; i < 2; i++) {
		json_t *on = json_true();

		assert_false(tree_is_true(
			estate_peek(f.e, SECURITY "/settings/WDATP"), "properties.enabled"));
		estate_meddle(f.e, SECURITY "/settings/WDATP", "properties.enabled", on);
		pass(&f, DUR_H(2));
	}
	assert_true(
		tree_is_true(estate_peek(f.e, SECURITY "/settings/WDATP"), "properties.enabled"));
	fixture_close(&f);
}

static void a_subscription_can_vanish(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]", "");
	assert_int_equal(estate_meddle(f.e, SUB_PATH, NULL, NULL), 0);
	get(&f, PLAN);
	assert_refused(&f, 404, "SubscriptionNotFound");
	get(&f, "/subscriptions?api-version=2022-12-01");
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 0);
	call(&f, "POST", "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01",
		"{\"query\":\"resources\"}");
	assert_int_equal(json_integer_value(tree_get(f.doc, "count")), 0);
	pass(&f, DUR_DAYS(1));
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_flaw_of_a_document_is_named_with_its_place),
	cmocka_unit_test(flaws_of_the_whole_are_named_too),
	cmocka_unit_test(all_flaws_are_reported_at_once),
	cmocka_unit_test(the_smallest_document_will_do),
	cmocka_unit_test(members_can_be_overlaid_as_they_are),
	cmocka_unit_test(another_hand_can_set_replace_and_delete),
	cmocka_unit_test(another_hand_can_bring_a_machine),
	cmocka_unit_test(other_hands_strike_by_themselves),
	cmocka_unit_test(a_subscription_can_vanish),
};
RUN_ESTATE_TESTS(tests)
