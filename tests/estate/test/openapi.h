/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi: just enough of OpenAPI 2.0 to hold an answer against Microsoft's own description of it:
 * types, required and undeclared members, closed enumerations, arrays, allOf, references between
 * files. An absent or null optional member is fine, as examples show.
 */
#ifndef MDC_TEST_OPENAPI_H
#define MDC_TEST_OPENAPI_H

#include "lib/base/buf.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/tick.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct openapi {
	struct map files; /* path -> json_t */
	struct buf errors;
};

/* A schema and the file that its references count from. */
struct schema {
	const json_t *node;
	const char *file; /* a key of `files` */
};

static inline void openapi_release(void *value)
{
	json_decref(value);
}

static inline void openapi_open(struct openapi *o)
{
	map_init(&o->files, openapi_release);
	o->errors = BUF_INIT(1 << 20);
}

static inline void openapi_close(struct openapi *o)
{
	map_fini(&o->files);
	buf_fini(&o->errors);
}

static inline const json_t *openapi_file(struct openapi *o, const char *path)
{
	json_t *doc = map_get(&o->files, path);
	json_error_t error;

	if (doc == NULL) {
		doc = json_load_file(path, 0, &error);
		if (doc == NULL) {
			buf_addf(&o->errors, "%s: %s\n", path, error.text);
			doc = json_object();
		}
		map_set(&o->files, path, doc);
	}
	return doc;
}

/* "dir/a/../b" without its "..", so that one file has one name. */
static inline char *openapi_join(const char *from, const char *relative)
{
	char *path = xasprintf("%.*s%s", (int)(strrchr(from, '/') + 1 - from), from, relative);
	char *up;

	while ((up = strstr(path, "/../")) != NULL) {
		char *before = up;

		while (before > path && before[-1] != '/')
			before--;
		memmove(before, up + 4, strlen(up + 4) + 1);
	}
	while ((up = strstr(path, "/./")) != NULL)
		memmove(up, up + 2, strlen(up + 2) + 1);
	return path;
}

static inline const char *openapi_key(struct openapi *o, const char *path)
{
	struct map_entry *entry;

	openapi_file(o, path);
	map_for_each (&o->files, entry)
		if (str_equal(entry->key, path))
			return entry->key;
	return "";
}

/* Follows "$ref" until there is none. */
static inline struct schema openapi_resolve(struct openapi *o, struct schema s)
{
	for (int hops = 0; hops < 10; hops++) {
		const char *ref = json_string_value(json_object_get(s.node, "$ref"));
		const char *hash = ref != NULL ? strchr(ref, '#') : NULL;
		const json_t *node;
		mdc_autofree char *pointer = NULL;

		if (hash == NULL)
			return s;
		if (hash != ref) {
			mdc_autofree char *relative = xstrndup(ref, (size_t)(hash - ref));
			mdc_autofree char *path = openapi_join(s.file, relative);

			s.file = openapi_key(o, path);
		}
		node = openapi_file(o, s.file);
		pointer = xstrdup(hash + 2);
		for (char *at = pointer, *next; at != NULL; at = next) {
			next = strchr(at, '/');
			if (next != NULL)
				*next++ = '\0';
			node = json_object_get(node, at);
		}
		if (node == NULL)
			buf_addf(&o->errors, "%s: %s leads nowhere\n", s.file, ref);
		s.node = node;
	}
	return s;
}

static inline void openapi_check(
	struct openapi *o, struct schema s, const json_t *value, const char *at);

/* The declaration of a member, in the schema itself or in what it is made of. */
static inline struct schema openapi_member(struct openapi *o, struct schema s, const char *name)
{
	struct schema none = {0};
	const json_t *own;
	size_t i;
	json_t *part;

	s = openapi_resolve(o, s);
	own = json_object_get(json_object_get(s.node, "properties"), name);
	if (own != NULL)
		return (struct schema){own, s.file};
	json_array_foreach (json_object_get(s.node, "allOf"), i, part) {
		struct schema found = openapi_member(o, (struct schema){part, s.file}, name);

		if (found.node != NULL)
			return found;
	}
	return none;
}

/* Whether members that are not declared may be there: bags, and what a discriminator adds. */
static inline bool openapi_is_open(struct openapi *o, struct schema s)
{
	size_t i;
	json_t *part;

	s = openapi_resolve(o, s);
	if (json_object_get(s.node, "additionalProperties") != NULL ||
		json_object_get(s.node, "discriminator") != NULL)
		return true;
	if (json_object_get(s.node, "properties") == NULL &&
		json_object_get(s.node, "allOf") == NULL)
		return true;
	json_array_foreach (json_object_get(s.node, "allOf"), i, part) {
		struct schema inner = openapi_resolve(o, (struct schema){part, s.file});

		if (json_object_get(inner.node, "discriminator") != NULL)
			return true;
	}
	return false;
}

static inline void openapi_check_required(
	struct openapi *o, struct schema s, const json_t *value, const char *at)
{
	size_t i;
	json_t *name, *part;

	s = openapi_resolve(o, s);
	json_array_foreach (json_object_get(s.node, "required"), i, name)
		if (json_object_get(value, json_string_value(name)) == NULL)
			buf_addf(
				&o->errors, "%s: \"%s\" is missing\n", at, json_string_value(name));
	json_array_foreach (json_object_get(s.node, "allOf"), i, part)
		openapi_check_required(o, (struct schema){part, s.file}, value, at);
}

static inline void openapi_check_object(
	struct openapi *o, struct schema s, const json_t *value, const char *at)
{
	const char *name;
	json_t *member;

	openapi_check_required(o, s, value, at);
	json_object_foreach ((json_t *)value, name, member) {
		struct schema declared = openapi_member(o, s, name);
		mdc_autofree char *path = xasprintf("%s.%s", at, name);

		if (declared.node != NULL)
			openapi_check(o, declared, member, path);
		else if (!openapi_is_open(o, s))
			buf_addf(&o->errors, "%s is not declared\n", path);
	}
}

static inline bool openapi_has_type(const char *type, const json_t *value)
{
	if (str_equal(type, "object"))
		return json_is_object(value);
	if (str_equal(type, "array"))
		return json_is_array(value);
	if (str_equal(type, "boolean"))
		return json_is_boolean(value);
	if (str_equal(type, "integer"))
		return json_is_integer(value);
	if (str_equal(type, "number"))
		return json_is_number(value);
	return json_is_string(value);
}

static inline bool openapi_is_listed(const json_t *values, const json_t *value)
{
	size_t i;
	json_t *listed;

	json_array_foreach (values, i, listed)
		if (json_equal(listed, value))
			return true;
	return false;
}

static inline void openapi_check_text(
	struct openapi *o, struct schema s, const json_t *value, const char *at)
{
	const json_t *values = json_object_get(s.node, "enum");
	const json_t *open = json_object_get(json_object_get(s.node, "x-ms-enum"), "modelAsString");
	struct wall time;

	if (values != NULL && !json_is_true(open) && !openapi_is_listed(values, value))
		buf_addf(&o->errors, "%s: \"%s\" is not one of its values\n", at,
			json_string_value(value));
	if (str_equal(json_string_value(json_object_get(s.node, "format")), "date-time") &&
		wall_parse(json_string_value(value), &time) != 0)
		buf_addf(&o->errors, "%s: \"%s\" is not a time\n", at, json_string_value(value));
}

static inline void openapi_check(
	struct openapi *o, struct schema s, const json_t *value, const char *at)
{
	const char *type;
	size_t i;
	json_t *item;

	s = openapi_resolve(o, s);
	type = json_string_value(json_object_get(s.node, "type"));
	if (json_is_null(value) || s.node == NULL)
		return;
	/* The service's queries answer with arrays where the description says "object". */
	if (type != NULL && !openapi_has_type(type, value) &&
		!(str_equal(type, "object") && json_object_get(s.node, "properties") == NULL)) {
		buf_addf(&o->errors, "%s is not of type %s\n", at, type);
		return;
	}
	if (json_is_object(value))
		openapi_check_object(o, s, value, at);
	if (json_is_string(value))
		openapi_check_text(o, s, value, at);
	json_array_foreach (value, i, item) {
		mdc_autofree char *path = xasprintf("%s[%zu]", at, i);

		if (json_object_get(s.node, "items") != NULL)
			openapi_check(o, (struct schema){json_object_get(s.node, "items"), s.file},
				item, path);
	}
}

#endif
