/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/inventory_internal.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* Azure allows 50 tags of 512 + 256 characters. */
#define TAG_COUNT_MAX 64
#define TAGS_MAX 65536

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
	m->mde_owner = m->legacy_workspace = "";
	m->mde.name = m->mde.version = m->mde.state = m->mde.code = m->mde.message = "";
	m->legacy = m->mde;
	m->unjudged = true;
	items_init(m->items, MACHINE_CONTROLS, FIRST_MACHINE_CONTROL);
	subscription_take_machine(s, m);
	map_set(&inv->machines, m->id, m);
	return m;
}

/* Which extension is the machine's depends on its system. */
static void set_os(struct inventory *inv, struct machine *m, enum os_class os, bool *ret_changed)
{
	if (m->os == os)
		return;
	if (os_is_windows(m->os) != os_is_windows(os)) {
		extension_drop(inv, &m->mde);
		extension_drop(inv, &m->legacy);
		machine_set_extensions_known(m, false);
	}
	m->subscription->os_count[m->os]--;
	m->subscription->os_count[os]++;
	m->os = os;
	*ret_changed = true;
}

static const struct {
	const char *word, *text;
} paths[] = {
	[PATH_AZURE_VM] = {"azure-vm", "Azure VM"},
	[PATH_ON_PREMISES] = {"on-premises", "on-premises, through Arc"},
	[PATH_AWS] = {"aws", "AWS, through Arc"},
	[PATH_GCP] = {"gcp", "GCP, through Arc"},
};
_Static_assert(ARRAY_LEN(paths) == MACHINE_PATH_N_, "a row for each path");

enum machine_path machine_path(const struct machine *m)
{
	if (m->azure_vm)
		return PATH_AZURE_VM;
	if (str_equal_nocase(m->cloud, "AWS"))
		return PATH_AWS;
	return str_equal_nocase(m->cloud, "GCP") ? PATH_GCP : PATH_ON_PREMISES;
}

const char *machine_path_word(enum machine_path p)
{
	return paths[p].word;
}

const char *machine_path_text(enum machine_path p)
{
	return paths[p].text;
}

static void set_status(struct inventory *inv, struct machine *m, const struct arm_machine *facts,
	struct stamp stamp, bool *ret_changed)
{
	bool flipped = false;

	inventory_set_text(inv, &m->status, facts->status, &flipped);
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
	m->proxied = facts->proxied;
	m->mde_allowed = allowed;
	m->connector_made = connector_made;
}

/* A VM's status may be told alone, or be left out; how its agent is, only ARM tells. */
static void set_vm_status(struct inventory *inv, struct machine *m, const struct arm_machine *facts,
	struct stamp stamp, bool *ret_changed)
{
	bool was_known = *m->status != '\0', flipped = false;
	bool made = wall_is_set(facts->status_since) && !wall_before(stamp.at, facts->status_since);

	if (facts->status != NULL)
		inventory_set_text(inv, &m->status, facts->status, &flipped);
	m->connected = str_equal_nocase(m->status, "running");
	if (!was_known && made)
		m->status_since = facts->status_since;
	else if (flipped && (was_known || !wall_is_set(m->status_since)))
		m->status_since = stamp.at;
	if (flipped) {
		*ret_changed = true;
		m->agent_ready = TRI_UNKNOWN;
	}
	if (facts->agent_ready != TRI_UNKNOWN && m->agent_ready != facts->agent_ready) {
		*ret_changed = true;
		m->agent_ready = facts->agent_ready;
	}
}

static void set_vm_model(struct inventory *inv, struct machine *m, const struct arm_machine *facts,
	bool *ret_changed)
{
	enum os_class os = facts->image_class != OS_UNKNOWN
		? facts->image_class
		: os_classify(facts->os_type, NULL, facts->os_sku);

	inventory_set_text(inv, &m->location, facts->location, ret_changed);
	/* One that is stopped may say less than it did before. */
	if (facts->os_sku != NULL)
		inventory_set_text(inv, &m->os_sku, facts->os_sku, ret_changed);
	inventory_set_text(inv, &m->os_type, facts->os_type, ret_changed);
	inventory_set_text(inv, &m->cloud, facts->cloud, ret_changed);
	set_tags(inv, m, facts->tags, ret_changed);
	if (os != OS_UNKNOWN)
		set_os(inv, m, os, ret_changed);
	if (m->own_image != facts->own_image || m->extensions_enabled != facts->extensions_enabled)
		*ret_changed = true;
	m->own_image = facts->own_image;
	m->in_scale_set = facts->in_scale_set;
	m->extensions_enabled = facts->extensions_enabled;
}

static void set_machine(struct inventory *inv, struct machine *m, const struct arm_machine *facts,
	struct stamp stamp, bool *ret_changed)
{
	m->stamp = stamp;
	m->azure_vm = facts->virtual;
	if (facts->virtual) {
		set_vm_status(inv, m, facts, stamp, ret_changed);
		if (!facts->status_only)
			set_vm_model(inv, m, facts, ret_changed);
		if (*ret_changed)
			m->unjudged = true;
		return;
	}
	inventory_set_text(inv, &m->location, facts->location, ret_changed);
	inventory_set_text(inv, &m->os_sku, facts->os_sku, ret_changed);
	inventory_set_text(inv, &m->os_type, facts->os_type, ret_changed);
	inventory_set_text(inv, &m->agent_version, facts->agent_version, ret_changed);
	inventory_set_text(inv, &m->cloud, facts->cloud, ret_changed);
	set_tags(inv, m, facts->tags, ret_changed);
	set_status(inv, m, facts, stamp, ret_changed);
	set_os(inv, m, os_classify(facts->os_type, facts->os_name, facts->os_sku), ret_changed);
	set_agent(m, facts, ret_changed);
	if (*ret_changed)
		m->unjudged = true;
}

static void mark_seen(struct inventory *inv, struct machine *m)
{
	struct subscription *s = m->subscription;

	if (s->seen != inv->sweep) {
		s->seen = inv->sweep;
		s->seen_count = 0;
	}
	if (m->seen != inv->sweep) {
		m->seen = inv->sweep;
		m->doubted = false;
		s->seen_count++;
	}
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
	if ((id.kind != ARM_KIND_ARC_MACHINE && id.kind != ARM_KIND_VIRTUAL_MACHINE) || s == NULL) {
		arm_id_fini(&id);
		return -EINVAL;
	}
	m = inventory_machine(inv, id.text);
	*ret_changed = m == NULL;
	if (m == NULL && facts->status_only) {
		arm_id_fini(&id);
		return -ENOENT;
	}
	if (m == NULL && map_count(&inv->machines) < INVENTORY_MACHINES_MAX)
		m = machine_new(inv, s, &id);
	arm_id_fini(&id);
	if (m == NULL)
		return -ENOSPC;
	set_machine(inv, m, facts, stamp, ret_changed);
	if (!facts->status_only)
		mark_seen(inv, m);
	*ret = m;
	return 0;
}

static void drop_texts(struct inventory *inv, struct machine *m)
{
	const char **slots[] = {&m->group, &m->location, &m->status, &m->os_sku, &m->os_type,
		&m->agent_version, &m->cloud, &m->tags, &m->mde_owner, &m->legacy_workspace};

	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		intern_set(&inv->texts, slots[i], "");
	for (size_t i = 0; i < MACHINE_CONTROLS; i++)
		intern_set(&inv->texts, &m->items[i].detail, "");
	inventory_drop_sensor(inv, m);
	extension_drop_texts(inv, &m->mde);
	extension_drop_texts(inv, &m->legacy);
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
