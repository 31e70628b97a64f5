/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system trusts stays trusted next to a CA file. In a mount namespace of its own, where
 * the system trusts an authority of the test.
 */
#include "tests/harness/http_client.h"
#include "tests/harness/own_world.h"

#include "lib/base/xalloc.h"

#include <curl/curl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct test_ca *system_ca;

static bool serve(void *ctx, struct https_connection *c, const struct https_request *r)
{
	(void)ctx;
	(void)r;
	return https_says(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static int setup(void **state)
{
	static struct http_client client;

	http_client_open(&client, serve);
	http_client_use_server(&client, (struct https_server_options){.ca = system_ca});
	*state = &client;
	return 0;
}

static int teardown(void **state)
{
	http_client_close(*state);
	return 0;
}

static void an_authority_of_the_system_is_trusted(void **state)
{
	struct http_client *c = *state;
	mdc_autofree char *url = http_client_url(c, "/");
	struct http_answer a;

	http_client_get_url(c, &a, url, NULL);
	http_answer_is(&a, 200, "ok");
}

static void a_ca_file_takes_nothing_away_from_it(void **state)
{
	struct http_client *c = *state;
	mdc_autofree char *url = http_client_url(c, "/");
	struct http_answer a;

	http_client_get_url(c, &a, url, c->ca_file);
	http_answer_is(&a, 200, "ok");
}

static void a_ca_file_adds_its_own(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;

	http_client_use_server(c, (struct https_server_options){.ca = c->ca});
	http_client_get(c, &a, "/");
	http_answer_is(&a, 200, "ok");
}

/* Under the name that OpenSSL looks for in a folder of authorities. */
static void install(const char *folder)
{
	mdc_autofree char *plain = xasprintf("%s/test.pem", folder);
	mdc_autofree char *hashed = NULL;
	FILE *file;
	X509 *certificate;

	test_ca_write(system_ca, plain);
	file = fopen(plain, "re");
	assert_non_null(file);
	certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	hashed = xasprintf("%s/%08lx.0", folder, X509_subject_name_hash(certificate));
	X509_free(certificate);
	assert_int_equal(symlink("test.pem", hashed), 0);
}

static bool trust_test_ca(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	if (info->capath != NULL) {
		if (!own_world_empty_folder(info->capath))
			return false;
		install(info->capath);
		return true;
	}
	if (info->cainfo == NULL || !own_world_replace_file(info->cainfo, ""))
		return false;
	test_ca_write(system_ca, info->cainfo);
	return true;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_authority_of_the_system_is_trusted),
		TEST(a_ca_file_takes_nothing_away_from_it),
		TEST(a_ca_file_adds_its_own),
	};
	int failed;

	system_ca = test_ca_new("an authority of the system");
	if (!own_world_enter() || !trust_test_ca()) {
		printf("1..0 # SKIP no namespaces here: %s\n", strerror(errno));
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(60);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	test_ca_free(system_ca);
	return failed;
}
