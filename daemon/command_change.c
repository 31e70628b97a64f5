/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include <string.h>

static json_t *done(const char *text)
{
	return json_pack("{s:s}", "done", text);
}

/* --- reconcile --- */

json_t *command_reconcile(const struct command_context *c)
{
	struct daemon *d = c->daemon;
	const char *target = command_text(c, "target");
	struct item_ref ref;

	if (target == NULL) {
		/* Only looks: what is held for a reason, such as a conflict, is freed one by one.
		 */
		scheduler_now(d->scheduler, PASS_SUBSCRIPTIONS);
		scheduler_now(d->scheduler, PASS_MACHINES);
		return done("everything is observed anew");
	}
	if (!command_target(c, target, &ref))
		return NULL;
	if (item_resource(&ref) == ON_SUBSCRIPTION)
		tenants_accept(d->tenants, ref.subscription);
	reconciler_force(d->reconciler, &ref);
	return done("observed anew; its graces, backoffs and conflicts are over");
}

/* --- pause, resume --- */

/* A scope by name, "*", or the id of what the name means. */
static const char *pause_target(const struct command_context *c, const char *text)
{
	const struct config *config = c->daemon->config;
	struct item_ref ref;

	if (text == NULL) {
		command_fail(c, "usage", "mdcctl --help",
			"name a scope, a subscription or a machine, or \"*\" for everything");
		return NULL;
	}
	if (str_equal(text, "*"))
		return text;
	for (size_t i = 0; i < config->scope_count; i++)
		if (str_equal_nocase(config->scopes[i].name, text))
			return config->scopes[i].name;
	return command_target(c, text, &ref) ? item_resource_id(&ref) : NULL;
}

json_t *command_pause(const struct command_context *c)
{
	struct daemon *d = c->daemon;
	const char *target = pause_target(c, command_text(c, "target"));

	if (target == NULL)
		return NULL;
	gate_pause(d->gate, target, c->caller->name, command_text(c, "reason"));
	/* What is queued is planned anew, and held then. */
	executor_withdraw_all(d->executor, REASON_PAUSED);
	reconciler_plan_soon(d->reconciler);
	return done("paused; what already runs in Azure goes on");
}

/* As it is listed, first: what was paused may be gone since, or have lost its name. */
static bool is_listed(const struct gate *g, const char *text)
{
	const char *target;
	json_t *value;

	json_object_foreach ((json_t *)gate_pauses(g), target, value)
		if (str_equal_nocase(target, text))
			return true;
	return false;
}

json_t *command_resume(const struct command_context *c)
{
	struct daemon *d = c->daemon;
	const char *text = command_text(c, "target"), *target = text;

	if (text == NULL || !is_listed(d->gate, text))
		target = pause_target(c, text);
	if (target == NULL)
		return NULL;
	if (gate_resume(d->gate, target, c->caller->name) != 0)
		return command_fail(c, "not-found", "mdcctl status", "\"%.200s\" is not paused%s",
			text, gate_is_paused(d->gate, NULL, NULL) ? ", but everything is" : "");
	reconciler_plan_soon(d->reconciler);
	return done("resumed");
}

/* --- halt, unhalt, confirm --- */

json_t *command_halt(const struct command_context *c)
{
	struct daemon *d = c->daemon;
	int error = gate_halt(d->gate, c->caller->name, command_text(c, "reason"));

	executor_withdraw_all(d->executor, REASON_HALTED);
	if (error != 0)
		return command_fail(c, "failed", "mdcctl halt",
			"all writes are halted, but the marker file could not be written (%s): a "
			"restart would lift the halt",
			strerror(-error));
	return done("all writes are halted; what already runs in Azure goes on");
}

json_t *command_unhalt(const struct command_context *c)
{
	struct daemon *d = c->daemon;
	int error;

	if (!gate_is_halted(d->gate))
		return done("writes were not halted");
	error = gate_unhalt(d->gate, c->caller->name);
	if (error != 0)
		return command_fail(c, "failed", "mdcctl unhalt",
			"still halted: the marker file could not be removed: %s", strerror(-error));
	reconciler_plan_soon(d->reconciler);
	return done("the halt is lifted");
}

/* With a token only what it stands for is confirmed, as `status` showed it. */
json_t *command_confirm(const struct command_context *c)
{
	struct daemon *d = c->daemon;
	json_t *waits = command_unconfirmed(d);
	const char *token = command_text(c, "token");
	bool nothing = json_is_null(waits);
	bool same = token == NULL ||
		str_equal(token, json_string_value(json_object_get(waits, "token")));

	json_decref(waits);
	if (nothing)
		return done("nothing waits for confirmation");
	if (!same)
		return command_fail(c, "changed", "mdcctl confirm",
			"what waits for confirmation has changed in the meantime: look again");
	gate_confirm(d->gate, c->caller->name);
	reconciler_plan_soon(d->reconciler);
	return done("confirmed");
}

/* --- reload --- */

json_t *command_reload(const struct command_context *c)
{
	struct buf text = BUF_INIT(1 << 20);
	struct reload_result result;
	json_t *answer;
	int error;

	if (c->daemon->stopping)
		return command_fail(c, "failed", "", "the daemon is stopping");
	error = daemon_reload(c->daemon, &result);
	diags_render(&result.diags, &text);
	if (error != 0)
		answer = command_fail(c, "failed", "mdcd --check",
			"not reloaded, the previous configuration stays in force:\n%s",
			buf_str(&text));
	else
		answer = json_pack("{s:s, s:o, s:o, s:b}", "done", "reloaded", "changes",
			json_plain(buf_str(&result.changes)), "warnings",
			json_plain(buf_str(&text)), "needs_restart", result.needs_restart);
	buf_fini(&text);
	reload_result_fini(&result);
	return answer;
}
