/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in with the token of the Azure CLI. */
#include "tests/harness/token_fixture.h"

/* It is 1795528800. */
#define OUTPUT \
	"{\n  \"accessToken\": \"tok.en-1\",\n  \"expiresOn\": \"2026-11-24 16:00:00.000000\",\n" \
	"  \"expires_on\": 1795532400,\n  \"subscription\": \"x\",\n  \"tenant\": \"" SMALL_TENANT \
	"\",\n  \"tokenType\": \"Bearer\"\n}\n"

struct cli {
	struct fixture f;
	struct identity *id;
	struct token_job *job;
	struct told told;
};

static void begin(struct cli *c)
{
	*c = (struct cli){0};
	setup(&c->f);
	identity_of(&c->f)->method = IDENTITY_AZURE_CLI;
	identity_of(&c->f)->client = NULL;
	identity_of(&c->f)->secret_file = NULL;
}

static struct child_processes *children(struct cli *c)
{
	return c->f.fake.world.children;
}

static void ask(struct cli *c)
{
	c->id = identity_new(identity_of(&c->f));
	c->job = token_job_new(&c->f.fake.world, c->id,
		&(struct token_wish){.audience = c->f.audience}, &c->f.requests, note, &c->told);
	loop_virtual_settle(c->f.fake.world.loop);
}

static void end(struct cli *c)
{
	token_job_free(c->job);
	identity_drop(c->id);
	assert_int_equal(fake_transport_count(net(&c->f)), 0);
	teardown(&c->f);
}

static void ends_with(struct cli *c, int status, const char *output)
{
	assert_int_equal(c->told.times, 0);
	fake_children_end(children(c), status, output);
	assert_int_equal(c->told.times, 0);
	loop_virtual_settle(c->f.fake.world.loop);
	assert_int_equal(c->told.times, 1);
}

static void az_is_asked_for_a_token_of_the_tenant(void **state)
{
	struct cli c;

	(void)state;
	begin(&c);
	ask(&c);
	assert_string_equal(fake_children_command(children(&c)),
		"az account get-access-token --output json --scope "
		"https://management.azure.com/.default --tenant " SMALL_TENANT);
	ends_with(&c, 0, OUTPUT);
	assert_string_equal(c.told.token, "tok.en-1");
	assert_int_equal(c.told.outcome.lifetime.ms, 3600000);
	end(&c);
}

static void what_az_says_is_not_believed_blindly(void **state)
{
	static const struct {
		const char *output;
		enum arm_error_class class;
		const char *says;
	} rows[] = {
		{"", ARM_ERROR_IDENTITY, "not JSON"},
		{"WARNING: x\n", ARM_ERROR_IDENTITY, "not JSON"},
		{"[]", ARM_ERROR_IDENTITY, "not JSON"},
		{"{}", ARM_ERROR_IDENTITY, "no access token"},
		{"{\"accessToken\":\"a b\",\"expires_on\":1795532400}", ARM_ERROR_IDENTITY,
			"no access token"},
		{"{\"accessToken\":\"a\\r\\nb\",\"expires_on\":1795532400}", ARM_ERROR_IDENTITY,
			"no access token"},
		{"{\"accessToken\":\"t\",\"expiresOn\":\"2026-11-24 16:00:00\"}",
			ARM_ERROR_IDENTITY, "version 2.54"},
		{"{\"accessToken\":\"t\",\"expires_on\":\"1795532400\"}", ARM_ERROR_IDENTITY,
			"version 2.54"},
		{"{\"accessToken\":\"t\",\"expires_on\":-1}", ARM_ERROR_IDENTITY, "version 2.54"},
		{"{\"accessToken\":\"t\",\"expires_on\":9000000000000000000}", ARM_ERROR_IDENTITY,
			"version 2.54"},
		{"{\"accessToken\":\"t\",\"expires_on\":1795528800}", ARM_ERROR_TRANSIENT,
			"run out already"},
		{"{\"accessToken\":\"t\",\"expires_on\":1795532400,\"tenant\":\"other\"}",
			ARM_ERROR_IDENTITY, "another tenant"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cli c;

		begin(&c);
		ask(&c);
		ends_with(&c, 0, rows[i].output);
		assert_fails(&c.told, rows[i].class, rows[i].says);
		end(&c);
	}
}

static void what_az_complains_of_is_passed_on(void **state)
{
	static const struct {
		int status;
		const char *output;
		enum arm_error_class class;
		const char *says;
	} rows[] = {
		{1, "ERROR: Please run 'az login' to setup account.\n", ARM_ERROR_IDENTITY,
			"az: Please run 'az login' to setup account.  (status 1)"},
		{1, "", ARM_ERROR_IDENTITY, "az: failed without a word (status 1)"},
		{137, "a\nb", ARM_ERROR_IDENTITY, "az: a b (status 137)"},
		{-ETIMEDOUT, "", ARM_ERROR_TRANSIENT, "az: Connection timed out"},
		{-EFBIG, "", ARM_ERROR_TRANSIENT, "az: File too large"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cli c;

		begin(&c);
		ask(&c);
		ends_with(&c, rows[i].status, rows[i].output);
		assert_fails(&c.told, rows[i].class, rows[i].says);
		end(&c);
	}
}

static void without_az_that_is_said(void **state)
{
	static const struct {
		int error;
		const char *says;
	} rows[] = {{-ENOENT, "(az) is not in the PATH"}, {-EACCES, "Permission denied"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cli c;

		begin(&c);
		fake_children_refuse(children(&c), rows[i].error);
		ask(&c);
		assert_fails(&c.told, ARM_ERROR_IDENTITY, rows[i].says);
		end(&c);
	}
}

static void nothing_but_a_url_is_handed_to_a_program(void **state)
{
	static const char *const audiences[] = {
		"--debug", "https://a b", "https://a;id", "https://a\nb", "file:///etc/shadow", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(audiences); i++) {
		struct cli c;

		begin(&c);
		c.f.audience = audiences[i];
		ask(&c);
		assert_int_equal(c.told.outcome.failure.class, ARM_ERROR_IDENTITY);
		assert_int_equal(fake_children_started(children(&c)), 0);
		end(&c);
	}
}

static void a_job_that_is_freed_ends_az(void **state)
{
	struct cli c;

	(void)state;
	begin(&c);
	ask(&c);
	assert_true(fake_children_runs(children(&c)));
	c.job = token_job_free(c.job);
	assert_true(fake_children_was_cancelled(children(&c)));
	end(&c);
	/* After its end there is nothing to cancel. */
	begin(&c);
	ask(&c);
	fake_children_end(children(&c), 0, OUTPUT);
	c.job = token_job_free(c.job);
	assert_false(fake_children_was_cancelled(children(&c)));
	assert_int_equal(c.told.times, 0);
	end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(az_is_asked_for_a_token_of_the_tenant),
		cmocka_unit_test(what_az_says_is_not_believed_blindly),
		cmocka_unit_test(what_az_complains_of_is_passed_on),
		cmocka_unit_test(without_az_that_is_said),
		cmocka_unit_test(nothing_but_a_url_is_handed_to_a_program),
		cmocka_unit_test(a_job_that_is_freed_ends_az),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("token_cli", tests, NULL, NULL);
}
