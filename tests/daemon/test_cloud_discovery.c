/* SPDX-License-Identifier: Apache-2.0 */
/* What a resource-manager says of its cloud is told to the administrator, and never used by itself.
 */
#include "daemon/cloud_discovery.h"

#include "tests/harness/token_fixture.h"

#define ENDPOINTS(login, audiences) \
	"{\"name\":\"Lab\",\"resourceManager\":\"https://management.azure.com/\"," \
	"\"authentication\":{\"loginEndpoint\":" login ",\"audiences\":" audiences \
	",\"tenant\":\"common\",\"identityProvider\":\"AAD\"},\"suffixes\":{\"storage\":\"x\"}}"
#define OURS "[\"https://management.core.windows.net/\",\"https://Management.Azure.com/\"]"

static int read_text(const char *body, struct cloud_endpoints *ret)
{
	return cloud_discovery_read(body, strlen(body), SMALL_ARM, ret);
}

static void endpoints_are_read_also_behind_a_byte_order_mark(void **state)
{
	static const char *const bodies[] = {ENDPOINTS("\"https://login.lab.test/\"", OURS),
		"\xef\xbb\xbf" ENDPOINTS("\"https://login.lab.test\"", OURS)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct cloud_endpoints e;

		assert_int_equal(read_text(bodies[i], &e), 0);
		assert_string_equal(e.login, "https://login.lab.test");
		assert_string_equal(e.audience, "https://management.core.windows.net/");
		assert_true(e.known);
	}
}

static void what_no_configuration_could_hold_is_no_login(void **state)
{
	static const char *const bodies[] = {"", "\xef\xbb\xbf", "\xef\xbb", "<html>", "[]", "{}",
		"{\"authentication\":[]}", ENDPOINTS("7", OURS), ENDPOINTS("\"\"", OURS),
		ENDPOINTS("\"login.test\"", OURS), ENDPOINTS("\"http://login.test\"", OURS),
		ENDPOINTS("\"https://adfs.test/adfs\"", OURS),
		ENDPOINTS("\"https://login.test/?x\"", OURS),
		ENDPOINTS("\"https://login.test#x\"", OURS),
		ENDPOINTS("\"https://a@login.test\"", OURS),
		ENDPOINTS("\"https://login.test\\u001b[2J\"", OURS)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct cloud_endpoints e = {.login = "untouched"};

		assert_int_equal(read_text(bodies[i], &e), -EINVAL);
		assert_string_equal(e.login, "untouched");
	}
}

static void sizes_are_capped(void **state)
{
	mdc_autofree char *host = xcalloc(1, 301);
	mdc_autofree char *body = NULL, *large = xmalloc(300 * 1024);
	struct cloud_endpoints e;

	(void)state;
	memset(host, 'x', 300);
	body = xasprintf("{\"authentication\":{\"loginEndpoint\":\"https://%s\"}}", host);
	assert_int_equal(read_text(body, &e), -EINVAL);
	memset(large, ' ', 300 * 1024);
	memcpy(large, "{}", 2);
	assert_int_equal(cloud_discovery_read(large, 300 * 1024, SMALL_ARM, &e), -EINVAL);
}

static struct told sign_in_without_login(struct fixture *f, int status, const char *body)
{
	struct told t;

	setup(f);
	f->small.clouds[0].login = NULL;
	answers(f, status, body, NULL);
	t = sign_in(f);
	assert_int_equal(fake_transport_count(net(f)), 1);
	assert_string_equal(url_of(f, 0), SMALL_ARM "/metadata/endpoints?api-version=2022-09-01");
	assert_null(fake_transport_header(net(f), 0, "Authorization"));
	/* Nothing of the identity left this machine. */
	assert_null(fake_transport_request(net(f), 0)->request.body);
	assert_int_equal(memory_files_reads(files(f)), 0);
	return t;
}

static void a_login_host_is_told_and_never_used(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	t = sign_in_without_login(&f, 200, ENDPOINTS("\"https://login.lab.test/\"", OURS));
	assert_fails(&t, ARM_ERROR_IDENTITY,
		"cloud \"public\" has no login; its resource-manager names "
		"https://login.lab.test: if that is where you sign in, write login = "
		"\"https://login.lab.test\" into it");
	assert_null(strstr(t.outcome.failure.message, "audience"));
	teardown(&f);
}

static void so_is_an_audience_that_is_not_the_one_in_force(void **state)
{
	struct fixture f;
	struct told t;

	(void)state;
	t = sign_in_without_login(&f, 200,
		ENDPOINTS("\"https://login.lab.test/\"",
			"[7,\"x\",\"https://management.lab/1234\"]"));
	assert_fails(&t, ARM_ERROR_IDENTITY,
		"write login = \"https://login.lab.test\" and audience = "
		"\"https://management.lab/1234\" into it");
	teardown(&f);
}

static void a_cloud_that_does_not_say_it_is_told(void **state)
{
	static const int statuses[] = {200, 404, 500, 302};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct fixture f;
		struct told t = sign_in_without_login(&f, statuses[i], "");

		assert_fails(&t, ARM_ERROR_IDENTITY, "write login = \"https://HOST\" into it");
		teardown(&f);
	}
}

static void identities_that_sign_in_elsewhere_need_no_login(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	f.small.clouds[0].login = NULL;
	identity_of(&f)->method = IDENTITY_MANAGED;
	identity_of(&f)->client = NULL;
	answers(&f, 200, GOOD, NULL);
	assert_string_equal(sign_in(&f).token, "tok.en-1");
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_read_also_behind_a_byte_order_mark),
		cmocka_unit_test(what_no_configuration_could_hold_is_no_login),
		cmocka_unit_test(sizes_are_capped),
		cmocka_unit_test(a_login_host_is_told_and_never_used),
		cmocka_unit_test(so_is_an_audience_that_is_not_the_one_in_force),
		cmocka_unit_test(a_cloud_that_does_not_say_it_is_told),
		cmocka_unit_test(identities_that_sign_in_elsewhere_need_no_login),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cloud_discovery", tests, NULL, NULL);
}
