/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/inventory_internal.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* Management groups are at most seven deep. */
#define GROUP_COUNT_MAX 32
/* Calls wait up to ten minutes for quota, and some more on the wire. What is older than that
 * against a known fact did not cross it: the clock was set. */
#define ANSWERS_CROSS_WITHIN DUR_MIN(15)
/* A later Graph costs one read of the resource: nothing is written without that. */
#define GRAPH_LAG DUR_MIN(2)

static const char *const setting_names[] = {
	[SETTING_WDATP] = "WDATP",
	[SETTING_UNIFIED] = "WDATP_UNIFIED_SOLUTION",
	[SETTING_EXCLUDE_LINUX] = "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW",
};

const char *setting_name(enum setting_id s)
{
	return s < SETTING_N_ ? setting_names[s] : "";
}

enum setting_id setting_from_name(const char *name)
{
	for (unsigned s = 0; s < SETTING_N_; s++)
		if (str_equal_nocase(name, setting_names[s]))
			return (enum setting_id)s;
	return SETTING_N_;
}

bool setting_protects_on(enum setting_id s)
{
	return s != SETTING_EXCLUDE_LINUX;
}

/* --- life --- */

static void machine_free(void *machine)
{
	struct machine *m = machine;

	free((char *)m->id);
	free(m->sensor);
	free(m);
}

static void groups_free(struct subscription *s)
{
	for (size_t i = 0; i < s->management_group_count; i++)
		free(s->management_groups[i]);
	free(s->management_groups);
	s->management_groups = NULL;
	s->management_group_count = 0;
}

static void subscription_free(void *subscription)
{
	struct subscription *s = subscription;

	groups_free(s);
	assigned_policies_fini(&s->policies);
	policy_exemptions_fini(&s->exemptions);
	for (size_t i = 0; i < s->connector_count; i++)
		connector_free(s->connectors[i]);
	free(s->connectors);
	for (size_t i = 0; i < s->workspace_count; i++)
		workspace_free(s->workspaces[i]);
	free(s->workspaces);
	free(s->uses);
	free(s->machines);
	for (unsigned i = 0; i < UNREAD_N_; i++)
		free(s->unread[i].why);
	free(s->name);
	free(s);
}

struct inventory *inventory_new(void)
{
	struct inventory *inv = xcalloc(1, sizeof(*inv));

	intern_init(&inv->texts);
	map_init(&inv->subscriptions, subscription_free);
	map_init(&inv->machines, machine_free);
	inv->graph_lag = GRAPH_LAG;
	return inv;
}

struct inventory *inventory_free(struct inventory *inv)
{
	if (inv == NULL)
		return NULL;
	map_fini(&inv->machines);
	map_fini(&inv->subscriptions);
	intern_fini(&inv->texts);
	free(inv);
	return NULL;
}

bool subscription_has_moved(const struct subscription *s)
{
	return *s->home != '\0' && *s->tenant != '\0' && !str_equal_nocase(s->home, s->tenant);
}

struct subscription *inventory_subscription(const struct inventory *inv, const char *id)
{
	return map_get(&inv->subscriptions, id);
}

struct subscription *inventory_subscription_of(const struct inventory *inv, const char *resource_id)
{
	char id[GUID_TEXT_SIZE];

	return arm_id_subscription(resource_id, id) ? inventory_subscription(inv, id) : NULL;
}

int inventory_place(const struct inventory *inv, const char *resource_id, struct arm_id *ret_id,
	struct subscription **ret)
{
	struct subscription *s;
	struct arm_id id;

	if (arm_id_parse(resource_id, &id) != 0)
		return -EINVAL;
	s = inventory_subscription(inv, id.subscription);
	if (s == NULL) {
		arm_id_fini(&id);
		return -ENOENT;
	}
	*ret_id = id;
	*ret = s;
	return 0;
}

void items_init(struct item *items, size_t count, unsigned first)
{
	for (size_t i = 0; i < count; i++)
		items[i] = (struct item){
			.control = (uint8_t)(first + i), .due = WALL_NEVER, .detail = ""};
}

struct subscription *inventory_add_subscription(struct inventory *inv, const char *id)
{
	struct subscription *s = inventory_subscription(inv, id);

	if (s != NULL || map_count(&inv->subscriptions) >= INVENTORY_SUBSCRIPTIONS_MAX)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->inventory = inv;
	str_copy(s->id, sizeof(s->id), id);
	str_fold(s->id);
	s->name = xstrdup("");
	s->pricing.tier = s->pricing.sub_plan = s->pricing.failure = "";
	s->managed_by = s->pricing.coverage = s->pricing.replaced_by = "";
	for (unsigned i = 0; i < SINGLE_N_; i++)
		s->singles[i].word = "";
	list_init(&s->judging);
	items_init(s->items, ARRAY_LEN(s->items), 0);
	map_set(&inv->subscriptions, s->id, s);
	return s;
}

struct machine *inventory_machine(const struct inventory *inv, const char *id)
{
	return map_get(&inv->machines, id);
}

/* --- setting a fact and noticing that it changed --- */

void inventory_set_text(struct inventory *inv, const char **fact, const char *text, bool *changed)
{
	if (!str_equal_nocase(*fact, text != NULL ? text : ""))
		*changed = true;
	intern_set(&inv->texts, fact, text);
}

bool stamp_has_crossed(struct stamp known, struct stamp fresh)
{
	return known.source != SOURCE_NONE && wall_before(fresh.at, known.at) &&
		wall_since(known.at, fresh.at).ms < ANSWERS_CROSS_WITHIN.ms;
}

bool stamp_may_lag(const struct inventory *inv, struct stamp known, struct stamp fresh)
{
	return known.source == SOURCE_ARM && fresh.source == SOURCE_GRAPH &&
		wall_since(fresh.at, known.at).ms < inv->graph_lag.ms;
}

bool stamp_is_ahead(bool ahead, struct stamp stamp, bool changed)
{
	return stamp.source == SOURCE_ARM && (ahead || changed);
}

static enum subscription_state state_of(const char *word)
{
	if (str_equal_nocase(word, "Enabled"))
		return SUBSCRIPTION_ENABLED;
	if (str_equal_nocase(word, "Warned") || str_equal_nocase(word, "PastDue"))
		return SUBSCRIPTION_WARNED;
	if (str_equal_nocase(word, "Disabled") || str_equal_nocase(word, "Deleted"))
		return SUBSCRIPTION_DISABLED;
	return SUBSCRIPTION_STATE_UNKNOWN;
}

void inventory_set_management_groups(struct subscription *s, const json_t *groups)
{
	size_t i;
	json_t *group;

	groups_free(s);
	s->groups_known = true;
	s->management_groups = xcalloc(GROUP_COUNT_MAX, sizeof(char *));
	json_array_foreach (groups, i, group) {
		const char *name = json_text(group, "name");

		if (name != NULL && s->management_group_count < GROUP_COUNT_MAX)
			s->management_groups[s->management_group_count++] = xstrdup(name);
	}
}

/* Of more than these a person has to say which is meant. */
#define MANAGING_TENANTS_MAX 256

static void set_managed_by(struct inventory *inv, struct subscription *s, const json_t *tenants)
{
	struct buf text = BUF_INIT(MANAGING_TENANTS_MAX * (GUID_TEXT_SIZE + 1));
	bool changed = false;
	size_t i;
	json_t *tenant;

	json_array_foreach (tenants, i, tenant) {
		const char *id = json_text(tenant, "tenantId");

		if (i < MANAGING_TENANTS_MAX && str_is_guid(id))
			buf_addf(&text, "%s%s", text.len > 0 ? " " : "", id);
	}
	inventory_set_text(inv, &s->managed_by, buf_str(&text), &changed);
	buf_fini(&text);
}

void inventory_set_subscription(struct inventory *inv, struct subscription *s,
	const struct arm_subscription *facts, struct stamp stamp, bool *ret_changed)
{
	enum subscription_state state = state_of(facts->state);

	*ret_changed = state != s->state ||
		(facts->tenant != NULL && !str_equal_nocase(s->tenant, facts->tenant));
	s->state = state;
	s->stamp = stamp;
	if (facts->name != NULL) {
		free(s->name);
		s->name = xstrdup(facts->name);
	}
	if (facts->tenant != NULL)
		str_copy(s->tenant, sizeof(s->tenant), facts->tenant);
	if (facts->managed_by != NULL)
		set_managed_by(inv, s, facts->managed_by);
	if (facts->management_groups != NULL)
		inventory_set_management_groups(s, facts->management_groups);
}

static void set_plan_extensions(
	struct subscription *s, const struct arm_pricing *facts, bool *changed)
{
	for (unsigned i = 0; i < PLAN_EXTENSION_N_; i++) {
		enum plan_extension e = (enum plan_extension)i;
		enum tri on = arm_pricing_extension(facts, plan_extension_name(e));
		bool ready = arm_pricing_extension_ready(facts, e);

		*changed =
			*changed || s->pricing.extensions[e] != on || s->pricing.ready[e] != ready;
		s->pricing.extensions[e] = on;
		s->pricing.ready[e] = ready;
	}
}

static void set_replaced_by(struct inventory *inv, struct subscription *s,
	const struct arm_pricing *facts, bool *changed)
{
	struct buf names = BUF_INIT(512);
	size_t i;
	json_t *name;

	json_array_foreach (facts->replaced_by, i, name)
		if (facts->deprecated && json_is_string(name))
			buf_addf(&names, "%s%.100s", names.len > 0 ? ", " : "",
				json_string_value(name));
	if (facts->deprecated && names.len == 0)
		buf_adds(&names, "nothing");
	inventory_set_text(inv, &s->pricing.replaced_by, buf_str(&names), changed);
	buf_fini(&names);
}

void inventory_set_pricing(struct inventory *inv, struct subscription *s,
	const struct arm_pricing *facts, struct stamp stamp, bool *ret_changed)
{
	const char *name, *message;
	struct buf failure = BUF_INIT(1024);

	*ret_changed = false;
	if (stamp_has_crossed(s->pricing.stamp, stamp) ||
		(s->pricing.ahead && stamp_may_lag(inv, s->pricing.stamp, stamp)))
		return;
	*ret_changed =
		s->pricing.stamp.source == SOURCE_NONE || s->pricing.enforce != facts->enforce;
	inventory_set_text(inv, &s->pricing.tier, facts->tier, ret_changed);
	inventory_set_text(inv, &s->pricing.sub_plan, facts->sub_plan, ret_changed);
	if (arm_pricing_failure(facts, &name, &message))
		buf_addf(&failure, "%.80s: %.800s", name, message);
	inventory_set_text(inv, &s->pricing.failure, buf_str(&failure), ret_changed);
	buf_fini(&failure);
	inventory_set_text(inv, &s->pricing.coverage, facts->coverage, ret_changed);
	set_plan_extensions(s, facts, ret_changed);
	set_replaced_by(inv, s, facts, ret_changed);
	s->pricing.enforce = facts->enforce;
	s->pricing.enabled_at = facts->enabled_at;
	s->pricing.stamp = stamp;
	s->pricing.ahead = stamp_is_ahead(s->pricing.ahead, stamp, *ret_changed);
}

static void set_setting(struct subscription *s, enum setting_id setting, enum tri enabled,
	struct stamp stamp, bool *ret_changed)
{
	struct setting_facts *facts = &s->settings[setting];

	if (stamp_has_crossed(facts->stamp, stamp))
		return;
	facts->stamp = stamp;
	if (enabled != TRI_UNKNOWN)
		facts->not_offered = WALL_UNSET;
	if (facts->enabled == enabled)
		return;
	*ret_changed = true;
	facts->enabled = enabled;
	/* What was so when first seen may have been so for long. */
	if (s->settings_stamp.source != SOURCE_NONE)
		facts->changed = stamp.at;
}

void inventory_set_setting(struct inventory *inv, struct subscription *s, enum setting_id setting,
	enum tri enabled, struct stamp stamp, bool *ret_changed)
{
	(void)inv;
	*ret_changed = false;
	set_setting(s, setting, enabled, stamp, ret_changed);
}

void inventory_settings_complete(struct inventory *inv, struct subscription *s,
	const bool listed[static SETTING_N_], struct stamp stamp)
{
	bool changed;

	(void)inv;
	for (unsigned i = 0; i < SETTING_N_; i++) {
		struct setting_facts *facts = &s->settings[i];
		bool read_singly = facts->enabled != TRI_UNKNOWN && !facts->listed;

		if (!listed[i] && !read_singly)
			set_setting(s, (enum setting_id)i, TRI_UNKNOWN, stamp, &changed);
		facts->listed = listed[i];
	}
	s->settings_stamp = stamp;
}

void inventory_setting_not_offered(
	struct inventory *inv, struct subscription *s, enum setting_id setting, struct stamp stamp)
{
	(void)inv;
	s->settings[setting].not_offered = stamp.at;
	s->settings[setting].stamp = stamp;
}

void inventory_set_single(struct inventory *inv, struct subscription *s, enum single_id id,
	const char *word, struct stamp stamp, bool *ret_changed)
{
	struct single_facts *facts = &s->singles[id];

	*ret_changed = false;
	if (stamp_has_crossed(facts->stamp, stamp))
		return;
	*ret_changed = facts->stamp.source == SOURCE_NONE;
	inventory_set_text(inv, &facts->word, word, ret_changed);
	if (*ret_changed)
		facts->changed = stamp.at;
	facts->stamp = stamp;
	facts->asked = stamp.at;
}

struct item *inventory_item(struct subscription *s, struct machine *m, enum control_id control)
{
	if (m != NULL) {
		assert(control_resource(control) == ON_MACHINE && control < CONTROL_N_);
		return &m->items[control - FIRST_MACHINE_CONTROL];
	}
	assert(control_resource(control) == ON_SUBSCRIPTION);
	return &s->items[control];
}

struct item *connector_item(struct connector *c, enum control_id control)
{
	assert(control_resource(control) == ON_CONNECTOR);
	return &c->items[control - FIRST_CONNECTOR_CONTROL];
}

struct item *workspace_item(struct workspace *w, enum control_id control)
{
	assert(control_resource(control) == ON_WORKSPACE);
	return &w->items[control - FIRST_WORKSPACE_CONTROL];
}
