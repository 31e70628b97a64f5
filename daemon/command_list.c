/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define LIST_STANDARD 1000
#define HISTORY_STANDARD 50

/* --- items --- */

json_t *command_item(const struct item_ref *ref)
{
	const struct item *item = item_of(ref);
	const struct subscription *s = ref->subscription;

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:i}",
		"control", control_word(ref->control), "state",
		item_state_word((enum item_state)item->state), "reason",
		reason_word((enum reason)item->reason), "sentence",
		reason_sentence((enum reason)item->reason), "resource_id",
		json_plain(item_resource_id(ref)), "machine",
		json_or_null(ref->machine != NULL ? ref->machine->name : NULL), "path",
		json_or_null(ref->machine != NULL ? machine_path_word(machine_path(ref->machine))
						  : NULL),
		"connector", json_or_null(ref->connector != NULL ? ref->connector->name : NULL),
		"workspace", json_or_null(ref->workspace != NULL ? ref->workspace->name : NULL),
		"subscription", s->id, "subscription_name", json_or_null(s->name), "scope",
		json_or_null(s->scope != NULL ? s->scope->name : NULL), "detail",
		json_or_null(item->detail), "since", json_wall(item->since), "due",
		json_wall(item->due), "attempts", (int)item->attempts);
}

/* Place 0 of a subscription is itself; then come its connectors, workspaces and machines. */
struct position {
	char subscription[GUID_TEXT_SIZE];
	uint64_t place, control;
};

/*
 * A walk over all items in the order of the subscriptions' ids. Where it stopped is told as
 * "subscription:place:control": items that changed in between do not move the others.
 */
struct walk {
	const struct command_context *command;
	uint64_t states, controls;
	enum reason reason; /* REASON_N_: any */
	const struct scope_config *scope;
	const char *subscription;
	size_t limit;
	struct position from;
	json_t *rows;
	json_int_t total;
	bool counting; /* items of a reason are counted only by looking at them all */
	char next[CURSOR_SIZE];
};

static bool parse_position(const char *text, struct position *ret)
{
	char copy[CURSOR_SIZE];
	char *rest = copy, *id, *place, *control;

	if (!str_copy(copy, sizeof(copy), text))
		return false;
	id = strsep(&rest, ":");
	place = strsep(&rest, ":");
	control = strsep(&rest, ":");
	return control != NULL && rest == NULL &&
		str_copy(ret->subscription, sizeof(ret->subscription), id) &&
		str_parse_u64(place, UINT32_MAX, &ret->place) == 0 &&
		str_parse_u64(control, CONTROL_N_, &ret->control) == 0;
}

static bool read_position(struct walk *w)
{
	const char *text = command_text(w->command, "after");

	if (text == NULL || parse_position(text, &w->from))
		return true;
	command_fail(
		w->command, "usage", "mdcctl list", "\"after\" is not the \"next\" of an answer");
	return false;
}

static bool fits(const struct walk *w, const struct item_ref *ref)
{
	const struct item *item = item_of(ref);

	return item->applies && (w->states >> item->state & 1) != 0 &&
		(w->controls >> ref->control & 1) != 0 &&
		(w->reason == REASON_N_ || item->reason == w->reason);
}

static void take_item(struct walk *w, const struct item_ref *ref, uint64_t place)
{
	w->total++;
	if (*w->next != '\0')
		return;
	if (json_array_size(w->rows) < w->limit)
		json_array_append_new(w->rows, command_item(ref));
	else
		snprintf(w->next, sizeof(w->next), "%s:%llu:%d", ref->subscription->id,
			(unsigned long long)place, (int)ref->control);
}

static struct item_ref resource_at(struct subscription *s, uint64_t place)
{
	struct item_ref ref = {.subscription = s};

	if (place > s->connector_count + s->workspace_count)
		ref.machine = s->machines[place - s->connector_count - s->workspace_count - 1];
	else if (place > s->connector_count)
		ref.workspace = s->workspaces[place - s->connector_count - 1];
	else if (place > 0)
		ref.connector = s->connectors[place - 1];
	return ref;
}

static void walk_resource(struct walk *w, struct subscription *s, uint64_t place, uint64_t control)
{
	struct item_ref ref = resource_at(s, place);
	enum resource_kind kind = item_resource(&ref);

	for (unsigned c = controls_first(kind); c < controls_end(kind); c++) {
		ref.control = (enum control_id)c;
		if (c >= control && fits(w, &ref))
			take_item(w, &ref, place);
	}
}

/* By the setter's counts, whatever the reason. */
static uint64_t possible(const struct walk *w, const struct subscription *s)
{
	uint64_t n = 0;

	for (unsigned c = 0; c < CONTROL_N_; c++)
		for (unsigned state = 0; state < ITEM_STATE_N_; state++)
			if ((w->controls >> c & 1) != 0 && (w->states >> state & 1) != 0)
				n += s->states[c][state];
	return n;
}

static void walk_subscription(struct walk *w, struct subscription *s)
{
	int order = strcmp(s->id, w->from.subscription);
	uint64_t first = order == 0 ? w->from.place : 0;

	for (uint64_t place = first;
		order >= 0 && place <= s->connector_count + s->workspace_count + s->machine_count;
		place++) {
		if (*w->next != '\0' && !w->counting)
			return;
		walk_resource(w, s, place, order == 0 && place == first ? w->from.control : 0);
	}
}

static bool is_asked_for(const struct walk *w, const struct subscription *s)
{
	if (w->scope != NULL && s->scope != w->scope)
		return false;
	return w->subscription == NULL || str_equal_nocase(s->id, w->subscription) ||
		str_equal_nocase(s->name, w->subscription);
}

static void walk_all(struct walk *w)
{
	mdc_autofree struct subscription **all =
		command_subscriptions(w->command->daemon->inventory);
	bool first = !command_has(w->command, "after");
	json_int_t total = 0;

	w->counting = first && w->reason != REASON_N_;
	for (struct subscription **s = all; *s != NULL; s++) {
		uint64_t n = is_asked_for(w, *s) ? possible(w, *s) : 0;

		total += (json_int_t)n;
		if (n > 0)
			walk_subscription(w, *s);
	}
	if (!w->counting)
		w->total = total;
}

static bool read_filters(struct walk *w)
{
	const struct command_context *c = w->command;
	const char *reason = command_text(c, "reason");
	char near[96];

	if (!command_words(c, "state", state_word_of, ITEM_STATE_N_, &w->states) ||
		!command_words(c, "control", control_word_of, CONTROL_N_, &w->controls) ||
		!command_scope(c, &w->scope))
		return false;
	w->reason = reason != NULL ? reason_from_word(reason) : REASON_N_;
	if (reason == NULL || w->reason != REASON_N_)
		return true;
	did_you_mean(reason, reason_word_of, REASON_N_, near);
	command_fail(c, "usage", "mdcctl list", "no reason \"%.60s\"%s", reason, near);
	return false;
}

static bool subscription_is_known(struct walk *w)
{
	struct item_ref ref;

	if (w->subscription == NULL)
		return true;
	if (!command_target(w->command, w->subscription, &ref))
		return false;
	if (item_resource(&ref) != ON_SUBSCRIPTION)
		command_fail(w->command, "not-found", "mdcctl status",
			"\"%.200s\" is a %s, not a subscription", w->subscription,
			ref.machine != NULL             ? "machine"
				: ref.connector != NULL ? "connector"
							: "workspace");
	w->subscription = ref.subscription->id;
	return item_resource(&ref) == ON_SUBSCRIPTION;
}

json_t *command_list(const struct command_context *c)
{
	struct walk w = {
		.command = c,
		.subscription = command_text(c, "subscription"),
		.limit = command_count(c, "limit", LIST_STANDARD, PAGE_MOST),
	};
	json_t *result;

	if (!read_filters(&w) || !subscription_is_known(&w) || !read_position(&w))
		return NULL;
	w.rows = json_array();
	walk_all(&w);
	result = json_pack("{s:o, s:o}", "items", w.rows, "next", json_or_null(w.next));
	/* The first page tells how many there are in all. */
	if (!command_has(c, "after"))
		json_object_set_new(result, "total", json_integer(w.total));
	return result;
}

/* --- history --- */

json_t *command_history(const struct command_context *c)
{
	const char *target = command_text(c, "target");
	size_t limit = command_count(c, "limit", HISTORY_STANDARD, STORE_HISTORY_MAX);
	json_t *rows = NULL, *next = NULL;
	struct item_ref ref;
	int error;

	if (target != NULL && !command_target(c, target, &ref))
		return NULL;
	error = store_history(c->daemon->store, target != NULL ? item_resource_id(&ref) : NULL,
		command_count(c, "before", 0, INT64_MAX), (unsigned)limit, &rows);
	if (error != 0)
		return command_fail(
			c, "failed", "", "the history cannot be read: %s", strerror(-error));
	if (limit > 0 && json_array_size(rows) == limit)
		next = json_object_get(json_array_get(rows, limit - 1), "seq");
	return json_pack("{s:o, s:o}", "transitions", rows, "next",
		next != NULL ? json_incref(next) : json_null());
}
