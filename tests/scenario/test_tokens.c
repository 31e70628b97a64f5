/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that expire, are refused or cannot be had, and secrets that are rotated. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECRET_FILE "/secret"
#define MACHINES SERVER("web1", WINDOWS UNREACHED) "," SERVER("lin1", LINUX UNREACHED)

static struct scenario *estate_with(const char *document, const char *config)
{
	return scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF, MACHINES),
		.document = document,
		.config = config});
}

static uint64_t token_requests(const struct scenario *s)
{
	return transport_estate_count(s->world.transport, "POST", "login.test");
}

static void is_migrated(struct scenario *s)
{
	scenario_settle(s, DUR_H(3));
	assert_int_equal(scenario_protected(s), 2);
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

/* --- expiry and refusal --- */

static void test_tokens_are_renewed_before_they_expire(void **state)
{
	scenario_auto *s =
		estate_with("'behaviour': {'tokens': {'life': '20m'}, 'deployer': {'on': false},"
			    " 'operations': {'create': '95m'}}",
			CONFIG_PROMPT);

	(void)state;
	scenario_begin(s);
	is_migrated(s);
	assert_in_range(token_requests(s), 4, 12);
	assert_int_equal(transport_estate_count(s->world.transport, "PUT", "/extensions/"), 2);
	scenario_golden(s, "tokens-expire-meanwhile");
}

static void test_a_token_that_is_refused_is_renewed_once(void **state)
{
	static const char *const whens[] = {
		"'method': 'GET', 'path': '/settings', 'times': 1",
		"'method': 'POST', 'path': 'ResourceGraph', 'times': 1",
		"'method': 'PUT', 'path': '/MDE.Windows', 'times': 1",
		"'method': 'PUT', 'path': '/VirtualMachines', 'times': 1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(whens); i++) {
		mdc_autofree char *rules =
			xasprintf("[{'when': {%s}, 'do': {'status': 401,"
				  "  'code': 'InvalidAuthenticationToken', 'message': 'revoked'}}]",
				whens[i]);
		scenario_auto *s = estate_with(NULL, CONFIG_PROMPT);

		print_message("# %s\n", whens[i]);
		scenario_faults(s, rules);
		scenario_begin(s);
		is_migrated(s);
		assert_int_equal(token_requests(s), 2);
	}
}

static void test_tokens_that_are_always_refused_make_no_storm(void **state)
{
	scenario_auto *s = estate_with(NULL, CONFIG_PROMPT);
	uint64_t before;

	(void)state;
	scenario_begin(s);
	is_migrated(s);
	scenario_faults(s,
		"[{'when': {'host': 'arm'}, 'do': {'status': 401,"
		"  'code': 'InvalidAuthenticationToken', 'message': 'revoked'}}]");
	before = transport_estate_events(s->world.transport);
	scenario_run(s, DUR_H(12));
	/* Three events a request; two passes each quarter of an hour and a few calls in each. */
	assert_in_range(transport_estate_events(s->world.transport) - before, 1, 4000);
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	assert_int_equal(map_count(&s->daemon->inventory->machines), 2);
	scenario_faults(s, NULL);
	scenario_run(s, DUR_H(2));
	is_migrated(s);
}

/* --- secrets --- */

static void test_a_secret_that_is_rotated_on_disk_is_taken(void **state)
{
	scenario_auto *s = estate_with(NULL, CONFIG_PROMPT);

	(void)state;
	memory_files_put(s->world.secrets, SECRET_FILE, "the-old-secret");
	scenario_start(s);
	scenario_run(s, DUR_H(2));
	assert_int_equal(scenario_traced(s, "AADSTS7000215") > 0, true);
	assert_in_range(token_requests(s), 1, 30);
	assert_false(log_capture_holds(s->log, "the-old-secret"));
	memory_files_put(s->world.secrets, SECRET_FILE, SECRET);
	scenario_run(s, DUR_MIN(20));
	scenario_command(s, "confirm", NULL);
	is_migrated(s);
}

static void test_a_secret_file_that_is_not_there_yet_is_waited_for(void **state)
{
	scenario_auto *s = estate_with(NULL, CONFIG_PROMPT);

	(void)state;
	memory_files_put(s->world.secrets, SECRET_FILE, NULL);
	scenario_start(s);
	scenario_run(s, DUR_H(2));
	assert_int_equal(token_requests(s), 0);
	assert_true(log_capture_count(s->log, LOG_IDENTITY_MESSAGE) > 0);
	/* Said once, not with each attempt. */
	assert_in_range(log_capture_count(s->log, LOG_IDENTITY_MESSAGE), 1, 5);
	memory_files_put(s->world.secrets, SECRET_FILE, SECRET);
	scenario_run(s, DUR_MIN(20));
	scenario_command(s, "confirm", NULL);
	is_migrated(s);
}

static void test_a_new_secret_is_used_when_the_old_one_expires(void **state)
{
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, ALL_ON, MACHINES),
			.document = "'principals': [{'tenant': '" TENANT "', 'client': '" CLIENT
				    "', 'secret': '" SECRET "', 'secretExpires': '+5h',"
				    " 'roles': [{'scope': '/', 'role': 'Owner'}]}]",
			.config = CONFIG_PROMPT});

	(void)state;
	scenario_begin(s);
	is_migrated(s);
	scenario_run(s, DUR_H(8));
	assert_true(scenario_traced(s, "AADSTS7000222") > 0);
	/* What was known stays known. */
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	assert_int_equal(map_count(&s->daemon->inventory->machines), 2);
	scenario_is_good(s);
}

/* --- the login host --- */

static const char *const login_troubles[] = {
	"'delivery': 'refuse'",
	"'delivery': 'reset'",
	"'delivery': 'hang'",
	"'delivery': 'truncate'",
	"'status': 500",
	"'status': 503, 'retryAfter': '60s'",
	"'content': 'html'",
	"'content': 'malformed'",
	"'content': 'huge'",
	"'status': 200, 'body': '{}'",
	"'status': 200, 'body': '[]'",
	"'status': 200, 'body': '{\\u0022access_token\\u0022:\\u0022\\u0022}'",
};

static void check_login_trouble(const char *trouble)
{
	mdc_autofree char *rules =
		xasprintf("[{'when': {'host': 'login', 'until': '2h'}, 'do': {%s}}]", trouble);
	scenario_auto *s = estate_with(NULL, CONFIG_PROMPT);

	print_message("# %s\n", trouble);
	scenario_faults(s, rules);
	scenario_start(s);
	scenario_run(s, DUR_H(2));
	assert_int_equal(map_count(&s->daemon->inventory->machines), 0);
	assert_in_range(transport_estate_events(s->world.transport), 3, 3 * 80);
	assert_in_range(log_capture_count(s->log, LOG_IDENTITY_MESSAGE), 1, 10);
	scenario_run(s, DUR_MIN(40));
	scenario_command(s, "confirm", NULL);
	is_migrated(s);
}

static void test_a_login_host_in_trouble(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(login_troubles); i++)
		check_login_trouble(login_troubles[i]);
}

static void test_a_login_host_that_is_down_while_a_token_is_good(void **state)
{
	scenario_auto *s = estate_with(NULL, CONFIG_PROMPT);

	(void)state;
	scenario_begin(s);
	scenario_faults(s, "[{'when': {'host': 'login'}, 'do': {'delivery': 'refuse'}}]");
	/* It lives for an hour: the migration goes on. */
	is_migrated(s);
	scenario_run(s, DUR_H(5));
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_meddle(s, PLAN_ID(1), "properties.pricingTier", "'Free'");
	scenario_run(s, DUR_H(1));
	scenario_writes_are(s, "/VirtualMachines", 1, 1);
	scenario_faults(s, NULL);
	scenario_run(s, DUR_H(1));
	scenario_settle(s, DUR_H(1));
	scenario_writes_are(s, "/VirtualMachines", 2, 2);
	scenario_is_good(s);
}

static const char *const aadsts[][2] = {
	{"unauthorized_client", "AADSTS700016: the application was not found in the directory"},
	{"invalid_client", "AADSTS7000222: the provided client secret keys are expired"},
	{"invalid_client", "AADSTS7000215: invalid client secret provided"},
	{"invalid_client", "AADSTS700027: the certificate of the assertion is not registered"},
	{"invalid_request", "AADSTS90002: tenant not found"},
	{"invalid_grant", "AADSTS53003: access has been blocked by Conditional Access policies"},
	{"invalid_resource", "AADSTS500011: the resource principal was not found"},
	{"temporarily_unavailable", "AADSTS90033: a transient error has occurred"},
};

static void test_errors_of_entra_are_told_and_survived(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(aadsts); i++) {
		mdc_autofree char *rules =
			xasprintf("[{'when': {'host': 'login', 'until': '3h'}, 'do': {"
				  "'status': 400, 'body': '{\\u0022error\\u0022:\\u0022%s\\u0022,"
				  "\\u0022error_description\\u0022:\\u0022%s\\u0022}'}}]",
				aadsts[i][0], aadsts[i][1]);
		scenario_auto *s = estate_with(NULL, CONFIG_PROMPT);

		print_message("# %s\n", aadsts[i][1]);
		scenario_faults(s, rules);
		scenario_start(s);
		scenario_run(s, DUR_H(3));
		assert_in_range(token_requests(s), 1, 80);
		assert_in_range(log_capture_count(s->log, LOG_IDENTITY_MESSAGE), 1, 5);
		assert_true(log_capture_holds(s->log, strchr(aadsts[i][1], ':') + 2) ||
			scenario_traced(s, "AADSTS") > 0);
		scenario_run(s, DUR_H(1));
		scenario_command(s, "confirm", NULL);
		is_migrated(s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens_are_renewed_before_they_expire),
		cmocka_unit_test(test_a_token_that_is_refused_is_renewed_once),
		cmocka_unit_test(test_tokens_that_are_always_refused_make_no_storm),
		cmocka_unit_test(test_a_secret_that_is_rotated_on_disk_is_taken),
		cmocka_unit_test(test_a_secret_file_that_is_not_there_yet_is_waited_for),
		cmocka_unit_test(test_a_new_secret_is_used_when_the_old_one_expires),
		cmocka_unit_test(test_a_login_host_in_trouble),
		cmocka_unit_test(test_a_login_host_that_is_down_while_a_token_is_good),
		cmocka_unit_test(test_errors_of_entra_are_told_and_survived),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
