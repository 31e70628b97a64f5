/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/http_client.h"

#include "lib/base/xalloc.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool serve(void *ctx, struct https_connection *c, const struct https_request *r)
{
	(void)ctx;
	/* Asked for without TLS where TLS should be. */
	if (r == NULL)
		return https_says(c, "HTTP/1.1 400 Bad Request\r\n\r\n") && false;
	return https_says(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static int setup(void **state)
{
	static struct http_client client;

	http_client_open(&client, serve);
	*state = &client;
	return 0;
}

static int teardown(void **state)
{
	http_client_close(*state);
	return 0;
}

/* --- TLS --- */

static void only_a_certificate_of_a_trusted_authority_will_do(void **state)
{
	struct http_client *c = *state;
	struct test_ca *other = test_ca_new("another authority");
	mdc_autofree char *url = http_client_url(c, "/ok");
	struct http_answer a;

	http_client_get_url(c, &a, url, NULL);
	http_answer_failed(&a, TRANSPORT_TLS, 0);
	test_ca_write(other, c->ca_file);
	http_client_get_url(c, &a, url, c->ca_file);
	http_answer_failed(&a, TRANSPORT_TLS, 0);
	assert_int_equal(https_server_requests(c->server), 0);
	/* A file that is replaced is read again. */
	test_ca_write(c->ca, c->ca_file);
	http_client_get_url(c, &a, url, c->ca_file);
	http_answer_is(&a, 200, "ok");
	/* What it no longer holds is no longer trusted, on new connections. */
	test_ca_write(other, c->ca_file);
	http_client_use_server(c, (struct https_server_options){.ca = c->ca});
	http_client_get(c, &a, "/ok");
	http_answer_failed(&a, TRANSPORT_TLS, 0);
	test_ca_free(other);
}

static void a_connection_is_not_shared_with_who_would_not_trust_it(void **state)
{
	struct http_client *c = *state;
	mdc_autofree char *url = http_client_url(c, "/ok");
	struct http_answer a;

	http_client_get_url(c, &a, url, c->ca_file);
	http_answer_is(&a, 200, "ok");
	http_client_get_url(c, &a, url, NULL);
	http_answer_failed(&a, TRANSPORT_TLS, 0);
	http_client_get_url(c, &a, url, c->ca_file);
	http_answer_is(&a, 200, "ok");
	assert_int_equal(https_server_requests(c->server), 2);
}

static void a_wrong_certificate_is_refused(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;

	http_client_use_server(
		c, (struct https_server_options){.ca = c->ca, .names = "DNS:management.azure.com"});
	http_client_get(c, &a, "/ok");
	http_answer_failed(&a, TRANSPORT_TLS, 0);
	http_client_use_server(c, (struct https_server_options){.ca = c->ca, .days_ago = 2});
	http_client_get(c, &a, "/ok");
	http_answer_failed(&a, TRANSPORT_TLS, 0);
	/* Plain text where TLS should be. */
	http_client_use_server(c, (struct https_server_options){.http2 = true});
	http_client_get(c, &a, "/ok");
	http_answer_failed(&a, TRANSPORT_TLS, 0);
}

static void old_tls_is_refused_and_1_2_will_do(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;

	http_client_use_server(
		c, (struct https_server_options){.ca = c->ca, .newest_tls = TLS1_1_VERSION});
	http_client_get(c, &a, "/ok");
	http_answer_failed(&a, TRANSPORT_TLS, 0);
	http_client_use_server(
		c, (struct https_server_options){.ca = c->ca, .newest_tls = TLS1_2_VERSION});
	http_client_get(c, &a, "/ok");
	http_answer_is(&a, 200, "ok");
}

static void a_useless_ca_file_is_named(void **state)
{
	struct http_client *c = *state;
	mdc_autofree char *url = http_client_url(c, "/ok");
	struct http_answer a;
	FILE *file;

	http_client_get_url(c, &a, url, "/nonexistent/ca.pem");
	assert_non_null(strstr(a.detail, "/nonexistent/ca.pem: No such file"));
	http_answer_failed(&a, TRANSPORT_TLS, 0);
	file = fopen(c->ca_file, "we");
	assert_non_null(file);
	fputs("not a certificate\n", file);
	fclose(file);
	http_client_get_url(c, &a, url, c->ca_file);
	assert_non_null(strstr(a.detail, "no certificate in it"));
	http_answer_failed(&a, TRANSPORT_TLS, 0);
	assert_int_equal(https_server_connections(c->server), 0);
}

/* --- what must not be sent --- */

static void plain_http_is_for_this_machine_alone(void **state)
{
	static const char *const refused[] = {"http://management.azure.com/",
		"http://127.0.0.1.example.com/", "http://localhost.example.com/", "http://127.1/",
		"http://0x7f000001/", "http://2130706433/", "http://0.0.0.0/", "http://10.0.0.1/",
		"http://169.254.169.253/", "http://[::ffff:127.0.0.1]/", "http://[::]/",
		"http://localhost./", "http://user@127.0.0.1/", "http://127.0.0.1@example.com/",
		"ftp://127.0.0.1/", "file:///etc/passwd", "https:/localhost", "localhost", ""};
	struct http_client *c = *state;
	struct http_answer a;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		http_client_get_url(c, &a, refused[i], NULL);
		http_answer_failed(&a, TRANSPORT_CONNECT, 0);
	}
	http_client_use_server(c, (struct https_server_options){.ca = NULL});
	for (unsigned i = 0; i < 2; i++) {
		mdc_autofree char *url = xasprintf("http://%s:%u/ok",
			i == 0 ? "127.0.0.1" : "localhost", https_server_port(c->server));

		http_client_get_url(c, &a, url, NULL);
		http_answer_is(&a, 200, "ok");
	}
}

static void a_header_cannot_smuggle_in_another(void **state)
{
	static const struct {
		const char *name;
		const char *value;
	} bad[] = {{"Authorization", "Bearer x\r\nX-Evil: 1"}, {"X-A\nX-B", "1"}, {"X A", "1"},
		{"X:A", "1"}, {"", "1"}, {"X", "\x7f"}};
	struct http_client *c = *state;
	struct http_answer a;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct http_request r = {
			.method = xstrdup("GET"), .url = http_client_url(c, "/ok")};

		http_headers_add(&r.headers, bad[i].name, bad[i].value);
		http_client_start_request(c, &a, &r, c->ca_file);
		http_client_wait(c);
		http_answer_failed(&a, TRANSPORT_CONNECT, 0);
	}
	http_client_start(c, &a, "GET / HTTP/1.1\r\nX-Evil: 1\r\n", "/ok");
	http_client_wait(c);
	http_answer_failed(&a, TRANSPORT_CONNECT, 0);
	assert_int_equal(https_server_connections(c->server), 0);
}

static void proxies_of_the_environment_are_not_asked(void **state)
{
	static const char *const names[] = {
		"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	struct http_client *c = *state;
	struct http_answer a;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	http_client_get(c, &a, "/ok");
	http_answer_is(&a, 200, "ok");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_a_certificate_of_a_trusted_authority_will_do),
		TEST(a_connection_is_not_shared_with_who_would_not_trust_it),
		TEST(a_wrong_certificate_is_refused),
		TEST(old_tls_is_refused_and_1_2_will_do),
		TEST(a_useless_ca_file_is_named),
		TEST(plain_http_is_for_this_machine_alone),
		TEST(a_header_cannot_smuggle_in_another),
		TEST(proxies_of_the_environment_are_not_asked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
