/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name;
	bool changes;
	command_fn run;
	const char *arguments; /* names, each between blanks */
} commands[] = {
	{"status", false, command_status, " "},
	{"plan", false, command_plan, " scope limit "},
	{"explain", false, command_explain, " target "},
	{"list", false, command_list, " state control scope subscription limit "},
	{"history", false, command_history, " target before limit "},
	{"config", false, command_config, " "},
	{"reconcile", true, command_reconcile, " target "},
	{"pause", true, command_pause, " target reason "},
	{"resume", true, command_resume, " target "},
	{"halt", true, command_halt, " reason "},
	{"unhalt", true, command_unhalt, " "},
	{"confirm", true, command_confirm, " "},
	{"reload", true, command_reload, " "},
};

json_t *command_fail(const struct command_context *c, const char *code, const char *unblock,
	const char *format, ...)
{
	va_list args;

	c->error->code = code;
	str_copy(c->error->unblock, sizeof(c->error->unblock), unblock != NULL ? unblock : "");
	va_start(args, format);
	vsnprintf(c->error->message, sizeof(c->error->message), format, args);
	va_end(args);
	return NULL;
}

const char *command_text(const struct command_context *c, const char *name)
{
	const char *text = json_string_value(json_object_get(c->arguments, name));

	return str_empty(text) ? NULL : text;
}

unsigned command_count(
	const struct command_context *c, const char *name, unsigned standard, unsigned most)
{
	const json_t *value = json_object_get(c->arguments, name);

	if (!json_is_integer(value) || json_integer_value(value) <= 0)
		return standard;
	return json_integer_value(value) > most ? most : (unsigned)json_integer_value(value);
}

json_t *json_wall(struct wall t)
{
	char text[WALL_TEXT_SIZE];

	if (!wall_is_set(t) || t.ms == WALL_NEVER.ms)
		return json_null();
	wall_format(t, text);
	return json_string(text);
}

json_t *json_or_null(const char *text)
{
	return str_empty(text) ? json_null() : json_string(text);
}

/* --- what an argument names --- */

static struct subscription *subscription_by_name(const struct inventory *inv, const char *text)
{
	struct subscription *s = inventory_subscription(inv, text);
	struct map_entry *entry;

	if (s != NULL)
		return s;
	map_for_each (&inv->subscriptions, entry) {
		s = entry->value;
		if (str_equal_nocase(s->name, text))
			return s;
	}
	return NULL;
}

static size_t machines_by_name(const struct inventory *inv, const char *name, struct machine **ret)
{
	struct map_entry *entry;
	size_t n = 0;

	map_for_each (&inv->machines, entry) {
		struct machine *m = entry->value;

		if (!str_equal_nocase(m->name, name))
			continue;
		*ret = m;
		n++;
	}
	return n;
}

static bool target_by_id(const struct inventory *inv, const char *text, struct item_ref *ret)
{
	struct machine *m = inventory_machine(inv, text);
	struct subscription *s = NULL;
	struct arm_id id;

	if (m == NULL && arm_id_parse(text, &id) == 0) {
		if (id.kind == ARM_KIND_SUBSCRIPTION)
			s = inventory_subscription(inv, id.subscription);
		arm_id_fini(&id);
	}
	if (m == NULL && s == NULL)
		return false;
	*ret = (struct item_ref){.subscription = m != NULL ? m->subscription : s,
		.machine = m,
		.control = CONTROL_N_};
	return true;
}

bool command_target(const struct command_context *c, const char *text, struct item_ref *ret)
{
	const struct inventory *inv = c->daemon->inventory;
	struct machine *m = NULL;
	struct subscription *s;
	size_t n;

	if (text == NULL) {
		command_fail(c, "usage", NULL, "name a machine or a subscription");
		return false;
	}
	if (target_by_id(inv, text, ret))
		return true;
	n = machines_by_name(inv, text, &m);
	s = n == 0 ? subscription_by_name(inv, text) : NULL;
	if (n > 1) {
		command_fail(c, "ambiguous", "mdcctl list",
			"%zu machines are called \"%.100s\": give the resource id", n, text);
		return false;
	}
	if (n == 0 && s == NULL) {
		command_fail(c, "not-found", "mdcctl list",
			"no machine or subscription \"%.200s\" has been observed", text);
		return false;
	}
	*ret = (struct item_ref){.subscription = m != NULL ? m->subscription : s,
		.machine = m,
		.control = CONTROL_N_};
	return true;
}

/* --- running --- */

static bool arguments_are_known(const struct command_context *c, const char *known)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)c->arguments, name, value) {
		char padded[64];

		snprintf(padded, sizeof(padded), " %.60s ", name);
		if (!str_contains_nocase(known, padded)) {
			command_fail(
				c, "usage", "mdcctl --help", "unknown argument \"%.60s\"", name);
			return false;
		}
	}
	return true;
}

json_t *command_run(struct daemon *d, const struct command_caller *caller, const char *command,
	const json_t *arguments, struct command_error *error)
{
	struct command_context c = {
		.daemon = d, .caller = caller, .arguments = arguments, .error = error};

	*error = (struct command_error){.code = "failed"};
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!str_equal(command, commands[i].name))
			continue;
		if (!caller->may_read || (commands[i].changes && !caller->may_change))
			return command_fail(&c, "denied",
				commands[i].changes ? "become a member of the group mdcd-admin"
						    : "become a member of the group mdcd",
				"%s may not %s", caller->name, commands[i].name);
		if (!arguments_are_known(&c, commands[i].arguments))
			return NULL;
		return commands[i].run(&c);
	}
	return command_fail(&c, "usage", "mdcctl --help", "unknown command \"%.60s\"",
		command != NULL ? command : "");
}
