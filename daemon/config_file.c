/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_file.h"

#include "daemon/config_records.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX (1u << 20)
#define FILES_MAX 256
#define SHOWN_MAX 4096

/* A file or directory that is not read at all. */
static void refuse(struct reading *r, const char *name, unsigned line, const char *text)
{
	r->incomplete = true;
	reading_error(r, name, line, "%s", text);
}

static void refuse_errno(struct reading *r, const char *name, const char *verb, int error)
{
	r->incomplete = true;
	reading_error(r, name, 0, "cannot %s it: %s", verb, strerror(error));
}

/* --- one file --- */

/* Text that is not a configuration at all is told once, and not read. */
static bool is_text(struct reading *r, const char *text, size_t len, const char *name)
{
	const char *nul = memchr(text, '\0', len);
	unsigned line = 1;

	if (nul == NULL)
		return true;
	for (const char *p = text; p < nul; p++)
		line += *p == '\n';
	refuse(r, name, line, "a NUL byte stands here, so this is not a text file; write it anew");
	return false;
}

static bool is_trusted(struct reading *r, const struct stat *st, const char *name, bool directory)
{
	bool right = directory ? S_ISDIR(st->st_mode) : S_ISREG(st->st_mode);

	if (!right) {
		refuse(r, name, 0,
			directory ? "it is not a directory; replace it by one"
				  : "it is not a regular file; replace it by one");
		return false;
	}
	if ((st->st_mode & S_IWOTH) != 0) {
		refuse(r, name, 0, "everybody may write to it; run chmod o-w on it");
		return false;
	}
	return true;
}

static bool is_small(struct reading *r, size_t size, const char *name)
{
	if (size <= FILE_SIZE_MAX)
		return true;
	refuse(r, name, 0, "it is larger than 1 MiB; divide it into files in conf.d");
	return false;
}

/* Up to one byte more than is allowed, whatever the size was said to be. */
static int read_all(int fd, struct buf *ret)
{
	char piece[16384];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (buf_add(ret, piece, (size_t)n) != 0)
			return -EFBIG;
	}
	return 0;
}

static void read_open_file(struct reading *r, int fd, const char *name, struct config_section *root)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(FILE_SIZE_MAX);
	struct stat st;
	int error;

	if (fstat(fd, &st) != 0) {
		refuse_errno(r, name, "read", errno);
		return;
	}
	if (!is_trusted(r, &st, name, false) || !is_small(r, (size_t)st.st_size, name))
		return;
	error = read_all(fd, &text);
	if (error == -EFBIG)
		is_small(r, SIZE_MAX, name);
	else if (error != 0)
		refuse_errno(r, name, "read", -error);
	else if (is_text(r, buf_str(&text), text.len, name))
		config_records_read(r, buf_str(&text), name, root);
}

/* `name` inside `directory`; `shown` is what people read. Negative errno where it cannot be opened.
 */
static int read_file(struct reading *r, int directory, const char *name, const char *shown,
	struct config_section *root)
{
	/* O_NONBLOCK: opening a FIFO that nobody writes to must not wait. */
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error;

	if (fd < 0) {
		error = errno;
		refuse_errno(r, shown, "open", error);
		return -error;
	}
	read_open_file(r, fd, shown, root);
	close(fd);
	return 0;
}

/* --- conf.d --- */

struct names {
	char **v;
	size_t n;
};

static void names_fini(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_drop_in(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && name[0] != '.' && strcmp(name + len - 5, ".conf") == 0;
}

static void list_drop_ins(struct reading *r, DIR *stream, const char *shown, struct names *ret)
{
	const struct dirent *entry;

	while ((entry = readdir(stream)) != NULL) {
		if (!is_drop_in(entry->d_name))
			continue;
		if (ret->n == FILES_MAX) {
			refuse(r, shown, 0, "there are more than 256 files; join some of them");
			return;
		}
		ret->v = xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
		ret->v[ret->n++] = xstrdup(entry->d_name);
	}
	if (ret->n > 0)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_names);
}

static void read_drop_ins(
	struct reading *r, DIR *stream, const char *directory, struct config_section *root)
{
	mdc_cleanup(names_fini) struct names names = {0};
	struct stat st;

	if (fstat(dirfd(stream), &st) != 0) {
		refuse_errno(r, directory, "read", errno);
		return;
	}
	if (!is_trusted(r, &st, directory, true))
		return;
	list_drop_ins(r, stream, directory, &names);
	for (size_t i = 0; i < names.n; i++) {
		mdc_cleanup(buf_fini) struct buf shown = BUF_INIT(SHOWN_MAX);

		buf_addf(&shown, "%s/", directory);
		str_escape(&shown, names.v[i], SHOWN_MAX);
		/* One that cannot be read is told, and the others are read all the same. */
		if (read_file(r, dirfd(stream), names.v[i], buf_str(&shown), root) != 0)
			continue;
	}
}

static void read_directory(struct reading *r, const char *directory, struct config_section *root)
{
	DIR *stream = opendir(directory);

	if (stream == NULL) {
		if (errno != ENOENT)
			refuse_errno(r, directory, "open", errno);
		return;
	}
	read_drop_ins(r, stream, directory, root);
	closedir(stream);
}

/* --- what the environment says of identities --- */

static const struct config_option *find_option(const struct config_section *s, const char *name)
{
	for (size_t i = 0; i < s->option_count; i++)
		if (str_equal(s->options[i].name, name))
			return &s->options[i];
	return NULL;
}

static void add_option(
	struct config_section *s, const char *name, const char *value, const char *variable)
{
	struct config_option *o;

	s->options = xreallocarray(s->options, s->option_count + 1, sizeof(*s->options));
	o = &s->options[s->option_count++];
	*o = (struct config_option){.name = xstrdup(name),
		.file = xasprintf("environment, %s", variable),
		.values = xcalloc(1, sizeof(*o->values)),
		.n = 1};
	o->values[0] = (struct config_value){.text = xstrdup(value), .file = xstrdup(o->file)};
}

/* As if it had been written in the section; what was written there counts. */
static void add_environment(struct config_section *identity, environment_fn environment)
{
	const struct config_option *method = find_option(identity, "method");
	size_t count;
	const struct config_environment_row *rows = config_environment_rows(&count);

	for (size_t i = 0; method != NULL && method->n == 1 && i < count; i++) {
		const char *value = environment(rows[i].variable);

		if (!str_empty(value) && str_equal(method->values[0].text, rows[i].method) &&
			find_option(identity, rows[i].option) == NULL)
			add_option(identity, rows[i].option, value, rows[i].variable);
		/* The options may have moved. */
		method = find_option(identity, "method");
	}
}

static void add_environments(struct config_section *root, environment_fn environment)
{
	for (size_t i = 0; environment != NULL && i < root->section_count; i++)
		if (str_equal(root->sections[i].kind, "identity"))
			add_environment(&root->sections[i], environment);
}

/* --- all of it --- */

static struct config_section top_level(const char *file)
{
	return (struct config_section){.kind = xstrdup(""), .file = xstrdup(file)};
}

static char *drop_in_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	int len = slash != NULL ? (int)(slash - path) + 1 : 0;

	return xasprintf("%.*sconf.d", len, path);
}

/* `ret` holds what could be read also after errors, unless the first file could not. */
static int read_files(struct reading *r, const char *path, struct config_section *ret)
{
	mdc_autofree char *directory = drop_in_directory(path);
	int error;

	*ret = top_level(path);
	error = read_file(r, AT_FDCWD, path, path, ret);
	if (error != 0)
		return error;
	read_directory(r, directory, ret);
	return r->errors > 0 ? -EINVAL : 0;
}

/* The main file first, then by name and line: the order in which somebody goes through them. */
static bool comes_after(const struct diag *a, const struct diag *b, const char *path)
{
	bool a_main = str_equal(a->file, path), b_main = str_equal(b->file, path);
	int order = strcmp(a->file, b->file);

	if (a_main != b_main)
		return b_main;
	return order > 0 || (order == 0 && a->line > b->line);
}

/* Puts the diagnostics from `first` on in order; there are at most DIAG_MAX. */
static void sort_diags(struct diags *d, size_t first, const char *path)
{
	for (size_t i = first; i < d->n; i++) {
		struct diag one = d->v[i];
		size_t at = i;

		for (; at > first && comes_after(&d->v[at - 1], &one, path); at--)
			d->v[at] = d->v[at - 1];
		d->v[at] = one;
	}
}

int config_files_read(const char *path, environment_fn environment, struct diags *diags,
	struct config_section *ret)
{
	struct reading r = {.diags = diags, .environment = environment};
	struct config_section root;
	int error = read_files(&r, path, &root);

	if (error != 0)
		config_section_fini(&root);
	else
		*ret = root;
	return error;
}

int config_files_load(
	const char *path, environment_fn environment, struct diags *diags, struct config **ret)
{
	struct reading r = {.diags = diags, .environment = environment};
	struct config *config = NULL;
	size_t first = diags->n;
	struct config_section root;
	int error = read_files(&r, path, &root), wrong = 0;

	add_environments(&root, environment);
	/* The values are judged also after errors of syntax, so that all are told at once. */
	if (!r.incomplete)
		wrong = config_build(&root, diags, &config);
	config_section_fini(&root);
	sort_diags(diags, first, path);
	if (error == 0 && wrong == 0) {
		*ret = config;
		return 0;
	}
	config_free(config);
	return error != 0 ? error : wrong;
}

int config_text_read(const char *text, const char *name, environment_fn environment,
	struct diags *diags, struct config_section *ret)
{
	struct reading r = {.diags = diags, .environment = environment};
	struct config_section root = top_level(name);

	if (is_small(&r, strlen(text), name))
		config_records_read(&r, text, name, &root);
	if (r.errors > 0) {
		config_section_fini(&root);
		return -EINVAL;
	}
	*ret = root;
	return 0;
}
