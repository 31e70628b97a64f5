/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config_internal.h"

#include <string.h>

/* The lines of a canonical text as a map from "scope "production"/mode" to "enforce". */
static void read_lines(const char *canonical, struct map *ret)
{
	const char *line = canonical;

	map_init(ret, free);
	while (*line != '\0') {
		size_t len = strcspn(line, "\n");
		const char *equals = strstr(line, " = ");
		mdc_autofree char *key = xstrndup(line, (size_t)(equals - line));

		map_set(ret, key, xstrndup(equals + 3, len - (size_t)(equals + 3 - line)));
		line += len + 1;
	}
}

/* `scope "production"/exclude "lab"/owner` is of the row scope/exclude, owner. */
static const struct config_row *row_of(const char *key)
{
	mdc_cleanup(buf_fini) struct buf path = BUF_INIT(4096);
	bool title = false;
	char *slash;

	for (; *key != '\0'; key++) {
		if (*key == '"')
			title = !title;
		else if (!title && *key != ' ')
			buf_addc(&path, *key);
	}
	slash = path.data != NULL ? strrchr(path.data, '/') : NULL;
	if (slash == NULL)
		return config_row_find("", buf_str(&path));
	*slash = '\0';
	return config_row_find(path.data, slash + 1);
}

static void say_change(struct buf *ret, const char *key, const char *before, const char *after,
	bool *ret_needs_restart)
{
	const struct config_row *row = row_of(key);
	bool restart = row != NULL && !row->reloadable;

	buf_addf(ret, "%s: %s -> %s%s\n", key, before != NULL ? before : "not set",
		after != NULL ? after : "not set", restart ? " (after a restart)" : "");
	*ret_needs_restart = *ret_needs_restart || restart;
}

int config_diff(const struct config *old, const struct config *fresh, struct buf *ret,
	bool *ret_needs_restart)
{
	mdc_cleanup(map_fini) struct map before, after;
	struct map_entry *entry;

	read_lines(old->canonical, &before);
	read_lines(fresh->canonical, &after);
	*ret_needs_restart = false;
	map_for_each (&before, entry) {
		const char *value = map_get(&after, entry->key);

		if (!str_equal(entry->value, value))
			say_change(ret, entry->key, entry->value, value, ret_needs_restart);
	}
	map_for_each (&after, entry)
		if (!map_has(&before, entry->key))
			say_change(ret, entry->key, NULL, entry->value, ret_needs_restart);
	return buf_failed(ret) ? -EFBIG : 0;
}
