/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/transport_proxy.h"

#include "daemon/world.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <arpa/inet.h>
#include <string.h>

#define CREDENTIALS_MAX 4096
#define NONE "none"

/* --- hosts --- */

/* An IPv4 address in the form of IPv6, so that both are compared alike. */
static bool read_address(const char *text, struct in6_addr *ret, unsigned *ret_bits)
{
	struct in_addr v4;

	if (inet_pton(AF_INET6, text, ret) == 1) {
		*ret_bits = 128;
		return true;
	}
	if (inet_pton(AF_INET, text, &v4) != 1)
		return false;
	*ret = (struct in6_addr)IN6ADDR_ANY_INIT;
	ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
	memcpy(&ret->s6_addr[12], &v4, sizeof(v4));
	*ret_bits = 32;
	return true;
}

/* Numbers, but for "localhost", which libcurl resolves by itself and never asks anybody for. */
bool transport_host_is_local(const char *host)
{
	struct in6_addr address;
	unsigned bits;

	if (!read_address(host, &address, &bits))
		return str_equal(host, "localhost");
	if (!IN6_IS_ADDR_V4MAPPED(&address))
		return IN6_IS_ADDR_LOOPBACK(&address);
	return address.s6_addr[12] == 127 ||
		memcmp(&address.s6_addr[12], "\xa9\xfe\xa9\xfe", 4) == 0; /* 169.254.169.254 */
}

static bool same_network(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a->s6_addr, b->s6_addr, whole) != 0)
		return false;
	return rest == 0 || (a->s6_addr[whole] ^ b->s6_addr[whole]) >> (8 - rest) == 0;
}

static bool network_has(const char *network, const struct in6_addr *address)
{
	mdc_autofree char *text = xstrdup(network);
	char *slash = strchr(text, '/');
	struct in6_addr base;
	unsigned width;
	uint64_t prefix;

	if (slash != NULL)
		*slash = '\0';
	if (!read_address(text, &base, &width))
		return false;
	prefix = width;
	if (slash != NULL && str_parse_u64(slash + 1, width, &prefix) != 0)
		return false;
	return same_network(&base, address, 128 - width + (unsigned)prefix);
}

static size_t without_dot(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && name[len - 1] == '.' ? len - 1 : len;
}

static bool domain_has(const char *domain, const char *host)
{
	size_t domain_len, host_len = without_dot(host);

	if (str_starts_nocase(domain, "*."))
		domain++;
	domain += *domain == '.';
	domain_len = without_dot(domain);
	if (domain_len == 0 || domain_len > host_len ||
		strncasecmp(host + host_len - domain_len, domain, domain_len) != 0)
		return false;
	return domain_len == host_len || host[host_len - domain_len - 1] == '.';
}

bool proxy_list_has(const char *no_proxy, const char *host)
{
	static const char dividers[] = ", \t";
	struct in6_addr address;
	unsigned bits;
	bool numeric = read_address(host, &address, &bits);

	while (*(no_proxy += strspn(no_proxy, dividers)) != '\0') {
		size_t len = strcspn(no_proxy, dividers);
		mdc_autofree char *item = xstrndup(no_proxy, len);

		if (str_equal(item, "*") ||
			(numeric ? network_has(item, &address) : domain_has(item, host)))
			return true;
		no_proxy += len;
	}
	return false;
}

/* --- the environment --- */

static const char *get(const char *(*environment)(const char *name), const char *name)
{
	const char *value = environment(name);

	return str_empty(value) ? NULL : value;
}

void proxy_environment_read(
	struct proxy_environment *ret, const char *(*environment)(const char *name))
{
	static const char *const proxies[] = {
		"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	const char *list;

	*ret = (struct proxy_environment){0};
	if (environment == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(proxies) && ret->url == NULL; i++) {
		const char *value = get(environment, proxies[i]);

		if (value == NULL)
			continue;
		ret->variable = proxies[i];
		ret->url = xstrdup(value);
	}
	list = get(environment, "no_proxy");
	if (list == NULL)
		list = get(environment, "NO_PROXY");
	ret->no_proxy = list != NULL ? xstrdup(list) : NULL;
}

void proxy_environment_fini(struct proxy_environment *e)
{
	free(e->url);
	free(e->no_proxy);
	*e = (struct proxy_environment){0};
}

/* --- the choice --- */

static void secret_drop(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void proxy_choice_fini(struct proxy_choice *c)
{
	secret_drop(c->url);
	free(c->shown);
	secret_drop(c->user);
	secret_drop(c->password);
	*c = (struct proxy_choice){0};
}

/* "http://proxy:3128" of "http://user:password@proxy:3128/", and of "proxy:3128". */
static char *without_secrets(const char *url)
{
	const char *scheme_end = strstr(url, "://");
	const char *authority = scheme_end != NULL ? scheme_end + 3 : url;
	const char *end = authority + strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', (size_t)(end - authority));

	if (at != NULL)
		authority = at + 1;
	return xasprintf("%.*s://%.*s", scheme_end != NULL ? (int)(scheme_end - url) : 4,
		scheme_end != NULL ? url : "http", (int)(end - authority), authority);
}

static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* Empties the text. */
static char *take_credentials(const char *path, char *text, size_t len, struct proxy_choice *ret)
{
	char *colon, *why = NULL;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		text[--len] = '\0';
	colon = strchr(text, ':');
	if (colon == NULL || colon == text || strlen(text) != len || !is_plain(text)) {
		why = xasprintf(
			"credentials-file %s of the proxy does not hold USER:PASSWORD", path);
	} else {
		ret->user = xstrndup(text, (size_t)(colon - text));
		ret->password = xstrdup(colon + 1);
		ret->asked = true;
	}
	explicit_bzero(text, len);
	return why;
}

static char *read_credentials(const char *path, struct proxy_choice *ret)
{
	struct secret_files *files = secret_files_system();
	char *text = NULL, *why;
	size_t len;
	int error;

	if (path == NULL)
		return NULL;
	error = files->read(files, path, CREDENTIALS_MAX, &text, &len);
	if (error != 0)
		return xasprintf("credentials-file %s of the proxy: %s", path, strerror(-error));
	why = take_credentials(path, text, len, ret);
	free(text);
	return why;
}

/* libcurl knows more kinds, with rules of their own about names and credentials. */
static bool is_http(const char *url)
{
	return strstr(url, "://") == NULL || str_starts_nocase(url, "http://") ||
		str_starts_nocase(url, "https://");
}

char *proxy_choose(const struct proxy_environment *e, const struct transport_route *route,
	const char *host, struct proxy_choice *ret)
{
	const char *url = route->proxy != NULL ? route->proxy : e->url;
	const char *no_proxy = route->no_proxy != NULL ? route->no_proxy : e->no_proxy;

	*ret = (struct proxy_choice){0};
	if (url == NULL || str_equal(url, NONE) || transport_host_is_local(host) ||
		(no_proxy != NULL && proxy_list_has(no_proxy, host)))
		return NULL;
	ret->shown = without_secrets(url);
	if (!is_http(url) || !is_plain(url))
		return xasprintf("%s names the proxy %s, which is neither an http nor an https URL",
			route->proxy != NULL ? "the configuration" : e->variable,
			is_plain(ret->shown) ? ret->shown : "?");
	ret->url = xstrdup(url);
	return route->proxy != NULL ? read_credentials(route->proxy_credentials_file, ret) : NULL;
}
