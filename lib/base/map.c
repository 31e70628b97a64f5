/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/map.h"

#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

static uint64_t hash_of(const struct map *m, const char *key)
{
	return siphash_folded(&m->hash_key, key, strlen(key));
}

/*
 * The key comes from where the allocator put the tables: nobody who names machines can see that,
 * and since walks follow the order of insertion, nothing that a map gives depends on it.
 */
static void draw_hash_key(struct map *m)
{
	struct rng rng;

	rng_seed(&rng, (uint64_t)(uintptr_t)m->slots ^ (uint64_t)(uintptr_t)m << 20);
	m->hash_key = (struct siphash_key){{rng_next(&rng), rng_next(&rng)}};
}

void map_init(struct map *m, void (*free_value)(void *value))
{
	*m = (struct map){.free_value = free_value};
}

static void entry_fini(struct map *m, struct map_entry *entry)
{
	free(entry->key);
	entry->key = NULL;
	if (m->free_value != NULL && entry->value != NULL)
		m->free_value(entry->value);
	entry->value = NULL;
}

void map_clear(struct map *m)
{
	for (size_t i = 0; i < m->used; i++)
		if (m->entries[i].key != NULL)
			entry_fini(m, &m->entries[i]);
	m->used = m->count = 0;
	if (m->slots != NULL)
		memset(m->slots, 0, m->slot_count * sizeof(*m->slots));
}

void map_fini(struct map *m)
{
	map_clear(m);
	free(m->entries);
	free(m->slots);
	*m = (struct map){.free_value = m->free_value};
}

/* The slot that holds the key, or the empty one where it would go. Removed entries keep theirs. */
static size_t find_slot(const struct map *m, const char *key, uint64_t hash)
{
	size_t mask = m->slot_count - 1;
	size_t slot = hash & mask;

	for (; m->slots[slot] != 0; slot = (slot + 1) & mask) {
		const struct map_entry *entry = &m->entries[m->slots[slot] - 1];

		if (entry->key != NULL && entry->hash == hash &&
			str_compare_nocase(entry->key, key) == 0)
			break;
	}
	return slot;
}

static void compact_entries(struct map *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->used; i++)
		if (m->entries[i].key != NULL)
			m->entries[kept++] = m->entries[i];
	m->used = kept;
}

static void rebuild(struct map *m)
{
	size_t slots = 16;

	compact_entries(m);
	while (slots < m->used * 2 + 2)
		slots *= 2;
	free(m->slots);
	m->slots = xcalloc(slots, sizeof(*m->slots));
	if (m->slot_count == 0)
		draw_hash_key(m);
	m->slot_count = slots;
	for (size_t i = 0; i < m->used; i++) {
		size_t slot = m->entries[i].hash & (slots - 1);

		while (m->slots[slot] != 0)
			slot = (slot + 1) & (slots - 1);
		m->slots[slot] = (uint32_t)i + 1;
	}
}

static void make_room(struct map *m)
{
	if (m->used == m->room) {
		/* Mostly removed entries are given back before more memory is taken. */
		if (m->count < m->used / 2) {
			rebuild(m);
		} else {
			m->room = m->room == 0 ? 8 : m->room * 2;
			m->entries = xreallocarray(m->entries, m->room, sizeof(*m->entries));
		}
	}
	if (m->slot_count == 0 || (m->used + 1) * 4 > m->slot_count * 3)
		rebuild(m);
}

static struct map_entry *find(const struct map *m, const char *key)
{
	size_t slot;

	if (m->count == 0 || key == NULL)
		return NULL;
	slot = find_slot(m, key, hash_of(m, key));
	return m->slots[slot] != 0 ? &m->entries[m->slots[slot] - 1] : NULL;
}

static void replace(struct map *m, struct map_entry *entry, void *value)
{
	if (m->free_value != NULL && entry->value != NULL && entry->value != value)
		m->free_value(entry->value);
	entry->value = value;
}

void map_set(struct map *m, const char *key, void *value)
{
	struct map_entry *entry = find(m, key);
	uint64_t hash;
	size_t slot;

	if (entry != NULL) {
		replace(m, entry, value);
		return;
	}
	make_room(m);
	hash = hash_of(m, key);
	slot = find_slot(m, key, hash);
	m->entries[m->used] = (struct map_entry){.key = xstrdup(key), .value = value, .hash = hash};
	m->slots[slot] = (uint32_t)++m->used;
	m->count++;
}

void *map_get(const struct map *m, const char *key)
{
	const struct map_entry *entry = find(m, key);

	return entry != NULL ? entry->value : NULL;
}

bool map_has(const struct map *m, const char *key)
{
	return find(m, key) != NULL;
}

bool map_remove(struct map *m, const char *key)
{
	struct map_entry *entry = find(m, key);

	if (entry == NULL)
		return false;
	m->count--;
	entry_fini(m, entry);
	return true;
}

struct map_entry *map_walk(const struct map *m, size_t *at)
{
	while (*at < m->used) {
		struct map_entry *entry = &m->entries[(*at)++];

		if (entry->key != NULL)
			return entry;
	}
	return NULL;
}
