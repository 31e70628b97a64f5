/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/model/config_internal.h"

#include <string.h>

#define WHY_MAX 1500
#define TITLE_MAX 64

/* What this version does not act on, whatever it is worth. */
static void check_supported(const struct config_place *p, const struct config_row *row,
	const struct config_option *option)
{
	const struct config_value *v = option->values;
	mdc_cleanup(buf_fini) struct buf value = BUF_INIT(WHY_MAX);
	mdc_cleanup(buf_fini) struct buf choices = BUF_INIT(WHY_MAX);
	bool has_default = row->standard != NULL && *row->standard != '\0';

	if (row->supported == NULL || option->n == 0)
		return;
	if (*row->supported == '\0') {
		diag_error(p->diags, option->file, option->line,
			"%s is not supported by this version; remove it", option->name);
		return;
	}
	config_value_format(row, v->text, &value);
	if (config_choice_has(row->supported, buf_str(&value)))
		return;
	config_choice_join(&choices, row->supported, " or ");
	diag_error(p->diags, v->file, v->line,
		"%s: \"%s\" is not supported by this version; write %s%s", option->name,
		config_show(v->text).text, buf_str(&choices),
		has_default ? ", or leave the option out" : "");
}

static void check_option(const struct config_place *p, const struct config_option *option)
{
	const struct config_row *row = config_row_find(p->path, option->name);
	size_t errors = p->diags->errors;

	if (row == NULL) {
		config_unknown_option(p, option);
		return;
	}
	if (!config_type_is_list(row->type) && (option->list || option->n > 1)) {
		diag_error(p->diags, option->file, option->line,
			"%s: a list stands where one value belongs; write it without braces",
			option->name);
		return;
	}
	for (size_t i = 0; i < option->n; i++) {
		const struct config_value *v = &option->values[i];
		mdc_cleanup(buf_fini) struct buf why = BUF_INIT(WHY_MAX);

		if (!config_value_check(row, v->text, &why))
			diag_error(
				p->diags, v->file, v->line, "%s: %s", option->name, buf_str(&why));
	}
	if (p->diags->errors == errors)
		check_supported(p, row, option);
}

/* Something to write for an option that is missing. */
static const char *sample(const struct config_row *row)
{
	if (row->example != NULL)
		return row->example;
	return row->type == CONFIG_GUID ? "01234567-89ab-cdef-0123-456789abcdef" : "…";
}

static void check_missing(const struct config_place *p, const struct config_row *row)
{
	mdc_cleanup(buf_fini) struct buf value = BUF_INIT(WHY_MAX);

	if (row->standard == NULL || *row->standard != '\0' ||
		config_option_meant(p->section, p->path, row->name))
		return;
	if (row->supported != NULL || row->type == CONFIG_CHOICE)
		config_choice_join(
			&value, row->supported != NULL ? row->supported : row->choices, " or ");
	else
		config_value_format(row, sample(row), &value);
	diag_error(p->diags, p->section->file, p->section->line, "%s has no %s; write %s = %s",
		config_show_section(p->section).text, row->name, row->name, buf_str(&value));
}

static bool is_title(const char *title)
{
	static const struct config_row any = {.type = CONFIG_TEXT};
	mdc_cleanup(buf_fini) struct buf why = BUF_INIT(WHY_MAX);

	return strlen(title) <= TITLE_MAX && strpbrk(title, "\"\\/$=") == NULL &&
		config_value_check(&any, title, &why);
}

static void check_title(const struct config_place *p, const struct config_section_row *row)
{
	const struct config_section *s = p->section;
	struct config_shown title = config_show(s->title);

	if (row->titled && s->title == NULL)
		diag_error(p->diags, s->file, s->line,
			"the section %s needs a title; write %s \"%s\" { … }", s->kind, s->kind,
			row->example);
	else if (!row->titled && s->title != NULL)
		diag_error(p->diags, s->file, s->line,
			"the section %s takes no title; write %s { … }", s->kind, s->kind);
	else if (s->title != NULL && !is_title(s->title))
		diag_error(p->diags, s->file, s->line,
			"\"%s\" cannot be a title; write 1 to %d bytes of plain text without "
			"\", \\, /, $ and =",
			title.text, TITLE_MAX);
}

static void check_section(const struct config_place *p);

static void check_child(const struct config_place *p, const struct config_section *child)
{
	mdc_cleanup(buf_fini) struct buf path = BUF_INIT(WHY_MAX);

	config_path_join(&path, p->path, child->kind);
	if (config_section_row_find(buf_str(&path)) != NULL)
		check_section(&(struct config_place){child, buf_str(&path), p->diags});
	else
		config_unknown_section(p, child);
}

static void check_section(const struct config_place *p)
{
	const struct config_section_row *self = config_section_row_find(p->path);
	const struct config_row *rows;
	size_t count;

	if (*p->path != '\0')
		check_title(p, self);
	if (self->unsupported)
		diag_error(p->diags, p->section->file, p->section->line,
			"%s is not supported by this version; remove the section",
			config_show_section(p->section).text);
	for (size_t i = 0; i < p->section->option_count; i++)
		check_option(p, &p->section->options[i]);
	rows = config_rows(&count);
	for (size_t i = 0; i < count; i++)
		if (str_equal(rows[i].section, p->path))
			check_missing(p, &rows[i]);
	for (size_t i = 0; i < p->section->section_count; i++)
		check_child(p, &p->section->sections[i]);
}

void config_check(const struct config_section *root, struct diags *diags)
{
	check_section(&(struct config_place){root, "", diags});
}
