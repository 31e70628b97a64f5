/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in as the managed identity of an Azure VM, or of an Arc machine. */
#include "tests/harness/token_fixture.h"

#define IMDS "http://169.254.169.254/metadata/identity/oauth2/token"
#define HIMDS "http://127.0.0.1:40342/metadata/identity/oauth2/token"
#define RESOURCE "&resource=https%3A%2F%2Fmanagement.azure.com"
#define KEYS "/var/opt/azcmagent/tokens/"
#define KEY KEYS "d2c8a1c3-6f0b-4d0e-8f1a-3a5b7c9d1e2f.key"
#define KEY_TEXT "s3cret-of+the/agent="
#define TOKEN \
	"\"access_token\":\"tok.en-1\",\"expires_in\":\"86399\",\"expires_on\":\"1795615199\"," \
	"\"not_before\":\"1795528799\",\"token_type\":\"Bearer\""

/* --- the metadata service of Azure VMs --- */

static void setup_vm(struct fixture *f)
{
	setup(f);
	identity_of(f)->method = IDENTITY_MANAGED;
	identity_of(f)->client = NULL;
	identity_of(f)->secret_file = NULL;
}

static void a_vm_asks_its_metadata_service(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	setup_vm(&f);
	answers(&f, 200, "{" TOKEN ",\"resource\":\"https://management.azure.com\"}", NULL);
	t = sign_in(&f);
	assert_string_equal(t.token, "tok.en-1");
	assert_int_equal(t.outcome.lifetime.ms, 86398900);
	assert_int_equal(fake_transport_count(net(&f)), 1);
	assert_string_equal(fake_transport_request(net(&f), 0)->request.method, "GET");
	assert_string_equal(url_of(&f, 0), IMDS "?api-version=2018-02-01" RESOURCE);
	assert_string_equal(fake_transport_header(net(&f), 0, "Metadata"), "true");
	assert_null(fake_transport_header(net(&f), 0, "X-Forwarded-For"));
	assert_null(fake_transport_header(net(&f), 0, "Authorization"));
	assert_null(fake_transport_request(net(&f), 0)->request.body);
	teardown(&f);
}

static void a_client_selects_an_identity_of_the_vm_and_no_other_is_taken(void **state)
{
	static const struct {
		const char *echo;
		bool taken;
	} rows[] = {
		{"", true},
		{",\"client_id\":\"" SMALL_CLIENT "\"", true},
		{",\"client_id\":\"33333333-3333-3333-3333-333333333333\"", false},
		{",\"client_id\":\"" SMALL_CLIENT SMALL_CLIENT "\"", false},
		{",\"client_id\":7", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *body = xasprintf("{" TOKEN "%s}", rows[i].echo);
		struct fixture f;
		struct told t;

		setup_vm(&f);
		identity_of(&f)->client = (char *)SMALL_CLIENT;
		answers(&f, 200, body, NULL);
		t = sign_in(&f);
		assert_string_equal(url_of(&f, 0),
			IMDS "?api-version=2018-02-01" RESOURCE "&client_id=" SMALL_CLIENT);
		if (rows[i].taken)
			assert_string_equal(t.token, "tok.en-1");
		else
			assert_fails(&t, ARM_ERROR_IDENTITY, "not known to be for client");
		teardown(&f);
	}
}

static void a_metadata_service_that_is_brought_up_to_date_is_tried_again(void **state)
{
	static const int statuses[] = {404, 429, 500, 503, 410};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		/* At 0, 2, 6, 14 and 30 s. */
		static const int64_t times[] = {0, 2100, 6200, 14300, 30400};
		struct fixture f;
		struct mono began;

		setup_vm(&f);
		for (unsigned k = 0; k < 4; k++)
			answers(&f, statuses[i], "", NULL);
		answers(&f, 200, "{" TOKEN "}", NULL);
		began = loop_mono(f.fake.world.loop);
		assert_string_equal(sign_in_within(&f, DUR_MIN(2)).token, "tok.en-1");
		assert_int_equal(fake_transport_count(net(&f)), ARRAY_LEN(times));
		for (unsigned k = 0; k < ARRAY_LEN(times); k++)
			assert_int_equal(
				mono_since(fake_transport_request(net(&f), (int)k)->at, began).ms,
				times[k]);
		teardown(&f);
	}
}

static void it_is_given_up_after_half_a_minute_or_an_update_s_time(void **state)
{
	static const struct {
		int status;
		unsigned tries;
		enum arm_error_class class;
	} rows[] = {
		{404, 5, ARM_ERROR_TRANSIENT},
		{503, 5, ARM_ERROR_TRANSIENT},
		{429, 5, ARM_ERROR_THROTTLED},
		{410, 7, ARM_ERROR_TRANSIENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		setup_vm(&f);
		fake_transport_answer(
			net(&f), &(struct fake_answer){.always = true, .status = rows[i].status});
		assert_int_equal(
			sign_in_within(&f, DUR_MIN(2)).outcome.failure.class, rows[i].class);
		assert_int_equal(fake_transport_count(net(&f)), rows[i].tries);
		teardown(&f);
	}
}

static void a_longer_time_that_the_service_names_is_waited_for_or_passed_on(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	setup_vm(&f);
	answers(&f, 429, "", "Retry-After: 20");
	answers(&f, 200, "{" TOKEN "}", NULL);
	assert_string_equal(sign_in_within(&f, DUR_MIN(2)).token, "tok.en-1");
	assert_int_equal(mono_since(fake_transport_request(net(&f), 1)->at,
				 fake_transport_request(net(&f), 0)->at)
				 .ms,
		20100);
	answers(&f, 429, "", "Retry-After: 300");
	t = sign_in(&f);
	assert_int_equal(t.outcome.failure.class, ARM_ERROR_THROTTLED);
	assert_int_equal(t.outcome.retry_after.ms, 300000);
	teardown(&f);
}

static void refusals_of_a_metadata_service_are_not_tried_again(void **state)
{
	static const struct {
		const char *client, *description, *says;
	} rows[] = {
		{NULL, "Identity not found", "; give the VM a system-assigned identity"},
		{SMALL_CLIENT, "Identity not found", "; assign the identity of that client"},
		{NULL,
			"Multiple user assigned identities exist, please specify the clientId / "
			"resourceId of the identity in the token request",
			"; write the client id of one of them as client"},
		{NULL, "Required metadata header not specified", "Required metadata header"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *body =
			xasprintf("{\"error\":\"invalid_request\",\"error_description\":\"%s\"}",
				rows[i].description);
		struct fixture f;
		struct told t;

		setup_vm(&f);
		identity_of(&f)->client = (char *)rows[i].client;
		answers(&f, 400, body, NULL);
		t = sign_in(&f);
		assert_fails(&t, ARM_ERROR_IDENTITY, rows[i].says);
		assert_int_equal(fake_transport_count(net(&f)), 1);
		teardown(&f);
	}
}

static void off_azure_nobody_answers_and_that_is_said(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	setup_vm(&f);
	fake_transport_answer(net(&f), &(struct fake_answer){.result = TRANSPORT_CONNECT});
	t = sign_in(&f);
	assert_fails(&t, ARM_ERROR_TRANSIENT, "managed-identity is for a daemon on an Azure VM");
	teardown(&f);
}

static void a_cluster_may_have_a_metadata_service_of_its_own(void **state)
{
	struct fixture f;

	(void)state;
	setup_vm(&f);
	fake_environment_set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:2579/");
	answers(&f, 200, "{" TOKEN "}", NULL);
	assert_string_equal(sign_in(&f).token, "tok.en-1");
	assert_true(str_starts_nocase(
		url_of(&f, 0), "http://127.0.0.1:2579/metadata/identity/oauth2/token?"));
	teardown(&f);
}

static void a_pause_can_be_given_up(void **state)
{
	struct fixture f;
	struct told t = {0};
	struct identity *id;
	struct token_job *job;

	(void)state;
	setup_vm(&f);
	id = identity_new(identity_of(&f));
	answers(&f, 503, "", NULL);
	job = token_job_new(&f.fake.world, id, &(struct token_wish){.audience = SMALL_ARM},
		&f.requests, note, &t);
	loop_virtual_run_for(f.fake.world.loop, DUR_S(1));
	token_job_free(job);
	loop_virtual_run_for(f.fake.world.loop, DUR_MIN(1));
	assert_int_equal(t.times, 0);
	assert_int_equal(fake_transport_count(net(&f)), 1);
	identity_drop(id);
	teardown(&f);
}

/* --- the Arc agent --- */

static void setup_arc(struct fixture *f)
{
	setup_vm(f);
	identity_of(f)->method = IDENTITY_ARC;
	memory_files_put(files(f), "/opt/azcmagent/bin/himds", "program");
	memory_files_put(files(f), KEY, KEY_TEXT);
}

static void challenges(struct fixture *f, const char *header)
{
	answers(f, 401, "", header);
}

static void an_arc_machine_shows_that_it_may_read_the_agent_s_key(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	setup_arc(&f);
	challenges(&f, "WWW-Authenticate: Basic realm=" KEY);
	answers(&f, 200, "{" TOKEN "}", NULL);
	t = sign_in(&f);
	assert_string_equal(t.token, "tok.en-1");
	assert_int_equal(fake_transport_count(net(&f)), 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(url_of(&f, i), HIMDS "?api-version=2020-06-01" RESOURCE);
		assert_string_equal(fake_transport_header(net(&f), i, "Metadata"), "true");
	}
	assert_null(fake_transport_header(net(&f), 0, "Authorization"));
	/* As it stands in the file: it is in base64 already. */
	assert_string_equal(fake_transport_header(net(&f), 1, "Authorization"), "Basic " KEY_TEXT);
	teardown(&f);
}

static void the_name_of_a_key_may_stand_in_quotes(void **state)
{
	struct fixture f;

	(void)state;
	setup_arc(&f);
	challenges(&f, "WWW-Authenticate: Basic realm=\"" KEY "\"");
	answers(&f, 200, "{" TOKEN "}", NULL);
	assert_string_equal(sign_in(&f).token, "tok.en-1");
	teardown(&f);
}

/* Whoever took the port may ask for anything: nothing is read, and nothing is sent. */
static void no_other_file_is_read_for_anybody(void **state)
{
	static const char *const realms[] = {
		"Basic realm=/etc/shadow",
		"Basic realm=/etc/shadow.key",
		"Basic realm=" KEYS "../../../../etc/secret.key",
		"Basic realm=" KEYS "sub/x.key",
		"Basic realm=/var/opt/azcmagent/tokens.key",
		"Basic realm=/var/opt/azcmagent/tokens2/x.key",
		"Basic realm=/var/opt/azcmagent/../azcmagent/tokens/x.key",
		"Basic realm=//var/opt/azcmagent/tokens/x.key",
		"Basic realm=var/opt/azcmagent/tokens/x.key",
		"Basic realm=/VAR/opt/azcmagent/tokens/x.key",
		"Basic realm=" KEYS ".key",
		"Basic realm=" KEYS,
		"Basic realm=" KEYS "x.key.txt",
		"Basic realm=" KEYS "x.KEY",
		"Basic realm=" KEYS "x y.key",
		"Basic realm=" KEYS "x\\..\\y.key",
		"Basic realm=" KEYS "\xc3\xa4.key",
		"Basic realm=" KEY ", Basic realm=/etc/shadow",
		"Basic realm=\"" KEY,
		"Basic realm='" KEY "'",
		"Basic realm=",
		"Basic",
		"Digest realm=" KEY,
		"Bearer realm=" KEY,
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(realms); i++) {
		mdc_autofree char *header = xasprintf("WWW-Authenticate: %s", realms[i]);
		struct fixture f;
		struct told t;

		setup_arc(&f);
		challenges(&f, header);
		t = sign_in(&f);
		if (t.outcome.failure.class != ARM_ERROR_IDENTITY)
			fail_msg("%s: %s", realms[i], t.outcome.failure.message);
		assert_int_equal(fake_transport_count(net(&f)), 1);
		assert_int_equal(memory_files_reads(files(&f)), 0);
		teardown(&f);
	}
}

static void two_names_of_keys_are_none(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	setup_arc(&f);
	fake_transport_answer(net(&f),
		&(struct fake_answer){.status = 401,
			.headers = {"WWW-Authenticate: Basic realm=" KEY,
				"WWW-Authenticate: Basic realm=" KEY}});
	t = sign_in(&f);
	assert_fails(&t, ARM_ERROR_IDENTITY, "does not name the key");
	assert_int_equal(memory_files_reads(files(&f)), 0);
	teardown(&f);
}

static void a_long_name_is_not_looked_at(void **state)
{
	mdc_autofree char *name = xmalloc(600);
	mdc_autofree char *header = NULL;
	struct fixture f;
	struct told t;

	(void)state;
	memset(name, 'x', 599);
	name[599] = '\0';
	header = xasprintf("WWW-Authenticate: Basic realm=" KEYS "%s.key", name);
	setup_arc(&f);
	challenges(&f, header);
	t = sign_in(&f);
	assert_fails(&t, ARM_ERROR_IDENTITY, "none of its keys");
	teardown(&f);
}

static void a_key_that_is_none_is_not_sent(void **state)
{
	enum { ABSENT, LINK, LARGE, EMPTY, LINES, BINARY };
	static const char *const says[] = {"No such file", "it is a link", "larger than 4096 bytes",
		"one line of text", "one line of text", "one line of text"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(says); i++) {
		mdc_autofree char *large = xcalloc(1, 4098);
		struct fixture f;
		struct told t;

		memset(large, 'x', 4097);
		setup_arc(&f);
		memory_files_put(files(&f), KEY,
			i == ABSENT          ? NULL
				: i == LARGE ? large
				: i == EMPTY ? ""
				: i == LINES ? "a\r\nX-Evil: b"
					     : "a\xff");
		if (i == LINK)
			memory_files_put_link(files(&f), KEY, "root:x");
		challenges(&f, "WWW-Authenticate: Basic realm=" KEY);
		t = sign_in(&f);
		assert_fails(&t, ARM_ERROR_IDENTITY, says[i]);
		assert_int_equal(fake_transport_count(net(&f)), 1);
		teardown(&f);
	}
}

static void a_key_of_the_largest_size_is_sent(void **state)
{
	mdc_autofree char *large = xcalloc(1, 4097);
	struct fixture f;

	(void)state;
	memset(large, 'x', 4096);
	setup_arc(&f);
	memory_files_put(files(&f), KEY, large);
	challenges(&f, "WWW-Authenticate: Basic realm=" KEY);
	answers(&f, 200, "{" TOKEN "}", NULL);
	assert_string_equal(sign_in(&f).token, "tok.en-1");
	teardown(&f);
}

static void an_agent_has_to_ask_for_its_key(void **state)
{
	static const int statuses[] = {200, 202, 301, 400, 403, 404};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct fixture f;
		struct told t;

		setup_arc(&f);
		answers(&f, statuses[i], "{" TOKEN "}", "WWW-Authenticate: Basic realm=" KEY);
		t = sign_in(&f);
		assert_fails(&t, ARM_ERROR_IDENTITY, "has to ask for a key (401)");
		assert_int_equal(memory_files_reads(files(&f)), 0);
		teardown(&f);
	}
}

static void trouble_of_the_agent_passes(void **state)
{
	struct fixture f;

	(void)state;
	setup_arc(&f);
	answers(&f, 503, "", NULL);
	assert_int_equal(sign_in(&f).outcome.failure.class, ARM_ERROR_TRANSIENT);
	answers(&f, 429, "", "Retry-After: 7");
	assert_int_equal(sign_in(&f).outcome.retry_after.ms, 7000);
	challenges(&f, "WWW-Authenticate: Basic realm=" KEY);
	answers(&f, 500, "", NULL);
	assert_int_equal(sign_in(&f).outcome.failure.class, ARM_ERROR_TRANSIENT);
	challenges(&f, "WWW-Authenticate: Basic realm=" KEY);
	answers(&f, 401, "", "WWW-Authenticate: Basic realm=" KEY);
	assert_int_equal(sign_in(&f).outcome.failure.class, ARM_ERROR_IDENTITY);
	assert_int_equal(fake_transport_unexpected(net(&f)), 0);
	teardown(&f);
}

static void an_older_agent_that_ignores_the_client_is_not_believed(void **state)
{
	static const struct {
		const char *echo;
		bool taken;
	} rows[] = {
		{"", false},
		{",\"client_id\":\"33333333-3333-3333-3333-333333333333\"", false},
		{",\"client_id\":\"" SMALL_CLIENT "\"", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *body = xasprintf("{" TOKEN "%s}", rows[i].echo);
		struct fixture f;
		struct told t;

		setup_arc(&f);
		identity_of(&f)->client = (char *)SMALL_CLIENT;
		challenges(&f, "WWW-Authenticate: Basic realm=" KEY);
		answers(&f, 200, body, NULL);
		t = sign_in(&f);
		assert_non_null(strstr(url_of(&f, 1), "&client_id=" SMALL_CLIENT));
		if (rows[i].taken)
			assert_string_equal(t.token, "tok.en-1");
		else
			assert_fails(&t, ARM_ERROR_IDENTITY, "too old");
		teardown(&f);
	}
}

static void the_agent_is_found_by_its_files_or_the_environment(void **state)
{
	static const struct {
		const char *file, *endpoint, *imds;
		const char *asked; /* NULL: nobody */
	} rows[] = {
		{"/opt/azcmagent/bin/himds", NULL, NULL, HIMDS "?"},
		{"/var/opt/azcmagent/bin/himds", NULL, NULL, HIMDS "?"},
		{NULL, "http://localhost:4711/x", "http://localhost:4711",
			"http://localhost:4711/x?"},
		{NULL, "http://[::1]:4711/x", "y", "http://[::1]:4711/x?"},
		{NULL, "http://localhost:4711/x", NULL, NULL},
		{"/opt/azcmagent/bin/himds", "http://localhost:4711/x", NULL, HIMDS "?"},
		{NULL, NULL, NULL, NULL},
		{NULL, "http://10.0.0.1/x", "y", NULL},
		{NULL, "http://169.254.169.254/x", "y", NULL},
		{NULL, "http://localhost.evil.example/x", "y", NULL},
		{NULL, "http://127.0.0.1@evil.example/x", "y", NULL},
		{NULL, "http://localhost/x?y=z", "y", NULL},
		{NULL, "nonsense", "y", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct told t;

		setup_arc(&f);
		memory_files_put(files(&f), "/opt/azcmagent/bin/himds", NULL);
		if (rows[i].file != NULL)
			memory_files_put(files(&f), rows[i].file, "program");
		fake_environment_set("IDENTITY_ENDPOINT", rows[i].endpoint);
		fake_environment_set("IMDS_ENDPOINT", rows[i].imds);
		challenges(&f, "WWW-Authenticate: Basic realm=" KEY);
		answers(&f, 200, "{" TOKEN "}", NULL);
		t = sign_in(&f);
		assert_int_equal(fake_transport_count(net(&f)), rows[i].asked != NULL ? 2 : 0);
		if (rows[i].asked == NULL)
			assert_int_equal(t.outcome.failure.class, ARM_ERROR_IDENTITY);
		else
			assert_true(str_starts_nocase(url_of(&f, 1), rows[i].asked));
		teardown(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_asks_its_metadata_service),
		cmocka_unit_test(a_client_selects_an_identity_of_the_vm_and_no_other_is_taken),
		cmocka_unit_test(a_metadata_service_that_is_brought_up_to_date_is_tried_again),
		cmocka_unit_test(it_is_given_up_after_half_a_minute_or_an_update_s_time),
		cmocka_unit_test(a_longer_time_that_the_service_names_is_waited_for_or_passed_on),
		cmocka_unit_test(refusals_of_a_metadata_service_are_not_tried_again),
		cmocka_unit_test(off_azure_nobody_answers_and_that_is_said),
		cmocka_unit_test(a_cluster_may_have_a_metadata_service_of_its_own),
		cmocka_unit_test(a_pause_can_be_given_up),
		cmocka_unit_test(an_arc_machine_shows_that_it_may_read_the_agent_s_key),
		cmocka_unit_test(the_name_of_a_key_may_stand_in_quotes),
		cmocka_unit_test(no_other_file_is_read_for_anybody),
		cmocka_unit_test(two_names_of_keys_are_none),
		cmocka_unit_test(a_long_name_is_not_looked_at),
		cmocka_unit_test(a_key_that_is_none_is_not_sent),
		cmocka_unit_test(a_key_of_the_largest_size_is_sent),
		cmocka_unit_test(an_agent_has_to_ask_for_its_key),
		cmocka_unit_test(trouble_of_the_agent_passes),
		cmocka_unit_test(an_older_agent_that_ignores_the_client_is_not_believed),
		cmocka_unit_test(the_agent_is_found_by_its_files_or_the_environment),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("token_managed", tests, NULL, NULL);
}
