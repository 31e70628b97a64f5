/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/jwt.h"

#include "lib/base/buf.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

/* RFC 7518, 3.5: as long as the hash. */
#define SALT_LEN 32
#define HASH_LEN 32
#define JWT_MAX (64 * 1024)
#define BITS_LEAST 2048

struct jwt_key {
	EVP_PKEY *key;
	unsigned char thumbprint[HASH_LEN]; /* SHA-256 of the certificate's DER form */
};

/* Without this OpenSSL would ask on the terminal. */
static int give_password(char *to, int size, int writing, void *password)
{
	size_t len;

	(void)writing;
	if (password == NULL)
		return -1;
	len = strlen(password);
	if (len > (size_t)size)
		return -1;
	memcpy(to, password, len);
	return (int)len;
}

static EVP_PKEY *read_key(const char *text, size_t len, const char *password)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_password, (void *)password);

	BIO_free(bio);
	return key;
}

/* The certificate of that key; others are its issuers. */
static X509 *read_certificate(const char *text, size_t len, EVP_PKEY *key)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	X509 *certificate;

	while ((certificate = PEM_read_bio_X509(bio, NULL, give_password, NULL)) != NULL) {
		if (X509_check_private_key(certificate, key) == 1)
			break;
		X509_free(certificate);
	}
	BIO_free(bio);
	return certificate;
}

static const char *fault_of_key(EVP_PKEY *key, const char *text, const char *password)
{
	if (key == NULL && strstr(text, "-----BEGIN") == NULL)
		return "not a PEM file (openssl pkcs12 makes one of a PKCS#12 file)";
	if (key == NULL && password != NULL)
		return "no private key that the password opens";
	if (key == NULL && strstr(text, "ENCRYPTED") != NULL)
		return "the private key is encrypted: name its certificate-password-file";
	if (key == NULL)
		return "no private key";
	if (!EVP_PKEY_is_a(key, "RSA"))
		return "the private key is not an RSA key";
	if (EVP_PKEY_get_bits(key) < BITS_LEAST)
		return "the private key is shorter than 2048 bits";
	return NULL;
}

int jwt_key_read(const char *text, size_t len, const char *password, struct jwt_key **ret,
	const char **ret_why)
{
	EVP_PKEY *key;
	X509 *certificate = NULL;
	unsigned char thumbprint[EVP_MAX_MD_SIZE];
	unsigned int thumbprint_len;
	const char *why;

	assert(len < INT32_MAX && text[len] == '\0');
	key = read_key(text, len, password);
	why = fault_of_key(key, text, password);
	if (why == NULL) {
		certificate = read_certificate(text, len, key);
		if (certificate == NULL ||
			X509_digest(certificate, EVP_sha256(), thumbprint, &thumbprint_len) != 1)
			why = "no certificate that belongs to the private key";
	}
	X509_free(certificate);
	ERR_clear_error();
	if (why != NULL) {
		EVP_PKEY_free(key);
		*ret_why = why;
		return -EINVAL;
	}
	*ret = xcalloc(1, sizeof(**ret));
	(*ret)->key = key;
	memcpy((*ret)->thumbprint, thumbprint, HASH_LEN);
	return 0;
}

struct jwt_key *jwt_key_free(struct jwt_key *key)
{
	if (key == NULL)
		return NULL;
	EVP_PKEY_free(key->key);
	free(key);
	return NULL;
}

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
		EVP_DigestSignInit(ctx, &padding, EVP_sha256(), NULL, key->key) == 1 &&
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

static json_t *header_of(const struct jwt_key *key)
{
	struct buf thumbprint = BUF_INIT(HASH_LEN * 2);
	json_t *header;

	add_base64url(&thumbprint, key->thumbprint, HASH_LEN);
	header = json_pack(
		"{s:s, s:s, s:s}", "alg", "PS256", "typ", "JWT", "x5t#S256", buf_str(&thumbprint));
	buf_fini(&thumbprint);
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
	int error = add_json(&b, header_of(key));

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
