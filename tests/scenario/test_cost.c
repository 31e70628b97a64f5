/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs: who is billed, under which plan, who perhaps twice, and what is still to come. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PLAN_P1 "'plan': {'tier': 'Standard', 'subPlan': 'P1', 'since': '-60d'}, "
#define ESTATE \
	SUBSCRIPTION(1, ALL_ON, \
		SERVER("web1", WINDOWS UNREACHED WITH_SENSOR("MDE.Windows")) "," SERVER( \
			"web2", WINDOWS UNREACHED) "," SERVER("away1", \
			LINUX UNREACHED ", 'status': 'Disconnected'")) \
	"," SUBSCRIPTION(2, NO_PLAN SETTINGS_OFF, \
		SERVER("db1", LINUX UNREACHED) "," SERVER( \
			"db2", LINUX UNREACHED)) "," SUBSCRIPTION(3, PLAN_P1 SETTINGS_ON, \
		SERVER("web1", WINDOWS UNREACHED))
#define DEVICES \
	"'devices': [{'name': 'direct1.contoso.test'}, " \
	"{'name': 'web2', 'machine': '" MACHINE( \
		"web2") "'}], " \
			"'behaviour': {'deployer': {'on': false}, 'devices': {'lag': '5h'}}"
#define PRICES \
	"prices { currency = \"EUR\"  p1-per-hour = 0.01  p2-per-hour = 0.03\n" \
	"    mde-per-month = 4 }\n"
#define OBSERVE \
	CONFIG_POLL_SLOW CONFIG_POLICY CONFIG_SCOPE("subscriptions = { \"*\" }  mode = observe")

static struct scenario *estate_of(const char *config)
{
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = ESTATE, .document = DEVICES, .config = config, .defender = true});

	scenario_begin(s);
	scenario_run(s, DUR_H(1));
	return s;
}

static void number_is(struct scenario *s, const json_t *row, const char *key, json_int_t wanted)
{
	json_int_t is = json_integer_value(json_object_get(row, key));

	if (is != wanted)
		scenario_fail(s, "%s: %lld, not %lld", key, (long long)is, (long long)wanted);
}

static void text_is(struct scenario *s, const json_t *row, const char *key, const char *wanted)
{
	const char *is = json_string_value(json_object_get(row, key));

	if (!str_equal(is, wanted))
		scenario_fail(s, "%s: %s, not %s", key, is != NULL ? is : "nothing",
			wanted != NULL ? wanted : "nothing");
}

static const json_t *total(struct scenario *s)
{
	return json_object_get(scenario_command(s, "cost", "{}"), "total");
}

static const json_t *row_of(const json_t *answer, const char *key, const char *value, size_t nth)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(answer, "rows"), i, row)
		if (str_equal(json_string_value(json_object_get(row, key)), value) && nth-- == 0)
			return row;
	return NULL;
}

static bool is_unproven(const json_t *answer, const char *text)
{
	json_t *sentence;
	size_t i;

	json_array_foreach (json_object_get(answer, "unproven"), i, sentence)
		if (strstr(json_string_value(sentence), text) != NULL)
			return true;
	return false;
}

static void test_who_is_billed_and_what_is_to_come_is_told_by_scope_and_in_all(void **state)
{
	scenario_auto *s = estate_of(PRICES OBSERVE);
	const json_t *answer = scenario_command(s, "cost", "{}"), *row;

	(void)state;
	row = json_object_get(answer, "total");
	number_is(s, row, "machines", 6);
	number_is(s, row, "p2", 2);
	number_is(s, row, "p1", 1);
	number_is(s, row, "none", 2);
	number_is(s, row, "disconnected", 1);
	number_is(s, row, "unknown", 0);
	number_is(s, row, "to_bill", 2);
	number_is(s, row, "p2_when_reached", 5);
	/* web2 beside its plan, and the one that is not in Azure. */
	number_is(s, row, "licences", 2);
	number_is(s, row, "licences_when_reached", 1);
	/* (0.01 + 2 * 0.03) * 730 + 2 * 4, and 5 * 0.03 * 730 + 4. */
	text_is(s, row, "month_now", "59.10");
	text_is(s, row, "month_when_reached", "113.50");
	text_is(s, row, "month_change", "54.40");
	row = json_array_get(json_object_get(answer, "scopes"), 0);
	text_is(s, row, "scope", "all");
	number_is(s, row, "machines", 6);
	number_is(s, row, "licences", 1);
	row = row_of(answer, "subscription", SUB(2), 0);
	text_is(s, row, "plan", "off");
	text_is(s, row, "plan_when_reached", "P2");
	text_is(s, row, "month_now", "0.00");
	text_is(s, row, "month_when_reached", "43.80");
	assert_true(json_array_size(json_object_get(answer, "assumptions")) > 2);
	assert_int_equal(json_array_size(json_object_get(answer, "unproven")), 0);
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_machines_that_may_be_billed_twice_are_named_with_the_reason(void **state)
{
	scenario_auto *s = estate_of(OBSERVE);
	const json_t *answer =
		scenario_command(s, "cost", "{\"by\":\"machine\",\"kind\":\"twice\"}");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 3);
	text_is(s, row_of(answer, "machine", "web2", 0), "twice", "licence");
	text_is(s, row_of(answer, "machine", "web1", 0), "twice", "same-name");
	text_is(s, row_of(answer, "machine", "web1", 0), "other", MACHINE_OF(3, "web1"));
	text_is(s, row_of(answer, "machine", "web1", 1), "other", MACHINE("web1"));
	text_is(s, row_of(answer, "machine", "web1", 1), "plan", "P1");
	/* One of the two is taken away: the other is billed once. */
	scenario_meddle(s, MACHINE_OF(3, "web1"), "properties.status", "'Disconnected'");
	scenario_run(s, DUR_H(1));
	number_is(s, total(s), "twice_same_name", 0);
	number_is(s, total(s), "twice_licence", 1);
	number_is(s, total(s), "disconnected", 2);
}

static void test_without_prices_there_are_counts_and_no_amount(void **state)
{
	scenario_auto *s = estate_of(OBSERVE);
	const json_t *answer = scenario_command(s, "cost", "{}");

	(void)state;
	number_is(s, json_object_get(answer, "total"), "p2", 2);
	text_is(s, json_object_get(answer, "total"), "month_now", NULL);
	text_is(s, json_object_get(answer, "total"), "month_when_reached", NULL);
	text_is(s, json_object_get(answer, "prices"), "currency", NULL);
	assert_true(is_unproven(answer, "the configuration has no prices"));
	/* One that is lacking takes with it only what needs it. */
	scenario_reload(s,
		"prices { currency = \"EUR\"  p1-per-hour = 0.01  p2-per-hour = 0.03 }\n" OBSERVE);
	answer = scenario_command(s, "cost", "{}");
	text_is(s, json_object_get(answer, "total"), "month_now", NULL);
	text_is(s, row_of(answer, "subscription", SUB(3), 0), "month_now", "7.30");
	assert_true(is_unproven(answer, "lacks a price"));
}

/* Once it is there, it costs what was said before, and a plan includes what it should. */
static void test_what_was_forecast_is_what_the_policy_comes_to(void **state)
{
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF,
						   SERVER("web1", WINDOWS) "," SERVER("db1",
							   LINUX) "," SERVER("kiosk1", WINDOWS)),
			.document = "'behaviour': {'deployer': {'on': false}}",
			.config = PRICES OBSERVE});
	mdc_autofree char *forecast = NULL;
	const json_t *answer;

	(void)state;
	scenario_begin(s);
	text_is(s, total(s), "month_now", "0.00");
	forecast = xstrdup(json_string_value(json_object_get(total(s), "month_when_reached")));
	assert_string_equal(forecast, "65.70");
	number_is(s, total(s), "to_bill", 3);
	scenario_reload(s, PRICES CONFIG_PROMPT_SLOW);
	scenario_command(s, "confirm", NULL);
	scenario_settle(s, DUR_H(6));
	text_is(s, total(s), "month_now", forecast);
	text_is(s, total(s), "month_change", "0.00");
	number_is(s, total(s), "to_bill", 0);
	answer = scenario_command(s, "cost", "{\"by\":\"machine\"}");
	text_is(s, row_of(answer, "machine", "db1", 0), "plan", "P2");
	text_is(s, row_of(answer, "machine", "db1", 0), "plan_of", "subscription");
	answer = json_array_get(json_object_get(answer, "plans"), 1);
	text_is(s, answer, "plan", "P2");
	assert_non_null(strstr(json_string_value(json_object_get(answer, "includes")),
		"premium vulnerability management"));
	scenario_is_good(s);
}

static void test_pages_hold_each_machine_once(void **state)
{
	scenario_auto *s = estate_of(OBSERVE);
	mdc_autofree char *arguments = xstrdup("{\"by\":\"machine\",\"limit\":2}");
	mdc_cleanup(buf_fini) struct buf seen = BUF_INIT(4096);

	(void)state;
	while (arguments != NULL) {
		const json_t *answer = scenario_command(s, "cost", arguments), *next;
		json_t *row;
		size_t i;

		json_array_foreach (json_object_get(answer, "rows"), i, row)
			buf_addf(&seen, "%s ", json_string_value(json_object_get(row, "machine")));
		next = json_object_get(answer, "next");
		free(arguments);
		arguments = json_is_string(next)
			? xasprintf("{\"by\":\"machine\",\"limit\":2,\"after\":\"%s\"}",
				  json_string_value(next))
			: NULL;
	}
	assert_int_equal(seen.len, strlen("web1 web2 away1 db1 db2 web1 "));
	assert_non_null(strstr(buf_str(&seen), "away1 "));
	assert_non_null(strstr(buf_str(&seen), "db2 "));
	scenario_refused(s, "cost", "{\"after\":\"x\"}", "usage");
	scenario_refused(s, "cost", "{\"by\":\"machines\"}", "usage");
	scenario_refused(s, "cost", "{\"kind\":\"twice\"}", "usage");
	scenario_refused(s, "cost", "{\"by\":\"machine\",\"kind\":\"thrice\"}", "usage");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_who_is_billed_and_what_is_to_come_is_told_by_scope_and_in_all),
		cmocka_unit_test(test_machines_that_may_be_billed_twice_are_named_with_the_reason),
		cmocka_unit_test(test_without_prices_there_are_counts_and_no_amount),
		cmocka_unit_test(test_what_was_forecast_is_what_the_policy_comes_to),
		cmocka_unit_test(test_pages_hold_each_machine_once),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
