/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config_internal.h"

#include <string.h>

static const struct {
	const char *title;
	const char *login, *resource_manager, *defender;
} presets[] = {
	{"public", "https://login.microsoftonline.com", "https://management.azure.com",
		"https://api.security.microsoft.com"},
	{"us-government", "https://login.microsoftonline.us",
		"https://management.usgovcloudapi.net",
		"https://api-gov.securitycenter.microsoft.us"},
	{"china", "https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn", NULL},
};

const char *config_preset_cloud(size_t index)
{
	return index < ARRAY_LEN(presets) ? presets[index].title : NULL;
}

const struct config_row *config_row_find(const char *section, const char *name)
{
	size_t count;
	const struct config_row *rows = config_rows(&count);

	for (size_t i = 0; i < count; i++)
		if (str_equal(rows[i].section, section) && str_equal(rows[i].name, name))
			return &rows[i];
	return NULL;
}

const struct config_section_row *config_section_row_find(const char *path)
{
	size_t count;
	const struct config_section_row *rows = config_section_rows(&count);

	for (size_t i = 0; i < count; i++)
		if (str_equal(rows[i].path, path))
			return &rows[i];
	return NULL;
}

void config_path_join(struct buf *ret, const char *parent, const char *name)
{
	if (*name == '\0' || strchr(name, '/') != NULL)
		buf_adds(ret, "/");
	else
		buf_addf(ret, "%s%s%s", parent, *parent == '\0' ? "" : "/", name);
	if (buf_failed(ret))
		buf_reset(ret), buf_adds(ret, "/");
}

bool config_path_is_child(const char *path, const char *parent, const char **ret_name)
{
	size_t len = strlen(parent);

	if (*path == '\0' || strncmp(path, parent, len) != 0)
		return false;
	if (len > 0 && path[len++] != '/')
		return false;
	if (path[len] == '\0' || strchr(path + len, '/') != NULL)
		return false;
	*ret_name = path + len;
	return true;
}

const struct config_option *config_option_find(const struct config_section *s, const char *name)
{
	for (size_t i = 0; s != NULL && i < s->option_count; i++)
		if (str_equal(s->options[i].name, name))
			return &s->options[i];
	return NULL;
}

const struct config_section *config_child(
	const struct config_section *s, const char *kind, const char *title)
{
	for (size_t i = 0; s != NULL && i < s->section_count; i++)
		if (str_equal(s->sections[i].kind, kind) &&
			(title == NULL || str_equal(s->sections[i].title, title)))
			return &s->sections[i];
	return NULL;
}

/* Where ARM is another one than the preset's, the preset's inventory is not known to be of it. */
static const char *preset_defender(
	const struct config_section *root, const struct config_section *s, size_t preset)
{
	const char *arm = config_effective(root, s, config_row_find("cloud", "resource-manager"));

	return str_equal(arm, presets[preset].resource_manager) ? presets[preset].defender : NULL;
}

static const char *cloud_default(const struct config_section *root, const struct config_section *s,
	const struct config_row *row)
{
	if (str_equal(row->name, "quota-model") && s != NULL && str_equal(s->title, "china"))
		return "hourly";
	if (str_equal(row->name, "audience"))
		return config_effective(root, s, config_row_find("cloud", "resource-manager"));
	for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
		if (s == NULL || !str_equal(s->title, presets[i].title))
			continue;
		if (str_equal(row->name, "login"))
			return presets[i].login;
		if (str_equal(row->name, "resource-manager"))
			return presets[i].resource_manager;
		if (str_equal(row->name, "defender"))
			return preset_defender(root, s, i);
	}
	return row->standard;
}

static const char *default_of(const struct config_section *root, const struct config_section *s,
	const struct config_row *row)
{
	if (str_equal(row->section, "cloud"))
		return cloud_default(root, s, row);
	if (str_equal(row->section, "scope") && str_equal(row->name, "max-in-flight"))
		return config_effective(root, root, config_row_find("", "max-in-flight"));
	return row->standard;
}

const char *config_effective(const struct config_section *root, const struct config_section *s,
	const struct config_row *row)
{
	const struct config_option *option = config_option_find(s, row->name);
	struct buf why = BUF_INIT(1024);
	bool good;

	if (option == NULL || option->n != 1)
		return default_of(root, s, row);
	good = config_value_check(row, option->values[0].text, &why);
	buf_fini(&why);
	return good ? option->values[0].text : default_of(root, s, row);
}
