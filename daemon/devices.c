/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/devices.h"

#include "daemon/listing.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>

#define DEVICES_MAGIC 0xde71ce5au
/* Of the join, in one turn of the loop. */
#define SLICE 100
/* Where pages of the most that is allowed are too large to be taken. */
#define FEWEST_PER_PAGE 100
#define FIRST_REPEAT DUR_MIN(5)
/* Full pages without a link, one after the other. */
#define CONTINUED_MOST 500

/* What is known of one tenant's. */
struct tenant {
	char *id, *identity;
	enum devices_state state;
	struct wall read_at;
	uint64_t count;
	char error[ARM_ERROR_TEXT_SIZE];
	struct device_gaps gaps;
};

struct devices {
	uint32_t magic;
	const struct world *world;
	struct arm_client *client;
	struct inventory *inventory;
	const struct config *config;
	struct loop_timer *timer;
	struct tenant *tenants;
	size_t tenant_count;
	bool begun, stopped;
	unsigned troubled; /* runs with trouble, one after the other */
	/* The present run: */
	bool running;
	size_t at, identity; /* the tenant, and who reads it, of the configuration's */
	struct listing *listing;
	struct device_join *join;
	bool complete, forgets;
	struct wall asked;
	unsigned top, continued;
	uint64_t skip;
	bool trouble;
};

const char *devices_state_word(enum devices_state s)
{
	static const char *const words[] = {
#define X(id, word) [DEVICES_##id] = word,
		DEVICES_STATES(X)
#undef X
	};

	return (size_t)s < ARRAY_LEN(words) ? words[s] : "";
}

/* --- whose there are --- */

/* Managed identities are configured without a tenant: it is that of what they see. */
static const char *tenant_of(const struct devices *d, const struct identity_config *id)
{
	struct map_entry *entry;

	if (!str_empty(id->tenant))
		return id->tenant;
	map_for_each (&d->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (s->scope != NULL && s->scope->identity == id && *s->tenant != '\0')
			return s->tenant;
	}
	return NULL;
}

static bool may_read(const struct devices *d, size_t identity, const char *tenant)
{
	const struct identity_config *id = &d->config->identities[identity];

	return !str_empty(id->cloud->defender) && str_equal_nocase(tenant_of(d, id), tenant);
}

static struct tenant *find_tenant(struct devices *d, const char *id)
{
	for (size_t i = 0; i < d->tenant_count; i++)
		if (str_equal_nocase(d->tenants[i].id, id))
			return &d->tenants[i];
	return NULL;
}

static void tenant_fini(struct tenant *t)
{
	free(t->id);
	free(t->identity);
	device_gaps_fini(&t->gaps);
}

static void collect_tenants(struct devices *d)
{
	for (size_t i = 0; i < d->config->identity_count; i++) {
		const struct identity_config *id = &d->config->identities[i];
		const char *tenant = tenant_of(d, id);

		if (tenant == NULL || str_empty(id->cloud->defender) ||
			find_tenant(d, tenant) != NULL)
			continue;
		d->tenants = xreallocarray(d->tenants, d->tenant_count + 1, sizeof(*d->tenants));
		d->tenants[d->tenant_count++] =
			(struct tenant){.id = xstrdup(tenant), .identity = xstrdup(id->name)};
	}
}

/* --- telling --- */

static void tell(struct devices *d, const struct tenant *t, const char *what)
{
	struct log_entry *e = log_begin(d->world->log, LOG_DEVICES_MESSAGE);

	log_add(e, "MDCD_IDENTITY", t->identity);
	log_add(e, "MDCD_TENANT", t->id);
	if (t->state == DEVICES_READ)
		log_priority(e, LOG_NOTICE);
	log_commit(e, 0, "%s", what);
}

static void set_state(
	struct devices *d, struct tenant *t, enum devices_state state, const char *error)
{
	enum devices_state before = t->state;
	mdc_autofree char *text = NULL;

	t->state = state;
	str_copy(t->error, sizeof(t->error), error);
	d->trouble = d->trouble || state == DEVICES_FAILED || state == DEVICES_PARTIAL;
	if (state == before || (before == DEVICES_UNREAD && state == DEVICES_READ))
		return;
	switch (state) {
	case DEVICES_UNREAD: return;
	case DEVICES_READ:
		text = xasprintf(
			"the inventory of Defender for Endpoint of tenant %s is read", t->id);
		break;
	case DEVICES_DENIED:
		text = xasprintf(
			"the inventory of Defender for Endpoint of tenant %s may not be read by "
			"identity \"%s\" (%s): what it would prove stays unproven; it takes the "
			"application permission Machine.Read.All of WindowsDefenderATP",
			t->id, t->identity, error);
		break;
	case DEVICES_PARTIAL:
	case DEVICES_FAILED:
		text = xasprintf(
			"the inventory of Defender for Endpoint of tenant %s could not be read: %s",
			t->id, error);
		break;
	}
	tell(d, t, text);
}

static void tell_pass(struct devices *d, const struct tenant *t)
{
	struct log_entry *e = log_begin(d->world->log, LOG_PASS_MESSAGE);
	char took[DUR_TEXT_SIZE];

	dur_format(wall_since(loop_wall(d->world->loop), d->asked), took);
	log_add(e, "MDCD_PASS", "devices");
	log_add(e, "MDCD_TENANT", t->id);
	log_commit(e, 0, "pass over devices: %llu servers of tenant %s, %zu with a gap, in %s",
		(unsigned long long)t->count, t->id, t->gaps.n, took);
}

/* --- from tenant to tenant --- */

static void begin_tenant(struct devices *d);

static void wake_in(struct devices *d, struct dur wait)
{
	struct loop *loop = d->world->loop;

	loop->ops->timer_arm(d->timer, mono_add(loop_mono(loop), wait));
}

static void end_run(struct devices *d)
{
	struct dur wait = d->config->poll.inventory, repeat = FIRST_REPEAT;

	d->running = false;
	d->troubled = d->trouble ? d->troubled + 1 : 0;
	for (unsigned i = 1; i < d->troubled && repeat.ms < wait.ms; i++)
		repeat.ms *= 2;
	wake_in(d, d->troubled > 0 ? dur_min(repeat, wait) : wait);
}

static void next_tenant(struct devices *d)
{
	d->join = device_join_free(d->join);
	d->at++;
	begin_tenant(d);
}

/* What was known is older than the inventory may lag: it is no proof any more. */
static void give_up_tenant(struct devices *d)
{
	struct tenant *t = &d->tenants[d->at];
	struct wall now = loop_wall(d->world->loop);

	if (!wall_is_set(t->read_at) || wall_since(now, t->read_at).ms < DEVICE_LAG.ms) {
		next_tenant(d);
		return;
	}
	t->read_at = WALL_UNSET;
	t->count = 0;
	device_gaps_fini(&t->gaps);
	device_join_free(d->join);
	d->join = device_join_new();
	d->forgets = true;
	device_join_begin_forgetting(d->join, d->inventory, t->id);
	wake_in(d, DUR_MS(0));
}

/* --- reading --- */

static void row_came(void *ctx, const json_t *row)
{
	struct devices *d = ctx;

	device_join_add(d->join, row);
}

static void list_ended(void *ctx, const struct listing_end *end);

static void list(struct devices *d)
{
	struct listing_target target = {.client = d->client,
		.loop = d->world->loop,
		.identity = d->config->identities[d->identity].name,
		.idle = true,
		.row = row_came,
		.done = list_ended,
		.ctx = d};
	struct arm_request request;

	defender_list_devices(d->top, d->skip, &request);
	d->listing = listing_arm(&target, &request);
}

static void begin_list(struct devices *d, unsigned top)
{
	device_join_free(d->join);
	d->join = device_join_new();
	d->forgets = false;
	d->top = top;
	d->skip = 0;
	d->continued = 0;
	d->asked = loop_wall(d->world->loop);
	list(d);
}

/* From `from` on; false: there is none. */
static bool begin_with_identity(struct devices *d, size_t from)
{
	struct tenant *t = &d->tenants[d->at];

	for (size_t i = from; i < d->config->identity_count; i++) {
		if (!may_read(d, i, t->id))
			continue;
		d->identity = i;
		free(t->identity);
		t->identity = xstrdup(d->config->identities[i].name);
		begin_list(d, DEVICES_PER_PAGE);
		return true;
	}
	return false;
}

static void begin_tenant(struct devices *d)
{
	while (d->at < d->tenant_count && !begin_with_identity(d, 0))
		d->at++;
	if (d->at == d->tenant_count)
		end_run(d);
}

static void begin_join(struct devices *d, bool complete)
{
	d->complete = complete && device_join_is_whole(d->join);
	device_join_begin(d->join, d->inventory, d->tenants[d->at].id, d->complete, d->asked);
	wake_in(d, DUR_MS(0));
}

static void refused(struct devices *d, const struct arm_error *error)
{
	struct tenant *t = &d->tenants[d->at];
	bool denied = error->class == ARM_ERROR_DENIED || error->class == ARM_ERROR_IDENTITY ||
		error->class == ARM_ERROR_TOKEN;
	char text[ARM_ERROR_TEXT_SIZE];

	if (denied && begin_with_identity(d, d->identity + 1))
		return;
	snprintf(text, sizeof(text), "%s", *error->message != '\0' ? error->message : error->code);
	set_state(d, t, denied ? DEVICES_DENIED : DEVICES_FAILED, text);
	give_up_tenant(d);
}

static void list_ended(void *ctx, const struct listing_end *end)
{
	struct devices *d = ctx;
	bool full = end->rows > 0 && end->rows % d->top == 0;

	MDC_MAGIC_CHECK(d, DEVICES_MAGIC);
	d->listing = NULL;
	if (end->error->class == ARM_ERROR_TOO_LARGE && d->top / 4 >= FEWEST_PER_PAGE) {
		begin_list(d, d->top / 4);
	} else if (end->error->class == ARM_ERROR_NONE && end->complete && full &&
		d->continued++ < CONTINUED_MOST) {
		/* Nobody promises a link. */
		d->skip += end->rows;
		list(d);
	} else if (end->error->class == ARM_ERROR_NONE) {
		begin_join(d, end->complete && !full);
	} else if (end->error->class == ARM_ERROR_ABSENT && end->rows == 0) {
		/* "No recent machines". */
		begin_join(d, true);
	} else {
		refused(d, end->error);
	}
}

static void end_join(struct devices *d)
{
	struct tenant *t = &d->tenants[d->at];

	if (!d->forgets) {
		device_gaps_fini(&t->gaps);
		device_join_take(d->join, &t->gaps);
		t->count = device_join_count(d->join);
		t->read_at = d->asked;
		set_state(d, t, d->complete ? DEVICES_READ : DEVICES_PARTIAL,
			d->complete ? "" : "the list was not complete");
		tell_pass(d, t);
	}
	next_tenant(d);
}

/* --- the timer --- */

static void begin_run(struct devices *d)
{
	d->begun = d->running = true;
	d->trouble = false;
	d->at = 0;
	collect_tenants(d);
	begin_tenant(d);
}

static void go_on(void *ctx)
{
	struct devices *d = ctx;

	MDC_MAGIC_CHECK(d, DEVICES_MAGIC);
	if (d->stopped)
		return;
	if (!d->running)
		begin_run(d);
	else if (device_join_some(d->join, d->inventory, SLICE))
		wake_in(d, DUR_MS(0));
	else
		end_join(d);
}

static void cancel(struct devices *d)
{
	d->world->loop->ops->timer_disarm(d->timer);
	d->listing = listing_cancel(d->listing);
	d->join = device_join_free(d->join);
	d->running = false;
}

/* --- life --- */

struct devices *devices_new(const struct world *w, struct arm_client *client, struct inventory *inv)
{
	struct devices *d = xcalloc(1, sizeof(*d));

	d->magic = DEVICES_MAGIC;
	d->world = w;
	d->client = client;
	d->inventory = inv;
	d->timer = loop_timer_new(w->loop, go_on, d);
	return d;
}

struct devices *devices_free(struct devices *d)
{
	if (d == NULL)
		return NULL;
	MDC_MAGIC_CHECK(d, DEVICES_MAGIC);
	cancel(d);
	d->world->loop->ops->timer_free(d->timer);
	for (size_t i = 0; i < d->tenant_count; i++)
		tenant_fini(&d->tenants[i]);
	free(d->tenants);
	d->magic = 0;
	free(d);
	return NULL;
}

/* Tenants that are nobody's now are not told of any more. */
static void drop_tenants(struct devices *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->tenant_count; i++) {
		bool used = false;

		for (size_t k = 0; k < d->config->identity_count; k++)
			used = used || may_read(d, k, d->tenants[i].id);
		if (used)
			d->tenants[kept++] = d->tenants[i];
		else
			tenant_fini(&d->tenants[i]);
	}
	d->tenant_count = kept;
}

void devices_configure(struct devices *d, const struct config *c)
{
	cancel(d);
	d->config = c;
	drop_tenants(d);
	d->troubled = 0;
	if (d->begun && !d->stopped)
		wake_in(d, DUR_MS(0));
}

void devices_pass_ended(struct devices *d, const struct pass_report *report)
{
	if (report->kind == PASS_MACHINES && !d->begun && !d->stopped)
		begin_run(d);
}

bool devices_are_being_read(const struct devices *d)
{
	return d->running;
}

void devices_stop(struct devices *d)
{
	d->stopped = true;
	cancel(d);
}

size_t devices_tenant_count(const struct devices *d)
{
	return d->tenant_count;
}

void devices_tenant(const struct devices *d, size_t index, struct devices_tenant *ret)
{
	const struct tenant *t = &d->tenants[index];

	*ret = (struct devices_tenant){.tenant = t->id,
		.identity = t->identity,
		.state = t->state,
		.read_at = t->read_at,
		.count = t->count,
		.error = t->error,
		.gaps = &t->gaps};
}
