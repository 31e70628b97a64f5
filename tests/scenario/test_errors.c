/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every error that Azure is known to answer, to a write and to the read before it: what becomes of
 * the item, when it is tried again, what an operator is told, and that it ends with its cause.
 *
 * All rows are one estate, each in a subscription of its own, and fail side by side for a day.
 */
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a kind of error makes of an item. */
struct outcome {
	const char *class, *state, *reason;
	/* Seconds from one attempt that fails to the next one. */
	int soonest, latest;
	/* Attempts within a day in which every one fails. */
	unsigned least, most;
};

#define MINUTES(n) ((n)*60)
#define HOURS(n) ((n)*3600)

/* clang-format off */
static const struct outcome
	throttled    = {"throttled", "backoff", "throttled", MINUTES(20), HOURS(1), 24, 72},
	transient    = {"transient", "backoff", "transient", 30, HOURS(1), 24, 60},
	told_to_wait = {"transient", "backoff", "transient", MINUTES(40), HOURS(1), 24, 36},
	/* It may have taken effect: no second one before the activity log tells that it did not. */
	lost         = {"transient", "applying", "outcome-unknown", MINUTES(25), HOURS(2), 12, 40},
	busy         = {"busy", "backoff", "busy", MINUTES(10), HOURS(2), 12, 40},
	changed      = {"changed", "backoff", "transient", 30, HOURS(1), 24, 60},
	vanished     = {"absent", "backoff", "vanished", MINUTES(5), HOURS(24), 4, 7},
	token        = {"token", "backoff", "identity", 30, HOURS(1), 24, 60},
	identity     = {"identity", "backoff", "identity", 30, HOURS(1), 24, 60},
	denied       = {"denied", "blocked", "denied", MINUTES(30), HOURS(24), 4, 8},
	locked       = {"locked", "blocked", "locked", MINUTES(30), HOURS(24), 4, 8},
	disabled     = {"disabled", "blocked", "subscription-disabled", MINUTES(30), HOURS(24), 4, 8},
	unregistered = {"unregistered", "blocked", "unregistered", MINUTES(30), HOURS(24), 4, 8},
	gone         = {"no-subscription", "blocked", "subscription-gone", MINUTES(30), HOURS(24), 4, 8},
	policy       = {"policy", "blocked", "policy-denies", HOURS(12), HOURS(24), 1, 2},
	refused      = {"request", "blocked", "refused", HOURS(12), HOURS(24), 1, 2},
	too_large    = {"too-large", "blocked", "refused", HOURS(12), HOURS(24), 1, 2};

struct row {
	int status;
	const char *code;
	const struct outcome *write;
	const struct outcome *read; /* NULL: no failure, but why the extension is written */
	const char *more; /* of what the rule does */
};

static const struct row rows[] = {
	{429, "TooManyRequests", &throttled, &throttled, ", 'retryAfter': '20m'"},
	{429, "SubscriptionRequestsThrottled", &throttled, &throttled, ", 'retryAfter': '20m'"},
	{409, "TooManyRequests", &throttled, &throttled, ", 'retryAfter': '20m'"},
	{408, "RequestTimeout", &lost, &transient, ""},
	{500, "InternalServerError", &lost, &transient, ""},
	{502, "BadGateway", &lost, &transient, ""},
	{504, "GatewayTimeout", &lost, &transient, ""},
	/* Says that it was not carried out. */
	{503, "ServiceUnavailable", &transient, &transient, ""},
	{503, "ServerTimeout", &told_to_wait, &told_to_wait, ", 'retryAfter': '40m'"},
	{409, "AnotherOperationInProgress", &busy, &busy, ""},
	{409, "Conflict", &busy, &busy, ""},
	{409, "OperationInProgress", &busy, &busy, ""},
	{409, "DeploymentActive", &busy, &busy, ""},
	{409, "RetryableErrorDueToAnotherOperation", &busy, &busy, ""},
	{409, "HCRP409", &busy, &busy, ""},
	{403, "AuthorizationFailed", &denied, &denied, ""},
	{403, "LinkedAuthorizationFailed", &denied, &denied, ""},
	{403, "RequestDisallowedByPolicy", &policy, &policy, ""},
	{409, "ScopeLocked", &locked, &locked, ""},
	{409, "ReadOnlyDisabledSubscription", &disabled, &disabled, ""},
	{409, "MissingSubscriptionRegistration", &unregistered, &unregistered, ""},
	{409, "NoRegisteredProviderFound", &unregistered, &unregistered, ""},
	{409, "SubscriptionNotRegistered", &unregistered, &unregistered, ""},
	{404, "Subscription Not Registered", &unregistered, &unregistered, ""},
	{404, "SubscriptionNotFound", &gone, &gone, ""},
	{404, "ResourceGroupNotFound", &vanished, &vanished, ""},
	{404, "ParentResourceNotFound", &vanished, &vanished, ""},
	{404, "ResourceNotFound", &vanished, NULL, ""},
	{404, "HCRP404", &vanished, NULL, ""},
	{400, "HCRP400", &refused, &refused, ""},
	{400, "InvalidInputJson", &refused, &refused, ""},
	{400, "InvalidApiVersionParameter", &refused, &refused, ""},
	{412, "PreconditionFailed", &changed, &changed, ""},
	{413, "RequestEntityTooLarge", &too_large, &too_large, ""},
	{414, "UriTooLong", &refused, &refused, ""},
	{422, "UnprocessableEntity", &refused, &refused, ""},
	/* Any answer that says when to come again is no refusal for good. */
	{400, "NotJustNow", &told_to_wait, &told_to_wait, ", 'retryAfter': '40m'"},
	{422, "NotJustNow", &told_to_wait, &told_to_wait, ", 'retryAfter': '40m'"},
	/* Codes that nobody has written down: by their status. */
	{400, "NeverHeardOf", &refused, &refused, ""},
	{403, "NeverHeardOf", &denied, &denied, ""},
	{404, "NeverHeardOf", &vanished, NULL, ""},
	{409, "NeverHeardOf", &busy, &busy, ""},
	{500, "NeverHeardOf", &lost, &transient, ""},
	{501, "NotImplemented", &lost, &transient, ""},
};

/* What is known of writes of plans. */
static const struct row plan_rows[] = {
	{429, "TooManyRequests", &throttled, &throttled, ", 'retryAfter': '20m'"},
	{409, "Conflict", &busy, &busy, ""},
	{400, "InvalidInputJson", &refused, &refused, ""},
	{400, "NotJustNow", &told_to_wait, &told_to_wait, ", 'retryAfter': '40m'"},
	{403, "AuthorizationFailed", &denied, &denied, ""},
	{403, "RequestDisallowedByPolicy", &policy, &policy, ""},
	{409, "ScopeLocked", &locked, &locked, ""},
	{409, "ReadOnlyDisabledSubscription", &disabled, &disabled, ""},
	{404, "Subscription Not Registered", &unregistered, &unregistered, ""},
	{503, "ServiceUnavailable", &transient, &transient, ""},
};

/* A trouble of the identity holds everything that it does: tried one by one. */
static const struct row identity_rows[] = {
	{401, "ExpiredAuthenticationToken", &token, &token, ""},
	{401, "InvalidAuthenticationToken", &token, &token, ""},
	{401, "InvalidAuthenticationToken", &token, &token,
		", 'headers': {'WWW-Authenticate': 'Bearer error=insufficient_claims, claims=e30='}"},
	{401, "InvalidAuthenticationTokenTenant", &identity, &identity, ""},
};
/* clang-format on */

/* --- an estate of rows --- */

#define DEPLOYER_OFF "'behaviour': {'deployer': {'on': false}}"
#define FAILING DUR_H(24)
#define MESSAGE "the test has it fail"

/* A subscription for each row: a refusal may be taken for its whole subscription's. */
static char *subscriptions_of(size_t n, const char *members)
{
	struct buf text = BUF_INIT(1 << 20);

	for (size_t i = 0; i < n; i++)
		buf_addf(&text,
			"%s{'id': '30000000-0000-4000-8000-0000000000%02zu', 'name': 's%02zu',"
			" 'tenant': '" TENANT "', %s"
			"'machines': [{'name': 'm%02zu', 'group': 'rg', 'since': '-30d',"
			" 'created': '-300d'" WINDOWS UNREACHED "}]}",
			i > 0 ? ", " : "", i, i, members, i);
	return buf_steal(&text);
}

static void add_rule(struct buf *rules, const char *method, const char *path, const struct row *row)
{
	buf_addf(rules,
		"%s{'when': {'method': '%s', 'path': '%s', 'until': '24h'}, 'do': {'status': %d,"
		" 'code': '%s', 'message': '" MESSAGE "'%s}}",
		rules->len > 0 ? ", " : "[", method, path, row->status, row->code, row->more);
}

/* What a row is about. */
enum kind { EXTENSIONS, PLANS };
struct place {
	const char *control;
	char *name; /* of the resource that has the item */
	char *path; /* of what is read and written */
};

static struct place place_of(enum kind kind, size_t row)
{
	if (kind == PLANS)
		return (struct place){.control = "servers-plan",
			.name = xasprintf("s%02zu", row),
			.path = xasprintf("0000000000%02zu/providers/Microsoft.Security/pricings/"
					  "VirtualMachines",
				row)};
	return (struct place){.control = "mde-extension",
		.name = xasprintf("m%02zu", row),
		.path = xasprintf("/m%02zu/extensions/MDE.Windows", row)};
}

static void place_fini(struct place *p)
{
	free(p->name);
	free(p->path);
}
#define place_auto mdc_cleanup(place_fini) struct place

static const struct outcome *outcome_of(const struct row *row, const char *method)
{
	return str_equal(method, "GET") ? row->read : row->write;
}

static char *rules_of(enum kind kind, const struct row *v, size_t n, const char *method)
{
	struct buf rules = BUF_INIT(1 << 20);

	for (size_t i = 0; i < n; i++) {
		place_auto place = place_of(kind, i);

		if (outcome_of(&v[i], method) != NULL)
			add_rule(&rules, method, place.path, &v[i]);
	}
	buf_adds(&rules, "]");
	return buf_steal(&rules);
}

static struct scenario *fail_at(const char *subscriptions, const char *rules)
{
	struct scenario *s = scenario_new(&(struct scenario_options){.subscriptions = subscriptions,
		.document = DEPLOYER_OFF,
		.config = CONFIG_PROMPT_SLOW});

	scenario_faults(s, rules);
	scenario_begin(s);
	scenario_run(s, DUR_S(10));
	return s;
}

static struct scenario *fail_rows(enum kind kind, const struct row *v, size_t n, const char *method)
{
	mdc_autofree char *subscriptions =
		subscriptions_of(n, kind == PLANS ? NO_PLAN SETTINGS_ON : ALL_ON);
	mdc_autofree char *rules = rules_of(kind, v, n, method);

	return fail_at(subscriptions, rules);
}

/* --- what becomes of it --- */

/* State and reason, what Azure said, when it goes on, and for who has to act: what to do. */
static void is_explained(struct scenario *s, const struct place *place, const struct outcome *o)
{
	const json_t *row = scenario_explained(s, place->name, place->control);
	bool blocked = str_equal(o->state, "blocked");

	assert_string_equal(json_text(row, "state"), o->state);
	assert_string_equal(json_text(row, "reason"), o->reason);
	assert_string_not_equal(json_text(row, "sentence"), "");
	if (json_text(row, "detail") == NULL || strstr(json_text(row, "detail"), MESSAGE) == NULL)
		scenario_fail(s, "%s does not say what Azure said: %s", place->name,
			json_text(row, "detail"));
	assert_non_null(json_text(row, "due"));
	if (blocked && json_text(row, "unblock") == NULL)
		scenario_fail(s, "%s does not say what would unblock it", place->name);
}

/* Told once for all that fail so in a scope. */
static void is_told(struct scenario *s, const struct row *row, const struct outcome *o)
{
	const struct captured_entry *e;

	for (size_t i = 0; (e = log_capture_entry(s->log, LOG_WRITE_FAILED_MESSAGE, i)) != NULL;
		i++)
		if (str_equal(captured_field(e, "MDCD_ERROR_CODE"), row->code) &&
			str_equal(captured_field(e, "MDCD_ERROR_CLASS"), o->class))
			return;
	scenario_fail(s, "%d %s is not told as %s", row->status, row->code, o->class);
}

static void waits_long_enough(
	struct scenario *s, const struct place *place, const struct outcome *o)
{
	const struct item *item = scenario_item(s, place->name, place->control);
	int64_t wait = wall_since(item->due, item->since).ms / 1000;

	/* What is on its way waits for its end, and not for a time. */
	if (str_equal(o->state, "applying"))
		return;
	if (wait < o->soonest || wait > o->latest)
		scenario_fail(s, "%s waits %lld s", place->name, (long long)wait);
}

static void check_first(struct scenario *s, const struct place *place, const struct row *row,
	const struct outcome *o)
{
	scenario_item_is(s, place->name, place->control, o->state, o->reason);
	is_told(s, row, o);
	waits_long_enough(s, place, o);
	is_explained(s, place, o);
}

/* --- a day of it --- */

/* Of writes the time is known. A token that is refused is renewed, and the write sent once more. */
static void writes_rest(struct scenario *s, const char *path, const struct outcome *o)
{
	const struct transport_write *last = NULL;

	for (size_t i = 0; i < transport_estate_write_count(s->world.transport); i++) {
		const struct transport_write *w = transport_estate_write(s->world.transport, i);
		int64_t gap = last != NULL ? wall_since(w->at, last->at).ms / 1000 : 0;
		bool again = last != NULL && last->status == 401 && gap == 0;

		if (!str_ends_nocase(w->path, path))
			continue;
		if (last != NULL && !again && (gap < o->soonest || gap > o->latest + MINUTES(10)))
			scenario_fail(s, "%s is written again after %lld s", path, (long long)gap);
		last = w;
	}
}

static void check_day(struct scenario *s, const char *path, const struct outcome *o, bool writes)
{
	uint64_t reads = transport_estate_count(s->world.transport, "GET", path);
	uint64_t attempts = writes ? scenario_writes(s, path) : reads;

	/* With a token that was renewed each is sent twice. */
	if (str_equal(o->reason, "identity") && str_equal(o->class, "token"))
		attempts /= 2;
	if (attempts < o->least || attempts > o->most)
		scenario_fail(s, "%s: %llu attempts in a day", path, (unsigned long long)attempts);
	if (writes)
		writes_rest(s, path, o);
	else
		scenario_writes_are(s, path, 0, 0);
}

static bool all_are_compliant(struct scenario *s)
{
	return scenario_count(s, NULL, "compliant") == scenario_count(s, NULL, NULL);
}

static void check_firsts(
	struct scenario *s, enum kind kind, const struct row *v, size_t n, const char *method)
{
	for (size_t i = 0; i < n; i++) {
		place_auto place = place_of(kind, i);

		if (outcome_of(&v[i], method) == NULL)
			continue;
		print_message("# %s %s: %d %s\n", method, place.control, v[i].status, v[i].code);
		check_first(s, &place, &v[i], outcome_of(&v[i], method));
	}
}

static void check_days(
	struct scenario *s, enum kind kind, const struct row *v, size_t n, const char *method)
{
	for (size_t i = 0; i < n; i++) {
		place_auto place = place_of(kind, i);
		const struct outcome *o = outcome_of(&v[i], method);

		if (o != NULL)
			check_day(s, place.path, o, str_equal(method, "PUT"));
	}
}

static void check(enum kind kind, const struct row *v, size_t n, const char *method)
{
	scenario_auto *s = fail_rows(kind, v, n, method);

	check_firsts(s, kind, v, n, method);
	scenario_run(s, DUR_MS(FAILING.ms - scenario_time(s).ms));
	scenario_nothing_is_stuck(s);
	check_days(s, kind, v, n, method);
	/* None was given up: the slowest is tried again within a day. */
	for (unsigned hours = 0; hours < 26 && !all_are_compliant(s); hours++)
		scenario_run(s, DUR_H(1));
	if (!all_are_compliant(s))
		scenario_fail(s, "something goes on failing without a cause");
	scenario_is_good(s);
	scenario_history_is_whole(s);
}

static void test_writes_that_are_refused(void **state)
{
	(void)state;
	check(EXTENSIONS, rows, ARRAY_LEN(rows), "PUT");
}

static void test_reads_that_are_refused(void **state)
{
	(void)state;
	check(EXTENSIONS, rows, ARRAY_LEN(rows), "GET");
}

static void test_writes_of_plans_that_are_refused(void **state)
{
	(void)state;
	check(PLANS, plan_rows, ARRAY_LEN(plan_rows), "PUT");
}

/* --- what cannot be observed --- */

static struct scenario *fail_settings(void)
{
	mdc_autofree char *subscriptions = subscriptions_of(ARRAY_LEN(rows), PLAN_P2 SETTINGS_OFF);
	struct buf rules = BUF_INIT(1 << 20);
	struct scenario *s;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *path =
			xasprintf("0000000000%02zu/providers/Microsoft.Security/settings$", i);

		add_rule(&rules, "GET", path, &rows[i]);
	}
	buf_adds(&rules, "]");
	s = fail_at(subscriptions, buf_str(&rules));
	buf_fini(&rules);
	return s;
}

/* Whatever the answer, it says nothing of the settings: not even that there are none. */
static void test_observations_that_are_refused(void **state)
{
	scenario_auto *s = fail_settings();
	const struct transport *t = s->world.transport;
	mdc_autofree char *status = NULL;

	(void)state;
	scenario_run(s, DUR_MS(FAILING.ms - scenario_time(s).ms));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *subscription = xasprintf("s%02zu", i);
		mdc_autofree char *list =
			xasprintf("0000000000%02zu/providers/Microsoft.Security/settings?", i);

		print_message("# %d %s\n", rows[i].status, rows[i].code);
		scenario_item_is(s, subscription, "mde-integration", "unknown", "not-observed");
		/* A pass an hour, in which it may be tried again, and none before Retry-After. */
		assert_in_range(transport_estate_count(t, "GET", list), 20, 100);
	}
	scenario_writes_are(s, NULL, 0, 0);
	status = json_dumps(json_object_get(scenario_command(s, "status", NULL), "partial"), 0);
	assert_non_null(strstr(status, "settings of a subscription: " MESSAGE));
	scenario_run(s, DUR_H(3));
	assert_true(all_are_compliant(s));
	scenario_is_good(s);
}

/* --- the identity --- */

static void test_tokens_that_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(identity_rows); i++) {
		check(EXTENSIONS, &identity_rows[i], 1, "PUT");
		check(EXTENSIONS, &identity_rows[i], 1, "GET");
	}
}

/* --- one cause for many --- */

#define FLEET 50

static char *fleet(void)
{
	struct buf machines = BUF_INIT(1 << 20);
	char *subscription;

	for (unsigned i = 0; i < FLEET; i++)
		buf_addf(&machines, "%s" SERVER("m%02u", WINDOWS UNREACHED), i > 0 ? ", " : "", i);
	subscription = xasprintf(SUBSCRIPTION(1, ALL_ON, "%s"), buf_str(&machines));
	buf_fini(&machines);
	return subscription;
}

/* Those that were on their way together when the first was refused; then one after the other. */
static void probes_are_single(struct scenario *s, size_t together)
{
	const struct transport *t = s->world.transport;

	for (size_t i = together; i < transport_estate_write_count(t); i++) {
		struct wall at = transport_estate_write(t, i)->at;
		struct wall before = transport_estate_write(t, i - 1)->at;

		if (wall_since(at, before).ms < DUR_MIN(5).ms)
			scenario_fail(s, "probes %zu and %zu go together", i - 1, i);
	}
}

static void all_but_some_wait(struct scenario *s, size_t some)
{
	const json_t *row;
	size_t held = 0;

	assert_int_equal(scenario_count(s, "mde-extension", "blocked"), some);
	for (unsigned i = 0; i < FLEET; i++) {
		mdc_autofree char *machine = xasprintf("m%02u", i);

		row = scenario_explained(s, machine, "mde-extension");
		if (!str_equal(json_text(row, "state"), "drifted"))
			continue;
		assert_string_equal(json_text(row, "held"), "denied");
		assert_non_null(json_text(row, "unblock"));
		held++;
	}
	assert_int_equal(held, FLEET - some);
}

static void test_one_missing_role_is_one_trouble(void **state)
{
	mdc_autofree char *subscriptions = fleet();
	scenario_auto *s = scenario_new(&(struct scenario_options){.subscriptions = subscriptions,
		.document = DEPLOYER_OFF,
		.config = CONFIG_PROMPT_SLOW});
	size_t together;

	(void)state;
	scenario_faults(s,
		"[{'when': {'method': 'PUT', 'until': '24h'}, 'do': {'status': 403,"
		" 'code': 'AuthorizationFailed', 'message': '" MESSAGE "'}}]");
	scenario_begin(s);
	scenario_run(s, DUR_MIN(1));
	together = scenario_writes(s, NULL);
	assert_in_range(together, 1, 8);
	all_but_some_wait(s, together);
	scenario_run(s, DUR_MS(FAILING.ms - scenario_time(s).ms));
	probes_are_single(s, together);
	/* Each hour one, and some more at first. */
	scenario_writes_are(s, NULL, 24, 40);
	/* One is told in full, the others by their number, ever more seldom. */
	assert_int_equal(log_capture_count(s->log, LOG_WRITE_FAILED_MESSAGE), 1);
	assert_in_range(log_capture_count(s->log, LOG_FAILURE_GROUP_MESSAGE), 1, 6);
	/* The first that gets through lets all go, those that were refused included. */
	scenario_run(s, DUR_MIN(70));
	assert_int_equal(scenario_count(s, "mde-extension", "compliant"), FLEET);
	scenario_is_good(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes_that_are_refused),
		cmocka_unit_test(test_reads_that_are_refused),
		cmocka_unit_test(test_writes_of_plans_that_are_refused),
		cmocka_unit_test(test_observations_that_are_refused),
		cmocka_unit_test(test_tokens_that_are_refused),
		cmocka_unit_test(test_one_missing_role_is_one_trouble),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
