/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a configuration, from the reading to the built configuration. */
#include "daemon/config_file.h"
#include "lib/base/xalloc.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define DIFF_MAX (1u << 20)

static void check(bool holds)
{
	if (!holds)
		abort();
}

static const char *environment(const char *name)
{
	return strcmp(name, "X") == 0 ? "x\"\\${X} = { # }" : NULL;
}

/* Every diagnostic says something, and the text of it is safe to show. That libconfuse could not
 * read a value is for texts past its cap; else it and config_tokens.c would disagree. */
static void check_diags(const struct diags *diags)
{
	static const char unread[] =
		": the value cannot be read; write it shorter, in double quotes";

	for (size_t i = 0; i < diags->n; i++) {
		check(diags->v[i].text[0] != '\0');
		check(strcmp(diags->v[i].text + strcspn(diags->v[i].text, ":"), unread) != 0);
		for (const char *p = diags->v[i].text; *p != '\0'; p++)
			check((unsigned char)*p >= ' ');
	}
}

static void check_config(const struct config *c)
{
	struct buf diff = BUF_INIT(DIFF_MAX);
	bool restart = true;

	check(c->canonical != NULL && c->state_directory != NULL);
	for (size_t i = 0; i < c->scope_count; i++) {
		check(c->scopes[i].identity != NULL && c->scopes[i].policy != NULL);
		selector_matches(&(struct selector){0}, "", NULL, NULL, NULL);
		for (size_t j = 0; j < c->scopes[i].exclude_count; j++)
			selector_matches(&c->scopes[i].excludes[j].selector, "s", "g", "m",
				"env=lab\nrole=x\n");
	}
	check(config_diff(c, c, &diff, &restart) == 0);
	check(diff.len == 0 && !restart);
	buf_fini(&diff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mdc_autofree char *text = xstrndup((const char *)data, size);
	struct diags diags = DIAGS_INIT;
	struct config_section root;
	struct config *config = NULL;
	int error = config_text_read(text, "fuzz", environment, &diags, &root);

	check((error != 0) == (diags.errors > 0));
	if (error == 0) {
		error = config_build(&root, &diags, &config);
		check((error != 0) == (diags.errors > 0));
		config_section_fini(&root);
	}
	check_diags(&diags);
	if (error == 0)
		check_config(config);
	config_free(config);
	diags_fini(&diags);
	return 0;
}
