/* SPDX-License-Identifier: Apache-2.0 */
/* Clouds with the way to them, and the identities that use them. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config_internal.h"

#include <string.h>

/* --- proxies --- */

#define NO_PROXY_MAX (64u << 10)

/* Not NULL: what is between the commas of a NO_PROXY. */
static char *join_list(const struct config_option *option)
{
	struct buf all = BUF_INIT(NO_PROXY_MAX);

	for (size_t i = 0; i < option->n; i++)
		buf_addf(&all, "%s%s", i > 0 ? "," : "", option->values[i].text);
	if (all.len == 0)
		buf_addc(&all, ',');
	return buf_steal(&all);
}

static struct proxy_config proxy_of(
	const struct config_builder *b, const struct config_section *cloud)
{
	const struct config_section *own = config_child(cloud, "proxy", NULL);
	const struct config_section *s = own != NULL ? own : config_child(b->root, "proxy", NULL);
	const char *path = own != NULL ? "cloud/proxy" : "proxy";
	const struct config_option *no_proxy = config_option_find(s, "no-proxy");
	struct proxy_config proxy = {.url = config_get_copy(b, s, path, "url")};

	if (no_proxy != NULL)
		proxy.no_proxy = join_list(no_proxy);
	if (proxy.url == NULL)
		return proxy;
	proxy.credentials_file = config_get_copy(b, s, path, "credentials-file");
	proxy.ca_file = config_get_copy(b, s, path, "ca-file");
	return proxy;
}

static void check_no_proxy(const struct config_builder *b, const struct config_option *option)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.:/*";

	for (size_t i = 0; option != NULL && i < option->n; i++) {
		const struct config_value *v = &option->values[i];

		if (v->text[strspn(v->text, allowed)] == '\0' && strstr(v->text, "://") == NULL)
			continue;
		diag_error(b->diags, v->file, v->line,
			"no-proxy: \"%s\" is neither a name, an address nor a network; write one "
			"such as \"example.com\", \"10.0.0.5\" or \"10.0.0.0/8\"",
			config_show(v->text).text);
	}
}

static void check_proxy(const struct config_builder *b, const struct config_section *s)
{
	static const char *const needing[] = {"credentials-file", "ca-file"};

	if (s == NULL)
		return;
	check_no_proxy(b, config_option_find(s, "no-proxy"));
	for (size_t i = 0; i < ARRAY_LEN(needing); i++) {
		const struct config_option *option = config_option_find(s, needing[i]);

		if (option != NULL && !config_option_meant(s, "proxy", "url"))
			diag_warning(b->diags, option->file, option->line,
				"%s: it has no effect on a proxy of the environment; write url = "
				"\"http://HOST:PORT\" beside it",
				needing[i]);
	}
}

/* --- clouds --- */

static bool is_preset(const char *title)
{
	for (size_t i = 0; config_preset_cloud(i) != NULL; i++)
		if (str_equal(config_preset_cloud(i), title))
			return true;
	return false;
}

static enum cloud_quota quota_of(const char *word)
{
	if (str_equal(word, "hourly"))
		return CLOUD_QUOTA_HOURLY;
	return str_equal(word, "buckets-and-tenant") ? CLOUD_QUOTA_BUCKETS_AND_TENANT
						     : CLOUD_QUOTA_BUCKETS;
}

static void add_cloud(struct config_builder *b, const struct config_section *s)
{
	struct config *c = b->config;

	c->clouds = xreallocarray(c->clouds, c->cloud_count + 1, sizeof(*c->clouds));
	c->clouds[c->cloud_count++] = (struct cloud_config){
		.name = xstrdup(s->title),
		.login = config_get_copy(b, s, "cloud", "login"),
		.resource_manager = config_get_copy(b, s, "cloud", "resource-manager"),
		.defender = config_get_copy(b, s, "cloud", "defender"),
		.audience = config_get_copy(b, s, "cloud", "audience"),
		.ca_file = config_get_copy(b, s, "cloud", "ca-file"),
		.quota = quota_of(config_get(b, s, "cloud", "quota-model")),
		.proxy = proxy_of(b, s),
	};
}

static void check_cloud(const struct config_builder *b, const struct config_section *s)
{
	if (!is_preset(s->title) && !config_option_meant(s, "cloud", "resource-manager"))
		diag_error(b->diags, s->file, s->line,
			"%s has no resource-manager and is not a built-in cloud; write "
			"resource-manager = \"https://HOST\"",
			config_show_section(s).text);
	check_proxy(b, config_child(s, "proxy", NULL));
}

static void build_clouds(struct config_builder *b)
{
	for (size_t i = 0; config_preset_cloud(i) != NULL; i++) {
		const char *title = config_preset_cloud(i);
		char *owned = xstrdup(title);
		const struct config_section unwritten = {.title = owned};
		const struct config_section *s = config_child(b->root, "cloud", title);

		add_cloud(b, s != NULL ? s : &unwritten);
		free(owned);
	}
	for (size_t i = 0; i < b->root->section_count; i++) {
		const struct config_section *s = &b->root->sections[i];

		if (!str_equal(s->kind, "cloud") || s->title == NULL)
			continue;
		check_cloud(b, s);
		if (!is_preset(s->title))
			add_cloud(b, s);
	}
}

/* --- identities --- */

static const struct {
	const char *word;
	enum identity_method method;
	const char *needs[3];
	const char *takes; /* "a|b" */
	bool login;        /* it signs in at the cloud's login host itself */
} methods[] = {
	{"client-secret", IDENTITY_CLIENT_SECRET, {"client", "secret-file"},
		"client|secret-file|secret-expires", true},
	{"client-certificate", IDENTITY_CLIENT_CERTIFICATE, {"client", "certificate"},
		"client|certificate|certificate-password-file|certificate-chain", true},
	{"workload-identity", IDENTITY_WORKLOAD, {"client", "federated-token-file"},
		"client|federated-token-file", true},
	{"managed-identity", IDENTITY_MANAGED, {NULL}, "client", false},
	{"arc-managed-identity", IDENTITY_ARC, {NULL}, "client", false},
	{"azure-cli", IDENTITY_AZURE_CLI, {NULL}, "", false},
};

/* ARRAY_LEN(methods) where none was written, or one that was refused. */
static size_t method_of(const struct config_builder *b, const struct config_section *s)
{
	const char *word = config_get(b, s, "identity", "method");
	const char *supported = config_row_find("identity", "method")->supported;
	size_t i = 0;

	if (supported != NULL && !config_choice_has(supported, word))
		return ARRAY_LEN(methods);
	while (i < ARRAY_LEN(methods) && !str_equal(methods[i].word, word))
		i++;
	return i;
}

static const struct cloud_config *cloud_of(
	const struct config_builder *b, const struct config_section *s)
{
	const char *title = config_get(b, s, "identity", "cloud");

	for (size_t i = 0; i < b->config->cloud_count; i++)
		if (str_equal(b->config->clouds[i].name, title))
			return &b->config->clouds[i];
	config_unknown_title(b, config_option_find(s, "cloud"), "cloud", title);
	return NULL;
}

/* The variable that would say it, or NULL. */
static const char *variable_for(const char *method, const char *option)
{
	size_t count;
	const struct config_environment_row *rows = config_environment_rows(&count);

	for (size_t i = 0; i < count; i++)
		if (str_equal(rows[i].method, method) && str_equal(rows[i].option, option))
			return rows[i].variable;
	return NULL;
}

static void check_needs(
	const struct config_builder *b, const struct config_section *s, size_t method)
{
	const char *needed;

	for (size_t i = 0; (needed = methods[method].needs[i]) != NULL; i++) {
		const char *variable = variable_for(methods[method].word, needed);

		if (config_option_meant(s, "identity", needed))
			continue;
		diag_error(b->diags, s->file, s->line,
			"%s has no %s, which the method %s needs; write %s = \"%s\"%s%s",
			config_show_section(s).text, needed, methods[method].word, needed,
			config_row_find("identity", needed)->example,
			variable != NULL ? ", or set " : "", variable != NULL ? variable : "");
	}
}

static void check_method(
	const struct config_builder *b, const struct config_section *s, size_t method)
{
	static const char *const used[] = {"client", "secret-file", "secret-expires", "certificate",
		"certificate-password-file", "certificate-chain", "federated-token-file"};

	check_needs(b, s, method);
	for (size_t i = 0; i < ARRAY_LEN(used); i++) {
		const struct config_option *option = config_option_find(s, used[i]);

		if (option != NULL && !config_choice_has(methods[method].takes, used[i]))
			diag_warning(b->diags, option->file, option->line,
				"%s: the method %s does not use it; remove it", used[i],
				methods[method].word);
	}
}

/* Not an error: what to write is found out by asking. */
static void check_login(const struct config_builder *b, const struct config_section *s,
	const struct cloud_config *cloud)
{
	const struct config_section *written = config_child(b->root, "cloud", cloud->name);

	if (cloud->login == NULL && written != NULL &&
		!config_option_meant(written, "cloud", "login"))
		diag_warning(b->diags, written->file, written->line,
			"%s has no login, so %s gets no token; write login = \"https://HOST\", or "
			"start: the resource-manager will be asked, and what to write will be told",
			config_show_section(written).text, config_show_section(s).text);
}

static char *get_guid(
	const struct config_builder *b, const struct config_section *s, const char *name)
{
	char *guid = config_get_copy(b, s, "identity", name);

	if (guid != NULL)
		str_fold(guid);
	return guid;
}

static struct wall get_end(const struct config_builder *b, const struct config_section *s)
{
	const char *text = config_get(b, s, "identity", "secret-expires");
	struct wall end;

	return text != NULL && wall_parse_date_end(text, &end) == 0 ? end : WALL_UNSET;
}

static void build_identity(struct config_builder *b, const struct config_section *s)
{
	struct config *c = b->config;
	const struct cloud_config *cloud = cloud_of(b, s);
	size_t method = method_of(b, s);

	if (method < ARRAY_LEN(methods))
		check_method(b, s, method);
	if (method < ARRAY_LEN(methods) && methods[method].login && cloud != NULL)
		check_login(b, s, cloud);
	c->identities = xreallocarray(c->identities, c->identity_count + 1, sizeof(*c->identities));
	c->identities[c->identity_count++] = (struct identity_config){
		.name = xstrdup(s->title),
		.cloud = cloud,
		.tenant = get_guid(b, s, "tenant"),
		.client = get_guid(b, s, "client"),
		.method = method < ARRAY_LEN(methods) ? methods[method].method : IDENTITY_METHOD_N_,
		.secret_file = config_get_copy(b, s, "identity", "secret-file"),
		.secret_expires = get_end(b, s),
		.certificate = config_get_copy(b, s, "identity", "certificate"),
		.certificate_password_file =
			config_get_copy(b, s, "identity", "certificate-password-file"),
		.certificate_chain = config_get_switch(b, s, "identity", "certificate-chain"),
		.federated_token_file = config_get_copy(b, s, "identity", "federated-token-file"),
	};
}

void config_build_identities(struct config_builder *b)
{
	check_proxy(b, config_child(b->root, "proxy", NULL));
	build_clouds(b);
	for (size_t i = 0; i < b->root->section_count; i++) {
		const struct config_section *s = &b->root->sections[i];

		if (str_equal(s->kind, "identity") && s->title != NULL)
			build_identity(b, s);
	}
}
