/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/xalloc.h"
#include "lib/model/config.h"

/* --- records --- */

static void option_fini(struct config_option *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->values[i].text);
		free(o->values[i].file);
	}
	free(o->values);
	free(o->name);
	free(o->file);
}

void config_section_fini(struct config_section *s)
{
	for (size_t i = 0; i < s->option_count; i++)
		option_fini(&s->options[i]);
	for (size_t i = 0; i < s->section_count; i++)
		config_section_fini(&s->sections[i]);
	free(s->options);
	free(s->sections);
	free(s->kind);
	free(s->title);
	free(s->file);
	*s = (struct config_section){0};
}

/* --- the built configuration --- */

static void strings_free(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

static void selector_fini(struct selector *s)
{
	strings_free(s->subscriptions, s->subscription_count);
	strings_free(s->management_groups, s->management_group_count);
	strings_free(s->groups, s->group_count);
	strings_free(s->machines, s->machine_count);
	for (size_t i = 0; i < s->tag_count; i++) {
		free(s->tags[i].name);
		free(s->tags[i].value);
	}
	free(s->tags);
}

static void cloud_fini(struct cloud_config *c)
{
	free(c->name);
	free(c->login);
	free(c->resource_manager);
	free(c->defender);
	free(c->audience);
	free(c->ca_file);
	free(c->proxy.url);
	free(c->proxy.credentials_file);
	free(c->proxy.ca_file);
	free(c->proxy.no_proxy);
}

static void identity_fini(struct identity_config *i)
{
	free(i->name);
	free(i->tenant);
	free(i->client);
	free(i->secret_file);
	free(i->certificate);
	free(i->certificate_password_file);
	free(i->federated_token_file);
}

static void connector_fini(struct connector_config *c)
{
	struct connector_description *d = &c->is;

	for (unsigned i = 0; i < CONNECTOR_IDENTITY_N_; i++)
		free(d->identities[i]);
	strings_free(d->excluded, d->excluded_count);
	free(d->location);
	free(d->hierarchy);
	free(d->project);
	free(d->stackset);
	free(d->organization_provider);
	free(d->organization_account);
	free(c->subscription);
	free(c->id);
	free(c->name);
}

static void scope_fini(struct scope_config *s)
{
	for (size_t i = 0; i < s->exclude_count; i++) {
		struct exclude_config *e = &s->excludes[i];

		selector_fini(&e->selector);
		free(e->name);
		free(e->owner);
		free(e->ticket);
		free(e->reason);
	}
	for (size_t i = 0; i < s->grant_count; i++) {
		struct grant_config *g = &s->grants[i];

		selector_fini(&g->selector);
		free(g->name);
		free(g->control);
		free(g->owner);
		free(g->ticket);
		free(g->reason);
	}
	strings_free(s->subscriptions, s->subscription_count);
	strings_free(s->management_groups, s->management_group_count);
	for (size_t i = 0; i < s->connector_count; i++)
		connector_fini(&s->connectors[i]);
	free(s->connectors);
	strings_free(s->exemptions_of, s->exemptions_of_count);
	free(s->excludes);
	free(s->grants);
	free(s->name);
}

struct config *config_free(struct config *c)
{
	if (c == NULL)
		return NULL;
	for (size_t i = 0; i < c->cloud_count; i++)
		cloud_fini(&c->clouds[i]);
	for (size_t i = 0; i < c->identity_count; i++)
		identity_fini(&c->identities[i]);
	for (size_t i = 0; i < c->policy_count; i++) {
		strings_free(
			c->policies[i].legacy_workspaces, c->policies[i].legacy_workspace_count);
		strings_free(c->policies[i].workspaces.list, c->policies[i].workspaces.list_count);
		for (size_t k = 0; k < c->policies[i].machine_plan_count; k++) {
			selector_fini(&c->policies[i].machine_plans[k].selector);
			free(c->policies[i].machine_plans[k].name);
		}
		free(c->policies[i].machine_plans);
		selector_fini(&c->policies[i].other_edr);
		free(c->policies[i].name);
	}
	for (size_t i = 0; i < c->scope_count; i++)
		scope_fini(&c->scopes[i]);
	free(c->clouds);
	free(c->identities);
	free(c->policies);
	free(c->scopes);
	free(c->state_directory);
	free(c->control_socket);
	free(c->prices.currency);
	free(c->canonical);
	free(c);
	return NULL;
}
