/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/tls_trust.h"

#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>
#include <unistd.h>

#define CA_FILE_MAX (1024 * 1024)

struct trust {
	struct list node;
	char *ca_file; /* NULL: the system's alone */
	struct stat seen;
	X509_STORE *store;
};

struct tls_trust {
	struct list all;
};

struct tls_trust *tls_trust_new(void)
{
	struct tls_trust *t = xcalloc(1, sizeof(*t));

	list_init(&t->all);
	return t;
}

static void trust_free(struct trust *t)
{
	list_remove(&t->node);
	X509_STORE_free(t->store);
	free(t->ca_file);
	free(t);
}

struct tls_trust *tls_trust_free(struct tls_trust *t)
{
	if (t == NULL)
		return NULL;
	list_for_each (&t->all, node)
		trust_free(list_entry(node, struct trust, node));
	free(t);
	return NULL;
}

/*
 * Where this libcurl would look. The folder first: OpenSSL reads from it only what a chain needs,
 * and sees what is added later.
 */
static void add_system(X509_STORE *store)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	if (info->capath != NULL && access(info->capath, R_OK | X_OK) == 0 &&
		X509_STORE_load_path(store, info->capath) == 1)
		return;
	if (info->cainfo != NULL && X509_STORE_load_file(store, info->cainfo) == 1)
		return;
	(void)X509_STORE_set_default_paths(store);
}

static X509_STORE *store_new(void)
{
	X509_STORE *store = X509_STORE_new();

	assert(store != NULL && "out of memory");
	/* As libcurl has it: an intermediate certificate in the file is trusted as such. */
	X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	add_system(store);
	return store;
}

static int check_file(const char *ca_file, struct stat *ret)
{
	if (stat(ca_file, ret) != 0)
		return -errno;
	if (!S_ISREG(ret->st_mode))
		return S_ISDIR(ret->st_mode) ? -EISDIR : -EINVAL;
	if (ret->st_size > CA_FILE_MAX)
		return -EFBIG;
	return access(ca_file, R_OK) == 0 ? 0 : -errno;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static struct trust *find(struct tls_trust *t, const char *ca_file)
{
	list_for_each (&t->all, node) {
		struct trust *trust = list_entry(node, struct trust, node);

		if (str_equal(trust->ca_file, ca_file))
			return trust;
	}
	return NULL;
}

static int make(struct tls_trust *t, const char *ca_file, const struct stat *st, struct trust **ret)
{
	X509_STORE *store = store_new();
	struct trust *trust;
	bool loaded = ca_file == NULL || X509_STORE_load_file(store, ca_file) == 1;

	ERR_clear_error();
	if (!loaded) {
		X509_STORE_free(store);
		return -EBADMSG;
	}
	trust = xcalloc(1, sizeof(*trust));
	trust->ca_file = ca_file != NULL ? xstrdup(ca_file) : NULL;
	trust->seen = *st;
	trust->store = store;
	list_append(&t->all, &trust->node);
	*ret = trust;
	return 0;
}

int tls_trust_get(struct tls_trust *t, const char *ca_file, X509_STORE **ret)
{
	struct trust *trust = find(t, ca_file);
	struct stat now = {0};
	int error = ca_file != NULL ? check_file(ca_file, &now) : 0;

	if (error != 0)
		return error;
	if (trust != NULL && !is_same(&trust->seen, &now)) {
		trust_free(trust);
		trust = NULL;
	}
	if (trust == NULL) {
		error = make(t, ca_file, &now, &trust);
		if (error != 0)
			return error;
	}
	X509_STORE_up_ref(trust->store);
	*ret = trust->store;
	return 0;
}
