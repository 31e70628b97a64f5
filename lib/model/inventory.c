/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/inventory.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define MESSAGE_MAX 400
/* Azure allows 50 tags of 512 + 256 characters. */
#define TAG_COUNT_MAX 64
#define TAGS_MAX 65536
/* Management groups are at most seven deep. */
#define GROUP_COUNT_MAX 32
/* A handful of machines may come and go at any time without being a sign of lost access. */
#define DROP_ALWAYS_ALLOWED 3
/* Lists that were complete and short for that long are the truth. */
#define DROP_BELIEVED_AFTER DUR_H(24)
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

/* --- life --- */

static void machine_free(void *machine)
{
	struct machine *m = machine;

	free((char *)m->id);
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
	free(s->machines);
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

struct subscription *inventory_subscription(const struct inventory *inv, const char *id)
{
	return map_get(&inv->subscriptions, id);
}

static void items_init(struct item *items, size_t count, unsigned first)
{
	for (size_t i = 0; i < count; i++)
		items[i] = (struct item){
			.control = (uint8_t)(first + i), .due = WALL_NEVER, .detail = ""};
}

struct subscription *inventory_add_subscription(struct inventory *inv, const char *id)
{
	struct subscription *s = inventory_subscription(inv, id);

	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	str_copy(s->id, sizeof(s->id), id);
	str_fold(s->id);
	s->name = xstrdup("");
	s->pricing.tier = s->pricing.sub_plan = s->pricing.failure = "";
	items_init(s->items, SUBSCRIPTION_CONTROLS, 0);
	map_set(&inv->subscriptions, s->id, s);
	return s;
}

struct machine *inventory_machine(const struct inventory *inv, const char *id)
{
	return map_get(&inv->machines, id);
}

/* --- setting a fact and noticing that it changed --- */

static void set_text(struct inventory *inv, const char **fact, const char *text, bool *changed)
{
	if (!str_equal_nocase(*fact, text != NULL ? text : ""))
		*changed = true;
	intern_set(&inv->texts, fact, text);
}

/* Graph may still show what ARM has just told otherwise. */
static bool may_lag(const struct inventory *inv, struct stamp known, struct stamp fresh)
{
	return known.source == SOURCE_ARM && fresh.source == SOURCE_GRAPH &&
		wall_since(fresh.at, known.at).ms < inv->graph_lag.ms;
}

/* ARM told something new: Graph may not know it yet. What ARM only confirms, Graph knows. */
static bool is_ahead(bool ahead, struct stamp stamp, bool changed)
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

static void set_groups(struct subscription *s, const json_t *groups)
{
	size_t i;
	json_t *group;

	if (groups == NULL)
		return;
	groups_free(s);
	s->management_groups = xcalloc(GROUP_COUNT_MAX, sizeof(char *));
	json_array_foreach (groups, i, group) {
		const char *name = json_text(group, "name");

		if (name != NULL && s->management_group_count < GROUP_COUNT_MAX)
			s->management_groups[s->management_group_count++] = xstrdup(name);
	}
}

void inventory_set_subscription(struct inventory *inv, struct subscription *s,
	const struct arm_subscription *facts, struct stamp stamp, bool *ret_changed)
{
	enum subscription_state state = state_of(facts->state);

	(void)inv;
	*ret_changed = state != s->state;
	s->state = state;
	s->stamp = stamp;
	if (facts->name != NULL) {
		free(s->name);
		s->name = xstrdup(facts->name);
	}
	if (facts->tenant != NULL)
		str_copy(s->tenant, sizeof(s->tenant), facts->tenant);
	set_groups(s, facts->management_groups);
}

void inventory_set_pricing(struct inventory *inv, struct subscription *s,
	const struct arm_pricing *facts, struct stamp stamp, bool *ret_changed)
{
	const char *name, *message;
	struct buf failure = BUF_INIT(1024);

	*ret_changed = false;
	if (s->pricing.ahead && may_lag(inv, s->pricing.stamp, stamp))
		return;
	*ret_changed =
		s->pricing.stamp.source == SOURCE_NONE || s->pricing.enforce != facts->enforce;
	set_text(inv, &s->pricing.tier, facts->tier, ret_changed);
	set_text(inv, &s->pricing.sub_plan, facts->sub_plan, ret_changed);
	if (arm_pricing_failure(facts, &name, &message))
		buf_addf(&failure, "%.80s: %.800s", name, message);
	set_text(inv, &s->pricing.failure, buf_str(&failure), ret_changed);
	buf_fini(&failure);
	s->pricing.enforce = facts->enforce;
	s->pricing.enabled_at = facts->enabled_at;
	s->pricing.stamp = stamp;
	s->pricing.ahead = is_ahead(s->pricing.ahead, stamp, *ret_changed);
}

static void set_setting(struct subscription *s, enum setting_id setting, enum tri enabled,
	struct stamp stamp, bool *ret_changed)
{
	struct setting_facts *facts = &s->settings[setting];

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

/* --- machines --- */

static int compare_tags(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One line of the tags' text. What would end a line early is a blank. */
static char *tag_line(const char *key, const json_t *value)
{
	char *line = xasprintf("%s=%s", key, json_is_string(value) ? json_string_value(value) : "");
	bool in_name = true;

	for (char *p = line; *p != '\0'; p++) {
		in_name = in_name && *p != '=';
		if ((unsigned char)*p < 0x20)
			*p = ' ';
		else if (in_name)
			*p = str_lower(*p);
	}
	return line;
}

/* "name=value\n…", names lower case, sorted, so that equal tags are one interned text. */
static bool render_tags(const json_t *tags, struct buf *ret)
{
	char *lines[TAG_COUNT_MAX];
	size_t n = 0;
	const char *key;
	json_t *value;

	if (json_object_size(tags) > TAG_COUNT_MAX)
		return false;
	json_object_foreach ((json_t *)tags, key, value)
		lines[n++] = tag_line(key, value);
	qsort(lines, n, sizeof(*lines), compare_tags);
	for (size_t i = 0; i < n; i++) {
		buf_addf(ret, "%s\n", lines[i]);
		free(lines[i]);
	}
	return !buf_failed(ret);
}

static void set_tags(
	struct inventory *inv, struct machine *m, const json_t *tags, bool *ret_changed)
{
	struct buf text = BUF_INIT(TAGS_MAX);
	bool known = render_tags(tags, &text);
	const char *fresh = known ? buf_str(&text) : "";

	if (m->tags_unknown == known || !str_equal(m->tags, fresh))
		*ret_changed = true;
	m->tags_unknown = !known;
	intern_set(&inv->texts, &m->tags, fresh);
	buf_fini(&text);
}

static void subscription_take_machine(struct subscription *s, struct machine *m)
{
	if (s->machine_count == s->machine_room) {
		s->machine_room = s->machine_room == 0 ? 8 : s->machine_room * 2;
		s->machines = xreallocarray(s->machines, s->machine_room, sizeof(*s->machines));
	}
	m->place = s->machine_count;
	s->machines[s->machine_count++] = m;
	s->os_count[m->os]++;
}

static struct machine *machine_new(
	struct inventory *inv, struct subscription *s, const struct arm_id *id)
{
	struct machine *m = xcalloc(1, sizeof(*m));

	m->id = xstrdup(id->text);
	m->name = strrchr(m->id, '/') + 1;
	m->group = intern_take(&inv->texts, id->group);
	m->subscription = s;
	m->location = m->status = m->os_sku = m->os_type = m->agent_version = m->cloud = m->tags =
		"";
	m->mde.name = m->mde.version = m->mde.state = m->mde.code = m->mde.message = "";
	m->legacy = m->mde;
	items_init(m->items, MACHINE_CONTROLS, SUBSCRIPTION_CONTROLS);
	subscription_take_machine(s, m);
	map_set(&inv->machines, m->id, m);
	return m;
}

static void drop_extension_texts(struct inventory *inv, struct extension_facts *e)
{
	const char **slots[] = {&e->name, &e->version, &e->state, &e->code, &e->message};

	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		intern_set(&inv->texts, slots[i], "");
}

/* Back to "never seen". */
static void drop_extension(struct inventory *inv, struct extension_facts *e)
{
	drop_extension_texts(inv, e);
	*e = (struct extension_facts){
		.name = "", .version = "", .state = "", .code = "", .message = ""};
}

/* Which extension is the machine's depends on its system. */
static void set_os(struct inventory *inv, struct machine *m, enum os_class os, bool *ret_changed)
{
	if (m->os == os)
		return;
	if (os_is_windows(m->os) != os_is_windows(os)) {
		drop_extension(inv, &m->mde);
		drop_extension(inv, &m->legacy);
		m->extensions_known = false;
	}
	m->subscription->os_count[m->os]--;
	m->subscription->os_count[os]++;
	m->os = os;
	*ret_changed = true;
}

static void set_status(struct inventory *inv, struct machine *m, const struct arm_machine *facts,
	struct stamp stamp, bool *ret_changed)
{
	bool flipped = false;

	set_text(inv, &m->status, facts->status, &flipped);
	if (flipped)
		*ret_changed = true;
	m->connected = str_equal_nocase(m->status, "Connected");
	if (wall_is_set(facts->status_since) && !wall_before(stamp.at, facts->status_since))
		m->status_since = facts->status_since;
	else if (flipped)
		m->status_since = stamp.at;
}

static void set_agent(struct machine *m, const struct arm_machine *facts, bool *ret_changed)
{
	const char *type = os_is_windows(m->os) ? "MDE.Windows" : "MDE.Linux";
	enum tri allowed = arm_machine_allows(facts, MDE_PUBLISHER, type);
	bool connector_made = arm_machine_is_connector_made(facts);

	if (m->extensions_enabled != facts->extensions_enabled || m->mde_allowed != allowed ||
		m->connector_made != connector_made)
		*ret_changed = true;
	m->extensions_enabled = facts->extensions_enabled;
	m->mde_allowed = allowed;
	m->connector_made = connector_made;
}

static void set_machine(struct inventory *inv, struct machine *m, const struct arm_machine *facts,
	struct stamp stamp, bool *ret_changed)
{
	set_text(inv, &m->location, facts->location, ret_changed);
	set_text(inv, &m->os_sku, facts->os_sku, ret_changed);
	set_text(inv, &m->os_type, facts->os_type, ret_changed);
	set_text(inv, &m->agent_version, facts->agent_version, ret_changed);
	set_text(inv, &m->cloud, facts->cloud, ret_changed);
	set_tags(inv, m, facts->tags, ret_changed);
	set_status(inv, m, facts, stamp, ret_changed);
	set_os(inv, m, os_classify(facts->os_type, facts->os_name, facts->os_sku), ret_changed);
	set_agent(m, facts, ret_changed);
	m->stamp = stamp;
	m->seen = inv->sweep;
}

int inventory_set_machine(struct inventory *inv, const struct arm_machine *facts,
	struct stamp stamp, struct machine **ret, bool *ret_changed)
{
	struct arm_id id;
	struct subscription *s;
	struct machine *m;

	if (arm_id_parse(facts->id, &id) != 0)
		return -EINVAL;
	s = inventory_subscription(inv, id.subscription);
	if (id.kind != ARM_KIND_ARC_MACHINE || s == NULL) {
		arm_id_fini(&id);
		return -EINVAL;
	}
	m = inventory_machine(inv, id.text);
	*ret_changed = m == NULL;
	if (m == NULL)
		m = machine_new(inv, s, &id);
	arm_id_fini(&id);
	set_machine(inv, m, facts, stamp, ret_changed);
	*ret = m;
	return 0;
}

static void drop_texts(struct inventory *inv, struct machine *m)
{
	const char **slots[] = {&m->group, &m->location, &m->status, &m->os_sku, &m->os_type,
		&m->agent_version, &m->cloud, &m->tags};

	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		intern_set(&inv->texts, slots[i], "");
	for (size_t i = 0; i < MACHINE_CONTROLS; i++)
		intern_set(&inv->texts, &m->items[i].detail, "");
	drop_extension_texts(inv, &m->mde);
	drop_extension_texts(inv, &m->legacy);
}

void inventory_remove_machine(struct inventory *inv, struct machine *m)
{
	struct subscription *s = m->subscription;
	struct machine *last = s->machines[s->machine_count - 1];

	s->machines[m->place] = last;
	last->place = m->place;
	s->machine_count--;
	s->os_count[m->os]--;
	drop_texts(inv, m);
	map_remove(&inv->machines, m->id);
}

/* --- extensions --- */

/* Where this kind of extension is kept; NULL for one that does not fit the machine's system. */
static struct extension_facts *place_of(struct machine *m, enum extension_kind kind)
{
	bool windows = os_is_windows(m->os);

	switch (kind) {
	case EXTENSION_MDE_WINDOWS: return windows || m->os == OS_UNKNOWN ? &m->mde : NULL;
	case EXTENSION_MDE_LINUX: return windows ? NULL : &m->mde;
	case EXTENSION_MMA: return windows || m->os == OS_UNKNOWN ? &m->legacy : NULL;
	case EXTENSION_OMS: return windows ? NULL : &m->legacy;
	case EXTENSION_OTHER:
	case EXTENSION_KIND_N_: return NULL;
	}
	return NULL;
}

struct stamp extension_stamp(const struct extension_facts *e)
{
	return (struct stamp){.at = e->at, .source = e->source};
}

/* What ARM has just shown as done, Graph may not know yet. */
static bool may_not_know_yet(
	const struct inventory *inv, const struct extension_facts *e, struct stamp stamp)
{
	return e->ahead && e->present && e->provisioning == PROVISIONING_SUCCEEDED &&
		may_lag(inv, extension_stamp(e), stamp);
}

static void set_extension_stamp(struct extension_facts *e, struct stamp stamp)
{
	e->at = stamp.at;
	e->source = stamp.source;
}

static void set_extension(struct inventory *inv, struct machine *m, struct extension_facts *e,
	const struct arm_extension *facts, struct stamp stamp, bool *ret_changed)
{
	enum provisioning provisioning = provisioning_read(facts->provisioning_state);
	bool foreign = facts->owner_id != NULL && !arm_id_same(facts->owner_id, m->id);
	bool settled = provisioning == PROVISIONING_SUCCEEDED;
	char message[MESSAGE_MAX + 1];

	if (may_not_know_yet(inv, e, stamp))
		return;
	if (!e->present || e->provisioning != provisioning)
		e->changed = stamp.at;
	*ret_changed = !e->present || e->provisioning != provisioning || e->vnext != facts->vnext ||
		e->foreign_owner != foreign;
	e->present = true;
	e->provisioning = provisioning;
	e->vnext = facts->vnext;
	e->foreign_owner = foreign;
	set_extension_stamp(e, stamp);
	set_text(inv, &e->name, facts->name, ret_changed);
	set_text(inv, &e->version, facts->version, ret_changed);
	set_text(inv, &e->state, facts->provisioning_state, ret_changed);
	set_text(inv, &e->code, settled ? "" : facts->status_code, ret_changed);
	/* Successful extensions reword their message all the time. */
	str_copy(message, sizeof(message), settled ? "" : facts->status_message);
	set_text(inv, &e->message, message, ret_changed);
	e->ahead = is_ahead(e->ahead, stamp, *ret_changed);
}

int inventory_set_extension(struct inventory *inv, const struct arm_extension *facts,
	struct stamp stamp, struct machine **ret, bool *ret_changed)
{
	struct extension_facts *e;
	struct arm_id id;
	struct machine *m;
	char *parent;

	if (arm_id_parse(facts->id, &id) != 0)
		return -EINVAL;
	parent = arm_id_parent(&id);
	arm_id_fini(&id);
	if (parent == NULL)
		return -EINVAL;
	m = inventory_machine(inv, parent);
	free(parent);
	if (m == NULL)
		return -ENOENT;
	*ret = m;
	*ret_changed = false;
	e = place_of(m, extension_kind(facts->publisher, facts->type));
	if (e == NULL)
		return 0;
	set_extension(inv, m, e, facts, stamp, ret_changed);
	if (stamp.source == SOURCE_ARM)
		m->stamp = stamp;
	if (e == &m->mde)
		m->mde_seen = inv->sweep;
	else
		m->legacy_seen = inv->sweep;
	return 0;
}

static void forget_extension(
	struct inventory *inv, struct extension_facts *e, struct stamp stamp, bool *ret_changed)
{
	/* Absent already: since when is kept, for a grace runs from there. */
	bool absent_already = !e->present && wall_is_set(e->changed);
	struct wall since = absent_already ? e->changed : stamp.at;

	if (may_not_know_yet(inv, e, stamp))
		return;
	if (e->present)
		*ret_changed = true;
	drop_extension(inv, e);
	e->changed = since;
	set_extension_stamp(e, stamp);
}

void inventory_unset_extension(struct inventory *inv, struct machine *m, enum extension_kind kind,
	struct stamp stamp, bool *ret_changed)
{
	struct extension_facts *e = place_of(m, kind);

	*ret_changed = false;
	if (e != NULL)
		forget_extension(inv, e, stamp, ret_changed);
	if (stamp.source == SOURCE_ARM)
		m->stamp = stamp;
}

/* --- sweeps --- */

void inventory_sweep_begin(struct inventory *inv)
{
	inv->sweep++;
}

static uint64_t seen_now(const struct inventory *inv, const struct subscription *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->machine_count; i++)
		if (s->machines[i]->seen == inv->sweep)
			n++;
	return n;
}

static bool is_far_below(uint64_t seen, uint64_t expected, unsigned tolerance_percent)
{
	uint64_t missing = expected > seen ? expected - seen : 0;

	return missing > DROP_ALWAYS_ALLOWED && missing * 100 > expected * tolerance_percent;
}

/* A short list that agrees with what was announced is believed in the end. */
static bool is_believed(struct subscription *s, uint64_t seen, uint64_t announced,
	unsigned tolerance_percent, struct wall now)
{
	if (is_far_below(seen, announced, tolerance_percent)) {
		s->drop_since = WALL_UNSET;
		return false;
	}
	if (!is_far_below(seen, s->machine_count, tolerance_percent)) {
		s->drop_since = WALL_UNSET;
		return true;
	}
	if (!wall_is_set(s->drop_since))
		s->drop_since = now;
	return wall_since(now, s->drop_since).ms >= DROP_BELIEVED_AFTER.ms;
}

static void conclude_machine(struct inventory *inv, struct machine *m, struct stamp stamp,
	inventory_gone_fn gone, void *ctx)
{
	bool changed;

	if (m->seen != inv->sweep) {
		gone(ctx, m);
		inventory_remove_machine(inv, m);
		return;
	}
	m->extensions_known = true;
	if (m->mde_seen != inv->sweep)
		forget_extension(inv, &m->mde, stamp, &changed);
	if (m->legacy_seen != inv->sweep)
		forget_extension(inv, &m->legacy, stamp, &changed);
}

int inventory_sweep_end(struct inventory *inv, struct subscription *s, uint64_t announced,
	unsigned tolerance_percent, struct stamp stamp, inventory_gone_fn gone, void *ctx)
{
	if (!is_believed(s, seen_now(inv, s), announced, tolerance_percent, stamp.at))
		return -ESTALE;
	s->drop_since = WALL_UNSET;
	/* From the end: the place of one that goes is taken by the last. */
	for (uint32_t i = s->machine_count; i-- > 0;)
		conclude_machine(inv, s->machines[i], stamp, gone, ctx);
	s->machines_stamp = stamp;
	return 0;
}

struct item *inventory_item(struct subscription *s, struct machine *m, enum control_id control)
{
	if (m != NULL) {
		assert(control >= SUBSCRIPTION_CONTROLS && control < CONTROL_N_);
		return &m->items[control - SUBSCRIPTION_CONTROLS];
	}
	assert(control < SUBSCRIPTION_CONTROLS);
	return &s->items[control];
}
