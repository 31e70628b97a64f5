/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"

#include <stdarg.h>
#include <string.h>

/* A quota below this share of its size is worth a line. */
#define QUOTA_LOW 0.2

/* --- lines --- */

static void line(const struct screen *s, enum colour c, const char *key, const char *format, ...)
	MDC_PRINTF(4, 5);
static void line(const struct screen *s, enum colour c, const char *key, const char *format, ...)
{
	struct buf text = BUF_INIT(16384);
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	say_coloured(s, c, key, buf_str(&text));
	buf_fini(&text);
}

/* --- the head --- */

static void show_head(const struct screen *s, const json_t *status)
{
	const json_t *writes = json_object_get(status, "writes");
	const char *why_not = text_of(writes, "why_not"), *unblock = text_of(writes, "unblock");
	char age[AGE_TEXT_SIZE];

	time_of(status, status, "started", age);
	line(s, COLOUR_NONE, "mdcd", "%s, started %s%s", text_of(status, "version"), age,
		json_is_true(json_object_get(status, "stopping")) ? ", stopping" : "");
	age_of(status, status, "configured", age);
	line(s, COLOUR_NONE, "configuration", "%s, digest %.12s, loaded %s",
		text_of(status, "config"), text_of(status, "config_digest"), age);
	if (json_is_true(json_object_get(writes, "allowed")))
		line(s, COLOUR_NONE, "writes", "allowed where a scope enforces%s",
			json_is_object(json_object_get(writes, "unconfirmed"))
				? ", but for what is not confirmed"
				: "");
	else
		line(s, COLOUR_STRONG, "writes", "none: %s%s%s", why_not,
			*unblock != '\0' ? "; what ends it: " : "", unblock);
}

static void show_pauses(const struct screen *s, const json_t *status, const json_t *pauses)
{
	const char *target;
	json_t *pause;

	json_object_foreach ((json_t *)pauses, target, pause) {
		const char *reason = text_of(pause, "reason");
		char age[AGE_TEXT_SIZE];

		age_of(status, pause, "since", age);
		line(s, COLOUR_BUSY, "PAUSED", "%s (by %s, %s%s%s); what ends it: mdcctl resume %s",
			target, text_of(pause, "by"), age, *reason != '\0' ? ": " : "", reason,
			str_equal(target, "*") ? "\"*\"" : target);
	}
}

static void show_unconfirmed(const struct screen *s, const json_t *unconfirmed)
{
	bool lost = json_is_true(json_object_get(unconfirmed, "state_lost"));

	if (!json_is_object(unconfirmed))
		return;
	line(s, COLOUR_BUSY, "UNCONFIRMED",
		"%s%lld subscriptions with %lld machines would newly be written to; look with "
		"mdcctl plan, allow with mdcctl confirm",
		lost ? "the stored state was lost; " : "",
		(long long)number_of(unconfirmed, "subscriptions"),
		(long long)number_of(unconfirmed, "machines"));
}

static void show_texts(const struct screen *s, enum colour c, const char *key, const json_t *texts)
{
	json_t *text;
	size_t i;

	json_array_foreach (texts, i, text)
		say_coloured(s, c, key, json_string_value(text));
}

/* "EXPIRED   exclude "lab" of scope "all": it has ended, …, in 5 d; …". */
static void show_expiry(const struct screen *s, const json_t *status, const json_t *x)
{
	bool soon = str_equal(text_of(x, "phase"), "expiring");
	bool absent = str_equal(text_of(x, "phase"), "absent");
	const char *ticket = text_of(x, "ticket");
	char ends[AGE_TEXT_SIZE], gone[AGE_TEXT_SIZE], until[AGE_TEXT_SIZE + 16] = "";

	age_of(status, x, "ends", ends);
	age_of(status, x, "absent_from", gone);
	if (!soon && !absent)
		snprintf(until, sizeof(until), ", absent %s", gone);
	line(s, soon ? COLOUR_NONE : COLOUR_BUSY, soon ? "EXPIRING" : "EXPIRED",
		"%s \"%s\" of scope \"%s\": %s (%s%s); %s%s%s answers for it: %s; what helps: %s",
		text_of(x, "kind"), text_of(x, "name"), text_of(x, "scope"), text_of(x, "sentence"),
		ends, until, text_of(x, "owner"), *ticket != '\0' ? ", " : "", ticket,
		text_of(x, "reason"), text_of(x, "unblock"));
}

static void show_expiries(const struct screen *s, const json_t *status)
{
	json_t *x;
	size_t i;

	json_array_foreach (json_object_get(status, "expiries"), i, x)
		show_expiry(s, status, x);
}

static void show_quotas(const struct screen *s, const json_t *quotas)
{
	json_t *q;
	size_t i;

	json_array_foreach (quotas, i, q) {
		double size = json_number_value(json_object_get(q, "size"));
		double level = json_number_value(json_object_get(q, "level"));
		json_int_t frozen = number_of(q, "frozen_for_s");
		const char *what = text_of(q, "subscription");

		if (*what == '\0')
			what = *text_of(q, "tenant") != '\0' ? text_of(q, "tenant")
							     : text_of(q, "provider");
		if (frozen > 0)
			line(s, COLOUR_BUSY, "THROTTLED", "%s %s of %s: Azure asked to wait %lld s",
				text_of(q, "scope"), text_of(q, "operation"), what,
				(long long)frozen);
		else if (size > 0 && level < size * QUOTA_LOW)
			line(s, COLOUR_NONE, "quota low", "%s %s of %s: %.0f of %.0f left",
				text_of(q, "scope"), text_of(q, "operation"), what, level, size);
	}
}

static void show_identities(const struct screen *s, const json_t *tokens)
{
	json_t *t;
	size_t i;

	json_array_foreach (tokens, i, t) {
		if (*text_of(t, "error") != '\0')
			line(s, COLOUR_BAD, "NO TOKEN", "identity %s: %s", text_of(t, "identity"),
				text_of(t, "error"));
		if (*text_of(t, "warning") != '\0')
			line(s, COLOUR_BUSY, "EXPIRES", "identity %s: %s", text_of(t, "identity"),
				text_of(t, "warning"));
	}
}

static void show_restart(const struct screen *s, const json_t *options)
{
	struct buf names = BUF_INIT(256);
	json_t *option;
	size_t i;

	json_array_foreach (options, i, option)
		buf_addf(&names, "%s%s", i > 0 ? ", " : "", json_string_value(option));
	if (names.len > 0)
		line(s, COLOUR_BUSY, "RESTART NEEDED",
			"for %s; until then they are as at the start", buf_str(&names));
	buf_fini(&names);
}

static void show_attention(const struct screen *s, const json_t *status)
{
	const json_t *writes = json_object_get(status, "writes");
	const json_t *client = json_object_get(status, "client");

	say_coloured(s, COLOUR_BAD, "HALTED", text_of(writes, "halted"));
	say_coloured(s, COLOUR_BAD, "NOT STORED", text_of(writes, "store"));
	show_pauses(s, status, json_object_get(writes, "paused"));
	show_unconfirmed(s, json_object_get(writes, "unconfirmed"));
	show_texts(s, COLOUR_BUSY, "INCOMPLETE", json_object_get(status, "partial"));
	show_texts(s, COLOUR_NONE, "unproven", json_object_get(status, "unproven"));
	show_identities(s, json_object_get(client, "tokens"));
	show_expiries(s, status);
	show_quotas(s, json_object_get(client, "quotas"));
	show_restart(s, json_object_get(status, "needs_restart"));
	if (json_is_true(json_object_get(status, "graph_refused")))
		say(s, "SLOW", "Resource Graph refuses; everything is listed through ARM instead");
	if (number_of(status, "journal_dropped") > 0)
		line(s, COLOUR_NONE, "journal", "%lld entries had to wait for it or were dropped",
			(long long)number_of(status, "journal_dropped"));
}

/* --- numbers by state --- */

/* What states come to in one column. */
enum column { IN_SYNC, TO_GO, IN_WORK, WAITING, PERSON, UNKNOWN, LEFT_OUT, COLUMN_N_ };
#define COLUMN_TITLES \
	">IN SYNC", ">TO GO", ">IN WORK", ">WAITING", ">NEED A PERSON", ">UNKNOWN", ">LEFT OUT"

static enum column column_of(const char *state)
{
	static const struct {
		const char *state;
		enum column column;
	} columns[] = {{"compliant", IN_SYNC}, {"drifted", TO_GO}, {"queued", IN_WORK},
		{"applying", IN_WORK}, {"settling", IN_WORK}, {"waiting", WAITING},
		{"backoff", WAITING}, {"blocked", PERSON}, {"manual", PERSON},
		{"excluded", LEFT_OUT}, {"unsupported", LEFT_OUT}, {"unreachable", LEFT_OUT}};

	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (str_equal(state, columns[i].state))
			return columns[i].column;
	return UNKNOWN;
}

struct sums {
	json_int_t n[COLUMN_N_];
	char text[COLUMN_N_][COUNT_TEXT_SIZE + 8];
};

static void add_states(struct sums *sums, const json_t *states)
{
	const char *state;
	json_t *count;

	json_object_foreach ((json_t *)states, state, count)
		sums->n[column_of(state)] += json_integer_value(count);
}

/* "1,204 (92%)": of what can be in sync; 100% only when it all is. */
static void format_sums(struct sums *sums)
{
	json_int_t possible = 0;

	for (unsigned i = 0; i < COLUMN_N_; i++) {
		count_format(sums->n[i], sums->text[i]);
		possible += i != LEFT_OUT ? sums->n[i] : 0;
		if (sums->n[i] == 0)
			str_copy(sums->text[i], sizeof(sums->text[i]), "-");
	}
	if (possible > 0) {
		char number[COUNT_TEXT_SIZE];

		count_format(sums->n[IN_SYNC], number);
		snprintf(sums->text[IN_SYNC], sizeof(sums->text[IN_SYNC]), "%s (%lld%%)", number,
			(long long)(sums->n[IN_SYNC] * 100 / possible));
	}
}

static enum colour colour_bad(const char *cell)
{
	return str_equal(cell, "-") ? COLOUR_NONE : COLOUR_BAD;
}

static void show_scopes(const struct screen *s, const json_t *scopes)
{
	static const char *const titles[] = {
		"SCOPE", "MODE", ">SUBSCRIPTIONS", ">MACHINES", COLUMN_TITLES, NULL};
	struct table *t = table_new(titles);
	json_t *scope;
	size_t i;

	table_colour(t, "NEED A PERSON", colour_bad);
	json_array_foreach (scopes, i, scope) {
		char subscriptions[COUNT_TEXT_SIZE], machines[COUNT_TEXT_SIZE];
		struct sums sums = {0};

		count_format(number_of(scope, "subscriptions"), subscriptions);
		count_format(number_of(scope, "machines"), machines);
		add_states(&sums, json_object_get(scope, "states"));
		format_sums(&sums);
		table_row(t,
			(const char *const[]){text_of(scope, "name"), text_of(scope, "mode"),
				subscriptions, machines, sums.text[IN_SYNC], sums.text[TO_GO],
				sums.text[IN_WORK], sums.text[WAITING], sums.text[PERSON],
				sums.text[UNKNOWN], sums.text[LEFT_OUT]});
	}
	table_print(t, s);
	table_free(t);
}

static void show_controls(const struct screen *s, const json_t *controls)
{
	static const char *const titles[] = {"CONTROL", COLUMN_TITLES, NULL};
	struct table *t = table_new(titles);
	json_t *control;
	size_t i;

	table_colour(t, "NEED A PERSON", colour_bad);
	json_array_foreach (controls, i, control) {
		struct sums sums = {0};

		add_states(&sums, json_object_get(control, "states"));
		format_sums(&sums);
		table_row(t,
			(const char *const[]){text_of(control, "control"), sums.text[IN_SYNC],
				sums.text[TO_GO], sums.text[IN_WORK], sums.text[WAITING],
				sums.text[PERSON], sums.text[UNKNOWN], sums.text[LEFT_OUT]});
	}
	table_print(t, s);
	table_free(t);
}

/* --- passes, operations --- */

static void show_passes(const struct screen *s, const json_t *status)
{
	static const char *const titles[] = {
		"PASS", "ENDED", ">TOOK", "DUE", ">SUBSCRIPTIONS", ">MACHINES", "PROBLEM", NULL};
	struct table *t = table_new(titles);
	json_t *pass;
	size_t i;

	json_array_foreach (json_object_get(status, "passes"), i, pass) {
		char ended[AGE_TEXT_SIZE], due[AGE_TEXT_SIZE], took[DUR_TEXT_SIZE] = "";
		char subscriptions[COUNT_TEXT_SIZE] = "", machines[COUNT_TEXT_SIZE] = "";

		age_of(status, pass, "ended", ended);
		age_of(status, pass, "due", due);
		if (*ended != '\0') {
			dur_format(DUR_MS(number_of(pass, "took_ms")), took);
			count_format(number_of(pass, "subscriptions"), subscriptions);
			count_format(number_of(pass, "machines"), machines);
		}
		table_row(t,
			(const char *const[]){text_of(pass, "pass"), ended, took, due,
				subscriptions, machines, text_of(pass, "first_problem")});
	}
	table_print(t, s);
	table_free(t);
}

static void show_devices(const struct screen *s, const json_t *status)
{
	json_t *source;
	size_t i;

	json_array_foreach (json_object_get(status, "devices"), i, source) {
		char age[AGE_TEXT_SIZE], count[COUNT_TEXT_SIZE];

		age_of(status, source, "read", age);
		count_format(number_of(source, "devices"), count);
		if (*age != '\0')
			line(s, COLOUR_NONE, "devices",
				"%s servers in the inventory of tenant %s, read %s", count,
				text_of(source, "tenant"), age);
	}
}

static void show_work(const struct screen *s, const json_t *status)
{
	const json_t *o = json_object_get(status, "operations");
	const json_t *c = json_object_get(status, "calls");

	line(s, COLOUR_NONE, "operations",
		"%lld running, %lld waiting; since the start %lld sent, %lld succeeded, %lld "
		"failed; %lld could not be sent",
		(long long)number_of(o, "running"), (long long)number_of(o, "waiting"),
		(long long)number_of(o, "sent"), (long long)number_of(o, "succeeded"),
		(long long)number_of(o, "failed"), (long long)number_of(o, "unsent"));
	line(s, COLOUR_NONE, "calls",
		"%lld reads, %lld writes, %lld Graph queries, %lld tokens; %lld throttled, %lld "
		"failed",
		(long long)number_of(c, "arm_reads"),
		(long long)(number_of(c, "arm_writes") + number_of(c, "arm_deletes")),
		(long long)number_of(c, "graph_queries"), (long long)number_of(c, "token_requests"),
		(long long)number_of(c, "throttled"), (long long)number_of(c, "failed"));
}

/* --- what to do next --- */

static bool had_problems(const json_t *status)
{
	json_t *pass;
	size_t i;

	json_array_foreach (json_object_get(status, "passes"), i, pass)
		if (number_of(pass, "problems") > 0)
			return true;
	return false;
}

static void show_next(const struct screen *s, const json_t *status)
{
	const json_t *writes = json_object_get(status, "writes");
	struct sums sums = {0};
	json_t *scope;
	size_t i;

	json_array_foreach (json_object_get(status, "scopes"), i, scope)
		add_states(&sums, json_object_get(scope, "states"));
	if (*text_of(writes, "unblock") != '\0')
		say_coloured(s, COLOUR_STRONG, "next", text_of(writes, "unblock"));
	if (json_is_object(json_object_get(writes, "unconfirmed")))
		say_coloured(s, COLOUR_STRONG, "next", "mdcctl confirm");
	if (had_problems(status))
		say(s, "next", "journalctl -u mdcd -p warning    why not everything is known");
	if (sums.n[PERSON] > 0)
		line(s, COLOUR_NONE, "next",
			"mdcctl list --state blocked,manual    %lld items need a person",
			(long long)sums.n[PERSON]);
	if (sums.n[TO_GO] > 0)
		line(s, COLOUR_NONE, "next", "mdcctl plan    %lld items are to be corrected",
			(long long)sums.n[TO_GO]);
}

int show_status(const struct screen *s, const json_t *status)
{
	show_head(s, status);
	show_attention(s, status);
	putc('\n', s->out);
	show_scopes(s, json_object_get(status, "scopes"));
	putc('\n', s->out);
	show_controls(s, json_object_get(status, "controls"));
	putc('\n', s->out);
	show_passes(s, status);
	putc('\n', s->out);
	show_devices(s, status);
	show_work(s, status);
	show_next(s, status);
	return 0;
}
