/* SPDX-License-Identifier: Apache-2.0 */
/* Every option in force, one a line: `scope "production"/mode = enforce`. */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config_internal.h"

#include <string.h>

#define CANONICAL_MAX (64u << 20)
#define PREFIX_MAX 1024

struct rendering {
	const struct config_section *root;
	struct buf text;
};

static void add_list(
	const struct config_row *row, const struct config_option *option, struct buf *ret)
{
	buf_adds(ret, "{");
	for (size_t i = 0; i < option->n; i++) {
		buf_adds(ret, i == 0 ? " " : ", ");
		config_value_format(row, option->values[i].text, ret);
	}
	buf_adds(ret, " }\n");
}

static void add_option(struct rendering *r, const struct config_section *s, const char *prefix,
	const struct config_row *row)
{
	const struct config_option *option = config_option_find(s, row->name);
	const char *text;

	if (config_type_is_list(row->type)) {
		if (option != NULL) {
			buf_addf(&r->text, "%s%s = ", prefix, row->name);
			add_list(row, option, &r->text);
		}
		return;
	}
	text = config_effective(r->root, s, row);
	if (str_empty(text))
		return;
	buf_addf(&r->text, "%s%s = ", prefix, row->name);
	config_value_format(row, text, &r->text);
	buf_addc(&r->text, '\n');
}

static void add_section(
	struct rendering *r, const struct config_section *s, const char *path, const char *prefix);

static void add_titled(struct rendering *r, const struct config_section *s,
	const struct config_section_row *row, const char *prefix)
{
	mdc_cleanup(buf_fini) struct buf deeper = BUF_INIT(PREFIX_MAX);

	buf_addf(&deeper, "%s%s \"%s\"/", prefix, s->kind, s->title);
	add_section(r, s, row->path, buf_str(&deeper));
}

/* All sections of that kind inside `s`; where it has no title, also when it was not written. */
static void add_kind(struct rendering *r, const struct config_section *s,
	const struct config_section_row *row, const char *kind, const char *prefix)
{
	mdc_cleanup(buf_fini) struct buf deeper = BUF_INIT(PREFIX_MAX);

	if (!row->titled) {
		buf_addf(&deeper, "%s%s/", prefix, kind);
		add_section(r, config_child(s, kind, NULL), row->path, buf_str(&deeper));
		return;
	}
	for (size_t i = 0; s != NULL && i < s->section_count; i++)
		if (str_equal(s->sections[i].kind, kind))
			add_titled(r, &s->sections[i], row, prefix);
}

static void add_section(
	struct rendering *r, const struct config_section *s, const char *path, const char *prefix)
{
	size_t count;
	const struct config_row *rows = config_rows(&count);
	const struct config_section_row *kinds;
	const char *kind;

	for (size_t i = 0; i < count; i++)
		if (str_equal(rows[i].section, path))
			add_option(r, s, prefix, &rows[i]);
	kinds = config_section_rows(&count);
	for (size_t i = 0; i < count; i++)
		if (config_path_is_child(kinds[i].path, path, &kind))
			add_kind(r, s, &kinds[i], kind, prefix);
}

/* Built-in clouds in use count like written ones: their addresses are in force. */
static void add_presets(struct rendering *r, const struct config *c)
{
	for (size_t i = 0; i < c->identity_count; i++) {
		const struct cloud_config *cloud = c->identities[i].cloud;
		const struct config_section unwritten = {
			.kind = (char *)"cloud", .title = cloud->name};
		bool shown = config_child(r->root, "cloud", cloud->name) != NULL;

		for (size_t j = 0; j < i && !shown; j++)
			shown = c->identities[j].cloud == cloud;
		if (!shown)
			add_titled(r, &unwritten, config_section_row_find("cloud"), "");
	}
}

int config_canonical(const struct config_section *root, struct config *c)
{
	struct rendering r = {.root = root, .text = BUF_INIT(CANONICAL_MAX)};

	add_section(&r, root, "", "");
	add_presets(&r, c);
	if (buf_failed(&r.text)) {
		buf_fini(&r.text);
		return -EFBIG;
	}
	c->canonical = buf_steal(&r.text);
	return 0;
}
