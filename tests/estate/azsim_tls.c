/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_tls.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/azsim_file.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DAY 86400
#define CA_DAYS 3650
#define SERVER_DAYS 390
/* Made anew when less is left. */
#define SPARE_DAYS 7
#define PEM_MAX 65536

struct identity {
	gnutls_x509_crt_t certificate;
	gnutls_x509_privkey_t key;
};

static void identity_fini(struct identity *id)
{
	if (id->certificate != NULL)
		gnutls_x509_crt_deinit(id->certificate);
	if (id->key != NULL)
		gnutls_x509_privkey_deinit(id->key);
	*id = (struct identity){0};
}

static int failed(const char *what, int code)
{
	fprintf(stderr, "azsim: %s: %s\n", what, gnutls_strerror(code));
	return -EIO;
}

/* --- reading --- */

static bool read_identity(const char *certificate_file, const char *key_file, struct identity *ret)
{
	mdc_autofree char *certificate = NULL;
	mdc_autofree char *key = NULL;
	gnutls_datum_t datum;

	*ret = (struct identity){0};
	if (azsim_file_read(certificate_file, PEM_MAX, &certificate) != 0 ||
		azsim_file_read(key_file, PEM_MAX, &key) != 0)
		return false;
	if (gnutls_x509_crt_init(&ret->certificate) < 0 || gnutls_x509_privkey_init(&ret->key) < 0)
		return false;
	datum = (gnutls_datum_t){(unsigned char *)certificate, (unsigned)strlen(certificate)};
	if (gnutls_x509_crt_import(ret->certificate, &datum, GNUTLS_X509_FMT_PEM) < 0)
		return false;
	datum = (gnutls_datum_t){(unsigned char *)key, (unsigned)strlen(key)};
	return gnutls_x509_privkey_import(ret->key, &datum, GNUTLS_X509_FMT_PEM) >= 0;
}

static bool key_fits(const struct identity *id)
{
	unsigned char a[64], b[64];
	size_t a_size = sizeof(a), b_size = sizeof(b);

	return gnutls_x509_crt_get_key_id(id->certificate, 0, a, &a_size) == 0 &&
		gnutls_x509_privkey_get_key_id(id->key, 0, b, &b_size) == 0 && a_size == b_size &&
		memcmp(a, b, a_size) == 0;
}

static bool is_in_force(gnutls_x509_crt_t certificate)
{
	time_t now = time(NULL);

	return gnutls_x509_crt_get_activation_time(certificate) <= now &&
		gnutls_x509_crt_get_expiration_time(certificate) > now + SPARE_DAYS * DAY;
}

static bool is_good_ca(const struct identity *ca)
{
	unsigned critical;

	return key_fits(ca) && is_in_force(ca->certificate) &&
		gnutls_x509_crt_get_ca_status(ca->certificate, &critical) == 1;
}

static bool is_good_server(const struct identity *server, const struct identity *ca,
	const char *const *names, size_t n)
{
	unsigned status;

	if (!key_fits(server) || !is_in_force(server->certificate) ||
		gnutls_x509_crt_verify(server->certificate, &ca->certificate, 1, 0, &status) != 0 ||
		status != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!gnutls_x509_crt_check_hostname(server->certificate, names[i]))
			return false;
	return true;
}

/* --- making --- */

/* What an authority and a server certificate have in common. */
static int begin_certificate(struct identity *id, const char *name, unsigned days)
{
	unsigned char serial[16], key_id[64];
	size_t key_id_size = sizeof(key_id);
	time_t now = time(NULL);
	int error;

	if ((error = gnutls_x509_privkey_init(&id->key)) < 0 ||
		(error = gnutls_x509_privkey_generate(id->key, GNUTLS_PK_ECDSA,
			 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0)) < 0 ||
		(error = gnutls_x509_crt_init(&id->certificate)) < 0 ||
		(error = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial))) < 0)
		return error;
	/* Positive and not zero. */
	serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40);
	if ((error = gnutls_x509_crt_set_version(id->certificate, 3)) < 0 ||
		(error = gnutls_x509_crt_set_serial(id->certificate, serial, sizeof(serial))) < 0 ||
		(error = gnutls_x509_crt_set_key(id->certificate, id->key)) < 0 ||
		(error = gnutls_x509_crt_set_activation_time(id->certificate, now - DAY)) < 0 ||
		(error = gnutls_x509_crt_set_expiration_time(
			 id->certificate, now + (time_t)days * DAY)) < 0 ||
		(error = gnutls_x509_crt_set_dn_by_oid(id->certificate, GNUTLS_OID_X520_COMMON_NAME,
			 0, name, (unsigned)strlen(name))) < 0 ||
		(error = gnutls_x509_crt_get_key_id(id->certificate, 0, key_id, &key_id_size)) < 0)
		return error;
	return gnutls_x509_crt_set_subject_key_id(id->certificate, key_id, key_id_size);
}

static int make_ca(struct identity *ret)
{
	int error = begin_certificate(ret, "azsim test authority", CA_DAYS);

	if (error >= 0)
		error = gnutls_x509_crt_set_basic_constraints(ret->certificate, 1, 0);
	if (error >= 0)
		error = gnutls_x509_crt_set_key_usage(
			ret->certificate, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
	if (error >= 0)
		error = gnutls_x509_crt_sign2(
			ret->certificate, ret->certificate, ret->key, GNUTLS_DIG_SHA256, 0);
	return error < 0 ? failed("making the test authority", error) : 0;
}

static int add_name(gnutls_x509_crt_t certificate, const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, name, address) == 1)
		return gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS,
			address, sizeof(struct in_addr), GNUTLS_FSAN_APPEND);
	if (inet_pton(AF_INET6, name, address) == 1)
		return gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS,
			address, sizeof(struct in6_addr), GNUTLS_FSAN_APPEND);
	return gnutls_x509_crt_set_subject_alt_name(
		certificate, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

static int make_server(
	const struct identity *ca, const char *const *names, size_t n, struct identity *ret)
{
	unsigned char ca_id[64];
	size_t ca_id_size = sizeof(ca_id);
	int error = begin_certificate(ret, "azsim", SERVER_DAYS);

	if (error >= 0)
		error = gnutls_x509_crt_set_basic_constraints(ret->certificate, 0, -1);
	if (error >= 0)
		error = gnutls_x509_crt_set_key_usage(
			ret->certificate, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (error >= 0)
		error = gnutls_x509_crt_set_key_purpose_oid(
			ret->certificate, GNUTLS_KP_TLS_WWW_SERVER, 0);
	for (size_t i = 0; i < n && error >= 0; i++)
		error = add_name(ret->certificate, names[i]);
	if (error >= 0)
		error = gnutls_x509_crt_get_key_id(ca->certificate, 0, ca_id, &ca_id_size);
	if (error >= 0)
		error = gnutls_x509_crt_set_authority_key_id(ret->certificate, ca_id, ca_id_size);
	if (error >= 0)
		error = gnutls_x509_crt_sign2(
			ret->certificate, ca->certificate, ca->key, GNUTLS_DIG_SHA256, 0);
	return error < 0 ? failed("making the server's certificate", error) : 0;
}

/* --- writing --- */

static int write_identity(
	const struct identity *id, const char *certificate_file, const char *key_file)
{
	gnutls_datum_t pem = {0};
	int error = gnutls_x509_privkey_export2(id->key, GNUTLS_X509_FMT_PEM, &pem);

	if (error < 0)
		return failed(key_file, error);
	error = azsim_file_write(key_file, (const char *)pem.data, pem.size, 0600);
	gnutls_free(pem.data);
	if (error != 0)
		return error;
	error = gnutls_x509_crt_export2(id->certificate, GNUTLS_X509_FMT_PEM, &pem);
	if (error < 0)
		return failed(certificate_file, error);
	error = azsim_file_write(certificate_file, (const char *)pem.data, pem.size, 0644);
	gnutls_free(pem.data);
	return error;
}

/* --- opening --- */

static int open_ca(const char *dir, const char *certificate_file, struct identity *ret)
{
	mdc_autofree char *key_file = xasprintf("%s/ca-key.pem", dir);
	int error;

	if (read_identity(certificate_file, key_file, ret) && is_good_ca(ret))
		return 0;
	identity_fini(ret);
	error = make_ca(ret);
	return error != 0 ? error : write_identity(ret, certificate_file, key_file);
}

static int open_server(const char *dir, const struct identity *ca, const char *const *names,
	size_t n, struct azsim_tls *ret)
{
	mdc_autofree char *certificate_file = xasprintf("%s/server.pem", dir);
	mdc_autofree char *key_file = xasprintf("%s/server-key.pem", dir);
	struct identity server;
	int error = 0;

	if (!read_identity(certificate_file, key_file, &server) ||
		!is_good_server(&server, ca, names, n)) {
		identity_fini(&server);
		error = make_server(ca, names, n, &server);
		if (error == 0)
			error = write_identity(&server, certificate_file, key_file);
	}
	identity_fini(&server);
	if (error == 0)
		error = azsim_file_read(certificate_file, PEM_MAX, &ret->certificate);
	if (error == 0)
		error = azsim_file_read(key_file, PEM_MAX, &ret->key);
	return error;
}

int azsim_tls_open(const char *dir, const char *const *names, size_t count, struct azsim_tls *ret)
{
	struct azsim_tls tls = {.ca_file = xasprintf("%s/ca.pem", dir)};
	struct identity ca = {0};
	int error = 0;

	if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
		error = -errno;
		fprintf(stderr, "azsim: %s: %s\n", dir, strerror(errno));
	}
	if (error == 0)
		error = open_ca(dir, tls.ca_file, &ca);
	if (error == 0)
		error = open_server(dir, &ca, names, count, &tls);
	identity_fini(&ca);
	if (error != 0) {
		azsim_tls_fini(&tls);
		return error;
	}
	*ret = tls;
	return 0;
}

void azsim_tls_fini(struct azsim_tls *t)
{
	if (t->key != NULL)
		explicit_bzero(t->key, strlen(t->key));
	free(t->certificate);
	free(t->key);
	free(t->ca_file);
	*t = (struct azsim_tls){0};
}
