/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include <string.h>

#define LIST_STANDARD 1000
#define LIST_MOST 1000000
#define HISTORY_STANDARD 50
#define HISTORY_MOST 10000

/* --- walking the items --- */

typedef void (*item_fn)(void *ctx, const struct item_ref *ref);

static void each_item_of(struct subscription *s, struct machine *m, item_fn fn, void *ctx)
{
	unsigned first = m != NULL ? SUBSCRIPTION_CONTROLS : 0;
	unsigned last = m != NULL ? CONTROL_N_ : SUBSCRIPTION_CONTROLS;

	for (unsigned c = first; c < last; c++) {
		struct item_ref ref = {
			.subscription = s, .machine = m, .control = (enum control_id)c};

		if (item_of(&ref)->applies)
			fn(ctx, &ref);
	}
}

static void each_item(const struct inventory *inv, item_fn fn, void *ctx)
{
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		each_item_of(s, NULL, fn, ctx);
		for (uint32_t i = 0; i < s->machine_count; i++)
			each_item_of(s, s->machines[i], fn, ctx);
	}
}

/* --- status --- */

static json_t *states_of(const uint64_t counts[static ITEM_STATE_N_])
{
	json_t *states = json_object();

	for (unsigned s = 0; s < ITEM_STATE_N_; s++)
		if (counts[s] > 0)
			json_object_set_new(states, item_state_word((enum item_state)s),
				json_integer((json_int_t)counts[s]));
	return states;
}

static json_t *status_controls(const struct reconciler_counts *counts)
{
	json_t *list = json_array();

	for (unsigned c = 0; c < CONTROL_N_; c++)
		json_array_append_new(list,
			json_pack("{s:s, s:o}", "control", control_word((enum control_id)c),
				"states", states_of(counts->by_control[c])));
	return list;
}

static void count_item(void *ctx, const struct item_ref *ref)
{
	((uint64_t *)ctx)[item_of(ref)->state]++;
}

static json_t *status_scope(const struct daemon *d, const struct scope_config *scope)
{
	uint64_t counts[ITEM_STATE_N_] = {0};
	struct map_entry *entry;
	json_int_t subscriptions = 0, machines = 0;

	map_for_each (&d->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		if (s->scope != scope)
			continue;
		subscriptions++;
		machines += s->machine_count;
		each_item_of(s, NULL, count_item, counts);
		for (uint32_t i = 0; i < s->machine_count; i++)
			each_item_of(s, s->machines[i], count_item, counts);
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "name", scope->name, "mode",
		scope->mode == MODE_ENFORCE ? "enforce" : "observe", "policy", scope->policy->name,
		"identity", scope->identity->name, "subscriptions", subscriptions, "machines",
		machines, "states", states_of(counts));
}

static json_t *status_scopes(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->config->scope_count; i++)
		json_array_append_new(list, status_scope(d, &d->config->scopes[i]));
	return list;
}

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

static json_t *status_confirmation(const struct daemon *d)
{
	const struct reach_growth *growth;

	if (!gate_needs_confirmation(d->gate, &growth))
		return json_null();
	return json_pack("{s:b, s:I, s:I, s:b}", "state_lost", gate_state_is_lost(d->gate),
		"subscriptions", (json_int_t)growth->subscriptions, "machines",
		(json_int_t)growth->machines, "first_enforce", growth->first_enforce);
}

static json_t *status_writes(const struct daemon *d)
{
	return json_pack("{s:o, s:O, s:o, s:o}", "halted", json_or_null(gate_halt_reason(d->gate)),
		"paused", (json_t *)gate_pauses(d->gate), "unconfirmed", status_confirmation(d),
		"store",
		store_healthy(d->store) ? json_null() : json_or_null(store_trouble(d->store)));
}

static json_t *status_operations(const struct daemon *d)
{
	struct executor_counts n;

	executor_counts(d->executor, &n);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "running",
		(json_int_t)executor_running(d->executor), "waiting",
		(json_int_t)executor_waiting(d->executor), "sent", (json_int_t)n.sent, "succeeded",
		(json_int_t)n.succeeded, "failed", (json_int_t)n.failed, "withheld",
		(json_int_t)n.withheld, "refused_by_rule", (json_int_t)n.refused_by_rule);
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

json_t *command_status(const struct command_context *c)
{
	const struct daemon *d = c->daemon;
	struct reconciler_counts counts;
	json_t *status;

	reconciler_count(d->reconciler, &counts);
	status = json_pack("{s:s, s:o, s:s, s:s, s:o, s:b}", "version", MDC_VERSION, "started",
		json_wall(d->started), "config", d->options.config_path, "config_digest",
		d->config_digest, "configured", json_wall(d->configured), "stopping", d->stopping);
	json_object_set_new(status, "writes", status_writes(d));
	json_object_set_new(status, "scopes", status_scopes(d));
	json_object_set_new(status, "controls", status_controls(&counts));
	json_object_set_new(status, "passes", status_passes(d));
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

/* --- list --- */

json_t *command_item(const struct daemon *d, const struct item_ref *ref)
{
	const struct item *item = item_of(ref);
	const struct subscription *s = ref->subscription;
	bool on_machine = ref->machine != NULL;

	(void)d;
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:i}", "control",
		control_word(ref->control), "state", item_state_word((enum item_state)item->state),
		"reason", reason_word((enum reason)item->reason), "sentence",
		reason_sentence((enum reason)item->reason), "resource_id", item_resource_id(ref),
		"machine", json_or_null(on_machine ? ref->machine->name : NULL), "subscription",
		s->id, "scope", json_or_null(s->scope != NULL ? s->scope->name : NULL), "detail",
		json_or_null(item->detail), "since", json_wall(item->since), "due",
		json_wall(item->due), "attempts", (int)item->attempts);
}

struct list_filter {
	const struct command_context *command;
	enum item_state state;
	enum control_id control;
	const char *scope, *subscription;
	unsigned limit;
	json_t *rows;
	json_int_t total;
};

static bool fits(const struct list_filter *f, const struct item_ref *ref)
{
	const struct item *item = item_of(ref);
	const struct subscription *s = ref->subscription;

	if (f->state != ITEM_STATE_N_ && item->state != f->state)
		return false;
	if (f->control != CONTROL_N_ && ref->control != f->control)
		return false;
	if (f->scope != NULL && (s->scope == NULL || !str_equal_nocase(s->scope->name, f->scope)))
		return false;
	return f->subscription == NULL || str_equal_nocase(s->id, f->subscription) ||
		str_equal_nocase(s->name, f->subscription);
}

static void list_item(void *ctx, const struct item_ref *ref)
{
	struct list_filter *f = ctx;

	if (!fits(f, ref))
		return;
	f->total++;
	if (json_array_size(f->rows) < f->limit)
		json_array_append_new(f->rows, command_item(f->command->daemon, ref));
}

json_t *command_list(const struct command_context *c)
{
	const char *state = command_text(c, "state"), *control = command_text(c, "control");
	struct list_filter f = {
		.command = c,
		.state = state != NULL ? item_state_from_word(state) : ITEM_STATE_N_,
		.control = control != NULL ? control_from_word(control) : CONTROL_N_,
		.scope = command_text(c, "scope"),
		.subscription = command_text(c, "subscription"),
		.limit = command_count(c, "limit", LIST_STANDARD, LIST_MOST),
	};

	if (state != NULL && f.state == ITEM_STATE_N_)
		return command_fail(c, "usage", "mdcctl --help", "no state \"%.40s\"", state);
	if (control != NULL && f.control == CONTROL_N_)
		return command_fail(c, "usage", "mdcctl --help", "no control \"%.40s\"", control);
	f.rows = json_array();
	each_item(c->daemon->inventory, list_item, &f);
	return json_pack("{s:o, s:I}", "items", f.rows, "total", f.total);
}

/* --- history --- */

json_t *command_history(const struct command_context *c)
{
	const char *target = command_text(c, "target");
	struct item_ref ref;
	json_t *rows = NULL;
	int error;

	if (target != NULL && !command_target(c, target, &ref))
		return NULL;
	error = store_history(c->daemon->store, target != NULL ? item_resource_id(&ref) : NULL,
		command_count(c, "before", 0, UINT32_MAX),
		command_count(c, "limit", HISTORY_STANDARD, HISTORY_MOST), &rows);
	if (error != 0)
		return command_fail(
			c, "failed", NULL, "the history cannot be read: %s", strerror(-error));
	return json_pack("{s:o}", "transitions", rows);
}

json_t *command_config(const struct command_context *c)
{
	const struct daemon *d = c->daemon;

	return json_pack("{s:s, s:s, s:o, s:s}", "path", d->options.config_path, "digest",
		d->config_digest, "loaded", json_wall(d->configured), "text", d->config->canonical);
}
