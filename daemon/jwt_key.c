/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/jwt_key.h"

#include "lib/base/xalloc.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define BITS_LEAST 2048
/* Certificates of one file; in a chain. */
#define CERTIFICATES_MAX 100
#define CHAIN_MAX 8

struct jwt_key {
	EVP_PKEY *key;
	X509 *chain[CHAIN_MAX]; /* up to NULL */
};

/* What was found in a file. */
struct found {
	EVP_PKEY *key;
	STACK_OF(X509) * certificates;
};

static void found_fini(struct found *f)
{
	EVP_PKEY_free(f->key);
	sk_X509_pop_free(f->certificates, X509_free);
}

/* --- PEM --- */

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

static const char *read_pem(const char *text, size_t len, const char *password, struct found *ret)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	X509 *certificate;

	ret->key = PEM_read_bio_PrivateKey(bio, NULL, give_password, (void *)password);
	BIO_free(bio);
	if (ret->key == NULL && password != NULL)
		return "no private key that the password opens";
	if (ret->key == NULL && strstr(text, "ENCRYPTED") != NULL)
		return "the private key is encrypted: name its certificate-password-file";
	if (ret->key == NULL)
		return "no private key";
	bio = BIO_new_mem_buf(text, (int)len);
	while (sk_X509_num(ret->certificates) < CERTIFICATES_MAX &&
		(certificate = PEM_read_bio_X509(bio, NULL, give_password, NULL)) != NULL)
		sk_X509_push(ret->certificates, certificate);
	BIO_free(bio);
	return NULL;
}

/* --- PKCS#12 --- */

/* No password may have been meant as none, or as an empty one. */
static const char *find_password(PKCS12 *file, const char *password, const char **ret)
{
	*ret = password != NULL ? password : "";
	if (!PKCS12_mac_present(file) || PKCS12_verify_mac(file, *ret, -1) == 1)
		return NULL;
	if (password != NULL)
		return "the password does not open the PKCS#12 file";
	*ret = NULL;
	if (PKCS12_verify_mac(file, NULL, 0) == 1)
		return NULL;
	return "the PKCS#12 file is encrypted: name its certificate-password-file";
}

static const char *take_pkcs12(PKCS12 *file, const char *password, struct found *ret)
{
	STACK_OF(X509) *others = NULL;
	X509 *certificate = NULL;
	const char *why = find_password(file, password, &password);

	if (why != NULL)
		return why;
	if (PKCS12_parse(file, password, &ret->key, &certificate, &others) != 1)
		return "the PKCS#12 file is encrypted in a way that is out of use (RC2); export it "
		       "anew, or make it PEM: openssl pkcs12 -legacy -nodes";
	if (certificate != NULL)
		sk_X509_push(ret->certificates, certificate);
	while (sk_X509_num(others) > 0)
		sk_X509_push(ret->certificates, sk_X509_pop(others));
	sk_X509_free(others);
	return ret->key == NULL ? "no private key" : NULL;
}

static const char *read_pkcs12(
	const char *text, size_t len, const char *password, struct found *ret)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	PKCS12 *file = d2i_PKCS12_bio(bio, NULL);
	const char *why = "neither PEM nor PKCS#12";

	BIO_free(bio);
	if (file != NULL)
		why = take_pkcs12(file, password, ret);
	PKCS12_free(file);
	return why;
}

/* --- the key with its chain --- */

static struct wall end_of(const X509 *certificate)
{
	struct tm end;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
		return WALL_NEVER;
	return (struct wall){(int64_t)timegm(&end) * 1000};
}

static X509 *find_own(const struct found *f)
{
	X509 *best = NULL;

	for (int i = 0; i < sk_X509_num(f->certificates); i++) {
		X509 *one = sk_X509_value(f->certificates, i);

		if (X509_check_private_key(one, f->key) == 1 &&
			(best == NULL || wall_before(end_of(best), end_of(one))))
			best = one;
	}
	return best;
}

static X509 *find_issuer(const struct found *f, X509 *certificate)
{
	if (X509_check_issued(certificate, certificate) == X509_V_OK)
		return NULL;
	for (int i = 0; i < sk_X509_num(f->certificates); i++) {
		X509 *one = sk_X509_value(f->certificates, i);

		if (X509_check_issued(one, certificate) == X509_V_OK)
			return one;
	}
	return NULL;
}

static const char *fault_of(const struct found *f)
{
	if (!EVP_PKEY_is_a(f->key, "RSA"))
		return "the private key is not an RSA key";
	if (EVP_PKEY_get_bits(f->key) < BITS_LEAST)
		return "the private key is shorter than 2048 bits";
	if (find_own(f) == NULL)
		return "no certificate that belongs to the private key";
	return NULL;
}

static struct jwt_key *key_of(struct found *f)
{
	struct jwt_key *key = xcalloc(1, sizeof(*key));
	X509 *next = find_own(f);

	key->key = mdc_take(f->key);
	for (size_t i = 0; i < CHAIN_MAX - 1 && next != NULL; i++) {
		X509_up_ref(next);
		key->chain[i] = next;
		next = find_issuer(f, next);
	}
	return key;
}

int jwt_key_read(const char *text, size_t len, const char *password, struct jwt_key **ret,
	const char **ret_why)
{
	mdc_cleanup(found_fini) struct found f = {.certificates = sk_X509_new_null()};
	const char *why;

	assert(len < INT32_MAX && text[len] == '\0' && f.certificates != NULL);
	why = strstr(text, "-----BEGIN") != NULL ? read_pem(text, len, password, &f)
						 : read_pkcs12(text, len, password, &f);
	if (why == NULL)
		why = fault_of(&f);
	ERR_clear_error();
	if (why != NULL) {
		*ret_why = why;
		return -EINVAL;
	}
	*ret = key_of(&f);
	ERR_clear_error();
	return 0;
}

struct jwt_key *jwt_key_free(struct jwt_key *key)
{
	if (key == NULL)
		return NULL;
	EVP_PKEY_free(key->key);
	for (size_t i = 0; key->chain[i] != NULL; i++)
		X509_free(key->chain[i]);
	free(key);
	return NULL;
}

struct wall jwt_key_expires(const struct jwt_key *key)
{
	return end_of(key->chain[0]);
}

EVP_PKEY *jwt_key_private(const struct jwt_key *key)
{
	return key->key;
}

const X509 *jwt_key_certificate(const struct jwt_key *key, size_t index)
{
	return index < CHAIN_MAX ? key->chain[index] : NULL;
}
