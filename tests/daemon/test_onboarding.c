/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/onboarding.h"

#include "tests/harness/arm_fixture.h"

#define BOTH \
	"{\"value\":[{\"name\":\"default\",\"properties\":{\"onboardingPackageWindows\":\"win-" \
	"1\"," \
	"\"onboardingPackageLinux\":\"lin-1\"}}]}"
#define LATER \
	"{\"value\":[{\"name\":\"default\",\"properties\":{\"onboardingPackageWindows\":\"win-" \
	"2\"}}]}"

struct asker {
	struct onboarding *o;
	unsigned times;
	enum arm_error_class class;
	char package[64];
	bool none;
	struct asker *forgets; /* another one, in the answer */
	struct asker *asks;
};

struct setting {
	struct fixture f;
	struct onboarding *o;
};

static int setup(void **state)
{
	struct setting *s = xcalloc(1, sizeof(*s));

	fixture_init(&s->f);
	answers_token(&s->f, "tok-1", true);
	s->o = onboarding_new(&s->f.fake.world, s->f.client);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct setting *s = *state;

	s->o = onboarding_free(s->o);
	assert_false(log_capture_holds(s->f.fake.capture, "win-"));
	fixture_fini(&s->f);
	free(s);
	return 0;
}

static void got_package(void *ctx, struct arm_result *failure, const char *package);

static void ask(struct setting *s, const char *subscription, bool windows, struct asker *a)
{
	struct asker *forgets = a->forgets, *asks = a->asks;

	*a = (struct asker){.o = s->o, .forgets = forgets, .asks = asks};
	onboarding_get(s->o, "main", subscription, windows, got_package, a);
}

static void got_package(void *ctx, struct arm_result *failure, const char *package)
{
	struct asker *a = ctx;

	a->times++;
	a->class = failure != NULL ? failure->error.class : ARM_ERROR_NONE;
	a->none = package == NULL;
	str_copy(a->package, sizeof(a->package), package != NULL ? package : "");
	if (a->forgets != NULL)
		onboarding_forget(a->o, a->forgets);
	if (a->asks != NULL)
		onboarding_get(a->o, "main", SUB_A, true, got_package, a->asks);
	a->forgets = a->asks = NULL;
}

static void serve_once(struct setting *s, int status, const char *body)
{
	answers(&s->f,
		&(struct fake_answer){.url_part = "/mdeOnboardings",
			.status = status,
			.body = body,
			.delay = DUR_MS(50)});
}

static void one_call_answers_all_that_ask_meanwhile(void **state)
{
	struct setting *s = *state;
	struct asker windows = {0}, linux_ = {0}, other = {0};

	serve_once(s, 200, BOTH);
	serve_once(s, 200, LATER);
	ask(s, SUB_A, true, &windows);
	ask(s, SUB_A, false, &linux_);
	ask(s, SUB_B, true, &other);
	assert_int_equal(windows.times, 0);
	pass(&s->f, DUR_S(1));
	assert_int_equal(windows.times, 1);
	assert_string_equal(windows.package, "win-1");
	assert_string_equal(linux_.package, "lin-1");
	assert_string_equal(other.package, "win-2");
	assert_int_equal(arm_requests(&s->f), 2);
}

static void a_package_is_good_for_ten_minutes_and_wiped_then(void **state)
{
	struct setting *s = *state;
	struct asker a = {0};

	serve_once(s, 200, BOTH);
	serve_once(s, 200, LATER);
	ask(s, SUB_A, true, &a);
	pass(&s->f, DUR_S(1));
	ask(s, SUB_A, false, &a);
	assert_int_equal(a.times, 1);
	assert_string_equal(a.package, "lin-1");
	pass(&s->f, DUR_MIN(9));
	ask(s, SUB_A, true, &a);
	assert_int_equal(a.times, 1);
	/* Nothing is left to wake up for once they are gone. */
	pass(&s->f, DUR_MIN(1));
	ask(s, SUB_A, true, &a);
	assert_int_equal(a.times, 0);
	pass(&s->f, DUR_S(1));
	assert_string_equal(a.package, "win-2");
	assert_int_equal(arm_requests(&s->f), 2);
}

static void a_family_that_azure_has_no_package_for_gets_none(void **state)
{
	struct setting *s = *state;
	struct asker a = {0};

	serve_once(s, 200, LATER);
	ask(s, SUB_A, false, &a);
	pass(&s->f, DUR_S(1));
	assert_int_equal(a.times, 1);
	assert_true(a.none);
	assert_int_equal(a.class, ARM_ERROR_NONE);
	serve_once(s, 200, "{\"value\":[]}");
	ask(s, SUB_B, true, &a);
	pass(&s->f, DUR_S(1));
	assert_true(a.none);
	assert_int_equal(a.class, ARM_ERROR_NONE);
}

static void a_failure_reaches_all_and_is_not_remembered(void **state)
{
	struct setting *s = *state;
	struct asker a[3] = {0};

	serve_once(s, 403, "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"no\"}}");
	serve_once(s, 200, BOTH);
	for (unsigned i = 0; i < 3; i++)
		ask(s, SUB_A, i != 1, &a[i]);
	pass(&s->f, DUR_S(1));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(a[i].times, 1);
		assert_int_equal(a[i].class, ARM_ERROR_DENIED);
		assert_true(a[i].none);
	}
	ask(s, SUB_A, true, &a[0]);
	pass(&s->f, DUR_S(1));
	assert_string_equal(a[0].package, "win-1");
}

static void what_is_no_list_of_packages_is_a_failure(void **state)
{
	static const char *const bodies[] = {"", "<html>", "[]", "{}", "{\"value\":{}}",
		"{\"properties\":7}", "{\"value\":[{\"properties\":", "\"text\""};
	struct setting *s = *state;
	struct asker a = {0};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		serve_once(s, 200, bodies[i]);
		ask(s, SUB_A, true, &a);
		pass(&s->f, DUR_S(1));
		assert_int_equal(a.times, 1);
		assert_int_equal(a.class, ARM_ERROR_TRANSIENT);
	}
	serve_once(s, 200, BOTH);
	ask(s, SUB_A, true, &a);
	pass(&s->f, DUR_S(1));
	assert_string_equal(a.package, "win-1");
}

static void a_package_of_absurd_size_is_none(void **state)
{
	struct setting *s = *state;
	size_t size = (1 << 20) + 1;
	mdc_autofree char *big = xcalloc(1, size + 1);
	mdc_autofree char *body = NULL;
	struct asker a = {0};

	memset(big, 'x', size);
	body = xasprintf(
		"{\"value\":[{\"properties\":{\"onboardingPackageWindows\":\"%s\"}}]}", big);
	serve_once(s, 200, body);
	ask(s, SUB_A, true, &a);
	pass(&s->f, DUR_S(1));
	assert_int_equal(a.times, 1);
	assert_true(a.none);
}

static void who_is_forgotten_is_not_answered(void **state)
{
	struct setting *s = *state;
	struct asker first = {0}, second = {0}, third = {0};

	serve_once(s, 200, BOTH);
	/* One of them in the answer to another. */
	second.forgets = &third;
	ask(s, SUB_A, true, &first);
	ask(s, SUB_A, true, &second);
	ask(s, SUB_A, true, &third);
	onboarding_forget(s->o, &first);
	pass(&s->f, DUR_S(1));
	assert_int_equal(first.times, 0);
	assert_int_equal(second.times, 1);
	assert_int_equal(third.times, 0);
}

static void who_asks_again_in_the_answer_is_answered(void **state)
{
	struct setting *s = *state;
	struct asker first = {0}, second = {0};

	serve_once(s, 500, "");
	serve_once(s, 200, BOTH);
	second.o = s->o;
	first.asks = &second;
	ask(s, SUB_A, true, &first);
	pass(&s->f, DUR_S(1));
	assert_int_equal(first.class, ARM_ERROR_TRANSIENT);
	assert_int_equal(second.times, 1);
	assert_string_equal(second.package, "win-1");
}

static void it_can_be_freed_while_a_call_is_under_way(void **state)
{
	struct setting *s = *state;
	struct asker a = {0};

	serve_once(s, 200, BOTH);
	ask(s, SUB_A, true, &a);
	loop_virtual_settle(s->f.fake.world.loop);
	s->o = onboarding_free(s->o);
	pass(&s->f, DUR_S(1));
	assert_int_equal(a.times, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_call_answers_all_that_ask_meanwhile),
		CASE(a_package_is_good_for_ten_minutes_and_wiped_then),
		CASE(a_family_that_azure_has_no_package_for_gets_none),
		CASE(a_failure_reaches_all_and_is_not_remembered),
		CASE(what_is_no_list_of_packages_is_a_failure),
		CASE(a_package_of_absurd_size_is_none),
		CASE(who_is_forgotten_is_not_answered),
		CASE(who_asks_again_in_the_answer_is_answered),
		CASE(it_can_be_freed_while_a_call_is_under_way),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
