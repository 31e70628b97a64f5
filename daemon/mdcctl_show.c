/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/tick.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EXIT_CHANGES 2

/* --- small helpers --- */

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL ? value : "";
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "22:40:05" today, "2026-11-20 22:40" otherwise: times are UTC, as everywhere. */
static const char *when(const json_t *object, const char *key, char ret[static 24])
{
	const char *full = text(object, key);

	if (*full == '\0')
		return NULL;
	snprintf(ret, 24, "%.10s %.8sZ", full, full + 11);
	return ret;
}

/* Tables are cut to the terminal, and left whole for a pipe. */
static unsigned terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

static void say(const char *key, const char *value)
{
	struct buf escaped = BUF_INIT(65536);

	if (str_empty(value))
		return;
	str_escape(&escaped, value, 8192);
	printf("%-14s %s\n", key, buf_str(&escaped));
	buf_fini(&escaped);
}

static void states_text(const json_t *states, struct buf *ret)
{
	const char *state;
	json_t *count;

	json_object_foreach ((json_t *)states, state, count)
		buf_addf(ret, "%s%lld %s", ret->len > 0 ? ", " : "",
			(long long)json_integer_value(count), state);
}

/* --- status --- */

static void show_writes(const json_t *writes)
{
	const json_t *unconfirmed = json_object_get(writes, "unconfirmed");
	const char *target;
	json_t *pause;

	say("HALTED", text(writes, "halted"));
	say("NOT STORED", text(writes, "store"));
	if (json_is_object(unconfirmed))
		printf("%-14s %lld subscriptions with %lld machines wait for `mdcctl "
		       "confirm`%s\n",
			"UNCONFIRMED", (long long)number(unconfirmed, "subscriptions"),
			(long long)number(unconfirmed, "machines"),
			json_is_true(json_object_get(unconfirmed, "state_lost"))
				? " (the stored state was lost)"
				: "");
	json_object_foreach (json_object_get(writes, "paused"), target, pause)
		printf("%-14s %s (by %s, %s)\n", "PAUSED", target, text(pause, "by"),
			text(pause, "reason"));
}

static void show_scopes(const json_t *scopes)
{
	static const char *const titles[] = {
		"SCOPE", "MODE", ">SUBSCRIPTIONS", ">MACHINES", "ITEMS", NULL};
	struct table *t = table_new(titles);
	size_t i;
	json_t *scope;

	json_array_foreach (scopes, i, scope) {
		char subscriptions[24], machines[24];
		struct buf states = BUF_INIT(4096);

		snprintf(subscriptions, sizeof(subscriptions), "%lld",
			(long long)number(scope, "subscriptions"));
		snprintf(machines, sizeof(machines), "%lld", (long long)number(scope, "machines"));
		states_text(json_object_get(scope, "states"), &states);
		table_row(t,
			(const char *const[]){text(scope, "name"), text(scope, "mode"),
				subscriptions, machines, buf_str(&states)});
		buf_fini(&states);
	}
	table_print(t, terminal_width());
	table_free(t);
}

static void show_controls(const json_t *controls)
{
	static const char *const titles[] = {"CONTROL", "ITEMS", NULL};
	struct table *t = table_new(titles);
	size_t i;
	json_t *control;

	json_array_foreach (controls, i, control) {
		struct buf states = BUF_INIT(4096);

		states_text(json_object_get(control, "states"), &states);
		table_row(t, (const char *const[]){text(control, "control"), buf_str(&states)});
		buf_fini(&states);
	}
	table_print(t, terminal_width());
	table_free(t);
}

static void show_passes(const json_t *passes)
{
	static const char *const titles[] = {"PASS", "ENDED", ">TOOK", "DUE", "PROBLEM", NULL};
	struct table *t = table_new(titles);
	size_t i;
	json_t *pass;

	json_array_foreach (passes, i, pass) {
		char ended[24], due[24], took[DUR_TEXT_SIZE];
		const char *ended_text = when(pass, "ended", ended);

		dur_format(DUR_MS(number(pass, "took_ms")), took);
		table_row(t,
			(const char *const[]){text(pass, "pass"), ended_text,
				ended_text != NULL ? took : NULL, when(pass, "due", due),
				text(pass, "first_problem")});
	}
	table_print(t, terminal_width());
	table_free(t);
}

static void show_quota(const json_t *client)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(client, "quotas"), i, row)
		if (number(row, "frozen_for_s") > 0)
			printf("%-14s %s %s %s for %lld s\n", "THROTTLED", text(row, "scope"),
				text(row, "subscription"), text(row, "operation"),
				(long long)number(row, "frozen_for_s"));
	json_array_foreach (json_object_get(client, "tokens"), i, row) {
		if (*text(row, "error") != '\0')
			printf("%-14s %s: %s\n", "NO TOKEN", text(row, "identity"),
				text(row, "error"));
		if (*text(row, "warning") != '\0')
			printf("%-14s %s: %s\n", "CREDENTIAL", text(row, "identity"),
				text(row, "warning"));
	}
}

static int show_status(const json_t *s)
{
	const json_t *operations = json_object_get(s, "operations");
	const json_t *calls = json_object_get(s, "calls");
	char started[24], configured[24];

	printf("mdcd %s, started %s, configuration %.12s of %s\n", text(s, "version"),
		when(s, "started", started), text(s, "config_digest"),
		when(s, "configured", configured));
	show_writes(json_object_get(s, "writes"));
	show_quota(json_object_get(s, "client"));
	if (json_is_true(json_object_get(s, "graph_refused")))
		say("SLOW", "Resource Graph refuses; everything is listed through ARM");
	putchar('\n');
	show_scopes(json_object_get(s, "scopes"));
	putchar('\n');
	show_controls(json_object_get(s, "controls"));
	putchar('\n');
	show_passes(json_object_get(s, "passes"));
	printf("\nOperations: %lld running, %lld waiting; %lld sent, %lld succeeded, %lld failed\n",
		(long long)number(operations, "running"), (long long)number(operations, "waiting"),
		(long long)number(operations, "sent"), (long long)number(operations, "succeeded"),
		(long long)number(operations, "failed"));
	printf("Calls: %lld reads, %lld writes, %lld Graph queries, %lld tokens; %lld throttled, "
	       "%lld failed\n",
		(long long)number(calls, "arm_reads"), (long long)number(calls, "arm_writes"),
		(long long)number(calls, "graph_queries"),
		(long long)number(calls, "token_requests"), (long long)number(calls, "throttled"),
		(long long)number(calls, "failed"));
	return 0;
}

/* --- plan --- */

static void differences_text(const json_t *differences, struct buf *ret)
{
	size_t i;
	json_t *d;

	json_array_foreach (differences, i, d)
		buf_addf(ret, "%s%s: %s -> %s", ret->len > 0 ? "; " : "", text(d, "field"),
			text(d, "observed"), text(d, "wanted"));
}

static const char *name_of(const json_t *row)
{
	return *text(row, "machine") != '\0' ? text(row, "machine") : text(row, "subscription");
}

static int show_plan(const json_t *plan)
{
	static const char *const titles[] = {"RESOURCE", "CONTROL", "CHANGE", "HELD BY", NULL};
	struct table *t = table_new(titles);
	json_int_t total = number(plan, "total");
	size_t i;
	json_t *step;

	json_array_foreach (json_object_get(plan, "steps"), i, step) {
		struct buf change = BUF_INIT(8192);

		differences_text(json_object_get(step, "differences"), &change);
		table_row(t,
			(const char *const[]){name_of(step), text(step, "control"),
				buf_str(&change), text(step, "held_because")});
		buf_fini(&change);
	}
	table_print(t, terminal_width());
	table_free(t);
	if (!json_is_true(json_object_get(plan, "observed")))
		puts("Not everything has been observed yet.");
	if ((json_int_t)i < total)
		printf("(%lld more: --limit)\n", (long long)(total - (json_int_t)i));
	printf("Plan: %lld to correct, %lld of them held; %lld running, %lld waiting for their "
	       "time.\n",
		(long long)total, (long long)number(plan, "held"),
		(long long)number(plan, "running"), (long long)number(plan, "waiting"));
	return total > 0 ? EXIT_CHANGES : 0;
}

/* --- explain --- */

static void explain_item(const json_t *item)
{
	const json_t *operation = json_object_get(item, "operation");
	struct buf change = BUF_INIT(8192);
	char since[24], due[24];

	printf("\n%s: %s since %s\n", text(item, "control"), text(item, "state"),
		when(item, "since", since));
	say("  what", text(item, "help"));
	say("  why", text(item, "sentence"));
	say("  message", text(item, "detail"));
	differences_text(json_object_get(item, "differences"), &change);
	say("  differs", buf_str(&change));
	say("  next look", when(item, "due", due));
	if (number(item, "attempts") > 0)
		printf("%-14s %lld\n", "  failures", (long long)number(item, "attempts"));
	say("  unblock", text(item, "unblock"));
	if (operation != NULL) {
		say("  operation", text(operation, "phase"));
		say("  target", text(operation, "target"));
		say("  correlation", text(operation, "correlation_id"));
	}
	buf_fini(&change);
}

static int show_explanation(const json_t *e)
{
	static const char *const titles[] = {"FACT", "VALUE", "FROM", "OBSERVED", NULL};
	struct table *t = table_new(titles);
	size_t i;
	json_t *row;

	say("resource", text(e, "resource_id"));
	say("subscription", text(e, "subscription_name"));
	say("scope", *text(e, "scope") != '\0' ? text(e, "scope") : "none: left alone");
	json_array_foreach (json_object_get(e, "items"), i, row)
		explain_item(row);
	json_array_foreach (json_object_get(e, "facts"), i, row) {
		char at[24];

		table_row(t,
			(const char *const[]){text(row, "name"), text(row, "value"),
				text(row, "source"), when(row, "observed", at)});
	}
	putchar('\n');
	table_print(t, terminal_width());
	table_free(t);
	return 0;
}

/* --- list, history, config, the rest --- */

static int show_list(const json_t *list)
{
	static const char *const titles[] = {
		"RESOURCE", "CONTROL", "STATE", "SINCE", "DUE", "WHY", NULL};
	struct table *t = table_new(titles);
	json_int_t total = number(list, "total");
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(list, "items"), i, item) {
		char since[24], due[24];
		mdc_autofree char *why = *text(item, "detail") != '\0'
			? xasprintf("%s: %s", text(item, "sentence"), text(item, "detail"))
			: xstrdup(text(item, "sentence"));

		table_row(t,
			(const char *const[]){name_of(item), text(item, "control"),
				text(item, "state"), when(item, "since", since),
				when(item, "due", due), why});
	}
	table_print(t, terminal_width());
	table_free(t);
	if ((json_int_t)i < total)
		printf("(%lld more: --limit)\n", (long long)(total - (json_int_t)i));
	return 0;
}

static int show_history(const json_t *history)
{
	static const char *const titles[] = {
		">SEQ", "AT", "CONTROL", "FROM", "TO", "REASON", "RESOURCE", NULL};
	struct table *t = table_new(titles);
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(history, "transitions"), i, row) {
		char at[24], seq[24];

		snprintf(seq, sizeof(seq), "%lld", (long long)number(row, "seq"));
		table_row(t,
			(const char *const[]){seq, when(row, "at", at), text(row, "control"),
				text(row, "from"), text(row, "to"), text(row, "reason"),
				text(row, "resource_id")});
	}
	table_print(t, terminal_width());
	table_free(t);
	return 0;
}

static int show_config(const json_t *config)
{
	char loaded[24];

	printf("# %s, loaded %s, digest %.12s\n%s", text(config, "path"),
		when(config, "loaded", loaded), text(config, "digest"), text(config, "text"));
	return 0;
}

static int show_done(const json_t *result)
{
	const char *changes = text(result, "changes");

	printf("%s\n", text(result, "done"));
	fputs(changes, stdout);
	fputs(text(result, "warnings"), stderr);
	if (json_is_true(json_object_get(result, "needs_restart")))
		puts("Some of these changes take effect after a restart.");
	return 0;
}

int show_answer(const char *command, const json_t *result)
{
	static const struct {
		const char *command;
		int (*show)(const json_t *result);
	} shows[] = {
		{"status", show_status},
		{"plan", show_plan},
		{"explain", show_explanation},
		{"list", show_list},
		{"history", show_history},
		{"config", show_config},
	};

	for (size_t i = 0; i < ARRAY_LEN(shows); i++)
		if (str_equal(command, shows[i].command))
			return shows[i].show(result);
	return show_done(result);
}
