/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pass.h"

#include "lib/base/xalloc.h"

#define REFRESHES_AT_ONCE 16

/* One subscription's plan and settings, or one machine's extensions, read from ARM. */
struct refresh {
	struct observer *observer;
	struct list link;
	struct subscription *subscription;
	struct machine *machine;
	struct wall asked;
	struct arm_call *call;
	struct listing *listing;
	bool settings_listed[SETTING_N_];
	bool mde_seen, legacy_seen;
	bool started;
};

static void refresh_pump(struct observer *o);

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

static struct listing *list_from_arm(struct refresh *f, struct arm_request *take_request,
	listing_row_fn row, listing_done_fn done)
{
	struct listing_target target = {
		.client = f->observer->client,
		.loop = f->observer->world->loop,
		.identity = f->subscription->scope->identity->name,
		.row = row,
		.done = done,
		.ctx = f,
	};

	return listing_arm(&target, take_request);
}

/* --- a machine --- */

static void extension_row(void *ctx, const json_t *row)
{
	struct refresh *f = ctx;
	struct observer *o = f->observer;
	struct noted noted;

	if (inventory_note(o->inventory, row, stamp_of(f->asked, SOURCE_ARM), &noted) != 0)
		return;
	switch (noted.extension) {
	case EXTENSION_MDE_WINDOWS:
	case EXTENSION_MDE_LINUX: f->mde_seen = true; break;
	case EXTENSION_MMA:
	case EXTENSION_OMS: f->legacy_seen = true; break;
	case EXTENSION_OTHER:
	case EXTENSION_KIND_N_: break;
	}
}

static void conclude_extensions(struct refresh *f)
{
	struct observer *o = f->observer;
	struct machine *m = f->machine;
	bool windows = os_is_windows(m->os);
	struct stamp stamp = stamp_of(f->asked, SOURCE_ARM);
	bool changed;

	/* While an operation of ours creates it, "not there" says nothing. */
	if (!f->mde_seen &&
		inventory_item(f->subscription, m, CONTROL_MDE_EXTENSION)->operation == NULL)
		inventory_unset_extension(o->inventory, m,
			windows ? EXTENSION_MDE_WINDOWS : EXTENSION_MDE_LINUX, stamp, &changed);
	if (!f->legacy_seen)
		inventory_unset_extension(
			o->inventory, m, windows ? EXTENSION_MMA : EXTENSION_OMS, stamp, &changed);
}

static void extensions_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct refresh *f = ctx;

	(void)rows;
	f->listing = NULL;
	if (error->class == ARM_ERROR_NONE && complete)
		conclude_extensions(f);
	refresh_end(f);
}

/* --- a subscription --- */

static void setting_row(void *ctx, const json_t *row)
{
	struct refresh *f = ctx;
	struct observer *o = f->observer;
	struct noted noted;

	if (inventory_note(o->inventory, row, stamp_of(f->asked, SOURCE_ARM), &noted) == 0 &&
		noted.setting != SETTING_N_)
		f->settings_listed[noted.setting] = true;
}

static void settings_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct refresh *f = ctx;
	struct observer *o = f->observer;

	(void)rows;
	f->listing = NULL;
	if (error->class == ARM_ERROR_NONE && complete)
		inventory_settings_complete(o->inventory, f->subscription, f->settings_listed,
			stamp_of(f->asked, SOURCE_ARM));
	refresh_end(f);
}

static void plan_read(void *ctx, struct arm_result *result)
{
	struct refresh *f = ctx;
	struct observer *o = f->observer;
	struct arm_request request = {0};
	json_t *document = NULL;
	struct noted noted;
	int error;

	f->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	/* What cannot be read stays as it was known; the next pass tells of it. */
	error = inventory_note(o->inventory, document, stamp_of(f->asked, SOURCE_ARM), &noted);
	(void)error;
	json_decref(document);
	arm_list_settings(f->subscription->id, &request);
	f->listing = list_from_arm(f, &request, setting_row, settings_done);
}

/* --- turns --- */

static void refresh_start(struct refresh *f)
{
	struct observer *o = f->observer;
	struct arm_request request = {0};

	f->started = true;
	f->asked = loop_wall(o->world->loop);
	o->refreshing++;
	if (f->machine != NULL) {
		arm_list_extensions(f->machine->id, &request);
		f->listing = list_from_arm(f, &request, extension_row, extensions_done);
		return;
	}
	arm_get_pricing(f->subscription->id, &request);
	f->call = arm_client_call(o->client, f->subscription->scope->identity->name, &request,
		ARM_NORMAL, NULL, plan_read, f);
}

static struct refresh *next_refresh(struct observer *o)
{
	list_for_each (&o->refreshes, node) {
		struct refresh *f = list_entry(node, struct refresh, link);

		if (!f->started)
			return f;
	}
	return NULL;
}

static void refresh_pump(struct observer *o)
{
	struct refresh *f;

	while (o->refreshing < REFRESHES_AT_ONCE && (f = next_refresh(o)) != NULL)
		refresh_start(f);
}

void observer_refresh(struct observer *o, struct subscription *s, struct machine *m)
{
	struct refresh *f;

	MDC_MAGIC_CHECK(o, OBSERVER_MAGIC);
	if (s->scope == NULL)
		return;
	list_for_each (&o->refreshes, node) {
		f = list_entry(node, struct refresh, link);
		if (f->subscription == s && f->machine == m && !f->started)
			return;
	}
	f = xcalloc(1, sizeof(*f));
	f->observer = o;
	f->subscription = s;
	f->machine = m;
	list_append(&o->refreshes, &f->link);
	refresh_pump(o);
}

static void refresh_cancel(struct refresh *f)
{
	struct observer *o = f->observer;

	if (f->call != NULL)
		arm_client_cancel(o->client, f->call);
	listing_cancel(f->listing);
	if (f->started)
		o->refreshing--;
	list_remove(&f->link);
	free(f);
}

void observer_forget(struct observer *o, const struct machine *m)
{
	list_for_each (&o->refreshes, node) {
		struct refresh *f = list_entry(node, struct refresh, link);

		if (f->machine == m)
			refresh_cancel(f);
	}
}

void refresh_cancel_all(struct observer *o)
{
	list_for_each (&o->refreshes, node)
		refresh_cancel(list_entry(node, struct refresh, link));
}
