/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARGUMENTS_MOST 7

struct argument {
	const char *name;
	bool number;
};

enum effect { LOOKS, CHANGES, CHANGES_AND_KEEPS /* see command_is_kept() */ };

static const struct command {
	const char *name;
	enum effect effect;
	command_fn run;
	struct argument arguments[ARGUMENTS_MOST];
} commands[] = {
	{"status", LOOKS, command_status, {{0}}},
	{"plan", LOOKS, command_plan, {{"scope"}, {"limit", true}, {"offset", true}}},
	{"explain", LOOKS, command_explain, {{"target"}}},
	{"list", LOOKS, command_list,
		{{"state"}, {"control"}, {"reason"}, {"scope"}, {"subscription"}, {"limit", true},
			{"after"}}},
	{"gaps", LOOKS, command_gaps, {{"kind"}, {"scope"}, {"limit", true}, {"after"}}},
	{"cost", LOOKS, command_cost, {{"by"}, {"kind"}, {"scope"}, {"limit", true}, {"after"}}},
	{"history", LOOKS, command_history, {{"target"}, {"before", true}, {"limit", true}}},
	{"config", LOOKS, command_config, {{0}}},
	{"preflight", LOOKS, command_preflight, {{"run", true}}},
	{"reconcile", CHANGES, command_reconcile, {{"target"}}},
	{"pause", CHANGES_AND_KEEPS, command_pause, {{"target"}, {"reason"}}},
	{"resume", CHANGES_AND_KEEPS, command_resume, {{"target"}}},
	{"halt", CHANGES, command_halt, {{"reason"}}},
	{"unhalt", CHANGES, command_unhalt, {{0}}},
	{"confirm", CHANGES_AND_KEEPS, command_confirm, {{"token"}}},
	{"reload", CHANGES, command_reload, {{0}}},
};

static const char *command_word_of(unsigned n)
{
	return commands[n].name;
}

/* Cut between characters, so that it stays valid in JSON. */
static void cut(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
		len--;
	if (len > 0 && ((unsigned char)text[len - 1] & 0x80) != 0)
		len--;
	text[len] = '\0';
}

json_t *command_fail(const struct command_context *c, const char *code, const char *unblock,
	const char *format, ...)
{
	struct command_error *e = c->error;
	va_list args;

	e->code = code;
	str_copy(e->unblock, sizeof(e->unblock), unblock != NULL ? unblock : "");
	va_start(args, format);
	if (vsnprintf(e->message, sizeof(e->message), format, args) >= (int)sizeof(e->message))
		cut(e->message);
	va_end(args);
	return NULL;
}

/* --- arguments --- */

bool command_has(const struct command_context *c, const char *name)
{
	return json_object_get(c->arguments, name) != NULL;
}

const char *command_text(const struct command_context *c, const char *name)
{
	return json_string_value(json_object_get(c->arguments, name));
}

uint64_t command_count(
	const struct command_context *c, const char *name, uint64_t standard, uint64_t most)
{
	uint64_t n = standard;

	if (command_has(c, name))
		n = (uint64_t)json_integer_value(json_object_get(c->arguments, name));
	return n < most ? n : most;
}

static const struct argument *argument_of(const struct command *command, const char *name)
{
	for (size_t i = 0; i < ARGUMENTS_MOST; i++)
		if (str_equal(command->arguments[i].name, name))
			return &command->arguments[i];
	return NULL;
}

/*
 * An argument that is there must say something: `reconcile ""`, from a script with an empty
 * variable, is not `reconcile`.
 */
static bool argument_is_good(const struct argument *a, const json_t *value)
{
	if (a->number)
		return json_is_integer(value) && json_integer_value(value) >= 0;
	return json_is_string(value) && json_string_length(value) > 0;
}

static bool arguments_are_good(const struct command_context *c, const struct command *command)
{
	const char *name;
	json_t *value;

	if (c->arguments != NULL && !json_is_object(c->arguments)) {
		command_fail(c, "usage", "mdcctl --help", "the arguments are not an object");
		return false;
	}
	json_object_foreach ((json_t *)c->arguments, name, value) {
		const struct argument *a = argument_of(command, name);

		if (a == NULL)
			command_fail(c, "usage", "mdcctl --help", "%s takes no \"%.60s\"",
				command->name, name);
		else if (!argument_is_good(a, value))
			command_fail(c, "usage", "mdcctl --help", "%s wants %s for \"%s\"",
				command->name, a->number ? "a number" : "a text that is not empty",
				name);
		else
			continue;
		return false;
	}
	return true;
}

/* --- values --- */

json_t *json_wall(struct wall t)
{
	char text[WALL_TEXT_SIZE];

	if (!wall_is_set(t) || t.ms == WALL_NEVER.ms)
		return json_null();
	wall_format(t, text);
	return json_string(text);
}

json_t *json_plain(const char *text)
{
	json_t *value = json_string(text != NULL ? text : "");

	if (value == NULL) {
		size_t len = strlen(text);
		struct buf escaped = BUF_INIT(len * 4 + 1);

		str_escape(&escaped, text, len);
		value = json_string(buf_str(&escaped));
		buf_fini(&escaped);
	}
	return value;
}

json_t *json_or_null(const char *text)
{
	return str_empty(text) ? json_null() : json_plain(text);
}

/* --- running --- */

/* Who told it to do what, before it is done; what came of it is in entries of its own. */
static void tell_journal(const struct command_context *c, const struct command *command)
{
	const char *target = command_text(c, "target"), *reason = command_text(c, "reason");
	struct log_entry *e = log_begin(c->daemon->world->log, LOG_COMMAND_MESSAGE);

	log_add(e, "MDCD_WHO", c->caller->name);
	log_add(e, "MDCD_COMMAND", command->name);
	log_add(e, "MDCD_TARGET", target);
	log_commit(e, 0, "%s: %s%s%s%s%s", c->caller->name, command->name,
		target != NULL ? " " : "", target != NULL ? target : "", reason != NULL ? ": " : "",
		reason != NULL ? reason : "");
}

static json_t *run(const struct command_context *c, const struct command *command)
{
	bool changes = command->effect != LOOKS;
	json_t *result;

	if (!c->caller->may_read || (changes && !c->caller->may_change))
		return command_fail(c, "denied",
			changes ? "sudo usermod --append --groups mdcd-admin USER"
				: "sudo usermod --append --groups mdcd USER",
			"%s may not %s: not a member of the group %s", c->caller->name,
			command->name, changes ? "mdcd-admin" : "mdcd or mdcd-admin");
	if (!arguments_are_good(c, command))
		return NULL;
	if (changes)
		tell_journal(c, command);
	result = command->run(c);
	if (changes)
		daemon_update_status(c->daemon);
	/* Ages are counted from here, whatever the clock of the one who asks says. */
	if (result != NULL)
		json_object_set_new(result, "now", json_wall(loop_wall(c->daemon->world->loop)));
	return result;
}

bool command_is_kept(const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_equal(command, commands[i].name))
			return commands[i].effect == CHANGES_AND_KEEPS;
	return false;
}

json_t *command_run(struct daemon *d, const struct command_caller *caller, const char *command,
	const json_t *arguments, struct command_error *error)
{
	struct command_context c = {
		.daemon = d, .caller = caller, .arguments = arguments, .error = error};
	char near[96];

	*error = (struct command_error){.code = "failed"};
	if (str_empty(command))
		return command_fail(&c, "usage", "mdcctl --help", "the request names no command");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_equal(command, commands[i].name))
			return run(&c, &commands[i]);
	did_you_mean(command, command_word_of, ARRAY_LEN(commands), near);
	return command_fail(
		&c, "usage", "mdcctl --help", "unknown command \"%.60s\"%s", command, near);
}
