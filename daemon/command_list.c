/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define LIST_STANDARD 1000
#define HISTORY_STANDARD 50
#define CURSOR_SIZE 64

/* --- items --- */

json_t *command_item(const struct item_ref *ref)
{
	const struct item *item = item_of(ref);
	const struct subscription *s = ref->subscription;

	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:i}",
		"control", control_word(ref->control), "state",
		item_state_word((enum item_state)item->state), "reason",
		reason_word((enum reason)item->reason), "sentence",
		reason_sentence((enum reason)item->reason), "resource_id",
		json_plain(item_resource_id(ref)), "machine",
		json_or_null(ref->machine != NULL ? ref->machine->name : NULL), "subscription",
		s->id, "subscription_name", json_or_null(s->name), "scope",
		json_or_null(s->scope != NULL ? s->scope->name : NULL), "detail",
		json_or_null(item->detail), "since", json_wall(item->since), "due",
		json_wall(item->due), "attempts", (int)item->attempts);
}

/*
 * A walk over all items in the order of the subscriptions' ids. Where it stopped is told as
 * "subscription place": items that changed in between do not move the others.
 */
struct walk {
	const struct command_context *command;
	uint64_t states, controls;
	enum reason reason; /* REASON_N_: any */
	const struct scope_config *scope;
	const char *subscription;
	size_t limit;
	json_t *rows;
	json_int_t total;
	bool counting; /* the first page tells how many there are */
	char next[CURSOR_SIZE];
};

/* Place 0 is the subscription itself, n its machine n - 1. */
static bool read_cursor(struct walk *w, char ret_id[static CURSOR_SIZE], uint64_t *ret_place)
{
	const char *text = command_text(w->command, "after");
	const char *blank = text != NULL ? strchr(text, ' ') : NULL;

	*ret_id = '\0';
	*ret_place = 0;
	if (text == NULL)
		return true;
	if (blank == NULL || blank - text >= CURSOR_SIZE ||
		str_parse_u64(blank + 1, UINT32_MAX, ret_place) != 0) {
		command_fail(w->command, "usage", "mdcctl list",
			"\"after\" is not the \"next\" of an answer");
		return false;
	}
	memcpy(ret_id, text, (size_t)(blank - text));
	ret_id[blank - text] = '\0';
	return true;
}

static bool fits(const struct walk *w, const struct item_ref *ref)
{
	const struct item *item = item_of(ref);

	return item->applies && (w->states >> item->state & 1) != 0 &&
		(w->controls >> ref->control & 1) != 0 &&
		(w->reason == REASON_N_ || item->reason == w->reason);
}

static void walk_resource(struct walk *w, struct subscription *s, struct machine *m)
{
	unsigned first = m != NULL ? SUBSCRIPTION_CONTROLS : 0;
	unsigned last = m != NULL ? CONTROL_N_ : SUBSCRIPTION_CONTROLS;

	for (unsigned c = first; c < last; c++) {
		struct item_ref ref = {
			.subscription = s, .machine = m, .control = (enum control_id)c};

		if (!fits(w, &ref))
			continue;
		w->total++;
		if (*w->next == '\0')
			json_array_append_new(w->rows, command_item(&ref));
	}
}

/* Resources are not torn apart: a page may hold a few rows more than its limit. */
static void walk_subscription(struct walk *w, struct subscription *s, uint64_t place)
{
	for (; place <= s->machine_count; place++) {
		struct machine *m = place > 0 ? s->machines[place - 1] : NULL;

		if (*w->next == '\0' && json_array_size(w->rows) >= w->limit)
			snprintf(w->next, sizeof(w->next), "%s %llu", s->id,
				(unsigned long long)place);
		if (*w->next != '\0' && !w->counting)
			return;
		walk_resource(w, s, m);
	}
}

static bool is_asked_for(const struct walk *w, const struct subscription *s)
{
	if (w->scope != NULL && s->scope != w->scope)
		return false;
	return w->subscription == NULL || str_equal_nocase(s->id, w->subscription) ||
		str_equal_nocase(s->name, w->subscription);
}

static bool walk_all(struct walk *w)
{
	mdc_autofree struct subscription **all =
		command_subscriptions(w->command->daemon->inventory);
	char id[CURSOR_SIZE];
	uint64_t place;

	if (!read_cursor(w, id, &place))
		return false;
	w->counting = *id == '\0';
	for (struct subscription **s = all; *s != NULL; s++) {
		int order = strcmp((*s)->id, id);

		if (order >= 0 && is_asked_for(w, *s))
			walk_subscription(w, *s, order == 0 ? place : 0);
	}
	return true;
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
	if (ref.machine != NULL)
		command_fail(w->command, "not-found", "mdcctl status",
			"\"%.200s\" is a machine, not a subscription", w->subscription);
	w->subscription = ref.subscription->id;
	return ref.machine == NULL;
}

json_t *command_list(const struct command_context *c)
{
	struct walk w = {
		.command = c,
		.subscription = command_text(c, "subscription"),
		.limit = command_count(c, "limit", LIST_STANDARD, PAGE_MOST),
	};
	json_t *result;

	if (!read_filters(&w) || !subscription_is_known(&w))
		return NULL;
	w.rows = json_array();
	if (!walk_all(&w)) {
		json_decref(w.rows);
		return NULL;
	}
	result = json_pack("{s:o, s:o}", "items", w.rows, "next", json_or_null(w.next));
	if (w.counting)
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
