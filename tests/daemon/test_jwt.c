/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/jwt.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/signing_keys.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define CLIENT "11111111-2222-3333-4444-555555555555"
#define ENDPOINT "https://login.test/t/oauth2/v2.0/token"

static struct jwt_claims claims(void)
{
	return (struct jwt_claims){.audience = ENDPOINT,
		.client = CLIENT,
		.id = "the-jti",
		.not_before = {1700000000000},
		.expires = {1700000540000}};
}

static struct jwt_key *key_of(const char *pem, const char *password)
{
	struct jwt_key *key = NULL;
	const char *why = NULL;

	if (jwt_key_read(pem, strlen(pem), password, &key, &why) != 0)
		fail_msg("%s", why);
	return key;
}

static const char *fault_of(const char *text, size_t len, const char *password)
{
	struct jwt_key *key = NULL;
	const char *why = NULL;

	assert_int_equal(jwt_key_read(text, len, password, &key, &why), -EINVAL);
	assert_null(key);
	return why;
}

/* A part of the compact form, decoded. */
static json_t *part(const char *jwt, unsigned n)
{
	mdc_autofree char *text = NULL;
	json_t *document;
	size_t len;

	for (; n > 0; n--)
		jwt = strchr(jwt, '.') + 1;
	text = signing_keys_decode(jwt, strcspn(jwt, "."), &len);
	document = json_loadb(text, len, 0, NULL);
	assert_non_null(document);
	return document;
}

static const char *text_of(const json_t *document, const char *name)
{
	const char *text = json_string_value(json_object_get(document, name));

	assert_non_null(text);
	return text;
}

static void signs_what_the_public_key_verifies(void **state)
{
	struct signing_keys *keys = signing_keys_new(2048);
	struct jwt_key *key = key_of(signing_keys_pem(keys), NULL);
	struct jwt_claims c = claims();
	char *jwt = NULL;

	(void)state;
	assert_int_equal(jwt_sign(key, &c, &jwt), 0);
	assert_true(signing_keys_verify(keys, jwt));
	/* Any other text is not what was signed. */
	jwt[strcspn(jwt, ".") + 3] ^= 1;
	assert_false(signing_keys_verify(keys, jwt));
	free(jwt);
	jwt_key_free(key);
	signing_keys_free(keys);
}

static void names_its_certificate_and_nothing_else(void **state)
{
	struct signing_keys *keys = signing_keys_new(2048);
	struct jwt_key *key = key_of(signing_keys_pem(keys), NULL);
	struct jwt_claims c = claims();
	char *jwt = NULL;
	json_t *header;

	(void)state;
	assert_int_equal(jwt_sign(key, &c, &jwt), 0);
	header = part(jwt, 0);
	assert_string_equal(text_of(header, "alg"), "PS256");
	assert_string_equal(text_of(header, "typ"), "JWT");
	assert_string_equal(text_of(header, "x5t#S256"), signing_keys_thumbprint(keys));
	assert_int_equal(json_object_size(header), 3);
	json_decref(header);
	free(jwt);
	jwt_key_free(key);
	signing_keys_free(keys);
}

static void claims_who_asks_whom_and_until_when(void **state)
{
	struct signing_keys *keys = signing_keys_new(2048);
	struct jwt_key *key = key_of(signing_keys_pem(keys), NULL);
	struct jwt_claims c = claims();
	char *jwt = NULL;
	json_t *body;

	(void)state;
	assert_int_equal(jwt_sign(key, &c, &jwt), 0);
	assert_null(strpbrk(jwt, "+/="));
	body = part(jwt, 1);
	assert_string_equal(text_of(body, "aud"), ENDPOINT);
	assert_string_equal(text_of(body, "iss"), CLIENT);
	assert_string_equal(text_of(body, "sub"), CLIENT);
	assert_string_equal(text_of(body, "jti"), "the-jti");
	assert_int_equal(json_integer_value(json_object_get(body, "nbf")), 1700000000);
	assert_int_equal(json_integer_value(json_object_get(body, "exp")), 1700000540);
	json_decref(body);
	free(jwt);
	jwt_key_free(key);
	signing_keys_free(keys);
}

static void opens_an_encrypted_key_with_its_password(void **state)
{
	struct signing_keys *keys = signing_keys_new(2048);
	char *pem = signing_keys_encrypted_pem(keys, "open sesame");
	struct jwt_key *key = key_of(pem, "open sesame");
	struct jwt_claims c = claims();
	char *jwt = NULL;

	(void)state;
	assert_int_equal(jwt_sign(key, &c, &jwt), 0);
	assert_true(signing_keys_verify(keys, jwt));
	assert_non_null(strstr(fault_of(pem, strlen(pem), "wrong"), "password"));
	/* And asks nobody for it. */
	assert_non_null(strstr(fault_of(pem, strlen(pem), NULL), "certificate-password-file"));
	free(jwt);
	free(pem);
	jwt_key_free(key);
	signing_keys_free(keys);
}

static void takes_the_certificate_of_the_key_out_of_a_chain(void **state)
{
	struct signing_keys *ours = signing_keys_new(2048);
	struct signing_keys *issuer = signing_keys_new(2048);
	mdc_autofree char *pem = xasprintf("Bag Attributes\n    friendlyName: x\n%s%s",
		signing_keys_certificate(issuer), signing_keys_pem(ours));
	struct jwt_key *key = key_of(pem, NULL);
	struct jwt_claims c = claims();
	char *jwt = NULL;
	json_t *header;

	(void)state;
	assert_int_equal(jwt_sign(key, &c, &jwt), 0);
	header = part(jwt, 0);
	assert_string_equal(text_of(header, "x5t#S256"), signing_keys_thumbprint(ours));
	json_decref(header);
	free(jwt);
	jwt_key_free(key);
	signing_keys_free(issuer);
	signing_keys_free(ours);
}

static struct jwt_key *pkcs12_key_of(const struct signing_keys *keys,
	const struct signing_keys *issuer, const char *made_with, const char *opened_with)
{
	size_t len;
	mdc_autofree char *file = signing_keys_pkcs12(keys, issuer, made_with, &len);
	struct jwt_key *key = NULL;
	const char *why = NULL;

	if (jwt_key_read(file, len, opened_with, &key, &why) != 0)
		fail_msg("%s", why);
	return key;
}

static void reads_pkcs12_with_and_without_a_password(void **state)
{
	static const char *const passwords[][2] = {
		{"open sesame", "open sesame"}, {"", NULL}, {NULL, NULL}, {"", ""}};
	struct signing_keys *keys = signing_keys_new(2048);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		struct jwt_key *key = pkcs12_key_of(keys, NULL, passwords[i][0], passwords[i][1]);
		struct jwt_claims c = claims();
		char *jwt = NULL;

		assert_int_equal(jwt_sign(key, &c, &jwt), 0);
		assert_true(signing_keys_verify(keys, jwt));
		free(jwt);
		jwt_key_free(key);
	}
	signing_keys_free(keys);
}

static void says_what_is_wrong_with_a_pkcs12_file(void **state)
{
	struct signing_keys *keys = signing_keys_new(2048);
	size_t len;
	mdc_autofree char *file = signing_keys_pkcs12(keys, NULL, "open sesame", &len);

	(void)state;
	assert_non_null(strstr(fault_of(file, len, NULL), "certificate-password-file"));
	assert_non_null(strstr(fault_of(file, len, "wrong"), "does not open"));
	file[len / 2] = '\0';
	assert_non_null(strstr(fault_of(file, len / 2, "open sesame"), "neither PEM nor PKCS#12"));
	signing_keys_free(keys);
}

/* The certificates that an assertion carries, leaf first. */
static void assert_chain(const struct jwt_key *key, const struct signing_keys *const *expected)
{
	struct jwt_claims c = claims();
	char *jwt = NULL;
	json_t *header, *chain;

	c.chain = true;
	assert_int_equal(jwt_sign(key, &c, &jwt), 0);
	assert_true(signing_keys_verify(expected[0], jwt));
	header = part(jwt, 0);
	assert_string_equal(text_of(header, "x5t#S256"), signing_keys_thumbprint(expected[0]));
	chain = json_object_get(header, "x5c");
	for (size_t i = 0; expected[i] != NULL; i++) {
		mdc_autofree char *der = signing_keys_der_base64(expected[i]);

		assert_string_equal(json_string_value(json_array_get(chain, i)), der);
		assert_null(expected[i + 1] == NULL ? json_array_get(chain, i + 1) : NULL);
	}
	json_decref(header);
	free(jwt);
}

static void sends_its_issuers_along_in_order_where_wanted(void **state)
{
	struct signing_keys *root = signing_keys_issue("root", NULL, 900);
	struct signing_keys *issuer = signing_keys_issue("issuer", root, 500);
	struct signing_keys *ours = signing_keys_issue("ours", issuer, 90);
	struct signing_keys *stranger = signing_keys_issue("stranger", NULL, 90);
	mdc_autofree char *pem = xasprintf("%s%s%s%s", signing_keys_certificate(root),
		signing_keys_certificate(stranger), signing_keys_certificate(issuer),
		signing_keys_pem(ours));
	struct jwt_key *key = key_of(pem, NULL);

	(void)state;
	assert_chain(key, (const struct signing_keys *const[]){ours, issuer, root, NULL});
	jwt_key_free(key);
	key = key_of(signing_keys_pem(ours), NULL);
	assert_chain(key, (const struct signing_keys *const[]){ours, NULL});
	jwt_key_free(key);
	key = pkcs12_key_of(ours, issuer, "x", "x");
	assert_chain(key, (const struct signing_keys *const[]){ours, issuer, NULL});
	jwt_key_free(key);
	signing_keys_free(stranger);
	signing_keys_free(ours);
	signing_keys_free(issuer);
	signing_keys_free(root);
}

static void knows_when_its_certificate_ends(void **state)
{
	static const int days[] = {-3, 0, 20, 40000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		struct signing_keys *keys = signing_keys_issue("ours", NULL, days[i]);
		struct jwt_key *key = key_of(signing_keys_pem(keys), NULL);
		int64_t wanted = (int64_t)time(NULL) + 86400 * (int64_t)days[i];

		assert_in_range(jwt_key_expires(key).ms / 1000 - wanted + 100, 0, 200);
		jwt_key_free(key);
		signing_keys_free(keys);
	}
}

static void of_several_certificates_the_one_that_ends_last_counts(void **state)
{
	struct signing_keys *keys = signing_keys_issue("ours", NULL, 20);
	mdc_autofree char *older = signing_keys_renewed(keys, 10);
	mdc_autofree char *newer = signing_keys_renewed(keys, 30);
	mdc_autofree char *pem = xasprintf("%s%s%s", older, newer, signing_keys_pem(keys));
	struct jwt_key *key = key_of(pem, NULL);

	(void)state;
	assert_true(jwt_key_expires(key).ms / 1000 > (int64_t)time(NULL) + 29 * 86400);
	jwt_key_free(key);
	signing_keys_free(keys);
}

static void says_what_is_wrong_with_a_file(void **state)
{
	static const char der[] = "\x30\x82\x01\x02\x00\x00";
	struct signing_keys *ours = signing_keys_new(2048);
	struct signing_keys *other = signing_keys_new(2048);
	struct signing_keys *small = signing_keys_new(1024);
	struct signing_keys *curve = signing_keys_new_ec();
	mdc_autofree char *mixed =
		xasprintf("%s%s", signing_keys_private(ours), signing_keys_certificate(other));
	const struct {
		const char *text;
		size_t len;
		const char *why;
	} rows[] = {
		{"", 0, "neither PEM nor PKCS#12"},
		{"hello", 5, "neither PEM nor PKCS#12"},
		{der, sizeof(der) - 1, "neither PEM nor PKCS#12"},
		{signing_keys_certificate(ours), strlen(signing_keys_certificate(ours)),
			"no private key"},
		{signing_keys_private(ours), strlen(signing_keys_private(ours)), "no certificate"},
		{mixed, strlen(mixed), "no certificate"},
		{signing_keys_pem(small), strlen(signing_keys_pem(small)), "2048"},
		{signing_keys_pem(curve), strlen(signing_keys_pem(curve)), "not an RSA key"},
		{signing_keys_pem(ours), strlen(signing_keys_pem(ours)) / 3, "no private key"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *text = xmemdup(rows[i].text, rows[i].len + 1);
		const char *why;

		text[rows[i].len] = '\0';
		why = fault_of(text, rows[i].len, NULL);
		if (!str_contains_nocase(why, rows[i].why))
			fail_msg("row %zu: %s", i, why);
	}
	signing_keys_free(curve);
	signing_keys_free(small);
	signing_keys_free(other);
	signing_keys_free(ours);
}

static void refuses_to_sign_what_is_not_text(void **state)
{
	struct signing_keys *keys = signing_keys_new(2048);
	struct jwt_key *key = key_of(signing_keys_pem(keys), NULL);
	struct jwt_claims c = claims();
	char *jwt = NULL;

	(void)state;
	c.client = "\xff\xfe";
	assert_true(jwt_sign(key, &c, &jwt) < 0);
	assert_null(jwt);
	jwt_key_free(key);
	signing_keys_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_what_the_public_key_verifies),
		cmocka_unit_test(names_its_certificate_and_nothing_else),
		cmocka_unit_test(claims_who_asks_whom_and_until_when),
		cmocka_unit_test(opens_an_encrypted_key_with_its_password),
		cmocka_unit_test(takes_the_certificate_of_the_key_out_of_a_chain),
		cmocka_unit_test(reads_pkcs12_with_and_without_a_password),
		cmocka_unit_test(says_what_is_wrong_with_a_pkcs12_file),
		cmocka_unit_test(sends_its_issuers_along_in_order_where_wanted),
		cmocka_unit_test(knows_when_its_certificate_ends),
		cmocka_unit_test(of_several_certificates_the_one_that_ends_last_counts),
		cmocka_unit_test(says_what_is_wrong_with_a_file),
		cmocka_unit_test(refuses_to_sign_what_is_not_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("jwt", tests, NULL, NULL);
}
