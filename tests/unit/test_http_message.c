/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/http_message.h"

#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void headers_are_found_without_case_and_in_order(void **state)
{
	struct http_headers h = {0};
	size_t at = 0;

	(void)state;
	assert_null(http_headers_get(&h, "x"));
	http_headers_add(&h, "X-Ms-A", "1");
	http_headers_add(&h, "retry-after", "5");
	http_headers_add(&h, "x-ms-a", "");
	http_headers_add(&h, "X-MS-A", "3");
	assert_string_equal(http_headers_get(&h, "x-mS-a"), "1");
	assert_string_equal(http_headers_get(&h, "Retry-After"), "5");
	assert_null(http_headers_get(&h, "x-ms"));
	assert_string_equal(http_headers_walk(&h, "x-ms-a", &at), "1");
	assert_string_equal(http_headers_walk(&h, "x-ms-a", &at), "");
	assert_string_equal(http_headers_walk(&h, "x-ms-a", &at), "3");
	assert_null(http_headers_walk(&h, "x-ms-a", &at));
	http_headers_fini(&h);
	assert_int_equal(h.n, 0);
}

static void messages_can_be_emptied_at_any_stage(void **state)
{
	struct http_request request = {0};
	struct http_reply reply = {0};

	(void)state;
	http_request_fini(&request);
	http_reply_fini(&reply);
	request.method = xstrdup("PUT");
	request.url = xstrdup("https://h/");
	http_headers_add(&request.headers, "Authorization", "Bearer x");
	request.body = xstrdup("{}");
	request.body_len = 2;
	reply.body = xstrdup("");
	http_request_fini(&request);
	http_reply_fini(&reply);
	assert_null(request.url);
	assert_null(reply.body);
}

static void encodes_all_but_the_unreserved(void **state)
{
	static const struct {
		const char *text, *encoded;
	} rows[] = {
		{"", ""},
		{"AZaz09-._~", "AZaz09-._~"},
		{"Security(ws)", "Security%28ws%29"},
		{"a b/c?d#e&f=g+h%i", "a%20b%2Fc%3Fd%23e%26f%3Dg%2Bh%25i"},
		{"\xc3\xa4\x7f\xff", "%C3%A4%7F%FF"},
		{"..", ".."},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *encoded = http_percent_encode(rows[i].text);

		assert_string_equal(encoded, rows[i].encoded);
		free(encoded);
	}
}

static void paths_are_decoded_within_their_segments(void **state)
{
	static const struct {
		const char *text, *decoded; /* NULL: refused */
	} rows[] = {
		{"", ""},
		{"/a/b", "/a/b"},
		{"/a%20b/%c3%A4%28x%29", "/a b/\xc3\xa4(x)"},
		{"%25%32%46", "%2F"},
		{"/a%2Fb", NULL},
		{"/a%2fb", NULL},
		{"/a%00b", NULL},
		{"/a%", NULL},
		{"/a%2", NULL},
		{"/a%2g", NULL},
		{"/a%g2", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *path = xstrdup(rows[i].text);

		assert_int_equal(http_percent_decode(path), rows[i].decoded != NULL);
		if (rows[i].decoded != NULL)
			assert_string_equal(path, rows[i].decoded);
	}
}

static char *decode(const char *text)
{
	char *decoded = xstrdup(text), *to = decoded;

	for (; *text != '\0'; text++) {
		unsigned digits[2] = {0, 0};

		if (*text != '%') {
			*to++ = *text;
			continue;
		}
		for (unsigned i = 0; i < 2; i++) {
			char c = *++text;

			digits[i] = (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
			assert_in_range(digits[i], 0, 15);
		}
		*to++ = (char)(digits[0] * 16 + digits[1]);
	}
	*to = '\0';
	return decoded;
}

static void encoded_text_decodes_to_what_it_was(void **state)
{
	const uint64_t seed = 20270;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned round = 0; round < 5000; round++) {
		char text[20] = "", *encoded, *decoded;

		for (size_t i = rng_below(&r, sizeof(text)); i-- > 0;)
			text[i] = (char)(1 + rng_below(&r, 255));
		encoded = http_percent_encode(text);
		decoded = decode(encoded);
		assert_string_equal(decoded, text);
		assert_int_equal(strspn(encoded,
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
					 "xyz0123456789-._~%"),
			strlen(encoded));
		free(encoded);
		free(decoded);
	}
}

static void takes_urls_apart(void **state)
{
	static const struct {
		const char *url, *scheme, *host;
		unsigned port;
		const char *path, *query;
	} rows[] = {
		{"https://management.azure.com/subscriptions?api-version=1", "https",
			"management.azure.com", 443, "/subscriptions", "api-version=1"},
		{"HTTPS://Management.Azure.COM", "https", "management.azure.com", 443, "/", NULL},
		{"http://127.0.0.1:40342/metadata", "http", "127.0.0.1", 40342, "/metadata", NULL},
		{"https://[::1]:8443/a", "https", "::1", 8443, "/a", NULL},
		{"https://[FE80::1]", "https", "fe80::1", 443, "/", NULL},
		{"https://h?q=/a?b", "https", "h", 443, "/", "q=/a?b"},
		{"https://h/a?", "https", "h", 443, "/a", ""},
		{"https://h/a#f?not=query", "https", "h", 443, "/a", NULL},
		{"https://h/a?b#c?d", "https", "h", 443, "/a", "b"},
		{"https://h#x", "https", "h", 443, "/", NULL},
		{"https://h/%7Bx%7D?a=%2F", "https", "h", 443, "/%7Bx%7D", "a=%2F"},
		{"https://h:65535/", "https", "h", 65535, "/", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_url u;

		assert_int_equal(http_url_parse(rows[i].url, &u), 0);
		assert_string_equal(u.scheme, rows[i].scheme);
		assert_string_equal(u.host, rows[i].host);
		assert_int_equal(u.port, rows[i].port);
		assert_string_equal(u.path, rows[i].path);
		if (rows[i].query != NULL)
			assert_string_equal(u.query, rows[i].query);
		else
			assert_null(u.query);
		http_url_fini(&u);
	}
}

static void refuses_what_another_reader_might_read_otherwise(void **state)
{
	static const char *const rows[] = {
		NULL,
		"",
		"management.azure.com",
		"//management.azure.com/",
		"/subscriptions",
		"ftp://h/",
		"https:/h",
		"https://",
		"https:///path",
		"https://?q",
		"https://:443/",
		"https://h:/",
		"https://h:0/",
		"https://h:65536/",
		"https://h:+443/",
		"https://h:443:443/",
		"https://user@h/",
		"https://management.azure.com@evil.example/",
		"https://management.azure.com:443@evil.example/",
		"https://evil.example\\@management.azure.com/",
		"https://management.azure.com%2eevil.example/",
		"https://management.azure.com;evil.example/",
		"https://h,other/",
		"https://h /",
		" https://h/",
		"https://h/\n",
		"https://h/a b",
		"https://h/\x7f",
		"https://r\xc3\xa4ger/",
		"https://[::1/",
		"https://[::1]x/",
		"https://[::1%25eth0]/",
		"https://[]/",
		"https://::1/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_url u = {.port = 77};

		if (http_url_parse(rows[i], &u) != -EINVAL)
			fail_msg("%s was taken", rows[i]);
		assert_int_equal(u.port, 77);
	}
}

static void origin_is_scheme_host_and_port(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"https://m.example/a", "https://M.EXAMPLE:443/b?c", true},
		{"https://[::1]:8443/a", "https://[::1]:8443/", true},
		{"https://m.example/", "http://m.example/", false},
		{"https://m.example/", "https://m.example:444/", false},
		{"https://m.example/", "https://m.example./", false},
		{"https://m.example/", "https://xm.example/", false},
		{"https://m.example/", "https://m.example.evil.example/", false},
		{"https://m.example/", "https://evil.example/https://m.example/", false},
		{"https://m.example/", "https://m.example@evil.example/", false},
		{"not a url", "not a url", false},
		{"https://m.example/", NULL, false},
		{NULL, "https://m.example/", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(http_url_same_origin(rows[i].a, rows[i].b), rows[i].same);
		assert_int_equal(http_url_same_origin(rows[i].b, rows[i].a), rows[i].same);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_found_without_case_and_in_order),
		cmocka_unit_test(messages_can_be_emptied_at_any_stage),
		cmocka_unit_test(encodes_all_but_the_unreserved),
		cmocka_unit_test(paths_are_decoded_within_their_segments),
		cmocka_unit_test(encoded_text_decodes_to_what_it_was),
		cmocka_unit_test(takes_urls_apart),
		cmocka_unit_test(refuses_what_another_reader_might_read_otherwise),
		cmocka_unit_test(origin_is_scheme_host_and_port),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
