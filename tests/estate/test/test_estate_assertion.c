/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/estate_internal.h"
#include "tests/estate/test/estate_fixture.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define AUDIENCE LOGIN "/" TENANT "/oauth2/v2.0/token"

/* Keys are slow to make: one for all tests, and one that nobody registered. */
static EVP_PKEY *key, *foreign_key;
static X509 *certificate;
static char *certificate_pem, *public_pem;

static char *pem_of(int (*write)(BIO *bio, void *object), void *object)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text_;
	long len;

	assert_int_equal(write(bio, object), 1);
	len = BIO_get_mem_data(bio, &data);
	text_ = xstrndup(data, (size_t)len);
	BIO_free(bio);
	return text_;
}

static int write_certificate(BIO *bio, void *object)
{
	return PEM_write_bio_X509(bio, object);
}

static int write_public(BIO *bio, void *object)
{
	return PEM_write_bio_PUBKEY(bio, object);
}

static int make_keys(void **state)
{
	X509_NAME *name;

	(void)state;
	key = EVP_RSA_gen(2048);
	foreign_key = EVP_RSA_gen(2048);
	certificate = X509_new();
	name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"mdcd", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	/* The estate's year is 2026, whatever the real one is. */
	ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20260101000000Z");
	ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20270101000000Z");
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	certificate_pem = pem_of(write_certificate, certificate);
	public_pem = pem_of(write_public, key);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	EVP_PKEY_free(foreign_key);
	X509_free(certificate);
	free(certificate_pem);
	free(public_pem);
	return 0;
}

/* --- making assertions --- */

struct assertion {
	const char *alg;
	const char *issuer, *subject, *audience, *jti;
	int64_t nbf, exp;
	bool without_thumbprint, old_thumbprint;
	EVP_PKEY *signer;
};

static struct assertion good_assertion(const struct fixture *f, const char *jti)
{
	return (struct assertion){.alg = "PS256",
		.issuer = CLIENT,
		.subject = CLIENT,
		.audience = AUDIENCE,
		.jti = jti,
		.nbf = f->now.ms / 1000,
		.exp = f->now.ms / 1000 + 600,
		.signer = key};
}

static char *encode(json_t *take_doc)
{
	size_t len;
	mdc_autofree char *plain = tree_dump(take_doc, &len);

	json_decref(take_doc);
	return base64url_encode(plain, len);
}

static char *sign(const struct assertion *a, const char *signed_part)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	EVP_PKEY_CTX *context;
	unsigned char signature[512];
	size_t len = sizeof(signature);

	assert_int_equal(EVP_DigestSignInit(digest, &context, EVP_sha256(), NULL, a->signer), 1);
	if (str_equal(a->alg, "PS256")) {
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(digest, signature, &len, (const unsigned char *)signed_part,
				 strlen(signed_part)),
		1);
	EVP_MD_CTX_free(digest);
	return base64url_encode(signature, len);
}

static char *make(const struct assertion *a)
{
	const EVP_MD *kind = a->old_thumbprint ? EVP_sha1() : EVP_sha256();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	json_t *header = json_pack("{s:s, s:s}", "alg", a->alg, "typ", "JWT");
	json_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:I}", "aud", a->audience, "iss",
		a->issuer, "sub", a->subject, "nbf", (json_int_t)a->nbf, "exp", (json_int_t)a->exp);
	mdc_autofree char *thumbprint = NULL;
	mdc_autofree char *head = NULL;
	mdc_autofree char *middle = NULL;
	mdc_autofree char *signed_part = NULL;
	mdc_autofree char *signature = NULL;

	X509_digest(certificate, kind, digest, &len);
	thumbprint = base64url_encode(digest, len);
	if (!a->without_thumbprint)
		json_object_set_new(
			header, a->old_thumbprint ? "x5t" : "x5t#S256", json_string(thumbprint));
	if (a->jti != NULL)
		json_object_set_new(claims, "jti", json_string(a->jti));
	head = encode(header);
	middle = encode(claims);
	signed_part = xasprintf("%s.%s", head, middle);
	signature = sign(a, signed_part);
	return xasprintf("%s.%s", signed_part, signature);
}

static int send_to(struct fixture *f, const char *endpoint, const struct assertion *a)
{
	static const char *const headers[] = {
		"Content-Type", "application/x-www-form-urlencoded", NULL};
	mdc_autofree char *assertion = make(a);
	mdc_autofree char *form = xasprintf(
		"grant_type=client_credentials&client_id=" CLIENT "&client_assertion_type="
		"urn%%3Aietf%%3Aparams%%3Aoauth%%3Aclient-assertion-type%%3Ajwt-bearer"
		"&client_assertion=%s&scope=https%%3A%%2F%%2Fmanagement.test%%2F.default",
		assertion);

	return send_raw(f, "POST", endpoint, headers, form);
}

/* The AADSTS number, or 0 for a token. */
static int present(struct fixture *f, const struct assertion *a)
{
	if (send_to(f, AUDIENCE, a) == 200)
		return 0;
	assert_int_equal(f->answer.reply.status, 401);
	assert_string_equal(text(f, "error"), "invalid_client");
	return (int)json_integer_value(json_array_get(tree_get(f->doc, "error_codes"), 0));
}

static void open_with_certificate(struct fixture *f, const char *behaviour)
{
	json_t *doc = fixture_document("", behaviour);

	json_object_set_new(json_array_get(json_object_get(doc, "principals"), 0), "certificates",
		json_pack("[s]", certificate_pem));
	fixture_open_json(f, doc);
}

static void both_algorithms_and_both_thumbprints_are_accepted(void **state)
{
	struct fixture f;
	struct assertion a;

	(void)state;
	open_with_certificate(&f, "");
	a = good_assertion(&f, "one");
	assert_int_equal(present(&f, &a), 0);
	a = good_assertion(&f, "two");
	a.alg = "RS256";
	a.old_thumbprint = true;
	assert_int_equal(present(&f, &a), 0);
	free(f.token);
	f.token = xstrdup(text(&f, "access_token"));
	assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 200);
	fixture_close(&f);
}

static void each_flaw_of_an_assertion_is_refused(void **state)
{
	struct fixture f;
	struct assertion a;

	(void)state;
	open_with_certificate(&f, "");
#define REFUSED(number, change) \
	do { \
		a = good_assertion(&f, #change); \
		change; \
		assert_int_equal(present(&f, &a), number); \
	} while (0)
	REFUSED(700027, a.signer = foreign_key);
	REFUSED(700027, a.without_thumbprint = true);
	REFUSED(700027, a.alg = "none");
	REFUSED(700021, a.issuer = TENANT);
	REFUSED(700021, a.subject = TENANT);
	REFUSED(700023, a.audience = "https://login.elsewhere.test/" TENANT "/oauth2/v2.0/token");
	REFUSED(700023, a.audience = LOGIN "/other.test/oauth2/v2.0/token");
	REFUSED(700024, a.exp = f.now.ms / 1000 - 301);
	REFUSED(700024, a.nbf = f.now.ms / 1000 + 301);
	REFUSED(700024, a.exp = f.now.ms / 1000 + 2 * 86400);
	REFUSED(50027, a.jti = NULL);
#undef REFUSED
	fixture_close(&f);
}

static void small_differences_between_clocks_are_forgiven(void **state)
{
	struct fixture f;
	struct assertion a;

	(void)state;
	open_with_certificate(&f, "");
	a = good_assertion(&f, "late");
	a.exp = f.now.ms / 1000 - 200;
	assert_int_equal(present(&f, &a), 0);
	a = good_assertion(&f, "early");
	a.nbf = f.now.ms / 1000 + 200;
	assert_int_equal(present(&f, &a), 0);
	fixture_close(&f);
}

static void an_assertion_can_be_used_once(void **state)
{
	struct fixture f;
	struct assertion a;

	(void)state;
	open_with_certificate(&f, "");
	a = good_assertion(&f, "again");
	assert_int_equal(present(&f, &a), 0);
	assert_int_equal(present(&f, &a), 50027);
	fixture_close(&f);
	open_with_certificate(&f, "\"tokens\":{\"refuseReplay\":false}");
	assert_int_equal(present(&f, &a), 0);
	assert_int_equal(present(&f, &a), 0);
	fixture_close(&f);
}

static void an_expired_certificate_is_refused(void **state)
{
	struct fixture f;
	struct assertion a;

	(void)state;
	open_with_certificate(&f, "");
	pass(&f, DUR_DAYS(60));
	a = good_assertion(&f, "one");
	assert_int_equal(present(&f, &a), 700027);
	fixture_close(&f);
}

static void a_federated_token_is_accepted_as_often_as_it_is_read(void **state)
{
	struct fixture f;
	json_t *doc = fixture_document("", "");
	struct assertion a;

	(void)state;
	json_object_set_new(json_array_get(json_object_get(doc, "principals"), 0), "federations",
		json_pack("[{s:s, s:s, s:s}]", "issuer", "https://issuer.test", "subject",
			"system:serviceaccount:mdcd:mdcd", "key", public_pem));
	fixture_open_json(&f, doc);
	a = good_assertion(&f, NULL);
	a.alg = "RS256";
	a.issuer = "https://issuer.test";
	a.subject = "system:serviceaccount:mdcd:mdcd";
	a.audience = "api://AzureADTokenExchange";
	assert_int_equal(present(&f, &a), 0);
	assert_int_equal(present(&f, &a), 0);
	a.subject = "system:serviceaccount:other:other";
	assert_int_equal(present(&f, &a), 70021);
	a.subject = "system:serviceaccount:mdcd:mdcd";
	a.audience = AUDIENCE;
	assert_int_equal(present(&f, &a), 700212);
	a.audience = "api://AzureADTokenExchange";
	a.signer = foreign_key;
	assert_int_equal(present(&f, &a), 5000811);
	fixture_close(&f);
}

static void an_assertion_is_made_out_to_one_endpoint(void **state)
{
	static const char federation[] = LOGIN "/adfs/oauth2/token/";
	struct fixture f;
	struct assertion a;

	(void)state;
	open_with_certificate(&f, "");
	a = good_assertion(&f, "one");
	assert_int_equal(send_to(&f, federation, &a), 400);
	assert_true(str_starts_nocase(text(&f, "error_description"), "MSIS9622"));
	a = good_assertion(&f, "two");
	a.audience = federation;
	assert_int_equal(present(&f, &a), 700023);
	assert_int_equal(send_to(&f, federation, &a), 200);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(both_algorithms_and_both_thumbprints_are_accepted),
	cmocka_unit_test(each_flaw_of_an_assertion_is_refused),
	cmocka_unit_test(small_differences_between_clocks_are_forgiven),
	cmocka_unit_test(an_assertion_can_be_used_once),
	cmocka_unit_test(an_expired_certificate_is_refused),
	cmocka_unit_test(a_federated_token_is_accepted_as_often_as_it_is_read),
	cmocka_unit_test(an_assertion_is_made_out_to_one_endpoint),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
