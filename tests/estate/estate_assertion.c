/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client assertions: JWTs signed with the key of a registered certificate (PS256 or RS256), or by a
 * federated issuer.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

/* What the service grants to clocks that differ. */
#define SKEW_S 300
#define LIFE_MAX_S (24 * 3600)

struct jwt {
	json_t *header;
	json_t *claims;
	char *signed_part;
	unsigned char *signature;
	size_t signature_len;
};

static void jwt_fini(struct jwt *j)
{
	json_decref(j->header);
	json_decref(j->claims);
	free(j->signed_part);
	free(j->signature);
}

static json_t *decode_json(const char *text, size_t len)
{
	size_t plain_len;
	mdc_autofree unsigned char *plain = base64url_decode(text, len, &plain_len);

	return plain != NULL ? json_loadb((const char *)plain, plain_len, 0, NULL) : NULL;
}

static bool jwt_read(const char *text, struct jwt *ret)
{
	const char *first = strchr(text, '.');
	const char *second = first != NULL ? strchr(first + 1, '.') : NULL;

	if (second == NULL || strchr(second + 1, '.') != NULL)
		return false;
	ret->header = decode_json(text, (size_t)(first - text));
	ret->claims = decode_json(first + 1, (size_t)(second - first - 1));
	ret->signed_part = xstrndup(text, (size_t)(second - text));
	ret->signature = base64url_decode(second + 1, strlen(second + 1), &ret->signature_len);
	return json_is_object(ret->header) && json_is_object(ret->claims) &&
		ret->signature != NULL && ret->signature_len > 0;
}

/* --- signatures --- */

static bool set_padding(EVP_PKEY_CTX *context, const char *alg)
{
	if (str_equal(alg, "RS256"))
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
	return str_equal(alg, "PS256") &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static bool verify(const struct jwt *j, EVP_PKEY *key)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	EVP_PKEY_CTX *context = NULL;
	bool good = EVP_PKEY_base_id(key) == EVP_PKEY_RSA &&
		EVP_DigestVerifyInit(digest, &context, EVP_sha256(), NULL, key) == 1 &&
		set_padding(context, tree_text(j->header, "alg")) &&
		EVP_DigestVerify(digest, j->signature, j->signature_len,
			(const unsigned char *)j->signed_part, strlen(j->signed_part)) == 1;

	EVP_MD_CTX_free(digest);
	return good;
}

static X509 *read_certificate(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return certificate;
}

bool certificate_is_readable(const char *pem)
{
	X509 *certificate = read_certificate(pem);

	X509_free(certificate);
	return certificate != NULL;
}

static bool digest_matches(const X509 *certificate, const EVP_MD *kind, const char *sent)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	size_t sent_len;
	mdc_autofree unsigned char *plain = base64url_decode(sent, strlen(sent), &sent_len);

	return plain != NULL && X509_digest(certificate, kind, digest, &len) == 1 &&
		len == sent_len && memcmp(digest, plain, len) == 0;
}

static bool thumbprint_matches(const struct jwt *j, const X509 *certificate)
{
	const char *newer = json_string_value(json_object_get(j->header, "x5t#S256"));
	const char *older = json_string_value(json_object_get(j->header, "x5t"));

	if (newer != NULL)
		return digest_matches(certificate, EVP_sha256(), newer);
	return older != NULL && digest_matches(certificate, EVP_sha1(), older);
}

enum signer { SIGNER_GOOD, SIGNER_UNKNOWN, SIGNER_FORGED, SIGNER_EXPIRED };

static enum signer check_certificate(const struct call *c, const struct jwt *j, const char *pem)
{
	X509 *certificate = read_certificate(pem);
	enum signer result = SIGNER_UNKNOWN;
	time_t now = (time_t)(c->now.ms / 1000);

	if (certificate == NULL)
		return SIGNER_UNKNOWN;
	if (thumbprint_matches(j, certificate)) {
		if (!verify(j, X509_get0_pubkey(certificate)))
			result = SIGNER_FORGED;
		else if (X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0)
			result = SIGNER_EXPIRED;
		else
			result = SIGNER_GOOD;
	}
	X509_free(certificate);
	return result;
}

/* The certificate that was sent along first, in x5c. */
static X509 *read_sent(const struct jwt *j)
{
	const char *text = json_string_value(json_array_get(json_object_get(j->header, "x5c"), 0));
	unsigned char *der;
	const unsigned char *at;
	X509 *certificate;
	int len;

	if (text == NULL)
		return NULL;
	der = xmalloc(strlen(text) + 4);
	len = EVP_DecodeBlock(der, (const unsigned char *)text, (int)strlen(text));
	at = der;
	certificate = len > 0 ? d2i_X509(NULL, &at, len) : NULL;
	free(der);
	return certificate;
}

static bool is_trusted(const X509 *certificate, const struct trusted_subject *t)
{
	X509 *issuer = read_certificate(t->issuer);
	char name[256] = "";
	bool good;

	X509_NAME_get_text_by_NID(
		X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
	good = str_equal(name, t->name) &&
		X509_verify((X509 *)(uintptr_t)certificate, X509_get0_pubkey(issuer)) == 1;
	X509_free(issuer);
	return good;
}

/* By subject name and issuer, for a certificate that nobody registered. */
static enum signer check_sent(
	const struct call *c, const struct principal *who, const struct jwt *j)
{
	X509 *certificate = who->subjects.n > 0 ? read_sent(j) : NULL;
	enum signer result = SIGNER_UNKNOWN;
	time_t now = (time_t)(c->now.ms / 1000);

	for (size_t i = 0; certificate != NULL && i < who->subjects.n; i++)
		if (is_trusted(certificate, who->subjects.v[i]))
			result = SIGNER_GOOD;
	if (result == SIGNER_GOOD && !verify(j, X509_get0_pubkey(certificate)))
		result = SIGNER_FORGED;
	else if (result == SIGNER_GOOD && X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0)
		result = SIGNER_EXPIRED;
	X509_free(certificate);
	return result;
}

static enum signer check_signer(
	const struct call *c, const struct principal *who, const struct jwt *j)
{
	enum signer result = check_sent(c, who, j);

	for (size_t i = 0; i < who->certificates.n && result == SIGNER_UNKNOWN; i++)
		result = check_certificate(c, j, who->certificates.v[i]);
	return result;
}

/* --- claims --- */

static bool fail(struct assertion_failure *ret, unsigned number, const char *text)
{
	ret->number = number;
	str_copy(ret->text, sizeof(ret->text), text);
	return false;
}

static bool check_times(const struct call *c, const struct jwt *j, struct assertion_failure *ret)
{
	int64_t now = c->now.ms / 1000;
	const json_t *from = json_object_get(j->claims, "nbf");
	const json_t *until = json_object_get(j->claims, "exp");

	if (!json_is_number(until))
		return fail(ret, 50027, "JWT token is invalid or malformed: 'exp' is missing.");
	if ((int64_t)json_number_value(until) + SKEW_S < now ||
		(json_is_number(from) && (int64_t)json_number_value(from) - SKEW_S > now))
		return fail(ret, 700024,
			"Client assertion is not within its valid time range. Current time and the "
			"assertion's 'nbf' and 'exp' do not agree.");
	if ((int64_t)json_number_value(until) - now > LIFE_MAX_S + SKEW_S)
		return fail(ret, 700024,
			"Client assertion is not within its valid time range: its lifetime is too "
			"long.");
	return true;
}

static bool is_our_audience(const struct call *c, const struct tenant *tenant, const char *aud)
{
	static const char *const ends[] = {"/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "/"};
	mdc_autofree char *base = xasprintf("https://%s/", c->e->login_host);
	const char *rest;

	if (aud == NULL || !str_starts_nocase(aud, base))
		return false;
	rest = aud + strlen(base);
	if (str_starts_nocase(c->path, "/adfs/"))
		return str_equal_nocase(rest, "adfs/oauth2/token") ||
			str_equal_nocase(rest, "adfs/oauth2/token/");
	if (str_starts_nocase(rest, tenant->id))
		rest += strlen(tenant->id);
	else if (tenant->domain != NULL && str_starts_nocase(rest, tenant->domain))
		rest += strlen(tenant->domain);
	else
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (str_equal_nocase(rest, ends[i]))
			return true;
	return false;
}

static void forget_old_assertions(struct call *c)
{
	struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_walk(&c->e->assertions, &at)) != NULL)
		if (((struct wall *)entry->value)->ms < c->now.ms)
			map_remove(&c->e->assertions, entry->key);
}

static bool check_replay(struct call *c, const struct jwt *j, struct assertion_failure *ret)
{
	const char *jti = tree_text(j->claims, "jti");
	struct wall *until;

	if (str_empty(jti))
		return fail(ret, 50027, "JWT token is invalid or malformed: 'jti' is missing.");
	if (!c->e->knobs.tokens.refuse_replay)
		return true;
	if (map_count(&c->e->assertions) > 1000)
		forget_old_assertions(c);
	if (map_has(&c->e->assertions, jti))
		return fail(ret, 50027,
			"JWT token is invalid or malformed: the assertion was used before.");
	until = xmalloc(sizeof(*until));
	until->ms = (int64_t)json_number_value(json_object_get(j->claims, "exp")) * 1000 +
		SKEW_S * 1000;
	map_set(&c->e->assertions, jti, until);
	return true;
}

static bool check_own_claims(struct call *c, const struct principal *who, const struct jwt *j,
	struct assertion_failure *ret)
{
	if (!str_equal_nocase(tree_text(j->claims, "iss"), who->client) ||
		!str_equal_nocase(tree_text(j->claims, "sub"), who->client))
		return fail(ret, 700021,
			"Client assertion application identifier doesn't match 'client_id' "
			"parameter.");
	if (!is_our_audience(c, who->tenant, tree_text(j->claims, "aud")))
		return fail(ret, 700023,
			"Client assertion audience claim does not match Realm issuer.");
	return check_times(c, j, ret) && check_replay(c, j, ret);
}

static bool check_certificate_assertion(struct call *c, const struct principal *who,
	const struct jwt *j, struct assertion_failure *ret)
{
	switch (check_signer(c, who, j)) {
	case SIGNER_UNKNOWN:
		return fail(ret, 700027,
			"The certificate with identifier used to sign the client assertion is not "
			"registered on application. [Reason - The key was not found.]");
	case SIGNER_FORGED:
		return fail(ret, 700027,
			"Client assertion contains an invalid signature. [Reason - The key was "
			"found, "
			"but use of the key to verify the signature failed.]");
	case SIGNER_EXPIRED:
		return fail(ret, 700027,
			"Client assertion contains an invalid signature. [Reason - The key used is "
			"expired.]");
	case SIGNER_GOOD: break;
	}
	return check_own_claims(c, who, j, ret);
}

/* --- federation --- */

static bool verify_with_key(const struct jwt *j, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	bool good = key != NULL && verify(j, key);

	EVP_PKEY_free(key);
	BIO_free(bio);
	return good;
}

static bool check_federated(struct call *c, const struct principal *who, const struct jwt *j,
	struct assertion_failure *ret)
{
	const char *issuer = tree_text(j->claims, "iss");

	for (size_t i = 0; i < who->federations.n; i++) {
		const struct federation *f = who->federations.v[i];

		if (!str_equal(f->issuer, issuer) ||
			!str_equal(f->subject, tree_text(j->claims, "sub")))
			continue;
		if (!str_equal(f->audience, tree_text(j->claims, "aud")))
			return fail(ret, 700212,
				"No matching federated identity record found for presented "
				"assertion "
				"audience.");
		if (!verify_with_key(j, f->key))
			return fail(ret, 5000811, "Unable to verify token signature.");
		/* Files with such tokens are read again and again until they rotate. */
		return check_times(c, j, ret);
	}
	return fail(
		ret, 70021, "No matching federated identity record found for presented assertion.");
}

bool assertion_check(struct call *c, const struct principal *who, const char *assertion,
	struct assertion_failure *ret)
{
	mdc_cleanup(jwt_fini) struct jwt j = {0};

	if (!jwt_read(assertion, &j))
		return fail(ret, 50027, "JWT token is invalid or malformed.");
	if (who->federations.n > 0 && !str_equal_nocase(tree_text(j.claims, "iss"), who->client))
		return check_federated(c, who, &j, ret);
	return check_certificate_assertion(c, who, &j, ret);
}
