/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mdcctl prints for people, against texts in golden/. UPDATE_GOLDEN=1 writes them anew: look
 * at the difference then.
 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER "tests/daemon/golden/"

struct golden {
	const char *answer; /* FOLDER answer.json */
	const char *text;   /* FOLDER text.txt */
	const char *command;
	struct screen screen;
	int status;
};

static const struct golden goldens[] = {
	{"status_first", "status_first", "status", {0}, 0},
	{"status_unconfirmed", "status_unconfirmed", "status", {0}, 0},
	{"status_running", "status_running", "status", {0}, 0},
	{"status_trouble", "status_trouble", "status", {0}, 0},
	{"plan_unconfirmed", "plan_unconfirmed", "plan", {0}, EXIT_CHANGES},
	{"plan_running", "plan_running", "plan", {0}, EXIT_CHANGES},
	{"plan_running", "plan_running_80", "plan", {.width = 80}, EXIT_CHANGES},
	{"plan_large", "plan_large", "plan", {0}, EXIT_CHANGES},
	{"plan_large", "plan_large_colour", "plan", {.colour = true}, EXIT_CHANGES},
	{"plan_nothing", "plan_nothing", "plan", {0}, 0},
	{"plan_partial", "plan_partial", "plan", {0}, EXIT_TROUBLE},
	{"explain_operation", "explain_operation", "explain", {0}, 0},
	{"explain_backoff", "explain_backoff", "explain", {0}, 0},
	{"explain_subscription", "explain_subscription", "explain", {0}, 0},
	{"list", "list", "list", {0}, 0},
	{"list", "list_80_colour", "list", {.width = 80, .colour = true}, 0},
	{"list", "list_wide", "list", {.output = OUTPUT_WIDE}, 0},
	{"gaps", "gaps", "gaps", {0}, 0},
	{"gaps", "gaps_wide", "gaps", {.output = OUTPUT_WIDE}, 0},
	{"gaps", "gaps_csv", "gaps", {.output = OUTPUT_CSV}, 0},
	{"cost", "cost", "cost", {0}, 0},
	{"cost", "cost_wide", "cost", {.output = OUTPUT_WIDE}, 0},
	{"cost", "cost_csv", "cost", {.output = OUTPUT_CSV}, 0},
	{"cost_machines", "cost_machines", "cost", {0}, 0},
	{"cost_machines", "cost_machines_wide", "cost", {.output = OUTPUT_WIDE}, 0},
	{"cost_machines", "cost_machines_csv", "cost", {.output = OUTPUT_CSV}, 0},
	{"history", "history", "history", {0}, 0},
	{"history", "history_wide", "history", {.output = OUTPUT_WIDE}, 0},
	{"config", "config", "config", {0}, 0},
	{"reload", "reload", "reload", {0}, 0},
	{"preflight_good", "preflight_good", "preflight", {0}, 0},
	{"preflight_missing", "preflight_missing", "preflight", {0}, EXIT_CHANGES},
	{"preflight_missing", "preflight_missing_wide", "preflight", {.output = OUTPUT_WIDE},
		EXIT_CHANGES},
	{"preflight_missing", "preflight_missing_colour", "preflight", {.colour = true},
		EXIT_CHANGES},
	{"preflight_unread", "preflight_unread", "preflight", {0}, EXIT_TROUBLE},
};

static char *read_file(const char *name, const char *ending)
{
	mdc_autofree char *path = xasprintf(FOLDER "%s.%s", name, ending);
	FILE *f = fopen(path, "r");
	struct buf text = BUF_INIT(1 << 20);
	char chunk[4096];
	size_t n;

	if (f == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	fclose(f);
	return text.len > 0 ? buf_steal(&text) : xstrdup("");
}

static void write_file(const char *name, const char *text)
{
	mdc_autofree char *path = xasprintf(FOLDER "%s.txt", name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static char *shown(const struct golden *g, const json_t *answer)
{
	struct screen screen = g->screen;
	char *text = NULL;
	size_t len;

	screen.out = open_memstream(&text, &len);
	assert_non_null(screen.out);
	assert_int_equal(show_answer(&screen, g->command, answer), g->status);
	fclose(screen.out);
	return text;
}

/* Names the first line that differs. */
static void compare(const char *name, const char *expected, const char *text)
{
	unsigned line = 1;

	for (; *expected != '\0' && *expected == *text; expected++, text++)
		line += *expected == '\n';
	if (*expected != *text)
		fail_msg("%s differs in line %u: \"%.60s\", not \"%.60s\"", name, line, text,
			expected);
}

static void answers_look_as_they_did(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
		const struct golden *g = &goldens[i];
		mdc_autofree char *document = read_file(g->answer, "json");
		json_t *answer = json_loads(document, 0, NULL);
		mdc_autofree char *text = NULL, *expected = NULL;

		assert_non_null(answer);
		text = shown(g, answer);
		json_decref(answer);
		if (getenv("UPDATE_GOLDEN") != NULL)
			write_file(g->text, text);
		expected = read_file(g->text, "txt");
		compare(g->text, expected, text);
	}
}

/* Whatever an answer lacks or holds: it comes from a process of another version, at worst. */
static void answers_that_are_not_as_expected_are_survived(void **state)
{
	static const char *const documents[] = {"{}",
		"{\"items\":5,\"steps\":{},\"facts\":[1,null]}",
		"{\"rows\":[{},5],\"plans\":[{}],\"assumptions\":[5],\"total\":{\"month_now\":\"x."
		"yyy\",\"month_change\":\"-.000\"},\"gaps\":[{}],\"totals\":[1],\"unproven\":[5],"
		"\"items\":[{}],\"steps\":[{}],"
		"\"groups\":[{}],\"waits\":[{}],\"scopes\":[{}],"
		"\"controls\":[{}],\"passes\":[{}],\"transitions\":[{}],\"history\":[{}],"
		"\"partial\":[5],\"needs_restart\":[\"x\"],\"writes\":{\"paused\":{\"x\":5},"
		"\"unconfirmed\":{}},\"missing\":[{}],\"unread\":[5],\"client\":{\"tokens\":[{}],"
		"\"quotas\":[{}]}}",
		("{\"now\":\"yesterday\",\"started\":\"2026\",\"passes\":[{\"ended\":\"x\","
		 "\"took_ms\":-5}],\"scopes\":[{\"states\":{\"x\":-1,\"compliant\":\"y\"}}]}")};
	static const char *const commands[] = {"status", "plan", "explain", "list", "gaps", "cost",
		"history", "config", "halt", "preflight"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		for (size_t j = 0; j < ARRAY_LEN(commands); j++) {
			json_t *answer = json_loads(documents[i], 0, NULL);
			struct screen screen = {0};
			char *text = NULL;
			size_t len;

			assert_non_null(answer);
			screen.out = open_memstream(&text, &len);
			(void)show_answer(&screen, commands[j], answer);
			fclose(screen.out);
			free(text);
			json_decref(answer);
		}
}

/* Nothing from outside reaches the terminal as anything but text. */
static void no_answer_controls_the_terminal(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
		const struct golden *g = &goldens[i];
		mdc_autofree char *text = NULL;

		if (g->screen.colour)
			continue;
		text = read_file(g->text, "txt");
		for (const char *p = text; *p != '\0'; p++)
			assert_true(*p == '\n' || (unsigned char)*p >= ' ');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_look_as_they_did),
		cmocka_unit_test(answers_that_are_not_as_expected_are_survived),
		cmocka_unit_test(no_answer_controls_the_terminal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mdcctl_show", tests, NULL, NULL);
}
