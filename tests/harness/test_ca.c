/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/test_ca.h"

#include "lib/base/xalloc.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct test_ca {
	EVP_PKEY *key;
	X509 *certificate;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "test_ca: %s failed\n", what);
	abort();
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(extension != NULL, value);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *certificate_new(EVP_PKEY *key, const char *name, long serial, long begin, long end)
{
	X509 *c = X509_new();

	X509_set_version(c, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c), serial);
	X509_gmtime_adj(X509_getm_notBefore(c), begin);
	X509_gmtime_adj(X509_getm_notAfter(c), end);
	X509_set_pubkey(c, key);
	must(X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
		     (const unsigned char *)name, -1, -1, 0) == 1,
		"a name");
	return c;
}

struct test_ca *test_ca_new(const char *name)
{
	struct test_ca *ca = xcalloc(1, sizeof(*ca));

	ca->key = EVP_EC_gen("P-256");
	must(ca->key != NULL, "a key");
	ca->certificate = certificate_new(ca->key, name, 1, -86400 * 30, 86400 * 30);
	X509_set_issuer_name(ca->certificate, X509_get_subject_name(ca->certificate));
	add_extension(ca->certificate, ca->certificate, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(
		ca->certificate, ca->certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
	must(X509_sign(ca->certificate, ca->key, EVP_sha256()) > 0, "signing");
	return ca;
}

struct test_ca *test_ca_free(struct test_ca *ca)
{
	if (ca == NULL)
		return NULL;
	EVP_PKEY_free(ca->key);
	X509_free(ca->certificate);
	free(ca);
	return NULL;
}

void test_ca_write(const struct test_ca *ca, const char *path)
{
	FILE *f = fopen(path, "we");

	must(f != NULL && PEM_write_X509(f, ca->certificate) == 1 && fclose(f) == 0, path);
}

void test_ca_issue(const struct test_ca *ca, const char *names, int days_ago, EVP_PKEY **ret_key,
	X509 **ret_certificate)
{
	static long serial = 100;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	long end = days_ago > 0 ? -86400L * days_ago : 86400;
	X509 *c = certificate_new(key, "a server", serial++, -86400L * (days_ago + 1), end);

	X509_set_issuer_name(c, X509_get_subject_name(ca->certificate));
	add_extension(c, ca->certificate, NID_subject_alt_name, names);
	add_extension(c, ca->certificate, NID_ext_key_usage, "serverAuth");
	must(X509_sign(c, ca->key, EVP_sha256()) > 0, "signing");
	*ret_key = key;
	*ret_certificate = c;
}
