/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/credentials.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/fake_world.h"
#include "tests/harness/small_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ARM SMALL_ARM
#define DEFENDER "https://api.securitycenter.microsoft.com"
#define SECRET "s3cr~t+/=&%"

struct fixture {
	struct fake_world fake;
	struct small_config small;
	struct credentials *credentials;
};

static void configure(struct fixture *f)
{
	credentials_configure(f->credentials, &f->small.config);
}

static void setup(struct fixture *f)
{
	fake_world_init(&f->fake, 7);
	small_config_init(&f->small);
	memory_files_put(f->fake.world.secrets, SMALL_SECRET_FILE, SECRET "\n");
	f->credentials = credentials_new(&f->fake.world);
	configure(f);
}

static void teardown(struct fixture *f)
{
	assert_false(log_capture_holds(f->fake.capture, SECRET));
	credentials_free(f->credentials);
	fake_world_fini(&f->fake);
}

static struct transport *net(struct fixture *f)
{
	return f->fake.world.transport;
}

static void answers_token(struct fixture *f, const char *token, int lifetime)
{
	mdc_autofree char *body =
		xasprintf("{\"token_type\":\"Bearer\",\"expires_in\":%d,\"access_token\":\"%s\"}",
			lifetime, token);

	fake_transport_answer(
		net(f), &(struct fake_answer){.status = 200, .body = body, .delay = DUR_MS(100)});
}

static void answers_error(struct fixture *f, int status, const char *body, const char *header)
{
	fake_transport_answer(net(f),
		&(struct fake_answer){
			.status = status, .body = body, .headers = {header}, .delay = DUR_MS(100)});
}

#define BAD_SECRET \
	"{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client " \
	"secret provided.\\r\\nTrace ID: x\"}"

/* What a waiter was told. */
struct told {
	unsigned times;
	char token[64];
	struct arm_error failure;
};

static void note(void *ctx, const struct arm_error *failure, const char *token)
{
	struct told *t = ctx;

	t->times++;
	t->token[0] = '\0';
	t->failure = (struct arm_error){0};
	if (failure != NULL)
		t->failure = *failure;
	assert_true((failure == NULL) != (token == NULL));
	str_copy(t->token, sizeof(t->token), token != NULL ? token : "");
}

static void ask(struct fixture *f, struct told *t)
{
	*t = (struct told){0};
	credentials_get(f->credentials, "main", ARM, note, t);
	assert_int_equal(t->times, 0);
}

/* Asks and waits for the answer. */
static struct told asked(struct fixture *f)
{
	struct told t;

	ask(f, &t);
	loop_virtual_run_for(f->fake.world.loop, DUR_S(1));
	assert_int_equal(t.times, 1);
	return t;
}

static void pass(struct fixture *f, struct dur time)
{
	loop_virtual_run_for(f->fake.world.loop, time);
}

static void one_request_serves_all_who_wait(void **state)
{
	struct fixture f;
	struct told t[20];

	(void)state;
	setup(&f);
	answers_token(&f, "shared", 3599);
	for (unsigned i = 0; i < 20; i++)
		ask(&f, &t[i]);
	pass(&f, DUR_S(1));
	for (unsigned i = 0; i < 20; i++)
		assert_string_equal(t[i].token, "shared");
	assert_string_equal(asked(&f).token, "shared");
	assert_int_equal(fake_transport_count(net(&f)), 1);
	teardown(&f);
}

static void audiences_and_identities_have_tokens_of_their_own(void **state)
{
	struct fixture f;
	struct told t[3] = {{0}};

	(void)state;
	setup(&f);
	answers_token(&f, "a", 3599);
	answers_token(&f, "b", 3599);
	answers_token(&f, "c", 3599);
	credentials_get(f.credentials, "main", ARM, note, &t[0]);
	credentials_get(f.credentials, "main", DEFENDER, note, &t[1]);
	credentials_get(f.credentials, "east", ARM, note, &t[2]);
	pass(&f, DUR_S(1));
	assert_string_equal(t[0].token, "a");
	assert_string_equal(t[1].token, "b");
	assert_string_equal(t[2].token, "c");
	teardown(&f);
}

static void a_cancelled_waiter_hears_nothing(void **state)
{
	struct fixture f;
	struct told early = {0}, waiting = {0}, other = {0};
	struct credential_waiter *w;

	(void)state;
	setup(&f);
	answers_token(&f, "t", 3599);
	w = credentials_get(f.credentials, "main", ARM, note, &early);
	credentials_cancel(f.credentials, w);
	w = credentials_get(f.credentials, "main", ARM, note, &waiting);
	ask(&f, &other);
	loop_virtual_settle(f.fake.world.loop);
	credentials_cancel(f.credentials, w);
	pass(&f, DUR_S(1));
	assert_int_equal(early.times + waiting.times, 0);
	assert_string_equal(other.token, "t");
	teardown(&f);
}

/* Not renewed when it is used after `quiet`, and renewed when it is used after `renewed`. */
static void tokens_are_renewed_ahead_of_time(void **state)
{
	static const struct {
		int lifetime;
		int refresh_in; /* 0: not named */
		struct dur quiet, renewed;
	} rows[] = {
		{3600, 0, {2990000}, {3010000}},
		{86400, 0, {43100000}, {43300000}},
		{86400, 600, {590000}, {610000}},
		{3600, 3590, {2990000}, {3010000}},
		{60, 0, {45000}, {48000}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *body =
			xasprintf("{\"access_token\":\"old\",\"expires_in\":%d,\"refresh_in\":%d}",
				rows[i].lifetime, rows[i].refresh_in);
		struct fixture f;

		setup(&f);
		fake_transport_answer(net(&f), &(struct fake_answer){.status = 200, .body = body});
		answers_token(&f, "new", 3600);
		assert_string_equal(asked(&f).token, "old");
		pass(&f, rows[i].quiet);
		assert_string_equal(asked(&f).token, "old");
		assert_int_equal(fake_transport_count(net(&f)), 1);
		pass(&f,
			mono_since((struct mono){rows[i].renewed.ms},
				(struct mono){rows[i].quiet.ms}));
		/* Nobody waits for it. */
		assert_string_equal(asked(&f).token, "old");
		assert_int_equal(fake_transport_count(net(&f)), 2);
		assert_string_equal(asked(&f).token, "new");
		teardown(&f);
	}
}

static void a_token_is_not_given_in_its_last_minutes(void **state)
{
	static const struct {
		int lifetime;
		struct dur good, over;
	} rows[] = {
		{3600, {3297000}, {2000}},
		{60, {51000}, {2000}},
		{10, {6500}, {2000}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		setup(&f);
		answers_token(&f, "old", rows[i].lifetime);
		fake_transport_answer(
			net(&f), &(struct fake_answer){.always = true, .status = 503});
		assert_string_equal(asked(&f).token, "old");
		pass(&f, rows[i].good);
		assert_string_equal(asked(&f).token, "old");
		pass(&f, rows[i].over);
		assert_string_equal(asked(&f).token, "");
		teardown(&f);
	}
}

static void a_failed_renewal_does_not_matter_while_the_old_one_is_good(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	answers_token(&f, "old", 3600);
	asked(&f);
	pass(&f, DUR_S(3005));
	fake_transport_answer(
		net(&f), &(struct fake_answer){.always = true, .status = 503, .body = ""});
	for (unsigned i = 0; i < 60; i++)
		assert_string_equal(asked(&f).token, "old");
	/* At most one attempt in 30 s. */
	assert_in_range(fake_transport_count(net(&f)), 2, 4);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_IDENTITY_MESSAGE), 0);
	teardown(&f);
}

static void a_secret_that_will_run_out_is_told_ahead_of_time(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	answers_token(&f, "old", 3600);
	asked(&f);
	pass(&f, DUR_S(3005));
	answers_error(&f, 401, BAD_SECRET, NULL);
	assert_string_equal(asked(&f).token, "old");
	assert_int_equal(log_capture_count(f.fake.capture, LOG_IDENTITY_MESSAGE), 1);
	assert_non_null(
		strstr(captured_text(log_capture_entry(f.fake.capture, LOG_IDENTITY_MESSAGE, 0)),
			"still good"));
	teardown(&f);
}

static void a_refusal_is_remembered_for_a_minute(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	setup(&f);
	answers_error(&f, 401, BAD_SECRET, NULL);
	t = asked(&f);
	assert_int_equal(t.failure.class, ARM_ERROR_IDENTITY);
	assert_string_equal(t.failure.code, "AADSTS7000215");
	pass(&f, DUR_S(50));
	assert_int_equal(asked(&f).failure.class, ARM_ERROR_IDENTITY);
	assert_int_equal(fake_transport_count(net(&f)), 1);
	pass(&f, DUR_S(10));
	answers_token(&f, "t", 3600);
	assert_string_equal(asked(&f).token, "t");
	teardown(&f);
}

static void a_mended_secret_is_used_at_once(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	memory_files_put(f.fake.world.secrets, SMALL_SECRET_FILE, NULL);
	assert_non_null(strstr(asked(&f).failure.message, SMALL_SECRET_FILE));
	assert_int_equal(fake_transport_count(net(&f)), 0);
	memory_files_put(f.fake.world.secrets, SMALL_SECRET_FILE, "wrong");
	answers_error(&f, 401, BAD_SECRET, NULL);
	assert_string_equal(asked(&f).failure.code, "AADSTS7000215");
	memory_files_put(f.fake.world.secrets, SMALL_SECRET_FILE, "right\r\n");
	answers_token(&f, "t", 3600);
	assert_string_equal(asked(&f).token, "t");
	assert_non_null(
		strstr(fake_transport_request(net(&f), -1)->request.body, "&client_secret=right"));
	teardown(&f);
}

static void retry_after_is_honoured(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	setup(&f);
	answers_error(&f, 429, "", "Retry-After: 300");
	t = asked(&f);
	assert_int_equal(t.failure.class, ARM_ERROR_THROTTLED);
	pass(&f, DUR_S(295));
	assert_int_equal(asked(&f).failure.class, ARM_ERROR_THROTTLED);
	assert_int_equal(fake_transport_count(net(&f)), 1);
	pass(&f, DUR_S(5));
	answers_token(&f, "t", 3600);
	assert_string_equal(asked(&f).token, "t");
	teardown(&f);
}

static void an_identity_that_fails_is_logged_once(void **state)
{
	struct fixture f;
	const struct captured_entry *e;
	struct told t = {0};

	(void)state;
	setup(&f);
	fake_transport_answer(
		net(&f), &(struct fake_answer){.always = true, .status = 401, .body = BAD_SECRET});
	for (unsigned i = 0; i < 100; i++) {
		asked(&f);
		pass(&f, DUR_S(20));
	}
	credentials_get(f.credentials, "main", DEFENDER, note, &t);
	pass(&f, DUR_S(1));
	assert_int_equal(t.failure.class, ARM_ERROR_IDENTITY);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_IDENTITY_MESSAGE), 1);
	e = log_capture_entry(f.fake.capture, LOG_IDENTITY_MESSAGE, 0);
	assert_int_equal(captured_priority(e), LOG_ERR);
	assert_string_equal(captured_field(e, "MDCD_IDENTITY"), "main");
	assert_string_equal(captured_field(e, "MDCD_ERROR_CODE"), "AADSTS7000215");
	assert_non_null(strstr(captured_text(e), "AADSTS7000215: Invalid client secret"));
	assert_null(strchr(captured_text(e), '\n'));
	fake_transport_clear(net(&f));
	answers_token(&f, "t", 3600);
	answers_token(&f, "d", 3600);
	pass(&f, DUR_S(70));
	asked(&f);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_IDENTITY_MESSAGE), 1);
	credentials_get(f.credentials, "main", DEFENDER, note, &t);
	pass(&f, DUR_S(1));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_IDENTITY_MESSAGE), 2);
	e = log_capture_entry(f.fake.capture, LOG_IDENTITY_MESSAGE, 1);
	assert_int_equal(captured_priority(e), LOG_NOTICE);
	teardown(&f);
}

static void lifetimes_may_be_text_and_are_capped(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	answers_error(&f, 200, "{\"access_token\":\"t\",\"expires_in\":\"86399\"}", NULL);
	assert_string_equal(asked(&f).token, "t");
	pass(&f, DUR_H(11));
	assert_string_equal(asked(&f).token, "t");
	assert_int_equal(fake_transport_count(net(&f)), 1);
	teardown(&f);
	setup(&f);
	answers_error(&f, 200, "{\"access_token\":\"t\",\"expires_in\":9000000000000000000}", NULL);
	assert_string_equal(asked(&f).token, "t");
	pass(&f, DUR_DAYS(3));
	answers_token(&f, "new", 3600);
	assert_string_equal(asked(&f).token, "new");
	teardown(&f);
}

static void a_token_that_ran_out_on_its_way_is_no_token(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	setup(&f);
	fake_transport_answer(net(&f),
		&(struct fake_answer){.status = 200,
			.body = "{\"access_token\":\"t\",\"expires_in\":2}",
			.delay = DUR_S(3)});
	ask(&f, &t);
	pass(&f, DUR_S(4));
	assert_int_equal(t.failure.class, ARM_ERROR_TRANSIENT);
	assert_int_equal(asked(&f).failure.class, ARM_ERROR_TRANSIENT);
	assert_int_equal(fake_transport_count(net(&f)), 1);
	teardown(&f);
}

static void broken_connections_are_trouble_that_passes(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	fake_transport_answer(net(&f), &(struct fake_answer){.result = TRANSPORT_TLS});
	assert_int_equal(asked(&f).failure.class, ARM_ERROR_TRANSIENT);
	pass(&f, DUR_S(10));
	answers_token(&f, "t", 3600);
	assert_string_equal(asked(&f).token, "t");
	teardown(&f);
}

static void a_refused_token_is_not_given_again(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	answers_token(&f, "one", 3600);
	answers_token(&f, "two", 3600);
	assert_string_equal(asked(&f).token, "one");
	credentials_refuse(f.credentials, "main", ARM, "another", NULL);
	credentials_refuse(f.credentials, "main", DEFENDER, "one", NULL);
	assert_string_equal(asked(&f).token, "one");
	credentials_refuse(f.credentials, "main", ARM, "one", NULL);
	assert_string_equal(asked(&f).token, "two");
	teardown(&f);
}

static void a_service_that_refuses_all_tokens_makes_no_storm(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (unsigned i = 0; i < 40; i++) {
		char token[8];

		snprintf(token, sizeof(token), "t%u", i);
		answers_token(&f, token, 3600);
	}
	for (unsigned i = 0; i < 120; i++)
		credentials_refuse(f.credentials, "main", ARM, asked(&f).token, NULL);
	assert_in_range(fake_transport_count(net(&f)), 3, 6);
	teardown(&f);
}

static void unknown_identities_have_no_tokens(void **state)
{
	struct fixture f;
	struct told t = {0};

	(void)state;
	setup(&f);
	credentials_get(f.credentials, "nobody", ARM, note, &t);
	assert_int_equal(t.times, 0);
	pass(&f, DUR_S(1));
	assert_int_equal(t.failure.class, ARM_ERROR_IDENTITY);
	teardown(&f);
}

static void a_reload_keeps_tokens_of_what_did_not_change(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	answers_token(&f, "old", 3600);
	asked(&f);
	configure(&f);
	assert_string_equal(asked(&f).token, "old");
	f.small.identities[0].client = (char *)"33333333-3333-3333-3333-333333333333";
	configure(&f);
	answers_token(&f, "new", 3600);
	assert_string_equal(asked(&f).token, "new");
	assert_non_null(strstr(fake_transport_request(net(&f), -1)->request.body,
		"client_id=33333333-3333-3333-3333-333333333333"));
	teardown(&f);
}

static void a_reload_serves_waiters_under_the_new_configuration(void **state)
{
	struct fixture f;
	struct told t, gone = {0};

	(void)state;
	setup(&f);
	fake_transport_answer(net(&f), &(struct fake_answer){.hangs = true});
	fake_transport_answer(net(&f), &(struct fake_answer){.hangs = true});
	ask(&f, &t);
	credentials_get(f.credentials, "east", ARM, note, &gone);
	loop_virtual_settle(f.fake.world.loop);
	f.small.identities[0].tenant = (char *)"44444444-4444-4444-4444-444444444444";
	f.small.config.identity_count = 1;
	configure(&f);
	answers_token(&f, "t", 3600);
	pass(&f, DUR_S(1));
	assert_string_equal(t.token, "t");
	assert_int_equal(gone.failure.class, ARM_ERROR_IDENTITY);
	assert_true(fake_transport_request(net(&f), 0)->canceled);
	assert_true(fake_transport_request(net(&f), 1)->canceled);
	teardown(&f);
}

static void the_report_never_holds_a_token(void **state)
{
	struct fixture f;
	json_t *report;
	mdc_autofree char *text = NULL;

	(void)state;
	setup(&f);
	answers_token(&f, "very-secret-token", 3600);
	asked(&f);
	report = credentials_report(f.credentials);
	text = json_dumps(report, 0);
	assert_null(strstr(text, "very-secret-token"));
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(report, 0), "expires")),
		"2026-11-24T15:00:00Z");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(report, 0), "state")), "valid");
	json_decref(report);
	teardown(&f);
}

static const char *report_text(json_t *report, const char *name)
{
	return json_string_value(json_object_get(json_array_get(report, 0), name));
}

static void a_secret_that_ends_is_warned_of_in_steps(void **state)
{
	/* It is 2026-11-24; the secret ends with 2027-01-31. */
	static const struct {
		struct dur later;
		unsigned entries;
		const char *warning; /* NULL: none yet */
	} rows[] = {
		{DUR_DAYS(0), 0, NULL},
		{DUR_DAYS(38), 0, NULL},
		{DUR_DAYS(1), 1, "the client secret /secret ends in 29 d"},
		{DUR_DAYS(1), 1, "the client secret /secret ends in 28 d"},
		{DUR_DAYS(22), 2, "the client secret /secret ends in 6 d"},
		{DUR_DAYS(6), 3, "the client secret /secret ends in "},
		{DUR_DAYS(1), 4, "the client secret /secret has ended"},
		{DUR_DAYS(1), 4, "the client secret /secret has ended"},
	};
	struct fixture f;

	(void)state;
	setup(&f);
	assert_int_equal(
		wall_parse_date_end("2027-01-31", &f.small.identities[0].secret_expires), 0);
	configure(&f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *report;
		const char *warning;

		pass(&f, rows[i].later);
		answers_token(&f, "t", 3600);
		asked(&f);
		report = credentials_report(f.credentials);
		assert_string_equal(
			report_text(report, "credential_expires"), "2027-01-31T23:59:59Z");
		warning = report_text(report, "warning");
		if (rows[i].warning == NULL)
			assert_null(warning);
		else if (warning == NULL || !str_starts_nocase(warning, rows[i].warning))
			fail_msg("row %zu: %s", i, warning);
		assert_int_equal(
			log_capture_count(f.fake.capture, LOG_CREDENTIAL_MESSAGE), rows[i].entries);
		json_decref(report);
	}
	assert_int_equal(
		captured_priority(log_capture_entry(f.fake.capture, LOG_CREDENTIAL_MESSAGE, 0)),
		LOG_WARNING);
	teardown(&f);
}

static void a_new_end_is_known_with_the_next_sign_in(void **state)
{
	struct fixture f;
	struct told other;
	json_t *report;

	(void)state;
	setup(&f);
	assert_int_equal(
		wall_parse_date_end("2026-12-01", &f.small.identities[0].secret_expires), 0);
	configure(&f);
	answers_token(&f, "t", 3600);
	answers_token(&f, "u", 3600);
	asked(&f);
	/* Once for an identity, whatever it signs in for. */
	credentials_get(f.credentials, "main", DEFENDER, note, &other);
	pass(&f, DUR_S(1));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_CREDENTIAL_MESSAGE), 1);
	assert_int_equal(
		wall_parse_date_end("2028-12-01", &f.small.identities[0].secret_expires), 0);
	configure(&f);
	answers_token(&f, "t", 3600);
	asked(&f);
	report = credentials_report(f.credentials);
	assert_null(report_text(report, "warning"));
	json_decref(report);
	teardown(&f);
}

static void a_credential_that_systemd_copied_needs_a_restart(void **state)
{
	static const char file[] = "/run/credentials/mdcd.service/secret";
	struct fixture f;
	json_t *report;

	(void)state;
	setup(&f);
	memory_files_put(f.fake.world.secrets, file, SECRET);
	f.small.identities[0].secret_file = (char *)file;
	assert_int_equal(
		wall_parse_date_end("2026-12-01", &f.small.identities[0].secret_expires), 0);
	configure(&f);
	answers_token(&f, "t", 3600);
	asked(&f);
	report = credentials_report(f.credentials);
	assert_non_null(strstr(report_text(report, "warning"), "restart that once"));
	json_decref(report);
	teardown(&f);
}

static void it_can_be_freed_at_any_moment(void **state)
{
	(void)state;
	for (unsigned moment = 0; moment < 4; moment++) {
		struct fixture f;
		struct told t[2];

		setup(&f);
		answers_token(&f, "t", 3600);
		ask(&f, &t[0]);
		if (moment > 0)
			loop_virtual_settle(f.fake.world.loop);
		if (moment > 1)
			ask(&f, &t[1]);
		if (moment > 2)
			pass(&f, DUR_S(1));
		teardown(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_request_serves_all_who_wait),
		cmocka_unit_test(audiences_and_identities_have_tokens_of_their_own),
		cmocka_unit_test(a_cancelled_waiter_hears_nothing),
		cmocka_unit_test(tokens_are_renewed_ahead_of_time),
		cmocka_unit_test(a_token_is_not_given_in_its_last_minutes),
		cmocka_unit_test(a_failed_renewal_does_not_matter_while_the_old_one_is_good),
		cmocka_unit_test(a_secret_that_will_run_out_is_told_ahead_of_time),
		cmocka_unit_test(a_refusal_is_remembered_for_a_minute),
		cmocka_unit_test(a_mended_secret_is_used_at_once),
		cmocka_unit_test(retry_after_is_honoured),
		cmocka_unit_test(an_identity_that_fails_is_logged_once),
		cmocka_unit_test(lifetimes_may_be_text_and_are_capped),
		cmocka_unit_test(a_token_that_ran_out_on_its_way_is_no_token),
		cmocka_unit_test(broken_connections_are_trouble_that_passes),
		cmocka_unit_test(a_refused_token_is_not_given_again),
		cmocka_unit_test(a_service_that_refuses_all_tokens_makes_no_storm),
		cmocka_unit_test(unknown_identities_have_no_tokens),
		cmocka_unit_test(a_reload_keeps_tokens_of_what_did_not_change),
		cmocka_unit_test(a_reload_serves_waiters_under_the_new_configuration),
		cmocka_unit_test(the_report_never_holds_a_token),
		cmocka_unit_test(a_secret_that_ends_is_warned_of_in_steps),
		cmocka_unit_test(a_new_end_is_known_with_the_next_sign_in),
		cmocka_unit_test(a_credential_that_systemd_copied_needs_a_restart),
		cmocka_unit_test(it_can_be_freed_at_any_moment),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
