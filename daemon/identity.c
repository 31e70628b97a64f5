/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/identity.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

static char *copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

struct identity *identity_new(const struct identity_config *config)
{
	struct identity *id = xcalloc(1, sizeof(*id));

	id->cloud = (struct cloud_config){
		.name = copy(config->cloud->name),
		.login = copy(config->cloud->login),
		.resource_manager = copy(config->cloud->resource_manager),
		.defender = copy(config->cloud->defender),
		.audience = copy(config->cloud->audience),
		.ca_file = copy(config->cloud->ca_file),
	};
	id->config = (struct identity_config){
		.name = copy(config->name),
		.cloud = &id->cloud,
		.tenant = copy(config->tenant),
		.client = copy(config->client),
		.method = config->method,
		.secret_file = copy(config->secret_file),
		.certificate = copy(config->certificate),
		.certificate_password_file = copy(config->certificate_password_file),
		.federated_token_file = copy(config->federated_token_file),
	};
	id->held = 1;
	return id;
}

struct identity *identity_hold(struct identity *id)
{
	id->held++;
	return id;
}

struct identity *identity_drop(struct identity *id)
{
	if (id == NULL || --id->held > 0)
		return NULL;
	free(id->cloud.name);
	free(id->cloud.login);
	free(id->cloud.resource_manager);
	free(id->cloud.defender);
	free(id->cloud.audience);
	free(id->cloud.ca_file);
	free(id->config.name);
	free(id->config.tenant);
	free(id->config.client);
	free(id->config.secret_file);
	free(id->config.certificate);
	free(id->config.certificate_password_file);
	free(id->config.federated_token_file);
	free(id);
	return NULL;
}

static bool cloud_same(const struct cloud_config *a, const struct cloud_config *b)
{
	return str_equal(a->name, b->name) && str_equal(a->login, b->login) &&
		str_equal(a->resource_manager, b->resource_manager) &&
		str_equal(a->defender, b->defender) && str_equal(a->audience, b->audience) &&
		str_equal(a->ca_file, b->ca_file);
}

bool identity_same(const struct identity *id, const struct identity_config *config)
{
	const struct identity_config *a = &id->config;

	return str_equal(a->name, config->name) && str_equal(a->tenant, config->tenant) &&
		str_equal(a->client, config->client) && a->method == config->method &&
		str_equal(a->secret_file, config->secret_file) &&
		str_equal(a->certificate, config->certificate) &&
		str_equal(a->certificate_password_file, config->certificate_password_file) &&
		str_equal(a->federated_token_file, config->federated_token_file) &&
		cloud_same(&id->cloud, config->cloud);
}

static void drop_value(void *id)
{
	identity_drop(id);
}

void identity_map_init(struct map *m)
{
	map_init(m, drop_value);
}

static const struct identity_config *find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->identity_count; i++)
		if (str_equal_nocase(config->identities[i].name, name))
			return &config->identities[i];
	return NULL;
}

void identity_map_configure(struct map *m, const struct config *config)
{
	struct map_entry *entry;

	map_for_each (m, entry)
		if (find(config, entry->key) == NULL)
			map_remove(m, entry->key);
	for (size_t i = 0; i < config->identity_count; i++) {
		const struct identity_config *wanted = &config->identities[i];
		const struct identity *present = map_get(m, wanted->name);

		if (present == NULL || !identity_same(present, wanted))
			map_set(m, wanted->name, identity_new(wanted));
	}
}
