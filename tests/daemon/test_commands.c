/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/daemon_fixture.h"

#define OBSERVE FIXTURE_POLICY FIXTURE_SCOPE("observe")
#define ENFORCE FIXTURE_POLICY FIXTURE_SCOPE("enforce")
#define TWO_SCOPES \
	FIXTURE_POLICY "scope \"first\" { identity = \"main\"  subscriptions = { \"" ESTATE_SUB \
		       "\" }  policy = \"servers\"  mode = observe }\n" \
		       "scope \"second\" { identity = \"main\"  subscriptions = { \"" ESTATE_SUB_2 \
		       "\" }  policy = \"servers\"  mode = observe }\n"

static const char *const all_commands[] = {"status", "plan", "explain", "list", "gaps", "cost",
	"history", "config", "reconcile", "pause", "resume", "halt", "unhalt", "confirm", "reload"};
#define LOOKING 8 /* the first ones change nothing */

/* --- rights and arguments --- */

static void rights_decide_what_is_answered(void **state)
{
	struct fixture f;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	for (size_t i = 0; i < ARRAY_LEN(all_commands); i++) {
		json_t *result = run_as(&f, &nobody, all_commands[i], NULL);

		assert_null(result);
		assert_string_equal(f.error.code, "denied");
		result = run_as(&f, &reader, all_commands[i], NULL);
		if (i >= LOOKING) {
			assert_null(result);
			assert_string_equal(f.error.code, "denied");
			assert_non_null(strstr(f.error.unblock, "mdcd-admin"));
		} else {
			assert_true(result != NULL || str_equal(f.error.code, "usage"));
		}
		json_decref(result);
	}
	assert_false(gate_is_halted(f.d->gate));
	fixture_fini(&f);
}

static void each_change_is_told_to_the_journal_with_its_maker(void **state)
{
	struct fixture f;
	const struct captured_entry *e;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	for (size_t i = 0; i < ARRAY_LEN(all_commands); i++) {
		json_t *result = run_as(&f, &admin, all_commands[i],
			i == LOOKING + 1 || i == LOOKING + 2 ? "{\"target\":\"all\"}" : NULL);

		json_decref(result);
	}
	assert_int_equal(log_capture_count(f.fake.capture, LOG_COMMAND_MESSAGE),
		ARRAY_LEN(all_commands) - LOOKING);
	e = log_capture_entry(f.fake.capture, LOG_COMMAND_MESSAGE, 1);
	assert_string_equal(captured_text(e), "alice (uid 1000): pause all");
	assert_string_equal(captured_field(e, "MDCD_WHO"), "alice (uid 1000)");
	assert_string_equal(captured_field(e, "MDCD_COMMAND"), "pause");
	assert_string_equal(captured_field(e, "MDCD_TARGET"), "all");
	fixture_fini(&f);
}

static void what_is_not_known_is_refused_with_what_was_meant(void **state)
{
	struct fixture f;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	refused(&f, "staus", NULL, "usage");
	assert_non_null(strstr(f.error.message, "did you mean \"status\""));
	refused(&f, "status", "{\"verbose\":true}", "usage");
	refused(&f, "list", "{\"state\":\"bloked\"}", "usage");
	assert_non_null(strstr(f.error.message, "did you mean \"blocked\""));
	refused(&f, "list", "{\"state\":\"blocked,\"}", "usage");
	refused(&f, "list", "{\"control\":\"mde-extention\"}", "usage");
	assert_non_null(strstr(f.error.message, "did you mean \"mde-extension\""));
	refused(&f, "list", "{\"reason\":\"haltet\"}", "usage");
	assert_non_null(strstr(f.error.message, "did you mean \"halted\""));
	refused(&f, "list", "{\"scope\":\"alll\"}", "not-found");
	assert_non_null(strstr(f.error.message, "did you mean \"all\""));
	refused(&f, "plan", "{\"scope\":\"production\"}", "not-found");
	refused(&f, "list", "{\"subscription\":\"nowhere\"}", "not-found");
	refused(&f, "list", "{\"after\":\"x\"}", "usage");
	refused(&f, "list", "{\"after\":\"" ESTATE_SUB ":1\"}", "usage");
	refused(&f, "list", "{\"after\":\"" ESTATE_SUB ":1:2:3\"}", "usage");
	refused(&f, "list", "{\"after\":\"" ESTATE_SUB ":1:x\"}", "usage");
	fixture_fini(&f);
}

/* An empty variable in a script must not turn "this one" into "everything". */
static void an_argument_without_a_value_is_refused(void **state)
{
	static const char *const bad[] = {"{\"target\":\"\"}", "{\"target\":5}",
		"{\"target\":null}", "{\"target\":[\"x\"]}", "{\"target\":true}"};
	static const char *const commands[] = {
		"reconcile", "pause", "resume", "explain", "history"};
	struct fixture f;
	size_t requests;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	requests = fake_transport_count(f.fake.world.transport);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		for (size_t j = 0; j < ARRAY_LEN(bad); j++)
			refused(&f, commands[i], bad[j], "usage");
	refused(&f, "list", "{\"limit\":\"5\"}", "usage");
	refused(&f, "list", "{\"limit\":-1}", "usage");
	refused(&f, "list", "{\"limit\":1.5}", "usage");
	refused(&f, "pause", NULL, "usage");
	refused(&f, "explain", NULL, "usage");
	pass(&f, DUR_S(5));
	assert_int_equal(fake_transport_count(f.fake.world.transport), requests);
	fixture_fini(&f);
}

/* --- what an argument names --- */

static void explains(struct fixture *f, const char *target, const char *resource_id)
{
	mdc_autofree char *arguments = target_of(target);
	json_t *result = ask(f, "explain", arguments);

	assert_string_equal(text_at(result, "resource_id"), resource_id);
	json_decref(result);
}

static void a_resource_is_named_by_id_or_name(void **state)
{
	struct fixture f;
	struct machine *m;
	mdc_autofree char *upper = NULL;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	m = any_machine(&f);
	upper = xstrdup(m->id);
	for (char *p = upper; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 32);
	explains(&f, m->id, m->id);
	explains(&f, upper, m->id);
	explains(&f, m->id + 1, m->id);
	explains(&f, m->name, m->id);
	{
		mdc_autofree char *extension = xasprintf("%s/extensions/MDE.Windows", m->id);

		explains(&f, extension, m->id);
	}
	explains(&f, ESTATE_SUB, ESTATE_SUB);
	explains(&f, "/subscriptions/" ESTATE_SUB "/providers/Microsoft.Security/settings/WDATP",
		ESTATE_SUB);
	explains(&f, "/subscriptions/" ESTATE_SUB, ESTATE_SUB);
	explains(&f, inventory_subscription(f.d->inventory, ESTATE_SUB)->name, ESTATE_SUB);
	refused(&f, "explain", "{\"target\":\"nothing-like-it\"}", "not-found");
	assert_non_null(strstr(f.error.message, "nothing-like-it"));
	refused(&f, "explain", "{\"target\":\"/subscriptions/" ESTATE_SUB "/resourceGroups/x\"}",
		"not-found");
	fixture_fini(&f);
}

static void a_name_that_several_bear_is_refused_with_their_ids(void **state)
{
	struct fixture f;
	struct subscription *a, *b;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	a = inventory_subscription(f.d->inventory, ESTATE_SUB);
	b = inventory_subscription(f.d->inventory, ESTATE_SUB_2);
	free(b->name);
	b->name = xstrdup(a->name);
	{
		mdc_autofree char *arguments = target_of(a->name);

		refused(&f, "explain", arguments, "ambiguous");
		refused(&f, "pause", arguments, "ambiguous");
	}
	assert_non_null(strstr(f.error.message, ESTATE_SUB));
	assert_non_null(strstr(f.error.message, ESTATE_SUB_2));
	fixture_fini(&f);
}

/* --- status --- */

static void a_status_before_anything_was_observed_says_so(void **state)
{
	struct fixture f;
	json_t *s;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	fixture_start(&f);
	s = ask(&f, "status", NULL);
	assert_string_equal(text_at(s, "started"), "2026-11-24T14:00:00Z");
	assert_string_equal(text_at(s, "now"), "2026-11-24T14:00:00Z");
	assert_string_equal(text_at(s, "partial.0"), "subscriptions have not been observed yet");
	assert_string_equal(text_at(s, "partial.1"), "machines have not been observed yet");
	assert_int_equal(number_at(s, "scopes.0.machines"), 0);
	json_decref(s);
	s = ask(&f, "plan", NULL);
	assert_true(json_is_false(at(s, "observed")));
	assert_int_equal(json_array_size(at(s, "partial")), 2);
	json_decref(s);
	fixture_fini(&f);
}

static void a_status_tells_how_far_each_scope_is(void **state)
{
	struct fixture f;
	json_t *s;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, TWO_SCOPES);
	s = ask(&f, "status", NULL);
	assert_int_equal(json_array_size(at(s, "scopes")), 2);
	assert_string_equal(text_at(s, "scopes.0.name"), "first");
	assert_string_equal(text_at(s, "scopes.0.mode"), "observe");
	assert_int_equal(number_at(s, "scopes.0.subscriptions"), 1);
	assert_int_equal(number_at(s, "scopes.0.machines") + number_at(s, "scopes.1.machines"), 20);
	assert_int_equal(number_at(s, "scopes.0.controls.1.states.drifted"), 1);
	assert_int_equal(number_at(s, "scopes.0.states.compliant") +
			number_at(s, "scopes.1.states.compliant"),
		20);
	assert_int_equal(number_at(s, "controls.1.states.drifted"), 2);
	assert_int_equal(number_at(s, "controls.8.states.compliant"), 20);
	assert_int_equal(number_at(s, "passes.1.machines"), 20);
	assert_int_equal(json_array_size(at(s, "partial")), 0);
	assert_int_equal(json_array_size(at(s, "needs_restart")), 0);
	json_decref(s);
	fixture_fini(&f);
}

static void writes_are(struct fixture *f, const char *why_not, const char *unblock)
{
	json_t *s = ask(f, "status", NULL);

	if (why_not == NULL) {
		assert_true(json_is_true(at(s, "writes.allowed")));
		assert_true(json_is_null(at(s, "writes.why_not")));
	} else {
		assert_true(json_is_false(at(s, "writes.allowed")));
		assert_non_null(strstr(text_at(s, "writes.why_not"), why_not));
	}
	if (unblock != NULL)
		assert_string_equal(text_at(s, "writes.unblock"), unblock);
	else
		assert_true(json_is_null(at(s, "writes.unblock")));
	json_decref(s);
}

static void a_status_tells_what_holds_all_writes_and_how_to_end_it(void **state)
{
	struct fixture f;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	writes_are(&f, "no scope has mode = enforce", NULL);
	fixture_configure(&f, ENFORCE);
	tell(&f, "reload", NULL);
	writes_are(&f, NULL, NULL);
	tell(&f, "pause", "{\"target\":\"*\"}");
	writes_are(&f, "everything is paused", "mdcctl resume \"*\"");
	tell(&f, "halt", "{\"reason\":\"fire\"}");
	writes_are(&f, "halted", "mdcctl unhalt");
	tell(&f, "unhalt", NULL);
	tell(&f, "resume", "{\"target\":\"*\"}");
	writes_are(&f, NULL, NULL);
	daemon_stop(f.d);
	writes_are(&f, "stopping", NULL);
	fixture_fini(&f);
}

static void an_incomplete_observation_is_told_with_its_first_problem(void **state)
{
	struct fixture f;
	json_t *s;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	fake_transport_answer(f.fake.world.transport,
		&(struct fake_answer){.url_part = "ResourceGraph",
			.always = true,
			.status = 500,
			.body = "{\"error\":{\"code\":\"InternalServerError\",\"message\":\"oh\"}"
				"}"});
	pass(&f, DUR_MIN(6));
	s = ask(&f, "status", NULL);
	assert_int_equal(json_array_size(at(s, "partial")), 1);
	assert_non_null(
		strstr(text_at(s, "partial.0"), "the last pass over machines was incomplete"));
	assert_true(number_at(s, "passes.1.problems") > 0);
	json_decref(s);
	s = ask(&f, "plan", NULL);
	assert_int_equal(json_array_size(at(s, "partial")), 1);
	json_decref(s);
	fixture_fini(&f);
}

/* --- plan --- */

static void a_plan_in_observe_mode_tells_each_difference_and_what_holds_it(void **state)
{
	struct fixture f;
	json_t *p;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	p = ask(&f, "plan", NULL);
	assert_int_equal(number_at(p, "total"), 2);
	assert_int_equal(number_at(p, "held"), 2);
	assert_int_equal(number_at(p, "ready"), 0);
	assert_int_equal(number_at(p, "waiting"), 22);
	assert_string_equal(text_at(p, "steps.0.control"), "servers-plan");
	assert_string_equal(text_at(p, "steps.0.subscription"), ESTATE_SUB);
	assert_string_equal(text_at(p, "steps.0.held"), "observe-only");
	assert_string_equal(text_at(p, "steps.0.differences.0.observed"), "Free");
	assert_string_equal(text_at(p, "steps.0.differences.0.wanted"), "Standard");
	assert_int_equal(json_array_size(at(p, "groups")), 1);
	assert_int_equal(number_at(p, "groups.0.count"), 2);
	assert_string_equal(text_at(p, "groups.0.held"), "observe-only");
	assert_int_equal(json_array_size(at(p, "waits")), 2);
	assert_int_equal(number_at(p, "waits.0.count") + number_at(p, "waits.1.count"), 22);
	assert_string_equal(text_at(p, "waits.0.reason"), "prerequisite");
	json_decref(p);
	fixture_fini(&f);
}

static void a_plan_is_told_in_pages_and_by_scope(void **state)
{
	struct fixture f;
	json_t *p;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, TWO_SCOPES);
	p = ask(&f, "plan", "{\"limit\":1}");
	assert_int_equal(number_at(p, "total"), 2);
	assert_int_equal(json_array_size(at(p, "steps")), 1);
	assert_string_equal(text_at(p, "steps.0.subscription"), ESTATE_SUB);
	json_decref(p);
	p = ask(&f, "plan", "{\"limit\":1,\"offset\":1}");
	assert_int_equal(json_array_size(at(p, "steps")), 1);
	assert_string_equal(text_at(p, "steps.0.subscription"), ESTATE_SUB_2);
	json_decref(p);
	p = ask(&f, "plan", "{\"limit\":1,\"offset\":2}");
	assert_int_equal(json_array_size(at(p, "steps")), 0);
	assert_int_equal(number_at(p, "total"), 2);
	json_decref(p);
	p = ask(&f, "plan", "{\"limit\":0}");
	assert_int_equal(json_array_size(at(p, "steps")), 0);
	assert_int_equal(number_at(p, "groups.0.count"), 2);
	json_decref(p);
	p = ask(&f, "plan", "{\"scope\":\"SECOND\"}");
	assert_int_equal(number_at(p, "total"), 1);
	assert_int_equal(number_at(p, "groups.0.count"), 1);
	assert_string_equal(text_at(p, "steps.0.scope"), "second");
	assert_true(number_at(p, "waiting") > 0 && number_at(p, "waiting") < 22);
	json_decref(p);
	fixture_fini(&f);
}

/* --- explain --- */

static void a_machine_is_explained_with_facts_and_what_it_waits_for(void **state)
{
	struct fixture f;
	mdc_autofree char *arguments = NULL;
	const json_t *row;
	json_t *e;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	arguments = target_of(any_machine(&f)->name);
	e = ask(&f, "explain", arguments);
	assert_string_equal(text_at(e, "scope"), "all");
	assert_string_equal(text_at(e, "mode"), "observe");
	row = control_in(e, "items", "mde-extension");
	assert_string_equal(text_at(row, "state"), "waiting");
	assert_string_equal(text_at(row, "reason"), "prerequisite");
	assert_string_not_equal(text_at(row, "help"), "");
	assert_string_equal(text_at(row, "meaning"), "will be corrected when its reason ends");
	/* The subscription's own controls stand beside it: they are what it waits for. */
	row = control_in(e, "subscription_items", "servers-plan");
	assert_string_equal(text_at(row, "state"), "drifted");
	assert_string_equal(text_at(e, "facts.0.name"), "status");
	assert_string_equal(text_at(e, "facts.0.value"), "Connected");
	assert_string_equal(text_at(e, "facts.0.source"), "graph");
	assert_non_null(text_at(e, "facts.0.observed"));
	json_decref(e);
	fixture_fini(&f);
}

static void drift_that_is_held_is_explained_with_what_ends_it(void **state)
{
	struct fixture f;
	const json_t *row;
	json_t *e;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	e = ask(&f, "explain", "{\"target\":\"" ESTATE_SUB "\"}");
	row = control_in(e, "items", "servers-plan");
	assert_string_equal(text_at(row, "state"), "drifted");
	assert_string_equal(text_at(row, "held"), "unconfirmed");
	assert_string_equal(text_at(row, "unblock"), "mdcctl confirm");
	assert_null(at(e, "subscription_items"));
	json_decref(e);
	tell(&f, "halt", NULL);
	e = ask(&f, "explain", "{\"target\":\"" ESTATE_SUB "\"}");
	row = control_in(e, "items", "servers-plan");
	assert_string_equal(text_at(row, "held"), "halted");
	assert_string_equal(text_at(row, "unblock"), "mdcctl unhalt");
	json_decref(e);
	fixture_fini(&f);
}

static void an_operation_is_explained_while_it_runs(void **state)
{
	struct fixture f;
	const json_t *row = NULL;
	json_t *e;

	(void)state;
	fixture_observed(
		&f, "subscriptions=1,machines=1,unreached=100%,plan=P2,integration=on", ENFORCE);
	tell(&f, "confirm", NULL);
	pass(&f, DUR_S(20));
	{
		mdc_autofree char *arguments = target_of(any_machine(&f)->name);

		e = ask(&f, "explain", arguments);
	}
	row = control_in(e, "items", "mde-extension");
	assert_string_equal(text_at(row, "state"), "applying");
	assert_string_equal(text_at(row, "operation.phase"), "running");
	assert_non_null(strstr(text_at(row, "operation.target"), "/extensions/MDE."));
	assert_int_equal(strlen(text_at(row, "operation.correlation_id")), 36);
	assert_non_null(text_at(row, "operation.deadline"));
	assert_string_equal(text_at(e, "history.0.kind"), "write");
	assert_string_equal(text_at(e, "history.1.kind"), "transition");
	json_decref(e);
	fixture_fini(&f);
}

/* --- list --- */

static void a_list_holds_what_its_filters_name(void **state)
{
	struct fixture f;
	json_t *l;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, TWO_SCOPES);
	l = ask(&f, "list", NULL);
	assert_int_equal(number_at(l, "total"), 44);
	assert_int_equal(json_array_size(at(l, "items")), 44);
	assert_true(json_is_null(at(l, "next")));
	json_decref(l);
	l = ask(&f, "list", "{\"state\":\"drifted\"}");
	assert_int_equal(number_at(l, "total"), 2);
	json_decref(l);
	l = ask(&f, "list", "{\"state\":\"drifted,Waiting\",\"control\":\"servers-plan\"}");
	assert_int_equal(number_at(l, "total"), 2);
	json_decref(l);
	l = ask(&f, "list", "{\"reason\":\"prerequisite\",\"control\":\"mde-integration\"}");
	assert_int_equal(number_at(l, "total"), 2);
	json_decref(l);
	l = ask(&f, "list", "{\"scope\":\"second\",\"control\":\"servers-plan\"}");
	assert_int_equal(number_at(l, "total"), 1);
	assert_string_equal(text_at(l, "items.0.subscription"), ESTATE_SUB_2);
	json_decref(l);
	l = ask(&f, "list",
		"{\"subscription\":\"/subscriptions/" ESTATE_SUB
		"\",\"control\":\"servers-plan\"}");
	assert_int_equal(number_at(l, "total"), 1);
	assert_string_equal(text_at(l, "items.0.subscription"), ESTATE_SUB);
	json_decref(l);
	fixture_fini(&f);
}

/* Everything once, in pages; in the middle some items change their state. */
static void pages_tell_everything_once(void **state)
{
	struct fixture f;
	json_t *seen = json_object(), *l, *row;
	mdc_autofree char *next = NULL;
	unsigned pages = 0;
	size_t i;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	do {
		mdc_autofree char *arguments = next != NULL
			? xasprintf("{\"limit\":5,\"after\":\"%s\"}", next)
			: xstrdup("{\"limit\":5}");

		l = ask(&f, "list", arguments);
		assert_int_equal(at(l, "total") != NULL, pages == 0);
		json_array_foreach (at(l, "items"), i, row) {
			mdc_autofree char *key = xasprintf(
				"%s %s", text_at(row, "resource_id"), text_at(row, "control"));

			assert_null(json_object_get(seen, key));
			json_object_set_new(seen, key, json_true());
		}
		free(next);
		next = text_at(l, "next") != NULL ? xstrdup(text_at(l, "next")) : NULL;
		json_decref(l);
		if (++pages == 3) {
			fixture_configure(&f, ENFORCE);
			tell(&f, "reload", NULL);
			pass(&f, DUR_MIN(3));
		}
	} while (next != NULL && pages < 50);
	assert_int_equal(json_object_size(seen), 44);
	assert_int_equal(pages, 9);
	json_decref(seen);
	fixture_fini(&f);
}

static void a_page_is_bounded_whatever_is_asked_for(void **state)
{
	struct fixture f;
	json_t *l;

	(void)state;
	fixture_observed(&f, "subscriptions=1,machines=1500,unreached=100%", OBSERVE);
	l = ask(&f, "list", "{\"limit\":1000000}");
	assert_true(number_at(l, "total") > 3000);
	assert_int_equal(json_array_size(at(l, "items")), 1000);
	assert_non_null(text_at(l, "next"));
	json_decref(l);
	fixture_fini(&f);
}

/* --- history, config --- */

static void the_history_is_told_newest_first_and_in_pages(void **state)
{
	struct fixture f;
	json_t *h;
	json_int_t last = INT64_MAX, next;
	unsigned rows = 0;
	size_t i;
	json_t *row;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	tell(&f, "confirm", NULL);
	pass(&f, DUR_MIN(10));
	h = ask(&f, "history", "{\"limit\":7}");
	for (;;) {
		json_array_foreach (at(h, "transitions"), i, row) {
			assert_true(number_at(row, "seq") < last);
			last = number_at(row, "seq");
			rows++;
		}
		if (json_is_null(at(h, "next")))
			break;
		next = number_at(h, "next");
		json_decref(h);
		{
			mdc_autofree char *arguments =
				xasprintf("{\"limit\":7,\"before\":%lld}", (long long)next);

			h = ask(&f, "history", arguments);
		}
	}
	json_decref(h);
	assert_int_equal(last, 1);
	assert_true(rows > 14);
	h = ask(&f, "history", "{\"target\":\"" ESTATE_SUB "\",\"limit\":1000}");
	json_array_foreach (at(h, "transitions"), i, row)
		assert_non_null(strstr(text_at(row, "resource_id"), ESTATE_SUB));
	assert_true(i > 0);
	json_decref(h);
	fixture_fini(&f);
}

static void the_configuration_in_force_is_told_with_its_defaults(void **state)
{
	struct fixture f;
	json_t *c;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	c = ask(&f, "config", NULL);
	assert_string_equal(text_at(c, "path"), f.config_path);
	assert_string_equal(text_at(c, "digest"), f.d->config_digest);
	assert_non_null(strstr(text_at(c, "text"), "impact/machines = 100"));
	json_decref(c);
	fixture_fini(&f);
}

/* --- texts from outside --- */

static void texts_that_are_not_utf8_do_not_silence_an_answer(void **state)
{
	static const char *const commands[] = {"status", "plan", "list"};
	struct fixture f;
	struct subscription *s;
	struct machine *m;
	const char *old;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	m = any_machine(&f);
	s = m->subscription;
	free(s->name);
	s->name = xstrdup("bad \xff\xc3 name");
	old = m->status;
	m->status = "half of \xe2\x82";
	snprintf(f.d->last_pass[PASS_MACHINES].first_problem, 256, "cut \xe2\x82");
	f.d->last_pass[PASS_MACHINES].problems = 1;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		tell(&f, commands[i], NULL);
	{
		mdc_autofree char *arguments = target_of(m->id);
		json_t *e = ask(&f, "explain", arguments);

		assert_string_equal(text_at(e, "subscription_name"), "bad \\xff\\xc3 name");
		assert_string_equal(text_at(e, "facts.0.value"), "half of \\xe2\\x82");
		json_decref(e);
	}
	m->status = old;
	fixture_fini(&f);
}

static void explain_names_what_could_not_be_read(void **state)
{
	struct fixture f;
	json_t *answer;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	fake_transport_answer(f.fake.world.transport,
		&(struct fake_answer){.always = true,
			.url_part = ESTATE_SUB "/providers/Microsoft.Security/settings",
			.status = 400,
			.body = "{\"error\":{\"code\":\"Odd\",\"message\":\"no settings "
				"today\"}}"});
	fixture_start(&f);
	pass(&f, DUR_MIN(1));
	answer = ask(&f, "explain", "{\"target\":\"" ESTATE_SUB "\"}");
	assert_string_equal(text_at(control_in(answer, "items", "mde-integration"), "unread"),
		"the settings of a subscription: no settings today");
	assert_true(json_is_null(at(control_in(answer, "items", "servers-plan"), "unread")));
	json_decref(answer);
	answer = ask(&f, "explain", "{\"target\":\"" ESTATE_SUB_2 "\"}");
	assert_true(json_is_null(at(control_in(answer, "items", "mde-integration"), "unread")));
	json_decref(answer);
	fake_transport_clear(f.fake.world.transport);
	/* The next pass reads them. */
	pass(&f, DUR_MIN(20));
	assert_null(
		inventory_subscription(f.d->inventory, ESTATE_SUB)->unread[UNREAD_SWITCHES].why);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights_decide_what_is_answered),
		cmocka_unit_test(each_change_is_told_to_the_journal_with_its_maker),
		cmocka_unit_test(what_is_not_known_is_refused_with_what_was_meant),
		cmocka_unit_test(an_argument_without_a_value_is_refused),
		cmocka_unit_test(a_resource_is_named_by_id_or_name),
		cmocka_unit_test(a_name_that_several_bear_is_refused_with_their_ids),
		cmocka_unit_test(a_status_before_anything_was_observed_says_so),
		cmocka_unit_test(a_status_tells_how_far_each_scope_is),
		cmocka_unit_test(a_status_tells_what_holds_all_writes_and_how_to_end_it),
		cmocka_unit_test(an_incomplete_observation_is_told_with_its_first_problem),
		cmocka_unit_test(a_plan_in_observe_mode_tells_each_difference_and_what_holds_it),
		cmocka_unit_test(a_plan_is_told_in_pages_and_by_scope),
		cmocka_unit_test(a_machine_is_explained_with_facts_and_what_it_waits_for),
		cmocka_unit_test(drift_that_is_held_is_explained_with_what_ends_it),
		cmocka_unit_test(an_operation_is_explained_while_it_runs),
		cmocka_unit_test(a_list_holds_what_its_filters_name),
		cmocka_unit_test(pages_tell_everything_once),
		cmocka_unit_test(a_page_is_bounded_whatever_is_asked_for),
		cmocka_unit_test(the_history_is_told_newest_first_and_in_pages),
		cmocka_unit_test(the_configuration_in_force_is_told_with_its_defaults),
		cmocka_unit_test(texts_that_are_not_utf8_do_not_silence_an_answer),
		cmocka_unit_test(explain_names_what_could_not_be_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
