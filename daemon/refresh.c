/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pass.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/single.h"

#define REFRESHES_AT_ONCE 16

/* One subscription's plan, settings, single documents, connectors and workspaces, or one machine's
 * extensions, read from ARM. */
struct refresh {
	struct observer *observer;
	struct list link; /* waiting or running */
	struct subscription *subscription;
	struct machine *machine;
	struct wall asked;
	struct arm_call *call;
	struct listing *listing;
	bool settings_listed[SETTING_N_];
	enum single_id single; /* that is being read */
	bool mde_seen, legacy_seen, unclear;
};

static void refresh_pump(struct observer *o);

/* Whether one that has not been asked yet waits already: it will do for both. */
static bool is_queued(const struct subscription *s, const struct machine *m)
{
	return m != NULL ? m->refresh_queued : s->refresh_queued;
}

static void set_queued(const struct refresh *f, bool queued)
{
	if (f->machine != NULL)
		f->machine->refresh_queued = queued;
	else
		f->subscription->refresh_queued = queued;
}

static void refresh_end(struct refresh *f)
{
	struct observer *o = f->observer;
	struct subscription *s = f->subscription;
	struct machine *m = f->machine;

	list_remove(&f->link);
	free(f);
	o->refreshing--;
	if (m != NULL)
		o->ports.machine_seen(o->ports.ctx, m);
	else
		o->ports.subscription_seen(o->ports.ctx, s);
	refresh_pump(o);
}

static void list_from_arm(struct refresh *f, struct arm_request *take_request, listing_row_fn row,
	listing_done_fn done)
{
	struct listing_target target = {
		.client = f->observer->client,
		.loop = f->observer->world->loop,
		.identity = f->subscription->scope->identity->name,
		.row = row,
		.done = done,
		.ctx = f,
	};

	f->listing = listing_arm(&target, take_request);
}

/* --- a machine --- */

/* What is not about it, or cannot be read, changes nothing; the next pass tells of it. */
static bool note_own(struct refresh *f, const json_t *document, struct noted *ret)
{
	return row_is_of(document, f->subscription) &&
		inventory_note(
			f->observer->inventory, document, stamp_of(f->asked, SOURCE_ARM), ret) == 0;
}

static void extension_row(void *ctx, const json_t *row)
{
	struct refresh *f = ctx;
	struct noted noted;

	if (!note_extension_of(f->observer, f->machine, row, f->asked, &noted)) {
		f->unclear = true;
		return;
	}
	f->mde_seen = f->mde_seen || is_mde(noted.extension);
	f->legacy_seen = f->legacy_seen || is_legacy(noted.extension);
}

static void machine_plan_read(void *ctx, struct arm_result *result)
{
	struct refresh *f = ctx;
	json_t *document = NULL;
	struct noted noted;

	f->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	/* What is about another machine, or cannot be read, changes nothing. */
	if (document != NULL && is_below(document, f->machine))
		(void)note_own(f, document, &noted);
	json_decref(document);
	refresh_end(f);
}

/* True when it is asked for: the refresh ends later. */
static bool ask_machine_plan(struct refresh *f)
{
	struct arm_request request = {0};

	if (f->subscription->scope == NULL || !machine_plan_matters(f->machine))
		return false;
	f->asked = loop_wall(f->observer->world->loop);
	arm_get_machine_plan(f->machine->id, &request);
	f->call = arm_client_call(f->observer->client, f->subscription->scope->identity->name,
		&request, ARM_NORMAL, NULL, machine_plan_read, f);
	return true;
}

static void extensions_done(void *ctx, const struct listing_end *end)
{
	struct refresh *f = ctx;

	f->listing = NULL;
	if (part_ended_well(end) && !f->unclear)
		conclude_extensions(f->observer, f->machine, f->mde_seen, f->legacy_seen, f->asked);
	if (!ask_machine_plan(f))
		refresh_end(f);
}

/* --- a subscription --- */

static void setting_row(void *ctx, const json_t *row)
{
	struct refresh *f = ctx;
	struct noted noted;

	if (!note_own(f, row, &noted))
		f->unclear = true;
	else if (noted.setting != SETTING_N_)
		f->settings_listed[noted.setting] = true;
}

/* What cannot be read changes nothing; the next pass tells of it. */
static void solution_row(void *ctx, const json_t *row)
{
	struct refresh *f = ctx;

	if (!note_solution(f->observer, f->subscription, row, f->asked))
		f->unclear = true;
}

static void solutions_done(void *ctx, const struct listing_end *end)
{
	struct refresh *f = ctx;

	f->listing = NULL;
	if (workspaces_ended_well(end, f->unclear))
		inventory_solutions_complete(f->subscription, stamp_of(f->asked, SOURCE_ARM));
	refresh_end(f);
}

/* The last that is asked of a subscription: workspaces themselves hardly ever change. */
static void ask_solutions(struct refresh *f)
{
	struct arm_request request = {0};

	if (!workspaces_matter(f->subscription) || f->subscription->workspace_count == 0) {
		refresh_end(f);
		return;
	}
	f->asked = loop_wall(f->observer->world->loop);
	f->unclear = false;
	arm_list_solutions(f->subscription->id, &request);
	list_from_arm(f, &request, solution_row, solutions_done);
}

static void connector_row(void *ctx, const json_t *row)
{
	struct refresh *f = ctx;

	if (!note_connector(f->observer, f->subscription, row, f->asked))
		f->unclear = true;
}

static void connectors_done(void *ctx, const struct listing_end *end)
{
	struct refresh *f = ctx;

	f->listing = NULL;
	if (part_ended_well(end) && !f->unclear)
		inventory_connectors_complete(f->subscription, stamp_of(f->asked, SOURCE_ARM));
	ask_solutions(f);
}

static void ask_connectors(struct refresh *f)
{
	struct arm_request request = {0};

	if (!connectors_matter(f->subscription)) {
		ask_solutions(f);
		return;
	}
	f->asked = loop_wall(f->observer->world->loop);
	f->unclear = false;
	arm_list_connectors(f->subscription->id, &request);
	list_from_arm(f, &request, connector_row, connectors_done);
}

static void next_single(struct refresh *f);

static void single_read(void *ctx, struct arm_result *result)
{
	struct refresh *f = ctx;

	f->call = NULL;
	/* What it does not tell, the next pass tells of. */
	(void)!note_single(f->observer, f->subscription, f->single, f->asked, result);
	f->single++;
	next_single(f);
}

static void next_single(struct refresh *f)
{
	struct subscription *s = f->subscription;
	struct arm_request request = {0};

	/* It may have left its scope meanwhile. */
	while (f->single < SINGLE_N_ && s->scope != NULL && !single_is_worth(s, f->single))
		f->single++;
	if (f->single >= SINGLE_N_ || s->scope == NULL) {
		ask_connectors(f);
		return;
	}
	single_request(s->id, f->single, &request);
	f->call = arm_client_call(f->observer->client, s->scope->identity->name, &request,
		ARM_NORMAL, NULL, single_read, f);
}

static void settings_done(void *ctx, const struct listing_end *end)
{
	struct refresh *f = ctx;

	f->listing = NULL;
	note_registration(f->subscription, end->error);
	if (part_ended_well(end) && !f->unclear)
		inventory_settings_complete(f->observer->inventory, f->subscription,
			f->settings_listed, stamp_of(f->asked, SOURCE_ARM));
	next_single(f);
}

static void plan_read(void *ctx, struct arm_result *result)
{
	struct refresh *f = ctx;
	struct arm_request request = {0};
	json_t *document = NULL;
	struct noted noted;

	f->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	(void)note_own(f, document, &noted);
	json_decref(document);
	/* It may have left its scope meanwhile. */
	if (f->subscription->scope == NULL) {
		refresh_end(f);
		return;
	}
	arm_list_settings(f->subscription->id, &request);
	list_from_arm(f, &request, setting_row, settings_done);
}

/* --- turns --- */

static void ask_extensions(struct refresh *f)
{
	struct arm_request request = {0};

	f->asked = loop_wall(f->observer->world->loop);
	arm_list_extensions(f->machine->id, &request);
	list_from_arm(f, &request, extension_row, extensions_done);
}

static void vm_read(void *ctx, struct arm_result *result)
{
	struct refresh *f = ctx;
	const char *id;
	json_t *document = NULL;
	struct noted noted;

	f->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	id = document != NULL ? json_text(document, "id") : NULL;
	/* What is about another machine, or cannot be read, changes nothing. */
	if (arm_id_same(id, f->machine->id))
		(void)note_own(f, document, &noted);
	json_decref(document);
	/* It may have left its scope meanwhile. */
	if (f->subscription->scope == NULL)
		refresh_end(f);
	else
		ask_extensions(f);
}

/* Only here is a VM asked how its agent is. */
static void ask_machine(struct refresh *f)
{
	struct arm_request request = {0};

	if (!f->machine->azure_vm) {
		ask_extensions(f);
		return;
	}
	arm_get_machine(f->machine->id, &request);
	f->call = arm_client_call(f->observer->client, f->subscription->scope->identity->name,
		&request, ARM_NORMAL, NULL, vm_read, f);
}

static void refresh_ask(struct refresh *f)
{
	struct observer *o = f->observer;
	struct arm_request request = {0};

	f->asked = loop_wall(o->world->loop);
	if (f->machine != NULL) {
		ask_machine(f);
		return;
	}
	arm_get_pricing(f->subscription->id, &request);
	f->call = arm_client_call(o->client, f->subscription->scope->identity->name, &request,
		ARM_NORMAL, NULL, plan_read, f);
}

static bool is_running(struct observer *o, const struct refresh *wish)
{
	list_for_each (&o->running, node) {
		const struct refresh *f = list_entry(node, struct refresh, link);

		if (f->subscription == wish->subscription && f->machine == wish->machine)
			return true;
	}
	return false;
}

/* What is being asked for already is asked again after that, and not beside it. */
static struct refresh *next_wish(struct observer *o)
{
	list_for_each (&o->waiting, node) {
		struct refresh *f = list_entry(node, struct refresh, link);

		if (!is_running(o, f))
			return f;
	}
	return NULL;
}

static void refresh_pump(struct observer *o)
{
	struct refresh *f;

	while (o->refreshing < REFRESHES_AT_ONCE && (f = next_wish(o)) != NULL) {
		set_queued(f, false);
		list_remove(&f->link);
		if (f->subscription->scope == NULL) {
			free(f);
			continue;
		}
		list_append(&o->running, &f->link);
		o->refreshing++;
		refresh_ask(f);
	}
}

static void enqueue(struct observer *o, struct subscription *s, struct machine *m)
{
	struct refresh *f;

	if (is_queued(s, m))
		return;
	f = xcalloc(1, sizeof(*f));
	f->observer = o;
	f->subscription = s;
	f->machine = m;
	set_queued(f, true);
	list_append(&o->waiting, &f->link);
}

void observer_refresh(struct observer *o, struct subscription *s, struct machine *m)
{
	MDC_MAGIC_CHECK(o, OBSERVER_MAGIC);
	if (s->scope == NULL)
		return;
	enqueue(o, s, m);
	refresh_pump(o);
}

void refresh_resume(struct observer *o)
{
	refresh_pump(o);
}

/* --- ends that are none --- */

static void give_up(struct refresh *f)
{
	struct observer *o = f->observer;

	if (f->call != NULL)
		arm_client_cancel(o->client, f->call);
	listing_cancel(f->listing);
	list_remove(&f->link);
	free(f);
}

static void forget_in(struct list *refreshes, const struct machine *m, unsigned *ret_count)
{
	list_for_each (refreshes, node) {
		struct refresh *f = list_entry(node, struct refresh, link);

		if (f->machine != m)
			continue;
		give_up(f);
		++*ret_count;
	}
}

void observer_forget(struct observer *o, struct machine *m)
{
	unsigned waited = 0, ran = 0;

	if (m->refresh_queued)
		forget_in(&o->waiting, m, &waited);
	m->refresh_queued = false;
	forget_in(&o->running, m, &ran);
	o->refreshing -= ran;
	refresh_pump(o);
}

void refresh_cancel_all(struct observer *o)
{
	list_for_each (&o->running, node)
		give_up(list_entry(node, struct refresh, link));
	list_for_each (&o->waiting, node) {
		set_queued(list_entry(node, struct refresh, link), false);
		give_up(list_entry(node, struct refresh, link));
	}
	o->refreshing = 0;
}

void refresh_restart(struct observer *o)
{
	list_for_each (&o->running, node) {
		struct refresh *f = list_entry(node, struct refresh, link);

		enqueue(o, f->subscription, f->machine);
		give_up(f);
	}
	o->refreshing = 0;
}
