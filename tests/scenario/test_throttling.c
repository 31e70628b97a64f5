/* SPDX-License-Identifier: Apache-2.0 */
/* Azure says "too many": storms of 429 on everything, and how fast quotas let a migration go. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- storms --- */

static const struct {
	const char *name, *when;
} targets[] = {
	{"writes of extensions", "'method': 'PUT', 'path': '/MDE'"},
	{"writes of plans", "'method': 'PUT', 'path': '/pricings/'"},
	{"writes of settings", "'method': 'PUT', 'path': '/settings/'"},
	{"reads of extensions", "'method': 'GET', 'path': '/extensions'"},
	{"reads of settings", "'method': 'GET', 'path': '/settings'"},
	{"the list of subscriptions", "'method': 'GET', 'path': '^/subscriptions$'"},
	{"onboarding packages", "'method': 'GET', 'path': '/mdeOnboardings'"},
	{"Resource Graph", "'path': '/Microsoft.ResourceGraph/'"},
	{"the token endpoint", "'host': 'login'"},
};

static uint64_t throttled(struct scenario *s)
{
	json_t *ledger = estate_ledger_document(s->estate);
	const json_t *statuses = json_object_get(json_object_get(ledger, "requests"), "byStatus");
	uint64_t n = (uint64_t)json_integer_value(json_object_get(statuses, "429"));

	json_decref(ledger);
	return n;
}

/* Whoever comes before the time is refused again: a client that obeys hardly ever is. */
static void check_storm(
	size_t target, const char *retry_after, struct dur length, const char *golden)
{
	mdc_autofree char *rules =
		xasprintf("[{'when': {%s, 'until': '%s'}, 'do': {'retryAfter': '%s'}}]",
			targets[target].when, retry_after, retry_after);
	scenario_auto *s = scenario_new(
		&(struct scenario_options){.subscriptions = SUBSCRIPTION(1, NO_PLAN SETTINGS_OFF,
						   SERVER("web1", WINDOWS UNREACHED) "," SERVER(
							   "old1", WINDOWS_2016 UNREACHED)),
			.config = length.ms > DUR_H(1).ms ? CONFIG_PROMPT_SLOW : CONFIG_PROMPT});

	print_message("# %s: %s\n", targets[target].name, retry_after);
	scenario_faults(s, rules);
	scenario_start(s);
	/* Reads may be shut for long: until then nothing can be confirmed. A day is the longest
	 * that is waited without asking again. */
	for (int64_t passed = 0; scenario_protected(s) < 2 && passed < length.ms + DUR_H(28).ms;
		passed += DUR_MIN(10).ms) {
		scenario_run(s, DUR_MIN(10));
		scenario_command(s, "confirm", NULL);
		scenario_nothing_is_stuck(s);
	}
	if (throttled(s) > 6)
		fail_msg("%llu answers 429: it does not wait", (unsigned long long)throttled(s));
	scenario_settle(s, DUR_H(2));
	assert_int_equal(scenario_protected(s), 2);
	scenario_writes_are(s, NULL, 5, 5 + throttled(s));
	scenario_is_good(s);
	if (golden != NULL)
		scenario_golden(s, golden);
}

static void test_a_second(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		check_storm(i, "1s", DUR_S(1), NULL);
}

static void test_five_minutes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		check_storm(i, "307s", DUR_S(307), NULL);
}

static void test_two_hours(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		check_storm(i, "2h", DUR_H(2), i == 0 ? "throttled-for-two-hours" : NULL);
}

static void test_thirty_hours(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		check_storm(i, "30h", DUR_H(30), NULL);
}

static void test_what_waits_longer_than_a_day_is_shown_as_blocked(void **state)
{
	scenario_auto *s = scenario_new(&(struct scenario_options){
		.subscriptions = SUBSCRIPTION(1, ALL_ON, SERVER("web1", WINDOWS UNREACHED)),
		.config = CONFIG_PROMPT});

	(void)state;
	scenario_faults(
		s, "[{'when': {'method': 'PUT', 'until': '30h'}, 'do': {'retryAfter': '30h'}}]");
	scenario_begin(s);
	scenario_run(s, DUR_H(1));
	scenario_item_is(s, "web1", "mde-extension", "blocked", "throttled");
	scenario_settle(s, DUR_H(1));
	scenario_run(s, DUR_H(31));
	scenario_item_is(s, "web1", "mde-extension", "compliant", NULL);
	scenario_writes_are(s, NULL, 2, 2);
}

/* --- how fast it may go --- */

/* Steady and without graces: only quota counts. */
#define CONFIG_FAST \
	CONFIG_POLL CONFIG_POLICY_PROMPT CONFIG_SCOPE( \
		"subscriptions = { \"*\" }  mode = enforce  max-in-flight = 10000")

struct pace {
	struct wall first, last;
	size_t writes;
};

static struct pace pace_of(const struct scenario *s)
{
	const struct transport *t = s->world.transport;
	struct pace p = {.writes = transport_estate_write_count(t)};

	for (size_t i = 0; i < p.writes; i++) {
		const struct transport_write *w = transport_estate_write(t, i);

		if (!str_ends_nocase(w->path, "/MDE.Windows") &&
			!str_ends_nocase(w->path, "/MDE.Linux"))
			continue;
		if (!wall_is_set(p.first))
			p.first = w->at;
		p.last = w->at;
	}
	return p;
}

static unsigned fleet_size(void)
{
	return scenario_full() ? 2000 : 600;
}

#define FLEET "plan=P2,integration=on,unified=on,linux=30%%,legacy=0,lag=0s"

/* What the daemon leaves to others who use its principal. */
#define RESERVE 0.05

/*
 * In no window more writes than a bucket of that size holds above its reserve and gives meanwhile;
 * `part` of the path tells whose bucket it is. Two, since times are whole milliseconds.
 */
static void no_window_exceeds(struct scenario *s, const char *part, double size, double refill)
{
	const struct transport *t = s->world.transport;
	size_t n = transport_estate_write_count(t), count = 0;
	struct wall *times = xcalloc(n + 1, sizeof(*times));

	for (size_t i = 0; i < n; i++)
		if (strstr(transport_estate_write(t, i)->path, part) != NULL)
			times[count++] = transport_estate_write(t, i)->at;
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++)
		for (size_t k = i; k < count; k++) {
			double seconds = (double)wall_since(times[k], times[i]).ms / 1000;
			double most = size * (1 - RESERVE) + refill * seconds + 2;

			if ((double)(k - i + 1) > most)
				scenario_fail(
					s, "%zu writes to %s in %.3f s", k - i + 1, part, seconds);
		}
	free(times);
}

static struct scenario *migrate(unsigned subscriptions, unsigned machines, const char *throttling)
{
	mdc_autofree char *specification =
		xasprintf("subscriptions=%u,machines=%u," FLEET, subscriptions, machines);
	mdc_autofree char *document = xasprintf("'behaviour': {'deployer': {'on': false},"
						" 'throttling': %s}",
		throttling);
	struct scenario *s = scenario_new(&(struct scenario_options){
		.specification = specification, .document = document, .config = CONFIG_FAST});

	print_message("# %s %s\n", specification, throttling);
	scenario_begin(s);
	scenario_settle(s, DUR_H(8));
	assert_int_equal(scenario_count(s, NULL, "compliant"), scenario_count(s, NULL, NULL));
	scenario_is_good(s);
	return s;
}

/* The time from the first write to the last is that in which the bucket gives so many. */
static void is_within_five_percent(struct scenario *s, double seconds)
{
	struct pace p = pace_of(s);
	double took = (double)wall_since(p.last, p.first).ms / 1000;

	print_message(
		"# %zu writes in %.1f s; the bucket allows %.1f s\n", p.writes, took, seconds);
	assert_true(took >= seconds * 0.99);
	assert_true(took <= seconds * 1.05);
}

static void test_the_buckets_of_subscriptions_decide_the_pace(void **state)
{
	unsigned machines = fleet_size();
	scenario_auto *s = migrate(1, machines, "{'model': 'bucket'}");

	(void)state;
	is_within_five_percent(s, (machines - 200) / 10.0);
	no_window_exceeds(s, "/subscriptions/", 200, 10);
	assert_int_equal(throttled(s), 0);
}

static void test_subscriptions_have_buckets_of_their_own(void **state)
{
	unsigned machines = fleet_size();
	scenario_auto *s = migrate(2, 2 * machines, "{'model': 'bucket'}");

	(void)state;
	is_within_five_percent(s, (machines - 200) / 10.0);
	no_window_exceeds(s, SUB(1), 200, 10);
	no_window_exceeds(s, SUB(2), 200, 10);
	assert_int_equal(throttled(s), 0);
}

static void test_a_tenant_bucket_that_all_drain_decides_the_pace(void **state)
{
	/* Enough that those which were refused at first are not the last. */
	unsigned machines = 400 + fleet_size();
	scenario_auto *s = migrate(2, machines, "{'model': 'bucket-and-tenant'}");

	(void)state;
	is_within_five_percent(s, (machines - 200) / 10.0);
	/* No answer counts that bucket: those on the wire when it was empty run into it, once. */
	assert_in_range(throttled(s), 1, 64);
}

static void test_the_hourly_model_decides_the_pace(void **state)
{
	scenario_auto *s = migrate(1, 500, "{'model': 'hourly', 'hourlyWrites': 400}");
	struct pace p = pace_of(s);

	(void)state;
	print_message("# %zu writes in %lld s\n", p.writes,
		(long long)wall_since(p.last, p.first).ms / 1000);
	/* The first hour's quota, and the rest when the next one begins. */
	assert_in_range(wall_since(p.last, p.first).ms, 3600 * 1000, 3600 * 1050);
	assert_in_range(throttled(s), 0, 1);
}

static void test_a_limit_that_nobody_published_is_found(void **state)
{
	scenario_auto *s =
		migrate(1, 200, "{'model': 'bucket', 'hybridWrites': {'size': 40, 'refill': 2}}");

	(void)state;
	is_within_five_percent(s, (200 - 40) / 2.0);
	assert_in_range(throttled(s), 0, 1);
}

static void test_smaller_buckets_are_learnt_from_what_answers_count(void **state)
{
	scenario_auto *s =
		migrate(1, 300, "{'model': 'bucket', 'writes': {'size': 60, 'refill': 4}}");

	(void)state;
	is_within_five_percent(s, (300 - 60) / 4.0);
	no_window_exceeds(s, "/subscriptions/", 60, 4);
	assert_int_equal(throttled(s), 0);
}

static void test_without_counts_documented_sizes_are_kept_to(void **state)
{
	scenario_auto *s = migrate(1, 400, "{'model': 'bucket', 'headers': false}");

	(void)state;
	is_within_five_percent(s, (400 - 200) / 10.0);
	no_window_exceeds(s, "/subscriptions/", 200, 10);
	assert_int_equal(throttled(s), 0);
}

static char *servers(const char *prefix, unsigned n)
{
	struct buf text = BUF_INIT(4 << 20);

	for (unsigned i = 0; i < n; i++)
		buf_addf(&text, "%s" SERVER("%s%03u", WINDOWS UNREACHED), i > 0 ? "," : "", prefix,
			i);
	return buf_steal(&text);
}

static void test_a_small_subscription_does_not_wait_for_a_large_one(void **state)
{
	mdc_autofree char *large = servers("large", 400), *small = servers("small", 20);
	mdc_autofree char *subscriptions = xasprintf(
		SUBSCRIPTION(1, ALL_ON, "%s") "," SUBSCRIPTION(2, ALL_ON, "%s"), large, small);
	scenario_auto *s = scenario_new(&(struct scenario_options){.subscriptions = subscriptions,
		.document = "'behaviour': {'deployer': {'on': false},"
			    " 'throttling': {'model': 'bucket-and-tenant'}}",
		.config = CONFIG_FAST});
	size_t last = 0, n;

	(void)state;
	scenario_begin(s);
	scenario_settle(s, DUR_H(1));
	n = transport_estate_write_count(s->world.transport);
	for (size_t i = 0; i < n; i++)
		if (strstr(transport_estate_write(s->world.transport, i)->path, "/small") != NULL)
			last = i;
	print_message("# the small one is done after %zu of %zu writes\n", last + 1, n);
	assert_in_range(last, 20, 100);
	assert_int_equal(scenario_protected(s), 420);
	scenario_is_good(s);
}

/* --- Resource Graph --- */

static void test_the_quota_of_resource_graph_is_kept(void **state)
{
	static const char *const quotas[] = {
		"{'model': 'bucket'}",
		"{'model': 'bucket', 'graphQueries': 3}",
		/* Less than one pass asks. */
		"{'model': 'bucket', 'graphQueries': 2, 'graphWindow': '60s'}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(quotas); i++) {
		scenario_auto *s = migrate(3, 30, quotas[i]);
		const struct daemon *d = s->daemon;

		scenario_run(s, DUR_H(1));
		assert_int_equal(throttled(s), 0);
		/* Passes go on all the same. */
		assert_true(wall_since(scenario_wall(s), d->last_pass[PASS_MACHINES].ended).ms <
			DUR_MIN(10).ms);
		assert_int_equal(d->last_pass[PASS_MACHINES].problems, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_second),
		cmocka_unit_test(test_five_minutes),
		cmocka_unit_test(test_two_hours),
		cmocka_unit_test(test_thirty_hours),
		cmocka_unit_test(test_what_waits_longer_than_a_day_is_shown_as_blocked),
		cmocka_unit_test(test_the_buckets_of_subscriptions_decide_the_pace),
		cmocka_unit_test(test_subscriptions_have_buckets_of_their_own),
		cmocka_unit_test(test_a_tenant_bucket_that_all_drain_decides_the_pace),
		cmocka_unit_test(test_the_hourly_model_decides_the_pace),
		cmocka_unit_test(test_a_limit_that_nobody_published_is_found),
		cmocka_unit_test(test_smaller_buckets_are_learnt_from_what_answers_count),
		cmocka_unit_test(test_without_counts_documented_sizes_are_kept_to),
		cmocka_unit_test(test_a_small_subscription_does_not_wait_for_a_large_one),
		cmocka_unit_test(test_the_quota_of_resource_graph_is_kept),
	};

	scenario_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
