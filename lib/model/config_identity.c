/* SPDX-License-Identifier: Apache-2.0 */
/* Clouds, and the identities that use them. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config_internal.h"

#include <string.h>

/* --- clouds --- */

static bool is_preset(const char *title)
{
	for (size_t i = 0; config_preset_cloud(i) != NULL; i++)
		if (str_equal(config_preset_cloud(i), title))
			return true;
	return false;
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
	};
}

static void check_cloud(const struct config_builder *b, const struct config_section *s)
{
	static const char *const needed[] = {"login", "resource-manager"};

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!is_preset(s->title) && !config_option_meant(s, "cloud", needed[i]))
			diag_error(b->diags, s->file, s->line,
				"%s has no %s and is not a built-in cloud; write %s = "
				"\"https://HOST\"",
				config_show_section(s).text, needed[i], needed[i]);
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
} methods[] = {
	{"client-secret", IDENTITY_CLIENT_SECRET, {"client", "secret-file"}, "secret-file"},
	{"client-certificate", IDENTITY_CLIENT_CERTIFICATE, {"client", "certificate"},
		"certificate|certificate-password-file"},
	{"workload-identity", IDENTITY_WORKLOAD, {"client", "federated-token-file"},
		"federated-token-file"},
	{"managed-identity", IDENTITY_MANAGED, {NULL}, ""},
	{"arc-managed-identity", IDENTITY_ARC, {NULL}, ""},
	{"azure-cli", IDENTITY_AZURE_CLI, {NULL}, ""},
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

static void check_method(
	const struct config_builder *b, const struct config_section *s, size_t method)
{
	static const char *const files[] = {
		"secret-file", "certificate", "certificate-password-file", "federated-token-file"};
	const char *needed;

	for (size_t i = 0; (needed = methods[method].needs[i]) != NULL; i++)
		if (!config_option_meant(s, "identity", needed))
			diag_error(b->diags, s->file, s->line,
				"%s has no %s, which the method %s needs; write %s = \"%s\"",
				config_show_section(s).text, needed, methods[method].word, needed,
				config_row_find("identity", needed)->example);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const struct config_option *option = config_option_find(s, files[i]);

		if (option != NULL && !config_choice_has(methods[method].takes, files[i]))
			diag_warning(b->diags, option->file, option->line,
				"%s: the method %s does not use it; remove it", files[i],
				methods[method].word);
	}
}

static char *get_guid(
	const struct config_builder *b, const struct config_section *s, const char *name)
{
	char *guid = config_get_copy(b, s, "identity", name);

	if (guid != NULL)
		str_fold(guid);
	return guid;
}

static void build_identity(struct config_builder *b, const struct config_section *s)
{
	struct config *c = b->config;
	size_t method = method_of(b, s);

	if (method < ARRAY_LEN(methods))
		check_method(b, s, method);
	c->identities = xreallocarray(c->identities, c->identity_count + 1, sizeof(*c->identities));
	c->identities[c->identity_count++] = (struct identity_config){
		.name = xstrdup(s->title),
		.cloud = cloud_of(b, s),
		.tenant = get_guid(b, s, "tenant"),
		.client = get_guid(b, s, "client"),
		.method = method < ARRAY_LEN(methods) ? methods[method].method : IDENTITY_METHOD_N_,
		.secret_file = config_get_copy(b, s, "identity", "secret-file"),
		.certificate = config_get_copy(b, s, "identity", "certificate"),
		.certificate_password_file =
			config_get_copy(b, s, "identity", "certificate-password-file"),
		.federated_token_file = config_get_copy(b, s, "identity", "federated-token-file"),
	};
}

void config_build_identities(struct config_builder *b)
{
	build_clouds(b);
	for (size_t i = 0; i < b->root->section_count; i++) {
		const struct config_section *s = &b->root->sections[i];

		if (str_equal(s->kind, "identity") && s->title != NULL)
			build_identity(b, s);
	}
}
