/* SPDX-License-Identifier: Apache-2.0 */
/* What is in force, of what was written and of what was not. */
#include "tests/unit/config_cases.h"

static void defaults_are_in_force_where_nothing_is_written(void **state)
{
	struct config *c = build_well(BASE);

	(void)state;
	assert_string_equal(c->state_directory, "/var/lib/mdcd");
	assert_string_equal(c->control_socket, "/run/mdcd/control.sock");
	assert_true(c->log_to_journal);
	assert_int_equal(c->poll.subscriptions.ms, DUR_MIN(15).ms);
	assert_int_equal(c->poll.machines.ms, DUR_MIN(5).ms);
	assert_int_equal(c->poll.full_sweep.ms, DUR_H(6).ms);
	assert_int_equal(c->poll.inventory.ms, DUR_H(1).ms);
	assert_int_equal(c->poll.operations.ms, DUR_MIN(1).ms);
	assert_int_equal(c->poll.jitter_percent, 10);
	assert_int_equal(c->impact.machines, 100);
	assert_int_equal(c->impact.subscriptions, 5);
	assert_int_equal(c->max_in_flight, 50);
	assert_int_equal(c->policies[0].plan, PLAN_UNMANAGED);
	assert_false(c->policies[0].integration);
	assert_false(c->policies[0].unified_solution);
	assert_int_equal(c->policies[0].deploy, DEPLOY_NEVER);
	assert_int_equal(c->policies[0].grace.ms, DUR_H(3).ms);
	assert_int_equal(c->policies[0].first_grace.ms, DUR_H(14).ms);
	assert_false(c->policies[0].legacy_replace);
	assert_int_equal(c->scopes[0].mode, MODE_OBSERVE);
	assert_true(c->scopes[0].everything);
	assert_int_equal(c->scopes[0].max_in_flight, 50);
	config_free(c);
}

static void everything_written_is_in_force(void **state)
{
	struct config *c =
		build_well("state-directory = /s\ncontrol-socket = /c\nlog = stderr\n"
			   "max-in-flight = 7\n"
			   "poll {\n	subscriptions = 3s\n	machines = 2s\n"
			   "	full-sweep = 30s\n	inventory = 4s\n"
			   "	operations = 1s\n	jitter = 0%\n}\n"
			   "impact {\n	machines = 0\n	subscriptions = 9\n}\n"
			   "policy \"p\" {\n	plan = P2\n	integration = on\n"
			   "	unified-solution = on\n"
			   "	extension {\n		deploy = after-grace\n"
			   "		grace = 0s\n		first-grace = 3s\n	}\n"
			   "	legacy {\n		replace = on\n"
			   "		remove-agent = on\n		proof = extension\n"
			   "		remove-after = 2d\n"
			   "		workspaces = [22222222-2222-2222-2222-222222222222]\n"
			   "	}\n}\n" BASE);
	const struct policy_config *p = &c->policies[0];

	(void)state;
	assert_string_equal(c->state_directory, "/s");
	assert_string_equal(c->control_socket, "/c");
	assert_false(c->log_to_journal);
	assert_int_equal(c->max_in_flight, 7);
	assert_int_equal(c->poll.subscriptions.ms, 3000);
	assert_int_equal(c->poll.machines.ms, 2000);
	assert_int_equal(c->poll.full_sweep.ms, 30000);
	assert_int_equal(c->poll.inventory.ms, 4000);
	assert_int_equal(c->poll.operations.ms, 1000);
	assert_int_equal(c->poll.jitter_percent, 0);
	assert_int_equal(c->impact.machines, 0);
	assert_int_equal(c->impact.subscriptions, 9);
	assert_string_equal(p->name, "p");
	assert_int_equal(p->plan, PLAN_P2);
	assert_true(p->integration);
	assert_true(p->unified_solution);
	assert_int_equal(p->deploy, DEPLOY_AFTER_GRACE);
	assert_int_equal(p->grace.ms, 0);
	assert_int_equal(p->first_grace.ms, 3000);
	assert_true(p->legacy_replace && p->legacy_remove_agent && !p->legacy_any_workspace);
	assert_int_equal(p->legacy_proof, PROOF_BY_EXTENSION);
	assert_int_equal(p->legacy_remove_after.ms, DUR_DAYS(2).ms);
	assert_int_equal(p->legacy_workspace_count, 1);
	assert_string_equal(p->legacy_workspaces[0], "22222222-2222-2222-2222-222222222222");
	assert_int_equal(c->scopes[0].max_in_flight, 7);
	config_free(c);
}

static void a_scope_holds_what_it_names(void **state)
{
	struct config *c = build_well(IDENTITY POLICY
		"scope \"s\" {\n" REFERENCES "	mode = enforce\n	max-in-flight = 3\n"
		"	subscriptions = [*, AAAAAAAA-1111-1111-1111-111111111111]\n"
		"	management-groups = [mg-prod, MG2]\n"
		"	exclude \"lab\" {\n"
		"		subscriptions = BBBBBBBB-1111-1111-1111-111111111111\n"
		"		resource-groups = rg\n		machines = [a*, b?]\n"
		"		tags = [env=lab, note=a=b]\n		owner = o\n"
		"		ticket = t\n		reason = r\n"
		"		until = 2027-01-31\n	}\n"
		"	exclude \"for ever\" {\n		machines = x\n"
		"		owner = o\n		reason = r\n	}\n"
		"	grant \"g\" {\n		control = servers-plan\n"
		"		subscriptions = *\n		owner = o\n"
		"		reason = r\n		until = 2027-01-31\n	}\n}\n");
	const struct scope_config *s = &c->scopes[0];
	const struct selector *lab = &s->excludes[0].selector;
	struct wall end;

	(void)state;
	assert_ptr_equal(s->identity, &c->identities[0]);
	assert_ptr_equal(s->policy, &c->policies[0]);
	assert_int_equal(s->mode, MODE_ENFORCE);
	assert_int_equal(s->max_in_flight, 3);
	assert_true(s->everything);
	assert_int_equal(s->subscription_count, 1);
	assert_string_equal(s->subscriptions[0], "aaaaaaaa-1111-1111-1111-111111111111");
	assert_int_equal(s->management_group_count, 2);
	assert_string_equal(s->management_groups[1], "MG2");
	assert_int_equal(s->exclude_count, 2);
	assert_string_equal(s->excludes[0].name, "lab");
	assert_string_equal(s->excludes[0].ticket, "t");
	assert_string_equal(lab->subscriptions[0], "bbbbbbbb-1111-1111-1111-111111111111");
	assert_string_equal(lab->groups[0], "rg");
	assert_int_equal(lab->machine_count, 2);
	assert_string_equal(lab->machines[1], "b?");
	assert_int_equal(lab->tag_count, 2);
	assert_string_equal(lab->tags[1].name, "note");
	assert_string_equal(lab->tags[1].value, "a=b");
	assert_int_equal(wall_parse("2027-02-01T00:00:00Z", &end), 0);
	assert_true(wall_before(s->excludes[0].expires, end));
	assert_false(wall_before(s->excludes[0].expires, (struct wall){end.ms - 1000}));
	assert_int_equal(
		wall_since(s->excludes[0].until, s->excludes[0].expires).ms, DUR_DAYS(7).ms);
	assert_int_equal(wall_since(s->grants[0].until, s->grants[0].expires).ms, DUR_DAYS(7).ms);
	assert_int_equal(s->excludes[1].expires.ms, WALL_NEVER.ms);
	assert_int_equal(s->excludes[1].until.ms, WALL_NEVER.ms);
	assert_null(s->excludes[1].ticket);
	assert_int_equal(s->grant_count, 1);
	assert_string_equal(s->grants[0].control, "servers-plan");
	assert_int_equal(s->grants[0].selector.subscription_count, 0);
	config_free(c);
}

static void the_canonical_text_has_every_option_in_force(void **state)
{
	struct config *c =
		build_well("poll {\n	machines = 90m\n	jitter = 05%\n}\n" IDENTITY
			   "policy \"servers\" {\n	integration = yes\n}\n"
			   "scope \"rest\" {\n" REFERENCES "	management-groups = [a, b]\n"
			   "	exclude \"lab\" {\n		tags = env=\"x\n"
			   "		owner = $o\n		reason = r\n	}\n}\n");

	(void)state;
	assert_string_equal(c->canonical,
		"state-directory = \"/var/lib/mdcd\"\n"
		"control-socket = \"/run/mdcd/control.sock\"\n"
		"log = journal\n"
		"max-in-flight = 50\n"
		"expiry-grace = 7d\n"
		"identity \"main\"/cloud = \"public\"\n"
		"identity \"main\"/tenant = \"" ID1 "\"\n"
		"identity \"main\"/client = \"" ID2 "\"\n"
		"identity \"main\"/method = client-secret\n"
		"identity \"main\"/secret-file = \"/etc/mdcd/secret\"\n"
		"identity \"main\"/certificate-chain = off\n"
		"poll/subscriptions = 15m\n"
		"poll/machines = 90m\n"
		"poll/full-sweep = 6h\n"
		"poll/inventory = 1h\n"
		"poll/operations = 1m\n"
		"poll/jitter = 5%\n"
		"impact/machines = 100\n"
		"impact/subscriptions = 5\n"
		"policy \"servers\"/plan = unmanaged\n"
		"policy \"servers\"/integration = on\n"
		"policy \"servers\"/unified-solution = off\n"
		"policy \"servers\"/linux = off\n"
		"policy \"servers\"/vulnerability-management = off\n"
		"policy \"servers\"/register-providers = off\n"
		"policy \"servers\"/policy-grace = 26h\n"
		"policy \"servers\"/workspaces/from-machines = off\n"
		"policy \"servers\"/extension/deploy = never\n"
		"policy \"servers\"/extension/own-images = off\n"
		"policy \"servers\"/extension/grace = 3h\n"
		"policy \"servers\"/extension/first-grace = 14h\n"
		"policy \"servers\"/legacy/replace = off\n"
		"policy \"servers\"/legacy/remove-agent = off\n"
		"policy \"servers\"/legacy/proof = inventory\n"
		"policy \"servers\"/legacy/remove-after = 26h\n"
		"policy \"servers\"/connector/plan = unmanaged\n"
		"policy \"servers\"/connector/arc = off\n"
		"policy \"servers\"/connector/mde = off\n"
		"policy \"servers\"/connector/vulnerability-assessment = off\n"
		"policy \"servers\"/connector/agentless = off\n"
		"scope \"rest\"/identity = \"main\"\n"
		"scope \"rest\"/management-groups = { \"a\", \"b\" }\n"
		"scope \"rest\"/policy = \"servers\"\n"
		"scope \"rest\"/mode = observe\n"
		"scope \"rest\"/max-in-flight = 50\n"
		"scope \"rest\"/honour-exemptions = off\n"
		"scope \"rest\"/exclude \"lab\"/tags = { \"env=\\\"x\" }\n"
		"scope \"rest\"/exclude \"lab\"/owner = \"\\$o\"\n"
		"scope \"rest\"/exclude \"lab\"/reason = \"r\"\n"
		"cloud \"public\"/login = \"https://login.microsoftonline.com\"\n"
		"cloud \"public\"/resource-manager = \"https://management.azure.com\"\n"
		"cloud \"public\"/defender = \"https://api.security.microsoft.com\"\n"
		"cloud \"public\"/audience = \"https://management.azure.com\"\n"
		"cloud \"public\"/quota-model = buckets\n");
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_in_force_where_nothing_is_written),
		cmocka_unit_test(everything_written_is_in_force),
		cmocka_unit_test(a_scope_holds_what_it_names),
		cmocka_unit_test(the_canonical_text_has_every_option_in_force),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
