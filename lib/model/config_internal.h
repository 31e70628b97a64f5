/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_internal: what the files of the configuration share and nobody else uses. The way of a
 * configuration is
 *
 *   records -> config_check.c   every section and option against the table, one by one
 *           -> config_build.c   references and rules between options; struct config
 *           -> config_canonical.c
 *
 * Each step goes on after errors, so that all are told at once. What a step needs and an earlier
 * one has refused counts as its default, and is not reported again.
 */
#ifndef MDC_CONFIG_INTERNAL_H
#define MDC_CONFIG_INTERNAL_H

#include "lib/model/config.h"

/* --- lookups (config_lookup.c); the section may be NULL: not written --- */

const struct config_row *config_row_find(const char *section, const char *name);
const struct config_section_row *config_section_row_find(const char *path);
/* "policy/extension"; a name that cannot be one gives a path that no row has. */
void config_path_join(struct buf *ret, const char *parent, const char *name);
/* True when `path` is `parent` followed by one more name, returned as *ret_name. */
bool config_path_is_child(const char *path, const char *parent, const char **ret_name);
const struct config_option *config_option_find(const struct config_section *s, const char *name);
const struct config_section *config_child(
	const struct config_section *s, const char *kind, const char *title);
/* The text that is in force: as written, or the default; NULL or "" where there is neither. */
const char *config_effective(const struct config_section *root, const struct config_section *s,
	const struct config_row *row);
/* Names of the clouds that exist without being written; NULL past the last. */
const char *config_preset_cloud(size_t index);

/* --- values (config_value.c) --- */

bool config_type_is_list(enum config_type type);
/* False with what is wrong and what to write instead in `why`. */
bool config_value_check(const struct config_row *row, const char *text, struct buf *why);
/* The one way to write that value, quoted where the type is text. */
void config_value_format(const struct config_row *row, const char *text, struct buf *ret);
/* DURATION in ms, COUNT, PERCENT. -EINVAL, -ERANGE. */
int config_value_number(enum config_type type, const char *text, uint64_t *ret) MDC_MUST_CHECK;
/* True when `word` is one of "a|b|c". */
bool config_choice_has(const char *choices, const char *word);
/* "a, b or c". */
void config_choice_join(struct buf *ret, const char *choices, const char *last);

/* Text from outside for a message: escaped and cut. */
#define CONFIG_SHOWN_SIZE 368
struct config_shown {
	char text[CONFIG_SHOWN_SIZE];
};
struct config_shown config_show(const char *text);
/* `kind "title"`, or the kind alone. */
struct config_shown config_show_section(const struct config_section *s);

/* --- the steps --- */

struct config_place {
	const struct config_section *section;
	const char *path;
	struct diags *diags;
};
/* Every section and option against the table. */
void config_check(const struct config_section *root, struct diags *diags);
/* Errors about names that the table does not have (config_unknown.c). */
void config_unknown_option(const struct config_place *p, const struct config_option *option);
/* True where the option is written, also where it is misspelt: then it is not missing as well. */
bool config_option_meant(const struct config_section *s, const char *path, const char *name);
void config_unknown_section(const struct config_place *p, const struct config_section *s);

struct config_builder {
	const struct config_section *root;
	struct diags *diags;
	struct config *config;
};
/* The text in force of an option of `s`, whose path is `path`; NULL where there is none. */
const char *config_get(const struct config_builder *b, const struct config_section *s,
	const char *path, const char *name);
char *config_get_copy(const struct config_builder *b, const struct config_section *s,
	const char *path, const char *name);
uint64_t config_get_number(const struct config_builder *b, const struct config_section *s,
	const char *path, const char *name);
bool config_get_switch(const struct config_builder *b, const struct config_section *s,
	const char *path, const char *name);
/* An error about a title that does not exist: the one that was meant, or all that there are. */
void config_unknown_title(const struct config_builder *b, const struct config_option *where,
	const char *kind, const char *title);
void config_build_identities(struct config_builder *b); /* and clouds */
void config_build_scopes(struct config_builder *b);
/* Those that the scope describes, and that no two are of one account (config_connector.c). */
void config_build_connectors(
	const struct config_builder *b, const struct config_section *s, struct scope_config *scope);
void config_check_connectors(const struct config_builder *b);
/* What an exclusion, a grant or a machine-plan is about; and that it says so. */
void config_build_tags(const struct config_option *option, struct selector *ret);
void config_build_selector(const struct config_section *s, struct selector *ret);
void config_check_selector(
	const struct config_builder *b, const struct config_section *s, const char *path);

/* Fills c->canonical. -EFBIG. */
int config_canonical(const struct config_section *root, struct config *c) MDC_MUST_CHECK;

#endif
