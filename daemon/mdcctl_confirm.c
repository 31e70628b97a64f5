/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"

#include <unistd.h>

static void show_subscriptions(const struct screen *s, const json_t *unconfirmed)
{
	static const char *const titles[] = {"SUBSCRIPTION", "ID", "SCOPE", ">MACHINES", NULL};
	const json_t *list = json_object_get(unconfirmed, "list");
	json_int_t total = number_of(unconfirmed, "subscriptions");
	struct table *t = table_new(titles);
	json_t *row;
	size_t i;

	json_array_foreach (list, i, row) {
		char machines[COUNT_TEXT_SIZE];

		count_format(number_of(row, "machines"), machines);
		table_row(t,
			(const char *const[]){text_of(row, "name"), text_of(row, "subscription"),
				text_of(row, "scope"), machines});
	}
	table_print(t, s);
	table_free(t);
	if ((json_int_t)i < total)
		fprintf(s->out, "(and %lld more)\n", (long long)(total - (json_int_t)i));
}

static void show(const struct screen *s, const json_t *unconfirmed, const json_t *plan)
{
	char subscriptions[COUNT_TEXT_SIZE], machines[COUNT_TEXT_SIZE];

	count_format(number_of(unconfirmed, "subscriptions"), subscriptions);
	count_format(number_of(unconfirmed, "machines"), machines);
	if (json_is_true(json_object_get(unconfirmed, "state_lost")))
		fputs("The stored state was lost: what was undone twice, paused or granted is not "
		      "known any more.\nWhat scopes that enforce call for would be written "
		      "again.\n",
			s->out);
	if (number_of(unconfirmed, "subscriptions") > 0) {
		fprintf(s->out, "%s subscriptions with %s machines would newly be written to%s:\n",
			subscriptions, machines,
			json_is_true(json_object_get(unconfirmed, "first_enforce"))
				? ", by a scope that enforces for the first time"
				: "");
		show_subscriptions(s, unconfirmed);
	}
	putc('\n', s->out);
	show_plan_summary(s, plan);
}

static bool asked(const struct request *r)
{
	char answer[16];

	if (r->yes)
		return true;
	if (isatty(STDIN_FILENO) != 1) {
		fputs("mdcctl: nobody can be asked here\n"
		      "mdcctl: what helps: mdcctl confirm --yes\n",
			stderr);
		return false;
	}
	fputs("Allow this? [y/N] ", stderr);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
		(str_starts_nocase(answer, "y\n") || str_starts_nocase(answer, "yes\n"));
}

/* What was shown is confirmed, and nothing that came in between. */
static json_t *confirm_shown(struct link *l, const json_t *unconfirmed)
{
	json_t *arguments = json_pack("{s:s}", "token", text_of(unconfirmed, "token"));
	json_t *result = link_ask(l, "confirm", arguments);

	json_decref(arguments);
	return result;
}

static int finish(const struct request *r, const struct screen *s, json_t *take_result)
{
	int status = EXIT_TROUBLE;

	if (take_result == NULL)
		return status;
	if (r->output == OUTPUT_JSON) {
		json_dumpf(take_result, s->out, JSON_INDENT(2));
		putc('\n', s->out);
		status = 0;
	} else {
		status = show_answer(s, "confirm", take_result);
	}
	json_decref(take_result);
	return status;
}

int confirm(struct link *l, const struct request *r)
{
	json_t *status = link_ask(l, "status", NULL), *none = json_pack("{s:i}", "limit", 0);
	json_t *plan = status != NULL ? link_ask(l, "plan", none) : NULL;
	const json_t *unconfirmed =
		json_object_get(json_object_get(status, "writes"), "unconfirmed");
	struct screen s;
	int code = EXIT_TROUBLE;

	screen_init(&s, r->output);
	if (plan != NULL && !json_is_object(unconfirmed)) {
		code = finish(r, &s, json_pack("{s:s}", "done", "nothing waits for confirmation"));
	} else if (plan != NULL) {
		if (r->output != OUTPUT_JSON)
			show(&s, unconfirmed, plan);
		fflush(stdout);
		if (asked(r))
			code = finish(r, &s, confirm_shown(l, unconfirmed));
	}
	json_decref(none);
	json_decref(plan);
	json_decref(status);
	return code;
}
