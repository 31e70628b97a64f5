/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that change something; test_commands.c has those that look. */
#include "tests/daemon/daemon_fixture.h"

#define OBSERVE FIXTURE_POLICY FIXTURE_SCOPE("observe")
#define ENFORCE FIXTURE_POLICY FIXTURE_SCOPE("enforce")
#define TWO_SCOPES \
	FIXTURE_POLICY "scope \"first\" { identity = \"main\"  subscriptions = { \"" ESTATE_SUB \
		       "\" }  policy = \"servers\"  mode = observe }\n" \
		       "scope \"second\" { identity = \"main\"  subscriptions = { \"" ESTATE_SUB_2 \
		       "\" }  policy = \"servers\"  mode = observe }\n"

/* --- reconcile --- */

static void reconcile_observes_everything_and_frees_nothing(void **state)
{
	struct fixture f;
	struct wall before;
	struct item *item;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	before = f.d->last_pass[PASS_MACHINES].ended;
	item = &inventory_subscription(f.d->inventory, ESTATE_SUB)->items[0];
	tell(&f, "reconcile", NULL);
	assert_false(item->forced);
	pass(&f, DUR_S(10));
	assert_true(wall_before(before, f.d->last_pass[PASS_MACHINES].ended));
	assert_true(log_capture_holds(f.fake.capture, "alice (uid 1000): reconcile"));
	fixture_fini(&f);
}

static void reconcile_ends_the_grace_of_the_one_that_is_named(void **state)
{
	struct fixture f;
	struct machine *m;
	struct item *item;

	(void)state;
	fixture_observed(&f, "subscriptions=1,machines=3,unreached=100%,plan=P2,integration=on",
		"policy \"servers\" { plan = P2  integration = on  extension { deploy = "
		"after-grace  grace = 3h  first-grace = 3h } }\n" FIXTURE_SCOPE("observe"));
	m = any_machine(&f);
	item = inventory_item(m->subscription, m, CONTROL_MDE_EXTENSION);
	assert_int_equal(item->state, ITEM_WAITING);
	assert_int_equal(item->reason, REASON_GRACE);
	{
		mdc_autofree char *arguments = target_of(m->name);

		tell(&f, "reconcile", arguments);
	}
	pass(&f, DUR_S(10));
	assert_int_equal(item->state, ITEM_DRIFTED);
	fixture_fini(&f);
}

/* --- pause, resume --- */

static void held_by(struct fixture *f, const char *subscription, const char *held)
{
	mdc_autofree char *arguments = target_of(subscription);
	json_t *e = ask(f, "explain", arguments);

	assert_string_equal(text_at(control_in(e, "items", "servers-plan"), "held"), held);
	json_decref(e);
}

static void a_pause_holds_what_it_names_and_ends(void **state)
{
	static const char *const targets[] = {
		"*", "all", "ALL", ESTATE_SUB, ("/subscriptions/" ESTATE_SUB)};
	struct fixture f;
	json_t *s;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		mdc_autofree char *arguments =
			xasprintf("{\"target\":\"%s\",\"reason\":\"change freeze\"}", targets[i]);
		mdc_autofree char *target = target_of(targets[i]);

		tell(&f, "pause", arguments);
		held_by(&f, ESTATE_SUB, "paused");
		held_by(&f, ESTATE_SUB_2, i < 3 ? "paused" : "unconfirmed");
		s = ask(&f, "status", NULL);
		assert_int_equal(json_object_size(at(s, "writes.paused")), 1);
		json_decref(s);
		tell(&f, "resume", target);
		held_by(&f, ESTATE_SUB, "unconfirmed");
		refused(&f, "resume", target, "not-found");
		assert_non_null(strstr(f.error.message, "is not paused"));
	}
	assert_true(log_capture_holds(f.fake.capture, "change freeze"));
	refused(&f, "pause", "{\"target\":\"nobody\"}", "not-found");
	fixture_fini(&f);
}

static void what_is_gone_can_be_resumed(void **state)
{
	struct fixture f;
	json_t *s;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, TWO_SCOPES);
	tell(&f, "pause", "{\"target\":\"second\"}");
	fixture_configure(&f, OBSERVE);
	tell(&f, "reload", NULL);
	tell(&f, "resume", "{\"target\":\"second\"}");
	s = ask(&f, "status", NULL);
	assert_int_equal(json_object_size(at(s, "writes.paused")), 0);
	json_decref(s);
	fixture_fini(&f);
}

/* --- halt, unhalt --- */

static void a_halt_holds_everything_and_survives_a_restart(void **state)
{
	struct fixture f;
	json_t *s;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	tell(&f, "confirm", NULL);
	tell(&f, "halt", "{\"reason\":\"the EDR broke printing\"}");
	pass(&f, DUR_MIN(6));
	s = ask(&f, "status", NULL);
	assert_int_equal(number_at(s, "operations.sent"), 0);
	assert_non_null(strstr(text_at(s, "writes.halted"), "the EDR broke printing"));
	assert_non_null(strstr(text_at(s, "writes.halted"), "alice (uid 1000)"));
	json_decref(s);
	fixture_stop(&f);
	fixture_start(&f);
	pass(&f, DUR_MIN(6));
	held_by(&f, ESTATE_SUB, "halted");
	tell(&f, "unhalt", NULL);
	pass(&f, DUR_MIN(6));
	s = ask(&f, "status", NULL);
	assert_true(number_at(s, "operations.sent") > 0);
	json_decref(s);
	s = ask(&f, "unhalt", NULL);
	assert_string_equal(text_at(s, "done"), "writes were not halted");
	json_decref(s);
	fixture_fini(&f);
}

/* For whoever has no running daemon to tell. */
static void a_marker_that_was_written_by_hand_halts(void **state)
{
	struct fixture f;
	mdc_autofree char *marker = NULL;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	fixture_stop(&f);
	marker = fixture_path(&f, "state/halt");
	fixture_write(marker, "night\n");
	fixture_start(&f);
	assert_true(gate_is_halted(f.d->gate));
	assert_string_equal(gate_halt_reason(f.d->gate), "night");
	tell(&f, "unhalt", NULL);
	assert_int_equal(access(marker, F_OK), -1);
	fixture_fini(&f);
}

static void a_halt_whose_marker_cannot_be_written_holds_and_says_so(void **state)
{
	struct fixture f;
	mdc_autofree char *marker = NULL;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	marker = fixture_path(&f, "state/halt");
	assert_int_equal(mkdir(marker, 0700), 0);
	refused(&f, "halt", NULL, "failed");
	assert_non_null(strstr(f.error.message, "a restart would lift the halt"));
	assert_true(gate_is_halted(f.d->gate));
	refused(&f, "unhalt", NULL, "failed");
	assert_true(gate_is_halted(f.d->gate));
	assert_int_equal(rmdir(marker), 0);
	tell(&f, "halt", NULL);
	tell(&f, "unhalt", NULL);
	assert_false(gate_is_halted(f.d->gate));
	fixture_fini(&f);
}

/* Whoever looks at systemctl status right after the command reads what it did. */
static void what_holds_all_writes_is_in_the_status_line_at_once(void **state)
{
	static const struct {
		const char *command, *arguments, *status;
	} rows[] = {
		{"halt", NULL, "STATUS=HALTED, see mdcctl status; "},
		{"unhalt", NULL, "STATUS=waits for mdcctl confirm; "},
		{"pause", "{\"target\":\"*\"}", "STATUS=paused; "},
		{"resume", "{\"target\":\"*\"}", "STATUS=waits for mdcctl confirm; "},
		{"confirm", NULL, "STATUS=20 machines in 2 subscriptions; "},
	};
	struct fixture f;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&f.notified);
		tell(&f, rows[i].command, rows[i].arguments);
		if (strstr(buf_str(&f.notified), rows[i].status) == NULL)
			fail_msg("%s: %s", rows[i].command, buf_str(&f.notified));
	}
	fixture_fini(&f);
}

/* --- confirm --- */

static char *token_of(struct fixture *f)
{
	json_t *s = ask(f, "status", NULL);
	char *token = xstrdup(text_at(s, "writes.unconfirmed.token"));

	json_decref(s);
	return token;
}

static void what_would_be_confirmed_is_told_one_by_one(void **state)
{
	struct fixture f;
	json_t *s;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	s = ask(&f, "status", NULL);
	assert_int_equal(number_at(s, "writes.unconfirmed.subscriptions"), 2);
	assert_int_equal(number_at(s, "writes.unconfirmed.machines"), 20);
	assert_true(json_is_true(at(s, "writes.unconfirmed.first_enforce")));
	assert_int_equal(json_array_size(at(s, "writes.unconfirmed.list")), 2);
	assert_string_equal(text_at(s, "writes.unconfirmed.list.0.subscription"), ESTATE_SUB);
	assert_int_equal(number_at(s, "writes.unconfirmed.list.0.machines") +
			number_at(s, "writes.unconfirmed.list.1.machines"),
		20);
	json_decref(s);
	tell(&f, "confirm", NULL);
	s = ask(&f, "status", NULL);
	assert_true(json_is_null(at(s, "writes.unconfirmed")));
	json_decref(s);
	s = ask(&f, "confirm", NULL);
	assert_string_equal(text_at(s, "done"), "nothing waits for confirmation");
	json_decref(s);
	fixture_fini(&f);
}

static void only_what_was_looked_at_is_confirmed(void **state)
{
	struct fixture f;
	mdc_autofree char *first = NULL, *again = NULL, *other = NULL;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	first = token_of(&f);
	pass(&f, DUR_MIN(20));
	again = token_of(&f);
	assert_string_equal(first, again);
	fixture_configure(&f,
		"policy \"servers\" { plan = P1  integration = on }\n" FIXTURE_SCOPE("enforce"));
	tell(&f, "reload", NULL);
	other = token_of(&f);
	assert_string_not_equal(first, other);
	{
		mdc_autofree char *old = xasprintf("{\"token\":\"%s\"}", first);
		mdc_autofree char *now = xasprintf("{\"token\":\"%s\"}", other);

		refused(&f, "confirm", old, "changed");
		assert_true(gate_needs_confirmation(f.d->gate, NULL));
		tell(&f, "confirm", now);
	}
	assert_false(gate_needs_confirmation(f.d->gate, NULL));
	fixture_fini(&f);
}

/* --- reload --- */

static void a_reload_tells_what_changed(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	r = ask(&f, "reload", NULL);
	assert_string_equal(text_at(r, "changes"), "");
	json_decref(r);
	fixture_configure(&f, ENFORCE "impact { machines = 7 }\n");
	r = ask(&f, "reload", NULL);
	assert_non_null(strstr(text_at(r, "changes"), "impact/machines: 100 -> 7"));
	assert_non_null(strstr(text_at(r, "changes"), "observe -> enforce"));
	assert_true(json_is_false(at(r, "needs_restart")));
	json_decref(r);
	fixture_fini(&f);
}

static void a_reload_with_errors_changes_nothing_and_tells_all_of_them(void **state)
{
	struct fixture f;
	char digest[65];

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	str_copy(digest, sizeof(digest), f.d->config_digest);
	fixture_configure(&f, "impact { machines = many }\nnonsense = 5\n");
	refused(&f, "reload", NULL, "failed");
	assert_string_equal(f.error.unblock, "mdcd --check");
	assert_non_null(strstr(f.error.message, "mdcd.conf:"));
	assert_non_null(strstr(f.error.message, "nonsense"));
	assert_non_null(strstr(f.error.message, "machines"));
	assert_string_equal(f.d->config_digest, digest);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_RELOAD_FAILED_MESSAGE), 1);
	daemon_stop(f.d);
	refused(&f, "reload", NULL, "failed");
	assert_non_null(strstr(f.error.message, "stopping"));
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reconcile_observes_everything_and_frees_nothing),
		cmocka_unit_test(reconcile_ends_the_grace_of_the_one_that_is_named),
		cmocka_unit_test(a_pause_holds_what_it_names_and_ends),
		cmocka_unit_test(what_is_gone_can_be_resumed),
		cmocka_unit_test(a_halt_holds_everything_and_survives_a_restart),
		cmocka_unit_test(a_marker_that_was_written_by_hand_halts),
		cmocka_unit_test(a_halt_whose_marker_cannot_be_written_holds_and_says_so),
		cmocka_unit_test(what_holds_all_writes_is_in_the_status_line_at_once),
		cmocka_unit_test(what_would_be_confirmed_is_told_one_by_one),
		cmocka_unit_test(only_what_was_looked_at_is_confirmed),
		cmocka_unit_test(a_reload_tells_what_changed),
		cmocka_unit_test(a_reload_with_errors_changes_nothing_and_tells_all_of_them),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
