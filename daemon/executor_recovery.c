/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that were under way when the process ended (rule 7: they hold their items). */
#include "daemon/flight.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

/* Soon, but not all of them in the moment in which their machines are first listed. */
#define FIRST_INQUIRY DUR_S(1)

static char *key_of(enum control_id control, const char *resource_id)
{
	return xasprintf("%s %s", control_word(control), resource_id);
}

/*
 * One operation runs at a time on a target, so an older one was known not to run any more when the
 * newer was begun; only that could not be written down.
 */
static void supersede(struct executor *x, const char *key)
{
	struct flight *older = map_get(&x->recovered, key);

	if (older == NULL)
		return;
	map_remove(&x->recovered, key);
	flight_store_outcome(older, "superseded", NULL, NULL);
	flight_end(older);
}

static const char *verb_of(const char *stored)
{
	static const char *const verbs[] = {"DELETE", "POST"};

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (str_equal(stored, verbs[i]))
			return verbs[i];
	return "PUT";
}

static void recover(void *ctx, const struct stored_operation *row)
{
	struct executor *x = ctx;
	struct flight *f;
	struct item_ref nothing = {.control = control_from_word(row->control)};
	mdc_autofree char *key = NULL;

	if (nothing.control == CONTROL_N_)
		return;
	key = key_of(nothing.control, row->resource_id);
	supersede(x, key);
	f = flight_new(x, &nothing);
	f->op.id = row->id;
	f->op.resource_id = xstrdup(row->resource_id);
	f->op.target_id = xstrdup(row->target_id);
	f->op.verb = verb_of(row->verb);
	str_copy(f->op.body_hash, sizeof(f->op.body_hash), row->body_hash);
	str_copy(f->op.correlation_id, sizeof(f->op.correlation_id), row->correlation_id);
	f->op.started = row->started;
	f->op.deadline = row->deadline;
	f->op.phase = PHASE_SENT;
	f->op.recovered = true;
	list_append(&x->flights, &f->link);
	x->running++;
	map_set(&x->recovered, key, f);
}

int executor_restore(struct executor *x)
{
	return store_load_operations(x->store, recover, x);
}

static void adopt(struct executor *x, const struct item_ref *ref)
{
	mdc_autofree char *key = key_of(ref->control, item_resource_id(ref));
	struct flight *f = map_get(&x->recovered, key);

	if (f == NULL)
		return;
	map_remove(&x->recovered, key);
	/* It may have come to life by another observation, and have been planned already. */
	executor_withdraw(x, ref);
	f->ref = *ref;
	item_of(ref)->operation = &f->op;
	if (item_of(ref)->applies)
		flight_tell(f,
			&(struct item_event){.kind = EVENT_RESTORED_INTENT,
				.reason = REASON_OUTCOME_UNKNOWN,
				.detail = ""});
	flight_follow_in(f, FIRST_INQUIRY);
}

static void adopt_all(struct executor *x, const struct item_ref *resource)
{
	enum resource_kind kind = item_resource(resource);

	for (unsigned c = controls_first(kind);
		c < controls_end(kind) && map_count(&x->recovered) > 0; c++) {
		struct item_ref ref = *resource;

		ref.control = (enum control_id)c;
		adopt(x, &ref);
	}
}

void executor_adopt(struct executor *x, struct subscription *s, struct machine *m)
{
	adopt_all(x, &(struct item_ref){.subscription = s, .machine = m});
	for (size_t i = 0; m == NULL && i < s->connector_count; i++)
		adopt_all(x, &(struct item_ref){.subscription = s, .connector = s->connectors[i]});
	for (size_t i = 0; m == NULL && i < s->workspace_count; i++)
		adopt_all(x, &(struct item_ref){.subscription = s, .workspace = s->workspaces[i]});
}

void executor_expire(struct executor *x)
{
	struct wall now = loop_wall(x->world->loop);
	struct map_entry *entry;

	map_for_each (&x->recovered, entry) {
		struct flight *f = entry->value;

		if (wall_before(now, f->op.deadline))
			continue;
		flight_store_outcome(f, "unknown", NULL, NULL);
		flight_end(f);
		map_remove(&x->recovered, entry->key);
	}
}
