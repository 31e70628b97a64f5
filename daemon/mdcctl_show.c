/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"

#include <string.h>

static int show_config(const struct screen *s, const json_t *config)
{
	char loaded[AGE_TEXT_SIZE];

	time_of(config, config, "loaded", loaded);
	fprintf(s->out, "# %s, loaded %s, digest %.12s\n", text_of(config, "path"), loaded,
		text_of(config, "digest"));
	fputs(text_of(config, "text"), s->out);
	return 0;
}

static void show_lines(FILE *out, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		struct buf line = BUF_INIT(65536);
		char copy[8192];

		snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
		add_text(&line, copy);
		fprintf(out, "  %s\n", buf_str(&line));
		buf_fini(&line);
		text += len + (text[len] == '\n');
	}
}

static int show_done(const struct screen *s, const json_t *result)
{
	fprintf(s->out, "%s\n", text_of(result, "done"));
	show_lines(s->out, text_of(result, "changes"));
	show_lines(stderr, text_of(result, "warnings"));
	if (json_is_true(json_object_get(result, "needs_restart")))
		fputs("Some of these changes take effect after a restart.\n", s->out);
	return 0;
}

int show_answer(const struct screen *s, const char *command, const json_t *result)
{
	static const struct {
		const char *command;
		int (*show)(const struct screen *s, const json_t *result);
	} shows[] = {
		{"status", show_status},
		{"plan", show_plan},
		{"explain", show_explanation},
		{"list", show_list},
		{"gaps", show_inventory_gaps},
		{"cost", show_cost},
		{"history", show_history},
		{"config", show_config},
		{"preflight", show_preflight},
	};

	for (size_t i = 0; i < ARRAY_LEN(shows); i++)
		if (str_equal(command, shows[i].command))
			return shows[i].show(s, result);
	return show_done(s, result);
}
