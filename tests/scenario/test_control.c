/* SPDX-License-Identifier: Apache-2.0 */
/* Operators in the middle of everything: reload, halt, pause, confirm, stop; also across restarts.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
/* One write a second: most of them wait. */
#define SLOW_WRITES \
	"'behaviour': {'deployer': {'on': false}, 'throttling': {'model': 'bucket'," \
	" 'writes': {'size': 20, 'refill': 1}}}"
#define WIDE "max-in-flight = 1000"
#define ENFORCE(more) \
	CONFIG_POLL CONFIG_POLICY_PROMPT CONFIG_SCOPE( \
		"subscriptions = { \"*\" }  mode = enforce  " more)
#define OBSERVE \
	CONFIG_POLL CONFIG_POLICY_PROMPT CONFIG_SCOPE("subscriptions = { \"*\" }  mode = observe")
#define TWO_MACHINES SERVER("web1", WINDOWS UNREACHED) "," SERVER("web2", WINDOWS UNREACHED)

static struct scenario *fleet(unsigned subscription, unsigned machines, const char *document)
{
	struct buf text = BUF_INIT(1 << 20);
	mdc_autofree char *subscriptions = NULL;
	struct scenario *s;

	(void)subscription;
	for (unsigned i = 0; i < machines; i++)
		buf_addf(&text, "%s" SERVER("m%02u", WINDOWS UNREACHED), i > 0 ? "," : "", i);
	subscriptions = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), buf_str(&text));
	buf_fini(&text);
	s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = document, .config = ENFORCE(WIDE)});
	scenario_begin(s);
	return s;
}

static struct scenario *small(const char *subscriptions, const char *config)
{
	struct scenario *s = scenario_new(&(struct scenario_options){
		.subscriptions = subscriptions, .document = DEPLOYER_OFF, .config = config});

	scenario_begin(s);
	return s;
}

/* --- what waits for quota is stopped --- */

static void set_observe(struct scenario *s)
{
	scenario_reload(s, OBSERVE);
}

static void set_enforce(struct scenario *s)
{
	scenario_reload(s, ENFORCE(WIDE));
}

static void halt(struct scenario *s)
{
	scenario_command(s, "halt", "{'reason': 'storm'}");
}

static void unhalt(struct scenario *s)
{
	scenario_command(s, "unhalt", NULL);
}

static void pause_all(struct scenario *s)
{
	scenario_command(s, "pause", "{'target': '*', 'reason': 'freeze'}");
}

static void resume_all(struct scenario *s)
{
	scenario_command(s, "resume", "{'target': '*'}");
}

static void pause_scope(struct scenario *s)
{
	scenario_command(s, "pause", "{'target': 'all'}");
}

static void resume_scope(struct scenario *s)
{
	scenario_command(s, "resume", "{'target': 'all'}");
}

static void pause_subscription(struct scenario *s)
{
	scenario_command(s, "pause", "{'target': 'sub1'}");
}

static void resume_subscription(struct scenario *s)
{
	scenario_command(s, "resume", "{'target': 'sub1'}");
}

static const struct stop_case {
	const char *name;
	void (*stop)(struct scenario *s);
	void (*go)(struct scenario *s);
	bool lasts; /* over a restart, without anyone's doing */
} stop_cases[] = {
	{"mode = observe", set_observe, set_enforce, true},
	{"halt", halt, unhalt, true},
	{"pause *", pause_all, resume_all, true},
	{"pause scope", pause_scope, resume_scope, true},
	{"pause subscription", pause_subscription, resume_subscription, true},
};

static void stays_at(struct scenario *s, size_t writes, struct dur length)
{
	scenario_run(s, length);
	scenario_writes_are(s, NULL, writes, writes);
}

static void check_stop(const struct stop_case *c)
{
	scenario_auto *s = fleet(1, 60, SLOW_WRITES);
	size_t writes;

	print_message("# %s\n", c->name);
	scenario_run(s, DUR_S(10));
	scenario_writes_are(s, NULL, 5, 40);
	c->stop(s);
	/* Not one more, not even one that only waited for its quota. */
	writes = scenario_writes(s, NULL);
	stays_at(s, writes, DUR_H(2));
	assert_int_equal(executor_running(s->daemon->executor), 0);
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
	stays_at(s, writes, DUR_H(1));
	c->go(s);
	scenario_settle(s, DUR_H(2));
	scenario_writes_are(s, NULL, 60, 60);
	assert_int_equal(scenario_protected(s), 60);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_whatever_stops_writes_stops_those_that_wait_for_quota(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stop_cases); i++)
		check_stop(&stop_cases[i]);
}

static void test_a_pause_holds_only_what_it_names(void **state)
{
	scenario_auto *s = small(
		SUBSCRIPTION(1, NO_PLAN SETTINGS_ON, TWO_MACHINES), ENFORCE("max-in-flight = 10"));

	(void)state;
	/* The plan is being written: neither machine has had its turn. */
	scenario_run(s, DUR_S(2));
	scenario_command(s, "pause", "{'target': 'web1', 'reason': 'patching'}");
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "web1", "mde-extension", "drifted", NULL);
	scenario_item_is(s, "web2", "mde-extension", "compliant", NULL);
	scenario_refused(s, "resume", "{'target': 'web2'}", "not-found");
	scenario_command(s, "resume", "{'target': 'web1'}");
	scenario_settle(s, DUR_MIN(10));
	scenario_golden(s, "pause-a-machine");
	scenario_is_good(s);
}

static void test_a_halt_comes_between_intent_and_wire(void **state)
{
	/* In the very turn in which each step would be sent: 40 halts at 40 moments. */
	(void)state;
	for (unsigned ms = 0; ms < 40; ms++) {
		scenario_auto *s = scenario_new(&(struct scenario_options){
			.subscriptions = SUBSCRIPTION(1, ALL_ON, TWO_MACHINES),
			.document = "'behaviour': {'deployer': {'on': false},"
				    " 'latency': {'read': '5ms', 'write': '5ms'}}",
			.config = ENFORCE("max-in-flight = 10")});
		size_t writes;

		scenario_begin(s);
		scenario_run(s, DUR_MS(240 + ms));
		halt(s);
		writes = scenario_writes(s, NULL);
		/* A request may be on the wire, and not at Azure yet: that one counts as sent. */
		scenario_run(s, DUR_MS(1));
		assert_true(scenario_writes(s, NULL) <= writes + 2);
		writes = scenario_writes(s, NULL);
		stays_at(s, writes, DUR_MIN(30));
		unhalt(s);
		scenario_settle(s, DUR_MIN(30));
		scenario_writes_are(s, NULL, 2, 2);
		scenario_is_good(s);
		scenario_history_is_whole(s);
	}
}

/* --- reloads --- */

static void test_operations_that_run_are_followed_over_a_reload(void **state)
{
	scenario_auto *s = small(SUBSCRIPTION(1, ALL_ON, TWO_MACHINES), ENFORCE(""));

	(void)state;
	scenario_run(s, DUR_MIN(1));
	scenario_item_is(s, "web1", "mde-extension", "applying", "running");
	scenario_reload(s, OBSERVE);
	scenario_reload(s, ENFORCE("max-in-flight = 7"));
	scenario_reload(s, ENFORCE("max-in-flight = 8"));
	scenario_item_is(s, "web1", "mde-extension", "applying", "running");
	scenario_settle(s, DUR_MIN(10));
	scenario_golden(s, "reload-during-operations");
	scenario_writes_are(s, NULL, 2, 2);
	scenario_is_good(s);
}

static void test_a_reload_at_any_moment_changes_nothing(void **state)
{
	(void)state;
	for (unsigned ms = 0; ms < 30; ms++) {
		scenario_auto *s = scenario_new(&(struct scenario_options){
			.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, TWO_MACHINES),
			.document = "'behaviour': {'deployer': {'on': false},"
				    " 'latency': {'read': '3ms', 'write': '3ms', 'graph': '3ms'}}",
			.config = ENFORCE("")});

		scenario_start(s);
		scenario_run(s, DUR_MS(ms));
		scenario_reload(s, ENFORCE("max-in-flight = 9"));
		scenario_observe(s);
		scenario_command(s, "confirm", NULL);
		scenario_run(s, DUR_MS(248 + ms));
		scenario_signal(s, SIGHUP);
		scenario_run(s, DUR_MS(5004 + ms));
		scenario_signal(s, SIGHUP);
		scenario_settle(s, DUR_H(1));
		scenario_writes_are(s, NULL, 4, 4);
		scenario_is_good(s);
	}
}

static void test_an_invalid_file_keeps_the_old_configuration(void **state)
{
	scenario_auto *s = small(SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, TWO_MACHINES), ENFORCE(""));
	char digest[65];

	(void)state;
	memcpy(digest, s->daemon->config_digest, sizeof(digest));
	scenario_configure(s, "scope \"all\" { identity = \"nobody\"  mod = enforce }");
	scenario_refused(s, "reload", NULL, "failed");
	scenario_signal(s, SIGHUP);
	assert_string_equal(s->daemon->config_digest, digest);
	assert_int_equal(scenario_traced(s, "not reloaded"), 2);
	scenario_settle(s, DUR_H(1));
	assert_int_equal(scenario_protected(s), 2);
	scenario_is_good(s);
	/* A restart on it is refused as well, and says where. */
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	{
		mdc_autofree char *why = NULL;

		assert_int_not_equal(scenario_try_start(s, &why), 0);
		assert_non_null(strstr(why, "mdcd.conf:"));
	}
	scenario_configure(s, ENFORCE(""));
	scenario_start(s);
	scenario_run(s, DUR_H(1));
	scenario_writes_are(s, NULL, 4, 4);
}

static void test_a_subscription_that_leaves_the_scope_is_left_alone(void **state)
{
	scenario_auto *s = small(SUBSCRIPTION(1, ALL_ON, TWO_MACHINES) "," SUBSCRIPTION(
					 2, ALL_ON, SERVER("far1", WINDOWS UNREACHED)),
		ENFORCE("max-in-flight = 1"));
	size_t writes;

	(void)state;
	scenario_run(s, DUR_S(2));
	scenario_writes_are(s, NULL, 1, 1);
	scenario_reload(s,
		CONFIG_POLL CONFIG_POLICY_PROMPT CONFIG_SCOPE(
			"subscriptions = { \"" SUB(2) "\" }  mode = enforce"));
	writes = scenario_writes(s, NULL);
	scenario_run(s, DUR_MIN(1));
	scenario_command(s, "confirm", NULL);
	scenario_settle(s, DUR_H(1));
	scenario_item_is(s, "far1", "mde-extension", "compliant", NULL);
	scenario_writes_are(s, SUB_ID(1) "/x", 0, 0);
	scenario_writes_are(s, NULL, writes + 1, writes + 1);
	scenario_run(s, DUR_H(1));
	assert_int_equal(executor_running(s->daemon->executor), 0);
	scenario_is_good(s);
}

static void test_a_policy_that_wants_less_lowers_nothing(void **state)
{
	scenario_auto *s = small(SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, TWO_MACHINES), ENFORCE(""));

	(void)state;
	scenario_settle(s, DUR_H(1));
	scenario_reload(s,
		CONFIG_POLL
		"policy \"servers\" { plan = P1  integration = off  extension { deploy = never } "
		"}\n" CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce"));
	scenario_run(s, DUR_H(2));
	scenario_command(s, "confirm", NULL);
	scenario_command(s, "reconcile", "{'target': 'sub1'}");
	scenario_run(s, DUR_H(2));
	scenario_item_is(s, "sub1", "servers-plan", "blocked", "plan-higher");
	assert_null(scenario_item(s, "sub1", "mde-integration"));
	assert_string_equal(scenario_peek(s, PLAN_ID(1), "properties.subPlan"), "P2");
	scenario_writes_are(s, NULL, 4, 4);
	scenario_is_good(s);
}

static void test_a_grant_lets_a_plan_be_lowered_once_granted(void **state)
{
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, ALL_ON, TWO_MACHINES),
			.document = "'allowedWrites': ['lowering'], " DEPLOYER_OFF,
			.config = CONFIG_POLL "policy \"servers\" { plan = P1 }\n" CONFIG_SCOPE(
				"subscriptions = { \"*\" }  mode = enforce\n"
				"grant \"cheap\" { control = servers-plan"
				" subscriptions = { \"*\" }  owner = \"it\""
				" until = 2027-01-31  reason = \"cost\" }")});

	(void)state;
	scenario_begin(s);
	scenario_settle(s, DUR_H(1));
	assert_string_equal(scenario_peek(s, PLAN_ID(1), "properties.subPlan"), "P1");
	scenario_writes_are(s, NULL, 1, 1);
	scenario_is_good(s);
}

/* --- the impact gate --- */

#define GATED(subscriptions) \
	CONFIG_POLL CONFIG_POLICY_PROMPT \
		"impact { machines = 1  subscriptions = 1 }\n" CONFIG_SCOPE( \
			"subscriptions = { " subscriptions " }  mode = enforce")

static void test_what_a_configuration_newly_reaches_waits_for_confirmation(void **state)
{
	scenario_auto *s = small(
		SUBSCRIPTION(1, NO_PLAN SETTINGS_ON, TWO_MACHINES) "," SUBSCRIPTION(2,
			NO_PLAN SETTINGS_ON,
			SERVER("far1", WINDOWS UNREACHED) "," SERVER("far2", WINDOWS UNREACHED)),
		GATED("\"" SUB(1) "\""));

	(void)state;
	scenario_settle(s, DUR_H(1));
	scenario_reload(s, GATED("\"" SUB(1) "\", \"" SUB(2) "\""));
	scenario_run(s, DUR_H(3));
	scenario_writes_are(s, PLAN_ID(2), 0, 0);
	scenario_item_is(s, "sub2", "servers-plan", "drifted", NULL);
	/* What was confirmed before goes on being kept. */
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Free'");
	scenario_run(s, DUR_MIN(20));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	/* Also after a restart. */
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
	scenario_run(s, DUR_H(1));
	scenario_writes_are(s, PLAN_ID(2), 0, 0);
	scenario_command(s, "confirm", NULL);
	scenario_settle(s, DUR_H(1));
	scenario_writes_are(s, PLAN_ID(2), 1, 1);
	assert_int_equal(scenario_protected(s), 4);
	scenario_is_good(s);
}

static void test_a_confirmation_lasts(void **state)
{
	scenario_auto *s = small(SUBSCRIPTION(1, ALL_ON, TWO_MACHINES), ENFORCE(""));

	(void)state;
	scenario_settle(s, DUR_H(1));
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
	scenario_run(s, DUR_MIN(10));
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Free'");
	scenario_run(s, DUR_MIN(20));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_is_good(s);
}

/* --- halt and stop --- */

static void test_the_marker_alone_keeps_the_halt(void **state)
{
	scenario_auto *s = small(SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, TWO_MACHINES), OBSERVE);

	(void)state;
	halt(s);
	scenario_stop(s);
	/* The database is gone, the marker is not: it lies beside it. */
	scenario_configure(s, ENFORCE(""));
	scenario_start(s);
	scenario_run(s, DUR_MIN(10));
	scenario_command(s, "confirm", NULL);
	scenario_run(s, DUR_H(1));
	scenario_writes_are(s, NULL, 0, 0);
	assert_non_null(strstr(s->status, "HALTED"));
	unhalt(s);
	scenario_settle(s, DUR_H(1));
	scenario_writes_are(s, NULL, 4, 4);
	scenario_is_good(s);
}

static void test_a_stop_in_the_middle_and_a_new_start(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		scenario_auto *s =
			small(SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, TWO_MACHINES), ENFORCE(""));

		scenario_run(s, DUR_MS(i < 6 ? 200 + 20 * i : 5000 + 1000 * i));
		scenario_stop(s);
		scenario_run(s, DUR_MIN(1));
		scenario_start(s);
		scenario_run(s, DUR_S(1));
		scenario_settle(s, DUR_H(1));
		scenario_writes_are(s, NULL, 4, 4);
		assert_int_equal(scenario_protected(s), 2);
		scenario_is_good(s);
		scenario_history_is_whole(s);
	}
}

static void test_a_signal_asks_for_an_observation_now(void **state)
{
	scenario_auto *s = small(SUBSCRIPTION(1, ALL_ON, TWO_MACHINES), ENFORCE(""));

	(void)state;
	scenario_settle(s, DUR_H(1));
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Free'");
	scenario_signal(s, SIGUSR1);
	scenario_run(s, DUR_S(20));
	scenario_item_is(s, "sub1", "servers-plan", "compliant", NULL);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whatever_stops_writes_stops_those_that_wait_for_quota),
		cmocka_unit_test(test_a_pause_holds_only_what_it_names),
		cmocka_unit_test(test_a_halt_comes_between_intent_and_wire),
		cmocka_unit_test(test_operations_that_run_are_followed_over_a_reload),
		cmocka_unit_test(test_a_reload_at_any_moment_changes_nothing),
		cmocka_unit_test(test_an_invalid_file_keeps_the_old_configuration),
		cmocka_unit_test(test_a_subscription_that_leaves_the_scope_is_left_alone),
		cmocka_unit_test(test_a_policy_that_wants_less_lowers_nothing),
		cmocka_unit_test(test_a_grant_lets_a_plan_be_lowered_once_granted),
		cmocka_unit_test(test_what_a_configuration_newly_reaches_waits_for_confirmation),
		cmocka_unit_test(test_a_confirmation_lasts),
		cmocka_unit_test(test_the_marker_alone_keeps_the_halt),
		cmocka_unit_test(test_a_stop_in_the_middle_and_a_new_start),
		cmocka_unit_test(test_a_signal_asks_for_an_observation_now),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
