/* SPDX-License-Identifier: Apache-2.0 */
/* replay [PATH...]: gives every file, and every file in every directory, to the fuzz target. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (16u << 20)

static unsigned replayed;

static int replay_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	uint8_t *data;
	FILE *f;
	size_t size;

	(void)ftw;
	if (type == FTW_NS || type == FTW_DNR) {
		fprintf(stderr, "replay: %s cannot be read\n", path);
		return 1;
	}
	if (type != FTW_F || st->st_size > INPUT_MAX)
		return 0;
	f = fopen(path, "rb");
	data = malloc((size_t)st->st_size + 1);
	if (f == NULL || data == NULL) {
		fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	size = fread(data, 1, (size_t)st->st_size, f);
	fclose(f);
	/* An exact copy, so that a read past its end is one past an allocation. */
	data = realloc(data, size > 0 ? size : 1);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	replayed++;
	return 0;
}

/* Without arguments: the target's own corpus, tests/fuzz/corpus/NAME for a program fuzz_NAME. */
static int replay(const char *path)
{
	if (nftw(path, replay_file, 8, FTW_PHYS) == 0)
		return 0;
	fprintf(stderr, "replay: %s cannot be replayed\n", path);
	return 1;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	char corpus[256];
	int status = 0;

	name = name != NULL ? name + 1 : argv[0];
	snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%.200s",
		strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name);
	if (argc == 1)
		status = replay(corpus);
	for (int i = 1; i < argc && status == 0; i++)
		status = replay(argv[i]);
	printf("1..1\n%sok 1 - %u inputs replayed\n", status == 0 && replayed > 0 ? "" : "not ",
		replayed);
	return status == 0 && replayed > 0 ? 0 : 1;
}
