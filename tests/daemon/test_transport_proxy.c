/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/transport_proxy.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/connect_proxy.h"
#include "tests/harness/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Nobody but the proxy knows where that is. */
#define SERVER "server.invalid"
#define ME_SESAME "bWU6c2VzYW1l" /* me:sesame */

/* --- what is excepted --- */

static void lists_hold_names_addresses_and_networks(void **state)
{
	static const struct {
		const char *list, *host;
		bool has;
	} rows[] = {
		{"", "a.example", false},
		{",", "a.example", false},
		{"*", "a.example", true},
		{"b.example,*", "a.example", true},
		{"example", "a.example", true},
		{"example", "anexample", false},
		{".example", "a.example", true},
		{".example", "example", true},
		{"*.example", "a.b.example", true},
		{"a.example", "b.a.example", true},
		{"a.example", "A.EXAMPLE.", true},
		{"a.example.", "a.example", true},
		{"x.a.example", "a.example", false},
		{" b.example ,\ta.example", "a.example", true},
		{"b.example a.example", "a.example", true},
		{".", "a.example", false},
		{"10.0.0.5", "10.0.0.5", true},
		{"10.0.0.5", "10.0.0.55", false},
		{"0.0.5", "10.0.0.5", false},
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.128.0.0/9", "10.127.0.1", false},
		{"10.128.0.0/9", "10.200.0.1", true},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"10.0.0.0/33", "10.0.0.1", false},
		{"10.0.0.0/-1", "10.0.0.1", false},
		{"10.0.0.0/", "10.0.0.1", false},
		{"10.0.0.0/8", "a.example", false},
		{"2001:db8::/32", "2001:db8:1::1", true},
		{"2001:db8::/32", "2001:db9::1", false},
		{"2001:db8::1", "2001:DB8::1", true},
		{"::/0", "2001:db8::1", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (proxy_list_has(rows[i].list, rows[i].host) != rows[i].has)
			fail_msg("\"%s\" and \"%s\"", rows[i].list, rows[i].host);
}

static void this_machine_and_the_metadata_service_are_never_behind_a_proxy(void **state)
{
	static const char *const local[] = {
		"127.0.0.1", "127.1.2.3", "::1", "localhost", "169.254.169.254"};
	static const char *const others[] = {"128.0.0.1", "::2", "localhost.example",
		"169.254.169.253", "10.0.0.4", "management.azure.com"};
	const struct transport_route route = {
		.proxy = "http://proxy.example:3128", .no_proxy = "nothing.example"};
	const struct proxy_environment nothing = {0};
	struct proxy_choice choice;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(local); i++) {
		assert_null(proxy_choose(&nothing, &route, local[i], &choice));
		assert_null(choice.url);
		proxy_choice_fini(&choice);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_null(proxy_choose(&nothing, &route, others[i], &choice));
		assert_string_equal(choice.url, "http://proxy.example:3128");
		proxy_choice_fini(&choice);
	}
}

/* --- the environment --- */

static const char *environment_https;
static const char *environment_all;
static const char *environment_no;

static const char *environment(const char *name)
{
	if (strcmp(name, "HTTPS_PROXY") == 0)
		return environment_https;
	if (strcmp(name, "all_proxy") == 0)
		return environment_all;
	return strcmp(name, "NO_PROXY") == 0 ? environment_no : NULL;
}

static void the_configuration_goes_before_the_environment(void **state)
{
	static const struct {
		const char *https, *all, *no; /* environment */
		const char *proxy, *no_proxy; /* route */
		const char *expected;         /* "": direct */
	} rows[] = {
		{NULL, NULL, NULL, NULL, NULL, ""},
		{"http://e:1", "http://a:1", NULL, NULL, NULL, "http://e:1"},
		{"", "http://a:1", "", NULL, NULL, "http://a:1"},
		{"http://e:1", NULL, "x.example", NULL, NULL, ""},
		{"http://e:1", NULL, NULL, "http://r:1", NULL, "http://r:1"},
		{"http://e:1", NULL, NULL, "none", NULL, ""},
		{NULL, NULL, "x.example", "http://r:1", NULL, ""},
		{NULL, NULL, "x.example", "http://r:1", ",", "http://r:1"},
		{"http://e:1", NULL, NULL, NULL, "x.example", ""},
		{"e.example:1", NULL, NULL, NULL, NULL, "e.example:1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct transport_route route = {
			.proxy = rows[i].proxy, .no_proxy = rows[i].no_proxy};
		struct proxy_environment e;
		struct proxy_choice choice;

		environment_https = rows[i].https;
		environment_all = rows[i].all;
		environment_no = rows[i].no;
		proxy_environment_read(&e, environment);
		assert_null(proxy_choose(&e, &route, "x.example", &choice));
		assert_string_equal(choice.url != NULL ? choice.url : "", rows[i].expected);
		proxy_choice_fini(&choice);
		proxy_environment_fini(&e);
	}
}

static void what_is_shown_of_a_proxy_holds_no_secret(void **state)
{
	static const char *const rows[][2] = {
		{"http://me:p%40ss@p.example:3128/", "http://p.example:3128"},
		{"me:p@ss@p.example:3128", "http://p.example:3128"},
		{"https://p.example:443", "https://p.example:443"},
		{"http://[::1]:80/x@y", "http://[::1]:80"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct transport_route route = {.proxy = rows[i][0]};
		const struct proxy_environment nothing = {0};
		struct proxy_choice choice;

		assert_null(proxy_choose(&nothing, &route, "x.example", &choice));
		assert_string_equal(choice.shown, rows[i][1]);
		proxy_choice_fini(&choice);
	}
}

static void a_proxy_of_another_kind_is_refused_by_its_name(void **state)
{
	const struct transport_route nothing = {0};
	struct proxy_environment e;
	struct proxy_choice choice;
	mdc_autofree char *why = NULL;

	(void)state;
	environment_https = "socks5h://me:secret@p.example:1080";
	environment_no = NULL;
	proxy_environment_read(&e, environment);
	why = proxy_choose(&e, &nothing, "x.example", &choice);
	assert_string_equal(why,
		"HTTPS_PROXY names the proxy socks5h://p.example:1080, which is neither an http "
		"nor "
		"an https URL");
	proxy_choice_fini(&choice);
	proxy_environment_fini(&e);
}

/* --- through a real one --- */

struct fixture {
	struct http_client client;
	struct connect_proxy *proxy;
	char credentials[64];
};

static bool serve(void *ctx, struct https_connection *c, const struct https_request *r)
{
	char head[96];

	(void)ctx;
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
		strlen(r->head));
	return https_says(c, head) && https_says(c, r->head);
}

static int setup(void **state)
{
	static struct fixture f;
	int fd;

	f = (struct fixture){.credentials = "/tmp/mdcd-proxy-XXXXXX"};
	http_client_open(&f.client, serve);
	http_client_use_server(&f.client,
		(struct https_server_options){.ca = f.client.ca, .names = "DNS:" SERVER});
	fd = mkstemp(f.credentials);
	assert_true(fd >= 0);
	close(fd);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_client_close(&f->client);
	connect_proxy_free(f->proxy);
	unlink(f->credentials);
	return 0;
}

static void use_proxy(struct fixture *f, const struct connect_proxy_options *options)
{
	connect_proxy_free(f->proxy);
	f->proxy = connect_proxy_new(options);
	f->client.route.proxy = connect_proxy_url(f->proxy);
}

static void write_credentials(struct fixture *f, const char *text)
{
	FILE *file = fopen(f->credentials, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	f->client.route.proxy_credentials_file = f->credentials;
}

static void get(struct fixture *f, struct http_answer *a)
{
	struct http_request r = {.method = xstrdup("GET"),
		.url = xasprintf(
			"https://" SERVER ":%u/here", https_server_port(f->client.server))};

	http_headers_add(&r.headers, "Authorization", "Bearer for-the-server");
	http_headers_add(&r.headers, "x-ms-client-request-id", "for-the-server");
	http_client_start_request(&f->client, a, &r, f->client.ca_file);
	http_client_wait(&f->client);
}

static void assert_got(struct http_answer *a)
{
	assert_string_equal(a->detail, "");
	assert_int_equal(a->result, TRANSPORT_OK);
	assert_int_equal(a->reply.status, 200);
	assert_non_null(strstr(a->reply.body, "Authorization: Bearer for-the-server\r\n"));
	http_answer_fini(a);
}

static void assert_failed(struct http_answer *a, enum transport_result result, const char *says)
{
	if (strstr(a->detail, says) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", says, a->detail);
	http_answer_failed(a, result, 0);
}

static void a_proxy_learns_the_host_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *asked = NULL, *line = NULL;
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){0});
	get(f, &a);
	assert_null(strcasestr(a.reply.body, "proxy"));
	assert_got(&a);
	asked = connect_proxy_last(f->proxy);
	line = xasprintf("CONNECT " SERVER ":%u HTTP/1.1\r\n", https_server_port(f->client.server));
	assert_true(str_starts_nocase(asked, line));
	assert_null(strcasestr(asked, "for-the-server"));
	assert_null(strcasestr(asked, "authorization"));
}

static void a_tunnel_is_used_again(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){0});
	for (unsigned i = 0; i < 3; i++) {
		get(f, &a);
		assert_got(&a);
	}
	assert_int_equal(connect_proxy_requests(f->proxy), 1);
}

static void requests_to_this_machine_go_past_the_proxy(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){0});
	http_client_use_server(&f->client, (struct https_server_options){.ca = f->client.ca});
	http_client_get(&f->client, &a, "/");
	assert_int_equal(a.result, TRANSPORT_OK);
	http_answer_fini(&a);
	assert_int_equal(connect_proxy_requests(f->proxy), 0);
}

static void excepted_hosts_go_past_the_proxy(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){0});
	f->client.route.no_proxy = "10.0.0.0/8,invalid";
	get(f, &a);
	http_answer_failed(&a, TRANSPORT_RESOLVE, 0);
	assert_int_equal(connect_proxy_requests(f->proxy), 0);
}

static void user_and_password_come_out_of_a_file(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){.credentials = ME_SESAME});
	get(f, &a);
	assert_failed(&a, TRANSPORT_CONNECT, "wants a user and a password (407); name a file");
	write_credentials(f, "me:wrong\n");
	get(f, &a);
	assert_null(strstr(a.detail, "wrong"));
	assert_failed(&a, TRANSPORT_CONNECT,
		"does not take the user and password of its credentials-file (407)");
	/* Mended, it is used at once. */
	write_credentials(f, "me:sesame\r\n");
	get(f, &a);
	assert_got(&a);
}

static void a_useless_credentials_file_is_named(void **state)
{
	static const char *const texts[] = {"", "me", ":x", "me:x\nyou:y", "me:\x01"};
	struct fixture *f = *state;
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){0});
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		write_credentials(f, texts[i]);
		get(f, &a);
		assert_non_null(strstr(a.detail, f->credentials));
		assert_failed(&a, TRANSPORT_CONNECT, "does not hold USER:PASSWORD");
	}
	f->client.route.proxy_credentials_file = "/tmp/mdcd-there-is-no-such-file";
	get(f, &a);
	assert_failed(&a, TRANSPORT_CONNECT, "No such file");
	assert_int_equal(connect_proxy_requests(f->proxy), 0);
}

static void the_environment_may_name_proxy_and_password(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *url = NULL;
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){.credentials = "bWU6cEBzcw=="}); /* me:p@ss */
	url = xasprintf("http://me:p%%40ss@%s/", connect_proxy_url(f->proxy) + strlen("http://"));
	environment_https = url;
	environment_no = NULL;
	f->client.route.proxy = NULL;
	http_client_use(&f->client, (struct transport_options){.environment = environment});
	get(f, &a);
	assert_got(&a);
	use_proxy(f, &(struct connect_proxy_options){.credentials = ME_SESAME});
	get(f, &a);
	assert_failed(&a, TRANSPORT_CONNECT, connect_proxy_url(f->proxy));
}

static void refusals_of_a_proxy_are_told_in_words(void **state)
{
	static const struct {
		const char *says;
		const char *told;
	} rows[] = {
		{"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
			"does not let this host through (403); it has to be allowed there"},
		{"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", "does not reach the host (502)"},
		{"HTTP/1.1 504 No\r\n\r\n", "does not reach the host (504)"},
		{"HTTP/1.1 302 No\r\nLocation: http://login.captive/\r\n\r\n",
			"refuses the connection (302)"},
		{"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", "refuses the connection (400)"},
		{"SSH-2.0-OpenSSH_9.2\r\n", "(by the proxy http://127.0.0.1:"},
		{"", "(by the proxy http://127.0.0.1:"},
		{"HTTP/1.1 200 OK\r\nX: ", "(by the proxy http://127.0.0.1:"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_answer a;

		use_proxy(f, &(struct connect_proxy_options){.says = rows[i].says});
		get(f, &a);
		assert_non_null(strstr(a.detail, connect_proxy_url(f->proxy)));
		assert_failed(&a, TRANSPORT_CONNECT, rows[i].told);
	}
}

static void headers_of_a_proxy_without_end_are_cut(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *says = xmalloc(1 << 20);
	size_t len = (size_t)snprintf(says, 64, "HTTP/1.1 200 OK\r\n");
	struct http_answer a;

	while (len < (1 << 20) - 16)
		len += (size_t)snprintf(says + len, 16, "X: yyyyyyyy\r\n");
	use_proxy(f, &(struct connect_proxy_options){.says = says});
	get(f, &a);
	http_answer_failed(&a, TRANSPORT_CONNECT, 0);
}

static void a_proxy_that_is_not_there_is_named(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	f->client.route.proxy = "http://127.0.0.1:1";
	get(f, &a);
	assert_failed(&a, TRANSPORT_CONNECT, "(by the proxy http://127.0.0.1:1)");
	f->client.route.proxy = "http://no-such-proxy.invalid:3128";
	get(f, &a);
	assert_failed(&a, TRANSPORT_RESOLVE, "no-such-proxy.invalid");
}

static void a_proxy_that_never_answers_is_given_up(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){.hangs = true});
	http_client_use(&f->client, (struct transport_options){.connect_timeout = DUR_MS(300)});
	get(f, &a);
	assert_failed(&a, TRANSPORT_CONNECT, "(by the proxy http://127.0.0.1:");
}

static bool was_asked(void *ctx)
{
	struct fixture *f = ctx;

	return connect_proxy_requests(f->proxy) > 0;
}

static void a_request_that_waits_for_a_proxy_can_be_cancelled(void **state)
{
	struct fixture *f = *state;
	struct http_request r = {
		.method = xstrdup("GET"), .url = xstrdup("https://" SERVER ":443/")};
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){.hangs = true});
	http_client_start_request(&f->client, &a, &r, f->client.ca_file);
	http_client_cancel_when(&f->client, &a, was_asked, f);
}

/* --- a proxy with a certificate of its own --- */

struct authority {
	struct test_ca *ca;
	char file[64];
};

static void authority_init(struct authority *a)
{
	int fd;

	strcpy(a->file, "/tmp/mdcd-proxy-ca-XXXXXX");
	fd = mkstemp(a->file);
	assert_true(fd >= 0);
	close(fd);
	a->ca = test_ca_new("the authority of a proxy");
	test_ca_write(a->ca, a->file);
}

static void authority_fini(struct authority *a)
{
	test_ca_free(a->ca);
	unlink(a->file);
}

static void an_https_proxy_is_trusted_by_its_own_authority_alone(void **state)
{
	mdc_cleanup(authority_fini) struct authority other;
	struct fixture *f = *state;
	struct http_answer a;

	authority_init(&other);
	use_proxy(f, &(struct connect_proxy_options){.ca = other.ca});
	/* The authority of the server says nothing about the proxy, */
	get(f, &a);
	assert_failed(&a, TRANSPORT_TLS, "(by the proxy https://localhost:");
	f->client.route.proxy_ca_file = other.file;
	get(f, &a);
	assert_got(&a);
	/* nor that of the proxy about a server. */
	http_client_use_server(
		&f->client, (struct https_server_options){.ca = other.ca, .names = "DNS:" SERVER});
	get(f, &a);
	http_answer_failed(&a, TRANSPORT_TLS, 0);
}

static void a_useless_authority_of_a_proxy_is_named(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;

	use_proxy(f, &(struct connect_proxy_options){.ca = f->client.ca});
	f->client.route.proxy_ca_file = "/tmp/mdcd-there-is-no-such-file";
	get(f, &a);
	assert_failed(&a, TRANSPORT_TLS, "/tmp/mdcd-there-is-no-such-file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_hold_names_addresses_and_networks),
		cmocka_unit_test(this_machine_and_the_metadata_service_are_never_behind_a_proxy),
		cmocka_unit_test(the_configuration_goes_before_the_environment),
		cmocka_unit_test(what_is_shown_of_a_proxy_holds_no_secret),
		cmocka_unit_test(a_proxy_of_another_kind_is_refused_by_its_name),
		TEST(a_proxy_learns_the_host_and_nothing_else),
		TEST(a_tunnel_is_used_again),
		TEST(requests_to_this_machine_go_past_the_proxy),
		TEST(excepted_hosts_go_past_the_proxy),
		TEST(user_and_password_come_out_of_a_file),
		TEST(a_useless_credentials_file_is_named),
		TEST(the_environment_may_name_proxy_and_password),
		TEST(refusals_of_a_proxy_are_told_in_words),
		TEST(headers_of_a_proxy_without_end_are_cut),
		TEST(a_proxy_that_is_not_there_is_named),
		TEST(a_proxy_that_never_answers_is_given_up),
		TEST(a_request_that_waits_for_a_proxy_can_be_cancelled),
		TEST(an_https_proxy_is_trusted_by_its_own_authority_alone),
		TEST(a_useless_authority_of_a_proxy_is_named),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
