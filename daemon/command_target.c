/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

#include "lib/base/xalloc.h"
#include "lib/model/near_miss.h"

#include <stdio.h>
#include <string.h>

/* Resources that share a name and are told apart in a refusal. */
#define CANDIDATES_SHOWN 5
#define NAME_MOST 200

/* --- words --- */

const char *state_word_of(unsigned n)
{
	return item_state_word((enum item_state)n);
}

const char *control_word_of(unsigned n)
{
	return control_word((enum control_id)n);
}

const char *reason_word_of(unsigned n)
{
	return reason_word((enum reason)n);
}

void did_you_mean(const char *written, word_fn word, unsigned count, char ret[static 96])
{
	struct near_miss near;

	near_miss_begin(&near, written);
	for (unsigned n = 0; n < count; n++)
		near_miss_offer(&near, word(n), strlen(word(n)));
	*ret = '\0';
	if (near.best != NULL)
		snprintf(ret, 96, " (did you mean \"%.*s\"?)", (int)near.best_len, near.best);
}

static bool add_word(const struct command_context *c, const char *name, const char *written,
	word_fn word, unsigned count, uint64_t *mask)
{
	char near[96];

	for (unsigned n = 0; n < count; n++)
		if (str_equal_nocase(word(n), written)) {
			*mask |= UINT64_C(1) << n;
			return true;
		}
	did_you_mean(written, word, count, near);
	command_fail(c, "usage", "mdcctl --help", "no %s \"%.60s\"%s", name, written, near);
	return false;
}

bool command_words(const struct command_context *c, const char *name, word_fn word, unsigned count,
	uint64_t *ret)
{
	const char *text = command_text(c, name);
	mdc_autofree char *copy = text != NULL ? xstrdup(text) : NULL;
	char *rest = copy, *one;
	uint64_t mask = 0;

	assert(count <= 64);
	while (rest != NULL && (one = strsep(&rest, ",")) != NULL)
		if (!add_word(c, name, one, word, count, &mask))
			return false;
	*ret = text != NULL ? mask : UINT64_MAX;
	return true;
}

/* --- scopes --- */

static bool scope_not_found(const struct command_context *c, const char *name)
{
	const struct config *config = c->daemon->config;
	struct near_miss near;

	near_miss_begin(&near, name);
	for (size_t i = 0; i < config->scope_count; i++)
		near_miss_offer(&near, config->scopes[i].name, strlen(config->scopes[i].name));
	if (near.best != NULL)
		command_fail(c, "not-found", "mdcctl status",
			"no scope \"%.100s\" (did you mean \"%.*s\"?)", name, (int)near.best_len,
			near.best);
	else
		command_fail(c, "not-found", "mdcctl status",
			"the configuration has no scope \"%.100s\"", name);
	return false;
}

bool command_scope(const struct command_context *c, const struct scope_config **ret)
{
	const struct config *config = c->daemon->config;
	const char *name = command_text(c, "scope");

	*ret = NULL;
	if (name == NULL)
		return true;
	for (size_t i = 0; i < config->scope_count; i++)
		if (str_equal_nocase(config->scopes[i].name, name))
			*ret = &config->scopes[i];
	return *ret != NULL || scope_not_found(c, name);
}

/* --- where a page stopped --- */

static bool parse_cursor(
	const char *text, bool (*is_place)(const char *from), struct command_cursor *ret)
{
	char copy[CURSOR_SIZE];
	char *colon = str_copy(copy, sizeof(copy), text) ? strchr(copy, ':') : NULL;

	if (colon == NULL)
		return false;
	*colon = '\0';
	return str_copy(ret->from, sizeof(ret->from), copy) && is_place(ret->from) &&
		str_parse_u64(colon + 1, UINT32_MAX, &ret->place) == 0;
}

bool command_cursor(const struct command_context *c, const char *command,
	bool (*is_place)(const char *from), struct command_cursor *ret)
{
	const char *text = command_text(c, "after");

	*ret = (struct command_cursor){0};
	if (text == NULL || parse_cursor(text, is_place, ret))
		return true;
	command_fail(c, "usage", command, "\"after\" is not the \"next\" of an answer");
	return false;
}

/* --- resources --- */

static int compare_subscriptions(const void *left, const void *right)
{
	const struct subscription *const *a = left, *const *b = right;

	return strcmp((*a)->id, (*b)->id);
}

struct subscription **command_subscriptions(const struct inventory *inv)
{
	size_t count = map_count(&inv->subscriptions), n = 0;
	struct subscription **list = xcalloc(count + 1, sizeof(*list));
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry)
		list[n++] = entry->value;
	qsort(list, n, sizeof(*list), compare_subscriptions);
	return list;
}

/* What bears a name: the last one, how many, and the ids of the first few. */
struct bearers {
	const char *name;
	struct subscription *subscription;
	struct connector *connector;
	struct workspace *workspace;
	struct machine *machine;
	size_t count;
	struct buf ids;
};

static void add_bearer(struct bearers *b, const char *name, const struct item_ref *ref)
{
	if (!str_equal_nocase(name, b->name))
		return;
	b->subscription = ref->subscription;
	b->machine = ref->machine;
	b->connector = ref->connector;
	b->workspace = ref->workspace;
	if (b->count++ < CANDIDATES_SHOWN)
		buf_addf(&b->ids, "\n  %s", item_resource_id(ref));
}

static void find_machines(struct bearers *b, const struct inventory *inv)
{
	struct map_entry *entry;

	map_for_each (&inv->machines, entry) {
		struct machine *m = entry->value;

		add_bearer(b, m->name,
			&(struct item_ref){.subscription = m->subscription, .machine = m});
	}
}

static void find_connectors(struct bearers *b, const struct inventory *inv)
{
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		for (size_t i = 0; i < s->connector_count; i++)
			add_bearer(b, s->connectors[i]->name,
				&(struct item_ref){
					.subscription = s, .connector = s->connectors[i]});
	}
}

static void find_workspaces(struct bearers *b, const struct inventory *inv)
{
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		for (size_t i = 0; i < s->workspace_count; i++)
			add_bearer(b, s->workspaces[i]->name,
				&(struct item_ref){
					.subscription = s, .workspace = s->workspaces[i]});
	}
}

static void find_subscriptions(struct bearers *b, const struct inventory *inv)
{
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		add_bearer(b, s->name, &(struct item_ref){.subscription = s});
	}
}

/* Ids of what is written stand for what it is written for: logs tell both. */
static void find_by_id(const struct inventory *inv, const struct arm_id *id, struct bearers *ret)
{
	mdc_autofree char *parent = arm_id_parent(id);

	ret->machine = inventory_machine(inv, parent != NULL ? parent : id->text);
	ret->connector = inventory_connector(inv, id->text);
	ret->workspace = inventory_workspace(inv, id->text);
	if (ret->machine == NULL &&
		(id->kind == ARM_KIND_SUBSCRIPTION || id->kind == ARM_KIND_PRICING ||
			id->kind == ARM_KIND_SETTING))
		ret->subscription = inventory_subscription(inv, id->subscription);
}

static bool target_by_id(const struct inventory *inv, const char *text, struct item_ref *ret)
{
	struct bearers found = {.subscription = inventory_subscription(inv, text)};
	struct arm_id id;

	if (found.subscription == NULL && arm_id_parse(text, &id) == 0) {
		find_by_id(inv, &id, &found);
		arm_id_fini(&id);
	}
	if (found.machine != NULL)
		found.subscription = found.machine->subscription;
	if (found.connector != NULL)
		found.subscription = found.connector->subscription;
	if (found.workspace != NULL)
		found.subscription = found.workspace->subscription;
	if (found.subscription == NULL)
		return false;
	*ret = (struct item_ref){.subscription = found.subscription,
		.machine = found.machine,
		.connector = found.connector,
		.workspace = found.workspace,
		.control = CONTROL_N_};
	return true;
}

static bool target_by_name(const struct command_context *c, struct bearers *b, struct item_ref *ret)
{
	find_machines(b, c->daemon->inventory);
	if (b->count == 0)
		find_connectors(b, c->daemon->inventory);
	if (b->count == 0)
		find_workspaces(b, c->daemon->inventory);
	if (b->count == 0)
		find_subscriptions(b, c->daemon->inventory);
	if (b->count > 1) {
		command_fail(c, "ambiguous", "give one of these ids",
			"%zu %s are called \"%.*s\":%s%s", b->count,
			b->machine != NULL             ? "machines"
				: b->connector != NULL ? "connectors"
				: b->workspace != NULL ? "workspaces"
						       : "subscriptions",
			NAME_MOST, b->name, buf_str(&b->ids),
			b->count > CANDIDATES_SHOWN ? "\n  ..." : "");
		return false;
	}
	if (b->count == 0) {
		command_fail(c, "not-found", "mdcctl list",
			"no machine, connector, workspace or subscription \"%.*s\" has been "
			"observed",
			NAME_MOST, b->name);
		return false;
	}
	*ret = (struct item_ref){.subscription = b->subscription,
		.machine = b->machine,
		.connector = b->connector,
		.workspace = b->workspace,
		.control = CONTROL_N_};
	return true;
}

bool command_target(const struct command_context *c, const char *text, struct item_ref *ret)
{
	struct bearers bearers = {.name = text, .ids = BUF_INIT(CANDIDATES_SHOWN * 4096)};
	bool found;

	if (text == NULL) {
		command_fail(c, "usage", "mdcctl --help", "name a machine or a subscription");
		return false;
	}
	found = target_by_id(c->daemon->inventory, text, ret) || target_by_name(c, &bearers, ret);
	buf_fini(&bearers.ids);
	return found;
}
