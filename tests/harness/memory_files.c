/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/memory_files.h"

#include "lib/base/map.h"
#include "lib/base/xalloc.h"

#include <string.h>

struct memory_file {
	char *data;
	size_t len;
	uint64_t version;
	bool link; /* reached by one */
};

struct memory_files {
	struct secret_files base;
	struct map files;
	uint64_t versions;
	unsigned reads;
};

static struct memory_files *files_of(const struct secret_files *f)
{
	return container_of(f, struct memory_files, base);
}

static void file_free(void *file)
{
	struct memory_file *m = file;

	free(m->data);
	free(m);
}

static int memory_read(
	struct secret_files *f, const char *path, size_t cap, char **ret, size_t *ret_len)
{
	const struct memory_file *m = map_get(&files_of(f)->files, path);

	files_of(f)->reads++;
	if (m == NULL)
		return -ENOENT;
	if (m->len > cap)
		return -EFBIG;
	*ret = xmalloc(m->len + 1);
	memcpy(*ret, m->data, m->len);
	(*ret)[m->len] = '\0';
	*ret_len = m->len;
	return 0;
}

static int memory_read_unlinked(
	struct secret_files *f, const char *path, size_t cap, char **ret, size_t *ret_len)
{
	const struct memory_file *m = map_get(&files_of(f)->files, path);

	if (m != NULL && m->link)
		return -ELOOP;
	return memory_read(f, path, cap, ret, ret_len);
}

static int memory_version(struct secret_files *f, const char *path, uint64_t *ret)
{
	const struct memory_file *m = map_get(&files_of(f)->files, path);

	if (m == NULL)
		return -ENOENT;
	*ret = m->version;
	return 0;
}

struct secret_files *memory_files_new(void)
{
	struct memory_files *f = xcalloc(1, sizeof(*f));

	f->base = (struct secret_files){.read = memory_read,
		.read_unlinked = memory_read_unlinked,
		.version = memory_version};
	map_init(&f->files, file_free);
	return &f->base;
}

struct secret_files *memory_files_free(struct secret_files *f)
{
	if (f == NULL)
		return NULL;
	map_fini(&files_of(f)->files);
	free(files_of(f));
	return NULL;
}

void memory_files_put_bytes(struct secret_files *f, const char *path, const void *data, size_t len)
{
	struct memory_file *m = xcalloc(1, sizeof(*m));

	m->data = xmalloc(len + 1);
	memcpy(m->data, data, len);
	m->len = len;
	m->version = ++files_of(f)->versions;
	map_set(&files_of(f)->files, path, m);
}

void memory_files_put(struct secret_files *f, const char *path, const char *text)
{
	if (text == NULL)
		map_remove(&files_of(f)->files, path);
	else
		memory_files_put_bytes(f, path, text, strlen(text));
}

void memory_files_put_link(struct secret_files *f, const char *path, const char *text)
{
	struct memory_file *m;

	memory_files_put(f, path, text);
	m = map_get(&files_of(f)->files, path);
	m->link = true;
}

unsigned memory_files_reads(const struct secret_files *f)
{
	return files_of(f)->reads;
}
