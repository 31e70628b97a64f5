/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define ONE "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"},{\"name\":\"m2\",\"group\":\"rg\"}]"
#define ALL SUB_PATH "/providers/Microsoft.HybridCompute/machines?" ARC
#define WDATP SECURITY "/settings/WDATP"
#define ON "{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":true}}"

static void script(struct fixture *f, const char *rules)
{
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	json_t *faults = parse(rules);

	assert_int_equal(estate_set_faults(f->e, faults, &diags), 0);
	json_decref(faults);
}

static void open_with(struct fixture *f, const char *rules)
{
	fixture_open(f, ONE, "\"deployer\":{\"on\":false},\"throttling\":{\"model\":\"off\"}");
	script(f, rules);
}

static void an_answer_can_be_replaced(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f,
		"[{\"when\":{\"method\":\"PUT\",\"path\":\"/settings/"
		"wdatp$\"},\"do\":{\"status\":503,"
		"\"code\":\"ServerTimeout\",\"message\":\"later\",\"headers\":{\"Retry-After\":"
		"\"7\"}}}]");
	put(&f, SETTING("WDATP"), ON);
	assert_refused(&f, 503, "ServerTimeout");
	assert_string_equal(text(&f, "error.message"), "later");
	assert_string_equal(answer_header_of(&f, "Retry-After"), "7");
	assert_null(estate_peek(f.e, WDATP));
	assert_int_equal(get(&f, PLAN), 200);
	fixture_close(&f);
}

static void a_fault_may_come_after_the_effect(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f,
		"[{\"when\":{\"method\":\"PUT\"},\"do\":{\"status\":504,\"effect\":\"taken\"}}]");
	assert_int_equal(put(&f, SETTING("WDATP"), ON), 504);
	assert_non_null(estate_peek(f.e, WDATP));
	fixture_close(&f);
}

static void connections_break_before_or_after_the_effect(void **state)
{
	static const char *const effects[] = {"none", "taken"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(effects); i++) {
		struct fixture f;
		mdc_autofree char *rules = xasprintf(
			"[{\"when\":{\"method\":\"PUT\"},\"do\":{\"delivery\":\"reset\",\"effect\":"
			"\"%s\",\"delay\":\"3s\"}}]",
			effects[i]);

		open_with(&f, rules);
		assert_int_equal(put(&f, SETTING("WDATP"), ON), 0);
		assert_int_equal(f.answer.delivery, ESTATE_RESETS);
		assert_int_equal(f.answer.delay.ms, 3000);
		assert_int_equal(estate_peek(f.e, WDATP) != NULL, i == 1);
		fixture_close(&f);
	}
}

static const struct {
	const char *delivery;
	enum estate_delivery expected;
	int status;
} deliveries[] = {
	{"answer", ESTATE_ANSWERED, 200},
	{"hang", ESTATE_HANGS, 0},
	{"reset", ESTATE_RESETS, 0},
	{"truncate", ESTATE_TRUNCATES, 200},
	{"refuse", ESTATE_REFUSED, 0},
};

static void each_way_of_delivery(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(deliveries); i++) {
		struct fixture f;
		mdc_autofree char *rules =
			xasprintf("[{\"do\":{\"delivery\":\"%s\"}}]", deliveries[i].delivery);

		open_with(&f, rules);
		assert_int_equal(get(&f, PLAN), deliveries[i].status);
		assert_int_equal(f.answer.delivery, deliveries[i].expected);
		fixture_close(&f);
	}
}

/* Which of ten requests are struck: one letter for each. */
static void strikes(const char *when, const char *expected)
{
	struct fixture f;
	mdc_autofree char *rules = xasprintf("[{\"when\":{%s},\"do\":{\"status\":500}}]", when);
	char seen[11] = "";

	open_with(&f, rules);
	for (int i = 0; i < 10; i++) {
		seen[i] = get(&f, PLAN) == 500 ? 'x' : '.';
		pass(&f, DUR_S(1));
	}
	assert_string_equal(seen, expected);
	fixture_close(&f);
}

static void rules_choose_among_requests(void **state)
{
	(void)state;
	strikes("\"skip\":3", "...xxxxxxx");
	strikes("\"times\":2", "xx........");
	strikes("\"skip\":3,\"times\":1", "...x......");
	strikes("\"every\":3", "..x..x..x.");
	strikes("\"after\":\"2s\",\"until\":\"5s\"", "..xxx.....");
	strikes("\"host\":\"login\"", "..........");
	strikes("\"client\":\"" CLIENT "\",\"times\":1", "x.........");
	strikes("\"client\":\"" TENANT "\"", "..........");
	strikes("\"chance\":0", "..........");
	strikes("\"chance\":\"100%\"", "xxxxxxxxxx");
}

static void chances_are_the_same_for_the_same_seed(void **state)
{
	char seen[2][101] = {"", ""};

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct fixture f;

		open_with(&f, "[{\"when\":{\"chance\":0.3},\"do\":{\"status\":500}}]");
		for (int i = 0; i < 100; i++)
			seen[round][i] = get(&f, PLAN) == 500 ? 'x' : '.';
		fixture_close(&f);
	}
	assert_string_equal(seen[0], seen[1]);
	assert_non_null(strchr(seen[0], 'x'));
	assert_non_null(strchr(seen[0], '.'));
}

static void the_login_host_can_fail(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f,
		"[{\"when\":{\"host\":\"login\"},\"do\":{\"status\":503,\"retryAfter\":\"9s\"}}]");
	assert_int_equal(log_in(&f, CLIENT, "secret"), 503);
	assert_string_equal(answer_header_of(&f, "Retry-After"), "9");
	fixture_close(&f);
}

static void a_storm_of_429_names_its_wait(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, "[{\"when\":{\"until\":\"1m\"},\"do\":{\"retryAfter\":\"20s\"}}]");
	get(&f, PLAN);
	assert_refused(&f, 429, "TooManyRequests");
	assert_string_equal(answer_header_of(&f, "Retry-After"), "20");
	pass(&f, DUR_MIN(1));
	assert_int_equal(get(&f, PLAN), 200);
	assert_int_equal(verdict(&f).refused, 0);
	fixture_close(&f);
}

static void bodies_can_be_what_they_should_not(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f,
		"[{\"when\":{\"times\":1},\"do\":{\"content\":\"html\"}},{\"when\":{\"times\":1},"
		"\"do\":{\"content\":\"malformed\"}},{\"when\":{\"times\":1},\"do\":{\"content\":"
		"\"huge\"}}]");
	assert_int_equal(get(&f, PLAN), 502);
	assert_string_equal(answer_header_of(&f, "Content-Type"), "text/html");
	assert_int_equal(get(&f, PLAN), 200);
	assert_null(f.doc);
	assert_int_equal(get(&f, PLAN), 200);
	assert_true(f.answer.reply.body_len > 16 * 1024 * 1024);
	assert_int_equal(get(&f, PLAN), 200);
	assert_string_equal(text(&f, "name"), "VirtualMachines");
	fixture_close(&f);
}

static void lists_can_be_what_they_should_not(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f,
		"[{\"when\":{\"times\":1},\"do\":{\"list\":\"empty\"}},{\"when\":{\"times\":1},"
		"\"do\":{"
		"\"list\":\"endless\"}},{\"when\":{\"times\":1},\"do\":{\"list\":\"foreign\"}},{"
		"\"when\":{\"times\":1},\"do\":{\"list\":\"partial\"}}]");
	get(&f, ALL);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 0);
	assert_string_equal(text(&f, "nextLink"), ARM ALL);
	get(&f, ALL);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 2);
	assert_string_equal(text(&f, "nextLink"), ARM ALL);
	get(&f, ALL);
	assert_false(str_starts_nocase(text(&f, "nextLink"), ARM));
	get(&f, ALL);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 1);
	assert_null(text(&f, "nextLink"));
	fixture_close(&f);
}

static void lag_can_come_in_bursts(void **state)
{
	static const char graph[] =
		"/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01";
	struct fixture f;
	json_t *word = json_string("Error");

	(void)state;
	open_with(&f, "[{\"when\":{\"after\":\"1m\",\"until\":\"2m\"},\"do\":{\"lag\":\"10m\"}}]");
	pass(&f, DUR_MIN(1));
	estate_meddle(f.e, MACHINE, "properties.status", word);
	json_decref(word);
	call(&f, "POST", graph, "{\"query\":\"resources\"}");
	assert_null(strstr(f.answer.reply.body, "\"Error\""));
	pass(&f, DUR_MIN(10));
	call(&f, "POST", graph, "{\"query\":\"resources\"}");
	assert_non_null(strstr(f.answer.reply.body, "\"Error\""));
	fixture_close(&f);
}

static void delays_are_added(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, "[{\"do\":{\"delay\":\"70s\"}}]");
	assert_int_equal(get(&f, PLAN), 200);
	assert_int_equal(f.answer.delay.ms, 70000);
	fixture_close(&f);
}

static const char *const bad_scripts[] = {
	"{}",
	"[{}]",
	"[{\"do\":{\"unknown\":1}}]",
	"[{\"when\":{\"path\":\"(\"},\"do\":{}}]",
	"[{\"do\":{\"delivery\":\"pigeon\"}}]",
	"[{\"do\":{\"headers\":{\"a\":1}}}]",
	"[{\"when\":{\"chance\":2},\"do\":{}}]",
};

static void a_wrong_script_is_refused_and_the_old_one_stays(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, "[{\"do\":{\"status\":500}}]");
	for (size_t i = 0; i < ARRAY_LEN(bad_scripts); i++) {
		mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
		json_t *faults = parse(bad_scripts[i]);

		assert_int_equal(estate_set_faults(f.e, faults, &diags), -EINVAL);
		assert_true(diags.errors > 0);
		json_decref(faults);
	}
	assert_int_equal(get(&f, PLAN), 500);
	assert_int_equal(estate_set_faults(f.e, NULL, NULL), 0);
	assert_int_equal(get(&f, PLAN), 200);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_answer_can_be_replaced),
	cmocka_unit_test(a_fault_may_come_after_the_effect),
	cmocka_unit_test(connections_break_before_or_after_the_effect),
	cmocka_unit_test(each_way_of_delivery),
	cmocka_unit_test(rules_choose_among_requests),
	cmocka_unit_test(chances_are_the_same_for_the_same_seed),
	cmocka_unit_test(the_login_host_can_fail),
	cmocka_unit_test(a_storm_of_429_names_its_wait),
	cmocka_unit_test(bodies_can_be_what_they_should_not),
	cmocka_unit_test(lists_can_be_what_they_should_not),
	cmocka_unit_test(lag_can_come_in_bursts),
	cmocka_unit_test(delays_are_added),
	cmocka_unit_test(a_wrong_script_is_refused_and_the_old_one_stays),
};
RUN_ESTATE_TESTS(tests)
