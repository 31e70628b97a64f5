/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/intern.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* The map folds case; strings that differ only in case share an entry and hang in a chain. */
struct interned {
	struct interned *next;
	uint32_t holders;
	char text[];
};
struct chain {
	struct interned *first;
};

static void chain_free(void *value)
{
	struct chain *chain = value;

	while (chain->first != NULL) {
		struct interned *next = chain->first->next;

		free(chain->first);
		chain->first = next;
	}
	free(chain);
}

void intern_init(struct intern *pool)
{
	map_init(&pool->strings, chain_free);
}

void intern_fini(struct intern *pool)
{
	map_fini(&pool->strings);
}

static struct chain *chain_of(struct intern *pool, const char *text)
{
	struct chain *chain = map_get(&pool->strings, text);

	if (chain == NULL) {
		chain = xcalloc(1, sizeof(*chain));
		map_set(&pool->strings, text, chain);
	}
	return chain;
}

const char *intern_take(struct intern *pool, const char *text)
{
	struct chain *chain;
	struct interned *s;
	size_t size;

	if (str_empty(text))
		return "";
	chain = chain_of(pool, text);
	for (s = chain->first; s != NULL; s = s->next)
		if (strcmp(s->text, text) == 0) {
			s->holders++;
			return s->text;
		}
	size = strlen(text) + 1;
	s = xmalloc(sizeof(*s) + size);
	s->next = chain->first;
	s->holders = 1;
	memcpy(s->text, text, size);
	chain->first = s;
	return s->text;
}

static void unlink_string(struct intern *pool, struct interned *s)
{
	struct chain *chain = map_get(&pool->strings, s->text);
	struct interned **at = &chain->first;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (chain->first == NULL)
		map_remove(&pool->strings, s->text);
	free(s);
}

void intern_drop(struct intern *pool, const char *text)
{
	struct interned *s;

	if (str_empty(text))
		return;
	s = (struct interned *)(void *)((char *)(uintptr_t)text - offsetof(struct interned, text));
	assert(s->holders > 0);
	if (--s->holders == 0)
		unlink_string(pool, s);
}

void intern_set(struct intern *pool, const char **slot, const char *text)
{
	const char *fresh = intern_take(pool, text);

	intern_drop(pool, *slot);
	*slot = fresh;
}
