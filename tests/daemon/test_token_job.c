/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in at Entra: by a secret, a certificate, the token of another issuer. */
#include "tests/harness/signing_keys.h"
#include "tests/harness/token_fixture.h"

#define PEM_FILE "/main.pem"

static void a_secret_is_traded_for_a_token(void **state)
{
	struct fixture f;
	struct told t;
	const struct http_request *r;

	(void)state;
	setup(&f);
	answers(&f, 200, GOOD, NULL);
	t = sign_in(&f);
	assert_string_equal(t.token, "tok.en-1");
	assert_int_equal(fake_transport_count(net(&f)), 1);
	r = &fake_transport_request(net(&f), 0)->request;
	assert_string_equal(r->method, "POST");
	assert_string_equal(r->url, "https://login.test/" SMALL_TENANT "/oauth2/v2.0/token");
	assert_string_equal(r->body,
		"grant_type=client_credentials&client_id=" SMALL_CLIENT
		"&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
		"&client_secret=s3cr~t%2B%2F%3D%26%25");
	assert_string_equal(fake_transport_header(net(&f), 0, "content-type"),
		"application/x-www-form-urlencoded");
	assert_true(str_is_guid(fake_transport_header(net(&f), 0, "client-request-id")));
	assert_null(fake_transport_header(net(&f), 0, "authorization"));
	assert_string_equal(fake_transport_request(net(&f), 0)->ca_file, "/ca.pem");
	assert_int_equal(f.requests, 1);
	assert_int_equal(t.outcome.lifetime.ms, 3599000);
	teardown(&f);
}

static void a_legacy_audience_keeps_its_slash(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	f.audience = "https://management.core.windows.net/";
	answers(&f, 200, GOOD, NULL);
	sign_in(&f);
	assert_non_null(strstr(fake_transport_request(net(&f), 0)->request.body,
		"scope=https%3A%2F%2Fmanagement.core.windows.net%2F%2F.default"));
	teardown(&f);
}

static const char *form_value(const char *body, const char *name)
{
	static char value[8192];
	const char *at = strstr(body, name);

	assert_non_null(at);
	at += strlen(name);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "&"), at);
	return value;
}

static void a_certificate_proves_who_asks(void **state)
{
	struct signing_keys *keys = signing_keys_new(2048);
	mdc_autofree char *pem = signing_keys_encrypted_pem(keys, "open sesame");
	mdc_autofree char *first = NULL;
	struct fixture f;
	const char *body;

	(void)state;
	setup(&f);
	memory_files_put(f.fake.world.secrets, PEM_FILE, pem);
	memory_files_put(f.fake.world.secrets, "/password", "open sesame\n");
	f.small.identities[0].method = IDENTITY_CLIENT_CERTIFICATE;
	f.small.identities[0].secret_file = NULL;
	f.small.identities[0].certificate = (char *)PEM_FILE;
	f.small.identities[0].certificate_password_file = (char *)"/password";
	answers(&f, 200, GOOD, NULL);
	answers(&f, 200, GOOD, NULL);
	assert_string_equal(sign_in(&f).token, "tok.en-1");
	body = fake_transport_request(net(&f), 0)->request.body;
	assert_non_null(strstr(body,
		"&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3A"
		"jwt-bearer"));
	first = xstrdup(form_value(body, "client_assertion="));
	assert_true(signing_keys_verify(keys, first));
	sign_in(&f);
	body = fake_transport_request(net(&f), 1)->request.body;
	assert_string_not_equal(form_value(body, "client_assertion="), first);
	assert_int_equal(memory_files_reads(f.fake.world.secrets), 4);
	teardown(&f);
	signing_keys_free(keys);
}

static void a_pkcs12_file_proves_who_asks_and_is_sent_along_where_wanted(void **state)
{
	struct signing_keys *keys = signing_keys_issue("ours", NULL, 20);
	mdc_autofree char *der = signing_keys_der_base64(keys);
	mdc_autofree char *file = NULL, *jwt = NULL, *header = NULL;
	struct fixture f;
	struct told t;
	size_t len;

	(void)state;
	setup(&f);
	file = signing_keys_pkcs12(keys, NULL, "open sesame", &len);
	memory_files_put_bytes(files(&f), "/main.pfx", file, len);
	memory_files_put(files(&f), "/password", "open sesame\n");
	identity_of(&f)->method = IDENTITY_CLIENT_CERTIFICATE;
	identity_of(&f)->certificate = (char *)"/main.pfx";
	identity_of(&f)->certificate_password_file = (char *)"/password";
	identity_of(&f)->certificate_chain = true;
	answers(&f, 200, GOOD, NULL);
	t = sign_in(&f);
	assert_string_equal(t.token, "tok.en-1");
	jwt = xstrdup(
		form_value(fake_transport_request(net(&f), 0)->request.body, "client_assertion="));
	assert_true(signing_keys_verify(keys, jwt));
	header = signing_keys_decode(jwt, strcspn(jwt, "."), &len);
	assert_non_null(strstr(header, der));
	assert_true(t.outcome.credential_expires.ms > 0);
	teardown(&f);
	signing_keys_free(keys);
}

static void the_token_of_another_issuer_is_read_for_each_request(void **state)
{
	struct fixture f;
	struct told t;
	const char *body;

	(void)state;
	setup(&f);
	identity_of(&f)->method = IDENTITY_WORKLOAD;
	identity_of(&f)->federated_token_file = (char *)"/token";
	memory_files_put(files(&f), "/token", "eyJ.first.sig\n");
	answers(&f, 200, GOOD, NULL);
	t = sign_in(&f);
	assert_string_equal(t.token, "tok.en-1");
	assert_false(wall_is_set(t.outcome.credential_expires));
	body = fake_transport_request(net(&f), 0)->request.body;
	assert_string_equal(form_value(body, "client_id="), SMALL_CLIENT);
	assert_string_equal(form_value(body, "client_assertion="), "eyJ.first.sig");
	assert_string_equal(form_value(body, "client_assertion_type="),
		"urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer");
	assert_null(strstr(body, "client_secret"));
	memory_files_put(files(&f), "/token", "eyJ.second.sig");
	answers(&f, 200, GOOD, NULL);
	sign_in(&f);
	assert_string_equal(
		form_value(fake_transport_request(net(&f), 1)->request.body, "client_assertion="),
		"eyJ.second.sig");
	teardown(&f);
}

static void a_secret_is_one_line_of_text(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *says;
	} rows[] = {
		{"", 0, "is empty"},
		{"\n", 1, "is empty"},
		{"a\nb", 3, "is not one line of text"},
		{"a\0b", 3, "is not one line of text"},
		{"a\n\n", 3, "is not one line of text"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct told t;

		setup(&f);
		memory_files_put_bytes(files(&f), SMALL_SECRET_FILE, rows[i].text, rows[i].len);
		t = sign_in(&f);
		assert_fails(&t, ARM_ERROR_IDENTITY, rows[i].says);
		assert_int_equal(fake_transport_count(net(&f)), 0);
		identity_of(&f)->method = IDENTITY_WORKLOAD;
		identity_of(&f)->federated_token_file = (char *)SMALL_SECRET_FILE;
		t = sign_in(&f);
		assert_fails(&t, ARM_ERROR_IDENTITY, "federated-token-file " SMALL_SECRET_FILE);
		teardown(&f);
	}
}

static void what_was_signed_in_with_is_known_to_end(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	assert_true(wall_parse_date_end("2027-01-31", &identity_of(&f)->secret_expires) == 0);
	answers(&f, 200, GOOD, NULL);
	assert_int_equal(
		sign_in(&f).outcome.credential_expires.ms, identity_of(&f)->secret_expires.ms);
	/* Also when it is too late. */
	answers(&f, 401, "{\"error\":\"invalid_client\"}", NULL);
	assert_int_equal(
		sign_in(&f).outcome.credential_expires.ms, identity_of(&f)->secret_expires.ms);
	teardown(&f);
}

static void what_is_no_token_is_refused(void **state)
{
	static const char *const bodies[] = {
		"",
		"<html>captive portal</html>",
		"[]",
		"{}",
		"{\"access_token\":7,\"expires_in\":3600}",
		"{\"access_token\":\"\",\"expires_in\":3600}",
		"{\"access_token\":\"a b\",\"expires_in\":3600}",
		"{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":3600}",
		"{\"access_token\":\"\\u00e4\",\"expires_in\":3600}",
		"{\"access_token\":\"a\\u0000b\",\"expires_in\":3600}",
		"{\"access_token\":\"t\"}",
		"{\"access_token\":\"t\",\"expires_in\":0}",
		"{\"access_token\":\"t\",\"expires_in\":-5}",
		"{\"access_token\":\"t\",\"expires_in\":\"soon\"}",
		"{\"access_token\":\"t\",\"expires_in\":null}",
		"{\"access_token\":\"t\",\"expires_in\":3600,\"token_type\":\"pop\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct fixture f;
		struct told t;

		setup(&f);
		answers(&f, 200, bodies[i], NULL);
		t = sign_in(&f);
		if (t.outcome.failure.class != ARM_ERROR_TRANSIENT)
			fail_msg("%s: class %d", bodies[i], t.outcome.failure.class);
		teardown(&f);
	}
}

static void sizes_are_capped(void **state)
{
	char *token = xmalloc(200 * 1024);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		size_t len = i == 0 ? 33 * 1024 : 150 * 1024;
		mdc_autofree char *body = NULL;
		struct fixture f;

		memset(token, 'x', len);
		token[len] = '\0';
		body = xasprintf("{\"access_token\":\"%s\",\"expires_in\":3600}", token);
		setup(&f);
		answers(&f, 200, body, NULL);
		assert_int_equal(sign_in(&f).outcome.failure.class, ARM_ERROR_TRANSIENT);
		teardown(&f);
	}
	free(token);
}

static void statuses_of_the_endpoint_say_whose_fault_it_is(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum arm_error_class class;
	} rows[] = {
		{400,
			"{\"error\":\"unauthorized_client\",\"error_description\":\"AADSTS700016: "
			"x\"}",
			ARM_ERROR_IDENTITY},
		{400, "", ARM_ERROR_IDENTITY},
		{400, "{\"error\":\"temporarily_unavailable\"}", ARM_ERROR_TRANSIENT},
		{401, "", ARM_ERROR_IDENTITY},
		{404, "<html>", ARM_ERROR_IDENTITY},
		{408, "", ARM_ERROR_TRANSIENT},
		{302, "", ARM_ERROR_TRANSIENT},
		{204, "", ARM_ERROR_TRANSIENT},
		{500, "{\"error\":\"invalid_client\"}", ARM_ERROR_TRANSIENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		setup(&f);
		answers(&f, rows[i].status, rows[i].body, NULL);
		assert_int_equal(sign_in(&f).outcome.failure.class, rows[i].class);
		teardown(&f);
	}
}

static void what_is_not_configured_right_is_said(void **state)
{
	static const struct {
		enum identity_method method;
		const char *login, *client, *certificate;
		const char *says;
	} rows[] = {
		{IDENTITY_CLIENT_SECRET, "http://login.test", SMALL_CLIENT, NULL, "https"},
		{IDENTITY_CLIENT_SECRET, "https://login.test", NULL, NULL, "client"},
		{IDENTITY_CLIENT_CERTIFICATE, "https://login.test", SMALL_CLIENT, NULL,
			"certificate"},
		{IDENTITY_CLIENT_CERTIFICATE, "https://login.test", SMALL_CLIENT, SMALL_SECRET_FILE,
			"PEM"},
		{IDENTITY_WORKLOAD, "https://login.test", SMALL_CLIENT, NULL,
			"federated-token-file"},
		{IDENTITY_WORKLOAD, "https://login.test", NULL, NULL, "client"},
		{IDENTITY_CLIENT_CERTIFICATE, "https://login.test", NULL, SMALL_SECRET_FILE,
			"client"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct told t;

		setup(&f);
		f.small.clouds[0].login = (char *)rows[i].login;
		f.small.identities[0].method = rows[i].method;
		f.small.identities[0].client = (char *)rows[i].client;
		f.small.identities[0].certificate = (char *)rows[i].certificate;
		t = sign_in(&f);
		assert_int_equal(t.outcome.failure.class, ARM_ERROR_IDENTITY);
		if (strstr(t.outcome.failure.message, rows[i].says) == NULL)
			fail_msg("%s", t.outcome.failure.message);
		assert_int_equal(fake_transport_count(net(&f)), 0);
		teardown(&f);
	}
}

static void refusals_of_entra_say_what_to_do(void **state)
{
	static const struct {
		const char *code;
		const char *says;
	} rows[] = {
		{"AADSTS7000215", "; write the value of the secret into secret-file, not its id"},
		{"AADSTS7000222", "; make a new secret in Entra and write it into secret-file"},
		{"AADSTS700016", "; check client and tenant of the identity"},
		{"AADSTS700027", "; add this certificate to the application in Entra"},
		{"AADSTS70021", "; compare the federated credentials of the application"},
		{"AADSTS700211", "; compare the federated credentials of the application"},
		{"AADSTS700212", "; compare the federated credentials of the application"},
		{"AADSTS700213", "; compare the federated credentials of the application"},
		{"AADSTS90002", "; check tenant and cloud of the identity"},
		{"AADSTS500011", "; check audience of the cloud"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *body = xasprintf("{\"error\":\"invalid_client\","
						    "\"error_description\":\"%s: No. Trace ID: "
						    "11 Correlation ID: 22\"}",
			rows[i].code);
		struct fixture f;
		struct told t;

		setup(&f);
		answers(&f, 401, body, NULL);
		t = sign_in(&f);
		assert_string_equal(t.outcome.failure.code, rows[i].code);
		assert_fails(&t, ARM_ERROR_IDENTITY, rows[i].says);
		/* What support wants is still there. */
		assert_fails(&t, ARM_ERROR_IDENTITY, ". Trace ID: 11 Correlation ID: 22");
		teardown(&f);
	}
}

static void a_wrong_clock_is_told_where_it_may_be_the_reason(void **state)
{
	/* It is 14:00. */
	static const struct {
		const char *date;
		const char *says; /* NULL: nothing of a clock */
	} rows[] = {
		{"Date: Tue, 24 Nov 2026 13:00:00 GMT", "the clock of this machine is 1 h ahead"},
		{"Date: Tue, 24 Nov 2026 14:20:30 GMT",
			"the clock of this machine is 20 min behind"},
		{"Date: Tue, 24 Nov 2026 14:01:00 GMT", NULL},
		{"Date: yesterday", NULL},
		{NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct told t;

		setup(&f);
		answers(&f, 401,
			"{\"error\":\"invalid_client\",\"error_description\":\"AADSTS700024: "
			"Client assertion is not within its valid time range.\"}",
			rows[i].date);
		t = sign_in(&f);
		if (rows[i].says != NULL)
			assert_fails(&t, ARM_ERROR_IDENTITY, rows[i].says);
		else
			assert_null(strstr(t.outcome.failure.message, "clock"));
		teardown(&f);
	}
}

static void the_end_of_a_token_is_the_earlier_of_two(void **state)
{
	/* It is 1795528800. */
	static const struct {
		const char *ends;
		int64_t lifetime; /* 0: refused */
	} rows[] = {
		{"\"expires_in\":\"86400\",\"expires_on\":\"1795529800\"", 1000},
		{"\"expires_in\":\"600\",\"expires_on\":\"1795615200\"", 600},
		{"\"expires_on\":1795529800", 1000},
		{"\"expires_in\":600,\"expires_on\":\"soon\"", 600},
		{"\"expires_in\":600,\"expires_on\":\"1795528000\"", 0},
		{"\"expires_on\":\"99999999999999999999999\"", 0},
		{"\"expires_on\":\"999999999999999\"", 172800},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *body =
			xasprintf("{\"access_token\":\"tok.en-1\",%s}", rows[i].ends);
		struct fixture f;
		struct told t;

		setup(&f);
		fake_transport_answer(net(&f), &(struct fake_answer){.status = 200, .body = body});
		t = sign_in(&f);
		if (rows[i].lifetime > 0)
			assert_int_equal(t.outcome.lifetime.ms, rows[i].lifetime * 1000);
		else
			assert_int_equal(t.outcome.failure.class, ARM_ERROR_TRANSIENT);
		teardown(&f);
	}
}

static void a_retry_after_is_passed_on(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	setup(&f);
	answers(&f, 429, "", "Retry-After: 300");
	t = sign_in(&f);
	assert_int_equal(t.outcome.failure.class, ARM_ERROR_THROTTLED);
	assert_int_equal(t.outcome.retry_after.ms, 300000);
	teardown(&f);
}

static void a_freed_job_ends_nothing(void **state)
{
	(void)state;
	for (unsigned moment = 0; moment < 3; moment++) {
		struct fixture f;
		struct told t = {0};
		struct identity *id;
		struct token_job *job;

		setup(&f);
		id = identity_new(&f.small.identities[0]);
		answers(&f, 200, GOOD, NULL);
		job = token_job_new(&f.fake.world, id, &(struct token_wish){.audience = SMALL_ARM},
			&f.requests, note, &t);
		if (moment == 1)
			loop_virtual_settle(f.fake.world.loop);
		if (moment == 2)
			loop_virtual_step(f.fake.world.loop);
		token_job_free(job);
		loop_virtual_run_for(f.fake.world.loop, DUR_S(1));
		assert_int_equal(t.times, moment == 2);
		identity_drop(id);
		teardown(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_traded_for_a_token),
		cmocka_unit_test(a_legacy_audience_keeps_its_slash),
		cmocka_unit_test(a_certificate_proves_who_asks),
		cmocka_unit_test(a_pkcs12_file_proves_who_asks_and_is_sent_along_where_wanted),
		cmocka_unit_test(the_token_of_another_issuer_is_read_for_each_request),
		cmocka_unit_test(a_secret_is_one_line_of_text),
		cmocka_unit_test(what_was_signed_in_with_is_known_to_end),
		cmocka_unit_test(what_is_no_token_is_refused),
		cmocka_unit_test(sizes_are_capped),
		cmocka_unit_test(statuses_of_the_endpoint_say_whose_fault_it_is),
		cmocka_unit_test(what_is_not_configured_right_is_said),
		cmocka_unit_test(refusals_of_entra_say_what_to_do),
		cmocka_unit_test(a_wrong_clock_is_told_where_it_may_be_the_reason),
		cmocka_unit_test(the_end_of_a_token_is_the_earlier_of_two),
		cmocka_unit_test(a_retry_after_is_passed_on),
		cmocka_unit_test(a_freed_job_ends_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("token_job", tests, NULL, NULL);
}
