/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include "daemon/digest.h"
#include "lib/base/xalloc.h"
#include "lib/model/expiry.h"

/* Subscriptions that a confirmation names one by one. */
#define UNCONFIRMED_SHOWN 100

/* --- numbers by state --- */

static json_t *states_of(const uint64_t counts[static ITEM_STATE_N_])
{
	json_t *states = json_object();

	for (unsigned s = 0; s < ITEM_STATE_N_; s++)
		if (counts[s] > 0)
			json_object_set_new(states, item_state_word((enum item_state)s),
				json_integer((json_int_t)counts[s]));
	return states;
}

static json_t *controls_of(const struct reconciler_counts *counts)
{
	json_t *list = json_array();

	for (unsigned c = 0; c < CONTROL_N_; c++)
		json_array_append_new(list,
			json_pack("{s:s, s:o}", "control", control_word((enum control_id)c),
				"states", states_of(counts->by_control[c])));
	return list;
}

static json_t *status_scope(const struct daemon *d, const struct scope_config *scope)
{
	struct reconciler_counts counts = {0};
	json_int_t subscriptions = 0, machines = 0;
	struct map_entry *entry;

	map_for_each (&d->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (s->scope != scope)
			continue;
		subscriptions++;
		machines += s->machine_count;
		reconciler_count_subscription(s, &counts);
	}
	return json_pack("{s:o, s:s, s:o, s:o, s:I, s:I, s:o, s:o}", "name",
		json_plain(scope->name), "mode",
		scope->mode == MODE_ENFORCE ? "enforce" : "observe", "policy",
		json_plain(scope->policy->name), "identity", json_plain(scope->identity->name),
		"subscriptions", subscriptions, "machines", machines, "states",
		states_of(counts.by_state), "controls", controls_of(&counts));
}

static json_t *status_scopes(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->config->scope_count; i++)
		json_array_append_new(list, status_scope(d, &d->config->scopes[i]));
	return list;
}

/* --- passes, operations, calls --- */

static json_t *status_pass(const struct daemon *d, enum pass_kind kind)
{
	const struct pass_report *r = &d->last_pass[kind];

	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "pass", pass_kind_word(kind),
		"ended", json_wall(r->ended), "took_ms",
		(json_int_t)wall_since(r->ended, r->started).ms, "subscriptions",
		(json_int_t)r->subscriptions, "machines", (json_int_t)r->machines, "problems",
		(json_int_t)r->problems, "first_problem", json_or_null(r->first_problem), "due",
		json_wall(scheduler_due(d->scheduler, kind)));
}

static json_t *status_passes(const struct daemon *d)
{
	json_t *list = json_array();

	for (unsigned k = 0; k < PASS_KIND_N_; k++)
		json_array_append_new(list, status_pass(d, (enum pass_kind)k));
	return list;
}

static json_t *status_operations(const struct daemon *d)
{
	struct executor_counts n;

	executor_counts(d->executor, &n);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "running",
		(json_int_t)executor_running(d->executor), "waiting",
		(json_int_t)executor_waiting(d->executor), "sent", (json_int_t)n.sent, "succeeded",
		(json_int_t)n.succeeded, "failed", (json_int_t)n.failed, "unsent",
		(json_int_t)n.unsent, "withheld", (json_int_t)n.withheld, "refused_by_rule",
		(json_int_t)n.refused_by_rule);
}

static json_t *status_calls(const struct daemon *d)
{
	struct arm_client_counts n;

	arm_client_counts(d->client, &n);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "arm_reads",
		(json_int_t)n.arm_reads, "arm_writes", (json_int_t)n.arm_writes, "arm_deletes",
		(json_int_t)n.arm_deletes, "graph_queries", (json_int_t)n.graph_queries,
		"token_requests", (json_int_t)n.token_requests, "throttled",
		(json_int_t)n.throttled, "failed", (json_int_t)n.failed);
}

/* --- exclusions and grants that end --- */

static json_t *status_expiries(const struct daemon *d)
{
	struct wall now = loop_wall(d->world->loop);
	json_t *list = json_array();
	struct expired x;
	size_t at = 0;

	while (expiry_next(d->config, now, &at, &x))
		json_array_append_new(list,
			json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o}", "kind",
				x.kind, "name", json_plain(x.name), "scope", json_plain(x.scope),
				"owner", json_or_null(x.owner), "ticket", json_or_null(x.ticket),
				"reason", json_or_null(x.reason), "phase", expiry_word(x.phase),
				"sentence", expiry_sentence(x.phase), "unblock",
				expiry_helps(x.phase), "ends", json_wall(x.expired), "absent_from",
				json_wall(x.until)));
	return list;
}

/* --- what may be written --- */

/* Stands for what would be confirmed: where, under which configuration, after which loss. */
static void unconfirmed_token(
	const struct daemon *d, const struct reach_growth *growth, char ret[static SHA256_HEX_SIZE])
{
	struct subscription **all = command_subscriptions(d->inventory);
	struct buf text = BUF_INIT(16 << 20);

	buf_addf(&text, "%s %d\n", d->config_digest, gate_state_is_lost(d->gate));
	for (struct subscription **s = all; *s != NULL; s++)
		if (map_has(&growth->unconfirmed, (*s)->id))
			buf_addf(&text, "%s\n", (*s)->id);
	sha256_hex(buf_str(&text), text.len, ret);
	buf_fini(&text);
	free(all);
}

static json_t *unconfirmed_list(const struct daemon *d, const struct reach_growth *growth)
{
	struct subscription **all = command_subscriptions(d->inventory);
	json_t *list = json_array();

	for (struct subscription **at = all; *at != NULL; at++) {
		const struct subscription *s = *at;

		if (!map_has(&growth->unconfirmed, s->id) ||
			json_array_size(list) == UNCONFIRMED_SHOWN)
			continue;
		json_array_append_new(list,
			json_pack("{s:s, s:o, s:o, s:I}", "subscription", s->id, "name",
				json_or_null(s->name), "scope",
				json_or_null(s->scope != NULL ? s->scope->name : NULL), "machines",
				(json_int_t)s->machine_count));
	}
	free(all);
	return list;
}

json_t *command_unconfirmed(const struct daemon *d)
{
	const struct reach_growth *growth;
	char token[SHA256_HEX_SIZE];

	if (!gate_needs_confirmation(d->gate, &growth))
		return json_null();
	unconfirmed_token(d, growth, token);
	return json_pack("{s:b, s:I, s:I, s:b, s:s, s:o}", "state_lost",
		gate_state_is_lost(d->gate), "subscriptions", (json_int_t)growth->subscriptions,
		"machines", (json_int_t)growth->machines, "first_enforce", growth->first_enforce,
		"token", token, "list", unconfirmed_list(d, growth));
}

static bool enforces(const struct config *c)
{
	for (size_t i = 0; i < c->scope_count; i++)
		if (c->scopes[i].mode == MODE_ENFORCE)
			return true;
	return false;
}

/* The first thing that holds all writes, and the command that ends it. */
static const char *writes_held(const struct daemon *d, const char **ret_unblock)
{
	*ret_unblock = "";
	if (d->stopping)
		return "the daemon is stopping";
	if (gate_is_halted(d->gate)) {
		*ret_unblock = "mdcctl unhalt";
		return "all writes are halted";
	}
	if (!store_healthy(d->store))
		return "the state cannot be stored";
	if (gate_is_paused(d->gate, NULL, NULL)) {
		*ret_unblock = "mdcctl resume \"*\"";
		return "everything is paused";
	}
	if (gate_state_is_lost(d->gate)) {
		*ret_unblock = "mdcctl confirm";
		return "the stored state was lost";
	}
	if (!enforces(d->config))
		return "no scope has mode = enforce";
	if (!wall_is_set(d->last_pass[PASS_MACHINES].ended))
		return "the estate has not been observed yet";
	return NULL;
}

static json_t *status_writes(const struct daemon *d)
{
	const char *unblock, *held = writes_held(d, &unblock);

	return json_pack("{s:b, s:o, s:o, s:o, s:O, s:o, s:o}", "allowed", held == NULL, "why_not",
		json_or_null(held), "unblock", json_or_null(unblock), "halted",
		json_or_null(gate_halt_reason(d->gate)), "paused", (json_t *)gate_pauses(d->gate),
		"unconfirmed", command_unconfirmed(d), "store",
		store_healthy(d->store) ? json_null() : json_or_null(store_trouble(d->store)));
}

/* --- status, config --- */

static json_t *restart_options(const struct daemon *d)
{
	json_t *list = json_array();
	const char *names[DAEMON_FIXED_N_];
	size_t n = daemon_restart_options(d, names);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

json_t *command_status(const struct command_context *c)
{
	const struct daemon *d = c->daemon;
	struct reconciler_counts counts;
	json_t *status;

	reconciler_count(d->reconciler, &counts);
	status = json_pack("{s:s, s:o, s:o, s:s, s:o, s:b, s:o}", "version", MDC_VERSION, "started",
		json_wall(d->started), "config", json_plain(d->options.config_path),
		"config_digest", d->config_digest, "configured", json_wall(d->configured),
		"stopping", d->stopping, "needs_restart", restart_options(d));
	json_object_set_new(status, "writes", status_writes(d));
	json_object_set_new(status, "partial", command_partial(d, NULL));
	json_object_set_new(status, "devices", command_devices(d));
	json_object_set_new(status, "unproven", command_unproven(d));
	json_object_set_new(status, "expiries", status_expiries(d));
	json_object_set_new(status, "scopes", status_scopes(d));
	json_object_set_new(status, "controls", controls_of(&counts));
	json_object_set_new(status, "passes", status_passes(d));
	json_object_set_new(status, "observing", json_boolean(observer_is_busy(d->observer)));
	json_object_set_new(status, "operations", status_operations(d));
	json_object_set_new(status, "calls", status_calls(d));
	json_object_set_new(status, "client", arm_client_report(d->client));
	json_object_set_new(
		status, "graph_refused", json_boolean(observer_graph_is_refused(d->observer)));
	json_object_set_new(status, "transitions", json_integer((json_int_t)counts.transitions));
	json_object_set_new(
		status, "journal_dropped", json_integer((json_int_t)log_dropped(d->world->log)));
	return status;
}

json_t *command_config(const struct command_context *c)
{
	const struct daemon *d = c->daemon;

	return json_pack("{s:o, s:s, s:o, s:o}", "path", json_plain(d->options.config_path),
		"digest", d->config_digest, "loaded", json_wall(d->configured), "text",
		json_plain(d->config->canonical));
}
