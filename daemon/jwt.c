/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/jwt.h"

#include "lib/base/buf.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

/* RFC 7518, 3.5: as long as the hash. */
#define SALT_LEN 32
#define JWT_MAX (64 * 1024)

static void add_base64url(struct buf *b, const void *data, size_t len)
{
	mdc_autofree char *encoded = xmalloc(len / 3 * 4 + 5);
	int n = EVP_EncodeBlock((unsigned char *)encoded, data, (int)len);

	for (int i = 0; i < n && encoded[i] != '='; i++)
		buf_addc(b, encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i]);
}

/* Fails on a text that is not UTF-8. */
static int add_json(struct buf *b, json_t *take_document)
{
	mdc_autofree char *text = json_dumps(take_document, JSON_COMPACT);

	json_decref(take_document);
	if (text == NULL)
		return -EINVAL;
	add_base64url(b, text, strlen(text));
	return 0;
}

static int add_signature(struct buf *b, const struct jwt_key *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	unsigned char signature[2048];
	size_t len = sizeof(signature);
	bool ok = ctx != NULL &&
		EVP_DigestSignInit(ctx, &padding, EVP_sha256(), NULL, jwt_key_private(key)) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, SALT_LEN) == 1 &&
		EVP_PKEY_CTX_set_rsa_mgf1_md(padding, EVP_sha256()) == 1 &&
		EVP_DigestSign(ctx, signature, &len, (const unsigned char *)b->data, b->len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (!ok)
		return -EIO;
	buf_addc(b, '.');
	add_base64url(b, signature, len);
	return 0;
}

static json_t *thumbprint_of(const X509 *certificate)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(EVP_MAX_MD_SIZE * 2);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1)
		return NULL;
	add_base64url(&text, digest, len);
	return json_string(buf_str(&text));
}

/* Base64 of the DER form: this one not for URLs (RFC 7515, 4.1.6). */
static json_t *der_of(const X509 *certificate)
{
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);
	mdc_autofree char *encoded = NULL;

	if (len < 0)
		return NULL;
	encoded = xmalloc((size_t)len / 3 * 4 + 5);
	EVP_EncodeBlock((unsigned char *)encoded, der, len);
	OPENSSL_free(der);
	return json_string(encoded);
}

static json_t *chain_of(const struct jwt_key *key)
{
	json_t *chain = json_array();
	const X509 *certificate;

	for (size_t i = 0; (certificate = jwt_key_certificate(key, i)) != NULL; i++)
		json_array_append_new(chain, der_of(certificate));
	return chain;
}

static json_t *header_of(const struct jwt_key *key, bool chain)
{
	json_t *header = json_pack("{s:s, s:s, s:o}", "alg", "PS256", "typ", "JWT", "x5t#S256",
		thumbprint_of(jwt_key_certificate(key, 0)));

	if (chain)
		json_object_set_new(header, "x5c", chain_of(key));
	return header;
}

static json_t *body_of(const struct jwt_claims *claims)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "aud", claims->audience, "iss",
		claims->client, "sub", claims->client, "jti", claims->id, "nbf",
		(json_int_t)(claims->not_before.ms / 1000), "exp",
		(json_int_t)(claims->expires.ms / 1000));
}

int jwt_sign(const struct jwt_key *key, const struct jwt_claims *claims, char **ret)
{
	mdc_cleanup(buf_fini) struct buf b = BUF_INIT(JWT_MAX);
	int error = add_json(&b, header_of(key, claims->chain));

	buf_addc(&b, '.');
	if (error == 0)
		error = add_json(&b, body_of(claims));
	if (error == 0)
		error = add_signature(&b, key);
	if (error != 0)
		return error;
	if (buf_failed(&b))
		return -EFBIG;
	*ret = buf_steal(&b);
	return 0;
}
