/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure VMs: Defender for Cloud deploys to them by itself, which is waited for and verified; only
 * what it leaves out is written to, and only where the policy says so.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define VM_ID(name) SUB_ID(1) "/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/" name
#define VM(name, members, vm) \
	"{'name': '" name "', 'group': 'rg', 'created': '-300d'" members ", 'vm': {" vm "}}"
#define STOPPED ", 'status': 'deallocated'"
#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define GRAPH_REFUSES \
	"[{'when': {'path': '/Microsoft.ResourceGraph/'}, 'do': {'status': 403," \
	" 'code': 'AuthorizationFailed', 'message': 'no'}}]"
#define CONFIG_VMS(extension, mode) \
	CONFIG_POLL \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on\n" \
	"    extension { grace = 3h  first-grace = 14h  " extension " }\n" \
	"    legacy { replace = on }\n" \
	"}\n" CONFIG_SCOPE("subscriptions = { \"*\" }  mode = " mode)
#define CONFIG_LEFT CONFIG_VMS("deploy = after-grace", "enforce")
#define CONFIG_OWN CONFIG_VMS("deploy = after-grace  own-images = on", "enforce")

static struct scenario *estate_of(const char *machines, const char *document, const char *config)
{
	mdc_autofree char *subscriptions = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), machines);
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = document, .config = config});

	scenario_begin(s);
	return s;
}

static void assert_path(struct scenario *s, const char *machine, const char *path)
{
	const char *shown = scenario_fact(s, machine, "path");

	if (!str_equal(shown, path))
		scenario_fail(s, "%s goes by \"%s\" and not \"%s\"", machine,
			shown != NULL ? shown : "", path);
}

/* R1, and the classes of systems that a VM's agent and image tell of. */
static void test_each_machine_shows_the_path_that_it_goes(void **state)
{
	scenario_auto *s = estate_of(SERVER("premises", WINDOWS) ", " SERVER(
					     "ec2", WINDOWS ", 'cloud': 'AWS'") ", " SERVER("gce",
					     LINUX ", 'cloud': 'GCP'") ", " VM("vm1", WINDOWS,
					     "") ", " VM("vm2", LINUX STOPPED, "'scaleSet': 'web'"),
		NULL, CONFIG_LEFT);

	(void)state;
	assert_path(s, "premises", "on-premises, through Arc");
	assert_path(s, "ec2", "AWS, through Arc");
	assert_path(s, "gce", "GCP, through Arc");
	assert_path(s, "vm1", "Azure VM");
	assert_path(s, "vm2", "Azure VM");
	assert_string_equal(scenario_fact(s, "vm2", "scale set"), "an instance of a flexible one");
	assert_string_equal(
		scenario_fact(s, "vm1", "operating system"), "Windows Server 2022 Datacenter");
	/* It is stopped, so that its image alone tells. */
	assert_string_equal(scenario_fact(s, "vm2", "operating system"), "Ubuntu 22.04");
	assert_string_equal(scenario_fact(s, "vm2", "system class"), "supported Linux");
	assert_null(scenario_item(s, "vm1", "arc-connected"));
	assert_non_null(scenario_item(s, "premises", "arc-connected"));
}

/* R9 and R14 */
static void test_defender_for_cloud_is_waited_for_and_seen_to_have_deployed(void **state)
{
	scenario_auto *s = estate_of(VM("vm1", WINDOWS, "") ", " VM("vm2", LINUX, "") ", " VM(
					     "vm3", WINDOWS_2016, "'scaleSet': 'web'"),
		NULL, CONFIG_LEFT);

	(void)state;
	scenario_settle(s, DUR_H(16));
	scenario_item_is(s, "vm1", "mde-extension", "compliant", NULL);
	scenario_item_is(s, "vm2", "mde-extension", "compliant", NULL);
	scenario_item_is(s, "vm3", "mde-extension", "compliant", NULL);
	assert_int_equal(scenario_protected(s), 3);
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_a_broken_promise_is_said_and_nothing_is_written(void **state)
{
	scenario_auto *s = estate_of(VM("vm1", WINDOWS UNREACHED, ""), NULL, CONFIG_LEFT);

	(void)state;
	scenario_await(s, "vm1", "mde-extension", "blocked", DUR_H(16));
	scenario_item_is(s, "vm1", "mde-extension", "blocked", "deployer-overdue");
	scenario_command(s, "reconcile", "{'target': 'vm1'}");
	scenario_run(s, DUR_H(6));
	scenario_item_is(s, "vm1", "mde-extension", "blocked", "deployer-overdue");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
}

static void test_what_keeps_a_vm_from_being_deployed_to_is_its_reason(void **state)
{
	scenario_auto *s = estate_of(
		VM("stopped", WINDOWS STOPPED, "") ", " VM(
			"closed", LINUX, "'allowExtensions': false") ", " VM("deaf", WINDOWS,
			"'agent': false") ", " VM("node", LINUX,
			"'publisher': 'AzureDatabricks'") ", " VM("wall", LINUX,
			"'publisher': 'fortinet'") ", " VM("own", WINDOWS, "'ownImage': true"),
		NULL, CONFIG_LEFT);

	(void)state;
	scenario_run(s, DUR_H(20));
	scenario_item_is(s, "stopped", "mde-extension", "unreachable", "vm-stopped");
	scenario_item_is(s, "closed", "mde-extension", "blocked", "vm-extensions-off");
	/* Its agent is asked for only once its extension is overdue. */
	scenario_item_is(s, "deaf", "mde-extension", "unreachable", "vm-agent-not-ready");
	scenario_item_is(s, "node", "mde-extension", "unsupported", "unsupported-os");
	scenario_item_is(s, "wall", "mde-extension", "unsupported", "unsupported-os");
	scenario_item_is(s, "own", "mde-extension", "manual", "vm-own-image");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
	scenario_nothing_is_stuck(s);
}

static void test_a_stopped_vm_gets_its_whole_grace_once_it_runs(void **state)
{
	scenario_auto *s =
		estate_of(VM("vm1",
				  WINDOWS UNREACHED STOPPED
				  ", 'timeline': [{'after': '20h', 'status': 'running'}]",
				  ""),
			NULL, CONFIG_LEFT);

	(void)state;
	scenario_run(s, DUR_H(19));
	scenario_item_is(s, "vm1", "mde-extension", "unreachable", "vm-stopped");
	scenario_run(s, DUR_H(3));
	scenario_item_is(s, "vm1", "mde-extension", "waiting", "grace");
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "vm1", "mde-extension", "blocked", "deployer-overdue");
}

static void test_vms_of_own_images_are_written_to_where_the_policy_says_so(void **state)
{
	scenario_auto *s =
		estate_of(VM("own1", WINDOWS, "'ownImage': true") ", " VM("own2", LINUX,
				  "'ownImage': true") ", " VM("other", WINDOWS UNREACHED, ""),
			NULL, CONFIG_OWN);

	(void)state;
	scenario_await(s, "own1", "mde-extension", "compliant", DUR_H(3));
	scenario_await(s, "own2", "mde-extension", "compliant", DUR_H(3));
	scenario_writes_are(s, "/virtualMachines/own1/extensions/MDE.Windows", 1, 1);
	scenario_writes_are(s, "/virtualMachines/own2/extensions/MDE.Linux", 1, 1);
	scenario_run(s, DUR_H(20));
	scenario_item_is(s, "other", "mde-extension", "blocked", "deployer-overdue");
	scenario_writes_are(s, NULL, 2, 2);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_a_vm_that_stops_before_the_write_is_waited_for(void **state)
{
	scenario_auto *s = estate_of(
		VM("own1", WINDOWS STOPPED ", 'timeline': [{'after': '5h', 'status': 'running'}]",
			"'ownImage': true"),
		NULL, CONFIG_OWN);

	(void)state;
	scenario_run(s, DUR_H(4));
	scenario_item_is(s, "own1", "mde-extension", "unreachable", "vm-stopped");
	scenario_writes_are(s, NULL, 0, 0);
	scenario_await(s, "own1", "mde-extension", "compliant", DUR_H(4));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

static void test_observing_writes_to_no_vm(void **state)
{
	scenario_auto *s = estate_of(VM("own1", WINDOWS, "'ownImage': true"), NULL,
		CONFIG_VMS("deploy = after-grace  own-images = on", "observe"));

	(void)state;
	scenario_run(s, DUR_H(20));
	scenario_writes_are(s, NULL, 0, 0);
}

static void test_a_failed_deployment_is_told_with_its_words_and_left(void **state)
{
	scenario_auto *s =
		estate_of(VM("vm1", WINDOWS ", 'outcomes': ['12']", ""), NULL, CONFIG_LEFT);

	(void)state;
	scenario_await(s, "vm1", "mde-extension", "blocked", DUR_H(16));
	scenario_run(s, DUR_H(3));
	scenario_item_is(s, "vm1", "mde-extension", "blocked", "deployer-failed");
	/* Resource Graph knows nothing of it: ARM was asked. */
	assert_non_null(strstr(scenario_item(s, "vm1", "mde-extension")->detail, "12"));
	scenario_writes_are(s, NULL, 0, 0);
	scenario_is_good(s);
}

static void test_a_moved_vm_gets_its_extension_anew(void **state)
{
	scenario_auto *s = estate_of(
		VM("vm1",
			WINDOWS ", 'extensions': [{'type': 'MDE.Windows', 'since': '-30d', "
				"'owner': '/subscriptions/" SUB(
					1) "/resourceGroups/old/providers/Microsoft.Compute/"
					   "virtualMachines/vm1'}]",
			""),
		NULL, CONFIG_LEFT);

	(void)state;
	scenario_settle(s, DUR_H(20));
	scenario_writes_are(s, "/virtualMachines/vm1/extensions/MDE.Windows", 1, 1);
	scenario_item_is(s, "vm1", "mde-extension", "compliant", NULL);
	assert_string_equal(scenario_peek(s, VM_ID("vm1") "/extensions/MDE.Windows",
				    "properties.settings.azureResourceId"),
		VM_ID("vm1"));
	scenario_is_good(s);
}

static void test_a_plan_of_its_own_is_kept_on_a_vm(void **state)
{
	scenario_auto *s = estate_of(VM("vm1", WINDOWS WITH_SENSOR("MDE.Windows"), ""),
		"'allowedWrites': ['machine-plan']",
		CONFIG_POLL "policy \"servers\" {\n"
			    "    plan = P2  integration = on  unified-solution = on\n"
			    "    machine-plan \"small\" { plan = P1  machines = { \"vm*\" } }\n"
			    "}\n"
			    "scope \"all\" { identity = \"main\"  policy = \"servers\"\n"
			    "    subscriptions = { \"*\" }  mode = enforce\n"
			    "    grant \"less\" { control = machine-plan  machines = { \"vm*\" }\n"
			    "        owner = \"x\"  reason = \"y\"  until = 2027-06-01 }\n"
			    "}\n");

	(void)state;
	scenario_await(s, "vm1", "machine-plan", "compliant", DUR_H(3));
	assert_string_equal(scenario_peek(s,
				    VM_ID("vm1") "/providers/Microsoft.Security/pricings/"
						 "VirtualMachines",
				    "properties.subPlan"),
		"P1");
	scenario_is_good(s);
}

/* Both ways of observing have to show the same. */
static void test_vms_are_seen_alike_through_graph_and_arm(void **state)
{
	static const char machines[] =
		VM("vm1", WINDOWS WITH_SENSOR("MDE.Windows"), "'scaleSet': 'web'") ", " VM(
			"vm2", LINUX STOPPED, "'ownImage': true") ", " VM("vm3", LINUX,
			"'allowExtensions': false") ", " SERVER("arc1", WINDOWS);
	mdc_autofree char *from_graph = NULL;
	mdc_autofree char *from_arm = NULL;
	scenario_auto *graph = estate_of(machines, DEPLOYER_OFF, CONFIG_LEFT);
	mdc_autofree char *subscriptions = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), machines);
	scenario_auto *arm = NULL;

	(void)state;
	from_graph = scenario_facts(graph);
	scenario_stop(graph);
	arm = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = DEPLOYER_OFF, .config = CONFIG_LEFT});
	scenario_faults(arm, GRAPH_REFUSES);
	scenario_begin(arm);
	from_arm = scenario_facts(arm);
	assert_string_equal(from_graph, from_arm);
	assert_non_null(strstr(from_arm, "vm2"));
	scenario_item_is(arm, "vm2", "mde-extension", "unreachable", "vm-stopped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_machine_shows_the_path_that_it_goes),
		cmocka_unit_test(test_defender_for_cloud_is_waited_for_and_seen_to_have_deployed),
		cmocka_unit_test(test_a_broken_promise_is_said_and_nothing_is_written),
		cmocka_unit_test(test_what_keeps_a_vm_from_being_deployed_to_is_its_reason),
		cmocka_unit_test(test_a_stopped_vm_gets_its_whole_grace_once_it_runs),
		cmocka_unit_test(test_vms_of_own_images_are_written_to_where_the_policy_says_so),
		cmocka_unit_test(test_a_vm_that_stops_before_the_write_is_waited_for),
		cmocka_unit_test(test_observing_writes_to_no_vm),
		cmocka_unit_test(test_a_failed_deployment_is_told_with_its_words_and_left),
		cmocka_unit_test(test_a_moved_vm_gets_its_extension_anew),
		cmocka_unit_test(test_a_plan_of_its_own_is_kept_on_a_vm),
		cmocka_unit_test(test_vms_are_seen_alike_through_graph_and_arm),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
