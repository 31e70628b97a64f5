/* SPDX-License-Identifier: Apache-2.0 */
/* What has to hold for every field, every way of observing and every estate. */
#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/controls/control.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NO_GRAPH \
	"[{'when': {'path': '/Microsoft.ResourceGraph/'}, 'do': {'status': 403," \
	" 'code': 'AuthorizationFailed'}}]"

/* --- every field that a control reads --- */

#define CUSTOMER "40000000-0000-4000-8000-000000000001"
#define IN_GROUP SUB_ID(1) "/resourceGroups/rg/providers/"
#define WORKSPACE IN_GROUP "Microsoft.OperationalInsights/workspaces/w"
#define SOLUTION IN_GROUP "Microsoft.OperationsManagement/solutions/Security(w)"
#define RULE IN_GROUP "Microsoft.Insights/dataCollectionRules/r"
#define ASSOCIATION \
	MACHINE("listed") "/providers/Microsoft.Insights/dataCollectionRuleAssociations/assoc-0"

/*
 * One machine of each kind that some field needs: a sensor that is well, one that failed, a legacy
 * agent beside one that is not unified, and an agent with a list of allowed extensions.
 */
#define ESTATE \
	SUBSCRIPTION(1, \
		PLAN_P2 "'settings': {'WDATP': true, 'WDATP_UNIFIED_SOLUTION': true," \
			" 'WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW': false}," \
			" 'vulnerabilityProvider': 'MdeTvm'," \
			" 'connectors': [{'name': 'aws', 'account': '1234', 'offerings':" \
			" [{'offeringType': 'DefenderForServersAws', 'defenderForServers':" \
			" {'cloudRoleArn': 'arn:s'}, 'subPlan': {'type': 'P2'}}]}]," \
			" 'workspaces': [{'name': 'w', 'customer': '" CUSTOMER "'," \
			" 'solutions': ['Security']}]," \
			" 'rules': [{'name': 'r', 'destinations': ['" WORKSPACE "']}], ", \
		SERVER("good", \
			WINDOWS UNREACHED WITH_SENSOR( \
				"MDE.Windows") ", 'plan': 'P1'") "," SERVER("bad", \
			WINDOWS UNREACHED ", 'extensions': [{'type': 'MDE.Windows'," \
					  " 'state': 'Failed', 'code': '13', 'message': " \
					  "'missing'}]") "," SERVER("old", \
			WINDOWS_2016 UNREACHED \
			", 'extensions': [{'type': 'MicrosoftMonitoringAgent', 'name': 'MMA'}," \
			" {'type': 'MDE.Windows', 'unified': false}]") "," SERVER("listed", \
			WINDOWS UNREACHED ", 'allow': [{'publisher': 'Microsoft.Azure.Monitor'," \
					  " 'type': 'AzureMonitorWindowsAgent'}]," \
					  " 'extensions': [{'type': 'AzureMonitorWindowsAgent'}]," \
					  " 'rules': ['" RULE "']"))
#define OBSERVE_ALL \
	CONFIG_POLL "policy \"servers\" {\n" \
		    "    plan = P2  integration = on  unified-solution = on  linux = on\n" \
		    "    vulnerability-management = on  register-providers = on\n" \
		    "    extension { deploy = after-grace }\n" \
		    "    legacy { replace = on }\n" \
		    "    connector { plan = P2 }\n" \
		    "    workspaces { from-machines = on }\n" \
		    "    machine-plan \"good\" { plan = P1  machines = { \"good\" } }\n" \
		    "}\n" CONFIG_SCOPE("subscriptions = { \"*\" }  mode = observe")
#define OLD_SENSOR SENSOR("old", "MDE.Windows")
#define OWN_PLAN MACHINE("good") "/providers/Microsoft.Security/pricings/VirtualMachines"
#define AGENT "properties.agentConfiguration."
#define CONNECTOR SUB_ID(1) "/resourceGroups/rg/providers/Microsoft.Security/securityConnectors/aws"
#define ENVIRONMENT "properties.environmentData."

static const struct change {
	enum control_id control;
	const char *field;
	const char *resource, *member, *value;
	bool by_graph_only;
} changes[] = {
	{CONTROL_SERVERS_PLAN, "properties.pricingTier", PLAN_ID(1), NULL, "'Free'"},
	{CONTROL_SERVERS_PLAN, "properties.subPlan", PLAN_ID(1), NULL, "'P1'"},
	{CONTROL_SERVERS_PLAN, "properties.enforce", PLAN_ID(1), NULL, "'True'"},
	{CONTROL_SERVERS_PLAN, "properties.enablementTime", PLAN_ID(1), NULL,
		"'2026-11-01T00:00:00Z'"},
	{CONTROL_SERVERS_PLAN, "properties.extensions", PLAN_ID(1), NULL,
		"[{'name': 'AgentlessVmScanning', 'isEnabled': 'True', 'operationStatus':"
		" {'code': 'Failed', 'message': 'no role'}}]"},
	{CONTROL_SERVERS_PLAN, "properties.resourcesCoverageStatus", PLAN_ID(1), NULL,
		"'PartiallyCovered'"},
	{CONTROL_SERVERS_PLAN, "properties.deprecated", PLAN_ID(1), NULL, "true"},
	{CONTROL_SERVERS_PLAN, "properties.replacedBy", PLAN_ID(1), NULL, "['Other']"},
	{CONTROL_PROVIDER, "registrationState", SUB_ID(1) "/providers/Microsoft.Security", NULL,
		"'Registering'"},
	{CONTROL_LINUX_INTEGRATION, "properties.enabled",
		SETTING_ID(1, "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"), NULL, "true"},
	{CONTROL_VULNERABILITY_MANAGEMENT, "properties.selectedProvider",
		SUB_ID(1) "/providers/Microsoft.Security/serverVulnerabilityAssessmentsSettings/"
			  "azureServersSetting",
		NULL, "'Other'"},
	{CONTROL_MDE_INTEGRATION, "properties.enabled", SETTING_ID(1, "WDATP"), NULL, "false"},
	{CONTROL_UNIFIED_SOLUTION, "properties.enabled", SETTING_ID(1, "WDATP_UNIFIED_SOLUTION"),
		NULL, "false"},
	{CONTROL_CONNECTOR, "properties.environmentName", CONNECTOR, NULL, "'GCP'"},
	{CONTROL_CONNECTOR, "properties.hierarchyIdentifier", CONNECTOR, NULL, "'5678'"},
	{CONTROL_CONNECTOR, ENVIRONMENT "scanInterval", CONNECTOR, NULL, "12"},
	{CONTROL_CONNECTOR, ENVIRONMENT "organizationalData.parentHierarchyId", CONNECTOR,
		ENVIRONMENT "organizationalData", "{'parentHierarchyId': '9'}"},
	{CONTROL_CONNECTOR, "properties.offerings", CONNECTOR, NULL, "[]"},
	{CONTROL_WORKSPACE_PLAN, "plan.product", SOLUTION, NULL, "'OMSGallery/Other'"},
	{CONTROL_WORKSPACE_PLAN, "properties.workspaceResourceId", SOLUTION, NULL, "'/x'"},
	{CONTROL_WORKSPACE_PLAN, "properties.customerId", WORKSPACE, NULL,
		"'40000000-0000-4000-8000-000000000002'"},
	{CONTROL_WORKSPACE_PLAN, "properties.settings.workspaceId",
		MACHINE("old") "/extensions/MMA", NULL, "'" CUSTOMER "'", true},
	{CONTROL_WORKSPACE_PLAN, "properties.dataCollectionRuleId", ASSOCIATION, NULL, "'/x'",
		true},
	{CONTROL_WORKSPACE_PLAN, "properties.dataFlows", RULE, NULL, "[]", true},
	{CONTROL_WORKSPACE_PLAN, "properties.destinations.logAnalytics", RULE, NULL, "[]", true},
	{CONTROL_ARC_CONNECTED, "properties.status", MACHINE("good"), NULL, "'Disconnected'"},
	{CONTROL_ARC_CONNECTED, "properties.lastStatusChange", MACHINE("good"), NULL,
		"'2026-11-24T01:00:00Z'"},
	{CONTROL_ARC_CONNECTED, "properties.agentVersion", MACHINE("good"), NULL, "'1.99'"},
	{CONTROL_ARC_CONNECTED, AGENT "extensionsEnabled", MACHINE("good"), NULL, "'false'"},
	{CONTROL_ARC_CONNECTED, AGENT "extensionsAllowList", MACHINE("good"), NULL,
		"[{'publisher': 'Microsoft.Azure.Monitor', 'type': 'X'}]"},
	{CONTROL_ARC_CONNECTED, AGENT "extensionsBlockList", MACHINE("good"), NULL,
		"[{'publisher': 'Microsoft.Azure.AzureDefenderForServers',"
		" 'type': 'MDE.Windows'}]"},
	{CONTROL_ARC_CONNECTED, AGENT "configMode", MACHINE("listed"), NULL, "'monitor'"},
	{CONTROL_SUBSCRIPTION_MOVE, "properties.settings.azureResourceId",
		SENSOR("good", "MDE.Windows"), NULL, "'" MACHINE("bad") "'"},
	{CONTROL_SUBSCRIPTION_MOVE, "properties.provisioningState", SENSOR("good", "MDE.Windows"),
		NULL, "'Updating'"},
	{CONTROL_MDE_EXTENSION, "properties.provisioningState", SENSOR("good", "MDE.Windows"), NULL,
		"'Failed'"},
	{CONTROL_MDE_EXTENSION, "properties.settings.azureResourceId",
		SENSOR("good", "MDE.Windows"), NULL, "'" MACHINE("bad") "'"},
	{CONTROL_MDE_EXTENSION, "properties.settings.vNextEnabled", OLD_SENSOR, NULL, "true"},
	{CONTROL_MDE_EXTENSION, "properties.instanceView.status.code", SENSOR("bad", "MDE.Windows"),
		NULL, "'51'"},
	{CONTROL_MDE_EXTENSION, "properties.instanceView.status.message",
		SENSOR("bad", "MDE.Windows"), NULL, "'something else'"},
	{CONTROL_SENSOR_ONBOARDED, "properties.provisioningState", SENSOR("good", "MDE.Windows"),
		NULL, "'Failed'"},
	{CONTROL_LEGACY_REPLACED, "properties.publisher", MACHINE("old") "/extensions/MMA", NULL,
		"'Somebody.Else'"},
	{CONTROL_LEGACY_REPLACED, "properties.type", MACHINE("old") "/extensions/MMA", NULL,
		"'SomethingElse'"},
	{CONTROL_LEGACY_REPLACED, "properties.provisioningState", OLD_SENSOR, NULL, "'Updating'"},
	{CONTROL_LEGACY_REPLACED, "properties.settings.vNextEnabled", OLD_SENSOR, NULL, "true"},
	{CONTROL_LEGACY_REPLACED, "properties.settings.workspaceId",
		MACHINE("old") "/extensions/MMA", NULL, "'5f1c1a0e-0000-4000-8000-000000000001'"},
	{CONTROL_MACHINE_PLAN, "properties.pricingTier", OWN_PLAN, NULL, "'Free'"},
	{CONTROL_MACHINE_PLAN, "properties.subPlan", OWN_PLAN, NULL, "'P2'"},
	{CONTROL_MACHINE_PLAN, "properties.inherited", OWN_PLAN, NULL, "'True'"},
	{CONTROL_MACHINE_PLAN, "properties.enforce", PLAN_ID(1), NULL, "'True'"},
};

static bool has_change(enum control_id control, const char *field)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		if (changes[i].control == control && str_equal(changes[i].field, field))
			return true;
	return false;
}

static void test_each_field_of_each_control_is_tried(void **state)
{
	(void)state;
	for (unsigned c = 0; c < CONTROL_N_; c++) {
		const struct control *control = control_by_id((enum control_id)c);

		for (const char *const *field = control->fields; *field != NULL; field++)
			if (!has_change(control->id, *field))
				fail_msg("%s reads %s", control_word(control->id), *field);
	}
}

static void check_change(const struct change *c, const char *rules)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){.subscriptions = ESTATE,
		.document = "'behaviour': {'deployer': {'on': false}}",
		.config = OBSERVE_ALL});
	mdc_autofree char *facts = NULL, *states = NULL, *new_facts = NULL, *new_states = NULL;

	scenario_faults(s, rules);
	scenario_start(s);
	/* Past two polls: what is different later is not just the time. */
	scenario_run(s, DUR_MIN(31));
	facts = scenario_facts(s);
	states = scenario_states(s);
	scenario_meddle(s, c->resource, c->member != NULL ? c->member : c->field, c->value);
	scenario_run(s, DUR_MIN(16));
	new_facts = scenario_facts(s);
	new_states = scenario_states(s);
	if (str_equal(facts, new_facts) && str_equal(states, new_states))
		fail_msg("%s %s of %s is not noticed", control_word(c->control), c->field,
			c->resource);
}

static void test_a_field_that_changes_is_noticed_at_the_next_poll(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		print_message("# %s %s\n", control_word(changes[i].control), changes[i].field);
		check_change(&changes[i], NULL);
		if (!changes[i].by_graph_only)
			check_change(&changes[i], NO_GRAPH);
	}
}

/* --- ways of observing --- */

/* Shares of machines, up to these. */
static const struct {
	const char *key;
	unsigned most;
} shares[] = {
	{"legacy", 30},
	{"linux", 40},
	{"clients", 10},
	{"unsupported", 15},
	{"disconnected", 20},
	{"expired", 8},
	{"shells", 8},
	{"provisioned", 30},
	{"moved", 10},
	{"failing", 20},
	{"connector", 10},
	{"blocked", 10},
	{"unreached", 50},
};
static const char *const switches[] = {"integration", "unified", "modern"};

static char *specification_of(struct rng *rng, unsigned machines)
{
	struct buf text = BUF_INIT(4096);

	buf_addf(&text, "machines=%u,subscriptions=%u", machines, 1 + (unsigned)rng_below(rng, 3));
	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		buf_addf(
			&text, ",%s=%u%%", shares[i].key, (unsigned)rng_below(rng, shares[i].most));
	for (size_t i = 0; i < ARRAY_LEN(switches); i++)
		buf_addf(&text, ",%s=%s", switches[i], rng_below(rng, 2) == 0 ? "on" : "off");
	buf_addf(&text, ",plan=%s", rng_below(rng, 2) == 0 ? "none" : "mixed");
	return buf_steal(&text);
}

static void observe(unsigned seed, const char *rules, char **ret_facts, char **ret_states)
{
	struct rng rng;
	mdc_autofree char *specification = NULL;
	scenario_auto *s = NULL;

	rng_seed(&rng, seed);
	specification = specification_of(&rng, 80);
	s = scenario_new(&(struct scenario_options){.seed = seed,
		.specification = specification,
		.document = seed % 2 == 0
			? "'behaviour': {'casing': 'odd', 'deployer': {'on': false}}"
			: "'behaviour': {'deployer': {'on': false}}",
		.config = CONFIG_OBSERVE});
	print_message("# seed %u: %s\n", seed, specification);
	scenario_faults(s, rules);
	scenario_start(s);
	scenario_run(s, DUR_MIN(21));
	*ret_facts = scenario_facts(s);
	*ret_states = scenario_states(s);
	scenario_is_good(s);
}

static void test_all_ways_of_observing_give_the_same_facts(void **state)
{
	struct seed_range seeds = scenario_seeds(8);

	(void)state;
	for (unsigned seed = seeds.first; seed <= seeds.last; seed++) {
		mdc_autofree char *facts = NULL, *states = NULL, *arm_facts = NULL;
		mdc_autofree char *arm_states = NULL;

		observe(seed, NULL, &facts, &states);
		observe(seed, NO_GRAPH, &arm_facts, &arm_states);
		assert_string_equal(facts, arm_facts);
		assert_string_equal(states, arm_states);
	}
}

/* --- what is written, by a list of its own --- */

static const struct {
	const char *path_end, *body; /* what the body has to hold */
} allowed[] = {
	{"/providers/Microsoft.Security/pricings/VirtualMachines", "\"pricingTier\":\"Standard\""},
	{"/providers/Microsoft.Security/settings/WDATP", "\"enabled\":true"},
	{"/providers/Microsoft.Security/settings/WDATP_UNIFIED_SOLUTION", "\"enabled\":true"},
	{"/extensions/MDE.Windows", "\"publisher\":\"Microsoft.Azure.AzureDefenderForServers\""},
	{"/extensions/MDE.Linux", "\"publisher\":\"Microsoft.Azure.AzureDefenderForServers\""},
};

/* The extension of a machine that was moved goes, and comes again. */
static bool is_allowed_deletion(const struct transport_write *w)
{
	return str_equal(w->method, "DELETE") && str_empty(w->body) &&
		(str_ends_nocase(w->path, "/extensions/MDE.Windows") ||
			str_ends_nocase(w->path, "/extensions/MDE.Linux"));
}

static bool is_allowed(const struct transport_write *w)
{
	if (is_allowed_deletion(w))
		return true;
	if (!str_equal(w->method, "PUT") || w->body == NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (str_ends_nocase(w->path, allowed[i].path_end))
			return strstr(w->body, allowed[i].body) != NULL;
	return false;
}

static void only_what_is_allowed_was_written(struct scenario *s)
{
	const struct transport *t = s->world.transport;

	for (size_t i = 0; i < transport_estate_write_count(t); i++) {
		const struct transport_write *w = transport_estate_write(t, i);

		if (!is_allowed(w))
			scenario_fail(s, "%s %s is no allowed write", w->method, w->path);
	}
}

/* --- any estate, any trouble --- */

static const char *const troubles[] = {
	"'status': 500",
	"'status': 500, 'effect': 'taken'",
	"'status': 502",
	"'status': 503",
	"'status': 504, 'effect': 'taken'",
	"'status': 429, 'retryAfter': '7s'",
	"'delivery': 'reset'",
	"'delivery': 'reset', 'effect': 'taken'",
	"'delivery': 'hang'",
	"'delivery': 'hang', 'effect': 'taken'",
	"'delivery': 'truncate'",
	"'delivery': 'refuse'",
	"'content': 'html'",
	"'content': 'malformed', 'effect': 'taken'",
	"'list': 'endless'",
	"'list': 'foreign'",
	"'delay': '40s'",
};

/* Each trouble now and then, for a day. */
static char *troubles_of(struct rng *rng)
{
	struct buf rules = BUF_INIT(1 << 16);

	for (size_t i = 0; i < ARRAY_LEN(troubles); i++)
		buf_addf(&rules, "%s{'when': {'until': '24h', 'chance': 0.0%u}, 'do': {%s}}",
			i > 0 ? ", " : "[", (unsigned)rng_below(rng, 10), troubles[i]);
	buf_adds(&rules, "]");
	return buf_steal(&rules);
}

#define CONFIG_ANY \
	CONFIG_POLL_SLOW \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on\n" \
	"    extension { deploy = after-grace  grace = 20m  first-grace = 1h }\n" \
	"    legacy { replace = on }\n" \
	"}\n" CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce  max-in-flight = 20")

/* What Azure is like in other ways. */
static const char *const ways[] = {
	"'behaviour': {'operations': {'shape': 'async'}}",
	"'behaviour': {'operations': {'shape': 'location', 'movingLocation': true}}",
	"'behaviour': {'operations': {'shape': 'body'}, 'graph': {'lag': ['1s', '4m']}}",
	"'behaviour': {'operations': {'shape': 'bare', 'lost': 0.1}}",
	"'behaviour': {'operations': {'urlLife': '1m', 'hideCreation': false}}",
};

#define CONFIG_OBSERVE_SLOW \
	CONFIG_POLL_SLOW CONFIG_POLICY_PROMPT CONFIG_SCOPE( \
		"subscriptions = { \"*\" }  mode = observe")

static struct scenario *trouble(unsigned seed, const char *config)
{
	struct rng rng;
	mdc_autofree char *specification = NULL, *rules = NULL;
	struct scenario *s;

	rng_seed(&rng, seed);
	specification = specification_of(&rng, 24);
	rules = troubles_of(&rng);
	s = scenario_new(&(struct scenario_options){.seed = seed,
		.specification = specification,
		.document = ways[seed % ARRAY_LEN(ways)],
		.lively = true,
		.config = config});
	print_message("# seed %u: %s\n", seed, specification);
	scenario_faults(s, rules);
	scenario_start(s);
	for (unsigned h = 0; h < 30; h++) {
		scenario_run(s, DUR_H(1));
		scenario_command(s, "confirm", NULL);
		scenario_nothing_is_stuck(s);
	}
	return s;
}

/* The words of a line of scenario_states(). */
struct line {
	char name[300], control[40], state[40], reason[60];
};

typedef bool (*line_fn)(const struct line *line);

/* The first line that is not as it should be, or NULL; the caller frees it. */
static char *find_line(struct scenario *s, line_fn is_bad)
{
	mdc_autofree char *states = scenario_states(s);
	struct line line;
	char *rest = NULL;

	for (char *text = strtok_r(states, "\n", &rest); text != NULL;
		text = strtok_r(NULL, "\n", &rest)) {
		assert_int_equal(sscanf(text, "%299s %39s %39s %59s", line.name, line.control,
					 line.state, line.reason),
			4);
		if (is_bad(&line))
			return xstrdup(text);
	}
	return NULL;
}

static bool is_word_of(const char *const *words, const char *word)
{
	for (; *words != NULL; words++)
		if (str_equal(*words, word))
			return true;
	return false;
}

/* A legacy sensor may wait for a sensor that a person has to help. */
static bool is_under_way(const struct line *line)
{
	static const char *const passing[] = {
		"unknown", "drifted", "queued", "applying", "settling", NULL};

	return is_word_of(passing, line->state) ||
		(str_equal(line->state, "waiting") && !str_equal(line->reason, "prerequisite"));
}

/* Azure is well again: what remains are troubles of the machines themselves. */
static bool is_a_trouble_that_is_over(const struct line *line)
{
	static const char *const over[] = {"throttled", "transient", "busy", "identity",
		"outcome-unknown", "partial-observation", "vanished", "fact-unknown", "no-package",
		"not-seen-in-effect", "operation-overdue", "denied", "refused", "subscription-gone",
		"conflict", "rule", NULL};
	bool subscription = strstr(line->name, "/machines/") == NULL;

	return is_word_of(over, line->reason) ||
		(subscription && !str_equal(line->state, "compliant"));
}

static bool is_calm(struct scenario *s, void *unused)
{
	mdc_autofree char *line = find_line(s, is_under_way);

	(void)unused;
	return line == NULL;
}

static void becomes_calm(struct scenario *s)
{
	mdc_autofree char *line = NULL;

	if (scenario_run_until(s, is_calm, NULL, DUR_DAYS(3)))
		return;
	line = find_line(s, is_under_way);
	scenario_fail(s, "it does not come to rest: %s", line);
}

static void test_any_estate_comes_to_a_good_end_whatever_happens(void **state)
{
	struct seed_range seeds = scenario_seeds(6);

	(void)state;
	for (unsigned seed = seeds.first; seed <= seeds.last; seed++) {
		scenario_auto *s = trouble(seed, CONFIG_ANY);
		mdc_autofree char *line = NULL;

		becomes_calm(s);
		line = find_line(s, is_a_trouble_that_is_over);
		if (line != NULL)
			scenario_fail(s, "it is not well: %s", line);
		only_what_is_allowed_was_written(s);
		scenario_is_good(s);
		scenario_nothing_is_stuck(s);
		scenario_history_is_whole(s);
	}
}

/* --- what is left to do when all is done --- */

static int64_t planned(struct scenario *s, const char *which)
{
	return json_integer_value(json_object_get(scenario_command(s, "plan", NULL), which));
}

static void test_a_plan_that_was_carried_out_leaves_an_empty_one(void **state)
{
	struct seed_range seeds = scenario_seeds(3);

	(void)state;
	for (unsigned seed = seeds.first; seed <= seeds.last; seed++) {
		struct rng rng;
		mdc_autofree char *specification = NULL, *healthy = NULL;
		scenario_auto *s = NULL;
		size_t writes;

		rng_seed(&rng, seed);
		specification = specification_of(&rng, 40);
		/* Later ones win: every installer does its work. */
		healthy = xasprintf("%s,failing=0%%,unreached=60%%", specification);
		s = scenario_new(&(struct scenario_options){
			.seed = seed, .specification = healthy, .config = CONFIG_ANY});
		print_message("# seed %u: %s\n", seed, healthy);
		scenario_begin(s);
		assert_true(planned(s, "ready") + planned(s, "held") +
				(int64_t)scenario_count(s, NULL, "waiting") >
			0);
		becomes_calm(s);
		assert_int_equal(planned(s, "ready") + planned(s, "held"), 0);
		writes = scenario_writes(s, NULL);
		assert_true(writes > 0);
		scenario_run(s, DUR_DAYS(1));
		assert_int_equal(planned(s, "ready") + planned(s, "held"), 0);
		assert_int_equal(scenario_writes(s, NULL), writes);
		scenario_is_good(s);
	}
}

/* --- observe mode --- */

static void test_nothing_is_written_in_observe_mode(void **state)
{
	struct seed_range seeds = scenario_seeds(3);

	(void)state;
	for (unsigned seed = seeds.first; seed <= seeds.last; seed++) {
		scenario_auto *s = trouble(seed, CONFIG_OBSERVE_SLOW);

		scenario_command(s, "reconcile", NULL);
		scenario_command(s, "confirm", NULL);
		scenario_run(s, DUR_H(3));
		scenario_writes_are(s, NULL, 0, 0);
	}
}

/* --- no conclusions from a part --- */

/* What cannot be read whole, and the writes that would rest on it ("": all). */
static const struct part {
	const char *path;
	bool as_list; /* that it ends matters, and not only what it shows */
	const char *held[3];
} parts[] = {
	{"^/subscriptions$", false, {""}},
	{"/pricings/VirtualMachines$", false, {"/VirtualMachines", "/WDATP", "/MDE.Windows"}},
	{"/Microsoft.Security/settings$", true, {"/WDATP", "/MDE.Windows", "/MDE.Linux"}},
	{"/Microsoft.HybridCompute/machines$", true, {"/MDE.Windows", "/MDE.Linux"}},
	{"/extensions$", true, {"/MDE.Windows", "/MDE.Linux"}},
};

static const char *const cuts[] = {
	"'status': 403, 'code': 'AuthorizationFailed'",
	"'status': 500",
	"'delivery': 'truncate'",
	"'content': 'malformed'",
	"'list': 'endless'",
	"'list': 'foreign'",
};

static struct scenario *without_part(unsigned seed, const char *path, const char *cut)
{
	struct rng rng;
	mdc_autofree char *rules =
		xasprintf("[{'when': {'path': '/Microsoft.ResourceGraph/'}, 'do': {'status': 403,"
			  " 'code': 'AuthorizationFailed'}},"
			  " {'when': {'method': 'GET', 'path': '%s'}, 'do': {%s}}]",
			path, cut);
	struct scenario *s = scenario_new(&(struct scenario_options){.seed = seed,
		.specification = "subscriptions=2,machines=12,plan=none,integration=off,"
				 "legacy=20%,linux=30%,provisioned=0",
		.document = "'behaviour': {'deployer': {'on': false}}",
		.config = CONFIG_PROMPT});

	print_message("# %s: %s\n", path, cut);
	rng_seed(&rng, seed);
	scenario_faults(s, rules);
	scenario_start(s);
	for (unsigned i = 0; i < 4; i++) {
		scenario_run(s, DUR_MIN(20 + (int64_t)rng_below(&rng, 20)));
		scenario_command(s, "confirm", NULL);
		scenario_command(s, "reconcile", NULL);
	}
	only_what_is_allowed_was_written(s);
	return s;
}

static void check_part(unsigned seed, const struct part *part, const char *cut)
{
	scenario_auto *s = without_part(seed, part->path, cut);

	for (size_t i = 0; i < ARRAY_LEN(part->held) && part->held[i] != NULL; i++)
		scenario_writes_are(s, *part->held[i] != '\0' ? part->held[i] : NULL, 0, 0);
}

/* All of these are written where nothing is missing. */
static void check_whole(void)
{
	static const char *const written[] = {
		"/VirtualMachines", "/WDATP", "/MDE.Windows", "/MDE.Linux"};
	scenario_auto *s = without_part(1, "^/nothing$", "'status': 500");

	for (size_t i = 0; i < ARRAY_LEN(written); i++)
		scenario_writes_are(s, written[i], 1, 12);
}

static void test_nothing_is_written_on_partial_facts(void **state)
{
	unsigned seed = 0;

	(void)state;
	check_whole();
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		for (size_t k = 0; k < ARRAY_LEN(cuts); k++) {
			if (!parts[i].as_list && str_starts_nocase(cuts[k], "'list'"))
				continue;
			check_part(++seed, &parts[i], cuts[k]);
		}
}

/* --- determinism --- */

static void test_the_same_seed_gives_the_same_trace(void **state)
{
	struct seed_range seeds = scenario_seeds(1);

	(void)state;
	for (unsigned seed = seeds.first; seed <= seeds.last; seed++) {
		scenario_auto *a = trouble(seed, CONFIG_ANY);
		scenario_auto *b = trouble(seed, CONFIG_ANY);

		assert_string_equal(scenario_trace(a), scenario_trace(b));
		assert_int_equal(transport_estate_events(a->world.transport),
			transport_estate_events(b->world.transport));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_field_of_each_control_is_tried),
		cmocka_unit_test(test_a_field_that_changes_is_noticed_at_the_next_poll),
		cmocka_unit_test(test_all_ways_of_observing_give_the_same_facts),
		cmocka_unit_test(test_any_estate_comes_to_a_good_end_whatever_happens),
		cmocka_unit_test(test_a_plan_that_was_carried_out_leaves_an_empty_one),
		cmocka_unit_test(test_nothing_is_written_in_observe_mode),
		cmocka_unit_test(test_nothing_is_written_on_partial_facts),
		cmocka_unit_test(test_the_same_seed_gives_the_same_trace),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
