/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/inventory_internal.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#define MESSAGE_MAX 400

void extension_drop_texts(struct inventory *inv, struct extension_facts *e)
{
	const char **slots[] = {&e->name, &e->version, &e->state, &e->code, &e->message};

	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		intern_set(&inv->texts, slots[i], "");
}

void extension_drop(struct inventory *inv, struct extension_facts *e)
{
	extension_drop_texts(inv, e);
	*e = (struct extension_facts){
		.name = "", .version = "", .state = "", .code = "", .message = ""};
}

void machine_set_extensions_known(struct machine *m, bool known)
{
	if (m->extensions_known != known)
		m->unjudged = true;
	m->extensions_known = known;
}

bool extension_fits(const struct machine *m, enum extension_kind kind)
{
	bool windows = os_is_windows(m->os);

	switch (kind) {
	case EXTENSION_MDE_WINDOWS:
	case EXTENSION_MMA: return windows || m->os == OS_UNKNOWN;
	case EXTENSION_MDE_LINUX:
	case EXTENSION_OMS: return !windows;
	case EXTENSION_OTHER:
	case EXTENSION_KIND_N_: break;
	}
	return false;
}

/* Where this kind of extension is kept; NULL for one that does not fit the machine's system. */
static struct extension_facts *place_of(struct machine *m, enum extension_kind kind)
{
	if (!extension_fits(m, kind))
		return NULL;
	return kind == EXTENSION_MDE_WINDOWS || kind == EXTENSION_MDE_LINUX ? &m->mde : &m->legacy;
}

struct stamp extension_stamp(const struct extension_facts *e)
{
	return (struct stamp){.at = e->at, .source = e->source};
}

/* What ARM has just shown as done or gone, Graph may not know yet. */
static bool may_not_know_yet(
	const struct inventory *inv, const struct extension_facts *e, struct stamp stamp)
{
	return e->ahead && (!e->present || e->provisioning == PROVISIONING_SUCCEEDED) &&
		stamp_may_lag(inv, extension_stamp(e), stamp);
}

static bool is_outdated(
	const struct inventory *inv, const struct extension_facts *e, struct stamp stamp)
{
	return stamp_has_crossed(extension_stamp(e), stamp) || may_not_know_yet(inv, e, stamp);
}

static void set_extension_stamp(struct extension_facts *e, struct stamp stamp)
{
	e->at = stamp.at;
	e->source = stamp.source;
}

/* Cut between characters: half of one is no text for those who show it. */
static void copy_cut(char ret[static MESSAGE_MAX + 1], const char *text)
{
	size_t len = MESSAGE_MAX;

	if (str_copy(ret, MESSAGE_MAX + 1, text))
		return;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	ret[len] = '\0';
}

/* Resources move within a tenant only; of a subscription that is not seen nothing is known. */
static enum tri is_in_tenant(const struct inventory *inv, const struct machine *m, const char *id)
{
	char guid[GUID_TEXT_SIZE];
	const struct subscription *s;

	if (!arm_id_subscription(id, guid))
		return TRI_UNKNOWN;
	if (str_equal(guid, m->subscription->id))
		return TRI_YES;
	s = inventory_subscription(inv, guid);
	if (s == NULL || *s->tenant == '\0' || *m->subscription->tenant == '\0')
		return TRI_UNKNOWN;
	return str_equal_nocase(s->tenant, m->subscription->tenant) ? TRI_YES : TRI_NO;
}

static void set_owner(struct inventory *inv, struct machine *m, const char *owner, bool *changed)
{
	enum tri in_tenant = owner != NULL ? is_in_tenant(inv, m, owner) : TRI_UNKNOWN;

	if (m->owner_in_tenant != in_tenant)
		*changed = true;
	m->owner_in_tenant = in_tenant;
	inventory_set_text(inv, &m->mde_owner, owner, changed);
}

/* Successful extensions reword their message all the time. */
static void set_words(struct inventory *inv, struct extension_facts *e,
	const struct arm_extension *facts, bool *ret_changed)
{
	bool settled = e->provisioning == PROVISIONING_SUCCEEDED;
	char message[MESSAGE_MAX + 1];

	inventory_set_text(inv, &e->code, settled ? "" : facts->status_code, ret_changed);
	copy_cut(message, settled ? "" : facts->status_message);
	inventory_set_text(inv, &e->message, message, ret_changed);
}

static void set_extension(struct inventory *inv, struct machine *m, struct extension_facts *e,
	const struct arm_extension *facts, struct stamp stamp, bool *ret_changed)
{
	enum provisioning provisioning = provisioning_read(facts->provisioning_state);
	bool foreign = facts->owner_id != NULL && !arm_id_same(facts->owner_id, m->id);
	/* Resource Graph has no words for what befell a VM's: those of ARM stay. */
	bool wordless = m->azure_vm && stamp.source == SOURCE_GRAPH && e->present &&
		e->provisioning == provisioning && facts->status_code == NULL;

	if (is_outdated(inv, e, stamp))
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
	if (e == &m->mde)
		set_owner(inv, m, foreign ? facts->owner_id : NULL, ret_changed);
	else
		inventory_set_text(inv, &m->legacy_workspace, facts->workspace, ret_changed);
	inventory_set_text(inv, &e->name, facts->name, ret_changed);
	inventory_set_text(inv, &e->version, facts->version, ret_changed);
	inventory_set_text(inv, &e->state, facts->provisioning_state, ret_changed);
	if (!wordless)
		set_words(inv, e, facts, ret_changed);
	e->ahead = stamp_is_ahead(e->ahead, stamp, *ret_changed);
	if (*ret_changed)
		m->unjudged = true;
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

static void forget_extension(struct inventory *inv, struct machine *m, struct extension_facts *e,
	struct stamp stamp, bool *ret_changed)
{
	/* Absent already: since when is kept, for a grace runs from there. */
	bool absent_already = !e->present && wall_is_set(e->changed);
	struct wall since = absent_already ? e->changed : stamp.at;
	bool ahead = stamp_is_ahead(e->ahead, stamp, e->present);

	if (is_outdated(inv, e, stamp))
		return;
	if (e->present || !wall_is_set(e->changed))
		m->unjudged = true;
	if (e->present)
		*ret_changed = true;
	extension_drop(inv, e);
	intern_set(&inv->texts, e == &m->mde ? &m->mde_owner : &m->legacy_workspace, "");
	e->changed = since;
	e->ahead = ahead;
	set_extension_stamp(e, stamp);
}

void inventory_unset_extension(struct inventory *inv, struct machine *m, enum extension_kind kind,
	struct stamp stamp, bool *ret_changed)
{
	struct extension_facts *e = place_of(m, kind);

	*ret_changed = false;
	if (e != NULL)
		forget_extension(inv, m, e, stamp, ret_changed);
	if (stamp.source == SOURCE_ARM)
		m->stamp = stamp;
}

void inventory_extensions_complete(
	struct inventory *inv, struct machine *m, bool mde, bool legacy, struct stamp stamp)
{
	bool changed;

	if (!mde)
		forget_extension(inv, m, &m->mde, stamp, &changed);
	if (!legacy)
		forget_extension(inv, m, &m->legacy, stamp, &changed);
	machine_set_extensions_known(m, true);
	m->doubted = false;
}

void inventory_doubt_extensions(struct machine *m)
{
	m->doubted = true;
}
