/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/estate_tree.h"

#include "lib/base/xalloc.h"

#include <string.h>

json_t *tree_get(const json_t *doc, const char *path)
{
	while (doc != NULL) {
		size_t len = strcspn(path, ".");

		doc = json_object_getn(doc, path, len);
		if (path[len] == '\0')
			return (json_t *)doc;
		path += len + 1;
	}
	return NULL;
}

const char *tree_text(const json_t *doc, const char *path)
{
	return json_string_value(tree_get(doc, path));
}

bool tree_is_true(const json_t *doc, const char *path)
{
	return json_is_true(tree_get(doc, path));
}

json_t *tree_with(const json_t *doc, const char *path, json_t *take_value)
{
	size_t len = strcspn(path, ".");
	json_t *copy = json_is_object(doc) ? json_copy((json_t *)doc) : json_object();

	if (path[len] == '.')
		take_value =
			tree_with(json_object_getn(doc, path, len), path + len + 1, take_value);
	if (take_value != NULL)
		json_object_setn_new(copy, path, len, take_value);
	else
		json_object_deln(copy, path, len);
	return copy;
}

void tree_set(json_t **doc, const char *path, json_t *take_value)
{
	json_t *changed = tree_with(*doc, path, take_value);

	json_decref(*doc);
	*doc = changed;
}

char *tree_dump(const json_t *doc, size_t *ret_len)
{
	char *text =
		doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENCODE_ANY) : xstrdup("null");

	assert(text != NULL);
	if (ret_len != NULL)
		*ret_len = strlen(text);
	return text;
}

void text_make_clean(char *text)
{
	json_t *value = json_string(text);

	if (value == NULL)
		for (; *text != '\0'; text++)
			if ((unsigned char)*text >= 0x80)
				*text = '?';
	json_decref(value);
}
