/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/signing_keys.h"

#include "lib/base/xalloc.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

struct signing_keys {
	EVP_PKEY *key;
	X509 *certificate;
	char *private_pem, *certificate_pem, *pem;
	char thumbprint[64];
};

static char *text_of(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = xstrndup(data, (size_t)len);

	BIO_free(bio);
	return text;
}

static X509 *certificate_of(
	EVP_PKEY *key, const char *name, const struct signing_keys *issuer, int days)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_time_adj_ex(X509_getm_notBefore(x), days < 0 ? days - 1 : 0, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(x), days, 0, NULL);
	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(
		x, issuer != NULL ? X509_get_subject_name(issuer->certificate) : subject);
	X509_set_pubkey(x, key);
	if (X509_sign(x, issuer != NULL ? issuer->key : key, EVP_sha256()) == 0)
		abort();
	return x;
}

static void set_thumbprint(struct signing_keys *k)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len;
	char *c = k->thumbprint;

	X509_digest(k->certificate, EVP_sha256(), digest, &len);
	EVP_EncodeBlock((unsigned char *)k->thumbprint, digest, (int)len);
	for (; *c != '\0' && *c != '='; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	*c = '\0';
}

static struct signing_keys *keys_of(
	EVP_PKEY *take_key, const char *name, const struct signing_keys *issuer, int days)
{
	struct signing_keys *k = xcalloc(1, sizeof(*k));
	BIO *bio = BIO_new(BIO_s_mem());

	if (take_key == NULL)
		abort();
	k->key = take_key;
	k->certificate = certificate_of(k->key, name, issuer, days);
	PEM_write_bio_PrivateKey(bio, k->key, NULL, NULL, 0, NULL, NULL);
	k->private_pem = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, k->certificate);
	k->certificate_pem = text_of(bio);
	k->pem = xasprintf("%s%s", k->private_pem, k->certificate_pem);
	set_thumbprint(k);
	return k;
}

struct signing_keys *signing_keys_new(unsigned rsa_bits)
{
	return keys_of(EVP_RSA_gen(rsa_bits), "mdcd test", NULL, 365);
}

struct signing_keys *signing_keys_new_ec(void)
{
	return keys_of(EVP_EC_gen("P-256"), "mdcd test", NULL, 365);
}

struct signing_keys *signing_keys_issue(
	const char *name, const struct signing_keys *issuer, int days)
{
	return keys_of(EVP_RSA_gen(2048), name, issuer, days);
}

struct signing_keys *signing_keys_free(struct signing_keys *k)
{
	if (k == NULL)
		return NULL;
	EVP_PKEY_free(k->key);
	X509_free(k->certificate);
	free(k->private_pem);
	free(k->certificate_pem);
	free(k->pem);
	free(k);
	return NULL;
}

const char *signing_keys_pem(const struct signing_keys *k)
{
	return k->pem;
}

const char *signing_keys_private(const struct signing_keys *k)
{
	return k->private_pem;
}

const char *signing_keys_certificate(const struct signing_keys *k)
{
	return k->certificate_pem;
}

char *signing_keys_encrypted_pem(const struct signing_keys *k, const char *password)
{
	BIO *bio = BIO_new(BIO_s_mem());
	mdc_autofree char *key = NULL;

	PEM_write_bio_PKCS8PrivateKey(
		bio, k->key, EVP_aes_256_cbc(), password, (int)strlen(password), NULL, NULL);
	key = text_of(bio);
	return xasprintf("%s%s", key, k->certificate_pem);
}

char *signing_keys_pkcs12(const struct signing_keys *k, const struct signing_keys *issuer,
	const char *password, size_t *ret_len)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS12 *file;
	char *data, *copy;

	if (issuer != NULL)
		sk_X509_push(others, issuer->certificate);
	file = PKCS12_create(password, "mdcd", k->key, k->certificate, others, 0, 0, 0, 0, 0);
	if (file == NULL || i2d_PKCS12_bio(bio, file) != 1)
		abort();
	PKCS12_free(file);
	sk_X509_free(others);
	*ret_len = (size_t)BIO_get_mem_data(bio, &data);
	copy = xmalloc(*ret_len + 1);
	memcpy(copy, data, *ret_len);
	copy[*ret_len] = '\0';
	BIO_free(bio);
	return copy;
}

char *signing_keys_der_base64(const struct signing_keys *k)
{
	unsigned char *der = NULL;
	int len = i2d_X509(k->certificate, &der);
	char *text = xmalloc((size_t)len / 3 * 4 + 5);

	EVP_EncodeBlock((unsigned char *)text, der, len);
	OPENSSL_free(der);
	return text;
}

char *signing_keys_renewed(const struct signing_keys *k, int days)
{
	X509 *renewed = certificate_of(k->key, "mdcd test", NULL, days);
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(bio, renewed);
	X509_free(renewed);
	return text_of(bio);
}

char *signing_keys_public(const struct signing_keys *k)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_PUBKEY(bio, k->key);
	return text_of(bio);
}

static char *encode(const void *data, size_t len)
{
	char *text = xmalloc(len / 3 * 4 + 5);
	char *c = text;

	EVP_EncodeBlock((unsigned char *)text, data, (int)len);
	for (; *c != '\0' && *c != '='; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	*c = '\0';
	return text;
}

char *signing_keys_jwt(const struct signing_keys *k, json_t *take_claims)
{
	static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"1\"}";
	mdc_autofree char *claims = json_dumps(take_claims, JSON_COMPACT);
	mdc_autofree char *head = encode(header, strlen(header));
	mdc_autofree char *body = encode(claims, strlen(claims));
	mdc_autofree char *signed_part = xasprintf("%s.%s", head, body);
	mdc_autofree char *tail = NULL;
	unsigned char signature[1024];
	size_t len = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->key) != 1 ||
		EVP_DigestSign(ctx, signature, &len, (const unsigned char *)signed_part,
			strlen(signed_part)) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
	json_decref(take_claims);
	tail = encode(signature, len);
	return xasprintf("%s.%s", signed_part, tail);
}

const char *signing_keys_thumbprint(const struct signing_keys *k)
{
	return k->thumbprint;
}

char *signing_keys_decode(const char *text, size_t len, size_t *ret_len)
{
	char *padded = xmalloc(len + 4);
	char *data = xcalloc(1, len + 4);
	size_t padded_len = len;
	int n;

	for (size_t i = 0; i < len; i++)
		padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
	while (padded_len % 4 != 0)
		padded[padded_len++] = '=';
	n = EVP_DecodeBlock((unsigned char *)data, (unsigned char *)padded, (int)padded_len);
	free(padded);
	*ret_len = n < 0 ? 0 : (size_t)n - (padded_len - len);
	data[*ret_len] = '\0';
	return data;
}

bool signing_keys_verify(const struct signing_keys *k, const char *jwt)
{
	const char *dot = strrchr(jwt, '.');
	size_t len;
	mdc_autofree char *signature = signing_keys_decode(dot + 1, strlen(dot + 1), &len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	bool good = EVP_DigestVerifyInit(ctx, &padding, EVP_sha256(), NULL, k->key) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, 32) == 1 &&
		EVP_DigestVerify(ctx, (const unsigned char *)signature, len,
			(const unsigned char *)jwt, (size_t)(dot - jwt)) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}
