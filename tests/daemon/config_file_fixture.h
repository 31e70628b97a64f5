/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_file_fixture: texts and directories of configuration files, read or loaded, and what came
 * of it as text: "LINE:NAME=[VALUE]" and "LINE:SECTION<TITLE>( ... )", then what was told.
 */
#ifndef MDC_TEST_CONFIG_FILE_FIXTURE_H
#define MDC_TEST_CONFIG_FILE_FIXTURE_H

#include "daemon/config_file.h"
#include "lib/base/xalloc.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_MAX (4u << 20)

static inline const char *environment(const char *name)
{
	if (strcmp(name, "PLAN") == 0)
		return "P2";
	if (strcmp(name, "ODD_1") == 0)
		return "a\"b\\c${PLAN} = { # }";
	if (strcmp(name, "EMPTY") == 0)
		return "";
	return NULL;
}

/* --- records and diagnostics as text --- */

static inline void render(const struct config_section *s, struct buf *ret)
{
	for (size_t i = 0; i < s->option_count; i++) {
		const struct config_option *o = &s->options[i];

		buf_addf(ret, "%u:%s=%s", o->line, o->name, o->list ? "{" : "");
		for (size_t j = 0; j < o->n; j++)
			buf_addf(ret, "%s[%s]", j > 0 ? "," : "", o->values[j].text);
		buf_adds(ret, o->list ? "} " : " ");
	}
	for (size_t i = 0; i < s->section_count; i++) {
		const struct config_section *child = &s->sections[i];

		buf_addf(ret, "%u:%s", child->line, child->kind);
		if (child->title != NULL)
			buf_addf(ret, "<%s>", child->title);
		buf_adds(ret, "( ");
		render(child, ret);
		buf_adds(ret, ") ");
	}
}

static inline void assert_reads(const char *text, const char *expected)
{
	mdc_cleanup(buf_fini) struct buf got = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config_section root = {0};

	if (config_text_read(text, "t.conf", environment, &diags, &root) == 0)
		render(&root, &got);
	diags_render(&diags, &got);
	config_section_fini(&root);
	if (strcmp(buf_str(&got), expected) != 0)
		fail_msg("%s\nreads:\n%s\ninstead of:\n%s", text, buf_str(&got), expected);
}

/* --- files --- */

struct directory {
	char path[64];
	char file[96]; /* the main file */
};

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void directory_fini(struct directory *d)
{
	nftw(d->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void directory_init(struct directory *d)
{
	strcpy(d->path, "/tmp/mdcd-config-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->file, sizeof(d->file), "%s/mdcd.conf", d->path);
}

static inline void write_bytes(
	const struct directory *d, const char *name, const char *data, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0640), 0);
}

static inline void write_text(const struct directory *d, const char *name, const char *text)
{
	write_bytes(d, name, text, strlen(text));
}

static inline void make_directory(const struct directory *d, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	assert_int_equal(mkdir(path, 0750), 0);
}

static inline void set_mode(const struct directory *d, const char *name, mode_t mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	assert_int_equal(chmod(path, mode), 0);
}

/* Paths of the test's own directory become "@". */
static inline void shorten(const struct directory *d, const char *text, struct buf *ret)
{
	size_t len = strlen(d->path);

	for (; *text != '\0'; text++)
		if (strncmp(text, d->path, len) == 0) {
			buf_adds(ret, "@");
			text += len - 1;
		} else
			buf_addc(ret, *text);
}

static inline int read_files(const struct directory *d, struct buf *ret)
{
	mdc_cleanup(buf_fini) struct buf got = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config_section root = {0};
	int error = config_files_read(d->file, environment, &diags, &root);

	if (error == 0)
		render(&root, &got);
	diags_render(&diags, &got);
	assert_int_equal(error != 0, diags.errors > 0);
	config_section_fini(&root);
	shorten(d, buf_str(&got), ret);
	return error;
}

static inline void assert_files_read(const struct directory *d, int error, const char *expected)
{
	mdc_cleanup(buf_fini) struct buf got = BUF_INIT(TEXT_MAX);

	assert_int_equal(read_files(d, &got), error);
	assert_string_equal(buf_str(&got), expected);
}

static inline void assert_files_load(const struct directory *d, int error, const char *expected)
{
	mdc_cleanup(buf_fini) struct buf got = BUF_INIT(TEXT_MAX);
	mdc_cleanup(buf_fini) struct buf said = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;

	assert_int_equal(config_files_load(d->file, environment, &diags, &config), error);
	assert_int_equal(config != NULL, error == 0);
	diags_render(&diags, &said);
	shorten(d, buf_str(&said), &got);
	assert_string_equal(buf_str(&got), expected);
	config_free(config);
}

#endif
