/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/token_job.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/fake_world.h"
#include "tests/harness/signing_keys.h"
#include "tests/harness/small_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PEM_FILE "/main.pem"
#define SECRET "s3cr~t+/=&%"

struct fixture {
	struct fake_world fake;
	struct small_config small;
	const char *audience;
	uint64_t requests;
};

static void setup(struct fixture *f)
{
	*f = (struct fixture){.audience = SMALL_ARM};
	fake_world_init(&f->fake, 7);
	small_config_init(&f->small);
	memory_files_put(f->fake.world.secrets, SMALL_SECRET_FILE, SECRET "\n");
}

static void teardown(struct fixture *f)
{
	fake_world_fini(&f->fake);
}

static struct transport *net(struct fixture *f)
{
	return f->fake.world.transport;
}

static void answers(struct fixture *f, int status, const char *body, const char *header)
{
	fake_transport_answer(net(f),
		&(struct fake_answer){
			.status = status, .body = body, .headers = {header}, .delay = DUR_MS(100)});
}

#define GOOD "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"tok.en-1\"}"

/* How a job ended. */
struct told {
	unsigned times;
	struct token_outcome outcome; /* without the token */
	char token[64];
};

static void note(void *ctx, struct token_outcome *o)
{
	struct told *t = ctx;

	t->times++;
	t->outcome = *o;
	assert_true((o->token != NULL) == (o->failure.class == ARM_ERROR_NONE));
	str_copy(t->token, sizeof(t->token), o->token != NULL ? o->token : "");
	t->outcome.token = NULL;
}

static struct told sign_in(struct fixture *f)
{
	struct told t = {0};
	struct identity *id = identity_new(&f->small.identities[0]);
	struct token_job *job =
		token_job_new(&f->fake.world, id, f->audience, &f->requests, note, &t);

	assert_int_equal(t.times, 0);
	loop_virtual_run_for(f->fake.world.loop, DUR_S(1));
	assert_int_equal(t.times, 1);
	token_job_free(job);
	identity_drop(id);
	return t;
}

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
		{IDENTITY_CLIENT_CERTIFICATE, "https://login.test", NULL, SMALL_SECRET_FILE,
			"client"},
		{IDENTITY_AZURE_CLI, "https://login.test", NULL, NULL, "azure-cli"},
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
		job = token_job_new(&f.fake.world, id, SMALL_ARM, &f.requests, note, &t);
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
		cmocka_unit_test(what_is_no_token_is_refused),
		cmocka_unit_test(sizes_are_capped),
		cmocka_unit_test(statuses_of_the_endpoint_say_whose_fault_it_is),
		cmocka_unit_test(what_is_not_configured_right_is_said),
		cmocka_unit_test(a_retry_after_is_passed_on),
		cmocka_unit_test(a_freed_job_ends_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("token_job", tests, NULL, NULL);
}
