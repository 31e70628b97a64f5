/* SPDX-License-Identifier: Apache-2.0 */
/* Installations that fail on machines: how often each is tried, how it ends, and what is told. */
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"

static struct scenario *server_with(const char *os, const char *members)
{
	mdc_autofree char *subscriptions = xasprintf(
		SUBSCRIPTION(1, ALL_ON, "{'name': 'web1', 'group': 'rg', 'since': '-30d', %s, %s}"),
		os, members);
	struct scenario *s = scenario_new(&(struct scenario_options){.subscriptions = subscriptions,
		.document = DEPLOYER_OFF,
		.config = CONFIG_PROMPT_SLOW});

	scenario_begin(s);
	return s;
}

#define ON_2016 "'os': 'Windows Server 2016 Datacenter'"
#define ON_2022 "'os': 'Windows Server 2022 Datacenter'"
#define ON_LINUX "'os': 'Ubuntu 22.04.4 LTS'"

/* What each code comes to within three days, and how many attempts that takes. */
static const struct {
	const char *os, *code, *state, *reason;
	size_t least, most;
	const char *remedy; /* a part of what helps */
} ends[] = {
	{ON_2016, "13", "blocked", "handler-blocked", 1, 1, "KB4052623"},
	{ON_2016, "14", "blocked", "handler-blocked", 1, 1, "mdcctl reconcile"},
	{ON_2016, "35", "blocked", "not-offboarded", 1, 1, "offboard it"},
	{ON_2016, "38", "blocked", "handler-blocked", 1, 1, "tamper protection"},
	{ON_2016, "39", "blocked", "handler-blocked", 1, 1, "DisableAntiSpyware"},
	{ON_2016, "1603", "blocked", "handler-blocked", 1, 1, "Defender Antivirus"},
	{ON_2022, "51", "unsupported", "handler-unsupported", 1, 1, ""},
	{ON_2022, "12", "backoff", "reboot-pending", 3, 8, "restart the machine"},
	{ON_2022, "4", "backoff", "handler-network", 4, 9, "proxy"},
	{ON_2022, "1", "blocked", "given-up", 2, 2, "mdcctl history"},
	{ON_2022, "36", "blocked", "given-up", 5, 5, "mdcctl history"},
	{ON_LINUX, "5", "blocked", "other-edr", 1, 1, "exclude the machine"},
	{ON_LINUX, "12", "blocked", "handler-blocked", 1, 1, "1 GB of memory"},
	{ON_LINUX, "24", "backoff", "handler-network", 4, 9, "packages.microsoft.com"},
	{ON_LINUX, "52", "blocked", "handler-blocked", 1, 1, "noexec"},
};

static void test_each_failure_ends_as_its_meaning_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		mdc_autofree char *outcomes = xasprintf("'outcomes': ['%s']", ends[i].code);
		scenario_auto *s = server_with(ends[i].os, outcomes);
		const char *remedy;

		/* What was given up is tried again once a week, not before half of it. */
		scenario_run(s, DUR_DAYS(3));
		scenario_item_is(s, "web1", "mde-extension", ends[i].state, ends[i].reason);
		scenario_writes_are(s, NULL, ends[i].least, ends[i].most);
		remedy = json_text(scenario_explained(s, "web1", "mde-extension"), "unblock");
		if (strstr(remedy != NULL ? remedy : "", ends[i].remedy) == NULL)
			scenario_fail(s, "code %s: what helps is \"%s\"", ends[i].code, remedy);
		scenario_is_good(s);
		scenario_nothing_is_stuck(s);
		scenario_history_is_whole(s);
	}
}

static void test_after_a_restart_of_the_machine_it_is_installed(void **state)
{
	scenario_auto *s = server_with(ON_2016, "'outcomes': ['12'], 'rebootAfter': '30h'");

	(void)state;
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "web1", "mde-extension", "backoff", "reboot-pending");
	scenario_settle(s, DUR_DAYS(4));
	scenario_item_is(s, "web1", "mde-extension", "compliant", "in-sync");
	assert_int_equal(scenario_protected(s), 1);
	scenario_writes_are(s, NULL, 2, 5);
	scenario_is_good(s);
}

static void test_an_old_agent_is_told_and_not_written_to(void **state)
{
	scenario_auto *s = server_with(ON_LINUX, "'agent': '1.39.02628.1379'");

	(void)state;
	scenario_run(s, DUR_DAYS(2));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "agent-too-old");
	scenario_item_is(s, "web1", "arc-connected", "blocked", "agent-too-old");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_meddle(s, MACHINE("web1"), "properties.agentVersion", "'1.67.03300.1'");
	scenario_await(s, "web1", "mde-extension", "compliant", DUR_H(2));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

static void test_monitor_mode_admits_the_sensor_and_its_lists_do_not_matter(void **state)
{
	scenario_auto *s = server_with(ON_LINUX,
		"'configMode': 'monitor', 'allow': [{'publisher': 'Microsoft.Azure.Monitor',"
		" 'type': 'AzureMonitorLinuxAgent'}]");

	(void)state;
	scenario_settle(s, DUR_H(2));
	scenario_item_is(s, "web1", "mde-extension", "compliant", "in-sync");
	scenario_is_good(s);
}

static void test_a_machine_whose_agent_hangs_is_laid_to_its_age(void **state)
{
	scenario_auto *s = server_with(ON_LINUX,
		"'agent': '1.45.1', 'extensions': [{'type': 'MDE.Linux', 'state': 'Creating'}]");

	(void)state;
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "web1", "mde-extension", "waiting", "other-deployer");
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "agent-too-old");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_failure_ends_as_its_meaning_says),
		cmocka_unit_test(test_after_a_restart_of_the_machine_it_is_installed),
		cmocka_unit_test(test_an_old_agent_is_told_and_not_written_to),
		cmocka_unit_test(test_monitor_mode_admits_the_sensor_and_its_lists_do_not_matter),
		cmocka_unit_test(test_a_machine_whose_agent_hangs_is_laid_to_its_age),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
