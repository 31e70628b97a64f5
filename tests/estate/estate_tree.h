/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estate_tree: JSON documents that are never changed in place. A change makes a new document that
 * shares what did not change, so that Resource Graph may go on showing an old one at no cost.
 */
#ifndef MDC_TEST_ESTATE_TREE_H
#define MDC_TEST_ESTATE_TREE_H

#include "lib/base/base.h"

#include <jansson.h>

/* Follows "a.b.c" through objects; NULL if any is absent. Keys are compared exactly. */
json_t *tree_get(const json_t *doc, const char *path);
/* The string there, or NULL. */
const char *tree_text(const json_t *doc, const char *path);
/* True only for JSON true there. */
bool tree_is_true(const json_t *doc, const char *path);
/* A document like `doc` with that member set (taken), or removed where it is NULL. */
json_t *tree_with(const json_t *doc, const char *path, json_t *take_value);
/* The same, replacing (and releasing) the document in a variable. */
void tree_set(json_t **doc, const char *path, json_t *take_value);
/* Compact text, members in their order, "null" for NULL; caller frees. */
char *tree_dump(const json_t *doc, size_t *ret_len);

/* Replaces every byte that is not ASCII where the text is not UTF-8, so that JSON can hold it. */
void text_make_clean(char *text);

#endif
