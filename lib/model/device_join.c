/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/device_join.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define SHORT_NAME_SIZE 256
#define FIRST_BUCKETS 1024

/* --- devices under a key --- */

enum key { BY_ID, BY_NAME, BY_RESOURCE, KEY_N_ };

struct entry {
	struct device *device;
	struct entry *next[KEY_N_];
	uint64_t hash[KEY_N_];
	/* Of the first one of its name: the machines that have it; 2 stands for more, too. */
	uint64_t machine_hash;
	unsigned machines : 2;
	enum tri one_domain : 2;
	bool taken : 1; /* it is some machine's */
	enum gap_kind gap : 8;
	char *machine; /* of the gap; or NULL */
};

struct table {
	struct entry **buckets;
	size_t size, count;
};

enum phase { JOIN_COUNTS, JOIN_TELLS, JOIN_COLLECTS, JOIN_OVER };

struct device_join {
	struct table tables[KEY_N_];
	struct entry **entries;
	size_t count, room;
	bool repeated, unreadable;

	enum phase phase;
	struct subscription **subscriptions;
	size_t subscription_count, at;
	uint32_t place; /* within the subscription */
	bool complete, forgets;
	struct wall asked;
	struct device_gaps gaps;
};

static uint64_t hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)str_lower(*text)) * 0x100000001b3u;
	return hash;
}

static void table_grow(struct table *t, enum key key)
{
	size_t size = t->size == 0 ? FIRST_BUCKETS : t->size * 2;
	struct entry **buckets = xcalloc(size, sizeof(*buckets));

	for (size_t i = 0; i < t->size; i++) {
		for (struct entry *e = t->buckets[i], *next; e != NULL; e = next) {
			struct entry **slot = &buckets[e->hash[key] & (size - 1)];

			next = e->next[key];
			e->next[key] = *slot;
			*slot = e;
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->size = size;
}

static void table_add(struct table *t, enum key key, struct entry *e, const char *text)
{
	struct entry **slot;

	if (*text == '\0')
		return;
	if (t->count >= t->size)
		table_grow(t, key);
	e->hash[key] = hash_of(text);
	slot = &t->buckets[e->hash[key] & (t->size - 1)];
	e->next[key] = *slot;
	*slot = e;
	t->count++;
}

static bool has_short_name(const struct device *d, const char *name)
{
	char own[SHORT_NAME_SIZE];

	device_short_name(d->name, own, sizeof(own));
	return str_equal(own, name);
}

static bool has_key(const struct entry *e, enum key key, const char *text)
{
	switch (key) {
	case BY_ID: return str_equal_nocase(e->device->id, text);
	case BY_NAME: return has_short_name(e->device, text);
	case BY_RESOURCE: return arm_id_same(e->device->resource, text);
	case KEY_N_: break;
	}
	return false;
}

static struct entry *next_with(struct entry *e, enum key key, uint64_t hash, const char *text)
{
	while (e != NULL && (e->hash[key] != hash || !has_key(e, key, text)))
		e = e->next[key];
	return e;
}

static struct entry *first_with(const struct device_join *j, enum key key, const char *text)
{
	const struct table *t = &j->tables[key];
	uint64_t hash = hash_of(text);

	if (t->size == 0 || *text == '\0')
		return NULL;
	return next_with(t->buckets[hash & (t->size - 1)], key, hash, text);
}

static struct entry *another_with(const struct entry *e, enum key key, const char *text)
{
	return next_with(e->next[key], key, e->hash[key], text);
}

/* --- life --- */

struct device_join *device_join_new(void)
{
	return xcalloc(1, sizeof(struct device_join));
}

static void entry_free(struct entry *e)
{
	free(e->device);
	free(e->machine);
	free(e);
}

void device_gaps_fini(struct device_gaps *g)
{
	for (size_t i = 0; i < g->n; i++) {
		free(g->v[i].device);
		free(g->v[i].machine);
	}
	free(g->v);
	*g = (struct device_gaps){0};
}

struct device_join *device_join_free(struct device_join *j)
{
	struct device_gaps gaps;

	if (j == NULL)
		return NULL;
	device_join_take(j, &gaps);
	device_gaps_fini(&gaps);
	for (size_t i = 0; i < j->count; i++)
		entry_free(j->entries[i]);
	for (unsigned key = 0; key < KEY_N_; key++)
		free(j->tables[key].buckets);
	free(j->entries);
	free(j->subscriptions);
	free(j);
	return NULL;
}

size_t device_join_count(const struct device_join *j)
{
	return j->count;
}

bool device_join_is_whole(const struct device_join *j)
{
	return !j->repeated && !j->unreadable;
}

/* --- adding --- */

/* The same id twice: it was told anew while the pages were read. Its keys may be others now. */
static bool merge(struct device_join *j, struct device *take_device)
{
	struct entry *e = first_with(j, BY_ID, take_device->id);

	if (e == NULL)
		return false;
	j->repeated = true;
	if (device_compare(take_device, e->device) < 0 &&
		str_equal_nocase(take_device->name, e->device->name) &&
		str_equal_nocase(take_device->resource, e->device->resource)) {
		free(e->device);
		e->device = take_device;
	} else {
		free(take_device);
	}
	return true;
}

static void insert(struct device_join *j, struct device *take_device)
{
	struct entry *e = xcalloc(1, sizeof(*e));
	char name[SHORT_NAME_SIZE];
	mdc_autofree char *key = NULL;

	e->device = take_device;
	e->gap = GAP_KIND_N_;
	device_short_name(take_device->name, name, sizeof(name));
	if (*take_device->resource != '\0')
		key = arm_id_key(take_device->resource);
	table_add(&j->tables[BY_ID], BY_ID, e, take_device->id);
	table_add(&j->tables[BY_NAME], BY_NAME, e, name);
	table_add(&j->tables[BY_RESOURCE], BY_RESOURCE, e, key != NULL ? key : "");
	if (j->count == j->room) {
		j->room = j->room == 0 ? FIRST_BUCKETS : j->room * 2;
		j->entries = xreallocarray(j->entries, j->room, sizeof(struct entry *));
	}
	j->entries[j->count++] = e;
}

void device_join_add(struct device_join *j, const json_t *row)
{
	struct device *d;

	switch (device_read(row, &d)) {
	case DEVICE_READ: break;
	case DEVICE_OF_NO_CONCERN: return;
	case DEVICE_UNREADABLE: j->unreadable = true; return;
	}
	if (merge(j, d))
		return;
	if (j->count >= DEVICES_MAX) {
		j->unreadable = true;
		free(d);
		return;
	}
	insert(j, d);
}

/* --- what has only a name --- */

static bool names_none(const struct entry *e)
{
	return *e->device->resource == '\0';
}

static bool fits_system(const struct device *d, const struct machine *m)
{
	if (d->system == DEVICE_SYSTEM_UNKNOWN || m->os == OS_UNKNOWN)
		return true;
	return (d->system == DEVICE_WINDOWS) == os_is_windows(m->os);
}

static const char *domain_of(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot != NULL ? dot + 1 : "";
}

static bool domains_agree(struct entry *first, const char *name)
{
	const char *domain = "";

	for (struct entry *e = first; e != NULL; e = another_with(e, BY_NAME, name)) {
		const char *own = domain_of(e->device->name);

		if (!names_none(e) || *own == '\0')
			continue;
		if (*domain != '\0' && !str_equal_nocase(domain, own))
			return false;
		domain = own;
	}
	return true;
}

/* Two hosts of one name in two domains are two hosts; a name without a domain says nothing. */
static bool are_of_one_domain(struct entry *first, const char *name)
{
	/* Looked at once: a whole fleet may be called "localhost". */
	if (first->one_domain == TRI_UNKNOWN)
		first->one_domain = domains_agree(first, name) ? TRI_YES : TRI_NO;
	return first->one_domain == TRI_YES;
}

static void count_machine(struct device_join *j, const struct machine *m)
{
	char name[SHORT_NAME_SIZE];
	struct entry *first;
	uint64_t hash;

	device_short_name(m->name, name, sizeof(name));
	first = first_with(j, BY_NAME, name);
	if (first == NULL)
		return;
	/* It may be met twice, when others go meanwhile. */
	hash = hash_of(m->id);
	if (first->machines == 0 || (first->machines == 1 && first->machine_hash != hash))
		first->machines++;
	first->machine_hash = hash;
}

/* --- whose a device is --- */

static void set_gap(struct entry *e, enum gap_kind gap, const char *machine)
{
	e->gap = gap;
	free(e->machine);
	e->machine = xstrdup(machine);
}

/* `e` may speak for the machine in place of `best`, of which it is a rival. */
static struct entry *better(struct entry *best, struct entry *e)
{
	if (best == NULL)
		return e;
	if (names_none(best) != names_none(e))
		return names_none(best) ? e : best;
	return device_compare(e->device, best->device) < 0 ? e : best;
}

/* Calls for each device that may be the machine's: one that names it, or has its name. */
static struct entry *walk_candidates(struct device_join *j, const struct machine *m,
	void (*visit)(struct entry *e, const struct entry *best, const struct machine *m),
	struct entry *speaker)
{
	char name[SHORT_NAME_SIZE];
	mdc_autofree char *key = arm_id_key(m->id);
	struct entry *first, *best = NULL;

	for (struct entry *e = first_with(j, BY_RESOURCE, key); e != NULL;
		e = another_with(e, BY_RESOURCE, key)) {
		best = better(best, e);
		if (visit != NULL)
			visit(e, speaker, m);
	}
	device_short_name(m->name, name, sizeof(name));
	first = first_with(j, BY_NAME, name);
	if (first == NULL || first->machines > 1 || !are_of_one_domain(first, name))
		return best;
	for (struct entry *e = first; e != NULL; e = another_with(e, BY_NAME, name)) {
		if (!names_none(e) || !fits_system(e->device, m))
			continue;
		best = better(best, e);
		if (visit != NULL)
			visit(e, speaker, m);
	}
	return best;
}

static void take(struct entry *e, const struct entry *speaker, const struct machine *m)
{
	e->taken = true;
	if (e->device->onboarded && (e != speaker || e->device->suspected))
		set_gap(e, GAP_DUPLICATE, m->id);
}

static void tell_machine(struct device_join *j, struct inventory *inv, struct machine *m)
{
	struct sensor_facts facts = {.at = j->asked};
	struct entry *best;
	bool changed;

	if (j->forgets) {
		inventory_set_sensor(inv, m, NULL, &changed);
		return;
	}
	best = walk_candidates(j, m, NULL, NULL);

	if (best != NULL) {
		walk_candidates(j, m, take, best);
		facts.listed = true;
		facts.onboarded = best->device->onboarded;
		facts.health = best->device->health;
		facts.version = best->device->version;
		facts.last_seen = best->device->last_seen;
	}
	if (best != NULL || j->complete)
		inventory_set_sensor(inv, m, &facts, &changed);
}

/* Of one that no machine has taken. */
static enum gap_kind gap_of(const struct device_join *j, struct entry *e)
{
	char name[SHORT_NAME_SIZE];
	struct entry *first;

	if (e->taken)
		return e->gap;
	if (!e->device->onboarded)
		return GAP_KIND_N_;
	if (!names_none(e))
		return GAP_ELSEWHERE;
	device_short_name(e->device->name, name, sizeof(name));
	first = first_with(j, BY_NAME, name);
	if (first == NULL || first->machines == 0)
		return GAP_NOT_CONNECTED;
	return first->machines > 1 || !are_of_one_domain(first, name) ? GAP_AMBIGUOUS
								      : GAP_NOT_CONNECTED;
}

static void collect(struct device_join *j, struct entry *e)
{
	struct device_gaps *g = &j->gaps;
	enum gap_kind kind = gap_of(j, e);
	struct device_gap *gap;

	if (kind == GAP_KIND_N_)
		return;
	if ((g->n & (g->n - 1)) == 0)
		g->v = xreallocarray(g->v, g->n == 0 ? 1 : g->n * 2, sizeof(*g->v));
	gap = &g->v[g->n++];
	gap->kind = kind;
	gap->device = e->device;
	gap->machine = e->machine != NULL ? e->machine : xstrdup(e->device->resource);
	e->machine = NULL;
	/* Its entry keeps it until the end: others of its name look at it. */
}

/* --- some at a time --- */

void device_join_begin(struct device_join *j, const struct inventory *inv, const char *tenant,
	bool complete, struct wall asked)
{
	struct map_entry *entry;

	j->complete = complete && device_join_is_whole(j);
	j->asked = asked;
	j->subscriptions =
		xcalloc(map_count(&inv->subscriptions) + 1, sizeof(struct subscription *));
	map_for_each (&inv->subscriptions, entry) {
		struct subscription *s = entry->value;

		if (str_equal_nocase(s->tenant, tenant))
			j->subscriptions[j->subscription_count++] = s;
	}
}

void device_join_begin_forgetting(
	struct device_join *j, const struct inventory *inv, const char *tenant)
{
	device_join_begin(j, inv, tenant, false, WALL_UNSET);
	j->forgets = true;
	j->phase = JOIN_TELLS;
}

/* The next machine; NULL: that was the last one. */
static struct machine *next_machine(struct device_join *j)
{
	for (; j->at < j->subscription_count; j->at++, j->place = 0) {
		struct subscription *s = j->subscriptions[j->at];

		if (j->place < s->machine_count)
			return s->machines[j->place++];
	}
	return NULL;
}

static void next_phase(struct device_join *j)
{
	j->phase++;
	j->at = 0;
	j->place = 0;
}

static void step(struct device_join *j, struct inventory *inv)
{
	struct machine *m;

	if (j->phase == JOIN_COLLECTS) {
		if (j->at < j->count)
			collect(j, j->entries[j->at++]);
		else
			next_phase(j);
		return;
	}
	m = next_machine(j);
	if (m == NULL)
		next_phase(j);
	else if (j->phase == JOIN_COUNTS)
		count_machine(j, m);
	else
		tell_machine(j, inv, m);
}

bool device_join_some(struct device_join *j, struct inventory *inv, size_t most)
{
	for (size_t n = 0; n < most && j->phase != JOIN_OVER; n++)
		step(j, inv);
	return j->phase != JOIN_OVER;
}

void device_join_take(struct device_join *j, struct device_gaps *ret)
{
	/* Those that are given away are not the join's any more. */
	for (size_t i = 0, n = 0; i < j->count && n < j->gaps.n; i++) {
		if (j->entries[i]->device != j->gaps.v[n].device)
			continue;
		j->entries[i]->device = NULL;
		n++;
	}
	*ret = j->gaps;
	j->gaps = (struct device_gaps){0};
}

/* --- gaps --- */

static const struct {
	const char *word, *sentence;
} gap_kinds[] = {
#define X(id, word, sentence) [GAP_##id] = {word, sentence},
	GAP_KINDS(X)
#undef X
};

const char *gap_word(enum gap_kind kind)
{
	return kind < GAP_KIND_N_ ? gap_kinds[kind].word : "";
}

const char *gap_sentence(enum gap_kind kind)
{
	return kind < GAP_KIND_N_ ? gap_kinds[kind].sentence : "";
}

static bool is_paid(const struct machine *m)
{
	return str_equal_nocase(m->subscription->pricing.tier, "Standard") &&
		m->plan != MACHINE_PLAN_OFF;
}

static bool may_lag(const struct machine *m, struct wall now)
{
	return m->mde.present && m->mde.provisioning == PROVISIONING_SUCCEEDED &&
		wall_is_set(m->mde.changed) && wall_since(now, m->mde.changed).ms < DEVICE_LAG.ms;
}

enum gap_kind machine_gap(const struct machine *m, struct wall now)
{
	const struct sensor_facts *s = m->sensor;

	if (s == NULL || !m->connected)
		return GAP_KIND_N_;
	if (!s->listed || !s->onboarded) {
		if (may_lag(m, now))
			return GAP_KIND_N_;
		return s->listed ? GAP_NOT_ONBOARDED : GAP_NO_DEVICE;
	}
	return m->extensions_known && !m->mde.present && is_paid(m) ? GAP_BILLED_TWICE
								    : GAP_KIND_N_;
}
