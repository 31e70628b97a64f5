/* SPDX-License-Identifier: Apache-2.0 */
/* What to write instead of a name that the table does not have. */
#include "lib/base/str.h"
#include "lib/model/config_internal.h"
#include "lib/model/near_miss.h"

#include <string.h>

#define WHY_MAX 1500

static struct config_shown place_name(const struct config_place *p)
{
	struct config_shown shown = {"at the top level"};

	if (*p->path == '\0')
		return shown;
	str_copy(shown.text, sizeof(shown.text), "in ");
	str_copy(shown.text + 3, sizeof(shown.text) - 3, config_show_section(p->section).text);
	return shown;
}

/* --- options --- */

static bool is_secret(const char *name)
{
	return config_choice_has("secret|client-secret|password|certificate-password|token", name);
}

static void secret_option(const struct config_place *p, const struct config_option *option)
{
	bool password = strstr(option->name, "password") != NULL;

	diag_error(p->diags, option->file, option->line,
		"%s: a secret is never written in a configuration; put it into a file of its own "
		"and write %s = \"/etc/mdcd/credentials/%s\"",
		option->name, password ? "certificate-password-file" : "secret-file",
		password ? "password" : "client-secret");
}

/* The option of this section that is most like `name`, or NULL; all of them as a list. */
static const char *near_option(const char *path, const char *name, struct buf *ret_all)
{
	size_t count;
	const struct config_row *rows = config_rows(&count);
	struct near_miss near;

	near_miss_begin(&near, name);
	for (size_t i = 0; i < count; i++) {
		if (!str_equal(rows[i].section, path))
			continue;
		near_miss_offer(&near, rows[i].name, strlen(rows[i].name));
		buf_addf(ret_all, "%s%s", ret_all->len == 0 ? "" : ", ", rows[i].name);
	}
	return near.best;
}

bool config_option_meant(const struct config_section *s, const char *path, const char *name)
{
	if (config_option_find(s, name) != NULL)
		return true;
	for (size_t i = 0; i < s->option_count; i++) {
		const char *written = s->options[i].name;
		mdc_cleanup(buf_fini) struct buf all = BUF_INIT(WHY_MAX);

		if (config_row_find(path, written) == NULL &&
			str_equal(near_option(path, written, &all), name))
			return true;
	}
	return false;
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (*path == '\0')
		return "the top level";
	return slash != NULL ? slash + 1 : path;
}

/* Where else that option exists; false if nowhere. */
static bool say_where_else(const struct config_place *p, const char *name, struct buf *why)
{
	mdc_cleanup(buf_fini) struct buf places = BUF_INIT(WHY_MAX);
	const struct config_row *rows;
	const char *child;
	size_t count;

	rows = config_rows(&count);
	for (size_t i = 0; i < count; i++) {
		if (!str_equal(rows[i].name, name))
			continue;
		if (config_path_is_child(rows[i].section, p->path, &child)) {
			buf_addf(
				why, "it belongs into %s; write %s { %s = … }", child, child, name);
			return true;
		}
		buf_addf(&places, "%s%s", places.len > 0 ? "|" : "", last_name(rows[i].section));
	}
	if (places.len == 0)
		return false;
	buf_adds(why, "it belongs into ");
	config_choice_join(why, buf_str(&places), " or ");
	return true;
}

static void say_section(const struct config_section_row *row, struct buf *why)
{
	buf_addf(why, "it is a section; write %s ", last_name(row->path));
	if (row->titled)
		buf_addf(why, "\"%s\" ", row->example);
	buf_adds(why, "{ … }");
}

void config_unknown_option(const struct config_place *p, const struct config_option *option)
{
	mdc_cleanup(buf_fini) struct buf path = BUF_INIT(WHY_MAX);
	mdc_cleanup(buf_fini) struct buf why = BUF_INIT(WHY_MAX);
	mdc_cleanup(buf_fini) struct buf all = BUF_INIT(WHY_MAX);
	const char *near = near_option(p->path, option->name, &all);
	const struct config_section_row *section;

	if (is_secret(option->name)) {
		secret_option(p, option);
		return;
	}
	config_path_join(&path, p->path, option->name);
	section = config_section_row_find(buf_str(&path));
	if (section != NULL)
		say_section(section, &why);
	else if (near != NULL)
		buf_addf(&why, "write %s", near);
	else if (!say_where_else(p, option->name, &why))
		buf_addf(&why, "the options here are %s", buf_str(&all));
	diag_error(p->diags, option->file, option->line, "there is no option \"%s\" %s; %s",
		config_show(option->name).text, place_name(p).text, buf_str(&why));
}

/* --- sections --- */

static void say_near_section(const char *path, const char *kind, struct buf *why)
{
	size_t count;
	const struct config_section_row *rows = config_section_rows(&count);
	mdc_cleanup(buf_fini) struct buf all = BUF_INIT(WHY_MAX);
	struct near_miss near;
	const char *name;

	near_miss_begin(&near, kind);
	for (size_t i = 0; i < count; i++) {
		if (!config_path_is_child(rows[i].path, path, &name))
			continue;
		near_miss_offer(&near, name, strlen(name));
		buf_addf(&all, "%s%s", all.len == 0 ? "" : ", ", name);
	}
	if (near.best != NULL)
		buf_addf(why, "write %s", near.best);
	else if (all.len > 0)
		buf_addf(why, "the sections here are %s", buf_str(&all));
	else
		buf_adds(why, "there are none; remove it");
}

static const struct config_section_row *same_section_elsewhere(const char *kind)
{
	size_t count;
	const struct config_section_row *rows = config_section_rows(&count);

	for (size_t i = 0; i < count; i++)
		if (*kind != '\0' && str_equal(last_name(rows[i].path), kind))
			return &rows[i];
	return NULL;
}

void config_unknown_section(const struct config_place *p, const struct config_section *s)
{
	const struct config_section_row *elsewhere = same_section_elsewhere(s->kind);
	mdc_cleanup(buf_fini) struct buf why = BUF_INIT(WHY_MAX);
	struct config_shown here = config_show_section(p->section);
	const char *slash = elsewhere != NULL ? strchr(elsewhere->path, '/') : NULL;

	if (config_row_find(p->path, s->kind) != NULL)
		buf_addf(&why, "it is an option; write %s = …", s->kind);
	else if (slash != NULL)
		buf_addf(&why, "it belongs into a section %.*s", (int)(slash - elsewhere->path),
			elsewhere->path);
	else if (elsewhere != NULL)
		buf_addf(&why, "it belongs to the top level: close %s with } before it", here.text);
	else
		say_near_section(p->path, s->kind, &why);
	diag_error(p->diags, s->file, s->line, "there is no section \"%s\" %s; %s",
		config_show(s->kind).text, place_name(p).text, buf_str(&why));
}
