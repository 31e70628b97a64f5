/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes, with what they exclude and grant, and that no two of them claim the same. */
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config_internal.h"

#include <string.h>

#define GROUP_ID_MAX 90

/* Who named a subscription or management group first. */
struct claim {
	const char *scope; /* title */
	const char *file;
	unsigned line;
};

struct claims {
	struct map subscriptions;
	struct map of_tenants; /* "NAME/TENANT": management groups, and "*" */
};

/* --- lists --- */

static bool is_everything(const char *id)
{
	return str_equal(id, "*");
}

static bool has_value(const struct config_option *option, const char *text)
{
	for (size_t i = 0; option != NULL && i < option->n; i++)
		if (str_equal(option->values[i].text, text))
			return true;
	return false;
}

/* A copy of the values but "*" (where that means all), folded where ids are to be compared. */
static char **copy_list(const struct config_option *option, bool ids, size_t *ret_count)
{
	char **list;

	*ret_count = 0;
	if (option == NULL || option->n == 0)
		return NULL;
	list = xreallocarray(NULL, option->n, sizeof(*list));
	for (size_t i = 0; i < option->n; i++) {
		if (ids && is_everything(option->values[i].text))
			continue;
		list[*ret_count] = xstrdup(option->values[i].text);
		if (ids)
			str_fold(list[*ret_count]);
		(*ret_count)++;
	}
	return list;
}

/* --- exclusions and grants --- */

void config_build_tags(const struct config_option *option, struct selector *ret)
{
	if (option == NULL || option->n == 0)
		return;
	ret->tags = xcalloc(option->n, sizeof(*ret->tags));
	for (size_t i = 0; i < option->n; i++) {
		const char *text = option->values[i].text;
		size_t len = strcspn(text, "=");

		ret->tags[ret->tag_count].name = xstrndup(text, len);
		ret->tags[ret->tag_count++].value = xstrdup(text[len] == '=' ? text + len + 1 : "");
	}
}

void config_build_selector(const struct config_section *s, struct selector *ret)
{
	const struct config_option *subscriptions = config_option_find(s, "subscriptions");

	*ret = (struct selector){0};
	ret->management_groups = copy_list(
		config_option_find(s, "management-groups"), false, &ret->management_group_count);
	ret->groups = copy_list(config_option_find(s, "resource-groups"), false, &ret->group_count);
	ret->machines = copy_list(config_option_find(s, "machines"), false, &ret->machine_count);
	config_build_tags(config_option_find(s, "tags"), ret);
	/* No list matches everything, which is what "*" says. */
	if (!has_value(subscriptions, "*"))
		ret->subscriptions = copy_list(subscriptions, true, &ret->subscription_count);
}

/* An empty selector would match all that there is: it has to be said. */
void config_check_selector(
	const struct config_builder *b, const struct config_section *s, const char *path)
{
	static const char *const lists[] = {
		"subscriptions", "management-groups", "resource-groups", "machines", "tags"};
	bool written = false;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct config_option *option = config_option_find(s, lists[i]);

		if (config_row_find(path, lists[i]) == NULL)
			continue;
		written = written || config_option_meant(s, path, lists[i]);
		if (option != NULL && option->list && option->n == 0)
			diag_error(b->diags, option->file, option->line,
				"%s: the list is empty; write what %s is about, or remove it",
				lists[i], config_show_section(s).text);
	}
	if (!written)
		diag_error(b->diags, s->file, s->line,
			"%s does not say what it is about; write subscriptions, %sresource-groups, "
			"machines or tags, or subscriptions = { \"*\" } for the whole scope",
			config_show_section(s).text,
			str_equal(path, "scope/exclude") ? "management-groups, " : "");
}

/* Ids that the scope itself does not name, where it names nothing but ids. */
static void warn_of_strangers(const struct config_builder *b, const struct config_section *s,
	const struct scope_config *scope)
{
	const struct config_option *option = config_option_find(s, "subscriptions");

	if (scope->everything || scope->management_group_count > 0)
		return;
	for (size_t i = 0; option != NULL && i < option->n; i++) {
		const struct config_value *v = &option->values[i];
		bool named = is_everything(v->text);

		for (size_t j = 0; j < scope->subscription_count && !named; j++)
			named = str_equal_nocase(scope->subscriptions[j], v->text);
		if (!named)
			diag_warning(b->diags, v->file, v->line,
				"subscriptions: %s is not in scope \"%s\", so %s has no effect on "
				"it",
				config_show(v->text).text, scope->name,
				config_show_section(s).text);
	}
}

static struct wall get_until(
	const struct config_builder *b, const struct config_section *s, const char *path)
{
	struct wall until;

	if (wall_parse_date_end(config_get(b, s, path, "until"), &until) != 0)
		return WALL_NEVER;
	return until;
}

static struct wall absent_from(const struct config_builder *b, struct wall expires)
{
	return expires.ms == WALL_NEVER.ms ? expires : wall_add(expires, b->config->expiry_grace);
}

static void add_exclude(
	const struct config_builder *b, const struct config_section *s, struct scope_config *scope)
{
	struct exclude_config *e;

	scope->excludes =
		xreallocarray(scope->excludes, scope->exclude_count + 1, sizeof(*scope->excludes));
	e = &scope->excludes[scope->exclude_count++];
	*e = (struct exclude_config){
		.name = xstrdup(s->title),
		.expires = get_until(b, s, "scope/exclude"),
		.owner = config_get_copy(b, s, "scope/exclude", "owner"),
		.ticket = config_get_copy(b, s, "scope/exclude", "ticket"),
		.reason = config_get_copy(b, s, "scope/exclude", "reason"),
	};
	e->until = absent_from(b, e->expires);
	config_build_selector(s, &e->selector);
}

static void add_grant(
	const struct config_builder *b, const struct config_section *s, struct scope_config *scope)
{
	struct grant_config *g;

	scope->grants =
		xreallocarray(scope->grants, scope->grant_count + 1, sizeof(*scope->grants));
	g = &scope->grants[scope->grant_count++];
	*g = (struct grant_config){
		.name = xstrdup(s->title),
		.control = config_get_copy(b, s, "scope/grant", "control"),
		.expires = get_until(b, s, "scope/grant"),
		.owner = config_get_copy(b, s, "scope/grant", "owner"),
		.ticket = config_get_copy(b, s, "scope/grant", "ticket"),
		.reason = config_get_copy(b, s, "scope/grant", "reason"),
	};
	g->until = absent_from(b, g->expires);
	config_build_selector(s, &g->selector);
}

/* A subscription has one plan, and its connectors are told by it: no machine says which. */
static void check_grant(const struct config_builder *b, const struct config_section *s)
{
	static const char *const lists[] = {"resource-groups", "machines", "tags"};

	const char *control = config_get(b, s, "scope/grant", "control");

	if (!str_equal(control, "servers-plan") && !str_equal(control, "connector"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct config_option *option = config_option_find(s, lists[i]);

		if (option != NULL)
			diag_error(b->diags, option->file, option->line,
				"%s: a grant for %s is about subscriptions; remove it, or write "
				"control = machine-plan",
				lists[i], control);
	}
}

static void check_groups(const struct config_builder *b, const struct config_option *option)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.()";

	for (size_t i = 0; option != NULL && i < option->n; i++) {
		const struct config_value *v = &option->values[i];
		const char *slash = strrchr(v->text, '/');

		if (*v->text == '\0' ||
			(v->text[strspn(v->text, allowed)] == '\0' &&
				strlen(v->text) <= GROUP_ID_MAX))
			continue;
		diag_error(b->diags, v->file, v->line,
			"management-groups: \"%s\" is not the id of a management group; write "
			"%s%s%s",
			config_show(v->text).text, slash != NULL ? "\"" : "",
			slash != NULL ? config_show(slash + 1).text
				      : "letters, digits and - _ . ( ) only",
			slash != NULL ? "\"" : "");
	}
}

static void build_permissions(
	const struct config_builder *b, const struct config_section *s, struct scope_config *scope)
{
	for (size_t i = 0; i < s->section_count; i++) {
		const struct config_section *child = &s->sections[i];
		bool exclude = str_equal(child->kind, "exclude");

		if ((!exclude && !str_equal(child->kind, "grant")) || child->title == NULL)
			continue;
		config_check_selector(b, child, exclude ? "scope/exclude" : "scope/grant");
		check_groups(b, config_option_find(child, "management-groups"));
		warn_of_strangers(b, child, scope);
		if (exclude) {
			add_exclude(b, child, scope);
		} else {
			check_grant(b, child);
			add_grant(b, child, scope);
		}
	}
}

/* --- what a scope is over --- */

static void build_reach(const struct config_section *s, struct scope_config *scope)
{
	const struct config_option *subscriptions = config_option_find(s, "subscriptions");
	const struct config_option *groups = config_option_find(s, "management-groups");

	scope->subscriptions = copy_list(subscriptions, true, &scope->subscription_count);
	scope->management_groups = copy_list(groups, false, &scope->management_group_count);
	scope->everything = has_value(subscriptions, "*") ||
		(subscriptions == NULL && groups == NULL && scope->mode == MODE_OBSERVE);
}

/* Rule 1 of writing: enforce needs a selector that was written down. */
static void check_reach(const struct config_builder *b, const struct config_section *s,
	const struct scope_config *scope)
{
	const struct config_option *subscriptions = config_option_find(s, "subscriptions");
	const struct config_option *groups = config_option_find(s, "management-groups");
	const struct config_option *mode = config_option_find(s, "mode");

	check_groups(b, groups);
	if (subscriptions == NULL && groups == NULL && scope->mode == MODE_ENFORCE)
		diag_error(b->diags, mode->file, mode->line,
			"mode: enforce has to be told where; write subscriptions = { … } or "
			"management-groups = { … } into %s (subscriptions = { \"*\" } is all that "
			"the identity sees)",
			config_show_section(s).text);
	if (subscriptions != NULL && subscriptions->list && subscriptions->n == 0 &&
		scope->management_group_count == 0)
		diag_error(b->diags, subscriptions->file, subscriptions->line,
			"subscriptions: the list is empty; write ids, or \"*\" for all that the "
			"identity sees");
	if (groups != NULL && groups->list && groups->n == 0 && subscriptions == NULL)
		diag_error(b->diags, groups->file, groups->line,
			"management-groups: the list is empty; write ids, or subscriptions = { "
			"\"*\" } for all that the identity sees");
}

/* --- claims --- */

static void say_tie(const struct config_builder *b, const struct config_value *v, const char *what,
	const struct scope_config *scope, const struct claim *first)
{
	if (str_equal(first->scope, scope->name))
		diag_error(b->diags, v->file, v->line,
			"%s: \"%s\" is in this list already (%s:%u); remove one", what,
			config_show(v->text).text, first->file, first->line);
	else
		diag_error(b->diags, v->file, v->line,
			"%s: \"%s\" belongs to scope \"%s\" already (%s:%u), and to one scope "
			"only; remove one",
			what, config_show(v->text).text, first->scope, first->file, first->line);
}

static void claim(struct map *claims, const char *name, const struct scope_config *scope,
	const char *file, unsigned line)
{
	struct claim *claim;

	if (map_get(claims, name) != NULL)
		return;
	claim = xmalloc(sizeof(*claim));
	*claim = (struct claim){scope->name, file, line};
	map_set(claims, name, claim);
}

static void claim_subscriptions(const struct config_builder *b, struct map *claims,
	const struct config_option *option, const struct scope_config *scope)
{
	for (size_t i = 0; option != NULL && i < option->n; i++) {
		const struct config_value *v = &option->values[i];
		const struct claim *first = map_get(claims, v->text);

		if (is_everything(v->text))
			continue;
		if (first != NULL)
			say_tie(b, v, option->name, scope, first);
		claim(claims, v->text, scope, v->file, v->line);
	}
}

/*
 * What has its name in one tenant only. An identity that does not say its tenant may be of any: it
 * rivals with all of them. NULL, or who was first.
 */
static const struct claim *claim_in_tenant(struct map *claims, const char *name,
	const struct scope_config *scope, const char *file, unsigned line)
{
	const char *tenant = scope->identity != NULL ? scope->identity->tenant : NULL;
	mdc_autofree char *own = xasprintf("%s/%s", name, tenant != NULL ? tenant : "");
	mdc_autofree char *of_any = xasprintf("%s/", name);
	const struct claim *first = map_get(claims, str_empty(tenant) ? name : own);

	if (first == NULL)
		first = map_get(claims, of_any);
	claim(claims, name, scope, file, line);
	claim(claims, own, scope, file, line);
	return first;
}

static void claim_groups(const struct config_builder *b, struct map *claims,
	const struct config_option *option, const struct scope_config *scope)
{
	for (size_t i = 0; option != NULL && i < option->n; i++) {
		const struct config_value *v = &option->values[i];
		const struct claim *first =
			claim_in_tenant(claims, v->text, scope, v->file, v->line);

		if (first != NULL)
			say_tie(b, v, option->name, scope, first);
	}
}

static void claim_everything(const struct config_builder *b, struct map *claims,
	const struct config_section *s, const struct scope_config *scope)
{
	const struct config_option *subscriptions = config_option_find(s, "subscriptions");
	unsigned line = subscriptions != NULL ? subscriptions->line : s->line;
	const struct claim *first;

	if (!scope->everything)
		return;
	first = claim_in_tenant(claims, "*", scope, s->file, line);
	if (first != NULL)
		diag_error(b->diags, s->file, line,
			"scope \"%s\" is over all that the identity sees, and so is scope \"%s\" "
			"(%s:%u); write subscriptions or management-groups in one of them, or the "
			"tenants of both identities where they are different ones",
			config_show(scope->name).text, config_show(first->scope).text, first->file,
			first->line);
}

/* --- scopes --- */

static const struct identity_config *identity_of(
	const struct config_builder *b, const struct config_section *s)
{
	const char *title = config_get(b, s, "scope", "identity");

	if (str_empty(title))
		return NULL;
	for (size_t i = 0; i < b->config->identity_count; i++)
		if (str_equal(b->config->identities[i].name, title))
			return &b->config->identities[i];
	config_unknown_title(b, config_option_find(s, "identity"), "identity", title);
	return NULL;
}

static const struct policy_config *policy_of(
	const struct config_builder *b, const struct config_section *s)
{
	const char *title = config_get(b, s, "scope", "policy");

	if (str_empty(title))
		return NULL;
	for (size_t i = 0; i < b->config->policy_count; i++)
		if (str_equal(b->config->policies[i].name, title))
			return &b->config->policies[i];
	config_unknown_title(b, config_option_find(s, "policy"), "policy", title);
	return NULL;
}

/* Whoever happens to be signed in on a terminal does not change servers without being asked. */
static void check_identity(const struct config_builder *b, const struct config_section *s,
	const struct scope_config *scope)
{
	const struct config_option *mode = config_option_find(s, "mode");

	if (scope->mode == MODE_ENFORCE && scope->identity != NULL &&
		scope->identity->method == IDENTITY_AZURE_CLI)
		diag_error(b->diags, mode->file, mode->line,
			"mode: the identity \"%s\" signs in with azure-cli, which is for observing "
			"only; write mode = observe, or name another identity",
			config_show(scope->identity->name).text);
}

static void check_exemptions(const struct config_builder *b, const struct config_section *s,
	const struct scope_config *scope)
{
	const struct config_option *option = config_option_find(s, "exemptions-of");

	if (scope->exemptions_of_count > 0 && !scope->honour_exemptions)
		diag_warning(b->diags, option->file, option->line,
			"exemptions-of: it has no effect without honour-exemptions = on");
}

static void build_scope(const struct config_builder *b, const struct config_section *s,
	struct claims *claims, struct scope_config *scope)
{
	*scope = (struct scope_config){
		.name = xstrdup(s->title),
		.identity = identity_of(b, s),
		.policy = policy_of(b, s),
		.mode = str_equal(config_get(b, s, "scope", "mode"), "enforce") ? MODE_ENFORCE
										: MODE_OBSERVE,
		.max_in_flight = config_get_number(b, s, "scope", "max-in-flight"),
		.honour_exemptions = config_get_switch(b, s, "scope", "honour-exemptions"),
	};
	scope->exemptions_of = copy_list(
		config_option_find(s, "exemptions-of"), false, &scope->exemptions_of_count);
	check_exemptions(b, s, scope);
	build_reach(s, scope);
	check_reach(b, s, scope);
	check_identity(b, s, scope);
	claim_subscriptions(
		b, &claims->subscriptions, config_option_find(s, "subscriptions"), scope);
	claim_groups(b, &claims->of_tenants, config_option_find(s, "management-groups"), scope);
	claim_everything(b, &claims->of_tenants, s, scope);
	build_permissions(b, s, scope);
	config_build_connectors(b, s, scope);
}

void config_build_scopes(struct config_builder *b)
{
	struct claims claims;
	struct config *c = b->config;

	map_init(&claims.subscriptions, free);
	map_init(&claims.of_tenants, free);
	for (size_t i = 0; i < b->root->section_count; i++) {
		const struct config_section *s = &b->root->sections[i];

		if (!str_equal(s->kind, "scope") || s->title == NULL)
			continue;
		c->scopes = xreallocarray(c->scopes, c->scope_count + 1, sizeof(*c->scopes));
		build_scope(b, s, &claims, &c->scopes[c->scope_count]);
		c->scope_count++;
	}
	config_check_connectors(b);
	if (config_child(b->root, "scope", NULL) == NULL)
		diag_warning(b->diags, b->root->file, 0,
			"there is no scope, so nothing is watched; add a section scope \"NAME\" { "
			"… }");
	map_fini(&claims.subscriptions);
	map_fini(&claims.of_tenants);
}
