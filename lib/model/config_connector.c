/* SPDX-License-Identifier: Apache-2.0 */
/* Connectors that a scope describes, and that no two are of one account. */
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config_internal.h"
#include "lib/model/config_shape.h"

#include <string.h>

#define NAME_MAX 64

static const struct {
	const char *kind, *path, *excluded;
} kinds[] = {
	[CONNECTOR_AWS] = {"aws-connector", "scope/aws-connector", "excluded-accounts"},
	[CONNECTOR_GCP] = {"gcp-connector", "scope/gcp-connector", "excluded-projects"},
};

#define AT(member) offsetof(struct connector_description, member)
static const struct {
	enum connector_cloud cloud; /* OTHER: both have it */
	const char *name;
	size_t at;
} texts[] = {
	{CONNECTOR_CLOUD_OTHER, "location", AT(location)},
	{CONNECTOR_AWS, "account", AT(hierarchy)},
	{CONNECTOR_AWS, "servers-role", AT(identities[CONNECTOR_SERVERS_ROLE])},
	{CONNECTOR_AWS, "arc-role", AT(identities[CONNECTOR_ARC_ROLE])},
	{CONNECTOR_AWS, "agentless-role", AT(identities[CONNECTOR_AGENTLESS_ROLE])},
	{CONNECTOR_AWS, "stackset", AT(stackset)},
	{CONNECTOR_GCP, "project-number", AT(hierarchy)},
	{CONNECTOR_GCP, "project-id", AT(project)},
	{CONNECTOR_GCP, "workload-identity-provider", AT(identities[CONNECTOR_WORKLOAD_PROVIDER])},
	{CONNECTOR_GCP, "service-account", AT(identities[CONNECTOR_SERVICE_ACCOUNT])},
	{CONNECTOR_GCP, "organization-provider", AT(organization_provider)},
	{CONNECTOR_GCP, "organization-account", AT(organization_account)},
};
#undef AT

/* --- one --- */

/* A role of another account would let Defender for Cloud into that one. */
static void check_role(const struct config_builder *b, const struct config_option *option,
	const char *role, const char *account)
{
	const char *other = aws_role_account(role);

	if (option == NULL || other == NULL || strncmp(other, account, AWS_ACCOUNT_LENGTH) == 0)
		return;
	diag_error(b->diags, option->file, option->line,
		"%s: the role is of account %.12s, and the connector of %s; write a role of that "
		"account",
		option->name, other, account);
}

static void take_texts(const struct config_builder *b, const struct config_section *s,
	struct connector_description *d)
{
	const char *path = kinds[d->cloud].path;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char **text = (char **)(void *)((char *)d + texts[i].at);

		if (texts[i].cloud != d->cloud && texts[i].cloud != CONNECTOR_CLOUD_OTHER)
			continue;
		*text = config_get_copy(b, s, path, texts[i].name);
		if (*text != NULL && d->hierarchy != NULL)
			check_role(b, config_option_find(s, texts[i].name), *text, d->hierarchy);
	}
}

static void take_excluded(const struct config_option *option, struct connector_description *d)
{
	if (option == NULL || option->n == 0)
		return;
	d->excluded = xcalloc(option->n, sizeof(*d->excluded));
	for (size_t i = 0; i < option->n; i++)
		d->excluded[d->excluded_count++] = xstrdup(option->values[i].text);
}

static void check_organization(const struct config_builder *b, const struct config_section *s,
	const struct connector_description *d)
{
	const struct config_option *excluded = config_option_find(s, kinds[d->cloud].excluded);
	bool provider = config_option_find(s, "organization-provider") != NULL;
	bool account = config_option_find(s, "organization-account") != NULL;

	if (provider != account)
		diag_error(b->diags, s->file, s->line,
			"%s has only one of organization-provider and organization-account; write "
			"both for a project that manages an organization, or none",
			config_show_section(s).text);
	if (excluded != NULL && !provider && !account && config_option_find(s, "stackset") == NULL)
		diag_warning(b->diags, excluded->file, excluded->line,
			"%s: it has no effect on the connector of a single %s; write %s for one "
			"of an organization",
			excluded->name, d->cloud == CONNECTOR_AWS ? "account" : "project",
			d->cloud == CONNECTOR_AWS
				? "stackset"
				: "organization-provider and organization-account");
}

/* What the policy wants of it has to be possible. */
static void check_policy(const struct config_builder *b, const struct config_section *s,
	const struct policy_config *policy, const struct connector_description *d)
{
	static const char *const roles[CONNECTOR_IDENTITY_N_] = {
		[CONNECTOR_ARC_ROLE] = "arc-role", [CONNECTOR_AGENTLESS_ROLE] = "agentless-role"};

	if (policy == NULL)
		return;
	if (policy->connector.plan == PLAN_UNMANAGED)
		diag_warning(b->diags, s->file, s->line,
			"%s is not made while policy \"%s\" does not say with which plan; write "
			"connector { plan = P1 } or P2 there",
			config_show_section(s).text, config_show(policy->name).text);
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++) {
		enum connector_identity role =
			connector_part_role(d->cloud, (enum connector_part)p);

		if (policy->connector.parts[p] && role != CONNECTOR_IDENTITY_N_ &&
			!config_option_meant(s, kinds[d->cloud].path, roles[role]))
			diag_error(b->diags, s->file, s->line,
				"%s has no %s; write %s = \"ARN\", or take out of policy \"%s\" "
				"what needs it",
				config_show_section(s).text, roles[role], roles[role],
				config_show(policy->name).text);
	}
}

static bool is_of_scope(const struct scope_config *scope, const char *subscription)
{
	for (size_t i = 0; i < scope->subscription_count; i++)
		if (str_equal(scope->subscriptions[i], subscription))
			return true;
	return scope->everything || scope->management_group_count > 0;
}

static bool is_name(const char *text)
{
	size_t len =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return text[len] == '\0' && len <= NAME_MAX && len > 0;
}

static void take_place(const struct config_builder *b, const struct config_section *s,
	const struct scope_config *scope, struct connector_config *ret)
{
	const char *path = kinds[ret->is.cloud].path;
	const struct config_option *option = config_option_find(s, "subscription");
	const char *group = config_get(b, s, path, "resource-group");

	ret->name = xstrdup(s->title);
	ret->subscription = xstrdup(config_get(b, s, path, "subscription"));
	str_fold(ret->subscription);
	ret->id = xasprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Security/"
			    "securityConnectors/%s",
		ret->subscription, group, ret->name);
	if (!is_name(ret->name))
		diag_error(b->diags, s->file, s->line,
			"%s: the title is the connector's name in Azure; write letters, digits "
			"and - _ .",
			config_show_section(s).text);
	if (*ret->subscription != '\0' && !is_of_scope(scope, ret->subscription))
		diag_error(b->diags, option->file, option->line,
			"subscription: \"%s\" is not in scope \"%s\"; write one of its "
			"subscriptions, or describe the connector in the scope of that one",
			ret->subscription, config_show(scope->name).text);
}

static void build_connector(const struct config_builder *b, const struct config_section *s,
	const struct scope_config *scope, struct connector_config *ret)
{
	struct connector_description *d = &ret->is;

	*ret = (struct connector_config){0};
	d->cloud = str_equal(s->kind, kinds[CONNECTOR_AWS].kind) ? CONNECTOR_AWS : CONNECTOR_GCP;
	take_place(b, s, scope, ret);
	take_texts(b, s, d);
	take_excluded(config_option_find(s, kinds[d->cloud].excluded), d);
	d->scan_hours = (unsigned)config_get_number(b, s, kinds[d->cloud].path, "scan-hours");
	check_organization(b, s, d);
	check_policy(b, s, scope->policy, d);
}

void config_build_connectors(
	const struct config_builder *b, const struct config_section *s, struct scope_config *scope)
{
	for (size_t i = 0; i < s->section_count; i++) {
		const struct config_section *child = &s->sections[i];

		if ((!str_equal(child->kind, kinds[CONNECTOR_AWS].kind) &&
			    !str_equal(child->kind, kinds[CONNECTOR_GCP].kind)) ||
			child->title == NULL)
			continue;
		scope->connectors = xreallocarray(
			scope->connectors, scope->connector_count + 1, sizeof(*scope->connectors));
		build_connector(b, child, scope, &scope->connectors[scope->connector_count]);
		scope->connector_count++;
	}
}

/* --- all of them --- */

static void claim(const struct config_builder *b, struct map *claims,
	const struct scope_config *scope, struct connector_config *c, const char *key)
{
	const struct config_section *s = config_child(
		config_child(b->root, "scope", scope->name), kinds[c->is.cloud].kind, c->name);
	const struct connector_config *first = map_get(claims, key);

	if (first == NULL)
		map_set(claims, key, c);
	else
		diag_error(b->diags, s->file, s->line,
			"%s is about the same %s as connector \"%s\"; remove one",
			config_show_section(s).text, *key == '/' ? "resource" : "account",
			config_show(first->name).text);
}

/* One account has one connector, and so has one name in a resource group. */
static void claim_all(
	const struct config_builder *b, struct map *claims, const struct scope_config *scope)
{
	for (size_t i = 0; i < scope->connector_count; i++) {
		struct connector_config *c = &scope->connectors[i];
		mdc_autofree char *account = xasprintf("%s %s", kinds[c->is.cloud].kind,
			c->is.hierarchy != NULL ? c->is.hierarchy : "");
		mdc_autofree char *id = xstrdup(c->id);

		str_fold(id);
		if (c->is.hierarchy != NULL)
			claim(b, claims, scope, c, account);
		if (*c->subscription != '\0')
			claim(b, claims, scope, c, id);
	}
}

static bool wants_connectors(const struct policy_config *policy)
{
	bool wants = policy != NULL && policy->connector.plan != PLAN_UNMANAGED;

	for (unsigned p = 0; policy != NULL && p < CONNECTOR_PART_N_; p++)
		wants = wants || policy->connector.parts[p];
	return wants;
}

void config_check_connectors(const struct config_builder *b)
{
	struct config *config = b->config;
	bool described = false;
	struct map claims;

	map_init(&claims, NULL);
	for (size_t i = 0; i < config->scope_count; i++) {
		claim_all(b, &claims, &config->scopes[i]);
		described = described || config->scopes[i].connector_count > 0;
	}
	for (size_t i = 0; i < config->scope_count; i++)
		config->scopes[i].lists_connectors =
			described || wants_connectors(config->scopes[i].policy);
	map_fini(&claims);
}

const struct connector_config *scope_connector(const struct scope_config *scope, const char *id)
{
	for (size_t i = 0; scope != NULL && i < scope->connector_count; i++)
		if (arm_id_same(scope->connectors[i].id, id))
			return &scope->connectors[i];
	return NULL;
}
