/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: string to pointer, looked up by ASCII-folded key (as Azure compares names), walked in the
 * order of insertion so that everything built from a walk is reproducible.
 *
 * Keys are copied. Values are borrowed unless a `free_value` is given at init. While walking,
 * values may be removed or replaced; nothing may be added.
 */
#ifndef MDC_MAP_H
#define MDC_MAP_H

#include "lib/base/base.h"
#include "lib/base/siphash.h"

struct map_entry {
	char *key; /* as first inserted; NULL marks a removed entry */
	void *value;
	uint64_t hash;
};

struct map {
	struct map_entry *entries; /* in insertion order */
	size_t used;               /* entries including removed ones */
	size_t count;              /* live entries */
	size_t room;
	uint32_t *slots; /* open addressing; index + 1 into entries */
	size_t slot_count;
	struct siphash_key hash_key; /* drawn with the first slots */
	void (*free_value)(void *value);
};

void map_init(struct map *m, void (*free_value)(void *value));
void map_fini(struct map *m);
void map_clear(struct map *m);
/* Replaces (and frees) a value that is already there. */
void map_set(struct map *m, const char *key, void *value);
/* NULL when absent. */
void *map_get(const struct map *m, const char *key);
bool map_has(const struct map *m, const char *key);
/* Removes and frees; false when absent. */
bool map_remove(struct map *m, const char *key);
static inline size_t map_count(const struct map *m)
{
	return m->count;
}
/* The first live entry at or after index *at, or NULL; *at then points behind it. */
struct map_entry *map_walk(const struct map *m, size_t *at);

#define map_for_each(m, entry) for (size_t at_ = 0; ((entry) = map_walk((m), &at_)) != NULL;)

#endif
