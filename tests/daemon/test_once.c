/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/once.h"
#include "tests/daemon/daemon_fixture.h"

#include <signal.h>

#define OBSERVE FIXTURE_POLICY FIXTURE_SCOPE("observe")
#define ENFORCE FIXTURE_POLICY FIXTURE_SCOPE("enforce")
#define OPEN_CLOUD "cloud \"simulated\" { "
#define IN_SYNC "subscriptions=1,machines=5,plan=P2,integration=on,provisioned=100%,legacy=0%"

static void begin(struct fixture *f, const char *estate, const char *config)
{
	fixture_init(f, estate, config);
	f->options.once = true;
}

/* Runs to its verdict; how long it took is in *ret. */
static int verdict(struct fixture *f, struct dur *ret)
{
	struct mono start = loop_mono(f->fake.world.loop);

	fixture_start(f);
	for (int i = 0; i < 100000 && !f->d->stopping; i++)
		pass(f, DUR_MS(100));
	assert_true(f->d->stopping);
	*ret = mono_since(loop_mono(f->fake.world.loop), start);
	return f->d->exit_status;
}

static void the_summary_holds(const struct fixture *f, const char *text)
{
	struct buf summary = BUF_INIT(1 << 20);

	once_summary(f->d, &summary);
	if (strstr(buf_str(&summary), text) == NULL)
		fail_msg("\"%s\" is not in: %s", text, buf_str(&summary));
	buf_fini(&summary);
}

static uint64_t writes(const struct fixture *f)
{
	struct estate_verdict v;

	estate_verdict(f->estate, &v);
	assert_true(v.good);
	return v.writes;
}

static void in_sync_it_is_zero_at_once(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, IN_SYNC, ENFORCE);
	assert_int_equal(verdict(&f, &took), 0);
	assert_true(took.ms < 10000);
	assert_int_equal(writes(&f), 0);
	the_summary_holds(&f, "5 machines in 1 subscription; 12 in sync, 0 to go");
	fixture_fini(&f);
}

/* Machines are seen after their subscriptions; what is wanted for them is known all the same. */
static void providers_that_machines_need_are_known_at_once(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, IN_SYNC,
		"policy \"servers\" { plan = P2  integration = on  register-providers = on "
		"}\n" FIXTURE_SCOPE("observe"));
	assert_int_equal(verdict(&f, &took), 0);
	assert_int_equal(writes(&f), 0);
	fixture_fini(&f);
}

static void passes_that_follow_closely_do_not_keep_it(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, SMALL_ESTATE, OBSERVE);
	{
		mdc_autofree char *text =
			xasprintf("state-directory = \"%s/state\"\nlog = stderr\n" FIXTURE_CLOUD
				  "poll { subscriptions = 1s  machines = 1s }\n" OBSERVE,
				f.directory);

		fixture_write(f.config_path, text);
	}
	assert_int_equal(verdict(&f, &took), EXIT_DRIFT);
	assert_true(took.ms < 10000);
	fixture_fini(&f);
}

static void drift_that_is_only_observed_is_two(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, SMALL_ESTATE, OBSERVE);
	assert_int_equal(verdict(&f, &took), EXIT_DRIFT);
	assert_true(took.ms < 10000);
	assert_int_equal(writes(&f), 0);
	the_summary_holds(&f, "2 servers-plan drifted: Defender for Servers is not enabled");
	the_summary_holds(&f, "20 mde-extension waiting: another control has to be in sync first");
	fixture_fini(&f);
}

static void without_yes_nothing_new_is_written(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, SMALL_ESTATE, ENFORCE);
	assert_int_equal(verdict(&f, &took), EXIT_DRIFT);
	assert_int_equal(writes(&f), 0);
	the_summary_holds(&f, "--once --yes");
	fixture_fini(&f);
}

/* The plan, then the integration, then the extensions: each step waits for the one before. */
static void with_yes_it_corrects_step_by_step_until_nothing_moves(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, SMALL_ESTATE, ENFORCE);
	f.options.yes = true;
	assert_int_equal(verdict(&f, &took), 0);
	assert_int_equal(writes(&f), 2 + 2 + 20);
	assert_true(log_capture_holds(f.fake.capture, "mdcd --once --yes confirmed"));
	the_summary_holds(&f, "44 in sync, 0 to go");
	/* The next one finds nothing to do, and needs no yes. */
	fixture_stop(&f);
	f.options.yes = false;
	assert_int_equal(verdict(&f, &took), 0);
	assert_int_equal(writes(&f), 2 + 2 + 20);
	fixture_fini(&f);
}

static void what_it_does_not_correct_in_time_remains(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, "subscriptions=1,machines=1,unreached=100%,plan=P2,integration=on", ENFORCE);
	f.options.yes = true;
	f.options.once_limit = DUR_S(30);
	fake_transport_answer(f.fake.world.transport,
		&(struct fake_answer){.method = "PUT", .always = true, .hangs = true});
	assert_int_equal(verdict(&f, &took), EXIT_DRIFT);
	assert_true(took.ms >= 30000 && took.ms < 32000);
	fixture_fini(&f);
}

static void what_is_not_known_is_an_error_and_never_in_sync(void **state)
{
	static const char *const parts[] = {
		"oauth2", "ResourceGraph", "Microsoft.Security/settings"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct fixture f;
		struct dur took;

		begin(&f, IN_SYNC, OBSERVE);
		fake_transport_answer(f.fake.world.transport,
			&(struct fake_answer){.url_part = parts[i],
				.always = true,
				/* Without Graph, ARM's own lists would tell everything. */
				.status = str_equal(parts[i], "ResourceGraph") ? 500 : 403,
				.body = "{\"error\":{\"code\":\"Forbidden\",\"message\":\"no\"}}"});
		if (verdict(&f, &took) != EXIT_ERROR)
			fail_msg("%s: %d", parts[i], f.d->exit_status);
		fixture_fini(&f);
	}
}

/* What nobody sees is not in sync. */
static void an_identity_that_sees_no_subscription_is_an_error(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, IN_SYNC, OBSERVE);
	fake_transport_answer(f.fake.world.transport,
		&(struct fake_answer){.url_part = "/subscriptions?",
			.always = true,
			.status = 200,
			.body = "{\"value\":[],\"count\":{\"type\":\"Total\",\"value\":0}}"});
	assert_int_equal(verdict(&f, &took), EXIT_ERROR);
	the_summary_holds(&f, "Identity \"main\" sees no subscription of its scopes");
	fixture_fini(&f);
}

#define OTHER_TENANT "10000000-0000-4000-8000-000000000002"
#define OTHER_IDENTITY \
	"identity \"other\" { cloud = simulated  method = client-secret\n" \
	"  tenant = \"" OTHER_TENANT "\"\n" \
	"  client = \"20000000-0000-4000-8000-000000000001\"  secret-file = \"/other\" }\n"

/* Nothing is known then, or not all. */
static void without_a_token_it_is_an_error(void **state)
{
	static const struct {
		const char *what, *config;
		struct fake_answer answer;
		bool no_secret;
	} rows[] = {
		{"no secret", OBSERVE, .no_secret = true},
		{"no secret to enforce with", ENFORCE, .no_secret = true},
		{"a wrong secret", ENFORCE,
			{.status = 401, .body = "{\"error\":\"invalid_client\"}"}},
		{"a login host out of reach", OBSERVE, {.result = TRANSPORT_CONNECT}},
		{"a login host without a name", OBSERVE, {.result = TRANSPORT_RESOLVE}},
		{"an answer that is none", OBSERVE, {.status = 200, .body = "<html>"}},
		{"a login host in trouble", OBSERVE, {.status = 503, .body = ""}},
		{"no answer", OBSERVE, {.hangs = true}},
		{"one identity of two",
			OTHER_IDENTITY OBSERVE
			"scope \"others\" { identity = \"other\"  policy = \"servers\"  mode = "
			"observe\n"
			"  subscriptions = { \"30000000-0000-4000-8000-0000000000ff\" } }\n",
			{.url_part = OTHER_TENANT,
				.status = 401,
				.body = "{\"error\":\"invalid_client\"}"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake_answer answer = rows[i].answer;
		struct fixture f;
		struct dur took;

		print_message("# %s\n", rows[i].what);
		begin(&f, IN_SYNC, rows[i].config);
		f.options.yes = true;
		f.options.once_limit = DUR_MIN(10);
		answer.always = true;
		if (answer.url_part == NULL)
			answer.url_part = "/oauth2/";
		if (rows[i].no_secret)
			memory_files_put(f.fake.world.secrets, "/secret", NULL);
		else
			fake_transport_answer(f.fake.world.transport, &answer);
		assert_int_equal(verdict(&f, &took), EXIT_ERROR);
		the_summary_holds(&f,
			answer.hangs ? "observing for the first time"
				     : "the last look was incomplete");
		fixture_fini(&f);
	}
}

static void slow_inventory(struct fixture *f, const char *repeat)
{
	mdc_autofree char *text =
		xasprintf("state-directory = \"%s/state\"\nlog = stderr\n%s%s%s%s", f->directory,
			OPEN_CLOUD "defender = \"https://defender.test\" ",
			FIXTURE_CLOUD + strlen(OPEN_CLOUD), FIXTURE_POLL, OBSERVE);
	json_t *faults = json_pack("[{s:{s:s, s:i}, s:{s:i, s:s}}]", "when", "host", "defender",
		"times", 1, "do", "status", 429, "retryAfter", repeat);

	fixture_write(f->config_path, text);
	assert_int_equal(estate_set_faults(f->estate, faults, &f->diags), 0);
	json_decref(faults);
}

static void the_inventory_of_sensors_is_waited_for(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, IN_SYNC, OBSERVE);
	slow_inventory(&f, "40s");
	assert_int_equal(verdict(&f, &took), 0);
	assert_in_range(took.ms, 40000, 60000);
	the_summary_holds(&f, "5 machines in 1 subscription; 17 in sync, 0 to go");
	fixture_fini(&f);
}

static void an_inventory_that_does_not_come_keeps_nobody(void **state)
{
	struct fixture f;
	struct dur took;

	(void)state;
	begin(&f, IN_SYNC, OBSERVE);
	slow_inventory(&f, "5m");
	assert_int_equal(verdict(&f, &took), 0);
	assert_in_range(took.ms, 120000, 150000);
	the_summary_holds(&f, "5 machines in 1 subscription; 12 in sync, 0 to go");
	fixture_fini(&f);
}

static void who_stops_it_gets_no_verdict(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, IN_SYNC, OBSERVE);
	fixture_start(&f);
	pass(&f, DUR_MS(500));
	loop_virtual_signal(f.fake.world.loop, SIGINT);
	loop_virtual_settle(f.fake.world.loop);
	assert_true(f.d->stopping);
	assert_int_equal(f.d->exit_status, EXIT_ERROR);
	fixture_fini(&f);
}

static void it_opens_no_socket_and_leaves_a_running_daemon_alone(void **state)
{
	struct fixture f;
	struct daemon *running;

	(void)state;
	begin(&f, IN_SYNC, OBSERVE);
	f.options.once = false;
	fixture_start(&f);
	running = mdc_take(f.d);
	f.options.once = true;
	assert_int_equal(fixture_try_new(&f), -EAGAIN);
	daemon_free(running);
	fixture_start(&f);
	assert_null(f.d->control);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_sync_it_is_zero_at_once),
		cmocka_unit_test(providers_that_machines_need_are_known_at_once),
		cmocka_unit_test(passes_that_follow_closely_do_not_keep_it),
		cmocka_unit_test(drift_that_is_only_observed_is_two),
		cmocka_unit_test(without_yes_nothing_new_is_written),
		cmocka_unit_test(with_yes_it_corrects_step_by_step_until_nothing_moves),
		cmocka_unit_test(what_it_does_not_correct_in_time_remains),
		cmocka_unit_test(what_is_not_known_is_an_error_and_never_in_sync),
		cmocka_unit_test(an_identity_that_sees_no_subscription_is_an_error),
		cmocka_unit_test(without_a_token_it_is_an_error),
		cmocka_unit_test(the_inventory_of_sensors_is_waited_for),
		cmocka_unit_test(an_inventory_that_does_not_come_keeps_nobody),
		cmocka_unit_test(who_stops_it_gets_no_verdict),
		cmocka_unit_test(it_opens_no_socket_and_leaves_a_running_daemon_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
