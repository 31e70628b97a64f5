/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory of Defender for Endpoint: gaps both ways, proof of sensors, and life without it. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WORKSPACE "5f1c1a0e-0000-4000-8000-000000000001"
#define QUIET "'behaviour': {'deployer': {'on': false}, 'devices': {'lag': '5h'%s}}"
#define DEVICES \
	"'devices': [{'name': 'direct1.contoso.test'}," \
	" {'name': 'web1.contoso.test', 'seen': '-40d'}," \
	" {'name': 'laptop7', 'os': 'Windows11'}," \
	" {'name': 'shadow1', 'onboarding': 'CanBeOnboarded'}," \
	" {'name': 'gone1', 'machine': '" MACHINE("gone1") "'}], "
#define THREE \
	SERVER("web1", WINDOWS UNREACHED WITH_SENSOR("MDE.Windows")) \
	"," SERVER("web2", WINDOWS UNREACHED) "," SERVER( \
		"db1", LINUX UNREACHED WITH_SENSOR("MDE.Linux"))
#define OBSERVE_SLOWLY \
	CONFIG_POLL_SLOW CONFIG_POLICY CONFIG_SCOPE("subscriptions = { \"*\" }  mode = observe")
#define DENIED \
	"[{'when': {'host': 'defender', 'until': '%s'}, 'do': {'status': 403, " \
	"'code': 'Forbidden', 'message': 'The application lacks Machine.Read.All'}}]"

static struct scenario *estate_of(const char *machines, const char *document, const char *config)
{
	mdc_autofree char *subscriptions = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), machines);

	return scenario_new(&(struct scenario_options){.subscriptions = subscriptions,
		.document = document,
		.config = config,
		.defender = true});
}

static json_int_t total(struct scenario *s, const char *kind)
{
	const json_t *answer = scenario_command(s, "gaps", "{}");

	return json_integer_value(json_object_get(json_object_get(answer, "totals"), kind));
}

static void totals_are(struct scenario *s, const char *const *kinds)
{
	for (; *kinds != NULL; kinds += 2) {
		mdc_autofree char *is = xasprintf("%lld", (long long)total(s, kinds[0]));

		if (!str_equal(is, kinds[1]))
			scenario_fail(s, "%s: %s, not %s", kinds[0], is, kinds[1]);
	}
}

static const char *first(struct scenario *s, const char *arguments, const char *member)
{
	const json_t *answer = scenario_command(s, "gaps", arguments);
	const json_t *row = json_array_get(json_object_get(answer, "gaps"), 0);

	return json_string_value(json_object_get(row, member));
}

static const char *state_of_inventory(struct scenario *s)
{
	const json_t *answer = scenario_command(s, "gaps", "{}");
	const json_t *source = json_array_get(json_object_get(answer, "sources"), 0);

	return json_string_value(json_object_get(source, "state"));
}

static const struct sensor_facts *sensor_of(struct scenario *s, const char *id)
{
	return inventory_machine(s->daemon->inventory, id)->sensor;
}

static void test_gaps_are_told_both_ways(void **state)
{
	mdc_autofree char *document = xasprintf(DEVICES QUIET, "");
	scenario_auto *s = estate_of(THREE, document, OBSERVE_SLOWLY);

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(1));
	assert_string_equal(state_of_inventory(s), "read");
	totals_are(s,
		(const char *const[]){"not-connected", "1", "duplicate", "1", "elsewhere", "1",
			"no-device", "1", "billed-twice", "0", "ambiguous", "0", NULL});
	assert_string_equal(
		first(s, "{\"kind\":\"not-connected\"}", "device"), "direct1.contoso.test");
	assert_string_equal(first(s, "{\"kind\":\"duplicate\"}", "machine"), "web1");
	assert_string_equal(first(s, "{\"kind\":\"no-device\"}", "machine"), "web2");
	assert_string_equal(first(s, "{\"kind\":\"no-device\"}", "scope"), "all");
	assert_true(sensor_of(s, MACHINE("web1"))->onboarded);
	assert_int_equal(sensor_of(s, MACHINE("db1"))->health, SENSOR_ACTIVE);
	assert_false(sensor_of(s, MACHINE("web2"))->listed);
	scenario_item_is(s, "db1", "sensor-onboarded", "compliant", "in-sync");
	assert_null(scenario_item(s, "web2", "sensor-onboarded")); /* nothing to prove yet */
	scenario_is_good(s);
}

static void test_pages_of_an_answer_hold_each_gap_once(void **state)
{
	mdc_autofree char *document = xasprintf(DEVICES QUIET, "");
	scenario_auto *s = estate_of(THREE, document, OBSERVE_SLOWLY);
	mdc_autofree char *arguments = xstrdup("{\"limit\":1}");
	mdc_cleanup(buf_fini) struct buf seen = BUF_INIT(4096);
	const char *next;

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(1));
	do {
		const json_t *answer = scenario_command(s, "gaps", arguments);
		const json_t *rows = json_object_get(answer, "gaps");

		assert_int_equal(json_array_size(rows), 1);
		buf_addf(&seen, "%s ",
			json_string_value(json_object_get(json_array_get(rows, 0), "gap")));
		next = json_string_value(json_object_get(answer, "next"));
		free(arguments);
		arguments = next != NULL ? xasprintf("{\"limit\":1,\"after\":\"%s\"}", next) : NULL;
	} while (arguments != NULL);
	assert_string_equal(buf_str(&seen), "not-connected duplicate elsewhere no-device ");
	scenario_refused(s, "gaps", "{\"after\":\"x\"}", "usage");
	scenario_refused(s, "gaps", "{\"kind\":\"no-devize\"}", "usage");
}

/* An extension that somebody took away, from a machine that stays onboarded. */
static void test_a_device_without_an_extension_is_billed_twice(void **state)
{
	mdc_autofree char *document = xasprintf(
		"'devices': [{'name': 'web2', 'machine': '" MACHINE("web2") "'}], " QUIET, "");
	scenario_auto *s = estate_of(SERVER("web2", WINDOWS UNREACHED), document, OBSERVE_SLOWLY);

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(1));
	totals_are(s, (const char *const[]){"billed-twice", "1", "no-device", "0", NULL});
	assert_string_equal(first(s, "{}", "resource_id"), MACHINE("web2"));
}

static void test_without_the_permission_everything_else_works(void **state)
{
	mdc_autofree char *document = xasprintf(DEVICES QUIET, "");
	mdc_autofree char *faults = xasprintf(DENIED, "20h");
	scenario_auto *s = estate_of(THREE, document, CONFIG_PROMPT_SLOW);
	const json_t *answer;

	(void)state;
	scenario_faults(s, faults);
	scenario_begin(s);
	scenario_settle(s, DUR_H(2));
	scenario_run(s, DUR_H(12));
	assert_int_equal(scenario_protected(s), 3);
	assert_string_equal(state_of_inventory(s), "denied");
	answer = scenario_command(s, "gaps", "{}");
	assert_int_equal(json_array_size(json_object_get(answer, "gaps")), 0);
	assert_int_equal(json_array_size(json_object_get(answer, "unproven")), 1);
	assert_null(sensor_of(s, MACHINE("web1")));
	assert_null(scenario_item(s, "web1", "sensor-onboarded"));
	/* Told once, and once when it can be read. */
	assert_int_equal(log_capture_count(s->log, LOG_DEVICES_MESSAGE), 1);
	scenario_run(s, DUR_H(8));
	assert_string_equal(state_of_inventory(s), "read");
	assert_int_equal(log_capture_count(s->log, LOG_DEVICES_MESSAGE), 2);
	assert_non_null(sensor_of(s, MACHINE("web1")));
	scenario_is_good(s);
}

static void test_what_cannot_be_read_any_more_is_no_proof_after_a_day(void **state)
{
	mdc_autofree char *document = xasprintf(DEVICES QUIET, "");
	scenario_auto *s = estate_of(THREE, document, OBSERVE_SLOWLY);

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(1));
	assert_non_null(sensor_of(s, MACHINE("web1")));
	scenario_faults(s, "[{'when': {'host': 'defender'}, 'do': {'status': 503}}]");
	scenario_run(s, DUR_H(20));
	assert_string_equal(state_of_inventory(s), "failed");
	assert_non_null(sensor_of(s, MACHINE("web1")));
	assert_int_equal(total(s, "not-connected"), 1);
	scenario_run(s, DUR_H(10));
	assert_null(sensor_of(s, MACHINE("web1")));
	assert_int_equal(total(s, "not-connected"), 0);
}

static void test_large_inventories_are_read_in_pages_within_the_limits(void **state)
{
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.specification = "machines=5,direct=20001,deployer=off",
			.config = OBSERVE_SLOWLY,
			.defender = true});

	(void)state;
	/* The first answer is larger than any that is taken: smaller pages are asked for. */
	scenario_faults(s,
		"[{'when': {'host': 'defender', 'times': 1}, 'do': {'content': 'huge'}},"
		" {'when': {'host': 'defender', 'times': 1}, 'do': {'retryAfter': '40s'}}]");
	scenario_begin(s);
	scenario_run(s, DUR_H(1));
	assert_string_equal(state_of_inventory(s), "read");
	assert_int_equal(total(s, "not-connected"), 20001);
	scenario_is_good(s);
}

/* An old server from end to end, by what the estate itself shows. */
static void test_the_inventory_proves_a_replacement_and_the_old_agent_goes(void **state)
{
	mdc_autofree char *document = xasprintf(QUIET, "");
	scenario_auto *s = estate_of(SERVER("old1",
					     WINDOWS_2016 UNREACHED
					     ", 'extensions': [{'type': 'MicrosoftMonitoringAgent',"
					     " 'name': 'MMAExtension', 'workspace': '" WORKSPACE
					     "', 'since': '-400d'}]"),
		document,
		CONFIG_POLL_SLOW
		"policy \"servers\" {\n"
		"    plan = P2  integration = on  unified-solution = on\n"
		"    extension { deploy = after-grace  grace = 0s  first-grace = 0s }\n"
		"    legacy { replace = on  remove-agent = on  workspaces = { \"" WORKSPACE
		"\" } }\n"
		"}\n" CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce"));

	(void)state;
	scenario_begin(s);
	scenario_run(s, DUR_H(3));
	assert_true(scenario_exists(s, SENSOR("old1", "MDE.Windows")));
	scenario_item_is(s, "old1", "sensor-onboarded", "waiting", "sensor-awaited");
	/* Not before the new sensor is seen at work. */
	scenario_writes_are(s, "/old1/extensions/MMAExtension", 0, 0);
	scenario_run(s, DUR_DAYS(3));
	scenario_item_is(s, "old1", "sensor-onboarded", "compliant", "in-sync");
	scenario_writes_are(s, "/old1/extensions/MMAExtension", 1, 1);
	assert_false(scenario_exists(s, SENSOR("old1", "MMAExtension")));
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gaps_are_told_both_ways),
		cmocka_unit_test(test_pages_of_an_answer_hold_each_gap_once),
		cmocka_unit_test(test_a_device_without_an_extension_is_billed_twice),
		cmocka_unit_test(test_without_the_permission_everything_else_works),
		cmocka_unit_test(test_what_cannot_be_read_any_more_is_no_proof_after_a_day),
		cmocka_unit_test(test_large_inventories_are_read_in_pages_within_the_limits),
		cmocka_unit_test(test_the_inventory_proves_a_replacement_and_the_old_agent_goes),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
