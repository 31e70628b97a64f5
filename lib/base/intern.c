/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/intern.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* The map folds case; strings that differ only in case share a slot and hang in a chain. */
struct interned {
	struct interned *next;
	char text[];
};

static void chain_free(void *chain)
{
	struct interned *s = chain;

	while (s != NULL) {
		struct interned *next = s->next;

		free(s);
		s = next;
	}
}

void intern_init(struct intern *pool)
{
	map_init(&pool->strings, chain_free);
}

void intern_fini(struct intern *pool)
{
	map_fini(&pool->strings);
}

static struct interned *interned_new(const char *text)
{
	size_t size = strlen(text) + 1;
	struct interned *s = xmalloc(sizeof(*s) + size);

	s->next = NULL;
	memcpy(s->text, text, size);
	return s;
}

const char *intern_string(struct intern *pool, const char *text)
{
	struct interned *s;

	if (str_empty(text))
		return "";
	s = map_get(&pool->strings, text);
	if (s == NULL) {
		s = interned_new(text);
		map_set(&pool->strings, text, s);
		return s->text;
	}
	for (;; s = s->next) {
		if (strcmp(s->text, text) == 0)
			return s->text;
		if (s->next == NULL)
			break;
	}
	s->next = interned_new(text);
	return s->next->text;
}
