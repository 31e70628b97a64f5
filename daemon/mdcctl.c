/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>
#include <unistd.h>

/* --- what the daemon's program does --- */

#define WORDS_MOST 8

/* The command line for what needs no daemon that runs. */
static void words_of(const struct request *r, const char *ret[static WORDS_MOST])
{
	const char *scope = json_string_value(json_object_get(r->arguments, "scope"));
	size_t n = 0;

	ret[n++] = "mdcd";
	ret[n++] = r->role ? "--role" : "--check";
	if (r->file != NULL) {
		ret[n++] = "--config";
		ret[n++] = r->file;
	}
	if (r->role && scope != NULL) {
		ret[n++] = "--scope";
		ret[n++] = scope;
	}
	ret[n] = NULL;
}

/*
 * The daemon's program reads configurations. It is beside this one (in a build folder), in sbin
 * beside this one's bin, or in the path.
 */
static int run_mdcd(const struct request *r)
{
	const char *words[WORDS_MOST];
	char *const *arguments = (char *const *)(uintptr_t)words;
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/');
	words_of(r, words);
	if (slash != NULL) {
		mdc_autofree char *beside = xasprintf("%.*s/mdcd", (int)(slash - self), self);
		mdc_autofree char *sbin = xasprintf("%.*s/../sbin/mdcd", (int)(slash - self), self);

		execv(beside, arguments);
		execv(sbin, arguments);
	}
	execvp("mdcd", arguments);
	fprintf(stderr, "mdcctl: mdcd was not found: %s\n", strerror(errno));
	return EXIT_TROUBLE;
}

/* --- showing --- */

static void show_name(const char *name)
{
	struct buf escaped = BUF_INIT(65536);

	add_text(&escaped, name);
	puts(buf_str(&escaped));
	buf_fini(&escaped);
}

/* Each resource once, in the order of the rows. */
static void show_names(const json_t *result)
{
	static const char *const lists[] = {"items", "steps", "transitions"};
	const char *last = "";
	json_t *row;
	size_t i;

	for (size_t n = 0; n < ARRAY_LEN(lists); n++)
		json_array_foreach (json_object_get(result, lists[n]), i, row) {
			const char *name = text_of(row, "resource_id");

			if (*name != '\0' && !str_equal_nocase(name, last))
				show_name(name);
			last = name;
		}
}

static bool has_names(const char *command)
{
	return str_equal(command, "list") || str_equal(command, "plan") ||
		str_equal(command, "history");
}

/* Whatever the output. */
static int status_of(const char *command, const json_t *result)
{
	if (str_equal(command, "plan"))
		return plan_status(result);
	return str_equal(command, "preflight") ? preflight_status(result) : 0;
}

static int show(const struct request *r, const json_t *result)
{
	struct screen s;

	screen_init(&s, r->output);
	switch (r->output) {
	case OUTPUT_JSON:
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
		return status_of(r->command, result);
	case OUTPUT_NAME: show_names(result); return status_of(r->command, result);
	case OUTPUT_TABLE:
	case OUTPUT_WIDE:
	case OUTPUT_CSV: break;
	}
	return show_answer(&s, r->command, result);
}

static int run(const struct request *r)
{
	struct link *l = link_open(r->socket);
	json_t *result;
	int status = EXIT_TROUBLE;

	if (l == NULL)
		return status;
	if (str_equal(r->command, "confirm")) {
		status = confirm(l, r);
	} else {
		result = str_equal(r->command, "preflight") ? preflight(l) : link_ask_all(l, r);
		if (result != NULL)
			status = show(r, result);
		json_decref(result);
	}
	link_close(l);
	return status;
}

static int check(const struct request *r)
{
	if (r->output == OUTPUT_NAME && !has_names(r->command)) {
		fprintf(stderr, "mdcctl: %s has no names: -o name is for list, plan, history\n",
			r->command);
		return -EINVAL;
	}
	if (r->output == OUTPUT_CSV && !str_equal(r->command, "gaps") &&
		!str_equal(r->command, "cost")) {
		fprintf(stderr, "mdcctl: %s has no CSV: --csv is for gaps and cost\n", r->command);
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct request r;
	int status = request_read(argc, argv, &r);

	if (status == 0)
		status = check(&r);
	if (status < 0)
		status = EXIT_TROUBLE;
	else if (status > 0)
		status = 0;
	else if (r.role || str_equal(r.command, "config-check"))
		status = run_mdcd(&r);
	else
		status = run(&r);
	request_fini(&r);
	/* A full disk, or a reader that went away. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "mdcctl: stdout: %s\n", strerror(errno));
		return EXIT_TROUBLE;
	}
	return status;
}
