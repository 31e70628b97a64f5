/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/tenants.h"

#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* "subscription tenant" a line. */
#define VALUE_NAME "tenants"
#define VALUE_MAX (INVENTORY_SUBSCRIPTIONS_MAX * 2 * GUID_TEXT_SIZE)

struct tenants {
	struct store *store;
	struct map homes; /* subscription id -> the tenant's id */
};

static void set_home(struct tenants *t, const char *subscription, const char *tenant)
{
	map_set(&t->homes, subscription, xstrdup(tenant));
}

static void parse_line(struct tenants *t, char *line)
{
	const char *subscription = strsep(&line, " ");

	if (line != NULL && str_is_guid(subscription) && str_is_guid(line))
		set_home(t, subscription, line);
}

struct tenants *tenants_new(struct store *store)
{
	struct tenants *t = xcalloc(1, sizeof(*t));
	mdc_autofree char *text = store_load_value(store, VALUE_NAME);
	char *rest = text, *line;

	t->store = store;
	map_init(&t->homes, free);
	while ((line = strsep(&rest, "\n")) != NULL)
		parse_line(t, line);
	return t;
}

struct tenants *tenants_free(struct tenants *t)
{
	if (t == NULL)
		return NULL;
	map_fini(&t->homes);
	free(t);
	return NULL;
}

static void put(struct tenants *t)
{
	struct buf text = BUF_INIT(VALUE_MAX);
	struct map_entry *entry;

	map_for_each (&t->homes, entry)
		buf_addf(&text, "%s %s\n", entry->key, (const char *)entry->value);
	store_put_value(t->store, VALUE_NAME, buf_str(&text));
	store_flush(t->store, NULL, NULL);
	buf_fini(&text);
}

/* True when there is something new to remember. */
static bool take_home(struct tenants *t, struct subscription *s)
{
	const char *home = map_get(&t->homes, s->id);

	if (*s->tenant == '\0')
		return false;
	if (home == NULL)
		set_home(t, s->id, s->tenant);
	str_copy(s->home, sizeof(s->home), home != NULL ? home : s->tenant);
	return home == NULL;
}

void tenants_listed(struct tenants *t, struct inventory *inv)
{
	struct map_entry *entry;
	bool news = false;

	map_for_each (&inv->subscriptions, entry)
		news = take_home(t, entry->value) || news;
	if (news)
		put(t);
}

void tenants_accept(struct tenants *t, struct subscription *s)
{
	if (!subscription_has_moved(s))
		return;
	set_home(t, s->id, s->tenant);
	str_copy(s->home, sizeof(s->home), s->tenant);
	put(t);
}
