/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_lines.h"

#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

struct azsim_lines {
	FILE *file;
	char *name;
	bool dirty;
	bool broken; /* said once */
};

int azsim_lines_open(const char *name, struct azsim_lines **ret)
{
	struct azsim_lines lines = {0};

	*ret = NULL;
	if (name == NULL)
		return 0;
	lines.file = fopen(name, "ae");
	if (lines.file == NULL) {
		int error = -errno;

		fprintf(stderr, "azsim: %s: %s\n", name, strerror(-error));
		return error;
	}
	lines.name = xstrdup(name);
	*ret = xmemdup(&lines, sizeof(lines));
	return 0;
}

struct azsim_lines *azsim_lines_close(struct azsim_lines *lines)
{
	if (lines == NULL)
		return NULL;
	azsim_lines_flush(lines);
	fclose(lines->file);
	free(lines->name);
	free(lines);
	return NULL;
}

static void say_broken(struct azsim_lines *lines)
{
	if (!lines->broken)
		fprintf(stderr, "azsim: %s cannot be written: %s\n", lines->name, strerror(errno));
	lines->broken = true;
}

void azsim_lines_add(struct azsim_lines *lines, json_t *take_object)
{
	if (json_dumpf(take_object, lines->file, JSON_COMPACT | JSON_ENSURE_ASCII) != 0 ||
		fputc('\n', lines->file) == EOF)
		say_broken(lines);
	lines->dirty = true;
	json_decref(take_object);
}

void azsim_lines_flush(struct azsim_lines *lines)
{
	if (lines == NULL)
		return;
	if (lines->dirty && fflush(lines->file) != 0)
		say_broken(lines);
	lines->dirty = false;
}
