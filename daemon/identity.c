/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/identity.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

/* All texts of both records: copied, compared and freed alike. */
static const size_t cloud_texts[] = {
	offsetof(struct cloud_config, name),
	offsetof(struct cloud_config, login),
	offsetof(struct cloud_config, resource_manager),
	offsetof(struct cloud_config, defender),
	offsetof(struct cloud_config, audience),
	offsetof(struct cloud_config, ca_file),
	offsetof(struct cloud_config, proxy.url),
	offsetof(struct cloud_config, proxy.credentials_file),
	offsetof(struct cloud_config, proxy.ca_file),
	offsetof(struct cloud_config, proxy.no_proxy),
};
static const size_t identity_texts[] = {
	offsetof(struct identity_config, name),
	offsetof(struct identity_config, tenant),
	offsetof(struct identity_config, client),
	offsetof(struct identity_config, secret_file),
	offsetof(struct identity_config, certificate),
	offsetof(struct identity_config, certificate_password_file),
	offsetof(struct identity_config, federated_token_file),
};

static char **text_at(const void *record, size_t offset)
{
	return (char **)(uintptr_t)((const char *)record + offset);
}

static void copy_texts(void *record, const size_t *offsets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char **text = text_at(record, offsets[i]);

		*text = *text != NULL ? xstrdup(*text) : NULL;
	}
}

static void free_texts(void *record, const size_t *offsets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(*text_at(record, offsets[i]));
}

static bool same_texts(const void *a, const void *b, const size_t *offsets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!str_equal(*text_at(a, offsets[i]), *text_at(b, offsets[i])))
			return false;
	return true;
}

struct identity *identity_new(const struct identity_config *config)
{
	struct identity *id = xcalloc(1, sizeof(*id));

	id->cloud = *config->cloud;
	id->config = *config;
	id->config.cloud = &id->cloud;
	copy_texts(&id->cloud, cloud_texts, ARRAY_LEN(cloud_texts));
	copy_texts(&id->config, identity_texts, ARRAY_LEN(identity_texts));
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
	free_texts(&id->cloud, cloud_texts, ARRAY_LEN(cloud_texts));
	free_texts(&id->config, identity_texts, ARRAY_LEN(identity_texts));
	free(id);
	return NULL;
}

bool identity_same(const struct identity *id, const struct identity_config *config)
{
	const struct identity_config *a = &id->config;

	return a->method == config->method && id->cloud.quota == config->cloud->quota &&
		a->certificate_chain == config->certificate_chain &&
		a->secret_expires.ms == config->secret_expires.ms &&
		same_texts(a, config, identity_texts, ARRAY_LEN(identity_texts)) &&
		same_texts(&id->cloud, config->cloud, cloud_texts, ARRAY_LEN(cloud_texts));
}

struct transport_route identity_route(const struct identity *id)
{
	return (struct transport_route){
		.ca_file = id->cloud.ca_file,
		.proxy = id->cloud.proxy.url,
		.proxy_credentials_file = id->cloud.proxy.credentials_file,
		.proxy_ca_file = id->cloud.proxy.ca_file,
		.no_proxy = id->cloud.proxy.no_proxy,
	};
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
